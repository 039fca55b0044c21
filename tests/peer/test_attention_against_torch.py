"""Attention with masks, transformers with memory, and bags give PyTorch's values, gradients and weights, whatever the arguments."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import indices, numbers

import slopes as sl
from slopes import nn

torch = pytest.importorskip("torch")

B, L, S, E = 3, 5, 7, 6


def near(ours, theirs, tolerance=1e-5):
    ours, theirs = (np.asarray(each.detach()) for each in (ours, theirs))
    assert ours.shape == theirs.shape
    scale = max(1e-30, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance)


def pair(make):
    """The same layer here and there, ours with their weights."""
    ours, theirs = make(nn), make(torch.nn)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.tensor(numbers(name, tuple(parameter.shape))))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def doubled(net):
    """The same network in float64."""
    for _, module in net.named_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, sl.Parameter):
                setattr(module, name, sl.Parameter(value.detach().numpy().astype(np.float64)))
    return net


def compare(ours, theirs, shapes, run, dtype=np.float32):
    """Outputs, gradients of inputs and of parameters."""
    arrays = [numbers(f"input {place}", shape).astype(dtype) for place, shape in enumerate(shapes)]
    mine = [sl.tensor(array, requires_grad=True) for array in arrays]
    other = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, z = run(ours, mine, sl.tensor), run(theirs, other, torch.tensor)
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    for a, b in zip(y, z):
        near(a, b, tolerance)
    seed = numbers("seed", y[0].shape).astype(dtype)
    y[0].backward(seed), z[0].backward(torch.tensor(seed))
    for a, b in zip(mine, other):
        near(a.grad, b.grad, tolerance)
    for (name, a), (their_name, b) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert name == their_name
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5 * float(b.grad.abs().max()) + 1e-5)


def some_hidden(shape):
    hidden = np.random.default_rng(0).random(shape) < 0.4
    hidden[..., 0] = False  # PyTorch gives NaN where all are hidden
    return hidden


MASKS = {
    "none": {},
    "padding": {"key_padding_mask": some_hidden((B, S))},
    "queries": {"attn_mask": some_hidden((L, S))},
    "each head": {"attn_mask": some_hidden((2 * B, L, S))},
    "added": {"attn_mask": numbers("added", (L, S))},
    "both": {"attn_mask": some_hidden((L, S)), "key_padding_mask": some_hidden((B, S))},
    "both added": {"attn_mask": numbers("added", (L, S)), "key_padding_mask": np.where(some_hidden((B, S)), -1e9, 0).astype("f4")},
}
KINDS = {"plain": {}, "other sizes": {"kdim": 4, "vdim": 3}, "no bias": {"bias": False}, "sequence first": {"batch_first": False}}


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("averaged", [True, False])
def test_cross_attention_differs_from_pytorch(kind, masks, averaged):
    options = {"batch_first": True, **KINDS[kind]}
    ours, theirs = pair(lambda nn: nn.MultiheadAttention(E, 2, **options))
    widths = (E, options.get("kdim", E), options.get("vdim", E))
    shapes = [(B, n, width) if options["batch_first"] else (n, B, width) for n, width in zip((L, S, S), widths)]

    def run(layer, x, tensor):
        return layer(*x, **{name: tensor(mask) for name, mask in MASKS[masks].items()}, need_weights=True,
                     average_attn_weights=averaged)

    compare(ours, theirs, shapes, run)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Support for mismatched")
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_transformers_with_memory_and_masks_differ_from_pytorch(batch_first, norm_first):
    options = {"dim_feedforward": 7, "dropout": 0.0, "batch_first": batch_first, "norm_first": norm_first}

    def make(nn):
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, 3, **options), 2, nn.LayerNorm(E))
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(E, 3, **options), 2, nn.LayerNorm(E))
        return nn.Sequential(encoder, decoder)

    def run(net, x, tensor):
        hidden, causal = tensor(some_hidden((B, S))), tensor(~np.tri(L, dtype=bool))
        memory = net[0](x[0], src_key_padding_mask=hidden)
        return (net[1](x[1], memory, tgt_mask=causal, memory_key_padding_mask=hidden),)

    ours, theirs = pair(make)
    shapes = [(B, n, E) if batch_first else (n, B, E) for n in (S, L)]
    compare(doubled(ours), theirs.double(), shapes, run, np.float64)  # four layers deep, float32 rounds more than 1e-5 away


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": ~some_hidden((L, S))},
                                     {"attn_mask": numbers("added", (B, 1, L, S))}])
def test_the_function_differs_from_pytorch(options):
    arrays = [numbers(name, shape) for name, shape in zip("qkv", ((B, 2, L, 4), (B, 2, S, 4), (B, 2, S, 3)))]
    mine, other = ([convert(array, requires_grad=True) for array in arrays] for convert in (sl.tensor, torch.tensor))
    mask = options.get("attn_mask")
    y = sl.scaled_dot_product_attention(*mine, **options)
    z = torch.nn.functional.scaled_dot_product_attention(*other, **{**options, **({} if mask is None else
                                                                                  {"attn_mask": torch.tensor(mask)})})
    near(y, z)
    seed = numbers("seed", y.shape)
    y.backward(seed), z.backward(torch.tensor(seed))
    for a, b in zip(mine, other):
        near(a.grad, b.grad)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("offsets", [None, [0, 3, 3, 5]])
def test_bags_differ_from_pytorch(mode, padding_idx, offsets):
    ours, theirs = pair(lambda nn: nn.EmbeddingBag(9, 3, mode=mode, padding_idx=padding_idx))
    x = indices("bag", (5, 4) if offsets is None else (8,), 9)
    given = () if offsets is None else (np.array(offsets),)
    y, z = ours(*map(sl.tensor, (x, *given))), theirs(*map(torch.tensor, (x, *given)))
    near(y, z)
    seed = numbers("seed", y.shape)
    y.backward(seed), z.backward(torch.tensor(seed))
    near(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("shape", [(1, 1, 3, 2), (2, 3, 5, 7), (1, 2, 8, 6)])
@pytest.mark.parametrize("size", [1, 2, 3, (2, 5), (9, 1)])
def test_adaptive_pooling_with_ties_differs_from_pytorch(shape, size):
    array = indices("ties", shape, 3).astype(np.float32)
    x, their_x = sl.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y, z = nn.AdaptiveMaxPool2d(size)(x), torch.nn.AdaptiveMaxPool2d(size)(their_x)
    near(y, z)
    seed = numbers("seed", y.shape)
    y.backward(seed), z.backward(torch.tensor(seed))
    near(x.grad, their_x.grad)
