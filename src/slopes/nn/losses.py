"""Loss functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constraint import OPTIONAL_WHOLE, POSITIVE, SHARE_OR_ONE, Constraint, check, one_of
from ..errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from ..graph.build import build
from ..graph.composite import composed
from ..graph.dtype import is_float, is_integer
from ..graph.scopes import named_call
from ..guarded import guarded
from ..ops import composite
from ..ops.activations import decay
from ..tensor import Tensor, asarray
from .means import mean_loss, note_ignored
from .where import known_value

REDUCTION = one_of("mean", "sum", "none")
KL_REDUCTION = one_of("mean", "batchmean", "sum", "none")
CONSTRAINTS: dict[str, dict[str, Constraint]] = {
    "cross_entropy": {"reduction": REDUCTION, "label_smoothing": SHARE_OR_ONE, "ignore_index": OPTIONAL_WHOLE},
    "nll_loss": {"reduction": REDUCTION, "ignore_index": OPTIONAL_WHOLE},
    "log_likelihood": {"reduction": REDUCTION},
    "binary_cross_entropy_with_logits": {"reduction": REDUCTION},
    "mse_loss": {"reduction": REDUCTION},
    "l1_loss": {"reduction": REDUCTION},
    "huber_loss": {"reduction": REDUCTION, "delta": POSITIVE},
    "kl_div": {"reduction": KL_REDUCTION},
    "hinge_loss": {"reduction": REDUCTION, "margin": POSITIVE},
}


# Classes


def in_nn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a loss: its nodes are a region, and wrong arguments raise errors of slopes."""
    return guarded(named_call(function), owner="nn")


@in_nn
def cross_entropy(logits: Any, labels: Any, reduction: str = "mean", weight: Any = None, label_smoothing: float = 0.0,
                  ignore_index: int | None = None) -> Tensor:
    """loss_i = -log softmax(logits_i)[label_i]: the negative log likelihood of the correct class.

    logits: (N, C) or (N, C, ...), floats; labels: (N,) or (N, ...), integers in 0..C-1. The result is a scalar, or with
    reduction="none" has the labels' shape. `weight` (C,) weights classes; "mean" then divides by the sum of the weights.
    label_smoothing e mixes e / C of every class into the target (Szegedy et al., 2016). Examples with the label `ignore_index`
    are ignored: neither value nor gradient depends on their logits. If all are ignored, the mean is nan, as in PyTorch, and its
    gradient 0. A term with weight or target probability 0 is 0, even if its logit is -inf.
    Computed from shifted logits: no overflow for logits of 1e4.
    Float labels of the logits' shape are class probabilities, as from mixup: loss_i = -sum_c p_ic log softmax(logits_i)[c], times
    weight_c if there are weights; "mean" divides by the number of examples.
    Raises DTypeError for labels of another dtype, ShapeError for shapes that do not match and for the mean of an empty batch (nan
    in PyTorch), OutOfRangeError for labels outside 0..C-1.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.cross_entropy(sl.zeros((2, 10)), sl.tensor([3, 7]))), 6)  # log 10
    2.302585
    """
    check("cross_entropy", CONSTRAINTS["cross_entropy"],
          {"reduction": reduction, "label_smoothing": label_smoothing, "ignore_index": ignore_index})
    logits, labels = asarray(logits), asarray(labels)
    if is_float(labels.dtype) and labels.ndim > 1 and labels.shape == logits.shape:
        return soft_class_loss(logits, labels, reduction, weight, label_smoothing, ignore_index)
    logits, labels = class_scores("cross_entropy", logits, labels, ignore_index)
    log_probabilities = composite.log_softmax(logits, axis=1)
    return class_loss("cross_entropy", log_probabilities, labels, reduction, weight, label_smoothing, ignore_index)


@in_nn
def token_cross_entropy(logits: Any, labels: Any, label_smoothing: float = 0.0, ignore_index: int | None = -100) -> Tensor:
    """The mean of cross_entropy over the tokens of sequences, with classes on the last axis; padding, labelled -100, is ignored.

    logits: (..., C), such as (N, T, C) of a language model, floats; labels: (...), integers in 0..C-1 or `ignore_index`. For whole
    sequences with one label each, logits are (N, C). If all are ignored, the mean is nan, as in PyTorch; `fit` refuses such batches.
    Errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.token_cross_entropy(sl.zeros((2, 3, 10)), sl.tensor([[1, 2, -100], [3, -100, -100]]))), 6)  # log 10
    2.302585
    """
    logits, labels = asarray(logits), asarray(labels)
    if logits.ndim < 2 or labels.shape != logits.shape[:-1]:
        raise ShapeError(f"token_cross_entropy: outputs have shape {tuple(logits.shape)}, labels {tuple(labels.shape)}",
                         why="the last axis of the outputs is the class axis, and there is one label for each index of the others",
                         repair="if the classes are axis 1, use nn.cross_entropy")
    return cross_entropy(logits.reshape((-1, logits.shape[-1])), labels.reshape((-1,)), label_smoothing=label_smoothing,
                         ignore_index=ignore_index)


