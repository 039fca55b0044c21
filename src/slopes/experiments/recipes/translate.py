"""translate: English sentences into French; two GRUs with attention between them, or a transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ... import data, nn, optim, text
from ...compile import compile
from ...data.loaders.examples import Examples
from ...inside.attention import AttentionMaps
from ...modes import no_grad
from ...tensor import asarray
from ...train.evaluate import evaluate
from ...train.mode import Mode
from ...zoo.seq2seq import Translator
from ...zoo.transformer import Transformer
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

LONGEST, SHOWN = 32, ("she is reading a book.", "i do not know what to do.", "where did you see him?")
ROWS = 64  # sentences that are translated side by side
LIMITS = 7, 9, 11, 13, 16  # lengths that rows are padded to, beside the longest one


class Languages:
    """English and French sentences as rows of numbers: of words and pieces of words, all in lower case."""

    def __init__(self, english: text.Subwords, french: text.Subwords) -> None:
        self.english, self.french = english, french

    @classmethod
    def build(cls, pairs: Examples, pieces: int) -> Languages:
        """Learn the pieces of both languages from pairs of sentences."""
        return cls(text.Subwords.train(map(plain, dict.fromkeys(pairs.inputs)), pieces),
                   text.Subwords.train(map(plain, pairs.targets), pieces))

    @classmethod
    def of(cls, facts: Facts) -> Languages:
        """The languages of a run folder."""
        return cls(text.Subwords.from_pieces(facts["english"]), text.Subwords.from_pieces(facts["french"]))

    def source(self, sentence: str) -> np.ndarray:
        """The numbers of an English sentence; <eos> shows where it ends."""
        return self.english.encode(plain(sentence), eos=True)

    def rows(self, pairs: Examples) -> text.Rows:
        """The encoder's inputs, the decoder's inputs, and the next pieces as targets."""
        sources = [self.source(sentence) for sentence in pairs.inputs]
        written = [self.french.encode(plain(sentence), bos=True, eos=True) for sentence in pairs.targets]
        longest = max(max(map(len, sources)), max(map(len, written)) - 1)
        limits = [*(limit for limit in LIMITS if limit < longest), longest]
        return text.Rows(sources, [tokens[:-1] for tokens in written], targets=[tokens[1:] for tokens in written], limits=limits)


class Pairs:
    """The pairs of sentences, and their languages."""

    def __init__(self, splits: data.Splits[Examples], languages: Languages) -> None:
        assert splits.validation is not None and splits.test is not None
        self.train, self.validation, self.test, self.languages = splits.train, splits.validation, splits.test, languages


def plain(sentence: str) -> str:
    """Lower case, one kind of apostrophe, one kind of blank."""
    return " ".join(sentence.replace("’", "'").lower().split())


def pairs_of(config: Config) -> Pairs:
    """The pairs."""
    text.bleu(["a"], ["a"])  # if its library is missing, this is said now and not after the training
    splits = data.tatoeba()
    return Pairs(splits, Languages.build(splits.train, config["pieces"]))


def describe(config: Config, pairs: Pairs) -> Facts:
    """The pieces of both languages."""
    languages = pairs.languages
    return {"english": languages.english.pieces, "french": languages.french.pieces,
            "sizes": [len(languages.english), len(languages.french)]}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The translator asked for."""
    english, french = facts["sizes"]
    if config["kind"] == "gru":
        return Translator(english, french, config["width"], config["width"], config["dropout"])
    return Transformer(english, french, config["width"], config["depth"], 4, 4 * config["width"], config["dropout"], norm_first=True)


def training(config: Config, pairs: Pairs, name: str, net: nn.Module) -> Fit:
    """The training."""
    rows = pairs.languages.rows
    return Fit(rows(pairs.train), rows(pairs.validation), optimizer=optim.Adam(lr=config["rate"]),
               schedule=optim.schedules.WarmUp(config["warmup"], optim.schedules.Cosine()), clip=1.0, epochs=config["epochs"],
               batch_size=config["batch"], metrics="token_accuracy")


