"""Training a network from beginning to end, by one call."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Literal

from ..backend import Backend
from ..nn.module import Module
from ..optim import Average
from ..optim.optimizer import Optimizer
from .checks import paired
from .history import Run
from .metrics import MetricLike
from .progress import Progressing, choose_reporter
from .run_folder import RunFolder
from .schedule import Schedule
from .spec import Augment, ParameterFunction, Penalty, TrainSpec
from .statistics import Statistics
from .totals import Loss
from .training import Callback, Training
from .weighting import ClassWeight


def fit(net: Module, dataset: Any, targets: Any = None, *, loss: Loss | None = None, optimizer: Optimizer | None = None,
        epochs: int | Literal["auto"] = 1, batch_size: int = 64, validation: Any = None,
        metrics: Iterable[MetricLike] | MetricLike | None = None, seed: int = 0, schedule: str | Schedule | None = None,
        clip: float | ParameterFunction | None = None, accumulate: int = 1, average: Average | None = None,
        augment: Augment | None = None, penalty: Penalty | None = None, constrain: float | ParameterFunction | None = None,
        progress: Progressing = None, callbacks: Iterable[Callback] = (), storage: str = "float32",
        statistics: Statistics | Iterable[str] | str | None = None, run: str | os.PathLike[str] | RunFolder | None = None,
        class_weight: ClassWeight | None = None, sample_weight: Any = None, backend: str | Backend = "native",
        mesh: Any = None) -> Run:
    """Train `net` on `dataset` by minibatches and return the Run: the net, its losses and epochs, and a plot of them.

    One step gathers a batch, computes loss(net(inputs), targets), its gradients and the update. The whole step is one native
    program, and many steps are one call. The batches of epoch e are consecutive parts of data.order(seed, e, examples); the last
    one may be smaller. Loss and metrics of an epoch are means over its examples, measured before each update. If the loss weights
    or ignores examples, the means are weighted in the same way over the whole epoch, independently of the division into batches.

    net         a Module. It is in train mode during the training and in eval mode afterwards, however the training ends. To freeze a
                layer, such as a BatchNorm whose running moments should not change, put it into eval mode while the net is in train
                mode. If the whole net is in eval mode, layers whose parameters all have requires_grad = False stay in eval mode, and
                all others are trained. Call net.train() before a custom training loop
    dataset     has `inputs` (N, ...) and `targets` (N, ...); integer targets are class labels, floats are regression targets. A
                tuple of inputs is passed as several arguments: data.Dataset((images, tokens), targets) for net(images, tokens).
                Inputs on disk (data.image_folder) are read when they are needed, the next ones while the step computes.
                fit(net, inputs, targets) makes a data set of two arrays. Or a data.Loader, which makes batches: text.Streams (the
                net's state is carried from batch to batch), text.Windows, text.Rows (of different lengths); loss and metrics are
                then means over the targets that are not ignored
    loss        function (outputs, targets) -> 0-d mean; default: nn.cross_entropy for integer targets, nn.mse_loss for floats,
                nn.token_cross_entropy for a loader; run.settings["loss"] is its name. A custom loss that weights or ignores examples
                should end in nn.weighted_mean(values, weights), which defines their weights. A sum over examples is reported as a mean
    optimizer   from slopes.optim, preferably not bound to parameters yet; default: optim.Adam(lr=1e-3)
    epochs      passes over the data, >= 0. "auto", with validation: until its loss (of the first set) has not improved for
                max(5, epochs so far // 4) epochs, at most 1000 epochs; the net then has the weights of its best epoch. Not with
                average=, or a schedule that extends over all steps. An EarlyStopping in callbacks may end it earlier
    batch_size  >= 1
    validation  a second data set, or a pair (inputs, targets), evaluated after every epoch in eval mode; it changes no state. Classes
                without a training example cause a warning. Several sets are a mapping, {"dev": dev, "other": other}: their figures are
                called "dev/loss", "other/loss", ..., and schedules and early stopping watch the first
    metrics     names (accuracy, f1, roc_auc, calibration_error, r2, ...: docs/practice.md lists them), functions (outputs, targets) ->
                (N,), or a train.Metric, which also says whether lower is better and how values are written; default: accuracy for
                class labels, none otherwise. Labels that the loss ignores (ignore_index) are ignored in metrics, too
    seed        of the order of examples and of slopes' random numbers (dropout) during the training, which has its own generator: the
                default generator is not changed, and trainings in several threads are independent. Validation draws the same random
                numbers after each epoch. Initial weights depend on slopes.seed(...), called before the net is made
    schedule    of the learning rate: "constant" (default), "linear", "cosine", "one_cycle", one of optim.schedules, or a function
                (step, steps) that returns the factor by which the learning rate is multiplied
    clip        the largest global norm of all gradients (optim.clip_by_norm), or a function that is called with the list of parameters
                between backward and step, such as functools.partial(optim.clip_by_value, limit=1.0)
    accumulate  number of parts of each batch: their gradients are accumulated before the update, which is that of the whole batch,
                including class weights and ignored targets (except for layers that depend on the batch, such as BatchNorm); not
                for loaders whose state is carried
    average     an optim.Average of the weights, updated in every step; validation uses the averaged weights, the net keeps its own
                (average.take() replaces them with the averaged ones)
    augment     function (inputs, targets) -> (inputs, targets) of a batch, for example of slopes.data.augment, which is applied in
                the training step only; metrics compare with the original targets. It draws from the training's random numbers and
                depends on the seed: lambda x, y: (augment.shift(x, 2), y). Random numbers of NumPy or Python, here or in the net,
                are refused: they would be drawn only once
    penalty     function of the net whose result, a 0-d tensor, is added to the loss of each step but not to the reported loss:
                lambda net: 1e-5 * nn.l1_penalty(net)
    constrain   the largest norm of the weights into a unit (optim.limit_norm), or a function that is called with the list of
                parameters after each step
    progress    None or True: a live line on a terminal, plain lines elsewhere; "epochs": a plain line for each epoch; False: nothing;
                or a train.Callback that shows it. After the first second of a training that will take more than a minute, one line
                estimates its time and memory
    callbacks   objects that follow the training and may stop it: train.EarlyStopping, train.Snapshots, train.OnEpoch(function), a
                train.Callback of your own. They see the net in eval mode, and draw from the caller's random numbers
    storage     "bfloat16": inputs of layers with weights are stored for the derivative in 16 bits, see sl.compile
    statistics  names of norms, means, histograms, ... of outputs, weights, gradients and updates that the step itself measures, at
                every 10th step or as a train.Statistics says: ["*.grad/norm", "net.0/std"]; run.history.statistics has the values
    run         a folder in which the training survives its process: it is saved there every minute, after Ctrl-C and at its end, and
                if the folder holds such a run already, it is continued, to the same bits as without the interruption. With
                validation, the best weights are used. train.RunFolder says more, and has options

    class_weight   the weight of each class in the loss, of training and validation data alike: "balanced", which gives all classes the
                same total weight (examples / (classes * examples of the class)), a mapping {label or name: weight}, others are 1, or an
                array. The loss is the mean weighted by sample and class weights: of cross_entropy, the one with weight=... The loss is
                one of slopes with its usual mean, or ends in nn.weighted_mean. Metrics do not weight classes
    sample_weight  (N,) the weight of each example in loss and metrics; validation=(inputs, targets, weights) has its own
    backend        what runs the steps of training and validation: "native" code, "xla", ...; see sl.compile
    mesh           sl.mesh(data=4): several devices, with backend="xla"; the results are those of one device (docs/devices.md)

    `sl.Training` is the same as an object that is advanced by steps, looked at, saved and continued.
    Ctrl-C ends the run between two calls: the Run then has interrupted=True and everything learned so far (with train.EarlyStopping,
    the best weights).
    Raises ArgumentError (empty or mismatched data, nan in it, batch_size < 1, epochs < 0, an optimizer of another net), ShapeError
    (outputs and targets of shapes that do not fit), TraceError (random numbers that are not slopes' own),
    OutOfRangeError (labels outside the net's outputs), and NonFiniteError when the loss, or a weight or buffer, which it names, is no
    longer finite: the net is restored to its last finite step, and `error.run` holds the history. Weights are checked after each epoch.

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
                     constrain=constrain, storage=storage, statistics=statistics, class_weight=class_weight,
                     backend=backend, mesh=mesh)
    training = Training(net, paired(dataset, targets, sample_weight), spec, callbacks=[*callbacks, *choose_reporter(progress)])
    if run is None:
        return training.run()
    return (run if isinstance(run, RunFolder) else RunFolder(run)).train(training)
