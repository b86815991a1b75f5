"""The benchmark is run small, so that it stays alive."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "engine.py"
    spec = importlib.util.spec_from_file_location("engine_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_benchmark_prints_a_table_with_every_method(benchmark, capsys):
    benchmark.main(["--data", "mixture", "--samples", "1500", "--clusters", "8", "--repeats", "2"])
    printed = capsys.readouterr().out
    assert "CPUs" in printed.splitlines()[0]
    rows = [line.split("|")[1:-1] for line in printed.splitlines() if line.startswith("| s")]
    assert [row[0].strip() for row in rows][:2] == [
        "strandline, nearest_neighbors",
        "strandline, rbf",
    ]
    assert len(rows) >= 5
    for row in rows:
        assert float(row[1]) > 0.0
        assert 0.0 <= float(row[3]) <= 100.0
    assert float(rows[0][3]) > 90.0  # the groups are far apart


def test_every_set_can_be_loaded(benchmark, real_data, monkeypatch):
    monkeypatch.setattr(benchmark, "SHARED", real_data)
    for load in benchmark.SETS.values():
        X, truth = load(500)
        assert len(X) == 500
        assert truth is None or len(truth) == 500
