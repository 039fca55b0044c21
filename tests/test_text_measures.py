"""Perplexity, BLEU, tagging accuracy, exact match, and word vectors from files."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import slopes as sl
from slopes import nn, text
from slopes.errors import ArgumentError, DataError, OutOfRangeError, ShapeError

# Measures


def test_perplexity_of_an_even_guess_is_the_number_of_choices():
    assert text.perplexity(nn.cross_entropy(sl.zeros((5, 65)), sl.tensor([0, 1, 2, 3, 4]))) == pytest.approx(65, rel=1e-6)


def test_perplexity_weighs_batches_by_their_tokens():
    losses, counts = np.array([1.0, 3.0, np.nan]), [30, 10, 0]
    assert text.perplexity(losses, counts) == pytest.approx(np.exp(1.5))
    assert text.perplexity(1000.0) == float("inf")


@pytest.mark.parametrize("call, kind", [(lambda: text.perplexity([1.0, 2.0], [1]), ShapeError),
                                        (lambda: text.perplexity([]), ArgumentError),
                                        (lambda: text.perplexity([1.0], [0]), ArgumentError),
                                        (lambda: text.perplexity([1.0, 1.0], [2, -1]), ArgumentError)])
def test_perplexity_of_nothing_is_refused(call, kind):
    with pytest.raises(kind, match="perplexity:"):
        call()


def test_tagging_accuracy_does_not_count_filling_eagerly_and_compiled(rng):
    predicted, tags = rng.integers(0, 3, (2, 6, 9))
    lengths = np.array([9, 0, 4, 1, 7, 2])
    real = np.arange(9) < lengths[:, None]
    wanted = (predicted == tags)[real].mean()
    arguments = sl.tensor(predicted), sl.tensor(tags), sl.tensor(lengths)
    for measure in (text.tagging_accuracy, sl.compile(text.tagging_accuracy)):
        assert measure(arguments[0], arguments[1], text.mask(arguments[2], 9)).item() == pytest.approx(wanted)
    assert text.tagging_accuracy([1, 2], [1, 3]).item() == 0.5
    with pytest.raises(ShapeError, match=r"predicted \(6, 9\), tags \(6,\)"):
        text.tagging_accuracy(predicted, tags[:, 0])


def test_exact_match_compares_strings_lists_and_rows():
    assert text.exact_match(["a", ["b", "c"], np.array([1, 2]), "d", [1]], ["a", ["b", "c"], [1, 2], ["d"], [1, 2]]) == 0.6
    for found, wanted in (([], []), (["a"], [])):
        with pytest.raises(ArgumentError, match="exact_match:"):
            text.exact_match(found, wanted)


def test_bleu_agrees_with_its_definition():
    pytest.importorskip("sacrebleu")
    found, wanted = text.words("the cat is on the red mat"), text.words("the cat sat on the red mat today")

    def precision(n):
        grams = [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]
        known = [tuple(wanted[i : i + n]) for i in range(len(wanted) - n + 1)]
        return sum(min(grams.count(g), known.count(g)) for g in set(grams)) / len(grams)

    brief = np.exp(1 - len(wanted) / len(found))
    value = text.bleu([" ".join(found)], [" ".join(wanted)])
    assert precision(4) > 0 and value.brevity_penalty == pytest.approx(brief)
    assert value.score == pytest.approx(100 * brief * np.exp(np.mean([np.log(precision(n)) for n in (1, 2, 3, 4)])))
    assert "tok:13a" in value.signature


def test_bleu_takes_several_references_for_some_sentences():
    pytest.importorskip("sacrebleu")
    found = ["it is a small house", "he went home by bus"]
    assert text.bleu(found, [["this is a little house", "it is a small house"], "he went home by bus"]).score == pytest.approx(100)
    assert text.bleu(found, ["this is a little house", "he went home by bus"]).score < 80
    assert text.bleu(["IT IS A SMALL HOUSE"], ["it is a small house"], lowercase=True).score == pytest.approx(100)


@pytest.mark.parametrize("found, wanted", [([], []), (["a"], []), ("a", "a"), (["a"], [[]])])
def test_bleu_of_nothing_is_refused(found, wanted):
    with pytest.raises(ArgumentError, match="bleu:"):
        text.bleu(found, wanted)


# Word vectors


def load(tmp_path, content, **options):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return text.load_vectors(path, **options)


def test_vectors_are_read_with_and_without_a_head_packed_or_plain(tmp_path):
    lines = "the 0.5 -1e-3 +2\n. . . 1 .25 3.\nété 4 5 6\n"
    for content in (lines, "3 3\n" + lines, gzip.compress(lines.encode()), lines.replace("\n", " \n")):
        found = load(tmp_path, content)
        assert found.words == ("the", ". . .", "été") and found.vectors.dtype == np.float32
        assert np.array_equal(found.vectors, np.array([[0.5, -1e-3, 2], [1, 0.25, 3], [4, 5, 6]], np.float32))
    some = load(tmp_path, lines, words={"été", "other"})
    assert some.words == ("été",) and "the" not in some and some["été"].tolist() == [4, 5, 6]
    with pytest.raises(OutOfRangeError, match="there is no vector for 'the'"):
        some["the"]


def test_a_table_for_a_vocabulary_holds_known_vectors_and_reproducible_others(tmp_path):
    found = load(tmp_path, "cat 1 2\ndog 3 4\n")
    vocabulary = text.Vocabulary(["dog", "cow"])
    table, known = found.table(vocabulary, seed=1)
    assert known.tolist() == [False] * 4 + [True, False] and table[4].tolist() == [3, 4] and table[0].tolist() == [0, 0]
    assert np.array_equal(table, found.table(vocabulary, seed=1).table) and not np.array_equal(table, found.table(vocabulary, seed=2).table)
    embedding = nn.Embedding(len(vocabulary), 2)
    embedding.weight.assign(table)
    assert embedding(sl.tensor([4])).tolist() == [[3, 4]]
    assert [word for word, _ in found.nearest("cat")] == ["dog"] and found.nearest(found["dog"], 1) == [("dog", 1.0)]


@pytest.mark.parametrize("content, said", [
    ("", "contents: the file is empty"),
    ("the\n", "line 1: 0 numbers"),
    ("the 1 2\ncat 1\n", "line 2: it is not a word and 2 numbers"),
    ("the 1 2\ncat 1 2 x\n", "line 2: 'x' is no number"),
    ("the 1 nan\n", "line 1: 'nan' is no number"),
    ("the 1 -inf\n", "line 1: '-inf' is no number"),
    ("the 1 1e39\n", "line 1: 1e39 is too large for float32"),
    ("the 1 1_0\n", "line 1: '1_0' is no number"),
    ("the 1 ١\n", "line 1: '١' is no number"),
    ("the 1 2\nthe 3 4\n", "line 2: the word 'the' occurs twice"),
    ("the 1 2\n 3 4\n", "line 2: it is not a word and 2 numbers"),
    (b"the 1 2\n\xff\xfe 3 4\n", "line 2: byte 0 is 0xff"),
    ("3 2\nthe 1 2\n", "line 1: the head claims 3 words, but 1 follow"),
    ("1 3\nthe 1 2\n", "line 2: it is not a word and 3 numbers"),
    ("1 0\nthe\n", "line 1: 0 numbers"),
    ("1 999999999999\nthe 1\n", "line 1: 999999999999 numbers"),
    ("the 1 2\n\ncat 1 2\n", "line 2: it is not a word and 2 numbers"),
    (gzip.compress(b"the 1 2\n", mtime=0)[:-6], "after line"),
    ("the  1 2\n", "line 1: '' is no number")])
def test_damaged_vectors_are_refused_by_line(tmp_path, content, said):
    with pytest.raises(DataError) as caught:
        load(tmp_path, content)
    assert caught.value.what.removeprefix(f"{tmp_path / 'vectors.txt'}: ").startswith(said)


def test_a_vocabulary_that_shares_no_word_with_the_file_is_said(tmp_path):
    with pytest.raises(ArgumentError, match="none of its 1 words is wanted"):
        load(tmp_path, "the 1 2\n", words={"THE"})
