"""The benchmark of a full scene stays alive: a small one runs here."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_full_scene_prints_its_table(tmp_path):
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "full_scene.py"
    spec = importlib.util.spec_from_file_location("full_scene", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    size = ("--size", "120", "100")
    table = module.main([*size, "--folder", str(tmp_path), "--only", "read", "maps", "study"])
    lines = table.splitlines()
    assert "120 × 100 pixels, 6 bands, 100% seen" in lines[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[0] for row in rows] == ["read", "maps", "study"]
    assert rows[0][4:] == ["1.0", "1.0"]
    assert all(float(row[3].removesuffix(" MiB")) > 50 for row in rows)
    (product,) = (tmp_path / "120x100").iterdir()  # nothing else is left
    assert product.name.startswith("LT05_")
