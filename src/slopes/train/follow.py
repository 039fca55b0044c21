"""The histories of a run folder followed while a training writes it: only what was appended is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files.appended import Prefix, read_more
from ..files.reading import inside
from ..files.staging import current, holds
from .history import History, check_fields
from .history_file import extend_history
from .runs import HISTORY_FIELDS, RECORD, history_file, read_fields, read_history, read_history_1, read_stable, record_identity


@dataclass
class Followed:
    """A history, and how much of its file is in it."""

    history: History = field(default_factory=History)
    prefix: Prefix = field(default_factory=lambda: Prefix.of(b""))
    lines: int = 0


class FollowedRun:
    """The histories of a run folder by name; `poll` reads what was added since, and whole histories where they were written anew.

    >>> import numpy as np, slopes as sl
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> _ = sl.fit(sl.nn.Linear(1, 1), x, 3 * x, loss=sl.nn.mse_loss, epochs=2, progress=False, run="runs/followed")
    >>> run = FollowedRun("runs/followed")
    >>> run.poll(), len(run.histories[""].epochs), run.poll()
    (True, 2, False)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.identity: tuple[Any, ...] = ()
        self.followed: dict[str, Followed] = {}

    @property
    def histories(self) -> dict[str, History]:
        """The histories by the name of their network."""
        return {name: followed.history for name, followed in self.followed.items()}

    def poll(self) -> bool:
        """Read what is new; whether there was anything. Raises DataError as `load_run` does."""
        identity = record_identity(self.folder)
        if identity and identity == self.identity:
            return False
        self.followed = read_stable(self.folder, self.read)
        self.identity = identity
        return True

    def current(self) -> dict[str, History]:
        """The histories as they are now; raises as `poll` does."""
        self.poll()
        return self.histories

    def read(self, target: Path) -> dict[str, Followed]:
        """The histories that the record counts on."""
        if not holds(target, RECORD):  # an older version's record of several trainings, which kept no history
            return {}
        record = read_fields(target)
        if record["version"] == 1:
            return {"": Followed(read_history_1(target, ""))}
        return {name: self.read_network(target, name, fields) for name, fields in record["networks"].items()}

    def read_network(self, target: Path, name: str, fields: Mapping[str, Any]) -> Followed:
        """The history of one network: what was known and what was appended, or all of it."""
        if "history" not in fields:
            return Followed(read_history(target, name, fields))
        counted, file = fields["history"], history_file(name)
        check_fields(counted, HISTORY_FIELDS, f"{target / RECORD}: networks[{name!r}].history")
        known = self.followed.get(name, Followed())
        path = Path(inside(target, current(target, file)))
        more = read_more(path, known.prefix, counted["bytes"], counted["sha256"])
        if more is None:
            known, more = Followed(), read_more(path, Prefix.of(b""), counted["bytes"], counted["sha256"])
        if more is None:
            return Followed(read_history(target, name, fields))  # the file is damaged: the error says how
        self.followed.pop(name, None)  # a line that is refused leaves half of the others in the history, which is then read anew
        known.lines = extend_history(known.history, more[0], fields["times"], target / file, known.lines)
        known.prefix = more[1]
        self.followed[name] = known
        return known
