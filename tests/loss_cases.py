"""Losses with PyTorch's names, their layers, operands that fit, and options: compared with PyTorch by test_torch_losses.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from learning_parts import random

GRADIENTS = ("normal", "probabilities", "positive", "log probabilities")  # kinds of operands whose gradients are compared


class LossCase(NamedTuple):
    """The layer's name, the operands as (kind, shape), and the options that are tried, which may name the weights w3, w5, w73, w7."""

    layer: str
    operands: tuple[tuple[str, tuple[int, ...]], ...]
    options: tuple[dict[str, object], ...]


def case(layer, *operands, options=()):
    return LossCase(layer, operands, ({}, *options, {"reduction": "sum"}, {"reduction": "none"}))


X, X3 = ("normal", (7, 3)), ("normal", (7, 5))
WEIGHTS = {"w3": (3,), "w5": (5,), "w7": (7,), "w73": (7, 3)}
ELEMENTS = ({"weight": "w73"}, {"weight": "w73", "reduction": "sum"}, {"weight": "w73", "reduction": "none"})
LOSS_CASES: dict[str, LossCase] = {
    "cross_entropy": case("CrossEntropyLoss", X3, ("labels", (7,)), options=(
        {"weight": "w5", "ignore_index": 2, "label_smoothing": 0.2}, {"weight": "w5", "reduction": "sum"}, {"ignore_index": 0})),
    "nll_loss": case("NLLLoss", X3, ("labels", (7,)), options=({"weight": "w5", "ignore_index": 1}, {"ignore_index": 3})),
    "binary_cross_entropy": case("BCELoss", ("probabilities", (7, 3)), ("shares", (7, 3)), options=({"weight": "w3"},)),
    "binary_cross_entropy_with_logits": case("BCEWithLogitsLoss", X, ("shares", (7, 3)), options=(
        {"weight": "w3"}, {"pos_weight": "w3", "weight": "w73"})),
    "mse_loss": case("MSELoss", X, X, options=ELEMENTS),
    "l1_loss": case("L1Loss", X, X, options=ELEMENTS),
    "huber_loss": case("HuberLoss", X, X, options=({"delta": 0.3}, *ELEMENTS)),
    "smooth_l1_loss": case("SmoothL1Loss", X, X, options=({"beta": 0.3}, {"beta": 2.5, "reduction": "sum"}, {"beta": 0.0})),
    "kl_div": case("KLDivLoss", X, ("shares", (7, 3)), options=({"reduction": "batchmean"}, {"log_target": True})),
    "poisson_nll_loss": case("PoissonNLLLoss", ("positive", (7, 3)), ("counts", (7, 3)), options=(
        {"full": True}, {"log_input": False, "eps": 0.1}, {"log_input": False, "full": True})),
    "gaussian_nll_loss": case("GaussianNLLLoss", X, X, ("positive", (7, 3)), options=({"full": True}, {"eps": 1.0})),
    "soft_margin_loss": case("SoftMarginLoss", X, ("signs", (7, 3))),
    "multi_margin_loss": case("MultiMarginLoss", X3, ("labels", (7,)), options=(
        {"p": 2, "margin": 0.7, "weight": "w5"}, {"margin": 2.0}, {"weight": "w5", "reduction": "sum"})),
    "multilabel_margin_loss": case("MultiLabelMarginLoss", X3, ("lists", (7, 5))),
    "multilabel_soft_margin_loss": case("MultiLabelSoftMarginLoss", X, ("bits", (7, 3)), options=({"weight": "w3"},)),
    "hinge_embedding_loss": case("HingeEmbeddingLoss", ("positive", (7, 3)), ("signs", (7, 3)), options=({"margin": 0.4},)),
    "margin_ranking_loss": case("MarginRankingLoss", ("normal", (7,)), ("other normal", (7,)), ("signs", (7,)), options=({"margin": 0.5},)),
    "cosine_embedding_loss": case("CosineEmbeddingLoss", X, ("other normal", (7, 3)), ("signs", (7,)), options=({"margin": 0.3},)),
    "triplet_margin_loss": case("TripletMarginLoss", X, ("other normal", (7, 3)), ("third normal", (7, 3)), options=(
        {"margin": 0.5, "swap": True}, {"p": 1.0, "eps": 1e-3}, {"p": 3.0})),
    "triplet_margin_with_distance_loss": case("TripletMarginWithDistanceLoss", X, ("other normal", (7, 3)), ("third normal", (7, 3)),
                                              options=({"margin": 0.5, "swap": True},)),
    "ctc_loss": case("CTCLoss", ("log probabilities", (6, 4, 5)), ("sequences", (4, 3)), ("input lengths", (4,)), ("target lengths", (4,)),
                     options=({"blank": 4, "reduction": "sum", "zero_infinity": True}, {"zero_infinity": True})),
}


def operand(name: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """An operand of a loss: floats are float64."""
    source = random(name + kind)
    if kind.endswith("normal"):
        return source.standard_normal(shape)
    if kind == "log probabilities":
        logits = source.standard_normal(shape)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    if kind in ("probabilities", "shares", "positive"):
        return source.uniform(*{"probabilities": (0.05, 0.95), "shares": (0, 1), "positive": (0.1, 2)}[kind], shape)
    if kind == "lists":
        labels = np.array([source.permutation(shape[1]) for _ in range(shape[0])])
        return np.where(np.arange(shape[1]) == source.integers(0, shape[1], (shape[0], 1)), -1, labels)
    return {"labels": lambda: source.integers(0, 5, shape), "sequences": lambda: source.integers(1, 4, shape),
            "counts": lambda: source.poisson(2.0, shape).astype(np.float64), "signs": lambda: source.choice([-1.0, 1.0], shape),
            "bits": lambda: source.choice([0.0, 1.0], shape), "input lengths": lambda: np.array([6, 4, 5, 6]),
            "target lengths": lambda: np.array([3, 1, 0, 3])}[kind]()


def weight_of(name: str) -> np.ndarray:
    return random(name).uniform(0.5, 2, WEIGHTS[name])
