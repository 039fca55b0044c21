"""What code asks of an operation is declared on `Operation`, with a type, a default and an explanation; subclasses answer nothing else."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest
from test_house import modules, tree_of

import slopes.autodiff.parts
import slopes.ops  # noqa: F401
from slopes.graph.operation import Operation

OPERATIONS = [operation for _, operation in sorted(Operation.table.items())]
KINDS = {"leaf", "elementwise", "move", "index", "reduce", "contract", "mix", "order", "loop"}
KERNELS = {"reduce", "position", "unwindow", "contract", "mix", "cumulative_sum", "sort", "scatter", "loop"}


def declared(operation: type) -> set[str]:
    """The names that a class gives a meaning to: an abstract one may say more of its family."""
    return {name for name in (*vars(operation), *inspect.get_annotations(operation)) if not name.startswith("_")}


def questions(module: str) -> Iterator[tuple[str, int]]:
    """(attribute, line) of every attribute that is read of `....op` or of an entry of the table."""
    for node in ast.walk(tree_of(module)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        of_node = isinstance(owner, ast.Attribute) and owner.attr == "op"
        of_table = isinstance(owner, ast.Subscript) and isinstance(owner.value, ast.Attribute) and owner.value.attr == "table"
        if of_node or of_table:
            yield node.attr, node.lineno


@pytest.mark.parametrize("module", modules())
def test_code_asks_only_what_is_declared(module):
    wrong = [f"line {line}: {name}" for name, line in questions(module) if name not in declared(Operation) and not name.startswith("_")]
    assert not wrong, f"{module} asks of an operation what Operation does not declare: {'; '.join(wrong)}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_answers_only_what_is_asked(operation):
    bases = [base for base in operation.__mro__[1:] if issubclass(base, Operation)]
    families = [base for base in bases if base.name not in Operation.table or Operation.table[base.name] is not base]
    known = set().union(*(declared(base) for base in families))
    assert declared(operation) <= known, f"nobody asks {operation.name} about {sorted(declared(operation) - known)}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_kinds_and_kernels_are_of_the_declared_ones(operation):
    assert operation.kind in KINDS and (operation.kernel is None or operation.kernel in KERNELS)


def test_the_text_of_the_protocol_names_every_kind_and_every_kernel():
    text = inspect.getsource(Operation)
    assert [kind for kind in KINDS if f"\n    {kind:<13}" not in text] == [] and {operation.kind for operation in OPERATIONS} == KINDS
    assert [kernel for kernel in KERNELS if kernel not in text] == []
    assert {operation.kernel for operation in OPERATIONS} == KERNELS | {None}


def test_every_question_has_an_explanation():
    """A method has its docstring, an attribute the string behind it or a comment section of the class."""
    body = ast.parse(inspect.getsource(Operation)).body[0].body
    silent = []
    for before, after in zip(body, [*body[1:], None]):
        if isinstance(before, ast.FunctionDef) and not before.name.startswith("_") and ast.get_docstring(before) is None:
            silent.append(before.name)
        if isinstance(before, ast.AnnAssign) and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            silent.append(before.target.id)
    assert sorted(silent) == ["kind", "name", "table"], "these are explained in the docstring of the class"
