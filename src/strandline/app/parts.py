"""Pieces of the page written as HTML: titles, messages, areas, tables. Everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from strandline.app.job import Job
from strandline.app.looks import text_of
from strandline.app.outcome import Outcome
from strandline.app.problem import Problem
from strandline.change.interval import nothing_observed
from strandline.prepare.georeference import grid_of
from strandline.results import dates_of
from strandline.show import captions
from strandline.show.palettes import GAINED, LOST, UNSEEN, WATER

STYLE = text_of("parts.css")
"""Looks of these pieces; each is a world of its own, so each needs them."""


def study_title(outcome: Outcome | None, *, waiting: bool = True) -> str:
    """Say which scenes the page is about, and on which grid."""
    if outcome is None:
        return f"<div class='study muted'>{'Opening …' if waiting else 'No map yet'}</div>"
    scenes = outcome.prepared.scenes
    platforms = [captions.sensor_text(scenes[i]) for i in range(scenes.sizes["time"])]
    dates = dates_of(scenes)
    named = [" ".join(filter(None, pair)) for pair in zip(dates, platforms, strict=True)]
    rows, columns = outcome.water.shape[-2:]
    grid = f"{columns:,} × {rows:,} pixels · {captions.grid_text(outcome.water)}"
    title = " → ".join(escape(name) for name in named if name) or "One scene"
    step = outcome.prepared.step
    mark = f"<mark>Preview: one pixel in {step} × {step}</mark>" if outcome.is_preview else ""
    return f"<div class='study'><b>{title}</b>{mark}<span>{escape(grid)}</span></div>"


def working(
    job: Job | None, outcome: Outcome | None, problem: Problem | None = None, *, old: bool = False
) -> str:
    """Say what is being done and how far it is, what went wrong, or that all is done.

    Parameters
    ----------
    job : Job or None
        The work that goes on.
    outcome : Outcome or None
        What is shown.
    problem : Problem or None
        What went wrong last.
    old : bool
        Whether other choices were made since for which there is no map.
    """
    if job is None and problem is not None:
        text = escape(problem.text if len(problem.text) < 90 else problem.text[:88] + "…")
        return f"<div class='working failed' role='status'><span>{text}</span></div>"
    if job is None and old:
        return "<div class='working old' role='status'>The map shows earlier choices</div>"
    if job is None:
        return (
            f"<div class='working {'ready' if outcome else ''}' role='status'>"
            f"{'Ready' if outcome else ''}</div>"
        )
    bar = "<div class='bar unknown'><i></i></div>"
    if job.fraction is not None:
        bar = f"<div class='bar'><i style='width:{100 * job.fraction:.0f}%'></i></div>"
    return f"<div class='working'>{escape(job.stage or 'waiting').capitalize()} … {bar}</div>"


def problem_message(problem: Problem) -> str:
    """Write an error in its parts."""
    parts = [("Expected", problem.expected), ("Got", problem.got), ("What to do", problem.remedy)]
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in parts if text)
    return f"<div class='message' role='alert'><b>{escape(problem.text)}</b><dl>{rows}</dl></div>"


def notes_message(notes: Sequence[str]) -> str:
    """Write warnings."""
    lines = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<div class='message note' role='status'><b>Please note</b>{lines}</div>"


def heading(number: int, text: str) -> str:
    """Write the heading of a step."""
    return f"<h2><i>{number}</i>{escape(text)}</h2>"


def area_cards(outcome: Outcome) -> str:
    """Write the areas of water, with the interval of 95 %, and the change."""
    table = outcome.by_date
    dates = dates_of(outcome.water)
    cards = []
    for date, row in zip(dates, table.to_dict("records"), strict=True):
        best, span = _km2(row["best"]), f"95 %: {_km2(row['low_95'])} – {_km2(row['high_95'])}"
        if nothing_observed(row):
            best, span = "–", "not observed"
        cards.append(_card(f"Water {date}".strip(), best, span, WATER))
    if len(cards) == 2:
        whole = outcome.areas.drop_duplicates("quantity").set_index("quantity")
        row = whole.loc["net change"].to_dict()
        net, low, high = (float(row[name]) for name in ("best", "low_95", "high_95"))
        share = net / float(table["best"].iloc[0]) if table["best"].iloc[0] else np.nan
        percent = "" if np.isnan(share) else _signed(f"{100 * share:+.1f} %")
        digits = min(_digits(best) for best in table["best"])
        text = _signed(f"{net:+,.{digits}f}")
        if nothing_observed(row):
            text, percent = "–", "not observed on both dates"
        elif not np.isnan([low, high]).any():
            percent += f" · 95 %: {_span(low, high)}"
        tone = LOST if net < 0 else GAINED if net > 0 else UNSEEN
        if net == 0 and not nothing_observed(row):
            text, percent = "none", percent.removeprefix("+0.0 % · ")
        cards.append(_card("Change", text, percent, tone))
    return f"<div class='cards'>{''.join(cards)}</div>"


def _card(what: str, much: str, span: str, tone: str) -> str:
    unit = "" if much in ("–", "none") else " <small>km²</small>"
    return (
        f"<div class='card' style='--tone:{tone}'><div class='what'>{escape(what)}</div>"
        f"<div class='much'>{much}{unit}</div><div class='range'>{span}</div></div>"
    )


def area_tables(outcome: Outcome) -> str:
    """Write the table of areas: of water and of its change, with intervals and bounds."""
    table = outcome.areas
    rows: dict[str, Any] = {"": table["quantity"], "km²": table["best"]}
    if table["area"].nunique() > 1:
        rows = {"of": table["area"], **rows}
    for percent in (95, 90):
        spans = zip(table[f"low_{percent}"], table[f"high_{percent}"], strict=True)
        rows[f"{percent} %, km²"] = [_span(*pair) for pair in spans]
    bounds = zip(table["least"], table["most"], strict=True)
    rows["possible, km²"] = [_span(*pair) for pair in bounds]
    if "shift_explainable" in table and (table["shift_explainable"] > 0).any():
        rows["a shift explains, km²"] = table["shift_explainable"]
    return html_table(pd.DataFrame(rows), "Areas") + (
        "<p></p><p class='small muted'>95 % and 90 %: between these the area of what was observed "
        "lies in so many of 100 cases. Possible: whatever was hidden where nothing was observed."
        "</p>"
    )


def _span(low: float, high: float) -> str:
    if np.isnan(low) or np.isnan(high):
        return "–"
    digits = min(_digits(abs(low)), _digits(abs(high)), 3)
    low_text, high_text = (_signed(f"{value + 0.0:,.{digits}f}") for value in (low, high))
    return low_text if low_text == high_text else f"{low_text} … {high_text}"


def html_table(frame: pd.DataFrame, caption: str, marked: Iterable[bool] = ()) -> str:
    """Write a table; numbers to three decimals."""
    texts = [not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    head = "".join(
        f"<th class='{'text' if text else ''}'>{escape(str(name)).replace('_', ' ')}</th>"
        for name, text in zip(frame.columns, texts, strict=True)
    )
    flags = list(marked) or [False] * len(frame)
    rows = "".join(
        f"<tr class='{'wet' if flag else ''}'>"
        + "".join(
            f"<td class='{'text' if text else ''}'>{_cell(value)}</td>"
            for value, text in zip(row, texts, strict=True)
        )
        + "</tr>"
        for row, flag in zip(frame.itertuples(index=False, name=None), flags, strict=True)
    )
    return (
        f"<div class='wide'><table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def evidence_table(outcome: Outcome) -> str:
    """Write why classes are water: first those that are, or look like it."""
    evidence = outcome.evidence
    wet = (evidence["water"] | evidence["looks_like_water"]).to_numpy()
    first = ["cluster", "share", "water", "reason"]
    ordered = evidence[[*first, *(c for c in evidence.columns if c not in first)]]
    ordered = ordered.assign(share=ordered["share"].map(lambda share: f"{share:.2%}"))
    shown = ordered[wet] if wet.any() else ordered
    text = (
        f"Water is decided by {evidence.attrs['decided_by']}: classes that are, or look like, water"
    )
    return html_table(shown, text, shown["water"])


def quality_table(outcome: Outcome) -> str:
    """Write what was not observed, and why."""
    table = outcome.quality
    shown = table[(table["pixels"] > 0) | table["what"].isin(["observed", "not_observed"])]
    shown = shown.assign(
        what=shown["what"].str.replace("_", " "), share=shown["share"].map(lambda s: f"{s:.2%}")
    )
    return html_table(shown, "What was observed, and what was not")


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Write the names of colours."""
    items = "".join(
        f"<span><i style='background:{colour}'></i>{escape(name)}</span>"
        for name, colour in entries
    )
    return f"<div class='legend'>{items}</div>"


