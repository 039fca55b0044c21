"""Read files of torch.save: the zip archives of PyTorch 1.6 and later, and the row of pickles that earlier versions wrote."""

from __future__ import annotations

import os
import zipfile
from typing import Any

import numpy as np

from ..errors import DataError
from ..files.members import ENCRYPTED, MOST_MEMBERS
from ..files.npyfile import zip_errors
from ..files.reading import Path, Source, read_exactly, refused
from .globals import SAVE_STATE, Kind
from .opcodes import Unpickler
from .storage import KINDS, Storage, TypedStorage, stamp_of

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format
MAGIC_BYTES = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # in the pickle
OLD_PROTOCOL = 1001
MOST_PICKLE = 2**28  # bytes: numbers that are no tensors, such as a vocabulary, may be in it
FIRST_BYTES = (2**20, 2**24, MOST_PICKLE)  # of the older format, tried one after the other
LOCAL_HEADER = 30  # bytes, before a member's name


class Members:
    """The members of an archive of torch.save: stored, not deflated, and each a range of bytes of its own."""

    def __init__(self, source: Source, path: Path) -> None:
        self.source, self.path, self.stamp = source, path, stamp_of(os.fstat(source.stream.fileno()))
        with zip_errors(path, "zip directory"), zipfile.ZipFile(source.stream) as archive:
            members = archive.infolist()
        self.check(members)
        top = members[0].filename.partition("/")[0] + "/"  # the archive's own name, whatever it is
        self.by_name = {member.filename.removeprefix(top): member for member in members}
        self.begins = self.data_offsets(members)

    def check(self, members: list[zipfile.ZipInfo]) -> None:
        if not 0 < len(members) <= MOST_MEMBERS:
            raise refused(self.path, "zip directory", f"{len(members)} members, not 1 to {MOST_MEMBERS}")
        if len({member.filename for member in members}) < len(members):
            raise refused(self.path, "zip directory", "a member occurs twice")
        for member in members:
            if member.flag_bits & ENCRYPTED or member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
                raise refused(self.path, f"member {member.filename!r}", "it is compressed or encrypted",
                              "torch.save stores members as they are")

    def data_offsets(self, members: list[zipfile.ZipInfo]) -> dict[str, int]:
        """Where the data of each member begin; DataError where two members overlap or one leaves the file."""
        begins: dict[str, int] = {}
        end = 0
        for member in sorted(members, key=lambda member: member.header_offset):
            if member.header_offset < end:
                raise refused(self.path, f"member {member.filename!r}", "it overlaps the member before it")
            begins[member.filename] = begin = self.data_offset(member)
            end = begin + member.file_size
        if end > self.source.size:
            raise refused(self.path, "zip directory", f"its members end at byte {end}, the file has {self.source.size}")
        return begins

    def data_offset(self, member: zipfile.ZipInfo) -> int:
        field = f"member {member.filename!r}"
        self.source.stream.seek(member.header_offset)
        header = read_exactly(self.source.stream, LOCAL_HEADER, self.path, field)
        if header[:4] != b"PK\x03\x04":
            raise refused(self.path, field, "its local header is damaged")
        return member.header_offset + LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")

    def storage(self, name: str, kind: str, count: int) -> Storage:
        """The storage that a member holds, `count` elements of type `kind`."""
        storage = Storage(self.path, name, kind, count)
        member = self.by_name.get(name)
        if member is None:
            raise refused(self.path, f"storage {name!r}", "the archive has no such member")
        if member.file_size != storage.size:
            raise refused(self.path, f"storage {name!r}", f"{count} of {kind} take {storage.size} bytes, its member has {member.file_size}")
        storage.locate(self.begins[member.filename], self.stamp, checksum=member.CRC)
        return storage

    def read(self, name: str, most: int) -> bytes:
        """A member's bytes, at most `most` of them."""
        member = self.by_name[name]
        if member.file_size > most:
            raise refused(self.path, f"member {name!r}", f"it has {member.file_size} bytes, more than {most}")
        return self.storage(name, "uint8", member.file_size).read(name).tobytes()


def read_archive(source: Source, path: Path) -> Any:
    """The object that a zip archive of torch.save holds, its tensors as `Strided`."""
    members = Members(source, path)
    if "data.pkl" not in members.by_name:
        raise refused(path, "zip directory", "it has no member data.pkl", "it is not an archive of torch.save")
    if "constants.pkl" in members.by_name:
        raise refused(path, "zip directory", "it is a TorchScript program, not a checkpoint", "a program would have to be run", SAVE_STATE)
    order = read_order(members)
    storages: dict[str, Storage] = {}

    def persistent(key: Any) -> TypedStorage:
        kind, name, count = storage_key(key, path)
        if name not in storages:
            storages[name] = members.storage(f"data/{name}", kind, count)
            storages[name].order = order
        return typed(storages[name], kind, count, path)

    return load_one(members.read("data.pkl", MOST_PICKLE), path, "data.pkl", persistent)


