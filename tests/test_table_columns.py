"""Columns of tables: what users give keeps its meaning, or is refused with the way to say what is meant."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import threading
import tracemalloc

import numpy as np
import pytest

import slopes as sl
from slopes import data, text
from slopes.data import Dataset, Standardize, Table, TableCode, Whiten, load_csv, split_series, split_table
from slopes.errors import ArgumentError, DataError, DTypeError, NonFiniteError, SlopesError
from slopes.files.npywriter import save_npy, save_npz

NAN = float("nan")
LONG = 2**53 + 1


def written(folder, raw, name="table.csv"):
    path = folder / name
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path


# Missing values


@pytest.mark.parametrize("gap", [None, NAN, np.nan, np.float32("nan"), np.datetime64("NaT"), ""], ids=repr)
def test_every_way_to_say_nothing_is_known_counts_as_missing_among_words(gap):
    table = Table({"c": ["a", gap, gap, "b"], "x": [1.0, NAN, 3.0, 4.0]})
    assert repr(table) == "Table(4 rows: c words 2 missing, x number 1 missing)"
    assert table["c"].tolist() == ["a", "", "", "b"]


@pytest.mark.parametrize("gap", [None, NAN, np.datetime64("NaT")], ids=repr)
def test_every_way_to_say_nothing_is_known_counts_as_missing_among_numbers(gap):
    assert np.array_equal(Table({"x": [1, gap, True, decimal.Decimal("0.5")]})["x"], [1, NAN, 1, 0.5], equal_nan=True)


def test_hidden_values_of_a_masked_array_are_missing():
    found = Table({"x": np.ma.masked_greater([1.0, 9.0], 5), "c": np.ma.array(["a", "b"], mask=[True, False])})
    assert np.array_equal(found["x"], [1, NAN], equal_nan=True) and found["c"].tolist() == ["", "b"]


def test_a_word_that_was_a_missing_value_is_warned_of():
    with pytest.warns(UserWarning, match=r"column 'c' holds the word 'nan' in 2 rows"):
        Table({"c": np.array(["a", NAN, "nan"])})


def test_frames_of_pandas_keep_their_gaps():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "object": pandas.Series(["a", None, NAN, pandas.NA], dtype=object), "string": pandas.array(["a", None, "b", ""], "string"),
        "Int64": pandas.array([1, None, 2, 3], "Int64"), "boolean": pandas.array([True, None, False, True], "boolean"),
        "category": pandas.Categorical(["x", None, "y", "x"]), "float32": np.array([0.5, NAN, 1, 2], np.float32)})
    found = Table(frame)
    assert found["object"].tolist() == ["a", "", "", ""] and found["string"].tolist() == ["a", "", "b", ""]
    assert np.array_equal(found["Int64"], [1, NAN, 2, 3], equal_nan=True)
    assert np.array_equal(found["boolean"], [1, NAN, 0, 1], equal_nan=True)
    assert found["category"].tolist() == ["x", "", "y", "x"]
    assert np.array_equal(found["float32"], [0.5, NAN, 1, 2], equal_nan=True)
    assert repr(Table(frame.to_dict("list"))) == repr(found)


def test_what_a_frame_of_pandas_would_lose_is_refused():
    pandas = pytest.importorskip("pandas")
    twice = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    for frame, seen in [(twice, "the column 'a' is there twice"), (pandas.DataFrame([[1]]), "a column is called 0, not by a string"),
                        (pandas.DataFrame({"t": pandas.to_datetime(["2020-01-01"])}), "column 't' is of dtype datetime64"),
                        (pandas.DataFrame({"t": pandas.to_datetime(["2020-01-01"], utc=True)}), "column 't' is"),
                        (pandas.DataFrame({"id": pandas.array([LONG, None], "Int64")}), f"column 'id' holds {LONG} in row 0")]:
        with pytest.raises(ArgumentError) as caught:
            Table(frame)
        assert seen in str(caught.value)


def test_frames_of_polars_keep_their_gaps():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"w": ["a", None], "i": [1, None], "b": [True, None]})
    for found in (Table(frame), Table({name: frame[name] for name in frame.columns})):
        assert repr(found) == "Table(2 rows: w words 1 missing, i number 1 missing, b number 1 missing)"
    with pytest.raises(ArgumentError, match=f"column 'i' holds {LONG} in row 0"):
        Table({"i": polars.Series([LONG, None])})
    with pytest.raises(ArgumentError, match=r"column 't' is not numbers or words: row 0 is datetime.date"):
        Table(polars.DataFrame({"t": [datetime.date(2020, 1, 1)]}))


@pytest.mark.parametrize("column, text", [
    ([1, "a"], "column 'x' holds words such as 'a' (row 1) and others such as 1 (row 0, of type int)"),
    ([True, "a", None], "words such as 'a' (row 1) and others such as True (row 0, of type bool)"),
    ([datetime.date(2020, 1, 1)], "row 0 is datetime.date(2020, 1, 1), of type date"),
    (np.array(["2020-01-01"], "M8[D]"), "is of dtype datetime64[D]"),
    (np.array([1], "m8[s]"), "is of dtype timedelta64[s]"),
    ([1j], "row 0 is 1j, of type complex"), (np.array([1j]), "is of dtype complex128"), ([b"a"], "row 0 is b'a'"),
    ([[1.0], [2.0]], "row 0 is [1.0], of type list"), (np.zeros((2, 2)), "of dtype float64 and shape (2, 2)"),
    ([LONG], f"holds {LONG} in row 0"), (np.array([0, LONG]), f"holds {LONG} in row 1"), (np.array([2**64 - 1], np.uint64), "in row 0"),
    ([10**400], "holds an integer of many digits in row 0"), ([-LONG], f"holds {-LONG} in row 0"),
])
def test_columns_that_would_change_their_meaning_are_refused(column, text):
    with pytest.raises(ArgumentError) as caught:
        Table({"x": column})
    assert text in str(caught.value) and len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("column", [[1.0, float("inf")], np.array([0, -np.inf], np.float32)])
def test_infinite_numbers_are_refused_where_they_are_given(column):
    with pytest.raises(NonFiniteError, match=r"column 'x' holds -?inf in row 1"):
        Table({"x": column})


def test_integers_that_float64_holds_are_numbers():
    assert Table({"x": [2**53, -(2**60), 10**20]})["x"].tolist() == [2**53, -(2**60), 10**20]


# CSV files: what would lose its meaning as a number stays words


@pytest.mark.parametrize("fields", [["007", "010"], ["00123", "99999"], ["+4930123456", "+1555123456"], ["9007199254740993", "5"],
                                    ["12345678901234567890", "1"], ["1" * 400, "2"], ["-0123", "4"], ["1_000", "2_000"]])
def test_digits_that_name_something_stay_as_they_are(tmp_path, fields):
    assert load_csv(written(tmp_path, "\n".join(["code", *fields])))["code"].tolist() == fields


@pytest.mark.parametrize("fields", [["0", "0.5"], ["-0.25", "00.5"], ["9007199254740992", "1"], ["100000000000000000000", "1e300"],
                                    ["+5", "-3"], ["1e-400", "0"]])
def test_numbers_are_numbers(tmp_path, fields):
    found = load_csv(written(tmp_path, "\n".join(["x", *fields])))["x"]
    assert found.dtype == np.float64 and found.tolist() == [float(field) for field in fields]


def test_numbers_can_be_asked_for(tmp_path):
    path = written(tmp_path, "hour,x\n01,1\n02,n.a.\n")
    assert load_csv(path, numbers=["hour"], words=["x"])["hour"].tolist() == [1, 2]
    with pytest.raises(DataError, match=r"line 3: x is 'n.a.', which is not a number"):
        load_csv(path, numbers=["x"])
    with pytest.raises(ArgumentError, match="has no column 'y'"):
        load_csv(path, numbers=["y"])
    with pytest.raises(ArgumentError, match="column 'x' is listed in both words and numbers"):
        load_csv(path, numbers=["x"], words=["x"])


@pytest.mark.parametrize("fields", [["3,5", "12,25"], ["1,234", "5,678"], ["1 234", "12"], ["1.234,50", "2.000,00"], ["1'234.5", "7"]])
def test_numbers_in_another_spelling_are_warned_of(tmp_path, fields):
    path = written(tmp_path, "price;y\n" + "".join(f"{field};1\n" for field in fields))
    with pytest.warns(UserWarning, match=r"column 'price' is read as words, though .* looks like a number") as caught:
        assert load_csv(path, delimiter=";")["price"].tolist() == fields
    assert "decimal=','" in str(caught[0].message) and "words=['price']" in str(caught[0].message)
    assert load_csv(path, delimiter=";", words=["price"])["price"].tolist() == fields


def test_decimal_commas_are_read_if_asked_for(tmp_path):
    path = written(tmp_path, "price;y\n3,5;1\n-12,25;2\n")
    assert load_csv(path, delimiter=";", decimal=",")["price"].tolist() == [3.5, -12.25]
    with pytest.warns(UserWarning, match="'1.234,5' looks like a number"):
        load_csv(written(tmp_path, "price;y\n3,5;1\n1.234,5;2\n"), delimiter=";", decimal=",")
    for options in ({"decimal": ";", "delimiter": ";"}, {"decimal": ","}, {"delimiter": "\n"}, {"delimiter": '"'}, {"delimiter": ";;"},
                    {"words": "price"}, {"missing": "NA"}, {"numbers": "y"}, {"names": "ab"}):
        with pytest.raises(ArgumentError, match="load_csv: "):
            load_csv(path, **options)


@pytest.mark.parametrize("word", ["n.a.", "12a", "-"])
def test_a_few_words_among_numbers_are_warned_of(tmp_path, word):
    path = written(tmp_path, f"x\n1\n2.5\n{word}\n-3\n")
    with pytest.warns(UserWarning, match=r"column 'x' is read as words, because '.*' occurs among its numbers"):
        assert load_csv(path)["x"].tolist() == ["1", "2.5", word, "-3"]
    assert np.isnan(load_csv(path, missing=[word])["x"][2])


def test_a_word_after_many_numbers_gives_every_field_back_as_it_was(tmp_path):
    fields = [f"{k}.50" for k in range(70_000)] + ["u"] * 90_000
    path = written(tmp_path, "a,b\n" + "".join(f"{field},{k}\n" for k, field in enumerate(fields)))
    found = load_csv(path, words=["a"])
    assert found["a"].tolist() == fields and found["b"].tolist() == list(range(160_000))
    with pytest.warns(UserWarning, match="'u' occurs among its numbers"):
        assert load_csv(path)["a"].tolist() == fields
    with pytest.raises(DataError, match="line 70002: a is 'u', which is not a number"):
        load_csv(path, numbers=["a"])


@pytest.mark.parametrize("raw, options, text", [
    ("a;b\n1;2\n", {}, "line 1: there is one column, called 'a;b'"), ("a\tb\n1\t2\n", {}, "load_csv(..., delimiter='\\t')"),
    ("a,b\n1,2\n", {"delimiter": ";"}, "load_csv(..., delimiter=',')"), ("a|b\n1|2\n", {}, "delimiter='|'"),
    ("a,b,\n1,2,\n", {}, "column 3 is called ''"), ("a,b\n1,2,\n", {}, "line 2: 3 fields instead of 2"),
    ("a,b\n1,2\n".encode("utf-16"), {}, "line 1: it holds a zero byte"), (b"a\ncaf\xe9\n", {}, "line 2: byte 0xe9 is not UTF-8"),
    (b"a\ncaf\xc3", {}, "line 2: byte 0xc3 is not UTF-8"),
])
def test_files_of_another_form_are_refused_with_their_repair(tmp_path, raw, options, text):
    with pytest.raises(DataError) as caught:
        load_csv(written(tmp_path, raw), **options)
    assert text in str(caught.value)


@pytest.mark.parametrize("raw, options", [
    ("a;b\n1;2\n", {"delimiter": ";"}), ("a\tb\n1\t2\n", {"delimiter": "\t"}), ("\ufeffa,b\r\n1,2\r\n", {}), ('"a","b"\n"1","2"', {}),
    ("1,2", {"names": ["a", "b"]}),
    (" a  b\n1   2 \n", {"delimiter": " "}), (gzip.compress(b"a,b\n1,2\n", mtime=0), {}),
])
def test_files_of_every_form_are_read(tmp_path, raw, options):
    found = load_csv(written(tmp_path, raw), **options)
    assert found.names == ("a", "b") and found["a"].tolist() == [1] and found["b"].tolist() == [2]


def test_a_first_row_that_is_taken_for_names_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="the header, line 1, looks like a row"):
        load_csv(written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,3.4,virginica\n"))
    assert load_csv(written(tmp_path, "country,2019,2020\nFR,1,2\nDE,3,4\n")).names == ("country", "2019", "2020")


def test_long_fields_are_read_and_take_no_more_than_themselves(tmp_path):
    text = "word " * 40_000
    assert load_csv(written(tmp_path, f'text,label\n"{text}",1\nshort,0\n'))["text"].tolist() == [text.strip(), "short"]
    path = written(tmp_path, "a,b\n" + "x" * 100_000 + ",1\n" + "y,1\n" * 20_000)
    tracemalloc.start()
    try:
        assert len(load_csv(path)) == 20_001
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * path.stat().st_size + 2**24


def test_rows_are_not_held_as_lists(tmp_path):
    path = written(tmp_path, "a\n" + "1\n" * 300_000)
    tracemalloc.start()
    try:
        assert load_csv(path)["a"].sum() == 300_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * path.stat().st_size + 2 * 8 * 300_000 + 2**24


def test_small_files_do_not_unpack_to_large_ones_unless_allowed(tmp_path):
    path = written(tmp_path, gzip.compress(b"a\n" + b"1\n" * 20_000_000, 9))
    with pytest.raises(DataError, match=r"size: more than 33554432 bytes"):
        load_csv(path)
    with pytest.raises(DataError, match=r"size: more than 1000 bytes"):
        load_csv(path, limit=1000)
    with pytest.raises(DataError, match="100001 columns, more than 100000"):
        load_csv(written(tmp_path, ",".join(map(str, range(100_001))) + "\n1\n"))


def test_several_threads_read_at_once(tmp_path):
    path, found = written(tmp_path, "a,b\n" + "x" * 200_000 + ",1\n"), []
    threads = [threading.Thread(target=lambda: found.append(len(load_csv(path)["a"][0]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200_000] * 4 and csv.field_size_limit() >= 200_000


# Codes of tables: what names the rows says nothing about others


def table_of(column, name="c"):
    return Table({name: column, "y": ["a", "b"] * (len(column) // 2)})


def test_identifiers_and_free_texts_are_refused_as_categories():
    for categories in ("one-hot", "integers"):
        with pytest.raises(ArgumentError) as caught:
            TableCode(table_of([f"C{k:04d}" for k in range(100)]), categories)
        assert "column 'c' has 100 different words in 100 rows, such as 'C0000'" in str(caught.value)
        assert "table.without('c')" in str(caught.value)
    with pytest.raises(ArgumentError, match="target 'c' has 100 different words in 100 rows"):
        split_table(table_of([f"{k},5" for k in range(100)]), "c")
    assert len(TableCode(table_of([f"{k}" for k in range(10)])).features) == 12  # of a few rows nothing is known


@pytest.mark.parametrize("words", [
    [f"2020-{1 + k % 12:02d}-{1 + k % 28:02d}" for k in range(100)], [f"{1 + k % 28}.{1 + k % 12}.20" for k in range(100)],
    [f"{k % 24}:00" for k in range(100)], [f"word {k % 60}" for k in range(100)],
    ["", *[f"2020-01-{1 + k % 3:02d}T10:00" for k in range(99)]],
])
def test_dates_and_rare_words_are_warned_of(words):
    with pytest.warns(UserWarning, match=r"column 'c' has \d+ different (dates|words) in (99|100) rows"):
        TableCode(table_of(words))


@pytest.mark.parametrize("name", ["id", "ID", "customer_id", "Customer ID", "Unnamed: 0", "index", "customerId"])
def test_numbers_that_count_the_rows_are_warned_of(name):
    with pytest.warns(UserWarning, match="has another number in each row"):
        TableCode(table_of(np.arange(100), name))


@pytest.mark.parametrize("name, values", [("id", np.arange(100) % 7), ("idle", np.arange(100)), ("id", np.arange(100) + 0.5)])
def test_other_numbers_are_not(name, values):
    assert TableCode(table_of(list(values), name)).features[0] == name


def test_a_constant_column_becomes_0_also_where_its_mean_is_rounded():
    table = Table({"x": [0.1] * 1000, "y": [1.1] * 1000})
    assert not TableCode(table)(table).any()
    assert not Standardize(np.full((1000, 2), 0.1))(np.full((1000, 2), 0.1)).any()
    with pytest.raises(ArgumentError, match="must be finite and above 0"):
        Dataset(np.full((1000, 1), 0.1), np.zeros(1000)).standardized()


# Numbers keep their digits until they are small


TIMES = 1.7e9 + 60.0 * np.arange(8)
LARGE = 1e6 + np.random.default_rng(0).standard_normal((500, 3))
YEARS = 1990 + np.random.default_rng(1).uniform(0, 34, (300, 2))


@pytest.mark.parametrize("x", [TIMES[:, None], LARGE, YEARS, TIMES[:, None].astype(np.int64), -LARGE])
def test_offsets_are_taken_off_before_rounding(x):
    expected = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    scale, train = Standardize(x), Dataset(x, np.zeros(len(x)))
    for found in (scale(x), scale(train).inputs, Standardize(train)(train).inputs,
                  train.standardized(x.mean(axis=0), x.std(axis=0)).inputs, scale(train.subset(slice(None))).inputs):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=3e-7, atol=3e-7)
    np.testing.assert_allclose(scale.inverse(expected), x, rtol=1e-12, atol=3e-7 * x.std())


def test_what_was_learned_keeps_its_digits_when_saved(tmp_path):
    scale = Standardize(LARGE)
    scale.save(tmp_path / "scale")
    np.testing.assert_array_equal(Standardize.load(tmp_path / "scale")(LARGE), scale(LARGE))


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitening_takes_offsets_off_before_rounding(kind):
    white = Whiten(LARGE, kind, epsilon=0.0)
    np.testing.assert_allclose(white(LARGE), Whiten(LARGE - 1e6, kind, epsilon=0.0)(LARGE - 1e6), atol=1e-5)
    np.testing.assert_allclose(white(Dataset(LARGE, np.zeros(500))).inputs, white(LARGE))
    np.testing.assert_allclose(white.inverse(white(LARGE)), LARGE, atol=1e-5)


def test_series_are_scaled_before_rounding():
    values = 1.7e9 + np.sin(np.arange(200.0))
    splits = split_series(data.Series(values, ("",) * 200, 6), size=5)
    expected = (values - values[:140].mean()) / values[:140].std()
    np.testing.assert_allclose(splits.train.targets[:, 0], expected[5:140], atol=1e-6)
    np.testing.assert_allclose(splits.unscaled(splits.test.targets)[:, 0], values[160:], atol=1e-6)


def test_float64_is_kept_only_where_float32_takes_digits():
    random = np.random.default_rng(0)
    assert Dataset(random.normal(size=(100, 3)), np.zeros(100)).exact is None
    assert Dataset(random.uniform(size=(100, 3)) + [0, 1, 3], np.zeros(100)).exact is None
    assert Dataset(np.full((9, 2), 0.1), np.zeros(9)).exact is None
    assert Dataset(LARGE.astype(np.float32), np.zeros(500)).exact is None
    kept = Dataset(LARGE, np.zeros(500)).exact
    assert kept is not None and kept is not LARGE and not kept.flags.writeable and np.array_equal(kept, LARGE)


def test_targets_that_lose_digits_are_warned_of():
    with pytest.warns(UserWarning, match="targets lose digits as float32"):
        Dataset(np.zeros((8, 1)), TIMES)
    assert Dataset(np.zeros((8, 1)), 1000 + np.arange(8) / 7).targets.dtype == np.float32


# Data sets


@pytest.mark.parametrize("inputs, kind, text", [
    (np.ma.masked_greater([[1.0], [9.0]], 5), ArgumentError, "inputs: 1 values of a masked array are masked"),
    ([[1.0], [None]], DTypeError, "inputs hold None, of type NoneType, at [1, 0]"),
    (np.array([[1], ["a"]], object), DTypeError, "inputs hold 'a', of type str, at [1, 0]"),
    (np.array([[1], [2.5]], object), DTypeError, "cast it: x.astype(np.float32)"),
    (np.array([["2020-01-01"], ["2020-01-02"]], "M8[D]"), DTypeError, "days since the first"),
])
def test_data_sets_refuse_what_is_no_number_with_its_place(inputs, kind, text):
    with pytest.raises(kind) as caught:
        Dataset(inputs, [0, 1])
    assert text in str(caught.value)
    with pytest.raises(SlopesError):
        Standardize(inputs)


def test_a_word_is_no_list_of_classes():
    with pytest.raises(ArgumentError, match="classes are 'ab'"):
        Dataset([[0.0]], [0], classes="ab")
    assert Dataset(np.ma.array([[1.0]]), [0]).inputs.tolist() == [[1]]  # nothing is hidden


def test_fractions_are_no_classes():
    for call in (lambda: data.Examples(["a", "b"], np.array([0.0, 1.5])), lambda: sl.inside.Confusion.counted([0, 1], [0.2, 1.0])):
        with pytest.raises(DTypeError, match=r"hold (1.5|0.2)"):
            call()
    for call in (lambda: data.Examples(["a", "b"], np.array(["x", "y"])), lambda: data.Examples(["a"], np.array([NAN]))):
        with pytest.raises(DTypeError):
            call()
    assert data.Examples(["a", "b"], np.array([0.0, 1.0])).targets.tolist() == [0, 1]
    assert sl.inside.Confusion.counted([0.0, 1.0], [True, True]).counts.tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("gap", [None, NAN])
def test_missing_texts_are_refused_where_they_are_given(gap):
    vocabulary = text.Vocabulary(["a"])
    for call in (lambda: text.words(gap), lambda: text.Vocabulary.build([["a", gap], ["b"]]), lambda: vocabulary.encode(["a", gap])):
        with pytest.raises(DTypeError, match=r"of type (NoneType|float)"):
            call()
    with pytest.raises(ArgumentError, match=r"data: input 1 is (None|nan)"):
        data.Examples(["a", gap], np.array([0, 1]))


def test_hidden_values_are_not_written(tmp_path):
    hidden = np.ma.masked_greater([1.0, 9.0], 5)
    for call in (lambda: save_npy(tmp_path / "x", hidden), lambda: save_npz(tmp_path / "x", {"a": hidden}),
                 lambda: data.save_safetensors(tmp_path / "x", {"a": hidden})):
        with pytest.raises(ArgumentError, match="1 values of a masked array are masked"):
            call()


def test_windows_that_lose_digits_are_warned_of():
    with pytest.warns(UserWarning, match="values of the series lose digits as float32"):
        data.windows(TIMES, size=3)


def test_an_integer_that_could_not_be_read_again_is_not_written(tmp_path):
    data.save_json(tmp_path / "x", {"a": [2**995, -(2**995)]}, "s")
    assert data.load_json(tmp_path / "x", "s")["a"] == [2**995, -(2**995)]
    with pytest.raises(ArgumentError, match="a int cannot be written as JSON: 16610 bits"):
        data.save_json(tmp_path / "x", {"a": 10**5000}, "s")
