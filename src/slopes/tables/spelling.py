"""How a CSV file is spelled: its encoding, its delimiter, its decimal and thousands marks, and the words for missing values."""

from __future__ import annotations

import codecs
import contextlib
import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from ..errors import ArgumentError, DataError
from ..files.csvfile import MISSING
from ..files.reading import Path, reading, refused, unpacked

SAMPLE, SAMPLE_RECORDS = 2**20, 1000  # bytes, and records of them, from which encoding and delimiter are detected
DELIMITERS = ",;\t|"
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
         codecs.BOM_UTF16_BE: "utf-16"}  # UTF-32 before UTF-16: its little-endian mark begins like that of UTF-16
NAMES = {"\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a bar", " ": "a space"}
DECIMALS, THOUSANDS = (".", ","), ("", ",", ".", "'", " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}")


@dataclass(frozen=True)
class Spelling:
    """The spelling of a file. `encoding` and `delimiter` are "" until they are detected.

    encoding    a codec of Python, such as "utf-8" or "cp1252"
    delimiter   the character between two fields
    decimal     "." or ","
    thousands   the mark between groups of three digits, "" for none
    missing     the words that mark a missing value
    header      whether the first record holds the names of the columns
    """

    encoding: str = ""
    delimiter: str = ""
    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] = MISSING
    header: bool = True

    def __post_init__(self) -> None:
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\r", "\n"):
            raise ArgumentError(f"delimiter={self.delimiter!r}", why="a delimiter is one character, not a quote or a line end",
                                repair="delimiter=';' or '\\t', for example")
        if self.decimal not in DECIMALS or self.thousands not in THOUSANDS or self.decimal == self.thousands:
            raise ArgumentError(f"decimal={self.decimal!r}, thousands={self.thousands!r}",
                                why="the decimal mark is '.' or ','; the thousands mark is another one, a space, an apostrophe or none",
                                repair="decimal=',' and thousands='.' for 1.234,50")
        if self.encoding:
            check_encoding(self.encoding)

    def fields(self) -> dict[str, Any]:
        """The spelling as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Spelling:
        """The spelling that `fields()` described."""
        return cls(**{**fields, "missing": tuple(fields["missing"])})


SHEET = "save the sheet as CSV in UTF-8; or read it with pandas, whose data frames are taken from Python"
FRAME = "convert it: pandas reads it, and its data frames are taken from Python"
OTHER_KINDS = (  # how files begin, in small letters and without spaces
    (b"pk\x03\x04", "a ZIP archive, as Excel workbooks (.xlsx) and sheets of LibreOffice (.ods) are", SHEET),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", SHEET), (b"%pdf-", "a PDF document", "export the table as CSV"),
    (b"sqliteformat3", "an SQLite database", FRAME), (b"\x89hdf", "an HDF5 file", FRAME),
    (b"\x89png", "a picture", "slopes train images takes folders of pictures"),
    (b"\xff\xd8\xff", "a picture", "slopes train images takes folders of pictures"),
    (b"<!doctypehtml", "a web page", "download the file itself"), (b"<html", "a web page", "download the file itself"),
    (b"[{", "JSON", FRAME), (b'{"', "JSON", FRAME))
OPEN = Spelling()  # nothing is known yet


def check_encoding(name: str) -> None:
    """ArgumentError for an encoding that Python does not know."""
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ArgumentError(f"encoding={name!r}", why="Python knows no encoding of this name",
                            repair="use utf-8, cp1252 (Windows, Western Europe), latin-1, utf-16 or shift_jis, for example") from error


def detect(path: Path, spelling: Spelling, notes: list[str]) -> Spelling:
    """The spelling with encoding and delimiter, as far as they were open, detected; notes say what was assumed.

    An encoding is recognized by a byte-order mark; a file without one is UTF-8 if it decodes as such, else Windows-1252. The
    delimiter is the one of `, ; tab |` that splits most records into equally many fields. Raises DataError for an empty file, one
    that is no text or of another kind (a workbook, a web page, JSON ...), and one that no delimiter splits.
    """
    raw = read_sample(path)
    check_beginning(raw, path)
    encoding = spelling.encoding or detect_encoding(raw, path, notes)
    text = decode(raw, encoding, path)
    delimiter = spelling.delimiter or detect_delimiter(text, path, notes)
    return replace(spelling, encoding=encoding, delimiter=delimiter)


def read_sample(path: Path) -> bytes:
    """The first bytes of the uncompressed file."""
    with unpacked(path) as source, reading(path):
        raw = source.stream.read(SAMPLE)
    if not raw.strip():
        raise refused(path, "contents", "the file is empty", "a table has a line of column names and rows below it",
                      "name a CSV file with rows")
    return raw


def check_beginning(raw: bytes, path: Path) -> None:
    """Refuse files of other kinds, which their first bytes show."""
    start = b"".join(raw[:64].lower().split())
    for beginning, kind, repair in OTHER_KINDS:
        if start.startswith(beginning):
            raise refused(path, "contents", f"it is no CSV file, but {kind}", f"it begins with {raw[:8]!r}", repair)


def detect_encoding(raw: bytes, path: Path, notes: list[str]) -> str:
    """The encoding, by its mark, else by whether the sample decodes."""
    for mark, name in MARKS.items():
        if raw.startswith(mark):
            return name
    if b"\0" in raw:
        raise refused(path, "contents", "it holds zero bytes", "this is no text in UTF-8 or a Windows encoding",
                      "save it as CSV in UTF-8, or name its encoding: --encoding utf-16-le")
    if decodes(raw, "utf-8"):
        return "utf-8"
    if decodes(raw, "cp1252"):
        notes.append("the file is not UTF-8: it is read as cp1252 (Windows, Western Europe); another encoding is named by --encoding")
        return "cp1252"
    raise refused(path, "contents", "it is neither UTF-8 nor Windows-1252 text", "some bytes have no meaning in either",
                  "name its encoding: --encoding latin-1, or shift_jis, for example; or save it as UTF-8")


def decodes(raw: bytes, encoding: str) -> bool:
    """Whether the bytes are text in this encoding; a character that the end of the sample cuts does not count."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(raw, final=len(raw) < SAMPLE)
    except UnicodeDecodeError:
        return False
    return True


