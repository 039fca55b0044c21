"""Rules for the public functions: each draws a call with arguments for which it has a meaning."""

from __future__ import annotations

from functools import partial

import numpy as np

from .arrays import INTEGERS
from .drawing import Draft, Rule, Value, registered

RULES: dict[str, Rule] = {}

# Public names that no rule covers, and why
EXCLUDED = {
    "e": "a number", "inf": "a number", "nan": "a number", "newaxis": "None", "pi": "a number",
    "empty": "its values are unspecified", "nonzero": "cannot be compiled: its size depends on values",
    "conj": "complex numbers are not compiled", "imag": "complex numbers are not compiled", "real": "complex numbers are not compiled",
    "empty_like": "its values are unspecified", "broadcast_shapes": "no tensors", "can_cast": "no tensors", "finfo": "no tensors",
    "iinfo": "no tensors", "isdtype": "no tensors", "result_type": "no tensors",
    **dict.fromkeys(["unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"],
                    "cannot be compiled: its size depends on values"), "image_kernels": "returns constants, which filter_image uses",
}


rule = partial(registered, RULES)


# ---------------------------------------------------------------------- elementwise
BOUNDED = "(2 * sl.tanh({0}))"
ABOVE = "(sl.abs({0}) + 0.5)"
DOMAINS = {name: text for names, text in {
    ("exp", "expm1", "sinh", "cosh", "tan"): "sl.tanh({0})", ("log", "log2", "log10", "sqrt", "rsqrt", "reciprocal"): ABOVE,
    ("lgamma", "digamma"): ABOVE, ("erfc", "erfinv"): "(0.9 * sl.tanh({0}))",
    ("log1p",): "sl.abs({0})", ("acosh",): "(sl.abs({0}) + 1.5)", ("asin", "acos", "atanh"): "(0.8 * sl.tanh({0}))"}.items()
    for name in names}


def within(draft: Draft, name: str, x: Value) -> str:
    """The argument moved to where the function is defined and smooth; with special numbers it is taken as it is, sometimes."""
    if name not in DOMAINS or (draft.special and draft.chance(0.7)):
        return x.name
    return DOMAINS[name].format(x.name)


@rule("sin", "cos", "atan", "tanh", "asinh", "erf", "square", "celu", "elu", "gelu", "log_sigmoid", "mish", "selu", "sigmoid", "silu",
      "softplus", "softsign", "tanhshrink", "leaky_relu", *DOMAINS)
