"""Parse numbers in text tables, and recognize identifiers made of digits and numbers in other notations."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from ..errors import warn
from .reading import Path

NAME = re.compile(r"[+-]?0\d+|\+\d{7,}|[+-]?\d{16,}")  # 00123, +4930123456, and integers that may be too long for float64
MARKED = re.compile(r"[-+]?(?:\d{1,15},\d{1,15}|\d{1,3}(?:[.,' \u00a0\u202f]\d{3}){1,5}(?:[.,]\d{1,15})?)")  # 3,5 and 1,234 and 1.234,50
MOSTLY = 0.5


def parse_numbers(texts: Sequence[str], comma: bool, forced: bool = False) -> np.ndarray | None:
    """All texts as numbers (nan for ""), or None when one is not a number or, unless `forced`, is an identifier."""
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        value = parse_number(text, comma, forced) if text else np.nan
        if value is None:
            return None
        values[row] = value
    return values


def parse_number(text: str, comma: bool, forced: bool = False) -> float | None:
    """The number that `text` represents, or None."""
    if "_" in text or (comma and "." in text) or (not forced and NAME.fullmatch(text) and is_name(text)):
        return None  # underscores in numbers are a Python notation, not one of data files
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError:
        return None


def is_name(text: str) -> bool:
    """Whether a text that matches `NAME` would lose digits as a float64; most long integers would, some not."""
    digits = text.lstrip("+-")
    if text[0] == "+" or digits[0] == "0":
        return True
    return len(digits) > 308 or int(digits) != float(digits)


def check_spelling(name: str, words: Sequence[str], path: Path, comma: bool) -> None:
    """Warn about a text column that looks numeric: other decimal marks, or a few words among numbers."""
    wrong = [word for word in words if parse_number(word, comma, forced=True) is None]
    if not wrong or any(parse_number(word, comma) is None for word in set(words) - set(wrong)):
        return  # identifiers are text
    read, keep = f"{os.fspath(path)}: column {name!r} is read as words", f"load_csv(..., words=[{name!r}]) if they are words"
    if all(map(MARKED.fullmatch, wrong)):
        mark = "remove the thousands separators first" if comma else "load_csv(..., decimal=',') for decimal commas"
        warn(f"{read}, though {wrong[0]!r} looks like a number", why="a number has one decimal mark and no thousands separators",
             repair=f"{mark}; {keep}")
    elif len(wrong) < MOSTLY * len(words):
        warn(f"{read}, because {wrong[0]!r:.60} occurs among its numbers", why=f"{len(words) - len(wrong)} of {len(words)} are numbers",
             repair=f"load_csv(..., missing=[..., {wrong[0]!r:.60}]) if that marks a missing value; {keep}")
