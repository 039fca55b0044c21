"""The circuit page: the language, the graph and the chain rule of published examples, files to take home, and refusals."""

from __future__ import annotations

import contextlib
import io
import json
import random

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

import slopes as sl
from slopes.studio.circuit.compute import make_graph, work_through
from slopes.studio.circuit.engine import CircuitEngine
from slopes.studio.circuit.functions import FUNCTIONS
from slopes.studio.circuit.grammar import ExpressionError
from slopes.studio.circuit.messages import MESSAGES, ChoosePreset, OpenFunctions, Save, SetValue, Write
from slopes.studio.circuit.presets import PRESETS
from slopes.studio.circuit.python_text import python_text
from slopes.studio.circuit.read import SIGNS, read
from slopes.studio.engine import Context
from slopes.studio.messages import Attached, parse

PUBLISHED = (  # text, value, gradients
    ("f = (x + y) * z; x = -2; y = 5; z = -4", -12, {"x": -4, "y": -4, "z": 3}),
    ("c = a + b; d = b + 1; e = c * d; a = 2; b = 1", 6, {"a": 2, "b": 5}),
    ("c = a * b; (c + 1) * (c + 2); a = 2; b = 3", 56, {"a": 45, "b": 30, "c": 15}),
    ("sigmoid(w @ x + b); w = [2, -3]; b = -3; x = [-1, -2]", 0.731059,
     {"x": [0.393224, -0.589836], "w": [-0.196612, -0.393224], "b": 0.196612}),
    ("2 * (x*y + max(z, w)); x = 3; y = -4; z = 2; w = -1", -20, {"x": -8, "y": 6, "z": 2, "w": 0}),
    ("def s(t): return 1 / (1 + exp(-t))\nf = (x + s(y)) / (s(x) + (x + y)**2)\nx = 3; y = -4", 1.5456448841066441,
     {"x": 2.0595697955721652, "y": 1.5922327514838093}),
    ("W = [[.01, -.05, .1, .05], [.7, .2, .05, .16], [0, -.45, -.2, .03]]\nx = [-15, 22, -44, 56]; b = [0, .2, -.3]\n"
     "cross_entropy(W @ x + b, 2)", 1.0401905694, {}),
    ("sum(sigmoid(x)); x = [0, 1, 2]", 2.1118557, {"x": [0.25, 0.19661193, 0.10499359]}),
    ("sum(3 * a**3 - b**2); a = [2, 3]; b = [6, 4]", 53, {"a": [36, 81], "b": [-12, -8]}),
    ("def f(x=-2, y=5, z=-4):\n  q = x + y\n  return q * z", -12, {"x": -4, "q": -4, "z": 3}),
)
MIXED = ("x = [0.5, -1.5]; s = 0.7; W = [[0.1, 0.2], [0.3, -0.4]]\ndef g(t, u): return t * u + sin(t)\n"
         "v = s * x; h = tanh(W @ v + s); m = [[s, 2], x]\n"
         "f = mean(h) + sum(g(v, s)) + softplus(v[0] - 2) + sum(m @ x) ** 2 / 3 + logsumexp(v) - sum(relu(transpose(W)[1])) + abs(min(v))"
         " + p\n"
         "p = exp(x[1]) * log(s) - sqrt(s) / cos(s) + tan(s) - square(x[0]) * max(x) + dot(v, softmax(x)) + cross_entropy(h, 1) + "
         "log_softmax(x)[0] - sigmoid(max(s, x[1]))")
