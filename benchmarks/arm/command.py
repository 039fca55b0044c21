"""The commands `emulate` and `predict`, which need no ARM machine."""

from __future__ import annotations

import argparse
import pickle
import tempfile
from pathlib import Path

from slopes.settings import cache_folder

from ..workloads import WORKLOADS
from . import cores, jobs
from .emulator import Emulator


def emulate(arguments: list[str]) -> None:
    """Compile for ARM here, run there; SystemExit with a status when something differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks emulate", description=(
        "Run ARM code under qemu's user-mode emulation: every operation in every type, and one step of each network with few examples. "
        "Results must be those of eager evaluation, and the same bits on one to three threads. Debian's Python for ARM, NumPy and "
        "llvmlite are fetched once (90 MB) into the cache folder. Needs qemu-user-static and Debian's apt-get."))
    known = [name for name, workload in WORKLOADS.items() if workload.compiled]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these networks, and no operations; of {', '.join(known)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"no network is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    emulator = Emulator(cache_folder() / "emulated-arm64")
    with tempfile.TemporaryDirectory(prefix="slopes-emulated-") as folder:
        file = Path(folder) / "jobs"
        with file.open("wb") as out:
            for job in jobs.all_jobs(options.names):
                pickle.dump(job, out)
            pickle.dump(None, out)
        status = emulator.python(["-m", "benchmarks.arm.emulated", str(file)], Path(folder) / "cache")
    if status:
        raise SystemExit(status)


def predict(arguments: list[str]) -> None:
    """The table of predictions, printed or written into a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks predict", description=(
        "Count the inner loops of the benchmark networks' products in the code for ARM processors, and predict the share of the peak that "
        "they can reach. Nothing is run or measured."))
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into this page, between its marks")
    options = parser.parse_args(arguments)
    if options.into:
        cores.write_into(options.into)
    else:
        print(cores.markdown())
