"""PyTorch's switches and facts about types: gradients on and off, the default dtype, finfo, promotion."""

from __future__ import annotations

import math
import secrets
from typing import Any

import numpy as np

from .. import functions as F
from .. import random
from ..errors import ArgumentError
from ..graph.dtype import DType, as_dtype, float32
from ..machine.threads import thread_count
from ..modes import mode

dtype, Size = np.dtype, tuple
inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
finfo, iinfo = F.finfo, F.iinfo


class GradSwitch:
    """torch.set_grad_enabled(flag): at once, or for a with-block; in slopes: with sl.no_grad() or sl.enable_grad()."""

    def __init__(self, mode: bool) -> None:
        self.before = switch(mode)

    def __enter__(self) -> None:
        """The flag is set already."""

    def __exit__(self, *error: object) -> None:
        switch(self.before)


def switch(flag: bool) -> bool:
    """Record operations for derivatives or not; returns whether they were recorded."""
    before, mode.recording = mode.recording, bool(flag)
    return before


set_grad_enabled = GradSwitch


def is_grad_enabled() -> bool:
    """Whether operations are recorded for derivatives."""
    return bool(mode.recording)


def get_default_dtype() -> DType:
    """The dtype of new tensors of Python floats: float32."""
    return as_dtype(float32)


def set_default_dtype(d: Any) -> None:
    """Nothing for float32. Raises ArgumentError for another dtype: slopes has one default; in slopes: net.double(), dtype=."""
    if as_dtype(d) != float32:
        raise ArgumentError(f"set_default_dtype: {as_dtype(d)}", why="the default dtype of slopes is float32",
                            repair="pass dtype= where tensors are made, or call net.double()")


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype in which both meet; in slopes: sl.result_type."""
    return F.result_type(tensor1, tensor2)


def promote_types(type1: Any, type2: Any) -> DType:
    """The dtype in which two dtypes meet; in slopes: sl.result_type."""
    return F.result_type(as_dtype(type1), as_dtype(type2))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether elements of one dtype may be assigned to another: not floats to integers; in slopes: sl.can_cast is stricter."""
    return bool(np.can_cast(as_dtype(from_), as_dtype(to), casting="same_kind"))


def seed() -> int:
    """Start the default generator with a seed that nobody knows before; returns it; in slopes: sl.seed(n)."""
    drawn = secrets.randbits(32)
    random.seed(drawn)
    return drawn


def get_num_threads() -> int:
    """The number of threads that compiled functions use; SLOPES_THREADS sets it."""
    return thread_count()


NAMES = ("dtype", "Size", "inf", "nan", "pi", "e", "finfo", "iinfo", "set_grad_enabled", "is_grad_enabled", "get_default_dtype",
         "set_default_dtype", "result_type", "promote_types", "can_cast", "seed", "get_num_threads")
