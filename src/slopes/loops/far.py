"""Exact steps for arguments far outside the usual range, one number at a time: angles of any size, and remainders of any quotient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .builder import Builder
from .values import Value, type_text

FLOAT64 = np.dtype("float64")

# 64 zero bits, then the first 1,216 bits of 2 / pi behind the point: enough for the exponent of every float64.
TWO_OVER_PI_WORDS = (
    0,
    0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0,
    0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4,
    0x9C845F8BBDF9283B, 0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
)
HALF_PI_FIXED = 0xC90FDAA22168C234  # pi / 2 times 2^63


def replaced(b: Builder, lanes_far: Value, function: Callable[..., tuple[Value, ...]], args: Sequence[Value], results: Sequence[Value], *,
             usual: float) -> tuple[Value, ...]:
    """The results, but function(b, *args) in the lanes that are far; a branch skips all of this where there are none.

    The function gets float64 scalars; in lanes that are not far these are `usual`, so that it need not bear anything else.
    """
    variables = [b.variable(x) for x in results]
    with b.when(b.any_lane(lanes_far)):
        safe = [b.select(lanes_far, b.cast(x, FLOAT64), b.const(usual, dtype=FLOAT64)) for x in args]
        with b.loop(b.whole(0), b.whole(lanes_far.lanes)) as lane:
            one_far = at(b, lanes_far, lane)
            values = function(b, *(at(b, x, lane) for x in safe))
            for variable, new in zip(variables, values):
                vector = variable.get()
                kept = b.select(one_far, b.cast(new, vector.dtype), at(b, vector, lane))
                variable.set(put(b, vector, kept, lane))
    return tuple(variable.get() for variable in variables)


def at(b: Builder, x: Value, lane: Value) -> Value:
    """One lane, whose number is known when the program runs."""
    return x if x.lanes == 1 else b.new(f"extractelement {type_text(x.dtype, x.lanes)} {x.ref}, i64 {lane.ref}", x.dtype)


def put(b: Builder, x: Value, one: Value, lane: Value) -> Value:
    """x with another number in one lane."""
    if x.lanes == 1:
        return one
    kind = type_text(x.dtype, x.lanes)
    return b.new(f"insertelement {kind} {x.ref}, {type_text(x.dtype)} {one.ref}, i64 {lane.ref}", x.dtype, x.lanes)


def far_angle(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = n pi / 2 + r for 2^49 < |x| < inf: r, and an integer that ends in the bits of n."""
    words = ", ".join(f"i64 {word}" for word in TWO_OVER_PI_WORDS)
    b.declarations |= {f"@two_over_pi = private unnamed_addr constant [{len(TWO_OVER_PI_WORDS)} x i64] [{words}]",
                       "declare i64 @llvm.fshl.i64(i64, i64, i64)", "declare i128 @llvm.ctlz.i128(i128, i1)",
                       "declare i128 @llvm.abs.i128(i128, i1)", FAR_ANGLE}
    pair = b.new(f"call {{ double, i64 }} @far_angle(double {x.ref})", FLOAT64)
    return (b.new(f"extractvalue {{ double, i64 }} {pair.ref}, 0", FLOAT64),
            b.new(f"extractvalue {{ double, i64 }} {pair.ref}, 1", np.dtype("uint64")))


