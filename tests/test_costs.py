"""The table of the cost model: complete, and each constant says what it decides and what it is based on."""

from __future__ import annotations

import pytest

from slopes import costs


def test_the_table_names_every_constant_once():
    names = [cost.name for cost in costs.TABLE]
    constants = {name: value for name, value in vars(costs).items() if isinstance(value, (int, float)) and name.isupper()}
    assert len(names) == len(set(names))
    assert {cost.name: cost.value for cost in costs.TABLE} == constants


@pytest.mark.parametrize("cost", costs.TABLE, ids=lambda cost: cost.name)
def test_a_constant_says_its_unit_what_it_decides_and_its_basis(cost):
    assert cost.value > 0 and cost.unit and cost.decides
    assert cost.basis.startswith(("chosen", "derived: ", "NOTES "))
