"""Text: vocabularies, subwords, padding and batching, sampling and generation, beam search, metrics, word vectors."""

from __future__ import annotations

from ..data.transforms.tokens import characters, join_words, words
from .beam import Beams, beam_search
from .buckets import Bucket, boundaries, buckets
from .bytepairs import BytePairs
from .generation import Written, generate
from .loaders import Rows, Streams, Windows
from .measures import Bleu, bleu, exact_match, perplexity, tagging_accuracy
from .padding import Padded, mask, pad
from .sampling import greedy, keep_top_k, keep_top_p, sample
from .subwords import Subwords
from .vectors import Table, WordVectors, load_vectors
from .vocabulary import Vocabulary
from .windows import NextTokens, random_windows, sliding_windows, streams
from .wordpieces import WordPieces

__all__ = ["Beams", "Bleu", "Bucket", "BytePairs", "NextTokens", "Padded", "Rows", "Streams", "Subwords", "Table", "Vocabulary", "Windows",
           "WordPieces", "WordVectors", "Written", "beam_search", "bleu", "boundaries", "buckets", "characters", "exact_match", "generate",
           "greedy", "join_words", "keep_top_k", "keep_top_p", "load_vectors", "mask", "pad", "perplexity", "random_windows", "sample",
           "sliding_windows", "streams", "tagging_accuracy", "words"]
