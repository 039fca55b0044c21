"""What the page of sequences is sent: each part of a frame as values and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..live import Part
from .scene import Model, Scene

TOP = 5  # characters that are shown as likely to come next


def status(scene: Scene) -> Part:
    """What can be known without a model: settings, and what is waited for."""
    values = {"settings": dataclasses.asdict(scene.settings), "playing": scene.playing, "task": scene.task,
              "ready": scene.model is not None, "prompt": scene.prompt, "temperature": scene.temperature}
    return values, {}


def corpus(scene: Scene, model: Model) -> Part:
    """The text that is learned, and the network."""
    text, net = model.corpus, model.main.net
    return {"name": text.name, "title": text.title, "note": text.note, "length": len(text.train) + len(text.validation),
            "characters": text.size, "chance": text.chance, "frequencies": text.frequencies, "network": model.main.kind,
            "parameters": sum(parameter.size for parameter in net.parameters())}, {}


def curve(scene: Scene, model: Model) -> Part:
    """The losses by step of all networks, and the main one's on text that is not learned."""
    training = model.main.live.training
    arrays = {learner.kind: learner.live.curve.points() for learner in model.learners}
    return ({"step": training.history.steps, "epoch": training.position.epoch, "steps_per_epoch": training.steps_per_epoch,
             "kinds": list(arrays)},
            {**arrays, "test": np.array(model.tests, np.float32).reshape(-1, 2).T.copy()})


def reading(scene: Scene, model: Model) -> Part:
    """What happens while the text is read: states, gates, and what the network expects next."""
    text = scene.read_text
    tokens = model.corpus.encode(text)
    if model.attention is not None:
        probabilities, maps = model.attention.read(tokens)
        arrays = {f"attention{i}": weights for i, weights in enumerate(maps)}
        values: dict[str, Any] = {"states": [], "gates": [], "layers": len(maps)}
    else:
        seen = model.readers[model.main.kind].read(tokens)
        probabilities, arrays = seen.probabilities, {**seen.states, **{f"gate_{name}": gate for name, gate in seen.gates.items()}}
        values = {"states": list(seen.states), "gates": list(seen.gates), "layers": 0}
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    shares = np.take_along_axis(probabilities, best, axis=1).astype(np.float32)
    right = probabilities[np.arange(len(tokens) - 1), tokens[1:]].astype(np.float32)
    expected = ["".join(model.corpus.characters.decode(row)) for row in best]
    return {**values, "text": text, "note": scene.read_note, "expected": expected}, {**arrays, "shares": shares, "right": right}


def graph(scene: Scene, model: Model) -> Part:
    """What adds up in a unit's gates at each step of the text that is read; the rest of the unrolled graph is in "reading"."""
    if not model.main.recurrent:
        return {"unit": -1}, {}
    reader, tokens = model.readers[model.main.kind], model.corpus.encode(scene.read_text)
    unit = min(scene.unit, model.settings.hidden - 1)
    hidden = reader.read(tokens).states["h"]
    from_input, from_state = reader.contributions(tokens, hidden, unit)
    return {"unit": unit}, {"from_input": from_input.astype(np.float32), "from_state": from_state.astype(np.float32)}


def gradients(scene: Scene, model: Model) -> Part:
    """How large the gradient of the last character's loss is at each step before, for every recurrent network."""
    text = scene.read_text
    tokens = model.corpus.encode(text)
    arrays = {f"{kind}_{name}": norms.astype(np.float32)
              for kind, reader in model.readers.items() for name, norms in reader.gradient_norms(tokens).items()}
    return {"kinds": list(model.readers), "text": text}, arrays


def writing(scene: Scene, model: Model) -> Part:
    """What was written."""
    return {"samples": [dataclasses.asdict(sample) for sample in scene.samples]}, {}


WRITERS: dict[str, Callable[[Scene, Model], Part]] = {
    "corpus": corpus, "curve": curve, "reading": reading, "graph": graph, "gradients": gradients, "writing": writing}
PARTS = ("status", *WRITERS)


def write(scene: Scene, name: str) -> Part:
    """One part of a frame."""
    if name == "status":
        return status(scene)
    assert scene.model is not None, "parts of a model are sent when there is one"
    return WRITERS[name](scene, scene.model)