def decode(raw: bytes, encoding: str, path: Path) -> str:
    """The text of the sample."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw, final=len(raw) < SAMPLE)
    except UnicodeError as error:
        raise not_in_encoding(path, encoding, error) from error


def not_in_encoding(path: Path, encoding: str, error: UnicodeError) -> DataError:
    """The error for bytes that the encoding does not have."""
    seen = f" (bytes {error.object[error.start:error.start + 4]!r})" if isinstance(error, UnicodeDecodeError) else ""
    return refused(path, "contents", f"it is not text in {encoding}{seen}", "the encoding was detected at the beginning, or named",
                   "name the encoding: --encoding cp1252, latin-1, utf-16, for example; or save the file as UTF-8")


def detect_delimiter(text: str, path: Path, notes: list[str]) -> str:
    """The delimiter that splits most records into equally many fields, at least two; of equals the one that gives most fields."""
    scores = {delimiter: consistency(text, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best][0] == 0:
        if not text.strip("\r\n").count("\n"):
            raise refused(path, "line 1", "it is one line, which no delimiter splits", "a table has names of columns, and rows",
                          "name a CSV file; another delimiter than comma, semicolon, tab and bar is named by --delimiter")
        raise refused(path, "line 1", f"there is one column, {text.splitlines()[0]!r:.60}",
                      "no comma, semicolon, tab or bar splits its lines, and one column leaves nothing to predict from",
                      "another delimiter is named by --delimiter")
    if best != ",":
        notes.append(f"fields are separated by {NAMES[best]}")
    return best


def consistency(text: str, delimiter: str) -> tuple[float, int]:
    """(share of the sample's records that have the most frequent number of fields, that number); (0, 1) where it is one."""
    lengths = Counter(len(fields) for fields in sample_records(text, delimiter) if fields)
    if not lengths:
        return 0.0, 1
    width, count = max(lengths.items(), key=lambda pair: (pair[1], pair[0]))
    return (count / lengths.total(), width) if width > 1 else (0.0, 1)


def sample_records(text: str, delimiter: str) -> Sequence[list[str]]:
    """The records of the sample, without the last one, which its end may cut, and up to one that cannot be split."""
    lines = text.splitlines(keepends=True)
    records: list[list[str]] = []
    reader = csv.reader(lines[:-1] if len(lines) > 2 and len(text) >= SAMPLE // 4 else lines, delimiter=delimiter, skipinitialspace=True)
    with contextlib.suppress(csv.Error):
        records.extend(islice(reader, SAMPLE_RECORDS))
    return records


def spelling_of(delimiter: str | None = None, encoding: str | None = None, decimal: str = ".", thousands: str = "",
                missing: Sequence[str] | None = None, header: bool = True) -> Spelling:
    """The spelling with what a user says of it; further words for missing values are added to the usual ones."""
    if isinstance(missing, (str, os.PathLike)):
        raise ArgumentError(f"missing={missing!r}", why="it is a list of words", repair=f"missing=[{missing!r}]")
    return Spelling(encoding or "", delimiter or "", decimal, thousands, (*MISSING, *(missing or ())), header)
