"""The circuit page: an expression as a graph, its values, and the chain rule one edge at a time."""
