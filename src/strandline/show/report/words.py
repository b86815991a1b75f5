"""What a report says before any table: headline, verdict, summary, key numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from strandline.change.interval import nothing_observed
from strandline.change.pixel_area import pixel_metres
from strandline.prepare.classes import NOT_OBSERVED, WATER
from strandline.prepare.georeference import grid_of
from strandline.prepare.oversampling import finer_grid_text
from strandline.show import captions
from strandline.water.verdict import MOSTLY_HIDDEN, verdict_text

_KINDS = {"lost": "lost", "gained": "gained", "not observed": "unseen"}
_MOST_DATES = 6  # whose water stands at the top of the page


def title_of(dated: Sequence[xr.DataArray]) -> str:
    """Make a headline of the dates."""
    dates = [d for d in map(captions.date_text, dated) if d]
    ends = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else ""
    made = any(date.attrs.get("simulated") for date in dated)
    return ", ".join(filter(None, ["Water", ends])) + (" (simulated)" if made else "")


def verdict_of(
    evidence: pd.DataFrame, areas: pd.DataFrame | None = None, hidden: float = 0.0
) -> dict[str, str]:
    """Return in a few words how much water there is, and who decided it if not the signatures.

    Parameters
    ----------
    evidence : DataFrame
        From `strandline.find_water`.
    areas : DataFrame, optional
        The first table of areas.
    hidden : float
        Share of the map that was not observed.
    """
    wet = "water" in evidence and bool(evidence["water"].astype(bool).any())
    text = captions.true_minus(verdict_text(evidence, hidden))
    said = "" if areas is None or not wet else captions.headline_text(areas, hidden)
    text = f"{said} {text}".strip()
    decided = str(evidence.attrs.get("decided_by", ""))
    if wet and decided and not decided.startswith("the signatures"):
        return {"kind": "told", "text": f"{text} Decided by {decided}."}
    return {"kind": "wet" if wet else "dry", "text": text}


def summary(dated: Sequence[xr.DataArray], segmentation: xr.Dataset, evidence: pd.DataFrame) -> str:
    """Say in two sentences what was done."""
    names = [
        " ".join(filter(None, (captions.sensor_text(d), captions.date_text(d)))) or f"scene {i + 1}"
        for i, d in enumerate(dated)
    ]
    if len(dated) > _MOST_DATES:
        dates = [date for date in map(captions.date_text, dated) if date]
        sensors = dict.fromkeys(filter(None, map(captions.sensor_text, dated)))
        names = [", ".join(sensors), *([f"{dates[0]} to {dates[-1]}"] if dates else [])]
        names = [name for name in names if name] or ["undated"]
    count = "One scene" if len(dated) == 1 else f"{len(dated)} scenes"
    # The scenes may have been thinned out for the pictures.
    rows, columns = segmentation.get("labels", dated[0]).shape[-2:]
    clusters = segmentation.sizes.get("cluster", 0)
    pixels = int(np.asarray(segmentation["pixels"]).sum())
    joint = ""
    if len(dated) > 1:
        which = "both dates" if len(dated) == 2 else "all dates"
        joint = f", one model for {which}, so that a cluster means the same on each of them"
    first = (
        f"{count} ({'; '.join(names)}) on a grid of {columns} × {rows} pixels "
        f"({captions.grid_text(dated[0])}): {pixels:,} observed pixels were grouped by their "
        f"spectra into {clusters} clusters{joint}."
    )
    maps = segmentation.get("labels")
    if maps is not None and finer_grid_text(maps):
        first = f"{first} {finer_grid_text(maps, pixel_metres(grid_of(maps)))}"
    water = evidence["water"].astype(bool) if "water" in evidence else pd.Series(dtype=bool)
    decided = evidence.attrs.get("decided_by", "the evidence below")
    if not water.any():
        return f"{first} None of them is water, decided by {decided}."
    whole, partly = captions.water_clusters(evidence)
    found = [_clusters_text("cluster", whole), _clusters_text("part of cluster", partly)]
    which = " and ".join(filter(None, found))
    return f"{first} Water is {which}, decided by {decided}."


def _clusters_text(name: str, numbers: Sequence[int]) -> str:
    plural = "s" if len(numbers) > 1 else ""
    return f"{name}{plural} {', '.join(map(str, numbers))}" if numbers else ""


def key_numbers(
    masks: Sequence[xr.DataArray],
    change: xr.DataArray | None,
    tables: Mapping[str, pd.DataFrame],
    hidden: Sequence[float],
) -> tuple[str, list[dict[str, str]]]:
    """Return the headline's numbers, of the first table of areas or of the maps.

    `hidden`: the share of each map that was not observed.
    """
    from strandline.change import areas

    given = ((n, t) for n, t in tables.items() if {"least", "best", "most"} <= set(t.columns))
    caption, table = next(given, ("", None))
    if table is None and captions.place_of(masks[0]).crs is None:
        return "", _fewer([_share(mask) for mask in masks])
    if table is None:
        table = areas(change) if change is not None else pd.concat([areas(m) for m in masks])
    names = table.get("quantity", table.index)
    dates = [captions.date_text(mask) for mask in masks]
    said = {"water before": f"water {dates[0]}", "water after": f"water {dates[-1]}"}
    numbers = []
    for name, row in zip(names, table.to_dict("records"), strict=True):
        if table.index.name == "time":
            shown = f"water {captions.day_text(name)}".strip()
        else:
            shown = said.get(str(name), str(name)).strip()
        kind = "water" if shown.startswith("water") else _KINDS.get(shown)
        # Without a change, what was not observed is counted from the masks, with its share.
        if kind is not None and not (kind == "unseen" and change is None):
            numbers.append(_number(shown, kind, row))
    if change is None:
        pairs = zip(masks, hidden, strict=True)
        numbers += [_unseen(mask, share, dated=len(masks) > 1) for mask, share in pairs]
    order = ["water", *_KINDS.values()]
    if np.mean(hidden) >= MOSTLY_HIDDEN:
        order.insert(0, order.pop())
    numbers.sort(key=lambda number: order.index(number["kind"]))
    return caption, _fewer(numbers)


def _fewer(numbers: list[dict[str, str]]) -> list[dict[str, str]]:
    """Of many dates keep the first and the last."""
    water = [number for number in numbers if number["kind"] == "water"]
    if len(water) <= _MOST_DATES:
        return numbers
    return [water[0], water[-1], *(n for n in numbers if n["kind"] in ("lost", "gained"))]


def _share(mask: xr.DataArray) -> dict[str, str]:
    """Without a CRS there are no areas, but the part of what was observed."""
    shares = captions.class_shares([mask])
    observed = 1 - shares.get(NOT_OBSERVED, 0.0)
    part = shares.get(WATER, 0.0) / observed if observed > 0 else math.nan
    name = f"water {captions.date_text(mask)}".strip()
    value = f"{100 * part:.1f}" if observed > 0 else "–"
    note = "" if observed == 1 else f"{observed:.1%} was observed"
    unit = "% of the pixels"
    return {"name": name, "kind": "water", "value": value, "unit": unit, "range": "", "also": note}


def _unseen(mask: xr.DataArray, hidden: float, *, dated: bool) -> dict[str, str]:
    """Return the card of what one date did not observe."""
    amount = captions.class_amounts(mask)[NOT_OBSERVED]
    value, _, unit = amount.rpartition(" ")
    name = f"not observed {captions.date_text(mask) if dated else ''}".strip()
    share = f"{captions.percent_text(hidden)} of the map"
    return {
        "name": name, "kind": "unseen", "value": value, "unit": unit, "range": "", "also": share,
    }  # fmt: skip


def _number(name: str, kind: str, row: Mapping[Any, Any]) -> dict[str, str]:
    least, best, most = (float(row[column]) for column in ("least", "best", "most"))
    decimals = captions.area_decimals(best)
    low, high = (f"{bound:,.{decimals}f}" for bound in (least, most))
    span = "" if low == high else f"{low} to {high}"
    within = [float(row.get(column, math.nan)) for column in ("low_95", "high_95")]
    also = ""
    if all(map(math.isfinite, within)):
        first, last = (f"{bound:,.{decimals}f}" for bound in within)
        also = "" if first == last else f"95 %: {first} to {last}"
    value, unit = f"{best:,.{decimals}f}", "km²"
    if nothing_observed(row) or row.get("observed_share") == 0:
        value, unit, also = "–", "", "not observed"
    return {"name": name, "kind": kind, "value": value, "unit": unit, "range": span, "also": also}


def ranges_note(numbers: Sequence[Mapping[str, str]]) -> str:
    """Explain the small figures."""
    notes = []
    if any(number["range"] for number in numbers):
        notes.append("“a to b”: least and most, whatever was hidden where nothing was observed.")
    if any(number["also"].startswith("95") for number in numbers):
        notes.append(
            "“95 %”: between these the area of what was observed lies in 95 of 100 cases, where "
            "only the shore is in doubt."
        )
    return " ".join(notes)
