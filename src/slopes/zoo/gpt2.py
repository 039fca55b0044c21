"""GPT-2: the published sizes of a GPT with biases, and its published weights."""

from __future__ import annotations

from typing import Any

from ..checkpoints import Source, WeightMap, read_checkpoint
from ..checkpoints.folder import Config, pretrained_folder
from ..checkpoints.network import load_network
from ..errors import ArgumentError
from ..files.reading import Path, refused
from .gpt import GPT

ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu"}  # those of configurations
SIZES = {"gpt2": (768, 12, 12), "gpt2-medium": (1024, 24, 16), "gpt2-large": (1280, 36, 20), "gpt2-xl": (1600, 48, 25)}
LAYER = "h.{i}."
WEIGHTS = WeightMap({
    "words.weight": "wte.weight",
    "positions.weight": "wpe.weight",
    "decoder.layers.{i}.norm1.{p}": LAYER + "ln_1.{p}",
    "decoder.layers.{i}.self_attn.in_proj_weight": Source((LAYER + "attn.c_attn.weight",), permute=(1, 0)),
    "decoder.layers.{i}.self_attn.in_proj_bias": LAYER + "attn.c_attn.bias",
    "decoder.layers.{i}.self_attn.out_proj.weight": Source((LAYER + "attn.c_proj.weight",), permute=(1, 0)),
    "decoder.layers.{i}.self_attn.out_proj.bias": LAYER + "attn.c_proj.bias",
    "decoder.layers.{i}.norm2.{p}": LAYER + "ln_2.{p}",
    "decoder.layers.{i}.linear1.weight": Source((LAYER + "mlp.c_fc.weight",), permute=(1, 0)),
    "decoder.layers.{i}.linear1.bias": LAYER + "mlp.c_fc.bias",
    "decoder.layers.{i}.linear2.weight": Source((LAYER + "mlp.c_proj.weight",), permute=(1, 0)),
    "decoder.layers.{i}.linear2.bias": LAYER + "mlp.c_proj.bias",
    "decoder.norm.{p}": "ln_f.{p}",
}, unused=["h.*.attn.bias", "h.*.attn.masked_bias", "lm_head.weight"])  # masks; the output's weights are those of the words


def gpt2(size: str = "gpt2", dropout: float = 0.1) -> GPT:
    """GPT-2 with random weights: "gpt2" has 124,439,808 parameters, "gpt2-medium", "gpt2-large" and "gpt2-xl" more.

    Source: Radford et al., "Language models are unsupervised multitask learners", 2019.
    """
    if size not in SIZES:
        raise ArgumentError(f"gpt2: size={size!r} is not known", repair=f"choose one of {', '.join(SIZES)}")
    width, depth, heads = SIZES[size]
    return GPT(50257, 1024, width, depth, heads, dropout, bias=True, activation="gelu_tanh")


def from_pretrained(folder: Path, dropout: float | None = None) -> GPT:
    """The GPT-2 in a folder with config.json and weights in Hugging Face's names (or a repository's name), in eval mode.

    Kernels, which the files hold as (in, out), are transposed. Raises DataError for configurations that this network does not have,
    StateError for weights of other shapes.
    """
    folder = pretrained_folder(folder)
    config = Config(folder)
    config.choice("model_type", {"gpt2": None})
    config.choice("tie_word_embeddings", {True: None}, True)
    config.choice("scale_attn_weights", {True: None}, True)
    config.choice("scale_attn_by_inverse_layer_idx", {False: None}, False)
    width = config.count("n_embd")
    if config.content.get("n_inner") not in (None, 4 * width):
        raise refused(config.path, "n_inner", f"{config.content['n_inner']!r:.80} is not supported",
                      f"it is 4 n_embd, {4 * width}, or null")
    checkpoint = read_checkpoint(folder).rename({r"^transformer\.": ""})
    arguments: dict[str, Any] = {
        "vocabulary": config.count("vocab_size"), "context": config.count("n_positions"), "width": width,
        "depth": config.count("n_layer", most=len(checkpoint)), "heads": config.count("n_head"), "bias": True,
        "dropout": config.real("resid_pdrop", 0.1) if dropout is None else dropout,
        "activation": config.choice("activation_function", ACTIVATIONS, "gelu_new"), "eps": config.real("layer_norm_epsilon", 1e-5)}
    return load_network(lambda: GPT(**arguments), WEIGHTS, checkpoint)
