"""Tokens, vocabularies, subwords, padding, buckets and windows: what is promised, and what is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import slopes as sl
from slopes import extras, text
from slopes.errors import ArgumentError, DataError, DTypeError, MissingExtraError, OutOfRangeError, ShapeError

# Tokens


@pytest.mark.parametrize("sentence, found", [
    ("", []), ("   \t", []), ("Don't!", ["Don't", "!"]), ("a--b", ["a", "-", "-", "b"]), ("3.14 or 1,000.", ["3.14", "or", "1,000", "."]),
    ("state-of-the-art", ["state-of-the-art"]), ("x_1 <unk>", ["x_1", "<", "unk", ">"]), ("e\u0301te\u0301", ["été"]),
    ("Va\u202f!", ["Va", "!"]), ("'tis", ["'", "tis"]), ("12:30am", ["12", ":", "30am"]), ("你好。", ["你好", "。"]),
])
def test_words_follow_their_rules(sentence, found):
    assert text.words(sentence) == found


def test_elision_ends_a_word_at_its_apostrophe():
    assert text.words("Qu'est-ce que c’est ? L'État", elision=True) == ["Qu'", "est-ce", "que", "c’", "est", "?", "L'", "État"]
    assert text.words("'a' 'b", elision=True) == ["'", "a", "'", "'", "b"]


def test_joined_words_are_the_sentence_again():
    for sentence, french in (("Don't go (yet), Tom: it's 3.50!", False), ("L'homme n'est pas là ; où est-il ?", True)):
        assert text.join_words(text.words(sentence, elision=french), french) == sentence
    assert text.join_words([]) == ""


def test_characters_join_to_the_text():
    assert "".join(text.characters("e\u0301 \n!")) == "e\u0301 \n!"


# Vocabulary


def test_a_vocabulary_is_ordered_by_count_and_then_by_token():
    found = text.Vocabulary.build(["b", "a", "c", "c", "<unk>"])
    assert found.tokens == ("<pad>", "<unk>", "<bos>", "<eos>", "c", "a", "b") and len(found) == 7 and "c" in found and "d" not in found
    assert (found.pad, found.unk, found.bos, found.eos) == (0, 1, 2, 3)
    assert text.Vocabulary.build({"a": 5, "b": 9}, largest=5) == text.Vocabulary(["b"])
    assert text.Vocabulary.build("hello", specials=()).tokens == ("l", "e", "h", "o")


def test_encoding_and_decoding():
    vocabulary = text.Vocabulary("abc")
    ids = vocabulary.encode("abx", bos=True, eos=True)
    assert ids.tolist() == [2, 4, 5, 1, 3] and ids.dtype == np.int64
    assert vocabulary.encode([]).tolist() == [] and vocabulary.encode([], eos=True).tolist() == [3]
    assert vocabulary.decode([2, 4, 5, 1, 3, 6, 0]) == ["a", "b", "<unk>"] == vocabulary.decode(sl.tensor([2, 4, 5, 1, 3, 6, 0]))
    assert vocabulary.decode([2, 3, 0], specials=True) == ["<bos>", "<eos>", "<pad>"] and vocabulary.decode([]) == []


def test_a_vocabulary_without_unk_refuses_unknown_words():
    plain = text.Vocabulary("ab", specials=())
    with pytest.raises(OutOfRangeError) as caught:
        plain.encode("abx")
    assert str(caught.value).rsplit(":", 1)[0].splitlines() == [
        "token 2 is 'x', which the vocabulary does not know", "  it has no <unk> to stand for it",
        "  build it with specials=('<unk>',), or from all texts", "  at test_text.py"]
    with pytest.raises(ArgumentError, match="this vocabulary has no <eos>"):
        plain.encode("ab", eos=True)


@pytest.mark.parametrize("make, kind, said", [
    (lambda: text.Vocabulary.build([]), ArgumentError, "an empty vocabulary"),
    (lambda: text.Vocabulary.build("abc", smallest_count=2), ArgumentError, "an empty vocabulary"),
    (lambda: text.Vocabulary.build("abc", largest=4), ArgumentError, "an empty vocabulary"),
    (lambda: text.Vocabulary("aba"), ArgumentError, "token 'a' occurs twice"),
    (lambda: text.Vocabulary(["<unk>"]), ArgumentError, "token '<unk>' occurs twice"),
    (lambda: text.Vocabulary([1]), DTypeError, "token 1 is of type int"),
    (lambda: text.Vocabulary([["a"]]), DTypeError, "token ['a'] is of type list"),
    (lambda: text.Vocabulary.build([3]), DTypeError, "3 is neither a token nor"),
    (lambda: text.Vocabulary("a", specials=("<s>",)), ArgumentError, "specials are ('<s>',)"),
    (lambda: text.Vocabulary("a", specials="<unk>"), ArgumentError, "specials are"),
    (lambda: text.Vocabulary.build("a", smallest_count=0), ArgumentError, "smallest_count is 0"),
    (lambda: text.Vocabulary("a").decode([5]), OutOfRangeError, "the numbers run from 5 to 5, but there are 5 tokens"),
    (lambda: text.Vocabulary("a").decode([[1]]), DTypeError, "of shape (1, 1)"),
    (lambda: text.Vocabulary("a").decode([0.5]), DTypeError, "numbers of tokens are float64"),
    (lambda: text.Vocabulary("a").coverage([]), ArgumentError, "there is no token"),
])
def test_bad_vocabularies_and_tokens_are_refused(make, kind, said):
    with pytest.raises(kind) as caught:
        make()
    assert said in caught.value.what


def test_a_vocabulary_is_saved_and_loaded(tmp_path):
    made = text.Vocabulary.build(text.words("l’été, \"deux\" \\ été"), specials=("<unk>",))
    made.save(tmp_path / "v.json")
    assert text.Vocabulary.load(tmp_path / "v.json") == made


@pytest.mark.parametrize("change, field", [
    ({"tokens": ["a", "a"]}, "tokens: token 'a' occurs twice"), ({"tokens": "abc"}, "tokens: it is no list of text"),
    ({"tokens": [1]}, "tokens: it is no list of text"), ({"specials": None}, "specials: it is no list"),
    ({"specials": ["<s>"]}, "tokens: specials are"), ({"schema": "slopes.run"}, "schema: "), ({"version": 9}, "version: "),
    ({"tokens": []}, "tokens: an empty vocabulary")])
def test_a_damaged_vocabulary_is_refused_by_field(tmp_path, change, field):
    path = tmp_path / "v.json"
    text.Vocabulary("ab").save(path)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        text.Vocabulary.load(path)
    assert caught.value.what.removeprefix(f"{path}: ").startswith(field)


# Subwords


SENTENCES = ["low lower lowest", "new newer newest", "wide wider widest", "ça va <eos> ✓"] * 3


def test_subwords_give_any_text_back_and_are_saved(tmp_path):
    pytest.importorskip("tokenizers")
    made = text.Subwords.train(SENTENCES, size=300)
    for sentence in (*SENTENCES, "  two  blanks ", "неизвестно 🙂", "<eos> <pad>", ""):
        ids = made.encode(sentence, bos=True, eos=True)
        assert ids[0] == made.bos and ids[-1] == made.eos and not np.isin(ids[1:-1], [0, 1, 2, 3]).any()
        assert made.decode(ids) == sentence
    assert len(made.encode(" lowest")) < 4 and len(made) <= 300
    made.save(tmp_path / "s.json")
    text.Subwords.train(SENTENCES, size=300).save(tmp_path / "again.json")
    assert (tmp_path / "s.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    assert text.Subwords.load(tmp_path / "s.json").encode("lowest ✓").tolist() == made.encode("lowest ✓").tolist()


def test_damaged_subwords_and_too_few_are_refused(tmp_path):
    pytest.importorskip("tokenizers")
    for sentences, size in (([], 300), ([""], 300), (["a"], 259)):
        with pytest.raises(ArgumentError, match="subwords of"):
            text.Subwords.train(sentences, size)
    text.Subwords.train(SENTENCES, size=270).save(tmp_path / "s.json")
    sound = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    renamed = json.loads(json.dumps(sound["pieces"]).replace("<eos>", "<end>"))
    for pieces in (None, {}, "x", {**sound["pieces"], "model": {"type": "BPE"}}, renamed):
        (tmp_path / "s.json").write_text(json.dumps({**sound, "pieces": pieces}), encoding="utf-8")
        with pytest.raises(DataError, match=r"s\.json: pieces: "):
            text.Subwords.load(tmp_path / "s.json")


@pytest.mark.parametrize("call", [lambda: text.Subwords.train(["a"]), lambda: text.bleu(["a"], ["a"])])
def test_missing_libraries_are_named_with_their_extra(call, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(name=module.partition(".")[0])

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'slopes\[text\]'"):
        call()


# Padding and masks


def test_rows_are_padded_on_either_side():
    rows = [[1, 2, 3], [], [4]]
    right, left = text.pad(rows, value=9, length=4), text.pad(rows, side="left")
    assert right.values.tolist() == [[1, 2, 3, 9], [9] * 4, [4, 9, 9, 9]] and right.lengths.tolist() == [3, 0, 1]
    assert left.values.tolist() == [[1, 2, 3], [0, 0, 0], [0, 0, 4]] and left.values.dtype == np.int64
    assert text.pad(rows, length=2, truncate=True).values.tolist() == [[1, 2], [0, 0], [4, 0]]
    assert text.pad(rows, length=2, truncate=True).lengths.tolist() == [2, 0, 1]
    assert text.pad([[], []]).values.shape == (2, 0)


def test_rows_of_vectors_are_padded():
    found = text.pad([np.ones((2, 3)), np.zeros((0, 3)), np.full((1, 3), 2, np.int32)])
    assert found.values.shape == (3, 2, 3) and found.values.dtype == np.float32 and found.values[2, 0].tolist() == [2, 2, 2]


@pytest.mark.parametrize("rows, options, kind, said", [
    ([], {}, ArgumentError, "there is no row"), ([[1, 2]], {"length": 1}, ShapeError, "row 0 holds 2 elements, more than length=1"),
    ([["a"]], {}, DTypeError, "rows of <U1"), ([np.ones((1, 2)), np.ones((1, 3))], {}, ShapeError, "row 1 is of shape (1, 3)"),
    ([3, 4], {}, ShapeError, "row 0 is of shape ()"), ([[1]], {"side": "middle"}, ArgumentError, "side is 'middle'")])
def test_rows_that_cannot_be_padded_are_refused(rows, options, kind, said):
    with pytest.raises(kind) as caught:
        text.pad(rows, **options)
    assert said in caught.value.what


def test_masks_come_from_lengths_eagerly_and_compiled():
    lengths = sl.tensor([[3, 0], [1, 5]])
    wanted = np.arange(4) < np.array([[3, 0], [1, 5]])[..., None]
    assert np.array_equal(text.mask(lengths, 4), wanted)
    assert np.array_equal(sl.compile(lambda x: text.mask(x, 4))(lengths), wanted)
    with pytest.raises(DTypeError, match="lengths are float32"):
        text.mask([1.0], 2)


# Buckets


def test_buckets_hold_every_row_once_and_fit_their_length(rng):
    lengths = rng.integers(0, 40, 500)
    for seed in (None, 7):
        found = text.buckets(lengths, 16, seed)
        assert sorted(itertools.chain(*(batch.rows.tolist() for batch in found))) == list(range(500))
        limits = sorted({batch.length for batch in found})
        below = dict(zip(limits, [-1, *limits]))
        assert len(limits) <= 8 and limits[-1] == 39
        assert all((below[b.length] < lengths[b.rows]).all() and (lengths[b.rows] <= b.length).all() and len(b.rows) <= 16 for b in found)
    wasted = sum(len(b.rows) * b.length for b in found) / lengths.sum()
    assert wasted < 1.2 < 500 * 39 / lengths.sum()


def test_buckets_are_a_pure_function_of_seed_and_epoch(rng):
    lengths = rng.integers(1, 40, 100)

    def found(seed, epoch):
        return [(batch.rows.tolist(), batch.length) for batch in text.buckets(lengths, 8, seed, epoch)]

    assert found(1, 2) == found(1, 2) != found(1, 3) and found(1, 2) != found(2, 2)
    assert [length for _, length in found(1, 2)] != sorted(length for _, length in found(1, 2))


def test_boundaries_divide_rows_evenly():
    assert text.boundaries([5], 8) == (5,) and text.boundaries([3] * 10 + [7], 4) == (3, 7)
    assert text.boundaries(range(1, 101), 4) == (25, 50, 75, 100)


@pytest.mark.parametrize("call, kind, said", [
    (lambda: text.buckets([], 4), ArgumentError, "lengths are float64 of shape (0,)"),
    (lambda: text.buckets([-1], 4), ArgumentError, "lengths are"), (lambda: text.buckets([1.5], 4), ArgumentError, "lengths are float64"),
    (lambda: text.buckets([1], 0), ArgumentError, "batch_size is 0"),
    (lambda: text.buckets([1, 9], 2, limits=(4, 8)), OutOfRangeError, "row 1 holds 9 elements, more than the last limit, 8"),
    (lambda: text.buckets([1], 2, limits=(4, 4)), ArgumentError, "limits are (4, 4)"),
    (lambda: text.buckets([1], 2, limits=()), ArgumentError, "limits are ()"),
    (lambda: text.boundaries([1], 0), ArgumentError, "count is 0")])
def test_impossible_buckets_are_refused(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in caught.value.what


# Windows


@pytest.mark.parametrize("n, rows, steps", list(itertools.product((14, 15, 29, 100), (1, 2, 3), (1, 3, 4))))
def test_streams_go_on_from_batch_to_batch(n, rows, steps):
    found = text.streams(np.arange(n), rows, steps)
    assert found.inputs.shape == found.targets.shape == ((n - 1) // rows // steps, rows, steps)
    assert np.array_equal(found.targets, found.inputs + 1)
    assert np.array_equal(found.inputs[1:, :, 0], found.inputs[:-1, :, -1] + 1)
    assert np.array_equal(found.inputs[0, :, 0], np.arange(rows) * ((n - 1) // rows))


@pytest.mark.parametrize("n, rows, steps", list(itertools.product((2, 3, 14, 29), (1, 2, 3, 7), (1, 3, 50))))
def test_streams_that_are_filled_up_hold_every_pair_once(n, rows, steps):
    ids = np.arange(n) + 100
    found = text.streams(ids, rows, steps, ignore=-1)
    real = found.targets != -1
    assert sorted(found.targets[real].tolist()) == ids[1:].tolist() and np.array_equal(found.inputs[real] + 1, found.targets[real])
    along = found.targets.swapaxes(0, 1).reshape(rows, -1)
    assert (np.diff((along != -1).astype(int), axis=1) <= 0).all()  # filling stands at the ends only


def test_random_windows_are_a_pure_function_of_seed_and_step():
    ids = np.arange(50) * 2
    found = text.random_windows(ids, 8, 64, seed=1, step=5)
    assert found.inputs.shape == (64, 8) and np.array_equal(found.inputs + 2, found.targets)
    assert np.array_equal(found.inputs, text.random_windows(ids, 8, 64, seed=1, step=5).inputs)
    assert not np.array_equal(found.inputs, text.random_windows(ids, 8, 64, seed=1, step=6).inputs)
    starts = text.random_windows(ids, 8, 5000, seed=2).inputs[:, 0] // 2
    assert np.bincount(starts).min() > 60 and len(np.bincount(starts)) == 42
    assert text.random_windows([1, 2], 1, 1, seed=0).inputs.tolist() == [[1]]


def test_sliding_windows_of_vectors():
    series = np.arange(12.0).reshape(6, 2)
    found = text.sliding_windows(series, 3, 2)
    assert found.shape == (2, 3, 2) and np.array_equal(found[1], series[2:5])
    assert text.sliding_windows([1, 2], 2).tolist() == [[1, 2]]


@pytest.mark.parametrize("call, kind, said", [
    (lambda: text.streams(range(6), 2, 3), ShapeError, "6 tokens do not fill one batch"),
    (lambda: text.streams([], 1, 1, ignore=-1), ShapeError, "0 tokens do not fill one batch"),
    (lambda: text.streams([4], 1, 1), ShapeError, "1 tokens do not fill one batch"),
    (lambda: text.streams([[1]], 1, 1), ArgumentError, "streams: ids are int64 of shape (1, 1)"),
    (lambda: text.streams(range(9), 0, 1), ArgumentError, "batch_size is 0"),
    (lambda: text.random_windows(range(4), 4, 1, 0), ShapeError, "4 tokens hold no window of 4"),
    (lambda: text.random_windows(range(9), 4, 1, -1), ArgumentError, "seed is -1"),
    (lambda: text.sliding_windows([1, 2], 3), ShapeError, "a window of 3 is longer than the sequence of shape (2,)"),
    (lambda: text.sliding_windows([1, 2], 2, 0), ArgumentError, "stride is 0")])
def test_impossible_windows_are_refused(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in caught.value.what
