"""Writes LLVM code: typed values, scalar or vector alike, and loops that look like loops."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from ..errors import CompileError

BOOL, INT32, INT64, FLOAT32, FLOAT64 = (np.dtype(name) for name in ("bool", "int32", "int64", "float32", "float64"))
SCALAR = {"float32": "float", "float64": "double", "bool": "i1",
          **{f"{sign}int{bits}": f"i{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}}
INTEGER_PREDICATES = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
FLOAT_PREDICATES = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}

SMALLEST_REGISTER = 16  # bytes of a vector register

MATH: dict[str, Callable[..., Value]] = {}  # filled by mathlib: name -> function of a builder and values


class Value:
    """One LLVM value: its text, the type of an element, and how many elements it holds (1: a scalar)."""

    __slots__ = ("dtype", "lanes", "literal", "ref")

    def __init__(self, ref: str, dtype: np.dtype, lanes: int = 1, literal: object = None) -> None:
        self.ref, self.dtype, self.lanes, self.literal = ref, dtype, lanes, literal


@lru_cache(maxsize=1024)
def type_text(dtype: np.dtype, lanes: int = 1) -> str:
    scalar = SCALAR[dtype.name]
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


@lru_cache(maxsize=64)
def suffix_text(dtype: np.dtype) -> str:
    """The type as the names of LLVM's intrinsics spell it: f32, i64 ..."""
    return SCALAR[dtype.name].replace("float", "f32").replace("double", "f64")


def memory_dtype(dtype: np.dtype) -> np.dtype:
    """A truth value is one byte in memory."""
    return np.dtype("uint8") if dtype == BOOL else dtype


def literal_text(value: object, dtype: np.dtype) -> str:
    if dtype == BOOL:
        return "true" if value else "false"
    if dtype.kind == "f":
        return float_text(struct.pack(">d", value), dtype)
    return str(int(value))  # type: ignore[call-overload]


@lru_cache(maxsize=4096)
def float_text(double: bytes, dtype: np.dtype) -> str:
    """A number, given by the bytes of a double (which tell -0 from 0), rounded to a type and written as LLVM wants it."""
    with np.errstate(over="ignore"):
        exact = float(dtype.type(struct.unpack(">d", double)[0]))
    return f"0x{struct.unpack('>Q', struct.pack('>d', exact))[0]:016X}"


