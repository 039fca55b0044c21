"""The results of a loop lie in flat rows of segments: each rule of ops/segments.py, which all that works on loops keeps to."""

from __future__ import annotations

import numpy as np
import pytest

from slopes.autodiff.pullback import pull_back
from slopes.errors import ArgumentError
from slopes.graph.body import Body
from slopes.graph.build import build, variable
from slopes.graph.node import Node
from slopes.graph.walk import topological
from slopes.loops.kernels import Loop
from slopes.machine.reference import evaluate
from slopes.ops.scan import Scan
from slopes.ops.segments import entries, entry, extent, loop_key, segments
from slopes.passes.dead_outputs import eliminate_dead_scan_outputs
from tests.native_graphs import plan

FLOAT, INT = np.dtype("float32"), np.dtype("int32")
LENGTH = 3


def counting_loop(kept: bool = True, reverse: bool = False) -> tuple[Node, Node, Body, Node, Node]:
    """(start, sequence, body, float row, int row): a running total; of each step the element doubled, and whether it is above 1."""
    total, x = variable((2,), FLOAT, "total"), variable((2,), FLOAT, "x")
    body = Body([total, x], [total + x, build("cast", x > 1.0, dtype=INT), x * 2.0])
    start, sequence = variable((2,), FLOAT, "start"), variable((LENGTH, 2), FLOAT, "sequence")
    rows = (Scan.make(start, sequence, body=body, carries=1, moving=1, length=LENGTH, reverse=reverse, kept=(kept,), dtype=dtype)
            for dtype in (FLOAT, INT))
    return (start, sequence, body, *rows)


def test_nodes_that_differ_in_type_alone_are_one_loop_that_runs_once():
    start, _, body, floats, ints = counting_loop()
    assert floats is not ints and loop_key(floats) == loop_key(ints)
    assert loop_key(floats) != loop_key(Scan.make(start, variable((LENGTH, 2), FLOAT), **floats.params))
    state, above, _ = segments(body, 1, LENGTH, (True,))
    program, *_ = plan([entries(floats, state), entries(ints, above)], passes=False)
    assert sum(isinstance(kernel, Loop) for phase in program.phases for kernel in phase) == 1


def test_segments_stand_in_the_order_of_the_outputs_type_by_type():
    _, _, body, floats, ints = counting_loop()
    state, above, doubled = segments(body, 1, LENGTH, (True,))
    assert [(part.start, part.count, part.shape, part.dtype) for part in (state, above, doubled)] == [
        (0, LENGTH + 1, (2,), FLOAT), (0, LENGTH, (2,), INT), (state.stop, LENGTH, (2,), FLOAT)]
    assert (floats.shape, ints.shape) == ((doubled.stop,), (above.stop,))
    assert extent([state, above, doubled], FLOAT) == doubled.stop == 14


def test_a_carry_has_all_its_states_if_it_is_kept_and_else_the_last():
    _, _, body, *_ = counting_loop()
    assert [part.count for part in segments(body, 1, LENGTH, (True,))] == [LENGTH + 1, LENGTH, LENGTH]
    assert [part.count for part in segments(body, 1, LENGTH, (False,))] == [1, LENGTH, LENGTH]
    values = []
    for kept in (True, False):
        start, sequence, body, floats, _ = counting_loop(kept)
        state = segments(body, 1, LENGTH, (kept,))[0]
        env = {start: np.zeros(2, FLOAT), sequence: np.arange(6, dtype=FLOAT).reshape(LENGTH, 2)}
        values.append(evaluate([entry(floats, state, state.count - 1)], env)[0].tolist())
    assert values == [[6.0, 9.0]] * 2


@pytest.mark.parametrize("reverse, states", [(False, [0, 0, 2, 6]), (True, [0, 4, 6, 6])])
def test_states_stand_in_the_order_of_steps_and_outputs_in_that_of_elements(reverse, states):
    start, sequence, body, floats, ints = counting_loop(reverse=reverse)
    state, above, doubled = segments(body, 1, LENGTH, (True,))
    env = {start: np.zeros(2, FLOAT), sequence: np.arange(6, dtype=FLOAT).reshape(LENGTH, 2)}
    found = evaluate([entries(floats, state), entries(ints, above), entries(floats, doubled)], env)
    assert [each[:, 0].tolist() for each in found] == [states, [0, 1, 1], [0, 4, 8]]


def loops(roots: list[Node]) -> list[Node]:
    return [node for node in topological(roots) if node.op is Scan]


def test_segments_that_no_slice_touches_are_dropped_and_a_row_that_is_read_whole_keeps_them():
    _, _, body, floats, _ = counting_loop()
    doubled = segments(body, 1, LENGTH, (True,))[2]
    smaller, = loops(eliminate_dead_scan_outputs([entries(floats, doubled)]))
    assert len(smaller.params["body"].outputs) == 1 and smaller.params["carries"] == 0
    across = build("slice", floats, start=(6,), stop=(10,), step=(1,))  # from one segment into the next
    for root in (build("exp", floats), floats, across):
        assert loops(eliminate_dead_scan_outputs([root])) == [floats]


def test_states_that_nobody_reads_are_dropped_but_for_the_last():
    _, _, body, floats, _ = counting_loop()
    last, = eliminate_dead_scan_outputs([entry(floats, segments(body, 1, LENGTH, (True,))[0], LENGTH)])
    smaller, = loops([last])
    assert smaller.params["kept"] == (False,) and smaller.shape == (2,)


def test_a_loop_is_differentiated_while_all_its_states_are_kept():
    for kept in (True, False):
        start, _, body, floats, _ = counting_loop(kept)
        last = segments(body, 1, LENGTH, (kept,))[0]
        root = entry(floats, last, last.count - 1)
        if kept:
            gradient, = pull_back([root], [variable(root.shape, FLOAT)], [start])
            assert gradient is not None and gradient.shape == start.shape
        else:
            with pytest.raises(ArgumentError, match="a loop that keeps only its last states has no derivative"):
                pull_back([root], [variable(root.shape, FLOAT)], [start])
