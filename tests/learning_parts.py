"""The table of layers, losses and optimizers from which tests are generated: names and arguments mean the same in PyTorch."""

from __future__ import annotations

import functools
import zlib
from typing import Any

import numpy as np

# layer: shape of its input (a batch of an odd size first)
LAYERS: dict[str, tuple[int, ...]] = {
    "Linear(5, 3)": (7, 5),
    "Linear(5, 3, bias=False)": (2, 7, 5),
    "Linear(1, 1)": (1, 1),
    "Conv1d(3, 5, 3)": (3, 3, 11),
    "Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)": (3, 4, 13),
    "Conv1d(2, 3, 4, padding='same')": (3, 2, 9),
    "Conv2d(3, 5, 3)": (3, 3, 9, 7),
    "Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=3, bias=False)": (2, 3, 11, 9),
    "Conv2d(4, 4, 3, padding='same', groups=4)": (1, 4, 7, 5),
    "Conv2d(1, 7, 1)": (5, 1, 3, 3),
    "Conv2d(1, 3, 5, stride=3, padding=2)": (3, 1, 13, 11),
    "Conv3d(2, 3, (1, 3, 2), stride=(1, 2, 1), padding=(0, 1, 1))": (3, 2, 3, 7, 5),
    "Conv3d(4, 4, 3, padding=2, dilation=2, groups=4)": (1, 4, 5, 3, 4),
    "Conv1d(4, 8, 3, padding='same', dilation=2, groups=4)": (3, 4, 9),
    "ConvTranspose1d(3, 4, 4, stride=2, padding=1)": (3, 3, 7),
    "ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2)": (3, 4, 5),
    "ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1)": (3, 3, 5, 7),
    "ConvTranspose2d(4, 2, (2, 3), stride=1, padding=0, dilation=2, bias=False)": (1, 4, 3, 5),
    "ConvTranspose3d(2, 1, 2, stride=2)": (1, 2, 3, 3, 5),
    "ConvTranspose3d(4, 4, 2, stride=(1, 2, 1), padding=(0, 1, 0), output_padding=(0, 1, 0), dilation=(2, 1, 2), groups=4)":
        (1, 4, 3, 2, 3),
    "MaxPool1d(3, 1)": (3, 2, 9),
    "MaxPool1d(3, 2, 1, 2)": (3, 2, 11),
    "MaxPool2d(2)": (3, 5, 7, 9),
    "MaxPool2d((3, 2), (2, 1), (1, 0))": (3, 2, 9, 7),
    "MaxPool3d((1, 2, 3))": (1, 2, 3, 5, 7),
    "AvgPool1d(3, 2, 1)": (3, 2, 9),
    "AvgPool2d(2)": (3, 5, 7, 9),
    "AvgPool2d(3, 2, 1, count_include_pad=False)": (3, 2, 9, 7),
    "AvgPool3d(2)": (1, 2, 5, 4, 3),
    "AdaptiveAvgPool1d(4)": (3, 2, 9),
    "AdaptiveAvgPool2d(1)": (3, 5, 7, 9),
    "AdaptiveAvgPool2d((3, 5))": (3, 2, 7, 5),
    "AdaptiveAvgPool3d((2, 1, 3))": (1, 2, 3, 4, 7),
    "Flatten()": (3, 2, 5),
    "Flatten(0, 1)": (3, 2, 5),
    "Unflatten(1, (2, 3))": (5, 6),
    "BatchNorm1d(5)": (7, 5),
    "BatchNorm1d(3)": (3, 3, 5),
    "BatchNorm1d(3, eps=1e-3, momentum=0.3, affine=False)": (7, 3),
    "BatchNorm1d(3, momentum=None)": (7, 3),
    "BatchNorm1d(3, track_running_stats=False)": (7, 3),
    "BatchNorm2d(3)": (3, 3, 5, 7),
    "BatchNorm3d(3)": (3, 3, 2, 3, 2),
    "InstanceNorm1d(3)": (3, 3, 5),
    "InstanceNorm1d(3, affine=True, track_running_stats=True)": (3, 3, 5),
    "InstanceNorm2d(3, eps=1e-3, momentum=0.3, affine=True)": (3, 3, 5, 7),
    "InstanceNorm2d(3, track_running_stats=True, momentum=0.2)": (3, 3, 5, 7),
    "LayerNorm(5)": (7, 5),
    "LayerNorm((3, 5), eps=1e-3, bias=False)": (7, 3, 5),
    "LayerNorm([5], elementwise_affine=False)": (2, 3, 5),
    "RMSNorm(5)": (7, 5),
    "RMSNorm((3, 5), eps=1e-3)": (7, 3, 5),
    "RMSNorm(5, elementwise_affine=False)": (7, 5),
    "GroupNorm(2, 6)": (3, 6, 5, 3),
    "GroupNorm(3, 3, affine=False)": (3, 3, 7),
    "GroupNorm(1, 4, eps=1e-3)": (7, 4),
    "LPPool1d(2, 3, 2)": (3, 2, 9),
    "LPPool2d(2, (3, 2))": (3, 2, 9, 7),
    "LPPool2d(4, 2, 1)": (3, 2, 5, 3),
    "AdaptiveMaxPool1d(4)": (3, 2, 9),
    "AdaptiveMaxPool1d(5)": (3, 2, 5),
    "AdaptiveMaxPool2d(1)": (3, 5, 7, 9),
    "AdaptiveMaxPool2d((3, 5))": (3, 2, 7, 5),
    "AdaptiveMaxPool2d((2, 4))": (3, 2, 7, 11),
    "Dropout2d(0.0)": (3, 5, 2, 2),
    "AlphaDropout(0.0)": (7, 5),
    "MultiheadAttention(6, 3, batch_first=True)": (3, 5, 6),
    "MultiheadAttention(6, 1, bias=False, kdim=6, vdim=6, batch_first=True)": (3, 5, 6),
    "TransformerEncoderLayer(6, 2, 7, 0.0, batch_first=True)": (3, 5, 6),
    "TransformerEncoderLayer(6, 3, 7, 0.0, 'gelu', layer_norm_eps=1e-3, batch_first=True, norm_first=True, bias=False)": (3, 5, 6),
    "TransformerDecoderLayer(6, 2, 7, 0.0, batch_first=True)": (3, 5, 6),
    "TransformerDecoderLayer(6, 2, 7, 0.0, 'gelu', batch_first=True, norm_first=True)": (3, 5, 6),
    "TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 7, 0.0, batch_first=True), 2)": (3, 5, 6),
    "TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 7, 0.0, batch_first=True, norm_first=True), 2, nn.LayerNorm(6))": (3, 5, 6),
    "TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 7, 0.0, batch_first=True), 2, nn.LayerNorm(6))": (3, 5, 6),
    "RNN(5, 3, batch_first=True)": (7, 4, 5),
    "RNN(5, 3, 2, nonlinearity='relu', bias=False, batch_first=True)": (3, 4, 5),
    "LSTM(5, 3, batch_first=True)": (7, 4, 5),
    "LSTM(1, 1, bias=False, batch_first=True)": (3, 1, 1),
    "LSTM(5, 3, 2, bidirectional=True, batch_first=True)": (3, 7, 5),
    "GRU(5, 3, batch_first=True)": (7, 4, 5),
    "GRU(5, 3, bias=False, batch_first=True)": (3, 4, 5),
    "GRU(3, 5, 3, bidirectional=True, batch_first=True)": (1, 5, 3),
    "RNNCell(5, 3)": (7, 5),
    "RNNCell(5, 3, False, 'relu')": (7, 5),
    "LSTMCell(5, 3)": (7, 5),
    "LSTMCell(5, 3, bias=False)": (7, 5),
    "GRUCell(5, 3)": (7, 5),
    "GRUCell(5, 3, bias=False)": (7, 5),
    "Dropout(0.0)": (7, 5),
    "Identity()": (7, 5),
    "Sigmoid()": (7, 5),
    "Tanh()": (7, 5),
    "ReLU()": (7, 5),
    "LeakyReLU()": (7, 5),
    "LeakyReLU(0.3)": (7, 5),
    "Softplus()": (7, 5),
    "Softplus(2.5)": (7, 5),
    "Softmax(1)": (7, 5),
    "Softmax(-1)": (3, 7, 5),
    "LogSoftmax(1)": (7, 5, 3),
    "ELU()": (7, 5),
    "ELU(0.5)": (7, 5),
    "GELU()": (7, 5),
    "GELU('tanh')": (7, 5),
    "SiLU()": (7, 5),
    "SELU()": (7, 5),
    "PReLU()": (7, 5),
    "PReLU(5, 0.1)": (3, 5, 7),
    "Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))": (7, 5),
    "Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 5))": (3, 1, 9, 9),
    "ReLU6()": (7, 5),
    "Hardtanh()": (7, 5),
    "Hardsigmoid()": (7, 5),
    "Hardswish()": (7, 5),
    "Mish()": (7, 5),
    "CELU()": (7, 5),
    "Softsign()": (7, 5),
    "LogSigmoid()": (7, 5),
    "Tanhshrink()": (7, 5),
    "Softshrink()": (7, 5),
    "Hardshrink()": (7, 5),
    "Threshold(0.5, 7.0)": (7, 5),
    "Softmin(1)": (7, 5),
    "Softmax2d()": (3, 5, 2, 3),
    "GLU()": (7, 6),
    "InstanceNorm3d(3, affine=True, bias=False)": (3, 3, 2, 3, 2),
    "MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True)": (3, 5, 6),
    "Transformer(6, 2, 1, 1, 7, 0.0, batch_first=True)": (3, 5, 6),
    "Conv2d(2, 3, 3, padding='same', padding_mode='reflect', groups=1)": (3, 2, 5, 4),
    "ConstantPad1d((1, -2), 3.5)": (3, 2, 5),
    "ConstantPad2d((1, 2, 0, 3), 0.5)": (3, 2, 5, 4),
    "ConstantPad3d(1, 0.5)": (3, 1, 2, 3, 4),
    "ZeroPad1d(2)": (3, 2, 5),
    "ZeroPad2d((-1, 2, 0, 3))": (3, 2, 5, 4),
    "ZeroPad3d((1, 0, 2, 0, 0, 1))": (3, 1, 2, 3, 4),
    "ReflectionPad1d((3, 1))": (3, 2, 5),
    "ReflectionPad2d((1, 2, -1, 3))": (3, 2, 5, 4),
    "ReflectionPad3d(1)": (3, 1, 2, 3, 4),
    "ReplicationPad1d((3, 0))": (3, 2, 2),
    "ReplicationPad2d((5, 2, 1, 3))": (3, 2, 5, 4),
    "ReplicationPad3d(2)": (3, 1, 2, 3, 4),
    "CircularPad1d((5, 1))": (3, 2, 5),
    "CircularPad2d((1, 2, 0, 3))": (3, 2, 5, 4),
    "CircularPad3d(1)": (3, 1, 2, 3, 4),
    "MaxPool2d((3, 2), 3, (1, 0), ceil_mode=True)": (3, 2, 9, 8),
    "AvgPool2d(3, 2, 1, ceil_mode=True)": (3, 2, 8, 6),
    "LPPool3d(2, 2)": (3, 2, 4, 3, 2),
    "AdaptiveMaxPool3d((2, None, 1))": (3, 2, 4, 3, 2),
    "Dropout1d(0.0)": (3, 5, 2),
    "Dropout3d(0.0, True)": (3, 5, 2, 2, 1),
    "PixelShuffle(2)": (3, 8, 2, 3),
    "PixelUnshuffle(2)": (3, 2, 4, 6),
    "ChannelShuffle(3)": (3, 6, 2, 3),
    "Unfold((2, 3), dilation=(2, 1), padding=1, stride=(1, 2))": (3, 2, 5, 6),
    "Fold((5, 6), (2, 3), dilation=(2, 1), padding=1, stride=(1, 2))": (3, 12, 15),
    "LocalResponseNorm(3, 0.5, 0.6, 2.0)": (3, 5, 4),
    "Bilinear(5, 5, 3)": (7, 5),
    "Upsample(scale_factor=2.6, mode='bicubic')": (3, 2, 4, 3),
    "UpsamplingNearest2d((5, 2))": (3, 2, 3, 4),
    "UpsamplingBilinear2d(scale_factor=1.7)": (3, 2, 3, 4),
}

