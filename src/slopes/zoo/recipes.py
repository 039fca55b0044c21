"""The list of all recipes, simplest data first."""

from __future__ import annotations

import difflib

from ..errors import ArgumentError
from . import digits, lenet, mlp, softmax
from .recipe import Recipe

RECIPES: dict[str, Recipe] = {each.recipe.name: each.recipe for each in (digits, softmax, mlp, lenet)}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name, or an ArgumentError that lists all."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        raise ArgumentError(f"no recipe is called {name!r}", why=f"there are {', '.join(RECIPES)}",
                            repair=f"did you mean {near[0]!r}?" if near else "choose one of them")
    return RECIPES[name]
