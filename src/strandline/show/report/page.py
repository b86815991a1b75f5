"""The report of a run, put together: words, tables, pictures, and what answers to the reader."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from strandline.show import captions, maps
from strandline.show.canvas import picture_bytes
from strandline.show.charts import signature_chart
from strandline.show.display import fit_stretch
from strandline.show.report.explorer import Embedded, explorer
from strandline.water.verdict import verdict_text

_DPI = 120
_LONG_TABLE = 14
_WIDE = 1000  # pixels; on a phone such a picture is scrolled, not shrunk
_KINDS = {"lost": "lost", "gained": "gained", "not observed": "unseen"}
_PARAMETERS_LEFT_OUT = {"storage_options"}


def report(
    scenes: xr.DataArray | Sequence[xr.DataArray],
    segmentation: xr.Dataset,
    evidence: pd.DataFrame,
    masks: xr.DataArray | Sequence[xr.DataArray],
    change: xr.DataArray | None = None,
    areas: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    record: Mapping[str, Any] | None = None,
    *,
    quality: pd.DataFrame | None = None,
    title: str | None = None,
) -> str:
    """Write up a run as one self-contained HTML page.

    Pictures are embedded. Nothing in it depends on when or how fast the run
    was, so the same result gives the same bytes.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        The acquisitions, oldest first: (time, band, y, x), or (band, y, x) each.
    segmentation : Dataset
        From `strandline.segment`.
    evidence : DataFrame
        From `strandline.find_water`.
    masks : DataArray or sequence of DataArray
        uint8 water masks: (time, y, x), or (y, x) each.
    change : DataArray, optional
        uint8 change map between the first and the last date.
    areas : DataFrame or mapping of str to DataFrame, optional
        From `strandline.areas`, one table or several by caption. The first gives
        the numbers at the top of the page; without any they come from the maps.
    record : mapping, optional
        From `strandline.export.record.build_record`; its timings and outputs
        are left out.
    quality : DataFrame, optional
        What was not observed, and why: from `strandline.quality_table`.
    title : str, optional
        Headline of the page.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(radius=300)
    >>> segmentation = sl.segment(scene, n_clusters=3)
    >>> evidence = sl.find_water(segmentation)
    >>> page = report(scene, segmentation, evidence, sl.water_mask(segmentation, evidence))
    >>> "<html" in page, "<img" in page
    (True, True)
    """
    from jinja2 import Environment, PackageLoader

    dated = list(maps.each_scene(scenes))
    flat = [one for mask in _listed(masks) for one in maps.each_map(mask)]
    environment = Environment(
        loader=PackageLoader("strandline.show", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (
        environment.loader.get_source(environment, name)[0]  # type: ignore[union-attr]  # it is set above
        for name in ("report.css", "report.js")
    )
    water, _ = captions.water_clusters(evidence)
    tables = _named(areas)
    caption, numbers = _key_numbers(flat, change, tables)
    return environment.get_template("report.html").render(
        title=title or _title(dated),
        policy=_policy(style, script),
        style=Embedded(style),
        script=Embedded(script),
        explorer=explorer(dated, segmentation, flat, change, water),
        summary=_summary(dated, segmentation, evidence),
        numbers=numbers,
        numbers_of=caption if len(tables) > 1 else "",
        ranges_note=_ranges_note(numbers),
        sections=_sections(dated, segmentation, evidence, flat, change),
        dates=_dates(record),
        areas=[{"caption": name, **_table(frame)} for name, frame in tables.items()],
        quality=_quality(quality),
        evidence=_evidence(evidence),
        record=_record(record),
    )


def _policy(style: str, script: str) -> str:
    """Content security policy: our own style and script, pictures of the page, and nothing else."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
        for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )


def _listed(masks: xr.DataArray | Sequence[xr.DataArray]) -> list[xr.DataArray]:
    return [masks] if isinstance(masks, xr.DataArray) else list(masks)


def _title(dated: Sequence[xr.DataArray]) -> str:
    dates = [d for d in map(captions.date_text, dated) if d]
    if len(dates) > 1:
        return f"Water, {dates[0]} to {dates[-1]}"
    return f"Water, {dates[0]}" if dates else "Water"


