"""`torch.optim`: the optimizers of slopes with PyTorch's `param_groups`, and schedules that are stepped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from ... import optim as core
from ...optim.groups import option_names
from ...tensor import tensor as core_tensor
from ..sides import lifted, on_side, side, to_window
from . import lr_scheduler
from .lbfgs import LBFGS


class Group(MutableMapping):
    """A group of parameters as PyTorch shows it: group["lr"] = 0.1."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def __getitem__(self, name: str) -> Any:
        if name == "params":
            return to_window(list(self.optimizer.parameters))
        if name not in option_names(type(self.optimizer)):
            raise KeyError(name)
        value = getattr(self.optimizer, name)
        return float(value) if hasattr(value, "shape") else value

    def __setitem__(self, name: str, value: Any) -> None:
        with on_side(core=True):
            setattr(self.optimizer, name, value)

    def __delitem__(self, name: str) -> None:
        raise KeyError(f"{name} stays an option of this group")

    def __iter__(self) -> Iterator[str]:
        return iter(["params", *(name for name in option_names(type(self.optimizer)) if hasattr(self.optimizer, name))])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Optimizer(core.Optimizer):
    """The base of the window's optimizers: parameters without a gradient are skipped, as in PyTorch."""

    @property
    def param_groups(self) -> list[Group]:
        return [Group(group) for group in self.groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        with on_side(core=True):
            super().zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; `closure`, if there is one, computes the gradients and returns the loss."""
        loss = None if closure is None else closure()
        with on_side(core=True):
            super().step()
        return loss

    def gradients(self) -> list[Any]:
        return [parameter.grad if parameter.requires_grad else None for parameter in self.parameters]

    def state_dict(self) -> Any:
        """Copies of the hyper-parameters and of each parameter's state, as tensors, by name."""
        return super().state_dict() if side.core else lifted(tensors)(super().state_dict())


def tensors(state: dict[str, Any]) -> dict[str, Any]:
    return {name: core_tensor(array) for name, array in state.items()}


OPTIMIZERS = ("SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "RAdam", "RMSprop", "Rprop")
globals().update({name: type(name, (Optimizer, getattr(core, name)), {"__doc__": getattr(core, name).__doc__, "__module__": __name__})
                  for name in OPTIMIZERS})

__all__ = [*OPTIMIZERS, "LBFGS", "Optimizer", "lr_scheduler"]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch.optim.{name} is not in slopes.torch; in slopes: sl.optim has {', '.join(core.__all__)}")
