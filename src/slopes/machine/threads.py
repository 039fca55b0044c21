"""How many threads."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path

from .. import settings


def available() -> int:
    """The processors this process may use: its affinity mask, cut to the container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = container_quota()
    return max(1, min(count, math.ceil(quota))) if quota else max(1, count)


@lru_cache(maxsize=4)
def container_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors granted by the control group (version 2 or 1), None when unlimited or unknown."""
    try:
        limit, period = (root / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = (root / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def thread_count() -> int:
    """The number of threads for large programs: SLOPES_THREADS, or what is available and OMP_NUM_THREADS allows."""
    return settings.named_threads() or min(available(), settings.openmp_threads() or settings.MOST_THREADS)
