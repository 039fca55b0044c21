"""Automatic differentiation: reverse mode, forward mode, batching, and checks against finite differences, all from graph to graph."""

from ..ops.checkpoint import Checkpoint
from ..ops.scan import Scan
from .checkpoint import checkpoint_batch, checkpoint_pullback
from .scan import scan_batch, scan_pullback

# The derivatives of loops are loops, which this package builds: they are attached here.
Scan.attach(pullback=scan_pullback, batch=scan_batch)
Checkpoint.attach(pullback=checkpoint_pullback, batch=checkpoint_batch)
