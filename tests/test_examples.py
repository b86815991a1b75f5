"""The notebooks run from top to bottom, quickly, without a network, and print what they store."""

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
REAL = "06_real_scene"  # reads what an environment variable names

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


def printed(notebook: Any) -> list[list[str]]:
    """What the cells print, word by word; numbers, which differ between machines, as a sign."""
    lines = []
    for cell in notebook.cells:
        said = [o["text"] for o in cell.get("outputs", []) if o.get("name") == "stdout"]
        text = re.sub(r"http://\S+", "ADDRESS", "".join(said))
        words = re.sub(r"[-+−]?\d[\d.,:]*(e-?\d+)?\s?((ms|s|min|µs)\b)?", "#", text).split()
        lines.append([word for word in words if word.strip("#▇")])
    return [line for line in lines if line]


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
def test_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch, request):
    if path.stem == REAL:
        scene = request.getfixturevalue("real_data") / "lbg_tm1992"
        monkeypatch.setenv("STRANDLINE_SCENE", str(next(scene.glob("*_stack.tif"))))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook, seconds = run(path, tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    told = [output["text"] for output in outputs if output.get("name") == "stderr"]
    assert not told, told  # no warning, no progress bar
    assert printed(notebook) == printed(nbformat.read(path, as_version=4)), "run make notebooks"
    # Other work on the machine may double the time.
    assert seconds < SECONDS * (2 if os.environ.get("CI") else 4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_is_stored_with_static_outputs(path):
    assert path.stat().st_size < 600_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html", "image/png", "image/jpeg"}
    assert not any("<script" in o.get("data", {}).get("text/html", "") for o in outputs)
    assert not [o for o in outputs if o.output_type == "error"]
    drawn = [o for o in outputs if {"image/png", "image/jpeg"} & set(o.get("data", {}))]
    assert drawn, "pictures are there without a kernel"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_says_what_it_is_for_and_answers_its_questions(path):
    notebook = nbformat.read(path, as_version=4)
    first, last = notebook.cells[0].source, notebook.cells[-1].source
    assert first.startswith("# ")
    assert "**Goals.**" in first
    assert "**Time.**" in first
    assert "**Try it**" in last
    assert "<details><summary>Answers</summary>" in last


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_links_of_a_notebook_lead_somewhere(path):
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert target.startswith("https://") or (path.parent / target.partition("#")[0]).exists()


def test_there_are_the_six_notebooks_of_the_course():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]