def caption(headline: str, entries: Iterable[tuple[str, str]] = ()) -> str:
    """Write what stands above a map: what it shows, of when and by what, and its colours."""
    colours = list(entries)
    return f"<h3>{escape(headline)}</h3>" + (legend(colours) if colours else "")


def area_text(outcome: Outcome) -> str:
    """Say how large the mapped area is."""
    grid = grid_of(outcome.water)
    rows, columns = grid.shape
    if grid.crs is not None and grid.crs.projected:
        width = abs(grid.resolution.x) * columns / 1000
        height = abs(grid.resolution.y) * rows / 1000
        size = f"{width:,.1f} × {height:,.1f} km"
    else:
        size = f"{columns:,} × {rows:,} pixels"
    whole = outcome.config.bbox is None and outcome.config.center is None
    where = "The whole first scene" if whole else "A part of the scene"
    return f"<p class='small'>{where}: <b>{size}</b></p>"


def readout(pixel: Mapping[str, Any] | None, names: Mapping[int, str]) -> str:
    """Say what is under the pointer."""
    if pixel is None:
        hint = "Point at the map to read a pixel; click to keep its spectrum."
        return f"<div class='readout'>{hint}</div>"
    cluster = pixel["cluster"]
    what = "not observed" if cluster is None else names.get(cluster, f"cluster {cluster}")
    water = {None: "", 0: " · not water", 1: " · water"}[pixel["water"]]
    lat, lon = _degrees(pixel["lat"], "NS"), _degrees(pixel["lon"], "EW")
    spectrum = " · ".join(
        f"{escape(band)} {value:.3f}" for band, value in pixel["spectrum"].items()
        if np.isfinite(value)
    )  # fmt: skip
    return (
        f"<div class='readout'><b>{escape(what)}</b>{water} · {lat}, {lon}<br>"
        f"{spectrum and 'Reflectance: ' + spectrum}</div>"
    )


