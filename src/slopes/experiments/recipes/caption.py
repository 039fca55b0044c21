"""caption: pictures of one to three handwritten digits into sentences about them; convolutions see, an LSTM writes and looks."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import partial

import numpy as np

from ... import data, functions, nn, optim, text
from ...compile import compile
from ...data.loaders.dataset import Dataset
from ...data.transforms import augment
from ...files.images import load_image
from ...modes import no_grad
from ...plot import Picture, View, bare_grid, new_figure
from ...tensor import Tensor, asarray
from ...train.mode import Mode
from ...zoo.show_attend_tell import Captioner
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting
from ..image import to_ink

END = 0  # the index of the word that ends a sentence, and that stands before its first word
KINDS = {"one digit": "", "left of": " left of ", "above": " above ", "three digits": " below"}  # and by which words they are known
PART, SHOWN = 100, 12  # pictures captioned side by side, and shown


@dataclass
class Captions(View):
    """Pictures (N, H, W) with what was written about them and what is true."""

    images: np.ndarray
    written: list[str]
    true: list[str]

    def draw(self) -> Picture:
        """A sheet: the sentence above each picture, green where it is right, else red with the truth in brackets."""
        columns = min(4, len(self.images))
        figure = new_figure(2.3 * columns, 2.8 * -(-len(self.images) // columns))
        grid = bare_grid(figure, len(self.images), columns)
        for axes, image, written, true in zip(grid, self.images, self.written, self.true):
            axes.imshow(image, cmap="gray", interpolation="nearest")
            shown = written if written == true else f"{written} ({true})"
            axes.set_title(textwrap.fill(shown, 30), fontsize="small", color="#22543d" if written == true else "#9b2c2c")
        return Picture(figure)


@dataclass
class Looks(View):
    """A picture (H, W), the words about it, and how much each of them looked at each part of it (words, rows, columns)."""

    image: np.ndarray
    words: list[str]
    weights: np.ndarray

    def draw(self) -> Picture:
        """The picture once for each word, light where the word looked."""
        columns = min(6, len(self.words))
        figure = new_figure(1.5 * columns, 1.75 * -(-len(self.words) // columns))
        grid = bare_grid(figure, len(self.words), columns)
        height, width = self.image.shape
        for axes, word, weights in zip(grid, self.words, self.weights):
            axes.imshow(self.image, cmap="gray_r", interpolation="nearest")
            axes.imshow(weights, cmap="Oranges", alpha=0.5, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
            axes.set_title(word, fontsize="small")
        return Picture(figure)


def lessons(pictures: Dataset) -> Dataset:
    """Two inputs, the picture and each word's predecessor; targets: each word up to the end, and nothing behind it."""
    words = pictures.targets
    before = np.concatenate([np.full((len(words), 1), END), words[:, :-1]], axis=1)
    behind = np.cumsum(before == END, axis=1) > 1
    return Dataset((pictures.inputs, before), np.where(behind, data.IGNORED, words), name=pictures.name)


def whole(logits: Tensor, words: Tensor) -> Tensor:
    """1 where each word of a sentence is the likeliest after those before it, so that greedy writing gives this sentence; (N,)."""
    return functions.all((logits.argmax(axis=2) == words) | (words == data.IGNORED), axis=1)