@in_nn
def nll_loss(log_probabilities: Any, labels: Any, reduction: str = "mean", weight: Any = None,
             ignore_index: int | None = None) -> Tensor:
    """loss_i = -log_probabilities_i[label_i]: cross_entropy for log probabilities, such as the output of LogSoftmax.

    Shapes, options and errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.nll_loss(sl.tensor([[-0.5, -1.0]]), sl.tensor([1])))
    1.0
    """
    check("nll_loss", CONSTRAINTS["nll_loss"], {"reduction": reduction, "ignore_index": ignore_index})
    log_probabilities, labels = class_scores("nll_loss", log_probabilities, labels, ignore_index)
    return class_loss("nll_loss", log_probabilities, labels, reduction, weight, 0.0, ignore_index)


@in_nn
def log_likelihood(logits: Any, labels: Any, reduction: str = "mean") -> Tensor:
    """log softmax(logits_i)[label_i] = -cross_entropy: the objective to maximize by gradient ascent.

    Shapes and errors as in cross_entropy.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.log_likelihood(sl.zeros((2, 10)), sl.tensor([3, 7]))), 6)
    -2.302585
    """
    check("log_likelihood", CONSTRAINTS["log_likelihood"], {"reduction": reduction})
    logits, labels = class_scores("log_likelihood", logits, labels, None)
    return -class_loss("log_likelihood", composite.log_softmax(logits, axis=1), labels, reduction, None, 0.0, None)


@in_nn
def hinge_loss(scores: Any, labels: Any, reduction: str = "mean", margin: float = 1.0) -> Tensor:
    """loss_i = sum over j != y of max(0, s_j - s_y + margin), y the label: zero if the correct class leads by the margin.

    scores: (N, C), labels: (N,). PyTorch's multi_margin_loss is this divided by C. Errors as in cross_entropy.
    Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.hinge_loss(sl.tensor([[-2.85, 0.86, 0.28]]), sl.tensor([2]))), 2)
    1.58
    """
    check("hinge_loss", CONSTRAINTS["hinge_loss"], {"reduction": reduction, "margin": margin})
    scores, labels = class_scores("hinge_loss", scores, labels, None)
    indices = with_class_axis(labels)
    margins = composite.relu(scores - build("take_along_axis", scores, indices, axis=1) + margin)
    return reduce(margins.sum(axis=1) - margin, reduction)  # the term of the correct class is the margin


def class_loss(owner: str, log_probabilities: Tensor, labels: Tensor, reduction: str, weight: Any, smoothing: float,
               ignore_index: int | None) -> Tensor:
    """The weighted negative log likelihood of labels, shared by cross_entropy and nll_loss."""
    classes = log_probabilities.shape[1]
    note_ignored(ignore_index)
    counted = None if ignore_index is None else labels != ignore_index
    valid = labels if counted is None else build("where", counted, labels, labels - labels)
    weight = None if weight is None else class_weight(owner, weight, classes, log_probabilities)
    shares = example_weight(weight, valid, counted, log_probabilities)
    losses = label_losses(log_probabilities, valid)
    if weight is not None:
        losses = weigh(losses, build("take", weight, valid, axis=0))
    if smoothing:
        losses = losses * (1 - smoothing) + smoothing_loss(log_probabilities, weight) * (smoothing / classes)
    if counted is not None:
        losses = build("where", counted, losses, 0)
    return mean_loss(losses, shares) if reduction == "mean" and shares is not None else reduce(losses, reduction)


def soft_class_loss(logits: Tensor, shares: Tensor, reduction: str, weight: Any, smoothing: float, ignore_index: int | None) -> Tensor:
    """cross_entropy for class probabilities as targets."""
    if ignore_index is not None:
        raise ArgumentError("cross_entropy: ignore_index needs integer labels, but these are probabilities",
                            why="probabilities contain no index", repair="omit ignore_index, and remove such examples")
    check_probabilities(known_value(shares))
    log_probabilities = composite.log_softmax(logits, axis=1)
    targets = shares.astype(log_probabilities.dtype)
    if smoothing:
        targets = targets * (1 - smoothing) + smoothing / logits.shape[1]
    if weight is not None:
        weight = class_weight("cross_entropy", weight, logits.shape[1], log_probabilities)
        targets = targets * weight.reshape((1, -1) + (1,) * (logits.ndim - 2))
    return reduce(-weigh(log_probabilities, targets).sum(axis=1), reduction)


