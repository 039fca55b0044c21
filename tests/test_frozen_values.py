"""Whatever Python value a compiled function reads may change between calls: it computes what eager code computes, and says why."""

from __future__ import annotations

import argparse
import collections
import contextvars
import dataclasses
import datetime
import enum
import functools
import operator
import random
import sys
import threading
import time
import types
import weakref

import numpy as np
import pytest

import slopes as sl
from slopes import SlopesError, nn, optim
from slopes.bytecode import find_reads
from slopes.capture_values import LARGE

RATE, PICKED, FLAG, WEIGHTS, SCALAR = 2.0, "mean", True, np.ones(3, np.float32), np.float32(2)
SETTINGS = {"rate": 2.0}
HELPER = None
RESET = {"RATE": 2.0, "PICKED": "mean", "FLAG": True, "SCALAR": np.float32(2)}


class Config:
    scale = 2.0

    def __init__(self, rate=2.0):
        self.rate, self.nested, self.rates = rate, {"a": {"b": 2.0}}, [1.0, 2.0]

    def __call__(self, x):
        return self.run(x)

    def __getitem__(self, place):
        return self.rates[place]

    def __iter__(self):
        return iter(self.rates)

    def run(self, x):
        return (x * self.rate).sum()

    def by_class(self, x):
        return (x * self.scale).sum()

    def deep(self, x):
        return (x * self.nested["a"]["b"]).sum()

    def summed(self, x):
        return (x * sum(self.rates)).sum()

    def by_name(self, x, name="rate"):
        return (x * getattr(self, name)).sum()

    @property
    def doubled(self):
        return self.rate * 2

    @classmethod
    def of_class(cls, x):
        return (x * cls.scale).sum()


class Inherited(Config):
    def run(self, x):
        return super().run(x) * 2


class Slotted:
    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 2.0


class Made:
    def __getattr__(self, name):
        return SETTINGS[name]


class Twice:
    def __get__(self, owner, kind=None):
        return 2 * owner.rate


class Described:
    doubled = Twice()

    def __init__(self):
        self.rate = 2.0


@dataclasses.dataclass
class Nested:
    rate: float = 2.0
    inner: object = None
    rates: list = dataclasses.field(default_factory=lambda: [2.0])


class Phase(enum.Enum):
    FIRST = 1
    SECOND = 2


class AttributeDict(dict):
    __getattr__ = dict.__getitem__


class Net(nn.Module):
    by_class = 2.0

    def __init__(self):
        self.linear = nn.Linear(3, 1)
        self.rate, self.config, self.options = 2.0, Nested(2.0, Nested()), {"head": {"rate": 2.0}}
        self.array, self.pair = np.ones(1, np.float32), (Nested(), [1.0])
        self.ordered, self.queue = collections.OrderedDict(rate=2.0), collections.deque([2.0])

    def forward(self, x):
        numbers = self.rate * self.by_class * self.config.rate * self.config.inner.rate * self.options["head"]["rate"]
        more = self.pair[0].rate * self.pair[1][0] * self.ordered["rate"] * self.queue[0] * self.helped()
        return (x * self.array * numbers * more).sum()

    def helped(self):
        return RATE


def set_global(**values):
    return lambda: globals().update(values)


def follows(function, change, *args):
    """A compiled function computes what the function does, before and after a change, and is compiled once for each."""
    args = args or (sl.tensor([1.0, 2.0, 3.0]),)
    compiled = sl.compile(function)
    before = float(compiled(*args))
    assert before == float(function(*args)) and float(compiled(*args)) == before
    assert compiled.compilations == 1
    change()
    wanted = float(function(*args))
    assert wanted != before
    assert float(compiled(*args)) == wanted and float(compiled(*args)) == wanted
    assert compiled.compilations <= 2
    return compiled


@pytest.fixture(autouse=True)
def fresh():
    """Every global as it stands above."""
    globals().update(RESET, WEIGHTS=np.ones(3, np.float32), HELPER=lambda x: x * RATE)
    SETTINGS.clear()
    SETTINGS["rate"] = 2.0
    Config.scale, Net.by_class = 2.0, 2.0
    yield
    Net.helped = HELPED


HELPED = Net.helped


def used(config, x):
    return (x * config.rate).sum()


def with_cell():
    rate = 2.0

    def function(x):
        return (x * rate).sum()

    def change():
        nonlocal rate
        rate = 3.0

    return function, change


