"""Tables as inputs of networks: numbers standardised, categories coded, gaps filled, all learned from the training rows alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import ArgumentError, warn
from ...files.columns import is_words, missing_in
from ...files.csvfile import load_csv
from ...files.reading import refused
from ...files.table import Table
from ..loaders.dataset import Dataset, varies
from ..loaders.order import SPLITTING, order
from ..loaders.splits import PARTS, Splits, check_fractions, divided
from .locate import Folder, located

CODES = ("one-hot", "integers")
ADULT = ("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex",
         "capital-gain", "capital-loss", "hours-per-week", "native-country", "income")
ADULT_NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
WINE = ("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
        "total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "quality")
FRACTIONS = (0.7, 0.1, 0.2)
DOLLARS = 100_000  # house prices are told in these
FEW_ROWS = 20  # of fewer nothing can be said about what a column is
EACH_ITS_OWN, EVERY_OTHER = 0.9, 0.5  # words of a column, as a share of the rows in which something is known
DATE = re.compile(r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ]\d{1,2}:\d{2}.{0,20})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}:\d{2}(:\d{2})?")
COUNTERS = re.compile(r"(?i)id|index|idx|key|uuid|row|rowid|rownum|unnamed: 0|.*[_ -](id|key|uuid)|.*[a-z]Id")


class NumberColumn(NamedTuple):
    """The encoding of a numeric column: (x - mean) / std, 0 where missing, plus a missing indicator if training had gaps."""

    name: str
    mean: float
    std: float
    gaps: bool

    @property
    def features(self) -> list[str]:
        """The names of its features."""
        return [self.name, f"{self.name} missing"] if self.gaps else [self.name]

    def coded(self, column: np.ndarray) -> list[np.ndarray]:
        """The feature columns."""
        missing = missing_in(column)
        scaled = (np.where(missing, self.mean, column) - self.mean) / self.std
        return [scaled, missing.astype(np.float64)] if self.gaps else [scaled]


class WordColumn(NamedTuple):
    """The encoding of a text column: the sorted distinct words of the training rows, "" for missing ones."""

    name: str
    words: tuple[str, ...]
    one_hot: bool

    @property
    def features(self) -> list[str]:
        """The names of its features."""
        return [f"{self.name} = {word or 'missing'}" for word in self.words] if self.one_hot else [self.name]

    def coded(self, column: np.ndarray) -> list[np.ndarray]:
        """The feature columns; an unknown word is encoded as zeros."""
        if self.one_hot:
            return [(column == word).astype(np.float64) for word in self.words]
        indices = np.searchsorted(self.words, column).clip(0, len(self.words) - 1)
        return [np.where(np.array(self.words)[indices] == column, indices + 1.0, 0.0)]


class TableCode:
    """The encoding of a table as float32 inputs, fitted to the training rows: call it with any table of the same columns.

    A number becomes (x - mean) / std with mean and standard deviation of the training rows (a constant column becomes 0), or 0 if
    missing; if the training rows have gaps in the column, a second feature marks missing values. A word becomes one feature per
    word of the training rows (categories="one-hot"), or its index from 1 on, for an embedding (categories="integers"); an unknown
    word becomes zeros, or 0. A missing word is a category of its own. `features` are the names of the outputs.
    Raises ArgumentError for a text column with a different word in nearly every row (identifiers, free text), which does not
    generalize. Warns about dates, other words that occur once or twice, and numbers that enumerate the rows.

    >>> table = Table({"size": [1.0, 3.0, float("nan")], "colour": ["red", "blue", "red"]})
    >>> code = TableCode(table)
    >>> code.features
    ('size', 'size missing', 'colour = blue', 'colour = red')
    >>> code(table)
    array([[-1.,  0.,  0.,  1.],
           [ 1.,  0.,  1.,  0.],
           [ 0.,  1.,  0.,  1.]], dtype=float32)
    >>> code(Table({"size": [5.0], "colour": ["green"]}))
    array([[3., 0., 0., 0.]], dtype=float32)
    """

    def __init__(self, training: Table, categories: str = "one-hot") -> None:
        if categories not in CODES:
            raise ArgumentError(f"categories={categories!r}", repair=f"choose one of {', '.join(map(repr, CODES))}")
        self.set_columns([word_column(name, column, categories == "one-hot") if is_words(column) else number_column(name, column)
                          for name, column in training.columns.items()])

    def __call__(self, table: Table) -> np.ndarray:
        """The features of each row, (N, features) float32; ArgumentError for a table that lacks a column or has other kinds."""
        for column in self.columns:
            if is_words(table[column.name]) != isinstance(column, WordColumn):
                raise ArgumentError(f"column {column.name!r} holds {'numbers' if isinstance(column, WordColumn) else 'words'}",
                                    why="it was the other kind in the training rows")
        coded = [feature for column in self.columns for feature in column.coded(table[column.name])]
        return np.stack(coded, axis=1).astype(np.float32)

    @property
    def names(self) -> list[str]:
        """The names of the columns of a table that it codes."""
        return [column.name for column in self.columns]

    @property
    def numbers(self) -> list[str]:
        """The names of those that hold numbers."""
        return [column.name for column in self.columns if isinstance(column, NumberColumn)]

    def facts(self) -> list[dict[str, Any]]:
        """Every column's code in lists and dicts, as JSON files hold them; `from_facts` reads them back."""
        return [column._asdict() for column in self.columns]

    @classmethod
    def from_facts(cls, facts: Sequence[Mapping[str, Any]]) -> TableCode:
        """The code that `facts()` described.

        >>> table = Table({"size": [1.0, 3.0], "colour": ["red", "blue"]})
        >>> code = TableCode(table)
        >>> bool((TableCode.from_facts(code.facts())(table) == code(table)).all())
        True
        """
        code = cls.__new__(cls)
        code.set_columns([WordColumn(fact["name"], tuple(fact["words"]), fact["one_hot"]) if "words" in fact else NumberColumn(**fact)
                          for fact in facts])
        return code

    def set_columns(self, columns: list[NumberColumn | WordColumn]) -> None:
        """The columns' codes, and the names of the features."""
        self.columns = columns
        self.features = tuple(feature for column in columns for feature in column.features)

    @property
    def sizes(self) -> dict[str, int]:
        """For every text column the number of codes with categories="integers", to be passed to nn.Embedding."""
        return {column.name: len(column.words) + 1 for column in self.columns if isinstance(column, WordColumn)}


