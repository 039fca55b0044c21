"""What statistics cost: LeNet trained in turn with and without 20 statistics at every n-th step.

`python -m benchmarks.observing [--rounds 31] [--steps 200] [--every 10]`; rounds alternate in one process, and each pair of rounds gives
a ratio. Beside the bar of 2% at every 10th step stands what a step costs that measures them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np

import slopes as sl
from slopes import optim
from slopes.train import Statistics
from slopes.zoo.networks import lenet

LIMIT = 1.02
EXAMPLES, BATCH = 6400, 64
WEIGHTED = (0, 3, 7, 9)  # the layers of LeNet with parameters
PARAMETERS = [f"net.{layer}.{name}" for layer in WEIGHTED for name in ("weight", "bias")]
NAMES = (*(f"{path}.grad/norm" for path in PARAMETERS), *(f"{path}.update/norm" for path in PARAMETERS),
         *(f"net.{layer}/std" for layer in WEIGHTED))


def training(every: int | None) -> sl.Training:
    """A long training of LeNet, with statistics unless `every` is None."""
    sl.seed(0)
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(EXAMPLES, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, EXAMPLES)
    return sl.Training(lenet((1, 28, 28), 10), (images, labels), optimizer=optim.SGD(lr=0.01, momentum=0.9), epochs=10 ** 6,
                       batch_size=BATCH, statistics=None if every is None else Statistics(NAMES, every))


def seconds_per_step(run: sl.Training, steps: int) -> float:
    """The time of a step, over a round of them."""
    started = time.perf_counter()
    run.advance(steps)
    return (time.perf_counter() - started) / steps


def ratios(every: int, rounds: int, steps: int) -> tuple[list[float], list[float]]:
    """Seconds of a step without statistics, and for each round the time with them divided by that without."""
    plain, watched = training(None), training(every)
    for run in (plain, watched):
        run.advance(max(steps, every + 1))  # compiles both programs, and finds the length of a call
    times, quotients = [], []
    for i in range(rounds):
        pair = {run: seconds_per_step(run, steps) for run in ((plain, watched) if i % 2 else (watched, plain))}
        times.append(pair[plain])
        quotients.append(pair[watched] / pair[plain])
    return times, quotients


def line(every: int, rounds: int, steps: int) -> tuple[str, float]:
    """A line of the table, and the median of the ratios."""
    times, quotients = ratios(every, rounds, steps)
    low, middle, high = statistics.quantiles(quotients, n=4)
    return (f"every {every}: {middle:.4f} ({low:.4f} to {high:.4f}) times the step of {statistics.median(times) * 1e6:,.0f} us", middle)


def main(args: Sequence[str] | None = None) -> None:
    """Print both lines, and whether the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args(args)
    text, median = line(options.every, options.rounds, options.steps)
    print(f"{len(NAMES)} statistics of LeNet, batch {BATCH}: median of paired ratios (quartiles)")
    print(f"  {text}; at most {LIMIT}: {'yes' if median <= LIMIT else 'no'}")
    print(f"  {line(1, options.rounds, max(1, options.steps // 4))[0]}")


if __name__ == "__main__":
    main()
