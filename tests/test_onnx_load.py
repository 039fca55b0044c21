"""Models read from ONNX files: chosen node tests of the standard, names, constants, gradients, training, compilation."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset

pytest.importorskip("onnx")
import onnx_nodes
from onnx import AttributeProto, TensorProto, helper
from onnx_files import FLOAT, INT64, model_of, write

LISTED = ("bernoulli", "dft", "dropout", "image_decoder")  # modules with all tests that do not pass
CHOSEN = {  # module -> words that a test's name must end with
    "argmax": ("keepdims_example",), "add": ("test_add", "add_bcast"), "batch_normalization": ("example", "training_mode"),
    "clip": ("test_clip", "default_min"), "concat": ("3d_axis_negative_3",), "conv": ("asymmetric_padding", "autopad_same"),
    "convtranspose": ("pads", "output_shape", "dilations"), "cumsum": ("reverse_exclusive",), "depthtospace": ("crd_mode_example",),
    "div": ("example", "int32_trunc", "int8"), "gather": ("negative_indices",), "gathernd": ("batch_dim1",),
    "gemm": ("transposeB", "all_attributes"), "gru": ("seq_length", "batchwise"),
    "gridsample": ("bicubic_align_corners_0_additional_1", "reflection_padding"), "if_": ("test_if",),
    "layernormalization": ("4d_axis1", "axis_negative_1_epsilon"), "loop": ("loop11",), "lstm": ("peepholes", "batchwise"),
    "lppool": ("2d_same_upper", "2d_dilations"), "lrn": ("lrn",), "mod": ("mixed_sign_int32", "fmod"),
    "nonmaxsuppression": ("two_classes",), "pad": ("reflect_pad", "wrap_pad"), "quantizelinear": ("axis", "quantizelinear"),
    "qlinearconv": ("qlinearconv",), "reducemax": ("empty_set", "keepdims_random"),
    "reshape": ("zero_and_negative_dim", "allowzero_reordered"),
    "resize": ("scales_cubic_A_n0p5_exclude_outside", "sizes_linear_antialias", "crop_and_resize_extrapolation_value"),
    "roialign": ("max",), "scan": ("scan_sum", "scan9_sum"), "scatterelements": ("with_reduction_max", "negative_indices"),
    "scatternd": ("add",), "slice": ("negative_steps", "default_steps"), "softmax": ("axis_1", "large_number_expanded"),
    "split": ("uneven_split_opset18",), "topk": ("smallest",), "unique": ("without_axis",), "where": ("long_example",),
}


@pytest.fixture(scope="module")
def generated():
    """The node tests of the modules that are named here: the onnx package makes them when a module is imported."""
    if onnx_nodes.installed() < onnx_nodes.LISTED_FOR:
        pytest.skip("the tests that are named here are those of a newer onnx package")
    package = importlib.import_module("onnx.backend.test.case.node")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in {*LISTED, *CHOSEN}:
            importlib.import_module(f"onnx.backend.test.case.node.{module}")
    return {test.name: test for test in package._NodeTestCases if onnx_nodes.counts(test.model)}


def test_chosen_node_tests_pass(generated, tmp_path):
    endings = tuple(ending for words in CHOSEN.values() for ending in words)
    chosen = [test for name, test in generated.items() if name.endswith(endings)]
    assert len(chosen) >= 60
    for test in chosen:
        try:
            onnx_nodes.run(test, tmp_path)
        except AssertionError as error:
            raise AssertionError(test.name) from error


def test_windows_that_begin_inside_count_with_ceil_mode(tmp_path):
    """The last window has one element of the input, and the mean is over that one."""
    nodes = [helper.make_node(kind, ["x"], [kind], kernel_shape=[2], strides=[2], ceil_mode=1) for kind in ("MaxPool", "AveragePool")]
    net = sl.load_onnx(write(tmp_path, model_of(nodes, [("x", FLOAT, [1, 1, 5])], ["MaxPool", "AveragePool"])))
    largest, mean = net(sl.tensor([[[1.0, 2.0, 3.0, 4.0, 9.0]]]))
    assert largest.tolist() == [[[2, 4, 9]]] and mean.tolist() == [[[1.5, 3.5, 9]]]


def test_what_does_not_pass_is_among_the_node_tests(generated):
    assert set(onnx_nodes.NOT_PASSING) <= set(generated)


def linear(**arrays):
    """A model y = x W' + b with a batch of any size."""
    nodes = [helper.make_node("Gemm", ["x", "layer.weight", "layer.bias"], ["y"], transB=1)]
    return model_of(nodes, [("x", FLOAT, ["N", 3])], ["y"],
                    {"layer.weight": np.ones((2, 3), np.float32), "layer.bias": np.zeros(2, np.float32), **arrays})


