"""Every layer as an ONNX model: equal in onnx's evaluator and in onnxruntime, for another batch too, and when it is loaded again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_cases import check_comes_back, check_runs, exported, operators

import slopes as sl
from slopes import nn

rng = np.random.default_rng(0)


def f(*shape: int) -> np.ndarray:
    """Random numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def t(*shape: int) -> np.ndarray:
    """Random tokens."""
    return rng.integers(0, 7, shape)


class Several(nn.Module):
    """Layers side by side, on the same inputs: one model for all of them."""

    def __init__(self, *layers: nn.Module) -> None:
        self.layers = list(layers)

    def forward(self, *args: Any) -> list[Any]:
        return [layer(*args) for layer in self.layers]


ACTIVATIONS = ("ELU", "GELU", "SELU", "Hardsigmoid", "Hardswish", "Identity", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "RReLU",
               "ReLU", "ReLU6", "Sigmoid", "SiLU", "Softmax", "Softmin", "Softplus", "Softsign", "Tanh", "Tanhshrink")
LOSSES = ("BCEWithLogitsLoss", "HingeEmbeddingLoss", "HuberLoss", "L1Loss", "MSELoss", "MultiLabelSoftMarginLoss", "SmoothL1Loss",
          "SoftMarginLoss")
DROPOUTS = ("AlphaDropout", "Dropout", "Dropout1d", "FeatureAlphaDropout", "GaussianNoise", "MaskingNoise", "SequenceDropout")
PADS = ("Circular", "Reflection", "Replication", "Zero")
ALIKE: dict[str, tuple[dict[str, Any], tuple]] = {  # layers that take the same inputs, and these
    "activations": ({name: getattr(nn, name)() for name in ACTIVATIONS}, (f(3, 5),)),
    "losses": ({name: getattr(nn, name)() for name in LOSSES}, (f(3, 5), f(3, 5))),
    "dropouts": ({name: getattr(nn, name)(0.5) for name in DROPOUTS}, (f(2, 4, 3),)),
    **{f"pads of {rank} axes": ({f"{kind}Pad{rank}d": getattr(nn, f"{kind}Pad{rank}d")((1, 2) * rank) for kind in PADS}
                                | {f"ConstantPad{rank}d": getattr(nn, f"ConstantPad{rank}d")(1, 0.5)}, (f(2, 3, *(4,) * rank),))
       for rank in (1, 2, 3)},
}
LAYERS: dict[str, tuple[Any, tuple]] = {
    **{name: (getattr(nn, name), (np.abs(f(3, 5)), np.abs(f(3, 5)))) for name in ("KLDivLoss", "PoissonNLLLoss")},
    **{name: (getattr(nn, name), (f(3, 7), t(3))) for name in ("CrossEntropyLoss", "MultiMarginLoss", "NLLLoss")},
    **{name: (getattr(nn, name), (f(3, 5), f(3, 5), f(3, 5))) for name in ("TripletMarginLoss", "TripletMarginWithDistanceLoss")},
    "BCELoss": (lambda: nn.BCELoss(), (rng.random((3, 5), np.float32), rng.random((3, 5), np.float32))),
    "CTCLoss": (lambda: nn.CTCLoss(), (f(6, 2, 7), t(2, 3) % 6 + 1, np.array([6, 5]), np.array([3, 2]))),
    "CosineEmbeddingLoss": (lambda: nn.CosineEmbeddingLoss(), (f(3, 5), f(3, 5), np.array([1, -1, 1]))),
    "GaussianNLLLoss": (lambda: nn.GaussianNLLLoss(), (f(3, 5), f(3, 5), np.abs(f(3, 5)) + 0.5)),
    "MarginRankingLoss": (lambda: nn.MarginRankingLoss(), (f(3), f(3), np.sign(f(3)))),
    "MultiLabelMarginLoss": (lambda: nn.MultiLabelMarginLoss(), (f(3, 4), np.array([[1, 0, -1, 0], [2, -1, 0, 0], [0, 1, 2, 3]]))),
    "Threshold": (lambda: nn.Threshold(0.1, 2.0), (f(3, 5),)),
    "CELU": (lambda: nn.CELU(0.7), (f(3, 5),)),
    "GLU": (lambda: nn.GLU(), (f(3, 6),)),
    "Hardshrink": (lambda: nn.Hardshrink(), (f(3, 5),)),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 1.0), (f(3, 5),)),
    "Heaviside": (lambda: nn.Heaviside(0.1), (f(3, 5),)),
    "Softmax2d": (lambda: nn.Softmax2d(), (f(2, 3, 4, 5),)),
    "Softshrink": (lambda: nn.Softshrink(), (f(3, 5),)),
    "Conv2d with circular padding": (lambda: nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), (f(2, 2, 7, 6),)),
    "InstanceNorm3d": (lambda: nn.InstanceNorm3d(2), (f(2, 2, 3, 2, 3),)),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), (f(2, 5, 8), f(2, 4, 8))),
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
    "MaxPool2d with ceil_mode": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (f(2, 3, 6, 8),)),
    "AvgPool2d with ceil_mode": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (f(2, 3, 6, 8),)),
    "AvgPool2d with a divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), (f(2, 3, 6, 8),)),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d(2), (f(2, 3, 4, 5, 4),)),
    "LPPool3d": (lambda: nn.LPPool3d(2, 2), (f(2, 3, 4, 4, 4),)),
    "MaxUnpool1d": (lambda: nn.MaxUnpool1d(2), (f(2, 3, 4), t(2, 3, 4))),
    "MaxUnpool2d": (lambda: nn.MaxUnpool2d(2), (f(2, 3, 2, 3), t(2, 3, 2, 3))),
    "MaxUnpool3d": (lambda: nn.MaxUnpool3d(2), (f(1, 2, 2, 1, 2), t(1, 2, 2, 1, 2))),
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
    "Dropout2d": (lambda: nn.Dropout2d(0.5), (f(2, 4, 3, 3),)),
    "Dropout3d": (lambda: nn.Dropout3d(0.5), (f(2, 4, 3, 3, 3),)),
    "Embedding": (lambda: nn.Embedding(7, 3), (t(2, 5),)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(7, 3), (t(2, 5),)),
    "Flatten": (lambda: nn.Flatten(), (f(2, 4, 3),)),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), (f(2, 6),)),
    "LSTM": (lambda: nn.LSTM(3, 4, batch_first=True), (f(2, 5, 3),)),
    "LSTM of two layers, bidirectional": (lambda: nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True), (f(2, 5, 3),)),
    "LSTM with a state": (lambda: nn.LSTM(3, 4, batch_first=True), (f(2, 5, 3), (sl.tensor(f(1, 2, 4)), sl.tensor(f(1, 2, 4))))),
    "LSTM with a projection": (lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True), (f(2, 5, 3),)),
    "LSTM over time as the first axis": (lambda: nn.LSTM(3, 4), (f(2, 5, 3),)),
    "LSTM with lengths": (lambda: nn.LSTM(3, 4, batch_first=True), (f(2, 5, 3), None, np.array([5, 3]))),
    "GRU": (lambda: nn.GRU(3, 4, batch_first=True), (f(2, 5, 3),)),
    "GRU of other conventions": (lambda: nn.GRU(
        3, 4, reset="before", update="replaces", bidirectional=True, batch_first=True), (f(2, 5, 3),)),
    "GRU with the reset gate before": (lambda: nn.GRU(3, 4, reset="before", batch_first=True), (f(2, 5, 3),)),
    "RNN": (lambda: nn.RNN(3, 4, batch_first=True), (f(2, 5, 3),)),
    "RNN relu without bias": (lambda: nn.RNN(3, 4, nonlinearity="relu", bias=False, batch_first=True), (f(2, 5, 3),)),
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
    "Bilinear": (lambda: nn.Bilinear(3, 4, 2), (f(2, 3), f(2, 4))),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), (f(2, 4, 3, 3),)),
    "CosineSimilarity": (lambda: nn.CosineSimilarity(), (f(2, 4), f(2, 4))),
    "PairwiseDistance": (lambda: nn.PairwiseDistance(), (f(2, 4), f(2, 4))),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), (f(2, 4, 3, 3),)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (f(2, 4, 3, 2),)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (f(2, 1, 4, 6),)),
    "Fold": (lambda: nn.Fold((4, 5), 2), (f(2, 8, 12),)),
    "Unfold": (lambda: nn.Unfold(2), (f(2, 2, 4, 5),)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (f(2, 2, 4, 5),)),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), (f(2, 2, 4, 5),)),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d((7, 9)), (f(2, 2, 4, 5),)),
    "Squares": (lambda: nn.Squares(), (f(2, 4),)),
    "Polar": (lambda: nn.Polar(), (f(3, 2),)),
    "Bins": (lambda: nn.Bins(f(20, 2), 4), (f(3, 2),)),
    "Crosses": (lambda: nn.Crosses(), (f(3, 4),)),
}
OPTIONS: dict[str, dict] = {"LSTM with a state": {"dynamic": {"x": 0, "state[0]": 1, "state[1]": 1}},
                            "CTCLoss": {"dynamic": {"input_1": 1, "input_2": 0, "input_3": 0, "input_4": 0}}}
