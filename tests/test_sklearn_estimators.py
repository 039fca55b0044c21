"""The estimators for scikit-learn: equal to its own perceptrons, and what they add."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, DataError, OutOfRangeError, ShapeError
from slopes.sklearn import (
    Autoencoder,
    ConvClassifier,
    MLPClassifier,
    MLPRegressor,
    NetClassifier,
    NetRegressor,
    SequenceClassifier,
    settings,
)
from slopes.sklearn import base as estimators_base
from slopes.sklearn import forward as forward_module
from slopes.sklearn import pool as pool_module
from slopes.sklearn.examples import batches_of
from slopes.sklearn.program import programs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
NAMES = np.array(["low", "middle", "high"])[y]
T = X @ np.arange(6) / 5 + 1
QUICK = {"max_iter": 12, "learning_rate_init": 0.05, "random_state": 0}


def network(shape, outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, outputs))


@pytest.fixture
def compiled(monkeypatch):
    """Everything is compiled, however little there is to do; the pool of programs is empty."""
    monkeypatch.setattr(estimators_base, "EAGER_STEPS", 0)
    monkeypatch.setattr(programs, "idle", [])


def same_weights(one, other, tolerance):
    for a, b in zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Equal to scikit-learn's

SOLVERS = [{"solver": "sgd"}, {"solver": "sgd", "nesterovs_momentum": False, "activation": "tanh", "batch_size": 25},
           {"solver": "sgd", "momentum": 0.0, "learning_rate": "invscaling", "alpha": 1.0}, {"shuffle": False, "epsilon": 1e-4},
           {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.5, "n_iter_no_change": 1, "tol": 0.1},
           {"activation": "logistic", "hidden_layer_sizes": (5, 4)}, {"solver": "lbfgs"},
           {"early_stopping": True, "n_iter_no_change": 2, "validation_fraction": 0.3}]


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_a_plain_classifier_learns_what_scikit_learns_does(options):
    options = {"hidden_layer_sizes": (5,), **QUICK, "learning_rate_init": 0.01, **options}
    theirs, ours = (kind(**options).fit(X, y) for kind in (TheirClassifier, MLPClassifier))
    same_weights(ours, theirs, 1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-4, atol=1e-6)
    assert (ours.predict(X) == theirs.predict(X)).all() and ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-5)
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "t_", "n_outputs_", "n_layers_",
                 "out_activation_"):
        if hasattr(theirs, name) and options.get("solver") != "lbfgs":
            value = getattr(theirs, name)
            assert getattr(ours, name) == (value if isinstance(value, (str, type(None))) else pytest.approx(value, rel=1e-5)), name


@pytest.mark.skipif("sample_weight" not in inspect.signature(TheirClassifier.fit).parameters, reason="scikit-learn before 1.7")
def test_weighted_examples_and_two_classes():
    weights = np.random.default_rng(0).random(len(y))
    theirs, ours = (kind((5,), solver="sgd", **QUICK).fit(X, y > 0, weights) for kind in (TheirClassifier, MLPClassifier))
    same_weights(ours, theirs, 1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("targets", [T, np.stack([T, -T], axis=1)], ids=["one", "two"])
def test_a_plain_regressor_learns_what_scikit_learns_does(targets):
    options = {"hidden_layer_sizes": (5,), "solver": "sgd", **QUICK, "learning_rate_init": 0.01}
    theirs, ours = (kind(**options).fit(X, targets) for kind in (TheirRegressor, MLPRegressor))
    same_weights(ours, theirs, 1e-6)
    assert ours.predict(X).shape == targets.shape
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-6)


# Compiled programs

def test_compiled_and_eager_fits_agree(monkeypatch, compiled):
    models = [MLPClassifier((5,), dropout=0.2, batch_size=25, **QUICK), ConvClassifier((2, 3), (3,), hidden_layer_sizes=(), **QUICK)]
    native = [model.fit(X, y).predict_proba(X) for model in models]
    assert all(model.net_.parameters()[0].dtype == np.float32 for model in models)
    monkeypatch.setattr(estimators_base, "EAGER_STEPS", 1000)
    for model, expected in zip(models, native):
        np.testing.assert_allclose(model.fit(X, y).predict_proba(X), expected, rtol=1e-3, atol=1e-5)
        assert model.net_.parameters()[0].dtype == np.float64


def test_fits_share_compiled_programs(compiled):
    grid = GridSearchCV(MLPClassifier((5,), solver="sgd", max_iter=2, random_state=0),
                        {"alpha": [0.0, 1e-2], "learning_rate_init": [0.01, 0.1], "momentum": [0.5, 0.9]}, cv=3)
    grid.fit(X, y)  # 24 fits of 40 examples and one of 60
    program, = programs.idle
    assert program.compiled.compilations == 2  # batches of 48 and of 64 rows
    grid.fit(X + 1, y)
    assert program.compiled.compilations == 2
    MLPClassifier((5,), activation="tanh", max_iter=2).fit(X, y)
    assert len(programs.idle) == 2


def test_large_networks_do_not_stay_in_memory(monkeypatch):
    monkeypatch.setattr(pool_module, "KEPT_NUMBERS", 100)
    monkeypatch.setattr(programs, "idle", [])
    MLPClassifier((5,), max_iter=1).fit(X, y)
    assert len(programs.idle) == 1  # of 53 numbers
    MLPClassifier((6,), max_iter=1).fit(X, y)
    assert len(programs.idle) == 1 and programs.idle[0].plan.architecture.hidden == (6,)
    MLPClassifier((20,), max_iter=1).fit(X, y)
    assert not programs.idle


def test_programs_are_not_shared_by_fits_at_the_same_time(compiled):
    models = [MLPClassifier((5,), solver="sgd", max_iter=20, random_state=seed) for seed in range(4)]
    alone = [clone(model).fit(X, y) for model in models]
    threads = [threading.Thread(target=model.fit, args=(X, y)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(models, alone):
        same_weights(one, other, 0)


@pytest.mark.parametrize("examples, batch", [(10, 10), (33, 10), (7, 20), (40, 10), (16, 16)])
@pytest.mark.parametrize("fill", [True, False])
def test_batches_hold_each_example_once(examples, batch, fill):
    orders = np.stack([np.random.default_rng(i).permutation(examples) for i in range(3)])
    counted, shapes = [], set()
    for indices, counts in batches_of(orders, min(batch, examples), fill):
        shapes.add(indices.shape[1])
        counted += [row[:count] for row, count in zip(indices, counts)]
    assert np.array_equal(np.concatenate(counted), orders.reshape(-1))
    assert len(shapes) == (1 if fill or examples % min(batch, examples) == 0 else 2)


def test_many_rows_are_predicted_by_a_program(monkeypatch):
    model = MLPClassifier((5,), **QUICK).fit(X, y)
    few = model.predict_proba(X)
    monkeypatch.setattr(forward_module, "FEW_PRODUCTS", 0)
    monkeypatch.setattr(forward_module, "BLOCK", 32)
    monkeypatch.setattr(forward_module.programs, "idle", [])
    np.testing.assert_allclose(model.predict_proba(X), few, rtol=1e-12)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(X[:40]), few[:40], rtol=1e-12)
    program, = forward_module.programs.idle
    assert program.compiled.compilations == 1
    other = NetClassifier(network, **QUICK).fit(X, y)
    assert np.array_equal(other.predict(X), other.predict(X[::-1])[::-1]) and other._forward.own.compiled.compilations == 1


# Weights, classes, labels

def test_class_weights_are_weights_of_examples():
    weights = {0: 1.0, 1: 3.0, 2: 0.5}
    one = MLPClassifier((5,), class_weight=weights, **QUICK).fit(X, y)
    other = MLPClassifier((5,), **QUICK).fit(X, y, [weights[label] for label in y])
    same_weights(one, other, 0)
    balanced = MLPClassifier((5,), class_weight="balanced", **QUICK).fit(X, y)
    assert np.abs(balanced.coefs_[0] - one.coefs_[0]).max() > 1e-3


def test_several_labels_at_once():
    inputs, labels = make_multilabel_classification(60, 6, n_classes=4, random_state=0)
    model = MLPClassifier((16,), **{**QUICK, "max_iter": 30}).fit(inputs, labels)
    assert model.predict(inputs).shape == model.predict_proba(inputs).shape == labels.shape
    assert (model.predict(inputs) == labels).mean() > 0.7
    assert (model.fit(inputs, sparse.csr_array(labels)).predict(inputs) == labels).mean() > 0.7
    with pytest.raises(ArgumentError, match="calibrated=True with several labels"):
        clone(model).set_params(calibrated=True).fit(inputs, labels)


def test_one_class_is_always_predicted():
    model = MLPClassifier((3,), **QUICK).fit(X, ["only"] * len(X))
    assert (model.predict(X) == "only").all() and model.predict_proba(X).tolist() == [[1.0]] * len(X)


def test_sparse_rows_are_dense_rows():
    rows = np.where(np.abs(X) > 0.8, X, 0.0)
    model, other = (MLPClassifier((5,), **QUICK).fit(matrix, y) for matrix in (rows, sparse.csr_array(rows)))
    same_weights(model, other, 0)
    assert np.array_equal(model.predict_proba(sparse.csc_matrix(rows)), model.predict_proba(rows))


# Going on

def test_partial_fit_is_an_epoch(compiled):
    whole = MLPClassifier((5,), shuffle=False, **{**QUICK, "max_iter": 3}).fit(X, y)
    steps = MLPClassifier((5,), shuffle=False, **QUICK)
    for _ in range(3):
        steps.partial_fit(X, y, classes=[0, 1, 2])
    same_weights(steps, whole, 0)
    assert steps.loss_curve_ == whole.loss_curve_ and steps.n_iter_ == 1 and steps.t_ == 180


def test_partial_fit_knows_its_classes():
    model = MLPClassifier((5,), **QUICK)
    with pytest.raises(ValueError, match="labels that are not among the classes"):
        model.partial_fit(X[:9], NAMES[:9], classes=["low", "high"])
    model.partial_fit(X[:9], NAMES[:9], classes=["low", "high", "middle"])
    with pytest.raises(ValueError, match="not the same as on last call to partial_fit"):
        model.partial_fit(X, NAMES, classes=["low", "high"])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, y)
    with pytest.raises(AttributeError, match="lbfgs is not stochastic"):
        MLPClassifier(solver="lbfgs").partial_fit(X, y)
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y)


def test_warm_start_goes_on():
    model = MLPClassifier((5,), warm_start=True, **{**QUICK, "max_iter": 4}).fit(X, y)
    first = model.loss_curve_[-1]
    model.fit(X, y)
    assert len(model.loss_curve_) == 8 and model.loss_curve_[4] < first and model.n_iter_ == 4
    assert len(model.set_params(warm_start=False).fit(X, y).loss_curve_) == 4


def test_a_pickle_goes_on_where_the_estimator_is():
    model = MLPClassifier((5,), dropout=0.3, **QUICK)
    model.partial_fit(X, NAMES, classes=["high", "low", "middle"])
    text = pickle.dumps(model)
    assert b'"net.0.weight"' in text and b'"dtype":"F64"' in text and b"slopes.nn" not in text and len(text) < 8000
    copy = pickle.loads(text)
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    same_weights(copy.partial_fit(X, NAMES), model.partial_fit(X, NAMES), 0)
    assert pickle.dumps(copy) == pickle.dumps(pickle.loads(pickle.dumps(copy)))
    assert not hasattr(clone(model), "net_")
    state = model.__getstate__()
    with pytest.raises(DataError, match="bytes in the format of safetensors"):
        MLPClassifier().__setstate__({**state, "_state": state["_state"][:-1]})


def test_validation_data_decide_when_to_end():
    options = {**QUICK, "max_iter": 60, "tol": 0.0}
    model = MLPClassifier((5,), early_stopping=True, n_iter_no_change=3, **options).fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ < 60 and model.best_validation_score_ == max(scores)
    assert model.score(X[30:], y[30:]) == max(scores)
    shown = MLPClassifier((5,), **{**options, "max_iter": 5}).fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    alone = MLPClassifier((5,), **{**options, "max_iter": 5}).fit(X[:30], y[:30])
    same_weights(shown, alone, 0)
    assert len(shown.validation_scores_) == 5 and alone.validation_scores_ is None
    with pytest.raises(ArgumentError, match="y_val is missing"):
        alone.fit(X, y, X_val=X)
    with pytest.raises(ArgumentError, match="validation set is too small"):
        MLPClassifier(early_stopping=True).fit(X[:8], y[:8])


def test_probabilities_are_calibrated_by_validation_data():
    noisy = np.where(np.random.default_rng(1).random(len(y)) < 0.3, 0, y)
    plain, calibrated = (MLPClassifier((32,), calibrated=flag, **{**QUICK, "max_iter": 60, "tol": 0.0}).fit(
        X[:40], noisy[:40], X_val=X[40:], y_val=noisy[40:]) for flag in (False, True))
    assert (plain.predict(X) == calibrated.predict(X)).all() and calibrated.temperature_ > 1.5
    losses = [-np.log(model.predict_proba(X[40:])[np.arange(20), noisy[40:]]).mean() for model in (plain, calibrated)]
    assert losses[1] < losses[0]
    assert MLPClassifier((8,), calibrated=True, **QUICK).fit(X, y > 0).temperature_ != 1.0


def test_the_preset_for_tables(monkeypatch):
    monkeypatch.setattr(settings, "DEFAULTS", dataclasses.replace(settings.DEFAULTS, epochs=30, least_steps=120))
    model = MLPClassifier(preset="table", random_state=0).fit(X, NAMES)
    assert model.score(X, NAMES) > 0.8 and model.n_iter_ == 30 and type(model.net_[0]) is nn.Bins
    assert model.best_validation_score_ == max(model.validation_scores_) < 0
    regressor = MLPRegressor(preset="table", random_state=0).fit(X, 1000 + 50 * T)
    assert regressor.score(X, 1000 + 50 * T) > 0.5
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


# Other networks

def test_images_with_axes_and_as_rows():
    pixels, digits = load_digits(n_class=3, return_X_y=True)
    pixels, digits = pixels[:60] / 16, digits[:60]
    options = {"channels": (4,), "hidden_layer_sizes": (), **QUICK}
    rows = ConvClassifier(**options).fit(pixels, digits)
    images = ConvClassifier(**options).fit(pixels.reshape((-1, 8, 8)), digits)
    assert np.array_equal(rows.predict_proba(pixels), images.predict_proba(pixels.reshape((-1, 8, 8))))
    assert rows.score(pixels, digits) > 0.9
    with pytest.raises(ArgumentError, match=r"examples of shape \(4, 16\).*is expecting \(8, 8\)"):
        images.predict(pixels.reshape((-1, 4, 16)))
    with pytest.raises(ShapeError, match="image_shape is"):
        ConvClassifier((7, 8)).fit(pixels, digits)


def test_sequences_of_numbers_vectors_and_tokens():
    rising = np.sort(np.random.default_rng(0).integers(0, 9, (40, 6)), axis=1)
    sequences, labels = np.concatenate([rising, rising[:, ::-1]]), np.repeat(["up", "down"], 40)
    for model in (SequenceClassifier(units=8, **QUICK), SequenceClassifier(vocabulary=9, units=8, embedding=4, kind="rnn", **QUICK),
                  SequenceClassifier((3, 2), kind="lstm", units=8, layers=2, bidirectional=True, dropout=0.1, **QUICK)):
        assert model.fit(sequences, labels).score(sequences, labels) > 0.8
    vectors = sequences.reshape((-1, 3, 2))
    assert (model.fit(vectors, labels).predict(vectors) == model.set_params(sequence_shape=None).predict(vectors)).all()
    with pytest.raises(OutOfRangeError, match="X has the token 9"):
        SequenceClassifier(vocabulary=9).fit(sequences + 1, labels)


def test_any_network_classifies_and_regresses(compiled):
    classifier = NetClassifier(network, (2, 3), batch_size=32, **QUICK).fit(X, NAMES)
    assert classifier.score(X, NAMES) > 0.6 and not np.allclose(classifier.net_[2].running_mean.numpy(), 0)
    assert classifier._program.compiled.compilations == 2  # batches of 32 and of 28 examples, which are not filled up
    regressor = NetRegressor(network, loss=nn.huber_loss, **QUICK).fit(X, np.stack([T, T], axis=1))
    assert regressor.predict(X).shape == (60, 2)
    with pytest.raises(ArgumentError, match=r"returned .*, not a module"):
        NetClassifier(lambda shape, outputs: None).fit(X, y)
    with pytest.raises(ArgumentError, match="not a function"):
        NetClassifier(nn.Linear(6, 3)(sl.ones((1, 6)))).fit(X, y)


def test_an_autoencoder_without_hidden_layers_finds_the_principal_plane(monkeypatch):
    plane = np.random.default_rng(0).normal(size=(40, 2)) @ np.random.default_rng(1).normal(size=(2, 6))
    model = Autoencoder(2, (), solver="lbfgs", alpha=0.0, max_iter=60, random_state=0).fit(plane)
    codes = model.transform(plane)
    assert codes.shape == (40, 2) and np.abs(model.inverse_transform(codes) - plane).max() < 0.05 and model.score(plane) > -1e-3
    assert model.transform(plane.astype(np.float32)).dtype == np.float32
    monkeypatch.setattr(forward_module, "FEW_PRODUCTS", 0)
    np.testing.assert_allclose(model.transform(plane), codes, rtol=1e-12)
    text = pickle.dumps(model)
    assert b"slopes.nn" not in text and np.array_equal(pickle.loads(text).transform(plane), model.transform(plane))
    assert list(model.get_feature_names_out()) == ["autoencoder0", "autoencoder1"]


# At home in scikit-learn

def test_frames_names_and_outputs():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    model = Autoencoder(2, (4,), early_stopping=True, noise=0.1, **QUICK).set_output(transform="pandas").fit(frame)
    assert list(model.feature_names_in_) == list("abcdef") and len(model.validation_scores_) == model.n_iter_
    assert list(model.transform(frame).columns) == ["autoencoder0", "autoencoder1"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame.rename(columns={"a": "z"}))


def test_a_search_in_other_processes_has_the_same_result():
    grid = {"mlpclassifier__alpha": [1e-4, 10.0]}
    model = make_pipeline(StandardScaler(), MLPClassifier((5,), **QUICK))
    one, two = (GridSearchCV(model, grid, cv=2, n_jobs=jobs).fit(X, NAMES) for jobs in (1, 2))
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    same_weights(one.best_estimator_[-1], two.best_estimator_[-1], 0)


def test_weights_and_validation_data_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        weights = np.where(y == 0, 2.0, 1.0)
        model = MLPClassifier((5,), **QUICK).set_fit_request(sample_weight=True, X_val=False, y_val=False)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model).fit(X, y, sample_weight=weights)
    same_weights(routed[-1], MLPClassifier((5,), **QUICK).fit(StandardScaler().fit_transform(X), y, weights), 0)


def test_tags():
    tags = get_tags(MLPClassifier())
    assert tags.input_tags.sparse and tags.classifier_tags.multi_label and tags.target_tags.required
    assert get_tags(MLPRegressor()).target_tags.multi_output and not get_tags(Autoencoder()).target_tags.required


def test_callbacks_follow_the_epochs():
    pytest.importorskip("sklearn.callback")

    class Follower:
        def __init__(self):
            self.scores, self.tasks = [], []

        def setup(self, estimator, context):
            self.tasks.append("setup")

        def teardown(self, estimator, context):
            self.tasks.append("teardown")

        def on_fit_task_begin(self, estimator, context, *, X=None):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            self.scores.append((fitted_estimator.n_iter_, fitted_estimator.score(X, y)))
            return len(self.scores) == 3

    follower = Follower()
    model = MLPClassifier((5,), **QUICK).set_callbacks(follower).fit(X, y)
    assert follower.tasks == ["setup", "fit", "epoch 0", "epoch 1", "epoch 2", "teardown"] and model.n_iter_ == 3
    assert [epoch for epoch, _ in follower.scores] == [1, 2, 3, 3] and follower.scores[-1][1] == follower.scores[-2][1] == model.score(X, y)
    same_weights(model, MLPClassifier((5,), **{**QUICK, "max_iter": 3}).fit(X, y), 0)


# Mistakes

@pytest.mark.parametrize("parameters, message", [
    ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be > 0"), ({"activation": "sine"}, "activation must be one of"),
    ({"solver": "newton"}, "solver must be one of"), ({"alpha": -1}, "alpha must be"), ({"batch_size": 0}, "batch_size must be"),
    ({"learning_rate_init": 0}, "learning_rate_init must be"), ({"max_iter": 0}, "max_iter must be"), ({"dropout": 1.0}, "dropout must be"),
    ({"validation_fraction": 1.5}, "validation_fraction must be"), ({"preset": "best"}, "preset must be"), ({"tol": None}, "tol must be"),
    ({"calibrated": "yes"}, "calibrated must be True or False")])
def test_wrong_parameters_are_named_by_fit(parameters, message):
    with pytest.raises(ArgumentError, match=f"MLPClassifier: {message}"):
        MLPClassifier(**parameters).fit(X, y)


def test_wrong_data_are_refused_in_the_words_of_scikit_learn():
    model = MLPClassifier((3,), **QUICK)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.where(X > 1, np.inf, X), y)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        model.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="could not convert string"):
        model.fit([["a", "b"]] * 3, [0, 1, 0])
    with pytest.raises(ValueError, match="expecting 6 features"):
        model.fit(X, y).predict(X[:, :5])
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        model.fit(X, T)
    with pytest.raises(ValueError, match="Negative values"):
        model.fit(X, y, -np.ones(len(y)))
    with pytest.raises(ArgumentError, match="negative targets with loss='poisson'"):
        MLPRegressor("poisson").fit(X, T - 100)
    with pytest.raises(ValueError, match="Found input variables with inconsistent numbers"):
        model.fit(X, y[:-1])


def test_batches_are_not_larger_than_the_data():
    with pytest.warns(UserWarning, match="larger than sample size"):
        clipped = MLPClassifier((3,), batch_size=100, **QUICK).fit(X, y)
    same_weights(clipped, MLPClassifier((3,), **QUICK).fit(X, y), 0)


def test_weights_that_are_not_finite_end_the_fit():
    with pytest.raises(ArgumentError, match="non-finite parameter weights"), np.errstate(all="ignore"):
        MLPRegressor(hidden_layer_sizes=(3,), solver="sgd", **{**QUICK, "learning_rate_init": 1e9}).fit(X, 1e6 * T)


def test_an_interrupted_fit_keeps_what_it_has_learned():
    class Interrupt(np.random.RandomState):
        def shuffle(self, x):
            self.left = getattr(self, "left", 4) - 1
            if not self.left:
                raise KeyboardInterrupt
            super().shuffle(x)

    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = MLPClassifier((5,), verbose=False, n_iter_no_change=1, **{**QUICK, "random_state": Interrupt(0)}).fit(X, y)
    assert 1 <= model.n_iter_ < 4 and model.predict(X).shape == (60,)


def test_a_fit_says_that_it_did_not_converge(capsys):
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPClassifier((5,), max_iter=2, verbose=True, random_state=0).fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1, loss = ")
