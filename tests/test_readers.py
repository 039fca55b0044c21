"""Readers of other people's files: well-formed ones load, damaged and hostile ones are a DataError that names file and field."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import struct
import sys
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slopes import extras
from slopes.data import load_idx, load_image, load_npy, load_npz
from slopes.data.transforms.tokens import words
from slopes.errors import ArgumentError, DataError, MissingExtraError
from slopes.files.images import resize
from slopes.files.npywriter import save_npy, save_npz
from slopes.files.reading import unpack_limit
from slopes.text import load_vectors

Image = pytest.importorskip("PIL.Image")


def refusal(read, path, **options):
    """The text of the DataError, which must begin with the file's name."""
    with pytest.raises(DataError) as caught:
        read(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "at test_readers.py:" in text, text
    return text


def written(folder, raw, name="file"):
    path = folder / name
    path.write_bytes(raw)
    return path


def survives(read, path, raw, most):
    """Read a damaged file: an array or a DataError, and not much more memory than `most`, whatever the file claims."""
    path.write_bytes(raw)
    tracemalloc.start()
    try:
        read(path)
    except DataError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < most


damages = given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000), do_cut=st.booleans())
few = settings(max_examples=150, deadline=None)


def damaged(raw, place, byte, cut, do_cut):
    made = bytearray(raw)
    made[place % len(made)] = byte
    return bytes(made[: cut % len(made)] if do_cut else made)


# IDX


