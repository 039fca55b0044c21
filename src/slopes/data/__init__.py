"""Data: arrays with targets, splits, an order that is a pure function, the classic data sets, careful readers of files."""

from __future__ import annotations

from .batches import batches
from .dataset import Dataset, from_arrays
from .datasets import digits, fashion_mnist, mnist
from .files import load_json, load_npy, load_npz, load_safetensors, save_json, save_safetensors
from .idx import load_idx
from .images import load_image
from .order import number_of_batches, order
from .splits import Splits, split

__all__ = ["Dataset", "Splits", "batches", "digits", "fashion_mnist", "from_arrays", "load_idx", "load_image", "load_json",
           "load_npy", "load_npz", "load_safetensors", "mnist", "number_of_batches", "order", "save_json", "save_safetensors",
           "split"]
