"""text: classes of texts in a table of the user's own; a convolutional network over words or characters, a bag of them, or both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ... import nn, optim, text
from ...data.loaders.loader import IGNORED
from ...errors import ArgumentError
from ...files.reading import refused
from ...tables.calibrate import softmax
from ...tables.forward import Forward
from ...tables.report import shorten
from ...tables.sources import open_source
from ...tables.spelling import Spelling
from ...tables.target import labels_of
from ...train.stopping import EarlyStopping
from ...train.weighting import balanced_weights
from ...zoo.sentence import BagOfTokens, TextCNN, WideTextCNN
from ..answers import likeliest
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, PredictedRows, Prediction, Report, Result, Setting
from .account import FREQUENT, NETWORK, cautious_temperature, class_report, evaluation, most_frequent
from .bags import simpler_models
from .labelled_texts import AS_THEY_LOOK, LabelledSplits, read_labelled
from .tokens import KINDS, Tokens, choose_kind, learn_tokens, split_text
from .words import effect_lines, uneven_words, word_effects

FEW_TEXTS, LONG_TEXT = 2000, 150  # fewer texts to learn from, or so many tokens in the median one: a bag of tokens
LONGEST = {"bag": 4000, "cnn": 400, "wide-cnn": 400}  # tokens of a text that are read
BATCHES = ((1000, 16), (20_000, 50))  # up to so many texts to learn from, batches of so many
LARGE_BATCH = 128
RATES = {"bag": 3e-3, "cnn": 1e-3, "wide-cnn": 2e-3}
BLOCK_ROWS, LEAST_LENGTH = 64, 16  # of a batch that is predicted: rows, and tokens, of which there are 16, 32, 64, ...
MISTAKES, WORD_TEXTS = 5, 2000  # surest mistakes that are shown; test texts in which words are masked


@dataclass(frozen=True)
class Learned:
    """What is learned from: the divided texts, how they become rows of indices, the kind of network, and why."""

    splits: LabelledSplits
    tokens: Tokens
    kind: str
    lines: list[str]

    def rows(self, texts: Sequence[str], labels: np.ndarray) -> text.Rows:
        """Texts as a loader of rows of indices."""
        parts = zip(*(self.tokens.indices(self.tokens.split(content)) for content in texts))
        return text.Rows(*map(list, parts), targets=labels, limits=3)


def read(config: Config) -> Learned:
    """Read the table, and choose tokens and network."""
    splits = read_labelled(config)
    learned = splits.train.texts
    kind, why = (config["tokens"], "named by you") if config["tokens"] != "auto" else choose_kind(learned)
    rows = [split_text(content, kind) for content in learned]
    median, longest = int(np.median([len(row) for row in rows])), max(map(len, rows))
    net, reason = (config["net"], "named by you") if config["net"] != "auto" else choose_net(len(rows), median, kind)
    tokens = learn_tokens(kind, rows, LONGEST[net], in_order=net != "bag", bag=net != "cnn")
    cut = sum(len(row) > LONGEST[net] for row in rows)
    lines = [f"column {config['text']}: {kind} ({why}), {median:,} in the median text, {longest:,} in the longest; {known_text(tokens)}",
             *([f"note: of {cut:,} texts the first {LONGEST[net]:,} {kind} are read"] if cut else []),
             *splits.lines, f"network: {NETS[net]} ({reason})"]
    for line in lines:
        config.log(line)
    return Learned(splits, tokens, net, lines)


def known_text(tokens: Tokens) -> str:
    """How many tokens and pairs the network knows."""
    counts = ((tokens.words, "known"), (tokens.bag, "known with pairs of neighbours"))
    return ", ".join(f"{len(vocabulary) - len(vocabulary.specials):,} {what}" for vocabulary, what in counts if vocabulary is not None)


NETS = {"bag": "the mean of the embeddings of tokens and of pairs of neighbours", "cnn": "convolutions over neighbouring tokens",
        "wide-cnn": "convolutions over neighbouring tokens, and the mean of the embeddings of tokens and of pairs of neighbours"}


def choose_net(texts: int, median: int, kind: str) -> tuple[str, str]:
    """The kind of network by the number and the length of the texts to learn from, and why."""
    if texts < FEW_TEXTS:
        return "bag", f"there are {texts:,} texts to learn from, fewer than {FEW_TEXTS:,}"
    seen = f"the median text has {median:,} {kind}"
    return ("bag", f"{seen}, {LONG_TEXT} or more") if median >= LONG_TEXT else ("wide-cnn", f"{seen}, fewer than {LONG_TEXT}")


def describe(config: Config, learned: Learned) -> Facts:
    """Everything that predictions need: how texts become rows of indices, the network, the classes, and how files are spelled."""
    return {"tokens": learned.tokens.to_facts(), "net": learned.kind, "classes": list(learned.splits.classes),
            "spelling": learned.splits.spelling.fields()}


def network(config: Config, facts: Facts, name: str) -> nn.Module:
    """The untrained network."""
    tokens, classes = Tokens.from_facts(facts["tokens"]), len(facts["classes"])
    words, bag = (0 if vocabulary is None else len(vocabulary) for vocabulary in (tokens.words, tokens.bag))
    if facts["net"] == "bag":
        return BagOfTokens(bag, classes, config["width"] or 64, config["dropout"])
    if facts["net"] == "cnn":
        return TextCNN(words, classes, config["width"] or 300, filters=config["filters"] or 100, dropout=config["dropout"])
    return WideTextCNN(words, bag, classes, config["width"] or 100, config["filters"] or 50, config["dropout"])


def training(config: Config, learned: Learned, name: str, net: nn.Module) -> Fit:
    """The training; the net gets the weights of the epoch that is best on the validation texts."""
    train, validation = learned.splits.train, learned.splits.validation
    batch = config["batch"] or next((size for most, size in BATCHES if len(train) <= most), LARGE_BATCH)
    options: dict[str, Any] = {}
    if config["balanced"]:
        weights = balanced_weights(train.labels, len(learned.splits.classes))
        options = {"loss": partial(nn.cross_entropy, weight=weights, ignore_index=IGNORED)}
    return Fit(learned.rows(train.texts, train.labels), learned.rows(validation.texts, validation.labels), metrics="accuracy",
               optimizer=optim.Adam(lr=config["rate"] or RATES[learned.kind]), epochs=config["epochs"], batch_size=batch,
               callbacks=[EarlyStopping(config["patience"])], **options)


class Classifier:
    """Predicts the classes of any number of texts, in compiled batches of few different shapes."""

    def __init__(self, net: nn.Module, tokens: Tokens, temperature: float = 1.0) -> None:
        self.tokens, self.temperature, self.forward = tokens, temperature, Forward(net, BLOCK_ROWS, few=0)

    def logits(self, rows: Sequence[Sequence[str]]) -> np.ndarray:
        """The logits (N, classes) of texts that are split into tokens."""
        lengths = np.array([max(LEAST_LENGTH, 1 << (len(row) - 1).bit_length() if row else 0) for row in rows])
        result: dict[int, np.ndarray] = {}
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length).tolist()
            for first in range(0, len(members), BLOCK_ROWS):
                part = members[first : first + BLOCK_ROWS]
                result |= dict(zip(part, self.forward(*self.batch([rows[i] for i in part], int(length)))))
        return np.stack([result[i] for i in range(len(rows))])

    def batch(self, rows: Sequence[Sequence[str]], length: int) -> list[np.ndarray]:
        """The inputs of the network, (N, ...) each: rows of up to `length` tokens, and padding."""
        inputs = [np.zeros((len(rows), size), np.int64) for size in self.tokens.lengths(length)]
        for i, row in enumerate(rows):
            for array, indices in zip(inputs, self.tokens.indices(row)):
                array[i, : len(indices)] = indices
        return inputs

    def split_shares(self, rows: Sequence[Sequence[str]]) -> np.ndarray:
        """The probabilities (N, classes) of texts that are split into tokens."""
        return softmax(self.logits(rows) / self.temperature)

    def shares(self, texts: Sequence[str]) -> np.ndarray:
        """The probabilities (N, classes) of texts."""
        return self.split_shares([self.tokens.split(content) for content in texts])


def report(result: Result[Learned]) -> Report:
    """The scores on the test texts beside those of simpler models, the words that matter, and the surest mistakes."""
    learned, config = result.data, result.config
    splits, tokens = learned.splits, learned.tokens
    train, validation, test, classes = splits.train, splits.validation, splits.test, splits.classes
    classifier = Classifier(result.run.net, tokens)
    classifier.temperature = cautious_temperature(classifier.logits(list(map(tokens.split, validation.texts))), validation.labels)
    rows, tested = ([tokens.split(content) for content in part.texts] for part in (train, test))
    notes: list[str] = []
    shares = {NETWORK: classifier.split_shares(tested), FREQUENT: most_frequent(train.labels, len(test), len(classes))}
    config.log("simpler models ...")
    shares |= simpler_models(rows, train.labels, tested, len(classes), notes)
    account = class_report(shares, test.labels, classes, temperature=classifier.temperature, seed=config.seed, plots=result.curves)
    config.log("words that matter ...")
    effects = word_effects(classifier.split_shares, tested[:WORD_TEXTS], test.labels[:WORD_TEXTS],
                           [word for word in uneven_words(rows, train.labels, len(classes)) if word in tokens])
    account.data_lines = learned.lines
    account.lines += [*(f"note: {note}" for note in notes), *effect_lines(effects, classes, tokens.kind),
                      *mistake_lines(test.texts, test.labels, shares[NETWORK], classes)]
    return account


def mistake_lines(texts: Sequence[str], labels: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The test texts of which the network was most sure, and wrong."""
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-shares[wrong].max(axis=1), kind="stable")][:MISTAKES]
    lines = [f"  {classes[labels[i]]} taken for {likeliest(classes, shares[i])}: {shorten(' '.join(texts[i].split()), 100)}"
             for i in surest]
    return ["surest mistakes:", *lines] if lines else []


