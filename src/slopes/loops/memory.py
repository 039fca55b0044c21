"""Loads and stores of scalars and vectors: side by side, at a stride, or each lane at its own offset, with masks where they may miss."""

from __future__ import annotations

import numpy as np

from .builder import Builder
from .values import BOOL, INT32, INT64, Value, memory_dtype, suffix_text, type_text

SMALLEST_REGISTER = 16  # bytes of a vector register


def address_of(b: Builder, pointer: str, dtype: np.dtype, offset: Value, inside: bool = True) -> str:
    """The address of an element; `inside` promises LLVM that it is one of the buffer's, which masked-out elements need not be."""
    if offset.literal == 0 and offset.lanes == 1:
        return pointer
    return b.define(f"getelementptr {'inbounds ' if inside else ''}{type_text(memory_dtype(dtype))}, ptr {pointer}, "
                    f"{type_text(INT64, offset.lanes)} {offset.ref}", "p")


def may_scalarize(b: Builder, lanes: int) -> bool:
    """Whether the function's budget allows to load or store this many more lanes one by one; it is charged for them."""
    b.scalarize_budget -= lanes
    return b.scalarize_budget >= 0


def _from_memory(b: Builder, x: Value, dtype: np.dtype) -> Value:
    return b.compare("!=", x, b.const(0, like=x)) if dtype == BOOL else x


def _to_memory(b: Builder, x: Value) -> Value:
    return b.convert("zext", x, memory_dtype(BOOL)) if x.dtype == BOOL else x


