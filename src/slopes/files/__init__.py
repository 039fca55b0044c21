"""File formats: safetensors, npy and npz for arrays, JSON for everything else; writes are atomic, reads are checked."""

from __future__ import annotations

from .atomic import replacing, write_bytes
from .jsonfile import load_json, save_json
from .npyfile import load_npy, load_npz
from .npywriter import save_npy, save_npz
from .reading import inside, read_whole
from .tensorfile import load_metadata, load_safetensors, save_safetensors

__all__ = ["inside", "load_json", "load_metadata", "load_npy", "load_npz", "load_safetensors", "read_whole", "replacing", "save_json",
           "save_npy", "save_npz", "save_safetensors", "write_bytes"]
