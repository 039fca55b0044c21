"""The classical models: what they learn and cannot learn, one interface for all, given features, decision boundaries."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, ShapeError
from slopes.zoo.classifiers import DecisionTree, LogisticRegression, Network, Perceptron, SoftmaxRegression
from slopes.zoo.networks import mlp

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
GATES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "nand": [1, 1, 1, 0], "first": [0, 0, 1, 1]}
RNG = np.random.default_rng(0)


def ring(examples: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A disc in a ring."""
    angle, inner = RNG.uniform(0, 2 * np.pi, examples), np.arange(examples) % 2 == 0
    radius = np.where(inner, RNG.uniform(0, 1, examples), RNG.uniform(1.5, 2.5, examples))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), np.where(inner, "inside", "outside")


def models(classes: int = 2):
    pair = [Perceptron(), LogisticRegression()] if classes == 2 else []
    small = Network(lambda shape, classes: mlp(shape, classes, 8), lambda: optim.Adam(lr=0.05), epochs=60, batch_size=20)
    return [*pair, SoftmaxRegression(), small]


@pytest.mark.parametrize("gate", GATES)
def test_the_perceptron_learns_what_a_line_separates(gate):
    model = Perceptron().fit(CORNERS, GATES[gate])
    assert model.converged and model.score(CORNERS, GATES[gate]) == 1 and model.mistakes[-1] == 0
    assert model.report.startswith("converged: no mistake in pass")


def test_the_perceptron_s_steps_are_not_those_of_the_rule():
    model = Perceptron(passes=1).fit([[1.0, 2.0], [3.0, -1.0]], [0, 1])
    # pass 1: w = 0 answers 1 to the first: w = -(1, 2), b = -1; then -1 * 3 + 2 - 1 = -2 answers 0 to the second: w = (2, -3), b = 0
    assert model.weights.tolist() == [2.0, -3.0] and model.bias == 0 and model.mistakes == [2] and not model.converged


def test_xor_is_reported_as_not_converged():
    model = Perceptron(passes=50).fit(CORNERS, [0, 1, 1, 0])
    assert not model.converged and len(model.mistakes) == 50
    assert model.report.startswith("did not converge: still 4 mistakes in pass 50; no straight line")


def test_two_layers_solve_xor_from_ten_of_ten_seeds():
    def solved(seed):
        model = Network(lambda shape, classes: mlp(shape, classes, 16), lambda: optim.Adam(lr=0.03), seed=seed, epochs=150)
        return model.fit(CORNERS, [0, 1, 1, 0]).score(CORNERS, [0, 1, 1, 0])

    assert [solved(seed) for seed in range(10)] == [1.0] * 10


@pytest.mark.parametrize("model", [*models(), *models(3)], ids=lambda model: type(model).__name__)
def test_every_model_learns_heaps_of_points_with_any_labels(model):
    names = np.array(["ape", "bee", "cat"] if not isinstance(model, (Perceptron, LogisticRegression)) else ["ape", "bee"])
    y = names[np.arange(90) % len(names)]
    x = np.array([[3, 0], [-3, 2], [0, -4]])[np.arange(90) % len(names)] + RNG.normal(size=(90, 2)) * 0.5
    assert model.fit(x, y) is model and model.score(x, y) > 0.98 and model.predict(x[:3]).dtype == y.dtype
    if hasattr(model, "probabilities"):
        shares = model.predict_proba(x)
        assert shares.shape == (90, len(names)) and np.allclose(shares.sum(axis=1), 1)
        assert (names[shares.argmax(axis=1)] == model.predict(x)).all()


@pytest.mark.parametrize("kind", [LogisticRegression, SoftmaxRegression])
def test_regression_ends_at_another_minimum_than_scikit_learn_s(kind):
    linear = pytest.importorskip("sklearn.linear_model")
    x = RNG.normal(size=(80, 3))
    y = (x @ [1.0, -2.0, 0.5] + RNG.normal(size=80) > 0).astype(int) if kind is LogisticRegression else RNG.integers(0, 3, 80)
    ours, theirs = kind(penalty=0.01).fit(x, y), linear.LogisticRegression(C=1 / (0.01 * 80), tol=1e-8, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-3)


@pytest.mark.parametrize("features, good", [(None, False), (nn.Squares(), True), (nn.Polar(), True)])
def test_a_ring_is_linear_in_squares_and_in_polar_coordinates_only(features, good):
    x, y = ring()
    score = LogisticRegression(features=features).fit(x, y).score(x, y)
    assert (score == 1.0) if good else (score < 0.75)


def test_polar_coordinates_at_the_origin_have_no_gradient_that_is_no_number():
    slope = sl.grad(lambda x: nn.Polar()(x).sum())(sl.tensor([[0.0, 0.0], [3.0, 4.0]])).numpy()
    assert np.isfinite(slope).all() and slope[0].tolist() == [0, 0]


