"""The classical models under the interface of scikit-learn's classifiers: fit(x, y), predict(x), score(x, y); labels of any kind."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import nn, optim, random
from ..constraint import COUNT, NOT_NEGATIVE, check
from ..data.loaders.dataset import Dataset
from ..errors import ArgumentError, ShapeError, missing_method
from ..extras import require
from ..modes import no_grad
from ..tensor import asarray
from ..train.fit import fit
from ..train.mode import Mode


class Classifier:
    """The base of classifiers: checks what they are given, and counts classes.

    fit(x, y)      learn from x (N, ...) and labels y (N,): whole numbers, words or booleans; returns the model itself
    predict(x)     the label of each x (N, ...) -> (N,)
    score(x, y)    the share of x that is given its label y

    After fit: classes_. Where scikit-learn is installed, its pipelines, searches and clone take the models too.
    """

    classes_: np.ndarray  # the labels, sorted; a model's class k is classes_[k]

    def fit(self, x: Any, y: Any) -> Self:
        """Learn from the examples."""
        x, y = examples(type(self).__name__, x, y)
        check_classes(type(self).__name__, y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ArgumentError(f"{type(self).__name__}.fit: all {len(y)} labels are {self.classes_[0]!r}",
                                why="there is nothing to distinguish", repair="give examples of two classes or more")
        self.learn(x, indices.reshape(-1))
        return self

    def predict(self, x: Any) -> np.ndarray:
        """The label of each example."""
        self.check_fitted()
        return self.classes_[self.decide(rows(type(self).__name__, x))]

    def score(self, x: Any, y: Any) -> float:
        """The share of examples that are given their label."""
        x, y = examples(type(self).__name__, x, y)
        return float(np.mean(self.predict(x) == y))

    def check_fitted(self) -> None:
        """ArgumentError before fit."""
        if not hasattr(self, "classes_"):
            raise ArgumentError(f"{type(self).__name__} is not fitted yet", repair="call fit(x, y) first")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor, for the next fit; returns the model itself."""
        unknown = params.keys() - self.get_params().keys()
        if unknown:
            raise ArgumentError(f"{type(self).__name__} has no parameter {', '.join(sorted(unknown))}",
                                repair=f"its parameters are {', '.join(self.get_params())}")
        self.__init__(**{**self.get_params(), **params})  # type: ignore[misc]
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks for: that this is a classifier."""
        utils = require("sklearn.utils", extra="sklearn", purpose="its tools")
        return utils.Tags(estimator_type="classifier", target_tags=utils.TargetTags(required=True), transformer_tags=None,
                          classifier_tags=utils.ClassifierTags(), regressor_tags=None)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit was called."""
        return hasattr(self, "classes_")

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Learn from rows (N, ...) and class numbers (N,)."""
        raise missing_method(self, "learn")

    def decide(self, x: np.ndarray) -> np.ndarray:
        """The class number of each row."""
        raise missing_method(self, "decide")


class Perceptron(Classifier):
    """y = 1 where w x + b >= 0, otherwise 0, learned by Rosenblatt's rule: w <- w + (t - y) x, b <- b + t - y, one example at a time.

    Passes over the examples go on until one makes no mistake, which must happen after finitely many steps if a straight line (a
    plane) separates the two classes, or until `passes` are done. After fit: `weights` (D,), `bias`, `mistakes` in each pass,
    `converged`, and `report`, which says what happened. Raises ArgumentError for other than two classes.
    Source: Rosenblatt, "The perceptron", 1958; convergence: Novikoff, 1962; what it cannot do: Minsky and Papert, 1969.

    >>> from slopes.zoo.classifiers import Perceptron
    >>> corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> both = Perceptron().fit(corners, ["no", "no", "no", "yes"])
    >>> both.converged, both.predict(corners).tolist()
    (True, ['no', 'no', 'no', 'yes'])
    >>> print(Perceptron().fit(corners, [0, 1, 1, 0]).report)  # XOR
    did not converge: still 4 mistakes in pass 1000; no straight line was found that separates the classes, and perhaps there is none
    """

    def __init__(self, passes: int = 1000) -> None:
        check("Perceptron", {"passes": COUNT}, {"passes": passes})
        self.passes = passes

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Passes of the learning rule."""
        if len(self.classes_) != 2:
            raise ArgumentError(f"Perceptron: there are {len(self.classes_)} classes", why="one threshold unit tells two apart",
                                repair="use SoftmaxRegression, or one perceptron per class")
        x = x.reshape(len(x), -1).astype(np.float64)
        self.weights, self.bias, self.mistakes = np.zeros(x.shape[1]), 0.0, [len(x)]
        while self.mistakes[-1] and len(self.mistakes) <= self.passes:
            self.mistakes.append(self.one_pass(x, y))
        self.mistakes = self.mistakes[1:]
        self.converged = not self.mistakes[-1]

    def one_pass(self, x: np.ndarray, y: np.ndarray) -> int:
        """Learn from each example once; returns the number of mistakes."""
        mistakes = 0
        for row, target in zip(x, y.tolist()):
            wrong = target - int(row @ self.weights + self.bias >= 0)
            if wrong:
                self.weights += wrong * row
                self.bias += wrong
                mistakes += 1
        return mistakes

    def decide(self, x: np.ndarray) -> np.ndarray:
        """1 at or above the threshold."""
        return (x.reshape(len(x), -1) @ self.weights + self.bias >= 0).astype(int)

    @property
    def report(self) -> str:
        """What happened, in words."""
        self.check_fitted()
        if self.converged:
            return f"converged: no mistake in pass {len(self.mistakes)}, {sum(self.mistakes)} corrections in all"
        count = self.mistakes[-1]
        return (f"did not converge: still {count} mistake{'s' if count > 1 else ''} in pass {len(self.mistakes)}; no straight line "
                "was found that separates the classes, and perhaps there is none")


