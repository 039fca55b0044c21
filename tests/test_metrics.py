"""Metrics by name agree with scikit-learn's figures, whatever the batches, and go through training and evaluation alike."""

from functools import partial

import numpy as np
import pytest
from sklearn import metrics as reference

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.train.class_metrics import class_counts

CLASSES = 5


def scores_and_labels(n=203, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, CLASSES)).astype(np.float32)
    labels = np.where(rng.random(n) < 0.5, scores.argmax(1), rng.integers(0, CLASSES - 1, n))  # the last class is rare
    return scores, labels


def figures(scores, labels, metrics, batch_size=32, **options):
    return sl.evaluate(nn.Identity(), Dataset(scores, labels), metrics=metrics, batch_size=batch_size, **options)


def softmax(scores):
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("batch_size", [1, 32, 1000])
def test_figures_of_classes_are_scikit_learns(batch_size):
    scores, labels = scores_and_labels()
    result = figures(scores, labels, ["accuracy", "precision", "recall", "f1", "brier", sl.train.top_k_accuracy(2), "top5_accuracy"],
                     batch_size)
    predicted = scores.argmax(1)
    options = {"average": "macro", "zero_division": 0}
    assert result["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted))
    assert result["precision"] == pytest.approx(reference.precision_score(labels, predicted, **options))
    assert result["recall"] == pytest.approx(reference.recall_score(labels, predicted, **options))
    assert result["f1"] == pytest.approx(reference.f1_score(labels, predicted, **options))
    assert result["top2_accuracy"] == pytest.approx(reference.top_k_accuracy_score(labels, scores, k=2, labels=range(CLASSES)))
    assert result["top5_accuracy"] == 1.0
    assert result["brier"] == pytest.approx(((softmax(scores) - np.eye(CLASSES)[labels]) ** 2).sum(1).mean(), rel=1e-5)


def test_classes_that_never_occur_do_not_count_and_those_only_predicted_do():
    scores = np.eye(CLASSES, dtype=np.float32)[[0, 0, 1, 1, 2]]
    labels = np.array([0, 1, 1, 1, 0])  # 2 is predicted only, 3 and 4 never occur
    result = figures(scores, labels, ["precision", "recall", "f1"])
    assert result["precision"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result["recall"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert result["f1"] == pytest.approx(reference.f1_score(labels, scores.argmax(1), average="macro", zero_division=0))


def test_figures_of_two_classes_with_one_logit_are_those_of_the_class_1():
    rng = np.random.default_rng(1)
    logits, truth = rng.normal(size=(77, 1)).astype(np.float32), (rng.random((77, 1)) < 0.3).astype(np.float32)
    result = figures(logits, truth, ["precision", "recall", "f1", "brier", "binary_accuracy"], loss=nn.binary_cross_entropy_with_logits)
    predicted = logits > 0
    assert result["precision"] == pytest.approx(reference.precision_score(truth, predicted))
    assert result["recall"] == pytest.approx(reference.recall_score(truth, predicted))
    assert result["f1"] == pytest.approx(reference.f1_score(truth, predicted))
    assert result["brier"] == pytest.approx(2 * reference.brier_score_loss(truth[:, 0], 1 / (1 + np.exp(-logits[:, 0]))), rel=1e-5)


def test_figures_of_numbers():
    rng = np.random.default_rng(2)
    outputs, targets = rng.normal(size=(2, 50, 3)).astype(np.float32)
    result = figures(outputs, targets, ["absolute_error", "squared_error", "rmse"], batch_size=7)
    assert result["squared_error"] == pytest.approx(reference.mean_squared_error(targets, outputs), rel=1e-5)
    assert result["rmse"] == pytest.approx(reference.mean_squared_error(targets, outputs) ** 0.5, rel=1e-5)
    assert result["absolute_error"] == pytest.approx(reference.mean_absolute_error(targets, outputs), rel=1e-5)


def test_labels_that_are_ignored_are_in_no_count():
    scores, labels = scores_and_labels()
    hidden = labels.copy()
    hidden[::3] = -100
    result = figures(scores, hidden, ["precision", "recall", "f1", "accuracy"], loss=partial(nn.cross_entropy, ignore_index=-100))
    kept = hidden != -100
    assert result["f1"] == pytest.approx(reference.f1_score(labels[kept], scores.argmax(1)[kept], average="macro", zero_division=0))


def test_pictures_of_classes_count_every_pixel():
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(6, CLASSES, 4, 3)).astype(np.float32), rng.integers(0, CLASSES, (6, 4, 3))
    result = figures(scores, labels, ["f1", sl.train.top_k_accuracy(2)])
    largest = np.argsort(scores, axis=1)[:, -2:]
    assert result["f1"] == pytest.approx(reference.f1_score(labels.ravel(), scores.argmax(1).ravel(), average="macro"))
    assert result["top2_accuracy"] == pytest.approx((largest == labels[:, None]).any(axis=1).mean())


def test_counts_compiled_are_the_counts_eager():
    scores, labels = scores_and_labels()
    eager, compiled = class_counts(sl.tensor(scores), sl.tensor(labels)), sl.compile(class_counts)(sl.tensor(scores), sl.tensor(labels))
    for one, other in zip(eager, compiled):
        assert one.shape == (len(labels), 2, CLASSES) and np.array_equal(one.numpy(), other.numpy())


def training(**options):
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(90, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int64) + (inputs[:, 1] > 1)
    sl.seed(0)
    return sl.Training(nn.Linear(4, 3), Dataset(inputs, labels), optimizer=optim.SGD(lr=0.1), epochs=3, batch_size=32,
                       metrics=["f1", "accuracy"], **options)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_training_has_the_figures_of_the_epoch_and_of_each_step(accumulate):
    whole = training(accumulate=accumulate)
    chunk = whole.advance(3)
    assert chunk["f1"].shape == (3,) and ((chunk["f1"] >= 0) & (chunk["f1"] <= 1)).all()
    epoch = whole.history.epochs[0]
    assert 0 < epoch.metrics["f1"] < 1 and epoch.metrics["f1"] != pytest.approx(chunk["f1"].mean())


def test_counts_of_classes_are_part_of_the_state_of_a_training():
    whole, first = training(), training()
    whole.advance(6)
    first.advance(2)
    state = first.named_state()
    assert state["epoch.shapes.f1"].tolist() == [2, 3]
    second = training()
    second.load_named_state(state)
    second.advance(4)
    assert [epoch.metrics for epoch in second.history.epochs] == [epoch.metrics for epoch in whole.history.epochs]


def test_a_metric_of_ones_own_may_be_a_ratio_and_have_a_finish():
    share = sl.train.Metric("share", lambda outputs, targets: sl.train.Ratio(targets == 1, targets > 0))
    root = sl.train.Metric("root", lambda outputs, targets: targets * 1.0, finish=lambda total, count: float(total / count) ** 0.5)
    scores, labels = scores_and_labels()
    result = figures(scores, labels, [share, root], batch_size=10)
    assert result["share"] == pytest.approx((labels == 1).sum() / (labels > 0).sum())
    assert result["root"] == pytest.approx(labels.mean() ** 0.5)


def test_nothing_counted_is_0():
    scores, labels = scores_and_labels(8)
    never = sl.train.Metric("never", lambda outputs, targets: sl.train.Ratio(targets < 0, targets < 0))
    assert figures(scores, labels, [never])["never"] == 0.0


def test_outputs_that_are_not_numbers_are_never_right():
    assert not sl.train.top_k_accuracy(2)(sl.full((3, CLASSES), np.nan), sl.tensor([0, 1, 2])).numpy().any()


def test_k_below_1_is_refused():
    with pytest.raises(ArgumentError, match="k is 0") as caught:
        sl.train.top_k_accuracy(0)
    assert "at least 1" in caught.value.repair
