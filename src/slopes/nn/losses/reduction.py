"""What losses share: regions in graphs, operands of one shape, weights, and the reduction of the losses of elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...constraint import FLAG, NATURAL, NOT_NEGATIVE, OPTIONAL_WHOLE, POSITIVE, REAL, SHARE_OR_ONE, Constraint, one_of
from ...errors import DTypeError, ShapeError
from ...graph.build import build
from ...graph.dtype import is_float
from ...graph.scopes import named_call
from ...guarded import guarded
from ...ops import composite
from ...tensor import Tensor, asarray
from ..means import mean_loss

REDUCTION = one_of("mean", "sum", "none")
KL_REDUCTION = one_of("mean", "batchmean", "sum", "none")
CONSTRAINTS: dict[str, dict[str, Constraint]] = {
    "cross_entropy": {"reduction": REDUCTION, "label_smoothing": SHARE_OR_ONE, "ignore_index": OPTIONAL_WHOLE},
    "nll_loss": {"reduction": REDUCTION, "ignore_index": OPTIONAL_WHOLE},
    "log_likelihood": {"reduction": REDUCTION},
    "multi_margin_loss": {"p": one_of(1, 2), "margin": REAL, "reduction": REDUCTION},
    "binary_cross_entropy": {"reduction": REDUCTION},
    "binary_cross_entropy_with_logits": {"reduction": REDUCTION},
    "soft_margin_loss": {"reduction": REDUCTION},
    "multilabel_margin_loss": {"reduction": REDUCTION},
    "multilabel_soft_margin_loss": {"reduction": REDUCTION},
    "mse_loss": {"reduction": REDUCTION},
    "l1_loss": {"reduction": REDUCTION},
    "huber_loss": {"reduction": REDUCTION, "delta": POSITIVE},
    "smooth_l1_loss": {"reduction": REDUCTION, "beta": NOT_NEGATIVE},
    "poisson_nll_loss": {"log_input": FLAG, "full": FLAG, "eps": POSITIVE, "reduction": REDUCTION},
    "gaussian_nll_loss": {"full": FLAG, "eps": POSITIVE, "reduction": REDUCTION},
    "kl_div": {"reduction": KL_REDUCTION, "log_target": FLAG},
    "hinge_loss": {"reduction": REDUCTION, "margin": POSITIVE},
    "hinge_embedding_loss": {"margin": REAL, "reduction": REDUCTION},
    "margin_ranking_loss": {"margin": REAL, "reduction": REDUCTION},
    "cosine_embedding_loss": {"margin": REAL, "reduction": REDUCTION},
    "triplet_margin_loss": {"margin": POSITIVE, "p": POSITIVE, "eps": NOT_NEGATIVE, "swap": FLAG, "reduction": REDUCTION},
    "triplet_margin_with_distance_loss": {"margin": POSITIVE, "swap": FLAG, "reduction": REDUCTION},
    "ctc_loss": {"blank": NATURAL, "reduction": REDUCTION, "zero_infinity": FLAG},
}


def in_nn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a loss: its nodes are a region, and wrong arguments raise errors of slopes."""
    return guarded(named_call(function), owner="nn")


def weigh(losses: Tensor, weight: Tensor) -> Tensor:
    """Losses times weights; 0 where the weight is 0, even if the loss is not finite."""
    return composite.where((weight == 0) & ~build("isfinite", losses), 0, losses) * weight


def element_weight(owner: str, weight: Any, like: Tensor) -> Tensor:
    """Weights of elements, which have the shape of the losses."""
    weight = asarray(weight).astype(like.dtype)
    if weight.shape != like.shape:
        raise ShapeError(f"{owner}: weight has shape {tuple(weight.shape)}, the losses {tuple(like.shape)}",
                         why="each element has its own weight", repair=f"pass weights of shape {tuple(like.shape)}")
    return weight


def reduce_weighted(owner: str, losses: Tensor, weight: Any, reduction: str) -> Tensor:
    """The reduction of losses times weights of elements, if there are any; the mean divides by the sum of the weights."""
    if weight is None:
        return reduce(losses, reduction)
    weight = element_weight(owner, weight, losses)
    losses = weigh(losses, weight)
    return mean_loss(losses, weight) if reduction == "mean" else reduce(losses, reduction)


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
