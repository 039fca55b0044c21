"""A module of LLVM code split into several that can be translated at the same time and find each other when they are loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..costs import PART

FUNCTION = re.compile(r"^define (?:internal )?(\w+) @([\w.]+)\((.*)\)(.*)\{\n(?:.*\n)*?\}\n", re.M)
CALLED = re.compile(r"call \w+ @([\w.]+)\(")


def split(text: str) -> list[str]:
    """The module in parts of about equal size; where one ends does not depend on anything but the text."""
    functions = list(FUNCTION.finditer(text))
    count = max(1, round(len(text) / PART))
    if count == 1 or len(functions) < 2:
        return [text]
    common = FUNCTION.sub("", text)
    declared = {function[2]: f"declare {function[1]} @{function[2]}({', '.join(types(function[3]))})" for function in functions}
    size = sum(len(function[0]) for function in functions) / count
    return [part_text(common, group, declared) for group in group_by_size(functions, size)]


def types(parameters: str) -> list[str]:
    """The types of a definition's parameters, which begin them."""
    return [parameter.split()[0] for parameter in parameters.split(", ") if parameter]


def group_by_size(functions: Sequence[re.Match[str]], size: float) -> list[list[re.Match[str]]]:
    """Consecutive functions of together at least this size, the last ones perhaps less."""
    groups: list[list[re.Match[str]]] = [[]]
    filled = 0
    for function in functions:
        if filled >= size:
            groups.append([])
            filled = 0
        groups[-1].append(function)
        filled += len(function[0])
    return groups


def part_text(common: str, functions: Sequence[re.Match[str]], declared: dict[str, str]) -> str:
    """A module of these functions; what they call in other parts is declared."""
    own = {function[2] for function in functions}
    called = dict.fromkeys(name for function in functions for name in CALLED.findall(function[0]))
    others = [declared[name] for name in called if name in declared and name not in own]
    return "\n".join([*others, common, *(function[0].replace("define internal ", "define ", 1) for function in functions)])
