"""Reading tables of any spelling, and what their columns are taken for."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from slopes.errors import ArgumentError, DataError
from slopes.files.jsonfile import load_json, save_json
from slopes.tables.dates import parse_date
from slopes.tables.rows import LONGEST_FIELD
from slopes.tables.schema import Schema
from slopes.tables.spelling import OPEN, Spelling, spelling_of
from slopes.tables.table import infer_schema, read_table, typed_columns

ROWS = 40
PLAIN = "size,colour,grade\n" + "".join(f"{i * 1.5},{'red' if i % 3 else 'blue'},{'good' if i % 2 else 'bad'}\n" for i in range(ROWS))


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""
    def writer(content: str | bytes, name: str = "table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
    return writer


def column_of(schema: Schema, name: str):
    return next(column for column in schema.columns if column.name == name)


def column(write, values: list[str], spelling: Spelling = OPEN, **options):
    """The schema's column of these values, beside one of numbers and a target."""
    quoted = ['"' + value.replace('"', '""') + '"' for value in values]
    text = "it,size,grade\n" + "".join(f"{value},{i % 7}.5,{'good' if i % 2 else 'bad'}\n" for i, value in enumerate(quoted))
    return column_of(infer_schema(read_table(write(text), spelling), "grade", **options), "it")


def failing(write, values: list[str], spelling: Spelling = OPEN, **options) -> str:
    with pytest.raises(DataError) as caught:
        column(write, values, spelling, **options)
    text = str(caught.value)
    assert text.count("\n") >= 2, f"an error has its parts: {text}"
    return text


# Spelling


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_detected(write, encoding):
    text = PLAIN.replace("red", "grün").replace("size", "größe")
    table = read_table(write(text.encode(encoding)))
    assert list(table.columns) == ["größe", "colour", "grade"]
    assert set(table.columns["colour"]) == {"grün", "blue"}
    assert any("cp1252" in note for note in table.notes) == (encoding == "cp1252")


def test_a_named_encoding_is_used(write):
    table = read_table(write(PLAIN.replace("red", "\u30d0").encode("shift_jis")), Spelling(encoding="shift_jis"))
    assert "\u30d0" in table.columns["colour"]


def test_bytes_that_are_not_in_the_encoding_are_an_error(write):
    with pytest.raises(DataError, match=r"(?s)not text in utf-8.*--encoding"):
        read_table(write(PLAIN.encode() + b"1,\xff,good\n"), Spelling(encoding="utf-8"))


def test_an_unknown_encoding_is_an_error():
    with pytest.raises(ArgumentError, match="Python knows no encoding of this name"):
        Spelling(encoding="utf-99")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(write, delimiter):
    table = read_table(write(PLAIN.replace(",", delimiter)))
    assert list(table.columns) == ["size", "colour", "grade"] and table.spelling.delimiter == delimiter
    assert any("separated" in note for note in table.notes) == (delimiter != ",")


def test_a_delimiter_inside_quotes_does_not_count(write):
    table = read_table(write("a;b\n" + '"x, y, z";1\n' * 20))
    assert table.columns["a"][0] == "x, y, z"


def test_compressed_files_are_read(write):
    assert len(read_table(write(gzip.compress(PLAIN.encode()), "table.csv.gz"))) == ROWS


def test_quoted_fields_may_hold_line_ends_quotes_and_delimiters(write):
    table = read_table(write('a,b\n"two\nlines, and ""quotes""",1\nplain,2\n'))
    assert table.columns["a"] == ['two\nlines, and "quotes"', "plain"]
    assert table.lines == [3, 4]


def test_names_that_are_empty_or_there_twice_become_distinct_and_that_is_said(write):
    table = read_table(write("x,x,,x (2)\n1,2,3,4\n"))
    assert list(table.columns) == ["x", "x (3)", "column 3", "x (2)"]
    assert len(table.notes) == 2


def test_many_names_that_are_there_many_times_take_no_time(write):
    table = read_table(write(",".join(["x"] * 50_000) + "\n" + ",".join(["1"] * 50_000) + "\n"))
    assert list(table.columns)[-1] == "x (50000)"


def test_a_file_without_header(write):
    table = read_table(write("1,2\n3,4\n"), Spelling(header=False))
    assert list(table.columns) == ["column 1", "column 2"] and len(table) == 2


