"""Typed messages from a page: dataclasses whose fields state what they accept, and a parser that lets nothing else through."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, ClassVar, Protocol

from ..errors import SlopesError

LONGEST = 4 << 20  # characters of a message, which may hold a CSV file
DEEPEST = 12  # lists and objects inside each other
MOST_SHOWN = 8

TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class MessageError(SlopesError, ValueError):
    """A message that a page may not send."""


@dataclass(frozen=True)
class Message:
    """The base of all messages: `kind` is its name on the wire, each field is made by `number`, `whole`, `flag`, `text`, `choice`,
    `items`, `record` or `optional`.

    >>> @dataclass(frozen=True)
    ... class SetRate(Message):
    ...     kind: ClassVar[str] = "rate"
    ...     rate: float = number(0, 10)
    >>> parse('{"kind": "rate", "rate": 0.5}', [SetRate])
    SetRate(rate=0.5)
    """

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Attached(Message):
    """From the session itself: a page is there, which knows nothing yet."""

    resumed: bool = False


@dataclass(frozen=True)
class Upload(Message):
    """From the session itself: a file that the user gave, POST /upload; only for pages that list it among their messages."""

    name: str = ""
    data: bytes = b""


class Rule(Protocol):
    """What a field accepts."""

    def read(self, value: Any, path: str) -> Any:
        """The value, as it is used; MessageError where it is not accepted."""


def refuse(path: str, accepted: str, value: Any) -> MessageError:
    """The error of a value that is not accepted."""
    shown = repr(value)
    what = f"{path} must be {accepted}, not {shown if len(shown) < 60 else shown[:57] + '...'}"
    return MessageError(what, where=f"in the message, at {path}", repair="reload the page: it sends only what is accepted")


@dataclass(frozen=True)
class Number:
    """A finite number in a range."""

    low: float
    high: float

    def read(self, value: Any, path: str) -> float:
        """The number as a float."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise refuse(path, f"a number from {self.low:g} to {self.high:g}", value)
        return float(value)


@dataclass(frozen=True)
class Whole:
    """A whole number in a range."""

    low: int
    high: int

    def read(self, value: Any, path: str) -> int:
        """The number as an int."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise refuse(path, f"a whole number from {self.low} to {self.high}", value)
        return value


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, value: Any, path: str) -> bool:
        """The value itself."""
        if not isinstance(value, bool):
            raise refuse(path, "true or false", value)
        return value


@dataclass(frozen=True)
class Text:
    """A text up to a length, without a NUL character or half of a surrogate pair."""

    longest: int

    def read(self, value: Any, path: str) -> str:
        """The text itself."""
        if not isinstance(value, str) or len(value) > self.longest or "\0" in value or not encodable(value):
            raise refuse(path, f"a text of at most {self.longest:,} characters", value)
        return value


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]

    def read(self, value: Any, path: str) -> str:
        """The name itself."""
        if not isinstance(value, str) or value not in self.names:
            raise refuse(path, f"one of {', '.join(self.names)}", value)
        return value


@dataclass(frozen=True)
class Items:
    """A list, each item of which follows a rule; it becomes a tuple."""

    rule: Rule
    most: int
    least: int = 0

    def read(self, value: Any, path: str) -> tuple[Any, ...]:
        """The items as they are used."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            raise refuse(path, f"a list of {self.least} to {self.most:,} items", value)
        return tuple(self.rule.read(item, f"{path}[{i}]") for i, item in enumerate(value))


@dataclass(frozen=True)
class Optional:
    """null, or what another rule accepts."""

    rule: Rule

    def read(self, value: Any, path: str) -> Any:
        """None, or the value as the other rule reads it."""
        return None if value is None else self.rule.read(value, path)


@dataclass(frozen=True)
class Record:
    """An object with the fields of a dataclass, made of rules as those of messages are."""

    kind: type[Any]

    def read(self, value: Any, path: str) -> Any:
        """The dataclass."""
        if not isinstance(value, dict):
            raise refuse(path, "an object", value)
        return read_fields(self.kind, value, path)


