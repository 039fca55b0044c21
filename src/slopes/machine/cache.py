"""Compiled programs on the disk: only what this user wrote, and nobody else could have written, is ever loaded."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import platform
import secrets
import stat
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from .. import settings
from ..errors import ArgumentError, SlopesError, say_once
from ..lazy import lazy
from .engine import Manifest
from .translate import host

MAGIC = b"slopes program 4\n"
PROGRAM, KERNEL = ".bin", ".kernel"  # the endings of the entries
KEY, KEY_BYTES = "key", 32  # the file with the secret of the digests
DIGEST = 32
MOST = 256 << 20  # bytes of all entries together; those that were not used for longest are removed first
KEPT = MOST * 3 // 4  # what a removal leaves, so that not every new program has to remove another
UNCHECKED = 1 / 64  # how much of MOST a process writes before it looks again at the sizes of all entries
STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed
PARTS = ("graph", "ops", "autodiff", "passes", "loops", "machine")  # the packages that the compiler imports,
MODULES = ("loading", "costs", "errors", "lazy", "settings", "tree", "extras", "streams", "workers")  # and the modules beside them
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
HAS_OWNERS = hasattr(os, "geteuid")  # not on Windows
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
WRITING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


_unchecked: dict[Path, int] = {}  # by folder: bytes that this process wrote since it last looked at the sizes of all entries


class Untrusted(OSError):
    """A folder or a file that somebody else could have written."""


# ---------------------------------------------------------------------- what a program is kept under
@lru_cache(maxsize=1)
def code_version() -> str:
    """A digest of slopes' own compiler, of all modules that it imports: a program written by another version is never used."""
    digest = hashlib.sha256()
    for file in compiler_files():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def compiler_files() -> list[Path]:
    """The files of the compiler: those of the floors of the house up to `machine`."""
    home = Path(__file__).parent.parent
    return [*(home / f"{name}.py" for name in MODULES), *(file for part in PARTS for file in sorted((home / part).rglob("*.py")))]


def cache_key(description: str) -> str:
    """The name under which a program is kept: graph, slopes, LLVM, and the processor."""
    parts = [description, code_version(), llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)), platform.system(), *host()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# ---------------------------------------------------------------------- loading and storing
def load_cached(key: str) -> tuple[Manifest, list[bytes]] | None:
    """The program kept under this key; None when there is none, or none that may be trusted, which is said once."""
    pieces = load_entries([key], PROGRAM).get(key)
    return None if pieces is None else (manifest_of(pieces[0]), pieces[1:])


def load_entries(keys: Iterable[str], kind: str) -> dict[str, list[bytes]]:
    """The pieces of the entries that are there and may be trusted, by their keys."""
    entries = {}
    try:
        with Folder.opened(create=False) as folder:
            for key in keys:
                with contextlib.suppress(FileNotFoundError):
                    if (pieces := folder.entry(key, kind)) is not None:
                        entries[key] = pieces
    except FileNotFoundError:
        pass
    except (OSError, ArgumentError) as error:
        not_used(error)
    return entries


def store_cached(key: str, manifest: Manifest, codes: Sequence[bytes], kernels: Mapping[str, bytes]) -> None:
    """Keep a program, and the code of kernels for others; a cache that cannot be written costs time, not results."""
    try:
        with Folder.opened(create=True) as folder:
            for kernel, code in kernels.items():
                folder.store(kernel + KERNEL, pack(kernel, [code], folder.secret))
            folder.store(key + PROGRAM, pack(key, [json.dumps(vars(manifest)).encode(), *codes], folder.secret))
            folder.tidy_if_due()
    except (OSError, ArgumentError) as error:
        not_used(error)


def private_folder(name: str) -> Path | None:
    """A folder of the cache, made if need be, that this user owns and nobody else may write to; None, which is said once, without one."""
    try:
        with Folder.opened(create=True, name=name) as folder:
            return folder.path
    except (OSError, ArgumentError) as error:
        not_used(error)
        return None


def not_used(error: OSError | ArgumentError) -> None:
    """Say once per process why programs are not kept."""
    reason = error.what if isinstance(error, SlopesError) else f"{error.filename}: {error.strerror}" if error.filename else str(error)
    say_once(f"slopes: compiled programs are not kept: {reason}; set SLOPES_CACHE to a folder that you own and only you can write to")


