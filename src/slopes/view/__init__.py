"""Windows on what happened: graphs, explanations and plots, as text and pictures."""
