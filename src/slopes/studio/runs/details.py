"""What the page shows of one run beside its curves: results, networks, confusion, and the names of its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...experiments.catalog import OWN_DATA, RECIPES
from ...files.reading import inside, read_whole
from ...files.staging import current, holds
from ...tables.folder import KIND as TABLE
from ...train.runs import RECORD, read_fields, read_stable, read_study_fields

MOST_PICTURE = 1 << 24  # bytes
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
MOST_CLASSES = 60  # of a confusion table
TEXTS = ("TEXT", "SENTENCE", "NAME", "X", "USER")  # what recipes call an item that is no file
SERIES = "SERIES[=FILE.csv]"

Json = dict[str, Any]


def read_details(folder: Path) -> Json:
    """The fields of a run's record that the page shows; raises DataError as `load_run` does."""
    fields = read_stable(folder, lambda target: read_fields(target) if holds(target, RECORD) else read_study_fields(target))
    networks = fields.get("networks") or ({"": fields} if "structure" in fields else {})
    return {"lines": fields.get("lines", []), "pictures": picture_names(fields), "made_with": fields["made_with"],
            "networks": [network_fields(name, network) for name, network in networks.items()], "confusion": confusions(fields),
            "input": input_kind(fields["recipe"]), "takes": takes(fields["recipe"])}


def picture_names(fields: Json) -> list[str]:
    """The plots of a run that a page can show."""
    return [name for name in fields.get("plots", []) if isinstance(name, str) and Path(name).suffix in TYPES]


def network_fields(name: str, network: Json) -> Json:
    """A network: its layers, and how many parameters each has."""
    return {"name": name, "layers": [{"path": str(layer.get("path", "")), "layer": str(layer.get("layer", "")), "numbers": count(layer)}
                                     for layer in network["structure"] if isinstance(layer, dict)]}


def count(layer: Json) -> int:
    """How many numbers the parameters and buffers of a layer are."""
    total = 0
    for about in layer.get("state", {}).values():
        size = 1
        for n in about.get("shape", ()):
            size *= int(n)
        total += size
    return total


def confusions(fields: Json) -> list[Json]:
    """The confusion of classes of each target of a table, where it was measured."""
    if fields["recipe"] != TABLE:
        return []
    data = fields.get("data", {})
    tables = []
    for facts in (data, *data.get("more targets", ())):
        counts, target = facts.get("account", {}).get("confusion"), facts.get("schema", {}).get("target", {})
        if counts and len(counts) <= MOST_CLASSES:
            classes = list(map(str, target.get("classes", []))) or list(map(str, range(len(counts))))
            tables.append({"target": str(target.get("column", {}).get("name", "")), "classes": classes, "counts": counts})
    return tables


def takes(recipe: str) -> str:
    """What an input of the run is, in the recipe's word; "" where it cannot predict here."""
    if recipe == TABLE:
        return "ROWS.csv"
    experiment = {**RECIPES, **OWN_DATA}.get(recipe)
    return experiment.takes if experiment is not None and experiment.predict is not None and experiment.network is not None else ""


def input_kind(recipe: str) -> str:
    """How the page asks for an input: `file`, `text`, `series` (a name, and perhaps a file), or "" where the run cannot predict here."""
    word = takes(recipe)
    return "" if not word else "text" if word in TEXTS else "series" if word == SERIES else "file"


def read_picture(folder: Path, name: str) -> tuple[bytes, str]:
    """The bytes and the type of one of the run's own pictures; ArgumentError for any other name."""
    fields = read_stable(folder, read_fields)
    if name not in picture_names(fields):
        raise ArgumentError(f"the run has no picture {name[:100]!r}", why="only the pictures that its record names are shown", where="")
    return read_whole(inside(folder, current(folder, name)), MOST_PICTURE), TYPES[Path(name).suffix]
