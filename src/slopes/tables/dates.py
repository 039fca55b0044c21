"""Dates in text: the formats that are known, which of them a column is written in, and days as numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

TIME = r"(?:[T ](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?"
PATTERNS = {
    "year-month-day": re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + TIME),
    "day-month-year": re.compile(r"(?P<day>\d{1,2})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4})" + TIME),
    "month-day-year": re.compile(r"(?P<month>\d{1,2})(?P<mark>[-/.])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4})" + TIME),
    "year-month": re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})"),
}
ORDERS = {"day-first": "day-month-year", "month-first": "month-day-year"}  # what a user says of dates such as 03/04/2024
DAY = 86400.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DateFormats(NamedTuple):
    """What the texts of a column say of its format: the formats that all of them fit; and two texts that fit no common one."""

    common: tuple[str, ...]
    clash: tuple[str, str] | None


def parse_date(text: str, form: str) -> float | None:
    """Days since 1970 (UTC, where a zone is given), or None.

    >>> parse_date("1970-01-02 12:00", "year-month-day")
    1.5
    """
    match = PATTERNS[form].fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    try:
        moment = datetime(int(parts["year"]), int(parts["month"]), int(parts.get("day") or 1), int(parts.get("hour") or 0),
                          int(parts.get("minute") or 0), int(parts.get("second") or 0), tzinfo=UTC)
    except ValueError:
        return None
    return (moment - EPOCH).total_seconds() / DAY - zone_days(parts.get("zone"))


def zone_days(zone: str | None) -> float:
    """The offset of a zone such as +02:00 in days."""
    if zone in (None, "Z"):
        return 0.0
    assert zone is not None
    digits = zone[1:].replace(":", "")
    return (-1.0 if zone[0] == "-" else 1.0) * (int(digits[:2]) / 24 + int(digits[2:]) / 1440)


def formats_of(texts: Sequence[str]) -> DateFormats | None:
    """The formats of distinct texts; None when one of them is no date at all."""
    common: tuple[str, ...] = tuple(PATTERNS)
    first = ""
    for text in texts:
        fitting = tuple(form for form in PATTERNS if parse_date(text, form) is not None)
        if not fitting:
            return None
        left = tuple(form for form in common if form in fitting)
        if not left:
            return DateFormats((), (first, text))
        if left != common or not first:
            first = text  # the last text that narrowed the formats down: the one that a clash is with
        common = left
    return DateFormats(common, None)


def parse_dates(texts: Sequence[str], form: str) -> tuple[np.ndarray, list[int]]:
    """Days since 1970, nan for "" and for texts in another format; and the rows of the latter."""
    known: dict[str, float | None] = {}
    values = np.full(len(texts), np.nan)
    wrong = []
    for row, text in enumerate(texts):
        if not text:
            continue
        if text not in known:
            known[text] = parse_date(text, form)
        value = known[text]
        if value is None:
            wrong.append(row)
        else:
            values[row] = value
    return values, wrong


def date_text(days: float) -> str:
    """`2024-03-01`, with the time of day where there is one.

    >>> date_text(0.0), date_text(0.5)
    ('1970-01-01', '1970-01-01 12:00')
    """
    moment = datetime.fromtimestamp(round(days * DAY), UTC)
    return moment.strftime("%Y-%m-%d" if days == int(days) else "%Y-%m-%d %H:%M")
