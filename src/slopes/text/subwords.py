"""Subword tokenization by byte-pair encoding."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..extras import require
from ..files.atomic import Path
from ..files.jsonfile import load_json, save_json
from ..files.reading import refused
from .vocabulary import BOS, EOS, PAD, SPECIALS, UNK, as_indices, check_whole

SCHEMA = "slopes.subwords"
PURPOSE = "text.Subwords"


class Subwords:
    """A byte-pair encoding: starting from bytes, the most frequent pair of adjacent pieces is merged repeatedly.

    Any text can be encoded and decoded without loss, if need be byte by byte. The special tokens <pad>, <unk>,
    <bos> and <eos> are 0, 1, 2 and 3. Needs the library `tokenizers` (extra `text`): MissingExtraError without it.
    Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016.
    """

    __slots__ = ("engine",)
    pad, unk, bos, eos = range(len(SPECIALS))

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.engine.encode_special_tokens = True  # <eos> in a text is ordinary text

    @classmethod
    def train(cls, sentences: Iterable[str], size: int = 8000) -> Subwords:
        """Learn at most `size` pieces, the 256 bytes and 4 special tokens among them.

        Raises ArgumentError for no sentence and for a size below 260.
        """
        library = require("tokenizers", extra="text", purpose=PURPOSE)
        sentences = list(sentences)
        check_whole(size=size)
        if not any(sentences) or size < 256 + len(SPECIALS):
            raise ArgumentError(f"subwords of {len(sentences)} sentences, size {size}", why="pieces are learned from text, and the bytes "
                                f"and special tokens take {256 + len(SPECIALS)} of them", repair="give sentences, and size=8000")
        engine = library.Tokenizer(library.models.BPE(unk_token=UNK))
        engine.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = library.decoders.ByteLevel()
        alphabet = library.pre_tokenizers.ByteLevel.alphabet()
        trainer = library.trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIALS), initial_alphabet=alphabet,
                                              show_progress=False)
        engine.train_from_iterator(sentences, trainer)
        return cls(engine)

    def __len__(self) -> int:
        return int(self.engine.get_vocab_size())

    def __repr__(self) -> str:
        return f"Subwords({len(self)} pieces)"

    def encode(self, sentence: str, bos: bool = False, eos: bool = False) -> np.ndarray:
        """The numbers (T,) int64 of the sentence's pieces, with <bos> before and <eos> after them if asked for."""
        pieces = self.engine.encode(sentence, add_special_tokens=False).ids
        return np.array([*([self.bos] if bos else []), *pieces, *([self.eos] if eos else [])], np.int64)

    def decode(self, indices: Any) -> str:
        """The sentence of numbers (T,), up to the first <eos>, without the other special tokens."""
        indices = as_indices(indices)
        end = np.flatnonzero(indices == self.eos)
        kept = indices[: end[0]] if end.size else indices
        return str(self.engine.decode(kept.tolist(), skip_special_tokens=True))

    def save(self, path: Path) -> None:
        """Write the pieces as JSON, atomically."""
        save_json(path, {"pieces": self.pieces}, SCHEMA)

    @property
    def pieces(self) -> dict[str, Any]:
        """The pieces and how they are merged, in the library's own form, as JSON holds it; `from_pieces` reads it back."""
        pieces: dict[str, Any] = json.loads(self.engine.to_str())
        return pieces

    @classmethod
    def from_pieces(cls, pieces: Any, path: Path = "subwords") -> Subwords:
        """The subwords that `pieces` describes. Raises DataError, which names `path`, for anything else."""
        library = require("tokenizers", extra="text", purpose=PURPOSE)
        try:
            engine = library.Tokenizer.from_str(json.dumps(pieces))
        except Exception as error:  # the library raises bare Exceptions
            raise refused(path, "pieces", f"they are not what the library reads ({error})") from None
        if [engine.token_to_id(token) for token in (PAD, UNK, BOS, EOS)] != [0, 1, 2, 3]:
            raise refused(path, "pieces", "their first four are not the special tokens")
        return cls(engine)

    @classmethod
    def load(cls, path: Path) -> Subwords:
        """Read what `save` wrote. Raises DataError naming file and field."""
        return cls.from_pieces(load_json(path, SCHEMA).get("pieces"), path)
