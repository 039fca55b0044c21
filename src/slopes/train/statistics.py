"""Statistics of layers' outputs, tensors, gradients and updates, named by their paths and computed inside of the compiled step."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import functions as F
from ..constraint import COUNT, check
from ..errors import ArgumentError
from ..graph.build import build_node
from ..graph.dtype import is_inexact
from ..graph.node import Node
from ..graph.walk import topological
from ..modes import no_grad
from ..nn.module import Buffer, Module, entries
from ..parameter import Parameter
from ..taps import value_before, value_node
from ..tensor import Tensor
from ..trace import Trace, current_trace
from ..tree import named_leaves
from .statistic_kinds import KINDS, range_of

SUFFIXES = "grad", "update"
INDEX = re.compile(r"\[['\"]?([^\]'\"]*)['\"]?\]")  # net[0].heads['a'] is net.0.heads.a


@dataclass(frozen=True)
class Statistics:
    """What to measure inside of the training step, at every n-th step: at steps 0, n, 2n, ... of the training.

    names  one name or several, each PATH/KIND, such as "net.0.weight.grad/norm". PATH is a layer (net.0: its output, over the whole
           batch and all its calls), a parameter or buffer (net.0.weight: as the step leaves it), or one of these with .grad (as
           the update uses it: of the whole batch, penalty included, clipped) or .update (by how much the step changes it). "*"
           stands for any part of a path: "*.grad/norm" measures every gradient, "*/std" every output and tensor
    every  n, at least 1. Steps between those measured are those of a training without statistics, and cost nothing more

    KIND is one of
      norm       sqrt(sum x^2)
      mean, std  of all elements
      zeros      the share of elements that are 0
      largest    max |x|
      histogram  how many |x| lie in each of 48 bins between powers of two: [0, 2^-39), [2^-39, 2^-38), ..., [2^7, inf)
      saturated  of outputs of Sigmoid, Tanh and Softmax: the share within 1% of the range from one of its ends
      ratio      of updates: the norm divided by that of the tensor before the step

    Statistics change no bit of the training. Values are in `chunk[name]` and `run.history.statistics[name]`, a row for each of the
    steps in `run.history.statistics_steps`. Raises ArgumentError for a name without a known kind, and for `every` below 1; the
    training raises it for a path that is not in the net.

    >>> import numpy as np, slopes as sl
    >>> from slopes.train import Statistics
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> run = sl.fit(sl.nn.Linear(1, 2), x, (x[:, 0] > 0).astype(np.int64), batch_size=16, progress=False,
    ...              statistics=Statistics(["net.weight.grad/norm", "net/std"], every=2))
    >>> list(run.history.statistics), run.history.statistics_steps
    (['net.weight.grad/norm', 'net/std'], [0, 2])
    """

    names: Sequence[str] | str
    every: int = 10

    def __post_init__(self) -> None:
        check("Statistics", {"every": COUNT}, {"every": self.every})
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        object.__setattr__(self, "names", names)
        for name in names:
            split_name(name)


def statistics_of(value: Statistics | Iterable[str] | str) -> Statistics:
    """Statistics, or names of some at every 10th step."""
    return value if isinstance(value, Statistics) else Statistics(value if isinstance(value, str) else tuple(value))


def find_statistics(value: Statistics | Iterable[str] | str | None, net: Module) -> StepStatistics | None:
    """The statistics of a net that these names stand for; None without any."""
    if value is None:
        return None
    spec = statistics_of(value)
    quantities = {quantity.path: quantity for quantity in quantities_of(net)}
    measured = {statistic.name: statistic for name in spec.names for statistic in matching(name, quantities)}
    return StepStatistics(list(measured.values()), spec.every) if measured else None


class Quantity(NamedTuple):
    """Something that can be measured: the output of a layer, a tensor, its gradient or its update."""

    path: str
    owner: Module | Tensor
    role: str = ""  # "grad" or "update"; "" for outputs and tensors themselves

    def has(self, kind: str) -> bool:
        """Whether a kind of statistic has a meaning here."""
        if kind == "saturated":
            return range_of(self.owner) is not None
        return kind != "ratio" or self.role == "update"

    def values(self, trace: Trace, used: set[Node]) -> list[Tensor]:
        """Its values in a traced step; none of a layer whose outputs are not among the nodes that the step uses."""
        if isinstance(self.owner, Module):
            return [observed(trace, node) for node in trace.outputs.get(id(self.owner), ()) if node in used]
        after = value_node(trace, self.owner)
        if self.role == "update":
            return [observed(trace, after) - observed(trace, value_before(trace, self.owner))]
        if self.role == "grad":
            gradient = trace.grads.get(self.owner)  # None where the loss does not depend on the parameter
            return [F.zeros(self.owner.shape, self.owner.dtype) if gradient is None else observed(trace, gradient._node_in(trace))]
        return [observed(trace, after)]


class Statistic(NamedTuple):
    """One statistic of a quantity; `exact` says that it was named, not matched by a pattern."""

    quantity: Quantity
    kind: str
    exact: bool

    @property
    def name(self) -> str:
        """PATH/KIND."""
        return f"{self.quantity.path}/{self.kind}"

    def measure(self, trace: Trace, used: set[Node]) -> Tensor | None:
        """Its value in a traced step that uses these nodes; None of a layer without an output among them."""
        parts = self.quantity.values(trace, used)
        if not parts:
            return None
        more: tuple[Any, ...] = ()
        if self.kind == "saturated":
            more = range_of(self.quantity.owner) or ()
        if self.kind == "ratio":
            assert isinstance(self.quantity.owner, Tensor), "only tensors have updates"
            more = (observed(trace, value_before(trace, self.quantity.owner)),)
        return KINDS[self.kind](parts, *more)


class StepStatistics:
    """The statistics of a step, at every n-th one."""

    def __init__(self, statistics: list[Statistic], every: int) -> None:
        self.statistics, self.every = statistics, every

    def measure(self, results: Any) -> dict[str, Tensor]:
        """The value of each, by name, in the step that is being traced; `results` is what it returns else."""
        trace = current_trace()
        assert trace is not None, "a step is always compiled"
        used = set(topological([*(trace.operand(value) for _, value in named_leaves(results, "step")), *trace.writes.values()]))
        with no_grad():
            values = {statistic.name: statistic.measure(trace, used) for statistic in self.statistics}
        for statistic in self.statistics:
            if statistic.exact and values[statistic.name] is None:
                raise did_not_run(statistic, [other.quantity.path for other in self.statistics if values[other.name] is not None])
        return {name: value for name, value in values.items() if value is not None}


def observed(trace: Trace, node: Node) -> Tensor:
    """The value of a node, as floats, for those who only look at it: the step is compiled as if nobody did."""
    value = trace.tensor(build_node("observe", (node,), {}))
    return value if is_inexact(value.dtype) else F.astype(value, "float32")


# Names


def split_name(name: str) -> tuple[str, str]:
    """(path, kind) of a name, the path with dots only."""
    path, slash, kind = name.rpartition("/") if isinstance(name, str) else ("", "", "")
    if not slash or not path:
        raise ArgumentError(f"statistics: {name!r} is not PATH/KIND", why="a statistic is named by what is measured, and how",
                            repair="for example 'net.0.weight.grad/norm', or '*.grad/norm' for all gradients")
    if kind not in KINDS:
        raise ArgumentError(f"statistics: {name!r} names no known kind", why=f"known: {', '.join(KINDS)}", repair=near(kind, KINDS))
    return INDEX.sub(r".\1", path), kind


def near(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """`did you mean ...?` where one of the names is close."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def quantities_of(net: Module) -> Iterator[Quantity]:
    """Everything in a net that can be measured."""
    for entry in entries(net):
        path = f"net.{entry.key}" if entry.key else "net"
        yield Quantity(path, entry.value)
        if isinstance(entry.value, Parameter) and entry.value.requires_grad:
            yield Quantity(f"{path}.grad", entry.value, "grad")
        if isinstance(entry.value, (Parameter, Buffer)):
            yield Quantity(f"{path}.update", entry.value, "update")


