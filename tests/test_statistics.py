"""Statistics inside of the training step: each against NumPy on an eager step, and no bit of the training changed by them."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import resumed

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, DataError
from slopes.train import Statistics
from slopes.train.history import History
from slopes.train.replay import DivergedError
from slopes.train.statistic_kinds import KINDS, histogram_limits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 6)).astype(np.float32), np.arange(12) % 3
EVERYTHING = tuple(f"{path}/{kind}" for path in ("*", "*.grad", "*.update") for kind in KINDS if kind not in ("saturated", "ratio"))
EVERYTHING += ("*.update/ratio",)


def small_net() -> nn.Module:
    sl.seed(1)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


# Values


def saturated_by_numpy(x: np.ndarray) -> float:
    return np.mean(np.abs(x) > 0.98)


BY_NUMPY = {
    "norm": lambda x: np.sqrt((x ** 2).sum()), "mean": np.mean, "std": np.std, "zeros": lambda x: np.mean(x == 0),
    "largest": lambda x: np.abs(x).max(), "histogram": lambda x: np.histogram(np.abs(x), histogram_limits())[0],
}


def eager_step(net: nn.Module, optimizer: optim.Optimizer) -> dict[str, np.ndarray]:
    """One step operation by operation: outputs, gradients and updates by path."""
    values, x = {}, sl.asarray(X)
    for i, layer in enumerate(net):
        x = layer(x)
        values[f"net.{i}"] = x.detach().numpy()
    values["net"] = values["net.4"]
    net.zero_grad()
    loss = nn.cross_entropy(x, sl.asarray(Y)) + 1e-2 * nn.l2_penalty(net)
    loss.backward()
    optim.clip_by_norm(optimizer.parameters, 0.1)
    before = net.state_dict()
    optimizer.step()
    for name, parameter in net.named_parameters():
        values[f"net.{name}"] = parameter.detach().numpy().copy()
        values[f"net.{name}.grad"] = parameter.grad.numpy()
        values[f"net.{name}.update"] = values[f"net.{name}"] - before[name]
        values[f"net.{name} before"] = before[name]
    return {path: np.asarray(value, np.float64) for path, value in values.items()}


def compiled_step(accumulate: int, names: tuple[str, ...], storage: str = "float32") -> dict[str, np.ndarray]:
    """The statistics of the first step of a training."""
    net = small_net()
    training = sl.Training(net, Dataset(X, Y), optimizer=optim.SGD(lr=0.5, momentum=0.9), batch_size=12, clip=0.1, accumulate=accumulate,
                           penalty=lambda net: 1e-2 * nn.l2_penalty(net), statistics=Statistics(names, 1), storage=storage)
    chunk = training.advance(1)
    return {name: chunk[name][0] for name in chunk.results["statistics"]}


@pytest.mark.parametrize("accumulate", [1, 3])
def test_every_statistic_is_numpy_s_of_an_eager_step(accumulate):
    net = small_net()
    values = eager_step(net, optim.SGD(net.parameters(), lr=0.5, momentum=0.9))
    measured = compiled_step(accumulate, (*EVERYTHING, "net.1/saturated"))
    paths = [path for path in values if not path.endswith("before")]
    for path in paths:
        for kind, function in BY_NUMPY.items():
            if kind == "histogram" and path.endswith(("grad", "update")):  # an element on a limit may be on its other side
                assert measured[f"{path}/{kind}"].sum() == values[path].size
                assert np.abs(measured[f"{path}/{kind}"] - function(values[path])).sum() <= 2
            else:
                name = f"{path}/{kind}"
                np.testing.assert_allclose(measured[name], function(values[path]), rtol=2e-4, atol=2e-7, err_msg=name)
    ratios = {path: np.linalg.norm(values[path]) / np.linalg.norm(values[path.replace(".update", " before")])
              for path in paths if path.endswith("update")}
    assert ratios and all(measured[f"{path}/ratio"] == pytest.approx(ratio, rel=1e-4) for path, ratio in ratios.items())
    assert measured["net.1/saturated"] == pytest.approx(saturated_by_numpy(values["net.1"]))
    assert len(measured) == len(paths) * len(BY_NUMPY) + len(ratios) + 1


def test_saturated_outputs_are_near_an_end_of_their_range():
    scale = nn.Linear(1, 1, bias=False)
    scale.weight.assign(np.ones((1, 1), np.float32))
    x = np.array([[-9.0], [-1.0], [0.0], [5.0], [9.0], [2.0]], np.float32)
    for layer, expected in ((nn.Sigmoid(), 3 / 6), (nn.Tanh(), 3 / 6)):
        training = sl.Training(nn.Sequential(scale, layer), Dataset(x, np.zeros((6, 1), np.float32)), batch_size=6,
                               optimizer=optim.SGD(lr=0.0), statistics="net.1/saturated")
        assert training.advance(1)["net.1/saturated"].tolist() == [pytest.approx(expected)]


def test_a_histogram_counts_zeros_below_and_what_is_no_number_above():
    limits, x = histogram_limits(), sl.tensor([0.0, -2.0 ** -39, 1.0, 1.5, -2.0, 1e9, np.inf, np.nan, 1e-30])
    counts = sl.compile(lambda x: KINDS["histogram"]([x]))(x).numpy()
    expected = {0: 2, 1: 1, 40: 2, 41: 1, 47: 3}
    assert len(counts) == len(limits) - 1 == 48 and {i: int(n) for i, n in enumerate(counts) if n} == expected
    assert limits[40] == 1.0 and limits[1] == 2.0 ** -39 and limits[47] == 128.0


def test_a_ratio_of_zeros_is_infinite_or_0():
    before, ratio = sl.zeros(3), sl.compile(lambda x, before: KINDS["ratio"]([x], before))
    assert ratio(sl.zeros(3), before).numpy() == 0 and ratio(sl.ones(3), before).numpy() == np.inf


def test_a_parameter_that_the_loss_does_not_depend_on_has_a_gradient_of_zeros():
    class Part(nn.Module):
        def __init__(self):
            self.used, self.idle, self.spare = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(6, 2)

        def forward(self, x):
            self.spare(x)
            return self.used(x)

    def training(*names):
        net = Part()
        return sl.Training(net, Dataset(X, Y), optimizer=optim.SGD(net.used.parameters(), lr=0.1), statistics=names)

    chunk = training("*.grad/norm", "net.idle.weight.update/norm", "*/std").advance(1)
    assert chunk["net.idle.weight.grad/norm"] == 0 == chunk["net.idle.weight.update/norm"] and chunk["net.used.weight.grad/norm"] > 0
    assert "net.used/std" in chunk.names and "net.idle/std" not in chunk.names and "net.spare/std" not in chunk.names
    for layer in ("idle", "spare"):  # one that is not called, one whose output nobody uses
        with pytest.raises(ArgumentError, match=f"statistics: net.{layer} has no output in the training step"):
            training("net/std", f"net.{layer}/std").advance(1)


def test_the_outputs_of_all_calls_of_a_layer_are_measured_as_one():
    class Twice(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(6, 6)

        def forward(self, x):
            return self.layer(self.layer(x))

    net = Twice()
    first = net.layer(sl.asarray(X))
    both = np.concatenate([first.detach().numpy(), net.layer(first).detach().numpy()])
    training = sl.Training(net, Dataset(X, X), batch_size=12, statistics=["net.layer/std", "net.layer/largest"])
    chunk = training.advance(1)
    assert chunk["net.layer/std"] == pytest.approx(both.std(), rel=1e-5) and chunk["net.layer/largest"] == np.abs(both).max()


# The training is the same


def with_statistics(name: str, statistics: Statistics | None, monkeypatch: pytest.MonkeyPatch) -> sl.Training:
    """One of the trainings of resumed.py, with statistics."""
    with monkeypatch.context() as patched:
        patched.setattr(sl, "Training", functools.partial(sl.Training, statistics=statistics))
        return resumed.make(name)


@pytest.mark.parametrize(("name", "every"), [("mlp", 1), ("mlp", 3), ("lenet", 3), ("rows", 3), ("everything", 3)])
def test_statistics_change_no_bit_of_a_training(name, every, monkeypatch):
    plain = resumed.final_state(with_statistics(name, None, monkeypatch))
    training = with_statistics(name, Statistics(EVERYTHING, every), monkeypatch)
    watched = resumed.final_state(training)
    assert training.history.statistics_steps == list(range(0, training.history.steps, every))
    assert all(len(values) == len(training.history.statistics_steps) for values in training.history.statistics.values())
    assert plain and all(np.array_equal(array, watched[name]) for name, array in plain.items())


@pytest.mark.parametrize("name", ["mlp", "lstm", "everything"])
def test_a_training_that_is_continued_measures_the_same(name, monkeypatch):
    statistics = Statistics(("*.grad/norm", "*/std", "*.update/histogram"), 3)
    training = with_statistics(name, statistics, monkeypatch)
    states = {}
    while not training.ended:
        training.advance(2 if len(states) % 2 else 1)
        states[training.history.steps] = training.named_state()
    end = {name: array for name, array in training.named_state().items() if not name.endswith(resumed.CLOCKS)}
    assert len(training.history.statistics_steps) > 1
    other = with_statistics(name, statistics, monkeypatch)
    for state in [*states.values()][:-1]:
        other.load_named_state(state)
        again = resumed.final_state(other)
        assert again.keys() == end.keys() and all(np.array_equal(again[name], array) for name, array in end.items())


def test_a_state_from_before_the_statistics_goes_on_with_them(monkeypatch):
    training = with_statistics("mlp", None, monkeypatch)
    training.advance(4)
    other = with_statistics("mlp", Statistics("net/std", 3), monkeypatch)
    other.load_named_state(training.named_state())
    other.advance(3)
    assert other.history.statistics_steps == [6]
    assert training.advance(3)["loss"].tolist() == other.history.losses[4:]


# Names, steps and records


def test_chunks_have_the_values_of_the_steps_that_were_measured():
    statistics = Statistics(["net.0.weight.grad/norm", "net/histogram"], 4)
    training = sl.Training(small_net(), Dataset(X, Y), batch_size=4, epochs=4, statistics=statistics)
    chunks = [training.advance(steps) for steps in (2, 1, 4, 3, 1, 1)]
    assert [chunk.measured_steps for chunk in chunks] == [[0], [], [4], [8], [], []]
    assert [chunk.names for chunk in chunks[:2]] == [["loss", "accuracy", "net.0.weight.grad/norm", "net/histogram"], ["loss", "accuracy"]]
    assert chunks[0]["net.0.weight.grad/norm"].shape == (1,) and chunks[0]["net/histogram"].shape == (1, 48)
    with pytest.raises(ArgumentError, match=r"or a statistic in statistics= of the training"):
        chunks[1]["net.0.weight.grad/norm"]
    norms = np.concatenate([chunk["net.0.weight.grad/norm"] for chunk in chunks if chunk.measured_steps])
    assert training.history.statistics["net.0.weight.grad/norm"] == norms.tolist() and training.history.statistics_steps == [0, 4, 8]
    whole = sl.Training(small_net(), Dataset(X, Y), batch_size=4, epochs=4, statistics=Statistics(["net.0.weight.grad/norm"], 4))
    assert whole.advance(12)["net.0.weight.grad/norm"].tolist() == norms.tolist()


def test_names_in_brackets_and_patterns_stand_for_paths():
    def names(*statistics):
        return sl.Training(small_net(), Dataset(X, Y), statistics=statistics).advance(1).names[2:]

    assert names("net[0].weight.grad/norm", "net[1]/std") == ["net.0.weight.grad/norm", "net.1/std"]
    assert names("*.grad/norm") == [f"net.{i}.{name}.grad/norm" for i in (0, 2, 4) for name in ("weight", "bias")]
    assert names("*/saturated") == ["net.1/saturated"] and names("net.*/zeros")[0] == "net.0/zeros"
    assert names("net.4.*/mean", "net.4.weight/mean") == ["net.4.weight/mean", "net.4.bias/mean"]
    heads = nn.Sequential(nn.Parallel(nn.Linear(6, 2), nn.Linear(6, 1)))
    assert sl.Training(heads, Dataset(X, Y), statistics="*.weight.update/ratio").advance(1).names[2:] == [
        f"net.0.{i}.weight.update/ratio" for i in (0, 1)]


@pytest.mark.parametrize(("statistics", "text"), [
    ("net.0.weight", "statistics: 'net.0.weight' is not PATH/KIND\n  a statistic is named by what is measured, and how\n"),
    ("net.0/norms", "statistics: 'net.0/norms' names no known kind\n"
                    "  known: norm, mean, std, zeros, largest, saturated, histogram, ratio\n  did you mean 'norm'?"),
    ("net.0.wieght/norm", "statistics: nothing to measure at 'net.0.wieght/norm'\n  the net has net, net.0, net.0.weight, net.0.bias,"),
    ("net.1.weight.grad/norm", "statistics: nothing to measure at 'net.1.weight.grad/norm'\n"),
    ("*.gard/norm", "statistics: nothing to measure at '*.gard/norm'"),
    ("net.3/saturated", "statistics: 'net.3/saturated' has no ends to be near to\n  saturation is that of Sigmoid, Tanh and Softmax"),
    ("net.0.weight/ratio", "statistics: 'net.0.weight/ratio' is no ratio\n  a ratio is that of an update and the tensor that it changes\n"),
])
def test_wrong_names_are_refused_before_anything_is_compiled(statistics, text):
    with pytest.raises(ArgumentError) as error:
        sl.Training(small_net(), Dataset(X, Y), statistics=statistics)
    assert str(error.value).startswith(text)
    assert "wieght" not in statistics or "did you mean 'net.0.weight'?" in str(error.value)


def test_every_is_at_least_1():
    for every in (0, -3, 2.5):
        with pytest.raises(ArgumentError, match="Statistics: every must be a whole number of at least 1"):
            Statistics("net/std", every)


def test_a_history_with_statistics_goes_through_json():
    run = sl.fit(small_net(), Dataset(X, Y), batch_size=4, epochs=2, progress=False, statistics=Statistics(["net/std", "net/histogram"], 2))
    again = History.from_json(run.history.to_json())
    assert again == run.history and len(again.statistics["net/std"]) == 3
    plain = sl.fit(small_net(), Dataset(X, Y), progress=False).history
    assert "statistics" not in json.loads(plain.to_json()) and History.from_json(plain.to_json()) == plain
    fields = json.loads(run.history.to_json())
    fields["statistics"]["net/std"].pop()
    with pytest.raises(DataError, match=r"statistics\['net/std'\] is not a list of 3 values"):
        History.from_json(json.dumps(fields))


def test_statistics_end_with_the_losses_where_a_training_diverges():
    training = sl.Training(small_net(), Dataset(X * 1e3, Y), optimizer=optim.SGD(lr=1e12), batch_size=4, epochs=9,
                           statistics=Statistics("*.grad/norm", 1))
    with pytest.raises(DivergedError):
        training.run()
    history = training.history
    assert history.statistics_steps == list(range(history.steps)) and history.steps < 27
    assert all(len(values) == history.steps for values in history.statistics.values())
