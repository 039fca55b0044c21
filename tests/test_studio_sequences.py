"""The engine of the page of sequences: its training, what it writes, and what it shows of states, gates, gradients and attention."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

import slopes as sl
from slopes import optim, text
from slopes.errors import ArgumentError
from slopes.studio.engine import Context, Frame
from slopes.studio.live_engine import Control, Missing
from slopes.studio.messages import Attached, MessageError, parse
from slopes.studio.sequences.attention import AttentionReader
from slopes.studio.sequences.engine import SequencesEngine
from slopes.studio.sequences.frames import PARTS
from slopes.studio.sequences.messages import MESSAGES, Configure, Paste, Read, Unit, Write
from slopes.studio.sequences.network import Learner
from slopes.studio.sequences.states import StateReader
from slopes.studio.sequences.texts import BUILT_IN, corpus_named, divided
from slopes.studio.sequences.writer import Sample, keep
from slopes.zoo.gpt import GPT
from slopes.zoo.language import LanguageModel

SETTINGS = Configure(network="lstm", source="built-in", hidden=12, context=16, batch=4, rate=0.01, forget=1.0, seed=5, speed=0.0)
READING = "The stream is strong"


def settle(engine: SequencesEngine) -> Frame:
    """Run all tasks; the last frame."""
    while engine.tasks.waiting:
        engine.tasks.shown = True
        engine.step(0.01)
    frame = engine.frame()
    assert frame is not None
    return frame


def ask(engine: SequencesEngine, message: object) -> Frame:
    """The frame after a message."""
    engine.handle(message)
    return settle(engine)


@pytest.fixture(scope="module")
def engine() -> SequencesEngine:
    """A page's engine whose network has done 60 steps."""
    engine = SequencesEngine(Context())
    engine.handle(Attached())
    engine.handle(Read(READING))
    engine.handle(SETTINGS)
    settle(engine)
    engine.handle(Control("play"))
    while engine.scene.model.main.live.steps < 60:
        assert engine.step(0.01)
    engine.handle(Control("pause"))
    return engine


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_training_is_that_of_a_plain_program_and_writes_as_it_learns(engine):
    model, corpus = engine.scene.model, engine.scene.model.corpus
    sl.seed(5)
    net = LanguageModel(corpus.size, width=12, hidden=12, kind="lstm")
    net.memory.set_forget_bias(net.memory.weights("_l0"), 1.0)
    plain = sl.Training(net, text.Streams(corpus.encode(corpus.train), 16), optimizer=optim.Adam(lr=0.01), clip=5.0, batch_size=4,
                        epochs=100, seed=5)
    losses = plain.advance(model.main.live.steps)["loss"]
    assert losses.astype(np.float64).tolist() == model.main.live.training.history.losses
    assert corpus.chance > corpus.frequencies > losses[-5:].mean()
    frame = ask(engine, Write("The mill", 0.5))
    sample = frame.header["writing"]["samples"][-1]
    assert sample["step"] == model.main.live.steps and sample["prompt"] == "The mill" and sample["temperature"] == 0.5
    assert len(sample["text"]) == 240 and set(sample["text"]) <= set(BUILT_IN)
    assert ask(engine, Write("\u2603", 0.05)).header["writing"]["samples"][-1]["text"]  # nothing of the prompt is known


