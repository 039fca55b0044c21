"""Operators of ai.onnx.ml: what pipelines of classical machine learning prepare their features with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functions as f
from ...tensor import Tensor, asarray
from ..call import Call
from ..operators import ML, operator
from ..values import Value, to_tensor


def is_words(x: Value) -> bool:
    """Whether a value is an array of words, which is always known."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "OU"


def row(values: list[float], x: Tensor) -> Tensor:
    """A value for each feature, or one for all."""
    return asarray(np.array(values, x.dtype if x.dtype.kind == "f" else np.float32))


@operator("Scaler", domain=ML)
def scale(call: Call, x: Tensor) -> Tensor:
    y = x if call["offset"] is None else x - row(call["offset"], x)
    return (y if call["scale"] is None else y * row(call["scale"], x)).astype("float32")


@operator("Binarizer", domain=ML)
def binarize(call: Call, x: Tensor) -> Tensor:
    return (x > call["threshold"]).astype(x.dtype)


@operator("Normalizer", domain=ML)
def normalize(call: Call, x: Tensor) -> Tensor:
    """x over its norm along the last axis; rows of zeros stay zeros."""
    x = x.astype("float32")
    if call["norm"] == "MAX":
        norm = f.max(x, axis=-1, keepdims=True)
    elif call["norm"] == "L1":
        norm = f.sum(f.abs(x), axis=-1, keepdims=True)
    else:
        norm = f.sqrt(f.sum(x * x, axis=-1, keepdims=True))
    return x / f.where(norm == 0, 1, norm)


@operator("Imputer", domain=ML)
def impute(call: Call, x: Tensor) -> Tensor:
    """Other values, one for each feature or for all, where x is the value (or NaN) that stands for a missing one."""
    values = call["imputed_value_floats"] if x.dtype.kind == "f" else call["imputed_value_int64s"]
    if values is None:
        raise call.unsupported(f"imputation without values of type {x.dtype}")
    missing = call["replaced_value_float"] if x.dtype.kind == "f" else call["replaced_value_int64"]
    lacking = f.isnan(x) if missing is None or missing != missing else x == missing
    return f.where(lacking, asarray(np.array(values, x.dtype)), x)


@operator("ArrayFeatureExtractor", domain=ML)
def extract(call: Call, x: Tensor, indices: Tensor) -> Tensor:
    """The features with these indices, of the last axis."""
    flat = indices.reshape(-1)
    return f.take(x.reshape((1, -1)) if x.ndim == 1 else x, flat, axis=-1)


@operator("FeatureVectorizer", domain=ML)
def vectorize(call: Call, *xs: Tensor) -> Tensor:
    return f.concat([x.astype("float32").reshape((x.shape[0], -1)) for x in xs], axis=1)


@operator("OneHotEncoder", domain=ML, raw=True)
def one_hot(call: Call, x: Value) -> Value:
    """A new last axis with 1 at the category; a value that is none has zeros, or is an error if the node says so."""
    names, numbers = call["cats_strings"], call["cats_int64s"]
    if is_words(x) or names:
        hits = np.asarray(x, object)[..., None] == np.array(names or [], object)
        return checked(call, np.asarray(hits, np.float32))
    tensor = to_tensor(x)
    hits = (tensor.astype("int64")[..., None] == asarray(np.array(numbers or [], np.int64))).astype("float32")
    return checked(call, hits)


def checked(call: Call, hits: Any) -> Any:
    """The encoding; where zeros are not allowed, every value must be a category."""
    known = None if call["zeros"] else call.known(0, hits)
    if known is not None and not known.any(axis=-1).all():
        raise call.unsupported("a value that is no category")
    return hits


# Labels


@operator("LabelEncoder", domain=ML, since=2, raw=True)
def encode_labels(call: Call, x: Value) -> Value:
    keys, values = chosen(call, "keys"), chosen(call, "values")
    default = default_of(call, values)
    if is_words(x) or values.dtype.kind == "O":
        return looked_up(call, x, keys, values, default)
    tensor = to_tensor(x)
    hits = tensor[..., None] == asarray(keys)
    if keys.dtype.kind == "f" and np.isnan(keys).any():
        hits = hits | (f.isnan(tensor)[..., None] & asarray(np.isnan(keys)))
    index = f.argmax(hits.astype("int64"), axis=-1)
    return f.where(f.any(hits, axis=-1), f.take(asarray(values), index, axis=0), asarray(default))