def number_column(name: str, column: np.ndarray) -> NumberColumn:
    """The encoding of a numeric column; mean 0 and standard deviation 1 for a column without values."""
    known = column[~missing_in(column)]
    check_counter(name, known)
    mean, std = (float(known.mean()), float(known.std())) if varies(known) else (float(known[0]) if known.size else 0.0, 1.0)
    return NumberColumn(name, mean, std, known.size < column.size)


def word_column(name: str, column: np.ndarray, one_hot: bool) -> WordColumn:
    """The encoding of a text column; ArgumentError if it identifies rows."""
    words = sorted(set(column.tolist()))
    check_words(name, [word for word in words if word], len(column) - int(missing_in(column).sum()))
    return WordColumn(name, tuple(words), one_hot)


def check_words(name: str, words: Sequence[str], rows: int) -> None:
    """Refuse or warn about words that occur once: they can be memorized, but do not generalize."""
    dates = bool(words) and all(map(DATE.fullmatch, words))
    if rows < FEW_ROWS or (len(words) <= EVERY_OTHER * rows and not dates):
        return
    problem = f"column {name!r} has {len(words)} different {'dates' if dates else 'words'} in {rows} rows, such as {words[0]!r:.60}"
    why = "each would be a feature of its own, which other rows do not have"
    repair = f"leave it out, table.without({name!r}), or replace it by what matters of it" + (
        ": the year, the month, the days since the first" if dates else "; a text needs slopes.text")
    if len(words) > EACH_ITS_OWN * rows:
        raise ArgumentError(problem, why=why, repair=repair)
    warn(problem, why=why, repair=repair)


