"""WordPiece: words are cleaned and cut as BERT's tokenizer does it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from slopes.errors import ArgumentError, DataError
from slopes.text import WordPieces

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
VOCABULARY = [*SPECIALS, *LETTERS, *"!?.,-$+'", "the", "##ing", "play", "un", "##able", "é", "中", "İ", "ß", "ς", "σ", "##σ"]


def test_words_are_cut_into_the_longest_pieces():
    pieces = WordPieces(VOCABULARY)
    assert pieces.tokens("Playing, unplayable!") == ["play", "##ing", ",", "un", "##p", "##l", "##a", "##y", "##able", "!"]
    assert pieces.tokens("a" * 100) == ["a", *["##a"] * 99] and pieces.tokens("a" * 101) == ["[UNK]"]
    assert pieces.tokens("aд x") == ["[UNK]", "x"] and pieces.tokens("中国") == ["中", "[UNK]"]
    assert pieces.tokens(" \t\n\u3000") == [] and pieces.tokens("a\x00b\u200bc\ufffdd") == ["a", "##b", "##c", "##d"]
    assert pieces.tokens("don't $5+5") == ["d", "##o", "##n", "'", "t", "$", "5", "+", "5"]


def test_case_and_accents():
    assert WordPieces(VOCABULARY).tokens("É É\u0301 ΣΣ") == ["e", "e", "σ", "##σ"]
    assert WordPieces(VOCABULARY, lowercase=False).tokens("é") == ["é"]
    assert WordPieces(VOCABULARY, strip_accents=False).tokens("É") == ["é"]
    assert WordPieces(VOCABULARY, chinese=False).tokens("中中") == ["[UNK]"]


def test_indices_and_their_number():
    pieces = WordPieces(VOCABULARY)
    assert pieces.encode("the a").tolist() == [2, VOCABULARY.index("the"), VOCABULARY.index("a"), 3]
    assert pieces.encode("a b c d", length=4).tolist() == [2, VOCABULARY.index("a"), VOCABULARY.index("b"), 3]
    assert pieces.encode("").dtype == np.int64 and len(pieces) == len(VOCABULARY) and repr(pieces).startswith("WordPieces(")
    with pytest.raises(ArgumentError, match="length is 0"):
        pieces.encode("a", length=0)


def test_a_vocabulary_is_read_and_validated(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\r\n".join(VOCABULARY).encode())
    assert WordPieces.load(path).vocabulary == VOCABULARY
    path.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match=r"vocab.txt: contents: it is not UTF-8"):
        WordPieces.load(path)
    path.write_bytes(b"[PAD]\n[UNK]\n")
    with pytest.raises(DataError, match=r"contents: .* lacks \[CLS\], \[SEP\]"):
        WordPieces.load(path)


def test_pieces_are_those_of_the_usual_library():
    library = pytest.importorskip("tokenizers")
    engine = library.Tokenizer(library.models.WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    engine.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    engine.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    pieces, generator = WordPieces(VOCABULARY), random.Random(0)
    characters = [*map(chr, (*range(9, 14), *range(32, 127), *range(0xA0, 0x180), *range(0x391, 0x3CF), *range(0x400, 0x450))),
                  *"\u0301\u200b\u3000\u2028\ufffd\x00\x85\u00ad中国ー。「İıẞ𐐀😀\ue000"]
    for _ in range(400):
        text = "".join(generator.choices(characters, k=generator.randrange(30)))
        assert pieces.tokens(text) == engine.encode(text).tokens, repr(text)
