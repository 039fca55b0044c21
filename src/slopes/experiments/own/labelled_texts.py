"""Labelled texts of a user's table: the rows that have both, divided so that no text is on two sides, and what is said of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import ArgumentError, DataError
from ...files.reading import refused
from ...tables.kinds import Hints, describe
from ...tables.numbers import parse_numbers
from ...tables.schema import Schema, Target
from ...tables.sources import source_name
from ...tables.spelling import Spelling, spelling_of
from ...tables.splits import group_values, split_groups, split_rows, split_time
from ...tables.study import Question, imbalance, similar_classes, time_values
from ...tables.table import TextTable, check_hints, read_table
from ...tables.target import MANY_CLASSES, MOST_CODES, check_counts, labels_of, sorted_classes
from ..experiment import Config

LEARN, CHOOSE, TEST, LEFT_OUT = range(4)  # sides of the division
PARTS = 8  # one of them chooses the epoch
TEST_SHARE = 0.2
AS_THEY_LOOK = "as they look"  # the order of day and month in dates


@dataclass(frozen=True)
class Labelled:
    """Texts, and the index (N,) of the class of each."""

    texts: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class LabelledSplits:
    """The texts that are learned from, that choose the epoch, and that test; and lines that say what was understood of the table."""

    train: Labelled
    validation: Labelled
    test: Labelled
    classes: tuple[str, ...]
    spelling: Spelling
    lines: list[str]


def read_labelled(config: Config) -> LabelledSplits:
    """The texts of a table as the settings name them. Raises ArgumentError for columns that it lacks, DataError for what cannot be
    learned from: a target that is constant or nearly always another one, numbers instead of texts, a side without rows or classes."""
    question, text = question_of(config), config["text"]
    notes: list[str] = []
    whole = read_table(question.path, spelling_of(config["delimiter"] or None, config["encoding"] or None, missing=config["missing"],
                                                  header=not config["no_header"]))
    check_columns(whole, question, text)
    table = complete_rows(whole, question.target, text, notes)
    classes = classes_of(table, question.target)
    check_texts(table, text)
    others = [complete_rows(same_columns(path, whole.spelling, (text, question.target)), question.target, text, notes)
              for path in (question.valid, question.test) if path is not None]
    tables = [table, *others]
    texts = [value for part in tables for value in part.columns[text]]
    labels = np.concatenate([labels_in(part, question.target, classes) for part in tables])
    side, how = divide(question, tables, texts, labels, config)
    side = without_copies(side, texts, labels, notes)
    train, validation, test = (Labelled([texts[i] for i in np.flatnonzero(side == chosen)], labels[side == chosen])
                               for chosen in (LEARN, CHOOSE, TEST))
    check_sides((train, validation, test), classes, source_name(question.path), how, notes)
    notes = [*whole.notes, *notes, *imbalance(classes, labels), *similar_classes(classes)]
    lines = [target_line(question.target, classes, labels), *(f"note: {note}" for note in notes),
             f"{len(train) + len(validation) + len(test):,} texts: {len(train):,} to learn from, {len(validation):,} choose the epoch, "
             f"{len(test):,} test ({how})"]
    return LabelledSplits(train, validation, test, classes, table.spelling, lines)


def question_of(config: Config) -> Question:
    """What the settings ask for; ArgumentError where they name no column or contradict each other."""
    for name, what in (("text", "the column of the texts"), ("target", "the column of their classes")):
        if not config[name]:
            raise ArgumentError(f"slopes train text: no --{name} is named", why=f"it is {what}",
                                repair="slopes train text FILE.csv --text COLUMN --target COLUMN")
    if config["text"] == config["target"]:
        raise ArgumentError(f"--text and --target both name {config['text']!r}", why="the class is predicted from the text",
                            repair="name two columns")
    return Question(config["file"], config["target"], group=config["group"], time=config["time"], valid=config["valid"] or None,
                    test=config["test"] or None)


def check_columns(table: TextTable, question: Question, text: str) -> None:
    """ArgumentError for a column that is named but not there."""
    check_hints(table, question.target, {}, "", [name for name in (text, question.group, question.time) if name])


def same_columns(path: str, spelling: Spelling, columns: Sequence[str]) -> TextTable:
    """A validation or test file; DataError unless it has the columns."""
    table = read_table(path, replace(spelling, encoding="", delimiter=""))
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise refused(path, "columns", f"it has no column {', '.join(map(repr, missing))}", "it is compared with the training file",
                      f"its names must be those of the training file; it has {', '.join(map(repr, list(table.columns)[:10]))}")
    return table


def complete_rows(table: TextTable, target: str, text: str, notes: list[str]) -> TextTable:
    """The rows that have a text and a target; DataError where there is none."""
    texts, targets = table.columns[text], table.columns[target]
    known = [i for i in range(len(table)) if texts[i] and targets[i]]
    if not known:
        raise refused(table.path, f"columns {text!r} and {target!r}", "no row has a value in both", "there is nothing to learn",
                      "name other columns: --text and --target")
    for name, values in ((text, texts), (target, targets)):
        if missing := values.count(""):
            notes.append(f"{missing:,} rows without a value in {name!r} are left out")
    return table if len(known) == len(table) else table.rows(np.array(known))


def classes_of(table: TextTable, target: str) -> tuple[str, ...]:
    """The classes; DataError for a target that is constant, of numbers, or nearly always another one."""
    texts = table.texts(target)
    counts = Counter(texts.values)
    check_counts(texts, counts)
    word = next(iter(counts))
    if len(counts) > MOST_CODES and parse_numbers(list(counts), table.spelling) is not None:
        raise texts.refuse(word, f"the target has {len(counts):,} different numbers, such as {word}", "classes of texts are learned",
                           "write classes instead, such as low and high; slopes train table predicts numbers, also from texts")
    if len(counts) > MANY_CLASSES * len(texts.values):
        raise texts.refuse(word, f"the target has {len(counts):,} classes in {len(texts.values):,} rows, such as {word!r:.40}",
                           "each would be learned from one or two texts", "name another target; --text names the column of the texts")
    return sorted_classes(counts, table.spelling)


def check_texts(table: TextTable, text: str) -> None:
    """DataError for a column of numbers, and for one that has the same text in each row."""
    counts = Counter(table.columns[text])
    word = next(iter(counts))
    if len(counts) == 1:
        raise table.texts(text).refuse(word, f"the text is always {word!r:.60}", "nothing can be learned from a constant",
                                       "name another column: --text")
    if parse_numbers(list(counts), table.spelling) is not None:
        raise table.texts(text).refuse(word, f"the column has numbers, such as {word:.40}, and no texts", "words are learned from",
                                       "name the column of the texts: --text; slopes train table learns from numbers")


def labels_in(table: TextTable, target: str, classes: Sequence[str]) -> np.ndarray:
    """The class (N,) of each row; DataError for one that the training file does not have."""
    labels = labels_of(table.columns[target], classes)
    if (labels < 0).any():
        row = int((labels < 0).argmax())
        raise refused(table.path, f"line {table.lines[row]}, target {target!r}", f"{table.columns[target][row]!r:.60} is no class",
                      f"the classes are {', '.join(map(repr, classes[:10]))}", "correct it, or put such rows into the training file")
    return labels


def divide(question: Question, tables: Sequence[TextTable], texts: Sequence[str], labels: np.ndarray, config: Config
           ) -> tuple[np.ndarray, str]:
    """The side (N,) of each row of all tables, and how it was chosen, in words."""
    table, rows = tables[0], len(tables[0])
    if question.group:
        split = split_groups(group_values(table, question.group), question.group, PARTS, config.seed)
    elif question.time:
        split = split_time(times_of(table, question.time, config["dates"]), question.time, PARTS)
    else:
        distinct, index = numbered(texts[:rows])
        split = split_rows(labels[:rows][distinct], len(distinct), PARTS, config.seed, 0.0 if question.test else TEST_SHARE)
    side = np.full(len(split.train) + len(split.test), TEST)
    learning = (split.fold == -1) | (split.fold > 0)
    side[split.train] = LEARN if question.valid else np.where(learning, LEARN, CHOOSE)
    if not question.group and not question.time:
        side = side[index]
    files = [(path, chosen) for path, chosen in ((question.valid, CHOOSE), (question.test, TEST)) if path is not None]
    side = np.concatenate([side, *(np.full(len(part), chosen) for part, (_, chosen) in zip(tables[1:], files))])
    by_file = [f"the rows of {source_name(path)} {'test' if chosen == TEST else 'choose the epoch'}" for path, chosen in files]
    return side, "; ".join([*([split.how] if not question.test else []), *by_file])


def times_of(table: TextTable, column: str, dates: str) -> np.ndarray:
    """The times of the rows: dates as days, or numbers."""
    about = describe(table.texts(column), table.spelling, Hints(date_order="" if dates == AS_THEY_LOOK else dates))
    return time_values(table, Schema(table.spelling, (about,), Target(about, "classification", "")), column)


def key_of(text: str) -> str:
    """Texts with the same key are copies: they differ in capital letters and spaces at most."""
    return " ".join(text.lower().split())


def numbered(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(rows of the distinct texts, the index of each row's text among them)."""
    known: dict[str, int] = {}
    index = np.array([known.setdefault(key_of(text), len(known)) for text in texts], np.int64)
    return np.unique(index, return_index=True)[1], index


