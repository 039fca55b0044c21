"""Read an ONNX model as a module: its float initializers are parameters, its nodes run as operations of slopes."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..extras import require
from ..files.reading import Path, read_whole, refused
from ..nn.module import Buffer, Module
from ..parameter import Parameter
from ..tensor import Tensor, asarray
from .build import Builder
from .call import Graph
from .check import FunctionSizes, check_model, check_text, check_unique, missing_error, opsets_of, plain_domain
from .element_types import DTYPES, STRING
from .values import Value, to_tensor
from .weights import Weights

MOST = 2**31 - 1  # bytes: what a protocol buffer may have


class Input(NamedTuple):
    """What an input of a model has to be: its name, its data type (None: any), its number of axes (None: any)."""

    name: str
    dtype: np.dtype | None
    rank: int | None


def load_onnx(path: Path, frozen: Sequence[str] = ()) -> OnnxModule:
    """Read an ONNX model as a module.

    Float initializers become parameters under their own names. Buffers, which are not trained, are running statistics, quantisation scales,
    initial states, single numbers, and what `frozen` names (patterns such as "mask*"). Whole numbers, and values that decide about shapes,
    are constants. The module runs at once, inside `sl.compile`, and with gradients. Sizes of inputs may vary from call to call as far as
    the nodes allow it. Data in other files are read from the model's own folder only. Half precision is computed as float32.

    Raises DataError for files that are damaged or hostile, need operators that slopes lacks (all are named), or a newer standard;
    ArgumentError for a pattern that no array matches; MissingExtraError without the onnx package.
    Format: https://onnx.ai/onnx/repo-docs/IR.html.

    >>> import onnx
    >>> nodes = [onnx.helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=1)]
    >>> arrays = [onnx.numpy_helper.from_array(np.ones((2, 3), np.float32), "weight"),
    ...           onnx.numpy_helper.from_array(np.zeros(2, np.float32), "bias")]
    >>> value = onnx.helper.make_tensor_value_info
    >>> graph = onnx.helper.make_graph(nodes, "linear", [value("x", 1, ["N", 3])], [value("y", 1, ["N", 2])], arrays)
    >>> onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8), "linear.onnx")
    >>> net = sl.load_onnx("linear.onnx")
    >>> net(sl.tensor([[1., 2., 3.]])).tolist()
    [[6.0, 6.0]]
    >>> [name for name, _ in net.named_parameters()]
    ['weight', 'bias']
    """
    onnx = require("onnx", "onnx", "sl.load_onnx")
    model = parse(onnx, path)
    check_model(model, path, onnx.IR_VERSION)
    opsets = opsets_of(model, path, onnx.defs.onnx_opset_version())
    functions = functions_of(model, path)
    FunctionSizes(functions, path).check(model.graph.node)
    builder = Builder(onnx, path, Weights(path), functions)
    graph = builder.graph(model.graph, opsets, {})
    if builder.missing:
        raise missing_error(builder.missing, path)
    check_patterns(frozen, graph)
    return OnnxModule(graph, [input_of(value) for value in model.graph.input if value.name in graph.inputs], frozen)


def check_patterns(frozen: Sequence[str], graph: Graph) -> None:
    """Every pattern names an array."""
    names = [name for name, array in graph.known.items() if array.dtype.kind == "f"]
    for pattern in frozen:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise ArgumentError(f"load_onnx: frozen names {pattern!r}, which no float array of the model matches",
                                why="its arrays are " + ", ".join(names)[:300])


def parse(onnx: Any, path: Path) -> Any:
    """The ModelProto. Raises DataError for anything that is no protocol buffer of one."""
    raw = read_whole(path, MOST)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except Exception as error:  # protobuf's implementations raise different errors
        raise refused(path, "contents", f"it is no ONNX model ({error})") from error
    check_text(model, path)
    return model


def functions_of(model: Any, path: Path) -> dict[tuple[str, str], Any]:
    """The functions that the model defines, by domain and name."""
    check_unique((f"{entry.domain} {entry.name}" for entry in model.functions), path, "functions")
    return {(plain_domain(entry.domain), entry.name): entry for entry in model.functions}


def input_of(value: Any) -> Input:
    """The declared type and rank of an input."""
    tensor = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type" or tensor.elem_type == STRING:
        return Input(value.name, None, None)
    return Input(value.name, DTYPES[tensor.elem_type], len(tensor.shape.dim) if tensor.HasField("shape") else None)


class OnnxModule(Module):
    """The network of an ONNX file: `input_names` and `output_names` are those of the file.

    forward takes the inputs in the order of the file, or by name, and gives the output, or a tuple of outputs. Raises ArgumentError,
    DTypeError and ShapeError for inputs that the file does not declare.
    """

    unnamed = "state"

    def __init__(self, graph: Graph, inputs: list[Input], frozen: Sequence[str]) -> None:
        self.graph, self.inputs = graph, tuple(inputs)
        self.state = state_of(graph, frozen)
        for name in self.state:
            del graph.known[name]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, in order."""
        return tuple(entry.name for entry in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs, in order."""
        return self.graph.outputs

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        values = [check_input(entry, value) for entry, value in zip(self.inputs, self.ordered(args, kwargs))]
        outputs = tuple(map(output_of, self.graph.run(values, self.state)))
        return outputs[0] if len(outputs) == 1 else outputs

    def ordered(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[Any]:
        """The inputs in the order of the file."""
        names = self.input_names
        later = names[len(args):]
        if len(args) > len(names) or set(kwargs) != set(later):
            raise ArgumentError(f"{self.describe()} got {len(args)} inputs and {sorted(kwargs)} by name",
                                why=f"its inputs are {', '.join(names)}")
        return iter([*args, *(kwargs[name] for name in later)])

    def details(self) -> str:
        return f"{self.graph.name!r:.60}, {len(self.graph.calls)} nodes"


def check_input(entry: Input, value: Any) -> Value:
    """The value of an input. Raises DTypeError or ShapeError where the file declares something else."""
    if entry.dtype is None:
        return value
    tensor = asarray(value)
    if tensor.dtype != entry.dtype:
        raise DTypeError(f"input {entry.name!r} is of type {tensor.dtype}, but the model takes {entry.dtype}",
                         repair=f"cast it: x.astype(sl.{entry.dtype.name})")
    if entry.rank is not None and tensor.ndim != entry.rank:
        raise ShapeError(f"input {entry.name!r} of shape {tensor.shape} has {tensor.ndim} axes, but the model takes {entry.rank}",
                         repair="give a single example a batch axis: x[None]" if tensor.ndim == entry.rank - 1 else "")
    return tensor


def output_of(value: Value) -> Any:
    """An output as a tensor; sequences keep their form."""
    return [output_of(element) for element in value] if isinstance(value, list) else to_tensor(value)


def state_of(graph: Graph, frozen: Sequence[str]) -> dict[str, Tensor]:
    """Parameters and buffers by name, of the arrays that are not constants."""
    uses: dict[str, set[str]] = {}
    for name, use in uses_in(graph):
        uses.setdefault(name, set()).add(use)
    state: dict[str, Tensor] = {}
    for name, array in graph.known.items():
        kinds = uses.get(name, {"unused"})
        if array.dtype.kind == "f" and "known" not in kinds:
            trained = array.ndim > 0 and kinds == {"trained"} and not any(fnmatch.fnmatchcase(name, pattern) for pattern in frozen)
            state[name] = Parameter(array) if trained else Buffer(array)
    return state


def uses_in(graph: Graph) -> Iterator[tuple[str, str]]:
    """(name, how it is used) of all inputs of calls, in inner graphs too."""
    for call in graph.calls:
        known, statistics = call.operator.known, call.operator.statistics
        for i, name in enumerate(call.inputs):
            yield name, "known" if i in known else "statistics" if i in statistics else "trained"
        for value in call.attributes.values():
            if isinstance(value, Graph):
                yield from uses_in(value)
