"""`torch.autograd`: gradients of a loss with respect to tensors."""

from __future__ import annotations

from typing import Any

from ..backward import gradients
from ..errors import ArgumentError
from ..modes import mode, no_grad
from ..tensor import Tensor as CoreTensor
from ..tensor import from_array, seed_of
from .sides import to_window


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool = False) -> tuple:
    """The gradients of a tensor with respect to leaves that require one; their `.grad` stays as it is."""
    leaves = [inputs] if isinstance(inputs, CoreTensor) else list(inputs)
    if create_graph or mode.trace is not None or any(not leaf.is_leaf or not leaf.requires_grad for leaf in leaves):
        raise ArgumentError("torch.autograd.grad is for leaves that require a gradient, outside of compiled functions, and keeps no graph",
                            repair="write a function of the inputs, and take sl.grad(f), as often as needed")
    node = outputs._leaf()
    with no_grad():
        arrays = {id(owner): array for owner, array in gradients(node, seed_of(node, grad_outputs))}
    if not allow_unused and not arrays.keys() >= set(map(id, leaves)):
        raise ArgumentError("torch.autograd.grad: the output does not depend on one of the inputs", repair="pass allow_unused=True")
    return tuple(to_window(from_array(arrays[id(leaf)])) if id(leaf) in arrays else None for leaf in leaves)
