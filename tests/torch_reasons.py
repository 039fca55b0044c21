"""Why an argument of a layer, loss, optimizer, schedule, initialiser or function is not as PyTorch has it: one table per subject.

{class or function: {argument: reason}}; "*" stands for all of the subject. A reason that excuses no difference fails the tests.
"""

from __future__ import annotations


def same(names: list[str], reasons: dict[str, str]) -> dict[str, dict[str, str]]:
    """The same reasons for several classes or functions."""
    return dict.fromkeys(names, reasons)


LAYERS: dict[str, dict[str, str]] = {
    "*": {"generator": "slopes' own: the layer draws from this generator instead of the default one"},
    **same(["AdaptiveMaxPool1d", "AdaptiveMaxPool2d"], {
        "return_indices": "not accepted yet",
    }),
    **same(["AlphaDropout", "Dropout", "Dropout2d"], {
        "inplace": "not accepted yet",
    }),
    **same(["AvgPool1d", "LPPool1d", "LPPool2d"], {
        "ceil_mode": "not accepted yet",
    }),
    **same(["AvgPool2d", "AvgPool3d"], {
        "ceil_mode": "not accepted yet", "divisor_override": "not accepted yet",
    }),
    "Embedding": {
        "_weight": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table",
        "_freeze": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table",
    },
    "EmbeddingBag": {"_weight": "private in PyTorch: nn.Embedding.from_pretrained makes a layer with a table"},
    "Flatten": {
        "start_dim": "not accepted yet", "end_dim": "not accepted yet", "start_axis": "not accepted yet", "end_axis": "not accepted yet",
    },
    "GRU": {
        "batch_first": "not accepted yet", "device": "not accepted yet", "dtype": "not accepted yet",
        "reset": "slopes' own: Cho's convention of the reset gate",
        "update": "slopes' own: the textbooks' convention of the update gate",
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state", "bias": "not accepted yet", "dropout": "not accepted yet",
        "bidirectional": "not accepted yet",
    },
    "GRUCell": {
        "device": "not accepted yet", "dtype": "not accepted yet", "reset": "slopes' own: Cho's convention of the reset gate",
        "update": "slopes' own: the textbooks' convention of the update gate",
    },
    "LSTM": {
        "batch_first": "not accepted yet", "proj_size": "not accepted yet", "device": "not accepted yet", "dtype": "not accepted yet",
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state",
        "forget_bias": "slopes' own: the initial bias of the forget gate", "bias": "not accepted yet", "dropout": "not accepted yet",
        "bidirectional": "not accepted yet",
    },
    "LSTMCell": {
        "device": "not accepted yet", "dtype": "not accepted yet", "forget_bias": "slopes' own: the initial bias of the forget gate",
    },
    **same(["LogSoftmax", "Softmax", "Softmin"], {
        "dim": "PyTorch's default chooses an axis by the number of axes, and warns; here it is the last axis",
    }),
    **same(["MaxPool1d", "MaxPool2d", "MaxPool3d"], {
        "return_indices": "not accepted yet", "ceil_mode": "not accepted yet",
    }),
    "RNN": {
        "batch_first": "not accepted yet", "device": "not accepted yet", "dtype": "not accepted yet",
        "input_dropout": "slopes' own: variational dropout of the inputs",
        "hidden_dropout": "slopes' own: variational dropout of the state", "nonlinearity": "not accepted yet",
        "bias": "not accepted yet", "dropout": "not accepted yet", "bidirectional": "not accepted yet",
    },
    "RNNCell": {"device": "not accepted yet", "dtype": "not accepted yet"},
    "Sequential": {
        "*args": "layers are passed by position, so the name has no effect",
        "*layers": "layers are passed by position, so the name has no effect",
    },
    "Unflatten": {
        "dim": "PyTorch's default chooses an axis by the number of axes, and warns; here it is the last axis",
        "unflattened_size": "not accepted yet", "axis": "not accepted yet", "sizes": "not accepted yet",
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
    "avg_pool1d": {"kernel_size": "not accepted yet", "ceil_mode": "not accepted yet", "size": "not accepted yet"},
    **same(["avg_pool2d", "avg_pool3d"], {
        "kernel_size": "not accepted yet", "ceil_mode": "not accepted yet", "divisor_override": "not accepted yet",
        "size": "not accepted yet",
    }),
    **same(["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"], {
        "groups": "not accepted yet",
    }),
    **same(["log_softmax", "softmax", "softmin"], {
        "dtype": "cast the result: x.astype(...)",
    }),
    **same(["max_pool1d", "max_pool2d", "max_pool3d"], {
        "kernel_size": "not accepted yet", "ceil_mode": "not accepted yet", "return_indices": "not accepted yet",
        "size": "not accepted yet",
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