@operator("LabelEncoder", domain=ML, raw=True)
def encode_index(call: Call, x: Value) -> Value:
    """Version 1: words to their index in a list, or an index to its word."""
    words = np.array(call["classes_strings"], object)
    indices = np.arange(len(words))
    if is_words(x):
        return looked_up(call, x, words, indices, np.array(call["default_int64"]))
    return looked_up(call, x, indices, words, np.array(call["default_string"], object))


def chosen(call: Call, what: str) -> np.ndarray:
    """The keys or the values, of whichever type they are."""
    for suffix, dtype in (("strings", object), ("int64s", np.int64), ("floats", np.float32)):
        if call[f"{what}_{suffix}"] is not None:
            return np.array(call[f"{what}_{suffix}"], dtype)
    tensor = call[f"{what}_tensor"]
    if tensor is None:
        raise call.unsupported(f"an encoder without {what}")
    return tensor


def default_of(call: Call, values: np.ndarray) -> np.ndarray:
    """What stands for a value that is no key."""
    if call["default_tensor"] is not None:
        return call["default_tensor"].reshape(())
    kind = {"O": "default_string", "f": "default_float"}.get(values.dtype.kind, "default_int64")
    return np.array(call[kind], values.dtype)


def looked_up(call: Call, x: Value, keys: np.ndarray, values: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Words, or values for them, by a dictionary; the input must be known."""
    known = call.required(0, x)
    table = dict(zip(keys.tolist(), values.tolist()))
    flat = [table.get(key, default.item()) for key in known.reshape(-1).tolist()]
    return np.array(flat, values.dtype).reshape(known.shape)


@operator("ZipMap", domain=ML, raw=True)
def zip_map(call: Call, x: Value) -> list[dict[Any, float]]:
    """A dictionary from class to score for each row: values that are known, as outside of compiled functions."""
    known = call.required(0, x)
    labels = call["classlabels_strings"] or call["classlabels_int64s"]
    return [dict(zip(labels, scores)) for scores in np.atleast_2d(known).tolist()]


# Linear models


@operator("LinearRegressor", domain=ML)
def linear_regression(call: Call, x: Tensor) -> Tensor:
    return transformed(call, linear_scores(call, x, call["targets"]))


@operator("LinearClassifier", domain=ML, raw=True)
def linear_classification(call: Call, x: Value) -> tuple[Value, Tensor]:
    """The class with the largest score, and all scores."""
    labels = call["classlabels_ints"] or call["classlabels_strings"]
    scores = linear_scores(call, to_tensor(x), len(labels))
    best = f.argmax(scores, axis=1)
    if call["classlabels_ints"]:
        return f.take(asarray(np.array(labels, np.int64)), best, axis=0), transformed(call, scores)
    return np.array(labels, object)[call.required(0, best)], transformed(call, scores)


def linear_scores(call: Call, x: Tensor, count: int) -> Tensor:
    """x w' + b in single precision; w has a row for each class or target."""
    x = x.astype("float32")
    weights = np.array(call["coefficients"], np.float32)
    if weights.size != count * x.shape[-1]:
        raise call.unsupported(f"{weights.size} coefficients for {count} classes or targets and {x.shape[-1]} features")
    y = x @ asarray(weights.reshape(count, -1).T.copy())
    return y + asarray(np.array(call["intercepts"], np.float32)) if call["intercepts"] else y


def transformed(call: Call, scores: Tensor) -> Tensor:
    """Scores as the node gives them."""
    kind = call["post_transform"]
    if kind not in TRANSFORMS:
        raise call.unsupported(f"post_transform {kind!r}")
    return TRANSFORMS[kind](scores)


TRANSFORMS: dict[str, Any] = {"NONE": lambda scores: scores, "LOGISTIC": f.sigmoid, "SOFTMAX": f.softmax}
