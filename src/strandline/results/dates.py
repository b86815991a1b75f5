"""The dates of scenes, as names: of files, of rows and columns of tables."""

from __future__ import annotations

import xarray as xr


def dates_of(scenes: xr.DataArray) -> list[str]:
    """Name the dates of scenes, for files: the day, with the time where days repeat, or nothing."""
    if "time" not in scenes.coords:
        return [""] * scenes.sizes["time"]
    times = scenes["time"].values.astype("datetime64[s]")
    days = [str(time.astype("datetime64[D]")) for time in times]
    if len(set(days)) == len(days):
        return days
    return [str(time).replace(":", "") for time in times]
