"""The target of a table: classes or numbers, why, and what makes a column useless as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError
from ..files.reading import refused
from .kinds import FEW_ROWS, NO_HINTS, Hints, Texts, check_finite, check_words, describe
from .numbers import parse_numbers
from .schema import TASKS, Column, Target, Task
from .spelling import Spelling

MOST_CODES = 30  # whole numbers 0 to n-1 or 1 to n are taken for the codes of so many classes at most
MANY_CLASSES = 0.5  # classes, as a share of the rows
LARGEST = 1e100  # number that can be predicted
LEAST_ROWS = 10  # from fewer nothing can be learned, chosen and tested


def describe_target(texts: Texts, spelling: Spelling, task: Task | None, hints: Hints = NO_HINTS) -> Target:
    """The target's task and classes. Values that are missing are not looked at: rows without a target are left out.

    A target is one of classes where its values are words, two different values, or whole numbers 0 to n-1 or 1 to n (n <= 30), the
    codes of classes; all other numbers are regressed. `task` decides otherwise. Raises DataError for a target without values, a
    constant one, one with another word in nearly every row, a few words among numbers, and fewer than 10 rows with a target.
    """
    if task is not None and task not in TASKS:
        raise ArgumentError(f"task={task!r}", repair=f"choose {' or '.join(map(repr, TASKS))}")
    counts = Counter(value for value in texts.values if value)
    check_counts(texts, counts)
    numbers = None if task == "classification" else parse_numbers(list(counts), spelling)
    if numbers is not None:
        check_finite(texts, list(counts), numbers)
        check_size(texts, list(counts), numbers)
    elif task is None:
        check_words(texts, list(counts), spelling, "--task classification")
    task, reason = choose_task(texts, counts, numbers, task)
    column = target_column(texts, spelling, counts, numbers, hints)
    if task == "regression":
        return Target(column, task, reason)
    check_classes(texts, counts)
    return Target(column, task, reason, sorted_classes(counts, spelling))


def check_counts(texts: Texts, counts: Counter[str]) -> None:
    """Refuse a target without values, with one value, and too few rows."""
    rows = counts.total()
    if not counts:
        raise refused(texts.path, f"target {texts.name!r}", "no row has a value", "there is nothing to learn",
                      "name another column: --target")
    if rows < LEAST_ROWS:
        raise refused(texts.path, f"target {texts.name!r}", f"{rows} row{'s' if rows > 1 else ''} with a value",
                      f"some rows are learned from, others choose and test the model: {LEAST_ROWS} are the least",
                      "bring more rows; a few hundred are a beginning")
    if len(counts) == 1:
        raise refused(texts.path, f"target {texts.name!r}", f"it is always {next(iter(counts))!r:.60}",
                      "a constant needs no model to predict it", "name another column: --target")


def check_size(texts: Texts, words: Sequence[str], numbers: np.ndarray) -> None:
    """Refuse numbers whose squares are infinite: no error can be computed of them."""
    far = np.flatnonzero(np.abs(numbers) > LARGEST)
    if far.size:
        word = words[int(far[0])]
        raise texts.refuse(word, f"{word} is too large to be predicted", "squares of errors would be infinite",
                           f"--missing {word} if it marks a gap; or predict another unit, or the logarithm")


def choose_task(texts: Texts, counts: Counter[str], numbers: np.ndarray | None, task: Task | None) -> tuple[Task, str]:
    """The task, and why it is that."""
    if task == "regression" and numbers is None:
        word = next(word for word in counts if parse_numbers([word], Spelling()) is None)
        raise texts.refuse(word, f"{word!r:.60} is no number", "regression was asked for, which predicts numbers",
                           f"correct it; --missing {word!r:.60} if it marks a gap; or leave --task out")
    if task is not None:
        return task, "named by you"
    if numbers is None:
        return "classification", "its values are words"
    if len(counts) == 2:
        return "classification", "it has two different values"
    whole = np.sort(numbers)
    if len(counts) <= MOST_CODES and whole[0] in (0, 1) and (np.diff(whole) == 1).all():
        return "classification", f"its values are the whole numbers {whole[0]:g} to {whole[-1]:g}, as codes of classes are"
    counter = len(counts) >= FEW_ROWS and len(counts) == counts.total() and (np.abs(np.diff(numbers)) == 1).all()
    return "regression", f"its values are {len(counts):,} different numbers" + (
        ", counting up from row to row: they may number the rows, which no column can predict" if counter else "")


def target_column(texts: Texts, spelling: Spelling, counts: Counter[str], numbers: np.ndarray | None, hints: Hints) -> Column:
    """The column of the target as the schema keeps it."""
    rows = len(texts.values)
    examples = tuple(word[:80] for word, _ in counts.most_common(5))
    if numbers is None and hints.kind is None:
        return Column(texts.name, "category", "the target", rows, rows - counts.total(), len(counts), examples=examples)
    if numbers is None:
        return describe(texts, spelling, hints)
    return Column(texts.name, "number", "the target", rows, rows - counts.total(), len(counts), float(numbers.min()),
                  float(numbers.max()), examples)


def check_classes(texts: Texts, counts: Counter[str]) -> None:
    """Refuse a class for nearly every row, and classes of which all have one row."""
    rows = counts.total()
    if len(counts) > MANY_CLASSES * rows and (rows >= FEW_ROWS or len(counts) == rows):
        word = next(iter(counts))
        raise texts.refuse(word, f"the target has {len(counts):,} classes in {rows:,} rows, such as {word!r:.40}",
                           "each would be learned from one or two rows", "name another target; if these are numbers with marks, see "
                           "--decimal and --thousands")


def sorted_classes(counts: Counter[str], spelling: Spelling) -> tuple[str, ...]:
    """The classes in order: of numbers, else of words."""
    numbers = parse_numbers(list(counts), spelling)
    return tuple(sorted(counts)) if numbers is None else tuple(word for _, word in sorted(zip(numbers.tolist(), counts)))


def labels_of(values: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """The index of each value among the classes, int64; -1 for "" and for words that are no class."""
    index = {word: i for i, word in enumerate(classes)}
    return np.array([index.get(value, -1) for value in values], np.int64)
