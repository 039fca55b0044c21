"""Ratings made by a known rule, for recommenders: how much of them a model can learn is known too."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ..loaders.dataset import Dataset
from ..loaders.order import RATING, check_words, random_words, uniforms
from ..loaders.splits import Splits, split

MEAN = 3.0
FRACTIONS = (0.8, 0.1, 0.1)


class RatingSplits(Splits):
    """Ratings of `users` users for `items` things; `clear` (users, items) is every rating without its noise."""

    users: int
    items: int
    noise: float
    clear: np.ndarray


def ratings(users: int = 400, items: int = 300, per_user: int = 60, rank: int = 3, noise: float = 0.3, seed: int = 0) -> RatingSplits:
    """Ratings r of pairs (user u, item i): r = 3 + b_u + c_i + p_u . q_i + e.

    b_u and c_i are normal with deviation 0.4; p_u and q_i are normal vectors of `rank` numbers with deviation rank^(-1/4), so
    that p_u . q_i has deviation 1; e is normal with deviation `noise`. Each user rates `per_user` different items, popular ones
    more often: item i is drawn with weight 1 / (1 + i / 20). inputs: (N, 2) int64, the numbers of user and item; targets: (N,)
    float32. Divided 80 : 10 : 10, at random. No model can reach a squared error below noise^2; without p . q (the bias-only
    baseline, `bias_only`) it stays near 1 + noise^2. A pure function of its arguments. Raises ArgumentError for counts below 1.
    Source of the model: Koren, Bell, Volinsky, "Matrix factorization techniques for recommender systems", 2009.

    >>> made = ratings(users=50, items=40, per_user=10)
    >>> made.train
    Dataset(ratings.train: 400 examples, inputs (2,) int64, targets () float32)
    """
    counts = {"users": users, "items": items, "per_user": per_user, "rank": rank}
    if min(counts.values()) < 1 or per_user > items or not noise >= 0:
        raise ArgumentError(f"ratings: {counts}, noise={noise}", why="counts are at least 1, and a user rates each item once",
                            repair="choose per_user at most items, and noise at least 0")
    check_words(seed=seed)
    user_bias, item_bias = 0.4 * normals(seed, 0, users), 0.4 * normals(seed, 1, items)
    user_taste, item_taste = (rank**-0.25 * normals(seed, 2 + part, n * rank).reshape(n, rank) for part, n in enumerate((users, items)))
    clear = (MEAN + user_bias[:, None] + item_bias + user_taste @ item_taste.T).astype(np.float32)
    pairs = rated(seed, users, items, per_user)
    given = clear[pairs[:, 0], pairs[:, 1]] + noise * normals(seed, 5, len(pairs))
    parts = split(Dataset(pairs, given, name="ratings"), FRACTIONS, seed=seed)
    splits = RatingSplits(parts.train, parts.validation, parts._test, "ratings")
    splits.users, splits.items, splits.noise, splits.clear = users, items, noise, clear
    return splits


def normals(seed: int, stream: int, n: int) -> np.ndarray:
    """n normal numbers by Box and Muller's method: sqrt(-2 log(1 - u)) cos(2 pi v)."""
    u, v = uniforms(random_words(seed, RATING, 2 * n, stream)).reshape(2, n)
    return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)


def rated(seed: int, users: int, items: int, per_user: int) -> np.ndarray:
    """Which items each user rates, (users * per_user, 2): those with the smallest -log(1 - u) / weight (Efraimidis, Spirakis 2006)."""
    u = uniforms(random_words(seed, RATING, users * items, 4)).reshape(users, items)
    keys = -np.log1p(-u) * (1 + np.arange(items) / 20)
    chosen = np.sort(np.argsort(keys, axis=1, kind="stable")[:, :per_user], axis=1)
    return np.stack([np.repeat(np.arange(users), per_user), chosen.reshape(-1)], axis=1)


def bias_only(train: Dataset, pairs: np.ndarray, strength: float = 5.0, rounds: int = 20) -> np.ndarray:
    """What a model of mean and biases alone forecasts for pairs (N, 2): mu + b_u + c_i, (N,) float32.

    mu is the mean of the training ratings; b_u = sum over u's ratings of (r - mu - c_i) / (strength + their number), and c_i
    likewise, in turn, `rounds` times: what minimises the squared error with `strength` (|b|^2 + |c|^2) added. Users and items
    that training does not have get 0. Source: Koren, Bell, Volinsky 2009, equation 3.

    >>> toy = Dataset([[0, 0], [0, 1], [1, 0]], [5.0, 5.0, 2.0])
    >>> bias_only(toy, np.array([[0, 0], [1, 1]]), strength=0.0).round(2).tolist()
    [5.0, 2.0]
    """
    users, items = np.asarray(train.inputs).T
    pairs = np.asarray(pairs)
    mean, counts = train.targets.mean(dtype=np.float64), 1 + np.concatenate([train.inputs, pairs]).max(axis=0)
    biases = [np.zeros(counts[0]), np.zeros(counts[1])]
    sides = (users, items)
    weights = [np.maximum(strength + np.bincount(side, minlength=count), 1e-12) for side, count in zip(sides, counts)]
    for _ in range(rounds):
        for own, other in ((0, 1), (1, 0)):
            left = train.targets - mean - biases[other][sides[other]]
            biases[own] = np.bincount(sides[own], left, minlength=counts[own]) / weights[own]
    return (mean + biases[0][pairs[:, 0]] + biases[1][pairs[:, 1]]).astype(np.float32)
