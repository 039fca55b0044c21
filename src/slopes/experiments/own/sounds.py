"""Sounds of any rate and length: what the files hold, the rate and duration at which a network hears them, and spectrograms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from ...data.loaders.dataset import Dataset
from ...data.transforms.conditioning import Standardize
from ...data.transforms.sound import log_mel, mel_filters, resample
from ...errors import ArgumentError, DataError
from ...files.reading import refused
from ...files.wav import Sound, load_wav
from ..experiment import Config
from .classifier import Inputs, OwnFiles, file_lines, folder_name
from .division import Division, divide
from .labelled_files import FileKind, Labelled, counted, labelled_files, read_each, readable_files, without_broken

KIND = FileKind("sound", (".wav",))
HIGHEST_RATE, LOWEST_RATE = 16_000, 1_000  # samples a second
WINDOW = 0.032  # seconds of one spectrum, about
BANDS = (40, 32, 24, 16, 8)
QUIET = 8.0  # anything this many nats below the loudest sound of a recording is silence, whatever the microphone
LEAST, MOST = 0.25, 10.0  # seconds that are heard of a recording, if nothing else is asked for
MOST_SAMPLES = 2**27  # of a sound
MOST_SOUNDS = 2**31  # bytes of spectrograms that are held in memory


class About(NamedTuple):
    """What a file holds."""

    rate: int
    channels: int
    seconds: float


@dataclass(frozen=True)
class Hearing:
    """How the network hears sounds: samples a second, seconds of each sound, bands of pitch, and samples of one spectrum."""

    rate: int
    seconds: float
    bands: int
    frame: int

    def read(self, path: str, remarks: Counter[str] | None = None) -> np.ndarray:
        """The spectrogram (1, bands, time) of a file: one channel, the mean of all, resampled, cut or continued with silence.

        remarks: counts what is to be said of the file.
        """
        sound = load_sound(path)
        if remarks is not None:
            remarks.update(self.remarks(About(sound.rate, sound.samples.shape[0], sound.seconds)))
        wave = np.zeros(round(self.seconds * self.rate), np.float32)
        part = sound.samples[:, : round((self.seconds + 1) * sound.rate)].mean(axis=0)
        samples = resample(part, sound.rate, self.rate)[: wave.size]
        wave[: samples.size] = samples
        return level(log_mel(wave, self.rate, self.bands, self.frame, self.frame // 2))[None]

    def remarks(self, sound: About) -> list[str]:
        """What is to be said of a sound that is resampled, mixed or cut."""
        return [*([f"of another rate: resampled to {self.rate:,}"] if sound.rate != self.rate else []),
                *(["of several channels: their mean is heard"] if sound.channels > 1 else []),
                *([f"longer than {self.seconds:g} s: cut at the end"] if sound.seconds > self.seconds + 1e-9 else [])]

    def is_plausible(self) -> bool:
        """Whether sounds that are heard so take little memory."""
        return LOWEST_RATE <= self.rate <= 10 * HIGHEST_RATE and 1 < self.frame <= self.seconds * self.rate <= MOST_SAMPLES

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, bands, time)."""
        return 1, self.bands, 1 + (round(self.seconds * self.rate) - self.frame) // (self.frame // 2)


def level(spectrogram: np.ndarray) -> np.ndarray:
    """Loudness above silence, 0 to QUIET: the same for a loud and a low recording."""
    return np.maximum(spectrogram - spectrogram.max(), -QUIET) + QUIET


def load_sound(path: str) -> Sound:
    """The sound of a WAV file; DataError for one without a sample, and for a rate of which speech and music leave nothing."""
    sound = load_wav(path)
    if not sound.samples.shape[1]:
        raise refused(path, "samples", "there are none", "nothing can be heard", "record it again, or remove it")
    if sound.rate < LOWEST_RATE:
        raise refused(path, "rate", f"{sound.rate} samples a second", f"sounds have {LOWEST_RATE:,} or more", "bring a better recording")
    return sound


def about(path: str) -> About:
    """What a file holds."""
    sound = load_sound(path)
    return About(sound.rate, sound.samples.shape[0], sound.seconds)


def choose_hearing(config: Config, abouts: Sequence[About]) -> tuple[Hearing, list[tuple[str, str]]]:
    """The rate and the duration asked for, or those that suit the sounds; and why, in words."""
    rate, rate_reason = choose_rate(abouts, config["sampling"])
    frame = 2 ** round(np.log2(WINDOW * rate))
    seconds, seconds_reason = choose_seconds(abouts, config["seconds"])
    if not 5 * frame <= round(seconds * rate) <= MOST_SAMPLES:
        raise ArgumentError(f"--seconds {seconds:g}", why=f"the network hears {5 * frame / rate:.2f} to {MOST_SAMPLES / rate:.0f} s",
                            repair="use such a number of seconds")
    hearing = Hearing(rate, seconds, next(bands for bands in BANDS if bands == BANDS[-1] or enough(bands, frame, rate)), frame)
    moments = f"{hearing.shape[2]} moments of {1000 * frame / rate:g} ms"
    return hearing, [("heard at", f"{rate:,} samples a second: {rate_reason}"),
                     ("heard for", f"{seconds:g} s from the beginning: {seconds_reason}"),
                     ("seen as", f"log-mel spectrograms of {hearing.bands} bands, {moments}")]


