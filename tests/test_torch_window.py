"""slopes.torch: the values of PyTorch, changes in place as PyTorch makes them, and errors that name slopes' way."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from ported.expressions import EXPRESSIONS, MORE, PROGRAMS, names_of, value_of
from ported.runner import FOLDER
from torch_names import absent, missing, summary, table

import slopes as sl
import slopes.torch as torch
import slopes.torch.nn.functional as F
from slopes.errors import ArgumentError, DTypeError, GradientError, ShapeError, SlopesError
from slopes.torch import creation, functions, nn
from slopes.torch.sides import side
from slopes.torch.tensor import IN_PLACE, METHODS

recorded = json.loads((FOLDER / "recorded_values.json").read_text(encoding="utf-8"))
names = names_of("slopes.torch")


def alike(own, other):
    """Whether two nested lists are equal, floats to 1e-5."""
    if isinstance(own, list) and isinstance(other, list):
        return len(own) == len(other) and all(map(alike, own, other))
    if isinstance(own, float) and isinstance(other, float):
        return own == other or (math.isnan(own) and math.isnan(other)) or math.isclose(own, other, rel_tol=1e-5, abs_tol=1e-6)
    return own == other


@pytest.mark.parametrize("text", [*EXPRESSIONS, *PROGRAMS], ids=lambda text: text[:60])
def test_a_value_is_that_of_pytorch(text):
    own = value_of(text, names())
    assert alike(own, recorded[text]), f"{own}\n{recorded[text]}"
    assert not side.core


def test_values_of_more_functions_are_those_of_pytorch():
    for text in MORE:
        for own, other, part in zip(value_of(text, names()), recorded[text], text.split("), ")):
            assert alike(own, other), f"{part} in {text}\n{own}\n{other}"


def test_the_names_that_are_not_there_are_those_of_the_table():
    assert set(missing()) == absent().keys()
    documentation = (Path(__file__).parents[1] / "docs" / "pytorch.md").read_text(encoding="utf-8")
    assert f"{summary()} are there" in documentation and "\n".join(table()) in documentation


def test_functions_say_what_they_compute_and_how_it_is_written_in_slopes():
    for module in (functions, *(getattr(torch, name) for name in ("elements", "statistics", "layout", "scattering", "matrices"))):
        for name in module.NAMES:
            assert getattr(module, name).__doc__, name
    assert "sl.argsort" in torch.kthvalue.__doc__ and "sl.sum" in torch.sum.__doc__


def test_forward_hooks_see_and_replace_what_modules_get_and_return():
    net, seen = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), []
    names, x = list(net.state_dict()), torch.ones(1, 2)
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.zero_()
    handles = [net[0].register_forward_hook(lambda module, args, output: seen.append((type(module).__name__, output.size()))),
               net[1].register_forward_hook(lambda module, args, output: output * 2),
               net.register_forward_pre_hook(lambda module, args: args[0] + 1)]
    assert net(x).tolist() == [[8.0, 8.0]] and seen == [("Linear", (1, 2))]
    step = torch.compile(lambda x: net(x))
    assert step(x).tolist() == step(x).tolist() == [[8.0, 8.0]] and len(seen) == 2
    assert list(net.state_dict()) == names and len(list(net.modules())) == 3
    for handle in handles:
        handle.remove()
        handle.remove()
    assert step(x).tolist() == [[2.0, 2.0]] == net(x).tolist() and len(seen) == 2


def test_optimizers_take_more_groups():
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([first], lr=0.5)
    optimizer.add_param_group({"params": second, "lr": 0.25})
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25]
    (first.sum() + second.sum()).backward()
    optimizer.step()
    assert first.tolist() == [0.5, 0.5] and second.tolist() == [0.75, 0.75]


def valley(library, **options):
    """The losses of steps of LBFGS on Rosenbrock's valley, the number of evaluations, and the last point."""
    x = library.nn.Parameter(library.tensor([-1.2, 1.0, 0.5], dtype=library.float64))
    optimizer, calls = library.optim.LBFGS([x], **options), []

    def closure():
        optimizer.zero_grad()
        loss = ((1 - x[:2]) ** 2).sum() + (10 * (x[1:] - x[:-1] ** 2) ** 2).sum()
        loss.backward()
        calls.append(loss.item())
        return loss

    return [optimizer.step(closure).item() for _ in range(6)], len(calls), x.tolist()