def without_copies(side: np.ndarray, texts: Sequence[str], labels: np.ndarray, notes: list[str]) -> np.ndarray:
    """The sides, where rows that are copies of tested ones, or learned ones that are copies of choosing ones, are left out."""
    distinct, index = numbered(texts)
    last = np.zeros(len(distinct), np.int64)
    np.maximum.at(last, index, side)
    moved = side != last[index]
    copies = len(texts) - len(distinct)
    if copies:
        left_out = f"; {int(moved.sum()):,} are left out, as their text is on another side" if moved.any() else ""
        notes.append(f"{copies:,} rows have the text of an earlier row: copies are on one side of the division{left_out}")
    meanings: defaultdict[int, set[int]] = defaultdict(set)
    for text, label in zip(index.tolist(), labels.tolist()):
        meanings[text].add(label)
    if doubtful := sum(len(known) > 1 for known in meanings.values()):
        notes.append(f"texts that occur with different classes: {doubtful:,}")
    return np.where(moved, LEFT_OUT, side)


def check_sides(parts: Sequence[Labelled], classes: Sequence[str], path: str, how: str, notes: list[str]) -> None:
    """DataError for a side without rows, and for one class only to learn from; a note on classes that are not learned."""
    for part, what in zip(parts, ("learn from", "choose the epoch", "test")):
        if not len(part):
            raise DataError(f"{path}: no text is left to {what}", why=f"the division is: {how}", where="",
                            repair="bring more rows, or divide them otherwise")
    learned = np.unique(parts[0].labels)
    if len(learned) == 1:
        raise DataError(f"{path}: all texts to learn from have the class {classes[learned[0]]!r:.60}", where="",
                        why=f"the division is: {how}", repair="bring more rows of other classes, or divide them otherwise")
    if missing := [name for i, name in enumerate(classes) if i not in learned]:
        notes.append(f"no text to learn from has the class {', '.join(map(repr, missing[:10]))}")


def target_line(target: str, classes: Sequence[str], labels: np.ndarray) -> str:
    """The classes, the most frequent first, with their numbers of rows."""
    counts = np.bincount(labels, minlength=len(classes))
    listed = [f"{classes[i]} ({counts[i]:,})" for i in np.argsort(-counts, kind="stable")[:10]]
    more = f" and {len(classes) - len(listed)} more" if len(listed) < len(classes) else ""
    return f"target {target}: {len(classes)} classes: {', '.join(listed)}{more}"
