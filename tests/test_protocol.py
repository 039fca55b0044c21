"""What code asks of an operation is declared on `Operation`, with a type, a default and an explanation; subclasses answer nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from operation_cases import OPERATIONS as OPERATION_CASES
from operation_cases import PARAMETERS, cases
from test_house import forget_trees, modules, nodes_of  # noqa: F401
from together import together

from slopes.autodiff.pullback import pull_back
from slopes.errors import DivisionError, OutOfRangeError
from slopes.graph.build import build, constant, variable
from slopes.graph.dtype import float64
from slopes.graph.node import Operation
from slopes.machine.reference import evaluate

OPERATIONS = [operation for _, operation in sorted(Operation.table.items())]
KINDS = {"leaf", "elementwise", "move", "index", "reduce", "contract", "mix", "order", "loop", "linalg", "complex"}
KERNELS = {"reduce", "position", "unwindow", "contract", "mix", "cumulative_sum", "sort", "scatter", "loop"}


def declared(operation: type) -> set[str]:
    """The names that a class gives a meaning to: an abstract one may say more of its family."""
    return {name for name in (*vars(operation), *inspect.get_annotations(operation)) if not name.startswith("_")}


def questions(module: str) -> Iterator[tuple[str, int]]:
    """(attribute, line) of every attribute that is read of `....op` or of an entry of the table."""
    for node in nodes_of(module):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        of_node = isinstance(owner, ast.Attribute) and owner.attr == "op"
        of_table = isinstance(owner, ast.Subscript) and isinstance(owner.value, ast.Attribute) and owner.value.attr == "table"
        if of_node or of_table:
            yield node.attr, node.lineno


@together("module", modules())
def test_code_asks_only_what_is_declared(module):
    wrong = [f"line {line}: {name}" for name, line in questions(module) if name not in declared(Operation) and not name.startswith("_")]
    assert not wrong, f"{module} asks of an operation what Operation does not declare: {'; '.join(wrong)}"


REWRITE_RULES = {"slopes.passes.arithmetic", "slopes.passes.layout_rules", "slopes.passes.stable"}
MAY_COMPARE_NAMES = {
    **dict.fromkeys(REWRITE_RULES, "a rule is an equation between operations"),
    "slopes.passes.match": "the vocabulary of the rules",
    "slopes.graph.rewrite": "looks up the rules of a head",
    "slopes.graph.verify": "looks whether the table holds this very operation",
    **dict.fromkeys(["slopes.onnx.export_builder", "slopes.onnx.export_graph"], "look up what ONNX calls an operation"),
}


def name_comparisons(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """The lines where the name of an operation decides: compared, looked up in a table, or given to `is_op`."""
    for node in nodes:
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript):
            asked = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            asked = list(node.args)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "is_op":
            yield node.lineno
        yield from (node.lineno for part in asked if isinstance(part, ast.Attribute) and part.attr == "name"
                    and (getattr(part.value, "attr", None) == "op" or getattr(part.value, "id", None) in ("op", "operation")))


@pytest.mark.parametrize("text, count", [
    ('node.op.name == "add"', 1), ('op.name != "add"', 1), ('node.op.name in ("add", "sum")', 1), ("COSTS.get(node.op.name, 1)", 1),
    ("COSTS[node.op.name]", 1), ('"add" == node.args[0].op.name', 1), ('is_op(node, "add")', 1), ("operation.name in COSTS", 1),
    ("node.op is Add", 0), ("print(node.op.name)", 0), ('recipe.name == "lenet"', 0), ("COSTS[node.op]", 0)])
def test_comparisons_of_names_are_seen(text, count):
    assert len(list(name_comparisons(ast.walk(ast.parse(text))))) == count


@together("module", modules())
def test_only_rewrite_rules_compare_the_names_of_operations(module):
    lines = list(name_comparisons(nodes_of(module)))
    if module in MAY_COMPARE_NAMES:
        assert lines, f"{module} no longer compares names: take it off the list"
    else:
        assert not lines, f"{module}, lines {lines}: ask the class (`node.op is Slice`) or a question that Operation declares"


def test_modules_of_rewrite_rules_define_rules():
    assert all(getattr(importlib.import_module(module), "rule", None) is not None for module in REWRITE_RULES)


@together("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_answers_only_what_is_asked(operation):
    bases = [base for base in operation.__mro__[1:] if issubclass(base, Operation)]
    families = [base for base in bases if base.name not in Operation.table or Operation.table[base.name] is not base]
    known = set().union(*(declared(base) for base in families))
    assert declared(operation) <= known, f"nobody asks {operation.name} about {sorted(declared(operation) - known)}"


@together("operation", OPERATIONS, ids=lambda operation: operation.name)
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


# ---------------------------------------------------------------------- facts hold on the samples of every operation
FLOATS = [(name, case) for name, operation in OPERATION_CASES.items() for case in cases(operation, float64) if case.node.op is operation]


def name_of(case):
    return f"{case.node.op.name} of {[array.shape for array in case.arrays]}"


def value(case, arrays):
    return evaluate([case.node], dict(zip(case.inputs, arrays)))[0]


@together("case", [case for _, case in FLOATS if case.node.op.linear(case.node)], ids=name_of)
def test_a_linear_operation_adds_up(case):
    others = [array if array.dtype.kind in "iu" else array[..., ::-1] * 0.7 if array.ndim else array * 0.7 for array in case.arrays]
    sums = [a if a.dtype.kind in "iu" else a + b for a, b in zip(case.arrays, others)]
    np.testing.assert_allclose(value(case, sums), value(case, case.arrays) + value(case, others), rtol=1e-5, atol=1e-5)


@together("case", [case for _, case in FLOATS if case.node.op.same_numbers], ids=name_of)
def test_same_numbers_are_those_of_the_argument(case):
    node = case.node
    (array,) = case.arrays
    assert set(value(case, case.arrays).reshape(-1).tolist()) <= set(array.astype(node.dtype).reshape(-1).tolist())
    if node.op.keeps_order:
        assert value(case, case.arrays).reshape(-1).tolist() == array.reshape(-1).tolist()


@together("case", [case for _, case in FLOATS if case.node.op.view], ids=name_of)
def test_views_share_the_memory_of_their_argument(case):
    result = case.node.op.compute(*case.arrays, **case.node.params)
    assert np.shares_memory(result, case.arrays[0]) or result.size == 0


@together("case", [case for _, case in FLOATS if case.node.op.reads_once], ids=name_of)
def test_an_element_that_is_read_once_changes_one_element(case):
    array = next((array for array in case.arrays if array.size), None)
    if array is None or array.dtype.kind == "b":
        return
    before = value(case, case.arrays)
    changed = [np.array(each) for each in case.arrays]
    position = next(i for i, each in enumerate(case.arrays) if each.size)
    changed[position].reshape(-1)[0] += 1
    if case.node.op.kind == "elementwise" and changed[position].shape != case.node.shape:
        return  # an expand stands before it
    assert np.sum((before != value(case, changed)) & ~(np.isnan(before) if before.dtype.kind == "f" else False)) <= 1


@together("name", sorted(name for name, operation in OPERATION_CASES.items() if operation.kind == "elementwise"))
def test_bounded_functions_are_finite_with_their_derivatives(name):
    operation = OPERATION_CASES[name]
    if name in ("cast", "alias", "atan2", "where", "tan") or "f" not in operation.accepts or operation.result == "bool":
        return
    count = len(cases(operation, float64)[0].inputs)  # of those left out, tan has its poles between two floats
    points = [np.array(point) for point in np.meshgrid(*[[-1e3, -1.0, -0.5, 0.0, 0.5, 1.0, 1e3]] * count)]
    nodes = [variable(point.shape, point.dtype) for point in points]
    node = operation.make(*nodes)
    gradients = pull_back([node], [constant(np.ones(node.shape, node.dtype))], nodes)
    with np.errstate(all="ignore"):
        found = evaluate([node, *(each for each in gradients if each is not None)], dict(zip(nodes, points)))
    finite = all(np.isfinite(each).all() for each in found)
    assert finite == operation.bounded or name in ("floor_divide", "remainder")


def test_what_a_trap_says_has_its_place():
    x, i = variable((3,), np.dtype("int32")), variable((2,), np.dtype("int64"))
    division = build("floor_divide", x, x).op.trap_error(build("floor_divide", x, x), "here")
    assert isinstance(division, DivisionError) and "floor_divide: integer division by zero" in str(division) and "here" in str(division)
    look_up = build("take", x, i, axis=0)
    outside = look_up.op.trap_error(look_up, "there")
    assert isinstance(outside, OutOfRangeError) and "take: an index is outside axis 0 of size 3" in str(outside)
    assert look_up.op.may_trap(x.dtype) is False and build("remainder", x, x).op.may_trap(x.dtype)
    assert not build("remainder", x, x).op.may_trap(float64)


@together("operation", [each for each in OPERATIONS if each.kind == "elementwise"], ids=lambda operation: operation.name)
def test_emit_takes_the_parameters_of_meaning(operation):
    (_, *meaning), (_, *emit) = (list(inspect.signature(function).parameters) for function in (operation.meaning, operation.emit))
    assert len(meaning) == len(emit)
    assert [name for name in meaning if name in PARAMETERS] == [name for name in emit if name in PARAMETERS]
