"""Random numbers, from the generator of slopes: `sl.seed` and `sl.random.Generator` decide, not the seeds in the file."""

from __future__ import annotations

from ... import functions as f
from ... import random
from ...tensor import Tensor
from ..call import Call
from ..element_types import DTYPES
from ..operators import operator


@operator("RandomNormal", random=True)
def normal(call: Call) -> Tensor:
    return random.normal(call["shape"], call["mean"], call["scale"], DTYPES[call["dtype"]])


@operator("RandomUniform", random=True)
def uniform(call: Call) -> Tensor:
    return random.uniform(call["shape"], call["low"], call["high"], DTYPES[call["dtype"]])


@operator("RandomNormalLike", random=True)
def normal_like(call: Call, x: Tensor) -> Tensor:
    return random.normal(x.shape, call["mean"], call["scale"], x.dtype if call["dtype"] is None else DTYPES[call["dtype"]])


@operator("RandomUniformLike", random=True)
def uniform_like(call: Call, x: Tensor) -> Tensor:
    return random.uniform(x.shape, call["low"], call["high"], x.dtype if call["dtype"] is None else DTYPES[call["dtype"]])


@operator("Bernoulli", random=True)
def bernoulli(call: Call, p: Tensor) -> Tensor:
    dtype = p.dtype if call["dtype"] is None else DTYPES[call["dtype"]]
    return (random.uniform(p.shape, dtype=p.dtype) < p).astype(dtype)


@operator("Multinomial", random=True)
def multinomial(call: Call, scores: Tensor) -> Tensor:
    """Draws of classes by their unnormalised log-probabilities: where a uniform number falls among the cumulative shares."""
    shares = f.cumulative_sum(f.softmax(scores, axis=-1), axis=-1)
    draws = random.uniform((scores.shape[0], call["sample_size"]), dtype=scores.dtype)
    classes = f.sum(draws[:, :, None] >= shares[:, None, :], axis=-1)
    return f.minimum(classes, scores.shape[1] - 1).astype(DTYPES[call["dtype"]])
