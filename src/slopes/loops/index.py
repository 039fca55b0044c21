"""Integer expressions that say which element a loop touches: sums of axes, quotients and remainders, kept in a simple form."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from math import gcd, prod
from typing import Any

from ..graph.shape import strides_of

_axis_numbers = itertools.count()


class Axis:
    """One loop: it runs from 0 to extent - 1."""

    __slots__ = ("extent", "name", "number")

    def __init__(self, extent: int, name: str = "i") -> None:
        self.extent, self.name, self.number = extent, name, next(_axis_numbers)

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, max(0, self.extent - 1)

    def __repr__(self) -> str:
        return f"{self.name}{self.number}"


def extent(axes: Iterable[Axis]) -> int:
    """How many steps loops take together."""
    return prod(axis.extent for axis in axes)


class Quotient:
    """floor(inner / divisor) of an index that has no simpler form."""

    __slots__ = ("divisor", "inner", "key")

    def __init__(self, inner: Index, divisor: int) -> None:
        self.inner, self.divisor, self.key = inner, divisor, ("//", inner, divisor)

    @property
    def bounds(self) -> tuple[int, int]:
        low, high = self.inner.bounds
        return low // self.divisor, high // self.divisor

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quotient) and self.key == other.key

    def __repr__(self) -> str:
        return f"({self.inner} // {self.divisor})"


class Remainder:
    """inner modulo divisor, never negative."""

    __slots__ = ("divisor", "inner", "key")

    def __init__(self, inner: Index, divisor: int) -> None:
        self.inner, self.divisor, self.key = inner, divisor, ("%", inner, divisor)

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.divisor - 1

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remainder) and self.key == other.key

    def __repr__(self) -> str:
        return f"({self.inner} % {self.divisor})"


class Indirect:
    """An index read from data: a scalar expression whose value was checked to lie in 0..size-1."""

    __slots__ = ("expr", "size")

    def __init__(self, expr: Any, size: int) -> None:
        self.expr, self.size = expr, size

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, max(0, self.size - 1)

    def __repr__(self) -> str:
        return f"[{self.expr}]"


Atom = Axis | Quotient | Remainder | Indirect


class Index:
    """constant + sum of coefficient * atom, with the bounds that follow from the axes' extents."""

    __slots__ = ("_hash", "bounds", "constant", "terms")

    def __init__(self, terms: Mapping[Atom, int] | None = None, constant: int = 0) -> None:
        self.terms: dict[Atom, int] = {atom: c for atom, c in terms.items() if c} if terms else {}
        self.constant = constant
        low = high = constant
        for atom, c in self.terms.items():
            first, last = atom.bounds
            low += min(c * first, c * last)
            high += max(c * first, c * last)
        self.bounds = (low, high)
        self._hash = hash((frozenset(self.terms.items()), constant))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self._hash == other._hash and self.constant == other.constant and self.terms == other.terms

    def __repr__(self) -> str:
        parts = [f"{c}*{atom}" if c != 1 else f"{atom}" for atom, c in self.terms.items()]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts)

    # ------------------------------------------------------------------ arithmetic
    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.constant + other)
        terms = dict(self.terms)
        for atom, c in other.terms.items():
            terms[atom] = terms.get(atom, 0) + c
        return _recombine(terms, self.constant + other.constant)

    __radd__ = __add__

    def __sub__(self, other: Index | int) -> Index:
        return self + other * -1

    def __rsub__(self, other: int) -> Index:
        return self * -1 + other

    def __mul__(self, factor: int) -> Index:
        return Index({atom: c * factor for atom, c in self.terms.items()}, self.constant * factor)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Index:
        whole, rest = self._split(divisor)
        low, high = rest.bounds
        if low // divisor == high // divisor:
            return whole + low // divisor
        if len(rest.terms) == 1 and not rest.constant:
            (atom, c), = rest.terms.items()
            if c == 1 and isinstance(atom, Quotient):
                return whole + as_index(Quotient(atom.inner, atom.divisor * divisor))
        coarse = rest._coarse(divisor)
        if coarse is not None:
            g, high_part, _ = coarse
            return whole + high_part // (divisor // g)
        return whole + as_index(Quotient(rest, divisor))

    def __mod__(self, divisor: int) -> Index:
        _, rest = self._split(divisor)
        low, high = rest.bounds
        if low // divisor == high // divisor:
            return rest + -(low // divisor) * divisor
        coarse = rest._coarse(divisor)
        if coarse is not None:
            g, high_part, low_part = coarse
            return (high_part % (divisor // g)) * g + low_part
        return as_index(Remainder(rest, divisor))

    def _coarse(self, divisor: int) -> tuple[int, Index, Index] | None:
        """self = g * high + low with 0 <= low < g and g a factor of the divisor: then only the high part meets the division."""
        factors = {gcd(c, divisor) for c in self.terms.values()} - {1}
        for g in sorted(factors, reverse=True):
            low = Index({atom: c for atom, c in self.terms.items() if c % g}, self.constant % g)
            first, last = low.bounds
            if first >= 0 and last < g:
                return g, Index({atom: c // g for atom, c in self.terms.items() if c % g == 0}, self.constant // g), low
        return None

    def _split(self, divisor: int) -> tuple[Index, Index]:
        """self = divisor * whole + rest, the rest as small as the form shows."""
        whole = {atom: c // divisor for atom, c in self.terms.items() if c % divisor == 0}
        rest = {atom: c for atom, c in self.terms.items() if c % divisor}
        return Index(whole, self.constant // divisor), Index(rest, self.constant % divisor)

    # ------------------------------------------------------------------ questions
    def coefficient(self, axis: Axis) -> int | None:
        """The step when the axis moves by one; None when that is not the same everywhere."""
        if any(depends(atom, axis) for atom in self.terms if atom is not axis):
            return None
        return self.terms.get(axis, 0)

    def uses(self, axis: Axis) -> bool:
        return any(depends(atom, axis) for atom in self.terms)

    def substitute(self, replacements: Mapping[Any, Index]) -> Index:
        """The index with some axes (or run-time atoms) replaced by other indices."""
        result = Index(None, self.constant)
        for atom, c in self.terms.items():
            result = result + _substitute_atom(atom, replacements) * c
        return result


def _recombine(terms: dict[Atom, int], constant: int) -> Index:
    """Undo splits: n * (x // n) + x % n is x, and so for a split into more parts."""
    changed = True
    while changed:
        changed = False
        for atom, c in list(terms.items()):
            if isinstance(atom, Remainder) and c and _join(terms, atom, c):
                changed = True
                break
    return _expand_indices(terms, constant)


def _join(terms: dict[Atom, int], atom: Remainder, c: int) -> bool:
    quotient = as_index(atom.inner) // atom.divisor
    (high, factor), = quotient.terms.items() if len(quotient.terms) == 1 and not quotient.constant else [(None, 0)]
    if high is None or factor != 1:
        return False
    if terms.get(high) == c * atom.divisor:  # c * n * (x // n) + c * (x % n) = c * x
        del terms[high], terms[atom]
        _accumulate(terms, atom.inner, c)
        return True
    for other, d in terms.items():  # c * n * ((x // n) % m) + c * (x % n) = c * (x % (n * m))
        if isinstance(other, Remainder) and d == c * atom.divisor and other.inner == quotient:
            divisor = atom.divisor * other.divisor
            del terms[other], terms[atom]
            _accumulate(terms, atom.inner % divisor, c)
            return True
    return False


def _accumulate(terms: dict[Any, int], index: Index, factor: int) -> None:
    for atom, c in index.terms.items():
        terms[atom] = terms.get(atom, 0) + c * factor
    if index.constant:
        terms[CONSTANT] = terms.get(CONSTANT, 0) + index.constant * factor


CONSTANT = object()


def _expand_indices(terms: dict[Any, int], constant: int) -> Index:
    return Index(terms, constant + terms.pop(CONSTANT, 0))


def _substitute_atom(atom: Atom, replacements: Mapping[Any, Index]) -> Index:
    if isinstance(atom, (Axis, Indirect)):
        return replacements[atom] if atom in replacements else as_index(atom)
    if isinstance(atom, Quotient):
        return atom.inner.substitute(replacements) // atom.divisor
    return atom.inner.substitute(replacements) % atom.divisor


def depends(atom: Atom, axis: Axis) -> bool:
    if isinstance(atom, Axis):
        return atom is axis
    if isinstance(atom, (Quotient, Remainder)):
        return atom.inner.uses(axis)
    return atom.expr.uses(axis)


def as_index(value: Any) -> Index:
    if isinstance(value, Index):
        return value
    return Index(None, value) if isinstance(value, int) else Index({value: 1})


def linear(index: Iterable[Index], shape: Iterable[int]) -> Index:
    """The position in row-major order."""
    return strided(index, strides_of(shape))


def strided(index: Iterable[Index], strides: Iterable[int]) -> Index:
    """The position, with the number of elements between neighbours on each axis."""
    total = Index()
    for step, stride in zip(index, strides):
        total = total + as_index(step) * stride
    return total


def unlinear(position: Index, shape: tuple[int, ...]) -> tuple[Index, ...]:
    """The index per axis of a position in row-major order."""
    result = []
    for n, stride in zip(shape, strides_of(shape)):
        result.append(Index() if n == 1 else (position // stride) % n)
    return tuple(result)