@pytest.mark.parametrize(("content", "message"), [
    ("", "the file is empty"),
    ("\n\n", "the file is empty"),
    ("a,b\n", "no row below it"),
    ("one line of words", "no delimiter splits"),
    ("word\nword\nword\n", "there is one column"),
    ("a,b\n1,2\n3\n", "line 3: 1 fields instead of 2"),
    ('a,b\n"1,2\n3,4\n', "cannot be split into fields"),
    ("a,b\n1,2\x00\n", "zero bytes"),
    ("a,b\n1," + "x" * (LONGEST_FIELD + 1) + "\n", "a field is longer than 4,194,304 characters"),
])
def test_files_that_are_no_tables_are_errors(write, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(content))
    assert "table.csv" in str(caught.value)


def test_a_million_columns_are_an_error(write):
    with pytest.raises(DataError, match="1,000,000 columns, more than 100,000"):
        read_table(write(",".join(map(str, range(1_000_000))) + "\n" + ",".join(["1"] * 1_000_000) + "\n"))


def test_a_bomb_is_not_unpacked(write):
    rows = gzip.compress(b"a,b\n" + (b"x" * 2**16 + b",2\n") * 2**10, 1)
    with pytest.raises(DataError, match="unpacks to more bytes"):
        read_table(write(rows, "bomb.csv.gz"))


@pytest.mark.parametrize("options", [{"delimiter": ";;"}, {"delimiter": '"'}, {"decimal": "x"}, {"decimal": ",", "thousands": ","}])
def test_spellings_that_are_none_are_errors(options):
    with pytest.raises(ArgumentError):
        Spelling(**options)


# Kinds


def test_numbers_gaps_and_ranges(write):
    it = column(write, ["", "?", "NA", *(str(i / 4) for i in range(ROWS))])
    assert (it.kind, it.missing, it.low, it.high, it.distinct) == ("number", 3, 0.0, 9.75, ROWS)
    assert "gaps" in it.treatment


def test_more_words_for_gaps(write):
    it = column(write, ["unknown", *map(str, range(9))] * 3, spelling_of(missing=["unknown"]))
    assert it.kind == "number" and it.missing == 3


@pytest.mark.parametrize(("value", "spelling", "number"), [
    ("3,5", Spelling(delimiter=",", decimal=","), 3.5), ("1,234", Spelling(thousands=","), 1234.0),
    ("1.234,50", Spelling(decimal=",", thousands="."), 1234.5), ("1'234.5", Spelling(thousands="'"), 1234.5),
    ("1 234,5", Spelling(decimal=",", thousands=" "), 1234.5)])
def test_marks_of_numbers_are_read_as_named_and_refused_otherwise(write, value, spelling, number):
    values = [value, value.replace("3", "4"), value.replace("3", "7")] * 10
    it = column(write, values, spelling)
    assert it.kind == "number" and it.low == number
    assert "--" in failing(write, values) and "--kind it=category" in failing(write, values)
    assert column(write, values, kinds={"it": "category"}).kind == "category"


def test_thousands_marks_stand_between_groups_of_three(write):
    assert column(write, ["1,2,3", "4,5,6", "7,8,9"] * 10, Spelling(thousands=",")).kind == "category"


def test_a_word_among_numbers_is_an_error(write):
    text = failing(write, [*map(str, range(30)), "unknown"])
    assert "line 32, column 'it': 'unknown' is no number" in text and "--missing 'unknown'" in text


@pytest.mark.parametrize("infinite", ["inf", "-inf", "1e999", "Infinity"])
def test_infinite_numbers_are_an_error(write, infinite):
    assert "is not finite" in failing(write, [*map(str, range(30)), infinite])


@pytest.mark.parametrize(("values", "kind"), [
    (["yes", "no"] * 10, "yes/no"), (["True", "False"] * 10, "yes/no"), (["0", "1"] * 10, "yes/no"),
    (["red", "blue"] * 10, "category"), (["red", "blue", "green", ""] * 10, "category"), (["x"] * 20, "constant"), ([""] * 20, "empty"),
    ([f"id{i}" for i in range(30)], "identifier"), ([str(100 + i) for i in range(30)], "identifier"),
    ([f"{i:05}" for i in range(30)], "identifier"), (["01234", "02345", "12345"] * 10, "category"),
    ([f"the house number {i} is old" for i in range(30)], "text"),
    ([f"2024-01-{i:02}" for i in range(1, 29)], "date"), ([f"2024-01-01 {i:02}:30:00" for i in range(23)], "date"),
    ([f"{i}.12.2024" for i in range(10, 30)], "date"), ([f"2024-{i:02}" for i in range(1, 13)] * 2, "date"),
    (["", "x", "x", "x"] * 10, "category"),
])
def test_kinds(write, values, kind):
    assert column(write, values).kind == kind


