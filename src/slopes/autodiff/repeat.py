"""Builds loops over time that repeat only what depends on the previous step.

Given the graph of one step, this

* hoists: products of this step's input alone are taken before the loop, for all steps at once;
* sinks: products that no later step asks for are taken after the loop, for all steps at once;
* sums afterwards: the gradient of a weight is a sum over steps of products, that is one product over steps and batch;
* keeps what a derivative will need: the results of products, and the states. Elementwise values are recomputed.

All of these are the same sums in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..graph.body import Body
from ..graph.build import Constant, Variable, build_node, constant, variable
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.walk import substitute, topological, users
from ..ops.contract import Contract
from ..ops.elementwise import Add
from ..ops.fill import zeros_like
from ..ops.reduce import Sum
from ..ops.segments import Segment, entries, entry, segments
from .batching import along, batch
from .pullback import pull_back


@dataclass
class Step:
    """The graph of one step, from the carries and this step's inputs (variables) to new carries, outputs and terms of sums.

    All other leaves are values from outside, the same in every step.
    """

    carries: list[Node]
    inputs: list[Node]
    states: list[Node]  # the new carries
    outputs: list[Node]
    terms: list[Node] = field(default_factory=list)  # to be added up over all steps


def repeat(step: Step, starts: Sequence[Node], sequences: Sequence[Node], length: int,
           reverse: bool = False) -> tuple[list[Node], list[Node], list[Node]]:
    """(last states, outputs stacked along a first axis, sums of terms) of a loop over the first axis of `sequences`."""
    closed, stand_ins = close(step, starts, sequences)
    count = len(starts)
    loop = _Loop(closed, [stand_ins[node] for node in starts], [stand_ins[node] for node in sequences], length, reverse)
    loop.hoist()
    totals = [loop.total(term) for term in closed.terms]
    outputs = [loop.want(node) for node in closed.outputs]
    loop.build()
    results = [*(loop.last(i) for i in range(count)), *(get() for get in (*outputs, *totals))]
    results = substitute(results, {variable: actual for actual, variable in stand_ins.items()})
    return results[:count], results[count:count + len(outputs)], results[count + len(outputs):]


def close(step: Step, starts: Sequence[Node], sequences: Sequence[Node]) -> tuple[Step, dict[Node, Node]]:
    """The step as a graph of its own, and the variables in it that stand for nodes of the graph around it."""
    roots = [*step.states, *step.outputs, *step.terms]
    order = topological(roots)
    fixed = outside(order, roots, depending(order, [*step.carries, *step.inputs]))
    stand_ins = {node: variable(node.shape, node.dtype) for node in (*starts, *sequences, *fixed)}
    inner = substitute(roots, {node: stand_ins[node] for node in fixed})
    parts = [inner[:len(step.states)], inner[len(step.states):len(roots) - len(step.terms)], inner[len(roots) - len(step.terms):]]
    return Step(list(step.carries), list(step.inputs), *parts), stand_ins


def is_heavy(node: Node) -> bool:
    """Whether an operation is worth taking out of a loop, or keeping for the derivative: more than elementwise work."""
    return node.op.kind not in ("elementwise", "move", "leaf")


def depending(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes computed from any of the sources, these included."""
    dependent = set(sources)
    for node in order:
        if any(arg in dependent for arg in node.args):
            dependent.add(node)
    return dependent


Get = Callable[[], Node]


