"""Sentences as vectors: the mean of what BERT says about their words; MiniLM and other networks of sentence-transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from .. import nn
from ..checkpoints.folder import Config, pretrained_folder
from ..compile import compile
from ..files.jsonfile import parse_object
from ..files.reading import Path, inside, read_whole, refused
from ..functions import maximum
from ..ops.composite import root_of_squares
from ..tensor import Tensor, tensor
from ..text.wordpieces import WordPieces
from .bert import BERT
from .bert import from_pretrained as bert_from_pretrained

LEAST_STEP = 8  # between the lengths that programs are compiled for
STEPS = 4  # such lengths in each doubling: at most a quarter of a row is padding
POOLING = ("pooling_mode_mean_tokens", "pooling_mode_cls_token")
LEAST_NORM = 1e-12
MOST_MODULES = 2**20  # bytes


class SentenceEmbedding(nn.Module):
    """A vector for each text: the mean over its words of BERT's outputs (or that of its first word), scaled to length 1.

    tokens: integers (N, L) as `tokens` makes them; y: (N, width). `embed` takes texts. With normalize=False vectors keep their length.
    Source: Reimers and Gurevych, "Sentence-BERT: sentence embeddings using Siamese BERT-networks", 2019.

    >>> import slopes as sl
    >>> from slopes.text import WordPieces
    >>> from slopes.zoo.bert import BERT
    >>> pieces = WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "morning"])
    >>> net = SentenceEmbedding(BERT(len(pieces), context=16, width=8, depth=1, heads=2, hidden=16), pieces).eval()
    >>> net.embed(["Good morning", "Morning!"]).shape
    (2, 8)
    """

    def __init__(self, bert: BERT, pieces: WordPieces, pooling: str = "mean", normalize: bool = True, length: int | None = None) -> None:
        self.bert, self.pieces, self.pooling, self.normalize = bert, pieces, pooling, normalize
        self.length = min(length or bert.positions.length, bert.positions.length)
        self.compiled = compile(self)  # kept, as `embed` uses its programs again

    def forward(self, tokens: Tensor) -> Tensor:
        y = self.bert(tokens)
        if self.pooling == "mean":
            words = (tokens != self.bert.padding).astype(y.dtype).reshape((*tokens.shape, 1))
            y = (y * words).sum(axis=1) / maximum(words.sum(axis=1), 1)
        else:
            y = y[:, 0]
        return y / maximum(root_of_squares((y * y).sum(axis=-1, keepdims=True)), LEAST_NORM) if self.normalize else y

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """The indices (N, L) of texts, cut to `length`, filled up with padding; L is one of `round_up` where possible."""
        return self.fill([self.pieces.encode(text, self.length) for text in texts], len(texts))

    def fill(self, rows: Sequence[np.ndarray], count: int) -> np.ndarray:
        """Rows of indices as `count` rows of one length, filled up with padding."""
        longest = max(map(len, rows), default=1)
        tokens = np.full((count, min(round_up(longest), max(self.length, longest))), self.bert.padding, np.int64)
        for row, indices in zip(tokens, rows):
            row[: len(indices)] = indices
        return tokens

    def embed(self, texts: Sequence[str], batch_size: int = 8) -> np.ndarray:
        """The vectors (N, width) of texts, by a compiled function; texts of similar lengths are computed together.

        Larger batches are hardly faster on a CPU, and hold more padding. A single text is computed alone.
        """
        rows = [self.pieces.encode(text, self.length) for text in texts]
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))  # the longest first: the batch that is filled up holds the shortest
        vectors = np.zeros((len(rows), self.bert.words.embedding_dim), np.float32)
        for start in range(0, len(rows), batch_size):
            indices = order[start : start + batch_size]
            tokens = self.fill([rows[i] for i in indices], batch_size if len(rows) > 1 else 1)
            vectors[indices] = self.compiled(tensor(tokens)).numpy()[: len(indices)]
        return vectors


def round_up(length: int) -> int:
    """The least of the lengths 8, 16, ..., 64, 80, ..., 128, 160, ... that is not smaller."""
    step = max(LEAST_STEP, 2 ** (length - 1).bit_length() // (2 * STEPS))
    return -(-length // step) * step


def from_pretrained(folder: Path) -> SentenceEmbedding:
    """The network in a folder of sentence-transformers with a BERT, such as all-MiniLM-L6-v2: weights, vocab.txt, pooling, length.

    `folder` may be a repository's name, for which see `checkpoints.folder`. Raises DataError for other kinds of networks, poolings and
    tokenizers.
    """
    folder = pretrained_folder(folder)
    bert = bert_from_pretrained(folder, dropout=0.0)
    kinds = module_kinds(folder)
    return SentenceEmbedding(bert, read_pieces(folder), read_pooling(folder), "Normalize" in kinds, read_length(folder)).eval()  # type: ignore


def module_kinds(folder: Path) -> list[str]:
    """The modules of modules.json in order: Transformer, Pooling, perhaps Normalize."""
    path = inside(folder, "modules.json")
    raw = read_whole(path, MOST_MODULES)
    modules = parse_object(b'{"modules": ' + raw + b"}", path, "contents", foreign=True)["modules"]  # the file itself is a list
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules if isinstance(module, dict)] \
        if isinstance(modules, list) else []
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise refused(path, "type", f"the modules are {kinds!r:.200}", "known are Transformer, Pooling and Normalize, in this order")
    return kinds


def read_pooling(folder: Path) -> str:
    config = Config(folder, "1_Pooling/config.json")
    modes = [name for name, value in config.content.items() if name.startswith("pooling_mode") and value is True]
    if len(modes) != 1 or modes[0] not in POOLING:
        raise refused(config.path, "pooling_mode", f"{modes!r:.200} is not supported", f"known is one of {', '.join(POOLING)}")
    return "mean" if modes[0] == POOLING[0] else "first"


def read_length(folder: Path) -> int | None:
    name = "sentence_bert_config.json"
    return Config(folder, name).count("max_seq_length") if os.path.exists(os.path.join(folder, name)) else None


def read_pieces(folder: Path) -> WordPieces:
    """The tokenizer that vocab.txt and tokenizer_config.json describe."""
    config = Config(folder, "tokenizer_config.json")
    accents = config.choice("strip_accents", {None: None, True: True, False: False})
    return WordPieces.load(inside(folder, "vocab.txt"), config.flag("do_lower_case", True), accents,
                           config.flag("tokenize_chinese_chars", True))
