"""Sentinel-2 products of the simulator: small, but with real JPEG 2000 images and XML files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from strandline.scenes.simulate import simulate_scene

SIZE = (240, 180)


@pytest.fixture(scope="session")
def safe(tmp_path_factory) -> Callable[..., Path]:
    """Function that gives the SAFE folder of a level and baseline; not to be written into."""
    done: dict[tuple[object, ...], Path] = {}

    def make(level: str = "L2A", baseline: str = "05.00", cloud_cover: float = 0.15) -> Path:
        key = (level, baseline, cloud_cover)
        if key not in done:
            scene, _ = simulate_scene(
                "2020-08-02",
                platform="sentinel-2a",
                size=SIZE,
                cloud_cover=cloud_cover,
                path=tmp_path_factory.mktemp("safe"),
                processing_level=level,
                baseline=baseline,
            )
            done[key] = Path(scene.attrs["source"])
        return done[key]

    return make


@pytest.fixture(scope="session")
def zipped(safe, tmp_path_factory) -> Callable[..., Path]:
    """Function that gives the same product as an archive."""
    done: dict[Path, Path] = {}

    def pack(level: str = "L2A", baseline: str = "05.00") -> Path:
        folder = safe(level, baseline)
        if folder not in done:
            target = tmp_path_factory.mktemp("zip") / f"{folder.name}.zip"
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    archive.write(path, path.relative_to(folder.parent).as_posix())
            done[folder] = target
        return done[folder]

    return pack


@pytest.fixture
def copy(safe, tmp_path) -> Callable[..., Path]:
    """Function that gives a copy of a product, to be damaged."""
    import shutil

    def make(level: str = "L2A", baseline: str = "05.00") -> Path:
        source = safe(level, baseline)
        return Path(shutil.copytree(source, tmp_path / source.name))

    return make
