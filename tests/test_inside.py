"""Looking inside: receptive fields as published and as gradients say, filters, evidence, favourites, projections, attention."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes import inside, nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError, OutOfRangeError, ShapeError
from slopes.zoo.networks import char_gpt, lenet, mlp, resnet, small_resnet, small_unet, small_vit

RNG = np.random.default_rng(0)


def alexnet_layers(channels: int = 1) -> nn.Module:
    """AlexNet's geometry with few filters."""
    c = channels
    return nn.Sequential(nn.Conv2d(3, c, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(c, c, 5, padding=2),
                         nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1),
                         nn.ReLU(), nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))


# Receptive fields


@pytest.mark.parametrize("measured", [False, True])
def test_the_receptive_fields_of_lenet_are_not_the_published_ones(measured):
    net = lenet((1, 28, 28), 10)
    sizes = [inside.receptive_field(net, (1, 28, 28), layer, position=(1, 1), measured=measured).size for layer in (0, 2, 3, 5)]
    assert sizes == [(n, n) for n in (5, 6, 14, 16)]


def test_the_receptive_fields_of_alexnet_are_not_11_19_51_67_99_131_163_195():
    net, shape = alexnet_layers(), (3, 224, 224)
    places = {0: 11, 2: 19, 3: 51, 5: 67, 6: 99, 8: 131, 10: 163, 12: 195}
    assert {layer: inside.receptive_field(net, shape, layer).size[0] for layer in places} == places
    for layer in (3, 10):
        worked_out, measured = (inside.receptive_field(net, shape, layer, measured=way) for way in (False, True))
        assert worked_out.box == measured.box
    assert inside.receptive_field(net, shape, 10).box == ((30, 192), (30, 192))


def stack(seed: int) -> nn.Module:
    """A few layers with windows of all kinds."""
    random, layers = np.random.default_rng(seed), []
    for _ in range(3):
        k, s, d, p = (int(random.integers(*each)) for each in ((1, 4), (1, 3), (1, 3), (0, 2)))
        kind = random.integers(6)
        layers += [[nn.Conv2d(1, 1, k, s, p, d)], [nn.MaxPool2d(max(k, 2), s, p)], [nn.AvgPool2d(max(k, 2), s, p)],
                   [nn.ConvTranspose2d(1, 1, max(k, s), s, 0)], [nn.Residual(nn.Conv2d(1, 1, 3, 1, 1), nn.ReLU()), nn.Tanh()],
                   [nn.Parallel(nn.Conv2d(1, 1, 3, padding="same", dilation=d), nn.Identity(),
                                join="sum")]][kind]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("seed", range(25))
def test_what_is_worked_out_is_not_what_the_gradient_says(seed):
    net = stack(seed)
    found = [inside.receptive_field(net, (1, 17, 14), len(net) - 1, measured=way) for way in (False, True)]
    assert found[0].box == found[1].box


def test_a_unit_after_a_dense_or_global_layer_sees_everything():
    for net, layer in ((lenet((1, 28, 28), 10), 9), (small_resnet((3, 32, 32), 10), -1)):
        found = inside.receptive_field(net, (1, 28, 28) if layer == 9 else (3, 32, 32), layer)
        assert found.size == found.sides and found.position == ()


@pytest.mark.parametrize("axes, shape", [(1, (2, 30)), (3, (1, 9, 8, 7))])
def test_one_and_three_axes_in_space(axes, shape):
    kind = {1: nn.Conv1d, 3: nn.Conv3d}[axes]
    net = nn.Sequential(kind(shape[0], 2, 3, dilation=2), kind(2, 2, 3))
    assert inside.receptive_field(net, shape).size == inside.receptive_field(net, shape, measured=True).size == (7,) * axes


def test_adaptive_pooling_and_borders():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(4))
    for position in ((0, 0), (1, 3), (3, 2)):
        one, other = (inside.receptive_field(net, (1, 10, 7), 0, position=position, measured=way) for way in (False, True))
        assert one.box == other.box
    corner = inside.receptive_field(nn.Sequential(nn.Conv2d(1, 1, 5, padding=2)), (1, 9, 9), position=(0, 8))
    assert corner.size == (5, 5) and corner.box == ((0, 2), (6, 8))


