"""Weights of classes and examples in fit: the steps are those of a loss that is weighted by hand."""

from functools import partial

import numpy as np
import pytest
from sklearn.utils import compute_class_weight

import slopes as sl
from slopes import functions as F
from slopes import nn, optim, text
from slopes.data import Dataset, augment
from slopes.errors import ArgumentError, DataError, OutOfRangeError, ShapeError, SlopesError
from slopes.train.sources import source_of
from slopes.train.weighting import find_class_weight
from slopes.zoo.language import LanguageModel

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(23, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 2] * 5)[:23]
YES = (LABELS == 2).astype(np.float32)[:, None]
NUMBERS = RNG.normal(size=(23, 1)).astype(np.float32)
WEIGHTS = RNG.integers(0, 4, 23) / 2  # some are 0
CLASS_WEIGHT = np.array([3, 1, 0.5], np.float32)
TOKENS = np.tile([1, 2, 0, 3, 1, 3], 8)


def train(dataset, outputs=3, net=None, **options):
    """The losses of two epochs, those of the validation on the same data, and the weights."""
    sl.seed(0)
    net = nn.Linear(4, outputs) if net is None else net()
    options = {"optimizer": optim.SGD(lr=0.1), "batch_size": 8, **options}
    run = sl.fit(net, dataset, validation=dataset, epochs=2, progress=False, **options)
    measured = [value for epoch in run.epochs for value in (epoch.loss, epoch.validation["loss"])]
    return np.array([*run.losses, *measured, *(weight for parameter in net.parameters() for weight in parameter.numpy().ravel())])


def by_hand(kind, weights):
    """The mean of the losses of this kind, weighted by those of the targets' classes."""
    def loss(outputs, targets):
        labels = F.astype(targets > 0.5, np.int64) if targets.dtype == np.float32 else targets
        return nn.weighted_mean(kind(outputs, targets, reduction="none"), F.take(sl.asarray(weights), labels, axis=0))

    return loss


def test_class_weights_are_those_of_a_weighted_cross_entropy():
    data = Dataset(INPUTS, LABELS)
    hand = train(data, loss=partial(nn.cross_entropy, weight=CLASS_WEIGHT))
    for accumulate in (1, 3):
        np.testing.assert_allclose(train(data, class_weight=CLASS_WEIGHT, accumulate=accumulate), hand, rtol=2e-5, atol=1e-6)


def test_sample_weights_are_those_of_a_loss_weighted_by_hand():
    known = Dataset(INPUTS, np.concatenate([NUMBERS, WEIGHTS[:, None]], 1))  # targets that hold the weights
    hand = train(known, 1, loss=lambda outputs, targets: nn.weighted_mean((outputs - targets[:, :1]) ** 2, targets[:, 1:]))
    np.testing.assert_allclose(train((INPUTS, NUMBERS, WEIGHTS), 1, accumulate=3, metrics="squared_error"), hand, rtol=2e-5, atol=1e-6)


def test_weights_of_both_kinds_are_multiplied():
    both = train((INPUTS, LABELS, WEIGHTS), class_weight=CLASS_WEIGHT)
    np.testing.assert_allclose(both, train((INPUTS, LABELS, WEIGHTS * CLASS_WEIGHT[LABELS])), rtol=2e-5, atol=1e-6)


def test_classes_of_one_logit_have_weights():
    data, bce = Dataset(INPUTS, YES), nn.binary_cross_entropy_with_logits
    weighted = train(data, 1, loss=bce, class_weight={1: 4.0})
    np.testing.assert_allclose(weighted, train(data, 1, loss=by_hand(bce, np.array([1, 4], np.float32))), rtol=2e-5, atol=1e-6)


def test_classes_of_tokens_have_weights():
    options = {"net": lambda: LanguageModel(4, 5, 6), "batch_size": 2}
    weighted = train(text.Streams(TOKENS, 5), class_weight={1: 4.0}, **options)
    loss = lambda outputs, targets: nn.cross_entropy(  # noqa: E731
        outputs.reshape((-1, 4)), targets.reshape((-1,)), weight=np.array([1, 4, 1, 1], np.float32), ignore_index=-100)
    np.testing.assert_allclose(weighted, train(text.Streams(TOKENS, 5), loss=loss, **options), rtol=2e-5, atol=1e-6)


def test_ignored_labels_have_no_weight():
    hidden = np.where(np.arange(23) % 3, LABELS, -100)
    kept = hidden >= 0
    loss = partial(nn.cross_entropy, ignore_index=-100)
    options = {"loss": loss, "class_weight": CLASS_WEIGHT, "batch_size": 23}
    np.testing.assert_allclose(train((INPUTS, hidden, WEIGHTS), **options),
                               train((INPUTS[kept], hidden[kept], WEIGHTS[kept]), **options), rtol=2e-5, atol=1e-6)


