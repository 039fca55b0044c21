"""What the page of pictures is sent: each part of a frame as values and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ...inside.evidence import saliency
from ...inside.filters import filters
from ..live import Part
from .favourites import SEARCHED, strongest
from .model import Model
from .scene import Scene

GALLERY = 40  # test pictures to choose from


def pixels(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, C, H, W) from 0 to 1 as bytes."""
    return np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)


def status(scene: Scene) -> Part:
    """What can be known without a model: settings, the data that can be had, and what is waited for."""
    offered = [{"name": source.name, "title": source.title, "problem": source.problem} for source in scene.sources]
    values = {"settings": dataclasses.asdict(scene.settings), "sources": offered, "playing": scene.playing, "task": scene.task}
    return {**values, "ready": scene.model is not None}, {}


def gallery(scene: Scene, model: Model) -> Part:
    """The data set, and test pictures to choose from."""
    data = model.data
    shown = data.test.inputs[:GALLERY]
    values = {"title": data.title, "note": data.note, "classes": data.classes, "shape": data.shape, "training": len(data.train),
              "test": len(data.test), "labels": data.test.targets[:GALLERY].tolist(),
              "pen": data.conditioning.pen / data.conditioning.side, "keeps": data.conditioning.keeps}
    return values, {"pictures": pixels(shown)}


def layers(scene: Scene, model: Model) -> Part:
    """The layers of the network."""
    listed = [{"path": layer.path, "text": layer.text, "kind": layer.kind, "shape": layer.shape} for layer in model.layers]
    return {"layers": listed, "parameters": sum(parameter.size for parameter in model.net.parameters())}, {}


def curve(scene: Scene, model: Model) -> Part:
    """Loss and accuracy by step."""
    history = model.live.training.history
    tests = np.array(model.tests, np.float32).T
    return ({"step": history.steps, "epoch": model.live.training.position.epoch, "seconds": round(history.seconds, 2),
             "steps_per_epoch": model.live.training.steps_per_epoch},
            {"training": model.live.curve.points(), "test": np.ascontiguousarray(tests)})


def picture(scene: Scene, model: Model) -> Part:
    """The picture that is shown."""
    return {"role": scene.role, "index": scene.index, "label": scene.label}, {"pixels": pixels(scene.picture)}


def maps(scene: Scene, model: Model) -> Part:
    """The outputs of all layers for this picture, and the probabilities."""
    probabilities, outputs = model.probe.outputs(scene.picture)
    return {}, {"probabilities": probabilities, **{str(i): output for i, output in enumerate(outputs)}}


def kernels(scene: Scene, model: Model) -> Part:
    """The filters of the convolutions, by the index of their layer."""
    shown = [i for i, layer in enumerate(model.layers) if layer.kind == "Conv2d"]
    return {"layers": shown}, {str(i): filters(model.net, model.layers[i].path).weight for i in shown}


def evidence(scene: Scene, model: Model) -> Part:
    """The saliency of the picture."""
    shown = saliency(model.net, scene.picture, None if scene.target < 0 else scene.target)
    return {"target": shown.target, "chosen": scene.target >= 0}, {"map": np.ascontiguousarray(shown.map, np.float32)}


def test(scene: Scene, model: Model) -> Part:
    """The confusion matrix of the test pictures, and the worst mistakes."""
    predictions, data = model.predictions, model.data
    worst = predictions.worst()
    confusion = predictions.confusion(data.classes)
    values = {"step": model.tests[-1][0], "loss": predictions.loss, "accuracy": predictions.accuracy, "wrong": int(confusion.wrong.sum()),
              "mistakes": [{"index": int(i), "label": int(data.test.targets[i]), "predicted": int(predictions.predicted[i]),
                            "share": float(predictions.probabilities[i].max())} for i in worst]}
    return values, {"counts": confusion.counts.astype(np.int32), "pictures": pixels(data.test.inputs[worst])}


def favourites(scene: Scene, model: Model) -> Part:
    """The training pictures that excite the chosen unit most."""
    searched = model.data.train.inputs[:SEARCHED]
    best = strongest(model.probe, searched, *scene.unit, model.field)
    return ({"layer": best.layer, "unit": best.unit, "indices": best.indices.tolist(), "activations": best.activations.tolist(),
             "boxes": best.boxes.tolist(), "searched": len(searched)}, {"pictures": pixels(searched[best.indices])})


def ideal(scene: Scene, model: Model) -> Part:
    """The picture made for the chosen unit, if there is one, stretched to the range that can be shown."""
    if scene.ideal is None:
        return {"made": False}, {}
    image = np.nan_to_num(scene.ideal.images[0])
    low, high = float(image.min()), float(image.max())
    return {"made": True, "low": low, "high": high, "activation": float(np.nan_to_num(scene.ideal.activations[0]))}, {
        "picture": pixels((image - low) / (high - low or 1.0))}


def field(scene: Scene, model: Model) -> Part:
    """The receptive field of the unit under the pointer."""
    if scene.hovered is None:
        return {"layer": -1}, {}
    layer, row, column = scene.hovered
    return {"layer": layer, "row": row, "column": column, "box": list(model.field(layer, (row, column)))}, {}


WRITERS: dict[str, Callable[[Scene, Model], Part]] = {
    "data": gallery, "layers": layers, "picture": picture, "curve": curve, "maps": maps, "filters": kernels, "saliency": evidence,
    "test": test, "favourites": favourites, "ideal": ideal, "field": field}
PARTS = ("status", *WRITERS)


def write(scene: Scene, name: str) -> Part:
    """One part of a frame."""
    if name == "status":
        return status(scene)
    assert scene.model is not None, "parts of a model are sent when there is one"
    return WRITERS[name](scene, scene.model)
