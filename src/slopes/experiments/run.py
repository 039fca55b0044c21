"""A recipe put into practice: data, network, training, test and run folder; and a saved run brought back to life."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, nn, random
from ..errors import ArgumentError, DataError, MissingExtraError, SaveError
from ..files.reading import refused
from ..inside.confusion import Confusion
from ..plot import Picture, mistakes
from ..tensor import asarray, no_grad
from ..train.evaluate import Evaluation, evaluate
from ..train.fit import fit
from ..train.history import Run
from ..train.interrupt import Interrupts
from ..train.mode import Mode
from ..train.runs import RECORD, SavedRun, holds_run, load_run, save_somewhere
from ..train.training import Callback
from .catalog import RECIPES, find_recipe
from .experiment import Recipe, make_optimizer
from .image import FRAMES, read_image
from .study import is_study

DATASETS = {"digits": data.digits, "mnist": data.mnist, "fashion": data.fashion_mnist}


@dataclass
class Practice:
    """What putting a recipe into practice gave: the run, its test, where it lies, and what went wrong with writing it."""

    run: Run
    test: Evaluation
    folder: Path
    save_error: SaveError | None
    notes: list[str]


def practise(recipe: Recipe, values: dict[str, Any], folder: Path, seed: int = 0, progress: bool | Callback | None = None) -> Practice:
    """Train the recipe with these hyper-parameters, test it once at the end, and write the run into `folder`.

    The seed decides the initial weights, the order of examples and dropout. The folder should have been tried with
    runs.prepare_folder before: if it cannot be written in the end, a temporary folder is used and named.
    """
    splits = DATASETS[values["dataset"]]()
    shape, classes = splits.train.inputs.shape[1:], splits.train.classes or ()
    with random.using(random.Generator(seed)):
        net = recipe.build(shape, len(classes), values)
    more = recipe.training(values)
    run = fit(net, splits.train, optimizer=make_optimizer(values["optimizer"], values["rate"]), epochs=values["epochs"],
              batch_size=values["batch"], validation=splits.validation, schedule=values["schedule"], seed=seed, progress=progress, **more)
    if more.get("average") is not None and run.history.steps:
        more["average"].take()  # validation was measured with the averaged weights: these are what is kept
    with Interrupts() as late:  # an impatient Ctrl-C while the net is tested and saved does not lose it; a second one may
        test = evaluate(net, splits.test)
        pictures, notes = draw(run, test, splits.test)
        about = {"name": values["dataset"], "shape": list(shape), "classes": list(classes)}
        where, error = save_somewhere(run, folder, recipe=recipe.name, hyperparameters={**values, "seed": seed}, data=about,
                                      result=dict(test), pictures=pictures)
    run.interrupted = run.interrupted or late.wanted
    return Practice(run, test, where, error, notes)


def draw(run: Run, test: Evaluation, dataset: Any) -> tuple[dict[str, Picture], list[str]]:
    """The pictures by file name; without matplotlib none, and a note that says how to get them."""
    try:
        table = Confusion.counted(test.targets, test.predicted, dataset.classes).draw()
        return {"curve.png": run.plot(), "confusion.png": table, "mistakes.png": mistakes(test, dataset)}, []
    except MissingExtraError as error:
        return {}, [f"no pictures: {error.what}; {error.repair}"]


def revive(folder: str | os.PathLike[str]) -> tuple[nn.Module, SavedRun]:
    """The trained net of a run folder that a recipe made, in eval mode, and the folder's record.

    Raises DataError for a damaged folder, ArgumentError when this slopes does not know its recipe or the folder is that of a study,
    StateError when the weights do not fit the network that the recipe builds.
    """
    if is_study(folder) and not holds_run(Path(folder)):
        runs = ", ".join(name for name, each in RECIPES.items() if isinstance(each, Recipe))
        raise ArgumentError(f"{os.fspath(folder)} is what a study left: its figures, pictures and weights, but no run",
                            why=f"the recipes that leave a run are {runs}",
                            repair="to use its weights in Python: net.load_state_dict(slopes.data.load_safetensors(path))")
    saved = load_run(folder)
    check_data(saved)
    recipe = find_recipe(saved.recipe)
    if not isinstance(recipe, Recipe):
        raise damaged(saved, "recipe", f"{saved.recipe!r}, which is a study and leaves no run")
    values = known_values(recipe, saved)
    check_sizes(saved, {name: values[name] for name in recipe.sizes})
    net = recipe.build(tuple(saved.data["shape"]), len(saved.data["classes"]), values)
    net.load_state_dict(saved.weights)
    return net.eval(), saved


def known_values(recipe: Recipe, saved: SavedRun) -> dict[str, Any]:
    """The recipe's hyper-parameters as the record has them."""
    try:
        return recipe.chosen(**{name: value for name, value in saved.hyperparameters.items() if name != "seed"})
    except ArgumentError as error:
        raise damaged(saved, "hyperparameters", error.what) from error


def check_data(saved: SavedRun) -> None:
    """The record tells which data the net is for: a known name, the shape of its images, and names of classes."""
    name, shape, classes = (saved.data.get(each) for each in ("name", "shape", "classes"))
    frame = FRAMES.get(name) if isinstance(name, str) else None
    named = isinstance(classes, list) and classes and all(isinstance(each, str) for each in classes)
    if frame is None or shape != [1, frame.size, frame.size] or not named:
        raise damaged(saved, "data", f"name {name!r:.40}, shape {shape!r:.40}, classes {classes!r:.40}")


def check_sizes(saved: SavedRun, sizes: dict[str, Any]) -> None:
    """No network is built on a claim: each of its sizes must be the length of an axis of the weights beside the record."""
    lengths = {length for array in saved.weights.values() for length in array.shape}
    for name, size in (*sizes.items(), ("classes", len(saved.data["classes"]))):
        if isinstance(size, int) and size not in lengths:
            raise damaged(saved, name, f"{size}, but no axis of the weights has this length")


def damaged(saved: SavedRun, name: str, seen: str) -> DataError:
    """The error for a record that does not fit what is known or what lies beside it."""
    return refused(saved.folder / RECORD, name, seen, repair="restore the file from a copy, or train again")


def classify(net: nn.Module, saved: SavedRun, images: Sequence[str | os.PathLike[str]]) -> list[list[tuple[str, float]]]:
    """For each image file the classes with their probabilities, likeliest first."""
    inputs = np.stack([read_image(each, saved.data["name"]) for each in images])
    with Mode(net, training=False), no_grad():
        logits = net(asarray(inputs)).numpy().astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [sorted(zip(saved.data["classes"], row.tolist()), key=lambda pair: -pair[1]) for row in shares]
