"""From a sentence to another: a GRU reads, another one writes, and looks at each word where it helps."""

from __future__ import annotations

from .. import nn
from ..functions.attention import attention_weights
from ..nn.transformer import make_dropout
from ..ops.composite import concat, matmul, permute_dims
from ..tensor import Tensor
from .tokens import last_of_both, lengths_of


class Translator(nn.Module):
    """The logits of each next word of a translation: a GRU over the source in both directions, a GRU over the target, and
    attention of the second on the first.

    With the reader's outputs m_j (both directions) and the writer's state s_t of H numbers after the target's words 0 to t:
    weights a_tj = softmax_j(s_t . W m_j / sqrt(H)), context c_t = sum_j a_tj m_j, h_t = tanh(V [c_t, s_t]), logits = U h_t + b; the writer
    begins with s = tanh(W' [last states of the reader]).

    source: integers (N, S), target: integers (N, T), both filled up with 0 at their ends; the target begins with its word for
    the beginning, and y[:, t] (N, T, target_words) are the logits of the token after target[:, t]. `attended` gives the attention map too;
    `begin` and `step` write word by word.
    Sources: Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate", 2015; Luong, Pham,
    Manning, "Effective approaches to attention-based neural machine translation", 2015 (this form: global, "general" score;
    divided by sqrt(H), without which weights are 0 or 1 before they have learned where to look).

    >>> import slopes as sl
    >>> net = Translator(source_words=20, target_words=30, width=8, hidden=6)
    >>> source, target = sl.tensor([[4, 5, 6], [7, 0, 0]]), sl.tensor([[2, 9, 9, 8], [2, 5, 0, 0]])
    >>> logits, weights = net.attended(source, target)
    >>> logits.shape, weights.shape, [round(float(weight), 4) for weight in weights[1, 0]]
    ((2, 4, 30), (2, 4, 3), [1.0, 0.0, 0.0])
    >>> logits, state = net.step(sl.tensor([2, 2]), net.begin(source))
    >>> logits.shape
    (2, 30)
    """

    def __init__(self, source_words: int, target_words: int, width: int = 256, hidden: int = 256, dropout: float = 0.2) -> None:
        self.source = nn.Embedding(source_words, width, 0)
        self.target = nn.Embedding(target_words, width, 0)
        self.reader = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.handover = nn.Linear(2 * hidden, hidden)
        self.writer = nn.GRU(width, hidden, batch_first=True)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.mix = nn.Linear(3 * hidden, hidden, bias=False)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(hidden, target_words)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.attended(source, target)[0]

    def attended(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """(logits (N, T, target_words), weights (N, T, S)): how much each position of the target looks at each of the source."""
        logits, weights, _ = self.write(target, self.begin(source))
        return logits, weights

    def begin(self, source: Tensor) -> dict[str, Tensor]:
        """What the writer needs, before it has written anything; the first axis counts sentences."""
        memory, state = self.reader(self.dropout(self.source(source)), lengths=lengths_of(source))
        return {"h": self.handover(last_of_both(state, 1)).tanh(), "memory": memory, "seen": source != 0}

    def step(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """(logits (N, target_words), state) after one more word (N,)."""
        logits, _, state = self.write(tokens.reshape((-1, 1)), state)
        return logits[:, 0], state

    def write(self, target: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        memory, (rows, words) = state["memory"], state["seen"].shape
        outputs, last = self.writer(self.dropout(self.target(target)), state["h"].reshape((1, rows, -1)))
        weights = attention_weights(outputs, self.keys(memory), state["seen"].reshape((rows, 1, words)))
        mixed = self.mix(concat([matmul(weights, memory), outputs], axis=2)).tanh()
        return self.head(self.dropout(mixed)), weights, {**state, "h": permute_dims(last, (1, 0, 2)).reshape((rows, -1))}
