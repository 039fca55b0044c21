"""Floor 9, practice: fit, evaluate, what a run leaves behind."""
