"""slopes train sound: WAV files of any rate and length in a folder become a run that predicts files and says how good it is."""

from __future__ import annotations

import json
import wave

import numpy as np
import pytest
from command_line import own_settings, slopes  # noqa: F401

from slopes.data.transforms.sound import resample
from slopes.errors import ArgumentError, DataError, ShapeError
from slopes.experiments.experiment import Config
from slopes.experiments.load import load
from slopes.experiments.own.sound import experiment, network, vary
from slopes.experiments.own.sounds import About, choose_hearing, read_sounds
from slopes.tensor import asarray

TONES = {"high": 1500.0, "low": 300.0}


def tone(name: str, i: int, rate: int = 4000, seconds: float = 0.3, channels: int = 1) -> np.ndarray:
    """A tone with noise, (n, channels)."""
    moments = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(i).normal(size=(moments.size, channels)) / 20
    return np.sin(2 * np.pi * (TONES[name] + 10 * i) * moments)[:, None] / 2 + noise


def save(path, samples: np.ndarray, rate: int = 4000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1], 2, rate, 0, "NONE", ""))
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def write(folder, count: int = 12) -> None:
    """A folder of WAV files, `count` of each class."""
    for name in TONES:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            save(folder / name / f"{i:02d}.wav", tone(name, i))


