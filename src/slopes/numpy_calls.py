"""NumPy functions called with tensors: their names in slopes, and their implementation on tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .errors import ShapeError
from .ops import composite

RENAMED = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "power": "pow", "float_power": "pow", "true_divide": "divide", "mod": "remainder",
    "invert": "bitwise_invert", "bitwise_not": "bitwise_invert", "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift", "amax": "max", "amin": "min", "concatenate": "concat", "transpose": "permute_dims",
    "swapaxes": "permute_dims", "cumsum": "cumulative_sum", "dot": "matmul", "inner": "vecdot", "vdot": "vecdot", "ravel": "flatten",
    "norm": "vector_norm", "vstack": "concat", "hstack": "concat", "column_stack": "stack", "array_split": "split", "average": "mean",
    "rint": "round", "around": "round", "nansum": "sum", "diag": "diagonal", "fmax": "maximum", "fmin": "minimum", "select": "where",
}
SAME = frozenset((
    "abs", "acos", "acosh", "add", "all", "allclose", "any", "argmax", "argmin", "argsort", "asin", "asinh", "astype", "atan", "atan2",
    "atanh", "bitwise_and", "bitwise_or", "bitwise_xor", "broadcast_arrays", "broadcast_to", "ceil", "clip", "concat", "cos", "cosh",
    "count_nonzero", "cumulative_sum", "diagonal", "divide", "einsum", "equal", "exp", "expand_dims", "expm1", "eye", "flip", "floor",
    "floor_divide", "full_like", "greater", "greater_equal", "isclose", "isfinite", "isinf", "isnan", "less", "less_equal", "linspace",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul",
    "matrix_transpose", "max", "maximum", "mean", "meshgrid", "min", "minimum", "moveaxis", "multiply", "negative", "nonzero",
    "not_equal", "ones_like", "outer", "pad", "permute_dims", "positive", "pow", "prod", "reciprocal", "remainder", "repeat", "reshape",
    "roll", "round", "searchsorted", "sign", "sin", "sinh", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract",
    "sum", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "tril", "triu", "trunc", "unique", "unstack", "var", "vecdot",
    "where", "zeros_like",
))
WITHOUT_GRADIENT = frozenset((
    "allclose", "argmax", "argmin", "argsort", "array2string", "array_equal", "array_repr", "array_str", "can_cast", "count_nonzero",
    "full_like", "iscomplexobj", "isrealobj", "may_share_memory", "ndim", "nonzero", "ones_like", "result_type", "save", "savetxt",
    "savez", "savez_compressed", "shape", "shares_memory", "size", "zeros_like",
))


def own_name(name: str) -> str | None:
    """The function of slopes that does what NumPy's function of this name does; None if there is none.

    >>> own_name("concatenate"), own_name("tanh"), own_name("fft")
    ('concat', 'tanh', None)
    """
    return RENAMED.get(name) or (name if name in SAME else None)


def own_function(name: str, args: tuple, options: dict[str, Any]) -> Callable[..., Any] | None:
    """The tensor implementation of a NumPy function for these arguments; None if there is none."""
    function = FUNCTIONS.get(name)
    try:
        return function if function is None or inspect.signature(function).bind(*args, **options) else None
    except TypeError:  # an option that slopes lacks, such as out=
        return None


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    return composite.stack(list(arrays), axis)


def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    return composite.concat(list(arrays), axis)


def reduction(name: str) -> Callable[..., Any]:
    def reduced(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return composite.reduce(name, a, axis, keepdims)

    return reduced


def mean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return composite.mean(a, axis, keepdims)


def var(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return composite.var(a, axis, ddof, keepdims)


def std(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return composite.std(a, axis, ddof, keepdims)


def where(condition: Any, x: Any, y: Any) -> Any:
    return composite.where(condition, x, y)


def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    return a.clip(a_min, a_max)


def dot(a: Any, b: Any) -> Any:
    ranks = [getattr(operand, "ndim", 0) for operand in (a, b)]
    if max(ranks) > 2:
        raise ShapeError(f"np.dot: tensors of {ranks[0]} and {ranks[1]} axes", why="beyond matrices dot is no product of matrices",
                         repair="use sl.matmul, which broadcasts stacks of matrices, or sl.tensordot")
    return composite.matmul(a, b) if min(ranks) else a * b


def transpose(a: Any, axes: Sequence[int] | None = None) -> Any:
    return composite.permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else tuple(axes))


def reshape(a: Any, shape: Any) -> Any:
    return a.reshape(shape)


def squeeze(a: Any, axis: Any = None) -> Any:
    return a.squeeze(axis)


def expand_dims(a: Any, axis: int) -> Any:
    return composite.expand_dims(a, axis)


def square(x: Any) -> Any:
    return x * x


def reciprocal(x: Any) -> Any:
    return 1 / x


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: reduction(name) for name in ("sum", "prod", "max", "min", "all", "any")},
    "amax": reduction("max"), "amin": reduction("min"), "clip": clip, "concatenate": concatenate, "dot": dot,
    "expand_dims": expand_dims, "matmul": composite.matmul, "mean": mean, "reciprocal": reciprocal, "reshape": reshape,
    "square": square, "squeeze": squeeze, "stack": stack, "std": std, "transpose": transpose, "var": var, "where": where,
}
