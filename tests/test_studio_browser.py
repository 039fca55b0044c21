"""The playground in a browser: clicked, typed into, drawn on and dragged; without console errors or serious obstacles for anyone."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("playwright")

from playwright import sync_api as playwright

from slopes.files.tensorfile import loads_safetensors
from slopes.studio import Studio

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
if CHROMIUM is None:
    pytest.skip("no chromium", allow_module_level=True)

SMALL = "#playground?count=100&layers=3.tanh"
expect = playwright.expect
PATIENCE = 30_000  # milliseconds: the machine may be busy


@pytest.fixture(scope="module")
def studio():
    with Studio() as studio:
        yield studio


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


class Page:
    """A page whose console must stay empty, and which reaches nothing but the studio."""

    def __init__(self, browser, studio: Studio, address: str, width: int = 1280) -> None:
        self.studio, self.problems = studio, []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", accept_downloads=True,
                                           permissions=["clipboard-read", "clipboard-write"])
        self.context.set_default_timeout(PATIENCE)
        self.context.route("**/*", self.only_local)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(studio.address + address)

    def only_local(self, route) -> None:
        """Refuse every request to another machine: the studio works offline."""
        if route.request.url.startswith((f"http://127.0.0.1:{self.studio.port}/", "blob:", "data:")):
            route.continue_()
        else:
            self.problems.append(f"request to {route.request.url}")
            route.abort()

    def wait_for_step(self, step: int) -> None:
        """Until the network of this step is shown."""
        expect(self.page.locator("#time-text")).to_contain_text(f"step {step:,} of", timeout=PATIENCE)

    def download(self, button: str) -> bytes:
        """What a button saves."""
        with self.page.expect_download() as download:
            self.page.locator(button).click()
        with open(download.value.path(), "rb") as file:
            return file.read()

    def close(self) -> None:
        """The end, and what went wrong."""
        self.context.close()
        assert not self.problems, self.problems


@pytest.fixture
def open_page(browser, studio):
    pages = []

    def open_one(address: str, width: int = 1280) -> Page:
        pages.append(Page(browser, studio, address, width))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()


def colours(page: Page, canvas: str) -> int:
    """How many different colours a canvas shows."""
    return page.page.locator(canvas).evaluate("""canvas => {
        const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        return new Set(data).size; }""")


def test_a_network_learns_is_brought_back_in_time_and_taken_home(open_page):
    opened = open_page(SMALL)
    page = opened.page
    opened.wait_for_step(0)
    assert studio_token_is_hidden(page.url)
    assert colours(opened, "canvas.plane") > 50 and colours(opened, "canvas.network") > 50
    page.locator("#do-epoch").click()
    opened.wait_for_step(5)
    page.locator("#do-play").click()
    expect(page.locator("#do-play")).to_have_text("Pause", timeout=PATIENCE)
    page.wait_for_timeout(500)
    page.locator("#do-play").click()
    expect(page.locator("#do-play")).to_have_text("Play", timeout=PATIENCE)
    slider = page.locator("#time")
    last = int(slider.get_attribute("max"))
    assert last > 5
    box = slider.bounding_box()  # dragged to its middle, then moved by keys
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    middle = int(slider.input_value())
    assert 0 < middle < last
    opened.wait_for_step(middle)
    slider.press("ArrowLeft")
    opened.wait_for_step(middle - 1)
    state = loads_safetensors(opened.download("#take-weights"))
    assert {name: array.shape for name, array in state.items()}["0.weight"] == (3, 2) and all(map(np.all, map(np.isfinite, state.values())))
    assert f"training.advance({middle - 1})".encode() in opened.download("#take-program")
    assert opened.download("#take-picture").startswith(b"<svg")
    page.locator("#take-python").click()
    expect(page.locator("#messages")).to_contain_text("clipboard")
    assert "nn.Linear(2, 3), nn.Tanh()" in page.evaluate("navigator.clipboard.readText()")
    page.locator("#take-link").click()
    expect(page).to_have_url(re.compile(f"&at={middle - 1}$"))
    link = page.evaluate("navigator.clipboard.readText()")
    assert "token" not in link and link.endswith(f"&at={middle - 1}")
    page.locator("#do-branch").click()
    expect(page.locator("#time-text")).to_have_text(f"step {middle - 1} of {middle - 1}")


def studio_token_is_hidden(url: str) -> bool:
    """Whether the address bar, which a projector shows, has no token."""
    return "token" not in url


def test_settings_weights_and_points_are_changed_by_hand(open_page):
    opened = open_page(SMALL)
    page = opened.page
    opened.wait_for_step(0)
    page.locator(".layer input[type=number]").first.fill("2")
    page.locator(".layer input[type=number]").first.press("Tab")
    expect(page).to_have_url(re.compile("layers=2.tanh"))
    page.get_by_role("button", name="layer 1, unit 2").click()
    weight = page.locator('[data-weight="0"]')
    weight.fill("1.5")
    weight.press("Enter")
    expect(page.locator("#do-undo")).to_be_enabled()
    page.locator("#do-undo").click()
    expect(page.locator("#do-undo")).to_be_disabled()
    page.locator("#set-data").select_option("xor")
    expect(page).to_have_url(re.compile("data=xor"))
    page.get_by_role("checkbox", name="discrete").check()
    page.locator("summary").click()
    page.locator("#csv").fill("a;b;colour\n" + "\n".join(f"{i};{i * i % 11};{('red', 'green', 'blue')[i % 3]}" for i in range(30)))
    page.locator("#use-table").click()
    expect(page.locator(".legend")).to_contain_text("green")
    expect(page).to_have_url(re.compile("data=own"))
    page.locator("#csv").fill("a,b\n1,2")
    page.locator("#use-table").click()
    expect(page.locator("#messages")).to_contain_text("the table has 2 columns")
    page.locator("#draw").check()
    plane = page.locator("canvas.plane")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    before = page.url
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=5)
    page.mouse.up()
    expect(page).not_to_have_url(before)
    before = page.url
    plane.focus()
    plane.press("ArrowRight")
    plane.press("Enter")
    expect(page).not_to_have_url(before)


def test_a_link_restores_the_view_too(open_page):
    opened = open_page(SMALL)
    page = opened.page
    opened.wait_for_step(0)
    for name in ("discrete", "test points", "log scale", "gradients"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_label("Speed").select_option("300")
    page.get_by_role("button", name="layer 1, unit 2").click()
    expect(page).to_have_url(re.compile(r"speed=300&unit=1\.2&view=discrete%2Ctest%2Clog%2Cgradients$"))
    other = open_page(page.url.partition("/")[2].partition("/")[2].partition("/")[2])
    other.wait_for_step(0)
    for name in ("discrete", "test points", "log scale", "gradients"):
        expect(other.page.get_by_role("checkbox", name=name)).to_be_checked()
    expect(other.page.get_by_label("Speed")).to_have_value("300")
    expect(other.page.locator(".unit-editor h3")).to_have_text("layer 1, unit 2")
    assert other.page.locator('[data-weight="0"]').evaluate("input => input.scrollWidth <= input.clientWidth")  # all digits are seen
    expect(other.page.locator('[data-weight="0"]')).to_have_value(page.locator('[data-weight="0"]').input_value())
    bad = open_page(SMALL + "&unit=7.9&view=nothing&speed=12")
    bad.wait_for_step(0)
    expect(bad.page.get_by_label("Speed")).to_have_value("30")
    expect(bad.page.locator(".unit-editor")).to_be_hidden()


def test_nothing_stands_in_anyones_way(open_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for width in (360, 1280):
        opened = open_page("#playground?preset=vanishing&count=40&layers=2.tanh", width)
        page = opened.page
        opened.wait_for_step(0)
        for _ in range(2):  # in light and dark
            violations = [rule for rule in axe.run(page).response["violations"] if rule["impact"] in ("serious", "critical")]
            serious = [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:3]) for rule in violations]
            assert not serious, serious
            page.locator("#theme").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        unexplained = """[...document.querySelectorAll("main button, main select, main input, main canvas.plane")].filter(
            (element) => !element.closest("[data-tip]") && !element.getAttribute("aria-label")).map((element) => element.outerHTML)"""
        assert page.evaluate(unexplained) == []
        nameless = "[...document.querySelectorAll('main input, main select')].filter((item) => !item.labels.length && !item.ariaLabel)"
        assert page.evaluate(nameless + ".map((item) => item.outerHTML)") == []


def test_keyboard_help_and_links(open_page, studio):
    opened = open_page(SMALL)
    page = opened.page
    opened.wait_for_step(0)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#do-step").focus()
    page.keyboard.press("Enter")
    opened.wait_for_step(1)
    expect(page.locator("#tip")).to_contain_text("one update of the weights")
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()
    page.locator("h2").first.click()
    page.keyboard.press(" ")
    expect(page.locator("#do-play")).to_have_text("Pause")
    page.keyboard.press(" ")
    page.get_by_role("link", name="Help").click()
    expect(page.locator(".help h2").first).to_have_text("Playground")
    page.goto(studio.address.partition("?")[0] + SMALL + "&seed=5&at=7")  # the cookie stands for the token
    opened.wait_for_step(7)
