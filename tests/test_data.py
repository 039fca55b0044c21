"""Data sets: what is in them, how they are divided, what they refuse."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slopes import data, extras
from slopes.data.loaders.dataset import Dataset
from slopes.data.loaders.order import SPLITTING, order
from slopes.data.loaders.splits import Splits, split
from slopes.errors import ArgumentError, DataError, DTypeError, MissingExtraError, NonFiniteError, OutOfRangeError, ShapeError

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SLOPES_DATA") or ROOT.parent / "shared" / "data")
NAMES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """No test reaches the network or the user's cache."""
    monkeypatch.delenv("SLOPES_DATA", raising=False)
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def shared():
    if not (SHARED / "mnist").is_dir():
        pytest.skip("no local copies of the data sets: name them in SLOPES_DATA")
    return SHARED


def test_importing_data_imports_nothing_heavy():
    heavy = "{'sklearn', 'PIL', 'pooch', 'rich', 'requests', 'scipy', 'safetensors', 'matplotlib', 'llvmlite'}"
    code = f"import sys; from slopes import data; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    assert found.stdout.strip() == "set()"


# Dataset


def toy(n=10, classes=2):
    return Dataset(np.arange(n * 3.0).reshape(n, 3), np.arange(n) % classes, [f"c{k}" for k in range(classes)], "toy")


@pytest.mark.parametrize("given, dtype", [(np.float64, "float32"), (np.float16, "float32"), (np.int32, "int64"),
                                          (np.uint8, "uint8"), (bool, "bool"), (">f4", "float32"), (np.uint64, "int64")])
def test_inputs_become_types_that_networks_take(given, dtype):
    found = Dataset(np.ones((2, 3), given), [0.5, 1.5])
    assert found.inputs.dtype == dtype and found.targets.dtype == np.float32


@pytest.mark.parametrize("given, dtype", [(np.float64, "float32"), (np.uint8, "int64"), (bool, "int64"), (np.int16, "int64")])
def test_targets_become_int64_or_float32(given, dtype):
    assert Dataset(np.ones((2, 3)), np.ones(2, given)).targets.dtype == dtype


def test_lists_and_other_strides_are_taken():
    assert Dataset([[1, 2], [3, 4]], [0, 1]).inputs.tolist() == [[1, 2], [3, 4]]
    assert Dataset(np.asfortranarray(np.eye(3, dtype=np.float32)), [0, 1, 2]).inputs.flags.c_contiguous


def test_sound_arrays_are_not_copied_and_the_users_stay_writable():
    x, y = np.ones((2, 3), np.float32), np.zeros(2, np.int64)
    found = Dataset(x, y)
    assert np.shares_memory(found.inputs, x) and np.shares_memory(found.targets, y)
    assert x.flags.writeable and not found.inputs.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found.inputs[0] = 0


REFUSED = [
    (([[1.0]], [0, 1]), ShapeError, "data: 1 inputs but 2 targets"),
    ((np.zeros((0, 3)), []), ShapeError, "data: there is no example"),
    ((3.0, [1]), ShapeError, "need a first axis that counts examples"),
    (([[1, 2], [3]], [0, 1]), ShapeError, "inputs are ragged"),
    (([["a"]], [0]), DTypeError, "inputs have dtype <U1, not numbers"),
    (([[None]], [0]), DTypeError, "inputs hold None, of type NoneType, at [0, 0]"),
    (([[1.0]], ["cat"]), DTypeError, "targets have dtype <U3, not numbers"),
    (([[1j]], [0]), DTypeError, "inputs have dtype complex128, not numbers"),
    ((np.zeros(1, "M8[s]"), [0]), DTypeError, "not numbers"),
    (([[1.0], [float("nan")]], [0, 1]), NonFiniteError, "inputs hold nan at [1, 0]"),
    (([[1.0]], [float("inf")]), NonFiniteError, "targets hold inf at [0]"),
    (([[1e300]], [0]), NonFiniteError, "inputs hold inf at [0, 0]"),
    (([[1.0]], [2], ["a", "b"]), OutOfRangeError, "data: target 0 is 2, but there are 2 classes"),
    (([[1.0]], [-1], ["a", "b"]), OutOfRangeError, "data: target 0 is -1, but there are 2 classes"),
    (([[1.0]], [0.0], ["a", "b"]), DTypeError, "targets are float32, but classes are named"),
    ((np.array([[2**64 - 1]], np.uint64), [0]), OutOfRangeError, "which int64 cannot"),
]


