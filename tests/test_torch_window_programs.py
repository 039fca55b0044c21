"""Programs in PyTorch's manner run under slopes.torch with other import lines, and have the losses that PyTorch has."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ported.runner import PROGRAMS, RECORDED, load_program, rewritten, run_program

recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
COMPILED = ("mnist", "nano_gpt")  # their step is one program; `python -m tests.ported` compiles all
STEPS = 5


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_the_losses_of_pytorch(name):
    np.testing.assert_allclose(run_program(name, "slopes", STEPS), recorded[name][str(STEPS)], rtol=1e-4)


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_step_has_the_losses_of_pytorch(name):
    np.testing.assert_allclose(run_program(name, "slopes", STEPS, compiled=True), recorded[name][str(STEPS)], rtol=1e-4)


def test_the_recorded_losses_are_those_of_pytorch():
    pytest.importorskip("torch")
    np.testing.assert_allclose(run_program("bigram", "torch", STEPS), recorded["bigram"][str(STEPS)], rtol=1e-5)


def test_only_import_lines_are_rewritten():
    source = load_program("mnist", "slopes").__doc__ + "\nimport torch\nimport torch.nn as nn\nfrom torch import optim\nx = torch.ones(2)\n"
    assert rewritten(source).splitlines()[-4:] == [
        "import slopes.torch as torch", "import slopes.torch.nn as nn", "from slopes.torch import optim", "x = torch.ones(2)"]


def test_every_program_has_recorded_losses():
    assert sorted(recorded) == PROGRAMS and len(PROGRAMS) >= 12
