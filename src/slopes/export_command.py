"""`slopes export`: the network of a run folder as an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from .errors import ArgumentError
from .experiments.load import TableRun, load
from .onnx.export import save_onnx

TYPES = ("float32", "float64", "int64", "int32", "bool")
EXAMPLE = "1,28,28, or 64:int64 for 64 tokens"


class Shape(click.ParamType):
    """The shape of one example of an input, and its type: `1,28,28` or `64:int64`."""

    name = "shape"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> np.ndarray:
        """A batch of one example, or click's error of a wrong value."""
        sizes, _, dtype = str(value).partition(":")
        try:
            shape = tuple(int(size) for size in sizes.split(",") if size)
        except ValueError:
            shape = (0,)
        if any(size < 1 for size in shape) or dtype not in ("", *TYPES):
            self.fail(f"{value!r} is no shape: sizes of 1 or more, then perhaps a colon and {', '.join(TYPES)}.", parameter, context)
        return np.zeros((1, *shape), dtype or "float32")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE.onnx", help="the file to write")
@click.option("--input", "inputs", type=Shape(), multiple=True, metavar="SHAPE[:TYPE]",
              help=f"the shape of one example of an input, without the batch: {EXAMPLE}; repeated for each input  "
              "[default: the shape of the run's own images, float32]")
@click.option("--network", metavar="NAME", help="which network, of a run with several  [default: the first]")
def export(run: Path, out: Path, inputs: tuple[np.ndarray, ...], network: str | None) -> None:
    """Write the trained network of the folder RUN as an ONNX model, which other runtimes run for batches of any size.

    The model takes what the network takes: the arrays into which a recipe turns images, texts or sounds, not files.
    Needs the extra [onnx]: pip install 'slopes[onnx]'.

    \b
    Examples:
      slopes export runs/lenet --out lenet.onnx
      slopes export runs/chars --out chars.onnx --input 64:int64
    """
    if out.suffix != ".onnx":
        raise ArgumentError(f"--out {out} is no name of an ONNX model", why="slopes export writes models of ONNX, whose names end in .onnx",
                            repair=f"write --out {out.with_suffix('.onnx')}")
    loaded = load(run)
    if isinstance(loaded, TableRun):
        raise ArgumentError(f"{run} is a run of slopes train table, whose networks are not exported",
                            why="they take columns that other parts of the run encode, which a model of ONNX would lack",
                            repair="predict with slopes predict, or export your own network: sl.save_onnx(net, path, example)")
    if network is not None and network not in loaded.networks:
        raise ArgumentError(f"{run} has no network {network!r}", why=f"it has {', '.join(loaded.networks) or 'none'}",
                            repair="name one of them, or leave out --network for the first")
    net = loaded.net if network is None else loaded.networks[network]
    save_onnx(net, out, *(inputs or (own_example(run, loaded.record.data),)))
    click.echo(f"saved in {out}")


def own_example(run: Path, facts: dict[str, Any]) -> np.ndarray:
    """A batch of one of the run's own examples, as far as the folder says what they are."""
    if "shape" not in facts:
        raise ArgumentError(f"{run} does not say what shape the examples of its network have", why="only runs on images do",
                            repair=f"pass it for each input: --input {EXAMPLE}")
    return np.zeros((1, *facts["shape"]), np.float32)
