"""Makers of broken and odd inputs: each writes what a user might hand over by mistake or malice.

Every maker takes a folder and returns what to open: a path, or a list of paths. The bench in
``tests/bad_input`` pairs each with the error that it has to end in.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

BANDS = ("green", "nir08", "swir16")
SIDE = 40

_PRODUCT = "LT05_L2SP_042033_19881022_20200917_02_T1"


def numbers(
    shape: tuple[int, ...] = (len(BANDS), SIDE, SIDE), dtype: str = "uint16"
) -> NDArray[Any]:
    """Make stored numbers of a smooth landscape: a lake in green hills, for a scale of 1e-4.

    Examples
    --------
    >>> numbers((3, 2, 2)).shape
    (3, 2, 2)
    """
    rows, columns = np.indices(shape[-2:])
    lake = np.hypot(rows - shape[-2] / 2, columns - shape[-1] / 2) < min(shape[-2:]) / 4
    slope = (rows * 7 + columns * 13) % 50
    land = np.array([600, 3000, 1700])[: shape[0], None, None] + 4 * slope
    water = np.array([500, 150, 60])[: shape[0], None, None] + slope // 4
    return np.asarray(np.where(lake, water, land)).astype(dtype)


def raster(folder: Path, name: str = "scene.tif", values: Any = None, **profile: Any) -> Path:
    """Write a sound GeoTIFF, but for what `profile` changes.

    Examples
    --------
    >>> import tempfile
    >>> raster(Path(tempfile.mkdtemp())).name
    'scene.tif'
    """
    stored = numbers() if values is None else values
    settings = {
        "driver": "GTiff",
        "count": stored.shape[0],
        "height": stored.shape[1],
        "width": stored.shape[2],
        "dtype": stored.dtype,
        "crs": "EPSG:32611",
        "transform": Affine(30, 0, 300_000, 0, -30, 4_300_000),
    }
    descriptions = profile.pop("descriptions", BANDS[: stored.shape[0]])
    path = folder / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # some are meant to have no place
        with rasterio.open(path, "w", **(settings | profile)) as file:
            file.write(stored)
            file.descriptions = tuple(descriptions)
    return path


# --- files that are not what their names say ----------------------------------------


def cut(part: float) -> Callable[[Path], Path]:
    """Make a TIFF of which only the first part was stored."""

    def make(folder: Path) -> Path:
        path = raster(folder)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * part)])
        return path

    return make


def file_of(content: bytes, name: str = "scene.tif") -> Callable[[Path], Path]:
    """Make a file of these bytes."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return make


