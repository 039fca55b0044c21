"""The packed contraction kernel against NumPy in float64: every remainder, every way to pack a panel, prologues, epilogues, parts of k."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from native_graphs import Processor, compile_nodes, host, kinds, plan, same_bits

from slopes.autodiff.pullback import pull_back
from slopes.graph.build import build, constant, variable
from slopes.graph.node import Node
from slopes.loops import emit_contract, pack_panel, plan_contract
from slopes.loops.kernels import ContractKernel, MapKernel
from slopes.loops.target import TARGETS
from slopes.machine.reference import evaluate
from slopes.ops import composite as c


@pytest.fixture
def packings(monkeypatch) -> set[str]:
    """The ways in which panels were brought to the tiles while code was written."""
    seen: set[str] = set()

    def note(name: str, function, when=lambda result, args: True):
        def watched(*args):
            result = function(*args)
            if when(result, args):
                seen.add(name)
            return result
        return watched

    in_place = emit_contract.reads_in_place
    runs, transposed = pack_panel.run_length, pack_panel.can_transpose
    monkeypatch.setattr(emit_contract, "reads_in_place", note("in place", in_place, lambda result, args: result))
    monkeypatch.setattr(pack_panel, "pack_transposed", note("transposed", pack_panel.pack_transposed))

    def run_length(v, tile, kernel):
        size = runs(v, tile, kernel)
        if size:
            seen.add("runs")
        elif not transposed(v, kernel, kernel.schedule.lanes):
            seen.add("single")
        return size

    monkeypatch.setattr(pack_panel, "run_length", run_length)
    return seen


def check(roots: list[Node], env: dict[Node, np.ndarray], tolerance: float = 2e-5, packed: bool = True, **options) -> list[np.ndarray]:
    """Compiled, with poison, one and two threads = float64 reference."""
    program = compile_nodes(roots, poison=True, **options)
    assert not packed or "contract" in kinds(program.plan), "the packed kernel was not used"
    found = program.run(env)
    expected = evaluate(roots, env)
    for ours, numpys in zip(found, expected):
        scale = max(1.0, float(np.abs(numpys).max(initial=0)))
        np.testing.assert_allclose(ours, numpys, rtol=tolerance, atol=tolerance * scale)
    assert same_bits(program.run(env, threads=2), found), "two threads gave other bits"
    return found


def given(*shapes, dtype=np.float32) -> tuple[list[Node], dict[Node, np.ndarray]]:
    rng = np.random.default_rng(sum(map(sum, shapes)))
    nodes = [variable(shape, np.dtype(dtype)) for shape in shapes]
    return nodes, {node: rng.normal(size=node.shape).astype(dtype) for node in nodes}


def product(a: Node, b: Node, a_axes: str, b_axes: str, out: str) -> Node:
    labels = {name: i for i, name in enumerate(dict.fromkeys(a_axes + b_axes + out))}
    numbers = [tuple(labels[name] for name in axes) for axes in (a_axes, b_axes, out)]
    return build("contract", a, b, a_axes=numbers[0], b_axes=numbers[1], out_axes=numbers[2])


ROWS = [4, 5, 7, 8, 9, 11, 12, 13, 16, 17, 23, 25, 31, 33, 48, 64, 70, 100, 127]
COLUMNS = [8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70, 100, 127]


@pytest.mark.parametrize("part", range(4))
def test_every_remainder_of_rows_and_lanes_comes_out_right(part):
    roots, env = [], {}
    for i, (m, n) in enumerate(zip([*ROWS, *ROWS], [*COLUMNS, *COLUMNS[7:], *COLUMNS[:7]])):
        if i % 4 == part:
            k = max(2, -(-plan_contract.SMALL_PRODUCT // (m * n))) + i % 3
            (a, b), arrays = given((m, k), (k, n))
            roots.append(c.matmul(a, b))
            env.update(arrays)
    check(roots, env)


ORDERS = [("mk", "kn", "mn"), ("km", "kn", "mn"), ("mk", "nk", "mn"), ("km", "nk", "nm"), ("mk", "kn", "nm"),
          ("bmk", "bkn", "bmn"), ("bmk", "kn", "bmn"), ("mbk", "bnk", "nbm"), ("bmkl", "nlk", "bnm"), ("kmb", "knb", "mbn"),
          ("mkxy", "nxy", "mkn"), ("bxmk", "byk", "bxym")]
SIZES = {"m": 21, "n": 35, "k": 29, "b": 3, "l": 5, "x": 4, "y": 6}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("orders", ORDERS, ids=" ".join)
def test_operands_in_any_order_of_axes_contract(orders, dtype):
    a_axes, b_axes, out = orders
    (a, b), env = given(*(tuple(SIZES[name] for name in axes) for axes in (a_axes, b_axes)), dtype=dtype)
    check([product(a, b, a_axes, b_axes, out)], env, 2e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(("orders", "shape", "expected"), [
    (("mk", "kn", "mn"), (8, 40, 64), "in place"),       # few rows read each panel: it is not copied
    (("mk", "kn", "mn"), (300, 40, 64), "runs"),         # many rows: rows of b are copied side by side
    (("mk", "nk", "mn"), (64, 40, 64), "transposed"),    # b lies along k
    (("mk", "nk", "mn"), (64, 7, 300), "single"),        # along k, but k is too short to turn squares
])
def test_each_way_to_pack_a_panel_is_used_and_right(packings, orders, shape, expected):
    m, k, n = shape
    sizes = {"m": m, "k": k, "n": n}
    a_axes, b_axes, out = orders
    (a, b), env = given(*(tuple(sizes[name] for name in axes) for axes in (a_axes, b_axes)))
    check([product(a, b, a_axes, b_axes, out)], env)
    assert expected in packings


@pytest.mark.parametrize(("size", "channels"), [(32, 16), (16, 32), (16, 5)])
def test_vectors_that_lie_side_by_side_each_are_read_in_place(packings, size, channels):
    """Several rows of a picture side by side in a panel: no vector reaches from one row into the next."""
    (x, w), env = given((2, 4, size + 2, size + 2), (channels, 4, 3, 3))
    check([c.convolution(x, w)], env)
    assert packings == {"in place"}


CONVOLUTIONS = {
    "1-d": (((2, 5, 40), (9, 5, 5)), {}),
    "1-d same, dilated": (((5, 6, 43), (9, 6, 5)), {"padding": "same", "dilation": 3}),
    "2-d": (((2, 3, 20, 17), (10, 3, 5, 3)), {}),
    "2-d strided": (((2, 6, 21, 22), (12, 6, 3, 3)), {"stride": 2, "padding": 1}),
    "2-d uneven": (((2, 4, 19, 16), (9, 4, 3, 2)), {"stride": (1, 2), "padding": ((1, 2), (0, 1)), "dilation": (2, 1)}),
    "2-d groups": (((2, 12, 14, 14), (24, 4, 3, 3)), {"padding": 1, "groups": 3}),
    "2-d 1x1": (((3, 16, 9, 9), (20, 16, 1, 1)), {}),
    "2-d one channel": (((8, 1, 28, 28), (20, 1, 5, 5)), {}),
    "3-d": (((1, 3, 7, 8, 9), (8, 3, 2, 3, 3)), {"padding": 1}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_and_their_gradients_contract(name):
    (shape, weights), params = CONVOLUTIONS[name]
    (x, w), env = given(shape, weights)
    y = c.convolution(x, w, **params)
    from_gradient = variable(y.shape, y.dtype)
    env[from_gradient] = np.random.default_rng(3).normal(size=y.shape).astype(np.float32)
    check([y, *pull_back([y], [from_gradient], [x, w])], env)


def test_a_transposed_convolution_contracts():
    (x, w), env = given((2, 8, 9, 10), (8, 6, 3, 3))
    check([c.transposed_convolution(x, w, 2, 1, 1)], env, packed=False)


PROLOGUES = {
    "padded": lambda x: build("pad", build("slice", x, start=(1, 2), stop=(x.shape[0] - 2, x.shape[1] - 1), step=(1, 1)),
                              widths=((1, 2), (2, 1)), value=0),
    "masked": lambda x: build("where", build("greater", x, constant(0.0, x.dtype)), x, constant(0.0, x.dtype)),
    "doubled": lambda x: x + x,
    "cast": lambda x: build("cast", build("cast", x, dtype=np.dtype("int32")), dtype=np.dtype("float32")),
    "gathered rows": lambda x: build("take", x, constant(np.arange(x.shape[0])[::-1].copy()), axis=0),
    "gathered columns": lambda x: build("take", x, constant(np.arange(x.shape[1])[::-1].copy()), axis=1),
    "flipped": lambda x: build("slice", x, start=(x.shape[0] - 1, 0), stop=(-1, x.shape[1]), step=(-1, 1)),
    "joined": lambda x: build("concat", build("slice", x, start=(0, 0), stop=(5, x.shape[1]), step=(1, 1)),
                              build("slice", x, start=(5, 0), stop=x.shape, step=(1, 1)), axis=0),
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", PROLOGUES)
def test_what_an_operand_is_computed_from_is_packed_with_it(name, which):
    (a, b), env = given((45, 37), (37, 50))
    operands = [a, b]
    operands[which] = PROLOGUES[name](operands[which])
    check([c.matmul(*operands)], env)


def test_an_epilogue_may_store_several_values_and_read_others():
    (a, b, bias, other), env = given((40, 30), (30, 50), (50,), (40, 50))
    z = c.matmul(a, b) + bias
    y = c.relu(z)
    roots = [y, build("greater", z, constant(0.0, z.dtype)), y * other, z]
    made = plan(roots)[0]
    assert kinds(made) == {"contract": 1}
    check(roots, env)


@pytest.mark.parametrize("shape", [(8, 5000, 16), (5, 9001, 9), (20, 784, 128), (64, 4100, 8), (4, 20000, 8)])
def test_a_long_sum_is_split_into_fixed_parts(shape):
    m, k, n = shape
    (a, b, bias), env = given((m, k), (k, n), (n,))
    roots = [c.relu(c.matmul(a, b) + bias)]
    made = plan(roots)[0]
    assert any(kernel.schedule.k_parts > 1 for kernel in made.kernels if isinstance(kernel, ContractKernel))
    check(roots, env, 1e-4)


@pytest.mark.parametrize(("k", "most"), [(1024, 8), (2048, 8), (512, 16), (1000, 27)])
def test_rows_that_share_one_set_of_the_cache_are_no_more_than_it_holds(k, most):
    (a, b), env = given((16, k), (200, k))
    roots = [product(a, b, "mk", "nk", "mn")]
    made = plan(roots, target=TARGETS["avx512"])[0]
    rows = [kernel.schedule.mr for kernel in made.kernels if isinstance(kernel, ContractKernel)]
    assert rows and max(rows) <= most
    check(roots, env, 1e-4)


def test_parts_of_a_long_sum_are_of_one_size_where_they_can_be():
    """32 pictures in 16 parts of two, not in eleven of which the last is short."""
    x, g = variable((32, 16, 32, 32), np.dtype("float32")), variable((32, 16, 32, 32), np.dtype("float32"))
    made = plan([product(x, g, "bmxy", "bnxy", "mn")], target=TARGETS["avx512"])[0]
    assert [kernel.schedule.k_parts for kernel in made.kernels if isinstance(kernel, ContractKernel)] == [16]


@pytest.mark.parametrize("shape", [(30, 64, 40), (128, 64, 20), (33, 9000, 17)])
def test_an_update_in_place_reads_the_old_value_and_writes_the_new_one(shape):
    m, k, n = shape
    (w, x, g), env = given((m, n), (k, m), (k, n))
    new = w - product(x, g, "km", "kn", "mn") * constant(0.1, w.dtype)
    program = compile_nodes([new], [w], poison=True)
    assert all(kernel.nodes for kernel in program.plan.kernels)
    assert kinds(program.plan) == ({"contract": 1} if k < 5000 else {"contract": 1, "reduce": 1})  # and no copy of the result
    expected = evaluate([new], env)[0]
    for threads in (1, 2):
        np.testing.assert_allclose(program.run(env, threads)[0], expected, rtol=1e-4, atol=1e-3)


def test_an_update_whose_product_reads_the_old_value_is_not_made_in_place():
    (w, x), env = given((40, 40), (40, 40))
    new = c.matmul(w, x)
    expected = evaluate([new], env)[0]
    np.testing.assert_allclose(compile_nodes([new], [w], poison=True).run(env, 2)[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_the_tiles_of_every_target_cover_the_result(target):
    """The tiles of other targets, run here, where LLVM expresses their vectors by what there is."""
    (a, b, bias), env = given((53, 37), (37, 61), (61,))
    here = host()
    shape = replace(TARGETS[target], pause=here.target.pause)
    check([c.relu(c.matmul(a, b) + bias)], env, processor=Processor(shape, here.triple, here.name, here.features))


def test_rows_that_lie_apart_are_copied_once_for_all_products_that_read_them():
    g, x, y = (variable(shape, np.dtype("float32")) for shape in ((2048, 1024), (2048, 64), (32, 64, 64)))
    grown = build("exp", g * 0.1)
    by_step = build("reshape", grown, shape=(64, 32, 1024))
    roots = [build("contract", grown, x, a_axes=(0, 1), b_axes=(0, 2), out_axes=(2, 1)),
             build("contract", by_step, y, a_axes=(0, 1, 2), b_axes=(1, 0, 3), out_axes=(3, 2))]
    copies = [kernel for kernel in plan(roots)[0].kernels if isinstance(kernel, MapKernel) and kernel.nodes[0].op.name == "contract"]
    assert len(copies) == 2  # whole strips and the rest: of the one exponential, once
    rng = np.random.default_rng(0)
    env = {node: rng.normal(size=node.shape).astype("float32") for node in (g, x, y)}
    for found, right in zip(compile_nodes(roots, poison=True).run(env), evaluate(roots, env)):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)