class Builder:
    """Builds the body of one function. `error` names the pointer through which run-time checks report; `site` the code they report."""

    def __init__(self, lanes: int, fused: bool = True, masked_arithmetic: bool = False) -> None:
        self.lanes = lanes  # of a full vector of 32-bit elements on the target
        self.masked_arithmetic = masked_arithmetic  # whether its instructions can leave lanes out
        self.fused = fused  # whether it multiplies and adds in one instruction
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.declarations: set[str] = set()
        self.error = "%error"
        self.site = 0
        self.spare_lanes = 0  # how many may be fetched or written one by one
        self._count = 0

    # ------------------------------------------------------------------ text
    def fresh(self, hint: str = "") -> str:
        self._count += 1
        return f"%{hint}{self._count}" if hint else f"%v{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def new(self, text: str, dtype: np.dtype, lanes: int = 1) -> Value:
        ref = self.fresh()
        self.lines.append(f"  {ref} = {text}")
        return Value(ref, dtype, lanes)

    def intrinsic(self, name: str, dtype: np.dtype, args: Sequence[Value], *, result: np.dtype | None = None) -> Value:
        """Call an overloaded LLVM intrinsic whose arguments all have the type of the first."""
        lanes = args[0].lanes
        suffix = ("" if lanes == 1 else f"v{lanes}") + suffix_text(dtype)
        kind, out = type_text(dtype, lanes), result if result is not None else dtype
        self.declarations.add(f"declare {type_text(out, lanes)} @llvm.{name}.{suffix}({', '.join([kind] * len(args))})")
        values = ", ".join(f"{kind} {arg.ref}" for arg in args)
        return self.new(f"call {type_text(out, lanes)} @llvm.{name}.{suffix}({values})", out, lanes)

    # ------------------------------------------------------------------ constants and shapes of values
    def const(self, value: object, like: Value | None = None, dtype: np.dtype | None = None, lanes: int | None = None) -> Value:
        """A constant of the type and number of lanes of `like`, or as named."""
        kind = dtype if dtype is not None else like.dtype if like is not None else INT64
        count = lanes if lanes is not None else like.lanes if like is not None else 1
        text = literal_text(value, kind)
        return Value(text if count == 1 else f"splat ({type_text(kind)} {text})", kind, count, literal=value)

    def whole(self, value: int) -> Value:
        return self.const(value, dtype=INT64)

    def splat(self, x: Value, lanes: int) -> Value:
        """The scalar in every lane."""
        if x.lanes == lanes:
            return x
        if x.literal is not None:
            return self.const(x.literal, dtype=x.dtype, lanes=lanes)
        kind = type_text(x.dtype, lanes)
        one = self.new(f"insertelement {kind} poison, {type_text(x.dtype)} {x.ref}, i64 0", x.dtype, lanes)
        return self.new(f"shufflevector {kind} {one.ref}, {kind} poison, <{lanes} x i32> zeroinitializer", x.dtype, lanes)

    def match(self, *values: Value) -> tuple[Value, ...]:
        """The values with equal numbers of lanes."""
        lanes = [value.lanes for value in values]
        if lanes.count(lanes[0]) == len(lanes):
            return values
        return tuple([self.splat(value, max(lanes)) for value in values])

    def lane_numbers(self, lanes: int, dtype: np.dtype = INT64) -> Value:
        """(0, 1, ..., lanes - 1)."""
        if lanes == 1:
            return self.const(0, dtype=dtype)
        kind = type_text(dtype)
        return Value("<" + ", ".join(f"{kind} {i}" for i in range(lanes)) + ">", dtype, lanes)

    def shuffle(self, x: Value, y: Value | None, picks: Sequence[int]) -> Value:
        """Lanes of x (and y behind it) by number."""
        kind = type_text(x.dtype, x.lanes)
        mask = ", ".join(f"i32 {pick}" for pick in picks)
        other = "poison" if y is None else y.ref
        return self.new(f"shufflevector {kind} {x.ref}, {kind} {other}, <{len(picks)} x i32> <{mask}>", x.dtype, len(picks))

    def lane(self, x: Value, number: int) -> Value:
        """One lane as a scalar."""
        return self.new(f"extractelement <{x.lanes} x {type_text(x.dtype)}> {x.ref}, i64 {number}", x.dtype)

    def first(self, x: Value, lanes: int) -> Value:
        """The first lanes; one of them alone is a scalar."""
        if x.lanes == lanes:
            return x
        return self.lane(x, 0) if lanes == 1 else self.shuffle(x, None, range(lanes))

    # ------------------------------------------------------------------ arithmetic
    def _two(self, text: str, x: Value, y: Value, dtype: np.dtype | None = None) -> Value:
        x, y = self.match(x, y)
        return self.new(f"{text} {type_text(x.dtype, x.lanes)} {x.ref}, {y.ref}", dtype if dtype is not None else x.dtype, x.lanes)

    def add(self, x: Value, y: Value) -> Value:
        return self._two("fadd" if x.dtype.kind == "f" else "or" if x.dtype == BOOL else "add", x, y)

    def sub(self, x: Value, y: Value) -> Value:
        return self._two("fsub" if x.dtype.kind == "f" else "sub", x, y)

    def accumulate(self, total: Value, x: Value) -> Value:
        """total + x inside of a sum of products: a product x need not be rounded before it is added (LLVM may fuse the two)."""
        return self._two("fadd contract", total, x) if x.dtype.kind == "f" else self.add(total, x)

    def decrease(self, total: Value, x: Value) -> Value:
        """total - x inside of a sum of products, as in `accumulate`."""
        return self._two("fsub contract", total, x) if x.dtype.kind == "f" else self.sub(total, x)

    def mul(self, x: Value, y: Value) -> Value:
        """x y; only `accumulate` and `decrease` may fuse it with a sum."""
        return self._two("fmul contract" if x.dtype.kind == "f" else "and" if x.dtype == BOOL else "mul", x, y)

    def div(self, x: Value, y: Value) -> Value:
        return self._two("fdiv", x, y)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """x * y + z, rounded once."""
        x, y, z = self.match(x, y, z)
        if self.fused:
            return self.intrinsic("fma", x.dtype, [x, y, z])
        if x.dtype == FLOAT32:  # the product of two floats is exact in float64
            x, y, z = (self.cast(each, FLOAT64) for each in (x, y, z))
            return self.cast(self.add(self.mul(x, y), z), FLOAT32)
        return self._fma_in_parts(x, y, z)

    def _fma_in_parts(self, x: Value, y: Value, z: Value) -> Value:
        """x y + z in float64 with the rounding errors of both steps added (Dekker 1971, Knuth): at most about one ulp off."""
        product = self._exactly("fmul", x, y)
        (a, b), (c, d) = self._halves(x), self._halves(y)
        rest = self._exactly("fsub", self._exactly("fmul", a, c), product)
        for one, other in ((a, d), (b, c), (b, d)):
            rest = self._exactly("fadd", rest, self._exactly("fmul", one, other))
        total = self._exactly("fadd", product, z)
        back = self._exactly("fsub", total, product)
        error = self._exactly("fadd", self._exactly("fsub", product, self._exactly("fsub", total, back)), self._exactly("fsub", z, back))
        exact = self._exactly("fadd", total, self._exactly("fadd", error, rest))
        largest = self.max(self.max(self.abs(x), self.abs(y)), self.abs(total))
        return self.select(self.compare("<", largest, self.const(2.0**990, like=largest)), exact, total)  # else the halves overflow

    def _halves(self, x: Value) -> tuple[Value, Value]:
        """x as a sum of two numbers of half the digits, whose products are exact."""
        scaled = self._exactly("fmul", x, self.const(134217729.0, like=x))
        high = self._exactly("fsub", scaled, self._exactly("fsub", scaled, x))
        return high, self._exactly("fsub", x, high)

    def _exactly(self, text: str, x: Value, y: Value) -> Value:
        """An operation that LLVM must not fuse with another one: a product without leave to be fused."""
        return self._two(text, x, y)

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """x y + z, rounded once where the processor can, else twice."""
        return self.fma(x, y, z) if self.fused else self.accumulate(z, self.mul(x, y))

    def neg(self, x: Value) -> Value:
        if x.dtype.kind == "f":
            return self.new(f"fneg {type_text(x.dtype, x.lanes)} {x.ref}", x.dtype, x.lanes)
        return self.sub(self.const(0, like=x), x)

    def idiv(self, x: Value, y: Value) -> Value:
        """Floor division of integers; a zero divisor is reported and replaced by one."""
        x, y = self.match(x, self._checked_divisor(y))
        if x.dtype.kind == "u":
            return self._two("udiv", x, y)
        quotient, remainder = self._signed_division(x, y)
        low = self._floor_correction(remainder, y)
        return self.sub(quotient, self.select(low, self.const(1, like=x), self.const(0, like=x)))

    def irem(self, x: Value, y: Value) -> Value:
        """The remainder with the divisor's sign; a zero divisor is reported and replaced by one."""
        x, y = self.match(x, self._checked_divisor(y))
        if x.dtype.kind == "u":
            return self._two("urem", x, y)
        _, remainder = self._signed_division(x, y)
        low = self._floor_correction(remainder, y)
        return self.add(remainder, self.select(low, y, self.const(0, like=x)))

    def _checked_divisor(self, y: Value) -> Value:
        zero = self.compare("==", y, self.const(0, like=y))
        self.check_not(zero)
        return self.select(zero, self.const(1, like=y), y)

    def _signed_division(self, x: Value, y: Value) -> tuple[Value, Value]:
        # The most negative number divided by -1 traps on some processors: divide by 1 and negate instead.
        minus = self.compare("==", y, self.const(-1, like=y))
        safe = self.select(minus, self.const(1, like=y), y)
        quotient = self._two("sdiv", x, safe)
        remainder = self.sub(x, self.mul(quotient, safe))
        return self.select(minus, self.neg(quotient), quotient), remainder

    def _floor_correction(self, remainder: Value, divisor: Value) -> Value:
        zero = self.const(0, like=remainder)
        opposite = self.compare("<", self.bit_xor(remainder, divisor), zero)
        return self.bit_and(self.compare("!=", remainder, zero), opposite)

    def sqrt(self, x: Value) -> Value:
        return self.intrinsic("sqrt", x.dtype, [x])

    def floor(self, x: Value) -> Value:
        return self.intrinsic("floor", x.dtype, [x])

    def ceil(self, x: Value) -> Value:
        return self.intrinsic("ceil", x.dtype, [x])

    def trunc(self, x: Value) -> Value:
        return self.intrinsic("trunc", x.dtype, [x])

    def round(self, x: Value) -> Value:
        """To the nearest whole number, halves to the even one."""
        return self.intrinsic("rint", x.dtype, [x])

    def abs(self, x: Value) -> Value:
        if x.dtype.kind == "f":
            return self.intrinsic("fabs", x.dtype, [x])
        if x.dtype.kind != "i":
            return x
        return self.select(self.compare("<", x, self.const(0, like=x)), self.neg(x), x)

    def copysign(self, x: Value, y: Value) -> Value:
        return self.intrinsic("copysign", x.dtype, self.match(x, y))

    def min(self, x: Value, y: Value) -> Value:
        return self._extreme("<", "minimum", x, y)

    def max(self, x: Value, y: Value) -> Value:
        return self._extreme(">", "maximum", x, y)

    def _extreme(self, sign: str, name: str, x: Value, y: Value) -> Value:
        x, y = self.match(x, y)
        if x.dtype == BOOL:
            return self.bit_and(x, y) if sign == "<" else self.bit_or(x, y)
        if x.dtype.kind != "f":
            return self.select(self.compare(sign, x, y), x, y)
        for each in (x, y):
            if each.literal is not None and each.literal != each.literal:
                return each  # NaN
        if y.literal is None:
            return self.intrinsic(name, x.dtype, [x, y])
        # Against a constant one comparison is enough: unordered picks x, so that NaN passes through.
        kind = type_text(x.dtype, x.lanes)
        wins = self.new(f"fcmp u{'lt' if sign == '<' else 'gt'} {kind} {x.ref}, {y.ref}", BOOL, x.lanes)
        return self.select(wins, x, y)

    def compare(self, sign: str, x: Value, y: Value) -> Value:
        if x.dtype.kind == "f":
            return self._two(f"fcmp {FLOAT_PREDICATES[sign]}", x, y, BOOL)
        predicate = INTEGER_PREDICATES[sign]
        if sign not in ("==", "!="):
            predicate = ("s" if x.dtype.kind == "i" else "u") + predicate
        return self._two(f"icmp {predicate}", x, y, BOOL)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        if condition.lanes == 1 and max(x.lanes, y.lanes) > 1:
            x, y = self.match(x, y)  # one scalar condition may choose between whole vectors
        else:
            condition, x, y = self.match(condition, x, y)
        kind = type_text(x.dtype, x.lanes)
        return self.new(f"select {type_text(BOOL, condition.lanes)} {condition.ref}, {kind} {x.ref}, {kind} {y.ref}", x.dtype, x.lanes)

    # ------------------------------------------------------------------ bits
    def bit_and(self, x: Value, y: Value) -> Value:
        return self._two("and", x, y)

    def bit_or(self, x: Value, y: Value) -> Value:
        return self._two("or", x, y)

    def bit_xor(self, x: Value, y: Value) -> Value:
        return self._two("xor", x, y)

    def bit_not(self, x: Value) -> Value:
        return self._two("xor", x, self.const(True if x.dtype == BOOL else -1, like=x))

    def shl(self, x: Value, y: Value) -> Value:
        """x times 2 to the y; counts of the width or more give 0."""
        safe, big = self._shift_count(x, y)
        return self.select(big, self.const(0, like=x), self._two("shl", x, safe))

    def shr(self, x: Value, y: Value) -> Value:
        """x divided by 2 to the y, rounded down; counts of the width or more leave only the sign."""
        safe, big = self._shift_count(x, y)
        if x.dtype.kind == "u":
            return self.select(big, self.const(0, like=x), self._two("lshr", x, safe))
        last = self.const(x.dtype.itemsize * 8 - 1, like=x)
        return self._two("ashr", x, self.select(big, last, safe))

    def _shift_count(self, x: Value, y: Value) -> tuple[Value, Value]:
        width = x.dtype.itemsize * 8
        unsigned = Value(y.ref, np.dtype(f"uint{width}"), y.lanes, y.literal)  # a negative count is a huge one
        big = self.compare(">=", unsigned, self.const(width, like=unsigned))
        return self.select(big, self.const(0, like=y), y), big

    def rotate_left(self, x: Value, count: int) -> Value:
        """The bits of x moved up by a constant count, those that fall out coming back below."""
        return self.intrinsic("fshl", x.dtype, [x, x, self.const(count, like=x)])

    def bitcast(self, x: Value, dtype: np.dtype) -> Value:
        kind = type_text(x.dtype, x.lanes)
        return self.new(f"bitcast {kind} {x.ref} to {type_text(dtype, x.lanes)}", dtype, x.lanes)

    # ------------------------------------------------------------------ conversion
    def cast(self, x: Value, dtype: np.dtype) -> Value:
        """The value in another type: floats to integers toward zero (saturating), anything to bool by `!= 0`."""
        if x.dtype == dtype:
            return x
        if dtype == BOOL:
            return self.compare("!=", x, self.const(0, like=x))
        source, target = x.dtype, dtype
        if source.kind == "f" and target.kind == "f":
            return self._convert("fpext" if target.itemsize > source.itemsize else "fptrunc", x, dtype)
        if source.kind == "f":
            return self._float_to_integer(x, dtype)
        if target.kind == "f":
            return self._convert("sitofp" if source.kind == "i" else "uitofp", x, dtype)
        if source != BOOL and target.itemsize == source.itemsize:
            return Value(x.ref, dtype, x.lanes, x.literal)
        if source != BOOL and target.itemsize < source.itemsize:
            return self._convert("trunc", x, dtype)
        return self._convert("sext" if source.kind == "i" else "zext", x, dtype)

    def _convert(self, text: str, x: Value, dtype: np.dtype) -> Value:
        return self.new(f"{text} {type_text(x.dtype, x.lanes)} {x.ref} to {type_text(dtype, x.lanes)}", dtype, x.lanes)

    def _float_to_integer(self, x: Value, dtype: np.dtype) -> Value:
        name = "fptosi.sat" if dtype.kind == "i" else "fptoui.sat"
        lanes = "" if x.lanes == 1 else f"v{x.lanes}"
        source = "f32" if x.dtype == FLOAT32 else "f64"
        full = f"@llvm.{name}.{lanes}{type_text(dtype)}.{lanes}{source}"
        kind, out = type_text(x.dtype, x.lanes), type_text(dtype, x.lanes)
        self.declarations.add(f"declare {out} {full}({kind})")
        return self.new(f"call {out} {full}({kind} {x.ref})", dtype, x.lanes)

    def math(self, name: str, *args: Value) -> Value:
        """A function of slopes' own vector mathematics."""
        if name not in MATH:
            raise CompileError(f"there is no native function {name!r}", repair="the functions are " + ", ".join(sorted(MATH)))
        return MATH[name](self, *self.match(*args))

    def horizontal(self, name: str, x: Value, start: Value | None = None) -> Value:
        """Combine all lanes by one of LLVM's vector reductions (fadd and fmul take a start value and form a tree)."""
        kind = type_text(x.dtype, x.lanes)
        suffix = f"v{x.lanes}" + suffix_text(x.dtype)
        scalar = type_text(x.dtype)
        first = f"{scalar} {start.ref}, " if start is not None else ""
        extra = f"{scalar}, " if start is not None else ""
        self.declarations.add(f"declare {scalar} @llvm.vector.reduce.{name}.{suffix}({extra}{kind})")
        flags = "reassoc " if start is not None else ""
        return self.new(f"call {flags}{scalar} @llvm.vector.reduce.{name}.{suffix}({first}{kind} {x.ref})", x.dtype)

    # ------------------------------------------------------------------ run-time checks
    def check_not(self, bad: Value) -> None:
        """Report this site's code when any lane of `bad` holds; the program goes on with safe values and fails at its end."""
        if bad.literal is not None and not bad.literal:
            return
        anywhere = bad if bad.lanes == 1 else self.horizontal("or", bad)
        with self.when(anywhere):
            self.line(f"store atomic i32 {self.site}, ptr {self.error} monotonic, align 4")

    # ------------------------------------------------------------------ memory
    def address(self, pointer: str, dtype: np.dtype, offset: Value, inside: bool = True) -> str:
        """Where an element lies; `inside` promises LLVM that it is one of the buffer's, which masked-out elements need not be."""
        if offset.literal == 0 and offset.lanes == 1:
            return pointer
        ref = self.fresh("p")
        self.line(f"{ref} = getelementptr {'inbounds ' if inside else ''}{type_text(memory_dtype(dtype))}, ptr {pointer}, "
                  f"{type_text(INT64, offset.lanes)} {offset.ref}")
        return ref

    def load(self, pointer: str, dtype: np.dtype, offset: Value, lanes: int = 1, mask: Value | None = None) -> Value:
        """`lanes` elements side by side from `offset` on; those that the mask leaves out are not touched and read 0."""
        stored = memory_dtype(dtype)
        kind = type_text(stored, lanes)
        address = self.address(pointer, dtype, offset, inside=mask is None)
        if mask is None:
            return self._from_memory(self.new(f"load {kind}, ptr {address}, align {stored.itemsize}", stored, lanes), dtype)
        if lanes == 1:
            address = self._safe_address(address, pointer, mask)
            return self._from_memory(self.new(f"load {kind}, ptr {address}, align {stored.itemsize}", stored, 1), dtype)
        keep = self._whole_mask(self.splat(mask, lanes), least=SMALLEST_REGISTER // stored.itemsize)
        return self._from_memory(self.first(self._masked_load(address, stored, keep), lanes), dtype)

    def _masked_load(self, address: str, stored: np.dtype, mask: Value) -> Value:
        """The elements side by side that the mask picks, 0 for the others: one register at a time.

        LLVM 22 splits wider ones itself, and for AVX2 then reads the upper half whole where the lower half of the mask is known
        to be false. For AVX-512 it moves such a load into masked arithmetic, and out of that
        again without the mask: an empty piece of assembly, which costs nothing, keeps the two apart.
        """
        width = self.lanes * INT32.itemsize // stored.itemsize
        if mask.lanes > width:
            half = mask.lanes // 2
            masks = [self.shuffle(mask, None, range(start, start + half)) for start in (0, half)]
            upper = self.address(address, stored, self.whole(half), inside=False)
            low, high = self._masked_load(address, stored, masks[0]), self._masked_load(upper, stored, masks[1])
            return self.shuffle(low, high, range(mask.lanes))
        kind, mask_text, suffix = type_text(stored, mask.lanes), type_text(BOOL, mask.lanes), self._memory_suffix(stored, mask.lanes)
        self.declarations.add(f"declare {kind} @llvm.masked.load.{suffix}.p0(ptr, i32, {mask_text}, {kind})")
        elements = self.new(f"call {kind} @llvm.masked.load.{suffix}.p0(ptr {address}, i32 {stored.itemsize}, "
                            f"{mask_text} {mask.ref}, {kind} zeroinitializer)", stored, mask.lanes)
        if not self.masked_arithmetic:
            return elements
        return self.new(f'call {kind} asm "", "=v,0"({kind} {elements.ref})', stored, mask.lanes)

    def _whole_mask(self, mask: Value, least: int = 1) -> Value:
        """The mask with false lanes up to a power of two: LLVM takes masked accesses of other widths element by element."""
        width = max(least, 1 << (mask.lanes - 1).bit_length())
        if width == mask.lanes:
            return mask
        return self.shuffle(mask, self.const(False, like=mask), [min(lane, mask.lanes) for lane in range(width)])

    def _padded(self, x: Value, lanes: int) -> Value:
        """The value with copies of its first lane up to `lanes`."""
        return x if x.lanes == lanes else self.shuffle(x, None, [lane if lane < x.lanes else 0 for lane in range(lanes)])

    def _safe_address(self, address: str, pointer: str, mask: Value) -> str:
        ref = self.fresh("p")  # a masked-out scalar reads the first element instead: buffers are never empty
        self.line(f"{ref} = select i1 {mask.ref}, ptr {address}, ptr {pointer}")
        return ref

    def _memory_suffix(self, stored: np.dtype, lanes: int) -> str:
        return f"v{lanes}" + suffix_text(stored)

    def _from_memory(self, x: Value, dtype: np.dtype) -> Value:
        return self.compare("!=", x, self.const(0, like=x)) if dtype == BOOL else x

    def _to_memory(self, x: Value) -> Value:
        return self._convert("zext", x, memory_dtype(BOOL)) if x.dtype == BOOL else x

    def gather(self, pointer: str, dtype: np.dtype, offsets: Value, mask: Value | None = None) -> Value:
        """One element per lane, each from its own offset."""
        stored, wanted = memory_dtype(dtype), offsets.lanes
        keep = self._whole_mask(self.splat(mask, wanted) if mask is not None else self.const(True, dtype=BOOL, lanes=wanted))
        lanes = keep.lanes
        address = self.address(pointer, dtype, self._padded(offsets, lanes), inside=mask is None)
        kind, mask_text, suffix = type_text(stored, lanes), type_text(BOOL, lanes), self._memory_suffix(stored, lanes)
        self.declarations.add(f"declare {kind} @llvm.masked.gather.{suffix}.v{lanes}p0(<{lanes} x ptr>, i32, {mask_text}, {kind})")
        found = self.new(f"call {kind} @llvm.masked.gather.{suffix}.v{lanes}p0(<{lanes} x ptr> {address}, i32 {stored.itemsize}, "
                         f"{mask_text} {keep.ref}, {kind} zeroinitializer)", stored, lanes)
        return self._from_memory(self.first(found, wanted), dtype)

    def may_write_out(self, lanes: int) -> bool:
        """Whether so many more lanes of this function may be fetched or written one by one."""
        self.spare_lanes -= lanes
        return self.spare_lanes >= 0

    def collect(self, pointer: str, dtype: np.dtype, offset: Value, step: int, lanes: int) -> Value:
        """Elements `step` apart, from `offset` on, fetched one by one: unlike a gather LLVM may move these out of a loop."""
        stored = memory_dtype(dtype)
        kind, base = type_text(stored), self.address(pointer, dtype, offset)
        found, whole = "poison", type_text(stored, lanes)
        for lane in range(lanes):
            place, one, more = self.fresh(), self.fresh(), self.fresh()
            self.line(f"{place} = getelementptr {kind}, ptr {base}, i64 {lane * step}")
            self.line(f"{one} = load {kind}, ptr {place}, align {stored.itemsize}")
            self.line(f"{more} = insertelement {whole} {found}, {kind} {one}, i64 {lane}")
            found = more
        return self._from_memory(Value(found, stored, lanes), dtype)

    def distribute(self, value: Value, pointer: str, offset: Value, step: int) -> None:
        """The lanes to places `step` apart, from `offset` on, one by one."""
        stored = self._to_memory(value)
        kind, base = type_text(stored.dtype), self.address(pointer, value.dtype, offset)
        for lane in range(stored.lanes):
            place, one = self.fresh(), self.lane(stored, lane)
            self.line(f"{place} = getelementptr {kind}, ptr {base}, i64 {lane * step}")
            self.line(f"store {kind} {one.ref}, ptr {place}, align {stored.dtype.itemsize}")

    def store(self, value: Value, pointer: str, offset: Value) -> None:
        """All lanes side by side from `offset` on."""
        stored = self._to_memory(value)
        address = self.address(pointer, value.dtype, offset)
        self.line(f"store {type_text(stored.dtype, stored.lanes)} {stored.ref}, ptr {address}, align {stored.dtype.itemsize}")

    def scatter(self, value: Value, pointer: str, offsets: Value) -> None:
        """Each lane to its own offset."""
        value = self.splat(value, offsets.lanes)
        keep = self._whole_mask(self.const(True, dtype=BOOL, lanes=offsets.lanes))
        lanes = keep.lanes
        stored = self._padded(self._to_memory(value), lanes)
        address = self.address(pointer, value.dtype, self._padded(offsets, lanes))
        kind, mask_text, suffix = type_text(stored.dtype, lanes), type_text(BOOL, lanes), self._memory_suffix(stored.dtype, lanes)
        self.declarations.add(f"declare void @llvm.masked.scatter.{suffix}.v{lanes}p0({kind}, <{lanes} x ptr>, i32, {mask_text})")
        self.line(f"call void @llvm.masked.scatter.{suffix}.v{lanes}p0({kind} {stored.ref}, <{lanes} x ptr> {address}, "
                  f"i32 {stored.dtype.itemsize}, {mask_text} {keep.ref})")

    # ------------------------------------------------------------------ variables (LLVM turns them into registers)
    def variable(self, start: Value) -> Variable:
        """A mutable local that starts with a value here."""
        ref = self.fresh("var")
        self.allocas.append(f"  {ref} = alloca {type_text(start.dtype, start.lanes)}")
        found = Variable(self, ref, start.dtype, start.lanes)
        found.set(start)
        return found

    # ------------------------------------------------------------------ control
    @contextmanager
    def loop(self, start: Value, stop: Value, step: int = 1) -> Iterator[Value]:
        """for i in range(start, stop, step)."""
        name = self.fresh("loop")[1:]
        counter = self.variable(start)
        self.line(f"br label %{name}.head")
        self.label(f"{name}.head")
        i = counter.get()
        inside = self.compare("<", i, stop)
        self.line(f"br i1 {inside.ref}, label %{name}.body, label %{name}.end")
        self.label(f"{name}.body")
        yield i
        counter.set(self.new(f"add nsw i64 {i.ref}, {step}", INT64))
        self.line(f"br label %{name}.head")
        self.label(f"{name}.end")

    @contextmanager
    def loop_while(self, condition: Callable[[], Value]) -> Iterator[None]:
        """while condition(): ..."""
        name = self.fresh("while")[1:]
        self.line(f"br label %{name}.head")
        self.label(f"{name}.head")
        self.line(f"br i1 {condition().ref}, label %{name}.body, label %{name}.end")
        self.label(f"{name}.body")
        yield
        self.line(f"br label %{name}.head")
        self.label(f"{name}.end")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """if condition: ..."""
        name = self.fresh("when")[1:]
        self.line(f"br i1 {condition.ref}, label %{name}.then, label %{name}.end")
        self.label(f"{name}.then")
        yield
        self.line(f"br label %{name}.end")
        self.label(f"{name}.end")

    def function(self, header: str, last: str = "ret void") -> str:
        """The finished function text."""
        return "\n".join([f"{header} {{", "entry:", *self.allocas, *self.lines, f"  {last}", "}"])


class Variable:
    """A mutable local of a function under construction."""

    __slots__ = ("builder", "dtype", "lanes", "ref")

    def __init__(self, builder: Builder, ref: str, dtype: np.dtype, lanes: int) -> None:
        self.builder, self.ref, self.dtype, self.lanes = builder, ref, dtype, lanes

    def get(self) -> Value:
        return self.builder.new(f"load {type_text(self.dtype, self.lanes)}, ptr {self.ref}", self.dtype, self.lanes)

    def set(self, value: Value) -> None:
        self.builder.line(f"store {type_text(self.dtype, self.lanes)} {self.builder.splat(value, self.lanes).ref}, ptr {self.ref}")
