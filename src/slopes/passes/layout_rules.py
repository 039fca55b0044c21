"""Canonical rules of moves and sums: chains of moves become one, broadcasting comes late, needless sums disappear."""

from __future__ import annotations

from ..costs import MAXIMUM_PADS
from ..graph.build import build
from ..graph.dtype import accumulator
from ..graph.node import Node
from ..graph.rewrite import ANY, Phase
from ..graph.shape import size
from ..ops.fill import full, full_like
from .arithmetic import pair
from .match import aligned_shape, is_op, weight

layout = Phase("canonical", weight)
rule = layout.rule


@rule("an empty result is a constant", ANY, example=pair(lambda a: (a + a, full_like(a, 0)), (0, 3)))
def empty(node):
    return full_like(node, 0) if 0 in node.shape and node.args and not is_op(node, "expand") else None


@rule("a sum over nothing is 0, a product 1, any false, all true", "sum", "prod", "any", "all",
      example=pair(lambda a: (build("sum", a, axes=(0,)), full((3,), 0, a.dtype)), (0, 3)))
def reduce_empty(node):
    return full_like(node, is_op(node, "prod", "all")) if node.args[0].size == 0 else None


@rule("a sum of no products is 0", "contract",
      example=pair(lambda a, b: (product(a, b, (0, 1)), full((2, 3), 0, a.dtype)), (2, 0), (0, 3)))
def contract_empty(node):
    return full_like(node, 0) if 0 in node.args[0].shape or 0 in node.args[1].shape else None


@rule("reshape(reshape(x)) = reshape(x)", "reshape",
      example=pair(lambda a: (build("reshape", build("reshape", a, shape=(6,)), shape=(3, 2)),
                              build("reshape", a, shape=(3, 2)))))
def reshape_reshape(node):
    return build("reshape", node.args[0].args[0], shape=node.shape) if is_op(node.args[0], "reshape") else None


@rule("permute(permute(x)) = permute(x)", "permute",
      example=pair(lambda a: (build("permute", build("permute", a, axes=(1, 2, 0)), axes=(2, 1, 0)),
                              build("permute", a, axes=(0, 2, 1))), (2, 3, 4)))
def permute_permute(node):
    inner = node.args[0]
    if not is_op(inner, "permute"):
        return None
    return build("permute", inner.args[0], axes=tuple(inner.params["axes"][axis] for axis in node.params["axes"]))


@rule("permute(x) = reshape(x) when only axes of size 1 change places", "permute",
      example=pair(lambda a: (build("permute", a, axes=(1, 0)), build("reshape", a, shape=(1, 3))), (3, 1)))
def permute_ones(node):
    long = [axis for axis in node.params["axes"] if node.args[0].shape[axis] != 1]
    return build("reshape", node.args[0], shape=node.shape) if long == sorted(long) else None


@rule("expand(expand(x)) = expand(x)", "expand",
      example=pair(lambda a: (build("expand", build("expand", a, shape=(2, 3)), shape=(4, 2, 3)),
                              build("expand", a, shape=(4, 2, 3))), (3,)))
def expand_expand(node):
    return build("expand", node.args[0].args[0], shape=node.shape) if is_op(node.args[0], "expand") else None


@rule("expand(x) = reshape(x) when it only adds axes of size 1", "expand",
      example=pair(lambda a: (build("expand", a, shape=(1, 1, 3)), build("reshape", a, shape=(1, 1, 3))), (3,)))
def expand_ones(node):
    return build("reshape", node.args[0], shape=node.shape) if node.size == node.args[0].size else None


@rule("a move of one repeated number is that number, repeated", "reshape", "permute", "slice",
      example=pair(lambda a: (build("permute", build("expand", a, shape=(2, 3)), axes=(1, 0)),
                              build("expand", a, shape=(3, 2))), ()))
def move_of_number(node):
    source = node.args[0]
    if not is_op(source, "expand") or source.args[0].size != 1:
        return None
    return build("expand", build("reshape", source.args[0], shape=()), shape=node.shape)


@rule("expand(reshape(x)) = expand(x) when the reshape only added ones in front", "expand",
      example=pair(lambda a: (build("expand", build("reshape", a, shape=(1, 3)), shape=(2, 3)),
                              build("expand", a, shape=(2, 3))), (3,)))
def expand_reshape(node):
    inner = node.args[0]
    if not is_op(inner, "reshape"):
        return None
    source = inner.args[0]
    added = inner.ndim - source.ndim
    return build("expand", source, shape=node.shape) if added > 0 and inner.shape == (1,) * added + source.shape else None


