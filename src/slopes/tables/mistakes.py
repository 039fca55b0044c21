"""Where a model errs on its test rows: the confusion of classes, predicted beside true numbers, and the rows with the worst errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dates import date_text
from .report import shorten
from .scores import surprise
from .study import Study

WORST, MOST_POINTS = 12, 400


def mistakes(study: Study) -> dict[str, Any]:
    """What a report shows of the errors, as JSON holds it.

    confusion   of classes: rows by true class (first axis) and predicted class
    points      of numbers: some pairs of a true and a predicted number
    worst       the rows of the lowest probability for their class, or the largest error: their inputs, target and prediction
    """
    predicted, targets, classes = study.predicted, study.targets, study.model.classes
    if classes:
        counts = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(counts, (targets, predicted.argmax(axis=1)), 1)
        return {"confusion": counts.tolist(), "worst": worst_rows(study, surprise(predicted, targets))}
    chosen = np.unique(np.linspace(0, len(targets) - 1, MOST_POINTS).astype(np.int64))
    return {"points": [[float(targets[i]), float(predicted[i])] for i in chosen], "worst": worst_rows(study, np.abs(predicted - targets))}


def worst_rows(study: Study, errors: np.ndarray) -> list[dict[str, Any]]:
    """The test rows with the largest errors."""
    rows = np.argsort(-errors, kind="stable")[:WORST]
    columns = study.prepared.rows(study.prepared.split.test[rows])
    kinds = {column.name: column.kind for column in study.prepared.schema.inputs}
    return [{"inputs": {name: input_text(values[i], kinds[name]) for name, values in columns.items()}, **answers_of(study, row)}
            for i, row in enumerate(rows.tolist())]


def answers_of(study: Study, row: int) -> dict[str, str]:
    """The target of a test row, and what was predicted for it."""
    predicted, target, classes = study.predicted[row], study.targets[row], study.model.classes
    if not classes:
        return {"target": f"{target:.6g}", "predicted": f"{predicted:.6g}"}
    best = int(predicted.argmax())
    return {"target": classes[target], "predicted": f"{classes[best]} ({predicted[best]:.1%}; {classes[target]}: {predicted[target]:.1%})"}


def input_text(value: Any, kind: str) -> str:
    """A typed value as text; "" for a gap."""
    if isinstance(value, str):
        return shorten(value)
    if np.isnan(value):
        return ""
    return date_text(float(value)) if kind == "date" else f"{value:.6g}"
