"""What `slopes` says of itself as a namespace of the Python array API: its device, its types, what it can do."""

from __future__ import annotations

from typing import Any

from .functions.data_types import isdtype
from .graph.dtype import ALL, DType, complex64, default_float, default_int
from .standard import CPU, check_device


class NamespaceInfo:
    """The answers of `slopes.__array_namespace_info__()`.

    >>> import slopes as sl
    >>> info = sl.__array_namespace_info__()
    >>> info.default_device(), info.default_dtypes()["real floating"]
    ('cpu', dtype('float32'))
    """

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks and sizes that depend on values: in eager mode; the most axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """The only one."""
        return CPU

    def devices(self) -> list[str]:
        """All."""
        return [CPU]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The types of Python's numbers, and of indices."""
        check_device("default_dtypes", device)
        return {"real floating": default_float, "complex floating": complex64, "integral": default_int, "indexing": default_int}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The types by name, all or those of a kind (`isdtype`)."""
        check_device("dtypes", device)
        return {dtype.name: dtype for dtype in ALL if kind is None or isdtype(dtype, kind)}
