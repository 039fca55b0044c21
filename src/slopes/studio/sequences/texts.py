"""The texts that can be learned: tiny Shakespeare, a short text of our own, or one that was pasted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ... import data
from ...data.sets.locate import found_sets
from ...errors import ArgumentError
from ...text import Vocabulary

LEAST = 200  # characters: fewer are no text to learn
MOST_CHARACTERS = 160  # different ones
HELD_OUT = 0.1

BUILT_IN = """
The rain came down on the hill, and the stream ran down to the mill. The miller heard the wheel go round, and said: the stream is
strong today, the stones will turn till dark. So he ground the corn, and the flour was white as snow, and the baker came to the mill
and took the flour away to the town.

In the town the baker made the bread. He mixed the flour with water and with salt, and he let the dough rise in the warm room, and
he put it into the oven before the sun was up. When the bells rang in the morning, the bread was on the table, and the children ate
it with butter and with honey.

The honey came from the garden behind the hill. There the bees went from flower to flower, from the clover to the thyme, and home
again to the hive. A bee that finds a good field dances when she comes home, and the others read the dance and know the way. So the
garden feeds the bees, and the bees feed the garden.

And the rain that came down on the hill fed the garden, too, and the stream, and the corn in the fields. The miller, the baker and
the bees all live by the rain, and none of them can make it fall. When it stays away for long, the wheel stands still, the oven is
cold, and the flowers close. Then the old people sit before their doors in the evening and look to the west, where the clouds come
from. The clouds will come, they say, they always came. And in the night the wind turns, and the first drops fall on the roof, one
here and one there, and then more than anybody can count.

In the morning the stream ran down to the mill again, and the miller heard the wheel go round. The stream is strong today, he said.
The baker lit the oven, the bees went out to the clover, and the children put on their boots and ran down the hill in the rain.
""".strip().replace("\n\n", "\0").replace("\n", " ").replace("\0", "\n\n")


@dataclass(frozen=True)
class Corpus:
    """A text to learn, divided into training and validation, and its characters.

    note  what the page says of it; empty where there is nothing to say
    """

    name: str
    title: str
    train: str
    validation: str
    characters: Vocabulary
    note: str = ""

    @property
    def size(self) -> int:
        """How many different characters there are."""
        return len(self.characters)

    @property
    def chance(self) -> float:
        """The loss of a guess among all characters, in nats."""
        return float(np.log(self.size))

    @property
    def frequencies(self) -> float:
        """The loss of a guess by the frequencies of the characters alone, in nats: their entropy."""
        shares = np.array(list(Counter(self.train).values())) / len(self.train)
        return float(-(shares * np.log(shares)).sum())

    def known(self, text: str) -> str:
        """The text without the characters that the network does not know."""
        return "".join(character for character in text if character in self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The known characters of a text as integers (T,) int64."""
        return self.characters.encode(self.known(text))


def divided(name: str, title: str, whole: str, note: str = "") -> Corpus:
    """The first 90 % to train, the rest to validate."""
    cut = int(len(whole) * (1 - HELD_OUT))
    return Corpus(name, title, whole[:cut], whole[cut:], Vocabulary.build(whole, specials=()), note)


def corpus_named(name: str, pasted: str) -> Corpus:
    """A text of the page's choice; without a copy of Shakespeare's plays, the built-in text with a note that says so."""
    if name == "pasted":
        return pasted_corpus(pasted)
    if name == "shakespeare" and "tinyshakespeare" in found_sets():
        return shakespeare()
    note = "" if name == "built-in" else ("Tiny Shakespeare is not on this machine: a short text of our own is learned instead. To "
                                          "download it (1.1 MB): python -c 'from slopes import data; data.tiny_shakespeare()'")
    return divided("built-in", "A short text", BUILT_IN, note)


@lru_cache(maxsize=1)
def shakespeare() -> Corpus:
    """Tiny Shakespeare."""
    plays = data.tiny_shakespeare()
    characters = Vocabulary.build(plays.train + plays.validation + plays.test, specials=())
    return Corpus("shakespeare", "Tiny Shakespeare", plays.train, plays.validation, characters)


def pasted_corpus(text: str) -> Corpus:
    """A text of the user's; ArgumentError where it is too short or has too many different characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kinds = len(set(text))
    if len(text) < LEAST:
        raise ArgumentError(f"the text has {len(text)} characters", why=f"the network needs at least {LEAST} to learn from",
                            repair="paste a longer text: a few pages are a good beginning")
    if kinds < 2:
        raise ArgumentError(f"the text repeats a single character, {text[0]!r}", why="the next character is always the same",
                            repair="paste a text of at least two different characters")
    if kinds > MOST_CHARACTERS:
        raise ArgumentError(f"the text has {kinds} different characters", why=f"the network chooses among at most {MOST_CHARACTERS}",
                            repair="paste a text in an alphabet with fewer characters")
    return divided("pasted", "Pasted text", text)
