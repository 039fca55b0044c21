"""The state that a recurrent network carries from batch to batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..modes import no_grad
from ..tensor import Tensor, asarray, from_array
from ..tree import flatten, map_tree
from .mode import Mode


class CarriedState:
    """A net's state between two batches: assigned in the compiled step, so that it stays in native code; no gradient goes through it."""

    def __init__(self, net: Any, inputs: Any) -> None:
        if not hasattr(net, "read"):
            raise ArgumentError(f"{type(net).__name__} has no method read(inputs, state)",
                                why="the batches of this loader go on where the ones before stopped: the net keeps its state",
                                repair="write read(inputs, state=None) -> (outputs, state), as LanguageModel does; or use text.Windows")
        with Mode(net, training=False), no_grad():
            _, state = net.read(asarray(inputs[:, :1]), None)
        self.state = map_tree(lambda tensor: from_array(np.zeros(tensor.shape, tensor.dtype)), state)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors of the state, one after the other."""
        return flatten(self.state)[0]

    def read(self, net: Any, inputs: Any) -> Any:
        """The net's outputs; it goes on from the state that it left, and leaves a new one."""
        outputs, state = net.read(inputs, self.state)
        for tensor, new in zip(self.tensors, flatten(state)[0], strict=True):
            tensor.assign(new.detach())
        return outputs

    def clear(self) -> None:
        """Begin with zeros."""
        for tensor in self.tensors:
            tensor.assign(np.zeros(tensor.shape, tensor.dtype))

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of everything that a step changes here."""
        return [(str(i), tensor) for i, tensor in enumerate(self.tensors)]
