"""Take the pictures of the studio: `python docs/pictures/make_studio.py` writes them beside this file; needs Playwright and chromium."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from slopes.studio import Studio

HERE = Path(__file__).parent
SIZE, COLOURS = {"width": 1180, "height": 800}, 256
SHOTS: tuple[tuple[str, str, Literal["light", "dark"], float], ...] = (
    ("playground", "data=circle&layers=6.tanh,4.tanh&rate=0.02", "light", 6),
    ("classes", "preset=classes&data=pinwheel&classes=5&noise=5&layers=16.tanh,16.tanh&rate=0.01", "dark", 8))


def play(page: Page, address: str, seconds: float) -> None:
    """Open a page of the playground, and train for some seconds."""
    page.goto(address)
    expect(page.locator("#time-text")).to_contain_text("step", timeout=60_000)
    page.locator("#do-play").click()
    expect(page.locator("#time-text")).not_to_contain_text("step 0", timeout=60_000)
    time.sleep(seconds)
    page.locator("#do-play").click()
    page.mouse.move(0, 0)
    time.sleep(0.5)


def main() -> None:
    """Write the pictures."""
    with Studio() as studio, sync_playwright() as library:
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, state, theme, seconds in SHOTS:
            page = browser.new_page(viewport=SIZE, color_scheme=theme)
            play(page, f"{studio.address}#playground?{state}", seconds)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"studio-{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
