"""What a compiled function computes from parameters alone is computed once, and anew whenever one of them has changed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from training import mean_square, training_step

import slopes as sl
from slopes import nn, optim
from slopes.errors import OutOfRangeError
from slopes.graph.build import build, variable
from slopes.passes.hoist_frozen import hoist_frozen

DRAW = np.random.default_rng(0)


def pictures(count: int = 1) -> sl.Tensor:
    return sl.tensor(DRAW.standard_normal((count, 32, 16, 16)).astype(np.float32))


def layer() -> nn.Module:
    sl.seed(0)
    return nn.Conv2d(32, 32, 3, padding=1)


def compiled_step(net: nn.Module):
    return sl.compile(training_step(net, optim.SGD(net.parameters(), lr=0.5), mean_square))


def runs(function) -> list[int]:
    """A list that grows by one with each computation of the prologue, of a function that was called."""
    version = next(iter(function._versions.values()))[0]
    found: list[int] = []
    run = version.executable.prologue.program.run
    version.executable.prologue.program.run = lambda *args: found.append(1) or run(*args)
    return found


def close(found, expected) -> None:
    with sl.no_grad():
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-4)


def test_filters_change_their_coordinates_once():
    net, x, y = layer(), pictures(), pictures()
    use = sl.compile(lambda x: net(x))
    close(use(x), net(x))
    counted = runs(use)
    for each in (x, y, x):
        close(use(each), net(each))
    assert not counted
    close(use.many(2, sl.stack([x, y]), stepped=(0,))[1], net(y))


def test_parameters_that_are_assigned_are_seen():
    net, x = layer(), pictures()
    use = sl.compile(lambda x: net(x))
    use(x)
    counted = runs(use)
    net.weight.assign(net.weight * 2)
    close(use(x), net(x))
    close(use(x), net(x))
    net.load_state_dict({name: -value for name, value in net.state_dict().items()})
    close(use(x), net(x))
    assert len(counted) == 2


def test_parameters_that_a_compiled_step_writes_are_seen():
    net, x = layer(), pictures(2)
    step = compiled_step(net)
    use = sl.compile(lambda x: net(x))
    before = use(x).numpy().copy()
    counted = runs(use)
    for _ in range(3):
        step(x)
        close(use(x), net(x))
    step.many(2, sl.stack([x, x]), stepped=(0,))
    close(use(x), net(x))
    assert len(counted) == 4 and not np.allclose(before, use(x).numpy())


def test_memory_that_is_shared_with_the_outside_is_not_read_again():
    net, x, outside = layer(), pictures(), np.ones((32, 32, 3, 3), np.float32)
    net.weight.assign(sl.asarray(outside))
    use = sl.compile(lambda x: net(x))
    ones = use(x).numpy().copy()
    outside[:] = 7
    close(use(x), ones)
    close(net(x), ones)  # eager and compiled say the same
    view, counted = net.weight.numpy(), runs(use)
    close(use(x), ones)
    assert (view == 1).all() and not counted
    net.weight.assign(sl.asarray(outside))
    close(use(x), net(x))
    assert counted == [1]


def test_a_layer_that_is_replaced_brings_its_own_parameters():
    net, x = nn.Repeat(nn.Conv2d(32, 32, 3, padding=1, bias=False), 1), pictures()
    use = sl.compile(lambda x: net(x))
    use(x)
    first = net.layer
    net.layer = nn.Conv2d(32, 32, 3, padding=1, bias=False)
    close(use(x), net(x))
    net.layer = first
    close(use(x), net(x))
    assert use.compilations == 2


def test_a_table_that_is_taken_from_is_multiplied_once():
    sl.seed(0)
    net = nn.Sequential(nn.Embedding(500, 32), nn.LSTM(32, 24, batch_first=True))
    net[0].weight.assign(sl.normal((500, 32)))
    use = sl.compile(lambda words: net(words)[0])
    words = sl.tensor(DRAW.integers(0, 500, (1, 7)))
    close(use(words), net(words)[0])
    version = next(iter(use._versions.values()))[0]
    assert [array.shape for array in version.executable.prologue.results.values()] == [(500, 96)]
    with pytest.raises(OutOfRangeError, match="500"):
        use(words + 500)


def test_several_threads_use_one_network():
    net, x = layer(), pictures()
    use = sl.compile(lambda x: net(x))
    expected, found = net(x).numpy(), []

    def work():
        found.extend(np.abs(use(x).numpy() - expected).max() for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(found) == 60 and max(found) < 1e-4


def test_only_work_on_fixed_values_is_set_apart():
    w, x = variable((4, 4), np.dtype("float32")), variable((4, 4), np.dtype("float32"))
    square = build("contract", w, w, a_axes=(0, 1), b_axes=(1, 2), out_axes=(0, 2))
    scaled = build("exp", square)
    cheap = build("exp", w)
    roots, stands_for = hoist_frozen([scaled * x, cheap + x, square], {w})
    assert list(stands_for.values()) == [scaled]
    stand_in, = stands_for
    assert roots[0].args == (stand_in, x) and roots[1] is cheap + x and roots[2] is square
    assert hoist_frozen([scaled * x], ()) == ([scaled * x], {})


def test_what_is_made_of_constants_alone_stays_where_it_is():
    w, x = variable((4,), np.dtype("float32")), variable((4,), np.dtype("float32"))
    constant_sums = build("cumulative_sum", build("iota", size=4, dtype=np.dtype("float32")), axis=0)
    for fixed in ((), {w}):
        roots = [constant_sums + x, constant_sums * w]
        assert hoist_frozen(roots, fixed) == (roots, {})


class Causal(nn.Module):
    def __init__(self):
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, is_causal=True)


@pytest.mark.parametrize("make", [layer, Causal])
def test_training_has_no_prologue(make):
    step = compiled_step(make())
    step(pictures(2) if make is layer else sl.ones((2, 5, 8)))
    assert next(iter(step._versions.values()))[0].executable.prologue is None