# further arguments of these layers, which only the tests against PyTorch go through
VARIANTS: dict[str, tuple[int, ...]] = {
    "ReLU(inplace=True)": (7, 5),
    "Hardtanh(-0.5, 0.25)": (7, 5),
    "CELU(0.5, inplace=True)": (7, 5),
    "Softshrink(0.2)": (7, 5),
    "Hardshrink(0.0)": (7, 5),
    "Softplus(2.0, 1.0)": (7, 5),
    "Softmin(-1)": (3, 7, 5),
    "GLU(1)": (3, 4, 5),
    "LeakyReLU(0.2, True)": (7, 5),
    "ELU(0.7, inplace=True)": (7, 5),
    "Identity(54, unused=True)": (7, 5),
    "BatchNorm1d(3, bias=False)": (7, 3),
    "GroupNorm(2, 6, bias=False)": (3, 6, 5, 3),
    "TransformerEncoderLayer(6, 2, 7, 0.0, nn.SiLU(), batch_first=True)": (3, 5, 6),
    "Conv1d(2, 3, 3, padding=2, padding_mode='circular')": (3, 2, 5),
    "Conv2d(2, 4, (2, 4), padding='same', padding_mode='replicate', groups=2)": (3, 2, 5, 6),
    "Conv3d(1, 2, 3, padding=(1, 0, 2), padding_mode='circular')": (3, 1, 2, 3, 4),
    "MaxPool1d(3, 2, 1, 2, ceil_mode=True)": (3, 2, 12),
    "AvgPool1d(2, 3, 1, ceil_mode=True)": (3, 2, 9),
    "AvgPool2d(3, 2, 1, True, False)": (3, 2, 8, 7),
    "AvgPool3d(2, 3, ceil_mode=True, divisor_override=3)": (1, 2, 5, 4, 3),
    "LPPool2d(2, 3, 2, ceil_mode=True)": (3, 2, 8, 6),
    "AdaptiveAvgPool2d((None, 3))": (3, 2, 5, 7),
    "LocalResponseNorm(2)": (3, 4, 3, 2),
    "Upsample(scale_factor=2)": (3, 2, 3, 4),
    "Upsample(5, mode='nearest-exact')": (3, 2, 3),
    "Upsample(4, mode='trilinear', align_corners=True)": (2, 1, 3, 2, 5),
    "Upsample((5, 3), mode='bilinear')": (3, 2, 3, 4),
}

