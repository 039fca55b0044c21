"""Transformer encoder and decoder layers and stacks: attention and feed-forward sublayers with residual connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..constraint import COUNT, FLAG, LAYERS, POSITIVE, SHARE, Constraint, check, one_of
from ..errors import missing_method
from ..ops.composite import gelu, relu
from ..tensor import Tensor, asarray
from .activations import Identity
from .attention import Mask, MultiheadAttention, clean_padding
from .dropout import Dropout
from .layer_norm import LayerNorm
from .linear import Linear
from .module import Module

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu, "gelu_tanh": partial(gelu, approximate="tanh")}


class TransformerBlock(Module):
    """The base class of TransformerEncoderLayer and TransformerDecoderLayer: arguments, residuals, feed-forward network."""

    self_attn: MultiheadAttention
    linear1: Linear  # (d_model -> dim_feedforward)
    linear2: Linear  # (dim_feedforward -> d_model)
    constraints = {"d_model": COUNT, "nhead": COUNT, "dim_feedforward": COUNT, "dropout": SHARE, "activation": one_of(*ACTIVATIONS),
                   "layer_norm_eps": POSITIVE, "batch_first": FLAG, "norm_first": FLAG, "bias": FLAG}

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: str = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True) -> None:
        self.arguments: dict[str, Any] = {"d_model": d_model, "nhead": nhead, "dim_feedforward": dim_feedforward, "dropout": dropout,
                          "activation": activation, "layer_norm_eps": layer_norm_eps, "batch_first": batch_first,
                          "norm_first": norm_first, "bias": bias}
        check(type(self).__name__, self.constraints, self.arguments)
        self.d_model, self.activation, self.norm_first = int(d_model), activation, norm_first
        for name in self.attentions():
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first))
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = make_dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        count = len(self.attentions()) + 1
        for i in range(1, count + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for i in range(1, count + 1):
            setattr(self, f"dropout{i}", make_dropout(dropout))

    def attentions(self) -> tuple[str, ...]:
        """The names of the attention layers, in order."""
        raise missing_method(self, "attentions")

    def fresh_copy(self) -> TransformerBlock:
        """A new layer with the same arguments and new initial values."""
        return type(self)(**self.arguments)

    def sublayer(self, i: int, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """x + f(x) with the i-th norm and dropout, normalized before f (norm_first) or after the sum."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        return x + dropout(function(norm(x))) if self.norm_first else norm(x + dropout(function(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(ACTIVATIONS[self.activation](self.linear1(x))))

    def details(self) -> str:
        return ", ".join([f"{self.d_model}", f"{self.arguments['nhead']} heads", f"{self.arguments['dim_feedforward']} hidden"])


