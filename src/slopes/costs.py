"""Every constant of the compiler's cost model in one table: its value, unit, what it decides, and what it is based on.

A basis of "chosen" means that no measurement of the value itself is on record. "NOTES n" is section n of benchmarks/NOTES.md; all of
these measurements were taken in November 2026 on the processor that section 2 names, an AMD EPYC (Zen 4), with AVX-512.
"derived" follows from a property of the hardware or of the number format. `python -m benchmarks calibrate`
measures those that a machine can be asked for, and says which differ; to calibrate for another machine, change values here.
`table()` returns all of them by name.
"""

from __future__ import annotations

import sys
from typing import Annotated, NamedTuple, get_type_hints


class Cost(NamedTuple):
    """What a constant means: `decides` completes the sentence "this value decides ...", `basis` says where it comes from."""

    unit: str
    decides: str
    basis: str = "chosen"


# ---------------------------------------------------------------------- graph passes
FOLDED: Annotated[int, Cost("elements", "up to which size operations on constants are carried out when a graph is compiled")] = 1024
MAXIMUM_PADS: Annotated[int, Cost("terms", "how many padded terms of one sum are joined")] = 16
LONGEST_PRODUCT: Annotated[int, Cost("factors", "how long a product may be whose factors are taken out of a sum")] = 8
OFTEN: Annotated[int, Cost(
    "rows taken for each row of the table", "whether a table is multiplied before rows of it are taken",
    "chosen; the gain in the case that it was made for: NOTES 26")] = 2
WIDE: Annotated[int, Cost("numbers in a row", "from which width a product costs more than taking or adding one more row")] = 16
WASTE: Annotated[float, Cost(
    "multiplications for each one needed",
    "when an input gradient is multiplied first and its windows added afterwards, instead of convolving a padded gradient",
    "chosen; at 2.25 adding afterwards was faster: NOTES 4")] = 1.8
OVERLAP: Annotated[int, Cost("multiplications", "the price of adding one element of a window to its position in the result")] = 30
WORTH_ROUNDING: Annotated[float, Cost("times fewer products", "whether tiles with more points, and larger errors, are used")] = 1.2
TILE_BYTES: Annotated[int, Cost(
    "bytes", "how many transformed tiles are made and used before the next ones",
    "chosen; parts of 12 MB were as fast as all at once: NOTES 23")] = 20 << 20
CACHED_TILES: Annotated[int, Cost(
    "bytes", "how many transformed tiles a thread makes and uses at a time, so that they stay in its second-level cache",
    "chosen; the gain of working part by part: NOTES 36")] = 640 << 10
FILTER_READ: Annotated[int, Cost(
    "multiplications", "the price of reading one element of transformed filters: whether few tiles get smaller ones")] = 6
TRANSFORM: Annotated[float, Cost(
    "multiplications",
    "the price of one element of a tile that changes its coordinates, each way: whether a convolution is computed in fewer products",
    "chosen; 32 channels gain and 16 do not: NOTES 23")] = 28.0

# ---------------------------------------------------------------------- fusion
CHEAP: Annotated[int, Cost("instructions", "up to which cost a value that is used in several kernels is computed again in each")] = 4
SCALAR: Annotated[int, Cost("instructions", "up to which cost a single number is computed again by each kernel that reads it")] = 16
MAXIMUM_DEPTH: Annotated[int, Cost("nested expressions", "the depth of one kernel: bounds recursion and register pressure")] = 24
MAXIMUM_HEIGHT: Annotated[int, Cost("values, each computed from the one before", "the height of one kernel: bounds recursion")] = 64
MAXIMUM_COST: Annotated[int, Cost("instructions", "the inlined expression of one kernel: bounds the time to compile it")] = 400
MAXIMUM_STORES: Annotated[int, Cost("stores", "how many values one kernel writes")] = 8
MAXIMUM_NODES: Annotated[int, Cost("nodes", "how large the groups are that are still joined")] = 24
LOOK_BACK: Annotated[int, Cost("kernels", "how many earlier kernels are considered for sharing loops")] = 32

