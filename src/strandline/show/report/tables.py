"""The tables of a report, ready for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from strandline.change.crosstable import crosstables
from strandline.prepare.classes import NOT_OBSERVED
from strandline.show import captions
from strandline.show.clusters import cluster_names
from strandline.show.composites import each_map
from strandline.water.decision import Water

LONG = 14
"""Rows of evidence from which on it is summed up by clusters first."""

MOST_ROWS = 60
"""Rows of any table that are shown at once; the rest is folded."""

MOST_CLUSTERS = 12
"""Clusters of the table of transitions; the smaller ones are summed up."""

_WIDE = 5  # columns; fewer of them fit on a phone
_LEFT_OUT = ("low_90", "high_90")
_NAMES = {
    "low_95": "95 % from",
    "high_95": "95 % to",
    "shift_explainable": "may be a shift",
    "not_observed_km2": "not observed",
}
_UNSEEN = "not observed"


def area_table(frame: pd.DataFrame) -> dict[str, Any]:
    """Tabulate areas; the interval of 95 % stands for all."""
    shown = frame.drop(columns=[name for name in _LEFT_OUT if name in frame])
    return folded(table(shown.rename(columns=_NAMES)))


def quality_table(quality: pd.DataFrame | None) -> dict[str, Any] | None:
    """Tabulate what was not observed: a row per reason that occurs, with pixels and share."""
    if quality is None:
        return None
    shown = quality[(quality["pixels"] > 0) | quality["what"].isin(["observed", "not_observed"])]
    if (shown["date"] == "").all():
        shown = shown.drop(columns="date")
    share = shown["share"].map(lambda share: f"{share:.2%}")
    words = shown["what"].str.replace("_", " ")
    return folded(table(shown.assign(what=words, share=share)))


def evidence_tables(evidence: pd.DataFrame, hints: Mapping[int, str]) -> dict[str, Any]:
    """Tabulate the evidence: of many classes first a row per cluster, and the classes folded.

    Parameters
    ----------
    evidence : DataFrame
        From `strandline.find_water`.
    hints : mapping of int to str
        What each cluster looks like.

    Returns
    -------
    dict
        ``text``, ``table``, and ``folds``: tables with a ``summary`` each.
    """
    decided = evidence.attrs.get("decided_by")
    text = f"Decided by {decided}. " if decided else ""
    # The decision and its reason first: on a phone the rest is to the right of the screen.
    first = [n for n in ("cluster", "share", "water", "reason") if n in evidence]
    ordered = evidence[[*first, *(n for n in evidence.columns if n not in first)]]
    if "reason" in ordered:
        ordered = ordered.assign(reason=ordered["reason"].map(captions.true_minus))
    if len(ordered) <= LONG or not {"cluster", "share"} <= set(ordered):
        text += "A row per subcluster; water is shaded."
        return {"text": text, "table": folded(table(ordered)), "folds": []}
    wet = ordered["water"].astype(bool)
    if "looks_like_water" in ordered:
        wet |= ordered["looks_like_water"].astype(bool)
    text += (
        f"Each cluster was divided into subclusters, {len(ordered)} in all, and each was judged "
        "separately. One row per cluster, with its means; those that are mostly water are shaded."
    )
    dry = len(ordered) - int(wet.sum())
    folds = [
        (f"The {wet.sum()} subclusters that are, or look like, water", ordered[wet]),
        (f"The other {dry} subclusters", ordered[~wet]),
    ]
    return {
        "text": text,
        "table": folded(table(_by_cluster(ordered, hints))),
        "folds": [{"summary": words, **table(part)} for words, part in folds if len(part)],
    }


def _by_cluster(evidence: pd.DataFrame, hints: Mapping[int, str]) -> pd.DataFrame:
    """Sum up the classes of each cluster, weighted by how much ground they cover."""
    # The bands are in the chart of the spectra; the indices decide.
    told = {"cluster", "share", "at_shore", *evidence.attrs.get("bands", ())}
    numbers = [name for name in evidence.select_dtypes("number") if name not in told]
    rows = []
    for cluster, part in evidence.groupby("cluster"):
        weight = part["share"].to_numpy(dtype=float)
        whole = weight.sum()
        wet = part["water"].to_numpy(dtype=bool)
        share = float(weight[wet].sum() / whole) if whole > 0 else float(wet.mean())
        means = {name: _weighted(part[name].to_numpy(dtype=float), weight) for name in numbers}
        largest = part["reason"].iloc[int(np.argmax(weight))] if "reason" in part else None
        row: dict[str, Any] = {
            "cluster": int(str(cluster)),
            "looks like": hints.get(int(str(cluster)), ""),
            "share of pixels": f"{whole:.1%}",
            "water": share >= 0.5,
            "share water": f"{share:.1%}",
        }
        if largest is not None:
            row["largest subcluster"] = largest
        rows.append(row | means)
    return pd.DataFrame(rows)


def _weighted(values: np.ndarray, weight: np.ndarray) -> float:
    known = np.isfinite(values) & (weight > 0)
    return float(np.average(values[known], weights=weight[known])) if known.any() else np.nan


def transition_tables(
    dated: Sequence[xr.DataArray],
    segmentation: xr.Dataset,
    masks: Sequence[xr.DataArray],
    water: Water,
) -> dict[str, Any] | None:
    """Tabulate what became what between the first and the last date.

    Parameters
    ----------
    dated : sequence of DataArray
        The dates.
    segmentation : Dataset
        Of them.
    masks : sequence of DataArray of uint8, shape (y, x)
        Water, per date.
    water : DataFrame or sequence of int
        The table of `strandline.find_water`, or the clusters that are water.

    Returns
    -------
    dict or None
        ``unit``, ``first`` and ``last`` (the dates), and the matrices ``states`` and
        ``clusters``; None for one date.
    """
    if len(dated) < 2:
        return None
    labels = list(each_map(segmentation["labels"]))
    count = segmentation.sizes["cluster"]
    states, clusters = crosstables([(masks[0], masks[-1], 2), (labels[0], labels[-1], count)])
    names = {0: "not water", 1: "water", NOT_OBSERVED: _UNSEEN}
    hints = cluster_names(segmentation["signature_mean"], water)
    words = {number: f"{number} {hint}" for number, hint in hints.items()}
    return {
        "unit": "km²" if states.attrs["units"] == "km2" else "pixels",
        "first": captions.date_text(dated[0]) or "the first date",
        "last": captions.date_text(dated[-1]) or "the last date",
        "states": _matrix(states, names),
        "clusters": _matrix(_largest(clusters), {**words, NOT_OBSERVED: _UNSEEN, -1: "the others"}),
    }


def _largest(pairs: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest clusters, and sum up the others as -1."""
    whole = pairs.sum(axis=0) + pairs.sum(axis=1)
    clusters = whole.drop(NOT_OBSERVED).sort_values(ascending=False, kind="stable").index
    if len(clusters) <= MOST_CLUSTERS:
        return pairs
    kept = {*clusters[:MOST_CLUSTERS], NOT_OBSERVED}
    order = [*sorted(kept - {NOT_OBSERVED}), -1, NOT_OBSERVED]
    group = np.array([int(name) if name in kept else -1 for name in pairs.index])
    summed = pairs.groupby(group).sum().T.groupby(group).sum().T.loc[order, order]
    summed.attrs = pairs.attrs
    return summed