def marks(told: Sequence[str]) -> str:
    """Say which clusters were marked."""
    return f"<p class='small marks'>Marked by you: <b>{escape('; '.join(told))}</b>.</p>"


def inspection(
    pixels: Mapping[str, Mapping[str, Any]], shown: Mapping[str, Any], names: Mapping[int, str]
) -> str:
    """Write what is at a place: class, position, and the spectrum of each date as a chart.

    Parameters
    ----------
    pixels : mapping of str to mapping
        From `Outcome.pixel`, by date.
    shown : mapping
        That of the date which the map shows.
    names : mapping of int to str
        Of the clusters.
    """
    cluster = shown["cluster"]
    what = "Not observed" if cluster is None else names.get(cluster, f"Cluster {cluster}")
    state = {None: "", 0: "not water", 1: "this is already water"}[shown["water"]]
    place = f"{_degrees(shown['lat'], 'NS')}, {_degrees(shown['lon'], 'EW')}"
    head = " · ".join(filter(None, (f"<b>{escape(what)}</b>", state, place)))
    spectra = {date: pixel["spectrum"] for date, pixel in pixels.items()}
    return f"<div class='inspection'><p>{head}</p>{_spectrum_chart(spectra)}</div>"


_DATES = ("#1f5fa8", "#d9541e")
"""Colours of the earlier and the later date."""


def _spectrum_chart(spectra: Mapping[str, Mapping[str, float]]) -> str:
    """Draw reflectance over the bands, a line for each date."""
    bands = list(next(iter(spectra.values()), {}))
    values = [v for spectrum in spectra.values() for v in spectrum.values() if np.isfinite(v)]
    if not bands or not values:
        return "<p class='small muted'>Nothing was observed here.</p>"
    low, high = min(0.0, *values), max(0.05, *values)
    across = {band: 44 + 60 * (number + 0.5) for number, band in enumerate(bands)}
    width = 52 + 60 * len(bands)

    def up(value: float) -> float:
        return 112 - 96 * (value - low) / (high - low)

    lines = [
        f"<line x1='44' x2='{width - 8}' y1='{up(tick):.1f}' y2='{up(tick):.1f}' class='grid'/>"
        f"<text x='38' y='{up(tick) + 4:.1f}' text-anchor='end'>{tick:.2f}</text>"
        for tick in (low, (low + high) / 2, high)
    ]
    lines += [
        f"<text x='{x:.0f}' y='130' text-anchor='middle'>{escape(band)}</text>"
        for band, x in across.items()
    ]
    for (date, spectrum), colour in zip(spectra.items(), _DATES, strict=False):
        points = [
            (across[band], up(value), band, value)
            for band, value in spectrum.items()
            if np.isfinite(value)
        ]
        way = " ".join(f"{x:.0f},{y:.1f}" for x, y, _, _ in points)
        lines.append(f"<polyline points='{way}' fill='none' stroke='{colour}' stroke-width='2'/>")
        lines += [
            f"<circle cx='{x:.0f}' cy='{y:.1f}' r='3' fill='{colour}'>"
            f"<title>{escape(f'{date} {band} {value:.3f}')}</title></circle>"
            for x, y, band, value in points
        ]
    entries = zip(spectra, _DATES, strict=False)
    return (
        f"<svg viewBox='0 0 {width} 136' style='max-width:{width}px' role='img' "
        f"aria-label='Reflectance in each band'>{''.join(lines)}</svg>"
        f"{legend(entries)}"
    )


def _degrees(value: float, signs: str) -> str:
    return f"{abs(value):.5f}° {signs[0] if value >= 0 else signs[1]}"


def folded_title(text: str) -> str:
    """Write the title of what is folded away."""
    return f"<span style='font-size: 13px; font-weight: 500'>{escape(text)}</span>"


def code_block(text: str) -> str:
    """Show code as it is."""
    return f"<pre>{escape(text)}</pre>"


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "–"
    if isinstance(value, int | np.integer):
        return _signed(f"{int(value):,}")
    if isinstance(value, float | np.floating):
        return "–" if np.isnan(value) else _signed(f"{float(value) + 0.0:,.3f}")
    return escape(str(value))


def _km2(value: float) -> str:
    return f"{value:,.{_digits(value)}f}"


def _digits(value: float) -> int:
    return captions.area_decimals(value)


def _signed(text: str) -> str:
    return text.replace("-", "−")
