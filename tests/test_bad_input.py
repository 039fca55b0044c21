"""Bad input of every kind, eager and compiled: each gets an error of four parts, word for word, or the documented behaviour."""

from __future__ import annotations

import re

import numpy as np
import pytest

import slopes as sl
from slopes import arrays, data, nn, optim
from slopes.errors import (
    ArgumentError,
    DataError,
    DivisionError,
    DTypeError,
    GradientError,
    NonFiniteError,
    OutOfRangeError,
    ShapeError,
    SlopesError,
    StateError,
    TooLargeError,
    TraceError,
)
from slopes.settings import named_cpu, named_threads

HERE = re.compile(r"test_bad_input\.py:\d+")


def text_of(kind: type[SlopesError], f) -> str:
    """The message, with the lines of this file written as LINE."""
    with pytest.raises(kind) as caught:
        f()
    return HERE.sub("LINE", str(caught.value))


@pytest.fixture(params=["eager", "compiled"])
def ran(request):
    """Runs a function as it is, or compiled."""
    return (lambda f: f) if request.param == "eager" else sl.compile


# Tensors and layers


DENSE, COLOUR = nn.Sequential(nn.Linear(784, 10)), nn.Sequential(nn.Conv2d(3, 8, 3))

BOTH = {
    "a type that is none": (DTypeError, lambda: sl.zeros(3, dtype="floaty"), """\
'floaty' is not a data type of slopes
  the types are float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, complex64, complex128
  at LINE"""),
    "nothing into a layer": (ArgumentError, lambda: DENSE(None), """\
Linear(784 -> 10) at net[0] needs a tensor, but x is None of type NoneType
  look for a preceding function without a return value
  layer called at LINE"""),
    "a list into a layer": (ArgumentError, lambda: COLOUR([[1.0]]), """\
Conv2d(3 -> 8, 3x3) at net[0] needs a tensor, but x is [[1.0]] of type list
  slopes.tensor(x) creates one from numbers or lists of equal length
  layer called at LINE"""),
    "images into a dense layer": (ShapeError, lambda: DENSE(sl.zeros((32, 1, 28, 28))), """\
Linear(784 -> 10) at net[0] needs the last axis to be 784, but x is (32, 1, 28, 28)
  1 * 28 * 28 = 784: put nn.Flatten() before it, or x.reshape(32, 784)
  layer called at LINE"""),
    "grey images for colour filters": (ShapeError, lambda: COLOUR(sl.zeros((2, 1, 8, 8))), """\
Conv2d(3 -> 8, 3x3) at net[0] needs 3 channels on axis 1, but x is (2, 1, 8, 8)
  build it for this input: 1 as its first argument
  layer called at LINE"""),
    "images smaller than the window": (ShapeError, lambda: COLOUR(sl.zeros((2, 3, 2, 8))), """\
convolution: spatial axis 0 of x (2, 3, 2, 8) has size 2 but the window needs 3
  not one window fits
  take a smaller window, more padding, or larger inputs
  in net[0], at LINE"""),
    "shapes that do not broadcast": (ShapeError, lambda: sl.zeros((3, 4)) + sl.zeros(5), """\
add: shapes (3, 4) and (5,) do not broadcast on axis -1 (4 against 5)
  sizes must be equal, or one of them 1, counted from the last axis
  at LINE"""),
    "float labels": (DTypeError, lambda: nn.cross_entropy(sl.zeros((2, 3)), sl.tensor([0.0, 1.0])), """\
cross_entropy: labels are float32 of shape (2,), not integers
  a label is the index of the correct class
  labels.astype(slopes.int64)
  at LINE"""),
    "labels for fewer examples": (ShapeError, lambda: nn.cross_entropy(sl.zeros((2, 3)), sl.tensor([0])), """\
cross_entropy: outputs have shape (2, 3), labels (1,)
  labels have the shape of the outputs without the class axis (axis 1)
  labels of shape (2,) match these outputs
  at LINE"""),
    "the mean loss of an empty batch": (ShapeError, lambda: nn.mse_loss(sl.zeros((0, 3)), sl.zeros((0, 3))), """\
the mean loss of an empty batch: the losses have shape (0, 3)
  the mean of no values is nan, and would make every weight nan
  skip empty batches, or use reduction="sum", which is 0
  at LINE"""),
    "a step without gradients": (GradientError, lambda: optim.SGD([sl.Parameter([1.0])], lr=0.1).step(), """\
SGD.step: none of the 1 parameters has a gradient (0)
  backward() was not called since gradients were last cleared, or it reached none of them
  call loss.backward() before step(), and zero_grad() before backward(), not after
  at LINE"""),
    "a probability above 1": (ArgumentError, lambda: sl.bernoulli(2.0, (3,)), """\
bernoulli: p is 2.0
  a probability lies between 0 and 1
  30% is p=0.3
  at LINE"""),
}