@rule("slice(slice(x)) = slice(x)", "slice",
      example=pair(lambda a: (cut(cut(a, 1, 7, 2), 2, -1, -1), cut(a, 5, 0, -2)), (8,)))
def slice_slice(node):
    inner = node.args[0]
    if not is_op(inner, "slice"):
        return None
    first, second = inner.params, node.params
    start = tuple(a + s * b for a, s, b in zip(first["start"], first["step"], second["start"]))
    step = tuple(s * t for s, t in zip(first["step"], second["step"]))
    stop = tuple(max(-1, a + s * (n - 1) + (1 if s > 0 else -1)) for a, s, n in zip(start, step, node.shape))
    return build("slice", inner.args[0], start=start, stop=stop, step=step)


def cut(node: Node, start: int, stop: int, step: int) -> Node:
    return build("slice", node, start=(start,), stop=(stop,), step=(step,))


@rule("pad(pad(x)) = pad(x) with the same fill value", "pad",
      example=pair(lambda a: (fence(fence(a, 1, 2), 3, 0), fence(a, 4, 2)), (2,)))
def pad_pad(node):
    inner = node.args[0]
    if not is_op(inner, "pad") or inner.params["value"] != node.params["value"]:
        return None
    widths = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.params["widths"], node.params["widths"]))
    return build("pad", inner.args[0], widths=widths, value=node.params["value"])


def fence(node: Node, before: int, after: int) -> Node:
    return build("pad", node, widths=((before, after),), value=0)


@rule("f(expand(x), expand(y)) = expand(f(x, y)) when x and y repeat alike, or y is one number", ANY,
      example=pair(lambda a, b: (build("exp", build("expand", a, shape=(4, 3)) * build("expand", b, shape=(4, 3))),
                                 build("expand", build("exp", a * build("expand", b, shape=(3,))), shape=(4, 3))), (3,), ()))
def sink(node):
    if node.op.kind != "elementwise" or not all(is_op(arg, "expand") for arg in node.args):
        return None
    sources = [arg.args[0] for arg in node.args]
    shape = max((source.shape for source in sources), key=lambda shape: (size(shape), len(shape)))
    if not all(source.shape in (shape, ()) for source in sources) or size(shape) >= node.size:
        return None
    small = node.op.make(*(build("expand", source, shape=shape) for source in sources), **node.params)
    return build("expand", small, shape=node.shape)


@rule("a sum of pads that lie side by side and fill an axis is a concat", "add",
      example=pair(lambda a, b: (fence(a, 0, 3) + fence(b, 2, 0), build("concat", a, b, axis=0)), (2,), (3,)))
def add_pads(node):
    terms, pads = [node], []
    while terms:
        term = terms.pop()
        if is_op(term, "add"):
            terms.extend(term.args)
        elif is_op(term, "pad") and term.params["value"] == 0 and len(pads) < MAXIMUM_PADS:
            pads.append(term)
        else:
            return None
    axes = {axis for pad in pads for axis, widths in enumerate(pad.params["widths"]) if widths != (0, 0)}
    if len(axes) != 1:
        return None
    axis, = axes
    pads.sort(key=lambda pad: pad.params["widths"][axis][0])
    end = 0
    for pad in pads:
        if pad.params["widths"][axis][0] != end:
            return None
        end += pad.args[0].shape[axis]
    return build("concat", *(pad.args[0] for pad in pads), axis=axis) if end == node.shape[axis] else None


@rule("a reduction over no axes, or axes of size 1, is a reshape", "sum", "prod", "max", "min", "any", "all",
      example=pair(lambda a: (build("sum", a, axes=(1,)), build("reshape", a, shape=(2,))), (2, 1)))
def reduce_ones(node):
    source = node.args[0]
    if source.dtype != node.dtype or any(source.shape[axis] != 1 for axis in node.params["axes"]):
        return None
    return build("reshape", source, shape=node.shape)


@rule("sum(sum(x)) = sum(x), and so for prod, max, min, any, all", "sum", "prod", "max", "min", "any", "all",
      example=pair(lambda a: (build("sum", build("sum", a, axes=(1,)), axes=(0,)), build("sum", a, axes=(0, 1)))))
