"""A seeded sample of random convolutions, poolings and windows, by turns for every instruction set that runs here."""

from __future__ import annotations

import re

import numpy as np
import pytest
from native_graphs import plan, processors
from window_programs import Draw, difference

from slopes.graph.build import build, variable
from slopes.loops.target import TARGETS

SAMPLE = 60


@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_window_program_and_its_gradients_equal_the_reference(number):
    program = Draw(0, number).program()
    every = list(processors().items())
    for name, processor in every if number % 10 == 0 else [every[number % len(every)]]:
        assert difference(program, processor, threads=1 + number % 2) == "", f"{name}: {program.text}"


def test_a_strided_gradient_whose_masks_are_partly_known():
    """LLVM 22 reads elements that the mask leaves out when it splits such a masked load for AVX2 itself."""
    windows = variable((5, 5, 3, 1), np.dtype("float64"))
    order = build("permute", windows, axes=(2, 3, 0, 1))
    total = build("unwindow", order, axes=(0, 1), size=(5, 5), stride=(1, 3), dilation=(2, 2), lengths=(11, 10))
    for name, target in TARGETS.items():
        wide = re.findall(r"llvm\.masked\.load\.v(\d+)f64", plan([total], target=target)[0].text)
        assert wide and all(8 * int(lanes) <= 4 * target.lanes for lanes in wide), name
