"""backend="xla": what compiled functions compute on XLA is what they compute eagerly and natively."""

from __future__ import annotations

import importlib
import os
import re
import sys

import numpy as np
import pytest
from command_line import slopes
from operation_cases import COMPILED, OPERATIONS, cases
from test_compiled import COMPOSED, agree
from xla_cases import calls_of, check_gradients, check_values

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DeviceError, DivisionError, MissingExtraError, OutOfRangeError, SaveError, TraceError
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Experiment, Fit, Report, Setting
from slopes.experiments.run import saved_backend
from slopes.graph.dtype import bool_, float32, float64, int64
from slopes.train.runs import load_run
from slopes.xla.backend import XlaBackend, XlaExecutable
from slopes.xla.library import first_device, load_jax

# Programs of tests run once: XLA compiles them quickly, not well. It reads this when jax is imported, which nothing else here does.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


def test_an_operation_on_xla_is_the_operation_eager(jax):
    """One case of each operation in float32, or else int64, and in bool; `python -m tests.xla_sweep` runs all."""
    others = [name for name in COMPILED if not cases(OPERATIONS[name], float32)]
    check_values([*calls_of([float32, bool_], most=1), *calls_of([int64], others, most=1)])


def test_a_gradient_on_xla_is_the_gradient_eager(jax):
    check_gradients(calls_of([float64], most=1))


def test_state_is_updated_and_changes_from_outside_are_seen(jax):
    total = sl.tensor(0.0)

    def add(x):
        total.assign(total + (x * x).sum())
        return total * 2

    compiled = sl.compile(add, backend="xla")
    x = sl.tensor([1.0, 2.0])
    assert [compiled(x).item(), compiled(x).item(), total.item()] == [10, 20, 10]
    total.assign(sl.tensor(1.0))
    assert compiled(x).item() == 12 and total.item() == 6
    native = sl.compile(add)
    assert [native(x).item(), compiled(x).item(), total.item()] == [22, 32, 16]


def test_an_assigned_argument_is_not_shared_with_the_caller(jax):
    last = sl.tensor([0.0, 0.0])
    both = np.array([1.0, 2.0], np.float32)

    def keep(x):
        before = last * 1
        last.assign(x)
        return before

    compiled = sl.compile(keep, backend="xla")
    compiled(both)
    both[:] = 7
    assert compiled(both).numpy().tolist() == [1, 2] and last.numpy().tolist() == [7, 7]


@pytest.mark.parametrize("steps", [1, 3, 257])  # 256 are one call of the device
def test_many_steps_are_a_loop(jax, steps):
    state = {}
    for backend in ("native", "xla"):
        total, count = sl.tensor(np.float64(0)), sl.tensor(np.int64(0))

        def step(x, factor, total=total, count=count):
            total.assign(total + x.astype("float64") * factor)
            count.assign(count + 1)
            return total, count * 2

        xs = sl.asarray(np.arange(steps, dtype=np.float32))
        results = sl.compile(step, backend=backend).many(steps, xs, sl.tensor(0.5), stepped=(0,))
        state[backend] = [x.numpy().tolist() for x in (*results, total, count)]
    assert state["xla"] == state["native"] and len(state["xla"][0]) == steps


