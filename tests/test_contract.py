"""What every layer, loss and optimizer satisfies; generated from the table of learning parts and from the classes themselves."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from learning_parts import (
    INTEGER_LAYERS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    OWN_LAYERS,
    OWN_LOSSES,
    OWN_OPTIMIZERS,
    call,
    indices,
    make,
    numbers,
    optimizer,
    targets,
    weights,
)
from loss_cases import LOSS_CASES
from together import together

import slopes as sl
from slopes import nn, optim
from slopes.errors import ArgumentError
from slopes.graph.scopes import scopes
from slopes.nn import init, losses
from slopes.nn.hyper_parameter import HyperParameter
from slopes.trace import Trace, tracing
from slopes.versions import versions

EXAMPLES = {**{layer: (shape, None) for layer, shape in {**LAYERS, **OWN_LAYERS}.items()}, **INTEGER_LAYERS}
ALL_LOSSES = {**LOSSES, **OWN_LOSSES}
ALL_OPTIMIZERS = OPTIMIZERS + OWN_OPTIMIZERS
HOLDERS = {"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}  # they have no forward
UNPOOLING = {f"MaxUnpool{axes}d" for axes in (1, 2, 3)}  # they take the indices of maxima: test_unpooling.py
LOSS_LAYERS = {name for name in vars(nn) if name.endswith("Loss") and name != "AdaptiveLogSoftmaxWithLoss"}
LAYER_CLASSES = [each for each in vars(nn).values() if inspect.isclass(each) and issubclass(each, nn.Module)
                 and each is not nn.Module and each.__name__ not in HOLDERS | LOSS_LAYERS]
OPTIMIZER_CLASSES = [each for each in vars(optim).values()
                     if inspect.isclass(each) and issubclass(each, optim.Optimizer) and each not in (optim.Optimizer, optim.Combined)]
LOSS_FUNCTIONS = [each for name, each in vars(nn).items() if inspect.isfunction(each) and each.__module__.startswith(losses.__name__)]
INITIALISERS = [each for name, each in vars(init).items() if inspect.isfunction(each) and each.__module__ == init.__name__]


def example(layer, name=""):
    shape, below = EXAMPLES[layer]
    return sl.tensor(numbers(layer + name, shape) if below is None else indices(layer + name, shape, below))


def made(layer):
    sl.seed(7)
    return make(nn, layer)


def test_the_table_holds_every_layer_loss_and_optimizer():
    assert {text.split("(")[0] for text in EXAMPLES} == {each.__name__ for each in LAYER_CLASSES} - UNPOOLING
    tested = {text.split("(")[0] for text in ALL_LOSSES} | LOSS_CASES.keys()
    assert tested == {each.__name__ for each in LOSS_FUNCTIONS} - {"loss_for"}
    assert {case.layer for case in LOSS_CASES.values()} == LOSS_LAYERS
    assert {text.split("(")[0] for text in ALL_OPTIMIZERS} == {each.__name__ for each in OPTIMIZER_CLASSES} - {"Muon"}  # test_muon.py


@pytest.mark.parametrize("layer", EXAMPLES)
class TestLayers:
    def test_it_gives_the_shape_that_the_summary_names(self, layer):
        net = made(layer).eval()
        summary = net.summary(example(layer))
        assert net(example(layer)).shape == summary.rows[0].output
        assert summary.parameters == sum(array.size for name, array in net.state_dict().items() if name in net.parameters().names)

    def test_its_state_makes_another_equal_to_it(self, layer):
        net, other = made(layer), make(nn, layer)
        net(example(layer))
        other.load_state_dict(net.state_dict())
        x = example(layer)
        assert np.array_equal(net.eval()(x).detach().numpy(), other.eval()(x).detach().numpy())

    def test_in_use_it_changes_nothing_and_repeats_itself(self, layer):
        net, x = made(layer).eval(), example(layer)
        before, given = net.state_dict(), x.numpy().copy()
        first, second = net(x).detach().numpy(), net(x).detach().numpy()
        assert np.array_equal(first, second) and np.array_equal(x.numpy(), given)
        assert all(np.array_equal(before[name], array) for name, array in net.state_dict().items())

    def test_in_training_its_parameters_stay(self, layer):
        net = made(layer)
        before = {name: parameter.detach().numpy().copy() for name, parameter in net.named_parameters()}
        net(example(layer))
        assert all(np.array_equal(before[name], parameter.detach().numpy()) for name, parameter in net.named_parameters())

    def test_every_parameter_gets_a_gradient_of_its_shape(self, layer):
        net = made(layer)
        y = net(example(layer))
        if y.requires_grad:
            y.backward(numbers(layer + "seed", y.shape))
        for _, parameter in net.named_parameters():
            assert parameter.grad.shape == parameter.shape and np.isfinite(parameter.grad.numpy()).all()

    def test_its_gradient_is_its_slope(self, layer):
        if layer.startswith(("Heaviside", "Dropout", "AlphaDropout", "FeatureAlphaDropout", "RReLU", "Embedding")):
            pytest.skip("not smooth, random, or of integers")
        check_slope(made(layer).eval(), example(layer), numbers(layer + "direction", EXAMPLES[layer][0]))

    def test_compiled_it_gives_the_same(self, layer):
        net, x = made(layer), example(layer)
        sl.seed(1)
        expected = [net(x).detach().numpy() for _ in range(2)]
        after = net.state_dict()
        again = made(layer)
        compiled = sl.compile(lambda x: again(x))
        sl.seed(1)
        for value in expected:
            assert_close(compiled(x).detach().numpy(), value)
        for name, array in again.state_dict().items():
            assert_close(array, after[name])

    def test_traced_it_has_the_shape_and_type_of_its_value(self, layer):
        net, x, trace = made(layer), example(layer), Trace()
        expected = net(x)
        with tracing(trace):
            y = net(trace.argument(x.shape, x.dtype))
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        assert trace.notes["net"].shape == expected.shape

    def test_its_text_names_it_and_it_leaves_no_path_behind(self, layer):
        net = made(layer)
        net(example(layer))
        assert repr(net).startswith(layer.split("(")[0]) and scopes.region is None

    def test_a_batch_of_one_gives_the_same_example(self, layer):
        if layer.startswith("Flatten(0") or EXAMPLES[layer][0][0] == 1:
            pytest.skip("the batch axis is merged, or is 1 already")
        net, x = made(layer).eval(), example(layer)
        if "track_running_stats=False" in layer:
            pytest.skip("always normalizes by the batch")
        assert_close(net(x[:1]).detach().numpy(), net(x)[:1].detach().numpy())

    def test_an_empty_batch_gives_an_empty_batch(self, layer):
        if layer.startswith("Flatten(0") or "track_running_stats=False" in layer:
            pytest.skip("the batch axis is merged, or the batch is needed")
        net, x = made(layer).eval(), example(layer)
        empty = net(x[:0])
        assert empty.shape == (0, *net(x).shape[1:])


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * max(1e-6, np.abs(expected).max(initial=0)))


def check_slope(net, x, direction):
    """The directional derivative by differences, in float64."""
    x = x.astype(np.float64)
    for _, module in net.named_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, sl.Tensor) and value.dtype == np.float32:
                setattr(module, name, type(value)(value.detach().numpy().astype(np.float64)))
    seed = numbers("seed", net(x).shape).astype(np.float64)
    x.requires_grad = True
    net(x).backward(seed)
    step = 1e-6 * direction.astype(np.float64)
    ahead, behind = (float((net(x.detach() + sign * step) * seed).sum()) for sign in (1, -1))
    slope = float((x.grad * direction.astype(np.float64)).sum())
    assert abs((ahead - behind) / 2e-6 - slope) < 1e-6 * (1 + abs(slope)) + 1e-7 * abs(ahead)


@pytest.mark.parametrize("loss", ALL_LOSSES)
class TestLosses:
    def given(self, loss):
        shape, kind = ALL_LOSSES[loss]
        return {"x": sl.tensor(numbers(loss, shape), requires_grad=True), "t": sl.tensor(targets(loss, shape, kind)),
                "w": sl.tensor(weights(loss, 5)), "w3": sl.tensor(weights(loss, 3))}

    def test_it_is_a_number_or_one_per_example(self, loss):
        values = self.given(loss)
        result = call(nn, loss, **values)
        assert result.dtype == np.float32 and np.isfinite(result.detach().numpy()).all()
        assert result.shape == (values["t"].shape if "'none'" in loss else ())

    def test_its_gradient_has_the_shape_of_the_outputs(self, loss):
        values = self.given(loss)
        call(nn, loss, **values).sum().backward()
        assert values["x"].grad.shape == values["x"].shape and np.isfinite(values["x"].grad.numpy()).all()

    def test_numpy_arrays_are_taken_too(self, loss):
        values = self.given(loss)
        plain = {name: value.detach().numpy() for name, value in values.items()}
        assert np.array_equal(call(nn, loss, **plain).numpy(), call(nn, loss, **values).detach().numpy())

    def test_compiled_it_gives_the_same_with_its_gradient(self, loss):
        values = self.given(loss)
        expected, slope = value_and_slope(loss, values)

        compiled = sl.compile(lambda x, t: value_and_slope(loss, {**values, "x": x, "t": t}))
        ours, ours_slope = compiled(values["x"], values["t"])
        assert_close(ours.detach().numpy(), expected.detach().numpy())
        assert_close(ours_slope.numpy(), slope.numpy())


def value_and_slope(loss, values):
    def total(x):
        return call(nn, loss, **{**values, "x": x}).sum()

    return call(nn, loss, **values), sl.grad(total)(values["x"])


@pytest.mark.parametrize("text", ALL_OPTIMIZERS)
class TestOptimizers:
    def trained(self, text, steps, wrap=lambda step: step):
        parameters = {"w": sl.Parameter(numbers("w", (5, 3))), "b": sl.Parameter(numbers("b", (3,)))}
        opt = optimizer(optim, text, parameters)

        @wrap
        def step(x):
            loss = ((x @ parameters["w"]).tanh() + parameters["b"]).sum(axis=1)
            loss = (loss * loss).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            return loss

        for number in range(steps):
            step(sl.tensor(numbers(f"x{number}", (7, 5))))
        return opt, parameters

    def test_its_update_is_a_pure_function(self, text):
        opt, parameters = self.trained(text, 2)
        before = opt.state_dict(), {name: value.detach().numpy().copy() for name, value in parameters.items()}
        with sl.no_grad():
            first = opt.update(sl.ones((5, 3)), parameters["w"].detach(), opt.states[0], opt.coefficients(sl.float32))
            second = opt.update(sl.ones((5, 3)), parameters["w"].detach(), opt.states[0], opt.coefficients(sl.float32))
        assert np.array_equal(first[0].numpy(), second[0].numpy()) and first[1].keys() == opt.states[0].keys()
        assert all(np.array_equal(before[0][name], array) for name, array in opt.state_dict().items())
        assert all(np.array_equal(before[1][name], value.detach().numpy()) for name, value in parameters.items())

    def test_compiled_it_takes_the_same_steps(self, text):
        opt, expected = self.trained(text, 5)
        ours_opt, ours = self.trained(text, 5, sl.compile)
        for name, value in expected.items():
            assert_close(ours[name].detach().numpy(), value.detach().numpy())
        for name, array in opt.state_dict().items():
            assert_close(ours_opt.state_dict()[name], array)

    def test_its_state_goes_round(self, text):
        opt, _ = self.trained(text, 3)
        other, _ = self.trained(text, 0)
        other.load_state_dict(opt.state_dict())
        assert opt.state_dict().keys() == other.state_dict().keys()
        assert all(np.array_equal(array, other.state_dict()[name]) for name, array in opt.state_dict().items())

    def test_changing_its_numbers_is_no_change_of_structure(self, text):
        opt, _ = self.trained(text, 1)
        before = versions.observe_structure()
        for name in opt.hyper_parameters():
            setattr(opt, name, 0.5)
            assert float(getattr(opt, name)) == 0.5
        assert versions.structure == before


# What arguments may be: the constraints are data, and every wrong value that they name is refused with their text

ARGUMENTS = {
    "Linear": {"in_features": 3, "out_features": 2}, "Dropout": {}, "Flatten": {}, "Unflatten": {"dim": 1, "unflattened_size": 2},
    **{f"{kind}Pad{axes}d": {"padding": 1} for kind in ("Zero", "Reflection", "Replication", "Circular") for axes in (1, 2, 3)},
    **{f"ConstantPad{axes}d": {"padding": 1, "value": 0.0} for axes in (1, 2, 3)}, "PixelShuffle": {"upscale_factor": 2},
    "PixelUnshuffle": {"downscale_factor": 2}, "ChannelShuffle": {"groups": 2}, "Unfold": {"kernel_size": 2},
    "Fold": {"output_size": 3, "kernel_size": 2}, "LocalResponseNorm": {"size": 3},
    "Bilinear": {"in1_features": 3, "in2_features": 3, "out_features": 2}, "Threshold": {"threshold": 0.5, "value": 0.0},
    "Embedding": {"num_embeddings": 5, "embedding_dim": 2}, "Bins": {"training": [[0.0]]},
    **{f"{kind}{axes}d": {"in_channels": 4, "out_channels": 4, "kernel_size": 3}
       for kind in ("Conv", "ConvTranspose") for axes in (1, 2, 3)},
    **{f"{kind}Pool{axes}d": {"kernel_size": 2} for kind in ("Max", "Avg") for axes in (1, 2, 3)},
    **{f"LPPool{axes}d": {"norm_type": 2, "kernel_size": 2} for axes in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{axes}d": {"output_size": 2} for kind in ("Avg", "Max") for axes in (1, 2, 3)},
    **{f"{kind}Norm{axes}d": {"num_features": 3} for kind in ("Batch", "Instance") for axes in (1, 2, 3)},
    **{kind: {"normalized_shape": 3} for kind in ("LayerNorm", "RMSNorm")}, "GroupNorm": {"num_groups": 1, "num_channels": 2},
    "EmbeddingBag": {"num_embeddings": 5, "embedding_dim": 2}, "MultiheadAttention": {"embed_dim": 4, "num_heads": 2},
    **{f"Transformer{kind}Layer": {"d_model": 4, "nhead": 2} for kind in ("Encoder", "Decoder")},
    "TransformerEncoder": {"encoder_layer": nn.TransformerEncoderLayer(4, 2), "num_layers": 1},
    "TransformerDecoder": {"decoder_layer": nn.TransformerDecoderLayer(4, 2), "num_layers": 1},
    **{f"{kind}Encoding": {"width": 4} for kind in ("Sinusoidal", "Rotary")}, "LearnedEncoding": {"length": 3, "width": 4},
    "AdaptiveLogSoftmaxWithLoss": {"in_features": 4, "n_classes": 9, "cutoffs": (3,)},
    "Repeat": {"layer": nn.Identity(), "times": 2}, **{name: {"kernel_size": 2} for name in UNPOOLING},
    **{kind: {"input_size": 3, "hidden_size": 2} for kind in ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")},
}


def wrong_arguments(cls):
    for name, constraint in cls.constraints.items():
        for value in constraint.wrong:
            arguments = {**ARGUMENTS.get(cls.__name__, {}), name: value}
            if name in ("beta1", "beta2"):
                arguments = {"betas": (value, 0.9) if name == "beta1" else (0.9, value)}
            yield name, arguments, value, constraint


@pytest.mark.parametrize("cls", [cls for cls in LAYER_CLASSES + OPTIMIZER_CLASSES if cls.constraints], ids=lambda cls: cls.__name__)
def test_a_wrong_argument_is_refused_in_words(cls):
    @together("name, arguments, value, constraint", wrong_arguments(cls), ids=repr)
    def check(name, arguments, value, constraint):
        with pytest.raises(ArgumentError) as error:
            cls(**arguments)
        assert str(error.value).split("\n")[0] == f"{cls.__name__}: {name} must be {constraint.text}, not {value!r}"

    check()


def operands_for(function):
    """As many operands as a loss needs."""
    needed = [each for each in inspect.signature(getattr(nn, function)).parameters.values() if each.default is each.empty]
    return [sl.zeros((2, 3)), sl.tensor([0, 1]), *[sl.zeros((2, 3))] * (len(needed) - 2)]


@pytest.mark.parametrize("function", losses.CONSTRAINTS)
def test_a_wrong_option_of_a_loss_is_refused_in_words(function):
    @together("name, value, text", [(name, value, constraint.text) for name, constraint in losses.CONSTRAINTS[function].items()
                                    for value in constraint.wrong], ids=repr)
    def check(name, value, text):
        with pytest.raises(ArgumentError) as error:
            getattr(nn, function)(*operands_for(function), **{name: value})
        assert str(error.value).split("\n")[0] == f"{function}: {name} must be {text}, not {value!r}"

    check()


PAIRS = ("betas", "etas", "step_sizes")  # of numbers, each of which is checked as a hyper-parameter


@together("cls", LAYER_CLASSES + OPTIMIZER_CLASSES, ids=lambda cls: cls.__name__)
def test_every_checked_argument_is_an_argument(cls):
    assert cls.constraints.keys() - {"beta1", "beta2"} <= inspect.signature(cls).parameters.keys()
    checkable = {name for name, each in inspect.signature(cls).parameters.items() if each.kind is not each.VAR_KEYWORD
                 and each.kind is not each.VAR_POSITIONAL and name not in ("params", *PAIRS, "generator", "training")}
    checkable -= {"eps"} if cls is optim.Adafactor else set()
    assert checkable <= cls.constraints.keys()


@together("cls", LAYER_CLASSES + OPTIMIZER_CLASSES, ids=lambda cls: cls.__name__)
def test_a_number_that_may_change_is_checked_when_it_changes(cls):
    for name, held in inspect.getmembers(cls, lambda member: isinstance(member, HyperParameter)):
        part = cls(**ARGUMENTS.get(cls.__name__, {}))
        for value in held.constraint.wrong:
            with pytest.raises(ArgumentError, match=f"{name} must be "):
                setattr(part, name, value)


@together("each", LAYER_CLASSES + OPTIMIZER_CLASSES + LOSS_FUNCTIONS, ids=lambda each: each.__name__)
def test_it_is_documented_with_an_example(each):
    assert each.__doc__ and ">>>" in each.__doc__, "say what it computes, of which shapes, and show it"


@together("function", INITIALISERS, ids=lambda each: each.__name__)
def test_every_initialiser_is_documented(function):
    assert function.__doc__ or function.__name__.startswith("_") or len(inspect.getsource(function).split("\n")) < 14
