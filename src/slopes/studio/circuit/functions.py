"""The functions and operators of the language, each an operation of slopes or composed of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import ArgumentError, ShapeError
from ...graph.build import build
from ...graph.node import Node
from ...ops import composite
from ...ops.statistics import log_softmax, logsumexp, mean, reduce, softmax


@dataclass(frozen=True)
class Operator:
    """One entry of the language.

    form      how it is written in a gate, with a · for each argument
    apply     its graph
    python    the same in a program with `import slopes as sl`; {} stands for an argument
    count     how many arguments it has
    composed  whether it consists of several operations, which can be shown instead
    """

    form: str
    apply: Callable[..., Node]
    python: str
    count: int = 1
    composed: bool = False


def of_one(name: str, form: str = "") -> Operator:
    """An operation of one argument."""
    return Operator(form or f"{name}(·)", lambda x: build(name, x), f"sl.{name}({{}})")


def of_two(name: str, sign: str, python: str) -> Operator:
    """An operator between two arguments."""
    return Operator(f"· {sign} ·", lambda a, b: build(name, a, b), f"{{}} {python} {{}}", 2)


def largest_of(name: str) -> Operator:
    """max or min of the elements of one argument."""
    return Operator(f"{name}(·)", lambda x: reduce(name, x), f"sl.{name}({{}})")


def larger_of(name: str) -> Operator:
    """max or min of two arguments."""
    return Operator(f"{name}(·, ·)", lambda a, b: build(f"{name}imum", a, b), f"sl.{name}imum({{}}, {{}})", 2)


def dot(a: Node, b: Node) -> Node:
    """The sum of products of two vectors of one length."""
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"dot takes two vectors, but these have shapes {a.shape} and {b.shape}", repair="write a @ b for matrices")
    return composite.matmul(a, b)


def cross_entropy(logits: Node, label: Node) -> Node:
    """-log softmax(logits)[label]."""
    index = label_of(label)
    if logits.ndim != 1 or not 0 <= index < logits.shape[0]:
        raise ShapeError(f"cross_entropy(logits, label): {logits.shape} and {index}",
                         why="the logits are a vector, and the label is the index of one of them, counted from 0")
    return -element(log_softmax(logits), (index,))


def label_of(label: Any) -> int:
    """A class, which is a whole number that does not change."""
    value = label.value
    if value is None or value.size != 1 or not float(value.item()).is_integer():
        raise ArgumentError("the label of cross_entropy is no whole number", repair="write it as a number: cross_entropy(logits, 2)")
    return int(value.item())


def element(x: Node, indices: tuple[int, ...]) -> Node:
    """x[i] or x[i, j], counted from 0, or from the end if negative."""
    if len(indices) > x.ndim or any(not -n <= i < n for i, n in zip(indices, x.shape)):
        raise ShapeError(f"there is no element [{', '.join(map(str, indices))}] in a value of shape {x.shape}",
                         why="indices are counted from 0" if x.ndim else "it is a single number")
    for i, n in zip(indices, x.shape):
        x = build("reshape", composite.part(x, 0, i % n, i % n + 1), shape=x.shape[1:])
    return x


def transpose(x: Node) -> Node:
    """The rows of a matrix as columns."""
    if x.ndim != 2:
        raise ShapeError(f"transpose takes a matrix, but this has shape {x.shape}")
    return composite.permute_dims(x, (1, 0))


FUNCTIONS: dict[str, Operator] = {
    "exp": of_one("exp"), "log": of_one("log"), "sqrt": of_one("sqrt"), "abs": of_one("abs"),
    "square": Operator("·²", lambda x: x * x, "sl.square({})"),
    "sin": of_one("sin"), "cos": of_one("cos"), "tan": of_one("tan"), "tanh": of_one("tanh"),
    "sigmoid": Operator("σ(·)", composite.sigmoid, "sl.sigmoid({})", composed=True),
    "relu": Operator("relu(·)", composite.relu, "sl.relu({})"),
    "softplus": Operator("softplus(·)", composite.softplus, "sl.softplus({})", composed=True),
    "softmax": Operator("softmax(·)", softmax, "sl.softmax({})", composed=True),
    "log_softmax": Operator("log_softmax(·)", log_softmax, "sl.log_softmax({})", composed=True),
    "logsumexp": Operator("logsumexp(·)", logsumexp, "sl.logsumexp({})", composed=True),
    "cross_entropy": Operator("cross_entropy(·, ·)", cross_entropy, "-sl.log_softmax({})[{}]", 2, composed=True),
    "sum": Operator("sum(·)", lambda x: reduce("sum", x), "sl.sum({})"),
    "mean": Operator("mean(·)", mean, "sl.mean({})", composed=True),
    "max": largest_of("max"), "min": largest_of("min"),
    "dot": Operator("dot(·, ·)", dot, "{} @ {}", 2),
    "transpose": Operator("transpose(·)", transpose, "{}.mT"),
}
OPERATORS: dict[str, Operator] = {
    "add": of_two("add", "+", "+"), "subtract": of_two("subtract", "−", "-"), "multiply": of_two("multiply", "×", "*"),
    "divide": of_two("divide", "÷", "/"), "power": of_two("pow", "^", "**"),
    "matmul": Operator("· @ ·", composite.matmul, "{} @ {}", 2),
    "negative": Operator("−·", lambda x: build("negative", x), "-{}"),
    "maximum": larger_of("max"), "minimum": larger_of("min"),
}
TABLE = {**FUNCTIONS, **OPERATORS}
OF_TWO = {"max": "maximum", "min": "minimum"}  # functions that mean something else with two arguments
CONSTANTS = {"pi": math.pi}