# ---------------------------------------------------------------------- loop nests
BLOCK_WORK: Annotated[int, Cost("element steps", "the size of the blocks that threads take: some microseconds each")] = 16384
MAXIMUM_BLOCKS: Annotated[int, Cost("blocks", "into how many blocks a kernel is divided at most")] = 64
SCATTERED: Annotated[int, Cost(
    "times the price of a neighbouring lane",
    "the price of a lane that is not next to its neighbour in memory: which loop runs along the lanes",
    "chosen; without it loops were vectorized with gathers: NOTES 3")] = 10
SHARED_ACCESS: Annotated[float, Cost("times the price of a neighbouring lane", "the price of one element that serves all lanes")] = 0.5
REPEATED_ACCESS: Annotated[float, Cost(
    "times the price of a neighbouring lane", "the price of elements that a few neighbouring lanes share")] = 2.0
STRIDED_ACCESS: Annotated[float, Cost(
    "times the price of a neighbouring lane", "the price of every second element, or of elements backwards, which are shuffled")] = 3.0
FAR_SCATTERED: Annotated[float, Cost(
    "times the price of a neighbouring lane", "the price of a lane that is FAR_STRIDE elements or more from its neighbour")] = 20.0
FAR_STRIDE: Annotated[int, Cost("elements", "from which distance on the lanes of an access are far from each other")] = 64
JOINED_LANES: Annotated[float, Cost("steps for each halving", "the price of joining the lanes of a reduction when it is done")] = 2.0
SUM_VECTORS: Annotated[int, Cost(
    "vectors", "how many vectors of sums a reduction along the lanes keeps, so that none waits for the one before")] = 4
STEP_BYTES: Annotated[int, Cost(
    "bytes", "how much memory of its own a thread takes at most for the steps of a loop that need nothing of each other")] = 4 << 20
STEP_INSTRUCTIONS: Annotated[int, Cost("instructions", "how much of an expression counts as one element step")] = 4
SPLIT_WORK: Annotated[int, Cost(
    "element steps", "from which size a reduction to few elements is done in parts",
    "chosen; a product of 100,352 steps was slower in four parts: NOTES 25")] = 131_072
PART_WORK: Annotated[int, Cost("element steps", "the size of such a part")] = 32_768
SPLIT_ELEMENTS: Annotated[int, Cost(
    "elements", "from how many results on a reduction has enough of them to share, and is not done in parts")] = 256
ROWS: Annotated[int, Cost(
    "rows", "how many rows of a matrix are multiplied with a vector at once",
    "NOTES 25: 0.47 to 0.43 ms for an LSTM at batch 1, 6.4 to 5.8 us for an MLP")] = 4
ROW_VECTORS: Annotated[int, Cost("vectors", "how long rows are at least for ROWS of them to be taken at once")] = 4
ACCUMULATORS: Annotated[int, Cost("vectors", "how many sums stay in registers while rows share what they read")] = 16
SIBLING_WORK: Annotated[int, Cost("element steps", "from which size reductions over the same loops become one kernel")] = 4096
SIBLING_REACH: Annotated[int, Cost("kernels", "how many earlier kernels are searched for a sibling")] = 12
MOST_SIBLINGS: Annotated[int, Cost("reductions", "how many siblings join the first reduction of a kernel")] = 3
UNROLLED: Annotated[int, Cost("instructions", "up to which size the inner loops of a reduction are unrolled")] = 192
SUM_CHUNK: Annotated[int, Cost(
    "terms", "how many float32 terms are added before their sum is added in float64",
    "derived: bounds the error by 128 units in the last place of the sum of magnitudes")] = 128
FEW_ELEMENTS: Annotated[int, Cost("element steps", "up to which size a kernel counts as scalar work and runs as early as it can")] = 64
UPDATE_COLUMNS: Annotated[int, Cost(
    "elements", "how many elements of a row are added to a table at once", "NOTES 26: adding up rows 2.6 to 0.5 ms")] = 256
UPDATE_SHARES: Annotated[int, Cost("pieces", "into how many pieces such a row is divided at least")] = 4
SCALAR_BLOCK: Annotated[int, Cost("element steps", "the size of a block of a kernel that works element by element")] = 4096
FILLED_LANES: Annotated[float, Cost(
    "of all lanes", "how much of a vector one axis must fill; with less, several short axes share the lanes")] = 0.75

