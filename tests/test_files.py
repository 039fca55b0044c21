"""Files of slopes' own: nothing is lost when writing fails, nothing is believed when reading."""

from __future__ import annotations

import errno
import json
import os
import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from slopes.errors import ArgumentError, DataError, SaveError
from slopes.files import (
    atomic,
    inside,
    jsonfile,
    load_json,
    load_metadata,
    load_safetensors,
    read_whole,
    replacing,
    save_json,
    save_safetensors,
    write_bytes,
)
from slopes.files.tensorfile import MOST_ARRAYS, MOST_HEADER, WRITTEN

official = pytest.importorskip("safetensors.numpy")


# Atomic writing


def test_a_written_file_has_its_contents_and_ordinary_permissions(tmp_path):
    write_bytes(tmp_path / "new", b"contents")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "new").read_bytes() == b"contents"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["new", "plain"]


@pytest.mark.parametrize("error", [ValueError("in the block"), KeyboardInterrupt()])
def test_an_error_while_writing_leaves_the_old_file_and_no_rest(tmp_path, error):
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), replacing(path) as file:
        file.write(b"half of the n")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("place", ["flush", "replace"])
def test_a_full_disk_loses_nothing_and_says_what_to_do(tmp_path, monkeypatch, place):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "kept"
    path.write_bytes(b"old")
    monkeypatch.setattr(*((atomic, "flush") if place == "flush" else (atomic.os, "replace")), full)
    with pytest.raises(SaveError) as caught:
        write_bytes(path, b"new")
    assert str(caught.value).splitlines()[:3] == [
        f"{path} could not be written: No space left on device",
        "  the previous file, if any, is unchanged",
        "  free space on the disk, or save to another one",
    ]
    assert "at test_files.py:" in str(caught.value)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["kept"]


