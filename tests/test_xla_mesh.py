"""Meshes of eight devices, which one processor stands for: the losses of one device, and what the devices hold and send each other."""

from __future__ import annotations

import os

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError
from slopes.xla.collectives import step_collectives

# XLA reads this when jax is imported, which nothing else here does before a test runs.
FLAGS = "--xla_force_host_platform_device_count=8", "--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"
os.environ["XLA_FLAGS"] = " ".join(dict.fromkeys([*os.environ.get("XLA_FLAGS", "").split(), *FLAGS]))


@pytest.fixture
def jax():
    jax = pytest.importorskip("jax")
    if len(jax.devices()) < 8:
        pytest.skip("jax was imported before, with fewer devices")
    return jax


def fitted(mesh=None):
    """Batches of 10, which no axis of 4 or 8 divides; batch norm and dropout over them."""
    sl.seed(2)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 1, 6, 6)).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16), nn.ReLU(),
                        nn.Dropout(0.3), nn.Linear(16, 2))
    points = sl.data.Dataset(x, (x[:, 0, 0, 0] > x[:, 0, 1, 1]).astype(np.int64))
    run = sl.fit(net, points, optimizer=optim.SGD(lr=0.1, momentum=0.9), epochs=2, batch_size=10, progress=False, backend="xla", mesh=mesh)
    return run.losses, net


def test_meshes_have_the_losses_of_one_device(jax):
    losses, net = fitted()
    for mesh in (sl.mesh(data=8), sl.mesh(data=4, model=2, split="wide"),
                 sl.mesh(data=2, model=4, zero=True, split={"4.*": ("model", ...), "7.weight": (None, "model")})):
        others, other = fitted(mesh)
        np.testing.assert_allclose(others, losses, rtol=1e-4, err_msg=repr(mesh))
        for (name, value), (_, expected) in zip(other.named_state(), net.named_state()):
            np.testing.assert_allclose(value.numpy(), expected.numpy(), rtol=1e-3, atol=1e-5, err_msg=f"{mesh}: {name}")


def step_of(net, mesh, **options):
    """A compiled step after its first call, and the bytes of parameters."""
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(x):
        loss = (net(x) ** 2).mean()
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = sl.compile(step, backend="xla", mesh=mesh)
    return compiled, compiled(sl.ones((16, 8))).item()


def dense():
    sl.seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 16))


def test_data_parallel_devices_reduce_gradients_and_send_nothing_else(jax):
    net = dense()
    compiled, _ = step_of(net, sl.mesh(data=8))
    sent = step_collectives(compiled)
    size = sum(parameter.numpy().nbytes for parameter in net.parameters())
    assert {item.kind for item in sent} == {"all-reduce"} and {item.devices for item in sent} == {8}
    assert sum(item.bytes for item in sent) == size + np.float64().nbytes  # and the mean loss, which is summed in float64


def test_split_parameters_and_optimizer_state_are_held_in_parts(jax):
    _, first = step_of(dense(), sl.mesh(data=8))
    for options, parts in (({"split": {"*.weight": ("model", None)}}, {"net.0.weight": 2, "net.2.weight": 2, "net.0.bias": 1}),
                           ({"zero": True}, {"net.0.weight": 1, "optimizer.0.weight.momentum_buffer": 4,
                                            "optimizer.2.bias.momentum_buffer": 4}),
                           ({"split": "megatron"}, None)):
        mesh = sl.mesh(data=4, model=2, **options)
        if parts is None:
            with pytest.raises(ArgumentError, match="no parameter is split by this table"):
                step_of(dense(), mesh)
            continue
        compiled, loss = step_of(dense(), mesh)
        assert loss == pytest.approx(first, rel=1e-5)
        held = compiled.executable().held_bytes()
        assert {name: held[name][1] // held[name][0] for name in parts} == parts


def test_the_towers_of_alexnet_lie_on_two_devices(jax):
    losses = []
    for mesh in (sl.mesh(data=1), sl.mesh(model=2, split="towers")):
        sl.seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 6))
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(x, net=net, optimizer=optimizer):
            loss = (net(x) ** 2).mean()
            net.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        compiled = sl.compile(step, backend="xla", mesh=mesh)
        x = sl.asarray(np.random.default_rng(0).normal(size=(4, 3, 7, 7)).astype(np.float32))
        losses.append([compiled(x).item() for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    held = compiled.executable().held_bytes()
    net_held = [sizes for path, sizes in held.items() if path.startswith("net.")]
    assert len(net_held) == 6 and all(2 * part == whole for part, whole in net_held)
    memory = compiled.executable().compile_step().memory_analysis()
    assert memory.argument_size_in_bytes == x.numpy().nbytes + sum(part for part, _ in held.values())


def test_the_parts_of_a_program_keep_random_bits(jax):
    sl.seed(4)
    drop, x = nn.Dropout(0.5), sl.ones((24, 3))
    one = sl.compile(lambda x: drop(x), backend="xla")(x).numpy()
    sl.seed(4)
    np.testing.assert_array_equal(sl.compile(lambda x: drop(x), backend="xla", mesh=sl.mesh(data=8))(x).numpy(), one)


def test_what_a_mesh_cannot_do_is_said(jax):
    for error, call in (
            ("needs 64 devices", lambda: sl.mesh(data=64)), ("data=0", lambda: sl.mesh(data=0)), ("it has no axis", lambda: sl.mesh()),
            ("no table is called 'tower'", lambda: sl.mesh(model=2, split="tower")),
            ("'modle' is no axis of this mesh", lambda: sl.mesh(model=2, split={"*": ("modle", None)})),
            ("'9.weight' matches no parameter", lambda: step_of(dense(), sl.mesh(model=2, split={"9.weight": ("model", None)}))),
            ("axis 1 of 0.weight, of size 8, is not split into 3 equal parts",
             lambda: step_of(dense(), sl.mesh(model=3, split={"0.weight": (None, "model")}))),
            ("has 1 axes, 0.weight has the shape", lambda: step_of(dense(), sl.mesh(model=2, split={"0.weight": ("model",)}))),
            ("add backend=\"xla\"", lambda: sl.compile(lambda x: x, mesh=sl.mesh(data=2)))):
        with pytest.raises(ArgumentError, match=error) as raised:
            call()
        assert raised.value.why or raised.value.repair
