"""Propose which array of a checkpoint is which weight of a network: by name, by the end of the name, by order and shape."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from typing import NamedTuple

from .. import nn
from .checkpoint import Checkpoint
from .layouts import Layout, group_kind, keras_kind, keras_layout, same_layout
from .source import Source
from .weight_map import WeightMap

NOT_WEIGHTS = ("optimizer*", "*optimizer.state.*", "*seed_generator*")  # arrays that belong to a training, not to a network
COUNTERS = "*num_batches_tracked"
MEANINGS = {"gamma": "weight", "kernel": "weight", "w": "weight", "beta": "bias", "b": "bias", "moving_mean": "running_mean",
            "moving_variance": "running_var"}


class Target(NamedTuple):
    """A weight of the network, and how the checkpoint's format stores it."""

    name: str
    layout: Layout
    kind: str  # the kind of its layer, in the format's words


def match_weights(net: nn.Module, checkpoint: Checkpoint) -> WeightMap:
    """A map that says which array of the checkpoint is which weight of the network; look at its report before you load.

    Names are matched in this order: equal names; names that end alike (model.encoder.0.weight and 0.weight) where there is one such
    array; in files of Keras, layers of one kind by order; the rest by order, where shapes are equal and the meanings of the last parts
    (weight, bias, gamma ...) are not different.
    Arrays of Keras are transposed as their layers need it (`help(slopes.checkpoints)`). Arrays of an optimizer are left out, and
    counters of batches that the checkpoint lacks are kept. Tied weights have one entry, under the network's first name for them.

    The map can be saved as JSON, edited, read and applied:

    >>> from slopes import nn
    >>> np.savez("weights.npz", **{"model.0.weight": np.ones((2, 3), np.float32), "model.0.bias": np.zeros(2, np.float32)})
    >>> net, checkpoint = nn.Sequential(nn.Linear(3, 2)), sl.read_checkpoint("weights.npz")
    >>> weights = sl.match_weights(net, checkpoint)
    >>> weights.report(net, checkpoint)
    weights.npz: 2 used
      0.weight  <- model.0.weight  (by the end of its name)
      0.bias    <- model.0.bias  (by the end of its name)
    >>> weights.save("map.json")
    >>> sl.WeightMap.read("map.json").load(net, checkpoint)
    """
    names = [name for name in checkpoint if not any(fnmatchcase(name, pattern) for pattern in NOT_WEIGHTS)]
    shapes = checkpoint.shapes
    targets = targets_of(net, checkpoint.format == "keras")
    pairs: dict[str, tuple[str, str]] = {}  # name of a target -> (name of a source, reason)
    for reason, propose in (("name", by_name), ("the end of its name", by_suffix),
                            ("kind, order and shape", by_kind), ("order and shape", by_order)):
        used = {name for name, _ in pairs.values()}
        rest = [target for target in targets if target.name not in pairs and target.layout.shape is not None]
        free = {name: shapes[name] for name in names if name not in used}
        pairs |= {target: (name, reason) for target, name in propose(rest, free).items()}
    pairs |= second_rows(targets, pairs, shapes)
    return make_map(targets, pairs)


def make_map(targets: list[Target], pairs: dict[str, tuple[str, str]]) -> WeightMap:
    weights: dict[str, Source | str] = {}
    for target in targets:
        if target.name in pairs:
            weights[target.name] = Source((pairs[target.name][0],), **target.layout.steps)
        elif target.layout.shape is None:
            weights[target.name] = Source(())
    return WeightMap(weights, NOT_WEIGHTS, [COUNTERS], {name: reason for name, (_, reason) in pairs.items()})


def targets_of(net: nn.Module, keras: bool) -> list[Target]:
    """The weights of a network in order, with the layout that the format has for them."""
    layers = dict(net.named_modules())
    targets = []
    for name, held in net.named_state():
        path, _, last = name.rpartition(".")
        layer, layout = layers.get(path), keras_layout if keras else same_layout
        targets.append(Target(name, layout(layer, last, tuple(held.shape)), keras_kind(layer) if keras else ""))
    return targets


def by_name(targets: list[Target], sources: dict[str, tuple[int, ...]]) -> dict[str, str]:
    return {target.name: target.name for target in targets if sources.get(target.name) == target.layout.shape}


def by_suffix(targets: list[Target], sources: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """Pairs of which one name is the end of the other, where neither has two of them."""
    pairs = [(target.name, name) for target in targets for name, shape in sources.items()
             if shape == target.layout.shape and (ends_with(name, target.name) or ends_with(target.name, name))]
    lefts, rights = Counter(left for left, _ in pairs), Counter(right for _, right in pairs)
    return {left: right for left, right in pairs if lefts[left] == rights[right] == 1}


def ends_with(name: str, end: str) -> bool:
    """Whether `end` is the last parts of a name."""
    return name.endswith(end) and name[-len(end) - 1 : -len(end)] in (".", "/")


def by_kind(targets: list[Target], sources: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """Pairs of layers of one kind, in the order of both: Keras counts the layers of a kind, dense, dense_1, ..."""
    pairs: dict[str, str] = {}
    for kind in {target.kind for target in targets} - {""}:
        counts = {name: count for name in sources if (count := group_kind(name))[0] == kind}
        ordered = sorted(counts, key=lambda name: counts[name])
        pairs |= by_order([target for target in targets if target.kind == kind], {name: sources[name] for name in ordered})
    return pairs


def by_order(targets: list[Target], sources: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """Pairs of equal shapes in the order of both, as long rows of them as there are."""
    names, targets = list(sources), [target for target in targets if not target.layout.steps.get("row")]  # `second_rows` adds these
    matcher = SequenceMatcher(None, [target.layout.shape for target in targets], [sources[name] for name in names], autojunk=False)
    pairs = [(targets[block.a + i].name, names[block.b + i]) for block in matcher.get_matching_blocks() for i in range(block.size)]
    return {target: name for target, name in pairs if same_meaning(target, name)}


def same_meaning(target: str, name: str) -> bool:
    """Whether the last parts do not contradict each other: a bias is no running mean, although it has its shape."""
    known = {*MEANINGS.values()}
    left, right = (MEANINGS.get(last, last) for last in (target.rpartition(".")[2], name.replace("/", ".").rpartition(".")[2]))
    return left == right or left not in known or right not in known


def second_rows(targets: list[Target], pairs: dict[str, tuple[str, str]], shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[str, str]]:
    """The hidden biases of Keras' GRUs, which are the second rows of the arrays that hold the input's."""
    rows = {}
    for target in targets:
        first = target.name.replace("bias_hh", "bias_ih")
        if "row" in target.layout.steps and target.name not in pairs and first in pairs and shapes[pairs[first][0]] == target.layout.shape:
            rows[target.name] = pairs[first]
    return rows
