"""slopes train images: pictures of any kind in a folder become a run that predicts files and says how good it is."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401

from slopes.data import Dataset
from slopes.errors import ArgumentError, DataError
from slopes.experiments.experiment import Config
from slopes.experiments.load import load
from slopes.experiments.own import classifier
from slopes.experiments.own.account import cautious_temperature
from slopes.experiments.own.classifier import OwnFiles
from slopes.experiments.own.division import divide, equal_files
from slopes.experiments.own.images import experiment, network, network_name, vary
from slopes.experiments.own.labelled_files import from_subfolders, labelled_files
from slopes.experiments.own.pictures import KIND, choose_size, pixel_features, read_pictures
from slopes.files.images import ImageHeader, image_header
from slopes.tensor import asarray

Image = pytest.importorskip("PIL.Image")
CLASSES = ("dark", "light")


def picture(label: int, i: int, size: tuple[int, int] = (8, 8), channels: int = 1) -> np.ndarray:
    """A noisy picture, dark or light."""
    shape = (*size, channels) if channels > 1 else size
    return (np.random.default_rng((label, i)).integers(0, 100, shape) + 150 * label).astype(np.uint8)


def write(folder, count: int = 14, **options) -> None:
    """A folder of PNG files, `count` of each class."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(picture(label, i, **options)).save(folder / name / f"{i:02d}.png")


def config(folder, **values) -> Config:
    return Config(experiment.resolve(folder=str(folder), **values))


