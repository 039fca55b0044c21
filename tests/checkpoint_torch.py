"""Published architectures in PyTorch, small, with the names of their public checkpoints: what the loaders are compared with."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


def randomized(net: nn.Module, seed: int = 0) -> nn.Module:
    """All parameters and statistics random, so that no two could be mistaken for each other."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if name.endswith("running_var") else torch.randn_like(tensor) * 0.2)
    return net.eval()


def attention(q, k, v, heads, mask):
    """Attention over (N, L, E); mask: (L, L) or (N, 1, 1, L), True where a key is seen."""
    n, length, width = q.shape
    q, k, v = (x.view(n, length, heads, width // heads).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    weights = scores.masked_fill(~mask, -1e9).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(n, length, width)


class Group(nn.Module):
    """Submodules by name."""

    def __init__(self, /, **parts: nn.Module) -> None:  # one part may be called self
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


# GPT-2, with Hugging Face's names

class Conv1D(nn.Module):
    """A dense layer whose kernel is (in, out)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(inputs, outputs)), nn.Parameter(torch.empty(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class GPT2(nn.Module):
    def __init__(self, vocabulary=31, context=12, width=16, depth=2, heads=4):
        super().__init__()
        self.heads = heads
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Group(ln_1=nn.LayerNorm(width), attn=Group(c_attn=Conv1D(width, 3 * width), c_proj=Conv1D(width, width)),
                                     ln_2=nn.LayerNorm(width), mlp=Group(c_fc=Conv1D(width, 4 * width), c_proj=Conv1D(4 * width, width)))
                               for _ in range(depth))
        for layer in self.h:  # the causal mask, which old files hold
            layer.attn.register_buffer("bias", torch.ones(context, context, dtype=torch.bool).tril().view(1, 1, context, context))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for layer in self.h:
            q, k, v = layer.attn.c_attn(layer.ln_1(x)).chunk(3, -1)
            x = x + layer.attn.c_proj(attention(q, k, v, self.heads, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()))
            x = x + layer.mlp.c_proj(F.gelu(layer.mlp.c_fc(layer.ln_2(x)), approximate="tanh"))
        return self.ln_f(x) @ self.wte.weight.T


# BERT, with Hugging Face's names

class BERT(nn.Module):
    def __init__(self, vocabulary=31, context=20, width=16, depth=2, heads=4, hidden=24):
        super().__init__()
        self.heads = heads
        self.embeddings = Group(word_embeddings=nn.Embedding(vocabulary, width), position_embeddings=nn.Embedding(context, width),
                                token_type_embeddings=nn.Embedding(2, width), LayerNorm=nn.LayerNorm(width, 1e-12))
        self.embeddings.register_buffer("position_ids", torch.arange(context).view(1, -1))
        self.encoder = Group(layer=nn.ModuleList(self.layer(width, hidden) for _ in range(depth)))
        self.pooler = Group(dense=nn.Linear(width, width))

    def layer(self, width, hidden):
        parts = Group(query=nn.Linear(width, width), key=nn.Linear(width, width), value=nn.Linear(width, width))
        return Group(attention=Group(self=parts, output=Group(dense=nn.Linear(width, width), LayerNorm=nn.LayerNorm(width, 1e-12))),
                     intermediate=Group(dense=nn.Linear(width, hidden)),
                     output=Group(dense=nn.Linear(hidden, width), LayerNorm=nn.LayerNorm(width, 1e-12)))

    def forward(self, tokens, segments=None):
        table = self.embeddings
        kinds = torch.zeros_like(tokens) if segments is None else segments
        x = table.LayerNorm(table.word_embeddings(tokens) + table.position_embeddings.weight[: tokens.shape[1]] +
                            table.token_type_embeddings(kinds))
        mask = (tokens != 0)[:, None, None]
        for layer in self.encoder.layer:
            parts = layer.attention.self
            y = attention(parts.query(x), parts.key(x), parts.value(x), self.heads, mask)
            x = layer.attention.output.LayerNorm(x + layer.attention.output.dense(y))
            x = layer.output.LayerNorm(x + layer.output.dense(F.gelu(layer.intermediate.dense(x))))
        return x

    def pooled(self, y):
        return self.pooler.dense(y[:, 0]).tanh()


# Images, with torchvision's names

class Block(nn.Module):
    def __init__(self, before, filters, stride, bottleneck):
        super().__init__()
        after = 4 * filters if bottleneck else filters
        shapes = [(before, filters, 3), (filters, after, 3)]
        if bottleneck:
            shapes = [(before, filters, 1), (filters, filters, 3), (filters, after, 1)]
        self.count = len(shapes)
        for i, (inputs, outputs, size) in enumerate(shapes, 1):
            step = stride if i == (2 if bottleneck else 1) else 1
            self.add_module(f"conv{i}", nn.Conv2d(inputs, outputs, size, step, size // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(outputs))
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, counts, bottleneck, width=4, classes=5):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        before = width
        for stage, count in enumerate(counts):
            filters, blocks = width * 2 ** stage, []
            for i in range(count):
                blocks.append(Block(before, filters, 2 if stage and not i else 1, bottleneck))
                before = 4 * filters if bottleneck else filters
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


class AlexNet(nn.Module):
    def __init__(self, filters=(4, 6, 8, 6, 5), hidden=7, classes=3):
        super().__init__()
        a, b, c, d, e = filters
        self.features = nn.Sequential(
            nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, d, 3, padding=1), nn.ReLU(), nn.Conv2d(d, e, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(3, 2))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(e, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(),
                                        nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class VGG(nn.Module):
    def __init__(self, blocks=(1, 1, 2, 2, 2), width=2, classes=3, batch_norm=False):
        super().__init__()
        layers, before = [], 3
        for block, count in enumerate(blocks):
            filters = min(2 ** block, 8) * width
            for _ in range(count):
                layers += [nn.Conv2d(before, filters, 3, padding=1), *([nn.BatchNorm2d(filters)] if batch_norm else []), nn.ReLU()]
                before = filters
            layers.append(nn.MaxPool2d(2))
        self.features, hidden = nn.Sequential(*layers), 64 * width
        self.classifier = nn.Sequential(nn.Linear(before, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(),
                                        nn.Dropout(), nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


NAMES = {
    "torchvision": {"in_proj.": "in_proj_", "heads_": "heads.head"},
    "hugging face": {"class_token": "vit.embeddings.cls_token", "encoder.pos_embedding": "vit.embeddings.position_embeddings",
                     "conv_proj": "vit.embeddings.patch_embeddings.projection", "encoder.layers.encoder_layer_": "vit.encoder.layer.",
                     "self_attention.out_proj": "attention.output.dense", "mlp.0": "intermediate.dense", "mlp.3": "output.dense",
                     "ln_1": "layernorm_before", "ln_2": "layernorm_after", "encoder.ln": "vit.layernorm", "heads_": "classifier"},
    "timm": {"class_token": "cls_token", "encoder.pos_embedding": "pos_embed", "conv_proj": "patch_embed.proj",
             "encoder.layers.encoder_layer_": "blocks.", "self_attention.in_proj": "attn.qkv", "self_attention.out_proj": "attn.proj",
             "mlp.0": "mlp.fc1", "mlp.3": "mlp.fc2", "ln_1": "norm1", "ln_2": "norm2", "encoder.ln": "norm", "heads_": "head"},
}


class ViT(nn.Module):
    """A vision transformer; `state` gives its weights in the names of torchvision, Hugging Face or timm."""

    def __init__(self, side=8, patch=4, width=16, depth=2, heads=4, hidden=24, classes=3, eps=1e-6):
        super().__init__()
        self.heads, count = heads, (side // patch) ** 2 + 1
        self.class_token, self.conv_proj = nn.Parameter(torch.empty(1, 1, width)), nn.Conv2d(3, width, patch, patch)
        layers = {f"encoder_layer_{i}": self.layer(width, hidden, eps) for i in range(depth)}
        self.encoder = Group(layers=Group(**layers), ln=nn.LayerNorm(width, eps))
        self.encoder.pos_embedding = nn.Parameter(torch.empty(1, count, width))
        self.heads_ = nn.Linear(width, classes)

    def layer(self, width, hidden, eps):
        return Group(ln_1=nn.LayerNorm(width, eps), ln_2=nn.LayerNorm(width, eps),
                     self_attention=Group(in_proj=nn.Linear(width, 3 * width), out_proj=nn.Linear(width, width)),
                     mlp=nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, width)))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.encoder.pos_embedding
        for layer in self.encoder.layers.children():
            q, k, v = layer.self_attention.in_proj(layer.ln_1(x)).chunk(3, -1)
            x = x + layer.self_attention.out_proj(attention(q, k, v, self.heads, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)))
            x = x + layer.mlp(layer.ln_2(x))
        return self.heads_(self.encoder.ln(x)[:, 0])

    def state(self, names):
        """The weights by public names."""
        state = {}
        for name, tensor in self.state_dict().items():
            for here, there in NAMES[names].items():
                name = name.replace(here, there)
            state[name] = tensor
        if names == "hugging face":
            for name in [name for name in state if "self_attention.in_proj" in name]:
                for part, tensor in zip(("query", "key", "value"), state.pop(name).chunk(3)):
                    state[name.replace("self_attention.in_proj", f"attention.attention.{part}")] = tensor
        return state
