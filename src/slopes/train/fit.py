"""Training a network from beginning to end, by one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..optim import Average
from .checks import paired
from .history import Run
from .metrics import MetricLike
from .progress import choose_reporter
from .schedule import Schedule
from .spec import Augment, ParameterFunction, Penalty, TrainSpec
from .statistics import Statistics
from .totals import Loss
from .training import Callback, Training


def fit(net: Any, dataset: Any, targets: Any = None, *, loss: Loss | None = None, optimizer: Any = None, epochs: int = 1,
        batch_size: int = 64, validation: Any = None, metrics: Iterable[MetricLike] | MetricLike | None = None, seed: int = 0,
        schedule: str | Schedule | None = None, clip: float | ParameterFunction | None = None, accumulate: int = 1,
        average: Average | None = None, augment: Augment | None = None, penalty: Penalty | None = None,
        constrain: float | ParameterFunction | None = None, progress: bool | Callback | None = None,
        callbacks: Iterable[Callback] = (), storage: str = "float32", statistics: Statistics | Iterable[str] | str | None = None) -> Run:
    """Train `net` on `dataset` by minibatches and return the Run: the net, its losses and epochs, and a plot of them.

    One step gathers a batch, computes loss(net(inputs), targets), its gradients and the update; the whole step is one native
    program and many steps are one call. The batches of epoch e are consecutive parts of data.order(seed, e, examples); the last
    one may be smaller. Loss and metrics of an epoch are means over all that counts in it, each measured before its own update:
    over its examples; where the loss weighs them or leaves some out, over these with their weights, whatever batch they are in.

    net         a Module. It is in train mode while it learns, and however that ends, in eval mode after it: its answers are those of
                a net in use. A layer that you put into eval mode, in a net that is in train mode, is frozen: it stays so, as a
                BatchNorm that keeps its moments. In a net that was in eval mode as a whole, layers with parameters that all have
                requires_grad = False stay so; all others learn. Call net.train() before a loop of your own
    dataset     has `inputs` (N, ...) and `targets` (N, ...); integer targets are class labels, floats are numbers to be given. A
                tuple of inputs are as many arguments of the net: data.Dataset((images, tokens), targets) for net(images, tokens).
                Inputs that lie on the disk (data.image_folder) are read as they are used, the next ones while the step computes.
                fit(net, inputs, targets) makes a data set of two arrays. Or a data.Loader, which makes batches: text.Streams (the
                net's state is carried from batch to batch), text.Windows, text.Rows (of different lengths); "examples" are then
                the targets that count, and loss and metrics are means over these
    loss        function (outputs, targets) -> 0-d mean; default nn.cross_entropy for targets that are integers, nn.mse_loss for
                floats, nn.token_cross_entropy for a loader; run.settings["loss"] tells which. One of your own that leaves out or
                weighs examples says what counts by ending in nn.weighted_mean(values, weights). A sum over examples is reported
                as their mean
    optimizer   from slopes.optim, best unbound; default optim.Adam(lr=1e-3)
    epochs      passes over the data, >= 0;    batch_size  >= 1
    validation  a second data set, or a pair (inputs, targets), measured after every epoch in eval mode; it changes no state.
                Classes in it of which training has no example are told by a warning
    metrics     names (accuracy, token_accuracy, binary_accuracy, absolute_error), functions (outputs, targets) -> (N,), or a
                train.Metric, which also says whether lower is better and how values are written; default: accuracy for class
                labels, none otherwise. Labels that the loss leaves out (ignore_index) do not count in them
    seed        decides the order of examples, and slopes' random numbers (dropout) in the run, which has a generator of its own:
                the default one is afterwards as it was, and trainings in several threads do not disturb each other. Validation
                that draws, draws the same after each epoch. Initial weights were drawn before, when the net was made:
                slopes.seed(...) decides those
    schedule    how the rate changes over the steps: "constant" (default), "linear", "cosine", "one_cycle", one of optim.schedules,
                or a function (step, steps) that returns the factor by which to multiply the rate
    clip        the largest norm that all gradients together may have (optim.clip_by_norm), or a function that is called with the
                list of parameters between backward and step, such as functools.partial(optim.clip_by_value, limit=1.0)
    accumulate  parts into which each batch is cut: their gradients are added up before the one update, which is that of the whole
                batch, class weights and targets that do not count included (but for layers that look at the batch, as BatchNorm
                does); not for loaders whose state is carried
    average     an optim.Average of the weights, updated in every step; validation is measured with the averaged weights, the net
                keeps its own (average.take() gives it the averaged ones)
    augment     function (inputs, targets) -> (inputs, targets) of a batch, of slopes.data.augment for example, that is part of the
                training step and of nothing else; metrics compare with the targets as they were. With fit's random numbers, the
                default ones, it is the same for the same seed: lambda x, y: (augment.shift(x, 2), y). Random numbers of NumPy or
                Python, here or in the net, are refused: they would be drawn only once
    penalty     function of the net whose result, a 0-d tensor, is added to the loss of each step but not to what is reported:
                lambda net: 1e-5 * nn.l1_penalty(net)
    constrain   the largest norm that the weights into a unit may have (optim.limit_norm), or a function that is called with the
                list of parameters after each step
    progress    None or True: a live line on a terminal, plain lines elsewhere; False: silence; or a train.Callback that shows it
    callbacks   objects that follow the training and may stop it: train.EarlyStopping, train.Snapshots, train.OnEpoch(function), a
                train.Callback of your own. They see the net in eval mode, and draw random numbers of the caller's
    storage     "bfloat16": what layers with weights take is kept for the derivative in 16 bits, see sl.compile
    statistics  names of norms, means, histograms, ... of outputs, weights, gradients and updates that the step itself measures, at
                every 10th step or as a train.Statistics says: ["*.grad/norm", "net.0/std"]; run.history.statistics has the values

    `sl.Training` is the same as an object that is advanced by steps, looked at, saved and continued.
    Ctrl-C ends the run between two calls: the Run then has interrupted=True and everything learned so far (with train.EarlyStopping,
    the best weights).
    Raises ArgumentError (empty or mismatched data, nan in it, batch_size < 1, epochs < 0, an optimizer of another net), ShapeError
    (outputs and targets of shapes that do not fit), TraceError (random numbers that are not slopes' own),
    OutOfRangeError (labels outside the net's outputs), and NonFiniteError when the loss or a weight or buffer, which it names, is no
    longer finite: the net is then back at its last sound step, and `error.run` holds the history. Weights are looked at after each epoch.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.1.3 (minibatches).

    >>> import numpy as np, slopes as sl
    >>> from slopes import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> points = sl.data.Dataset(x, (x[:, 0] > 0).astype(np.int64))
    >>> run = sl.fit(nn.Linear(1, 2), points, optimizer=optim.Adam(lr=0.1), epochs=30, batch_size=16, progress=False)
    >>> run.epochs[-1].metrics["accuracy"] > 0.9
    True
    """
    spec = TrainSpec(loss=loss, optimizer=optimizer, epochs=epochs, batch_size=batch_size, validation=validation, metrics=metrics,
                     seed=seed, schedule=schedule, clip=clip, accumulate=accumulate, average=average, augment=augment, penalty=penalty,
                     constrain=constrain, storage=storage, statistics=statistics)
    return Training(net, paired(dataset, targets), spec, callbacks=[*callbacks, *choose_reporter(progress)]).run()
