"""Weights of a checkpoint are matched to a network, by name, order and shape; the map is saved, edited and applied."""

from __future__ import annotations

import json

import numpy as np
import pytest

import slopes as sl
from slopes import nn
from slopes.checkpoints import Source, WeightMap, match_weights
from slopes.errors import ArgumentError, DataError, StateError


def checkpoint_of(folder, arrays):
    np.savez(folder / "weights.npz", **arrays)
    return sl.read_checkpoint(folder / "weights.npz")


def values(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


class Tied(nn.Module):
    def __init__(self):
        self.words = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        nn.tie(self.words, self.head)


# Ties

@pytest.mark.parametrize("names", [["words.weight"], ["head.weight"], ["words.weight", "head.weight"]])
def test_a_tied_weight_loads_under_any_of_its_names(names):
    net = Tied()
    net.load_state_dict(dict.fromkeys(names, values(5, 3)))
    assert np.array_equal(net.head.weight.numpy(), values(5, 3)) and net.head.weight is net.words.weight


def test_a_tied_weight_with_two_values_is_refused():
    with pytest.raises(StateError, match=r"head\.weight and words.weight are one weight of Tied, but differ"):
        Tied().load_state_dict({"words.weight": values(5, 3), "head.weight": values(5, 3) + 1})
    with pytest.raises(StateError, match=r"unknown: heads\.weight"):
        Tied().load_state_dict({"words.weight": values(5, 3), "heads.weight": values(5, 3)})


def test_a_layer_in_two_lists_loads_under_both_names():
    layer = nn.Linear(2, 2, bias=False)
    net = nn.Sequential(nn.Sequential(layer), nn.Sequential(layer))
    net.load_state_dict({"0.0.weight": values(2, 2), "1.0.weight": values(2, 2)})
    assert np.array_equal(layer.weight.numpy(), values(2, 2))


# Proposals

def small_net():
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def test_equal_names_and_equal_ends_of_names_are_matched(tmp_path):
    net = small_net()
    state = {name: values(*array.shape) for name, array in net.state_dict().items()}
    checkpoint = checkpoint_of(tmp_path, {f"model.{name}": array for name, array in reversed(state.items())})
    weights = match_weights(net, checkpoint)
    report = weights.report(net, checkpoint)
    assert report.is_complete and {reason for _, reason in report.used.values()} == {"the end of its name"}
    weights.load(net, checkpoint)
    assert all(np.array_equal(array, state[name]) for name, array in net.state_dict().items())


def test_the_rest_is_matched_by_order_and_shape(tmp_path):
    net = small_net()
    shapes = [tensor.shape for _, tensor in net.named_state()]
    names = ["a.w", "a.b", "n.gamma", "n.beta", "z.w", "z.b"]
    arrays = {name: values(*shape) + i for i, (name, shape) in enumerate(zip(names, shapes))}
    checkpoint = checkpoint_of(tmp_path, {"version": np.array([1]), **arrays})
    weights = match_weights(net, checkpoint)
    weights.load(net, checkpoint, strict=False)
    assert all(np.array_equal(array, value) for array, value in zip(net.state_dict().values(), arrays.values()))
    assert weights.report(net, checkpoint).unused == {"version": (1,)}
    with pytest.raises(StateError, match="6 used, 1 unused\n  unused: version 1\n  edit the map"):
        weights.load(net, checkpoint)


def test_a_bias_is_not_taken_for_a_mean(tmp_path):
    net = nn.BatchNorm1d(2)
    checkpoint = checkpoint_of(tmp_path, {"x.gamma": values(2), "x.moving_mean": values(2), "x.moving_variance": values(2)})
    report = match_weights(net, checkpoint).report(net, checkpoint)
    assert "bias" in report.missing and "running_mean" not in [report.used.get("bias")]
    assert report.kept == ["num_batches_tracked"]


def test_other_shapes_are_not_matched(tmp_path):
    net = nn.Linear(3, 2)
    checkpoint = checkpoint_of(tmp_path, {"weight": values(3, 2), "bias": values(2)})
    weights = match_weights(net, checkpoint)
    assert list(weights.report(net, checkpoint).missing) == ["weight"]
    edited = WeightMap({**weights.weights, "weight": "weight"})
    with pytest.raises(StateError, match="another shape: weight is 2x3 here, weight gives 3x2"):
        edited.load(net, checkpoint)


def test_keras_layers_of_one_kind_are_matched_in_order(tmp_path):
    library = pytest.importorskip("h5py")
    net = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 3), nn.GRU(2, 3, bidirectional=True), nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 2, groups=4),
                        nn.ConvTranspose2d(4, 5, 2), nn.Embedding(7, 2), nn.Linear(2, 2))
    shapes = {"dense": (2, 2), "dense_1": (2, 2), "embedding": (7, 2)}
    arrays = {f"layers/{name}/vars/0": values(*shape) + i for i, (name, shape) in enumerate(shapes.items())}
    arrays |= {f"layers/{name}/vars/1": values(2) for name in ("dense", "dense_1")}
    cells = {"lstm/cell": 12, "bidirectional/forward_layer/cell": 9, "bidirectional/backward_layer/cell": 9}
    for cell, gates in cells.items():
        sizes = [(2, gates), (3, gates), (gates,) if gates == 12 else (2, gates)]
        arrays |= {f"layers/{cell}/vars/{i}": values(*shape) + ("backward" in cell) for i, shape in enumerate(sizes)}
    arrays |= {"layers/conv2d/vars/0": values(3, 3, 2, 4), "layers/conv2d/vars/1": values(4), "layers/depthwise_conv2d/vars/0":
               values(2, 2, 4, 1), "layers/depthwise_conv2d/vars/1": values(4), "layers/conv2d_transpose/vars/0": values(2, 2, 5, 4),
               "layers/conv2d_transpose/vars/1": values(5), "optimizer/vars/0": values(3)}
    with library.File(tmp_path / "x.weights.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    checkpoint = sl.read_checkpoint(tmp_path / "x.weights.h5")
    weights = match_weights(net, checkpoint)
    weights.save(tmp_path / "map.json")
    WeightMap.read(tmp_path / "map.json").load(net, checkpoint)
    state = net.state_dict()
    assert np.array_equal(state["0.weight"], values(2, 2).T) and np.array_equal(state["7.weight"], (values(2, 2) + 1).T)
    assert np.array_equal(state["1.weight_ih_l0"], values(2, 12).T) and not state["1.bias_hh_l0"].any()
    gru = values(2, 9).reshape(2, 3, 3)[:, [1, 0, 2]].reshape(2, 9)
    assert np.array_equal(state["2.weight_ih_l0"], gru.T) and np.array_equal(state["2.bias_hh_l0"], gru[1])
    assert np.array_equal(state["2.bias_ih_l0_reverse"], gru[0] + 1)
    assert np.array_equal(state["3.weight"], values(3, 3, 2, 4).transpose(3, 2, 0, 1))
    assert np.array_equal(state["4.weight"][:, 0], values(2, 2, 4).transpose(2, 0, 1))
    assert np.array_equal(state["5.weight"], values(2, 2, 5, 4).transpose(3, 2, 0, 1))


# Maps

def test_patterns_joins_and_steps(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            self.layers = [nn.MultiheadAttention(2, 1, bias=False) for _ in range(2)]
            self.flat = nn.Linear(8, 3, bias=False)

    parts = {f"h.{i}.{part}": values(2, 2) + 10 * i + j for i in range(2) for j, part in enumerate(("q", "k", "v"))}
    dense = values(8, 3)  # from (height 2, width 2, channels 2)
    checkpoint = checkpoint_of(tmp_path, {**parts, "h.0.o": values(2, 2), "h.1.o": values(2, 2), "dense": dense, "step.a": values(1)})
    weights = WeightMap({"layers.{i}.in_proj_weight": Source(("h.{i}.q", "h.{i}.k", "h.{i}.v"), permute=(1, 0)),
                         "layers.{i}.out_proj.weight": "h.{i}.o",
                         "flat.weight": Source(("dense",), view=(2, 2, 2, 3), permute=(3, 2, 0, 1), reshape=True)}, unused=["step*"])
    weights.save(tmp_path / "map.json")
    text = json.loads((tmp_path / "map.json").read_text())
    assert text["weights"]["layers.{i}.in_proj_weight"] == {"from": ["h.{i}.q", "h.{i}.k", "h.{i}.v"], "permute": [1, 0]}
    net = Net()
    again = WeightMap.read(tmp_path / "map.json")
    assert again.weights == weights.weights
    again.load(net, checkpoint)
    state = net.state_dict()
    joined = np.concatenate([parts[f"h.1.{part}"].T for part in "qkv"])
    assert np.array_equal(state["layers.1.in_proj_weight"], joined)
    image = values(3, 2, 2, 2)  # an input of the layer: (N, channels, height, width) is flattened here
    assert np.allclose(image.reshape(3, 8) @ state["flat.weight"].T, image.transpose(0, 2, 3, 1).reshape(3, 8) @ dense)


def test_the_report_names_every_name(tmp_path):
    net = Tied()
    checkpoint = checkpoint_of(tmp_path, {"w": values(5, 3), "more": values(1), "step": values(1)})
    report = WeightMap({"words.weight": "w"}, unused=["step"]).report(net, checkpoint)
    assert str(report).splitlines()[1:] == ["  words.weight  <- w", "  unused: more 1", "  left out: step"]
    assert "missing: words.weight: v is not in the checkpoint" in str(WeightMap({"words.weight": "v"}).report(net, checkpoint))


STEPS = [({"row": 9}, "gives nothing"), ({"permute": (0, 2)}, "gives nothing"), ({"view": (4, 4)}, "gives nothing"),
         ({"blocks": (0, 4)}, "gives nothing"), ({"blocks": (0, 0), "of": 4}, "gives nothing"), ({"row": 0}, "gives 3")]


@pytest.mark.parametrize("steps, problem", STEPS)
def test_steps_that_do_not_fit_are_reported(tmp_path, steps, problem):
    checkpoint = checkpoint_of(tmp_path, {"w": values(5, 3)})
    assert problem in WeightMap({"words.weight": Source(("w",), **steps)}).report(Tied(), checkpoint).other_shape["words.weight"]


def test_joins_that_do_not_fit_are_reported(tmp_path):
    checkpoint = checkpoint_of(tmp_path, {"w": values(5, 3), "v": values(5, 2), "s": np.array(1.0)})
    for names in (("w", "v"), ("s", "s"), ("w", "s")):
        assert WeightMap({"words.weight": Source(names)}).report(Tied(), checkpoint).other_shape


def test_a_placeholder_that_nothing_fills_is_refused():
    with pytest.raises(ArgumentError, match=r"has the placeholder \{j\}"):
        WeightMap({"layers.{i}.weight": "h.{j}.w"})


@pytest.mark.parametrize("content, problem", [
    ({"weights": []}, "weights: it is not an object"), ({"weights": {"w": 3}}, "weights, 'w': 3 is no source"),
    ({"weights": {"w": {"from": "a", "code": "x"}}}, "is no source"),
    ({"weights": {"w": {"from": "a", "permute": [True]}}}, "is no source"),
    ({"weights": {"w": {"from": "a", "permute": [-1]}}}, "is no source"), ({"weights": {"w": {"from": "a", "of": 0}}}, "is no source"),
    ({"weights": {"w": {"from": ["a", 1]}}}, "is no source"), ({"weights": {"w": {"from": "a", "row": "0"}}}, "is no source"),
    ({"weights": {"w": {"from": "a", "blocks": []}}}, "is no source"), ({"weights": {}, "unused": "x"}, "unused: it is not a list"),
    ({"weights": {}, "schema": "other"}, "schema: 'other'")])
def test_an_edited_map_is_validated(tmp_path, content, problem):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"schema": "slopes.weight-map", "version": 1, **content}))
    with pytest.raises(DataError, match=problem):
        WeightMap.read(path)
