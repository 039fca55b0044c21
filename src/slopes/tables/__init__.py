"""Your own tables: a file or data frame and the name of a column become a trained model with an account of how good it is."""

from __future__ import annotations

from .folder import load_model, load_models, save_study
from .model import TableModel
from .network import Architecture
from .predictions import Account, Evaluation, evaluate_file, predict_file, predict_frame
from .report import lines_of
from .schema import Column, Schema, Target
from .spelling import Spelling
from .study import Question, Study, for_targets, train_table
from .training import Settings

__all__ = ["Account", "Architecture", "Column", "Evaluation", "Question", "Schema", "Settings", "Spelling", "Study", "TableModel", "Target",
           "evaluate_file", "for_targets", "lines_of", "load_model", "load_models", "predict_file", "predict_frame", "save_study",
           "train_table"]