class Probable(Classifier):
    """The common part of models that give a probability for each class: a net whose outputs are logits, one per class."""

    net: nn.Module

    def predict_proba(self, x: Any) -> np.ndarray:
        """The probability of each class: (N, ...) -> (N, classes), rows that sum to 1."""
        self.check_fitted()
        with Mode(self.net, training=False), no_grad():
            logits = self.net(asarray(rows(type(self).__name__, x).astype(np.float32))).numpy().astype(np.float64)
        if logits.shape[1] == 1:  # of yes, against 0 of no
            logits = np.concatenate([0 * logits, logits], axis=1)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def decide(self, x: np.ndarray) -> np.ndarray:
        """The likeliest class."""
        return self.predict_proba(x).argmax(axis=1)


class Regression(Probable):
    """The common part of logistic and softmax regression: one dense layer, its convex loss minimized by L-BFGS over all examples."""

    def __init__(self, penalty: float = 1e-4, features: nn.Module | None = None, steps: int = 500) -> None:
        check(type(self).__name__, {"penalty": NOT_NEGATIVE, "steps": COUNT}, {"penalty": penalty, "steps": steps})
        self.penalty, self.features, self.steps = penalty, features, steps

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """The minimum of mean loss + penalty / 2 |w|^2."""
        inputs, targets = asarray(x.reshape(len(x), -1).astype(np.float32)), self.targets(y)
        maps = [] if self.features is None else [self.features]
        width = inputs.shape[1] if self.features is None else math.prod(self.features(inputs[:1]).shape)
        layer = nn.Linear(width, self.outputs())
        nn.init.zeros(layer.weight), nn.init.zeros(layer.bias)  # type: ignore[type-var]
        self.net = nn.Sequential(nn.Flatten(), *maps, layer)
        fixed = inputs if self.features is None else self.features(inputs)
        self.minimum = optim.minimize(
            lambda: self.loss(layer(fixed), targets) + self.penalty / 2 * (layer.weight * layer.weight).sum(), layer, steps=self.steps)

    def outputs(self) -> int:
        """How many logits there are."""
        raise missing_method(self, "outputs")

    def targets(self, y: np.ndarray) -> Any:
        """Class indices in the form that the loss takes."""
        raise missing_method(self, "targets")

    loss: Callable[..., Any]


class LogisticRegression(Regression):
    """p(yes | x) = sigmoid(w x + b): a neuron with a probability; w minimizes mean cross-entropy + penalty / 2 |w|^2.

    features: a module that maps the inputs first, such as nn.Squares(). After fit: `net`, `minimum` (how the search ended).
    Raises ArgumentError for other than two classes. Source: Cox, "The regression analysis of binary sequences", 1958.

    >>> from slopes.zoo.classifiers import LogisticRegression
    >>> from slopes import nn
    >>> corners, exclusive = [[0, 0], [0, 1], [1, 0], [1, 1]], [False, True, True, False]
    >>> LogisticRegression().fit(corners, exclusive).score(corners, exclusive) < 1
    True
    >>> LogisticRegression(features=nn.Crosses()).fit(corners, exclusive).score(corners, exclusive)
    1.0
    """

    loss = staticmethod(nn.binary_cross_entropy_with_logits)

    def outputs(self) -> int:
        """One: the logit of yes."""
        if len(self.classes_) != 2:
            raise ArgumentError(f"LogisticRegression: there are {len(self.classes_)} classes", why="one logit tells two apart",
                                repair="use SoftmaxRegression")
        return 1

    def targets(self, y: np.ndarray) -> Any:
        """0.0 and 1.0, (N, 1)."""
        return asarray(y.reshape(-1, 1).astype(np.float32))


