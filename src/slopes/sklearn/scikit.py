"""What the estimators take from scikit-learn, which is optional, and from SciPy, which comes with it."""

from __future__ import annotations

from typing import Any

from ..extras import require

EXTRA = {"extra": "sklearn", "purpose": "slopes.sklearn"}

base = require("sklearn.base", **EXTRA)
class_weights = require("sklearn.utils.class_weight", **EXTRA)
exceptions = require("sklearn.exceptions", **EXTRA)
metrics = require("sklearn.metrics", **EXTRA)
model_selection = require("sklearn.model_selection", **EXTRA)
multiclass = require("sklearn.utils.multiclass", **EXTRA)
optimize = require("scipy.optimize", **EXTRA)
utils = require("sklearn.utils", **EXTRA)
validation = require("sklearn.utils.validation", **EXTRA)

BaseEstimator: Any = base.BaseEstimator
ClassifierMixin: Any = base.ClassifierMixin
RegressorMixin: Any = base.RegressorMixin
TransformerMixin: Any = base.TransformerMixin
ClassNamePrefixFeaturesOutMixin: Any = base.ClassNamePrefixFeaturesOutMixin
