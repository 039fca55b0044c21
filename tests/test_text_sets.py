"""Data sets of text: published sizes, divisions without leaks, and refusal of damaged files by file and line."""

from __future__ import annotations

import gzip
import hashlib
import zipfile

import numpy as np
import pytest

from slopes import data
from slopes.data.sets import download, sources
from slopes.data.sets.pairs import spelled
from slopes.data.sets.sources import DataSource, Known
from slopes.errors import ArgumentError, DataError, DownloadError, OutOfRangeError, ShapeError
from slopes.files import archive
from slopes.files import text_reader as lines
from slopes.files.text_reader import text_lines

WORD = "1\tGo\tgo\tVERB\tVB\t_\t0\troot\t0:root\t_\n"


def of(splits):
    return splits.train, splits.validation, splits.test


# Published numbers


def test_tiny_shakespeare_has_the_published_size_and_alphabet(data_folder):
    train, validation, test = of(data.tiny_shakespeare(data_folder))
    assert len(train) == 1_003_854 and len(validation) == len(test) == 55_770
    assert len(set(train + validation + test)) == 65 and train.startswith("First Citizen:\nBefore we proceed")


def test_wikitext2_has_the_published_numbers_of_words(data_folder):
    splits = data.wikitext2(data_folder)
    assert splits.test_untouched and splits.classes is None
    assert [len(part) for part in of(splits)] == [2_088_628, 217_646, 245_569]
    assert len(set(splits.train)) == 33_278 and splits.validation[:6] == ("<eos>", "=", "Homarus", "gammarus", "=", "<eos>")


def test_the_treebank_has_the_published_numbers_of_sentences_and_words(data_folder):
    splits = data.ud_english_ewt(data_folder)
    assert [len(part) for part in of(splits)] == [12_544, 2_001, 2_077]
    assert [sum(map(len, part.inputs)) for part in of(splits)] == [204_577, 25_147, 25_094]
    words, tags = splits.validation[0]
    assert words == ("From", "the", "AP", "comes", "this", "story", ":")
    assert [splits.classes[tag] for tag in tags] == ["ADP", "DET", "PROPN", "VERB", "DET", "NOUN", "PUNCT"]


def test_ten_folds_of_reviews_cover_every_sentence_once(data_folder):
    seen = [data.rt_polarity(data_folder, fold) for fold in (0, 1, 9)]
    assert sum(len(part) for part in of(seen[0])) == 10_662 and seen[0].classes == ("negative", "positive")
    assert seen[0].validation.inputs == seen[1].test.inputs and seen[2].validation.inputs == seen[0].test.inputs
    for splits in seen:
        assert abs(splits.test.targets.mean() - 0.5) < 1e-3 and len(splits.test) in (1066, 1067)
    assert data.rt_polarity(data_folder).test.inputs == seen[0].test.inputs != data.rt_polarity(data_folder, seed=1).test.inputs


def test_no_english_sentence_of_the_test_set_occurs_in_training(data_folder):
    splits = data.tatoeba(data_folder)
    spellings = [set(map(spelled, part.inputs)) for part in of(splits)]
    assert not spellings[0] & spellings[2] and not spellings[0] & spellings[1] and not spellings[1] & spellings[2]
    assert [len(part) for part in of(splits)] == [145_713, 3_095, 3_115]


def test_the_division_of_pairs_does_not_depend_on_their_lengths(tmp_path):
    rows = [f"{'very ' * (number % 5)}{number}\t{number}\n" for number in range(200)]
    folder = put(tmp_path, "tatoeba-fra-eng", {"fra.txt": "".join(rows)})
    long, short = data.tatoeba(folder), data.tatoeba(folder, longest=3)
    assert sum(map(len, of(long))) == 200 and sum(map(len, of(short))) == 120
    assert all(set(a.inputs) < set(b.inputs) for a, b in zip(of(short), of(long)))
    with pytest.raises(ArgumentError, match="longest=0 leaves 0 / 0 / 0 pairs"):
        data.tatoeba(folder, longest=0)


def test_no_name_of_the_test_set_occurs_in_training(data_folder):
    for repeats, count in ((False, 18_012), (True, 20_050)):
        parts = of(data.names(data_folder, repeats))
        assert sum(map(len, parts)) == count
        assert all(set(part.targets.tolist()) == set(range(18)) for part in parts)
        spelt = [{name.casefold() for name in part.inputs} for part in parts]
        assert not spelt[0] & spelt[2] and not spelt[0] & spelt[1]


@pytest.mark.parametrize("fold", [10, -1, True, 0.5])
def test_other_folds_are_refused(fold):
    with pytest.raises(ArgumentError, match="there are 10, from 0 to 9"):
        data.rt_polarity(fold=fold)


# Folds and examples