class SoftmaxRegression(Regression):
    """p(k | x) = softmax(W x + b)_k: multi-class logistic regression; W minimizes mean cross-entropy + penalty / 2 |W|^2.

    features, `net` and `minimum` as in LogisticRegression. Source: Bishop, Pattern Recognition and Machine Learning (2006), 4.3.4.

    >>> from slopes.zoo.classifiers import SoftmaxRegression
    >>> model = SoftmaxRegression().fit([[0.0], [1.0], [2.0]], ["low", "middle", "high"])
    >>> model.predict([[-1.0], [3.0]]).tolist(), model.predict_proba([[0.5]]).shape
    (['low', 'high'], (1, 3))
    """

    loss = staticmethod(nn.cross_entropy)

    def outputs(self) -> int:
        """One logit per class."""
        return len(self.classes_)

    def targets(self, y: np.ndarray) -> Any:
        """Class numbers."""
        return asarray(y.astype(np.int64))


class Network(Probable):
    """Any network under the interface of the classical models: `make(shape, classes)` builds it for inputs of `shape`.

    The other arguments are those of slopes.fit (optimizer: a function that makes one); seed also decides the initial weights.
    After fit: `net`, `run`. Inputs are float32.

    >>> import numpy as np
    >>> from slopes import optim
    >>> from slopes.zoo.classifiers import Network
    >>> from slopes.zoo.networks import mlp
    >>> corners, exclusive = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> model = Network(mlp, optimizer=lambda: optim.Adam(lr=0.03), epochs=100).fit(corners, exclusive)
    >>> model.score(corners, exclusive)
    1.0
    """

    def __init__(self, make: Callable[[tuple[int, ...], int], nn.Module], optimizer: Callable[[], Any] | None = None, seed: int = 0,
                 **options: Any) -> None:
        self.make, self.optimizer, self.seed, self.options = make, optimizer, seed, options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"make": self.make, "optimizer": self.optimizer, "seed": self.seed, **self.options}

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Train a new net."""
        with random.using(random.Generator(self.seed)):
            self.net = self.make(x.shape[1:], len(self.classes_))
        options = {"progress": False, **self.options}
        self.run = fit(self.net, Dataset(x, y), optimizer=self.optimizer() if self.optimizer else None, seed=self.seed, **options)


class DecisionTree(Classifier):
    """scikit-learn's decision tree (CART) under this interface, to compare with: questions of the kind x_d <= c, one after another.

    depth: the largest depth (None: until every leaf is pure). Needs scikit-learn: pip install
    'slopes[sklearn]', else MissingExtraError. Source: Breiman et al., Classification and Regression Trees, 1984.

    >>> from slopes.zoo.classifiers import DecisionTree
    >>> corners, exclusive = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> DecisionTree().fit(corners, exclusive).score(corners, exclusive)
    1.0
    """

    def __init__(self, depth: int | None = None, seed: int = 0) -> None:
        trees = require("sklearn.tree", extra="sklearn", purpose="DecisionTree")
        self.depth, self.seed = depth, seed
        self.tree = trees.DecisionTreeClassifier(max_depth=depth, random_state=seed)

    def learn(self, x: np.ndarray, y: np.ndarray) -> None:
        """Grow the tree."""
        self.tree.fit(x.reshape(len(x), -1), y)

    def decide(self, x: np.ndarray) -> np.ndarray:
        """The leaf's class."""
        return self.tree.predict(x.reshape(len(x), -1))


def examples(owner: str, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows and as many labels."""
    x, y = rows(owner, x), np.asarray(y)
    if y.ndim != 1 or len(x) != len(y) or not len(y):
        raise ShapeError(f"{owner}: x of shape {x.shape} and y of shape {y.shape} do not pair up",
                         why="there is one label per example, and at least one example")
    return x, y


def check_classes(owner: str, y: np.ndarray) -> None:
    """Labels name classes: they are no numbers that vary continuously."""
    if y.dtype.kind != "f" or bool((y == np.round(y)).all()):
        return
    wrong = int((y != np.round(y)).argmax())
    raise ArgumentError(f"{owner}.fit: label {wrong} is {y[wrong]}, not a class",
                        why=f"{len(np.unique(y)):,} different floats would be as many classes",
                        repair="for numbers, sl.fit(net, x, y.reshape(-1, 1)); for names of classes, y.astype(str)")


def rows(owner: str, x: Any) -> np.ndarray:
    """x as an array of numbers (N, ...)."""
    x = np.asarray(x)
    if x.ndim < 2 or x.dtype.kind not in "biuf":
        raise ShapeError(f"{owner}: x of shape {x.shape} and type {x.dtype}", why="it needs rows of numbers, one per example",
                         repair="for one example, x[None]" if x.ndim == 1 else "")
    if not np.isfinite(x).all():
        raise ArgumentError(f"{owner}: x has values that are not finite", repair="remove such examples, or replace the values")
    return x
