"""Tables: CSV files are read as they are or refused with their line; codes know the training rows only."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from slopes import data
from slopes.data import Table, TableCode, load_csv, split_table
from slopes.errors import ArgumentError, DataError, ShapeError


def written(folder, text, name="table.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_table_is_read_with_its_types_and_gaps(tmp_path):
    text = 'a,b,"c, d",code\r\n1, x ,"two\nlines",007\r\n\r\n-2.5e3,?,"say ""hi""",010\r\n,NA,,1\r\n'
    table = load_csv(written(tmp_path, text), words=["code"])
    assert table.names == ("a", "b", "c, d", "code") and len(table) == 3
    np.testing.assert_array_equal(table["a"], [1, -2500, np.nan])
    assert table["b"].tolist() == ["x", "", ""]
    assert table["c, d"].tolist() == ["two\nlines", 'say "hi"', ""]
    assert table["code"].tolist() == ["007", "010", "1"]
    assert repr(table) == "Table(3 rows: a number 1 missing, b words 2 missing, c, d words 1 missing, code words)"


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbfx;y\n1;2\n", gzip.compress(b"x;y\n1;2", mtime=0), b"x ; y\r1;2\r"])
def test_other_spacing_and_packing_load(tmp_path, raw):
    table = load_csv(written(tmp_path, raw), delimiter=";")
    assert table.names == ("x", "y") and table["y"].tolist() == [2]


def test_names_stand_for_a_missing_header_and_other_gaps_can_be_named(tmp_path):
    table = load_csv(written(tmp_path, "1,?\n2,-9\n"), ["x", "y"], missing=["-9"])
    assert table["x"].tolist() == [1, 2] and table["y"].tolist() == ["?", ""]