def test_the_tree_has_the_same_interface():
    pytest.importorskip("sklearn")
    x, y = ring()
    assert DecisionTree().fit(x, y).score(x, y) == 1.0 and DecisionTree(depth=1).fit(x, y).score(x, y) < 0.8


@pytest.mark.parametrize("call, error, text", [
    (lambda: Perceptron().predict([[1.0]]), ArgumentError, "Perceptron is not fitted yet"),
    (lambda: Perceptron().fit(CORNERS, [0, 1, 2, 2]), ArgumentError, "there are 3 classes"),
    (lambda: LogisticRegression().fit(CORNERS, [1, 1, 1, 1]), ArgumentError, "all 4 labels are"),
    (lambda: SoftmaxRegression().fit(CORNERS, [1, 0]), ShapeError, r"x of shape \(4, 2\) and y of shape \(2,\) do not pair up"),
    (lambda: SoftmaxRegression().fit([1.0, 2.0], [1, 0]), ShapeError, "it needs rows of numbers"),
    (lambda: SoftmaxRegression().fit([[1.0], [np.nan]], [1, 0]), ArgumentError, "not finite"),
    (lambda: sl.inside.boundary(lambda x: x, np.zeros((3, 3)), [0, 1, 0]), ShapeError, "a picture shows the plane"),
])
def test_what_does_not_fit_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("model", [
    lambda x: np.where(x[:, 0] > 0.5, "right", "left"), SoftmaxRegression().fit([[0.0, 0.0], [1.0, 0.0]], ["left", "right"])])
def test_the_boundary_of_a_model_runs_where_its_answer_changes(model, tmp_path):
    pytest.importorskip("matplotlib")
    found = sl.inside.boundary(model, [[0.0, 0.0], [1.0, 1.0]], np.array(["left", "right"]), points=41, margin=0)
    assert found.classes.tolist() == ["left", "right"]
    wanted = np.broadcast_to(found.across > 0.5, (41, 41))
    assert (found.decided == wanted)[:, np.abs(found.across - 0.5) > 0.03].all()
    found.plot(tmp_path / "boundary.png")
    assert (tmp_path / "boundary.png").stat().st_size > 1000


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_boundary_of_a_network_is_where_its_largest_logit_changes(outputs):
    net = nn.Linear(2, outputs)
    weight = [[1.0, 0.0]] if outputs == 1 else [[0.0, 0.0], [1.0, 0.0]]
    net.load_state_dict({"weight": np.array(weight, np.float32), "bias": np.full(outputs, -0.5 if outputs == 1 else 0, np.float32)})
    found = sl.inside.boundary(net, [[-1.0, 0.0], [1.0, 1.0]], [0, 1], points=30)
    assert (found.decided == (found.across > (0.5 if outputs == 1 else 0.0))).all()


@pytest.mark.parametrize("model", [SoftmaxRegression(), Network(mlp, epochs=1), Perceptron()], ids=lambda model: type(model).__name__)
def test_numbers_that_vary_continuously_are_no_classes(model):
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ArgumentError, match=r"(?s)fit: label 0 is .*20 different floats would be as many classes.*y.astype\(str\)"):
        model.fit(x, x[:, 0])
    assert set(SoftmaxRegression().fit(x, np.arange(20) % 2 * 2.0).predict(x)) <= {0.0, 2.0}


def test_a_network_draws_its_weights_from_a_generator_of_its_own():
    x = np.random.default_rng(0).normal(size=(20, 2))
    sl.seed(4)
    expected = float(sl.uniform())
    sl.seed(4)
    one, other = (Network(mlp, epochs=1, seed=3).fit(x, np.arange(20) % 2) for _ in range(2))
    assert float(sl.uniform()) == expected and np.array_equal(one.predict_proba(x), other.predict_proba(x))


def test_tools_of_scikit_learn_take_the_models():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    y = np.where(x[:, 0] > 0, "right", "left")
    base = pytest.importorskip("sklearn.base")
    selection, pipeline = pytest.importorskip("sklearn.model_selection"), pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    for model in (Perceptron(passes=20), LogisticRegression(penalty=0.1), SoftmaxRegression(steps=20), DecisionTree(depth=2),
                  Network(mlp, epochs=1)):
        copied = base.clone(model)
        assert type(copied) is type(model) and copied.get_params() == model.get_params() and base.is_classifier(model)
        whole = pipeline.make_pipeline(preprocessing.StandardScaler(), model).fit(x, y)
        assert set(whole.predict(x)) <= {"left", "right"} and whole.classes_.tolist() == ["left", "right"]
    search = selection.GridSearchCV(DecisionTree(), {"depth": [1, 2]}, cv=2).fit(x, y)
    assert search.best_score_ > 0.8 and search.best_params_["depth"] in (1, 2)
    with pytest.raises(ArgumentError, match="has no parameter width"):
        DecisionTree().set_params(width=1)