def config(folder, **values) -> Config:
    return Config(experiment.resolve(folder=str(folder), **values))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of sounds, some of them of other rates, lengths and channels, one broken, and a run on them."""
    home = tmp_path_factory.mktemp("sound")
    write(home / "sounds")
    save(home / "sounds" / "low" / "fast.wav", tone("low", 20, 8000), 8000)
    save(home / "sounds" / "low" / "stereo.wav", tone("low", 21, channels=2))
    save(home / "sounds" / "high" / "long.wav", tone("high", 22, seconds=2.0))
    (home / "sounds" / "high" / "broken.wav").write_bytes(b"RIFF")
    result = slopes("train", "sound", home / "sounds", "--skip-broken", "--balanced", "--epochs", 2, "--channels", 2, "--out", home / "run")
    assert result.exit_code == 0, result.output
    return home, result


def test_the_run_says_what_was_understood_and_how_good_the_network_is(trained):
    home, result = trained
    record = json.loads((home / "run" / "run.json").read_text(encoding="utf-8"))
    kept = "\n".join(record["lines"])
    for line in ("27 in 2 classes", "4,000 samples a second 26, 8,000 samples a second 1", "0.30 to 2.00 s, median 0.30 s",
                 "4,000 samples a second: the rate of most of them", "1 sound of another rate: resampled to 4,000",
                 "1 sound of several channels: their mean is heard", "1 sound longer than 0.3 s: cut at the end",
                 "1 sound cannot be read, and is left out", "high/broken.wav: magic", "most frequent class", "linear model"):
        assert line in kept, (line, kept)
    assert record["data"] | {"mean": 0, "std": 0, "test_sha256": ""} == {
        "classes": ["high", "low"], "rate": 4000, "seconds": 0.3, "bands": 40, "frame": 128, "mean": 0, "std": 0,
        "broken": ["high/broken.wav"], "test_sha256": ""}
    assert record["plots"] == ["curve.png", "mistakes.png", "regions.png", "confusion.png"] and "linear model" in result.stdout


def test_files_and_folders_are_predicted_and_evaluated(trained):
    home, _ = trained
    one = slopes("predict", home / "run", home / "sounds" / "low" / "03.wav", "--top", 2)
    assert one.exit_code == 0 and "low (" in one.stdout and "high (" in one.stdout
    table = slopes("predict", home / "run", home / "sounds", "--out", home / "made.csv")
    assert table.exit_code == 0 and "1 sound of another rate: resampled to 4,000" in table.stderr, table.output
    lines = (home / "made.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,class,probability,P(high),P(low)" and len(lines) == 28
    shown = slopes("evaluate", home / "run", home / "sounds").stdout
    assert "27 examples: accuracy" in shown and "1 sound longer than 0.3 s" in shown
    (home / "odd" / "middle").mkdir(parents=True)
    assert "'middle' was not learned" in slopes("evaluate", home / "run", home / "odd").stderr


def test_a_sound_of_another_rate_and_loudness_is_heard_alike(trained):
    home, _ = trained
    run = load(home / "run")
    save(home / "slow.wav", tone("low", 5))
    save(home / "fast.wav", tone("low", 5, 8000) / 4, 8000)
    slow, fast = (next(iter(run.predict_rows([str(home / name)]).rows)) for name in ("slow.wav", "fast.wav"))
    assert np.allclose(slow[3:], fast[3:], atol=0.1)


def test_what_is_heard_is_chosen_by_the_sounds(tmp_path):
    def hearing(*sounds: About, **values):
        return choose_hearing(config(tmp_path, **values), sounds)[0]

    assert (made := hearing(About(44100, 2, 30.0), About(44100, 1, 3.0))).rate == 16000 and made.seconds == 10 and made.frame == 512
    assert hearing(About(8000, 1, 0.01)).seconds == 0.25 and hearing(About(8000, 1, 1.0), sampling=4000, seconds=2.0).rate == 4000
    assert hearing(About(1000, 1, 1.0)).bands < 40
    with pytest.raises(ArgumentError, match=r"--seconds 0\.01"):
        hearing(About(8000, 1, 1.0), seconds=0.01)
    with pytest.raises(ArgumentError, match="--sampling 7"):
        hearing(About(8000, 1, 1.0), sampling=7)


def test_both_nets_hear_sounds():
    facts = {"classes": ["a", "b"], "rate": 4000, "seconds": 0.5, "bands": 16, "frame": 128, "mean": [3.0], "std": [2.0]}
    for name in ("cnn", "gru"):
        settings = {"net": name, "channels": 2, "dropout": 0.1}
        assert network(settings, facts, "")(asarray(np.zeros((2, 1, 16, 30), np.float32))).shape == (2, 2)
        with pytest.raises(ValueError, match="samples a second"):
            network(settings, facts | {"seconds": 1e9}, "")


def test_augmentation_keeps_shapes_and_changes_sounds():
    x = asarray(np.random.default_rng(0).random((2, 1, 40, 30)).astype(np.float32))
    y = vary({"mean": [0.5], "std": [0.3], "bands": 40})(x, asarray(np.zeros(2, np.int64)))[0].numpy()
    assert y.shape == x.shape and (y != x.numpy()).any()


@pytest.mark.parametrize("content, message", [(b"", "magic"), (b"RIFF....WAVE", "size"), (None, "there are none")],
                         ids=["empty", "cut", "silent"])
def test_a_broken_sound_is_an_error_that_names_it(tmp_path, content, message):
    write(tmp_path / "a", 10)
    path = tmp_path / "a" / "low" / "broken.wav"
    save(path, np.zeros((0, 1))) if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=rf"broken\.wav: .*{message}") as caught:
        read_sounds(config(tmp_path / "a"))
    assert "--skip-broken" in caught.value.repair


def test_sounds_that_do_not_fit_into_memory_are_refused(tmp_path, monkeypatch):
    write(tmp_path / "a", 10)
    monkeypatch.setattr("slopes.experiments.own.sounds.MOST_SOUNDS", 1000)
    with pytest.raises(DataError, match="take more than"):
        read_sounds(config(tmp_path / "a"))


@pytest.mark.parametrize("rate, other", [(8000, 11025), (44100, 16000), (16000, 8000), (8000, 8000)])
def test_a_tone_that_is_resampled_is_the_same_tone(rate, other):
    sound, expected = (np.sin(2 * np.pi * 440 * np.arange(n) / n) for n in (rate, other))
    made = resample(np.stack([sound, -sound]), rate, other)
    assert made.shape == (2, other) and made.dtype == np.float32
    assert np.abs(made[0] - expected)[other // 20 : -other // 20].max() < 0.02 and np.allclose(made[0], -made[1])


def test_what_a_lower_rate_cannot_hold_is_left_out():
    high = np.sin(2 * np.pi * 3000 * np.arange(8000) / 8000)
    assert np.abs(resample(high, 8000, 4000)[100:-100]).max() < 0.05


def test_rates_that_are_none_and_no_sound_are_refused():
    with pytest.raises(ArgumentError, match="from 8000 to 0"):
        resample(np.zeros(5), 8000, 0)
    with pytest.raises(ShapeError, match="no sample"):
        resample(np.zeros(0), 8000, 4000)
