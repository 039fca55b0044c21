"""Data sets from data frames of any library."""

from __future__ import annotations

import numpy as np
import pytest

from slopes import data
from slopes.errors import ArgumentError, DataError

COLUMNS = {"size": [1.5, 2.5, 0.5], "count": [1, 2, 3], "old": [True, False, True], "kind": ["dog", "cat", "dog"]}


@pytest.mark.parametrize("library, make", [("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")])
def test_frames_become_data_sets(library, make):
    pytest.importorskip("narwhals")
    frame_of = getattr(pytest.importorskip(library), make)
    frame = frame_of(COLUMNS)
    made = data.from_frame(frame, "kind")
    assert made.inputs.tolist() == [[1.5, 1, 1], [2.5, 2, 0], [0.5, 3, 1]] and made.inputs.dtype == np.float32
    assert made.targets.tolist() == [1, 0, 1] and made.classes == ("cat", "dog")
    assert data.from_frame(frame, "kind", classes=["dog", "cat", "cow"]).targets.tolist() == [0, 1, 0]
    numbers = frame_of({name: values for name, values in COLUMNS.items() if name != "kind"})
    assert data.from_frame(numbers, "count").targets.dtype == np.int64 and data.from_frame(numbers, "size").targets.dtype == np.float32
    assert data.from_frame(numbers, "old", classes=["no", "yes"]).targets.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="column 'kind' holds String, not numbers"):
        data.from_frame(frame, "size")
    with pytest.raises(DataError, match="column 'size' has 1 missing values, the first in row 1"):
        data.from_frame(frame_of({**COLUMNS, "size": [1.5, None, 0.5]}), "kind")
    with pytest.raises(DataError, match="'cat' is no class"):
        data.from_frame(frame, "kind", classes=["dog"])
    with pytest.raises(ArgumentError, match="has no column 'sort'"):
        data.from_frame(frame, "sort")
    with pytest.raises(ArgumentError, match="has no column but 'size'"):
        data.from_frame(frame_of({"size": [1.0]}), "size")


def test_what_is_no_frame():
    pytest.importorskip("narwhals")
    with pytest.raises(ArgumentError, match="list is no data frame"):
        data.from_frame([[1, 2]], "x")
