"""Several processes, on one host or several, that run one program together."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext


def connect() -> None:
    """Connect."""


def guard() -> AbstractContextManager[None]:
    """Guard."""
    return nullcontext()
