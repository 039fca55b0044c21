"""What all optimizers share: binding to parameters, the step, state and its names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, Constraint, check
from ..errors import ArgumentError, GradientError, left_to
from ..graph.dtype import DType
from ..nn.module import Module, Parameters
from ..nn.number import Number, Structured, text
from ..nn.state import copied_state, load_arrays
from ..tensor import Tensor, no_grad, versions

State = dict[str, Tensor]
Factors = dict[str, Tensor]
SHOWN = 8  # parameters without gradient that are named before the rest is only counted


class Term(Number):
    """A Number whose part of the update is left out of the graph as long as it has only ever been 0."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        if self.name not in instance.terms and (isinstance(value, Tensor) or value != 0):
            instance.terms.add(self.name)
            versions.structure += 1
            instance.extend_state()


class Optimizer(Structured):
    """The base of optimizers. A subclass says what state a parameter needs and how one update goes, nothing else.

    init(parameter) -> {name: array}: the state beside a parameter at the start.
    factors(dtype) -> {name: 0-d tensor}: the numbers that the updates of all parameters of one type share.
    update(gradient, parameter, state) -> (new parameter, new state): a pure function of tensors.

    Hyper-parameters are 0-d tensors behind plain attributes: `opt.lr = 0.1` is seen by the next step, compiled or not.

    >>> import slopes as sl
    >>> from slopes import nn, optim
    >>> net = nn.Linear(2, 1)
    >>> opt = optim.SGD(net.parameters(), lr=0.1)
    >>> nn.mse_loss(net(sl.ones((4, 2))), sl.ones((4, 1))).backward()
    >>> opt.step()
    """

    lr = Number(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {"lr": NOT_NEGATIVE, "maximize": FLAG}
    counts = False  # whether updates need the number of the step

    def __init__(self, lr: float, maximize: bool = False) -> None:
        check(type(self).__name__, {"maximize": FLAG}, {"maximize": maximize})
        self.terms: set[str] = set()
        self.names: list[str] = []
        self.parameters: list[Tensor] = []
        self.states: list[State] = []
        self.steps = Tensor(0, np.int64)
        self.lr = lr
        self.maximize = maximize

    # Binding

    def start(self, parameters: Any) -> None:
        """Called by a subclass once its hyper-parameters are set: bind to the parameters, if any were given."""
        if parameters is not None:
            self.bind(parameters)

    def bind(self, parameters: Module | Mapping[str, Tensor] | Iterable[Tensor]) -> Optimizer:
        """Optimize these parameters: a module's, named ones, or a list. Binding to the same ones again keeps the state."""
        names, found = named(type(self).__name__, parameters)
        if len(found) == len(self.parameters) and all(a is b for a, b in zip(found, self.parameters)):
            return self
        self.names, self.parameters, self.states = names, found, [{} for _ in found]
        self.steps.assign(0)
        self.extend_state()
        return self

    def extend_state(self) -> None:
        """Allocate the state that is not there yet."""
        for parameter, state in zip(self.parameters, self.states):
            for name, array in self.init(parameter).items():
                if name not in state:
                    state[name] = Tensor(array)

    # What a subclass says

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        """The state beside this parameter at the start."""
        raise left_to(self, "init")

    def factors(self, dtype: DType) -> Factors:
        """The numbers of an update, in the type of the parameters."""
        raise left_to(self, "factors")

    def update(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors | None = None) -> tuple[Tensor, State]:
        """The new value of a parameter and the new state beside it; `factors` may be given where they are known already."""
        raise left_to(self, "update")

    # The step

    def step(self) -> None:
        """Update every parameter from its gradient.

        Raises GradientError, and changes nothing, when a parameter has no gradient; one with requires_grad=False is left alone.
        """
        self.check_bound("step")
        with no_grad():
            gradients = self.gradients()
            if self.counts:
                self.steps.assign(self.steps + 1)
            factors = {dtype: self.factors(dtype) for dtype in dict.fromkeys(parameter.dtype for parameter in self.parameters)}
            for gradient, parameter, state in zip(gradients, self.parameters, self.states):
                if gradient is not None:
                    self.update_one(-gradient if self.maximize else gradient, parameter, state, factors[parameter.dtype])

    def update_one(self, gradient: Tensor, parameter: Tensor, state: State, factors: Factors) -> None:
        new, changed = self.update(gradient, parameter, state, factors)
        parameter.assign(new)
        for name, value in changed.items():
            state[name].assign(value)

    def gradients(self) -> list[Tensor | None]:
        """Each parameter's gradient, None for a frozen one."""
        found = [parameter.grad if parameter.requires_grad else None for parameter in self.parameters]
        missing = [name for name, parameter, gradient in zip(self.names, self.parameters, found)
                   if gradient is None and parameter.requires_grad]
        if missing:
            raise self.missing_gradient(missing)
        return found

    def missing_gradient(self, missing: list[str]) -> GradientError:
        owner = type(self).__name__
        shown = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
        learning = sum(parameter.requires_grad for parameter in self.parameters)
        if len(missing) == learning:
            return GradientError(f"{owner}.step: none of the {learning} parameters has a gradient ({shown})",
                                 why="backward() was not called since gradients were last cleared, or it reached none of them",
                                 repair="call loss.backward() before step(), and zero_grad() before backward(), not after")
        have = "has" if len(missing) == 1 else "have"
        return GradientError(f"{owner}.step: {len(missing)} of {learning} parameters {have} no gradient: {shown}",
                             why="the loss does not depend on them: they were not used, or what they gave was detached",
                             repair="use them, or let them rest: parameter.requires_grad = False")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def check_bound(self, use: str) -> None:
        if not self.parameters:
            raise ArgumentError(f"{type(self).__name__}.{use}: it has no parameters yet",
                                repair="bind it first: opt.bind(net.parameters())")

    # State

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the hyper-parameters, the number of steps, and each parameter's state under "0.weight.momentum_buffer"."""
        return copied_state(self.named_state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over what `state_dict` gave. Raises one StateError that lists all that does not fit; then nothing is changed."""
        self.check_bound("load_state_dict")
        load_arrays(type(self).__name__, dict(self.named_state()), state, strict)

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of everything that a step reads and writes besides parameters and gradients."""
        shared = [("steps", self.steps)] if self.counts else []
        return [*self.hyper_parameters().items(), *shared,
                *((f"{name}.{key}", held) for name, state in zip(self.names, self.states) for key, held in state.items())]

    def cast_numbers(self, dtype: DType) -> Factors:
        """The hyper-parameters in another type."""
        return {name: number.astype(dtype) for name, number in self.hyper_parameters().items()}

    def hyper_parameters(self) -> dict[str, Tensor]:
        """The numbers that the update uses, by name; those whose term was left out are not among them."""
        numbers = {name: value for name, value in vars(self).items() if isinstance(getattr(type(self), name, None), Number)}
        return {name: value for name, value in numbers.items()
                if not isinstance(getattr(type(self), name), Term) or name in self.terms}

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={text(value)}" for name, value in self.hyper_parameters().items())
        return f"{type(self).__name__}({numbers})"


def named(owner: str, parameters: Any) -> tuple[list[str], list[Tensor]]:
    """The names and the parameters, each once."""
    given = parameters.parameters() if isinstance(parameters, Module) else parameters
    if isinstance(given, Tensor):
        raise ArgumentError(f"{owner}: parameters must be a list of tensors, not one tensor",
                            repair="put it into a list: [weight]")
    pairs = named_pairs(given)
    if not pairs:
        raise ArgumentError(f"{owner}: there are no parameters to optimize",
                            why="the module has none, or the generator that gives them was used up",
                            repair="pass net.parameters()")
    for name, parameter in pairs:
        if not isinstance(parameter, Tensor):
            raise ArgumentError(f"{owner}: parameter {name} is {parameter!r} of type {type(parameter).__name__}, not a tensor",
                                repair="pass net.parameters(), or a list of parameters")
    unique = {id(parameter): (name, parameter) for name, parameter in reversed(pairs)}
    kept = list(reversed(unique.values()))
    return [name for name, _ in kept], [parameter for _, parameter in kept]


def named_pairs(given: Any) -> list[tuple[str, Any]]:
    """(name, parameter): its path where it is known, otherwise its position."""
    if isinstance(given, Mapping):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise ArgumentError(f"the parameters are {given!r} of type {type(given).__name__}, not a list of tensors",
                            repair="pass net.parameters(), or a list of parameters")
    names = given.names if isinstance(given, Parameters) else map(str, itertools.count())
    return list(zip(names, given))
