"""The runs page: the runs of a folder, their curves while they are written, settings side by side, pictures, and predictions."""
