"""tagger: the part of speech of each word of an English sentence, from the words beside it and the letters in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ... import data, nn, optim, text
from ...data.loaders.examples import Examples
from ...train.evaluate import evaluate
from ...zoo.bilstm_tagger import Tagger
from ..answers import outputs, vocabulary_facts, vocabulary_of
from ..experiment import Config, Experiment, Facts, Fit, LoadedRun, Prediction, Report, Result, Setting

SENTENCE = "Time flies like an arrow ; fruit flies like a banana ."
Bank = data.Splits[Examples]


class Reader:
    """Words as numbers: by themselves (in lower case), and by their characters, of long words the first and the last ones."""

    def __init__(self, words: text.Vocabulary, letters: text.Vocabulary, longest: int) -> None:
        self.words, self.letters, self.longest = words, letters, longest
        self.spellings: dict[str, np.ndarray] = {}

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], longest: int) -> Reader:
        """The reader of the words of these sentences; a word must occur twice to have a number."""
        sentences = list(sentences)
        counts = Counter(word for sentence in sentences for word in sentence)
        words = text.Vocabulary.build(([word.lower() for word in sentence] for sentence in sentences), smallest_count=2)
        return cls(words, text.Vocabulary.build([list(word) for word in counts]), longest)

    def sentence(self, words: Sequence[str]) -> np.ndarray:
        """(T, 1 + letters) numbers of the words of a sentence."""
        return np.stack([self.word(word) for word in words])

    def word(self, word: str) -> np.ndarray:
        """The number of a word, then those of its characters."""
        if word not in self.spellings:
            half = self.longest // 2
            kept = word if len(word) <= self.longest else word[:half] + word[half - self.longest:]
            index = self.words.encode([word.lower()])
            self.spellings[word] = np.concatenate((index, text.pad([self.letters.encode(kept)], length=self.longest).values[0]))
        return self.spellings[word]

    def rows(self, examples: Examples) -> text.Rows:
        """Sentences with their tags, in batches of similar length."""
        return text.Rows([self.sentence(words) for words in examples.inputs], targets=list(examples.targets), limits=4)


def reader_of(config: Config, bank: Bank) -> Reader:
    """The reader of the training sentences."""
    return Reader.build(bank.train.inputs, config["letters"])


def describe(config: Config, bank: Bank) -> Facts:
    """The words, the characters and the tags."""
    reader = reader_of(config, bank)
    return {"words": vocabulary_facts(reader.words), "letters": vocabulary_facts(reader.letters), "classes": list(bank.train.classes or ())}


def network(config: Config, facts: Facts, name: str) -> Tagger:
    """The tagger."""
    return Tagger(len(vocabulary_of(facts["words"])), len(vocabulary_of(facts["letters"])), len(facts["classes"]), config["width"],
                  hidden=config["hidden"], dropout=config["dropout"])


def training(config: Config, bank: Bank, name: str, net: nn.Module) -> Fit:
    """The training on the treebank's training set."""
    reader = reader_of(config, bank)
    assert bank.validation is not None
    return Fit(reader.rows(bank.train), reader.rows(bank.validation), optimizer=optim.Adam(lr=config["rate"]), schedule="cosine", clip=5.0,
               epochs=config["epochs"], batch_size=config["batch"], metrics="token_accuracy")


def report(result: Result[Bank]) -> Report:
    """The share of right tags of the test set, and a sentence with its tags."""
    net, config, test = result.run.net, result.config, result.data.test
    assert test is not None
    reader = reader_of(config, result.data)
    score = evaluate(net, reader.rows(test), metrics="token_accuracy", batch_size=config["batch"])
    return Report({"accuracy": score["token_accuracy"], "loss": score["loss"]},
                  [f"{score['token_accuracy']:.2%} of the words of the test set are tagged right",
                   tagged(net, reader, result.facts["classes"], SENTENCE.split())], result.curves)


def tagged(net: nn.Module, reader: Reader, classes: Sequence[str], words: Sequence[str]) -> str:
    """`Time/NOUN flies/VERB`: the words of a sentence with their likeliest tags."""
    tags = outputs(net, reader.sentence(words)[None]).argmax(axis=2)[0]
    return " ".join(f"{word}/{classes[tag]}" for word, tag in zip(words, tags))


def predict(run: LoadedRun, item: str, top: int) -> Prediction:
    """The tags of the words of a sentence."""
    reader = Reader(vocabulary_of(run.facts["words"]), vocabulary_of(run.facts["letters"]), run.config["letters"])
    words = text.words(item)
    return Prediction(tagged(run.net, reader, run.facts["classes"], words) if words else "")


recipe = Experiment(
    name="tagger",
    caption="parts of speech of English words, by an LSTM over the sentence and another one over each word's letters",
    expected="at least 93% of the words of the test set",
    data=lambda config: data.ud_english_ewt(), describe=describe, network=network, training=training, report=report, predict=predict,
    takes="SENTENCE",
    datasets=("ud-english-ewt",),
    settings={"epochs": Setting(10, "validation gains nothing after that"),
              "batch": Setting(32, "400 steps an epoch"), "width": Setting(100, "length of the word embeddings"),
              "hidden": Setting(100, "units in each direction"),
              "letters": Setting(12, "characters read of a word; of longer words the first and last six"),
              "dropout": Setting(0.3, "of the word embeddings and of the sentence's states; with 0.5 it underfits: 92.9%"),
              "rate": Setting(3e-3, "three times the usual learning rate, with a cosine down to 0")},
)
