"""Means over what counts: whatever the batch size and the number of parts, losses, gradients and metrics are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim, text
from slopes.errors import ArgumentError, ShapeError
from slopes.zoo.language import LanguageModel

N, CLASSES = 24, 4
WEIGHT = np.array([10.0, 1.0, 0.1, 0.0], np.float32)


def unlike(reduction_of):
    """Two tasks of which each example has one or the other: each mean leaves other examples out."""
    def loss(outputs, targets):
        first = nn.cross_entropy(outputs, sl.where(targets < 2, targets, -100), ignore_index=-100)
        second = nn.cross_entropy(outputs, sl.where(targets >= 1, targets, -1), ignore_index=-1, weight=WEIGHT)
        return 0.3 * first + second + reduction_of(outputs)
    return loss


def masked(outputs, targets):
    return nn.weighted_mean((outputs[:, 0] - targets.astype(outputs.dtype)) ** 2, targets >= 0)


LOSSES = {
    "plain": nn.cross_entropy,
    "ignored": lambda o, t: nn.cross_entropy(o, t, ignore_index=-100),
    "weights": lambda o, t: nn.cross_entropy(o, t, weight=WEIGHT, ignore_index=-100),
    "smoothing": lambda o, t: nn.cross_entropy(o, t, weight=WEIGHT, ignore_index=-100, label_smoothing=0.2),
    "log probabilities": lambda o, t: nn.nll_loss(nn.log_softmax(o, axis=1), t, weight=WEIGHT, ignore_index=-100),
    "two unlike means and a plain one": unlike(lambda outputs: 0.1 * (outputs * outputs).mean()),
    "own": masked,
    "half": lambda o, t: 0.5 * masked(o, t) + 2,
    "sum": lambda o, t: nn.cross_entropy(o, t, reduction="sum", ignore_index=-100),
    "own sum": lambda o, t: (o * o).sum(),
    "sum by examples": lambda o, t: nn.cross_entropy(o, t, reduction="sum", ignore_index=-100) / o.shape[0],
}
WHOLE = {"plain", "two unlike means and a plain one"}  # these take every label for a class


def labels(random, ignored=True):
    found = random.integers(0, CLASSES, N)
    return np.where(random.random(N) < 0.5, -100, found) if ignored else found


def points(name, seed):
    random = np.random.default_rng(seed)
    return data.Dataset(random.standard_normal((N, 3)), labels(random, name not in WHOLE))


def linear():
    sl.seed(1)
    return nn.Linear(3, CLASSES)


def fitted(feed, loss, net=None, **given):
    net = linear() if net is None else net
    options = {"optimizer": optim.SGD(lr=0.3), "metrics": [], "progress": False, "epochs": 2, "batch_size": 10} | given
    return sl.fit(net, feed, loss=loss, **options)


@pytest.mark.parametrize("seed, name", list(enumerate(LOSSES)))
def test_parts_of_a_batch_make_the_update_of_the_whole(name, seed):
    lr = 0.01 if "sum" in name else 0.3
    whole = fitted(points(name, seed), LOSSES[name], optimizer=optim.SGD(lr=lr))
    for parts in ((2, 50), (4,))[seed % 2]:
        cut = fitted(points(name, seed), LOSSES[name], optimizer=optim.SGD(lr=lr), accumulate=parts)
        for key, array in whole.net.state_dict().items():
            np.testing.assert_allclose(cut.net.state_dict()[key], array, rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(cut.losses, whole.losses, rtol=1e-5, atol=1e-6)
        assert cut.epochs[-1].loss == pytest.approx(whole.epochs[-1].loss, rel=1e-5, abs=1e-6)


def mean_of_all(name, outputs, targets):
    """The loss of the whole set in one go; a sum over examples is reported as a mean over them."""
    found = float(LOSSES[name](outputs, targets))
    return found / N if name in ("sum", "own sum") else found


@pytest.mark.parametrize("name", LOSSES)
def test_a_measurement_does_not_depend_on_the_batch_size(name):
    for seed, sizes in enumerate([(1, 7), (16, 100)]):
        net, held = linear(), points(name, seed)
        expected = mean_of_all(name, net(sl.asarray(held.inputs)), sl.asarray(held.targets))
        for size in sizes:
            assert sl.evaluate(net, held, loss=LOSSES[name], batch_size=size)["loss"] == pytest.approx(expected, rel=1e-5), size


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_an_epoch_and_of_validation_is_over_all_that_counts(name):
    net, held = linear(), points(name, 0)
    expected = mean_of_all(name, net(sl.asarray(held.inputs)), sl.asarray(held.targets))
    for size in (1, 10):
        record = fitted(held, LOSSES[name], optimizer=optim.SGD(lr=0.0), epochs=1, batch_size=size, validation=held).epochs[0]
        assert record.loss == pytest.approx(expected, rel=1e-5)
        assert record.validation["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 5, 24])
def test_metrics_are_over_the_targets_that_count(size):
    net, held = linear(), points("ignored", 4)
    found = net(sl.asarray(held.inputs)).numpy().argmax(axis=1)
    expected = (found == held.targets)[held.targets != -100].mean()
    result = sl.evaluate(net, held, loss=LOSSES["ignored"], batch_size=size)
    assert result["accuracy"] == pytest.approx(expected) and len(result.predicted) == N
    run = fitted(held, LOSSES["ignored"], optimizer=optim.SGD(lr=0.0), metrics=None, epochs=1, batch_size=size, accumulate=2)
    assert run.epochs[0].metrics["accuracy"] == pytest.approx(expected)


def test_a_metric_of_one_s_own_is_over_what_counts_where_it_has_the_targets_shape():
    def ahead(outputs, targets):
        return outputs.max(axis=1)

    net, held = linear(), points("ignored", 5)
    expected = net(sl.asarray(held.inputs)).numpy().max(axis=1)[held.targets != -100].mean()
    assert sl.evaluate(net, held, loss=LOSSES["ignored"], metrics=ahead, batch_size=7)["ahead"] == pytest.approx(expected, rel=1e-5)


def test_pixels_count_one_by_one():
    random = np.random.default_rng(0)
    wanted = np.where(random.random((6, 5, 5)) < random.random((6, 1, 1)), -100, random.integers(0, CLASSES, (6, 5, 5)))
    pictures = data.Dataset(random.standard_normal((6, 2, 5, 5)), wanted)
    sl.seed(0)
    net = nn.Conv2d(2, CLASSES, 3, padding=1)
    loss = LOSSES["ignored"]
    outputs = net(sl.asarray(pictures.inputs))
    right = (outputs.numpy().argmax(axis=1) == wanted)[wanted != -100].mean()
    for size in (1, 4, 6):
        found = sl.evaluate(net, pictures, loss=loss, batch_size=size)
        assert found["loss"] == pytest.approx(float(loss(outputs, sl.asarray(wanted))), rel=1e-5)
        assert found["accuracy"] == pytest.approx(right)


def tagger():
    sl.seed(2)
    return nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, CLASSES))


def sentences(seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 9, 21)
    return text.Rows([random.integers(0, 9, n) for n in lengths],
                     targets=[np.where(random.random(n) < 0.3, -100, random.integers(0, CLASSES, n)).tolist()[:-1] + [1] for n in lengths],
                     limits=2)


@pytest.mark.parametrize("loss", [None, lambda o, t: nn.token_cross_entropy(o, t, label_smoothing=0.1)], ids=["usual", "smoothed"])
def test_parts_of_padded_rows_make_the_update_of_the_whole(loss):
    whole = fitted(sentences(), loss, tagger(), metrics="token_accuracy")
    for parts in (4, 50):
        cut = fitted(sentences(), loss, tagger(), metrics="token_accuracy", accumulate=parts)
        for key, array in whole.net.state_dict().items():
            np.testing.assert_allclose(cut.net.state_dict()[key], array, rtol=2e-5, atol=2e-6)
        assert cut.epochs[-1].loss == pytest.approx(whole.epochs[-1].loss, rel=1e-5)
        assert cut.epochs[-1].metrics["token_accuracy"] == pytest.approx(whole.epochs[-1].metrics["token_accuracy"])


def test_a_feed_is_measured_alike_with_any_batch_size():
    found = [sl.evaluate(tagger(), sentences(), batch_size=size, metrics="token_accuracy") for size in (1, 2, 5, 21)]
    for each in found[1:]:
        assert dict(each) == pytest.approx(dict(found[0]), rel=1e-5)


def test_a_batch_in_which_nothing_counts_adds_nothing():
    held = data.Dataset(np.eye(4, 3), [-100, -100, 1, 2])
    run = fitted(held, LOSSES["ignored"], optimizer=optim.SGD(lr=0.1), epochs=3, batch_size=1)
    assert np.isfinite(run.losses).all() and sorted(run.losses[:4])[:2] == [0.0, 0.0]
    alone = sl.evaluate(linear(), held.subset([2, 3]), loss=LOSSES["ignored"])
    assert sl.evaluate(linear(), held, loss=LOSSES["ignored"], batch_size=1)["loss"] == pytest.approx(alone["loss"])


def test_data_in_which_nothing_counts_are_refused():
    nothing = data.Dataset(np.eye(3), [-100, -100, -100])
    for use in (lambda: fitted(nothing, LOSSES["ignored"]), lambda: sl.evaluate(linear(), nothing, loss=LOSSES["ignored"])):
        with pytest.raises(ArgumentError, match=r"(?s)no target of dataset counts.*all are -100"):
            use()


def test_a_carried_state_is_not_cut():
    sl.seed(0)
    net = LanguageModel(4, 5, 6)
    with pytest.raises(ArgumentError, match="accumulate=2 with a loader whose state is carried"):
        fitted(text.Streams(np.arange(40) % 4, 4), None, net, accumulate=2, batch_size=2)


def test_a_weighted_mean_leaves_out_what_has_no_weight():
    x = sl.tensor([1.0, np.inf, np.nan, 4.0], requires_grad=True)
    for wrap in (lambda f: f, sl.compile):
        value, gradient = wrap(sl.value_and_grad(lambda x: nn.weighted_mean(x, sl.tensor([1.0, 0.0, 0.0, 3.0]))))(x)
        assert float(value) == 3.25 and gradient.numpy().tolist() == [0.25, 0, 0, 0.75]
    assert float(nn.weighted_mean(sl.ones((3, 4)) * sl.tensor([1.0, 2, 3, 4]), [True, False, False, True])) == 2.5
    assert np.isnan(float(nn.weighted_mean(sl.ones(2), [0, 0])))
    with pytest.raises(ShapeError, match=r"(?s)weights \(3,\) do not broadcast to values \(2,\).*weights of shape \(2,\)"):
        nn.weighted_mean(sl.ones(2), sl.ones(3))
