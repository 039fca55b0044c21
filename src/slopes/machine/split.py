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
    declared = {each[2]: f"declare {each[1]} @{each[2]}({', '.join(types(each[3]))})" for each in functions}
    return [part_text(common, group, declared) for group in group_by_size(functions, sum(len(each[0]) for each in functions) / count)]


def types(parameters: str) -> list[str]:
    """The types of a definition's parameters, which begin them."""
    return [each.split()[0] for each in parameters.split(", ") if each]


def group_by_size(functions: Sequence[re.Match[str]], size: float) -> list[list[re.Match[str]]]:
    """Consecutive functions of together at least this size, the last ones perhaps less."""
    groups: list[list[re.Match[str]]] = [[]]
    filled = 0
    for each in functions:
        if filled >= size:
            groups.append([])
            filled = 0
        groups[-1].append(each)
        filled += len(each[0])
    return groups


def part_text(common: str, functions: Sequence[re.Match[str]], declared: dict[str, str]) -> str:
    """A module of these functions; what they call in other parts is declared."""
    own = {each[2] for each in functions}
    called = dict.fromkeys(name for each in functions for name in CALLED.findall(each[0]))
    others = [declared[name] for name in called if name in declared and name not in own]
    return "\n".join([*others, common, *(each[0].replace("define internal ", "define ", 1) for each in functions)])
