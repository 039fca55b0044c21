"""Data: arrays with targets, splits, an order that is a pure function, the classic data sets, careful readers of files."""

from __future__ import annotations

from . import augment
from .batches import batches
from .composed import CAPTION_WORDS, caption_text, digit_captions, digit_masks
from .conditioning import Standardize, Whiten
from .conllu import load_conllu
from .corpora import tiny_shakespeare, wikitext2
from .csvfile import load_csv
from .dataset import Dataset, from_arrays
from .datasets import digits, fashion_mnist, mnist
from .examples import Examples
from .feed import IGNORED, Batch, Feed
from .files import load_json, load_npy, load_npz, load_safetensors, save_json, save_safetensors
from .folder import ImageFolder, image_folder
from .folds import folds
from .idx import load_idx
from .images import load_image
from .order import number_of_batches, order
from .pairs import tatoeba
from .ratings import RatingSplits, bias_only, ratings
from .reviews import rt_polarity
from .series import Series, SeriesSplits, split_series, sunspots, temperatures, windows
from .sound import log_mel, log_spectrogram, mel_filters, spectrogram
from .splits import Splits, split
from .spoken import spoken_digits
from .surnames import names
from .table import Table
from .tabular import TableCode, TableSplits, adult, california_housing, split_table, wine_quality
from .treebank import ud_english_ewt
from .unload import save_image_folder
from .wav import Sound, load_wav

__all__ = ["CAPTION_WORDS", "IGNORED", "Batch", "Dataset", "Examples", "Feed", "ImageFolder", "RatingSplits", "Series", "SeriesSplits",
           "Sound", "Splits", "Standardize", "Table", "TableCode", "TableSplits", "Whiten", "adult", "augment", "batches", "bias_only",
           "california_housing", "caption_text", "digit_captions", "digit_masks", "digits", "fashion_mnist", "folds", "from_arrays",
           "image_folder", "load_conllu", "load_csv", "load_idx", "load_image", "load_json", "load_npy", "load_npz", "load_safetensors",
           "load_wav", "log_mel", "log_spectrogram", "mel_filters", "mnist", "names", "number_of_batches", "order", "ratings",
           "rt_polarity", "save_image_folder", "save_json", "save_safetensors", "spectrogram", "split", "split_series", "split_table",
           "spoken_digits", "sunspots", "tatoeba", "temperatures", "tiny_shakespeare", "ud_english_ewt", "wikitext2", "windows",
           "wine_quality"]
