"""The zoo: published parameter counts and shapes, gradients that reach every parameter, and training, compiled and eager."""

from __future__ import annotations

import re

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError
from slopes.zoo import networks

IMAGENET, CIFAR, DIGIT = (3, 224, 224), (3, 32, 32), (1, 28, 28)

# the published numbers of parameters, and shapes that the summary must show in this order (without the batch axis)
ALEXNET = [(96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13)]
PUBLISHED = {
    "lenet": (lambda: networks.lenet(DIGIT, 10), DIGIT, 431_080,
              [(20, 24, 24), (20, 12, 12), (50, 8, 8), (50, 4, 4), (800,), (500,), (10,)]),
    "alexnet": (lambda: networks.alexnet(IMAGENET, 1000), IMAGENET, 62_378_344,
                [*ALEXNET, (256, 6, 6), (9216,), (4096,), (4096,), (1000,)]),
    "alexnet, two groups": (lambda: networks.alexnet(IMAGENET, 1000, groups=2), IMAGENET, 60_965_224,
                            [*ALEXNET, (256, 6, 6), (9216,), (4096,), (4096,), (1000,)]),
    "alexnet without the final pool": (lambda: networks.alexnet(IMAGENET, 1000, final_pool=False), IMAGENET, 201_838_952,
                                       [*ALEXNET, (43264,), (4096,), (4096,), (1000,)]),
    "vgg-11": (lambda: networks.vgg(IMAGENET, 1000, 11), IMAGENET, 132_863_336, [(64, 112, 112), (512, 7, 7), (25088,), (4096,)]),
    "vgg-16": (lambda: networks.vgg(IMAGENET, 1000, 16), IMAGENET, 138_357_544, [(64, 112, 112), (512, 7, 7), (25088,), (4096,)]),
    "googlenet": (lambda: networks.googlenet(IMAGENET, 1000), IMAGENET, 6_998_552,
                  [(64, 112, 112), (192, 56, 56), (256, 28, 28), (480, 28, 28), (512, 14, 14), (528, 14, 14), (832, 14, 14),
                   (832, 7, 7), (1024, 7, 7), (1024,), (1000,)]),
    "resnet-18": (lambda: networks.resnet(IMAGENET, 1000, 18), IMAGENET, 11_689_512,
                  [(64, 112, 112), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7), (512,), (1000,)]),
    "resnet-50": (lambda: networks.resnet(IMAGENET, 1000, 50), IMAGENET, 25_557_032,
                  [(64, 112, 112), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7), (2048,), (1000,)]),
    "resnet-20": (lambda: networks.small_resnet(CIFAR, 10), CIFAR, 269_722, [(16, 32, 32), (32, 16, 16), (64, 8, 8), (64,), (10,)]),
    "vit-b/16": (lambda: networks.vit_b16(IMAGENET, 1000), IMAGENET, 86_567_656, [(768, 14, 14), (197, 768), (1000,)]),
    "small unet": (lambda: networks.small_unet(DIGIT, 2), DIGIT, 117_090, [(16, 28, 28), (32, 14, 14), (64, 7, 7), (32, 14, 14)]),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_shapes_are_the_published_ones(name):
    make, shape, parameters, wanted = PUBLISHED[name]
    with nn.init.shapes_only():
        net = make()
    summary = net.summary((1, *shape))
    outputs = iter([row.output[1:] for row in summary.rows[1:] if row.output] + [summary.rows[0].output[1:]])
    missing = [each for each in wanted if each not in outputs]  # reads on from where the last one was found
    assert not missing and summary.parameters == parameters


def test_the_character_gpt_has_the_published_size():
    with nn.init.shapes_only():
        net = networks.char_gpt()
    summary = net.summary(np.zeros((1, 64), np.int64))
    assert summary.rows[0].output == (1, 64, 65) and summary.parameters == 804_096
    assert summary.parameters - net.positions.weight.size == 795_904  # "0.80M", as nanoGPT prints it
    assert net.head.weight is net.words.weight


