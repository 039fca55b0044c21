"""Products of tensors: matmul, tensordot and einsum, each of them contractions over labelled axes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..graph.build import build
from ..graph.composite import composed
from ..graph.shape import broadcast_shapes, normalize_axis
from .arrange import diagonal

X = Any  # a Node or a Tensor


def matmul(a: X, b: X) -> X:
    """The matrix product over the last axis of a and the last but one of b; axes before broadcast; 1-d tensors are vectors."""
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul: shapes {a.shape} and {b.shape}: a 0-d tensor is no matrix", repair="multiply with *")
    inner = b.shape[-1] if b.ndim == 1 else b.shape[-2]
    if a.shape[-1] != inner:
        side = "axis 0" if b.ndim == 1 else f"axis {b.ndim - 2}"
        raise ShapeError(f"matmul: a {a.shape} and b {b.shape} do not fit: "
                         f"the last axis of a has {a.shape[-1]}, {side} of b has {inner}",
                         why="(..., n, k) times (..., k, m) gives (..., n, m)", repair=transposed_hint(a, b))
    k, row, column = 0, 1, 2
    a_axes, b_axes = ((row, k) if a.ndim > 1 else (k,)), ((k, column) if b.ndim > 1 else (k,))
    shape = broadcast_shapes("matmul", [a.shape[:-2], b.shape[:-2]])
    labels = range(3, 3 + len(shape))
    a, a_heads = drop_ones(a, a.shape[:-2], shape, labels)
    b, b_heads = drop_ones(b, b.shape[:-2], shape, labels)
    ends = (row,) * (a_axes[0] == row) + (column,) * (b_axes[-1] == column)
    return build("contract", a, b, a_axes=a_heads + a_axes, b_axes=b_heads + b_axes, out_axes=(*labels, *ends))


def rows_product(x: X, weight: X) -> X:
    """x W^T: the dot products of the last axis of x with the rows of a matrix, without transposing the matrix."""
    *heads, k = range(x.ndim)
    return build("contract", x, weight, a_axes=(*heads, k), b_axes=(x.ndim, k), out_axes=(*heads, x.ndim))


@composed(3)
def affine(x: X, weight: X, bias: X) -> X:
    """x W^T + b."""
    return rows_product(x, weight) + bias


def transposed_hint(a: X, b: X) -> str:
    """The transposition that would make the product possible, if one does."""
    if b.ndim >= 2 and a.shape[-1] == b.shape[-1]:
        return f"the last axis of b has {b.shape[-1]}: a @ b.mT would fit"
    if a.ndim >= 2 and b.ndim >= 2 and a.shape[-2] == b.shape[-2]:
        return f"axis {a.ndim - 2} of a has {a.shape[-2]}: a.mT @ b would fit"
    return ""


def drop_ones(x: X, own: Sequence[int], shape: Sequence[int], labels: Sequence[int]) -> tuple[X, tuple[int, ...]]:
    """x without the leading axes that would be broadcast, and the labels of those that stay."""
    beside = list(zip(own, shape[len(shape) - len(own):], labels[len(labels) - len(own):]))
    stay = [(n, label) for n, m, label in beside if n == m]
    x = build("reshape", x, shape=(*(n for n, _ in stay), *x.shape[len(own):])) if len(stay) < len(own) else x
    return x, tuple(label for _, label in stay)


def tensordot(a: X, b: X, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> X:
    """Sums of products over pairs of axes: the last n of a with the first n of b, or two lists of axes."""
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    a_sum = [normalize_axis(axis, a.ndim, "tensordot") for axis in axes[0]]
    b_sum = [normalize_axis(axis, b.ndim, "tensordot") for axis in axes[1]]
    if [a.shape[axis] for axis in a_sum] != [b.shape[axis] for axis in b_sum]:
        raise ShapeError(f"tensordot: axes {tuple(a_sum)} of a {a.shape} and {tuple(b_sum)} of b {b.shape} differ in size",
                         repair="name the axes that go together: axes=([...], [...])")
    pairs = dict(zip(b_sum, a_sum))
    a_axes = tuple(range(a.ndim))
    b_axes = tuple(pairs.get(axis, a.ndim + axis) for axis in range(b.ndim))
    out = tuple(axis for axis in a_axes if axis not in a_sum) + tuple(label for label in b_axes if label >= a.ndim)
    return build("contract", a, b, a_axes=a_axes, b_axes=b_axes, out_axes=out)


Label = str | int  # a letter, or -1, -2, ... for the axes under an ellipsis, counted from its end
Part = tuple[X, list[Label]]  # a tensor and the label of each of its axes


def einsum(pattern: str, *operands: X) -> X:
    """Einstein's summation: "ij,jk->ik" names each axis; letters that the result lacks are summed over.

    A letter twice in one term takes the diagonal; `...` stands for axes that broadcast; without `->` the letters that come
    once are the result, in alphabetical order. Three and more operands are multiplied two at a time, smallest result first.
    """
    terms, output = parse(pattern, operands)
    parts = [without_repeats(x, term) for x, term in zip(operands, terms)]
    sizes = label_sizes(pattern, parts)
    parts = [without_ones(part, sizes) for part in parts]
    parts = [without_lonely(part, needed(parts[:i] + parts[i + 1:], output)) for i, part in enumerate(parts)]
    while len(parts) > 1:
        i, j = min(itertools.combinations(range(len(parts)), 2), key=lambda pair: pair_size(parts, pair, output, sizes))
        rest = [part for k, part in enumerate(parts) if k not in (i, j)]
        parts = [*rest, multiply(parts[i], parts[j], needed(rest, output), output)]
    x, term = parts[0]
    return build("permute", x, axes=tuple(term.index(label) for label in output))


def parse(pattern: str, operands: Sequence[X]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand's axes and of the result's."""
    inputs, arrow, result = pattern.replace(" ", "").partition("->")
    texts = inputs.split(",")
    if len(texts) != len(operands):
        raise ArgumentError(f"einsum: {pattern!r} names {len(texts)} operands, {len(operands)} were given",
                            repair="separate one term for each operand by commas, before the ->")
    terms = [labels_of(pattern, text, x.ndim) for text, x in zip(texts, operands)]
    dots = sorted({label for term in terms for label in term if isinstance(label, int)})
    counts = Counter(label for term in terms for label in term)
    if not arrow:
        return terms, [*dots, *sorted(label for label, n in counts.items() if n == 1 and isinstance(label, str))]
    rank = len(result.replace("...", "")) + (len(dots) if "..." in result else 0)
    output = labels_of(pattern, result, rank)
    if len(set(output)) < len(output) or set(output) - set(counts):
        raise ArgumentError(f"einsum: the result {result!r} of {pattern!r} must have different letters, each from an operand",
                            repair=f"the operands have {', '.join(map(repr, counts))}" if counts else "")
    if set(dots) - set(output):
        raise ArgumentError(f"einsum: the result of {pattern!r} lacks the '...' of its operands",
                            repair=f"write {inputs}->...{result}")
    return terms, output