def report(result: Result[Pairs]) -> Report:
    """BLEU of translations of English sentences that do not occur in training."""
    net, config, pairs = result.run.net, result.config, result.data
    languages, references = pairs.languages, translations_of(pairs.test)
    loss = evaluate(net, languages.rows(pairs.validation), batch_size=config["batch"])["loss"]
    config.log(f"translating {len(references):,} sentences ...")
    answers = translated(net, languages, references, config["beams"])
    score = text.bleu([answers[sentence] for sentence in pairs.test.inputs], list(map(plain, pairs.test.targets)), lowercase=True)
    lenient = text.bleu([answers[sentence] for sentence in references], list(references.values()), lowercase=True)
    shown = translated(net, languages, SHOWN, config["beams"])
    plots = result.curves
    if isinstance(net, Translator):
        plots["attention.png"] = attention(net, languages, SHOWN[0], shown[SHOWN[0]]).draw
    return Report({"BLEU": score.score, "BLEU against all known translations": lenient.score, "validation loss": loss},
                  [f"BLEU {score.score:.2f} on {len(pairs.test):,} pairs whose English sentences are not in training ({score.signature})",
                   f"BLEU {lenient.score:.2f} where any of a sentence's translations among these pairs will do",
                   *(f"{sentence} -> {answer}" for sentence, answer in shown.items())], plots)


def translations_of(pairs: Examples) -> dict[str, list[str]]:
    """The French translations of each English sentence."""
    translations: dict[str, list[str]] = {}
    for sentence, answer in zip(pairs.inputs, pairs.targets):
        translations.setdefault(sentence, []).append(plain(answer))
    return translations


def translated(net: Any, languages: Languages, sentences: Iterable[str], beams: int) -> dict[str, str]:
    """The likeliest French found for each English sentence; always the same number of rows of one length: compiled once."""
    sentences, answers = list(sentences), {}
    begin, step = compile(lambda source: net.begin(source)), compile(net.step)
    with Mode(net, training=False), no_grad():
        for first in range(0, len(sentences), ROWS):
            part = sentences[first:first + ROWS]
            whole = part + part[:1] * (ROWS - len(part))
            source = text.pad([languages.source(sentence) for sentence in whole], length=LONGEST, truncate=True).values
            written = text.beam_search(step, begin(asarray(source)), np.full(ROWS, languages.french.bos), languages.french.eos,
                                       LONGEST, beams)
            for sentence, row in zip(part, written.tokens[:, 0]):
                answers[sentence] = languages.french.decode(row)
    return answers


def attention(net: Translator, languages: Languages, sentence: str, answer: str) -> AttentionMaps:
    """Where each piece of the translation looked at."""
    source, target = languages.source(sentence), languages.french.encode(answer, bos=True)
    with Mode(net, training=False), no_grad():
        _, weights = net.attended(asarray(source[None]), asarray(target[None]))
    rows, columns = ([printable(language.decode([index]).strip()) for index in indices] + ["<eos>"]
                     for language, indices in ((languages.french, target[1:]), (languages.english, source[:-1])))
    return AttentionMaps({"attention": weights.numpy()}, rows, columns)


def printable(piece: str) -> str:
    """The piece with a mark for each character that no font has, as pieces of bytes may be control characters.

    >>> printable("a\x03b")
    'a\ufffdb'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in piece)


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest French translation of an English sentence."""
    return Prediction(translated(run.net, Languages.of(run.facts), [item], run.config["beams"])[item])


recipe = Experiment(
    name="translate",
    caption="short English sentences into French: two GRUs with attention between them, or a transformer",
    expected="BLEU at least 35 on pairs whose English sentences do not occur in training",
    data=pairs_of, describe=describe, network=network, training=training, report=report, predict=predict, takes="SENTENCE",
    datasets=("tatoeba-fra-eng",),
    settings={"kind": Setting("gru", "learns faster; the transformer needs more epochs", ("gru", "transformer")),
              "epochs": Setting(5, "18 minutes on two cores; the sixth gains 0.2% of token accuracy"),
              "batch": Setting(64, "2,300 steps an epoch"),
              "width": Setting(256, "length of the embeddings, and units of a GRU"),
              "depth": Setting(3, "layers of the transformer's encoder, and of its decoder"),
              "pieces": Setting(6000, "subwords in each language: no word is unknown, and the last layer, the slowest, stays small"),
              "dropout": Setting(0.2, "150,000 pairs are few"),
              "rate": Setting(2e-3, "twice the usual learning rate, with a cosine down to 0: few epochs"),
              "warmup": Setting(400, "steps, which the transformer needs"),
              "beams": Setting(4, "width of the beam search; 1 is greedy decoding")},
)