def test_folds_are_balanced_and_a_pure_function_of_the_seed():
    groups = np.array([0] * 7 + [1] * 15 + [2])
    found = data.folds(groups, 4, seed=3)
    assert sorted(np.concatenate(found).tolist()) == list(range(23))
    for label in range(3):
        counts = [int((groups[part] == label).sum()) for part in found]
        assert max(counts) - min(counts) <= 1
    assert all(np.array_equal(a, b) for a, b in zip(found, data.folds(groups, 4, seed=3)))
    assert not np.array_equal(found[0], data.folds(groups, 4, seed=4)[0])


@pytest.mark.parametrize("groups, count", [([0, 1], 3), ([0, 1], 1), ([0.5, 1.0], 2), ([[0, 1]], 2)])
def test_impossible_folds_are_refused(groups, count):
    with pytest.raises(ArgumentError, match="folds:"):
        data.folds(groups, count)


def test_examples_keep_tuples_and_read_only_labels():
    found = data.Examples(["a", "b", "c"], np.array([0, 1, 1]), ["x", "y"], "toy")
    part = found.subset(np.array([True, False, True]), "some")
    assert part.inputs == ("a", "c") and part.targets.tolist() == [0, 1] and part.name == "some" and part[-1] == ("c", 1)
    assert not part.targets.flags.writeable
    with pytest.raises(OutOfRangeError, match="toy has no example 3"):
        found[3]
    with pytest.raises(ShapeError, match="2 inputs but 1 targets"):
        data.Examples(["a", "b"], ["c"])
    with pytest.raises(ShapeError, match="there is no example"):
        data.Examples([], [])


# Damaged files


def put(tmp_path, name, files):
    (tmp_path / name).mkdir(exist_ok=True)
    for file, content in files.items():
        (tmp_path / name / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def refused_line(path):
    with pytest.raises(DataError) as caught:
        list(text_lines(path))
    return caught.value.what.removeprefix(f"{path}: ")


LINES = [
    (b"one\ntw\xff\n", "line 2: byte 2 is 0xff, which is not UTF-8"),
    (b"one\n\0\n", "line 2: it holds a zero byte"),
    (b"", "contents: the file is empty"),
    (gzip.compress(b"one\n" * 50, mtime=0)[:-9], "after line"),
    (gzip.compress(b"one\n", mtime=0)[:-8] + b"\0" * 8, "after line"),
]


@pytest.mark.parametrize("content, text", LINES, ids=[text[:24] for _, text in LINES])
def test_a_damaged_line_is_named(tmp_path, content, text):
    (tmp_path / "file").write_bytes(content)
    assert refused_line(tmp_path / "file").startswith(text)


def test_lines_are_read_without_their_ends_and_only_line_feeds_end_them(tmp_path):
    (tmp_path / "file").write_bytes("\ufeffun\r\ndeux\u2028trois\x0bquatre\n\ncinq".encode())
    assert list(text_lines(tmp_path / "file")) == [(1, "un"), (2, "deux\u2028trois\x0bquatre"), (3, ""), (4, "cinq")]


def test_a_long_line_and_a_bomb_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MOST_LINE", 100)
    (tmp_path / "long").write_bytes(b"x" * 101)
    assert refused_line(tmp_path / "long") == "line 1: it is longer than 100 bytes"
    (tmp_path / "bomb").write_bytes(gzip.compress(b"x\n" * 100_000))
    with pytest.raises(DataError, match="the file unpacks to more than 5000 bytes"):
        list(text_lines(tmp_path / "bomb", limit=5000))


CONLLU = [
    (WORD, "line 1: the file ends inside the sentence that begins at line 1"),
    ("", "contents: the file is empty"),
    ("\n", "line 1: a blank line, but no word before it"),
    (WORD + "\n\n", "line 3: a blank line, but no word before it"),
    ("# text = Go\n\n", "line 2: a blank line, but no word before it"),
    (WORD + "# text\n\n", "line 2: a comment inside a sentence"),
    (WORD + WORD + "\n", "line 2: column 1 (id) is '1', not 2"),
    (WORD.replace("\t", " ") + "\n", "line 1: 1 columns instead of 10"),
    (WORD.replace("VERB", "VB", 1) + "\n", "line 1: column 4 (universal part of speech) is 'VB'"),
    (WORD.replace("Go", " ") + "\n", "line 1: column 2 (form) is empty"),
    (WORD.replace("1", "01", 1) + "\n", "line 1: column 1 (id) is '01', not 1"),
]


@pytest.mark.parametrize("content, text", CONLLU, ids=[text[:40] for _, text in CONLLU])
def test_a_damaged_treebank_is_refused_by_line(tmp_path, content, text):
    path = tmp_path / "toy.conllu"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        data.load_conllu(path)
    assert caught.value.what.removeprefix(f"{path}: ").startswith(text)


def test_fused_tokens_and_empty_nodes_are_skipped(tmp_path):
    fused, empty = WORD.replace("1", "1-2", 1), WORD.replace("1", "0.1", 1).replace("VERB", "_")
    (tmp_path / "toy.conllu").write_text(f"# c\n{empty}{fused}{WORD}{WORD.replace('1', '2', 1)}\n", encoding="utf-8")
    assert data.load_conllu(tmp_path / "toy.conllu") == ((("Go", "Go"), ("VERB", "VERB")),)


SETS = [
    (data.tatoeba, "tatoeba-fra-eng", {"fra.txt": "Go.\tVa !\nGo.\n"}, "fra.txt: line 2: 1 fields instead of 2"),
    (data.tatoeba, "tatoeba-fra-eng", {"fra.txt": "Go.\t \n"}, "fra.txt: line 1: the French sentence is empty"),
    (data.tatoeba, "tatoeba-fra-eng", {"fra.txt": "\tVa\n"}, "fra.txt: line 1: the English sentence is empty"),
    (data.rt_polarity, "rt-polarity", {"rt-polarity.neg": "bad\n\nworse\n"}, "rt-polarity.neg: line 2: the line is blank"),
    (data.names, "names", {"Arabic.txt": "Khoury\n  \n"}, "Arabic.txt: line 2: the line is blank"),
    (data.tiny_shakespeare, "tinyshakespeare", {"input.txt": "To be"}, "input.txt: contents: 6 characters, too few to divide"),
    (data.wikitext2, "wikitext-2", {"train.txt": b"a b\n\xff\n"}, "train.txt: line 2: byte 0 is 0xff"),
]


@pytest.mark.parametrize("read, name, files, text", SETS, ids=[text[:40] for *_, text in SETS])
def test_a_damaged_data_set_is_refused_by_file_and_line(tmp_path, read, name, files, text):
    with pytest.raises(DataError) as caught:
        read(put(tmp_path, name, files))
    assert text in caught.value.what and str(caught.value).splitlines()[-1].startswith("  at test_text_sets.py:")


@pytest.mark.parametrize("read", [data.tatoeba, data.rt_polarity, data.names, data.tiny_shakespeare, data.wikitext2, data.ud_english_ewt])
def test_a_missing_data_set_says_where_it_was_looked_for(tmp_path, read):
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path)