def test_a_real_limit_of_the_system_loses_nothing(tmp_path):
    path = tmp_path / "kept.safetensors"
    save_safetensors(path, {"x": np.arange(3.0)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(SaveError, match="could not be written"):
            save_safetensors(path, {"x": np.zeros(1 << 20)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_safetensors(path)["x"].tolist() == [0, 1, 2] and os.listdir(tmp_path) == ["kept.safetensors"]


def test_a_folder_that_is_not_there_is_named_with_its_repair(tmp_path):
    with pytest.raises(SaveError, match=r"(?s)nowhere/x could not be written.*create the folder first"):
        write_bytes(tmp_path / "nowhere" / "x", b"")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaveError, match="could not be written"):
        write_bytes(tmp_path / "file" / "x", b"")


def test_a_folder_in_place_of_the_file_is_refused_and_left_clean(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SaveError, match="name a file in it"):
        write_bytes(tmp_path / "folder", b"")
    assert os.listdir(tmp_path) == ["folder"]


def test_an_unwritable_folder_is_named_with_its_repair(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)  # as the system would answer: these tests may run with every right
    with pytest.raises(SaveError, match=r"(?s)Permission denied.*choose a folder that you may write to"):
        write_bytes(tmp_path / "x", b"")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"


def test_the_longest_name_can_be_written(tmp_path):
    write_bytes(tmp_path / ("x" * 255), b"1")
    assert os.listdir(tmp_path) == ["x" * 255]


WRITER = """
import sys
from slopes.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_the_old_contents(tmp_path):
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    source = str(Path(atomic.__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": source}) as child:
        assert child.stdout.readline() == b"half\n"
        child.kill()
    assert path.read_bytes() == b"old"


# Reading in general


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError) as caught:
        load_safetensors(tmp_path / "none")
    assert str(caught.value).splitlines()[:2] == [f"{tmp_path / 'none'}: file: there is no such file",
                                                  "  check the path and the current directory"]


@pytest.mark.parametrize("name", [".", "/dev/zero"])
def test_folders_and_devices_are_not_read(tmp_path, name):
    with pytest.raises(DataError, match="a folder or a device"):
        read_whole(tmp_path / name, 100)


def test_a_pipe_does_not_hang_the_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a folder or a device"):
        read_whole(tmp_path / "pipe", 100)


def test_a_file_larger_than_it_may_be_is_not_read(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_whole(tmp_path / "x", 5) == b"12345"
    with pytest.raises(DataError, match="size: 5 bytes, more than the 4"):
        read_whole(tmp_path / "x", 4)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "link/x", ".", ""])
def test_no_name_leads_out_of_its_folder(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leads out of the folder"):
        inside(tmp_path / "run", name)


def test_names_in_the_folder_are_found(tmp_path):
    assert inside(tmp_path, "weights.safetensors") == os.path.join(os.path.realpath(tmp_path), "weights.safetensors")


# safetensors


def packed(header, data=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


X = b"\0" * 4
ENTRY = json.dumps(entry()).encode()
REFUSED = {
    "empty file": (b"", "header length: the file has 0 bytes"),
    "seven bytes": (b"\0" * 7, "header length: the file has 7 bytes"),
    "header longer than the file": (struct.pack("<Q", 10) + b"{}", "header length: 10, but 2 bytes follow"),
    "header of 2**64 - 1 bytes": (b"\xff" * 8 + b"{}", "header length: 18446744073709551615"),
    "not UTF-8": (packed(b'{"\xff":1}'), "header: it is not UTF-8"),
    "not JSON": (packed(b"{"), "header: it is not JSON"),
    "empty header": (packed(b""), "header: it is not JSON"),
    "two values": (packed(b"{}{}"), "header: it is not JSON"),
    "not an object": (packed([]), "header: it is a JSON list"),
    "a number": (packed(b"1"), "header: it is a JSON int"),
    "absurd nesting": (packed(b"[" * 100_000), "header: it is nested too deeply"),
    "absurd nesting of objects": (packed(b'{"a":' * 100_000), "header: it is nested too deeply"),
    "absurdly long number": (packed(b'{"a":' + b"1" * 5000 + b"}"), "header: a number has 5000 digits"),
    "NaN": (packed(b'{"a":NaN}'), "header: NaN is not a JSON number"),
    "names twice": (packed(b'{"a":%(e)s,"a":%(e)s}' % {b"e": ENTRY}, X), "the key 'a' occurs twice"),
    "fields twice": (packed(b'{"a":{"dtype":"F32","dtype":"F32"}}', X), "'dtype' occurs twice"),
    "entry is a list": (packed({"a": []}), "array 'a': its entry does not have exactly"),
    "missing field": (packed({"a": {"dtype": "F32", "shape": [1]}}, X), "array 'a': its entry does not have exactly"),
    "unknown field": (packed({"a": entry(stride=[1])}, X), "array 'a': its entry does not have exactly"),
    "unknown dtype": (packed({"a": entry("F31")}, X), "array 'a', dtype: 'F31' is unknown"),
    "dtype is a list": (packed({"a": entry(["F32"])}, X), r"array 'a', dtype: \['F32'\] is unknown"),
    "negative shape": (packed({"a": entry(shape=[-1])}, X), r"array 'a', shape: \[-1\] is not"),
    "boolean shape": (packed({"a": entry(shape=[True])}, X), r"array 'a', shape: \[True\] is not"),
    "float shape": (packed({"a": entry(shape=[1.0])}, X), r"array 'a', shape: \[1.0\] is not"),
    "shape is a number": (packed({"a": entry(shape=1)}, X), "array 'a', shape: 1 is not"),
    "too many axes": (packed({"a": entry(shape=[1] * 65)}, X), "array 'a', shape: .* is not"),
    "product overflow": (packed({"a": entry(shape=[2**32, 2**32])}, X), "does not fit into 64 bits"),
    "product wraps to the size": (packed({"a": entry(shape=[2**62 + 1])}, X), "does not fit into 64 bits"),
    "byte overflow": (packed({"a": entry("F64", [2**61])}, X), "does not fit into 64 bits"),
    "overflow hidden by zero": (packed({"a": entry(shape=[0, 2**64], offsets=[0, 0])}), "does not fit into 64 bits"),
    "offsets of three": (packed({"a": entry(offsets=[0, 4, 8])}, X), "data_offsets: .* are not two"),
    "offsets of floats": (packed({"a": entry(offsets=[0.0, 4.0])}, X), "data_offsets: .* are not two"),
    "offsets of booleans": (packed({"a": entry("U8", offsets=[False, True])}, b"1"), "data_offsets: .* are not two"),
    "negative offsets": (packed({"a": entry(offsets=[-4, 0])}, X), "data_offsets: .* are not two"),
    "reversed offsets": (packed({"a": entry(offsets=[4, 0])}, X), "data_offsets: .* hold -4 bytes"),
    "outside": (packed({"a": entry(offsets=[4, 8])}, X), "there is a hole: it begins at 4"),
    "beyond the end": (packed({"a": entry(shape=[1000], offsets=[0, 4000])}, X), "data: 4 bytes follow .* arrays take 4000"),
    "not matching the shape": (packed({"a": entry(shape=[2])}, X), "hold 4 bytes, but F32 of shape"),
    "overlap": (packed({"a": entry(), "b": entry(offsets=[2, 6])}, X + b"12"), "there is an overlap: it begins at 2"),
    "the same bytes twice": (packed({"a": entry(), "b": entry()}, X), "there is an overlap"),
    "hole": (packed({"a": entry(), "b": entry(offsets=[8, 12])}, X * 3), "there is a hole: it begins at 8"),
    "bytes after the end": (packed({"a": entry()}, X + b"1"), "data: 5 bytes follow the header"),
    "bytes without arrays": (packed({}, b"1"), "data: 1 bytes follow the header"),
    "metadata not text": (packed({"__metadata__": {"a": 1}}), "__metadata__: it is not an object"),
    "metadata a list": (packed({"__metadata__": ["a"]}), "__metadata__: it is not an object"),
    "truth value 2": (packed({"a": entry("BOOL", offsets=[0, 1])}, b"\2"), "a truth value is the byte 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_safetensors_are_refused_with_file_and_field(tmp_path, case):
    raw, text = REFUSED[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=text) as caught:
        load_safetensors(path)
    assert str(caught.value).startswith(f"{path}: ") and "fetch or write it again" in str(caught.value)


def test_a_header_beyond_the_limit_of_the_format_is_not_read(tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", MOST_HEADER + 1))
        file.truncate(MOST_HEADER + 100)
    with pytest.raises(DataError, match=f"header length: {MOST_HEADER + 1}"):
        load_safetensors(path)


LEGAL = {
    "no arrays": (packed(b"{}"), {}),
    "spaces after": (packed(b"{}      "), {}),
    "spaces and lines inside": (
        packed(b'{"a" :\n\t{ "shape" : [ 1] , "dtype":"F32", "data_offsets":[0, 4] }}\n', X), {"a": (1,)}),
    "0-d": (packed({"a": entry(shape=[])}, X), {"a": ()}),
    "empty array": (packed({"a": entry(shape=[0, 3], offsets=[0, 0]), "b": entry()}, X), {"a": (0, 3), "b": (1,)}),
    "empty array at the end": (packed({"b": entry(), "a": entry(shape=[0], offsets=[4, 4])}, X), {"a": (0,), "b": (1,)}),
    "order unlike the bytes'": (packed({"b": entry(offsets=[4, 8]), "a": entry()}, X * 2), {"a": (1,), "b": (1,)}),
    "escaped name": (packed(b'{"\\u00e4":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', X), {"ä": (1,)}),
    "empty name": (packed({"": entry()}, X), {"": (1,)}),
    "a name like json's marks": (packed({"$float": entry()}, X), {"$float": (1,)}),
    "metadata": (packed({"__metadata__": {"a": "b"}, "a": entry()}, X), {"a": (1,)}),
}


@pytest.mark.parametrize("case", LEGAL)
def test_legal_safetensors_load(tmp_path, case):
    raw, shapes = LEGAL[case]
    (tmp_path / "w").write_bytes(raw)
    found = load_safetensors(tmp_path / "w")
    assert {name: array.shape for name, array in found.items()} == shapes
    assert all(array.flags.writeable and array.flags.aligned for array in found.values())


EVERY_KIND = {str(dtype): np.arange(6).astype(dtype).reshape(2, 3) for dtype in WRITTEN}


def test_every_type_survives(tmp_path):
    save_safetensors(tmp_path / "w", EVERY_KIND, {"b": "2", "a": "1"})
    ours = load_safetensors(tmp_path / "w")
    assert load_metadata(tmp_path / "w") == {"a": "1", "b": "2"}
    for name, array in EVERY_KIND.items():
        assert ours[name].dtype == array.dtype and np.array_equal(ours[name], array)


def test_the_official_library_reads_ours_and_we_read_its(tmp_path):
    arrays = {name: array for name, array in EVERY_KIND.items() if name != "complex64"}
    save_safetensors(tmp_path / "ours", arrays)
    official.save_file(arrays, tmp_path / "theirs", {"made": "there"})
    for found in (official.load_file(tmp_path / "ours"), load_safetensors(tmp_path / "theirs")):
        assert set(found) == set(arrays) and all(np.array_equal(found[name], arrays[name]) for name in arrays)


some_names = st.text(max_size=8).filter(lambda name: name != "__metadata__")
some_shapes = arrays_of.array_shapes(min_dims=0, min_side=0, max_side=3)
some_arrays = arrays_of.arrays(st.sampled_from(["f4", "f8", "i8", "?", "u1", ">f4"]), some_shapes)


@given(st.dictionaries(some_names, some_arrays, max_size=4))
@settings(max_examples=40, deadline=None)
def test_whatever_is_saved_comes_back(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("w") / "w"
    save_safetensors(path, arrays)
    found = load_safetensors(path)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].shape == array.shape and found[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()


def test_equal_contents_give_equal_bytes(tmp_path):
    arrays = {"b": np.ones(3, np.float32), "a": np.zeros((2, 2)), "c": np.ones(1, np.uint8)}
    save_safetensors(tmp_path / "1", arrays, {"x": "1", "y": "2"})
    save_safetensors(tmp_path / "2", dict(reversed(arrays.items())), {"y": "2", "x": "1"})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_views_and_strides_are_written_as_they_read(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {"t": base.T, "step": base[::-2, ::3], "wide": np.broadcast_to(np.float32(3), (2, 2)), "scalar": np.float64(2.5)}
    save_safetensors(tmp_path / "w", views)
    found = load_safetensors(tmp_path / "w")
    assert all(np.array_equal(found[name], view) for name, view in views.items())


def test_bfloat16_comes_as_the_same_float32(tmp_path):
    values = np.array([1.0, -2.5, np.inf, 3.0e38], np.float32)
    raw = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "w").write_bytes(packed({"a": entry("BF16", [4], [0, 8])}, raw))
    found = load_safetensors(tmp_path / "w")["a"]
    assert found.dtype == np.float32 and np.allclose(found, values, rtol=2**-7)


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.zeros(2, np.complex128), np.zeros(2, "f4,i4")])
def test_arrays_that_safetensors_cannot_hold_are_refused_before_writing(tmp_path, array):
    with pytest.raises(ArgumentError, match=r"array 'w' has dtype .* which safetensors does not support"):
        save_safetensors(tmp_path / "w", {"w": array})
    assert os.listdir(tmp_path) == []


def test_names_and_metadata_that_are_no_text_are_refused(tmp_path):
    for arrays, metadata in (({"__metadata__": np.ones(1)}, {}), ({3: np.ones(1)}, {}), ({}, {"a": 1})):
        with pytest.raises(ArgumentError):
            save_safetensors(tmp_path / "w", arrays, metadata)


TWO = {"__metadata__": {"a": "b"}, "a": entry(shape=[2, 1], offsets=[0, 8]), "b": entry("BOOL", [], [8, 9])}
VALID = packed(TWO, X * 2 + b"\1")


@given(place=st.integers(0, len(VALID) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(VALID)), do_cut=st.booleans())
@settings(max_examples=400, deadline=None)
def test_damaged_safetensors_never_crash(tmp_path_factory, place, byte, cut, do_cut):
    raw = bytearray(VALID)
    raw[place] = byte
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes(raw[:cut] if do_cut else raw)
    try:
        found = load_safetensors(path)
    except DataError:
        return
    assert sum(array.nbytes for array in found.values()) <= 2 * len(VALID)


# JSON


def test_json_survives_with_numpy_numbers_and_infinities(tmp_path):
    path = tmp_path / "h.json"
    content = {"a": np.float32(0.5), "b": [np.int64(3), True, None, "ä"], "c": np.arange(3), "d": {"e": float("-inf")},
               "f": Path("x")}
    save_json(path, content, schema="test.s", version=2)
    assert load_json(path, "test.s", 3) == {"schema": "test.s", "version": 2, "a": 0.5, "b": [3, True, None, "ä"], "c": [0, 1, 2],
                                            "d": {"e": float("-inf")}, "f": "x"}
    assert "ä" in path.read_text(encoding="utf-8") and "Infinity" not in path.read_text(encoding="utf-8")


JSON_REFUSED = {
    b"": "contents: it is not JSON",
    b"[]": "contents: it is a JSON list",
    b"\xff": "contents: it is not UTF-8",
    b"[" * 100_000: "contents: it is nested too deeply",
    b"{}": "schema: None instead of 'test.s'",
    b'{"schema":"other","version":1}': "schema: 'other' instead of 'test.s'",
    b'{"schema":"test.s"}': "version: None is not a schema version",
    b'{"schema":"test.s","version":true}': "version: True is not a schema version",
    b'{"schema":"test.s","version":0}': "version: 0 is not a schema version",
    b'{"schema":"test.s","version":1,"a":1,"a":2}': "the key 'a' occurs twice",
    b'{"schema":"test.s","version":1,"a":Infinity}': "Infinity is not a JSON number",
    b'{"schema":"test.s","version":1,"a":{"$float":"x"}}': "is 'x', not nan, inf or -inf",
    b'{"schema":"test.s","version":1,"a":{"$float":[1]}}': "not nan, inf or -inf",
    b'{"schema":"test.s","version":1': "contents: it is not JSON",
}


@pytest.mark.parametrize("raw", JSON_REFUSED, ids=[text[-30:] for text in JSON_REFUSED.values()])
def test_json_is_refused_with_file_and_field(tmp_path, raw):
    path = tmp_path / "h.json"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        load_json(path, "test.s")
    assert str(caught.value).startswith(f"{path}: ") and JSON_REFUSED[raw] in str(caught.value)


def test_a_newer_schema_version_says_to_upgrade(tmp_path):
    save_json(tmp_path / "h", {}, "test.s", 3)
    with pytest.raises(DataError) as caught:
        load_json(tmp_path / "h", "test.s", 2)
    assert str(caught.value).splitlines()[:2] == [
        f"{tmp_path / 'h'}: version: written with the newer schema version 3; this slopes reads up to 2",
        "  upgrade slopes: pip install --upgrade slopes",
    ]


def test_json_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    save_json(tmp_path / "h", {"a": "x" * 100}, "test.s")
    monkeypatch.setattr(jsonfile, "MOST_JSON", 100)
    with pytest.raises(DataError, match=r"size: .* more than the 100"):
        load_json(tmp_path / "h", "test.s")


NOT_JSON = [{"a": object()}, {1: 2}, {"a": {"$float": 1}}, {"schema": 1}, {"a": 1j}, {"a": np.array(["x"])}]


@pytest.mark.parametrize("content", NOT_JSON)
def test_what_json_cannot_hold_is_refused_before_writing(tmp_path, content):
    with pytest.raises(ArgumentError):
        save_json(tmp_path / "h", content, "test.s")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("raw, text", [
    (b'{"schema":"test.s","version":1,"a":1e999999}', "1e999999 does not fit a float"),
    (b'{"schema":"test.s","version":1,"a":-1.5e400}', "-1.5e400 does not fit a float"),
    (b'{"schema":"test.s","version":1,"a":' + b"1" * 400 + b"}", "a number has 400 digits"),
    (b'{"schema":"test.s","version":1,"a":' + b"1" * 100_000 + b"}", "a number has 100000 digits"),
    (b'{"schema":"test.s","version":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
])
def test_numbers_and_nests_that_are_too_much_are_refused(tmp_path, raw, text):
    path = tmp_path / "x"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=text):
        load_json(path, "test.s")


def test_a_header_of_many_arrays_is_refused_and_one_of_some_thousands_is_read(tmp_path):
    path = tmp_path / "x"
    save_safetensors(path, {f"layer {number}": np.zeros(1, np.uint8) for number in range(2000)})
    assert len(load_safetensors(path)) == 2000
    for count, name in [(MOST_ARRAYS + 1, "t{}"), (70_000, "{{{}")]:
        header = json.dumps({name.format(number): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for number in range(count)})
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header.encode())
        with pytest.raises(DataError, match=f"header: more than {MOST_ARRAYS} arrays|header length"):
            load_safetensors(path)