def choose_rate(abouts: Sequence[About], asked: int) -> tuple[int, str]:
    """The rate asked for, else the most frequent one, but at most 16,000."""
    if asked:
        if not LOWEST_RATE <= asked <= 10 * HIGHEST_RATE:
            raise ArgumentError(f"--sampling {asked}", why=f"rates are from {LOWEST_RATE:,} to {10 * HIGHEST_RATE:,}",
                                repair="use 8000 or 16000")
        return asked, "as asked for"
    frequent = Counter(sound.rate for sound in abouts).most_common(1)[0][0]
    if frequent > HIGHEST_RATE:
        return HIGHEST_RATE, f"most have {frequent:,}, more than needed"
    return frequent, "the rate of most of them"


def choose_seconds(abouts: Sequence[About], asked: float) -> tuple[float, str]:
    """The duration asked for, else one that holds 95% of the sounds whole, from 0.25 to 10 seconds."""
    if asked:
        return asked, "as asked for"
    quantile = float(np.quantile([sound.seconds for sound in abouts], 0.95))
    seconds = min(max(float(np.ceil(round(quantile * 10, 6)) / 10), LEAST), MOST)
    return seconds, f"95% of them have {quantile:.2f} s or less"


def enough(bands: int, frame: int, rate: int) -> bool:
    """Whether a frequency falls into each of so many bands."""
    try:
        mel_filters(bands, frame, rate)
    except ArgumentError:
        return False
    return True


def read_sounds(config: Config) -> OwnFiles:
    """All sounds of the user, divided; every one is read now, and its spectrogram is kept in memory."""
    labelled = labelled_files(config, KIND)
    config.log(f"reading {KIND.count(len(labelled))} ...")
    abouts, broken = read_each(labelled, lambda i: about(labelled.paths[i]), config["skip_broken"])
    readable_files(labelled, broken, KIND)
    kept, indices, names = without_broken(labelled, broken, KIND)
    known = [sound for i in indices.tolist() if (sound := abouts[i]) is not None]
    hearing, rows = choose_hearing(config, known)
    if 4 * len(kept) * np.prod(hearing.shape, dtype=np.float64) > MOST_SOUNDS:
        raise DataError(f"{labelled.root}: the spectrograms of {KIND.count(len(kept))} of {hearing.seconds:g} s take more than "
                        f"{MOST_SOUNDS // 2**30} GiB", why="they are held in memory", where="", repair="use fewer --seconds, or sounds")
    spectrograms = np.empty((len(kept), *hearing.shape), np.float32)

    def read(i: int) -> None:
        spectrograms[i] = hearing.read(kept.paths[i])

    read_each(kept, read, skip=False)
    return as_files(config, kept, divide(kept, KIND, config.seed), hearing, spectrograms, names, [*about_rows(known), *rows],
                    about_notes(known, hearing))


def as_files(config: Config, labelled: Labelled, division: Division, hearing: Hearing, spectrograms: np.ndarray, broken: list[str],
             rows: list[tuple[str, str]], notes: list[str]) -> OwnFiles:
    """The sides, with mean and deviation of the training sounds, and what was understood."""
    name = folder_name(labelled.root)

    def side(indices: np.ndarray, part: str) -> Dataset:
        return Dataset(spectrograms[indices], labelled.targets[indices], labelled.classes, f"{name}.{part}")

    train = side(division.train, "train")
    scale = Standardize(train, per="channel")
    facts = {"classes": list(labelled.classes), **asdict(hearing), "mean": scale.mean.ravel().tolist(), "std": scale.std.ravel().tolist(),
             "broken": broken}
    return OwnFiles(train, side(division.validation, "validation"), side(division.test, "test"),
                    [labelled.name(i) for i in division.test], facts, file_lines(labelled, division, KIND, config, rows, notes))


def about_rows(abouts: Sequence[About]) -> list[tuple[str, str]]:
    """Rates, channels and durations, in words."""
    rates = Counter(sound.rate for sound in abouts).most_common(5)
    seconds = [sound.seconds for sound in abouts]
    return [("rates", ", ".join(f"{rate:,} samples a second {count:,}" for rate, count in rates)),
            ("durations", f"{min(seconds):.2f} to {max(seconds):.2f} s, median {np.median(seconds):.2f} s")]


def about_notes(abouts: Sequence[About], hearing: Hearing) -> list[str]:
    """What is to be said of sounds that are resampled, mixed or cut."""
    return counted(Counter(remark for sound in abouts for remark in hearing.remarks(sound)), KIND)


def averaged_features(inputs: Inputs) -> np.ndarray:
    """Mean and deviation over time of each band, (N, 2 bands), for models of rows."""
    bands = np.asarray(inputs.inputs)[:, 0]
    return np.concatenate([bands.mean(axis=2), bands.std(axis=2)], axis=1)
