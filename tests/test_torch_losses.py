"""Losses give PyTorch's values and gradients for each option, in float64 and float32; layers, compiled losses and CTC's edges."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from loss_cases import GRADIENTS, LOSS_CASES, operand, weight_of

import slopes as sl
from slopes import nn
from slopes.data import Dataset
from slopes.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError

GRID = [(name, i) for name, case in LOSS_CASES.items() for i in range(len(case.options))]


def operands(name, dtype):
    arrays = [operand(name, kind, shape) for kind, shape in LOSS_CASES[name].operands]
    return [array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays]


def options_of(name, i, dtype, make):
    options = LOSS_CASES[name].options[i]
    return {key: make(weight_of(value).astype(dtype)) if key.endswith("weight") else value for key, value in options.items()}


def differentiated(name):
    return [any(kind.endswith(known) for known in GRADIENTS) for kind, _ in LOSS_CASES[name].operands]


def run(library, make, function, name, i, dtype):
    """The value of a loss and the gradients of its operands; the weights of a loss that is not a number are 1, 2, 3, ..."""
    tensors = [make(array, requires_grad=followed) if followed else make(array)
               for array, followed in zip(operands(name, dtype), differentiated(name))]
    values = tensors
    if name == "ctc_loss":  # PyTorch's gradient takes for granted that log softmax comes before
        values = [library.log_softmax(tensors[0], -1), *tensors[1:]]
    loss = function(*values, **options_of(name, i, dtype, make))
    scale = np.arange(1, loss.detach().numpy().size + 1, dtype=dtype).reshape(loss.detach().numpy().shape)
    (loss * make(scale)).sum().backward()
    return loss.detach().numpy(), [tensor.grad.numpy() for tensor, followed in zip(tensors, differentiated(name)) if followed]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # PyTorch's remark on its kl_div
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-10), (np.float32, 1e-5)], ids=["float64", "float32"])
@pytest.mark.parametrize("name", LOSS_CASES)
def test_values_and_gradients_are_pytorchs(name, dtype, tolerance):
    torch = pytest.importorskip("torch")
    for i, options in enumerate(LOSS_CASES[name].options):
        ours = run(sl, sl.tensor, getattr(nn, name), name, i, dtype)
        theirs = run(torch, torch.tensor, getattr(torch.nn.functional, name), name, i, dtype)
        for mine, other in zip([ours[0], *ours[1]], [theirs[0], *theirs[1]], strict=True):
            assert mine.dtype == dtype and mine.shape == other.shape, options
            scale = max(1, np.abs(other).max(initial=0))
            np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * scale, err_msg=str(options))


@pytest.mark.parametrize("name, i", GRID)
def test_a_layer_is_its_function_with_options(name, i):
    options = options_of(name, i, np.float32, sl.tensor)
    if options.keys() - inspect.signature(getattr(nn, LOSS_CASES[name].layer)).parameters.keys():
        assert name in ("mse_loss", "l1_loss", "huber_loss")  # whose layers have no weight, as in PyTorch
        return
    layer = getattr(nn, LOSS_CASES[name].layer)(**options)
    args = [sl.tensor(array) for array in operands(name, np.float32)]
    if "ignore_index" in inspect.signature(type(layer)).parameters:
        options = {"ignore_index": -100, **options}
    assert np.array_equal(layer(*args).numpy(), getattr(nn, name)(*args, **options).numpy())
    assert layer.state_dict().keys() == {key for key in options if key.endswith("weight")}
    assert all(key in repr(layer) for key, value in LOSS_CASES[name].options[i].items())


@pytest.mark.parametrize("name", ["binary_cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "gaussian_nll_loss",
                                  "cosine_embedding_loss", "triplet_margin_loss", "poisson_nll_loss", "ctc_loss"])
def test_compiled_it_gives_the_same(name):
    args = [sl.tensor(array) for array in operands(name, np.float32)]
    options = {key: value for key, value in LOSS_CASES[name].options[1].items() if key != "weight"}
    function = sl.value_and_grad(lambda x, *others: getattr(nn, name)(x, *others, **options))
    for mine, other in zip(sl.compile(function)(*args), function(*args), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=2e-5, atol=1e-6)


# Connectionist temporal classification


def brute_force(probabilities, labels):
    """The summed probability of all alignments of one sequence."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in np.ndindex(*[classes] * steps):
        joined = [label for i, label in enumerate(path) if i == 0 or label != path[i - 1]]
        if [label for label in joined if label] == labels:
            total += np.prod([probabilities[t, label] for t, label in enumerate(path)])
    return total


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [2, 1, 2]])
def test_ctc_sums_over_all_alignments(labels):
    log_probs = operand("brute", "log probabilities", (4, 3))
    loss = nn.ctc_loss(log_probs, np.array(labels, np.int64), 4, len(labels), reduction="none")
    assert loss.shape == () and float(loss) == pytest.approx(-np.log(brute_force(np.exp(log_probs), labels)), rel=1e-12)