def check_formulas(net, tokens, shown):
    """States and gates against the formulas of the layers, in NumPy."""
    w, first = net.memory.weights("_l0"), np.zeros((1, 6))
    x, before = net.words.weight.detach().numpy()[tokens], np.vstack([first, shown["h"][:-1]])
    from_input = x @ w.ih.detach().numpy().T + w.bias_ih.detach().numpy()
    from_state = before @ w.hh.detach().numpy().T + w.bias_hh.detach().numpy()
    inputs, states = (np.split(part, net.memory.gates, axis=1) for part in (from_input, from_state))
    if net.memory.gates == 4:
        i, f, g, o = (function(a + b) for function, a, b in zip((sigmoid, sigmoid, np.tanh, sigmoid), inputs, states))
        expected = {"i": i, "f": f, "g": g, "o": o, "h": o * np.tanh(shown["c"]), "c": f * np.vstack([first, shown["c"][:-1]]) + i * g}
    elif net.memory.gates == 3:
        r, z = (sigmoid(a + b) for a, b in zip(inputs[:2], states[:2]))
        n = np.tanh(inputs[2] + r * states[2])
        expected = {"r": r, "z": z, "n": n, "h": z * before + (1 - z) * n}
    else:
        expected = {"n": np.tanh(inputs[0] + states[0]), "h": np.tanh(inputs[0] + states[0])}
    assert shown.keys() == expected.keys()
    for name, values in expected.items():
        assert np.abs(values - shown[name]).max() < 1e-5, (type(net.memory), name)
    return from_input + from_state


def check_gradients(reader, tokens):
    """The norm of the gradient at a step, against finite differences."""
    norms, step = reader.gradient_norms(tokens)["h"], len(tokens) - 4
    slope = np.zeros(6)
    for unit in range(6):
        losses = []
        for sign in (1, -1):
            nudges = tuple(np.zeros((len(tokens) - 1, 1, 6), np.float32) for _ in range(reader.unit.parts))
            nudges[0][step, 0, unit] = sign * 0.05
            losses.append(float(reader.last_loss(tuple(map(sl.asarray, nudges)), sl.tensor(tokens[:-1]), sl.tensor(tokens[-1:]))))
        slope[unit] = (losses[0] - losses[1]) / 0.1
    assert abs(np.linalg.norm(slope) / norms[step] - 1) < 0.03
    assert norms.shape == (len(tokens) - 1,)


def test_states_and_gates_follow_the_formulas_of_the_layers():
    tokens = np.array([1, 4, 2, 0, 3, 3, 1, 2], np.int64)
    for kind in ("lstm", "gru", "rnn"):
        sl.seed(6)
        net = LanguageModel(5, width=4, hidden=6, kind=kind)
        reader = StateReader(net)
        seen = reader.read(tokens)
        totals = check_formulas(net, tokens, {**seen.states, **seen.gates})
        outputs, _ = net.memory(net.words(sl.tensor(tokens[None])))
        assert np.abs(outputs.numpy()[0] - seen.states["h"]).max() < 1e-6
        assert np.abs(sl.softmax(net(sl.tensor(tokens[None])), axis=-1).numpy()[0] - seen.probabilities).max() < 1e-6
        from_input, from_state = reader.contributions(tokens, seen.states["h"], 2)
        w = net.memory.weights("_l0")
        bias = w.bias_ih.detach().numpy() + w.bias_hh.detach().numpy()
        assert np.abs((from_input + from_state + bias[2::6]) - totals[:, 2::6]).max() < 1e-5
        check_gradients(reader, tokens)


def test_frames_hold_what_happens_while_a_text_is_read(engine):
    engine.handle(Missing(("reading", "gradients")))
    frame = ask(engine, Unit(7))
    model = engine.scene.model
    tokens = model.corpus.encode(READING)
    seen = model.readers["lstm"].read(tokens)
    reading, arrays = frame.header["reading"], frame.arrays
    assert reading["text"] == READING and reading["states"] == ["h", "c"] and reading["gates"] == ["i", "f", "g", "o"]
    assert (arrays["reading.gate_f"] == seen.gates["f"]).all() and (arrays["reading.c"] == seen.states["c"]).all()
    assert (arrays["reading.right"] == seen.probabilities[np.arange(19), tokens[1:]]).all()
    assert reading["expected"][3][0] == model.corpus.characters.decode([int(seen.probabilities[3].argmax())])[0]
    assert frame.header["graph"]["unit"] == 7 and arrays["graph.from_state"].shape == (20, 4)
    assert set(arrays) >= {"gradients.lstm_h", "gradients.lstm_c"}


