"""BERT: a transformer encoder that reads a text in both directions, and its published weights."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..checkpoints import Checkpoint, Source, WeightMap, read_checkpoint
from ..checkpoints.folder import Config, pretrained_folder
from ..checkpoints.network import load_network
from ..files.reading import Path
from ..nn.transformer import make_dropout
from ..ops.composite import affine
from ..tensor import Tensor

ACTIVATIONS = {"gelu": "gelu", "relu": "relu"}  # those of configurations
LAYER = "encoder.layer.{i}."
WEIGHTS = WeightMap({
    "words.weight": "embeddings.word_embeddings.weight",
    "positions.weight": "embeddings.position_embeddings.weight",
    "segments.weight": "embeddings.token_type_embeddings.weight",
    "norm.{p}": "embeddings.LayerNorm.{p}",
    "encoder.layers.{i}.self_attn.in_proj_{p}": Source(tuple(f"{LAYER}attention.self.{part}.{{p}}" for part in ("query", "key", "value"))),
    "encoder.layers.{i}.self_attn.out_proj.{p}": LAYER + "attention.output.dense.{p}",
    "encoder.layers.{i}.norm1.{p}": LAYER + "attention.output.LayerNorm.{p}",
    "encoder.layers.{i}.linear1.{p}": LAYER + "intermediate.dense.{p}",
    "encoder.layers.{i}.linear2.{p}": LAYER + "output.dense.{p}",
    "encoder.layers.{i}.norm2.{p}": LAYER + "output.LayerNorm.{p}",
    "pooler.{p}": "pooler.dense.{p}",
}, unused=["embeddings.position_ids", "cls.*", "classifier.*", "qa_outputs.*"], kept=["pooler.*"])


class BERT(nn.Module):
    """A vector for each position of a text, which depends on all others.

    tokens: integers (N, L), 0 <= token < vocabulary, L <= context, rows filled up with `padding`, which nothing depends on; segments:
    integers (N, L), by default 0: which of two texts a token is of; y: (N, L, width). Layers are post-norm; the sum of the three
    embeddings is normalized. `pooled` makes one vector of a text. All weights start normal with deviation 0.02.
    Source: Devlin et al., "BERT: pre-training of deep bidirectional transformers for language understanding", 2019.

    >>> import slopes as sl
    >>> net = BERT(vocabulary=50, context=16, width=8, depth=2, heads=2, hidden=16)
    >>> y = net(sl.tensor([[2, 5, 7, 3], [2, 9, 3, 0]]))
    >>> y.shape, net.pooled(y).shape
    ((2, 4, 8), (2, 8))
    """

    def __init__(self, vocabulary: int, context: int = 512, width: int = 768, depth: int = 12, heads: int = 12, hidden: int = 3072,
                 kinds: int = 2, dropout: float = 0.1, activation: str = "gelu", eps: float = 1e-12, padding: int = 0) -> None:
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.LearnedEncoding(context, width)
        self.segments = nn.Embedding(kinds, width)
        self.norm = nn.LayerNorm(width, eps)
        self.dropout = make_dropout(dropout)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, heads, hidden, dropout, activation, eps, batch_first=True), depth)
        self.pooler = nn.Linear(width, width)
        self.padding = padding
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal(parameter, std=0.02)

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> Tensor:
        kind = self.segments.weight[0] if segments is None else self.segments(segments)
        x = self.dropout(self.norm(self.positions(self.words(tokens)) + kind))  # (N, L, width)
        return self.encoder(x, src_key_padding_mask=tokens == self.padding)

    def pooled(self, y: Tensor) -> Tensor:
        """tanh of a dense layer on the first position: (N, L, width) -> (N, width)."""
        return affine(y[:, 0], self.pooler.weight, self.pooler.bias).tanh()


def from_pretrained(folder: Path, dropout: float | None = None) -> BERT:
    """The BERT in a folder with config.json and weights in Hugging Face's names (or a repository's name), in eval mode.

    The heads of other tasks are left out; a missing pooler keeps its initial values. Raises DataError for configurations that this
    network does not have, StateError for weights of other shapes.
    """
    folder = pretrained_folder(folder)
    config = Config(folder)
    config.choice("model_type", {"bert": None})
    config.choice("position_embedding_type", {"absolute": None}, "absolute")
    checkpoint = public_names(read_checkpoint(folder))
    arguments: dict[str, Any] = {
        "vocabulary": config.count("vocab_size"), "context": config.count("max_position_embeddings"), "width": config.count("hidden_size"),
        "depth": config.count("num_hidden_layers", most=len(checkpoint)), "heads": config.count("num_attention_heads"),
        "hidden": config.count("intermediate_size"), "kinds": config.count("type_vocab_size"),
        "dropout": config.real("hidden_dropout_prob", 0.1) if dropout is None else dropout,
        "activation": config.choice("hidden_act", ACTIVATIONS), "eps": config.real("layer_norm_eps", 1e-12),
        "padding": config.index("pad_token_id")}
    return load_network(lambda: BERT(**arguments), WEIGHTS, checkpoint)


def public_names(checkpoint: Checkpoint) -> Checkpoint:
    """The names of the bare model: without the prefix of models with a head, and without TensorFlow's names of a norm's weights."""
    return checkpoint.rename({r"^bert\.": "", r"\.gamma$": ".weight", r"\.beta$": ".bias"})
