"""Files of users that are not as they should be: each is refused in words that say what to do, or read in a way that is said."""

from __future__ import annotations

import csv
import datetime
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slopes.errors import SlopesError, error_text
from slopes.experiments.experiment import Config, Experiment
from slopes.experiments.own import images, series, text
from slopes.experiments.own.series_lines import description_lines
from slopes.tables.report import prepared_lines
from slopes.tables.spelling import spelling_of
from slopes.tables.study import Question, prepare
from slopes.tables.training import DEFAULTS

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(110, 2))


def lines(target: Callable[[int], object], count: int = 40, first: Callable[[int], object] = lambda i: f"{X[i, 0]:.2f}") -> str:
    """A table of two columns and a target."""
    return "a,b,c\n" + "".join(f"{first(i)},{X[i, 1]:.2f},{target(i)}\n" for i in range(count))


def grade(i: int) -> str:
    return "good" if X[i, 0] > 0 else "bad"


PLAIN, SEMICOLONS = lines(grade), lines(grade, first=lambda i: f"{1000 * X[i, 0]:.2f}").replace(",", ";")
TABLES: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "UTF-16": (PLAIN.encode("utf-16"), {}, "target c: classification: bad, good"),
    "UTF-8 with a mark": (PLAIN.encode("utf-8-sig"), {}, "a       number"),
    "Windows-1252": (PLAIN.replace("a,", "größe,", 1).encode("cp1252"), {}, "it is read as cp1252"),
    "semicolons": (SEMICOLONS, {}, "fields are separated by a semicolon"),
    "decimal commas": (SEMICOLONS.replace(".", ","), {}, "--decimal ,"),
    "decimal commas, named": (SEMICOLONS.replace(".", ","), {"spelling": spelling_of(decimal=",")}, "a       number"),
    "thousands marks": (lines(grade, first=lambda i: f'"{1e6 * X[i, 0]:,.2f}"'), {}, "--thousands ,"),
    "quotes over lines": (PLAIN.replace("good", '"good\nor so"'), {}, "classification: bad, good or so"),
    "unclosed quotes": (PLAIN + '1,2,"good\n', {}, "a quoted field ends with a quote"),
    "doubled and empty names": ("a,a,,c\n" + "".join(f"{row},{i % 3}\n" for i, row in enumerate(PLAIN.splitlines()[1:])),
                                {"target": "column 3"}, "column 2 is called 'a', like an earlier one: it is taken as 'a (2)'"),
    "another length": (PLAIN + "1,2\n", {}, "line 42: 2 fields instead of 3"),
    "a constant target": (lines(lambda i: "good"), {}, "a constant needs no model to predict it"),
    "another word in each row": (lines(lambda i: f"w{i}"), {}, "the target has 40 classes in 40 rows"),
    "a target that counts": (lines(lambda i: i + 7), {}, "they may number the rows"),
    "gaps in the target": (lines(lambda i: grade(i) if i % 4 else ""), {}, "10 rows without a target are left out"),
    "no target": (lines(lambda i: ""), {}, "target 'c': no row has a value"),
    "a column that gives the target away": (lines(grade, 110, lambda i: grade(i)[0]), {}, "column 'a' alone predicts 100.0% of 'c'"),
    "a number that gives the target away": (lines(lambda i: f"{3 * X[i, 0] + 1:.4f}", 110, lambda i: f"{X[i, 0]:.4f}"), {},
                                            "column 'a' alone predicts 100.0%"),
    "more categories than rows": (lines(grade, first=lambda i: f"w{i}"), {}, "left out: it names the rows"),
    "mixed dates": (lines(grade, first=lambda i: f"2024-01-{i % 28 + 1:02}" if i % 2 else f"{i % 28 + 1:02}/12/2024"), {},
                    "dates in mixed formats"),
    "infinite numbers": (PLAIN + "inf,1,good\n", {}, "line 42, column 'a': inf is not finite"),
    "one row": ("a,b,c\n1,2,good\n", {}, "10 are the least"),
    "no row": ("a,b,c\n", {}, "there is a line of names but no row below it"),
    "nothing": ("", {}, "the file is empty"),
    "zero bytes": (b"\0" * 99, {}, "it holds zero bytes"),
    "a workbook": (b"PK\x03\x04" + b"\x14\0" * 60, {}, "save the sheet as CSV"),
    "a web page": ("<!DOCTYPE html>\n<html><body>a,b</body></html>\n", {}, "it is no CSV file, but a web page"),
    "JSON": ('[\n {"a": 1, "b": 2}]\n', {}, "it is no CSV file, but JSON"),
    "100,001 columns": (",".join(["x"] * 100_001) + "\n", {}, "100,001 columns, more than 100,000"),
}


def test_tables(tmp_path):
    for name, (content, options, words) in TABLES.items():
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        question = Question(path, **{"target": "c", **options})
        said = outcome(lambda question=question: prepared_lines(prepare(question, DEFAULTS, 0)))
        assert words in said, f"{name}:\n{said}"