def test_the_transformer_shows_its_attention():
    sl.seed(2)
    net, tokens = GPT(9, context=6, width=8, depth=2, heads=2), np.array([1, 5, 8, 0, 2, 2, 7, 7], np.int64)
    probabilities, maps = AttentionReader(net).read(tokens)
    expected = sl.inside.attention_maps(net, tokens[None, :6]).weights
    assert len(maps) == len(expected) == 2 and maps[0].shape == (2, 6, 6)
    for weights, others in zip(maps, expected.values()):
        assert np.abs(weights - others).max() < 1e-6
    assert np.abs(probabilities - sl.softmax(net(sl.tensor(tokens[None, :6])), axis=-1).numpy()[0]).max() < 1e-6
    corpus = divided("", "", BUILT_IN)
    learner = Learner("transformer", corpus, dataclasses.replace(SETTINGS, hidden=10))
    assert not learner.recurrent and learner.net.words.weight.shape == (corpus.size, 8)  # a multiple of the heads


def test_a_text_that_is_not_read_as_it_is_says_so(engine):
    for reading, words in (("ROMEO: mill", "Left out, because the text that is learned lacks them: R O M E"),
                           ("Мороз", "fewer than 3 of these"), (READING, "")):
        note = ask(engine, Read(reading)).header["reading"]["note"]
        assert words in note and bool(note) == bool(words)


def test_networks_to_compare_join_and_leave(engine):
    main = engine.scene.model.main
    engine.handle(dataclasses.replace(SETTINGS, compare=True))
    frame = settle(engine)
    assert frame.header["gradients"]["kinds"] == ["lstm", "rnn", "gru"] and engine.scene.model.main is main
    assert frame.arrays["gradients.rnn_h"].shape == frame.arrays["gradients.lstm_h"].shape == (19,)
    assert engine.scene.model.behind.kind == "rnn" and engine.scene.model.behind.live.steps == 0 < main.live.steps
    engine.handle(dataclasses.replace(SETTINGS, rate=0.1))
    assert main.live.training.rate == 0.1 and engine.scene.model.learners == [main]


def test_texts_are_pasted_within_limits_and_the_fallback_says_so(engine, monkeypatch, tmp_path):
    model = engine.scene.model
    for bad, words in (("too short", "has 9 characters"), ("a" * 300, "a single character, 'a'"),
                       ("".join(map(chr, range(300, 800))), "500 different characters")):
        with pytest.raises(ArgumentError, match=words):
            engine.handle(Paste(bad))
    assert engine.scene.model is model and not engine.tasks.waiting
    engine.handle(Paste("tick tock\r\n" * 40))
    while engine.corpus is model.corpus:
        engine.step(0.01)
    assert engine.scene.settings.source == "pasted" and engine.corpus.size == 7 and "\r" not in engine.corpus.characters
    assert engine.corpus.known("to kick, Rome") == "to kick o"
    engine.tasks.clear()
    engine.handle(Missing(("corpus", "nothing")))
    assert {"versions", "corpus"} <= set(engine.frame().header) <= {"versions", *PARTS}
    monkeypatch.setenv("SLOPES_DATA", str(tmp_path))
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    fallback = corpus_named("shakespeare", "")
    assert fallback.name == "built-in" and "not on this machine" in fallback.note and fallback.size == divided("", "", BUILT_IN).size
    with pytest.raises(MessageError):
        parse('{"kind": "paste", "text": 3}', MESSAGES)


def test_samples_that_are_kept_spread_over_the_training():
    samples: list[Sample] = []
    for step in range(0, 5000, 50):
        samples = keep([*samples, Sample(step, "", "", 1.0)])
    steps = [sample.step for sample in samples]
    assert len(steps) == 10 and steps[0] == 0 and steps[-1] == 4950 and steps[3] < 1000
