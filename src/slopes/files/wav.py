"""Sound from WAV files: whole numbers of 8 to 32 bits and floats, checked before they are believed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .reading import Path, read_whole, refused

MOST_BYTES = 2**31
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE  # format codes
CODED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 85: "MP3"}
KINDS = {(INTEGERS, 8), (INTEGERS, 16), (INTEGERS, 24), (INTEGERS, 32), (FLOATS, 32), (FLOATS, 64)}
STANDARD_GUID = bytes.fromhex("000000001000800000aa00389b71")  # what follows the format code in an extensible header


class Sound(NamedTuple):
    """Samples (channels, n) float32, whole numbers scaled to -1..1, and how many of them make a second."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples.shape[1] / self.rate


class Format(NamedTuple):
    """What the `fmt ` chunk says."""

    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8


def load_wav(path: Path, most_bytes: int = MOST_BYTES) -> Sound:
    """The sound of a WAV file as (channels, n) float32, and its rate.

    Whole numbers of 8 (unsigned), 16, 24 and 32 bits are divided by 2^7, 2^15, 2^23, 2^31, so that they lie in [-1, 1); floats
    of 32 and 64 bits stay. Raises DataError naming file and field for everything else, for sizes that do not fit the file, and
    for floats that are not finite. Source: Microsoft, IBM, Multimedia Programming Interface and Data Specifications, 1991.

    >>> import wave
    >>> with wave.open("beep.wav", "wb") as file:
    ...     file.setparams((1, 2, 8000, 0, "NONE", ""))
    ...     file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    >>> load_wav("beep.wav")
    Sound(samples=array([[ 0. ,  0.5, -1. ]], dtype=float32), rate=8000)
    """
    return parse_wav(read_whole(path, most_bytes), path)


def parse_wav(raw: bytes, path: Path) -> Sound:
    """The sound of the contents of a WAV file; `path` is what errors name."""
    chunks: dict[bytes, memoryview] = {}
    for name, content in chunks_of(raw, path):
        if name in chunks and name in (b"fmt ", b"data"):
            raise refused(path, f"chunk {name.decode()!r}", "there are two of them")
        chunks[name] = content
        if name == b"data" and b"fmt " not in chunks:
            raise refused(path, "chunk 'fmt '", "it does not come before the samples", "it says how samples are written")
    for wanted in (b"fmt ", b"data"):
        if wanted not in chunks:
            raise refused(path, f"chunk {wanted.decode()!r}", "there is none")
    form = read_format(chunks[b"fmt "], path)
    if len(chunks[b"data"]) % form.frame:
        raise refused(path, "chunk 'data'", f"{len(chunks[b'data'])} bytes, which is no multiple of the {form.frame} of one sample")
    samples = samples_of(chunks[b"data"], form).reshape(-1, form.channels).T
    if form.code == FLOATS and not np.isfinite(samples).all():
        raise refused(path, "chunk 'data'", f"sample {int(np.argwhere(~np.isfinite(samples))[0][1])} is not finite")
    return Sound(np.ascontiguousarray(samples), form.rate)


def chunks_of(raw: bytes, path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """(name, contents) of every chunk, which are not copied."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise refused(path, "magic", f"{raw[:4]!r} ... {raw[8:12]!r} instead of b'RIFF' ... b'WAVE'")
    claim = int.from_bytes(raw[4:8], "little")
    if not claim + 8 <= len(raw) <= claim + 9:  # one byte more: some writers do not count the last padding
        raise refused(path, "size", f"the header claims {claim} bytes, but {len(raw) - 8} follow",
                      "a sound that was still being written has such a header")
    place = 12
    while place + 8 <= claim + 8:
        name, size = raw[place : place + 4], int.from_bytes(raw[place + 4 : place + 8], "little")
        place += 8
        if size > claim + 8 - place:
            raise refused(path, f"chunk {name!r}", f"it claims {size} bytes, but {claim + 8 - place} are left")
        yield name, memoryview(raw)[place : place + size]
        place += size + size % 2


def read_format(chunk: memoryview, path: Path) -> Format:
    """The format, of a kind that is known."""
    if len(chunk) < 16:
        raise refused(path, "chunk 'fmt '", f"{len(chunk)} bytes, fewer than 16")
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", chunk[:16])
    if code == EXTENSIBLE:
        if len(chunk) < 40 or chunk[26:40] != STANDARD_GUID:
            raise refused(path, "format", "an extensible header without a known format in it")
        code = int.from_bytes(chunk[24:26], "little")
    if (code, bits) not in KINDS:
        raise refused(path, "format", f"{CODED.get(code, f'code {code}')} of {bits} bits",
                      "read are whole numbers of 8, 16, 24 and 32 bits, and floats of 32 and 64", "convert it to 16 bits PCM")
    form = Format(code, channels, rate, bits)
    if not channels or not rate or frame != form.frame:
        raise refused(path, "format", f"{channels} channels, {rate} samples a second, {frame} bytes for one sample of {bits} bits")
    return form


def samples_of(data: memoryview, form: Format) -> np.ndarray:
    """The numbers as they follow each other, float32."""
    if form.code == FLOATS:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which the caller refuses
            return np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
    if form.bits == 8:
        return scaled(np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128), 7)
    if form.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the upper three bytes of 32 bits
        return scaled(wide.view("<i4")[:, 0].astype(np.float32), 31)
    return scaled(np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32), form.bits - 1)


def scaled(samples: np.ndarray, bits: int) -> np.ndarray:
    """The samples divided by 2^bits, in place: a sound may be large."""
    samples /= np.float32(2**bits)
    return samples
