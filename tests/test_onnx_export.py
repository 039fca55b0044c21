"""sl.save_onnx: names, the batch, several inputs and outputs, what it refuses, and the file."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_cases import check_runs, exported, operators

import slopes as sl
from slopes import extras, nn
from slopes.errors import ArgumentError, DTypeError, MissingExtraError, SaveError, ShapeError
from slopes.functions import attention
from slopes.onnx import export_model

rng = np.random.default_rng(0)


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def shape_of(value):
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


class Function(nn.Module):
    """A function as a network."""

    def __init__(self, function):
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Tagger(nn.Module):
    """Tokens and a mask in, a dict of scores and lengths out."""

    def __init__(self):
        self.words, self.head = nn.Embedding(11, 4), nn.Linear(4, 3)

    def forward(self, tokens, mask):
        return {"scores": sl.where(mask[:, :, None], self.head(self.words(tokens)), 0), "length": mask.sum(axis=1)}


def test_weights_and_values_have_readable_names(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    model = exported(net, tmp_path / "net.onnx", f(1, 4))
    assert [weight.name for weight in model.graph.initializer] == list(net.state_dict())
    for weight, array in zip(model.graph.initializer, net.state_dict().values()):
        assert np.array_equal(onnx.numpy_helper.to_array(weight), array)
    assert [node.name for node in model.graph.node] == ["net[0]/Gemm", "net[1]/Relu", "net[2]/Gemm"]
    assert [(value.name, shape_of(value)) for value in (*model.graph.input, *model.graph.output)] == [
        ("x", ["batch", 4]), ("output", ["batch", 2])]
    assert (model.producer_name, model.producer_version, model.ir_version, model.opset_import[0].version) == (
        "slopes", sl.__version__, 9, 20)


def test_the_names_of_inputs_and_outputs_can_be_chosen(tmp_path):
    net = nn.Linear(4, 3)
    model = exported(net, tmp_path / "net.onnx", f(1, 4), inputs=["image"], outputs=["scores"])
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("image", "scores")
    for names in (["a", "b"], "image", ["weight"], [3], 3):
        with pytest.raises(ArgumentError, match="save_onnx: inputs="):
            sl.save_onnx(net, tmp_path / "net.onnx", f(1, 4), inputs=names)


def test_several_inputs_and_outputs_and_tokens(tmp_path):
    net, tokens, mask = Tagger(), rng.integers(0, 11, (2, 5)), rng.random((2, 5)) < 0.7
    model = exported(net, tmp_path / "net.onnx", tokens, mask)
    assert [(value.name, value.type.tensor_type.elem_type) for value in model.graph.input] == [
        ("tokens", onnx.TensorProto.INT64), ("mask", onnx.TensorProto.BOOL)]
    assert [value.name for value in model.graph.output] == ["output.length", "output.scores"] or [
        value.name for value in model.graph.output] == ["output.scores", "output.length"]
    check_runs(model, net, np.tile(tokens, (3, 1)), np.tile(mask, (3, 1)))


@pytest.mark.parametrize("function", [
    lambda x: x - x.mean(axis=0),  # the number of examples is part of the formula
    lambda x: x @ x.T,  # the batch twice
    lambda x: sl.concat([x, x * 2], axis=0).reshape((2, x.shape[0], 4)).sum(axis=0),
    lambda x: sl.concat([x, sl.zeros((1, 4))], axis=0)[1:],
    lambda x: sl.flip(x, axis=0) + sl.arange(x.shape[0])[:, None],
    lambda x: (x.reshape((-1,)), x[:, 1]),
    lambda x: sl.sort(x, axis=0)[-1],
    lambda x: sl.expm1(x) * sl.ones(x.shape),
    lambda x: sl.scan(lambda state, element: (state + element, state * 2), sl.zeros(4), x),
    lambda x: sl.scan(lambda state, element: (state * 0.5 + element, state), sl.ones(4), x, reverse=True)[1],
    lambda x: sl.scan(lambda state, _: (state @ sl.ones((4, 4)) * 0.2, state[0] + 1), x, length=3),
])
def test_any_batch_works(function, tmp_path):
    net = Function(function)
    model = exported(net, tmp_path / "net.onnx", f(3, 4))
    for batch in (1, 3, 6):
        check_runs(model, net, f(batch, 4))


def test_fixed_sizes(tmp_path):
    net = Function(lambda x: x.reshape((2, -1)) if x.shape[0] == 3 else x)
    model = exported(net, tmp_path / "net.onnx", f(3, 4), dynamic=False)
    assert shape_of(model.graph.input[0]) == [3, 4]
    check_runs(model, net, f(3, 4))
    with pytest.raises(ArgumentError, match="something else for each batch"):
        sl.save_onnx(Function(lambda x: x[:x.shape[0] // 2]), tmp_path / "net.onnx", f(4, 4))
    with pytest.raises(ArgumentError, match="something else for each batch"):
        sl.save_onnx(Function(lambda x: sl.stack([row * 2 for row in x])), tmp_path / "net.onnx", f(4, 4))


def test_the_axis_of_the_batch_can_be_named(tmp_path):
    net = nn.LSTM(3, 4, batch_first=True)
    state = sl.tensor(f(1, 2, 4)), sl.tensor(f(1, 2, 4))
    model = exported(net, tmp_path / "net.onnx", f(2, 5, 3), state, dynamic={"x": 0, "state[0]": 1, "state[1]": 1})
    assert [shape_of(value) for value in model.graph.input] == [["batch", 5, 3], [1, "batch", 4], [1, "batch", 4]]
    with pytest.raises(ArgumentError, match=r"dynamic names axis 3 of 'x'"):
        sl.save_onnx(net, tmp_path / "net.onnx", f(2, 5, 3), dynamic={"x": 3})


def test_the_net_is_exported_in_eval_mode_and_stays_as_it_was(tmp_path):
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = net.state_dict()
    model = exported(net, tmp_path / "net.onnx", f(3, 4))
    assert operators(model) == ["BatchNormalization"] and net.training and net[1].training
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


def test_equal_networks_give_equal_bytes(tmp_path):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(32, 3), nn.Softmax())
    for name in ("one.onnx", "two.onnx"):
        sl.save_onnx(net, tmp_path / name, f(2, 1, 6, 6))
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.onnx", "two.onnx"]


def test_tied_weights_are_stored_once(tmp_path):
    one = nn.Linear(4, 4)
    model = exported(nn.Sequential(one, nn.ReLU(), one), tmp_path / "net.onnx", f(1, 4))
    assert [weight.name for weight in model.graph.initializer] == ["0.weight", "0.bias"]


def test_float64_networks(tmp_path):
    net = Function(lambda x: sl.softmax(x @ sl.ones((4, 3), sl.float64), axis=-1))
    x = rng.standard_normal((2, 4))
    check_runs(exported(net, tmp_path / "net.onnx", x), net, x, tolerance=1e-12)


def test_what_programs_compute_in_parts_is_one_product(tmp_path, monkeypatch):
    monkeypatch.setattr(attention, "WHOLE", 0)
    net = Function(lambda x: nn.scaled_dot_product_attention(x, x, x, is_causal=True))
    model = exported(net, tmp_path / "net.onnx", f(2, 5, 8))
    assert operators(model).count("Softmax") == 1 and "Scan" not in operators(model)
    rows = Function(lambda x: sl.in_parts(lambda rows: rows * rows, x, size=2))
    assert operators(exported(rows, tmp_path / "net.onnx", f(5, 4))) == ["Mul"]


# ---------------------------------------------------------------------- what is refused
def test_all_operations_without_a_form_are_named(tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return sl.nextafter(x, x + 1)

    class Root(nn.Module):
        def forward(self, x):
            return x + sl.linalg.cholesky(x.T @ x)[0]

    net = nn.Sequential(nn.Linear(4, 4), Odd(), nn.ReLU(), Root())
    with pytest.raises(ArgumentError) as error:
        sl.save_onnx(net, tmp_path / "net.onnx", f(1, 4))
    assert str(error.value).splitlines()[:3] == [
        "save_onnx: the network uses what ONNX does not have: nextafter (float32) in net[1], cholesky (float32) in net[3]",
        "  ONNX has no operator that sees the bits of a float; of linear algebra, ONNX has products and determinants only",
        "  replace these operations, or export the part of the network before them"]
    assert not list(tmp_path.iterdir())


def test_random_numbers_are_refused(tmp_path):
    class Noisy(nn.Module):
        def __init__(self):
            self.generator = sl.Generator(0)

        def forward(self, x):
            return x + sl.normal(x.shape, generator=self.generator)

    with pytest.raises(ArgumentError, match="in eval mode the network still assigns"):
        sl.save_onnx(Noisy(), tmp_path / "net.onnx", f(1, 4))


def test_names_never_clash(tmp_path):
    class Named(nn.Module):
        def __init__(self):
            self.x, self.output = nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])

        def forward(self, x):
            return x * self.x + self.output

    model = exported(Named(), tmp_path / "net.onnx", f(3, 2))
    assert [weight.name for weight in model.graph.initializer] == ["x", "output"]
    assert (model.graph.input[0].name, model.graph.output[0].name) == ("x_2", "output_2")
    check_runs(model, Named(), f(3, 2))


def test_weights_that_do_not_fit_into_one_file_are_in_a_second_one(tmp_path, monkeypatch):
    monkeypatch.setattr(export_model, "LARGEST", 100)
    net, x = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 2)), f(3, 40)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        sl.save_onnx(net, tmp_path / folder / "net.onnx", x)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("one", "two"))
    assert first == second and first.keys() == {"net.onnx", "net.onnx.data"} and len(first["net.onnx"]) < 3000
    onnx.checker.check_model(str(tmp_path / "one" / "net.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "one" / "net.onnx")
    loaded = sl.load_onnx(tmp_path / "one" / "net.onnx")
    for outputs in (session.run(None, {"x": x})[0], loaded(x).numpy()):
        assert np.allclose(outputs, net(x).numpy(), atol=1e-6)
    assert list(loaded.state_dict()) == list(net.state_dict())


def test_the_limit_of_a_file_is_that_of_protocol_buffers():
    assert 2**31 - 2**25 < export_model.LARGEST < 2**31


def test_floats_that_no_layer_owns_are_constants(tmp_path):
    lstm = nn.LSTM(3, 4)
    model = exported(lstm, tmp_path / "net.onnx", f(5, 2, 3), dynamic={"x": 1})
    assert all(array.data_type == onnx.TensorProto.INT64 or "l0" in array.name for array in model.graph.initializer)
    offset = f(2)
    net = Function(lambda x: x * offset + 0.5)
    model = exported(net, tmp_path / "net.onnx", f(3, 2))
    assert not model.graph.initializer and [node.op_type for node in model.graph.node][:2] == ["Constant", "Constant"]
    loaded = sl.load_onnx(tmp_path / "net.onnx")
    assert not loaded.state_dict() and np.allclose(loaded(f(3, 2) * 0).numpy(), 0.5)
    check_runs(model, net, f(3, 2))


def test_examples_by_name(tmp_path):
    net, tokens, mask = Tagger(), rng.integers(0, 11, (2, 5)), rng.random((2, 5)) < 0.7
    model = exported(net, tmp_path / "net.onnx", kwargs={"mask": mask, "tokens": tokens})
    assert [value.name for value in model.graph.input] == ["mask", "tokens"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    scores = dict(zip((value.name for value in model.graph.output), session.run(None, {"mask": mask[:1], "tokens": tokens[:1]})))
    assert np.allclose(scores["output.scores"], net(tokens[:1], mask[:1])["scores"].numpy(), atol=1e-6)
    with pytest.raises(TypeError, match="masks"):
        sl.save_onnx(net, tmp_path / "net.onnx", tokens, kwargs={"masks": mask})


def test_an_export_within_no_grad_is_the_same(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3), nn.GELU())
    with sl.no_grad():
        model = exported(net, tmp_path / "net.onnx", f(1, 4))
    assert operators(model) == ["Gemm", "Gelu"]


def test_wrong_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="returns no tensor"):
        sl.save_onnx(Function(lambda x: None), tmp_path / "net.onnx", f(1, 4))
    net, path = nn.Linear(4, 3), tmp_path / "net.onnx"
    with pytest.raises(ArgumentError, match="net is function, not a Module"):
        sl.save_onnx(lambda x: x, path, f(1, 4))
    with pytest.raises(ArgumentError, match="there is no example"):
        sl.save_onnx(net, path)
    with pytest.raises(ShapeError, match="needs the last axis to be 4, but x is"):
        sl.save_onnx(net, path, f(1, 5))
    with pytest.raises(DTypeError, match="an example of type complex64"):
        sl.save_onnx(net, path, f(1, 4).astype(np.complex64))
    with pytest.raises(SaveError, match="could not be written"):
        sl.save_onnx(net, tmp_path / "no" / "net.onnx", f(1, 4))


def test_without_onnx_the_error_names_the_extra(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError) as error:
        sl.save_onnx(nn.Linear(4, 3), tmp_path / "net.onnx", f(1, 4))
    assert str(error.value).splitlines()[:3] == ["an ONNX model needs onnx, which is not installed",
                                                 "  onnx belongs to the optional part [onnx]", "  pip install 'slopes[onnx]'"]
