"""The base class of optimizers: binding to parameters, the step, and named state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..constraint import FLAG, NOT_NEGATIVE, Constraint, check
from ..errors import ArgumentError, GradientError, missing_method
from ..graph.dtype import DType
from ..modes import no_grad
from ..nn.hyper_parameter import HyperParameter, format_value
from ..nn.module import Module
from ..nn.state import copy_state, load_arrays
from ..tensor import Tensor
from ..versions import versions
from .groups import Grouped, State
from .parameters import named_parameters, parameter_groups

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
            versions.change_structure(instance)
            instance.extend_state()


class Optimizer(Grouped):
    """The base class of optimizers. A subclass implements:

    init(parameter) -> {name: array}: the initial state of a parameter.
    update(gradient, parameter, state, c) -> (new parameter, new state): a pure function of tensors, where c are the coefficients.
    coefficients(dtype) -> c: by default the hyper-parameters, as `c.lr`; computed once per step and dtype. Override it to add more,
    computed from `self.rate`, which is the learning rate also in a group.

    Parameters are a module, net.parameters(), a list, a mapping, or pairs (name, parameter), such as those of net.named_parameters().
    Hyper-parameters are 0-d tensors behind plain attributes: `opt.lr = 0.1` takes effect in the next step, compiled or not.

    >>> import slopes as sl
    >>> from slopes import nn, optim
    >>> net = nn.Linear(2, 1)
    >>> opt = optim.SGD(net.parameters(), lr=0.1)
    >>> nn.mse_loss(net(sl.ones((4, 2))), sl.ones((4, 1))).backward()
    >>> opt.step()

    Groups of parameters, each a dictionary, have options of their own; other options are those of the optimizer. `opt.groups` are
    optimizers of the groups, whose hyper-parameters can be set. Setting `opt.lr`, as a schedule does, scales the rate of each group:

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> opt = optim.SGD([{"params": net[0].parameters(), "lr": 0.01}, {"params": net[2].parameters(), "momentum": 0.5}], lr=0.1)
    >>> opt.lr = 0.05
    >>> [round(float(group.rate), 6) for group in opt.groups]
    [0.005, 0.05]

    An optimizer of your own, which uses the sign of the gradient only:

    >>> class SignSGD(optim.Optimizer):
    ...     def __init__(self, params=None, lr=0.01):
    ...         super().__init__(lr)
    ...         self.start(params)
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

    constraints: Mapping[str, Constraint] = {"lr": NOT_NEGATIVE, "maximize": FLAG}

    def __init__(self, lr: float, maximize: bool = False) -> None:
        check(type(self).__name__, {"maximize": FLAG}, {"maximize": maximize})
        super().__init__()
        self.terms: set[str] = set()
        self.steps = Tensor(0, np.int64)
        self.lr = lr
        self.maximize = maximize

    # Binding

    def start(self, params: Any) -> None:
        """Bind to the parameters, unless None, or to groups of them. A subclass calls it at the end of its __init__."""
        if params is None:
            return
        params, groups = parameter_groups(type(self).__name__, params)
        if groups:
            self.join([self.group(i, options) for i, options in enumerate(groups)])
        else:
            self.bind(params)

    def bind(self, parameters: Module | Mapping[str, Tensor] | Iterable[Any]) -> Optimizer:
        """Optimize these parameters: a module, a mapping, a list, or pairs of names and parameters.

        Binding to the same ones again keeps the state.
        """
        names, tensors = named_parameters(type(self).__name__, parameters)
        if self.members:
            raise ArgumentError(f"{type(self).__name__}.bind: it is bound to groups of parameters", repair="make a new optimizer")
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
            self.update_all(self.gradients())

    def update_group(self, gradients: Sequence[Tensor | None]) -> None:
        """Update every parameter that has a gradient."""
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

    def group_state(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) of all state of a step, without groups."""
        shared = [("steps", self.steps)] if self.counts_steps else []
        return [*self.hyper_parameters().items(), *shared,
                *((f"{name}.{key}", tensor) for name, state in zip(self.names, self.states) for key, tensor in state.items())]

    def cast(self, dtype: DType, more: Mapping[str, Tensor] = MappingProxyType({})) -> Coefficients:
        """The hyper-parameters and `more` scalars, as coefficients of `dtype`."""
        return Coefficients({name: value.astype(dtype) for name, value in {**self.hyper_parameters(), "lr": self.rate, **more}.items()})

    def hyper_parameters(self) -> dict[str, Tensor]:
        """The hyper-parameters that the update uses, by name: without optional terms that are not part of it."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(getattr(type(self), name, None), HyperParameter)}
        return {name: value for name, value in tensors.items()
                if not isinstance(getattr(type(self), name), OptionalTerm) or name in self.terms}

    def __repr__(self) -> str:
        if self.members:
            return f"{type(self).__name__}(lr={format_value(self.lr)}, groups={self.groups!r})"
        values = ", ".join(f"{name}={format_value(value)}" for name, value in self.hyper_parameters().items())
        return f"{type(self).__name__}({values})"


def check_pair(owner: str, name: str, value: Any, default: str) -> None:
    """Raise ArgumentError unless an argument, such as betas, has two parts; each is checked as a hyper-parameter of its own."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ArgumentError(f"{owner}: {name} must be two numbers, not {value!r}", repair=f"the default is {default}")
