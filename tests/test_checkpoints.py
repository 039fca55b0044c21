"""Checkpoints of PyTorch, safetensors, Keras and NumPy: what is well formed loads, everything else is refused by file and field."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from checkpoint_files import archive, array_tensor, integer, legacy, mapping, named, pickled, row, state_archive, storage, tensor, text

import slopes as sl
from slopes import nn
from slopes.checkpoints import flatten
from slopes.errors import DataError, MissingExtraError, StateError
from slopes.files import save_safetensors

W = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.array([0.5, -1.5], np.float32)


def written(folder, raw, name="weights.pt"):
    path = folder / name
    path.write_bytes(raw)
    return path


def refusal(path):
    """The error's text, which names the file."""
    with pytest.raises(DataError) as caught:
        checkpoint = sl.read_checkpoint(path)
        for name in checkpoint:
            checkpoint[name]
    assert str(caught.value).startswith(f"{os.path.dirname(path)}")
    return str(caught.value)


# What loads

LINEAR = {"weight": array_tensor("0", W), "bias": array_tensor("1", B)}


@pytest.mark.parametrize("raw", [archive(mapping(LINEAR), {"0": W.tobytes(), "1": B.tobytes()}), legacy(mapping(LINEAR), {"0": W, "1": B})])
def test_a_state_of_pytorch_loads_into_a_layer(tmp_path, raw):
    layer = nn.Linear(3, 2)
    checkpoint = sl.read_checkpoint(written(tmp_path, raw))
    assert checkpoint.shapes == {"weight": (2, 3), "bias": (2,)} and checkpoint.format == "pytorch"
    layer.load_state_dict(checkpoint)
    assert np.array_equal(layer.weight.numpy(), W) and np.array_equal(layer.bias.numpy(), B)
    assert not checkpoint["weight"].flags.writeable


def test_views_ties_and_nested_containers_have_names(tmp_path):
    storages = {"0": W.tobytes()}
    flipped = tensor("0", "FloatStorage", 6, (3, 2), (1, 3))
    part = tensor("0", "FloatStorage", 6, (2,), (3,), offset=1)
    inner = mapping({"w": array_tensor("0", W), "tied": array_tensor("0", W), "flipped": flipped, "part": part})
    whole = mapping({"model": inner, "epoch": integer(7), "best": b"G?\xe0" + bytes(6)})
    checkpoint = sl.read_checkpoint(written(tmp_path, archive(whole, storages)))
    assert checkpoint.others == {"epoch": 7, "best": 0.5}
    assert checkpoint.shared() == [("model.w", "model.tied")]
    model = checkpoint.under("model")
    assert np.array_equal(model["flipped"], W.T) and model["part"].tolist() == [1, 4]
    with pytest.raises(StateError, match=r"no array is below 'modle'.*\n.*first parts of names are model"):
        checkpoint.under("modle")
    with pytest.raises(StateError, match=r"no array 'model\.ww'"):
        checkpoint["model.ww"]


def test_types_and_empty_arrays(tmp_path):
    arrays = {"b": np.array([True, False]), "i": np.array([[1, -2**40]]), "h": np.array([0.5], np.float16),
              "none": np.zeros((0, 3), np.float32), "scalar": np.array(2.5, np.float64)}
    checkpoint = sl.read_checkpoint(written(tmp_path, state_archive(arrays)))
    for name, array in arrays.items():
        assert checkpoint[name].dtype == array.dtype and np.array_equal(checkpoint[name], array) and checkpoint[name].shape == array.shape


def test_bfloat16_becomes_float32_and_big_endian_is_read(tmp_path):
    half = np.array([0x3FC0, 0xC000], "<u2")
    raw = archive(mapping({"x": tensor("0", "BFloat16Storage", 2, (2,), (1,))}), {"0": half.tobytes()})
    assert sl.read_checkpoint(written(tmp_path, raw))["x"].tolist() == [1.5, -2.0]
    swapped = archive(mapping({"x": tensor("0", "IntStorage", 2, (2,), (1,))}), {"0": np.array([1, -2], ">i4").tobytes()},
                      {"byteorder": b"big"})
    assert sl.read_checkpoint(written(tmp_path, swapped))["x"].tolist() == [1, -2]