# ---------------------------------------------------------------------- side by side
def load(b: Builder, pointer: str, dtype: np.dtype, offset: Value, lanes: int = 1, mask: Value | None = None) -> Value:
    """`lanes` elements side by side from `offset` on; those that the mask leaves out are not touched and read 0."""
    stored = memory_dtype(dtype)
    kind = type_text(stored, lanes)
    address = address_of(b, pointer, dtype, offset, inside=mask is None)
    if mask is None:
        return _from_memory(b, b.new(f"load {kind}, ptr {address}, align {stored.itemsize}", stored, lanes), dtype)
    if lanes == 1:
        address = _safe_address(b, address, pointer, mask)
        return _from_memory(b, b.new(f"load {kind}, ptr {address}, align {stored.itemsize}", stored, 1), dtype)
    keep = _padded_mask(b, b.splat(mask, lanes), least=SMALLEST_REGISTER // stored.itemsize)
    return _from_memory(b, b.first(_masked_load(b, address, stored, keep), lanes), dtype)


def _safe_address(b: Builder, address: str, pointer: str, mask: Value) -> str:
    """A masked-out scalar reads the first element instead: buffers are never empty."""
    return b.define(f"select i1 {mask.ref}, ptr {address}, ptr {pointer}", "p")


def _masked_load(b: Builder, address: str, stored: np.dtype, mask: Value) -> Value:
    """The elements side by side that the mask picks, 0 for the others: one register at a time.

    LLVM 22 splits wider ones itself, and for AVX2 then reads the upper half whole where the lower half of the mask is known
    to be false. For AVX-512 it moves such a load into masked arithmetic, and out of that
    again without the mask: an empty piece of assembly, which costs nothing, keeps the two apart.
    """
    width = b.lanes * INT32.itemsize // stored.itemsize
    if mask.lanes > width:
        half = mask.lanes // 2
        masks = [b.shuffle(mask, None, range(start, start + half)) for start in (0, half)]
        upper = address_of(b, address, stored, b.whole(half), inside=False)
        low, high = _masked_load(b, address, stored, masks[0]), _masked_load(b, upper, stored, masks[1])
        return b.shuffle(low, high, range(mask.lanes))
    kind, mask_text, suffix = type_text(stored, mask.lanes), type_text(BOOL, mask.lanes), _vector_suffix(stored, mask.lanes)
    b.declarations.add(f"declare {kind} @llvm.masked.load.{suffix}.p0(ptr, i32, {mask_text}, {kind})")
    elements = b.new(f"call {kind} @llvm.masked.load.{suffix}.p0(ptr {address}, i32 {stored.itemsize}, "
                     f"{mask_text} {mask.ref}, {kind} zeroinitializer)", stored, mask.lanes)
    if not b.masked_arithmetic:
        return elements
    return b.new(f'call {kind} asm "", "=v,0"({kind} {elements.ref})', stored, mask.lanes)


def prefetch(b: Builder, pointer: str, dtype: np.dtype, offset: Value) -> None:
    """Have the cache line of an element brought near."""
    b.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    b.line(f"call void @llvm.prefetch.p0(ptr {address_of(b, pointer, dtype, offset)}, i32 0, i32 3, i32 1)")


def store(b: Builder, value: Value, pointer: str, offset: Value) -> None:
    """All lanes side by side from `offset` on."""
    stored = _to_memory(b, value)
    address = address_of(b, pointer, value.dtype, offset)
    b.line(f"store {type_text(stored.dtype, stored.lanes)} {stored.ref}, ptr {address}, align {stored.dtype.itemsize}")


# ---------------------------------------------------------------------- one lane after the other
def load_strided(b: Builder, pointer: str, dtype: np.dtype, offset: Value, step: int, lanes: int) -> Value:
    """Elements `step` apart from `offset` on, loaded one by one: unlike a gather LLVM may move these out of a loop."""
    stored = memory_dtype(dtype)
    kind, base = type_text(stored), address_of(b, pointer, dtype, offset)
    vector, whole = "poison", type_text(stored, lanes)
    for lane in range(lanes):
        address, element, longer = b.fresh(), b.fresh(), b.fresh()
        b.line(f"{address} = getelementptr {kind}, ptr {base}, i64 {lane * step}")
        b.line(f"{element} = load {kind}, ptr {address}, align {stored.itemsize}")
        b.line(f"{longer} = insertelement {whole} {vector}, {kind} {element}, i64 {lane}")
        vector = longer
    return _from_memory(b, Value(vector, stored, lanes), dtype)


def store_strided(b: Builder, value: Value, pointer: str, offset: Value, step: int) -> None:
    """The lanes to elements `step` apart from `offset` on, one by one."""
    stored = _to_memory(b, value)
    kind, base = type_text(stored.dtype), address_of(b, pointer, value.dtype, offset)
    for lane in range(stored.lanes):
        address, element = b.fresh(), b.lane(stored, lane)
        b.line(f"{address} = getelementptr {kind}, ptr {base}, i64 {lane * step}")
        b.line(f"store {kind} {element.ref}, ptr {address}, align {stored.dtype.itemsize}")


# ---------------------------------------------------------------------- each lane at its own offset
def gather(b: Builder, pointer: str, dtype: np.dtype, offsets: Value, mask: Value | None = None) -> Value:
    """One element per lane, each from its own offset."""
    stored, count = memory_dtype(dtype), offsets.lanes
    keep = _padded_mask(b, b.splat(mask, count) if mask is not None else b.const(True, dtype=BOOL, lanes=count))
    lanes = keep.lanes
    address = address_of(b, pointer, dtype, _padded(b, offsets, lanes), inside=mask is None)
    kind, mask_text, suffix = type_text(stored, lanes), type_text(BOOL, lanes), _vector_suffix(stored, lanes)
    b.declarations.add(f"declare {kind} @llvm.masked.gather.{suffix}.v{lanes}p0(<{lanes} x ptr>, i32, {mask_text}, {kind})")
    elements = b.new(f"call {kind} @llvm.masked.gather.{suffix}.v{lanes}p0(<{lanes} x ptr> {address}, i32 {stored.itemsize}, "
                     f"{mask_text} {keep.ref}, {kind} zeroinitializer)", stored, lanes)
    return _from_memory(b, b.first(elements, count), dtype)


def scatter(b: Builder, value: Value, pointer: str, offsets: Value) -> None:
    """Each lane to its own offset."""
    value = b.splat(value, offsets.lanes)
    keep = _padded_mask(b, b.const(True, dtype=BOOL, lanes=offsets.lanes))
    lanes = keep.lanes
    stored = _padded(b, _to_memory(b, value), lanes)
    address = address_of(b, pointer, value.dtype, _padded(b, offsets, lanes))
    kind, mask_text, suffix = type_text(stored.dtype, lanes), type_text(BOOL, lanes), _vector_suffix(stored.dtype, lanes)
    b.declarations.add(f"declare void @llvm.masked.scatter.{suffix}.v{lanes}p0({kind}, <{lanes} x ptr>, i32, {mask_text})")
    b.line(f"call void @llvm.masked.scatter.{suffix}.v{lanes}p0({kind} {stored.ref}, <{lanes} x ptr> {address}, "
           f"i32 {stored.dtype.itemsize}, {mask_text} {keep.ref})")


# ---------------------------------------------------------------------- widths that LLVM takes as vectors
def _padded_mask(b: Builder, mask: Value, least: int = 1) -> Value:
    """The mask with false lanes up to a power of two: LLVM takes masked accesses of other widths element by element."""
    width = max(least, 1 << (mask.lanes - 1).bit_length())
    if width == mask.lanes:
        return mask
    return b.shuffle(mask, b.const(False, like=mask), [min(lane, mask.lanes) for lane in range(width)])


def _padded(b: Builder, x: Value, lanes: int) -> Value:
    """The value with copies of its first lane up to `lanes`."""
    return x if x.lanes == lanes else b.shuffle(x, None, [lane if lane < x.lanes else 0 for lane in range(lanes)])


def _vector_suffix(stored: np.dtype, lanes: int) -> str:
    return f"v{lanes}" + suffix_text(stored)
