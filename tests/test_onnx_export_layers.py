"""Every layer as an ONNX model: checked, and equal to slopes in onnx's evaluator and in onnxruntime, for another batch too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_cases import check_runs, exported, operators

import slopes as sl
from slopes import nn

rng = np.random.default_rng(0)


def f(*shape: int) -> np.ndarray:
    """Random numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def t(*shape: int) -> np.ndarray:
    """Random tokens."""
    return rng.integers(0, 7, shape)


PLAIN = ("ELU", "GELU", "SELU", "Identity", "LeakyReLU", "LogSoftmax", "ReLU", "Sigmoid", "SiLU", "Softmax", "Softplus", "Tanh")
LAYERS: dict[str, tuple[Any, tuple]] = {
    **{name: (getattr(nn, name), (f(3, 5),)) for name in PLAIN},
    "Threshold": (lambda: nn.Threshold(0.1), (f(3, 5),)),
    "GELU with tanh": (lambda: nn.GELU("tanh"), (f(3, 5),)),
    "PReLU": (lambda: nn.PReLU(3), (f(2, 3, 4),)),
    "Linear": (lambda: nn.Linear(4, 3), (f(2, 4),)),
    "Linear of three axes": (lambda: nn.Linear(4, 3), (f(2, 5, 4),)),
    "Linear without bias": (lambda: nn.Linear(4, 3, bias=False), (f(2, 4),)),
    "Conv1d": (lambda: nn.Conv1d(2, 4, 3, padding="same"), (f(2, 2, 7),)),
    "Conv2d": (lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), (f(2, 2, 7, 6),)),
    "Conv2d without bias": (lambda: nn.Conv2d(2, 4, 3, dilation=2, bias=False), (f(2, 2, 7, 6),)),
    "Conv3d": (lambda: nn.Conv3d(2, 3, 2), (f(2, 2, 4, 3, 3),)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1), (f(2, 2, 5),)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 4, 3, stride=2, groups=2), (f(2, 4, 4, 5),)),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(2, 3, 2), (f(2, 2, 3, 3, 2),)),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), (f(2, 3, 7),)),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, 1), (f(2, 3, 7, 6),)),
    "MaxPool3d": (lambda: nn.MaxPool3d(2), (f(2, 3, 4, 4, 4),)),
    "AvgPool1d": (lambda: nn.AvgPool1d(2), (f(2, 3, 7),)),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 2, 1), (f(2, 3, 7, 6),)),
    "AvgPool3d": (lambda: nn.AvgPool3d(2), (f(2, 3, 4, 4, 4),)),
    "LPPool1d": (lambda: nn.LPPool1d(2, 2), (f(2, 3, 7),)),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), (f(2, 3, 6, 6),)),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), (f(2, 3, 7),)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((2, 3)), (f(2, 3, 7, 6),)),
    "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d(2), (f(2, 3, 4, 5, 4),)),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), (f(2, 3, 7),)),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(2), (f(2, 3, 7, 6),)),
    "GlobalAvgPool": (lambda: nn.GlobalAvgPool(), (f(2, 3, 7, 6),)),
    "GlobalMaxPool": (lambda: nn.GlobalMaxPool(), (f(2, 3, 7, 6),)),
    "LayerNorm": (lambda: nn.LayerNorm(5), (f(2, 3, 5),)),
    "LayerNorm of two axes": (lambda: nn.LayerNorm((3, 5)), (f(2, 3, 5),)),
    "LayerNorm without weights": (lambda: nn.LayerNorm(5, elementwise_affine=False), (f(2, 3, 5),)),
    "RMSNorm": (lambda: nn.RMSNorm(5), (f(2, 3, 5),)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (f(2, 4, 5),)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4), (f(2, 4, 5),)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), (f(2, 4, 5, 3),)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (f(2, 4),)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), (f(2, 4, 3, 2),)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(4), (f(2, 4, 3, 2, 2),)),
    "BatchNorm1d of the batch": (lambda: nn.BatchNorm1d(4, track_running_stats=False), (f(3, 4),)),
    "Dropout": (lambda: nn.Dropout(0.5), (f(2, 4),)),
    "Dropout2d": (lambda: nn.Dropout2d(0.5), (f(2, 4, 3, 3),)),
    "AlphaDropout": (lambda: nn.AlphaDropout(0.5), (f(2, 4),)),
    "SequenceDropout": (lambda: nn.SequenceDropout(0.5), (f(2, 4, 3),)),
    "GaussianNoise": (lambda: nn.GaussianNoise(0.5), (f(2, 4),)),
    "MaskingNoise": (lambda: nn.MaskingNoise(0.5), (f(2, 4),)),
    "Embedding": (lambda: nn.Embedding(7, 3), (t(2, 5),)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(7, 3), (t(2, 5),)),
    "Flatten": (lambda: nn.Flatten(), (f(2, 4, 3),)),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), (f(2, 6),)),
    "LSTM": (lambda: nn.LSTM(3, 4), (f(2, 5, 3),)),
    "LSTM of two layers, bidirectional": (lambda: nn.LSTM(3, 4, 2, bidirectional=True), (f(2, 5, 3),)),
    "LSTM with a state": (lambda: nn.LSTM(3, 4), (f(2, 5, 3), (sl.tensor(f(1, 2, 4)), sl.tensor(f(1, 2, 4))))),
    "LSTM with lengths": (lambda: nn.LSTM(3, 4), (f(2, 5, 3), None, np.array([5, 3]))),
    "GRU": (lambda: nn.GRU(3, 4), (f(2, 5, 3),)),
    "GRU of other conventions": (lambda: nn.GRU(3, 4, reset="before", update="replaces", bidirectional=True), (f(2, 5, 3),)),
    "GRU with the reset gate before": (lambda: nn.GRU(3, 4, reset="before"), (f(2, 5, 3),)),
    "RNN": (lambda: nn.RNN(3, 4), (f(2, 5, 3),)),
    "RNN relu without bias": (lambda: nn.RNN(3, 4, nonlinearity="relu", bias=False), (f(2, 5, 3),)),
    "LSTMCell": (lambda: nn.LSTMCell(3, 4), (f(2, 3),)),
    "GRUCell": (lambda: nn.GRUCell(3, 4), (f(2, 3),)),
    "RNNCell": (lambda: nn.RNNCell(3, 4), (f(2, 3),)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (f(2, 5, 8),)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (f(2, 5, 8),)),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), (f(2, 5, 8),)),
    "TransformerDecoderLayer": (lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (f(2, 5, 8), f(2, 4, 8))),
    "TransformerDecoder": (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 2),
                           (f(2, 5, 8), f(2, 4, 8))),
    "AdaptiveLogSoftmaxWithLoss": (lambda: nn.AdaptiveLogSoftmaxWithLoss(5, 10, [2, 6]), (f(3, 5),)),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), (f(2, 4),)),
    "SinusoidalEncoding": (lambda: nn.SinusoidalEncoding(8), (f(2, 5, 8),)),
    "LearnedEncoding": (lambda: nn.LearnedEncoding(9, 8), (f(2, 5, 8),)),
    "RotaryEncoding": (lambda: nn.RotaryEncoding(8), (f(2, 2, 5, 8),)),
    "Residual": (lambda: nn.Residual(nn.Linear(4, 4)), (f(2, 4),)),
    "Repeat": (lambda: nn.Repeat(nn.Linear(4, 4), 3), (f(2, 4),)),
    "Parallel": (lambda: nn.Parallel(nn.Linear(4, 4), nn.ReLU()), (f(2, 4),)),
    "Ensemble": (lambda: nn.Ensemble(nn.Linear(4, 4), nn.Linear(4, 4)), (f(2, 4),)),
    "Squares": (lambda: nn.Squares(), (f(2, 4),)),
    "Polar": (lambda: nn.Polar(), (f(3, 2),)),
    "Bins": (lambda: nn.Bins(f(20, 2), 4), (f(3, 2),)),
    "Crosses": (lambda: nn.Crosses(), (f(3, 4),)),
}
OPTIONS: dict[str, dict] = {"LSTM with a state": {"dynamic": {"x": 0, "state[0]": 1, "state[1]": 1}}}
NO_REFERENCE = {"ConvTranspose2d": "onnx's evaluator adds the groups of a transposed convolution in the wrong shape",
                "RNN relu without bias": "onnx's evaluator does not know Relu in an RNN"}
