"""Attention, transformers and positional encodings: masks, causality, weights, places, and what no comparison shows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, DTypeError, ShapeError


def given(name, *shape):
    return sl.tensor(numbers(name, shape))


def near(x, y, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(x.detach()), np.asarray(y.detach()), rtol=tolerance, atol=tolerance)


def written_out(q, k, v, seen):
    """Attention in NumPy, from the formula."""
    scores = np.where(seen, q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


# The function


@pytest.mark.parametrize("compiled", [False, True])
def test_attention_is_what_the_formula_says(compiled):
    q, k, v = given("q", 2, 3, 5, 4), given("k", 2, 3, 7, 4), given("v", 2, 3, 7, 6)
    seen = np.random.default_rng(0).random((5, 7)) < 0.6
    attention = sl.scaled_dot_product_attention
    masked, causal = ((lambda q, k, v: attention(q, k, v, sl.tensor(seen))), (lambda q, k, v: attention(q, k, v, is_causal=True)))
    if compiled:
        masked, causal = sl.compile(masked), sl.compile(causal)
    arrays = [x.numpy() for x in (q, k, v)]
    np.testing.assert_allclose(masked(q, k, v).numpy(), written_out(*arrays, seen), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(causal(q, k, v).numpy(), written_out(*arrays, np.tri(5, 7, dtype=bool)), rtol=1e-5, atol=1e-6)


def test_scores_that_are_large_do_not_overflow():
    q, v = sl.tensor([[1e4, 0.0]]), sl.tensor([[1.0], [2.0]])
    keys = sl.tensor([[1e4, 0.0], [-1e4, 0.0]])
    assert sl.scaled_dot_product_attention(q, keys, v).tolist() == [[1]]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("mask", [sl.tensor([[False, False], [True, False]]), sl.tensor([[-np.inf, -np.inf], [0, -np.inf]])])
def test_a_query_that_sees_nothing_gives_zeros_and_finite_gradients(mask, compiled):
    def slopes(q, k, v):
        def total(q, k, v):
            return (sl.scaled_dot_product_attention(q, k, v, mask) * v).sum()

        return sl.scaled_dot_product_attention(q, k, v, mask), *sl.grad(total, argnums=(0, 1, 2))(q, k, v)

    q, k, v = (given(name, 2, 3) for name in "qkv")
    y, *gradients = (sl.compile(slopes) if compiled else slopes)(q, k, v)
    assert (y[0] == 0).all() and np.allclose(y[1].numpy(), v[0].numpy())
    assert all(np.isfinite(each.numpy()).all() for each in gradients)


def test_dropout_of_weights_keeps_the_mean():
    q, k, v = sl.zeros((20000, 1)), sl.zeros((2, 1)), sl.ones((2, 1))
    y = sl.scaled_dot_product_attention(q, k, v, dropout_p=0.25).numpy()
    assert abs(y.mean() - 1) < 0.02 and y.std() > 0.1


# Layers


def attention(**options):
    return nn.MultiheadAttention(6, 2, batch_first=True, **options)


def test_what_comes_after_a_place_does_not_reach_it():
    layer, x = nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True), given("x", 2, 5, 6)
    changed = sl.concat([x[:, :3], x[:, 3:] + 1], axis=1)
    y, z = layer(x, is_causal=True), layer(changed, is_causal=True)
    near(y[:, :3], z[:, :3])
    assert not np.allclose(y[:, 3:].detach().numpy(), z[:, 3:].detach().numpy())


def test_hidden_keys_do_not_count():
    layer, x = attention(), given("x", 2, 5, 6)
    padding = np.array([[False] * 5, [False, False, False, True, True]])
    near(layer(x, key_padding_mask=padding)[1], layer(x[1:], x[1:, :3])[0])


def test_all_kinds_of_masks_say_the_same():
    layer, x = attention(), given("x", 2, 5, 6)
    causal = ~np.tri(5, dtype=bool)
    expected = layer(x, is_causal=True)
    added = np.where(causal, -np.inf, 0).astype(np.float32)
    for mask in (causal, added, np.broadcast_to(causal, (4, 5, 5)), np.broadcast_to(added, (2, 2, 5, 5)), causal[None, None]):
        near(layer(x, attn_mask=mask), expected)
    padding = np.zeros((2, 5), bool)
    near(layer(x, key_padding_mask=padding, attn_mask=added), expected)
    near(layer(x, key_padding_mask=padding, attn_mask=causal, is_causal=True), expected)


def test_an_example_of_padding_only_gives_the_bias_of_the_output():
    layer, x = attention(), given("x", 2, 5, 6)
    nn.init.normal(layer.out_proj.bias)
    y, weights = layer(x, key_padding_mask=np.array([[False] * 5, [True] * 5]), need_weights=True)
    near(y[1], layer.out_proj.bias.broadcast_to((5, 6)))
    assert (weights[1] == 0).all() and np.isfinite(y.detach().numpy()).all()
    y.sum().backward()
    assert all(np.isfinite(each.grad.numpy()).all() for each in layer.parameters())


def test_weights_are_given_if_asked_for():
    layer, x, memory = attention(), given("x", 3, 5, 6), given("memory", 3, 7, 6)
    y, averaged = layer(x, memory, need_weights=True)
    _, each = layer(x, memory, need_weights=True, average_attn_weights=False)
    near(y, layer(x, memory))
    assert averaged.shape == (3, 5, 7) and each.shape == (3, 2, 5, 7)
    near(averaged, each.mean(axis=1))
    assert np.allclose(averaged.sum(axis=-1).detach().numpy(), 1)


def test_the_batch_may_be_the_second_axis():
    first, second, x, memory = attention(), nn.MultiheadAttention(6, 2), given("x", 3, 5, 6), given("m", 3, 7, 6)
    second.load_state_dict(first.state_dict())
    near(second(x.permute_dims(1, 0, 2), memory.permute_dims(1, 0, 2)).permute_dims(1, 0, 2), first(x, memory))


def test_self_attention_by_one_product_equals_three():
    layer, x = attention(), given("x", 3, 5, 6)
    near(layer(x), layer(x, x * 1, x * 1))


def test_a_stack_draws_each_layer_anew():
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 3)
    weights = [layer.linear1.weight.detach().numpy() for layer in stack.layers]
    assert not np.allclose(weights[0], weights[1]) and not np.allclose(weights[1], weights[2])
    assert [name for name, _ in stack.named_parameters()][-1] == "layers.2.norm2.bias"


def test_one_layer_built_without_dropout_draws_nothing():
    sl.seed(3)
    expected = sl.uniform((2,)).numpy()
    layer = nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True)
    sl.seed(3)
    layer(given("x", 1, 2, 6))
    assert np.array_equal(sl.uniform((2,)).numpy(), expected)


def test_a_decoder_reads_its_memory_through_masks():
    layer = nn.TransformerDecoderLayer(6, 2, 8, 0.0, batch_first=True)
    x, memory = given("x", 2, 5, 6), given("memory", 2, 4, 6)
    hidden = np.array([[False, False, True, True]] * 2)
    near(layer(x, memory, memory_key_padding_mask=hidden), layer(x, memory[:, :2]))
    decoder = nn.TransformerDecoder(layer, 2)
    near(decoder(x, memory, memory_key_padding_mask=hidden), decoder(x, memory[:, :2]))


# Places


def test_sinusoids_are_those_of_the_paper():
    y = nn.SinusoidalEncoding(6)(sl.zeros((1, 50, 6))).numpy()[0]
    for t, i in ((0, 0), (1, 0), (7, 1), (49, 2)):
        angle = t / 10000 ** (2 * i / 6)
        assert np.allclose(y[t, 2 * i:2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-6)


def test_turned_queries_and_keys_know_only_their_distance():
    turn, q, k = nn.RotaryEncoding(8), given("q", 8), given("k", 8)
    y, z = (turn(x.broadcast_to((20, 8))) for x in (q, k))
    products = (y @ z.mT).numpy()  # of the same query and key at all places
    for distance in (-5, 0, 3):
        diagonal = np.diagonal(products, distance)
        assert np.allclose(diagonal, diagonal[0], rtol=1e-4, atol=1e-4)
    assert np.allclose((y * y).sum(axis=1).numpy(), (q * q).sum().numpy(), rtol=1e-5)


def test_shorter_sequences_take_the_first_places():
    layer = nn.LearnedEncoding(9, 4)
    assert np.array_equal(layer(sl.zeros((2, 3, 4)))[1].detach().numpy(), layer.weight.detach().numpy()[:3])


@pytest.mark.parametrize("layer", [nn.SinusoidalEncoding(64), nn.RotaryEncoding(64), nn.LearnedEncoding(70, 64)])
def test_places_of_long_sequences_are_compiled(layer):
    x = given("long", 2, 65, 64)  # its table is too large to be built into a program
    compiled = sl.compile(lambda x: layer(x))
    for _ in range(2):
        near(compiled(x), layer(x))
    assert compiled.compilations == 1


# Messages


def message(kind, function):
    with pytest.raises(kind) as error:
        function()
    return re.sub(r"test_attention\.py:\d+", "test_attention.py:LINE", str(error.value))


CALLED = "layer called at test_attention.py:LINE"
AT = "at test_attention.py:LINE"


@pytest.mark.parametrize("make, text", [
    (lambda: nn.MultiheadAttention(6, 4), "MultiheadAttention: num_heads=4 must divide embed_dim=6\n"
     "  each head takes an equal share of the features\n  numbers of heads that fit: 1, 2, 3, 6"),
    (lambda: nn.RotaryEncoding(5), "RotaryEncoding: width=5 must be even\n  features are rotated in pairs\n"
     "  width is that of one head: embed_dim / num_heads"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"),
     "TransformerEncoderLayer: activation must be 'relu', 'gelu', 'gelu_tanh' or a function of a tensor, not 'tanh'"),
    (lambda: nn.TransformerEncoder(nn.Identity(), 2),
     "TransformerEncoder: encoder_layer must be a TransformerEncoderLayer, not Identity()"),
])
def test_wrong_arguments(make, text):
    assert message(ArgumentError, make) == f"{text}\n  {AT}"


WHAT = "MultiheadAttention(6, 2 heads) at net"


@pytest.mark.parametrize("shapes, masks, text", [
    ([(3, 5, 4)], {}, f"{WHAT} needs a query of shape (N, L, 6), but it is (3, 5, 4)"),
    ([(5, 6)], {}, f"{WHAT} needs a query of shape (N, L, 6), but it is (5, 6)\n"
     "  for one sequence, add the batch axis: x[None]"),
    ([(3, 5, 6), (3, 7, 5)], {}, f"{WHAT} needs a key of shape (N, L, 6), but it is (3, 7, 5)"),
    ([(3, 5, 6), (2, 7, 6)], {}, f"{WHAT}: query (3, 5, 6), key (2, 7, 6) and value (2, 7, 6) do not match\n"
     "  they have one batch (axis 0), keys and values one length of at least 1 (axis 1)\n"
     "  batch_first is True: build it with False if the axes are the other way round"),
    ([(3, 5, 6), (3, 0, 6)], {}, f"{WHAT}: query (3, 5, 6), key (3, 0, 6) and value (3, 0, 6) do not match\n"
     "  they have one batch (axis 0), keys and values one length of at least 1 (axis 1)\n"
     "  batch_first is True: build it with False if the axes are the other way round"),
    ([(3, 5, 6)], {"attn_mask": np.zeros((5, 4), bool)}, f"{WHAT} needs attn_mask of shape (5, 5), but it is (5, 4)\n"
     "  here 5 is the number of queries, 5 that of keys"),
    ([(3, 5, 6)], {"key_padding_mask": np.zeros((5, 3), bool)}, f"{WHAT} needs key_padding_mask of shape (3, 5), but it is (5, 3)\n"
     "  here 3 is the number of examples, 5 that of keys"),
])
def test_inputs_and_masks_of_other_shapes(shapes, masks, text):
    layer = attention()
    assert message(ShapeError, lambda: layer(*map(sl.zeros, shapes), **masks)) == f"{text}\n  {CALLED}"


def test_a_mask_of_whole_numbers():
    layer = attention()
    assert message(DTypeError, lambda: layer(sl.zeros((3, 5, 6)), attn_mask=np.zeros((5, 5), np.int64))) == (
        f"{WHAT} needs attn_mask of booleans or floats, but it is int64\n"
        "  booleans hide keys where they are True, floats are added to the scores\n"
        f"  mask == 0 hides what is 0\n  {CALLED}")


@pytest.mark.parametrize("layer, shape, text", [
    (nn.LearnedEncoding(9, 4), (2, 12, 4), "LearnedEncoding(9 x 4) at net has 9 positions, but x is (2, 12, 4): 12 positions\n"
     "  truncate the sequence to 9, or build it with 12"),
    (nn.SinusoidalEncoding(4), (2, 5), "SinusoidalEncoding(4) at net needs x of shape (..., L, 4), but x is (2, 5)")])
def test_sequences_that_do_not_fit_the_places(layer, shape, text):
    assert message(ShapeError, lambda: layer(sl.zeros(shape))) == f"{text}\n  {CALLED}"


@pytest.mark.parametrize("shapes, mask, text", [
    ([(5, 4), (7, 3), (7, 3)], None, "query (5, 4), key (7, 3), value (7, 3) do not fit\n"
     "  query (..., L, E) and key (..., S, E) have a last axis of one size"),
    ([(5, 4), (7, 4), (6, 3)], None, "query (5, 4), key (7, 4), value (6, 3) do not fit\n"
     "  there is one value for each key, and at least one key"),
    ([(5, 4), (7, 4), (7, 3)], (7, 5), "a mask of shape (7, 5) for 5 queries and 7 keys\n"
     "  its last two axes are queries and keys, of these sizes or 1")])
def test_the_function_names_the_shapes_that_do_not_fit(shapes, mask, text):
    def call():
        sl.scaled_dot_product_attention(*map(sl.zeros, shapes), attn_mask=None if mask is None else sl.zeros(mask))

    assert message(ShapeError, call) == f"scaled_dot_product_attention: {text}\n  {AT}"


# What stands where nobody looks


HIDDEN = np.array([False, False, False, True, True])
BAD = pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
RUNS = pytest.mark.parametrize("run", [lambda f: f, sl.compile], ids=["eager", "compiled"])
SHAPES = {"keys": (5,), "each example": (2, 1, 1, 5), "each query": (2, 3, 4, 5), "more than the keys": (2, 2, 1, 4, 5)}


@BAD
@RUNS
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_keys_that_no_query_sees_may_hold_anything(shape, added, run, bad):
    seen = np.broadcast_to(~HIDDEN, shape)
    mask = sl.tensor(np.where(seen, 0, -np.inf).astype("float32") if added else np.array(seen))
    q, k, v = (numbers(name, (2, 3, n, 6)) for name, n in zip("qkv", (4, 5, 5)))
    spoilt = [np.where(HIDDEN[:, None], np.float32(bad), each) for each in (k, v)]

    @run
    def values_and_gradients(q, k, v):
        y, pull = sl.vjp(lambda q, k, v: sl.scaled_dot_product_attention(q, k, v, mask), q, k, v)
        return y, *pull(sl.ones_like(y))

    result = values_and_gradients(*map(sl.tensor, (q, *spoilt)))
    for one, other in zip(result, values_and_gradients(*map(sl.tensor, (q, k, v)))):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-6)


@RUNS
def test_keys_that_all_heads_share_may_hold_anything_where_hidden(run):
    q, k = numbers("q", (2, 3, 4, 6)), np.where(HIDDEN[:, None], np.float32(np.nan), numbers("k", (5, 6)))
    mask = sl.tensor(np.array(np.broadcast_to(~HIDDEN, (2, 1, 1, 5))))
    attend = run(lambda q, k: sl.scaled_dot_product_attention(q, k, k, mask))
    near(attend(sl.tensor(q), sl.tensor(k)), attend(sl.tensor(q), sl.tensor(np.nan_to_num(k))))


@BAD
@RUNS
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("make, name", [
    (lambda: nn.MultiheadAttention(6, 2, batch_first=True), "key_padding_mask"),
    (lambda: nn.MultiheadAttention(6, 2), "key_padding_mask"),
    (lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True), "src_key_padding_mask"),
    (lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), "src_key_padding_mask"),
])
def test_padding_spoils_neither_values_nor_gradients_of_weights(make, name, added, run, bad):
    layer = make()
    first = (layer if name == "key_padding_mask" else layer.self_attn).batch_first
    hidden = np.array([HIDDEN, HIDDEN])
    mask = sl.tensor(np.where(hidden, -np.inf, 0).astype("float32") if added else hidden)
    x = numbers("x", (2, 5, 6))
    spoilt = np.where(HIDDEN[:, None], np.float32(bad), x)
    weights = layer.parameters()

    @run
    def values_and_gradients(x):
        layer.zero_grad()
        y = layer(x, **{name: mask})
        y = y[:, :3] if first else y[:3]
        (y * y).sum().backward()
        return y, [each.grad for each in weights]

    turn = (lambda x: x) if first else (lambda x: np.ascontiguousarray(x.transpose(1, 0, 2)))
    result, slopes = values_and_gradients(sl.tensor(turn(spoilt)))
    zeroed, expected = values_and_gradients(sl.tensor(turn(np.where(HIDDEN[:, None], np.float32(0), x))))
    near(result, zeroed)
    for one, other in zip(slopes, expected):
        near(one, other)
