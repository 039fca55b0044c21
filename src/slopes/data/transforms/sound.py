"""Spectrograms of sounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError

FLOOR = 1e-6  # added to power before the logarithm: what is quieter than that is silence


def spectrogram(samples: Any, frame: int = 256, hop: int = 128) -> np.ndarray:
    """The power of every frequency in overlapping pieces of a sound: (..., n) -> (..., frame // 2 + 1, 1 + (n - frame) // hop).

    P[k, t] = |sum_j w_j x_(t hop + j) exp(-2 pi i k j / frame)|^2 / sum_j w_j^2, with Hann's window
    w_j = 1/2 - 1/2 cos(2 pi j / frame), j from 0 to frame - 1; frequency k is k rate / frame hertz. float32.
    Raises ShapeError for a sound shorter than one frame, ArgumentError for a frame below 2 or a hop below 1.
    Source: Allen, Rabiner, "A unified approach to short-time Fourier analysis and synthesis", 1977.

    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    >>> power = spectrogram(tone)
    >>> power.shape, int(power[:, 10].argmax()) * 8000 / 256
    ((129, 61), 1000.0)
    """
    sound = np.asarray(samples, np.float64)
    if frame < 2 or hop < 1:
        raise ArgumentError(f"spectrogram: frame={frame}, hop={hop}", why="a piece has at least 2 samples, and pieces move on",
                            repair="for 8,000 samples a second, frame=256 and hop=128 are usual")
    if sound.ndim == 0 or sound.shape[-1] < frame:
        raise ShapeError(f"spectrogram: a sound of shape {sound.shape} is shorter than one frame of {frame} samples",
                         repair="lengthen it with zeros, or use a shorter frame")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    pieces = np.lib.stride_tricks.sliding_window_view(sound, frame, axis=-1)[..., ::hop, :] * window  # (..., time, frame)
    power = np.abs(np.fft.rfft(pieces, axis=-1)) ** 2 / (window**2).sum()
    return np.ascontiguousarray(np.swapaxes(power, -1, -2), np.float32)


def mel(hertz: Any) -> Any:
    """How high a frequency sounds: 2595 log10(1 + f / 700) (O'Shaughnessy 1987).

    >>> round(float(mel(1000.0)))
    1000
    """
    return 2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700)


def mel_filters(bands: int, frame: int, rate: float, lowest: float = 20.0, highest: float | None = None) -> np.ndarray:
    """Triangles that sum a spectrum up into bands that sound equally wide: (bands, frame // 2 + 1) float32.

    The corners f_0 < f_1 < ... < f_(bands + 1) are equally far apart in mel, from `lowest` to `highest` (rate / 2) hertz; band b
    weighs frequency f by max(0, min((f - f_b) / (f_(b+1) - f_b), (f_(b+2) - f) / (f_(b+2) - f_(b+1)))).
    Raises ArgumentError when a band is so narrow that no frequency falls into it.
    Source: Davis, Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980.

    >>> [round(float(each), 2) for each in mel_filters(3, 16, 8000)[1, :6]]  # hertz: 0, 500, ..., 2500
    [0.0, 0.07, 0.8, 0.67, 0.22, 0.0]
    """
    highest = rate / 2 if highest is None else highest
    if bands < 1 or not 0 <= lowest < highest <= rate / 2:
        raise ArgumentError(f"mel_filters: {bands} bands from {lowest} to {highest} hertz, rate {rate}",
                            why="frequencies lie between 0 and half the rate")
    corners = 700 * (10 ** (np.linspace(mel(lowest), mel(highest), bands + 2) / 2595) - 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    frequency = np.arange(frame // 2 + 1) * rate / frame
    weights = np.maximum(0, np.minimum((frequency - low) / (middle - low), (high - frequency) / (high - middle)))
    if not (weights.sum(axis=1) > 0).all():
        empty = int(np.argmin(weights.sum(axis=1) > 0))
        raise ArgumentError(f"mel_filters: no frequency falls into band {empty} of {bands}", why=f"they are {rate / frame:g} hertz apart",
                            repair="use fewer bands or a longer frame")
    return weights.astype(np.float32)


def resample(samples: Any, rate: float, new_rate: float) -> np.ndarray:
    """The same sound at another sampling rate: (..., n) -> (..., round(n new_rate / rate)) float32, what both rates can hold kept.

    The Fourier coefficients up to half of the lower rate are those of the sound, the others 0; the sound is continued with silence,
    so that its end does not reach its beginning. Raises ArgumentError for rates that are not above 0, ShapeError for no sample.
    Source: Oppenheim, Schafer, Discrete-Time Signal Processing (2010), section 4.6.

    >>> tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)
    >>> resampled = resample(tone, 16000, 8000)
    >>> resampled.shape, bool(np.abs(resampled - tone[::2])[100:-100].max() < 0.01)
    ((8000,), True)
    """
    sound = np.asarray(samples, np.float64)
    if not (rate > 0 and new_rate > 0):
        raise ArgumentError(f"resample: from {rate} to {new_rate} samples a second", why="rates are above 0")
    if sound.ndim == 0 or not sound.shape[-1]:
        raise ShapeError(f"resample: a sound of shape {sound.shape} has no sample")
    count = sound.shape[-1]
    if rate == new_rate:
        return sound.astype(np.float32)
    length, new_count = round_up(count, rate), round(count * new_rate / rate)
    padded = round(length * new_rate / rate)
    spectrum = np.fft.rfft(sound, length)
    kept = spectrum[..., : min(length, padded) // 2 + 1]
    return np.ascontiguousarray(np.fft.irfft(kept, padded)[..., :new_count] * (padded / length), np.float32)


def round_up(count: int, rate: float) -> int:
    """Samples of a sound and of a tenth of a second of silence or more, a whole number of tenths: other rates fit into it, too."""
    tenth = max(1, round(rate / 10))
    return (count // tenth + 2) * tenth


def log_spectrogram(samples: Any, frame: int = 256, hop: int = 128) -> np.ndarray:
    """log(P + 1e-6) of the spectrogram P: loudness as it is heard. Shapes and errors as in `spectrogram`.

    >>> log_spectrogram(np.zeros(512)).max().round(2)
    np.float32(-13.82)
    """
    return np.log(spectrogram(samples, frame, hop) + np.float32(FLOOR))


def log_mel(samples: Any, rate: float, bands: int = 40, frame: int = 256, hop: int = 128) -> np.ndarray:
    """log(M P + 1e-6), the spectrogram P summed up by the mel filters M: (..., n) -> (..., bands, time) float32.

    >>> log_mel(np.zeros((3, 8000)), rate=8000).shape
    (3, 40, 61)
    """
    return np.log(mel_filters(bands, frame, rate) @ spectrogram(samples, frame, hop) + np.float32(FLOOR))
