"""What fit and evaluate refuse before the first step, and what they say."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, OutOfRangeError
from ..nn.losses import cross_entropy, nll_loss
from ..tensor import asarray, no_grad
from .metrics import is_labelled
from .mode import Mode

BLOCK = 1 << 22  # values looked at together when searching for nan: keeps the temporary small


def check_dataset(dataset: Any, role: str = "dataset") -> None:
    """Inputs and targets are there, as many of one as of the other, at least one, and no input is nan or infinite."""
    if not (hasattr(dataset, "inputs") and hasattr(dataset, "targets")):
        raise ArgumentError(f"{role} is a {type(dataset).__name__} without inputs and targets", repair=repair_kind(dataset))
    inputs, targets = np.asarray(dataset.inputs), np.asarray(dataset.targets)
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets):
        raise ArgumentError(f"{role}: inputs {inputs.shape} and targets {targets.shape} do not pair up",
                            why="their first axes count the examples", repair="pass one target per input")
    if len(inputs) == 0:
        raise ArgumentError(f"{role} has no examples: inputs {inputs.shape}", repair="check how it was selected or split")
    check_finite(inputs, f"{role}.inputs")
    check_finite(targets, f"{role}.targets")


def repair_kind(dataset: Any) -> str:
    """What to pass instead of `dataset`."""
    if hasattr(dataset, "train"):
        return "these are splits: pass splits.train, and validation=splits.validation"
    return "make one: slopes.data.Dataset(inputs, targets)"


def check_finite(array: np.ndarray, name: str) -> None:
    """No value is nan or infinite; the error names the first example with one."""
    if not np.issubdtype(array.dtype, np.inexact):
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        bad = ~np.isfinite(flat[start : start + BLOCK])
        if bad.any():
            place = np.unravel_index(start + int(bad.argmax()), array.shape)
            raise ArgumentError(f"{name}{[int(each) for each in place]} is {array[place]}",
                                why="every later number would become nan",
                                repair="remove such examples, or replace the values (np.nan_to_num)")


def check_counts(batch_size: int, epochs: int = 0) -> None:
    """batch_size is an integer >= 1, epochs an integer >= 0."""
    for name, value, least in (("batch_size", batch_size, 1), ("epochs", epochs, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ArgumentError(f"{name} is {value!r}", repair=f"use an integer of at least {least}")


def check_trial(net: Any, loss: Any, dataset: Any, role: str = "dataset") -> None:
    """Try net and loss on one example, at once and without a trace: wrong shapes and types are found before anything is compiled.

    Then the labels of all examples are compared with the net's outputs, where the loss takes every label for a class.
    """
    inputs, targets = np.asarray(dataset.inputs), np.asarray(dataset.targets)
    with Mode(net, training=False), no_grad():
        outputs = net(asarray(inputs[:1]))
        if loss in (cross_entropy, nll_loss):
            check_labels(targets, outputs.shape, role)
        loss(outputs, asarray(targets[:1]))


def check_labels(targets: np.ndarray, outputs: tuple[int, ...], role: str = "dataset") -> None:
    """Integer targets lie in 0..classes - 1 where the net's outputs are (N, classes, ...)."""
    if not is_labelled(targets) or len(outputs) != targets.ndim + 1:
        return
    bad = (targets < 0) | (targets >= outputs[1])
    if bad.any():
        place = np.unravel_index(int(bad.argmax()), targets.shape)
        least, largest = int(targets.min()), int(targets.max())
        at, repair = [int(each) for each in place], "number the classes from 0, or drop unlabelled examples"
        raise OutOfRangeError(
            f"{role}.targets{at} is {int(targets[place])}, but the net has {outputs[1]} outputs: classes 0 to {outputs[1] - 1}",
            why=f"the labels run from {least} to {largest}",
            repair=f"give the last layer {largest + 1} outputs" if least >= 0 else repair)


def check_optimizer(optimizer: Any, bound: list[Any], net: Any) -> None:
    """A bound optimizer changes parameters of this net only."""
    own = {id(each) for each in net.parameters()}
    foreign = sum(id(each) not in own for each in bound)
    if foreign:
        name = type(optimizer).__name__
        raise ArgumentError(f"{name} is bound to {len(bound)} parameters, of which {foreign} are not of this net",
                            why=f"it was made for, or used with, another net; this one has {len(own)} parameters",
                            repair=f"make a new one: optim.{name}(lr=...), without parameters: fit binds it")
