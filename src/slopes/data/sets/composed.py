"""Synthetic images composed of real digits, with captions for image captioning or masks for segmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ..loaders.dataset import Dataset
from ..loaders.order import COMPOSING, check_words, random_words, uniforms
from ..loaders.splits import Splits
from .digits import mnist
from .locate import Folder
from .spoken import WORDS

SIZE, DIGIT = 56, 28  # pixels: two digits fit beside and above each other
SHIFT = 4  # a digit may be moved by so many pixels towards the middle, less than its empty border
END = 0  # the number of the word that ends a sentence, and fills what is left of it
CAPTION_WORDS = ("<end>", "a", "an", *WORDS, "left", "of", "above", "and", "below")
LONGEST = 11  # "a seven left of a two and a five below", and the end
INK = 0.25  # a pixel brighter than this belongs to the digit
INDEX_OF = {word: index for index, word in enumerate(CAPTION_WORDS)}

Example = Callable[["Draw", Dataset], tuple[np.ndarray, np.ndarray]]


class Draw:
    """Random choices for one example, one after the other; example i has its own, whatever comes before it."""

    def __init__(self, seed: int, part: int, example: int, count: int) -> None:
        self.words, self.next = random_words(seed, COMPOSING, count, example, part), 0

    def below(self, n: int) -> int:
        """A number from 0 to n - 1: the next word modulo n."""
        self.next += 1
        return int(self.words[self.next - 1] % np.uint64(n))

    def fraction(self) -> float:
        """A number in [0, 1)."""
        self.next += 1
        return float(uniforms(self.words[self.next - 1 : self.next])[0])


def digit_captions(folder: Folder = None, sizes: Sequence[int] = (10_000, 1_000, 1_000), seed: int = 0) -> Splits:
    """Pictures of one to three handwritten digits, and sentences such as "a seven left of a two".

    inputs: (N, 1, 56, 56) float32 from 0 to 1; targets: (N, 11) int64, numbers of CAPTION_WORDS, filled up with 0 (`<end>`);
    `caption_text` turns them into a sentence. Four kinds, equally likely: one digit anywhere ("an eight"); two beside each other
    ("a seven left of a two"); two above each other ("a three above a nine"); two beside each other and one below them ("a seven
    left of a two and a five below"). Each digit is moved by up to 4 pixels. Digits are MNIST's: those of training, validation
    and test come from the set of that name. `sizes` are numbers of pictures; the test set is made when asked for.
    Example i of a part depends on (seed, part, i) alone. Raises ArgumentError for sizes below 1.
    """
    return composed("captions", captioned, 16, CAPTION_WORDS, mnist(folder), sizes, seed)


def digit_masks(folder: Folder = None, sizes: Sequence[int] = (4_000, 500, 500), seed: int = 0, digits: bool = False) -> Splits:
    """One to four handwritten digits before a wavy, noisy ground, and which pixels are ink.

    inputs: (N, 1, 56, 56) float32 from 0 to 1; targets: (N, 56, 56) int64, 0 for the ground and 1 for ink, a pixel of the digit
    that is brighter than 0.25; with `digits`, 1 + the digit (11 classes). The picture is b + (1 - b) d + e, clipped to 0..1: digits
    d; ground b = 0.2 + 0.2 cos(2 pi (u i + v j) / 56 + phase) with u, v from -3 to 3; noise e, even between -0.15 and 0.15.
    Origin of the digits, sizes and seed as in `digit_captions`.
    """
    classes = ("ground", *WORDS) if digits else ("ground", "ink")
    return composed("masks", partial(masked, digits_told=digits), 1024, classes, mnist(folder), sizes, seed)


def composed(name: str, example: Example, words: int, classes: tuple[str, ...], digits: Splits, sizes: Sequence[int],
             seed: int) -> Splits:
    """The three sets of pictures, each from the digits of its own set; an example draws at most so many random words."""
    check_words(seed=seed)
    if len(sizes) != 3 or not all(isinstance(size, (int, np.integer)) and size >= 1 for size in sizes):
        raise ArgumentError(f"digit_{name}: sizes={sizes!r}", why="they are the numbers of pictures to train, validate and test")

    def made(digits_of: Dataset | None, part: int) -> Dataset:
        if digits_of is None or digits_of.inputs.shape[1:] != (1, DIGIT, DIGIT):
            raise ShapeError(f"digit_{name} needs digits of {DIGIT} x {DIGIT} pixels in each set")
        pairs = [example(Draw(seed, part, i, words), digits_of) for i in range(sizes[part])]
        inputs, targets = (np.stack(arrays) for arrays in zip(*pairs))
        return Dataset(inputs, targets, classes, f"{name}.{('train', 'validation', 'test')[part]}")

    return Splits(made(digits.train, 0), made(digits.validation, 1), lambda: made(digits.test, 2), name)


def captioned(draw: Draw, digits: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """One picture with its sentence."""
    positions, pattern = (single, beside, above, three)[draw.below(4)](draw)
    canvas, names = np.zeros((SIZE, SIZE), np.float32), []
    for row, column in positions:
        chosen = draw.below(len(digits))
        put(canvas, digits.inputs[chosen, 0], row, column)
        names.append(with_article(int(digits.targets[chosen])))
    return canvas[None], tokens(pattern.format(*names))


Places = tuple[list[tuple[int, int]], str]


def single(draw: Draw) -> Places:
    """One digit anywhere."""
    return [(draw.below(SIZE - DIGIT + 1), draw.below(SIZE - DIGIT + 1))], "{}"


def beside(draw: Draw) -> Places:
    """Two digits at nearly the same height."""
    height = draw.below(SIZE - DIGIT - SHIFT + 1)
    return [(height + draw.below(SHIFT + 1), near(draw, side)) for side in (0, 1)], "{} left of {}"


def above(draw: Draw) -> Places:
    """Two digits, one below the other."""
    left = draw.below(SIZE - DIGIT - SHIFT + 1)
    return [(near(draw, side), left + draw.below(SHIFT + 1)) for side in (0, 1)], "{} above {}"


def three(draw: Draw) -> Places:
    """Two digits beside each other, one below them."""
    top = [(near(draw, 0), near(draw, side)) for side in (0, 1)]
    return [*top, (near(draw, 1), draw.below(SIZE - DIGIT + 1))], "{} left of {} and {} below"


def near(draw: Draw, side: int) -> int:
    """A place in the first or second half of the picture."""
    moved = draw.below(SHIFT + 1)
    return moved if side == 0 else SIZE - DIGIT - moved


def put(canvas: np.ndarray, digit: np.ndarray, row: int, column: int) -> None:
    """Add a digit; where two meet, the brighter pixel stays."""
    part = canvas[row : row + DIGIT, column : column + DIGIT]
    np.maximum(part, digit, out=part)


def with_article(digit: int) -> str:
    """The digit as one says it."""
    return f"{'an' if digit == 8 else 'a'} {WORDS[digit]}"


def tokens(sentence: str) -> np.ndarray:
    """The numbers of the words, filled up with ends."""
    indices = [INDEX_OF[word] for word in sentence.split()]
    return np.array(indices + [END] * (LONGEST - len(indices)), np.int64)


def caption_text(indices: Any) -> str:
    """The sentence of words' numbers, up to the first end.

    >>> caption_text([1, 10, 13, 14, 2, 11, 0, 0])
    'a seven left of an eight'
    """
    words = [int(index) for index in np.asarray(indices).reshape(-1)]
    end = words.index(END) if END in words else len(words)
    return " ".join(CAPTION_WORDS[index] for index in words[:end])


def masked(draw: Draw, digits: Dataset, *, digits_told: bool) -> tuple[np.ndarray, np.ndarray]:
    """One picture with its mask."""
    canvas, mask = np.zeros((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.int64)
    cells = sorted(range(4), key=lambda cell: draw.words[-1 - cell])  # the noise does not use the last words
    for cell in cells[: 1 + draw.below(4)]:
        chosen, row, column = draw.below(len(digits)), near(draw, cell // 2), near(draw, cell % 2)
        digit = digits.inputs[chosen, 0]
        put(canvas, digit, row, column)
        mask[row : row + DIGIT, column : column + DIGIT][digit > INK] = 1 + int(digits.targets[chosen]) if digits_told else 1
    ground = waves(draw)
    picture = ground + (1 - ground) * canvas + noise(draw)
    return picture.clip(0, 1).astype(np.float32)[None], mask


def waves(draw: Draw) -> np.ndarray:
    """The ground: one wave of any direction."""
    down, across, phase = (draw.fraction() for _ in range(3))
    position = np.arange(SIZE) / SIZE
    angle = 6 * ((down - 0.5) * position[:, None] + (across - 0.5) * position) + phase
    return 0.2 + 0.2 * np.cos(2 * np.pi * angle)


def noise(draw: Draw) -> np.ndarray:
    """Even noise between -0.15 and 0.15, from 16 bits each."""
    draw.next += SIZE * SIZE // 4
    bits = draw.words[draw.next - SIZE * SIZE // 4 : draw.next].astype("<u8").view("<u2").reshape(SIZE, SIZE)
    return 0.3 * (bits / 65536 - 0.5)