def test_ctc_of_targets_one_after_another_and_padded_are_equal():
    log_probs = operand("concatenated", "log probabilities", (6, 3, 5))
    padded = nn.ctc_loss(log_probs, np.array([[1, 2, 9], [3, 9, 9], [4, 4, 1]]), [6, 5, 6], [2, 1, 3], reduction="none")
    joined = nn.ctc_loss(log_probs, np.array([1, 2, 3, 4, 4, 1], np.uint8), [6, 5, 6], [2, 1, 3], reduction="none")
    assert np.array_equal(padded.numpy(), joined.numpy())


def test_ctc_without_an_alignment_is_infinite_and_has_no_gradient():
    x = sl.tensor(operand("short", "log probabilities", (2, 1, 4)), requires_grad=True)
    loss = nn.ctc_loss(x, [[1, 1]], [2], [2])  # needs a blank between: three steps
    loss.backward()
    assert np.isinf(float(loss)) and not x.grad.numpy().any()
    assert float(nn.ctc_loss(x, [[1, 1]], [2], [2], zero_infinity=True)) == 0


def test_ctc_with_zero_infinity_has_pytorchs_gradient():
    torch = pytest.importorskip("torch")
    logits = operand("mixed", "normal", (3, 2, 4))
    x, their_x = sl.tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    targets, lengths = [[1, 1, 2], [1, 2, 3]], [3, 3]
    ours = nn.ctc_loss(sl.log_softmax(x, -1), targets, lengths, lengths, zero_infinity=True)
    others = map(torch.tensor, (targets, lengths, lengths))
    theirs = torch.nn.functional.ctc_loss(torch.log_softmax(their_x, -1), *others, zero_infinity=True)
    ours.backward(), theirs.backward()
    assert float(ours) == pytest.approx(theirs.item(), rel=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), their_x.grad.numpy(), atol=1e-12)


def test_ctc_takes_probabilities_of_0():
    certain = np.full((3, 1, 3), -np.inf)
    certain[[0, 1, 2], 0, [1, 0, 2]] = 0
    x = sl.tensor(certain, requires_grad=True)
    loss = nn.ctc_loss(x, [[1, 2]], [3], [2])
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-12) and np.isfinite(x.grad.numpy()).all()


EVEN = np.log(np.full((4, 2, 3), 1 / 3))


@pytest.mark.parametrize("args, error, text", [
    ((EVEN[0, 0], [[1]], [4], [1]), ShapeError, "time first"),
    ((EVEN, [[1]], [4, 4], [1, 1]), ShapeError, "targets are int64 of shape"),
    ((EVEN, [[1.0], [2.0]], [4, 4], [1, 1]), ShapeError, "targets are float"),
    ((EVEN, [[1], [2]], [4, 4, 4], [1, 1]), ShapeError, "input_lengths has 3 elements for a batch of 2"),
    ((EVEN, [[1], [2]], [4, 4], [1.0, 1.0]), DTypeError, "not integers"),
    ((EVEN, [[1], [2]], [4, 5], [1, 1]), OutOfRangeError, r"input_lengths are from 4 to 5, but must be within 0\.\.4"),
    ((EVEN, [[1], [2]], [4, 4], [1, 2]), OutOfRangeError, "target_lengths are from 1 to 2"),
    ((EVEN, [[1], [3]], [4, 4], [1, 1]), OutOfRangeError, "targets are from 1 to 3, but classes from 0 to 2"),
    ((EVEN, [1, 2], [4, 4], [1, 2]), ShapeError, "there are 2 targets, but target_lengths sum to 3"),
    ((EVEN, [[1], [2]], [4, 4], [1, 1], 3), OutOfRangeError, "blank=3, but there are 3 classes")])