def test_initializers_keep_their_names(tmp_path):
    net = sl.load_onnx(write(tmp_path, linear()))
    assert list(net.state_dict()) == ["layer.weight", "layer.bias"]
    assert net.input_names == ("x",) and net.output_names == ("y",)
    net.load_state_dict({"layer.weight": np.full((2, 3), 2, np.float32), "layer.bias": np.ones(2, np.float32)})
    assert net(sl.ones((1, 3))).tolist() == [[7, 7]]


def test_the_batch_may_have_any_size_compiled_too(tmp_path):
    net = sl.load_onnx(write(tmp_path, linear()))
    run = sl.compile(net)
    for size in (1, 4):
        assert run(sl.ones((size, 3))).tolist() == [[3, 3]] * size
    assert net(x=sl.ones((2, 3))).tolist() == [[3, 3]] * 2


def test_shapes_computed_from_shapes_are_known_while_compiling(tmp_path):
    """What exporters write for x.reshape(x.shape[0], -1)."""
    nodes = [helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Gather", ["shape", "zero"], ["n"], axis=0),
             helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]), helper.make_node("Concat", ["n1", "minus"], ["target"], axis=0),
             helper.make_node("Reshape", ["x", "target"], ["y"])]
    arrays = {"zero": np.array(0), "axes": np.array([0]), "minus": np.array([-1])}
    net = sl.load_onnx(write(tmp_path, model_of(nodes, [("x", FLOAT, ["N", 2, 3])], ["y"], arrays)))
    assert sl.compile(net)(sl.ones((5, 2, 3))).shape == (5, 6)
    assert net.state_dict() == {}


def test_an_unknown_shape_is_refused_while_compiling_only(tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"], name="view")]
    net = sl.load_onnx(write(tmp_path, model_of(nodes, [("x", FLOAT, [4]), ("shape", INT64, [2])], ["y"])))
    assert net(sl.ones(4), sl.tensor([2, 2])).shape == (2, 2)
    with pytest.raises(sl.SlopesError, match=r"Reshape: its input 1, 'shape', is not known while a function is traced[\s\S]*node 'view'"):
        sl.compile(net)(sl.ones(4), sl.tensor([2, 2]))


def test_statistics_and_single_numbers_are_buffers(tmp_path):
    nodes = [helper.make_node("BatchNormalization", ["x", "scale", "bias", "mean", "var"], ["z"]),
             helper.make_node("Mul", ["z", "half"], ["y"])]
    arrays = {name: np.ones(2, np.float32) for name in ("scale", "bias", "mean", "var")}
    net = sl.load_onnx(write(tmp_path, model_of(nodes, [("x", FLOAT, ["N", 2, 3])], ["y"], {**arrays, "half": np.float32(0.5)})))
    assert [name for name, _ in net.named_parameters()] == ["scale", "bias"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "var", "half"]


def test_frozen_arrays_are_buffers(tmp_path):
    path = write(tmp_path, linear())
    net = sl.load_onnx(path, frozen=["*.bias"])
    assert [name for name, _ in net.named_parameters()] == ["layer.weight"]
    assert [name for name, _ in net.named_buffers()] == ["layer.bias"]
    with pytest.raises(sl.errors.ArgumentError, match=r"frozen names 'mask\*'[\s\S]*its arrays are layer.weight, layer.bias"):
        sl.load_onnx(path, frozen=["mask*"])


def cnn_nodes():
    return [helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]), helper.make_node("Flatten", ["c"], ["d"]),
            helper.make_node("Gemm", ["d", "fc.weight", "fc.bias"], ["y"], transB=1)]


@pytest.fixture
def cnn(tmp_path):
    """A small network, and the same one read from a file."""
    sl.seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    names = dict(zip(("0.weight", "0.bias", "4.weight", "4.bias"), ("conv.weight", "conv.bias", "fc.weight", "fc.bias")))
    arrays = {names[name]: array for name, array in net.state_dict().items()}
    return net, sl.load_onnx(write(tmp_path, model_of(cnn_nodes(), [("x", FLOAT, ["N", 1, 4, 4])], ["y"], arrays)))


def test_gradients_are_those_of_the_same_network(cnn):
    net, loaded = cnn
    x, labels = sl.random.normal((5, 1, 4, 4)), sl.tensor([0, 1, 1, 0, 1])
    losses = [nn.cross_entropy(model(x), labels) for model in (net, loaded)]
    assert losses[0].item() == losses[1].item()
    for loss in losses:
        loss.backward()
    for one, other in zip(net.parameters(), loaded.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-6, atol=1e-7)


