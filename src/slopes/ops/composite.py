"""Functions composed of the primitive operations, for nodes and tensors alike; no derivatives of their own."""

from __future__ import annotations

from .activations import (
    celu,
    elu,
    gelu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    where,
)
from .arrange import (
    argsort,
    concat,
    diagonal,
    expand_dims,
    flatten,
    flip,
    lower_mask,
    matrix_transpose,
    moveaxis,
    one_hot,
    part,
    permute_dims,
    repeat,
    roll,
    sort,
    split,
    squeeze,
    stack,
    tile,
    top_k,
    tril,
    triu,
    unstack,
)
from .padding import PADDING_MODES, crop, pad_edges
from .products import affine, einsum, matmul, rows_product, tensordot
from .spatial import avg_pool, convolution, max_pool, max_pool_indices, padding_pairs, transposed_convolution
from .statistics import as_float, log_softmax, logsumexp, mean, nothing_along, of_positive, reduce, root_of_squares, softmax, std, var

__all__ = [
    "PADDING_MODES", "affine", "argsort", "as_float", "avg_pool", "celu", "concat", "convolution", "crop", "diagonal", "einsum", "elu",
    "expand_dims", "flatten", "flip", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_sigmoid",
    "log_softmax", "logsumexp", "lower_mask", "matmul", "matrix_transpose", "max_pool", "max_pool_indices", "mean", "mish", "moveaxis",
    "nothing_along", "of_positive", "one_hot", "pad_edges", "padding_pairs", "part", "permute_dims", "reduce", "relu", "relu6", "repeat",
    "roll", "root_of_squares", "rows_product", "selu", "sigmoid", "silu", "softmax", "softplus", "softshrink", "softsign", "sort", "split",
    "squeeze", "stack", "std", "tanhshrink", "tensordot", "threshold", "tile", "top_k", "transposed_convolution", "tril", "triu",
    "unstack", "var", "where",
]
