"""The zoo's models of sequences: parameter counts, nothing depends on padding, word by word is the whole, compiled is eager."""

from __future__ import annotations

import re

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, ShapeError
from slopes.zoo import networks

RNG = np.random.default_rng(0)
TOKENS = np.array([[5, 3, 8, 2], [4, 0, 0, 0], [9, 1, 7, 0]])
TARGET = np.array([[2, 6, 5, 4, 3], [2, 7, 3, 0, 0], [2, 3, 0, 0, 0]])
TAGGED = RNG.integers(1, 9, (2, 4, 6))
TAGGED[0, 3:], TAGGED[:, :, 4:] = 0, 0
PAIRS = np.array([[0, 6], [4, 2], [3, 0]])
PICTURES = numbers("pictures", (3, 1, 16, 12))
SERIES = numbers("series", (3, 7, 1))

COUNTS = {
    "char lstm": (lambda: networks.char_model(), 350_593),
    "char gru": (lambda: networks.char_model(kind="gru"), 268_161),
    "char rnn": (lambda: networks.char_model(kind="rnn"), 103_297),
    "zaremba small": (lambda: networks.word_model(), 4_651_600 + 2 * 800),  # two bias vectors per layer
    "zaremba medium": (lambda: networks.word_model(width=650, dropout=0.5), 19_775_200 + 2 * 2600),
    "zaremba large": (lambda: networks.word_model(width=1500), 66_022_000 + 2 * 6000),
    "tied": (lambda: networks.word_model(tied=True), 4_653_200 - 10_000 * 200),
    "text cnn": (lambda: networks.TextCNN(1000, 2), 1000 * 300 + 360_902),
    "bag of tokens": (lambda: networks.BagOfTokens(1000, 3, 20), 1000 * 20 + 21 * 3),
    "transformer base": (lambda: networks.Transformer(1000, 2000), 3000 * 512 + 2000 + 44_138_496),
    "encoder": (lambda: networks.SentenceEncoder(50, 2, 8, 6), 50 * 8 + 2 * 4 * 6 * (8 + 6 + 2) + 2 * 13),
    "tagger": (lambda: networks.Tagger(50, 30, 17, 8, 5, 4, 6),
               50 * 8 + 30 * 5 + 2 * 16 * (5 + 4 + 2) + 2 * 24 * (16 + 6 + 2) + 17 * 13),
    "translator": (lambda: networks.Translator(20, 30, 8, 6), 50 * 8 + 3 * 18 * (8 + 6 + 2) + 6 * 13 + 6 * 12 + 6 * 18 + 30 * 7),
    "captioner": (lambda: networks.Captioner((1, 8, 12), 10, 2, 4, 6),
                  9 * (1 * 2 + 2 * 4 + 4 * 8 + 8 * 8) + 2 * (2 + 4 + 8 + 8) + 8 + 12 * 9 + 10 * 4 + 24 * (4 + 6 + 2)
                  + 6 * 8 + 6 * (8 + 6) + 10 * 7),
    "forecaster": (lambda: networks.Forecaster(12, 32), 3 * 32 * (1 + 32 + 2) + 33 * 12),
    "recommender": (lambda: networks.Recommender(5, 7, 3, (4, 2)), 1 + 12 + 12 * 3 + 12 * 4 + 4 * 9 + 2 * 5 + 3),
    "biases": (lambda: networks.Recommender(5, 7, 0, ()), 1 + 12),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_number_of_parameters_is_the_papers(name):
    make, count = COUNTS[name]
    with nn.init.shapes_only():
        net = make()
    assert sum(parameter.size for parameter in net.parameters()) == count


# name: (network, inputs)
SMALL = {
    "language": (lambda: networks.LanguageModel(11, 4, 6, 2, "gru", dropout=0.2), (TOKENS,)),
    "tied language": (lambda: networks.LanguageModel(11, 6, 6, tied=True), (TOKENS,)),
    "encoder": (lambda: networks.SentenceEncoder(11, 3, 4, 5, 2, dropout=0.2), (TOKENS,)),
    "text cnn": (lambda: networks.TextCNN(11, 3, 4, filters=3, dropout=0.2), (TOKENS,)),
    "wide text cnn": (lambda: networks.WideTextCNN(11, 8, 3, 4, 3, dropout=0.2), (TOKENS, TARGET)),
    "tagger": (lambda: networks.Tagger(11, 9, 5, 4, 3, 2, 4, 2, dropout=0.2), (TAGGED,)),
    "translator": (lambda: networks.Translator(11, 8, 4, 6, dropout=0.2), (TOKENS, TARGET)),
    "transformer": (lambda: networks.Transformer(11, 8, 4, 1, 2, 6, dropout=0.1), (TOKENS, TARGET)),
    "pre-norm transformer": (lambda: networks.Transformer(11, 8, 4, 1, 2, 6, dropout=0.0, norm_first=True), (TOKENS, TARGET)),
    "captioner": (lambda: networks.Captioner((1, 16, 12), 8, 2, 4, 6), (PICTURES, TARGET)),
    "recommender": (lambda: networks.Recommender(5, 7, 3, (4, 3), dropout=0.2), (PAIRS,)),
    "forecaster": (lambda: networks.Forecaster(4, 6), (SERIES,)),
    "spoken cnn": (lambda: networks.SpokenCNN(16, 3, 2, dropout=0.2), (PICTURES,)),
    "spoken gru": (lambda: networks.SpokenGRU(16, 3, 4, dropout=0.2), (PICTURES,)),
}


def array(tensor):
    return tensor.detach().numpy()


def tensors(arrays):
    return tuple(map(sl.tensor, arrays))


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_reaches_every_parameter(name):
    make, arrays = SMALL[name]
    net = make().train()
    y = net(*tensors(arrays))
    y.backward(numbers("seed", y.shape))
    unreached = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.numpy().any()]
    assert not [name for name in unreached if "mlp" not in name] and len(unreached) <= 1  # a unit of three may be off


