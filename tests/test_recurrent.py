"""Recurrent layers: formulas, states carried on, lengths, dropout over time, and the same eagerly and compiled."""

from __future__ import annotations

import re

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError, SlopesError

B, T, F, H = 4, 6, 5, 3
LENGTHS = np.array([6, 0, 4, 1])
LAYERS = {
    "RNN": lambda: nn.RNN(F, H, 2, nonlinearity="relu", batch_first=True),
    "LSTM": lambda: nn.LSTM(F, H, bidirectional=True, batch_first=True),
    "GRU": lambda: nn.GRU(F, H, 2, bidirectional=True, batch_first=True),
    "GRU of Cho": lambda: nn.GRU(F, H, reset="before", update="replaces", batch_first=True),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]()


@pytest.fixture(params=["eager", "compiled"])
def ran(request):
    """Runs a function as it is, or compiled."""
    return (lambda f: f) if request.param == "eager" else sl.compile


def x_of(name="x", batch=B, steps=T):
    return sl.tensor(numbers(name, (batch, steps, F)))


def array(tensor):
    return tensor.detach().numpy()


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def close(ours, expected, tolerance=1e-5):
    np.testing.assert_allclose(array(ours), expected if isinstance(expected, np.ndarray) else array(expected), tolerance, tolerance)


# Formulas and published numbers


def test_the_lstm_of_gomez_leaves_its_published_numbers(ran):
    layer = nn.LSTM(2, 1, batch_first=True)
    rows = [1, 2, 0, 3]  # the example's gates are a, i, f, o; ours i, f, g = a, o
    for name, values in {"weight_ih_l0": [[0.45, 0.25], [0.95, 0.8], [0.7, 0.45], [0.6, 0.4]],
                         "weight_hh_l0": [[0.15], [0.8], [0.1], [0.25]], "bias_ih_l0": [0.2, 0.65, 0.15, 0.1],
                         "bias_hh_l0": [0.0] * 4}.items():
        setattr(layer, name, sl.Parameter(np.array(values, np.float64)[rows]))

    @ran
    def step(x, targets):
        y, (_, c) = layer(x)
        loss = 0.5 * ((y[0, :, 0] - targets) ** 2).sum()
        layer.zero_grad()
        loss.backward()
        return y, c, loss, layer.weight_ih_l0.grad

    x = np.array([[[1.0, 2.0], [0.5, 3.0]]])
    y, c, loss, slope = step(sl.tensor(x), sl.tensor([0.5, 1.25], dtype="float64"))
    assert array(y).ravel().tolist() == pytest.approx([0.53631, 0.77198], abs=5e-6)
    assert c.item() == pytest.approx(1.51763, abs=1e-5)
    assert loss.item() == pytest.approx(0.11491036, abs=5e-9)
    np.testing.assert_allclose(array(slope), numeric_slope(layer, x), atol=1e-8)


def numeric_slope(layer, x):
    """The gradient of that loss by differences."""
    weight = array(layer.weight_ih_l0).copy()

    def loss(changed):
        layer.weight_ih_l0 = sl.Parameter(changed)
        y = array(layer(sl.tensor(x))[0])[0, :, 0]
        return 0.5 * ((y - [0.5, 1.25]) ** 2).sum()

    found = np.zeros_like(weight)
    for place in np.ndindex(*weight.shape):
        step = np.zeros_like(weight)
        step[place] = 1e-5
        found[place] = (loss(weight + step) - loss(weight - step)) / 2e-5
    return found


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("update", ["keeps", "replaces"])
@pytest.mark.parametrize("reset", ["before", "after"])
def test_each_way_to_write_a_gru_follows_its_formula(reset, update):
    cell = nn.GRUCell(F, H, reset=reset, update=update)
    x, h = numbers("x", (B, F)), numbers("h", (B, H))
    w, u, b, d = (array(each) for each in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh))
    (wr, wz, wn), (ur, uz, un) = (np.split(each, 3) for each in (w, u))
    (br, bz, bn), (dr, dz, dn) = (np.split(each, 3) for each in (b, d))
    r, z = sigmoid(x @ wr.T + br + h @ ur.T + dr), sigmoid(x @ wz.T + bz + h @ uz.T + dz)
    inner = r * (h @ un.T + dn) if reset == "after" else (r * h) @ un.T + dn
    n = np.tanh(x @ wn.T + bn + inner)
    close(cell(sl.tensor(x), sl.tensor(h)), z * h + (1 - z) * n if update == "keeps" else (1 - z) * h + z * n)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_is_its_cell_step_by_step(kind):
    layer, cell = getattr(nn, kind)(F, H, batch_first=True), getattr(nn, kind + "Cell")(F, H)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = x_of(), None
    outputs, last = layer(x)
    for step in range(T):
        state = cell(x[:, step], state)
        close(outputs[:, step], leaves(state)[0])
    for mine, other in zip(leaves(last), leaves(state)):
        close(mine[0], other)


