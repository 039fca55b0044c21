"""Train and eval mode for a while: every module is afterwards in the mode it had."""

from __future__ import annotations

from typing import Any


class Mode:
    """While entered, the net is in train or eval mode; afterwards every module is in the mode it had.

    With `quiet`, compiled functions are not told: only for blocks in which nothing runs but programs that always run in this
    mode, so that going back and forth does not trace everything again.
    """

    def __init__(self, net: Any, training: bool, quiet: bool = False) -> None:
        self.modules = [module for _, module in net.named_modules()]
        self.before = [module.training for module in self.modules]
        self.training, self.assign = training, object.__setattr__ if quiet else setattr

    def __enter__(self) -> Mode:
        self.switch([self.training] * len(self.modules))
        return self

    def __exit__(self, *error: object) -> None:
        self.switch(self.before)

    def switch(self, modes: list[bool]) -> None:
        """Set each module's mode where it differs: an assignment without effect would still count as a change."""
        for module, mode in zip(self.modules, modes):
            if module.training != mode:
                self.assign(module, "training", mode)
