"""Transforms of inputs: standardization, augmentation, spectrograms, tokenization."""
