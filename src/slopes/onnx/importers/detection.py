"""Non-maximum suppression, whose result's size depends on values."""

from __future__ import annotations

import numpy as np

from ...tensor import Tensor, asarray
from ..call import Call
from ..operators import operator


def number(value: np.ndarray | None, default: float) -> float:
    return default if value is None else float(value.reshape(-1)[0])


@operator("NonMaxSuppression", known=(0, 1, 2, 3, 4))
def non_max_suppression(call: Call, boxes: np.ndarray, scores: np.ndarray, most: np.ndarray | None = None,
                        overlap: np.ndarray | None = None, score: np.ndarray | None = None) -> Tensor:
    """(batch, class, box) of boxes in the order of their scores, without those that overlap a better one too much."""
    count, threshold, least = int(number(most, 0)), number(overlap, 0.0), number(score, -np.inf)
    rows = [(n, c, box) for n in range(scores.shape[0]) for c in range(scores.shape[1])
            for box in kept(corners(boxes[n], call["center_point_box"]), scores[n, c], count, threshold, least)]
    return asarray(np.array(rows, np.int64).reshape(-1, 3))


def corners(boxes: np.ndarray, centered: int) -> np.ndarray:
    """Boxes as their smaller and larger corner, in whatever order the file has them."""
    if centered:
        middle, half = boxes[:, :2], boxes[:, 2:] / 2
        return np.concatenate([middle - half, middle + half], axis=1)
    pairs = boxes.reshape(-1, 2, 2)
    return np.concatenate([pairs.min(1), pairs.max(1)], axis=1)


def kept(boxes: np.ndarray, scores: np.ndarray, most: int, threshold: float, least: float) -> list[int]:
    """The best boxes, greedily."""
    chosen: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(chosen) >= most or scores[i] <= least:
            break
        if not any(shared(boxes[i], boxes[j]) > threshold for j in chosen):
            chosen.append(int(i))
    return chosen


def shared(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    inner = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0