def test_ctc_refuses_what_does_not_fit(args, error, text):
    with pytest.raises(error, match=text):
        nn.ctc_loss(*args)


# Others


def test_binary_cross_entropy_of_certain_answers_is_bounded_as_pytorchs():
    p = sl.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    losses = nn.binary_cross_entropy(p, sl.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    losses.sum().backward()
    assert losses.tolist() == [100, 100, 0, 0] and np.isfinite(p.grad.numpy()).all()


@pytest.mark.parametrize("make, error, text", [
    (lambda: nn.binary_cross_entropy(sl.tensor([1.5]), sl.tensor([1.0])), OutOfRangeError, "from 0 to 1"),
    (lambda: nn.mse_loss(sl.zeros((2,)), sl.zeros((2,)), weight=[1.0]), ShapeError, "mse_loss: weight has shape"),
    (lambda: nn.huber_loss(sl.zeros((2,)), sl.zeros((2,)), weight=[1.0]), ShapeError, "huber_loss: weight has shape"),
    (lambda: nn.gaussian_nll_loss(sl.zeros((2, 3)), sl.zeros((2, 3)), -1.0), OutOfRangeError, "a variance is -1"),
    (lambda: nn.gaussian_nll_loss(sl.zeros((2, 3)), sl.zeros((2, 3)), sl.ones((3,))), ShapeError, r"var has shape \(3,\)"),
    (lambda: nn.multilabel_margin_loss(sl.zeros((2, 3)), sl.tensor([[1], [2]])), ShapeError, "fill the rows up with -1"),
    (lambda: nn.multilabel_margin_loss(sl.zeros((2, 3)), sl.zeros((2, 3))), DTypeError, "indices of classes"),
    (lambda: nn.multilabel_margin_loss(sl.zeros((1, 2)), sl.tensor([[2, -1]])), OutOfRangeError, "a label is 2"),
    (lambda: nn.cosine_embedding_loss(sl.zeros((2, 3)), sl.zeros((2, 3)), sl.ones((3,))), ShapeError, "each pair has one target"),
    (lambda: nn.triplet_margin_loss(sl.zeros((2, 3)), sl.zeros((2, 3)), sl.zeros((3, 2))), ShapeError, "outputs have shape"),
    (lambda: nn.CrossEntropyLoss(reduction="average"), ArgumentError, "CrossEntropyLoss: reduction must be"),
    (lambda: nn.CTCLoss(blank=-1), ArgumentError, "CTCLoss: blank must be")])
def test_what_does_not_fit_is_refused_in_words(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("shape", [(), (7,), (7, 1), (1, 3), (7, 3)])
def test_variances_of_every_shape_are_pytorchs(shape):
    torch = pytest.importorskip("torch")
    x, t, var = operand("g", "normal", (7, 3)), operand("h", "normal", (7, 3)), operand("v", "positive", shape)
    ours = nn.gaussian_nll_loss(x, t, float(var) if shape == () else var)
    theirs = torch.nn.functional.gaussian_nll_loss(*map(torch.tensor, (x, t)), float(var) if shape == () else torch.tensor(var))
    assert float(ours) == pytest.approx(theirs.item(), rel=1e-12)


def test_scores_of_one_example_need_no_batch():
    scores, labels = operand("one", "normal", (5,)), np.array([3, 1, -1, 0, 0])
    assert np.array_equal(nn.multilabel_margin_loss(scores, labels).numpy(), nn.multilabel_margin_loss(scores[None], labels[None]).numpy())


def test_a_distance_of_ones_own_keeps_its_errors():
    def broken(x, y):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        nn.triplet_margin_with_distance_loss(sl.zeros((1, 2)), sl.zeros((1, 2)), sl.zeros((1, 2)), distance_function=broken)


def test_fit_takes_a_layer_as_its_loss():
    net, points = nn.Linear(3, 2), Dataset(operand("fit", "normal", (20, 3)).astype(np.float32), np.arange(20) % 2)
    run = sl.fit(net, points, loss=nn.CrossEntropyLoss(weight=[1.0, 3.0], label_smoothing=0.1), epochs=2, progress=False)
    assert run.settings["loss"] == "CrossEntropyLoss" and np.isfinite(run.losses).all()
    with pytest.raises(OutOfRangeError, match="in loss, at test_torch_losses"):
        nn.CrossEntropyLoss()(sl.zeros((2, 3)), sl.tensor([0, 3]))
