"""Build a network for the weights of a checkpoint: nothing is allocated before all names and shapes fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..nn.init import shapes_only
from ..nn.module import Module
from .checkpoint import Checkpoint
from .weight_map import WeightMap

N = TypeVar("N", bound=Module)


def load_network(make: Callable[[], N], weights: WeightMap, checkpoint: Checkpoint) -> N:
    """The network that `make` builds, with the weights of the checkpoint, in eval mode; StateError unless they fit.

    It is built without memory first: a configuration with absurd sizes costs nothing, and no random values are drawn. Only where the
    checkpoint lacks parameters that may keep their initial values is it built again.

    >>> from slopes import nn
    >>> np.savez("weights.npz", w=np.ones((2, 3), np.float32), b=np.zeros(2, np.float32))
    >>> load_network(lambda: nn.Linear(3, 2), WeightMap({"weight": "w", "bias": "b"}), sl.read_checkpoint("weights.npz"))
    Linear(3 -> 2)
    """
    with shapes_only():
        net = make()
    arrays = weights.arrays(net, checkpoint)
    if not arrays.keys() >= {name for name, _ in net.named_parameters()}:
        net = make()
    net.load_state_dict(arrays, strict=False)
    net.eval()
    return net
