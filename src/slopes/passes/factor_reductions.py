"""Equal sums are computed once: factors that are constant along the summed axes leave the sum, addends that sum to zero are dropped.

The gradients of a normalization contain, for one tensor g and the centred values c = x - mean(x), all of

    sum(g)    sum(g * c)    sum(g * c * scale)    sum(g * c * weight)    sum(g * a + c * b)

where scale, weight, a and b are the same for all elements of a sum. The third and the fourth are multiples of the second; as
sum(c) = 0, the fifth is a * sum(g): two passes over memory instead of five.

A factor leaves its sum only where two sums become one; a single sum is as cheap with the factor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from ..costs import LONGEST_PRODUCT
from ..graph.build import build, build_node
from ..graph.node import Node
from ..graph.walk import topological
from ..ops.elementwise import Add, Divide, Multiply, Negative, Subtract
from ..ops.move import Expand, Reshape
from ..ops.reduce import Sum
from .match import aligned_shape, floating, number


@dataclass(frozen=True)
class Term:
    """sign * (factors that do not vary along the summed axes) * (factors that vary)."""

    negative: bool
    fixed: tuple[Node, ...]
    varying: tuple[Node, ...]


def factor_reductions(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """The roots in terms of fewer sums."""
    order = topological(roots)
    position = {node: i for i, node in enumerate(order)}
    sums = [node for node in order if node.op is Sum and floating(node)]
    terms = {node: term for node in sums if (term := single_term(node, position)) is not None}
    count: dict[tuple[object, ...], int] = {}
    for node, term in terms.items():
        count[key(node, term)] = count.get(key(node, term), 0) + 1
    chosen = {node: term for node, term in terms.items() if count[key(node, term)] > 1 or node.args[0].op in (Add, Subtract)}
    if not any(term.fixed or term.negative for term in chosen.values()):
        return list(roots)
    new: dict[Node, Node] = {}
    for node in order:
        if node in chosen:
            new[node] = rebuild_sum(node, chosen[node], new.__getitem__)
        else:
            new[node] = node.op.make(*(new[arg] for arg in node.args), **node.params) if node.args else node
    return [new[root] for root in roots]


def key(node: Node, term: Term) -> tuple[object, ...]:
    return node.params["axes"], node.args[0].shape, term.varying


def single_term(node: Node, position: Mapping[Node, int]) -> Term | None:
    """The single term to which a sum reduces, its factors in the order of `position`; None when it is a sum of several."""
    term = term_of(node.args[0], node.params["axes"])
    if term is None or not term.varying:
        return None
    return replace(term, varying=tuple(sorted(term.varying, key=position.__getitem__)))


def term_of(x: Node, axes: tuple[int, ...]) -> Term | None:
    """The term to which x reduces without addends that sum to zero over the axes; None where nothing is left.

    The walk uses a stack, because a chain of additions may be long.
    """
    known: dict[Node, Term | None] = {}
    stack = [x]
    while stack:
        node = stack[-1]
        term = product_of(node, axes)
        waiting = [addend for addend in addends(term) if addend not in known]
        if waiting and not is_zero(term, axes):
            stack += waiting
            continue
        known[stack.pop()] = None if is_zero(term, axes) else without_zeros(term, known)
    return known[x]


def product_of(x: Node, axes: tuple[int, ...]) -> Term:
    """x as one product, its factors divided into those that do not vary along the axes and those that do."""
    factors, negative = factors_of(x)
    fixed = tuple(factor for factor in factors if constant_along(factor, axes))
    return Term(negative, fixed, tuple(factor for factor in factors if not constant_along(factor, axes)))


def is_zero(term: Term, axes: tuple[int, ...]) -> bool:
    return len(term.varying) == 1 and is_centred(term.varying[0], axes)


def addends(term: Term) -> tuple[Node, ...]:
    """The two nodes that a product with a single varying factor adds or subtracts; () for others."""
    single = term.varying[0] if len(term.varying) == 1 else None
    return single.args if single is not None and single.op in (Add, Subtract) and len(term.fixed) <= LONGEST_PRODUCT else ()


def without_zeros(term: Term, known: Mapping[Node, Term | None]) -> Term | None:
    """A term in which one addend sums to zero is a product with the other one; where both remain it stays as it is."""
    if not addends(term):
        return term
    first, second = (known[addend] for addend in addends(term))
    if first is not None and second is not None:
        return term
    if second is not None and term.varying[0].op is Subtract:
        second = replace(second, negative=not second.negative)
    left = first or second
    return None if left is None else Term(left.negative != term.negative, term.fixed + left.fixed, left.varying)


def factors_of(x: Node) -> tuple[list[Node], bool]:
    """The factors of a product of products, and whether it is negated."""
    factors: list[Node] = []
    stack, negative = [x], False
    while stack:
        node = stack.pop()
        if node.op is Multiply and len(factors) + len(stack) < LONGEST_PRODUCT:
            stack += node.args
        elif node.op is Negative:
            negative = not negative
            stack.append(node.args[0])
        else:
            factors.append(node)
    return factors, negative


def constant_along(x: Node, axes: tuple[int, ...]) -> bool:
    """Whether a node certainly holds one value along these axes."""
    if x.op is not Expand:
        return number(x) is not None
    source = aligned_shape(x.args[0], x.ndim)
    return all(source[axis] == 1 for axis in axes)


def is_centred(x: Node, axes: tuple[int, ...]) -> bool:
    """Whether x = y - mean(y) over these axes, so that it sums to zero."""
    if x.op is not Subtract:
        return False
    values, middle = x.args[0], behind_reshapes(x.args[1])
    count = prod(values.shape[axis] for axis in axes)
    if middle.op is Divide:
        means = [middle.args[0]] if number(middle.args[1]) == count else []
    elif middle.op is Multiply:
        share = (1 / middle.dtype.type(count)).item()
        means = [total for total, by in (middle.args, middle.args[::-1]) if number(by) == share]
    else:
        means = []
    return any(total.op is Sum and total.args[0] is values and total.params["axes"] == axes for total in map(behind_reshapes, means))


def behind_reshapes(x: Node) -> Node:
    """The node behind changes of shape."""
    while x.op in (Expand, Reshape):
        x = x.args[0]
    return x


def rebuild_sum(node: Node, term: Term, new: Callable[[Node], Node]) -> Node:
    """The factors that do not vary, times the sum of the product of the others."""
    axes = node.params["axes"]
    product = new(term.varying[0])
    for factor in term.varying[1:]:
        product = build_node("multiply", (product, new(factor)), {})
    result = build_node("sum", (product,), {"axes": axes})
    for factor in term.fixed:
        result = build("multiply", result, drop_axes(new(factor), axes))
    return build("negative", result) if term.negative else result


def drop_axes(x: Node, axes: tuple[int, ...]) -> Node:
    """A node that holds one value along these axes, with the axes gone."""
    first = build_node("slice", (x,), {"start": (0,) * x.ndim, "step": (1,) * x.ndim,
                                       "stop": tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))})
    return build_node("reshape", (first,), {"shape": tuple(n for axis, n in enumerate(x.shape) if axis not in axes)})
