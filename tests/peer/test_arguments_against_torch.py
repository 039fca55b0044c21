"""Layers give PyTorch's values and gradients in float64, to 1e-10, and those of two inputs in both types."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import LAYERS, VARIANTS, make, numbers

import slopes as sl
from slopes import nn

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.filterwarnings(f"ignore:{text}") for text in ("Using padding='same' with even", "enable_nested_tensor")]

TWO_INPUTS = {
    "CosineSimilarity()": ((7, 5), (7, 5)), "CosineSimilarity(0, eps=2.0)": ((7, 5), (7, 5)), "CosineSimilarity(-1)": ((7, 1, 5), (3, 5)),
    "PairwiseDistance()": ((7, 5), (7, 5)), "PairwiseDistance(1.0, 0.1, True)": ((7, 5), (7, 5)), "PairwiseDistance(3)": ((7, 5), (7, 5)),
    "Bilinear(5, 4, 3)": ((7, 2, 5), (7, 2, 4)), "Bilinear(5, 4, 3, bias=False)": ((7, 5), (7, 4)),
}
ATTENTION = {  # arguments of the constructor: arguments of the call
    "6, 2, add_bias_kv=True": "attn_mask=mask", "6, 2, 0.0, True, False, True": "key_padding_mask=padding",
    "6, 2, 0.0, False, True, True, 6, 6, True": "attn_mask=mask, key_padding_mask=padding",
}


def near(ours, theirs, tolerance):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=tolerance)


def pair(make_layer, name, dtype):
    """Our layer and PyTorch's with the same weights of this type."""
    sl.seed(0)
    ours, theirs = make_layer(nn), make_layer(torch.nn).to(getattr(torch, dtype))
    with torch.no_grad():
        for key, parameter in theirs.named_parameters():
            parameter.copy_(torch.tensor(numbers(name + key, tuple(parameter.shape))))
    ours.to(dtype).load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return ours, theirs


def compare(ours, theirs, arrays, tolerance, call=lambda layer, inputs: layer(*inputs)):
    mine, other = ([create(array, requires_grad=True) for array in arrays] for create in (sl.tensor, torch.tensor))
    y, z = call(ours, mine), call(theirs, [x * 1 for x in other])
    near(y.detach().numpy(), z, tolerance)
    seed = numbers("seed", tuple(z.shape)).astype(arrays[0].dtype)
    y.backward(seed), z.backward(torch.tensor(seed))
    for x, their_x in zip(mine, other):
        near(x.grad.numpy(), their_x.grad, tolerance)
    for (name, parameter), (their_name, their_parameter) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert name == their_name
        near(parameter.grad.numpy(), their_parameter.grad, tolerance)


FLOAT_LAYERS = {**LAYERS, **VARIANTS}
ROUNDED = ("Softplus", "Hardsigmoid")  # PyTorch returns x above 20, and multiplies by 1/6 in float32


@pytest.mark.parametrize("layer", [layer for layer in FLOAT_LAYERS if not layer.startswith(ROUNDED)])
def test_a_layer_in_double_precision_differs_from_pytorch(layer):
    ours, theirs = pair(lambda module: make(module, layer), layer, "float64")
    compare(ours, theirs, [numbers(layer, FLOAT_LAYERS[layer]).astype(np.float64)], 1e-10)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("layer", TWO_INPUTS)
def test_a_layer_of_two_inputs_differs_from_pytorch(layer, dtype, tolerance):
    ours, theirs = pair(lambda module: eval(f"module.{layer}", {"module": module}), layer, dtype)
    compare(ours, theirs, [numbers(layer + str(i), shape).astype(dtype) for i, shape in enumerate(TWO_INPUTS[layer])], tolerance)


@pytest.mark.parametrize("arguments", ATTENTION)
def test_attention_with_added_keys_differs_from_pytorch(arguments):
    ours, theirs = pair(lambda module: eval(f"module.MultiheadAttention({arguments})", {"module": module}), arguments, "float64")
    mask, padding = np.triu(np.ones((4, 4), bool), 1), np.array([[False, False, False, True], [False] * 4])

    def call(layer, inputs):
        values = {"mask": mask, "padding": padding} if layer is ours else {"mask": torch.tensor(mask), "padding": torch.tensor(padding)}
        result = eval(f"layer(*inputs, {ATTENTION[arguments]})", {"layer": layer, "inputs": inputs, **values})
        return result[0] if isinstance(result, tuple) else result

    shape = (2, 4, 6) if arguments.endswith("True, True, 6, 6, True") else (4, 2, 6)
    compare(ours, theirs, [numbers(name, shape).astype(np.float64) for name in "qkv"], 1e-10, call)


@pytest.mark.parametrize("options", ["max_norm=1.0", "2, 0.7, 1.0", "scale_grad_by_freq=True, padding_idx=1"])
def test_an_embedding_that_changes_rows_or_gradients_differs_from_pytorch(options):
    ours, theirs = pair(lambda module: eval(f"module.Embedding(6, 3, {options})", {"module": module}), options, "float64")
    index = np.array([[0, 1, 1], [4, 2, 1]])
    y, z = ours(sl.tensor(index)), theirs(torch.tensor(index))
    y.sum().backward(), z.sum().backward()
    near(y.detach().numpy(), z, 1e-7)  # PyTorch's norms are rounded to float32
    near(ours.weight.detach().numpy(), theirs.weight, 1e-7)
    near(ours.weight.grad.numpy(), theirs.weight.grad, 1e-10)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_of_words_differs_from_pytorch(mode):
    ours, theirs = pair(lambda module: module.EmbeddingBag(6, 3, mode=mode, include_last_offset=True, padding_idx=1), mode, "float64")
    index, offsets = np.array([0, 1, 1, 4, 2, 1]), np.array([0, 2, 2, 6])
    weights = (np.linspace(0.5, 2, 6),) if mode == "sum" else ()
    y = ours(sl.tensor(index), sl.tensor(offsets), *map(sl.tensor, weights))
    z = theirs(torch.tensor(index), torch.tensor(offsets), *map(torch.tensor, weights))
    y.sum().backward(), z.sum().backward()
    near(y.detach().numpy(), z, 1e-10)
    near(ours.weight.grad.numpy(), theirs.weight.grad, 1e-10)
