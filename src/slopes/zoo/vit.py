"""The vision transformer: an image as a sequence of patches."""

from __future__ import annotations

import itertools
import math
import os

from .. import nn
from ..checkpoints import Checkpoint, Source, WeightMap
from ..checkpoints.folder import Config, pretrained_folder, read_pretrained
from ..checkpoints.network import load_network
from ..errors import ArgumentError
from ..files.reading import Path
from ..ops.composite import concat
from ..tensor import Tensor

HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}  # of the published networks, by width
PARTS = ("query", "key", "value")
LAYER = "encoder.layers.{i}."
TORCHVISION = "encoder.layers.encoder_layer_{i}."
HUGGING_FACE = "encoder.layer.{i}."
TIMM = "blocks.{i}."
MAPS = {  # by a name that only these files have
    "class_token": WeightMap({
        "token": "class_token", "positions.weight": Source(("encoder.pos_embedding",), row=0), "patches.{p}": "conv_proj.{p}",
        LAYER + "self_attn.{p}": TORCHVISION + "self_attention.{p}",
        LAYER + "self_attn.out_proj.{p}": TORCHVISION + "self_attention.out_proj.{p}",
        LAYER + "linear1.{p}": TORCHVISION + "mlp.0.{p}", LAYER + "linear2.{p}": TORCHVISION + "mlp.3.{p}",
        LAYER + "norm1.{p}": TORCHVISION + "ln_1.{p}", LAYER + "norm2.{p}": TORCHVISION + "ln_2.{p}",
        "encoder.norm.{p}": "encoder.ln.{p}", "head.{p}": "heads.head.{p}"}),
    "embeddings.cls_token": WeightMap({
        "token": "embeddings.cls_token", "positions.weight": Source(("embeddings.position_embeddings",), row=0),
        "patches.{p}": "embeddings.patch_embeddings.projection.{p}",
        LAYER + "self_attn.in_proj_{p}": Source(tuple(f"{HUGGING_FACE}attention.attention.{part}.{{p}}" for part in PARTS)),
        LAYER + "self_attn.out_proj.{p}": HUGGING_FACE + "attention.output.dense.{p}",
        LAYER + "linear1.{p}": HUGGING_FACE + "intermediate.dense.{p}", LAYER + "linear2.{p}": HUGGING_FACE + "output.dense.{p}",
        LAYER + "norm1.{p}": HUGGING_FACE + "layernorm_before.{p}", LAYER + "norm2.{p}": HUGGING_FACE + "layernorm_after.{p}",
        "encoder.norm.{p}": "layernorm.{p}", "head.{p}": "classifier.{p}"}, unused=["pooler.*", "embeddings.mask_token"]),
    "cls_token": WeightMap({
        "token": "cls_token", "positions.weight": Source(("pos_embed",), row=0), "patches.{p}": "patch_embed.proj.{p}",
        LAYER + "self_attn.in_proj_{p}": TIMM + "attn.qkv.{p}", LAYER + "self_attn.out_proj.{p}": TIMM + "attn.proj.{p}",
        LAYER + "linear1.{p}": TIMM + "mlp.fc1.{p}", LAYER + "linear2.{p}": TIMM + "mlp.fc2.{p}",
        LAYER + "norm1.{p}": TIMM + "norm1.{p}", LAYER + "norm2.{p}": TIMM + "norm2.{p}",
        "encoder.norm.{p}": "norm.{p}", "head.{p}": "head.{p}"}),
}


