"""Graphs as text, one node per line with its type beside its name, and back: parsing gives the identical interned nodes.

    %0 = variable float32[2,3] name="x" serial=7
    %1 = constant float32[] value=1.0
    %2 = expand float32[2,3] %1 shape=(2, 3)
    %3 = add float32[2,3] %0 %2  # train.py:41
    return %3
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, line_text
from .body import Body
from .build import Constant, Frozen, constant
from .dtype import as_dtype
from .node import Node, Operation, intern
from .walk import topological

INLINE = 16  # constants of up to this many elements are written out, larger ones as a digest
LINE = re.compile(r"%(?P<number>\d+) = (?P<op>\w+) (?P<dtype>\w+)\[(?P<shape>[\d,]*)\](?P<rest>.*)")
QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
PARAM = re.compile(rf"(\w+)=((?:{QUOTED}|[^'\"=])+?)(?=\s+\w+=|$)")
CODE = re.compile(rf"(?:{QUOTED}|[^'\"#])*")  # a line without its comment


def text(roots: Sequence[Node], locations: bool = True) -> str:
    """The graph that the roots need, one node per line, arguments before users, the roots on the last line."""
    order = topological(roots)
    names = {node: f"%{i}" for i, node in enumerate(order)}
    lines = [line(node, names) + (f"  # {where(node)}" if locations and node.args else "") for node in order]
    return "\n".join([*lines, " ".join(["return", *(names[root] for root in roots)])])


def line(node: Node, names: Mapping[Node, str], without: Sequence[str] = ()) -> str:
    """One node: its name, operation, type, arguments and parameters, but those named in `without`."""
    words = [names[node], "=", node.op.name, type_text(node.dtype, node.shape), *(names[arg] for arg in node.args)]
    return " ".join(words + [f"{key}={param_text(value)}" for key, value in sorted(node.params.items()) if key not in without])


def type_text(dtype: np.dtype, shape: Sequence[int]) -> str:
    """`float32[2,3]`."""
    return f"{dtype.name}[{','.join(map(str, shape))}]"


def where(node: Node) -> str:
    return f"{node.layer}, {line_text(node.location)}" if node.layer else line_text(node.location)


def param_text(value: Any) -> str:
    if isinstance(value, Frozen):
        return array_text(value.array)
    if isinstance(value, Body):
        return repr(text([*value.inputs, *value.outputs], locations=False))
    return value.name if isinstance(value, np.dtype) else repr(value)


def array_text(array: np.ndarray) -> str:
    """The elements of a small array, the digest of a large one."""
    if is_large(array):
        return f"<{digest(array)}>"
    return repr(array.item()) if array.ndim == 0 else repr(array.reshape(-1).tolist())


def is_large(array: np.ndarray) -> bool:
    """Whether a constant is written as a digest: it is long, or holds a NaN, whose bits a literal would not keep."""
    return array.size > INLINE or (array.dtype.kind in "fc" and bool(np.isnan(array).any()))


def digest(array: np.ndarray) -> str:
    """The name under which a large constant is supplied again to `parse`."""
    seal = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    seal.update(np.ascontiguousarray(array).tobytes())
    return seal.hexdigest()[:16]


def large_constants(roots: Sequence[Node]) -> dict[str, Node]:
    """The constants that `text` writes as a digest, by that digest: what `parse` asks for."""
    constants = (node for node in topological(roots) if node.op is Constant)
    return {digest(node.params["value"].array): node for node in constants if is_large(node.params["value"].array)}


def parse(source: str, constants: Mapping[str, Node] | None = None) -> list[Node]:
    """The roots of a graph written by `text`: the same interned nodes, when variables and large constants still exist."""
    nodes: list[Node] = []
    for i, raw in enumerate(source.strip().splitlines(), start=1):
        words = without_comment(raw)
        if words.startswith("return"):
            return [reference(word, nodes, i) for word in words.split()[1:]]
        nodes.append(parse_line(words, nodes, constants or {}, i))
    raise ArgumentError("graph text: no line `return ...` at the end", why="it names the roots of the graph")


def without_comment(raw: str) -> str:
    code = CODE.match(raw.strip())
    return code[0].strip() if code else ""


def parse_line(words: str, nodes: list[Node], constants: Mapping[str, Node], number: int) -> Node:
    """The node of one line."""
    match = LINE.fullmatch(words)
    if match is None or int(match["number"]) != len(nodes) or match["op"] not in Operation.table:
        raise ArgumentError(f"graph text, line {number}: {words!r} is no node",
                            repair=f"expected `%{len(nodes)} = operation type ...`")
    dtype, shape = as_dtype(match["dtype"]), tuple(int(n) for n in match["shape"].split(",") if n)
    head, params = split_params(match["rest"])
    if match["op"] == "constant":
        return parse_constant(params["value"], dtype, shape, constants, number)
    args = tuple(reference(word, nodes, number) for word in head.split())
    operation = Operation.table[match["op"]]
    return intern(operation, args, {key: parse_param(key, value) for key, value in params.items()}, shape, dtype)


def split_params(rest: str) -> tuple[str, dict[str, str]]:
    """The argument names and the parameter texts of a line."""
    first = PARAM.search(rest)
    head = rest[:first.start()] if first else rest
    return head, {key: value.strip() for key, value in PARAM.findall(rest)}


def parse_param(key: str, value: str) -> Any:
    if key == "body":
        return parse_body(literal(value))
    return as_dtype(value) if key == "dtype" else literal(value)


def parse_body(source: str) -> Body:
    """The body whose inputs, then outputs, are the roots of a graph."""
    roots = parse(source)
    inputs = [node for i, node in enumerate(roots) if node.params.get("serial") == -1 - i]
    return Body(inputs, roots[len(inputs):])


def literal(value: str) -> Any:
    """A Python literal; also nan and inf, which Python prints but does not read."""
    words = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
    return words[value] if value in words else ast.literal_eval(value)


def parse_constant(value: str, dtype: np.dtype, shape: tuple[int, ...], constants: Mapping[str, Node], number: int) -> Node:
    if not value.startswith("<"):
        flat = [literal(element.strip()) for element in value.strip("[]").split(",") if element.strip()]
        return constant(np.array(flat, dtype).reshape(shape))
    if value.strip("<>") not in constants:
        raise ArgumentError(f"graph text, line {number}: the large constant {value} was not given",
                            repair="pass constants={digest: node}, as large_constants(roots) returns them")
    return constants[value.strip("<>")]


def reference(word: str, nodes: list[Node], number: int) -> Node:
    """The node that `%3` names."""
    if not re.fullmatch(r"%\d+", word) or int(word[1:]) >= len(nodes):
        raise ArgumentError(f"graph text, line {number}: {word!r} names no earlier node")
    return nodes[int(word[1:])]
