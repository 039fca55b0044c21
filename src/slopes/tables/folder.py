"""A trained table model as a run folder, and back: weights, schema, encoders and the account of how good it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .. import nn
from ..errors import ArgumentError, DataError, SaveError, SlopesError
from ..files.reading import refused
from ..train.runs import AGAIN, RECORD, SavedRun, load_run, save_somewhere
from .encoding import Encoding
from .lookup import forward_of
from .mistakes import mistakes
from .model import TableModel, Variant
from .network import Architecture, TableNetwork
from .report import lines_of
from .schema import Schema
from .study import Study

KIND = "table"  # what the record of such a run has as its recipe
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)  # of facts that are none


def save_study(study: Study | Sequence[Study], folder: str | os.PathLike[str]) -> tuple[str, SaveError | None]:
    """Write the run folder of a study, or of one for each of several targets; where that fails, into a temporary folder.

    Returns the folder, and the error that kept it from the first.
    """
    studies = [study] if isinstance(study, Study) else list(study)
    runs = {str(i): member.run for i, member in enumerate((member for study in studies for member in study.trained.members), 1)}
    first, *more = [study.model.facts() | {"account": account(study)} for study in studies]
    path, error = save_somewhere(runs, folder, recipe=KIND, hyperparameters=studies[0].settings.to_fields(), seed=studies[0].seed,
                                 data=first | {"more targets": more}, figures=figures_of(studies),
                                 lines=[line for study in studies for line in lines_of(study)],
                                 seconds=sum(study.seconds for study in studies),
                                 interrupted=any(study.trained.interrupted for study in studies))
    return str(path), error


def figures_of(studies: Sequence[Study]) -> dict[str, float]:
    """The scores of all models; where there are several targets, their names begin with the target's."""
    return {f"{study.model.target + ': ' if len(studies) > 1 else ''}{model}: {name}": interval.value
            for study in studies for model, standing in study.standings.items() for name, interval in standing.items()}


def account(study: Study) -> dict[str, Any]:
    """What was measured, as JSON holds it: every score with its interval, the importance of columns, calibration."""
    scores = {model: {name: list(interval) for name, interval in standing.items()} for model, standing in study.standings.items()}
    return {"split": study.prepared.split.how, "notes": study.prepared.notes, "scores": scores, "importance": study.importance,
            "best epochs": [member.best_epoch for member in study.trained.members], "coverage": study.coverage, "R2": study.r_squared,
            "calibration error": study.calibration_error, "calibration": list(map(list, study.calibration)), **mistakes(study)}


def load_model(folder: str | os.PathLike[str]) -> TableModel:
    """The model of a run folder; ArgumentError for a run of several targets. Raises as `load_models` does."""
    models = load_models(folder)
    if len(models) > 1:
        raise ArgumentError(f"{os.fspath(folder)} holds models of {len(models)} targets", repair="load_models(folder) are all of them")
    return models[0]


def load_models(folder: str | os.PathLike[str]) -> list[TableModel]:
    """The models of a run folder, one for each target. Raises DataError for a damaged folder, ArgumentError for one of another kind."""
    return models_of(load_run(folder))


def models_of(saved: SavedRun) -> list[TableModel]:
    """The models that a record describes, with their weights."""
    if saved.recipe != KIND:
        raise ArgumentError(f"{saved.folder} holds no model of a table", why=f"recipe {saved.recipe!r} made it",
                            repair="name a folder that `slopes train table` wrote")
    try:
        names = list(saved.networks)
        models = []
        for facts in (saved.data, *saved.data.get("more targets", ())):
            models.append(rebuild(saved, facts, names[: len(facts["nets"])]))
            names = names[len(facts["nets"]) :]
    except SlopesError:
        raise
    except MALFORMED as error:
        raise damaged(saved, "data", f"it does not describe a model ({type(error).__name__}: {error!s:.100})") from error
    if names:
        raise damaged(saved, "nets", f"{len(saved.networks) - len(names)} are described, but there are {len(saved.networks)}")
    return models


def rebuild(saved: SavedRun, facts: Mapping[str, Any], names: Sequence[str]) -> TableModel:
    """The model of these facts and the saved weights of some networks."""
    schema, encoding = Schema.from_fields(facts["schema"]), Encoding.from_fields(facts["encoding"])
    if [encoder.name for encoder in encoding.encoders] != [column.name for column in schema.inputs]:
        raise damaged(saved, "encoding", "its columns are not those of the schema")
    variants = [Variant(Architecture(**fields["architecture"]), fields["edges"], float(fields["weight"]), float(fields["temperature"]))
                for fields in facts["variants"]]
    model = TableModel(schema, encoding, variants, [], float(facts["mean"]), float(facts["std"]), float(facts["margin"]))
    if len(facts["nets"]) != len(names):
        raise damaged(saved, "nets", f"{len(facts['nets'])} are described, but there are {len(names)}")
    model.nets = [(index, forward_of(network(saved, model, index, name))) for index, name in zip(facts["nets"], names)]
    return model


def network(saved: SavedRun, model: TableModel, index: int, name: str) -> TableNetwork:
    """A network with its weights; it is first built without memory, so that nothing is allocated on a claim."""
    variant, weights = model.variants[index], saved.networks[name].weights

    def build() -> TableNetwork:
        return TableNetwork(model.encoding.widths, variant.edges, model.outputs, variant.architecture)

    if max(variant.architecture.layers, variant.architecture.width) > sum(array.size for array in weights.values()):
        raise damaged(saved, "variants", "its sizes are not those of the weights")
    with nn.init.shapes_only():
        shapes = {path: tuple(tensor.shape) for path, tensor in build().named_state()}
    for path, shape in shapes.items():
        if path not in weights or weights[path].shape != shape:
            raise damaged(saved, path, f"the description needs the shape {shape}, the weights have "
                          f"{weights[path].shape if path in weights else 'none'}")
    net = build()
    net.load_state_dict(weights)
    net.eval()
    return net


def damaged(saved: SavedRun, name: str, seen: str) -> DataError:
    """The error for a record that does not fit what lies beside it."""
    return refused(saved.folder / RECORD, name, seen, "the record describes the networks whose weights lie beside it", AGAIN)
