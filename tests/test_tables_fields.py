"""Rows that NumPy splits, parses and writes many at a time: the same as field by field in Python."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from slopes.errors import DataError
from slopes.tables import rows
from slopes.tables.decimals import parse_decimals, write_numbers, write_shares
from slopes.tables.fields import PAD, ByteColumn, TextColumn, words_of
from slopes.tables.numbers import parse_each
from slopes.tables.rows import blocks_of, open_rows, read_records
from slopes.tables.spelling import Spelling
from slopes.tables.splitting import split_rows
from slopes.tables.strings import StringColumn, read_strings, split_strings

MISSING = frozenset(("", "NA", "-999"))
FIELDS = ["", " ", "0", "-0", "+7", "12.5", "-1.25", ".5", "5.", "-.5", ".", "-", "+", "1e3", "1E-3", "-1.5e300", "1e999", "inf", "nan",
          "NA", "-999",
          "-999.0", "1_000", "1,234", "12345678", "123456789", "1234567.1234567", "12345678.12345678", "0.1234567890123456789",
          "-0.30000000000000004", "9007199254740993", "1.2.3", "--1", "1-", " 7", "8 ", "red", "grün", "\u0661", "0x10", "1 2", "_1", "1_"]


def byte_column(fields: list[str], missing: frozenset[str] = MISSING) -> ByteColumn:
    raw = [field.encode() for field in fields]
    length = np.array([len(field) for field in raw], np.int64)
    data = np.frombuffer(b"\0" * PAD + b";".join(raw) + b"\0" * PAD, np.uint8)
    return ByteColumn(data, PAD + np.concatenate([[0], np.cumsum(length[:-1] + 1)]), length, missing)


# Numbers


@pytest.mark.parametrize("spelling", [Spelling(), Spelling(decimal=","), Spelling(thousands=","), Spelling(decimal=",", thousands=".")])
@pytest.mark.parametrize("missing", [MISSING, frozenset(("", "NA"))])
def test_numbers_are_those_of_fields_one_by_one(spelling, missing):
    fields = FIELDS + [field.replace(".", ",") for field in FIELDS]
    for chosen in (fields, FIELDS[2:8], ["1.5", "0.12345678901234567"], ["0.12345678901234567", "1_0"]):
        values, wrong = byte_column(chosen, missing).numbers(spelling)
        expected = parse_each(["" if field.strip() in missing else field.strip() for field in chosen], spelling)
        assert np.array_equal(values, expected[0], equal_nan=True) and wrong == expected[1]
        assert np.array_equal(np.signbit(values), np.signbit(expected[0]))


def test_every_decimal_is_the_nearest_float():
    generator = np.random.default_rng(0)
    fields = [f"{generator.normal() * 10.0 ** generator.integers(-3, 7):.{generator.integers(0, 9)}f}" for _ in range(5000)]
    values, parsed = parse_decimals(*(lambda column: (column.data, column.begin, column.length))(byte_column(fields)))
    assert parsed.mean() > 0.9 and values[parsed].tolist() == [float(field) for field, known in zip(fields, parsed) if known]


def test_numbers_and_words_of_pyarrow_are_those_of_fields_one_by_one():
    pytest.importorskip("pyarrow")
    good = ["12.5", "-1.25", ".5", "5.", "1e3", "-1.5e300", "-0", "NA", "", "123456789", "-0.30000000000000004", "9007199254740993"]
    for missing in (MISSING, frozenset(("", "NA"))):
        for chosen in (good, FIELDS, *([field, "1.5", field, ""] for field in FIELDS)):
            raw = "".join(f"{field};x\n" for field in chosen).encode()
            column = StringColumn(read_strings(memoryview(raw), ";", 2, missing)[0], missing)
            expected = ["" if field.strip() in missing else field.strip() for field in chosen]
            values, wrong = column.numbers(Spelling())
            numbers = parse_each(expected, Spelling())
            assert np.array_equal(values, numbers[0], equal_nan=True) and wrong == numbers[1], chosen
            assert np.array_equal(np.signbit(values), np.signbit(numbers[0])) and column.texts() == expected
            assert (column.plain_numbers(Spelling()) is not None) or chosen is not good


# Words


@pytest.mark.parametrize("fields", [FIELDS * 3, ["a" * 63, "a" * 64, "a" * 7 + "b"] * 2, ["x" * 65, "x" * 500, " y"], ["", ""], ["a"]])
def test_words_are_those_of_fields_one_by_one(fields):
    column = byte_column(fields)
    expected = ["" if field.strip() in MISSING else field.strip() for field in fields]
    assert column.texts() == expected and column.words().texts() == expected
    assert len(column.words().values) <= len(set(fields))


def test_words_of_one_key_are_told_apart(monkeypatch):
    monkeypatch.setattr("slopes.tables.fields.MIX", np.uint64(0))  # every word has the key 0
    assert byte_column(["red", "blue", "red"]).texts() == ["red", "blue", "red"]


def test_strings_by_their_different_values():
    words = words_of(["b", "a", "b"])
    assert words.values == ["b", "a"] and words.codes.tolist() == [0, 1, 0] and TextColumn(["b", "a", "b"]).words().texts() == words.texts()


# Rows


def rows_of(path, spelling: Spelling) -> list:
    """Line and fields of each row of a file."""
    with open_rows(path, spelling) as (_, blocks):
        return [row for block in blocks for row in zip(block.lines, *(column.texts() for column in block.columns))]


def both_ways(content: str, path, monkeypatch, text: int = 64, most: int = 3) -> tuple[list, list]:
    """(lines and fields by pyarrow and NumPy as far as they go, the same by the csv module)."""
    path.write_bytes(content.encode())
    spelling = Spelling("utf-8", ",")
    monkeypatch.setattr(rows, "BLOCK_TEXT", text)
    monkeypatch.setattr(rows, "BLOCK_ROWS", most)
    fast = rows_of(path, spelling)
    with monkeypatch.context() as without_pyarrow:
        without_pyarrow.setattr(rows, "split_strings", lambda *block: None)
        assert rows_of(path, spelling) == fast
    names = content[: content.index("\n")].split(",")
    records = read_records(io.StringIO(content, newline=""), path, spelling)
    next(records)
    slow = [row for block in blocks_of(records, len(names), path, spelling)
            for row in zip(block.lines, *(column.texts() for column in block.columns))]
    return fast, slow


PIECES = {
    "plain": "{i},word{i},{i}.5\n", "windows": "{i},word{i},{i}.5\r\n", "quoted": '{i},"a, {i}",x\n',
    "quoted at the end": '{i},x,"a, {i}"\r\n',
    "empty quotes": '"",{i},""\n', "line ends in quotes": '{i},"two\nlines {i}",x\n', "quotes in quotes": '{i},"say ""{i}""",x\n',
    "a quote in a field": '{i},5" pipe,x\n', "spaces": ' {i} , word ,\t{i}\n', "space before quotes": '{i}, "a, b",x\n', "gaps": ",,\n",
    "accents": "{i},gr\u00fcn \u20ac,\u4e2d\n", "old line ends": "{i},b,c\r",
    "empty lines": "{i},b,c\n\n", "blank lines at the end": "{i},b,c\n"}


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("text", [7, 64, 10_000])
def test_rows_are_those_of_the_csv_module(name, text, tmp_path, monkeypatch):
    plain = "".join(PIECES["plain"].format(i=i) for i in range(7))
    content = "a,b,c\n" + plain + "".join(PIECES[name].format(i=i) for i in range(11)) + plain
    for end in (content, content.rstrip("\n"), content + "\n\r\n"):
        fast, slow = both_ways(end, tmp_path / "t.csv", monkeypatch, text)
        assert fast == slow and len(fast) == 25


