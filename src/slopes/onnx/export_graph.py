"""A captured network as a graph of ONNX operators, with the names of its inputs, outputs and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..capture import Captured
from ..errors import ArgumentError, line_text
from ..nn.module import Module
from ..parameter import Parameter
from .export_builder import Builder
from .export_forms import FORMS, MATCHES, WITHOUT
from .export_layers import matches
from .export_loops import segment_reads
from .export_recurrent import RecurrentLoops
from .export_sizes import SizeTable
from .export_values import Names, Subgraph, Value, assign_names


@dataclass(frozen=True)
class Signature:
    """How a model is called.

    paths    what the network calls each leaf of its arguments
    batch    (leaf, axis) where the batch is read, if the model takes any
    inputs, outputs  names that the caller chose
    """

    paths: Sequence[str]
    batch: tuple[int, int] | None
    inputs: Sequence[str] | None
    outputs: Sequence[str] | None


def translate(net: Module, captured: Captured, sizes: SizeTable, signature: Signature) -> Subgraph:
    """The graph of ONNX operators; one error for all operations that have no form."""
    b = Builder(sizes, FORMS, (*MATCHES, RecurrentLoops(captured).match, *matches(captured)))
    b.reads = segment_reads(captured.roots)
    names = Names(())
    add_weights(b, net, captured, names)
    inputs = add_inputs(b, captured, signature, names)
    b.translate(captured.roots)
    graph = Subgraph(inputs, outputs_of(b, captured, signature, names), b.calls)
    graph.drop_unused()
    check_forms(b, graph)
    assign_names(graph)
    return graph


def add_weights(b: Builder, net: Module, captured: Captured, names: Names) -> None:
    """The tensors that the network reads, under their names in its state; others, such as arrays, as constants under their own."""
    keys = {id(tensor): key for key, tensor in net.named_state()}
    for entry in captured.state:
        assert entry.tensor is not None
        name = names.new(keys.get(id(entry.tensor), entry.path))
        owned = id(entry.tensor) in keys or isinstance(entry.tensor, Parameter)
        b.values[entry.node] = Value(entry.node.dtype, entry.node.shape, name, entry.tensor.numpy(), is_constant=not owned)


def add_inputs(b: Builder, captured: Captured, signature: Signature, names: Names) -> list[Value]:
    """The inputs of the model, and the batch as a value, from the shape of an input that has it."""
    own = [signature.paths[entry.leaf] for entry in captured.inputs]
    chosen = choose_names("inputs", own, signature.inputs, names)
    inputs = [Value(entry.node.dtype, b.sizes.shape(entry.node), name) for entry, name in zip(captured.inputs, chosen)]
    for entry, value in zip(captured.inputs, inputs):
        b.values[entry.node] = value
        if signature.batch is not None and entry.leaf == signature.batch[0]:
            axis = signature.batch[1]
            b.batch = b.call("Shape", value, dtype=np.dtype("int64"), shape=(1,), start=axis, end=axis + 1)
    return inputs


def outputs_of(b: Builder, captured: Captured, signature: Signature, names: Names) -> list[Value]:
    """The outputs of the model, which are outputs of calls under names of their own."""
    if not captured.outputs:
        raise ArgumentError("save_onnx: the network returns no tensor", why="a model of ONNX has at least one output",
                            repair="return the result from forward")
    own = [entry.path.replace("result", "output", 1) for entry in captured.outputs]
    outputs: list[Value] = []
    for entry, name in zip(captured.outputs, choose_names("outputs", own, signature.outputs, names)):
        value = b.value(entry.node)
        if value.call is None or value in outputs:
            value = b.call("Identity", value, shape=value.shape)
        value.name = name
        outputs.append(value)
    return outputs


def choose_names(what: str, own: Sequence[str], chosen: Sequence[str] | None, names: Names) -> list[str]:
    """The names of inputs or outputs: those that the caller chose, else their own, numbered where a weight has that name."""
    if chosen is None:
        return [names.new(name) for name in own]
    listed = isinstance(chosen, Sequence) and not isinstance(chosen, str) and all(isinstance(name, str) for name in chosen)
    if not listed or len(chosen) != len(own) or [names.new(name) for name in chosen] != list(chosen):
        raise ArgumentError(f"save_onnx: {what}={chosen!r}", why=f"the network has {len(own)} {what}: {', '.join(own)}",
                            repair=f"give a list of {len(own)} names, different from each other and from those of weights and inputs")
    return list(chosen)


def check_forms(b: Builder, graph: Subgraph) -> None:
    """Raise one error for all operations of the model that have no ONNX form."""
    needed = [b.missing[value] for call in graph.all_calls() for value in call.outputs if value in b.missing]
    if not needed:
        return
    lines = dict.fromkeys(f"{node.op.name} ({node.dtype}) in {node.layer or line_text(node.location)}" for node, _ in needed)
    reasons = dict.fromkeys(reason or WITHOUT.get(node.op.name, "ONNX has no operator of this meaning") for node, reason in needed)
    raise ArgumentError(f"save_onnx: the network uses what ONNX does not have: {', '.join(lines)}", why="; ".join(reasons),
                        repair="replace these operations, or export the part of the network before them")