def outcome(action: Callable[[], list[str]]) -> str:
    """The lines that an action returns, or the text of its error."""
    try:
        return "\n".join(action())
    except SlopesError as error:
        return error_text(error)


def logged(experiment: Experiment[Any], **args: Any) -> list[str]:
    """What is said of the data of an experiment."""
    log: list[str] = []
    experiment.data(Config(experiment.resolve(**args), 0, log.append))
    return log


# Pictures


def huge(path: Path) -> None:
    """A PNG file of 30,000 x 30,000 pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def test_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")

    def save(name: str, shape: tuple[int, ...], kind: str = "uint8", mode: str | None = None, **options: Any) -> Callable[[Path], None]:
        pixels = DRAW.integers(0, 255 if kind == "uint8" else 65_535, shape).astype(kind)
        return lambda folder: image.fromarray(pixels).convert(mode).save(folder / name, **options)

    frames = [image.fromarray(DRAW.integers(0, 255, (9, 9)).astype("uint8")) for _ in range(2)]
    upright = image.Exif()
    upright[274] = 6
    cases: dict[str, tuple[Callable[[Path], object], dict[str, Any], str]] = {
        "zero bytes": (lambda folder: (folder / "z.png").write_bytes(b""), {}, "z.png: contents: the file is empty"),
        "zero bytes, skipped": (lambda folder: (folder / "z.png").write_bytes(b""), {"skip_broken": True}, "left out: x/z.png"),
        "30,000 x 30,000": (lambda folder: huge(folder / "z.png"), {}, "900000000 pixels"),
        "animated": (lambda folder: frames[0].save(folder / "z.png", save_all=True, append_images=frames[1:]), {},
                     "1 picture animated: the first frame is read"),
        "16 bits": (save("z.png", (9, 9), "uint16"), {}, "16-bit grey 1"),
        "CMYK": (save("z.jpg", (9, 9, 3), mode="CMYK"), {}, "1 picture in CMYK: it is converted to RGB"),
        "rotated": (save("z.jpg", (9, 12, 3), exif=upright), {}, "1 picture rotated by EXIF: it is turned upright"),
        "another ending": (lambda folder: frames[0].save(folder / "z.gif"), {}, "1 file with other endings left out: .gif (1)"),
    }
    for name, (write, options, words) in cases.items():
        folder = tmp_path / name.replace(" ", "-")
        for kind in "xy":
            (folder / kind).mkdir(parents=True)
            for i in range(12):
                image.fromarray(DRAW.integers(0, 255, (9, 9)).astype("uint8")).save(folder / kind / f"{i}.png")
        write(folder / "x")
        said = outcome(lambda folder=folder, options=options: logged(images.experiment, folder=str(folder), **options))
        assert words in said, f"{name}:\n{said}"


# Series and texts


DAYS = [f"{datetime.date(2024, 1, 1) + datetime.timedelta(i)},{X[i, 0]:.2f}" for i in range(100)]
MONTHS = [f"{datetime.date(2024, 4, 9) + datetime.timedelta(30 * i)},{i}" for i in range(1, 40)]
SERIES = {
    "doubled times": ([*DAYS, DAYS[5]], "--duplicates mean or --duplicates last"),
    "missing times": (DAYS[:30] + DAYS[35:], "5 times are missing: 2024-01-31"),
    "unsorted": (DAYS[60:] + DAYS[:60], "(line 42 goes back): they are sorted"),
    "two frequencies": (DAYS + MONTHS, "they have two frequencies: 1 day, but from 2024-04-09 on 30 times as far apart"),
    "a constant": ([f"{day.partition(',')[0]},5" for day in DAYS], "it is always 5 in the training part"),
    "words": ([f"{day.partition(',')[0]},low" for day in DAYS], "'low' is no number"),
}


def test_series(tmp_path):
    path = tmp_path / "series.csv"
    for name, (rows, words) in SERIES.items():
        path.write_text("\n".join(["t,v", *rows]) + "\n")
        config = Config(series.experiment.resolve(file=str(path), time="t", target="v", horizon=3))
        said = outcome(lambda config=config: description_lines(series.prepare(config), []))
        assert words in said, f"{name}:\n{said}"


def test_texts(tmp_path):
    words = ["good", "film", "nice", "dull", "plot"]
    texts = [" ".join(DRAW.choice(words, 6)) for _ in range(40)]
    cases = {
        "one class": ([(content, "good") for content in texts], "it is always 'good'"),
        "one class to learn from": ([*((content, "good") for content in texts), ("so dull", "bad")],
                                    "all texts to learn from have the class"),
        "gaps": ([("" if i % 3 else content, "gb"[i % 2]) for i, content in enumerate(texts)], "26 rows without a value in 'text'"),
    }
    for name, (rows, expected) in cases.items():
        path = tmp_path / "texts.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([("text", "mood"), *rows])
        said = outcome(lambda path=path: logged(text.experiment, file=str(path), text="text", target="mood"))
        assert expected in said, f"{name}:\n{said}"