def labels_of(pattern: str, text: str, rank: int) -> list[Label]:
    """One label per axis; an ellipsis becomes as many as axes are left."""
    letters = text.replace("...", "", 1)
    hidden = rank - len(letters)
    if not all(letter.isalpha() for letter in letters):
        raise ArgumentError(f"einsum: {text!r} in {pattern!r} may hold letters and one '...' only",
                            repair="name each axis by one letter, as in 'ij,jk->ik'")
    if hidden < 0 or (hidden and "..." not in text):
        raise ShapeError(f"einsum: {text!r} in {pattern!r} names {len(letters)} axes, its operand has {rank}",
                         repair="name every axis, or write '...' for the others")
    head = text.index("...") if "..." in text else len(text)
    return [*letters[:head], *range(-hidden, 0), *letters[head:]]


def without_repeats(x: X, term: list[Label]) -> Part:
    """Axes with the same letter become one: their diagonal."""
    for label in [label for label, n in Counter(term).items() for _ in range(n - 1)]:
        first = term.index(label)
        second = term.index(label, first + 1)
        if x.shape[first] != x.shape[second]:
            raise ShapeError(f"einsum: letter {label!r} names axes {first} and {second} of an operand of shape {x.shape}",
                             why="axes of one letter have one size", repair="use two letters, or cut the axes to one size")
        x, term = diagonal(x, first, second), [kept for k, kept in enumerate(term) if k not in (first, second)] + [label]
    return x, term


def label_sizes(pattern: str, parts: Sequence[Part]) -> dict[Label, int]:
    """The size of each label; those under an ellipsis broadcast."""
    sizes: dict[Label, int] = {}
    for x, term in parts:
        for label, n in zip(term, x.shape):
            known = sizes.setdefault(label, n)
            if isinstance(label, int) and 1 in (known, n):
                sizes[label] = n if known == 1 else known
            elif known != n:
                name = f"letter {label!r}" if isinstance(label, str) else f"axis {label} of '...'"
                raise ShapeError(f"einsum: {name} in {pattern!r} has size {known} in one place and {n} in another",
                                 why="shapes are " + " and ".join(str(x.shape) for x, _ in parts),
                                 repair="use different letters, or transpose or cut an operand")
    return sizes


def without_ones(part: Part, sizes: dict[Label, int]) -> Part:
    """Axes of size 1 that would be broadcast are dropped: the other operands have them."""
    x, term = part
    stay = [k for k, label in enumerate(term) if x.shape[k] == sizes[label]]
    return build("reshape", x, shape=tuple(x.shape[k] for k in stay)), [term[k] for k in stay]


def needed(parts: Sequence[Part], output: Sequence[Label]) -> set[Label]:
    """The labels that these operands or the result have."""
    return set(output).union(*(term for _, term in parts))


def without_lonely(part: Part, kept: set[Label]) -> Part:
    """Axes that only this operand has are summed at once."""
    x, term = part
    lonely = tuple(k for k, label in enumerate(term) if label not in kept)
    return (build("sum", x, axes=lonely) if lonely else x), [label for label in term if label in kept]


def pair_size(parts: Sequence[Part], pair: tuple[int, int], output: Sequence[Label], sizes: dict[Label, int]) -> int:
    """The number of elements that the product of two operands would have."""
    kept = needed([part for k, part in enumerate(parts) if k not in pair], output)
    return prod(sizes[label] for label in {*parts[pair[0]][1], *parts[pair[1]][1]} & kept)


def multiply(a: Part, b: Part, kept: set[Label], output: Sequence[Label]) -> Part:
    """Two operands contracted over the labels that only they share; the result's axes follow the order of the output where possible."""
    (x, x_term), (y, y_term) = a, b
    labels = {label: k for k, label in enumerate(dict.fromkeys([*x_term, *y_term]))}
    out = [label for label in output if label in labels] + [label for label in labels if label in kept and label not in output]
    return build("contract", x, y, a_axes=tuple(map(labels.__getitem__, x_term)), b_axes=tuple(map(labels.__getitem__, y_term)),
                 out_axes=tuple(map(labels.__getitem__, out))), out
