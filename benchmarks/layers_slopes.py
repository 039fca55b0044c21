"""What networks.py builds from, in slopes: its layers, and those of the zoo's parts that peers have to imitate."""

from __future__ import annotations

from typing import Any

from slopes.nn import *  # noqa: F403
from slopes.nn import Module
from slopes.zoo.gpt import GPT as GPT
from slopes.zoo.resnet import Skip as Skip


class Outputs(Module):
    """A recurrent layer's outputs without its last state."""

    def __init__(self, layer: Module) -> None:
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]