def smooth(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffffi")
    option = {"gelu": ["", ", 'tanh'"], "elu": ["", ", 0.7"], "celu": ["", ", 0.7"], "softplus": ["", ", 2"],
              "leaky_relu": ["", ", 0.2"]}.get(name, [""])
    return draft.emit(f"sl.{name}({within(draft, name, x)}{draft.pick(option)})", x)


@rule("negative", "positive", "abs", "relu", "stop_gradient")
def selecting(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffi")
    return draft.emit(f"sl.{name}({x.name})", x, exact=True)


@rule("hardtanh", "relu6", "hardsigmoid", "hardswish", "softshrink", "hardshrink", "threshold", "heaviside")
def piecewise(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffi", exact=True)
    option = {"threshold": [", 0.5, -2"], "hardtanh": ["", ", -0.3, 0.8"], "softshrink": ["", ", 0.1"], "heaviside": ["", ", 0.5"]}
    return draft.emit(f"sl.{name}({x.name}{draft.pick(option.get(name, ['']))})", x)


@rule("signbit", "nan_to_num")
def of_floats(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", exact=True)
    return draft.emit(f"sl.{name}({x.name})", x, exact=True)


@rule("copysign", "nextafter", "hypot", "lerp")
def of_two_floats(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", exact=name != "hypot")
    y = beside(draft, x, exact=name != "hypot")
    if name == "hypot":
        return draft.emit(f"sl.hypot({ABOVE.format(x.name)}, {y.name})", x, y)
    return draft.emit(f"sl.{name}({x.name}, {y.name}{', 0.3' if name == 'lerp' else ''})", x, y, exact=name != "lerp")


@rule("floor", "ceil", "trunc", "round", "sign", "round_bfloat16", "isnan", "isinf", "isfinite", "logical_not")
def deciding(draft: Draft, name: str) -> Value | None:
    x = draft.some("b" if name == "logical_not" and draft.chance(0.7) else "ffi", exact=True)
    return draft.emit(f"sl.{name}({x.name})", x, exact=True)


def beside(draft: Draft, x: Value, kinds: str | None = None, exact: bool = False) -> Value:
    """Something that broadcasts with x."""
    def fits(other: Value) -> bool:
        try:
            return np.prod(np.broadcast_shapes(x.shape, other.shape)) <= 2000
        except ValueError:
            return False

    kinds = x.kind if kinds is None else kinds
    shape = tuple(n if draft.chance(0.7) else 1 for n in x.shape)[draft.number(0, x.ndim):]
    return draft.some(kinds, fits, shape if draft.chance(0.8) else x.shape, exact)


def scalar(draft: Draft) -> str:
    return draft.pick(["2", "0.5", "-1", "3", "-0.25"])


@rule("add", "subtract", "multiply", "maximum", "minimum", "divide", "logaddexp", "atan2")
def arithmetic(draft: Draft, name: str) -> Value | None:
    x = draft.some("fffi" if name in ("add", "subtract", "multiply", "maximum", "minimum") else "f")
    if draft.chance(0.15):
        return draft.emit(f"sl.{name}({x.name}, {scalar(draft)})", x, exact=name in ("maximum", "minimum"))
    y = beside(draft, x, "ffi" if x.kind == "f" and draft.chance(0.2) else x.kind)
    below = ABOVE.format(y.name) if name in ("divide", "atan2") and not draft.special else y.name
    return draft.emit(f"sl.{name}({x.name}, {below})", x, y, exact=name in ("maximum", "minimum"))


@rule("pow")
def power(draft: Draft, name: str) -> Value | None:
    x = draft.some("f")
    if draft.chance(0.6):
        exponent = draft.pick(["2", "3", "0.5", "-1", "1", "1.5"])
        return draft.emit(f"sl.pow({ABOVE.format(x.name)}, {exponent})", x)
    y = beside(draft, x)
    return draft.emit(f"sl.pow({ABOVE.format(x.name)}, sl.tanh({y.name}))", x, y)


@rule("floor_divide", "remainder")
def division(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffiu", exact=True)
    y = beside(draft, x, exact=True)
    divisor = y.name if x.kind == "f" and draft.special else f"sl.maximum(sl.abs({y.name}), 1)"
    return draft.emit(f"sl.{name}({x.name}, {divisor})", x, y, exact=True)


@rule("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isclose", "allclose", "logical_and", "logical_or",
      "logical_xor")
def comparison(draft: Draft, name: str) -> Value | None:
    x = draft.some("b" if name.startswith("logical") and draft.chance(0.5) else "ffiu", exact=True)
    y = beside(draft, x, exact=True)
    return draft.emit(f"sl.{name}({x.name}, {y.name})", x, y, exact=True)


@rule("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift")
def bits(draft: Draft, name: str) -> Value | None:
    x = draft.some("iu" if name.endswith("shift") else "iub")
    if name == "bitwise_invert":
        return draft.emit(f"sl.{name}({x.name})", x, exact=True)
    y = draft.some(x.kind, lambda other: other.dtype == x.dtype and other.shape in (x.shape, ()))
    if y.dtype != x.dtype or y.shape not in (x.shape, ()):
        return draft.emit(f"sl.{name}({x.name}, {x.name})" if not name.endswith("shift") else f"sl.{name}({x.name}, 1)", x, exact=True)
    return draft.emit(f"sl.{name}({x.name}, {y.name}{' & 7' if name.endswith('shift') else ''})", x, y, exact=True)


@rule("where")
def where(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffib")
    condition, y = beside(draft, x, "b"), beside(draft, x)
    return draft.emit(f"sl.where({condition.name}, {x.name}, {draft.pick([y.name, y.name, '0'])})", condition, x, y, exact=True)


@rule("clip")
def clip(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffi")
    bounds = draft.pick(["-1, 2", "None, 1", "0", "-2, 3"])
    return draft.emit(f"sl.clip({x.name}, {bounds})", x, exact=True)


@rule("astype")
def astype(draft: Draft, name: str) -> Value | None:
    x = draft.some("fiub")
    dtype = draft.pick(["real", "real", "'float32'", "'float64'", "'bool'", *map(repr, INTEGERS)])
    if dtype in ("real", "'float32'", "'float64'"):
        return draft.emit(f"sl.astype({x.name}, {dtype})", x, exact=x.kind != "f" or dtype != "'float32'")
    x = draft.some("fiub", exact=True)
    inside = f"sl.clip({x.name}, 0, 100)" if x.kind == "f" else x.name  # elsewhere what a float becomes is not specified
    return draft.emit(f"sl.astype({inside}, {dtype})", x, exact=True) if not draft.special or x.kind != "f" else None


# ---------------------------------------------------------------------- reductions
def axis_text(draft: Draft, x: Value, several: bool = True) -> str:
    """An axis, several of them, or None."""
    if not x.ndim or draft.chance(0.25):
        return "None"
    if several and x.ndim > 1 and draft.chance(0.3):
        return str(tuple(sorted(int(axis) for axis in draft.rng.permutation(x.ndim)[:2])))
    return str(draft.number(-x.ndim, x.ndim - 1))


@rule("sum", "mean", "var", "max", "min", "logsumexp", "prod")
def reduction(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffffi")
    options = f", axis={axis_text(draft, x)}, keepdims={draft.chance(0.3)}"
    if name == "var":
        options += draft.pick(["", ", correction=1"])
    inside = f"sl.tanh({x.name})" if name == "prod" and x.kind == "f" else x.name
    return draft.emit(f"sl.{name}({inside}{options})", x, exact=name in ("max", "min") or (name == "sum" and x.kind != "f"))


@rule("std", "vector_norm")
def roots(draft: Draft, name: str) -> Value | None:
    """Away from 0, where their gradients are a matter of convention."""
    x = draft.some("f", lambda value: max(value.shape, default=0) > 1, draft.shape(2, 2))
    axis = draft.pick(["None", str(int(np.argmax(x.shape)))]) if x.ndim else "None"
    options = f", axis={axis}, keepdims={draft.chance(0.3)}"
    if name == "vector_norm":
        options += draft.pick(["", "", ", ord=1", ", ord=float('inf')", ", ord=3"])
    apart = f"({x.name} + sl.arange({int(np.prod(x.shape))}, dtype={x.name}.dtype).reshape({x.shape}))"
    return draft.emit(f"sl.{name}({apart}{options})", x)


@rule("all", "any", "count_nonzero", "argmax", "argmin")
def counting(draft: Draft, name: str) -> Value | None:
    x = draft.some("bbfi" if name in ("all", "any", "count_nonzero") else "ffi", exact=True)
    several = name in ("all", "any", "count_nonzero")
    return draft.emit(f"sl.{name}({x.name}, axis={axis_text(draft, x, several)}, keepdims={draft.chance(0.3)})", x, exact=True)


@rule("cumulative_prod", "diff", "median", "quantile")
def ranges(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", lambda value: value.ndim > 0 and value.shape[-1] > 0, draft.shape(2))
    if not x.ndim or not x.shape[-1]:
        return None
    inside = f"sl.tanh({x.name})" if name == "cumulative_prod" else x.name
    options = {"cumulative_prod": ", axis=-1", "diff": f", axis={axis_of(draft, x)}, n={draft.number(0, 2)}", "median": ", axis=-1",
               "quantile": f", {draft.pick([0.25, [0.0, 0.7]])}, axis=-1"}[name]
    return draft.emit(f"sl.{name}({inside}{options})", x)


@rule("isin")
def membership(draft: Draft, name: str) -> Value | None:
    x, elements = draft.some("fiu", exact=True), draft.some("fiu", exact=True)
    return draft.emit(f"sl.isin({x.name}, {elements.name}.astype({x.name}.dtype))", x, elements, exact=True)


@rule("glu")
def halves(draft: Draft, name: str) -> Value | None:
    x = operand(draft, (draft.number(1, 5), 2 * draft.number(1, 4)))
    return draft.emit(f"sl.{name}({x.name}, {draft.pick([-1, 1])})", x)


@rule("softmax", "softmin", "log_softmax", "cumulative_sum", "sort")
def along(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", lambda value: value.ndim > 0, draft.shape(2))
    if not x.ndim:
        return None
    option = f", descending={draft.chance(0.5)}" if name == "sort" else ""
    return draft.emit(f"sl.{name}({x.name}, axis={draft.number(-x.ndim, x.ndim - 1)}{option})", x, exact=name == "sort")


# ---------------------------------------------------------------------- moving
def any_of(draft: Draft, rank: int = 1) -> Value:
    """A value of any type with so many axes at least."""
    return draft.some("fffiub", lambda value: value.ndim >= rank, draft.shape(max(rank, draft.number(1, 3))))


def square(draft: Draft) -> Value:
    """A value whose last two axes have one size."""
    n = draft.number(1, 5)
    found = draft.some("fiub", lambda value: value.ndim > 1 and value.shape[-1] == value.shape[-2], (2, n, n))
    return found if found.ndim > 1 and found.shape[-1] == found.shape[-2] else draft.fresh((n, n))


def axis_of(draft: Draft, x: Value) -> int:
    return draft.number(-x.ndim, x.ndim - 1)


@rule("reshape", "flatten")
def reshape(draft: Draft, name: str) -> Value | None:
    x = any_of(draft)
    if name == "flatten":
        return draft.emit(f"sl.flatten({x.name}, {draft.number(0, max(0, x.ndim - 1))})", x, exact=True)
    total, shape = int(np.prod(x.shape)), []
    for factor in (2, 3, 2, 5, 3, 7):
        if total and total % factor == 0 and draft.chance(0.5):
            shape.append(factor)
            total //= factor
    shape.append(draft.pick([total, -1]) if total else 0)
    return draft.emit(f"sl.reshape({x.name}, {tuple(int(n) for n in draft.rng.permutation(shape))})", x, exact=True)


@rule("permute_dims", "moveaxis", "expand_dims", "squeeze", "flip", "roll", "tile", "repeat", "matrix_transpose", "diagonal")
def moving(draft: Draft, name: str) -> Value | None:
    x = square(draft) if name == "diagonal" else any_of(draft, 2 if name == "matrix_transpose" else 1)
    if not x.ndim:
        return None
    axis = axis_of(draft, x)
    options = {
        "permute_dims": str(tuple(int(each) for each in draft.rng.permutation(x.ndim))), "moveaxis": f"{axis}, {axis_of(draft, x)}",
        "expand_dims": str(axis), "squeeze": "None", "flip": str(draft.pick([axis, None])), "roll": f"{draft.number(-3, 3)}, {axis}",
        "tile": str(tuple(draft.number(1, 2) for _ in x.shape)), "repeat": f"{draft.number(0, 3)}, {axis}", "matrix_transpose": "",
        "diagonal": ""}[name]
    return draft.emit(f"sl.{name}({x.name}{', ' if options else ''}{options})", x, exact=True)


@rule("concat", "stack")
def joining(draft: Draft, name: str) -> Value | None:
    x = any_of(draft)
    y = draft.some(x.kind, lambda other: other.shape == x.shape and other.dtype == x.dtype)
    y = y if y.shape == x.shape and y.dtype == x.dtype else x
    parts = draft.pick([f"[{x.name}, {y.name}]", f"[{y.name}, {x.name}, {y.name}]", f"[{x.name}]"])
    if name == "concat" and x.ndim and draft.chance(0.4):
        parts = f"[{x.name}, {y.name}[:{draft.number(0, 2)}]]"
        return draft.emit(f"sl.concat({parts}, axis=0)", x, y, exact=True)
    return draft.emit(f"sl.{name}({parts}, axis={axis_of(draft, x) if x.ndim else 0})", x, y, exact=True)


@rule("unstack", "split", "broadcast_arrays", "meshgrid", "broadcast_to", "pad")
def cutting(draft: Draft, name: str) -> Value | None:
    x = any_of(draft)
    if name == "broadcast_to":
        shape = (draft.number(1, 3), *(draft.number(2, 4) if n == 1 else n for n in x.shape))
        return draft.emit(f"sl.broadcast_to({x.name}, {shape})", x, exact=True)
    if name == "pad":
        widths = tuple((draft.number(0, 2), draft.number(0, 2)) for _ in x.shape)
        value = draft.pick(["", ", 1"]) if x.kind != "b" else ""
        return draft.emit(f"sl.pad({x.name}, {widths}{value})", x, exact=True)
    if name in ("broadcast_arrays", "meshgrid"):
        x, y = (draft.some("f", lambda value: value.ndim == 1, draft.shape(1)) for _ in range(2))
        y = y if name == "meshgrid" else beside(draft, x)
        return draft.emit(f"sl.{name}({x.name}, {y.name})[{draft.number(0, 1)}]", x, y, exact=True)
    if not x.ndim:
        return None
    axis = axis_of(draft, x)
    n = x.shape[axis]
    if name == "unstack":
        return draft.emit(f"sl.unstack({x.name}, {axis})[{draft.number(0, n - 1)}]", x, exact=True) if n else None
    first = draft.number(0, n)
    return draft.emit(f"sl.split({x.name}, [{first}, {n - first}], {axis})[{draft.number(0, 1)}]", x, exact=True)


@rule("tril", "triu")
def triangle(draft: Draft, name: str) -> Value | None:
    x = any_of(draft, 2)
    return draft.emit(f"sl.{name}({x.name}, {draft.number(-2, 2)})", x, exact=True)


# ---------------------------------------------------------------------- creation
@rule("arange", "linspace", "eye", "full", "ones", "zeros", "full_like", "ones_like", "zeros_like", "tensor", "asarray")
def creation(draft: Draft, name: str) -> Value | None:
    x, n = any_of(draft, 0), draft.pick([0, 1, 2, 5, 8, 13])
    options = {
        "arange": f"{n}, dtype={draft.pick(['real', repr('int64'), repr('int8')])}", "linspace": f"-1., 2., {n}, dtype=real",
        "eye": f"{n}, {draft.pick([2, 5])}, {draft.number(-1, 1)}, dtype=real", "full": f"{draft.shape(2)}, 0.5, dtype=real",
        "ones": f"{draft.shape(2)}, dtype=real", "zeros": f"{draft.shape(1)}, dtype=real", "full_like": f"{x.name}, 2",
        "ones_like": x.name, "zeros_like": x.name, "tensor": f"{list(range(n))}, dtype=real", "asarray": x.name}[name]
    return draft.emit(f"sl.{name}({options})", x, exact=name != "linspace")


# ---------------------------------------------------------------------- searching
def indices(draft: Draft, shape: tuple[int, ...], below: int) -> Value:
    """An input of whole numbers below a limit."""
    dtype = draft.pick(["int64", "int32", "uint8"])
    return draft.given(f"np.random.default_rng({draft.number(0, 10**6)}).integers(0, {max(1, below)}, {shape}).astype('{dtype}')")


@rule("take", "take_along_axis")
def take(draft: Draft, name: str) -> Value | None:
    x = any_of(draft)
    if not x.ndim:
        return None
    axis = axis_of(draft, x)
    if name == "take":
        places = indices(draft, draft.shape(draft.number(0, 2)), x.shape[axis])
    else:
        at = axis % x.ndim
        places = indices(draft, (*x.shape[:at], draft.pick([0, 1, 4]), *x.shape[at + 1:]), x.shape[axis])
    return draft.emit(f"sl.{name}({x.name}, {places.name}, axis={axis})", x, exact=True)


@rule("add_along_axis", "put_along_axis")
def change_along_axis(draft: Draft, name: str) -> Value | None:
    x = draft.some("f")
    if not x.ndim:
        return None
    axis = axis_of(draft, x)
    at = axis % x.ndim
    positions = indices(draft, (*x.shape[:at], draft.pick([1, 4]), *x.shape[at + 1:]), x.shape[axis])
    return draft.emit(f"sl.{name}({x.name}, {positions.name}, sl.ones({positions.shape}, dtype={x.name}.dtype), axis={axis})", x)


@rule("diag")
def diagonal_matrices(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffi", lambda value: value.ndim in (1, 2))
    return draft.emit(f"sl.diag({x.name}, {draft.pick([-1, 0, 1])})", x, exact=True)


@rule("one_hot")
def one_hot(draft: Draft, name: str) -> Value | None:
    places = indices(draft, draft.shape(draft.number(0, 2)), 5)
    return draft.emit(f"sl.one_hot({places.name}, 5, dtype=real)", places, exact=True)


@rule("argsort", "top_k", "searchsorted")
def ordering(draft: Draft, name: str) -> Value | None:
    x = draft.some("ffi", lambda value: value.ndim > 0, draft.shape(2), exact=True)
    if not x.ndim:
        return None
    axis = axis_of(draft, x)
    if name == "argsort":
        return draft.emit(f"sl.argsort({x.name}, axis={axis}, descending={draft.chance(0.5)})", x, exact=True)
    if name == "top_k":
        k = draft.number(0, x.shape[axis])
        return draft.emit(f"sl.top_k({x.name}, {k}, axis={axis}, largest={draft.chance(0.5)})[{draft.number(0, 1)}]", x, exact=True)
    return draft.emit(f"sl.searchsorted(sl.sort({x.name}.reshape((-1,))), {x.name}, side={draft.pick(['left', 'right'])!r})", x, exact=True)


# ---------------------------------------------------------------------- products
def matrix(draft: Draft, *shape: int) -> Value:
    """A value of this very shape."""
    return draft.some("f", lambda value: value.shape == shape and value.dtype == np.dtype(draft.real), tuple(shape))


def operand(draft: Draft, shape: tuple[int, ...]) -> Value:
    found = matrix(draft, *shape)
    return found if found.shape == shape else draft.fresh(shape)


@rule("matmul")
def matmul(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", lambda value: 0 < value.ndim < 4, (draft.length(), draft.length()))
    if not x.ndim:
        return None
    last, width = x.shape[-1], draft.length()
    shapes = [(last, width), (last,)] + ([(1, last, width), (x.shape[0], last, width)] if x.ndim == 3 else [])
    y = operand(draft, draft.pick(shapes))
    return draft.emit(f"sl.matmul({x.name}, {y.name})", x, y)


@rule("tensordot", "vecdot", "outer")
def product(draft: Draft, name: str) -> Value | None:
    n, m, k = (draft.length() for _ in range(3))
    shapes = {"tensordot": ((n, k), (k, m)), "vecdot": ((n, k), (n, k)), "outer": ((n,), (m,))}[name]
    x, y = (operand(draft, shape) for shape in shapes)
    return draft.emit(f"sl.{name}({x.name}, {y.name}{', 1' if name == 'tensordot' else ''})", x, y)


PATTERNS = (("ij,jk->ik", 2), ("ij,kj->ki", 2), ("bij,bjk->bik", 2), ("ij->ji", 1), ("ii->i", 1), ("ij->", 1), ("i,j->ij", 2),
            ("bhid,bhjd->bhij", 2), ("ij,jk,kl->il", 3), ("ij,ij->i", 2), ("abc,cd,ad->bd", 3), ("iij->j", 1))


@rule("einsum")
def einsum(draft: Draft, name: str) -> Value | None:
    pattern, _ = draft.pick(PATTERNS)
    length = {letter: draft.pick([1, 2, 3, 5, 7, 9, 17]) for letter in "abcdhijkl"}
    args = [operand(draft, tuple(length[letter] for letter in part)) for part in pattern.split("->")[0].split(",")]
    return draft.emit(f"sl.einsum({pattern!r}, {', '.join(arg.name for arg in args)})", *args)


# ---------------------------------------------------------------------- windows
class Windows:
    """Sizes of a convolution or pooling over some axes, of which windows may reach into the padding, skip elements or hold only one."""

    def __init__(self, draft: Draft, axes: int) -> None:
        self.size = tuple(draft.number(1, 5 if axes < 3 else 3) for _ in range(axes))
        self.stride = tuple(draft.pick([1, 1, 2, 3, 4] if axes < 3 else [1, 2]) for _ in range(axes))
        self.padding = tuple(draft.pick([0, 0, 1, 2, 3] if axes < 3 else [0, 1]) for _ in range(axes))
        self.dilation = tuple(draft.pick([1, 1, 2, 3] if axes < 3 else [1, 1, 2]) for _ in range(axes))
        reach = [1 + (size - 1) * step - 2 * pad for size, step, pad in zip(self.size, self.dilation, self.padding)]
        self.lengths = tuple(max(1, least) + draft.number(0, {1: 20, 2: 8, 3: 3}[axes]) for least in reach)
        self.groups = draft.pick([1, 1, 1, 2, 3])
        self.batch = draft.pick([1, 2, 3])
        self.channels = self.groups * draft.number(1, 3)
        self.outputs = self.groups * draft.number(1, 4)

    def x(self, draft: Draft) -> Value:
        return operand(draft, (self.batch, self.channels, *self.lengths))

    def sides(self, draft: Draft) -> tuple:
        """The padding, sometimes another one behind than before."""
        return tuple((p, draft.number(0, 3)) for p in self.padding) if draft.chance(0.3) else self.padding


def convolving(draft: Draft, axes: int) -> Value | None:
    w = Windows(draft, axes)
    x, weight = w.x(draft), operand(draft, (w.outputs, w.channels // w.groups, *w.size))
    bias = operand(draft, (w.outputs,)).name if draft.chance(0.5) else "None"
    padding = "'same'" if w.stride == (1,) * axes and draft.chance(0.4) else w.sides(draft)
    return draft.emit(f"sl.conv{axes}d({x.name}, {weight.name}, {bias}, {w.stride}, {padding}, {w.dilation}, {w.groups})", x, weight)


def transposed(draft: Draft, axes: int) -> Value | None:
    w = Windows(draft, axes)
    x, weight = w.x(draft), operand(draft, (w.channels, w.outputs // w.groups, *w.size))
    extra = tuple(draft.number(0, step - 1) for step in w.stride)
    options = f"{w.stride}, {w.padding}, {extra}, {w.groups}, {w.dilation}"
    return draft.emit(f"sl.conv_transpose{axes}d({x.name}, {weight.name}, None, {options})", x, weight)


def pooling(draft: Draft, axes: int, name: str) -> Value | None:
    w = Windows(draft, axes)
    x = w.x(draft)
    padding = tuple(min(p, size // 2) for p, size in zip(w.padding, w.size))
    ceil = draft.chance(0.3)
    last = f"{w.dilation}, {ceil}" if name.startswith("max") else f"{ceil}, {draft.chance(0.5)}"
    return draft.emit(f"sl.{name}({x.name}, {w.size}, {draft.pick([w.stride, None])}, {padding}, {last})", x, exact=name.startswith("max"))


@rule(*(f"{name}{axes}d" for name in ("conv", "conv_transpose", "max_pool", "avg_pool") for axes in (1, 2, 3)))
def windows(draft: Draft, name: str) -> Value | None:
    axes = int(name[-2])
    if name.startswith("conv_transpose"):
        return transposed(draft, axes)
    return convolving(draft, axes) if name.startswith("conv") else pooling(draft, axes, name)


@rule("interpolate")
def interpolate(draft: Draft, name: str) -> Value | None:
    x = operand(draft, (draft.number(1, 2), draft.number(1, 3), draft.number(1, 6), draft.number(1, 6)))
    mode = draft.pick(["", ", mode='nearest-exact'", ", mode='bilinear', align_corners=True", ", mode='bicubic'"])
    return draft.emit(f"sl.interpolate({x.name}, {draft.pick(['5', '(3, 8)', 'None, 2', 'None, (1.5, 3)'])}{mode})", x)


@rule("filter_image")
def filter_image(draft: Draft, name: str) -> Value | None:
    x = operand(draft, (*draft.shape(draft.number(0, 1)), draft.number(3, 8), draft.number(3, 9)))
    kernel = draft.pick(["'sharpen'", "'gauss'", "'sobel x'", operand(draft, (2, 3)).name])
    return draft.emit(f"sl.filter_image({x.name}, {kernel}, {draft.pick(['0', repr('same')])})", x)


@rule("scaled_dot_product_attention")
def attention(draft: Draft, name: str) -> Value | None:
    heads, length, keys, width = draft.pick([(), (2,), (2, 3)]), draft.number(1, 17), draft.number(1, 17), draft.number(1, 9)
    query, key = operand(draft, (*heads, length, width)), operand(draft, (*heads, keys, width))
    value = operand(draft, (*heads, keys, draft.number(1, 4)))
    option = draft.pick(["", "", ", is_causal=True", ", scale=0.3"])
    if draft.chance(0.3):
        mask = draft.fresh((length, keys), "b")
        option += f", attn_mask={mask.name}"
    return draft.emit(f"sl.{name}({query.name}, {key.name}, {value.name}{option})", query, key, value)


# ---------------------------------------------------------------------- random numbers
@rule("uniform", "normal", "bernoulli", "integers", "permutation")
def random(draft: Draft, name: str) -> Value | None:
    if draft.batched or draft.nested:
        return None
    options = {"uniform": f"{draft.shape(2)}, dtype=real", "normal": f"{draft.shape(2)}, dtype=real", "bernoulli": f"0.3, {draft.shape(2)}",
               "integers": f"-3, 9, {draft.shape(1)}", "permutation": str(draft.number(1, 20))}[name]
    return draft.emit(f"sl.{name}({options})", exact=name not in ("uniform", "normal"))


# ---------------------------------------------------------------------- loops
ROWS = ("sl.tanh({0} @ {1})", "sl.softmax({0}, -1)", "{0} * {0}", "({0} * {1}[0, :1]).sum(axis=-1, keepdims=True)", "sl.relu({0})",
        "sl.sin({0}) + {1}[0, 0]", "{0}[:, ::-1]", "sl.cumulative_sum({0}, axis=1)")


@rule("in_parts")
def in_parts(draft: Draft, name: str) -> Value | None:
    n = draft.number(1, 9)
    x, w = operand(draft, (draft.number(1, 17), n)), operand(draft, (n, n))
    function = draft.new_name()
    lines = [f"    r = {draft.pick(ROWS).format('r', w.name)}" for _ in range(draft.number(1, 3))]
    before = "\n".join([f"def {function}(r):", *lines, "    return r", ""])
    return draft.emit(f"sl.in_parts({function}, {x.name}, {draft.number(1, 4)})", x, w, before=before)


STEPS = ("sl.tanh(s + e)", "sl.tanh(s @ {0}) + e", "0.5 * s + sl.sin(e @ {0})", "s * sl.sigmoid(e)", "sl.maximum(s, e)",
         "sl.where(e > 0, s, e)", "sl.softmax(s + e, -1)", "s[..., ::-1] + e")
OUTPUTS = ("s", "s * e", "(s * s).sum(axis=-1)", "e @ {0}", "sl.exp(-s * s)", "sl.max(s, axis=-1)", "s.astype('bool')")


@rule("scan")
def scan(draft: Draft, name: str) -> Value | None:
    n, shape = draft.number(1, 9), draft.pick([(), (2,), (3,)])
    start, xs = operand(draft, (*shape, n)), operand(draft, (draft.number(1, 7), *shape, n))
    w, function = operand(draft, (n, n)), draft.new_name()
    lines = [f"    s = {draft.pick(STEPS).format(w.name)}" for _ in range(draft.number(1, 2))]
    output = draft.pick(OUTPUTS[:-1]).format(w.name)
    before = "\n".join([f"def {function}(s, e):", *lines, f"    return s, {output}", ""])
    return draft.emit(f"sl.scan({function}, {start.name}, {xs.name}, reverse={draft.chance(0.3)})[{draft.number(0, 1)}]",
                      start, xs, w, before=before)


# ---------------------------------------------------------------------- methods and indexing
INDICES = ("[0]", "[-1]", "[1:]", "[::-1]", "[..., 0]", "[None]", "[..., ::2]", "[..., 1:, None]", "[:0]", "[::-2]", "[..., -2:]")


@rule("indexing")
def indexing(draft: Draft, name: str) -> Value | None:
    x = any_of(draft)
    if any(n == 0 for n in x.shape) or not x.ndim:
        return None
    if draft.chance(0.3):
        places = indices(draft, draft.shape(1), x.shape[0])
        return draft.emit(f"{x.name}[{places.name}]", x, exact=True)
    return draft.emit(f"{x.name}{draft.pick(INDICES)}", x, exact=True)
