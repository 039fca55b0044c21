"""Download public data from mirrors into the cache: verified by checksum, resumed after interruptions."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import pooch

from ...errors import DataError, DownloadError, SaveError
from ...files.archive import unpack_member
from ...files.atomic import flush, saving
from ...files.lock import locked
from ...files.ownfile import is_own, new_file, open_own
from ...settings import VERSION, cache_folder
from ...workers import Workers
from .progress import Progress
from .sources import SOURCES, DataSource, Known

TIMEOUT = (10.0, 30.0)  # seconds to connect, and to wait for the next bytes
ATTEMPTS = 5  # per mirror, and only while each brings something new
CHUNK = 2**13  # bytes; of a connection that breaks off, what is left of the last chunk is lost
PIECES_AT_ONCE = 8


def fetch(name: str, file: str, source: DataSource | None = None, folder: str | os.PathLike[str] | None = None) -> Path:
    """The path of a file of the data set `name` in the cache, downloaded if it is not there or damaged.

    Mirrors are tried in turn; what a broken download left in `file.part` is continued, where the server can; nothing takes the
    file's name before its SHA-256 is right. Safe for several processes at once. `folder` stands for the cache's "data" folder.
    Raises DownloadError when no mirror gave the right file, SaveError when the cache cannot be written.
    """
    source = SOURCES[name] if source is None else source
    known = source.files[file]
    home = Path(cache_folder() / "data" if folder is None else folder) / name
    target = home / file
    if not verified(target, known):
        with saving(home):
            home.mkdir(parents=True, exist_ok=True)
        with locked(home / f".{file}.lock"):
            if not verified(target, known):  # another process may have brought it meanwhile
                download(f"{name}/{file}", source, file, target)
    return target


def verified(target: Path, known: Known) -> bool:
    """Whether the file is there and right; its checksum is computed once in a process, and again when the file was changed.

    Nothing that lies beside the file is believed: who can write the file could write that too.
    """
    try:
        actual = target.stat()
    except OSError:
        return False
    digest = Seen(actual.st_dev, actual.st_ino, actual.st_size, actual.st_mtime_ns, actual.st_ctime_ns, known.sha256)
    if actual.st_size != known.size:
        return False
    if digest not in right_files and is_right(target, known):
        right_files.add(digest)
    return digest in right_files


class Seen(NamedTuple):
    """What a file was when its checksum was computed."""

    device: int
    number: int
    size: int
    changed: int
    touched: int
    sha256: str


right_files: set[Seen] = set()


def is_right(path: Path, known: Known) -> bool:
    return path.stat().st_size == known.size and pooch.file_hash(str(path)) == known.sha256


def download(label: str, source: DataSource, file: str, target: Path) -> None:
    """Bring the file from the first mirror that has it."""
    part = target.with_name(target.name + ".part")
    problems = []
    for mirror in source.mirrors:
        problem = bring_from(mirror, label, source, file, part)
        if problem is None:
            with saving(target):
                os.replace(part, target)
            return
        problems.append(f"{urlsplit(mirror).netloc}: {problem}")
    raise DownloadError(f"{label} could not be downloaded", why="; ".join(problems), repair=repair_of(label, source, file))


def repair_of(label: str, source: DataSource, file: str) -> str:
    name, known = label.partition("/")[0], source.files[file]
    missing = f"the {len(known.pieces)} files {source.mirrors[0]}{known.pieces[0]} ..." if known.pieces \
        else f"{source.mirrors[0]}{source.archive or known.path or file}"
    inside = f" ({file} of it)" if source.archive else f", as {file}," if known.path or known.pieces else ""
    return (f"check the network and try again; or bring {missing}{inside} here by other means, into FOLDER/{source.folder or name}, "
            f"and say SLOPES_DATA=FOLDER or --data FOLDER")


def bring_from(mirror: str, label: str, source: DataSource, file: str, part: Path) -> str | None:
    """Bring the file from one mirror, in the way that it lies there; None, or what went wrong."""
    known = source.files[file]
    if source.archive is not None:
        return try_archive(mirror + source.archive, label, known, part)
    return assemble(mirror, label, known, part) if known.pieces else try_mirror(mirror + (known.path or file), label, known, part)


def try_mirror(url: str, label: str, known: Known, part: Path) -> str | None:
    """Bring the file to `part`; None, or what went wrong."""
    problem = ""
    for _ in range(ATTEMPTS):
        before = size_of(part)
        problem = attempt(url, label, known, part)
        if not problem:
            return None
        if before and not size_of(part):
            continue  # what was left of an earlier download was wrong: once more from the beginning
        if size_of(part) <= before:
            break
    return problem


def try_archive(url: str, label: str, known: Known, part: Path) -> str | None:
    """Bring the archive, which is smaller than the file in it, and unpack the file to `part`; None, or what went wrong."""
    packed = part.with_name(f"{part.name}.zip")
    try:
        packed.unlink(missing_ok=True)  # of an archive nothing is known that would tell whether an old part belongs to it
        transfer(url, label, known, packed)
        unpack_member(packed, label.partition("/")[2], part, known.size)
        if is_right(part, known):
            return None
        part.unlink()
        return "the archive holds another edition of the file"
    except SaveError as error:
        raise SaveError(error.what, why=error.why, repair=error.repair) from error
    except DataError as error:
        return error.what.partition(": ")[2]
    except OSError as error:
        return first_line(error)
    finally:
        packed.unlink(missing_ok=True)


def assemble(mirror: str, label: str, known: Known, part: Path) -> str | None:
    """Bring all pieces of a file and put them together as a tar file with nothing in it but names and contents."""
    with Progress(label, known.size, urlsplit(mirror).netloc) as progress, Workers(PIECES_AT_ONCE) as pool:
        try:
            coming = pool.map(lambda piece: bring_piece(mirror + piece, known.size), known.pieces)
            with saving(part), new_file(part) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
                for piece, raw in zip(known.pieces, coming):
                    member = tarfile.TarInfo(piece)
                    member.size = len(raw)
                    archive.addfile(member, io.BytesIO(raw))
                    progress.show(min(archive.offset, known.size))
        except PieceError as error:
            pool.shutdown(cancel_futures=True)
            return str(error)
        progress.show(size_of(part))
    if is_right(part, known):
        return None
    part.unlink()
    return "the checksum is wrong: the server gave other files"


class PieceError(Exception):
    """A piece did not come."""


def bring_piece(url: str, most: int) -> bytes:
    """The contents of one small file, asked for again when the connection breaks off."""
    error: OSError = OSError()
    for _ in range(ATTEMPTS):
        output, answers = io.BytesIO(), list[Any]()
        hooks = {"response": lambda answer, *_, answers=answers, **__: answers.append(answer)}
        bring = pooch.HTTPDownloader(chunk_size=CHUNK, timeout=TIMEOUT, headers={"User-Agent": f"slopes/{VERSION}"}, hooks=hooks)
        try:
            bring(url, Bounded(output, most), None)
            return output.getvalue()
        except OSError as problem:
            error = problem
            if getattr(problem, "response", None) is not None or isinstance(problem, WrongRange):
                break  # the server answered, and will say the same again
        finally:
            for answer in answers:
                answer.close()
    raise PieceError(first_line(error))


class Bounded:
    """A file to write to that takes no more than `most` bytes."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self.file, self.most = file, most

    def write(self, chunk: bytes) -> None:
        if self.file.tell() + len(chunk) > self.most:
            raise WrongRange(f"the server gave more than {self.most} bytes")
        self.file.write(chunk)

    def flush(self) -> None:
        """Nothing: it is memory."""


