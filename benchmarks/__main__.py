"""Run the benchmarks: `python -m benchmarks [NAME...] [--rounds N] [--json FILE]`; `--help` says the rest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import measure, report
from .workloads import WORKLOADS, chosen


def arguments() -> argparse.Namespace:
    about = "Time steps of training and inference in slopes and its peers, in alternating rounds."
    names = f"workloads, or the beginning of their names: {', '.join(WORKLOADS)} (default: all)"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--rounds", type=int, default=11, help="timed rounds of each system (default 11)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a round (default 0.5)")
    parser.add_argument("--threads", type=int, default=2, help="threads for each system (default 2)")
    parser.add_argument("--peers", type=peers, default=("eager",), metavar="NAME,...",
                        help=f"besides PyTorch as it is: {', '.join(list(measure.PEERS)[1:])}; the table shows the fastest")
    parser.add_argument("--warm-cache", action="store_true", help="let slopes use the user's cache of compiled programs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round and the machine's description to FILE")
    return parser.parse_args()


def peers(names: str) -> tuple[str, ...]:
    """PyTorch as it is, and those named."""
    unknown = set(names.split(",")) - set(measure.PEERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no peer is called {', '.join(sorted(unknown))}; there are {', '.join(measure.PEERS)}")
    return tuple(dict.fromkeys(["eager", *names.split(",")]))


def main() -> None:
    options = arguments()
    peak = measure.peak(options.threads)
    results = []
    for workload in chosen(options.names):
        print(f"measuring {workload.name} ...", file=sys.stderr, flush=True)
        results.append(measure.measure(workload, max(1, options.rounds), options.seconds, options.threads, options.peers,
                                       options.warm_cache))
    report.show(results, peak)
    if options.json:
        report.save(options.json, results, peak, measure.machine())


if __name__ == "__main__":
    main()
