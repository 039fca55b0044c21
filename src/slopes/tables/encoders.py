"""How the values of one column become features: fitted to training rows, kept as JSON, applied to any rows."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import DataError
from .schema import Column

MOST_ONE_HOT = 32  # categories that are a feature each; more of them share an embedding
LEAST_COUNT = 2  # rows of a category that is learned by itself, where there are many categories
MOST_WORDS = 256  # of the texts of a column
LEAST_TEXTS = 3  # texts in which a word occurs that is a feature
WORD = re.compile(r"\w+")
YEAR, WEEK, EDGE = 365.2425, 7.0, 3.0
FARTHEST = 1e100  # widths from the centre: the square of what is farther is infinite


@dataclass(frozen=True)
class Encoder(ABC):
    """The base of encoders. `numbers`, `flags` and `codes` count the features that a column has of each sort:

    numbers  continuous ones, which the network expands further
    flags    0, 1, -1, shares: taken as they are
    codes    indices into an embedding; `sizes` are the numbers of its rows
    """

    name: str
    numbers: ClassVar[int] = 0
    kind: ClassVar[str]

    @property
    def flags(self) -> int:
        """The number of flags."""
        return 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the embeddings that its codes need."""
        return ()

    def encode_numbers(self, values: np.ndarray) -> np.ndarray:
        """(N, numbers) float64."""
        return np.zeros((len(values), 0))

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """(N, flags) float64."""
        return np.zeros((len(values), 0))

    def encode_codes(self, values: np.ndarray) -> np.ndarray:
        """(N, codes) int64."""
        return np.zeros((len(values), 0), np.int64)

    @abstractmethod
    def unknown(self, values: np.ndarray) -> np.ndarray:
        """Which rows hold a value that no training row had: an unknown category; (N,) bool."""

    def to_fields(self) -> dict[str, Any]:
        """The encoder as JSON holds it."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Scale:
    """x -> z / sqrt(1 + (z / 3)^2) with z = (x - centre) / width: near the centre a line, and never beyond -3 and 3.

    centre: the median; width: the quartile range, or half the range where that is 0.
    Source: Holzmüller, Grinsztajn, Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data", 2024.
    """

    centre: float
    width: float

    @classmethod
    def fit(cls, values: np.ndarray) -> Scale:
        """The scale of the values that are known; of none, one that changes nothing."""
        known = values[~np.isnan(values)]
        if not known.size:
            return cls(0.0, 1.0)
        low, centre, high = np.quantile(known, [0.25, 0.5, 0.75])
        width = high - low or (known.max() - known.min()) / 2
        return cls(float(centre), float(width) or 1.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The scaled values; 0 for gaps."""
        with np.errstate(over="ignore"):
            z = (np.where(np.isnan(values), self.centre, values) - self.centre) / self.width
        z = np.clip(z, -FARTHEST, FARTHEST)
        return z / np.sqrt(1 + (z / EDGE) ** 2)


@dataclass(frozen=True)
class NumberEncoder(Encoder):
    """A number on its scale; where training rows have gaps, a flag marks them."""

    centre: float
    width: float
    gaps: bool
    numbers: ClassVar[int] = 1
    kind: ClassVar[str] = "number"

    @classmethod
    def fit(cls, column: Column, values: np.ndarray) -> NumberEncoder:
        """The encoder of a column for these training rows."""
        scale = Scale.fit(values)
        return cls(column.name, scale.centre, scale.width, bool(np.isnan(values).any()))

    @property
    def flags(self) -> int:
        """One for gaps."""
        return int(self.gaps)

    def encode_numbers(self, values: np.ndarray) -> np.ndarray:
        """The scaled number."""
        return Scale(self.centre, self.width)(values)[:, None]

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """Whether it is missing."""
        return np.isnan(values)[:, None].astype(np.float64) if self.gaps else super().encode_flags(values)

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """None."""
        return np.zeros(len(values), bool)


@dataclass(frozen=True)
class DateEncoder(NumberEncoder):
    """Days on their scale, and sine and cosine of the position in year and week, and in the day where there are times."""

    times: bool
    kind: ClassVar[str] = "date"

    @classmethod
    def fit(cls, column: Column, values: np.ndarray) -> DateEncoder:
        """The encoder of a column for these training rows."""
        scale, known = Scale.fit(values), values[~np.isnan(values)]
        return cls(column.name, scale.centre, scale.width, bool(np.isnan(values).any()), bool((known != np.floor(known)).any()))

    @property
    def flags(self) -> int:
        """Two for each cycle, one for gaps."""
        return 4 + 2 * self.times + self.gaps

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """The cycles, 0 for gaps, and whether it is missing."""
        missing = np.isnan(values)
        days = np.where(missing, 0.0, values)
        turns = [2 * np.pi * days / period for period in (YEAR, WEEK, *((1.0,) if self.times else ()))]
        cycles = [np.where(missing, 0.0, function(turn)) for turn in turns for function in (np.sin, np.cos)]
        return np.stack([*cycles, *([missing.astype(np.float64)] if self.gaps else [])], axis=1)