def test_day_and_month_that_may_be_exchanged_are_an_error_until_it_is_said(write):
    values = ["03/04/2024", "05/06/2024", "07/08/2024"] * 10
    assert "may begin with the day or with the month" in failing(write, values)
    day, month = (column(write, values, date_order=order) for order in ("day-first", "month-first"))
    assert day.low == parse_date("2024-04-03", "year-month-day") and month.low == parse_date("2024-03-04", "year-month-day")


@pytest.mark.parametrize("values", [["2024-03-01", "01.03.2024"], ["13/01/2024", "01/13/2024"]])
def test_dates_in_mixed_formats_are_an_error(write, values):
    assert "another order" in failing(write, values * 10)


@pytest.mark.parametrize(("text", "form", "days"), [
    ("1970-01-02", "year-month-day", 1.0), ("1970-01-01T06:00:00Z", "year-month-day", 0.25),
    ("1970-01-01T06:00+06:00", "year-month-day", 0.0),
    ("02.01.1970", "day-month-year", 1.0), ("01/02/1970", "month-day-year", 1.0), ("1970-02", "year-month", 31.0),
    ("1970-13-01", "year-month-day", None), ("31.02.1970", "day-month-year", None), ("1970-01-01T25:00", "year-month-day", None),
    ("1970-01/01", "year-month-day", None)])
def test_dates(text, form, days):
    assert parse_date(text, form) == days


def test_a_column_named_as_number_with_a_word_is_an_error(write):
    assert "'red' is no finite number" in failing(write, ["red", "1", "2"] * 10, kinds={"it": "number"})


def test_a_column_named_as_date_without_dates_is_an_error(write):
    assert "'red' is no date" in failing(write, ["red", "blue"] * 10, kinds={"it": "date"})


@pytest.mark.parametrize("word", ["soon", "2024-13-01"])
def test_a_word_among_dates_is_an_error(write, word):
    text = failing(write, [*(f"2024-01-{i:02}" for i in range(1, 29)), word])
    assert f"'{word}' is no date" in text and f"--missing '{word}'" in text


@pytest.mark.parametrize("form", ["{}%", "${}.50", "{} \u20ac"])
def test_numbers_with_units_are_not_left_out_as_names(write, form):
    values = [form.format(i) for i in range(30)]
    assert "is a number with a unit" in failing(write, values)
    assert column(write, values, kinds={"it": "category"}).kind == "category"


def doubts_of(write, content: str, spelling: Spelling = OPEN) -> list[str]:
    return [note for note in infer_schema(read_table(write(content), spelling), "y").notes if "separated" not in note]


def test_numbers_that_may_be_thousands_are_said(write):
    content = "x;y\n" + "".join(f"{1 + i % 7}.{100 + i};{'ab'[i % 2]}\n" for i in range(40))
    assert any("1.100 is read as 1 and a fraction" in note and "--thousands . --decimal ," in note for note in doubts_of(write, content))
    assert not doubts_of(write, content, Spelling(decimal=",", thousands="."))
    assert not doubts_of(write, content.replace("1.100", "0.100")) and not doubts_of(write, content.replace("1.100", "1.10"))


def test_a_first_line_that_looks_like_a_row_is_said(write):
    content = "".join(f"{i / 3},{'ab'[i % 2]}\n" for i in range(40))
    assert any("--no-header" in note for note in doubts_of(write, "7.5,y\n" + content))
    assert not doubts_of(write, "x,y\n" + content)


def test_more_categories_than_rows_are_learned(write):
    assert column(write, [f"c{i % 29}" for i in range(58)]).kind == "category"


# Targets


def schema_of(write, targets: list[str], **options) -> Schema:
    rows = "".join(f"{i % 7}.5,{target}\n" for i, target in enumerate(targets))
    return infer_schema(read_table(write(f"size,grade\n{rows}")), "grade", **options)


