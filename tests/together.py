"""Many small cases in one test, where a test of its own for each would cost more than the case: all run, and a failure names its case."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import slopes as sl


def together(names: str, cases: Iterable[Any], ids: Callable[[Any], object] = str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like `pytest.mark.parametrize`, but the cases are run by one test, which raises all their errors in one group.

    Each case begins with the seeds of a new test; fixtures are shared by all. `ids` says what a case is called in its error.
    """
    arguments = [name.strip() for name in names.split(",")]
    every = [case if len(arguments) > 1 else (case,) for case in cases]

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def test(**fixtures: Any) -> None:
            assert every, f"{check.__name__} has no cases"
            errors = [error for case in every if (error := error_of(check, dict(zip(arguments, case)), fixtures, ids))]
            if errors:
                raise ExceptionGroup(f"{len(errors)} of {len(every)} cases failed", errors)

        parameters = inspect.signature(check).parameters
        test.__signature__ = inspect.Signature([value for name, value in parameters.items() if name not in arguments])
        return test

    return decorate


def error_of(check: Callable[..., None], case: dict[str, Any], fixtures: dict[str, Any], ids: Callable[[Any], object]) -> Exception | None:
    """What a case raises, with the name of the case."""
    sl.seed(0)
    np.random.seed(0)
    try:
        check(**case, **fixtures)
    except Exception as error:
        error.add_note("the case: " + ", ".join(f"{name} = {ids(value)}" for name, value in case.items()))
        return error
    return None
