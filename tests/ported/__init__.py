"""Small programs in PyTorch's manner, which run under PyTorch and, with their import lines rewritten, under slopes.torch."""
