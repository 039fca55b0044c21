"""Numbers in text, many at a time: decimal and thousands marks, and what only looks like a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..files.numerals import MARKED, NAME, is_name
from .spelling import Spelling

GROUPED = re.compile(r"[-+]?\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+(?:[.,]\d*)?")  # the thousands mark is between groups of three digits
END = "\n"


def parse_numbers(texts: Sequence[str], spelling: Spelling) -> np.ndarray | None:
    """All texts as float64, nan for ""; None when one is not a number. Infinite ones are numbers here.

    >>> parse_numbers(["1.234,5", ""], Spelling(decimal=",", thousands=".")).tolist()
    [1234.5, nan]
    """
    whole = END.join(texts)
    if "_" in whole or (spelling.decimal == "," and "." in whole and spelling.thousands != "."):
        return None  # underscores in numbers are a notation of Python, not one of data files
    if spelling.thousands and spelling.thousands in whole:
        if any(spelling.thousands in text and not GROUPED.fullmatch(text) for text in texts):
            return None
        whole = whole.replace(spelling.thousands, "")
    if spelling.decimal == ",":
        whole = whole.replace(",", ".")
    try:
        return np.array([float(text) if text else np.nan for text in whole.split(END)], np.float64)
    except ValueError:
        return None


def parse_number(text: str, spelling: Spelling) -> float | None:
    """The number that one text is, or None."""
    values = parse_numbers([text], spelling)
    return None if values is None else float(values[0])


def parse_each(texts: Sequence[str], spelling: Spelling) -> tuple[np.ndarray, list[int]]:
    """The numbers, nan for "" and for texts that are none or infinite; and the rows of the latter."""
    values = parse_numbers(texts, spelling)
    if values is None:
        parsed = [parse_number(text, spelling) if text else np.nan for text in texts]
        wrong = [row for row, value in enumerate(parsed) if value is None]
        values = np.array([np.nan if value is None else value for value in parsed], np.float64)
    else:
        wrong = []
    infinite = np.flatnonzero(np.isinf(values))
    values[infinite] = np.nan
    return values, sorted([*wrong, *infinite.tolist()])


def is_identifier(text: str) -> bool:
    """Whether the digits of a text are a name: 00123, +4930123456, or an integer that float64 would round."""
    return NAME.fullmatch(text) is not None and is_name(text)


def has_marks(text: str) -> bool:
    """Whether a text looks like a number with other marks: 3,5 or 1,234 or 1.234,50."""
    return MARKED.fullmatch(text) is not None


def option_for_marks(texts: Sequence[str]) -> str:
    """The options under which texts with marks are numbers, in words."""
    both = next((text for text in texts if "," in text and "." in text), None)
    if both is not None:
        return "--decimal , --thousands ." if both.rindex(",") > both.rindex(".") else "--thousands ,"
    mark = next((mark for mark in "' \u00a0\u202f" if any(mark in text for text in texts)), None)
    if mark is not None:
        return f"--thousands {mark!r}" + (" --decimal ," if any("," in text for text in texts) else "")
    if all(re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", text) for text in texts):
        return "--thousands , if 1,234 is a thousand and more; --decimal , if it is between 1 and 2"
    return "--decimal ,"