def record(folder) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of pictures, one of them broken and one a copy, and a run on them."""
    home = tmp_path_factory.mktemp("images")
    write(home / "pictures")
    (home / "pictures" / "dark" / "broken.png").write_bytes(b"")
    (home / "pictures" / "dark" / "notes.txt").write_text("no picture")
    shutil.copy(home / "pictures" / "light" / "00.png", home / "pictures" / "light" / "copy.png")
    result = slopes("train", "images", home / "pictures", "--skip-broken", "--epochs", 2, "--rate", 0.01, "--out", home / "run")
    assert result.exit_code == 0, result.output
    return home, result


def test_the_run_says_what_was_understood_and_how_good_the_network_is(trained):
    home, result = trained
    kept = "\n".join(record(home / "run")["lines"])
    for line in ("29 in 2 classes", "8 x 8 pixels", "grey 29", "grey: all are stored so", "the size of all of them",
                 "1 picture cannot be read, and is left out", "dark/broken.png: contents: the file is empty",
                 "1 file with other endings left out: .txt (1)", "1 picture is a copy of others", "network: convolution",
                 "most frequent class", "linear model", "best: validation loss"):
        assert line in kept, line
        assert line in result.stderr or line in result.stdout
    figures = record(home / "run")["figures"]
    assert {"test accuracy", "temperature", "linear model: accuracy", "most frequent class: log loss"} <= figures.keys()
    facts = record(home / "run")["data"]
    assert facts["classes"] == list(CLASSES) and facts["size"] == 8 and facts["channels"] == 1 and facts["broken"] == ["dark/broken.png"]
    assert record(home / "run")["plots"] == ["curve.png", "mistakes.png", "regions.png", "confusion.png"]


def test_files_and_folders_are_predicted(trained):
    home, _ = trained
    one = slopes("predict", home / "run", home / "pictures" / "dark" / "03.png", "--top", 2)
    assert one.exit_code == 0 and "dark (" in one.stdout and "light (" in one.stdout
    every = slopes("predict", home / "run", home / "pictures" / "light")
    assert every.stdout.count("\n  ") == 15 and "copy.png: " in every.stdout
    table = slopes("predict", home / "run", home / "pictures", home / "pictures" / "light" / "01.png", "--out", home / "made.csv")
    assert table.exit_code == 0 and "1 picture cannot be read, and has no row" in table.stderr, table.output
    rows = list(csv.DictReader(io.StringIO((home / "made.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["file", "class", "probability", "P(dark)", "P(light)"] and len(rows) == 30
    assert all(abs(float(row["P(dark)"]) + float(row["P(light)"]) - 1) < 1e-5 and row["class"] in CLASSES for row in rows)
    assert rows[-1]["file"].endswith("01.png") and slopes("predict", home / "run", home / "nowhere.png").exit_code == 1


def test_probabilities_are_those_of_the_calibrated_network(trained):
    home, _ = trained
    run = load(home / "run")
    row = next(iter(run.predict_rows([str(home / "pictures" / "dark" / "05.png")]).rows))
    x = picture(0, 5)[None, None] / np.float32(255)
    logits = run.net(asarray(x)).numpy()[0].astype(np.float64) / run.record.figures["temperature"]
    assert np.allclose(row[3:], np.exp(logits) / np.exp(logits).sum(), atol=1e-4)


def test_a_few_right_answers_make_no_later_one_certain():
    logits = np.eye(4)[np.arange(20) % 4] * 3
    temperature = cautious_temperature(logits, np.arange(20) % 4)
    assert 0.8 < 1 / (1 + 3 * np.exp(-3 / temperature)) < 0.99
    assert cautious_temperature(logits, (np.arange(20) + 1) % 4) > 10  # all wrong: nothing is known


def test_a_folder_with_known_classes_is_evaluated(trained):
    home, _ = trained
    shown = slopes("evaluate", home / "run", home / "pictures").stdout
    assert "29 examples: accuracy" in shown and f"1 picture cannot be read, and left out: {home / 'pictures' / 'dark'}" in shown
    write(home / "zoo", 1)
    (home / "zoo" / "light").rename(home / "zoo" / "zebra")
    unknown = slopes("evaluate", home / "run", home / "zoo")
    assert unknown.exit_code == 1 and "zebra: class: 'zebra' was not learned" in unknown.stderr and "dark, light" in unknown.stderr


def test_a_run_is_continued_with_the_same_pictures_only(trained):
    home, _ = trained
    shutil.copytree(home / "run", home / "longer")
    fewer = slopes("train", "images", "--resume", home / "longer", "--epochs", 1)
    assert fewer.exit_code == 1 and "it has 2 of them" in fewer.stderr
    more = slopes("train", "images", "--resume", home / "longer", "--epochs", 3)
    assert more.exit_code == 0, more.output
    lines = [len((home / name / "history.jsonl").read_text(encoding="utf-8").splitlines()) for name in ("run", "longer")]
    assert lines[0] < lines[1]
    shutil.copytree(home / "pictures", home / "others")
    Image.fromarray(picture(0, 99)).save(home / "others" / "dark" / "00.png")
    other = slopes("train", "images", home / "others", "--resume", home / "longer", "--epochs", 4)
    assert other.exit_code == 1 and "cannot be continued with" in other.stderr


def test_a_report_is_written(trained):
    home, _ = trained
    assert slopes("report", home / "run", "--out", home / "report.html").exit_code == 0
    page = (home / "report.html").read_text(encoding="utf-8")
    assert "linear model" in page and 'alt="mistakes.png"' in page and "notes.txt" not in page


def test_the_help_has_examples():
    shown = slopes("train", "images", "--help").output
    assert "slopes train images FOLDER --skip-broken --balanced" in shown and "--size INTEGER" in shown and "[default: 0]" in shown


# What is understood


def test_pictures_of_all_modes_are_read(tmp_path):
    write(tmp_path / "a", 4, size=(40, 30), channels=3)
    grey, colour = picture(0, 1, (20, 30)), picture(1, 1, (20, 30), 3)
    special = {"bilevel.png": Image.fromarray(grey).convert("1"), "wide.png": Image.fromarray(grey.astype(np.uint16) * 256),
               "palette.png": Image.fromarray(colour).convert("P"), "cmyk.jpg": Image.fromarray(colour).convert("CMYK"),
               "clear.png": Image.fromarray(colour).convert("RGBA"), "alpha.png": Image.fromarray(grey).convert("LA")}
    for name, image in special.items():
        image.save(tmp_path / "a" / "dark" / name)
    turned = Image.Exif()
    turned[274] = 6
    Image.fromarray(colour).save(tmp_path / "a" / "dark" / "turned.jpg", exif=turned)
    frames = [Image.fromarray(colour), Image.fromarray(colour[::-1])]
    frames[0].save(tmp_path / "a" / "dark" / "moving.png", save_all=True, append_images=frames[1:])
    (tmp_path / "a" / "dark" / "plain.pgm").write_bytes(b"P5 2 2 255 " + bytes(range(4)))
    files = read_pictures(config(tmp_path / "a"))
    text = "\n".join(files.lines)
    for line in ("colour 10", "16-bit grey 1", "black and white 1", "palette 1", "CMYK 1", "grey with alpha 1", "colour with alpha 1",
                 "colour: 13 of 13 that were looked at have colour", "1 picture animated: the first frame is read",
                 "1 picture rotated by EXIF: it is turned upright",
                 "2 pictures with transparency: white is put behind them", "1 picture in CMYK: it is converted to RGB"):
        assert line in text, (line, text)
    assert files.train.inputs.shape[1:] == (3, 16, 16) and files.facts["channels"] == 3
    header = image_header(tmp_path / "a" / "dark" / "turned.jpg")
    assert (header.width, header.height, header.rotated) == (20, 30, True)
    assert image_header(tmp_path / "a" / "dark" / "moving.png").animated


def test_pictures_without_colour_are_read_as_grey(tmp_path):
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.fromarray(np.repeat(picture(label, i)[..., None], 3, axis=2)).save(tmp_path / name / f"{i}.png")
    files = read_pictures(config(tmp_path))
    assert files.facts["channels"] == 1 and any("none of the 20 that were looked at has colour" in line for line in files.lines)
    assert read_pictures(config(tmp_path, colour="colour", size=6)).train.inputs.shape[1:] == (3, 6, 6)


@pytest.mark.parametrize("sides, size, reason", [([(28, 28)] * 3, 28, "the size of all"), ([(20, 30), (64, 50), (42, 42)], 32, "32, 48"),
                                                 ([(3, 3), (5, 5)], 8, "median"), ([(640, 480), (480, 640)], 96, "480")])
def test_the_size_is_chosen_by_the_pictures(sides, size, reason):
    chosen, why = choose_size([ImageHeader(*side, "L") for side in sides], 0)
    assert chosen == size and reason in why
    with pytest.raises(ArgumentError, match="--size 3"):
        choose_size([ImageHeader(*side, "L") for side in sides], 3)


@pytest.mark.parametrize("name, size", [("convolution", 8), ("lenet", 16), ("small-resnet", 8), ("resnet", 32)])
def test_every_net_sees_pictures(name, size):
    facts = {"classes": ["a", "b", "c"], "channels": 3, "size": size, "mean": [0.5] * 3, "std": [0.2] * 3, "network": name}
    assert network({"width": 2}, facts, "")(asarray(np.zeros((2, 3, size, size), np.float32))).shape == (2, 3)
    with pytest.raises(ValueError, match="pictures of shape"):
        network({"width": 2}, facts | {"size": 10**6}, "")


@pytest.mark.parametrize("asked, size, channels, name", [
    ("auto", 8, 1, "convolution"), ("auto", 32, 1, "lenet"), ("auto", 32, 3, "small-resnet"), ("auto", 64, 1, "resnet"),
    ("resnet", 8, 1, "resnet")])
def test_the_net_is_chosen_by_size_and_colour(asked, size, channels, name):
    assert network_name({"net": asked}, size, channels) == name


def test_simpler_models_learn_from_some_pictures_where_there_are_many(monkeypatch):
    draw = np.random.default_rng(0)
    targets = np.arange(60) % 2
    part = Dataset(draw.random((60, 1, 4, 4)) + targets[:, None, None, None], targets, CLASSES)
    files, notes = OwnFiles(part, part, part, [], {"classes": list(CLASSES)}), []
    monkeypatch.setattr(classifier, "MOST_ROWS", 20)
    monkeypatch.setattr(classifier, "MOST_WORK", 100)
    models = classifier.simpler_models(files, pixel_features, 0, notes)
    assert list(models) == ["most frequent class", "linear model"] and (models["linear model"].argmax(axis=1) == targets).all()
    assert "learned from 20 of the 60" in notes[0] and "not compared with gradient boosting: 20 x 16 values" in notes[1]


def test_pictures_of_memory_and_of_the_disk_are_the_same(tmp_path, monkeypatch):
    write(tmp_path / "a", size=(10, 12))
    memory = read_pictures(config(tmp_path / "a"))
    monkeypatch.setattr("slopes.experiments.own.pictures.IN_MEMORY", 100)
    disk = read_pictures(config(tmp_path / "a"))
    assert type(memory.train) is not type(disk.train) and memory.facts == disk.facts and memory.test_names == disk.test_names
    for side in ("train", "validation", "test"):
        ours, theirs = getattr(memory, side), getattr(disk, side)
        assert np.array_equal(ours.inputs, theirs.inputs[:]) and np.array_equal(ours.targets, theirs.targets)


def test_the_table_of_labels_takes_the_place_of_subfolders(tmp_path):
    write(tmp_path / "a")
    table = tmp_path / "labels.csv"
    rows = [f"{name}/{i:02d}.png;{'night' if name == 'dark' else 'day'}" for name in CLASSES for i in range(14)]
    table.write_text("\n".join(["name;kind", *rows, rows[0], "dark/00.png;"]), encoding="utf-8")
    options = {"labels": str(table), "file_column": "name", "class_column": "kind"}
    labelled = labelled_files(config(tmp_path / "a", **options), KIND)
    assert labelled.classes == ("day", "night") and len(labelled) == 28 and "1 rows without a class" in labelled.notes[-1]
    assert labelled.classes[labelled.targets[labelled.paths.index(str(tmp_path / "a" / "dark" / "03.png"))]] == "night"
    with pytest.raises(DataError, match="no column 'file'"):
        labelled_files(config(tmp_path / "a", labels=str(table)), KIND)
    for line, message in (("dark/00.png;day", "'day', but 'night'"), (";day", "it is empty"), ("../../x.png;day", "leads out of")):
        table.write_text("\n".join(["name;kind", *rows, line]), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            labelled_files(config(tmp_path / "a", **options), KIND)


def test_copies_are_on_one_side_and_not_learned_from_where_they_test(tmp_path):
    write(tmp_path / "a", 20)
    write(tmp_path / "later", 5)
    for i in range(10):
        shutil.copy(tmp_path / "a" / "dark" / f"{i:02d}.png", tmp_path / "a" / "dark" / f"copy-{i}.png")
    shutil.copy(tmp_path / "a" / "dark" / "00.png", tmp_path / "a" / "light" / "doubtful.png")
    labelled = labelled_files(config(tmp_path / "a"), KIND)
    groups, division = equal_files(labelled.paths), divide(labelled, KIND, 0)
    sides = [set(groups[side].tolist()) for side in (division.train, division.validation, division.test)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2] and sum(map(len, sides)) == 40
    assert len(division.train) + len(division.validation) + len(division.test) == 51
    assert "11 pictures are copies" in division.notes[0] and "copies in two classes: " in division.notes[1]
    labelled = labelled_files(config(tmp_path / "a", test=str(tmp_path / "later")), KIND)
    division = divide(labelled, KIND, 0)
    assert len(division.test) == 10 and (labelled.part[division.test] == 2).all() and "left out elsewhere" in division.notes[1]
    tested = {os.path.basename(labelled.paths[i]) for i in division.test}
    assert not any(labelled.name(i) in {f"dark/{name}" for name in tested} for i in division.train)


def test_rare_classes_are_named_and_weigh_the_same_on_request(tmp_path):
    write(tmp_path / "a", 40)
    (tmp_path / "a" / "rare").mkdir()
    Image.fromarray(picture(0, 50)).save(tmp_path / "a" / "rare" / "only.png")
    files = read_pictures(config(tmp_path / "a"))
    assert any("classes with few pictures: rare (1)" in line for line in files.lines)
    assert any("classes of which no picture is tested with: rare" in line for line in files.lines)


def test_augmentation_moves_mirrors_and_hides():
    x = asarray(np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8) / 64)
    assert vary("none", 8) is None
    for strength in ("shift", "mirror", "strong"):
        change = vary(strength, 8)
        changed = [change(x, asarray(np.zeros(1, np.int64)))[0].numpy() for _ in range(4)]
        assert all(y.shape == (1, 1, 8, 8) and y.min() >= 0 and y.max() <= 1 for y in changed)
        assert any((y != x.numpy()).any() for y in changed)


# Bad input


def png(width: int, height: int) -> bytes:
    """A small PNG file that claims to be large."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("content, message", [(b"", "the file is empty"), (png(30_000, 30_000), "900000000 pixels"),
                                              (b"GIF89a...", "neither PNG"), (png(8, 8)[:-30], "not a readable image")],
                         ids=["empty", "huge", "gif", "cut"])
