"""caption: pictures of one to three handwritten digits into sentences about them; convolutions see, an LSTM writes and looks."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ... import data, functions, nn, optim, random, text
from ...compile import compile
from ...data.loaders.dataset import Dataset
from ...data.transforms import augment
from ...plot import Picture, View, bare_grid, new_figure
from ...tensor import Tensor, asarray, no_grad
from ...train.fit import fit
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.show_attend_tell import Captioner
from ..experiment import Setting
from ..study import Findings, Study

END = 0  # the number of the word that ends a sentence, and that stands before its first word
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
            told = written if written == true else f"{written} ({true})"
            axes.set_title(textwrap.fill(told, 30), fontsize="small", color="#22543d" if written == true else "#9b2c2c")
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
    """The lesson with its picture moved by up to so many pixels."""
    images, before = inputs
    return (augment.shift(images, by), before), words


def written(net: Captioner, images: np.ndarray, longest: int, beams: int) -> list[str]:
    """The likeliest sentence about each picture, of those that a search among so many beginnings finds."""
    begin, step, found = compile(lambda x: net.begin(x)), compile(net.step), []
    with Mode(net, training=False), no_grad():
        for first in range(0, len(images), PART):
            part = images[first:first + PART]
            sentences = text.beam_search(step, begin(asarray(part)), np.full(len(part), END), END, length=longest, beams=beams)
            found += [data.caption_text(row) for row in sentences.tokens.numpy()[:, 0]]
    return found


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


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on pictures of training digits; the share of pictures of test digits whose sentence is right to the last word."""
    made = data.digit_captions(sizes=(values["pictures"], values["tested"], values["tested"]), seed=seed)
    train, validation, test = made.train, made.validation, made.test
    assert validation is not None and test is not None
    random.seed(seed)
    net = Captioner(train.inputs.shape[1:], len(data.CAPTION_WORDS), values["filters"], values["width"], values["hidden"],
                    values["dropout"])
    run = fit(net, lessons(train), loss=nn.token_cross_entropy, optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=1.0,
              epochs=values["epochs"], batch_size=values["batch"], validation=lessons(validation), metrics=[whole], seed=seed,
              augment=partial(shifted, by=values["shift"]), progress=Told(tell))
    answers, true = written(net, test.inputs, test.targets.shape[1], values["beams"]), [data.caption_text(row) for row in test.targets]
    right = np.array([one == other for one, other in zip(answers, true)])
    kinds = np.array([kind_of(sentence) for sentence in true])
    by_kind = {kind: float(right[kinds == kind].mean()) for kind in KINDS if (kinds == kind).any()}
    shown = np.argsort(right, kind="stable")[:SHOWN // 3]  # the first mistakes, then pictures as they come
    shown = np.concatenate([shown, np.setdiff1d(np.arange(len(true)), shown)])[:SHOWN]
    view = Captions(test.inputs[shown, 0], [answers[i] for i in shown], [true[i] for i in shown])
    longest = int((test.targets != END).sum(axis=1).argmax())
    return Findings({"captions right": text.exact_match(answers, true), **{f"right, {kind}": share for kind, share in by_kind.items()}},
                    [f"{right.mean():.2%} of {len(true):,} captions are right to the last word",
                     ", ".join(f"{kind} {share:.1%}" for kind, share in by_kind.items())],
                    {"captions.png": view.draw, "looks.png": looks(net, test.inputs[longest], test.targets[longest]).draw,
                     "curve.png": run.plot}, net.state_dict())


recipe = Study(
    name="caption",
    caption="pictures of one to three handwritten digits into sentences such as \"a seven left of a two\"",
    expected="at least 90% of the captions right to the last word, on pictures of test digits",
    investigate=investigate,
    datasets=("mnist",),
    sizes={"pictures": Setting(10000, "to learn from; with 4,000 about half of the sentences come out right"),
           "tested": Setting(1000, "pictures to validate with, and to test with"),
           "epochs": Setting(8, "nine tenths are right after the third; the last ones, with small steps, bring most of the rest"),
           "batch": Setting(32, "310 steps an epoch"),
           "filters": Setting(16, "of the first convolution; twice and four times as many of the next ones"),
           "width": Setting(64, "numbers per word"),
           "hidden": Setting(128, "units of the LSTM"),
           "dropout": Setting(0.2, "of features, words and outputs"),
           "shift": Setting(2, "each picture is moved by up to so many pixels each time: the sentence stays true"),
           "beams": Setting(3, "beginnings that the search keeps; 1 takes the likeliest word each time"),
           "rate": Setting(2e-3, "twice the usual, with a cosine down to 0: batch norm bears it")},
)