REFUSED = (  # text, the character named, words of the error
    ("f = x × y", 7, "write *"), ("f = x ^ 2", 7, "write **"), ("f(x) = 3", 1, "defined with def"), ("(", 1, "closing bracket"),
    ("f = 3x; x = 1", 5, "3 * x"), ("a = b; b = a", 5, "computed from itself"), ("x @ y; x = [1, 2]; y = [1, 2, 3]", 1, "do not fit"),
    ("x * 2; x = [1, 2]", 1, "sum(f)"), ("f = __import__(1)", 5, "no function"), ("f = x.__class__", 5, "no expression"),
    ("f = [i for i in x]", 5, "no expression"), ("lambda x: x", 1, "no expression"), ("f = x**999; x = 1", 8, "too large"),
    ("while 1: pass", 1, "no formula"), ("import os", 1, "no formula"), ("f = exp", 5, "apply it"), ("x = 1; x = 2; f = x", 8, "twice"),
    ("f = max(x, 1, 2); x = 1", 5, "1 or 2 arguments"), ("f = x[7]; x = [1]", 5, "no element"), ("x = 1e999; f = x", 5, "too large"),
    ("x = [[1, 2], [3]]; sum(x)", 5, "lengths"), ("f = y", 5, "y = 1"), ("f = 2 * pi", 5, "depends on no value"),
    ("exp = 3", 1, "is a function"),
    ("def f(x): return f(x)", 18, "no function"), ("f = x; y = 'text'", 12, "no part"), ("x = 1\nf = x +", 8, "line 2, character 8"),
    ("cross_entropy(z, 5); z = [1, 2]", 1, "label"), ("x = [[[1]]]; f = x", 5, "shape"), ("f = x; x = " + "9" * 1900, 12, "too large"),
    ("", 1, "no formula"), ("f = x[1.5]; x = [1]", 7, "whole number"), ("f = " + "x+" * 90 + "1; x = 1", 5, "nested"),
    ("f = " + "-" * 1500 + "x; x = 1", 66, "nested"), ("x" * 2001, 2001, "characters"), ("f = " + "(" * 300, None, "nested"),
    ("def a(x): return x*x+x\n" + "".join(f"def {c}(x): return {b}({b}(x)) + {b}(x)\n" for b, c in zip("abcdefg", "bcdefgh"))
     + "k=h(y);y=1", None, "operations"),
)


def chain_of(text, opened=False):
    return work_through(make_graph(read(text)), opened)


def gradients_of(chain):
    return {chain.name(node): gradient for node, gradient in chain.gradient_of.items()}


def test_published_examples_have_their_values_and_gradients():
    for text, value, gradients in PUBLISHED:
        for opened in (False, True):
            chain = chain_of(text, opened)
            np.testing.assert_allclose(chain.value_of[chain.output], value, atol=1e-6, err_msg=text)
            computed = gradients_of(chain)
            for name, gradient in gradients.items():
                np.testing.assert_allclose(computed[name], gradient, atol=1e-6, err_msg=f"{text}: {name}")


def test_all_functions_have_the_gradients_of_finite_differences_and_of_the_python_program():
    assert all(f"{name}(" in MIXED for name in FUNCTIONS)
    engine = CircuitEngine(Context())
    engine.handle(Write(MIXED))
    assert engine.error is None
    program = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(engine.handle(Save("python")).header["text"].replace("print(", "shown = ("), program)
    values = engine.graph.program.values
    for opened in (False, True):
        computed = gradients_of(chain_of(MIXED, opened))
        for name, value in values.items():
            np.testing.assert_allclose(computed[name], program["shown"].gradients[name], rtol=1e-12)
            np.testing.assert_allclose(computed[name], differences(MIXED, name, value.array), atol=1e-6)


