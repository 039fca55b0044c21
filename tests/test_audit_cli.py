"""The command line and what users throw at it: odd pictures, damaged runs, wrong options, full disks, Ctrl-C at any moment."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)

from slopes import cli
from slopes.experiments import classification
from slopes.train import runs
from slopes.train.runs import load_run

image = pytest.importorskip("PIL.Image")

SMALL = "--epochs", "1", "--channels", "2", "--quiet"  # a training whose programs are compiled in a second


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "run"
    assert slopes("train", "digits", "--epochs", 2, "--quiet", "--out", folder).exit_code == 0
    return folder


# Pictures


STROKE = np.zeros((40, 30), np.uint8)
STROKE[8:32, 12:18] = 255


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb() -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def large() -> np.ndarray:
    pixels = np.zeros((1200, 900), np.uint8)
    pixels[240:960, 360:540] = 255
    return pixels


READ = {
    "grey": lambda: image.fromarray(STROKE),
    "colour": lambda: image.fromarray(np.dstack([STROKE] * 3)),
    "transparent, dark on light": lambda: image.fromarray(np.dstack([255 - STROKE] * 3 + [STROKE])),
    "palette": lambda: image.fromarray(STROKE).convert("P"),
    "black and white": lambda: image.fromarray(STROKE).convert("1"),
    "16 bits": lambda: image.fromarray(STROKE.astype(np.uint16) * 257),
    "large": lambda: image.fromarray(large()),
}


@pytest.mark.parametrize("name", READ)
def test_pictures_of_every_kind_show_the_same_digit(run, tmp_path, name):
    READ[name]().save(tmp_path / "stroke.png")
    result = slopes("predict", run, "stroke.png")
    assert result.exit_code == 0 and result.stdout.startswith("stroke.png: 1 (")


def test_of_an_animation_the_first_picture_counts(run, tmp_path):
    image.fromarray(STROKE).save(tmp_path / "moving.png", save_all=True, append_images=[image.fromarray(STROKE * 0)])
    assert slopes("predict", run, "moving.png").stdout.startswith("moving.png: 1 (")


def saved_png(pixels: np.ndarray) -> bytes:
    image.fromarray(pixels).save("kept.png")
    return Path("kept.png").read_bytes()


OTHER = """\
  the file is damaged or of another kind: fetch or write it again, or name another file
"""
REFUSED = {
    "one pixel": (lambda: saved_png(np.array([[7]], np.uint8)), """\
error: odd.png: image: all of its 1 x 1 pixels have nearly one shade
  there is nothing to recognise
  name an image with one subject on a plain background
"""),
    "empty": (lambda: b"", "error: odd.png: contents: the file is empty\n" + OTHER),
    "a PDF": (lambda: b"%PDF-1.4\n" + bytes(1000), """\
error: odd.png: contents: it is not a readable image (neither PNG nor JPEG)
  supported are PNG, JPEG and binary PGM and PPM
""" + OTHER),
    "truncated": (lambda: saved_png(STROKE)[:60], """\
error: odd.png: contents: it is not a readable image (image file is truncated)
  supported are PNG, JPEG and binary PGM and PPM
""" + OTHER),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pictures_that_cannot_be_read_say_why(run, tmp_path, name):
    make, text = REFUSED[name]
    (tmp_path / "odd.png").write_bytes(make())
    result = slopes("predict", run, "odd.png")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", text)


def test_a_picture_that_unpacks_without_end_is_not_unpacked(run, tmp_path):
    (tmp_path / "bomb.png").write_bytes(bomb())
    result = slopes("predict", run, "bomb.png")
    assert result.exit_code == 1 and "bomb.png: width, height: " in result.stderr and len(result.stderr.splitlines()) == 3


@pytest.mark.parametrize("name, text", [(".", "it is a folder or a device, not a file"), ("/dev/null", "it is a folder or a device"),
                                        ("none.png", "there is no such file")])
def test_what_is_no_file_is_no_picture(run, name, text):
    result = slopes("predict", run, name)
    assert result.exit_code == 1 and f"error: {name}: file: {text}" in result.stderr


# Runs


def edited(folder: Path, **changed: object) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


DAMAGE = {
    "a newer schema": (lambda folder: edited(folder, version=99), """\
error: RUN/run.json: version: written with the newer schema version 99; this slopes reads up to 3
  upgrade slopes: pip install --upgrade slopes
"""),
    "truncated weights": (lambda folder: os.truncate(folder / "weights.safetensors", 1000), r"""
error: RUN/weights.safetensors: data: \d+ bytes follow the header, but its arrays take \d+
""".lstrip() + OTHER),
    "other weights": (lambda folder: shutil.copy(folder / "curve.png", folder / "weights.safetensors"), r"""
error: RUN/weights.safetensors: header length: \d+, but \d+ bytes follow
  a header is at most as long as its file, and at most 8388608 bytes
""".lstrip() + OTHER),
    "no weights": (lambda folder: (folder / "weights.safetensors").unlink(), """\
error: RUN/weights.safetensors: file: there is no such file
  check the path and the current directory
"""),
    "another recipe": (lambda folder: edited(folder, recipe="lenet"), """\
error: RUN/run.json: hyperparameters: recipe lenet has no channels, dropout
  restore the file from a copy, or train again
