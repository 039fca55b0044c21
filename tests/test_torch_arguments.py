"""Arguments and methods that layers share with PyTorch's, where values and gradients against PyTorch do not show what they do."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, ShapeError, TraceError


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))


# Data types and devices


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64"), sl.float64])
def test_a_layer_is_made_with_a_data_type(dtype):
    net = nn.TransformerEncoderLayer(4, 2, 8, device="cpu", dtype=dtype)
    assert {parameter.dtype for parameter in net.parameters()} == {np.dtype("float64")}


def test_a_data_type_changes_no_draw():
    sl.seed(0)
    single, following = nn.Linear(3, 2), sl.uniform(2)
    sl.seed(0)
    double, again = nn.Linear(3, 2, dtype="float64"), sl.uniform(2)
    assert np.array_equal(single.weight.numpy(), double.weight.numpy()) and np.array_equal(following.numpy(), again.numpy())


def test_a_converted_net_computes_and_trains_in_its_type():
    net = small()
    bias, optimizer = net[2][1].bias, optim.SGD(net.parameters(), lr=0.1)
    step = sl.compile(lambda x: net(x).sum())
    assert step(sl.ones((2, 3))).dtype == np.float32
    assert net.to("cpu").double() is net and net[2][1].bias is bias and net[1].num_batches_tracked.dtype == np.int64
    assert step(sl.ones((2, 3), dtype="float64")).dtype == np.float64
    net(sl.ones((2, 3), dtype="float64")).sum().backward()
    before = bias.numpy().copy()
    optimizer.step()
    assert bias.dtype == np.float64 and np.allclose(before - bias.numpy(), 0.2)  # two examples
    assert net.float().cpu() is net and bias.dtype == np.float32 and bias.grad is None


def test_converting_a_large_net_of_shapes_takes_no_memory():
    with nn.init.shapes_only():
        net = nn.Linear(1_000_000, 1_000_000, dtype="float64")
    assert net.weight.dtype == np.float64 and not any(net.weight.detach().numpy().strides)


def test_a_net_is_not_converted_while_it_is_traced():
    net = nn.Linear(3, 2)
    with pytest.raises(TraceError, match=r"its data type is changed inside a function"):
        sl.compile(lambda x: net.double()(x))(sl.ones((1, 3)))


@pytest.mark.parametrize("device", ["cuda", "mps", 0])
def test_another_device_is_refused_in_words(device):
    with pytest.raises(ArgumentError, match=r"Sequential: device must be 'cpu' or None.*\n.*on the CPU"):
        small().to(device)


def test_another_data_type_is_refused_in_words():
    with pytest.raises(ArgumentError, match=r"Linear: dtype must be float32, float64 or None, not 'int8'"):
        nn.Linear(3, 2, dtype="int8")


# Methods of modules


def test_apply_calls_the_inner_modules_first():
    net, order = small(), []
    shared = nn.Sequential(net[2][1], nn.Sequential(net[2][1]))
    assert net.apply(lambda module: order.append(type(module).__name__)) is net
    assert order == ["Linear", "BatchNorm1d", "ReLU", "Linear", "Sequential", "Sequential"]
    order.clear()
    shared.apply(lambda module: order.append(type(module).__name__))
    assert order == ["Linear", "Sequential", "Sequential"]  # each once


def test_modules_are_listed_and_looked_up_by_path():
    net = small()
    assert [name for name, _ in net.named_children()] == ["0", "1", "2"] and net.children() == [net[0], net[1], net[2]]
    assert net.modules()[0] is net and len(net.modules()) == 6
    assert net.get_submodule("2.1") is net[2][1] and net.get_parameter("2.1.weight") is net[2][1].weight
    with pytest.raises(ArgumentError, match=r"has no parameter '2.1.wieght'\n.*do you mean '2.1.weight'"):
        net.get_parameter("2.1.wieght")
    with pytest.raises(ArgumentError, match=r"has no submodule '7'\n.*its paths are"):
        net.get_submodule("7")


def test_registered_attributes_are_checked():
    net = nn.Module()
    net.register_parameter("weight", nn.Parameter([1.0]))
    net.register_parameter("bias", None)
    net.register_module("inner", nn.Linear(2, 2))
    net.register_buffer("total", np.zeros(3, np.float32))
    net.register_buffer("scratch", [1.0], persistent=False)
    net.register_buffer("nothing", None)
    assert list(net.state_dict()) == ["weight", "inner.weight", "inner.bias", "total"]
    assert net.scratch.tolist() == [1] and net.bias is None and net.nothing is None
    with pytest.raises(ArgumentError, match=r"Module: weight is .* of type Tensor, not a Parameter\n.*nn.Parameter"):
        net.register_parameter("weight", sl.ones(3))
    with pytest.raises(ArgumentError, match=r"not a Module"):
        net.register_module("inner", sl.ones(3))
    with pytest.raises(ArgumentError, match=r"'forward' cannot be the name of an attribute\n.*the class has"):
        net.register_buffer("forward", [1.0])
    with pytest.raises(ArgumentError, match=r"'a.b' cannot be the name of an attribute\n.*no identifier"):
        net.register_buffer("a.b", [1.0])


def test_a_module_is_frozen_and_thawed():
    net = small()
    assert net.requires_grad_(False) is net and not net(sl.ones((2, 3))).requires_grad
    assert net.requires_grad_()(sl.ones((2, 3))).requires_grad


# Embeddings


def test_rows_that_are_looked_up_are_shortened():
    layer = nn.Embedding(4, 2, max_norm=1.0)
    layer.weight.assign([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0], [0.0, 0.0]])
    layer(sl.tensor([0, 1, 0, 3])).sum().backward()
    assert np.allclose(layer.weight.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [6, 8], [0, 0]], atol=1e-6)
    assert layer.weight.grad.tolist() == [[2, 2], [1, 1], [0, 0], [1, 1]]
    manhattan = nn.EmbeddingBag(2, 2, max_norm=1.0, norm_type=1.0, mode="sum", sparse=True)
    manhattan.weight.assign([[3.0, 1.0], [0.0, 0.5]])
    assert np.allclose(manhattan(sl.tensor([[0, 1]])).detach().numpy(), [[0.75, 0.75]], atol=1e-6)


def test_rows_are_shortened_in_a_compiled_step_too():
    def trained(wrap):
        layer = nn.Embedding.from_pretrained([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], freeze=False, max_norm=1.0)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)

        @wrap
        def step(x):
            optimizer.zero_grad()
            (layer(x) * sl.tensor([1.0, 2.0])).sum().backward()
            optimizer.step()

        for _ in range(3):
            step(sl.tensor([0, 1, 0]))
        return layer.weight.numpy()

    np.testing.assert_allclose(trained(sl.compile), trained(lambda step: step), atol=1e-6)


def test_a_frequent_row_gets_a_share_of_its_gradient():
    layer = nn.EmbeddingBag(3, 2, mode="sum", scale_grad_by_freq=True)
    layer(sl.tensor([[1, 1], [1, 2]])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_a_table_is_taken_as_it_is():
    table = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    sl.seed(0)
    layer, first = nn.Embedding.from_pretrained(table), sl.uniform(1)
    sl.seed(0)
    assert first.item() == sl.uniform(1).item() and not layer.weight.requires_grad
    assert np.array_equal(layer(sl.tensor([2])).numpy(), table[[2]])
    assert nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="max").weight.requires_grad
    with pytest.raises(ShapeError, match=r"Embedding.from_pretrained: the table is \(6,\)"):
        nn.Embedding.from_pretrained(table.ravel())


def test_bags_have_weights_and_a_last_offset():
    layer = nn.EmbeddingBag.from_pretrained(np.eye(3, dtype=np.float32), mode="sum", include_last_offset=True)
    words, weights = sl.tensor([0, 1, 2]), sl.tensor([2.0, 3.0, 5.0])
    assert layer(words, sl.tensor([0, 1, 3]), weights).tolist() == [[2, 0, 0], [0, 3, 5]]
    with pytest.raises(ShapeError, match=r"per_sample_weights are \(2,\), x is \(3,\)"):
        layer(words, sl.tensor([0, 3]), weights[:2])
    with pytest.raises(ArgumentError, match=r"per_sample_weights are factors in a sum\n.*mode=.sum."):
        nn.EmbeddingBag(3, 2)(words, sl.tensor([0]), weights)


# Attention


def test_added_keys_are_seen_through_every_mask():
    sl.seed(0)
    layer = nn.MultiheadAttention(4, 2, add_zero_attn=True, batch_first=True)
    x = sl.normal((2, 3, 4))
    _, weights = layer(x, need_weights=True, is_causal=True, key_padding_mask=np.array([[False, True, True]] * 2))
    assert weights.shape == (2, 3, 4) and (weights[:, :, 3] > 0).all() and not (weights[:, :, 1:3] != 0).any()
    _, causal = layer(x, need_weights=True, is_causal=True)
    assert (causal[:, 0, 1:3] == 0).all() and (causal[:, :, 3] > 0).all()
    added = layer(x, need_weights=True, is_causal=True, attn_mask=np.zeros((3, 3), np.float32))[1]
    np.testing.assert_allclose(added.detach().numpy(), causal.detach().numpy(), rtol=1e-6)


def test_the_parts_of_a_transformer_can_be_replaced():
    net = nn.Transformer(4, 2, 1, 1, 8, 0.0, nn.Tanh(), custom_encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, 0.0), 2))
    assert len(net.encoder.layers) == 2 and net(sl.ones((5, 1, 4)), sl.ones((3, 1, 4))).shape == (3, 1, 4)
    assert nn.Transformer.generate_square_subsequent_mask(2).tolist() == [[0, -np.inf], [0, 0]]


def test_a_decoder_takes_its_masks_by_position_as_pytorch_does():
    net = nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, 0.0), 2)
    x, memory, mask = sl.normal((3, 1, 4)), sl.normal((5, 1, 4)), nn.Transformer.generate_square_subsequent_mask(3)
    expected = net(x, memory, tgt_is_causal=True).detach().numpy()
    np.testing.assert_allclose(net(x, memory, mask).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


# Recurrent layers


@pytest.mark.parametrize("kind, options", [
    (nn.RNN, {"bidirectional": True}), (nn.GRU, {"num_layers": 2}), (nn.LSTM, {"proj_size": 2, "bidirectional": True})])
def test_time_is_the_first_axis_unless_the_batch_is(kind, options):
    sl.seed(0)
    first, second = kind(3, 4, **options), kind(3, 4, batch_first=True, **options)
    second.load_state_dict(first.state_dict())
    x, lengths = sl.normal((5, 2, 3)), sl.tensor([5, 3])
    (y, state), (z, other) = first(x, lengths=lengths), second(x.permute_dims((1, 0, 2)), lengths=lengths)
    assert np.array_equal(y.detach().numpy(), z.detach().numpy().swapaxes(0, 1))
    again = first(x[:1], state)[1]
    pairs = zip(*(value if isinstance(value, tuple) else (value,) for value in (state, other, again)))
    assert all(np.array_equal(one.detach().numpy(), two.detach().numpy()) and one.shape == three.shape for one, two, three in pairs)


def test_a_projection_makes_states_smaller():
    layer = nn.LSTM(3, 4, 2, proj_size=2)
    y, (h, c) = layer(sl.ones((5, 2, 3)))
    assert y.shape == (5, 2, 2) and h.shape == (2, 2, 2) and c.shape == (2, 2, 4)
    assert layer.weight_hr_l0.shape == (2, 4) and layer.weight_hh_l0.shape == (16, 2) and layer.weight_ih_l1.shape == (16, 2)
    with pytest.raises(ShapeError, match=r"h of the state is float32\[2, 2, 4\], not float32\[2, 2, 2\]"):
        layer(sl.ones((5, 2, 3)), (c, c))


def test_a_wrong_input_is_told_which_axis_is_which():
    with pytest.raises(ShapeError, match=r"x of shape \(time, batch, 3\), but x is \(5, 3\)\n.*x\[:, None\]; .* of a batch, x\[None\]"):
        nn.GRU(3, 4)(sl.ones((5, 3)))
    with pytest.raises(ShapeError, match=r"lengths of shape \(2,\)"):
        nn.GRU(3, 4)(sl.ones((5, 2, 3)), lengths=[1] * 5)


# Lists and dictionaries of modules and parameters


class Heads(nn.Module):
    def __init__(self):
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.ReLU()])
        self.heads = nn.ModuleDict([("age", nn.Linear(3, 1))])
        self.scales = nn.ParameterList([sl.ones(3), nn.Parameter([2.0])])
        self.named = nn.ParameterDict({"shift": np.zeros(3, np.float32)})

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.heads["age"](x * self.scales[0] + self.named["shift"]) * self.scales[1]


def test_lists_and_dictionaries_hold_the_parts_of_a_net():
    net = Heads()
    assert list(net.state_dict()) == ["layers.0.weight", "layers.0.bias", "heads.age.weight", "heads.age.bias", "scales.0", "scales.1",
                                      "named.shift"]
    net(sl.ones((2, 3))).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert "[0] Linear(3 -> 3)" in repr(net) and not net.eval().layers[0].training


def test_a_change_of_a_list_is_seen_by_compiled_functions():
    net = Heads()
    run, x = sl.compile(lambda x: net(x)), sl.ones((2, 3))
    before = run(x).detach().numpy()
    assert net.layers.append(nn.Tanh()) is net.layers and len(net.layers) == 3
    after = run(x).detach().numpy()
    assert np.allclose(after, net(x).detach().numpy()) and not np.allclose(after, before)
    net.heads["age"] = nn.Linear(3, 2)
    assert run(x).shape == (2, 2)


def test_a_list_of_modules_is_a_list():
    layers = nn.ModuleList(nn.Linear(n, n) for n in (1, 2, 3))
    assert isinstance(layers[1:], nn.ModuleList) and layers[1:][0] is layers[1]
    layers.insert(0, nn.ReLU())
    layers.extend([nn.Tanh()])
    assert [type(layer).__name__ for layer in layers] == ["ReLU", "Linear", "Linear", "Linear", "Tanh"]
    assert isinstance(layers.pop(), nn.Tanh) and len(layers + [nn.GELU()]) == 5
    del layers[0]
    layers[0] = nn.Identity()
    assert isinstance(layers[0], nn.Identity) and len(layers) == 3 and not len(nn.ModuleList())
    with pytest.raises(ArgumentError, match="ModuleList: layer 0 is 3 of type int, not a module"):
        layers.append(3)


def test_a_dictionary_of_modules_is_a_dictionary():
    heads = nn.ModuleDict({"a": nn.ReLU()})
    heads.update({"b": nn.Tanh()})
    assert list(heads) == list(heads.keys()) == ["a", "b"] and "b" in heads and len(heads) == 2
    assert [name for name, _ in heads.items()] == ["a", "b"] and list(heads.values()) == [heads["a"], heads["b"]]
    assert isinstance(heads.pop("a"), nn.ReLU) and list(heads) == ["b"]
    del heads["b"]
    heads.clear()
    with pytest.raises(ArgumentError, match=r"ModuleDict: 'a.b' cannot be a key\n.*dots separate"):
        heads["a.b"] = nn.ReLU()
    with pytest.raises(ArgumentError, match="has no forward method"):
        heads(sl.ones(3))


# Resizing, and errors of shapes


@pytest.mark.parametrize("call, text", [
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), 5, mode="area"), "mode='area' is not known\n.*the modes are.*\n.*AdaptiveAvgPool2d"),
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), 5, mode="bilinear"), r"x \(1, 1, 3\) with mode='bilinear'\n.*2 spatial.*\n.*one spatial"),
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), 5, align_corners=True), "nothing is between elements there"),
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), 5, 2.0), "give either size or scale_factor"),
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), (5, 5)), r"size=\(5, 5\) for 1 spatial axes"),
    (lambda: sl.interpolate(sl.ones((1, 1, 3)), scale_factor=0.1), r"\(3,\) elements become \(0,\)"),
    (lambda: nn.Upsample(), "Upsample: give either size or scale_factor"),
    (lambda: nn.PixelShuffle(2)(sl.ones((1, 3, 2, 2))), r"needs axis 1 of x to be a multiple of 4, but x is \(1, 3, 2, 2\)"),
    (lambda: nn.ChannelShuffle(2)(sl.ones(4)), r"needs x of shape \(N, C, ...\)"),
    (lambda: nn.Fold(3, 2)(sl.ones((1, 4, 5))), r"needs x of shape \(N, channels \* 4, 4\), but x is \(1, 4, 5\)\n.*2 x 2 windows"),
    (lambda: nn.Bilinear(3, 4, 2)(sl.ones((5, 3)), sl.ones((4, 4))), r"\(5, 3\) and \(4, 4\)\n.*leading axes are equal"),
    (lambda: nn.LocalResponseNorm(3)(sl.ones((5, 3))), "with at least 3 axes"),
    (lambda: nn.ReflectionPad1d(3)(sl.ones((1, 1, 3))), r"axis 2 of x \(1, 1, 3\) is shorter than 4\n.*'reflect'"),
    (lambda: nn.ZeroPad1d((-2, -2))(sl.ones((1, 1, 3))), r"\(-2, -2\) cuts off more than axis 2"),
    (lambda: nn.ZeroPad2d((1, 2, 3)), r"padding must be one number or 4 of them, not \(1, 2, 3\)"),
    (lambda: nn.CircularPad1d(1)(sl.ones(3)), r"needs x of 2 or 3 axes, but x is \(3,\)"),
    (lambda: nn.Hardtanh(1.0, -1.0), "min_val=1 must be less than max_val=-1"),
    (lambda: nn.RReLU(0.5, 0.25), "lower=0.5 must be at most upper=0.25"),
    (lambda: sl.glu(sl.ones(3)), "axis -1 of x .* has an odd length"),
    (lambda: nn.FeatureAlphaDropout()(sl.ones(3)), "nn.AlphaDropout drops single values"),
])
def test_what_does_not_fit_is_refused_in_words(call, text):
    with pytest.raises((ArgumentError, ShapeError), match=text):
        call()


def test_random_slopes_are_drawn_in_training_and_averaged_in_use():
    sl.seed(0)
    layer = nn.RReLU(0.25, 0.75)
    y = -layer(-sl.ones(1000)).numpy()
    assert 0.25 <= y.min() < 0.3 and 0.7 < y.max() <= 0.75 and abs(y.mean() - 0.5) < 0.02
    assert layer.eval()(sl.tensor([-1.0, 3.0])).tolist() == [-0.5, 3]


def test_the_layers_of_a_sequential_can_have_names():
    net = nn.Sequential({"first": nn.Linear(3, 4), "act": nn.ReLU(), "last": nn.Linear(4, 2)})
    assert list(net.state_dict()) == ["first.weight", "first.bias", "last.weight", "last.bias"] and len(net) == 3
    run, x = sl.compile(lambda x: net(x)), sl.ones((2, 3))
    assert np.allclose(run(x).detach().numpy(), net[2](net[1](net[0](x))).detach().numpy())
    net[1] = nn.Tanh()
    assert np.allclose(run(x).detach().numpy(), net(x).detach().numpy()) and net[1:].state_dict().keys() == {"last.weight", "last.bias"}
    assert run(x).shape == (2, 2) and net.append(nn.Linear(2, 5)) is net and run(x).shape == (2, 5)
    assert nn.Sequential(nn.Linear(3, 2)).append(nn.Linear(2, 1))(x).shape == (2, 1)
    assert "['first'] Linear(3 -> 4)" in repr(net)
    with pytest.raises(ArgumentError, match=r"Sequential: 'a\.b' cannot be a key"):
        nn.Sequential({"a.b": nn.ReLU()})
    with pytest.raises(ArgumentError, match="Sequential: layer 0 is 3 of type int"):
        nn.Sequential({"a": 3})
