"""Networks, classical models and auto-encoders that are ready to use, each family in a file of its own."""

from ..extras import submodules

__all__ = ["alexnet", "autoencoders", "bert", "classifiers", "gpt2", "networks", "resnet", "sentence_embedding", "variational", "vgg",
           "vit"]

__getattr__, __dir__ = submodules(__name__, __all__)