def attempt(url: str, label: str, known: Known, part: Path) -> str:
    """One request; continues `part`, and removes it when it cannot become the file. "" or what went wrong."""
    try:
        transfer(url, label, known, part)
    except SaveError as error:  # said again from here, where the user's line is in sight and not that of a library
        raise SaveError(error.what, why=error.why, repair=error.repair) from error
    except WrongRange as error:
        part.unlink(missing_ok=True)
        return str(error)
    except OSError as error:  # every error of the network is one, and so are wrong statuses
        if getattr(getattr(error, "response", None), "status_code", 0) == 416:
            part.unlink(missing_ok=True)
        return broken_text(part, known) if "Connection broken" in str(error) else first_line(error)
    if size_of(part) < known.size:
        return broken_text(part, known)
    if is_right(part, known):
        return ""
    part.unlink()
    return "the checksum is wrong: the server gave another file"


def broken_text(part: Path, known: Known) -> str:
    return f"the connection broke off after {size_of(part)} of {known.size} bytes"


UNREACHABLE = {"NameResolution": "its name is not known here: there is no network, or a proxy is needed",
               "refused": "it refused the connection", "timed out": "it did not answer in time",
               "CERTIFICATE": "its certificate is not trusted"}


def first_line(error: BaseException) -> str:
    for sign, text in UNREACHABLE.items():
        if sign in str(error):
            return text
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def size_of(path: Path) -> int:
    """The size of a file of our own; of what `open_own` would put aside, 0."""
    return path.stat().st_size if is_own(path) else 0


