"""Run a program under PyTorch or slopes.torch, from the same weights, on the same data."""

from __future__ import annotations

import re
import types
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
RECORDED = FOLDER / "recorded.json"
PROGRAMS = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in ("__init__", "__main__", "expressions", "runner"))
STEPS = 20


def rewritten(source: str) -> str:
    """The program with other import lines; every other line stays as it is."""
    source = re.sub(r"^import torch$", "import slopes.torch as torch", source, flags=re.M)
    return re.sub(r"^(from|import) torch\b", r"\1 slopes.torch", source, flags=re.M)


def load_program(name: str, library: str) -> Any:
    """The program as a module under "torch" or "slopes"."""
    file = FOLDER / f"{name}.py"
    source = file.read_text(encoding="utf-8")
    module = types.ModuleType(f"ported_{name}_{library}")
    exec(compile(source if library == "torch" else rewritten(source), str(file), "exec"), vars(module))
    return module


def initial_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of this name and shape at the start: a function of both."""
    rng = np.random.default_rng(zlib.crc32(f"{name} {shape}".encode()))
    values = rng.uniform(-1, 1, shape)
    if len(shape) == 1:
        return 1 + 0.1 * values if name.endswith("weight") else 0.1 * values
    return values / np.sqrt(np.prod(shape[1:]) if len(shape) > 2 else shape[-1])


def fill(net: Any, library: Any) -> None:
    """Give all parameters their initial values."""
    with library.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(library.tensor(initial_value(name, tuple(parameter.shape)).astype("float32")))


def run_program(name: str, library: str, steps: int = STEPS, compiled: bool = False,
                make_step: Callable[[Any], Any] | None = None) -> list[float]:
    """The losses of the first steps; `make_step` is called instead of the library's `compile`."""
    module = load_program(name, library)
    module.torch.manual_seed(1)
    net = module.build()
    fill(net, module.torch)
    data = module.make_data(np.random.default_rng(0))
    make_step = make_step or (module.torch.compile if compiled else lambda function: function)
    return [float(loss) for loss in module.train(net, data, steps, make_step)]