@pytest.mark.parametrize("arguments, kind, text", REFUSED, ids=[text for _, _, text in REFUSED])
def test_unsound_data_are_refused(arguments, kind, text):
    with pytest.raises(kind) as caught:
        data.from_arrays(*arguments)
    lines = str(caught.value).splitlines()
    assert text in lines[0] and lines[-1].startswith("  at test_data.py:")


def test_a_nan_deep_in_a_large_set_is_found():
    x = np.zeros((10_000, 2), np.float32)
    x[9_999, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"at \[9999, 1\]"):
        Dataset(x, np.zeros(10_000))


def test_the_text_of_a_wrong_label():
    with pytest.raises(OutOfRangeError) as caught:
        Dataset(np.zeros((3, 1)), [1, 2, 3], ["a", "b", "c"], "pets")
    assert str(caught.value).rsplit(":", 1)[0].splitlines() == [
        "pets: target 2 is 3, but there are 3 classes",
        "  labels run from 0 to 2",
        "  subtract the smallest label, or name all classes",
        "  at test_data.py",
    ]


def test_subsets_keep_order_classes_and_are_named():
    found = toy().subset([3, -1, 3], "some")
    assert found.targets.tolist() == [1, 1, 1] and found.inputs[:, 0].tolist() == [9, 27, 9]
    assert found.name == "some" and found.classes == ("c0", "c1") and not found.inputs.flags.writeable
    assert len(toy().subset(slice(2, 5))) == 3
    assert len(toy().subset(np.arange(10) < 4)) == 4


@pytest.mark.parametrize("index, kind", [([10], OutOfRangeError), ([-11], OutOfRangeError), ([0.5], ArgumentError),
                                         ([[1]], ArgumentError), ([True, False], ArgumentError),
                                         ([], ShapeError), (slice(5, 5), ShapeError)])
def test_impossible_subsets_are_refused(index, kind):
    with pytest.raises(kind):
        toy().subset(index)


def test_examples_are_indexed_together():
    x, y = toy()[4]
    assert x.tolist() == [12, 13, 14] and y == 0
    x, y = toy()[[1, 2]]
    assert x.shape == (2, 3) and y.tolist() == [1, 0]


def test_standardized_inputs_have_mean_0_and_deviation_1():
    found = toy().standardized()
    assert abs(found.inputs.mean()) < 1e-6 and abs(found.inputs.std() - 1) < 1e-6 and found.inputs.dtype == np.float32
    columns = toy().standardized(toy().inputs.mean(axis=0), toy().inputs.std(axis=0))
    assert np.allclose(columns.inputs.mean(axis=0), 0, atol=1e-6)
    assert Dataset(np.full((2, 2), 255, np.uint8), [0, 1]).standardized(0, 255).inputs.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("mean, std, kind", [(0, 0, ArgumentError), (np.nan, 1, ArgumentError), (0, -1, ArgumentError),
                                             (np.zeros((10, 1, 3)), 1, ShapeError)])
def test_impossible_standards_are_refused(mean, std, kind):
    with pytest.raises(kind):
        toy().standardized(mean, std)


def test_constant_inputs_cannot_be_standardized():
    with pytest.raises(ArgumentError, match="must be finite and above 0"):
        Dataset(np.ones((2, 2)), [0, 1]).standardized()


# Batches


def test_batches_gather_inputs_and_targets_in_the_order_of_the_epoch():
    sequence = order(3, 2, 10)
    found = list(toy().batches(4, seed=3, epoch=2))
    assert [len(y) for _, y in found] == [4, 4, 2]
    assert np.concatenate([x[:, 0] for x, _ in found]).tolist() == (sequence * 3).tolist()
    assert np.concatenate([y for _, y in found]).tolist() == (sequence % 2).tolist()
    assert [y.tolist() for _, y in toy().batches(4, seed=3, epoch=2, start=1)] == [y.tolist() for _, y in found[1:]]


def test_batches_may_be_changed_without_changing_the_data():
    x, _ = next(toy().batches(4))
    x += 1
    assert toy().inputs[0, 0] == 0 and x.flags.writeable


# Splits


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.5, 0.25, 0.25), (0.8, 0.2, 0), (1, 0, 0)])
def test_a_split_gives_every_example_to_exactly_one_set(fractions, stratify):
    found = split(toy(100, 3), fractions, seed=5, stratify=stratify)
    parts = [part for part in (found.train, found.validation, found.test) if part is not None]
    assert len(parts) == sum(fraction > 0 for fraction in fractions)
    assert sorted(np.concatenate([part.inputs[:, 0] for part in parts])) == toy(100).inputs[:, 0].tolist()
    assert abs(len(found.train) - 100 * fractions[0]) <= 3


