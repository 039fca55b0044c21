"""Folders of pictures: classes and files in order, damaged files named or skipped if asked, and training on them as on arrays."""

from __future__ import annotations

import os
import threading
import warnings

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim
from slopes.data import Dataset, image_folder
from slopes.data.loaders.folder import Pictures
from slopes.data.loaders.stream import prefetched
from slopes.errors import ArgumentError, DataError, NonFiniteError, OutOfRangeError, ShapeError
from slopes.files.images import QUIET
from slopes.train import streaming
from slopes.train.sources import ArraySource
from slopes.train.step_program import StepProgram


def pgm(array):
    height, width = array.shape
    return f"P5 {width} {height} 255\n".encode() + array.astype(np.uint8).tobytes()


def filled(root, counts, size=(6, 6)):
    """A folder of grey pictures; picture k of class c is bright in column c, with noise by its number."""
    rng = np.random.default_rng(1)
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for k in range(count):
            picture = rng.integers(0, 60, size)
            picture[:, number] = 200 + k
            (root / name / f"{k:03d}.pgm").write_bytes(pgm(picture))
    return root


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path / "pets", {"dog": 20, "cat": 30})


def test_classes_and_files_are_in_the_order_of_the_alphabet(folder):
    (folder / ".hidden").mkdir()
    (folder / "cat" / "notes.txt").write_text("no picture")
    (folder / "cat" / ".thumb.pgm").write_bytes(b"no picture")
    found = image_folder(folder, 6, channels=1)
    assert repr(found) == "ImageFolder(pets: 50 pictures (1, 6, 6), 2 classes)"
    assert found.classes == ("cat", "dog") and found.targets.tolist() == [0] * 30 + [1] * 20
    assert [os.path.basename(path) for path in found.inputs.paths[:2]] == ["000.pgm", "001.pgm"]
    assert found.inputs[0][0, 0, 1] == np.float32(200 / 255)  # cats were written second
    assert found.inputs[-1][0, 0, 0] == np.float32(219 / 255)


def test_pictures_index_like_an_array(folder):
    inputs = image_folder(folder, (5, 4), channels=3).inputs
    whole = np.asarray(inputs)
    assert whole.shape == inputs.shape == (50, 3, 5, 4) and whole.dtype == inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[3], whole[3])
    np.testing.assert_array_equal(inputs[10:30:7], whole[10:30:7])
    np.testing.assert_array_equal(inputs[[4, -1, 4]], whole[[4, -1, 4]])
    np.testing.assert_array_equal(inputs[np.arange(50) % 9 == 0], whole[::9])
    assert inputs[:0].shape == (0, 3, 5, 4)
    with pytest.raises(IndexError):
        inputs[50]
    with pytest.raises(OutOfRangeError):
        inputs[[50]]


def test_a_folder_can_be_divided_and_loaded_like_any_data_set(folder):
    found = image_folder(folder, 6, channels=1)
    splits = data.split(found, (0.6, 0.2, 0.2))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)
    assert np.bincount(splits.train.targets).tolist() == [18, 12] and splits.train.name == "pets.train"
    loaded = splits.train.load()
    assert isinstance(loaded, Dataset) and loaded.classes == ("cat", "dog")
    picture, label = splits.train[4]
    np.testing.assert_array_equal(picture, loaded.inputs[4])
    assert label == loaded.targets[4]


def test_pictures_of_any_kind_become_one_shape(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "all").mkdir()
    modes = {"a.png": "L", "b.PNG": "RGBA", "c.jpg": "RGB", "d.jpeg": "CMYK", "e.png": "P", "f.png": "1", "g.png": "I;16"}
    for name, mode in modes.items():
        image.new(mode, (7 + len(name), 5)).save(tmp_path / "all" / name)
    found = image_folder(tmp_path, (8, 9))
    assert found.inputs[:].shape == (7, 3, 8, 9)


@pytest.mark.parametrize("skip", [False, True])
def test_a_damaged_file_among_good_ones_is_named_and_skipped_only_if_asked(folder, skip):
    (folder / "cat" / "010.pgm").write_bytes(b"P5 6 6 255\nshort")
    (folder / "dog" / "003.pgm").write_bytes(b"")
    found = image_folder(folder, 6, channels=1, skip_damaged=skip)
    if skip:
        assert len(found) == 48 and found.inputs[:].shape == (48, 1, 6, 6) and "2 skipped" in repr(found)
        assert [os.path.basename(path) for path, _ in found.skipped] == ["010.pgm", "003.pgm"]
        assert "36 bytes" in found.skipped[0][1] and "empty" in found.skipped[1][1]
        return
    assert len(found) == 50 and found.skipped == ()
    with pytest.raises(DataError, match=r"cat.010\.pgm: "):
        found.load()
    with pytest.raises(DataError, match=r"(cat.010|dog.003)\.pgm: "):
        sl.fit(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), found, batch_size=10, progress=False)