def test_networks_of_other_structure_are_measured():
    net = small_unet((1, 16, 16), 2)
    with pytest.raises(ArgumentError, match="measured=True"):
        inside.receptive_field(net, (1, 16, 16), net.children()[0].children()[0])
    assert inside.receptive_field(net, (1, 16, 16), net.children()[0].children()[0], measured=True).size == (3, 3)


def test_resnet_is_followed_through_its_shortcuts():
    found = inside.receptive_field(resnet((3, 64, 64), 10, width=4), (3, 64, 64), 4, position=(8, 8))
    assert found.size == inside.receptive_field(resnet((3, 64, 64), 10, width=4), (3, 64, 64), 4, position=(8, 8), measured=True).size


def test_wrong_layers_and_places_are_named():
    net = lenet((1, 28, 28), 10)
    with pytest.raises(ArgumentError, match=r"there is no layer 'net\[12\]' in this network"):
        inside.receptive_field(net, (1, 28, 28), "net[12]")
    with pytest.raises(ArgumentError, match=r"net\[0\] has no unit at \(24, 0\)"):
        inside.receptive_field(net, (1, 28, 28), 0, position=(24, 0))


# Filters and maps


def test_filters_and_maps_are_the_network_s_own():
    net, image = lenet((1, 28, 28), 10), RNG.random((1, 28, 28)).astype(np.float32)
    assert np.array_equal(inside.filters(net).weight, net[0].weight.numpy())
    assert inside.filters(net, "net[3]").weight.shape == (50, 20, 5, 5)
    maps = inside.feature_maps(net, image, "2")
    assert np.array_equal(maps.maps, net[2](net[1](net[0](sl.tensor(image[None])))).detach().numpy()[0])
    with pytest.raises(ArgumentError, match="has no filters of pictures"):
        inside.filters(net, 1)
    with pytest.raises(ArgumentError, match="no 2-d convolution"):
        inside.filters(mlp((1, 8, 8), 10))
    with pytest.raises(ShapeError, match="of 64 numbers"):
        inside.filters(mlp((1, 8, 8), 10), 1)
    with pytest.raises(ShapeError, match="a map has a position"):
        inside.feature_maps(net, image, 9)


# Evidence


