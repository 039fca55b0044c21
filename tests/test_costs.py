"""The table of the cost model: complete, and each constant says what it decides and what it is based on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import slopes
from slopes import costs

SOURCE = Path(slopes.__file__).parent
TABLE = costs.table()

NO_COSTS = {
    "loops/emit_reduce.py": "how many vectors shuffles interleave",
    "loops/far.py": "bits of 2 / pi",
    "loops/mathlib.py": "numbers of the methods",
    "loops/memory.py": "the size of a register",
    "loops/pipeline.py": "the size of a page",
    "machine/buffer.py": "the size of a cache line, and how Linux writes \"no limit\"",
    "machine/cache.py": "limits of a folder",
    "machine/entry.py": "offsets in the pool, and a flag of CPython",
    "machine/notice.py": "when a user is told to wait",
    "machine/peak.py": "a measurement",
    "machine/translate.py": "when a user is told to wait",
    "passes/storage.py": "the size of a cache line",
}  # files with numeric constants that no cost depends on
PLANNERS = ("choose", "mixing", "operands", "order", "pack_ahead", "pack_panel", "plan_contract", "plan_nest", "siblings", "special",
            "tile_shape")  # modules of loops/ that decide by cost


def numeric_constants(tree: ast.Module) -> Iterator[str]:
    """The names in capitals to which a module gives a number or numbers."""
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            parts = [part for part in ast.walk(node.value) if not isinstance(part, (ast.expr_context, ast.operator, ast.unaryop))]
            numbers = [part for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, (int, float))]
            if numbers and all(isinstance(part, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple)) for part in parts):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name) and name.id.isupper())


def test_the_table_holds_every_constant():
    constants = {name: value for name, value in vars(costs).items() if isinstance(value, (int, float)) and name.isupper()}
    assert {name: value for name, (value, _) in TABLE.items()} == constants


@pytest.mark.parametrize("name", TABLE)
def test_a_constant_says_its_unit_what_it_decides_and_its_basis(name):
    value, cost = TABLE[name]
    assert value > 0 and cost.unit and cost.decides
    assert cost.basis.startswith(("chosen", "derived: ", "NOTES "))


def test_every_constant_decides_something():
    files = [file for file in SOURCE.rglob("*.py") if file.name != "costs.py"]
    used = {node.id for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
    assert TABLE.keys() - used == set()


def test_no_constant_of_the_compiler_stands_elsewhere():
    files = [file for folder in ("passes", "loops", "machine") for file in sorted((SOURCE / folder).glob("*.py"))]
    constants = {str(file.relative_to(SOURCE)): list(numeric_constants(ast.parse(file.read_text(encoding="utf-8")))) for file in files}
    assert {file: names for file, names in constants.items() if names and file not in NO_COSTS} == {}
    assert {file for file in NO_COSTS if not constants[file]} == set(), "these files have no numbers any more"


@pytest.mark.parametrize("name", PLANNERS)
def test_planners_decide_by_constants_with_names(name):
    """A fraction is always a cost, and so is a whole number beyond the few that describe shapes."""
    tree = ast.parse((SOURCE / "loops" / f"{name}.py").read_text(encoding="utf-8"))
    numbers = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, (int, float))}
    assert {number for number in numbers if number not in (0, 1, 2, 4, 8)} == set()


@pytest.mark.parametrize("text, names", [
    ("A = 1", ["A"]), ("A = -1 << 20", ["A"]), ("A, B = 1, 2.0", ["A", "B"]), ("A: int = 3", ["A"]), ("A = 'x'", []), ("a = 1", []),
    ("A = f(1)", []), ("def f():\n    A = 1", [])])
def test_numeric_constants_are_recognized(text, names):
    assert list(numeric_constants(ast.parse(text))) == names
