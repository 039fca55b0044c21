"""Spoken digits of six speakers as spectrograms, with splits by recording or by speaker."""

from __future__ import annotations

import contextlib
import re
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError
from ...files.reading import reading, refused, unpacked
from ...files.wav import Sound, parse_wav
from ..loaders.dataset import Dataset
from ..loaders.splits import Splits
from ..transforms.sound import log_mel, log_spectrogram
from .locate import Folder, located

NAME = "spoken-digits"
TRAIN, TEST = "fsdd_train.tar", "fsdd_test.tar"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000  # samples a second
HELD_OUT = 14  # the recording of each speaker and digit that is for validation
MOST_SOUND = 2**22  # bytes of one recording
RECORDING = re.compile(r"([0-9])_([a-z]+)_([0-9]{1,4})\.wav")
FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mel": lambda waves: log_mel(waves, RATE),
    "spectrogram": log_spectrogram,
    "wave": lambda waves: waves,
}


class Recording(NamedTuple):
    """One digit, who said it, which time it was, and how it sounds (n,)."""

    digit: int
    speaker: str
    number: int
    wave: np.ndarray


def spoken_digits(folder: Folder = None, features: str = "mel", speaker: str | None = None, seconds: float = 1.0) -> Splits:
    """900 recordings of the digits 0 to 9 by six speakers, each 5 times for the test and 10 times to train and validate.

    inputs: (N, 1, 40, 61) float32 for features="mel" (`log_mel`: 40 bands, 61 moments), (N, 1, 129, 61) for "spectrogram"
    (`log_spectrogram`), (N, 1, 8000) for "wave"; every recording is cut, or continued with silence, to `seconds`. targets: (N,)
    int64. The test set is the data set's own: recordings 0 to 4 of each; recording 14 is for validation.
    With `speaker` (george, jackson, lucas, nicolas, theo or yweweler) the test set is instead all that this speaker said, and
    training and validation hear only the others: the harder question.

    From `folder`, SLOPES_DATA (subfolder `fsdd`), or downloaded (7 MB in 900 files). Licence: CC BY-SA 4.0. Raises DataError for
    damaged files, ArgumentError for an unknown speaker or feature. Source: Jackson and others, Free Spoken Digit Dataset.
    """
    if speaker is not None and speaker not in SPEAKERS:
        raise ArgumentError(f"spoken_digits: no speaker is called {speaker!r}", repair=f"choose one of {', '.join(SPEAKERS)}")
    if features not in FEATURES or not 0.05 <= seconds <= 60:
        raise ArgumentError(f"spoken_digits: features={features!r}, seconds={seconds}",
                            repair=f"features are {', '.join(FEATURES)}; seconds from 0.05 to 60")
    made = partial(as_dataset, features=features, length=round(seconds * RATE))
    heard = [recording for recording in recordings(located(NAME, TRAIN, folder)) if recording.speaker != speaker]

    def test() -> Dataset:
        files = (TEST,) if speaker is None else (TRAIN, TEST)
        tested = (recording for file in files for recording in recordings(located(NAME, file, folder)))
        return made([recording for recording in tested if speaker in (None, recording.speaker)], "test")

    return Splits(made([recording for recording in heard if recording.number != HELD_OUT], "train"),
                  made([recording for recording in heard if recording.number == HELD_OUT], "validation"), test, NAME)


def as_dataset(chosen: list[Recording], part: str, features: str, length: int) -> Dataset:
    """The recordings as inputs of one size."""
    waves = np.zeros((len(chosen), length), np.float32)
    for row, recording in zip(waves, chosen):
        row[: recording.wave.size] = recording.wave[:length]
    return Dataset(FEATURES[features](waves)[:, None], [recording.digit for recording in chosen], WORDS, f"{NAME}.{part}")


def recordings(path: FilePath) -> Iterator[Recording]:
    """The recordings in a tar file, which is read from front to back and never unpacked to the disk."""
    seen = 0
    with unpacked(path) as source, reading(path), refusing(path), tarfile.open(fileobj=source.stream, mode="r|") as archive:
        for member in archive:
            seen += 1
            yield read_member(archive, member, path)
    if not seen:
        raise refused(path, "members", "there is no recording in it")


@contextlib.contextmanager
def refusing(path: FilePath) -> Iterator[None]:
    """Turns what tarfile raises for damaged archives into a DataError."""
    try:
        yield
    except tarfile.TarError as error:
        raise refused(path, "archive", f"it is damaged or no tar file ({error})") from error


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: FilePath) -> Recording:
    """One recording, whose name says what it is."""
    field = f"member {member.name!r:.60}"
    named = RECORDING.fullmatch(member.name)
    if named is None or named[2] not in SPEAKERS or not member.isreg():
        raise refused(path, field, "it is no recording", "they are called DIGIT_SPEAKER_NUMBER.wav, such as 7_theo_3.wav")
    if member.size > MOST_SOUND:
        raise refused(path, field, f"it claims {member.size} bytes, more than the {MOST_SOUND} of a recording")
    stream = archive.extractfile(member)
    raw = stream.read() if stream is not None else b""
    if len(raw) != member.size:
        raise refused(path, field, f"the file ends after {len(raw)} of its {member.size} bytes")
    sound = parse_wav(raw, FilePath(f"{path}: {member.name}"))
    check_sound(sound, path, field)
    return Recording(int(named[1]), named[2], int(named[3]), sound.samples[0])


def check_sound(sound: Sound, path: FilePath, field: str) -> None:
    """One channel, 8,000 samples a second, at least one."""
    channels, count = sound.samples.shape
    if channels != 1 or sound.rate != RATE or not count:
        raise refused(path, field, f"{count} samples of {channels} channels, {sound.rate} a second",
                      f"recordings have one channel and {RATE} samples a second")

