"""Feeds: text in batches of few shapes, learned from and measured by fit and evaluate, with the net's state carried along."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim, text
from slopes.data import IGNORED
from slopes.data.loaders.inputs import inputs_of
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from slopes.text.buckets import adaptive_boundaries
from slopes.train.progress import CallbackReporter
from slopes.train.runner import LoaderEpoch, LoaderRunner, StackedBatches
from slopes.train.step_program import StepProgram
from slopes.zoo.language import LanguageModel

WORD = np.tile([1, 2, 0, 3, 1, 3], 40)  # the token after 1 depends on the one before it: 3 1 2 0 3 1 3 1 2 ...


def reader(**options):
    sl.seed(0)
    return LanguageModel(vocabulary=4, width=6, hidden=12, **options)


def pairs(feed, batch_size, **options):
    """All pairs (token, next) that count."""
    found = [(batch.inputs[batch.targets != IGNORED], batch.targets[batch.targets != IGNORED])
             for batch in feed.batches(batch_size, **options)]
    return sorted(zip(np.concatenate([x for x, _ in found]).tolist(), np.concatenate([y for _, y in found]).tolist()))


# What is in the batches


@pytest.mark.parametrize("feed", [text.Streams(range(100), 7), text.Windows(range(100), 7)], ids=["streams", "windows"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_without_a_seed_each_pair_of_neighbours_is_there_once(feed, batch_size):
    assert pairs(feed, batch_size) == [(k, k + 1) for k in range(99)]


@pytest.mark.parametrize("feed", [text.Streams(range(100), 7), text.Windows(range(100), 7), text.Windows(range(100), 7, count=3),
                                  text.Rows([[1] * k for k in range(1, 20)], targets=np.arange(19))], ids=lambda feed: type(feed).__name__)
def test_the_number_of_steps_is_known_before(feed):
    batches = list(feed.batches(4, seed=5, epoch=2))
    assert len(batches) == feed.steps(4)
    assert abs(sum(batch.counted for batch in batches) - feed.size(4)) <= 1


def test_streams_go_on_where_they_stopped_and_begin_elsewhere_each_epoch():
    feed = text.Streams(range(100), 7)
    rows = np.concatenate([batch.inputs for batch in feed.batches(3, seed=0)], axis=1)
    steps = np.diff(rows[0][:30])
    assert (steps == 1).all()
    assert len({next(iter(feed.batches(3, seed=0, epoch=epoch))).inputs[0, 0] for epoch in range(20)}) > 3


def test_rows_are_padded_to_few_lengths_and_each_comes_once():
    rows, labels = [[k] * k for k in range(1, 30)], np.arange(1, 30)
    feed = text.Rows(rows, targets=labels, limits=3)
    batches = list(feed.batches(4, seed=1))
    assert len({batch.inputs.shape for batch in batches}) == 3 and {len(batch.inputs) for batch in batches} == {4}
    seen = [(row[0], label) for batch in batches for row, label in zip(batch.inputs.tolist(), batch.targets.tolist()) if label != IGNORED]
    assert sorted(seen) == [(k, k) for k in range(1, 30)]
    again = list(feed.batches(4, seed=1))
    assert all((one.inputs == other.inputs).all() for one, other in zip(batches, again))
    assert any((one.targets[:1] != other.targets[:1]).any() for one, other in zip(batches, feed.batches(4, seed=2)))


def test_rows_of_several_inputs_have_lengths_of_their_own():
    feed = text.Rows([[1, 2], [3]], [[4], [5, 6, 7]], targets=[[8], [9, 9, 9]], limits=1)
    batch, = feed.batches(2)
    assert batch.inputs[0].tolist() == [[1, 2], [3, 0]] and batch.inputs[1].tolist() == [[4, 0, 0], [5, 6, 7]]
    assert batch.targets.tolist() == [[8, IGNORED, IGNORED], [9, 9, 9]] and batch.counted == 4


def places(lengths, **given):
    """How many places the batches of an epoch have, filling included; and their shapes."""
    feed = text.Rows([np.ones(n, int) for n in lengths], targets=[np.ones(n, int) for n in lengths], **given)
    shapes = [batch.targets.shape for batch in feed.batches(64)]
    assert feed.counted == sum(lengths) and len(shapes) == feed.steps(64)
    return sum(rows * length for rows, length in shapes), set(shapes)


@pytest.mark.parametrize("seed", range(3))
def test_one_long_row_costs_about_itself(seed):
    lengths = (np.random.default_rng(seed).poisson(20, 5000) + 1).tolist()
    usual, shapes = places(lengths)
    for long in ([2000], [2000, 1999, 150]):
        found, more = places(lengths + long)
        assert found <= 1.05 * usual + 2 * sum(long) and len(more) <= len(shapes) + 2 * len(long)


def test_a_bucket_is_never_mostly_filling():
    random = np.random.default_rng(0)
    for lengths in (np.exp(random.normal(3, 1, 3000)).astype(int) + 1, np.append(np.ones(500, int), [10**4]), random.integers(1, 9, 100)):
        limits = adaptive_boundaries(lengths, 6)
        assert limits[-1] == lengths.max() and list(limits) == sorted(set(limits))
        home = np.searchsorted(limits, lengths)
        for number, limit in enumerate(limits):
            members = lengths[home == number]
            filling = len(members) * limit - members.sum()
            assert len(members) and (filling <= max(members.sum(), lengths.sum() / 20) or (members > limit // 2).all())


def test_labels_may_be_a_list():
    wanted, = text.Rows([[1, 2], [3, 4]], targets=np.array([1, 0]), limits=1).batches(2)
    given, = text.Rows([[1, 2], [3, 4]], targets=[1, 0], limits=1).batches(2)
    assert given.targets.tolist() == wanted.targets.tolist() == [1, 0]


def test_rows_of_length_0_are_filling():
    batch, = text.Rows([[], [3]], targets=np.array([0, 1])).batches(2)
    assert batch.inputs.tolist() == [[0], [3]]


@pytest.mark.parametrize("make, kind, message", [
    (lambda: text.Streams([1], 3), ShapeError, "Streams: a text of 1 tokens"),
    (lambda: text.Windows([1, 2, 3], 3), ShapeError, "Windows: a text of 3 tokens"),
    (lambda: text.Rows([[1], [2]], targets=np.array([1])), ShapeError, "Rows: 2 rows and 1 targets"),
    (lambda: text.Rows(targets=np.array([1])), ShapeError, "Rows: no rows and 1 targets"),
    (lambda: text.Rows([[1], [2]], targets=3), ArgumentError, "Rows: targets are 3\n  every example has a label, or a row of labels\n"),
    (lambda: text.Rows([[1], [2]], targets=["good", "bad"]), DTypeError, "Rows: targets of type <U4, not numbers")])
def test_what_cannot_be_a_feed_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def loaders():
    lines = [WORD[:k] for k in (3, 5, 6, 9, 4, 9, 8)]
    return {"streams": text.Streams(WORD, 7), "windows": text.Windows(WORD, 9), "rows": text.Rows(lines, targets=lines, limits=3),
            "arrays": data.Dataset((np.arange(50.0).reshape(25, 2), np.arange(25)), np.arange(25) % 3)}


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("name", loaders())
def test_an_epoch_begins_in_the_middle(name, seed):
    loader = loaders()[name]
    whole = list(loader.batches(3, seed, 1))
    assert len(whole) > 2
    if seed is not None:
        assert len(whole) == loader.steps(3)
    for start in range(len(whole) + 1):
        rest = list(loader.batches(3, seed, 1, start))
        assert len(rest) == len(whole) - start
        for one, other in zip(rest, whole[start:]):
            for a, b in zip(inputs_of(one.inputs) + (one.targets,), inputs_of(other.inputs) + (other.targets,)):
                np.testing.assert_array_equal(a, b)


def test_a_loader_names_its_loss_and_whether_accuracy_is_measured():
    class Pairs(data.Loader):
        usual_loss, labelled = "cross_entropy", True

        def steps(self, batch_size):
            return 5

        def size(self, batch_size):
            return 5 * batch_size

        def batches(self, batch_size, seed=None, epoch=0, start=0):
            for step in range(start, 5):
                labels = np.arange(step, step + batch_size) % 3
                yield data.Batch(np.eye(3, dtype=np.float32)[labels], labels)

    run = sl.fit(nn.Linear(3, 3), Pairs(), optimizer=optim.Adam(lr=0.1), epochs=20, batch_size=6, validation=Pairs(), progress=False)
    assert run.settings["loss"] == "cross_entropy" and run.epochs[-1].metrics["accuracy"] == 1
    assert run.epochs[-1].validation["accuracy"] == 1 and run.chance is None


# Learning and measuring


def test_a_carried_state_is_needed_and_used():
    feed = text.Streams(WORD, 1)  # one token at a time: what comes after 1 is only known from before
    carried = sl.fit(reader(), feed, optimizer=optim.Adam(lr=0.02), epochs=25, batch_size=2, progress=False)
    alone = sl.fit(reader(), text.Windows(WORD, 1), optimizer=optim.Adam(lr=0.02), epochs=25, batch_size=2, progress=False)
    ends = [np.mean(each.losses[-60:]) for each in (carried, alone)]
    assert ends[0] < 0.6 * ends[1]


def test_what_fit_carries_is_what_reading_in_one_go_gives():
    net, ids = reader(kind="gru"), np.arange(41) % 4
    found = sl.evaluate(net, text.Streams(ids, 8), batch_size=1)
    whole = nn.token_cross_entropy(net(sl.tensor(ids[None, :-1])), ids[None, 1:])
    assert found["loss"] == pytest.approx(float(whole), rel=1e-5)


def test_one_compilation_per_shape_and_the_same_losses_with_the_same_seed():
    def run():
        feed = text.Rows([WORD[:k] for k in (3, 5, 6, 9, 4, 9, 8)], targets=[WORD[1:k + 1] for k in (3, 5, 6, 9, 4, 9, 8)], limits=2)
        net = reader(dropout=0.1)
        return sl.fit(net, feed, epochs=3, batch_size=2, validation=feed, metrics="token_accuracy", progress=False)

    first, second = run(), run()
    assert first.losses == second.losses and len(first.losses) == 3 * 4
    assert first.epochs[-1].validation["loss"] < first.epochs[0].validation["loss"]


def test_means_are_over_what_counts():
    net, rows = reader(), [[1, 2, 3, 1, 2], [1], [3, 2]]
    labels = [[2, 3, 1, 2, 0], [2], [2, 0]]
    found = sl.evaluate(net, text.Rows(rows, targets=labels, limits=2), batch_size=2, metrics="token_accuracy")
    losses = [float(nn.token_cross_entropy(net(sl.tensor([row])), np.array([label]))) * len(row) for row, label in zip(rows, labels)]
    right = sum(int((np.argmax(net(sl.tensor([row])).numpy()[0], axis=1) == label).sum()) for row, label in zip(rows, labels))
    assert found["loss"] == pytest.approx(sum(losses) / 8, rel=1e-5) and found["token_accuracy"] == pytest.approx(right / 8)


def test_a_run_that_diverges_goes_back_to_its_last_sound_step():
    class Explodes(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter(np.ones(()))

        def forward(self, x):
            return sl.stack([self.scale * x, -x], axis=-1).astype(np.float32)

    feed = text.Rows([[1], [1], [1]], targets=np.array([1, 1, 1]))

    def loss(outputs, targets):
        return (outputs[:, 0] ** 4).mean()

    net = Explodes()
    with pytest.raises(sl.errors.NonFiniteError) as caught:
        sl.fit(net, feed, loss=loss, optimizer=optim.SGD(lr=50.0), epochs=40, batch_size=1, progress=False)
    assert np.isfinite(net.scale.numpy()) and len(caught.value.run.losses) > 1


def test_steps_are_repeated_as_they_were_also_over_the_end_of_an_epoch():
    found = []

    runner = LoaderRunner(StepProgram(sl.compile(lambda held, batch, rate: {"sum": sum(batch).sum()})), lambda: found.append("begin"))
    calls = []
    for _ in range(2):
        epoch = LoaderEpoch(text.Streams(WORD, 30).batches(2), begins=True)
        while (batches := epoch.take(2)) is not None:
            calls.append((batches, runner.run(batches)["sum"]))
    assert found == ["begin"] * 2
    (first, sums), *others = calls[: len(calls) // 2]
    again = runner.run(first)["sum"]
    assert found == ["begin"] * 3 and (again == sums).all()
    runner.run(first[1:]) if len(first) > 1 else runner.run(others[0][0])
    assert found == ["begin"] * 3


def test_several_inputs_are_several_arguments():
    class Sum(nn.Module):
        def __init__(self):
            self.table = nn.Embedding(5, 3)

        def forward(self, one, other):
            return self.table(one).sum(axis=1) + self.table(other).sum(axis=1)

    feed = text.Rows([[1, 2], [3]], [[4], [1, 1, 1]], targets=np.array([0, 2]))
    run = sl.fit(Sum(), feed, optimizer=optim.Adam(lr=0.1), epochs=30, batch_size=2, metrics="token_accuracy", progress=False)
    assert run.epochs[-1].metrics["token_accuracy"] == 1


def test_a_reporter_of_one_s_own_is_told_each_epoch():
    told = []
    sl.fit(reader(), text.Windows(WORD, 4), epochs=2, batch_size=8, progress=CallbackReporter(told.append, "net: "))
    assert [line[:14] for line in told] == ["net: epoch 1/2", "net: epoch 2/2"]


# Errors


def test_a_net_without_a_state_cannot_read_streams():
    with pytest.raises(ArgumentError, match=r"Sequential has no method read\(inputs, state\)"):
        sl.fit(nn.Sequential(nn.Embedding(4, 4)), text.Streams(WORD, 4), batch_size=2, progress=False)


class Given(data.Loader):
    """Batches as they are given."""

    def __init__(self, *batches):
        self.given = [data.Batch(np.array(inputs), np.array(targets)) for inputs, targets in batches]

    def steps(self, batch_size):
        return len(self.given)

    def size(self, batch_size):
        return sum(each.counted for each in self.given)

    def batches(self, batch_size, seed=None, epoch=0, start=0):
        return iter(self.given[start:])


def test_labels_that_do_not_count_are_refused_where_nothing_else_is_there():
    with pytest.raises(ArgumentError, match="without a target that counts"):
        sl.evaluate(reader(), Given(([[1, 2]], [[IGNORED, IGNORED]])))
    some = Given(([[1, 2]], [[2, IGNORED]]), ([[1, 2]], [[IGNORED, IGNORED]]))
    for use in (sl.evaluate, partial(sl.fit, progress=False)):
        with pytest.raises(ArgumentError, match=r"(?s)a batch of the loader has no target that counts.*leave such examples out"):
            use(reader(), some)


@pytest.mark.parametrize("targets, count", [([[1], [IGNORED, IGNORED], []], 2), (np.array([0, IGNORED, 1]), 1)])
def test_an_example_without_a_label_that_counts_is_named(targets, count):
    with pytest.raises(ArgumentError, match=rf"(?s)example 1 has no label that counts.*{count} of 3 examples"):
        text.Rows([[1], [2, 2], [3]], targets=targets)


def test_a_label_outside_of_the_classes_is_named():
    with pytest.raises(OutOfRangeError, match="4"):
        sl.fit(reader(), text.Windows(np.concatenate((WORD, [4])), 4), batch_size=70, progress=False)


def test_stacks_are_cut_like_rows():
    batches = [data.Batch(np.full((2, 3), k), np.full((2,), k)) for k in range(4)]
    part = StackedBatches.of(batches)[1:3]
    assert StackedBatches.of(batches, True)[:2].begins and not StackedBatches.of(batches, True)[1:].begins and not part.begins
    assert len(part) == 2 and part.inputs[:, 0, 0].tolist() == [1, 2] and part.counts.tolist() == [2, 2]
