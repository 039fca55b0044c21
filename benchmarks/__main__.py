"""Run the benchmarks: `python -m benchmarks [NAME...] [--rounds N] [--json FILE]`; `--help` says the rest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import measure, report
from .workloads import WORKLOADS, chosen


def arguments() -> argparse.Namespace:
    about = "Time training steps in slopes and PyTorch, in alternating rounds."
    names = f"workloads, or the beginning of their names: {', '.join(WORKLOADS)} (default: all)"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--rounds", type=int, default=11, help="timed rounds of each system (default 11)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a round (default 0.5)")
    parser.add_argument("--threads", type=int, default=2, help="threads for each system (default 2)")
    parser.add_argument("--peer", choices=("eager", "compile"), default="eager",
                        help="PyTorch as it is, or its network under torch.compile")
    parser.add_argument("--warm-cache", action="store_true", help="let slopes use the user's cache of compiled programs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round and the machine's description to FILE")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    peak = measure.peak(options.threads)
    results = []
    for workload in chosen(options.names):
        print(f"measuring {workload.name} ...", file=sys.stderr, flush=True)
        results.append(measure.measure(workload, max(1, options.rounds), options.seconds, options.threads, options.peer,
                                       options.warm_cache))
    report.show(results, peak, options.peer)
    if options.json:
        report.save(options.json, results, peak, measure.machine())


if __name__ == "__main__":
    main()
