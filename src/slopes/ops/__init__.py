"""The primitive operations, one class each, and the composites written with them."""

from . import bfloat, checkpoint, composite, contract, elementwise, fourier, index, linalg, mix, move, random, reduce, scan, window

__all__ = ["bfloat", "checkpoint", "composite", "contract", "elementwise", "fourier", "index", "linalg", "mix", "move", "random", "reduce",
           "scan", "window"]
