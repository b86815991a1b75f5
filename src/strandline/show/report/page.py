"""The report of a run, put together: words, tables, pictures, and what answers to the reader."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from strandline.prepare.classes import NOT_OBSERVED
from strandline.show import captions
from strandline.show.clusters import cluster_names
from strandline.show.composites import each_map, each_scene
from strandline.show.display import north_up
from strandline.show.report.explorer import Embedded, explorer
from strandline.show.report.pictures import sections_of
from strandline.show.report.provenance import comparability, provenance
from strandline.show.report.tables import (
    area_table,
    evidence_tables,
    quality_table,
    transition_tables,
)
from strandline.show.report.words import key_numbers, ranges_note, summary, title_of, verdict_of


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
    confidence: xr.DataArray | Sequence[xr.DataArray] | None = None,
    title: str | None = None,
) -> str:
    """Write up a run as one self-contained HTML page.

    Pictures are embedded, and so are the spectra and classes of points (pixels, or
    blocks of them where there are many) that a script in the page shows on a click; it
    lets the reader swipe between the dates, too. Without scripts and in print there are
    the pictures alone. Nothing in the page depends on when or how fast the run was, so
    the same result gives the same bytes.

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
    confidence : DataArray or sequence of DataArray, optional
        How sure each date's mask is, 0.5 to 1, with the pixels of the scenes: from
        `strandline.water_confidence`. A click on a pixel then tells it.
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

    dated = list(each_scene(scenes))
    change = None if change is None else north_up(change)
    flat = [one for mask in _listed(masks) for one in each_map(mask)]
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
    hints = cluster_names(segmentation["signature_mean"], evidence)
    tables = _named(areas)
    hidden = [captions.class_shares([mask]).get(NOT_OBSERVED, 0.0) for mask in flat]
    caption, numbers = key_numbers(flat, change, tables, hidden)
    return environment.get_template("report.html").render(
        title=title or title_of(dated),
        policy=_policy(style, script),
        style=Embedded(style),
        script=Embedded(script),
        explorer=explorer(dated, segmentation, flat, change, evidence, _dates_of(confidence)),
        verdict=verdict_of(evidence, _first_areas(tables), sum(hidden) / len(hidden)),
        summary=summary(dated, segmentation, evidence),
        numbers=numbers,
        numbers_of=caption if len(tables) > 1 else "",
        ranges_note=ranges_note(numbers),
        sections=sections_of(dated, segmentation, flat, change, evidence),
        transitions=transition_tables(dated, segmentation, flat, evidence),
        dates=comparability(record),
        areas=[{"caption": name, **area_table(frame)} for name, frame in tables.items()],
        quality=quality_table(quality),
        evidence=evidence_tables(evidence, hints),
        record=provenance(record),
    )


def _first_areas(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    return next((table for table in tables.values() if "best" in table), None)


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


def _dates_of(
    confidence: xr.DataArray | Sequence[xr.DataArray] | None,
) -> list[xr.DataArray]:
    """Take the dates apart."""
    if confidence is None:
        return []
    return [
        north_up(date)
        for one in _listed(confidence)
        for date in (one if "time" in one.dims else [one])
    ]


def _listed(masks: xr.DataArray | Sequence[xr.DataArray]) -> list[xr.DataArray]:
    return [masks] if isinstance(masks, xr.DataArray) else list(masks)


def _named(
    areas: pd.DataFrame | Mapping[str, pd.DataFrame] | None,
) -> dict[str, pd.DataFrame]:
    if areas is None:
        return {}
    return {"": areas} if isinstance(areas, pd.DataFrame) else dict(areas)
