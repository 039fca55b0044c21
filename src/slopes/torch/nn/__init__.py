"""`torch.nn`: all layers and losses of slopes under PyTorch's names, with PyTorch's tensors inside and outside."""

# ruff: noqa: F401  (the imports are names of the window)

from __future__ import annotations

from typing import Any

from ... import nn as core
from ..tensor import Buffer, Parameter
from . import functional, init, lazy, utils
from .modules import Module, MultiheadAttention, Sequential, layer_class

OWN = {"Module", "MultiheadAttention", "Sequential", "Parameter", "Buffer"}
LAYERS = [name for name in core.__all__ if isinstance(getattr(core, name), type) and issubclass(getattr(core, name), core.Module)
          and name not in OWN]
globals().update({name: layer_class(getattr(core, name)) for name in LAYERS})
LAZY = {f"Lazy{name}": lazy.lazy_class(globals()[name]) for name in lazy.RANKS}
globals().update(LAZY)

__all__ = sorted([*OWN, *LAYERS, *LAZY, "functional", "init", "utils"])


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.nn.{name} is not in slopes.torch; in slopes: " + (
        f"sl.nn.{name} is a function of the core" if hasattr(core, name) else "write a Module of the layers in sl.nn, see docs/layers.md"))
