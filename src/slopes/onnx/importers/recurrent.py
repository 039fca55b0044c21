"""RNN, LSTM and GRU, of one layer in one or two directions."""

from __future__ import annotations

from collections.abc import Callable

from ... import functions as f
from ...tensor import Tensor
from ..call import Call
from ..operators import operator

State = tuple[Tensor, ...]
ACTIVATIONS: dict[str, Callable[[Tensor, float | None, float | None], Tensor]] = {
    "affine": lambda x, a, b: (1.0 if a is None else a) * x + (b or 0.0),
    "elu": lambda x, a, b: f.elu(x, 1.0 if a is None else a),
    "hardsigmoid": lambda x, a, b: f.clip((0.2 if a is None else a) * x + (0.5 if b is None else b), 0, 1),
    "leakyrelu": lambda x, a, b: f.leaky_relu(x, 0.01 if a is None else a),
    "relu": lambda x, a, b: f.relu(x),
    "scaledtanh": lambda x, a, b: (1.0 if a is None else a) * f.tanh((1.0 if b is None else b) * x),
    "sigmoid": lambda x, a, b: f.sigmoid(x),
    "softplus": lambda x, a, b: f.softplus(x),
    "softsign": lambda x, a, b: x / (1 + f.abs(x)),
    "tanh": lambda x, a, b: f.tanh(x),
    "thresholdedrelu": lambda x, a, b: f.where(x > (1.0 if a is None else a), x, 0),
}
TWO_PARAMETERS = ("affine", "hardsigmoid", "scaledtanh")  # activations that take both alpha and beta
ONE_PARAMETER = ("elu", "leakyrelu", "thresholdedrelu")


class Gates:
    """The weights and activations of one direction."""

    def __init__(self, call: Call, functions: list[Callable[[Tensor], Tensor]], w: Tensor, r: Tensor, bias: Tensor | None,
                 peephole: Tensor | None = None) -> None:
        self.call, self.functions, self.size = call, functions, r.shape[1]
        self.w, self.r, self.peephole = w, r, peephole
        half = w.shape[0]
        self.input_bias = f.zeros((half,), w.dtype) if bias is None else bias[:half]
        self.hidden_bias = f.zeros((half,), w.dtype) if bias is None else bias[half:]

    def part(self, x: Tensor, i: int) -> Tensor:
        """The values of gate i along the last axis."""
        return x[..., i * self.size:(i + 1) * self.size]

    def limited(self, x: Tensor) -> Tensor:
        """x within the clip of the node."""
        limit = self.call["clip"]
        return x if limit is None else f.clip(x, -limit, limit)


def elman(gates: Gates, state: State, projected: Tensor) -> State:
    """h' = f(W x + R h + b)."""
    (h,) = state
    return (gates.functions[0](gates.limited(projected + h @ gates.r.T + gates.hidden_bias)),)


def lstm_cell(gates: Gates, state: State, projected: Tensor) -> State:
    """Gates in the order i, o, f, c; peepholes from the cell to i, f (old cell) and o (new cell)."""
    (h, c), (sigma, cell, output) = state, gates.functions
    z = projected + h @ gates.r.T + gates.hidden_bias
    pi, po, pf = (0.0, 0.0, 0.0) if gates.peephole is None else (gates.part(gates.peephole, i) for i in range(3))
    i = sigma(gates.limited(gates.part(z, 0) + pi * c))
    forget = 1 - i if gates.call["input_forget"] else sigma(gates.limited(gates.part(z, 2) + pf * c))
    new = forget * c + i * cell(gates.limited(gates.part(z, 3)))
    o = sigma(gates.limited(gates.part(z, 1) + po * new))
    return o * output(new), new


def gru_cell(gates: Gates, state: State, projected: Tensor) -> State:
    """Gates in the order z, r, h."""
    (h,), (sigma, hidden) = state, gates.functions
    two = 2 * gates.size
    zr = sigma(gates.limited(projected[..., :two] + h @ gates.r[:two].T + gates.hidden_bias[:two]))
    z, r = gates.part(zr, 0), gates.part(zr, 1)
    if gates.call["linear_before_reset"]:
        recurrent = r * (h @ gates.r[two:].T + gates.hidden_bias[two:])
    else:
        recurrent = (r * h) @ gates.r[two:].T + gates.hidden_bias[two:]
    return ((1 - z) * hidden(gates.limited(projected[..., two:] + recurrent)) + z * h,)


