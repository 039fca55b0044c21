"""What is known of a table: its columns with their kinds, the target, and the spelling of the file; written to JSON and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..errors import ArgumentError, DataError
from .spelling import Spelling

Kind = Literal["number", "yes/no", "category", "date", "text", "constant", "identifier", "empty"]
Task = Literal["classification", "regression"]
KINDS, TASKS = get_args(Kind), get_args(Task)
LEFT_OUT = ("constant", "identifier", "empty")  # columns from which nothing is learned
TREATMENT = {
    "number": "centred on the median, divided by the quartile range, far values drawn in",
    "yes/no": "1 and -1",
    "category": "a feature for each category, or an embedding where there are many",
    "date": "days, and the cycles of year, week and day",
    "text": "how often the words occur that most rows have",
    "constant": "left out: one value only",
    "identifier": "left out: it names the rows",
    "empty": "left out: no value",
}
GAPS = {"number": "; gaps: the median, and a feature that marks them", "date": "; gaps: the median, and a feature that marks them",
        "yes/no": "; gaps: 0", "category": "; gaps: a category", "text": "; gaps: no word"}


@dataclass(frozen=True)
class Column:
    """A column: its kind and why, what was seen of it, and how its values are written.

    rows, missing, distinct   how many rows, of these without a value, and different values
    low, high                 the range of numbers and dates (days since 1970)
    examples                  values as the file has them, the most frequent first
    date_format               how its dates are written, "" for other kinds
    """

    name: str
    kind: Kind
    reason: str
    rows: int
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    examples: tuple[str, ...] = ()
    date_format: str = ""

    @property
    def used(self) -> bool:
        """Whether features are made of it."""
        return self.kind not in LEFT_OUT

    @property
    def treatment(self) -> str:
        """What is done with its values, and with gaps where there are any."""
        return TREATMENT[self.kind] + (GAPS.get(self.kind, "") if self.missing else "")


@dataclass(frozen=True)
class Target:
    """The column to predict: its task and why; of a classification the classes, of a regression the range."""

    column: Column
    task: Task
    reason: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """A table's spelling, its columns without the target, and the target."""

    spelling: Spelling
    columns: tuple[Column, ...]
    target: Target
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns from which something is learned."""
        return tuple(column for column in self.columns if column.used)

    def to_fields(self) -> dict[str, Any]:
        """The schema in lists and dicts, as JSON holds it; `from_fields` reads it back."""
        return {"spelling": self.spelling.fields(), "columns": [asdict(column) for column in self.columns],
                "target": {**asdict(self.target)}, "notes": list(self.notes)}

    @classmethod
    def from_fields(cls, content: Any) -> Schema:
        """The schema that `to_fields` described; DataError for one that is none."""
        try:
            target = content["target"]
            return cls(Spelling.from_fields(content["spelling"]), tuple(map(read_column, content["columns"])),
                       Target(read_column(target["column"]), known(target["task"], TASKS), str(target["reason"]),
                              tuple(map(str, target["classes"]))), tuple(map(str, content["notes"])))
        except (KeyError, TypeError, ValueError, AttributeError, ArgumentError) as error:
            raise DataError(f"the schema of the table is damaged ({type(error).__name__}: {error!s:.100})", where="",
                            why="it lists spelling, columns and target", repair="restore the run folder from a copy, or train again"
                            ) from error


def read_column(content: Mapping[str, Any]) -> Column:
    """A column from its JSON form; KeyError, TypeError or ValueError for another one."""
    wrong = set(content) ^ {column_field.name for column_field in fields(Column)}
    if wrong:
        raise KeyError(f"missing or unknown fields {sorted(wrong)}")
    for name in ("rows", "missing", "distinct"):
        if type(content[name]) is not int or content[name] < 0:
            raise ValueError(f"{name} is {content[name]!r:.40}")
    known(content["kind"], KINDS)
    return Column(**{**content, "examples": tuple(map(str, content["examples"]))})


def known(word: Any, words: tuple[str, ...]) -> Any:
    """The word, one of a few; ValueError otherwise."""
    if word not in words:
        raise ValueError(f"{word!r:.40} is none of {', '.join(words)}")
    return word
