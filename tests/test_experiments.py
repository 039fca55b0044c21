"""Experiments: figures on few examples, run folders and predictions, formulas and points, the command line, the report."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

import slopes as sl
from slopes import data, nn
from slopes.errors import ArgumentError, DataError
from slopes.experiments import classification, report
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Config, Experiment, Learn, Report, Result, Setting
from slopes.experiments.formula import FUNCTIONS, formula
from slopes.experiments.load import load
from slopes.experiments.points import KINDS, points
from slopes.experiments.recipes import approximate, autoencoder, compare, features, perceptron
from slopes.experiments.run import run
from slopes.files import save_json
from slopes.zoo.networks import mlp


def few(count: int = 300) -> data.Splits:
    """Pictures like MNIST's: scikit-learn's digits with a wide border."""
    digits = data.digits()
    parts = [data.Dataset(np.pad(np.repeat(np.repeat(part.inputs[:count], 3, 2), 3, 3), ((0, 0), (0, 0), (2, 2), (2, 2))),
                          part.targets[:count], part.classes) for part in (digits.train, digits.validation, digits.test)]
    return data.Splits(*parts)


# Figures


def test_the_perceptron_separates_two_digits_and_says_that_it_cannot_do_xor(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptron.data, "mnist", partial(few, 2000))
    found = run(perceptron.recipe, folder=tmp_path, progress=False)
    accuracy, converged, solved = found.figures.values()
    loaded = load(tmp_path)
    for i, shown in enumerate(found.data[1].inputs[:4, 0]):
        (tmp_path / "digit.pgm").write_bytes(b"P5 28 28 255\n" + (shown * 255).round().astype("u1").tobytes())
        assert loaded.predict(str(tmp_path / "digit.pgm")).text == str(found.learned("digits").predict(found.data[1].inputs[i:i + 1])[0])
    assert accuracy > 0.95 and converged == 0 and solved == 1
    assert any("did not converge" in line for line in found.lines)


def test_a_function_given_as_text_is_approximated_to_a_hundredth(tmp_path):
    found = run(approximate.recipe, {"steps": 800, "function": "cos(2 x)"}, tmp_path, log=print)
    assert found.figures["largest error"] < 1e-2 < found.figures["with 2 units"]
    assert list(found.networks) == ["2", "4", "8", "32"]
    loaded = load(tmp_path)
    assert float(loaded.predict("0.5").text) == pytest.approx(np.cos(1), abs=1e-2)
    for item, text in (("half", "'half' is not a number"), ("4", "x = 4 is outside the interval")):
        with pytest.raises(DataError, match=text):
            loaded.predict(item)
    with pytest.raises(ArgumentError, match="is not a finite function of an interval"):
        run(approximate.recipe, {"function": "log(x)"}, tmp_path)


def test_given_features_help_where_they_fit_and_learned_ones_everywhere(monkeypatch):
    monkeypatch.setattr(features, "KINDS", {kind: KINDS[kind] for kind in ("circle", "xor")})
    found = run(features.recipe, progress=False)
    assert found.figures["network, worst set"] >= 0.97
    assert found.figures["linear, best of circle, xor, spirals"] <= 0.7
    assert found.figures["circle in polar coordinates"] > 0.99 and found.figures["xor with crosses"] > 0.99


def test_three_kinds_of_models_are_compared(tmp_path, monkeypatch):
    for module in (compare, features):
        monkeypatch.setattr(module, "KINDS", {"circle": KINDS["circle"]})
    found = run(compare.recipe, {"epochs": 100}, tmp_path, progress=False)
    assert (tmp_path / "boundaries.png").exists()
    assert found.figures["circle, network"] > 0.95 > 0.7 > found.figures["circle, regression"]
    assert found.figures["digits, network"] > found.figures["digits, tree"]


def test_auto_encoders_are_measured_beside_pca(tmp_path):
    decomposition = pytest.importorskip("sklearn.decomposition")
    train, new = (part.inputs for part in (data.digits().train, data.digits().test))
    error, _ = autoencoder.pca_error(train, new, 10)
    theirs = decomposition.PCA(10, svd_solver="full").fit(train.reshape(len(train), -1))
    rows = new.reshape(len(new), -1)
    assert error == pytest.approx(np.mean((theirs.inverse_transform(theirs.transform(rows)) - rows) ** 2), rel=1e-4)
    config = Config({"code": 10, "epochs": 10})
    net = autoencoder.autoencoders.linear((1, 8, 8), 10)
    sl.fit(net, data.Dataset(train, train), loss=net.loss, optimizer=sl.optim.Adam(lr=1e-2), epochs=20, batch_size=64, schedule="cosine",
           progress=False)
    assert 0.99 * error < np.mean((autoencoder.rebuilt(net, new) - new) ** 2) < 1.3 * error
    assert autoencoder.training(config, data.digits(), "linear", net).options["epochs"] == 20
    nets = dict.fromkeys(("sparse", "denoising"), autoencoder.autoencoders.sparse((1, 8, 8), 8))
    nets |= {"deep": net, "variational": autoencoder.variational((1, 8, 8), 3, 8)}
    found = autoencoder.compared(nets, {"PCA": error, "deep": error / 2, "linear": error}, {"input": new[:5, 0]}, new, 0)
    assert found.figures["deep / PCA"] == 0.5 and 0 < found.figures["mean activity, sparse"] < 1


def test_an_autoencoder_rebuilds_a_picture_of_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(autoencoder.data, "mnist", partial(few, 64))
    monkeypatch.chdir(tmp_path)
    result = run(autoencoder.recipe, {"code": 4, "epochs": 2}, tmp_path / "run", progress=False)
    assert list(load(tmp_path / "run").networks) == ["linear", "deep", "sparse", "denoising", "variational"]
    image = result.data.test.inputs[0]
    Path("one.pgm").write_bytes(b"P5 28 28 255\n" + (image[0] * 255).round().astype("u1").tobytes())
    for name in ("one-1.png", "one-2.png"):  # no file is overwritten
        said = slopes("predict", "run", "one.pgm").stdout
        assert said.startswith("one.pgm: rebuilt from 4 numbers: mean squared error 0.") and said.endswith(f", saved as {name}\n")
    picture = data.load_image("one-1.png")
    shown = autoencoder.rebuilt(result.networks["deep"], np.rint(image * 255)[None].astype(np.float32) / 255)[0]
    np.testing.assert_allclose(picture, np.clip(shown, 0, 1), atol=0.003)
    assert slopes("predict", "run", "one.pgm", "--out", tmp_path / "new").exit_code == 1



# What they write


def tiny(figure: float = 0.5) -> Experiment:
    """An experiment of one part that learns nothing."""
    def report(result: Result) -> Report:
        result.config.log("here")
        return Report({"accuracy": figure + result.config.seed / 100 + result.config["extra"]}, ["one line"])

    return Experiment(name="tiny", caption="an experiment about nothing", expected="half", data=lambda config: None,
                      training=lambda config, data, name, net: Learn(lambda: None), report=report,
                      settings={"extra": Setting(0.0, "added to the figure")})


def test_an_experiment_leaves_its_figures_settings_and_seed(tmp_path):
    logged: list[str] = []
    result = run(tiny(), {"extra": 0.25}, tmp_path / "new", seed=2, log=logged.append)
    record = json.loads((result.folder / "run.json").read_text())
    assert record["figures"] == {"accuracy": 0.77} and record["hyperparameters"] == {"extra": 0.25} and record["seed"] == 2
    assert logged == ["here"] and record["lines"] == ["one line"] and record["networks"] == {}
    with pytest.raises(ArgumentError, match="recipe tiny has no epochs"):
        run(tiny(), {"epochs": 3})


class Interrupting(Learn):
    """A part that Ctrl-C ends."""

    def run(self, net, seed, callbacks=(), state=None):
        return replace(super().run(net, seed, callbacks, state), interrupted=True)


def test_parts_after_an_interrupted_one_are_not_trained_and_what_was_is_saved(tmp_path, monkeypatch):
    def training(config, data, name, net):
        return (Interrupting if name == "b" else Learn)(lambda: None)

    several = replace(tiny(), parts=lambda config: ("a", "b", "c", "d"), training=training, network=lambda *args: nn.Linear(2, 1))
    monkeypatch.setitem(RECIPES, "tiny", several)
    result = run(several, folder=tmp_path, log=print)
    assert result.interrupted and list(result.networks) == ["a", "b"] and result.figures == {}
    assert result.lines == ["interrupted before c, d were trained: nothing was measured"]
    loaded = load(tmp_path)
    assert list(loaded.networks) == ["a", "b"] and loaded.record.interrupted


def test_networks_begin_with_the_seed_or_are_drawn_from_one_stream():
    several = replace(tiny(), parts=lambda config: ("a", "b"), network=lambda *args: nn.Linear(2, 1))
    weights = [[net.weight.numpy().tolist() for net in run(experiment, seed=3, progress=False).networks.values()]
               for experiment in (several, replace(several, one_stream=True))]
    assert weights[0][0] == weights[0][1] == weights[1][0] != weights[1][1]


def test_the_default_stream_of_random_numbers_is_left_alone():
    sl.seed(5)
    run(replace(tiny(), network=lambda *args: nn.Linear(2, 1)), progress=False)
    after = sl.normal(3).tolist()
    sl.seed(5)
    assert sl.normal(3).tolist() == after


def test_the_command_runs_an_experiment_and_does_not_overwrite_it(tmp_path):
    arguments = ("train", "approximate", "--function", "x/2", "--hidden", 4, "--steps", 30, "--low", -1, "--out", tmp_path / "run")
    result = slopes(*arguments)
    assert result.exit_code == 0 and "units: largest error" in result.stdout
    assert "fits.png, history-2.jsonl, history-4.jsonl, run.json" in result.stdout
    assert "this folder already holds a run" in slopes(*arguments).stderr
    helped = slopes("train", "approximate", "--help").stdout
    assert "Expected: largest error below 0.01" in " ".join(helped.split()) and "[default: 32]" in " ".join(helped.split())
    listed = slopes("train", "--list").stdout
    assert all(name in listed for name in RECIPES)


# Formulas and points


@pytest.mark.parametrize("text, wanted", [
    ("2x", lambda x: 2 * x), ("x^2 - 3x + 1", lambda x: x ** 2 - 3 * x + 1), ("-x", lambda x: -x), ("3", lambda x: 0 * x + 3),
    ("(x+1)(x-1)", lambda x: x * x - 1), ("2 pi x", lambda x: 2 * np.pi * x),
    ("exp(-x^2/2) sin(5 x)", lambda x: np.exp(-x * x / 2) * np.sin(5 * x)),
    ("1e-1 x", lambda x: 0.1 * x), ("0.5sqrt(abs(x))", lambda x: 0.5 * np.sqrt(np.abs(x))), ("x x", lambda x: x * x)])
def test_a_formula_has_another_value(text, wanted):
    x = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(formula(text)(x), wanted(x), atol=1e-12)


@pytest.mark.parametrize("text, why", [
    ("y + 1", "'y' is unknown"), ("sin(x, 2)", "one argument"), ("__import__('os')", "a function is a known name"), ("x.real", "no place"),
    ("'x'", "is no number"), ("x +", "is not understood"), ("", "is not understood"), ("x < 1", "no place"),
    ("(" * 300 + ")" * 300, "characters"), ("sin", "needs an argument"), ("[x for x in x]", "invalid syntax"), ("True", "no number")])
def test_what_is_no_formula_is_refused(text, why):
    with pytest.raises(ArgumentError, match=why):
        formula(text)(np.zeros(2))


def test_every_function_of_formulas_can_be_called():
    for name in FUNCTIONS:
        assert np.isfinite(formula(f"{name}(x)")(np.array([0.5, 1.0]))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_the_same_for_one_seed_and_half_of_each_class(kind):
    (x, y), (again, _), (other, _) = points(kind, 101, seed=1), points(kind, 101, seed=1), points(kind, 101, seed=2)
    assert np.array_equal(x, again) and not np.array_equal(x, other) and y.sum() == 50
    assert x.dtype == np.float32 and np.isfinite(x).all()
    with pytest.raises(ArgumentError, match="no kind of points"):
        points("moon")


# The report


@pytest.fixture
def recipes(monkeypatch):
    """The report knows one recipe, which counts its runs by their seeds."""
    seeds: list[int] = []
    experiment = tiny()
    counted = replace(experiment, data=lambda config: seeds.append(config.seed))
    monkeypatch.setattr(report, "RECIPES", {"tiny": counted})
    monkeypatch.setattr(report, "find_recipe", lambda name: counted)
    return seeds


def test_a_report_goes_on_where_it_stopped_and_writes_its_table(recipes, tmp_path, capsys):
    folder = tmp_path / "reports"
    assert report.main(["tiny", "--seeds", "2", "--folder", str(folder)]) == 0 and recipes == [0, 1]
    assert report.main(["--seeds", "3", "--folder", str(folder)]) == 0 and recipes == [0, 1, 2]
    lines = (folder / "results.md").read_text().splitlines()
    assert lines[-1] == "| `slopes train tiny` | accuracy 51.00% (50.00 to 52.00) | half | 3 | 0 |"
    report.collect(["tiny"], [0], folder, extra=0.1)  # other settings: run again
    assert recipes == [0, 1, 2, 0]
    report.main(["tiny", "--seeds", "1", "--folder", str(folder), "--again"])
    assert recipes == [0, 1, 2, 0, 0]
    assert report.main(["--seeds", "0", "--folder", str(folder)]) == 1
    assert "error: --seeds 0" in capsys.readouterr().err


def test_a_report_runs_recipes_of_networks_too(monkeypatch, tmp_path):
    monkeypatch.setitem(classification.DATASETS, "mnist", partial(few, 64))
    told: list[str] = []
    found = report.run_one(RECIPES["softmax"], 0, tmp_path, told.append, epochs=1)
    assert told[0].startswith("epoch 1/1  loss ") and len(told) == 1
    assert list(found.figures) == ["test accuracy", "test loss"] and found.settings["epochs"] == 1


def test_an_experiment_that_compares_models_keeps_no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "KINDS", {kind: KINDS[kind] for kind in ("circle", "xor")})
    run(features.recipe, {"epochs": 1}, tmp_path, progress=False)
    assert not (tmp_path / "weights.safetensors").exists()
    result = slopes("predict", tmp_path, "x.png")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", """\
