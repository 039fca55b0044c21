"""Code for 64-bit ARM, read as assembly: multiply-adds by element, no sums in memory, the same text each time. Nothing of it is run."""

from __future__ import annotations

import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from native_graphs import plan

from slopes.graph.build import build, variable
from slopes.loops.kernels import ContractKernel
from slopes.loops.target import TARGETS
from slopes.machine import translate
from slopes.ops import composite as c

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("a copy without the benchmarks", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks.arm import assembly, cores  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402

LINUX = "aarch64-unknown-linux-gnu"
PROCESSORS = "generic", "apple-m1", "neoverse-n1", "neoverse-v1"
FLOAT32, FLOAT64 = np.dtype("float32"), np.dtype("float64")


@pytest.fixture(scope="module", autouse=True)
def all_targets():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def product(rows: int, k: int, columns: int, dtype: np.dtype = FLOAT32, epilogue=lambda y: y):
    x, w = variable((rows, k), dtype), variable((k, columns), dtype)
    return epilogue(build("contract", x, w, a_axes=(0, 1), b_axes=(1, 2), out_axes=(0, 2)))


GRAPHS = {
    "product": lambda: product(96, 64, 96),
    "odd sizes": lambda: product(61, 37, 83),
    "few rows": lambda: product(5, 300, 200),
    "float64": lambda: product(64, 64, 64, FLOAT64),
    "relu": lambda: product(128, 784, 512, epilogue=c.relu),
    "tanh": lambda: product(64, 128, 128, epilogue=lambda y: build("tanh", y)),
    "convolution": lambda: c.convolution(variable((4, 16, 20, 20), FLOAT32), variable((24, 16, 3, 3), FLOAT32), 1, 1),
}


def code_of(name: str, processor: str) -> tuple[list[ContractKernel], str]:
    """The contractions of a graph, and the program's assembly."""
    made = plan([GRAPHS[name]()], target=TARGETS["neon"])[0]
    text = translate.object_code(made.text, LINUX, processor, "", assembly=True)
    assert isinstance(text, str)
    return [kernel for kernel in made.kernels if isinstance(kernel, ContractKernel)], text


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("name", GRAPHS)
def test_sums_stay_in_registers_while_k_runs(name, processor):
    kernels, text = code_of(name, processor)
    loops = [loop for loop in assembly.inner_loops(text) if loop.is_product]
    assert kernels and loops
    assert [loop.instructions for loop in loops if loop.spills] == []
    tiles = {kernel.schedule.mr * kernel.schedule.nr for kernel in kernels}
    assert tiles <= {loop.products for loop in loops}, "a whole tile has one multiply-add for each of its sums"
    assert max(tiles) <= TARGETS["neon"].sums
    largest = max(loops, key=lambda loop: loop.products)
    assert sum(text.endswith("]") for text in largest.instructions if text.startswith("fmla")) >= 0.7 * largest.products, "by element"


def test_the_text_is_the_same_each_time():
    first, second = ([plan([graph()], target=TARGETS["neon"])[0].text for graph in GRAPHS.values()] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("source", ["int64", "uint64"])
def test_three_lanes_are_cut_to_bytes(source, dtype):
    """LLVM 22 ends the process for `trunc <3 x i64> to <3 x i8>` on ARM."""
    root = build("cast", variable((3, 5), np.dtype(source)), dtype=np.dtype(dtype))
    made = plan([root], target=TARGETS["neon"])[0]
    assert "trunc <3 x i64>" not in made.text
    assert len(translate.object_code(made.text, LINUX, "generic", "")) > 500


def test_what_three_lanes_of_64_bits_compare_to_is_stored():
    """LLVM 22 ends the process for `zext <3 x i1> to <3 x i8>` of them on ARM."""
    x = variable((3, 5), FLOAT64)
    made = plan([build("signbit", x), build("less", x, variable((3, 5), FLOAT64))], target=TARGETS["neon"])[0]
    assert "zext <3 x i1>" not in made.text
    assert len(translate.object_code(made.text, LINUX, "generic", "")) > 500


LISTING = """\
k0_contract:
\tmov\tx8, xzr
.LBB0_1:
\tmov\tx9, xzr
.LBB0_2:                                // Inner loop
\tldp\tq0, q1, [x10], #32
\tld1r\t{ v2.4s }, [x11], #4
\tldr\ts3, [x12]
\tfmla\tv16.4s, v0.4s, v2.4s
\tfmla\tv17.4s, v1.4s, v3.s[0]
\tcmp\tx9, #3
\tb.lo\t.LBB0_2
\tadd\tx8, x8, #1
\tb.ne\t.LBB0_1
\tret
other:
.LBB1_1:
\tstr\tq1, [sp, #16]
\tfmla\tv0.4s, v1.4s, v2.4s
\tcbnz\tx3, .LBB1_1
\tret
"""


def test_inner_loops_are_counted():
    inner, other = assembly.inner_loops(LISTING)
    assert (inner.function, inner.products, inner.loads, inner.spills, inner.vector_operations) == ("k0_contract", 2, 4, 0, 3)
    assert (other.function, other.products, other.spills, other.is_product) == ("other", 1, 1, True)
    assert len(inner.instructions) == 7 and inner.is_product


def test_a_round_takes_what_it_occupies_most():
    inner = next(iter(assembly.inner_loops(LISTING)))
    core = cores.Core("", "", vector_pipes=2, load_ports=2, width=4, latency=1, source="")
    assert core.cycles(inner) == 2.0, "four registers loaded, two at once"
    assert cores.Core("", "", 1, 4, 8, 1, "").cycles(inner) == 3.0
    assert cores.Core("", "", 4, 4, 8, 4, "").cycles(inner) == 4.0


def test_a_prediction_has_a_share_for_every_core():
    name, *cells = cores.row(WORKLOADS["mlp-sgd"])
    assert name == "mlp-sgd" and len(cells) == 3 + len(cores.CORES)
    assert all(0 < float(cell.rstrip("%")) <= 100 for cell in cells[-len(cores.CORES):])
