"""Byte-pair encoding with published pieces: as GPT-2's tokenizer does it."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from slopes.errors import ArgumentError, DataError
from slopes.text import BytePairs
from slopes.text.bytepairs import LETTERS

MERGES = [("l", "o"), ("lo", "w"), ("Ġ", "low"), ("e", "r"), ("a", "a"), ("aa", "aa"), ("Ġ", "t"), ("Ã", "©"), ("Ġ", "Ġ"), ("'", "s")]
VOCABULARY = {piece: i for i, piece in enumerate([*LETTERS.values(), *map("".join, MERGES), "<|endoftext|>"])}


def test_pairs_are_merged_in_order():
    pieces = BytePairs(VOCABULARY, MERGES)
    assert pieces.tokens("low lower") == ["low", "Ġlow", "er"] and pieces.tokens("aaaaa") == ["aaaa", "a"]
    assert pieces.tokens("é's") == ["Ã©", "'s"] and pieces.tokens("") == []
    assert pieces.encode("low").tolist() == [VOCABULARY["low"]] and pieces.end == len(VOCABULARY) - 1
    assert pieces.decode([VOCABULARY["low"], pieces.end]) == "low<|endoftext|>"
    assert pieces.end not in pieces.encode("<|endoftext|>")
    with pytest.raises(ArgumentError, match="no piece has the index 999"):
        pieces.decode([999])


def test_any_text_comes_back():
    pieces, generator = BytePairs(VOCABULARY, MERGES), random.Random(0)
    for _ in range(200):
        text = "".join(chr(generator.choice([generator.randrange(128), generator.randrange(0xD800), 0x1F600])) for _ in range(12))
        assert pieces.decode(pieces.encode(text)) == text
    assert pieces.decode(pieces.encode("a\ud800")) == "a?"


def test_files_are_read_and_validated(tmp_path):
    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    lines = "#version: 0.2\n" + "\n".join(map(" ".join, MERGES)) + "\n"
    vocabulary.write_text(json.dumps(VOCABULARY))
    merges.write_text(lines, encoding="utf-8")
    assert BytePairs.load(vocabulary, merges).tokens("low lower") == ["low", "Ġlow", "er"]
    for content, problem in [({**VOCABULARY, "low": -1}, "an index is not"), ({**VOCABULARY, "low": True}, "an index is not"),
                             ({**VOCABULARY, "low": 0}, "has an index twice"), ({"a": 0}, "lacks '!'")]:
        vocabulary.write_text(json.dumps(content))
        with pytest.raises(DataError, match=rf"vocab.json: contents: .*{problem}"):
            BytePairs.load(vocabulary, merges)
    vocabulary.write_text(json.dumps(VOCABULARY))
    for content, problem in [("a b c\n", "merges.txt: contents: a line does not have"), ("q z\n", "vocab.json: contents: .* lacks 'qz'")]:
        merges.write_text(content)
        with pytest.raises(DataError, match=problem):
            BytePairs.load(vocabulary, merges)


def test_pieces_are_those_of_the_usual_library():
    library = pytest.importorskip("tokenizers")
    engine = library.Tokenizer(library.models.BPE(VOCABULARY, MERGES))
    engine.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces, generator = BytePairs(VOCABULARY, MERGES), random.Random(0)
    characters = [*map(chr, (*range(9, 14), *range(32, 127), *range(0xA0, 0x180))),
                  *"'''''    lowertaés\u3000\u2028\x85\x1c中２²Ⅷ①😀\u0301\u200b"]
    for _ in range(1000):
        text = "".join(generator.choices(characters, k=generator.randrange(30)))
        assert np.array_equal(pieces.encode(text), engine.encode(text).ids), repr(text)
