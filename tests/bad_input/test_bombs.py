"""Inputs that would fill memory: opened in a process that may not have more than a little."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

import broken_files as broken

GIGABYTES = 2 << 30
"""What the process may map in all; the libraries that it loads take one of them."""

OPEN = """
import sys
import strandline as sl
try:
    sl.open_scene(sys.argv[1]).compute()
except sl.errors.StrandlineError as error:
    print(type(error).__name__)
"""

LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
)

BOMBS = {
    "a .tar.gz that declares a terabyte": (broken.tar_bomb(), "UnreadableSourceError"),
    "a .tar.gz with a gigabyte of metadata": (broken.metadata_bomb, "UnreadableSourceError"),
    "a catalogue of a trillion laughs": (
        broken.file_of(LAUGHS.encode(), "catalog.yml"),
        "CatalogError",
    ),
    "a device without end": (lambda _: "/dev/zero", "UnreadableSourceError"),
    "a TIFF that declares four billion columns": (broken.vast_header, "UnreadableSourceError"),
}


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES, GIGABYTES))


@pytest.mark.parametrize(("make", "error"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_little_memory(make, error, tmp_path):
    place = str(make(tmp_path))
    source = f"{place}:lake" if place.endswith(".yml") else place
    done = subprocess.run(
        [sys.executable, "-c", OPEN, source],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limited,
        env={
            "STRANDLINE_CACHE": str(tmp_path / "cache"),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": ":".join(sys.path),
        },
    )
    assert done.stdout.strip() == error, done.stderr[-2000:]