@pytest.mark.parametrize("name", ["text cnn", "tagger", "transformer", "recommender"])
def test_a_compiled_training_step_learns_as_the_eager_one_does(name):
    make, arrays = SMALL[name]
    results = []
    for wrap in (lambda step: step, sl.compile):
        sl.seed(1)
        net = make()
        optimizer = optim.SGD(net.parameters(), lr=0.05)

        @wrap
        def step(*inputs, net=net, optimizer=optimizer):
            y = net(*inputs)
            loss = (y * y).mean()
            net.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        results.append([float(step(*tensors(arrays))) for _ in range(3)])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4)


# Nothing depends on how far a row is filled up


def filled_up(array, axis, count):
    return np.pad(array, [(0, count if each == axis else 0) for each in range(array.ndim)])


@pytest.mark.parametrize("name, place, axis", [
    ("encoder", 0, 1), ("text cnn", 0, 1), ("wide text cnn", 0, 1), ("wide text cnn", 1, 1), ("tagger", 0, 1), ("tagger", 0, 2),
    ("translator", 0, 1), ("transformer", 0, 1), ("translator", 1, 1), ("transformer", 1, 1)])
def test_more_padding_changes_what_comes_out(name, place, axis):
    make, arrays = SMALL[name]
    net = make().eval()
    expected = array(net(*tensors(arrays)))
    longer = [filled_up(each, axis, 3) if number == place else each for number, each in enumerate(arrays)]
    found = array(net(*tensors(longer)))
    np.testing.assert_allclose(found[tuple(slice(n) for n in expected.shape)], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["encoder", "text cnn", "wide text cnn", "tagger", "translator", "transformer"])
def test_rows_of_padding_alone_give_numbers(name):
    make, arrays = SMALL[name]
    net = make()
    y = net(*tensors(np.zeros_like(each) for each in arrays))
    y.sum().backward()
    assert np.isfinite(array(y)).all() and all(np.isfinite(each.grad.numpy()).all() for each in net.parameters())


# Word by word


def starts(name, net, arrays):
    if name == "language":
        return net.step(sl.tensor(arrays[0][:, 0]))[1], arrays[0], 1
    if name == "transformer":
        return net.begin(sl.tensor(arrays[0]), length=7), arrays[1], 0
    return net.begin(sl.tensor(arrays[0])), arrays[-1], 0


@pytest.mark.parametrize("name, compiled", [("language", False), ("translator", False), ("transformer", False), ("captioner", False),
                                            ("language", True), ("transformer", True)])
def test_word_by_word_differs_from_the_whole_at_once(name, compiled):
    make, arrays = SMALL[name]
    net = make().eval()
    whole = array(net(*tensors(arrays)))
    state, written, first = starts(name, net, arrays)
    step, state = sl.compile(net.step) if compiled else net.step, nn.detached(state)
    for place in range(first, written.shape[1]):
        with sl.no_grad():
            logits, state = step(sl.tensor(written[:, place]), state)
        np.testing.assert_allclose(array(logits), whole[:, place], rtol=1e-4, atol=1e-5)
    if compiled:
        assert step.compilations == 1


