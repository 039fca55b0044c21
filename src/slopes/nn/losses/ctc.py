"""Connectionist temporal classification: the likelihood of a sequence of labels, summed over all alignments with the time steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ... import functions as F
from ...constraint import check
from ...errors import DTypeError, OutOfRangeError, ShapeError
from ...graph.build import build
from ...graph.dtype import is_float, is_integer
from ...tensor import Tensor, asarray
from ..means import mean_loss
from ..where import known_value
from .reduction import CONSTRAINTS, in_nn, reduce

NEVER = -1e30  # the logarithm of a probability 0: -inf minus -inf would be nan
IMPOSSIBLE = 1e29  # a loss above it is that of a sequence without an alignment


@in_nn
def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Tensor:
    """loss_n = -log of the probability of all alignments of T_n steps that read as targets_n: repeats joined, then blanks removed.

    log_probs: log softmax over classes, (T, N, C), or (T, C) without a batch; targets: labels other than `blank`, (N, S) padded,
    or those of all sequences one after another, or (S,); input_lengths, target_lengths: (N,) integers T_n <= T and S_n <= S, or numbers.
    "mean" divides each loss by its S_n (at least 1), then takes the mean of the batch. Where no alignment is long enough the loss is
    inf, 0 with zero_infinity=True, and the derivative 0. The derivative is that of the sum over alignments; PyTorch's has the
    probabilities added, which is the same after the derivative of log softmax.
    In a compiled function targets are padded (N, S). Raises ShapeError, DTypeError and OutOfRangeError for what does not fit.
    Source: Graves et al., "Connectionist temporal classification", 2006.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> even = sl.log_softmax(sl.zeros((2, 1, 2)), -1)
    >>> round(float(nn.ctc_loss(even, sl.tensor([[1]]), [2], [1]).exp()), 4)  # 3 of the 4 readings of two steps are "1"
    1.3333
    """
    check("ctc_loss", CONSTRAINTS["ctc_loss"], {"blank": blank, "reduction": reduction, "zero_infinity": zero_infinity})
    batch = ctc_batch(asarray(log_probs), asarray(targets), whole(input_lengths), whole(target_lengths), blank)
    losses = -alignments(batch)
    losses = build("where", losses > IMPOSSIBLE, 0.0 if zero_infinity else np.inf, losses)
    if reduction == "mean":
        return mean_loss(losses / build("maximum", batch.target_lengths, 1).astype(losses.dtype))
    return reduce(losses if asarray(log_probs).ndim == 3 else losses.reshape(()), reduction)


class Batch(NamedTuple):
    """The operands of the recursion: log probabilities (T, N, L) of the labels with blanks between them, and those labels (N, L)."""

    emissions: Tensor
    labels: Tensor
    input_lengths: Tensor
    target_lengths: Tensor


def ctc_batch(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> Batch:
    """The operands after all checks, with a batch axis, targets padded and blanks between them."""
    if log_probs.ndim == 2:
        log_probs = F.expand_dims(log_probs, axis=1)
    check_shapes(log_probs, targets, input_lengths, target_lengths, blank)
    steps, count, classes = log_probs.shape
    input_lengths = F.broadcast_to(input_lengths, (count,))
    target_lengths = F.broadcast_to(target_lengths, (count,))
    targets = targets.astype(np.int64)
    padded = targets if targets.ndim == 2 else pad_targets(targets, target_lengths)
    check_values(padded, input_lengths, target_lengths, steps, classes)
    labels = with_blanks(padded, blank)
    indices = F.broadcast_to(F.clip(labels, 0, classes - 1), (steps, *labels.shape))
    emissions = build("maximum", build("take_along_axis", log_probs, indices, axis=2), NEVER)
    return Batch(emissions, labels, input_lengths, target_lengths)


def with_blanks(targets: Tensor, blank: int) -> Tensor:
    """(N, 2 S + 1): a blank before, between and after the labels."""
    count, length = targets.shape
    blanks = F.full((count, length, 1), blank, dtype=targets.dtype)
    pairs = F.concat([blanks, F.expand_dims(targets, axis=2)], axis=2).reshape((count, 2 * length))
    return F.concat([pairs, F.full((count, 1), blank, dtype=targets.dtype)], axis=1)


def pad_targets(targets: Tensor, lengths: Tensor) -> Tensor:
    """Sequences that lie one after another as rows (N, S) of one length."""
    known = known_value(lengths)
    if known is None and lengths.shape != (1,):
        raise ShapeError(f"ctc_loss: targets have shape {tuple(targets.shape)} in a compiled function",
                         why="the lengths, which say where each sequence begins, are not known when it is compiled",
                         repair="pad the targets: (N, S)")
    longest = targets.shape[0] if known is None else max(int(known.max()), 1)
    if known is not None and int(known.sum()) > targets.shape[0]:
        raise ShapeError(f"ctc_loss: there are {targets.shape[0]} targets, but target_lengths sum to {int(known.sum())}")
    ends = build("cumulative_sum", lengths, axis=0)
    indices = F.expand_dims(ends - lengths, axis=1) + F.arange(longest)
    if not targets.shape[0]:
        return F.zeros((lengths.shape[0], longest), dtype=targets.dtype)
    return build("take", targets, F.clip(indices, 0, targets.shape[0] - 1), axis=0)


def alignments(batch: Batch) -> Tensor:
    """(N,): the logarithm of the summed probability of all alignments, by the forward recursion over time."""
    width = batch.labels.shape[1]
    positions = F.arange(width)
    start = build("where", positions < 2, batch.emissions[0], NEVER)
    skips = may_skip(batch.labels)
    steps = F.arange(batch.emissions.shape[0])

    def step(before: Tensor, current: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        emission, time = current
        reached = log_sum_exp(before, shifted(before, 1), build("where", skips, shifted(before, 2), NEVER)) + emission
        running = (time > 0) & (time < batch.input_lengths)
        return build("where", F.expand_dims(running, axis=1), build("maximum", reached, NEVER), before), None

    last, _ = F.scan(step, start, (batch.emissions, steps))
    ends = F.expand_dims(2 * batch.target_lengths, axis=1)
    final = build("take_along_axis", last, ends, axis=1)
    label = build("take_along_axis", last, F.clip(ends - 1, 0, width - 1), axis=1)
    label = build("where", ends > 0, label, NEVER)
    total = log_sum_exp(final, label, label * 0 + NEVER).reshape((-1,))
    return build("where", (batch.input_lengths == 0) & (batch.target_lengths > 0), NEVER,
                 build("where", batch.input_lengths == 0, 0.0, total))


def may_skip(labels: Tensor) -> Tensor:
    """(N, L): whether a label can follow the one before it without a blank between them: both are labels, and they differ."""
    width = labels.shape[1]
    odd = F.arange(width) % 2 == 1
    before = F.concat([labels[:, :1], labels[:, :1], labels[:, : width - 2]], axis=1)[:, :width] if width > 2 else labels
    return odd & (labels != before) & (F.arange(width) > 1)


def shifted(values: Tensor, by: int) -> Tensor:
    """Moved to the right along axis 1; what enters is never reached."""
    width = values.shape[1]
    entering = F.full((values.shape[0], min(by, width)), NEVER, dtype=values.dtype)
    return F.concat([entering, values[:, : width - by]], axis=1) if width > by else entering


def log_sum_exp(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """log(exp a + exp b + exp c), elementwise."""
    top = build("stop_gradient", build("maximum", build("maximum", a, b), c))
    return top + build("log", build("exp", a - top) + build("exp", b - top) + build("exp", c - top))


def whole(lengths: Any) -> Tensor:
    """Lengths as a tensor of integers (N,)."""
    tensor = asarray(lengths)
    if not is_integer(tensor.dtype):
        raise DTypeError(f"ctc_loss: lengths are {tensor.dtype}, not integers", repair="lengths.astype(slopes.int64)")
    return tensor.astype(np.int64).reshape((-1,))


def check_shapes(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> None:
    """Errors for operands whose shapes or dtypes do not fit."""
    if log_probs.ndim != 3 or not log_probs.shape[0] or not is_float(log_probs.dtype):
        raise ShapeError(f"ctc_loss: log_probs are {log_probs.dtype} of shape {tuple(log_probs.shape)}",
                         why="they are log probabilities (T, N, C), time first, or (T, C)",
                         repair="sl.log_softmax(outputs, -1), and sl.moveaxis(outputs, 1, 0) where the batch is first")
    count, classes = log_probs.shape[1:]
    if not is_integer(targets.dtype) or targets.ndim not in (1, 2) or (targets.ndim == 2 and targets.shape[0] != count):
        raise ShapeError(f"ctc_loss: targets are {targets.dtype} of shape {tuple(targets.shape)}, log_probs have a batch of {count}",
                         why="targets are integers, a row for each sequence, or all sequences one after another")
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if lengths.shape not in ((count,), (1,)):
            raise ShapeError(f"ctc_loss: {name} has {lengths.size} elements for a batch of {count}")
    if blank >= classes:
        raise OutOfRangeError(f"ctc_loss: blank={blank}, but there are {classes} classes, from 0 on")


def check_values(targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, steps: int, classes: int) -> None:
    """OutOfRangeError for lengths beyond the operands and labels that are no classes, where their values are known."""
    known, inputs, lengths = known_value(targets), known_value(input_lengths), known_value(target_lengths)
    if known is None or inputs is None or lengths is None:
        return
    for name, values, largest in (("input_lengths", inputs, steps), ("target_lengths", lengths, targets.shape[1])):
        if values.size and not 0 <= values.min() <= values.max() <= largest:
            raise OutOfRangeError(f"ctc_loss: {name} are from {values.min()} to {values.max()}, but must be within 0..{largest}")
    counted = known[np.arange(targets.shape[1]) < lengths[:, None]]
    if counted.size and not 0 <= counted.min() <= counted.max() < classes:
        raise OutOfRangeError(f"ctc_loss: targets are from {counted.min()} to {counted.max()}, but classes from 0 to {classes - 1}")
