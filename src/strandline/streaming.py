"""Scenes bigger than memory: labelled tile by tile, resumed where an interruption came.

The fit reads the scenes once and keeps a sample. Then every tile of every date is read,
labelled and packed by whoever is free, here or on a worker; only maps of classes come
back, a byte per pixel before packing, and each finished tile is kept on disk at once. The
maps are the same to the byte as those made in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ModelFileError, OutputError
from strandline.export.work import WorkFolder, decode_counts, decode_tile, encode_tile
from strandline.prepare import memory
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.memory import in_chunks
from strandline.scenes.counts import COUNTS_SHAPE, count_flags
from strandline.scenes.quality import are_flags
from strandline.segmentation.fitted import dump_fitted, load_fitted
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.segment import complete_segmentation
from strandline.workers import finish_tiles

TILE_SIDE = 2048
"""Tiles are the chunks of the scenes, cut where they are larger than this (pixels)."""

SMALLEST_SIDE = 512
"""But on machines with many CPUs they are made smaller, down to this."""

WORK_BYTES = 1 << 30
"""What the tiles in work may take together; it limits their size, and then the threads."""

_COPIES = 4  # a tile is there as stored numbers, reflectance, masked, and as samples

_FIT = "fit"

TileCount = Callable[[int, int], None]
"""Is called with how many tiles are finished, and how many there are."""


class _Place(NamedTuple):
    """Where a tile lies: its name, first row and column, and size."""

    name: str
    top: int
    left: int
    height: int
    width: int


def stream_segmentation(
    scenes: xr.DataArray,
    dates: Sequence[xr.DataArray],
    fit: Callable[[xr.DataArray], xr.Dataset],
    work: WorkFolder,
    *,
    client: Any = None,
    on_tile: TileCount | None = None,
) -> tuple[xr.Dataset, NDArray[np.int64]]:
    """Segment scenes tile by tile.

    Parameters
    ----------
    scenes : DataArray of shape (time, band, y, x)
        All dates, lazy.
    dates : sequence of DataArray of shape (band, y, x)
        The same dates one by one, each in chunks of its own: those of its source, so that
        no part of it is read twice.
    fit : callable
        Takes the scenes and gives what `strandline.segmentation.fit_segmentation` does.
    work : WorkFolder
        Where finished tiles are kept, or found from an earlier run.
    client : distributed.Client, optional
        Whose workers do the work; None: threads of this process.
    on_tile : callable, optional
        Called with the number of finished tiles and of all tiles.

    Returns
    -------
    Dataset
        As from `strandline.segment`, its maps lazy. They are on this machine: compute with
        Dask's threads.
    ndarray of int64, shape (time, 2, 256)
        Pixels of each date by their quality flags: `strandline.scenes.counts.count_flags`.
    """
    fitted = _fitted(scenes, fit, work)
    model = SegmentationModel.of(fitted)
    pixel_bytes = len(model.bands) * scenes.dtype.itemsize * _COPIES
    side = _tile_side(pixel_bytes)
    plans = [_plan(number, date, model, side) for number, date in enumerate(dates)]
    total = sum(map(len, plans))
    tiles = {
        place.name: tile
        for plan in plans
        for place, tile in plan.items()
        if work.kept(place.name) is None
    }
    finished = total - len(tiles)
    tell = on_tile or _say_nothing
    tell(finished, total)

    def done(name: str, data: bytes) -> None:
        nonlocal finished
        work.keep(name, data)
        finished += 1
        tell(finished, total)

    if tiles:
        largest = max(place.height * place.width for plan in plans for place in plan)
        finish_tiles(tiles, done, client, _threads(largest * pixel_bytes))
    maps = model.predict(scenes)
    classes = _maps(work, [list(plan) for plan in plans], (scenes.sizes["y"], scenes.sizes["x"]))
    for number, name in enumerate(("labels", "subclusters")):
        maps[name] = maps[name].copy(data=classes[:, number])
    counts = np.stack([_counts(work, list(plan)) for plan in plans])
    return complete_segmentation(fitted, maps), counts


def _fitted(
    scenes: xr.DataArray, fit: Callable[[xr.DataArray], xr.Dataset], work: WorkFolder
) -> xr.Dataset:
    data = work.kept(_FIT)
    if data is not None:
        try:
            return load_fitted(data)
        except ModelFileError:
            pass  # by a version that wrote it otherwise: fit anew
    fitted = fit(scenes)
    work.keep(_FIT, dump_fitted(fitted))
    return fitted


def _plan(
    number: int, date: xr.DataArray, model: SegmentationModel, side: int
) -> dict[_Place, Any]:
    """Lay the tiles of a date, and say how each is computed."""
    from dask.delayed import delayed

    data = date.sel(band=list(model.bands)).transpose("band", "y", "x").data
    heights, widths = (_cut(sizes, side) for sizes in data.chunks[1:])
    blocks = model.classify_blocks(data.rechunk({1: heights, 2: widths})).to_delayed()[0]
    pack = delayed(_packed, pure=True)
    flags = _flag_blocks(date, heights, widths)
    tiles = {}
    for i, height in enumerate(heights):
        for j, width in enumerate(widths):
            top, left = sum(heights[:i]), sum(widths[:j])
            name = f"tile-{number}-{top}-{left}-{height}x{width}"
            tiles[_Place(name, top, left, height, width)] = pack(blocks[i, j], flags[i, j])
    return tiles


def _flag_blocks(date: xr.DataArray, heights: tuple[int, ...], widths: tuple[int, ...]) -> Any:
    """Cut the quality flags of a date as its tiles are; None for each where it has none."""
    quality = date.coords.get("quality")
    if quality is None or not are_flags(quality):
        return np.full((len(heights), len(widths)), None)
    lazy = quality.transpose("y", "x").chunk({"y": heights, "x": widths})
    return lazy.data.to_delayed()


def _packed(classes: NDArray[np.uint8], flags: NDArray[np.uint8] | None) -> bytes:
    """Pack a tile, with how many of its pixels were observed, and why others were not."""
    return encode_tile(classes, count_flags(flags, classes[0] != NOT_OBSERVED))


def _cut(sizes: tuple[int, ...], side: int) -> tuple[int, ...]:
    cut: list[int] = []
    for size in sizes:
        whole, rest = divmod(size, side)
        cut += [side] * whole + ([rest] if rest else [])
    return tuple(cut)


def _tile_side(pixel_bytes: int) -> int:
    """Cut tiles smaller where many threads have one each."""
    from strandline.spectral.tiles import thread_count

    side = TILE_SIDE
    while side > SMALLEST_SIDE and thread_count(None) * side**2 * pixel_bytes > WORK_BYTES:
        side //= 2
    return side


def _threads(tile_bytes: int) -> int:
    """How many tiles may be in work at a time."""
    from strandline.spectral.tiles import thread_count

    return max(1, min(thread_count(None), WORK_BYTES // max(tile_bytes, 1)))


def _say_nothing(finished: int, total: int) -> None:
    """Stand in for a caller who does not want to know."""


# --- the finished maps ----------------------------------------------------------


def _maps(work: WorkFolder, dates: Sequence[Sequence[_Place]], plane: tuple[int, int]) -> Any:
    """Give all classes as a Dask array of shape (time, 2, y, x)."""
    import dask.array as da

    if len(dates) * 2 * plane[0] * plane[1] > memory.MAPS_IN_MEMORY:
        return da.stack([_on_disk(work, places) for places in dates])  # type: ignore[no-untyped-call]  # Dask is untyped
    whole = np.empty((len(dates), 2, *plane), np.uint8)
    for number, places in enumerate(dates):
        for place in places:
            rows = slice(place.top, place.top + place.height)
            columns = slice(place.left, place.left + place.width)
            whole[number, :, rows, columns] = _read(work, place)
    return in_chunks(whole)


def _on_disk(work: WorkFolder, places: Sequence[_Place]) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    read = delayed(partial(_read, work), pure=False)
    rows: dict[int, list[Any]] = {}
    for place in places:
        tile = da.from_delayed(read(place), (2, place.height, place.width), np.uint8)  # type: ignore[no-untyped-call]  # Dask is untyped
        rows.setdefault(place.top, []).append(tile)
    return da.block([list(row) for row in rows.values()])  # type: ignore[no-untyped-call]  # Dask is untyped


def _counts(work: WorkFolder, places: Sequence[_Place]) -> NDArray[np.int64]:
    """Add up what was counted in the tiles of a date."""
    total = np.zeros(COUNTS_SHAPE, np.int64)
    for place in places:
        total += decode_counts(_kept(work, place), COUNTS_SHAPE)
    return total


def _read(work: WorkFolder, place: _Place) -> NDArray[np.uint8]:
    return decode_tile(_kept(work, place), (2, place.height, place.width))


def _kept(work: WorkFolder, place: _Place) -> bytes:
    data = work.kept(place.name)
    if data is None:
        raise OutputError(
            f"A finished tile is gone or damaged: '{work.folder / place.name}'.",
            remedy="Run the same command again: the tile is made anew.",
        )
    return data
