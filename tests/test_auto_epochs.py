"""epochs="auto": a training ends when the validation loss no longer improves, with the weights of its best epoch."""

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.optim import schedules
from slopes.train import Snapshots, TrainSpec
from slopes.train.best import patience
from slopes.train.progress import CallbackReporter

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 10)).astype(np.float32)
LABELS = ((INPUTS[:, 0] > 0) ^ (RNG.random(60) < 0.2)).astype(np.int64)  # a fifth is wrong: the net overfits
FEW, HELD_OUT = Dataset(INPUTS[:20], LABELS[:20]), Dataset(INPUTS[20:], LABELS[20:])


def training(**options):
    sl.seed(0)
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    options = {"epochs": "auto", "validation": HELD_OUT, "optimizer": optim.Adam(lr=0.01), "batch_size": 8, **options}
    return sl.Training(net, FEW, **options)


def fit(**options):
    made = training()
    return sl.fit(made.net, FEW, epochs="auto", validation=HELD_OUT, optimizer=optim.Adam(lr=0.01), batch_size=8, **options)


@pytest.mark.parametrize("epochs, expected", [(1, 5), (20, 5), (23, 5), (24, 6), (100, 25), (999, 249)])
def test_patience_grows_with_the_epochs(epochs, expected):
    assert patience(epochs) == expected


def test_a_training_ends_by_itself_with_its_best_weights():
    lines = []
    run = fit(progress=CallbackReporter(lines.append))
    losses = [epoch.validation["loss"] for epoch in run.epochs]
    best = int(np.argmin(losses))
    assert 1 < best < len(losses) - 5
    assert [done for done in range(1, len(losses) + 1) if done - 1 - int(np.argmin(losses[:done])) >= max(5, done // 4)] == [len(losses)]
    assert sl.evaluate(run.net, HELD_OUT)["loss"] == losses[best]
    assert lines[0].startswith("epoch 1  loss") and not run.interrupted
    assert lines[-1] == run.message == f"ended after {len(losses)} epochs: the net has the weights of epoch {best + 1}, its best"
    assert run.settings["epochs"] == "auto"


def test_it_goes_on_from_its_state_and_ends_with_the_same_bits():
    whole = training()
    run = whole.run()
    first = training()
    first.advance(10)
    again = training()
    again.load_named_state(first.named_state())
    assert again.run().losses == run.losses
    expected, state = ({name: array for name, array in one.named_state().items() if not name.endswith("seconds")} for one in (whole, again))
    assert all(np.array_equal(array, state[name]) for name, array in expected.items())


def test_its_run_folder_is_finished_and_has_the_best_weights(tmp_path):
    first = fit(run=tmp_path / "run", progress=False)
    again = fit(run=tmp_path / "run", progress=False)
    assert again.losses == first.losses
    assert all(np.array_equal(array, again.net.state_dict()[name]) for name, array in first.net.state_dict().items())
    with pytest.raises(ArgumentError, match="cannot be continued by this training") as caught:
        sl.fit(training().net, FEW, epochs=200, validation=HELD_OUT, optimizer=optim.Adam(lr=0.01), batch_size=8, run=tmp_path / "run")
    assert caught.value.why == "epochs is 200 here, 'auto' there"


def test_no_more_than_1000_epochs():
    point = Dataset(np.ones((1, 1)), np.array([[1.0]]))
    slow = sl.Training(nn.Linear(1, 1), point, epochs="auto", validation=point, optimizer=optim.SGD(lr=1e-4))
    assert slow.epochs == 1000 and slow.steps == 0


def test_plateau_and_schedules_with_their_own_length_are_possible():
    for schedule in (schedules.Plateau(patience=1), schedules.Cosine(steps=50), schedules.WarmUp(5, schedules.Exponential(0.99))):
        assert training(schedule=schedule).rate > 0


@pytest.mark.parametrize("options, what, repair", [
    ({"validation": None}, "epochs='auto' needs validation data", "give fit validation=..., or say how many epochs"),
    ({"average": optim.Average(0.9)}, "epochs='auto' with average=", "epochs=20"),
    ({"schedule": "cosine"}, "epochs='auto' with the schedule Cosine(", "give the schedule its steps, or take Plateau")])
def test_what_it_needs_is_asked_for(options, what, repair):
    with pytest.raises(ArgumentError) as caught:
        training(**options)
    assert caught.value.what.startswith(what) and repair in caught.value.repair and caught.value.why


def test_snapshots_need_to_know_the_epochs():
    with pytest.raises(ArgumentError, match="Snapshots: the training has epochs='auto'"):
        training(callbacks=[Snapshots()]).advance()


def test_other_words_are_no_number_of_epochs():
    with pytest.raises(ArgumentError, match="epochs is 'many'") as caught:
        TrainSpec(epochs="many")
    assert "'auto'" in caught.value.repair
