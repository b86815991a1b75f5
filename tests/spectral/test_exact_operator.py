"""The comparison with all affinities is run small: it stays alive, and holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "exact_operator.py"
    spec = importlib.util.spec_from_file_location("exact_operator", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_operator_is_the_normalised_graph_with_its_teleport(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "_TILE", 16)
    rng = np.random.default_rng(0)
    points, vectors = rng.normal(size=(50, 3)), rng.normal(size=(50, 4))
    dense = rbf_kernel(points, gamma=0.5)
    dense += benchmark.TELEPORT * dense.sum() / 50**2
    root = np.sqrt(dense.sum(axis=1))
    expected = dense / root[:, None] / root @ vectors
    assert benchmark.Operator(points, 0.5) @ vectors == pytest.approx(expected, rel=1e-9)


def test_landmarks_come_close_to_the_exact_answer(benchmark, real_data, capsys):
    scene = real_data / "olinda_etm" / "L7_ETMs.tif"
    benchmark.main([str(scene), "--samples", "3000", "--clusters", "2", "4"])
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[4:]]
    assert [int(row[0]) for row in rows] == [2, 4]
    for row in rows:
        assert float(row[2]) > 0.995
        assert float(row[4]) > 95.0
