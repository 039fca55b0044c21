"""The signatures of PyTorch's layers, losses, optimizers, schedules, initialisers and functions, recorded for the tests.

`python -m tests.torch_signatures` writes torch_signatures.json, with the torch of the running Python; the tests only read that file.
A signature is a list of texts, one for an argument, such as "bias=True", and "*" before those that are passed by name only.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("torch_signatures.json")
FORWARDING = {"RNN": "RNNBase", "LSTM": "RNNBase", "GRU": "RNNBase"}  # classes that take *args, and whose signature theirs is


def argument_text(name: str, default: Any) -> str:
    """"bias=True", or the name alone where there is no default; functions as their names in quotes, 1.0 as 1.

    >>> argument_text("momentum", 0.0)
    'momentum=0'
    """
    if default is inspect.Parameter.empty:
        return name
    if callable(default):
        default = default.__name__
    return f"{name}={plain(default)!r}"


def plain(value: Any) -> Any:
    """Whole numbers as integers: 50.0 and 50 are one default."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return int(value) if isinstance(value, float) and value == int(value) else value


def signature_texts(function: Callable[..., Any]) -> list[str]:
    """The arguments of a function or class as texts."""
    texts: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            texts.append("*" + name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            texts.append("**" + name)
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not any(text.startswith("*") for text in texts):
                texts.append("*")
            texts.append(argument_text(name, parameter.default))
    return texts


def recurrent_texts(nn: Any, name: str) -> list[str]:
    """RNN, LSTM and GRU pass their arguments on to RNNBase, after the mode; RNN has a nonlinearity as its fourth."""
    texts = signature_texts(nn.RNNBase)[1:]
    texts = [text for text in texts if not (text.startswith("proj_size") and name != "LSTM")]
    return [*texts[:3], "nonlinearity='tanh'", *texts[3:]] if name == "RNN" else texts


def of_classes(module: Any, base: Any) -> Iterator[tuple[str, list[str]]]:
    """The public classes of a module; those that inherit the constructor of the base have no arguments."""
    for name, value in sorted(vars(module).items()):
        if not inspect.isclass(value) or not issubclass(value, base) or value is base or name.startswith("_"):
            continue
        if name in FORWARDING:
            yield name, recurrent_texts(module, name)
        else:
            yield name, [] if value.__init__ is base.__init__ else signature_texts(value)


def of_functions(module: Any) -> Iterator[tuple[str, list[str]]]:
    """The public functions of a module, without those that only forward their arguments, and twins that work in place."""
    for name, value in sorted(vars(module).items()):
        if not inspect.isroutine(value) or name.startswith("_") or name.endswith("_with_indices"):
            continue
        if name.endswith("_") and inspect.isbuiltin(value):
            continue
        pooling = getattr(module, name + "_with_indices", None)
        texts = signature_texts(pooling) if pooling else function_texts(value)
        if texts and texts != ["*args", "**kwargs"]:
            yield name, texts


def function_texts(function: Callable[..., Any]) -> list[str]:
    try:
        return signature_texts(function)
    except ValueError:  # written in C++: its arguments are in the first line of its docstring
        return documented_texts(function.__doc__ or "")


def documented_texts(text: str) -> list[str]:
    """The arguments in "f(input, groups=1) -> Tensor" at the start of a docstring.

    >>> documented_texts("f(input, size=(1, 2), mode = 'none', *, p=1.) -> Tensor")
    ['input', 'size=(1, 2)', "mode='none'", '*', 'p=1']
    """
    start, end = text.find("("), text.find("->")
    if start < 0 or end < 0:
        return []
    arguments = ast.parse(f"def f{text[start:end].strip()}: ...").body[0]
    assert isinstance(arguments, ast.FunctionDef)
    own = arguments.args
    defaults = [inspect.Parameter.empty] * (len(own.args) - len(own.defaults)) + [ast.literal_eval(value) for value in own.defaults]
    texts = [argument_text(argument.arg, default) for argument, default in zip(own.args, defaults)]
    named = [argument_text(argument.arg, inspect.Parameter.empty if value is None else ast.literal_eval(value))
             for argument, value in zip(own.kwonlyargs, own.kw_defaults)]
    return [*texts, *(["*", *named] if named else [])]


def record() -> dict[str, dict[str, list[str]]]:
    """All signatures, by module and name."""
    nn, optim = importlib.import_module("torch.nn"), importlib.import_module("torch.optim")
    schedules = importlib.import_module("torch.optim.lr_scheduler")
    return {"nn": dict(of_classes(nn, nn.Module)), "optim": dict(of_classes(optim, optim.Optimizer)),
            "lr_scheduler": dict(of_classes(schedules, schedules.LRScheduler)), "init": dict(of_functions(nn.init)),
            "functional": dict(of_functions(nn.functional))}


def main() -> None:
    version = importlib.import_module("torch").__version__.partition("+")[0]
    lines = [json.dumps(version)]
    for signatures in record().values():
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(texts)}" for name, texts in signatures.items())
        lines.append(f"{{\n{rows}\n }}")
    names = ["torch", "nn", "optim", "lr_scheduler", "init", "functional"]
    FILE.write_text("{\n" + ",\n".join(f' "{name}": {text}' for name, text in zip(names, lines)) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
