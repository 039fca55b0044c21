"""A handful of kills at every point of a training, each continued to the same bytes; `tests/kills.py` has the long form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_training_that_is_killed_and_continued_ends_with_the_same_bytes(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(Path(__file__).parent / "kills.py"), "--kills", "5", "--kinds", "mlp"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 trials of 1 kinds, all ends the same" in done.stdout
    for point in ("checkpoint 1", "epoch 2", "validation 1", "compile 1", "random 1", "SIGTERM 1"):
        assert point in done.stdout.splitlines()[-1]
