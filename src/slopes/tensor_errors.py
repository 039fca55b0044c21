"""The errors of tensors: values that are not known while tracing, gradients that would be lost, shapes and types that do not fit."""

from __future__ import annotations

from types import FrameType

import numpy as np

from .calls import called_function, current_instruction
from .errors import ArgumentError, DTypeError, GradientError, ShapeError, SlopesError, TraceError, default_where, line_text
from .graph.dtype import is_inexact, promote
from .graph.shape import Shape, broadcast_shapes
from .modes import mode
from .numpy_calls import own_name
from .tensor_fields import TensorFields

USES = {
    "bool": ("a Python branch depends on the value of a tensor",
             "use sl.where(condition, a, b), move the branch outside of the compiled function, or return the value"),
    "float": ("a Python number is made of a tensor", "keep it a tensor, or return it and take float(...) outside"),
    "int": ("a Python integer is made of a tensor", "keep it a tensor (it can index others), or make it an int outside"),
    "complex": ("a Python number is made of a tensor", "keep it a tensor, or return it and convert it outside"),
    "item": ("a Python number is made of a tensor", "keep it a tensor, or return it and take item() outside"),
    "tolist": ("Python lists are made of a tensor", "keep it a tensor, or return it and take tolist() outside"),
    "numpy": ("a NumPy array is made of a tensor", "use the function of slopes of that name, or return the tensor"),
    "mask": ("a shape depends on the values of a mask", "use sl.where(mask, x, 0), which keeps the shape, or select outside"),
    "nonzero": ("a shape depends on the values of a tensor", "use sl.where, which keeps the shape, or do this outside"),
}


def value_error(x: TensorFields, use: str) -> TraceError:
    """The error of Python code that needs a value where none is known."""
    kind = f"({x.dtype}{list(x.shape)})"
    built = f"; the tensor was built at {line_text(x._node.location)}" if x._value is None and x._node is not None else ""
    if mode.trace is None or use in ("leak", "assign"):
        return TraceError(f"a tensor {kind} of a compiled function was used after the function had been traced",
                          why="its tensors stand for the values of every later call and have none of their own",
                          repair="return it from the function, assign it to a tensor, or tap it by its path",
                          where=default_where() + built)
    what, repair = USES[use]
    return TraceError(f"{what} {kind}, which is not known while a function is compiled",
                      why="the function runs once to record its graph, and then natively for every value",
                      repair=repair, where=default_where() + built)


def single_error(array: np.ndarray, use: str) -> ShapeError:
    if use == "bool":
        return ShapeError(f"the truth of a tensor of shape {array.shape} is not one answer",
                          why=f"it holds {array.size} elements", repair="say which: sl.any(x) or sl.all(x)")
    return ShapeError(f"{use}: a tensor of shape {array.shape} holds {array.size} elements, not one",
                      repair="reduce it first, or take one element: x[0]; tolist() and numpy() give all")


def check_like(x: TensorFields, value: TensorFields) -> None:
    """A new value or gradient has its tensor's shape and type."""
    if value.shape != x.shape:
        raise ShapeError(f"a value of shape {value.shape} for a tensor of shape {x.shape}", why="a tensor keeps its shape",
                         repair=f"reshape or expand it to {x.shape} first")
    if value.dtype != x.dtype:
        raise DTypeError(f"a value of type {value.dtype} for a tensor of type {x.dtype}", why="a tensor keeps its type",
                         repair=f"cast it first: value.astype(sl.{x.dtype.name})")


def check_part(x: TensorFields, part: Shape, value: TensorFields) -> None:
    """A value for a part of a tensor broadcasts to its shape, and its type is held by that of the tensor."""
    try:
        fits = broadcast_shapes("x[...] = value", [part, value.shape]) == part
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(f"a value of shape {value.shape} for a part of shape {part}", why="the value is broadcast to the part",
                         repair="reshape the value, or choose another part")
    if promote(x.dtype, value.dtype) != x.dtype:
        raise DTypeError(f"a value of type {value.dtype} for a part of a tensor of type {x.dtype}", why="a tensor keeps its type",
                         repair=f"cast it first: value.astype(sl.{x.dtype.name})")


def changed_in_graph(x: TensorFields) -> GradientError:
    return GradientError(f"x[...] = value on a {x._prints_as} of shape {x.shape} would lose a gradient",
                         why="it, or the value, is part of a recorded graph, and the change is not",
                         repair="make a new one: sl.where(mask, value, x) or sl.concat([...]); "
                                "a parameter changes inside of `with sl.no_grad():`")


