"""A smaller program with the same kind of difference."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import numpy as np

import slopes as sl

from .arrays import literal_text
from .comparing import check
from .drawing import Program, Statement, namespace

LITERAL = 64  # elements of a value that may be written out
TRIES = 200


def shrunk(program: Program, index: int) -> Program:
    """Leave out, or make simpler, whatever the difference does not need."""
    tries = 0
    smaller = True
    while smaller and tries < TRIES:
        smaller = False
        for candidate in candidates(program):
            tries += 1
            if differs(candidate, index):
                program, smaller = candidate, True
                break
    return program


def differs(program: Program, index: int) -> bool:
    try:
        return check(program, index).status == "different"
    except Exception:  # what is left is no program
        return False


def candidates(program: Program) -> Iterator[Program]:
    """Simpler programs, the simplest first."""
    for number in range(len(program.transforms)):
        yield without_unread(program.copy(transforms=program.transforms[:number] + program.transforms[number + 1:]))
    if program.calls > 1:
        yield program.copy(calls=1)
    if program.storage != "float32":
        yield program.copy(storage="float32")
    for name in program.results:
        if len(program.results) > 1:
            yield without_unread(program.copy(results=[name]))
    for statement in program.statements[:-1]:
        yield without_unread(program.copy(results=[statement.name]))
    yield from with_literals(program)


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:x|v|net)\d+\b", text))


def without_unread(program: Program) -> Program:
    """The program without statements, layers and inputs that nothing needs."""
    needed, kept = set(program.results), []
    for statement in reversed(program.statements):
        if statement.name in needed:
            kept.append(statement)
            needed |= names_in(statement.text)
    tied = {name for each in program.layers for name in names_in(each.text)}
    nets = names_in(" ".join(program.transforms))
    layers = [each for each in program.layers if each.name in needed | nets or each.name in tied or each.text.startswith("nn.tie")]
    return with_inputs(program.copy(statements=kept[::-1], layers=layers), needed)


def with_inputs(program: Program, needed: set[str]) -> Program:
    """The program with these inputs alone; transforms count them by their places."""
    kept = [place for place, name in enumerate(program.inputs) if name in needed]
    transforms = [with_places(each, kept) for each in program.transforms]
    if not kept or any("()" in each for each in transforms):
        return program
    return program.copy(inputs={name: text for name, text in program.inputs.items() if name in needed}, transforms=transforms)


def with_places(transform: str, kept: Sequence[int]) -> str:
    """The transform of a function that has these of its arguments."""
    found = re.fullmatch(r"([\w.]+)\(f, (\(.*\))\)", transform)
    if not found:
        return transform
    name, places = found[1], ast.literal_eval(found[2])
    own = tuple(places[place] for place in kept) if name == "sl.vmap" else tuple(kept.index(each) for each in places if each in kept)
    return f"{name}(f, {own})"


def with_literals(program: Program) -> Iterator[Program]:
    """A statement's value written out, as an input of its own; or an input written out."""
    names = namespace() | {"real": program.real}
    sl.seed(0)
    for layer in program.layers:
        exec(f"{layer.name} = {layer.text}", names)
    for name, text in program.inputs.items():
        names[name] = sl.asarray(eval(text, names))
        if "np.array(" not in text and names[name].size <= LITERAL:
            yield program.copy(inputs=program.inputs | {name: literal(names[name], program.real)})
    if any(each.startswith("sl.vmap") for each in program.transforms):
        return
    for number, statement in enumerate(program.statements):
        exec(statement.text, names)
        value = names[statement.name]
        if value.size <= LITERAL and statement.name not in program.results:
            yield cut(program, number, statement, literal(value, program.real))


def literal(tensor: sl.Tensor, real: str) -> str:
    array = np.asarray(tensor.numpy())
    return literal_text(array, "real" if array.dtype.name == real else array.dtype.name)


def cut(program: Program, number: int, statement: Statement, text: str) -> Program:
    """The program with an input in the place of a statement."""
    name = f"x{1 + max((int(each[1:]) for each in program.inputs), default=0)}"
    rest = [Statement(each.name, re.sub(rf"\b{statement.name}\b", name, each.text)) for each in program.statements[number + 1:]]
    return without_unread(program.copy(inputs=program.inputs | {name: text}, statements=program.statements[:number] + rest))