def test_both_directions_are_two_layers_one_of_which_reads_backwards():
    layer, ahead, back = nn.GRU(F, H, bidirectional=True, batch_first=True), nn.GRU(F, H, batch_first=True), nn.GRU(F, H, batch_first=True)
    state = layer.state_dict()
    ahead.load_state_dict({name: state[name] for name in ahead.state_dict()})
    back.load_state_dict({name: state[name + "_reverse"] for name in back.state_dict()})
    x = x_of()
    outputs, last = layer(x)
    (first, first_last), (second, second_last) = ahead(x), back(sl.flip(x, axis=1))
    close(outputs, sl.concat([first, sl.flip(second, axis=1)], axis=2))
    close(last, sl.concat([first_last, second_last], axis=0))


@pytest.mark.parametrize("kind, gates", [("RNN", 1), ("LSTM", 4), ("GRU", 3)])
@pytest.mark.parametrize("layers, bidirectional", [(1, False), (3, False), (2, True)])
def test_the_number_of_parameters_is_the_textbooks(kind, gates, layers, bidirectional):
    layer, ways = getattr(nn, kind)(F, H, layers, batch_first=True, bidirectional=bidirectional), 1 + bidirectional
    first, later = gates * H * (F + H + 2), gates * H * (H * ways + H + 2)
    assert sum(each.size for each in layer.parameters()) == ways * (first + (layers - 1) * later)


# Lengths