LOOPS = ("LSTM with lengths", "GRU of other conventions")  # formulas that no operator has
OPERATORS: dict[str, list[str]] = {  # what these layers must become
    "ReLU": ["Relu"], "GELU": ["Gelu"], "Softmax": ["Softmax"], "Linear": ["Gemm"], "Conv2d": ["Conv"],
    "ConvTranspose2d": ["ConvTranspose"],
    "MaxPool2d": ["MaxPool"], "AvgPool2d": ["AveragePool"], "LayerNorm": ["LayerNormalization"], "BatchNorm2d": ["BatchNormalization"],
    "RNN": ["Transpose", "Reshape", "Reshape", "Concat", "Reshape", "RNN", "Reshape", "Transpose"],
    "Embedding": ["Gather"], "GlobalAvgPool": ["ReduceMean"], "Dropout": ["Identity"],
}


def longer(value: Any) -> Any:
    """An array with one more example."""
    return np.concatenate([value, value[:1]]) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same_in_other_runtimes(name, tmp_path):
    make, args = LAYERS[name]
    net = make()
    model = exported(net, tmp_path / "net.onnx", *args, **OPTIONS.get(name, {}))
    check_runs(model, net, *(args if name in OPTIONS else map(longer, args)), reference=name not in NO_REFERENCE)
    if name.split()[0] in ("LSTM", "GRU", "RNN"):
        assert ("Scan" if name in LOOPS else name.split()[0]) in operators(model)
    if name in OPERATORS:
        assert operators(model) == OPERATORS[name]


def test_every_layer_is_in_the_table():
    base = (nn.Module, nn.Parameter, nn.Buffer)
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type) and getattr(nn, name) not in base}
    assert classes == {name.split()[0] for name in LAYERS}
