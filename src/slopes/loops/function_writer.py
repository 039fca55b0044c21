"""One LLVM function while it is written: its lines, the values that they define, vectors and lanes, variables and control flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from .values import BOOL, INT64, Value, literal_text, suffix_text, type_text


MEMORY = frozenset({"load", "call", "atomicrmw", "cmpxchg"})
"""Instructions that may give another value when they are executed again."""


class FunctionWriter:
    """The body of one function, line after line, in which each value is defined once (SSA form).

    A computation that is written again where the first result is in scope is that result: LLVM is given nothing that it would have to
    find equal.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.declarations: set[str] = set()
        self._count = 0
        self._defined: dict[str, str] = {}  # the names of values by the instructions that define them
        self._scopes: list[list[str]] = [[]]  # the instructions of each block that is open

    # ------------------------------------------------------------------ text
    def fresh(self, hint: str = "") -> str:
        """A name that nothing else in the function has."""
        self._count += 1
        return f"%{hint}{self._count}" if hint else f"%v{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def new(self, text: str, dtype: np.dtype, lanes: int = 1) -> Value:
        """The value that an instruction defines."""
        return Value(self.define(text), dtype, lanes)

    def define(self, text: str, hint: str = "") -> str:
        """The name of the value that an instruction defines: that of an equal one, if there is one in scope."""
        known = self._defined.get(text)
        if known is not None:
            return known
        ref = self.fresh(hint)
        self.lines.append(f"  {ref} = {text}")
        if text.partition(" ")[0] not in MEMORY:
            self._defined[text] = ref
            self._scopes[-1].append(text)
        return ref

    @contextmanager
    def block(self) -> Iterator[None]:
        """Instructions that are not executed on every way to those behind them: the values that they define are known only inside."""
        self._scopes.append([])
        yield
        for text in self._scopes.pop():
            del self._defined[text]

    def intrinsic(self, name: str, dtype: np.dtype, args: Sequence[Value], *, result: np.dtype | None = None) -> Value:
        """Call an overloaded LLVM intrinsic whose arguments all have the type of the first."""
        lanes = args[0].lanes
        suffix = ("" if lanes == 1 else f"v{lanes}") + suffix_text(dtype)
        kind, out = type_text(dtype, lanes), result if result is not None else dtype
        self.declarations.add(f"declare {type_text(out, lanes)} @llvm.{name}.{suffix}({', '.join([kind] * len(args))})")
        values = ", ".join(f"{kind} {arg.ref}" for arg in args)
        return self.new(f"call {type_text(out, lanes)} @llvm.{name}.{suffix}({values})", out, lanes)

    # ------------------------------------------------------------------ constants, vectors and lanes
    def const(self, value: object, like: Value | None = None, dtype: np.dtype | None = None, lanes: int | None = None) -> Value:
        """A constant of the type and number of lanes of `like`, or as named."""
        kind = dtype if dtype is not None else like.dtype if like is not None else INT64
        count = lanes if lanes is not None else like.lanes if like is not None else 1
        text = literal_text(value, kind)
        return Value(text if count == 1 else f"splat ({type_text(kind)} {text})", kind, count, literal=value)

    def whole(self, value: int) -> Value:
        """A constant of type int64."""
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
        """A vector of lanes of x, or of x followed by y, by their indices."""
        kind = type_text(x.dtype, x.lanes)
        mask = ", ".join(f"i32 {pick}" for pick in picks)
        other = "poison" if y is None else y.ref
        return self.new(f"shufflevector {kind} {x.ref}, {kind} {other}, <{len(picks)} x i32> <{mask}>", x.dtype, len(picks))

    def lane(self, x: Value, i: int) -> Value:
        """One lane as a scalar."""
        return self.new(f"extractelement <{x.lanes} x {type_text(x.dtype)}> {x.ref}, i64 {i}", x.dtype)

    def first(self, x: Value, lanes: int) -> Value:
        """The first lanes; one of them alone is a scalar."""
        if x.lanes == lanes:
            return x
        return self.lane(x, 0) if lanes == 1 else self.shuffle(x, None, range(lanes))

    def any_lane(self, x: Value) -> Value:
        """Whether a truth value holds in any lane."""
        if x.lanes == 1:
            return x
        kind = type_text(BOOL, x.lanes)
        self.declarations.add(f"declare i1 @llvm.vector.reduce.or.v{x.lanes}i1({kind})")
        return self.new(f"call i1 @llvm.vector.reduce.or.v{x.lanes}i1({kind} {x.ref})", BOOL)

    # ------------------------------------------------------------------ variables (LLVM turns them into registers)
    def variable(self, start: Value) -> Variable:
        """A mutable local that starts with a value here."""
        ref = self.fresh("var")
        self.allocas.append(f"  {ref} = alloca {type_text(start.dtype, start.lanes)}")
        local = Variable(self, ref, start.dtype, start.lanes)
        local.set(start)
        return local

    # ------------------------------------------------------------------ control
    @contextmanager
    def loop(self, start: Value, stop: Value, step: int = 1) -> Iterator[Value]:
        """for i in range(start, stop, step)."""
        name = self.fresh("loop")[1:]
        counter = self.variable(start)
        self.line(f"br label %{name}.head")
        self.label(f"{name}.head")
        i = counter.get()
        inside = self.new(f"icmp slt i64 {i.ref}, {stop.ref}", BOOL)
        self.line(f"br i1 {inside.ref}, label %{name}.body, label %{name}.end")
        self.label(f"{name}.body")
        with self.block():
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
        with self.block():
            yield
        self.line(f"br label %{name}.head")
        self.label(f"{name}.end")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """if condition: ..."""
        name = self.fresh("when")[1:]
        self.line(f"br i1 {condition.ref}, label %{name}.then, label %{name}.end")
        self.label(f"{name}.then")
        with self.block():
            yield
        self.line(f"br label %{name}.end")
        self.label(f"{name}.end")

    def function(self, header: str, last: str = "ret void") -> str:
        """The finished function text."""
        return "\n".join([f"{header} {{", "entry:", *self.allocas, *self.lines, f"  {last}", "}"])


class Variable:
    """A mutable local of a function under construction."""

    __slots__ = ("dtype", "lanes", "ref", "writer")

    def __init__(self, writer: FunctionWriter, ref: str, dtype: np.dtype, lanes: int) -> None:
        self.writer, self.ref, self.dtype, self.lanes = writer, ref, dtype, lanes

    def get(self) -> Value:
        return self.writer.new(f"load {type_text(self.dtype, self.lanes)}, ptr {self.ref}", self.dtype, self.lanes)

    def set(self, value: Value) -> None:
        self.writer.line(f"store {type_text(self.dtype, self.lanes)} {self.writer.splat(value, self.lanes).ref}, ptr {self.ref}")
