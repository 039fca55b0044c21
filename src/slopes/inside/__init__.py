"""Interpreting networks: attention, filters, saliency, gradients, decisions, statistics; every function returns data that draws itself."""

from .attention import AttentionMaps, attention_maps
from .boundary import Boundary, boundary
from .confusion import Confusion, confusion
from .curves import Histograms, StatisticCurves, histograms, statistic_curves
from .evidence import Evidence, occlusion, saliency
from .filters import FeatureMaps, Filters, feature_maps, filters
from .gradients import GradientNorms, UpdateSizes, gradient_norms, gradient_norms_over_time, update_sizes
from .maximise import Favourites, maximise
from .projection import Projection, projection
from .receptive import ReceptiveField, receptive_field

__all__ = ["AttentionMaps", "Boundary", "Confusion", "Evidence", "Favourites", "FeatureMaps", "Filters", "GradientNorms",
           "Histograms", "Projection", "ReceptiveField", "StatisticCurves", "UpdateSizes", "attention_maps", "boundary", "confusion",
           "feature_maps", "filters", "gradient_norms", "gradient_norms_over_time", "histograms", "maximise", "occlusion", "projection",
           "receptive_field", "saliency", "statistic_curves", "update_sizes"]
