"""How a computation changes: reverse mode, forward mode, batching, and the check against differences, all graph to graph."""

from ..ops.checkpoint import Checkpoint
from ..ops.scan import Scan
from .checkpoint import checkpoint_batch, checkpoint_pullback
from .scan import scan_batch, scan_pullback

# Loops answer here what they cannot on their own floor: their derivatives are loops that this package builds.
Scan.attach(pullback=scan_pullback, batch=scan_batch)
Checkpoint.attach(pullback=checkpoint_pullback, batch=checkpoint_batch)