@operator("RNN", statistics=(5,))
def rnn(call: Call, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
        h: Tensor | None = None) -> tuple[Tensor, ...]:
    return run(call, elman, 1, x, w, r, b, lengths, [h], None)


@operator("GRU", statistics=(5,))
def gru(call: Call, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
        h: Tensor | None = None) -> tuple[Tensor, ...]:
    return run(call, gru_cell, 2, x, w, r, b, lengths, [h], None)


@operator("LSTM", statistics=(5, 6))
def lstm(call: Call, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None, h: Tensor | None = None,
         c: Tensor | None = None, peephole: Tensor | None = None) -> tuple[Tensor, ...]:
    return run(call, lstm_cell, 3, x, w, r, b, lengths, [h, c], peephole)


def run(call: Call, cell: Callable[[Gates, State, Tensor], State], count: int, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None,
        lengths: Tensor | None, starts: list[Tensor | None], peephole: Tensor | None) -> tuple[Tensor, ...]:
    """All outputs (time, directions, batch, hidden), and the last states (directions, batch, hidden)."""
    if call["layout"]:
        x = x.permute_dims((1, 0, 2))
        starts = [start if start is None else start.permute_dims((1, 0, 2)) for start in starts]
    functions = activations(call, count, w.shape[0])
    outputs, ends = [], []
    for i in range(w.shape[0]):
        gates = Gates(call, functions[i], w[i], r[i], None if b is None else b[i], None if peephole is None else peephole[i])
        start = tuple(f.zeros((x.shape[1], r.shape[2]), x.dtype) if start is None else start[i] for start in starts)
        end, output = one_direction(cell, gates, x, start, lengths, call["direction"] == "reverse" or i == 1)
        outputs.append(output)
        ends.append(end)
    results = [f.stack(outputs, axis=1), *(f.stack(list(column), axis=0) for column in zip(*ends))]
    if call["layout"]:
        results = [results[0].permute_dims((2, 0, 1, 3)), *(result.permute_dims((1, 0, 2)) for result in results[1:])]
    return tuple(results)


def one_direction(cell: Callable[[Gates, State, Tensor], State], gates: Gates, x: Tensor, start: State, lengths: Tensor | None,
                  reverse: bool) -> tuple[State, Tensor]:
    """The last state and all outputs; beyond the length of a sequence the state stays, and outputs are 0."""
    projected = x @ gates.w.T + gates.input_bias
    if lengths is None:
        def step(state: State, z: Tensor) -> tuple[State, Tensor]:
            new = cell(gates, state, z)
            return new, new[0]

        return f.scan(step, start, projected, reverse=reverse)
    steps = x.shape[0]
    inside = f.arange(steps).reshape((steps, 1, 1)) < lengths.reshape((1, -1, 1))

    def step_inside(state: State, element: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        z, alive = element
        new = tuple(f.where(alive, after, before) for after, before in zip(cell(gates, state, z), state))
        return new, f.where(alive, new[0], 0)

    return f.scan(step_inside, start, (projected, inside), reverse=reverse)


def activations(call: Call, count: int, directions: int) -> list[list[Callable[[Tensor], Tensor]]]:
    """The functions of each direction, with their parameters."""
    names = call["activations"] or {1: ["Tanh"], 2: ["Sigmoid", "Tanh"], 3: ["Sigmoid", "Tanh", "Tanh"]}[count] * directions
    alphas, betas = list(call["activation_alpha"] or []), list(call["activation_beta"] or [])
    bound = [bind(call, name.lower(), alphas, betas) for name in names]
    return [bound[i * count:(i + 1) * count] for i in range(directions)]


def bind(call: Call, name: str, alphas: list[float], betas: list[float]) -> Callable[[Tensor], Tensor]:
    """An activation with the next parameters of the lists, if it takes any."""
    if name not in ACTIVATIONS:
        raise call.unsupported(f"activation {name!r}")
    alpha = alphas.pop(0) if alphas and name in ONE_PARAMETER + TWO_PARAMETERS else None
    beta = betas.pop(0) if betas and name in TWO_PARAMETERS else None

    def apply(x: Tensor) -> Tensor:
        return ACTIVATIONS[name](x, alpha, beta)

    return apply