def shifted(inputs: tuple[Tensor, Tensor], words: Tensor, by: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """The example with its image shifted by up to `by` pixels."""
    images, before = inputs
    return (augment.shift(images, by), before), words


def written(net: Captioner, images: np.ndarray, longest: int, beams: int) -> list[str]:
    """The likeliest sentence about each image, by beam search."""
    begin, step, captions = compile(lambda x: net.begin(x)), compile(net.step), []
    with Mode(net, training=False), no_grad():
        for first in range(0, len(images), PART):
            part = images[first:first + PART]
            sentences = text.beam_search(step, begin(asarray(part)), np.full(len(part), END), END, length=longest, beams=beams)
            captions += [data.caption_text(row) for row in sentences.tokens.numpy()[:, 0]]
    return captions


def looks(net: Captioner, image: np.ndarray, words: np.ndarray) -> Looks:
    """Where the words (T,) about a picture (C, H, W) looked, up to the end."""
    said = [*data.caption_text(words).split(), data.CAPTION_WORDS[END]]
    before = np.concatenate([[END], words])[:len(said)]
    with Mode(net, training=False), no_grad():
        _, weights = net.attended(asarray(image[None]), asarray(before[None]))
    return Looks(image.mean(axis=0), said, weights.numpy().reshape(len(said), image.shape[1] // 8, image.shape[2] // 8))


def kind_of(sentence: str) -> str:
    """Which kind of sentence it is."""
    return next(kind for kind, words in reversed(KINDS.items()) if words in sentence)


def captions_of(config: Config) -> data.Splits:
    """Images of training, validation and test digits, with sentences about them."""
    return data.digit_captions(sizes=(config["pictures"], config["tested"], config["tested"]), seed=config.seed)


def describe(config: Config, made: data.Splits) -> Facts:
    """The shape of the images, the words, and the length of the longest sentence."""
    return {"shape": list(made.train.inputs.shape[1:]), "words": list(data.CAPTION_WORDS), "longest": made.train.targets.shape[1]}


def network(config: Config, facts: Facts, name: str) -> Captioner:
    """The captioner."""
    return Captioner(tuple(facts["shape"]), len(facts["words"]), config["filters"], config["width"], config["hidden"], config["dropout"])


def training(config: Config, made: data.Splits, name: str, net: Captioner) -> Fit:
    """Each word is predicted from the image and the words before it."""
    assert made.validation is not None
    return Fit(lessons(made.train), lessons(made.validation), loss=nn.token_cross_entropy, optimizer=optim.Adam(lr=config["rate"]),
               schedule="cosine", clip=1.0, epochs=config["epochs"], batch_size=config["batch"], metrics=[whole],
               augment=partial(shifted, by=config["shift"]))


def report(result: Result[data.Splits]) -> Report:
    """The share of images of test digits whose sentence is right to the last word."""
    net, test, beams = result.run.net, result.data.test, result.config["beams"]
    assert test is not None
    answers, true = written(net, test.inputs, test.targets.shape[1], beams), [data.caption_text(row) for row in test.targets]
    right = np.array([answer == sentence for answer, sentence in zip(answers, true)])
    kinds = np.array([kind_of(sentence) for sentence in true])
    by_kind = {kind: float(right[kinds == kind].mean()) for kind in KINDS if (kinds == kind).any()}
    shown = np.argsort(right, kind="stable")[:SHOWN // 3]  # the first mistakes, then images in their order
    shown = np.concatenate([shown, np.setdiff1d(np.arange(len(true)), shown)])[:SHOWN]
    view = Captions(test.inputs[shown, 0], [answers[i] for i in shown], [true[i] for i in shown])
    longest = int((test.targets != END).sum(axis=1).argmax())
    return Report({"captions right": text.exact_match(answers, true), **{f"right, {kind}": share for kind, share in by_kind.items()}},
                  [f"{right.mean():.2%} of {len(true):,} captions are right to the last word",
                   ", ".join(f"{kind} {share:.1%}" for kind, share in by_kind.items())],
                  {"captions.png": view.draw, "looks.png": looks(net, test.inputs[longest], test.targets[longest]).draw,
                   **result.curves})


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest sentence about an image file, which is scaled to the size of the images that were learned from."""
    ink = to_ink(load_image(item, size=tuple(run.facts["shape"][1:]))[0].astype(np.float64)).astype(np.float32)
    return Prediction(written(run.net, ink[None, None], run.facts["longest"], run.config["beams"])[0])


recipe = Experiment(
    name="caption",
    caption="images of one to three handwritten digits into sentences such as \"a seven left of a two\"",
    expected="at least 90% of the captions right to the last word, on images of test digits",
    data=captions_of, describe=describe, network=network, training=training, report=report, predict=predict,
    datasets=("mnist",),
    settings={"pictures": Setting(10000, "to learn from; with 4,000 about half of the sentences come out right"),
              "tested": Setting(1000, "images to validate with, and to test with"),
              "epochs": Setting(8, "nine tenths are right after the third; the last ones, with small steps, bring most of the rest"),
              "batch": Setting(32, "310 steps an epoch"),
              "filters": Setting(16, "of the first convolution; twice and four times as many of the next ones"),
              "width": Setting(64, "length of the word embeddings"),
              "hidden": Setting(128, "units of the LSTM"),
              "dropout": Setting(0.2, "of features, words and outputs"),
              "shift": Setting(2, "each image is shifted by up to this many pixels each time: the sentence stays true"),
              "beams": Setting(3, "width of the beam search; 1 is greedy decoding"),
              "rate": Setting(2e-3, "twice the usual learning rate, with a cosine down to 0: batch norm allows it")},
)
