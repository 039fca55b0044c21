"""Layers, losses and optimizers give PyTorch's values, gradients and trajectories; generated from the table of learning parts."""

from __future__ import annotations

import numpy as np
import pytest
from learning_parts import (
    INTEGER_LAYERS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    VARIANTS,
    call,
    indices,
    make,
    numbers,
    optimizer,
    targets,
    weights,
)

import slopes as sl
from slopes import nn, optim

torch = pytest.importorskip("torch")
FLOAT_LAYERS = {**LAYERS, **VARIANTS}


def near(ours, theirs, tolerance=1e-5, least_scale=1e-30):
    """Equal up to a share of the largest value: single elements may be sums of large numbers that cancel."""
    ours, theirs = np.asarray(ours), theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    assert ours.shape == theirs.shape
    scale = max(least_scale, float(np.abs(theirs).max(initial=0.0)))
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=tolerance, atol=tolerance)


def pair(layer):
    """Our layer and PyTorch's with the same weights: ours are loaded from theirs, by PyTorch's own names."""
    sl.seed(0)
    ours, theirs = make(nn, layer), make(torch.nn, layer)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.tensor(numbers(layer + name, tuple(parameter.shape))))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def same_gradients_and_buffers(ours, theirs):
    largest = max((float(other.grad.abs().max()) for other in theirs.parameters()), default=1.0)  # before BatchNorm a bias has 0
    for (name, mine), (their_name, other) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert name == their_name
        near(mine.grad.numpy(), other.grad, least_scale=0.1 * largest)
    for (name, mine), (their_name, other) in zip(ours.named_buffers(), theirs.named_buffers()):
        assert name == their_name
        near(mine.numpy(), other)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")  # PyTorch's remark on its own memory
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # and on another way of its own to the same values
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("layer", FLOAT_LAYERS)
def test_a_layer_differs_from_pytorch(layer, training):
    ours, theirs = pair(layer)
    ours.train(training), theirs.train(training)
    for round in range(2):  # the second time with running moments that have moved
        array = numbers(layer + str(round), FLOAT_LAYERS[layer])
        x, their_x = sl.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        ours.zero_grad(), theirs.zero_grad()
        y, their_y = ours(x), theirs(their_x * 1)  # a leaf cannot change in place
        near(y.detach().numpy(), their_y)
        seed = numbers(layer + "seed", tuple(their_y.shape))
        y.backward(seed), their_y.backward(torch.tensor(seed))
        near(x.grad.numpy(), their_x.grad)
        same_gradients_and_buffers(ours, theirs)


@pytest.mark.parametrize("layer", INTEGER_LAYERS)
def test_an_embedding_differs_from_pytorch(layer):
    shape, below = INTEGER_LAYERS[layer]
    ours, theirs = pair(layer)
    array = indices(layer, shape, below)
    y, their_y = ours(sl.tensor(array)), theirs(torch.tensor(array))
    near(y.detach().numpy(), their_y)
    seed = numbers(layer + "seed", tuple(their_y.shape))
    y.backward(seed), their_y.backward(torch.tensor(seed))
    same_gradients_and_buffers(ours, theirs)


def samples(module, layer, count=40):
    """{parameter name: its initial values, drawn `count` times}."""
    made = [{name: np.asarray(value.detach()) for name, value in make(module, layer).named_parameters()} for _ in range(count)]
    return {name: np.stack([each[name] for each in made]) for name in made[0]}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("layer", [*FLOAT_LAYERS, *INTEGER_LAYERS])
