"""Which pixels would change sides if the scenes were segmented otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid
from strandline.spectral.ensemble import counterparts
from strandline.water.mask import water_mask


def stability_map(
    segmentation: xr.Dataset, members: Iterable[xr.Dataset], of: str = "water"
) -> xr.DataArray:
    """Compute for each pixel in how many other segmentations its class stays the same.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`.
    members : iterable of Dataset
        From `strandline.segment_again`.
    of : {"water", "class"}
        Whether water or not, each segmentation finding its own; or the cluster, those of the
        members being matched to the segmentation's so that as many pixels as possible agree.

    Returns
    -------
    DataArray of float32, shape (y, x) or (time, y, x)
        0 to 1: the share of the members in which the pixel is what it is in the
        segmentation; NaN where not observed. Lazy if the segmentation is.

    Raises
    ------
    ConfigurationError
        If there are no members, they are of other scenes, or `of` is something else.

    Notes
    -----
    Low values are where errors are likely. High values prove nothing: what all segmentations
    take for water, such as a shadow as dark as a lake, is stable.

    References
    ----------
    Matching: Kuhn, "The Hungarian method for the assignment problem", Naval Research
    Logistics Quarterly 2 (1955).

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(radius=300)
    >>> segmentation = sl.segment(scene, n_clusters=3)
    >>> members = sl.segment_again(segmentation, scene, n_members=3)
    >>> float(stability_map(segmentation, members).mean()) > 0.95
    True
    """
    others = list(members)
    if of not in ("water", "class") or not others:
        raise ConfigurationError(
            "Stability cannot be computed.",
            expected="of='water' or 'class', and at least one member",
            got=f"of={of!r} and {len(others)} members",
        )
    base = _classes(segmentation, of)
    votes: Any = 0
    for member in others:
        other = _classes(member, of)
        if other.shape != base.shape or not same_grid(grid_of(other), grid_of(base)):
            raise ConfigurationError(
                "A member is of other scenes.",
                expected=describe_grid(grid_of(base)),
                got=describe_grid(grid_of(other)),
                remedy="Pass what segment_again(segmentation, scenes) returned.",
            )
        values = other.data
        if of == "class":
            values = _renamed(values, _names(base.data, values))
        votes = votes + (values == base.data)
    share = votes / np.float32(len(others))
    stable = base.copy(data=share.astype(np.float32)).where(base != NOT_OBSERVED)
    stable.name = "stability"
    stable.attrs = {
        "long_name": f"share of segmentations that agree on the {of}",
        "units": "1",
        "members": len(others),
    }
    return stable


def _classes(segmentation: xr.Dataset, of: str) -> xr.DataArray:
    return water_mask(segmentation) if of == "water" else stored_classes(segmentation["labels"])


def _names(labels: Any, others: Any) -> NDArray[np.uint8]:
    """Find what the segmentation calls each cluster of a member; 255 where it has no name."""
    pairs = others.ravel().astype(np.int64) * 256 + labels.ravel()
    if hasattr(pairs, "__dask_graph__"):
        import dask.array as da

        counts = np.asarray(da.bincount(pairs, minlength=256 * 256))
    else:
        counts = np.bincount(pairs, minlength=256 * 256)
    shared = counts.reshape(256, 256)[:NOT_OBSERVED, :NOT_OBSERVED]
    there = np.flatnonzero(shared.any(axis=1)), np.flatnonzero(shared.any(axis=0))
    found = counterparts(shared[np.ix_(*there)])
    names = np.full(256, NOT_OBSERVED, np.uint8)
    names[there[0][found >= 0]] = there[1][found[found >= 0]]
    return names


def _renamed(values: Any, names: NDArray[np.uint8]) -> Any:
    if hasattr(values, "map_blocks"):
        return values.map_blocks(names.take, dtype=np.uint8)
    return names[values]
