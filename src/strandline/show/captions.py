"""What pictures and report say in words: dates, sensors, grids, areas, likely ground."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr

from strandline.change.interval import nothing_observed
from strandline.show.display import Stretch, data_extent, stripes
from strandline.show.furniture import Place, to_lonlat
from strandline.show.palettes import palette_for
from strandline.water.decision import MOSTLY, Water, water_shares
from strandline.water.verdict import MOSTLY_HIDDEN


def date_text(data: xr.DataArray) -> str:
    """Say the day of an acquisition, or nothing."""
    if "time" not in data.coords or data["time"].ndim:
        return ""
    return day_text(data["time"].values)


def day_text(when: Any) -> str:
    """Write a date as YYYY-MM-DD; nothing for an unknown one."""
    if isinstance(when, np.ndarray):
        when = when.item() if when.dtype.kind != "M" else str(when)
    stamp = pd.Timestamp(when)
    return "" if pd.isna(stamp) else stamp.date().isoformat()


def sensor_text(data: xr.DataArray) -> str:
    """Platform and instrument, as people write them."""
    text = platform_text(_platform_of(data), str(data.attrs.get("instrument") or ""))
    return _marked(text, data.attrs.get("simulated"))


def _platform_of(data: xr.DataArray) -> str:
    # Dates that were stacked carry their platform as a coordinate.
    coordinate = data.coords["platform"].values if "platform" in data.coords else None
    stacked = coordinate is not None and coordinate.ndim == 0
    return str(coordinate) if stacked else str(data.attrs.get("platform") or "")


def platform_text(platform: str, instrument: str = "") -> str:
    """Write a platform with its instrument, which of ours is known."""
    from strandline.scenes.sensors import SENSORS

    known = SENSORS.get(platform)
    instrument = known.instrument if known else instrument
    instrument = {"etm": "ETM+", "oli-tirs": "OLI"}.get(instrument, instrument.upper())
    platform = "" if platform == "unknown" else platform.replace("-", " ").title()
    return f"{platform} {instrument}".strip()


def seen_text(dated: Sequence[xr.DataArray]) -> str:
    """Say when some dates were seen and by what; of many, the first and the last.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(radius=300).assign_attrs(platform="landsat-5")
    >>> scenes = [scene.assign_coords(time=np.datetime64(d)) for d in ("1988-10-22", "1990-10-28")]
    >>> seen_text(scenes)
    '1988-10-22 Landsat 5 TM and 1990-10-28 Landsat 5 TM'
    """
    return dates_text(map(date_text, dated), map(sensor_text, dated))


def dates_text(days: Iterable[str], sensors: Iterable[str]) -> str:
    """Put the days and the sensors of dates into words; of many, the first and the last day.

    Examples
    --------
    >>> dates_text(["1988-10-22", "2004-10-22", "2017-10-22"], ["Landsat 5 TM"] * 3)
    '3 dates, 1988-10-22 to 2017-10-22 · Landsat 5 TM'
    """
    days, sensors = list(days), list(sensors)
    if len(days) <= 2:
        return names_text(" ".join(filter(None, pair)) for pair in zip(days, sensors, strict=True))
    known = sorted(filter(None, days))
    span = f", {known[0]} to {known[-1]}" if known else ""
    return f"{len(days)} dates{span}" + "".join(f" · {s}" for s in [names_text(sensors)] if s)


def change_text(change: xr.DataArray) -> str:
    """Say between which dates a change map lies, and what saw them, as far as it names them."""
    days = [day_text(change.attrs[w]) for w in ("before", "after") if w in change.attrs]
    seen_by = names_text(change_sensors(change))
    return " · ".join(filter(None, (" to ".join(filter(None, days)), seen_by)))


def change_sensors(change: xr.DataArray) -> tuple[str, str]:
    """Name what saw the dates before and after, as people write it; empty where not known."""
    before, after = (
        _marked(
            platform_text(str(change.attrs.get(f"platform_{when}", ""))),
            change.attrs.get(f"simulated_{when}"),
        )
        for when in ("before", "after")
    )
    return before, after


def _marked(sensor: str, simulated: Any) -> str:
    return f"{sensor} (simulated)".strip() if simulated else sensor


def credit_text(dated: Sequence[xr.DataArray]) -> str:
    """Return whose data a picture of these dates shows, as their providers ask to be named.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> credit_text([round_lake(radius=300).assign_attrs(platform="landsat-5")])
    'Landsat images courtesy of the U.S. Geological Survey. Made with Strandline.'
    """
    return _credits(
        (_platform_of(one), date_text(one)[:4], one.attrs.get("simulated")) for one in dated
    )


def change_credit(change: xr.DataArray) -> str:
    """Return whose data a change map comes from, as far as it names its platforms."""
    return _credits(
        (
            str(change.attrs.get(f"platform_{when}", "")),
            str(change.attrs.get(when, ""))[:4],
            change.attrs.get(f"simulated_{when}"),
        )
        for when in ("before", "after")
    )


def _credits(sources: Iterable[tuple[str, str, Any]]) -> str:
    found = []
    for platform, year, simulated in sources:
        if simulated:
            found.append("Simulated, not observed by a satellite.")
        elif platform.startswith("landsat"):
            found.append("Landsat images courtesy of the U.S. Geological Survey.")
        elif platform.startswith("sentinel-2"):
            found.append(f"Contains modified Copernicus Sentinel data {year}".rstrip() + ".")
    return " ".join([*dict.fromkeys(found), "Made with Strandline."])


def centre_text(data: xr.DataArray) -> str:
    """Return longitude and latitude of the middle of an image; nothing without a CRS.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> centre_text(round_lake(radius=300))
    '38.74° N, 118.71° W'
    """
    place = place_of(data)
    if place.crs is None:
        return ""
    extent = place.extent
    middle = (extent.left + extent.right) / 2, (extent.bottom + extent.top) / 2
    (lon,), (lat,) = to_lonlat(place.crs, [middle[0]], [middle[1]])
    if not np.isfinite([lon, lat]).all():
        return ""
    return ", ".join(
        f"{abs(value):.2f}° {names[0] if value >= 0 else names[1]}"
        for value, names in ((lat, "NS"), ((lon + 180) % 360 - 180, "EW"))
    )


def names_text(names: Iterable[str]) -> str:
    """Put names into words, each once, as far as there are any.

    Examples
    --------
    >>> names_text(["Landsat 5 TM", "", "Landsat 8 OLI", "Landsat 5 TM"])
    'Landsat 5 TM and Landsat 8 OLI'
    """
    *others, last = dict.fromkeys(filter(None, names)) or ("",)
    return " and ".join(filter(None, (", ".join(others), last)))


def channel_ranges(bands: Sequence[str], stretch: Stretch) -> list[tuple[str, str, str]]:
    """Say what the channels of a composite show: its colour, the band, from dark to bright.

    Examples
    --------
    >>> from strandline.show.display import Stretch
    >>> channel_ranges(["nir08"], Stretch((0.01,), (0.4,)))
    [('grey', 'nir08', '0.01 – 0.40')]
    """
    channels = ("red", "green", "blue") if len(bands) == 3 else ("grey",)
    ranges = zip(stretch.low, stretch.high, strict=True)
    return [
        (channel, band, f"{low:.2f} – {high:.2f}")
        for channel, band, (low, high) in zip(channels, bands, ranges, strict=True)
    ]


def length_text(pixels: int, place: Place) -> str:
    """Say how long so many pixels are, in brackets; nothing without a CRS."""
    if place.crs is None:
        return ""
    size = pixels * abs(place.pixel[0])
    if place.crs.is_geographic:
        return f" ({size:.3g}°)"
    metres = size * (place.crs.axis_info[0].unit_conversion_factor if place.crs.axis_info else 1.0)
    return f" ({metres:.3g} m)" if metres < 1000 else f" ({metres / 1000:.3g} km)"


def grid_text(data: xr.DataArray) -> str:
    """Say the pixel size and the CRS."""
    place = place_of(data)
    if place.crs is None:
        return "no coordinate system"
    code = place.crs.to_epsg()
    # What was thinned out for a picture tells the size that its pixels had before.
    size = float(data.attrs.get("pixel_size", abs(place.pixel[0])))
    unit = "°" if place.crs.is_geographic else " m"
    pixels = f"{size:.3g}{unit} pixels" if size < 1000 else f"{size / 1000:.3g} km pixels"
    return " · ".join(filter(None, (pixels, f"EPSG:{code}" if code else place.crs.name)))


def place_of(data: xr.DataArray) -> Place:
    """Find where on Earth an image lies."""
    import odc.geo.xr  # noqa: F401  registers the .odc accessor

    grid = data.odc.geobox
    crs = pyproj.CRS.from_user_input(grid.crs.to_wkt()) if grid is not None and grid.crs else None
    extent = data_extent(data)
    rows, columns = data.shape[-2:]
    pixel = ((extent.right - extent.left) / columns, (extent.bottom - extent.top) / rows)
    return Place(extent, crs, pixel)


def water_clusters(water: Water | None) -> tuple[list[int], list[int]]:
    """List the clusters that are water, and those that hold some, by the table of `find_water`.

    A cluster of which at least half the pixels were taken for water is called water.
    """
    shares = water_shares(water)
    whole = [cluster for cluster, share in shares.items() if share >= MOSTLY]
    return whole, [cluster for cluster in shares if cluster not in whole]


def class_amounts(classes: xr.DataArray) -> dict[int, str]:
    """Say how much of each class there is: km², or the share of the pixels without a CRS."""
    from strandline.change import areas

    if place_of(classes).crs is None:
        return {value: percent_text(share) for value, share in class_shares([classes]).items()}
    if palette_for(classes).kind == "change":
        best = areas(classes)["best"].to_dict()
        names = {0: "stable land", 1: "stable water", 2: "lost", 3: "gained", 255: "not observed"}
        return km2_texts({value: float(best[name]) for value, name in names.items()}, (1, 2, 3))
    row = areas(classes).iloc[0]
    return km2_texts({1: float(row["best"]), 255: float(row["not_observed_km2"])}, (1,))


def class_shares(dated: Sequence[xr.DataArray]) -> dict[int, float]:
    """Fraction of all pixels of all dates per stored value."""
    counts = np.sum([_counts(m) for m in dated], axis=0)
    total = max(1, int(counts.sum()))
    return {int(v): float(counts[v]) / total for v in np.flatnonzero(counts)}


def stored_values(classes: xr.DataArray) -> set[int]:
    """List the values that occur in a map of classes."""
    return set(np.flatnonzero(_counts(classes)).tolist())


def _counts(classes: xr.DataArray) -> np.ndarray:
    """Pixels of each value, stripe by stripe: counting widens bytes to integers of eight."""
    counts = np.zeros(256, dtype=np.int64)
    for stripe in stripes(classes):
        for row in np.asarray(stripe):
            counts += np.bincount(row, minlength=256)
    return counts


def true_minus(text: str) -> str:
    """Write the numbers of a text with a minus; hyphens and dates stay.

    Examples
    --------
    >>> true_minus("MNDWI -0.43: dry, on 1988-10-22")
    'MNDWI −0.43: dry, on 1988-10-22'
    """
    return re.sub(r"(?<![\w-])-(?=\d)", "−", text)


def percent_text(share: float) -> str:
    """Write a fraction in percent."""
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 0.1 or percent == 0 else "< 0.1 %"


def km2_texts(areas: Mapping[int, float], by: Collection[int] = ()) -> dict[int, str]:
    """Write areas that stand below each other, with the same decimals.

    `by`: of the values that decide how many, unless all of them are zero.

    Examples
    --------
    >>> km2_texts({1: 0.15, 2: 0.0639, 3: 0.0, 4: 0.0002})
    {1: '0.15 km²', 2: '0.06 km²', 3: '0 km²', 4: '< 0.01 km²'}
    """
    deciding = [area for value, area in areas.items() if area > 0 and value in by]
    deciding = deciding or [area for area in areas.values() if area > 0]
    digits = min(map(area_decimals, deciding), default=0)
    least = 10.0**-digits
    texts = {}
    for value, area in areas.items():
        if 0 < area < least / 2:
            texts[value] = f"< {least:.{digits}f} km²"
        else:
            texts[value] = f"{area:,.{digits if area else 0}f} km²"
    return texts


def km2_text(area: float) -> str:
    """Write an area with as many decimals as it deserves."""
    return f"{area:,.{area_decimals(area)}f} km²"


def hidden_text(hidden: float) -> str:
    """Write first how much of the map was not observed, where that is most of it.

    Examples
    --------
    >>> hidden_text(0.92), hidden_text(0.1)
    ('92 % of the map was not observed.', '')
    """
    return f"{100 * hidden:.0f} % of the map was not observed." if hidden >= MOSTLY_HIDDEN else ""


def headline_text(table: pd.DataFrame, hidden: float = 0.0) -> str:
    """Write the areas of water, and their change, as one sentence.

    Parameters
    ----------
    table : DataFrame
        From `strandline.areas` or of the results of a study: ``best``, if known ``low_95`` and
        ``high_95``, km²; by its index or its column ``quantity``: one row or two that begin with
        ``water``, and where there are two dates ``stable water``, ``lost``, ``gained`` and
        ``net change``.
    hidden : float
        Share of the map that was not observed.

    Returns
    -------
    str
        Empty where there is no water, or where nothing can be said of it. Where water of one date
        was hidden on the other, the areas are those of the ground that was observed on both, as
        the net change is, and the sentence says so.

    Examples
    --------
    >>> km2 = {"best": [150.5, 118.9, -31.6], "low_95": [150, 118, -32], "high_95": [151, 119, -31]}
    >>> headline_text(pd.DataFrame(km2, index=["water 1988", "water 2017", "net change"]))
    'Water shrank from 150.5 to 118.9 km² (−31.6 km², −21.0 %; 95 %: −32.0 to −31.0 km²).'
    """
    names = [str(name) for name in table.get("quantity", table.index)]
    rows = dict(zip(names, table.to_dict("records"), strict=True))
    water = [row for name, row in rows.items() if name.startswith("water")]
    if len(water) == 1:
        said = _covered_sentence(water[0])
    elif len(water) == 2 and "net change" in rows and not nothing_observed(rows["net change"]):
        said = _change_sentence(*_comparable_areas(water, rows), rows["net change"])
    else:
        said = ""
    return " ".join(filter(None, [hidden_text(hidden), said]))


def _comparable_areas(
    water: list[dict[Any, Any]], rows: Mapping[str, dict[Any, Any]]
) -> tuple[list[float], bool]:
    """Return the areas, km², that differ by the net change, and whether they are of a part only."""
    areas = [float(row["best"]) for row in water]
    parts = ("stable water", "lost", "gained")
    if not set(parts) <= set(rows):
        return areas, False
    stable, lost, gained = (float(rows[name]["best"]) for name in parts)
    common = [stable + lost, stable + gained]
    largest = max(*areas, *common)
    tolerance = 10.0 ** -area_decimals(largest)  # what is printed
    same = all(abs(a - b) < tolerance for a, b in zip(areas, common, strict=True))
    return (areas, False) if same else (common, True)


def _covered_sentence(row: Mapping[Any, Any]) -> str:
    area = float(row["best"])
    if not area > 0:
        return ""
    digits = area_decimals(area)
    return f"Water covers {area:,.{digits}f} km²{_within(row, digits)}."


def _change_sentence(areas: Sequence[float], partly: bool, net: Mapping[Any, Any]) -> str:
    if max(areas) <= 0:
        return ""
    digits = min(area_decimals(area) for area in areas if area > 0)
    first, last = (f"{area:,.{digits}f}" for area in areas)
    change, low, high = (float(net.get(name, np.nan)) for name in ("best", "low_95", "high_95"))
    percent = f", {100 * change / areas[0]:+.1f} %" if areas[0] > 0 else ""
    of_change = f"{change:+,.{digits}f} km²{percent}"
    if np.isfinite([low, high]).all():
        of_change += f"; 95 %: {low:+,.{digits}f} to {high:+,.{digits}f} km²"
        if low <= 0 <= high:
            where = " where both dates were observed" if partly else ""
            return true_minus(
                f"No change beyond the uncertainty{where}: {first} and {last} km² ({of_change})."
            )
    verb = "did not change:" if change == 0 else "shrank from" if change < 0 else "grew from"
    joint = "and" if change == 0 else "to"
    subject = "Where both dates were observed, water" if partly else "Water"
    return true_minus(f"{subject} {verb} {first} {joint} {last} km² ({of_change}).")


def _within(row: Mapping[Any, Any], digits: int) -> str:
    low, high = (float(row.get(name, np.nan)) for name in ("low_95", "high_95"))
    if not np.isfinite([low, high]).all():
        return ""
    return f" (95 %: {low:,.{digits}f} to {high:,.{digits}f} km²)"


def area_decimals(km2: float) -> int:
    """Decimals that an area deserves in print: about four digits."""
    return 0 if km2 >= 1000 or km2 == 0 else 1 if km2 >= 100 else 2 if km2 >= 0.1 else 4
