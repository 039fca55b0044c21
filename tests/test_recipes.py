"""The recipes and their networks, images as the nets want them, and a recipe from data to a revived run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import slopes as sl
from slopes import data
from slopes.errors import ArgumentError, DataError, MissingExtraError, SlopesError
from slopes.experiments import classification
from slopes.experiments.catalog import RECIPES, find_recipe
from slopes.experiments.classification import OPTIMIZERS
from slopes.experiments.experiment import Config, Report
from slopes.experiments.image import FRAMES, read_image
from slopes.experiments.load import load
from slopes.experiments.run import draw, run
from slopes.files import save_json
from slopes.train.runs import load_run
from slopes.zoo.networks import lenet, mlp, small_convolution, softmax_regression

LOCAL = Path(os.environ.get("SLOPES_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def count(net) -> int:
    return sum(each.size for each in net.parameters())


@pytest.mark.parametrize("network, shape, parameters", [
    (lenet, (1, 28, 28), 431_080), (mlp, (1, 28, 28), 101_770), (softmax_regression, (1, 28, 28), 7_850),
    (small_convolution, (1, 8, 8), 9_930)])
def test_networks_have_the_published_number_of_parameters(network, shape, parameters):
    assert count(network(shape, 10)) == parameters


def test_lenet_s_layers_have_the_published_shapes():
    x, shapes = sl.zeros((2, 1, 28, 28)), []
    for layer in lenet((1, 28, 28), 10):
        x = layer(x)
        shapes.append(x.shape[1:])
    assert [shapes[i] for i in (0, 2, 3, 5, 6, 7, 9)] == [
        (20, 24, 24), (20, 12, 12), (50, 8, 8), (50, 4, 4), (800,), (500,), (10,)]


@pytest.mark.parametrize("name", RECIPES)
def test_every_hyper_parameter_has_a_default_and_a_reason(name):
    recipe = RECIPES[name]
    for setting in recipe.settings.values():
        assert setting.accepts(setting.default) and len(setting.reason) > 10
    assert recipe.name == name and recipe.expected and recipe.resolve() == {k: v.default for k, v in recipe.settings.items()}


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.predict is classification.predict])
def test_every_recipe_s_network_takes_its_data(name):
    recipe = RECIPES[name]
    assert set(recipe.datasets) <= set(classification.DATASETS) == set(FRAMES)
    shape = (1, FRAMES[recipe.datasets[0]].size, FRAMES[recipe.datasets[0]].size)
    facts = {"name": recipe.datasets[0], "shape": list(shape), "classes": list("0123456789")}
    assert recipe.network(Config(recipe.resolve()), facts, "")(sl.zeros((2, *shape))).shape == (2, 10)


def test_the_default_rate_follows_the_optimizer():
    recipe = RECIPES["lenet"]
    assert recipe.resolve()["rate"] == 1e-3
    assert recipe.resolve(optimizer="momentum")["rate"] == 0.02
    assert recipe.resolve(optimizer="momentum", rate=0.5)["rate"] == 0.5
    assert recipe.resolve(epochs=None)["epochs"] == recipe.settings["epochs"].default


def test_wrong_choices_say_what_there_is():
    with pytest.raises(ArgumentError, match="did you mean 'lenet'"):
        find_recipe("lenett")
    with pytest.raises(ArgumentError, match="recipe digits has no hidden"):
        RECIPES["digits"].resolve(hidden=3)
    with pytest.raises(ArgumentError, match="use mnist or fashion"):
        RECIPES["lenet"].resolve(dataset="digits")
    with pytest.raises(ArgumentError, match="recipe lenet: optimizer is 'adm'\n  use sgd or momentum or adam or adamw"):
        RECIPES["lenet"].resolve(optimizer="adm")
    for name, value, kind in (("epochs", 1.5, "a whole number"), ("rate", "high", "a number"), ("epochs", True, "a whole number")):
        with pytest.raises(ArgumentError, match=f"recipe lenet: {name} is {value!r}\n  use {kind}"):
            RECIPES["lenet"].resolve(**{name: value})


def test_every_optimizer_name_makes_its_optimizer():
    made = {name: make(0.5) for name, make in OPTIMIZERS.items()}
    assert [type(each).__name__ for each in made.values()] == ["SGD", "SGD", "Adam", "AdamW"]
    assert all(float(each.lr) == 0.5 for each in made.values()) and float(made["momentum"].momentum) == 0.9


# From data to a loaded run


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    pytest.importorskip("sklearn")
    return run(RECIPES["digits"], folder=tmp_path_factory.mktemp("runs") / "digits", seed=1, progress=False)


def test_the_digits_recipe_recognises_98_of_100(digits_run):
    assert digits_run.figures["test accuracy"] >= 0.98


def test_a_run_folder_holds_all_and_is_loaded(digits_run):
    assert sorted(each.name for each in digits_run.folder.iterdir()) == [
        "confusion.png", "curve.png", "history.jsonl", "mistakes.png", "run.json", "state.safetensors", "weights.safetensors"]
    loaded = load(digits_run.folder)
    again = sl.evaluate(loaded.net, data.digits().test)
    assert again["accuracy"] == digits_run.figures["test accuracy"] == loaded.record.figures["test accuracy"]
    assert loaded.record.seed == 1 and loaded.record.lines == digits_run.lines and loaded.record.plots == list(digits_run.report.plots)
    assert loaded.facts == {"name": "digits", "shape": [1, 8, 8], "classes": [str(i) for i in range(10)]}
    assert not loaded.net.training


def test_a_run_folder_of_the_first_version_is_loaded_and_predicts(digits_run, tmp_path):
    folder = shutil.copytree(digits_run.folder, tmp_path / "run")
    record = json.loads((folder / "run.json").read_text())
    network = record.pop("networks")[""]
    save_json(folder / "history.json", digits_run.run.history.content(), "slopes.history")
    kept = {name: record[name] for name in ("schema", "made_with", "finished", "recipe", "data")}
    (folder / "run.json").write_text(json.dumps({
        **kept, "version": 1, "hyperparameters": {**record["hyperparameters"], "seed": 1}, "structure": network["structure"],
        "settings": network["settings"], "result": {"loss": 0.1, "accuracy": 0.99}, "interrupted": False,
        "weights_sha256": record["sha256"]["weights.safetensors"]}))
    loaded = load(folder)
    assert loaded.record.version == 1 and loaded.config["channels"] == 16 and loaded.config.seed == 1
    for name, array in digits_run.run.net.state_dict().items():
        assert loaded.net.state_dict()[name].tobytes() == array.tobytes()
    (tmp_path / "one.pgm").write_bytes(b"P5 8 8 255\n" + (data.digits().test.inputs[0, 0] * 255).round().astype("u1").tobytes())
    assert loaded.predict(str(tmp_path / "one.pgm")).text == load(digits_run.folder).predict(str(tmp_path / "one.pgm")).text


def test_a_run_of_an_unknown_recipe_has_figures_but_no_network(digits_run, tmp_path):
    folder = shutil.copytree(digits_run.folder, tmp_path / "run")
    record = (folder / "run.json").read_text()
    (folder / "run.json").write_text(record.replace('"recipe": "digits"', '"recipe": "digit"'))
    loaded = load(folder)
    assert loaded.figures == digits_run.figures and loaded.networks == {}
    with pytest.raises(ArgumentError, match="this slopes has no recipe 'digit', which would build the net"):
        loaded.predict("one.pgm")


@pytest.mark.parametrize("old, new", [('"channels": 16', '"channels": 8'), ('"channels": 16', '"channels": 1000000000000'),
                                      ('"name": "digits"', '"name": "figures"'),
                                      ('"channels": 16', '"channels": "many"'), ('"channels": 16', '"canals": 16'),
                                      ('"shape"', '"shapes"'), ('"classes": [', '"classes": [[],')])
def test_a_run_folder_with_wrong_contents_is_an_error_not_a_crash(digits_run, tmp_path, old, new):
    folder = shutil.copytree(digits_run.folder, tmp_path / "run")
    record = (folder / "run.json").read_text()
    assert old in record
    (folder / "run.json").write_text(record.replace(old, new))
    with pytest.raises(SlopesError):
        load(folder)


def test_test_images_saved_as_files_are_recognised_as_well(digits_run, tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    loaded = load(digits_run.folder)
    test = data.digits().test
    right = 0
    for i in range(20):
        path = tmp_path / f"{i}.png"
        shades = (test.inputs[i, 0] * 255).round().astype(np.uint8)
        image = pillow.fromarray(255 - shades if i % 2 else shades)
        image.resize((8, 8) if i < 10 else (160, 160), pillow.Resampling.BICUBIC).save(path)
        right += loaded.predict(str(path)).text.split()[0] == str(test.targets[i])
    assert right >= 18
    shares = [float(part.split("(")[1].rstrip("%)")) for part in loaded.predict(str(path), top=10).text.split(", ")]
    assert len(shares) == 10 and sum(shares) == pytest.approx(100, abs=0.5) and shares == sorted(shares, reverse=True)


def test_without_matplotlib_the_run_is_saved_without_pictures():
    def missing(*arguments):
        raise MissingExtraError("a picture needs matplotlib, which is not installed", repair="pip install 'slopes[plot]'")

    assert draw(Report({}, [], {"mistakes.png": missing})) == (
        {}, ["no pictures: a picture needs matplotlib, which is not installed; pip install 'slopes[plot]'"])


@pytest.mark.skipif(not (LOCAL / "mnist").is_dir(), reason="no local copy of MNIST")
def test_lenet_learns_mnist_in_a_few_hundred_steps(monkeypatch, tmp_path):
    monkeypatch.setenv("SLOPES_DATA", str(LOCAL))
    splits = data.mnist()
    few = data.Splits(splits.train.subset(slice(0, 6400)), splits.validation.subset(slice(0, 1000)),
                      splits.validation.subset(slice(1000, 3000)))
    monkeypatch.setitem(classification.DATASETS, "mnist", lambda: few)
    result = run(RECIPES["lenet"], {"epochs": 2}, tmp_path / "run", progress=False)
    assert result.figures["test accuracy"] > 0.94
    assert load_run(result.folder).hyperparameters["dataset"] == "mnist"


# Images


def drawn(size: int, digit_shade: int, paper: int, mode: str = "L"):
    """A one, drawn off the middle."""
    draw = pytest.importorskip("PIL.ImageDraw")
    image = pytest.importorskip("PIL.Image").new("L", (size, size), paper)
    draw.Draw(image).rectangle([size * 0.6, size * 0.1, size * 0.7, size * 0.7], fill=digit_shade)
    return image.convert(mode)


@pytest.mark.parametrize("ending", ["png", "jpg", "pgm"])
@pytest.mark.parametrize("shade, paper", [(0, 255), (255, 0), (60, 200), (200, 60)])
def test_any_shades_and_sizes_become_light_on_dark_in_the_frame(tmp_path, ending, shade, paper):
    path = tmp_path / f"one.{ending}"
    drawn(300, shade, paper).save(path)
    found = read_image(path, "mnist")
    assert found.shape == (1, 28, 28) and found.dtype == np.float32
    assert 0.9 < found.max() <= 1 and found[0, 0, 0] < 0.05
    rows, columns = (np.flatnonzero((found[0] > 0.5).any(axis=axis)) for axis in (1, 0))
    assert 18 <= rows[-1] - rows[0] + 1 <= 20 and 2 <= len(columns) <= 5
    weights = found[0] / found[0].sum()
    centre = [(weights.sum(axis=1 - axis) * (np.arange(28) + 0.5)).sum() for axis in (0, 1)]
    assert np.abs(np.array(centre) - 14).max() < 1


def test_light_from_one_side_is_taken_away(tmp_path):
    shades = np.full((90, 120), 180.0) + np.linspace(-30, 30, 120)
    shades[20:60, 50:58] -= 100
    (tmp_path / "lit.pgm").write_bytes(b"P5 120 90 255\n" + shades.astype(np.uint8).tobytes())
    found = read_image(tmp_path / "lit.pgm", "mnist")[0]
    rows, columns = (np.flatnonzero((found > 0.1).any(axis=axis)) for axis in (1, 0))
    assert len(rows) == 20 and 4 <= len(columns) <= 6


def test_an_image_of_the_data_s_own_size_is_taken_as_it_is(tmp_path):
    shades = np.zeros((28, 28), np.uint8)
    shades[3:9, 4:7] = 200
    for name, stored in (("dark", shades), ("light", 255 - shades)):
        path = tmp_path / f"{name}.pgm"
        path.write_bytes(b"P5 28 28 255\n" + stored.tobytes())
        np.testing.assert_allclose(read_image(path, "mnist")[0], shades / 255, atol=1e-6)


def test_transparent_paper_is_white(tmp_path):
    image = drawn(100, 0, 255).convert("LA")
    image.putalpha(image.getchannel("L").point(lambda shade: 255 - shade))
    image.save(tmp_path / "clear.png")
    found = read_image(tmp_path / "clear.png", "digits")
    assert found.shape == (1, 8, 8) and found.max() == 1 and np.median(found) == 0


def test_images_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "empty.pgm").write_bytes(b"P5 40 40 255\n" + b"\x80" * 1600)
    with pytest.raises(DataError, match="nearly one shade"):
        read_image(tmp_path / "empty.pgm", "mnist")
    ramp = np.tile(np.arange(40, dtype=np.uint8) * 5, 40)
    (tmp_path / "ramp.pgm").write_bytes(b"P5 40 40 255\n" + ramp.tobytes())
    with pytest.raises(DataError, match="nearly one shade"):
        read_image(tmp_path / "ramp.pgm", "mnist")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match=r"text\.png"):
        read_image(tmp_path / "text.png", "mnist")
    with pytest.raises(DataError, match="there is no such file"):
        read_image(tmp_path / "none.png", "mnist")
