"""The rules of the house: imports go down and stand at the top, files have captions, functions are short."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "slopes"

FLOORS = (  # a room, which is a file or folder of the package, imports other rooms only from the floors above it in this list
    # what needs nothing
    ("loading", "costs", "errors", "calls", "bytecode", "lazy", "streams", "versions", "agreement", "capture_values", "notebook"),
    ("settings", "standard", "extras", "tree", "constraint", "guarded", "workers", "foreign_random", "capture_owners"),
    ("files",),
    # graphs and their compilation
    ("graph",),
    ("ops", "levels", "modes"),
    ("autodiff", "interrupts", "numpy_calls", "plot"),
    ("passes",),
    ("loops",),
    ("machine",),
    # tensors that compute at once
    ("arrays",),
    ("eager", "indexing", "draws"),
    ("backward", "methods"),
    ("tensor_fields",),
    ("owned", "tensor_errors"),
    ("conversions",),
    ("tensor",),
    ("parameter", "trace", "random"),
    ("functions",),
    ("namespace", "linalg", "fft"),
    # captured functions
    ("capture_links", "state_names", "taps", "trace_call"),
    ("capture_code", "derivatives"),
    ("captures",),
    ("guards",),
    ("capture",),
    ("backend",),
    ("native_backend", "reference_backend", "xla", "bound"),
    ("checked", "fast_call"),
    ("compile",),
    ("alternate",),
    # networks and their training
    ("gradcheck", "data", "nn"),
    ("checkpoints", "optim", "text"),
    ("train", "torch"),
    ("inside", "zoo", "tables"),
    ("experiments", "table_commands", "onnx", "sklearn"),
    # what people see
    ("view", "command_options", "write_command", "plan"),
    ("studio",),
    ("predict_commands", "run_commands", "play_command", "export_command", "launch_command", "plan_command", "train_command",
     "tune_command"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}

# Exceptions, each with its reason.
MAY_IMPORT_ANYTHING = {"slopes"}  # the package's own __init__ hands out names of every floor, on first use
LONG_FUNCTIONS: dict[str, str] = {}  # "slopes.module:function": why it is better long than split
FORBIDDEN_NAMES = {"eval", "exec"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}

LONGEST, MEDIAN, NINETIETH = 60, 6, 25


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file, for every module of the package."""
    found = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = ("slopes", *file.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    """All nodes of a module's tree, as `ast.walk` gives them."""
    return tuple(ast.walk(tree_of(module)))


@pytest.fixture(scope="module", autouse=True)
def forget_trees() -> Iterator[None]:
    """The trees are let go with the last test that reads them: a million objects would slow down all later tests."""
    yield
    tree_of.cache_clear()
    nodes_of.cache_clear()


def is_package(module: str) -> bool:
    return modules()[module].name == "__init__.py"


def type_checking_lines(module: str) -> set[int]:
    """The lines of imports that stand under `if TYPE_CHECKING:`, which never run."""
    return {line for node in nodes_of(module) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for inner in node.body for line in range(inner.lineno, (inner.end_lineno or inner.lineno) + 1)}


def base_of(module: str, node: ast.ImportFrom) -> str:
    """The dotted name that `from X import ...` starts at."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    package = parts if is_package(module) else parts[:-1]
    above = package[: len(package) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def imports_of(module: str, types: bool = True) -> Iterator[tuple[str, int]]:
    """(imported slopes module, line); those for type checkers only when `types`."""
    skip = set() if types else type_checking_lines(module)
    for node in nodes_of(module):
        if getattr(node, "lineno", None) in skip:
            continue
        if isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names if each.name.split(".")[0] == "slopes")
        elif isinstance(node, ast.ImportFrom) and (base := base_of(module, node)).split(".")[0] == "slopes":
            for each in node.names:
                full = f"{base}.{each.name}"
                yield (full if full in modules() else base), node.lineno


def floor_of(module: str) -> int | None:
    parts = module.split(".")
    return FLOOR_OF.get(parts[1]) if len(parts) > 1 else None


def functions_of(module: str) -> Iterator[tuple[str, int]]:
    """(name, code lines) of every function: its docstring, comments and blank lines are not counted."""
    text = modules()[module].read_text(encoding="utf-8").splitlines()
    for node in nodes_of(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            hidden = range(doc.lineno, (doc.end_lineno or doc.lineno) + 1) if doc else range(0)
            every = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            lines = [text[line - 1].strip() for line in every if line not in hidden]
            yield node.name, sum(bool(line) and not line.startswith("#") for line in lines)


@cache
def tracked_files() -> tuple[Path, ...]:
    """The files under version control, or, in a copy without it, all files of the folders that are."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())
    folders = [ROOT / name for name in ("src", "tests", "docs", "benchmarks", "examples", ".ci")]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return (*files, *(file for file in ROOT.glob("*") if file.is_file() and not file.name.startswith(".")))


def text_files() -> Iterator[tuple[str, str]]:
    for file in tracked_files():
        raw = file.read_bytes()
        if b"\0" not in raw[:4096]:
            yield file.relative_to(ROOT).as_posix(), raw.decode("utf-8")


def test_every_module_stands_on_a_floor():
    homeless = [module for module in modules() if module not in MAY_IMPORT_ANYTHING and floor_of(module) is None]
    assert not homeless, f"on no floor of the house: {homeless}"


def rising_imports(module: str) -> list[str]:
    own, room = floor_of(module) or 0, module.split(".")[1]
    return [f"line {line}: {name}" for name, line in imports_of(module)
            if (floor := floor_of(name)) is None or (floor >= own and name.split(".")[1] != room)]


def test_no_import_goes_up():
    rising = {module: lines for module in modules() if module not in MAY_IMPORT_ANYTHING and (lines := rising_imports(module))}
    assert not rising, f"imports from the module's own or a higher floor, or from the package itself: {rising}"


def imports_inside_functions(module: str) -> list[int]:
    functions = [node for node in nodes_of(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return sorted({inner.lineno for node in functions for inner in ast.walk(node) if isinstance(inner, (ast.Import, ast.ImportFrom))})


def test_no_import_stands_inside_a_function():
    inside = {module: lines for module in modules() if (lines := imports_inside_functions(module))}
    assert not inside, f"imports inside a function, by module and line: {inside}"


def test_only_few_modules_load_modules_by_name():
    allowed = {"slopes": "hands out windows and learning parts on first use", "slopes.traced": "loads a backend on first use",
               "slopes.machine.native": "loads what makes programs for the first one that no cache has",
               "slopes.extras": "loads optional libraries, and windows whose libraries are slow, for everyone who needs one"}
    by_name = {module: node.lineno for module in modules() if module not in allowed for node in nodes_of(module)
               if getattr(node, "attr", getattr(node, "id", None)) in ("__import__", "import_module")}
    assert not by_name, f"modules are loaded by name, by module and line: {by_name}"


def test_no_import_cycles():
    edges = {module: sorted({name for name, _ in imports_of(module) if name in modules() and name != module})
             for module in modules() if module not in MAY_IMPORT_ANYTHING}
    cycle = find_cycle(edges)
    assert cycle is None, "modules import each other, at run time or for types: " + " -> ".join(cycle or [])


def find_cycle(edges: dict[str, list[str]]) -> list[str] | None:
    """One cycle of the graph, or None; iterative depth-first search."""
    state: dict[str, int] = {}
    for start in edges:
        path, stack = [], [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                state[path.pop()] = 2
            elif state.get(node) == 1:
                return [*path[path.index(node):], node]
            elif node not in state:
                state[node] = 1
                path.append(node)
                stack.append((node, True))
                stack.extend((each, False) for each in edges.get(node, ()) if state.get(each) != 2)
    return None


@pytest.mark.parametrize("edges, cycle", [({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, None),
                                          ({"a": ["b"], "b": ["c"], "c": ["b"]}, ["b", "c", "b"])])
def test_the_search_for_cycles_finds_them_and_only_them(edges, cycle):
    assert find_cycle(edges) == cycle


def test_every_file_has_a_caption():
    captions = {module: (ast.get_docstring(tree_of(module)) or "").split("\n")[0] for module in modules()}
    missing = [module for module, caption in captions.items() if not caption]
    assert not missing, f"no caption, which is the first docstring line: {missing}"
    long = [module for module, caption in captions.items() if len(caption) > 160]
    assert not long, f"the caption is longer than a line: {long}"


def test_functions_are_short():
    lengths = {f"{module}:{name}": count for module in modules() for name, count in functions_of(module)}
    every = sorted(count for module in modules() for _, count in functions_of(module))
    long = {name: count for name, count in lengths.items() if count > LONGEST and name not in LONG_FUNCTIONS}
    assert not long, f"functions longer than {LONGEST} lines: {long}"
    assert statistics.median(every) <= MEDIAN, f"the median function has {statistics.median(every)} lines, more than {MEDIAN}"
    assert every[int(0.9 * (len(every) - 1))] <= NINETIETH, "one function in ten is too long"


def foreign_code(module: str) -> Iterator[str]:
    """What in a module runs text as code, or unpickles: lines and names."""
    for node in nodes_of(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_NAMES:
            yield f"line {node.lineno}: {node.func.id}"
        if isinstance(node, ast.Import):
            yield from (f"line {node.lineno}: {alias.name}" for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield f"line {node.lineno}: {node.module}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and getattr(node.value, "value", None) is not False:
            yield f"line {node.value.lineno}: allow_pickle"


def test_nothing_runs_or_unpickles_foreign_code():
    foreign = {module: lines for module in modules() if (lines := list(foreign_code(module)))}
    assert not foreign, foreign


def test_no_unfinished_marks():
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    found = [f"{name}: {match.group()}" for name, text in text_files() for match in mark.finditer(text)]
    assert not found, found


def test_no_machine_paths_and_no_registry_hosts():
    path = re.compile(r"(?<![\w.:/])/(?:work|home|root|Users|mnt|opt|private)/[\w.]")
    hosts = (r"files\." + r"pythonhosted", r"pypi\." + r"org/simple", r"index-" + r"url", r"download\." + r"pytorch",
             r"find-" + r"links")
    host = re.compile("|".join(hosts))
    found = [f"{name}: {match.group()}" for name, text in text_files() for match in (*path.finditer(text), *host.finditer(text))]
    assert not found, found


def test_importing_slopes_imports_nothing_heavy():
    heavy = ("llvmlite", "matplotlib", "rich", "click", "pooch", "sklearn", "PIL", "scipy", "safetensors", "torch", "jax")
    code = f"import sys, slopes; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"import slopes also imports {done.stdout.strip()}"