# ---------------------------------------------------------------------- contractions
SMALL_PRODUCT: Annotated[int, Cost("multiply-adds", "up to which size a contraction is a plain reduction, which compiles faster")] = 16384
FEW_COLUMNS: Annotated[int, Cost("rows or columns", "below which size of its shorter side a product is a plain reduction")] = 4
FEW_ROWS: Annotated[int, Cost("rows or columns", "below which size of its longer side a product is a plain reduction")] = 8
MOST_VECTORS: Annotated[int, Cost("vectors", "how wide a tile is at most")] = 4
TILE_STEP: Annotated[float, Cost("cycles", "what a step of k costs beside its arithmetic")] = 0.75
TILE_LATENCY: Annotated[float, Cost(
    "products", "the least that a step of k takes, as a multiply-add waits for the one before",
    "derived: a multiply-add takes four cycles, and two begin in each")] = 8.0
BROADCAST: Annotated[float, Cost("cycles", "the price of reading one element of A into all lanes")] = 0.5
NEON_BROADCAST: Annotated[float, Cost(
    "products", "the price of reading one element of A on 64-bit ARM, where no product reads memory itself",
    "derived: a load for each product on Neoverse N1, three for four on Neoverse V1 and Apple M1")] = 1.0
NEON_TILE_LATENCY: Annotated[float, Cost(
    "products", "the least that a step of k takes on 64-bit ARM, as a multiply-add waits for the one before",
    "derived: four cycles with four products in each on Neoverse V1 and Apple M1")] = 16.0
NEON_SUMS: Annotated[int, Cost(
    "vectors", "how many of the 32 registers of 64-bit ARM are a tile's sums at most",
    "derived: with 26 or more, LLVM 22 keeps registers of some tiles in memory")] = 24
NARROW_TILE: Annotated[float, Cost(
    "times the price of a product", "the price of a tile one vector wide, which loads for each product")] = 1.15
BETTER_TILE: Annotated[float, Cost("of the cycles of the best so far", "how much better a narrower tile must be to be taken")] = 0.999
PACK_COPIED: Annotated[float, Cost("cycles", "the price of packing a run of neighbours, divided by the length of the run")] = 2.0
PACK_TRANSPOSED: Annotated[float, Cost("cycles", "the price of packing an element whose neighbours lie along k")] = 0.4
PACK_GATHERED: Annotated[float, Cost("cycles", "the price of packing an element without neighbours")] = 1.2
PACK_COMPUTED: Annotated[float, Cost("cycles", "the price of packing an element that is computed")] = 1.0
LAID_OUT: Annotated[float, Cost("cycles", "the price of writing an element of A that is computed before the tiles run")] = 1.0
PANEL_VECTORS: Annotated[float, Cost(
    "vectors", "how wide a panel of neighbours is enough; narrower ones take in elements from elsewhere")] = 1.5
IN_PLACE_TILES: Annotated[int, Cost("tiles", "up to how many tiles read a panel where it lies, instead of packing it")] = 6
POINTERS: Annotated[int, Cost(
    "rows", "how many unevenly spaced rows of a tile have a pointer in a register each",
    "derived: x86-64 has 15 registers for addresses; the effect: NOTES 5")] = 12
UNEVEN: Annotated[float, Cost("times the price of a tile", "the price of unevenly spaced rows, up to POINTERS of them")] = 1.1
FAR_UNEVEN: Annotated[float, Cost("times the price of a tile", "the price of more unevenly spaced rows than POINTERS")] = 1.5
SCATTER: Annotated[float, Cost(
    "cycles", "the price of storing an element that is not next to its neighbour", "NOTES 5: predicted 70 and measured 75 GFLOP/s")] = 2.5
LONGEST_PANEL: Annotated[int, Cost("steps of k", "the length of a packed panel, which must stay in the second-level cache")] = 4096
PAGE_STRIDE: Annotated[int, Cost(
    "bytes", "from which distance between steps of k packing A pays",
    "chosen; at 4096 copying brought 54 to 11 ms: NOTES 20; at 1024 6.9 to 3.3 ms with AVX2: NOTES 34")] = 512
