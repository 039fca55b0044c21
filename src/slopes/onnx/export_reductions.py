"""ONNX forms of reductions, running totals, and products of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.dtype import bool_, int32, int64, is_float
from ..graph.node import Node
from .export_builder import Builder, Form
from .export_elementwise import BASIC, widened
from .export_sizes import Sizes
from .export_values import Value

Labels = tuple[int, ...]


def reduction(operator: str) -> Form:
    """The form of a reduction over some axes."""
    def form(b: Builder, node: Node) -> Value:
        (x,) = widened(b, [b.value(node.args[0])], BASIC, wraps=operator in ("ReduceSum", "ReduceProd"))
        return b.cast(reduced(b, operator, x, node.params["axes"], b.shape(node)), node.dtype)

    return form


def reduced(b: Builder, operator: str, x: Value, axes: Sequence[int], shape: Sizes) -> Value:
    """A reduction; over no axes, the value itself."""
    if not axes:
        return x
    return b.call(operator, x, b.ints(*axes), shape=shape, keepdims=0)


def truth(operator: str) -> Form:
    """The form of `any` and `all`: the largest or smallest of 0 and 1."""
    def form(b: Builder, node: Node) -> Value:
        x = b.cast(b.value(node.args[0]), int32)
        return b.apply("Greater", reduced(b, operator, x, node.params["axes"], b.shape(node)), b.like(x, 0), dtype=bool_)

    return form


def position(operator: str) -> Form:
    """The form of the position of an extreme element: the first of equals."""
    def form(b: Builder, node: Node) -> Value:
        (x,), axis = widened(b, [b.value(node.args[0])], BASIC), node.params["axis"]
        if x.dtype != int64:
            return b.call(operator, x, dtype=int64, shape=b.shape(node), axis=axis, keepdims=0)
        one = (*x.shape[:axis], 1, *x.shape[axis + 1:])
        _, index = b.calls_for("TopK", (x, b.ints(1)), [(int64, one), (int64, one)], {"axis": axis, "largest": int(operator == "ArgMax")})
        return b.reshape(index, b.shape(node))

    return form


def cumulative_sum(b: Builder, node: Node) -> Value:
    (x,) = widened(b, [b.value(node.args[0])], BASIC, wraps=True)
    return b.cast(b.call("CumSum", x, b.constant(node.params["axis"], int64), shape=x.shape), node.dtype)


# ---------------------------------------------------------------------- products
def contract(b: Builder, node: Node) -> Value:
    """A sum of products over labels: a product of matrices where the labels allow one, else Einsum."""
    a, c = widened(b, [b.value(arg) for arg in node.args], BASIC, wraps=True)
    p = node.params
    product = matrix_product(b, a, c, p["a_axes"], p["b_axes"], p["out_axes"])
    if product is None:
        product = b.call("Einsum", a, c, shape=b.shape(node), equation=equation(p["a_axes"], p["b_axes"], p["out_axes"]))
    return b.cast(product, node.dtype)


def equation(a_axes: Labels, b_axes: Labels, out_axes: Labels) -> str:
    """The labels as letters: `ab,bc->ac`."""
    letters = {label: chr(ord("a") + i) for i, label in enumerate(dict.fromkeys((*a_axes, *b_axes)))}
    left, right, out = ("".join(letters[label] for label in labels) for labels in (a_axes, b_axes, out_axes))
    return f"{left},{right}->{out}"


def matrix_product(b: Builder, a: Value, c: Value, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> Value | None:
    """The product as MatMul: stacks of matrices along the labels that all three have; None where the labels do not allow it.

    One label is summed, the second operand has one more besides those of the stack; if there is no stack, the first operand may
    have any number of axes.
    """
    if len(a_axes) == len(b_axes) == len(out_axes) == 2 and is_float(a.dtype) and len({*a_axes, *b_axes}) == 3:
        return gemm(b, a, c, a_axes, b_axes, out_axes)
    stack = tuple(label for label in out_axes if label in a_axes and label in b_axes)
    summed = [label for label in a_axes if label in b_axes and label not in out_axes]
    rows = tuple(label for label in out_axes if label in a_axes and label not in stack)
    columns = tuple(label for label in out_axes if label in b_axes and label not in stack)
    if len(summed) != 1 or len(columns) != 1 or not rows or (stack and len(rows) != 1):
        return None
    left = b.transpose(a, [a_axes.index(label) for label in (*stack, *rows, summed[0])])
    right = b.transpose(c, [b_axes.index(label) for label in (*stack, summed[0], columns[0])])
    product = b.call("MatMul", left, right, shape=(*left.shape[:-1], right.shape[-1]))
    made = (*stack, *rows, columns[0])
    return b.transpose(product, [made.index(label) for label in out_axes])


def gemm(b: Builder, a: Value, c: Value, a_axes: Labels, b_axes: Labels, out_axes: Labels) -> Value:
    """The product of two matrices, each as it lies or transposed."""
    if out_axes[0] not in a_axes:
        a, c, a_axes, b_axes = c, a, b_axes, a_axes
    first, second = int(a_axes[0] != out_axes[0]), int(b_axes[1] != out_axes[1])
    shape = (a.shape[first], c.shape[1 - second])
    if not (first or second):
        return b.call("MatMul", a, c, shape=shape)
    return b.call("Gemm", a, c, shape=shape, transA=first or None, transB=second or None)


def determinant(b: Builder, node: Node) -> Value:
    return b.call("Det", b.value(node.args[0]), shape=b.shape(node))


FORMS: dict[str, Form] = {
    "determinant": determinant,
    "sum": reduction("ReduceSum"), "prod": reduction("ReduceProd"), "max": reduction("ReduceMax"), "min": reduction("ReduceMin"),
    "max_first": reduction("ReduceMax"), "any": truth("ReduceMax"), "all": truth("ReduceMin"),
    "argmax": position("ArgMax"), "argmin": position("ArgMin"), "cumulative_sum": cumulative_sum, "contract": contract,
}
