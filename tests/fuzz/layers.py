"""Rules for layers and losses: each makes a layer and calls it with an input that fits."""

from __future__ import annotations

from functools import partial

from .arrays import values_text
from .drawing import Draft, Rule, Value, registered
from .functions import indices, operand

LAYERS: dict[str, Rule] = {}

# Public names of nn that no rule covers, and why
EXCLUDED = {
    "Buffer": "a tensor of a layer, which many layers here have", "Parameter": "a tensor of a layer, which most layers here have",
    "Module": "the base of all layers here", **dict.fromkeys(["ModuleList", "ModuleDict", "ParameterList", "ParameterDict"], "no forward"),
    **dict.fromkeys(["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"], "takes the indices of maxima; is compared in test_unpooling.py"),
    "init": "a module", "loss_for": "chooses one of the losses here",
    "contractive_penalty": "is a derivative of a layer, and its eager form too", "detached": "is drawn as stop_gradient",
    **dict.fromkeys(["celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_sigmoid",
                     "log_softmax", "mish", "relu", "relu6", "scaled_dot_product_attention", "selu", "sigmoid", "silu", "softmax",
                     "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold"],
                    "the function of slopes itself"),
    **dict.fromkeys(("binary_cross_entropy", "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss",
                     "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "cosine_embedding_loss", "triplet_margin_loss",
                     "triplet_margin_with_distance_loss", "ctc_loss"), "is compared, compiled too, in test_torch_losses.py"),
    **dict.fromkeys(("BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss",
                     "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss",
                     "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss",
                     "TripletMarginLoss", "TripletMarginWithDistanceLoss"), "calls a loss of here with options"),
}


rule = partial(registered, LAYERS)


def called(draft: Draft, constructor: str, shape: tuple[int, ...], options: str = "", pick: str = "") -> Value | None:
    """A layer, called with a float input of this shape."""
    net = draft.layer(f"typed(nn.{constructor}, real)")
    if net is None:
        return None
    x = operand(draft, shape)
    return draft.emit(f"{net}({x.name}{options}){pick}", x)


@rule("CELU", "ELU", "GELU", "SELU", "Identity", "LeakyReLU", "LogSigmoid", "Mish", "ReLU", "Sigmoid", "SiLU", "Softplus", "Softsign",
      "Tanh", "Tanhshrink")
def activation(draft: Draft, name: str) -> Value | None:
    net = draft.layer(f"typed(nn.{name}(), real)")
    x = draft.some("f")
    return None if net is None else draft.emit(f"{net}({x.name})", x, exact=name in ("Identity", "ReLU"))


