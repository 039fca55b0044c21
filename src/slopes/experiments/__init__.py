"""Experiments: recipes that train networks well, what they leave in a run folder, and the table of their results."""
