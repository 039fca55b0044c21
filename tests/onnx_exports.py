"""Every network of the zoo as an ONNX model, by hand: `python -m tests.onnx_exports [NAME ...]` from the project's folder.

Prints for each the size of the model, its operators, and the largest difference from slopes in onnxruntime (optimisations off and on) and
in onnx's reference evaluator; the model is loaded again with `sl.load_onnx`, and its gradients compared. `--large` adds the published
sizes, in onnxruntime alone, as the others need minutes for them.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import slopes as sl
from slopes.zoo import autoencoders, networks, variational
from slopes.zoo.language import AdaptiveLanguageModel

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
from onnx_cases import check_comes_back, check_runs, exported, operators

RNG = np.random.default_rng(0)
DIGIT, CIFAR = (1, 28, 28), (3, 32, 32)


def picture(*shape: int) -> np.ndarray:
    return RNG.standard_normal((2, *shape)).astype(np.float32)


def tokens(*shape: int, below: int = 11) -> np.ndarray:
    """Random tokens, with padding at the ends of lines."""
    drawn = RNG.integers(1, below, shape)
    drawn[1:, shape[1] - 2:] = 0
    return drawn


def tensor(array: np.ndarray) -> Any:
    return sl.asarray(array)


NETWORKS: dict[str, tuple[Any, tuple]] = {
    "softmax_regression": (lambda: networks.softmax_regression(DIGIT, 10), (picture(*DIGIT),)),
    "mlp": (lambda: networks.mlp(DIGIT, 10), (picture(*DIGIT),)),
    "dropout_mlp": (lambda: networks.dropout_mlp(DIGIT, 10, 64), (picture(*DIGIT),)),
    "lenet": (lambda: networks.lenet(DIGIT, 10), (picture(*DIGIT),)),
    "regularized_lenet": (lambda: networks.regularized_lenet(DIGIT, 10), (picture(*DIGIT),)),
    "small_convolution": (lambda: networks.small_convolution(DIGIT, 10), (picture(*DIGIT),)),
    "alexnet": (lambda: networks.alexnet((1, 63, 63), 3, groups=2, hidden=32), (picture(1, 63, 63),)),
    "vgg": (lambda: networks.vgg((1, 32, 32), 3, 11, width=4), (picture(1, 32, 32),)),
    "googlenet": (lambda: networks.googlenet((1, 32, 32), 3), (picture(1, 32, 32),)),
    "resnet-18": (lambda: networks.resnet(CIFAR, 5, 18, width=4), (picture(*CIFAR),)),
    "resnet-50": (lambda: networks.resnet(CIFAR, 5, 50, width=2), (picture(*CIFAR),)),
    "small_resnet": (lambda: networks.small_resnet(CIFAR, 5, 14, width=4), (picture(*CIFAR),)),
    "small_vit": (lambda: networks.small_vit((1, 8, 12), 5, width=8, depth=2, heads=2), (picture(1, 8, 12),)),
    "UNet": (lambda: networks.UNet((2, 13, 10), 3, width=4), (picture(2, 13, 10),)),
    "GPT": (lambda: networks.GPT(11, 8, 8, 2, 2, dropout=0.1), (tokens(2, 6),)),
    "char_gpt": (lambda: networks.char_gpt(), (tokens(2, 64, below=65),)),
    "LanguageModel": (lambda: networks.LanguageModel(11, 4, 6, 2, "gru", dropout=0.2), (tokens(2, 6),)),
    "LanguageModel tied": (lambda: networks.LanguageModel(11, 6, 6, tied=True), (tokens(2, 6),)),
    "AdaptiveLanguageModel": (lambda: AdaptiveLanguageModel(20, 6, cutoffs=(5, 10)), (tokens(2, 6),)),
    "SentenceEncoder": (lambda: networks.SentenceEncoder(11, 3, 4, 5, 2, dropout=0.2), (tokens(2, 6),)),
    "TextCNN": (lambda: networks.TextCNN(11, 3, 4, filters=3, dropout=0.2), (tokens(2, 7),)),
    "BagOfTokens": (lambda: networks.BagOfTokens(11, 3, 4), (tokens(2, 6),)),
    "WideTextCNN": (lambda: networks.WideTextCNN(11, 8, 3, 4, 3, dropout=0.2), (tokens(2, 7), tokens(2, 5, below=8))),
    "Tagger": (lambda: networks.Tagger(11, 9, 5, 4, 3, 2, 4, 2, dropout=0.2), (np.tile(tokens(2, 4, below=9)[..., None], (1, 1, 6)),)),
    "Translator": (lambda: networks.Translator(11, 8, 4, 6, dropout=0.2), (tokens(2, 4), tokens(2, 5, below=8))),
    "Transformer": (lambda: networks.Transformer(11, 8, 4, 1, 2, 6, dropout=0.1), (tokens(2, 4), tokens(2, 5, below=8))),
    "Transformer, pre-norm": (lambda: networks.Transformer(11, 8, 4, 1, 2, 6, norm_first=True), (tokens(2, 4), tokens(2, 5, below=8))),
    "Captioner": (lambda: networks.Captioner((1, 16, 12), 8, 2, 4, 6), (picture(1, 16, 12), tokens(2, 5, below=8))),
    "Recommender": (lambda: networks.Recommender(5, 7, 3, (4, 3), dropout=0.2), (RNG.integers(0, 5, (2, 2)),)),
    "Forecaster": (lambda: networks.Forecaster(4, 6), (picture(7, 1),)),
    "SpokenCNN": (lambda: networks.SpokenCNN(16, 3, 2, dropout=0.2), (picture(1, 16, 12),)),
    "SpokenGRU": (lambda: networks.SpokenGRU(16, 3, 4, dropout=0.2), (picture(1, 16, 12),)),
    "linear auto-encoder": (lambda: autoencoders.linear(DIGIT), (picture(*DIGIT),)),
    "deep auto-encoder": (lambda: autoencoders.deep(DIGIT, hidden=(32, 16)), (picture(*DIGIT),)),
    "sparse auto-encoder": (lambda: autoencoders.sparse(DIGIT, 32), (picture(*DIGIT),)),
    "contractive auto-encoder": (lambda: autoencoders.contractive(DIGIT, 32), (picture(*DIGIT),)),
    "denoising auto-encoder": (lambda: autoencoders.denoising(DIGIT, 32), (picture(*DIGIT),)),
    "convolutional auto-encoder": (lambda: autoencoders.convolutional(DIGIT), (picture(*DIGIT),)),
    "variational auto-encoder": (lambda: variational.variational(DIGIT, 4, 32), (picture(*DIGIT),)),
}
LARGE: dict[str, tuple[Any, tuple]] = {
    "resnet-18, ImageNet": (lambda: networks.resnet((3, 224, 224), 1000, 18), (picture(3, 224, 224),)),
    "resnet-50, ImageNet": (lambda: networks.resnet((3, 224, 224), 1000, 50), (picture(3, 224, 224),)),
    "alexnet, ImageNet": (lambda: networks.alexnet((3, 224, 224), 1000), (picture(3, 224, 224),)),
    "vit-b/16": (lambda: networks.vit_b16((3, 224, 224), 1000), (picture(3, 224, 224),)),
}


def longer(array: np.ndarray) -> np.ndarray:
    """The batch with another example."""
    return np.concatenate([array, array[:1]])


def export(name: str, path: Path) -> str:
    """The figures of one network."""
    make, args = NETWORKS[name] if name in NETWORKS else LARGE[name]
    net = make()
    model = exported(net, path, *args)
    worst = check_runs(model, net, *map(longer, args), reference=name in NETWORKS)
    if name in NETWORKS:
        check_comes_back(path, net, *args, tolerance=1e-3)
    counts = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in collections.Counter(operators(model)).most_common(8))
    return f"{name:28} {path.stat().st_size / 1e6:8.2f} MB {len(model.graph.node):5} nodes  {worst:.1e}  {counts}"


def main(names: list[str]) -> None:
    chosen = [name for name in names if not name.startswith("--")] or [*NETWORKS, *(LARGE if "--large" in names else ())]
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            print(export(name, Path(folder) / "net.onnx"), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
