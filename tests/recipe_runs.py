"""Every recipe on little data: it trains, leaves a run, and `slopes predict` and `slopes report` work on that run.

    python -m tests.recipe_runs [RECIPE...]

SMALL is the table of all recipes: settings with which each trains in seconds, and an input to predict. The data are the first examples
of the public sets. `run_recipe` runs one recipe for the tests of single recipes, which bring data of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from click.testing import CliRunner

from slopes import cli, data
from slopes.data.loaders.write_images import save_png
from slopes.experiments import classification
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Experiment, Learn, Result
from slopes.experiments.run import run
from slopes.train.runs import load_run
from slopes.view.report import report

EXAMPLES = {"train": 64, "validation": 24, "test": 24}  # of each set
TEXT = {"train": 20_000, "validation": 800, "test": 800}  # characters, or words
CUT = ("mnist", "fashion_mnist", "digits", "names", "rt_polarity", "spoken_digits", "tatoeba", "tiny_shakespeare", "ud_english_ewt",
       "wikitext2")


@dataclass(frozen=True)
class Small:
    """Settings with which a recipe trains in seconds, an input of `slopes predict` (`write(folder)` makes a file of it), and a part of
    what is printed about it; "" for recipes that keep no network."""

    args: dict[str, Any] = field(default_factory=dict)
    item: str | Callable[[Path], str] = ""
    printed: str = "%"


def digit(size: int) -> Callable[[Path], str]:
    """A picture of a one, light on dark, size x size."""

    def write(folder: Path) -> str:
        picture = np.zeros((size, size), np.float32)
        picture[size // 6 : -(size // 6), size // 2 - size // 14 - 1 : size // 2 + size // 14 + 1] = 1.0
        save_png(folder / "one.png", picture)
        return str(folder / "one.png")

    return write


def tone(folder: Path) -> str:
    """A sound file."""
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(np.arange(4000) / 3)).astype("<i2").tobytes())
    return str(folder / "tone.wav")


def wines(folder: Path) -> str:
    """A table of wines."""
    names = ("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
             "total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "colour")
    (folder / "wines.csv").write_text(",".join(names) + "\n" + "7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,9.4,red\n")
    return str(folder / "wines.csv")


ONE_EPOCH = {"epochs": 1}
PICTURE = Small(ONE_EPOCH, digit(28))
SMALL = {
    "digits": Small(ONE_EPOCH, digit(8)),
    "perceptron": Small({"passes": 3, "hidden": 4}, digit(28), ""),
    "approximate": Small({"hidden": 4, "steps": 20}, "0.5", "0.5"),
    "features": Small({"examples": 40, "epochs": 2, "hidden": 4}),
    "compare": Small({"examples": 40, "epochs": 2, "hidden": 4}),
    "softmax": PICTURE, "mlp": Small({"epochs": 1, "hidden": 16}, digit(28)), "lenet": PICTURE, "lenet-published": PICTURE,
    "lenet-regularized": PICTURE, "fashion": Small({"epochs": 1, "width": 4}, digit(28)),
    "autoencoder": Small({"epochs": 1, "code": 4}, digit(28), "mean squared error"),
    "forecast": Small({"series": "sunspots", "epochs": 1, "hidden": 4}, "sunspots", ", "),
    "tabular": Small({"table": "wine-quality", "steps": 40, "width": 8, "bins": 4}, wines, "row 1"),
    "speech": Small({"speakers": 1, "epochs": 1, "channels": 4, "mask": 1}, tone),
    "recommend": Small({"epochs": 1, "hidden": 4}, "3", "thing"),
    "segment": Small({"pictures": 32, "tested": 8, "epochs": 1, "width": 4, "levels": 1}, digit(56), "are ink"),
    "caption": Small({"pictures": 32, "tested": 8, "epochs": 1, "filters": 2, "width": 4, "hidden": 8}, digit(56), ""),
    "names": Small({"epochs": 1, "width": 8, "hidden": 8}, "Rossi"),
    "chars": Small({"epochs": 1, "batch": 4, "context": 16, "width": 8, "hidden": 16}, "ROMEO:", "ROMEO:"),
    "chars-gpt": Small({"epochs": 1, "steps": 10, "batch": 4, "context": 16, "width": 16, "depth": 1, "heads": 2}, "ROMEO:", "ROMEO:"),
    "sentiment": Small({"epochs": 1, "folds": 1, "width": 8, "filters": 4}, "a fine film"),
    "tagger": Small({"epochs": 1, "width": 8, "hidden": 8, "letters": 6}, "Dogs bark", "Dogs/"),
    "translate": Small({"epochs": 1, "width": 16, "pieces": 300, "batch": 16}, "I see the dog.", ""),
    "words": Small({"epochs": 1, "batch": 4, "context": 8, "width": 16, "depth": 1}, "The first", "The first"),
    "imagenet-like": Small({"pictures": 8, "pixels": 64, "size": 63, "margin": 1, "batch": 8, "hidden": 8, "epochs": 1}, digit(64)),
}


def run_recipe(recipe: Experiment[Any], seed: int = 0, folder: Any = None, **args: Any) -> Result[Any]:
    """Run it without progress; it has logged, reported lines and finite figures, and its folder makes a page with figures and plots."""
    logged: list[str] = []
    result = run(recipe, args, folder, seed=seed, log=logged.append)
    assert logged or all(isinstance(part, Learn) for part in result.trained.values())
    assert result.lines and result.figures and all(np.isfinite(value) for value in result.figures.values())
    if folder is not None:
        page = report([load_run(folder)])
        assert all(escape(name) in page for name in result.figures) and page.count("data:image/png") == len(result.report.plots)
    return result


def check_run(name: str, folder: Path) -> str:
    """Run the recipe on little data, predict an input with its run, and write its report, on the command line; returns what is printed."""
    small, home = SMALL[name], folder / name
    home.mkdir(parents=True)
    with short_sets() if RECIPES[name].datasets else contextlib.nullcontext():
        run_recipe(RECIPES[name], folder=home / "run", **small.args)
    item = small.item if isinstance(small.item, str) else small.item(home)
    predicted = slopes("predict", home / "run", item or "x", "--out", home)
    if not item:
        assert predicted.exit_code == 1 and "keeps no network to predict with" in predicted.stderr, predicted.output
    else:
        assert predicted.exit_code == 0 and predicted.stdout.startswith(f"{item}: ") and small.printed in predicted.stdout, predicted.output
    page = slopes("report", home / "run", "--out", home / "page.html")
    assert page.exit_code == 0 and (home / "page.html").stat().st_size > 5000, page.output
    return predicted.stdout or predicted.stderr


def slopes(*arguments: object) -> Any:
    """Run `slopes arguments...` in this process."""
    return CliRunner().invoke(cli.command, list(map(str, arguments)), prog_name="slopes")


@contextlib.contextmanager
def short_sets() -> Iterator[None]:
    """The public sets have their first examples only."""
    with contextlib.ExitStack() as stack:
        loaders = {name: shortened(getattr(data, name)) for name in CUT}
        for name, loader in loaders.items():
            stack.enter_context(mock.patch.object(data, name, loader))
        stack.enter_context(mock.patch.dict(classification.DATASETS, {
            "digits": loaders["digits"], "mnist": loaders["mnist"], "fashion": loaders["fashion_mnist"]}))
        yield


def shortened(load: Callable[..., Any]) -> Callable[..., Any]:
    """The loader of a set, for the first examples of each part; of a text, for its beginning, so that all its words are known."""

    def loader(*args: Any, **options: Any) -> Any:
        splits = copy.copy(load(*args, **options))
        whole = {name: splits.train if isinstance(splits.train, (str, tuple)) else getattr(splits, name) for name in EXAMPLES}
        splits.train, splits.validation, splits._test = (first(part, name) for name, part in whole.items())
        return splits

    return loader


def first(part: Any, name: str) -> Any:
    """The first examples of a data set, sentences, or a text; of a data set of classes, as many of each class."""
    if isinstance(part, (str, tuple)):
        return part[: TEXT[name]]
    if isinstance(part, data.Dataset):
        classes = np.unique(part.targets)
        count = EXAMPLES[name] // len(classes) + 1
        return part.subset(np.concatenate([np.flatnonzero(part.targets == label)[:count] for label in classes]))
    step = len(part) // EXAMPLES[name]
    return data.Examples(part.inputs[::step], part.targets[::step], part.classes, part.name)


def weights_of(result: Result[Any]) -> dict[str, np.ndarray]:
    """The arrays of all networks, by network and path."""
    return {f"{name}/{path}": array for name, net in result.networks.items() for path, array in net.state_dict().items()}


def same_weights(one: Result[Any], other: Result[Any]) -> bool:
    """Whether all networks of two results have the same bits."""
    a, b = weights_of(one), weights_of(other)
    return bool(a) and a.keys() == b.keys() and all(a[path].tobytes() == b[path].tobytes() for path in a)


def main() -> None:
    """Run the recipes, and print the time and the prediction of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="by default all")
    parser.add_argument("--folder", type=Path, help="where runs and pages are left; by default they are removed")
    arguments = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.recipes or SMALL:
            started = time.process_time()
            try:
                outcome = check_run(name, arguments.folder or Path(temporary)).strip().replace(str(temporary), "")
            except Exception as error:  # the others are tried, too
                failed.append(name)
                outcome = f"FAILED: {type(error).__name__}: {error}"
            print(f"{name:18} {time.process_time() - started:6.1f} s  {outcome:.150}", flush=True)
    print(f"{len(failed)} of {len(arguments.recipes or SMALL)} failed{': ' if failed else ''}{', '.join(failed)}")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
