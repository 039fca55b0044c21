"""What processes that train together have to have in common, as short texts that can be compared."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

import numpy as np

from ..nn.module import Module
from ..settings import VERSION

SHOWN = 12  # digits of a digest


def training_facts(net: Module, data_sha256: str, **settings: int) -> dict[str, str]:
    """Code, settings, net, data and weights of a training."""
    return {"the version of slopes": VERSION, **{name: str(value) for name, value in settings.items()}, "the code": code_digest(),
            "the net": digest_of(repr(net)), "the data (SHA-256)": data_sha256[:SHOWN], "the weights (SHA-256)": weights_digest(net)}


@cache
def code_digest() -> str:
    """A digest of the sources of slopes and of the program that was started."""
    files = [*sorted(Path(__file__).parents[1].rglob("*.py")), Path(sys.argv[0])]
    return digest_of("".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()))


def weights_digest(net: Module) -> str:
    """A digest of all weights and buffers."""
    digest = hashlib.sha256()
    for name, array in net.state_dict().items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:SHOWN]


def digest_of(text: str) -> str:
    """The first digits of a digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:SHOWN]