def test_random_numbers_are_the_same_bits(jax):
    def draw():
        generator = sl.random.Generator(5)
        return lambda: (sl.random.uniform((257,), generator=generator), sl.random.normal((33,), generator=generator),
                        sl.random.permutation(100, generator=generator))

    native, xla = sl.compile(draw()), sl.compile(draw(), backend="xla")
    for _ in range(2):
        (uniform, normal, order), expected = xla(), native()
        np.testing.assert_array_equal(uniform.numpy(), expected[0].numpy())
        np.testing.assert_allclose(normal.numpy(), expected[1].numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(order.numpy(), expected[2].numpy())


def test_errors_of_values_are_those_of_eager_code_and_leave_the_state(jax):
    count = sl.tensor(np.int64(0))

    def step(x, i):
        count.assign(count + 1)
        return sl.take(x, i, axis=0) // (i - 1)

    compiled, x = sl.compile(step, backend="xla"), sl.tensor([4, 5, 6])
    assert compiled(x, sl.tensor([0, 2])).numpy().tolist() == [-4, 6] and count.item() == 1
    with pytest.raises(OutOfRangeError, match="take: index 3 is outside axis 0 of size 3"):
        compiled(x, sl.tensor([0, 3]))
    with pytest.raises(DivisionError, match="1 of 2 integer divisors are 0"):
        compiled(x, sl.tensor([0, 1]))
    assert count.item() == 1
    rows = np.full((300, 2), 2)
    rows[290, 1] = -1
    with pytest.raises(OutOfRangeError, match="index -1 is outside axis 0"):
        compiled.many(300, x, sl.asarray(rows), stepped=(1,))
    assert count.item() == 291


def test_an_error_inside_of_a_loop_is_reported(jax):
    def run(table, indices):
        return sl.scan(lambda total, i: (total + sl.take(table, i, axis=0), total), sl.tensor(0.0), indices)

    table, compiled = sl.tensor([1.0, 2.0, 3.0]), sl.compile(run, backend="xla")
    last, before = compiled(table, sl.tensor([0, 1, 2]))
    assert last.item() == 6 and before.numpy().tolist() == [0, 1, 3]
    with pytest.raises(OutOfRangeError, match="take: index 5 is outside axis 0 of size 3"):
        compiled(table, sl.tensor([0, 5, 1]))


def test_convolutions_and_their_gradients_are_those_of_xla(jax):
    names = ["convolution", "convolution strided", "convolution 1", "convolution 3", "convolution depthwise"]
    rng = np.random.default_rng(0)
    inputs = [sl.asarray(rng.normal(size=shape).astype(np.float32)) for name in names for shape in COMPOSED[name][1]]

    def loss(*xs):
        return sum(sl.sin(COMPOSED[name][0](x, w)).sum() for name, x, w in zip(names, xs[::2], xs[1::2]))

    gradient = sl.grad(loss, tuple(range(len(inputs))))
    compiled = sl.compile(gradient, backend="xla")
    agree(compiled(*inputs), gradient(*inputs), [f"{name}, by {arg}" for name in names for arg in "xw"])
    text = program_of(compiled).lower().as_text()
    assert text.count("stablehlo.convolution") == 3 * len(names)  # forward, by weights and by inputs
    assert text.count("feature_group_count = 6") == 3


def test_padding_is_part_of_a_convolution_and_of_its_gradients(jax):
    """Nothing is padded before or cut off after it, and a stride that leaves a rest makes no results that are not read."""
    rng = np.random.default_rng(0)
    inputs = [sl.asarray(rng.normal(size=shape).astype(np.float32)) for shape in ((2, 2, 12, 11), (3, 2, 3, 3), (4, 3, 3, 3), (3, 4, 2, 2))]

    def loss(x, first, second, third):
        x = sl.conv2d(x, first, stride=2, padding=1).tanh()
        return sl.conv2d(sl.conv2d(x, second, padding=(2, 1)).tanh(), third, stride=2).sin().mean()

    gradient = sl.grad(loss, (0, 1, 2, 3))
    compiled = sl.compile(gradient, backend="xla")
    agree(compiled(*inputs), gradient(*inputs), ["by x", "by the first weights", "by the second", "by the third"])
    text = program_of(compiled).lower().as_text()
    assert "stablehlo.pad" not in text and "stablehlo.slice" not in text
    assert text.count("stablehlo.convolution") == 3 + 2 * 3


def test_no_convolution_has_negative_padding(jax):
    """What gradients of circular padding and strides with a rest cut off is cut off before: XLA's own negative padding can be wrong."""
    rng = np.random.default_rng(0)
    inputs = [sl.asarray(rng.normal(size=shape).astype(np.float32)) for shape in ((3, 2, 5), (3, 2, 3), (4, 3, 2))]

    def loss(x, first, second):
        x = sl.conv1d(sl.concat([x[..., -2:], x, x[..., :2]], axis=2), first).tanh()
        return sl.conv1d(x, second, stride=4).sin().sum()

    gradient = sl.grad(loss, (0, 1, 2))
    compiled = sl.compile(gradient, backend="xla")
    agree(compiled(*inputs), gradient(*inputs), ["by x", "by the first weights", "by the second"])
    text = program_of(compiled).lower().as_text()
    assert "stablehlo.convolution" in text
    assert not re.search(r"pad = \[\[[^=]*-\d", text)


def program_of(compiled):
    """The only program of a compiled function."""
    (version,), = compiled._versions.values()
    return version.executable.program


def test_pooling_is_reductions_of_windows(jax, monkeypatch):
    calls, original = [], jax.lax.reduce_window
    monkeypatch.setattr(jax.lax, "reduce_window", lambda *args, **options: calls.append(options) or original(*args, **options))
    names = ["max pool", "max pool overlapping", "avg pool"]
    inputs = [sl.asarray(np.random.default_rng(0).normal(size=COMPOSED[name][1][0]).astype(np.float32)) for name in names]
    average = nn.AvgPool2d(3, 2)

    def both(*xs):
        return [*(COMPOSED[name][0](x) for name, x in zip(names, xs)),
                *(sl.grad(lambda x, name=name: sl.sin(COMPOSED[name][0](x)).sum())(x) for name, x in zip(names, xs)),
                sl.grad(lambda x: sl.sin(average(x)).sum())(xs[1])]

    labels = [f"{what}{name}" for what in ("", "gradient of ") for name in names]
    agree(sl.compile(both, backend="xla")(*inputs), both(*inputs), [*labels, "gradient of plain averages"])
    assert len(calls) > len(names)
    assert any("base_dilation" in options for options in calls)  # the gradient of an average, which is one value per window


class Digits(nn.Module):
    """A small net with every kind of layer that the first networks have: convolution, pooling, normalisation, dropout."""

    def __init__(self):
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                 nn.Linear(36, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))

    def forward(self, x):
        return self.net(x)