def test_random_tables_are_those_of_the_csv_module(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    alphabet = ["a", "1", ".", " ", ",", '"', "\n", "\u00fc", ""]
    for seed in range(40):
        table = [["".join(generator.choice(alphabet, 4)) for _ in range(3)] for _ in range(20)]
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n" if seed % 2 else "\r\n").writerows([["x", "y", "z"], *table])
        fast, slow = both_ways(out.getvalue(), tmp_path / "t.csv", monkeypatch, int(generator.integers(5, 300)))
        assert fast == slow and len(fast) == 20


def test_most_files_are_split_by_numpy():
    for name in ("plain", "windows", "quoted", "quoted at the end", "empty quotes", "line ends in quotes", "spaces", "gaps", "accents"):
        raw = "".join(PIECES[name].format(i=i) for i in range(11)).encode()
        split = split_rows(raw, ord(","), 3, 4)
        assert split is not None and len(split.begin) == 8 and raw[: split.size].decode() == "".join(
            PIECES[name].format(i=i) for i in range(8)), name


def test_plain_rows_are_split_by_pyarrow():
    pytest.importorskip("pyarrow")
    raw = "".join(PIECES["windows"].format(i=i) for i in range(11)).encode()
    columns, count, size = split_strings(raw, Spelling("utf-8", ","), 3, 4)
    assert count == 8 and columns[2].texts() == [f"{i}.5" for i in range(8)] and raw[:size].count(b"\n") == 8
    for name in ("line ends in quotes", "a quote in a field", "old line ends", "empty lines"):
        assert split_strings("".join(PIECES[name].format(i=i) for i in range(11)).encode(), Spelling("utf-8", ","), 3, 4) is None, name
    for other in (b"\xef\xbb\xbf" + raw, raw + b"1,2\n", raw + b"\0,1,2\n", b"1,2\n" + raw, b"1,2,3"):
        assert split_strings(other, Spelling("utf-8", ","), 3, 1) is None
    for spelling in (Spelling("utf-8", ",", decimal=","), Spelling("utf-8", ",", thousands="'")):
        assert split_strings(raw, spelling, 3, 1) is None


def test_an_error_after_many_rows_names_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000 + "3\n")
    with open_rows(path, Spelling("utf-8", ",")) as (_, blocks), pytest.raises(DataError, match="line 5002: 1 fields instead of 2"):
        list(blocks)


