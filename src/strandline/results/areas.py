"""The table of areas, and how its rows are said."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from strandline.change import areas as measure_areas
from strandline.change.interval import INTERVALS, nothing_observed
from strandline.paths import local_path
from strandline.prepare.classes import NOT_OBSERVED
from strandline.results.dates import dates_of

WHOLE_MAP = "whole map"
"""Name of the rows that are not about one body of water."""


def area_table(
    water: xr.DataArray, change: xr.DataArray | None, at: tuple[float, float] | None
) -> pd.DataFrame:
    """Put all areas of a study into one table.

    Parameters
    ----------
    water : DataArray of shape (time, y, x)
        Water masks.
    change : DataArray of shape (y, x), optional
        Between the first and the last of them.
    at : (float, float), optional
        A point in a lake, whose own area is then told apart.

    Returns
    -------
    DataFrame
        Columns ``area`` (the whole map, or the body of water at the point), ``quantity``,
        ``pixels``, ``least``, ``best``, ``most``, the intervals ``low_90``, ``high_90``,
        ``low_95``, ``high_95``, and for two dates ``shift_explainable`` (km²; see
        `strandline.areas`).
    """
    parts: dict[str, tuple[float, float] | None] = {WHOLE_MAP: None}
    if at is not None:
        parts[f"body of water at ({at[0]:g}, {at[1]:g})"] = at
    tables = []
    for name, point in parts.items():
        if change is None:
            table = _of_mask(water, point)
        else:
            first, last = dates_of(water)[0], dates_of(water)[-1]
            names = {"water before": f"water {first}", "water after": f"water {last}"}
            table = measure_areas(change, at=point, intervals=True).rename(index=names)
        table.insert(0, "area", name)
        tables.append(table.rename_axis("quantity").reset_index())
    columns = ["area", "quantity", "pixels", "least", "best", "most", *INTERVALS]
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, *(name for name in ("shift_explainable",) if name in table)]]


def _of_mask(water: xr.DataArray, at: tuple[float, float] | None) -> pd.DataFrame:
    """Water and what was not observed, per date."""
    rows = {}
    unseen = (water == NOT_OBSERVED).sum(("y", "x")).values
    measured = measure_areas(water, at=at, intervals=True).to_dict("records")
    for when, row, pixels in zip(dates_of(water), measured, unseen, strict=True):
        rows[f"water {when}".strip()] = {
            key: row[key] for key in ("pixels", "least", "best", "most", *INTERVALS)
        }
        hidden = dict.fromkeys(("least", "best", "most"), row["not_observed_km2"])
        rows[f"not observed {when}".strip()] = {"pixels": pixels, **hidden}
    return pd.DataFrame.from_dict(rows, orient="index")


def best_in_words(row: Mapping[Any, Any]) -> str:
    """Say an area with two decimals, or a dash where nothing was observed."""
    return "–" if nothing_observed(row) else f"{row['best']:.2f}"


def bounds_in_words(row: Mapping[Any, Any]) -> str:
    """Say between what an area lies, if more than the area itself is known."""
    parts = []
    if nothing_observed(row):
        parts.append("not observed")
    if row.get("low_95", math.nan) < row.get("high_95", math.nan):
        parts.append(f"95 %: {row['low_95']:.2f} … {row['high_95']:.2f}")
    if row["least"] != row["most"]:
        parts.append(f"including what was not observed: {row['least']:.2f} … {row['most']:.2f}")
    return f"   ({'; '.join(parts)})" if parts else ""


def summarise(areas: pd.DataFrame) -> str:
    """Say the areas of a study in a few lines of text."""
    lines = []
    for name, part in areas.groupby("area", sort=False):
        lines.append(f"{str(name).capitalize()}, km²:")
        for row in part.to_dict("records"):
            text = f"  {row['quantity']:<26} {best_in_words(row):>10}"
            text += bounds_in_words(row)
            if row.get("shift_explainable", 0.0) >= 0.005:
                text += f"   {row['shift_explainable']:.2f} of it may be due to a shift"
            lines.append(text)
    return "\n".join(lines)


def read_areas(folder: str | os.PathLike[str]) -> str:
    """Say the areas in the ``areas.csv`` of a folder."""
    return summarise(pd.read_csv(local_path(folder) / "areas.csv"))