def idx(array, code=8):
    return struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("code, dtype", [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
@pytest.mark.parametrize("shape", [(2, 3, 4), (24,), (), (0,), (3, 0)])
def test_idx_of_every_type_and_shape_loads(tmp_path, pack, code, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    found = load_idx(written(tmp_path, pack(idx(array, code))))
    assert found.shape == shape and np.array_equal(found, array)
    assert found.dtype == np.dtype(dtype).newbyteorder("=") and found.flags.writeable


IDX_REFUSED = {
    "empty": (b"", "magic: the file ends after 0 of its 4 bytes"),
    "text": (b"hello there", "magic: the first two bytes are 0x6865, not 0"),
    "type code": (b"\0\0\x0a\1" + b"\0" * 8, "type code: 0x0a is unknown"),
    "sizes past the end": (b"\0\0\x08\3\0\0\0\1", "sizes: the file ends after 4 of its 12 bytes"),
    "too many axes": (b"\0\0\x08\xff" + b"\0" * 1020, "number of axes: 255, more than 64"),
    "overflow": (b"\0\0\x08\3" + b"\xff" * 12, "does not fit into 64 bits"),
    "overflow behind a zero": (b"\0\0\x08\4" + b"\0" * 4 + b"\xff" * 12, "does not fit into 64 bits"),
    "short": (idx(SMALL)[:-1], "sizes: they claim 24 bytes of data, but 23 follow the header"),
    "long": (idx(SMALL) + b"1", "sizes: they claim 24 bytes of data, but 25 follow the header"),
    "claims 4 GB": (b"\0\0\x08\1\xff\xff\xff\xff", "they claim 4294967295 bytes of data, but 0 follow"),
    "gzip short": (gzip.compress(idx(SMALL)[:-1]), "data: 23 bytes instead of the 24 that the header claims"),
    "gzip long": (gzip.compress(idx(SMALL) + b"1"), "data: more than the 24 bytes that the header claims"),
    "gzip claims 4 GB": (gzip.compress(b"\0\0\x08\1\xff\xff\xff\xff"), "this file may unpack to"),
    "gzip cut": (gzip.compress(idx(SMALL))[:-9], "damaged or truncated"),
    "gzip without its checksum": (gzip.compress(idx(SMALL))[:-8], "damaged or truncated"),
    "gzip of nothing": (gzip.compress(b""), "magic: the file ends after 0"),
    "gzip header only": (b"\x1f\x8b", "damaged or truncated"),
    "gzip with another method": (b"\x1f\x8b\x07" + gzip.compress(idx(SMALL))[3:], "gzip stream is damaged"),
    "gzip followed by something": (gzip.compress(idx(SMALL)) + b"more", "gzip stream is damaged"),
}


@pytest.mark.parametrize("case", IDX_REFUSED)
def test_idx_is_refused_with_file_and_field(tmp_path, case):
    raw, text = IDX_REFUSED[case]
    assert text in refusal(load_idx, written(tmp_path, raw))


def test_a_wrong_gzip_checksum_is_refused(tmp_path):
    raw = bytearray(gzip.compress(idx(SMALL)))
    raw[-8] ^= 1
    assert "gzip stream is damaged (CRC check failed" in refusal(load_idx, written(tmp_path, raw))


def test_a_damaged_data_file_says_what_why_repair_and_where(tmp_path):
    path = written(tmp_path, b"\x89PNG....", "train-images-idx3-ubyte")
    assert refusal(load_idx, path).rsplit(":", 1)[0].splitlines() == [
        f"{path}: magic: the first two bytes are 0x8950, not 0",
        "  every IDX file begins with two",
        "  the file is damaged or of another kind: fetch or write it again, or name another file",
        "  at test_readers.py",
    ]


def test_a_gzip_bomb_is_read_no_further_than_its_claim(tmp_path):
    path = written(tmp_path, gzip.compress(idx(SMALL) + bytes(200_000_000), 9))
    tracemalloc.start()
    assert "more than the 24 bytes" in refusal(load_idx, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_bomb_that_tells_the_truth_is_stopped_by_the_limit(tmp_path):
    path = written(tmp_path, gzip.compress(idx(np.zeros(3_000_000, np.uint8))))
    assert load_idx(path).shape == (3_000_000,)
    assert "this file may unpack to 1000000" in refusal(load_idx, path, limit=1_000_000)


def test_a_huge_claim_allocates_only_what_is_there(tmp_path):
    raw = gzip.compress(struct.pack(">HBBI", 0, 8, 1, 900_000_000) + bytes(2_000_000), 0)
    path = written(tmp_path, raw)
    tracemalloc.start()
    assert "data: 2000000 bytes instead of the 900000000" in refusal(load_idx, path, limit=2**32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@damages
@few
def test_damaged_idx_never_crashes(tmp_path_factory, place, byte, cut, do_cut):
    survives(load_idx, tmp_path_factory.getbasetemp() / "f", damaged(idx(SMALL), place, byte, cut, do_cut), 3_000_000)


@damages
@few
def test_damaged_gzip_never_crashes(tmp_path_factory, place, byte, cut, do_cut):
    raw = gzip.compress(idx(np.arange(4000).astype(">i4"), 12))
    survives(load_idx, tmp_path_factory.getbasetemp() / "f", damaged(raw, place, byte, cut, do_cut), 5_000_000)


@given(st.binary(max_size=200))
@few
def test_no_bytes_at_all_crash_a_reader(tmp_path_factory, raw):
    for read, magic in ((load_idx, b"\0\0\x08\2"), (load_npy, b"\x93NUMPY\1\0"), (load_npz, b"PK\3\4"), (load_image, b"P5 "),
                        (load_image, b"\x89PNG\r\n\x1a\n"), (load_image, b"\xff\xd8\xff")):
        survives(read, tmp_path_factory.getbasetemp() / "f", magic + raw, 5_000_000)


# npy and npz


def npy(header, data=b"", version=(1, 0), length=None):
    raw = header if isinstance(header, bytes) else header.encode("latin-1")
    size = len(raw) if length is None else length
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", size) + raw + data


def claim(descr="'<f4'", order="False", shape="(1,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


X = bytes(4)
ARRAYS = {
    "0-d": np.float32(3), "empty": np.zeros((0, 3)), "big-endian": np.arange(4, dtype=">i4"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "bool": np.array([True, False]), "half": np.ones(3, np.float16),
    "complex": np.ones((2, 2), np.complex128), "uint64": np.array([2**64 - 1], np.uint64),
    "empty fortran": np.asfortranarray(np.zeros((3, 0, 2))), "bytes": np.arange(256, dtype=np.uint8),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_npy_that_numpy_wrote_loads(tmp_path, case):
    np.save(tmp_path / "x.npy", ARRAYS[case])
    found = load_npy(tmp_path / "x.npy")
    assert found.shape == np.shape(ARRAYS[case]) and np.array_equal(found, ARRAYS[case])
    assert found.dtype == ARRAYS[case].dtype.newbyteorder("=") and found.flags.writeable
    assert found.flags.f_contiguous == np.load(tmp_path / "x.npy").flags.f_contiguous


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_loads(tmp_path, version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.arange(3), version=version)
    assert load_npy(written(tmp_path, buffer.getvalue())).tolist() == [0, 1, 2]


@pytest.mark.parametrize("header", [
    "{'shape':(1,),'fortran_order':False,'descr':'<f4'}",
    '{"descr" : "<f4",\n "fortran_order" : True ,\t"shape" : (  1 , )  }   ',
    "  " + claim() + "\n", claim(shape="(1L,)"), claim("'f4'"), claim("'=f4'"), claim(shape="()"), claim("'|b1'", shape="(2, 2)"),
])
def test_unusual_but_legal_headers_load(tmp_path, header):
    assert load_npy(written(tmp_path, npy(header, X))).size in (1, 4)


NPY_REFUSED = {
    "empty": (b"", "magic: the file does not begin with"),
    "text": (b"hello world", "magic: the file does not begin with"),
    "pickle": (pickle.dumps([1, 2]), "magic: the file does not begin with"),
    "version 4": (npy(claim(), X, (4, 0)), "version: (4, 0) is unknown"),
    "no version": (b"\x93NUMPY\1", "version: the file ends after 1 of its 2 bytes"),
    "no length": (b"\x93NUMPY\1\0\1", "header length: the file ends after 1 of its 2 bytes"),
    "header past the end": (npy(claim(), length=9999), "header length: 9999, but at most"),
    "header of 4 GB": (npy(claim(), X, (2, 0), 2**32 - 1), "header length: 4294967295, but at most"),
    "long header": (npy(claim() + " " * 70_000, X, (2, 0)), "header length: 70057, but at most 65535"),
    "a call": (npy("__import__('os').system('true')", X), "header: it is not a literal dict"),
    "a call in a field": (npy(claim(shape="(len('a'),)"), X), "header: it is not a literal dict"),
    "an operation": (npy(claim(shape="(2**2,)"), X), "header: it is not a literal dict"),
    "a difference": (npy(claim(shape="(2-1,)"), X), "header: it is not a literal dict"),
    "a comprehension": (npy("{a:a for a in 'xyz'}", X), "header: it is not a literal dict"),
    "unpacking": (npy("{**{}}", X), "header: it is not a literal dict"),
    "deep nesting": (npy("(" * 60_000, X), "header: it is not a literal dict"),
    "deep closed nesting": (npy("[" * 30_000 + "]" * 30_000, X), "header: it is not a literal dict"),
    "a list": (npy("[1, 2]", X), "header: it is not a literal dict"),
    "nothing": (npy("", X), "header: it is not a literal dict"),
    "zero bytes": (npy("\0" * 20, X), "header: it is not a literal dict"),
    "a list as key": (npy("{[1]: 2}", X), "header: its fields are"),
    "field missing": (npy("{'descr': '<f4', 'shape': (1,)}", X), "header: its fields are ['descr', 'shape']"),
    "field more": (npy(claim()[:-1] + "'x': 1}", X), "header: its fields are"),
    "field twice": (npy(claim()[:-1] + "'shape': (2,)}", X), "header: its fields are"),
    "objects": (npy(claim("'|O'"), X), "descr: '|O' is not a numeric dtype"),
    "text array": (npy(claim("'<U1'"), X), "descr: '<U1' is not a numeric dtype"),
    "records": (npy(claim("[('a', '<f4')]"), X), "descr: [('a', '<f4')] is not a numeric dtype"),
    "subarray": (npy(claim("'2f4'"), X * 2), "descr: '2f4' is not a numeric dtype"),
    "several types": (npy(claim("'f4,f4'"), X * 2), "descr: 'f4,f4' is not a numeric dtype"),
    "dates": (npy(claim("'<M8[s]'"), X * 2), "descr: '<M8[s]' is not a numeric dtype"),
    "order is a number": (npy(claim(order="0"), X), "fortran_order: 0 is neither True nor False"),
    "negative shape": (npy(claim(shape="(-1,)"), X), "shape: (-1,) is not a tuple"),
    "boolean shape": (npy(claim(shape="(True,)"), X), "shape: (True,) is not a tuple"),
    "list shape": (npy(claim(shape="[1]"), X), "shape: [1] is not a tuple"),
    "number shape": (npy(claim(shape="(1)"), X), "shape: 1 is not a tuple"),
    "too many axes": (npy(claim(shape="(" + "1," * 65 + ")"), X), "shape: "),
    "overflowing shape": (npy(claim(shape="(4294967296, 4294967296)"), X), "does not fit into 64 bits"),
    "overflow behind a zero": (npy(claim(shape="(0, 99999999999999999999)"), b""), "does not fit into 64 bits"),
    "claim of a terabyte": (npy(claim(shape="(250000000000,)"), X), "takes 1000000000000 bytes, but 4 follow the header"),
    "short": (npy(claim(shape="(2,)"), X), "takes 8 bytes, but 4 follow the header"),
    "long": (npy(claim(), X + b"1"), "takes 4 bytes, but 5 follow the header"),
    "truth value 2": (npy(claim("'|b1'"), b"\2"), "a truth value is the byte 2"),
}


@pytest.mark.parametrize("case", NPY_REFUSED)
def test_npy_is_refused_with_file_and_field(tmp_path, case):
    raw, text = NPY_REFUSED[case]
    assert text in refusal(load_npy, written(tmp_path, raw))


@pytest.mark.parametrize("case", ["objects", "a call", "claim of a terabyte", "negative shape", "short", "long"])
def test_npy_in_npz_is_refused_alike(tmp_path, case):
    raw, text = NPY_REFUSED[case]
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", raw)
    found = refusal(load_npz, tmp_path / "x.npz")
    assert text in found and "member 'a.npy', " in found


class Hostile:
    def __reduce__(self):
        return sys.exit, ("code in a file has run",)


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([Hostile()], object), allow_pickle=True)
    assert "reading objects would run code" in refusal(load_npy, tmp_path / "x.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_that_numpy_wrote_loads(tmp_path, save):
    arrays = {name.replace(" ", "_"): array for name, array in ARRAYS.items()}
    save(tmp_path / "x.npz", **arrays)
    found = load_npz(tmp_path / "x.npz")
    assert set(found) == set(arrays) and all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_an_npz_without_arrays_loads(tmp_path):
    np.savez(tmp_path / "x.npz")
    assert load_npz(tmp_path / "x.npz") == {}


def test_a_large_and_truly_repetitive_npz_loads(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(5_000_000, np.uint8))
    assert load_npz(tmp_path / "x.npz")["x"].shape == (5_000_000,)


def archive_of(*members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, raw in members:
            archive.writestr(name, raw)
    return bytearray(buffer.getvalue())


GOOD = npy(claim(shape="(2, 3)"), bytes(range(24)))


def patched(raw, local, central, value):
    """The archive of one member with fields of its local and its central header replaced (offsets as in the zip format)."""
    start = raw.index(b"PK\1\2")
    for place in ([local] if local is not None else []) + [start + central]:
        raw[place : place + len(value)] = value
    return raw


def twice_named():
    raw = archive_of(("a.npy", GOOD), ("b.npy", GOOD))
    return raw.replace(b"b.npy", b"a.npy")


def overlapping():
    raw = archive_of(("a.npy", bytes(300)), method=zipfile.ZIP_STORED)
    start, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    entry = bytes(raw[start:end])
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % letter) for letter in b"abcd")
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, len(entries), start, 0)
    return bytes(raw[:start]) + entries + tail


def smaller():
    raw = patched(archive_of(("a.npy", GOOD)), 22, 24, bytes([len(GOOD) - 1, 0, 0, 0]))
    return patched(raw, 14, 16, struct.pack("<I", zlib.crc32(GOOD[:-1])))


NPZ_REFUSED = {
    "not a zip": (b"hello", "zip directory: the zip archive is damaged"),
    "empty": (b"", "zip directory: the zip archive is damaged"),
    "cut": (archive_of(("a.npy", GOOD))[:-10], "zip directory: the zip archive is damaged"),
    "encrypted": (patched(archive_of(("a.npy", GOOD)), 6, 8, b"\1\0"), "member 'a.npy': it is encrypted"),
    "unknown method": (patched(archive_of(("a.npy", GOOD)), 8, 10, b"\x63\0"), "member 'a.npy': it is packed by method 99"),
    "bzip2": (archive_of(("a.npy", GOOD), method=zipfile.ZIP_BZIP2), "member 'a.npy': it is packed by method 12"),
    "wrong checksum": (patched(archive_of(("a.npy", GOOD)), 14, 16, b"\1\2\3\4"), "Bad CRC-32"),
    "larger than its packing": (patched(archive_of(("a.npy", GOOD)), 22, 24, b"\xff\xff\xff\x7f"), "claims 2147483647 bytes"),
    "stored with two sizes": (patched(archive_of(("a.npy", GOOD), method=zipfile.ZIP_STORED), 22, 24, b"\xff\0\0\0"),
                              "claims 255 bytes"),
    "smaller than it is": (patched(archive_of(("a.npy", GOOD)), 22, 24, bytes([len(GOOD) - 1, 0, 0, 0])), "Bad CRC-32"),
    "smaller with a checksum that fits": (smaller(), "takes 24 bytes, but 23 follow the header"),
    "no array": (archive_of(("readme.txt", b"hello")), "member 'readme.txt': it is not an npy file"),
    "names twice": (twice_named(), "the member 'a.npy' occurs twice"),
    "overlapping members": (overlapping(), "the members are larger than the file: they overlap"),
}


@pytest.mark.parametrize("case", NPZ_REFUSED)
def test_npz_is_refused_with_file_and_field(tmp_path, case):
    raw, text = NPZ_REFUSED[case]
    assert text in refusal(load_npz, written(tmp_path, raw))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    raw = archive_of(*((f"{i}.npy", npy(claim("'|u1'", shape="(4000000,)"), bytes(4_000_000))) for i in range(4)))
    path = written(tmp_path, raw)
    assert "the members unpack to 16000" in refusal(load_npz, path, limit=10_000_000)
    assert len(load_npz(path)) == 4


def test_member_names_are_never_paths(tmp_path):
    path = written(tmp_path, archive_of(("../../evil.npy", GOOD), ("/abs.npy", GOOD)))
    assert set(load_npz(path)) == {"../../evil", "/abs"} and [file.name for file in tmp_path.iterdir()] == ["file"]


@damages
@few
@example(place=0, byte=0, cut=0, do_cut=True)
def test_damaged_npy_never_crashes(tmp_path_factory, place, byte, cut, do_cut):
    survives(load_npy, tmp_path_factory.getbasetemp() / "f", damaged(GOOD, place, byte, cut, do_cut), 3_000_000)


@damages
@settings(max_examples=400, deadline=None)
def test_damaged_npz_never_crashes(tmp_path_factory, place, byte, cut, do_cut):
    raw = archive_of(("a.npy", GOOD), ("b.npy", npy(claim(shape="()"), X)))
    survives(load_npz, tmp_path_factory.getbasetemp() / "f", damaged(raw, place, byte, cut, do_cut), 5_000_000)


def test_what_we_write_numpy_reads_and_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("1.npz", "2.npz"):
        save_npz(tmp_path / name, ARRAYS)
    with np.load(tmp_path / "1.npz", allow_pickle=False) as found:
        assert all(np.array_equal(found[name], array) for name, array in ARRAYS.items())
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    save_npy(tmp_path / "x.npy", [[1, 2]])
    assert np.load(tmp_path / "x.npy").tolist() == [[1, 2]]


@pytest.mark.parametrize("array", [["text"], [object()], np.zeros(1, "f4,i4"), np.zeros(1, "M8[s]")])
def test_objects_are_never_written(tmp_path, array):
    for save in (save_npy, lambda path, array: save_npz(path, {"a": array})):
        with pytest.raises(ArgumentError, match="not a numeric one"):
            save(tmp_path / "x", array)
    assert list(tmp_path.iterdir()) == []


# Pictures

GREY = (np.arange(35).reshape(5, 7) * 7).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def encoded(pixels, kind="PNG", mode=None, **options):
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def pgm(pixels, top=255, magic=b"P5", head=None):
    head = head or b"%s\n%d %d\n%d\n" % (magic, pixels.shape[1], pixels.shape[0], top)
    return head + pixels.tobytes()


@pytest.mark.parametrize("raw", [encoded(GREY), pgm(GREY), gzip.compress(pgm(GREY), mtime=0), encoded(GREY, mode="RGB"),
                                 encoded(GREY, mode="P"), encoded(GREY, mode="RGBA"), encoded(GREY, mode="LA"),
                                 pgm(np.repeat(GREY[..., None], 3, -1), magic=b"P6"),
                                 pgm(GREY, head=b"P5 # a comment\n# another\n 7\t5 #third\n255\n")])
def test_the_same_picture_in_every_form_is_the_same(tmp_path, raw):
    path = written(tmp_path, raw)
    grey, colour = load_image(path), load_image(path, channels=3)
    assert grey.dtype == colour.dtype == np.float32 and grey.shape == (1, 5, 7) and colour.shape == (3, 5, 7)
    assert np.allclose(grey[0], GREY / 255, atol=1e-6) and np.allclose(colour, GREY / 255, atol=1e-6)


@pytest.mark.parametrize("raw", [encoded(COLOUR), pgm(COLOUR, magic=b"P6"), encoded(COLOUR, mode="RGBA")])
def test_colours_come_as_channels_and_turn_grey_by_brightness(tmp_path, raw):
    path = written(tmp_path, raw)
    assert np.allclose(load_image(path, 3), COLOUR.transpose(2, 0, 1) / 255, atol=1e-6)
    assert np.allclose(load_image(path)[0], COLOUR @ [0.299, 0.587, 0.114] / 255, atol=1e-6)


def test_pictures_of_16_bits_keep_them(tmp_path):
    wide = (np.arange(35).reshape(5, 7) * 1000).astype(np.uint16)
    for raw in (encoded(wide), pgm(wide.astype(">u2"), 65535)):
        assert np.allclose(load_image(written(tmp_path, raw))[0], wide / 65535, atol=1e-6)


def test_black_and_white_and_jpeg_load(tmp_path):
    assert np.array_equal(np.unique(load_image(written(tmp_path, encoded(GREY, mode="1")))), [0, 1])
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    assert np.abs(load_image(written(tmp_path, encoded(smooth, "JPEG", quality=95)))[0] - smooth / 255).max() < 0.05


def test_transparent_parts_become_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0, 3] = 255
    assert load_image(written(tmp_path, encoded(pixels)))[0].tolist() == [[0, 1], [1, 1]]


def test_the_rotation_of_a_camera_is_undone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    assert load_image(written(tmp_path, encoded(np.zeros((8, 16), np.uint8), "JPEG", exif=exif))).shape == (1, 16, 8)


def huge_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress(bytes(1000))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


IMAGES_REFUSED = {
    "empty": (b"", "contents: the file is empty"),
    "text": (b"hello", "neither PNG nor JPEG"),
    "GIF": (encoded(GREY, "GIF"), "neither PNG nor JPEG"),
    "PNG bomb": (huge_png(60_000, 60_000), "width, height: Image size (3600000000 pixels) exceeds limit"),
    "PNG without pixels": (huge_png(100, 100), "contents: it is not a readable image"),
    "PNG cut": (encoded(COLOUR)[:-30], "contents: it is not a readable image"),
    "JPEG cut": (encoded(np.tile(COLOUR, (20, 20, 1)), "JPEG")[:900], "contents: it is not a readable image"),
    "text PGM": (b"P2 1 1 255 0", "magic: b'P2' instead of P5"),
    "PGM cut in the header": (b"P5 12", "width: the file ends"),
    "PGM cut in the pixels": (pgm(GREY)[:-1], "needs 35 bytes, but at most 34 follow"),
    "PGM too long": (pgm(GREY) + b"1", "pixels: more than the 35 bytes"),
    "PGM bomb": (b"P5 60000 60000 255 ", "width, height: 60000 x 60000"),
    "PGM of no size": (b"P5 0 5 255 ", "width, height: 0 x 5"),
    "PGM of negative size": (b"P5 -1 5 255 ", "width: b'-1' is not a number"),
    "PGM with an absurd number": (b"P5 " + b"9" * 100 + b" 1 255 ", "is not a number"),
    "PGM with an endless comment": (b"P5 #" + b"x" * 10_000, "width: the header is longer than 4096 bytes"),
    "PGM with greatest value 0": (b"P5 1 1 0 1", "greatest value: 0 is not from 1 to 65535"),
    "PGM above its greatest value": (b"P5 1 1 9 \x0a", "pixels: a pixel is 10, above the greatest value 9"),
    "gzip of something else": (gzip.compress(b"hello"), "neither PNG nor JPEG"),
    "gzip damaged": (b"\x1f\x8b\x08", "damaged or truncated"),
}


@pytest.mark.parametrize("case", IMAGES_REFUSED)
def test_pictures_are_refused_with_file_and_field(tmp_path, case):
    raw, text = IMAGES_REFUSED[case]
    assert text in refusal(load_image, written(tmp_path, raw))


def test_the_limit_of_pixels_can_be_set(tmp_path):
    path = written(tmp_path, encoded(GREY))
    assert load_image(path, most_pixels=35).shape == (1, 5, 7)
    assert "an image has from 1 to 34 pixels" in refusal(load_image, path, most_pixels=34)


@pytest.mark.parametrize("raw", [encoded(COLOUR), encoded(COLOUR, "JPEG"), pgm(GREY)], ids=["PNG", "JPEG", "PGM"])
@damages
@few
def test_damaged_pictures_never_crash(tmp_path_factory, raw, place, byte, cut, do_cut):
    path = tmp_path_factory.getbasetemp() / "f"
    path.write_bytes(damaged(raw, place, byte, cut, do_cut))
    with contextlib.suppress(DataError):
        load_image(path, most_pixels=1_000_000)


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'PIL'", name="PIL")

    path = written(tmp_path, encoded(GREY))
    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError) as caught:
        load_image(path)
    assert str(caught.value).splitlines()[:3] == ["reading PNG and JPEG files needs PIL, which is not installed",
                                                  "  PIL belongs to the optional part [plot]", "  pip install 'slopes[plot]'"]
    assert load_image(written(tmp_path, pgm(GREY))).shape == (1, 5, 7)


@pytest.mark.parametrize("size", [(5, 7), (2, 3), (1, 1), (11, 20)])
def test_scaling_is_pillows(size):
    picture = np.random.default_rng(1).random((5, 7), np.float32)
    expected = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.allclose(resize(picture, size), expected, atol=1e-5)


@pytest.mark.parametrize("call", [lambda path: load_image(path, channels=2), lambda path: load_image(path, size=(0, 3))])
def test_impossible_wishes_are_refused(tmp_path, call):
    with pytest.raises(ArgumentError):
        call(written(tmp_path, pgm(GREY)))


# What small files may claim


HEADS = ["1" * 60_000 + "!", "1L" * 30_000 + "!", "-1-" * 20_000, "'a'" * 20_000 + "!", "(" * 60_000, "1," * 30_000, "1-" * 30_000 + "1",
         "{" + "'a':1," * 10_000 + "!", "[" * 30_000 + "]" * 30_000]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head[:4])
def test_a_header_of_npy_is_read_in_linear_time(tmp_path, head):
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
    assert "header: it is not a literal dict" in refusal(load_npy, written(tmp_path, raw))


def test_a_small_npz_does_not_unpack_to_a_large_one_unless_allowed(tmp_path):
    save_npz(tmp_path / "zeros.npz", {"a": np.zeros(2**26, np.uint8)})
    assert "more than the limit of 33554432" in refusal(load_npz, tmp_path / "zeros.npz")
    assert load_npz(tmp_path / "zeros.npz", limit=2**27)["a"].nbytes == 2**26


def test_a_packed_file_may_be_32_times_as_large_or_32_mib():
    assert unpack_limit(0) == unpack_limit(2**20) == 2**25 and unpack_limit(2**21) == 2**26 and unpack_limit(2**30, 7) == 7


def test_an_archive_has_at_most_ten_thousand_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}.npy", b"")
    assert "zip directory: 10001 members, more than 10000" in refusal(load_npz, tmp_path / "many.npz")


def test_a_small_picture_of_many_pixels_is_refused_unless_allowed(tmp_path):
    path = written(tmp_path, encoded(np.zeros((3000, 3000), np.uint8)))
    assert path.stat().st_size < 30_000
    assert "width, height: 3000 x 3000" in refusal(load_image, path)
    assert load_image(path, most_pixels=9_000_000).shape == (1, 3000, 3000)
    assert load_image(written(tmp_path, encoded(np.zeros((1448, 1448), np.uint8)))).shape == (1, 1448, 1448)


def test_a_picture_that_is_very_long_is_scaled_soon_and_one_beyond_any_side_is_refused(tmp_path):
    long = np.arange(60_000, dtype=np.float32).reshape(60_000, 1) / 60_000
    expected = np.asarray(Image.fromarray(long).resize((1, 4), Image.Resampling.BILINEAR))
    assert np.allclose(resize(long, (4, 1)), expected, atol=1e-4)
    assert np.allclose(resize(long.T, (1, 4)), expected.T, atol=1e-4)
    for raw in (encoded(np.zeros((65_536, 1), np.uint8)), pgm(np.zeros((1, 65_536), np.uint8))):
        assert "at most 65535 on a side" in refusal(load_image, written(tmp_path, raw))


def test_scaling_takes_no_product_of_matrices(monkeypatch):
    picture = np.random.default_rng(0).random((3, 40, 30), np.float32)

    class Watched(np.ndarray):
        def __matmul__(self, other):
            raise AssertionError("a product of matrices")

    assert resize(picture.view(Watched), (8, 9)).shape == (3, 8, 9)
    assert np.allclose(resize(np.ones((1, 50, 7)), (3, 90)), 1)
    assert np.array_equal(resize(picture, (40, 30)), picture)


@pytest.mark.parametrize("text", ["1.1" + ".1" * 50_000 + "a", "1" * 200_000 + "'", "a-" * 100_000, "'" * 100_000, "1:1," * 30_000])
@pytest.mark.parametrize("elision", [False, True])
def test_words_are_found_in_linear_time(text, elision):
    assert "".join(words(text, elision=elision)) == text


def test_many_accents_on_one_letter_do_not_take_long():
    marks = "\N{COMBINING ACUTE ACCENT}\N{COMBINING DOT BELOW}"
    assert "".join(words("e" + marks * 100_000 + " x" * 1000)).endswith("x" * 1000)
    long = "cafe\N{COMBINING ACUTE ACCENT} " * 1000  # composed as a short text is
    assert words(long) == words("cafe\N{COMBINING ACUTE ACCENT}") * 1000 == ["caf\N{LATIN SMALL LETTER E WITH ACUTE}"] * 1000


def test_numbers_of_vectors_are_checked_in_linear_time(tmp_path):
    path = written(tmp_path, b"a " + b"1" * 1_000_000 + b"x\n")
    assert "is no number" in refusal(load_vectors, path)
