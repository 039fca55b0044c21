"""bfloat16: rounded as it should be, kept in 16 bits in compiled functions, gradients passed on; and training with it."""

from __future__ import annotations

import numpy as np
import pytest
from training import training_step

import slopes as sl
from slopes import data, nn, optim
from slopes.errors import ArgumentError, DTypeError
from slopes.graph.build import build, variable
from slopes.machine.reference import evaluate

EDGES = [0.0, -0.0, 1.0, 1.00390625, 1.01171875, 1.0039063, 3.3895314e38, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan, 1e-45, 9.2e-41, -1e-39]


def nearest(x: float) -> float:
    """The nearest of all bfloat16 numbers, found among its two neighbours in float64."""
    if not np.isfinite(x):
        return x
    low = np.array(np.array(x, np.float32).view(np.uint32) & np.uint32(0xFFFF0000))
    high = low + np.uint32(0x10000)
    values = [float(each.view(np.float32)) for each in (low, high)]
    largest = np.isinf(values[1])
    below, above = abs(x - values[0]), abs((np.copysign(2.0**128, x) if largest else values[1]) - x)
    if below == above:
        return values[(int(low) >> 16) & 1]
    return values[int(above < below)]


def numbers() -> np.ndarray:
    draw = np.random.default_rng(0)
    random = draw.integers(0, 1 << 32, 2000, np.uint64).astype(np.uint32).view(np.float32)
    ties = (draw.integers(0, 1 << 16, 200, np.uint64).astype(np.uint32) << 16 | np.uint32(0x8000)).view(np.float32)
    return np.concatenate([np.array(EDGES, np.float32), random, ties])


@pytest.mark.parametrize("run", [sl.round_bfloat16, sl.compile(lambda x: sl.round_bfloat16(x)),
                                 sl.compile(lambda x: sl.round_bfloat16(x * 1.0))], ids=["eager", "argument", "computed"])
def test_every_number_goes_to_its_nearest_neighbour(run):
    x = numbers()
    expected = np.array([nearest(float(each)) for each in x])
    np.testing.assert_array_equal(run(sl.tensor(x)).numpy(), expected.astype(np.float32))


def test_bits_are_the_upper_half():
    x = variable((4,), np.dtype("float32"))
    bits = build("bfloat16_bits", x)
    given = np.array([1.0, -2.5, 0.0, 3.0], np.float32)
    found, back = evaluate([bits, build("bfloat16_value", bits)], {x: given})
    assert found.dtype == np.uint16 and found.tolist() == [0x3F80, 0xC020, 0, 0x4040]
    np.testing.assert_array_equal(back, given)


def test_the_gradient_passes_and_other_types_are_refused():
    gradient = sl.grad(lambda x: (sl.round_bfloat16(x) ** 2).sum())
    x = sl.tensor([1.001, -3.14159])
    for run in (gradient, sl.compile(gradient)):
        np.testing.assert_allclose(run(x).numpy(), 2 * sl.round_bfloat16(x).numpy())
    with pytest.raises(DTypeError, match="float64 is no float32"):
        sl.round_bfloat16(sl.ones(2, dtype=sl.float64))


def step_of(net: nn.Module, storage: str):
    return sl.compile(training_step(net, optim.SGD(net.parameters(), lr=0.05)), storage=storage)


def convolutional() -> nn.Module:
    blocks = [each for _ in range(4) for each in (nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), *blocks, nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(8, 3))


class Reader(nn.Module):
    def __init__(self):
        self.words, self.memory, self.last = nn.Embedding(20, 8), nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 3)

    def forward(self, words):
        return self.last(self.memory(words)[0][:, -1] if words.ndim == 3 else self.memory(self.words(words))[0][:, -1])


NETS = {
    "dense": (lambda: nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 3)), (16, 6)),
    "convolutional": (convolutional, (16, 1, 24, 24)),
    "recurrent": (Reader, (16, 7)),
}


@pytest.mark.parametrize("name", NETS)
def test_a_step_is_nearly_the_same(name):
    make, shape = NETS[name]
    draw = np.random.default_rng(0)
    x = sl.tensor(draw.integers(0, 20, shape) if name == "recurrent" else draw.standard_normal(shape).astype(np.float32))
    y, losses = sl.tensor(draw.integers(0, 3, 16)), {}
    for storage in ("float32", "bfloat16"):
        sl.seed(0)
        step = step_of(make(), storage)
        losses[storage] = [step(x, y).item() for _ in range(10)]
    assert losses["float32"] != losses["bfloat16"]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.01)


def test_it_needs_less_memory():
    x, y = sl.ones((32, 1, 24, 24)), sl.zeros(32, dtype=sl.int64)
    arenas = []
    for storage in ("float32", "bfloat16"):
        step = step_of(convolutional(), storage)
        step(x, y)
        arenas.append(step.programs[0].manifest.arena)
    assert arenas[1] < 0.85 * arenas[0]


def test_fit_learns_with_it():
    digits = data.digits()
    sl.seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    sl.fit(net, digits.train, optimizer=optim.Adam(lr=3e-3), epochs=5, storage="bfloat16", progress=False)
    assert sl.evaluate(net, digits.test)["accuracy"] > 0.9
    with pytest.raises(ArgumentError, match="storage='half' is not known"):
        sl.fit(net, digits.train, storage="half", progress=False)
