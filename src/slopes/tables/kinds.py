"""What kind a column is of: decided from all its values, with the reason; nothing doubtful is decided silently."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from ..files.reading import Path, refused
from .dates import ORDERS, formats_of, parse_dates
from .numbers import has_marks, is_identifier, option_for_marks, parse_each, parse_number, parse_numbers
from .schema import Column, Kind
from .spelling import Spelling

FEW_ROWS = 20  # of fewer nothing can be said about what is usual in a column
MOSTLY = 0.5  # numbers among the distinct values of a column of which a few are words
SAMPLE = 100  # distinct values by which a column is seen to be no column of dates
LEAST_WORDS = 5  # distinct values of such a column
OWN, OFTEN = 0.9, 0.5  # distinct words, as a share of the rows with a value: identifiers, and texts
SENTENCE = 3  # words in the median value of a text
EXAMPLES = 5
PAIRS = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"0", "1"}, {"ja", "nein"}, {"oui", "non"}, {"si", "no"})
UNITS = re.compile(r"(?=.*[%$\u20ac\u00a3\u00a5])[-+]?[$\u20ac\u00a3\u00a5]?\s?[-+]?\d[\d.,' ]*\s?[%$\u20ac\u00a3\u00a5]?")
COUNTERS = re.compile(r"(?i)id|index|idx|key|uuid|row|rowid|rownum|unnamed: 0|column 1|.*[_ -](id|key|uuid)|.*[a-z]Id")


class Hints(NamedTuple):
    """What a user says of a column: its kind, and the order of day and month in its dates ("day-first", "month-first")."""

    kind: Kind | None = None
    date_order: str = ""


NO_HINTS = Hints()


class Texts(NamedTuple):
    """A column as text: its name, values ("" for missing), the line of each row, and the file."""

    name: str
    values: Sequence[str]
    lines: Sequence[int]
    path: Path

    def refuse(self, text: str, seen: str, why: str, repair: str) -> DataError:
        """The error about this column, with the line of one of its values."""
        return refused(self.path, f"line {self.lines[self.values.index(text)]}, column {self.name!r}", seen, why, repair)


def describe(texts: Texts, spelling: Spelling, hints: Hints = NO_HINTS) -> Column:
    """The column's kind, why it is that, its gaps and range.

    Raises DataError naming line and column, with the option that decides, where values are doubtful: numbers with other decimal or
    thousands marks, a few words among numbers, infinite numbers, dates in two formats, dates whose day and month may be exchanged.
    """
    counts = Counter(texts.values)
    missing = counts.pop("", 0)
    kind, reason, form = decide(texts, counts, missing, spelling, hints)
    low = high = None
    if kind in ("number", "date"):
        values = number_values(texts, counts, spelling) if kind == "number" else parse_dates(list(counts), form)[0]
        low, high = float(values.min()), float(values.max())
    return Column(texts.name, kind, reason, len(texts.values), missing, len(counts), low, high,
                  tuple(word[:80] for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:EXAMPLES]), form)


def decide(texts: Texts, counts: Mapping[str, int], missing: int, spelling: Spelling, hints: Hints) -> tuple[Kind, str, str]:
    """(kind, reason, date format)."""
    if hints.kind is not None:
        return hints.kind, "named by you", date_format(texts, counts, hints) if hints.kind == "date" else ""
    if not counts:
        return "empty", "no row has a value", ""
    if len(counts) == 1 and not missing:
        return "constant", f"always {next(iter(counts))[:40]!r}", ""
    if {word.lower() for word in counts} in PAIRS:
        return "yes/no", " or ".join(sorted(counts)), ""
    return decide_number(texts, counts, spelling) or decide_date(texts, counts, hints) or decide_words(texts, counts)


def decide_number(texts: Texts, counts: Mapping[str, int], spelling: Spelling) -> tuple[Kind, str, str] | None:
    """A number, or numbers that name the rows; None for words. DataError where it may be either."""
    words = list(counts)
    values = parse_numbers(words, spelling)
    if values is None:
        check_words(texts, words, spelling)
        return None
    check_finite(texts, words, values)
    rows = sum(counts.values())
    if any(map(is_identifier, words)):
        example = next(filter(is_identifier, words))
        return ("identifier", f"digits that are names, such as {example}, another one in most rows", "") if \
            rows >= FEW_ROWS and len(words) > OWN * rows else ("category", f"digits that are names, such as {example}", "")
    whole = (values == np.rint(values)).all()
    if rows >= FEW_ROWS and len(words) == rows and whole and (COUNTERS.fullmatch(texts.name) or counts_up(values)):
        return "identifier", "another whole number in each row" + (", counting up" if counts_up(values) else ""), ""
    return "number", "whole numbers" if whole else "all values are numbers", ""


def counts_up(values: np.ndarray) -> bool:
    """Whether the values, in the order of the rows, are n, n+1, n+2, ..."""
    return bool((np.diff(values) == 1).all())


def check_words(texts: Texts, words: list[str], spelling: Spelling, as_words: str = "") -> None:
    """Refuse words that may be numbers in another spelling, or numbers among which there are a few words.

    `as_words` is the option by which the values stay words, for a column that is no input.
    """
    as_words = as_words or f"--kind {texts.name}=category"
    wrong = [word for word in words if parse_number(word, spelling) is None]
    if all(map(has_marks, wrong)):
        raise texts.refuse(wrong[0], f"{wrong[0]!r} may be a number", "its marks are not those of a number such as 1234.5",
                           f"{option_for_marks(wrong)}; to keep the values as words: {as_words}")
    if len(wrong) < MOSTLY * len(words) and len(words) >= LEAST_WORDS:
        raise texts.refuse(wrong[0], f"{wrong[0]!r:.60} is no number", f"{len(words) - len(wrong)} of {len(words)} different values are",
                           f"--missing {wrong[0]!r:.60} if it marks a gap; {as_words} if the values are words")


def check_finite(texts: Texts, words: list[str], values: np.ndarray) -> None:
    """Refuse infinite numbers."""
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        word = words[int(infinite[0])]
        raise texts.refuse(word, f"{word} is not finite", "no scale holds an infinite number",
                           f"--missing {word} if it marks a gap; or write the largest number that makes sense instead")


def number_values(texts: Texts, counts: Mapping[str, int], spelling: Spelling) -> np.ndarray:
    """The distinct numbers; DataError for a word in a column that a user called a number."""
    words = list(counts)
    values, wrong = parse_each(words, spelling)
    if wrong:
        word = words[wrong[0]]
        raise texts.refuse(word, f"{word!r:.60} is no finite number", "the column was named as one of numbers",
                           f"correct it; --missing {word!r:.60} if it marks a gap; or --kind {texts.name}=category")
    return values


def decide_date(texts: Texts, counts: Mapping[str, int], hints: Hints) -> tuple[Kind, str, str] | None:
    """A date, or None."""
    if formats_of(list(counts)) is None:
        check_dates(texts, list(counts))
        return None
    form = date_format(texts, counts, hints)
    return "date", f"dates, {form}", form


def check_dates(texts: Texts, words: list[str]) -> None:
    """Refuse dates among which there are a few words."""
    if sum(formats_of([word]) is not None for word in words[:SAMPLE]) < MOSTLY * len(words[:SAMPLE]):
        return
    wrong = [word for word in words if formats_of([word]) is None]
    if len(wrong) < MOSTLY * len(words) and len(words) >= LEAST_WORDS:
        raise texts.refuse(wrong[0], f"{wrong[0]!r:.60} is no date", f"{len(words) - len(wrong)} of {len(words)} different values are",
                           f"--missing {wrong[0]!r:.60} if it marks a gap; --kind {texts.name}=category if the values are words")


def date_format(texts: Texts, counts: Mapping[str, int], hints: Hints) -> str:
    """The format of dates; DataError where there are two, or where day and month may be exchanged."""
    seen = formats_of(list(counts))
    if seen is None:
        word = next(word for word in counts if formats_of([word]) is None)
        raise texts.refuse(word, f"{word!r:.40} is no date", "the column was named as one of dates",
                           "dates are written 2024-12-31, 31.12.2024 or 12/31/2024, with or without a time")
    if seen.clash is not None:
        one, other = seen.clash
        raise texts.refuse(other, f"{other!r:.40} is written in another order than {one!r:.40}",
                           "dates in mixed formats cannot be told apart where both readings are dates",
                           f"write all of them as 2024-12-31; or --kind {texts.name}=category to keep them as words")
    preferred = ORDERS.get(hints.date_order)
    if preferred in seen.common:
        return preferred
    if len(seen.common) > 1:
        word = next(iter(counts))
        raise texts.refuse(word, f"{word!r:.40} may begin with the day or with the month", "no date in the column decides it",
                           "--dates day-first or --dates month-first")
    return seen.common[0]


def check_units(texts: Texts, words: list[str]) -> None:
    """Refuse numbers with a sign of a currency or per cent, which would be left out as names of the rows."""
    if all(map(UNITS.fullmatch, words)):
        raise texts.refuse(words[0], f"{words[0]!r:.40} is a number with a unit", "the unit makes a word of it, another one in each row",
                           f"write the numbers without it; or --kind {texts.name}=category to keep them as words")


def decide_words(texts: Texts, counts: Mapping[str, int]) -> tuple[Kind, str, str]:
    """A category, a text, or names of the rows."""
    rows, distinct = sum(counts.values()), len(counts)
    if distinct == 2:
        return "category", " or ".join(word[:30] for word in sorted(counts)), ""
    if rows >= FEW_ROWS and distinct > OFTEN * rows:
        if float(np.median([len(word.split()) for word in counts])) >= SENTENCE:
            return "text", f"{distinct:,} different texts in {rows:,} rows", ""
        if distinct > OWN * rows:
            check_units(texts, list(counts))
            return "identifier", f"{distinct:,} different words in {rows:,} rows", ""
    return "category", f"{distinct:,} different words", ""
