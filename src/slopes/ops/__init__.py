"""What can be computed: one class for each primitive operation, and the composites written with them."""

from . import bfloat, checkpoint, composite, contract, elementwise, index, mix, move, random, reduce, scan, window

__all__ = ["bfloat", "checkpoint", "composite", "contract", "elementwise", "index", "mix", "move", "random", "reduce", "scan", "window"]