def noise(folder: Path) -> Path:
    """Damage the pixels of a compressed TIFF; its header stays whole."""
    path = raster(folder, compress="deflate")
    content = bytearray(path.read_bytes())
    with rasterio.open(path) as file:
        start = int(file.tags(1, ns="TIFF").get("BLOCK_OFFSET_0_0", len(content) // 2))
    content[start : start + 200] = bytes(range(200))
    path.write_bytes(content)
    return path


def on_grid(transform: Affine | Sequence[float], **profile: Any) -> Callable[[Path], Path]:
    """Make a TIFF with this transform."""

    def make(folder: Path) -> Path:
        return raster(folder, transform=Affine(*transform[:6]), **profile)

    return make


def of_values(values: Any, **profile: Any) -> Callable[[Path], Path]:
    """Make a TIFF of these stored numbers."""
    return lambda folder: raster(folder, values=values, **profile)


def band_files(changes: Sequence[Mapping[str, Any]]) -> Callable[[Path], list[str]]:
    """Make one TIFF per band, each with its own changes to the profile."""

    def make(folder: Path) -> list[str]:
        stored = numbers()
        return [
            str(raster(folder, f"scene_{band}.tif", layer[None], descriptions=[band], **change))
            for band, layer, change in zip(BANDS, stored, changes, strict=True)
        ]

    return make


# --- products ---------------------------------------------------------------------------


def metadata(**changes: str | None) -> str:
    """Text of a sound Collection 2 Level 2 MTL file, but for keys changed or (None) left out.

    Examples
    --------
    >>> "SPACECRAFT_ID" in metadata(), "SPACECRAFT_ID" in metadata(SPACECRAFT_ID=None)
    (True, False)
    """
    factors = {
        f"REFLECTANCE_{kind}_BAND_{band}": value
        for band in (1, 2, 3, 4, 5, 7)
        for kind, value in (("MULT", "2.75e-05"), ("ADD", "-0.2"))
    }
    groups: dict[str, dict[str, str]] = {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": f'"{_PRODUCT}"',
            "PROCESSING_LEVEL": '"L2SP"',
            "COLLECTION_NUMBER": "02",
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": '"LANDSAT_5"',
            "SENSOR_ID": '"TM"',
            "DATE_ACQUIRED": "1988-10-22",
            "SCENE_CENTER_TIME": '"18:04:22.5770500Z"',
            "SUN_ELEVATION": "36.9",
        },
        "PROJECTION_ATTRIBUTES": {
            "MAP_PROJECTION": '"UTM"',
            "DATUM": '"WGS84"',
            "UTM_ZONE": "11",
            "GRID_CELL_SIZE_REFLECTIVE": "30.00",
            "REFLECTIVE_LINES": str(SIDE),
            "REFLECTIVE_SAMPLES": str(SIDE),
            "CORNER_UL_PROJECTION_X_PRODUCT": "300015.000",
            "CORNER_UL_PROJECTION_Y_PRODUCT": "4299985.000",
            "CORNER_LR_PROJECTION_X_PRODUCT": str(300015.0 + 30 * (SIDE - 1)),
            "CORNER_LR_PROJECTION_Y_PRODUCT": str(4299985.0 - 30 * (SIDE - 1)),
        },
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": factors,
    }
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, keys in groups.items():
        if changes.get(group, "") is None:
            continue
        lines.append(f"  GROUP = {group}")
        given = {key: changes.get(key, value) for key, value in keys.items()}
        lines += [f"    {key} = {value}" for key, value in given.items() if value is not None]
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def product(
    folder: Path, text: str | bytes | None = None, *, placed: bool = True, dtype: str = "uint16"
) -> Path:
    """Write a Landsat 5 Level 2 product: its folder, with this text as its MTL file."""
    home = folder / _PRODUCT
    home.mkdir()
    content = metadata() if text is None else text
    raw = content if isinstance(content, bytes) else content.encode()
    (home / f"{_PRODUCT}_MTL.txt").write_bytes(raw)
    stored = (numbers((3, SIDE, SIDE)) * 1e-4 + 0.2) / 2.75e-5
    place = {} if placed else {"transform": Affine.identity(), "crs": None}
    for number, layer in zip((2, 4, 5), stored, strict=True):
        name = f"{_PRODUCT}_SR_B{number}.TIF"
        raster(home, name, layer[None].astype(dtype), descriptions=[""], nodata=0, **place)
    return home


def with_metadata(text: str | bytes, *, placed: bool = True) -> Callable[[Path], Path]:
    """Make a product with this MTL file."""
    return lambda folder: product(folder, text, placed=placed)


# --- archives -----------------------------------------------------------------------------


def archive(name: str = f"{_PRODUCT}.tar.gz", part: float = 1.0) -> Callable[[Path], Path]:
    """Make a product's archive, of which only the first part was stored."""

    def make(folder: Path) -> Path:
        inner = folder / "inner"
        inner.mkdir()
        home = product(inner)
        path = folder / name
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as tar:
            for file in sorted(home.iterdir()):
                tar.add(file, file.name)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * part)])
        return path

    return make


def archive_of(
    members: Mapping[str, bytes], name: str = f"{_PRODUCT}.tar", **info: Any
) -> Callable[[Path], Path]:
    """Make an archive of these members, with these facts in each header."""

    def make(folder: Path) -> Path:
        path = folder / name
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as tar:
            for member, content in members.items():
                header = tarfile.TarInfo(member)
                header.size = len(content)
                for key, value in info.items():
                    setattr(header, key, value)
                tar.addfile(header, io.BytesIO(content))
        return path

    return make


def tar_bomb(declared: int = 1 << 40, inflated: int = 1 << 31) -> Callable[[Path], Path]:
    """Make a small ``.tar.gz`` whose band declares and inflates to far more than any scene."""

    def make(folder: Path) -> Path:
        path = folder / f"{_PRODUCT}.tar.gz"
        text = metadata().encode()
        with gzip.open(path, "wb", compresslevel=1) as out:
            for member, size in ((f"{_PRODUCT}_MTL.txt", len(text)), (f"{_PRODUCT}_SR_B2.TIF", 0)):
                header = tarfile.TarInfo(member)
                header.size = size or declared
                out.write(header.tobuf(tarfile.GNU_FORMAT))
                if size:
                    out.write(text + b"\0" * (-size % 512))
            zeros = b"\0" * (1 << 24)
            for _ in range(inflated >> 24):
                out.write(zeros)
        return path

    return make


def metadata_bomb(folder: Path) -> Path:
    """Make a small ``.tar.gz`` whose MTL file inflates to a gigabyte of blanks."""
    path = folder / f"{_PRODUCT}.tar.gz"
    size = 1 << 30
    with gzip.open(path, "wb", compresslevel=1) as out:
        header = tarfile.TarInfo(f"{_PRODUCT}_MTL.txt")
        header.size = size
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        blanks = b" " * (1 << 24)
        for _ in range(size >> 24):
            out.write(blanks)
        out.write(b"\0" * 1024)
    return path
