"""python -m tests.fuzz: random programs compiled against eager code."""

from __future__ import annotations

import argparse
import os
import sys

from .campaign import Summary, run
from .transforms import NAMES

EXAMPLES = """examples:
  python -m tests.fuzz --seconds 1200 --seed 1     for 20 minutes
  python -m tests.fuzz --seed 1 --count 500        500 programs
  python -m tests.fuzz --seed 1 --only 137         one program again (with the --special and --rule of then)
  python -m tests.fuzz --rule conv2d --count 100   with a convolution in each
Differences go to standard output, each as a program of its own that shows it; the exit status is then 1."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="which programs (default 0)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long")
    parser.add_argument("--count", type=int, help="how many programs")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--only", type=int, help="this program alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: one per processor)")
    parser.add_argument("--special", type=float, default=0.1, help="share of programs whose inputs hold infinity, NaN and the like")
    parser.add_argument("--rule", choices=["", *sorted(set(NAMES))], default="", metavar="NAME", help="a function or layer of all programs")
    return parser.parse_args()


class Progress:
    """A line on the terminal, and each difference when it is found."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, summary: Summary) -> None:
        for each in summary.differences[self.told:]:
            print(f"\n{each}", flush=True)
        self.told = len(summary.differences)
        if sys.stderr.isatty():
            print(f"\r{summary}", end="", file=sys.stderr, flush=True)


def main() -> int:
    given = options()
    if given.only is not None:
        given.first, given.count, given.jobs = given.only, 1, 1
    if given.count is None and given.seconds == float("inf"):
        given.seconds = 60.0
    summary = run(given.seed, given.first, given.count, given.seconds, given.jobs, given.special, given.rule, Progress())
    print(summary)
    return 1 if summary.differences else 0


if __name__ == "__main__":
    sys.exit(main())