def corner_net() -> nn.Module:
    """Class 1 wins by the first pixel, class 0 by the last."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    weight = np.zeros((2, 64), np.float32)
    weight[1, 0], weight[0, 63] = 3, -2
    net.load_state_dict({"1.weight": weight, "1.bias": np.zeros(2, np.float32)})
    return net


def test_saliency_is_the_slope_of_the_score():
    found = inside.saliency(corner_net(), np.ones((1, 8, 8)))
    assert found.target == 1 and found.map[0, 0] == 3 and np.count_nonzero(found.map) == 1
    assert inside.saliency(corner_net(), np.ones((1, 8, 8)), target=0).map[7, 7] == 2
    with pytest.raises(OutOfRangeError, match="target 2, but there are 2 classes"):
        inside.saliency(corner_net(), np.ones((1, 8, 8)), target=2)


@pytest.mark.parametrize("stride", [1, 2])
def test_occlusion_falls_where_the_answer_hangs(stride):
    found = inside.occlusion(corner_net(), np.ones((1, 8, 8)), size=3, stride=stride)
    p = [1 / (1 + np.exp(-score)) for score in (5.0, 2.0, 3.0)]
    assert found.map[0, 0] == pytest.approx(p[0] - p[1], abs=1e-6)
    assert found.map[4, 4] == pytest.approx(0, abs=1e-6)
    if stride == 1:
        assert (np.abs(found.map) > 1e-6).sum() == 8 and found.map[7, 7] == pytest.approx(p[0] - p[2], abs=1e-6)


def test_the_favourite_of_a_unit_looks_like_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    liked = inside.maximise(net, (1, 6, 6), [0, 2], steps=300, decay=1.0, smooth=0.0)
    for image, unit in zip(liked.images, (0, 2)):
        assert np.corrcoef(image.ravel(), net[1].weight.detach().numpy()[unit])[0, 1] > 0.99
    assert all(each.requires_grad for each in net.parameters()) and net.training
    again = inside.maximise(net, (1, 6, 6), [0, 2], steps=300, decay=1.0, smooth=0.0)
    assert np.array_equal(liked.images, again.images)
    with pytest.raises(OutOfRangeError, match=r"units \[3\] of net, which has 3"):
        inside.maximise(net, (1, 6, 6), 3)


def test_a_unit_of_a_convolution_likes_pictures_too():
    liked = inside.maximise(lenet((1, 28, 28), 10), (1, 28, 28), [0, 1], layer=1, steps=20)
    start = inside.maximise(lenet((1, 28, 28), 10), (1, 28, 28), [0, 1], layer=1, steps=1)
    assert liked.images.shape == (2, 1, 28, 28) and (liked.activations > start.activations).any()


# Projections


def test_projection_is_not_pca():
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = RNG.normal(size=(40, 6)) * [5, 3, 1, 1, 1, 0.1]
    ours, theirs = inside.projection(x, count=3), decomposition.PCA(3).fit(x)
    np.testing.assert_allclose(np.abs(ours.points), np.abs(theirs.transform(x)), atol=1e-8)
    np.testing.assert_allclose(ours.shares, theirs.explained_variance_ratio_, rtol=1e-8)
    assert inside.projection(x[:2], count=3).points.shape == (2, 3)
    with pytest.raises(ShapeError, match="one label for each"):
        inside.projection(x, labels=[1, 2])


def test_t_sne_keeps_heaps_apart():
    pytest.importorskip("sklearn")
    x = np.concatenate([RNG.normal(size=(15, 5)), RNG.normal(size=(15, 5)) + 20])
    points = inside.projection(x, method="tsne").points
    inner = np.linalg.norm(points[:15] - points[:15].mean(axis=0), axis=1).mean()
    assert np.linalg.norm(points[:15].mean(axis=0) - points[15:].mean(axis=0)) > 2 * inner


# Attention and gradients


def test_attention_maps_are_distributions_and_causal():
    net = char_gpt(vocabulary=7, context=10, width=16, depth=2, heads=4, dropout=0.3)
    seen = inside.attention_maps(net, np.array([[0, 1, 2, 3, 4], [5, 6, 5, 6, 5]]), example=1)
    assert len(seen.weights) == 2 and net.training
    for weights in seen.weights.values():
        assert weights.shape == (4, 5, 5) and np.allclose(weights.sum(axis=2), 1, atol=1e-6)
        assert (weights[:, ~np.tri(5, dtype=bool)] == 0).all()
    assert len(inside.attention_maps(small_vit((1, 8, 8), 10), np.zeros((1, 1, 8, 8), np.float32)).weights) == 4
    with pytest.raises(ArgumentError, match="has no attention"):
        inside.attention_maps(nn.Linear(2, 2), np.ones((1, 2), np.float32))


def deep(activation, he: bool) -> nn.Module:
    sl.seed(0)
    net = nn.Sequential(*[each for _ in range(20) for each in (nn.Linear(32, 32), activation())])
    if he:
        for parameter in net.parameters():
            nn.init.kaiming_normal(parameter, nonlinearity="relu") if parameter.ndim > 1 else nn.init.zeros(parameter)
    return net


def test_sigmoids_make_gradients_vanish_and_rectified_units_with_he_s_values_do_not():
    x, t = RNG.normal(size=(64, 32)).astype(np.float32), np.zeros((64, 32), np.float32)
    faint, sound = (inside.gradient_norms(deep(*each), x, t, nn.mse_loss) for each in ((nn.Sigmoid, False), (nn.ReLU, True)))
    assert faint.norms[0] / faint.norms[-1] < 1e-8 and 0.05 < sound.norms[0] / sound.norms[-1] < 20
    assert len(faint.names) == 20 and faint.names[0] == "0.weight"


def test_measuring_gradients_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    before, gradient = net.state_dict(), sl.ones((2, 4))
    net[3].weight.grad = gradient
    sl.seed(3)
    inside.gradient_norms(net, RNG.normal(size=(8, 3)).astype(np.float32), np.arange(8) % 2)
    first = sl.uniform(3).tolist()
    sl.seed(3)
    assert sl.uniform(3).tolist() == first and net[0].weight.grad is None and np.array_equal(net[3].weight.grad.numpy(), gradient.numpy())
    assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())


def test_updates_are_measured_beside_their_weights():
    net, x, t = deep(nn.Tanh, False), RNG.normal(size=(16, 32)).astype(np.float32), np.ones((16, 32), np.float32)
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    found = inside.update_sizes(net, x, t, optimizer, nn.mse_loss)
    norms = inside.gradient_norms(net, x, t, nn.mse_loss)
    assert found.names == norms.names and np.allclose(found.ratios, 0.5 * norms.norms / norms.sizes, rtol=1e-3)


@pytest.mark.parametrize("bound", [True, False])
def test_measuring_updates_leaves_everything_as_it_was(bound):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    x, t = RNG.normal(size=(8, 3)).astype(np.float32), np.arange(8) % 2
    optimizer = optim.Adam(net.parameters() if bound else None, lr=0.01)
    if bound:
        nn.cross_entropy(net(x), t).backward()
        optimizer.step()
    state, moments = net.state_dict(), optimizer.state_dict() if bound else {}
    found = inside.update_sizes(net, x, t, optimizer)
    assert (found.ratios > 0).all() and len(found.ratios) == 2
    assert all(np.array_equal(array, state[name]) for name, array in net.state_dict().items())
    assert bool(optimizer.parameters) == bound
    assert all(np.array_equal(array, optimizer.state_dict()[name]) for name, array in moments.items())


def test_an_update_of_zeros_has_no_size_beside_them():
    net, x, t = nn.Linear(3, 2, bias=False), np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    nn.init.zeros(net.weight)
    assert inside.update_sizes(net, x, t, optim.SGD(lr=0.1), nn.mse_loss).ratios.tolist() == [0.0]
    assert inside.update_sizes(net, x, t + 1, optim.SGD(lr=0.1), nn.mse_loss).ratios.tolist() == [np.inf]
    with pytest.raises(ArgumentError):
        inside.update_sizes(net, x, t, optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1), nn.mse_loss)


def watched_run():
    x, labels = RNG.normal(size=(40, 4)).astype(np.float32), np.arange(40) % 3
    statistics = sl.train.Statistics(["*.grad/norm", "net/mean", "net.weight/histogram"], 2)
    return sl.fit(nn.Linear(4, 3), x, labels, batch_size=8, epochs=2, progress=False, statistics=statistics)


def test_curves_and_histograms_are_those_of_the_history():
    run = watched_run()
    curves = inside.statistic_curves(run)
    assert curves.names == ["net.weight.grad/norm", "net.bias.grad/norm", "net/mean"] and curves.steps.tolist() == [0, 2, 4, 6, 8]
    assert [row.tolist() for row in curves.values] == [run.history.statistics[name] for name in curves.names]
    assert inside.statistic_curves(run.history, ["net/*", "net.bias*"]).names == ["net.bias.grad/norm", "net/mean"]
    counts = inside.histograms(run, "net.weight/histogram").counts
    assert counts.tolist() == run.history.statistics["net.weight/histogram"] and (counts.sum(axis=1) == 12).all()
    for function, name, text in ((inside.statistic_curves, "nothing", "no statistic is called 'nothing'"),
                                 (inside.statistic_curves, "*/histogram", "'\\*/histogram' are histograms"),
                                 (inside.histograms, "net/mean", "'net/mean' is no histogram"),
                                 (inside.histograms, "nothing", "no statistic is called 'nothing'")):
        with pytest.raises(ArgumentError, match=text):
            function(run, name)


def test_gradients_and_updates_are_those_of_the_step_that_fit_takes():
    net, x, t = deep(nn.Tanh, False), RNG.normal(size=(16, 32)).astype(np.float32), np.ones((16, 32), np.float32)
    plain = inside.gradient_norms(net, x, t, nn.mse_loss)
    clipped = inside.gradient_norms(net, x, t, nn.mse_loss, clip=1e-3)
    sizes = np.sqrt([weight.size for _, weight in net.named_parameters() if weight.ndim > 1])
    assert np.sqrt(((clipped.norms * sizes) ** 2).sum()) <= 1e-3 and np.allclose(
        clipped.norms / plain.norms, clipped.norms[0] / plain.norms[0], rtol=1e-4)
    penalized = inside.gradient_norms(net, x, 0 * t, nn.mse_loss, penalty=lambda net: nn.l2_penalty(net), augment=lambda x, y: (0 * x, y))
    assert (penalized.norms > 0).all() and not np.allclose(penalized.norms, plain.norms, rtol=0.1)
    limited = inside.update_sizes(net, x, t, optim.SGD(lr=10.0), nn.mse_loss, constrain=1e-6)
    assert (limited.ratios > 0.9).all()  # the update throws nearly all of each weight away


def pictures():
    net, image = lenet((1, 28, 28), 10), RNG.random((1, 28, 28)).astype(np.float32)
    x = RNG.normal(size=(20, 4))
    return {
        "field": inside.receptive_field(net, (1, 28, 28), 3, image=image), "filters": inside.filters(net),
        "line": inside.receptive_field(nn.Conv1d(1, 1, 3), (1, 9)),
        "colours": inside.filters(nn.Conv2d(3, 4, 3)), "maps": inside.feature_maps(net, image, 2),
        "saliency": inside.saliency(net, image), "occlusion": inside.occlusion(net, image, stride=7),
        "favourites": inside.maximise(net, (1, 28, 28), [1, 2], steps=2), "points": inside.projection(x),
        "names": inside.projection(x, [f"word{i}" for i in range(20)]), "classes": inside.projection(x, [i % 3 for i in range(20)]),
        "attention": inside.attention_maps(char_gpt(5, 4, 8, 1, 2), np.array([[1, 2, 3]]), queries="abc"),
        "curves": inside.statistic_curves(watched_run()), "histograms": inside.histograms(watched_run(), "net.weight/histogram"),
        "norms": inside.gradient_norms(net, image[None], np.array([3])),
        "updates": inside.update_sizes(net, image[None], np.array([3]), optim.Adam())}


def test_everything_draws_itself(tmp_path):
    pytest.importorskip("matplotlib")
    for name, view in pictures().items():
        view.plot(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


# Confusion


def test_confusion_counts_each_true_class_beside_the_predicted_one(tmp_path):
    logits, targets = RNG.normal(size=(77, 3)).astype(np.float32), RNG.integers(3, size=77)
    predicted = logits.argmax(1)
    found = inside.confusion(nn.Identity(), Dataset(logits, targets, classes=["ant", "bee", "cat"]), batch_size=10)
    assert all(found.counts[i, j] == ((targets == i) & (predicted == j)).sum() for i in range(3) for j in range(3))
    for i in range(3):
        assert found.recall[i] == (predicted[targets == i] == i).mean()
        assert found.precision[i] == (targets[predicted == i] == i).mean()
    mistakes = found.mistakes(100)
    assert len(mistakes) == 6 and sum(count for *_, count in mistakes) == (predicted != targets).sum()
    assert [count for *_, count in mistakes] == sorted((count for *_, count in mistakes), reverse=True)
    assert all(found.counts[["ant", "bee", "cat"].index(a), ["ant", "bee", "cat"].index(b)] == n for a, b, n in mistakes)
    found.plot(tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 5000


def test_confusion_of_classes_that_nobody_has_or_says():
    found = inside.Confusion.counted([0, 0, 2], [0, 2, 2], ["a", "b", "c"])
    assert found.recall.tolist()[::2] == [0.5, 1.0] and np.isnan(found.recall[1]) and np.isnan(found.precision[1])
    assert inside.Confusion.counted([0, 3], [1, 3]).classes == ("0", "1", "2", "3")
    assert inside.Confusion.counted([0], [0]).mistakes() == []


def test_confusion_refuses_what_has_no_classes():
    with pytest.raises(ArgumentError, match="no class is predicted for each example of this Dataset"):
        inside.confusion(nn.Linear(2, 1), Dataset(np.zeros((3, 2)), np.zeros((3, 1), np.float32)))
    with pytest.raises(ArgumentError, match="dataset is a list without inputs and targets"):
        inside.confusion(nn.Linear(2, 1), [1, 2])
    with pytest.raises(ArgumentError, match="no class is predicted for each example of this Rows"):
        inside.confusion(nn.Linear(2, 1), sl.text.Rows([[1, 2]], targets=[0], limits=1))
    with pytest.raises(ShapeError, match=r"targets of shape \(2,\), predictions of shape \(3,\)"):
        inside.Confusion.counted([0, 1], [0, 1, 1])
    with pytest.raises(OutOfRangeError, match="a class 2, where there are 2"):
        inside.Confusion.counted([0, 1], [0, 2], ["a", "b"])
    with pytest.raises(OutOfRangeError, match="a class -1, where there are 2"):
        inside.Confusion.counted([0, -1], [0, 1])
