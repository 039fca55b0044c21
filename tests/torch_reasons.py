"""Why an argument of a layer, loss, optimizer, schedule, initialiser or function is not as PyTorch has it: one table per subject.

{class or function: {argument: reason}}; "*" stands for all of the subject. A reason that excuses no difference fails the tests.
"""

from __future__ import annotations

LAYERS: dict[str, dict[str, str]] = {
    "*": {
        "device": "a layer's parameters are in the memory of the CPU; not accepted yet",
        "dtype": "parameters are float32; not accepted yet",
        "inplace": "tensors never change in place; not accepted yet",
        "ceil_mode": "windows that leave the input at the end are not built yet",
        "generator": "slopes' own: draws from a generator of one's own",
    },
    "AdaptiveMaxPool1d": {
        "return_indices": "not accepted yet",
    },
    "AdaptiveMaxPool2d": {
        "return_indices": "not accepted yet",
    },
    "AvgPool2d": {
        "divisor_override": "not accepted yet",
    },
    "AvgPool3d": {
        "divisor_override": "not accepted yet",
    },
    "BatchNorm1d": {
        "bias": "not accepted yet",
    },
    "BatchNorm2d": {
        "bias": "not accepted yet",
    },
    "BatchNorm3d": {
        "bias": "not accepted yet",
    },
    "Conv1d": {
        "padding_mode": "not accepted yet",
    },
    "Conv2d": {
        "padding_mode": "not accepted yet",
    },
    "Conv3d": {
        "padding_mode": "not accepted yet",
    },
    "ConvTranspose1d": {
        "padding_mode": "not accepted yet",
    },
    "ConvTranspose2d": {
        "padding_mode": "not accepted yet",
    },
    "ConvTranspose3d": {
        "padding_mode": "not accepted yet",
    },
    "Embedding": {
        "max_norm": "not accepted yet",
        "norm_type": "not accepted yet",
        "scale_grad_by_freq": "not accepted yet",
        "sparse": "not accepted yet",
        "_weight": "not accepted yet",
        "_freeze": "not accepted yet",
    },
    "EmbeddingBag": {
        "max_norm": "not accepted yet",
        "norm_type": "not accepted yet",
        "scale_grad_by_freq": "not accepted yet",
        "sparse": "not accepted yet",
        "_weight": "not accepted yet",
        "include_last_offset": "not accepted yet",
    },
    "Flatten": {
        "start_dim": "not accepted yet",
        "end_dim": "not accepted yet",
        "start_axis": "slopes' own, or another name of one that PyTorch has",
        "end_axis": "slopes' own, or another name of one that PyTorch has",
    },
    "GRU": {
        "batch_first": "not accepted yet",
        "reset": "slopes' own, or another name of one that PyTorch has",
        "update": "slopes' own, or another name of one that PyTorch has",
        "input_dropout": "slopes' own, or another name of one that PyTorch has",
        "hidden_dropout": "slopes' own, or another name of one that PyTorch has",
        "bias": "another position",
        "dropout": "another position",
        "bidirectional": "another position",
    },
    "GRUCell": {
        "reset": "slopes' own, or another name of one that PyTorch has",
        "update": "slopes' own, or another name of one that PyTorch has",
    },
    "GroupNorm": {
        "bias": "not accepted yet",
    },
    "Identity": {
        "*args": "not accepted yet",
        "**kwargs": "not accepted yet",
    },
    "InstanceNorm1d": {
        "bias": "not accepted yet",
    },
    "InstanceNorm2d": {
        "bias": "not accepted yet",
    },
    "LSTM": {
        "batch_first": "not accepted yet",
        "proj_size": "not accepted yet",
        "input_dropout": "slopes' own, or another name of one that PyTorch has",
        "hidden_dropout": "slopes' own, or another name of one that PyTorch has",
        "forget_bias": "slopes' own, or another name of one that PyTorch has",
        "bias": "another position",
        "dropout": "another position",
        "bidirectional": "another position",
    },
    "LSTMCell": {
        "forget_bias": "slopes' own, or another name of one that PyTorch has",
    },
    "LogSoftmax": {
        "dim": "not accepted yet",
        "axis": "slopes' own, or another name of one that PyTorch has",
    },
    "MaxPool1d": {
        "return_indices": "not accepted yet",
    },
    "MaxPool2d": {
        "return_indices": "not accepted yet",
    },
    "MaxPool3d": {
        "return_indices": "not accepted yet",
    },
    "MultiheadAttention": {
        "add_bias_kv": "not accepted yet",
        "add_zero_attn": "not accepted yet",
    },
    "RNN": {
        "batch_first": "not accepted yet",
        "input_dropout": "slopes' own, or another name of one that PyTorch has",
        "hidden_dropout": "slopes' own, or another name of one that PyTorch has",
        "nonlinearity": "another position",
        "bias": "another position",
        "dropout": "another position",
        "bidirectional": "another position",
    },
    "Sequential": {
        "*args": "not accepted yet",
        "*layers": "slopes' own, or another name of one that PyTorch has",
    },
    "Softmax": {
        "dim": "not accepted yet",
        "axis": "slopes' own, or another name of one that PyTorch has",
    },
    "Softplus": {
        "threshold": "not accepted yet",
    },
    "Threshold": {
        "threshold": "another default",
        "value": "not accepted yet",
    },
    "TransformerEncoder": {
        "enable_nested_tensor": "not accepted yet",
        "mask_check": "not accepted yet",
    },
    "Unflatten": {
        "dim": "not accepted yet",
        "unflattened_size": "not accepted yet",
        "axis": "slopes' own, or another name of one that PyTorch has",
        "sizes": "slopes' own, or another name of one that PyTorch has",
    },
}

