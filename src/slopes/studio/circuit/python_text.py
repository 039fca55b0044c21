"""A program of the language as a program in Python that explains it with slopes."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping

import numpy as np

from .compute import Graph
from .functions import CONSTANTS, TABLE
from .grammar import Call, Expression, Items, Name, Number, Part, literal

STRENGTH = {"add": 1, "subtract": 1, "multiply": 2, "divide": 2, "matmul": 2, "dot": 2, "negative": 3, "cross_entropy": 3, "power": 4}
ATOM = 5  # how strongly a name or the call of a function binds
TAKEN = ("sl", "np", "tensor")  # names that the program uses itself


def python_text(graph: Graph) -> str:
    """The program: running it prints the values, gradients and products that the page shows.

    >>> from slopes.studio.circuit.compute import make_graph
    >>> from slopes.studio.circuit.read import read
    >>> print(python_text(make_graph(read("f = (x + y) * z; x = -2; y = 5; z = -4"))))
    import slopes as sl
    <BLANKLINE>
    <BLANKLINE>
    def f(x, y, z):
        return (x + y) * z
    <BLANKLINE>
    <BLANKLINE>
    print(sl.explain(f, -2, 5, -4))
    <BLANKLINE>
    """
    program, names = graph.program, rename(graph)
    needed = [name for name in graph.nodes if name not in graph.unused()]
    formulas = {name: program.formulas[name] for name in needed if name in program.formulas and name != program.result}
    inputs = [name for name in program.values if name in needed]
    blocks = [define(function.name, function.parameters, function.formulas, function.result, names)
              for function in program.functions.values()]
    blocks.append(define(program.result, inputs, formulas, program.formulas[program.result], names))
    values = ", ".join(value_text(program.values[name].array) for name in inputs)
    blocks.append(f"print(sl.explain({names.get(program.result, program.result)}, {values}))\n")
    return "\n\n\n".join(["import slopes as sl", *blocks])


def rename(graph: Graph) -> dict[str, str]:
    """New names for those that Python or the program itself uses."""
    program = graph.program
    every = {*program.values, *program.formulas, *program.functions, *(name for function in program.functions.values()
                                                                      for name in (*function.parameters, *function.formulas))}
    return {name: f"{name}_" for name in every if name in TAKEN or keyword.iskeyword(name)}


def define(name: str, parameters: Iterable[str], formulas: Mapping[str, Expression], result: Expression, names: Mapping[str, str]) -> str:
    """The definition of a function."""
    lines = [f"def {names.get(name, name)}({', '.join(names.get(parameter, parameter) for parameter in parameters)}):"]
    lines += [f"    {names.get(formula, formula)} = {write(expression, names)[0]}" for formula, expression in formulas.items()]
    return "\n".join([*lines, f"    return {write(result, names)[0]}"])


def write(expression: Expression, names: Mapping[str, str]) -> tuple[str, int]:
    """An expression, and how strongly it binds."""
    if isinstance(expression, Number):
        return literal(expression.value), 3 if expression.value < 0 else ATOM
    if isinstance(expression, Name):
        constant = CONSTANTS.get(expression.name) if expression.name not in names else None
        return names.get(expression.name, expression.name) if constant is None else repr(constant), ATOM
    if isinstance(expression, Part):
        return f"{enclosed(expression.base, ATOM, names)}[{', '.join(map(str, expression.indices))}]", ATOM
    if isinstance(expression, Items):
        return write_items(expression, names), ATOM
    return write_call(expression, names)


def write_items(expression: Items, names: Mapping[str, str]) -> str:
    """A list: an array of numbers, or a stack of what is computed."""
    items = ", ".join(write(item, names)[0] for item in expression.items)
    if all(isinstance(item, Number) for item in expression.items):
        return f'sl.tensor([{items}], dtype="float64")'
    return f"sl.stack([{items}])"


def write_call(expression: Call, names: Mapping[str, str]) -> tuple[str, int]:
    """An operator or a function."""
    if expression.function not in TABLE:
        args = ", ".join(write(arg, names)[0] for arg in expression.args)
        return f"{names.get(expression.function, expression.function)}({args})", ATOM
    strength, form = STRENGTH.get(expression.function, ATOM), TABLE[expression.function].python
    if strength == ATOM and not form.startswith("{}"):
        return form.format(*(write(arg, names)[0] for arg in expression.args)), ATOM
    least = [strength, strength + 1] if len(expression.args) == 2 else [strength]
    if expression.function == "power":
        least = [strength + 1, 3]
    return form.format(*(enclosed(arg, bound, names) for arg, bound in zip(expression.args, least))), strength


def enclosed(expression: Expression, least: int, names: Mapping[str, str]) -> str:
    """An expression, in brackets where it binds less strongly than needed."""
    text, strength = write(expression, names)
    return text if strength >= least else f"({text})"


def value_text(array: np.ndarray) -> str:
    """A value as an argument."""
    return f'sl.tensor({literal(array.tolist())}, dtype="float64")' if array.ndim else literal(array.item())
