"""All networks of the zoo by name; each family has a file of its own."""

from __future__ import annotations

from .alexnet import alexnet
from .bert import BERT
from .bilstm_tagger import Tagger
from .factorization import Recommender
from .googlenet import googlenet
from .gpt import GPT, char_gpt
from .gpt2 import gpt2
from .language import LanguageModel, char_model, word_model
from .lenet import lenet, regularized_lenet, small_convolution
from .mlp import dropout_mlp, mlp, softmax_regression
from .recurrent_forecaster import Forecaster
from .resnet import resnet, small_resnet
from .sentence import BagOfTokens, SentenceEncoder, TextCNN, WideTextCNN
from .sentence_embedding import SentenceEmbedding
from .seq2seq import Translator
from .show_attend_tell import Captioner
from .spectrogram import SpokenCNN, SpokenGRU
from .transformer import Transformer
from .unet import UNet, small_unet
from .vgg import vgg
from .vit import VisionTransformer, small_vit, vit_b16

__all__ = ["BERT", "GPT", "BagOfTokens", "Captioner", "Forecaster", "LanguageModel", "Recommender", "SentenceEmbedding",
           "SentenceEncoder", "SpokenCNN", "SpokenGRU", "Tagger", "TextCNN", "Transformer", "Translator", "UNet", "VisionTransformer",
           "WideTextCNN", "alexnet", "char_gpt", "char_model", "dropout_mlp", "googlenet", "gpt2", "lenet", "mlp", "regularized_lenet",
           "resnet", "small_convolution", "small_resnet", "small_unet", "small_vit", "softmax_regression", "vgg", "vit_b16", "word_model"]
