"""The closed list of globals that a pickled checkpoint may name, and what each of them builds: containers, arrays, tensors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..files.npyfile import PLAIN
from ..files.reading import REPAIR
from .storage import KINDS, Strided, TypedStorage

SAVE_STATE = "save the weights alone with PyTorch: torch.save(net.state_dict(), path)"
MOST_KEY_BITS = 60  # integers above are hashed modulo 2**61 - 1: many with one hash would make a dict slow
PLAIN_KEYS = (str, bytes, int, type(None))


class Builder:
    """The base class of the unpickler: errors that name the byte, and a limit on the bytes that copies take."""

    allowance: int  # bytes and items that may still be copied: a pickle can name one value many times

    def refuse(self, problem: str, why: str = "", repair: str = REPAIR) -> DataError:
        raise NotImplementedError

    def spend(self, count: int) -> None:
        """Account for a copy of `count` bytes or items."""
        self.allowance -= count
        if self.allowance < 0:
            raise self.refuse("values are copied until they are larger than the file")

    def key(self, value: Any) -> Any:
        """`value`, if it can be a key at constant cost."""
        if not isinstance(value, PLAIN_KEYS) or (isinstance(value, int) and value.bit_length() > MOST_KEY_BITS):
            raise self.refuse(f"a {type(value).__name__} is a key or an element of a set",
                              "only text, bytes and integers are supported there")
        return value


class Class(NamedTuple):
    """A global that is called: its name, and the function that builds its value from the builder and the arguments."""

    name: str
    rebuild: Callable[..., Any]


class Kind(NamedTuple):
    """A torch.dtype, a class of storages, or a class that is only an argument of others."""

    name: str


class DType(NamedTuple):
    """A NumPy dtype."""

    dtype: np.dtype


class Shell:
    """An array before its state is known."""


def no_such_global(builder: Builder, name: str) -> DataError:
    """The error for a global outside the list."""
    return builder.refuse(f"it names {name:.200}, which is not read",
                          "only tensors, arrays and plain containers are: anything else could run code", SAVE_STATE)


# Containers

def make_dict(builder: Builder, pairs: Any = ()) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        pairs = pairs.items()
    builder.spend(len(pairs))
    return {builder.key(key): value for key, value in pairs}


def make_default_dict(builder: Builder, factory: Any = None, pairs: Any = ()) -> dict[Any, Any]:
    return make_dict(builder, pairs)


def make_set(builder: Builder, items: Any = ()) -> set[Any]:
    builder.spend(len(items))
    return set(map(builder.key, items))


def make_size(builder: Builder, sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes


def make_complex(builder: Builder, real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def make_bytes(builder: Builder, content: Any = b"", encoding: str = "latin-1") -> bytes:
    return encode(builder, content, encoding) if isinstance(content, str) else keep_bytes(content)


def keep_bytes(content: Any) -> bytes:
    if not isinstance(content, bytes):
        raise TypeError
    return content


def encode(builder: Builder, text: str, encoding: str) -> bytes:
    """What protocol 2 writes for bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError
    builder.spend(len(text))
    return text.encode("latin-1")


def make_device(builder: Builder, kind: str, index: int = 0) -> str:
    return f"{kind}:{index}"


# NumPy

def make_dtype(builder: Builder, code: str, *rest: Any) -> DType:
    if not isinstance(code, str) or not PLAIN.fullmatch(code):
        raise builder.refuse(f"a NumPy array or number has dtype {code!r:.80}", "only numbers are read")
    return DType(np.dtype(code))


def make_shell(builder: Builder, kind: Any, shape: tuple[int, ...], code: Any) -> Shell:
    if kind != GLOBALS["numpy ndarray"]:
        raise TypeError
    return Shell()


def make_scalar(builder: Builder, dtype: DType, content: Any) -> np.generic:
    builder.spend(dtype.dtype.itemsize)
    return np.frombuffer(raw_bytes(builder, content), dtype.dtype, count=1)[0]


def raw_bytes(builder: Builder, content: Any) -> bytes:
    """Bytes; Python 2 wrote them as text."""
    if isinstance(content, str):
        builder.spend(len(content))
        return content.encode()
    return keep_bytes(content)


def complete(builder: Builder, target: Any, state: Any) -> Any:
    """The value with the state that BUILD gives it: attributes of dicts are dropped, arrays get shape, dtype and data."""
    if isinstance(target, Shell):
        return complete_array(builder, *state)
    if isinstance(target, DType):
        return DType(target.dtype.newbyteorder(state[1] if state[1] in "<>" else "="))
    if isinstance(target, (dict, Strided)):
        return target
    raise TypeError


