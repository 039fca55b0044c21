"""Files of the user's own with a class each: a subfolder for each class, or a CSV file of names and classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...data.loaders.folder import MOST_READERS, entries_of
from ...errors import DataError
from ...files.reading import inside, refused
from ...settings import expand_home
from ...tables.report import shorten
from ...tables.study import similar_classes
from ...tables.table import TextTable, read_table
from ...workers import Workers
from ..experiment import Config, Setting

DIVIDED, VALIDATION, TEST = range(3)  # what a file is for: to be divided, to choose the epoch, to test
NAMED = 10  # files that are named where there are many
T = TypeVar("T")


@dataclass(frozen=True)
class FileKind:
    """What the files hold, in a word, and the endings of their names."""

    noun: str
    suffixes: tuple[str, ...]

    def count(self, files: int) -> str:
        """`1 picture`, `1,000 pictures`."""
        return f"{files:,} {self.noun}{'' if files == 1 else 's'}"


@dataclass
class Labelled:
    """The files, the index of the class of each (N,), what each is for (N,), and what is to be said of them."""

    root: str
    paths: list[str]
    targets: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, chosen: np.ndarray) -> Labelled:
        """The files that an array of indices or booleans selects."""
        indices = np.arange(len(self))[chosen]
        return replace(self, paths=[self.paths[i] for i in indices], targets=self.targets[indices], part=self.part[indices])

    def name(self, index: int) -> str:
        """The path below the folder, where it lies in it."""
        path = self.paths[index]
        return os.path.relpath(path, self.root) if path.startswith(self.root + os.sep) else path


def file_settings(kind: FileKind) -> dict[str, Setting]:
    """The settings that say where the files and their classes are."""
    return {
        "folder": Setting("", f"{kind.noun}s in a subfolder for each class"),
        "labels": Setting("", f"FILE.csv that names each {kind.noun}, by its path in the folder, and its class: instead of subfolders"),
        "file_column": Setting("file", "the column of --labels with the paths"),
        "class_column": Setting("class", "the column of --labels with the classes"),
        "valid": Setting("", f"a folder like the first, whose {kind.noun}s choose the best epoch  [default: a tenth of the {kind.noun}s]"),
        "test": Setting("", f"a folder like the first, whose {kind.noun}s test  [default: a fifth of the {kind.noun}s]"),
        "skip_broken": Setting(False, "leave out files that cannot be read, and name them; otherwise the first of them ends the training"),
        "balanced": Setting(False, f"classes weigh as if all had equally many {kind.noun}s"),
    }


def labelled_files(config: Config, kind: FileKind) -> Labelled:
    """The files that a user names. Nothing is read but folders and --labels.

    Raises DataError for folders that cannot be read, without subfolders, with a class that has no file or is the only one.
    """
    root = os.path.realpath(expand_home(config["folder"], "FOLDER"))
    whole = from_table(root, config, kind) if config["labels"] else from_subfolders(root, kind)
    if len(whole.classes) < 2:
        raise refused(root, "classes", f"there is only one, {whole.classes[0]!r}", "a network learns to distinguish classes",
                      "bring files of a second class")
    for name, part in (("valid", VALIDATION), ("test", TEST)):
        if config[name]:
            more = from_subfolders(os.path.realpath(expand_home(config[name], f"--{name}")), kind, whole.classes)
            whole = Labelled(root, whole.paths + more.paths, np.concatenate([whole.targets, more.targets]), whole.classes,
                             np.concatenate([whole.part, np.full(len(more), part)]), whole.notes + more.notes)
    whole.notes += similar_classes(whole.classes)
    return whole


def from_subfolders(root: str, kind: FileKind, classes: Sequence[str] | None = None) -> Labelled:
    """The files below FOLDER/CLASS, in the order of their names; with `classes`, DataError for a subfolder that is none of them."""
    if not os.path.isdir(root):
        raise refused(root, "folder", "it is a file" if os.path.exists(root) else "there is no such folder", repair="check the path")
    names = sorted(entry.name for entry in entries_of(Path(root)) if entry.is_dir())
    if not names:
        raise refused(root, "folder", "it has no subfolders", f"each class is a subfolder with its {kind.noun}s",
                      "move them into some, or name their classes in a file: --labels FILE.csv")
    unknown = [name for name in names if classes is not None and name not in classes]
    if unknown:
        raise refused(os.path.join(root, unknown[0]), "class", f"{unknown[0]!r} was not learned",
                      f"the classes are {shorten(', '.join(classes or ()), 200)}", "rename the subfolder, or remove it")
    known, others = tuple(names if classes is None else classes), Counter[str]()
    listed = [(path, known.index(name)) for name in names for path in files_of_class(root, name, kind, others)]
    notes = [others_text(others)] if others else []
    return Labelled(root, [path for path, _ in listed], np.array([label for _, label in listed], np.int64), known,
                    np.full(len(listed), DIVIDED), notes)


def others_text(others: Counter[str]) -> str:
    """What is to be said of files with other endings, which are counted by these."""
    return (f"{others.total():,} file{'' if others.total() == 1 else 's'} with other endings left out: "
            + ", ".join(f"{ending or 'none'} ({count:,})" for ending, count in others.most_common(NAMED)))


def counted(remarks: Counter[str], kind: FileKind) -> list[str]:
    """`2 sounds of another rate: resampled`: remarks with the number of files."""
    return [f"{kind.count(count)} {text}" for text, count in sorted(remarks.items())]


def files_of_class(root: str, name: str, kind: FileKind, others: Counter[str]) -> list[str]:
    """The files of a class; DataError where there is none."""
    inside(root, name)
    paths = files_below(os.path.join(root, name), kind, others)
    if not paths:
        raise refused(os.path.join(root, name), "folder", f"there is no {kind.noun} in it",
                      f"every subfolder is a class; {kind.noun}s end in {', '.join(kind.suffixes)}",
                      f"remove it, or put {kind.noun}s there")
    return paths


def files_below(folder: str, kind: FileKind, others: Counter[str]) -> list[str]:
    """The files of a folder and of those in it, in the order of their names; others are counted by their endings.

    Links are followed where they stay in the folder; DataError for one that leads out of it.
    """
    paths, waiting = [], [folder]
    while waiting:
        for entry in entries_of(Path(waiting.pop())):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.lower().endswith(kind.suffixes):
                paths.append(inside(folder, os.path.relpath(entry.path, folder)) if entry.is_symlink() else entry.path)
            else:
                others[os.path.splitext(entry.name)[1].lower()] += 1
    return sorted(paths)


def from_table(root: str, config: Config, kind: FileKind) -> Labelled:
    """The files that a CSV file names, in the order of their paths. Rows without a class are left out, which is said."""
    table = read_table(expand_home(config["labels"], "--labels"))
    for column, option in ((config["file_column"], "--file-column"), (config["class_column"], "--class-column")):
        if column not in table.columns:
            raise refused(table.path, "columns", f"there is no column {column!r}",
                          f"it has {', '.join(map(repr, list(table.columns)[:10]))}", f"name the column: {option} NAME")
    labels, gaps = labels_by_path(root, table, config["file_column"], config["class_column"])
    if not labels:
        raise refused(table.path, f"column {config['class_column']!r}", "no row has a class", "there is nothing to learn",
                      "bring rows with classes")
    classes = tuple(sorted(set(labels.values())))
    notes = [*table.notes, *([f"{table.path}: {gaps:,} rows without a class are left out"] if gaps else [])]
    paths = sorted(labels)
    return Labelled(root, paths, np.array([classes.index(labels[path]) for path in paths], np.int64), classes,
                    np.full(len(paths), DIVIDED), notes)


def labels_by_path(root: str, table: TextTable, files: str, classes: str) -> tuple[dict[str, str], int]:
    """The class of each path, and the number of rows without one; DataError for a file with two classes."""
    labels: dict[str, str] = {}
    gaps = 0
    for line, file, name in zip(table.lines, table.columns[files], table.columns[classes]):
        if not file:
            raise refused(table.path, f"line {line}, column {files!r}", "it is empty", "each row names a file", "correct or remove the row")
        path = inside(root, file)
        if not name:
            gaps += 1
        elif labels.setdefault(path, name) != name:
            raise refused(table.path, f"line {line}", f"{file} is {name!r}, but {labels[path]!r} in an earlier line",
                          "a file has one class", "remove one of the lines")
    return labels, gaps


class Broken(dict[int, DataError]):
    """The errors of files that cannot be read, by index."""


def read_each(labelled: Labelled, read: Callable[[int], T], skip: bool) -> tuple[list[T | None], Broken]:
    """read(i) of every file, by several threads; the errors of those that cannot be read, which are raised unless they are skipped."""
    broken = Broken()

    def attempt(i: int) -> T | None:
        try:
            return read(i)
        except DataError as error:
            broken[i] = error
            return None

    with Workers(min(MOST_READERS, os.cpu_count() or 1), thread_name_prefix="slopes-read") as pool:
        values = list(pool.map(attempt, range(len(labelled))))
    if broken and not skip:
        first = broken[min(broken)]
        more = f" ({len(broken) - 1:,} more files cannot be read either)" if len(broken) > 1 else ""
        raise DataError(f"{first.what}{more}", why=first.why, where="", repair="mend or remove it; --skip-broken leaves such files out")
    return values, broken


def without_broken(labelled: Labelled, broken: Broken, kind: FileKind) -> tuple[Labelled, np.ndarray, list[str]]:
    """The files that can be read, their indices, and the names of the others, which are noted; DataError for a class that has none left."""
    readable = readable_files(labelled, broken, kind)
    kept = labelled.subset(readable)
    indices = sorted(broken)
    if broken:
        kept.notes = [*labelled.notes, f"{kind.count(len(broken))} cannot be read, and {'is' if len(broken) == 1 else 'are'} left out",
                      *(f"left out: {reason(broken[i], labelled.root)}" for i in indices[:NAMED]),
                      *([f"... and {len(broken) - NAMED:,} more; run.json names all"] if len(broken) > NAMED else [])]
    return kept, np.flatnonzero(readable), [labelled.name(i) for i in indices]


def readable_files(labelled: Labelled, broken: Broken, kind: FileKind) -> np.ndarray:
    """Whether each file can be read, (N,); DataError for a class that has none which can."""
    readable = np.array([i not in broken for i in range(len(labelled))])
    left = np.bincount(labelled.targets[readable & (labelled.part == DIVIDED)], minlength=len(labelled.classes))
    if not left.all():
        name = labelled.classes[int(left.argmin())]
        raise DataError(f"{labelled.root}: every {kind.noun} of class {name!r} is broken", why=broken[min(broken)].what, where="",
                        repair="bring some that can be read, or remove the class")
    return readable


def reason(error: DataError, root: str) -> str:
    """What is wrong with a file, named by its path in the folder."""
    return error.what.removeprefix(root + os.sep)