def test_a_broken_picture_is_an_error_that_names_it(tmp_path, content, message):
    write(tmp_path / "a")
    (tmp_path / "a" / "dark" / "broken.png").write_bytes(content)
    result = slopes("train", "images", tmp_path / "a", "--epochs", 1, "--out", tmp_path / "run")
    assert result.exit_code == 1 and all(part in result.stderr for part in ("broken.png: ", message, "--skip-broken"))
    assert not (tmp_path / "run").exists()


def test_folders_that_are_none_are_refused(tmp_path, monkeypatch):
    def refusal(folder, **values) -> str:
        with pytest.raises(DataError) as caught:
            read_pictures(config(folder, **values))
        return str(caught.value)

    assert "there is no such folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "file.png").write_bytes(b"")
    assert "it is a file" in refusal(tmp_path / "file.png") and "it has no subfolders" in refusal(tmp_path)
    write(tmp_path / "few", 1)
    assert "no picture is left to choose the epoch" in refusal(tmp_path / "few")
    shutil.rmtree(tmp_path / "few" / "light")
    assert "there is only one, 'dark'" in refusal(tmp_path / "few")
    (tmp_path / "few" / "empty").mkdir()
    assert "there is no picture in it" in refusal(tmp_path / "few")
    (tmp_path / "few" / "empty" / "broken.png").write_bytes(b"")
    assert "every picture of class 'empty' is broken" in refusal(tmp_path / "few", skip_broken=True)
    write(tmp_path / "same")
    write(tmp_path / "test")
    assert "is left to learn from" in refusal(tmp_path / "same", test=str(tmp_path / "test"))
    (tmp_path / "test" / "dark").rename(tmp_path / "test" / "unknown")
    assert "'unknown' was not learned" in refusal(tmp_path / "same", test=str(tmp_path / "test"))

    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(DataError, match="Permission denied"):
        from_subfolders(str(tmp_path / "same"), KIND)


def test_a_net_that_the_size_does_not_allow_is_refused(tmp_path):
    write(tmp_path / "a")
    result = slopes("train", "images", tmp_path / "a", "--net", "lenet", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "lenet" in result.stderr and "16" in result.stderr
