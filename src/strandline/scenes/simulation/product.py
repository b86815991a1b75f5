"""Write a simulated acquisition the way the U.S. Geological Survey delivers a product.

One tiled, deflated GeoTIFF per band, QA_PIXEL, QA_RADSAT and the MTL file, in a
folder named after the product. The folder gets its name when all is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from strandline.atomic import output_error, replacing_folder
from strandline.errors import OutputError
from strandline.scenes.sensors import SENSORS
from strandline.scenes.simulation.geography import CRS
from strandline.scenes.simulation.metadata import ORIGIN, Pass, metadata_text
from strandline.scenes.simulation.render import FILL, Tile

PROFILE = {
    "driver": "GTiff",
    "dtype": "uint16",
    "count": 1,
    "tiled": True,
    "blockxsize": 256,
    "blockysize": 256,
    "compress": "deflate",
    "predictor": 2,
    "zlevel": 4,
}


@dataclass
class Counts:
    """What was seen, summed while it is written."""

    pixels: int = 0
    clouds: int = 0
    saturated: set[str] = field(default_factory=set)

    def add(self, quality: NDArray[np.uint16]) -> None:
        """Count a piece of QA_PIXEL."""
        self.pixels += int(np.count_nonzero(quality != FILL))
        self.clouds += int(np.count_nonzero((quality >> 3) & 1))

    @property
    def cloud_percent(self) -> float:
        """Share of the observed pixels that the quality band calls cloud."""
        return 100.0 * self.clouds / self.pixels if self.pixels else 0.0


class Writer:
    """Takes strips of tiles, from north to south."""

    def __init__(self, files: Sequence[Any], pool: ThreadPoolExecutor) -> None:
        self._files = files
        self._pool = pool
        self.counts = Counts()

    def write(self, top: int, tiles: Sequence[Tile]) -> None:
        """Write a strip to all files; ``top`` is its first row."""
        *bands, quality = self._files
        jobs = [
            self._pool.submit(_write, file, top, [(t.left, t.numbers[band]) for t in tiles])
            for band, file in enumerate(bands)
        ]
        jobs.append(self._pool.submit(_write, quality, top, [(t.left, t.quality) for t in tiles]))
        for tile in tiles:
            self.counts.add(tile.quality)
        for job in jobs:
            job.result()


def _write(file: Any, top: int, pieces: Sequence[tuple[int, NDArray[np.uint16]]]) -> None:
    for left, values in pieces:
        rows, cols = values.shape
        file.write(values, 1, window=Window(left, top, cols, rows))


@contextmanager
def writing_product(
    parent: Path, taken: Pass, bands: Sequence[str], grid: GeoBox
) -> Iterator[Writer]:
    """Write a product into ``parent``; it appears under its name when the block ends well.

    Parameters
    ----------
    parent : Path
        Made if missing.
    taken : Pass
        What the MTL file tells.
    bands : sequence of str
        Common names, in the order of the tiles' numbers.
    grid : GeoBox

    Raises
    ------
    OutputError
        If it cannot be written, or a product of that name that is not simulated is there.
    """
    target = parent / taken.product
    _check_replaceable(target)
    try:
        with replacing_folder(target) as partial:
            yield from _written(partial, taken, bands, grid)
    except rasterio.errors.RasterioError as error:
        raise output_error(target, error) from error


def _written(folder: Path, taken: Pass, bands: Sequence[str], grid: GeoBox) -> Iterator[Writer]:
    """Write the files; the tiles are filled by who asked for them, in between."""
    sensor = SENSORS[taken.platform]
    names = [f"SR_B{sensor.number(band)}" for band in bands]
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=2))
        place = {
            "width": grid.width,
            "height": grid.height,
            "crs": CRS,
            "transform": grid.transform,
        }
        files = [
            stack.enter_context(_create(folder, taken.product, name, nodata, place))
            for name, nodata in [*((name, 0) for name in names), ("QA_PIXEL", FILL)]
        ]
        # Nothing is saturated: a file without a single written tile reads as zeros.
        stack.enter_context(_create(folder, taken.product, "QA_RADSAT", None, place))
        writer = Writer(files, pool)
        yield writer
    text = metadata_text(taken, grid, writer.counts.cloud_percent)
    (folder / f"{taken.product}_MTL.txt").write_text(text, encoding="ascii", newline="\n")


def _create(
    folder: Path, product: str, name: str, nodata: int | None, place: dict[str, Any]
) -> Any:
    profile = {**PROFILE, **place, "nodata": nodata}
    small = min(place["width"], place["height"]) < 256
    if small:
        profile.update(blockxsize=128, blockysize=128)
    if name == "QA_RADSAT":
        profile["SPARSE_OK"] = True
    file = rasterio.open(folder / f"{product}_{name}.TIF", "w", **profile)
    file.update_tags(AREA_OR_POINT="Point", IMAGEDESCRIPTION=ORIGIN)
    return file


def _check_replaceable(target: Path) -> None:
    """Only a simulated product may be overwritten: a real one carries the same name."""
    if not target.exists():
        return
    record = target / f"{target.name}_MTL.txt"
    if record.is_file() and ORIGIN in record.read_text(encoding="utf-8", errors="replace"):
        return
    raise OutputError(
        f"'{target}' is there already and was not simulated.",
        expected="a folder without that product",
        got="one that holds it",
        remedy="Choose another folder for path=….",
    )