def rule_field(rule: Rule, default: Any = MISSING) -> Any:
    """The field of a dataclass that follows a rule."""
    return dataclasses.field(default=default, metadata={"rule": rule})


def number(low: float, high: float, default: Any = MISSING) -> Any:
    """A field for a finite number in a range."""
    return rule_field(Number(low, high), default)


def whole(low: int, high: int, default: Any = MISSING) -> Any:
    """A field for a whole number in a range."""
    return rule_field(Whole(low, high), default)


def flag(default: Any = MISSING) -> Any:
    """A field for true or false."""
    return rule_field(Flag(), default)


def text(longest: int, default: Any = MISSING) -> Any:
    """A field for a text."""
    return rule_field(Text(longest), default)


def choice(*names: str, default: Any = MISSING) -> Any:
    """A field for one of a few names."""
    return rule_field(Choice(names), default)


def items(rule: Rule, most: int, least: int = 0, default: Any = MISSING) -> Any:
    """A field for a list, which becomes a tuple: items(Number(-1, 1), most=3)."""
    return rule_field(Items(rule, most, least), default)


def record(kind: type[Any], default: Any = MISSING) -> Any:
    """A field for an object with the fields of another dataclass."""
    return rule_field(Record(kind), default)


def optional(rule: Rule, default: Any = None) -> Any:
    """A field for null, or what the rule accepts."""
    return rule_field(Optional(rule), default)


def encodable(value: str) -> bool:
    """Whether a text can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_fields(kind: type[Any], values: Mapping[str, Any], path: str) -> Any:
    """A dataclass made of JSON values: no unknown field, none missing, each as its rule says."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    unknown = [name for name in values if name not in fields]
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in unknown[:MOST_SHOWN])
        raise MessageError(f"{path} has unknown fields: {shown}", where=f"in the message, at {path}",
                           why=f"it may have {', '.join(fields) or 'none'}")
    missing = [name for name, entry in fields.items() if name not in values and entry.default is MISSING]
    if missing:
        raise MessageError(f"{path} lacks {', '.join(missing)}", where=f"in the message, at {path}")
    return kind(**{name: fields[name].metadata["rule"].read(value, f"{path}.{name}") for name, value in values.items()})


def parse(text: str, kinds: Iterable[type[Message]]) -> Message:
    """The message in a text, which is JSON: an object with "kind" and the fields of that kind.

    Raises MessageError for anything else: too long, nested too deeply, not JSON, doubled or unknown names, values out of range.
    """
    values = read_json(text)
    if not isinstance(values, dict):
        raise refuse("the message", "an object with a kind", values)
    named = {kind.kind: kind for kind in kinds if kind.kind}
    name = values.pop("kind", None)
    if not isinstance(name, str) or name not in named:
        raise refuse("kind", f"one of {', '.join(named)}", name)
    return read_fields(named[name], values, name)


def read_json(text: str) -> Any:
    """The values in a text; MessageError where it is too long, too deep or not JSON."""
    if len(text) > LONGEST:
        raise MessageError(f"the message has {len(text):,} characters, more than {LONGEST:,}", where="in the message",
                           repair="send less: a file with fewer rows, for example")
    if is_too_deep(text):
        raise MessageError(f"the message is nested more than {DEEPEST} deep", where="in the message")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError(f"the message is not JSON: {error}", where="in the message") from None


def is_too_deep(text: str) -> bool:
    """Whether lists and objects are nested too deeply, as far as the brackets outside of strings say."""
    level = 0
    for token in TOKENS.finditer(text):
        bracket = token.group()
        if bracket in ("[", "{"):
            level += 1
        elif bracket in ("]", "}"):
            level -= 1
        if level > DEEPEST:
            return True
    return False


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object without doubled names."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise MessageError("an object of the message has the same name twice", where="in the message")
    return values


def refuse_constant(name: str) -> Any:
    """NaN and infinities are no JSON."""
    raise MessageError(f"the message holds {name}", where="in the message", why="numbers must be finite")

