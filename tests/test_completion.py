"""Shells complete commands and options; Python completes our names and no others."""

from __future__ import annotations

import os
import subprocess
import sys

import strandline as sl


def completed(line: str) -> list[str]:
    """What bash is offered after a line, by the protocol of its completion functions."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_STRANDLINE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-m", "strandline"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert not run.stderr
    return run.stdout.split()


def test_bash_completes_commands_and_options():
    assert {"segment", "change", "timeline"} <= set(completed("strandline "))
    assert completed("strandline seg") == ["segment"]
    assert "--water-at" in completed("strandline change --water")
    assert "--water-labels" in completed("strandline change --water")


def test_the_completion_of_a_shell_can_be_shown():
    command = [sys.executable, "-m", "strandline", "--show-completion", "bash"]
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "_STRANDLINE_COMPLETE=complete_bash" in run.stdout


def test_python_sees_our_public_names_and_no_others():
    assert sl.__version__.count(".") >= 1
    assert set(dir(sl)) == {*sl.__all__, "plot", "show"}
    for name in dir(sl):
        assert getattr(sl, name) is not None