def test_lbfgs_goes_the_way_of_pytorch():
    losses, evaluations, _ = valley(torch, lr=0.1, max_iter=7)
    np.testing.assert_allclose(losses, [9.276, 4.97752, 3.94397, 3.59856, 3.32903, 2.61177], rtol=1e-4)
    assert evaluations == 42
    with pytest.raises(ArgumentError, match='the only line search is "strong_wolfe"'):
        torch.optim.LBFGS([], line_search_fn="armijo")


def test_lbfgs_searches_as_pytorch():
    original = pytest.importorskip("torch")
    for options in ({"lr": 1.0, "max_iter": 2}, {"lr": 0.01, "max_iter": 3}, {"lr": 5.0, "max_iter": 2, "max_eval": 6},
                    {"lr": 1.0, "max_iter": 4, "max_eval": 1}, {"lr": 0.1, "max_iter": 9, "max_eval": 4, "line_search_fn": None}):
        options = {"line_search_fn": "strong_wolfe", **options}
        (losses, evaluations, point), (their_losses, their_evaluations, their_point) = valley(torch, **options), valley(original, **options)
        np.testing.assert_allclose(losses, their_losses, rtol=1e-6, atol=1e-9, err_msg=str(options))
        np.testing.assert_allclose(point, their_point, rtol=1e-6, atol=1e-9, err_msg=str(options))
        assert evaluations == their_evaluations, options


def test_the_recorded_values_are_those_of_pytorch():
    pytest.importorskip("torch")
    own = names_of("torch")
    assert all(alike(value_of(text, own()), recorded[text]) for text in EXPRESSIONS[:40])


def test_every_function_is_compared():
    words = set(re.findall(r"\w+", " ".join(EXPRESSIONS + PROGRAMS + MORE)))
    made = [name for name, value in vars(creation).items() if getattr(value, "__module__", "") == creation.__name__ and name[0].islower()]
    own = {"finished", "shared", "manual_seed", "empty_like"}
    missing = [name for name in (*functions.NAMES, *METHODS, *made) if name not in words and name not in own]
    assert not missing


def test_every_method_in_place_is_the_function_of_its_name():
    x = np.array([[0.25, 0.5], [0.75, 0.9]], np.float32)
    others = {"addcmul": (2.0, 3.0), "addcdiv": (2.0, 3.0), "lerp": (torch.ones(2, 2), 0.5), "masked_fill": (torch.tensor(x > 0.6), 2.0)}
    rows, swapped = torch.tensor([1, 0]), torch.tensor([[1, 0], [0, 1]])
    others |= {"scatter_add": (0, swapped, torch.ones(2, 2)), "index_add": (0, rows, torch.ones(2, 2)),
               "index_copy": (1, rows, torch.ones(2, 2)), "index_fill": (1, rows[:1], 2.0)}
    two = {"add", "sub", "mul", "div", "pow", "eq", "ne", "lt", "le", "gt", "ge", "remainder", "floor_divide", "clamp", "clamp_min",
           "clamp_max"}
    for name in IN_PLACE:
        args = others.get(name, (0.5,) if name in two else ())
        changed = torch.tensor(x)
        assert getattr(changed, name + "_")(*args) is changed
        np.testing.assert_array_equal(changed.numpy(), getattr(torch.tensor(x), name)(*args).float().numpy())


# In place


