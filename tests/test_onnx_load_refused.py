"""What `load_onnx` must refuse: damaged, hostile and too new files, by name; nothing outside the model's folder is read."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

import slopes as sl
from slopes.errors import DataError

pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper
from onnx_files import FLOAT, INT64, model_of, write


def linear():
    """y = x w."""
    return model_of([helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")], [("x", FLOAT, ["N", 2])], ["y"],
                    {"w": np.eye(2, dtype=np.float32)})


def refused(tmp_path, model, pattern):
    """The model is refused with a message that has this pattern, and names its file."""
    path = model if isinstance(model, os.PathLike) else write(tmp_path, model)
    with pytest.raises(DataError, match=pattern) as caught:
        sl.load_onnx(path)
    assert os.fspath(tmp_path) in str(caught.value)


def test_the_control_loads(tmp_path):
    assert sl.load_onnx(write(tmp_path, linear()))(sl.ones((1, 2))).tolist() == [[1, 1]]


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 zip", b"\xff" * 100, b"\x08\x08"], ids=["empty", "zip", "bytes", "version"])
def test_files_that_are_no_models(tmp_path, raw):
    path = tmp_path / "model.onnx"
    path.write_bytes(raw)
    refused(tmp_path, path, "no ONNX model|ir_version|graph: there is none")


def test_a_truncated_model(tmp_path):
    path = write(tmp_path, linear())
    path.write_bytes(path.read_bytes()[:-40])
    refused(tmp_path, path, "no ONNX model")


def test_names_that_are_no_text(tmp_path):
    path = write(tmp_path, linear())
    path.write_bytes(path.read_bytes().replace(b"fc", b"\xff\xfe"))
    refused(tmp_path, path, "model.graph.node.name: a name is not UTF-8|no ONNX model")


def test_versions_of_the_future(tmp_path):
    model = linear()
    model.ir_version = 99
    refused(tmp_path, model, "ir_version: 99 is not from 1 to")
    model = linear()
    model.opset_import[0].version = 999
    refused(tmp_path, model, r"operator set 999 is newer than \d+")
    del model.opset_import[:]
    refused(tmp_path, model, "its domain '' is not among the operator sets")


def test_all_missing_operators_are_named_with_their_counts(tmp_path):
    nodes = [helper.make_node("ImageDecoder", ["x"], ["a"]), helper.make_node("ImageDecoder", ["x"], ["b"]),
             helper.make_node("Magic", ["a"], ["y"])]
    model = model_of(nodes, [("x", TensorProto.UINT8, [None])], ["y"], opset=20)
    refused(tmp_path, model, r"not supported: ImageDecoder \(2\), Magic \(1\)")


# The graph


@pytest.mark.parametrize("pairs, pattern", [
    ([("b", "a"), ("a", "b")], "depends on itself[\\s\\S]*cycle"),
    ([("b", "y"), ("x", "b")], "computed by a later node"),
    ([("nobody", "y")], "'nobody' is defined nowhere"),
    ([("x", "y"), ("x", "y")], "'y' is defined a second time"),
    ([("x", "a")], "outputs: 'y' is defined nowhere"),
], ids=["cycle", "order", "undefined", "twice", "output"])
def test_orders_that_cannot_be_computed(tmp_path, pairs, pattern):
    nodes = [helper.make_node("Relu", [source], [target]) for source, target in pairs]
    refused(tmp_path, model_of(nodes, [("x", FLOAT, [2])], ["y"]), pattern)


@pytest.mark.parametrize("node, pattern", [
    (helper.make_node("Relu", ["x", "x"], ["y"]), "it has 2 inputs, not from 1 to 1"),
    (helper.make_node("Relu", ["x"], ["y"], slope=1.0), "attribute 'slope': there is no such attribute"),
    (helper.make_node("LeakyRelu", ["x"], ["y"], alpha=1), "attribute 'alpha': it is of type 2, not FLOAT"),
    (helper.make_node("Concat", ["x"], ["y"]), "it lacks the attribute 'axis'"),
    (helper.make_node("Relu", ["x"], ["y"], domain="mine"), "its domain 'mine' is not among the operator sets"),
    (helper.make_node("Scatter", ["x", "x", "x"], ["y"]), "has this operator no more"),
], ids=["inputs", "unknown", "type", "required", "domain", "deprecated"])
def test_nodes_that_the_standard_does_not_have(tmp_path, node, pattern):
    refused(tmp_path, model_of([node], [("x", FLOAT, [2])], ["y"]), pattern)


def test_inputs_of_unsupported_kinds(tmp_path):
    refused(tmp_path, model_of([helper.make_node("Identity", ["x"], ["y"])], [("x", TensorProto.COMPLEX64, [2])], ["y"]),
            "input 'x', elem_type: complex64 is not supported")
    model = linear()
    model.graph.input[0].type.CopyFrom(helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, [])))
    refused(tmp_path, model, "input 'x', type: map_type is not supported")


def test_functions_that_call_themselves_or_multiply(tmp_path):
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]

    def function(i, *calls):
        names = ["a", *(f"b{k}" for k in range(len(calls)))]
        nodes = [helper.make_node(call, [source], [target], domain="mine") for call, source, target in zip(calls, names, names[1:])]
        return helper.make_function("mine", f"F{i}", ["a"], [names[-1]], nodes, opsets)

    def model(functions):
        made = model_of([helper.make_node("F0", ["x"], ["y"], domain="mine")], [("x", FLOAT, [2])], ["y"], functions=functions)
        made.opset_import.append(opsets[1])
        return made

    refused(tmp_path, model([function(0, "F1"), function(1, "F0")]), "function 'F0': it calls itself")
    many = [function(i, *[f"F{i + 1}"] * 100) for i in range(4)]
    leaf = helper.make_function("mine", "F4", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opsets)
    refused(tmp_path, model([*many, leaf]), "they expand to more than")
    long = [helper.make_node("Constant", [], ["b"], value_ints=[1] * 100_000)]
    leaf = helper.make_function("mine", "F1", ["a"], ["b"], long, opsets)
    refused(tmp_path, model([function(0, *["F1"] * 20), leaf]), "they expand to more than")


# Arrays


@pytest.mark.parametrize("change, pattern", [
    (lambda array: array.dims.__setitem__(0, 2**40), "8 bytes|16 bytes, but float of shape"),
    (lambda array: array.dims.__setitem__(0, -2), "are not at most 64 non-negative sizes"),
    (lambda array: array.dims.extend([2**40, 2**40]), "does not fit into 64 bits"),
    (lambda array: array.dims.extend([1] * 70), "are not at most 64"),
    (lambda array: setattr(array, "data_type", 15), "data_type: complex128 is not supported"),
    (lambda array: setattr(array, "data_type", 77), "data_type: type 77 is not supported"),
    (lambda array: setattr(array, "raw_data", array.raw_data[:-1]), "15 bytes, but float of shape"),
    (lambda array: array.float_data.append(1), "raw_data: 16 bytes, but"),
    (lambda array: setattr(array.segment, "end", 3), "arrays in segments"),
    (lambda array: setattr(array, "name", "x2"), "'w' is defined nowhere"),
], ids=["claim", "negative", "overflow", "axes", "complex", "unknown", "short", "both", "segment", "name"])
def test_arrays_that_lie(tmp_path, change, pattern):
    model = linear()
    change(model.graph.initializer[0])
    refused(tmp_path, model, pattern)


def test_elements_that_do_not_fit(tmp_path):
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], [], ["y"], {"w": np.zeros(1, np.int8)})
    array = model.graph.initializer[0]
    array.ClearField("raw_data")
    array.int32_data.append(300)
    refused(tmp_path, model, "an element does not fit into int8")
    array.int32_data.append(3)
    refused(tmp_path, model, "int32_data: 2 elements for int8 of shape")
    array.CopyFrom(numpy_helper.from_array(np.zeros(1, bool), "w"))
    array.raw_data = b"\2"
    refused(tmp_path, model, "a truth value is the byte 2")


def test_two_arrays_of_one_name(tmp_path):
    model = linear()
    model.graph.initializer.append(model.graph.initializer[0])
    refused(tmp_path, model, "the name 'w' is empty or there twice")


def test_sparse_arrays(tmp_path):
    model = linear()
    model.graph.sparse_initializer.add()
    refused(tmp_path, model, "sparse arrays are not supported")


# Data in other files


def external(model, **entries):
    """The model with its first array in another file."""
    array = model.graph.initializer[0]
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    del array.external_data[:]
    for key, value in entries.items():
        array.external_data.add(key=key, value=str(value))
    return model


def test_data_beside_the_model_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "data").write_bytes(b"....." + np.full((2, 2), 3, "<f4").tobytes())
    net = sl.load_onnx(write(tmp_path, external(linear(), location="sub/data", offset=5, length=16)))
    assert net(sl.ones((1, 2))).tolist() == [[6, 6]]


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", "link", "linked/secret", "C:\\secret", "..\\secret"])
def test_no_file_outside_of_the_folder_is_read(tmp_path, location):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    refused(folder, write(folder, external(linear(), location=location)), "not a path in the model's folder|leads out of|its keys")


@pytest.mark.parametrize("entries, pattern", [
    ({"offset": 4}, "16 bytes from 4 on, in a file of 16"), ({"length": 8}, "8 bytes from 0 on"), ({"length": 10**18}, "bytes from 0 on"),
    ({"offset": -1}, "'-1' is not a whole number"), ({"offset": "1e3"}, "is not a whole number"), ({"other": 1}, "its keys"),
], ids=["end", "short", "absurd", "negative", "float", "key"])
def test_ranges_of_other_files_are_checked(tmp_path, entries, pattern):
    (tmp_path / "data").write_bytes(bytes(16))
    refused(tmp_path, external(linear(), location="data", **entries), re.escape(pattern))


def test_a_missing_data_file_and_a_folder(tmp_path):
    refused(tmp_path, external(linear(), location="nothing"), "there is no such file")
    (tmp_path / "folder").mkdir()
    refused(tmp_path, external(linear(), location="folder"), "a folder or a device")


def test_arrays_that_share_bytes(tmp_path):
    """A small file would otherwise fill the memory."""
    (tmp_path / "data").write_bytes(bytes(32))
    model = external(linear(), location="data", offset=0)
    other = model.graph.initializer.add()
    other.CopyFrom(model.graph.initializer[0])
    other.name = "v"
    refused(tmp_path, model, "its bytes overlap those of initializer 'w'")
    other.external_data[1].value = "16"
    sl.load_onnx(write(tmp_path, model))


def test_the_arrays_of_a_function_are_read_once(tmp_path):
    """However often it is called: memory is bounded by the size of the files."""
    (tmp_path / "data").write_bytes(np.full(2, 3, "<f4").tobytes())
    array = numpy_helper.from_array(np.zeros(2, np.float32), "three")
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    array.external_data.add(key="location", value="data")
    body = [helper.make_node("Constant", [], ["c"], value=array), helper.make_node("Mul", ["a", "c"], ["b"])]
    function = helper.make_function("mine", "Triple", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    nodes = [helper.make_node("Triple", [source], [target], domain="mine") for source, target in (("x", "z"), ("z", "y"))]
    model = model_of(nodes, [("x", FLOAT, [2])], ["y"], functions=[function])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert sl.load_onnx(write(tmp_path, model))(sl.ones(2)).tolist() == [9, 9]


def test_damaged_bytes_are_refused_or_load(tmp_path):
    """Nothing but an error of slopes comes out of a file in which bytes were changed, removed or added; nothing hangs."""
    random, raw = np.random.default_rng(0), linear().SerializeToString()
    path, refusals = tmp_path / "model.onnx", 0
    for _ in range(400):
        position, kind = int(random.integers(len(raw))), int(random.integers(3))
        middle = [b"", bytes(random.integers(0, 256, 1, dtype=np.uint8)), bytes(random.integers(0, 256, 3, dtype=np.uint8))][kind]
        path.write_bytes(raw[:position] + middle + raw[position + 1:])
        try:
            sl.load_onnx(path)(sl.ones((1, 2)))
        except sl.SlopesError:
            refusals += 1
    assert refusals > 200
