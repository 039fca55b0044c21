"""The base class of optimizers: binding to parameters, the step, and named state."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, Constraint, check
from ..errors import ArgumentError, GradientError, missing_method
from ..graph.dtype import DType
from ..modes import no_grad
from ..nn.hyper_parameter import HyperParameter, TracksChanges, format_value
from ..nn.module import Module, Parameters
from ..nn.state import copy_state, load_arrays
from ..tensor import Tensor
from ..versions import versions

State = dict[str, Tensor]

MAX_LISTED = 8  # parameters without a gradient that an error names; the others are counted


class Coefficients:
    """The scalars of an update as attributes: `c.lr`, `c.beta1`, 0-d tensors of the parameters' dtype."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        vars(self).update(values)

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Tensor: ...
        def __setattr__(self, name: str, value: Tensor) -> None: ...


class OptionalTerm(HyperParameter):
    """A hyper-parameter whose term of the update is not part of the graph until it is set to something other than 0."""

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        if self.name not in instance.terms and (isinstance(value, Tensor) or value != 0):
            instance.terms.add(self.name)
            versions.structure += 1
            instance.extend_state()


class Optimizer(TracksChanges):
    """The base class of optimizers. A subclass implements:

    init(parameter) -> {name: array}: the initial state of a parameter.
    update(gradient, parameter, state, c) -> (new parameter, new state): a pure function of tensors, where c are the coefficients.
    coefficients(dtype) -> c: by default the hyper-parameters, as `c.lr`; computed once per step and dtype. Override it to add more.

    Hyper-parameters are 0-d tensors behind plain attributes: `opt.lr = 0.1` takes effect in the next step, compiled or not.

    >>> import slopes as sl
    >>> from slopes import nn, optim
    >>> net = nn.Linear(2, 1)
    >>> opt = optim.SGD(net.parameters(), lr=0.1)
    >>> nn.mse_loss(net(sl.ones((4, 2))), sl.ones((4, 1))).backward()
    >>> opt.step()

    An optimizer of your own, which uses the sign of the gradient only:

    >>> class SignSGD(optim.Optimizer):
    ...     def __init__(self, parameters=None, lr=0.01):
    ...         super().__init__(lr)
    ...         self.start(parameters)
    ...     def init(self, parameter):
    ...         return {}
    ...     def update(self, gradient, parameter, state, c):
    ...         return parameter - c.lr * sl.sign(gradient), {}
    >>> w = sl.Parameter([1.0, -2.0])
    >>> sign = SignSGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> sign.step()
    >>> w.numpy().tolist()
    [0.75, -1.75]
    """

    lr = HyperParameter(NOT_NEGATIVE)
    constraints: Mapping[str, Constraint] = {"lr": NOT_NEGATIVE, "maximize": FLAG}

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
        """Bind to the parameters, unless None. A subclass calls it at the end of its __init__."""
        if parameters is not None:
            self.bind(parameters)

    def bind(self, parameters: Module | Mapping[str, Tensor] | Iterable[Tensor]) -> Optimizer:
        """Optimize these parameters: a module, a mapping or a list. Binding to the same ones again keeps the state."""
        names, tensors = named_parameters(type(self).__name__, parameters)
        if len(tensors) == len(self.parameters) and all(a is b for a, b in zip(tensors, self.parameters)):
            return self
        self.names, self.parameters, self.states = names, tensors, [{} for _ in tensors]
        self.steps.assign(0)
        self.extend_state()
        return self

    def extend_state(self) -> None:
        """Allocate state that is missing."""
        for parameter, state in zip(self.parameters, self.states):
            for name, array in self.init(parameter).items():
                if name not in state:
                    state[name] = Tensor(array)

    # What a subclass implements

    @property
    def counts_steps(self) -> bool:
        """Whether updates depend on the number of steps."""
        return False

    def init(self, parameter: Tensor) -> dict[str, np.ndarray]:
        """The initial state of this parameter."""
        raise missing_method(self, "init")

    def coefficients(self, dtype: DType) -> Coefficients:
        """The scalars of an update, in the dtype of the parameters."""
        return self.cast(dtype)

    def update(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> tuple[Tensor, State]:
        """The new value of a parameter and its new state."""
        raise missing_method(self, "update")

    def add_weight_decay(self, gradient: Tensor, parameter: Tensor, c: Coefficients) -> Tensor:
        """gradient + weight_decay parameter: the gradient with that of the L2 penalty."""
        return gradient + c.weight_decay * parameter if "weight_decay" in self.terms else gradient

    # The step

    def step(self) -> None:
        """Update every parameter from its gradient.

        Raises GradientError, and changes nothing, when a parameter has no gradient; frozen parameters (requires_grad=False) are skipped.
        """
        self.check_bound("step")
        with no_grad():
            gradients = self.gradients()
            if self.counts_steps:
                self.steps.assign(self.steps + 1)
            coefficients = {dtype: self.coefficients(dtype) for dtype in dict.fromkeys(parameter.dtype for parameter in self.parameters)}
            for gradient, parameter, state in zip(gradients, self.parameters, self.states):
                if gradient is not None:
                    self.update_one(-gradient if self.maximize else gradient, parameter, state, coefficients[parameter.dtype])

    def update_one(self, gradient: Tensor, parameter: Tensor, state: State, c: Coefficients) -> None:
        """Update one parameter and its state in place."""
        new, new_state = self.update(gradient, parameter, state, c)
        parameter.assign(new)
        for name, value in new_state.items():
            state[name].assign(value)

    def gradients(self) -> list[Tensor | None]:
        """The gradient of each parameter, None for frozen ones."""
        gradients = [parameter.grad if parameter.requires_grad else None for parameter in self.parameters]
        missing = [name for name, parameter, gradient in zip(self.names, self.parameters, gradients)
                   if gradient is None and parameter.requires_grad]
        if missing:
            raise self.missing_gradient(missing)
        return gradients

    def missing_gradient(self, missing: list[str]) -> GradientError:
        owner = type(self).__name__
        listed = ", ".join(missing[:MAX_LISTED]) + (f" and {len(missing) - MAX_LISTED} more" if len(missing) > MAX_LISTED else "")
        learning = sum(parameter.requires_grad for parameter in self.parameters)
        if len(missing) == learning:
            return GradientError(f"{owner}.step: none of the {learning} parameters has a gradient ({listed})",
                                 why="backward() was not called since gradients were last cleared, or it reached none of them",
                                 repair="call loss.backward() before step(), and zero_grad() before backward(), not after")
        have = "has" if len(missing) == 1 else "have"
        return GradientError(f"{owner}.step: {len(missing)} of {learning} parameters {have} no gradient: {listed}",
                             why="the loss does not depend on them: they were not used, or their outputs were detached",
                             repair="use them, or freeze them: parameter.requires_grad = False")

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for parameter in self.parameters:
            parameter.grad = None

    def check_bound(self, use: str) -> None:
        if not self.parameters:
            raise ArgumentError(f"{type(self).__name__}.{use}: it has no parameters yet",
                                repair="bind it first: opt.bind(net.parameters())")

    # State

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the hyper-parameters, the number of steps, and each parameter's state under "0.weight.momentum_buffer"."""
        return copy_state(self.named_state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Load what `state_dict` returned. Raises one StateError that lists all mismatches, and then changes nothing."""
        self.check_bound("load_state_dict")
        load_arrays(type(self).__name__, dict(self.named_state()), state, strict)

    def named_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of all state of a step, other than parameters and gradients."""
        shared = [("steps", self.steps)] if self.counts_steps else []
        return [*self.hyper_parameters().items(), *shared,
                *((f"{name}.{key}", tensor) for name, state in zip(self.names, self.states) for key, tensor in state.items())]

    def cast(self, dtype: DType, more: Mapping[str, Tensor] = MappingProxyType({})) -> Coefficients:
        """The hyper-parameters and `more` scalars, as coefficients of `dtype`."""
        return Coefficients({name: value.astype(dtype) for name, value in {**self.hyper_parameters(), **more}.items()})

    def hyper_parameters(self) -> dict[str, Tensor]:
        """The hyper-parameters that the update uses, by name: without optional terms that are not part of it."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(getattr(type(self), name, None), HyperParameter)}
        return {name: value for name, value in tensors.items()
                if not isinstance(getattr(type(self), name), OptionalTerm) or name in self.terms}

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={format_value(value)}" for name, value in self.hyper_parameters().items())
        return f"{type(self).__name__}({values})"


def check_pair(owner: str, name: str, value: Any, default: str) -> None:
    """Raise ArgumentError unless an argument, such as betas, has two parts; each is checked as a hyper-parameter of its own."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ArgumentError(f"{owner}: {name} must be two numbers, not {value!r}", repair=f"the default is {default}")


def named_parameters(owner: str, parameters: Any) -> tuple[list[str], list[Tensor]]:
    """The names and the parameters, without duplicates."""
    iterable = parameters.parameters() if isinstance(parameters, Module) else parameters
    if isinstance(iterable, Tensor):
        raise ArgumentError(f"{owner}: parameters must be a list of tensors, not one tensor",
                            repair="put it into a list: [weight]")
    pairs = named_pairs(iterable)
    if not pairs:
        raise ArgumentError(f"{owner}: there are no parameters to optimize",
                            why="the module has none, or a generator was already exhausted",
                            repair="pass net.parameters()")
    for name, parameter in pairs:
        if not isinstance(parameter, Tensor):
            raise ArgumentError(f"{owner}: parameter {name} is {parameter!r} of type {type(parameter).__name__}, not a tensor",
                                repair="pass net.parameters(), or a list of parameters")
    unique = {id(parameter): (name, parameter) for name, parameter in reversed(pairs)}
    first = list(reversed(unique.values()))
    return [name for name, _ in first], [parameter for _, parameter in first]


def named_pairs(parameters: Any) -> list[tuple[str, Any]]:
    """(name, parameter): the name is its path if known, otherwise its position."""
    if isinstance(parameters, Mapping):
        return list(parameters.items())
    if not isinstance(parameters, Iterable):
        raise ArgumentError(f"the parameters are {parameters!r} of type {type(parameters).__name__}, not a list of tensors",
                            repair="pass net.parameters(), or a list of parameters")
    names = parameters.names if isinstance(parameters, Parameters) else map(str, itertools.count())
    return list(zip(names, parameters))
