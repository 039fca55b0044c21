"""What several processes that run one training decide together: the first one's word counts. A single process agrees with itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")


class Group(Protocol):
    """Several processes that run the same program."""

    def agree(self, value: T) -> T:
        """The first process' value, in all of them; called by all in the same order."""

    def compare(self, facts: Mapping[str, str]) -> None:
        """Raise in all processes where these facts differ between them."""

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files."""


class Alone:
    """A single process."""

    writes = True

    def agree(self, value: T) -> T:
        """The value."""
        return value

    def compare(self, facts: Mapping[str, str]) -> None:
        """Nothing differs."""


group: Group = Alone()


def join(joined: Group) -> None:
    """From now on decide with these processes."""
    global group
    group = joined


def agree(value: T) -> T:
    """The value in the first process: of clocks, signals and other things in which processes differ. JSON has to hold it.

    >>> agree(3.5)
    3.5
    """
    return group.agree(value)


def compare(facts: Callable[[], Mapping[str, str]]) -> None:
    """Raise HostsError where the processes differ in these facts; a single process does not compute them."""
    if not isinstance(group, Alone):
        group.compare(facts())


def writes() -> bool:
    """Whether this process writes files: of several the first."""
    return group.writes