class TransformerEncoderLayer(TransformerBlock):
    """h = norm1(x + attention(x)), y = norm2(h + W_2 activation(W_1 h)); with norm_first, h = x + attention(norm1(x)), ...

    src and y: (L, N, d_model), or (N, L, d_model) with batch_first=True. src_mask, src_key_padding_mask and is_causal: like
    attn_mask, key_padding_mask and is_causal of MultiheadAttention; non-finite values at positions that src_key_padding_mask hides
    become 0. State: self_attn, linear1, linear2, norm1, norm2, with the names and initial values of PyTorch. Dropout is applied
    to the attention weights, after the activation and before each sum.
    Raises ShapeError for an input of another width. Source: Vaswani et al., "Attention is all you need", 2017; norm_first as in
    Xiong et al., "On layer normalization in the transformer architecture", 2020.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)(sl.ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    def attentions(self) -> tuple[str, ...]:
        return ("self_attn",)

    def forward(self, src: Tensor, src_mask: Mask = None, src_key_padding_mask: Mask = None, is_causal: bool = False) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, key_padding_mask=src_key_padding_mask, attn_mask=src_mask, is_causal=is_causal)

        if src_key_padding_mask is not None:
            src = clean_padding(src, self.self_attn.check_padding(src, asarray(src_key_padding_mask)), self.self_attn.batch_first)
        return self.sublayer(2, self.sublayer(1, src, attend), self.feed_forward)


class TransformerDecoderLayer(TransformerBlock):
    """An encoder layer with a second (cross) attention, whose keys and values are `memory`, the encoder's output.

    tgt and y: (L, N, d_model), memory: (S, N, d_model); with batch_first=True the batch N is axis 0. The masks of tgt and
    memory: like attn_mask, key_padding_mask and is_causal of MultiheadAttention; non-finite values at positions that
    tgt_key_padding_mask hides become 0. State: self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3, with the names
    and initial values of PyTorch. Raises ShapeError for inputs of another width.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> layer = nn.TransformerDecoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(sl.ones((3, 5, 8)), sl.ones((3, 7, 8)), tgt_is_causal=True).shape
    (3, 5, 8)
    """

    multihead_attn: MultiheadAttention

    def attentions(self) -> tuple[str, ...]:
        return ("self_attn", "multihead_attn")

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
                tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, key_padding_mask=tgt_key_padding_mask, attn_mask=tgt_mask, is_causal=tgt_is_causal)

        def remember(x: Tensor) -> Tensor:
            return self.multihead_attn(x, memory, key_padding_mask=memory_key_padding_mask, attn_mask=memory_mask,
                                       is_causal=memory_is_causal)

        if tgt_key_padding_mask is not None:
            tgt = clean_padding(tgt, self.self_attn.check_padding(tgt, asarray(tgt_key_padding_mask)), self.self_attn.batch_first)
        return self.sublayer(3, self.sublayer(2, self.sublayer(1, tgt, attend), remember), self.feed_forward)


ENCODER_LAYER = Constraint("a TransformerEncoderLayer", lambda value: isinstance(value, TransformerEncoderLayer), (3, None))
DECODER_LAYER = Constraint("a TransformerDecoderLayer", lambda value: isinstance(value, TransformerDecoderLayer), (3, None))
OPTIONAL_MODULE = Constraint("a module or None", lambda value: value is None or isinstance(value, Module), (3, LayerNorm))


class TransformerEncoder(Module):
    """A stack of num_layers encoder layers, then `norm` if given.

    src and y: as in the layers; mask, src_key_padding_mask and is_causal are passed to every layer. encoder_layer is the first
    layer; the others have the same arguments and new initial values (in PyTorch, the same values). With norm_first layers, use
    norm=nn.LayerNorm(d_model).

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
    >>> net(sl.ones((3, 5, 8))).shape, len(net.layers)
    ((3, 5, 8), 3)
    """

    constraints = {"encoder_layer": ENCODER_LAYER, "num_layers": LAYERS, "norm": OPTIONAL_MODULE}

    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: Module | None = None) -> None:
        check("TransformerEncoder", self.constraints, {"encoder_layer": encoder_layer, "num_layers": num_layers, "norm": norm})
        self.layers = [encoder_layer, *(encoder_layer.fresh_copy() for _ in range(num_layers - 1))]
        self.norm = norm

    def forward(self, src: Tensor, mask: Mask = None, src_key_padding_mask: Mask = None, is_causal: bool = False) -> Tensor:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """A stack of num_layers decoder layers, all with the same memory, then `norm` if given.

    tgt, memory, masks and y: as in the layers. decoder_layer is the first layer; the others have the same arguments and new
    initial values.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8))
    >>> net(sl.ones((3, 5, 8)), sl.ones((3, 7, 8))).shape
    (3, 5, 8)
    """

    constraints = {"decoder_layer": DECODER_LAYER, "num_layers": LAYERS, "norm": OPTIONAL_MODULE}

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        check("TransformerDecoder", self.constraints, {"decoder_layer": decoder_layer, "num_layers": num_layers, "norm": norm})
        self.layers = [decoder_layer, *(decoder_layer.fresh_copy() for _ in range(num_layers - 1))]
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, **masks: Any) -> Tensor:
        for layer in self.layers:
            tgt = layer(tgt, memory, **masks)
        return tgt if self.norm is None else self.norm(tgt)


def make_dropout(p: float) -> Module:
    """Dropout, or Identity for p = 0, which draws no random numbers."""
    return Dropout(p) if p else Identity()
