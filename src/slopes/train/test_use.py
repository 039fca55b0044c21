"""Counts with how many different weights a test set is measured: who chooses by its figures learns less from them than it seems."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator

import numpy as np

from ..data.loaders.handed_out import test_set_of
from ..errors import say_once
from ..nn.module import Module
from ..nn.state import copy_state
from .sources import Source


class Reporting(threading.local):
    """Whether this thread makes a report."""

    def __init__(self) -> None:
        self.active = False


reporting = Reporting()


@contextlib.contextmanager
def final_figures() -> Iterator[None]:
    """In the block, everything is trained and nothing is chosen any more: several networks may be measured on a test set."""
    before, reporting.active = reporting.active, True
    try:
        yield
    finally:
        reporting.active = before


def count_use(net: Module, source: Source) -> None:
    """Say once, on the standard error stream, that a test set is measured with more than one set of weights."""
    test_set = None if reporting.active else test_set_of(source.targets)
    if test_set is None:
        return
    test_set.weights.add(digest(net))
    if len(test_set.weights) > 1:
        say_once(f"slopes: the test set of {test_set.name} was measured with more than one set of weights. Choose between them by "
                 "validation data: the best of several test figures is too good.")


def digest(net: Module) -> bytes:
    """A digest of all parameters and buffers."""
    total = hashlib.blake2b(digest_size=16)
    for name, array in copy_state(list(net.named_state())).items():
        total.update(f"{name} {array.dtype} {array.shape};".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.digest()
