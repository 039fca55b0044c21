"""The public data sets: each function locates or downloads its files, verifies them, and returns splits."""
