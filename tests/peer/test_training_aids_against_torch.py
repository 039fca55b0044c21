"""Schedules, clipping, averages and L-BFGS give PyTorch's values."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from learning_parts import numbers

import slopes as sl
from slopes import optim
from slopes.optim import schedules

torch = pytest.importorskip("torch")
rates = torch.optim.lr_scheduler

SCHEDULES = {
    "step": (schedules.Step(3, gamma=0.3), lambda o: rates.StepLR(o, 3, 0.3)),
    "multi-step": (schedules.MultiStep((2, 5, 11), gamma=0.5), lambda o: rates.MultiStepLR(o, [2, 5, 11], 0.5)),
    "exponential": (schedules.Exponential(0.8), lambda o: rates.ExponentialLR(o, 0.8)),
    "linear": (schedules.Linear(0.2, 0.9, steps=7), lambda o: rates.LinearLR(o, 0.2, 0.9, 7)),
    "cosine": (schedules.Cosine(steps=20, floor=0.1), lambda o: rates.CosineAnnealingLR(o, 20, eta_min=0.05)),
    "restarts": (schedules.CosineRestarts(6), lambda o: rates.CosineAnnealingWarmRestarts(o, 6)),
    "growing restarts": (schedules.CosineRestarts(3, 2, floor=0.1), lambda o: rates.CosineAnnealingWarmRestarts(o, 3, 2, eta_min=0.05)),
    "polynomial": (schedules.Polynomial(2.5, steps=12), lambda o: rates.PolynomialLR(o, 12, 2.5)),
    "triangles": (schedules.Cyclic(0.2, 3, 5), lambda o: rates.CyclicLR(o, 0.1, 0.5, 3, 5, cycle_momentum=False)),
    "falling triangles": (schedules.Cyclic(0.2, 3, mode="triangular2"),
                          lambda o: rates.CyclicLR(o, 0.1, 0.5, 3, mode="triangular2", cycle_momentum=False)),
    "exponential triangles": (schedules.Cyclic(0.2, 4, mode="exp_range", gamma=0.9),
                              lambda o: rates.CyclicLR(o, 0.1, 0.5, 4, mode="exp_range", gamma=0.9, cycle_momentum=False)),
    "chained": (schedules.Chained([schedules.Exponential(0.9), schedules.Step(3, 0.3)]),
                lambda o: rates.ChainedScheduler([rates.ExponentialLR(o, 0.9), rates.StepLR(o, 3, 0.3)], o)),
    "sequential": (schedules.Sequential([schedules.Constant(0.3), schedules.Exponential(0.8), schedules.Step(2)], [4, 9]),
                   lambda o: rates.SequentialLR(
        o, [rates.ConstantLR(o, 0.3, 99), rates.ExponentialLR(o, 0.8), rates.StepLR(o, 2)], [4, 9])),
    "one cycle, straight": (schedules.OneCycle(20, anneal_strategy="linear"), lambda o: rates.OneCycleLR(
        o, 0.5, total_steps=20, anneal_strategy="linear", cycle_momentum=False)),
    "one cycle in three phases": (schedules.OneCycle(20, three_phase=True), lambda o: rates.OneCycleLR(
        o, 0.5, total_steps=20, three_phase=True, cycle_momentum=False)),
    "one cycle": (schedules.OneCycle(steps=20), lambda o: rates.OneCycleLR(o, 0.5, total_steps=20, cycle_momentum=False)),
    "one cycle, steep": (schedules.OneCycle(steps=20, pct_start=0.45, div_factor=3, final_div_factor=7),
                         lambda o: rates.OneCycleLR(o, 0.5, total_steps=20, pct_start=0.45, div_factor=3, final_div_factor=7)),
    "warm-up": (schedules.WarmUp(4, schedules.Cosine(steps=16), start=0.25),
                lambda o: rates.SequentialLR(o, [rates.LinearLR(o, 0.25, 1.0, 4), rates.CosineAnnealingLR(o, 16)], [4])),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # PyTorch's remarks on its own schedulers
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_differs_from_pytorch(name):
    ours, make = SCHEDULES[name]
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5, momentum=0.9)
    scheduler = make(theirs)
    for step in range(20):
        assert 0.5 * ours(step) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-6, abs=1e-9), step
        theirs.step()
        if step < 19:
            scheduler.step()


@pytest.mark.parametrize("options", [{}, {"patience": 1, "factor": 0.5}, {"patience": 0, "cooldown": 2, "min_lr": 0.02, "threshold": 0.05},
                                     {"mode": "max", "patience": 2, "threshold": 0.2},
                                     {"threshold_mode": "abs", "threshold": 0.3, "patience": 1}])
def test_the_rate_on_a_plateau_differs_from_pytorch(options):
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = rates.ReduceLROnPlateau(theirs, **options)
    ours = schedules.Plateau(gamma=options.get("factor", 0.1), floor=options.get("min_lr", 0) / 0.5,
                             **{name: value for name, value in options.items() if name not in ("factor", "min_lr")})
    for value in np.abs(numbers("plateau", (60,))).tolist():
        scheduler.step(value)
        assert 0.5 * ours.see(value) == pytest.approx(theirs.param_groups[0]["lr"])
        if theirs.param_groups[0]["lr"] < 1e-6:
            break


def gradients():
    arrays = [numbers("one", (3, 4)), numbers("two", (5,))]
    ours, theirs = [sl.Parameter(each) for each in arrays], [torch.tensor(each, requires_grad=True) for each in arrays]
    for mine, other, array in zip(ours, theirs, arrays):
        mine.grad, other.grad = sl.tensor(3 * array), torch.tensor(3 * array)
    return ours, theirs


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_differs_from_pytorch(limit):
    for name, clip in (("norm", optim.clip_by_norm), ("value", optim.clip_by_value)):
        ours, theirs = gradients()
        norms = clip(ours, limit), getattr(torch.nn.utils, f"clip_grad_{name}_")(theirs, limit)
        if name == "norm":
            assert float(norms[0]) == pytest.approx(float(norms[1]), rel=1e-6)
        for mine, other in zip(ours, theirs):
            np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("decay", [0.9, None])
def test_averages_of_weights_differ_from_pytorch(decay):
    w, layer = sl.Parameter(numbers("w0", (2, 3))), torch.nn.Linear(3, 2, bias=False)
    swa = torch.optim.swa_utils
    ours, theirs = optim.Average(decay, [w]), swa.AveragedModel(layer, multi_avg_fn=swa.get_ema_multi_avg_fn(decay) if decay else None)
    for step in range(6):
        array = numbers(f"w{step}", (2, 3))
        w.assign(array)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(array))
        ours.update()
        theirs.update_parameters(layer)
    with ours.swapped():
        np.testing.assert_allclose(w.detach().numpy(), theirs.module.weight.detach().numpy(), rtol=1e-6, atol=1e-6)


def valley(x):
    return 100 * (x[1] - x[0] * x[0]) ** 2 + (1 - x[0]) ** 2


def quartic(x):
    return (x * x * x * x).sum() + (x[0] - 1) ** 2 + (x.sum() - 3) ** 2


@pytest.mark.parametrize("searched", ["strong_wolfe", "fixed"])
@pytest.mark.parametrize("loss, start", [(valley, [-1.2, 1.0]), (quartic, [1.0, 2.0, -3.0, 0.5])])
def test_the_steps_of_lbfgs_leave_pytorchs_path(loss, start, searched):
    for steps in (1, 2, 4, 7, 12, 20):
        x, y = sl.Parameter(np.array(start)), torch.tensor(start, dtype=torch.float64, requires_grad=True)
        opt = torch.optim.LBFGS([y], max_iter=steps, max_eval=1000, history_size=10,
                                line_search_fn="strong_wolfe" if searched == "strong_wolfe" else None)

        def closure(y=y, opt=opt):
            opt.zero_grad()
            value = loss(y)
            value.backward()
            return value

        with warnings.catch_warnings():
            opt.step(closure)
        found = optim.minimize(lambda x=x: loss(x), [x], steps=steps, search=searched)
        assert found.steps <= steps
        np.testing.assert_allclose(x.numpy(), y.detach().numpy(), rtol=1e-6, atol=1e-6)