LONG_K: Annotated[int, Cost("steps of k", "from which length packing A pays")] = 128
WORTH_PACKING_A: Annotated[int, Cost("panels", "how many panels must read the same A for packing it to pay")] = 2
PACKED_STEPS: Annotated[int, Cost(
    "steps of k", "how many lines of A are read at once when it is packed: on pages of their own they share a set of the cache")] = 16
REPACK_ROWS: Annotated[int, Cost(
    "rows", "how high blocks of rows are at least, since each of them packs its panel again",
    "NOTES 5: blocks that were too low made LeNet's weight gradient slower")] = 160
REPACK_TILES: Annotated[int, Cost("tiles", "how many tiles high such blocks are at least")] = 8
ENOUGH_BLOCKS: Annotated[int, Cost("blocks", "how many units of work keep a few threads evenly busy")] = 12
BLOCK_MULTIPLIES: Annotated[int, Cost("multiply-adds", "the size of a block of a contraction")] = 150_000
SPLIT_MULTIPLIES: Annotated[int, Cost(
    "multiply-adds", "from which size the sum of a contraction of few blocks is divided into parts")] = 600_000
SHORTEST_PART: Annotated[int, Cost("steps of k", "how long such a part is at least")] = 128
EVEN_PART: Annotated[float, Cost(
    "of the length of a part", "down to which length parts are shortened for all of them to be equally long")] = 2 / 3
WAY: Annotated[int, Cost(
    "bytes", "the distance at which addresses share a set of the first-level cache", "derived: 64 sets of 64 bytes")] = 4096
WAYS: Annotated[int, Cost(
    "lines", "how many lines one of its sets holds: how many rows a tile has", "derived: 8 ways; the effect, 5.8 to 8 times: NOTES 17")] = 8
LINE: Annotated[int, Cost(
    "bytes", "how much memory one prefetch brings near", "derived: a cache line of x86-64 and most ARM processors")] = 64
PREFETCHED: Annotated[int, Cost(
    "bytes", "from which size on what an epilogue reads and writes is not expected in the second-level cache",
    "chosen: half of such a cache; the effect: NOTES 34")] = 1 << 18
PREFETCHED_RUN: Annotated[int, Cost(
    "bytes", "from which length on a tile's rows in the result are fetched well enough without prefetches",
    "NOTES 34: with rows of 64 bytes 5% of a step, of 128 bytes nothing")] = 128
PREFETCHED_STEPS: Annotated[int, Cost("steps of k", "from which number on a tile takes as long as a fetch from memory")] = 32
CHEAP_EPILOGUE: Annotated[int, Cost("instructions", "up to which cost an epilogue is unrolled for every register of a tile")] = 8

# ---------------------------------------------------------------------- programs
THREAD_WORK: Annotated[int, Cost(
    "element steps", "from which size a program runs on several threads",
    "chosen; waking a second thread cost about 90 us: NOTES 7")] = 300_000
SHARED_WORK: Annotated[int, Cost("element steps", "from which size of a kernel threads share a phase")] = 4096
PHASES_IN_FUNCTION: Annotated[int, Cost(
    "phases", "where a program is divided into functions, as LLVM's time grows faster than their length",
    "NOTES 12: 6,000 kernels 20.7 to 1.7 s, together with PART")] = 32
SMALL_PROGRAM: Annotated[int, Cost(
    "element steps", "up to which size of a program lanes are loaded and stored one by one",
    "NOTES 11: larger programs compile longer and gain nothing")] = 50_000
SCALARIZED: Annotated[int, Cost(
    "lanes of a kernel", "how many lanes are loaded and stored one by one", "chosen; the effect, 954 to 293 ns: NOTES 11")] = 512
