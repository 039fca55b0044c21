"""What networks.py builds from, in slopes: its layers, and those of the zoo's parts that peers have to imitate."""

from __future__ import annotations

from slopes.nn import *  # noqa: F403
from slopes.zoo.gpt import GPT as GPT
from slopes.zoo.resnet import Skip as Skip
