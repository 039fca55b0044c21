"""Graph optimisation: passes from graph to graph that keep every value."""
