"""Pictures of a data set written as a folder of PNG files: read again they are the same, the folder is whole or not there."""

from __future__ import annotations

import numpy as np
import pytest
from toy_pictures import CLASSES, toys

from slopes.data import Dataset, image_folder, save_image_folder
from slopes.errors import ArgumentError, SaveError, ShapeError

image = pytest.importorskip("PIL.Image")

@pytest.mark.parametrize("channels", [1, 3])
def test_a_data_set_written_as_a_folder_and_read_is_the_same_to_a_shade(channels, tmp_path):
    made = toys(12, channels)
    folder = save_image_folder(made, tmp_path / "new" / "toys")
    assert sorted(each.name for each in folder.iterdir()) == ["Bag", "Coat-cape"]
    assert [each.name for each in folder.parent.iterdir()] == ["toys"]
    assert sorted(each.name for each in (folder / "Coat-cape").iterdir()) == [f"{number:02d}.png" for number in range(0, 12, 2)]
    found = image_folder(folder, 8, channels).load()
    order = np.argsort(1 - made.targets, kind="stable")  # a bag comes before a coat
    np.testing.assert_allclose(found.inputs, made.inputs[order].clip(0, 1), atol=0.5 / 255 + 1e-6)
    assert found.targets.tolist() == sorted(found.targets.tolist())


def test_pictures_are_written_in_the_size_asked_for_and_values_beyond_are_cut_off(tmp_path):
    made = Dataset(np.array([[[[-1.0, 2.0]]]]), [0], ("a",))
    folder = save_image_folder(made, tmp_path / "all", size=(1, 4))
    with image.open(folder / "a" / "0.png") as found:
        assert found.size == (4, 1) and np.asarray(found).tolist() == [[0, 0, 255, 255]]


def test_a_folder_of_pictures_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(*given, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(SaveError, match="No space left"):
        broken.setattr(image.Image, "save", full)
        save_image_folder(toys(4), tmp_path / "toys")
    assert list(tmp_path.iterdir()) == []
    save_image_folder(toys(4), tmp_path / "toys")
    with pytest.raises(SaveError, match="toys is there already"):
        save_image_folder(toys(4), tmp_path / "toys")


@pytest.mark.parametrize("made, error, text", [
    (Dataset(np.zeros((2, 4)), [0, 1], CLASSES), ShapeError, r"float32 of shape \(2, 4\)"),
    (Dataset(np.zeros((2, 1, 2, 2), np.uint8), [0, 1], CLASSES), ShapeError, "uint8 of shape"),
    (Dataset(np.zeros((2, 1, 2, 2)), [0, 1]), ArgumentError, "has no classes"),
    (Dataset(np.zeros((2, 1, 2, 2)), [0, 1], ("A/b", "a:B")), ArgumentError, "not all folders of their own"),
    (Dataset(np.zeros((2, 1, 2, 2)), [0, 1], ("", "b")), ArgumentError, "not all folders of their own")])
def test_what_is_no_set_of_pictures_in_classes_is_not_written(made, error, text, tmp_path):
    with pytest.raises(error, match=text):
        save_image_folder(made, tmp_path / "toys")
    assert not (tmp_path / "toys").exists()
