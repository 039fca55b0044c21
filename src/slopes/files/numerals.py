"""Numbers as they are written in tables: what is one, what names something in digits, and what only looks like a word."""

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


def numbers_in(texts: Sequence[str], comma: bool, forced: bool = False) -> np.ndarray | None:
    """The numbers, nan for "", or None when something is no number or, unless `forced`, names something in digits."""
    made = np.empty(len(texts))
    for row, text in enumerate(texts):
        number = number_of(text, comma, forced) if text else np.nan
        if number is None:
            return None
        made[row] = number
    return made


def number_of(text: str, comma: bool, forced: bool = False) -> float | None:
    """The number that a text says, or None."""
    if "_" in text or (comma and "." in text) or (not forced and NAME.fullmatch(text) and is_name(text)):
        return None  # underscores are Python's own way to write numbers, nobody else's
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError:
        return None


def is_name(text: str) -> bool:
    """Whether a text of digits that `NAME` matches would lose some as a number; most long integers do, some do not."""
    digits = text.lstrip("+-")
    if text[0] == "+" or digits[0] == "0":
        return True
    return len(digits) > 308 or int(digits) != float(digits)


def check_spelling(name: str, words: Sequence[str], path: Path, comma: bool) -> None:
    """Warn of words that look like numbers in another spelling, or of a few words among numbers."""
    wrong = [word for word in words if number_of(word, comma, forced=True) is None]
    if not wrong or any(number_of(word, comma) is None for word in set(words) - set(wrong)):
        return  # digits that name something are words among their like
    read, keep = f"{os.fspath(path)}: column {name!r} is read as words", f"load_csv(..., words=[{name!r}]) if they are words"
    if all(map(MARKED.fullmatch, wrong)):
        mark = "removing the marks between thousands first" if comma else "load_csv(..., decimal=',') for decimal commas"
        warn(f"{read}, though {wrong[0]!r} looks like a number", why="numbers have one decimal mark, and no mark between thousands",
             repair=f"{mark}; {keep}")
    elif len(wrong) < MOSTLY * len(words):
        warn(f"{read}, for {wrong[0]!r:.60} stands among its numbers", why=f"{len(words) - len(wrong)} of {len(words)} are numbers",
             repair=f"load_csv(..., missing=[..., {wrong[0]!r:.60}]) if that means nothing known; {keep}")
