"""SequenceClassifier: a recurrent network for sequences of numbers, vectors or tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..constraint import OPTIONAL_COUNT, check
from ..errors import ArgumentError, OutOfRangeError, ShapeError
from .architectures import Architecture, Recurrent, Shape
from .classification import NetworkClassifier
from .parameters import keep
from .settings import layer_sizes


class SequenceClassifier(NetworkClassifier):
    """A recurrent classifier for sequences of one length: GRU, LSTM or RNN, and a dense layer after the last state, log loss.

    X are rows of numbers (N, steps), one for each step, or sequences of vectors (N, steps, features).

    sequence_shape         (steps, features) of rows that hold vectors, one after the other; None: one number for each step
    kind                   "gru", "lstm" or "rnn"
    units, layers          the size of the state, and how many layers there are
    bidirectional          read backwards as well
    vocabulary             None: X are numbers; else X are tokens, whole numbers from 0 to vocabulary - 1, which are embedded
    embedding              the size of the vectors of tokens
    dropout                between layers and after the last state

    The other parameters, attributes and methods are those of MLPClassifier. Sources: Hochreiter and Schmidhuber, "Long short-term
    memory", 1997; Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.

    >>> import numpy as np
    >>> from slopes.sklearn import SequenceClassifier
    >>> X = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 4], [4, 3, 2, 1]], float)
    >>> model = SequenceClassifier(units=8, max_iter=60, learning_rate_init=0.1, tol=0.05, random_state=0)
    >>> model.fit(X, ["up", "down", "up", "down"]).predict([[2, 3, 4, 5]]).tolist()
    ['up']
    """

    takes_images = True

    def __init__(self, sequence_shape: Any = None, kind: str = "gru", units: int = 32, layers: int = 1, bidirectional: bool = False,
                 vocabulary: int | None = None, embedding: int = 32, *, solver: str = "adam", alpha: float = 1e-4,
                 batch_size: int | str = "auto", learning_rate: str = "constant", learning_rate_init: float = 1e-3, power_t: float = 0.5,
                 max_iter: int = 200, shuffle: bool = True, random_state: Any = None, tol: float = 1e-4, verbose: bool = False,
                 warm_start: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True, early_stopping: bool = False,
                 validation_fraction: float = 0.1, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8,
                 n_iter_no_change: float = 10, max_fun: int = 15_000, dropout: float = 0.0, class_weight: Any = None,
                 calibrated: bool = False) -> None:
        keep(self, locals())

    sequence_shape: Any
    kind: str
    units: int
    layers: int
    bidirectional: bool
    vocabulary: int | None
    embedding: int
    dropout: float

    def _architecture_of(self, shape: Shape, outputs: int, rows: Any) -> Architecture:
        check("SequenceClassifier", {"vocabulary": OPTIONAL_COUNT}, {"vocabulary": self.vocabulary})
        return Recurrent(shape, outputs, self.kind, self.units, self.layers, self.bidirectional, self.dropout, self.vocabulary,
                         self.embedding)

    def _check_rows(self, X: Any, first: bool = False) -> Any:
        rows = super()._check_rows(X, first)
        self._check_tokens(rows)
        return rows

    def _check_pairs(self, X: Any, y: Any, first: bool = False) -> tuple[Any, Any]:
        rows, y = super()._check_pairs(X, y, first)
        self._check_tokens(rows)
        return rows, y

    def _check_tokens(self, rows: Any) -> None:
        """Tokens are whole numbers of the vocabulary."""
        if self.vocabulary is None:
            return
        values = rows if isinstance(rows, np.ndarray) else rows.data
        wrong = (values != np.floor(values)) | (values < 0) | (values >= self.vocabulary)
        if wrong.any():
            raise OutOfRangeError(f"X has the token {values[wrong][0]:g}", why=f"tokens are whole numbers from 0 to {self.vocabulary - 1}",
                                  repair="number the tokens from 0 on, and pass how many there are: vocabulary=...")

    def _shape(self, features: int) -> Shape:
        shape = self.sequence_shape if self._example_shape is None else self._example_shape
        if shape is None:
            return features, 1
        sizes = layer_sizes(type(self).__name__, "sequence_shape", shape)
        if len(sizes) not in (1, 2) or (self.vocabulary is not None and sizes[1:] not in ((), (1,))):
            raise ArgumentError(f"SequenceClassifier: sequence_shape is {shape!r}", why="a sequence has steps, of one vector or one token",
                                repair="for example sequence_shape=(100, 6)")
        sizes = sizes if len(sizes) == 2 else (*sizes, 1)
        if math.prod(sizes) != features:
            raise ShapeError(f"SequenceClassifier: sequence_shape is {shape!r}, but X has {features} features",
                             why=f"a sequence of that shape has {math.prod(sizes)} numbers", repair="pass (steps, features of a step)")
        return sizes
