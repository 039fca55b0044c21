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
}

INITIALISERS: dict[str, dict[str, str]] = {
    "*": {
        "tensor": "is called parameter",
        "parameter": "is called tensor in PyTorch",
    },
    "constant": {
        "val": "not accepted yet",
        "value": "slopes' own, or another name of one that PyTorch has",
    },
    "orthogonal": {
        "blocks": "slopes' own, or another name of one that PyTorch has",
    },
    "uniform": {
        "a": "not accepted yet",
        "b": "not accepted yet",
        "low": "slopes' own, or another name of one that PyTorch has",
        "high": "slopes' own, or another name of one that PyTorch has",
    },
}

FUNCTIONS: dict[str, dict[str, str]] = {
    "*": {
        "inplace": "tensors never change in place; layers accept it for programs that are ported",
        "dim": "functions of tensors have the names of the array API: an axis is called axis",
        "axis": "functions of tensors have the names of the array API; the default is the last axis",
        "_stacklevel": "concerns a warning of PyTorch",
    },
    **same(["log_softmax", "softmax", "softmin"], {
        "dtype": "cast the result: x.astype(...)",
    }),
    **same(["max_pool1d", "max_pool2d", "max_pool3d"], {
        "return_indices": "only the values of maxima are available",
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
    "scaled_dot_product_attention": {"enable_gqa": "repeat the heads of key and value: sl.repeat(key, n, axis=-3)"},
}

SUBJECTS = {"layers": LAYERS, "losses": LOSSES, "optimizers": OPTIMIZERS, "schedules": SCHEDULES, "initialisers": INITIALISERS,
            "functions": FUNCTIONS}