LOSSES: dict[str, dict[str, str]] = {
    "*": {
        "size_average": "deprecated in PyTorch: reduction says the same",
        "reduce": "deprecated in PyTorch: reduction says the same",
        "device": "a layer's parameters are in the memory of the CPU",
        "dtype": "parameters are float32, weights of classes have the dtype of the outputs",
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
        "inplace": "tensors never change in place",
        "dim": "functions of tensors follow the array API, where an axis is called axis",
        "axis": "functions of tensors follow the array API",
        "_stacklevel": "is internal to PyTorch",
    },
    "avg_pool1d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "avg_pool2d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "divisor_override": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "avg_pool3d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "divisor_override": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "conv_transpose1d": {
        "groups": "another position",
    },
    "conv_transpose2d": {
        "groups": "another position",
    },
    "conv_transpose3d": {
        "groups": "another position",
    },
    "leaky_relu": {
        "negative_slope": "not accepted yet",
        "slope": "slopes' own, or another name of one that PyTorch has",
    },
    "log_softmax": {
        "dtype": "not accepted yet",
    },
    "max_pool1d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "return_indices": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "max_pool2d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "return_indices": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "max_pool3d": {
        "kernel_size": "not accepted yet",
        "ceil_mode": "not accepted yet",
        "return_indices": "not accepted yet",
        "size": "slopes' own, or another name of one that PyTorch has",
    },
    "one_hot": {
        "x": "not accepted yet",
        "num_classes": "not accepted yet",
        "labels": "slopes' own, or another name of one that PyTorch has",
        "classes": "slopes' own, or another name of one that PyTorch has",
        "dtype": "slopes' own, or another name of one that PyTorch has",
    },
    "pad": {
        "pad": "not accepted yet",
        "mode": "not accepted yet",
        "value": "another default",
        "widths": "slopes' own, or another name of one that PyTorch has",
    },
    "scaled_dot_product_attention": {
        "enable_gqa": "not accepted yet",
    },
    "softmax": {
        "dtype": "not accepted yet",
    },
    "softplus": {
        "threshold": "not accepted yet",
    },
    "threshold": {
        "threshold": "not accepted yet",
        "value": "not accepted yet",
    },
}

SUBJECTS = {"layers": LAYERS, "losses": LOSSES, "optimizers": OPTIMIZERS, "schedules": SCHEDULES, "initialisers": INITIALISERS,
            "functions": FUNCTIONS}
