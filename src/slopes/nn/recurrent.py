"""Recurrent layers RNN, LSTM and GRU: multi-layer, bidirectional, with variable sequence lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraint import COUNT, FACTORY, FLAG, LAYERS, NATURAL, OPTIONAL_REAL, SHARE, check
from ..errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from ..functions import arange, ones, scan, take
from ..graph.dtype import is_integer
from ..ops.composite import concat, stack, where
from ..tensor import Tensor, asarray
from ..tree import map_tree
from .dropout import Dropout, SequenceDropout
from .gates import NONLINEARITY, RESET, UPDATE, Elman, GatedUnit, LongShortTerm, State, Unit, Weights
from .where import known_value, layer_and_location

SIZES = {"input_size": COUNT, "hidden_size": COUNT, "num_layers": LAYERS, "bias": FLAG, "bidirectional": FLAG, "dropout": SHARE,
         "input_dropout": SHARE, "hidden_dropout": SHARE, "batch_first": FLAG, **FACTORY}
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")  # with suffixes _l0, _l1, ..., _reverse


class Recurrent(Unit):
    """The base class of RNN, LSTM and GRU: layers and directions, lengths, states and dropout."""

    num_layers: int
    bidirectional: bool
    batch_first: bool
    dropout: Dropout | None
    input_dropout: SequenceDropout | None
    hidden_dropout: Dropout | None
    state_axes = "its axes are (layers * directions, batch, hidden)"

    def make(self, input_size: int, hidden_size: int, num_layers: int, *, bias: bool, batch_first: bool, dropout: float,
             bidirectional: bool, device: Any, dtype: Any, input_dropout: float, hidden_dropout: float, **others: Any) -> None:
        values = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers, "bias": bias,
                  "batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional, "input_dropout": input_dropout,
                  "hidden_dropout": hidden_dropout, **others}
        check(type(self).__name__, self.constraints, values)
        if dropout and num_layers == 1:
            raise ArgumentError(f"{type(self).__name__}: dropout={dropout!r} with one layer", why="it is applied between layers",
                                repair="put nn.Dropout after the layer, set num_layers=2, or use input_dropout or hidden_dropout")
        self.input_size, self.hidden_size, self.num_layers = int(input_size), int(hidden_size), int(num_layers)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        for suffix in self.suffixes():
            for name, parameter in zip(NAMES[:5 if self.proj_size else 4], self.make_weights(self.input_width(suffix))):
                setattr(self, name + suffix, parameter)
        self.dropout = Dropout(dropout) if dropout else None  # without dropout, no random numbers are drawn
        self.input_dropout = SequenceDropout(input_dropout) if input_dropout else None
        self.hidden_dropout = Dropout(hidden_dropout) if hidden_dropout else None
        self.to(device, dtype)

    def input_width(self, suffix: str) -> int:
        """The input features of the unit with this suffix."""
        return self.input_size if suffix.startswith("_l0") else self.output_size * (1 + self.bidirectional)

    def suffixes(self) -> list[str]:
        """The suffixes of parameter names, in the order of the states: _l0, _l0_reverse, _l1, ..."""
        ways = ("", "_reverse") if self.bidirectional else ("",)
        return [f"_l{layer}{way}" for layer in range(self.num_layers) for way in ways]

    def weights(self, suffix: str) -> Weights:
        """The weights of one unit."""
        return Weights(*(getattr(self, name + suffix, None) for name in NAMES))  # type: ignore[arg-type]

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> tuple[Tensor, Any]:
        self.check_input(x)
        starts = self.starts(x, state)
        y = self.swap_batch(asarray(x))  # the loop runs over the first axis
        inside = None if lengths is None else self.step_mask(lengths, x)
        y = y if inside is None else where(inside, y, 0)  # padding may have any values
        ends: list[State] = []
        for layer in range(self.num_layers):
            y = self.drop_inputs(y, layer)
            results = [self.run(y, inside, start, suffix) for start, suffix in self.directions(starts, layer)]
            ends += [end for end, _ in results]
            y = results[0][1] if len(results) == 1 else concat([output for _, output in results], axis=2)
        return self.swap_batch(y), self.public(tuple(stack(list(states)) for states in zip(*ends)))

    def swap_batch(self, x: Tensor) -> Tensor:
        """x with the axes of time and batch as the loop has them, time first, or back."""
        return x.permute_dims((1, 0, 2)) if self.batch_first else x

    def batch_and_steps(self, x: Tensor) -> tuple[int, int]:
        return (x.shape[0], x.shape[1]) if self.batch_first else (x.shape[1], x.shape[0])

    def directions(self, starts: list[State], layer: int) -> list[tuple[State, str]]:
        """(initial state, suffix) of each direction of a layer."""
        count = 1 + self.bidirectional
        return list(zip(starts, self.suffixes()))[layer * count:(layer + 1) * count]

    def run(self, x: Tensor, inside: Tensor | None, start: State, suffix: str) -> tuple[State, Tensor]:
        """(last state, outputs) of one layer in one direction over x (T, N, inputs)."""
        w, reverse = self.weights(suffix), suffix.endswith("_reverse")
        mask = None
        if self.hidden_dropout is not None and self.training:
            mask = self.hidden_dropout(ones(start[0].shape, start[0].dtype))  # one draw for all steps

        def move(state: State, x: Tensor) -> State:
            return self.step(x, state, state[0] if mask is None else state[0] * mask, w)

        def step(state: State, x: Tensor) -> tuple[State, Tensor]:
            new = move(state, x)
            return new, new[0]

        def step_inside(state: State, element: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
            x, alive = element
            new = tuple(where(alive, after, before) for after, before in zip(move(state, x), state))
            return new, where(alive, new[0], 0)

        if inside is None:
            return scan(step, start, x, reverse=reverse)
        return scan(step_inside, start, (x, inside), reverse=reverse)

    def drop_inputs(self, x: Tensor, layer: int) -> Tensor:
        """The inputs of a layer, after dropout."""
        x = x if self.dropout is None or not layer else self.dropout(x)
        return x if self.input_dropout is None else self.input_dropout(x.permute_dims((1, 0, 2))).permute_dims((1, 0, 2))

    def starts(self, x: Tensor, state: Any) -> list[State]:
        """The initial state of each layer and direction."""
        count, dtype = len(self.suffixes()), self.state_dtype(x, self.weights("_l0"))
        batch, _ = self.batch_and_steps(x)
        if state is None:
            return [self.zero_state((batch,), dtype)] * count
        tensors = self.check_state(state, (count, batch), dtype)
        return [tuple(tensor[i] for tensor in tensors) for i in range(count)]

    def step_mask(self, lengths: Any, x: Tensor) -> Tensor:
        """The mask (T, N, 1) of steps within the lengths."""
        lengths = asarray(lengths)
        self.check_lengths(lengths, x)
        batch, steps = self.batch_and_steps(x)
        checked = take(arange(steps + 1), lengths)  # in a compiled function, this checks that lengths are in 0..T
        return arange(steps).reshape((steps, 1, 1)) < checked.reshape((1, batch, 1))

    def check_lengths(self, lengths: Tensor, x: Tensor) -> None:
        what, where = layer_and_location(self, lengths)
        if not is_integer(lengths.dtype):
            raise DTypeError(f"{what} needs integers as lengths, but they are {lengths.dtype}",
                             repair="lengths.astype(slopes.int64)", where=where)
        batch, steps = self.batch_and_steps(x)
        if lengths.shape != (batch,):
            raise ShapeError(f"{what} needs lengths of shape {(batch,)}, but they are {lengths.shape}",
                             why="each sequence of the batch has one length", where=where)
        values = known_value(lengths)
        if values is None:  # while tracing
            return
        invalid = np.flatnonzero((values < 0) | (values > steps))
        if invalid.size:
            raise OutOfRangeError(f"{what}: lengths[{invalid[0]}] is {values[invalid[0]]}, but x {tuple(x.shape)} has {steps} steps",
                                  why=f"{len(invalid)} of {len(values)} lengths are not from 0 to {steps}", where=where)

    def check_input(self, x: Tensor) -> None:
        if x.ndim != 3 or x.shape[2] != self.input_size:
            what, where = layer_and_location(self, x)
            axes = "batch, time" if self.batch_first else "time, batch"
            raise ShapeError(f"{what} needs x of shape ({axes}, {self.input_size}), but x is {tuple(x.shape)}",
                             repair=self.repair(tuple(x.shape)), where=where)
        if not self.batch_and_steps(x)[1]:
            what, where = layer_and_location(self, x)
            raise ShapeError(f"{what} needs at least one step, but x is {tuple(x.shape)}",
                             repair="pad empty sequences to one step, and pass lengths= with 0 for them",
                             where=where)

    def repair(self, shape: tuple[int, ...]) -> str:
        if len(shape) == 2 and shape[1] == self.input_size:
            sequence, step = ("x[None]", "x[:, None]") if self.batch_first else ("x[:, None]", "x[None]")
            return f"for one sequence, {sequence}; for one step of a batch, {step}"
        if len(shape) == 2 and self.input_size == 1:
            return "for one value per step, x[:, :, None]"
        if len(shape) == 3 and shape[1] == self.input_size:
            return f"axis 1 is {shape[1]}: put it last with x.permute_dims((0, 2, 1))"
        return f"build it for this width, nn.{type(self).__name__}({shape[2]}, ...)" if len(shape) == 3 else ""

    def details(self) -> str:
        layers = "" if self.num_layers == 1 else f", {self.num_layers} layers"
        return super().details() + layers + (", bidirectional" if self.bidirectional else "")


class RNN(Elman, Recurrent):
    """Elman's network, h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), f = tanh or ReLU, with `num_layers` layers, each of which
    reads the outputs of the previous one.

    x: (time, batch, input_size) -> (outputs, state): outputs (time, batch, hidden_size) are the h_t of the last layer, state
    (layers, batch, hidden_size) the last h of each layer; pass it as the second argument to continue (the default is zeros).
    With batch_first=True, x is (batch, time, input_size) and outputs are (batch, time, hidden_size); states stay as they are.
    bidirectional: a second unit reads backwards; outputs are (batch, time, 2 hidden_size), states (2 layers, ...), forward
    before backward. lengths (batch,), integers from 0 to time: the state of a sequence is that at its end, outputs after it are
    0, and the backward direction starts there; values of x after it have no effect.

    dropout: dropout of the outputs between layers, drawn independently for each step. input_dropout and hidden_dropout: dropout of
    each layer's inputs and of the h in the product with W_hh, drawn once for all steps (variational dropout).

    weight_ih_l0: (hidden_size, input_size), weight_hh_l0: (hidden_size, hidden_size), bias_ih_l0 and bias_hh_l0: (hidden_size,);
    _l1 ... for further layers, _l0_reverse ... for the backward direction: names, shapes and order are PyTorch's. All are initially
    uniform in (-1/sqrt(hidden_size), 1/sqrt(hidden_size)); nn.init.orthogonal(layer.weight_hh_l0) preserves norms longer.
    Raises ShapeError for another x or state, OutOfRangeError for lengths outside 0..time.
    Sources: Elman, "Finding structure in time", 1990; Gal and Ghahramani, "A theoretically grounded application of dropout in
    recurrent neural networks", 2016.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> outputs, state = nn.RNN(3, 4, batch_first=True)(sl.ones((5, 7, 3)))
    >>> outputs.shape, state.shape
    ((5, 7, 4), (1, 5, 4))
    """

    constraints = {**SIZES, "nonlinearity": NONLINEARITY}

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None, *,
                 input_dropout: float = 0.0, hidden_dropout: float = 0.0) -> None:
        self.make(input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
                  bidirectional=bidirectional, device=device, dtype=dtype, input_dropout=input_dropout, hidden_dropout=hidden_dropout,
                  nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity

    def details(self) -> str:
        return super().details() + (", relu" if self.nonlinearity == "relu" else "")


class LSTM(LongShortTerm, Recurrent):
    """Long short-term memory: gates i, f, o = sigmoid(W x_t + U h_(t-1) + b), candidate g = tanh(W_g x_t + U_g h_(t-1) + b_g),
    c_t = f c_(t-1) + i g, h_t = o tanh(c_t).

    x: (time, batch, input_size) -> (outputs, (h, c)): outputs (time, batch, hidden_size), h and c (layers, batch, hidden_size).
    With proj_size=p > 0, h_t = W_hr (o tanh(c_t)) has p features instead of hidden_size, and weight_hr_l0: (p, hidden_size).
    The other arguments, lengths, dropout and errors are those of RNN. weight_ih_l0: (4 hidden_size, input_size), the rows of i, f,
    g, o stacked, weight_hh_l0: (4 hidden_size, hidden_size); names, order and initial values are PyTorch's: the forget gate has
    initial biases near 0, so it is half open. forget_bias=1.0 sets them to 1 (in bias_ih; bias_hh is 0 there), for longer
    memory at the start. nn.init.orthogonal(layer.weight_hh_l0, blocks=4) initializes each gate separately.
    Sources: Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber, Cummins, "Learning to forget", 2000; Jozefowicz, Zaremba,
    Sutskever, "An empirical exploration of recurrent network architectures", 2015 (forget_bias); Sak, Senior, Beaufays, "Long
    short-term memory recurrent neural network architectures", 2014 (proj_size).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    >>> outputs, (h, c) = layer(sl.ones((5, 7, 3)), lengths=[7, 2, 0, 1, 5])
    >>> outputs.shape, h.shape, c.shape
    ((5, 7, 8), (4, 5, 4), (4, 5, 4))
    >>> float(abs(outputs[1, 2:]).max())
    0.0
    """

    constraints = {**SIZES, "proj_size": NATURAL, "forget_bias": OPTIONAL_REAL}

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None, *,
                 input_dropout: float = 0.0, hidden_dropout: float = 0.0, forget_bias: float | None = None) -> None:
        check("LSTM", {"proj_size": NATURAL}, {"proj_size": proj_size})
        self.proj_size = int(proj_size)
        self.make(input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
                  bidirectional=bidirectional, device=device, dtype=dtype, input_dropout=input_dropout, hidden_dropout=hidden_dropout,
                  forget_bias=forget_bias)
        for suffix in self.suffixes():
            self.set_forget_bias(self.weights(suffix), forget_bias)


class GRU(GatedUnit, Recurrent):
    """The gated recurrent unit: r, z = sigmoid(W x_t + U h_(t-1) + b), n = tanh(W_n x_t + b_n + r (U_n h_(t-1) + b_n')),
    h_t = z h_(t-1) + (1 - z) n.

    There are four conventions, and weights of one are useless in another. reset="after" (PyTorch, cuDNN; the default) multiplies
    by r after the product with U_n, as above; reset="before" before it, n = tanh(W_n x_t + b_n + U_n (r h_(t-1)) + b_n'), as in
    Cho et al. With update="keeps" (PyTorch and Cho et al.; the default), z is the weight of the old state; with
    update="replaces" (many textbooks, after Chung et al.), h_t = (1 - z) h_(t-1) + z n.

    x: (time, batch, input_size) -> (outputs, state); the other arguments, lengths, dropout and errors are those of RNN.
    weight_ih_l0: (3 hidden_size, input_size), the rows of r, z, n stacked, weight_hh_l0: (3 hidden_size, hidden_size);
    names, order and initial values are PyTorch's. nn.init.orthogonal(layer.weight_hh_l0, blocks=3) treats each gate separately.
    Sources: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014; Chung et al., "Empirical evaluation of
    gated recurrent neural networks on sequence modeling", 2014.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> outputs, state = nn.GRU(3, 4, batch_first=True, reset="before")(sl.ones((5, 7, 3)))
    >>> outputs.shape, state.shape
    ((5, 7, 4), (1, 5, 4))
    """

    constraints = {**SIZES, "reset": RESET, "update": UPDATE}

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None, *, reset: str = "after",
                 update: str = "keeps", input_dropout: float = 0.0, hidden_dropout: float = 0.0) -> None:
        self.make(input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
                  bidirectional=bidirectional, device=device, dtype=dtype, input_dropout=input_dropout, hidden_dropout=hidden_dropout,
                  reset=reset, update=update)
        self.reset, self.update = reset, update

    def details(self) -> str:
        return super().details() + conventions(self)


def conventions(unit: GatedUnit) -> str:
    """The arguments of a GRU that differ from PyTorch's conventions."""
    return (", reset='before'" if unit.reset == "before" else "") + (", update='replaces'" if unit.update == "replaces" else "")


def detached(state: Any) -> Any:
    """The state without its history: gradients stop here (truncated backpropagation through time).

    state: a tensor or a tree of tensors, such as an LSTM's (h, c).
    Source: Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories", 1990.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> outputs, state = nn.GRU(3, 4)(sl.ones((5, 7, 3)))
    >>> state.requires_grad, nn.detached(state).requires_grad
    (True, False)
    """
    return map_tree(lambda tensor: tensor.detach(), state)