def test_a_loaded_network_trains(cnn):
    _, loaded = cnn
    x = np.random.default_rng(0).standard_normal((64, 1, 4, 4)).astype(np.float32)
    labels = (x.mean((1, 2, 3)) > 0).astype(np.int64)
    dataset = Dataset(x, labels)
    run = sl.fit(loaded, dataset, loss=nn.cross_entropy, optimizer=optim.Adam(lr=0.03), epochs=6, batch_size=16, seed=0)
    assert run.history.losses[-1] < 0.6 * run.history.losses[0]


def test_functions_of_the_model_run_in_the_place_of_their_calls(tmp_path):
    body = helper.make_function("mine", "Scaled", ["a"], ["b"], [helper.make_node("Mul", ["a", "factor"], ["b"])],
                                [helper.make_opsetid("", 18)], ["value"])
    constant = helper.make_node("Constant", [], ["factor"])
    constant.attribute.append(AttributeProto(name="value_float", ref_attr_name="value", type=AttributeProto.FLOAT))
    body.node.insert(0, constant)
    model = model_of([helper.make_node("Scaled", ["x"], ["y"], domain="mine", value=3.0)], [("x", FLOAT, [2])], ["y"], functions=[body])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert sl.load_onnx(write(tmp_path, model))(sl.tensor([1.0, 2.0])).tolist() == [3, 6]


def test_inputs_are_checked_against_the_file(tmp_path):
    net = sl.load_onnx(write(tmp_path, linear()))
    with pytest.raises(sl.errors.DTypeError, match="input 'x' is of type int64, but the model takes float32"):
        net(sl.ones((1, 3), "int64"))
    with pytest.raises(sl.errors.ShapeError, match=r"input 'x' of shape \(3,\) has 1 axes, but the model takes 2"):
        net(sl.ones(3))
    with pytest.raises(sl.errors.ArgumentError, match="its inputs are x"):
        net(sl.ones((1, 3)), z=1)


@pytest.mark.parametrize("node, pattern", [
    (helper.make_node("Transpose", ["x"], ["y"], perm=[0, 0]), "is no order of the axes"),
    (helper.make_node("Concat", ["x", "x"], ["y"], axis=5), "axis 5 does not exist"),
    (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2, 2]), "are not 1 positive numbers"),
    (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2], pads=[1]), r"MaxPool: its inputs or attributes do.*float32 \(1, 2, 3\)"),
    (helper.make_node("Softmax", ["x"], ["y"], axis=-7), "axis"),
])
def test_attributes_that_do_not_fit_the_inputs_are_refused_with_the_node(tmp_path, node, pattern):
    net = sl.load_onnx(write(tmp_path, model_of([node], [("x", FLOAT, [1, 2, 3])], ["y"])))
    with pytest.raises(sl.SlopesError, match=pattern + r"[\s\S]*in node 'y'"):
        net(sl.ones((1, 2, 3)))


def test_sequences_and_loops(tmp_path):
    """Two halves in a sequence; the second one, doubled in a loop of three rounds."""
    value = helper.make_tensor_value_info
    body = helper.make_graph([helper.make_node("Add", ["v", "v"], ["twice"]), helper.make_node("Identity", ["go"], ["on"])], "body",
                             [value("i", INT64, []), value("go", TensorProto.BOOL, []), value("v", FLOAT, None)],
                             [value("on", TensorProto.BOOL, []), value("twice", FLOAT, None)])
    nodes = [helper.make_node("SplitToSequence", ["x", "two"], ["parts"], axis=0),
             helper.make_node("SequenceAt", ["parts", "last"], ["half"]),
             helper.make_node("Loop", ["rounds", "", "half"], ["y"], body=body)]
    arrays = {"two": np.array(2), "last": np.array(-1), "rounds": np.array(3)}
    net = sl.load_onnx(write(tmp_path, model_of(nodes, [("x", FLOAT, [4])], ["y"], arrays)))
    assert net(sl.tensor([1.0, 2.0, 3.0, 4.0])).tolist() == sl.compile(net)(sl.tensor([1.0, 2.0, 3.0, 4.0])).tolist() == [24, 32]