def reduce_reduce(node):
    inner = node.args[0]
    if inner.op is not node.op:
        return None
    left = [axis for axis in range(inner.args[0].ndim) if axis not in inner.params["axes"]]
    axes = sorted([*inner.params["axes"], *(left[axis] for axis in node.params["axes"])])
    return node.op.make(inner.args[0], axes=tuple(axes))


@rule("sum(expand(x)) = n sum(x), where each element was repeated n times", "sum",
      example=pair(lambda a: (build("sum", build("expand", a, shape=(4, 3)), axes=(0,)), a * 4), (3,)))
def sum_expand(node):
    repeated = node.args[0]
    if not is_op(repeated, "expand") or repeated.dtype != accumulator(repeated.dtype):
        return None
    source, axes = repeated.args[0], node.params["axes"]
    before = aligned_shape(source, repeated.ndim)
    gone = [axis for axis in axes if before[axis] == 1 and repeated.shape[axis] > 1]
    times = size(tuple(repeated.shape[axis] for axis in gone))
    if not gone or not times:
        return None
    lean = tuple(1 if axis in gone else n for axis, n in enumerate(repeated.shape))
    total = build("sum", build("expand", build("reshape", source, shape=before), shape=lean), axes=axes)
    return total * times


@rule("contract(permute(x), y) names the axes in their own order instead", "contract",
      example=pair(lambda a, b: (product(build("permute", a, axes=(1, 0)), b, (0, 1)), product(a, b, (1, 0))), (3, 2), (3, 4)))
def contract_permute(node):
    for side, name in enumerate(("a_axes", "b_axes")):
        operand = node.args[side]
        if is_op(operand, "permute"):
            order = operand.params["axes"]
            labels = tuple(node.params[name][order.index(axis)] for axis in range(len(order)))
            return with_operand(node, side, operand.args[0], labels)
    return None


@rule("permute(contract(x, y)) = contract(x, y) with its axes in that order", "permute",
      example=pair(lambda a, b: (build("permute", product(a, b, (0, 1)), axes=(1, 0)),
                                 product(a, b, (0, 1), (2, 0))), (2, 3), (3, 4)))
def permute_contract(node):
    inner = node.args[0]
    if not is_op(inner, "contract"):
        return None
    out = tuple(inner.params["out_axes"][axis] for axis in node.params["axes"])
    return inner.op.make(*inner.args, **{**inner.params, "out_axes": out})


@rule("contract(expand(x), y) needs no repetition along axes that y has and the result keeps", "contract",
      example=pair(lambda a, b: (repeated_product(a, b),
                                 build("contract", a, b, a_axes=(0, 1), b_axes=(2, 1, 3), out_axes=(2, 0, 3))),
                   (2, 3), (5, 3, 4)))
def contract_expand(node):
    for side in (0, 1):
        lean = without_repetition(node, side)
        if lean is not None:
            return lean
    return None


def without_repetition(node: Node, side: int) -> Node | None:
    """The contraction with one operand not repeated along the axes where that makes no difference."""
    operand, labels = node.args[side], node.params[("a_axes", "b_axes")[side]]
    if not is_op(operand, "expand"):
        return None
    beside, out = node.params[("b_axes", "a_axes")[side]], node.params["out_axes"]
    before = aligned_shape(operand.args[0], operand.ndim)
    stays = [axis for axis, label in enumerate(labels)
             if before[axis] == operand.shape[axis] or label not in beside or label not in out]
    if len(stays) == len(labels):
        return None
    source = build("reshape", operand.args[0], shape=tuple(before[axis] for axis in stays))
    lean = build("expand", source, shape=tuple(operand.shape[axis] for axis in stays))
    return with_operand(node, side, lean, tuple(labels[axis] for axis in stays))


def with_operand(node: Node, side: int, operand: Node, labels: tuple[int, ...]) -> Node:
    """The same contraction with another operand on one side."""
    args = list(node.args)
    args[side] = operand
    return node.op.make(*args, **{**node.params, ("a_axes", "b_axes")[side]: labels})


def product(a: Node, b: Node, a_axes: tuple[int, int], out_axes: tuple[int, int] = (0, 2)) -> Node:
    """A matrix product, for examples."""
    return build("contract", a, b, a_axes=a_axes, b_axes=(1, 2), out_axes=out_axes)


def repeated_product(a: Node, b: Node) -> Node:
    """A batched matrix product with one matrix repeated, for an example."""
    many = build("expand", a, shape=(b.shape[0], *a.shape))
    return build("contract", many, b, a_axes=(2, 0, 1), b_axes=(2, 1, 3), out_axes=(2, 0, 3))
