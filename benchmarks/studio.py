"""The studio measured: `python -m benchmarks.studio` says how much of a training's speed is left while it is watched.

Without a browser: steps a second of the playground beside those of a training without pictures, boundaries a second meanwhile, how long
showing a past step takes, and memory over minutes of training. With --browser also the time from address to first picture, and redraws a
second in chromium.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

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


def memory(seconds: float) -> list[float]:
    """MiB of the process after each fifth of a training that is played at 30 epochs a second."""
    playground = Playground(Context())
    playground.handle(Play(True, 30))
    peaks = []
    for _ in range(5):
        run(playground, seconds / 5)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return peaks


def in_browser(seconds: float) -> dict[str, float]:
    """Seconds from the address to the first picture, and redraws a second, in chromium."""
    import shutil

    from playwright.sync_api import sync_playwright

    from slopes.studio import Studio
    with Studio() as studio, sync_playwright() as library:
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page, started = browser.new_page(), time.perf_counter()
        page.goto(studio.address + "#playground?layers=8.tanh,8.tanh&speed=0")
        page.get_by_text("step 0 of 0").wait_for()
        first = time.perf_counter() - started
        page.locator("#do-play").click()
        page.wait_for_timeout(3000)
        redraws = page.evaluate("""(seconds) => new Promise((done) => {
            const epoch = document.getElementById("epoch"), start = performance.now();
            let count = 0;
            const watch = new MutationObserver(() => count++);
            watch.observe(epoch, { childList: true });
            setTimeout(() => done((1000 * count) / (performance.now() - start)), 1000 * seconds);
        })""", seconds)
        browser.close()
    return {"seconds from address to first picture": first, "redraws/s in chromium, 2-8-8-2": redraws}


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


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--memory", type=float, default=0.0, help="seconds of training over which memory is followed")
    parser.add_argument("--browser", action="store_true", help="measure in chromium too")
    options = parser.parse_args()
    for name, settings in NETWORKS.items():
        report(name, lambda settings=settings: network_line(settings, options.seconds))  # type: ignore[misc]
    if options.memory:
        report("memory", lambda: f"{', '.join(f'{peak:.0f}' for peak in memory(options.memory))} MiB after each fifth of the time")
    if options.browser:
        report("browser", lambda: ", ".join(f"{name}: {value:.2f}" for name, value in in_browser(options.seconds).items()))


if __name__ == "__main__":
    main()
