"""The small language of the circuit page: what a text may consist of, and its errors, which name the character."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import SlopesError

LONGEST = 2_000  # characters of a text
MOST_STATEMENTS = 60
DEEPEST = 60  # expressions inside each other
LONGEST_NAME = 24
MOST_ELEMENTS = 64  # of a vector or matrix that is written out
LARGEST_EXPONENT = 64.0

Span = tuple[int, int]  # the first character, and the one after the last


class ExpressionError(SlopesError, ValueError):
    """A text that is not of the language, or cannot be computed; `span` is the part of the text that is wrong."""

    def __init__(self, what: str, text: str, span: Span, *, why: str = "", repair: str = "") -> None:
        self.span = span
        super().__init__(f"{position(text, span[0])}: {what}", why=why, repair=repair, where="")


def position(text: str, index: int) -> str:
    """`character 5`, or `line 2, character 5` where there are several lines.

    >>> position("x = 2\\ny = ?", 10)
    'line 2, character 5'
    """
    line = text.count("\n", 0, index)
    character = f"character {index - text.rfind(chr(10), 0, index)}"
    return f"line {line + 1}, {character}" if "\n" in text.strip() else character


@dataclass(frozen=True)
class Number:
    """A number."""

    span: Span
    value: float


@dataclass(frozen=True)
class Name:
    """A value or the result of a formula."""

    span: Span
    name: str


@dataclass(frozen=True)
class Items:
    """A list: a vector of its items, or a matrix of its rows."""

    span: Span
    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Call:
    """A function or an operator, which is called by the name of its function (`add`), applied to arguments."""

    span: Span
    function: str
    args: tuple[Expression, ...]


@dataclass(frozen=True)
class Part:
    """An element of a vector, a row of a matrix, or an element of a matrix."""

    span: Span
    base: Expression
    indices: tuple[int, ...]


Expression = Number | Name | Items | Call | Part


@dataclass(frozen=True)
class Function:
    """A function that the text defines: formulas, then the result; the defaults of parameters, where there are any, are values."""

    span: Span
    name: str
    parameters: tuple[str, ...]
    defaults: Mapping[str, Value]
    formulas: Mapping[str, Expression]
    result: Expression


@dataclass(frozen=True)
class Value:
    """A number, vector or matrix that the text states: it can be changed, and the derivative with respect to it is taken."""

    span: Span
    array: np.ndarray


@dataclass
class Program:
    """A text that was read: values and formulas by name, functions, and the name of the result."""

    text: str
    values: dict[str, Value] = field(default_factory=dict)
    formulas: dict[str, Expression] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    result: str = ""

    def error(self, what: str, span: Span, *, why: str = "", repair: str = "") -> ExpressionError:
        """The error of a part of the text."""
        return ExpressionError(what, self.text, span, why=why, repair=repair)

    def with_value(self, name: str, array: np.ndarray) -> str:
        """The text with another value under a name.

        >>> from slopes.studio.circuit.read import read
        >>> read("f = x * y; x = 2; y = -1").with_value("x", np.array(2.5))
        'f = x * y; x = 2.5; y = -1'
        """
        start, end = self.values[name].span
        return self.text[:start] + literal(array.tolist()) + self.text[end:]


def literal(value: float | list) -> str:
    """A number, or nested lists of numbers, as the language writes them.

    >>> literal([[1.0, -0.5], [2e-7, 3.0]])
    '[[1, -0.5], [2e-07, 3]]'
    """
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
