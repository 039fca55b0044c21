"""Every recipe that trains with fit, natively and on XLA: the losses of the first steps agree.

Where rounding alone drives two trainings apart (two elements of a window that differ in their last bit), eager code decides, operation by
operation: XLA agrees with that.

    python -m tests.xla_recipes [RECIPE...] [--steps 20]     to 1e-4 relative
    python -m tests.xla_recipes --epoch [RECIPE...]          those of the whole first epoch, to 1e-3; by default of five recipes

One line for each training: how many losses, the largest relative difference, and the seconds of both. The data sets must be there
(SLOPES_DATA) or are downloaded. Ends with an error where a training differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from slopes import random
from slopes.experiments.catalog import RECIPES
from slopes.experiments.experiment import Config, Experiment, Fit

EPOCHS = "digits", "lenet", "chars", "chars-gpt", "fashion"
SEED = 0


def main() -> None:
    """Compare the trainings of the recipes named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--epoch", action="store_true")
    options = parser.parse_args()
    names = options.recipes or (EPOCHS if options.epoch else list(RECIPES))
    steps, tolerance = (None, 1e-3) if options.epoch else (options.steps, 1e-4)
    different = [label for name in names for label, worst in compare(RECIPES[name], steps, tolerance) if not worst <= tolerance]
    sys.exit(f"more than {tolerance:g} apart: {', '.join(different)}" if different else 0)


def compare(recipe: Experiment[Any], steps: int | None, tolerance: float) -> list[tuple[str, float]]:
    """(name, largest relative difference) of each training by gradients of a recipe; `steps` None: of the first epoch."""
    config = Config(recipe.resolve(), SEED)
    with random.using(random.Generator(SEED)):
        data = recipe.data(config)
        return [result for name in recipe.parts(config) for result in compare_part(recipe, config, data, name, steps, tolerance)]


def compare_part(recipe: Experiment[Any], config: Config, data: Any, name: str, steps: int | None, tolerance: float
                 ) -> list[tuple[str, float]]:
    """The same of one training; nothing where it is none by gradients."""
    def run(backend: str) -> tuple[np.ndarray, float]:
        """The losses, and the seconds."""
        random.seed(SEED)
        net = None if recipe.network is None else recipe.network(config, recipe.describe(config, data), name)
        part = recipe.training(config, data, name, net)
        if not isinstance(part, Fit) or net is None:
            return np.empty(0), 0.0
        part.use_backend(backend)
        training = part.training(net, SEED)
        started = time.perf_counter()
        losses = training.advance(min(steps or training.steps_per_epoch, training.steps or sys.maxsize))["loss"]
        return losses, time.perf_counter() - started

    label, (native, native_seconds) = f"{recipe.name}{name and f'/{name}'}", run("native")
    if not native.size:
        return []
    xla, seconds = run("xla")
    worst = apart(xla, native)
    line = f"{label:36}{len(xla):6} losses, {worst:8.1e} apart, native {native_seconds:6.1f} s, XLA {seconds:6.1f} s"
    if worst > tolerance:
        eager, _ = run("reference")
        worst = apart(xla, eager)
        line += f"; from eager code {worst:8.1e}, native {apart(native, eager):8.1e}"
    print(line, flush=True)
    return [(label, worst)]


def apart(losses: np.ndarray, others: np.ndarray) -> float:
    """The largest relative difference."""
    return float(np.max(np.abs(losses - others) / np.abs(others)))


if __name__ == "__main__":
    main()
