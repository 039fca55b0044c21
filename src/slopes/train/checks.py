"""The checks of fit and evaluate before the first step, and their errors."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import optim
from ..arrays import shorten
from ..data.loaders.dataset import Dataset
from ..data.loaders.inputs import call_with, input_names, inputs_of, map_inputs
from ..data.loaders.loader import Loader
from ..errors import ArgumentError, DTypeError, ShapeError, TraceError
from ..functions import ones
from ..modes import no_grad
from ..nn.losses import CONSTRAINTS as LOSSES
from ..nn.losses import cross_entropy, nll_loss
from ..nn.means import record_means, weigh_examples
from ..nn.module import Module
from ..ops.composite import concat
from ..optim.average import Average
from ..optim.optimizer import Optimizer
from ..optim.schedules import Schedule
from ..random import Generator, using
from ..tensor import Tensor, asarray
from ..trace_call import batch_spec, trace_args
from ..tree import flatten, map_tree
from .best import AUTO
from .metrics import is_labelled
from .mistakes import check_labels, check_shapes, warn_of_mode
from .mode import Mode
from .streaming import is_streamed
from .totals import Loss, Objective
from .weighting import WeightedData

AUGMENT = "for example augment=lambda x, y: (slopes.data.augment.shift(x, 2), y)"
BLOCK = 1 << 22  # values looked at together when searching for nan: keeps the temporary small


def check_dataset(dataset: Any, role: str = "dataset") -> tuple[Any, np.ndarray]:
    """Inputs and targets as arrays: as many of one as of the other, at least one, and none is nan or infinite.

    Streamed inputs are returned unchanged and not read.
    """
    if not (hasattr(dataset, "inputs") and hasattr(dataset, "targets")):
        raise ArgumentError(f"{role} is a {type(dataset).__name__} without inputs and targets", repair=repair_kind(dataset))
    inputs, targets = as_held(dataset.inputs), np.asarray(dataset.targets)
    parts, shapes = inputs_of(inputs), map_inputs(lambda array: array.shape, inputs)
    if not parts or targets.ndim == 0 or any(not array.shape or len(array) != len(targets) for array in parts):
        one = "; a tuple are several inputs: one is a list or an array" if isinstance(inputs, tuple) else ""
        raise ArgumentError(f"{role}: inputs {shapes} and targets {targets.shape} do not pair up",
                            why="their first axes count the examples", repair=f"pass one target per input{one}")
    if len(targets) == 0:
        raise ArgumentError(f"{role} has no examples: inputs {shapes}", repair="check how it was selected or split")
    named = [*zip(parts, input_names(inputs)), (targets, "targets")]
    for array, name in named:
        if array.dtype.kind not in "biuf":
            raise DTypeError(f"{role}.{name} are of type {array.dtype}, not numbers", why="a network computes with real numbers",
                             repair="give words and categories numbers: classes, y = np.unique(y, return_inverse=True)")
    for array, name in named:
        if isinstance(array, np.ndarray):
            check_finite(array, f"{role}.{name}")
    return inputs, targets


def as_held(inputs: Any) -> Any:
    """Each input as an array, except streamed ones, which are not read."""
    return map_inputs(lambda array: array if is_streamed(array) else np.asarray(array), inputs)


def repair_kind(dataset: Any) -> str:
    """What to pass instead of `dataset`."""
    if hasattr(dataset, "train"):
        return "these are splits: pass splits.train, and validation=splits.validation"
    return "give inputs and targets, fit(net, inputs, targets), or make a data set: slopes.data.Dataset(inputs, targets)"


def paired(dataset: Any, targets: Any = None, sample_weight: Any = None) -> Any:
    """The data set: as it is, or made of inputs and targets, passed separately or as a pair; a third array weights the examples."""
    if targets is None and type(dataset) is tuple and len(dataset) == 3 and sample_weight is None:
        dataset, targets, sample_weight = dataset
    made = as_dataset(dataset, targets)
    return made if sample_weight is None else WeightedData(made, sample_weight)


def as_dataset(dataset: Any, targets: Any = None) -> Any:
    """The data set: as it is, or made of inputs and targets."""
    if targets is None:
        if not (type(dataset) is tuple and len(dataset) == 2):
            return dataset
        dataset, targets = dataset
    if hasattr(dataset, "targets") or isinstance(dataset, Loader):
        raise ArgumentError(f"targets are given twice: a {type(dataset).__name__} has its own", repair="leave one of them out")
    return Dataset(dataset, targets)


def check_finite(array: np.ndarray, name: str) -> None:
    """No value is nan or infinite; the error names the first example with one."""
    if not np.issubdtype(array.dtype, np.inexact):
        return
    flat = array.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        bad = ~np.isfinite(flat[start : start + BLOCK])
        if bad.any():
            index = np.unravel_index(start + int(bad.argmax()), array.shape)
            raise ArgumentError(f"{name}{[int(i) for i in index]} is {array[index]}",
                                why="every later number would become nan",
                                repair="remove such examples, or replace the values (np.nan_to_num)")


def check_kinds(net: Any, loss: Any, optimizer: Any = None) -> None:
    """A module, a function or None, and an optimizer (not its name or its class) or None."""
    if not isinstance(net, Module):
        made = isinstance(net, type) and issubclass(net, Module)
        repair = f"make one: {net.__name__}(...)" if made else "write a class with nn.Module as its base, or nn.Sequential(...)"
        raise ArgumentError(f"net is {shorten(net)}, not a module", why="parameters and modes are looked for in modules",
                            repair=repair)
    if loss is not None and not callable(loss):
        raise ArgumentError(f"loss is {shorten(loss)}, not a function (outputs, targets)",
                            repair=f"for example loss=nn.{like(loss, LOSSES, 'cross_entropy')}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        name = optimizer.__name__ if isinstance(optimizer, type) else optimizer
        kinds = [name for name, value in vars(optim).items() if isinstance(value, type) and issubclass(value, Optimizer)]
        kind = like(name, kinds, "Adam")
        raise ArgumentError(f"optimizer is {shorten(optimizer)}, not an optimizer", repair=f"for example optimizer=optim.{kind}(lr=1e-3)")


def like(word: Any, names: Iterable[str], usual: str) -> str:
    """The name that is most like a word, or the usual one."""
    near = difflib.get_close_matches(str(word).lower(), {name.lower(): name for name in names}, n=1, cutoff=0.4)
    return next((name for name in names if [name.lower()] == near), usual) if isinstance(word, str) else usual


def check_counts(batch_size: int, epochs: int | str = 0, accumulate: int = 1) -> None:
    """batch_size and accumulate are integers >= 1, epochs an integer >= 0 or "auto"."""
    for name, value, least in (("batch_size", batch_size, 1), ("epochs", epochs, 0), ("accumulate", accumulate, 1)):
        if name == "epochs" and isinstance(value, str):
            if value != AUTO:
                raise ArgumentError(f"epochs is {value!r}", repair="use an integer of at least 0, or 'auto', which stops early")
        elif isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ArgumentError(f"{name} is {value!r}", repair=f"use an integer of at least {least}")


def check_trial(net: Module, loss: Loss, inputs: Any, targets: np.ndarray, role: str, augment: Any, usual: bool,
                weighted: bool) -> Objective:
    """Try net and loss on one example, at once and without a trace: wrong shapes and types are found before anything is compiled.

    Then the labels of all examples are compared with the net's outputs, where the loss takes every label for a class. `usual`: nobody
    asked for this loss, the kind of targets did. `weighted`: the examples have weights.
    """
    i = first_counted(targets)
    first = map_inputs(lambda array: asarray(array[i : i + 1]), inputs)
    check_arguments(net, first, role)
    with Mode(net, training=False), no_grad():
        outputs = call_with(net, first)
        warn_of_mode(net)
        if loss in (cross_entropy, nll_loss):
            check_labels(targets, outputs.shape, role)
        check_shapes(loss, outputs, targets, usual)
        objective = try_loss(net, loss, outputs, first, asarray(targets[i : i + 1]), augment, weighted)
    check_counted(targets, objective.ignored, role)
    return objective


def first_counted(targets: np.ndarray) -> int:
    """The number of the first example that certainly has a target that counts (or 0): one that is no negative label."""
    if not is_labelled(targets):
        return 0
    return int((targets >= 0).reshape(len(targets), -1).any(axis=1).argmax())


def check_counted(targets: np.ndarray, ignored: frozenset[int], role: str) -> None:
    """Not all targets are labels that the loss leaves out."""
    if is_labelled(targets) and ignored and np.isin(targets, list(ignored)).all():
        raise ArgumentError(f"no target of {role} counts", why=f"all are {', '.join(map(str, sorted(ignored)))}, which the loss leaves out",
                            repair="give examples whose targets count, or another ignore_index")


def try_loss(net: Module, loss: Loss, outputs: Any, inputs: Any, targets: Tensor, augment: Any, weighted: bool) -> Objective:
    """The loss of one example, of what an augmentation makes of it, and of the example twice: whether the loss is a sum."""
    with record_means() as notes, weigh_examples(ones((targets.shape[0],)) if weighted else None) as weights:
        value = loss(outputs, targets)
    check_loss(value)
    if weights is not None and not weights.used:
        raise ArgumentError(f"the loss {getattr(loss, '__name__', type(loss).__name__)} cannot weight examples or classes",
                            why="it gives one number for a batch, in which nobody sees the examples",
                            repair="use the mean of a loss of slopes, or let your own end in nn.weighted_mean(values, 1), values (N, ...)")
    if augment is not None:
        seen, learned = check_augment(augment, inputs, targets)
        check_loss(loss(call_with(net, seen), learned))
    return Objective(loss, adds_up(loss, outputs, targets, float(value)), frozenset(notes.ignored))


def adds_up(loss: Loss, outputs: Any, targets: Tensor, once: float) -> bool:
    """Whether the loss of an example and itself is twice that of the example: a sum over examples; a mean stays what it is."""
    if not np.isfinite(once) or not once:
        return False
    twice = loss(map_tree(doubled, outputs), doubled(targets))
    return bool(np.isclose(float(twice), 2 * once, rtol=1e-4, atol=0))


def doubled(x: Any) -> Any:
    """A tensor with its rows twice; anything else as it is."""
    return concat([x, x], 0) if isinstance(x, Tensor) and x.ndim else x


def check_arguments(net: Module, inputs: Any, role: str) -> None:
    """The net takes as many arguments as there are inputs."""
    args = inputs_of(inputs)
    signature = inspect.signature(net.forward)
    try:
        signature.bind(*args)
    except TypeError as error:
        count = f"{len(args)} inputs" if len(args) != 1 else "1 input"
        names = ", ".join(signature.parameters)
        raise ArgumentError(f"{role} has {count}, but {type(net).__name__}.forward({names}) takes another number",
                            why=f"each input is one argument of the net: {error}",
                            repair="several inputs are a tuple, slopes.data.Dataset((first, second), targets); one is an array") from None


def check_augment(augment: Any, inputs: Any, targets: Tensor) -> tuple[Any, Tensor]:
    """What an augmentation makes of one example; an error unless it is (inputs, targets), as many as before."""
    if not callable(augment):
        raise ArgumentError(f"augment is {shorten(augment)}, not a function (inputs, targets)", repair=AUGMENT)
    made, again = (draw_again(augment, inputs, targets) for _ in range(2))
    if not (isinstance(made, tuple) and len(made) == 2 and all(isinstance(value, Tensor) for value in (*inputs_of(made[0]), made[1]))):
        kind = f"a tuple of {len(made)}" if isinstance(made, tuple) else f"a {type(made).__name__}"
        raise ArgumentError(f"augment returned {kind}, not (inputs, targets)", repair=AUGMENT)
    if any(value.shape[:1] != (1,) for value in (*inputs_of(made[0]), made[1])):
        shapes = map_inputs(lambda tensor: tensor.shape, made[0])
        raise ShapeError(f"augment made inputs {shapes} and targets {made[1].shape} of one example",
                         why="it must keep the number of examples", repair=AUGMENT)
    if any(not np.array_equal(one.numpy(), other.numpy(), equal_nan=True) for one, other in zip(flatten(made)[0], flatten(again)[0])):
        raise TraceError("augment made two different examples of one, with the same random numbers of slopes",
                         why="what else it draws or counts would be part of the program: the same in every step of every epoch",
                         repair=f"draw with slopes: sl.uniform, sl.normal, sl.bernoulli, or data.augment; {AUGMENT}")
    return made


def draw_again(augment: Any, inputs: Any, targets: Tensor) -> Any:
    """What an augmentation makes of an example, with the same random numbers each time."""
    with using(Generator(0)):
        return augment(inputs, targets)


def check_loss(value: Any) -> None:
    """A loss gives one number, as a tensor."""
    if not isinstance(value, Tensor):
        raise ArgumentError(f"the loss returned a {type(value).__name__}, not a tensor", why="its gradient is what the net learns from",
                            repair="compute it from outputs and targets with functions of slopes")
    if value.shape:
        raise ShapeError(f"the loss of one example has shape {value.shape}, not ()", why="one number is what training makes small",
                         repair='take its mean: reduction="mean", or .mean() at its end')


def check_last_batch(net: Module, inputs: Any, count: int, batch_size: int) -> None:
    """A last batch of one example is refused now when the net cannot learn from it (batch normalization), not after an epoch."""
    batch = min(batch_size, count)
    if count % batch != 1 and batch != 1:
        return
    try:
        with Mode(net, training=True), trace_args(map_inputs(batch_spec, inputs)) as call:
            call_with(net, call.args[0])
    except ShapeError as error:
        fitting = [size for size in range(2, count + 1) if count % size != 1]
        repair = f"use a batch size such as {min(fitting, key=lambda size: abs(size - batch))}" if fitting else "use more examples"
        examples = f"{count} {'example' if count == 1 else 'examples'} in batches of {batch}"
        raise ShapeError(f"{examples} leave a last batch of 1, which this net cannot learn from",
                         why=error.what, repair=repair) from error


def check_auto(validated: bool, average: Average | None, schedule: Any) -> None:
    """epochs="auto" ends by the validation loss, and goes back to earlier weights; no schedule counts on the number of steps."""
    numbered = "say how many epochs it trains: epochs=20"
    if not validated:
        raise ArgumentError("epochs='auto' needs validation data", why="the training ends when the validation loss no longer improves",
                            repair=f"give fit validation=..., or {numbered}")
    if average is not None:
        raise ArgumentError("epochs='auto' with average=", why="the net gets its weights of the best epoch, but the average has those of "
                            "the last", repair=numbered)
    if isinstance(schedule, Schedule):
        try:
            schedule(0)
        except ArgumentError as error:
            raise ArgumentError(f"epochs='auto' with the schedule {schedule}", why="it extends over all steps, and how many there are "
                                "shows only at the end", repair=f"{numbered}, or give the schedule its steps, or take Plateau") from error


def check_optimizer(optimizer: Optimizer, bound: Sequence[Tensor], net: Module) -> None:
    """A bound optimizer changes parameters of this net only."""
    own = {id(parameter) for parameter in net.parameters()}
    foreign = sum(id(parameter) not in own for parameter in bound)
    if foreign:
        name = type(optimizer).__name__
        raise ArgumentError(f"{name} is bound to {len(bound)} parameters, of which {foreign} are not of this net",
                            why=f"it was made for, or used with, another net; this one has {len(own)} parameters",
                            repair=f"make a new one: optim.{name}(lr=...), without parameters: fit binds it")


def check_average(average: Any, net: Module) -> None:
    """An average is an optim.Average, of this net's parameters if of any."""
    if average is not None and not isinstance(average, Average):
        raise ArgumentError(f"average is {shorten(average)}, not an average", repair="for example average=optim.Average(0.999)")
    own = {id(parameter) for parameter in net.parameters()}
    if average is not None and any(id(parameter) not in own for parameter in average.parameters):
        raise ArgumentError("average is bound to parameters that are not of this net", why="it was used with another net",
                            repair="make a new one: optim.Average(0.999), without parameters: fit binds it")
