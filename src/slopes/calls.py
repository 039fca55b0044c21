"""Inspect a frame's bytecode: which function a line calls, and into how many names it unpacks the result."""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
VARIABLES = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF")  # and their variants, such as LOAD_FAST_CHECK


class Instruction(NamedTuple):
    """The current instruction of a frame: operation, argument, and the names of the function that it calls or just called."""

    operation: str
    number: Any
    function: tuple[str, ...]  # ("sl", "max"); ("", "max") for a method of what has no name; () unless a function is called


def current_instruction(frame: FrameType) -> Instruction:
    """The current instruction of a frame."""
    return instruction(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=512)
def instruction(code: CodeType, offset: int) -> Instruction:
    steps = [step for step in dis.get_instructions(code) if step.offset <= offset]
    if not steps:
        return Instruction("", 0, ())
    last = steps[-1]
    call = last if last.opname.startswith("CALL") else steps[-2] if len(steps) > 1 else last
    return Instruction(last.opname, last.argval, called_names(steps, call) if call.opname.startswith("CALL") else ())


def called_names(steps: list[dis.Instruction], call: dis.Instruction) -> tuple[str, ...]:
    """The names of the called function in the source: `sl.max(x, 1)` calls ("sl", "max")."""
    names: list[str] = []
    for step in reversed(steps[:steps.index(call)]):
        if source_position(step) != source_position(call):
            continue
        if step.opname in ATTRIBUTES:
            names.append(step.argval)
        elif step.opname.startswith(VARIABLES):
            return step.argval, *reversed(names)
        elif names:
            return "", *reversed(names)
    return ()


def source_position(step: dis.Instruction) -> tuple[int | None, int | None] | None:
    position = step.positions
    return None if position is None or position.col_offset is None else (position.lineno, position.col_offset)


def called_function(frame: FrameType) -> Any:
    """The function that a frame is calling; None if unknown."""
    operation, _, names = current_instruction(frame)
    if not operation.startswith("CALL") or not names:
        return None
    scopes = frame.f_locals, frame.f_globals, frame.f_builtins
    function = next((scope[names[0]] for scope in scopes if names[0] in scope), None)
    for name in names[1:]:
        function = vars(function).get(name) if isinstance(function, ModuleType) else None
    return function
