"""What a reader of the report can do: swipe between dates, and ask a pixel for its spectrum."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray

from strandline.change.compare import LOST, STABLE_LAND
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER
from strandline.show import captions
from strandline.show.canvas import UNSEEN_FACE
from strandline.show.charts import band_positions
from strandline.show.clusters import cluster_palette
from strandline.show.composites import each_map
from strandline.show.furniture import Place, metres_per_unit, north_angle
from strandline.show.palettes import Palette, change_palette, water_palette
from strandline.show.report.layers import class_picture, composites
from strandline.show.report.pixels import (
    SURE_LOW,
    SURE_STEP,
    Lattice,
    Points,
    lattice_of,
    points_of,
)
from strandline.show.sheets import BASE_LAND
from strandline.water.decision import Water

_NODES = 17  # along a side, where longitude and latitude are given; straight lines between them
_FOR_THE_SCRIPT = ("key", "name", "below", "over", "grey", "single")
_NARROWEST, _WIDEST = 0.25, 6.0  # width over height of the map on the screen


def explorer(
    dated: Sequence[xr.DataArray],
    segmentation: xr.Dataset,
    masks: Sequence[xr.DataArray],
    change: xr.DataArray | None,
    water: Water,
    confidence: Sequence[xr.DataArray] = (),
) -> dict[str, Any]:
    """Gather pictures and pixels for the part of the page that answers to the reader.

    Parameters
    ----------
    dated : sequence of DataArray of shape (band, y, x)
        The dates.
    segmentation : Dataset
        Of them.
    masks : sequence of DataArray of uint8, shape (y, x)
        Water, per date.
    change : DataArray of uint8, shape (y, x), optional
        Between the first and the last date.
    water : DataFrame or sequence of int
        The table of `strandline.find_water`, or the clusters that are water.
    confidence : sequence of DataArray, shape (y, x)
        How sure the mask of each date is, with the pixels of the dates; or nothing.

    Returns
    -------
    dict
        What the template shows; under ``data``, JSON for the script.
    """
    labels = list(each_map(segmentation["labels"]))
    bands = _bands(dated, segmentation)
    lattice = lattice_of(labels[0], dated[0], len(bands), len(dated))
    classes = [*labels, *masks, *([] if change is None else [change])]
    points = points_of(dated, bands, classes, lattice, confidence)
    place = captions.place_of(labels[0])
    palette = cluster_palette(segmentation["signature_mean"], water)
    clusters = _clusters(segmentation, bands, palette, water)
    dates = [
        {
            "name": captions.date_text(date) or f"scene {number}",
            "sensor": captions.sensor_text(date),
        }
        for number, date in enumerate(dated, start=1)
    ]
    pictures, layers = _layers(dated, points, palette, lattice)
    data = {
        "shape": points.values.shape[2:],
        "pixels": lattice.shape,
        "per_point": lattice.step,
        "bands": bands,
        "low": round(points.low, 9),
        "step": points.step,
        "unit": "reflectance" if dated[0].attrs.get("units") == "1" else "value",
        **_axis(bands),
        "dates": dates,
        "layers": [{key: layer[key] for key in _FOR_THE_SCRIPT} for layer in layers],
        "pictures": pictures,
        "clusters": clusters,
        "sure": {"low": SURE_LOW, "step": SURE_STEP} if len(points.sure) else None,
        "changes": _changes() if change is not None else None,
        "place": place_told(place, lattice),
        "start": _start(points, len(dated), change is not None),
        "packed": points.packed(),
    }
    aspect, to_scale = _aspect(place)
    return {
        "data": Embedded(_json(data)),
        "dates": [date["name"] for date in dates],
        "layers": layers,
        "bar": _bar(place),
        "north": round(north_angle(place), 1) if place.crs is not None else None,
        "aspect": aspect,
        "note": _note(lattice, points, place, str(data["unit"])),
        "to_scale": to_scale,
    }


class Embedded(str):
    """Text of our own that goes into the page as it is."""

    def __html__(self) -> str:
        return str(self)


def _json(data: Any) -> str:
    """Write JSON that cannot end the element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _bands(dated: Sequence[xr.DataArray], segmentation: xr.Dataset) -> list[str]:
    """Name the bands that clusters and dates share, or those of the dates if there are none."""
    shared = [str(b) for b in dated[0]["band"].values if all(b in d["band"].values for d in dated)]
    clustered = [str(b) for b in segmentation["signature_mean"]["band"].values]
    return [band for band in clustered if band in shared] or shared