NO_REFERENCE = {"ConvTranspose2d": "onnx's evaluator adds the groups of a transposed convolution in the wrong shape",
                "RNN relu without bias": "onnx's evaluator does not know Relu in an RNN"}
GRADIENTS = ("Linear", "Conv2d", "ConvTranspose1d", "MaxPool2d", "AvgPool2d with ceil_mode", "LayerNorm", "BatchNorm2d", "LSTM",
             "LSTM with lengths", "GRU", "RNN", "MultiheadAttention", "TransformerDecoderLayer", "Polar")  # compared too
LOOPS = ("LSTM with lengths", "LSTM with a projection", "GRU of other conventions")  # formulas that no operator has
OPERATORS: dict[str, list[str]] = {  # what these layers must become
    "CELU": ["Celu"], "GELU with tanh": ["Gelu"], "Linear": ["Gemm"], "Conv2d": ["Conv"],
    "ConvTranspose2d": ["ConvTranspose"],
    "MaxPool2d": ["MaxPool"], "AvgPool2d": ["AveragePool"], "LayerNorm": ["LayerNormalization"], "BatchNorm2d": ["BatchNormalization"],
    "RNN": ["Transpose", "Reshape", "Reshape", "Concat", "Reshape", "RNN", "Reshape", "Transpose"],
    "Embedding": ["Gather"], "GlobalAvgPool": ["ReduceMean"], "Dropout2d": ["Identity"],
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
    check_comes_back(tmp_path / "net.onnx", net, *args, gradients=name in GRADIENTS)
    if name.split()[0] in ("LSTM", "GRU", "RNN"):
        assert ("Scan" if name in LOOPS else name.split()[0]) in operators(model)
    if name in OPERATORS:
        assert operators(model) == OPERATORS[name]


@pytest.mark.parametrize("name", ALIKE)
def test_layers_side_by_side_compute_the_same_in_other_runtimes(name, tmp_path):
    layers, args = ALIKE[name]
    net = Several(*layers.values())
    model = exported(net, tmp_path / "net.onnx", *args)
    check_runs(model, net, *map(longer, args))
    check_comes_back(tmp_path / "net.onnx", net, *args)
    if name == "activations":
        assert {"Elu", "Gelu", "Selu", "HardSwish", "LeakyRelu", "LogSoftmax", "Mish", "Relu", "Clip", "Softmax"} < set(operators(model))


def test_every_layer_is_in_the_table():
    classes = {name for name in nn.__all__ if getattr(getattr(nn, name), "forward", nn.Module.forward) is not nn.Module.forward}
    assert classes == {name.split()[0] for name in LAYERS}.union(*(layers for layers, _ in ALIKE.values()))
