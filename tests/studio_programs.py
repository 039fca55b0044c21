"""Programs to take home: random settings of the playground, trained there and by the program in a fresh process.

`python -m tests.studio_programs 20` compares so many, and says how many printed the same losses bit for bit.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from slopes.errors import SlopesError
from slopes.studio.engine import Context
from slopes.studio.playground.engine import Playground
from slopes.studio.playground.messages import Change, Configure, Edit, Play, TakeHome
from slopes.studio.playground.settings import (
    ACTIVATIONS,
    CLASSIFICATION,
    FEATURES,
    OPTIMIZERS,
    OWN,
    PENALTIES,
    REGRESSION,
    SCHEDULES,
    LayerSettings,
    Settings,
)

SOURCE = Path(__file__).resolve().parents[1] / "src"


def random_settings(seed: int) -> Settings:
    """Settings in which everything is drawn."""
    rng = random.Random(seed)
    problem = rng.choice(["classification", "classification", "regression"])
    layers = tuple(LayerSettings(rng.randint(1, 9), rng.choice(list(ACTIVATIONS)), rng.random() < 0.3, rng.choice([0.0, 0.0, 0.25]))
                   for _ in range(rng.randint(0, 3)))
    data = rng.choice(REGRESSION if problem == "regression" else CLASSIFICATION)
    settings = Settings(problem, data, rng.randint(2, 6), rng.randint(20, 90),
                        rng.choice([0.0, 12.5, 30.0]), rng.choice([20.0, 50.0, 70.0]), rng.choice([1, 7, 10, 200]),
                        tuple(rng.sample(list(FEATURES), rng.randint(1, 5))), layers, rng.choice(list(OPTIMIZERS)),
                        rng.choice([0.001, 0.01, 0.03]), rng.choice(list(SCHEDULES)), rng.randint(3, 60), rng.choice(PENALTIES),
                        rng.choice([1e-4, 0.01]), rng.choice([1.0, 0.5, 0.0]), rng.randint(0, 2**31 - 1), rng.randint(0, 2**31 - 1))
    if rng.random() < 0.2:
        points = tuple((round(rng.uniform(-5, 5), 3), round(rng.uniform(-5, 5), 3), float(i % 3)) for i in range(30))
        return replace(settings, data=OWN, points=points)
    return settings


def train(settings: Settings, steps: int) -> Playground:
    """A playground that was played for so many steps, with a weight and the rate changed on the way."""
    playground = Playground(Context())
    playground.handle(Configure(settings))
    for goal, change in ((steps // 3, Change(0.25, 0, 0, 0)), (steps // 2, Change(0.005)), (steps, None)):
        if playground.experiment.ended:
            break
        playground.handle(Play(True))
        while playground.experiment.last < goal and playground.playing:
            playground.step(0.01)
        playground.handle(Play(False))
        if change is not None and not playground.experiment.ended:
            playground.handle(Edit(change))
    return playground


def lines_of(playground: Playground) -> list[str]:
    """What the program must print."""
    history = playground.experiment.training.history
    return [*(f"step {step + 1}: {loss!r}" for step, loss in enumerate(history.losses)),
            *(f"epoch {epoch.epoch + 1}: {epoch.loss!r}, on the test points {epoch.watched['loss']!r}" for epoch in history.epochs)]


def run_program(playground: Playground) -> list[str]:
    """What the program prints in a fresh process."""
    reply = playground.handle(TakeHome("program"))
    assert reply is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "playground.py"
        file.write_text(reply.header["text"], encoding="utf-8")
        done = subprocess.run([sys.executable, file], capture_output=True, text=True, cwd=folder, env={**os.environ,
                                                                                                   "PYTHONPATH": str(SOURCE)})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def main(count: int) -> None:
    """Compare programs of random settings with what the playground did."""
    equal = compared = 0
    for seed in itertools.count():
        settings = random_settings(seed)
        try:
            playground = train(settings, 60)
        except SlopesError as error:  # settings that cannot be trained, such as batch norm over batches of one point
            print(f"{seed}: {error.args[0].splitlines()[0]}", flush=True)
            continue
        compared += 1
        same = run_program(playground) == lines_of(playground)
        equal += same
        print(f"{seed}: {settings.data}, {settings.optimizer}, {settings.schedule}, {len(settings.layers)} hidden layers, "
              f"{playground.experiment.last} steps: {'the same' if same else 'DIFFERENT'}", flush=True)
        if compared == count:
            break
    print(f"{equal} of {count} programs printed the same losses")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
