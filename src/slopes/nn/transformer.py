"""Transformer encoder and decoder layers and stacks: attention and feed-forward sublayers with residual connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ..constraint import COUNT, FACTORY, FLAG, LAYERS, POSITIVE, SHARE, Constraint, check, float_name
from ..errors import missing_method
from ..functions import full, triu
from ..ops.composite import gelu, relu
from ..tensor import Tensor, asarray
from . import init
from .activations import Identity
from .attention import Mask, MultiheadAttention, clean_padding
from .dropout import Dropout
from .layer_norm import LayerNorm
from .linear import Linear
from .module import Module

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu, "gelu_tanh": partial(gelu, approximate="tanh")}
ACTIVATION = Constraint("'relu', 'gelu', 'gelu_tanh' or a function of a tensor",
                        lambda value: value in ACTIVATIONS if isinstance(value, str) else callable(value), ("no such name", -1))


class TransformerBlock(Module):
    """The base class of TransformerEncoderLayer and TransformerDecoderLayer: arguments, residuals, feed-forward network."""

    self_attn: MultiheadAttention
    linear1: Linear  # (d_model -> dim_feedforward)
    linear2: Linear  # (dim_feedforward -> d_model)
    constraints = {"d_model": COUNT, "nhead": COUNT, "dim_feedforward": COUNT, "dropout": SHARE, "activation": ACTIVATION,
                   "layer_norm_eps": POSITIVE, "batch_first": FLAG, "norm_first": FLAG, "bias": FLAG, **FACTORY}

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        self.arguments: dict[str, Any] = {"d_model": d_model, "nhead": nhead, "dim_feedforward": dim_feedforward, "dropout": dropout,
                          "layer_norm_eps": layer_norm_eps, "batch_first": batch_first, "norm_first": norm_first, "bias": bias,
                          "device": device, "dtype": dtype}
        check(type(self).__name__, self.constraints, {**self.arguments, "activation": activation})
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
        self.to(device, dtype)

    def attentions(self) -> tuple[str, ...]:
        """The names of the attention layers, in order."""
        raise missing_method(self, "attentions")

    def fresh_copy(self) -> TransformerBlock:
        """A new layer with the same arguments and new initial values."""
        return type(self)(**self.arguments, activation=self.activation)

    def sublayer(self, i: int, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """x + f(x) with the i-th norm and dropout, normalized before f (norm_first) or after the sum."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        return x + dropout(function(norm(x))) if self.norm_first else norm(x + dropout(function(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        activation = ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation
        return self.linear2(self.dropout(activation(self.linear1(x))))

    def details(self) -> str:
        return ", ".join([f"{self.d_model}", f"{self.arguments['nhead']} heads", f"{self.arguments['dim_feedforward']} hidden"])


class TransformerEncoderLayer(TransformerBlock):
    """h = norm1(x + attention(x)), y = norm2(h + W_2 activation(W_1 h)); with norm_first, h = x + attention(norm1(x)), ...

    src and y: (L, N, d_model), or (N, L, d_model) with batch_first=True. src_mask, src_key_padding_mask and is_causal: like
    attn_mask, key_padding_mask and is_causal of MultiheadAttention; non-finite values at positions that src_key_padding_mask hides
    become 0. State: self_attn, linear1, linear2, norm1, norm2, with the names and initial values of PyTorch. Dropout is applied
    to the attention weights, after the activation, which may be any function or layer, and before each sum.
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
    norm=nn.LayerNorm(d_model). enable_nested_tensor and mask_check choose between implementations in PyTorch; they have no effect.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
    >>> net(sl.ones((3, 5, 8))).shape, len(net.layers)
    ((3, 5, 8), 3)
    """

    constraints = {"encoder_layer": ENCODER_LAYER, "num_layers": LAYERS, "norm": OPTIONAL_MODULE, "enable_nested_tensor": FLAG,
                   "mask_check": FLAG}

    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        check("TransformerEncoder", self.constraints, {
            "encoder_layer": encoder_layer, "num_layers": num_layers, "norm": norm, "enable_nested_tensor": enable_nested_tensor,
            "mask_check": mask_check})
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

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
                tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Tensor:
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
                        memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder: y = decoder(tgt, encoder(src)), each a stack of layers with a LayerNorm at its end.

    src: (S, N, d_model), tgt and y: (T, N, d_model); with batch_first=True the batch N is axis 0. The masks are passed on to the
    encoder and the decoder. custom_encoder and custom_decoder replace them. Weight matrices are initially Xavier uniform.
    State: encoder, decoder, with the names and initial values of PyTorch. Raises ShapeError for inputs of another width.
    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import slopes as sl
    >>> from slopes import nn
    >>> net = nn.Transformer(8, 2, 1, 1, 16)
    >>> mask = nn.Transformer.generate_square_subsequent_mask(5)
    >>> net(sl.ones((7, 3, 8)), sl.ones((5, 3, 8)), tgt_mask=mask).shape
    (5, 3, 8)
    """

    constraints = {**TransformerBlock.constraints, "num_encoder_layers": LAYERS, "num_decoder_layers": LAYERS,
                   "custom_encoder": OPTIONAL_MODULE, "custom_decoder": OPTIONAL_MODULE}

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
                 dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu", custom_encoder: Module | None = None,
                 custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        check("Transformer", self.constraints, {
            "d_model": d_model, "nhead": nhead, "num_encoder_layers": num_encoder_layers, "num_decoder_layers": num_decoder_layers,
            "dim_feedforward": dim_feedforward, "dropout": dropout, "activation": activation, "custom_encoder": custom_encoder,
            "custom_decoder": custom_decoder, "layer_norm_eps": layer_norm_eps, "batch_first": batch_first, "norm_first": norm_first,
            "bias": bias})
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*layer), num_encoder_layers, LayerNorm(d_model, layer_norm_eps, bias=bias))
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*layer), num_decoder_layers, LayerNorm(d_model, layer_norm_eps, bias=bias))
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform(parameter)
        self.to(device, dtype)

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Mask = None, tgt_mask: Mask = None, memory_mask: Mask = None,
                src_key_padding_mask: Mask = None, tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None,
                src_is_causal: bool = False, tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Tensor:
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
                            memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The mask (sz, sz) that hides later positions: 0 up to the diagonal, minus infinity above it."""
        check("generate_square_subsequent_mask", {"sz": COUNT, **FACTORY}, {"sz": sz, "device": device, "dtype": dtype})
        return triu(full((sz, sz), -math.inf, dtype=float_name(dtype) if dtype is not None else None), 1)


def make_dropout(p: float) -> Module:
    """Dropout, or Identity for p = 0, which draws no random numbers."""
    return Dropout(p) if p else Identity()
