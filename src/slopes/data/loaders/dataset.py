"""Examples in memory: inputs and their targets, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError, warn
from ...files.arrays import BLOCK, as_numbers, check_finite, checked_index
from .inputs import input_names, inputs_of, map_inputs
from .loader import ArrayLoader


class Dataset(ArrayLoader):
    """Inputs and targets of the same number of examples, along the first axis.

    inputs: (N, ...) float32, or int64 / uint8 / bool as given (words, bytes); wider floats become float32, other integers int64. A
    tuple of such arrays are several inputs: one argument of the net each. Where float32 takes digits that matter (features that vary
    little around a large number: times, years, places), one array's float64 numbers are kept beside, as `exact`: `standardized`,
    `data.Standardize` and `data.Whiten` compute with them.
    targets: (N, ...) int64 for classes, float32 for numbers. classes: the names of the classes, if targets are classes.
    The arrays are made read-only. Raises ShapeError (different lengths, no example), DTypeError (not numbers), NonFiniteError
    (NaN or infinity), OutOfRangeError (labels outside of the classes), ArgumentError (no input, hidden values of a masked array).
    Warns of targets that lose digits that matter as float32.

    >>> from slopes import data
    >>> data.Dataset([[0.0, 1.0], [1.0, 0.0]], [1, 0], classes=["up", "down"], name="toy")
    Dataset(toy: 2 examples, inputs (2,) float32, targets () int64, 2 classes)
    >>> data.Dataset((np.zeros((5, 1, 28, 28)), np.zeros((5, 9), int)), np.zeros((5, 9), int))
    Dataset(data: 5 examples, inputs (1, 28, 28) float32 and (9,) int64, targets (9,) int64)
    """

    __slots__ = ("classes", "exact", "inputs", "name", "targets")
    exact: np.ndarray | None
    classes: tuple[str, ...] | None
    name: str

    def __init__(self, inputs: Any, targets: Any, classes: Sequence[str] | None = None, name: str = "data") -> None:
        checked = [as_numbers(array, field, keep=("uint8", "bool")) for array, field in zip(inputs_of(inputs), input_names(inputs))]
        self.inputs = tuple(checked) if isinstance(inputs, tuple) else checked[0]
        self.exact = None if isinstance(inputs, tuple) else kept_exact(inputs, checked[0])
        self.targets = as_numbers(targets, "targets")
        if kept_exact(targets, self.targets, share=2.0**-10) is not None:
            warn("targets lose digits as float32", repair="subtract what they have in common first: targets - targets.mean()",
                 why=f"they vary only from {self.targets.min()} to {self.targets.max()}, and float32 has 24 bits")
        if isinstance(classes, str):
            raise ArgumentError(f"classes are {classes!r:.60}", why="each letter would be one",
                                repair=f"give a list: classes=[{classes!r:.60}]")
        self.classes = tuple(classes) if classes is not None else None
        self.name = name
        check_lengths(self.inputs, self.targets, name)
        if self.classes is not None:
            check_labels(self.targets, self.classes, name)
        self._freeze()

    def _freeze(self) -> None:
        for array in (*inputs_of(self.inputs), self.targets, *(() if self.exact is None else (self.exact,))):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        classes = f", {len(self.classes)} classes" if self.classes is not None else ""
        inputs = " and ".join(f"{array.shape[1:]} {array.dtype}" for array in inputs_of(self.inputs))
        targets = f"{self.targets.shape[1:]} {self.targets.dtype}"
        return f"Dataset({self.name}: {len(self)} examples, inputs {inputs}, targets {targets}{classes})"

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """(inputs, targets) of one example, a slice, or an array of numbers."""
        return map_inputs(lambda array: array[index], self.inputs), self.targets[index]

    def _with(self, inputs: Any, targets: np.ndarray, name: str, exact: np.ndarray | None = None) -> Dataset:
        """A dataset of numbers that are known to be valid: not checked again."""
        made = object.__new__(Dataset)
        made.inputs, made.targets, made.classes, made.name, made.exact = inputs, targets, self.classes, name, exact
        made._freeze()
        return made

    def subset(self, index: Any, name: str | None = None) -> Dataset:
        """The examples that a slice, an array of numbers, or an array of booleans selects.

        >>> from slopes import data
        >>> data.Dataset(np.eye(4), [0, 1, 0, 1]).subset([2, 0]).targets
        array([0, 0])
        """
        index = index if isinstance(index, slice) else checked_index(index, len(self))
        inputs, targets = self[index]
        if not len(targets):
            raise ShapeError(f"the subset of {self.name} has no example", repair="select at least one")
        exact = None if self.exact is None else self.exact[index]
        return self._with(inputs, targets, self.name if name is None else name, exact)

    def standardized(self, mean: Any = None, std: Any = None) -> Dataset:
        """Inputs (x - mean) / std, computed in float64 and rounded once; mean and std broadcast against the inputs.

        Without them, the mean and deviation of all inputs of this dataset; for validation and test, pass the numbers of the
        training set. Raises ArgumentError when std is not above 0, and for several inputs.

        >>> from slopes import data
        >>> data.Dataset([[1.0], [3.0]], [0, 1]).standardized().inputs.ravel()
        array([-1.,  1.], dtype=float32)
        """
        inputs = exact_input(self)
        mean = inputs.mean(dtype=np.float64) if mean is None else np.asarray(mean, np.float64)
        std = (inputs.std(dtype=np.float64) if varies(inputs) else np.zeros(())) if std is None else np.asarray(std, np.float64)
        if not (np.all(std > 0) and np.all(np.isfinite(mean)) and np.all(np.isfinite(std))):
            raise ArgumentError(f"inputs of {self.name} cannot be divided by std = {std}", why="it must be finite and above 0",
                                repair="leave constant inputs out, or pass std=1")
        try:
            scaled = standardized(inputs, mean, std)
        except ValueError:
            raise ShapeError(f"mean {mean.shape} and std {std.shape} do not broadcast to inputs of shape {inputs.shape[1:]}") from None
        return self._with(scaled, self.targets, self.name)


def from_arrays(x: Any, y: Any, classes: Sequence[str] | None = None, name: str = "data") -> Dataset:
    """The dataset of your own arrays or lists; the same as `Dataset(x, y, classes, name)`.

    >>> from slopes import data
    >>> len(data.from_arrays([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]))
    4
    """
    return Dataset(x, y, classes, name)


def standardized(inputs: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """(x - mean) / std as float32, computed in float64, some examples at a time; ValueError where they do not broadcast."""
    mean, std = np.broadcast_to(mean, inputs.shape), np.broadcast_to(std, inputs.shape)
    made = np.empty(inputs.shape, np.float32)
    for start in range(0, len(inputs), BLOCK):
        part = slice(start, start + BLOCK)
        with np.errstate(over="ignore"):
            made[part] = (inputs[part] - mean[part].astype(np.float64, copy=False)) / std[part]
    check_finite(made, "standardized inputs")
    return made


def varies(as_numbers: np.ndarray) -> bool:
    """Whether two of the numbers differ; their deviation does not tell, for it is rounded."""
    return bool(as_numbers.size and as_numbers.max() > as_numbers.min())


def kept_exact(values: Any, narrow: np.ndarray, share: float = 2.0**-22) -> np.ndarray | None:
    """The float64 numbers that were given (as a copy), where a feature of them loses digits in float32, else None.

    A feature does when rounding changes it by more than `share` of the range in which it varies.
    """
    wide = np.asarray(values)
    if wide.dtype.kind != "f" or wide.dtype.itemsize < 8 or not wide.ndim:
        return None
    low, high, error = (np.zeros(wide.shape[1:]) for _ in range(3))
    for start in range(0, len(wide), BLOCK):
        part = wide[start : start + BLOCK]
        ends = (part.min(axis=0), part.max(axis=0))
        low, high = ends if not start else (np.minimum(low, ends[0]), np.maximum(high, ends[1]))
        error = np.maximum(error, np.abs(part - narrow[start : start + BLOCK]).max(axis=0))
    return wide.astype(np.float64) if ((high > low) & (error > (high - low) * share)).any() else None


def exact_input(dataset: Dataset) -> np.ndarray:
    """The only input, with all the digits that were given."""
    return only_input(dataset) if dataset.exact is None else dataset.exact


def only_input(dataset: Dataset) -> np.ndarray:
    """The inputs, if they are one array."""
    if isinstance(dataset.inputs, tuple):
        raise ArgumentError(f"{dataset.name} has {len(dataset.inputs)} inputs", why="this is done to one array",
                            repair="do it to one of them before the dataset is made")
    return dataset.inputs


def check_lengths(inputs: Any, targets: np.ndarray, name: str) -> None:
    if not inputs_of(inputs):
        raise ArgumentError(f"{name}: the tuple of inputs is empty", repair="give an array, or a tuple of arrays")
    for array, field in zip(inputs_of(inputs), input_names(inputs)):
        if not array.ndim or not targets.ndim:
            raise ShapeError(f"{name}: {field} {array.shape} and targets {targets.shape} need a first axis that counts examples")
        if len(array) != len(targets):
            several = "a tuple are several inputs of the net, one is a list or an array; " if isinstance(inputs, tuple) else ""
            raise ShapeError(f"{name}: {len(array)} {field} but {len(targets)} targets", why="each example has one of each",
                             repair=f"{several}look where they were cut: {field} are {array.shape}, targets {targets.shape}")
        if not len(array):
            raise ShapeError(f"{name}: there is no example", why=f"{field} are {array.shape}", repair="give at least one")


def check_labels(targets: np.ndarray, classes: tuple[str, ...], name: str) -> None:
    """Targets with classes are numbers of classes."""
    if targets.dtype.kind != "i":
        raise DTypeError(f"{name}: targets are {targets.dtype}, but classes are named", why="a class is named by an integer",
                         repair="targets.astype(np.int64), or leave classes out")
    wrong = (targets < 0) | (targets >= len(classes))
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise OutOfRangeError(f"{name}: target {index[0]} is {targets[index]}, but there are {len(classes)} classes",
                              why=f"labels run from 0 to {len(classes) - 1}",
                              repair="subtract the smallest label, or name all classes")
