"""Train and eval mode for a while: which layers learn, and the mode that every module is in afterwards."""

from __future__ import annotations

from typing import Any

from ..nn.module import Module


class Mode:
    """While entered, the net is in train or eval mode, except for what is frozen; afterwards every module is in the mode it had.

    With `quiet`, the change is hidden from compiled functions, which would trace again: only for blocks that run nothing but programs
    compiled for this mode.
    """

    def __init__(self, net: Module, training: bool, quiet: bool = False) -> None:
        self.modules = [module for _, module in net.named_modules()]
        self.before = [module.training for module in self.modules]
        self.inside = [training and learns for learns in learning(net)]
        self.assign = object.__setattr__ if quiet else setattr

    def __enter__(self) -> Mode:
        self.switch(self.inside)
        return self

    def __exit__(self, *error: object) -> None:
        self.switch(self.before)

    def switch(self, modes: list[bool]) -> None:
        """Set each module's mode where it differs: an assignment without effect would still count as a change."""
        for module, mode in zip(self.modules, modes):
            if module.training != mode:
                self.assign(module, "training", mode)


def learning(net: Module) -> list[bool]:
    """For each module, whether it is in train mode while the net learns."""
    whole = net.training or net.left_in_use
    return [not is_frozen(module, whole) for _, module in net.named_modules()]


def put_in_use(net: Module) -> None:
    """Put a net that learns into eval mode, ready for use; which of its layers learn is kept for the training that goes on."""
    for (_, module), learns in zip(net.named_modules(), learning(net)):
        if module.training:
            module.training = False
        object.__setattr__(module, "left_in_use", learns)


def is_frozen(module: Any, whole: bool) -> bool:
    """Whether a module stays in eval mode while the net learns.

    One that its user put into eval mode is, in a net that is otherwise in train mode (`whole`), or was before a training. In a net
    that was put into eval mode as a whole, which is how nets are used, only a module all of whose parameters are at rest is.
    """
    if module.training or module.left_in_use:
        return False
    parameters = module.parameters()
    return whole or (len(parameters) > 0 and not any(parameter.requires_grad for parameter in parameters))
