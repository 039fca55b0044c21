"""`torch.nn.Module`, and all layers and losses of the core with PyTorch's tensors inside and outside."""

from __future__ import annotations

from typing import Any, Self

from ... import nn as core
from ...errors import ArgumentError
from ...nn.module import Parameters as CoreParameters
from ...tensor import Tensor as CoreTensor
from ..devices import Device, no_device
from ..sides import lifted, on_side, side, to_window
from ..tensor import Buffer
from . import hooks


class Parameters(CoreParameters):
    """A list of parameters with their paths; `next` gives one after the other."""

    def __next__(self) -> Any:
        self.rest = getattr(self, "rest", None) or iter(self)
        return next(self.rest)


class Module(core.Module):
    """torch.nn.Module: the core's, whose `forward` gets and returns tensors with PyTorch's methods.

    >>> import slopes.torch as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = torch.nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.fc(x.view(-1, 4)).unsqueeze(0)
    >>> Net()(torch.zeros(6, 2, 2)).size()
    (1, 6, 2)
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with on_side(core=False):
            args = hooks.changed_args(self, to_window(args))
            output = super().__call__(*args, **to_window(kwargs))
            return hooks.changed_output(self, args, output)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, to_window(value) if isinstance(value, CoreTensor) else value)

    # Parameters, submodules and state

    def parameters(self, recurse: bool = True) -> Any:
        """The parameters, as a list that is an iterator as well."""
        return Parameters(self.named_parameters(recurse=recurse))

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Any:
        named = to_window(super().named_parameters())
        return [(f"{prefix}.{name}" if prefix else name, parameter) for name, parameter in named if recurse or "." not in name]

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Any:
        named = to_window(super().named_buffers())
        return [(f"{prefix}.{name}" if prefix else name, buffer) for name, buffer in named if recurse or "." not in name]

    def add_module(self, name: str, module: core.Module | None) -> None:
        self.register_module(name, module)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Set an attribute to a buffer with a copy of these values, or None; with persistent=False, to the tensor itself."""
        setattr(self, name, tensor if tensor is None or not persistent else Buffer(tensor.detach()))

    def state_dict(self) -> Any:
        """Copies of all parameters and buffers, as tensors, by name."""
        state = super().state_dict()
        return state if side.core else {name: to_window(CoreTensor(array)) for name, array in state.items()}

    def zero_grad(self, set_to_none: bool = True) -> None:
        with on_side(core=True):
            super().zero_grad()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        with on_side(core=True):
            return super().requires_grad_(requires_grad)

    def to(self, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False) -> Self:
        """Convert to a dtype; the only device is the CPU. Raises ArgumentError for another one."""
        for arg in args:
            device, dtype = (arg, dtype) if isinstance(arg, (str, Device)) else (device, arg)
        Device("cpu" if device is None else device)
        return super().to(dtype=dtype) if dtype is not None else self

    def summary(self, *examples: Any) -> Any:
        with on_side(core=True):
            return super().summary(*examples)

    def cuda(self, device: Any = None) -> Any:
        raise no_device("cuda")

    def register_forward_hook(self, hook: hooks.Hook) -> hooks.Handle:
        """Call hook(module, args, output) after each forward pass; what it returns, unless None, replaces the output.

        A compiled function calls it while it is traced: what it computes is part of the program, what it prints or appends to a list
        is done once. `taps` of sl.compile give the values of each call.
        """
        return hooks.register(self, hooks.AFTER, hook)

    def register_forward_pre_hook(self, hook: hooks.Hook) -> hooks.Handle:
        """Call hook(module, args) before each forward pass; what it returns, unless None, replaces the arguments."""
        return hooks.register(self, hooks.BEFORE, hook)

    def register_full_backward_hook(self, hook: hooks.Hook) -> hooks.Handle:
        raise ArgumentError("register_full_backward_hook: the backward pass calls no hooks", why="it is a graph of operations",
                            repair='look at gradients with sl.compile(taps=["net[0].weight.grad"]), or in .grad after backward()')


class Layer(Module):
    """A layer of the core: its code runs on the core's side."""

    def __init__(self, *args: Any, **options: Any) -> None:
        with on_side(core=True):
            super().__init__(*args, **options)

    def forward(self, *args: Any, **options: Any) -> Any:
        return lifted(super().forward)(*args, **options)


def layer_class(kind: type[core.Module]) -> type:
    """The class of the window for a layer of the core, with its name, arguments and documentation."""
    return type(kind.__name__, (Layer, kind), {"__doc__": kind.__doc__, "__module__": __package__})


class MultiheadAttention(Layer, core.MultiheadAttention):
    """torch.nn.MultiheadAttention: sl.nn.MultiheadAttention, which returns (y, weights), or (y, None) without need_weights.

    >>> import slopes.torch as torch
    >>> x = torch.ones(2, 5, 4)
    >>> y, weights = torch.nn.MultiheadAttention(4, 2, batch_first=True)(x, x, x)
    >>> y.shape, weights.shape
    ((2, 5, 4), (2, 5, 5))
    """

    def forward(self, query: Any, key: Any = None, value: Any = None, key_padding_mask: Any = None, need_weights: bool = True,
                attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False) -> Any:
        result = super().forward(query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
        return result if need_weights else (result, None)


class Sequential(Layer, core.Sequential):
    """torch.nn.Sequential(*layers), or of a dictionary from names to layers."""

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)

    def add_module(self, name: str, module: core.Module | None) -> None:
        """Add a layer at the end, under this name."""
        if module is not None:
            self.layers = {**dict(self.named_children()), name: module}
