"""slopes: deep learning on ordinary machines. Write plain Python, train as one native program, see everything that happened.

Everything public is handed out on first use, so that importing the package costs next to nothing:

>>> import slopes as sl
>>> from slopes import nn, optim
>>> sl.tensor([1., 2.]) * 2
tensor([2., 4.])
"""

# ruff: noqa: F401  (the imports below are for type checkers; at run time names are found on first use)

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .loading import loading

if TYPE_CHECKING:
    from . import (
        checkpoints,
        data,
        errors,
        experiments,
        fft,
        files,
        functions,
        inside,
        linalg,
        nn,
        optim,
        random,
        tables,
        text,
        train,
        tree,
        view,
        zoo,
    )
    from .capture import Captured, capture
    from .checkpoints import Checkpoint, WeightMap, match_weights, read_checkpoint
    from .compile import compile, profile
    from .derivatives import grad, hessian, jacobian, jvp, value_and_grad, vjp, vmap
    from .errors import SlopesError
    from .experiments.load import load
    from .functions import e, inf, nan, newaxis, pi
    from .functions.activation import *  # noqa: F403
    from .functions.attention import *  # noqa: F403
    from .functions.creation import *  # noqa: F403
    from .functions.data_types import *  # noqa: F403
    from .functions.elementwise import *  # noqa: F403
    from .functions.filtering import *  # noqa: F403
    from .functions.linear import *  # noqa: F403
    from .functions.loop import *  # noqa: F403
    from .functions.manipulation import *  # noqa: F403
    from .functions.parts import *  # noqa: F403
    from .functions.reduction import *  # noqa: F403
    from .functions.resizing import *  # noqa: F403
    from .functions.searching import *  # noqa: F403
    from .functions.sets import *  # noqa: F403
    from .functions.spatial import *  # noqa: F403
    from .functions.special import *  # noqa: F403
    from .gradcheck import check_grads
    from .graph.dtype import (
        bool_,
        complex64,
        complex128,
        float32,
        float64,
        int8,
        int16,
        int32,
        int64,
        uint8,
        uint16,
        uint32,
        uint64,
    )
    from .graph.dtype import bool_ as bool
    from .modes import enable_grad, no_grad
    from .namespace import NamespaceInfo
    from .onnx.export import save_onnx
    from .onnx.load import load_onnx
    from .parameter import Parameter
    from .random import Generator, bernoulli, integers, normal, permutation, seed, uniform
    from .studio.notebook import play
    from .tensor import Tensor, asarray, from_dlpack, tensor
    from .train.evaluate import evaluate
    from .train.fit import fit
    from .train.training import Training
    from .view.explain import explain
    from .view.graph import graph
    from .view.roofline import roofline
    from .xla.export import StableHLO, export_stablehlo
    from .xla.mesh import mesh

__version__ = "0.1.0"
__array_api_version__ = "2025.12"

SUBMODULES = ("checkpoints", "data", "errors", "experiments", "fft", "files", "functions", "inside", "linalg", "nn", "optim", "random",
              "tables", "text", "train", "tree", "view", "zoo")

# Where each public name lives; what is not listed here is looked up among the functions of tensors.
NAMES = {
    "tensor": ("Tensor", "tensor", "asarray", "from_dlpack"),
    "parameter": ("Parameter",),
    "modes": ("no_grad", "enable_grad"),
    "graph.dtype": ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                    "bool_", "bool", "complex64", "complex128"),
    "random": ("Generator", "seed", "uniform", "normal", "bernoulli", "integers", "permutation"),
    "derivatives": ("grad", "value_and_grad", "vjp", "jvp", "vmap", "jacobian", "hessian"),
    "gradcheck": ("check_grads",),
    "capture": ("Captured", "capture"),
    "compile": ("compile", "profile"),
    "errors": ("SlopesError",),
    "checkpoints": ("Checkpoint", "WeightMap", "match_weights", "read_checkpoint"),
    "train.fit": ("fit",),
    "train.training": ("Training",),
    "train.evaluate": ("evaluate",),
    "onnx.export": ("save_onnx",),
    "xla.export": ("StableHLO", "export_stablehlo"),
    "experiments.load": ("load",),
    "onnx.load": ("load_onnx",),
    "studio.notebook": ("play",),
    "view.graph": ("graph",),
    "view.explain": ("explain",),
    "view.roofline": ("roofline",),
    "xla.mesh": ("mesh",),
}
ALIASES = {"bool": "bool_"}  # as the Python array API calls it; in modules that use Python's own bool it has another name
HOME = {name: module for module, names in NAMES.items() for name in names}


class Package(ModuleType):
    """This package. `slopes.tensor`, `slopes.compile` and `slopes.graph` are functions, although files have these names too."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in HOME):  # an import would put the module in the function's place
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Copies and pickles of functions that speak of the package (`sl`) find it by its name."""
        return importlib.import_module, (self.__name__,)


sys.modules[__name__].__class__ = Package


def __array_namespace_info__() -> NamespaceInfo:
    """What this namespace of the Python array API can do: devices, types, defaults."""
    return importlib.import_module(".namespace", __name__).NamespaceInfo()


if not TYPE_CHECKING:  # which reports names that are not imported above
    def __getattr__(name: str) -> Any:
        """Look a public name up on first use, and keep its value."""
        if name.startswith("__"):
            raise AttributeError(f"module 'slopes' has no attribute {name!r}")
        with loading:
            value = globals()[name] = public_value(name)
        return value


def public_value(name: str) -> Any:
    """The submodule, class or function of this public name."""
    if name in SUBMODULES:
        return importlib.import_module("." + name, __name__)
    if name in HOME:
        return getattr(importlib.import_module("." + HOME[name], __name__), ALIASES.get(name, name))
    functions = importlib.import_module(".functions", __name__)
    if name not in functions.__all__:
        raise AttributeError(f"module 'slopes' has no attribute {name!r}")
    return getattr(functions, name)


def __dir__() -> list[str]:
    functions = importlib.import_module(".functions", __name__)
    return sorted({*SUBMODULES, *HOME, *functions.__all__, *(name for name in globals() if name.startswith("__"))})
