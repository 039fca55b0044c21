"""Schedules: their factors, what they refuse, how they are composed, and what fit does with them."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from together import together

import slopes as sl
from slopes import nn, optim
from slopes.data import Dataset
from slopes.errors import ArgumentError
from slopes.optim import schedules
from slopes.train import OnEpoch

CLASSES = [each for each in vars(schedules).values() if inspect.isclass(each) and issubclass(each, schedules.Schedule)
           and each not in (schedules.Schedule, schedules.FixedLength, schedules.Composed)]
NEEDED = {"Step": {"step_size": 3}, "MultiStep": {"milestones": (2, 5)}, "Exponential": {"gamma": 0.9}, "WarmUp": {"steps": 3},
          "CosineRestarts": {"T_0": 4, "T_mult": 2}, "Cyclic": {"floor": 0.1, "step_size_up": 3},
          "Sequential": {"schedulers": (schedules.Constant(0.5), schedules.Cosine()), "milestones": (4,)},
          "Chained": {"schedulers": (schedules.Exponential(0.9), lambda step, steps: 1 - step / (steps + 9))},
          "PerEpoch": {"schedule": schedules.Exponential(0.5), "steps_per_epoch": 4}}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_factor_is_finite_and_the_same_again(cls):
    schedule = cls(**NEEDED.get(cls.__name__, {}))
    factors = [schedule(step, 12) for step in range(15)]
    assert all(0 <= each <= 1 for each in factors) and factors == [schedule(step, 12) for step in range(15)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_schedule_is_documented_with_an_example(cls):
    assert ">>>" in cls.__doc__


@together("cls, name, value, constraint", [(cls, name, value, constraint) for cls in CLASSES for name, constraint in cls.constraints.items()
                                           for value in constraint.wrong], ids=repr)
def test_a_wrong_argument_is_refused_in_words(cls, name, value, constraint):
    with pytest.raises(ArgumentError) as error:
        cls(**{**NEEDED.get(cls.__name__, {}), name: value})
    assert str(error.value).split("\n")[0] == f"{cls.__name__}: {name} must be {constraint.text}, not {value!r}"


def test_one_that_needs_the_number_of_steps_says_so():
    with pytest.raises(ArgumentError) as error:
        schedules.Cosine()(3)
    assert str(error.value).split("\n")[:3] == [
        "Cosine: the total number of steps is unknown", "  the schedule extends over all of them",
        "  pass it once, Cosine(steps=1000), or in each call, schedule(step, 1000)"]


def test_own_steps_come_before_those_of_the_run_and_the_end_is_kept():
    assert schedules.Linear(steps=4)(2, 100) == 0.5 and schedules.Linear(steps=4)(50, 100) == 0
    assert schedules.Cosine(steps=4, floor=0.1)(9) == pytest.approx(0.1)


def test_restarts_begin_anew():
    cosine = schedules.CosineRestarts(4)
    assert [cosine(step) for step in range(4, 8)] == [cosine(step) for step in range(4)]


def test_warming_up_goes_over_into_what_follows_without_a_jump():
    warm = schedules.WarmUp(4, schedules.Cosine(), start=0.2)
    factors = [warm(step, 12) for step in range(12)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[4:] == [schedules.Cosine()(step, 8) for step in range(8)]


def test_warming_up_takes_any_function():
    assert schedules.WarmUp(2, lambda step, steps: 1 / (1 + step), start=0.5)(3, 9) == 0.5


def test_one_cycle_goes_up_to_the_whole_rate_and_down_to_almost_nothing():
    factors = [schedules.OneCycle()(step, 100) for step in range(100)]
    assert int(np.argmax(factors)) == 29 and factors[29] == 1.0
    assert factors[0] == pytest.approx(1 / 25) and factors[-1] == pytest.approx(1 / 25e4)


def test_a_plateau_can_watch_for_more():
    plateau = schedules.Plateau(gamma=0.5, patience=0, mode="max", threshold=0.0)
    assert [plateau.see(value) for value in (0.1, 0.3, 0.2, 0.4, math.nan)] == [1, 1, 0.5, 0.5, 0.25]


def test_a_plateau_can_need_an_absolute_improvement():
    plateau = schedules.Plateau(gamma=0.5, patience=0, threshold=0.5, threshold_mode="abs")
    assert [plateau.see(value) for value in (10.0, 9.6, 9.4, 9.0)] == [1, 0.5, 0.5, 0.25]


def test_parts_of_schedules_observe_and_are_saved():
    def made():
        plateau = schedules.Plateau(gamma=0.5, patience=0)
        return plateau, schedules.Chained([schedules.Sequential([schedules.Exponential(0.5), plateau], [2]), lambda step, steps: 0.5])

    plateau, whole = made()
    whole.begin()
    for loss in (1.0, 1.0):
        whole.observe({"loss": loss})
    assert plateau.scale == 0.5 and [whole(step) for step in range(4)] == [0.5, 0.25, 0.25, 0.25]
    again, other = made()
    other.load_named_state(whole.named_state())
    assert again.scale == 0.5 and whole.named_state().keys() == {f"0_1_{name}" for name in plateau.named_state()}


def test_each_of_several_schedules_counts_its_own_steps():
    three = schedules.Sequential([schedules.Linear(), schedules.Linear(), schedules.Linear()], milestones=[2, 5])
    assert [three(step, 6) for step in range(6)] == pytest.approx([1, 0.5, 1, 2 / 3, 1 / 3, 1])
    with pytest.raises(ArgumentError, match="2 schedules and 2 milestones"):
        schedules.Sequential([schedules.Linear(), schedules.Linear()], milestones=[2, 5])
    with pytest.raises(ArgumentError, match="total number of steps is unknown"):
        three(5)


def test_a_plateau_below_zero_is_left_by_lower_values_only():
    plateau = schedules.Plateau(gamma=0.5, patience=0, threshold=0.1)
    assert [plateau.see(value) for value in (-1.0, -1.05, -2.0)] == [1, 0.5, 0.5]


# In fit


def fitted(schedule, **given):
    x = np.ones((8, 1), np.float32)
    sl.seed(0)
    net, rates = nn.Linear(1, 1, bias=False), []
    optimizer = optim.SGD(lr=0.5)
    before = net.weight.item()

    def constant_slope(outputs, targets):
        return outputs.mean()

    def note(training):
        nonlocal before
        rates.append(round(before - net.weight.item(), 5))
        before = net.weight.item()

    run = sl.fit(net, Dataset(x, x), loss=constant_slope, optimizer=optimizer, epochs=4, batch_size=8, schedule=schedule,
                 callbacks=[OnEpoch(note)], progress=False, **given)
    assert float(optimizer.lr) == 0.5
    return rates, run


@pytest.mark.parametrize("schedule, expected", [
    ("linear", [0.5, 0.375, 0.25, 0.125]), (schedules.Step(step_size=2), [0.5, 0.5, 0.05, 0.05]),
    (schedules.WarmUp(2, schedules.Exponential(0.5), start=0.5), [0.25, 0.375, 0.5, 0.25]),
    (lambda step, steps: step / steps, [0.0, 0.125, 0.25, 0.375])], ids=["name", "object", "composed", "function"])
def test_fit_multiplies_the_rate_of_each_step(schedule, expected):
    assert fitted(schedule)[0] == pytest.approx(expected, abs=1e-5)


class Planned(schedules.Plateau):
    """A plateau that is told other losses than were measured."""

    def observe(self, results):
        assert set(results) == {"loss"}
        self.see(self.planned.pop(0))


def test_fit_lowers_the_rate_on_a_plateau_and_begins_anew_in_another_run():
    plateau = Planned(gamma=0.1, patience=1)
    for _ in range(2):
        plateau.planned = [1.0, 1.0, 1.0, 1.0]
        assert fitted(schedules.WarmUp(1, plateau, start=0.5))[0] == pytest.approx([0.25, 0.5, 0.5, 0.05], abs=1e-5)


def test_the_validation_data_decide_about_a_plateau():
    x = np.ones((8, 1), np.float32)
    _, run = fitted(plateau := schedules.Plateau(gamma=0.5, patience=0), validation=Dataset(x, x))
    assert plateau.best == min(each.validation["loss"] for each in run.epochs)


def test_a_plateau_says_what_there_is_to_watch():
    with pytest.raises(ArgumentError) as error:
        fitted(schedules.Plateau(watch="accuracy"))
    assert str(error.value).split("\n")[:3] == [
        "Plateau: there is no 'accuracy' to watch", "  the measured values are loss",
        '  watch "loss", or name the metric in metrics= of fit']


def test_a_class_instead_of_a_schedule_is_refused():
    with pytest.raises(ArgumentError) as error:
        fitted(schedules.Cosine)
    assert str(error.value).startswith("schedule is the class Cosine, not a schedule\n  make one: optim.schedules.Cosine(...)")


def test_a_rate_set_by_hand_compiles_nothing_anew():
    w = sl.Parameter([1.0])
    opt, schedule = optim.SGD([w], lr=1.0), schedules.Exponential(0.5)

    @sl.compile
    def step():
        opt.zero_grad()
        (w * 1.0).sum().backward()
        opt.step()

    for number in range(3):
        opt.lr = schedule(number)
        step()
    assert w.item() == 1 - 1 - 0.5 - 0.25 and step.compilations == 1
