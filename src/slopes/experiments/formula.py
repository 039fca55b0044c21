"""A function of x given as text, such as "sin(3 x)": read by this file's own small grammar, never run as Python."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "abs", "tanh", "sign", "floor")},
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0), "step": lambda x: np.heaviside(x, 1.0)}
NUMBERS = {"pi": np.pi, "e": np.e}
OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos}
LONGEST = 500  # characters; deep nesting is no function that anyone reads


def formula(text: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function of x that a text names: numbers, x, pi, e, + - * / ** (or ^), parentheses, and functions such as sin(x).

    Where it has no value it is nan or infinite. Raises ArgumentError that says what is not understood.

    >>> f = formula("2 x^2 + sin(pi x)")
    >>> f(np.array([0.0, 1.0, 2.0])).round(6).tolist()
    [0.0, 2.0, 8.0]
    """
    try:
        if len(text) > LONGEST:
            raise SyntaxError(f"more than {LONGEST} characters")
        tree = ast.parse(written_out(text), mode="eval").body
    except SyntaxError as error:
        raise not_understood(text, error.msg or "it is no formula") from error
    check_parts(tree, text)

    def function(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # where it has no value it is nan
            return np.broadcast_to(np.asarray(value(tree, np.asarray(x, np.float64)), np.float64), np.shape(x))

    return function


def written_out(text: str) -> str:
    """Powers as **, and products such as 2 x, 3(x + 1) or (x)(x) with their sign."""
    text = text.strip().replace("^", "**")
    text = re.sub(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?=[A-Za-z(])", r"\1*", text)
    text = re.sub(r"\)\s*(?=[\w(])", ")*", text)
    return re.sub(r"\b(x|pi|e)\s+(?=\w)", r"\1*", text)


def check_parts(tree: ast.AST, text: str) -> None:
    """Every part is one that this grammar has."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in ("x", *NUMBERS, *FUNCTIONS):
            raise not_understood(text, f"{node.id!r} is unknown")
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and len(node.args) == 1
                                               and not node.keywords):
            raise not_understood(text, "a function is a known name with one argument")
        if isinstance(node, ast.Name) and node.id in FUNCTIONS and node not in called:
            raise not_understood(text, f"{node.id} needs an argument: {node.id}(x)")
        if isinstance(node, ast.Constant) and (isinstance(node.value, bool) or not isinstance(node.value, (int, float))):
            raise not_understood(text, f"{node.value!r} is no number")
        if not isinstance(node, (ast.Name, ast.Call, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Load, *OPERATORS)):
            raise not_understood(text, f"{type(node).__name__} has no place in it")


def value(node: Any, x: np.ndarray) -> Any:
    """The value of a checked part at x."""
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](value(node.left, x), value(node.right, x))
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](value(node.operand, x))
    if isinstance(node, ast.Call):
        return FUNCTIONS[node.func.id](value(node.args[0], x))  # type: ignore[attr-defined]
    if isinstance(node, ast.Name):
        return x if node.id == "x" else NUMBERS[node.id]
    return float(node.value)


def not_understood(text: str, why: str) -> ArgumentError:
    return ArgumentError(f"the function {text!r:.80} is not understood: {why}",
                         repair=f"write it with x, numbers, pi, e, + - * / ^, parentheses and {', '.join(FUNCTIONS)}")