def test_numpy_values_in_a_pickle(tmp_path):
    state = integer(3) + text("<") + b"NNN" + integer(-1) * 2 + integer(0)
    dtype = named("numpy.dtype") + b"(" + text("f8") + b"\x89\x88tR(" + state + b"tb"
    content = named("_codecs.encode") + text(np.array([1.5, 2.5]).tobytes().decode("latin-1")) + text("latin1") + b"\x86R"
    shell = named("numpy.core.multiarray._reconstruct") + named("numpy.ndarray") + integer(0) + b"\x85" + b"C\x01b" + b"\x87R"
    array = shell + b"(" + integer(1) + row([2]) + dtype + b"\x89" + content + b"tb"
    scalar = named("numpy._core.multiarray.scalar") + dtype + b"C\x08" + np.float64(0.25).tobytes() + b"\x86R"
    checkpoint = sl.read_checkpoint(written(tmp_path, archive(mapping({"x": array, "s": scalar}), {})))
    assert checkpoint["x"].tolist() == [1.5, 2.5] and checkpoint.others == {"s": 0.25}


def test_safetensors_sharded_and_in_a_folder(tmp_path):
    save_safetensors(tmp_path / "model-1.safetensors", {"weight": W})
    save_safetensors(tmp_path / "model-2.safetensors", {"bias": B})
    index = {"metadata": {"total_size": 32}, "weight_map": {"weight": "model-1.safetensors", "bias": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    layer = nn.Linear(3, 2)
    layer.load_state_dict(sl.read_checkpoint(tmp_path))
    assert np.array_equal(layer.weight.numpy(), W)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"weight": "a.bin"}}))
    written(tmp_path, state_archive({"weight": W}), "a.bin")
    assert np.array_equal(sl.read_checkpoint(tmp_path / "pytorch_model.bin.index.json")["weight"], W)


def test_one_safetensors_file_with_metadata(tmp_path):
    save_safetensors(tmp_path / "x", {"weight": W, "f": np.asfortranarray(W), "n": np.zeros((2, 0, 3))}, {"format": "pt"})
    checkpoint = sl.read_checkpoint(tmp_path / "x")
    assert checkpoint.metadata == {"format": "pt"} and np.array_equal(checkpoint["f"], W) and checkpoint["n"].shape == (2, 0, 3)
    assert checkpoint.shared() == []


