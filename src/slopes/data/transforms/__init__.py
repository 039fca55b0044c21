"""Changes of inputs before or during training: standardizing, augmentation, spectrograms, tokens."""
