"""Optimizers: published trajectories, binding, missing gradients, changing numbers, and state."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError, GradientError, StateError
from slopes.versions import versions


def descend(opt, parameters, loss, steps):
    for _ in range(steps):
        opt.zero_grad()
        loss().backward()
        opt.step()
    return [parameter.detach().numpy().tolist() for parameter in parameters]


@pytest.mark.parametrize("rate, expected", [(0.2, 0.060466), (0.05, 3.486784), (1.1, 61.917364)])
def test_x_squared_from_10_goes_the_published_way(rate, expected):
    x = sl.Parameter(10.0)
    assert descend(optim.SGD([x], lr=rate), [x], lambda: x * x, 10) == [pytest.approx(expected, rel=1e-5)]


@pytest.mark.parametrize("options, expected", [
    ({"lr": 0.4}, (-0.943467, -0.000073)), ({"lr": 0.6, "momentum": 0.5}, (0.007188, 0.002553)),
    ({"lr": 0.6, "momentum": 0.25}, (-0.126340, -0.186632))])
def test_a_long_valley_is_walked_the_published_way(options, expected):
    x = sl.Parameter([-5.0, -2.0])
    scale = sl.tensor([0.1, 2.0])
    (found,) = descend(optim.SGD([x], **options), [x], lambda: (x * x * scale).sum(), 20)
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("make, options, expected", [
    (optim.Adagrad, {"lr": 0.4}, (-2.382563, -0.158591)), (optim.Adagrad, {"lr": 2.0}, (-0.002295, 0.0)),
    (optim.RMSprop, {"lr": 0.4, "alpha": 0.9}, (-0.010599, 0.0))])
def test_adaptive_rates_walk_the_long_valley_the_published_way(make, options, expected):
    x = sl.Parameter([-5.0, -2.0])
    scale = sl.tensor([0.1, 2.0])
    (found,) = descend(make([x], **options), [x], lambda: (x * x * scale).sum(), 20)
    assert found == pytest.approx(expected, abs=2e-6)


def test_centered_rmsprop_stays_finite_where_the_gradient_never_varies():
    x = sl.Parameter(np.full(5, 3.0, np.float32))
    opt = optim.RMSprop([x], alpha=0.3, centered=True)
    weights = sl.tensor([0.1, 0.3, 0.7, 1.1, 1e-3])
    assert np.isfinite(descend(opt, [x], lambda: (x * weights).sum(), 60)[0]).all()


def test_one_step_of_the_published_2_2_2_network():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    for layer, weight, bias in ((first, [[0.15, 0.20], [0.25, 0.30]], 0.35), (second, [[0.40, 0.45], [0.50, 0.55]], 0.60)):
        layer.weight.assign(np.array(weight, np.float32))
        nn.init.constant(layer.bias, bias)
    net = nn.Sequential(first, nn.Sigmoid(), second, nn.Sigmoid())
    weights = [first.weight, second.weight]
    opt = optim.SGD(weights, lr=0.5)
    loss = nn.squared_loss(net(sl.tensor([[0.05, 0.10]])), sl.tensor([[0.01, 0.99]])) * 0.5
    loss.backward()
    opt.step()
    assert float(loss) == pytest.approx(0.298371109, rel=1e-6)
    assert np.allclose(second.weight.detach().numpy(), [[0.35891648, 0.40866619], [0.51130127, 0.56137012]], atol=1e-7)
    assert np.allclose(first.weight.detach().numpy(), [[0.14978072, 0.19956143], [0.24975114, 0.29950229]], atol=1e-7)


def test_lion_moves_by_the_sign_of_its_mean():
    x, mean, steps = sl.Parameter([1.0, -2.0, 0.5]), np.zeros(3), np.array([1.0, -2.0, 0.5])
    opt = optim.Lion([x], lr=0.1, betas=(0.8, 0.9), weight_decay=0.05)
    weights = np.array([0.3, -1.0, 2.0])
    for _ in range(4):
        gradient = 2 * weights * steps
        steps = (1 - 0.1 * 0.05) * steps - 0.1 * np.sign(0.8 * mean + 0.2 * gradient)
        mean = 0.9 * mean + 0.1 * gradient
        (found,) = descend(opt, [x], lambda: (x * x * sl.tensor(weights, "float32")).sum(), 1)
        assert found == pytest.approx(steps, abs=1e-6)


@pytest.mark.parametrize("make, text", [
    (lambda: optim.Rprop(etas=(1.2, 0.5)), "the first makes steps smaller, the second larger"),
    (lambda: optim.Rprop(etas=3), "two numbers"), (lambda: optim.Lion(betas=0.9), "two numbers"),
    (lambda: optim.Adafactor(eps=1e-3), "two numbers"),
    (lambda: optim.Adafactor(beta2_decay=0.8), "decreases")])
def test_pairs_of_optimizers_are_checked(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()


# Binding


def net_and_loss():
    sl.seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return net, lambda: nn.cross_entropy(net(sl.ones((5, 3))), sl.tensor([0, 1, 0, 1, 1]))


@pytest.mark.parametrize("given", [lambda net: net, lambda net: net.parameters(), lambda net: dict(net.named_parameters()),
                                   lambda net: iter(net.parameters())], ids=["module", "list", "names", "iterator"])
def test_parameters_may_be_given_in_every_form(given):
    net, loss = net_and_loss()
    before = float(loss())
    opt = optim.SGD(given(net), lr=0.1)
    descend(opt, [], loss, 3)
    assert float(loss()) < before


def test_binding_later_and_again():
    net, loss = net_and_loss()
    opt = optim.Adam(lr=0.1)
    assert opt.bind(net.parameters()) is opt
    descend(opt, [], loss, 2)
    states = opt.states
    opt.bind(net)
    assert opt.states is states and int(opt.steps) == 2
    opt.bind(nn.Linear(2, 2))
    assert len(opt.states) == 2 and int(opt.steps) == 0


def test_a_tied_parameter_is_moved_once():
    w = sl.Parameter([1.0])
    opt = optim.SGD([w, w], lr=0.1)
    (w * 1).sum().backward()
    opt.step()
    assert w.numpy().tolist() == pytest.approx([0.9])


def test_an_optimizer_without_parameters_says_so():
    with pytest.raises(ArgumentError) as error:
        optim.SGD(lr=0.1).step()
    assert "SGD.step: it has no parameters yet\n  bind it first: opt.bind(net.parameters())" in str(error.value)


@pytest.mark.parametrize("wrong", [[], nn.ReLU(), sl.tensor(1.0), [1.0], ["weight"]])
def test_what_is_no_parameter_is_refused(wrong):
    with pytest.raises(ArgumentError, match="SGD: "):
        optim.SGD(wrong, lr=0.1)


# Gradients


def test_a_missing_gradient_is_named_and_nothing_changes():
    net, _ = net_and_loss()
    opt = optim.SGD(net.parameters(), lr=0.1)
    before = net.state_dict()
    net[2](sl.ones((1, 4))).sum().backward()
    with pytest.raises(GradientError) as error:
        opt.step()
    lines = str(error.value).split("\n")
    assert lines[:3] == [
        "SGD.step: 2 of 4 parameters have no gradient: 0.weight, 0.bias",
        "  the loss does not depend on them: they were not used, or their outputs were detached",
        "  use them, or freeze them: parameter.requires_grad = False"]
    assert lines[3].startswith("  at test_optim.py:")
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


def test_a_step_without_backward_says_so():
    net, _ = net_and_loss()
    with pytest.raises(GradientError) as error:
        optim.Adam(net.parameters()).step()
    assert str(error.value).split("\n")[:3] == [
        "Adam.step: none of the 4 parameters has a gradient (0.weight, 0.bias, 2.weight, 2.bias)",
        "  backward() was not called since gradients were last cleared, or it reached none of them",
        "  call loss.backward() before step(), and zero_grad() before backward(), not after"]


def test_a_frozen_parameter_rests():
    net, loss = net_and_loss()
    net[0].weight.requires_grad = False
    before = net.state_dict()
    descend(optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1), [], loss, 2)
    after = net.state_dict()
    assert np.array_equal(before["0.weight"], after["0.weight"]) and not np.array_equal(before["0.bias"], after["0.bias"])


def test_maximize_climbs():
    x = sl.Parameter(1.0)
    assert descend(optim.SGD([x], lr=0.1, maximize=True), [x], lambda: x * x, 1) == [pytest.approx(1.2)]


# Numbers


def test_changing_a_number_is_no_change_of_structure():
    opt = optim.SGD([sl.Parameter(1.0)], lr=0.1, momentum=0.9)
    before = versions.structure
    opt.lr = 0.2
    opt.momentum = 0.5
    opt.lr = opt.lr * 0.5
    assert versions.structure == before
    assert float(opt.lr) == 0.1 and float(opt.momentum) == 0.5


def test_what_is_0_at_construction_is_left_out_until_it_is_set():
    x = sl.Parameter([2.0])
    opt = optim.SGD([x], lr=0.1)
    assert opt.state_dict().keys() == {"lr"} and opt.terms == set()
    before = versions.observe_structure()
    opt.momentum = 0.0
    assert versions.structure == before
    opt.momentum = 0.9
    assert versions.structure > before and opt.state_dict().keys() == {"lr", "momentum", "0.momentum_buffer"}
    assert descend(opt, [x], lambda: (x * x).sum(), 2)[0] == pytest.approx([2 - 0.4 - 0.1 * (0.9 * 4 + 3.2)])


def test_a_rate_may_change_between_steps():
    x = sl.Parameter(1.0)
    opt = optim.SGD([x], lr=0.1)
    descend(opt, [x], lambda: x * 1, 1)
    opt.lr = 0.5
    assert descend(opt, [x], lambda: x * 1, 1) == [pytest.approx(0.4)]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_a_momentum_and_no_dampening(options):
    with pytest.raises(ArgumentError, match="nesterov=True needs a momentum and no dampening"):
        optim.SGD(nesterov=True, **options)


def test_betas_are_two_shares():
    with pytest.raises(ArgumentError, match=r"betas must be two numbers, not 0\.9"):
        optim.Adam(betas=0.9)
    with pytest.raises(ArgumentError, match="beta2 must be a number p with 0 <= p < 1, not 1"):
        optim.Adam(betas=(0.9, 1))
    opt = optim.Adam()
    opt.betas = (0.5, 0.6)
    assert [float(beta) for beta in opt.betas] == [0.5, 0.6]


def test_optimizers_are_shown_with_their_numbers():
    assert repr(optim.SGD(lr=0.1, momentum=0.9)) == "SGD(lr=0.1, momentum=0.9)"
    assert repr(optim.Adam()) == "Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)"
    assert repr(optim.AdamW()) == "AdamW(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01)"


# State


@pytest.mark.parametrize("make", [lambda net: optim.SGD(net, lr=0.1, momentum=0.9), lambda net: optim.Adam(net, lr=0.05),
                                  lambda net: optim.SGD(net, lr=0.1, momentum=0.9, dampening=0.5)])
def test_training_goes_on_from_saved_state_to_the_bit(make):
    net, loss = net_and_loss()
    opt = make(net)
    descend(opt, [], loss, 3)
    weights, state = net.state_dict(), opt.state_dict()
    descend(opt, [], loss, 3)
    other, other_loss = net_and_loss()
    other.load_state_dict(weights)
    resumed = make(other)
    resumed.load_state_dict(state)
    descend(resumed, [], other_loss, 3)
    for name, array in net.state_dict().items():
        assert np.array_equal(array, other.state_dict()[name])


def test_state_of_another_optimizer_is_refused():
    net, _ = net_and_loss()
    state = optim.SGD(net, lr=0.1, momentum=0.9).state_dict()
    with pytest.raises(StateError, match=r"0\.weight\.momentum_buffer"):
        optim.Adam(net).load_state_dict(state)
    with pytest.raises(ArgumentError, match="bind it first"):
        optim.Adam().load_state_dict(state)


def test_float64_parameters_are_updated_in_float64():
    x = sl.Parameter(np.array([1.0]))
    opt = optim.SGD([x], lr=0.1, momentum=0.9, weight_decay=0.01)
    descend(opt, [x], lambda: (x * x).sum(), 1)
    assert x.dtype == np.float64 and x.numpy().tolist() == [pytest.approx(1 - 0.1 * 2.01, rel=1e-15)]


# Compiled


def compiled_step(net, opt):
    def step(x, labels):
        loss = nn.cross_entropy(net(x), labels)
        net.zero_grad()
        loss.backward()
        opt.step()
        return loss

    return sl.compile(step)


def test_changing_a_rate_compiles_nothing_anew_and_is_seen():
    net, _ = net_and_loss()
    opt = optim.SGD(net, lr=0.1, momentum=0.5)
    step, x, labels = compiled_step(net, opt), sl.ones((5, 3)), sl.tensor([0, 1, 0, 1, 1])
    step(x, labels)
    before = net.state_dict()
    opt.lr = 0.0
    step(x, labels)
    assert step.compilations == 1
    assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())


def test_adding_a_momentum_compiles_once_more_and_is_seen():
    (net, _), (other, other_loss) = net_and_loss(), net_and_loss()
    opt, plain = optim.SGD(net, lr=0.1), optim.SGD(other, lr=0.1)
    step, x, labels = compiled_step(net, opt), sl.ones((5, 3)), sl.tensor([0, 1, 0, 1, 1])
    step(x, labels)
    descend(plain, [], other_loss, 1)
    for each in (opt, plain):
        each.momentum = 0.9
    for _ in range(3):
        step(x, labels)
    descend(plain, [], other_loss, 3)
    assert step.compilations == 2
    for name, array in other.state_dict().items():
        assert np.allclose(net.state_dict()[name], array, rtol=1e-5, atol=1e-6)


def test_freezing_a_parameter_is_seen_by_a_compiled_step():
    net, _ = net_and_loss()
    step, x, labels = compiled_step(net, optim.Adam(net, lr=0.1)), sl.ones((5, 3)), sl.tensor([0, 1, 0, 1, 1])
    step(x, labels)
    net[0].weight.requires_grad = False
    before = net.state_dict()
    step(x, labels)
    changed = {name for name, array in net.state_dict().items() if not np.array_equal(before[name], array)}
    assert changed == {"0.bias", "2.weight", "2.bias"}


def test_a_missing_gradient_is_named_while_a_step_is_compiled():
    net, _ = net_and_loss()
    opt = optim.SGD(net, lr=0.1)

    def step(x):
        net.zero_grad()
        net[2](x).sum().backward()
        opt.step()

    with pytest.raises(GradientError, match=r"2 of 4 parameters have no gradient: 0\.weight, 0\.bias"):
        sl.compile(step)(sl.ones((5, 4)))