@rule("Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "ReLU6", "Softshrink", "Threshold")
def piecewise(draft: Draft, name: str) -> Value | None:
    net, x = draft.layer(f"typed(nn.{name}({'0.5, 2.0' if name == 'Threshold' else ''}), real)"), draft.some("f", exact=True)
    return None if net is None else draft.emit(f"{net}({x.name})", x)


@rule("PixelShuffle", "PixelUnshuffle", "ChannelShuffle", "Unfold", "Fold", "LocalResponseNorm", "Upsample", "UpsamplingNearest2d",
      "UpsamplingBilinear2d")
def images(draft: Draft, name: str) -> Value | None:
    n, c, height, width = draft.number(1, 3), 4 * draft.number(1, 2), 2 * draft.number(1, 3), 2 * draft.number(1, 3)
    options = {"Unfold": "2, 1, 1, 2", "Fold": f"({height}, {width}), 2, stride=2", "LocalResponseNorm": f"{draft.number(1, 5)}, 0.5",
               "Upsample": draft.pick(["5, mode='bilinear'", "(3, 7), mode='nearest'", "scale_factor=1.6, mode='bicubic'"]),
               "UpsamplingNearest2d": "scale_factor=2", "UpsamplingBilinear2d": "size=(3, 5)"}.get(name, "2")
    return called(draft, f"{name}({options})", (n, c, height * width // 4) if name == "Fold" else (n, c, height, width))


@rule("CosineSimilarity", "PairwiseDistance", "Bilinear")
def pairs(draft: Draft, name: str) -> Value | None:
    n, width = draft.number(1, 5), draft.number(2, 6)
    other = operand(draft, (n, width))
    return called(draft, f"{name}({f'{width}, {width}, 3' if name == 'Bilinear' else ''})", (n, width), f", sl.abs({other.name}) + 0.5")


@rule("GLU", "Softmax2d")
def gating(draft: Draft, name: str) -> Value | None:
    n, c = draft.number(1, 5), 2 * draft.number(1, 3)
    return called(draft, f"{name}()", (n, c) if name == "GLU" else (n, c, 2, 3))


@rule("Softmax", "LogSoftmax", "Softmin", "PReLU", "Heaviside", "Squares", "Crosses", "Polar", "Flatten", "Unflatten", "Bins")
def shaped(draft: Draft, name: str) -> Value | None:
    n, c = draft.number(1, 9), draft.number(1, 5)
    table = values_text(draft.rng, (7, c), "real", False)
    constructors = {"PReLU": f"PReLU({c})", "Unflatten": f"Unflatten(1, (1, {c}))", "Polar": "Polar()", "Bins": f"Bins({table}, 6)"}
    x = draft.fresh((n, 2 if name == "Polar" else c)) if name in ("Heaviside", "Bins", "Polar") else operand(draft, (n, c))
    net = draft.layer(f"typed(nn.{constructors.get(name, f'{name}()')}, real)")
    apart = f"({x.name} + 5)" if name == "Polar" else x.name
    return None if net is None else draft.emit(f"{net}({apart})", x)


@rule("Linear", "LayerNorm", "RMSNorm", "GroupNorm", "LearnedEncoding", "SinusoidalEncoding", "RotaryEncoding")
def features(draft: Draft, name: str) -> Value | None:
    n, length, width = draft.number(1, 5), draft.number(1, 6), draft.pick([2, 4, 6, 8])
    constructor = {"Linear": f"Linear({width}, {draft.number(1, 7)}, bias={draft.chance(0.7)})", "GroupNorm": f"GroupNorm(2, {width})",
                   "LearnedEncoding": f"LearnedEncoding(9, {width})"}.get(name, f"{name}({width})")
    shape = draft.pick([(n, width), (n, length, width)]) if name in ("Linear", "LayerNorm", "RMSNorm") else (n, length, width)
    return called(draft, constructor, (n, width, length) if name == "GroupNorm" else shape)


def window_options(draft: Draft, name: str) -> str:
    size, stride = draft.number(1, 5), draft.pick([1, 1, 2, 3])
    if name.startswith("LPPool"):
        return f"2, {size}, {stride}"
    if name.startswith(("Max", "Avg")):
        return f"{size}, {stride}, {draft.number(0, size // 2)}, ceil_mode={draft.chance(0.3)}"
    return f"{size}, stride={stride}, padding={draft.number(0, 2)}"


@rule("separable_convolution", "LPPool1d", "LPPool2d", "LPPool3d",
      *(f"{kind}{axes}d" for kind in ("Conv", "ConvTranspose", "MaxPool", "AvgPool") for axes in (1, 2, 3)))
def windows(draft: Draft, name: str) -> Value | None:
    axes = 2 if name == "separable_convolution" else int(name[-2])
    channels, n = draft.number(1, 4), draft.number(1, 3)
    shape = (n, channels, *(draft.number(3, {1: 17, 2: 11, 3: 6}[axes]) for _ in range(axes)))
    learned = f"{channels}, {draft.number(1, 5)}, " if "onv" in name else ""
    options = window_options(draft, name)
    if name.startswith("LPPool"):  # away from 0, where its gradient is a matter of convention
        net = draft.layer(f"typed(nn.{name}({options}), real)")
        x = operand(draft, shape)
        return None if net is None else draft.emit(f"{net}(sl.abs({x.name}) + 0.5)", x)
    return called(draft, f"{name}({learned}{options})", shape)


@rule(*(f"{kind}Pad{axes}d" for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular") for axes in (1, 2, 3)))
def padding(draft: Draft, name: str) -> Value | None:
    axes = int(name[-2])
    widths = tuple(draft.number(-1, 2) for _ in range(2 * axes))
    shape = (draft.number(1, 3), draft.number(1, 3), *(draft.number(4, 6) for _ in range(axes)))
    return called(draft, f"{name}({widths}{', 0.5' if name.startswith('Constant') else ''})", shape)


@rule("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
      "GlobalAvgPool", "GlobalMaxPool")
def adaptive(draft: Draft, name: str) -> Value | None:
    axes = int(name[-2]) if name[-1] == "d" else 2
    shape = (draft.number(1, 3), draft.number(1, 3), *(draft.number(2, 8) for _ in range(axes)))
    return called(draft, f"{name}({draft.number(1, 4) if name[-1] == 'd' else ''})", shape)


@rule("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
def normalization(draft: Draft, name: str) -> Value | None:
    if draft.batched:
        return None
    channels, axes = draft.number(1, 4), int(name[-2])
    shape = (draft.number(2, 5), channels, *(draft.number(2, 5) for _ in range(axes)))
    if name == "BatchNorm1d" and draft.chance(0.5):
        shape = shape[:2]
    return called(draft, f"{name}({channels})", shape)


@rule("RReLU", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "SequenceDropout",
      "GaussianNoise", "MaskingNoise")
def noise(draft: Draft, name: str) -> Value | None:
    if draft.batched:
        return None
    shape = {"Dropout1d": (2, 3, 4), "Dropout2d": (2, 3, 4, 5), "Dropout3d": (2, 3, 4, 2, 1), "FeatureAlphaDropout": (2, 3, 4),
             "SequenceDropout": (3, 4, 5)}.get(name) or draft.shape(2)
    return called(draft, f"{name}({draft.pick([0.1, 0.3] if name == 'RReLU' else [0.3, 0.5])})", shape)


@rule("RNN", "GRU", "LSTM")
def recurrent(draft: Draft, name: str) -> Value | None:
    n, length, inputs, hidden = (draft.number(1, 9) for _ in range(4))
    options = draft.pick(["", "", ", bidirectional=True", ", num_layers=2", ", bias=False"])
    lengths = ""
    if draft.chance(0.3):
        lengths = ", lengths=" + indices(draft, (n,), length).name + " + 1"
    return called(draft, f"{name}({inputs}, {hidden}, batch_first=True{options})", (n, length, inputs), lengths, "[0]")


@rule("RNNCell", "GRUCell", "LSTMCell")
def cell(draft: Draft, name: str) -> Value | None:
    n, inputs, hidden = (draft.number(1, 9) for _ in range(3))
    return called(draft, f"{name}({inputs}, {hidden})", (n, inputs), pick="[0]" if name == "LSTMCell" else "")


@rule("Embedding", "EmbeddingBag")
def embedding(draft: Draft, name: str) -> Value | None:
    net = draft.layer(f"typed(nn.{name}(7, {draft.number(1, 6)}{draft.pick(['', ', padding_idx=2'])}), real)")
    x = indices(draft, draft.shape(2, 1 if name == "EmbeddingBag" else 0), 7)
    return None if net is None else draft.emit(f"{net}({x.name})", x)


@rule("MultiheadAttention", "Transformer", "TransformerEncoderLayer", "TransformerEncoder", "TransformerDecoderLayer", "TransformerDecoder")
def transformer(draft: Draft, name: str) -> Value | None:
    n, length, width = draft.number(1, 3), draft.number(1, 9), draft.pick([4, 8])  # of two numbers a norm leaves but their order
    options = f"{width}, 2, 8, dropout=0.0, batch_first=True, norm_first={draft.chance(0.5)}, activation={draft.pick(['relu', 'gelu'])!r}"
    constructor = {
        "MultiheadAttention": f"MultiheadAttention({width}, 2, batch_first=True)",
        "Transformer": f"Transformer({width}, 2, 1, 1, 8, 0.0, batch_first=True)", "TransformerEncoderLayer": f"{name}({options})",
        "TransformerDecoderLayer": f"{name}({options})", "TransformerEncoder": f"{name}(nn.TransformerEncoderLayer({options}), 2)",
        "TransformerDecoder": f"{name}(nn.TransformerDecoderLayer({options}), 2)"}[name]
    memory = ", " + operand(draft, (n, draft.number(1, 4), width)).name if "Decoder" in name or name == "Transformer" else ""
    return called(draft, constructor, (n, length, width), memory)


@rule("Sequential", "Residual", "Parallel", "Repeat", "Ensemble", "tie")
def container(draft: Draft, name: str) -> Value | None:
    n, width = draft.number(1, 6), draft.number(2, 6)
    square, activation = f"nn.Linear({width}, {width})", draft.pick(["nn.Tanh()", "nn.ReLU()", "nn.GELU()"])
    constructor = {"Sequential": f"Sequential({square}, {activation}, {square})", "Residual": f"Residual({square}, {activation})",
                   "Parallel": f"Parallel({square}, {activation})", "Repeat": f"Repeat({square}, {draft.number(1, 3)})",
                   "Ensemble": f"Ensemble({square}, {square})", "tie": f"Sequential({square}, {activation}, {square})"}[name]
    found = called(draft, constructor, (n, width))
    if found is not None and name == "tie":
        net = draft.program.layers[-1].name
        draft.layer(f"nn.tie({net}[0], {net}[2])")
    return found


@rule("AdaptiveLogSoftmaxWithLoss")
def adaptive_softmax(draft: Draft, name: str) -> Value | None:
    n, width = draft.number(1, 5), draft.number(2, 6)
    if draft.chance(0.5):
        return called(draft, f"{name}({width}, 12, [4, 8], 2.0)", (n, width))
    return called(draft, f"{name}({width}, 12, [4, 8], 2.0)", (n, width), f", {indices(draft, (n,), 12).name}", ".loss")


# ---------------------------------------------------------------------- losses
@rule("cross_entropy", "nll_loss", "hinge_loss", "multi_margin_loss", "log_likelihood", "token_cross_entropy")
def classification(draft: Draft, name: str) -> Value | None:
    n, classes = draft.number(1, 9), draft.number(2, 6)
    scores, labels = operand(draft, (n, classes)), indices(draft, (n,), classes)
    reduction = draft.pick(["", ", reduction='sum'", ", reduction='none'"]) if name != "token_cross_entropy" else ""
    more = draft.pick(["", ", label_smoothing=0.1", ", ignore_index=1"]) if name == "cross_entropy" else ""
    inside = f"sl.log_softmax({scores.name}, -1)" if name == "nll_loss" else scores.name
    return draft.emit(f"nn.{name}({inside}, {labels.name}.astype('int64'){reduction}{more})", scores)


@rule("weighted_mean")
def weighted(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", lambda value: value.size > 0, draft.shape(2, 1))
    weights = draft.pick([f"sl.abs({operand(draft, x.shape).name}) + 0.1", draft.fresh(x.shape, "b").name + " | True"])
    return draft.emit(f"nn.weighted_mean({x.name}, {weights})", x)


@rule("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "soft_margin_loss", "squared_loss", "binary_cross_entropy_with_logits",
      "kl_div", "kl_sparsity", "l1_penalty", "l2_penalty")
def regression(draft: Draft, name: str) -> Value | None:
    x = draft.some("f", lambda value: value.ndim > 0, draft.shape(2, 1))
    y = operand(draft, x.shape)
    reduction = draft.pick(["", ", reduction='sum'", ", reduction='none'"])
    if name == "kl_sparsity":
        return draft.emit(f"nn.kl_sparsity(sl.sigmoid({x.name}))", x)
    if name.endswith("penalty"):
        return draft.emit(f"nn.{name}([{x.name}, {y.name}])", x, y)
    if name == "kl_div":
        return draft.emit(f"nn.kl_div(sl.log_softmax({x.name}, -1), sl.softmax({y.name}, -1){reduction})", x, y)
    target = f"sl.sigmoid({y.name})" if name == "binary_cross_entropy_with_logits" else y.name
    return draft.emit(f"nn.{name}({x.name}, {target}{'' if name == 'squared_loss' else reduction})", x, y)