# |x| = m 2^e with 53 bits in m. Bits of 2 / pi above the place e - 2 make multiples of four quarter turns, so that 192 bits from there
# on are enough: their product with m, without what lies above it, is |x| 2 / pi modulo 4 in 2 + 190 bits, of which 126 are kept.
FAR_ANGLE = f"""
define internal {{ double, i64 }} @far_angle(double %x) noinline cold nounwind {{
  %bits = bitcast double %x to i64
  %sign = icmp slt i64 %bits, 0
  %field = lshr i64 %bits, 52
  %power = and i64 %field, 2047
  %fraction = and i64 %bits, {2**52 - 1}
  %m = or i64 %fraction, {2**52}
  %skipped = sub i64 %power, 1013
  %word = lshr i64 %skipped, 6
  %shift = and i64 %skipped, 63
  %p0 = getelementptr i64, ptr @two_over_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %t0 = load i64, ptr %p0
  %t1 = load i64, ptr %p1
  %t2 = load i64, ptr %p2
  %t3 = load i64, ptr %p3
  %w0 = call i64 @llvm.fshl.i64(i64 %t0, i64 %t1, i64 %shift)
  %w1 = call i64 @llvm.fshl.i64(i64 %t1, i64 %t2, i64 %shift)
  %w2 = call i64 @llvm.fshl.i64(i64 %t2, i64 %t3, i64 %shift)
  %m.wide = zext i64 %m to i128
  %w1.wide = zext i64 %w1 to i128
  %w2.wide = zext i64 %w2 to i128
  %low = mul i128 %m.wide, %w2.wide
  %carry = lshr i128 %low, 64
  %middle = mul i128 %m.wide, %w1.wide
  %middle.all = add i128 %middle, %carry
  %high = mul i64 %m, %w0
  %high.wide = zext i64 %high to i128
  %high.moved = shl i128 %high.wide, 64
  %turns = add i128 %high.moved, %middle.all
  %half = add i128 %turns, {2**125}
  %n.wide = lshr i128 %half, 126
  %n = trunc i128 %n.wide to i64
  %rest = shl i128 %turns, 2
  %below = icmp slt i128 %rest, 0
  %size = call i128 @llvm.abs.i128(i128 %rest, i1 false)
  %zeros.wide = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %whole = shl i128 %size, %zeros.wide
  %top.wide = lshr i128 %whole, 64
  %product = mul i128 %top.wide, {HALF_PI_FIXED}
  %angle.wide = lshr i128 %product, 64
  %angle = trunc i128 %angle.wide to i64
  %mantissa = uitofp i64 %angle to double
  %zeros = trunc i128 %zeros.wide to i64
  %exponent = sub i64 {1023 - 63}, %zeros
  %scale.bits = shl i64 %exponent, 52
  %scale = bitcast i64 %scale.bits to double
  %r.size = fmul double %mantissa, %scale
  %opposite = xor i1 %sign, %below
  %r.minus = fneg double %r.size
  %r = select i1 %opposite, double %r.minus, double %r.size
  %n.minus = sub i64 0, %n
  %n.signed = select i1 %sign, i64 %n.minus, i64 %n
  %first = insertvalue {{ double, i64 }} poison, double %r, 0
  %both = insertvalue {{ double, i64 }} %first, i64 %n.signed, 1
  ret {{ double, i64 }} %both
}}"""


def far_rest(b: Builder, x: Value, y: Value) -> tuple[Value]:
    """x modulo y, exactly, for finite x >= y > 0."""
    b.declarations |= {"declare i64 @llvm.umin.i64(i64, i64)", "declare i64 @llvm.umax.i64(i64, i64)", FAR_REST}
    return (b.new(f"call double @far_rest(double {x.ref}, double {y.ref})", FLOAT64),)


# x = m 2^e, y = n 2^f: m 2^(e - f) modulo n, eleven bits at a time, which is how many of 64 are left above those of a rest.
FAR_REST = f"""
define internal double @far_rest(double %x, double %y) noinline cold nounwind {{
entry:
  %x.bits = bitcast double %x to i64
  %y.bits = bitcast double %y to i64
  %x.field = lshr i64 %x.bits, 52
  %y.field = lshr i64 %y.bits, 52
  %x.power = call i64 @llvm.umax.i64(i64 %x.field, i64 1)
  %y.power = call i64 @llvm.umax.i64(i64 %y.field, i64 1)
  %x.fraction = and i64 %x.bits, {2**52 - 1}
  %y.fraction = and i64 %y.bits, {2**52 - 1}
  %x.normal = icmp ne i64 %x.field, 0
  %y.normal = icmp ne i64 %y.field, 0
  %x.one = select i1 %x.normal, i64 {2**52}, i64 0
  %y.one = select i1 %y.normal, i64 {2**52}, i64 0
  %m = or i64 %x.fraction, %x.one
  %n = or i64 %y.fraction, %y.one
  %start = urem i64 %m, %n
  %bits = sub i64 %x.power, %y.power
  br label %head
head:
  %rest = phi i64 [ %start, %entry ], [ %less, %body ]
  %left = phi i64 [ %bits, %entry ], [ %fewer, %body ]
  %more = icmp ne i64 %left, 0
  br i1 %more, label %body, label %end
body:
  %step = call i64 @llvm.umin.i64(i64 %left, i64 11)
  %moved = shl i64 %rest, %step
  %less = urem i64 %moved, %n
  %fewer = sub i64 %left, %step
  br label %head
end:
  %number = uitofp i64 %rest to double
  %normal = icmp ugt i64 %y.power, 52
  %exponent = sub i64 %y.power, 52
  %scale.normal = shl i64 %exponent, 52
  %place = sub i64 %y.power, 1
  %scale.denormal = shl i64 1, %place
  %scale.bits = select i1 %normal, i64 %scale.normal, i64 %scale.denormal
  %scale = bitcast i64 %scale.bits to double
  %result = fmul double %number, %scale
  ret double %result
}}"""
