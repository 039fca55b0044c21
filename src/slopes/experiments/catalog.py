"""The list of all recipes, simplest data first, and of the experiments on data of the user's own."""

from __future__ import annotations

import difflib
from typing import Any

from ..errors import ArgumentError
from .experiment import Experiment
from .own import images, language, series, sound, text
from .recipes import (
    approximate,
    autoencoder,
    caption,
    chars,
    compare,
    digits,
    fashion,
    features,
    forecast,
    imagenet,
    lenet,
    mlp,
    names,
    perceptron,
    recommend,
    segment,
    sentiment,
    softmax,
    speech,
    tabular,
    tagger,
    translate,
    words,
)

RECIPES: dict[str, Experiment[Any]] = {recipe.name: recipe for recipe in (
    digits.recipe, perceptron.recipe, approximate.recipe, features.recipe, compare.recipe, softmax.recipe, mlp.recipe, lenet.recipe,
    lenet.published, lenet.regularized, fashion.recipe, autoencoder.recipe, forecast.recipe, tabular.recipe, speech.recipe,
    recommend.recipe, segment.recipe, caption.recipe, names.recipe, chars.recipe, chars.gpt, sentiment.recipe, tagger.recipe,
    translate.recipe, words.recipe, imagenet.recipe)}

OWN_DATA: dict[str, Experiment[Any]] = {experiment.name: experiment for experiment in (
    images.experiment, sound.experiment, text.experiment, language.experiment, series.experiment)}


def find_recipe(name: str) -> Experiment[Any]:
    """The recipe of this name, or the experiment on own data; otherwise an ArgumentError that lists all."""
    known = {**RECIPES, **OWN_DATA}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ArgumentError(f"no recipe is called {name!r}", why=f"there are {', '.join(known)}",
                            repair=f"did you mean {near[0]!r}?" if near else "choose one of them")
    return known[name]
