"""words: what word comes next in Wikipedia's articles; an LSTM with an adaptive softmax whose weights are the embedding's."""

from __future__ import annotations

from ... import data, optim, text
from ...train.training import Callback, Training
from ...zoo.language import AdaptiveLanguageModel
from ...zoo.tokens import LAYERS
from ..answers import vocabulary_facts, vocabulary_of
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting
from ..writing import continued, losses_of, text_report

CUTOFFS = (2000, 10_000)  # the most frequent words have all features, those up to the second a quarter, others a sixteenth
PROMPT, WRITTEN = ("<eos>", "The", "first"), 60
UNKNOWN = "<unk>"  # a word of the files
Articles = data.Splits[tuple[str, ...]]


def words_of(articles: Articles) -> text.Vocabulary:
    """The words of the training articles."""
    return text.Vocabulary.build(articles.train, specials=())


def describe(config: Config, articles: Articles) -> Facts:
    """The words, from frequent to rare, and where the groups of the softmax end."""
    words = words_of(articles)
    return {"words": vocabulary_facts(words), "cutoffs": [cut for cut in CUTOFFS if cut < len(words)]}


def network(config: Config, facts: Facts, name: str) -> AdaptiveLanguageModel:
    """The language model."""
    return AdaptiveLanguageModel(len(vocabulary_of(facts["words"])), config["width"], config["depth"], config["kind"], config["dropout"],
                                 tuple(facts["cutoffs"]))


class LogPerplexity(Callback):
    """Logs the perplexity of the validation articles after each epoch."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def epoch_done(self, training: Training) -> None:
        """One line."""
        self.config.log(f"validation perplexity {text.perplexity(training.history.epochs[-1].validation['loss']):.1f}")


def training(config: Config, articles: Articles, name: str, net: AdaptiveLanguageModel) -> Fit:
    """The training; the perplexity of the validation articles is logged after each epoch."""
    words = words_of(articles)
    return Fit(text.Streams(words.encode(articles.train), config["context"]),
               text.Streams(words.encode(articles.validation or ()), config["context"]), loss=net.loss,
               optimizer=optim.Adam(lr=config["rate"]), schedule="cosine", clip=config["clip"], epochs=config["epochs"],
               batch_size=config["batch"], callbacks=[LogPerplexity(config)])


def report(result: Result[Articles]) -> Report:
    """Perplexity of the validation and the test articles, and a few sentences."""
    net, config, words = result.run.net, result.config, words_of(result.data)
    parts = {"test": result.data.test or (), "validation": result.data.validation or ()}
    losses = losses_of(net, {name: text.Streams(words.encode(part), config["context"]) for name, part in parts.items()},
                       config["batch"], net.loss)
    scores = {name: text.perplexity(loss) for name, loss in losses.items()}
    return text_report(result, {f"{name} perplexity": value for name, value in scores.items()},
                       f"perplexity {scores['test']:.1f} on the test articles, {scores['validation']:.1f} on the validation articles",
                       written(net, words, config.seed, PROMPT))


def written(net: AdaptiveLanguageModel, words: text.Vocabulary, seed: int, prompt: tuple[str, ...]) -> str:
    """The prompt, without the end of the sentence before it, and the words that the network continues it with."""
    return text.join_words([*prompt[1:], *continued(net, net.zero_state(1), prompt, words, WRITTEN, seed)])


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """A text that begins with the words of the item; words that training lacks are read as <unk>."""
    words = vocabulary_of(run.facts["words"])
    prompt = tuple(word if word in words else UNKNOWN for word in ("<eos>", *text.words(item)))
    return Prediction(written(run.net, words, run.config.seed, prompt))


recipe = Experiment(
    name="words",
    caption="words of Wikipedia's articles, one after the other: an LSTM with adaptive softmax and tied weights",
    expected="test perplexity at most 130",
    data=lambda config: data.wikitext2(), describe=describe, network=network, training=training, report=report, predict=predict,
    takes="TEXT",
    datasets=("wikitext-2",),
    settings={"kind": Setting("lstm", "the usual choice for words", tuple(LAYERS)),
              "epochs": Setting(10, "about an hour on two cores"),
              "batch": Setting(32, "streams that are read side by side"),
              "context": Setting(35, "words of truncated backpropagation through time, as published; the state reaches further back"),
              "width": Setting(256, "embedding length of frequent words, and units of each layer; rarer words have 64 and 16"),
              "depth": Setting(2, "layers of the LSTM; a third gains little in an hour"),
              "dropout": Setting(0.3, "two million words are little for this many weights"),
              "rate": Setting(2e-3, "twice the usual learning rate, with a cosine down to 0"),
              "clip": Setting(1.0, "a common limit for gradients through time")},
)