def test_a_stratified_split_has_every_class_in_proportion():
    targets = np.repeat([0, 1, 2], [600, 300, 100])
    found = split(Dataset(np.zeros((1000, 1)), targets), (0.7, 0.1, 0.2))
    assert [np.bincount(part.targets).tolist() for part in (found.train, found.validation, found.test)] == [
        [420, 210, 70], [60, 30, 10], [120, 60, 20]]


def test_a_split_is_a_function_of_its_seed():
    inputs = [split(toy(50), seed=seed).train.inputs.tobytes() for seed in (1, 1, 2)]
    assert inputs[0] == inputs[1] != inputs[2]


def test_a_split_never_changes():
    found = split(Dataset(np.arange(20.0)[:, None], np.arange(20) % 2), (0.5, 0.2, 0.3), seed=0)
    assert [part.inputs.ravel().tolist() for part in (found.train, found.validation, found.test)] == GOLDEN_SPLIT


GOLDEN_SPLIT = [[2, 3, 5, 8, 12, 13, 14, 15, 16, 17], [4, 7, 10, 11], [0, 1, 6, 9, 18, 19]]


def test_numbers_to_predict_are_split_without_classes():
    assert len(split(Dataset(np.zeros((10, 1)), np.linspace(0, 1, 10)), (0.5, 0.2, 0.3)).test) == 3


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.2, 0.2), (-0.1, 0.6, 0.5), (0, 0.5, 0.5), (0.98, 0.01, 0.01)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(ArgumentError):
        split(toy(10), fractions)


def test_the_test_set_is_made_when_it_is_asked_for_and_only_then():
    calls = []
    found = Splits(toy(), None, lambda: calls.append(1) or toy(), "toy")
    assert found.test_untouched and not calls
    assert repr(found) == "Splits(toy: train 10, validation none, test not asked for yet)" and not calls
    assert found.test is found.test and calls == [1] and not found.test_untouched
    assert repr(found) == "Splits(toy: train 10, validation none, test 10)" and found.classes == ("c0", "c1")


# The classic sets


def test_digits_are_scikit_learns_in_a_fixed_division():
    datasets = pytest.importorskip("sklearn.datasets")
    found = data.digits()
    assert [len(part) for part in (found.train, found.validation, found.test)] == [1258, 180, 359]
    assert found.train.inputs.shape[1:] == (1, 8, 8) and found.train.inputs.dtype == np.float32
    assert found.train.inputs.min() == 0 and found.train.inputs.max() == 1 and found.classes == tuple("0123456789")
    parts = (found.train, found.validation, found.test)
    assert int(sum(part.inputs.sum(dtype=float) for part in parts) * 16) == 561_718 == int(datasets.load_digits().images.sum())
    assert all(np.bincount(part.targets).min() * 10 >= len(part) * 0.9 for part in parts)
    assert found.train.targets[:10].tolist() == GOLDEN_DIGITS


GOLDEN_DIGITS = [2, 3, 5, 7, 8, 1, 2, 3, 4, 5]


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        data.digits()
    assert str(caught.value).rsplit(":", 1)[0].splitlines() == [
        "data.digits() needs sklearn, which is not installed",
        "  sklearn belongs to the optional part [sklearn]",
        "  pip install 'slopes[sklearn]'",
        "  at test_data.py",
    ]


