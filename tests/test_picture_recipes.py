"""The recipes of pictures on a handful of toys: a folder that is made once and learned from, folders of one's own, moved clothes."""

from __future__ import annotations

import numpy as np
import pytest
from recipe_runs import run_recipe, same_weights
from toy_pictures import toys

import slopes as sl
from slopes import data, nn, optim
from slopes.data import Splits, save_image_folder
from slopes.errors import DataError
from slopes.experiments import classification
from slopes.experiments.experiment import Config
from slopes.experiments.load import load
from slopes.experiments.recipes import fashion, imagenet
from slopes.experiments.run import run
from slopes.machine.native import observe_programs
from slopes.plot import mistakes, samples
from slopes.train.evaluate import Evaluation

pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def tiny(shape, classes, hidden=4, dropout=0.0):
    """In the place of AlexNet, which takes its seconds to compile."""
    return nn.Sequential(nn.Conv2d(shape[0], 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout),
                         nn.Linear(4 * ((shape[1] - 1) // 2) ** 2, classes))


SMALL = {"pictures": 20, "pixels": 10, "size": 9, "margin": 2, "batch": 7, "hidden": 4, "epochs": 6, "rate": 0.01}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A cache of its own, toys for clothes, and a small net."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "fashion_mnist", lambda: Splits(toys(60), None, None))
    monkeypatch.setattr(imagenet, "alexnet", tiny)
    return tmp_path


# imagenet-like


def test_a_folder_is_made_once_and_learned_from_the_same_way_with_the_same_seed(small):
    told = []
    found = run(imagenet.recipe, SMALL, small / "run", seed=1, log=told.append)
    assert found.figures["test accuracy"] == 1 and all(value > 0 for value in found.figures.values()) and len(found.lines) == 2
    assert {file.name for file in found.folder.iterdir()} == {"curve.png", "confusion.png", "history.jsonl", "mistakes.png", "run.json",
                                                              "state.safetensors", "weights.safetensors"}
    folder, = (each for each in (small / "cache" / "made").iterdir() if each.is_dir())
    assert len(list(folder.glob("*/*.png"))) == 40 and sum("writing 40 pictures" in line for line in told) == 1
    again = run(imagenet.recipe, SMALL, seed=1, log=told.append)
    assert sum("writing" in line for line in told) == 1 and same_weights(again, found)
    bag = next((folder / "Bag").iterdir())
    assert load(small / "run").predict(str(bag)).text.startswith("Bag (")


def test_a_damaged_file_in_an_own_folder_is_named_and_skipped_only_if_asked(small):
    folder = save_image_folder(toys(40, channels=3), small / "mine")
    (folder / "Bag" / "03.png").write_bytes((folder / "Bag" / "03.png").read_bytes()[:60])
    given = {**SMALL, "folder": str(folder), "epochs": 1}
    with pytest.raises(DataError, match=r"Bag.03\.png: "):
        run(imagenet.recipe, given, progress=False)
    told = []
    found = run(imagenet.recipe, {**given, "damaged": "skip"}, log=told.append)
    assert any(line.startswith("skipped: ") and "03.png" in line for line in told) and any("39 pictures" in line for line in told)
    assert len(found.lines) == 2


def test_no_epoch_is_no_error(small):
    found = run_recipe(imagenet.recipe, **{**SMALL, "epochs": 0})
    assert found.figures["pictures learned per second"] == 0 and found.report.plots["curve.png"]().data("png")


def test_the_view_is_the_middle_when_judged_and_any_part_while_learning():
    x = RNG.uniform(size=(64, 2, 6, 7)).astype(np.float32)
    mean, std = np.float32([[[0.5]], [[0.25]]]), np.float32([[[2.0]], [[1.0]]])
    view = imagenet.View(4, mean, std)
    np.testing.assert_allclose(view.eval()(sl.tensor(x)).numpy(), (x[:, :, 1:5, 1:5] - mean) / std, rtol=1e-6)
    sl.seed(0)
    seen = view.train()(sl.tensor(x)).numpy() * std + mean
    places = set()
    for one, whole in zip(seen, x):
        found = [(i, j, turn) for i in range(3) for j in range(4) for turn in (1, -1)
                 if np.allclose(one, whole[:, i : i + 4, j : j + 4][:, :, ::turn], atol=1e-6)]
        assert len(found) == 1
        places.update(found)
    assert {each[0] for each in places} == {0, 1, 2} and {each[1] for each in places} == {0, 1, 2, 3} and len(places) > 15


def test_alexnet_stands_behind_the_view_with_weights_large_enough_to_learn():
    shades = data.Standardize(RNG.uniform(size=(4, 3, 70, 70)), per="channel")
    sl.seed(0)
    facts = {"classes": ["c"] * 10, "mean": shades.mean.ravel().tolist(), "std": shades.std.ravel().tolist()}
    net = imagenet.network(Config(imagenet.recipe.resolve(size=63, hidden=64)), facts, "")
    with sl.no_grad():
        outputs = net.eval()(sl.tensor(RNG.uniform(size=(4, 3, 70, 70)).astype(np.float32)))
    assert outputs.shape == (4, 10) and 0.05 < float(outputs.std()) < 3


# fashion


def test_clothes_are_learned_and_the_run_is_revived(monkeypatch, tmp_path):
    part = toys(64, size=28)
    monkeypatch.setitem(classification.DATASETS, "fashion", lambda: Splits(part, part, part))
    done = run(fashion.recipe, {"epochs": 8, "batch": 16, "width": 4}, tmp_path / "run", progress=False)
    assert done.figures["test accuracy"] > 0.95
    assert done.run.epochs[-1].loss > done.figures["test loss"]  # labels are smoothed while it learns, and pictures moved
    loaded = load(tmp_path / "run")
    assert loaded.record.hyperparameters["width"] == 4
    assert sl.evaluate(loaded.net, part)["loss"] == pytest.approx(done.figures["test loss"], rel=1e-5)


def test_another_decay_needs_no_other_program_and_gives_the_bits_of_a_number():
    def trained(penalty):
        sl.seed(0)
        net, programs = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), {}
        with observe_programs(programs):
            run = sl.fit(net, toys(32), optimizer=optim.SGD(lr=0.1), batch_size=16, epochs=2, penalty=penalty, progress=False)
        return run.losses, set(programs)

    results = [trained(fashion.training(Config(fashion.recipe.resolve(decay=decay)))["penalty"]) for decay in (5e-4, 0.0123)]
    assert results[0][1] == results[1][1] and results[0][0] != results[1][0]
    assert results[1][0] == trained(lambda net: 0.0123 / 2 * nn.l2_penalty(net))[0]


def test_clothes_are_moved_and_mirrored_and_weights_decay():
    more = fashion.training(Config(fashion.recipe.resolve(shift=1, decay=0.5)))
    x, y = sl.tensor(RNG.uniform(0.1, 1, (40, 1, 6, 6)).astype(np.float32)), sl.zeros((40,))
    sl.seed(0)
    moved, same = more["augment"](x, y)
    assert same is y and moved.shape == x.shape
    inner = np.sort(x.numpy()[:, 0, 1:5, 1:5].reshape(40, -1))
    assert all(np.isin(middle, one).all() for middle, one in zip(inner, moved.numpy()[:, 0]))  # none of it left the picture
    assert not np.array_equal(moved.numpy(), x.numpy())
    layer = nn.Linear(3, 2)
    assert float(more["penalty"](layer)) == pytest.approx(0.25 * float((layer.weight * layer.weight).sum()), rel=1e-6)


# The sheet of mistakes


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_of_mistakes_shows_grey_and_coloured_pictures_wrong_ones_first(channels):
    test = Evaluation()
    test.targets, test.predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1])
    figure = mistakes(test, toys(4, channels)).figure
    assert [each.get_title() for each in figure.axes] == ["Coat/cape\nas Bag", "Coat/cape", "Bag", "Bag"]
    assert figure.axes[0].images[0].get_array().shape == ((8, 8, 3) if channels == 3 else (8, 8))
    assert samples(toys(4, channels).inputs[:, 0], ["a"] * 4).figure.axes


def test_of_many_mistakes_some_of_every_class_are_shown():
    test = Evaluation()
    test.targets, test.predicted = np.repeat([0, 1], 40), np.repeat([1, 0], 40)
    titles = [each.get_title() for each in mistakes(test, toys(80)).figure.axes]
    assert titles.count("Coat/cape\nas Bag") == titles.count("Bag\nas Coat/cape") == 12
