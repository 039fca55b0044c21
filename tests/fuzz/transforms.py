"""Whole programs: statements from the rules, and derivatives, batches and training steps around the function that they make."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import array_text
from .drawing import Draft, Program, Value
from .functions import RULES
from .layers import LAYERS

ORDERS = ("gradient", "value_and_gradient", "pullback", "pushforward")
SMALL = 12  # elements of all inputs of whole matrices of derivatives
OPTIMIZERS = {
    "SGD": ("lr=0.1", "lr=0.1, momentum=0.9", "lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01"), "Adam": ("lr=0.01, eps=0.1",),
    "AdamW": ("lr=0.01, eps=0.1",), "NAdam": ("lr=0.01, eps=0.1",), "RMSprop": ("lr=0.01, eps=0.1",), "Adagrad": ("lr=0.01, eps=0.1",),
    "Adadelta": ("lr=0.1, eps=0.1",), "Adamax": ("lr=0.01, eps=0.1",), "RAdam": ("lr=0.01, eps=0.1",),
    "Adafactor": ("lr=0.01, eps=(0.1, 1e-3)",)}  # with an eps that keeps small gradients, which are rounding errors, small

OFTEN = ("where", "add", "multiply", "sum", "max", "mean", "reshape", "permute_dims", "concat", "broadcast_to", "pad", "matmul", "einsum",
         "take", "indexing", "conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "scan", "in_parts", "softmax", "cumulative_sum",
         "scaled_dot_product_attention", "LSTM", "GRU", "Conv2d", "BatchNorm2d", "MultiheadAttention", "LayerNorm")
NAMES = [*RULES, *LAYERS, *OFTEN * 3]  # what a compiler treats in a way of its own comes more often


def draw(seed: int, index: int, special: float = 0.1, rule: str = "") -> Program:
    """Program number `index` of a seed, with a call of this rule if one is named.

    A share `special` of the programs has numbers such as infinity and NaN in its inputs.
    """
    rng = np.random.default_rng((seed, index))
    draft = Draft(rng, rng.random() < special)
    draft.batched = not draft.special and draft.chance(0.2)
    if rule:
        step(draft, rule)
    for _ in range(draft.number(1, 6)):
        while not step(draft, draft.pick(NAMES)):
            pass
    draft.program.results = chosen(draft)
    if not draft.special:
        around(draft)
    return draft.program


def step(draft: Draft, name: str) -> bool:
    """One more statement, if the rule has one that fits."""
    drawn = RULES.get(name) or LAYERS[name]
    if drawn(draft, name) is None:
        return False
    draft.program.rules.append(name)
    return True


def chosen(draft: Draft) -> list[str]:
    """The last value, and some of those before; never an input."""
    made = [each.name for each in draft.program.statements]
    return [name for name in made[:-1] if draft.chance(0.3)] + made[-1:]


def around(draft: Draft) -> None:
    """Wrap derivatives, a batch or a training step around the function."""
    values = {each.name: each for each in draft.values}
    positions = tuple(i for i, name in enumerate(draft.program.inputs) if values[name].kind == "f" and draft.chance(0.8))
    floats = any(values[name].kind == "f" for name in draft.program.results)
    if draft.batched:
        batch(draft, values)
    if learns(draft) and floats and draft.chance(0.6):
        train(draft)
    elif positions and floats:
        differentiate(draft, positions, sum(int(np.prod(values[list(draft.program.inputs)[i]].shape)) for i in positions))
    if draft.chance(0.05):  # compiled functions inside of derivatives, and of each other; not inside of eager training, which refuses it
        last = len(draft.program.transforms)
        draft.program.transforms.insert(last if draft.program.calls > 1 else draft.number(0, last), "sl.compile(f)")


def learns(draft: Draft) -> bool:
    nets = [draft.names[each.name] for each in draft.program.layers]
    return not draft.batched and any(net is not None and net.parameters() for net in nets)


def differentiate(draft: Draft, positions: tuple[int, ...], elements: int) -> None:
    for _ in range(draft.pick([0, 1, 1, 1, 2, 2, 3])):
        if elements <= SMALL and draft.chance(0.3):
            draft.program.transforms.append(f"{draft.pick(['matrix', 'curvature'])}(f, {positions})")
            return
        draft.program.transforms.append(f"{draft.pick(ORDERS)}(f, {positions})")


def batch(draft: Draft, values: dict[str, Value]) -> None:
    """Some inputs get a batch axis."""
    n, axes = draft.number(1, 4), list[Any]()
    for name in draft.program.inputs:
        value = values[name]
        batched = draft.chance(0.7) or not axes
        axes.append(draft.number(0, value.ndim) if batched else None)
        if batched:
            shape = list(value.shape)
            shape.insert(axes[-1], n)
            draft.program.inputs[name] = batched_text(draft, value, tuple(shape), axes[-1])
    if axes and any(axis is not None for axis in axes):
        draft.program.transforms.append(f"sl.vmap(f, {tuple(axes)})")


def batched_text(draft: Draft, value: Value, shape: tuple[int, ...], axis: int) -> str:
    """Other examples of an input. Whole numbers may be indices: they are the same for all."""
    if value.kind in "fb":
        return array_text(draft.rng, shape, "real" if value.dtype.name == draft.real else value.dtype.name)
    return f"np.stack([{draft.program.inputs[value.name]}] * {shape[axis]}, {axis})"


def train(draft: Draft) -> None:
    nets = ", ".join(each.name for each in draft.program.layers if draft.names[each.name] is not None)
    name = draft.pick(list(OPTIMIZERS))
    optimizer = f"optim.{name}([p for net in [{nets}] for p in net.parameters()], {draft.pick(OPTIMIZERS[name])})"
    learned = [each.name for each in draft.program.statements if "net" in each.text]
    draft.program.results = list(dict.fromkeys([*learned, *draft.program.results]))
    draft.program.transforms.append(f"training(f, [{nets}], {optimizer})")
    draft.program.calls = 3
    draft.program.storage = draft.pick(["float32", "float32", "bfloat16"])