REFUSED = {
    "empty": ("", "contents: there is no line in it"),
    "only blank lines": ("\n \n\n", "contents: there is no line in it"),
    "only a header": ("a,b\n", "line 1: there is a header but no row after it"),
    "short row": ("a,b\n1,2\n3\n", "line 3: 1 fields instead of 2"),
    "long row": ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 fields instead of 2"),
    "open quote": ('a,b\n1,"2\n3,4\n', "line 3: it cannot be split into fields (unexpected end of data)"),
    "quote inside": ('a,b\n"1"x,2\n', "line 2: it cannot be split into fields"),
    "latin 1": (b"a,b\n1,2\n3,caf\xe9\n", "line 3: byte 0xe9 is not UTF-8"),
    "infinite": ("a,b\n1,2\n3,inf\n", "line 3: b is inf, which is not finite"),
    "overflow": ("a\n1e999\n", "line 2: a is 1e999, which is not finite"),
    "same names": ("a,a\n1,2\n", "line 1: column 2 is called 'a', like an earlier one"),
    "no name": ("a,\n1,2\n", "line 1: column 2 is called ''"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n" * 99)[:-9], "contents: the compressed data are damaged or truncated"),
    "bomb": (gzip.compress(b"a\n" + b"1\n" * 200_000), "size: more than 10000 bytes"),
    "long field": ("a\n" + "x" * 9_000, None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tables_are_refused_with_file_and_line(tmp_path, case):
    raw, text = REFUSED[case]
    path = written(tmp_path, raw)
    if text is None:
        assert len(load_csv(path, limit=10_000)) == 1
        return
    with pytest.raises(DataError) as caught:
        load_csv(path, limit=10_000)
    assert str(caught.value).startswith(f"{path}: {text}"), caught.value


def test_what_python_alone_takes_for_a_number_is_a_word(tmp_path):
    assert load_csv(written(tmp_path, "a\n1_000\n2\n"))["a"].tolist() == ["1_000", "2"]


@pytest.mark.parametrize("call, kind, text", [
    (lambda t: t["z"], ArgumentError, "the table has no column 'z'"),
    (lambda t: t.without("z"), ArgumentError, "the table has no column 'z'"),
    (lambda t: t.without("x", "w"), ShapeError, "the columns have lengths"),
    (lambda t: Table({"x": [1.0], "y": [1.0, 2.0]}), ShapeError, "the columns have lengths [1, 2]"),
    (lambda t: Table({"x": [b"a"]}), ArgumentError, "column 'x' is not numbers or words: row 0 is b'a', of type bytes"),
    (lambda t: TableCode(t, "ordinal"), ArgumentError, "categories='ordinal'"),
    (lambda t: TableCode(t)(Table({"x": ["a"], "w": ["b"]})), ArgumentError, "column 'x' holds words"),
    (lambda t: TableCode(t)(Table({"x": [1.0]})), ArgumentError, "the table has no column 'w'"),
    (lambda t: split_table(t, "w", classes=["a"]), ArgumentError, "target 'w' is 'b' in row 1, which is no class"),
    (lambda t: split_table(t, "x", classes=["a"]), ArgumentError, "target 'x' is numbers, but classes are named"),
    (lambda t: split_table(Table({"x": [1.0, np.nan], "y": [1.0, 2.0]}), "x"), ArgumentError, "target 'x' is not known in row 1"),
    (lambda t: split_table(t, "x", (0.9, 0.05, 0.05)), ArgumentError, "the validation set of table would be empty"),
])
def test_wrong_uses_of_tables_are_refused(call, kind, text):
    with pytest.raises(kind) as caught:
        call(Table({"x": [1.0, 2.0], "w": ["a", "b"]}))
    assert text in str(caught.value)


def test_codes_are_learned_from_the_training_rows_alone(rng):
    table = Table({"x": rng.normal(5, 2, 100), "w": rng.choice(["a", "b", ""], 100), "y": np.arange(100.0)})
    splits = split_table(table, "y", seed=3)
    rows = splits.train.targets.astype(int)
    x = table["x"][rows]
    np.testing.assert_allclose(splits.train.inputs[:, 0], (x - x.mean()) / x.std(), rtol=1e-4, atol=1e-5)
    test = table["x"][splits.test.targets.astype(int)]
    np.testing.assert_allclose(splits.test.inputs[:, 0], (test - x.mean()) / x.std(), rtol=1e-4, atol=1e-5)
    assert splits.code.features == ("x", "w = missing", "w = a", "w = b")
    together = np.concatenate([part.targets for part in (splits.train, splits.validation, splits.test)])
    assert sorted(together) == list(range(100)) and [len(splits.train), len(splits.validation), len(splits.test)] == [70, 10, 20]


def test_categories_as_integers_keep_0_for_what_training_did_not_have():
    code = TableCode(Table({"w": ["b", "", "a"], "x": [1.0, 1.0, 1.0]}), "integers")
    assert code.sizes == {"w": 4} and code.features == ("w", "x")
    new = Table({"w": ["a", "b", "", "c"], "x": [1.0, 2.0, np.nan, 0.0]})
    assert code(new).tolist() == [[2, 0], [3, 1], [1, 0], [0, -1]]


def test_every_class_has_its_share_of_each_set():
    table = Table({"x": np.arange(100.0), "w": np.array(["rare"] * 10 + ["usual"] * 90)})
    splits = split_table(table, "w")
    parts = (splits.train, splits.validation, splits.test)
    assert [np.bincount(part.targets).tolist() for part in parts] == [[7, 63], [1, 9], [2, 18]]


@pytest.mark.parametrize("make, sizes, inputs", [
    (data.adult, (29848, 2713, 16281), 108),
    (data.wine_quality, (4548, 650, 1299), 13), (data.california_housing, (14448, 2064, 4128), 14)])
def test_the_public_tables(data_folder, make, sizes, inputs):
    splits = make(data_folder)
    assert splits.test_untouched
    parts = (splits.train, splits.validation, splits.test)
    assert tuple(len(part) for part in parts) == sizes and all(part.inputs.shape[1:] == (inputs,) for part in parts)
    numbers = [place for place, name in enumerate(splits.code.features) if " = " not in name and " missing" not in name]
    np.testing.assert_allclose(splits.train.inputs[:, numbers].mean(axis=0, dtype=np.float64), 0, atol=1e-5)


def test_the_grades_and_colours_of_wines(data_folder):
    red = data.wine_quality(data_folder, colour="red", grades=True)
    assert red.classes == tuple("3456789") and sum(map(len, (red.train, red.validation, red.test))) == 1599
    with pytest.raises(ArgumentError, match="colour='blue'"):
        data.wine_quality(data_folder, colour="blue")


def test_census_rows_of_another_form_are_refused(tmp_path):
    row = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, Cuba, "
    written(tmp_path, "".join(row + ["<=50K", ">50K"][k % 2] + "\n" for k in range(24)), "adult-train.csv")
    splits = data.adult(tmp_path)
    written(tmp_path, row + "<=50K.\n" + row + "lots\n", "adult-test.csv")
    with pytest.raises(DataError, match="income: 'lots' in row 2 is neither"):
        assert splits.test
    written(tmp_path, row + "<=50K.\n" + row + ">50K.\n", "adult-test.csv")
    assert splits.test.targets.tolist() == [0, 1]
    written(tmp_path, row + "<=50K\n39, State-gov\n", "adult-train.csv")
    with pytest.raises(DataError, match="line 2: 2 fields instead of 15"):
        data.adult(tmp_path)
    written(tmp_path, row.replace("39", "old") + "<=50K\n", "adult-train.csv")
    with pytest.raises(DataError, match="column 'age': it holds words, not numbers"):
        data.adult(tmp_path)


def test_a_housing_table_without_its_target_is_refused(tmp_path):
    path = written(tmp_path, "longitude,latitude\n1,2\n", "california-housing.csv")
    with pytest.raises(DataError) as caught:
        data.california_housing(tmp_path)
    assert str(caught.value).startswith(f"{path}: column 'median_house_value': it is not there")


def test_a_wine_without_a_grade_is_refused(tmp_path):
    path = written(tmp_path, "1,2,3,4,5,6,7,8,9,10,11,5\n1,2,3,4,5,6,7,8,9,10,11,?\n", "winequality-red.csv")
    with pytest.raises(DataError) as caught:
        data.wine_quality(tmp_path, "red")
    assert str(caught.value).startswith(f"{path}: column 'quality': nothing in row 2")
