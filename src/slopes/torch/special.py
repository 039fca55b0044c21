"""`torch.special`: special functions under their names there."""

from __future__ import annotations

from typing import Any

from .. import functions as F
from . import elements, functions
from .sides import lifted

digamma = psi = elements.digamma  # type: ignore[attr-defined]
erf = functions.erf  # type: ignore[attr-defined]
erfc, erfinv, gammaln = elements.erfc, elements.erfinv, elements.lgamma  # type: ignore[attr-defined]
exp2, logit, sinc, xlogy = elements.exp2, elements.logit, elements.sinc, elements.xlogy
expit, expm1, log1p, round = (lifted(getattr(F, name)) for name in ("sigmoid", "expm1", "log1p", "round"))
log_softmax, logsumexp, softmax = functions.log_softmax, functions.logsumexp, functions.softmax

NAMES = ("digamma", "psi", "erf", "erfc", "erfinv", "gammaln", "exp2", "logit", "sinc", "xlogy", "expit", "expm1", "log1p", "round",
         "log_softmax", "logsumexp", "softmax")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.special.{name} is not in slopes.torch, which has {', '.join(NAMES)}")