def test_random_fills_change_all_that_share_the_memory():
    x = torch.zeros(4, 5)
    row = x[2]
    row.normal_(mean=3.0, std=0.1)
    assert abs(x[2].mean().item() - 3) < 0.5 and x[1].abs().sum().item() == 0
    x.uniform_(1, 2)
    assert row.min().item() >= 1 and row.max().item() <= 2


def test_what_does_not_share_memory_does_not_change():
    x = torch.ones(3)
    for other in (x + 0, x * 1, x.clone(), torch.tensor(x), x.relu(), x.to(torch.float64), x.sum(), x[[0, 1]]):
        x.zero_()
        other.add_(1)
        assert x.abs().sum().item() == 0
        x.fill_(1)


def test_recorded_graphs_keep_the_values_of_the_forward_pass():
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    x = torch.tensor([5.0, 7.0])
    head, y = x[:1], (w * w * x).sum()
    head.fill_(100)
    with torch.no_grad():
        w.zero_()
    y.backward()
    assert w.grad.tolist() == [20.0, 42.0] and x.tolist() == [100.0, 7.0] and w.tolist() == [0.0, 0.0]


def test_a_gradient_that_two_tensors_share_is_cleared_for_one():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (a + b).sum().backward()
    a.grad.zero_()
    assert a.grad.tolist() == [0, 0] and b.grad.tolist() == [1, 1]


@pytest.mark.parametrize("change", [
    lambda w: w.add_(1), lambda w: w.__setitem__(0, 1.0), lambda w: w.zero_(), lambda w: w.__iadd__(1), lambda w: w.normal_(),
    lambda w: (w * 2).mul_(2), lambda w: torch.zeros(2).__setitem__(slice(None), w), lambda w: torch.zeros(2).add_(w),
    lambda w: torch.zeros(2).copy_(w)])
def test_a_change_through_which_a_derivative_would_go_is_an_error(change):
    with pytest.raises(GradientError, match=r"no_grad|torch\.where|torch\.stack|make a new one"):
        change(torch.ones(2, requires_grad=True))


def test_changes_that_do_not_fit_are_errors():
    with pytest.raises(ShapeError, match=r"shape \(3,\) does not fit into a tensor of shape \(2,\)"):
        torch.zeros(2).copy_(torch.ones(3))
    with pytest.raises(DTypeError, match="int64"):
        torch.zeros(2, dtype=torch.int64).add_(0.5)
    x = torch.zeros(2)
    with pytest.raises(SlopesError):
        x[5] = 1
    assert x.tolist() == [0, 0]


# Compiled steps


def test_a_compiled_step_trains_and_buffers_change_as_a_whole():
    net = nn.Linear(2, 1)
    net.register_buffer("calls", torch.zeros(()))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    @torch.compile
    def step(x, target):
        net.calls += 1
        loss = F.mse_loss(net(x).view(-1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, target = torch.randn(8, 2), torch.ones(8)
    losses = [step(x, target) for _ in range(20)]
    assert isinstance(losses[0], torch.Tensor) and losses[0].size() == () and losses[-1].item() < 0.5 * losses[0].item()
    assert net.calls.item() == 20 and not side.core
    optimizer.param_groups[0]["lr"] = 0.0
    step(x, target)
    assert step(x, target).item() == step(x, target).item()


def test_a_compiled_step_changes_no_computed_tensor_and_no_part():
    for use, message in ((lambda x: (x + 1).add_(1), "add"), (lambda x: x.__setitem__(0, 0.0), "torch.where")):
        with pytest.raises(ArgumentError, match=message):
            torch.compile(use)(torch.ones(3))
    weight = nn.Parameter(torch.ones(3))

    @torch.compile
    @torch.no_grad()
    def part(x):
        weight[0] = 1.0
        return x

    with pytest.raises(ArgumentError, match="a part of a tensor"):
        part(torch.ones(3))


def test_a_network_is_not_compiled_alone():
    with pytest.raises(ArgumentError, match="compile the step"):
        torch.compile(nn.Linear(2, 2))


# Files, devices, names


def test_a_state_dict_is_saved_as_safetensors(tmp_path):
    net, other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other.load_state_dict(torch.load(tmp_path / "net.pt", map_location="cpu"))
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values()))
    assert set(sl.read_checkpoint(tmp_path / "net.pt")) == set(net.state_dict())
    with pytest.raises(ArgumentError, match="no state_dict"):
        torch.save(net, tmp_path / "whole.pt")


