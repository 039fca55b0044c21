"""GPT: a transformer that reads from left to right and says at each position what comes next."""

from __future__ import annotations

import math

from .. import nn
from ..functions import arange, minimum, take_along_axis, zeros
from ..graph.dtype import int64
from ..ops.composite import concat, where
from ..tensor import Tensor


class GPT(nn.Module):
    """The logits of the next token, for each position of a sequence.

    tokens: integers (N, L), 0 <= token < vocabulary, L <= context; y: (N, L, vocabulary), where y[:, t] has seen the tokens 0 to t.
    `begin` and `step` write token by token. Layers are pre-norm with GELU and no biases, unless `bias` (GPT-2 has them, and
    activation="gelu_tanh"); the output's weights are the embedding's (tied). All weights start normal with deviation 0.02, the last
    ones before each sum with 0.02 / sqrt(2 depth), biases at 0.
    Source: Radford et al., "Language models are unsupervised multitask learners", 2019; sizes as in nanoGPT.

    >>> import slopes as sl
    >>> net = GPT(vocabulary=65, context=16, width=32, depth=2, heads=4)
    >>> net(sl.tensor([[1, 2, 3], [4, 5, 6]])).shape
    (2, 3, 65)
    >>> logits, state = net.step(sl.tensor([1, 4]), net.begin(2))
    >>> logits.shape
    (2, 65)
    """

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int, dropout: float = 0.0, bias: bool = False,
                 activation: str = "gelu", eps: float = 1e-5) -> None:
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.LearnedEncoding(context, width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, activation, eps, batch_first=True, norm_first=True, bias=bias)
        self.decoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width, eps, bias=bias))
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.tie(self.words, self.head)
        self.context = context
        self.draw(depth)

    def draw(self, depth: int) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                last = name.endswith(("out_proj.weight", "linear2.weight"))
                nn.init.normal(parameter, std=0.02 / math.sqrt(2 * depth) if last else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.dropout(self.positions(self.words(tokens)))  # (N, L, width)
        return self.head(self.decoder(x, is_causal=True))

    def begin(self, rows: int) -> dict[str, Tensor]:
        """The state before the first token, for `rows` texts; the first axis counts texts."""
        return {"tokens": zeros((rows, self.context), int64), "count": zeros((rows, 1), int64)}

    def step(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """(logits (N, vocabulary), state) after one more token (N,); the last `context` tokens are read again."""
        seen, count, new = state["tokens"], state["count"], tokens.reshape((-1, 1))
        moved = where(count < self.context, seen, concat([seen[:, 1:], new], axis=1))
        position = minimum(count, self.context - 1)
        seen = where(arange(self.context).reshape((1, -1)) == position, new, moved)
        logits = self(seen)
        here = position.reshape((-1, 1, 1)).broadcast_to((len(tokens), 1, logits.shape[2]))
        return take_along_axis(logits, here, axis=1)[:, 0], {"tokens": seen, "count": count + 1}


def char_gpt(vocabulary: int = 65, context: int = 64, width: int = 128, depth: int = 4, heads: int = 4,
             dropout: float = 0.0) -> nn.Module:
    """nanoGPT's small model for a CPU, over characters: 804,096 parameters, 795,904 (0.80 M) without those of the positions."""
    return GPT(vocabulary, context, width, depth, heads, dropout)
