"""`torch.utils`: datasets and their batches."""

from . import data

__all__ = ["data"]
