"""Losses as layers, which keep their options: nn.CrossEntropyLoss(label_smoothing=0.1) for nn.cross_entropy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ...constraint import Constraint, check
from ...tensor import Tensor
from ..module import Buffer, Module
from .binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from .classes import cross_entropy, multi_margin_loss, nll_loss
from .ctc import ctc_loss
from .distances import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .reduction import CONSTRAINTS
from .regression import gaussian_nll_loss, huber_loss, kl_div, l1_loss, mse_loss, poisson_nll_loss, smooth_l1_loss

TENSORS = ("weight", "pos_weight")  # options that are buffers


class LossLayer(Module):
    """The base of losses with options: `function` computes them from the operands of a call."""

    function: ClassVar[Callable[..., Tensor]]
    name = "loss"  # in messages and pictures, beside the net

    def __init__(self, **options: Any) -> None:
        check(type(self).__name__, self.constraints, options)
        self.names = tuple(options)
        for name, value in options.items():
            setattr(self, name, Buffer(value) if name in TENSORS and value is not None else value)

    def forward(self, *operands: Any, **named: Any) -> Tensor:
        return type(self).function(*operands, **named, **{name: getattr(self, name) for name in self.names})

    def details(self) -> str:
        defaults = {name: option.default for name, option in inspect.signature(type(self)).parameters.items()}
        values = {name: getattr(self, name) for name in self.names}
        return ", ".join(f"{name}={'...' if isinstance(value, Tensor) else value}" for name, value in values.items()
                         if isinstance(value, Tensor) or value != defaults[name])


class CrossEntropyLoss(LossLayer):
    """nn.cross_entropy with these options: formula, shapes and errors are the function's. Labels -100 are ignored.

    >>> import slopes as sl
    >>> round(float(sl.nn.CrossEntropyLoss()(sl.zeros((2, 10)), sl.tensor([3, -100]))), 6)
    2.302585
    """

    function = staticmethod(cross_entropy)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["cross_entropy"]

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)


class NLLLoss(LossLayer):
    """nn.nll_loss with these options: formula, shapes and errors are the function's. Labels -100 are ignored.

    >>> import slopes as sl
    >>> round(float(sl.nn.NLLLoss()(sl.tensor([[-0.5, -1.0]]), sl.tensor([1]))), 6)
    1.0
    """

    function = staticmethod(nll_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["nll_loss"]

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCELoss(LossLayer):
    """nn.binary_cross_entropy with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.BCELoss()(sl.tensor([0.5]), sl.tensor([1.0]))), 6)
    0.693147
    """

    function = staticmethod(binary_cross_entropy)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["binary_cross_entropy"]

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class BCEWithLogitsLoss(LossLayer):
    """nn.binary_cross_entropy_with_logits with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.BCEWithLogitsLoss()(sl.tensor([0.0]), sl.tensor([1.0]))), 6)
    0.693147
    """

    function = staticmethod(binary_cross_entropy_with_logits)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["binary_cross_entropy_with_logits"]

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class MSELoss(LossLayer):
    """nn.mse_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.MSELoss()(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0]))), 6)
    2.0
    """

    function = staticmethod(mse_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["mse_loss"]

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class L1Loss(LossLayer):
    """nn.l1_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.L1Loss()(sl.tensor([1.0, 2.0]), sl.tensor([3.0, 2.0]))), 6)
    1.0
    """

    function = staticmethod(l1_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["l1_loss"]

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class HuberLoss(LossLayer):
    """nn.huber_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.HuberLoss()(sl.tensor([3.0]), sl.tensor([0.0]))), 6)
    2.5
    """

    function = staticmethod(huber_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["huber_loss"]

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class SmoothL1Loss(LossLayer):
    """nn.smooth_l1_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.SmoothL1Loss()(sl.tensor([3.0]), sl.tensor([0.0]))), 6)
    2.5
    """

    function = staticmethod(smooth_l1_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["smooth_l1_loss"]

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class KLDivLoss(LossLayer):
    """nn.kl_div with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.KLDivLoss()(sl.log(sl.tensor([[0.5, 0.5]])), sl.tensor([[0.5, 0.5]]))), 6)
    0.0
    """

    function = staticmethod(kl_div)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["kl_div"]

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction, log_target=log_target)


class PoissonNLLLoss(LossLayer):
    """nn.poisson_nll_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.PoissonNLLLoss()(sl.tensor([0.0]), sl.tensor([2.0]))), 6)
    1.0
    """

    function = staticmethod(poisson_nll_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["poisson_nll_loss"]

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(log_input=log_input, full=full, eps=eps, reduction=reduction)


class GaussianNLLLoss(LossLayer):
    """nn.gaussian_nll_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.GaussianNLLLoss()(sl.tensor([1.0]), sl.tensor([3.0]), sl.tensor([1.0]))), 6)
    2.0
    """

    function = staticmethod(gaussian_nll_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["gaussian_nll_loss"]

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(full=full, eps=eps, reduction=reduction)


class SoftMarginLoss(LossLayer):
    """nn.soft_margin_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.SoftMarginLoss()(sl.tensor([0.0]), sl.tensor([-1.0]))), 6)
    0.693147
    """

    function = staticmethod(soft_margin_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["soft_margin_loss"]

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MultiMarginLoss(LossLayer):
    """nn.multi_margin_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.MultiMarginLoss()(sl.tensor([[0.1, 0.2, 0.4, 0.8]]), sl.tensor([3]))), 6)
    0.325
    """

    function = staticmethod(multi_margin_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["multi_margin_loss"]

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(p=p, margin=margin, weight=weight, reduction=reduction)


class MultiLabelMarginLoss(LossLayer):
    """nn.multilabel_margin_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.MultiLabelMarginLoss()(sl.tensor([[0.1, 0.2, 0.4, 0.8]]), sl.tensor([[3, 0, -1, 1]]))), 6)
    0.85
    """

    function = staticmethod(multilabel_margin_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["multilabel_margin_loss"]

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MultiLabelSoftMarginLoss(LossLayer):
    """nn.multilabel_soft_margin_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.MultiLabelSoftMarginLoss()(sl.zeros((2, 3)), sl.ones((2, 3)))), 6)
    0.693147
    """

    function = staticmethod(multilabel_soft_margin_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["multilabel_soft_margin_loss"]

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class HingeEmbeddingLoss(LossLayer):
    """nn.hinge_embedding_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.HingeEmbeddingLoss()(sl.tensor([0.5, 0.25]), sl.tensor([1, -1]))), 6)
    0.625
    """

    function = staticmethod(hinge_embedding_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["hinge_embedding_loss"]

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(margin=margin, reduction=reduction)


class MarginRankingLoss(LossLayer):
    """nn.margin_ranking_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.MarginRankingLoss()(sl.tensor([1.0]), sl.tensor([3.0]), sl.tensor([1]))), 6)
    2.0
    """

    function = staticmethod(margin_ranking_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["margin_ranking_loss"]

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(margin=margin, reduction=reduction)


class CosineEmbeddingLoss(LossLayer):
    """nn.cosine_embedding_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.CosineEmbeddingLoss()(sl.ones((1, 2)), sl.ones((1, 2)), sl.tensor([-1]))), 6)
    1.0
    """

    function = staticmethod(cosine_embedding_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["cosine_embedding_loss"]

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(margin=margin, reduction=reduction)


class TripletMarginLoss(LossLayer):
    """nn.triplet_margin_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.TripletMarginLoss()(sl.zeros((1, 2)), sl.ones((1, 2)), sl.zeros((1, 2)))), 6)
    2.414211
    """

    function = staticmethod(triplet_margin_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["triplet_margin_loss"]

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean") -> None:
        super().__init__(margin=margin, p=p, eps=eps, swap=swap, reduction=reduction)


class TripletMarginWithDistanceLoss(LossLayer):
    """nn.triplet_margin_with_distance_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.TripletMarginWithDistanceLoss()(sl.zeros((1, 2)), sl.ones((1, 2)), sl.zeros((1, 2)))), 6)
    2.414211
    """

    function = staticmethod(triplet_margin_with_distance_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["triplet_margin_with_distance_loss"]

    def __init__(self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
                 swap: bool = False, reduction: str = "mean") -> None:
        super().__init__(distance_function=distance_function, margin=margin, swap=swap, reduction=reduction)


class CTCLoss(LossLayer):
    """nn.ctc_loss with these options: formula, shapes and errors are the function's.

    >>> import slopes as sl
    >>> round(float(sl.nn.CTCLoss()(sl.log_softmax(sl.zeros((2, 1, 2)), -1), sl.tensor([[1]]), [2], [1])), 6)
    0.287682
    """

    function = staticmethod(ctc_loss)
    constraints: Mapping[str, Constraint] = CONSTRAINTS["ctc_loss"]

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(blank=blank, reduction=reduction, zero_infinity=zero_infinity)