def check_counter(name: str, known: np.ndarray) -> None:
    """Warn about a column of distinct integers whose name suggests row identifiers."""
    if known.size >= FEW_ROWS and COUNTERS.fullmatch(name) and (known == np.rint(known)).all() and np.unique(known).size == known.size:
        warn(f"column {name!r} has another number in each row", why="it looks like the rows' own names, but is taken for a measurement",
             repair=f"leave it out: table.without({name!r}); or rename it, if it measures something")


class TableSplits(Splits):
    """Splits of a table, and the `code` that encodes its rows, for use on new rows."""

    code: TableCode


def split_table(table: Table, target: str, fractions: Sequence[float] = FRACTIONS, *, classes: Sequence[str] | None = None,
                categories: str = "one-hot", seed: int = 0, name: str = "table") -> TableSplits:
    """Split a table into training, validation and test sets, with inputs encoded by statistics of the training rows.

    target: the column to predict: words become classes (`classes`, by default all that occur, sorted), with a stratified split;
    numbers are float32 targets. categories: see TableCode. The split is a pure function of the seed. Raises ArgumentError for
    missing targets and unknown classes.

    >>> table = Table({"x": np.arange(20.0), "kind": ["a", "b"] * 10})
    >>> splits = split_table(table, "kind")
    >>> splits.train
    Dataset(table.train: 14 examples, inputs (1,) float32, targets () int64, 2 classes)
    """
    check_fractions(fractions)
    targets, known = get_targets(table, target, classes)
    groups = np.zeros(len(table), np.int64) if known is None else targets
    parts = divided(groups, fractions, order(seed, 0, len(table), SPLITTING))
    for part, fraction, role in zip(parts, fractions, PARTS):
        if fraction and not len(part):
            raise ArgumentError(f"the {role} set of {name} would be empty: {fraction} of {len(table)} rows", repair="give it more")
    inputs = table.without(target)
    code = TableCode(inputs.rows(parts[0]), categories)

    def make_part(index: int) -> Dataset:
        return Dataset(code(inputs.rows(parts[index])), targets[parts[index]], known, f"{name}.{PARTS[index]}")

    splits = TableSplits(make_part(0), make_part(1) if fractions[1] else None, (lambda: make_part(2)) if fractions[2] else None, name)
    splits.code = code
    return splits


