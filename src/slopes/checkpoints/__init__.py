"""Weights of other systems: PyTorch, safetensors, Keras and NumPy files read safely, matched to a network, and loaded."""

from __future__ import annotations

from .checkpoint import Checkpoint
from .read import read_checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]