def complete_array(builder: Builder, version: int, shape: tuple[int, ...], dtype: DType, fortran_order: bool, content: Any) -> np.ndarray:
    raw = np.frombuffer(raw_bytes(builder, content), dtype.dtype)
    if dtype.dtype == bool and raw.size and raw.view(np.uint8).max() > 1:
        raise ValueError
    return raw.reshape(shape, order="F" if fortran_order else "C")


def make_array(builder: Builder, content: Any, dtype: DType, shape: tuple[int, ...], order: str) -> np.ndarray:
    """What protocol 5 writes for an array."""
    return complete_array(builder, 1, shape, dtype, order == "F", content)


# PyTorch

def make_tensor(builder: Builder, held: TypedStorage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...],
                requires_grad: bool = False, hooks: Any = None, metadata: Any = None) -> Strided:
    return make_typed_tensor(builder, held, offset, shape, strides, requires_grad, hooks, Kind(held.kind), metadata)


def make_typed_tensor(builder: Builder, held: TypedStorage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...],
                      requires_grad: bool, hooks: Any, kind: Kind, metadata: Any = None) -> Strided:
    if not isinstance(held, TypedStorage) or not isinstance(kind, Kind):
        raise TypeError
    if metadata and any(metadata.values()):
        raise builder.refuse(f"a tensor is marked as {', '.join(map(str, metadata))}", "its values are not those of its storage",
                             "call resolve_conj() or resolve_neg() before you save it")
    if kind.name not in KINDS:
        raise builder.refuse(f"a tensor has dtype torch.{kind.name}, which NumPy lacks", "", "cast it to float32 before you save it")
    return Strided(held.storage, kind.name, offset, shape, strides)


def keep_tensor(builder: Builder, tensor: Strided, *rest: Any) -> Strided:
    """A parameter is its tensor."""
    if not isinstance(tensor, Strided):
        raise TypeError
    return tensor


def rebuild_from_type(builder: Builder, function: Class, kind: Kind, args: tuple[Any, ...], state: Any) -> Any:
    """A tensor or parameter with attributes, which are dropped."""
    if function not in TENSORS or kind not in (GLOBALS["torch._tensor Tensor"], GLOBALS["torch.nn.parameter Parameter"]):
        raise no_such_global(builder, getattr(kind, "name", "a subclass of torch.Tensor"))
    return function.rebuild(builder, *args)


CLASSES: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": make_dict, "collections defaultdict": make_default_dict, "collections Counter": make_dict,
    "builtins dict": make_dict, "builtins set": make_set, "builtins frozenset": make_set, "builtins complex": make_complex,
    "builtins bytes": make_bytes, "builtins bytearray": make_bytes, "_codecs encode": encode,
    "numpy dtype": make_dtype, "numpy._core.multiarray _reconstruct": make_shell, "numpy._core.multiarray scalar": make_scalar,
    "numpy._core.numeric _frombuffer": make_array,
    "torch Size": make_size, "torch device": make_device,
    "torch._utils _rebuild_tensor": make_tensor, "torch._utils _rebuild_tensor_v2": make_tensor,
    "torch._utils _rebuild_tensor_v3": make_typed_tensor, "torch._utils _rebuild_parameter": keep_tensor,
    "torch._utils _rebuild_parameter_with_state": keep_tensor, "torch._tensor _rebuild_from_type_v2": rebuild_from_type,
}
STORAGES = {"Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32",
            "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128"}
OTHER_DTYPES = ("float8_e4m3fn", "float8_e5m2", "complex32")  # for an error that says what is wrong
VALUES: dict[str, Any] = {
    "numpy ndarray": Kind("numpy.ndarray"), "torch._tensor Tensor": Kind("torch.Tensor"), "torch Tensor": Kind("torch.Tensor"),
    "torch.nn.parameter Parameter": Kind("torch.nn.Parameter"), "builtins list": Kind("list"), "builtins int": Kind("int"),
    "torch.storage UntypedStorage": Kind("uint8"),
    **{f"torch {name}Storage": Kind(kind) for name, kind in STORAGES.items()},
    **{f"torch {kind}": Kind(kind) for kind in (*KINDS, *OTHER_DTYPES)},
}
GLOBALS: dict[str, Any] = {**VALUES, **{name: Class(name.replace(" ", "."), function) for name, function in CLASSES.items()}}
GLOBALS |= {re.sub("^builtins", "__builtin__", name): value for name, value in GLOBALS.items()}  # Python 2's names, and those of NumPy 1
GLOBALS |= {re.sub(r"^numpy\._core", "numpy.core", name): value for name, value in GLOBALS.items()}
TENSORS = [value for name, value in GLOBALS.items() if name.startswith("torch._utils")]