# layers of ours alone, or whose input is not floats: (layer, example)
OWN_LAYERS: dict[str, tuple[int, ...]] = {
    "Heaviside()": (7, 5),
    "Heaviside(0.5)": (7, 5),
    "Dropout(0.5)": (7, 5),
    "Dropout2d(0.5)": (3, 5, 2, 2),
    "SequenceDropout(0.5)": (3, 4, 5),
    "AlphaDropout(0.3)": (7, 5),
    "Squares()": (7, 5),
    "Crosses()": (7, 4),
    "Polar()": (7, 2),
    "Bins([[0, 1, -1], [1, 0, 0], [0, 2, 1], [1, -1, 3]], 2)": (7, 3),
    "GaussianNoise(0.5)": (7, 5),
    "MaskingNoise(0.3)": (7, 5),
    "AdaptiveLogSoftmaxWithLoss(8, 20, (4, 10), 2.0)": (7, 8),
    "AdaptiveLogSoftmaxWithLoss(8, 20, (15,), head_bias=True)": (3, 5, 8),
    "LPPool1d(3, 2)": (3, 2, 9),
    "GlobalAvgPool()": (3, 2, 5, 7),
    "GlobalMaxPool()": (3, 2, 5),
    "MultiheadAttention(6, 2, 0.5, batch_first=True)": (3, 5, 6),
    "TransformerEncoderLayer(6, 2, 7, 0.3, batch_first=True)": (3, 5, 6),
    "GRU(5, 3, reset='before', batch_first=True)": (3, 4, 5),
    "GRU(5, 3, reset='before', update='replaces', bias=False, batch_first=True)": (3, 4, 5),
    "GRUCell(5, 3, update='replaces')": (7, 5),
    "LSTM(5, 3, forget_bias=1.0, batch_first=True)": (3, 4, 5),
    "LSTM(5, 3, 2, dropout=0.3, bidirectional=True, batch_first=True)": (3, 4, 5),
    "RNN(5, 3, 2, input_dropout=0.3, hidden_dropout=0.5, batch_first=True)": (3, 4, 5),
    "SinusoidalEncoding(5)": (3, 7, 5),
    "LearnedEncoding(9, 5)": (3, 7, 5),
    "RotaryEncoding(6)": (3, 2, 7, 6),
    "Residual(nn.Linear(5, 5), nn.Tanh())": (7, 5),
    "Residual(nn.Conv2d(2, 3, 3, 2, 1), nn.BatchNorm2d(3), shortcut=nn.Conv2d(2, 3, 1, 2))": (3, 2, 5, 7),
    "Parallel(nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(3, 1, 1), nn.Identity())": (3, 2, 5, 7),
    "Parallel(nn.Linear(5, 3), nn.Linear(5, 3), join='sum')": (7, 5),
    "Repeat(nn.Linear(5, 5), 3)": (7, 5),
    "Ensemble(nn.Linear(5, 3), nn.Linear(5, 3))": (7, 5),
    "Ensemble(nn.Linear(5, 5), nn.Tanh(), mean='outputs')": (7, 5),
    "Hardtanh(min_value=-0.3, max_value=2.0)": (7, 5),
    "CosineSimilarity(dim=-1)": (7, 5),
    "PairwiseDistance(keepdim=True)": (7, 5),
    "RReLU()": (7, 5),
    "RReLU(0.1, 0.9)": (7, 5),
    "FeatureAlphaDropout(0.3)": (7, 5),
}
INTEGER_LAYERS: dict[str, tuple[tuple[int, ...], int]] = {
    "Embedding(11, 3)": ((5, 4), 11),
    "Embedding(7, 3, 2)": ((9,), 7),
    "Embedding(7, 3, -1)": ((9,), 7),
    "EmbeddingBag(11, 3)": ((5, 4), 11),
    "EmbeddingBag(7, 3, mode='sum', padding_idx=2)": ((5, 4), 7),
    "EmbeddingBag(5, 3, mode='mean', padding_idx=-1)": ((5, 4), 5),
    "EmbeddingBag(7, 3, mode='max')": ((5, 4), 7),
    "EmbeddingBag(3, 3, mode='max', padding_idx=0)": ((5, 2), 3),
    "Embedding(7, 3, scale_grad_by_freq=True)": ((9,), 7),
}
# layers with several inputs, which the tests give the same tensor so many times, or with several outputs, of which they take the first
INPUTS = {"MultiheadAttention": 3, "TransformerDecoderLayer": 2, "TransformerDecoder": 2, "Transformer": 2, "CosineSimilarity": 2,
          "PairwiseDistance": 2, "Bilinear": 2, "RNN": 1, "LSTM": 1, "GRU": 1,
          "LSTMCell": 1}

