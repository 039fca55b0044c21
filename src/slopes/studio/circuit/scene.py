"""What the page draws: gates and wires with positions, texts of values and gradients, and the steps of back-propagation in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ...graph.node import Node
from ...view.chain import Chain, Step, show
from ...view.circuit import DRAWN, Circuit, Gate, Wire, arrange, signed
from ...view.svg import curve

MOST_WRITTEN = 64  # elements of an array that the page shows in full

Json = dict[str, Any]


def make_scene(chain: Chain) -> Json:
    """The circuit of a chain as JSON values; `steps` are in the order of back-propagation, and name their wires by index."""
    circuit = arrange(chain)
    ids = {node: i for i, node in enumerate(chain.nodes)}
    order = {id(step): i for i, step in enumerate(chain.steps)}
    return {"width": round(circuit.width), "height": round(circuit.height),
            "gates": [gate_fields(gate, chain) for gate in circuit.gates.values()],
            "wires": [wire_fields(wire, ids, order) for wire in circuit.wires],
            "steps": steps(chain, circuit, ids)}


def gate_fields(gate: Gate, chain: Chain) -> Json:
    """A gate: its name, the line in it, value and gradient in short and in full, and its rectangle."""
    left, top, right, bottom = gate.area
    value, gradient = chain.value_of[gate.node], chain.gradient_of.get(gate.node)
    return {"name": chain.name(gate.node), "title": gate.title, "value": gate.value, "gradient": gate.gradient, "kind": gate.kind,
            "fullValue": in_full(value), "fullGradient": "" if gradient is None else in_full(gradient),
            "x": round(left, 1), "y": round(top, 1), "width": round(right - left, 1), "height": round(bottom - top, 1)}


def wire_fields(wire: Wire, ids: dict[Node, int], order: dict[int, int]) -> Json:
    """A wire: its ends, its curve, the index of its step, and the label with its position."""
    fields: Json = {"from": ids[wire.arg], "to": ids[wire.node], "path": curve(wire.points, False), "step": -1, "label": None}
    if wire.step is not None and wire.label is not None:
        x, y = wire.label.centre
        fields |= {"step": order[id(wire.step)], "label": {"x": round(x, 1), "y": round(y, 1), "width": round(wire.label.width, 1),
                                                           "local": wire.label.local, "product": wire.label.product}}
    return fields


def steps(chain: Chain, circuit: Circuit, ids: dict[Node, int]) -> list[Json]:
    """The steps, each with what its argument has received so far."""
    wires = {id(wire.step): i for i, wire in enumerate(circuit.wires) if wire.step is not None}
    arriving = Counter(step.arg for step in chain.steps)
    received: Counter[Node] = Counter()
    totals: dict[Node, np.ndarray] = {}
    listed = []
    for step in chain.steps:
        received[step.arg] += 1
        totals[step.arg] = totals[step.arg] + step.product if step.arg in totals else step.product
        share = (received[step.arg], arriving[step.arg])
        listed.append({
            "wire": wires[id(step)], "gate": ids[step.node], "arg": ids[step.arg], "upstream": show(step.upstream, DRAWN),
            "local": local_text(step), "product": show(step.product, DRAWN), "total": show(totals[step.arg], DRAWN),
            "received": share[0], "arriving": share[1], "sentence": sentence(step, chain, share, show(totals[step.arg], DRAWN))})
    return listed


def local_text(step: Step) -> str:
    """The local gradient in a few characters."""
    return f"a Jacobian {step.node.shape} by {step.arg.shape}" if step.local is None else show(step.local, DRAWN)


def sentence(step: Step, chain: Chain, share: tuple[int, int], total: str) -> str:
    """`∂f/∂x = ∂f/∂q · ∂q/∂x = 3 · (-4) = -12`; where an argument has several users, what it has received so far."""
    result, node, arg = (chain.name(part) for part in (chain.output, step.node, step.arg))
    rule = [f"∂{result}/∂{node} · ∂{node}/∂{arg}", show(step.product, DRAWN)]
    if step.local is not None and step.local.size == step.product.size == step.upstream.size == 1:
        rule.insert(1, f"{signed(show(step.upstream, DRAWN))} · {signed(show(step.local, DRAWN))}")
    if share[1] == 1:
        return f"∂{result}/∂{arg} = {' = '.join(rule)}"
    return f"through {node}: {' = '.join(rule)}; {arg} has received {share[0]} of {share[1]} products, in sum {total}"


def in_full(array: np.ndarray) -> str:
    """All elements of a small array; of a larger one its shape and norm."""
    if array.size > MOST_WRITTEN:
        return show(array)
    return np.array2string(array + 0.0, precision=6, separator=", ", suppress_small=True) if array.ndim else show(array)


def remarks(chain: Chain) -> list[str]:
    """What is worth a remark: values that are not finite."""
    infinite = [chain.name(node) for node in chain.nodes if not np.isfinite(chain.value_of[node]).all()]
    lost = [chain.name(node) for node, gradient in chain.gradient_of.items() if not np.isfinite(gradient).all()]
    return [f"not finite: {', '.join(names)}" for names in (infinite,) if names] + \
        [f"gradient not finite: {', '.join(names)}" for names in (lost,) if names]