def test_bombs_are_refused_by_name(folder):
    with pytest.raises(DataError, match=r"000\.pgm: width, height: 6 x 6"):
        image_folder(folder, 6, channels=1, most_pixels=35).load()


def folder_without(tmp_path, kind):
    root = tmp_path / "root"
    if kind == "a class without pictures":
        filled(root, {"a": 1})
        (root / "b").mkdir()
    elif kind == "all of a class damaged":
        filled(root, {"a": 1, "b": 1})
        (root / "b" / "000.pgm").write_bytes(b"P5")
    elif kind == "no subfolders":
        root.mkdir()
        (root / "x.pgm").write_bytes(pgm(np.zeros((2, 2))))
    elif kind == "a link out":
        filled(root, {"a": 1})
        (tmp_path / "secret.pgm").write_bytes(pgm(np.zeros((2, 2))))
        (root / "a" / "link.pgm").symlink_to(tmp_path / "secret.pgm")
    elif kind == "a file":
        root.write_text("")
    return root


@pytest.mark.parametrize("kind, text", [
    ("missing", "root: folder: there is no such folder"), ("a file", "root: folder: it is a file"),
    ("no subfolders", "root: folder: it has no subfolders"), ("a class without pictures", "b: folder: there is no picture in it"),
    ("all of a class damaged", "root: every picture of class 'b' is damaged"), ("a link out", "it leads out of the folder")])
def test_folders_that_are_no_data_set_are_refused(tmp_path, kind, text):
    with pytest.raises(DataError) as caught:
        image_folder(folder_without(tmp_path, kind), 6, channels=1, skip_damaged=kind.startswith("all"))
    assert text in str(caught.value)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": (1, 2, 3)}, {"size": 6, "channels": 2}, {"size": 6, "readers": -1}])
def test_wrong_sizes_are_refused(folder, options):
    with pytest.raises(ArgumentError, match="image_folder: size="):
        image_folder(folder, **options)
    with pytest.raises(ShapeError, match="has no example"):
        image_folder(folder, 6).subset([])


# Reading ahead, and training


def test_the_next_part_is_read_while_one_is_used_and_errors_come_in_their_place():
    reading = threading.Event()

    class Source:
        def gather(self, numbers):
            if numbers[0] == 2:
                reading.set()
            if numbers[0] == 3:
                raise DataError("x.png: contents: damaged")
            return numbers * 10

    parts = prefetched(Source().gather, [np.array([k]) for k in range(1, 5)])
    assert next(parts).tolist() == [10]
    assert reading.wait(5)  # part 2 is on its way although nobody asked for it
    assert next(parts).tolist() == [20]
    with pytest.raises(DataError, match=r"x\.png"):
        next(parts)


def test_readers_in_several_threads_leave_warnings_as_they_were():
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [QUIET.__enter__() or QUIET.__exit__() for _ in range(200)]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert warnings.filters == before and QUIET.inside == 0


def trained(train, validation, **options):
    sl.seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    run = sl.fit(net, train, validation=validation, optimizer=optim.Adam(lr=0.01), epochs=4, batch_size=7, progress=False, **options)
    return net, run


def test_training_from_the_disk_is_training_from_memory_bit_for_bit(folder, monkeypatch):
    splits = data.split(image_folder(folder, 6, channels=1), (0.6, 0.2, 0.2))
    memory, kept = trained(splits.train.load(), splits.validation.load(), schedule="linear")
    for room in (1 << 26, 7 * 144 * 2):  # all steps of an epoch in one call; two steps in each
        monkeypatch.setattr(streaming, "STREAMED_BYTES", room)
        disk, run = trained(splits.train, splits.validation, schedule="linear")
        assert run.losses == kept.losses and run.epochs[-1].validation == kept.epochs[-1].validation
        for one, two in zip(disk.parameters(), memory.parameters()):
            np.testing.assert_array_equal(one.numpy(), two.numpy())
    result = sl.evaluate(disk, splits.test)
    assert result == sl.evaluate(memory, splits.test.load()) and result.predicted.shape == (10,)


