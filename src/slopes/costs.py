"""Every constant of the compiler's cost model in one table: its unit, what it decides, and what it is based on.

A basis of "chosen" means that no measurement of the value itself is on record. "NOTES n" is section n of benchmarks/NOTES.md; all of
these measurements were taken in November 2026 on the processor that section 2 names, an AMD EPYC (Zen 4), with AVX-512.
"derived" follows from a property of the hardware or of the number format. To calibrate for another machine, change values here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T", int, float)


@dataclass(frozen=True)
class Cost:
    """One constant: `decides` completes the sentence "this value decides ...", `basis` says where it comes from."""

    name: str
    value: float
    unit: str
    decides: str
    basis: str


TABLE: list[Cost] = []


def enter(name: str, value: T, unit: str, decides: str, basis: str = "chosen") -> T:
    """Write a constant into the table; returns its value."""
    TABLE.append(Cost(name, value, unit, decides, basis))
    return value


# ---------------------------------------------------------------------- graph passes
FOLDED = enter("FOLDED", 1024, "elements", "up to which size operations on constants are carried out when a graph is compiled")
MAXIMUM_PADS = enter("MAXIMUM_PADS", 16, "terms", "how many padded terms of one sum are joined")
LONGEST_PRODUCT = enter("LONGEST_PRODUCT", 8, "factors", "how long a product may be whose factors are taken out of a sum")
OFTEN = enter("OFTEN", 2, "rows taken for each row of the table", "whether a table is multiplied before rows of it are taken",
              "chosen; the gain in the case that it was made for: NOTES 26")
WIDE = enter("WIDE", 16, "numbers in a row", "from which width a product costs more than taking or adding one more row")
WASTE = enter("WASTE", 1.8, "multiplications for each one needed", "when an input gradient is multiplied first and its windows added "
              "afterwards, instead of convolving a padded gradient", "chosen; at 2.25 adding afterwards was faster: NOTES 4")
OVERLAP = enter("OVERLAP", 30, "multiplications", "the price of adding one element of a window to its position in the result")
WORTH_ROUNDING = enter("WORTH_ROUNDING", 1.2, "times fewer products", "whether tiles with more points, and larger errors, are used")
TILE_BYTES = enter("TILE_BYTES", 20 << 20, "bytes", "how many transformed tiles are made and used before the next ones",
                     "chosen; parts of 12 MB were as fast as all at once: NOTES 23")
TRANSFORM = enter("TRANSFORM", 28.0, "multiplications", "the price of one element of a tile that changes its coordinates, each way: "
                  "whether a convolution is computed in fewer products", "chosen; 32 channels gain and 16 do not: NOTES 23")

# ---------------------------------------------------------------------- fusion
CHEAP = enter("CHEAP", 4, "instructions", "up to which cost a value that is used in several kernels is computed again in each")
SCALAR = enter("SCALAR", 16, "instructions", "up to which cost a single number is computed again by each kernel that reads it")
PROLOGUE = enter("PROLOGUE", 2, "instructions", "how much a contraction may compute for each element that it packs")
MAXIMUM_DEPTH = enter("MAXIMUM_DEPTH", 24, "nested expressions", "the depth of one kernel: bounds recursion and register pressure")
MAXIMUM_HEIGHT = enter("MAXIMUM_HEIGHT", 64, "values, each computed from the one before", "the height of one kernel: bounds recursion")
MAXIMUM_COST = enter("MAXIMUM_COST", 400, "instructions", "the inlined expression of one kernel: bounds the time to compile it")
MAXIMUM_STORES = enter("MAXIMUM_STORES", 8, "stores", "how many values one kernel writes")
MAXIMUM_NODES = enter("MAXIMUM_NODES", 24, "nodes", "how large the groups are that are still joined")
LOOK_BACK = enter("LOOK_BACK", 32, "kernels", "how many earlier kernels are considered for sharing loops")

# ---------------------------------------------------------------------- loop nests
BLOCK_WORK = enter("BLOCK_WORK", 16384, "element steps", "the size of the blocks that threads take: some microseconds each")
MAXIMUM_BLOCKS = enter("MAXIMUM_BLOCKS", 64, "blocks", "into how many blocks a kernel is divided at most")
SCATTERED = enter("SCATTERED", 10, "times the price of a neighbouring lane", "the price of a lane that is not next to its neighbour "
                  "in memory: which loop runs along the lanes", "chosen; without it loops were vectorized with gathers: NOTES 3")
SPLIT_WORK = enter("SPLIT_WORK", 131_072, "element steps", "from which size a reduction to few elements is done in parts",
                   "chosen; a product of 100,352 steps was slower in four parts: NOTES 25")
PART_WORK = enter("PART_WORK", 32_768, "element steps", "the size of such a part")
ROWS = enter("ROWS", 4, "rows", "how many rows of a matrix are multiplied with a vector at once", "NOTES 25: 0.47 to 0.43 ms for an LSTM "
             "at batch 1, 6.4 to 5.8 us for an MLP")
ACCUMULATORS = enter("ACCUMULATORS", 16, "vectors", "how many sums stay in registers while rows share what they read")
SIBLING_WORK = enter("SIBLING_WORK", 4096, "element steps", "from which size reductions over the same loops become one kernel")
SIBLING_REACH = enter("SIBLING_REACH", 12, "kernels", "how many earlier kernels are searched for a sibling")
MOST_SIBLINGS = enter("MOST_SIBLINGS", 3, "reductions", "how many siblings join the first reduction of a kernel")
UNROLLED = enter("UNROLLED", 192, "instructions", "up to which size the inner loops of a reduction are unrolled")
SUM_CHUNK = enter("SUM_CHUNK", 128, "terms", "how many float32 terms are added before their sum is added in float64",
                  "derived: bounds the error by 128 units in the last place of the sum of magnitudes")
FEW_ELEMENTS = enter("FEW_ELEMENTS", 64, "element steps", "up to which size a kernel counts as scalar work and runs as early as it can")
UPDATE_COLUMNS = enter("UPDATE_COLUMNS", 256, "elements", "how many elements of a row are added to a table at once",
                       "NOTES 26: adding up rows 2.6 to 0.5 ms")
UPDATE_SHARES = enter("UPDATE_SHARES", 4, "pieces", "into how many pieces such a row is divided at least")
SCALAR_BLOCK = enter("SCALAR_BLOCK", 4096, "element steps", "the size of a block of a kernel that works element by element")

# ---------------------------------------------------------------------- contractions
SMALL_PRODUCT = enter("SMALL_PRODUCT", 16384, "multiply-adds", "up to which size a contraction is a plain reduction, which compiles faster")
POINTERS = enter("POINTERS", 12, "rows", "how many unevenly spaced rows of a tile have a pointer in a register each", "derived: x86-64 has "
                 "15 registers for addresses; the effect: NOTES 5")
UNEVEN = enter("UNEVEN", 1.1, "times the price of a tile", "the price of unevenly spaced rows, up to POINTERS of them")
FAR_UNEVEN = enter("FAR_UNEVEN", 1.5, "times the price of a tile", "the price of more unevenly spaced rows than POINTERS")
SCATTER = enter("SCATTER", 2.5, "cycles", "the price of storing an element that is not next to its neighbour",
                "NOTES 5: predicted 70 and measured 75 GFLOP/s")
LONGEST_PANEL = enter("LONGEST_PANEL", 4096, "steps of k", "the length of a packed panel, which must stay in the second-level cache")
PAGE_STRIDE = enter("PAGE_STRIDE", 2048, "bytes", "from which distance between steps of k packing A pays",
                    "chosen; at 4096 copying brought 54 to 11 ms: NOTES 20")
LONG_K = enter("LONG_K", 256, "steps of k", "from which length packing A pays")
WORTH_PACKING_A = enter("WORTH_PACKING_A", 2, "panels", "how many panels must read the same A for packing it to pay")
REPACK_ROWS = enter("REPACK_ROWS", 160, "rows", "how high blocks of rows are at least, since each of them packs its panel again",
                    "NOTES 5: blocks that were too low made LeNet's weight gradient slower")
ENOUGH_BLOCKS = enter("ENOUGH_BLOCKS", 12, "blocks", "how many units of work keep a few threads evenly busy")
BLOCK_MULTIPLIES = enter("BLOCK_MULTIPLIES", 150_000, "multiply-adds", "the size of a block of a contraction")
WAY = enter("WAY", 4096, "bytes", "the distance at which addresses share a set of the first-level cache", "derived: 64 sets of 64 bytes")
WAYS = enter("WAYS", 8, "lines", "how many lines one of its sets holds: how many rows a tile has", "derived: 8 ways; the effect, 5.8 to 8 "
             "times: NOTES 17")
CHEAP_EPILOGUE = enter("CHEAP_EPILOGUE", 8, "instructions", "up to which cost an epilogue is unrolled for every register of a tile")

# ---------------------------------------------------------------------- programs
THREAD_WORK = enter("THREAD_WORK", 300_000, "element steps", "from which size a program runs on several threads",
                    "chosen; waking a second thread cost about 90 us: NOTES 7")
SHARED_WORK = enter("SHARED_WORK", 4096, "element steps", "from which size of a kernel threads share a phase")
PHASES_IN_FUNCTION = enter("PHASES_IN_FUNCTION", 32, "phases", "where a program is divided into functions, as LLVM's time grows faster "
                           "than their length", "NOTES 12: 6,000 kernels 20.7 to 1.7 s, together with PART")
SMALL_PROGRAM = enter("SMALL_PROGRAM", 50_000, "element steps", "up to which size of a program lanes are loaded and stored one by one",
                      "NOTES 11: larger programs compile longer and gain nothing")
SCALARIZED = enter("SCALARIZED", 512, "lanes of a kernel", "how many lanes are loaded and stored one by one", "chosen; the effect, 954 to "
                   "293 ns: NOTES 11")
BEST_FIT_BUFFERS = enter("BEST_FIT_BUFFERS", 1000, "buffers", "from which number on only the faster order of the memory plan is tried")
PART = enter("PART", 60_000, "characters", "the size of the parts of LLVM text that are translated at once", "NOTES 12")
