"""Take the pictures of the studio's pages of pictures and sequences: `python docs/pictures/make_studio_lenses.py` writes them beside this
file; needs Playwright, chromium, MNIST and tiny Shakespeare."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from slopes.studio import Studio

HERE = Path(__file__).parent
COLOURS = 64
PATIENCE = 600_000  # milliseconds
IDLE = "() => document.querySelector('button.primary')?.disabled === false && !document.querySelector('.task').textContent"
LEARNED = "() => parseFloat(document.querySelectorAll('.legend b')[3]?.textContent) > 95"
WRITES = "() => parseFloat(document.querySelector('.legend b')?.textContent) < 2"
THREE = [(.3, .3), (.5, .18), (.7, .3), (.65, .45), (.45, .5), (.68, .56), (.72, .74), (.5, .86), (.28, .76)]


def opened(browser: Browser, address: str, height: int, theme: str = "light") -> Page:
    """A page, when its network is compiled."""
    page = browser.new_page(viewport={"width": 1440, "height": height}, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_function(IDLE)
    return page


def train(page: Page, until: str) -> None:
    """Play until a condition holds."""
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(until)
    page.get_by_role("button", name="Pause").click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(3000)


def draw(page: Page) -> None:
    """Draw a three, and choose a map of the second convolution."""
    box = page.locator("canvas.pad").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()
    page.locator("canvas.maps").nth(3).click(position={"x": 45, "y": 15})
    page.wait_for_timeout(2000)


def save(data: bytes, name: str) -> None:
    """Write a picture with few colours."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"studio-{name}.png", optimize=True)


def main() -> None:
    """Write the pictures."""
    with Studio() as studio, sync_playwright() as library:
        browser = library.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = opened(browser, studio.page_address("pictures"), 960)
        train(page, LEARNED)
        draw(page)
        save(page.screenshot(), "pictures")
        page.close()
        page = opened(browser, studio.page_address("sequences"), 960, "dark")
        train(page, WRITES)
        save(page.screenshot(), "sequences")
        page.get_by_label("Let a plain RNN").check()
        page.wait_for_timeout(8000)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        save(page.screenshot(), "gradients")
        browser.close()


if __name__ == "__main__":
    main()