def cut_off(x: TensorFields, what: str, instead: str) -> GradientError:
    return GradientError(f"{what} would cut off a {x._prints_as} of shape {x.shape} that requires a gradient",
                         why="what is computed with values alone is not recorded: the gradient would be silently lost",
                         repair=f"use {instead}; where no gradient is wanted, x.numpy() or x.detach()")


def check_conversion(x: TensorFields, frame: FrameType) -> None:
    """Python's float(x) is a look at a value; in `math.exp(x)` and `array[0] = x` it would lose a gradient without a word."""
    if current_instruction(frame).operation == "STORE_SUBSCR":
        raise cut_off(x, "array[...] = x", "sl.stack and sl.concat to put tensors together")
    function = called_function(frame)
    home = (getattr(function, "__module__", None) or "").partition(".")[0]
    if home in ("math", "cmath", "numpy") and function.__name__ not in ONLY_LOOKING:
        own = own_name(function.__name__)
        raise cut_off(x, f"{home}.{function.__name__}", f"sl.{own}" if own else "functions of slopes")


ONLY_LOOKING = ("isnan", "isfinite", "isinf", "isclose", "floor", "ceil", "trunc", "float32", "float64")
PAIRS = {"max": ("the largest elements", "sl.argmax(x, axis)"), "min": ("the smallest elements", "sl.argmin(x, axis)"),
         "sort": ("the elements in order", "sl.argsort(x, axis)")}  # in other libraries these return pairs


def check_unpacking(x: TensorFields, frame: FrameType) -> None:
    """`values, indices = sl.max(x, 1)` would take the rows of one result for two results; other numbers of names must fit."""
    operation, names, function = current_instruction(frame)
    if operation != "UNPACK_SEQUENCE":
        return
    if names == 2 and function and function[-1] in PAIRS:
        what, indices = PAIRS[function[-1]]
        raise ArgumentError(f"{function[-1]} returns one tensor, here of shape {x.shape}, not a pair of values and positions",
                            why=f"it holds {what}; unpacking it would give its rows",
                            repair=f"take positions from {indices}; a, b = sl.unstack(...) gives the rows")
    if names != len(x):
        raise ShapeError(f"a tensor of shape {x.shape} does not unpack into {names} names", why=f"its first axis has {len(x)} elements",
                         repair="name as many as there are, or index: x[0], x[1:]")


def numpy_error(x: TensorFields, name: str) -> SlopesError:
    own = own_name(name)
    instead = f"sl.{own}" if own else "functions of slopes"
    if mode.trace is None:
        return cut_off(x, f"np.{name}", instead)
    return TraceError(f"np.{name} is called with a tensor ({x.dtype}{list(x.shape)}), which has no value while a function is compiled",
                      why="NumPy computes with values, and its result would be frozen into the program",
                      repair=f"use {instead}, or call it outside")


def nothing_recorded(x: TensorFields) -> GradientError:
    return GradientError(f"backward on a tensor of shape {x.shape} that was computed from nothing that requires a gradient",
                         why="no operation was recorded",
                         repair="make an input with requires_grad=True, and compute outside of no_grad() and after no detach()")


def gradient_inside(x: TensorFields) -> GradientError:
    return GradientError(f"the gradient of this {x._prints_as} {x.shape} stayed inside of the compiled function that computed it",
                         why="gradients that a compiled function does not return are never stored: their memory is reused within the step",
                         repair="return it from the function (return loss, weight.grad), or tap it by its path")


def in_place_error(x: TensorFields, symbol: str) -> GradientError:
    return GradientError(f"{symbol} on a {x._prints_as} of shape {x.shape} that is to be learned does not change it",
                         why="a tensor never changes in place: the name would stand for a new tensor, and nothing be learned",
                         repair=f"p.assign(p {symbol[:-1]} ...) changes it; an optimizer's step() does so for all parameters")


def check_differentiable(x: TensorFields) -> None:
    """Only floating-point and complex tensors may require a gradient."""
    if not is_inexact(x.dtype):
        raise GradientError(f"a tensor of type {x.dtype} cannot require a gradient", why="only floating-point values change smoothly",
                            repair="make it a float first: x.astype(sl.float32)")
