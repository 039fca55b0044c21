"""The studio measured in chromium: the first picture, redraws a second, memory over minutes, and TensorFlow Playground beside it."""

from __future__ import annotations

import functools
import http.server
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from slopes.studio import Studio

REDRAWS = """(seconds) => new Promise((done) => {
    const epoch = document.getElementById("epoch"), start = performance.now();
    let count = 0;
    const watch = new MutationObserver(() => count++);
    watch.observe(epoch, { childList: true });
    setTimeout(() => done((1000 * count) / (performance.now() - start)), 1000 * seconds);
})"""
EPOCHS = """([counter, seconds]) => new Promise((done) => {
    const read = () => Number(document.querySelector(counter).textContent.replaceAll(",", "")), start = performance.now(), first = read();
    setTimeout(() => done((1000 * (read() - first)) / (performance.now() - start)), 1000 * seconds);
})"""
WARM_UP = 2.0  # seconds between play and the measurement
ROUNDS = 5
MEMORY_SECONDS = 30.0  # between two looks at the memory
OURS, PEERS = ("#do-play", "#epoch"), ("#play-pause-button", "#iter-number")  # the button that plays, and the counter of epochs
SEVEN = "features=x1,x2,x1^2,x2^2,x1+x2,sin+x1,sin+x2"
NETWORKS = {  # our address and the peer's: the same points, batches of 10, tanh, and SGD with a rate of 0.03
    "default, 2-4-2": ("optimizer=SGD", "networkShape=4,2"),
    "largest, 7-8x6": (f"optimizer=SGD&{SEVEN}&layers={','.join(['8.tanh'] * 6)}",
                       "networkShape=8,8,8,8,8,8&xSquared=true&ySquared=true&xTimesY=true&sinX=true&sinY=true")}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def first_picture(seconds: float) -> dict[str, float]:
    """Seconds from the address to the first picture, and redraws a second."""
    with Studio() as studio, chromium() as browser:
        page, started = browser.new_page(), time.perf_counter()
        page.goto(studio.address + "#playground?layers=8.tanh,8.tanh&speed=0")
        page.get_by_text("step 0 of 0").wait_for()
        first = time.perf_counter() - started
        page.locator("#do-play").click()
        page.wait_for_timeout(3000)
        redraws = page.evaluate(REDRAWS, seconds)
    return {"seconds from address to first picture": first, "redraws/s in chromium, 2-8-8-2": redraws}


# Memory


def resident() -> float:
    """MiB of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def follow_memory(seconds: float, say: Callable[[str], object]) -> None:
    """Say the memory of server and page every 30 seconds of a training at the playground's usual speed."""
    with Studio() as studio, chromium() as browser:
        page = browser.new_page()
        page.goto(studio.address + "#playground")
        page.get_by_text("step 0 of 0").wait_for()
        page.locator("#do-play").click()
        client, started = page.context.new_cdp_session(page), time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            page.wait_for_timeout(1000 * min(MEMORY_SECONDS, seconds - passed))
            client.send("HeapProfiler.collectGarbage")
            heap = client.send("Runtime.getHeapUsage")["usedSize"] / 2**20
            say(f"{time.perf_counter() - started:5.0f} s, epoch {page.locator('#epoch').inner_text():>7}: server {resident():6.1f} MiB, "
                f"page {heap:5.1f} MiB")


# TensorFlow Playground


@contextmanager
def folder_served(folder: Path) -> Iterator[str]:
    """The address of a folder of files, on this machine."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def epochs_per_second(browser: Browser, address: str, names: tuple[str, str], seconds: float) -> float:
    """Epochs a second that a page counts after play was pressed."""
    play, counter = names
    page: Page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(address)
    page.locator(counter).wait_for()
    page.locator(f"{play}:enabled").click()
    page.wait_for_function("(counter) => Number(document.querySelector(counter).textContent.replaceAll(',', '')) > 0", arg=counter)
    page.wait_for_timeout(1000 * WARM_UP)
    rate = page.evaluate(EPOCHS, [counter, seconds])
    page.close()
    return float(rate)


def compare(peer: Path, seconds: float, say: Callable[[str], object]) -> None:
    """Say epochs a second of both playgrounds for each network, page after page in the same browser."""
    with Studio() as studio, folder_served(peer) as address, chromium() as browser:
        for name, (ours, theirs) in NETWORKS.items():
            pages = {"slopes at 30 epochs/s, as opened": (f"{studio.address}#playground?{ours}", OURS),
                     "slopes at its fastest": (f"{studio.address}#playground?{ours}&speed=0", OURS),
                     "TensorFlow Playground": (f"{address}#activation=tanh&batchSize=10&dataset=circle&learningRate=0.03&noise=0"
                                               f"&percTrainData=50&seed=0.5&x=true&y=true&{theirs}", PEERS)}
            rates: dict[str, list[float]] = {page: [] for page in pages}
            for _ in range(ROUNDS):
                for page, (target, names) in pages.items():
                    rates[page].append(epochs_per_second(browser, target, names, seconds))
            theirs_median = statistics.median(rates["TensorFlow Playground"])
            for page, values in rates.items():
                low, median, high = statistics.quantiles(values, n=4, method="inclusive")
                say(f"{name:15} {page:33} {median:8,.1f} epochs/s (quartiles {low:,.1f} to {high:,.1f}), "
                    f"{median / theirs_median:.2f} times theirs")