def test_an_error_inside_an_installed_library_is_not_called_missing(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'scipy'", name="scipy")

    monkeypatch.setattr(extras.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="scipy") as caught:
        extras.require("sklearn.datasets", "sklearn")
    assert not isinstance(caught.value, MissingExtraError)


def test_mnist_is_all_there(shared):
    found = data.mnist(shared)
    assert found.test_untouched
    assert [len(part) for part in (found.train, found.validation, found.test)] == [55_000, 5_000, 10_000]
    both = np.bincount(found.train.targets) + np.bincount(found.validation.targets)
    assert both.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(found.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert found.train.inputs.shape == (55_000, 1, 28, 28) and found.train.inputs.dtype == np.float32
    assert abs(found.train.inputs.mean() - 0.1307) < 1e-3 and abs(found.train.inputs.std() - 0.3081) < 1e-3
    assert found.train.inputs.min() == 0 and found.train.inputs.max() == 1


def test_fashion_mnist_is_all_there_by_environment(shared, monkeypatch):
    monkeypatch.setenv("SLOPES_DATA", str(shared))
    found = data.fashion_mnist()
    assert np.bincount(np.concatenate([found.train.targets, found.validation.targets])).tolist() == [6000] * 10
    assert found.classes[9] == "Ankle boot" and found.test_untouched


def idx(array):
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def tiny(folder, n=24, names=NAMES, pack=gzip.compress, **replaced):
    """The four files, with n training and 5 test images of 2 x 2 pixels, all of the value of their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for images, labels, count in ((names[0], names[1], n), (names[2], names[3], 5)):
        numbers = np.arange(count)
        (folder / images).write_bytes(pack(idx(np.broadcast_to(numbers[:, None, None], (count, 2, 2)))))
        (folder / labels).write_bytes(pack(idx(numbers % 10)))
    for name, raw in replaced.items():
        (folder / next(file for file in names if file.startswith(name.replace("_", "-")))).write_bytes(raw)
    return folder


@pytest.mark.parametrize("place", ["mnist", "."])
@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_local_copies_are_found_in_the_folder_or_its_subfolder_packed_or_not(tmp_path, place, pack):
    tiny(tmp_path / place, names=NAMES if pack is gzip.compress else [name[:-3] for name in NAMES], pack=pack)
    found = data.mnist(tmp_path)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [22, 2, 5]


def test_validation_is_the_documented_part(tmp_path):
    found = data.mnist(tiny(tmp_path))
    mixed = order(0, 0, 24, SPLITTING)
    assert np.rint(found.validation.inputs[:, 0, 0, 0] * 255).tolist() == sorted(mixed[-2:].tolist())
    assert np.rint(found.train.inputs[:, 0, 0, 0] * 255).tolist() == sorted(mixed[:-2].tolist())
    assert found.train.targets.tolist() == [number % 10 for number in sorted(mixed[:-2].tolist())]


def test_the_test_files_are_not_read_before_they_are_asked_for(tmp_path):
    found = data.mnist(tiny(tmp_path, t10k_images=b"damaged"))
    assert len(found.train) == 22
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: magic"):
        assert found.test
    assert found.test_untouched


SETS_REFUSED = {
    "damaged labels": ("train_labels", b"\0\0\x08\1\0\0\0\2\1", "train-labels-idx1-ubyte.gz: data: 1 bytes instead of the 2"),
    "fewer labels": ("train_labels", idx(np.arange(3)), "train-labels-idx1-ubyte.gz: sizes: 3 labels, but .* has 24 images"),
    "labels as images": ("train_images", idx(np.arange(24)), "train-images-idx3-ubyte.gz: sizes: .* instead of 3 axes"),
    "a label of 10": ("train_labels", idx(np.full(24, 10)), "train-labels-idx1-ubyte.gz: data: label 10 of example 0"),
    "no pixels": ("train_images", idx(np.zeros((24, 0, 2))), "train-images-idx3-ubyte.gz: sizes: "),
}


@pytest.mark.parametrize("case", SETS_REFUSED)
def test_files_that_do_not_fit_each_other_are_refused(tmp_path, case):
    name, raw, text = SETS_REFUSED[case]
    with pytest.raises(DataError, match=text):
        data.mnist(tiny(tmp_path, **{name: gzip.compress(raw)}))


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="11 images, too few to hold some out"):
        data.mnist(tiny(tmp_path, 11))


@pytest.mark.parametrize("by", ["folder", "SLOPES_DATA"])
def test_a_folder_without_the_files_is_named_with_its_repair(tmp_path, monkeypatch, by):
    monkeypatch.setenv("SLOPES_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        data.mnist(tmp_path if by == "folder" else None)
    assert str(caught.value).rsplit(":", 1)[0].splitlines() == [
        f"{tmp_path / 'mnist' / NAMES[0]}: file: there is no such file, nor {tmp_path / NAMES[0]}",
        f"  {by} names {tmp_path} as the place of local copies",
        "  put the files of the data set there, or name no folder, so that they are downloaded",
        "  at test_data.py",
    ]


def test_fashion_is_not_taken_for_digits(shared):
    with pytest.raises(DataError, match=r"(?s)which is fashion-mnist's file of this name, not mnist's.*ask for fashion-mnist"):
        data.mnist(shared / "fashion-mnist")