def test_npz(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", weight=W, bias=B)
    assert np.array_equal(sl.read_checkpoint(tmp_path / "w.npz")["weight"], W)


def test_a_file_that_is_written_meanwhile_is_refused(tmp_path):
    path = written(tmp_path, state_archive({"w": W}))
    checkpoint = sl.read_checkpoint(path)
    path.write_bytes(state_archive({"w": W, "b": B}))
    with pytest.raises(DataError, match="tensor 'w': the file was written since"):
        checkpoint["w"]


# What is refused

def of_opcodes(raw, storages=None):
    return archive(raw, storages or {"0": W.tobytes()})


SYSTEM = named("os.system") + text("echo") + b"\x85R"
LEVELS = b"]" + b"2\x86" * 60  # a pair of a pair of ...: 2**60 values, each named twice
PICKLES = {
    "a call": (mapping({"x": SYSTEM}), "it names os.system, which is not read"),
    "a class of torch": (named("torch.nn.modules.linear.Linear") + b")\x81", "it names torch.nn.modules.linear.Linear"),
    "a nested name": (named("builtins.getattr") + b")R", "it names builtins.getattr"),
    "a call of text": (text("x") + b")R", "a str is called"),
    "a state of text": (text("x") + b"}b", "the state of a str is not one of"),
    "an extension": (b"\x82\x01", "the opcode b'\\x82' is not supported"),
    "an instance": (b"(ios\nsystem\n", "the opcode b'i' is not supported"),
    "wrong arguments": (named("torch._utils._rebuild_tensor_v2") + integer(3) + b"\x85R",
                        "the arguments of torch._utils._rebuild_tensor_v2 are not"),
    "no stack": (b"0", "there is no value on the stack"),
    "no mark": (b"t", "there is no mark"),
    "no memo": (b"h\x05", "the memo has no entry 5"),
    "half a pair": (b"}(" + text("a") + b"u", "a key has no value"),
    "a long text": (b"X\xff\xff\xff\xff", "it claims 4294967295 bytes"),
    "a negative length": (b"T\xff\xff\xff\xff", "it claims -1 bytes"),
    "a key that is a tuple": (b"}" + LEVELS + integer(1) + b"s", "a tuple is a key"),
    "a long key": (b"}" + b"\x8a\x14" + b"\x7f" * 20 + b"Ns", "a int is a key"),
    "containers in each other": (LEVELS, "containers are nested too deeply"),
    "a list in itself": (b"]2a", "containers are nested too deeply"),
    "a long integer": (b"\x8b\x00\x10\x00\x00" + bytes(4096), "an integer has 4096 bytes"),
    "an old protocol": (b"\x80\x01N", "it is a pickle of protocol 1"),
    "two values of one name": (mapping({"a.b": array_tensor("0", W), "a": mapping({"b": array_tensor("0", W)})}), "two values have it"),
    "objects of NumPy": (named("numpy.dtype") + b"(" + text("O8") + b"\x89\x88tR", "dtype 'O8'"),
    "a persistent id of text": (text("x") + b"Q", "a persistent id does not describe a storage"),
    "a negative count": (storage("0", "FloatStorage", -1), "a persistent id does not describe a storage"),
    "quantized": (storage("0", "QInt8Storage", 6), "it names torch.QInt8Storage"),
    "no such storage": (mapping({"x": tensor("9", "FloatStorage", 6, (6,), (1,))}), "storage 'data/9': the archive has no such member"),
    "another size": (mapping({"x": tensor("0", "FloatStorage", 7, (7,), (1,))}), "7 of float32 take 28 bytes, its member has 24"),
    "two sizes": (mapping({"x": array_tensor("0", W), "y": tensor("0", "DoubleStorage", 6, (6,), (1,))}), "it is named with 24 bytes"),
    "outside": (mapping({"x": tensor("0", "FloatStorage", 6, (2, 3), (3, 1), offset=1)}), "ends at byte 28 of its storage, which has 24"),
    "strides": (mapping({"x": tensor("0", "FloatStorage", 6, (2, 3), (9, 1))}), "it ends at byte 48"),
    "expanded": (mapping({"x": tensor("0", "FloatStorage", 6, (2**40,), (0,))}), "its elements overlap"),
    "overflow": (mapping({"x": tensor("0", "FloatStorage", 6, (2**40, 2**40), (0, 0))}), "does not fit into 64 bits"),
    "overflow beside 0": (mapping({"x": tensor("0", "FloatStorage", 6, (2**62, 0), (1, 1))}), "does not fit into 64 bits"),
    "a negative stride": (mapping({"x": tensor("0", "FloatStorage", 6, (6,), (-1,), offset=5)}), "the arguments of torch._utils"),
    "a negative offset": (mapping({"x": tensor("0", "FloatStorage", 6, (6,), (1,), offset=-1)}), "the arguments of torch._utils"),
    "axes": (mapping({"x": tensor("0", "FloatStorage", 6, (6,), (1, 1))}), "its shape has 1 axes, its strides 2"),
    "many axes": (mapping({"x": tensor("0", "FloatStorage", 6, (1,) * 65, (1,) * 65)}), "its shape has 65 axes"),
    "truth values": (mapping({"x": tensor("0", "BoolStorage", 24, (24,), (1,))}), "a truth value is the byte 160"),
    "copies": (text("x" * 5000) + b"q\x00" +
               (b"0" + named("_codecs.encode") + b"h\x00" + text("latin1") + b"\x86R") * 9, "values are copied"),
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_hostile_pickle_is_refused(tmp_path, case):
    opcodes, problem = PICKLES[case]
    tracemalloc.start()
    assert problem in refusal(written(tmp_path, of_opcodes(opcodes)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_one_list_of_many_names_is_looked_through_once(tmp_path, monkeypatch):
    calls, original = [], flatten.is_nested
    monkeypatch.setattr(flatten, "is_nested", lambda value: calls.append(1) or original(value))
    many = b"}(" + text("first") + b"](" + b"K\x01" * 100 + b"eq\x00" + b"".join(text(str(i)) + b"h\x00" for i in range(500)) + b"u"
    checkpoint = sl.read_checkpoint(written(tmp_path, of_opcodes(many)))
    assert len(checkpoint.others) == 501 and len(calls) == 2  # the dict, and the list


def test_the_error_says_what_to_do(tmp_path):
    lines = refusal(written(tmp_path, of_opcodes(mapping({"x": SYSTEM})))).splitlines()
    assert "data.pkl, byte " in lines[0] and "could run code" in lines[1] and "torch.save(net.state_dict(), path)" in lines[2]


def test_a_truncated_pickle_is_refused_wherever_it_ends(tmp_path):
    whole = pickled(mapping(LINEAR))
    for end in range(0, len(whole), 7):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("archive/data.pkl", whole[:end])
            opened.writestr("archive/data/0", W.tobytes())
            opened.writestr("archive/data/1", B.tobytes())
        refusal(written(tmp_path, file.getvalue()))


def test_damaged_archives_are_refused(tmp_path):
    raw = state_archive({"w": W})
    assert "checksum" in refusal(written(tmp_path, raw.replace(W.tobytes(), W[::-1].tobytes())))
    assert "compressed or encrypted" in refusal(written(tmp_path, archive(mapping({}), {}, method=zipfile.ZIP_DEFLATED)))
    assert "TorchScript" in refusal(written(tmp_path, archive(mapping({}), {}, {"constants.pkl": b""})))
    assert "no member data.pkl" in refusal(written(tmp_path, zip_of({"a": b""})))
    assert "neither little nor big" in refusal(written(tmp_path, zip_of({"x/data.pkl": pickled(b"N"), "x/byteorder": b"middle"})))
    assert "bytes follow its end" in refusal(written(tmp_path, zip_of({"x/data.pkl": pickled(b"N") + b"more"})))
    overlap = bytearray(state_archive({"w": W, "v": W}))
    first, second = (overlap.index(f"archive/data/{key}".encode(), overlap.index(b"PK\x01\x02")) - 46 for key in "01")
    overlap[second + 42 : second + 46] = overlap[first + 42 : first + 46]  # the second member's header is the first's
    assert "it overlaps the member before it" in refusal(written(tmp_path, bytes(overlap)))
    for end in range(0, len(raw), 23):
        refusal(written(tmp_path, raw[:end]))


def zip_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return file.getvalue()


def test_damaged_files_of_the_older_format_are_refused(tmp_path):
    raw = legacy(mapping(LINEAR), {"0": W, "1": B})
    assert "bytes follow the last storage" in refusal(written(tmp_path, raw + b"x"))
    assert "it ends at byte" in refusal(written(tmp_path, raw[:-1]))
    assert "it has 99 elements, its tensors say 6" in refusal(written(tmp_path, raw.replace(b"\x06" + bytes(7), b"\x63" + bytes(7))))
    assert "is unknown" in refusal(written(tmp_path, raw.replace(b"M\xe9\x03.", b"M\xe8\x03.")))
    assert "not those that the tensors use" in refusal(written(tmp_path, legacy(mapping(LINEAR), {"0": W})))
    for end in range(0, len(raw), 17):
        refusal(written(tmp_path, raw[:end]))


def test_files_of_other_kinds_are_refused(tmp_path):
    assert "not one of torch.save" in refusal(written(tmp_path, pickled(b"N")))
    assert "read it with data.load_npy" in refusal(written(tmp_path, b"\x93NUMPY\x01\x00" + bytes(50)))
    assert "its format is not known" in refusal(written(tmp_path, b"GIF89a" + bytes(50)))
    assert "its format is not known" in refusal(written(tmp_path, b""))
    assert "no such file" in refusal(tmp_path / "none.pt")
    (tmp_path / "empty").mkdir()
    assert "there are no weights in this folder" in refusal(tmp_path / "empty")


def test_an_index_reads_its_own_folder_only(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    save_safetensors(tmp_path / "outside.safetensors", {"weight": W})
    (inner / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    save_safetensors(inner / "a.safetensors", {"weight": W, "more": B})
    index = inner / "model.safetensors.index.json"
    for file, problem in [("../outside.safetensors", "it leads out of the folder"), ("link.safetensors", "it leads out of the folder"),
                          ("none.safetensors", "no such file"), ("a.safetensors", "it lacks 'more' of a.safetensors")]:
        index.write_text(json.dumps({"weight_map": {"weight": file}}))
        assert problem in refusal(index)
    index.write_text(json.dumps({"weight_map": {"weight": "a.safetensors", "other": "a.safetensors"}}))
    assert "a.safetensors has no such array" in refusal(index)
    index.write_text(json.dumps({"weight_map": [1]}))
    assert "weight_map: it is not an object" in refusal(index)


def test_random_changes_of_bytes_are_harmless(tmp_path):
    random = np.random.default_rng(0)
    for raw in (state_archive({"w": W, "b": B}), legacy(mapping(LINEAR), {"0": W, "1": B})):
        for _ in range(150):
            changed = bytearray(raw)
            for position in random.integers(0, len(raw), 3):
                changed[position] = random.integers(0, 256)
            path = written(tmp_path, bytes(changed))
            try:
                checkpoint = sl.read_checkpoint(path)
                for name in checkpoint:
                    assert checkpoint[name].nbytes <= len(raw)
            except DataError:
                pass


# Keras

def test_keras_files_need_h5py(tmp_path, monkeypatch):
    path = written(tmp_path, b"\x89HDF\r\n\x1a\n" + bytes(100), "x.weights.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"slopes\[keras\]"):
        sl.read_checkpoint(path)


CONFIG = json.dumps({"config": {"layers": [{"class_name": "InputLayer"}, {"class_name": "Dense"}, {"class_name": "BatchNormalization"},
                                           {"class_name": "Dense"}]}}).encode()


def hdf5(library, arrays):
    file = io.BytesIO()
    with library.File(file, "w") as opened:
        for name, array in arrays.items():
            opened[name] = array
    return file.getvalue()


def test_keras_weights_are_in_the_order_of_the_layers(tmp_path):
    library = pytest.importorskip("h5py")
    names = [f"layers/{layer}/vars/0" for layer in ("dense", "batch_normalization", "dense_1")]
    raw = hdf5(library, {name: W + i for i, name in enumerate(names)})
    written(tmp_path, raw, "x.weights.h5")
    assert set(sl.read_checkpoint(tmp_path / "x.weights.h5")) == set(names)
    path = written(tmp_path, zip_of({"metadata.json": b"{}", "config.json": CONFIG, "model.weights.h5": raw}), "x.keras")
    checkpoint = sl.read_checkpoint(path)
    assert list(checkpoint) == names and checkpoint.format == "keras"
    assert np.array_equal(checkpoint[names[2]], W + 2)


def test_hostile_hdf5_is_refused(tmp_path):
    library = pytest.importorskip("h5py")
    path, other = tmp_path / "x.h5", tmp_path / "secret.h5"
    other.write_bytes(hdf5(library, {"w": W}))

    def with_file(change):
        path.unlink(missing_ok=True)
        with library.File(path, "w") as file:
            file["a"] = W
            change(file)
        return refusal(path)

    def virtual(file):
        layout = library.VirtualLayout((2, 3), "f4")
        layout[:] = library.VirtualSource(os.fspath(other), "w", (2, 3))
        file.create_virtual_dataset("v", layout)

    assert "a soft or an external link" in with_file(lambda file: file.__setitem__("x", library.ExternalLink(os.fspath(other), "w")))
    assert "a soft or an external link" in with_file(lambda file: file.__setitem__("x", library.SoftLink("/a")))
    assert "its values are in another file" in with_file(virtual)
    assert "its values are in another file" in with_file(
        lambda file: file.create_dataset("e", (4,), "u1", external=[(os.fspath(other), 0, 4)]))
    assert "but the file holds 0 for it" in with_file(lambda file: file.create_dataset("big", (2**30,), "f4"))
    assert "takes 4294967296 bytes" in with_file(
        lambda file: file.create_dataset("big", (2**30,), "f4", chunks=(2**20,), compression="gzip"))
    assert "is not numbers" in with_file(lambda file: file.__setitem__("t", "text"))
    assert "a link leads back" in with_file(lambda file: file.create_group("g").__setitem__("again", file["/"]))
    raw = hdf5(library, {"w": W})
    random = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(raw)
        for position in random.integers(8, len(raw), 4):
            changed[position] = random.integers(0, 256)
        path.write_bytes(changed)
        with contextlib.suppress(DataError):
            sl.read_checkpoint(path)
    path.write_bytes(raw[: len(raw) // 2])
    refusal(path)


# The real thing

def test_files_of_torch_itself(tmp_path):
    torch = pytest.importorskip("torch")
    w = torch.randn(4, 6)
    content = {"model": {"w": w, "turned": w.t(), "part": w[1:3, ::2], "tied": w}, "half": torch.randn(5).bfloat16(),
               "p": torch.nn.Parameter(torch.ones(2)), "array": np.arange(6).reshape(2, 3), "n": np.float32(2),
               "i": [1, {"x": torch.ones(1)}], "set": {1, 2}, "c": 2j, "raw": b"a\xff",
               "type": torch.float32, "size": w.shape, "device": torch.device("cpu"), "small": torch.arange(3).to(torch.uint16)}
    for options in ({}, {"pickle_protocol": 5}, {"_use_new_zipfile_serialization": False}):
        path = tmp_path / "x.pt"
        torch.save(content, path, **options)
        checkpoint = sl.read_checkpoint(path)
        for name, value in content["model"].items():
            assert np.array_equal(checkpoint[f"model.{name}"], value.numpy())
        assert np.array_equal(checkpoint["half"], content["half"].float().numpy()) and checkpoint["small"].tolist() == [0, 1, 2]
        assert np.array_equal(checkpoint["array"], content["array"]) and checkpoint["i.1.x"].tolist() == [1]
        assert checkpoint.others["set"] == {1, 2} and checkpoint.others["raw"] == b"a\xff" and checkpoint.others["c"] == 2j
        assert checkpoint.shared() == [("model.w", "model.tied")]


@pytest.mark.parametrize("value, problem", [(lambda torch: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
                                            (lambda torch: torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
                                            (lambda torch: torch.ones(2, dtype=torch.cfloat).conj(), "marked as conj"),
                                            (lambda torch: torch.ones(2).to(torch.float8_e5m2), "torch.float8_e5m2, which NumPy lacks")])
def test_what_torch_saves_and_nobody_reads(tmp_path, value, problem):
    torch = pytest.importorskip("torch")
    torch.save({"x": value(torch)}, tmp_path / "x.pt")
    assert problem in refusal(tmp_path / "x.pt")
