"""translate: English sentences into French; two GRUs with attention between them, or a transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import data, nn, optim, random, text
from ...compile import compile
from ...data.loaders.examples import Examples
from ...inside.attention import AttentionMaps
from ...plot import Picture
from ...tensor import asarray, no_grad
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.seq2seq import Translator
from ...zoo.transformer import Transformer
from ..experiment import Setting
from ..study import Findings, Study

LONGEST, SHOWN = 32, ("she is reading a book.", "i do not know what to do.", "where did you see him?")
ROWS = 64  # sentences that are translated side by side
LIMITS = 7, 9, 11, 13, 16  # lengths that rows are padded to, beside the longest one


class Languages:
    """English and French sentences as rows of numbers: of words and pieces of words, all in small letters."""

    def __init__(self, pairs: Examples, pieces: int) -> None:
        self.english = text.Subwords.train(map(plain, dict.fromkeys(pairs.inputs)), pieces)
        self.french = text.Subwords.train(map(plain, pairs.targets), pieces)

    def source(self, sentence: str) -> np.ndarray:
        """The numbers of an English sentence; <eos> shows where it ends."""
        return self.english.encode(plain(sentence), eos=True)

    def rows(self, pairs: Examples) -> text.Rows:
        """What the net reads, what it is told to have written, and what it should write next."""
        sources = [self.source(sentence) for sentence in pairs.inputs]
        written = [self.french.encode(plain(sentence), bos=True, eos=True) for sentence in pairs.targets]
        longest = max(max(map(len, sources)), max(map(len, written)) - 1)
        limits = [*(limit for limit in LIMITS if limit < longest), longest]
        return text.Rows(sources, [each[:-1] for each in written], targets=[each[1:] for each in written], limits=limits)


def plain(sentence: str) -> str:
    """Small letters, one kind of apostrophe, one kind of blank."""
    return " ".join(sentence.replace("’", "'").lower().split())


def network(values: dict[str, Any], languages: Languages) -> nn.Module:
    """The translator asked for."""
    sizes = len(languages.english), len(languages.french)
    if values["kind"] == "gru":
        return Translator(*sizes, values["width"], values["width"], values["dropout"])
    return Transformer(*sizes, values["width"], values["depth"], 4, 4 * values["width"], values["dropout"], norm_first=True)


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on pairs; BLEU of translations of English sentences that do not occur in training."""
    text.bleu(["a"], ["a"])  # if its library is missing, this is said now and not after the training
    pairs = data.tatoeba()
    assert pairs.validation is not None and pairs.test is not None
    languages = Languages(pairs.train, values["pieces"])
    random.seed(seed)
    net = network(values, languages)
    schedule = optim.schedules.WarmUp(values["warmup"], optim.schedules.Cosine())
    run = fit(net, languages.rows(pairs.train), optimizer=optim.Adam(lr=values["rate"]), schedule=schedule, clip=1.0,
              epochs=values["epochs"], batch_size=values["batch"], validation=languages.rows(pairs.validation),
              metrics="token_accuracy", seed=seed, progress=Told(tell))
    loss = evaluate(net, languages.rows(pairs.validation), batch_size=values["batch"])["loss"]
    known = translations_of(pairs.test)
    tell(f"translating {len(known):,} sentences ...")
    answers = translated(net, languages, known, values["beams"])
    score = text.bleu([answers[sentence] for sentence in pairs.test.inputs], list(map(plain, pairs.test.targets)), lowercase=True)
    lenient = text.bleu([answers[sentence] for sentence in known], list(known.values()), lowercase=True)
    shown = translated(net, languages, SHOWN, values["beams"])
    pictures: dict[str, Callable[[], Picture]] = {"curve.png": run.plot}
    if isinstance(net, Translator):
        pictures["attention.png"] = attention(net, languages, SHOWN[0], shown[SHOWN[0]]).draw
    return Findings({"BLEU": score.score, "BLEU of one of the translations known": lenient.score, "validation loss": loss},
                    [f"BLEU {score.score:.2f} on {len(pairs.test):,} pairs with English sentences that training lacks ({score.signature})",
                     f"BLEU {lenient.score:.2f} where any of a sentence's translations among these pairs will do",
                     *(f"{asked} -> {answer}" for asked, answer in shown.items())], pictures, net.state_dict())


def translations_of(pairs: Examples) -> dict[str, list[str]]:
    """The French translations of each English sentence."""
    found: dict[str, list[str]] = {}
    for sentence, answer in zip(pairs.inputs, pairs.targets):
        found.setdefault(sentence, []).append(plain(answer))
    return found


def translated(net: Any, languages: Languages, sentences: Iterable[str], beams: int) -> dict[str, str]:
    """The likeliest French found for each English sentence; always so many rows of one length: compiled once."""
    wanted, found = list(sentences), {}
    begin, step = compile(lambda source: net.begin(source)), compile(net.step)
    with Mode(net, training=False), no_grad():
        for first in range(0, len(wanted), ROWS):
            part = wanted[first:first + ROWS]
            whole = part + part[:1] * (ROWS - len(part))
            source = text.pad([languages.source(sentence) for sentence in whole], length=LONGEST, truncate=True).values
            written = text.beam_search(step, begin(asarray(source)), np.full(ROWS, languages.french.bos), languages.french.eos,
                                       LONGEST, beams)
            for sentence, row in zip(part, written.tokens[:, 0]):
                found[sentence] = languages.french.decode(row)
    return found


def attention(net: Translator, languages: Languages, sentence: str, answer: str) -> AttentionMaps:
    """Where each piece of the translation looked at."""
    source, target = languages.source(sentence), languages.french.encode(answer, bos=True)
    with Mode(net, training=False), no_grad():
        _, weights = net.attended(asarray(source[None]), asarray(target[None]))
    rows, columns = ([language.decode([number]).strip() for number in numbers] + ["<eos>"]
                     for language, numbers in ((languages.french, target[1:]), (languages.english, source[:-1])))
    return AttentionMaps({"attention": weights.numpy()}, rows, columns)


recipe = Study(
    name="translate",
    caption="short English sentences into French: two GRUs with attention between them, or a transformer",
    expected="BLEU at least 35 on pairs whose English sentences do not occur in training",
    investigate=investigate,
    datasets=("tatoeba-fra-eng",),
    sizes={"kind": Setting("gru", "learns faster; the transformer needs more passes", ("gru", "transformer")),
           "epochs": Setting(5, "18 minutes on two cores; the sixth brings 0.2% more of the pieces"),
           "batch": Setting(64, "2,300 steps an epoch"),
           "width": Setting(256, "numbers per piece, and units of a GRU"),
           "depth": Setting(3, "layers of the transformer, each on both sides"),
           "pieces": Setting(6000, "of words, in each language: no word is unknown, and the last layer, which takes the time, is small"),
           "dropout": Setting(0.2, "150,000 pairs are few"),
           "rate": Setting(2e-3, "twice the usual first choice, with a cosine down to 0: few passes"),
           "warmup": Setting(400, "steps, which the transformer needs"),
           "beams": Setting(4, "beginnings that the search keeps; the likeliest word each time is 1")},
)
