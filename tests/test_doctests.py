"""Every example in a public docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import numpy as np
import pytest

import slopes as sl
from slopes.errors import MissingExtraError


def module_names() -> Iterator[str]:
    yield "slopes"
    for found in pkgutil.walk_packages(sl.__path__, "slopes."):
        if not found.name.endswith("__main__"):
            yield found.name


@pytest.mark.parametrize("name", list(module_names()))
def test_examples_of(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    try:
        module = importlib.import_module(name)
    except MissingExtraError as error:
        pytest.skip(str(error).splitlines()[0])
    examples = [each for each in doctest.DocTestFinder(exclude_empty=True).find(module, name) if each.examples]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for example in examples:
        sl.seed(0)
        example.globs.update(sl=sl, np=np)
        runner.run(example, out=report.append)
    capsys.readouterr()
    assert not runner.failures, "".join(report)


def test_functions_of_tensors_have_examples():
    functions = [getattr(sl, name) for name in sl.functions.__all__ if callable(getattr(sl, name))]
    missing = [each.__name__ for each in functions if ">>>" not in (each.__doc__ or "")]
    assert not missing
