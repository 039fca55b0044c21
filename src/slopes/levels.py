"""The derivatives that are being taken in this thread."""

from __future__ import annotations

import threading

from .graph.node import Node


class Levels(threading.local):
    """The wrapped inputs of the derivatives that are being taken, outermost first."""

    def __init__(self) -> None:
        self.active: list[Node] = []


levels = Levels()
