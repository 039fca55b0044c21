"""What notebooks show: tables, pictures of values, curves; and the example notebook, cell by cell."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import nn, notebook

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebook.ipynb"


def picture(page: str) -> np.ndarray:
    """The pixels of the picture in a page."""
    encoded = re.search(r"data:image/png;base64,([^\"]+)", page)
    assert encoded
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(base64.b64decode(encoded[1])))
    return np.asarray(image.convert("RGB"))


def test_a_tensor_shows_its_text_and_a_picture_of_its_values():
    page = sl.tensor([[1.0, 0.0, -0.5], [float("nan"), 0.5, -1.0]])._repr_html_()
    assert page.startswith("<pre>tensor([[ 1. ,  0. , -0.5],") and "float32 (2, 3)" in page
    assert "2 x 3, from -1 to 1; blue: above 0, orange: below, grey: not finite" in page
    pixels = picture(page)
    assert pixels.shape == (2, 3, 3)
    assert pixels[0].tolist() == [list(notebook.HIGH), [255, 255, 255], [224, 170, 144]] and pixels[1, 0].tolist() == [128, 128, 128]


def test_large_stacked_and_flat_arrays():
    assert picture(sl.ones((2, 3, 500, 100))._repr_html_()).shape == (63, 50, 3)
    assert "[0, 0] 500 x 100" in sl.ones((2, 3, 500, 100))._repr_html_()
    for x in (sl.ones(3), sl.zeros((0, 3)), sl.tensor([[1j]]), sl.tensor(1.0)):
        assert "<img" not in x._repr_html_()
    assert (picture(sl.zeros((2, 2))._repr_html_()) == 255).all() and picture(sl.tensor([[True, False]])._repr_html_()).shape == (1, 2, 3)
    assert picture(sl.full((1, 1), np.inf)._repr_html_()).tolist() == [[[128, 128, 128]]]


def test_a_traced_tensor_shows_its_shape():
    pages = []
    sl.compile(lambda x: (pages.append(x._repr_html_()), x + 1)[1])(sl.ones((2, 2)))
    assert pages == ["<pre>tensor(traced, shape=(2, 2))\nfloat32 (2, 2)</pre>"]


def test_a_network_shows_its_layers_and_parameters():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    page = net._repr_html_()
    assert "<td>net[0]</td><td>Linear(3 -&gt; 2)</td><td></td><td>8</td>" in page and "<caption>8 parameters</caption>" in page
    assert "<td>(5, 2)</td>" in net.summary((5, 3))._repr_html_()


def test_texts_are_escaped():
    assert notebook.table(["<b>"], [["<script>"]], "&") == ("<table><caption>&amp;</caption><thead><tr><th>&lt;b&gt;</th></tr></thead>"
                                                            "<tbody><tr><td>&lt;script&gt;</td></tr></tbody></table>")
    assert "<pre>&lt;i&gt;</pre>" in notebook.array_html("<i>", np.zeros(1))


def test_without_matplotlib_a_run_shows_its_text_only(monkeypatch):
    monkeypatch.setattr("slopes.plot.installed", lambda name: False)
    net = nn.Linear(2, 1)
    run = sl.fit(net, np.ones((4, 2), np.float32), np.ones((4, 1), np.float32), loss=nn.mse_loss, epochs=1)
    assert run._repr_svg_() is None and repr(run).startswith("<Run: ")


def test_the_example_notebook_runs_and_its_cells_show_what_is_kept_in_it():
    """The kinds of output of each cell are those that the file has from its last run in Jupyter."""
    pytest.importorskip("matplotlib")
    namespace: dict[str, object] = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 4
    for cell in cells:
        kinds = {kind for output in cell["outputs"] if output["output_type"] == "execute_result" for kind in output["data"]}
        assert shown(run_cell("".join(cell["source"]), namespace)) == kinds, "".join(cell["source"])


def run_cell(source: str, namespace: dict[str, object]) -> object:
    """Run a cell as Jupyter does; gives the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)


def shown(value: object) -> set[str]:
    """The kinds of data that Jupyter gets of a value."""
    if value is None:
        return set()
    methods = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_"}
    return {"text/plain", *(kind for kind, name in methods.items() if getattr(value, name, lambda: None)() is not None)}
