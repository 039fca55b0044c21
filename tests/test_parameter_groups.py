"""Groups of parameters with options of their own: PyTorch's paths, compiled, in training, saved and resumed."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, GradientError
from slopes.optim import schedules

GROUPED = {
    "SGD": ({"lr": 0.1, "momentum": 0.9}, {"lr": 0.02}, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    "AdamW": ({"lr": 0.02, "betas": (0.8, 0.95)}, {"betas": (0.5, 0.9), "weight_decay": 0.0}, {"lr": 0.1, "eps": 1e-3}),
    "RMSprop": ({"alpha": 0.9}, {"centered": True, "eps": 1e-3}, {"momentum": 0.5, "lr": 0.02}),
    "Adagrad": ({"lr": 0.1, "initial_accumulator_value": 0.2}, {"lr_decay": 0.3}, {"weight_decay": 0.05}),
    "Rprop": ({"lr": 0.1}, {"etas": (0.6, 1.5)}, {"maximize": True}),
    "Adafactor": ({"lr": 0.05}, {"eps": (1e-4, 0.1)}, {"lr": 0.02, "weight_decay": 0.1}),
    "NAdam": ({}, {"lr": 0.05}, {"momentum_decay": 0.1}), "RAdam": ({}, {"lr": 0.05}, {"betas": (0.5, 0.6)}),
    "Adamax": ({}, {"lr": 0.05}, {"eps": 1e-3}), "Adadelta": ({}, {"lr": 0.5}, {"rho": 0.7}),
}
STARTS = [numbers("w", (5, 3)), numbers("b", (3,)), numbers("v", (3, 2))]


def trajectory(library, name, parameters, x_of, wrap=lambda step: step):
    """The losses of eight steps, the rate halved after four, and the optimizer; the first two parameters are one group."""
    options, first, second = GROUPED[name]
    opt = getattr(library.optim, name)([{"params": parameters[:2], **first}, {"params": parameters[2:], **second}], **options)
    w, b, v = parameters

    def step(x):
        y = library.tanh(x @ w + b) @ v
        loss = (y * y).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    step, losses = wrap(step), []
    for i in range(8):
        if i == 4:
            halve_rates(opt)
        losses.append(step(x_of(numbers(f"x{i}", (7, 5)).astype(np.float64))).item())
    return losses, opt


def halve_rates(opt):
    if isinstance(opt, optim.Optimizer):
        opt.lr = opt.lr * 0.5
    else:
        for group in opt.param_groups:
            group["lr"] *= 0.5


def our_trajectory(name, wrap=lambda step: step):
    parameters = [sl.Parameter(start.astype(np.float64)) for start in STARTS]
    losses, opt = trajectory(sl, name, parameters, sl.tensor, wrap)
    return losses, parameters, opt


@pytest.mark.parametrize("name", GROUPED)
def test_groups_take_pytorchs_steps(name):
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(start.astype(np.float64), requires_grad=True) for start in STARTS]
    their_losses, _ = trajectory(torch, name, theirs, torch.tensor)
    losses, ours, _ = our_trajectory(name)
    nearness = 1e-6 if name == "NAdam" else 1e-10  # PyTorch's product of momenta is float32
    np.testing.assert_allclose(losses, their_losses, rtol=nearness)
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=10 * nearness, atol=nearness)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_compiled_they_take_the_same_steps_in_one_program(name):
    programs = []

    def compiled(step):
        programs.append(sl.compile(step))
        return programs[0]

    losses, ours, opt = our_trajectory(name, compiled)
    expected, eager, eager_opt = our_trajectory(name)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert programs[0].compilations == 1 and opt.state_dict().keys() == eager_opt.state_dict().keys()
    for mine, other in zip(ours, eager):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-9)


def network():
    sl.seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


POINTS = Dataset(numbers("points", (24, 6)), np.arange(24) % 3)


def training(**settings):
    net = network()
    groups = [{"params": [(name, p) for name, p in net.named_parameters() if name.endswith("weight")], "lr": 0.2, "weight_decay": 0.1},
              {"params": [(name, p) for name, p in net.named_parameters() if name.endswith("bias")]}]
    return sl.Training(net, POINTS, optimizer=optim.SGD(groups, lr=0.05, momentum=0.9), epochs=3, batch_size=8, seed=3, **settings)


def test_a_schedule_scales_the_rate_of_each_group():
    cosine = schedules.Cosine()
    run, rates = training(schedule=cosine), []
    for _ in range(8):
        run.advance(1)
        rates.append([float(group.rate) for group in run.optimizer.groups])
    factors = np.array([cosine(step, 9) for step in range(8)])
    np.testing.assert_allclose(rates, factors[:, None] * [0.2, 0.05], rtol=1e-12)
    run.run()
    assert [float(group.rate) for group in run.optimizer.groups] == [0.2, 0.05]


def test_training_goes_on_from_a_saved_state_to_the_bit():
    whole = training(schedule="cosine")
    whole.advance(4)
    state = whole.named_state()
    again = training(schedule="cosine")
    again.load_named_state(state)
    assert {"optimizer.lr", "optimizer.groups.0.lr", "optimizer.groups.1.2.bias.momentum_buffer"} <= state.keys()
    assert whole.run().losses == again.run().losses
    for name, array in whole.net.state_dict().items():
        assert np.array_equal(array, again.net.state_dict()[name])


def test_equal_groups_are_as_good_as_none():
    plain, grouped = network(), network()
    for net, params in ((plain, plain.parameters()), (grouped, [{"params": grouped[0]}, {"params": grouped[2]}])):
        sl.fit(net, POINTS, optimizer=optim.Adam(params, lr=0.05), epochs=2, batch_size=8, progress=False)
    for name, array in plain.state_dict().items():
        np.testing.assert_allclose(grouped.state_dict()[name], array, rtol=1e-6, atol=1e-7)


def test_options_of_a_group_are_set_in_the_group():
    net = network()
    opt = optim.SGD([{"params": net[0]}, {"params": net[2], "lr": 0.5}], lr=0.1, momentum=0.9)
    opt.groups[1].lr = 0.25
    opt.groups[0].momentum = 0.5
    opt.lr = 0.2
    assert [float(group.rate) for group in opt.groups] == [0.2, 0.5]
    assert repr(opt) == "SGD(lr=0.2, groups=[SGD(lr=0.1, momentum=0.5), SGD(lr=0.25, momentum=0.9)])"
    assert optim.SGD(net, lr=0.1).groups[0].lr.item() == 0.1


@pytest.mark.parametrize("make, text", [
    (lambda a, b: optim.SGD([{"params": [a]}, {"params": [b], "beta": 1}]), "group 1 has 'beta', which is not an option of SGD"),
    (lambda a, b: optim.SGD([{"params": [a]}, [b]]), "group 1 is of type list, not a dictionary with 'params'"),
    (lambda a, b: optim.SGD([{"lr": 0.1}]), "group 0 is of type dict, not a dictionary with 'params'"),
    (lambda a, b: optim.SGD([{"params": [a], "lr": -1}]), "lr must be"),
    (lambda a, b: optim.SGD([{"params": [a], "nesterov": True}]), "nesterov=True needs a momentum"),
    (lambda a, b: optim.SGD([{"params": [a, b]}, {"params": [b]}]), "a parameter is in two groups"),
    (lambda a, b: optim.SGD([{"params": [a], "lr": 0.1}], lr=0), "lr is 0, and there are groups"),
    (lambda a, b: optim.SGD([{"params": a}]), "must be a list of tensors, not one tensor"),
    (lambda a, b: optim.SGD([{"params": [a]}], momentum=0.9).bind([b]), "bound to groups of parameters"),
    (lambda a, b: setattr(optim.Adam([{"params": [a]}]), "betas", (0.5, 0.5)), "betas cannot be set for all groups at once"),
    (lambda a, b: setattr(optim.SGD([{"params": [a]}]), "momentum", 0.5), "momentum cannot be set for all groups at once"),
    (lambda a, b: optim.Combined(), "no optimizers"),
    (lambda a, b: optim.Combined(optim.SGD([a]), optim.Adam()), "argument 1 is Adam.*not an optimizer that has parameters"),
    (lambda a, b: optim.Combined(optim.SGD([a]), optim.Adam([a])), "a parameter is in two groups"),
    (lambda a, b: optim.Combined(optim.Combined(optim.SGD([a])).groups[0]), "is part of another optimizer already")])
def test_what_is_no_group_is_refused(make, text):
    with pytest.raises(ArgumentError, match=text):
        make(sl.Parameter([1.0]), sl.Parameter([2.0]))


def test_a_missing_gradient_in_a_group_is_named_and_nothing_changes():
    a, b = sl.Parameter([1.0]), sl.Parameter([2.0])
    opt = optim.SGD([{"params": [a]}, {"params": [("scale", b)]}], lr=0.1)
    (a * 2).sum().backward()
    with pytest.raises(GradientError, match=r"1 of 2 parameters has no gradient: groups\.1\.scale"):
        opt.step()
    assert a.tolist() == [1.0]


def test_a_combination_trains_each_part_by_its_own_rule():
    net = network()
    first, second = optim.SGD(net[0].parameters(), lr=0.1, momentum=0.9), optim.AdamW(net[2].parameters(), lr=0.01)
    both = optim.Combined(first, second)
    apart = network()
    alone = [optim.SGD(apart[0].parameters(), lr=0.1, momentum=0.9), optim.AdamW(apart[2].parameters(), lr=0.01)]
    x, t = POINTS.inputs, POINTS.targets
    for i in range(4):
        if i == 2:
            both.lr = 0.05
            alone[0].lr, alone[1].lr = 0.05, 0.005
        for model, optimizers in ((net, [both]), (apart, alone)):
            model.zero_grad()
            nn.cross_entropy(model(x), t).backward()
            for opt in optimizers:
                opt.step()
    for name, array in apart.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name], array, rtol=1e-6, atol=1e-7)
    assert both.state_dict().keys() >= {"lr", "groups.0.lr", "groups.0.weight.momentum_buffer", "groups.1.bias.exp_avg"}


def test_parameters_that_are_added_later_are_a_group_of_their_own():
    first, second, third = (sl.Parameter([1.0, 2.0]) for _ in range(3))
    opt = optim.SGD([first], lr=0.1, momentum=0.9)
    step = sl.compile(lambda: step_on(opt))
    step()
    kept = opt.states[0]["momentum_buffer"]
    opt.add_param_group({"params": second, "lr": 0.01})
    opt.add_param_group({"params": [third], "momentum": 0.0})
    assert opt.groups[0].states[0]["momentum_buffer"] is kept
    assert [round(float(group.lr), 6) for group in opt.groups] == [0.1, 0.01, 0.1]
    step()
    np.testing.assert_allclose(first.numpy(), [1 - 0.1 - 0.19, 2 - 0.1 - 0.19], rtol=1e-6)
    np.testing.assert_allclose(second.numpy(), [0.99, 1.99], rtol=1e-6)
    np.testing.assert_allclose(third.numpy(), [0.9, 1.9], rtol=1e-6)
    opt.lr = 0.05  # half of it, for all groups
    opt.add_param_group({"params": [sl.Parameter([0.0])]})
    assert [round(float(group.rate), 6) for group in opt.groups] == [0.05, 0.005, 0.05, 0.1]
    for group, message in (({"params": [first]}, "in two groups"), ({"lr": 1.0}, "not a dictionary with 'params'"),
                           ({"params": [sl.Parameter([0.0])], "momentun": 1.0}, "not an option of SGD")):
        with pytest.raises(ArgumentError, match=message):
            opt.add_param_group(group)


def step_on(opt):
    """A step down the sum of the parameters."""
    opt.zero_grad()
    sum(parameter.sum() for parameter in opt.parameters).backward()
    opt.step()


def test_the_first_group_may_come_late():
    weight = sl.Parameter([1.0])
    opt = optim.Adam(lr=0.1)
    opt.add_param_group({"params": [weight]})
    step_on(opt)
    np.testing.assert_allclose(weight.numpy(), [0.9], rtol=1e-5)
