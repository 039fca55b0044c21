"""Text corpora for language models: tiny Shakespeare by characters, WikiText-2 by words."""

from __future__ import annotations

from functools import partial

from ...files.reading import refused
from ...files.text_reader import text_lines
from ..loaders.splits import Splits
from .locate import Folder, located

END = "<eos>"
FEWEST = 20  # characters: fewer cannot be divided


def tiny_shakespeare(folder: Folder = None) -> Splits[str]:
    """1,115,394 characters of Shakespeare's plays: `.train` is the first 90 % (1,003,854), then 5 % validation, 5 % test.

    Each part is a string of 65 different characters (60 to 65). Searched and downloaded as `mnist` is, subfolder
    `tinyshakespeare`, file input.txt. Source: Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015; the
    text is in the public domain.
    """
    path = located("tinyshakespeare", "input.txt", folder)
    whole = "".join(f"{line}\n" for _, line in text_lines(path))
    if len(whole) < FEWEST:
        raise refused(path, "contents", f"{len(whole)} characters, too few to divide")
    first, second = len(whole) * 9 // 10, len(whole) * 19 // 20
    return Splits(whole[:first], whole[first:second], whole[second:], "tinyshakespeare")


def wikitext2(folder: Folder = None) -> Splits[tuple[str, ...]]:
    """WikiText-2: articles of Wikipedia as tuples of words, 2,088,628 to train, 217,646 to validate, 245,569 to test.

    Words are what blanks separate in the files; at the end of each line, also of a blank one, stands "<eos>". Words that are rare
    in the training text are "<unk>" in the files already: the vocabulary has 33,278 words with both. Searched and downloaded as
    `mnist` is, subfolder `wikitext-2`. Source: Merity, Xiong, Bradbury, Socher, "Pointer sentinel mixture models", 2016; CC BY-SA.
    """
    return Splits(tokens_of("train.txt", folder), tokens_of("valid.txt", folder), partial(tokens_of, "test.txt", folder), "wikitext-2")


def tokens_of(file: str, folder: Folder) -> tuple[str, ...]:
    """The words of a file, each different one held once in memory."""
    same: dict[str, str] = {}
    path = located("wikitext-2", file, folder)
    return tuple([same.setdefault(word, word) for _, line in text_lines(path) for word in (*line.split(), END)])
