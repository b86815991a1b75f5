"""The notebooks run from top to bottom, quickly, without a network, and hold no output."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SECONDS = 60

# The first cell of every run: who asks another machine for something gets an error.
OFFLINE = """
import ipaddress, socket

def _here_alone(address):
    host = address[0] if isinstance(address, tuple) else None
    if host is not None and host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise OSError(f"a notebook asks {host}")

def _guarded(original):
    def connect(self, address):
        _here_alone(address)
        return original(self, address)
    return connect

socket.socket.connect = _guarded(socket.socket.connect)
socket.socket.connect_ex = _guarded(socket.socket.connect_ex)
"""


def names(path: Path) -> str:
    return path.stem


def run(path: Path, folder: Path) -> tuple[Any, float]:
    """Run a notebook in a kernel of this environment; what it made of it, and seconds."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    client = NotebookClient(
        notebook,
        timeout=3 * SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    )
    start = time.monotonic()
    client.execute()
    return notebook, time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook, seconds = run(path, tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    told = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not told, told  # no warning, no progress bar
    # Other work on the machine may double the time.
    assert seconds < SECONDS * (2 if os.environ.get("CI") else 4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_is_stored_without_output(path):
    assert path.stat().st_size < 30_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_links_of_a_notebook_lead_somewhere(path):
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert target.startswith("https://") or (path.parent / target.partition("#")[0]).exists()


def test_there_are_the_five_notebooks_of_the_course():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
