"""`slopes export`: run folders as ONNX models."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from command_line import own_settings, slopes  # noqa: F401  (the fixture is used by being there)
from onnx_cases import check_runs

import slopes as sl
from slopes import nn


def test_the_network_of_a_recipe_is_exported(tmp_path):
    assert slopes("train", "digits", "--epochs", 0, "--out", tmp_path / "run", "--quiet").exit_code == 0
    result = slopes("export", tmp_path / "run", "--out", tmp_path / "net.onnx")
    assert result.stdout == f"saved in {tmp_path / 'net.onnx'}\n"
    model, net = onnx.load(tmp_path / "net.onnx"), sl.load(tmp_path / "run").net
    check_runs(model, net, np.random.default_rng(0).random((3, 1, 8, 8), np.float32))
    wide = slopes("export", tmp_path / "run", "--out", tmp_path / "net.onnx", "--input", "2,8,8")
    assert wide.exit_code == 1 and "needs" in wide.stderr
    other = slopes("export", tmp_path / "run", "--out", tmp_path / "net.onnx", "--network", "second")
    assert other.exit_code == 1 and "has no network 'second'" in other.stderr
    assert onnx.load(tmp_path / "net.onnx") == model


@pytest.mark.parametrize(("options", "message"), [
    (("--input", "3"), "has no network to predict with"),  # that of a plain fit: its code is the user's
    (("--input", "0,4"), "'0,4' is no shape"), (("--input", "3:text"), "'3:text' is no shape"), (("--input", "a"), "'a' is no shape")])
def test_what_is_no_run_or_no_shape(options, message, tmp_path):
    x = np.ones((8, 3), np.float32)
    sl.fit(nn.Linear(3, 1), x, x[:, :1], loss=nn.mse_loss, epochs=0, progress=False, run=tmp_path / "run")
    result = slopes("export", tmp_path / "run", "--out", tmp_path / "net.onnx", *options)
    assert result.exit_code and message in result.stderr and not (tmp_path / "net.onnx").exists()
