"""The step of each recurrent unit: the next state from an input and the previous state."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..constraint import one_of
from ..errors import ArgumentError, ShapeError, missing_method
from ..functions import zeros
from ..graph.dtype import DType, promote
from ..ops.composite import matmul, part, relu, sigmoid, split
from ..parameter import Parameter
from ..tensor import Tensor
from . import init
from .module import Module
from .where import layer_and_location

NONLINEARITY = one_of("tanh", "relu")
RESET = one_of("after", "before")
UPDATE = one_of("keeps", "replaces")

State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM; each (N, hidden)


class Weights(NamedTuple):
    """The parameters of one unit, with the rows of its gates stacked."""

    ih: Parameter  # (gates * hidden, inputs): from the input
    hh: Parameter  # (gates * hidden, hidden): from the hidden state
    bias_ih: Parameter | None  # (gates * hidden,)
    bias_hh: Parameter | None  # (gates * hidden,)
    hr: Parameter | None = None  # (proj_size, hidden): from the hidden state to a smaller one

    @property
    def bias(self) -> Any:
        """The sum of both biases, or 0 without bias."""
        return 0 if self.bias_ih is None or self.bias_hh is None else self.bias_ih + self.bias_hh


class Unit(Module):
    """The base class of recurrent layers and cells: sizes, the weights of one unit, and states."""

    gates: int  # blocks of rows of the weights
    gate_names: tuple[str, ...]  # of `gate_values`, in the order of the blocks
    parts = 1  # tensors of the state: 1 (h), or 2 (h and c)
    input_size: int
    hidden_size: int
    bias: bool
    proj_size = 0  # the size of h where it is a projection of the hidden state

    @property
    def output_size(self) -> int:
        """The size of h."""
        return self.proj_size or self.hidden_size

    def step(self, x: Tensor, state: State, hidden: Tensor, w: Weights) -> State:
        """The next state; `hidden` is the h that the gates read, after dropout if there is any."""
        return self.next_state(self.gate_values(x, hidden, w), state, w)

    def gate_values(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        """What the gates named `gate_names` let through in this step, and the candidate; each (N, hidden_size)."""
        raise missing_method(self, "gate_values")

    def next_state(self, values: tuple[Tensor, ...], state: State, w: Weights) -> State:
        """The next state, from the values of the gates and the state before."""
        raise missing_method(self, "next_state")

    def make_weights(self, inputs: int) -> Weights:
        """The parameters, all uniform in (-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        rows, bound = self.gates * self.hidden_size, 1 / math.sqrt(self.hidden_size)
        shapes: list[tuple[int, ...]] = [(rows, inputs), (rows, self.output_size), *([(rows,)] * 2 if self.bias else [])]
        drawn = [init.uniform(init.blank(shape), -bound, bound) for shape in shapes]
        projection = [init.uniform(init.blank((self.proj_size, self.hidden_size)), -bound, bound)] if self.proj_size else []
        return Weights(*drawn, *[None] * (4 - len(drawn)), *projection)

    def zero_state(self, lead: tuple[int, ...], dtype: DType) -> State:
        """Zeros of the shape (*lead, size) for each part of the state."""
        return tuple(zeros((*lead, size), dtype) for size in self.state_sizes())

    def state_sizes(self) -> tuple[int, ...]:
        """The last axes of h, and of c for an LSTM."""
        return (self.output_size, self.hidden_size)[:self.parts]

    def check_state(self, state: Any, lead: tuple[int, ...], dtype: DType) -> State:
        """The tensors of a state that the caller passed, of the shapes (*lead, size), after checks."""
        tensors = state if isinstance(state, tuple) else (state,)
        if len(tensors) != self.parts or not all(isinstance(tensor, Tensor) for tensor in tensors):
            raise self.no_state(state)
        for name, tensor, size in zip("hc", tensors, self.state_sizes()):
            shape = (*lead, size)
            if tensor.shape != shape or tensor.dtype != dtype:
                what, where = layer_and_location(self, tensor)
                raise ShapeError(f"{what}: {name} of the state is {tensor.dtype}{list(tensor.shape)}, not {dtype}{list(shape)}",
                                 why=self.state_axes, repair="omit the state to start from zeros", where=where)
        return tuple(tensors)

    state_axes = "its axes are (batch, hidden)"

    def no_state(self, state: Any) -> ArgumentError:
        expected = "a tensor h" if self.parts == 1 else "a pair of tensors (h, c)"
        actual = f"a tuple of {len(state)}" if isinstance(state, tuple) else f"a {type(state).__name__}"
        return ArgumentError(f"{self.describe()} needs {expected} as its state, but got {actual}",
                             repair="pass the state that it returned, or omit it to start from zeros")

    def public(self, state: State) -> Any:
        """h alone, or the pair (h, c)."""
        return state[0] if self.parts == 1 else state

    def state_dtype(self, x: Tensor, w: Weights) -> DType:
        return promote(x.dtype, w.hh.dtype)

    def details(self) -> str:
        return f"{self.input_size} -> {self.hidden_size}"


class Elman(Unit):
    """h' = f(W_hh h + (W_ih x + b)), f = tanh or ReLU."""

    gates, gate_names = 1, ("n",)
    nonlinearity: str

    def gate_values(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        total = matmul(hidden, w.hh.T) + (matmul(x, w.ih.T) + w.bias)
        return (total.tanh() if self.nonlinearity == "tanh" else relu(total),)

    def next_state(self, values: tuple[Tensor, ...], state: State, w: Weights) -> State:
        return values


class LongShortTerm(Unit):
    """Input, forget and output gates i, f, o and the candidate g: c' = f c + i g, h' = o tanh(c')."""

    gates, gate_names, parts = 4, ("i", "f", "g", "o"), 2

    def gate_values(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        i, f, g, o = split(matmul(hidden, w.hh.T) + (matmul(x, w.ih.T) + w.bias), 4, axis=-1)
        return sigmoid(i), sigmoid(f), g.tanh(), sigmoid(o)

    def next_state(self, values: tuple[Tensor, ...], state: State, w: Weights) -> State:
        i, f, g, o = values
        c = f * state[1] + i * g
        h = o * c.tanh()
        return h if w.hr is None else matmul(h, w.hr.T), c

    def set_forget_bias(self, w: Weights, value: float | None) -> None:
        """Initialize the bias of the forget gate (the sum of both biases)."""
        if value is None:
            return
        if w.bias_ih is None or w.bias_hh is None:
            raise ArgumentError(f"{type(self).__name__}: forget_bias={value!r} with bias=False", why="there is no bias to set")
        init.set_rows(w.bias_ih, self.hidden_size, 2 * self.hidden_size, value)
        init.set_rows(w.bias_hh, self.hidden_size, 2 * self.hidden_size, 0.0)


class GatedUnit(Unit):
    """Reset and update gates r, z and the candidate n; h' = z h + (1 - z) n, or with z and 1 - z exchanged."""

    gates, gate_names = 3, ("r", "z", "n")
    reset: str
    update: str

    def gate_values(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        return (self.reset_after if self.reset == "after" else self.reset_before)(x, hidden, w)

    def next_state(self, values: tuple[Tensor, ...], state: State, w: Weights) -> State:
        _, z, n = values
        old, new = (state[0], n) if self.update == "keeps" else (n, state[0])
        return (new + z * (old - new),)

    def reset_after(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        """(r, z, n) with n = tanh(W x + b + r (U h + b'))."""
        from_input, from_hidden = matmul(x, w.ih.T), matmul(hidden, w.hh.T)
        if w.bias_ih is not None:
            from_input, from_hidden = from_input + w.bias_ih, from_hidden + w.bias_hh
        (xr, xz, xn), (hr, hz, hn) = split(from_input, 3, axis=-1), split(from_hidden, 3, axis=-1)
        r = sigmoid(hr + xr)
        return r, sigmoid(hz + xz), (xn + r * hn).tanh()

    def reset_before(self, x: Tensor, hidden: Tensor, w: Weights) -> tuple[Tensor, ...]:
        """(r, z, n) with n = tanh(W x + b + U (r h) + b')."""
        size = self.hidden_size
        from_input = matmul(x, w.ih.T) + w.bias
        gates = sigmoid(matmul(hidden, part(w.hh, 0, 0, 2 * size).T) + part(from_input, from_input.ndim - 1, 0, 2 * size))
        r, z = split(gates, 2, axis=-1)
        candidate = matmul(r * hidden, part(w.hh, 0, 2 * size, 3 * size).T)
        return r, z, (candidate + part(from_input, from_input.ndim - 1, 2 * size, 3 * size)).tanh()