def with_cell_of_a_helper():
    rate = 2.0

    def rate_now():
        return rate

    def change():
        nonlocal rate
        rate = 3.0

    return lambda x: (x * rate_now()).sum(), change


def with_default():
    def function(x, rates=[2.0], *, more={"rate": 2.0}):  # noqa: B006
        return (x * rates[0] * more["rate"]).sum()

    def change():
        function.__defaults__[0][0] = 3.0
        function.__kwdefaults__["more"]["rate"] = 5.0

    return function, change


def with_decorator():
    def decorate(function):
        @functools.wraps(function)
        def wrapped(*args):
            return function(*args)
        return wrapped

    return decorate(lambda x: (x * RATE).sum()), set_global(RATE=3.0)


def with_import_inside():
    module = types.ModuleType("settings_of_the_test")
    module.RATE = module.MORE = 2.0
    sys.modules[module.__name__] = module

    def function(x):
        import settings_of_the_test
        from settings_of_the_test import MORE, RATE
        return (x * settings_of_the_test.RATE * RATE * MORE).sum()

    return function, lambda: setattr(module, "MORE", 3.0)


def with_pattern():
    config = Config()

    def function(x):
        match config:
            case Config(rate=rate):
                return (x * rate).sum()

    return function, lambda: setattr(config, "rate", 3.0)


def with_module():
    module = types.ModuleType("module_of_the_test")
    module.RATE, module.config = 2.0, Config()
    return lambda x: (x * module.RATE * module.config.rate).sum(), lambda: setattr(module.config, "rate", 3.0)


def with_object(make, read, change):
    held = make()
    return (lambda x: read(held, x)), (lambda: change(held))


def with_compiled_method():
    class Trainer:
        def __init__(self):
            self.rate = 2.0

        @sl.compile
        def step(self, x):
            return (x * self.rate).sum()

        def twice(self, x):
            return self.step(x) * 2

    trainer = Trainer()
    return trainer.twice, lambda: setattr(trainer, "rate", 3.0)


