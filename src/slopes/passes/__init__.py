"""The same value, said better: passes from graph to graph."""
