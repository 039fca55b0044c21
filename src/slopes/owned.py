"""Who may write into the array of a tensor: the ownership rules, and everything that changes them.

A tensor holds one array, `_value`. Compiled functions write new values of parameters, buffers and an optimizer's state into the very
array that is there, because a fresh one at each step would cost more than a small step. They may do so only while nobody else can
see that array. That is what owning means:

    If `_owned` is true, no one but this tensor (and the compiled functions that it is bound to) holds `_value` or a view of it, and
    `_value` is C-contiguous and starts on a 64-byte boundary (if it holds 64 bytes).

    own_array(x)      the array for a program to write into; copied first unless it is owned. It stays owned until it is handed out
    own_copy(x, a)    hold a fresh copy of `a` that is owned
    take_over(x, y)   hold and own the array that y owned
    rebind(x, a)      hold another array, which is not owned, as others may hold it. Recorded graphs keep the old one
    read_array(x)     the array for a program to read: contiguous and aligned, copied first unless it is; written by nobody
    find_address(x)   where the array begins, kept in `_address` until the next `rebind`; 0 if no program can read it as it lies
    disown(x)         somebody else is about to hold the array. Every way out goes through here, before the array is shown: `numpy()`,
                      slices, `detach`, DLPack, a node of a recorded graph, an operation whose result may be a view
    hand_out(xs)      disown several tensors together, between two calls of whoever writes into them

What a compiled function has bound are addresses. They stay right as long as `versions.state` is what it was: `rebind` and `hand_out`
count in it, so that the next call binds anew, and then copies what it may no longer write into. A call that only writes into owned
arrays changes no address; it counts in `versions.written`, for those that keep something computed from the values.

A value may lie on a device: `_remote` is then what holds it there. Its array here is a copy of the same values that nobody writes into,
or unset until somebody reads it (tensor_fields.py). Programs of the device replace the remote value by `move_to_device`; whoever binds or
writes the array here ends that, and the next program of the device copies the values there again.

    copy_to_device(x) the array to copy from; no program writes into it meanwhile
    lend(x, r)        the device has a copy, r, of a tensor that programs of the device only read
    move_to_device    the new value lies on the device alone

Who may do what: this file alone writes `_owned`, `_address` and `_remote` (`Tensor` sets them when it is made); only `Bound` and
`fast_call` let programs write into owned arrays; everybody else assigns by `x.assign(value)`. With SLOPES_CHECK=1 each call of a compiled
function verifies these rules: see checked.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .arrays import address_of, aligned_empty
from .tensor_fields import Remote, TensorFields, local_class, remote_class
from .versions import versions


def rebind(x: TensorFields, array: np.ndarray) -> None:
    """Hold another array; recorded graphs keep the old one."""
    x._value, x._node, x._owned, x._address = array, None, False, 0
    if x._remote is not None:
        with versions.gate:  # who fetches at this moment is waited for
            x._remote, x._value = None, array
            x.__class__ = local_class(type(x))
    versions.state += 1


def own_array(x: TensorFields) -> np.ndarray:
    """The array for a compiled program to write into: C-contiguous, 64-byte aligned and held by no one else.

    Copies it first where a recorded graph, a view or another tensor may hold it. It stays owned until it is handed out, which is a
    change of `versions.state`.
    """
    if not x._owned:
        own_copy(x, x._value)
    x._remote = None
    return x._value  # type: ignore[return-value]


def own_copy(x: TensorFields, array: Any) -> None:
    """Hold a copy that no one else holds, laid out as a compiled program needs it."""
    fresh = aligned_empty(x.shape, x.dtype)
    fresh[...] = array
    rebind(x, fresh)
    x._owned = True


def take_over(x: TensorFields, source: TensorFields) -> None:
    """Hold and own the array of another tensor, which owned it and is not used any more."""
    assert source._owned, "what others may hold is copied"
    array, source._owned = source._value, False
    rebind(x, array)  # type: ignore[arg-type]
    x._owned = True


def read_array(x: TensorFields) -> np.ndarray:
    """The array for a compiled program to read: C-contiguous and aligned to its type; not written, and not exposed."""
    array = x._value
    if not (array.flags.c_contiguous and array.flags.aligned):  # type: ignore[union-attr]
        rebind(x, np.array(array, order="C"))
    return x._value  # type: ignore[return-value]


def find_address(x: TensorFields) -> int:
    """Where the value begins; 0 when it cannot be read as it lies, row by row."""
    array = x._value
    if not (array.flags.c_contiguous and array.flags.aligned):  # type: ignore[union-attr]
        return 0
    x._address = address_of(array)  # type: ignore[arg-type]
    return x._address


def disown(x: TensorFields) -> None:
    """Let others hold the array from now on."""
    if x._owned:
        hand_out([x])


def hand_out(tensors: Sequence[TensorFields]) -> None:
    """Let the arrays of these tensors, which compiled functions write into, be held by others from now on: they change no more.

    A call that writes into them right now is waited for; the next one finds the state changed, stops at the gate, and then writes
    into copies. Calls between which nothing is handed out do nothing for it.
    """
    with versions.gate:
        owned = {x: id(x._value) for x in tensors if x._owned}
        versions.state += bool(owned)
        for writer in versions.writers if owned else ():
            writer.wait_for(set(owned.values()))
        for x in owned:  # only now: who finds a tensor that is not owned does not wait
            x._owned, x._remote = False, None


def copy_to_device(x: TensorFields) -> np.ndarray:
    """The array of a tensor whose value a device needs: what programs write into it later goes into copies."""
    disown(x)
    return x._value  # type: ignore[return-value]


def lend(x: TensorFields, remote: Remote) -> None:
    """Know the copy on the device of a tensor that its programs read, until somebody writes the array here, or may hold it."""
    own_copy(x, x._value)
    x._remote, remote.is_here = remote, True


def move_to_device(x: TensorFields, remote: Remote) -> None:
    """Leave the value to the device, which has computed it; again, where Ctrl-C ended this in the middle. `versions.gate` is held."""
    if x._remote is not remote:
        remote.is_here, x._remote = True, remote
    if remote.is_here:
        versions.state += 1
        x._node, x._owned, x._address = None, False, 0
        x.__class__ = remote_class(type(x))  # type: ignore[arg-type]  # a class has a hash
        with suppress(AttributeError):
            del x._value
        remote.is_here = False