CASES = {
    "a global": lambda: (lambda x: (x * RATE).sum(), set_global(RATE=3.0)),
    "a global of a helper": lambda: (lambda x: HELPER(x).sum(), set_global(RATE=3.0)),
    "a helper that is replaced": lambda: (lambda x: HELPER(x).sum(), set_global(HELPER=lambda x: x * 7)),
    "a word": lambda: (lambda x: getattr(sl, PICKED)(x), set_global(PICKED="sum")),
    "a flag": lambda: (lambda x: (x * 2 if FLAG else x * 3).sum(), set_global(FLAG=False)),
    "a NumPy number": lambda: (lambda x: (x * SCALAR).sum(), set_global(SCALAR=np.float32(3))),
    "a number in a comprehension": lambda: (lambda x: sum([x * RATE for _ in range(2)]).sum(), set_global(RATE=3.0)),
    "a number in an inner function": lambda: (lambda x: (lambda y: y * RATE)(x).sum(), set_global(RATE=3.0)),
    "a closure": with_cell,
    "a closure of a helper": with_cell_of_a_helper,
    "default arguments": with_default,
    "a decorated function": with_decorator,
    "an import inside": with_import_inside,
    "a pattern": with_pattern,
    "a module of the user": with_module,
    "a partial function": lambda: with_object(
        Config, lambda held, x: functools.partial(used, held)(x), lambda held: setattr(held, "rate", 3.0)),
    "an attribute": lambda: with_object(Config, used, lambda held: setattr(held, "rate", 3.0)),
    "an attribute by its name": lambda: with_object(Config, lambda held, x: held.by_name(x), lambda held: setattr(held, "rate", 3.0)),
    "vars": lambda: with_object(Config, lambda held, x: (x * vars(held)["rate"]).sum(), lambda held: setattr(held, "rate", 3.0)),
    "an attribute that is no name": lambda: with_object(
        lambda: argparse.Namespace(**{"learning-rate": 2.0, "class": 1.0}), lambda held, x: (x * vars(held)["learning-rate"]).sum(),
        lambda held: setattr(held, "learning-rate", 3.0)),
    "attrgetter": lambda: with_object(
        Config, lambda held, x: (x * operator.attrgetter("rate")(held)).sum(), lambda held: setattr(held, "rate", 3.0)),
    "asdict": lambda: with_object(
        Nested, lambda held, x: (x * dataclasses.asdict(held)["rate"]).sum(), lambda held: setattr(held, "rate", 3.0)),
    "a list of an object": lambda: with_object(Config, lambda held, x: held.summed(x), lambda held: held.rates.append(4.0)),
    "a dict of an object": lambda: with_object(Config, lambda held, x: held.deep(x), lambda held: held.nested["a"].update(b=3.0)),
    "an attribute of a class": lambda: with_object(Config, lambda held, x: held.by_class(x), lambda held: setattr(Config, "scale", 3.0)),
    "an attribute over one of a class": lambda: with_object(
        Config, lambda held, x: held.by_class(x), lambda held: setattr(held, "scale", 3.0)),
    "a class method": lambda: (lambda x: Config.of_class(x), lambda: setattr(Config, "scale", 3.0)),
    "a method that is replaced": lambda: with_object(
        Config, lambda held, x: held.run(x), lambda held: setattr(held, "run", lambda x: x.sum() * 7)),
    "super": lambda: with_object(Inherited, lambda held, x: held.run(x), lambda held: setattr(held, "rate", 3.0)),
    "a property": lambda: with_object(Config, lambda held, x: (x * held.doubled).sum(), lambda held: setattr(held, "rate", 3.0)),
    "a descriptor": lambda: with_object(Described, lambda held, x: (x * held.doubled).sum(), lambda held: setattr(held, "rate", 3.0)),
    "__getattr__": lambda: with_object(Made, lambda held, x: (x * held.rate).sum(), lambda held: SETTINGS.update(rate=3.0)),
    "__getitem__": lambda: with_object(Config, lambda held, x: (x * held[0]).sum(), lambda held: held.rates.insert(0, 3.0)),
    "__iter__": lambda: with_object(Config, lambda held, x: (x * sum(held)).sum(), lambda held: held.rates.append(3.0)),
    "__call__": lambda: with_object(Config, lambda held, x: held(x), lambda held: setattr(held, "rate", 3.0)),
    "slots": lambda: with_object(Slotted, used, lambda held: setattr(held, "rate", 3.0)),
    "a namespace": lambda: with_object(
        lambda: argparse.Namespace(rate=2.0), lambda held, x: (x * held.rate).sum(), lambda held: setattr(held, "rate", 3.0)),
    "nested data classes": lambda: with_object(
        lambda: Nested(inner=Nested()), lambda held, x: (x * held.inner.rate).sum(), lambda held: setattr(held.inner, "rate", 3.0)),
    "a list of objects": lambda: with_object(
        lambda: [Config(), Config()], lambda held, x: sum(x * each.rate for each in held).sum(),
        lambda held: setattr(held[1], "rate", 5.0)),
    "a dict of objects": lambda: with_object(
        lambda: {"a": Config()}, lambda held, x: sum(x * each.rate for each in held.values()).sum(),
        lambda held: held.update(a=Config(3.0))),
    "an item": lambda: (lambda x: (x * SETTINGS["rate"]).sum(), lambda: SETTINGS.update(rate=3.0)),
    "an item of a name": lambda: (lambda x: (x * SETTINGS["ra" + str(x.shape)[:0] + "te"]).sum(), lambda: SETTINGS.update(rate=3.0)),
    "an item that was not there": lambda: (lambda x: (x * SETTINGS.get("more", 1.0)).sum(), lambda: SETTINGS.update(more=3.0)),
    "a key that was not there": lambda: (lambda x: (x * 3 if "more" in SETTINGS else x).sum(), lambda: SETTINGS.update(more=3.0)),
    "an ordered dict": lambda: with_object(
        lambda: collections.OrderedDict(a=2.0), lambda held, x: sum(x * each for _, each in held.items()).sum(),
        lambda held: held.update(a=3.0)),
    "a user dict": lambda: with_object(
        lambda: collections.UserDict(a=2.0), lambda held, x: (x * held["a"]).sum(), lambda held: held.update(a=3.0)),
    "a chain of dicts": lambda: with_object(
        lambda: collections.ChainMap({"a": 2.0}), lambda held, x: (x * held["a"]).sum(), lambda held: held.update(a=3.0)),
    "a dict with attributes": lambda: with_object(
        lambda: AttributeDict(a=AttributeDict(b=2.0)), lambda held, x: (x * held.a.b).sum(), lambda held: held["a"].update(b=3.0)),
    "a set": lambda: with_object(lambda: {2.0}, lambda held, x: (x * sum(held)).sum(), lambda held: held.add(3.0)),
    "a queue": lambda: with_object(
        lambda: collections.deque([2.0]), lambda held, x: (x * sum(held)).sum(), lambda held: held.append(3.0)),
    "a list in a tuple": lambda: with_object(
        lambda: (1.0, [2.0]), lambda held, x: (x * held[1][0]).sum(), lambda held: held[1].insert(0, 3.0)),
    "a list that becomes a tensor": lambda: with_object(
        lambda: [1.0, 2.0, 3.0], lambda held, x: (x * sl.tensor(held)).sum(), lambda held: held.__setitem__(0, 3.0)),
    "an item of a large list": lambda: (lambda held: (lambda x: (x * held[7]).sum(), lambda: held.__setitem__(7, 3.0)))(
        [2.0] * (LARGE + 1)),
    "the size of a large list": lambda: with_object(
        lambda: [2.0] * (LARGE + 1), lambda held, x: (x * len(held)).sum(), lambda held: held.append(3.0)),
    "a member of an enumeration": lambda: with_object(
        lambda: [Phase.FIRST], lambda held, x: (x if held[0] is Phase.FIRST else x * 2).sum(),
        lambda held: held.__setitem__(0, Phase.SECOND)),
    "a weak reference": lambda: with_object(
        lambda: (held := Config(), weakref.ref(held)), lambda held, x: (x * held[1]().rate).sum(),
        lambda held: setattr(held[0], "rate", 3.0)),
    "a context variable": lambda: with_object(
        lambda: contextvars.ContextVar("rate", default=2.0), lambda held, x: (x * held.get()).sum(), lambda held: held.set(3.0)),
    "a function in a dict": lambda: with_object(
        lambda: {"act": lambda x: x * RATE}, lambda held, x: held["act"](x).sum(), lambda held: set_global(RATE=3.0)()),
    "a compiled method": with_compiled_method,
    "a gradient": lambda: with_object(
        Config, lambda held, x: sl.grad(held.run)(x).sum(), lambda held: setattr(held, "rate", 3.0)),
    "a vectorised function": lambda: with_object(
        Config, lambda held, x: sl.vmap(lambda y: y * held.rate)(x).sum(), lambda held: setattr(held, "rate", 3.0)),
    "a scan": lambda: with_object(
        Config, lambda held, x: sl.scan(lambda s, e: (s * held.rate + e, s), sl.zeros(()), x)[0], lambda held: setattr(held, "rate", 3.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_followed(name):
    function, change = CASES[name]()
    follows(function, change)


def test_a_value_of_this_thread_is_followed():
    local = threading.local()
    local.rate = 2.0
    follows(lambda x: (x * local.rate).sum(), lambda: setattr(local, "rate", 3.0))


CHANGES = {
    "a number": lambda net: setattr(net, "rate", 3.0),
    "a number of its class": lambda net: setattr(Net, "by_class", 3.0),
    "a data class": lambda net: setattr(net.config, "rate", 3.0),
    "a data class inside": lambda net: setattr(net.config.inner, "rate", 3.0),
    "a dict in a dict": lambda net: net.options["head"].update(rate=3.0),
    "another dict": lambda net: net.options.update(head={"rate": 5.0}),
    "an array": lambda net: net.array.fill(3),
    "an object in a tuple": lambda net: setattr(net.pair[0], "rate", 3.0),
    "a list in a tuple": lambda net: net.pair[1].insert(0, 3.0),
    "an ordered dict": lambda net: net.ordered.update(rate=3.0),
    "a queue": lambda net: net.queue.appendleft(3.0),
    "a global": lambda net: globals().update(RATE=3.0),
    "a method": lambda net: setattr(Net, "helped", lambda self: 7.0),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("how", ["compiled itself", "called", "an argument"])
def test_a_change_of_a_network_is_followed(name, how):
    net, x = Net(), sl.ones(3)
    if how == "compiled itself":
        follows(net, lambda: CHANGES[name](net), x)
    elif how == "called":
        follows(lambda x: net(x), lambda: CHANGES[name](net), x)
    else:
        follows(lambda net, x: net(x), lambda: CHANGES[name](net), net, x)


def test_the_user_code_in_a_library_layer_is_followed():
    head = nn.Sequential(Net())
    head.layers[0].linear.weight.assign(sl.ones((1, 3)))
    follows(lambda x: head(x), lambda: setattr(head.layers[0].config, "rate", 3.0))


class Shrinking(optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(0.5)
        self.factor = Nested(1.0)
        self.start(parameters)

    def init(self, parameter):
        return {}

    def update(self, gradient, parameter, state, c):
        return parameter - gradient * self.factor.rate * RATE, {}


@pytest.mark.parametrize("change", [lambda opt: setattr(opt.factor, "rate", 2.0), lambda opt: globals().update(RATE=5.0)])
def test_an_own_optimizer_is_followed(change):
    weight = sl.Parameter([1.0])
    optimizer = Shrinking([weight])

    def step():
        weight.assign([1.0])
        optimizer.zero_grad()
        (weight * 3).sum().backward()
        optimizer.step()
        return weight.sum()

    compiled = sl.compile(step)
    assert float(compiled()) == float(step()) == 1 - 3 * 2
    weight.grad = None
    change(optimizer)
    assert float(compiled()) == float(step()) != -5


# NumPy arrays


def filled(array, read):
    return lambda x: read(array, x), lambda: array.fill(3)


ARRAYS = {
    "an operand": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * a).sum()),
    "float64": lambda: filled(np.ones(3), lambda a, x: (x * a).sum()),
    "a large one": lambda: filled(np.ones((5000, 3), np.float32), lambda a, x: (x * a).sum()),
    "a view": lambda: filled(np.ones(9, np.float32), lambda a, x: (x * a[2:5]).sum()),
    "every other element": lambda: filled(np.ones(9, np.float32), lambda a, x: (x * a[:6:2]).sum()),
    "transposed": lambda: filled(np.ones((3, 2), np.float32), lambda a, x: (x * a.T).sum()),
    "a large one transposed": lambda: filled(np.ones((3, 5000), np.float32), lambda a, x: (x * a.T).sum()),
    "big-endian": lambda: filled(np.ones(3, ">f4"), lambda a, x: (x * a).sum()),
    "a mask": lambda: filled(np.array([True, False, True]), lambda a, x: sl.where(a, x, 0.0).sum()),
    "a mask as an index": lambda: filled(np.array([True, False, True]), lambda a, x: x[a].sum()),
    "an index": lambda: (lambda place: (lambda x: x[place].sum(), lambda: place.fill(2)))(np.array([0, 1])),
    "what NumPy computes from it": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * (a * 2)).sum()),
    "its sum": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * float(a.sum())).sum()),
    "an element": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * a[0]).sum()),
    "a tensor of it": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * sl.tensor(a)).sum()),
    "a tensor of it in another type": lambda: filled(np.ones(3), lambda a, x: (x * sl.tensor(a, dtype="float32")).sum()),
    "shared with a tensor": lambda: filled(np.ones(3, np.float32), lambda a, x: (x * sl.asarray(a)).sum()),
    "in a list": lambda: (lambda a: filled(a, lambda _, x: sum(x * each for each in [a]).sum()))(np.ones(3, np.float32)),
    "an attribute": lambda: (lambda held: (lambda x: (x * held.a).sum(), lambda: held.a.fill(3)))(
        types.SimpleNamespace(a=np.ones(3, np.float32))),
    "words": lambda: (lambda a: (lambda x: (x * float(a[0])).sum(), lambda: a.fill("3")))(np.array(["2"])),
    "objects": lambda: (lambda a: (lambda x: (x * a[0]).sum(), lambda: a.fill(3.0)))(np.array([2.0, None], object)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_changes_in_place_is_followed(name):
    follows(*ARRAYS[name]())


@pytest.mark.parametrize("count", [1, 2048, 2049])
def test_an_array_of_any_size_is_read_by_each_call_without_a_compilation(count):
    array = np.ones(count, np.float32)
    compiled = follows(lambda x: (x * array).sum(), lambda: array.fill(2), sl.ones(count))
    assert compiled.compilations == 1


def test_another_array_of_a_name_is_followed():
    follows(lambda x: (x * WEIGHTS).sum(), set_global(WEIGHTS=np.full(3, 5, np.float32)))


# Reasons, costs and what is no reason


@pytest.mark.parametrize("function, change, reason", [
    (lambda x: x * RATE, set_global(RATE=3.0),
     "`RATE` is 3.0, was 2.0 (a Python value is part of the program: pass a tensor if it changes)"),
    (lambda x: x * SETTINGS["rate"], lambda: SETTINGS.update(rate=3.0), "`SETTINGS['rate']` is 3.0, was 2.0 (a Python"),
    (lambda x: x * sum(SETTINGS.values()), lambda: SETTINGS.update(rate=3.0), "what `SETTINGS` holds has changed"),
    (lambda x: HELPER(x), set_global(HELPER=lambda x: x), "`HELPER` is another object"),
    (lambda x: x * float(WEIGHTS.sum()), lambda: WEIGHTS.fill(3), "what `WEIGHTS` holds has changed"),
])
def test_a_new_program_says_what_changed(function, change, reason):
    compiled = sl.compile(function)
    compiled(sl.ones(3))
    change()
    compiled(sl.ones(3))
    assert len(compiled.reasons) == 2 and compiled.reasons[1].startswith(reason)


def test_a_value_that_comes_back_finds_its_program():
    compiled = sl.compile(lambda x: (x * RATE).sum())
    for rate in (2.0, 3.0, 2.0, 3.0, 2.0):
        globals()["RATE"] = rate
        assert float(compiled(sl.ones(2))) == 2 * rate
    assert compiled.compilations == 2


def test_equal_values_are_told_apart_where_a_program_is():
    compiled = sl.compile(lambda x: x * RATE)
    for rate, wanted in ((2, "int64"), (2.0, "float32"), (True, "int64")):
        globals()["RATE"] = rate
        assert str(compiled(sl.tensor([1])).dtype) == wanted
    globals()["RATE"] = 0.0
    assert not np.signbit(compiled(sl.ones(1)).numpy()[0])
    globals()["RATE"] = -0.0
    assert np.signbit(compiled(sl.ones(1)).numpy()[0])


def test_an_equal_value_in_another_object_compiles_nothing():
    compiled = sl.compile(lambda x: x * RATE)
    compiled(sl.ones(2))
    globals()["RATE"] = float("2.0")
    compiled(sl.ones(2))
    assert compiled.compilations == 1 and next(iter(compiled._versions.values()))[0].guards.hold()


def test_a_name_that_is_gone_is_an_error_as_in_eager_code():
    globals()["GONE"] = 2.0
    compiled = sl.compile(lambda x: x * GONE)  # noqa: F821
    compiled(sl.ones(2))
    del globals()["GONE"]
    with pytest.raises(NameError):
        compiled(sl.ones(2))


class Trainer:
    """What a training loop keeps beside the step must not make the step compile again."""

    def __init__(self):
        self.net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
        self.optimizer = optim.Adam(self.net.parameters(), lr=0.1)
        self.count, self.history, self.log, self.best = 0, [], {"loss": []}, None

    def loss(self, x, y):
        return nn.mse_loss(self.net(x), y)

    @sl.compile
    def step(self, x, y):
        loss = self.loss(x, y)
        self.net.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, x, y):
        for _ in range(5):
            loss = float(self.step(x, y))
            self.count += 1
            self.history.append(loss)
            self.log["loss"].append(loss)
            self.best, self.optimizer.lr = loss, 0.1 / self.count
            self.backward = self.zero_grad = loss  # names of methods of others


