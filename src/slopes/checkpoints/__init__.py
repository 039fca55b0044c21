"""Weights of other systems: PyTorch, safetensors, Keras and NumPy files read safely, matched to a network, and loaded.

Layouts. PyTorch's are the ones here. Of Keras, kernels of Dense are transposed; those of convolutions go from (height, width, in,
out) to (out, in, height, width), of transposed convolutions from (height, width, out, in) to (in, out, height, width), of depthwise
ones from (height, width, in, multiplier) to (in * multiplier, 1, height, width); matrices of LSTM and GRU are transposed, the
LSTM's one bias becomes bias_ih (bias_hh is zeros), the GRU's gates are reordered from z, r, h to r, z, n.
"""

from __future__ import annotations

from .checkpoint import Checkpoint
from .match import match_weights
from .read import read_checkpoint
from .report import WeightReport
from .source import Source
from .weight_map import WeightMap

__all__ = ["Checkpoint", "Source", "WeightMap", "WeightReport", "match_weights", "read_checkpoint"]