def _matrix(pairs: pd.DataFrame, names: Mapping[int, str]) -> dict[str, Any]:
    """Write a matrix with its sums; what never occurred is left out, or a dot."""
    used = [name for name in pairs.index if pairs.loc[name].any() or pairs[name].any()]
    shown = pairs.loc[used, used]
    # The same decimals everywhere, so that columns can be read down.
    whole = float(shown.to_numpy().sum())
    decimals = 0 if pairs.attrs["units"] == "pixels" else 2 if whole >= 1 else 4

    def cell(value: float) -> str:
        if value <= 0:
            return "·"
        least = 10.0**-decimals
        return f"< {least:g}" if value < least / 2 else f"{value:,.{decimals}f}"

    rows = [
        {
            "name": names.get(int(name), str(name)),
            "cells": [
                {"text": cell(float(shown.loc[name, other])), "same": name == other}
                for other in used
            ],
            "sum": cell(float(shown.loc[name].sum())),
        }
        for name in used
    ]
    return {
        "columns": [names.get(int(name), str(name)) for name in used],
        "rows": rows,
        "sums": [cell(float(shown[name].sum())) for name in used],
        "sum": cell(whole),
    }


def table(frame: pd.DataFrame) -> dict[str, Any]:
    """Write a table as text, cell by cell; a column ``water`` of yes and no marks rows.

    A wide table of few rows is to be ``stacked`` where the screen is narrow, each row with the
    names of its columns; of many rows, one looks down the columns all the same.
    """
    named = any(name is not None for name in frame.index.names)
    plain = frame.reset_index() if named else frame
    flags = plain.get("water")
    marked = (
        flags.astype(bool)
        if flags is not None and flags.dtype == bool
        else pd.Series(False, index=plain.index)
    )
    rows: list[dict[str, Any]] = [
        {"marked": bool(mark), "cells": [_cell(value) for value in row]}
        for mark, row in zip(marked, plain.itertuples(index=False, name=None), strict=True)
    ]
    columns = [
        {
            "text": str(name).replace("_", " "),
            "is_text": any(row["cells"][number]["is_text"] for row in rows),
        }
        for number, name in enumerate(plain.columns)
    ]
    stacked = len(columns) >= _WIDE and len(rows) <= LONG
    return {"columns": columns, "rows": rows, "stacked": stacked}


def folded(whole: dict[str, Any]) -> dict[str, Any]:
    """Fold what is beyond the rows that are shown at once."""
    rows = whole["rows"]
    return {**whole, "rows": rows[:MOST_ROWS], "more": rows[MOST_ROWS:]}


def _cell(value: Any) -> dict[str, Any]:
    if isinstance(value, (bool, np.bool_)):
        return {"text": "yes" if value else "–", "is_text": True}
    if isinstance(value, (int, np.integer)):
        return {"text": f"{int(value):,}".replace("-", "−"), "is_text": False}
    if isinstance(value, (float, np.floating)):
        rounded = round(float(value), 3) + 0.0  # no minus before a zero
        text = "–" if np.isnan(value) else f"{rounded:,.3f}".replace("-", "−")
        return {"text": text, "is_text": False}
    if isinstance(value, pd.Timestamp):
        return {"text": value.date().isoformat(), "is_text": True}
    text = "–" if value is None or pd.isna(value) else str(value)
    return {"text": text, "is_text": not (text[:1].isdigit() and text.endswith("%"))}
