"""Forward hooks of modules: functions that see, and may replace, what a module gets and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Hook = Callable[..., Any]
BEFORE, AFTER = "forward_pre_hooks", "forward_hooks"  # attributes of modules: dictionaries of hooks


class Handle:
    """What registering a hook returns: remove() takes the hook away."""

    def __init__(self, module: Any, kind: str, key: int) -> None:
        self.module, self.kind, self.key = module, kind, key

    def remove(self) -> None:
        """Take the hook away; nothing where it is gone."""
        vars(self.module)[self.kind].pop(self.key, None)


def register(module: Any, kind: str, hook: Hook) -> Handle:
    """Add a hook, after those that are there."""
    if kind not in vars(module):
        setattr(module, kind, {})
    hooks = vars(module)[kind]
    key = max(hooks, default=-1) + 1
    hooks[key] = hook
    return Handle(module, kind, key)


def changed_args(module: Any, args: tuple) -> tuple:
    """The arguments after all hooks: one that returns something replaces them."""
    for hook in list(vars(module).get(BEFORE, {}).values()):
        result = hook(module, args)
        if result is not None:
            args = result if isinstance(result, tuple) else (result,)
    return args


def changed_output(module: Any, args: tuple, output: Any) -> Any:
    """The output after all hooks: one that returns something replaces it."""
    for hook in list(vars(module).get(AFTER, {}).values()):
        result = hook(module, args, output)
        output = output if result is None else result
    return output
