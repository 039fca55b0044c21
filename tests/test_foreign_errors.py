"""Whatever a function, a method or a layer is given: what comes out are errors of slopes, with the user's line, eager and compiled."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

import slopes as sl
from slopes import data, nn, optim
from slopes.errors import ArgumentError, MissingMethodError, ShapeError, SlopesError
from slopes.graph.build import build
from slopes.graph.node import Operation
from slopes.nn.losses.layers import LossLayer
from slopes.ops.elementwise import Elementwise

X = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]], np.float32)
MATRIX, VECTOR, LABELS, IMAGE = sl.tensor(X), sl.tensor([1.0, 2.0, 3.0]), sl.tensor([0, 2]), sl.ones((1, 2, 4, 4))

WRONG = {
    "a word": "a", "None": None, "a dict": {"a": 1}, "a long list": [1, 2, 3, 4, 5], "ragged lists": [[1], [2, 3]], "nothing": [],
    "a module": nn.ReLU(), "a function": len, "a class": int, "an object": object(), "a set": {1, 2}, "bytes": b"x", "a slice": slice(1),
    "...": ..., "a single number": sl.tensor(1.5), "three axes": sl.ones((2, 2, 2)), "five axes": np.ones((1, 1, 1, 1, 1)),
    "whole numbers": sl.tensor([1, 2]), "truth values": sl.tensor([True, False]), "a complex number": 1j,
    "complex numbers": sl.tensor([1j, 2j]),
    "below 0": -1, "0": 0, "2^70": 2**70, "True": True, "nan": math.nan, "inf": math.inf, "a fraction": 1.5, "pairs below 0": (-1, -2),
    "an array of objects": np.array([None, "a"], object), "an array of words": np.array(["a"]), "no elements": np.zeros((0, 3)),
    "a date": np.datetime64("2020-01-01"), "float16": np.ones((2, 3), np.float16), "nested pairs": ((1, 2), (3, 4)),
}

CALLS = {  # arguments that fit; in their places one after another come those that do not
    "reshape": (MATRIX, (3, 2)), "permute_dims": (MATRIX, (1, 0)), "moveaxis": (MATRIX, 0, 1), "expand_dims": (MATRIX, 0),
    "squeeze": (sl.ones((1, 2)), 0), "broadcast_to": (VECTOR, (2, 3)), "concat": ([MATRIX, MATRIX], 0), "stack": ([MATRIX, MATRIX], 0),
    "unstack": (MATRIX, 0), "split": (MATRIX, [1, 1], 0), "flip": (MATRIX, 0), "roll": (MATRIX, 1, 0), "tile": (MATRIX, (2, 1)),
    "repeat": (MATRIX, 2, 0), "diagonal": (MATRIX, 0, 1), "pad": (MATRIX, 1, 0.0), "flatten": (MATRIX, 0), "full": ((2,), 1.0, "float32"),
    "zeros": ((2,), "float32"), "full_like": (MATRIX, 1.0, "float32"), "linspace": (0.0, 1.0, 3, "float32", True),
    "eye": (2, 3, 0, "float32"), "tril": (MATRIX, 0), "meshgrid": (VECTOR, VECTOR), "sum": (MATRIX, 0, False, "float32"),
    "mean": (MATRIX, 0, False), "var": (MATRIX, 0, 0, False), "max": (MATRIX, 0, False), "argmax": (MATRIX, 0, False),
    "cumulative_sum": (MATRIX, 0, "float32"), "logsumexp": (MATRIX, 0, False), "softmax": (MATRIX, 0),
    "isclose": (MATRIX, MATRIX, 1e-5, 1e-8),
    "take": (MATRIX, LABELS, 1), "one_hot": (LABELS, 3, "float32"), "sort": (MATRIX, -1, False), "top_k": (MATRIX, 2, -1, True),
    "nonzero": (MATRIX,), "searchsorted": (VECTOR, VECTOR, "left"), "matmul": (MATRIX, VECTOR), "einsum": ("ij,j->i", MATRIX, VECTOR),
    "tensordot": (MATRIX, VECTOR, 1), "vecdot": (MATRIX, VECTOR, -1), "outer": (VECTOR, VECTOR), "vector_norm": (MATRIX, 0, False, 2),
    "leaky_relu": (MATRIX, 0.1), "gelu": (MATRIX, "none"), "clip": (MATRIX, 0.0, 1.0), "where": (MATRIX > 0, MATRIX, 0.0),
    "astype": (MATRIX, "float64"), "conv2d": (IMAGE, sl.ones((3, 2, 2, 2)), sl.ones(3), 1, 0, 1, 1),
    "conv_transpose1d": (sl.ones((1, 2, 6)), sl.ones((2, 3, 2)), sl.ones(3), 1, 0, 0, 1, 1), "max_pool2d": (IMAGE, 2, None, 0, 1),
    "avg_pool2d": (IMAGE, 2, None, 0, True), "filter_image": (MATRIX, [[1.0, 1.0]], 0), "in_parts": (lambda a: a * 2, MATRIX, 1),
    "scaled_dot_product_attention": (MATRIX, MATRIX, MATRIX, None, 0.0, False, 1.0), "uniform": ((2,), 0.0, 1.0, "float32"),
    "bernoulli": (0.5, (2,)), "integers": (0, 5, (2,)), "permutation": (4,), "from_dlpack": (X,), "add": (MATRIX, MATRIX),
}
METHODS = {
    "reshape": ((3, 2),), "permute_dims": ((1, 0),), "flatten": (0,), "expand_dims": (0,), "broadcast_to": ((2, 2, 3),), "sum": (0, False),
    "var": (0, 0, False), "max": (0, False), "argmax": (0, False), "softmax": (0,), "clip": (0.0, 1.0), "astype": ("float32",),
    "assign": (X,), "__getitem__": (0,), "__setitem__": (0, 1.0), "__add__": (1,), "__pow__": (2,), "backward": (None,),
}


def refused(f, *args) -> None:
    """Either it has a meaning, or the error is slopes' own and names this file."""
    try:
        f(*args)
    except SlopesError as error:
        assert re.search(r"(?m) at test_\w+\.py:\d+$", str(error)) and error.what  # equal constants are one, and know one line


