"""Read WAV files: integer PCM of 8 to 32 bits, and floats; headers are validated first."""

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
STANDARD_GUID = bytes.fromhex("000000001000800000aa00389b71")  # follows the format code in an extensible header


class Sound(NamedTuple):
    """Samples (channels, n) float32, integers scaled to [-1, 1), and the sampling rate in Hz."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.samples.shape[1] / self.rate


class Format(NamedTuple):
    """The contents of the `fmt ` chunk."""

    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def load_wav(path: Path, most_bytes: int = MOST_BYTES) -> Sound:
    """Read a WAV file as (channels, n) float32 samples and their rate.

    Integers of 8 (unsigned), 16, 24 and 32 bits are divided by 2^7, 2^15, 2^23, 2^31, which gives [-1, 1); floats of 32 and 64
    bits are not scaled. Raises DataError naming file and field for other formats, for sizes that do not match the file, and for
    floats that are not finite. Source: Microsoft, IBM, Multimedia Programming Interface and Data Specifications, 1991.

    >>> import wave
    >>> with wave.open("beep.wav", "wb") as file:
    ...     file.setparams((1, 2, 8000, 0, "NONE", ""))
    ...     file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    >>> load_wav("beep.wav")
    Sound(samples=array([[ 0. ,  0.5, -1. ]], dtype=float32), rate=8000)
    """
    return parse_wav(read_whole(path, most_bytes), path)


def parse_wav(raw: bytes, path: Path) -> Sound:
    """Parse the contents of a WAV file; errors name `path`."""
    chunks: dict[bytes, memoryview] = {}
    for name, content in read_chunks(raw, path):
        if name in chunks and name in (b"fmt ", b"data"):
            raise refused(path, f"chunk {name.decode()!r}", "there are two of them")
        chunks[name] = content
        if name == b"data" and b"fmt " not in chunks:
            raise refused(path, "chunk 'fmt '", "it does not precede the samples", "it describes their format")
    for name in (b"fmt ", b"data"):
        if name not in chunks:
            raise refused(path, f"chunk {name.decode()!r}", "there is none")
    form = read_format(chunks[b"fmt "], path)
    if len(chunks[b"data"]) % form.frame:
        raise refused(path, "chunk 'data'", f"{len(chunks[b'data'])} bytes, not a multiple of the {form.frame} bytes of one sample")
    samples = decode_samples(chunks[b"data"], form).reshape(-1, form.channels).T
    if form.code == FLOATS and not np.isfinite(samples).all():
        raise refused(path, "chunk 'data'", f"sample {int(np.argwhere(~np.isfinite(samples))[0][1])} is not finite")
    return Sound(np.ascontiguousarray(samples), form.rate)


def read_chunks(raw: bytes, path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """(name, contents) of every chunk; contents are views, not copies."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise refused(path, "magic", f"{raw[:4]!r} ... {raw[8:12]!r} instead of b'RIFF' ... b'WAVE'")
    claim = int.from_bytes(raw[4:8], "little")
    if not claim + 8 <= len(raw) <= claim + 9:  # one byte more: some writers do not count the final padding
        raise refused(path, "size", f"the header claims {claim} bytes, but {len(raw) - 8} follow",
                      "the recording may have been interrupted before its header was updated")
    offset = 12
    while offset + 8 <= claim + 8:
        name, size = raw[offset : offset + 4], int.from_bytes(raw[offset + 4 : offset + 8], "little")
        offset += 8
        if size > claim + 8 - offset:
            raise refused(path, f"chunk {name!r}", f"it claims {size} bytes, but {claim + 8 - offset} are left")
        yield name, memoryview(raw)[offset : offset + size]
        offset += size + size % 2


def read_format(chunk: memoryview, path: Path) -> Format:
    """Parse the format; DataError if it is not supported."""
    if len(chunk) < 16:
        raise refused(path, "chunk 'fmt '", f"{len(chunk)} bytes, fewer than 16")
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", chunk[:16])
    if code == EXTENSIBLE:
        if len(chunk) < 40 or chunk[26:40] != STANDARD_GUID:
            raise refused(path, "format", "an extensible header without a known format in it")
        code = int.from_bytes(chunk[24:26], "little")
    if (code, bits) not in KINDS:
        raise refused(path, "format", f"{CODED.get(code, f'code {code}')} of {bits} bits",
                      "supported are integers of 8, 16, 24 and 32 bits, and floats of 32 and 64", "convert it to 16-bit PCM")
    form = Format(code, channels, rate, bits)
    if not channels or not rate or frame != form.frame:
        raise refused(path, "format", f"{channels} channels, {rate} samples per second, {frame} bytes for one sample of {bits} bits")
    return form


def decode_samples(data: memoryview, form: Format) -> np.ndarray:
    """All samples as float32, channels interleaved."""
    if form.code == FLOATS:
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, which the caller refuses
            return np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
    if form.bits == 8:
        return scale_down(np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128), 7)
    if form.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the upper three bytes of 32 bits
        return scale_down(wide.view("<i4")[:, 0].astype(np.float32), 31)
    return scale_down(np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32), form.bits - 1)


def scale_down(samples: np.ndarray, bits: int) -> np.ndarray:
    """Divide the samples by 2^bits, in place to save memory."""
    samples /= np.float32(2**bits)
    return samples
