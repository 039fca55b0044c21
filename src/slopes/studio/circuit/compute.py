"""The graph of a program, worked through by the chain rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np

from ...errors import SlopesError
from ...graph.build import constant, variable
from ...graph.dtype import float64
from ...graph.node import Node
from ...graph.walk import topological
from ...ops.composite import stack
from ...view.chain import Chain, Group, short_names
from ...view.circuit import MOST
from ...view.record import Recording, add_backward
from .functions import CONSTANTS, TABLE, element
from .grammar import Call, Expression, Function, Items, Name, Number, Part, Program, Span
from .read import names_in

MOST_OPERATIONS = 400
DEEPEST = 100  # expressions inside each other, with the functions that they apply

Environment = Mapping[str, Node]


@dataclass
class Graph:
    """The graph of a program: nodes of values and formulas by name, and the operations that are shown as one.

    `operations` are those of an operator or of a function that is one operation; `functions` those of a function that consists of several.
    """

    program: Program
    inputs: dict[str, Node] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    operations: dict[Node, Group] = field(default_factory=dict)
    functions: dict[Node, Group] = field(default_factory=dict)

    @property
    def output(self) -> Node:
        """The node of the result."""
        return self.nodes[self.program.result]

    def groups(self, opened: bool) -> dict[Node, Group]:
        """What is shown as one; functions are not where they are opened."""
        return self.operations if opened else {**self.operations, **self.functions}

    def unused(self) -> list[str]:
        """The names that the result does not depend on."""
        needed = set(topological([self.output]))
        return [name for name, node in self.nodes.items() if node not in needed]


def make_graph(program: Program) -> Graph:
    """The graph of a program; ExpressionError where it cannot be computed, for example for shapes that do not fit."""
    builder = Builder(program)
    for name in formula_order(program):
        builder.graph.nodes[name] = builder.build(program.formulas[name], builder.graph.nodes, 0)
    check_result(builder.graph)
    return builder.graph


def formula_order(program: Program) -> list[str]:
    """The formulas, each after those that it uses; ExpressionError where they use each other, and for names without a value."""
    uses = {name: names_in(expression) for name, expression in program.formulas.items()}
    known = {*program.values, *program.formulas, *CONSTANTS}
    for name, expression in program.formulas.items():
        for unknown in sorted(uses[name] - known):
            raise program.error(f"{unknown} has no value", span_of(unknown, expression), repair=f"add it: {unknown} = 1")
    try:
        order = TopologicalSorter({name: sorted(used & set(program.formulas)) for name, used in uses.items()}).static_order()
        return list(order)
    except CycleError as error:
        cycle = error.args[1]
        raise program.error(f"{cycle[0]} is computed from itself", program.formulas[cycle[0]].span, why=" -> ".join(reversed(cycle)),
                            repair="give one of them a value") from None


def span_of(name: str, expression: Expression) -> Span:
    """Where an expression uses a name."""
    waiting: list[Expression] = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Name) and part.name == name:
            return part.span
        waiting += part.args if isinstance(part, Call) else part.items if isinstance(part, Items) else \
            [part.base] if isinstance(part, Part) else []
    return expression.span


def check_result(graph: Graph) -> None:
    """The result is one number that depends on a value, and there are no more gates than can be read."""
    program, output = graph.program, graph.output
    span = program.formulas[program.result].span
    if output.size != 1:
        raise program.error(f"{program.result} has shape {output.shape}", span, why="the chain rule is shown for one number",
                            repair=f"take its sum: sum({program.result})")
    nodes = topological([output])
    if not set(graph.inputs.values()) & set(nodes):
        raise program.error(f"{program.result} depends on no value", span, why="there is nothing to differentiate for",
                            repair="give a name a value, such as x = 2, and use it")
    if len(nodes) > MOST_OPERATIONS:
        raise program.error(f"there are {len(nodes)} operations, more than {MOST_OPERATIONS}", span)


class Builder:
    """Builds the nodes of expressions and remembers which operations each consists of."""

    def __init__(self, program: Program) -> None:
        self.graph, self.count = Graph(program), 0
        for name, value in program.values.items():
            self.graph.inputs[name] = self.graph.nodes[name] = variable(value.array.shape, float64, name)

    def build(self, expression: Expression, names: Environment, depth: int) -> Node:
        """The node of an expression whose names stand for these nodes."""
        self.check(expression, depth)
        if isinstance(expression, Number):
            return constant(expression.value, float64)
        if isinstance(expression, Name):
            return self.named(expression, names)
        if isinstance(expression, Items):
            return self.items(expression, names, depth)
        if isinstance(expression, Part):
            return self.part(expression, names, depth)
        args = tuple(self.build(arg, names, depth + 1) for arg in expression.args)
        function = self.graph.program.functions.get(expression.function)
        return self.apply(function, args, depth) if function else self.operate(expression, args)

    def check(self, expression: Expression, depth: int) -> None:
        """Functions that apply functions may not make a huge graph of a short text."""
        self.count += 1
        if depth > DEEPEST or self.count > 4 * MOST_OPERATIONS:
            raise self.graph.program.error("the functions of this text make too many operations", expression.span,
                                           why=f"there may be {MOST_OPERATIONS}")

    def named(self, expression: Name, names: Environment) -> Node:
        """The node that a name stands for."""
        if expression.name in names:
            return names[expression.name]
        if expression.name in CONSTANTS:
            return constant(CONSTANTS[expression.name], float64)
        raise self.graph.program.error(f"{expression.name} is not known here", expression.span,
                                       why="a function knows its parameters and its own formulas", repair="make it a parameter")

    def items(self, expression: Items, names: Environment, depth: int) -> Node:
        """A vector or a matrix; a constant where it consists of numbers."""
        nodes = tuple(self.build(item, names, depth + 1) for item in expression.items)
        if any(node.ndim > 1 for node in nodes):
            raise self.graph.program.error("these items are matrices", expression.span, why="a list has numbers, or vectors as rows")
        if all(node.value is not None for node in nodes):
            return self.guarded(expression, lambda *nodes: constant(np.stack([node.value for node in nodes])), nodes)
        return self.remember(self.guarded(expression, lambda *nodes: stack(nodes), nodes), f"[{', '.join('·' for _ in nodes)}]", nodes)

    def part(self, expression: Part, names: Environment, depth: int) -> Node:
        """An element."""
        base = self.build(expression.base, names, depth + 1)
        result = self.guarded(expression, lambda base: element(base, expression.indices), (base,))
        return self.remember(result, f"·[{', '.join(map(str, expression.indices))}]", (base,))

    def operate(self, expression: Call, args: tuple[Node, ...]) -> Node:
        """An operator, or a function of the language."""
        operator = TABLE[expression.function]
        return self.remember(self.guarded(expression, operator.apply, args), operator.form, args, operator.composed)

    def apply(self, function: Function, args: tuple[Node, ...], depth: int) -> Node:
        """A function of the text: its formulas with the arguments for its parameters."""
        names = dict(zip(function.parameters, args))
        for name, formula in function.formulas.items():
            names[name] = self.build(formula, names, depth + 1)
        result = self.build(function.result, names, depth + 1)
        return self.remember(result, f"{function.name}({', '.join('·' for _ in args)})", args, True)

    def guarded(self, expression: Expression, make: Callable[..., Node], args: tuple[Node, ...]) -> Node:
        """What a function makes of nodes; its errors name the part of the text."""
        try:
            result = make(*args)
        except (SlopesError, ValueError) as error:
            what, why, repair = (error.what, error.why, error.repair) if isinstance(error, SlopesError) else (str(error), "", "")
            raise self.graph.program.error(what, expression.span, why=why, repair=repair) from None
        if result.ndim > 2:
            raise self.graph.program.error(f"this has shape {result.shape}", expression.span,
                                           why="values are numbers, vectors and matrices")
        return result

    def remember(self, node: Node, form: str, args: tuple[Node, ...], is_function: bool = False) -> Node:
        """Note what is shown as one operation, and return its node."""
        if node not in args and is_function:
            self.graph.functions[node] = Group(form, args)
        elif node not in args:
            self.graph.operations.setdefault(node, Group(form, args))
        return node


def work_through(graph: Graph, opened: bool = False) -> Chain:
    """Values, gradients and products of the chain rule; functions that consist of several operations are opened or shown as one."""
    program = graph.program
    recording = Recording([graph.output])
    for name, node in graph.nodes.items():
        recording.names.setdefault(node, name)
    recording.roles = dict.fromkeys(graph.inputs.values(), "input")
    recording.values = {node: program.values[name].array for name, node in graph.inputs.items()}
    recording.names[graph.output] = program.result
    add_backward(recording, list(graph.inputs.values()))
    chain = Chain(recording, graph.groups(opened))
    if len(chain.nodes) > MOST:
        raise program.error(f"there are {len(chain.nodes)} operations, more than {MOST}, which can still be read",
                            program.formulas[program.result].span)
    recording.names |= short_names(chain.nodes, recording)
    return chain
