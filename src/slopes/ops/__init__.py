"""What can be computed: one class for each primitive operation, and the composites written with them."""

from . import bfloat, composite, contract, elementwise, index, mix, move, random, reduce, window

__all__ = ["bfloat", "composite", "contract", "elementwise", "index", "mix", "move", "random", "reduce", "window"]