def test_what_a_loop_writes_down_is_no_reason_to_compile():
    trainer, traced = Trainer(), []
    trainer.net.layers[1].forward = lambda x, forward=trainer.net.layers[1].forward: (traced.append(1), forward(x))[1]
    trainer.train(sl.ones((4, 2)), sl.ones((4, 1)))
    assert len(traced) == 1 and Trainer.__dict__["step"].compilations == 1


TRACES = 0


@pytest.mark.parametrize("kind", ["global", "list", "dict"])
def test_what_two_functions_count_while_they_are_traced_is_no_guard(kind):
    calls, log = [], {}

    def function(x):
        if kind == "global":
            global TRACES
            TRACES += 1
        calls.append(1)
        if kind == "dict":
            log["calls"] = log.get("calls", 0) + 1
        return x * 2

    first, second = sl.compile(function), sl.compile(lambda x: function(x) * 2)
    for _ in range(3):
        first(sl.ones(2))
        second(sl.ones(2))
    assert len(calls) == 2


def test_a_value_made_by_the_first_call_is_kept_and_may_be_made_anew():
    held = types.SimpleNamespace(table=None, rate=2.0)

    def function(x):
        if held.table is None:
            held.table = sl.tensor([held.rate])
        return (x * held.table).sum()

    compiled = sl.compile(function)
    assert float(compiled(sl.ones(1))) == float(compiled(sl.ones(1))) == 2
    held.table, held.rate = None, 3.0
    assert float(compiled(sl.ones(1))) == 3


