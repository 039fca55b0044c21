"""Metrics by name agree with scikit-learn's figures, whatever the batches, and go through training and evaluation alike."""

from functools import partial

import numpy as np
import pytest
from sklearn import metrics as reference

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, ShapeError, SlopesError
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


LABELS = range(CLASSES)
BINARY_LOSS = {"loss": nn.binary_cross_entropy_with_logits}


def calibration(shares, labels, weights=None):
    """The expected calibration error over 15 bins, by the bins of scikit-learn's calibration curve."""
    weights = np.ones(len(labels)) if weights is None else weights
    confidence, right = shares.max(1), shares.argmax(1) == labels
    bins = np.searchsorted(np.linspace(0, 1, 16)[1:-1], confidence)
    errors = [abs(np.sum((weights * (confidence - right))[bins == i])) for i in range(15)]
    return np.sum(errors) / weights.sum()


def in_two(logits):
    """The probabilities of the classes 0 and 1."""
    share = 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))
    return np.stack([1 - share, share], 1)


def of_classes():
    scores, labels = scores_and_labels()
    return scores, labels, {}


def of_two_classes():
    scores, labels = scores_and_labels(seed=6)
    return np.round(4 * scores[:, :2]) / 4, labels % 2, {}  # with ties, exact in binary


def of_one_logit():
    rng = np.random.default_rng(1)
    logits, truth = rng.normal(size=(203, 1)).astype(np.float32), (rng.random((203, 1)) < 0.3).astype(np.float32)
    return np.round(4 * logits) / 4, truth, BINARY_LOSS


def of_numbers():
    targets = 1000 + np.random.default_rng(2).normal(size=(203, 3)).astype(np.float32)
    return targets + np.random.default_rng(3).normal(size=(203, 3)).astype(np.float32), targets, {}


def of_one_number():
    outputs, targets, _ = of_numbers()
    return outputs[:, :1], targets[:, :1], {}


def average(kind, labels, scores, weights):
    figures = [kind(labels == i, softmax(scores.astype(np.float64))[:, i], sample_weight=weights) for i in LABELS]
    return np.mean(figures)


# data, the metric, and its reference (targets, outputs, sample weights)
TABLE = [
    (of_classes, "accuracy", lambda t, y, w: reference.accuracy_score(t, y.argmax(1), sample_weight=w)),
    *((of_classes, f"{name}{suffix}", lambda t, y, w, score=score, kind=kind: score(t, y.argmax(1), average=kind, zero_division=0,
                                                                                    sample_weight=w))
      for name, score in (("precision", reference.precision_score), ("recall", reference.recall_score), ("f1", reference.f1_score))
      for suffix, kind in (("", "macro"), ("_micro", "micro"), ("_weighted", "weighted"))),
    *((of_classes, metric, lambda t, y, w, i=i: reference.f1_score(t, y.argmax(1), average=None, zero_division=0, labels=LABELS,
                                                                   sample_weight=w)[i])
      for i, metric in enumerate(sl.train.per_class("f1", CLASSES))),
    (of_classes, sl.train.top_k_accuracy(2),
     lambda t, y, w: reference.top_k_accuracy_score(t, y, k=2, labels=LABELS, sample_weight=w)),
    (of_classes, "top5_accuracy", lambda t, y, w: 1.0),
    (of_classes, "brier", lambda t, y, w: np.average(((softmax(y) - np.eye(CLASSES)[t]) ** 2).sum(1), weights=w)),
    (of_classes, "calibration_error", lambda t, y, w: calibration(softmax(y.astype(np.float64)), t, w)),
    (of_classes, "perplexity",
     lambda t, y, w: np.exp(reference.log_loss(t, softmax(y.astype(np.float64)), labels=LABELS, sample_weight=w))),
    (of_classes, "roc_auc", lambda t, y, w: average(reference.roc_auc_score, t, y, w)),
    (of_classes, "average_precision", lambda t, y, w: average(reference.average_precision_score, t, y, w)),
    (of_classes, "confusion", lambda t, y, w: reference.confusion_matrix(t, y.argmax(1), labels=LABELS, sample_weight=w)),
    (of_two_classes, "roc_auc", lambda t, y, w: reference.roc_auc_score(t, y[:, 1] - y[:, 0], sample_weight=w)),
    (of_two_classes, "average_precision", lambda t, y, w: reference.average_precision_score(t, y[:, 1] - y[:, 0], sample_weight=w)),
    (of_one_logit, "precision", lambda t, y, w: reference.precision_score(t, y > 0, sample_weight=w)),
    (of_one_logit, "recall", lambda t, y, w: reference.recall_score(t, y > 0, sample_weight=w)),
    (of_one_logit, "f1", lambda t, y, w: reference.f1_score(t, y > 0, sample_weight=w)),
    (of_one_logit, "brier", lambda t, y, w: 2 * reference.brier_score_loss(t[:, 0], in_two(y)[:, 1], sample_weight=w)),
    (of_one_logit, "binary_accuracy", lambda t, y, w: reference.accuracy_score(t, y > 0, sample_weight=w)),
    (of_one_logit, "calibration_error", lambda t, y, w: calibration(in_two(y), t[:, 0], w)),
    (of_one_logit, "roc_auc", lambda t, y, w: reference.roc_auc_score(t[:, 0], y[:, 0], sample_weight=w)),
    (of_one_logit, "average_precision", lambda t, y, w: reference.average_precision_score(t[:, 0], y[:, 0], sample_weight=w)),
    (of_one_logit, "confusion", lambda t, y, w: reference.confusion_matrix(t, y > 0, sample_weight=w)),
    (of_numbers, "squared_error", lambda t, y, w: reference.mean_squared_error(t, y, sample_weight=w)),
    (of_numbers, "rmse", lambda t, y, w: reference.mean_squared_error(t, y, sample_weight=w) ** 0.5),
    (of_numbers, "absolute_error", lambda t, y, w: reference.mean_absolute_error(t, y, sample_weight=w)),
    (of_numbers, "r2", lambda t, y, w: reference.r2_score(t, y, sample_weight=w)),
    (of_one_number, "r2", lambda t, y, w: reference.r2_score(t, y, sample_weight=w))]