@pytest.mark.parametrize("name", BOTH)
def test_the_text_is_the_same_eager_and_compiled(ran, name):
    kind, f, wanted = BOTH[name]
    found = text_of(kind, lambda: ran(f)())
    assert re.sub(r"x built at [^;]*; ", "", found) == wanted


def test_labels_out_of_range_are_refused_by_compiled_programs_and_nothing_is_learned():
    net = nn.Linear(2, 3)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @sl.compile
    def step(x, y):
        loss = nn.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    before = net.weight.numpy().copy()
    x = np.ones((2, 2), np.float32)
    for labels in ([0, 3], [-1, 0], [2**40, 0]):
        found = text_of(OutOfRangeError, lambda labels=labels: step(x, np.array(labels)))
        bad = next(label for label in labels if not 0 <= label < 3)
        assert f"is {bad}, but there are 3 classes, 0 to 2\n  1 of 2 labels is outside of them\n" in found and "at LINE" in found
    assert np.array_equal(net.weight.numpy(), before)
    assert np.isfinite(step(x, np.array([0, 2])).item())


def test_integer_division_by_zero_is_an_error_in_compiled_code_too(ran):
    for f in (lambda a, b: a // b, lambda a, b: a % b):
        text = text_of(DivisionError, lambda f=f: ran(f)(sl.tensor([1, 2]), sl.tensor([1, 0])))
        assert "LINE" in text and "where(" in text


def test_batches_of_one_and_of_none_pass_through_layers(ran):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 4))
    run = ran(net)
    for count in (3, 1, 0):
        assert run(np.zeros((count, 1, 8, 8), np.float32)).shape == (count, 4)


def test_nan_stays_nan_and_harms_nothing(ran):
    loss = ran(nn.cross_entropy)(np.array([[np.nan, 1.0]], np.float32), np.array([0]))
    assert np.isnan(loss.item())


def test_an_empty_batch_has_a_sum_of_losses(ran):
    assert ran(lambda: nn.mse_loss(sl.zeros((0, 3)), sl.zeros((0, 3)), reduction="sum"))().item() == 0


def test_a_python_branch_on_a_value_is_explained():
    @sl.compile
    def relu(x):
        return x if x.sum() > 0 else -x

    assert text_of(TraceError, lambda: relu(sl.ones(3))) == """\
a Python branch depends on the value of a tensor (bool[]), which is not known while a function is compiled
  the function runs once to record its graph, and then natively for every value
  use sl.where(condition, a, b), move the branch outside of the compiled function, or return the value
  at LINE; the tensor was built at LINE"""


def test_a_layer_made_inside_of_a_compiled_function():
    assert text_of(TraceError, lambda: sl.compile(lambda x: nn.Linear(3, 2)(x))(sl.ones((1, 3)))) == """\
a parameter of shape (2, 3) is created inside a function that is being traced
  it would be created again in every call, and lose its trained values
  create layers outside the function, and use them inside
  at LINE"""


# Memory


