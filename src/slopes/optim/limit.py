"""Max-norm constraint: after each step, rescale the incoming weights of each unit."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from ..constraint import POSITIVE, check
from ..modes import no_grad
from .parameters import named_parameters


@no_grad()
def limit_norm(parameters: Any, limit: float) -> None:
    """w_j <- w_j min(1, limit / |w_j|) for the incoming weights w_j of each unit j: their norm is at most `limit`.

    The units are axis 0 of every parameter with two or more axes (of Linear, Conv and Embedding); biases are not changed. Call it
    after step, or use `fit(constrain=3.0)`. limit > 0. Raises ArgumentError.
    Source: Srebro and Shraibman, "Rank, trace-norm and max-norm", 2005; with dropout: Srivastava et al., 2014, section 5.1.

    >>> import slopes as sl
    >>> from slopes import optim
    >>> w = sl.Parameter([[3.0, 4.0], [0.3, 0.4]])
    >>> optim.limit_norm([w], 1.0)
    >>> w.numpy().round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.30000001192092896, 0.4000000059604645]]
    """
    check("limit_norm", {"limit": POSITIVE}, {"limit": limit})
    for parameter in named_parameters("limit_norm", parameters)[1]:
        if parameter.ndim > 1:
            weight = parameter.detach()
            squares = (weight * weight).sum(axis=tuple(range(1, weight.ndim)), keepdims=True)
            scale = limit / F.sqrt(F.maximum(squares, limit * limit))  # 1 where the norm is within the limit, also for 0
            parameter.assign(weight * scale.astype(weight.dtype))
