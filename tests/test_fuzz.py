"""Random graphs compiled = evaluated one operation at a time: fusion, views, schedules, memory in mixtures nobody wrote down."""

from __future__ import annotations

import itertools
from math import prod

import numpy as np
import pytest
from native_graphs import compile_nodes, same_bits

from slopes.graph.build import build, constant, variable
from slopes.graph.dtype import bool_, float32, float64, int8, int32, int64, uint8, uint32
from slopes.graph.node import Node
from slopes.graph.text import text
from slopes.graph.walk import topological
from slopes.loops.index import Axis, Index, Quotient, Remainder, as_index
from slopes.machine.reference import evaluate
from slopes.ops import composite as c

DTYPES = (float32, float32, float32, float64, float64, int32, int64, int8, uint8, uint32, bool_)
SIZES = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33)
LIMIT = 3000  # elements of a value
SMOOTH = ("tanh", "sin", "cos", "sigmoid", "relu", "abs", "negative", "floor", "sign", "atan", "asinh")
UNARY = {"f": SMOOTH, "i": ("negative", "abs", "bitwise_invert", "sign"), "u": ("bitwise_invert",), "b": ("bitwise_invert",)}
BINARY = {"f": ("add", "subtract", "multiply", "maximum", "minimum"), "i": ("add", "subtract", "multiply", "maximum", "bitwise_xor"),
          "u": ("add", "multiply", "bitwise_and", "minimum"), "b": ("bitwise_and", "bitwise_or", "bitwise_xor")}
ROUNDED = ("tanh", "sin", "cos", "atan", "asinh", "exp", "log", "log1p", "expm1", "divide", "sum", "contract", "unwindow", "scatter_add",
           "put_along_axis", "cumulative_sum")  # floats may come out a little different: in another order, by another polynomial
JUMPS = ("floor", "sign")  # a little difference can become a large one
COMPARE = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