def _summary(
    dated: Sequence[xr.DataArray], segmentation: xr.Dataset, evidence: pd.DataFrame
) -> str:
    """Say in two sentences what was done."""
    names = [
        " ".join(filter(None, (captions.sensor_text(d), captions.date_text(d)))) or f"scene {i + 1}"
        for i, d in enumerate(dated)
    ]
    count = "One scene" if len(dated) == 1 else f"{len(dated)} scenes"
    # The scenes may have been thinned out for the pictures.
    rows, columns = segmentation.get("labels", dated[0]).shape[-2:]
    clusters = segmentation.sizes.get("cluster", 0)
    pixels = int(np.asarray(segmentation["pixels"]).sum())
    joint = "" if len(dated) == 1 else ", one model for all dates, so that a cluster means the same"
    first = (
        f"{count} ({'; '.join(names)}) on a grid of {columns} × {rows} pixels "
        f"({captions.grid_text(dated[0])}): {pixels:,} observed pixels were grouped by their "
        f"spectra into {clusters} clusters{joint}."
    )
    water = evidence["water"].astype(bool) if "water" in evidence else pd.Series(dtype=bool)
    decided = evidence.attrs.get("decided_by", "the evidence below")
    if not water.any():
        return f"{first} {verdict_text(evidence)} Decided by {decided}."
    whole, partly = captions.water_clusters(evidence)
    found = [_clusters_text("cluster", whole), _clusters_text("part of cluster", partly)]
    which = " and ".join(filter(None, found))
    return f"{first} Water is {which}, decided by {decided}."


def _clusters_text(name: str, numbers: Sequence[int]) -> str:
    plural = "s" if len(numbers) > 1 else ""
    return f"{name}{plural} {', '.join(map(str, numbers))}" if numbers else ""


def _named(
    areas: pd.DataFrame | Mapping[str, pd.DataFrame] | None,
) -> dict[str, pd.DataFrame]:
    if areas is None:
        return {}
    return {"": areas} if isinstance(areas, pd.DataFrame) else dict(areas)


def _key_numbers(
    masks: Sequence[xr.DataArray], change: xr.DataArray | None, tables: Mapping[str, pd.DataFrame]
) -> tuple[str, list[dict[str, str]]]:
    """Take the headline's numbers from the first table of areas, or from the maps."""
    from strandline.change import areas

    given = ((n, t) for n, t in tables.items() if {"least", "best", "most"} <= set(t.columns))
    caption, table = next(given, ("", None))
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
        if kind is not None:
            numbers.append(_number(shown, kind, row))
    order = ["water", *_KINDS.values()]
    numbers.sort(key=lambda number: order.index(number["kind"]))
    return caption, numbers


def _number(name: str, kind: str, row: Mapping[Any, Any]) -> dict[str, str]:
    least, best, most = (float(row[column]) for column in ("least", "best", "most"))
    decimals = captions.area_decimals(best)
    low, high = (f"{bound:,.{decimals}f}" for bound in (least, most))
    span = "" if low == high else f"{low} to {high}"
    return {"name": name, "kind": kind, "value": f"{best:,.{decimals}f}", "range": span}


def _ranges_note(numbers: Sequence[Mapping[str, str]]) -> str:
    if not any(number["range"] for number in numbers):
        return ""
    return "Small figures: least and most, whatever was hidden where nothing was observed."


def _sections(
    dated: Sequence[xr.DataArray],
    segmentation: xr.Dataset,
    evidence: pd.DataFrame,
    masks: Sequence[xr.DataArray],
    change: xr.DataArray | None,
) -> list[dict[str, Any]]:
    water, _ = captions.water_clusters(evidence)
    bands, _ = maps.display_bands(dated)
    stretch = fit_stretch(dated, bands, natural=maps.is_true_colour(bands))
    sections = [
        {
            "name": "scenes",
            "heading": "What the satellite saw",
            "text": "One stretch for all dates, so the colours can be compared."
            if len(dated) > 1
            else "",
            "pictures": [_picture(maps.true_colour(d, stretch=stretch), lossy=True) for d in dated],
        }
    ]
    if change is not None:
        dates = [captions.date_text(d) for d in dated]
        figure = maps.change_map(
            change, over=dated[-1], dates=(dates[0], dates[-1]) if all(dates) else None
        )
        sections.append(_section("change", "Where water was lost and gained", "", figure))
    else:
        figure = maps.water_map(masks[0], over=dated[0])
        sections.append(_section("water", "Where the water is", "", figure))
    sections.append(
        _section(
            "labels",
            "The clusters",
            "Pixels with like spectra, numbered from the darkest; what they are is said by the "
            "evidence below, the words in the legend are hints.",
            maps.label_map(segmentation["labels"], segmentation=segmentation, water=water),
        )
    )
    sections.append(
        _section("signatures", "Their spectra", "", signature_chart(segmentation, water=water))
    )
    return sections


def _section(name: str, heading: str, text: str, figure: Figure) -> dict[str, Any]:
    return {"name": name, "heading": heading, "text": text, "pictures": [_picture(figure)]}


