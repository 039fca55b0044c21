"""Products with rows of a table: each row is multiplied once, however often it is taken.

A layer behind an embedding multiplies the same few rows again and again, once for each token. Taking rows and multiplying them
commute,

    E[i] W = (E W)[i],

which pays where the table E has fewer rows than are taken. The same holds for derivatives: gradients of equal rows are added first,

    S[v] = sum of g[n] over the n with i[n] = v,    dW = E^T S instead of E[i]^T g,    dE = S W^T instead of adding up (g W^T)[n].
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from ..costs import OFTEN, WIDE
from ..graph.build import build_node
from ..graph.node import Node
from ..graph.walk import performs, rebuild_all, topological
from ..ops.contract import Contract
from ..ops.elementwise import Add
from ..ops.index import ScatterAdd, Take
from ..ops.move import Expand, Permute, Reshape
from .hoist_frozen import depends_only_on

Labels = tuple[int, ...]


def sink_gather(roots: Sequence[Node], fixed: Collection[Node] = ()) -> list[Node]:
    """Rewrite products with rows taken from a smaller table, or added up in one, as products with the table.

    Tables that depend on `fixed` variables alone are multiplied at no cost, however large they are.
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
            return reshape_indices(new)
        if new.op is Contract:
            return gather_product(new, steady)
        if new.op is Add:
            return gather_sum(new, steady)
        return scatter_product(new) if new.op is ScatterAdd else new

    return rebuild_all(order, roots, make)


def reshape_indices(node: Node) -> Node:
    """A reshape of whole rows, as rows taken by reshaped indices."""
    rows = node.args[0]
    if rows.op is not Take or rows.params["axis"]:
        return node
    table, indices = rows.args
    row = table.shape[1:]
    if node.shape[node.ndim - len(row):] != row:
        return node
    moved = build_node("reshape", (indices,), {"shape": node.shape[:node.ndim - len(row)]})
    return with_location(build_node("take", (table, moved), {"axis": 0}), rows)


def gather_product(product: Node, steady: set[Node]) -> Node:
    """E[i] W as (E W)[i], or E[i]^T g as E^T S."""
    p = product.params
    for which in (0, 1):
        rows, other = product.args[which], product.args[1 - which]
        if rows.op is not Take or rows.params["axis"] or not table_pays(rows, other, steady):
            continue
        mine, its, out = (p["a_axes"], p["b_axes"])[which], (p["a_axes"], p["b_axes"])[1 - which], p["out_axes"]
        table, indices = rows.args
        counted, row = mine[:indices.ndim], (fresh(p), *mine[indices.ndim:])
        if set(counted) <= set(out) and not set(counted) & set(its):
            kept = tuple(label for label in out if label not in counted)
            whole = contract(which, table, row, other, its, (row[0], *kept))
            note_steady(whole, (table, other), steady)
            return permute(take_rows(whole, rows), counted + kept, out)
        if set(counted) <= set(its) and not set(counted) & set(out):
            if not pays(indices, table.shape[0], table.shape[1:]):
                continue
            left = tuple(label for label in its if label not in counted)
            summed = scatter_rows(indices, permute(other, its, counted + left), table.shape[0], rows)
            return contract(which, table, row, summed, (row[0], *left), out)
    return product


def scatter_product(node: Node) -> Node:
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
            summed = scatter_rows(indices, permute(product.args[which], mine, counted + left), node.params["size"], node)
            row = fresh(p)
            return contract(which, summed, (row, *left), product.args[1 - which], its, (row, *kept))
    return node


def gather_sum(node: Node, steady: set[Node]) -> Node:
    """E[i] + b as (E + b)[i], for a row b that is added to all of them."""
    for x, y in (node.args, node.args[::-1]):
        moved = x.params["axes"] if x.op is Permute else tuple(range(x.ndim))
        rows = x.args[0] if x.op is Permute else x
        if rows.op is not Take or rows.params["axis"] or y.op is not Expand or node.shape != x.shape:
            continue
        table, indices = rows.args
        own = tuple(range(indices.ndim, rows.ndim))
        if moved[indices.ndim:] != own or y.args[0].ndim > len(own) or not table_pays(rows, y.args[0], steady):
            continue
        whole = build_node("add", (table, build_node("expand", (y.args[0],), {"shape": table.shape})), {})
        note_steady(whole, (table, y.args[0]), steady)
        return build_node("permute", (take_rows(whole, rows),), {"axes": moved})
    return node


def table_pays(rows: Node, other: Node, steady: Collection[Node]) -> bool:
    """Whether combining the whole table with a value is cheaper than combining the rows that are taken."""
    table, indices = rows.args
    return (table in steady and other in steady) or pays(indices, table.shape[0], table.shape[1:])


def note_steady(made: Node, of: tuple[Node, Node], steady: set[Node]) -> None:
    """A value that depends on steady values alone is steady, too."""
    if all(node in steady for node in of):
        steady.add(made)


def pays(indices: Node, size: int, row: tuple[int, ...]) -> bool:
    """Whether the number of rows taken, compared with the rows of the table, makes it worth multiplying each row once."""
    return indices.size >= OFTEN * size and prod(row) >= WIDE


def fresh(p: dict[str, Labels]) -> int:
    """A label that a contraction does not use."""
    return max(p["a_axes"] + p["b_axes"]) + 1


def contract(which: int, x: Node, x_axes: Labels, y: Node, y_axes: Labels, out: Labels) -> Node:
    """The contraction with x as argument number `which`."""
    (a, a_axes), (b, b_axes) = ((x, x_axes), (y, y_axes))[::1 - 2 * which]
    return build_node("contract", (a, b), {"a_axes": a_axes, "b_axes": b_axes, "out_axes": out})


def permute(x: Node, labels: Labels, order: Labels) -> Node:
    """x with its axes in another order."""
    return x if labels == order else build_node("permute", (x,), {"axes": tuple(map(labels.index, order))})


def take_rows(table: Node, rows: Node) -> Node:
    """The rows that `rows` takes, of another table."""
    return with_location(build_node("take", (table, rows.args[1]), {"axis": 0}), rows)


def scatter_rows(indices: Node, updates: Node, size: int, source: Node) -> Node:
    """Rows of equal index, added up."""
    return with_location(build_node("scatter_add", (indices, updates), {"axis": 0, "size": size}), source)


def with_location(new: Node, source: Node) -> Node:
    """The new node, with the user's line of its source: errors about wrong indices name that line."""
    new.location, new.region = source.location, source.region
    return new
