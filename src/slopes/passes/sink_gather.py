"""Rows of a table that are multiplied: each row once, however often it is taken.

A layer behind an embedding multiplies the same few rows again and again, once for each token. Taking rows and multiplying them
can change places,

    E[i] W = (E W)[i],

which pays where the table E has fewer rows than are taken. So it is with derivatives: gradients of equal rows are added first,

    S[v] = sum of g[n] over the n with i[n] = v,    dW = E^T S instead of E[i]^T g,    dE = S W^T instead of adding up (g W^T)[n].
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from ..costs import OFTEN, WIDE
from ..graph.node import Node
from ..graph.operation import build_node
from ..graph.walk import performs, rebuild_all, topological
from ..ops.contract import Contract
from ..ops.elementwise import Add
from ..ops.index import ScatterAdd, Take
from ..ops.move import Expand, Permute, Reshape
from .hoist_frozen import depends_only_on

Labels = tuple[int, ...]


def sink_gather(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Every product with rows that are taken from a smaller table, or that are added up in one, as a product with the table.

    Tables that are made of `fixed` variables alone are multiplied at no cost, however large they are.
    """
    order = topological(roots)
    if not performs(order, Take, ScatterAdd):
        return list(roots)
    steady = depends_only_on(order, fixed)

    def make(node: Node, args: tuple[Node, ...]) -> Node:
        new = node.op.make(*args, **node.params)
        if node in steady:
            steady.add(new)
        if new.op is Reshape:
            return in_other_order(new)
        if new.op is Contract:
            return with_rows(new, steady)
        if new.op is Add:
            return with_row_added(new, steady)
        return of_sums(new) if new.op is ScatterAdd else new

    return rebuild_all(order, roots, make)


def in_other_order(node: Node) -> Node:
    """Whole rows in another shape, as rows taken by numbers in that shape."""
    rows = node.args[0]
    if rows.op is not Take or rows.params["axis"]:
        return node
    table, indices = rows.args
    row = table.shape[1:]
    if node.shape[node.ndim - len(row):] != row:
        return node
    moved = build_node("reshape", (indices,), {"shape": node.shape[:node.ndim - len(row)]})
    return placed(build_node("take", (table, moved), {"axis": 0}), rows)


def with_rows(product: Node, steady: set[Node]) -> Node:
    """E[i] W as (E W)[i], or E[i]^T g as E^T S."""
    p = product.params
    for which in (0, 1):
        rows, other = product.args[which], product.args[1 - which]
        if rows.op is not Take or rows.params["axis"] or not taken_pays(rows, other, steady):
            continue
        mine, its, out = (p["a_axes"], p["b_axes"])[which], (p["a_axes"], p["b_axes"])[1 - which], p["out_axes"]
        table, indices = rows.args
        counted, row = mine[:indices.ndim], (fresh(p), *mine[indices.ndim:])
        if set(counted) <= set(out) and not set(counted) & set(its):
            kept = tuple(label for label in out if label not in counted)
            whole = contracted(which, table, row, other, its, (row[0], *kept))
            note(whole, (table, other), steady)
            return permuted(looked_up(whole, rows), counted + kept, out)
        if set(counted) <= set(its) and not set(counted) & set(out):
            if not pays(indices, table.shape[0], table.shape[1:]):
                continue
            left = tuple(label for label in its if label not in counted)
            summed = sums(indices, permuted(other, its, counted + left), table.shape[0], rows)
            return contracted(which, table, row, summed, (row[0], *left), out)
    return product


def of_sums(node: Node) -> Node:
    """The sums of (g W)[n] as S W."""
    indices, product = node.args
    if product.op is not Contract or node.params["axis"] or not pays(indices, node.params["size"], node.shape[1:]):
        return node
    p = product.params
    counted, kept = p["out_axes"][:indices.ndim], p["out_axes"][indices.ndim:]
    for which in (0, 1):
        mine, its = (p["a_axes"], p["b_axes"])[which], (p["a_axes"], p["b_axes"])[1 - which]
        if set(counted) <= set(mine) and not set(counted) & set(its):
            left = tuple(label for label in mine if label not in counted)
            summed = sums(indices, permuted(product.args[which], mine, counted + left), node.params["size"], node)
            row = fresh(p)
            return contracted(which, summed, (row, *left), product.args[1 - which], its, (row, *kept))
    return node


def with_row_added(node: Node, steady: set[Node]) -> Node:
    """E[i] + b as (E + b)[i], for a row b that is added to all of them."""
    for x, y in (node.args, node.args[::-1]):
        moved = x.params["axes"] if x.op is Permute else tuple(range(x.ndim))
        rows = x.args[0] if x.op is Permute else x
        if rows.op is not Take or rows.params["axis"] or y.op is not Expand or node.shape != x.shape:
            continue
        table, indices = rows.args
        own = tuple(range(indices.ndim, rows.ndim))
        if moved[indices.ndim:] != own or y.args[0].ndim > len(own) or not taken_pays(rows, y.args[0], steady):
            continue
        whole = build_node("add", (table, build_node("expand", (y.args[0],), {"shape": table.shape})), {})
        note(whole, (table, y.args[0]), steady)
        return build_node("permute", (looked_up(whole, rows),), {"axes": moved})
    return node


def taken_pays(rows: Node, other: Node, steady: Collection[Node]) -> bool:
    """Whether the whole table is rather combined with another value than the rows that are taken of it."""
    table, indices = rows.args
    return (table in steady and other in steady) or pays(indices, table.shape[0], table.shape[1:])


def note(made: Node, of: tuple[Node, Node], steady: set[Node]) -> None:
    """What is made of steady values is one, too."""
    if all(each in steady for each in of):
        steady.add(made)


def pays(indices: Node, size: int, row: tuple[int, ...]) -> bool:
    """Whether so many rows are taken of a table of so many, that each is worth multiplying once only."""
    return indices.size >= OFTEN * size and prod(row) >= WIDE


def fresh(p: dict[str, Labels]) -> int:
    """A label that a contraction does not use."""
    return max(p["a_axes"] + p["b_axes"]) + 1


def contracted(which: int, x: Node, x_axes: Labels, y: Node, y_axes: Labels, out: Labels) -> Node:
    """The contraction with x as argument number `which`."""
    (a, a_axes), (b, b_axes) = ((x, x_axes), (y, y_axes))[::1 - 2 * which]
    return build_node("contract", (a, b), {"a_axes": a_axes, "b_axes": b_axes, "out_axes": out})


def permuted(x: Node, labels: Labels, wanted: Labels) -> Node:
    """x with its axes in another order."""
    return x if labels == wanted else build_node("permute", (x,), {"axes": tuple(map(labels.index, wanted))})


def looked_up(table: Node, rows: Node) -> Node:
    """The rows that `rows` takes, of another table."""
    return placed(build_node("take", (table, rows.args[1]), {"axis": 0}), rows)


def sums(indices: Node, updates: Node, size: int, source: Node) -> Node:
    """Rows of equal index, added up."""
    return placed(build_node("scatter_add", (indices, updates), {"axis": 0, "size": size}), source)


def placed(new: Node, source: Node) -> Node:
    """The new node, which tells of wrong indices at the user's line of its source."""
    new.location, new.region = source.location, source.region
    return new