TOKENS = np.random.default_rng(0).integers(0, 11, (3, 6))
SMALL = {
    "alexnet": (lambda: networks.alexnet((1, 63, 63), 3, groups=2, hidden=32), numbers("alexnet", (1, 1, 63, 63))),
    "vgg-11": (lambda: networks.vgg((1, 32, 32), 3, 11, width=4), numbers("vgg", (2, 1, 32, 32))),
    "googlenet": (lambda: networks.googlenet((1, 32, 32), 3), numbers("googlenet", (1, 1, 32, 32))),
    "resnet-18": (lambda: networks.resnet(CIFAR, 5, 18, width=4), numbers("resnet", (3, 3, 32, 32))),
    "resnet-50": (lambda: networks.resnet(CIFAR, 5, 50, width=2), numbers("resnet", (3, 3, 32, 32))),
    "resnet-14": (lambda: networks.small_resnet((1, 9, 8), 5, 14, width=4), numbers("small", (3, 1, 9, 8))),
    "vit": (lambda: networks.small_vit((1, 8, 12), 5, width=8, depth=2, heads=2), numbers("vit", (3, 1, 8, 12))),
    "unet": (lambda: networks.UNet((2, 13, 10), 3, width=4), numbers("unet", (2, 2, 13, 10))),
    "gpt": (lambda: networks.GPT(11, 8, 8, 2, 2, dropout=0.1), TOKENS),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_reaches_every_parameter(name):
    make, array = SMALL[name]
    net = make()
    y = net(sl.tensor(array))
    y.backward(numbers("seed", y.shape))
    dead = [path for path, parameter in net.named_parameters() if parameter.grad is None or not parameter.grad.numpy().any()]
    assert not dead and all(np.isfinite(parameter.grad.numpy()).all() for parameter in net.parameters())


def trained(make, x, labels, wrap, steps=4):
    """The losses of a few steps, and the network."""
    sl.seed(0)
    net = make()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)

    @wrap
    def step(x, labels):
        logits = net(x)
        loss = nn.cross_entropy(logits.reshape((-1, logits.shape[-1])), labels.reshape((-1,)))
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [float(step(sl.tensor(x), sl.tensor(labels))) for _ in range(steps)], net


@pytest.mark.parametrize("make, x, labels", [
    (lambda: networks.GPT(11, 6, 8, 1, 2), TOKENS, np.roll(TOKENS, -1, 1)),
    (lambda: networks.small_resnet((1, 8, 8), 3, 8, width=4), numbers("x", (6, 1, 8, 8)), np.arange(6) % 3),
], ids=["gpt", "resnet"])
def test_a_compiled_training_step_learns_as_the_eager_one_does(make, x, labels):
    (expected, eager), (losses, compiled) = trained(make, x, labels, lambda step: step), trained(make, x, labels, sl.compile)
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for name, array in eager.state_dict().items():
        np.testing.assert_allclose(compiled.state_dict()[name], array, rtol=1e-3, atol=1e-4 * max(1e-3, np.abs(array).max()))


def test_a_gpt_does_not_see_what_comes_next():
    net = networks.GPT(11, 8, 8, 2, 2)
    changed = TOKENS.copy()
    changed[:, 4:] = (changed[:, 4:] + 1) % 11
    first, second = (net(sl.tensor(each)).detach().numpy() for each in (TOKENS, changed))
    assert np.allclose(first[:, :4], second[:, :4], atol=1e-6) and not np.allclose(first[:, 4:], second[:, 4:], atol=1e-4)


@pytest.mark.parametrize("make, text", [
    (lambda: networks.resnet(IMAGENET, 10, 19), "resnet: depth=19 is not known\n  choose one of 18, 34, 50, 101, 152"),
    (lambda: networks.small_resnet(CIFAR, 10, 18),
     "small_resnet: depth=18 is not known\n  choose one of 8, 14, 20, 32, 44, 56, 110"),
    (lambda: networks.vgg(IMAGENET, 10, 12), "vgg: depth=12 is not known\n  choose one of 11, 13, 16, 19"),
    (lambda: networks.small_vit(DIGIT, 10, patch=5), "VisionTransformer: patches of 5x5 do not cover a picture of 28x28\n"
     "  height and width must be multiples of the patch"),
])
def test_sizes_that_do_not_exist(make, text):
    with pytest.raises(ArgumentError) as error:
        make()
    assert re.sub(r"py:\d+", "py:LINE", str(error.value)) == f"{text}\n  at test_zoo.py:LINE"
