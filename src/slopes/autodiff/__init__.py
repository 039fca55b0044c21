"""How a computation changes: reverse mode, forward mode, batching, and the check against differences, all graph to graph."""