def test_initial_values_have_another_distribution_than_pytorch(layer):
    sl.seed(0)
    torch.manual_seed(0)
    ours, theirs = samples(nn, layer), samples(torch.nn, layer)
    assert list(ours) == list(theirs)
    for name, mine in ours.items():
        other = theirs[name]
        assert mine.shape == other.shape
        slack = 6 * other.std() / np.sqrt(other.size)
        assert abs(mine.mean() - other.mean()) <= slack + 1e-12
        assert abs(mine.std() - other.std()) <= 0.1 * other.std() + slack
        if "Embedding" not in layer:  # uniform: the bounds are sharp
            assert abs(np.abs(mine).max() - np.abs(other).max()) <= 0.1 * np.abs(other).max()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_differs_from_pytorch(loss):
    shape, kind = LOSSES[loss]
    array, given = numbers(loss, shape), targets(loss, shape, kind)
    x, their_x = sl.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    w, w3 = weights(loss, 5), weights(loss, 3)
    ours = call(nn, loss, x=x, t=sl.tensor(given), w=sl.tensor(w), w3=sl.tensor(w3))
    theirs = call(torch.nn.functional, loss, x=their_x, t=torch.tensor(given), w=torch.tensor(w), w3=torch.tensor(w3))
    near(ours.detach().numpy(), theirs)
    seed = numbers(loss + "seed", tuple(theirs.shape))
    ours.backward(seed), theirs.backward(torch.tensor(seed))
    near(x.grad.numpy(), their_x.grad)


def test_the_hinge_loss_differs_from_pytorch():
    array, labels = numbers("hinge", (7, 5)), indices("hinge", (7,), 5)
    theirs = torch.nn.functional.multi_margin_loss(torch.tensor(array), torch.tensor(labels)) * 5
    near(nn.hinge_loss(array, labels).numpy(), theirs)


@pytest.mark.parametrize("options", [{"div_value": 2.0}, {"head_bias": True, "div_value": 1.5}])
def test_the_adaptive_softmax_differs_from_pytorch(options):
    sl.seed(0)
    ours = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], **options)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], **options)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    array, words = numbers("adaptive", (7, 8)), indices("adaptive", (7,), 20)
    x, their_x = sl.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    found, wanted = ours(x, words), theirs(their_x, torch.tensor(words))
    near(found.output.detach().numpy(), wanted.output), near(found.loss.detach().numpy(), wanted.loss)
    near(ours(x).detach().numpy(), theirs.log_prob(their_x))
    found.loss.backward(), wanted.loss.backward()
    near(x.grad.numpy(), their_x.grad)
    same_gradients_and_buffers(ours, theirs)


def ten_steps(step):
    return [step(number) for number in range(10)]


def our_trajectory(text, names, starts, wrap=lambda step: step):
    parameters = [sl.Parameter(start) for start in starts]
    opt = optimizer(optim, text, dict(zip(names, parameters)))

    def step(x):
        loss = loss_of(parameters, x, sl.tanh)
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    step = wrap(step)
    losses = ten_steps(lambda number: step(sl.tensor(numbers(f"x{number}", (7, 5)))).numpy().item())
    return losses, [parameter.detach().numpy() for parameter in parameters]


def loss_of(parameters, x, tanh):
    w, b, v = parameters
    y = tanh(x @ w + b) @ v
    return (y * y).mean()


def their_trajectory(text, starts):
    parameters = [torch.tensor(start, requires_grad=True) for start in starts]
    opt = optimizer(torch.optim, text, parameters)

    def step(number):
        opt.zero_grad()
        loss = loss_of(parameters, torch.tensor(numbers(f"x{number}", (7, 5))), torch.tanh)
        loss.backward()
        opt.step()
        return loss.item()

    return ten_steps(step), [parameter.detach().numpy() for parameter in parameters]


STARTS = [numbers("w", (5, 3)), numbers("b", (3,)), numbers("v", (3, 2))]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("text", OPTIMIZERS)
def test_ten_steps_of_an_optimizer_leave_pytorchs_path(text, compiled):
    losses, ours = our_trajectory(text, "wbv", STARTS, sl.compile if compiled else lambda step: step)
    their_losses, theirs = their_trajectory(text, STARTS)
    np.testing.assert_allclose(losses, their_losses, rtol=1e-5)
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)
