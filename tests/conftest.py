"""What all tests share: a cache of their own, one seed for each test, and the folder of data sets where there is one."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CACHE = "slopes-cache-"  # how the names of the caches of tests begin

# Set before anything reads it: no test finds (or leaves) compiled programs and downloads in the user's own cache. The processes that
# share the tests have one cache: what one has compiled, no other compiles again.
if "PYTEST_XDIST_WORKER" not in os.environ or not Path(os.environ.get("SLOPES_CACHE", "")).name.startswith(CACHE):
    _cache = tempfile.TemporaryDirectory(prefix=CACHE, ignore_cleanup_errors=True)
    os.environ["SLOPES_CACHE"] = _cache.name

# NumPy is what results are compared with: its threads, which wait in a loop for the next product, would only take the processor away.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# One processor stands for eight devices of JAX, which reads this when it is imported first.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job, whose children would ignore Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np  # noqa: E402

import slopes as sl  # noqa: E402
from slopes.loops import program  # noqa: E402

# The code that calls a program's kernels is translated without LLVM's passes, as it is in programs of much work: a fifth less time for
# the thousands of small programs of the tests. Both ways give the same bits (test_parts.py), and whatever runs in another process
# (commands, the fuzzer, guarded programs) has the passes.
program.CALL_WORK = 0


def pytest_collection_finish() -> None:
    """What was imported and collected lives to the end: no collection of garbage looks at these millions of objects any more.

    Collections of all the rest are quick then, and come often: compiled programs that are part of a cycle do not pile up.
    """
    gc.collect()
    gc.freeze()


def find_data() -> Path | None:
    """The folder of local data sets: the one that SLOPES_DATA names, or `shared/data` beside the repository."""
    named = os.environ.get("SLOPES_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of local data sets; tests that need it are skipped where there is none."""
    folder = find_data()
    if folder is None:
        pytest.skip("no folder of data sets: set SLOPES_DATA")
    return folder


@pytest.fixture(scope="session")
def cache_folder() -> Path:
    """The cache of this run of the tests."""
    return Path(os.environ["SLOPES_CACHE"])


@pytest.fixture(autouse=True)
def fixed_seed() -> Iterator[None]:
    """Every test draws the same random numbers, whichever tests ran before."""
    sl.seed(0)
    np.random.seed(0)  # for what a test draws from NumPy's own generator
    yield


@pytest.fixture
def rng() -> np.random.Generator:
    """NumPy's generator with a fixed seed."""
    return np.random.default_rng(0)
