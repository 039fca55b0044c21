"""Common mistakes that can be detected before a training: errors and warnings with a repair to copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.loaders.inputs import call_with, map_inputs
from ..errors import ArgumentError, OutOfRangeError, ShapeError, warn
from ..graph.walk import topological
from ..modes import no_grad
from ..nn.activations import Sigmoid
from ..nn.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from ..nn.module import Module
from ..tensor import Tensor, asarray
from ..trace_call import batch_spec, trace_args
from ..tree import map_tree
from .metrics import is_labelled
from .mode import Mode
from .totals import Loss

BATCH = 64  # examples with which a custom loss is tried, if there are as many
ODD = 97  # a number of examples that is no other size
LOOKED_AT = 4  # examples whose outputs are looked at
NAMED = 5  # classes that are listed


def check_shapes(loss: Loss, outputs: Any, targets: np.ndarray, usual: bool) -> None:
    """The loss accepts outputs and targets of these shapes: traced for the whole data set, so that errors name its shapes."""
    if usual and loss is mse_loss:
        check_numbers(tuple(outputs.shape[1:]), targets)
    count = len(targets) if of_slopes(loss) else min(len(targets), BATCH)
    value = traced_loss(loss, outputs, targets, count)
    if not of_slopes(loss) and isinstance(outputs, Tensor) and isinstance(value, Tensor):
        check_pairing(loss, outputs, targets)


def of_slopes(code: Any) -> bool:
    """Whether a function, a class or an object of a class is slopes' own."""
    return (getattr(code, "__module__", None) or "").startswith(__package__.partition(".")[0] + ".")


def traced_loss(loss: Loss, outputs: Any, targets: np.ndarray, count: int) -> Any:
    """The loss of `count` examples, with shapes instead of numbers."""
    outputs = map_tree(lambda leaf: batch_spec(leaf, count) if is_batch(leaf) else leaf, outputs)
    with trace_args(outputs, batch_spec(targets, count)) as call, no_grad():
        return loss(*call.args)


def is_batch(x: Any) -> bool:
    """Whether this is an output for one example."""
    return isinstance(x, Tensor) and x.shape[:1] == (1,)


def check_pairing(loss: Loss, outputs: Tensor, targets: np.ndarray) -> None:
    """A custom loss does not compare every output with every target, as it would where outputs are (N, 1) and targets (N,)."""
    one, other = tuple(outputs.shape[1:]), targets.shape[1:]
    if {one, other} != {(), (1,)}:
        return
    value = traced_loss(loss, outputs, targets, ODD)
    paired = any(node.shape == (ODD, ODD) and any(arg.shape == (ODD,) for arg in node.args) for node in topological([value._node]))
    if paired:
        count = len(targets)
        raise ShapeError(f"the loss compares each of {count} outputs with each of {count} targets: outputs have shape "
                         f"{(count, *one)}, targets {targets.shape}", why="the shorter shape is repeated along a new first axis",
                         repair=f"{reshape_to(one)}; to pair all with all, say so: x[None, :]")


def reshape_to(shape: tuple[int, ...]) -> str:
    """`targets.reshape(-1, 1)`: the targets in the shape of outputs (N, *shape)."""
    return f"targets.reshape({', '.join(map(str, (-1, *shape)))})"


def check_numbers(shape: tuple[int, ...], targets: np.ndarray) -> None:
    """Floats are numbers that the net should give, one for each output."""
    if targets.shape[1:] == shape:
        return
    shapes = f"the net's outputs have shape {(len(targets), *shape)}, but targets {targets.shape}"
    why = "targets that are floats are taken as numbers, with nn.mse_loss, as none was asked for"
    whole = bool((targets == np.round(targets)).all())
    if whole and len(shape) == targets.ndim and targets.min() >= 0 and targets.max() < shape[0]:
        raise ShapeError(shapes, why=why, repair="if they are classes: targets.astype(np.int64)")
    fits = np.prod(shape, dtype=int) == np.prod(targets.shape[1:], dtype=int)
    raise ShapeError(shapes, why=why, repair=reshape_to(shape) if fits else
                     f"give the last layer {int(np.prod(targets.shape[1:], dtype=int))} outputs")


def check_labels(targets: np.ndarray, outputs: tuple[int, ...], role: str = "dataset") -> None:
    """Integer targets lie in 0..classes - 1 where the net's outputs are (N, classes, ...)."""
    if not is_labelled(targets) or len(outputs) != targets.ndim + 1:
        return
    bad = (targets < 0) | (targets >= outputs[1])
    if bad.any():
        index = np.unravel_index(int(bad.argmax()), targets.shape)
        at = [int(i) for i in index]
        raise OutOfRangeError(
            f"{role}.targets{at} is {int(targets[index])}, but the net has {outputs[1]} outputs: classes 0 to {outputs[1] - 1}",
            why=f"the labels run from {targets.min()} to {targets.max()}",
            repair=label_repair(targets, outputs[1], np.unique(targets[bad])))


