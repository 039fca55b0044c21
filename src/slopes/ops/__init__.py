"""The primitive operations, one class each, and the composites written with them."""

from . import bfloat, checkpoint, composite, contract, elementwise, index, mix, move, random, reduce, scan, window

__all__ = ["bfloat", "checkpoint", "composite", "contract", "elementwise", "index", "mix", "move", "random", "reduce", "scan", "window"]
