"""Compiled programs touch nothing beside their buffers: arguments, results, state and intermediate values, at either end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from guards import PAGE, SIDES, Block

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no mprotect")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, as a guard page that is touched ends it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("side", SIDES)
def test_programs_of_all_kinds_and_types_touch_nothing_beside_their_buffers(side):
    ran = run(str(HERE / "guarded_programs.py"), side)
    assert (ran.returncode, ran.stdout) == (0, f"unharmed: {side}\n"), ran.stderr


@pytest.mark.parametrize("side, place", [("behind", 3), ("before", -1), ("behind", -PAGE), ("before", PAGE)])
def test_a_guard_ends_the_process_that_touches_it(side, place):
    ran = run("-c", f"import ctypes; from guards import Block; b = Block(3, {side!r}); ctypes.string_at(b.address + {place}, 1)")
    assert ran.returncode < 0


def test_an_empty_block_has_no_byte_that_may_be_touched():
    assert run("-c", "import ctypes; from guards import Block; ctypes.string_at(Block(0).address, 1)").returncode < 0


@pytest.mark.parametrize("side, place", [("behind", 0), ("before", -1)])
def test_a_byte_that_was_written_beside_a_block_is_seen(side, place):
    block = Block(5, side)
    block.bytes[:] = 0
    assert block.unharmed
    block._inside[place] = 0
    assert not block.unharmed
