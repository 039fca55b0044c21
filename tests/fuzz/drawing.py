"""Random programs: statements over values drawn so far, each tried at once, so that only what is valid stays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

import slopes as sl
from slopes import nn, optim

from .arrays import INTEGERS, array_text, sizes

LARGEST = 1e4  # a float beyond it (in a program without special numbers) is not kept
LIMIT = 8000  # elements of a value
PREAMBLE = '''import numpy as np
import slopes as sl
from slopes import nn, optim


def unaligned(array):
    """The array at an address that no element fits."""
    return np.frombuffer(b" " + array.tobytes(), array.dtype, array.size, 1).reshape(array.shape) if array.size else array


def typed(net, real):
    """The layer with its numbers in this type."""
    for _, layer in net.named_modules():
        for name, tensor in list(vars(layer).items()):
            if isinstance(tensor, (nn.Parameter, nn.Buffer)) and tensor.dtype.kind == "f":
                setattr(layer, name, type(tensor)(tensor.numpy().astype(real)))
    return net


def weights(y):
    """A different number for each element."""
    return sl.cos(sl.arange(y.size, dtype=y.dtype)).reshape(y.shape)


def floats(results):
    """The results that can be differentiated."""
    return tuple(y for y in results if y.dtype.kind == "f")


def total(results):
    """One number that depends on all floats among the results."""
    return sum((y * weights(y)).sum() for y in floats(results))


def apart(f, positions, xs):
    """The function of the arguments at these positions, and those arguments."""
    def of_some(*chosen):
        given = list(xs)
        for position, x in zip(positions, chosen):
            given[position] = x
        return floats(f(*given))

    return of_some, [xs[position] for position in positions]


def gradient(f, positions):
    return lambda *xs: sl.grad(lambda *xs: total(f(*xs)), positions)(*xs)


def value_and_gradient(f, positions):
    def both(*xs):
        value, gradients = sl.value_and_grad(lambda *xs: total(f(*xs)), positions)(*xs)
        return (value, *gradients)

    return both


def pullback(f, positions):
    def pulled(*xs):
        ys, pull = sl.vjp(*(lambda of_some, chosen: (of_some, *chosen))(*apart(f, positions, xs)))
        return (*ys, *pull(tuple(weights(y) for y in ys)))

    return pulled


def pushforward(f, positions):
    def pushed(*xs):
        of_some, chosen = apart(f, positions, xs)
        ys, tangents = sl.jvp(of_some, chosen, [weights(x) for x in chosen])
        return (*ys, *tangents)

    return pushed


def matrix(f, positions):
    def rows(*xs):
        return tuple(block for row in sl.jacobian(lambda *xs: floats(f(*xs)), positions)(*xs) for block in row)

    return rows


def curvature(f, positions):
    def rows(*xs):
        return tuple(sl.hessian(lambda *xs: total(f(*xs)), position)(*xs) for position in positions)

    return rows


def training(f, nets, optimizer):
    """A step that learns: backward, and the optimizer."""
    def step(*xs):
        loss = total(f(*xs))
        for net in nets:
            net.zero_grad()
        loss.backward()
        optimizer.step()
        return (loss,)

    return step
'''


@dataclass
class Value:
    """A tensor of a program: its name there, and what it is. Only an `exact` one may decide: no rounding stands before it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    exact: bool

    @property
    def kind(self) -> str:
        return self.dtype.kind

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass
class Statement:
    """Text that gives a name to a value."""

    name: str
    text: str


@dataclass
class Program:
    """Text of a program in parts, so that some can be left out. `transforms` are wrapped around the function, the first one innermost."""

    real: str
    inputs: dict[str, str] = field(default_factory=dict)
    layers: list[Statement] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)
    storage: str = "float32"
    calls: int = 1
    rules: list[str] = field(default_factory=list)  # that the statements come from

    def text(self) -> str:
        """`make(real)` returns a function, its arguments, and the layers whose state it may change."""
        arrays = [f"    {name} = {text}" for name, text in self.inputs.items()]
        layers = [f"    {each.name} = {each.text}" for each in self.layers]
        names = ", ".join(self.inputs)
        body = [f"        {line}" for each in self.statements for line in each.text.splitlines()]
        results = ", ".join(self.results) + ","
        wrapped = [f"    f = {text}" for text in self.transforms]
        nets = ", ".join(each.name for each in self.layers if not each.text.startswith("nn.tie"))
        return "\n".join([
            PREAMBLE, "", f"def make(real={self.real!r}):", "    sl.seed(0)", *layers, *arrays, "", f"    def f({names}):", *body,
            f"        return {results}", "", *wrapped, f"    return f, [{names}], [{nets}]", ""])

    def reproduction(self) -> str:
        """A program of its own, which prints what is different."""
        options = "" if self.storage == "float32" else f", storage={self.storage!r}"
        return "\n".join([
            self.text(), "", "f, inputs, nets = make()", f"for _ in range({self.calls}):", "    eager = f(*map(sl.asarray, inputs))",
            "f, inputs, nets = make()", f"f = sl.compile(f{options})", f"for _ in range({self.calls}):",
            "    compiled = f(*map(sl.asarray, inputs))",
            "for x, y in zip(eager, compiled):", '    print("eager", x.numpy(), "compiled", y.numpy(), sep="\\n")', ""])

    def copy(self, **changes: Any) -> Program:
        return replace(self, **changes)


