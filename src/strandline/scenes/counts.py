"""How many pixels were observed, and how many were not for which reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError
from strandline.scenes.conflicts import CLOUDED
from strandline.scenes.quality import (
    CONFLICT,
    MASKED,
    are_flags,
    reason_bits,
    tells_conflicts,
    told_names,
)

COUNTS_SHAPE = (2, 256)
"""Of what `count_flags` gives: observed or not, by flags."""

_FLAGS = np.arange(256)
HIDDEN_WATER = "hidden_water"
"""Name of what was not observed because of a flag that the spectrum speaks against: pixels that
look like water, but for those in the margins of clouds, which products leave out as a precaution.
"""

_CONFLICTS = {f"{reason}_but_water": reason for reason in CLOUDED}
_WHITE = "clear_but_white"


class Told(NamedTuple):
    """What is known about the flags of one date.

    Attributes
    ----------
    reasons : tuple of str
        Those that the product can tell.
    masked : tuple of str
        Those that its pixels were masked by.
    conflicts : bool
        Whether conflicts with the spectrum were looked for.
    """

    reasons: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    conflicts: bool = False


def count_quality(scene: xr.DataArray) -> xr.DataArray:
    """Count the pixels of a scene by what its quality flags say, and write it in its attributes.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x)
        From `strandline.open_scene`. A lazy one is read once; its pixels stay lazy.

    Returns
    -------
    DataArray
        The same scene with integer attributes ``pixels_observed`` (a value in every band),
        ``pixels_not_observed``, and one for each row that `quality_table` has:
        ``pixels_cloud``, ``pixels_no_value``, ``pixels_cloud_but_water``, …

    Examples
    --------
    >>> from strandline.scenes import simulate_scene
    >>> scene, _ = simulate_scene(size=(100, 100), resolution=300, cloud_cover=0.3)
    >>> counted = count_quality(scene)
    >>> sum(counted.attrs[f"pixels_{name}"] for name in ("observed", "not_observed"))
    10000
    """
    _check(scene, ("band", "y", "x"))
    rows = count_rows(_counts(scene), told_of(scene))
    return scene.assign_attrs({f"pixels_{name}": pixels for name, pixels in rows.items()})


def quality_table(scenes: xr.DataArray | Iterable[xr.DataArray]) -> pd.DataFrame:
    """Tabulate how many pixels were observed, and how many were not for which reason.

    Parameters
    ----------
    scenes : DataArray of shape (band, y, x) or (time, band, y, x), or iterable of DataArray
        From `strandline.open_scene` or `strandline.stack_scenes`. Lazy ones are read once.

    Returns
    -------
    pandas.DataFrame
        Columns ``date``, ``what``, ``pixels`` and ``share`` (of all pixels). For each date:
        ``observed`` (a value in every band) and ``not_observed``; each reason that the product
        can tell, masked or not (a pixel can have several); ``no_value``, not observed without a
        reason to mask it: there is no value in a band; and, of scenes that were opened with
        ``conflicts``, pixels that are flagged but look like water (``cloud_but_water``, …),
        ``hidden_water``, those of them that were not observed for more than being in the margin
        of a cloud, and pixels flagged as neither cloud nor snow that look like one
        (``clear_but_white``).

    Examples
    --------
    >>> from strandline.scenes import simulate_scene
    >>> scene, _ = simulate_scene(size=(100, 100), resolution=300)
    >>> table = quality_table(scene).set_index("what")
    >>> int(table.pixels["observed"]), int(table.pixels["cloud"])
    (10000, 0)
    """
    given = [scenes] if isinstance(scenes, xr.DataArray) else list(scenes)
    dates = [date for scene in given for date in _dates(scene)]
    return table_of_counts(
        [_name(date) for date in dates], [_counts(date) for date in dates], map(told_of, dates)
    )


def table_of_counts(
    names: Iterable[str], counts: Iterable[NDArray[np.int64]], told: Iterable[Told]
) -> pd.DataFrame:
    """Make the table of counts that were made elsewhere.

    Parameters
    ----------
    names : iterable of str
        Of the dates.
    counts : iterable of ndarray
        From `count_flags`, one per date.
    told : iterable of Told
        One per date.

    Returns
    -------
    pandas.DataFrame
        As `quality_table`.
    """
    rows = []
    for name, numbers, known in zip(names, counts, told, strict=True):
        whole = max(int(numbers.sum()), 1)
        rows += [
            {"date": name, "what": what, "pixels": pixels, "share": pixels / whole}
            for what, pixels in count_rows(numbers, known).items()
        ]
    return pd.DataFrame(rows, columns=["date", "what", "pixels", "share"])


def count_flags(flags: NDArray[np.uint8] | None, observed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count pixels by their flags, those that were observed apart.

    Parameters
    ----------
    flags : ndarray of uint8 or None
        From `strandline.scenes.quality.quality_flags`; None counts as 0.
    observed : ndarray of bool
        Same shape.

    Returns
    -------
    ndarray of int64, shape (2, 256)
        First those that were not observed, then those that were.

    Examples
    --------
    >>> counts = count_flags(np.array([0, 4, 4], np.uint8), np.array([True, False, False]))
    >>> int(counts[1, 0]), int(counts[0, 4])
    (1, 2)
    """
    counts = np.zeros(COUNTS_SHAPE, np.int64)
    if flags is None:
        counts[:, 0] = np.count_nonzero(~observed), np.count_nonzero(observed)
        return counts
    for row, seen in zip(flags, observed, strict=True):  # one by one: counting widens the bytes
        both = np.bincount(np.ravel(row), minlength=256)
        counts[1] += np.bincount(np.ravel(row)[np.ravel(seen)], minlength=256)
        counts[0] += both
    counts[0] -= counts[1]
    return counts


