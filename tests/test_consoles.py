"""The command line on consoles of every encoding, and with file names that these lack."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

import strandline as sl
from strandline.cli.console import HANDLER, prepare_console
from strandline.export.raster import write_cog
from strandline.testing.lakes import round_lake

CODE_PAGES = ("cp1251", "cp932", "cp437", "cp850", "latin-1", "ascii")
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0"}
CONSOLES = [{"PYTHONIOENCODING": name} for name in CODE_PAGES]
CONSOLES += [{"LC_ALL": "C"}, NO_LOCALE]
OUTSIDE = "Озеро 湖 café – été.tif"
"""A name with letters that no single code page has."""


def strandline(
    *arguments: str | Path, console: dict[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "strandline", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, cwd=cwd, env={**os.environ, **console}, timeout=240
    )


def names(console: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in console.items())


def encoding_of(console: dict[str, str]) -> str:
    return console.get("PYTHONIOENCODING", "utf-8" if console != NO_LOCALE else "ascii")


@pytest.mark.parametrize("console", CONSOLES, ids=names)
def test_help_is_shown_whatever_the_console_can_show(console):
    run = strandline("change", "-h", console=console)
    assert run.returncode == 0, run.stderr
    assert "--water-at" in run.stdout.decode(encoding_of(console))


@pytest.mark.parametrize("console", CONSOLES, ids=names)
def test_results_warnings_and_summaries_reach_every_console(console, tmp_path):
    name = "lake.tif" if console == NO_LOCALE else OUTSIDE  # no name can have such letters there
    scene = write_cog(round_lake(radius=500, time=None), tmp_path / name)
    run = strandline("segment", scene, "-k", "3", "-o", "out", console=console, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    said = run.stdout.decode(encoding_of(console)) + run.stderr.decode(encoding_of(console))
    assert "km2" in said or "km²" in said
    assert "Unexpected" not in said
    with rasterio.open(tmp_path / "out" / "water.tif") as file:
        assert (file.read(1) == 1).any()


@pytest.mark.parametrize("console", CONSOLES, ids=names)
def test_errors_reach_every_console(console, tmp_path):
    run = strandline("info", OUTSIDE, console=console, cwd=tmp_path)
    said = run.stderr.decode(encoding_of(console))
    assert run.returncode == 2
    assert said.startswith("Error: ")


def test_a_name_that_is_no_text_is_refused_in_words(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tif")
    try:
        write_cog(round_lake(radius=500, time=None), tmp_path / "lake.tif").rename(name)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    run = strandline("segment", name, "-o", tmp_path / "out", console={"PYTHONUTF8": "1"})
    assert run.returncode == 2, run.stderr
    assert b"Rename the file" in run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_progress_bars_are_drawn_on_every_console(encoding, monkeypatch):
    from rich.console import Console

    from strandline.progress import stage_bars

    drawn = io.BytesIO()
    stream = io.TextIOWrapper(drawn, encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    prepare_console()
    with stage_bars(Console(file=stream, force_terminal=True, width=100)) as bars:
        bars.begin("opening the scenes …")
        bars.count(1, 2)
        bars.begin("writing maps")
    assert "writing maps" in drawn.getvalue().decode(encoding)


def test_signs_become_plain_ones_and_letters_their_codes():
    prepare_console()
    assert "−31.5 km² … 3 × 2, Ж".encode("ascii", HANDLER) == b"-31.5 km2 ... 3 x 2, \\u0416"
    assert "−31.5 km² … Ж".encode("cp1251", HANDLER).decode("cp1251") == "-31.5 km2 … Ж"
    assert sl.__version__.encode("ascii", HANDLER).decode() == sl.__version__
