"""Sound: WAV files of every kind load, damaged ones do not; spectrograms are what the formulas say; spoken digits are divided as told."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import wave

import numpy as np
import pytest

from slopes import data
from slopes.data.transforms.sound import log_mel, log_spectrogram, mel, mel_filters, spectrogram
from slopes.errors import ArgumentError, DataError, ShapeError
from slopes.files.wav import STANDARD_GUID, load_wav, parse_wav

VALUES = np.array([[0.0, 0.5, -1.0, 0.25], [-0.5, 0.75, 0.0, -0.125]])  # (channels, n)


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def fmt(code, bits, channels=2, rate=8000, frame=None):
    frame = channels * bits // 8 if frame is None else frame
    return struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def coded(code, bits):
    """VALUES as the bytes of this format."""
    flat = VALUES.T.reshape(-1)
    if code == 3:
        return flat.astype(f"<f{bits // 8}").tobytes()
    whole = (flat * 2 ** (bits - 1)).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return b"".join(int(each).to_bytes(bits // 8, "little", signed=True) for each in whole)


KINDS = [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)]


@pytest.mark.parametrize("code, bits", KINDS)
@pytest.mark.parametrize("extensible", [False, True])
def test_wav_of_every_kind_loads(tmp_path, code, bits, extensible):
    form = fmt(code, bits)
    if extensible:
        form = fmt(0xFFFE, bits) + struct.pack("<HHIH", 22, bits, 3, code) + STANDARD_GUID
    path = tmp_path / "sound.wav"
    path.write_bytes(riff(chunk(b"fmt ", form), chunk(b"LIST", b"odd"), chunk(b"data", coded(code, bits)), chunk(b"id3 ", b"")))
    found = load_wav(path)
    assert found.rate == 8000 and found.samples.dtype == np.float32 and found.seconds == 4 / 8000
    np.testing.assert_array_equal(found.samples, VALUES)


def test_wav_agrees_with_the_standard_library(tmp_path, rng):
    numbers = rng.integers(-(2**15), 2**15, (50, 3)).astype("<i2")
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((3, 2, 44100, 0, "NONE", ""))
        file.writeframes(numbers.tobytes())
    found = load_wav(tmp_path / "x.wav")
    assert found.rate == 44100
    np.testing.assert_array_equal(found.samples, numbers.T / np.float32(2**15))


DATA = chunk(b"data", coded(1, 16))
GOOD = chunk(b"fmt ", fmt(1, 16))
REFUSED = {
    "empty": (b"", "magic: b'' ... b'' instead of b'RIFF' ... b'WAVE'"),
    "big-endian": (b"RIFX" + riff(GOOD, DATA)[4:], "magic: b'RIFX'"),
    "cut": (riff(GOOD, DATA)[:-1], "size: the header claims 52 bytes, but 51 follow"),
    "long": (riff(GOOD, DATA) + b"more", "size: the header claims 52 bytes, but 56 follow"),
    "still being written": (b"RIFF\xff\xff\xff\xff" + riff(GOOD, DATA)[8:], "size: the header claims 4294967295 bytes"),
    "chunk past the end": (riff(GOOD, b"data\xff\xff\xff\x7f" + b"1234"), "chunk b'data': it claims 2147483647 bytes, but 4 are left"),
    "no samples": (riff(GOOD), "chunk 'data': there is none"),
    "no format": (riff(chunk(b"LIST", b"")), "chunk 'fmt ': there is none"),
    "format after samples": (riff(DATA, GOOD), "chunk 'fmt ': it does not precede the samples"),
    "two formats": (riff(GOOD, GOOD, DATA), "chunk 'fmt ': there are two of them"),
    "short format": (riff(chunk(b"fmt ", b"12345678"), DATA), "chunk 'fmt ': 8 bytes, fewer than 16"),
    "mp3": (riff(chunk(b"fmt ", fmt(85, 16)), DATA), "format: MP3 of 16 bits"),
    "12 bits": (riff(chunk(b"fmt ", fmt(1, 12)), DATA), "format: code 1 of 12 bits"),
    "no channel": (riff(chunk(b"fmt ", fmt(1, 16, channels=0)), DATA), "format: 0 channels"),
    "no rate": (riff(chunk(b"fmt ", fmt(1, 16, rate=0)), DATA), "format: 2 channels, 0 samples per second"),
    "frame": (riff(chunk(b"fmt ", fmt(1, 16, frame=2)), DATA), "2 bytes for one sample of 16 bits"),
    "extensible without kind": (riff(chunk(b"fmt ", fmt(0xFFFE, 16)), DATA), "format: an extensible header without a known format"),
    "half a sample": (riff(GOOD, chunk(b"data", b"123456")), "chunk 'data': 6 bytes, not a multiple of the 4"),
    "nan": (riff(chunk(b"fmt ", fmt(3, 32)), chunk(b"data", np.array([0, 1, np.nan, 1], "<f4").tobytes())), "sample 1 is not finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wav_is_refused_with_file_and_field(tmp_path, case):
    raw, text = REFUSED[case]
    path = tmp_path / "sound.wav"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        load_wav(path)
    assert str(caught.value).startswith(f"{path}: ") and text in str(caught.value)


def test_no_damaged_byte_of_a_wav_file_raises_anything_else():
    raw = riff(GOOD, DATA)
    for place in range(len(raw)):
        for byte in (0, 1, 255, raw[place] ^ 0x10):
            try:
                parse_wav(raw[:place] + bytes([byte]) + raw[place + 1 :], "x.wav")
                parse_wav(raw[:place], "x.wav")
            except DataError:
                pass


# Spectrograms


def test_the_spectrogram_is_the_sum_of_its_formula(rng):
    x, frame, hop = rng.normal(size=100), 16, 5
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    found = spectrogram(x, frame, hop)
    assert found.shape == (9, 17) and found.dtype == np.float32
    for k, t in ((0, 0), (3, 2), (8, 16), (5, 9)):
        total = sum(window[j] * x[t * hop + j] * np.exp(-2j * np.pi * k * j / frame) for j in range(frame))
        assert abs(abs(total) ** 2 / (window**2).sum() - found[k, t]) < 1e-4


def test_mel_filters_rise_and_fall_between_corners_that_are_evenly_spaced_in_mel():
    filters = mel_filters(10, 512, 16000, 100, 7000)
    peaks = filters.argmax(axis=1) * 16000 / 512
    assert filters.shape == (10, 257) and filters.min() == 0 and filters.max() <= 1
    np.testing.assert_allclose(np.diff(mel(peaks)), (mel(7000) - mel(100)) / 11, rtol=0.15)
    inside = slice(int(peaks[0] * 512 / 16000) + 1, int(peaks[-1] * 512 / 16000))
    np.testing.assert_allclose(filters.sum(axis=0)[inside], 1, atol=1e-5)  # neighbours share every frequency fully


def test_batches_of_sounds_are_taken_along_the_last_axis(rng):
    x = rng.normal(size=(2, 3, 600))
    np.testing.assert_array_equal(log_mel(x, 8000)[1, 2], log_mel(x[1, 2], 8000))
    np.testing.assert_array_equal(log_spectrogram(x)[0, 1], log_spectrogram(x[0, 1]))


@pytest.mark.parametrize("call, kind, text", [
    (lambda: spectrogram(np.zeros(255)), ShapeError, "a sound of shape (255,) is shorter than one frame of 256 samples"),
    (lambda: spectrogram(3.0), ShapeError, "a sound of shape () is shorter"),
    (lambda: spectrogram(np.zeros(9), hop=0), ArgumentError, "frame=256, hop=0"),
    (lambda: mel_filters(0, 256, 8000), ArgumentError, "0 bands from 20.0 to 4000.0 hertz"),
    (lambda: mel_filters(10, 256, 8000, 100, 5000), ArgumentError, "frequencies lie between 0 and half the rate"),
    (lambda: mel_filters(100, 256, 8000), ArgumentError, "no frequency falls into band 1 of 100"),
])
def test_sounds_and_filters_that_make_no_sense_are_refused(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


# Spoken digits


def archive(folder, name, members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for member, raw in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(raw)
            file.addfile(info, io.BytesIO(raw))
    (folder / name).write_bytes(out.getvalue())
    return folder / name


def spoken(value, count=300, rate=8000, channels=1):
    numbers = np.full(count * channels, value, "<i2")
    return riff(chunk(b"fmt ", fmt(1, 16, channels, rate)), chunk(b"data", numbers.tobytes()))


def names(first, last):
    return [f"{digit}_{who}_{index}.wav" for digit in (0, 7) for who in ("george", "theo") for index in range(first, last)]


@pytest.fixture
def small(tmp_path):
    archive(tmp_path, "fsdd_train.tar", {name: spoken(k) for k, name in enumerate(names(12, 15))})
    archive(tmp_path, "fsdd_test.tar", {name: spoken(100 + k) for k, name in enumerate(names(0, 2))})
    return tmp_path


def test_spoken_digits_are_cut_into_their_own_test_set_and_recording_14_for_validation(small):
    found = data.spoken_digits(small, features="wave", seconds=0.05)
    assert (len(found.train), len(found.validation)) == (8, 4) and found.test_untouched
    assert found.train.inputs.shape == (8, 1, 400) and found.classes[7] == "seven"
    assert found.train.targets.tolist() == [0] * 4 + [7] * 4
    assert (found.train.inputs[1, 0, :300] * 2**15 == 1).all() and not found.train.inputs[1, 0, 300:].any()
    assert found.test.targets.tolist() == [0] * 4 + [7] * 4
    assert (found.test.inputs[:, 0, 0] * 2**15).tolist() == [100 + k for k in range(8)]


def test_a_speaker_who_is_held_out_is_heard_in_the_test_set_only(small):
    found = data.spoken_digits(small, features="wave", speaker="theo", seconds=0.05)
    assert (found.train.inputs[:, 0, 0] * 2**15).tolist() == [0, 1, 6, 7]
    assert (found.validation.inputs[:, 0, 0] * 2**15).tolist() == [2, 8]
    assert sorted((found.test.inputs[:, 0, 0] * 2**15).tolist()) == [3, 4, 5, 9, 10, 11, 102, 103, 106, 107]


@pytest.mark.parametrize("options, text", [({"speaker": "anna"}, "no speaker is called 'anna'"), ({"features": "mfcc"}, "features='mfcc'"),
                                           ({"seconds": 0.0}, "seconds=0.0")])
def test_unknown_choices_of_spoken_digits_are_refused(options, text):
    with pytest.raises(ArgumentError, match=text):
        data.spoken_digits(**options)


@pytest.mark.parametrize("members, text", [
    ({}, "members: there is no recording in it"),
    ({"../evil.wav": b""}, "member '../evil.wav': it is no recording"),
    ({"7_theo_3.wav": b"RIFF"}, "7_theo_3.wav: magic: b'RIFF'"),
    ({"7_theo_3.wav": spoken(1, rate=16000)}, "300 samples of 1 channels, 16000 a second"),
    ({"7_theo_3.wav": spoken(1, channels=2)}, "300 samples of 2 channels"),
    ({"7_theo_3.wav": spoken(1, count=0)}, "0 samples of 1 channels"),
])
def test_archives_with_anything_but_recordings_are_refused(tmp_path, members, text):
    path = archive(tmp_path, "fsdd_train.tar", members)
    with pytest.raises(DataError) as caught:
        data.spoken_digits(tmp_path)
    assert str(caught.value).startswith(str(path)) and text in str(caught.value)


def test_damaged_archives_are_refused(small):
    path = small / "fsdd_train.tar"
    whole = path.read_bytes()
    for raw in (b"", b"no tar file at all", whole[:700], gzip.compress(whole)[:-20], b"\0" + whole[1:]):
        path.write_bytes(raw)
        with pytest.raises(DataError):
            data.spoken_digits(small)
    path.write_bytes(gzip.compress(whole))
    assert len(data.spoken_digits(small).train) == 8


def test_the_spoken_digits_of_the_public_set(data_folder):
    found = data.spoken_digits(data_folder, speaker="lucas")
    assert (len(found.train), len(found.validation), len(found.test)) == (450, 50, 150)
    assert found.train.inputs.shape[1:] == (1, 40, 61)
    assert np.bincount(found.test.targets).tolist() == [15] * 10