def test_a_padded_sequence_differs_from_the_sequence_alone(layer):
    x = x_of()
    outputs, state = layer(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        assert not array(outputs)[row, length:].any()
        if length:
            alone, alone_state = layer(x[row:row + 1, :length])
            close(outputs[row, :length], alone[0])
            for mine, other in zip(leaves(state), leaves(alone_state)):
                close(mine[:, row], other[:, 0])
        else:
            assert not any(array(mine)[:, row].any() for mine in leaves(state))


def test_a_sequence_without_steps_leaves_its_state_as_it_was():
    layer, h = nn.GRU(F, H, batch_first=True), sl.tensor(numbers("h", (1, B, H)))
    _, state = layer(x_of(), h, [0] * B)
    assert np.array_equal(array(state), array(h))


def test_what_stands_after_the_end_does_no_harm(layer):
    given = numbers("x", (B, T, F))
    given[np.arange(T) >= LENGTHS[:, None]] = np.nan
    x = sl.tensor(given, requires_grad=True)
    outputs, state = layer(x, lengths=sl.tensor(LENGTHS))
    (outputs.sum() + sum(each.sum() for each in leaves(state))).backward()
    assert np.isfinite(array(outputs)).all() and np.isfinite(x.grad.numpy()).all()
    assert not x.grad.numpy()[np.arange(T) >= LENGTHS[:, None]].any()
    assert all(np.isfinite(each.grad.numpy()).all() for each in layer.parameters())


# States


def test_two_halves_with_the_state_carried_over_are_the_whole():
    layer, x = nn.LSTM(F, H, 2, batch_first=True), x_of()
    whole, last = layer(x)
    first, state = layer(x[:, :2])
    second, end = layer(x[:, 2:], state)
    close(sl.concat([first, second], axis=1), whole)
    for mine, other in zip(end, last):
        close(mine, other)


def test_a_detached_state_lets_no_gradient_through():
    layer, x = nn.LSTM(F, H, batch_first=True), sl.tensor(numbers("x", (B, T, F)), requires_grad=True)
    _, state = layer(x[:, :2])
    assert isinstance(nn.detached(state), tuple)
    layer(x[:, 2:], nn.detached(state))[0].sum().backward()
    assert not x.grad.numpy()[:, :2].any() and x.grad.numpy()[:, 2:].all()


def test_the_gradient_through_time_is_the_slope(layer):
    for name, parameter in layer.named_parameters():
        setattr(layer, name, sl.Parameter(array(parameter).astype(np.float64)))
    names = [name for name, _ in layer.named_parameters()]

    def total(x, *parameters):
        for name, parameter in zip(names, parameters):
            setattr(layer, name, parameter)
        outputs, state = layer(x, lengths=np.minimum(LENGTHS, 4))
        return (outputs * numbers("seed", outputs.shape)).sum() + sum((each * each).sum() for each in leaves(state))

    start = [sl.tensor(array(parameter)) for parameter in layer.parameters()]
    sl.check_grads(total, x_of(steps=4).astype(np.float64), *start)


def test_arrays_are_taken_as_they_are(layer):
    close(layer(array(x_of()))[0], layer(x_of())[0])


def test_the_summary_and_taps_show_the_outputs():
    net = nn.Sequential(nn.LSTM(F, H, batch_first=True))
    assert [row.output for row in net.summary((B, T, F)).rows] == [(B, T, H)] * 2
    call = sl.compile(lambda x: net(x)[0], taps=["net[0]"])
    y = call(x_of())
    assert np.array_equal(array(call.tapped["net[0]"]), array(y))


# Dropout


def test_variational_dropout_is_the_same_in_all_steps():
    layer = nn.RNN(H, H, nonlinearity="relu", bias=False, hidden_dropout=0.5, batch_first=True)
    layer.weight_ih_l0, layer.weight_hh_l0 = sl.Parameter(np.zeros((H, H), np.float32)), sl.Parameter(np.eye(H, dtype=np.float32))
    h = sl.ones((1, 64, H))
    outputs = array(layer(sl.zeros((64, T, H)), h)[0])
    assert set(np.unique(outputs[:, 0])) == {0, 2}
    assert np.array_equal(outputs, np.where(outputs[:, :1] > 0, 2.0 ** np.arange(1, T + 1)[:, None], 0))
    assert np.array_equal(array(layer.eval()(sl.zeros((64, T, H)), h)[0]), np.ones((64, T, H)))


def test_dropout_leaves_out_what_it_says():
    x = sl.ones((2, 50, H))
    between = nn.RNN(H, H, 2, nonlinearity="relu", bias=False, dropout=0.5, batch_first=True)
    inputs = nn.RNN(H, H, nonlinearity="relu", bias=False, input_dropout=0.5, batch_first=True)
    for layer in (between, inputs):
        for name, parameter in layer.named_parameters():
            setattr(layer, name, sl.Parameter((0 if "_hh_" in name else 1) * np.eye(*parameter.shape, dtype=np.float32)))
    each_step, each_sequence = array(between(x)[0]), array(inputs(x)[0])
    assert set(np.unique(each_step)) == set(np.unique(each_sequence)) == {0, 2}
    assert len(np.unique(each_step[0], axis=0)) > 1 and (each_sequence == each_sequence[:, :1]).all()


# Initial values


def test_the_forget_gate_can_start_open():
    for layer, first, second in ((nn.LSTM(F, H, forget_bias=1.5, batch_first=True), "bias_ih_l0", "bias_hh_l0"),
                                 (nn.LSTMCell(F, H, forget_bias=1.5), "bias_ih", "bias_hh")):
        one, two = array(getattr(layer, first)), array(getattr(layer, second))
        assert (one[H:2 * H] == 1.5).all() and (two[H:2 * H] == 0).all()
        assert (abs(np.delete(one, range(H, 2 * H))) <= H ** -0.5).all()


def test_each_gate_can_be_orthogonal():
    layer = nn.LSTM(F, H, batch_first=True)
    nn.init.orthogonal(layer.weight_hh_l0, blocks=4)
    for gate in np.split(array(layer.weight_hh_l0), 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(H), atol=1e-6)


# Compiled


def learned(layer, wrap, steps=4):
    """Losses, states and weights of a few steps of training on pieces of a sequence, the state carried over."""
    optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @wrap
    def step(x, lengths, *state):
        outputs, last = layer(x, state if len(state) > 1 else state[0], lengths)
        loss = (outputs * outputs).mean()
        layer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, nn.detached(last)

    losses, (_, state) = [], layer(sl.zeros((B, 1, F)))
    state = nn.detached(state)
    for number in range(steps):
        loss, state = step(x_of(f"x{number}"), sl.tensor(np.roll(LENGTHS, number)), *leaves(state))
        losses.append(loss.item())
    return losses, leaves(state), layer.state_dict()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_compiled_training_step_learns_as_the_eager_one_does(kind):
    results = []
    for wrap in (lambda step: step, sl.compile):
        sl.seed(3)
        results.append(learned(LAYERS[kind](), wrap))
    (expected, states, weights), (losses, our_states, our_weights) = results
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for mine, other in zip(our_states, states):
        close(mine, array(other), 1e-4)
    for name, value in weights.items():
        np.testing.assert_allclose(our_weights[name], value, 1e-4, 1e-5)


def test_pieces_of_another_number_with_the_same_shape_compile_nothing_anew():
    layer = nn.GRU(F, H, batch_first=True)
    step = sl.compile(lambda x, state: layer(x, state))
    state = sl.zeros((1, B, H))
    for number in range(3):
        _, state = step(x_of(f"x{number}"), state)
    assert step.compilations == 1


def test_compiled_dropout_draws_the_same_numbers():
    def drawn(wrap):
        sl.seed(5)
        layer = nn.LSTM(F, H, 2, dropout=0.3, input_dropout=0.2, hidden_dropout=0.4, batch_first=True)
        call = wrap(lambda x: layer(x)[0])
        return [array(call(x_of())) for _ in range(2)]

    for mine, other in zip(drawn(sl.compile), drawn(lambda call: call)):
        np.testing.assert_allclose(mine, other, 1e-5, 1e-6)


def test_a_length_beyond_the_end_is_found_in_a_compiled_function():
    layer = nn.GRU(F, H, batch_first=True)
    call = sl.compile(lambda x, lengths: layer(x, lengths=lengths)[0])
    for wrong in (T + 1, -1):
        with pytest.raises(OutOfRangeError):
            call(x_of(), sl.tensor([T, wrong, 0, 1]))


# Views


def test_a_loop_over_a_cell_is_drawn_unrolled():
    cell = nn.RNNCell(2, 3)

    def unrolled(x):
        h = None
        for step in range(3):
            h = cell(x[:, step], h)
        return h

    text = str(sl.graph(unrolled, sl.zeros((1, 3, 2))))
    assert text.count("tanh") == 3


# Messages


def message(kind, function):
    with pytest.raises(kind) as error:
        function()
    assert isinstance(error.value, SlopesError)
    return re.sub(r"py:\d+", "py:LINE", str(error.value))


CALLED = "layer called at test_recurrent.py:LINE"


@pytest.mark.parametrize("shape, repair", [
    ((B, T, 4), "  build it for this width, nn.LSTM(4, ...)\n"),
    ((B, F, T), "  axis 1 is 5: put it last with x.permute_dims((0, 2, 1))\n"),
    ((T, F), "  for one sequence, x[None]; for one step of a batch, x[:, None]\n"),
    ((F,), "")])
def test_another_width(shape, repair):
    assert message(ShapeError, lambda: nn.LSTM(F, H, 2, bidirectional=True, batch_first=True)(sl.zeros(shape))) == (
        f"LSTM(5 -> 3, 2 layers, bidirectional) at net needs x of shape (batch, time, 5), but x is {shape}\n{repair}  {CALLED}")


def test_one_number_per_step():
    assert "for one value per step, x[:, :, None]" in message(ShapeError, lambda: nn.GRU(1, H, batch_first=True)(sl.zeros((B, T))))


def test_no_step():
    assert message(ShapeError, lambda: nn.GRU(F, H, batch_first=True)(sl.zeros((B, 0, F)))) == (
        "GRU(5 -> 3) at net needs at least one step, but x is (4, 0, 5)\n"
        "  pad empty sequences to one step, and pass lengths= with 0 for them\n"
        f"  {CALLED}")


@pytest.mark.parametrize("lengths, kind, text", [
    ([6, 7, -1, 2], OutOfRangeError, "GRU(5 -> 3) at net: lengths[1] is 7, but x (4, 6, 5) has 6 steps\n"
     "  2 of 4 lengths are not from 0 to 6\n"),
    ([1, 2], ShapeError, "GRU(5 -> 3) at net needs lengths of shape (4,), but they are (2,)\n"
     "  each sequence of the batch has one length\n"),
    ([1.0, 2.0, 3.0, 4.0], DTypeError, "GRU(5 -> 3) at net needs integers as lengths, but they are float32\n"
     "  lengths.astype(slopes.int64)\n"),
])
def test_wrong_lengths(lengths, kind, text):
    assert message(kind, lambda: nn.GRU(F, H, batch_first=True)(x_of(), lengths=lengths)) == f"{text}  {CALLED}"


@pytest.mark.parametrize("make, state, kind, text", [
    (lambda: nn.LSTM(F, H, batch_first=True), lambda: sl.zeros((1, B, H)), ArgumentError,
     "LSTM(5 -> 3) needs a pair of tensors (h, c) as its state, but got a Tensor\n"
     "  pass the state that it returned, or omit it to start from zeros\n  in net, at test_recurrent.py:LINE"),
    (lambda: nn.GRU(F, H, batch_first=True), lambda: (sl.zeros((1, B, H)),) * 2, ArgumentError,
     "GRU(5 -> 3) needs a tensor h as its state, but got a tuple of 2\n"
     "  pass the state that it returned, or omit it to start from zeros\n  in net, at test_recurrent.py:LINE"),
    (lambda: nn.GRU(F, H, 2, batch_first=True), lambda: sl.zeros((B, H)), ShapeError,
     "GRU(5 -> 3, 2 layers) at net: h of the state is float32[4, 3], not float32[2, 4, 3]\n"
     "  its axes are (layers * directions, batch, hidden)\n  omit the state to start from zeros\n  " + CALLED),
])
def test_a_wrong_state(make, state, kind, text):
    assert message(kind, lambda: make()(x_of(), state())) == text


def test_a_wrong_state_of_a_cell():
    assert message(ShapeError, lambda: nn.LSTMCell(F, H)(sl.zeros((B, F)), (sl.zeros((B, H)), sl.zeros((1, H))))) == (
        "LSTMCell(5 -> 3) at net: c of the state is float32[1, 3], not float32[4, 3]\n"
        f"  its axes are (batch, hidden)\n  omit the state to start from zeros\n  {CALLED}")


def test_a_sequence_for_a_cell():
    assert message(ShapeError, lambda: nn.GRUCell(F, H, update="replaces")(x_of())) == (
        "GRUCell(5 -> 3, update='replaces') at net needs x of shape (batch, 5), but x is (4, 6, 5)\n"
        f"  nn.GRU takes whole sequences\n  {CALLED}")


def test_dropout_between_layers_of_which_there_is_one():
    assert message(ArgumentError, lambda: nn.LSTM(F, H, dropout=0.5, batch_first=True)) == (
        "LSTM: dropout=0.5 with one layer\n  it is applied between layers\n"
        "  put nn.Dropout after the layer, set num_layers=2, or use input_dropout or hidden_dropout\n  at test_recurrent.py:LINE")


def test_a_forget_bias_without_a_bias():
    assert "there is no bias to set" in message(ArgumentError, lambda: nn.LSTM(F, H, bias=False, forget_bias=1.0, batch_first=True))


def test_blocks_that_do_not_divide():
    assert "init.orthogonal: 2 blocks do not divide 3 rows" in message(
        ArgumentError, lambda: nn.init.orthogonal(nn.Linear(2, 3).weight, blocks=2))


def test_sequence_dropout_of_other_axes():
    assert message(ShapeError, lambda: nn.SequenceDropout(0.5)(sl.zeros((B, F)))) == (
        "SequenceDropout(0.5) at net needs x of shape (batch, time, features), but x is (4, 5)\n"
        f"  it drops the same features in all steps\n  nn.Dropout drops single values\n  {CALLED}")
