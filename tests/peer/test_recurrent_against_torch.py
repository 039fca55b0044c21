"""Recurrent layers give PyTorch's outputs, states and gradients: from given states, for sequences of several lengths, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's remark on its own implementation

B, T, F, H = 4, 6, 5, 3
LENGTHS = np.array([6, 1, 4, 3])
KINDS = {
    "RNN": "RNN(5, 3, 2, batch_first=True)",
    "relu": "RNN(5, 3, nonlinearity='relu', bidirectional=True, batch_first=True)",
    "LSTM": "LSTM(5, 3, batch_first=True)",
    "deep LSTM": "LSTM(5, 3, 2, bidirectional=True, batch_first=True)",
    "projected LSTM": "LSTM(5, 3, 2, True, True, 0.0, True, 2)",
    "GRU": "GRU(5, 3, 2, batch_first=True)",
    "GRU both ways": "GRU(5, 3, 2, bidirectional=True, bias=False, batch_first=True)",
}


def near(ours, theirs):
    ours, theirs = np.asarray(ours.detach()), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    scale = max(1e-30, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=1e-5, atol=1e-5)


def pair(kind):
    """The same layer here and there: ours takes their state dict as it is."""
    ours, theirs = (eval(f"nn.{KINDS.get(kind, kind)}", {"nn": module}) for module in (nn, torch.nn))
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.tensor(numbers(name, tuple(parameter.shape)) * 0.5))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def both(array):
    return sl.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def same_gradients(ours, theirs, inputs):
    for mine, other in inputs:
        near(mine.grad, other.grad)
    found, wanted = list(ours.named_parameters()), list(theirs.named_parameters())
    assert [name for name, _ in found] == [name for name, _ in wanted]
    for (_, mine), (_, other) in zip(found, wanted):
        near(mine.grad, other.grad)


def compare(ours, theirs, results, inputs):
    """All results, and the gradients of a weighted sum of them all."""
    total, other_total = 0, 0
    for number, (mine, other) in enumerate(results):
        near(mine, other)
        seed = numbers(f"seed {number}", mine.shape)
        total, other_total = total + (mine * seed).sum(), other_total + (other * torch.tensor(seed)).sum()
    total.backward(), other_total.backward()
    same_gradients(ours, theirs, inputs)


def states(layer, batch):
    count = len(layer.suffixes())
    pairs = [both(numbers(f"state {i}", (count, batch, size))) for i, size in enumerate(layer.state_sizes())]
    mine, other = (tuple(each[side] for each in pairs) for side in (0, 1))
    return pairs, (mine, other) if layer.parts == 2 else (mine[0], other[0])


@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_states_and_gradients_differ_from_pytorch(kind, given):
    ours, theirs = pair(kind)
    inputs = [both(numbers("x", (B, T, F)))]
    pairs, (mine, other) = states(ours, B) if given else ([], (None, None))
    (y, state), (z, their_state) = ours(inputs[0][0], mine), theirs(inputs[0][1], other)
    compare(ours, theirs, [(y, z), *zip(leaves(state), leaves(their_state))], [*inputs, *pairs])


@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_several_lengths_differ_from_packed_ones(kind, given):
    ours, theirs = pair(kind)
    inputs = [both(numbers("x", (B, T, F)))]
    pairs, (mine, other) = states(ours, B) if given else ([], (None, None))
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs[0][1], torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    packed, their_state = theirs(packed, other)
    z, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True, total_length=T)
    y, state = ours(inputs[0][0], mine, sl.tensor(LENGTHS))
    compare(ours, theirs, [(y, z), *zip(leaves(state), leaves(their_state))], [*inputs, *pairs])


@pytest.mark.parametrize("kind", ["RNNCell(5, 3)", "RNNCell(5, 3, nonlinearity='relu')", "LSTMCell(5, 3)", "GRUCell(5, 3)",
                                  "GRUCell(5, 3, bias=False)"])
def test_steps_of_a_cell_differ_from_pytorch(kind):
    ours, theirs = pair(kind)
    inputs, mine, other = [], None, None
    for number in range(3):
        x, their_x = both(numbers(f"x {number}", (B, F)))
        inputs.append((x, their_x))
        mine, other = ours(x, mine), theirs(their_x, other)
    compare(ours, theirs, list(zip(leaves(mine), leaves(other))), inputs)


def test_a_state_dict_of_ours_is_not_pytorchs():
    ours, theirs = nn.LSTM(5, 3, 2, bidirectional=True, batch_first=True), torch.nn.LSTM(5, 3, 2, bidirectional=True, batch_first=True)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    x = numbers("x", (B, T, F))
    near(ours(sl.tensor(x))[0], theirs(torch.tensor(x))[0])
