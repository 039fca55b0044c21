"""Messages of the studio's pages: what is accepted, what is refused, and frames as bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from studio_hostile import VALID, hostile

from slopes.studio.engine import Frame
from slopes.studio.messages import (
    DEEPEST,
    LONGEST,
    Items,
    Message,
    MessageError,
    Number,
    choice,
    flag,
    items,
    number,
    optional,
    parse,
    record,
    text,
    whole,
)
from slopes.studio.pages import PAGES


@dataclass(frozen=True)
class Inner:
    size: int = whole(1, 3, default=1)


ONE = Inner()


@dataclass(frozen=True)
class Example(Message):
    kind: ClassVar[str] = "example"
    rate: float = number(0, 1)
    on: bool = flag(default=False)
    name: str = text(5, default="")
    mode: str = choice("a", "b", default="a")
    pairs: tuple[tuple[float, ...], ...] = items(Items(Number(-1, 1), 2, least=2), 3, default=())
    inner: Inner = record(Inner, default=ONE)
    limit: float | None = optional(Number(0, 5))


def test_messages_are_read_as_their_fields_say():
    read = parse('{"kind":"example","rate":1,"on":true,"name":"ab","mode":"b","pairs":[[0,1],[0.5,-1]],"inner":{"size":2},"limit":3}',
                 [Example])
    assert read == Example(1.0, True, "ab", "b", ((0.0, 1.0), (0.5, -1.0)), Inner(2), 3.0)
    assert isinstance(read.rate, float) and parse('{"kind":"example","rate":0}', [Example]).inner == Inner()


def test_everything_else_is_refused_with_its_path():
    cases = {
        '{"kind":"example"}': "example lacks rate", '{"kind":"example","rate":true}': "example.rate must be a number from 0 to 1, not True",
        '{"kind":"example","rate":2}': "example.rate", '{"kind":"example","rate":0,"more":1}': "unknown fields: 'more'",
        '{"kind":"example","rate":0,"inner":{"size":4}}': "example.inner.size must be a whole number from 1 to 3",
        '{"kind":"example","rate":0,"inner":{"size":2.0}}': "example.inner.size", '{"kind":"example","rate":0,"inner":[]}': "an object",
        '{"kind":"example","rate":0,"pairs":[[0]]}': "example.pairs[0] must be a list of 2 to 2 items",
        '{"kind":"example","rate":0,"pairs":[[0,2]]}': "example.pairs[0][1]", '{"kind":"example","rate":0,"name":"abcdef"}': "at most 5",
        '{"kind":"example","rate":0,"name":"\\ud800"}': "example.name", '{"kind":"example","rate":0,"mode":"c"}': "one of a, b",
        '{"kind":"example","rate":0,"rate":1}': "same name twice", '{"kind":"example","rate":NaN}': "NaN",
        '{"kind":"other"}': "one of example",
        "[1]": "an object with a kind", "{": "not JSON", "[" * 5000: f"more than {DEEPEST} deep", '"' + "x" * LONGEST + '"': "more than",
        '{"kind":"example","rate":' + "9" * 6000 + "}": "not JSON", '{"kind":"example","rate":1e999}': "example.rate"}
    for raw, what in cases.items():
        with pytest.raises(MessageError) as error:
            parse(raw, [Example])
        assert what in error.value.what, raw[:80]


def test_brackets_in_strings_do_not_count_as_depth():
    assert parse(json.dumps({"kind": "read", "text": "[" * 5000 + "\\\""}), PAGES["playground"].messages)


def test_hostile_messages_are_refused_or_valid_and_nothing_else():
    kinds = PAGES["playground"].messages
    refused = accepted = 0
    for raw in hostile(2000):
        try:
            assert isinstance(parse(raw, kinds), Message)
            accepted += 1
        except MessageError as error:
            assert len(error.what) < 1000
            refused += 1
        except ValueError as error:  # settings that do not fit each other
            assert type(error).__name__ == "ArgumentError", error
            refused += 1
    assert refused > 1200 and accepted > 100
    assert all(parse(json.dumps({"kind": kind, **fields}), kinds) for kind, fields in VALID.items())


def test_frames_are_one_message_whose_arrays_lie_where_the_header_says():
    arrays = {"a": np.arange(3, dtype=np.uint8), "b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.zeros((0, 4), np.int32)}
    raw = Frame({"kind": "x", "step": 3}, arrays).encode()
    size = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + size])
    assert header["step"] == 3 and (4 + size) % 8 == 0
    for entry in header["arrays"]:
        expected = arrays[entry["name"]]
        assert entry["offset"] % 8 == 0 and entry["shape"] == list(expected.shape)
        assert np.array_equal(np.frombuffer(raw, entry["dtype"], expected.size, entry["offset"]).reshape(expected.shape), expected)
    with pytest.raises(AssertionError):
        Frame({}, {"a": np.zeros(2)}).encode()
