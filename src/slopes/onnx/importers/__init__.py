"""The operators of ONNX, by subject; importing this package fills their table."""

from __future__ import annotations

from . import (
    classic,
    control,
    convolution,
    detection,
    elementwise,
    fourier,
    indexing,
    linear,
    normalization,
    pooling,
    quantization,
    randomness,
    recurrent,
    reduction,
    resize,
    sampling,
    shape,
    text,
)

MODULES = (classic, control, convolution, detection, elementwise, fourier, indexing, linear, normalization, pooling, quantization,
           randomness, recurrent, reduction, resize, sampling, shape, text)
