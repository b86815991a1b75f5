"""Put several dates together on one grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError, MissingBandError, UnknownProductError
from strandline.prepare.georeference import attach_grid, grid_of
from strandline.prepare.oversampling import (
    OVERSAMPLING,
    oversampling_coordinate,
    oversampling_of,
)
from strandline.prepare.resample import regrid

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from strandline.scenes.sensors import Sensor

DIMS = ("band", "y", "x")


def stack_scenes(
    scenes: Iterable[xr.DataArray],
    grid: GeoBox | xr.DataArray | None = None,
    *,
    resampling: str = "bilinear",
) -> xr.DataArray:
    """Put scenes of several dates together, with the bands that they share.

    Parameters
    ----------
    scenes : iterable of DataArray of shape (band, y, x)
        Each with its own scalar coordinate ``time``.
    grid : GeoBox or DataArray, optional
        The common grid, or a scene that is on it. Default: that of the first scene. Scenes
        on another grid are resampled by `regrid`.
    resampling : str
        How, as for `regrid`.

    Returns
    -------
    DataArray of shape (time, band, y, x)
        In the order given, with the shared bands in the order of the first scene, the
        platform of each date as coordinate ``platform (time)``, and the attributes on which
        all scenes agree. Where the grid is finer than a scene, ``oversampling (time)`` says how
        many of its pixels lie along the side of one of the data. Lazy if any scene is. Where any
        scene has quality flags, they are the coordinate ``quality (time, y, x)``;
        ``quality_told (time)`` names the reasons that each date can tell, ``quality_masked (time)``
        those that its pixels were masked by: none for a scene without a quality band, whose flags
        are all 0.

    Raises
    ------
    ConfigurationError
        If there is no scene, or one has no time, or two have the same.
    MissingBandError
        If no band is in all of the scenes.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> before = round_lake(radius=300, time="1988-10-22")
    >>> after = round_lake(radius=200, time="2017-10-22")
    >>> stack_scenes([before, after]).dims
    ('time', 'band', 'y', 'x')
    """
    given = [scenes] if isinstance(scenes, xr.DataArray) else list(scenes)
    given = [with_common_names(_with_time(scene)) for scene in given]
    _check(given)
    target = grid_of(given[0] if grid is None else grid)
    bands = _shared_bands(given)
    dates = [_one_date(scene.sel(band=bands), target, resampling) for scene in given]
    stacked = xr.concat(
        [date.drop_vars(["quality", OVERSAMPLING], errors="ignore") for date in dates],
        dim="time",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="drop_conflicts",
    )
    platforms = [name for scene in given for name in platforms_of(scene)]
    finer = [float(oversampling_of(date)[0]) for date in dates]
    return stacked.assign_coords(
        platform=("time", platforms),
        **oversampling_coordinate(finer, dated=True),
        **_quality(dates),
    )


def platforms_of(data: xr.DataArray) -> list[str]:
    """Name the platform of each date of scenes or maps, "unknown" where none is named.

    Dates that were stacked carry it as a coordinate, scenes by themselves as an attribute.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> platforms_of(round_lake(radius=300))
    ['landsat-5']
    """
    named = data.attrs.get("platform", "")
    if "platform" in data.coords:
        named = data.coords["platform"].values
    each = np.broadcast_to(np.asarray(named, dtype=str), (data.sizes.get("time", 1),))
    return [str(name) or "unknown" for name in each]


def sensor_of(scene: xr.DataArray) -> Sensor | None:
    """Find the sensor, if all dates are of one platform whose bands are known."""
    from strandline.scenes.sensors import find_sensor

    platforms = set(platforms_of(scene))
    try:
        return find_sensor(platforms.pop()) if len(platforms) == 1 else None
    except UnknownProductError:
        return None


def with_common_names(scene: xr.DataArray) -> xr.DataArray:
    """Call the bands of a scene by their common names, where they go by others.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(radius=300)
    >>> renamed = scene.assign_coords(band=[f"SR_B{n}" for n in (1, 2, 3, 4, 5, 7)])
    >>> with_common_names(renamed)["band"].values.tolist() == scene["band"].values.tolist()
    True
    """
    from strandline.scenes.sensors import STAND_IN, band_name

    if "band" not in scene.coords or scene["band"].dtype.kind not in "UOT":
        return scene
    sensor = sensor_of(scene)
    written = [str(name) for name in np.atleast_1d(scene["band"].values)]
    names = [band_name(name, sensor) or name for name in written]
    if sensor is not None and sensor.instrument == "msi" and "nir08" not in names:
        names = [STAND_IN["nir"] if name == "nir" else name for name in names]
    if names == written or len(set(names)) < len(names) or scene["band"].ndim != 1:
        return scene
    return scene.assign_coords(band=("band", np.asarray(names, dtype=str)))


def _one_date(scene: xr.DataArray, target: GeoBox, resampling: str) -> xr.DataArray:
    """Bring a scene to the common grid, with the coordinates that all dates have."""
    placed = regrid(scene, target, resampling=resampling)
    kept = {"band", "time", "y", "x", "quality", OVERSAMPLING}
    bare = placed.drop_vars([name for name in placed.coords if name not in kept])
    # On the grid up to rounding: the first scene's coordinates shall be everyone's.
    return attach_grid(bare, target)


def _quality(dates: list[xr.DataArray]) -> dict[str, Any]:
    """Put the flags of all dates together, in the order of the dates."""
    given = [date.coords.get("quality") for date in dates]
    if all(one is None for one in given):
        return {}
    from strandline.scenes.quality import are_flags, flag_attributes, tells_conflicts, told_names

    flags = [one if one is not None and are_flags(one) else None for one in given]
    if all(one is None for one in flags):
        return {}
    told = [() if one is None else told_names(one) for one in flags]
    conflicts = any(one is not None and tells_conflicts(one) for one in flags)
    parts: list[Any] = [
        _no_flags(date) if one is None else one.transpose("y", "x").data
        for date, one in zip(dates, flags, strict=True)
    ]
    if any(hasattr(part, "__dask_graph__") for part in parts):
        import dask.array as da

        data = da.stack(parts)  # type: ignore[no-untyped-call]  # Dask is untyped
    else:
        data = np.stack(parts)
    attrs = flag_attributes([name for names in told for name in names], conflicts=conflicts)
    return {
        "quality": (("time", "y", "x"), data, attrs),
        "quality_told": ("time", [" ".join(names) for names in told]),
        "quality_masked": ("time", [_masked(one) for one in flags]),
    }


def _masked(flags: xr.DataArray | None) -> str:
    return "" if flags is None else str(flags.attrs.get("masked", ""))


def _no_flags(date: xr.DataArray) -> Any:
    """Make flags of a scene that has none, lazy if it is."""
    plane = date.isel(band=0).transpose("y", "x").data
    if not hasattr(plane, "__dask_graph__"):
        return np.zeros(plane.shape, np.uint8)
    import dask.array as da

    return da.zeros(plane.shape, dtype=np.uint8, chunks=plane.chunks)


def _with_time(scene: xr.DataArray) -> xr.DataArray:
    """Read the time of a scene that someone else made: as text, or a date of any calendar."""
    if "time" not in scene.coords or scene["time"].ndim or scene["time"].dtype.kind == "M":
        return scene
    from strandline.scenes.scene import as_time

    return scene.assign_coords(time=as_time(scene["time"].values[()]))


def _check(scenes: list[xr.DataArray]) -> None:
    if not scenes:
        raise ConfigurationError(
            "There is no scene to stack.", expected="at least one scene", got="none"
        )
    for number, scene in enumerate(scenes, start=1):
        if set(scene.dims) != set(DIMS):
            raise ConfigurationError(
                f"Scene {number} cannot be stacked.",
                expected=f"dimensions {DIMS}",
                got=f"dimensions {tuple(map(str, scene.dims))}",
                remedy="Pass the scenes as a list, one per date.",
            )
        if "time" not in scene.coords or np.isnat(scene["time"].values):
            raise ConfigurationError(
                f"Scene {number} does not say when it was acquired.",
                expected="a scalar coordinate time",
                got="none",
                remedy="Say it when the scene is opened, with time=….",
            )
    times = [scene["time"].values.astype("datetime64[ns]") for scene in scenes]
    if len(set(times)) < len(times):
        raise ConfigurationError(
            "Two scenes have the same time.",
            expected="one scene per time",
            got=", ".join(str(time.astype("datetime64[s]")) for time in times),
            remedy="Leave one out, or merge neighbouring scenes of one pass first.",
        )


def _shared_bands(scenes: list[xr.DataArray]) -> list[str]:
    names = [[str(name) for name in scene["band"].values] for scene in scenes]
    shared = [name for name in names[0] if all(name in others for others in names[1:])]
    if not shared:
        raise MissingBandError(
            "The scenes have no band in common.",
            expected="at least one band that all scenes have",
            got="; ".join(", ".join(bands) for bands in names),
            remedy="Name the bands alike, for example with open_scene(…, band_names=…).",
        )
    return shared