def matching(name: str, quantities: dict[str, Quantity]) -> list[Statistic]:
    """The statistics that a name stands for: itself, or all that match a pattern."""
    path, kind = split_name(name)
    if "*" not in path:
        quantity = quantities.get(path)
        if quantity is None:
            raise unknown_path(name, path, quantities)
        if not quantity.has(kind):
            raise no_meaning(name, kind)
        return [Statistic(quantity, kind, exact=True)]
    suffix = path.rpartition(".")[2]
    role = suffix if suffix in SUFFIXES else ""
    matched = [Statistic(quantity, kind, exact=False) for quantity in quantities.values()
               if quantity.role == role and quantity.has(kind) and fnmatch.fnmatchcase(quantity.path, path)]
    if not matched:
        raise unknown_path(name, path, quantities)
    return matched


def unknown_path(name: str, path: str, quantities: dict[str, Quantity]) -> ArgumentError:
    """The error for a path that is not in the net."""
    plain = [quantity.path for quantity in quantities.values() if not quantity.role]
    more = ", ..." if len(plain) > 12 else ""
    return ArgumentError(f"statistics: nothing to measure at {name!r}",
                         why=f"the net has {', '.join(plain[:12])}{more}; parameters that learn also have .grad and .update",
                         repair=near(path, quantities, "name one of them"))


def no_meaning(name: str, kind: str) -> ArgumentError:
    """The error for a kind that a quantity does not have."""
    if kind == "ratio":
        return ArgumentError(f"statistics: {name!r} is no ratio", why="a ratio is that of an update and the tensor that it changes",
                             repair="for example 'net.0.weight.update/ratio'")
    return ArgumentError(f"statistics: {name!r} has no ends to be near to", why="saturation is that of Sigmoid, Tanh and Softmax layers",
                         repair="for the share of units of a ReLU that are off: 'PATH/zeros'")


def did_not_run(statistic: Statistic, ran: list[str]) -> ArgumentError:
    """The error for a named layer that has no output in the step."""
    return ArgumentError(f"statistics: {statistic.quantity.path} has no output in the training step",
                         why="this layer is not called there, or only in the body of a loop, or its output is not a tensor or not used",
                         repair=f"name another one{': ' if ran else ''}{', '.join(ran[:12])}")
