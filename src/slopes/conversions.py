"""The values of tensors in Python and NumPy: numbers, lists, arrays, printed text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import shorten
from .errors import ArgumentError, DTypeError, SlopesError
from .extras import on_demand
from .graph import dtype as dtypes
from .graph.build import Constant
from .graph.dtype import is_integer
from .modes import mode
from .numpy_calls import WITHOUT_GRADIENT
from .owned import disown, hand_out
from .standard import check_version
from .tensor_errors import check_conversion, check_unpacking, cut_off, numpy_error, single_error, value_error
from .tensor_fields import TensorFields
from .versions import versions

NOTEBOOK = "slopes.notebook"  # loaded when a notebook shows a tensor


class Conversions(TensorFields):
    """The methods of a tensor that show its value, or need it where Python code does."""

    __slots__ = ()

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array that shares memory and is read-only; later assignments and training do not change it.

        While another thread runs a compiled function that assigns this tensor, the value is that of a whole call, before or after
        it; so are all values of a `state_dict`. Raises TraceError inside of a compiled function.

        >>> import slopes as sl
        >>> sl.tensor([1., 2.]).numpy()
        array([1., 2.], dtype=float32)
        """
        view = self._known("numpy").view()
        disown(self)
        view.flags.writeable = False
        return view

    @property
    def value(self) -> np.ndarray:
        """The value as a read-only NumPy array; the same as `numpy()`."""
        return self.numpy()

    def item(self) -> Any:
        """The only element as a Python number. Raises ShapeError unless there is exactly one.

        >>> import slopes as sl
        >>> sl.tensor([[2.5]]).item()
        2.5
        """
        return self._single("item").item()

    def tolist(self) -> Any:
        """The value as nested Python lists."""
        array = self._known("tolist")
        disown(self)
        return array.tolist()

    def _known(self, use: str) -> np.ndarray:
        """The array, when values are known here; a value read while a function is traced would be frozen into its program."""
        if self._value is not None and mode.trace is None:
            return self._value
        if self._node is not None and self._node.op is Constant and self._value is None:
            return self._node.value  # type: ignore[return-value]
        raise value_error(self, use)

    def _value_now(self) -> np.ndarray:
        """The array of a tensor that is computed with at once: it must not be left over from a trace."""
        if self._value is None:
            raise value_error(self, "leak")
        return self._value

    def peek(self) -> np.ndarray | None:
        """The value held now, for showing to people, also while a function is traced (None: there is none)."""
        return self._value if self._value is not None or self._node is None else self._node.value

    def _single(self, use: str) -> np.ndarray:
        array = self._known(use)
        if array.size != 1:
            raise single_error(array, use)
        return array.reshape(())

    def __bool__(self) -> bool:
        return bool(self._single("bool"))

    def __float__(self) -> float:
        if mode.trace is None and gradient_wanted(self):
            check_conversion(self, sys._getframe(1))
        return float(self._single("float"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __complex__(self) -> complex:
        if mode.trace is None and gradient_wanted(self):
            check_conversion(self, sys._getframe(1))
        return complex(self._single("complex"))

    def __index__(self) -> int:
        if not is_integer(self.dtype) or self.ndim:
            raise DTypeError(f"a tensor of type {self.dtype} and shape {self.shape} cannot count or index",
                             repair="a 0-d integer tensor can: take int(x) of a single number")
        return int(self._known("int"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if mode.trace is None and gradient_wanted(self):
            raise cut_off(self, "a NumPy array made of it", "functions of slopes")
        if dtype is not None and self.dtype.kind == "c" and np.dtype(dtype).kind != "c":
            raise DTypeError(f"a tensor of type {self.dtype} cannot become {np.dtype(dtype)}", why="its imaginary part would be lost",
                             repair="take the absolute value, which is real")
        view = self.numpy()
        if dtype is not None and np.dtype(dtype) != view.dtype and copy is False:
            raise DTypeError(f"a tensor of type {self.dtype} cannot become {np.dtype(dtype)} without a copy")
        return np.array(view, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        """A DLPack capsule that shares memory with this tensor (copied first when the memory is read-only)."""
        if gradient_wanted(self):
            raise cut_off(self, "an array of another library made of it", "functions of slopes")
        array = self._known("numpy")
        disown(self)
        return (array if array.flags.writeable else array.copy()).__dlpack__(**options)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The package, which has the functions of the Python array API. Raises ArgumentError for a version that it does not follow."""
        check_version(api_version)
        return on_demand("slopes")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU

    def __iter__(self) -> Iterator[Any]:
        if self.shape:
            check_unpacking(self, sys._getframe(1))
        return super().__iter__()

    def _index_item(self, item: Any) -> Any:
        """Integer and boolean tensors become arrays where their values are known."""
        if not isinstance(item, TensorFields):
            return item
        known = item._value if mode.trace is None else item._node.value if item._value is None else None  # type: ignore[union-attr]
        return item if known is None else int(known) if not known.ndim and known.dtype.kind in "iu" else known

    def _mask_positions(self, mask: Any) -> list[np.ndarray]:
        if not isinstance(mask, np.ndarray):
            raise value_error(mask, "mask")
        return list(np.nonzero(mask))

    # How it is shown

    def __repr__(self) -> str:
        marks = [] if self.dtype in (dtypes.float32, dtypes.int64, dtypes.bool_) else [f"dtype={self.dtype}"]
        marks += ["requires_grad=True"] if self._requires_grad else []
        if self._value is None:
            return f"{self._prints_as}({', '.join([f'traced, shape={self.shape}', *marks])})"
        marks = [f"shape={self.shape}"] * (not self.size and self.shape != (0,)) + marks
        text = np.array2string(self._value, separator=", ", prefix=self._prints_as + "(")
        return f"{self._prints_as}({', '.join([text, *marks])})"

    def _repr_html_(self) -> str:
        """The text and a small picture of the values, in a notebook."""
        text = f"{self!r}\n{self.dtype} {self.shape}"
        return on_demand(NOTEBOOK).array_html(text, np.empty(0) if self._value is None else self._value)

    def __str__(self) -> str:
        return repr(self) if self._value is None else str(self._value)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)


def gradient_wanted(x: Any) -> bool:
    """Whether `backward` may ask for a gradient that comes through this tensor."""
    return isinstance(x, TensorFields) and x._requires_grad and mode.recording


def shared(tensors: Sequence[Conversions]) -> list[np.ndarray]:
    """The arrays of tensors, all as one call of a compiled function left them, which from now on others may hold too."""
    with versions.gate:
        arrays = [x._known("numpy") for x in tensors]
        hand_out(tensors)
    return arrays


def on_values(function: Any, name: str, args: tuple, options: dict[str, Any]) -> Any:
    """A function of NumPy on the values of tensors."""
    leaves, structure = tree.flatten((args, options))
    for leaf in leaves:
        if isinstance(leaf, Conversions) and name not in WITHOUT_GRADIENT and (mode.trace is not None or gradient_wanted(leaf)):
            raise numpy_error(leaf, name)
    args, options = tree.unflatten(structure, [leaf.numpy() if isinstance(leaf, Conversions) else leaf for leaf in leaves])
    try:
        return function(*args, **options)
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, SlopesError) else ArgumentError(f"np.{name}: {shorten(str(error))}") from error