def _axis(bands: list[str]) -> dict[str, Any]:
    positions, name = band_positions(bands)
    return {"positions": [round(float(p), 4) for p in positions], "axis": name}


def _clusters(
    segmentation: xr.Dataset, bands: Sequence[str], palette: Palette, water: Water
) -> list[dict[str, Any]]:
    """Name, colour and mean spectrum of each cluster."""
    means = segmentation["signature_mean"].transpose("cluster", "band")
    known = [str(b) for b in means["band"].values]
    values = np.asarray(means, dtype=float)
    found = []
    whole, _ = captions.water_clusters(water)
    for row, cluster in enumerate(means["cluster"].values.tolist()):
        spectrum = [values[row, known.index(b)] if b in known else math.nan for b in bands]
        found.append(
            {
                "name": f"{cluster} {palette[cluster].name}",
                "colour": palette[cluster].colour,
                "water": cluster in whole,
                "mean": [round(v, 5) if math.isfinite(v) else None for v in spectrum],
            }
        )
    return found


def _changes() -> dict[str, Any]:
    found: dict[str, Any] = {
        str(c.value): {"name": c.name, "colour": c.colour} for c in change_palette().categories
    }
    unseen = {"name": "not observed on both dates", "colour": UNSEEN_FACE}
    return {**found, str(NOT_OBSERVED): unseen}