def namespace() -> dict[str, Any]:
    """What the text of a program may use."""
    names: dict[str, Any] = {"np": np, "sl": sl, "nn": nn, "optim": optim}
    exec(PREAMBLE, names)
    return names


class Draft:
    """A program while it is drawn. Every statement is run at once."""

    def __init__(self, rng: np.random.Generator, special: bool = False) -> None:
        self.rng, self.special = rng, special
        self.program = Program("float32" if rng.random() < 0.7 else "float64")
        self.names = namespace() | {"real": self.program.real}
        self.values: list[Value] = []
        self.count = 0
        self.nested = False  # inside of the step of a loop: no new inputs, no layers
        self.batched = False  # for one example of a batch: nothing that draws random numbers or keeps state
        sl.seed(0)

    # ------------------------------------------------------------------ choices
    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def length(self) -> int:
        """Of an axis of a matrix."""
        return self.pick([1, 2, 3, 5, 8, 17, 31, 65])

    def shape(self, rank: int | None = None, least: int = 0) -> tuple[int, ...]:
        return sizes(self.rng, self.number(0, 3) if rank is None else rank, least, 600)

    @property
    def real(self) -> str:
        return self.program.real

    # ------------------------------------------------------------------ values
    def some(self, kinds: str = "f", test: Callable[[Value], bool] = lambda value: True, shape: tuple[int, ...] | None = None,
             exact: bool = False) -> Value:
        """A value of one of these kinds (f, i, u, b) that passes the test; a new input of this shape when there is none."""
        fitting = [each for each in self.values if each.kind in kinds and (each.exact or not exact) and test(each)]
        if fitting and (shape is None or self.chance(0.8)):
            return self.pick(fitting[-8:])
        made = self.fresh(self.shape() if shape is None else shape, kinds)
        return made if test(made) else self.fresh(self.shape(2, 2), kinds)

    def fresh(self, shape: tuple[int, ...], kinds: str = "f", dtype: str | None = None) -> Value:
        """A new input."""
        if dtype is None:
            kind = self.pick(kinds)
            dtype = {"f": "real", "b": "bool"}.get(kind) or self.pick([each for each in INTEGERS if each[0] == kind])
        text = array_text(self.rng, shape, dtype, self.special and self.chance(0.5))
        return self.given(text)

    def given(self, text: str) -> Value:
        """An input with this text; inside of a loop a constant."""
        if self.nested:
            found = self.emit(f"sl.asarray({text})", exact=True)
            assert found is not None
            return found
        name = f"x{len(self.program.inputs)}"
        self.names[name] = sl.asarray(eval(text, self.names))
        self.program.inputs[name] = text
        return self.note(name, True)

    def note(self, name: str, exact: bool) -> Value:
        tensor = self.names[name]
        self.values.append(Value(name, tensor.shape, tensor.dtype, exact))
        return self.values[-1]

    def new_name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def layer(self, text: str) -> str | None:
        """The name of a new layer."""
        name = f"net{len(self.program.layers)}"
        if self.nested or not self.attempt(f"{name} = {text}"):
            return None
        self.program.layers.append(Statement(name, text))
        return name

    def emit(self, expression: str, *args: Value, exact: bool = False, before: str = "") -> Value | None:
        """A statement that gives the expression a name, behind the lines `before`; None if it is refused, or its values are no good."""
        name = self.new_name()
        text = f"{before}{name} = {expression}"
        if not self.attempt(text) or not self.is_good(self.names[name]):
            self.names.pop(name, None)
            return None
        self.program.statements.append(Statement(name, text))
        return self.note(name, exact and all(arg.exact for arg in args))

    def attempt(self, text: str) -> bool:
        """Run a statement; False where slopes refuses it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(text, self.names)
        except sl.SlopesError:
            return False
        return True

    def is_good(self, tensor: Any) -> bool:
        if not isinstance(tensor, sl.Tensor) or tensor.size > LIMIT or tensor.dtype.kind == "c":
            return False
        if self.special or tensor.dtype.kind != "f":
            return True
        with np.errstate(all="ignore"):
            return bool((np.abs(tensor.numpy()) < LARGEST).all())


Rule = Callable[[Draft, str], Value | None]


def registered(table: dict[str, Rule], *names: str) -> Callable[[Rule], Rule]:
    """A decorator that puts a rule into a table under these names."""
    def add(drawn: Rule) -> Rule:
        for name in names:
            assert name not in table, name
            table[name] = drawn
        return drawn

    return add
