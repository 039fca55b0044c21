"""The ten things to try of docs/studio.md: what they promise is what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from studio_programs import lines_of, run_program, train

import slopes as sl
from slopes.studio.playground.experiment import Event, Experiment
from slopes.studio.playground.inspector import Inspector
from slopes.studio.playground.presets import PRESETS
from slopes.studio.playground.settings import Settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "studio.md").read_text(encoding="utf-8")
PRESET = {preset.name: preset for preset in PRESETS}


def trained(settings: Settings, epochs: int) -> Experiment:
    experiment = Experiment(settings)
    experiment.training.advance(epochs * experiment.steps_per_epoch)
    return experiment


def held_out(experiment: Experiment) -> list[float]:
    return [epoch.watched["loss"] for epoch in experiment.training.history.epochs]


def first_layer(settings: Settings) -> float:
    """How much smaller the gradients of the first layer are than those of the last."""
    experiment = Experiment(settings)
    gradients = Inspector(experiment.net, settings, experiment.points).gradients()
    return float(np.linalg.norm(gradients[0]) / np.linalg.norm(gradients[-2]))


def dead(settings: Settings) -> int:
    experiment = trained(settings, 5)
    return int((Inspector(experiment.net, settings, experiment.points).eager_view().spread < 1e-6).sum())


def xor_line() -> None:
    assert min(held_out(trained(PRESET["xor-line"].settings, 30))) > 0.6


def xor_hidden() -> None:
    assert held_out(trained(PRESET["xor-hidden"].settings, 60))[-1] < 0.1


def polar() -> None:
    assert trained(PRESET["circle-polar"].settings, 20).training.history.epochs[-1].watched["accuracy"] == 1


def rate() -> None:
    experiment = trained(PRESET["rate-too-high"].settings, 30)
    assert held_out(experiment)[-1] > 1 and sl.train.advice(experiment.training.result)
    assert held_out(trained(replace(experiment.settings, rate=0.3), 30))[-1] < 0.1


def vanishing() -> None:
    settings = PRESET["vanishing"].settings
    other = replace(settings, layers=tuple(replace(layer, activation="tanh") for layer in settings.layers))
    small, tanh = first_layer(settings), first_layer(other)
    assert small < 1e-7 and tanh > 1e5 * small


def dead_units() -> None:
    settings = PRESET["dead-relu"].settings
    assert dead(settings) >= 8 and dead(replace(settings, rate=0.03)) == 0


def overfitting() -> None:
    settings = PRESET["overfitting"].settings
    experiment = trained(settings, 100)
    losses = held_out(experiment)
    assert experiment.training.history.epochs[-1].loss < 0.01 and losses[-1] > 3 * min(losses)
    assert [remark.sign for remark in sl.train.advice(experiment.training.result)] == ["the network overfits"]
    assert held_out(trained(replace(settings, penalty="L2", strength=0.01), 100))[-1] < losses[-1] / 2


def zeros() -> None:
    experiment = trained(PRESET["zeros"].settings, 5)
    assert not experiment.layers[0].weight.numpy().any() and abs(held_out(experiment)[-1] - 0.693) < 0.01


def back_in_time() -> None:
    experiment = trained(PRESET["xor-hidden"].settings, 4)
    experiment.add_checkpoint()
    experiment.seek(30)
    experiment.branch()
    experiment.change(Event(30, 0.1))
    experiment.advance(0.01, 5)
    assert 30 < experiment.last <= 35 and experiment.training.rate == 0.1


def take_home() -> None:
    playground = train(PRESET["xor-hidden"].settings, 60)
    assert run_program(playground) == lines_of(playground)


TEN: tuple[Callable[[], None], ...] = (xor_line, xor_hidden, polar, rate, vanishing, dead_units, overfitting, zeros, back_in_time,
                                       take_home)


def test_the_ten_things_happen():
    for check in TEN:
        check()


def test_the_page_names_them():
    section = PAGE.partition("## Ten things to try")[2].partition("\n## ")[0]
    titles = [line.split("**")[1].rstrip(".") for line in section.splitlines() if line[:1].isdigit()]
    assert len(titles) == len(TEN) and titles[:8] == [preset.title for preset in PRESETS[:8]]


def test_the_default_problem_is_learned_in_three_seconds_at_the_default_speed():
    losses = held_out(trained(Settings(), 90))  # 30 epochs a second
    assert min(losses) < 0.02
