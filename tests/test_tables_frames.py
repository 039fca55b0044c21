"""Data frames, and Parquet and Arrow files, beside CSV files of the same rows."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest

from slopes.errors import ArgumentError, DataError, MissingExtraError
from slopes.tables import frames
from slopes.tables.network import Architecture
from slopes.tables.predictions import Account, evaluate_file, predict_file, predict_frame
from slopes.tables.sources import open_source
from slopes.tables.spelling import OPEN, Spelling
from slopes.tables.study import Question, train_table
from slopes.tables.table import infer_schema, read_table
from slopes.tables.training import Settings

narwhals = pytest.importorskip("narwhals")

COUNT = 60
QUICK = Settings(folds=2, variants=(Architecture(width=16, layers=1),), epochs=3, least_steps=12, most_steps=12)
DAY = datetime.date(2024, 1, 1)
COLUMNS = {
    "size": [None if i % 9 == 4 else i / 7 for i in range(COUNT)], "rooms": [i % 5 for i in range(COUNT)],
    "colour": [None if i % 11 == 3 else ("red", "blue", "gr\u00fcn")[i % 3] for i in range(COUNT)],
    "new": [i % 2 == 0 for i in range(COUNT)], "built": [DAY + datetime.timedelta(days=3 * i) for i in range(COUNT)],
    "grade": [("good", "bad")[i * i % 7 % 2] for i in range(COUNT)]}
CSV = "\n".join([",".join(COLUMNS), *(",".join("" if value is None else str(value).lower() if value in (True, False) and name == "new"
                                               else str(value) for name, value in zip(COLUMNS, row)) for row in zip(*COLUMNS.values()))])
LIBRARIES = ("pandas", "polars", "pyarrow")


def frame_of(library: str, columns: dict | None = None):
    module = pytest.importorskip(library)
    columns = COLUMNS if columns is None else columns
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def arrow_file(kind: str, path):
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(COLUMNS)
    if kind == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path, row_group_size=25)
        return path
    writer = {"arrow": arrow.ipc.new_file, "stream": arrow.ipc.new_stream}[kind]
    with writer(path, table.schema) as sink:
        sink.write_table(table, max_chunksize=25)
    return path


@pytest.fixture
def csv_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "table.csv"
    path.write_text(CSV, encoding="utf-8")
    return train_table(Question(path, "grade"), QUICK, compare=False, explain=False).model


def kinds(source) -> list:
    schema = infer_schema(read_table(source), "grade")
    return [(column.name, column.kind, column.missing, column.low, column.high) for column in schema.columns]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_is_understood_as_the_file_of_its_rows(library, csv_file):
    assert kinds(frame_of(library)) == kinds(csv_file)
    assert [kind for _, kind, *_ in kinds(csv_file)] == ["number", "number", "category", "yes/no", "date"]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_a_file_is_understood_as_the_csv_file_of_its_rows(kind, tmp_path, csv_file):
    assert kinds(arrow_file(kind, tmp_path / "t.data")) == kinds(csv_file)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_is_predicted_by_a_frame_of_its_library(library, model, csv_file, tmp_path):
    account = Account()
    frame = frame_of(library)
    predicted = narwhals.from_native(predict_frame(model, frame, account))
    assert type(predicted.to_native()) is type(frame) and account.rows == COUNT and not account.lines()
    assert predicted.columns == ["grade", "probability", "P(bad)", "P(good)"]
    predict_file(model, frame, tmp_path / "frame.csv")
    predict_file(model, csv_file, tmp_path / "csv.csv")
    assert (tmp_path / "frame.csv").read_bytes() == (tmp_path / "csv.csv").read_bytes()
    shares = np.array(predicted["P(good)"].to_list())
    assert [name == "good" for name in predicted["grade"].to_list()] == (shares > 0.5).tolist()


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_files_are_predicted_and_evaluated_in_blocks(kind, model, csv_file, tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "BATCH_ROWS", 7)
    path = arrow_file(kind, tmp_path / "t.data")
    with open_source(path, OPEN, []) as source:
        assert sum(map(len, source.blocks)) == COUNT
    assert evaluate_file(model, path).scores["accuracy"].value == evaluate_file(model, csv_file).scores["accuracy"].value


def test_a_frame_is_trained_on(csv_file):
    frame = frame_of("pandas")
    study = train_table(Question(frame, "grade", test=frame), QUICK, compare=False, explain=False)
    assert len(study.targets) == COUNT and "the rows of data frame test" in study.prepared.split.how


def test_numbers_have_intervals_in_frames():
    frame = frame_of("pandas", {"x": [i / 3 for i in range(COUNT)], "y": [i / 7 for i in range(COUNT)]})
    study = train_table(Question(frame, "y"), QUICK, compare=False, explain=False)
    predicted = predict_frame(study.model, frame)
    assert list(predicted.columns) == ["y", "low 90%", "high 90%"] and (predicted["low 90%"] < predicted["high 90%"]).all()


def test_values_of_frames_are_those_of_files():
    values = [1, 2.0, 2.5, float("nan"), None, True, "word", " NA ", datetime.date(2024, 3, 1), datetime.datetime(2024, 3, 1, 12, 30),
              datetime.datetime(2024, 3, 1), datetime.datetime(2024, 3, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
              decimal.Decimal("1.50"), 2**60, np.float32(0.5)]
    assert [frames.value_text(value) for value in values] == [
        "1", "2", "2.5", "", "", "true", "word", " NA ", "2024-03-01", "2024-03-01 12:30:00", "2024-03-01", "2024-03-01", "1.5",
        str(2**60), "0.5"]


def test_numbers_that_mark_gaps_and_large_whole_numbers():
    frame = frame_of("polars", {"x": [1.0, -999.0], "id": [2**60 + 1, 2**60 + 2], "w": ["NA", " a "]})
    table = read_table(frame, Spelling(missing=("", "NA", "-999")))
    assert table.columns == {"x": ["1", ""], "id": [str(2**60 + 1), str(2**60 + 2)], "w": ["", "a"]} and table.lines == [1, 2]


@pytest.mark.parametrize("values", [[[1, 2]] * 3, [b"x"] * 3, [datetime.timedelta(1)] * 3])
def test_values_that_no_table_has_are_errors(values):
    with pytest.raises(DataError, match="data frame: column 'x': a value is of type"):
        read_table(frame_of("polars", {"x": values, "y": [1, 2, 3]}))


def test_an_object_that_is_no_frame_is_an_error():
    for thing in ([1, 2], {"x": [1]}, 3):
        with pytest.raises(ArgumentError, match="is no data frame"):
            read_table(thing)


def test_lazy_frames_are_to_be_collected():
    polars = pytest.importorskip("polars")
    with pytest.raises(ArgumentError, match="collect"):
        read_table(polars.LazyFrame({"x": [1]}))


def test_names_that_are_there_twice():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["x", "x"])
    with pytest.raises(ArgumentError, match="two columns of the data frame have one name"):
        read_table(frame)
    frame.columns = [0, 1]
    assert list(read_table(frame).columns) == ["0", "1"]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_damaged_files_are_errors(kind, tmp_path):
    raw = arrow_file(kind, tmp_path / "t.data").read_bytes()
    (tmp_path / "t.data").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"t\.data: contents: it cannot be read"):
        read_table(tmp_path / "t.data")


def test_a_frame_without_rows_is_an_error():
    with pytest.raises(DataError, match="data frame: line 1: there is a line of names but no row"):
        read_table(frame_of("polars", {"x": [], "y": []}))


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1....")

    def without(module, extra, purpose="this"):
        raise MissingExtraError(f"{purpose} needs {module}, which is not installed", repair=f"pip install 'slopes[{extra}]'")

    monkeypatch.setattr(frames, "require", without)
    with pytest.raises(MissingExtraError, match=r"a Parquet file needs pyarrow(?s:.*)slopes\[frames\]"):
        read_table(tmp_path / "t.parquet")
