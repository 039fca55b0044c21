"""One node of an ONNX graph, ready to run, and the graph of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, SlopesError, TooLargeError, TraceError, contexts
from ..graph.shape import normalize_axis
from ..tensor import Tensor
from .operators import Operator
from .values import Value, at_once, is_known, to_known, to_tensor

FOREIGN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # what NumPy and Python raise for values that do not fit


class Running(threading.local):
    """The node that is being computed in this thread."""

    call: Call | None = None


running = Running()


class Call:
    """A node: its operator, attributes (defaults filled in), and the names of its inputs and outputs ("" where one is left out)."""

    __slots__ = ("attributes", "domain", "inputs", "label", "op", "operator", "outputs", "version")

    def __init__(self, op: str, domain: str, label: str, version: int, operator: Operator, attributes: dict[str, Any],
                 inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.op, self.domain, self.label, self.version, self.operator = op, domain, label, version, operator
        self.attributes, self.inputs, self.outputs = attributes, tuple(inputs), tuple(outputs)

    def __getitem__(self, name: str) -> Any:
        """An attribute; None where it is left out and has no default."""
        return self.attributes.get(name)

    def run(self, values: Sequence[Value], scope: Mapping[str, Value]) -> tuple[Value, ...]:
        """The outputs, from the inputs. Raises ArgumentError where they do not fit the operator."""
        try:
            outputs = self.compute(values, scope)
        except SlopesError:
            raise
        except FOREIGN as error:
            raise self.unfit(values, error) from error
        except MemoryError as error:
            raise TooLargeError(f"{self.op}: its result does not fit into memory", why=str(error)[:300]) from error
        if len(outputs) < len(self.outputs) and any(self.outputs[len(outputs):]):
            raise self.unsupported(f"output {len(outputs)}")
        return outputs

    def compute(self, values: Sequence[Value], scope: Mapping[str, Value]) -> tuple[Value, ...]:
        """The outputs, known ones where all inputs are known."""
        operator = self.operator
        if operator.raw:
            extra = (scope,) if operator.scope else ()
            return as_tuple(operator.compute(self, *extra, *values))
        if not operator.random and all(map(is_known, values)):
            with at_once():
                return tuple(map(to_known, as_tuple(operator.compute(self, *self.prepare(values)))))
        return as_tuple(operator.compute(self, *self.prepare(values)))

    def prepare(self, values: Sequence[Value]) -> list[Value]:
        """The inputs as the operator takes them: arrays where they must be known, otherwise tensors."""
        known = self.operator.known
        return [self.known(i, value) if i in known else to_tensor(value) for i, value in enumerate(values)]

    def axis(self, rank: int) -> int:
        """The attribute `axis`, counted from the front. Raises ShapeError where there is no such axis."""
        return normalize_axis(self["axis"], rank, self.op)

    def known(self, i: int, value: Value) -> np.ndarray | None:
        """The value of input i as an array. Raises TraceError where it is not known."""
        if not isinstance(value, Tensor):
            return value
        try:
            return value.numpy()
        except TraceError:
            raise TraceError(f"{self.op}: its input {i}, {self.inputs[i]!r}, is not known while a function is traced",
                             why="it decides about shapes or loops, which a compiled program has fixed",
                             repair="call the network outside of sl.compile, or export it with a constant there") from None

    def required(self, i: int, value: Value) -> np.ndarray:
        """The value of input i as an array. Raises ArgumentError where it is left out."""
        known = self.known(i, value)
        if known is None:
            raise ArgumentError(f"{self.op}: its input {i} is left out", why="the operator needs it")
        return known

    def unfit(self, values: Sequence[Value], error: Exception) -> ArgumentError:
        """The error for inputs and attributes that are not such as the operator takes."""
        kinds = ", ".join(f"{value.dtype} {tuple(value.shape)}" if isinstance(value, (np.ndarray, Tensor)) else type(value).__name__
                          for value in values)
        return ArgumentError(f"{self.op}: its inputs or attributes do not fit: inputs are {kinds or 'none'}", why=str(error)[:300],
                             repair="check the model: onnx.checker.check_model(model, full_check=True)")

    def unsupported(self, what: str, repair: str = "") -> ArgumentError:
        """The error for a combination of attributes that slopes does not compute."""
        return ArgumentError(f"{self.op}: {what} is not supported", repair=repair or "export the model without it")

    def __repr__(self) -> str:
        return f"{self.op} {self.label!r}" if self.label else self.op


def as_tuple(outputs: Any) -> tuple[Value, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def running_call() -> str:
    """`in node 'fc1' (Gemm)`, for errors."""
    call = running.call
    return "" if call is None else f"in node {call.label!r} ({call.op})"


contexts.append(running_call)


class Graph:
    """A graph, or the body of a function: calls in order, names of inputs and outputs, and known values.

    `last_uses` are, for each call, the names that nothing reads after it.
    """

    __slots__ = ("calls", "inputs", "known", "last_uses", "name", "outputs")

    def __init__(self, name: str, inputs: Sequence[str], outputs: Sequence[str], calls: Sequence[Call], known: Mapping[str, Value]) -> None:
        self.name, self.inputs, self.outputs = name, tuple(inputs), tuple(outputs)
        self.calls, self.known = tuple(calls), dict(known)
        self.last_uses = last_uses(self.calls, self.outputs)

    def run(self, values: Sequence[Value], scope: Mapping[str, Value] | None = None) -> list[Value]:
        """The outputs for these inputs; `scope` are the values of the graph around this one."""
        state = {"": None, **(scope or {}), **self.known, **dict(zip(self.inputs, values))}
        before = running.call
        try:
            for call, done in zip(self.calls, self.last_uses):
                running.call = call
                outputs = call.run([state[name] for name in call.inputs], state)
                state.update((name, value) for name, value in zip(call.outputs, outputs) if name)
                for name in done:
                    state.pop(name, None)
        finally:
            running.call = before
        return [state[name] for name in self.outputs]


def last_uses(calls: Sequence[Call], outputs: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The names that each call reads or makes as the last one: their values can go."""
    later = {"", *outputs}
    result = []
    for call in reversed(calls):
        names = {*reads(call), *call.outputs}
        result.append(tuple(names - later))
        later |= names
    return tuple(reversed(result))


def reads(call: Call) -> Iterator[str]:
    """The names that a call may read, with all of its inner graphs."""
    yield from call.inputs
    for graph in call.attributes.values():
        if isinstance(graph, Graph):
            yield from graph.outputs
            for inner in graph.calls:
                yield from reads(inner)