@dataclass(frozen=True)
class PairEncoder(Encoder):
    """Two words as -1 and 1; 0 for gaps and other words."""

    words: tuple[str, ...]
    kind: ClassVar[str] = "pair"

    @property
    def flags(self) -> int:
        """One."""
        return 1

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """-1, 1 or 0."""
        return ((values == self.words[1]).astype(np.float64) - (values == self.words[0]))[:, None]

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """Other words."""
        return (values != self.words[0]) & (values != self.words[1]) & (values != "")


@dataclass(frozen=True)
class CategoryEncoder(Encoder):
    """A flag for each category; a word that no training row has gives zeros. Gaps are a category where training rows have them."""

    words: tuple[str, ...]
    kind: ClassVar[str] = "categories"

    @property
    def flags(self) -> int:
        """One for each category."""
        return len(self.words)

    def indices(self, values: np.ndarray) -> np.ndarray:
        """The index of each word, -1 for unknown ones."""
        index = {word: i for i, word in enumerate(self.words)}
        return np.array([index.get(value, -1) for value in values.tolist()], np.int64)

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """The flags."""
        return (self.indices(values)[:, None] == np.arange(len(self.words))).astype(np.float64)

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """Words that no training row had."""
        return (self.indices(values) < 0) & (values != "")


@dataclass(frozen=True)
class EmbeddedEncoder(CategoryEncoder):
    """A category as an index into an embedding; 0 stands for rare and unknown ones."""

    kind: ClassVar[str] = "embedded"

    @property
    def flags(self) -> int:
        """None."""
        return 0

    @property
    def sizes(self) -> tuple[int, ...]:
        """One embedding."""
        return (len(self.words) + 1,)

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """Nothing."""
        return Encoder.encode_flags(self, values)

    def encode_codes(self, values: np.ndarray) -> np.ndarray:
        """The index, from 1."""
        return (self.indices(values) + 1)[:, None]


@dataclass(frozen=True)
class TextEncoder(Encoder):
    """The frequent words of a text: tf-idf, log(1 + count) log(N / texts with the word), each row of length 1."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    kind: ClassVar[str] = "text"

    @classmethod
    def fit(cls, column: Column, values: np.ndarray) -> TextEncoder:
        """The words that occur in at least 3 training rows, the 256 most frequent ones, without those that all rows have."""
        counts = Counter(word for value in values.tolist() for word in set(split_words(value)))
        usual = [(word, count) for word, count in counts.items() if LEAST_TEXTS <= count < len(values)]
        chosen = sorted(usual, key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS]
        return cls(column.name, tuple(word for word, _ in chosen), tuple(math.log(len(values) / count) for _, count in chosen))

    @property
    def flags(self) -> int:
        """One for each word, one for the length."""
        return len(self.words) + 1

    def encode_flags(self, values: np.ndarray) -> np.ndarray:
        """The weighted counts, and log(1 + words) / 5."""
        index = {word: i for i, word in enumerate(self.words)}
        result = np.zeros((len(values), len(self.words) + 1))
        for row, value in enumerate(values.tolist()):
            words = split_words(value)
            for word in words:
                if word in index:
                    result[row, index[word]] += 1
            result[row, -1] = math.log1p(len(words)) / 5
        weighted = np.log1p(result[:, :-1]) * np.array(self.weights)
        result[:, :-1] = weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-12)
        return result

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """None: unknown words are not counted."""
        return np.zeros(len(values), bool)


ENCODERS: dict[str, type[Encoder]] = {cls.kind: cls for cls in (NumberEncoder, DateEncoder, PairEncoder, CategoryEncoder,
                                                               EmbeddedEncoder, TextEncoder)}


def split_words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return WORD.findall(text.lower())


def fit_encoder(column: Column, values: np.ndarray) -> Encoder:
    """The encoder of a column for these training rows."""
    if column.kind == "number":
        return NumberEncoder.fit(column, values)
    if column.kind == "date":
        return DateEncoder.fit(column, values)
    if column.kind == "text":
        return TextEncoder.fit(column, values)
    counts = Counter(values.tolist())
    words = sorted(counts)
    if len([word for word in words if word]) == 2 and len(words) == 2:
        return PairEncoder(column.name, tuple(words))
    if len(words) <= MOST_ONE_HOT:
        return CategoryEncoder(column.name, tuple(words))
    return EmbeddedEncoder(column.name, tuple(word for word in words if counts[word] >= LEAST_COUNT))


def read_encoder(content: Mapping[str, Any]) -> Encoder:
    """The encoder that `to_fields` described; DataError for one that is none."""
    try:
        fields = dict(content)
        cls = ENCODERS[fields.pop("kind")]
        arguments: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return cls(**arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"an encoder of the run is damaged ({type(error).__name__}: {error!s:.80})", where="",
                        why="it has a kind and the numbers that belong to it", repair="restore the run folder from a copy, or train again"
                        ) from error
