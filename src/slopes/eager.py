"""Operations computed at once on arrays: by their NumPy meaning, with shapes and types checked as a graph would check them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .arrays import shorten
from .errors import ArgumentError, TooLargeError
from .graph.dtype import DType, scalar_dtype
from .graph.node import Node
from .graph.operation import Operation, constant, variable
from .graph.shape import broadcast_shapes
from .machine.reference import evaluate

Numbers = (bool, int, float, complex, np.generic)


def compute(name: str, operands: Sequence[Any], params: dict[str, Any]) -> np.ndarray:
    """The array of one operation; operands are arrays, nodes and Python numbers, which take the type of the arrays."""
    arrays = operand_arrays(name, operands)
    try:
        return compute_arrays(name, operands, arrays, params)
    except MemoryError as error:
        raise TooLargeError(f"{name}: {str(error) or 'there is not enough memory'}",
                            why=f"the operands have the shapes {', '.join(str(array.shape) for array in arrays)}",
                            repair="look for a size that is too large, or work in smaller batches") from error


def compute_arrays(name: str, operands: Sequence[Any], arrays: list[np.ndarray], params: dict[str, Any]) -> np.ndarray:
    """The same, of the arrays of the operands."""
    operation = Operation.table[name]
    if name == "pow" and isinstance(operands[1], Numbers):  # a constant power is built as a product, as it is in a graph
        key = ("pow", arrays[0].shape, arrays[0].dtype, arrays[1].dtype, operands[1])
        return compute_graph(key, operation, arrays, {}, operands[1])
    return (compute_elementwise if operation.kind == "elementwise" else compute_any)(operation, arrays, params)


def operand_arrays(name: str, operands: Sequence[Any]) -> list[np.ndarray]:
    """The operands as arrays."""
    arrays: list[Any] = [node_value(each) if isinstance(each, Node) else each for each in operands]
    if all(isinstance(each, np.ndarray) for each in arrays):
        return arrays
    typed = arrays[1:] if name == "where" else arrays  # as when a graph is built
    beside = next((each.dtype for each in typed if isinstance(each, np.ndarray)), None)
    return [each if isinstance(each, np.ndarray) else number_array(name, each, beside) for each in arrays]


def number_array(name: str, number: Any, beside: DType | None) -> np.ndarray:
    if not isinstance(number, Numbers):
        raise ArgumentError(f"{name}: {shorten(number)} of type {type(number).__name__} is no number and no tensor",
                            repair="make a tensor of it first: sl.tensor(...)")
    dtype = scalar_dtype(number, beside)
    try:
        return np.asarray(number, dtype)
    except OverflowError as error:
        raise ArgumentError(f"{name}: {number} does not fit into {dtype}",
                            repair="cast the tensor first: x.astype(sl.int64)") from error


def node_value(node: Node) -> np.ndarray:
    return node.value if node.value is not None else evaluate([node])[0]


@lru_cache(maxsize=1024)
def kept_number(kind: type, text: str, dtype: DType) -> Node:
    """The constant node of a Python number, which is found faster by its text than built again."""
    return constant(kind(text), dtype)


def number_node(value: Any, beside: DType | None) -> Any:
    if type(value) not in (int, float):
        return value
    return kept_number(type(value), repr(value), scalar_dtype(value, beside))  # type: ignore[arg-type]


def fill(node: Node) -> None:
    """Compute the value of a node, and before it of the few (casts, expansions) that its operation put around the operands."""
    for arg in node.args:
        if arg.value is None:
            fill(arg)
    node.value = np.asarray(node.op.meaning(np, *[arg.value for arg in node.args], **node.params))


Plan = tuple[tuple[DType, ...], bool] | None
_plans: dict[tuple, Plan] = {}


def compute_elementwise(operation: type[Operation], arrays: list[np.ndarray], params: dict[str, Any]) -> np.ndarray:
    """An elementwise operation by its meaning alone: NumPy broadcasts, the casts are known from the types."""
    key = (operation, *[array.dtype for array in arrays], *params.items())
    try:
        plan = _plans[key]
    except KeyError:
        plan = _plans[key] = plan_elementwise(operation, arrays, params)
    if plan is None:
        return compute_any(operation, arrays, params)
    casts, identical = plan
    if len(arrays) > 1:
        broadcast_shapes(operation.name, [array.shape for array in arrays])
    if not identical:
        arrays = [array.astype(dtype, copy=False) for array, dtype in zip(arrays, casts)]
    return np.asarray(operation.meaning(np, *arrays, **params))


def plan_elementwise(operation: type[Operation], arrays: list[np.ndarray], params: dict[str, Any]) -> Plan:
    """The types that the operands are cast to; None when the operation builds anything else around itself."""
    given = [variable((), array.dtype) for array in arrays]
    node = operation.make(*given, **params)
    direct = node.op is operation and len(node.args) == len(given) and node.params == params
    if not direct or any(arg is not var and arg.args != (var,) for arg, var in zip(node.args, given)):
        return None
    return tuple(arg.dtype for arg in node.args), all(arg is var for arg, var in zip(node.args, given))


Graph = tuple[Node, list[Node]]
_graphs: dict[tuple, Graph] = {}
GRAPHS_LIMIT = 4096


def compute_any(operation: type[Operation], arrays: list[np.ndarray], params: dict[str, Any]) -> np.ndarray:
    """An operation by its meaning; its type rule is asked once per combination of shapes, types and parameters."""
    key = (operation, *[(array.shape, array.dtype) for array in arrays], *params.items())
    found = _graphs.get(key)
    if found is None or found[0].op is not operation or found[0].args != tuple(found[1]) or found[0].params != params:
        return compute_graph(key, operation, arrays, params)
    with np.errstate(all="ignore"):
        return np.asarray(operation.meaning(np, *arrays, **params))


def compute_graph(key: tuple, operation: type[Operation], arrays: list[np.ndarray], params: dict[str, Any],
                  power: Any = None) -> np.ndarray:
    """Any operation, by the graph that it builds on these shapes and types."""
    found = _graphs.get(key)
    if found is None:
        if len(_graphs) >= GRAPHS_LIMIT:
            _graphs.clear()
        given = [variable(array.shape, array.dtype) for array in arrays]
        operands = given if power is None else [given[0], constant(power, arrays[1].dtype)]
        found = _graphs[key] = operation.make(*operands, **params), given
    return evaluate([found[0]], dict(zip(found[1], arrays)))[0]
