"""Layers that compare two inputs: CosineSimilarity, PairwiseDistance and Bilinear."""

from __future__ import annotations

import math
from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, NOT_NEGATIVE, REAL, WHOLE, check
from ..errors import ShapeError
from ..functions import vector_norm
from ..graph.build import build
from ..ops.composite import einsum
from ..parameter import Parameter
from ..tensor import Tensor, asarray
from . import init
from .module import Module
from .where import layer_and_location


class CosineSimilarity(Module):
    """The cosine of the angle between a and b, a b / (max(|a|, eps) max(|b|, eps)), along the axis dim.

    a and b: shapes that broadcast, with the axis dim; y: that shape without this axis.

    >>> import slopes as sl
    >>> sl.nn.CosineSimilarity()(sl.tensor([[1.0, 0.0], [1.0, 1.0]]), sl.tensor([[0.0, 2.0], [3.0, 3.0]])).numpy().round(5).tolist()
    [0.0, 1.0]
    """

    constraints = {"dim": WHOLE, "eps": NOT_NEGATIVE}

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        check("CosineSimilarity", self.constraints, {"dim": dim, "eps": eps})
        self.dim, self.eps = int(dim), float(eps)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = asarray(a), asarray(b)
        return (a * b).sum(axis=self.dim) / (self.length(a) * self.length(b))

    def length(self, x: Tensor) -> Tensor:
        """The norm, at least eps; its gradient is that of the norm everywhere, as in PyTorch."""
        norm = vector_norm(x, axis=self.dim)
        return norm + build("stop_gradient", build("maximum", norm, asarray(self.eps, x.dtype)) - norm)

    def details(self) -> str:
        return "" if self.dim == 1 else f"dim={self.dim}"


class PairwiseDistance(Module):
    """The norm (sum |a - b + eps|^p)^(1/p) along the last axis.

    a and b: shapes that broadcast; y: that shape without its last axis, or with 1 there if keepdim.

    >>> import slopes as sl
    >>> sl.nn.PairwiseDistance()(sl.tensor([[3.0, 4.0]]), sl.tensor([[0.0, 0.0]])).numpy().round(4).tolist()
    [5.0]
    """

    constraints = {"p": REAL, "eps": NOT_NEGATIVE, "keepdim": FLAG}

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        check("PairwiseDistance", self.constraints, {"p": p, "eps": eps, "keepdim": keepdim})
        self.p, self.eps, self.keepdim = float(p), float(eps), keepdim

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return vector_norm(asarray(a) - asarray(b) + self.eps, axis=-1, keepdims=self.keepdim, ord=self.p)

    def details(self) -> str:
        return "" if self.p == 2 else f"p={self.p:g}"


class Bilinear(Module):
    """y_o = a^T W_o b + bias_o on the last axes of a and b.

    a: (..., in1_features), b: (..., in2_features), y: (..., out_features), with equal leading axes. weight: (out_features,
    in1_features, in2_features), bias: (out_features,), both initially uniform in (-1/sqrt(in1_features), 1/sqrt(in1_features)), as
    in PyTorch. Raises ShapeError for other axes.

    >>> import slopes as sl
    >>> sl.nn.Bilinear(3, 4, 2)(sl.ones((5, 3)), sl.ones((5, 4))).shape
    (5, 2)
    """

    weight: Parameter  # (out_features, in1_features, in2_features)
    bias: Parameter | None  # (out_features,)
    constraints = {"in1_features": COUNT, "in2_features": COUNT, "out_features": COUNT, "bias": FLAG, **FACTORY}

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        check("Bilinear", self.constraints, {"in1_features": in1_features, "in2_features": in2_features, "out_features": out_features,
                                             "bias": bias})
        self.in1_features, self.in2_features, self.out_features = int(in1_features), int(in2_features), int(out_features)
        bound = 1 / math.sqrt(self.in1_features)
        self.weight = init.uniform(init.blank((self.out_features, self.in1_features, self.in2_features)), -bound, bound)
        self.bias = init.uniform(init.blank((self.out_features,)), -bound, bound) if bias else None
        self.to(device, dtype)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        lead = a.shape[:-1]
        if not a.ndim or not b.ndim or b.shape[:-1] != lead or (a.shape[-1], b.shape[-1]) != (self.in1_features, self.in2_features):
            what, where = layer_and_location(self, a)
            raise ShapeError(f"{what} needs inputs of the shapes (..., {self.in1_features}) and (..., {self.in2_features}), but they are "
                             f"{tuple(a.shape)} and {tuple(b.shape)}", why="their leading axes are equal", where=where)
        rows = einsum("ni,oij,nj->no", a.reshape((-1, a.shape[-1])), self.weight, b.reshape((-1, b.shape[-1])))
        y = rows if self.bias is None else rows + self.bias
        return y.reshape((*lead, self.out_features))

    def details(self) -> str:
        return f"{self.in1_features} x {self.in2_features} -> {self.out_features}" + ("" if self.bias is not None else ", bias=False")
