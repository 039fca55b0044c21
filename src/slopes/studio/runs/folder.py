"""The runs below a folder, read again only where something changed; nothing outside of the folder has a name here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ArgumentError, DataError
from ...files.claim import is_claimed
from ...train.follow import FollowedRun
from ...train.records import DEPTH, Record, read_record, run_folders
from ...train.runs import record_identity

MOST_RUNS = 500  # that the page lists


class RunsFolder:
    """The runs below `root` by name, which is the path below it; `refresh` looks for changes.

    Only these names lead to files: what a page asks for is looked up among them, never joined to a path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records: dict[str, Record] = {}
        self.unreadable: dict[str, str] = {}
        self.running: dict[str, bool] = {}
        self.identities: dict[str, tuple[Any, ...]] = {}
        self.followed: dict[str, FollowedRun] = {}
        self.left_out = 0

    def refresh(self) -> bool:
        """Read the records that changed; whether any did, or a training began or ended."""
        before = (dict(self.records), dict(self.unreadable), dict(self.running))
        closed: dict[Path, str] = {}
        folders = list(run_folders(self.root, DEPTH, closed)) if self.root.is_dir() else []
        self.left_out = max(0, len(folders) - MOST_RUNS)
        present = {self.name(path): path for path in folders[:MOST_RUNS]}
        for name in set(self.identities) - set(present):
            for table in (self.records, self.unreadable, self.running, self.identities, self.followed):
                table.pop(name, None)
        for name, path in present.items():
            self.refresh_run(name, path)
        return before != (self.records, self.unreadable, self.running)

    def refresh_run(self, name: str, path: Path) -> None:
        """Read one record if it changed."""
        identity = record_identity(path)
        if identity != self.identities.get(name) or not identity:
            try:
                self.records[name] = read_record(path, lambda target, fields: self.follow(name, path).current())
                self.unreadable.pop(name, None)
            except DataError as error:
                self.unreadable[name] = error.what
                self.records.pop(name, None)
            self.identities[name] = identity
        self.running[name] = is_claimed(path)

    def follow(self, name: str, path: Path) -> FollowedRun:
        """The histories of a run, of which only what was appended is read each time."""
        return self.followed.setdefault(name, FollowedRun(path))

    def name(self, path: Path) -> str:
        """What a run is called here."""
        return path.name if path == self.root else path.relative_to(self.root).as_posix()

    def record(self, name: str) -> Record:
        """The record of a run; ArgumentError for a name that is not in the listing."""
        if name not in self.records:
            raise ArgumentError(f"there is no run {name[:100]!r} in this folder", why="it was removed, or cannot be read", where="",
                                repair="choose one of the list")
        return self.records[name]

    def state(self, name: str) -> str:
        """`running`, `interrupted` or `finished`."""
        return "running" if self.running.get(name) else "interrupted" if self.records[name].interrupted else "finished"