def test_half_precision_is_computed_in_single_precision(tmp_path):
    model = model_of([helper.make_node("Mul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT16, [2])], ["y"],
                     {"w": np.array([0.5, 2], np.float16)})
    assert sl.load_onnx(write(tmp_path, model))(sl.tensor([2.0, 2.0])).tolist() == [1, 4]


def classic(tmp_path, op, x, code, **attributes):
    """What an operator of ai.onnx.ml makes of x."""
    model = model_of([helper.make_node(op, ["x"], ["y"], domain="ai.onnx.ml", **attributes)], [("x", code, np.shape(x))], ["y"])
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    y = sl.load_onnx(write(tmp_path, model))(x)
    return y.tolist() if hasattr(y, "tolist") else y


@pytest.mark.parametrize("op, attributes, expected", [
    ("Scaler", {"offset": [1.0, 2.0], "scale": [2.0, 0.5]}, [[0, -2], [-2, -1], [4, 1]]),
    ("Normalizer", {"norm": "L1"}, [[1 / 3, -2 / 3], [0, 0], [3 / 7, 4 / 7]]),
    ("Normalizer", {"norm": "L2"}, [[5 ** -0.5, -2 * 5 ** -0.5], [0, 0], [0.6, 0.8]]),
    ("Normalizer", {"norm": "MAX"}, [[1, -2], [0, 0], [0.75, 1]]),
    ("Binarizer", {"threshold": 0.5}, [[1, 0], [0, 0], [1, 1]]),
    ("Imputer", {"imputed_value_floats": [7.0, 8.0], "replaced_value_float": 0.0}, [[1, -2], [7, 8], [3, 4]]),
    ("ZipMap", {"classlabels_strings": ["a", "b"]}, [{"a": 1, "b": -2}, {"a": 0, "b": 0}, {"a": 3, "b": 4}]),
])
def test_features_are_prepared_as_onnxruntime_does(tmp_path, op, attributes, expected):
    x = np.array([[1, -2], [0, 0], [3, 4]], np.float32)
    result = classic(tmp_path, op, x, FLOAT, **attributes)
    assert result == expected if op == "ZipMap" else np.allclose(result, expected)


def test_labels_and_categories_may_be_words(tmp_path):
    words = np.array(["a", "b", "z"], object)
    assert classic(tmp_path, "LabelEncoder", words, TensorProto.STRING, keys_strings=["a", "b"], values_int64s=[5, 6]) == [5, 6, -1]
    assert classic(tmp_path, "OneHotEncoder", words, TensorProto.STRING, cats_strings=["a", "b"]) == [[1, 0], [0, 1], [0, 0]]
    numbers = np.array([2, 1, 9])
    assert classic(tmp_path, "LabelEncoder", numbers, INT64, keys_int64s=[1, 2], values_strings=["u", "v"]) == ["v", "u", "_Unused"]
    floats = {"values_floats": [0.5, 0.25], "default_float": 3.0}
    assert classic(tmp_path, "LabelEncoder", numbers, INT64, keys_int64s=[1, 2], **floats) == [0.25, 0.5, 3]
    with pytest.raises(sl.SlopesError, match="OneHotEncoder: a value that is no category is not supported"):
        classic(tmp_path, "OneHotEncoder", numbers, INT64, cats_int64s=[1, 2], zeros=0)


def test_features_are_chosen_by_index(tmp_path):
    model = model_of([helper.make_node("ArrayFeatureExtractor", ["x", "i"], ["y"], domain="ai.onnx.ml")], [("x", FLOAT, [1, 3])], ["y"],
                     {"i": np.array([2, 0])})
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert sl.load_onnx(write(tmp_path, model))(sl.tensor([[5.0, 6.0, 7.0]])).tolist() == [[7, 5]]


@pytest.mark.parametrize("transform, expected", [
    ("NONE", [2.5, -1.5]), ("LOGISTIC", [1 / (1 + np.exp(-2.5)), 1 / (1 + np.exp(1.5))]),
    ("SOFTMAX", [1 / (1 + np.exp(-4)), 1 / (1 + np.exp(4))]),
])
def test_linear_models_give_a_class_and_scores(tmp_path, transform, expected):
    """w = [[1, 1], [-1, 0]], b = [0.5, -0.5], x = [1, 1]."""
    attributes = {"coefficients": [1.0, 1.0, -1.0, 0.0], "intercepts": [0.5, -0.5], "post_transform": transform}
    for labels, answer in (({"classlabels_ints": [7, 9]}, [7]), ({"classlabels_strings": ["a", "b"]}, ["a"])):
        node = helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes, **labels)
        model = model_of([node], [("x", FLOAT, [None, 2])], ["label", "scores"])
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
        label, scores = sl.load_onnx(write(tmp_path, model))(sl.ones((1, 2)))
        assert label.tolist() == answer
        np.testing.assert_allclose(scores.numpy(), [expected], rtol=1e-6)
    values = classic(tmp_path, "LinearRegressor", sl.ones((1, 2)), FLOAT, targets=2, **attributes)
    np.testing.assert_allclose(values, [expected], rtol=1e-6)
