"""What the page of sequences shows at the moment: the text, the networks that learn it, and what was chosen to be looked at."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from ...train.evaluate import Evaluator
from ...train.sources import source_of
from .attention import AttentionReader
from .messages import LONGEST_READING, SHORTEST_READING, Configure
from .network import Learner, loader
from .states import StateReader
from .texts import Corpus
from .writer import Sample, Writer

RECURRENT = ("rnn", "gru", "lstm")
MEASURED = 8000  # characters of the validation text
MOST_TESTS = 400  # points of a curve: as many as the eye can see


class Model:
    """A text and the networks that learn it: `main`, which writes and is looked at, and others to compare it with."""

    def __init__(self, corpus: Corpus, settings: Configure) -> None:
        self.corpus, self.settings = corpus, settings
        self.main = Learner(settings.network, corpus, settings)
        self.others: list[Learner] = []
        self.writer = Writer(self.main.net, corpus, settings.seed)
        self.readers = {self.main.kind: StateReader(self.main.net)} if self.main.recurrent else {}
        self.attention = None if self.main.recurrent else AttentionReader(self.main.net)
        held_out = source_of(loader(self.main.kind, corpus.encode(corpus.validation[:MEASURED]), settings.context))
        self.evaluator = Evaluator(self.main.net, held_out, self.main.live.training.objective, {}, settings.batch)
        self.tests: list[tuple[int, float]] = []  # step, loss

    @property
    def learners(self) -> list[Learner]:
        """All networks that learn."""
        return [self.main, *self.others]

    @property
    def behind(self) -> Learner:
        """The network that has done the fewest steps: its turn."""
        return min(self.learners, key=lambda learner: learner.live.steps)

    @property
    def longest_reading(self) -> int:
        """The most characters that can be looked at: a transformer sees no more than its context."""
        return LONGEST_READING if self.main.recurrent else min(LONGEST_READING, self.settings.context)

    def add(self, kind: str) -> None:
        """Let a recurrent network of another kind learn the same text, from its beginning."""
        learner = Learner(kind, self.corpus, dataclasses.replace(self.settings, network=kind))
        self.others.append(learner)
        self.readers[kind] = StateReader(learner.net)

    def drop_others(self) -> None:
        """Compare no longer."""
        for learner in self.others:
            del self.readers[learner.kind]
        self.others = []

    def measure(self) -> None:
        """The loss on text that is not learned."""
        self.tests.append((self.main.live.steps, float(self.evaluator.run()["loss"])))
        if len(self.tests) > MOST_TESTS:
            del self.tests[1::2]


@dataclass
class Scene:
    """The state of a session that the page sees.

    model    text and networks; None before the first ones were made
    task     what is waited for, in words; empty where there is nothing
    reading  the text that is read step by step;   unit  the unit of the hidden state in the unrolled graph
    prompt, temperature  of what is written;   samples  what was written
    """

    settings: Configure
    model: Model | None = None
    playing: bool = False
    task: str = ""
    reading: str = "ROMEO: The night is long and cold."
    unit: int = 0
    prompt: str = "ROMEO:"
    temperature: float = 0.8
    samples: list[Sample] = field(default_factory=list)

    @property
    def trains(self) -> bool:
        """Whether there is a model."""
        return self.model is not None

    @property
    def read_text(self) -> str:
        """The known characters of the text that is read, at most `longest_reading`; where fewer than three are known, learned text."""
        assert self.model is not None, "read only then"
        corpus, most = self.model.corpus, self.model.longest_reading
        text = corpus.known(self.reading)[:most]
        return text if len(text) >= SHORTEST_READING else corpus.train[:min(40, most)]

    @property
    def read_note(self) -> str:
        """How the text that is read differs from the text that was asked for; empty where it does not."""
        assert self.model is not None, "read only then"
        known, most = self.model.corpus.known(self.reading), self.model.longest_reading
        if len(known) < SHORTEST_READING:
            return (f"The network knows fewer than {SHORTEST_READING} of these characters: it reads the beginning of the text that it "
                    "learns instead.")
        unknown = " ".join(dict.fromkeys(letter for letter in self.reading if letter not in known))
        notes = {f"Only the first {most} characters are read.": len(known) > most,
                 f"Left out, because the text that is learned lacks them: {unknown}": unknown}
        return " ".join(note for note, holds in notes.items() if holds)