"""),
    "half a record": (lambda folder: os.truncate(folder / "run.json", 10), r"""
error: RUN/run.json: contents: it is not JSON \(.*\)
""".lstrip() + OTHER),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_names_file_and_field(run, tmp_path, name):
    damage, text = DAMAGE[name]
    folder = Path(shutil.copytree(run, tmp_path / "damaged"))
    damage(folder)
    result = slopes("predict", folder, "x.png")
    assert result.exit_code == 1 and result.stdout == ""
    assert re.fullmatch(text if "\\" in text else re.escape(text), result.stderr.replace(str(folder.resolve()), "RUN"))


def test_a_picture_in_place_of_a_run(run, tmp_path):
    (tmp_path / "seven.png").write_bytes(saved_png(STROKE))
    result = slopes("predict", "seven.png", "seven.png")
    assert result.exit_code == 1 and result.stderr.startswith("error: seven.png: run.json: this is a file, not a folder\n")


# Options and settings


@pytest.mark.parametrize("option, value, text", [
    ("--threads", "0", "0 is not from 1 to 1024."), ("--threads", "100000", "100000 is not from 1 to 1024."),
    ("--threads", "two", "'two' is not a whole number."), ("--seed", "-1", "-1 is not from 0 to 9223372036854775807."),
    ("--seed", str(2**64), f"{2**64} is not from 0 to 9223372036854775807."), ("--epochs", "1.5", "'1.5' is not a whole number."),
    ("--batch", "-3", "-3 is not from 1 to 9223372036854775807."), ("--rate", "inf", "inf is not a finite number of at least 0."),
    ("--rate", "-1", "-1 is not a finite number of at least 0.")])
def test_wrong_numbers_say_what_is_right(option, value, text):
    result = slopes("train", "digits", option, value)
    assert result.exit_code == 2 and f"Invalid value for '{option}': {text}" in result.stderr


def test_a_wrong_setting_of_threads_is_told(monkeypatch):
    monkeypatch.setenv("SLOPES_THREADS", "many")
    result = slopes("info")
    assert (result.exit_code, result.stderr) == (1, """\
error: SLOPES_THREADS is 'many'
  it is the number of threads to compute with
  set it to a whole number from 1 to 1024, or unset it to use all processors
""")


def test_a_network_beyond_memory_is_refused(tmp_path):
    result = slopes("train", "digits", "--channels", 10**8, "--out", tmp_path / "run")
    assert result.exit_code == 1 and re.search(r"error: an array of shape .* needs .* GiB are free", result.stderr)


def test_batches_larger_than_the_data_and_of_one_example_work(tmp_path):
    assert slopes("train", "digits", *SMALL, "--batch", 10**8, "--out", tmp_path / "whole").exit_code == 0


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOPES_CACHE", "/dev/null")
    assert slopes("train", "digits", *SMALL, "--out", tmp_path / "run").exit_code == 0


# Disks


def test_a_disk_that_is_full_in_the_end_loses_no_training(tmp_path, monkeypatch):
    saved, wanted = runs.save_safetensors, tmp_path / "run"

    def full(path, *rest):
        if Path(path).is_relative_to(wanted):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return saved(path, *rest)

    monkeypatch.setattr(runs, "save_safetensors", full)
    result = slopes("train", "digits", "--epochs", 1, "--quiet", "--out", wanted)
    assert result.exit_code == 1
    assert result.stderr == (f"error: {wanted} could not be written: No space left on device\n  the previous file, if any, is unchanged\n"
                             "  free space on the disk, or save to another one\n"
                             "  the training is not lost: it was saved to the folder below\n")
    folder = re.search(r"saved in (.*): ", result.stdout)[1]
    assert load_run(folder).recipe == "digits" and not wanted.exists()
    shutil.rmtree(folder)


# Ctrl-C


def test_ctrl_c_before_anything_was_learned(tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object):
        raise KeyboardInterrupt

    monkeypatch.setitem(classification.DATASETS, "digits", interrupted)
    result = slopes("train", "digits", "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (130, "interrupted: nothing was saved\n")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_ctrl_c_while_the_net_is_tested_or_saved_loses_nothing(tmp_path, monkeypatch):
    evaluated = classification.evaluate

    def impatient(*arguments):
        signal.raise_signal(signal.SIGINT)
        return evaluated(*arguments)

    monkeypatch.setattr(classification, "evaluate", impatient)
    result = slopes("train", "digits", "--epochs", 1, "--quiet", "--out", tmp_path / "run")
    assert result.exit_code == 130 and ", interrupted" in result.stdout
    assert not load_run(tmp_path / "run").interrupted  # the training itself was complete


# Two at once


def test_two_processes_share_a_new_cache_and_learn_the_same(tmp_path):
    environment = {**os.environ, "SLOPES_CACHE": str(tmp_path / "cache"), "SLOPES_THREADS": "1"}
    command = [sys.executable, "-m", "slopes", "train", "digits", *SMALL, "--out"]
    folder = Path(cli.__file__).resolve().parents[1]
    both = [subprocess.Popen([*command, str(tmp_path / name)], env=environment, cwd=folder, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) for name in ("one", "two")]
    for process in both:
        assert process.communicate(timeout=300)[1] == "" and process.returncode == 0
    first, second = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second