def differences(text, name, array):
    """Central differences of the result by a value that stands in the text."""
    gradient = np.zeros(array.shape)
    for index in np.ndindex(array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[index] += sign * 1e-6
            chain = chain_of(read(text).with_value(name, moved))
            ends.append(chain.value_of[chain.output].item())
        gradient[index] = (ends[0] - ends[1]) / 2e-6
    return gradient


def test_errors_name_the_character_and_nothing_is_evaluated():
    for text, character, words in REFUSED:
        with pytest.raises(ExpressionError) as raised:
            chain_of(text)
        assert words in str(raised.value), (text, str(raised.value))
        named = raised.value.span[0] + 1 == character or f"character {character}" in raised.value.what
        assert character is None or named, (text, raised.value)


def test_random_texts_are_refused_or_computed():
    draw, words = random.Random(7), ["x", "f", "exp", "def", "return", "max", "softmax", "2", "[1,2]", "\n", ";", "if", "for", "lambda"]
    operands, operators = ["x", "x[0]", "2", "(x", "x)", "exp(x)", "[x, 1]", "-x", "max(x, 1)"], ["+", "*", "-", "/", "**", "@"]
    outcomes = {True: 0, False: 0}
    for i in range(200):
        pieces = [draw.choice([*words, *words, draw.choice(SIGNS)] if i % 2 else operators if j % 2 else operands)
                  for j in range(draw.choice((1, 3, 5, 7)))]
        text = "".join(pieces) + "\nx = 2"
        try:
            chain_of(text)
            outcomes[True] += 1
        except ExpressionError:
            outcomes[False] += 1
    assert min(outcomes.values()) > 3


def test_the_engine_shows_presets_and_follows_changed_values():
    engine = CircuitEngine(Context())
    for name in PRESETS:
        engine.handle(ChoosePreset(name))
        shown = engine.frame().header
        assert json.dumps(shown, allow_nan=False) and shown["error"] is None and engine.frame() is None
        scene = shown["scene"]
        assert [scene["wires"][step["wire"]]["step"] for step in scene["steps"]] == list(range(len(scene["steps"])))
        assert scene["steps"][-1]["received"] == scene["steps"][-1]["arriving"]
        assert all(gate["x"] >= 0 and gate["x"] + gate["width"] <= scene["width"] for gate in scene["gates"])
    engine.handle(ChoosePreset("product"))
    engine.handle(SetValue("x", (2.0,)))
    shown = engine.frame().header
    assert shown["text"].endswith("x = 2; y = 5; z = -4") and shown["scene"]["gates"][-1]["value"] == "-28"
    assert shown["scene"]["steps"][0]["sentence"] == "∂f/∂q = ∂f/∂f · ∂f/∂q = 1 · (-4) = -4"
    engine.handle(SetValue("x", (1.0, 2.0)))  # of another shape: a message that came late
    assert engine.frame() is None
    engine.handle(Attached())
    assert engine.frame().header["scene"] is not None


def test_an_error_leaves_the_last_circuit_and_refuses_files():
    engine = CircuitEngine(Context())
    engine.handle(Write("f = (x + y"))
    shown = engine.frame().header
    assert shown["error"]["start"] == 4 and shown["scene"]["steps"] and shown["text"] == "f = (x + y"
    with pytest.raises(sl.SlopesError, match="no circuit"):
        engine.handle(Save("svg"))
    engine.handle(Write("f = log(x); x = -1; y = 3"))
    assert engine.frame().header["remarks"] == ["not part of f: y", "not finite: f"]


def test_functions_are_opened_and_files_are_taken_home():
    engine = CircuitEngine(Context())
    engine.handle(ChoosePreset("functions"))
    closed = [gate["title"] for gate in engine.frame().header["scene"]["gates"]]
    engine.handle(OpenFunctions(True))
    opened = [gate["title"] for gate in engine.frame().header["scene"]["gates"]]
    assert "a = s(y)" in closed and not any("s(" in title for title in opened) and len(opened) > len(closed)
    assert engine.handle(Save("svg")).header["text"].startswith("<svg")
    text = "def f(x): return x\ndef import_(x): return x\nimport_(tensor) + f(sl)**2; sl = 3; tensor = [1, 2][0]"
    program = python_text(make_graph(read(text)))
    assert "def g" not in program and "sl_" in program
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(program, {})
    assert "sl_" in output.getvalue()


def test_messages_are_validated():
    assert parse('{"kind": "value", "name": "x", "numbers": [1, 2.5]}', MESSAGES) == SetValue("x", (1.0, 2.5))
    for text in ('{"kind": "value", "name": "x", "numbers": []}', '{"kind": "preset", "name": "none"}', '{"kind": "write"}',
                 '{"kind": "value", "name": "x", "numbers": [1e300]}', json.dumps({"kind": "write", "text": "x" * 2001})):
        with pytest.raises(sl.SlopesError):
            parse(text, MESSAGES)