def test_a_captured_tensor_is_read_by_each_call_and_may_be_replaced():
    held = types.SimpleNamespace(weight=sl.tensor([2.0]))
    compiled = sl.compile(lambda x: (x * held.weight).sum())
    assert float(compiled(sl.ones(1))) == 2
    held.weight.assign([3.0])
    assert float(compiled(sl.ones(1))) == 3 and compiled.compilations == 1
    held.weight = sl.tensor([4.0])
    assert float(compiled(sl.ones(1))) == 4


def test_the_code_that_is_read_names_its_chains():
    def function(self, x):
        settings = self.settings
        return x * settings.rate + SETTINGS["rate"] + x.shape[0]

    chains = [(chain.kind, chain.root, [name for _, name in chain.links], chain.target) for chain in find_reads(function.__code__).chains]
    assert ("local", "self", ["settings"], "settings") in chains
    assert ("local", "settings", ["rate"], None) in chains
    assert ("global", "SETTINGS", ["rate"], None) in chains


# What no program can repeat


@pytest.mark.parametrize("draw, name", [
    (lambda: np.random.rand(), "np.random.rand"), (lambda: random.random(), "random.random"), (lambda: DRAWS.random(), "DRAWS")])
def test_random_numbers_of_others_are_refused(draw, name):
    compiled = sl.compile(lambda x: x * draw())
    for _ in range(2):
        with pytest.raises(SlopesError, match=f"drew random numbers from {name}: they would be the same in each call") as caught:
            compiled(sl.ones(2))
        assert "sl.uniform" in str(caught.value) and "at test_frozen_values.py" in str(caught.value)


DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize("ask, name", [(lambda: time.time(), "time.time"), (lambda: datetime.datetime.now().year, "datetime.datetime.now")])
def test_the_time_is_named(ask, name):
    with pytest.warns(UserWarning, match=rf"asks for the time \({name}\)"):
        sl.compile(lambda x: x * ask())(sl.ones(2))


def test_a_generator_without_a_state_is_no_obstacle():
    system = random.SystemRandom()
    assert 0 <= float(sl.compile(lambda x: x * system.random())(sl.ones(()))) < 1


def test_random_numbers_that_are_not_drawn_are_no_matter():
    compiled = sl.compile(lambda x: x * 2 if FLAG else x * np.random.rand())
    assert float(compiled(sl.ones(()))) == 2


def test_a_number_that_changes_from_call_to_call_is_named_once():
    compiled = sl.compile(lambda x, rate: x * rate)
    with pytest.warns(UserWarning, match="compiled anew in each call: argument 1 changes from call to call") as caught:
        for number in range(20):
            compiled(sl.ones(2), 0.1 * number)
    assert len(caught) == 1 and "sl.asarray(value)" in str(caught[0].message)


def test_a_function_that_reads_much_is_guarded_quickly():
    objects = [Config(float(number)) for number in range(900)]
    compiled = sl.compile(lambda x: (x * sum(each.rate for each in objects)).sum())
    assert float(compiled(sl.ones(()))) == sum(range(900))
    objects[500].rate += 1
    assert float(compiled(sl.ones(()))) == sum(range(900)) + 1


def test_a_draw_of_another_thread_during_a_trace_is_not_the_functions(monkeypatch):
    traced = []

    def multiply(x, y):
        if not traced:
            drawing = threading.Thread(target=random.random)
            drawing.start()
            drawing.join()
        traced.append(x)
        return multiplied(x, y)

    multiplied = sl.multiply
    monkeypatch.setattr(sl, "multiply", multiply)
    assert float(sl.compile(lambda x: sl.multiply(x, 2))(sl.ones(()))) == 2
    assert len(traced) == 2


def test_a_generator_of_the_modules_is_watched_where_no_code_names_it():
    compiled = sl.compile(lambda x: x * getattr(np, "ran" + "dom").rand())
    with pytest.raises(SlopesError, match=r"drew random numbers from numpy\.random"):
        compiled(sl.ones(2))