def classifier_of(run: LoadedRun) -> Classifier:
    """The classifier that a run folder holds."""
    return Classifier(run.net, Tokens.from_facts(run.facts["tokens"]), run.record.figures.get("temperature", 1.0))


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The likeliest classes of a text."""
    if os.path.isfile(item):
        raise ArgumentError(f"{item} is a file, not a text", why="the rows of a file are predicted into a table",
                            repair=f"slopes predict {run.record.folder} {item} --out predictions.csv")
    return Prediction(likeliest(run.facts["classes"], classifier_of(run).shares([item])[0], top))


def blocks_of(run: LoadedRun, path: str, notes: list[str], also: str = "") -> Iterator[tuple[list[str], list[str], Sequence[int]]]:
    """(texts, values of the column `also`, line numbers) of the rows of a file, in blocks; DataError for a file without these columns."""
    spelling = replace(Spelling.from_fields(run.facts["spelling"]), encoding="", delimiter="")
    with open_source(path, spelling, notes, most=None) as (name, _, names, blocks):
        for column in filter(None, (run.config["text"], also)):
            if column not in names:
                raise refused(name, "columns", f"there is no column {column!r}", "the model was trained on a file with it",
                              f"name it so in the first line; there are {', '.join(map(repr, names[:10]))}")
        for block in blocks:
            columns = dict(zip(names, block.columns))
            texts = columns[run.config["text"]].texts()
            yield texts, columns[also].texts() if also else [], block.lines


def predict_rows(run: LoadedRun, items: Sequence[str]) -> PredictedRows:
    """The class of each row of files, its probability, and that of every class."""
    classes, notes = run.facts["classes"], list[str]()

    def rows() -> Iterator[Sequence[str | int | float]]:
        """The rows of all files, as they are read."""
        classifier, row, empty = classifier_of(run), 0, 0
        for item in items:
            for texts, _, _ in blocks_of(run, item, notes):
                empty += texts.count("")
                for shares in classifier.shares(texts):
                    row += 1
                    yield [row, classes[int(shares.argmax())], *(float(f"{share:.6g}") for share in (shares.max(), *shares))]
        if empty:
            notes.append(f"{empty:,} rows without a text are predicted like a text without a known word")

    return PredictedRows(["row", "class", "probability", *(f"P({name})" for name in classes)], rows(), notes)


def evaluate(run: LoadedRun, item: str) -> Report:
    """The scores on the rows of a file that have a text and a class."""
    classes, target = run.facts["classes"], run.config["target"]
    classifier, left_out = classifier_of(run), 0
    notes: list[str] = []
    shares, labels = [], []
    for texts, values, lines in blocks_of(run, item, notes, target):
        known = [i for i, (content, value) in enumerate(zip(texts, values)) if content and value]
        left_out += len(texts) - len(known)
        targets = labels_of([values[i] for i in known], classes)
        if (targets < 0).any():
            row = known[int((targets < 0).argmax())]
            raise refused(item, f"line {lines[row]}, target {target!r}", f"{values[row]!r:.60} is no class of the model",
                          f"it has {', '.join(map(repr, classes[:10]))}", "correct it, or leave it empty: such rows do not count")
        if known:
            shares.append(classifier.shares([texts[i] for i in known]))
            labels.append(targets)
    if not labels:
        raise refused(item, f"columns {run.config['text']!r} and {target!r}", "no row has a value in both", "predictions are compared "
                      "with targets", "bring rows with both")
    if left_out:
        notes.append(f"{left_out:,} rows without a text or a target are left out")
    result = evaluation(np.concatenate(shares), np.concatenate(labels), classes)
    return replace(result, lines=[*(f"note: {note}" for note in notes), *result.lines])


experiment = Experiment(
    name="text",
    caption="classes of texts in your own CSV or Parquet file: --text COLUMN --target COLUMN",
    expected="film reviews of rt-polarity: accuracy at least 75%",
    source="file", files=("valid", "test"), takes="TEXT",
    examples=("reviews.csv --text review --target mood", "mails.csv --text body --target folder --balanced --time received",
              "tickets.csv --text question --target team --group customer --out runs/tickets"),
    data=read, describe=describe, network=network, training=training, report=report, predict=predict, predict_rows=predict_rows,
    evaluate=evaluate,
    settings={"file": Setting("", "a CSV file whose first line names the columns, or a Parquet or Arrow file"),
              "text": Setting("", "the column of the texts"),
              "target": Setting("", "the column of the classes"),
              "balanced": Setting(False, "let all classes weigh the same, however many texts they have"),
              "group": Setting("", "texts with the same value in this column are learned from, or tested with"),
              "time": Setting("", "learn from earlier texts, test with later ones, by this column"),
              "valid": Setting("", "a file whose texts choose the epoch, not a part of FILE"),
              "test": Setting("", "a file whose texts test, instead of a fifth of FILE"),
              "tokens": Setting("auto", "what a text is divided into; auto: words where spaces are between them", KINDS),
              "net": Setting("auto", "auto: wide-cnn for many short texts, else bag", ("auto", *NETS)),
              "epochs": Setting(20, "at most: the training ends when validation has not become better for --patience epochs"),
              "patience": Setting(3, "the best epoch comes soon, as words are many and texts few"),
              "batch": Setting(0, "0: 16 up to 1,000 texts to learn from, 50 up to 20,000, else 128", least=0),
              "width": Setting(0, "length of the embeddings; 0: 100 for wide-cnn, 64 for bag, 300 for cnn, as published", least=0),
              "filters": Setting(0, "for each of windows of 3, 4 and 5 tokens; 0: 50 for wide-cnn, 100 for cnn, as published", least=0),
              "dropout": Setting(0.5, "as published for cnn"),
              "rate": Setting(0.0, "0: 0.001 for cnn, the usual first choice; 0.002 for wide-cnn, 0.003 for bag"),
              "encoding": Setting("", "of the file, such as utf-8, cp1252, utf-16; by default detected"),
              "delimiter": Setting("", "between two fields; by default detected among comma, semicolon, tab and bar"),
              "missing": Setting((), "a further word for a missing value"),
              "dates": Setting(AS_THEY_LOOK, "the order in dates like 03/04/2024 of --time", (AS_THEY_LOOK, "day-first", "month-first")),
              "no_header": Setting(False, "the first line is a row: columns are named column 1, column 2, ...")},
)