# loss: (shape of outputs, kind of targets); kinds are made by `targets`
LOSSES: dict[str, tuple[tuple[int, ...], str]] = {
    "cross_entropy(x, t)": ((7, 5), "labels"),
    "cross_entropy(x, t, reduction='sum')": ((7, 5), "labels"),
    "cross_entropy(x, t, reduction='none')": ((7, 5), "labels"),
    "cross_entropy(x, t, weight=w)": ((7, 5), "labels"),
    "cross_entropy(x, t, label_smoothing=0.1)": ((7, 5), "labels"),
    "cross_entropy(x, t, weight=w, label_smoothing=0.1, reduction='none')": ((7, 5), "labels"),
    "cross_entropy(x, t, weight=w, label_smoothing=0.1)": ((7, 5), "labels"),
    "cross_entropy(x, t, ignore_index=2)": ((7, 5), "labels"),
    "cross_entropy(x, t, ignore_index=-100, weight=w, label_smoothing=0.2)": ((7, 5), "labels with -100"),
    "cross_entropy(x, t, ignore_index=-100, reduction='none')": ((7, 5), "labels with -100"),
    "cross_entropy(x, t, weight=w, reduction='sum', ignore_index=0)": ((3, 5, 7, 2), "labels"),
    "cross_entropy(x, t, reduction='sum', label_smoothing=0.1)": ((7, 5), "class shares"),
    "cross_entropy(x, t, weight=w, label_smoothing=0.2)": ((3, 5, 4), "class shares"),
    "cross_entropy(x * 1000, t)": ((7, 5), "labels"),
    "cross_entropy(x[:1], t[:1])": ((7, 5), "labels"),
    "nll_loss(x, t)": ((7, 5), "labels"),
    "nll_loss(x, t, weight=w, ignore_index=1)": ((3, 5, 7), "labels"),
    "binary_cross_entropy_with_logits(x, t)": ((7, 3), "shares"),
    "binary_cross_entropy_with_logits(x, t, weight=w3, reduction='sum')": ((7, 3), "shares"),
    "binary_cross_entropy_with_logits(x, t, pos_weight=w3)": ((7, 3), "shares"),
    "binary_cross_entropy_with_logits(x * 100, t, reduction='none')": ((7, 3), "shares"),
    "mse_loss(x, t)": ((7, 3), "numbers"),
    "mse_loss(x, t, reduction='sum')": ((7, 3), "numbers"),
    "mse_loss(x, t, reduction='none')": ((7,), "numbers"),
    "l1_loss(x, t)": ((7, 3), "numbers"),
    "huber_loss(x, t)": ((7, 3), "numbers"),
    "huber_loss(x, t, delta=0.3, reduction='sum')": ((7, 3), "numbers"),
    "kl_div(x, t, reduction='batchmean')": ((7, 3), "shares"),
    "kl_div(x, t, reduction='sum')": ((7, 3), "shares with zeros"),
    "kl_div(x, t, log_target=True, reduction='none')": ((7, 3), "numbers"),
}
OWN_LOSSES: dict[str, tuple[tuple[int, ...], str]] = {
    "squared_loss(x, t)": ((7, 3), "numbers"),
    "log_likelihood(x, t)": ((7, 5), "labels"),
    "hinge_loss(x, t)": ((7, 5), "labels"),
    "token_cross_entropy(x, t)": ((7, 5), "labels with -100"),
}

