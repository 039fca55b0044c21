"""Encoders, splits, scores, calibration, baselines and leaks of tables, each beside what is known of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slopes.errors import ArgumentError, DataError
from slopes.tables.baselines import Rows, boosting_inputs, linear_baseline
from slopes.tables.calibrate import best_share, best_temperature, margin, softmax
from slopes.tables.encoders import (
    CategoryEncoder,
    DateEncoder,
    EmbeddedEncoder,
    NumberEncoder,
    PairEncoder,
    Scale,
    fit_encoder,
    read_encoder,
)
from slopes.tables.encoding import Encoding, Widths
from slopes.tables.forward import Forward
from slopes.tables.leaks import leaking_columns
from slopes.tables.lookup import BinLookup, forward_of
from slopes.tables.network import Architecture, TableNetwork
from slopes.tables.schema import Column, Schema, Target
from slopes.tables.scores import CLASS_SCORES, NUMBER_SCORES, calibration_error, r_squared
from slopes.tables.spelling import OPEN
from slopes.tables.splits import ALL, split_groups, split_rows, split_time


def column(name: str, kind: str) -> Column:
    return Column(name, kind, "made", 10, 0, 5)  # type: ignore[arg-type]


def words(values: list[str]) -> np.ndarray:
    result = np.empty(len(values), object)
    result[:] = values
    return result


# Encoders


def test_scaled_numbers_are_linear_near_the_median_and_bounded():
    scale = Scale.fit(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert (scale.centre, scale.width) == (2.0, 2.0)
    z = scale(np.array([2.0, 2.2, 1e9, -1e9, np.nan]))
    assert z[0] == 0 and z[1] == pytest.approx(0.1, rel=1e-3) and z[2] == pytest.approx(3) and z[3] == pytest.approx(-3) and z[4] == 0


def test_numbers_at_the_ends_of_float64_stay_far_values():
    assert Scale.fit(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))(np.array([1e308, -1e308, 1.7e308])) == pytest.approx([3, -3, 3])
    assert Scale(1e308, 1e-5)(np.array([-1e308, 1e308])).tolist() == pytest.approx([-3, 0])


@pytest.mark.parametrize("values", [[0.0] * 9 + [5.0], [np.nan] * 3, [7.0] * 4])
def test_scales_of_columns_without_spread_are_finite(values):
    assert np.isfinite(Scale.fit(np.array(values))(np.array([0.0, 5.0, 7.0]))).all()


def test_gaps_are_marked_where_training_has_them():
    encoder = NumberEncoder.fit(column("x", "number"), np.array([1.0, 2.0, np.nan]))
    assert encoder.encode_flags(np.array([np.nan, 5.0])).tolist() == [[1.0], [0.0]]
    assert NumberEncoder.fit(column("x", "number"), np.array([1.0, 2.0])).encode_flags(np.array([np.nan])).shape == (1, 0)


def test_dates_have_cycles():
    encoder = DateEncoder.fit(column("when", "date"), np.array([0.0, 7.0, 14.25]))
    flags = encoder.encode_flags(np.array([0.0, 7.0, np.nan]))
    assert flags.shape == (3, 6)
    assert np.allclose(flags[0, 2:], flags[1, 2:]) and not np.allclose(flags[0, :2], flags[1, :2]) and not flags[2].any()


@pytest.mark.parametrize(("values", "kind"), [
    (["a", "b"] * 5, PairEncoder), (["a", "b", "c"] * 5, CategoryEncoder), (["a", ""] * 5, CategoryEncoder),
    ([f"w{i % 40}" for i in range(90)], EmbeddedEncoder)])
def test_words_are_encoded_by_how_many_there_are(values, kind):
    encoder = fit_encoder(column("it", "category"), words(values))
    assert type(encoder) is kind
    new = words([values[0], "never seen", ""])
    assert encoder.unknown(new).tolist() == [False, True, False]
    assert encoder.encode_flags(new).shape == (3, encoder.flags) and encoder.encode_codes(new).shape == (3, len(encoder.sizes))
    assert not encoder.encode_flags(new)[1].any() and not encoder.encode_codes(new)[1].any()


def test_rare_words_share_a_code():
    encoder = fit_encoder(column("it", "category"), words([f"w{i}" for i in range(40)] + ["often"] * 5))
    assert encoder.encode_codes(words(["often", "w3", "new"])).tolist() == [[1], [0], [0]]


def test_frequent_words_of_texts_are_counted():
    encoder = fit_encoder(column("it", "text"), words(["good house", "good garden", "bad house", "The good!", "a house", "x"]))
    assert set(encoder.words) == {"good", "house"}
    flags = encoder.encode_flags(words(["Good good", "nothing", ""]))
    assert np.linalg.norm(flags[0, :-1]) == pytest.approx(1) and not flags[1:, :-1].any() and flags[2, -1] == 0


def schema_of(columns: dict[str, str], task: str = "classification", classes: tuple[str, ...] = ("a", "b")) -> Schema:
    return Schema(OPEN, tuple(column(name, kind) for name, kind in columns.items()),
                  Target(column("target", "category"), task, "made", classes if task == "classification" else ()))  # type: ignore[arg-type]


def mixed() -> tuple[Schema, dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    columns = {"x": generator.normal(size=60), "when": np.arange(60.0) / 4, "colour": words(list("rgb") * 20),
               "place": words([f"p{i % 36}" for i in range(60)]), "yes": words(["y", "n"] * 30), "note": words(["some words here"] * 60)}
    columns["x"][3] = np.nan
    return schema_of({"x": "number", "when": "date", "colour": "category", "place": "category", "yes": "yes/no", "note": "text"}), columns


def test_an_encoding_is_written_to_json_and_read_back():
    schema, columns = mixed()
    encoding = Encoding.fit(schema, columns, np.arange(40))
    again = Encoding.from_fields(json.loads(json.dumps(encoding.to_fields())))
    assert again == encoding
    features, codes = encoding(columns)
    assert features.shape == (60, encoding.widths.numbers + encoding.widths.flags) and codes.shape == (60, len(encoding.widths.sizes))
    assert encoding.widths.numbers == 2 and np.isfinite(features).all()


@pytest.mark.parametrize("content", [{}, {"kind": "tensor"}, {"kind": "number", "name": "x"}])
def test_a_damaged_encoder_is_an_error(content):
    with pytest.raises(DataError, match="an encoder of the run is damaged"):
        read_encoder(content)


# Splits


def test_rows_are_divided_with_each_class_in_proportion():
    labels = np.array([0] * 90 + [1] * 10)
    split = split_rows(labels, 100, 4, seed=0)
    assert np.bincount(labels[split.test]).tolist() == [18, 2]
    assert sorted([*split.train, *split.test]) == list(range(100))
    assert np.bincount(split.fold).tolist() == [20] * 4
    assert [int(labels[split.train][split.fold == i].sum()) for i in range(4)] == [2] * 4
    assert not np.array_equal(split.test, split_rows(labels, 100, 4, seed=1).test)


def test_folds_have_one_size():
    split = split_rows(None, 103, 4, seed=0)
    counts = np.bincount(split.fold[split.fold >= 0])
    assert len(set(counts.tolist())) == 1 and (split.fold == -1).sum() < 4


def test_groups_stay_together():
    groups = [f"g{i % 13}" for i in range(200)]
    split = split_groups(groups, "who", 4, seed=0)
    names = np.array(groups)
    assert not set(names[split.train]) & set(names[split.test]) and len(split.test)
    for name in set(names[split.train]):
        assert len(set(split.fold[names[split.train] == name].tolist())) == 1
    assert set(split.fold.tolist()) == {0, 1, 2, 3}


def test_too_few_groups_are_an_error():
    with pytest.raises(ArgumentError, match="--group who: it has 2 different values"):
        split_groups(["a", "b"] * 10, "who", 4, seed=0)


def test_time_goes_forward():
    times = np.random.default_rng(0).permutation(np.repeat(np.arange(50.0), 2))
    split = split_time(times, "when", 4)
    chosen, learned = split.train[split.fold == ALL], split.train[split.fold == -1]
    assert times[learned].max() < times[chosen].min() and times[chosen].max() < times[split.test].min()


@pytest.mark.parametrize(("times", "message"), [(np.array([1.0, np.nan] * 10), "row 2 has none"), (np.ones(20), "too few different times")])
def test_times_that_divide_nothing_are_errors(times, message):
    with pytest.raises(ArgumentError, match=message):
        split_time(times, "when", 4)


# Scores


def probabilities(rows: int = 400, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    predicted = softmax(generator.normal(size=(rows, classes)) * 2)
    return predicted, np.array([generator.choice(classes, p=share) for share in predicted])


def test_scores_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    predicted, targets = probabilities()
    accuracy, loss, _ = (score(predicted, targets) for score in CLASS_SCORES)
    assert accuracy == pytest.approx(metrics.accuracy_score(targets, predicted.argmax(axis=1)))
    assert loss == pytest.approx(metrics.log_loss(targets, predicted))
    numbers, truth = predicted[:, 0], predicted[:, 1]
    assert NUMBER_SCORES[0](numbers, truth) == pytest.approx(metrics.root_mean_squared_error(truth, numbers))
    assert NUMBER_SCORES[1](numbers, truth) == pytest.approx(metrics.mean_absolute_error(truth, numbers))
    assert r_squared(numbers, truth) == pytest.approx(metrics.r2_score(truth, numbers))


def test_brier_score():
    assert CLASS_SCORES[2](np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0, 1])) == pytest.approx((0.08 + 0.5) / 2)


def test_intervals_hold_the_true_score_as_often_as_they_say():
    generator = np.random.default_rng(0)
    held = 0
    for seed in range(60):
        targets = (generator.random(200) < 0.7).astype(np.int64)
        interval = CLASS_SCORES[0].interval(np.tile([0.0, 1.0], (200, 1)), targets, seed)
        held += interval.low <= 0.7 <= interval.high
        assert interval.low <= interval.value <= interval.high
    assert held >= 52


def test_calibration_error_is_small_for_honest_probabilities_only():
    predicted, targets = probabilities(5000)
    sure = softmax(np.log(predicted) * 3)
    assert calibration_error(predicted, targets) < 0.03 < 0.1 < calibration_error(sure, targets)


def test_the_best_temperature_makes_probabilities_honest_again():
    predicted, targets = probabilities(5000)
    assert best_temperature(np.log(predicted) * 3, targets) == pytest.approx(3, rel=0.1)


def test_the_best_share_is_where_the_loss_is_lowest():
    assert best_share(lambda x: (x - 0.3) ** 2) == pytest.approx(0.3, abs=1e-3)
    assert best_share(lambda x: x) == pytest.approx(0, abs=1e-3)


def test_margins_hold_nine_of_ten():
    generator = np.random.default_rng(0)
    size = margin(np.zeros(999), generator.normal(size=999))
    assert size == pytest.approx(1.645, abs=0.15)
    assert margin(np.zeros(3), np.array([1.0, 2.0, 3.0])) == 3.0


# Baselines


def linear_rows(task: str) -> tuple[Rows, Rows, np.ndarray]:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 3))
    targets = x @ [1.0, -2.0, 0.5] + generator.normal(size=300)
    labels = (targets > 0).astype(np.int64) + (targets > 1.5)
    columns = {name: x[:, i] for i, name in enumerate("abc")}
    encoding = Encoding.fit(schema_of(dict.fromkeys("abc", "number")), columns, np.arange(300))
    rows = Rows(columns, encoding, labels if task == "classification" else targets)
    return rows, rows, rows.features


def test_linear_regression_is_that_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    train, test, features = linear_rows("regression")
    expected = linear.Ridge(alpha=1e-3 * 300).fit(features, train.targets).predict(features)
    assert np.allclose(linear_baseline(train, test, 0), expected, atol=1e-5)


def test_logistic_regression_is_that_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    train, test, features = linear_rows("classification")
    model = linear.LogisticRegression(C=1 / (1e-3 * 300), tol=1e-10, max_iter=10_000).fit(features, train.targets)
    assert np.allclose(linear_baseline(train, test, 3), model.predict_proba(features), atol=2e-4)


def test_gradient_boosting_takes_categories_as_codes():
    schema, columns = mixed()
    inputs, categorical = boosting_inputs(schema, columns, {**columns, "colour": words(["new"] * 60)})
    assert categorical == [False, False, True, True, True] and inputs.shape == (60, 5) and np.isnan(inputs[:, 2]).all()


# Leaks


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_column_that_gives_the_target_away_is_named(task):
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=400)
    targets = (numbers > 0).astype(np.int64) if task == "classification" else numbers
    copy = words(["low" if value < 0 else "high" for value in numbers]) if task == "classification" else 3 * numbers
    columns = {"noise": generator.normal(size=400), "copy": copy}
    schema = schema_of({"noise": "number", "copy": "category" if task == "classification" else "number"}, task)
    said = leaking_columns(schema, columns, targets, np.arange(400))
    assert len(said) == 1 and "column 'copy' alone predicts" in said[0]


def test_a_rare_class_is_not_given_away_by_noise():
    generator = np.random.default_rng(0)
    targets = (generator.random(1000) < 0.002).astype(np.int64)
    assert leaking_columns(schema_of({"noise": "number"}), {"noise": generator.normal(size=1000)}, targets, np.arange(1000)) == []


# Outputs of networks


def test_compiled_outputs_are_those_without_compiling():
    net = TableNetwork(Widths(2, 1, (5,)), [[0.0, 1.0, 2.0], [0.0, 0.5]], 3, Architecture(bins=2, width=8, layers=2))
    generator = np.random.default_rng(0)
    features, codes = generator.normal(size=(5000, 3)).astype(np.float32), generator.integers(0, 5, (5000, 1))
    forward = Forward(net)
    many = forward(features, codes)
    few = np.concatenate([forward(features[i : i + 1000], codes[i : i + 1000]) for i in range(0, 5000, 1000)])
    assert many.shape == (5000, 3) and np.allclose(many, few, atol=1e-5) and net.training


def test_bins_that_are_looked_up_add_what_they_add_as_features():
    generator = np.random.default_rng(0)
    for numbers, flags, sizes, edges in ((3, 1, (5,), [[-1.0, 0.0, 1e-6, 2.0], [0.5], [0.0, 0.5]]), (1, 0, (), [[-1.0, 1.0]]),
                                         (2, 2, (), [[0.0], [1.0]])):
        net = TableNetwork(Widths(numbers, flags, sizes), edges, 2, Architecture(bins=3, width=8, layers=2))
        features = generator.normal(size=(5000, numbers + flags)).astype(np.float32)
        features[:8, 0] = [-1, 0, 1e-6, 2, 5e-7, -9, 9, 0.5]
        codes = generator.integers(0, 5, (5000, len(sizes)))
        plain, looked_up = Forward(net)(features, codes), forward_of(net)
        assert np.allclose(looked_up(features, codes), plain, atol=1e-5) and net.training
        assert isinstance(looked_up.many, BinLookup) == any(len(column) > 1 for column in edges)


def test_no_rows_have_no_outputs():
    net = TableNetwork(Widths(2, 0, ()), [], 1, Architecture(width=8, layers=1))
    assert Forward(net)(np.zeros((0, 2), np.float32), np.zeros((0, 0), np.int64)).shape == (0, 1)
