"""The playground's engine: bit-exact time travel and programs, tables, presets and limits."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from studio_programs import lines_of, run_program, train

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DataError
from slopes.files.tensorfile import loads_safetensors
from slopes.studio.engine import Context
from slopes.studio.messages import Attached, parse
from slopes.studio.playground.engine import Playground
from slopes.studio.playground.experiment import Event, Experiment
from slopes.studio.playground.inspector import Inspector
from slopes.studio.playground.messages import (
    MESSAGES,
    Advance,
    Branch,
    Change,
    Configure,
    Edit,
    Play,
    Read,
    Seek,
    Show,
    TakeHome,
    Undo,
)
from slopes.studio.playground.points import make_points
from slopes.studio.playground.presets import PRESETS
from slopes.studio.playground.record import compact, copy_record
from slopes.studio.playground.settings import (
    CLASSIFICATION,
    NOT_OFFERED,
    OPTIMIZERS,
    REGRESSION,
    LayerSettings,
    Settings,
    count_parameters,
)
from slopes.studio.playground.table import read_table
from slopes.train.history import Epoch, History

SMALL = Settings(count=60, batch=10, layers=(LayerSettings(3, "tanh", True, 0.1),), schedule="cosine", epochs=200, penalty="L2")


def weights(experiment: Experiment) -> bytes:
    return b"".join(tensor.detach().numpy().tobytes() for _, tensor in sorted(experiment.training.tensors.items()))


def run_to(experiment: Experiment, step: int) -> None:
    while experiment.step < step:
        experiment.advance(0.01, step - experiment.step)


def test_any_step_is_shown_as_a_run_that_stopped_there_bit_for_bit():
    experiment, stopped, events = Experiment(SMALL), Experiment(SMALL), (Event(0, 0.02), Event(45, 0.5, 0, 1, 0), Event(90, 0.01))
    for event in events:
        run_to(experiment, event.step)
        experiment.change(event)
    run_to(experiment, 150)
    done, late = {}, weights(experiment)
    for step in (0, 1, 29, 30, 45, 46, 89, 90, 149, 150):  # a run that is stopped at each of these steps
        for event in events:
            if stopped.step <= event.step <= step and event not in stopped.events:
                run_to(stopped, event.step)
                stopped.change(event)
        run_to(stopped, step)
        done[step] = weights(stopped), list(stopped.training.history.losses), stopped.training.position, stopped.training.rate
    for step in (149, 29, 46, 0, 90, 1, 45, 30, 89, 150):
        experiment.seek(step)
        now = weights(experiment), list(experiment.training.history.losses), experiment.training.position, experiment.training.rate
        assert now == done[step], step
        assert experiment.last == 150
    assert weights(experiment) == late and experiment.future is None


def test_undo_and_branches_leave_what_never_happened():
    experiment, plain = Experiment(SMALL), Experiment(SMALL)
    run_to(experiment, 20)
    experiment.change(Event(20, 3.0, 0, 0, 0))
    experiment.change(Event(20, 4.0, 0, 0, 0))  # the same weight again, such as by a slider: one change
    assert len(experiment.events) == 1 and experiment.layers[0].weight[0, 0].item() == 4.0
    run_to(experiment, 40)
    experiment.undo()
    run_to(plain, 20)
    assert (experiment.step, experiment.last, experiment.events) == (20, 20, []) and weights(experiment) == weights(plain)
    run_to(experiment, 40)
    experiment.seek(25)
    experiment.branch()
    experiment.change(Event(25, 0.3, 1, 1, -1))
    run_to(plain, 25)
    plain.change(Event(25, 0.3, 1, 1, -1))
    run_to(experiment, 35)
    run_to(plain, 35)
    assert experiment.last == 35 and weights(experiment) == weights(plain)
    with pytest.raises(ArgumentError, match="no such weight"):
        experiment.change(Event(35, 1.0, 0, 9, 0))


def test_every_optimizer_that_trains_a_whole_network_is_offered():
    rules = {name for name in optim.__all__ if isinstance(kind := getattr(optim, name), type) and issubclass(kind, optim.Optimizer)}
    offered = {type(part.make(0.01)).__name__ for part in OPTIMIZERS.values()}
    assert offered | set(NOT_OFFERED) == rules - {"Optimizer"} and not offered & set(NOT_OFFERED)
    with pytest.raises(ArgumentError, match="is no matrix"):
        optim.Muon(nn.Linear(2, 2).parameters())


def test_checkpoints_stay_few_and_cover_the_past_evenly(monkeypatch):
    experiment = Experiment(SMALL)
    monkeypatch.setattr("slopes.studio.playground.experiment.FEWEST_STEPS", 1)
    for name, limit in (("MOST_CHECKPOINTS", 16), ("MEMORY", 10 * experiment.checkpoints[0].size)):
        monkeypatch.setattr(f"slopes.studio.playground.experiment.{name}", limit)
        for _ in range(90):
            experiment.advance(0.001, 1)
        steps = [point.step for point in experiment.checkpoints]
        most = min(16, limit)
        assert len(steps) <= most + 1 and steps[0] == 0 and 2 * experiment.spacing * most > 90
        assert max(after - before for before, after in pairwise([*steps, experiment.last])) <= 2 * experiment.spacing
    late = weights(experiment)
    experiment.seek(77)
    experiment.seek(180)
    assert weights(experiment) == late
    layouts = [point.state.layout for point in experiment.checkpoints]
    assert len(set(map(id, layouts))) == len(set(layouts))  # names and shapes are held once


def test_a_record_in_little_memory_is_the_one_that_a_list_holds():
    kept, plain = History(), History()
    compact(kept)
    for i in range(5):
        for history in (kept, plain):
            history.losses.extend([0.5 / (1 + i)] * 3)
            history.epochs.append(Epoch(i, 0.1 * i, {"accuracy": i / 7}, {"loss": 0.3 * i, "accuracy": i / 9}, 10, 3, 0.01))
    copied = copy_record(kept)
    assert list(kept.epochs) == plain.epochs and kept.epochs[1:4:2] == plain.epochs[1:4:2] and kept.epochs[-1] == plain.epochs[-1]
    with pytest.raises(IndexError):
        kept.epochs[5]
    state = kept.named_state()
    assert all(np.array_equal(value, state[name]) for name, value in plain.named_state().items())
    kept.truncate(7)
    assert list(kept.losses) == plain.losses[:7] and kept.steps == 7
    del kept.epochs[2:]
    kept.epochs[1] = plain.epochs[1]
    assert list(kept.epochs) == plain.epochs[:2]
    kept.load_named_state(state)
    assert list(kept.losses) == plain.losses and list(kept.epochs) == plain.epochs
    kept.epochs[:] = []
    assert not kept.epochs and list(copied.epochs) == plain.epochs and list(copied.losses) == plain.losses


def test_programs_print_the_very_losses():
    own = Settings(data="own", points=tuple((i % 7 - 3.0, i % 5 - 2.125, float(i % 3)) for i in range(40)), batch=7, optimizer="momentum",
                   layers=(LayerSettings(3, "GELU", True, 0.2),), schedule="warm restarts", epochs=19, penalty="L1", initial=0.5, seed=5)
    for settings in (own, Settings("regression", "waves", count=50, noise=10, features=("x1", "sin x2", "radius"), seed=3)):
        playground = train(settings, 40)
        lines = lines_of(playground)
        assert len(lines) > 40 and run_program(playground) == lines


def test_weights_and_links_restore_the_same():
    playground = train(dataclasses.replace(SMALL, epochs=30), 40)
    reply = playground.handle(TakeHome("weights"))
    state = loads_safetensors(reply.arrays["file"].tobytes())
    assert all(np.array_equal(state[name], value) for name, value in playground.experiment.net.state_dict().items())
    link = playground.handle(TakeHome("link")).header
    text = json.dumps({"kind": "configure", "settings": dataclasses.asdict(playground.settings), "changes": link["changes"],
                       "steps": link["steps"]})
    other = Playground(Context())
    other.handle(parse(text, MESSAGES))
    while other.step(0.01) and other.script:
        pass
    assert other.experiment.last == link["steps"] and weights(other.experiment) == weights(playground.experiment)


def test_a_session_of_the_page():
    playground = Playground(Context())
    catalogue = playground.handle(Attached()).header
    assert catalogue["kind"] == "catalogue" and len(catalogue["presets"]) == len(PRESETS)
    first = playground.frame()
    assert first.arrays["boundary"].shape == (200, 200) and first.arrays["maps"].shape == (2 + 4 + 2 + 2, 40, 40)
    assert playground.frame() is None
    playground.handle(Configure(dataclasses.replace(SMALL, data="blobs", classes=4, schedule="constant")))
    playground.handle(Show(True))
    playground.handle(Advance("epoch"))
    while playground.step(0.01):
        pass
    frame = playground.frame()
    header, parameters = frame.header, count_parameters(playground.settings)
    assert header["step"] == 3 and header["epoch"] == 1 and header["test_loss"] > 0 and not header["playing"]
    assert set(np.unique(frame.arrays["boundary"])) <= set(range(4)) and frame.arrays["certainty"].shape == (200, 200)
    assert frame.arrays["weights"].shape == frame.arrays["gradients"].shape == (parameters - 6,)  # without scales and shifts
    playground.handle(Advance("step"))
    playground.step(0.01)
    playground.step(0.01)
    playground.handle(Seek(1))
    playground.step(0.01)
    past = playground.frame().header
    assert (past["step"], past["last"], past["loss"]) == (1, 4, None)
    playground.handle(Edit(Change(0.5, 0, 0, 0)))
    assert (playground.experiment.last, len(playground.experiment.events)) == (1, 1)
    playground.handle(Undo())
    playground.handle(Branch())
    playground.handle(Play(True, 5.0))
    playground.step(0.001)
    assert playground.playing


def test_maps_and_gradients_are_those_of_the_network():
    settings = Settings(layers=(LayerSettings(3, "ReLU"),), problem="regression", data="plane", count=40, batch=40,
                        optimizer="SGD", rate=0.1)
    experiment = Experiment(settings)
    net, points = experiment.net, experiment.points
    with sl.no_grad():
        experiment.layers[0].weight[0] = np.zeros(2, np.float32)
        experiment.layers[0].bias[0] = -1.0
    inspector = Inspector(net, settings, points)
    view, before = inspector.view(), [tensor.detach().numpy().copy() for tensor in net.parameters()]
    eager = inspector.eager_view()
    assert view.spread[0] == 0 and view.spread[1:].any()  # a dead unit
    for name in ("boundary", "maps"):
        difference = np.abs(getattr(view, name).astype(int) - getattr(eager, name).astype(int))
        assert difference.max() <= 1, name
    middle = (np.arange(200) + 0.5) / 200 * 12 - 6
    corner = net(sl.tensor([[middle[0], middle[-1]]], dtype="float32")).item()  # the picture's first row is the top
    assert abs(view.boundary[0, 0] - (np.clip(corner, -1, 1) * 127.5 + 128)) <= 1
    gradients = inspector.gradients()
    experiment.training.advance(1)  # one batch is all points: the update is the gradient times the rate
    for gradient, old, tensor in zip(gradients, before, net.parameters()):
        assert np.allclose(old - np.float32(0.1) * gradient, tensor.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_not_finite_ends_the_play_and_leaves_a_sound_state():
    playground = Playground(Context())
    playground.handle(Configure(Settings("regression", "plane", layers=(LayerSettings(8, "ReLU"),), optimizer="SGD", rate=1e3, count=40)))
    playground.frame()
    while playground.step(0.01):  # compiles, and leaves no trace
        pass
    assert not playground.experiment.last
    playground.handle(Play(True))
    with pytest.raises(ArgumentError, match=r"not finite|nan|inf"):
        for _ in range(200):
            playground.step(0.01)
    assert not playground.playing and playground.frame() is not None
    assert np.isfinite(playground.experiment.layers[0].weight.numpy()).all()


def test_a_training_ends_with_its_schedule_or_at_the_limit(monkeypatch):
    for module in ("engine", "experiment"):
        monkeypatch.setattr(f"slopes.studio.playground.{module}.LONGEST_TRAINING", 9)
    for schedule, last, why in (("constant", 9, "limit"), ("linear", 6, "schedule")):
        playground = Playground(Context())
        playground.handle(Configure(dataclasses.replace(SMALL, schedule=schedule, epochs=2)))
        playground.handle(Play(True))
        while playground.playing:
            playground.step(0.01)
        assert playground.experiment.last == last and playground.frame().header["ended"]
        with pytest.raises(ArgumentError, match=why):
            playground.handle(Play(True))
        playground.handle(Seek(2))
        playground.step(0.01)
        assert playground.experiment.step == 2 and not playground.experiment.ended


def test_every_data_set_has_points_in_the_plane():
    for name in (*CLASSIFICATION, *REGRESSION):
        settings = Settings("regression" if name in REGRESSION else "classification", name, count=101, noise=20)
        points = make_points(settings)
        assert points.points.shape == (101, 2) and np.abs(points.points).max() < 30 and points.inputs.dtype == np.float32
        assert len(np.unique(points.targets)) >= 2 and points.cut == 50
        again = make_points(settings)
        assert np.array_equal(again.points, points.points)


def test_settings_that_cannot_be_are_refused_with_what_they_would_cost():
    with pytest.raises(ArgumentError, match=r"1,3\d\d,\d\d\d parameters, about .* billion operations"):
        Settings(layers=(LayerSettings(512),) * 6)
    with pytest.raises(ArgumentError, match="is not one for regression"):
        Settings(problem="regression", data="xor")
    with pytest.raises(ArgumentError, match="one class"):
        make_points(Settings(data="own", points=((0, 0, 1),) * 9))
    with pytest.raises(ArgumentError, match="own points"):
        make_points(Settings(data="own", points=((0, 0, 1),)))


def test_tables_are_read_as_people_paste_them():
    table = read_table("name;x;y;kind\nA;1;10;red\nB;2;20;blue\nC;3;;red\nD;4;40;blue\nE;x;0;red\nF;5;50;red")
    assert table.columns == ("x", "y", "kind") and table.names == ("blue", "red") and table.problem == "classification"
    assert table.remarks == ("2 rows with gaps or words were left out",)
    assert table.points.tolist() == [[-5, -5, 1], [-2.5, -2.5, 0], [2.5, 2.5, 0], [5, 5, 1]]
    figures = read_table("\n".join(f"{i}\t{i * i}\t{i / 7}" for i in range(30)))
    assert figures.problem == "regression" and figures.points[:, 2].min() == -1 and figures.columns[0] == "column 1"
    long = read_table("a,b,c\n" + "\n".join(f"{i},{i % 9},{i % 2}" for i in range(12_000)))
    assert len(long.points) == 5000 and "5,000 of 12,000" in long.remarks[0]
    cases = {"": "is empty", "a b c\n1 2 3\n4 5 6": "has 1 column", "a,b\n1,2\n3,4": "has 2 columns",
             "a,b,c\n1,2,x\n3,4,x\n5,6,x\n7,8,x": "only one class",
             "a,b,c\nu,v,x\nw,z,y": "no two columns of figures", "a,b,c\n1,2,x\n3,4,y": "only 2 rows",
             "a,b,c\n" + "\n".join(f"{i},{i},name{i}" for i in range(20)): "20 different values", "x" * 10_000: "has 1 column"}
    for text, what in cases.items():
        with pytest.raises(DataError, match=what):
            read_table(text)
    with pytest.raises(DataError, match="there is no column q"):
        read_table("a,b,c\n1,2,x\n3,4,y\n5,6,y\n7,8,x", ["a", "b", "q"])
    reply = Playground(Context()).handle(Read("1,2,x\n3,4,y\n5,6,y\n7,8,x"))
    assert reply.header["kind"] == "table" and reply.header["names"] == ("x", "y")
