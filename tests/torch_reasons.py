"""Why an argument of a layer, loss, optimizer, schedule, initialiser or function is not as PyTorch has it: one table per subject.

{class or function: {argument: reason}}; "*" stands for all of the subject. A reason that excuses no difference fails the tests.
"""

from __future__ import annotations


def same(names: list[str], reasons: dict[str, str]) -> dict[str, dict[str, str]]:
    """The same reasons for several classes or functions."""
    return dict.fromkeys(names, reasons)


LAYERS: dict[str, dict[str, str]] = {
    "*": {"generator": "slopes' own: the layer draws from this generator instead of the default one"},
    "Embedding": {
        "_weight": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table",
        "_freeze": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table",
    },
    "EmbeddingBag": {"_weight": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table"},
    "GRU": {
        "reset": "slopes' own: Cho's convention of the reset gate",
        "update": "slopes' own: the textbooks' convention of the update gate",
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state",
    },
    "GRUCell": {
        "reset": "slopes' own: Cho's convention of the reset gate",
        "update": "slopes' own: the textbooks' convention of the update gate",
    },
    "LSTM": {
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state",
        "forget_bias": "slopes' own: the initial bias of the forget gate",
    },
    "LSTMCell": {"forget_bias": "slopes' own: the initial bias of the forget gate"},
    **same(["LogSoftmax", "Softmax", "Softmin"], {
        "dim": "PyTorch's default chooses an axis by the number of axes, and warns; here it is the last axis",
    }),
    "RNN": {
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state",
    },
    "Sequential": {
        "*args": "layers are passed by position, so the name has no effect",
        "*layers": "layers are passed by position, so the name has no effect",
    },
}

LOSSES: dict[str, dict[str, str]] = {
    "*": {
        "size_average": "deprecated in PyTorch: reduction says the same",
        "reduce": "deprecated in PyTorch: reduction says the same",
    },
    "cross_entropy": {
        "ignore_index": "None: labels outside of the classes are errors unless one is named, and nothing is spent on ignoring them",
    },
    "nll_loss": {
        "ignore_index": "None: labels outside of the classes are errors unless one is named, and nothing is spent on ignoring them",
    },
}

OPTIMIZERS: dict[str, dict[str, str]] = {
    "*": {
        "foreach": "chooses an implementation; slopes compiles the update of all parameters as one program",
        "fused": "chooses an implementation; slopes compiles the update of all parameters as one program",
        "capturable": "is for CUDA graphs; a step of slopes is compiled as it is",
        "differentiable": "a step changes parameters without a graph; `update` is a pure function, which can be differentiated",
        "params": "may be left out: fit, or bind, passes them later",
    },
}

SCHEDULES: dict[str, dict[str, str]] = {
    "*": {
        "optimizer": "a schedule is a function of the step: fit, or the line optimizer.lr = lr * schedule(step), applies it",
        "last_epoch": "a schedule has no position: the step is its argument",
        "steps": "slopes' own: the length in steps, by default that of the run",
        "floor": "slopes' own: the lowest factor, where PyTorch has a rate, eta_min, base_lr or min_lr",
    },
    "LinearLR": {
        "start_factor": "1 by default: down to 0 over the run, while WarmUp and Sequential rise",
        "end_factor": "0 by default: down to 0 over the run, while WarmUp and Sequential rise",
        "total_iters": "is called steps in all schedules of one length",
    },
    "PolynomialLR": {
        "total_iters": "is called steps in all schedules of one length",
    },
    "CosineAnnealingLR": {
        "T_max": "is called steps in all schedules of one length",
        "eta_min": "a rate: here floor, a factor",
    },
    "CosineAnnealingWarmRestarts": {
        "eta_min": "a rate: here floor, a factor",
    },
    "CyclicLR": {
        "base_lr": "a rate: here floor, a factor",
        "max_lr": "is the optimizer's learning rate",
        "scale_fn": "a function of the step is a schedule itself: Chained multiplies it with others",
        "scale_mode": "is for scale_fn",
        "cycle_momentum": "schedules change the learning rate only",
        "base_momentum": "schedules change the learning rate only",
        "max_momentum": "schedules change the learning rate only",
    },
    "OneCycleLR": {
        "max_lr": "is the optimizer's learning rate",
        "total_steps": "is called steps in all schedules of one length",
        "epochs": "fit knows the number of steps",
        "steps_per_epoch": "fit knows the number of steps",
        "cycle_momentum": "schedules change the learning rate only",
        "base_momentum": "schedules change the learning rate only",
        "max_momentum": "schedules change the learning rate only",
    },
    "ReduceLROnPlateau": {
        "factor": "is called gamma, as in the other schedules; factor(step, steps) is the method of every schedule",
        "gamma": "PyTorch's factor",
        "min_lr": "a rate: here floor, a factor",
        "eps": "a reduction is made however small it is",
        "watch": "slopes' own: the name of the result that fit observes",
    },
}

INITIALISERS: dict[str, dict[str, str]] = {
    "orthogonal": {
        "blocks": "slopes' own: one orthogonal matrix for each gate of a recurrent layer",
    },
}

FUNCTIONS: dict[str, dict[str, str]] = {
    "*": {
        "inplace": "tensors never change in place; layers accept it for programs that are ported",
        "dim": "functions of tensors have the names of the array API: an axis is called axis",
        "axis": "functions of tensors have the names of the array API; the default is the last axis",
        "_stacklevel": "concerns a warning of PyTorch",
    },
    "interpolate": {"antialias": "smooth before: nn.AvgPool2d, or nn.AdaptiveAvgPool2d to a smaller size"},
    **same(["log_softmax", "softmax", "softmin"], {
        "dtype": "cast x first: x.astype(...)",
    }),
    "one_hot": {
        "x": "the tensor is called labels", "num_classes": "is called classes, and has no default, as shapes are known before values",
        "labels": "slopes' name of the tensor", "classes": "has no default, as shapes are known before values",
        "dtype": "slopes' own: the type of the result",
    },
    "pad": {
        "pad": "is called widths: pairs per axis from the first, as in NumPy, not a flat list from the last",
        "mode": "other modes are layers: nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d",
        "value": "0 by default, as PyTorch's None means", "widths": "follows NumPy's form: pairs per axis, from the first",
    },
}

SUBJECTS = {"layers": LAYERS, "losses": LOSSES, "optimizers": OPTIMIZERS, "schedules": SCHEDULES, "initialisers": INITIALISERS,
            "functions": FUNCTIONS}
