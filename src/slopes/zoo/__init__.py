"""Networks, classical models and auto-encoders that are ready to use, each family in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extras import submodules

__all__ = ["alexnet", "autoencoders", "bert", "classifiers", "gpt2", "networks", "resnet", "sentence_embedding", "variational", "vgg",
           "vit"]

if TYPE_CHECKING:
    from . import alexnet, autoencoders, bert, classifiers, gpt2, networks, resnet, sentence_embedding, variational, vgg, vit
else:
    __getattr__, __dir__ = submodules(__name__, __all__)