def _picture(figure: Figure, *, lossy: bool = False) -> dict[str, Any]:
    content, media_type = picture_bytes(figure, dpi=_DPI, lossy=lossy)
    width, height = (round(float(inches) * _DPI) for inches in figure.get_size_inches())
    if media_type == "image/png":
        width, height = struct.unpack(">II", content[16:24])
    data = base64.b64encode(content).decode("ascii")
    return {
        "source": f"data:{media_type};base64,{data}",
        "alt": figure.texts[0].get_text() if figure.texts else "",
        "width": width,
        "height": height,
        "wide": width > _WIDE,
    }


def _quality(quality: pd.DataFrame | None) -> dict[str, Any] | None:
    """Tabulate what was not observed: a row per reason that occurs, with pixels and share."""
    if quality is None:
        return None
    shown = quality[(quality["pixels"] > 0) | quality["what"].isin(["observed", "not_observed"])]
    if (shown["date"] == "").all():
        shown = shown.drop(columns="date")
    share = shown["share"].map(lambda share: f"{share:.2%}")
    words = shown["what"].str.replace("_", " ")
    return _table(shown.assign(what=words, share=share))


def _evidence(evidence: pd.DataFrame) -> dict[str, Any]:
    """Tabulate the evidence; of a long table the classes that are or look like water come first."""
    decided = evidence.attrs.get("decided_by")
    text = f"Decided by {decided}. " if decided else ""
    text += "A row per class of like spectra, water shaded."
    # The decision and its reason first: on a phone the rest is to the right of the screen.
    first = [n for n in ("cluster", "share", "water", "reason") if n in evidence]
    evidence = evidence[[*first, *(n for n in evidence.columns if n not in first)]]
    wet = evidence["water"].astype(bool)
    if "looks_like_water" in evidence:
        wet |= evidence["looks_like_water"].astype(bool)
    if len(evidence) <= _LONG_TABLE or not wet.any():
        return {"text": text, "table": _table(evidence), "rest": None}
    return {
        "text": f"{text} Shown are those that are, or look like, water.",
        "table": _table(evidence[wet]),
        "rest": _table(evidence[~wet]) if (~wet).any() else None,
    }


def _table(frame: pd.DataFrame) -> dict[str, Any]:
    named = any(name is not None for name in frame.index.names)
    plain = frame.reset_index() if named else frame
    marked = (
        plain["water"].astype(bool)
        if plain.get("water") is not None and _is_flag(plain["water"])
        else pd.Series(False, index=plain.index)
    )
    rows = [
        {
            "marked": bool(mark),
            "cells": [_cell(value) for value in row],
        }
        for mark, row in zip(marked, plain.itertuples(index=False, name=None), strict=True)
    ]
    return {"columns": [str(name).replace("_", " ") for name in plain.columns], "rows": rows}


def _is_flag(column: pd.Series[Any]) -> bool:
    return column.dtype == bool


def _cell(value: Any) -> dict[str, Any]:
    if isinstance(value, (bool, np.bool_)):
        return {"text": "yes" if value else "–", "is_text": True}
    if isinstance(value, (int, np.integer)):
        return {"text": f"{int(value):,}", "is_text": False}
    if isinstance(value, (float, np.floating)):
        rounded = round(float(value), 3) + 0.0  # no minus before a zero
        text = "–" if np.isnan(value) else f"{rounded:,.3f}".replace("-", "−")
        return {"text": text, "is_text": False}
    if isinstance(value, pd.Timestamp):
        return {"text": value.date().isoformat(), "is_text": True}
    return {"text": "–" if value is None or pd.isna(value) else str(value), "is_text": True}


def _dates(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Take from the record how comparable the dates are."""
    found = None if record is None else record.get("dates")
    if not found:
        return None
    lines = found.get("normalization", {}).get("bands")
    return {
        "sentences": found["sentences"],
        "table": _table(pd.DataFrame(lines)) if lines else None,
    }


def _record(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Pick what does not change from one run to the next."""
    if record is None:
        return None
    versions = {"strandline": record["strandline"], "Python": record.get("python", "")}
    parameters = _flatten(record["config"])
    if record.get("seed") is not None and "seed" not in dict(parameters):
        parameters.append(("seed", str(record["seed"])))
    return {
        "strandline": record["strandline"],
        "command": record.get("command"),
        "parameters": parameters,
        "versions": [*versions.items(), *record["packages"].items()],
        "inputs": [
            {
                "name": PurePosixPath(str(entry.get("path") or entry["url"])).name
                if "path" in entry
                else entry["url"],
                "size": f"{entry['size']:,}" if entry.get("size") is not None else "–",
                "digest": str(entry.get("sha256") or entry.get("etag") or "–")[:16],
            }
            for entry in record["inputs"]
        ],
    }


def _flatten(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Name every parameter by its path: ``grid.resolution``."""
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if name in _PARAMETERS_LEFT_OUT:
            continue
        if isinstance(value, Mapping) and value:
            rows += _flatten(value, f"{prefix}{name}.")
        elif value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{name}", shown))
    return rows
