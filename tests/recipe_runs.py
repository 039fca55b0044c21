"""A recipe run on little data, for tests: what it must always do, a run folder to predict from, and the result."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from slopes.experiments.experiment import Experiment, Result
from slopes.experiments.run import run
from slopes.train.runs import load_run
from slopes.view.report import report


def run_recipe(recipe: Experiment[Any], seed: int = 0, folder: Any = None, **args: Any) -> Result[Any]:
    """Run it without progress; it has logged, reported lines and finite figures, and its folder makes a page with figures and plots."""
    logged: list[str] = []
    result = run(recipe, args, folder, seed=seed, log=logged.append)
    assert logged and result.lines and result.figures and all(np.isfinite(value) for value in result.figures.values())
    if folder is not None:
        page = report([load_run(folder)])
        assert all(escape(name) in page for name in result.figures) and page.count("data:image/png") == len(result.report.plots)
    return result


def weights_of(result: Result[Any]) -> dict[str, np.ndarray]:
    """The arrays of all networks, by network and path."""
    return {f"{name}/{path}": array for name, net in result.networks.items() for path, array in net.state_dict().items()}


def same_weights(one: Result[Any], other: Result[Any]) -> bool:
    """Whether all networks of two results have the same bits."""
    a, b = weights_of(one), weights_of(other)
    return bool(a) and a.keys() == b.keys() and all(a[path].tobytes() == b[path].tobytes() for path in a)
