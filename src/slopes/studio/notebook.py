"""`sl.play(net, data)`: the playground of a network, in a notebook."""

from __future__ import annotations

import html
from typing import Any
from weakref import WeakKeyDictionary

from ..nn import Module
from .engine import Context
from .server import Studio
from .user_network import read_network
from .user_playground import USER_NETWORK

FRAMES = "'self' http://localhost:* http://127.0.0.1:* vscode-webview:"  # pages that may show it: notebooks of this machine
HEIGHT = 820

views: WeakKeyDictionary[Module, View] = WeakKeyDictionary()


class View:
    """The playground of a network, served in a thread of this process until `stop()`, or until the process ends.

    A notebook shows it as a frame; elsewhere `url` opens it in a browser.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio, self.served = studio, True
        studio.start()

    @property
    def url(self) -> str:
        """The address that opens it."""
        return self.studio.page_address("playground")

    def stop(self) -> None:
        """End it."""
        if self.served:
            self.served = False
            self.studio.close()

    def _repr_html_(self) -> str:
        if not self.served:
            return "<p>This playground was stopped.</p>"
        return (f'<iframe src="{html.escape(self.url)}" title="The playground of a network" width="100%" height="{HEIGHT}" '
                f'style="border: 0" allow="clipboard-write"></iframe>')

    def __repr__(self) -> str:
        return f"<playground at {self.url}>" if self.served else "<playground, stopped>"


def play(net: Module, data: Any, **settings: Any) -> View:
    """The playground of a network and of points in the plane: a notebook shows it, `url` opens it in a browser.

    net is a Sequential of Linear layers, each perhaps with BatchNorm1d, an activation and Dropout after it, and a last Linear with an
    output for each class, or one for figures. data is a Dataset, or a pair of inputs (N, 2), from -6 to 6, and targets (N,): whole
    numbers are classes, other numbers figures. The playground begins with the network's weights and trains a copy: `net` stays as it is.
    settings are those of the playground: rate, optimizer ("Adam"), batch, ratio (percent of the points to train on), penalty ("L2"),
    strength, schedule, epochs, seed.

    Served by a thread of this process, on this machine only, at a port of its own; a second call for the same network ends the first.
    Raises ArgumentError for other networks and data, and MissingExtraError without the extra [studio].

    >>> import numpy as np, slopes as sl
    >>> x = np.random.default_rng(0).uniform(-5, 5, (100, 2))
    >>> net = sl.nn.Sequential(sl.nn.Linear(2, 8), sl.nn.Tanh(), sl.nn.Linear(8, 2))
    >>> view = sl.play(net, (x, x[:, 0] * x[:, 1] > 0), rate=0.01)
    >>> view.url.startswith("http://127.0.0.1:")
    True
    >>> view.stop()
    """
    handed = read_network(net, data, **settings)
    earlier = views.pop(net, None)
    if earlier is not None:
        earlier.stop()
    view = views[net] = View(Studio(context=Context(shared={USER_NETWORK: handed}), ancestors=FRAMES))
    return view