class Sequence(nn.Module):
    """The last output of an LSTM, classified."""

    def __init__(self):
        self.lstm, self.head = nn.LSTM(3, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def trained(make, x, y, backend):
    sl.seed(3)
    net = make()
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return sl.compile(step, backend=backend).many(len(x), sl.asarray(x), sl.asarray(y), stepped=(0, 1)).numpy()


@pytest.mark.parametrize("make, shape", [(Digits, (1, 6, 6)), (Sequence, (4, 3))])
def test_a_training_has_the_losses_of_the_native_one(jax, make, shape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 8, *shape)).astype(np.float32), rng.integers(0, 3, (6, 8))
    np.testing.assert_allclose(trained(make, x, y, "xla"), trained(make, x, y, "native"), rtol=1e-4)


def fitted(backend):
    sl.seed(2)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(100, 5)).astype(np.float32)
    points = sl.data.Dataset(x, (x[:, 0] > x[:, 1]).astype(np.int64))
    net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    run = sl.fit(net, points, optimizer=optim.Adam(lr=0.02), epochs=3, batch_size=10, schedule="cosine", validation=points,
                 statistics=sl.train.Statistics("*.grad/norm", every=5), progress=False, backend=backend)
    return run


def test_fit_runs_on_xla(jax):
    ours, native = fitted("xla"), fitted("native")
    np.testing.assert_allclose(ours.losses, native.losses, rtol=1e-4)
    figures = [[epoch.validation["loss"] for epoch in run.epochs] for run in (ours, native)]
    np.testing.assert_allclose(*figures, rtol=1e-4)
    for name, values in native.history.statistics.items():
        np.testing.assert_allclose(ours.history.statistics[name], values, rtol=1e-3, err_msg=name)


def test_what_only_eager_mode_computes_is_refused(jax):
    with pytest.raises(TraceError, match="cholesky is not compiled"):
        sl.compile(sl.linalg.cholesky, backend="xla")(sl.eye(2))


def test_going_back_to_training_uses_the_program_of_before(jax):
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    compiled, x = sl.compile(lambda x: net(x), backend="xla"), sl.ones((2, 3))
    for training in (True, False, True, False):
        net.train(training)
        compiled(x)
    other = nn.Linear(3, 2)
    net[0] = other  # another layer with other tensors
    np.testing.assert_allclose(compiled(x).numpy(), other(x).numpy(), rtol=1e-5)
    assert compiled.compilations == 3


