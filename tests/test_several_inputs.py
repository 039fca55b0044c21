"""Nets of several inputs: a tuple of arrays is one argument each, in data sets, fit, evaluate, from the disk and with augmentation."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim
from slopes.data import Dataset
from slopes.data.loaders.dataset import only_input
from slopes.errors import ArgumentError, DTypeError, NonFiniteError, ShapeError
from slopes.train import range_test, streaming

RNG = np.random.default_rng(5)
POINTS, WORDS = RNG.normal(size=(43, 2)).astype(np.float32), RNG.integers(0, 4, (43, 3))
LABELS = (POINTS.sum(axis=1) + WORDS.sum(axis=1) > 4.5).astype(np.int64)


class Both(nn.Module):
    """Scores of two classes, from two numbers and three words."""

    def __init__(self):
        self.table, self.head = nn.Embedding(4, 5), nn.Linear(7, 2)

    def forward(self, points, words):
        return self.head(sl.concat([points, self.table(words).sum(axis=1)], axis=1))


class Beside(nn.Module):
    """The same net, of one array with both beside each other."""

    def __init__(self, net):
        self.net = net

    def forward(self, x):
        return self.net(x[:, :2], x[:, 2:].astype(np.int64))


class Stored:
    """An array that is read as it is used."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return self.array[index]

    def gather(self, numbers):
        return self.array[numbers]


class Kept:
    """A data set of a user's own."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets


def both():
    return Dataset((POINTS, WORDS), LABELS, ("small", "large"))


def net():
    sl.seed(3)
    return Both()


def trained(net, dataset, **options):
    return sl.fit(net, dataset, optimizer=optim.Adam(lr=0.03), epochs=6, batch_size=10, progress=False, **options)


# Data sets


def test_parts_of_a_data_set_hold_the_same_examples_of_every_input():
    chosen = both().subset([5, 2])
    assert isinstance(chosen.inputs, tuple) and not any(each.flags.writeable for each in chosen.inputs)
    np.testing.assert_array_equal(chosen.inputs[0], POINTS[[5, 2]])
    np.testing.assert_array_equal(chosen.inputs[1], WORDS[[5, 2]])
    (points, words), label = both()[7]
    assert (points == POINTS[7]).all() and (words == WORDS[7]).all() and label == LABELS[7]
    for ((points, words), labels), start in zip(both().batches(20), (0, 20, 40)):
        assert (points == POINTS[start:start + 20]).all() and (words == WORDS[start:start + 20]).all() and len(labels) == len(words)
    parts = data.split(both())
    assert len(parts.train) + len(parts.validation) + len(parts.test) == len(both()) == 43
    assert repr(both()) == "Dataset(data: 43 examples, inputs (2,) float32 and (3,) int64, targets () int64, 2 classes)"


@pytest.mark.parametrize("inputs, kind, text", [
    ((), ArgumentError, "the tuple of inputs is empty"), ((POINTS, WORDS[:9]), ShapeError, "data: 9 inputs[1] but 43 targets"),
    (((0, 1), (1, 0)), ShapeError, "a tuple are several inputs of the net, one is a list or an array"),
    ((POINTS, np.full(43, np.nan)), NonFiniteError, "inputs[1] hold nan at [0]"), ((POINTS, ["a"]), DTypeError, "inputs[1] have dtype")])
def test_inputs_that_do_not_fit_together_are_named(inputs, kind, text):
    with pytest.raises(kind) as caught:
        Dataset(inputs, LABELS)
    assert text in str(caught.value)


def test_what_is_done_to_one_array_is_not_done_to_several():
    for attempt in (both().standardized, lambda: data.Standardize(both()), lambda: only_input(both())):
        with pytest.raises(ArgumentError, match="data has 2 inputs"):
            attempt()


# Training


def test_several_inputs_learn_what_one_array_of_both_learns():
    one, other = net(), net()
    run = trained(one, both(), validation=both(), schedule="linear", accumulate=2)
    whole = Dataset(np.concatenate([POINTS, WORDS], axis=1, dtype=np.float32), LABELS)
    again = trained(Beside(other), whole, validation=whole, schedule="linear", accumulate=2)
    np.testing.assert_allclose(run.losses, again.losses, rtol=1e-5)
    assert run.epochs[-1].loss < 0.8 * run.epochs[0].loss and run.epochs[-1].validation["accuracy"] > 0.6
    result = sl.evaluate(one, both())
    assert result["accuracy"] == np.mean(result.predicted == LABELS) == run.epochs[-1].validation["accuracy"]


def test_inputs_from_the_disk_and_from_memory_go_together(monkeypatch):
    kept = trained(net(), both())
    for room in (1 << 26, 2 * 10 * (2 * 4 + 3 * 8)):  # all steps of an epoch in one call; two steps in each
        monkeypatch.setattr(streaming, "STREAMED_BYTES", room)
        assert trained(net(), Kept((Stored(POINTS), WORDS), LABELS)).losses == kept.losses
    measured = sl.evaluate(kept.net, Kept((Stored(POINTS), WORDS), LABELS))  # in batches of what is read at once
    assert measured == pytest.approx(sl.evaluate(kept.net, both()), rel=1e-6)


def test_an_augmentation_is_given_all_inputs():
    seen = []

    def turned(inputs, targets):
        points, words = inputs
        seen.append((points.shape[1], words.shape[1]))
        return (-points, words), targets

    turned_before = Dataset((-POINTS, WORDS), LABELS)
    assert trained(net(), both(), augment=turned).losses == trained(net(), turned_before).losses and set(seen) == {(2, 3)}
    with pytest.raises(ArgumentError, match="not \\(inputs, targets\\)"):
        trained(net(), both(), augment=lambda inputs, targets: ((inputs[0], 1), targets))
    with pytest.raises(ShapeError, match="augment made inputs"):
        trained(net(), both(), augment=lambda inputs, targets: ((inputs[0][0], inputs[1]), targets))


def test_rates_are_tried_on_several_inputs():
    assert len(range_test(net(), both(), steps=5, batch_size=10).losses) == 5


def test_a_run_that_diverges_goes_back_with_several_inputs():
    found, before = net(), net().state_dict()
    with pytest.raises(sl.errors.NonFiniteError) as caught:
        sl.fit(found, both(), loss=lambda scores, labels: nn.cross_entropy(scores * 1e30 * 1e30, labels), optimizer=optim.SGD(lr=1.0),
               batch_size=10, progress=False)
    assert caught.value.run.history.steps == 1
    assert all((array == before[path]).all() for path, array in found.state_dict().items())


@pytest.mark.parametrize("make, dataset, text", [
    (net, Dataset(POINTS, LABELS), "dataset has 1 input, but Both.forward(points, words) takes another number"),
    (lambda: nn.Linear(2, 2), both(), "dataset has 2 inputs, but Linear.forward"),
    (net, Kept((POINTS, WORDS[:4]), LABELS), "inputs ((43, 2), (4, 3)) and targets (43,) do not pair up"),
    (net, Kept((), LABELS), "inputs () and targets (43,) do not pair up"),
    (net, Kept((POINTS[:0], WORDS[:0]), LABELS[:0]), "dataset has no examples: inputs ((0, 2), (0, 3))"),
    (net, Kept((POINTS * np.nan, WORDS), LABELS), "dataset.inputs[0][0, 0] is nan")])
def test_nets_and_inputs_that_do_not_fit_are_refused(make, dataset, text):
    with pytest.raises(ArgumentError) as caught:
        trained(make(), dataset)
    assert text in str(caught.value)