class _Loop:
    def __init__(self, step: Step, starts: list[Node], sequences: list[Node], length: int, reverse: bool) -> None:
        self.step, self.starts, self.sequences, self.length, self.reverse = step, starts, sequences, length, reverse
        self.stacked: list[Node] = []  # nodes of the body that are outputs of the loop
        self.rows: dict = {}
        self.parts: list[Segment] = []

    # ------------------------------------------------------------------ before the loop
    def hoist(self) -> None:
        """Replace heavy values of this step's inputs alone by new inputs, computed for all steps before the loop."""
        step = self.step
        order = topological([*step.states, *step.outputs, *step.terms])
        carried = depending(order, step.carries)
        alone = depending(order, step.inputs) - carried
        heavy: set[Node] = set()
        for node in order:
            if node in alone and (is_heavy(node) or any(arg in heavy for arg in node.args)):
                heavy.add(node)
        read = {arg for node in order if node in carried for arg in node.args} | {*step.states, *step.terms}
        ready = [node for node in order if node in heavy and node in read]
        if not ready:
            return
        stacked = batch(ready, step.inputs, self.sequences)
        inputs = [variable(node.shape, node.dtype) for node in ready]
        step.states, step.terms = (substitute(nodes, dict(zip(ready, inputs))) for nodes in (step.states, step.terms))
        step.outputs = [node if node in alone else new for node, new in
                        zip(step.outputs, substitute(step.outputs, dict(zip(ready, inputs))))]
        step.inputs = [*step.inputs, *inputs]
        self.sequences += stacked

    # ------------------------------------------------------------------ after the loop
    def total(self, term: Node) -> Get:
        """The sum of a term over all steps, as a product of stacked factors where it is one."""
        moving = depending(topological([term]), [*self.step.carries, *self.step.inputs])
        if term not in moving:
            return lambda: term * constant(self.length, term.dtype)
        if term.op is Add:
            left, right = (self.total(arg) for arg in term.args)
            return lambda: left() + right()
        if term.op is Sum:
            whole = self.want(term.args[0])
            axes = (0, *(axis + 1 for axis in term.params["axes"]))
            return lambda: build_node("sum", (whole(),), {"axes": axes})
        if len(term.args) == 1 and term.op.linear(term):
            inner = self.total(term.args[0])
            return lambda: term.op.make(inner(), **term.params)
        if term.op is Contract:
            return self._total_product(term, moving)
        return self._accumulated(term)

    def _total_product(self, term: Node, moving: set[Node]) -> Get:
        p = term.params
        label = (max((*p["a_axes"], *p["b_axes"]), default=-1) + 1,)
        parts = [self.want(arg) if arg in moving else None for arg in term.args]
        a, b = parts
        if a is not None and b is not None:
            return lambda: build_node("contract", (a(), b()), {
                "a_axes": label + p["a_axes"], "b_axes": label + p["b_axes"], "out_axes": p["out_axes"]})

        def one_moves() -> Node:
            args = [arg if part is None else build_node("sum", (part(),), {"axes": (0,)}) for arg, part in zip(term.args, parts)]
            return build_node("contract", tuple(args), p)

        return one_moves

    def _accumulated(self, term: Node) -> Get:
        """Any other sum: a carry, to which each step adds."""
        i = len(self.step.carries)
        carry = variable(term.shape, term.dtype)
        self.step.carries.append(carry)
        self.step.states.append(carry + term)
        self.starts.append(zeros_like(term))
        return lambda: self.last(i)

    def want(self, node: Node) -> Get:
        """The values of a node in all steps, stacked; call the result once the loop is built."""
        step = self.step
        order = topological([node])
        carried = depending(order, step.carries)
        if node in step.carries:
            return lambda: self.history(step.carries.index(node), 0)
        if node in step.states:
            return lambda: self.history(step.states.index(node), 1)
        if node not in carried:
            return lambda: self._alone(node)
        inside = set(topological(step.states))
        tail = [inner for inner in order if inner in carried and inner not in inside]
        if not any(is_heavy(inner) for inner in tail):
            return self._stack(node)
        return self._sink(node, inside, depending(order, [*step.carries, *step.inputs]))

    def _alone(self, node: Node) -> Node:
        """A value that depends on no carry: computed without a loop."""
        return batch([node], self.step.inputs, self.sequences)[0] if self.step.inputs else along(node, self.length)

    def _stack(self, node: Node) -> Get:
        if node not in self.stacked:
            self.stacked.append(node)
        i = self.stacked.index(node)
        return lambda: self.output(i)

    def _sink(self, node: Node, inside: set[Node], moving: set[Node]) -> Get:
        """Stack the operands of the last products, and take the products for all steps at once."""
        front: dict[Node, Get] = {}
        stack = [node]
        seen: set[Node] = set()
        while stack:
            inner = stack.pop()
            if inner in seen or inner not in moving:
                continue
            seen.add(inner)
            if inner in inside or inner in self.step.inputs or inner in self.step.carries:
                front[inner] = self.want(inner)
            else:
                stack.extend(inner.args)
        return lambda: batch([node], list(front), [get() for get in front.values()])[0]

    # ------------------------------------------------------------------ the loop
    def build(self) -> None:
        """Make the scan nodes, one for each type of result."""
        step = self.step
        states, outputs = step.states, [*self.stacked]
        outputs += [node for node in kept_for_derivative(step, outputs) if node not in outputs]
        order = topological([*states, *outputs])
        moving = depending(order, [*step.carries, *step.inputs])
        used = [(node, sequence) for node, sequence in zip(step.inputs, self.sequences) if node in set(order)]
        fixed = outside(order, [*states, *outputs], moving)
        body = Body([*step.carries, *(node for node, _ in used), *fixed], [*states, *outputs])
        args = (*self.starts, *(sequence for _, sequence in used), *fixed)
        kept = (True,) * len(states)
        self.parts = segments(body, len(states), self.length, kept)
        for dtype in dict.fromkeys(part.dtype for part in self.parts):
            self.rows[dtype] = build_node("scan", args, {
                "body": body, "carries": len(states), "moving": len(used), "length": self.length, "reverse": self.reverse,
                "kept": kept, "dtype": dtype})

    def last(self, i: int) -> Node:
        part = self.parts[i]
        return entry(self.rows[part.dtype], part, self.length)

    def history(self, i: int, first: int) -> Node:
        """The states before (first = 0) or after (1) each step, in the order of the sequences."""
        part = self.parts[i]
        states = entries(self.rows[part.dtype], part, first, first + self.length)
        return flip_steps(states) if self.reverse else states

    def output(self, i: int) -> Node:
        part = self.parts[len(self.step.states) + i]
        return entries(self.rows[part.dtype], part)