error: recipe features keeps no network to predict with
  it compares models; its figures and plots are in the run folder
  train another recipe: slopes train --list
""")


def test_a_folder_of_an_old_study_is_read_but_not_predicted_from(tmp_path):
    save_json(tmp_path / "study.json", {"made_with": {}, "recipe": "names", "hyperparameters": {}, "seed": 0, "figures": {"accuracy": 0.5},
                                        "lines": [], "seconds": 1.0}, "slopes.study")
    loaded = load(tmp_path)
    assert loaded.figures == {"accuracy": 0.5} and loaded.networks == {}
    with pytest.raises(ArgumentError) as caught:
        loaded.predict("Rossi")
    assert str(caught.value).replace(str(tmp_path), "OLD").startswith("""\
OLD has no network to predict with
  an older version of slopes wrote it, which kept no description of the data to build the networks from
  make the net as for the training, and give it to load: sl.load('OLD', net)""")


def test_a_recipe_with_more_arguments_of_fit_keeps_the_averaged_weights(monkeypatch, tmp_path):
    recipe = replace(RECIPES["lenet-regularized"], network=lambda config, facts, name: mlp(tuple(facts["shape"]), 10, 16))
    monkeypatch.setitem(classification.DATASETS, "mnist", partial(few, 64))
    monkeypatch.setitem(RECIPES, "lenet-regularized", recipe)
    result = run(recipe, {"epochs": 1, "average": 0.5}, tmp_path, progress=False)
    assert len(result.run.epochs) == 1 and (tmp_path / "run.json").exists()
    for name, array in load(tmp_path).net.state_dict().items():
        assert array.tobytes() == result.run.net.state_dict()[name].tobytes()
