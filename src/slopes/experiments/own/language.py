"""language: what comes next in a text of the user's own; characters or pieces of words, a recurrent network or a GPT."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ... import nn, optim, random, text
from ...compile import compile
from ...data.loaders.loader import Loader
from ...errors import ArgumentError
from ...files.reading import refused
from ...functions import where
from ...modes import no_grad
from ...tensor import Tensor, from_array
from ...text.vocabulary import check_whole
from ...train.evaluate import evaluate as measure
from ...train.mode import Mode
from ...train.stopping import EarlyStopping
from ...zoo.gpt import GPT
from ...zoo.language import LanguageModel
from ...zoo.tokens import LAYERS
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, PredictedRows, Prediction, Report, Result, Setting
from .codec import Codec, Letters, Pieces, codec_of
from .ngrams import ngram_losses
from .plain_text import TextParts, divide_text, read_text
from .scoring import LineScorer

SHORT_TEXT, LONG_TEXT = 100_000, 5_000_000  # tokens to learn from: fewer, and more, have a smaller, and a larger network
SIZES = {"short": (128, 0.3, 8), "usual": (256, 0.0, 32), "long": (512, 0.0, 64)}  # units, dropout, streams side by side
STEPS, MOST_EPOCHS = 4000, 50  # of a training, where nothing else is asked for
CONTEXTS = {"character": 64, "piece": 32}  # tokens of truncated backpropagation through time, or that a GPT sees
ORDERS = (1, 3, 5)  # of the n-gram models
MOST_COUNTED = 10_000_000  # characters that they learn from: the last ones
STREAM = 500  # tokens at least of a stream of a part that is measured, which begins without a memory
TEMPERATURE, WRITTEN, PROMPT = 0.8, 400, 60  # of samples: their temperature, their length, and characters of the prompt
LISTED = 20  # unknown characters that are named


@dataclass(frozen=True)
class Corpus:
    """A text in parts, its tokens, the sizes of the network, and lines that say what was understood."""

    parts: TextParts
    codec: Codec
    sizes: Mapping[str, Any]
    lines: list[str]


def read(config: Config) -> Corpus:
    """Read the text, divide it, and choose tokens and network."""
    notes: list[str] = []
    parts = divide_text(read_text(config["file"], config["encoding"], notes), config["file"])
    codec = Pieces.learn(parts.train, config["pieces"]) if config["pieces"] else Letters.learn(parts.train)
    tokens = len(codec.encode(parts.train))
    length = "short" if tokens < SHORT_TEXT else "long" if tokens > LONG_TEXT else "usual"
    units, dropout, _ = SIZES[length]
    kind = config["net"] if config["net"] != "auto" else "gru" if length == "short" else "lstm"
    sizes = {"kind": kind, "length": length, "hidden": config["hidden"] or units,
             "dropout": config["dropout"] if config["dropout"] >= 0 else dropout}
    lines = [f"{sum(map(len, parts)):,} characters: the first {len(parts.train):,} to learn from, the next {len(parts.validation):,} "
             f"choose the epoch, the last {len(parts.test):,} test",
             f"{len(codec) - len(codec.never):,} different {codec.name}s are known, {tokens:,} {codec.name}s are learned from",
             *(f"note: {note}" for note in (*notes, *unknown_notes(codec, parts))),
             f"network: {kind.upper()} of {sizes['hidden']} units ({why_sizes(length, codec.name)})"]
    for line in lines:
        config.log(line)
    return Corpus(parts, codec, sizes, lines)


def why_sizes(length: str, token: str) -> str:
    """Why the network has its size, unless another one was asked for."""
    limits = {"short": f"fewer than {SHORT_TEXT:,}", "usual": f"from {SHORT_TEXT:,} to {LONG_TEXT:,}", "long": f"more than {LONG_TEXT:,}"}
    return f"{limits[length]} {token}s"


def unknown_notes(codec: Codec, parts: TextParts) -> list[str]:
    """What is to be said of characters that are unknown, in words."""
    result = []
    for name, part in zip(("that are learned from", "that choose the epoch", "that test"), parts):
        if unknown := codec.unknown(part):
            count = sum(map(part.count, unknown))
            result.append(f"{count:,} of the characters {name} are unknown, as they occur less than twice in the part to learn from: "
                          f"{named(unknown)}")
    return result


def named(characters: Sequence[str]) -> str:
    """The first of some characters, as Python writes them."""
    return ", ".join(map(repr, characters[:LISTED])) + (f" and {len(characters) - LISTED:,} more" if len(characters) > LISTED else "")


def describe(config: Config, corpus: Corpus) -> Facts:
    """The tokens and the sizes of the network."""
    return {**corpus.codec.to_facts(), "sizes": dict(corpus.sizes)}


def context_of(config: Config, codec: Codec) -> int:
    """The tokens that are learned from at a time."""
    return int(config["context"] or CONTEXTS[codec.name])


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The untrained network."""
    codec, sizes = codec_of(facts), facts["sizes"]
    if sizes["kind"] == "gpt":
        width = sizes["hidden"]
        return GPT(len(codec), context_of(config, codec), width, config["depth"] or 4, heads_of(width), sizes["dropout"])
    width = sizes["hidden"] // 4 if codec.name == "character" else sizes["hidden"] // 2
    return LanguageModel(len(codec), max(1, width), sizes["hidden"], config["depth"] or 1, sizes["kind"], sizes["dropout"])


