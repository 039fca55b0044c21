"""Arguments are PyTorch's, in names, order and defaults, or their difference has a reason; PyTorch's are in torch_signatures.json."""

from __future__ import annotations

import inspect
import json

import pytest
from torch_reasons import SUBJECTS
from torch_signatures import FILE, documented_texts, signature_texts

from slopes import functions, nn, optim
from slopes.nn import losses

THEIRS = json.loads(FILE.read_text(encoding="utf-8"))
MODULES = {"layers": "nn", "optimizers": "optim", "schedules": "lr_scheduler", "initialisers": "init", "functions": "functional"}
SCHEDULES = {"Step": "StepLR", "MultiStep": "MultiStepLR", "Exponential": "ExponentialLR", "Linear": "LinearLR",
             "Polynomial": "PolynomialLR", "Cosine": "CosineAnnealingLR", "CosineRestarts": "CosineAnnealingWarmRestarts",
             "Cyclic": "CyclicLR", "OneCycle": "OneCycleLR", "Sequential": "SequentialLR", "Chained": "ChainedScheduler",
             "Plateau": "ReduceLROnPlateau"}  # which give factors of a rate, and have names of their own
TENSORS = {"input": "x", "tensor": "x"}  # functions of tensors call the first x, as the array API does


def public(module, kind, drop=""):
    return {name.removesuffix(drop): value for name, value in vars(module).items() if kind(value) and not name.startswith("_")}


def loss_functions():
    return {name: value for name, value in public(nn, inspect.isfunction).items() if value.__module__.startswith(losses.__name__)}


def ours(subject):
    """The public classes or functions of slopes on a subject, by name."""
    if subject == "layers":
        return {name: value for name, value in public(nn, inspect.isclass).items() if not name.endswith("Loss")}
    if subject == "losses":
        return {**{name: value for name, value in public(nn, inspect.isclass).items() if name.endswith("Loss")}, **loss_functions()}
    if subject == "functions":
        names = {name: getattr(functions, name) for name in functions.__all__} | public(nn, inspect.isfunction)
        return {name: value for name, value in names.items() if inspect.isfunction(value) and name not in loss_functions()}
    if subject == "schedules":
        return {theirs: getattr(optim.schedules, name) for name, theirs in SCHEDULES.items()}
    module = {"optimizers": optim, "initialisers": nn.init}[subject]
    return public(module, inspect.isfunction if subject == "initialisers" else inspect.isclass)


def theirs(subject):
    """PyTorch's signatures on a subject; functions that work in place without the underscore at the end of their names."""
    if subject == "losses":
        return {**{name: texts for name, texts in THEIRS["nn"].items() if name.endswith("Loss")}, **THEIRS["functional"]}
    return {name.rstrip("_"): texts for name, texts in THEIRS[MODULES[subject]].items()}


def shared(subject):
    """(name, slopes' arguments, PyTorch's arguments) of all that both have."""
    here, there = ours(subject), theirs(subject)
    names = TENSORS if subject == "functions" else {}
    return [(name, signature_texts(here[name]), [names.get(text, text) for text in there[name]])
            for name in sorted(here.keys() & there.keys())]


def name_of(text):
    return text.partition("=")[0]


def without(texts, names):
    """The arguments without these; a "*" at the end separates nothing."""
    left = [text for text in texts if name_of(text) not in names]
    return left[:-1] if left and left[-1] == "*" else left


def reasons_for(subject, name):
    table = SUBJECTS[subject]
    return {**table.get("*", {}), **table.get(name, {})}


def text_of(name, mine, their):
    """What a message says about two lists of arguments."""
    return f"{name}({', '.join(mine)}) is {name}({', '.join(their)}) in PyTorch"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_arguments_are_pytorchs_or_have_a_reason(subject):
    different = [text_of(name, mine, their) for name, mine, their in shared(subject)
                 if without(mine, reasons_for(subject, name)) != without(their, reasons_for(subject, name))]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_reason_excuses_a_difference(subject):
    pairs = {name: (mine, their) for name, mine, their in shared(subject)}
    for name, table in SUBJECTS[subject].items():
        assert name == "*" or name in pairs, f"{name} is not in both"
        for argument, reason in table.items():
            assert len(reason) > 10
            some = [name] if name != "*" else pairs
            assert any(needs_reason(subject, other, argument, *pairs[other]) for other in some), f"{name}: {argument} is no exception"


def needs_reason(subject, name, argument, mine, their):
    excused = reasons_for(subject, name).keys() - {argument}
    return without(mine, excused) != without(their, excused)


def test_arguments_of_slopes_alone_leave_the_positions_of_pytorchs():
    """An argument that PyTorch lacks comes after all that it has, or is passed by name only."""
    for name, mine, their in shared("layers"):
        positional = [name_of(text) for text in (mine[:mine.index("*")] if "*" in mine else mine)]
        own = [argument for argument in positional if argument not in {name_of(text) for text in their}]
        assert positional[len(positional) - len(own):] == own, text_of(name, mine, their)


def test_signatures_are_read_from_functions_and_docstrings():
    def function(x, *rest, a=1.0, b: str = "no", **others): ...
    assert signature_texts(function) == ["x", "*rest", "a=1", "b='no'", "**others"]
    text = "f(input, size=(1, 2), mode = 'none', *, p=1.) -> Tensor"
    assert documented_texts(text) == ["input", "size=(1, 2)", "mode='none'", "*", "p=1"]
