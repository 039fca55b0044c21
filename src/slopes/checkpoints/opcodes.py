"""Interpret the opcodes of a pickle: plain values and a closed list of globals; nothing is imported, nothing is called."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..errors import DataError
from ..files.reading import REPAIR, Path, refused
from .globals import GLOBALS, Builder, Class, complete, no_such_global

MOST_OPCODES = 4_000_000  # a checkpoint has about 20 per tensor
MOST_INTEGER = 128  # bytes: Python prints only integers of some thousand digits
MALFORMED = (TypeError, ValueError, LookupError, AttributeError, OverflowError)  # what arguments of other types and lengths raise
Persistent = Callable[[Any], Any]  # from the tuple of a persistent id to the value that it stands for


class Unpickler(Builder):
    """A stack machine for pickles of protocol 2 to 5, with values that are checked and bounded by the pickle's length.

    Dicts, lists, tuples, sets, numbers, text and bytes are built; a global is one of `globals.GLOBALS`, and is refused by name
    otherwise. `persistent` turns persistent ids into values. Raises DataError naming the byte.
    Format: the opcodes as documented in Python's pickletools.
    """

    def __init__(self, raw: bytes, path: Path, field: str, persistent: Persistent | None = None, start: int = 0) -> None:
        self.raw, self.path, self.field, self.persistent = raw, path, field, persistent
        self.position = self.opcode_at = start
        self.stack: list[Any] = []
        self.marks: list[int] = []  # sizes of the stack
        self.memo: dict[int, Any] = {}
        self.allowance = 2 * len(raw) + 4096

    def load(self) -> Any:
        """The value that the next pickle of `raw` stands for; `position` is the byte after it."""
        self.stack, self.marks, self.memo = [], [], {}
        for _ in range(MOST_OPCODES):
            self.opcode_at = self.position
            code = self.take(1)[0]
            if code == STOP:
                return self.pop()
            action = ACTIONS.get(code)
            if action is None:
                raise self.refuse(f"the opcode {bytes([code])!r} is not supported", "protocols 2 to 5 are read, without extensions")
            action(self)
        raise self.refuse(f"it has more than {MOST_OPCODES} opcodes")

    def refuse(self, problem: str, why: str = "", repair: str = REPAIR) -> DataError:
        """The error that names the byte of the opcode that failed."""
        return refused(self.path, f"{self.field}, byte {self.opcode_at}", problem, why, repair)

    # Bytes of arguments

    def take(self, count: int) -> bytes:
        data = self.raw[self.position : self.position + count]
        if len(data) != count:
            raise self.refuse("the pickle ends within it", "it is truncated")
        self.position += count
        return data

    def take_integer(self, format: str) -> int:
        return int(struct.unpack(format, self.take(struct.calcsize(format)))[0])

    def take_block(self, format: str) -> bytes:
        """A length in this format, then as many bytes."""
        count = self.take_integer(format)
        if not 0 <= count <= len(self.raw) - self.position:
            raise self.refuse(f"it claims {count} bytes, but {len(self.raw) - self.position} follow")
        return self.take(count)

    def take_long(self, format: str) -> int:
        block = self.take_block(format)
        if len(block) > MOST_INTEGER:
            raise self.refuse(f"an integer has {len(block)} bytes, more than {MOST_INTEGER}")
        return int.from_bytes(block, "little", signed=True)

    def take_text(self, format: str) -> str:
        try:
            return self.take_block(format).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.refuse("its text is not UTF-8") from None

    def take_line(self) -> str:
        end = self.raw.find(b"\n", self.position, self.position + 1000)
        if end < 0:
            raise self.refuse("a name does not end")
        line = self.take(end + 1 - self.position)[:-1]
        return line.decode("utf-8", "replace")

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.refuse("there is no value on the stack")
        return self.stack.pop()

    def pop_items(self) -> list[Any]:
        """The values above the last mark."""
        if not self.marks:
            raise self.refuse("there is no mark on the stack")
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def top(self, kind: type) -> Any:
        """The container on top of the stack, which must be of this type."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or type(self.stack[-1]) is not kind:
            raise self.refuse(f"it needs a {kind.__name__} on the stack")
        return self.stack[-1]

    # Opcodes

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def duplicate(self) -> None:
        value = self.pop()
        self.stack += [value, value]

    def drop(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def append(self) -> None:
        value = self.pop()
        self.top(list).append(value)

    def extend(self) -> None:
        items = self.pop_items()
        self.top(list).extend(items)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.top(dict)[self.key(key)] = value

    def set_items(self) -> None:
        items = self.pop_items()
        self.update(self.top(dict), items)

    def add_items(self) -> None:
        items = self.pop_items()
        self.top(set).update(map(self.key, items))

    def update(self, target: dict[Any, Any], items: list[Any]) -> None:
        if len(items) % 2:
            raise self.refuse("a key has no value")
        target.update((self.key(items[i]), items[i + 1]) for i in range(0, len(items), 2))

    def make_dict(self) -> None:
        target: dict[Any, Any] = {}
        self.update(target, self.pop_items())
        self.push(target)

    def make_frozenset(self) -> None:
        self.push(frozenset(map(self.key, self.pop_items())))

    def push_string(self, format: str) -> None:
        """Python 2's str: text where it is UTF-8, else bytes."""
        block = self.take_block(format)
        try:
            self.push(block.decode("utf-8"))
        except UnicodeDecodeError:
            self.push(block)

    def global_by_name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise self.refuse("a global's name is not text")
        if f"{module} {name}" not in GLOBALS:
            raise no_such_global(self, f"{module}.{name}")
        self.push(GLOBALS[f"{module} {name}"])

    def global_of_lines(self) -> None:
        module = self.take_line()
        self.global_by_name(module, self.take_line())

    def global_of_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.global_by_name(module, name)

    def reduce(self) -> None:
        """Build what a global stands for from its arguments."""
        args, target = self.pop(), self.pop()
        if not isinstance(target, Class) or not isinstance(args, tuple):
            raise self.refuse(f"a {type(target).__name__} is called")
        try:
            self.push(target.rebuild(self, *args))
        except DataError:
            raise
        except MALFORMED:
            raise self.refuse(f"the arguments of {target.name} are not those of PyTorch or NumPy") from None

    def build(self) -> None:
        """Complete the value on top of the stack by its state."""
        state, target = self.pop(), self.pop()
        try:
            self.push(complete(self, target, state))
        except DataError:
            raise
        except MALFORMED:
            raise self.refuse(f"the state of a {type(target).__name__} is not one of PyTorch or NumPy") from None

    def persistent_value(self) -> None:
        key = self.pop()
        if self.persistent is None:
            raise self.refuse("a persistent id, which this pickle cannot have")
        try:
            self.push(self.persistent(key))
        except DataError:
            raise
        except MALFORMED:
            raise self.refuse("a persistent id does not describe a storage") from None

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise self.refuse(f"the memo has no entry {index}")
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        value = self.pop()
        self.memo[index] = value
        self.push(value)

    def check_protocol(self) -> None:
        protocol = self.take(1)[0]
        if not 2 <= protocol <= 5:
            raise self.refuse(f"it is a pickle of protocol {protocol}", "protocols 2 to 5 are read")


STOP = ord(".")
ACTIONS: dict[int, Callable[[Unpickler], None]] = {
    0x80: Unpickler.check_protocol,
    0x95: lambda machine: void(machine.take(8)),  # FRAME
    ord("("): Unpickler.mark,
    ord("0"): Unpickler.drop,
    ord("1"): lambda machine: void(machine.pop_items()),  # POP_MARK
    ord("2"): Unpickler.duplicate,
    ord("N"): lambda machine: machine.push(None),
    0x88: lambda machine: machine.push(True),
    0x89: lambda machine: machine.push(False),
    ord("J"): lambda machine: machine.push(machine.take_integer("<i")),
    ord("K"): lambda machine: machine.push(machine.take_integer("<B")),
    ord("M"): lambda machine: machine.push(machine.take_integer("<H")),
    0x8A: lambda machine: machine.push(machine.take_long("<B")),
    0x8B: lambda machine: machine.push(machine.take_long("<i")),
    ord("G"): lambda machine: machine.push(struct.unpack(">d", machine.take(8))[0]),
    ord("U"): lambda machine: machine.push_string("<B"),
    ord("T"): lambda machine: machine.push_string("<i"),
    0x8C: lambda machine: machine.push(machine.take_text("<B")),
    ord("X"): lambda machine: machine.push(machine.take_text("<I")),
    0x8D: lambda machine: machine.push(machine.take_text("<Q")),
    ord("C"): lambda machine: machine.push(machine.take_block("<B")),
    ord("B"): lambda machine: machine.push(machine.take_block("<I")),
    0x8E: lambda machine: machine.push(machine.take_block("<Q")),
    0x96: lambda machine: machine.push(machine.take_block("<Q")),  # BYTEARRAY8: not to be changed, so bytes will do
    ord("]"): lambda machine: machine.push([]),
    ord(")"): lambda machine: machine.push(()),
    ord("}"): lambda machine: machine.push({}),
    0x8F: lambda machine: machine.push(set()),
    ord("l"): lambda machine: machine.push(machine.pop_items()),
    ord("t"): lambda machine: machine.push(tuple(machine.pop_items())),
    0x85: lambda machine: machine.tuple_of(1),
    0x86: lambda machine: machine.tuple_of(2),
    0x87: lambda machine: machine.tuple_of(3),
    ord("d"): Unpickler.make_dict,
    0x91: Unpickler.make_frozenset,
    ord("a"): Unpickler.append,
    ord("e"): Unpickler.extend,
    ord("s"): Unpickler.set_item,
    ord("u"): Unpickler.set_items,
    0x90: Unpickler.add_items,
    ord("c"): Unpickler.global_of_lines,
    0x93: Unpickler.global_of_stack,
    ord("R"): Unpickler.reduce,
    0x81: Unpickler.reduce,  # NEWOBJ: the classes of the closed list are built alike
    ord("b"): Unpickler.build,
    ord("Q"): Unpickler.persistent_value,
    ord("h"): lambda machine: machine.get(machine.take_integer("<B")),
    ord("j"): lambda machine: machine.get(machine.take_integer("<I")),
    ord("q"): lambda machine: machine.put(machine.take_integer("<B")),
    ord("r"): lambda machine: machine.put(machine.take_integer("<I")),
    0x94: lambda machine: machine.put(len(machine.memo)),  # MEMOIZE
}


def void(value: Any) -> None:
    """Let a value go."""
