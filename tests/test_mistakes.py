"""Common mistakes that are known for certain before a training: each is an error or a warning, with a repair to copy; none else is."""

from __future__ import annotations

import functools
import random
import threading
import time
import warnings

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.data.transforms import augment
from slopes.errors import ArgumentError, OutOfRangeError, ShapeError, TraceError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((100, 3))
CLASSES = np.arange(100) % 3


def fitted(net, inputs, targets=None, **given):
    return sl.fit(net, inputs, targets, **({"progress": False} | given))


def own(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def yes_or_no(outputs, targets):
    return nn.binary_cross_entropy_with_logits(outputs, targets)


def resting():
    net = nn.Linear(3, 3)
    for parameter in net.parameters():
        parameter.requires_grad = False
    return net


REFUSED = {
    "numbers without an axis": (1, X[:, 0], {}, ShapeError, "outputs have shape (100, 1), but targets (100,)", "targets.reshape(-1, 1)"),
    "numbers with an axis": (nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), X[:, :1], {}, ShapeError,
                             "outputs have shape (100,), but targets (100, 1)", "targets.reshape(-1)"),
    "too few outputs for numbers": (1, X, {}, ShapeError, "outputs have shape (100, 1), but targets (100, 3)",
                                    "give the last layer 3 outputs"),
    "classes that are floats": (3, CLASSES.astype(float), {}, ShapeError, "targets that are floats are taken as numbers",
                                "if they are classes: targets.astype(np.int64)"),
    "whole numbers of a regression": (1, np.arange(100) + 115, {}, OutOfRangeError, "the labels run from 115 to 214",
                                      "loss=nn.mse_loss and targets.astype(np.float32).reshape(-1, 1)"),
    "yes or no with one output": (1, CLASSES % 2, {}, OutOfRangeError, "classes 0 to 0",
                                  "loss=nn.binary_cross_entropy_with_logits and targets.ast"),
    "labels from 1": (3, CLASSES + 1, {}, OutOfRangeError, "the labels run from 1 to 3", "classes are counted from 0: targets - 1"),
    "a class too many": (2, CLASSES, {}, OutOfRangeError, "the labels run from 0 to 2", "give the last layer 3 outputs"),
    "unlabelled examples": (3, np.where(CLASSES == 2, -1, CLASSES), {}, OutOfRangeError, "the labels run from -1 to 1",
                            "ignore_index=-1)"),
    "one-hot": (3, np.eye(3, dtype=int)[CLASSES], {}, ShapeError, "outputs have shape (100, 3), labels (100, 3)", "labels.argmax(axis=1)"),
    "labels with an axis": (3, CLASSES[:, None], {}, ShapeError, "outputs have shape (100, 3), labels (100, 1)", "labels.reshape(-1)"),
    "mse_loss": (1, X[:, 0], {"loss": nn.mse_loss}, ShapeError, "outputs have shape (100, 1), but targets (100,)",
                 "targets.reshape(-1, 1)"),
    "logits of one output": (1, CLASSES % 2, {"loss": yes_or_no}, ShapeError, "outputs have shape (64, 1), but targets (64,)",
                             "targets.reshape(-1, 1)"),
    "a loss of one's own": (1, X[:, 0], {"loss": own}, ShapeError, "compares each of 100 outputs with each of 100 targets",
                            "targets.reshape(-1, 1)"),
    "a loss of one's own the other way": (nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), X[:, :1], {"loss": own}, ShapeError,
                                          "outputs have shape (100,), targets (100, 1)", "targets.reshape(-1)"),
    "all at rest": (resting(), CLASSES, {}, ArgumentError, "Linear has no parameter that learns", "requires_grad = True"),
    "the name of a loss": (1, X[:, :1], {"loss": "mse"}, ArgumentError, "loss is 'mse'", "loss=nn.mse_loss"),
    "the name of an optimizer": (1, X[:, :1], {"optimizer": "sgd"}, ArgumentError, "optimizer is 'sgd'", "optimizer=optim.SGD(lr=1e-3)"),
    "the class of an optimizer": (1, X[:, :1], {"optimizer": optim.RMSprop}, ArgumentError, "not an optimizer", "optim.RMSprop(lr=1e-3)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_refused_in_the_user_s_shapes_with_its_repair(name):
    net, targets, given, kind, text, repair = REFUSED[name]
    net = nn.Linear(3, net) if isinstance(net, int) else net
    with pytest.raises(kind) as caught:
        fitted(net, X, targets, **given)
    assert text in str(caught.value) and repair in caught.value.repair, str(caught.value)


@pytest.mark.parametrize("repaired", [
    lambda: fitted(nn.Linear(3, 1), X, X[:, 0].reshape(-1, 1)),
    lambda: fitted(nn.Linear(3, 1), X, (np.arange(100) + 115).astype(np.float32).reshape(-1, 1), loss=nn.mse_loss),
    lambda: fitted(nn.Linear(3, 1), X, (CLASSES % 2).astype(np.float32).reshape(-1, 1), loss=nn.binary_cross_entropy_with_logits),
    lambda: fitted(nn.Linear(3, 3), X, np.where(CLASSES == 2, -1, CLASSES), loss=lambda outputs, targets:
                   nn.cross_entropy(outputs, targets, ignore_index=-1)),
    lambda: fitted(nn.Linear(3, 1), X, X[:, 0], loss=lambda o, t: ((o - t[None, :]) ** 2).mean()),
    lambda: fitted(nn.Linear(3, 1), X, X[:, 0], loss=lambda o, t: ((o[:, 0] - t) ** 2).mean()),
    lambda: fitted(nn.Linear(3, 1), X, X[:, 0], loss=lambda o, t: nn.mse_loss(o, t.reshape(o.shape)))])
def test_the_repairs_and_what_is_meant_are_accepted(repaired):
    assert np.isfinite(repaired().losses).all()


def test_the_usual_loss_follows_from_the_targets_and_is_told():
    assert fitted(nn.Linear(3, 3), X, CLASSES).settings["loss"] == "cross_entropy"
    run = fitted(nn.Linear(3, 3), X, X)
    assert run.settings["loss"] == "mse_loss" and run.epochs[0].metrics == {}
    assert sl.evaluate(run.net, X, X)["loss"] == pytest.approx(float(nn.mse_loss(run.net(sl.asarray(X.astype(np.float32))), X)), rel=1e-5)
    assert sl.train.range_test(nn.Linear(3, 3), X, X, steps=5).losses[0] > 0


def test_inputs_and_targets_may_be_given_one_by_one_or_as_a_pair():
    nets = []
    for given in [(Dataset(X, CLASSES),), (X, CLASSES), ((X, CLASSES),)]:
        sl.seed(0)
        nets.append(fitted(nn.Linear(3, 3), *given, validation=(X, CLASSES)).net.state_dict()["weight"])
    assert np.array_equal(nets[0], nets[1]) and np.array_equal(nets[0], nets[2])
    with pytest.raises(ArgumentError, match="targets are given twice: a Dataset has its own"):
        fitted(nn.Linear(3, 3), Dataset(X, CLASSES), CLASSES)


def ends_in(layer, outputs=3):
    return nn.Sequential(nn.Linear(3, outputs), layer)


class Forced(nn.Module):
    def __init__(self):
        self.layer, self.drop = nn.Linear(3, 3), nn.Dropout(0.5)

    def forward(self, x):
        self.drop.train()
        return self.drop(self.layer(x))


class Squashed(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return sl.softmax(self.layer(x), axis=1)


def blank():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    for parameter in net.parameters():
        parameter.assign(parameter * 0)
    return net


YES = (CLASSES % 2).astype(np.float32)[:, None]
WARNED = {
    "Softmax before cross_entropy": (lambda: ends_in(nn.Softmax()), CLASSES, {}, "outputs are probabilities already"),
    "softmax at the end of forward": (Squashed, CLASSES, {}, "leave the Softmax at the end out"),
    "Softmax before nll_loss": (lambda: ends_in(nn.Softmax()), CLASSES, {"loss": nn.nll_loss}, "nll_loss takes log probabilities"),
    "logits before nll_loss": (lambda: nn.Linear(3, 3), CLASSES, {"loss": nn.nll_loss}, "end the net in nn.LogSoftmax"),
    "Sigmoid before logits": (lambda: ends_in(nn.Sigmoid(), 1), YES, {"loss": nn.binary_cross_entropy_with_logits},
                              "leave the Sigmoid out"),
    "train mode in forward": (Forced, CLASSES, {}, "drop is in train mode again after the net was called in eval mode"),
    "weights of 0": (blank, CLASSES, {}, "all 2 weights of the net are 0"),
    "one class": (lambda: nn.Linear(3, 3), CLASSES * 0 + 2, {}, "all 100 targets are class 2"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_learns_badly_and_silently_is_told(name):
    make, targets, given, text = WARNED[name]
    sl.seed(0)
    with pytest.warns(UserWarning, match=text) as seen:
        fitted(make(), X, targets, **given)
    assert len(seen) == 1 and seen[0].filename == __file__


@pytest.mark.parametrize("make, targets, given", [
    (lambda: ends_in(nn.LogSoftmax()), CLASSES, {"loss": nn.nll_loss}), (lambda: ends_in(nn.LogSoftmax()), CLASSES, {}),
    (lambda: ends_in(nn.Sigmoid()), CLASSES, {}), (lambda: nn.Linear(3, 1), YES, {"loss": nn.binary_cross_entropy_with_logits})])
def test_what_is_sound_earns_no_warning(make, targets, given):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(make(), X, targets, **given)


# Random numbers of others


HOST = np.random.default_rng(0)


class Noisy(nn.Module):
    """Adds noise of NumPy, which would be the same in every step."""

    def __init__(self):
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x + HOST.standard_normal(3).astype(np.float32) if self.training else x)


class Jitter:
    """An augmentation that is an object, with its generator in an attribute."""

    def __init__(self):
        self.settings = {"source": np.random.default_rng(2)}

    def __call__(self, x, y):
        return x + self.by(), y

    def by(self):
        return 0 * self.settings["source"].random()


def from_helper(x, y):
    return helper(x), y


def helper(x):
    return x + 0 * HOST.random()


FROZEN = {
    "an object with a generator": {"augment": Jitter()},
    "a function that calls another": {"augment": from_helper},
    "a partial function": {"augment": functools.partial(lambda source, x, y: (x + 0 * source.random(), y), random.Random(1))},
    "a generator in augment": {"augment": lambda x, y: (x + float(HOST.standard_normal()), y)},
    "numpy.random in augment": {"augment": lambda x, y: (x * float(np.random.uniform()), y)},
    "a coin of Python": {"augment": lambda x, y: (x + 0 * random.random(), y)},
    "a new generator in augment": {"augment": lambda x, y: (x + float(np.random.default_rng().standard_normal()), y)},
    "a counter in augment": {"augment": lambda x, y, seen=[]: (x + float(len(seen) + (seen.append(1) or 0)), y)},
    "noise in the loss": {"loss": lambda o, t: nn.cross_entropy(o + float(HOST.standard_normal()), t)},
    "noise in the penalty": {"penalty": lambda net: float(np.random.RandomState(0).rand()) * 0 + HOST.random() * nn.l2_penalty(net)},
    "noise in the net": {},
}


@pytest.mark.parametrize("name", FROZEN)
def test_random_numbers_of_others_are_refused_in_a_step(name):
    with pytest.raises(TraceError, match=r"(?s)the same.*in every step.*(draw|numbers)"):
        fitted(Noisy() if name == "noise in the net" else nn.Linear(3, 3), X, CLASSES, **FROZEN[name])


def test_random_numbers_of_slopes_are_new_in_each_step():
    net = nn.Linear(1, 1, bias=False)
    run = fitted(net, np.ones((8, 1)), np.zeros((8, 1)), loss=lambda o, t: o.mean(), optimizer=optim.SGD(lr=0.0), batch_size=1,
                 augment=lambda x, y: (x + sl.normal(x.shape), y))
    assert len(set(run.losses)) == 8
    pictures = np.zeros((8, 1, 5, 5), np.float32)
    assert fitted(nn.Sequential(nn.Flatten(), nn.Linear(25, 2)), pictures, np.arange(8) % 2,
                  augment=lambda x, y: (augment.shift(x, 1), y)).history.steps == 1


def test_another_thread_may_draw_while_a_step_is_traced():
    shared, done = np.random.default_rng(1), threading.Event()

    def draw():
        while not done.is_set():
            shared.random()
            time.sleep(0.001)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        assert np.isfinite(fitted(nn.Linear(3, 3), X, CLASSES, augment=lambda x, y: (x * 1.0, y) if shared else ()).losses).all()
    finally:
        done.set()
        thread.join()