def test_optimizers_save_their_state(tmp_path):
    def trained(steps):
        p = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.Adam([p], lr=0.1)
        for _ in range(steps):
            (p * p).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        return p, optimizer

    p, optimizer = trained(3)
    q, other = trained(1)
    torch.save(optimizer.state_dict(), tmp_path / "adam.pt")
    other.load_state_dict(torch.load(tmp_path / "adam.pt"))
    q.data.copy_(p.detach())
    for parameter, update in ((p, optimizer), (q, other)):
        parameter.grad = torch.ones(2)
        update.step()
    assert torch.equal(p, q)


def test_chained_schedules_multiply_their_factors_as_in_pytorch():
    def rates(lib):
        optimizer = lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=0.5)
        kinds = lib.optim.lr_scheduler
        chained = kinds.ChainedScheduler([kinds.ExponentialLR(optimizer, 0.9), kinds.StepLR(optimizer, 3, 0.3),
                                          kinds.LinearLR(optimizer, 0.25, total_iters=4), kinds.ConstantLR(optimizer, 0.5, 2)])
        curve = [chained.get_last_lr()[0]]
        for _ in range(9):
            optimizer.step()
            chained.step()
            curve.append(chained.get_last_lr()[0])
        return curve

    assert rates(torch) == pytest.approx(rates(pytest.importorskip("torch")), rel=1e-6)
    kinds, optimizer = torch.optim.lr_scheduler, torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    with pytest.raises(ArgumentError, match="LambdaLR sets the rate"):
        kinds.ChainedScheduler([kinds.LambdaLR(optimizer, float)])
    with pytest.raises(ArgumentError, match="no schedules"):
        kinds.ChainedScheduler([])
    other = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    with pytest.raises(ArgumentError, match="different optimizers"):
        kinds.ChainedScheduler([kinds.StepLR(optimizer, 1), kinds.StepLR(other, 1)])


@pytest.mark.parametrize("use", [lambda: torch.device("cuda"), lambda: torch.zeros(2).to("cuda:0"), lambda: torch.zeros(2).cuda(),
                                 lambda: nn.Linear(2, 2).to("cuda"), lambda: nn.Linear(2, 2).cuda(), lambda: torch.zeros(2, device="mps")])
def test_other_devices_are_refused_in_words(use):
    with pytest.raises(ArgumentError, match="slopes computes on the CPU"):
        use()
    assert not torch.cuda.is_available() and torch.cuda.device_count() == 0


@pytest.mark.parametrize("module, name, way", [
    (torch.linalg, "lu", "sl.linalg"), (torch.func, "jacrev", "sl.jacobian"), (torch, "xyz", "docs/pytorch.md"),
    (torch.nn, "FractionalMaxPool2d", "sl.nn"),
    (torch.optim, "ASGD", "sl.optim has"), (torch.optim.lr_scheduler, "SWALR", "sl.optim.schedules"),
    (F, "grid_sample", "slopes"),
    (torch.nn.utils.rnn, "pack_padded_sequence", "lengths="), (torch.cuda, "Stream", "CPU"), (torch.ones(1), "histogram", "docs"),
    (torch.nn.init, "xyz_", "sl.nn.init")])
def test_what_is_missing_names_the_way_of_slopes(module, name, way):
    with pytest.raises(AttributeError, match=re.escape(way)) as raised:
        getattr(module, name)
    assert f"{name} is not in slopes.torch" in str(raised.value) and not hasattr(module, name)


