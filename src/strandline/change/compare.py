"""Compare the water of two dates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.change.shift import shift_explainable
from strandline.change.states import water_states
from strandline.errors import ConfigurationError, GridMismatchError
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER, stored_classes
from strandline.prepare.georeference import attach_grid, describe_grid, grid_of, same_grid
from strandline.prepare.oversampling import oversampling_of
from strandline.prepare.shift import Shift

STABLE_LAND, STABLE_WATER, LOST, GAINED = 0, 1, 2, 3
"""Values of a change map, besides 255."""

CLASS_OF = {
    (LAND, LAND): STABLE_LAND,
    (WATER, WATER): STABLE_WATER,
    (WATER, LAND): LOST,
    (LAND, WATER): GAINED,
}
"""Class of a pixel that was seen on both dates, from what it was before and after."""


def compare(
    before: xr.DataArray, after: xr.DataArray, *, shift: Shift | None = None
) -> xr.DataArray:
    """Compare two water masks, pixel by pixel.

    Change that a shift between the two images by part of a pixel would make all by itself is
    flagged, not taken away: `areas` counts how much of it there is.

    Parameters
    ----------
    before, after : DataArray of uint8, shape (y, x)
        Water masks on one grid: 0 not water, 1 water, 255 not observed.
    shift : Shift, optional
        How far the later image lies from the earlier: what
        ``estimate_shift(scene_after, scene_before)`` says. Default: what the shores of the
        masks say of it, from 0.15 pixels on.

    Returns
    -------
    DataArray of uint8, shape (y, x)
        0 land on both dates, 1 water on both, 2 water lost, 3 water gained, 255 not observed
        on one date or on both. The attributes ``before`` and ``after`` hold the dates, where
        the masks have them. The masks themselves stay with it as coordinates
        ``water_before`` and ``water_after``, from which `areas` derives its bounds; so does
        ``shift_explainable`` (bool): lost or gained, but in a strip one pixel thin, as a
        shift makes it that is there by the rest of the map. Lazy if a mask is.

    Raises
    ------
    GridMismatchError
        If the masks are on different grids.
    ConfigurationError
        If one is not a water mask. For a lazy mask, wrong values are found when the result is
        computed.
    ShiftError
        If `shift` is longer than 1.5 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> grid = lake_grid((1, 5))
    >>> before = mask_of(np.array([[0, 1, 1, 0, 255]]), grid, time="1988-10-22")
    >>> after = mask_of(np.array([[0, 1, 0, 1, 1]]), grid, time="2017-10-22")
    >>> compare(before, after).values.tolist()
    [[0, 1, 2, 3, 255]]
    """
    masks = _checked(before, "before"), _checked(after, "after")
    grid, other = grid_of(masks[0]), grid_of(masks[1])
    if not same_grid(grid, other):
        raise GridMismatchError(
            "The two water masks are not on one grid.",
            expected=describe_grid(grid),
            got=describe_grid(other),
            remedy="Stack the scenes with stack_scenes, or bring one mask onto the other's "
            "grid with regrid.",
        )
    data = tuple(mask.data for mask in masks)
    if any(hasattr(values, "__dask_graph__") for values in data):
        import dask.array as da

        lazy = [da.asarray(values) for values in data]  # type: ignore[no-untyped-call]  # Dask is untyped
        lazy[1] = lazy[1].rechunk(lazy[0].chunks)
        data = (lazy[0], lazy[1])
        values = da.map_blocks(_classes, *data, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))  # type: ignore[no-untyped-call]  # Dask is untyped
    else:
        values = _classes(*data)
    finer = [float(oversampling_of(mask)[0]) for mask in masks]
    flags = shift_explainable(data[0], data[1], shift, oversampling=max(finer))
    change = xr.DataArray(
        values,
        dims=("y", "x"),
        coords={
            "water_before": (("y", "x"), data[0]),
            "water_after": (("y", "x"), data[1]),
            "shift_explainable": (("y", "x"), flags),
        },
        attrs={
            "long_name": "change of water",
            "_FillValue": np.uint8(NOT_OBSERVED),
            "flag_values": np.array([STABLE_LAND, STABLE_WATER, LOST, GAINED], np.uint8),
            "flag_meanings": "stable_land stable_water lost gained",
            **_origins(*masks),
            **{name: value for name, value in zip(_OVERSAMPLING, finer, strict=True) if value > 1},
        },
    )
    change.name = "change"
    return attach_grid(change, grid)


def oversampling_of_dates(change: xr.DataArray) -> tuple[float, float]:
    """Return the oversampling before and after that a change map carries; 1 where it has none."""
    before, after = (float(change.attrs.get(name, 1.0)) for name in _OVERSAMPLING)
    return before, after


def _checked(mask: xr.DataArray, which: str) -> xr.DataArray:
    mask = stored_classes(mask)
    if set(mask.dims) != {"y", "x"} or mask.dtype not in (np.uint8, bool):
        raise ConfigurationError(
            f"What was passed as {which}=… is not a water mask of one date.",
            expected="a uint8 array of dimensions (y, x)",
            got=f"{mask.dtype} of dimensions {tuple(map(str, mask.dims))}",
            remedy="Pass what water_mask returned, one date of it: mask.isel(time=0).",
        )
    return mask.transpose("y", "x").astype(np.uint8)


def _classes(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pair = 3 * water_states(before) + water_states(after)
    classes: NDArray[np.uint8] = _CLASS_OF_PAIR[pair]
    return classes


def _origins(before: xr.DataArray, after: xr.DataArray) -> dict[str, str]:
    """Return the dates, their platforms, and which is simulated, where the masks say so."""
    known: dict[str, str] = {}
    for name, mask in (("before", before), ("after", after)):
        time: Any = (
            mask.coords["time"].values if "time" in mask.coords else np.datetime64("NaT", "ns")
        )
        if not np.isnat(time):
            known[name] = str(time.astype("datetime64[D]"))
        platform = mask.coords.get("platform", mask.attrs.get("platform"))
        if platform is not None and np.ndim(platform) == 0 and str(np.asarray(platform)):
            known[f"platform_{name}"] = str(np.asarray(platform))
        if mask.attrs.get("simulated"):
            known[f"simulated_{name}"] = str(mask.attrs["simulated"])
    return known


_OVERSAMPLING = ("oversampling_before", "oversampling_after")

_CLASS_OF_PAIR = np.full(9, NOT_OBSERVED, np.uint8)
for (_before, _after), _class in CLASS_OF.items():
    _CLASS_OF_PAIR[3 * _before + _after] = _class