def read_order(members: Members) -> str:
    """The byte order of all storages; little where none is named."""
    order = members.read("byteorder", 16) if "byteorder" in members.by_name else b"little"
    if order not in (b"little", b"big"):
        raise refused(members.path, "byteorder", f"{order!r} is neither little nor big")
    return "<" if order == b"little" else ">"


def load_one(raw: bytes, path: Path, field: str, persistent: Any) -> Any:
    unpickler = Unpickler(raw, path, field, persistent)
    value = unpickler.load()
    if unpickler.position != len(raw):
        raise unpickler.refuse(f"{len(raw) - unpickler.position} bytes follow its end")
    return value


def storage_key(key: Any, path: Path) -> tuple[str, str, int]:
    """(type, name, number of elements) of a persistent id."""
    word, kind, name, _, count, *_ = key
    if word != "storage" or not isinstance(kind, Kind) or not isinstance(name, str) or type(count) is not int or not 0 <= count < 2**60:
        raise ValueError
    if kind.name not in KINDS:
        raise refused(path, f"storage {name!r}", f"its type is {kind.name}, which is not read")
    return kind.name, name, count


def typed(storage: Storage, kind: str, count: int, path: Path) -> TypedStorage:
    """The storage as a tensor names it: others may name another type; DataError where the sizes differ."""
    if count * np.dtype(KINDS[kind]).itemsize != storage.size:
        raise refused(path, f"storage {storage.key!r}", f"it is named with {storage.size} bytes, and as {count} of {kind}")
    return TypedStorage(storage, kind)


def read_row(source: Source, path: Path) -> Any:
    """The object of a file in the older format: magic, protocol, machine, object, names of storages, then their sizes and bytes."""
    for most in FIRST_BYTES:  # the pickles end long before the storages, so a part of the file is enough
        source.stream.seek(0)
        raw = source.stream.read(most)
        try:
            return read_pickles(raw, source, path)
        except DataError:
            if len(raw) == source.size or most == FIRST_BYTES[-1]:
                raise
    raise AssertionError


def read_pickles(raw: bytes, source: Source, path: Path) -> Any:
    """The object of a file that begins with these bytes."""
    storages: dict[str, Storage] = {}

    def persistent(key: Any) -> TypedStorage:
        kind, name, count = storage_key(key, path)
        if len(key) > 5 and key[5] is not None:
            raise refused(path, f"storage {name!r}", "it is a part of another storage", "PyTorch before 0.4 wrote such files", SAVE_STATE)
        return typed(storages.setdefault(name, Storage(path, name, kind, count)), kind, count, path)

    unpickler = Unpickler(raw, path, "pickles", persistent)
    magic, protocol, machine, value, names = (unpickler.load() for _ in range(5))
    if magic != MAGIC or protocol != OLD_PROTOCOL or not isinstance(machine, dict):
        raise refused(path, "protocol", f"{protocol!r:.40} is unknown", f"it is {OLD_PROTOCOL} in all files of this format")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or sorted(names) != sorted(storages):
        raise refused(path, "names of storages", "they are not those that the tensors use")
    order = "<" if machine.get("little_endian", True) is True else ">"
    locate_row(source, path, [storages[name] for name in names], unpickler.position, order)
    return value


def locate_row(source: Source, path: Path, storages: list[Storage], position: int, order: str) -> None:
    """Set where the storages are, one after the other; each begins with its number of elements."""
    stamp = stamp_of(os.fstat(source.stream.fileno()))
    for storage in storages:
        source.stream.seek(position)
        count = int.from_bytes(read_exactly(source.stream, 8, path, f"storage {storage.key!r}"), "little" if order == "<" else "big")
        if count != storage.count:
            raise refused(path, f"storage {storage.key!r}", f"it has {count} elements, its tensors say {storage.count}")
        storage.locate(position + 8, stamp, order)
        position += 8 + storage.size
        if position > source.size:
            raise refused(path, f"storage {storage.key!r}", f"it ends at byte {position}, the file at {source.size}")
    if position != source.size:
        raise refused(path, "end", f"{source.size - position} bytes follow the last storage")
