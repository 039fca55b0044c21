"""Regions: every node knows the call of the layer or function that made it, in graphs, gradients, batches and compiled programs."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.graph.build import constant, variable
from slopes.graph.scopes import FUNCTION, named_call, plain_values, scopes
from slopes.graph.walk import topological
from slopes.passes.pipeline import optimize


class Classes(nn.Module):
    """A layer with attributes of all kinds that applies a softmax."""

    def __init__(self):
        self.axis, self.sizes, self.names, self.table = 1, [2, (3, 4)], ("a", None), np.zeros(3)

    def forward(self, x):
        return sl.softmax(x * 2, axis=self.axis)


def nodes_of(captured):
    return topological(captured.roots)


def regions(captured):
    """The regions of a captured function in the order of their nodes, each once."""
    return list(dict.fromkeys(captured.regions.values()))


def softmax_net():
    net = nn.Sequential(nn.Linear(4, 3), Classes())
    return net, sl.capture(net, sl.zeros((5, 4)))


def test_a_softmax_inside_a_layer_inside_a_sequential():
    _, captured = softmax_net()
    softmax = next(region for region in regions(captured) if region.name == "softmax")
    assert softmax.kind == FUNCTION and not softmax.is_layer and softmax.layer == "net[1]"
    assert softmax.arguments == {"axis": 1} and softmax.call == "softmax(axis=1)"
    layer = softmax.parent
    assert (layer.name, layer.kind, layer.layer, layer.is_layer) == ("net[1]", "Classes", "net[1]", True)
    assert layer.arguments == {"axis": 1, "sizes": (2, (3, 4)), "names": ("a", None), "training": True}
    assert (layer.parent.name, layer.parent.kind, layer.parent.parent) == ("net", "Sequential", None)
    assert [region.name for region in softmax.chain] == ["net", "net[1]", "softmax"]
    assert repr(softmax) == "<net[1] softmax(axis=1)>"


def test_each_node_is_in_the_innermost_region():
    _, captured = softmax_net()
    names = {node.op.name: node.region.name for node in nodes_of(captured) if node.region}
    assert names["exp"] == names["divide"] == "softmax" and names["contract"] == "affine"
    assert names["multiply"] == "net[1]", "the product by 2 is the layer's own"
    assert all(node.layer.startswith("net[") for node in nodes_of(captured) if node.args and node.varies)


def test_a_node_of_constants_is_in_no_region_whoever_made_it_first():
    twice = constant(np.arange(3.0)) + constant(np.full(3, 4.0))  # made outside, and again in a layer: one node
    captured = sl.capture(nn.Sequential(nn.Linear(3, 3), Adds()), sl.zeros((2, 3)))
    assert twice in nodes_of(captured) and twice.region is None
    other = constant(np.arange(3.0)) + constant(np.full(3, 5.0))
    assert other.region is None


class Adds(nn.Module):
    def forward(self, x):
        return x + (sl.tensor(np.arange(3.0)) + sl.tensor(np.full(3, 4.0))).astype(sl.float32)


def test_two_calls_of_one_layer_are_two_regions():
    layer = nn.Linear(3, 3)
    captured = sl.capture(lambda x: layer(sl.exp(layer(x))), sl.zeros((2, 3)))
    calls = [region for region in regions(captured) if region.name == "affine"]
    assert len(calls) == 2 and calls[0].parent is not calls[1].parent
    assert [call.parent.name for call in calls] == ["net", "net"]


@pytest.mark.parametrize("function, name, arguments", [
    (lambda x: nn.cross_entropy(x, np.zeros(2, np.int64), label_smoothing=0.25), "cross_entropy",
     {"reduction": "mean", "weight": None, "label_smoothing": 0.25, "ignore_index": None}),
    (lambda x: sl.gelu(x, "tanh"), "gelu", {"approximate": "tanh"}),
    (lambda x: sl.leaky_relu(x, 0.2), "leaky_relu", {"slope": 0.2}),
    (lambda x: sl.log_softmax(x, axis=0), "log_softmax", {"axis": 0}),
    (lambda x: x.mean(axis=(0, 1), keepdims=True), "mean", {"axis": (0, 1), "keepdims": True}),
    (lambda x: sl.scaled_dot_product_attention(x, x, x, is_causal=True), "scaled_dot_product_attention",
     {"attn_mask": None, "dropout_p": 0.0, "is_causal": True, "scale": None, "enable_gqa": False}),
])
def test_functions_say_what_they_were_called_with(function, name, arguments):
    captured = sl.capture(function, sl.ones((2, 3)))
    region = next(region for region in regions(captured) if region.chain[0].name == name).chain[0]
    assert region.kind == FUNCTION and region.layer == "" and region.parent is None
    assert region.arguments == arguments


def test_a_convolution_has_its_stride_and_the_layer_its_attributes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.MaxPool2d(2))
    by_name = {region.name: region for region in regions(sl.capture(net, sl.zeros((1, 1, 8, 8))))}
    convolution, pooling = by_name["convolution"], by_name["max_pool"]
    assert {"stride", "padding", "dilation", "groups"} == set(convolution.arguments)
    assert convolution.arguments["stride"] == (2, 2) and convolution.parent.kind == "Conv2d"
    assert convolution.parent.arguments["stride"] == (2, 2)
    assert pooling.arguments["size"] in (2, (2, 2)) and pooling.parent.kind == "MaxPool2d"


def step_of(net):
    def step(x, labels):
        loss = nn.cross_entropy(net(x), labels)
        net.zero_grad()
        loss.backward()
        return loss, net[0].weight.grad
    return step


def test_gradients_are_in_the_region_of_gradients_of_what_they_belong_to():
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    captured = sl.capture(step_of(net), sl.zeros((2, 4)), np.zeros(2, np.int64))
    gradients = [region for region in regions(captured) if region.forward is not None]
    assert {"net[0]", "net[1]", "net[2]", ""} == {region.layer for region in gradients}
    forward = {each.name: each for region in regions(captured) if region.forward is None for each in region.chain}
    assert forward["net[1]"].gradient in gradients and forward["net[1]"].gradient.forward is forward["net[1]"]
    loss = [region for region in gradients if region.chain[0].name == "cross_entropy"]
    assert loss and all(region.chain[0].forward is not None for region in loss)
    weight = captured.outputs[1].node
    assert weight.layer == "net[0]" and weight.region.forward is not None
    assert repr(forward["net[1]"].gradient).startswith("<gradient of net[1] Tanh(")
    assert forward["net[1]"].gradient.gradient is forward["net[1]"].gradient


def test_regions_survive_the_optimizer_of_graphs():
    net, _ = softmax_net()
    optimized = optimize(sl.capture(net, sl.zeros((5, 4))).roots)
    assert {node.layer for node in topological(optimized) if node.varies and node.args} == {"net[0]", "net[1]"}
    assert {"affine", "softmax"} <= {node.region.name for node in topological(optimized) if node.region}


def test_a_profile_has_a_row_for_each_layer():
    net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 8))
    profile = sl.profile(sl.compile(step_of(net)), sl.zeros((32, 64)), np.zeros(32, np.int64), runs=1)
    words = ", ".join(profile.layers)
    assert all(name in words for name in ("net[0]", "net[0] gradient", "net[2] gradient", "cross_entropy", "cross_entropy gradient"))
    assert sum(profile.layers.values()) == pytest.approx(sum(row.seconds for row in profile.rows))
    assert list(profile.layers.values()) == sorted(profile.layers.values(), reverse=True)
    assert str(profile).splitlines()[len(profile.rows) + 2].endswith("  layer")


def test_a_batch_of_a_function_keeps_its_regions():
    net = Classes()
    captured = sl.capture(sl.vmap(lambda x: sl.softmax(net(x[None])[0])), sl.zeros((6, 4)))
    assert {"net", ""} == {region.layer for region in regions(captured) if region.name == "softmax"}


def test_equal_expressions_are_one_node_in_the_region_that_made_it_first():
    captured = sl.capture(lambda x: (sl.softmax(x), sl.softmax(x)), sl.zeros(3))
    assert captured.outputs[0].node is captured.outputs[1].node
    assert len(regions(captured)) == 1


def test_what_depends_on_constants_alone_is_in_no_region():
    def masked(x):
        return x + sl.softmax(sl.arange(3) * 1.0, axis=0)
    first, second = (sl.capture(masked, sl.zeros(3)) for _ in range(2))
    assert first.outputs[0].node.args[1] is second.outputs[0].node.args[1], "such nodes are shared between graphs"
    assert not second.regions


def test_nothing_is_marked_where_nothing_is_traced():
    seen = []

    @named_call
    def look(x):
        seen.append(scopes.region)
        return x
    look(sl.zeros(2))
    net = nn.Sequential(nn.ReLU())
    net[0].forward = lambda x: (seen.append(scopes.region), x)[1]
    net(sl.zeros(2))
    net(sl.zeros(2))
    assert seen[0] is None and seen[1] is seen[2], "eager calls of a layer share one region"
    assert seen[1].layer == "net[0]" and seen[1].arguments == {} and scopes.region is None


def test_a_region_is_left_when_the_function_fails():
    @named_call
    def fail(x):
        raise ValueError("no")
    with pytest.raises(ValueError, match="no"):
        sl.capture(lambda x: fail(x), sl.zeros(2))
    assert scopes.region is None and not scopes.tracing


def test_errors_name_the_layer_that_runs():
    class Wrong(nn.Module):
        def forward(self, x):
            return x.reshape((7,))
    net = nn.Sequential(nn.ReLU(), Wrong())
    with pytest.raises(sl.SlopesError, match=r"in net\[1\], at test_regions"):
        net(sl.ones((1, 3)))


def test_only_plain_values_are_kept():
    values = {"a": 1, "b": [1, "x", (2.5, None)], "c": np.zeros(2), "d": [np.zeros(2)], "e": sl.zeros(1), "f": True}
    assert plain_values(values) == {"a": 1, "b": (1, "x", (2.5, None)), "f": True}


def test_nodes_outside_of_calls_have_no_region():
    node = variable((2,), np.dtype("float32"))
    assert node.region is None and node.layer == ""
