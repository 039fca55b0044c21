"""translate: English sentences into French; two GRUs with attention between them, or a transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import data, nn, optim, random, text
from ..compile import compile
from ..data.examples import Examples
from ..inside.attention import AttentionMaps
from ..tensor import asarray, no_grad
from ..train.evaluate import evaluate
from ..train.fit import fit
from ..train.mode import Mode
from ..train.pictures import Picture
from ..train.progress import Told
from .recipe import Setting
from .study import Findings, Study
from .transformer import Transformer
from .translator import Translator

LONGEST, SHOWN = 16, ("she is reading a book .", "i do not know what to do .", "where did you see him ?")
ROWS = 64  # sentences that are translated side by side


class Languages:
    """English and French sentences as rows of numbers, all in small letters."""

    def __init__(self, pairs: Examples, smallest_count: int) -> None:
        self.english = text.Vocabulary.build(map(english, pairs.inputs), smallest_count)
        self.french = text.Vocabulary.build(map(french, pairs.targets), smallest_count)

    def source(self, sentence: str) -> np.ndarray:
        """The numbers of an English sentence; <eos> shows where it ends."""
        return self.english.encode(english(sentence), eos=True)

    def rows(self, pairs: Examples) -> text.Rows:
        """What the net reads, what it is told to have written, and what it should write next."""
        written = [self.french.encode(french(sentence), bos=True, eos=True) for sentence in pairs.targets]
        return text.Rows([self.source(sentence) for sentence in pairs.inputs], [each[:-1] for each in written],
                         targets=[each[1:] for each in written], limits=3)


def english(sentence: str) -> list[str]:
    return text.words(sentence, lower=True)


def french(sentence: str) -> list[str]:
    return text.words(sentence.replace("’", "'"), lower=True, elision=True)


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
    languages = Languages(pairs.train, values["smallest"])
    random.seed(seed)
    net = network(values, languages)
    schedule = optim.schedules.WarmUp(values["warmup"], optim.schedules.Cosine())
    run = fit(net, languages.rows(pairs.train), optimizer=optim.Adam(lr=values["rate"]), schedule=schedule, clip=1.0,
              epochs=values["epochs"], batch_size=values["batch"], validation=languages.rows(pairs.validation),
              metrics="token_accuracy", seed=seed, progress=Told(tell))
    loss = evaluate(net, languages.rows(pairs.validation), batch_size=values["batch"])["loss"]
    asked = pairs.test.subset(np.arange(min(values["asked"], len(pairs.test))))
    answers = translated(net, languages, dict.fromkeys(asked.inputs))
    tidy = [text.join_words(french(sentence), french=True) for sentence in asked.targets]
    score = text.bleu([answers[sentence] for sentence in asked.inputs], tidy, lowercase=True)
    shown = translated(net, languages, SHOWN)
    pictures: dict[str, Callable[[], Picture]] = {"curve.png": run.plot}
    if isinstance(net, Translator):
        pictures["attention.png"] = attention(net, languages, SHOWN[0], shown[SHOWN[0]]).draw
    return Findings({"BLEU": score.score, "validation loss": loss},
                    [f"BLEU {score.score:.2f} on {len(asked):,} pairs with English sentences that training lacks ({score.signature})",
                     *(f"{asked} -> {answer}" for asked, answer in shown.items())], pictures, net.state_dict())


def translated(net: Any, languages: Languages, sentences: Iterable[str]) -> dict[str, str]:
    """The French of each English sentence, the likeliest word each time; always so many rows of one length: compiled once."""
    wanted, found = list(sentences), {}
    begin, step = compile(lambda source: net.begin(source)), compile(net.step)
    with Mode(net, training=False), no_grad():
        for first in range(0, len(wanted), ROWS):
            part = wanted[first:first + ROWS]
            whole = part + part[:1] * (ROWS - len(part))
            source = text.pad([languages.source(sentence) for sentence in whole], length=LONGEST + 4, truncate=True).values
            written = text.generate(step, begin(asarray(source)), np.full((ROWS, 1), languages.french.bos), LONGEST,
                                    stop=languages.french.eos)
            for sentence, row in zip(part, written.tokens):
                found[sentence] = text.join_words(languages.french.decode(row), french=True)
    return found


def attention(net: Translator, languages: Languages, sentence: str, answer: str) -> AttentionMaps:
    """Where each word of the translation looked at."""
    source, target = languages.source(sentence), languages.french.encode(french(answer), bos=True)
    with Mode(net, training=False), no_grad():
        _, weights = net.attended(asarray(source[None]), asarray(target[None]))
    return AttentionMaps({"attention": weights.numpy()}, [*french(answer), "<eos>"], [*english(sentence), "<eos>"])


recipe = Study(
    name="translate",
    caption="short English sentences into French: two GRUs with attention between them, or a transformer",
    expected="BLEU at least 35 on pairs whose English sentences do not occur in training",
    investigate=investigate,
    datasets=("tatoeba-fra-eng",),
    sizes={"kind": Setting("gru", "learns faster; the transformer needs more passes", ("gru", "transformer")),
           "epochs": Setting(3, "a quarter of an hour on two cores; the last one, with its small steps, brings most"),
           "batch": Setting(64, "2,000 steps an epoch"),
           "width": Setting(256, "numbers per word, and units of a GRU"),
           "depth": Setting(3, "layers of the transformer, each on both sides"),
           "smallest": Setting(3, "words that are rarer are <unk>: the last layer is what takes the time"),
           "dropout": Setting(0.2, "130,000 pairs are few"), "rate": Setting(1e-3, "the usual first choice, with a cosine down to 0"),
           "warmup": Setting(400, "steps, which the transformer needs"),
           "asked": Setting(2000, "test pairs that are translated; all take some minutes more")},
)
