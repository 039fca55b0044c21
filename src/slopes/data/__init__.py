"""Data: datasets and splits, reproducible shuffling, the classic data sets, file readers."""

from __future__ import annotations

from ..files import load_json, load_npy, load_npz, load_safetensors, save_json, save_npy, save_npz, save_safetensors
from ..files.conllu import load_conllu
from ..files.csvfile import load_csv
from ..files.idx import load_idx
from ..files.images import load_image
from ..files.table import Table
from ..files.wav import Sound, load_wav
from .loaders.dataset import Dataset, from_arrays
from .loaders.examples import Examples
from .loaders.folder import ImageFolder, image_folder
from .loaders.folds import folds
from .loaders.frames import from_frame
from .loaders.loader import IGNORED, Batch, Loader
from .loaders.order import number_of_batches, order
from .loaders.splits import Splits, split
from .loaders.write_images import save_image_folder
from .sets.composed import CAPTION_WORDS, caption_text, digit_captions, digit_masks
from .sets.corpora import tiny_shakespeare, wikitext2
from .sets.digits import digits, fashion_mnist, mnist
from .sets.pairs import tatoeba
from .sets.ratings import RatingSplits, bias_only, ratings
from .sets.reviews import rt_polarity
from .sets.series import Series, SeriesSplits, split_series, sunspots, temperatures, windows
from .sets.spoken import spoken_digits
from .sets.surnames import names
from .sets.tabular import TableCode, TableSplits, adult, california_housing, split_table, wine_quality
from .sets.treebank import ud_english_ewt
from .transforms import augment
from .transforms.conditioning import Standardize, Whiten
from .transforms.sound import log_mel, log_spectrogram, mel_filters, resample, spectrogram

__all__ = ["CAPTION_WORDS", "IGNORED", "Batch", "Dataset", "Examples", "ImageFolder", "Loader", "RatingSplits", "Series", "SeriesSplits",
           "Sound", "Splits", "Standardize", "Table", "TableCode", "TableSplits", "Whiten", "adult", "augment", "bias_only",
           "california_housing", "caption_text", "digit_captions", "digit_masks", "digits", "fashion_mnist", "folds", "from_arrays",
           "from_frame", "image_folder", "load_conllu", "load_csv", "load_idx", "load_image", "load_json", "load_npy", "load_npz",
           "load_safetensors", "load_wav", "log_mel", "log_spectrogram", "mel_filters", "mnist", "names", "number_of_batches", "order",
           "ratings", "resample", "rt_polarity", "save_image_folder", "save_json", "save_npy", "save_npz", "save_safetensors",
           "spectrogram", "split", "split_series", "split_table", "spoken_digits", "sunspots", "tatoeba", "temperatures",
           "tiny_shakespeare", "ud_english_ewt", "wikitext2", "windows", "wine_quality"]
