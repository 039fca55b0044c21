"""The table of ONNX operators that slopes computes: a function for each, and for each version that means something else."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
ML = "ai.onnx.ml"


class Operator(NamedTuple):
    """How one operator is computed, from version `since` on.

    `compute(call, *inputs)` gives the output, or a tuple of outputs. Inputs are tensors; those at the positions `known` are arrays, whose
    values have to be known while a function is traced. Where all inputs are arrays the result is computed at once, and is known too,
    unless the operator is `random`. A `raw` operator gets its inputs as they are, and one with `scope` the values of the graph around it.
    """

    since: int
    compute: Callable[..., Any]
    known: tuple[int, ...]
    statistics: tuple[int, ...]
    raw: bool
    random: bool
    scope: bool


TABLE: dict[tuple[str, str], list[Operator]] = {}  # (domain, name) -> by version


def operator(*names: str, domain: str = "", since: int = 1, known: tuple[int, ...] = (), statistics: tuple[int, ...] = (),
             raw: bool = False, random: bool = False, scope: bool = False) -> Callable[[F], F]:
    """Register a function as that of these operators.

    `known` are the inputs whose values decide about shapes or loops; `statistics` those that are state, but not trained.
    """
    def register(compute: F) -> F:
        for name in names:
            versions = TABLE.setdefault((domain, name), [])
            bisect.insort(versions, Operator(since, compute, known, statistics, raw, random, scope), key=lambda entry: entry.since)
        return compute

    return register


def operator_for(domain: str, name: str, version: int) -> Operator | None:
    """The operator of this version; None where slopes has none."""
    versions = [entry for entry in TABLE.get((domain, name), ()) if entry.since <= version]
    return versions[-1] if versions else None


def supported(domain: str = "") -> list[str]:
    """The names of the operators of a domain that slopes computes itself."""
    return sorted(name for known, name in TABLE if known == domain)
