"""A small library of real files, as a server has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandline.app.library import Library
from strandline.app.shared import Shared
from strandline.app.state import Session
from strandline.demo import DATES, simulate_pair
from strandline.export.raster import write_cog
from strandline.testing.lakes import round_lake


@pytest.fixture(scope="session")
def demo_products(tmp_path_factory) -> dict[str, Path]:
    """The demo's two products with pixels of 300 m."""
    made = simulate_pair(tmp_path_factory.mktemp("demo"), resolution=300.0)
    return {date: Path(source) for date, (source, _) in zip(DATES, made, strict=True)}


@pytest.fixture
def scenes(tmp_path) -> Path:
    """A folder with a scene of a round lake in it."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    write_cog(round_lake(shape=(60, 60), radius=600), folder / "lake.tif")
    return folder


@pytest.fixture
def library(tmp_path, scenes, demo_products) -> Library:
    kept = tmp_path / "kept"
    kept.mkdir()
    return Library([scenes], kept, demo_products)


@pytest.fixture(scope="session")
def shared() -> Shared:
    return Shared()


@pytest.fixture
def session(library, shared) -> Session:
    return Session(library, shared)