class Graphs:
    """Draws graphs: every value drawn so far may be an argument of the next."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.env: dict[Node, np.ndarray] = {}
        self.values: list[Node] = []
        self._rounded: dict[Node, bool] = {}

    # ------------------------------------------------------------------ choices
    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def some(self, test=lambda node: True) -> Node:
        fitting = [node for node in self.values if test(node)]
        return self.pick(fitting[-12:]) if fitting else self.leaf()

    def exact(self, test=lambda node: True) -> Node:
        """A value that must come out the same bit by bit, so that it may decide."""
        return self.some(lambda node: test(node) and not self.rounded(node))

    def rounded(self, node: Node) -> bool:
        for each in topological([node], stop=lambda each: each in self._rounded):
            if each not in self._rounded:
                itself = each.op.name in ROUNDED and each.dtype.kind == "f"
                self._rounded[each] = itself or any(self._rounded[arg] for arg in each.args)
        return self._rounded[node]

    def shape(self, rank: int) -> tuple[int, ...]:
        found = tuple(self.pick(SIZES) for _ in range(rank))
        return found if prod(found) <= LIMIT else self.shape(rank)

    # ------------------------------------------------------------------ leaves
    def leaf(self, shape=None, dtype=None) -> Node:
        dtype = self.pick(DTYPES) if dtype is None else dtype
        shape = self.shape(int(self.rng.integers(0, 4))) if shape is None else shape
        array = self.array(shape, dtype)
        if self.rng.random() < 0.15:
            node = constant(array)
        else:
            node = variable(shape, dtype)
            self.env[node] = array
        self.values.append(node)
        return node

    def array(self, shape, dtype) -> np.ndarray:
        if dtype.kind == "f":
            return np.round(self.rng.normal(size=shape), 2).astype(dtype)
        if dtype.kind == "b":
            return self.rng.integers(0, 2, shape).astype(dtype)
        return self.rng.integers(-3 if dtype.kind == "i" else 0, 5, shape).astype(dtype)

    def indices(self, shape, below) -> Node:
        node = variable(shape, int64)
        self.env[node] = self.rng.integers(0, max(1, below), shape)
        if self.rng.random() < 0.3 and shape:  # an index that is computed, and stays inside
            return build("minimum", build("abs", build("add", node, constant(1, int64))), constant(below - 1, int64))
        return node

    # ------------------------------------------------------------------ operations
    def step(self) -> Node:
        made = getattr(self, self.pick(("unary", "unary", "binary", "binary", "binary", "compare", "where", "cast", "move", "move", "move",
                                        "join", "window", "reduce", "reduce", "contract", "take", "scatter", "order", "composed")))()
        if prod(made.shape) <= LIMIT:
            self.values.append(made)
        return made

    def unary(self) -> Node:
        x = self.some()
        name = self.pick(UNARY[x.dtype.kind])
        if name in JUMPS and self.rounded(x):
            name = "abs"
        return getattr(c, name)(x) if name in ("sigmoid", "relu") else build(name, x)

    def beside(self, x: Node) -> Node:
        """Something that broadcasts with x, and may decide if x may."""
        rough = self.rounded(x)
        fitting = [node for node in self.values if (node.shape == x.shape or not node.shape) and (rough or not self.rounded(node))]
        if fitting and self.rng.random() < 0.7:
            return self.pick(fitting)
        shape = tuple(n if self.rng.random() < 0.7 else 1 for n in x.shape)[int(self.rng.integers(0, x.ndim + 1)):]
        return self.leaf(shape, x.dtype)

    def like(self, x: Node) -> Node:
        """Something of the type of x that broadcasts with it."""
        y = self.beside(x)
        return build("cast", y, dtype=x.dtype) if x.dtype.kind == "f" or y.dtype.kind == x.dtype.kind else self.leaf(x.shape, x.dtype)

    def binary(self) -> Node:
        x = self.some()
        y = self.beside(x)
        if ("b" in (x.dtype.kind, y.dtype.kind) and x.dtype != y.dtype) or {x.dtype.kind, y.dtype.kind} == {"i", "u"}:
            y = self.leaf(x.shape, x.dtype)
        kind = "f" if "f" in (x.dtype.kind, y.dtype.kind) else x.dtype.kind
        return build(self.pick(BINARY[kind]), x, y)

    def compare(self) -> Node:
        x = self.exact()
        return build(self.pick(COMPARE), x, self.like(x))

    def where(self) -> Node:
        x = self.some()
        return build("where", self.leaf(x.shape, bool_), x, self.like(x))

    def cast(self) -> Node:
        dtype = self.pick(DTYPES)
        x = self.some() if dtype.kind == "f" else self.exact()
        if x.dtype.kind == "f" and dtype.kind in "iu":  # what a float outside of the type becomes is not specified
            x = build("minimum", build("abs", build("where", build("isfinite", x), x, constant(0, x.dtype))), constant(100, x.dtype))
        return build("cast", x, dtype=dtype)

    def move(self) -> Node:
        x = self.some(lambda node: node.ndim)
        if not x.ndim:
            return build("expand", x, shape=self.shape(2))
        kind = self.pick(("reshape", "permute", "expand", "pad", "slice", "slice"))
        if kind == "reshape":
            return build("reshape", x, shape=self.factors(x.size) if x.size else (0, 3))
        if kind == "permute":
            return build("permute", x, axes=tuple(int(axis) for axis in self.rng.permutation(x.ndim)))
        if kind == "expand":
            shape = (self.pick((1, 2, 3)), *(self.pick((2, 5)) if n == 1 else n for n in x.shape))
            return build("expand", x, shape=shape)
        if kind == "pad":
            widths = tuple((int(self.rng.integers(0, 3)), int(self.rng.integers(0, 3))) for _ in x.shape)
            return build("pad", x, widths=widths, value=self.pick((0, 1)))
        return self.slice(x)

    def slice(self, x: Node) -> Node:
        start, stop, step = [], [], []
        for n in x.shape:
            s = self.pick((1, 1, 2, 3, -1, -2))
            a, b = sorted(int(self.rng.integers(0, n + 1)) for _ in range(2))
            a, b = (0, n) if self.rng.random() < 0.3 else (a, b)
            if not n:
                a, b, s = 0, 0, 1
            start.append(a if s > 0 else max(b - 1, 0))
            stop.append(b if s > 0 else (a - 1 if b > a else max(b - 1, 0)))
            step.append(s)
        return build("slice", x, start=tuple(start), stop=tuple(stop), step=tuple(step))

    def factors(self, total: int) -> tuple[int, ...]:
        found = []
        for factor in (2, 3, 2, 5, 3, 7):
            if total % factor == 0 and self.rng.random() < 0.5:
                found.append(factor)
                total //= factor
        found.append(total)
        return tuple(int(n) for n in self.rng.permutation(found))

    def join(self) -> Node:
        x = self.some(lambda node: node.ndim)
        if not x.ndim:
            return x
        axis = int(self.rng.integers(x.ndim))
        other = self.leaf((*x.shape[:axis], self.pick((0, 1, 3)), *x.shape[axis + 1:]), x.dtype)
        return build("concat", *(x, other, x)[: self.pick((2, 3))], axis=axis)

    def window(self) -> Node:
        x = self.some(lambda node: node.ndim and max(node.shape) > 1)
        axes = tuple(axis for axis, n in enumerate(x.shape) if n > 1)[:2]
        if not axes:
            return x
        size = tuple(self.pick((1, 2, min(3, x.shape[axis]))) for axis in axes)
        stride = tuple(self.pick((1, 1, 2, 3)) for _ in axes)
        dilation = tuple(self.pick((1, 2)) if 2 * (k - 1) < x.shape[axis] else 1 for axis, k in zip(axes, size))
        params = {"axes": axes, "size": size, "stride": stride, "dilation": dilation}
        windows = build("window", x, **params)
        if windows.size > LIMIT or self.rng.random() < 0.4 or x.dtype == bool_:
            return windows
        if self.rng.random() < 0.5:
            windows = build("multiply", windows, self.leaf(windows.shape, windows.dtype))
        return build("unwindow", windows, **params, lengths=tuple(x.shape[axis] for axis in axes))

    def reduce(self) -> Node:
        x = self.some()
        axes = tuple(axis for axis in range(x.ndim) if self.rng.random() < 0.6)
        empty = any(x.shape[axis] == 0 for axis in axes)
        if x.dtype == bool_:
            return build(self.pick(("any", "all")), x, axes=axes)
        if x.ndim and self.rng.random() < 0.25:
            axis = int(self.rng.integers(x.ndim))
            if self.rng.random() < 0.5:
                return build("cumulative_sum", x, axis=axis)
            if x.shape[axis] and not self.rounded(x):
                return build(self.pick(("argmax", "argmin")), x, axis=axis)
        return build("sum" if empty else self.pick(("sum", "sum", "max", "min")), x, axes=axes)

    def contract(self) -> Node:
        dtype = self.pick((float32, float32, float64, int32))
        labels = list(range(5))
        sizes = {label: self.pick((1, 2, 3, 5, 8, 17, 31)) for label in labels}
        self.rng.shuffle(labels)
        batch, rows, columns, summed = (labels[0:1], labels[1:2], labels[2:3], labels[3:4 + int(self.rng.integers(2))])
        batch = batch if self.rng.random() < 0.4 else []
        a_axes, b_axes, out = (self.shuffled(each) for each in (batch + rows + summed, batch + columns + summed, batch + rows + columns))
        a, b = (self.operand(tuple(sizes[label] for label in axes), dtype) for axes in (a_axes, b_axes))
        return build("contract", a, b, a_axes=a_axes, b_axes=b_axes, out_axes=out)

    def shuffled(self, labels):
        return tuple(int(label) for label in self.rng.permutation(labels))

    def operand(self, shape, dtype) -> Node:
        """A leaf of this shape, or something computed."""
        x = self.leaf(shape, dtype)
        kind = self.pick(("plain", "plain", "scaled", "padded", "gathered", "masked"))
        if kind == "scaled":
            return build("multiply", x, self.leaf((), dtype))
        if kind == "padded" and shape[0] > 1:
            inside = self.leaf((shape[0] - 1, *shape[1:]), dtype)
            return build("pad", inside, widths=((0, 1), *((0, 0),) * (len(shape) - 1)), value=0)
        if kind == "gathered":
            return build("take", self.leaf((4, *shape[1:]), dtype), self.indices(shape[:1], 4), axis=0)
        if kind == "masked":
            return build("where", self.leaf(shape, bool_), x, constant(0, dtype))
        return x

    def take(self) -> Node:
        x = self.some(lambda node: node.ndim and node.size)
        if not x.ndim or not x.size:
            return x
        axis = int(self.rng.integers(x.ndim))
        if self.rng.random() < 0.5:
            return build("take", x, self.indices(self.shape(int(self.rng.integers(0, 3))), x.shape[axis]), axis=axis)
        shape = (*x.shape[:axis], self.pick((0, 1, 4)), *x.shape[axis + 1:])
        return build("take_along_axis", x, self.indices(shape, x.shape[axis]), axis=axis)

    def scatter(self) -> Node:
        x = self.some(lambda node: node.ndim and node.dtype != bool_)
        if not x.ndim or x.dtype == bool_:
            return x
        axis, size = int(self.rng.integers(x.ndim)), self.pick((1, 3, 7))
        if self.rng.random() < 0.5:
            return build("scatter_add", self.indices(x.shape[axis:axis + 1], size), x, axis=axis, size=size)
        return build("put_along_axis", self.indices(x.shape, size), x, axis=axis, size=size)

    def order(self) -> Node:
        x = self.exact(lambda node: node.ndim)
        if not x.ndim:
            return x
        axis, descending = int(self.rng.integers(x.ndim)), bool(self.rng.integers(2))
        found = build("argsort", x, axis=axis, descending=descending)
        return found if self.rng.random() < 0.4 else build("take_along_axis", x, found, axis=axis)

    def composed(self) -> Node:
        x = self.some(lambda node: node.dtype.kind == "f" and node.ndim and node.size)
        if x.dtype.kind != "f" or not x.ndim or not x.size:
            return x
        return self.pick((c.softmax, c.log_softmax, c.logsumexp, c.mean))(x, x.ndim - 1)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return False
    if expected.dtype.kind != "f":
        return bool((found == expected).all())
    scale = max(1.0, float(np.max(np.abs(expected[np.isfinite(expected)]), initial=0)))
    return bool(np.allclose(found, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


@pytest.mark.parametrize("block", range(8))
def test_random_graphs_compile_to_what_they_mean(block):
    for seed in range(12 * block, 12 * block + 12):
        check(seed)


def draw(seed: int) -> tuple[Graphs, list[Node]]:
    graphs = Graphs(seed)
    made = [graphs.step() for _ in range(int(graphs.rng.integers(3, 14)))]
    roots = [node for node in dict.fromkeys(made) if prod(node.shape) <= LIMIT]
    chosen = [node for node in roots if graphs.rng.random() < 0.4] or roots[-1:]
    return graphs, chosen or [graphs.leaf()]


def check(seed: int) -> None:
    graphs, roots = draw(seed)
    with np.errstate(all="ignore"):
        expected = evaluate(roots, graphs.env)
    program = compile_nodes(roots, poison=True)
    found = program.run(graphs.env)
    tolerance = 2e-4 if any(node.dtype == float32 for node in topological(roots)) else 1e-9
    wrong = [i for i, (x, y) in enumerate(zip(found, expected)) if not close(x, y, tolerance)]
    assert not wrong, f"seed {seed}: results {wrong} of\n{text(roots)}"
    assert same_bits(program.run(graphs.env, threads=3), found), f"seed {seed}: other bits with three threads"


def test_index_arithmetic_keeps_its_value():
    rng = np.random.default_rng(0)
    for _ in range(300):
        axes = [Axis(int(n)) for n in rng.integers(1, 6, 3)]
        index = random_index(rng, axes, 4)
        low, high = index.bounds
        for at in itertools.product(*(range(axis.extent) for axis in axes)):
            place = dict(zip(axes, at))
            found = value_of(index, place)
            assert low <= found <= high
            moved = index.substitute({axis: as_index(number) for axis, number in place.items()})
            assert not moved.terms and moved.constant == found


def random_index(rng: np.random.Generator, axes: list[Axis], depth: int) -> Index:
    """Sums, multiples, quotients and remainders, as views of views make them."""
    if not depth:
        return as_index(axes[int(rng.integers(len(axes)))])
    kind = rng.integers(5)
    inner = random_index(rng, axes, depth - 1)
    if kind == 0:
        return inner + random_index(rng, axes, int(rng.integers(depth)))
    if kind == 1:
        return inner * int(rng.integers(-3, 7)) + int(rng.integers(-5, 6))
    if kind == 2:
        return inner // int(rng.integers(1, 7))
    if kind == 3:
        return inner % int(rng.integers(1, 7))
    n = int(rng.integers(2, 5))  # a number split and joined again
    return inner // n * n + inner % n


def value_of(index: Index, place: dict[Axis, int]) -> int:
    """What an index stands for, computed from its parts."""
    total = index.constant
    for atom, factor in index.terms.items():
        if isinstance(atom, Axis):
            value = place[atom]
        elif isinstance(atom, Quotient):
            value = value_of(atom.inner, place) // atom.divisor
        else:
            assert isinstance(atom, Remainder)
            value = value_of(atom.inner, place) % atom.divisor
        total += factor * value
    return total


# What random graphs found once


def check_nodes(roots: list[Node], env: dict[Node, np.ndarray]) -> None:
    for found, expected in zip(compile_nodes(roots, poison=True).run(env, threads=2), evaluate(roots, env)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("operation", ["take", "take_along_axis"])
def test_indices_are_read_and_checked_only_where_their_result_is_wanted(operation):
    """Behind a joint or inside of padding, the indices of a gather would be those of other memory."""
    x, i, other = variable((7,), float64), variable((7,), int64), variable((9,), float64)
    env = {x: np.arange(7.0), i: np.array([6, 5, 4, 3, 2, 1, 0]), other: np.full(9, 100.0)}
    chosen = build(operation, x, i, axis=0)
    check_nodes([build("concat", chosen, other, chosen, axis=0), build("pad", chosen, widths=((3, 30),), value=5)], env)


def test_an_index_from_data_may_stand_inside_quotients_and_remainders():
    """A gather from a reshaped transposition, in kernels that express their loops by others."""
    x, i, w = variable((60, 50), float32), variable((3000,), int64), variable((30, 40), float32)
    rng = np.random.default_rng(0)
    env = {x: rng.normal(size=x.shape).astype(float32), i: rng.integers(0, 100, 3000), w: rng.normal(size=w.shape).astype(float32)}
    rows = build("take", build("reshape", build("permute", x, axes=(1, 0)), shape=(100, 30)), i, axis=0)
    first = build("slice", rows, start=(0, 0), stop=(9, 30), step=(1, 1))
    check_nodes([build("max", rows, axes=(0, 1)), c.matmul(rows, w), c.matmul(first, w)], env)
