"""The circuit, runs and notebook pages in a real browser: used with mouse and keyboard, without a console error or a serious violation."""

from __future__ import annotations

import http.server
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python.sync_playwright")

from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api as playwright
from test_studio_runs import saved

import slopes as sl
from slopes import nn
from slopes.data.loaders.write_images import save_png
from slopes.studio import Studio
from slopes.studio.engine import Context

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
WIDTHS = (360, 1440)
PATIENCE = 30_000  # milliseconds: the machine may be busy
LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost):|blob:|data:|about:")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    """A page whose console must stay empty, and which reaches nothing but this machine."""
    context = browser.new_context(viewport={"width": WIDTHS[1], "height": 900}, reduced_motion="reduce",
                                  permissions=["clipboard-read", "clipboard-write"])
    opened, problems = context.new_page(), []
    context.on("request", lambda request: None if LOCAL.match(request.url) else problems.append(request.url))
    opened.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.set_default_timeout(PATIENCE)
    yield opened
    context.close()
    assert not problems, problems


def check_axe(page):
    violations = Axe().run(page).response["violations"]
    serious = [(one["id"], [node["html"][:100] for node in one["nodes"]]) for one in violations if one["impact"] in ("serious", "critical")]
    assert not serious, serious


def check_widths(page):
    """Nothing is wider than the window."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def expect(page, selector, text):
    playwright.expect(page.locator(selector).first).to_contain_text(text, timeout=PATIENCE)


def test_a_circuit_is_typed_stepped_through_and_changed(page):
    with Studio() as studio:
        page.goto(studio.page_address("circuit"))
        page.fill("#circuit-text", "f = (x + y) * z\nx = -2; y = 5; z = -4")
        expect(page, ".sentence", "Next takes the first of 4 products")
        page.get_by_role("button", name="Next").click()
        expect(page, ".sentence", "1 of 4: ∂f/∂a = ∂f/∂f · ∂f/∂a = 1 · (-4) = -4")
        page.locator('.wire[data-step="0"]').focus()
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        expect(page, ".sentence", "3 of 4: ∂f/∂x = ∂f/∂a · ∂a/∂x = (-4) · 1 = -4")
        assert page.evaluate("document.activeElement.dataset.step") == "2"
        page.get_by_label("z", exact=True).fill("3")
        expect(page, ".sentence", "3 of 4: ∂f/∂x = ∂f/∂a · ∂a/∂x = 3 · 1 = 3")
        assert "z = 3" in page.input_value("#circuit-text") and "k=3" in page.url
        page.get_by_role("button", name="Back").click()
        page.locator('.wire[data-step="3"]').press("Enter")
        expect(page, ".sentence", "4 of 4")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save SVG").click()
        assert Path(download.value.path()).read_text().startswith("<svg")
        page.get_by_role("button", name="Copy as Python").click()
        expect(page, "#messages", "copied")
        assert "sl.explain(f, -2, 5, 3)" in page.evaluate("navigator.clipboard.readText()")
        page.fill("#circuit-text", "f = (x + y × z")
        expect(page, "#circuit-error", "character 12: '×' is no part of the language")
        page.reload()
        playwright.expect(page.locator("#circuit-text")).to_have_value(re.compile("z = 3$"), timeout=PATIENCE)  # from the address
        for preset in ("softmax", "functions"):
            page.select_option("#circuit-preset", preset)
        expect(page, ".sentence", "∂f/∂f = 1")
        page.get_by_label("Open functions").check()
        expect(page, "svg", "exp(")
        check_axe(page)
        check_widths(page)
        page.goto("about:blank")


def test_runs_are_filtered_compared_looked_at_and_used(page, tmp_path):
    for name, rate in (("a", 0.1), ("deep/b", 0.2)):
        saved(tmp_path / "runs" / name, rate=rate)
    pixels = np.zeros((28, 28), np.float32)
    pixels[4:24, 12:16] = 1
    save_png(tmp_path / "one.png", pixels)
    with Studio(context=Context(folder=tmp_path / "runs")) as studio:
        page.goto(studio.page_address("runs"))
        page.get_by_label("Compare a", exact=True).check()
        page.get_by_label("Compare deep/b").check()
        expect(page, ".legend", "deep/b, validation")
        expect(page, "tr.differs", "rate")
        page.fill("#runs-filter", "deep")
        expect(page, ".runs [role=status].quiet", "1 of 2 runs")
        page.fill("#runs-filter", "")
        saved(tmp_path / "runs" / "c")
        expect(page, "tbody", "c")
        page.select_option("#runs-figure", "accuracy")
        page.locator("canvas.chart").hover()
        page.get_by_role("button", name="a", exact=True).click()
        expect(page, "section[aria-label='One run']", "a line")
        page.set_input_files("#runs-file", tmp_path / "one.png")
        playwright.expect(page.locator(".answer")).to_contain_text(re.compile(r"\d \(\d+\.\d%\)"), timeout=PATIENCE)
        page.locator("figure[data-name='confusion.png'] img").wait_for(state="attached")
        assert "look=a" in page.url
        check_axe(page)
        check_widths(page)
        page.goto("about:blank")


def test_a_notebook_shows_the_playground_in_a_frame(page):
    points = np.random.default_rng(0).uniform(-5, 5, (40, 2))
    view = sl.play(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)), (points, points[:, 0] > 0))

    class Notebook(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(f"<!doctype html><title>notebook</title>{view._repr_html_()}".encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("localhost", 0), Notebook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page.goto(f"http://localhost:{server.server_port}/")
        playwright.expect(page.frame_locator("iframe").locator("#time")).to_be_attached(timeout=PATIENCE)
        page.goto("about:blank")
    finally:
        view.stop()
        server.shutdown()
        server.server_close()