@pytest.mark.parametrize(("values", "task", "classes"), [
    (["good", "bad"] * 10, "classification", ("bad", "good")), (["0", "1"] * 10, "classification", ("0", "1")),
    (["10", "2"] * 10, "classification", ("2", "10")), ([str(i % 12) for i in range(48)], "classification", tuple(map(str, range(12)))),
    (["1", "2", "3"] * 10, "classification", ("1", "2", "3")), (["3", "4", "5"] * 10, "regression", ()),
    ([str(i / 3) for i in range(30)], "regression", ()), (["7", "", "9.5", "8"] * 10, "regression", ())])
def test_the_task_follows_from_the_target(write, values, task, classes):
    target = schema_of(write, values).target
    assert (target.task, target.classes) == (task, classes)


def test_the_task_can_be_named(write):
    assert schema_of(write, ["3", "4", "5"] * 10, task="classification").target.classes == ("3", "4", "5")
    assert schema_of(write, ["0", "1"] * 10, task="regression").target.task == "regression"


@pytest.mark.parametrize(("values", "message"), [
    (["good"] * 20, "it is always 'good'"), ([""] * 20, "no row has a value"), (["good"], "1 row with a value"),
    (["good", "bad"] * 4, "8 rows with a value"), ([f"w{i}" for i in range(30)], "30 classes in 30 rows"),
    ([f"w{i % 18}" for i in range(30)], "18 classes in 30 rows")])
def test_targets_that_cannot_be_learned_are_errors(write, values, message):
    with pytest.raises(DataError, match=message) as caught:
        schema_of(write, values)
    assert str(caught.value).count("\n") >= 2


def test_an_infinite_target_is_an_error(write):
    with pytest.raises(DataError, match="inf is not finite"):
        schema_of(write, ["inf", *(str(i / 3) for i in range(30))])


@pytest.mark.parametrize(("value", "message"), [
    ("many", "'many' is no number"), ("1e200", "too large to be predicted"), ("-1e308", "too large to be predicted")])
def test_a_few_targets_that_cannot_be_predicted_are_errors(write, value, message):
    values = [value, *(str(i / 3) for i in range(30))]
    with pytest.raises(DataError, match=f"line 2, column 'grade': {message}" if value == "many" else message) as caught:
        schema_of(write, values)
    assert f"--missing {value}" in str(caught.value).replace("'", "")


def test_targets_with_decimal_commas_are_an_error_that_names_the_option(write):
    with pytest.raises(DataError, match=r"'0,5' may be a number(?s:.*)--decimal ,; to keep the values as words: --task classification"):
        schema_of(write, [f'"{i},5"' for i in range(30)])


def test_words_cannot_be_regressed(write):
    with pytest.raises(DataError, match="'good' is no number"):
        schema_of(write, ["good", "bad"] * 10, task="regression")


def test_a_target_that_is_not_there_is_an_error(write):
    with pytest.raises(ArgumentError, match="has no column 'price'"):
        infer_schema(read_table(write(PLAIN)), "price")


def test_nothing_to_predict_from_is_an_error(write):
    with pytest.raises(DataError, match="nothing is left to predict 'grade' from"):
        infer_schema(read_table(write("x,grade\n" + "1,good\n1,bad\n" * 10)), "grade")


# JSON


def test_a_schema_is_written_and_read_back(write, tmp_path):
    schema = infer_schema(read_table(write(PLAIN)), "grade")
    save_json(tmp_path / "schema.json", schema.to_fields(), "test")
    content = load_json(tmp_path / "schema.json", "test")
    assert Schema.from_fields({name: value for name, value in content.items() if name not in ("schema", "version")}) == schema


@pytest.mark.parametrize("damage", [
    lambda content: content.pop("columns"), lambda content: content["columns"][0].update(kind="tensor"),
    lambda content: content["columns"][0].update(rows=-1), lambda content: content["columns"][0].update(more=1),
    lambda content: content["target"].update(task="guessing"), lambda content: content["spelling"].update(decimal="x")])
def test_a_damaged_schema_is_an_error(write, damage):
    content = json.loads(json.dumps(infer_schema(read_table(write(PLAIN)), "grade").to_fields()))
    damage(content)
    with pytest.raises(DataError, match="the schema of the table is damaged"):
        Schema.from_fields(content)


def test_typed_columns(write):
    table = read_table(write(PLAIN))
    columns = typed_columns(infer_schema(table, "grade"), table)
    assert np.array_equal(columns["size"], np.arange(ROWS) * 1.5) and columns["colour"].tolist()[:2] == ["blue", "red"]
