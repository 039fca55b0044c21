"""The table of all recipes on little data; those whose data are made here run from it: predicted from, and with a report."""

from __future__ import annotations

import pytest
from recipe_runs import SMALL, check_run

from slopes.experiments.catalog import RECIPES


def test_the_table_has_all_recipes():
    assert SMALL.keys() == RECIPES.keys()


def test_runs_of_made_data_are_predicted_and_reported(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("approximate", "features"):
        assert check_run(name, tmp_path)