def get_targets(table: Table, target: str, classes: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The targets, and the class names for classification."""
    column = table[target]
    missing = missing_in(column)
    if missing.any():
        raise ArgumentError(f"target {target!r} is not known in row {int(missing.argmax())}", repair="leave such rows out: table.rows(...)")
    if not is_words(column):
        if classes is not None:
            raise ArgumentError(f"target {target!r} is numbers, but classes are named", repair="read it as words: load_csv(words=[...])")
        return column, None
    known = tuple(sorted(set(column.tolist()))) if classes is None else tuple(classes)
    if len(column) >= FEW_ROWS and len(known) > EACH_ITS_OWN * len(column):
        raise ArgumentError(f"target {target!r} has {len(known)} different words in {len(column)} rows, such as {known[0]!r:.60}",
                            why="each would be a class of its own", repair="if they are numbers, see how load_csv read them")
    label_of = {word: label for label, word in enumerate(known)}
    labels = np.array([label_of.get(word, -1) for word in column.tolist()], np.int64)
    if labels.min() < 0:
        row = int(labels.argmin())
        raise ArgumentError(f"target {target!r} is {column[row]!r:.60} in row {row}, which is no class",
                            repair=f"classes are {known!r:.200}")
    return labels, known


def adult(folder: Folder = None, categories: str = "one-hot") -> TableSplits:
    """Does a person earn more than 50,000 dollars a year? 32,561 rows of the US census of 1994, 16,281 more to test.

    6 columns of numbers, 8 of words, some unknown; classes "<=50K" and ">50K" (24% of the training rows). The test set is the
    data set's own; one training row in twelve is for validation. inputs: (N, 108) float32 with categories="one-hot" (fewer
    where a word does not occur in training), (N, 14) with "integers"; `code.features` names them.
    From `folder`, SLOPES_DATA (subfolder `tabular`), or downloaded (6 MB). Raises DataError for damaged files.
    Licence: CC BY 4.0 (UCI). Source: Kohavi, "Scaling up the accuracy of naive-Bayes classifiers", 1996.
    """
    table = census(located("adult", "adult-train.csv", folder))
    splits = split_table(table, "income", (11 / 12, 1 / 12, 0), classes=("<=50K", ">50K"), categories=categories, name="adult")

    def test() -> Dataset:
        rows = census(located("adult", "adult-test.csv", folder))
        return Dataset(splits.code(rows.without("income")), (rows["income"] == ">50K").astype(np.int64), splits.classes, "adult.test")

    result = TableSplits(splits.train, splits.validation, test, "adult")
    result.code = splits.code
    return result


def census(path: Path) -> Table:
    """The rows of one file; in one of the two, answers end with a dot."""
    table = load_csv(path, ADULT)
    check_numbers(table, ADULT_NUMBERS, path)
    answers = [answer.rstrip(".") for answer in table["income"].tolist()]
    wrong = next((row for row, answer in enumerate(answers) if answer not in ("<=50K", ">50K")), None)
    if wrong is not None:
        raise refused(path, "income", f"{answers[wrong]!r} in row {wrong + 1} is neither <=50K nor >50K")
    return Table({**table.columns, "income": answers})


def check_numbers(table: Table, names: Sequence[str], path: Path, target: str = "") -> None:
    """These columns are there and hold numbers; the target is known everywhere."""
    for name in names:
        if name not in table.names or is_words(table[name]):
            raise refused(path, f"column {name!r}", "it is not there" if name not in table.names else "it holds words, not numbers")
    if target and missing_in(table[target]).any():
        raise refused(path, f"column {target!r}", f"nothing in row {int(missing_in(table[target]).argmax()) + 1}", "it is the target")


def wine_quality(folder: Folder = None, colour: str | None = None, grades: bool = False) -> TableSplits:
    """How good does a wine taste, from 3 to 9? 1,599 red and 4,898 white Portuguese wines by 11 measurements.

    targets: (N,) float32, the median grade of at least three tasters; with `grades`, classes "3" to "9" instead. colour: "red",
    "white", or both, with two inputs that tell which. Divided 70 : 10 : 20, seed 0. From `folder`, SLOPES_DATA (subfolder
    `tabular`), or downloaded (0.4 MB). Licence: CC BY 4.0 (UCI). Source: Cortez and others, "Modeling wine preferences by data
    mining from physicochemical properties", 2009.
    """
    if colour not in (None, "red", "white"):
        raise ArgumentError(f"wine_quality: colour={colour!r}", repair="choose 'red', 'white', or None for both")
    tables = {kind: wines(located("wine-quality", f"winequality-{kind}.csv", folder)) for kind in ("red", "white")
              if colour in (None, kind)}
    columns = {name: np.concatenate([table[name] for table in tables.values()]) for name in WINE}
    if colour is None:
        columns["colour"] = np.repeat(list(tables), [len(table) for table in tables.values()])
    if grades:
        columns["quality"] = columns["quality"].astype(np.int64).astype(str)
    return split_table(Table(columns), "quality", classes=tuple("3456789") if grades else None, name="wine-quality")


def wines(path: Path) -> Table:
    """The wines of one colour."""
    table = load_csv(path, WINE)
    check_numbers(table, WINE, path, "quality")
    return table


def california_housing(folder: Folder = None, categories: str = "one-hot") -> TableSplits:
    """What does a house cost? 20,640 districts of California in 1990: place, ages, rooms, people, income, distance to the sea.

    targets: (N,) float32, the median value in 100,000 dollars, cut off at 5.00001. 207 districts lack total_bedrooms. Divided
    70 : 10 : 20, seed 0. From `folder`, SLOPES_DATA (subfolder `tabular`), or downloaded (1.4 MB). Licence: none stated for the
    data. Source: Pace, Barry, "Sparse spatial autoregressions", 1997.
    """
    path = located("california-housing", "california-housing.csv", folder)
    table = load_csv(path)
    check_numbers(table, ["longitude", "latitude", "median_house_value"], path, "median_house_value")
    columns = {**table.columns, "median_house_value": table["median_house_value"] / DOLLARS}
    return split_table(Table(columns), "median_house_value", categories=categories, name="california-housing")
