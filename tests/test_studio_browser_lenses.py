"""The pages of pictures and sequences in a browser: opened, played, drawn on, pointed at, written to; no console errors, accessible."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("sklearn")
pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from slopes.studio import Studio

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
SECONDS = 120_000  # milliseconds that a busy machine may take to compile
expect.set_options(timeout=SECONDS)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

LOCAL = ("http://127.0.0.1:", "data:", "blob:")
IDLE = "() => document.querySelector('button.primary')?.disabled === false && !document.querySelector('.task').textContent"
NAMELESS = """() => [...document.querySelectorAll("main :is(button, input, select, textarea, summary, canvas, svg, [tabindex='0'])")]
  .filter((item) => !item.closest("[aria-hidden]"))
  .filter((item) => !item.closest("[data-tip][data-docs]") || !(item.ariaLabel ||
    (item.matches("input, select, textarea") ? item.labels.length : item.textContent)))
  .map((item) => item.outerHTML.slice(0, 200))"""  # controls without a tooltip, a link to the docs, or a name for screen readers
ZERO = [(0.5 + 0.2 * math.sin(angle / 2), 0.5 - 0.35 * math.cos(angle / 2)) for angle in range(13)]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLOPES_DATA", str(tmp_path_factory.mktemp("data")))  # no copies of MNIST and Shakespeare
        with Studio(port=None) as studio:
            yield studio


@pytest.fixture(scope="module")
def page(studio: Studio) -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce").new_page()
        page.set_default_timeout(SECONDS)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(LOCAL) else problems.append(request.url))
        page.problems = problems
        yield page
        browser.close()


def check(page: Page) -> None:
    """Nothing was complained about, every control is explained and named, and axe-core has no serious remark."""
    assert page.problems == []
    assert page.evaluate(NAMELESS) == []
    violations = [(entry["id"], entry["nodes"][0]["html"][:200]) for entry in Axe().run(page).response["violations"]
                  if entry["impact"] in ("serious", "critical")]
    assert not violations
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def steps(page: Page, title: str) -> int:
    """How many steps the axis of a chart tells."""
    text = page.locator(f'svg[aria-label^="{title}"] text', has_text="steps:").text_content()
    return int(text.split("steps: ")[1].split(", epoch")[0].replace(",", ""))


def changes(page: Page, selector: str, action: Callable[[], object]) -> None:
    """What a canvas shows changes after an action."""
    look = "(selector) => document.querySelector(selector).toDataURL()"
    before = page.evaluate(look, selector)
    action()
    page.wait_for_function("([selector, before]) => document.querySelector(selector).toDataURL() !== before", arg=[selector, before])


def test_pictures_are_learned_drawn_and_looked_into(studio, page):
    page.goto(studio.page_address("pictures"))
    page.wait_for_function(IDLE)
    expect(page.locator(".layer").first).to_contain_text("8 maps of 8 × 8")
    page.locator("input[name=rate]").fill("0.01")
    page.locator("input[name=rate]").press("Enter")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => parseFloat(document.querySelectorAll('.chart-legend b')[3]?.textContent) > 86")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    done = steps(page, "Accuracy")
    page.get_by_role("button", name="Step").click()
    page.wait_for_function(f"() => document.body.textContent.includes('steps: {done + 1:,}')")

    pad = page.locator("canvas.pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ZERO]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()
    expect(page.locator(".bars .best .name")).to_have_text("0")
    expect(page.get_by_text("your drawing, centred and scaled")).to_be_visible()

    maps = page.locator("canvas.maps").nth(3)
    maps.scroll_into_view_if_needed()
    box = maps.bounding_box()
    changes(page, "canvas[aria-label='the picture as the network sees it']", lambda: page.mouse.move(box["x"] + 8, box["y"] + 8))
    expect(page.get_by_text(re.compile(r"sees \d × \d pixels"))).to_be_visible()
    page.mouse.click(box["x"] + 8, box["y"] + 8)
    expect(page.get_by_role("heading", name="Favourite inputs of map 0, Conv2d(8 -> 16")).to_be_visible()
    maps.press("ArrowRight")
    expect(page.get_by_role("heading", name="Favourite inputs of map 1")).to_be_visible()
    page.get_by_role("group", name="mistakes").locator("button").first.click()
    expect(page.get_by_text(re.compile(r"^test picture \d+: \d"))).to_be_visible()
    changes(page, "canvas.pad", lambda: (pad.focus(), pad.press(" "), pad.press("ArrowDown"), pad.press("ArrowDown")))
    expect(page.get_by_text("your drawing, centred and scaled")).to_be_visible()
    page.locator("input[name=rate]").fill("0")
    page.locator("input[name=rate]").press("Enter")
    expect(page.locator("input[name=rate]")).to_have_value("0.01")  # what is out of range is put back
    check(page)


def test_sequences_are_learned_read_and_written(studio, page):
    page.problems.clear()
    page.goto(studio.page_address("sequences"))
    page.reload()
    page.wait_for_function(IDLE)
    expect(page.locator(".note").first).to_contain_text("not on this machine")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => parseFloat(document.querySelector('.chart-legend b')?.textContent) < 3.2")
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Prompt").fill("The mill")
    page.get_by_role("button", name="Write").click()
    expect(page.locator(".sample").first).to_contain_text("The mill")
    page.get_by_label("Text to read").fill("The stream")
    page.get_by_label("Text to read").press("Enter")
    expect(page.locator(".strip")).to_have_text("The␣stream")
    page.get_by_label("Temperature").fill("0.3")
    expect(page.get_by_text("Temperature 0.3")).to_be_visible()
    page.get_by_label("Text to read").fill("Мороз: the mill")
    page.get_by_label("Text to read").press("Enter")
    expect(page.locator(".note").last).to_have_text("Left out, because the text that is learned lacks them: М о р з")
    forget = page.get_by_role("figure").filter(has_text="Forget gate f").locator("canvas")
    forget.scroll_into_view_if_needed()
    box = forget.bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 40)
    expect(page.locator("input[name=unit]")).not_to_have_value("0")
    expect(page.locator(".unrolled")).to_contain_text("f·c")
    page.get_by_text("Learn a text of your own").click()
    page.get_by_placeholder("Paste a text").fill("too short")
    page.get_by_role("button", name="Learn this text").click()
    expect(page.locator("#messages")).to_contain_text("the network needs at least 200")
    page.get_by_placeholder("Paste a text").fill("tick tock " * 40)
    page.get_by_role("button", name="Learn this text").click()
    expect(page.locator("select[name=source]")).to_have_value("pasted")
    expect(page.get_by_text("400 characters, 6 different ones")).to_be_visible()
    page.wait_for_function(IDLE)
    check(page)
