"""Real products, unpacked once; and a cache for archives that leaves no trace."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def unpacked(real_data, tmp_path_factory) -> Callable[[str], Path]:
    """Function that unpacks an archive of the real data, and gives the product's folder."""
    done: dict[str, Path] = {}

    def unpack(name: str) -> Path:
        if name not in done:
            target = tmp_path_factory.mktemp("product")
            (archive,) = real_data.glob(f"*/{name}*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
            inner = [child for child in target.iterdir() if child.is_dir()]
            done[name] = inner[0] if len(inner) == 1 else target
        return done[name]

    return unpack


@pytest.fixture
def write_raster(tmp_path) -> Callable[..., Path]:
    """Function that writes an array as a GeoTIFF of 30 m pixels in UTM zone 11."""

    def write(name: str, values: np.ndarray, **profile: object) -> Path:
        values = values[None] if values.ndim == 2 else values
        settings = {
            "driver": "GTiff",
            "count": values.shape[0],
            "height": values.shape[1],
            "width": values.shape[2],
            "dtype": values.dtype,
            "crs": "EPSG:32611",
            "transform": from_origin(300_000, 4_300_000, 30, 30),
        }
        descriptions = profile.pop("descriptions", None)
        scales, offsets = profile.pop("scales", None), profile.pop("offsets", None)
        tags = profile.pop("tags", {})
        path = tmp_path / name
        with rasterio.open(path, "w", **(settings | profile)) as file:
            file.write(values)
            file.update_tags(**tags)
            if descriptions:
                file.descriptions = descriptions
            if scales:
                file.scales, file.offsets = scales, offsets
        return path

    return write