@pytest.mark.parametrize("name", ["language", "translator", "transformer", "captioner"])
def test_rows_of_a_state_can_be_chosen(name):
    make, arrays = SMALL[name]
    net = make().eval()
    state, written, first = starts(name, net, arrays)
    order = np.array([2, 2, 0, 1])
    chosen = sl.tree.map_tree(lambda each: sl.take(each, order, axis=0), state)
    logits, _ = net.step(sl.tensor(written[:, first]), state)
    found, _ = net.step(sl.tensor(written[order, first]), chosen)
    np.testing.assert_allclose(array(found), array(logits)[order], rtol=1e-5, atol=1e-6)


def test_a_language_model_reads_on_where_it_stopped():
    net = networks.LanguageModel(11, 4, 6, 2)
    text = np.concatenate([TOKENS, TOKENS[:, ::-1]], axis=1)
    first, state = net.read(sl.tensor(text[:, :5]))
    second, _ = net.read(sl.tensor(text[:, 5:]), state)
    np.testing.assert_allclose(np.concatenate([array(first), array(second)], axis=1), array(net(sl.tensor(text))), atol=1e-6)


# What attention sees


def test_attention_adds_up_to_one_over_words_that_are_there():
    net = networks.Translator(11, 8, 4, 6)
    _, weights = net.attended(*tensors((TOKENS, TARGET)))
    np.testing.assert_allclose(array(weights).sum(axis=2), 1, rtol=1e-5)
    assert not array(weights)[np.broadcast_to((TOKENS == 0)[:, None], weights.shape)].any()


def test_a_captioner_looks_where_its_keys_point():
    net = networks.Captioner((1, 16, 12), 8, 2, 4, 6).eval()
    _, weights = net.attended(*tensors((PICTURES, TARGET)))
    assert weights.shape == (3, 5, 2)
    np.testing.assert_allclose(array(weights).sum(axis=2), 1, rtol=1e-5)
    net.positions.assign(np.stack([np.zeros(8), 1e4 * array(net.keys.weight)[0]]).astype(np.float32))  # far along one key's direction
    _, weights = net.attended(*tensors((PICTURES, TARGET)))
    assert set(np.round(array(weights[..., 1]).reshape(-1))) <= {0, 1} and ((array(weights) > 0.99).any(axis=2)).mean() > 0.9


def test_a_recommender_of_biases_is_their_sum():
    net = networks.Recommender(5, 7, 0, (), mean=3.0)
    nn.init.normal(net.users.weight), nn.init.normal(net.items.weight)
    users, items = array(net.users.weight)[:, 0], array(net.items.weight)[:, 0]
    np.testing.assert_allclose(array(net(sl.tensor(PAIRS))), 3 + users[PAIRS[:, 0]] + items[PAIRS[:, 1]], rtol=1e-6)


def test_a_translator_learns_from_two_arrays():
    net = networks.Translator(11, 8, 4, 6, dropout=0.0)

    def loss(logits, words):
        return nn.cross_entropy(logits.permute_dims((0, 2, 1)), words, ignore_index=0)

    dataset = sl.data.Dataset((np.tile(TOKENS, (8, 1)), np.tile(TARGET, (8, 1))), np.tile(np.roll(TARGET, -1, 1), (8, 1)))
    run = sl.fit(net, dataset, loss=loss, optimizer=optim.Adam(lr=0.03), epochs=15, batch_size=12, metrics=[], progress=False)
    assert run.epochs[-1].loss < 0.5 * run.epochs[0].loss


# Messages


@pytest.mark.parametrize("kind, make, text", [
    (ArgumentError, lambda: networks.LanguageModel(11, 4, 6, kind="elman"),
     "LanguageModel: kind='elman' is not known\n  choose one of rnn, lstm, gru"),
    (ArgumentError, lambda: networks.LanguageModel(11, 4, 6, tied=True),
     "LanguageModel: tied=True with width=4 and hidden=6\n  a tied weight has one shape in both places\n  give width=6"),
    (ShapeError, lambda: networks.Tagger(11, 9, 5)(sl.tensor(TOKENS)),
     "Tagger: x is (3, 4)\n  its axes are (sentences, words, 1 + characters): each word's number, then those of its characters"),
    (ShapeError, lambda: networks.Recommender(5, 7)(sl.tensor(TOKENS)),
     "Recommender: x is (3, 4)\n  each row is a user's number and an item's: (N, 2)"),
])
def test_what_does_not_fit(kind, make, text):
    with pytest.raises(kind) as error:
        make()
    where = "in net, " if kind is ShapeError else ""
    assert re.sub(r"py:\d+", "py:LINE", str(error.value)) == f"{text}\n  {where}at test_zoo_sequences.py:LINE"
