"""`torch.nn.init`: functions that fill a parameter in place, under names that end in an underscore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...nn import init as core
from ..sides import lifted

NAMES = ("zeros", "ones", "constant", "uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
         "orthogonal", "trunc_normal", "eye", "dirac", "sparse")


def in_place(name: str) -> Callable[..., Any]:
    """The function of the core, which fills the parameter that it is given, and returns it."""
    function = lifted(getattr(core, name))

    def fill(tensor: Any, *args: Any, **options: Any) -> Any:
        return function(tensor, *args, **options)

    fill.__name__, fill.__doc__ = name + "_", getattr(core, name).__doc__
    return fill


calculate_gain = core.calculate_gain
globals().update({name + "_": in_place(name) for name in NAMES if hasattr(core, name)})


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.nn.init.{name} is not in slopes.torch; in slopes, initialisers are {', '.join(NAMES)} of sl.nn.init")
