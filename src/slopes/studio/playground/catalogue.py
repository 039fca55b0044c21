"""What the page can offer: data sets, activations, optimizers and presets, from the tables that the engine uses."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from .data import DATA, SEVERAL
from .presets import PRESETS
from .settings import (
    ACTIVATIONS,
    CLASSIFICATION,
    FEATURES,
    MOST_CLASSES,
    MOST_LAYERS,
    MOST_PARAMETERS,
    MOST_POINTS,
    MOST_UNITS,
    OPTIMIZERS,
    PENALTIES,
    REGRESSION,
    SCHEDULES,
    Settings,
)


@cache
def catalogue() -> dict[str, Any]:
    """Choices, limits, defaults and presets."""
    return {
        "choices": {"activation": list(ACTIVATIONS), "optimizer": list(OPTIMIZERS), "schedule": list(SCHEDULES), "penalty": list(PENALTIES),
                    "features": list(FEATURES)},
        "data": {"classification": described(CLASSIFICATION), "regression": described(REGRESSION)}, "several": list(SEVERAL),
        "limits": {"layers": MOST_LAYERS, "units": MOST_UNITS, "parameters": MOST_PARAMETERS, "points": MOST_POINTS,
                   "classes": MOST_CLASSES},
        "defaults": dataclasses.asdict(Settings()),
        "presets": [{**dataclasses.asdict(preset), "settings": dataclasses.asdict(preset.settings)} for preset in PRESETS]}


def described(names: tuple[str, ...]) -> dict[str, str]:
    """Data sets and what they are, in a sentence each."""
    return {name: (DATA[name].__doc__ or "").strip() for name in names}
