"""The builder of an ONNX graph: translates the nodes of a traced function one after another into calls of ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph.build import Constant
from ..graph.dtype import DType, int64, is_complex
from ..graph.node import Node
from ..graph.walk import topological
from ..ops.move import Expand
from ..ops.segments import LoopKey, Segment
from .export_sizes import Dim, Size, Sizes, SizeTable, broadcast, fixed_shape, known_value, times
from .export_values import Call, Subgraph, Value

WRITTEN_OUT = 1 << 10  # bytes: an expanded number is written into the file up to this size, and expanded by the model beyond
FOLDED = 1 << 16  # bytes: what constants alone make is computed at export up to this size, and by the model beyond

Form = Callable[["Builder", Node], Value]
"""How a node is computed by ONNX operators."""
Match = Callable[["Builder", Node], Value | None]
"""How a node is computed together with those that it is made of; None where it is not made of them."""


@dataclass(eq=False)
class Loop:
    """What a loop gives: of each segment the first state (None for outputs), the last one, and the stacked values of all steps.

    In the order in which the steps run for states, in the order of the sequences for outputs.
    """

    row: list[Segment]
    length: Size
    kept: Sequence[bool]
    firsts: list[Value | None] = field(default_factory=list)
    lasts: list[Value | None] = field(default_factory=list)
    stacked: list[Value | None] = field(default_factory=list)


class NoForm(Exception):
    """A node that no ONNX operators compute: the text says why, "" where the operation has no form at all."""


class Builder:
    """The calls of one graph, and the value of each node that was translated.

    sizes     which sizes depend on the batch
    batch     the value (int64[1]) that holds the batch, where some size depends on it
    constants shared with the bodies of loops, which read the initializers of the whole model
    """

    def __init__(self, sizes: SizeTable, forms: Mapping[str, Form], matches: Sequence[Match] = (), outer: Builder | None = None) -> None:
        self.sizes, self.forms, self.matches, self.outer = sizes, forms, matches, outer
        self.calls: list[Call] = []
        self.values: dict[Node, Value] = {}
        self.known: dict[Node, np.ndarray] = {}
        self.layer: str = "" if outer is None else outer.layer
        self.batch: Value | None = None if outer is None else outer.batch
        self.constants: dict[tuple, Value] = {} if outer is None else outer.constants
        self.missing: dict[Value, tuple[Node, str]] = {} if outer is None else outer.missing
        self.loops: dict[LoopKey, Loop] = {}
        self.reads: Mapping[LoopKey, set[int]] = {}

    def inside(self) -> Builder:
        """A builder for the body of a loop."""
        return Builder(self.sizes, self.forms, self.matches, self)

    # ------------------------------------------------------------------ nodes
    def translate(self, roots: Iterable[Node]) -> None:
        """Translate all nodes that the roots need."""
        for node in topological(roots, stop=lambda node: node in self.values):
            if node not in self.values:
                self.layer = node.layer or self.layer
                self.fold(node)
                if node.op is not Expand and node not in self.known:
                    self.values[node] = self.form_of(node)

    def fold(self, node: Node) -> None:
        """Compute a node of constants alone at once."""
        if not node.varies and self.sizes.is_fixed(node):
            small = node.op in (Constant, Expand) or node.size * node.dtype.itemsize <= FOLDED
            value = known_value(node, self.known) if small else None
            if value is not None:
                self.known[node] = value

    def form_of(self, node: Node) -> Value:
        """The value of a node, computed by ONNX operators; a stand-in where it has no form."""
        if node.op is Constant:
            return self.number(self.sizes.numbers[node], node.dtype)
        try:
            for match in self.matches:
                if (matched := match(self, node)) is not None:
                    return matched
            if node.op.name not in self.forms:
                raise NoForm
            if is_complex(node.dtype):
                raise NoForm("ONNX runtimes compute no complex numbers")
            value = self.forms[node.op.name](self, node)
        except NoForm as error:
            value = Value(node.dtype, self.sizes.shape(node))
            self.missing[value] = node, str(error)
            self.calls.append(Call("missing", tuple(map(self.value, node.args)), {}, self.layer, [value]))
        return value

    def value(self, node: Node) -> Value:
        """The value of a translated node in its full shape."""
        if node not in self.values:
            if node not in self.known or (node.op is Expand and node.size * node.dtype.itemsize > WRITTEN_OUT):
                self.values[node] = self.expand(self.value(node.args[0]), self.sizes.shape(node))
            else:
                self.values[node] = self.constant(self.known[node])
        return self.values[node]

    def shape(self, node: Node) -> Sizes:
        return self.sizes.shape(node)

    def operands(self, node: Node) -> list[Value]:
        """The values of the arguments of an elementwise node, without the expansions that ONNX operators perform themselves."""
        bare = [unexpanded(arg) for arg in node.args]
        if broadcast([self.shape(arg) for arg in bare]) != self.shape(node):
            i = next(i for i, arg in enumerate(node.args) if self.shape(arg) == self.shape(node))
            bare[i] = node.args[i]
        return [self.value(arg) for arg in bare]

    # ------------------------------------------------------------------ calls
    def call(self, operator: str, *inputs: Value | None, dtype: DType | None = None, shape: Sizes, **attributes: Any) -> Value:
        """The output of an operator with one output; its type is by default that of the first input."""
        first = inputs[0]
        assert dtype is not None or first is not None
        return self.calls_for(operator, inputs, [(dtype if dtype is not None else first.dtype, shape)], attributes)[0]  # type: ignore

    def calls_for(self, operator: str, inputs: Sequence[Value | None], outputs: Sequence[tuple[DType, Sizes]], attributes: dict[str, Any],
                  bodies: Mapping[str, Subgraph] | None = None) -> list[Value]:
        """The outputs of an operator, whose types and shapes are given."""
        call = Call(operator, tuple(inputs), {name: value for name, value in attributes.items() if value is not None}, self.layer,
                    bodies=bodies or {})
        call.outputs = [Value(dtype, shape, call=call) for dtype, shape in outputs]
        self.calls.append(call)
        return call.outputs

    def apply(self, operator: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """The output of an elementwise operator, whose inputs broadcast."""
        shape = broadcast([value.shape for value in inputs])
        assert shape is not None
        return self.call(operator, *inputs, dtype=dtype, shape=shape, **attributes)

    def constant(self, array: Any, dtype: DType | None = None) -> Value:
        """This value: whole numbers, such as axes and shapes, as an initializer, others as a constant."""
        array = np.asarray(array, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = Value(array.dtype, array.shape, array=array, is_constant=array.dtype.kind == "f")
        return self.constants[key]

    def like(self, x: Value, number: Any) -> Value:
        """A single number in the type of a value."""
        return self.constant(np.asarray(number).astype(x.dtype))

    def ints(self, *values: int) -> Value:
        """Whole numbers as int64."""
        return self.constant(np.array(values, int64))

    def cast(self, x: Value, dtype: DType) -> Value:
        """A value in another type, as ONNX's Cast converts it."""
        return x if x.dtype == dtype else self.call("Cast", x, dtype=dtype, shape=x.shape, to=dtype)

    # ------------------------------------------------------------------ sizes
    def number(self, size: Size, dtype: DType) -> Value:
        """A size as a single number of a type."""
        if isinstance(size, int):
            return self.constant(size, dtype)
        return self.cast(self.call("Squeeze", self.dimension(size), shape=()), dtype)

    def dimension(self, size: Size) -> Value:
        """A size as int64[1]."""
        if isinstance(size, int):
            return self.ints(size)
        assert self.batch is not None
        value = self.batch
        if size.slope != 1:
            value = self.apply("Mul", value, self.ints(size.slope))
        return self.apply("Add", value, self.ints(size.offset)) if size.offset else value

    def sizes_value(self, sizes: Sizes) -> Value:
        """A shape as an int64 vector."""
        fixed = fixed_shape(sizes)
        if fixed is not None:
            return self.ints(*fixed)
        return self.call("Concat", *map(self.dimension, sizes), shape=(len(sizes),), axis=0)

    def reshape(self, x: Value, shape: Sizes) -> Value:
        """The elements of a value under another shape."""
        while x.call is not None and x.call.operator == "Reshape" and x.call.inputs[0] is not None:
            x = x.call.inputs[0]
        if x.shape == shape:
            return x
        symbolic = [size for size in shape if isinstance(size, Dim)]
        if len(symbolic) > 1 or (symbolic and 0 in shape):
            target = self.sizes_value(shape)
        else:
            target = self.ints(*(-1 if isinstance(size, Dim) else size for size in shape))
        return self.call("Reshape", x, target, shape=shape, allowzero=1 if 0 in shape else None)

    def expand(self, x: Value, shape: Sizes) -> Value:
        """A value broadcast to a shape; sizes that it has already are not computed."""
        if x.shape == shape:
            return x
        own = (1,) * (len(shape) - len(x.shape)) + tuple(x.shape)
        return self.call("Expand", x, self.sizes_value(tuple(1 if a == b else b for a, b in zip(own, shape))), shape=shape)

    def transpose(self, x: Value, axes: Sequence[int]) -> Value:
        """The axes of a value in another order."""
        if list(axes) == list(range(len(x.shape))):
            return x
        return self.call("Transpose", x, shape=tuple(x.shape[axis] for axis in axes), perm=list(axes))

    def slice(self, x: Value, start: Sequence[int], stop: Sequence[int], step: Sequence[int], axes: Sequence[int], shape: Sizes) -> Value:
        """Elements of some axes."""
        return self.call("Slice", x, *(self.ints(*values) for values in (start, stop, axes, step)), shape=shape)

    def count(self, sizes: Sizes) -> Size:
        """The number of elements; NoForm where it is no multiple of the batch plus a number."""
        total = times(sizes)
        if total is None:
            raise NoForm("the number of its elements grows with the square of the batch")
        return total


def unexpanded(node: Node) -> Node:
    """The node whose elements an expansion repeats."""
    while node.op is Expand:
        node = node.args[0]
    return node