def test_parts_of_any_length_compile_no_more_often_than_whole_and_last_batches(folder, monkeypatch):
    monkeypatch.setattr(streaming, "STREAMED_BYTES", 7 * 144 * 3)  # three steps of seven pictures at a time
    found = image_folder(folder, 6, channels=1)

    def sums(held, indices, rate):
        inputs, targets = held
        return {"inputs": sl.take(inputs, indices, axis=0).sum(), "targets": sl.take(targets, indices, axis=0).sum()}

    source = ArraySource(found)
    steps, epoch = source.runner(StepProgram(sl.compile(sums)), 7, None), source.epoch(7, seed=0, epoch=0)
    done = [steps.run(batches) for batches in iter(lambda: epoch.take(steps.limit), None)]
    assert [len(each["inputs"]) for each in done] == [3, 3, 1, 1] and steps.program.compilations <= 3
    np.testing.assert_allclose(sum(each["inputs"].sum() for each in done), np.asarray(found.inputs).sum(), rtol=1e-5)
    assert sum(each["targets"].sum() for each in done) == 20


def test_an_epoch_from_the_disk_begins_in_the_middle_and_is_taken_in_parts_of_any_length(folder, monkeypatch):
    monkeypatch.setattr(streaming, "STREAMED_BYTES", 7 * 144 * 3)
    source = ArraySource(image_folder(folder, 6, channels=1))

    def take_all(start, limit):
        epoch = source.epoch(7, 0, 1, start)
        return list(iter(lambda: epoch.take(limit), None))

    whole = take_all(0, 100)
    for start, limit in ((0, 2), (4, 1), (7, 5)):
        parts = take_all(start, limit)
        assert max(map(len, parts)) <= limit
        for take in (lambda batches: batches.indices, lambda batches: batches.inputs):
            expected = np.concatenate([take(batches).reshape(-1) for batches in whole])
            found = np.concatenate([take(batches).reshape(-1) for batches in parts])
            np.testing.assert_array_equal(found, expected[len(expected) - len(found):])
        assert sum(batches.indices.size for batches in parts) == 50 - 7 * start


def test_measuring_takes_no_more_memory_than_is_read_at_once(folder, monkeypatch):
    monkeypatch.setattr(streaming, "STREAMED_BYTES", 9 * 144)
    gathered, gather = [], Pictures.gather
    monkeypatch.setattr(Pictures, "gather", lambda self, numbers: (gathered.append(len(numbers)), gather(self, numbers))[1])
    sl.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), image_folder(folder, 6, channels=1))
    assert sum(gathered) - 1 == 50 and max(gathered) == 9  # one more is tried beforehand


def test_a_net_that_diverges_on_pictures_is_taken_back_to_its_last_sound_step(folder):
    found = image_folder(folder, 6, channels=1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    with pytest.raises(NonFiniteError) as caught:
        sl.fit(net, found, loss=lambda y, t: ((y[:, 0] - t.astype(np.float32)) ** 2).mean(), optimizer=optim.SGD(lr=1e6), epochs=50,
               batch_size=10, metrics=[], progress=False)
    assert all(np.isfinite(each.numpy()).all() for each in net.parameters()) and caught.value.run.losses


def test_pictures_are_no_array_of_pixels_until_they_are_read(tmp_path):
    made = Pictures([tmp_path / "nothing.png"] * 1000, (224, 224), 3)
    assert made.shape == (1000, 3, 224, 224) and len(made) == 1000


def test_only_links_are_resolved(folder, tmp_path, monkeypatch):
    (folder / "cat" / "link.pgm").symlink_to(folder / "dog" / "000.pgm")
    resolved, realpath = [], os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path, **options: resolved.append(path) or realpath(path, **options))
    found = image_folder(folder, 6, channels=1)
    assert len(found) == 51 and len(resolved) <= 6
    assert os.path.basename(found.inputs.paths[30]) == "000.pgm"  # what the link leads to
    (folder / "dog" / "out.pgm").symlink_to(tmp_path / "elsewhere.pgm")
    with pytest.raises(DataError, match="it leads out of the folder"):
        image_folder(folder, 6)
    (folder / "dog" / "out.pgm").unlink()
    (tmp_path / "other").mkdir()
    (folder / "fox").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "a.pgm").write_bytes(b"")
    with pytest.raises(DataError, match="it leads out of the folder"):
        image_folder(folder, 6)
