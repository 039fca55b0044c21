"""The loops of recurrent layers as the ONNX operators LSTM, GRU and RNN, one for each layer and direction.

A loop is recognised as any other function is: the layer runs again on the nodes that the loop reads, and must give the very loop that the
network has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..capture import Captured
from ..errors import SlopesError
from ..graph.build import Constant
from ..graph.dtype import float32
from ..graph.node import Node
from ..nn.gates import Weights
from ..nn.recurrent import GRU, LSTM, RNN, Recurrent
from ..ops.contract import Contract
from ..ops.elementwise import Add
from ..ops.move import Slice
from ..ops.scan import Scan
from ..ops.segments import loop_key
from ..trace import Trace, tracing
from .export_builder import Builder, Loop, unexpanded
from .export_loops import segments_of
from .export_moves import backwards
from .export_values import Value

ORDERS = {LSTM: (0, 3, 1, 2), GRU: (1, 0, 2), RNN: (0,)}  # the gates in the order of ONNX, by their indices here


class RecurrentLoops:
    """Recognises the loops of the recurrent layers that ran."""

    def __init__(self, captured: Captured) -> None:
        self.layers = captured.layers
        self.state = {value.tensor: value.node for value in captured.state if value.tensor is not None}

    def match(self, b: Builder, node: Node) -> Value | None:
        """Compute a loop by one operator, if it is that of a known layer; its results are read as those of any other loop."""
        layer = self.layer_of(node)
        if layer is not None and node.dtype == float32 and not b.reads.get(loop_key(node), set()) - {0}:
            for x in inputs_of(node):
                for suffix in layer.suffixes():
                    if self.loop(layer, x, node.args[:layer.parts], suffix) is node:
                        b.loops[loop_key(node)] = self.operator(b, node, layer, x, suffix)
                        return None
        return None

    def layer_of(self, node: Node) -> Recurrent | None:
        """The recurrent layer in which a loop runs, if ONNX has its formula."""
        layer = self.layers.get(node.layer) if node.op is Scan else None
        if not isinstance(layer, Recurrent) or type(layer) not in ORDERS or layer.proj_size:
            return None
        return None if isinstance(layer, GRU) and layer.update != "keeps" else layer

    def loop(self, layer: Recurrent, x: Node, starts: Sequence[Node], suffix: str) -> Node | None:
        """The loop that a unit of the layer makes of inputs (T, N, I) and first states; None where it refuses them."""
        trace = Trace()
        trace.reads.update(self.state)
        trace.current.update(self.state)
        try:
            with tracing(trace):
                _, outputs = layer.run(trace.tensor(x), None, tuple(map(trace.tensor, starts)), suffix)
        except SlopesError:
            return None
        node = outputs._node_in(trace)
        while node.op is not Scan and node.args:
            node = node.args[0]
        return node

    def operator(self, b: Builder, node: Node, layer: Recurrent, x: Node, suffix: str) -> Loop:
        """The results of the loop, by the ONNX operator."""
        weights, hidden = layer.weights(suffix), layer.hidden_size
        length, rows = b.shape(x)[:2]
        starts = [first_state(b, start) for start in node.args[:layer.parts]]
        state = (1, rows, hidden)
        made = b.calls_for(type(layer).__name__, (b.value(x), *self.parameters(b, layer, weights), None, *starts),
                           [(node.dtype, (length, *state)), *[(node.dtype, state)] * layer.parts], options(layer, suffix))
        history = b.reshape(made[0], (length, rows, hidden))
        reverse = node.params["reverse"]
        rest = [None] * (len(node.params["body"].outputs) - layer.parts)
        return Loop(segments_of(node), length, node.params["kept"], [b.value(start) for start in node.args[:layer.parts]] + rest,
                    [b.reshape(last, (rows, hidden)) for last in made[1:]] + rest,
                    [backwards(b, history) if reverse else history, *[None] * (layer.parts - 1), *rest])

    def parameters(self, b: Builder, layer: Recurrent, weights: Weights) -> list[Value | None]:
        """Weights (1, gates * hidden, ...) of inputs and of states, and both biases (1, 2 * gates * hidden), if there are any."""
        order, size = ORDERS[type(layer)], layer.hidden_size  # type: ignore[index]
        ih, hh, *biases = (b.values[self.state[tensor]] for tensor in weights if tensor is not None)
        first, second = (in_order(b, value, order, size) for value in (ih, hh))
        if not biases:
            return [first, second, None]
        both = b.call("Concat", *biases, shape=(2 * len(order) * size,), axis=0)
        return [first, second, in_order(b, both, order, size, weights=2)]


def inputs_of(node: Node) -> Iterator[Node]:
    """The values (T, N, I) of which the sequences of a loop may be made: the operands of the products that precede it."""
    seen: set[Node] = set()
    stack = list(node.args[node.params["carries"]:][:node.params["moving"]])
    while stack:
        arg = unexpanded(stack.pop())
        if arg in seen:
            continue
        seen.add(arg)
        if arg.op is Contract:
            yield from (operand for operand in arg.args if operand.ndim == 3)
        elif arg.op in (Add, Slice):
            stack += arg.args


def first_state(b: Builder, start: Node) -> Value | None:
    """A first state (1, N, hidden); zeros are the default of the operators."""
    bare = unexpanded(start)
    if bare.op is Constant and bare.shape == () and bare.value == 0:
        return None
    return b.reshape(b.value(start), (1, *b.shape(start)))


def in_order(b: Builder, x: Value, order: Sequence[int], size: int, weights: int = 1) -> Value:
    """The blocks of `size` rows of some weights, one for each gate, in another order, below a first axis of one direction."""
    shape = (1, *x.shape)
    if len(order) > 1:
        blocks = b.reshape(x, (weights, len(order), size, *x.shape[1:]))
        x = b.call("Gather", blocks, b.ints(*order), shape=blocks.shape, axis=1)
    return b.reshape(x, shape)


def options(layer: Any, suffix: str) -> dict[str, Any]:
    """The attributes of the operator."""
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size, "direction": "reverse" if suffix.endswith("_reverse") else "forward"}
    if isinstance(layer, GRU):
        attributes["linear_before_reset"] = int(layer.reset == "after")
    if isinstance(layer, RNN):
        attributes["activations"] = [layer.nonlinearity.capitalize()]
    return attributes
