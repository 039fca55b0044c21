"""Importing slopes stays light, and hands out everything that it promises."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import slopes as sl

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("llvmlite", "matplotlib", "rich", "click", "pooch", "sklearn", "PIL", "scipy", "torch", "jax", "safetensors", "onnx")


def run(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120,
                          env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy():
    assert run(f"import sys, slopes\nprint([name for name in {HEAVY} if name in sys.modules])").strip() == "[]"


def test_tensors_and_their_functions_load_nothing_heavy():
    code = f"""
import sys
import slopes as sl
x = sl.tensor([1., 2.], requires_grad=True)
(sl.softmax(x) * sl.uniform(2)).sum().backward()
print([name for name in {HEAVY} if name in sys.modules])"""
    assert run(code).strip() == "[]"


def test_import_itself_loads_little_of_slopes_and_not_numpy():
    code = "import sys, slopes\nprint('numpy' in sys.modules, len([m for m in sys.modules if m.startswith('slopes')]))"
    assert run(code).split() == ["False", "2"]  # slopes, and slopes.loading


def test_a_program_from_the_cache_does_not_load_what_makes_programs(tmp_path):
    code = """
import sys
import slopes as sl
print(sl.compile(lambda x: sl.tanh(x).sum())(sl.zeros((3,))).item(), "slopes.loops.program" in sys.modules)"""
    assert [run(code, SLOPES_CACHE=str(tmp_path)).split() for _ in range(2)] == [["0.0", "True"], ["0.0", "False"]]


def test_version_is_the_packages():
    assert sl.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("first", ["slopes.tensor", "slopes.graph.node", "slopes.view.graph"])
def test_functions_named_like_files_are_functions_whatever_was_imported_first(first):
    code = f"import importlib, slopes\nimportlib.import_module({first!r})\n"
    assert run(code + "print(type(slopes.tensor).__name__, type(slopes.graph).__name__)").split() == ["function", "function"]


@pytest.mark.parametrize("name", sorted(set(sl.SUBMODULES) | set(sl.HOME)))
def test_every_promised_name_is_there(name):
    assert getattr(sl, name) is not None


def test_functions_of_tensors_are_handed_out():
    assert sl.matmul is sl.functions.matmul
    assert {"where", "conv2d", "softmax", "tensor", "fit", "__version__", "__array_namespace_info__"} <= set(dir(sl))


COMPLETED = {"sl.zoo.": {"networks", "gpt2", "classifiers"}, "sl.zoo.networks.le": {"lenet"}, "sl.experiments.ca": {"catalog"},
             "sl.linalg.so": {"solve"}, "sl.optim.sch": {"schedules"}, "sl.nn.Conv2": {"Conv2d"},
             "sl.": {*sl.SUBMODULES, *sl.HOME, *sl.functions.__all__}}


def test_tab_completes_everything_public_before_it_is_loaded():
    code = "import rlcompleter, slopes as sl\nprint({text: rlcompleter.Completer({'sl': sl}).attr_matches(text) for text in %r})"
    offered = ast.literal_eval(run(code % list(COMPLETED)))
    names = {text: {match.rpartition(".")[2].rstrip("()") for match in matches} for text, matches in offered.items()}
    assert all(expected <= names[text] for text, expected in COMPLETED.items())
    assert names["sl."] == COMPLETED["sl."]  # and nothing that is not public


@pytest.mark.parametrize("name", sl.SUBMODULES)
def test_a_submodule_lists_and_has_what_it_promises(name):
    module = getattr(sl, name)
    promised = getattr(module, "__all__", [])
    assert set(promised) <= set(dir(module)) and all(hasattr(module, attribute) for attribute in promised)
    assert not hasattr(module, "there_is_no_such_name")


def test_type_checkers_are_shown_the_same_names():
    tree = ast.parse(Path(sl.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [(node.module, alias.asname or alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    whole = {module for module, name in imports if name == "*"}
    functions = {name for module in sl.functions.MODULES if module.__name__.removeprefix("slopes.") in whole for name in module.__all__}
    names = functions | {name for _, name in imports} - {"*", "NamespaceInfo"}
    assert names == {*sl.SUBMODULES, *sl.HOME, *sl.functions.__all__}


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'tensr'"):
        sl.tensr  # noqa: B018
    assert not hasattr(sl, "__wrapped__")
