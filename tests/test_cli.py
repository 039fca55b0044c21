"""The command line: what it prints, where it writes, its exit codes, and errors without tracebacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import onnx
import pytest

pytest.importorskip("sklearn")

from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from onnx_cases import check_runs

from slopes import cli
from slopes.data import digits
from slopes.experiments.catalog import OWN_DATA, RECIPES
from slopes.experiments.load import load
from slopes.machine import translate
from slopes.settings import VERSION
from slopes.train.runs import load_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    return folder, slopes("train", "digits", "--epochs", 8, "--out", folder)


@pytest.fixture
def images(tmp_path):
    """Four images of the test set as files, and their digits."""
    test, paths = digits().test, []
    for i in range(4):
        paths.append(tmp_path / f"{i}.pgm")
        paths[-1].write_bytes(b"P5 8 8 255\n" + (test.inputs[i, 0] * 255).round().astype("u1").tobytes())
    return paths, [str(each) for each in test.targets[:4]]


def test_train_ends_with_accuracy_time_place_and_next_step(trained):
    folder, result = trained
    assert result.exit_code == 0
    first, *_, accuracy, trained_in, saved, advice = result.stdout.splitlines()
    assert first == "digits: dataset digits, epochs 8, batch 32, optimizer adam, rate 0.003, schedule cosine, channels 16, " \
        "dropout 0.5, seed 0"
    assert accuracy.startswith("test accuracy 9") and trained_in.startswith("trained in ") and "compiling" in trained_in
    files = "confusion.png, curve.png, history.jsonl, mistakes.png, run.json, state.safetensors, weights.safetensors"
    assert saved == f"saved in {folder}: {files}"
    assert advice == f"next: slopes predict {folder} IMAGE..."
    assert "epoch 8/8" in result.stderr


def test_training_again_with_the_same_seed_writes_the_same_weights(trained, tmp_path):
    again = slopes("train", "--epochs", 8, "--out", tmp_path / "again", "--threads", 1, "--quiet")
    assert again.exit_code == 0 and again.stderr == "" and len(again.stdout.splitlines()) == 4
    name = "weights.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (trained[0] / name).read_bytes()
    other = slopes("train", "--epochs", 8, "--out", tmp_path / "other", "--seed", 1, "--quiet")
    assert other.exit_code == 0
    assert (tmp_path / "other" / name).read_bytes() != (trained[0] / name).read_bytes()


def test_train_prints_advice(tmp_path):
    result = slopes("train", "--epochs", 3, "--optimizer", "sgd", "--rate", "1e-5", "--out", tmp_path / "run", "--quiet")
    accuracy, _, remark, *_ = result.stdout.splitlines()
    assert accuracy.startswith("test accuracy") and remark.startswith("advice: the loss hardly fell: from 2.")


def test_train_without_a_folder_makes_new_ones(tmp_path):
    for name in ("digits", "digits-2"):
        assert f"saved in {Path('runs') / name}" in slopes("train", "--epochs", 0, "--quiet").stdout
        assert (tmp_path / "runs" / name / "run.json").exists()


def test_predict_tells_class_and_probability(trained, images):
    paths, truth = images
    result = slopes("predict", trained[0], *paths)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(path) for path in paths]
    assert sum(line.split(": ")[1].split(" ")[0] == digit for line, digit in zip(lines, truth)) >= 3
    assert lines[0].endswith("%)")


def test_predict_top_lists_the_likeliest_first(trained, images):
    line = slopes("predict", trained[0], images[0][0], "--top", 3).stdout.strip()
    shares = [float(part.split("(")[1].rstrip("%)")) for part in line.split(", ")]
    assert len(shares) == 3 and shares == sorted(shares, reverse=True)


def test_predict_goes_on_after_a_bad_image_and_says_so(trained, images, tmp_path):
    result = slopes("predict", trained[0], tmp_path / "none.png", images[0][0])
    assert result.exit_code == 1
    assert "none.png: file: there is no such file" in result.stderr and len(result.stdout.splitlines()) == 1


def test_export_writes_the_network_as_an_onnx_model(trained, tmp_path):
    folder, file = trained[0], tmp_path / "net.onnx"
    assert slopes("export", folder, "--out", file).stdout == f"saved in {file}\n"
    model, images = onnx.load(file), digits().test.inputs[:5]
    check_runs(model, load(folder).net, images)
    for options, message in ((("--input", "2,8,8"), "needs 1 channel on axis 1"), (("--network", "second"), "has no network 'second'"),
                             (("--input", "0,4"), "'0,4' is no shape"), (("--input", "1,8,8:text"), "is no shape"),
                             (("--out", "net.txt"), "--out net.txt is no name of an ONNX model")):
        result = slopes("export", folder, "--out", file, *options)
        assert result.exit_code and message in result.stderr and onnx.load(file) == model


EXPECTED = [
    (("predict", "nowhere", "x.png"), 1, "error: nowhere: run.json: there is no such folder"),
    (("train", "--data", "nowhere"), 1, "error: --data nowhere: there is no such folder"),
    (("train", "lenet", "--data", "."), 1, "train-images-idx3-ubyte.gz: file: there is no such file"),
    (("train", "lenett"), 2, f"no recipe is called 'lenett'; there are {', '.join([*RECIPES, *OWN_DATA])}; did you mean 'lenet'?"),
    (("train", "--epochs", "-1"), 2, "Invalid value for '--epochs'"),
    (("train", "--batch", "0"), 2, "Invalid value for '--batch'"),
    (("train", "--rate", "nan"), 2, "Invalid value for '--rate'"),
    (("train", "--optimizer", "sdg"), 2, "Invalid value for '--optimizer'"),
    (("train", "lenet", "--dataset", "digits"), 2, "Invalid value for '--dataset'"),
    (("predict",), 2, "Missing argument"),
    (("fly",), 2, "No such command 'fly'"),
]


@pytest.mark.parametrize("arguments, code, text", EXPECTED, ids=[" ".join(arguments) for arguments, _, _ in EXPECTED])
def test_errors_are_told_without_a_traceback(arguments, code, text):
    result = slopes(*arguments)
    assert result.exit_code == code
    assert text in result.stderr and "Traceback" not in result.output


def test_an_existing_run_is_not_overwritten_unless_asked(trained):
    result = slopes("train", "--epochs", 1, "--out", trained[0])
    assert result.exit_code == 1
    assert "this folder already holds a run" in result.stderr and "--replace" in result.stderr


def test_replace_overwrites(tmp_path):
    for option in ((), ("--replace",)):
        assert slopes("train", "--epochs", 0, "--quiet", "--out", tmp_path / "run", *option).exit_code == 0


def test_an_unwritable_place_is_told_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    result = slopes("train", "--out", tmp_path / "file" / "run")
    assert result.exit_code == 1 and "cannot hold a run" in result.stderr and "epoch" not in result.stderr


def test_a_rate_far_too_high_ends_with_advice(tmp_path):
    result = slopes("train", "--optimizer", "sgd", "--rate", "1e30", "--epochs", 3, "--quiet", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "error: the loss became" in result.stderr and "try a lower rate" in result.stderr


@pytest.mark.parametrize("name", RECIPES)
def test_the_help_of_a_recipe_names_each_default_with_its_reason(name):
    text = " ".join(slopes("train", name, "--help").stdout.split())
    for option, setting in RECIPES[name].settings.items():
        assert f"--{option} " in text and " ".join(setting.reason.split()) in text
        assert f"[default: {setting.default}]" in text or setting.default == ""
    assert f"slopes train {name} " in text


def test_every_command_has_an_example_in_its_help():
    for command in ((), ("train",), ("predict",), ("info",)):
        text = slopes(*command, "--help").stdout
        assert "Example" in text and "slopes " in text.split("Example")[1]


def test_the_list_names_every_recipe():
    lines = slopes("train", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*RECIPES, *OWN_DATA]


def test_info_tells_version_processor_threads_and_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SLOPES_THREADS", "1")
    monkeypatch.setenv("SLOPES_ENTRY", "")
    result = slopes("info")
    assert result.exit_code == 0
    facts = dict(line.split(maxsplit=1) for line in result.stdout.split("\n\n")[0].splitlines())
    assert facts["slopes"] == VERSION and facts["threads"].startswith("1 of ")
    assert facts["calls"] == "CPython's C API" and llvm.get_host_cpu_name() in facts["processor"]
    monkeypatch.setenv("SLOPES_ENTRY", "portable")
    assert "portable: through ctypes" in slopes("info").stdout
    assert facts["cache"] == f"{tmp_path / 'cache'} (not there yet)"
    assert "SLOPES_CACHE" in result.stdout and "SLOPES_DATA" in result.stdout


def test_info_tells_what_is_compiled_for(monkeypatch):
    monkeypatch.setattr(translate, "host", lambda: ("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma,-avx512f"))
    monkeypatch.setenv("SLOPES_CPU", "haswell")
    assert "\ntarget       avx2, LLVM's haswell (SLOPES_CPU=haswell)\n" in slopes("info").stdout
    monkeypatch.setenv("SLOPES_CPU", "")
    assert "\ntarget       avx2, LLVM's haswell\n" in slopes("info").stdout


def test_the_version_is_the_package_s():
    assert slopes("--version").stdout.strip() == f"slopes, version {VERSION}"
    project = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text()
    assert f'version = "{VERSION}"' in project


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_ctrl_c_ends_the_training_and_saves_what_was_learned(tmp_path):
    command = [sys.executable, "-m", "slopes", "train", "digits", "--epochs", "100000", "--out", str(tmp_path / "run")]
    folder = Path(cli.__file__).resolve().parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stderr.readline().startswith("epoch 1/100000")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    assert "interrupted after" in errors and ", interrupted" in output
    assert load_run(tmp_path / "run").interrupted


def test_python_m_slopes_is_the_command():
    done = subprocess.run([sys.executable, "-m", "slopes", "--version"], capture_output=True, text=True, check=True,
                          cwd=Path(cli.__file__).resolve().parents[1])
    assert VERSION in done.stdout
