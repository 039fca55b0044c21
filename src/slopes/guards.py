"""Whether what a compiled function read while it was traced is still the same: compared before each call, in some nanoseconds."""

from __future__ import annotations

import keyword
import operator
import re
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .arrays import memory_of, shorten
from .bytecode import ATTRIBUTE, CELL, GLOBAL
from .capture_values import CONTENTS, CONTEXT, METHOD, UNKNOWN, Slot, is_large, items_of
from .captures import Captures
from .trace import Trace

ARRAY = "array"
COMPARED = 65536  # bytes: of larger arrays, what NumPy computes from them while a function is traced is not compared
PREFIX = "slopes_guard_"
PART = re.compile(rf"{PREFIX}(?:same|held\d+|name\d+|value\d+)_")
PYTHON_VALUE = "(a Python value is part of the program: pass a tensor if it changes)"


class Guards:
    """The slots that a function read values from, and whether they still hold them.

    `hold` is a function made for these slots: it looks each one up as the user's code does (a global by its name, a cell as a
    free variable, an attribute by a dot), which Python does in a few nanoseconds where a loop over a table would take fifty.
    """

    def __init__(self, captures: Captures, inputs: Iterable[np.ndarray], copied: Iterable[np.ndarray]) -> None:
        read = {id(array) for array in inputs}
        by_value = [*copied, *(array for array, _ in captures.arrays.values() if id(array) not in read and array.nbytes <= COMPARED)]
        self.slots = [*captures.slots.values(), *(self.array_slot(array, captures) for array in {id(a): a for a in by_value}.values())]
        self.namespace: dict[str, Any] = next((slot.holder for slot in self.slots if slot.kind == GLOBAL), {})
        self.values = [slot.value for slot in self.slots]
        self.hold = self.made()

    def array_slot(self, array: np.ndarray, captures: Captures) -> Slot:
        return Slot(ARRAY, array, "", captures.arrays.get(id(array), (None, "an array"))[1], array.tobytes())

    def made(self) -> Callable[[], bool]:
        """The function that compares: values are its defaults, cells its free variables, globals its globals."""
        if not self.slots:
            return always
        tests = " and ".join(test_text(i, slot, slot.holder is self.namespace) for i, slot in enumerate(self.slots))
        self.names = list(dict.fromkeys(PART.findall(tests)))
        cells = {f"{PREFIX}cell{i}": slot.holder for i, slot in enumerate(self.slots) if slot.kind == CELL}
        outer = "".join(f"  {name} = None\n" for name in cells)
        text = (f"def make():\n{outer}  def hold({', '.join(f'{name}=None' for name in self.names)}):\n    try:\n"
                f"      return {tests}\n    except Exception:\n      return False\n")
        code = inner_code(inner_code(compile(text, "<slopes guards>", "exec")))
        return FunctionType(code, self.namespace, "hold", self.defaults(), tuple(cells[name] for name in code.co_freevars))

    def parts(self) -> dict[str, Any]:
        """What the tests may speak of."""
        parts = {f"{PREFIX}same_": same_items}
        for i, (slot, value) in enumerate(zip(self.slots, self.values)):
            parts |= {f"{PREFIX}held{i}_": slot.holder, f"{PREFIX}name{i}_": slot.name, f"{PREFIX}value{i}_": value}
        return parts

    def defaults(self) -> tuple:
        parts = self.parts()
        return tuple(parts[name] for name in self.names)

    def changed(self) -> str:
        """What is no longer the same, in words; "" where all values are equal. What is equal but another object is taken over."""
        for i, slot in enumerate(self.slots):
            present = now(slot)
            if not (equal_items if slot.kind == CONTENTS else equal)(present, self.values[i]):
                return described(slot, self.values[i], present)
            self.values[i] = present
        if isinstance(self.hold, FunctionType) and self.slots:
            self.hold.__defaults__ = self.defaults()
        return ""


