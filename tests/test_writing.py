"""Sampling, generation and beam search: right distributions, the best sequences, the same eagerly and compiled."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import slopes as sl
from slopes import nn, text
from slopes.errors import ArgumentError, ShapeError

INF = float("inf")


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def shares(tokens, size):
    return np.bincount(np.asarray(tokens), minlength=size) / len(tokens)


# Sampling


def test_samples_come_with_their_probabilities():
    logits = np.array([1.0, -1.0, 0.5, 3.0, -INF], np.float32)
    many = np.tile(logits, (20_000, 1))
    for temperature in (0.5, 1.0, 2.0):
        found = shares(text.sample(many, temperature), 5)
        assert np.abs(found - softmax(logits / temperature)).max() < 0.015 and found[4] == 0


def test_top_k_and_top_p_leave_the_others_out():
    logits = np.log(np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32))
    many = np.tile(logits, (20_000, 1))
    for options, kept in (({"top_k": 2}, [1, 3]), ({"top_p": 0.6}, [1, 3]), ({"top_p": 0.8}, [1, 3, 4]), ({"top_k": 1}, [1]),
                          ({"top_p": 1e-6}, [1]), ({"top_k": 3, "top_p": 0.5}, [1, 3]), ({"top_k": 5, "top_p": 1.0}, [0, 1, 2, 3, 4])):
        wanted = np.zeros(5)
        wanted[kept] = softmax(logits[kept])
        assert np.abs(shares(text.sample(many, **options), 5) - wanted).max() < 0.015, options


@pytest.mark.parametrize("k, size", [(1, 7), (3, 7), (7, 7), (64, 90), (65, 90)])
def test_the_k_highest_stay_also_among_equals(k, size, rng):
    x = rng.integers(0, 4, (6, size)).astype(np.float32)
    kept = text.keep_top_k(x, k).numpy()
    wanted = np.argsort(-x, axis=1, kind="stable")[:, :k]
    assert all(set(np.flatnonzero(row > -INF)) == set(places) for row, places in zip(kept, wanted))
    assert np.array_equal(kept[kept > -INF], x[kept > -INF])


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 1.0])
def test_the_fewest_that_reach_p_stay(p, rng):
    x = rng.normal(size=(20, 9)).astype(np.float32) * 2
    for row, kept in zip(x, text.keep_top_p(x, p).numpy()):
        falling = np.argsort(-row)
        sums = softmax(row.astype(np.float64))[falling].cumsum()
        count = min(9, int((sums < p - 1e-6).sum()) + 1)
        assert set(np.flatnonzero(kept > -INF)) == set(falling[:count])


def test_sampling_is_the_same_compiled_and_a_new_temperature_compiles_nothing():
    first, second = sl.Generator(3), sl.Generator(3)
    logits = sl.normal((64, 50))
    compiled = sl.compile(lambda x, t, p: text.sample(x, t, top_k=20, top_p=p, generator=first))
    for temperature, p in ((1.0, 0.9), (0.7, 0.9), (1.3, 0.5)):
        arguments = sl.tensor(temperature), sl.tensor(p)
        wanted = text.sample(logits, arguments[0], 20, arguments[1], second)
        assert np.array_equal(compiled(logits, *arguments), wanted)
    assert compiled.compilations == 1


def test_a_single_token_and_rows_of_any_number_of_axes():
    assert text.sample([[2.0]], top_k=1, top_p=0.5).tolist() == [0]
    assert text.sample(np.zeros((2, 3, 4))).shape == (2, 3) and text.greedy([1, 5, 5]).item() == 1


@pytest.mark.parametrize("call, kind, said", [
    (lambda: text.sample([1.0, 2.0], temperature=0), ArgumentError, "temperature is 0"),
    (lambda: text.sample([1.0, 2.0], temperature=float("nan")), ArgumentError, "temperature is nan"),
    (lambda: text.sample([1.0, 2.0], top_k=3), ArgumentError, "k is 3, but there are 2 scores"),
    (lambda: text.sample([1.0, 2.0], top_k=0), ArgumentError, "k is 0"),
    (lambda: text.sample([1.0, 2.0], top_k=True), ArgumentError, "k is True"),
    (lambda: text.sample([1.0, 2.0], top_p=0.0), ArgumentError, "p is 0.0"),
    (lambda: text.sample([1.0], top_p=1.5), ArgumentError, "p is 1.5"),
    (lambda: text.sample(1.0), ShapeError, "logits are of shape ()"), (lambda: text.greedy(np.zeros((2, 0))), ShapeError, "(2, 0)")])
def test_impossible_choices_are_refused(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in caught.value.what


# Generation


class Recurrent:
    """A small network that reads a token and remembers."""

    def __init__(self, size=12, hidden=8):
        self.embed, self.mix, self.out = nn.Embedding(size, hidden), nn.Linear(2 * hidden, hidden), nn.Linear(hidden, size)
        self.hidden = hidden

    def __call__(self, tokens, state):
        hidden = sl.tanh(self.mix(sl.concat([self.embed(tokens), state["hidden"]], axis=1)))
        return self.out(hidden) * 4, {"hidden": hidden, "read": state["read"] + 1}

    def start(self, rows):
        return {"hidden": sl.normal((rows, self.hidden)), "read": sl.zeros(rows)}


def test_generation_reads_the_prompt_and_then_what_it_wrote():
    net = Recurrent()
    start = net.start(3)
    prompt = np.array([[1, 2], [3, 4], [5, 6]])
    found = text.generate(net, start, prompt, 7)
    state, written = start, prompt.T.tolist()
    for place in range(2 + 7 - 1):
        logits, state = net(sl.tensor(written[place]), state)
        if place >= 1:
            written.append(text.greedy(logits).tolist())
    assert np.array_equal(found.tokens, np.array(written[2:]).T) and not found.tokens.requires_grad
    assert found.state["read"].tolist() == [8, 8, 8]


def test_generation_with_compiled_parts_compiles_each_once():
    net = Recurrent()
    start = net.start(4)
    step, first, second = sl.compile(net), sl.Generator(1), sl.Generator(1)
    choose = sl.compile(lambda logits: text.sample(logits, 0.9, top_k=5, generator=first))
    prompt = np.zeros((4, 1), np.int64)
    for _ in range(2):
        found = text.generate(step, start, prompt, 12, choose)
        wanted = text.generate(net, start, prompt, 12, lambda logits: text.sample(logits, 0.9, top_k=5, generator=second))
        assert np.array_equal(found.tokens, wanted.tokens)
    assert step.compilations == choose.compilations == 1


def test_rows_that_stopped_are_filled_and_the_model_is_not_asked_any_more():
    table = sl.one_hot([1, 2, 3, 3], 4)
    asked = []

    def step(tokens, state):
        asked.append(tokens.tolist())
        return table[tokens], state

    found = text.generate(step, None, [[0], [1]], 6, stop=3, fill=9)
    assert found.tokens.tolist() == [[1, 2, 3, 9, 9, 9], [2, 3, 9, 9, 9, 9]]
    assert asked == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize("prompt, said", [([1, 2], "int64 of shape (2,)"), (np.zeros((2, 0), int), "of shape (2, 0)"),
                                          (np.zeros((0, 2), int), "of shape (0, 2)"), ([[0.5]], "float32 of shape (1, 1)")])
def test_impossible_prompts_are_refused(prompt, said):
    with pytest.raises(ShapeError) as caught:
        text.generate(lambda tokens, state: (tokens, state), None, prompt, 3)
    assert said in caught.value.what


def test_steps_that_give_wrong_logits_are_named():
    with pytest.raises(ShapeError, match=r"logits of shape \(1,\) for 1 tokens"):
        text.generate(lambda tokens, state: (tokens, state), None, [[0]], 3)
    with pytest.raises(ArgumentError, match=r"choose gave float32 of shape \(1, 4\) for 1 rows"):
        text.generate(lambda tokens, state: (sl.zeros((1, 4)), state), None, [[0]], 3, choose=lambda logits: logits)


# Beam search


def markov(size, seed):
    """Log probabilities of the next token after each token."""
    table = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32) * 1.5
    return table - np.log(np.exp(table).sum(axis=1, keepdims=True))


def every_sequence(table, first, eos, length, exponent):
    """All finished sequences with their scores, best first."""
    size, found = len(table), []
    inner = [token for token in range(size) if token != eos]
    for count in range(length):
        for middle in itertools.product(inner, repeat=count):
            path = (first, *middle, eos)
            value = sum(float(table[a, b]) for a, b in itertools.pairwise(path))
            found.append((value / ((5 + count + 1) / 6) ** exponent, path[1:]))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_wide_beam_finds_the_best_of_all_sequences(exponent, compiled):
    table = markov(4, 5)
    tensor = sl.tensor(table)

    def step(tokens, state):
        return tensor[tokens], state

    chosen = sl.compile(step) if compiled else step
    found = text.beam_search(chosen, None, [0, 2], eos=3, length=5, beams=90, length_penalty=exponent, fill=7)
    for row, first in enumerate((0, 2)):
        wanted = every_sequence(table, first, 3, 5, exponent)[:40]
        assert np.allclose(found.scores[row, :40], [value for value, _ in wanted], rtol=1e-5)
        assert found.finished[row, :40].numpy().all()
        path = wanted[0][1]
        assert found.tokens[row, 0].tolist() == [*path, *[7] * (5 - len(path))] and found.lengths[row, 0].item() == len(path)


def test_beams_carry_their_own_state_and_compiled_ones_agree():
    net = Recurrent()
    start = net.start(3)
    eager = text.beam_search(net, start, [1, 2, 3], eos=0, length=9, beams=4)
    step = sl.compile(net)
    for _ in range(2):
        found = text.beam_search(step, start, [1, 2, 3], eos=0, length=9, beams=4)
    assert step.compilations == 1
    assert np.array_equal(found.tokens, eager.tokens) and np.allclose(found.scores, eager.scores, rtol=1e-4)
    for row, beam in itertools.product(range(3), range(4)):  # each score is that of its own tokens, read from the start
        tokens = [row + 1, *found.tokens[row, beam].tolist()][: found.lengths[row, beam].item() + 1]
        state, total = {name: leaf[row : row + 1] for name, leaf in start.items()}, 0.0
        for a, b in itertools.pairwise(tokens):
            logits, state = net(sl.tensor([a]), state)
            total += sl.log_softmax(logits, axis=-1)[0, b].item()
        assert np.isclose(total / ((5 + len(tokens) - 1) / 6) ** 0.6, found.scores[row, beam].item(), rtol=1e-4)
        assert found.finished[row, beam].item() == (tokens[-1] == 0)


def test_one_beam_that_cannot_end_is_greedy():
    net = Recurrent()
    start, never = net.start(5), sl.tensor([-INF] + [0.0] * 11)

    def step(tokens, state):
        logits, state = net(tokens, state)
        return logits + never, state

    greedy = text.generate(step, start, np.full((5, 1), 1), 8).tokens
    found = text.beam_search(step, start, [1] * 5, eos=0, length=8, beams=1)
    assert np.array_equal(found.tokens[:, 0], greedy) and not found.finished.numpy().any()


@pytest.mark.parametrize("beams", [4, 40])
def test_fewer_sequences_than_beams_are_found_once_each(beams):
    table = sl.tensor(markov(3, 1))
    found = text.beam_search(lambda tokens, state: (table[tokens], state), None, [0], eos=2, length=2, beams=beams)
    real = found.scores[0].numpy() > -INF
    sequences = [tuple(row) for row in found.tokens[0].numpy()[real].tolist()]
    assert len(sequences) == min(beams, 7) == len(set(sequences)) and found.finished[0].numpy().sum() == 3


def test_unfinished_beams_come_last():
    table = sl.tensor([[0.0, -INF, -20.0]] * 3)  # the one sequence that ends is far less likely than the one that does not
    found = text.beam_search(lambda tokens, state: (table[tokens], state), None, [0], eos=2, length=1, beams=2)
    assert found.finished.tolist() == [[True, False]] and found.tokens.tolist() == [[[2], [0]]]
    never = sl.tensor(np.array([[0.0, -1.0, -INF]] * 3, np.float32))
    found = text.beam_search(lambda tokens, state: (never[tokens], state), None, [0], eos=2, length=3, beams=2)
    assert found.finished.tolist() == [[False, False]] and found.tokens[0, 0].tolist() == [0, 0, 0] and found.lengths.tolist() == [[3, 3]]


def test_the_search_stops_when_nothing_better_can_come():
    table = sl.tensor(np.log(np.array([[0.01, 0.98, 0.01]] * 3, np.float32)))
    asked = []

    def step(tokens, state):
        asked.append(1)
        return table[tokens], state

    text.beam_search(step, None, [0], eos=1, length=50, beams=2)
    assert len(asked) < 6


@pytest.mark.parametrize("change, kind, said", [
    ({"length_penalty": -1}, ArgumentError, "length_penalty is -1"), ({"eos": 4}, ArgumentError, "eos is 4, but the tokens are 0 to 3"),
    ({"first": [[0]]}, ShapeError, "first is int64 of shape (1, 1)"), ({"first": []}, ShapeError, "of shape (0,)"),
    ({"state": {"h": sl.zeros((3, 2))}}, ShapeError, "state"), ({"state": [sl.tensor(1.0)]}, ShapeError, "is of shape ()"),
    ({"beams": 0}, ArgumentError, "beams is 0"), ({"length": 0}, ArgumentError, "length is 0"),
    ({"step": lambda tokens, state: (tokens, state)}, ShapeError, "logits of shape (4,)")])
def test_impossible_searches_are_refused(change, kind, said):
    given = {"step": lambda tokens, state: (sl.zeros((tokens.shape[0], 4)), state), "state": None, "first": [0], "eos": 3, **change}
    with pytest.raises(kind) as caught:
        text.beam_search(**given)
    assert said in caught.value.what
