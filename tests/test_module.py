"""Modules: finding parameters, paths, modes, state, text and summaries."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.errors import ArgumentError, StateError
from slopes.graph.scopes import running_layer, scopes
from slopes.nn.module import Module
from slopes.trace import Trace, tracing
from slopes.versions import versions


class Nested(nn.Module):
    """Modules in every kind of container, one of them twice."""

    def __init__(self):
        self.first = nn.Linear(4, 4)
        self.layers = [nn.Linear(4, 4), (nn.ReLU(), nn.Linear(4, 3))]
        self.heads = {"left": nn.Linear(3, 2), "right": nn.Linear(3, 2)}
        self.again = self.first
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.count = nn.Buffer(np.zeros((), np.int64))
        self.remark = "no module"

    def forward(self, x):
        x = self.again(self.layers[0](self.first(x)))
        x = self.layers[1][1](self.layers[1][0](x))
        return (self.heads["left"](x) + self.heads["right"](x)) * self.scale


def test_parameters_in_containers_are_found_once_and_named_by_their_first_path():
    names = [name for name, _ in Nested().named_parameters()]
    assert names == ["first.weight", "first.bias", "layers.0.weight", "layers.0.bias", "layers.1.1.weight", "layers.1.1.bias",
                     "heads.left.weight", "heads.left.bias", "heads.right.weight", "heads.right.bias", "scale"]


def test_parameters_know_their_names():
    net = Nested()
    assert net.parameters().names == [name for name, _ in net.named_parameters()]
    assert all(a is b for a, (_, b) in zip(net.parameters(), net.named_parameters()))


def test_buffers_modules_and_children_are_found():
    net = Nested()
    assert [name for name, _ in net.named_buffers()] == ["count"]
    names = [name for name, _ in net.named_modules()]
    assert names == ["", "first", "layers.0", "layers.1.0", "layers.1.1", "heads.left", "heads.right"]
    assert net.children() == [net.first, net.layers[0], *net.layers[1], *net.heads.values()]
    assert nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()).children()[0].children()[0].describe() == "ReLU()"


def test_a_tied_weight_is_stored_and_counted_once():
    net = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert net.summary((1, 5)).parameters == 35
    net(sl.ones((2, 5))).sum().backward()
    assert net[0].weight.grad.shape == (5, 5)


def test_a_module_that_contains_itself_is_walked_once():
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].parent = net
    assert len(net.parameters()) == 2
    assert len(net.named_modules()) == 2


def test_deep_nesting_is_no_recursion():
    net = nn.Linear(2, 2)
    for _ in range(3000):
        net = nn.Sequential(net)
    assert len(net.parameters()) == 2
    assert len(net.named_modules()) == 3001
    net.eval()
    assert repr(net).count("\n") == 6000


def test_train_and_eval_reach_every_module():
    net = Nested()
    assert all(module.training for _, module in net.named_modules())
    assert net.eval() is net
    assert not any(module.training for _, module in net.named_modules())
    net.train()
    assert net.layers[1][0].training


def test_compiled_functions_are_told_of_changes_of_structure_but_not_of_numbers():
    net = nn.Sequential(nn.Dropout(0.5))
    before = versions.observe_structure()
    net.eval()
    assert versions.structure > before
    before = versions.structure
    net[0].extra = 3
    del net[0].extra
    assert versions.structure == before + 2
    before = versions.structure
    net.eval()
    net[0].p = 0.25
    assert versions.structure == before
    assert float(net[0].p) == 0.25


def test_zero_grad_forgets_gradients():
    net = nn.Linear(3, 2)
    net(sl.ones((1, 3))).sum().backward()
    assert net.weight.grad is not None
    net.zero_grad()
    assert net.weight.grad is None and net.bias.grad is None


def test_a_layer_knows_its_path_while_it_runs():
    seen = []

    class Watching(nn.Module):
        def forward(self, x):
            seen.append(running_layer())
            return x

    class Outer(nn.Module):
        def __init__(self):
            self.body = nn.Sequential(Watching(), nn.Sequential(Watching()))
            self.list = [Watching()]
            self.dict = {"a": Watching()}

        def forward(self, x):
            return self.dict["a"](self.list[0](self.body(x)))

    net = Outer()
    net(sl.ones((1,)))
    assert seen == ["net.body[0]", "net.body[1][0]", "net.list[0]", "net.dict['a']"]
    seen.clear()
    net.name = "model"
    net.body[0] is not None and net(sl.ones((1,)))
    assert seen[0] == "model.body[0]"
    assert scopes.region is None


def test_a_layer_that_hangs_nowhere_is_named_by_its_kind():
    seen = []

    class Inner(nn.Module):
        def forward(self, x):
            seen.append(running_layer())
            return x

    loose = Inner()

    class Outer(nn.Module):
        def forward(self, x):
            return loose(x)

    Outer()(sl.ones((1,)))
    assert seen == ["Inner"]


def test_the_path_is_taken_back_when_a_layer_fails():
    with pytest.raises(sl.SlopesError):
        nn.Sequential(nn.Linear(3, 2))(sl.ones((1, 4)))
    assert scopes.region is None


def test_outputs_are_noted_by_path_in_a_trace():
    net, trace = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), Trace()
    with tracing(trace):
        net(trace.argument((5, 3), np.float32))
    assert {name: node.shape for name, node in trace.notes.items()} == {"net": (5, 2), "net[0]": (5, 2), "net[1]": (5, 2)}


def test_a_module_is_freed_with_its_last_reference():
    net = nn.Sequential(nn.Linear(2, 2))
    net(sl.ones((1, 2)))
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None


# State


def test_state_goes_round():
    sl.seed(1)
    net, other = Nested(), Nested()
    other.load_state_dict(net.state_dict())
    for name, array in net.state_dict().items():
        assert np.array_equal(array, other.state_dict()[name])
    x = sl.ones((3, 4))
    assert np.array_equal(net(x).detach().numpy(), other(x).detach().numpy())


def test_state_is_a_copy():
    net = nn.Linear(2, 2)
    state = net.state_dict()
    state["weight"][...] = 7
    assert not (net.weight == 7).any()


def test_wrong_names_are_listed_all_at_once_and_nothing_is_loaded():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    state, before = net.state_dict(), net.state_dict()
    state["0.weights"] = state.pop("0.weight") + 1
    state["2.bias"] = np.zeros(3, np.float32)
    state["2.weight"] = state["2.weight"] + 1
    state["extra"] = np.zeros((2, 2))
    with pytest.raises(StateError) as error:
        net.load_state_dict(state)
    lines = str(error.value).split("\n")
    assert lines[:-1] == [
        "load_state_dict: the state does not match Sequential: 1 name missing, 2 names unknown, 1 name unfit",
        "  missing: 0.weight (4, 3)",
        "  unknown: 0.weights (4, 3); did you mean 0.weight?",
        "  unknown: extra (2, 2)",
        "  unfit: 2.bias is float32 (2,) here, but float32 (3,) in the state",
        "  build the module with the sizes that the state was saved with",
    ]
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


def test_without_strict_what_fits_is_loaded():
    net = nn.Linear(3, 2)
    net.load_state_dict({"weight": np.full((2, 3), 5.0), "unknown": np.zeros(1)}, strict=False)
    assert (net.weight == 5).all()
    with pytest.raises(StateError, match="unfit"):
        net.load_state_dict({"weight": np.zeros((3, 2))}, strict=False)


def test_the_type_of_a_state_must_be_of_the_same_kind():
    net = nn.Linear(3, 2)
    net.load_state_dict({name: array.astype(np.float64) for name, array in net.state_dict().items()})
    assert net.weight.dtype == np.float32
    with pytest.raises(StateError, match="complex64"):
        net.load_state_dict({"weight": np.zeros((2, 3), np.complex64)}, strict=False)


# Text


def test_the_tree_is_shown():
    assert repr(Nested()) == "\n".join([
        "Nested(",
        "  first: Linear(4 -> 4)",
        "  layers[0]: Linear(4 -> 4)",
        "  layers[1][0]: ReLU()",
        "  layers[1][1]: Linear(4 -> 3)",
        "  heads['left']: Linear(3 -> 2)",
        "  heads['right']: Linear(3 -> 2)",
        ")"])
    assert repr(nn.Sequential(nn.Sequential(nn.Tanh()), nn.Identity())) == "\n".join([
        "Sequential(", "  [0] Sequential(", "    [0] Tanh()", "  )", "  [1] Identity()", ")"])


def lenet():
    return nn.Sequential(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))


def test_the_summary_of_lenet_has_the_published_shapes_and_counts():
    summary = lenet().summary((64, 1, 28, 28))
    shapes = [row.output for row in summary.rows]
    assert shapes == [(64, 10), (64, 20, 24, 24), (64, 20, 24, 24), (64, 20, 12, 12), (64, 50, 8, 8), (64, 50, 8, 8),
                      (64, 50, 4, 4), (64, 800), (64, 500), (64, 500), (64, 10)]
    assert summary.parameters == summary.trainable == 431_080
    assert str(summary).endswith("431,080 parameters")
    assert "net[3]  Conv2d(20 -> 50, 5x5)  (64, 50, 8, 8)        25,050" in str(summary)


def test_a_summary_changes_nothing():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before, structure, state = net.state_dict(), versions.observe_structure(), versions.state
    sl.seed(3)
    drawn = sl.uniform((2,)).numpy()
    sl.seed(3)
    net.summary((1, 3))
    assert np.array_equal(drawn, sl.uniform((2,)).numpy())
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())
    assert net.training and net[1].training
    assert versions.structure == structure and versions.state >= state


def test_a_summary_takes_examples_of_other_types():
    net = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2))
    summary = net.summary(np.zeros((5, 3), np.int64))
    assert [row.output for row in summary.rows] == [(5, 2), (5, 3, 4), (5, 12), (5, 2)]
    with pytest.raises(ArgumentError, match="neither a shape nor an example"):
        net.summary("28 x 28")


def test_a_summary_counts_frozen_parameters():
    net = nn.Linear(3, 2)
    net.weight.requires_grad = False
    assert str(net.summary((1, 3))).endswith("8 parameters, 6 of them frozen")


# Sequential


def test_a_sequential_is_indexed_and_sliced():
    net = lenet()
    assert len(net) == 10 and net[-1] is net.layers[9] and list(net) == net.layers
    head = net[7:]
    assert isinstance(head, nn.Sequential) and head[0] is net[7]


@pytest.mark.parametrize("wrong, hint", [(nn.ReLU, "nn.ReLU(...)"), ([1], "unpack"), (sl.tanh, "Module"), (3, "modules only")])
def test_a_sequential_of_something_else_says_so(wrong, hint):
    with pytest.raises(ArgumentError) as error:
        nn.Sequential(nn.ReLU(), wrong)
    assert "layer 1 is" in str(error.value) and hint in str(error.value)


def test_a_module_without_forward_says_so():
    class Empty(Module):
        pass

    with pytest.raises(ArgumentError, match="Empty has no forward method"):
        Empty()(1)


ROWS, SERIES, IMAGES = np.ones((4, 6), np.float32), np.ones((4, 6, 8), np.float32), np.ones((4, 6, 8, 8), np.float32)


@pytest.mark.parametrize(("layer", "array"), [
    (nn.Linear(6, 2), ROWS), (nn.LayerNorm(6), ROWS), (nn.RMSNorm(6), ROWS), (nn.BatchNorm1d(6), ROWS), (nn.BatchNorm2d(6), IMAGES),
    (nn.GroupNorm(2, 6), IMAGES), (nn.InstanceNorm2d(6), IMAGES), (nn.Conv2d(6, 2, 3), IMAGES), (nn.AdaptiveAvgPool2d(2), IMAGES),
    (nn.LSTM(8, 3), SERIES), (nn.MultiheadAttention(8, 2), SERIES), (nn.Embedding(5, 2), np.ones((2, 3), np.int64)), (nn.PReLU(), ROWS),
    (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 1)), ROWS)], ids=lambda each: type(each).__name__)
def test_layers_take_numpy_arrays(layer, array):
    given, wanted = (each[0] if isinstance(each, tuple) else each for each in (layer(array), layer(sl.tensor(array))))
    np.testing.assert_array_equal(given.numpy(), wanted.numpy())


class Branches(nn.Module):
    def __init__(self):
        self.some, self.named = [nn.Linear(3, 3), nn.Tanh()], {"first": nn.Linear(3, 3), "second": nn.ReLU()}

    def forward(self, x):
        for layer in [*self.some, *self.named.values()]:
            x = layer(x)
        return x


@pytest.mark.parametrize("change", [
    lambda net: net.some.reverse(), lambda net: net.some.pop(), lambda net: net.some.append(net.some[0]),
    lambda net: net.some.__setitem__(1, net.some[0]), lambda net: net.named.pop("second"),
    lambda net: net.named.update(first=net.some[1]), lambda net: net.named.__delitem__("first")])
def test_compiled_functions_notice_changes_inside_of_lists_and_dicts(change):
    net, x = Branches(), sl.tensor([[1.0, -2.0, 3.0]])
    use = sl.compile(lambda x: net(x))
    before = use(x).numpy()
    change(net)
    np.testing.assert_allclose(use(x).numpy(), net(x).numpy(), rtol=1e-6)
    assert use.compilations == 2 and not np.allclose(before, use(x).numpy())


def test_a_layer_of_a_sequence_is_replaced():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    net[1] = nn.Linear(2, 4)
    assert net(sl.ones((5, 3))).shape == (5, 4) and len(net.parameters()) == 4
    with pytest.raises(ArgumentError, match="layer 0 is 'relu' of type str, not a module"):
        net[0] = "relu"


class Headed(nn.Module):
    def __init__(self, heads):
        self.heads = heads


@pytest.mark.parametrize("heads, names", [
    (lambda: {"en.us": nn.Linear(1, 1), "en": {"us": nn.Linear(1, 1)}}, r"heads\['en.us'\].weight and net.heads\['en'\]\['us'\].weight"),
    (lambda: {1: nn.Linear(1, 1), "1": nn.Linear(1, 1)}, r"heads\[1\].weight and net.heads\['1'\].weight"),
    (lambda: {"c": {"d": nn.Buffer([1.0])}, "c.d": nn.Parameter([1.0])}, r"heads\['c'\]\['d'\] and net.heads\['c.d'\]")])
def test_tensors_with_one_path_are_refused(heads, names):
    net = Headed(heads())
    for use in (net.state_dict, lambda: net.load_state_dict({})):
        with pytest.raises(StateError, match=rf"(?s)Headed: net.{names} have the same path in a state.*rename a key"):
            use()


def test_one_tensor_under_two_paths_is_one():
    layer = nn.Linear(1, 1)
    assert list(Headed({"a.b": layer, "a": {"b": layer}}).state_dict()) == ["heads.a.b.weight", "heads.a.b.bias"]