def check_probabilities(values: np.ndarray | None) -> None:
    """OutOfRangeError unless class probabilities, if known, are at least 0 and sum to 1 along axis 1."""
    if values is None or not values.size:
        return
    sums = values.sum(axis=1)
    if (values >= 0).all() and (np.abs(sums - 1) < 1e-2).all():
        return
    problem = f"one is {values.min()}" if not values.min() >= 0 else f"one sum is {sums.ravel()[np.abs(sums - 1).argmax()]:.4g}"
    raise OutOfRangeError("cross_entropy: the labels are floats of the outputs' shape, but not class probabilities",
                          why=f"{problem}; along axis 1 they must be at least 0 and sum to 1",
                          repair="for regression, use nn.mse_loss; for classes, pass integers of shape (N,)")


def example_weight(weight: Tensor | None, labels: Tensor, counted: Tensor | None, like: Tensor) -> Tensor | None:
    """The weight of each example in a mean; None if all are equal."""
    shares = None if weight is None else build("take", weight, labels, axis=0)
    if counted is None:
        return shares
    counts = counted.astype(like.dtype)
    return counts if shares is None else shares * counts


def smoothing_loss(log_probabilities: Tensor, weight: Tensor | None) -> Tensor:
    """The sum over classes of the (weighted) negative log probabilities."""
    if weight is not None:
        log_probabilities = weigh(log_probabilities, weight.reshape((1, -1) + (1,) * (log_probabilities.ndim - 2)))
    return -log_probabilities.sum(axis=1)


def weigh(losses: Tensor, weight: Tensor) -> Tensor:
    """Losses times weights; 0 where the weight is 0, even if the loss is not finite."""
    return composite.where((weight == 0) & ~build("isfinite", losses), 0, losses) * weight


def class_weight(owner: str, weight: Any, classes: int, like: Tensor) -> Tensor:
    weight = asarray(weight).astype(like.dtype)
    if weight.shape != (classes,):
        raise ShapeError(f"{owner}: weight has shape {weight.shape}, but there are {classes} classes",
                         repair=f"pass one weight per class: shape ({classes},)")
    return weight


def with_class_axis(labels: Tensor) -> Tensor:
    return labels.reshape((labels.shape[0], 1, *labels.shape[1:]))


@composed(2)
def label_losses(log_probabilities: Any, labels: Any) -> Any:
    """The negative log probability of each example's label."""
    indices = build("reshape", labels, shape=(labels.shape[0], 1, *labels.shape[1:]))
    return -build("reshape", build("take_along_axis", log_probabilities, indices, axis=1), shape=labels.shape)


# Regression and probabilities


@in_nn
def binary_cross_entropy_with_logits(logits: Any, targets: Any, reduction: str = "mean", weight: Any = None,
                                     pos_weight: Any = None) -> Tensor:
    """loss = -(t log s + (1 - t) log(1 - s)) with s = sigmoid(logits), computed as softplus(x) - t x: no overflow.

    logits and targets: the same shape, targets from 0 to 1. `weight` multiplies each element's loss (it broadcasts); `pos_weight`
    multiplies the term of positive targets. A term with weight 0 is 0, even if it is infinite: the loss of an infinite logit is 0
    if it agrees with its target (nan in PyTorch), otherwise inf. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> round(float(nn.binary_cross_entropy_with_logits(sl.tensor([0.0, 0.0]), sl.tensor([0.0, 1.0]))), 6)  # log 2
    0.693147
    """
    check("binary_cross_entropy_with_logits", CONSTRAINTS["binary_cross_entropy_with_logits"], {"reduction": reduction})
    x, t = same_shape("binary_cross_entropy_with_logits", logits, targets)
    if pos_weight is None:
        losses = weigh(x, composite.where(x < 0, -t, 1 - t)) + build("log1p", decay(x))
    else:
        losses = weigh(x, 1 - t) + weigh(composite.softplus(-x), 1 + (asarray(pos_weight) - 1) * t)
    return reduce(losses if weight is None else weigh(losses, asarray(weight)), reduction)


@in_nn
def mse_loss(outputs: Any, targets: Any, reduction: str = "mean") -> Tensor:
    """loss = (output - target)^2, by default its mean over all elements; reduction="sum" is the squared distance.

    outputs and targets: the same shape. Raises ShapeError when the shapes differ: nothing is broadcast.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.mse_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    2.0
    """
    check("mse_loss", CONSTRAINTS["mse_loss"], {"reduction": reduction})
    x, t = same_shape("mse_loss", outputs, targets)
    difference = x - t
    return reduce(difference * difference, reduction)