class WrongRange(OSError):
    """The server's answer does not continue what is here."""


class PartFile:
    """The file that a download is written to: never longer than it may be, and known to the progress."""

    def __init__(self, file: BinaryIO, known: Known, progress: Progress) -> None:
        self.file, self.known, self.progress = file, known, progress
        self.answers: list[Any] = []

    def close_answers(self) -> None:
        """Hang up, also when the answer was not read to its end."""
        for answer in self.answers:
            answer.close()

    def write(self, chunk: bytes) -> None:
        if self.file.tell() + len(chunk) > self.known.size:
            raise WrongRange(f"the server gave more than the {self.known.size} bytes of the file")
        with saving(self.file.name):
            self.file.write(chunk)
        self.progress.show(self.file.tell())

    def flush(self) -> None:
        """Nothing: the file is flushed once, at the end."""

    def checked(self, offset: int) -> Callable[..., None]:
        """A hook for the server's answer: start again when it sends everything, refuse when it sends another part."""
        def check(response: Any, *_: Any, **__: Any) -> None:
            self.answers.append(response)
            if response.status_code == 200:
                self.file.seek(0)
                self.file.truncate()
            elif response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise WrongRange("the server continued at another place than it was asked to")
        return check


def transfer(url: str, label: str, known: Known, part: Path) -> None:
    """Request what is missing of the file, and append it to `part`."""
    offset = size_of(part)
    if offset >= known.size:
        return
    with opened_part(part) as file, Progress(label, known.size, urlsplit(url).netloc) as progress:
        output = PartFile(file, known, progress)
        # identity: a server must not pack once more what it sends, or sizes and ranges would mean nothing
        headers = {"Accept-Encoding": "identity", "User-Agent": f"slopes/{VERSION}"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        hooks = {"response": output.checked(offset)}
        bring = pooch.HTTPDownloader(chunk_size=CHUNK, timeout=TIMEOUT, headers=headers, hooks=hooks)
        try:
            bring(url, output, None)
        finally:
            output.close_answers()


@contextlib.contextmanager
def opened_part(part: Path) -> Iterator[BinaryIO]:
    """The part, open to be continued, and on the disk at the end however the transfer ends."""
    with contextlib.ExitStack() as stack:
        with saving(part):
            file = stack.enter_context(open_own(part))
            file.seek(0, os.SEEK_END)
        try:
            yield file
        finally:
            with saving(part):
                flush(file)
