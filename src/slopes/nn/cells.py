"""Recurrent cells: one step of an RNN, LSTM or GRU, for custom loops."""

from __future__ import annotations

from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, OPTIONAL_REAL, check
from ..errors import ShapeError
from ..parameter import Parameter
from ..tensor import Tensor
from .gates import NONLINEARITY, RESET, UPDATE, Elman, GatedUnit, LongShortTerm, Unit, Weights
from .recurrent import conventions
from .where import layer_and_location

SIZES = {"input_size": COUNT, "hidden_size": COUNT, "bias": FLAG, **FACTORY}


class Cell(Unit):
    """The base class of cells: the weights of one unit, and one step."""

    weight_ih: Parameter  # (gates * hidden_size, input_size)
    weight_hh: Parameter  # (gates * hidden_size, hidden_size)
    bias_ih: Parameter | None  # (gates * hidden_size,)
    bias_hh: Parameter | None  # (gates * hidden_size,)

    def make(self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any, **others: Any) -> None:
        check(type(self).__name__, self.constraints, {"input_size": input_size, "hidden_size": hidden_size, "bias": bias, **others})
        self.input_size, self.hidden_size, self.bias = int(input_size), int(hidden_size), bias
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, _ = self.make_weights(self.input_size)
        self.to(device, dtype)

    def weights(self) -> Weights:
        return Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def forward(self, x: Tensor, state: Any = None) -> Any:
        if x.ndim != 2 or x.shape[1] != self.input_size:
            what, where = layer_and_location(self, x)
            layer = type(self).__name__.removesuffix("Cell")
            raise ShapeError(f"{what} needs x of shape (batch, {self.input_size}), but x is {tuple(x.shape)}",
                             repair=f"nn.{layer} takes whole sequences" if x.ndim == 3 else "", where=where)
        w, lead = self.weights(), x.shape[:1]
        dtype = self.state_dtype(x, w)
        before = self.zero_state(lead, dtype) if state is None else self.check_state(state, lead, dtype)
        return self.public(self.step(x, before, before[0], w))


class RNNCell(Elman, Cell):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or ReLU: one step of RNN.

    x: (batch, input_size), h: (batch, hidden_size) or None for zeros -> h' (batch, hidden_size).
    weight_ih: (hidden_size, input_size), weight_hh: (hidden_size, hidden_size), bias_ih, bias_hh: (hidden_size,); names, order and
    initial values are PyTorch's. Raises ShapeError for another x or h.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> cell, h = nn.RNNCell(3, 4), None
    >>> for x in sl.ones((7, 5, 3)):
    ...     h = cell(x, h)
    >>> h.shape
    (5, 4)
    """

    constraints = {**SIZES, "nonlinearity": NONLINEARITY}

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
                 dtype: Any = None) -> None:
        self.make(input_size, hidden_size, bias, device, dtype, nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity


class LSTMCell(LongShortTerm, Cell):
    """One step of LSTM: (h', c') from x and (h, c).

    x: (batch, input_size), h and c: (batch, hidden_size), or None for zeros. weight_ih: (4 hidden_size, input_size), the rows of
    i, f, g, o stacked; everything else as in LSTM. Raises ShapeError for an x or state of another shape.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> h, c = nn.LSTMCell(3, 4)(sl.ones((5, 3)))
    >>> h.shape, c.shape
    ((5, 4), (5, 4))
    """

    constraints = {**SIZES, "forget_bias": OPTIONAL_REAL}

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None, *,
                 forget_bias: float | None = None) -> None:
        self.make(input_size, hidden_size, bias, device, dtype, forget_bias=forget_bias)
        self.set_forget_bias(self.weights(), forget_bias)


class GRUCell(GatedUnit, Cell):
    """One step of GRU: h' from x and h, with GRU's two conventions for the reset and the update gate.

    x: (batch, input_size), h: (batch, hidden_size) or None for zeros -> h' (batch, hidden_size). weight_ih:
    (3 hidden_size, input_size), the rows of r, z, n stacked; everything else as in GRU. Raises ShapeError for another x or h.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.GRUCell(3, 4)(sl.ones((5, 3)), sl.zeros((5, 4))).shape
    (5, 4)
    """

    constraints = {**SIZES, "reset": RESET, "update": UPDATE}

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None, *, reset: str = "after",
                 update: str = "keeps") -> None:
        self.make(input_size, hidden_size, bias, device, dtype, reset=reset, update=update)
        self.reset, self.update = reset, update

    def details(self) -> str:
        return super().details() + conventions(self)
