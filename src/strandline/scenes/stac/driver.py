"""Reads the pixels that odc-stac plans: every failure is an error that names the file.

A task enters the access options itself, because GDAL keeps them per thread, and signs the
address itself, because a signature may be older than the hour it is good for by the time that
the pixels are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.loader import RioDriver
from odc.loader.types import RasterLoadParams, RasterSource
from rasterio.io import DatasetReader

from strandline.errors import GridMismatchError, MetadataError, SceneError
from strandline.scenes.access import Access
from strandline.scenes.header import short_crs
from strandline.scenes.reading import read_raster
from strandline.scenes.stac.access import signed
from strandline.scenes.stac.sampling import Slices, describe_grid, needed, picked, same_grid


@dataclass(frozen=True)
class Promise:
    """What an item says about a file, to be held to when it is read."""

    grid: GeoBox | None
    dtype: str
    fill: float
    sign: bool = False


class StacDriver(RioDriver):
    """Driver of odc-loader with errors, retries and access of ours.

    Parameters
    ----------
    promises : mapping of str to Promise
        By address of the file.
    options : mapping
        Storage options, as fsspec takes them.
    """

    def __init__(self, promises: Mapping[str, Promise], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.promises = dict(promises)
        self.options = dict(options)

    def __dask_tokenize__(self) -> object:
        return (
            "StacDriver",
            sorted((href, str(promise)) for href, promise in self.promises.items()),
            sorted(self.options.items()),
        )

    def capture_env(self) -> dict[str, Any]:
        """Take nothing along from the thread that plans."""
        return {}

    @contextmanager
    def restore_env(self, env: dict[str, Any], load_state: Any) -> Iterator[Any]:
        """Leave the environment to each reading."""
        yield None

    def open(  # type: ignore[override]  # any reader will do
        self, src: RasterSource, ctx: Any
    ) -> StacReader:
        """Make the reader of one band of one file."""
        return StacReader(src.uri, src.band, self.promises[src.uri], self.options)


@dataclass(frozen=True)
class StacReader:
    """Reads one band of one file onto a part of a grid."""

    href: str
    index: int
    promise: Promise
    options: Mapping[str, Any]

    def read(
        self,
        cfg: RasterLoadParams,
        dst_geobox: GeoBox,
        *,
        dst: NDArray[Any] | None = None,
        selection: Any = None,
    ) -> tuple[Slices, NDArray[Any]]:
        """Give the stored numbers whose pixels lie below the centres of the grid's.

        Returns
        -------
        (slices, slices), array
            Where in the grid they belong; pixels without a value have the promised fill.
        """
        del cfg, dst, selection
        promise = self.promise
        address = signed(self.href) if promise.sign else self.href
        access = Access.to(address, self.options, shown=self.href)
        try:
            return read_raster(access, partial(self._window, dst_geobox))
        except SceneError as error:
            if promise.sign:
                raise error from None  # what lies beneath may show the signature
            raise

    def _window(self, onto: GeoBox, dataset: DatasetReader) -> tuple[Slices, NDArray[Any]]:
        promise, grid = self.promise, _grid_of(dataset)
        self._check(dataset, grid)
        place, window, pick = needed(grid, onto)
        if window is None:
            return place, np.empty((0, 0), promise.dtype)
        values: NDArray[Any] = dataset.read(
            self.index,
            window=((window[0].start, window[0].stop), (window[1].start, window[1].stop)),
        )
        own = dataset.nodatavals[self.index - 1]
        values = values.astype(promise.dtype, copy=False)
        if own is not None and not _same(own, promise.fill):
            values = np.where(_equals(values, own), promise.fill, values).astype(promise.dtype)
        return place, values if pick is None else picked(values, pick, promise.fill)

    def _check(self, dataset: Any, grid: GeoBox) -> None:
        """Refuse a file that is not what the item says: its pixels would be taken for others."""
        stored = dataset.dtypes[self.index - 1] if self.index <= dataset.count else None
        if stored is None:
            raise MetadataError(
                f"{self.href!r} has fewer bands than its STAC item says.",
                expected=f"band {self.index}",
                got=f"{dataset.count}",
            )
        if not np.can_cast(stored, self.promise.dtype, "safe"):
            raise MetadataError(
                f"{self.href!r} does not store what its STAC item says.",
                expected=self.promise.dtype,
                got=str(stored),
            )
        promised = self.promise.grid
        if promised is not None and not same_grid(promised, grid):
            raise GridMismatchError(
                f"{self.href!r} does not lie where its STAC item says.",
                expected=describe_grid(promised),
                got=describe_grid(grid),
                remedy="Open the file by itself, and report it to the archive.",
            )


def _grid_of(dataset: Any) -> GeoBox:
    crs = dataset.crs
    known = short_crs(crs.to_wkt()) if crs else None
    return GeoBox((dataset.height, dataset.width), dataset.transform, known)


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _equals(values: NDArray[Any], number: float) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = np.isnan(values) if math.isnan(number) else values == number
    return equal
