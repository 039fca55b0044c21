"""The page for contributors: its blocks are applied to a copy of the source, one section at a time, and its checks run there."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SAME = doctest.OutputChecker()
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECTIONS = {section.split("\n", 1)[0]: section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}


@dataclass
class Copy:
    """A copy of source and tests that the blocks of the page change."""

    root: Path

    def apply(self, language: str, text: str) -> None:
        first, rest = text.split("\n", 1)
        if language == "diff":
            self.change(first.removeprefix("--- "), rest.splitlines())
        elif written := re.fullmatch(r"# (\S+) \((append|new)\)", first):
            self.write(self.root / written[1], rest, written[2] == "new")

    def write(self, file: Path, text: str, new: bool) -> None:
        assert file.exists() != new, f"{file} {'exists already' if new else 'does not exist'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if new else file.read_text(encoding="utf-8") + text, encoding="utf-8")

    def change(self, name: str, lines: list[str]) -> None:
        """Replace the lines that begin with a space or a minus, which are in the file once, by those with a space or a plus."""
        before, after = ("".join(line[1:] + "\n" for line in lines if line[:1] in signs) for signs in (" -", " +"))
        content = (self.root / name).read_text(encoding="utf-8")
        if content.count(before) != 1:  # a change inside a line
            before, after = before.rstrip("\n"), after.rstrip("\n")
        assert content.count(before) == 1, f"{name} has {content.count(before)} times\n{before}"
        (self.root / name).write_text(content.replace(before, after), encoding="utf-8")

    def run(self, *command: str) -> str:
        """What a command prints that runs on the copy."""
        env = {**os.environ, "PYTHONPATH": os.fspath(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert not done.returncode, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def copy(tmp_path):
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return Copy(tmp_path)


@pytest.mark.parametrize("title", SECTIONS)
def test_an_addition_made_from_the_page_alone_works(title, copy):
    blocks = [(match[1], match[2]) for match in BLOCK.finditer(SECTIONS[title])]
    for language, text in blocks:
        copy.apply(language, text)
    following = [*blocks[1:], ("", "")]
    checks = 0
    for (language, text), after in zip(blocks, following):
        if language == "python" and text.startswith("# check\n"):
            printed = copy.run(sys.executable, "-c", text)
            assert after[0] == "text" and SAME.check_output(after[1], printed, LOOSE), f"{title}: the check prints\n{printed}"
            checks += 1
        elif language == "sh":
            printed = copy.run(sys.executable, *command_of(text))
            assert re.search(r"\d+ passed", printed), printed
    assert checks, f"{title} has no check"


def command_of(text: str) -> list[str]:
    """The arguments of the one command of a block that begins with `python`."""
    assert text.startswith("python ") and text.count("\n") == 1
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', text)[1:]]