def replaced(args, place, wrong):
    return [*args[:place], wrong, *args[place + 1:]]


def compiled_call(f, *args):
    """f in a compiled function; tensors and arrays are its arguments."""
    places = [place for place, arg in enumerate(args) if isinstance(arg, (sl.Tensor, np.ndarray))]

    def inner(*given):
        full = list(args)
        for place, arg in zip(places, given):
            full[place] = arg
        return f(*full)

    return sl.compile(inner)(*(args[place] for place in places))


@pytest.mark.parametrize("name", CALLS)
def test_functions(name):
    for place in range(len(CALLS[name])):
        for wrong in WRONG.values():
            refused(getattr(sl, name), *replaced(CALLS[name], place, wrong))


@pytest.mark.parametrize("name", ["pad", "conv2d", "sum", "take", "concat", "where", "clip", "linspace", "matmul", "one_hot"])
def test_functions_in_compiled_functions(name):
    for place in range(len(CALLS[name])):
        for wrong in list(WRONG.values())[place::3]:
            refused(compiled_call, getattr(sl, name), *replaced(CALLS[name], place, wrong))


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    for place in range(len(METHODS[name])):
        for wrong in WRONG.values():
            refused(getattr(sl.tensor(X), name), *replaced(METHODS[name], place, wrong))


LARGE = ("d_model", "nhead", "num_encoder_layers", "num_decoder_layers", "dim_feedforward")  # defaults of a transformer: slow to make
LAYERS = [made for name in nn.__all__ if inspect.isclass(made := getattr(nn, name)) and issubclass(made, nn.Module)]


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_layers_and_what_they_are_made_of(kind):
    parameters = inspect.signature(kind).parameters.values()
    plain = {each.name: 2 for each in parameters
             if (each.default is each.empty or each.name in LARGE) and each.kind is each.POSITIONAL_OR_KEYWORD}
    for each in parameters:
        for wrong in WRONG.values():
            if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
                refused(lambda each=each, wrong=wrong: kind(**{**plain, each.name: wrong}))
    try:
        layer = kind(**plain)
    except SlopesError:
        return
    call = kind.function if issubclass(kind, LossLayer) else layer.forward
    needed = [each for each in inspect.signature(call).parameters.values() if each.default is each.empty]
    for wrong in WRONG.values():
        refused(layer, *(wrong for each in needed if each.kind is each.POSITIONAL_OR_KEYWORD))


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.Average])
def test_optimizers(kind):
    for each in inspect.signature(kind).parameters.values():
        for wrong in WRONG.values():
            refused(lambda each=each, wrong=wrong: kind(**{"params": [sl.Parameter(X)], each.name: wrong}))


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "nll_loss", "huber_loss", "kl_div", "l1_penalty"])
def test_losses(name):
    loss = getattr(nn, name)
    for each in inspect.signature(loss).parameters:
        fitting = {key: MATRIX for key, found in inspect.signature(loss).parameters.items() if found.default is found.empty}
        for wrong in WRONG.values():
            refused(lambda each=each, wrong=wrong, fitting=fitting: loss(**{**fitting, each: wrong}))


