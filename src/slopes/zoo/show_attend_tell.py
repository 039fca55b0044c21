"""From an image to a sentence about it: convolutions look, an LSTM writes, and looks again at each word where it helps."""

from __future__ import annotations

from .. import nn
from ..functions.attention import attention_weights
from ..nn.transformer import make_dropout
from ..ops.composite import concat, matmul, permute_dims
from ..tensor import Tensor
from .shapes import features as count_features
from .tokens import rows_first


class Captioner(nn.Module):
    """The logits of each next word of a caption: features of each part of the image, an LSTM, and attention of it on the parts.

    Three convolutions with batch norm and pooling, and one more without pooling, give features m_j of each eighth of the height and
    width; p_j is learned for each position. The LSTM begins with tanh(W' m); with its output s_t after the words 0 to t:
    weights a_tj = softmax_j(s_t . W (m_j + p_j)), context c_t = sum_j a_tj m_j, h_t = tanh(V [c_t, s_t]), logits = U h_t + b.

    shape: (C, H, W), each side at least 8; images: (N, C, H, W), tokens: integers (N, T) that begin with the word for the
    beginning; y[:, t] (N, T, vocabulary) are the logits after tokens[:, t]. `attended` gives the attention map too; `begin` and
    `step` write word by word.
    Sources: Vinyals et al., "Show and tell: a neural image caption generator", 2015; Xu et al., "Show, attend and tell", 2015 (the
    first state from the image, soft attention).

    >>> import slopes as sl
    >>> net = Captioner((1, 16, 24), vocabulary=12, filters=4, width=8, hidden=6)
    >>> images, tokens = sl.zeros((2, 1, 16, 24)), sl.tensor([[2, 5, 6], [2, 7, 0]])
    >>> logits, weights = net.attended(images, tokens)
    >>> logits.shape, weights.shape
    ((2, 3, 12), (2, 3, 6))
    >>> logits, state = net.step(sl.tensor([2, 2]), net.begin(images))
    >>> logits.shape
    (2, 12)
    """

    positions: nn.Parameter  # (positions, 4 filters)

    def __init__(self, shape: tuple[int, ...], vocabulary: int, filters: int = 16, width: int = 64, hidden: int = 128,
                 dropout: float = 0.2) -> None:
        self.look = nn.Sequential(*seen(shape[0], filters), nn.MaxPool2d(2), *seen(filters, 2 * filters), nn.MaxPool2d(2),
                                  *seen(2 * filters, 4 * filters), nn.MaxPool2d(2), *seen(4 * filters, 4 * filters))
        count = count_features(self.look, shape)
        self.positions = nn.init.normal(nn.init.blank((count // (4 * filters), 4 * filters)), std=0.1)
        self.handover = nn.Linear(count, 2 * hidden)
        self.words = nn.Embedding(vocabulary, width, 0)
        self.memory = nn.LSTM(width, hidden, batch_first=True)
        self.keys = nn.Linear(4 * filters, hidden, bias=False)
        self.mix = nn.Linear(4 * filters + hidden, hidden, bias=False)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        return self.attended(images, tokens)[0]

    def attended(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(logits (N, T, vocabulary), weights (N, T, positions)): how much each word to come looks at each position, row by row."""
        logits, weights, _ = self.write(tokens, self.begin(images))
        return logits, weights

    def begin(self, images: Tensor) -> dict[str, Tensor]:
        """What the writer needs, before it has written anything; the first axis counts images."""
        features = self.look(images)
        rows, channels = features.shape[:2]
        both = self.handover(self.dropout(features.reshape((rows, -1)))).tanh()
        hidden = both.shape[1] // 2
        return {"h": both[:, :hidden].reshape((rows, 1, hidden)), "c": both[:, hidden:].reshape((rows, 1, hidden)),
                "parts": permute_dims(features.reshape((rows, channels, -1)), (0, 2, 1))}

    def step(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """(logits (N, vocabulary), state) after one more word (N,)."""
        logits, _, state = self.write(tokens.reshape((-1, 1)), state)
        return logits[:, 0], state

    def write(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        parts = state["parts"]
        outputs, last = self.memory(self.dropout(self.words(tokens)), rows_first((state["h"], state["c"])))
        weights = attention_weights(outputs, self.keys(parts + self.positions), scale=1.0)
        mixed = self.mix(concat([matmul(weights, parts), outputs], axis=2)).tanh()
        h, c = rows_first(last)
        return self.head(self.dropout(mixed)), weights, {"h": h, "c": c, "parts": parts}


def seen(before: int, after: int) -> list[nn.Module]:
    """A 3x3 convolution that keeps the size, batch norm and ReLU."""
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
