"""The adaptive softmax: a distribution over all classes, the loss of the targets, the same compiled, refused targets."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError

X = np.random.default_rng(0).standard_normal((9, 8)).astype(np.float32)
T = np.array([0, 3, 4, 9, 10, 19, 15, 2, 4])


def layer():
    sl.seed(3)
    return nn.AdaptiveLogSoftmaxWithLoss(8, 20, (4, 10), div_value=2.0)


def test_the_probabilities_of_all_classes_do_not_sum_to_one():
    np.testing.assert_allclose(layer()(sl.tensor(X)).exp().numpy().sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("wrap", [lambda f: f, sl.compile], ids=["eager", "compiled"])
def test_a_target_does_not_get_its_class_s_probability(wrap):
    net = layer()
    output, loss = wrap(lambda x, t: tuple(net(x, t)))(sl.tensor(X), sl.tensor(T))
    wanted = net(sl.tensor(X)).numpy()[np.arange(9), T]
    np.testing.assert_allclose(output.numpy(), wanted, rtol=1e-5)
    assert loss.item() == pytest.approx(-wanted.mean(), rel=1e-5)
    assert net.predict(sl.tensor(X)).tolist() == net(sl.tensor(X)).numpy().argmax(axis=1).tolist()


def test_fit_learns_through_it():
    class Net(nn.Module):
        def __init__(self):
            self.words, self.head = nn.Embedding(20, 8), nn.AdaptiveLogSoftmaxWithLoss(8, 20, (4, 10), 1.5)

        def forward(self, x):
            return self.words(x)

    net, words = Net(), np.arange(20)
    data = sl.data.Dataset(words, (words + 1) % 20)
    sl.fit(net, data, loss=lambda h, t: net.head(h, t).loss, optimizer=optim.Adam(lr=0.05), epochs=150, batch_size=20, metrics=[],
           progress=False)
    assert (net.head.predict(net(sl.tensor(words))).numpy() == data.targets).all()


def test_wrong_cutoffs_and_targets_are_refused():
    with pytest.raises(ArgumentError, match="must stay below n_classes=10"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 10, (4, 10))
    with pytest.raises(OutOfRangeError, match="labels\\[1\\] is 20, but there are 20 classes"):
        layer()(sl.tensor(X[:2]), sl.tensor([0, 20]))
    with pytest.raises(ShapeError, match="one target for every row"):
        layer()(sl.tensor(X), sl.tensor([0, 1]))
    with pytest.raises(DTypeError, match="not integers"):
        layer()(sl.tensor(X[:2]), sl.tensor([0.0, 1.0]))