SOURCES = [of_classes, of_two_classes, of_one_logit, of_numbers, of_one_number]


@pytest.mark.parametrize("batch_size", [1, 64])
@pytest.mark.parametrize("source", SOURCES)
def test_figures_are_scikit_learns(source, batch_size):
    outputs, targets, options = source()
    rows = [(metric, expected) for data, metric, expected in TABLE if data is source]
    result = figures(outputs, targets, [metric for metric, _ in rows], batch_size, **options)
    for metric, expected in rows:
        name = metric if isinstance(metric, str) else metric.name
        assert result[name] == pytest.approx(expected(targets, outputs, None), rel=1e-6), name


@pytest.mark.parametrize("source", SOURCES)
def test_figures_with_sample_weights_are_scikit_learns(source):
    outputs, targets, options = source()
    weights = np.random.default_rng(7).integers(0, 4, len(targets)) / 2
    rows = [(metric, expected) for data, metric, expected in TABLE if data is source and metric != "top5_accuracy"]
    result = figures(outputs, targets, [metric for metric, _ in rows], sample_weight=weights, **options)
    for metric, expected in rows:
        name = metric if isinstance(metric, str) else metric.name
        assert result[name] == pytest.approx(expected(targets, outputs, weights), rel=1e-6), name


def test_classes_that_never_occur_do_not_count_and_those_only_predicted_do():
    scores = np.eye(CLASSES, dtype=np.float32)[[0, 0, 1, 1, 2]]
    labels = np.array([0, 1, 1, 1, 0])  # 2 is predicted only, 3 and 4 never occur
    result = figures(scores, labels, ["precision", "recall", "f1"])
    assert result["precision"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result["recall"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert result["f1"] == pytest.approx(reference.f1_score(labels, scores.argmax(1), average="macro", zero_division=0))


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


def training(metrics=("f1", "accuracy"), **options):
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(90, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int64) + (inputs[:, 1] > 1)
    sl.seed(0)
    return sl.Training(nn.Linear(4, 3), Dataset(inputs, labels), optimizer=optim.SGD(lr=0.1), epochs=3, batch_size=32,
                       metrics=metrics, **options)


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


def test_figures_that_the_data_do_not_define_are_nan_and_a_warning_says_why():
    outputs, targets, _ = of_numbers()
    with pytest.warns(UserWarning, match=r"r2 of dataset is nan\n.*do not vary"):
        assert np.isnan(figures(outputs[:1], targets[:1], ["r2"])["r2"])
    scores, labels, _ = of_two_classes()
    with pytest.warns(UserWarning) as caught:
        result = figures(scores, np.zeros_like(labels), ["roc_auc", "average_precision"])
    assert np.isnan([result["roc_auc"], result["average_precision"]]).all()
    assert ["there are no others" in str(caught[0].message), "no example of the class" in str(caught[1].message)] == [True, True]


def test_classes_that_cannot_be_ranked_are_left_out_of_the_mean():
    scores, labels, _ = of_classes()
    kept = labels != 4
    expected = np.mean([reference.roc_auc_score(labels[kept] == i, softmax(scores[kept].astype(np.float64))[:, i]) for i in range(4)])
    assert figures(scores[kept], labels[kept], "roc_auc")["roc_auc"] == pytest.approx(expected)


def test_ranks_do_not_suffer_from_probabilities_that_round_to_1():
    scores = np.array([[0, 40], [0, 45], [0, 50], [0, 55]], np.float32)  # all probabilities of class 1 are 1 in float32
    assert figures(scores, np.array([0, 0, 1, 1]), "roc_auc")["roc_auc"] == 1.0


def test_labels_that_are_ignored_have_no_rank():
    scores, labels, _ = of_two_classes()
    kept = np.arange(len(labels)) % 3 > 0
    hidden = np.where(kept, labels, -100)
    ignoring = {"loss": partial(nn.cross_entropy, ignore_index=-100)}
    result = figures(scores, hidden, ["roc_auc", "confusion", "calibration_error", "perplexity"], **ignoring)
    assert result["roc_auc"] == figures(scores[kept], labels[kept], "roc_auc")["roc_auc"] and result["confusion"].sum() == kept.sum()
    assert result["calibration_error"] == pytest.approx(calibration(softmax(scores[kept]), labels[kept]))
    assert result["perplexity"] == pytest.approx(np.exp(result["loss"]))


def test_training_ranks_validation_data_only():
    rng = np.random.default_rng(4)
    held_out = Dataset(rng.normal(size=(40, 4)), rng.integers(0, 3, 40))
    whole = training(metrics=["roc_auc", "perplexity", *sl.train.per_class("recall", ["a", "b", "c"])], validation=held_out)
    chunk = whole.advance()
    assert np.array_equal(chunk["perplexity"], np.exp(chunk["loss"].astype(np.float64)))
    epoch = whole.run().epochs[-1]
    assert list(epoch.metrics) == ["perplexity", "recall[a]", "recall[b]", "recall[c]"]
    assert list(epoch.validation) == ["loss", "roc_auc", *epoch.metrics]
    assert epoch.metrics["perplexity"] == pytest.approx(np.exp(epoch.loss))
    assert epoch.validation == sl.evaluate(whole.net, held_out, metrics=["roc_auc", *list(whole.metrics.values())[1:]])


@pytest.mark.parametrize("source, metrics, what, repair", [
    (of_classes, "r2", r"r2: outputs have shape \(1, 5\), targets \(1,\)", "accuracy or f1"),
    (of_numbers, "roc_auc", "ranked by one logit each, but a target is 1000", "such as r2"),
    (of_one_logit, sl.train.per_class("f1", 3), "3 classes, but the net has 1 outputs", "once, in the order of its outputs")])
def test_metrics_for_other_targets_are_refused(source, metrics, what, repair):
    outputs, targets, options = source()
    with pytest.raises(SlopesError, match=what) as caught:
        figures(outputs, targets, metrics, 1, **options)
    assert repair in caught.value.repair


def test_scores_of_sequences_name_the_metric_for_them():
    with pytest.raises(ShapeError, match=r"outputs have shape \(2, 6, 3\), targets \(2, 6\)") as caught:
        figures(np.zeros((2, 6, 3), np.float32), np.zeros((2, 6), int), "f1", loss=nn.token_cross_entropy)
    assert "token_accuracy" in caught.value.repair


@pytest.mark.parametrize("metric, what, repair", [("confusion", "'confusion' is an array", "sl.evaluate(net, data, metrics='confusion')"),
                                                  ("roc_auc", "'roc_auc' needs validation data", "give fit validation=...")])
def test_metrics_that_a_training_cannot_have_are_refused(metric, what, repair):
    with pytest.raises(ArgumentError, match=what) as caught:
        training(metrics=metric)
    assert repair in caught.value.repair and caught.value.why


def test_ranks_of_numbers_are_refused_before_the_first_step():
    outputs, targets, _ = of_numbers()
    with pytest.raises(ArgumentError, match="ranked by one logit each, but a target is 1000"):
        sl.Training(nn.Linear(3, 3), Dataset(outputs, targets), validation=Dataset(outputs, targets), metrics="roc_auc")


@pytest.mark.parametrize("arguments", [("accuracy", 3), ("f1", 0)])
def test_per_class_takes_scores_of_classes(arguments):
    with pytest.raises(ArgumentError, match="per_class"):
        sl.train.per_class(*arguments)


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
