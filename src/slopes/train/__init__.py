"""Floor 9, practice: fit, evaluate, what a run leaves behind."""

from .advise import Advice, advice
from .class_metrics import per_class, top_k_accuracy
from .metric import Metric, Ratio
from .rates import RangeTest, range_test
from .run_folder import RunFolder
from .snapshots import Snapshots
from .space import Between
from .spec import TrainSpec
from .statistics import Statistics
from .stopping import EarlyStopping
from .tensorboard import TensorBoard
from .training import Callback, OnEpoch, Training
from .tuning import search

__all__ = ["Advice", "Between", "Callback", "EarlyStopping", "Metric", "OnEpoch", "RangeTest", "Ratio", "RunFolder", "Snapshots",
           "Statistics", "TensorBoard", "TrainSpec", "Training", "advice", "per_class", "range_test", "search", "top_k_accuracy"]
