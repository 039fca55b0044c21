"""Parts of complex numbers, and Fourier transforms: computed eagerly.

A gradient with respect to a complex z is the number c with dL = Re(c dz): multiplication takes it back without a conjugate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import DTypeError
from ..graph.build import build, constant
from ..graph.dtype import complex64, complex128, float32, float64, is_complex
from ..graph.node import Node, Operation

PART = {complex64: float32, complex128: float64}


class OfComplex(Operation, abstract=True):
    """An operation on complex numbers."""

    kind = "complex"
    types = ()
    eager_only = "complex numbers are not compiled"

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Any, Any]:
        x, = args
        if not is_complex(x.dtype):
            raise DTypeError(f"{cls.name} has no meaning for {x.dtype}", why="it is defined for complex numbers",
                             repair="cast first: x.astype('complex64')")
        return x.shape, x.dtype

    @classmethod
    def batch(cls, nodes: Sequence[Node], batched: Sequence[bool], **params: Any) -> Node:
        """The same, element by element."""
        return build(cls.name, *nodes, **params)


class Real(OfComplex):
    """The real part."""

    @classmethod
    def rule(cls, *args: Node, **params: Any) -> tuple[Any, Any]:
        shape, dtype = super().rule(*args)
        return shape, PART[dtype]

    def meaning(xp, x): return xp.real(x)
    def pullback(g, y, x): return (build("cast", g, dtype=x.dtype),)
    @staticmethod
    def samples(): yield [((2, 3), complex64, (-2, 2))], {}


class Imag(Real):
    """The imaginary part."""

    def meaning(xp, x): return xp.imag(x)
    def pullback(g, y, x): return (build("cast", g, dtype=x.dtype) * constant(-1j, x.dtype),)


class Conj(OfComplex):
    """The complex conjugate."""

    def meaning(xp, x): return xp.conj(x)
    def pullback(g, y, x): return (build("conj", g),)
    @staticmethod
    def samples(): yield [((2, 3), complex64, (-2, 2))], {}


class Dft(OfComplex):
    """The discrete Fourier transform along an axis, not scaled: sum over n of x[n] exp(-2 pi i k n / N), +2 pi if `inverse`."""

    def meaning(xp, x, axis, inverse):
        return xp.fft.ifft(x, axis=axis, norm="forward") if inverse else xp.fft.fft(x, axis=axis)

    def pullback(g, y, x, axis, inverse): return (build("dft", g, axis=axis, inverse=inverse),)

    @classmethod
    def batch(cls, nodes: Sequence[Node], batched: Sequence[bool], **params: Any) -> Node:
        """The axis is one further behind."""
        return build("dft", *nodes, axis=params["axis"] + 1, inverse=params["inverse"])

    @staticmethod
    def samples():
        yield [((2, 5), complex64, (-2, 2))], {"axis": 1, "inverse": False}
        yield [((4, 3), complex64, (-2, 2))], {"axis": 0, "inverse": True}
