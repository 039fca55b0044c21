"""What the page of pictures shows at the moment: the model, and what was chosen to be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...inside.maximise import Favourites
from .datasets import Source
from .messages import Configure
from .model import Model


@dataclass
class Scene:
    """The state of a session that the page sees.

    model    the network, its pictures and its training; None before the first pictures were read
    task     what is waited for, in words; empty where there is nothing
    role, index, drawing  which picture is shown;   target  the class whose saliency is shown, -1 for the predicted one
    unit     (layer, unit) whose favourite inputs are shown;   ideal  the picture made for it, if there is one
    hovered  (layer, row, column) whose receptive field is shown, or None
    """

    sources: list[Source]
    settings: Configure
    model: Model | None = None
    playing: bool = False
    task: str = ""
    role: str = "test"
    index: int = 0
    target: int = -1
    drawing: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    unit: tuple[int, int] = (0, 0)
    hovered: tuple[int, int, int] | None = None
    ideal: Favourites | None = None

    @property
    def trains(self) -> bool:
        """Whether there is a model."""
        return self.model is not None

    @property
    def picture(self) -> np.ndarray:
        """(C, H, W) float32: the one that is shown."""
        assert self.model is not None, "shown only then"
        if self.role == "drawn":
            return self.drawing
        data = self.model.data
        return (data.test if self.role == "test" else data.train).inputs[self.index]

    @property
    def label(self) -> int:
        """The class of the picture; -1 for a drawing, whose class nobody knows."""
        assert self.model is not None, "shown only then"
        if self.role == "drawn":
            return -1
        data = self.model.data
        return int((data.test if self.role == "test" else data.train).targets[self.index])
