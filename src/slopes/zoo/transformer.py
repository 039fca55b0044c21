"""The transformer that translates: an encoder that sees the whole source, a decoder that sees it and what it has written."""

from __future__ import annotations

import math
from typing import Any

from .. import nn
from ..functions import arange, take_along_axis, zeros
from ..graph.dtype import int64
from ..nn.transformer import make_dropout
from ..ops.composite import where
from ..tensor import Tensor


class Transformer(nn.Module):
    """The logits of each next word of a translation.

    source: integers (N, S), target: integers (N, T), both filled up with 0 at their ends; the target begins with its word for the
    beginning, and y[:, t] (N, T, target_words) are the logits after target[:, t]. Embeddings are scaled by sqrt(width), positions
    are sinusoids; layers are post-norm with ReLU as published, or pre-norm with norm_first=True (which needs no warm-up). The last
    layer's weights are the target's embedding (tied). As published ("base": width 512, depth 6, heads 8, hidden 2048), 44,138,496
    parameters without the two embeddings and the last bias. `begin` and `step` write word by word.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import slopes as sl
    >>> net = Transformer(source_words=20, target_words=30, width=8, depth=1, heads=2, hidden=16)
    >>> source, target = sl.tensor([[4, 5, 6], [7, 0, 0]]), sl.tensor([[2, 9, 9, 8], [2, 5, 0, 0]])
    >>> net(source, target).shape
    (2, 4, 30)
    >>> logits, state = net.step(sl.tensor([2, 2]), net.begin(source, length=10))
    >>> logits.shape
    (2, 30)
    """

    def __init__(self, source_words: int, target_words: int, width: int = 512, depth: int = 6, heads: int = 8, hidden: int = 2048,
                 dropout: float = 0.1, norm_first: bool = False) -> None:
        options: dict[str, Any] = {"batch_first": True, "norm_first": norm_first}
        self.source = nn.Embedding(source_words, width, 0)
        self.target = nn.Embedding(target_words, width, 0)
        self.positions = nn.SinusoidalEncoding(width)
        self.dropout = make_dropout(dropout)
        reading = nn.TransformerEncoderLayer(width, heads, hidden, dropout, **options)
        writing = nn.TransformerDecoderLayer(width, heads, hidden, dropout, **options)
        self.encoder = nn.TransformerEncoder(reading, depth, nn.LayerNorm(width) if norm_first else None)
        self.decoder = nn.TransformerDecoder(writing, depth, nn.LayerNorm(width) if norm_first else None)
        self.head = nn.Linear(width, target_words)
        self.width = width
        for table in (self.source, self.target):
            nn.init.normal(table.weight, std=width ** -0.5)
            nn.init.set_rows(table.weight, 0, 1, 0.0)
        nn.tie(self.target, self.head)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.write(target, self.read(source), source == 0)

    def read(self, source: Tensor) -> Tensor:
        """What the encoder makes of the source: (N, S, width)."""
        return self.encoder(self.embedded(self.source, source), src_key_padding_mask=source == 0)

    def write(self, target: Tensor, memory: Tensor, hidden: Tensor) -> Tensor:
        """The logits (N, T, target_words), given the encoder's memory and which of its positions are hidden."""
        y = self.decoder(self.embedded(self.target, target), memory, tgt_is_causal=True, memory_key_padding_mask=hidden)
        return self.head(y)

    def embedded(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return self.dropout(self.positions(table(tokens) * math.sqrt(self.width)))

    def begin(self, source: Tensor, length: int = 50) -> dict[str, Tensor]:
        """The state before the first word of at most `length`; the first axis counts sentences."""
        rows = source.shape[0]
        return {"memory": self.read(source), "hidden": source == 0, "written": zeros((rows, length), int64),
                "position": zeros((rows, 1), int64)}

    def step(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """(logits (N, target_words), state) after one more word (N,); all words before are read again."""
        position, rows = state["position"], tokens.shape[0]
        length = state["written"].shape[1]
        written = where(arange(length).reshape((1, length)) == position, tokens.reshape((rows, 1)), state["written"])
        logits = self.write(written, state["memory"], state["hidden"])
        here = position.reshape((rows, 1, 1)).broadcast_to((rows, 1, logits.shape[2]))
        return take_along_axis(logits, here, axis=1)[:, 0], {**state, "written": written, "position": position + 1}