def test_it_is_not_profiled(jax):
    with pytest.raises(ArgumentError, match="this backend does not say where the time of a call goes"):
        sl.profile(sl.compile(lambda x: x * 2, backend="xla"), sl.ones(2))


def test_without_jax_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    for use in (lambda: sl.compile(lambda x: x * 2, backend="xla")(sl.ones(2)), lambda: sl.export_stablehlo(sl.sin, sl.ones(2))):
        with pytest.raises(MissingExtraError) as error:
            use()
        assert 'backend="xla" needs jax, which is not installed' in str(error.value) and "pip install 'slopes[xla]'" in str(error.value)
    result = slopes("train", "perceptron", "--backend", "xla")
    assert result.exit_code == 1 and "needs jax, which is not installed" in result.stderr


def test_a_jax_out_of_range_and_a_missing_device_are_errors(jax, monkeypatch):
    monkeypatch.setattr(jax, "__version__", "0.8.2")
    with pytest.raises(MissingExtraError, match=re.escape("does not know jax 0.8.2\n  it was tested with jax from 0.9 to below 0.11")):
        load_jax()
    monkeypatch.undo()

    def devices():
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(DeviceError, match="JAX has no device to run on with JAX_PLATFORMS=cuda\n  Unable to initialize"):
        first_device(jax)


def test_a_recipe_trains_on_xla_and_goes_on_there(jax, tmp_path, monkeypatch):
    points = np.linspace(-1, 1, 32, dtype=np.float32).reshape(32, 1)
    data = sl.data.Dataset(points, (points[:, 0] > 0).astype(np.int64))
    monkeypatch.setitem(RECIPES, "points", Experiment(
        name="points", caption="points", expected="", settings={"epochs": Setting(1, "")}, data=lambda config: data,
        network=lambda config, facts, name: nn.Linear(1, 2), report=lambda result: Report({"loss": result.run.losses[-1]}, []),
        training=lambda config, data, name, net: Fit(data, batch_size=16, epochs=config["epochs"])))
    folder, backends = str(tmp_path / "run"), []
    monkeypatch.setattr(XlaBackend, "compile", lambda self, captured: backends.append(self.name) or XlaExecutable(captured, jax))
    result = slopes("train", "points", "--backend", "xla", "--out", folder, "--quiet")
    assert result.exit_code == 0 and backends == ["xla"]
    saved = load_run(folder)
    assert saved.networks[""].settings["backend"] == "xla" == saved_backend(saved)
    assert slopes("train", "points", "--resume", folder, "--epochs", "2", "--quiet").exit_code == 0 and len(backends) == 2


def test_a_function_becomes_a_program_of_stablehlo(jax, tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
    with pytest.raises(ArgumentError, match=r"assigns net\.1\.num_batches_tracked, net\.1\.running_mean"):
        sl.export_stablehlo(lambda x: net(x), x)
    net.eval()
    program = sl.export_stablehlo(lambda x: sl.softmax(net(x), axis=1), x)
    assert program.inputs == ("x: float32[2, 1, 6, 6]",) and len(program.outputs) == 1 and "float32[2, 3]" in program.outputs[0]
    assert re.fullmatch(r"1\.\d+\.\d+", program.version) and "stablehlo.convolution" in program.text
    program.save(tmp_path / "net.mlir")
    program.save(tmp_path / "net.mlirbc")
    assert (tmp_path / "net.mlir").read_text() == program.text and (tmp_path / "net.mlirbc").read_bytes() == program.artifact
    again = importlib.import_module("jax.export").deserialize(program.exported.serialize())
    np.testing.assert_allclose(again.call(x)[0], sl.softmax(net(sl.asarray(x)), axis=1).numpy(), rtol=1e-5)
    with pytest.raises(SaveError):
        program.save(tmp_path / "none" / "net.mlir")


def test_an_unknown_backend_names_the_known_ones():
    with pytest.raises(ArgumentError, match="no backend is called 'xlb'") as error:
        sl.compile(lambda x: x, backend="xlb")
    assert "use one of native, reference, xla" in str(error.value)
