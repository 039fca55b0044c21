"""Damaged and hostile files of every kind that slopes reads: each loads or is refused, soon, in little memory, by an error of slopes.

    python -m tests.mutate --mutations 3000              # every kind
    python -m tests.mutate --files npy csv --seed 7      # some

Mutation k of a kind under a seed is always the same file. A mutation fails when reading it takes more than a second of processor
time, more memory than twice the file plus 64 MB, or raises anything but a SlopesError; what fails is kept in --keep.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import resource
import select
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from slopes import data, text
from slopes.data.sets.pairs import read_pairs
from slopes.data.sets.spoken import recordings
from slopes.data.transforms.tokens import words
from slopes.errors import SlopesError
from slopes.files import load_json, load_metadata
from slopes.files.archive import unpack_member
from slopes.files.npywriter import save_npy, save_npz
from slopes.files.text_reader import text_lines
from slopes.train.history import Epoch, History
from slopes.train.history_file import HEAD, parse_history, records, times_of, to_bytes
from slopes.train.runs import load_run

Pack = Callable[[bytes], bytes]
MOST_SECONDS, MOST_MEMORY = 1.0, 64_000_000
HANG = 20  # seconds after which a reader is given up
EXTREMES = (b"0", b"-1", b"1", b"-0", b"1e999999", b"-1e308", b"NaN", b"inf", b"nan", b"9" * 19, b"9" * 400, b"1" * 5000, b"2147483648",
            b"18446744073709551616", b"0.0000000001", b"1_000", b"0x10", b"00123", b"3,5", b"null", b"true", b"")
MARKS = (b'"', b"'", b"[", b"]", b"{", b"}", b"(", b")", b",", b";", b":", b"\t", b"\n", b"\r", b"\0", b" ", b"\\", b"\xff", b"#",
         b"\xef\xbb\xbf")
WORDS = re.compile(rb"[-+]?\d[\d.eE]*|[A-Za-z_]+|\s|[^\w\s]")


class Kind(NamedTuple):
    """A kind of file: sound ones, how it is read, and how it is packed after it was damaged (besides as it is)."""

    sound: tuple[bytes, ...]
    read: Callable[[Path], Any]
    packs: tuple[Pack, ...] = ()
    unpack: Pack = bytes


# Damages


def extreme(raw: bytearray, rng: np.random.Generator) -> None:
    """A field of 1 to 8 bytes becomes very large, very small, or anything."""
    size = int(rng.choice([1, 2, 4, 8]))
    value = [bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), b"\xff" * (size - 1) + b"\x7f", b"\x80" + bytes(size - 1),
             rng.bytes(size)][int(rng.integers(6))]
    near = int(rng.integers(min(len(raw), 64) if rng.random() < 0.6 else len(raw)))
    raw[near : near + size] = value


def flip(raw: bytearray, rng: np.random.Generator) -> None:
    """Some bits change."""
    for place in rng.integers(0, len(raw), rng.integers(1, 9)):
        raw[place] ^= 1 << int(rng.integers(8))


def truncate(raw: bytearray, rng: np.random.Generator) -> None:
    """The end is lost."""
    del raw[int(rng.integers(len(raw))) :]


def insert(raw: bytearray, rng: np.random.Generator) -> None:
    """Bytes come in between."""
    place = int(rng.integers(len(raw) + 1))
    raw[place:place] = rng.bytes(int(rng.integers(1, 40))) if rng.random() < 0.7 else bytes(int(rng.integers(1, 5000)))


def part(raw: bytearray, rng: np.random.Generator) -> slice:
    """Some bytes that follow each other."""
    begin = int(rng.integers(len(raw)))
    return slice(begin, begin + int(rng.integers(1, 65)))


def repeat(raw: bytearray, rng: np.random.Generator) -> None:
    """A part stands there again, perhaps very often."""
    chosen = part(raw, rng)
    raw[chosen.stop : chosen.stop] = raw[chosen] * int(rng.choice([1, 2, 100, 3000]))


def drop(raw: bytearray, rng: np.random.Generator) -> None:
    """A part is lost."""
    del raw[part(raw, rng)]


def swap(raw: bytearray, rng: np.random.Generator) -> None:
    """Two parts change their places."""
    one, other = sorted((part(raw, rng), part(raw, rng)), key=lambda chosen: chosen.start)
    if one.stop <= other.start:
        raw[one.start : other.stop] = raw[other] + raw[one.stop : other.start] + raw[one]


def words_of(raw: bytearray) -> list[re.Match[bytes]]:
    return list(WORDS.finditer(bytes(raw[:20_000])))


def replace_word(raw: bytearray, rng: np.random.Generator) -> None:
    """A number or word becomes another one, an extreme one, or one of another place."""
    if found := words_of(raw):
        word = found[int(rng.integers(len(found)))]
        other = found[int(rng.integers(len(found)))][0]
        raw[word.start() : word.end()] = EXTREMES[int(rng.integers(len(EXTREMES)))] if rng.random() < 0.7 else other


def stretch_word(raw: bytearray, rng: np.random.Generator) -> None:
    """A number or word becomes very long."""
    if found := words_of(raw):
        word = found[int(rng.integers(len(found)))]
        raw[word.start() : word.end()] = word[0] * int(rng.choice([10, 1000, 50_000]))


def mark(raw: bytearray, rng: np.random.Generator) -> None:
    """A quote, bracket or separator is added or lost, or stands there very often."""
    sign = MARKS[int(rng.integers(len(MARKS)))]
    place = raw.find(sign, int(rng.integers(len(raw))))
    if rng.random() < 0.4 and place >= 0:
        del raw[place : place + len(sign)]
    else:
        place = int(rng.integers(len(raw) + 1))
        raw[place:place] = sign * int(rng.choice([1, 1, 1, 50, 20_000]))


DAMAGES = (extreme, extreme, flip, truncate, insert, repeat, drop, swap, replace_word, replace_word, stretch_word, mark, mark)


def mutation(name: str, seed: int, number: int) -> bytes:
    """The damaged file of a kind, seed and number."""
    kind, rng = KINDS[name], np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    raw = bytearray(kind.unpack(kind.sound[int(rng.integers(len(kind.sound)))]))
    pack = kind.packs[int(rng.integers(len(kind.packs)))] if kind.packs and rng.random() < 0.7 else None
    if pack is None:
        raw = bytearray(kind.sound[int(rng.integers(len(kind.sound)))])
    for _ in range(int(rng.choice([1, 1, 2, 4]))):
        if raw:
            DAMAGES[int(rng.integers(len(DAMAGES)))](raw, rng)
    return bytes(raw) if pack is None else pack(bytes(raw))


# Sound files


def made(write: Callable[[Path], Any]) -> bytes:
    """What a function writes to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def npz_of(raw: bytes) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", raw)
        archive.writestr("b.npy", raw)
    return output.getvalue()


