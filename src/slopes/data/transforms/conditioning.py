"""Conditioning of inputs with statistics of the training data: centring, scaling, whitening; savable and invertible."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from ...errors import ArgumentError, OutOfRangeError, ShapeError, missing_method
from ...files.arrays import as_array, check_finite, not_numeric
from ...files.reading import Path, refused
from ...files.tensorfile import load_metadata, load_safetensors, save_safetensors
from ..loaders.dataset import BLOCK, Dataset, exact_input, standardized

PER = ("feature", "channel", "all")
KINDS = ("pca", "zca")
SMALLEST = 1e-12  # directions with a smaller share of the largest variance are constant up to rounding


class Conditioner:
    """A transform fitted to training inputs, which can be applied to any inputs, inverted, saved and loaded.

    A subclass has `fields`, the names of its arrays, and two functions of (N, ...): `forward`, to float32, and `inverse`, to
    float64.
    """

    fields: tuple[str, ...]

    def __call__(self, inputs: Any) -> Any:
        """The conditioned inputs, of a Dataset as a Dataset with the same targets; (N, ...) float32."""
        if isinstance(inputs, Dataset):
            return inputs._with(self.forward(as_inputs(inputs)), inputs.targets, inputs.name)
        return self.forward(as_inputs(inputs))

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Apply the transform."""
        raise missing_method(self, "forward")

    def inverse(self, inputs: Any) -> np.ndarray:
        """Invert the transform."""
        raise missing_method(self, "inverse")

    def save(self, path: Path) -> None:
        """Write the statistics as safetensors, atomically."""
        save_safetensors(path, {name: getattr(self, name) for name in self.fields}, {"slopes": type(self).__name__})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; DataError for another kind of file, missing arrays, and invalid values."""
        arrays, kind = load_safetensors(path), load_metadata(path).get("slopes", "")
        if kind != cls.__name__ or set(arrays) != set(cls.fields):
            raise refused(path, "contents", f"{kind or 'arrays'} with {', '.join(sorted(arrays)) or 'nothing'}",
                          f"a {cls.__name__} has {', '.join(cls.fields)}")
        result = object.__new__(cls)
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise refused(path, f"array {name!r}", "a number in it is not finite")
            setattr(result, name, array)
        if not result.is_sound():
            raise refused(path, "arrays", f"they do not fit each other: {', '.join(f'{k} {v.dtype}{v.shape}' for k, v in arrays.items())}")
        return result

    def is_sound(self) -> bool:
        """Whether the arrays, which were loaded, fit each other."""
        raise missing_method(self, "is_sound")


class Standardize(Conditioner):
    """(x - mean) / std with mean and deviation of the training inputs, each feature by itself.

    per: "feature" for every number of an example, "channel" for every index of axis 1 (pictures (N, C, H, W)), "all" for one
    mean and deviation. What is constant in training is only centred (std 1). mean, std: float64, broadcast against the inputs.
    All is computed in float64 and rounded once, so that features that vary little around a large number keep their digits.
    Raises NonFiniteError for inputs that are not finite, ArgumentError for another `per`.
    Source: LeCun, Bottou, Orr, Mueller, "Efficient backprop", 1998, section 4.3.

    >>> train = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> scale = Standardize(train)
    >>> scale(np.array([[2.0, 40.0]])), scale.inverse(scale(train))
    (array([[0., 2.]], dtype=float32), array([[ 1., 10.],
           [ 3., 30.]]))
    """

    fields = ("mean", "std")
    mean: np.ndarray
    std: np.ndarray

    def __init__(self, training: Dataset | Any, per: str = "feature") -> None:
        inputs = as_inputs(training)
        if per not in PER or (per == "channel" and inputs.ndim < 3):
            raise ArgumentError(f"Standardize: per={per!r} for inputs of shape {inputs.shape}",
                                repair=f"choose one of {', '.join(map(repr, PER))}; channels are axis 1 of at least 3")
        axes = {"feature": (0,), "all": tuple(range(inputs.ndim)), "channel": (0, *range(2, inputs.ndim))}[per]
        mean = inputs.mean(axis=axes, keepdims=True, dtype=np.float64)
        std = inputs.std(axis=axes, keepdims=True, dtype=np.float64, mean=mean)
        low = inputs.min(axis=axes, keepdims=True)
        constant = inputs.max(axis=axes, keepdims=True) == low  # mean and deviation of a constant are rounded
        self.mean, self.std = np.where(constant, low, mean)[0].astype(np.float64), np.where(constant | (std == 0), 1, std)[0]

    def is_sound(self) -> bool:
        """Floats of one shape, and no deviation that is 0."""
        return self.mean.dtype.kind == self.std.dtype.kind == "f" and self.mean.shape == self.std.shape and bool((self.std > 0).all())

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """(x - mean) / std."""
        return standardized(checked_shape(inputs, self.mean), self.mean, self.std)

    def inverse(self, inputs: Any) -> np.ndarray:
        """x std + mean, float64."""
        return checked_shape(np.asarray(inputs, np.float64), self.mean) * self.std + self.mean


class Whiten(Conditioner):
    """Inputs whose features have variance 1 and no correlation: y = W (x - mean).

    C = 1/N sum_n (x_n - mean)(x_n - mean)^T = V diag(l) V^T of the training inputs, each example one long vector of D numbers;
    kind="pca": W = diag(l + epsilon)^(-1/2) V^T, of which the first `components` rows are kept, largest l first: (N, components);
    kind="zca": W = V diag(l + epsilon)^(-1/2) V^T, which stays as close to x as can be and keeps its shape. epsilon keeps directions
    in which nothing varies from being blown up. mean (D,), matrix W, undo (its inverse, for fewer components the best there is).
    Raises ShapeError for one example, OutOfRangeError for epsilon=0 where a direction does not vary.
    Source: Bell, Sejnowski, "The independent components of natural scenes are edge filters", 1997.

    >>> x = np.random.default_rng(0).normal(size=(1000, 2)) @ np.array([[2.0, 1.0], [0.0, 1.0]])
    >>> y = Whiten(x, "zca", epsilon=0.0)(x)
    >>> np.abs(np.cov(y.T, ddof=0) - np.eye(2)).max() < 1e-4
    np.True_
    """

    fields = ("mean", "matrix", "undo", "shape")
    mean: np.ndarray
    matrix: np.ndarray
    undo: np.ndarray
    shape: np.ndarray

    def __init__(self, training: Dataset | Any, kind: str = "zca", components: int | None = None, epsilon: float = 1e-2) -> None:
        inputs = as_inputs(training)
        features = math.prod(inputs.shape[1:])
        if kind not in KINDS or not epsilon >= 0 or (kind == "zca" and components is not None):
            raise ArgumentError(f"Whiten: kind={kind!r}, components={components}, epsilon={epsilon}",
                                repair="kind is 'pca' or 'zca', epsilon at least 0, components for 'pca' only")
        if components is not None and not 1 <= components <= features:
            raise ArgumentError(f"Whiten: components={components}", why=f"inputs of shape {inputs.shape[1:]} have 1 to {features}")
        if len(inputs) < 2:
            raise ShapeError(f"Whiten: {len(inputs)} example tells nothing about variation", repair="use the whole training set")
        flat = inputs.reshape(len(inputs), features)
        mean = flat.mean(axis=0, dtype=np.float64)
        values, vectors = principal(flat, mean)
        flat_ones = values + epsilon <= SMALLEST * values[0]
        if flat_ones[: components or features].any():
            raise OutOfRangeError(f"Whiten: {int(flat_ones.sum())} of {features} directions do not vary", why="epsilon is 0",
                                  repair="use epsilon=0.01, or fewer components")
        kept, scale = vectors[:, :components], np.sqrt(values[:components] + epsilon)
        matrix, undo = kept / scale, (kept * scale).T
        if kind == "zca":
            matrix, undo = matrix @ kept.T, kept @ undo
        self.mean = mean
        self.matrix, self.undo = (np.ascontiguousarray(matrix, np.float32) for matrix in (matrix.T, undo))
        self.shape = np.array(inputs.shape[1:] if kind == "zca" else (len(matrix.T),), np.int64)

    def is_sound(self) -> bool:
        """A mean (D,), matrices (components, D), and the shape of so many components."""
        if self.matrix.ndim != 2 or self.shape.ndim != 1 or self.shape.dtype.kind not in "iu" or (self.shape < 1).any():
            return False
        floats = all(array.dtype.kind == "f" for array in (self.mean, self.matrix, self.undo))
        return floats and self.undo.shape == self.matrix.shape == (math.prod(self.shape.tolist()), *self.mean.shape)

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """W (x - mean) of every example."""
        flat = inputs.reshape(len(inputs), -1)
        centred = standardized(checked_shape(flat, self.mean), self.mean, np.ones(1))
        return (centred @ self.matrix.T).reshape(len(inputs), *self.shape.tolist())

    def inverse(self, inputs: Any) -> np.ndarray:
        """The examples (N, D) that whitening takes there; with fewer components, the nearest in the space of those kept."""
        values = np.asarray(inputs, np.float32)
        return values.reshape(len(values), -1) @ self.undo + self.mean


def as_inputs(values: Dataset | Any) -> np.ndarray:
    """The inputs (N, ...) as float32 or float64, as they were given, all finite."""
    array = exact_input(values) if isinstance(values, Dataset) else as_array(values, "inputs")
    if array.dtype.kind not in "biuf":
        raise not_numeric(array, "inputs")
    array = array.astype(np.float32 if array.dtype.itemsize < 4 or array.dtype == np.float32 else np.float64, copy=False)
    if array.ndim < 2 or not len(array):
        raise ShapeError(f"inputs of shape {array.shape}", why="they are (N, ...): at least one example of at least one axis")
    check_finite(array, "inputs")
    return array


def checked_shape(inputs: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The inputs, if the numbers that were learned fit them."""
    sizes = inputs.shape[1:]
    if len(sizes) != mean.ndim or not all(own in (1, size) for own, size in zip(mean.shape, sizes)):
        raise ShapeError(f"inputs of shape {sizes} do not fit what was learned from others, {mean.shape}")
    return inputs


def principal(flat: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (D,), largest first, and their directions (D, D) as columns, each with its largest number above 0."""
    total = np.zeros((flat.shape[1],) * 2)
    for start in range(0, len(flat), BLOCK):
        part = flat[start : start + BLOCK] - mean
        total += part.T @ part
    values, vectors = np.linalg.eigh(total / len(flat))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    return values, vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
