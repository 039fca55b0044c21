"""check_grads: compare derivatives of a function with central differences, and compiled with eager results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .autodiff import check
from .compile import compile
from .derivatives.follow import ARRAYS, Function
from .derivatives.modes import jvp, vjp
from .errors import GradientError
from .graph.dtype import is_float
from .guarded import check_function
from .tensor import Tensor, asarray, from_array
from .tree import flatten, named_leaves, unflatten


def check_grads(f: Function, *args: Any, order: int = 2, every: bool = False, step: float | None = None,
                tolerance: float | None = None, seed: int = 0, compiled: bool = True) -> None:
    """Check the derivatives of `f` at `args` against central differences, (f(x + h v) - f(x - h v)) / 2h, eager and compiled.

    Raises GradientError, with output, direction and both numbers, if they differ by more than `tolerance`. Float arguments are
    converted to float64. `order=2` also checks second derivatives; `every=True` tests every coordinate of every argument instead of
    one random direction v. Forward mode is also compared with reverse mode, and eager with compiled results, which finds native
    code of a custom operation that differs from its meaning. Pass `compiled=False` for functions that cannot be traced.

    >>> import slopes as sl
    >>> sl.check_grads(lambda x, w: (x @ w).tanh(), sl.tensor([[1., 2.]]), sl.tensor([[.1], [.2]]))
    """
    check_function("check_grads", f)
    leaves, structure = flatten(args)
    followed = [i for i, leaf in enumerate(leaves) if isinstance(leaf, ARRAYS) and is_float(asarray(leaf).dtype)]
    names = [path for i, arg in enumerate(args) for path, _ in named_leaves(arg, f"argument {i}")]
    if not followed:
        raise GradientError("check_grads: no argument is a float tensor", repair="pass at least one")

    def flat(*tensors: Tensor) -> list[Tensor]:
        values = dict(zip(followed, tensors))
        result, _ = flatten(f(*unflatten(structure, [values.get(i, leaf) for i, leaf in enumerate(leaves)])))
        return [output for output in map(asarray, result) if is_float(output.dtype)]

    points = [np.array(asarray(leaves[i]).numpy(), np.float64) for i in followed]
    check_order(flat, points, [names[i] for i in followed], Options(order, every, step, tolerance, seed, compiled))


class Options:
    """How check_grads checks."""

    def __init__(self, order: int, every: bool, step: float | None, tolerance: float | None, seed: int, compiled: bool) -> None:
        self.order, self.every, self.step, self.tolerance, self.seed, self.compiled = order, every, step, tolerance, seed, compiled

    def next(self, precision: str) -> Options:
        """For the derivative: one order less, and twice the error."""
        tolerance = self.tolerance or check.TOLERANCES[precision]
        return Options(self.order - 1, self.every, self.step, 10 * tolerance, self.seed + 2, self.compiled)


def check_order(flat: Callable[..., list[Tensor]], points: list[np.ndarray], names: list[str], options: Options,
                compared: bool = False) -> None:
    """Check one derivative; then, if asked, the function that it is. compared: whether `flat` is known to be the same compiled."""
    outputs = run_on_arrays(flat, points)
    if not outputs:
        raise GradientError("check_grads: the function returned no float tensor", repair="return at least one")
    precision = "float64" if all(array.dtype == np.float64 for array in outputs) else "float32"
    step, tolerance = options.step or check.STEPS[precision], options.tolerance or check.TOLERANCES[precision]
    seeds = check.random_like(outputs, options.seed + 1)

    def gradient(*tensors: Tensor) -> list[Tensor]:
        return list(vjp(flat, *tensors)[1](list(map(from_array, seeds))))

    if options.compiled:
        if not compared:
            check_compiled("output", flat, points, tolerance)
        check_compiled("gradient", gradient, points, tolerance)
    for along, moves in check.directions(points, names, options.every, options.seed):
        _, tangents = jvp(flat, [from_array(p) for p in points], [from_array(v) for v in moves])
        results = [tangent.numpy() for tangent in tangents]
        differences = check.central_difference(lambda arrays: run_on_arrays(flat, arrays), points, moves, step)
        check.compare(along, results, differences, tolerance)
        check.check_transposed(results, seeds, moves, run_on_arrays(gradient, points), tolerance)
    if options.order > 1:
        check_order(gradient, points, names, options.next(precision), options.compiled)


def run_on_arrays(flat: Callable[..., list[Tensor]], arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in flat(*map(from_array, arrays))]


def check_compiled(what: str, flat: Callable[..., list[Tensor]], points: list[np.ndarray], tolerance: float) -> None:
    """Raise GradientError unless the compiled function gives what eager mode gives."""
    expected, results = run_on_arrays(flat, points), run_on_arrays(compile(flat), points)
    for i, (eager, ours) in enumerate(zip(expected, results)):
        same = np.isclose(ours, eager, rtol=tolerance, atol=tolerance, equal_nan=True)
        if not same.all():
            index = np.unravel_index(np.argmin(same), same.shape)
            at = f" at {tuple(map(int, index))}" if index else ""
            raise GradientError(f"check_grads: {what} {i}{at} is {float(ours[index]):.9g} compiled and {float(eager[index]):.9g} "
                                f"in eager mode", why="the native code of an operation differs from its meaning",
                                repair="compare its `emit` with its `meaning`; compiled=False leaves this check out")