def sound_wav(width: int) -> bytes:
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setparams((1, width, 8000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).bytes(400 * width))
    return output.getvalue()


def picture(form: str, **options: Any) -> bytes:
    output = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)).save(output, form, **options)
    return output.getvalue()


def png_of(raw: bytes) -> bytes:
    """A PNG whose pixels and header are the bytes, with checksums that are right."""
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    pixels = chunk(b"IDAT", zlib.compress(raw[13:]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", raw[:13]) + chunk(b"tEXt", raw[13:40]) + pixels + chunk(b"IEND", b"")


def recording_tar(raw: bytes) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("7_theo_3.wav", "1_lucas_0.wav"):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return output.getvalue()


def history() -> History:
    return History([0.5, float("nan"), 1e-300], [Epoch(0, 0.5, {"accuracy": 0.5}, {"loss": 1.0, "accuracy": 0.25}, 10, 3, 0.125)], 1.5, 0.5,
                   {"net/std": [0.5], "net/histogram": [[1.0, 2.0]]}, [1])


def record(weights: bytes) -> bytes:
    content = {"schema": "slopes.run", "version": 1, "made_with": {"slopes": "1"}, "finished": "now", "recipe": "",
               "hyperparameters": {"a": 1}, "data": {}, "structure": [], "settings": {}, "result": {"accuracy": 0.5}, "interrupted": False,
               "weights_sha256": hashlib.sha256(weights).hexdigest()}
    return json.dumps(content).encode()


ARRAYS = {"0.weight": np.eye(3, dtype=np.float32), "0.bias": np.arange(3), "x": np.zeros((0, 2))}
WEIGHTS = made(lambda path: data.save_safetensors(path, ARRAYS, {"made by": "a test"}))
HISTORY = history().to_json().encode()
LINES_OF_HISTORY = to_bytes([HEAD, *records(history())])


def read_run(part: str) -> Callable[[Path], Any]:
    """Read a run folder of which one file is damaged; weights are damaged together with their checksum."""
    def read(path: Path) -> Any:
        raw, folder = path.read_bytes(), path.parent / "run"
        folder.mkdir(exist_ok=True)
        files = {"history.json": HISTORY, "weights.safetensors": WEIGHTS, part: raw}
        for name, content in {"run.json": record(files["weights.safetensors"]), **files}.items():
            (folder / name).write_bytes(content)
        return load_run(folder)

    return read


ARRAY = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
IDX = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + bytes(range(24))
TABLE = b'name,age,"a, b",code\n' + b"".join(b'anna %d,%d.5,"x ""y"" %d",00%d\n' % (k, k, k, k) for k in range(20))
GERMAN = "größe;preis\n1;3,5\n2;4,25\n".encode()
TREE = b"".join(b"# text\n" + b"".join(b"%d\tword\tword\tNOUN\t_\t_\t0\troot\t_\t_\n" % k for k in range(1, 6)) + b"\n" for _ in range(4))
VECTORS = b"3 4\n" + b"".join(b"%s 0.5 -1e-3 2 .25\n" % word for word in (b"up", b"down", b"new york"))
LINES = "Go on!\tVas-y !\tsomeone\nÇa va?\tça va\n".encode() * 10
JSON = json.dumps({"schema": "test", "version": 1, "a": [1, 2.5, {"$float": "inf"}, "x"], "b": {"c": None, "d": [[[]]]}}).encode()
PIXELS = bytes(struct.pack(">IIBBBBB", 4, 3, 8, 2, 0, 0, 0)) + bytes(39)
WAV = sound_wav(2)

NPY = made(lambda path: save_npy(path, ARRAY))
TURNED = made(lambda path: save_npy(path, ARRAY.T.astype(">i8")))
NPZ = made(lambda path: save_npz(path, {"a": ARRAY, "b": np.zeros(1000)}))
GREY = b"P5 # grey\n8 4\n255\n" + bytes(32)
COLOUR = b"P6 2 2 65535\n" + bytes(24)
WORDS_KNOWN = made(text.Vocabulary(["to", "be", "or", "not"]).save)
PIECES = made(text.Subwords.train(["to be or not to be"] * 3, 270).save)
TAR = recording_tar(WAV)
GZIP = (gzip.compress, bytes)


def read_picture(path: Path) -> np.ndarray:
    return data.load_image(path, 3, (8, 8))


def read_words(path: Path) -> list[list[str]]:
    return [words(line) for _, line in text_lines(path)]


def read_history(path: Path) -> History:
    return History.from_json(path.read_bytes().decode("utf-8", "replace"))


KINDS: dict[str, Kind] = {
    "npy": Kind((NPY, TURNED), data.load_npy),
    "npz": Kind((NPZ, npz_of(NPY)), data.load_npz, (npz_of,), lambda _: NPY),
    "idx": Kind((IDX, gzip.compress(IDX)), data.load_idx, GZIP, lambda _: IDX),
    "csv": Kind((TABLE, gzip.compress(TABLE)), data.load_csv, GZIP, lambda _: TABLE),
    "csv with commas": Kind((GERMAN,), lambda path: data.load_csv(path, delimiter=";", decimal=",")),
    "wav": Kind((WAV, sound_wav(1), sound_wav(3)), data.load_wav),
    "netpbm": Kind((GREY, COLOUR, gzip.compress(GREY)), read_picture, GZIP, lambda _: GREY),
    "png": Kind((picture("PNG"),), read_picture, (png_of,), lambda _: PIXELS),
    "jpeg": Kind((picture("JPEG"), picture("JPEG", progressive=True)), data.load_image),
    "conllu": Kind((TREE, gzip.compress(TREE)), data.load_conllu, GZIP, lambda _: TREE),
    "json": Kind((JSON,), lambda path: load_json(path, "test")),
    "history": Kind((HISTORY,), read_history),
    "safetensors": Kind((WEIGHTS,), lambda path: (data.load_safetensors(path), load_metadata(path))),
    "conditioner": Kind((made(data.Standardize(ARRAY).save),), lambda path: data.Standardize.load(path)(ARRAY)),
    "vocabulary": Kind((WORDS_KNOWN,), text.Vocabulary.load),
    "subwords": Kind((PIECES,), lambda path: text.Subwords.load(path).encode("to be")),
    "vectors": Kind((VECTORS, VECTORS[4:], gzip.compress(VECTORS)), text.load_vectors, GZIP, lambda _: VECTORS),
    "lines": Kind((LINES, gzip.compress(LINES)), read_words, GZIP, lambda _: LINES),
    "pairs": Kind((LINES,), lambda path: list(read_pairs(path))),
    "tar": Kind((TAR, gzip.compress(TAR)), lambda path: list(recordings(path)), (recording_tar,), lambda _: WAV),
    "zip": Kind((npz_of(LINES),), lambda path: unpack_member(path, "a.npy", path.with_name("out"), 10_000), (npz_of,), lambda _: LINES),
    "run record": Kind((record(WEIGHTS),), read_run("run.json")),
    "run history": Kind((HISTORY,), read_run("history.json")),
    "run lines": Kind((LINES_OF_HISTORY,), lambda path: parse_history(path.read_bytes(), times_of(history()), path)),
    "run weights": Kind((WEIGHTS,), read_run("weights.safetensors")),
}


# Reading


def problem_of(name: str, path: Path) -> str:
    """What goes wrong when a file is read, or ""; memory and time are not looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # slopes's own advice
        try:
            KINDS[name].read(path)
        except SlopesError:
            pass
        except Exception as error:
            return f"{type(error).__name__}: {error!s:.200}"
    return ""


def memory() -> int:
    """The most memory that this process had since the last call of `forget_memory`, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_memory() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measured(name: str, path: Path) -> str:
    """What goes wrong when a file is read, with its time and memory, or ""."""
    forget_memory()
    before, started = memory(), time.process_time()
    problem = problem_of(name, path)
    seconds, grown = time.process_time() - started, memory() - before
    if seconds > MOST_SECONDS:
        problem = f"{seconds:.1f} seconds; {problem}"
    if grown > 2 * path.stat().st_size + MOST_MEMORY:
        problem = f"{grown / 1e6:.0f} MB for a file of {path.stat().st_size} bytes; {problem}"
    return problem


def child(name: str, seed: int, first: int, count: int, keep: Path) -> None:
    """Read mutations, and print the number of each before it is read, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(KINDS[name].sound[0])
        problem_of(name, path)  # what is loaded once
        for number in range(first, count):
            print(number, flush=True)
            path.write_bytes(mutation(name, seed, number))
            if problem := measured(name, path):
                (keep / f"{name}-{seed}-{number}").write_bytes(path.read_bytes())
                print(f"! {problem!r}", flush=True)


def run(name: str, seed: int, count: int, keep: Path) -> list[str]:
    """What went wrong with the mutations of a kind; a reader that hangs or dies is started again behind the file."""
    first, problems = 0, []
    while first < count:
        command = [sys.executable, __file__, "--child", name, "--seed", str(seed), "--first", str(first), "--mutations", str(count),
                   "--keep", str(keep)]
        last, code = first - 1, -1
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
            for line in lines_within(process, HANG):
                if line.startswith(b"!"):
                    problems.append(f"{name} {last}: {line[2:].decode()}")
                else:
                    last = int(line)
            code = process.wait()
        if code:
            problems.append(f"{name} {last}: the reader hung or died ({code})")
        first = last + 1 if code else count
    return problems


def lines_within(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """The lines that a process prints; it is killed when none comes for so many seconds."""
    assert process.stdout is not None
    rest = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        chunk = process.stdout.read(65536) if ready else b""
        if not chunk:
            if not ready:
                process.kill()
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of files")
    parser.add_argument("--mutations", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "slopes-mutations", help="folder for files that fail")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.keep.mkdir(parents=True, exist_ok=True)
    if chosen.child:
        child(chosen.child, chosen.seed, chosen.first, chosen.mutations, chosen.keep)
        return 0
    failed = 0
    for name in chosen.files:
        started, problems = time.perf_counter(), run(name, chosen.seed, chosen.mutations, chosen.keep)
        line = f"{name}: {chosen.mutations} mutations, {len(problems)} failed, {time.perf_counter() - started:.0f} s"
        print(line, *problems, sep="\n  ", flush=True)
        failed += len(problems)
    return int(failed > 0)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