def pack(key: str, pieces: Sequence[bytes], secret: bytes) -> bytes:
    """An entry: magic, keyed digest of the rest, key, then the pieces, each behind its length."""
    body = key.encode() + b"".join(struct.pack("<Q", len(piece)) + piece for piece in pieces)
    return MAGIC + hmac.digest(secret, body, "sha256") + body


def unpack(data: bytes, key: str, secret: bytes) -> list[bytes] | None:
    """The pieces of an entry; None unless it was written with this secret for this key."""
    head, body = data[:len(MAGIC) + DIGEST], data[len(MAGIC) + DIGEST:]
    if not hmac.compare_digest(head, MAGIC + hmac.digest(secret, body, "sha256")) or body[:64] != key.encode():
        return None
    pieces, offset = [], 64
    while offset < len(body):
        size, = struct.unpack("<Q", body[offset:offset + 8])
        pieces.append(body[offset + 8:offset + 8 + size])
        offset += 8 + size
    return pieces


def manifest_of(piece: bytes) -> Manifest:
    """The manifest in a program's entry."""
    fields = json.loads(piece)
    fields["sites"] = tuple(fields["sites"])
    fields["kernels"] = tuple((kind, work) for kind, work in fields["kernels"])
    return Manifest(**fields)


# ---------------------------------------------------------------------- the folder
class Folder:
    """The folder of programs, opened: its files are reached through the open folder, whatever happens to its name meanwhile.

    Trusted is a folder that this user owns and nobody else may write to, in folders that only this user or the owner of the whole
    file system can change (or where others' files cannot be renamed, as in /tmp). Windows has no such owners and modes: there the
    keyed digest alone tells which programs this user wrote, and access lists protect the user's own folder.
    """

    def __init__(self, path: Path, handle: int | None) -> None:
        self.path, self.handle = path, handle

    @classmethod
    @contextlib.contextmanager
    def opened(cls, create: bool, name: str = "programs") -> Iterator[Folder]:
        """The folder of programs, or another one of the cache, made with mode 0700 if need be; Untrusted, or another OSError."""
        path = Path(os.path.realpath(settings.cache_folder())) / name  # links on the way are followed now, none afterwards
        if not HAS_OWNERS:
            if create:
                path.mkdir(parents=True, exist_ok=True)
            yield cls(path, None)
            return
        with named(path):
            handle = descend(path, create)
        try:
            check_own(os.fstat(handle), path)
            with named(path):
                yield cls(path, handle)
        finally:
            os.close(handle)

    def at(self, name: str) -> str:
        """What a file of the folder is opened by."""
        return name if self.handle is not None else str(self.path / name)

    def read(self, name: str) -> bytes:
        """The bytes of a file that only this user can have written."""
        try:
            handle = os.open(self.at(name), READING, dir_fd=self.handle)
        except OSError as error:
            raise Untrusted(f"{self.path / name} is a link") if error.errno == errno.ELOOP else error from None
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Untrusted(f"{self.path / name} is no file")
            check_own(status, self.path / name)
            if status.st_size > MOST:
                raise Untrusted(f"{self.path / name} is larger than all programs together may be")
            with contextlib.suppress(OSError):
                os.utime(file.fileno() if os.utime in os.supports_fd else self.path / name)  # was used now
            return file.read(status.st_size)

    def write(self, name: str, data: bytes, replace: bool = True) -> None:
        """Write a file under another name, then give it its own: a reader never sees half of one."""
        temporary = f"{secrets.token_hex(8)}.tmp"
        try:
            with os.fdopen(os.open(self.at(temporary), WRITING, 0o600, dir_fd=self.handle), "wb") as file:
                file.write(data)
            if replace:
                os.replace(self.at(temporary), self.at(name), src_dir_fd=self.handle, dst_dir_fd=self.handle)
            else:
                os.link(self.at(temporary), self.at(name), src_dir_fd=self.handle, dst_dir_fd=self.handle)
        finally:
            self.remove(temporary)

    def store(self, name: str, entry: bytes) -> None:
        """Write an entry, and count its bytes."""
        self.write(name, entry)
        if self.path in _unchecked:
            _unchecked[self.path] += len(entry)

    def remove(self, name: str) -> None:
        """Remove a file; that it is gone already, or somebody reads it on Windows, does not matter."""
        with contextlib.suppress(OSError):
            os.unlink(self.at(name), dir_fd=self.handle)

    def entry(self, key: str, kind: str) -> list[bytes] | None:
        """The pieces of an entry; None, which is said once, when it cannot be trusted."""
        try:
            pieces = unpack(self.read(key + kind), key, self.secret)
            reason = f"an entry of {self.path} is damaged, or was not written with its key"
        except Untrusted as error:
            pieces, reason = None, str(error)
        if pieces is None:
            say_once(f"slopes: {reason}: the program is compiled anew and the entry replaced")
        return pieces

    @lazy
    def secret(self) -> bytes:
        """What this user's digests are keyed with: 32 random bytes in a file that only this user can read, made when missing."""
        with contextlib.suppress(FileNotFoundError, Untrusted):
            secret = self.read(KEY)
            if len(secret) == KEY_BYTES:
                return secret
        self.remove(KEY)
        self.new_secret()
        return self.read(KEY)

    def new_secret(self) -> None:
        """Write a secret, unless another process was quicker."""
        secret = secrets.token_bytes(KEY_BYTES)
        try:
            self.write(KEY, secret, replace=False)
        except FileExistsError:
            return
        except OSError as error:  # a file system without links: two processes may write one after the other, and the last remains
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            self.write(KEY, secret)

    def tidy_if_due(self) -> None:
        """Tidy after the first program that this process keeps here, then after every 4 MB: a folder may have thousands of files."""
        if _unchecked.get(self.path, MOST) >= MOST * UNCHECKED:
            _unchecked[self.path] = 0
            self.tidy()

    def tidy(self) -> None:
        """Remove what killed processes left, and the entries that were not used for longest when there are too many bytes."""
        entries, size = [], 0
        for name, status in self.files():
            if name.endswith(".tmp") and time.time() - status.st_mtime > STALE:
                self.remove(name)
            elif name.endswith((PROGRAM, KERNEL)):
                entries.append((status.st_mtime, name, status.st_size))
                size += status.st_size
        if size > MOST:
            for _, name, count in sorted(entries):
                self.remove(name)
                size -= count
                if size <= KEPT:
                    break

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Name and state of each file; those that vanish meanwhile are left out."""
        for name in os.listdir(self.path if self.handle is None else self.handle):
            with contextlib.suppress(OSError):
                yield name, os.stat(self.at(name), dir_fd=self.handle, follow_symlinks=False)


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Let errors of the system name the folder, not the last part of a path."""
    try:
        yield
    except Untrusted:
        raise
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def descend(path: Path, create: bool) -> int:
    """The open folder at the end of an absolute path, reached step by step, each step through the open folder before it."""
    handle = os.open(path.anchor, FOLDER)
    trusted = {0, os.geteuid(), os.fstat(handle).st_uid}  # whoever owns the root of the file system can change everything anyway
    try:
        for name in path.parts[1:]:
            check_above(os.fstat(handle), path, trusted)
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=handle)
            above, handle = handle, os.open(name, FOLDER, dir_fd=handle)
            os.close(above)
        return os.open(".", os.O_RDONLY, dir_fd=handle)  # a handle that can be listed
    finally:
        os.close(handle)


def check_above(status: os.stat_result, path: Path, trusted: set[int]) -> None:
    """A folder above: whoever can write there could put another folder in the place of ours."""
    if status.st_uid not in trusted:
        raise Untrusted(f"a folder above {path} belongs to user {status.st_uid}")
    if status.st_mode & OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise Untrusted(f"others may write to a folder above {path}")


def check_own(status: os.stat_result, path: Path) -> None:
    """Ours, and nobody else may write to it."""
    if not HAS_OWNERS:
        return
    if status.st_uid != os.geteuid():
        raise Untrusted(f"{path} belongs to user {status.st_uid}, not to this one")
    if status.st_mode & OTHERS_WRITE:
        raise Untrusted(f"others may write to {path}")