DERIVATIVES = (sl.grad, sl.value_and_grad, sl.vmap, sl.jacobian, sl.hessian, sl.compile)


@pytest.mark.parametrize("wrong", [w for w in WRONG.values() if not callable(w)], ids=[n for n, w in WRONG.items() if not callable(w)])
def test_what_is_no_function(wrong):
    for f in DERIVATIVES:
        if f is not sl.compile or wrong is not None:  # sl.compile() alone is a decorator with options
            with pytest.raises(SlopesError):
                f(wrong)(MATRIX)
    for f in (lambda: sl.vjp(wrong, MATRIX), lambda: sl.jvp(wrong, (MATRIX,), (MATRIX,)), lambda: sl.scan(wrong, VECTOR[0], VECTOR),
              lambda: sl.in_parts(wrong, MATRIX, 1), lambda: sl.check_grads(wrong, MATRIX)):
        with pytest.raises(SlopesError):
            f()


def test_an_error_of_the_users_own_function_stays_what_it_is():
    def own(*_):
        raise ValueError("mine")

    class Own(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    for f in (lambda: sl.grad(own)(MATRIX), lambda: sl.scan(own, VECTOR[0], VECTOR), lambda: sl.in_parts(own, MATRIX, 1),
              lambda: sl.vmap(own)(MATRIX), lambda: sl.compile(own)(MATRIX)):
        with pytest.raises(ValueError, match=r"^mine$"):
            f()
    for net in (Own(), nn.Sequential(Own()), nn.Residual(Own())):
        with pytest.raises(KeyError):
            net(MATRIX)
    with pytest.raises(TypeError, match=r"missing .*argument: 'shape'"):
        sl.reshape(MATRIX)


def test_the_error_tells_how_the_function_was_called():
    with pytest.raises(ArgumentError) as caught:
        sl.conv2d(IMAGE, sl.ones((3, 2, 2, 2)), stride=len)
    lines = str(caught.value).splitlines()
    given = "x=Tensor float32[1, 2, 4, 4], weight=Tensor float32[3, 2, 2, 2], stride=a builtin_function_or_method"
    assert lines[0] == f"conv2d({given}) is not possible"
    assert lines[1].startswith("  TypeError: ") and lines[2] == "  help(sl.conv2d) tells what each argument may be"
    assert "at test_foreign_errors.py:" in lines[3] and isinstance(caught.value.__cause__, TypeError)


def test_sizes_beyond_any_memory():
    for f in (lambda: sl.zeros(2**70), lambda: sl.eye(2**70), lambda: sl.ones((2**40, 2**40)), lambda: sl.pad(VECTOR, 2**70)):
        with pytest.raises(ShapeError, match="more elements than memory has addresses"):
            f()


def test_positions_and_masks_without_axes():
    with pytest.raises(ShapeError, match="nonzero: a 0-d tensor has no axes"):
        sl.nonzero(sl.tensor(3.0))
    for mask in (np.bool_(True), sl.tensor(True)):
        with pytest.raises(SlopesError):
            MATRIX[0, mask]


class Lion(optim.Optimizer):
    def __init__(self, parameters=None, lr=1e-4):
        super().__init__(lr)
        self.start(parameters)

    def init(self, parameter):
        return {}


class Cubed(Elementwise):
    "x^3, without native code"

    def meaning(xp, x): return x * x * x


class Ruleless(Operation):
    "x, of no shape that is told"

    def meaning(xp, x): return x


del Operation.table["cubed"], Operation.table["ruleless"]  # no other test sees them


@pytest.fixture
def own_operations():
    Operation.table |= {"cubed": Cubed, "ruleless": Ruleless}
    yield
    del Operation.table["cubed"], Operation.table["ruleless"]


def test_methods_that_a_subclass_has_to_define(own_operations):
    optimizer = Lion([weight := sl.Parameter([1.0])])
    (weight * 2).sum().backward()
    told = {
        "Lion does not define update": (optimizer.step, "write def update(self, gradient, parameter, state, c): in class Lion"),
        "Loader does not define size": (lambda: data.Loader().size(3), "write def size(self, batch_size): in class Loader"),
        "Cubed does not define emit": (lambda: sl.compile(lambda x: build("cubed", x))(VECTOR),
                                    "write def emit(b, *xs, **params): in class Cubed"),
        "Ruleless does not define rule": (lambda: build("ruleless", VECTOR), "write def rule(*args, **params): in class Ruleless"),
        "Ruleless does not define pullback": (lambda: Ruleless.pullback(None, None), "def pullback(g, y, *args, **params):"),
    }
    for text, (f, repair) in told.items():
        with pytest.raises(MissingMethodError, match=text) as caught:
            f()
        assert repair in str(caught.value) and isinstance(caught.value, NotImplementedError)
