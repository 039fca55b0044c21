"""The files that slopes writes and reads: safetensors for arrays, JSON for the rest, npy and npz; all atomic, all checked."""

from __future__ import annotations

from .atomic import replacing, write_bytes
from .jsonfile import load_json, save_json
from .npyfile import load_npy, load_npz
from .npywriter import save_npy, save_npz
from .reading import inside, read_whole
from .tensorfile import load_metadata, load_safetensors, save_safetensors

__all__ = ["inside", "load_json", "load_metadata", "load_npy", "load_npz", "load_safetensors", "read_whole", "replacing", "save_json",
           "save_npy", "save_npz", "save_safetensors", "write_bytes"]