OPTIMIZERS = (
    "SGD(p, lr=0.1)",
    "SGD(p, lr=0.1, weight_decay=0.05)",
    "SGD(p, lr=0.05, momentum=0.9)",
    "SGD(p, lr=0.05, momentum=0.9, dampening=0.3)",
    "SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01)",
    "SGD(p, lr=0.05, maximize=True)",
    "Adam(p)",
    "Adam(p, lr=0.1)",
    "Adam(p, lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)",
    "Adam(p, lr=0.05, betas=(0.5, 0.6), amsgrad=True)",
    "Adam(p, lr=0.02, weight_decay=0.3, amsgrad=True, maximize=True, decoupled_weight_decay=True)",
    "AdamW(p, lr=0.1)",
    "AdamW(p, lr=0.02, betas=(0.5, 0.6), weight_decay=0.1, amsgrad=True)",
    "AdamW(p, lr=0.02, weight_decay=0.3, betas=(0.5, 0.9))",
    "AdamW(p, lr=0.02, weight_decay=0.0, maximize=True)",
    "NAdam(p)",
    "NAdam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1, momentum_decay=0.1)",
    "NAdam(p, lr=0.05, weight_decay=0.2, decoupled_weight_decay=True, maximize=True)",
    "Adagrad(p)",
    "Adagrad(p, lr=0.1, lr_decay=0.3, weight_decay=0.05, initial_accumulator_value=0.2, eps=1e-3)",
    "Adagrad(p, lr=0.05, maximize=True)",
    "RMSprop(p)",
    "RMSprop(p, lr=0.02, alpha=0.8, eps=1e-3, weight_decay=0.1, momentum=0.7)",
    "RMSprop(p, lr=0.01, alpha=0.9, eps=1e-2, centered=True, momentum=0.5)",
    "RMSprop(p, centered=True, eps=1e-3, maximize=True)",
    "Adadelta(p)",
    "Adadelta(p, lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.1)",
    "Adadelta(p, maximize=True)",
    "Adamax(p)",
    "Adamax(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1, maximize=True)",
    "RAdam(p)",
    "RAdam(p, lr=0.05, betas=(0.5, 0.6), eps=1e-3, weight_decay=0.1)",
    "RAdam(p, lr=0.05, betas=(0.5, 0.6), weight_decay=0.2, decoupled_weight_decay=True, maximize=True)",
    "Rprop(p)",
    "Rprop(p, lr=0.1, etas=(0.6, 1.5), step_sizes=(0.05, 0.15), maximize=True)",
    "Adafactor(p)",
    "Adafactor(p, lr=0.05, beta2_decay=-0.5, eps=(1e-4, 0.1), d=1.5, weight_decay=0.1)",
    "Adafactor(p, maximize=True)",
)
OWN_OPTIMIZERS = ("Lion(p)", "Lion(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.1, maximize=True)")