def guards_of(before: Captures, after: Captures, trace: Trace) -> Guards:
    """The guards of a function that has been traced.

    Arrays that its program reads at each call need none, and counts and logs that the function itself keeps get none: two functions
    that share one would make each other be traced again and again.
    """
    for key in before.slots.keys() & after.slots.keys():
        old, new = before.slots[key], after.slots[key]
        numbers = {type(old.value), type(new.value)} <= {int, float}
        if (new.kind == CONTENTS and not equal_items(old.value, new.value)) or (numbers and not equal(old.value, new.value)):
            del after.slots[key]
    return Guards(after, [memory_of(array) for array, _ in trace.arrays.values()], trace.copied)


def always() -> bool:
    """The guard of a function that reads nothing."""
    return True


def test_text(number: int, slot: Slot, near: bool) -> str:
    """The comparison of one slot, as Python text; near: whether it is a global of the function itself."""
    held, name, value = (f"{PREFIX}{what}{number}_" for what in ("held", "name", "value"))
    if slot.kind == GLOBAL and near:
        return f"{slot.name} is {value}"
    if slot.kind == CELL:
        return f"{PREFIX}cell{number} is {value}"
    if slot.kind == METHOD:
        return f"{held}.{slot.name}.__func__ is {value}"
    if slot.kind == ATTRIBUTE:
        written = slot.name.isidentifier() and not keyword.iskeyword(slot.name)  # else it was set by another way than a dot
        return f"{held}.{slot.name} is {value}" if written else f"{held}.__dict__[{name}] is {value}"
    if slot.kind == CONTEXT:
        return f"{held}.get(None) is {value}"
    if slot.kind == CONTENTS:
        return f"{PREFIX}same_({held}, {value})"
    return f"{held}.tobytes() == {value}" if slot.kind == ARRAY else f"{held}[{name}] is {value}"


def inner_code(code: CodeType) -> CodeType:
    return next(inner for inner in code.co_consts if isinstance(inner, CodeType))


def same_items(container: Any, items: list) -> bool:
    """Whether a container holds these very objects."""
    present = items_of(container)
    return len(present) == len(items) and ((is_large(container) and present == items) or all(map(operator.is_, present, items)))


def now(slot: Slot) -> Any:
    """What a slot holds; UNKNOWN when it is gone."""
    try:
        if slot.kind == ARRAY:
            return slot.holder.tobytes()
        if slot.kind == CONTENTS:
            return items_of(slot.holder)
        if slot.kind == CONTEXT:
            return slot.holder.get(None)
        if slot.kind == CELL:
            return slot.holder.cell_contents
        if slot.kind == METHOD:
            return getattr(slot.holder, slot.name).__func__
        return getattr(slot.holder, slot.name) if slot.kind == ATTRIBUTE else slot.holder[slot.name]
    except Exception:
        return UNKNOWN


def equal(x: Any, y: Any) -> bool:
    """Whether two values are one object, or plain values that no function can tell apart."""
    if x is y:
        return True
    if type(x) is not type(y):
        return False
    if isinstance(x, tuple):
        return equal_items(x, y)
    if isinstance(x, (float, complex, np.generic)):
        return repr(x) == repr(y)  # which tells -0.0 from 0.0
    return isinstance(x, (int, str, bytes)) and x == y


def equal_items(items: Any, others: Any) -> bool:
    return others is not UNKNOWN and items is not UNKNOWN and len(items) == len(others) and all(map(equal, items, others))


def described(slot: Slot, before: Any, present: Any) -> str:
    """`config.rate` is 0.2, was 0.1."""
    if slot.kind in (ARRAY, CONTENTS):
        return f"what `{slot.shown}` holds has changed"
    if present is UNKNOWN:
        return f"`{slot.shown}` is gone"
    if not issubclass(type(present), (bool, int, float, complex, str, np.generic, type(None))):
        return f"`{slot.shown}` is another object"
    return f"`{slot.shown}` is {shorten(present)}, was {shorten(before)} {PYTHON_VALUE}"
