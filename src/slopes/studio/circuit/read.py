"""Reading a text of the language: Python's own parser gives the tree, and only what the grammar has is taken from it.

Nothing is ever evaluated as Python: operators and functions are looked up in the tables of `functions`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import numpy as np

from .functions import FUNCTIONS, OF_TWO, OPERATORS
from .grammar import (
    DEEPEST,
    LARGEST_EXPONENT,
    LONGEST,
    LONGEST_NAME,
    MOST_ELEMENTS,
    MOST_STATEMENTS,
    Call,
    Expression,
    ExpressionError,
    Function,
    Items,
    Name,
    Number,
    Part,
    Program,
    Span,
    Value,
)

BINARY: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
                                         ast.MatMult: "matmul"}
SIGNS = " \t\n()[]+-*/@,=;:.#_"  # beside letters and digits
MEANT = {"×": "*", "·": "*", "∙": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "²": "**2", "³": "**3", "{": "[", "}": "]", "√": "sqrt"}
UNREADABLE = {"cannot assign to function call": "a function is defined with def: def s(t): return 1 / (1 + exp(-t))",
              "was never closed": "write the closing bracket", "invalid decimal literal": "write * between a number and a name: 3 * x"}


def read(text: str) -> Program:
    """The program in a text of formulas such as `f = (x + y) * z`, values such as `x = -2`, and functions, `def s(t): return t * t`.

    Statements stand on lines of their own or are separated by semicolons, in any order. The result is an expression without a name,
    or else the last formula that no other uses. Raises ExpressionError, which names the character, for everything else.

    >>> program = read("f = (x + y) * z; x = -2; y = 5; z = -4")
    >>> program.result, list(program.values)
    ('f', ['x', 'y', 'z'])
    """
    text = text.replace("\r\n", "\n")
    check_characters(text)
    reader = Reader(text)
    statements = reader.parse()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            reader.add_function(statement)
    for statement in statements:
        if not isinstance(statement, ast.FunctionDef):
            reader.add_statement(statement)
    choose_result(reader.program)
    return reader.program


def check_characters(text: str) -> None:
    """A text is short, and made of letters, digits and the signs of the language."""
    if len(text) > LONGEST:
        raise ExpressionError(f"the text has {len(text):,} characters, more than {LONGEST:,}", text, (LONGEST, len(text)),
                              repair="use fewer formulas")
    for i, character in enumerate(text):
        if not (character in SIGNS or (character.isalnum() and f"a{character}".isidentifier())):
            repair = f"write {MEANT[character]}" if character in MEANT else ""
            raise ExpressionError(f"{character!r} is no part of the language", text, (i, i + 1), repair=repair,
                                  why=f"it has letters, digits and {' '.join(SIGNS.split())}")


def choose_result(program: Program) -> None:
    """The result is the expression without a name, or the last formula that no other one uses."""
    if not program.formulas and program.functions:
        call_last_function(program)
    if not program.formulas:
        raise program.error("there is no formula", (0, len(program.text)), repair="write one, such as f = x * y; x = 2; y = 3")
    if not program.result:
        used = {name for expression in program.formulas.values() for name in names_in(expression)}
        unused = [name for name in program.formulas if name not in used]
        program.result = (unused or list(program.formulas))[-1]


def call_last_function(program: Program) -> None:
    """A text that only defines functions means the last one, with its defaults as values; its formulas are those of the text."""
    function = list(program.functions.values())[-1]
    lacking = [name for name in function.parameters if name not in function.defaults and name not in program.values]
    if lacking:
        raise program.error(f"{function.name} has no value for {', '.join(lacking)}", function.span,
                            repair=f"give defaults: def {function.name}({', '.join(f'{name}=1' for name in function.parameters)})")
    program.values.update(function.defaults)
    program.formulas |= function.formulas
    program.result = function.name if function.name not in {**program.values, **program.formulas} else "result"
    program.formulas[program.result] = function.result
    del program.functions[function.name]


def names_in(expression: Expression) -> set[str]:
    """The names of values and formulas that an expression uses."""
    names, waiting = set(), [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Name):
            names.add(part.name)
        waiting += part.args if isinstance(part, Call) else part.items if isinstance(part, Items) else \
            [part.base] if isinstance(part, Part) else []
    return names


class Reader:
    """Takes the grammar's expressions from Python's tree; `program` is what was read so far."""

    def __init__(self, text: str) -> None:
        self.text, self.program = text, Program(text)
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def parse(self) -> list[ast.stmt]:
        """The statements; ExpressionError where Python's parser finds an error."""
        try:
            statements = ast.parse(self.text).body
        except SyntaxError as error:
            raise self.unreadable(error) from None
        except (RecursionError, MemoryError):
            raise self.error("the text is nested too deeply", (0, len(self.text)), repair="use fewer brackets or signs") from None
        except ValueError as error:
            raise self.error(f"the text cannot be read: {error}", (0, len(self.text))) from None
        if len(statements) > MOST_STATEMENTS:
            raise self.error(f"there are {len(statements)} statements, more than {MOST_STATEMENTS}", self.span(statements[MOST_STATEMENTS]))
        return statements

    def unreadable(self, error: SyntaxError) -> ExpressionError:
        """What Python's parser says, at its character."""
        line = min(max(error.lineno or 1, 1), len(self.lines))
        start = min(self.starts[line - 1] + max((error.offset or 1) - 1, 0), len(self.text))
        repair = next((repair for words, repair in UNREADABLE.items() if words in error.msg), "")
        return self.error(f"this cannot be read: {error.msg.partition('. Maybe')[0]}", (start, start + 1), repair=repair)

    def error(self, what: str, span: Span, *, why: str = "", repair: str = "") -> ExpressionError:
        """The error of a part of the text."""
        return self.program.error(what, span, why=why, repair=repair)

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> Span:
        """The characters of a node; Python's tree counts bytes."""
        ends = ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        start, end = (self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode(errors="ignore")) for line, column in ends)
        return start, end

    # Statements

    def add_statement(self, statement: ast.stmt) -> None:
        """Read a formula or a value."""
        if isinstance(statement, ast.Expr):
            self.add_expression(statement)
            return
        name, expression = self.assignment(statement)
        self.check_fresh(name, self.span(statement))
        value = self.value(expression)
        if value is None:
            self.program.formulas[name] = self.read(expression, 0)
        else:
            self.program.values[name] = value

    def add_expression(self, statement: ast.Expr) -> None:
        """An expression without a name is the result, called f."""
        if self.program.result:
            raise self.error("a second result", self.span(statement), why="one expression without a name is the result",
                             repair="give this one a name: g = ...")
        taken = {**self.program.values, **self.program.formulas, **self.program.functions}
        self.program.result = next(name for name in ("f", "result", "f_result") if name not in taken)
        self.program.formulas[self.program.result] = self.read(statement.value, 0)

    def assignment(self, statement: ast.stmt) -> tuple[str, ast.expr]:
        """NAME = EXPRESSION."""
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
            raise self.error("this is no formula", self.span(statement), repair="write NAME = EXPRESSION, such as f = x * y")
        return statement.targets[0].id, statement.value

    def check_fresh(self, name: str, span: Span) -> None:
        """A name is assigned once, is not too long, and is not that of a function."""
        if len(name) > LONGEST_NAME:
            raise self.error(f"the name {name[:LONGEST_NAME]}... has more than {LONGEST_NAME} characters", span)
        if name in FUNCTIONS or name in self.program.functions:
            raise self.error(f"{name} is a function", span, repair=f"choose another name, such as {name}_1")
        if name in self.program.values or name in self.program.formulas:
            raise self.error(f"{name} is assigned twice", span, why="a name stands for one value", repair=f"call this one {name}_2")

    def value(self, expression: ast.expr) -> Value | None:
        """A number, or a list of numbers or of rows; None where the expression is a formula."""
        span = self.span(expression)
        numbers = self.numbers(expression, 0)
        if numbers is None:
            return None
        try:
            array = np.array(numbers, np.float64)
        except ValueError:
            raise self.error("the rows of this matrix have different lengths", span) from None
        if array.ndim > 2 or not 1 <= array.size <= MOST_ELEMENTS:
            raise self.error(f"this value has shape {array.shape}", span, why=f"values are numbers, vectors and matrices of at most "
                             f"{MOST_ELEMENTS} elements")
        return Value(span, array)

    def numbers(self, expression: ast.expr, depth: int) -> float | list | None:
        """The literal numbers of an expression, nested as they are; None where there is anything else."""
        if isinstance(expression, ast.List) and depth < 3:
            items = [self.numbers(item, depth + 1) for item in expression.elts]
            return None if any(item is None for item in items) else items
        sign = 1.0
        while isinstance(expression, ast.UnaryOp) and isinstance(expression.op, (ast.USub, ast.UAdd)):
            sign = -sign if isinstance(expression.op, ast.USub) else sign
            expression = expression.operand
        return sign * self.number(expression) if isinstance(expression, ast.Constant) else None

    def number(self, constant: ast.Constant) -> float:
        """A real number."""
        if isinstance(constant.value, bool) or not isinstance(constant.value, (int, float)):
            raise self.error(f"{constant.value!r:.40} is no number", self.span(constant))
        try:
            value = float(constant.value)
        except OverflowError:
            value = float("inf")
        if not np.isfinite(value):
            raise self.error("this number is too large", self.span(constant), why="the largest has 308 digits")
        return value

    def add_function(self, statement: ast.FunctionDef) -> None:
        """Read `def NAME(PARAMETERS): FORMULAS; return EXPRESSION`."""
        span = self.span(statement)
        self.check_fresh(statement.name, span)
        parameters, defaults = self.parameters(statement)
        formulas: dict[str, Expression] = {}
        *lines, last = statement.body
        for line in lines:
            name, expression = self.assignment(line)
            if name in formulas or name in parameters:
                raise self.error(f"{name} is assigned twice in {statement.name}", self.span(line))
            formulas[name] = self.read(expression, 0)
        if not isinstance(last, ast.Return) or last.value is None or statement.decorator_list:
            raise self.error(f"the function {statement.name} does not end with return EXPRESSION", self.span(last),
                             repair="write def s(t): return 1 / (1 + exp(-t))")
        self.program.functions[statement.name] = Function(span, statement.name, parameters, defaults, formulas, self.read(last.value, 0))

    def parameters(self, statement: ast.FunctionDef) -> tuple[tuple[str, ...], Mapping[str, Value]]:
        """The names of the parameters, and the values of those that have one."""
        args = statement.args
        if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or not args.args:
            raise self.error(f"the parameters of {statement.name} are no plain names", self.span(statement),
                             repair=f"write def {statement.name}(x, y): ...")
        names = tuple(arg.arg for arg in args.args)
        defaults = dict(zip(names[len(names) - len(args.defaults):], map(self.value, args.defaults)))
        for name, default in zip(defaults, args.defaults):
            if defaults[name] is None:
                raise self.error(f"the default of {name} is no number", self.span(default))
        return names, {name: value for name, value in defaults.items() if value is not None}

    # Expressions

    def read(self, expression: ast.expr, depth: int) -> Expression:
        """An expression of the grammar."""
        span = self.span(expression)
        if depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} expressions are nested here", span, repair="give a part of it a name: a = ...")
        match expression:
            case ast.Constant():
                return Number(span, self.number(expression))
            case ast.Name():
                return self.name(expression, span)
            case ast.List():
                return Items(span, self.all(self.checked_items(expression, span), depth))
            case ast.BinOp() if type(expression.op) in BINARY:
                return self.binary(expression, span, depth)
            case ast.UnaryOp(op=ast.USub()):
                return self.negative(expression, span, depth)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(expression.operand, depth + 1)
            case ast.Call():
                return self.call(expression, span, depth)
            case ast.Subscript():
                return Part(span, self.read(expression.value, depth + 1), self.indices(expression))
        raise self.error(f"{self.text[span[0]:span[1]][:40]!r} is no expression of the language", span,
                         why="it has numbers, names, lists, + - * / ** @, functions, and elements x[0]")

    def all(self, expressions: Sequence[ast.expr], depth: int) -> tuple[Expression, ...]:
        """Several expressions inside of one."""
        return tuple(self.read(expression, depth + 1) for expression in expressions)

    def name(self, expression: ast.Name, span: Span) -> Expression:
        """A name, or a number that has one."""
        if expression.id in FUNCTIONS or expression.id in self.program.functions:
            raise self.error(f"{expression.id} is a function", span, repair=f"apply it: {expression.id}(...)")
        return Name(span, expression.id)

    def negative(self, expression: ast.UnaryOp, span: Span, depth: int) -> Expression:
        """-x; of a number, that number."""
        inner = self.read(expression.operand, depth + 1)
        return Number(span, -inner.value) if isinstance(inner, Number) else Call(span, "negative", (inner,))

    def binary(self, expression: ast.BinOp, span: Span, depth: int) -> Expression:
        """An operator between two expressions; a power has no large exponent."""
        args = self.all((expression.left, expression.right), depth)
        exponent = args[1]
        if isinstance(expression.op, ast.Pow) and isinstance(exponent, Number) and abs(exponent.value) > LARGEST_EXPONENT:
            raise self.error(f"the exponent {exponent.value:g} is too large", exponent.span, why=f"the largest is {LARGEST_EXPONENT:g}")
        return Call(span, BINARY[type(expression.op)], args)

    def call(self, expression: ast.Call, span: Span, depth: int) -> Expression:
        """A function of the language or of the text, applied to arguments by position."""
        if not isinstance(expression.func, ast.Name) or expression.keywords:
            raise self.error("only functions by name, with arguments by position, can be applied", span, repair="write exp(x)")
        name = expression.func.id
        args = self.all(expression.args, depth)
        function = self.program.functions.get(name)
        if function is None and name not in FUNCTIONS:
            known = ", ".join([*FUNCTIONS, *self.program.functions])
            raise self.error(f"there is no function {name[:LONGEST_NAME]}", self.span(expression.func), why=f"there are {known}",
                             repair="write * between two factors" if len(name) == 1 else "")
        internal = OF_TWO[name] if name in OF_TWO and len(args) == 2 else name
        count = len(function.parameters) if function else (OPERATORS if internal in OPERATORS else FUNCTIONS)[internal].count
        if len(args) != count:
            counts = f"{count} or 2" if name in OF_TWO else str(count)
            raise self.error(f"{name} takes {counts} argument{'s' if counts != '1' else ''}, not {len(args)}", span)
        return Call(span, internal, args)

    def checked_items(self, expression: ast.List, span: Span) -> list[ast.expr]:
        """The items of a list, which is not empty and not long."""
        if not 1 <= len(expression.elts) <= MOST_ELEMENTS:
            raise self.error(f"this list has {len(expression.elts)} items", span, why=f"it may have 1 to {MOST_ELEMENTS}")
        return expression.elts

    def indices(self, expression: ast.Subscript) -> tuple[int, ...]:
        """x[i] or x[i, j]."""
        parts = expression.slice.elts if isinstance(expression.slice, ast.Tuple) else [expression.slice]
        numbers = [self.numbers(part, 1) for part in parts]
        whole = [int(value) for value in numbers if isinstance(value, float) and value.is_integer()]
        if len(whole) != len(parts) or len(parts) not in (1, 2):
            raise self.error("an index is a whole number", self.span(expression.slice), repair="write x[0], or W[0, 1] for a matrix")
        return tuple(whole)