def label_repair(targets: np.ndarray, classes: int, wrong: np.ndarray) -> str:
    """What to do about labels outside of the classes."""
    least, largest = int(targets.min()), int(targets.max())
    as_floats = "targets.astype(np.float32).reshape(-1, 1)"
    if classes == 1 and (least, largest) == (0, 1):
        return f"for yes or no with one output: loss=nn.binary_cross_entropy_with_logits and {as_floats}; else two outputs"
    if classes == 1:
        return f"for numbers: loss=nn.mse_loss and {as_floats}; for classes, give the last layer {largest + 1} outputs"
    if least >= 1 and largest == classes:
        return "classes are counted from 0: targets - 1"
    if least >= 0:
        return f"give the last layer {largest + 1} outputs"
    marked = f": loss=lambda outputs, targets: nn.cross_entropy(outputs, targets, ignore_index={least})" if len(wrong) == 1 else ""
    return f"number the classes from 0, or leave unlabelled examples out{marked}"


def warn_of_mode(net: Module) -> None:
    """Warn of layers that are in train mode after the net was called in eval mode: its forward switched them."""
    switched = [path or net.name for path, module in net.named_modules() if module.training]
    if switched:
        warn(f"{switched[0]} is in train mode again after the net was called in eval mode", why="forward calls its train(): it drops "
             "units, or takes the moments of the batch, where the net is used or measured, too", repair="leave that call out")


def warn_of_outputs(net: Module, loss: Loss, inputs: Any) -> None:
    """Warn of outputs that this loss is not made for: the net would learn slowly or nothing, without an error."""
    if loss not in (cross_entropy, nll_loss, binary_cross_entropy_with_logits):
        return
    with Mode(net, training=False), no_grad():
        values = call_with(net, map_inputs(lambda array: asarray(array[:LOOKED_AT]), inputs)).numpy()
        with trace_args(map_inputs(batch_spec, inputs)) as call:
            outputs = call_with(net, call.args[0])
    trace = call.trace
    last = [trace.layers[path] for path, node in trace.notes.items() if node is outputs._node and path in trace.layers]
    if loss is binary_cross_entropy_with_logits:
        if any(isinstance(layer, Sigmoid) for layer in last):
            warn("the net ends in a Sigmoid, which binary_cross_entropy_with_logits computes itself", why="twice, it learns slowly, "
                 "and every answer is above one half", repair="leave the Sigmoid out: an output above 0 then means yes")
        return
    if loss is cross_entropy and are_probabilities(values):
        warn("the outputs are probabilities already, and cross_entropy takes a softmax of them", why="twice, it learns slowly, and no "
             "class gets near 1", repair="leave the Softmax at the end out, or take nn.LogSoftmax() and loss=nn.nll_loss")
    if loss is nll_loss and (values > 1e-5).any():
        warn(f"nll_loss takes log probabilities, which are at most 0, but an output is {values.max():.3g}",
             why="it would only make the output of the right class large",
             repair="end the net in nn.LogSoftmax(), or take loss=nn.cross_entropy without it")


def are_probabilities(values: np.ndarray) -> bool:
    """Whether outputs (N, classes, ...) are strictly between 0 and 1 and sum to 1 over the classes: logits never do."""
    inside = values.ndim > 1 and values.shape[1] > 1 and bool(((values > 0) & (values < 1)).all())
    return inside and bool((np.abs(values.sum(axis=1) - 1) < 1e-5).all())


def warn_of_classes(loss: Loss, dataset: Any, validation: Sequence[Any]) -> None:
    """Warn of one class only, and of classes that are in the validation data but not in the training data."""
    if loss not in (cross_entropy, nll_loss) or not is_labelled(dataset.targets):
        return
    learned = np.asarray(dataset.targets)
    for held_out in validation:
        warn_of_unseen_classes(dataset, held_out)
    if not validation and learned.size > 1 and learned.min() == learned.max():
        warn(f"all {learned.size} targets are class {learned.flat[0]}", why="the net learns to answer this, whatever it is asked",
             repair="look how the examples were selected or sorted before they were divided; slopes.data.split mixes them")


def warn_of_unseen_classes(dataset: Any, validation: Any) -> None:
    """Warn of classes without a training example: few examples may be so, a bad division too."""
    learned, asked = (np.bincount(np.asarray(data.targets).reshape(-1)) for data in (dataset, validation))
    unseen = [label for label in np.flatnonzero(asked) if label >= len(learned) or not learned[label]]
    if unseen:
        names = getattr(dataset, "classes", None)
        listed = [str(label) if names is None else f"{names[label]} ({label})" for label in unseen]
        more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
        warn(f"{asked[unseen].sum()} of {asked.sum()} {validation.role} targets are of classes without any training example: "
             f"{', '.join(listed[:NAMED])}{more}",
             why="a net learns never to answer what it never sees",
             repair="divide the data class by class, as slopes.data.split does, or leave these classes out")


def warn_of_zeros(net: Module) -> None:
    """Warn of weights that are all 0, in two layers or more: no gradient reaches any but the last."""
    weights = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    if len(weights) > 1 and not any(np.any(parameter.detach().numpy()) for parameter in weights):
        warn(f"all {len(weights)} weights of the net are 0", why="the gradient of a weight is 0 where those after it are: only the last "
             "bias learns", repair="begin with small random weights, as layers do: nn.init.kaiming_uniform(layer.weight)")


def check_learns(net: Module) -> None:
    """At least one of the net's parameters, if it has any, learns."""
    parameters = net.parameters()
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        raise ArgumentError(f"{type(net).__name__} has no parameter that learns", why="all have requires_grad = False",
                            repair="set parameter.requires_grad = True where something shall be learned")
