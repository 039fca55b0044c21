"""Members of zip archives: their claims are checked against the archive's size before anything is unpacked."""

from __future__ import annotations

import zipfile

from .reading import DEFLATE_RATIO, Path, read_claim, refused

MOST_MEMBERS = 10_000
ENCRYPTED = 1  # the zip flag bit


def check_packed(members: list[zipfile.ZipInfo], size: int, limit: int, path: Path, option: str = "") -> None:
    """Check the zip directory's claims against the size of the file and the limit; `option` is what raises the limit."""
    if len(members) > MOST_MEMBERS:
        raise refused(path, "zip directory", f"{len(members)} members, more than {MOST_MEMBERS}")
    names: set[str] = set()
    for member in members:
        check_member(member, path)
        if member.filename in names:
            raise refused(path, "zip directory", f"the member {member.filename!r} occurs twice")
        names.add(member.filename)
    if sum(member.compress_size for member in members) > size:
        raise refused(path, "zip directory", "the members are larger than the file: they overlap")
    if (total := sum(member.file_size for member in members)) > limit:
        repair = {"repair": f"when you trust the file, raise the limit: {option}"} if option else {}
        raise refused(path, "zip directory", f"the members unpack to {total} bytes, more than the limit of {limit}", **repair)


def check_member(member: zipfile.ZipInfo, path: Path) -> None:
    field = f"member {member.filename!r}"
    if member.flag_bits & ENCRYPTED:
        raise refused(path, field, "it is encrypted", repair="decrypt the archive first")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused(path, field, f"it is packed by method {member.compress_type}", "only stored and deflated members are supported")
    most = member.compress_size * (1 if member.compress_type == zipfile.ZIP_STORED else DEFLATE_RATIO)
    if member.file_size > most:
        raise refused(path, field,
                      f"it claims {member.file_size} bytes, its {member.compress_size} packed ones hold {most} at most")


def read_member_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most: int) -> bytes:
    """A member's bytes, of which there may be at most `most`; for use inside of `zip_errors`."""
    if member.file_size > most:
        raise refused(path, f"member {member.filename!r}", f"it has {member.file_size} bytes, more than the {most} that it may have")
    with archive.open(member) as stream:
        return bytes(read_claim(stream, member.file_size, path, f"member {member.filename!r}"))