def test_a_weight_of_two_is_that_of_two_examples():
    times = RNG.integers(0, 3, 23)
    net = nn.Linear(4, 3)
    weighted = sl.evaluate(net, INPUTS, LABELS, sample_weight=times, metrics=["accuracy", "f1", "roc_auc"], batch_size=7)
    assert weighted == pytest.approx(sl.evaluate(net, INPUTS.repeat(times, 0), LABELS.repeat(times), metrics=["accuracy", "f1", "roc_auc"]))


@pytest.mark.parametrize("labels", [LABELS, YES])
def test_balanced_weights_are_scikit_learns(labels):
    source = source_of(Dataset(INPUTS, labels))
    kinds = np.unique(labels)
    expected = compute_class_weight("balanced", classes=kinds, y=labels.ravel())
    assert find_class_weight("balanced", source) == pytest.approx(expected)


def test_weights_by_name_are_those_of_the_labels():
    source = source_of(Dataset(INPUTS, LABELS, classes=["a", "b", "c"]))
    assert find_class_weight({"c": 2.0, 0: 3}, source).tolist() == [3, 1, 2]


WRONG = {
    "sample_weight has shape (22,) and type float64, but there are 23 examples": (ShapeError, {"sample_weight": np.ones(22)}),
    "sample_weight[3] is -1": (OutOfRangeError, {"sample_weight": np.where(np.arange(23) == 3, -1, 1)}),
    "sample_weight is 0 for all examples": (OutOfRangeError, {"sample_weight": np.zeros(23)}),
    "class_weight is 'even'": (ArgumentError, {"class_weight": "even"}),
    "class_weight has the key 'd'": (ArgumentError, {"class_weight": {"d": 2.0}}),
    "class_weight is [1.0, nan, 2.0]": (ArgumentError, {"class_weight": [1.0, np.nan, 2.0]}),
    "class_weight has 2 weights, but there are 3 classes": (ShapeError, {"class_weight": [1.0, 2.0]}),
    "the loss mine cannot weight examples or classes": (ArgumentError, {"class_weight": "balanced", "loss": "mine"}),
    "class_weight with targets of shape (8, 3) and type float32": (ArgumentError, {"class_weight": "balanced", "augment": "mixup"})}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_weights_are_refused(what):
    kind, options = WRONG[what]

    def mine(outputs, targets):
        return nn.cross_entropy(outputs, targets, reduction="none").mean()

    if "loss" in options:
        options = {**options, "loss": mine}
    if "augment" in options:
        options = {**options, "augment": lambda x, y: augment.mixup(x, y, 3)}
    with pytest.raises(SlopesError) as caught:
        sl.fit(nn.Linear(4, 3), INPUTS, LABELS, batch_size=8, progress=False, **options)
    assert isinstance(caught.value, kind) and caught.value.what == what and caught.value.why and caught.value.repair


def test_examples_of_a_loader_have_no_weights():
    with pytest.raises(ArgumentError, match="sample_weight goes with a Streams, a loader without arrays") as caught:
        sl.fit(LanguageModel(4, 5, 6), text.Streams(TOKENS, 5), sample_weight=np.ones(3), progress=False)
    assert "class_weight" in caught.value.repair
    with pytest.raises(ArgumentError, match="class_weight='balanced' needs class labels in an array"):
        sl.fit(LanguageModel(4, 5, 6), text.Streams(TOKENS, 5), class_weight="balanced", progress=False)


def test_a_run_is_continued_with_its_class_weights_only(tmp_path):
    net = nn.Linear(4, 3)
    sl.fit(net, INPUTS, LABELS, class_weight="balanced", run=tmp_path / "run", progress=False)
    with pytest.raises(ArgumentError, match="cannot be continued by this training") as caught:
        sl.fit(net, INPUTS, LABELS, run=tmp_path / "run", progress=False)
    assert "class_weight is None here, [" in caught.value.why
    with pytest.raises(DataError, match="cannot be continued with these data"):
        sl.fit(net, INPUTS, LABELS, sample_weight=WEIGHTS, class_weight="balanced", run=tmp_path / "run", progress=False)


def test_a_mean_that_is_not_over_examples_is_refused():
    with pytest.raises(ShapeError, match=r"values of shape \(3,\) cannot be weighted by examples") as caught:
        sl.fit(nn.Linear(4, 3), INPUTS, LABELS, class_weight="balanced", progress=False, batch_size=8,
               loss=lambda outputs, targets: nn.weighted_mean(F.sum(outputs, axis=0), 1))
    assert "nn.weighted_mean(values, 1)" in caught.value.repair