@pytest.mark.parametrize("use, way", [
    (lambda: torch.ones(1, requires_grad=True).backward(create_graph=True), "sl.grad"),
    (lambda: torch.ones(1).register_hook(print), "taps"), (lambda: nn.ReLU().register_full_backward_hook(print), "taps"),
    (lambda: torch.ones(2, dtype=torch.int64).mean(), "float"),
    (lambda: torch.multinomial(torch.ones(2), 3), "replacement"), (lambda: torch.ones(4).split([1, 2]), "do not add up"),
    (lambda: torch.utils.data.TensorDataset(torch.ones(2), torch.ones(3)), "rows"),
    (lambda: torch.utils.data.random_split(range(5), [1, 2]), "do not add up"),
    (lambda: torch.autograd.grad(torch.ones(1, requires_grad=True) * 2, torch.ones(1)), "sl.grad")])
def test_what_is_not_possible_is_an_error_that_helps(use, way):
    with pytest.raises(SlopesError, match=re.escape(way)):
        use()
    assert not side.core


# Beside the core


def test_tensors_of_the_core_keep_their_methods():
    x = sl.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert type(x) is sl.Tensor and x.size == 4 and x.max(axis=1).tolist() == [2, 4] and type(x + 1) is sl.Tensor
    assert type(sl.nn.Linear(2, 2)(x)) is sl.Tensor
    assert isinstance(torch.ones(2), sl.Tensor) and type(torch.ones(2) + 1) is torch.Tensor


def test_a_layer_of_the_user_gets_tensors_of_the_window_inside_of_layers_of_the_core():
    seen = []

    class Own(nn.Module):
        def forward(self, x):
            seen.append(type(x))
            return x.view(x.size(0), -1).max(dim=1, keepdim=True)[0]

    net = sl.nn.Sequential(sl.nn.Flatten(), Own(), sl.nn.Linear(1, 2))
    assert net(torch.ones(3, 2, 2)).shape == (3, 2) and seen == [torch.Tensor]


def test_the_core_takes_networks_of_the_window(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    run = sl.fit(net, (np.random.default_rng(0).random((16, 4), np.float32), np.arange(16) % 2), epochs=1, progress=False)
    assert run is not None and not side.core and type(net(torch.ones(1, 4))) is torch.Tensor
    assert "23 parameters" in str(net.summary((2, 4)))
    sl.save_onnx(net, tmp_path / "net.onnx", np.zeros((2, 4), np.float32))
    assert (tmp_path / "net.onnx").stat().st_size
    assert sl.nn.hinge_loss(torch.tensor([[1.0, 2.5, 0.0]]), torch.tensor([0])).item() == 2.5  # which calls max(axis=...)
    assert sl.std(torch.tensor([1.0, 3.0])).item() == 1 and torch.tensor([1.0, 3.0]).std(unbiased=False).item() == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_networks_are_copied_and_pickled(copied):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LSTM(3, 2))
    other = copied(net)
    assert type(other[0]) is nn.Linear and all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters()))
    assert type(other[0].weight) is nn.Parameter and other[0].weight is not net[0].weight


def test_parameters_without_a_gradient_are_skipped():
    used, unused = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([used, unused], lr=1.0)
    (used * 2).sum().backward()
    optimizer.step()
    assert used.item() == -1 and unused.item() == 1


def test_seeds_repeat_and_generators_are_separate():
    torch.manual_seed(5)
    first, own = torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(5)
    assert torch.equal(first, torch.rand(3)) and torch.equal(own, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_printing_is_pytorch_s():
    assert str(torch.tensor([1.0, 2.0])) == repr(torch.tensor([1.0, 2.0])) == "tensor([1., 2.])" and f"{torch.tensor(0.5):.2f}" == "0.50"
    assert repr(nn.Linear(2, 3)) == "Linear(2 -> 3)"