def random(name: str) -> np.random.Generator:
    """Numbers that depend on the name only."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return random(name).standard_normal(shape).astype(np.float32)


def indices(name: str, shape: tuple[int, ...], below: int) -> np.ndarray:
    return random(name).integers(0, below, shape)


def targets(name: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Targets for outputs of this shape."""
    source = random(name + kind)
    if kind.startswith("labels"):
        labels = source.integers(0, shape[1], (shape[0], *shape[2:]))
        if kind == "labels with -100":
            labels[::3] = -100
        return labels
    if kind == "numbers":
        return source.standard_normal(shape).astype(np.float32)
    shares = source.uniform(0, 1, shape).astype(np.float32)
    if kind == "class shares":
        return shares / shares.sum(axis=1, keepdims=True)
    return np.where(shares < 0.3, 0, shares).astype(np.float32) if kind == "shares with zeros" else shares


def weights(name: str, count: int) -> np.ndarray:
    return random(name + "weights").uniform(0.5, 2, count).astype(np.float32)


def make(nn: Any, layer: str) -> Any:
    """The layer that the text describes, from a module of layers."""
    name = layer.split("(")[0]
    kind = fed(getattr(nn, name), INPUTS[name]) if name in INPUTS else getattr(nn, name)
    return eval("kind" + layer.removeprefix(name), {"nn": nn, "kind": kind})


@functools.cache
def fed(kind: Any, count: int) -> Any:
    """A class of this name whose layers take one tensor, give it to each of the inputs, and return the first output."""
    def forward(self: Any, x: Any) -> Any:
        result = kind.forward(self, *[x] * count)
        return result[0] if isinstance(result, tuple) else result

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__, "__doc__": kind.__doc__})


def call(functions: Any, loss: str, **values: Any) -> Any:
    """The loss that the text describes, from a module of losses."""
    return eval("functions." + loss, {"functions": functions, **values})


def optimizer(optim: Any, text: str, parameters: Any) -> Any:
    return eval("optim." + text, {"optim": optim, "p": parameters})
