"""words: what word comes next in Wikipedia's articles; an LSTM with an adaptive softmax whose weights are the embedding's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import data, optim, random, text
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.progress import Told
from ...train.training import OnEpoch, Training
from ...zoo.language import AdaptiveLanguageModel
from ...zoo.tokens import LAYERS
from ..experiment import Setting
from ..study import Findings, Study
from ..writing import continued

CUTOFFS = (2000, 10_000)  # the most frequent words have all features, those up to the second a quarter, others a sixteenth
PROMPT, WRITTEN, HEAT = ("<eos>", "The", "first"), 60, 0.8


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on two million words; perplexity of the validation and the test articles, and a few sentences."""
    articles = data.wikitext2()
    assert articles.validation is not None and articles.test is not None
    words = text.Vocabulary.build(articles.train, specials=())  # "<unk>" is a word of the files
    parts = {"train": articles.train, "validation": articles.validation, "test": articles.test}
    feeds = {part: text.Streams(words.encode(tokens), values["context"]) for part, tokens in parts.items()}
    random.seed(seed)
    cutoffs = tuple(cut for cut in CUTOFFS if cut < len(words))
    net = AdaptiveLanguageModel(len(words), values["width"], values["depth"], values["kind"], values["dropout"], cutoffs)

    def perplexity(training: Training) -> None:
        tell(f"validation perplexity {text.perplexity(training.history.epochs[-1].validation['loss']):.1f}")

    run = fit(net, feeds["train"], loss=net.loss, optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=values["clip"],
              epochs=values["epochs"], batch_size=values["batch"], validation=feeds["validation"], seed=seed, progress=Told(tell),
              callbacks=[OnEpoch(perplexity)])
    found = {part: text.perplexity(evaluate(net, feeds[part], loss=net.loss, batch_size=values["batch"])["loss"])
             for part in ("test", "validation")}
    return Findings({f"{part} perplexity": value for part, value in found.items()},
                    [f"perplexity {found['test']:.1f} on the test articles, {found['validation']:.1f} on the validation articles",
                     f"what it writes (temperature {HEAT}):", written(net, words, seed)], {"curve.png": run.plot}, net.state_dict())


def written(net: AdaptiveLanguageModel, words: text.Vocabulary, seed: int) -> str:
    """Some words that the net writes after the prompt."""
    return text.join_words([*PROMPT[1:], *continued(net, net.zero_state(1), PROMPT, words, WRITTEN, HEAT, seed)])


recipe = Study(
    name="words",
    caption="words of Wikipedia's articles, one after the other: an LSTM with adaptive softmax and tied weights",
    expected="test perplexity at most 130",
    investigate=investigate,
    datasets=("wikitext-2",),
    sizes={"kind": Setting("lstm", "the usual choice for words", tuple(LAYERS)),
           "epochs": Setting(10, "what fits into an hour on two cores"),
           "batch": Setting(32, "streams that are read side by side"),
           "context": Setting(35, "gradients go back through so many words, as in the literature; the state remembers more"),
           "width": Setting(256, "numbers per frequent word, and units of each layer; rarer words have 64 and 16 numbers"),
           "depth": Setting(2, "layers of the LSTM; a third gains little in an hour"),
           "dropout": Setting(0.3, "two million words are few for so many weights"),
           "rate": Setting(2e-3, "twice the usual, with a cosine down to 0"),
           "clip": Setting(1.0, "a common limit for gradients through time")},
)
