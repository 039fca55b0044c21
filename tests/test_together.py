"""Cases that share a test: all are run, each with its seed, and the errors name their cases."""

from __future__ import annotations

import numpy as np
import pytest
from together import together

import slopes as sl


def test_all_cases_run_and_all_errors_are_raised_with_their_case():
    seen = []

    @together("x, y", [(1, 2), (3, 3), (4, 4)], ids=repr)
    def check(x, y, tmp_path):
        seen.append((x, y, tmp_path))
        assert x != y, "equal"

    with pytest.raises(ExceptionGroup, match="2 of 3 cases failed") as error:
        check(tmp_path="folder")
    assert seen == [(1, 2, "folder"), (3, 3, "folder"), (4, 4, "folder")]
    assert [(str(each).split("\n")[0], each.__notes__) for each in error.value.exceptions] == [
        ("equal", ["the case: x = 3, y = 3"]), ("equal", ["the case: x = 4, y = 4"])]


@together("first", [True, False])
def test_a_case_draws_what_a_test_of_its_own_would(first, rng):
    assert isinstance(rng, np.random.Generator)
    sl.seed(0)
    expected = sl.random.uniform((2,)).numpy(), np.random.RandomState(0).uniform()
    sl.seed(0)
    assert np.array_equal(sl.random.uniform((2,)).numpy(), expected[0]) and np.random.uniform() == expected[1]


def test_a_test_without_cases_fails():
    with pytest.raises(AssertionError, match="has no cases"):
        together("x", [])(lambda x: None)()


@pytest.mark.parametrize("outer", [1, 2])
@together("inner", [1, 2])
def test_cases_may_be_nested_in_parameters(outer, inner, request):
    assert request.node.name.endswith(f"[{outer}]") and inner in (1, 2)