def count_rows(counts: NDArray[np.int64], told: Told) -> dict[str, int]:
    """Name the sums of counts that matter.

    Parameters
    ----------
    counts : ndarray of shape (2, 256)
        From `count_flags`.
    told : Told

    Returns
    -------
    dict of str to int
        The rows of `quality_table` for one date.
    """
    both = counts.sum(axis=0)
    rows = {"observed": int(counts[1].sum()), "not_observed": int(counts[0].sum())}
    for reason in told.reasons:
        rows[reason] = int(both[_with("fill" if reason == MASKED else reason)].sum())
    unmasked = (_FLAGS & reason_bits(told.masked)) == 0
    # Where the spectrum wins, a pixel may be masked that has no flag but the one of conflicts.
    rows["no_value"] = int(counts[0][unmasked & ((_FLAGS & CONFLICT) == 0)].sum())
    if told.conflicts:
        conflict = (_FLAGS & CONFLICT) != 0
        for name, reason in _CONFLICTS.items():
            if reason in told.reasons:
                rows[name] = int(both[conflict & _with(reason)].sum())
        certain = (_FLAGS & reason_bits(set(CLOUDED) - {"dilated_cloud"})) != 0
        rows[HIDDEN_WATER] = int(counts[0][conflict & certain].sum())
        clear = (_FLAGS & reason_bits(CLOUDED)) == 0
        rows[_WHITE] = int(both[conflict & clear].sum())
    return rows


def told_of(scene: xr.DataArray) -> Told:
    """Read what is known about the flags of one date from its coordinates."""
    flags = scene.coords.get("quality")
    if flags is None or not are_flags(flags):
        return Told()
    told = scene.coords.get("quality_told")
    masked = scene.coords.get("quality_masked")
    reasons = told_names(flags) if told is None else tuple(str(told.values).split())
    hidden = flags.attrs.get("masked", "") if masked is None else masked.values
    return Told(reasons, tuple(str(hidden).split()), tells_conflicts(flags) and bool(reasons))


def _with(reason: str) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = (_FLAGS & reason_bits([reason])) != 0
    return chosen


def _dates(scene: xr.DataArray) -> list[xr.DataArray]:
    if "time" in scene.dims:
        _check(scene, ("time", "band", "y", "x"))
        return [scene.isel(time=number) for number in range(scene.sizes["time"])]
    _check(scene, ("band", "y", "x"))
    return [scene]


def _check(scene: xr.DataArray, dims: tuple[str, ...]) -> None:
    if set(scene.dims) != set(dims):
        raise ConfigurationError(
            "Only the pixels of a scene can be counted.",
            expected=f"dimensions {', '.join(dims)}",
            got=", ".join(map(str, scene.dims)),
        )


def _name(date: xr.DataArray) -> str:
    if "time" not in date.coords:
        return ""
    return str(date["time"].values.astype("datetime64[D]"))


def _counts(date: xr.DataArray) -> NDArray[np.int64]:
    """Count one date, block by block if it is lazy."""
    values = date.transpose("band", "y", "x").data
    quality = date.coords.get("quality")
    flags = None
    if quality is not None and are_flags(quality):
        flags = quality.transpose("y", "x").data
    if not (hasattr(values, "__dask_graph__") or hasattr(flags, "__dask_graph__")):
        return _count_block(values, flags)
    import dask.array as da
    from dask.delayed import delayed

    values = da.asarray(values).rechunk({0: -1})  # type: ignore[no-untyped-call]  # Dask is untyped
    blocks = values.to_delayed()[0].ravel()
    others: list[Any] = [None] * len(blocks)
    if flags is not None:
        others = da.asarray(flags).rechunk(values.chunks[1:]).to_delayed().ravel()  # type: ignore[no-untyped-call]  # Dask is untyped
    count = delayed(_count_block, pure=True)
    parts = [count(block, other) for block, other in zip(blocks, others, strict=True)]
    total: NDArray[np.int64] = delayed(_total, pure=True)(parts).compute()
    return total


def _count_block(values: NDArray[Any], flags: NDArray[np.uint8] | None) -> NDArray[np.int64]:
    observed = np.ones(values.shape[1:], bool)
    for band in values:
        observed &= np.isfinite(band)
    return count_flags(flags, observed)


def _total(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum(parts, axis=0)
    return total