def _layers(
    dated: Sequence[xr.DataArray],
    points: Points,
    palette: Palette,
    lattice: Lattice,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw what can be shown: all pictures, and layers that name those they consist of."""
    count = len(dated)
    labels, masks = points.classes[:count], points.classes[count : 2 * count]
    pictures: list[dict[str, Any]] = []

    def shelve(drawn: Sequence[dict[str, Any]]) -> list[int]:
        pictures.extend(drawn)
        return list(range(len(pictures) - len(drawn), len(pictures)))

    layers = []
    for key, (words, drawn, legend) in composites(dated, lattice).items():
        layers.append(_layer(key, words, below=shelve(drawn), legend=legend))
    wet = water_palette()
    over = shelve([class_picture(one, palette, lattice) for one in labels])
    legend = [{"colour": c.colour, "name": f"{c.value} {c.name}"} for c in palette.categories]
    layers.append(_layer("labels", "Clusters", over=over, legend=legend))
    over = shelve([class_picture(one, wet, lattice, clear=(LAND,)) for one in masks])
    legend = [
        {"colour": wet[WATER].colour, "name": "water"},
        {"colour": BASE_LAND, "name": "not water"},
    ]
    layers.append(
        _layer("water", "Water", below=layers[0]["below"], over=over, legend=legend, grey=True)
    )
    for change in points.classes[2 * count :]:
        kinds, below = change_palette(), layers[0]["below"]
        over = shelve([class_picture(change, kinds, lattice, clear=(STABLE_LAND,))]) * count
        legend = [{"colour": kind.colour, "name": kind.name} for kind in kinds.categories[1:]]
        legend.append({"colour": BASE_LAND, "name": kinds[STABLE_LAND].name})
        layers.append(
            _layer(
                "change", "Change", below=below, over=over, legend=legend, grey=True, single=True
            )
        )
    if (points.classes == NOT_OBSERVED).any():
        for layer in layers:
            layer["legend"] = [*layer["legend"], {"colour": None, "name": "not observed"}]
    return pictures, layers


def _layer(
    key: str,
    name: str,
    *,
    below: Sequence[int] = (),
    over: Sequence[int] = (),
    legend: Sequence[dict[str, Any]] = (),
    grey: bool = False,
    single: bool = False,
) -> dict[str, Any]:
    """Describe a layer; a `single` one is of all dates together, and the same on both sides."""
    return {
        "key": key,
        "name": name,
        "short": name.partition(" (")[0],
        "below": list(below),
        "over": list(over),
        "legend": list(legend),
        "grey": grey,
        "single": single,
    }


def _start(points: Points, count: int, has_change: bool) -> list[int]:
    """Choose the point that is shown first: water lost, or else water, or else the middle."""
    rows, columns = points.classes.shape[1:]
    wished = [points.classes[-1] == LOST] if has_change else []
    wished += [points.classes[number] == WATER for number in range(count, 2 * count)]
    for here in wished:
        if here.any():
            places = np.argwhere(here)
            middle = np.median(places, axis=0)
            nearest = int(np.argmin(((places - middle) ** 2).sum(axis=1)))
            return [int(n) for n in places[nearest]]
    return [rows // 2, columns // 2]


def place_told(place: Place, lattice: Lattice) -> dict[str, Any] | None:
    """Say how columns and rows of the maps become coordinates, and those longitude, latitude."""
    if place.crs is None:
        return None
    rows, columns = lattice.shape
    extent = place.extent
    x = np.linspace(extent.left, extent.right, _NODES)
    y = np.linspace(extent.top, extent.bottom, _NODES)
    to_lonlat = pyproj.Transformer.from_crs(place.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_lonlat.transform(*np.meshgrid(x, y))
    code = place.crs.to_epsg()
    return {
        "crs": f"EPSG:{code}" if code else place.crs.name,
        "geographic": place.crs.is_geographic,
        "left": extent.left,
        "top": extent.top,
        "dx": (extent.right - extent.left) / columns,
        "dy": (extent.bottom - extent.top) / rows,
        "nodes": _NODES,
        "longitude": _numbers(np.unwrap(longitude, period=360.0)),
        "latitude": _numbers(latitude),
    }


def _numbers(values: NDArray[np.floating[Any]]) -> list[float | None]:
    """Round degrees to a centimetre or so; None beyond the edge of the world."""
    return [round(float(v), 7) if math.isfinite(v) else None for v in values.ravel()]


def _aspect(place: Place) -> tuple[float, bool]:
    """Width over height of the map, within limits, and whether that is as on the ground."""
    across, up = metres_per_unit(place)
    wide = abs(place.extent.right - place.extent.left) * across
    high = abs(place.extent.top - place.extent.bottom) * up
    ratio = wide / high if wide > 0 and high > 0 else 1.0
    shown = min(max(ratio, _NARROWEST), _WIDEST)
    return round(shown, 5), shown == ratio


def _bar(place: Place) -> float | None:
    """Return what the picture's width is on the ground, in metres, for the scale bar."""
    if place.crs is None:
        return None
    ground = abs(place.extent.right - place.extent.left) * metres_per_unit(place)[0]
    return round(ground, 3) if math.isfinite(ground) and ground > 0 else None


def _note(lattice: Lattice, points: Points, place: Place, unit: str) -> str:
    """Say honestly what a point of the page is."""
    if lattice.step == 1:
        what = "Each point is a pixel"
    else:
        size = captions.length_text(lattice.step, place)
        what = (
            f"To keep this page small, a point stands for {lattice.step} × {lattice.step} "
            f"pixels{size}: its spectrum is their mean, its class the commonest of theirs"
        )
    if len(points.sure):
        mean = "" if lattice.step == 1 else ", the mean of these pixels"
        sure = (
            " How sure a pixel is: the probability that it is mapped correctly as water or land, "
            f"by its spectrum{mean}."
        )
    else:
        sure = ""
    off = f"{points.step / 2:.6f}".rstrip("0").rstrip(".")
    return (
        f"{what}. Spectra are kept in steps of {points.step:g}, so the {unit} shown is at most "
        f"{off} off.{sure}"
    )