def flip_steps(node: Node) -> Node:
    """The same with the first axis backwards."""
    rank = node.ndim - 1
    return build_node("slice", (node,), {"start": (node.shape[0] - 1, *(0,) * rank), "stop": (-1, *node.shape[1:]),
                                         "step": (-1, *(1,) * rank)})


def outside(order: Sequence[Node], roots: Sequence[Node], moving: set[Node]) -> list[Node]:
    """The values from outside that a body reads; single numbers are written into it instead."""
    pure: set[Node] = set()
    for node in order:
        if (node.op is Constant and node.shape == ()) or (node.args and all(arg in pure for arg in node.args)):
            pure.add(node)
    read = [arg for node in order if node in moving for arg in node.args]
    return list(dict.fromkeys(node for node in [*read, *roots] if node not in moving and node not in pure))


def kept_for_derivative(step: Step, outputs: Sequence[Node]) -> list[Node]:
    """The values inside a step that its pullback reads and that would take more than elementwise work to compute again.

    Where only elementwise operations read a product (a sum with a bias), the value at the end of their chain is kept instead.
    """
    roots = [node for node in dict.fromkeys([*step.states, *outputs]) if is_inexact(node.dtype)]
    order = topological([*step.states, *outputs])
    moving = depending(order, [*step.carries, *step.inputs])
    sources = [node for node in order if node.op is Variable and is_inexact(node.dtype)]
    gradients = pull_back(roots, [variable(node.shape, node.dtype) for node in roots], sources)
    forward = set(order)
    backward = [node for node in topological([gradient for gradient in gradients if gradient is not None]) if node not in forward]
    read = {arg for node in backward for arg in node.args if arg in forward}
    known = {*step.carries, *step.inputs, *step.states, *outputs}
    readers = users(order)
    tops = {top(node, readers, moving) for node in order if node in moving and is_heavy(node)}
    kept: dict[Node, None] = {}
    stack = [node for node in order if node in read]
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen or node in known or node not in moving:
            continue
        seen.add(node)
        if node in tops or is_heavy(node):
            kept[node] = None
        else:
            stack.extend(node.args)
    return list(kept)


def top(node: Node, readers: dict[Node, list[Node]], moving: set[Node]) -> Node:
    """The end of the chain of elementwise operations of the same shape that starts at a product and has one reader at each link."""
    while len(readers[node]) == 1:
        after = readers[node][0]
        adds = after.op.kind == "elementwise" and len(after.args) == 2 and after.op.linear(after)
        if not adds or after.shape != node.shape or after not in moving:
            break
        node = after
    return node
