"""Compiles the step of a recipe for the devices of a mesh, in a process of its own: one processor stands for all devices.

It reads a request as JSON from standard input and writes the analyses as JSON. `plan_steps` starts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from .. import random
from ..errors import ArgumentError, HostsError, SlopesError, error_text
from ..experiments.catalog import find_recipe
from ..experiments.experiment import Config, Fit
from ..train.training import Training
from ..xla.collectives import Collective
from ..xla.library import load_jax
from ..xla.mesh import parse_mesh
from .analysis import StepAnalysis, analyse
from .devices import measure_device

DEVICES = "--xla_force_host_platform_device_count"


def plan_steps(request: dict[str, Any], devices: int) -> tuple[list[StepAnalysis], dict[str, Any]]:
    """The analyses of a recipe's step for each batch size of the request, and facts of the training."""
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if not flag.startswith(DEVICES)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join([*flags, f"{DEVICES}={devices}"])}
    for name in ("SLOPES_COORDINATOR", "SLOPES_PROCESSES", "SLOPES_RANK"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-m", __name__], input=json.dumps(request), env=environment, stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode:
        raise HostsError("the step was not compiled", where="",
                         why="the process that compiles it ended with an error, which is printed above")
    answer = json.loads(done.stdout)
    return [read_analysis(fields) for fields in answer["steps"]], answer["facts"]


def read_analysis(fields: dict[str, Any]) -> StepAnalysis:
    """An analysis as JSON holds it."""
    collectives = [Collective(kind, size, tuple(map(tuple, arrays)), count) for kind, size, arrays, count in fields["collectives"]]
    return StepAnalysis(**{**fields, "collectives": tuple(collectives)})


def main() -> None:
    """Answer the request."""
    request, output = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr
    try:
        answer = measured() if request.get("measure") else answer_to(request)
    except SlopesError as error:
        print(error_text(error), file=sys.stderr)
        sys.exit(1)
    json.dump(answer, output)


def measured() -> dict[str, Any]:
    """The figures of a device here."""
    return {"steps": [], "facts": asdict(measure_device(load_jax()))}


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    """The analyses for each batch size."""
    mesh = parse_mesh(request["mesh"], request["split"], request["zero"])
    recipe, steps, training = find_recipe(request["recipe"]), [], None
    config = Config(recipe.resolve(**request["values"]), 0)
    data = recipe.data(config)
    for scale in (1, 2):
        training = make_training(recipe, config, data, mesh, scale)
        steps.append(analyse(training.step_executable().compile_step(), training.batch_size))
        if training.batch_size < scale * steps[0].batch:
            break
    assert training is not None
    size = sum(parameter.size for parameter in training.net.parameters())
    return {"steps": [asdict(step) for step in steps], "facts": {"parameters": size, "examples": training.examples}}


def make_training(recipe: Any, config: Config, data: Any, mesh: Any, scale: int) -> Training:
    """The first training by gradients of a recipe, with `scale` times its batch size."""
    name = recipe.parts(config)[0]
    with random.using(random.Generator(0)):
        net = None if recipe.network is None else recipe.network(config, recipe.describe(config, data), name)
        part = recipe.training(config, data, name, net)
        if not isinstance(part, Fit):
            raise ArgumentError(f"plan: recipe {recipe.name} does not train by sl.fit", repair="choose a recipe that trains by gradients")
        part.options.update(backend="xla", mesh=mesh, batch_size=scale * part.options.get("batch_size", 64))
        assert net is not None, "an experiment with a Fit has a network"
        return part.training(net, 0)


if __name__ == "__main__":
    main()