@in_nn
def squared_loss(outputs: Any, targets: Any) -> Tensor:
    """loss = sum of (output - target)^2 over all elements (textbooks often use half of it).

    outputs and targets: the same shape. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.squared_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    4.0
    """
    x, t = same_shape("squared_loss", outputs, targets)
    difference = x - t
    return (difference * difference).sum()


@in_nn
def l1_loss(outputs: Any, targets: Any, reduction: str = "mean") -> Tensor:
    """loss = |output - target|; the gradient at 0 is 0. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> float(nn.l1_loss(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0])))
    1.0
    """
    check("l1_loss", CONSTRAINTS["l1_loss"], {"reduction": reduction})
    x, t = same_shape("l1_loss", outputs, targets)
    return reduce(abs(x - t), reduction)


@in_nn
def huber_loss(outputs: Any, targets: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """loss = d^2 / 2 where d = |output - target| <= delta, otherwise delta (d - delta / 2): quadratic near 0, then linear.

    Raises ShapeError when the shapes differ. Source: Huber, "Robust estimation of a location parameter", 1964.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.huber_loss(sl.tensor([1.0, 3.0]), sl.tensor([0.0, 0.0]), reduction="none").numpy().tolist()
    [0.5, 2.5]
    """
    check("huber_loss", CONSTRAINTS["huber_loss"], {"reduction": reduction, "delta": delta})
    x, t = same_shape("huber_loss", outputs, targets)
    distance = abs(x - t)
    near = build("minimum", distance, delta)  # d^2 / 2 up to delta, then near * d - near^2 / 2
    return reduce(near * (distance - near * 0.5), reduction)


@in_nn
def kl_div(log_probabilities: Any, targets: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """loss = t (log t - log p): the Kullback-Leibler divergence of targets t from outputs p, elementwise; 0 where t = 0,
    even if log p is -inf.

    log_probabilities: log p; targets: t, or log t with log_target=True; same shape. reduction="batchmean" sums and divides by
    the batch size: the divergence itself. Raises ShapeError when the shapes differ.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> half = sl.tensor([[0.5, 0.5]])
    >>> float(nn.kl_div(sl.log(half), half, reduction="batchmean"))
    0.0
    """
    check("kl_div", CONSTRAINTS["kl_div"], {"reduction": reduction})
    x, t = same_shape("kl_div", log_probabilities, targets)
    if log_target:
        losses = weigh(t - x, build("exp", t))
    else:
        positive = t > 0
        losses = build("where", positive, t * build("log", build("where", positive, t, t * 0 + 1)), t * 0) - weigh(x, t)
    return losses.sum() / x.shape[0] if reduction == "batchmean" else reduce(losses, reduction)


# Choosing a loss


@dataclass(frozen=True)
class Choice:
    """A loss, the target distribution that it models, the output that it expects, and the reason."""

    loss: Callable[..., Tensor]
    distribution: str
    output: str
    why: str

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        return self.loss(outputs, targets)

    def __str__(self) -> str:
        return f"{self.distribution}: nn.{self.loss.__name__}; outputs are {self.output}; {self.why}"


CHOICES = {
    "categorical": Choice(cross_entropy, "categorical", "logits, one per class, without a softmax layer",
                          "the negative log likelihood of one of several classes under a softmax"),
    "bernoulli": Choice(binary_cross_entropy_with_logits, "bernoulli", "one logit per yes-or-no answer, without a sigmoid layer",
                        "the negative log likelihood of yes or no under a sigmoid"),
    "gaussian": Choice(mse_loss, "gaussian", "real numbers, from a linear layer",
                       "the negative log likelihood of a normal distribution of fixed width, up to a constant and a factor"),
    "laplace": Choice(l1_loss, "laplace", "real numbers, from a linear layer",
                      "the negative log likelihood of a Laplace distribution of fixed width, up to a constant and a factor; "
                      "robust to outliers"),
}


def loss_for(distribution: str) -> Choice:
    """The loss for a distribution of the targets. It can be called like the loss, and printing it explains the choice.

    Every one is a negative log likelihood (Goodfellow et al., "Deep learning", section 6.2).
    Raises ArgumentError for an unknown name.

    >>> from slopes import nn
    >>> print(nn.loss_for("categorical").why)
    the negative log likelihood of one of several classes under a softmax
    """
    if distribution not in CHOICES:
        raise ArgumentError(f"loss_for: {distribution!r} is not a known distribution",
                            repair="choose " + ", ".join(CHOICES))
    return CHOICES[distribution]


# Checks


def reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction == "mean" and not losses.size:
        raise ShapeError(f"the mean loss of an empty batch: the losses have shape {losses.shape}",
                         why="the mean of no values is nan, and would make every weight nan",
                         repair='skip empty batches, or use reduction="sum", which is 0')
    return losses.sum() if reduction == "sum" else mean_loss(losses)


def same_shape(owner: str, outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Outputs and targets as floating-point tensors of one shape."""
    x, t = asarray(outputs), asarray(targets)
    if x.shape != t.shape:
        raise ShapeError(f"{owner}: outputs have shape {x.shape}, but targets {t.shape}",
                         why="each output is compared with its own target; nothing is broadcast",
                         repair=reshape_hint(x.shape, t.shape))
    if not is_float(x.dtype):
        raise DTypeError(f"{owner}: outputs are {x.dtype}, not floats", repair="outputs.astype(slopes.float32)")
    return x, t if is_float(t.dtype) else t.astype(x.dtype)


def reshape_hint(outputs: tuple[int, ...], targets: tuple[int, ...]) -> str:
    trimmed = [[n for n in shape if n != 1] for shape in (outputs, targets)]
    return f"targets.reshape({', '.join(map(str, (-1, *outputs[1:])))})" if outputs and trimmed[0] == trimmed[1] else ""


def class_scores(owner: str, scores: Any, labels: Any, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Scores (N, C, ...) and labels (N, ...) as tensors, after all checks."""
    scores, labels = asarray(scores), asarray(labels)
    if not is_float(scores.dtype):
        raise DTypeError(f"{owner}: the outputs are {scores.dtype}, not floats", repair="outputs.astype(slopes.float32)")
    if not is_integer(labels.dtype):
        raise label_type_error(owner, scores, labels)
    if scores.ndim < 2 or labels.shape != (scores.shape[0], *scores.shape[2:]):
        raise label_shape_error(owner, tuple(scores.shape), tuple(labels.shape))
    values = known_value(labels)
    if values is not None:
        check_labels(owner, values, scores.shape[1], ignore_index)
    return scores, labels if labels.dtype.kind == "i" else labels.astype(np.int64)


def label_type_error(owner: str, scores: Tensor, labels: Tensor) -> DTypeError:
    repair = "labels.astype(slopes.int64)"
    if labels.shape == scores.shape and labels.ndim > 1:
        repair = "one row per label looks like one-hot: labels.argmax(axis=1)"
    return DTypeError(f"{owner}: labels are {labels.dtype} of shape {labels.shape}, not integers",
                      why="a label is the index of the correct class", repair=repair)


def label_shape_error(owner: str, scores: tuple[int, ...], labels: tuple[int, ...]) -> ShapeError:
    what = f"{owner}: outputs have shape {scores}, labels {labels}"
    if len(scores) < 2:
        return ShapeError(what, why="outputs need an axis of examples and one of classes",
                          repair="for one example, outputs.reshape(1, -1)")
    expected = (scores[0], *scores[2:])
    repair = f"labels of shape {expected} match these outputs"
    if labels == (*expected, 1) or labels == (expected[0], 1, *expected[1:]):
        repair = f"labels.reshape({', '.join(map(str, (-1, *expected[1:])))})"
    elif labels == scores:
        repair = "one row per label looks like one-hot: labels.argmax(axis=1)"
    return ShapeError(what, why="labels have the shape of the outputs without the class axis (axis 1)", repair=repair)


def check_labels(owner: str, values: np.ndarray, classes: int, ignore_index: int | None) -> None:
    """OutOfRangeError for the first label that is not a class index."""
    wrong = (values < 0) | (values >= classes)
    if ignore_index is not None:
        wrong &= values != ignore_index
    if not wrong.any():
        return
    index = tuple(int(n) for n in np.argwhere(wrong)[0])
    value = int(values[index])
    where = ", ".join(map(str, index))
    raise OutOfRangeError(f"{owner}: labels[{where}] is {value}, but there are {classes} classes, 0 to {classes - 1}",
                          why=f"{int(wrong.sum())} of {values.size} labels {'is' if wrong.sum() == 1 else 'are'} outside of them",
                          repair=label_repair(value, values, classes))


def label_repair(value: int, values: np.ndarray, classes: int) -> str:
    if value < 0:
        return f"to ignore examples labelled {value}, pass ignore_index={value}"
    if int(values.min()) >= 1 and int(values.max()) == classes:
        return "classes are counted from 0: labels - 1"
    return f"give the last layer {int(values.max()) + 1} outputs"
