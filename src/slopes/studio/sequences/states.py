"""What a recurrent network computes while it reads: states, gates, probabilities, and the gradients that flow back through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compile import compile
from ...derivatives import grad
from ...functions import scan, softmax
from ...modes import no_grad
from ...nn.losses import cross_entropy
from ...tensor import Tensor
from ...train.mode import Mode
from ...zoo.language import LanguageModel


@dataclass(frozen=True)
class Reading:
    """What happens at each step of a text: states (h, and c of an LSTM) and gates by name, each (T, hidden); and probabilities
    (T, characters) of the next one."""

    states: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    probabilities: np.ndarray


class StateReader:
    """Compiled functions that read a text (T,) step by step with the layer's own formulas, once for each length."""

    def __init__(self, net: LanguageModel) -> None:
        self.net, self.unit = net, net.memory
        self.reading = compile(self.read_states)
        self.slopes = compile(grad(self.last_loss))

    def run(self, tokens: Tensor, nudges: Any = None) -> tuple[Any, Any, Tensor]:
        """(states, gates, logits) of all steps; with nudges, trees of (T, 1, hidden) like the state, these are added to the states."""
        weights = self.unit.weights("_l0")

        def step(state: Any, element: Any) -> tuple[Any, Any]:
            x, nudge = (element, None) if nudges is None else element
            gates = self.unit.gate_values(x, state[0], weights)
            new = self.unit.next_state(gates, state, weights)
            new = new if nudge is None else tuple(part + small for part, small in zip(new, nudge))
            return new, (new, gates)

        x = self.net.words(tokens).reshape((tokens.shape[0], 1, -1))
        start = self.unit.zero_state((1,), x.dtype)
        _, (states, gates) = scan(step, start, x if nudges is None else (x, nudges))
        return states, gates, self.net.head(states[0])

    def read_states(self, tokens: Tensor) -> tuple[Any, Any, Tensor]:
        """States, gates and probabilities of all steps."""
        states, gates, logits = self.run(tokens)
        return states, gates, softmax(logits, axis=-1)

    def last_loss(self, nudges: Any, tokens: Tensor, target: Tensor) -> Tensor:
        """The loss of the last step alone, as a function of what is added to the states."""
        _, _, logits = self.run(tokens, nudges)
        return cross_entropy(logits[-1], target)

    def read(self, tokens: np.ndarray) -> Reading:
        """States, gates and probabilities for a text (T,)."""
        with Mode(self.net, training=False, quiet=True), no_grad():
            states, gates, probabilities = self.reading(tokens)
        return Reading({name: rows(value) for name, value in zip("hc", states)},
                       {name: rows(value) for name, value in zip(self.unit.gate_names, gates)}, rows(probabilities))

    def gradient_norms(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """|d loss / d h_t| of each step t, and |d loss / d c_t| of an LSTM, where the loss is that of the last character alone.

        tokens: (T + 1,); all paths from the state of step t to the loss count. Source: Pascanu, Mikolov, Bengio, "On the difficulty of
        training recurrent neural networks", 2013.
        """
        zeros = np.zeros((len(tokens) - 1, 1, self.unit.hidden_size), np.float32)
        with Mode(self.net, training=False, quiet=True):
            slopes = self.slopes((zeros,) * self.unit.parts, tokens[:-1], tokens[-1:])
        return {name: np.sqrt((rows(slope).astype(np.float64) ** 2).sum(axis=1)) for name, slope in zip("hc", slopes)}

    def contributions(self, tokens: np.ndarray, hidden: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """What the character and the state before add to each gate of a unit, before its nonlinearity: (T, gates) each, float32.

        The first is W_ih x_t, the second W_hh h_(t-1), without the biases; a GRU's candidate takes the second times r.
        """
        weights, size = self.unit.weights("_l0"), self.unit.hidden_size
        chosen = np.arange(self.unit.gates) * size + unit
        inputs = self.net.words.weight.detach().numpy()[tokens]
        before = np.concatenate([np.zeros((1, size), np.float32), hidden[:-1]])
        from_input, from_state = (matrix.detach().numpy()[chosen] for matrix in (weights.ih, weights.hh))
        return inputs @ from_input.T, before @ from_state.T


def rows(tensor: Tensor) -> np.ndarray:
    """(T, 1, features) as (T, features)."""
    array = np.array(tensor.numpy())
    return array.reshape(len(array), -1)
