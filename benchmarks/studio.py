"""The studio measured: `python -m benchmarks.studio` says how much of a training's speed is left while it is watched.

Without a browser: steps a second of the playground beside those of a training without pictures, boundaries a second meanwhile, and how
long showing a past step takes. In chromium, and then nothing else: --browser measures the time from address to first picture and redraws
a second, --memory SECONDS the memory of server and page every 30 seconds of a training, --peer FOLDER epochs a second beside TensorFlow
Playground.

FOLDER holds a built TensorFlow Playground with its index.html: `git clone https://github.com/tensorflow/playground`, there
`npm install` and `npm run build`, which writes the folder dist. Both pages train the same network on 250 points of the circle in batches
of 10, with SGD at a rate of 0.03; TensorFlow Playground does an epoch in each frame of the browser, so at most 60 a second. Pages are
opened in turn, five times each; the medians are compared.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from slopes.studio.engine import Context
from slopes.studio.playground.engine import Playground
from slopes.studio.playground.experiment import Experiment
from slopes.studio.playground.messages import Configure, Play
from slopes.studio.playground.settings import LayerSettings, Settings
from slopes.studio.session import FRAME_SECONDS, SLICE_SECONDS

NETWORKS = {"2-4-2-2": Settings(), "2-8-8-2": Settings(layers=(LayerSettings(8),) * 2),
            "2-[64]x10-2": Settings(layers=(LayerSettings(64),) * 10)}


def steps_alone(settings: Settings, seconds: float) -> float:
    """Steps a second of the training by itself, with the validation after each epoch that the playground has too."""
    experiment = Experiment(settings)
    experiment.warm_up()
    started, before = time.perf_counter(), experiment.training.history.steps
    while time.perf_counter() < started + seconds:
        experiment.training.advance(10 * experiment.steps_per_epoch)
    return (experiment.training.history.steps - before) / (time.perf_counter() - started)


def played(settings: Settings, seconds: float) -> tuple[float, float, Playground]:
    """(steps, frames) a second of the playground at its fastest, frames being taken at most 60 times a second; and the playground."""
    playground = Playground(Context())
    playground.handle(Configure(settings))
    playground.frame()
    while playground.step(SLICE_SECONDS):
        pass
    playground.handle(Play(True, 0))
    run(playground, 0.3)
    before, started = playground.experiment.last, time.perf_counter()
    frames = run(playground, seconds)
    passed = time.perf_counter() - started
    return (playground.experiment.last - before) / passed, frames / passed, playground


def run(playground: Playground, seconds: float) -> int:
    """The loop of a session whose page takes every frame at once; the number of frames."""
    frames, started, due = 0, time.perf_counter(), 0.0
    while time.perf_counter() < started + seconds and playground.playing:
        playground.step(SLICE_SECONDS)
        if time.perf_counter() >= due and (frame := playground.frame()) is not None:
            frame.encode()
            frames, due = frames + 1, time.perf_counter() + FRAME_SECONDS
    return frames


def seek_times(playground: Playground, count: int = 40) -> list[float]:
    """Seconds that showing a past step takes, for steps all over the training up to step 2,000."""
    experiment, times = playground.experiment, []
    last = min(2000, experiment.last)
    for i in range(count):
        started = time.perf_counter()
        experiment.seek(i * 7919 % last)
        times.append(time.perf_counter() - started)
    return times


def report(name: str, measure: Callable[[], str]) -> None:
    """Print a line."""
    print(f"{name:14} {measure()}", flush=True)


def network_line(settings: Settings, seconds: float) -> str:
    """The figures of a network."""
    alone = steps_alone(settings, seconds)
    steps, frames, playground = played(settings, seconds)
    times = seek_times(playground)
    return (f"{alone:9,.0f} steps/s alone, {steps:9,.0f} in the playground ({steps / alone:.0%}), {frames:5.1f} boundaries/s of "
            f"{playground.inspector.side} x {playground.inspector.side}; a past step in {1000 * statistics.median(times):.0f} ms "
            f"(at most {1000 * max(times):.0f})")


def in_browser(options: argparse.Namespace) -> None:
    """Print what was asked for of chromium."""
    from benchmarks import studio_browser
    if options.memory:
        studio_browser.follow_memory(options.memory, functools.partial(print, flush=True))
    if options.browser:
        figures = studio_browser.first_picture(options.seconds)
        report("browser", lambda: ", ".join(f"{name}: {value:.2f}" for name, value in figures.items()))
    if options.peer:
        studio_browser.compare(options.peer, options.seconds, functools.partial(print, flush=True))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--memory", type=float, default=0.0, help="seconds of training over which memory is followed")
    parser.add_argument("--browser", action="store_true", help="the first picture, and redraws a second")
    parser.add_argument("--peer", type=Path, help="a folder with a built TensorFlow Playground, to be compared")
    options = parser.parse_args()
    if options.memory or options.browser or options.peer:
        in_browser(options)
        return
    for name, settings in NETWORKS.items():
        report(name, lambda settings=settings: network_line(settings, options.seconds))  # type: ignore[misc]


if __name__ == "__main__":
    main()