def test_packed_and_plain_local_copies_are_both_found(tmp_path):
    content = "First Citizen:\nBefore we proceed any further.\n"
    put(tmp_path, "tinyshakespeare", {"input.txt.gz": gzip.compress(content.encode())})
    packed = data.tiny_shakespeare(tmp_path)
    put(tmp_path, "tinyshakespeare", {"input.txt": content})
    assert "".join(of(packed)) == content == "".join(of(data.tiny_shakespeare(tmp_path)))


# A file that comes inside of an archive

FRENCH = "Go.\tVa !\n" * 40


def zipped(tmp_path, members):
    with zipfile.ZipFile(tmp_path / "made.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return (tmp_path / "made.zip").read_bytes()


@pytest.mark.parametrize("members, text", [
    ([("fra-eng/fra.txt", FRENCH), ("_about.txt", "CC BY")], None),
    ([("other.txt", FRENCH)], "0 of them are called fra.txt, not one"),
    ([("a/fra.txt", FRENCH), ("b/fra.txt", FRENCH)], "2 of them are called fra.txt, not one"),
    ([("fra.txt", FRENCH[:-1])], "the archive holds another edition of the file"),
    ([("fra.txt", FRENCH * 2)], "the archive holds another edition of the file"),
    (None, "the archive is damaged"),
], ids=["whole", "without it", "twice", "shorter", "longer", "no zip"])
def test_a_file_in_an_archive_is_unpacked_and_checked(tmp_path, monkeypatch, members, text):
    raw = b"PK, but no archive" if members is None else zipped(tmp_path, members)
    known = Known(len(FRENCH), hashlib.sha256(FRENCH.encode()).hexdigest())
    source = DataSource(("http://mirror/",), {"fra.txt": known}, archive="fra-eng.zip")

    def transfer(url, label, known, part):
        assert url == "http://mirror/fra-eng.zip"
        part.write_bytes(raw)

    monkeypatch.setattr(download, "transfer", transfer)
    if text is None:
        assert download.fetch("tatoeba-fra-eng", "fra.txt", source, tmp_path).read_text(encoding="utf-8") == FRENCH
        return
    with pytest.raises(DownloadError) as caught:
        download.fetch("tatoeba-fra-eng", "fra.txt", source, tmp_path)
    assert text in caught.value.why and "mirror/fra-eng.zip (fra.txt of it)" in caught.value.repair
    assert not [path for path in (tmp_path / "tatoeba-fra-eng").iterdir() if path.suffix != ".lock"]


def test_an_archive_unpacks_no_more_than_the_file_may_hold(tmp_path):
    zipped(tmp_path, [("fra.txt", b"0" * 5_000_000)])
    archive.unpack_member(tmp_path / "made.zip", "fra.txt", tmp_path / "out", 1000)
    assert (tmp_path / "out").stat().st_size == 1001


def test_every_text_set_is_known_by_checksum():
    assert {"tinyshakespeare", "wikitext-2", "rt-polarity", "ud-english-ewt", "tatoeba-fra-eng", "names"} <= set(sources.SOURCES)
    assert len(sources.SOURCES["names"].files) == 18