def heads_of(width: int) -> int:
    """The heads of a GPT: of 32 units each, where they divide the width."""
    return next(heads for heads in range(max(1, width // 32), 0, -1) if width % heads == 0)


def loader(net: nn.Module, indices: np.ndarray, context: int) -> Loader:
    """Streams whose state is carried from batch to batch for recurrent networks; windows for a GPT."""
    return text.Windows(indices, min(context, len(indices) - 1)) if isinstance(net, GPT) else text.Streams(indices, context)


def training(config: Config, corpus: Corpus, name: str, net: nn.Module) -> Fit:
    """The training; the net gets the weights of the epoch that is best on the validation part."""
    codec, context = corpus.codec, context_of(config, corpus.codec)
    train, validation = (loader(net, codec.encode(part), context) for part in (corpus.parts.train, corpus.parts.validation))
    batch = config["batch"] or SIZES[corpus.sizes["length"]][2]
    epochs = config["epochs"] or min(MOST_EPOCHS, ceil(STEPS / train.steps(batch)))
    options: dict[str, Any] = {"optimizer": optim.Adam(lr=config["rate"] or 3e-3), "schedule": "cosine", "clip": 5.0}
    if isinstance(net, GPT):
        options = {"optimizer": optim.AdamW(lr=config["rate"] or 2e-3, betas=(0.9, 0.99), weight_decay=0.1), "clip": 1.0,
                   "schedule": optim.schedules.WarmUp(min(100, train.steps(batch)), optim.schedules.Cosine())}
    return Fit(train, validation, epochs=epochs, batch_size=batch, callbacks=[EarlyStopping(epochs)], **options)


def report(result: Result[Corpus]) -> Report:
    """The loss per character on the validation and test parts beside those of n-gram models, and what the network writes."""
    corpus, net, config = result.data, result.run.net, result.config
    codec, parts, context = corpus.codec, corpus.parts, context_of(config, corpus.codec)
    losses = {name: loss_of(net, codec, part, context) for name, part in (("test", parts.test), ("validation", parts.validation))}
    figures = {f"{name} loss": loss for name, (loss, _) in losses.items()}
    figures |= {"test perplexity": text.perplexity(figures["test loss"])}
    if codec.name == "piece":
        figures |= {"test perplexity per piece": text.perplexity(losses["test"][1])}
    config.log("n-gram models ...")
    simpler = ngram_scores(parts)
    figures |= {f"{name}: test loss": loss for name, loss in simpler.items()} | {"steps": result.run.history.steps}
    best = min(simpler, key=lambda name: simpler[name])
    better = figures["test loss"] < simpler[best]
    lines = [f"on the last {len(parts.test):,} characters, in nats per character: network {figures['test loss']:.4f} "
             f"(perplexity {figures['test perplexity']:.3f}), " + ", ".join(f"{name} {loss:.4f}" for name, loss in simpler.items()),
             f"the network is {'better' if better else 'worse'} than the {best}{'' if better else ': more text, or more epochs, may help'}",
             f"validation: {figures['validation loss']:.4f}"]
    prompt = parts.test[:PROMPT]
    sample = write(net, codec, prompt, WRITTEN, TEMPERATURE, config.seed)
    return Report(figures, [*lines, f"a sample (temperature {TEMPERATURE}), after the first {PROMPT} characters of the test part:",
                            prompt + sample], result.curves, corpus.lines)


def loss_of(net: nn.Module, codec: Codec, part: str, context: int) -> tuple[float, float]:
    """-log p of a text per character and per token, nats; the first token is not predicted."""
    indices = codec.encode(part)
    batch = max(1, min(32, len(indices) // STREAM))
    loss = measure(net, loader(net, indices, context), batch_size=batch)["loss"]
    return loss * (len(indices) - 1) / max(1, len(part) - len(codec.decode(indices[:1]))), loss


def ngram_scores(parts: TextParts) -> dict[str, float]:
    """The loss per character of n-gram models on the test part."""
    letters = Letters.learn(parts.train)
    learned, tested = letters.encode(parts.train[-MOST_COUNTED:]), letters.encode(parts.test)
    return {f"{n}-gram": float(ngram_losses(learned, tested, len(letters), n).mean()) for n in ORDERS if len(letters) ** n < 2**63}


def write(net: Any, codec: Codec, prompt: str, length: int, temperature: float, seed: int) -> str:
    """A text of `length` tokens that follows the prompt; temperature 0: the most probable token each time.

    Tokens that stand for unknown characters are never written. Raises ArgumentError for a negative temperature.
    """
    check_whole(length=length)
    if not 0 <= temperature < np.inf:
        raise ArgumentError(f"a temperature of {temperature}", why="logits are divided by it", repair="0.8 is usual; 0 takes the most "
                            "probable token each time")
    never = np.isin(np.arange(len(codec)), list(codec.never))

    def draw(logits: Tensor) -> Tensor:
        """The next token."""
        allowed = where(from_array(never), -np.inf, logits)
        return text.sample(allowed, temperature) if temperature else text.greedy(allowed)

    random.seed(seed)
    indices = codec.encode(prompt or "\n")
    state = net.begin(1) if isinstance(net, GPT) else net.zero_state(1)
    with Mode(net, training=False), no_grad():
        written = text.generate(compile(net.step), state, [indices], length, choose=compile(draw)).tokens.numpy()[0]
    return codec.decode(np.concatenate([indices, written]))[len(codec.decode(indices)):]


def write_with(run: LoadedRun, prompt: str, length: int, temperature: float, seed: int) -> tuple[str, list[str]]:
    """What the run writes after a prompt, and notes on the prompt."""
    codec = codec_of(run.facts, os.fspath(run.record.folder))
    unknown = codec.unknown(prompt)
    notes = [f"the prompt has characters that the model does not know: {named(unknown)}"] if unknown else []
    return write(run.net, codec, prompt, length, temperature, seed), notes


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The item, and a text that follows it."""
    return Prediction(item + write_with(run, item, WRITTEN, TEMPERATURE, run.config.seed)[0])


def predict_rows(run: LoadedRun, items: Sequence[str]) -> PredictedRows:
    """For each line of text files that is not empty: its characters, the loss per character, and the perplexity."""
    codec = codec_of(run.facts, os.fspath(run.record.folder))
    notes: list[str] = []

    def rows() -> Iterator[Sequence[str | int | float]]:
        """The rows of all files."""
        scorer, row = LineScorer(run.net, codec), 0
        for item in items:
            content = read_text(item, "", notes)
            notes.extend(f"{item}: {note}" for note in unknown_in(codec, content))
            for line, loss in scorer.losses(filter(None, content.split("\n"))):
                row += 1
                yield [row, len(line), float(f"{loss / len(line):.6g}"), float(f"{np.exp(loss / len(line)):.6g}")]

    return PredictedRows(["row", "characters", "nats per character", "perplexity"], rows(), notes)


def unknown_in(codec: Codec, content: str) -> Iterable[str]:
    """A note on the unknown characters of a text, if there are some."""
    unknown = codec.unknown(content)
    return [f"{sum(map(content.count, unknown)):,} characters are unknown: {named(unknown)}"] if unknown else []


def evaluate(run: LoadedRun, item: str) -> Report:
    """The loss per character on a text file."""
    codec, notes = codec_of(run.facts, os.fspath(run.record.folder)), list[str]()
    content = read_text(item, "", notes)
    if len(codec.encode(content)) < 2:
        raise refused(item, "contents", "it is one character", "each is predicted from those before it", "name a longer text")
    loss, per_token = loss_of(run.net, codec, content, context_of(run.config, codec))
    line = f"{len(content):,} characters: {loss:.4f} nats per character, perplexity {text.perplexity(loss):.4f}"
    per_piece = f", per piece {text.perplexity(per_token):.4f}" if codec.name == "piece" else ""
    return Report({"loss": loss}, [*(f"note: {note}" for note in (*notes, *unknown_in(codec, content))), line + per_piece])


experiment = Experiment(
    name="language",
    caption="what comes next in your own text file: characters or pieces of words, then slopes write RUN --prompt TEXT",
    expected="tiny Shakespeare: test loss at most 1.60 nats per character",
    source="file", takes="TEXT",
    examples=("plays.txt", "articles.txt.gz --pieces 4000 --epochs 5 --out runs/articles", "letters.txt --net gpt --context 128"),
    data=read, describe=describe, network=network, training=training, report=report, predict=predict, predict_rows=predict_rows,
    evaluate=evaluate, write=write_with,
    settings={"file": Setting("", "a text file, also compressed (.gz); its last tenth chooses the epoch and tests"),
              "pieces": Setting(0, "learn pieces of words, at most so many; 0: characters", least=0),
              "net": Setting("auto", "auto: an LSTM, of a short text a GRU; a GPT takes longer for the same loss",
                             ("auto", *LAYERS, "gpt")),
              "hidden": Setting(0, "units; 0: 128 up to 100,000 tokens to learn from, 256 up to 5 million, else 512", least=0),
              "depth": Setting(0, "layers; 0: one, of a GPT four", least=0),
              "dropout": Setting(-1.0, "between layers; -1: 0.3 for a short text, which is overfitted soon, else none", least=-1.0),
              "context": Setting(0, "tokens of truncated backpropagation through time; 0: 64 characters or 32 pieces", least=0),
              "epochs": Setting(0, "0: so many that there are 4,000 steps, at most 50"),
              "batch": Setting(0, "streams that are read side by side; 0: 8, 32 or 64 by the length of the text", least=0),
              "rate": Setting(0.0, "with a cosine down to 0; 0: 0.003, of a GPT 0.002"),
              "encoding": Setting("", "of the file, such as utf-8, cp1252, utf-16; by default detected")},
)