class VisionTransformer(nn.Module):
    """A transformer encoder over patches of `patch` x `patch` pixels and one token more, whose output is classified.

    shape: (C, H, W); x: (N, C, H, W), y: (N, classes). Layers are pre-norm with GELU; the positions are learned, one vector each.
    Raises ArgumentError unless patches cover the picture. Source: Dosovitskiy et al., "An image is worth 16x16 words", 2021.

    >>> import slopes as sl
    >>> net = VisionTransformer((1, 28, 28), 10, patch=7, width=32, depth=2, heads=4, hidden=64)
    >>> net(sl.zeros((3, 1, 28, 28))).shape
    (3, 10)
    """

    token: nn.Parameter  # (1, 1, width), zeros

    def __init__(self, shape: tuple[int, ...], classes: int, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12,
                 hidden: int = 3072, dropout: float = 0.0, eps: float = 1e-6) -> None:
        channels, *sides = shape
        if any(side % patch for side in sides):
            raise ArgumentError(f"VisionTransformer: patches of {patch}x{patch} do not cover a picture of "
                                f"{'x'.join(map(str, sides))}", why="height and width must be multiples of the patch")
        count = math.prod(side // patch for side in sides)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.token = nn.init.blank((1, 1, width))
        self.positions = nn.LearnedEncoding(count + 1, width)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        layer = nn.TransformerEncoderLayer(width, heads, hidden, dropout, "gelu", eps, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width, eps))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).mT  # (N, patches, width)
        token = self.token.broadcast_to((x.shape[0], 1, patches.shape[2]))
        y = self.encoder(self.dropout(self.positions(concat([token, patches], axis=1))))  # (N, 1 + patches, width)
        return self.head(y[:, 0])


def vit_b16(shape: tuple[int, ...], classes: int, dropout: float = 0.0) -> nn.Module:
    """ViT-B/16: 86,567,656 parameters for (3, 224, 224) and 1000 classes, 197 tokens of 768."""
    return VisionTransformer(shape, classes, dropout=dropout)


def small_vit(shape: tuple[int, ...], classes: int, patch: int = 4, width: int = 64, depth: int = 4, heads: int = 4,
              dropout: float = 0.1) -> nn.Module:
    """A vision transformer for small images, such as digits: patches of 4x4, 4 layers of 64."""
    return VisionTransformer(shape, classes, patch, width, depth, heads, 2 * width, dropout)


def from_pretrained(path: Path, heads: int | None = None) -> VisionTransformer:
    """The vision transformer in a file or folder with weights in torchvision's, Hugging Face's or timm's names, in eval mode.

    Sizes are those of the weights, but for the heads, which config.json or the width tells: 12 for ViT-B, 16 for ViT-L; give them
    for others. `path` may be a repository's name. Raises ArgumentError where they are unknown, StateError for other weights.
    """
    path = pretrained_folder(path)
    checkpoint = read_pretrained(path).rename({r"^vit\.": "", r"\.mlp\.linear_1\.": ".mlp.0.", r"\.mlp\.linear_2\.": ".mlp.3."})
    known = next((name for name in MAPS if name in checkpoint), None)
    if known is None:
        raise ArgumentError(f"{path} holds no vision transformer", why=f"none of {', '.join(MAPS)} is among its arrays",
                            repair="match its weights: sl.match_weights(net, sl.read_checkpoint(path))")
    config = Config(path) if os.path.isdir(path) and known.startswith("embeddings") else None
    heads = heads if config is None else config.count("num_attention_heads")
    eps = 1e-6 if config is None else config.real("layer_norm_eps", 1e-12)
    return load_network(lambda: build(checkpoint, MAPS[known], heads, eps), MAPS[known], checkpoint)


def build(checkpoint: Checkpoint, weights: WeightMap, heads: int | None, eps: float) -> VisionTransformer:
    """The network with the sizes of these weights, for square images."""
    def shape(name: str) -> tuple[int, ...]:
        source = weights.source_of(name)
        return checkpoint.shape(source.names[0]) if source else ()

    width, channels, patch, _ = shape("patches.weight")
    depth = next(i for i in itertools.count() if weights.source_of(f"encoder.layers.{i}.norm1.weight").names[0] not in checkpoint)  # type: ignore
    side = math.isqrt(shape("positions.weight")[1] - 1) * patch
    if heads is None and width not in HEADS:
        raise ArgumentError(f"the heads of a vision transformer of width {width} are not known",
                            repair="give them: from_pretrained(path, heads=...)")
    return VisionTransformer((channels, side, side), shape("head.weight")[0], patch, width, depth, heads or HEADS[width],
                             shape("encoder.layers.0.linear1.weight")[0], eps=eps)
