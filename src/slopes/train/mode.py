"""Train and eval mode for a while: every module is afterwards in the mode it had."""

from __future__ import annotations

from typing import Any


class Mode:
    """While entered, the net is in train or eval mode; afterwards every module is in the mode it had."""

    def __init__(self, net: Any, training: bool) -> None:
        self.modules = [module for _, module in net.named_modules()]
        self.before = [module.training for module in self.modules]
        self.training = training

    def __enter__(self) -> Mode:
        switch(self.modules, [self.training] * len(self.modules))
        return self

    def __exit__(self, *error: object) -> None:
        switch(self.modules, self.before)


def switch(modules: list[Any], modes: list[bool]) -> None:
    """Set each module's mode where it differs: an assignment without effect would still count as a change of structure."""
    for module, mode in zip(modules, modes):
        if module.training != mode:
            module.training = mode
