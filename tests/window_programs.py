"""Random convolutions, poolings and windows with gradients, for each instruction set: `python -m tests.window_programs --help`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from native_graphs import Processor, compile_nodes, processors

from slopes.autodiff.pullback import pull_back
from slopes.errors import SlopesError
from slopes.graph.build import build, variable
from slopes.graph.node import Node
from slopes.machine.reference import evaluate
from slopes.ops import composite as c
from slopes.settings import INSTRUCTION_SETS

LIMIT = 200_000  # products of one program, so that its reference is quick
KINDS = ("convolution", "convolution", "transposed", "max_pool", "avg_pool", "window")


@dataclass(frozen=True)
class Program:
    """One random program: values and gradients, its inputs, and what it is in words."""

    text: str
    roots: list[Node]
    env: dict[Node, np.ndarray]


class Draw:
    """Draws programs; a seed and a number name one of them for good."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = np.random.default_rng([seed, number])

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def per_axis(self, axes: int, low: int, high: int) -> tuple[int, ...]:
        """A number for each axis; the lowest one half of the time."""
        return tuple(self.integer(low, high) if self.integer(0, 1) else low for _ in range(axes))

    def program(self) -> Program:
        """The first drawn program that is valid and small."""
        while True:
            kind, axes = KINDS[self.integer(0, len(KINDS) - 1)], self.integer(1, 3)
            dtype = np.dtype("float64" if self.integer(0, 1) else "float32")
            lengths = tuple(self.integer(1, 17 if axes < 3 else 7) for _ in range(axes))
            size, stride, dilation = (self.per_axis(axes, 1, most) for most in (5, 4, 3))
            padding = tuple(zip(self.per_axis(axes, 0, 3), self.per_axis(axes, 0, 3)))
            try:
                built = getattr(self, kind)(axes, lengths, dtype, size=size, stride=stride, dilation=dilation, padding=padding)
            except SlopesError:
                continue  # a window that does not fit
            if built is not None:
                return self.with_gradients(*built)

    def convolution(self, axes, lengths, dtype, *, size, **options):
        return self.with_weights(c.convolution, axes, lengths, dtype, size, options, False)

    def transposed(self, axes, lengths, dtype, *, size, stride, dilation, padding):
        options = {"stride": stride, "dilation": dilation, "padding": padding,
                   "output_padding": tuple(self.integer(0, max(s, d) - 1) for s, d in zip(stride, dilation))}
        return self.with_weights(c.transposed_convolution, axes, lengths, dtype, size, options, True)

    def with_weights(self, function, axes, lengths, dtype, size, options, transposed):
        groups = self.integer(1, 3) if self.integer(0, 2) == 0 else 1
        inputs, outputs, batch = self.integer(1, 5), self.integer(1, 9), self.integer(0 if self.integer(0, 9) == 0 else 1, 4)
        if batch * groups * inputs * outputs * np.prod(lengths) * np.prod(size) > LIMIT:
            return None
        x = variable((batch, groups * inputs, *lengths), dtype)
        w = variable((groups * inputs, outputs, *size) if transposed else (groups * outputs, inputs, *size), dtype)
        text = f"{function.__name__} {dtype} x {x.shape} w {w.shape} groups {groups} {options}"
        return text, function(x, w, groups=groups, **options), [x, w]

    def max_pool(self, axes, lengths, dtype, *, size, stride, dilation, padding):
        padding = tuple((min(a, k // 2), min(b, k // 2)) for (a, b), k in zip(padding, size))
        return self.pooled(c.max_pool, lengths, dtype, size, {"stride": stride, "dilation": dilation, "padding": padding})

    def avg_pool(self, axes, lengths, dtype, *, size, stride, dilation, padding):
        padding = tuple((min(a, k // 2), min(b, k // 2)) for (a, b), k in zip(padding, size))
        return self.pooled(c.avg_pool, lengths, dtype, size,
                           {"stride": stride, "padding": padding, "count_include_pad": bool(self.integer(0, 1))})

    def pooled(self, function, lengths, dtype, size, options):
        x = variable((self.integer(0 if self.integer(0, 9) == 0 else 1, 3), self.integer(1, 4), *lengths), dtype)
        return f"{function.__name__} {dtype} x {x.shape} size {size} {options}", function(x, size, **options), [x]

    def window(self, axes, lengths, dtype, *, size, stride, dilation, padding):
        x = variable((self.integer(1, 3), *lengths), dtype)
        padded = build("pad", x, widths=((0, 0), *padding), value=0)
        options = {"axes": tuple(range(1, axes + 1)), "size": size, "stride": stride, "dilation": dilation}
        y = build("window", padded, **options)
        return (f"window {dtype} x {x.shape} padding {padding} {options}", y, [x]) if y.size <= LIMIT else None

    def with_gradients(self, text: str, y: Node, inputs: list[Node]) -> Program:
        """The value and its gradients; whole numbers, so that float32 sums are exact in any order."""
        g = variable(y.shape, y.dtype)
        env = {node: self.rng.integers(-4, 5, node.shape).astype(node.dtype) for node in (*inputs, g)}
        return Program(text, [y, *pull_back([y], [g], inputs)], env)


def difference(program: Program, processor: Processor, threads: int = 1) -> str:
    """What is wrong with a program compiled for a processor; "" when nothing is."""
    expected = evaluate(program.roots, program.env)
    results = compile_nodes(program.roots, processor=processor, poison=True).run(program.env, threads)
    for which, ours, exact in zip(("value", "gradient of x", "gradient of w"), results, expected):
        bound = 1e-4 * max(1, np.abs(exact).max(initial=0))  # Winograd and means round
        wrong = ~(np.abs(ours - exact) <= bound)
        if wrong.any():
            return f"{which}: {int(wrong.sum())} of {wrong.size} elements are wrong, e.g. {ours[wrong][0]} for {exact[wrong][0]}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.window_programs", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compile random convolutions, poolings and windows with their gradients; compare with the reference interpreter.",
        epilog="examples:\n  python -m tests.window_programs --count 5000 --seed 1\n  python -m tests.window_programs --seed 1 --only 1234")
    parser.add_argument("--count", type=int, default=1000, help="how many programs (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one program to run again")
    parser.add_argument("--sets", nargs="+", choices=INSTRUCTION_SETS, default=INSTRUCTION_SETS,
                        help="instruction sets (default: all that run here)")
    options = parser.parse_args()
    chosen = {name: processor for name, processor in processors().items() if name in options.sets}
    numbers = range(options.count) if options.only is None else [options.only]
    failures = 0
    for done, number in enumerate(numbers, 1):
        program = Draw(options.seed, number).program()
        for name, processor in chosen.items():
            problem = difference(program, processor, threads=1 + number % 2)
            if problem:
                failures += 1
                print(f"\nprogram {number} of seed {options.seed}, {name}: {program.text}\n  {problem}", flush=True)
        if sys.stderr.isatty() or done % 250 == 0:
            print(f"\r{done} of {len(numbers)} programs, {failures} differences", end="", file=sys.stderr, flush=True)
    print(f"\n{len(numbers)} programs for {', '.join(chosen)}: {failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
