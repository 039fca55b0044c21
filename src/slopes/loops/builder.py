"""Instructions on typed values, scalar or vector alike: arithmetic, comparisons, bits, conversions, functions."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from ..errors import CompileError
from .function_writer import FunctionWriter
from .values import BOOL, FLOAT32, INT64, Value, type_text

INTEGER_PREDICATES = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
FLOAT_PREDICATES = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}

FOLDED: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "udiv": operator.floordiv, "urem": operator.mod}
MATH: dict[str, Callable[..., Value]] = {}  # filled by mathlib: name -> function of a builder and values


def folded(b: FunctionWriter, instruction: str, x: Value, y: Value) -> Value | None:
    """The result of integer arithmetic on indices that is known without an instruction: on constants, or with a neutral 0 or 1."""
    left, right = x.literal, y.literal
    if x.dtype != INT64 or (left is None and right is None):
        return None
    if isinstance(left, int) and isinstance(right, int):
        if right == 0 and instruction in ("udiv", "urem") or (left < 0 or right < 0) and instruction in ("udiv", "urem"):
            return None
        value = FOLDED[instruction](left, right)
        return b.const(value, like=x) if -(2**63) <= value < 2**63 else None
    if right == 0 and instruction in ("add", "sub") or right == 1 and instruction in ("mul", "udiv"):
        return x
    if left == 0 and instruction == "add" or left == 1 and instruction == "mul":
        return y
    if 0 in (left, right) and instruction == "mul" or right == 1 and instruction == "urem":
        return b.const(0, like=x)
    return None


class Builder(FunctionWriter):
    """A function writer with a method for each operation; algorithms on top of them are functions that take a builder.

    lanes               of a full vector of 32-bit elements on the target
    fused               whether the processor multiplies and adds in one instruction
    masked_arithmetic   whether its instructions can leave lanes out
    scalarize_budget    how many more lanes may be loaded or stored one by one: see `memory.may_scalarize`
    error, site         the pointer through which run-time checks report, and the code that they report
    """

    def __init__(self, lanes: int, fused: bool = True, masked_arithmetic: bool = False, scalarize_budget: int = 0) -> None:
        super().__init__()
        self.lanes, self.fused, self.masked_arithmetic = lanes, fused, masked_arithmetic
        self.scalarize_budget = scalarize_budget
        self.error = "%error"
        self.site = "0"

    # ------------------------------------------------------------------ arithmetic
    def binary(self, instruction: str, x: Value, y: Value, dtype: np.dtype | None = None) -> Value:
        """One of LLVM's binary instructions; the result has the type of the operands unless another one is named."""
        x, y = self.match(x, y)
        known = folded(self, instruction, x, y) if instruction in FOLDED else None
        if known is not None:
            return known
        return self.new(f"{instruction} {type_text(x.dtype, x.lanes)} {x.ref}, {y.ref}", dtype if dtype is not None else x.dtype, x.lanes)

    def add(self, x: Value, y: Value) -> Value:
        return self.binary("fadd" if x.dtype.kind == "f" else "or" if x.dtype == BOOL else "add", x, y)

    def sub(self, x: Value, y: Value) -> Value:
        return self.binary("fsub" if x.dtype.kind == "f" else "sub", x, y)

    def accumulate(self, total: Value, x: Value) -> Value:
        """total + x inside of a sum of products: a product x need not be rounded before it is added (LLVM may fuse the two)."""
        return self.binary("fadd contract", total, x) if x.dtype.kind == "f" else self.add(total, x)

    def decrease(self, total: Value, x: Value) -> Value:
        """total - x inside of a sum of products, as in `accumulate`."""
        return self.binary("fsub contract", total, x) if x.dtype.kind == "f" else self.sub(total, x)

    def mul(self, x: Value, y: Value) -> Value:
        """x y; only `accumulate` and `decrease` may fuse it with a sum."""
        return self.binary("fmul contract" if x.dtype.kind == "f" else "and" if x.dtype == BOOL else "mul", x, y)

    def div(self, x: Value, y: Value) -> Value:
        return self.binary("fdiv", x, y)

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """x y + z, rounded once where the processor can, else twice."""
        return self.intrinsic("fma", x.dtype, self.match(x, y, z)) if self.fused else self.accumulate(z, self.mul(x, y))

    def neg(self, x: Value) -> Value:
        if x.dtype.kind == "f":
            return self.new(f"fneg {type_text(x.dtype, x.lanes)} {x.ref}", x.dtype, x.lanes)
        return self.sub(self.const(0, like=x), x)

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
        for operand in (x, y):
            if operand.literal is not None and operand.literal != operand.literal:
                return operand  # NaN
        if y.literal is None:
            return self.intrinsic(name, x.dtype, [x, y])
        # Against a constant one comparison is enough: unordered picks x, so that NaN passes through.
        kind = type_text(x.dtype, x.lanes)
        wins = self.new(f"fcmp u{'lt' if sign == '<' else 'gt'} {kind} {x.ref}, {y.ref}", BOOL, x.lanes)
        return self.select(wins, x, y)

    def compare(self, sign: str, x: Value, y: Value) -> Value:
        if x.dtype.kind == "f":
            return self.binary(f"fcmp {FLOAT_PREDICATES[sign]}", x, y, BOOL)
        predicate = INTEGER_PREDICATES[sign]
        if sign not in ("==", "!="):
            predicate = ("s" if x.dtype.kind == "i" else "u") + predicate
        return self.binary(f"icmp {predicate}", x, y, BOOL)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        if condition.lanes == 1 and max(x.lanes, y.lanes) > 1:
            x, y = self.match(x, y)  # one scalar condition may choose between whole vectors
        else:
            condition, x, y = self.match(condition, x, y)
        kind = type_text(x.dtype, x.lanes)
        return self.new(f"select {type_text(BOOL, condition.lanes)} {condition.ref}, {kind} {x.ref}, {kind} {y.ref}", x.dtype, x.lanes)

    # ------------------------------------------------------------------ bits
    def bit_and(self, x: Value, y: Value) -> Value:
        return self.binary("and", x, y)

    def bit_or(self, x: Value, y: Value) -> Value:
        return self.binary("or", x, y)

    def bit_xor(self, x: Value, y: Value) -> Value:
        return self.binary("xor", x, y)

    def bit_not(self, x: Value) -> Value:
        return self.binary("xor", x, self.const(True if x.dtype == BOOL else -1, like=x))

    def shl(self, x: Value, y: Value) -> Value:
        """x times 2 to the y; counts of the width or more give 0."""
        safe, big = self._shift_count(x, y)
        return self.select(big, self.const(0, like=x), self.binary("shl", x, safe))

    def shr(self, x: Value, y: Value) -> Value:
        """x divided by 2 to the y, rounded down; counts of the width or more leave only the sign."""
        safe, big = self._shift_count(x, y)
        if x.dtype.kind == "u":
            return self.select(big, self.const(0, like=x), self.binary("lshr", x, safe))
        last = self.const(x.dtype.itemsize * 8 - 1, like=x)
        return self.binary("ashr", x, self.select(big, last, safe))

    def _shift_count(self, x: Value, y: Value) -> tuple[Value, Value]:
        width = x.dtype.itemsize * 8
        unsigned = Value(y.ref, np.dtype(f"uint{width}"), y.lanes, y.literal)  # a negative count is a huge one
        big = self.compare(">=", unsigned, self.const(width, like=unsigned))
        return self.select(big, self.const(0, like=y), y), big

    def rotate_left(self, x: Value, count: int) -> Value:
        """The bits of x moved up by a constant count, those that fall out coming back below."""
        return self.intrinsic("fshl", x.dtype, [x, x, self.const(count, like=x)])

    # ------------------------------------------------------------------ conversion
    def cast(self, x: Value, dtype: np.dtype) -> Value:
        """The value in another type: floats to integers toward zero (saturating), anything to bool by `!= 0`."""
        if x.dtype == dtype:
            return x
        if dtype == BOOL:
            return self.compare("!=", x, self.const(0, like=x))
        source, target = x.dtype, dtype
        if source.kind == "f" and target.kind == "f":
            return self.convert("fpext" if target.itemsize > source.itemsize else "fptrunc", x, dtype)
        if source.kind == "f":
            return self._float_to_integer(x, dtype)
        if target.kind == "f":
            return self.convert("sitofp" if source.kind == "i" else "uitofp", x, dtype)
        if source != BOOL and target.itemsize == source.itemsize:
            return Value(x.ref, dtype, x.lanes, x.literal)
        if source != BOOL and target.itemsize < source.itemsize:
            return self.convert("trunc", x, dtype)
        return self.convert("sext" if source.kind == "i" else "zext", x, dtype)

    def convert(self, instruction: str, x: Value, dtype: np.dtype) -> Value:
        """One of LLVM's conversion instructions."""
        if x.lanes == 3 and dtype.itemsize == 1 and (instruction == "trunc" and x.dtype.itemsize == 8 or x.dtype == BOOL):
            return self._convert_lanes(instruction, x, dtype)
        return self.new(f"{instruction} {type_text(x.dtype, x.lanes)} {x.ref} to {type_text(dtype, x.lanes)}", dtype, x.lanes)

    def _convert_lanes(self, instruction: str, x: Value, dtype: np.dtype) -> Value:
        """Lane by lane: LLVM 22 ends the process when it has to cut three lanes of 64 bits, or what was found comparing them, to bytes
        for ARM.
        """
        kind, result = type_text(dtype, x.lanes), Value("poison", dtype, x.lanes)
        for i in range(x.lanes):
            lane = self.convert(instruction, self.lane(x, i), dtype)
            result = self.new(f"insertelement {kind} {result.ref}, {type_text(dtype)} {lane.ref}, i64 {i}", dtype, x.lanes)
        return result

    def _float_to_integer(self, x: Value, dtype: np.dtype) -> Value:
        name = "fptosi.sat" if dtype.kind == "i" else "fptoui.sat"
        lanes = "" if x.lanes == 1 else f"v{x.lanes}"
        source = "f32" if x.dtype == FLOAT32 else "f64"
        full = f"@llvm.{name}.{lanes}{type_text(dtype)}.{lanes}{source}"
        kind, out = type_text(x.dtype, x.lanes), type_text(dtype, x.lanes)
        self.declarations.add(f"declare {out} {full}({kind})")
        return self.new(f"call {out} {full}({kind} {x.ref})", dtype, x.lanes)

    def bitcast(self, x: Value, dtype: np.dtype) -> Value:
        kind = type_text(x.dtype, x.lanes)
        return self.new(f"bitcast {kind} {x.ref} to {type_text(dtype, x.lanes)}", dtype, x.lanes)

    # ------------------------------------------------------------------ functions and checks
    def math(self, name: str, *args: Value) -> Value:
        """A function of slopes' own vector mathematics."""
        if name not in MATH:
            raise CompileError(f"there is no native function {name!r}", repair="the functions are " + ", ".join(sorted(MATH)))
        return MATH[name](self, *self.match(*args))

    def check_not(self, bad: Value) -> None:
        """Report this site's code when any lane of `bad` holds; the program goes on with safe values and fails at its end."""
        if bad.literal is not None and not bad.literal:
            return
        with self.when(self.any_lane(bad)):
            self.line(f"store atomic i32 {self.site}, ptr {self.error} monotonic, align 4")
