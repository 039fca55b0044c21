"""The documents run: their Python blocks execute in order, and print what the text block after them says."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import os
import pkgutil
import re
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import pytest

import slopes as sl
from slopes.data.sets.sources import SOURCES
from slopes.graph.node import Operation

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAMS = ("tour", "machine", "compile", "text", "sequences", "data", "practice", "pytorch", "ownership", "tables",
            "own-images", "own-sound", "own-text", "onnx-out", "onnx-in", "checkpoints", "sklearn", "keras", "jax", "xla", "devices",
            "studio-circuit")
NEEDS = {"docs/xla.md": "jax", "docs/devices.md": "jax", "docs/studio-circuit.md": "starlette"}  # not among what tests install
RUN = [*(f"docs/{name}.md" for name in PROGRAMS), "README.md"]  # their Python blocks are programs
COMING_FROM = ("docs/pytorch.md", "docs/keras.md", "docs/jax.md")  # pages whose tables have the other library's names on the left
COMMANDS = (
    'python3 -m venv .venv && .venv/bin/pip install ".[all]" && .venv/bin/slopes train digits',
    '.venv/bin/pip install ".[test]" && .venv/bin/python -m pytest',
)
SAME = doctest.OutputChecker()
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(name: str) -> list[tuple[str, str, int]]:
    """(language, text, line) of every fenced block."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [(match[1], match[2], text.count("\n", 0, match.start()) + 2) for match in BLOCK.finditer(text)]


class Recorder:
    """In the role of a module: its functions have every name, and keep the arguments of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **options: self.calls.append((name, args, options))


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """A folder of its own, no services that collect figures, and the table of operations as it was before."""
    table = dict(Operation.table)
    for service in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, service, Recorder())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLOPES_CHECK", "")  # so that what a document sets is undone
    yield
    Operation.table.clear()
    Operation.table.update(table)


@pytest.mark.parametrize("name", RUN)
def test_the_code_of_a_document_runs_and_prints_what_it_says(name, clean):
    pytest.importorskip(NEEDS.get(name, "sklearn"))
    namespace: dict[str, object] = {"__name__": "__main__"}
    found, compared = blocks(name), 0
    for number, (language, code, line) in enumerate(found):
        if language != "python":
            continue
        printed = run(code, line, name, namespace)
        follows = found[number + 1] if number + 1 < len(found) else ("", "", 0)
        if follows[0] == "text" and follows[2] == line + code.count("\n") + 2:  # the two fences between them, and nothing else
            assert SAME.check_output(follows[1], printed, LOOSE), f"{name}, line {follows[2]}: the code prints\n{printed}"
            compared += 1
    assert compared or "```text" not in (ROOT / name).read_text(encoding="utf-8"), f"nothing that {name} shows was compared"


def run(code: str, line: int, name: str, namespace: dict[str, object]) -> str:
    """What a block prints; its line numbers in messages are those of the document."""
    out = io.StringIO()
    padded = "\n" * (line - 1) + code
    with contextlib.redirect_stdout(out):
        exec(compile(padded, str(ROOT / name), "exec"), namespace)
    return out.getvalue()


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(command in readme for command in COMMANDS)


def test_the_readme_is_read_in_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_pictures_of_documents_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)|src=\"(?!https?:)([^\"]+)\"", text)
    missing = [each for pair in links for each in pair if each and not ((ROOT / name).parent / each).exists()]
    assert not missing, f"{name} points to {missing}"


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(BLOCK, "", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_point_to_headings_that_exist(name):
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    missing = [f"{target}#{anchor}" for target, anchor in links if anchor not in anchors(page.parent / target if target else page)]
    assert not missing, f"{name} points to {missing}"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_an_example_runs(name, clean, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "argv", [name])
    file = os.fspath(ROOT / "examples" / name)
    exec(compile(Path(file).read_text(encoding="utf-8"), file, "exec"), {"__name__": "__main__", "__file__": file})
    assert capsys.readouterr().out.strip()


def test_the_page_about_data_names_every_public_set_of_it_with_its_licence():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1].removeprefix("data.").removesuffix("()"): row for row in text.splitlines() if row.startswith("| `data.")}
    others = {"tinyshakespeare", "wikitext-2", "rt-polarity", "ud-english-ewt", "tatoeba-fra-eng", "names"}  # on the page about text
    for name in set(SOURCES) - others:
        licence = rows[name.replace("-", "_")].rsplit("|", 2)[1].strip()
        assert licence.split(" (")[0].split(" for ")[0] in SOURCES[name].licence, name


def test_the_machine_has_at_most_200_lines():
    code = "".join(text for language, text, _ in blocks("docs/machine.md") if language == "python")
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 200


def names_in(text: str) -> set[str]:
    """The dotted names of slopes in the code of a text: `sl.grad`, `nn.Linear`, `optim.schedules.Cosine` ..."""
    code = " ".join(re.findall(r"`([^`]+)`", re.sub(r"\]\([^)]*\)", "]", text)))  # without the targets of links
    return set(re.findall(r"(?<![\w.])(?:sl|nn|optim|data|inside|text|train)(?:\.[A-Za-z_]\w*)+", code))


@pytest.mark.parametrize("name", [*COMING_FROM, "docs/index.md", "docs/glossary.md", "README.md"])
def test_every_name_in_a_page_exists(name):
    pytest.importorskip("sklearn")
    text = re.sub(BLOCK, "", (ROOT / name).read_text(encoding="utf-8"))
    text = "\n".join(row.split(" | ", 1)[1] if name in COMING_FROM and row.startswith("| ") else row for row in text.splitlines())
    for dotted in names_in(text):
        first, *rest = dotted.split(".")
        reduce(getattr, rest, sl if first == "sl" else getattr(sl, first))  # AttributeError: the page names what does not exist
    for dotted in re.findall(r"`(slopes(?:\.\w+)+)`", text):
        pkgutil.resolve_name(dotted)  # imports what is a module
    options = set(re.findall(r"fit\((\w+)=", text))
    assert options <= inspect.signature(sl.fit).parameters.keys()
    assert names_in(text) or "glossary" in name


@pytest.mark.parametrize("name", COMING_FROM)
def test_the_training_loop_beside_that_of_another_library_uses_names_that_exist(name):
    loop = next(code for language, code, _ in blocks(name) if language == "py")
    right = [line[57:] for line in loop.splitlines()]
    assert right[0] == "# slopes"
    for dotted in re.findall(r"(?<![\w.])(?:sl|nn|optim)\.\w+", "\n".join(right)):
        module, attribute = dotted.split(".")
        assert hasattr(sl if module == "sl" else getattr(sl, module), attribute), dotted


def test_the_glossary_defines_each_word_once():
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = [row.split("|")[1].strip() for row in page.splitlines() if row.startswith("| ") and not row.startswith("| word |")]
    assert 40 <= len(words) <= 90 and len(words) == len(set(words))
