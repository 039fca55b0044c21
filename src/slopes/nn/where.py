"""The location of an error in a layer: where its input was built, and where the layer was called."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import line_text, user_location
from ..graph.scopes import running_layer
from ..modes import mode
from ..tensor import Tensor


def layer_and_location(layer: Any, x: Tensor) -> tuple[str, str]:
    """("Linear(784 -> 128) at net[0]", "x built at train.py:41; layer called at model.py:17")."""
    path = running_layer()
    built = f"x built at {line_text(x._node.location)}; " if x._node is not None else ""
    return layer.describe() + (f" at {path}" if path else ""), f"{built}layer called at {line_text(user_location())}"


def known_value(x: Tensor) -> np.ndarray | None:
    """The array of x, or None while a function is traced."""
    return x._value if mode.trace is None else None