BEST_FIT_BUFFERS: Annotated[int, Cost("buffers", "from which number on only the faster order of the memory plan is tried")] = 1000
PART: Annotated[int, Cost("characters", "how much LLVM code of small kernels is translated at once", "NOTES 12")] = 60_000
LARGE_KERNEL: Annotated[int, Cost(
    "characters of LLVM code", "from which size a kernel is translated on its own",
    "chosen; a translation costs 3 ms beside the code's, and 12,000 characters take 10 ms")] = 12_000
KEPT_CODE: Annotated[int, Cost("characters of LLVM code", "from which size translated kernels are kept for other programs")] = 6_000
CALL_WORK: Annotated[int, Cost(
    "element steps", "up to which average work of a kernel LLVM's passes run over the code that calls the kernels",
    "chosen; they took 16% (GPT) to 25% (ResNet-20) of a compilation, and gain some nanoseconds for each call")] = 20_000
OPTIMIZED_PHASES: Annotated[int, Cost("phases", "up to which length of a program they do")] = 128

# ---------------------------------------------------------------------- running
QUEUES: Annotated[int, Cost(
    "queues", "into how many queues the blocks of a phase are divided at most: one for each thread, or each few of them",
    "chosen; a thread that has done its own looks into all of them")] = 16
SPINS: Annotated[int, Cost("rounds", "how often a barrier looks before it lets other programs run")] = 4000
NAP: Annotated[int, Cost("rounds of a waiting loop", "what the shortest sleep counts as")] = 2000
AWAKE: Annotated[float, Cost("seconds", "how long a helper looks for work before it sleeps")] = 60e-6
POLL: Annotated[int, Cost("microseconds", "after what time a sleeping helper of the portable entry looks for work again")] = 200
WAKE_TIME: Annotated[float, Cost(
    "seconds", "in which time the system wakes a thread if it has a processor for it",
    "chosen; waking a second thread cost about 90 us: NOTES 7")] = 1e-4
WORK_TIME: Annotated[float, Cost("seconds for each element step", "how long a thread is waited for: no processor is faster")] = 3e-11
CROWDED: Annotated[int, Cost("times the usual time", "how slow a run is that other programs have held up")] = 2
STALL: Annotated[float, Cost("seconds", "how much longer than that it took at least")] = 5e-4
SLOWER: Annotated[float, Cost("times the usual time for each run", "how fast a program's usual time is forgotten")] = 1.01
LONGEST_BACKOFF: Annotated[int, Cost("times the time lost", "for how long fewer threads run at most, after runs that were held up")] = 32
FIRST_TRIAL: Annotated[int, Cost(
    "steps", "after how many a program tries another number of threads", "chosen; a trial costs some percent of these steps at most")] = 100
LONGEST_INTERVAL: Annotated[int, Cost("steps", "between two trials, when nothing changed in many")] = 6400
TRIAL_RUNS: Annotated[int, Cost("runs", "how many a trial takes: the first has to wake threads and to fetch what others wrote")] = 3
TRIAL_STEPS: Annotated[int, Cost("steps", "how many each of these runs does, where there are more to do")] = 4
HOPELESS: Annotated[float, Cost("times the usual time", "when a trial ends at once")] = 3.0
WORTH_FEWER: Annotated[float, Cost("times the usual time", "how fast fewer threads must be")] = 0.95
LARGE_ARENA: Annotated[int, Cost(
    "bytes", "from which size of an arena on unused memory is tidied up first, which takes milliseconds")] = 1 << 25
DRAW_BLOCK: Annotated[int, Cost(
    "words", "how many random bits a large draw takes from the program at once: those of a normal number in float64 must stay in the "
    "second-level cache", "chosen; half as many were slower, twice as many no faster")] = 1 << 15
REPLAY_FOLDED: Annotated[int, Cost(
    "elements", "up to which size a value that depends on no input is computed once for all replays of an eager step")] = 1 << 14


def table() -> dict[str, tuple[float, Cost]]:
    """The value and the meaning of each constant, by its name.

    >>> value, meaning = table()["FOLDED"]
    >>> value, meaning.unit
    (1024, 'elements')
    """
    module = sys.modules[__name__]
    hints = get_type_hints(module, include_extras=True)
    return {name: (getattr(module, name), hint.__metadata__[0]) for name, hint in hints.items()}
