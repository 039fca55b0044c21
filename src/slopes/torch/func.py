"""`torch.vmap` and `torch.func`: functions of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import derivatives
from .sides import on_side, side, to_window

Function = Callable[..., Any]


def transformed(transform: Callable[..., Function], function: Function, *args: Any, **options: Any) -> Function:
    """What a transformation of the core makes of a function of the window's tensors."""
    @functools.wraps(function)
    def on_window_side(*inputs: Any) -> Any:
        with on_side(core=False):
            return function(*to_window(inputs))

    made = transform(on_window_side, *args, **options)

    @functools.wraps(function)
    def call(*inputs: Any) -> Any:
        with on_side(core=True):
            result = made(*inputs)
        return result if side.core else to_window(result)

    return call


def vmap(func: Function, in_dims: Any = 0, out_dims: Any = 0) -> Function:
    """A function of one example, over axes of batches; in slopes: sl.vmap.

    >>> import slopes.torch as torch
    >>> torch.vmap(torch.dot, in_dims=(0, None))(torch.ones(2, 3), torch.arange(3.0))
    tensor([3., 3.])
    """
    return transformed(derivatives.vmap, func, in_dims, out_dims)


def grad(func: Function, argnums: Any = 0) -> Function:
    """The gradient of a function with one number as its result; in slopes: sl.grad.

    >>> import slopes.torch as torch
    >>> torch.func.grad(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    return transformed(derivatives.grad, func, argnums)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.func.{name} is not in slopes.torch, which has grad and vmap; in slopes: sl.vjp, sl.jvp, sl.jacobian, "
                         "sl.hessian and sl.value_and_grad")
