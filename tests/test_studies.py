"""Studies: what they find on few examples, what they write, formulas and points, the command line, the resumable report."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")

from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import data
from slopes.errors import ArgumentError
from slopes.experiments import report
from slopes.experiments import run as practice
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Setting
from slopes.experiments.formula import FUNCTIONS, formula
from slopes.experiments.points import KINDS, points
from slopes.experiments.recipes import approximate, autoencoder, compare, features, perceptron
from slopes.experiments.study import Findings, Study, carry_out
from slopes.zoo.networks import mlp


def few(count: int = 300) -> data.Splits:
    """Pictures like MNIST's: scikit-learn's digits with a wide border."""
    digits = data.digits()
    parts = [data.Dataset(np.pad(np.repeat(np.repeat(part.inputs[:count], 3, 2), 3, 3), ((0, 0), (0, 0), (2, 2), (2, 2))),
                          part.targets[:count], part.classes) for part in (digits.train, digits.validation, digits.test)]
    return data.Splits(*parts)


# What they find


def test_the_perceptron_separates_two_digits_and_says_that_it_cannot_do_xor(monkeypatch, tmp_path):
    monkeypatch.setattr(perceptron.data, "mnist", partial(few, 2000))
    found = carry_out(perceptron.recipe, perceptron.recipe.chosen(), tmp_path).findings
    accuracy, converged, solved = found.figures.values()
    assert accuracy > 0.95 and converged == 0 and solved == 1
    assert any("did not converge" in line for line in found.lines)


def test_a_function_given_as_text_is_approximated_to_a_hundredth(tmp_path):
    study = approximate.recipe
    found = carry_out(study, study.chosen(steps=800, function="cos(2 x)"), tmp_path, seed=0).findings
    assert found.figures["largest error"] < 1e-2 < found.figures["with 2 units"]
    assert {"v", "w", "b", "c"} == set(found.weights)
    with pytest.raises(ArgumentError, match="is not a finite function of an interval"):
        carry_out(study, study.chosen(function="log(x)"), tmp_path)


def test_given_features_help_where_they_fit_and_learned_ones_everywhere(monkeypatch):
    monkeypatch.setattr(features, "KINDS", {kind: KINDS[kind] for kind in ("circle", "xor")})
    table = features.investigate(features.recipe.chosen(), 0, lambda text: None)
    found = replace(table, pictures={})
    assert found.figures["network, worst set"] >= 0.97
    assert found.figures["linear, best of circle, xor, spirals"] <= 0.7
    assert found.figures["circle in polar coordinates"] > 0.99 and found.figures["xor with crosses"] > 0.99


def test_three_kinds_of_models_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "KINDS", {"circle": KINDS["circle"]})
    found = carry_out(compare.recipe, compare.recipe.chosen(epochs=100), tmp_path).findings
    assert found.figures["circle, network"] > 0.95 > 0.7 > found.figures["circle, regression"]
    assert found.figures["digits, network"] > found.figures["digits, tree"]


def test_auto_encoders_are_measured_beside_pca():
    decomposition = pytest.importorskip("sklearn.decomposition")
    train, new = (part.inputs for part in (data.digits().train, data.digits().test))
    error, _ = autoencoder.pca_error(train, new, 10)
    theirs = decomposition.PCA(10, svd_solver="full").fit(train.reshape(len(train), -1))
    rows = new.reshape(len(new), -1)
    assert error == pytest.approx(np.mean((theirs.inverse_transform(theirs.transform(rows)) - rows) ** 2), rel=1e-4)
    net = autoencoder.learned(autoencoder.autoencoders.linear((1, 8, 8), 10), data.Dataset(train, train), 20, 64, 1e-2, 0)
    assert 0.99 * error < np.mean((autoencoder.rebuilt(net, new) - new) ** 2) < 1.3 * error
    nets = dict.fromkeys(("sparse", "denoising"), autoencoder.autoencoders.sparse((1, 8, 8), 8))
    nets |= {"deep": net, "variational": autoencoder.variational((1, 8, 8), 3, 8)}
    found = autoencoder.findings(nets, {"PCA": error, "deep": error / 2, "linear": error}, {"input": new[:5, 0]}, new, 10, 0)
    assert found.figures["deep / PCA"] == 0.5 and 0 < found.figures["mean activity, sparse"] < 1
    assert all(draw().data("png") for draw in found.pictures.values())


# What they write


def tiny(figure: float = 0.5) -> Study:
    return Study("tiny", "a study of nothing", "half", lambda values, seed, tell: (tell("here"), Findings(
        {"accuracy": figure + seed / 100 + values["extra"]}, ["one line"]))[1], {"extra": Setting(0.0, "what is added to the figure")})


def test_a_study_leaves_its_figures_settings_and_seed(tmp_path):
    said: list[str] = []
    done = carry_out(tiny(), tiny().chosen(extra=0.25), tmp_path / "new", seed=2, tell=said.append)
    record = json.loads((done.folder / "study.json").read_text())
    assert record["figures"] == {"accuracy": 0.77} and record["hyperparameters"] == {"extra": 0.25} and record["seed"] == 2
    assert said == ["here"] and record["lines"] == ["one line"]
    with pytest.raises(ArgumentError, match="recipe tiny has no epochs"):
        tiny().chosen(epochs=3)


def test_the_command_runs_a_study_and_does_not_overwrite_it(tmp_path):
    arguments = ("train", "approximate", "--function", "x/2", "--hidden", 4, "--steps", 30, "--low", -1, "--out", tmp_path / "run")
    result = slopes(*arguments)
    assert result.exit_code == 0 and "units: largest error" in result.stdout and "fits.png, study.json" in result.stdout
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
    runs: list[int] = []
    study = tiny()
    counted = Study(study.name, study.caption, study.expected, lambda *given: (runs.append(given[1]), study.investigate(*given))[1],
                    study.sizes)
    monkeypatch.setattr(report, "RECIPES", {"tiny": counted})
    monkeypatch.setattr(report, "find_recipe", lambda name: counted)
    return runs


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
    monkeypatch.setitem(practice.DATASETS, "mnist", partial(few, 64))
    told: list[str] = []
    found = report.run_one(RECIPES["softmax"], 0, tmp_path, told.append, epochs=1)
    assert told[0].startswith("epoch 1/1  loss ") and len(told) == 1
    assert list(found.figures) == ["test accuracy", "test loss"] and found.settings["epochs"] == 1


def test_a_study_leaves_no_run_to_predict_with(tmp_path):
    study = approximate.recipe
    carry_out(study, study.chosen(steps=1, hidden=2), tmp_path / "left")
    with pytest.raises(ArgumentError) as caught:
        practice.revive(tmp_path / "left")
    assert str(caught.value).replace(str(tmp_path), "").startswith("""\
/left is what a study left: its figures, pictures and weights, but no run
  the recipes that leave a run are digits, softmax, mlp, lenet, lenet-published, lenet-regularized, fashion
  to use its weights in Python: net.load_state_dict(slopes.data.load_safetensors(path))""")


def test_a_recipe_with_more_arguments_of_fit_keeps_the_averaged_weights(monkeypatch, tmp_path):
    recipe = replace(RECIPES["lenet-regularized"], network=lambda shape, classes, dropout: mlp(shape, classes, 16))
    monkeypatch.setitem(practice.DATASETS, "mnist", partial(few, 64))
    monkeypatch.setitem(report.RECIPES, "lenet-regularized", recipe)
    done = practice.practise(recipe, recipe.chosen(epochs=1), tmp_path, progress=False)
    assert len(done.run.epochs) == 1 and (tmp_path / "run.json").exists()
    net, _ = practice.revive(tmp_path)
    assert np.array_equal(net.state_dict()[next(iter(net.state_dict()))], done.run.net.state_dict()[next(iter(net.state_dict()))])
