"""The command line in this process, for the tests of it: `slopes(...)`, and a fixture that keeps settings and folders apart."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from slopes import cli


def slopes(*arguments: object):
    """Run `slopes arguments...` in this process."""
    return CliRunner().invoke(cli.command, [str(each) for each in arguments], prog_name="slopes", catch_exceptions=False)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    for name in ("SLOPES_THREADS", "SLOPES_DATA"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
