"""Augmentation: each function does what its formula says, eagerly as compiled, by the seed alone, and inside fit only in training."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.data.transforms import augment
from slopes.errors import ArgumentError, DTypeError, ShapeError

FUNCTIONS = {
    "shift": lambda x, **g: augment.shift(x, (2, 3), fill=0.5, **g),
    "crop": lambda x, **g: augment.crop(x, (5, 4), **g),
    "flip": lambda x, **g: augment.flip(x, **g),
    "flip down": lambda x, **g: augment.flip(x, 0.3, axis=2, **g),
    "rotate": lambda x, **g: augment.rotate(x, 30.0, fill=0.25, zoom=0.2, **g),
    "erase": lambda x, **g: augment.erase(x, (3, 4), p=0.7, fill=9.0, **g),
    "noise": lambda x, **g: augment.noise(x, 0.3, **g),
    "mixup": lambda x, **g: augment.mixup(x, sl.tensor(np.arange(len(x)) % 3), 3, alpha=0.4, **g),
}


@pytest.fixture
def x(rng):
    return sl.tensor(rng.uniform(size=(12, 2, 8, 7)).astype(np.float32))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_and_eager_give_the_same_by_the_seed_alone(x, name):
    function = FUNCTIONS[name]
    eager, native = sl.Generator(5), sl.Generator(5)
    compiled = sl.compile(lambda x: function(x, generator=native))
    rounds = []
    for _ in range(3):
        one, two = function(x, generator=eager), compiled(x)
        for left, right in zip(*(each if isinstance(each, tuple) else (each,) for each in (one, two))):
            np.testing.assert_allclose(left.numpy(), right.numpy(), atol=2e-5)
        rounds.append((one[0] if isinstance(one, tuple) else one).numpy())
    assert compiled.compilations == 1 and not np.array_equal(rounds[0], rounds[1])  # new ones in every step
    again = function(x, generator=sl.Generator(5))
    np.testing.assert_array_equal((again[0] if isinstance(again, tuple) else again).numpy(), rounds[0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_without_a_generator_the_default_one_draws(x, name):
    results = []
    for _ in range(2):
        sl.seed(3)
        made = FUNCTIONS[name](x)
        results.append((made[0] if isinstance(made, tuple) else made).numpy())
    np.testing.assert_array_equal(*results)


def test_what_comes_in_from_outside_may_be_like_the_edge():
    x = np.tile(np.arange(8, dtype=np.float32), (50, 1, 8, 1))  # each row 0 ... 7
    shifted = augment.shift(x, (0, 3), fill=None).numpy()[:, 0, 0]
    assert {tuple(row) for row in shifted.tolist()} == {tuple((np.arange(8) - by).clip(0, 7).tolist()) for by in range(-3, 4)}
    turned = augment.rotate(x + 1, degrees=30, zoom=0.2, fill=None).numpy()
    assert turned.min() >= 1 - 1e-5 and turned.max() <= 8 + 1e-5


def test_shifted_pictures_are_moved_by_whole_pixels_and_all_distances_occur():
    ramp = np.arange(1.0, 57.0, dtype=np.float32).reshape(1, 1, 8, 7)
    found = augment.shift(np.repeat(ramp, 400, axis=0), (1, 2)).numpy()[:, 0]
    padded = np.pad(ramp[0, 0], ((1, 1), (2, 2)))
    expected = {(r, s): padded[1 - r : 9 - r, 2 - s : 9 - s] for r in (-1, 0, 1) for s in range(-2, 3)}
    seen = [next(place for place, each in expected.items() if np.array_equal(each, picture)) for picture in found]
    counts = [seen.count(place) for place in expected]
    assert sum(counts) == 400 and min(counts) > 10


def test_crops_are_parts_and_all_places_occur():
    ramp = np.arange(30.0, dtype=np.float32).reshape(1, 1, 5, 6)
    found = augment.crop(np.repeat(ramp, 200, axis=0), (4, 4)).numpy()[:, 0]
    corners = {float(picture[0, 0]) for picture in found}
    assert corners == {0, 1, 2, 6, 7, 8}
    for picture in found:
        row, column = divmod(int(picture[0, 0]), 6)
        np.testing.assert_array_equal(picture, ramp[0, 0, row : row + 4, column : column + 4])


@pytest.mark.parametrize("axis", [2, 3])
def test_half_of_the_pictures_are_mirrored(x, axis):
    many = sl.concat([x] * 30)
    found = augment.flip(many, 0.5, axis).numpy()
    mirrored = np.array([np.array_equal(new, np.flip(old, axis - 1)) for new, old in zip(found, many.numpy())])
    kept = np.array([np.array_equal(new, old) for new, old in zip(found, many.numpy())])
    assert (mirrored ^ kept).all() and 120 < mirrored.sum() < 240
    np.testing.assert_array_equal(augment.flip(x, 0.0, axis).numpy(), x.numpy())


def test_a_turned_picture_is_interpolated_at_the_turned_places(x):
    generator, copy = sl.Generator(2), sl.Generator(2)
    found = augment.rotate(x, 40.0, fill=-1.0, zoom=0.3, generator=generator).numpy()
    angles = sl.uniform((12, 1, 1), -np.deg2rad(40), np.deg2rad(40), generator=copy).numpy().ravel()
    scales = sl.uniform((12, 1, 1), 0.7, 1.3, generator=copy).numpy().ravel()
    padded = np.pad(x.numpy().astype(float), ((0, 0), (0, 0), (20, 20), (20, 20)), constant_values=-1)
    for n in range(12):
        for i, j in ((0, 0), (3, 4), (7, 2), (4, 6)):
            u, v = i - 3.5, j - 3.0
            row = (u * np.cos(angles[n]) - v * np.sin(angles[n])) / scales[n] + 3.5 + 20
            column = (u * np.sin(angles[n]) + v * np.cos(angles[n])) / scales[n] + 3.0 + 20
            a, b = int(row), int(column)
            r, s = row - a, column - b
            part = padded[n, :, a : a + 2, b : b + 2]
            expected = (1 - r) * ((1 - s) * part[:, 0, 0] + s * part[:, 0, 1]) + r * ((1 - s) * part[:, 1, 0] + s * part[:, 1, 1])
            np.testing.assert_allclose(found[n, :, i, j], expected, atol=1e-4)


def test_turning_by_nothing_changes_nothing(x):
    np.testing.assert_allclose(augment.rotate(x, 0.0).numpy(), x.numpy(), atol=1e-6)


def test_a_rectangle_is_erased_also_over_the_edge():
    found = augment.erase(sl.zeros((300, 2, 8, 9)), (3, 4), fill=1.0).numpy()
    assert (found[:, 0] == found[:, 1]).all()
    sizes = set()
    for picture in found[:, 0]:
        rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        assert picture.sum() == len(rows) * len(columns) and np.ptp(rows) < 3 and np.ptp(columns) < 4
        sizes.add((len(rows), len(columns)))
    assert (3, 4) in sizes and (2, 4) in sizes and (2, 2) in sizes and min(sizes) == (2, 2)
    kept = augment.erase(sl.zeros((300, 1, 8, 9)), 3, p=0.25, fill=1.0).numpy().any(axis=(1, 2, 3)).mean()
    assert 0.15 < kept < 0.35


def test_noise_has_the_deviation_asked_for():
    found = augment.noise(sl.ones((100, 1, 20, 20)), 0.3).numpy()
    assert abs(found.mean() - 1) < 0.01 and abs(found.std() - 0.3) < 0.01


@pytest.mark.parametrize("targets, classes", [(np.arange(12) % 3, 3), (np.eye(3, dtype=np.float32)[np.arange(12) % 3], None),
                                              (np.linspace(0, 1, 12, dtype=np.float32), None)])
def test_mixed_examples_lie_between_two_and_their_targets_at_the_same_place(x, targets, classes):
    mixed, wanted = (each.numpy() for each in augment.mixup(x, targets, classes, alpha=1.0))
    old = np.asarray(targets if classes is None else np.eye(3)[targets], np.float32).reshape(12, -1)
    flat, new = x.numpy().reshape(12, -1), mixed.reshape(12, -1)
    for n in range(12):
        shares = []
        for m in range(12):
            if m == n:
                if np.allclose(new[n], flat[n], atol=1e-5):
                    shares.append((m, 1.0))
                continue
            line = flat[n] - flat[m]
            share = float((new[n] - flat[m]) @ line / (line @ line))
            if np.allclose(flat[m] + share * line, new[n], atol=1e-4):
                shares.append((m, share))
        assert shares, f"example {n} is a mixture of no other"
        assert any(np.allclose(wanted[n].ravel(), share * old[n] + (1 - share) * old[m], atol=1e-3) for m, share in shares)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 4.0])
def test_shares_of_mixtures_follow_the_beta_distribution(alpha):
    found = np.sort(augment.beta(alpha, 20_000, sl.Generator(1)).numpy().astype(np.float64))
    assert found.min() >= 0 and found.max() <= 1 and abs(found.mean() - 0.5) < 0.01
    assert abs(found.var() - 1 / (4 * (2 * alpha + 1))) < 0.004
    theta = (np.arange(200_000) + 0.5) / 200_000 * np.pi / 2  # x = sin^2: the density without its poles, for alpha >= 1/2
    if alpha >= 0.5:
        density = (np.sin(theta) * np.cos(theta)) ** (2 * alpha - 1)
        expected = np.interp(found, np.sin(theta) ** 2, np.cumsum(density) / density.sum())
        assert np.abs(expected - (np.arange(20_000) + 0.5) / 20_000).max() < 0.015  # Kolmogorov and Smirnov


@pytest.mark.parametrize("call, kind, text", [
    (lambda: augment.shift(np.zeros((2, 8, 8), np.float32), 1), ShapeError, "shift: the batch has shape (2, 8, 8)"),
    (lambda: augment.shift(np.zeros((2, 1, 8, 8), np.uint8), 1), DTypeError, "shift: the batch is uint8 of shape (2, 1, 8, 8), not floats"),
    (lambda: augment.shift(sl.zeros((2, 1, 8, 8)), -1), ArgumentError, "shift: by is -1"),
    (lambda: augment.shift(sl.zeros((2, 1, 8, 8)), (1, 2, 3)), ArgumentError, "shift: by is (1, 2, 3)"),
    (lambda: augment.shift(sl.zeros((2, 1, 8, 8)), (1.5, 2)), ArgumentError, "shift: by is (1.5, 2)"),
    (lambda: augment.crop(sl.zeros((2, 1, 8, 8)), 9), ShapeError, "crop: a part of 9 x 9 pixels is larger than pictures of 8 x 8"),
    (lambda: augment.crop(sl.zeros((2, 1, 8, 8)), 0), ArgumentError, "crop: size is 0"),
    (lambda: augment.flip(sl.zeros((2, 1, 8, 8)), 1.5), ArgumentError, "flip: p is 1.5"),
    (lambda: augment.flip(sl.zeros((2, 1, 8, 8)), axis=1), ArgumentError, "flip: axis is 1"),
    (lambda: augment.rotate(sl.zeros((2, 1, 8, 8)), -1), ArgumentError, "rotate: degrees=-1"),
    (lambda: augment.rotate(sl.zeros((2, 1, 8, 8)), 1, zoom=1.0), ArgumentError, "zoom=1.0"),
    (lambda: augment.noise(sl.zeros((2, 3)), -0.1), ArgumentError, "noise: std is -0.1"),
    (lambda: augment.mixup(sl.zeros((2, 3)), [0, 1]), ArgumentError, "mixup: targets are integers"),
    (lambda: augment.mixup(sl.zeros((2, 3)), [0, 1], 2, alpha=0.0), ArgumentError, "mixup: alpha is 0.0"),
])
def test_wrong_augmentations_are_refused(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


# Inside fit


def toy(n=64):
    images = np.zeros((n, 1, 6, 6), np.float32)
    labels = np.arange(n) % 2
    images[np.arange(n), 0, 2, 1 + 3 * labels] = 1
    return Dataset(images, labels, ["left", "right"], "toy")


def linear():
    sl.seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 2))


def trained(**options):
    net = linear()
    run = sl.fit(net, toy(), optimizer=optim.SGD(lr=0.5), epochs=3, batch_size=16, progress=False, **options)
    return run, net[1].weight.numpy().copy()


def test_fit_augments_training_only_and_by_its_seed():
    def moved(x, y):
        return augment.shift(x, (2, 0)), y

    plain, weight = trained(validation=toy())
    run, changed = trained(validation=toy(), augment=moved)
    again, same = trained(validation=toy(), augment=moved)
    other, different = trained(validation=toy(), augment=moved, seed=1)
    assert not np.array_equal(weight, changed) and not np.array_equal(changed, different)
    np.testing.assert_array_equal(changed, same)
    assert run.losses == again.losses and plain.losses != run.losses and other.epochs
    column = changed.reshape(2, 6, 6)[1] - changed.reshape(2, 6, 6)[0]
    start = linear()[1].weight.numpy().reshape(2, 6, 6)
    moves = np.abs(column - (start[1] - start[0])).max(axis=1)
    assert (moves[:5] > 0.01).all() and moves[5] < 1e-6  # pictures were seen in rows 0 to 4, their own and two either way


def test_fit_learns_from_mixed_targets_and_measures_by_those_that_were():
    run, _ = trained(validation=toy(), augment=lambda x, y: augment.mixup(x, y, classes=2), metrics=["accuracy"])
    assert run.epochs[-1].validation["accuracy"] == 1.0 and 0.5 < run.epochs[-1].metrics["accuracy"] <= 1.0


def test_an_augmentation_may_change_the_size_of_pictures_if_the_net_takes_both():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GlobalAvgPool())
    run = sl.fit(net, toy(), epochs=1, augment=lambda x, y: (augment.crop(x, 5), y), validation=toy(), progress=False)
    assert len(run.epochs) == 1


@pytest.mark.parametrize("given, kind, text", [
    ("flip", ArgumentError, "augment is 'flip', not a function (inputs, targets)"),
    (lambda x, y: augment.flip(x), ArgumentError, "augment returned a Tensor, not (inputs, targets)"),
    (lambda x, y: (x, y, y), ArgumentError, "augment returned a tuple of 3, not (inputs, targets)"),
    (lambda x, y: (sl.concat([x, x]), y), ShapeError, "augment made inputs (2, 1, 6, 6) and targets (1,) of one example"),
])
def test_wrong_augmentations_are_refused_before_the_first_step(given, kind, text):
    with pytest.raises(kind) as caught:
        trained(augment=given)
    assert text in str(caught.value)