def test_bad_rows_are_the_same_errors_with_pyarrow_and_without(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    monkeypatch.setattr(rows, "BLOCK_TEXT", 32)
    monkeypatch.setattr(rows, "BLOCK_ROWS", 2)
    plain = b"1,2\n" * 40
    for bad, message in ((b"3\n", "line 42: 1 fields"), (b"3,4,5\n", "line 42: 3 fields"), (b'"3,4\n', "cannot be split into fields"),
                         (b"3,\x00\n", "line 42: .*zero byte"), (b"3,\xff\n", "not text in utf-8"),
                         (b'3,4"x"5\n\n6\n', "line 44: 1 fields")):
        path.write_bytes(b"a,b\n" + plain + bad + plain)
        errors = []
        for splitter in (split_strings, lambda *block: None):
            monkeypatch.setattr(rows, "split_strings", splitter)
            with pytest.raises(DataError, match=message) as caught:
                rows_of(path, Spelling("utf-8", ","))
            errors.append(str(caught.value))
        assert errors[0] == errors[1]


# Predictions


def texts(characters: np.ndarray) -> list[str]:
    return [row.tobytes().replace(b"\0", b"").decode() for row in characters]


def test_numbers_are_written_as_python_writes_them():
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(size=3000) * 1000, 10 ** generator.uniform(-12, 12, 3000),
                             -(10 ** generator.uniform(-5, 7, 3000)),
                             np.arange(400) / 8, generator.normal(size=999).round(2),
                             [0.0, -0.0, 1e5, 1e6, 999999.5, 9999995, np.nan, np.inf, 1e-4, 9.9999999e-5, 1.2345675, 999998.95]])
    assert texts(write_numbers(values)) == [f"{value:.7g}" for value in values.tolist()]


def test_shares_are_written_as_python_writes_them():
    generator = np.random.default_rng(0)
    shares = np.concatenate([generator.random(3000), 10 ** generator.uniform(-8, 0, 3000),
                             [0, 1, 0.5, 1e-6, 9.9e-5, 1e-4, 0.9999995, 0.9999994, 5e-7, 4.9e-7]])
    assert texts(write_shares(shares)) == [repr(share) for share in shares.round(6).tolist()]