def test_an_array_that_memory_does_not_hold(ran, monkeypatch):
    monkeypatch.setattr(arrays, "available_memory", lambda: 2**30)
    assert text_of(TooLargeError, lambda: ran(lambda: sl.zeros((2**15, 2**15)))()) == """\
an array of shape (32768, 32768) and type float32 needs 4.0 GiB, but 1.0 GiB are free
  look for a size that is too large, or work in smaller batches
  at LINE"""


def test_a_layer_that_memory_does_not_hold(monkeypatch):
    monkeypatch.setattr(arrays, "available_memory", lambda: 2**30)
    assert "shape (100000, 100000) and type float32 needs" in text_of(TooLargeError, lambda: nn.Linear(100_000, 100_000))


def test_an_operation_that_memory_does_not_hold():
    long = sl.zeros(2**22)
    text = text_of(TooLargeError, lambda: long.reshape(-1, 1) + long.reshape(1, -1))
    assert text.startswith("add: an array of shape (4194304, 4194304) and type float32 needs 65,536.0 GiB, but") and "smaller" in text


def test_free_memory_is_known_or_none(monkeypatch):
    found = arrays.available_memory()
    assert found is None or found > 0
    monkeypatch.setattr("builtins.open", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    assert arrays.available_memory() is None


# Training


X = np.random.default_rng(0).normal(size=(65, 4)).astype(np.float32)
Y = np.arange(65) % 3
POINTS = data.Dataset(X, Y)


class Raw:
    """A data set of a user's own."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets


def net_for(classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes))


def fitted(net=None, dataset=POINTS, **options):
    return sl.fit(net_for() if net is None else net, dataset, progress=False, **options)


NORMALIZED = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))

FIT = {
    "the optimizer's name": (ArgumentError, lambda: fitted(optimizer="adam"), """\
optimizer is 'adam', not an optimizer
  for example optimizer=optim.Adam(lr=1e-3)
  at LINE"""),
    "the optimizer's class": (ArgumentError, lambda: fitted(optimizer=optim.Adam), """\
optimizer is <class 'slopes.optim.adam.Adam'>, not an optimizer
  for example optimizer=optim.Adam(lr=1e-3)
  at LINE"""),
    "the loss's name": (ArgumentError, lambda: fitted(loss="cross_entropy"), """\
loss is 'cross_entropy', not a function (outputs, targets)
  for example loss=nn.cross_entropy
  at LINE"""),
    "a loss of Python numbers": (ArgumentError, lambda: fitted(loss=lambda outputs, targets: 1.0), """\
the loss returned a float, not a tensor
  its gradient is what the net learns from
  compute it from outputs and targets with functions of slopes
  at LINE"""),
    "a loss per example": (ShapeError, lambda: fitted(loss=lambda x, y: nn.cross_entropy(x, y, reduction="none")), """\
the loss of one example has shape (1,), not ()
  one number is what training makes small
  take its mean: reduction="mean", or .mean() at its end
  at LINE"""),
    "no net": (ArgumentError, lambda: sl.fit(None, POINTS), """\
net is None, not a module
  parameters and modes are looked for in modules
  write a class with nn.Module as its base, or nn.Sequential(...)
  at LINE"""),
    "a class instead of a net": (ArgumentError, lambda: fitted(nn.ReLU), """\
net is <class 'slopes.nn.activations.ReLU'>, not a module
  parameters and modes are looked for in modules
  make one: ReLU(...)
  at LINE"""),
    "a net without parameters": (ArgumentError, lambda: fitted(nn.ReLU()), """\
Adam: there are no parameters to optimize
  the module has none, or a generator was already exhausted
  pass net.parameters()
  at LINE"""),
    "a last batch of one": (ShapeError, lambda: fitted(NORMALIZED, batch_size=32), """\
65 examples in batches of 32 leave a last batch of 1, which this net cannot learn from
  BatchNorm1d(8) at net[1] needs more than one value per channel in training, but x is (1, 8)
  use a batch size such as 31
  at LINE"""),
    "one example": (ShapeError, lambda: fitted(NORMALIZED, data.Dataset(X[:1], Y[:1])), """\
1 example in batches of 1 leave a last batch of 1, which this net cannot learn from
  BatchNorm1d(8) at net[1] needs more than one value per channel in training, but x is (1, 8)
  use more examples
  at LINE"""),
    "words as inputs": (DTypeError, lambda: fitted(dataset=Raw(np.array(["a", "b"]), Y[:2])), """\
dataset.inputs are of type <U1, not numbers
  a network computes with real numbers
  give words and categories numbers: classes, y = np.unique(y, return_inverse=True)
  at LINE"""),
    "nan among the inputs": (ArgumentError, lambda: fitted(dataset=Raw(np.where(np.arange(65)[:, None] == 64, np.nan, X), Y)), """\
dataset.inputs[64, 0] is nan
  every later number would become nan
  remove such examples, or replace the values (np.nan_to_num)
  at LINE"""),
    "nan among the targets": (NonFiniteError, lambda: data.Dataset(X, np.full(65, np.nan)), """\
targets hold nan at [0]
  a single one makes every weight NaN
  remove or replace such examples, for example with np.nan_to_num(x)
  at LINE"""),
    "labels outside of the classes": (OutOfRangeError, lambda: fitted(net_for(2)), """\
dataset.targets[2] is 2, but the net has 2 outputs: classes 0 to 1
  the labels run from 0 to 2
  give the last layer 3 outputs
  at LINE"""),
    "float labels": (ShapeError, lambda: fitted(dataset=data.Dataset(X, Y.astype(float))), """\
the net's outputs have shape (65, 3), but targets (65,)
  targets that are floats are taken as numbers, with nn.mse_loss, as none was asked for
  if they are classes: targets.astype(np.int64)
  at LINE"""),
    "a rate far too high": (NonFiniteError, lambda: fitted(optimizer=optim.SGD(lr=1e30), epochs=3), """\
the loss became nan in epoch 1, step 2 of 2
  the losses before it were LOSS: steps of rate 1e+30 probably overshoot
  try a lower rate, such as lr=1e+29, or scale the inputs; the net is back at its last sound step and error.run holds the history
  at LINE"""),
    "no batch size": (ArgumentError, lambda: data.number_of_batches(10, 0), """\
batch_size is 0
  a batch holds at least one example
  use 64
  at LINE"""),
}


@pytest.mark.parametrize("name", FIT)
def test_what_fit_refuses_and_says(name):
    kind, f, wanted = FIT[name]
    assert re.sub(r"were \d[\d.]*:", "were LOSS:", text_of(kind, f)) == wanted


def test_a_net_that_normalizes_learns_with_the_batch_size_that_was_named():
    sl.seed(0)
    run = fitted(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)), batch_size=31)
    assert run.history.steps == 3


def test_the_look_at_the_last_batch_changes_nothing():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))
    points = data.Dataset(np.random.default_rng(0).normal(size=(9, 1, 4, 4)), np.arange(9) % 3)
    twin = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))
    twin.load_state_dict(net.state_dict())
    first = fitted(net, points, epochs=0)
    assert first.history.steps == 0
    for name, array in net.state_dict().items():
        assert np.array_equal(array, twin.state_dict()[name]), name
    assert fitted(net, points, batch_size=4).history.steps == 3  # one value per channel and place: a batch of one is enough


@pytest.mark.parametrize("names, told", [
    (None, "2, 3"), (["ant", "bee", "cow", "dog"], r"cow \(2\), dog \(3\)")])
def test_classes_without_a_training_example_are_told_at_the_users_line(names, told):
    x, net = np.zeros((6, 4), np.float32), nn.Linear(4, 4)
    points = data.Dataset(x, [0, 1, 1, 0, 1, 1], classes=names)
    text = (f"3 of 6 validation targets are of classes without any training example: {told}\n"
            "  a net learns never to answer what it never sees\n"
            "  divide the data class by class, as slopes.data.split does, or leave these classes out$")
    with pytest.warns(UserWarning, match=text) as told_once:
        fitted(net, points, validation=data.Dataset(x, [0, 2, 3, 2, 1, 0], classes=names))
    assert len(told_once) == 1 and told_once[0].filename == __file__
    fitted(net, points, validation=data.Dataset(x, [1] * 6, classes=names))  # fewer classes than in training are no matter


def test_of_many_unseen_classes_some_are_named():
    x = np.zeros((12, 4), np.float32)
    with pytest.warns(UserWarning, match="11 of 12 .* 1, 2, 3, 4, 5 and 6 more"):
        fitted(nn.Linear(4, 12), data.Dataset(x, [0] * 12), validation=data.Dataset(x, range(12)))


def test_targets_and_inputs_may_be_lists():
    assert fitted(dataset=Raw(X.tolist(), Y.tolist()), batch_size=64).history.steps == 2


# States, pictures of graphs, files


def test_a_state_that_is_no_state():
    assert text_of(StateError, lambda: nn.Linear(3, 2).load_state_dict("weights.safetensors")) == """\
load_state_dict: a state is a mapping from names to arrays, not a str
  it is what net.state_dict() returns
  from a file: net.load_state_dict(data.load_safetensors(path))
  at LINE"""


def test_every_wrong_name_of_a_state_is_listed():
    net, state = net_for(), net_for().state_dict()
    state["0.weight"], state["9.bias"] = np.zeros((3, 3), np.float32), state.pop("2.bias")
    assert text_of(StateError, lambda: net.load_state_dict(state)) == """\
load_state_dict: the state does not match Sequential: 1 name missing, 1 name unknown, 1 name unfit
  missing: 2.bias (3,)
  unknown: 9.bias (3,); did you mean 2.bias?
  unfit: 0.weight is float32 (8, 4) here, but float32 (3, 3) in the state
  build the module with the sizes that the state was saved with
  at LINE"""


@pytest.mark.parametrize("show", [sl.graph, sl.explain])
def test_a_picture_of_no_function(show):
    assert text_of(ArgumentError, lambda: show(3, sl.ones(2))) == """\
3 of type int is no function
  a graph is recorded while a function runs
  give a function or a module first, then examples of its arguments: sl.graph(f, x)
  at LINE"""


def test_an_empty_picture(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    assert "empty.png: contents: the file is empty" in text_of(DataError, lambda: data.load_image(tmp_path / "empty.png"))


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    image = pytest.importorskip("PIL.Image")
    first, second = (image.fromarray(np.full((4, 4), shade, np.uint8)) for shade in (255, 0))
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    assert (data.load_image(tmp_path / "moving.png") == 1).all()


@pytest.mark.parametrize("value", ["abc", "0", "-3", "1.5", "100000", "²"])
def test_a_wrong_number_of_threads_in_the_environment_is_told(monkeypatch, value):
    monkeypatch.setenv("SLOPES_THREADS", value)
    assert text_of(ArgumentError, named_threads) == f"""\
SLOPES_THREADS is {value!r}
  it is the number of threads to compute with
  set it to a whole number from 1 to 1024, or unset it to use all processors"""


def test_a_wrong_instruction_set_in_the_environment_is_told(monkeypatch):
    monkeypatch.setenv("SLOPES_CPU", "mmx")
    assert text_of(ArgumentError, named_cpu) == """\
SLOPES_CPU is 'mmx'
  it is the instruction set, or the processor, to compile for
  set it to avx512, avx2, sse, x86-64-v4, x86-64-v3, x86-64-v2, v4, v3, v2, to a processor (nehalem, sandybridge, haswell, skylake, \
alderlake, znver1, znver2, znver3, skylake-avx512, icelake-server, sapphirerapids, znver4, znver5), or to host, the best one here"""
