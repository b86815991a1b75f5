"""Hypothesis strategies that draw awkward scenes: odd chunks, holes, one row, broken ones."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from odc.geo.geobox import GeoBox

from strandline.testing.lakes import BANDS, lake_grid, mask_of, scene_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Draw = st.DrawFn

LATTICES: tuple[tuple[str, float, tuple[float, float]], ...] = (
    ("EPSG:32611", 30.0, (350_040.0, 4_290_000.0)),
    ("EPSG:32719", 10.0, (500_005.0, 9_000_005.0)),
    ("EPSG:4326", 0.00025, (-118.9, 38.9)),
    ("EPSG:3413", 250.0, (-1_000_000.0, -900_000.0)),
)
"""CRS, resolution and corner: UTM north and south, longitude and latitude, polar."""


@st.composite
def grids(draw: Draw, max_side: int = 12) -> GeoBox:
    """Draw a small north-up grid, often of one row, one column or one pixel."""
    crs, resolution, corner = draw(st.sampled_from(LATTICES))
    side = st.one_of(st.just(1), st.integers(1, max_side))
    return lake_grid((draw(side), draw(side)), resolution, crs, corner)


@st.composite
def chunkings(draw: Draw, length: int) -> tuple[int, ...]:
    """Draw sizes of chunks that sum up to a length, even or not."""
    cuts = draw(st.sets(st.integers(1, max(length - 1, 1)), max_size=4))
    edges = [0, *sorted(cut for cut in cuts if cut < length), length]
    return tuple(int(size) for size in np.diff(edges))


@st.composite
def chunked(draw: Draw, array: xr.DataArray) -> xr.DataArray:
    """Draw a way to cut an array into a Dask array."""
    return array.chunk({dim: draw(chunkings(size)) for dim, size in array.sizes.items()})


@st.composite
def scenes(
    draw: Draw,
    *,
    max_side: int = 12,
    max_bands: int = 4,
    lazy: bool | None = None,
    time: str = "1988-10-22",
) -> xr.DataArray:
    """Draw a scene of shape (band, y, x).

    Parameters
    ----------
    max_side, max_bands : int
        Largest number of rows and columns, and of bands.
    lazy : bool, optional
        In memory, or a Dask array in odd chunks. Default: either.
    time : str
        When it was acquired.
    """
    grid = draw(grids(max_side))
    bands = draw(st.permutations(BANDS).map(lambda names: names[: max(1, max_bands)]))
    bands = bands[: draw(st.integers(1, len(bands)))]
    shape = (len(bands), *grid.shape)
    values = draw(
        arrays.arrays(np.float32, shape, elements=st.floats(-0.125, 1.5, width=32), fill=None)
    )
    if draw(st.booleans()):
        values[draw(st.integers(0, len(bands) - 1))] = 0.25
    values[:, draw(_holes(values.shape[1:]))] = np.nan
    scene = scene_of(values, grid, bands=bands, time=time)
    scene.attrs["title"] = draw(st.text(string.ascii_letters, max_size=5))
    as_dask = draw(st.booleans()) if lazy is None else lazy
    return draw(chunked(scene)) if as_dask else scene


@st.composite
def odd_scenes(draw: Draw, *, max_side: int = 12) -> xr.DataArray:
    """Draw a scene that may be wrong in any way an array can be.

    Fill numbers that nobody declared, infinite values, values of percent or scaled twice, bands
    that are constant, equal or under one another's names, coordinates that repeat or are no
    numbers, other types of numbers, no pixels at all: none, one or several of them. Whatever
    takes scenes has to give a result or an error of ours.
    """
    scene = draw(scenes(max_side=max_side, lazy=False))
    flaws = draw(st.lists(st.sampled_from(sorted(_FLAWS)), max_size=2, unique=True))
    # Other types of numbers come last: nothing can be computed from words.
    for flaw in [*flaws, *draw(st.lists(st.sampled_from(sorted(_TYPES)), max_size=1))]:
        scene = (_FLAWS | _TYPES)[flaw](scene)
    return scene


def _filled(scene: xr.DataArray, value: float) -> xr.DataArray:
    changed = scene.copy(deep=True)
    changed[..., :2, :2] = value
    return changed


def _moved(scene: xr.DataArray, dim: str, factor: float) -> xr.DataArray:
    return scene.assign_coords({dim: np.arange(scene.sizes[dim]) * factor})


_FLAWS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "fill": lambda scene: _filled(scene, -9999.0),
    "infinite": lambda scene: _filled(scene, np.inf),
    "percent": lambda scene: scene * 100,
    "scaled twice": lambda scene: scene * 1e-4,
    "negative": lambda scene: scene - 0.3,
    "constant": xr.zeros_like,
    "unobserved": lambda scene: scene * np.nan,
    "one name": lambda scene: scene.assign_coords(band=["red"] * scene.sizes["band"]),
    "no names": lambda scene: scene.drop_vars("band", errors="ignore"),
    "places twice": lambda scene: _moved(scene, "x", 0.0),
    "places nowhere": lambda scene: _moved(scene, "y", np.nan),
    "no places": lambda scene: scene.drop_vars(["x", "y"], errors="ignore"),
    "no CRS": lambda scene: scene.drop_vars("spatial_ref", errors="ignore"),
    "no rows": lambda scene: scene.isel(y=slice(0, 0)),
    "no bands": lambda scene: scene.isel(band=slice(0, 0)),
    "a time to come": lambda scene: scene.assign_coords(time=np.datetime64("2200-01-01", "ns")),
    "a time that is none": lambda scene: scene.assign_coords(time="soon"),
}
_TYPES: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "integers": lambda scene: xr.zeros_like(scene, dtype=np.int32),
    "words": lambda scene: scene.astype(str),
    "complex": lambda scene: scene.astype(np.complex64),
}


@st.composite
def date_stacks(draw: Draw, *, max_dates: int = 3, lazy: bool | None = None) -> xr.DataArray:
    """Draw dates together: shape (time, band, y, x)."""
    first = draw(scenes(lazy=False, max_side=8, max_bands=3))
    count = draw(st.integers(1, max_dates))
    dates = [
        (first + np.float32(number)).assign_coords(
            time=np.datetime64("1988-10-22", "ns") + np.timedelta64(16 * number, "D")
        )
        for number in range(count)
    ]
    stacked = xr.concat(dates, dim="time", coords="minimal", compat="override", join="override")
    stacked.attrs = dict(first.attrs)
    as_dask = draw(st.booleans()) if lazy is None else lazy
    return draw(chunked(stacked)) if as_dask else stacked


@st.composite
def water_masks(
    draw: Draw, grid: GeoBox | None = None, *, observed: bool = False, max_side: int = 10
) -> xr.DataArray:
    """Draw a water mask of shape (y, x): 0, 1, and 255 unless everything is `observed`."""
    where = draw(grids(max_side)) if grid is None else grid
    classes = [0, 1] if observed else [0, 1, 255]
    values = draw(arrays.arrays(np.uint8, tuple(where.shape), elements=st.sampled_from(classes)))
    return mask_of(values, where)


def _holes(shape: tuple[int, ...]) -> st.SearchStrategy[NDArray[np.bool_]]:
    """Draw where nothing was observed: nowhere, scattered, or in a block, up to everywhere."""
    nowhere = st.just(np.zeros(shape, dtype=bool))
    return st.one_of(nowhere, arrays.arrays(bool, shape), _blocks(shape))


@st.composite
def _blocks(draw: Draw, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    hole = np.zeros(shape, dtype=bool)
    sides = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        sides.append(slice(start, draw(st.integers(start + 1, size))))
    hole[tuple(sides)] = True
    return hole
