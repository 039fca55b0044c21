"""export_stablehlo: a function as a program of StableHLO, the format in which engines that build on XLA exchange programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..capture import Captured, Value, capture
from ..errors import ArgumentError
from ..extras import require
from ..files.atomic import saving, write_bytes
from ..graph.node import Node
from ..passes.pipeline import optimize_portably
from .library import load_jax, modes
from .trace import Arrays, Tracer

VERSION = re.compile(rb"StableHLO_v([\d.]+)")  # in the head of an artifact
PLATFORMS = "cpu", "cuda", "rocm", "tpu"


@dataclass(frozen=True, eq=False)
class StableHLO:
    """A program of StableHLO.

    text      the program to read: a module of MLIR
    artifact  the same as portable bytecode, which later versions of StableHLO read, too
    version   the version of StableHLO in which the artifact is written
    inputs    the path and type of each argument of the program, such as `x: float32[8, 784]`, in their order; outputs likewise
    exported  the same as JAX's own object: `.call(*arrays)`, `.serialize()`
    """

    text: str = field(repr=False)
    artifact: bytes = field(repr=False)
    version: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    exported: Any = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the artifact into a file, or, where its name ends in .mlir, the text. Raises SaveError where it cannot be written."""
        target = Path(path)
        with saving(target):
            write_bytes(target, self.text.encode() if target.suffix == ".mlir" else self.artifact)


def export_stablehlo(function: Callable[..., Any], *examples: Any, **options: Any) -> StableHLO:
    """A function of tensors as a program of StableHLO, for engines other than slopes: IREE, OpenXLA's plugins, TensorFlow, JAX.

    Of the examples only shapes and types count; Python values among them, and `options`, are part of the program, and so are the values
    of parameters and other tensors that the function reads: the program needs nothing else. It takes the tensors among the examples
    which the function reads, and gives those among its results, in their order. It runs on CPUs, NVIDIA and AMD GPUs and TPUs. It
    reports no errors: an index out of range reads some element of the axis, and an integer divided by zero is some integer.

    Raises MissingExtraError without JAX (pip install 'slopes[xla]'), ArgumentError for a function that assigns tensors, such as a
    network with batch norm in training mode, and what sl.compile raises.

    Source: the StableHLO specification, https://openxla.org/stablehlo/spec.

    >>> import slopes as sl
    >>> program = sl.export_stablehlo(lambda x: sl.tanh(x).sum(), sl.zeros((2, 3)))  # doctest: +SKIP
    >>> program.inputs, program.outputs  # doctest: +SKIP
    (('x: float32[2, 3]',), ('output: float32[]',))
    """
    jax, captured = load_jax(), capture(function, *examples, **options)
    if captured.updates:
        names = ", ".join(value.path for value in captured.updates[:3])
        raise ArgumentError(f"export_stablehlo: {captured.name} assigns {names}{', ...' if len(captured.updates) > 3 else ''}",
                            why="the program is a function of its arguments, without state",
                            repair="put the network into use first: net.eval()")
    roots = optimize_portably([value.node for value in captured.outputs])
    shapes = [jax.ShapeDtypeStruct(value.node.shape, value.node.dtype) for value in captured.inputs]
    with modes(jax):
        exported = require("jax.export", extra="xla").export(jax.jit(plain_function(jax, captured, roots)), platforms=PLATFORMS)(*shapes)
    artifact = exported.mlir_module_serialized
    version = VERSION.search(artifact)
    assert version is not None, "JAX writes versioned artifacts"
    return StableHLO(exported.mlir_module(), artifact, version[1].decode(),
                     signature(captured.inputs), signature(captured.outputs), exported)


def plain_function(jax: Any, captured: Captured, roots: list[Node]) -> Callable[..., Arrays]:
    """The captured function as one of arrays; the values of its state are constants."""
    state = {value.node: value.tensor.numpy() for value in captured.state if value.tensor is not None}

    def main(*inputs: Any) -> Arrays:
        constants = {node: jax.numpy.asarray(array) for node, array in state.items()}
        return Tracer(jax).evaluate(roots, {**constants, **{value.node: array for value, array in zip(captured.inputs, inputs)}})

    return main


def signature(values: tuple[Value, ...]) -> tuple[str, ...]:
    """Paths and types in words."""
    return tuple(f"{value.path}: {value.node.dtype}{list(value.node.shape)}" for value in values)
