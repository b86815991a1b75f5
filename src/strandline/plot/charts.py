"""Signatures of clusters to point at."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from strandline.plot.engine import holoviews
from strandline.show.captions import seen_text, water_clusters
from strandline.show.charts import band_positions, clustered_dates
from strandline.show.clusters import cluster_palette
from strandline.water.decision import Water


def signatures(segmentation: xr.Dataset, *, water: Water | None = None, width: int = 560) -> Any:
    """Draw each cluster's mean spectrum with one standard deviation around it.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`: ``signature_mean``, ``signature_std`` (cluster, band),
        ``pixels`` (cluster).
    water : sequence of int or DataFrame, optional
        The clusters that are water, or the table of `strandline.find_water`: drawn broad.
    width : int
        Of the chart, in pixels of the screen.

    Returns
    -------
    holoviews.Overlay
        A spread, a line and points per cluster, in the cluster's colour; a click on the legend
        hides and shows them.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    """
    hv = holoviews("signatures")
    means = segmentation["signature_mean"].transpose("cluster", "band")
    spreads = segmentation["signature_std"].transpose("cluster", "band")
    pixels = np.asarray(segmentation["pixels"], dtype=float)
    names = [str(b) for b in means["band"].values]
    positions, axis_name = band_positions(names)
    order = np.argsort(positions)
    palette = cluster_palette(means, water)
    whole, _ = water_clusters(water)
    layers = []
    for i, cluster in enumerate(means["cluster"].values.tolist()):
        wet = cluster in whole
        label, colour = f"{cluster} {palette[cluster].name}", palette[cluster].colour
        x, mean = positions[order], np.asarray(means, float)[i, order]
        spread = np.asarray(spreads, float)[i, order]
        share = np.full(len(x), 100 * pixels[i] / max(pixels.sum(), 1))
        table = {
            "position": x, "reflectance": mean, "spread": spread, "share": share,
            "band": np.array(names)[order], "cluster": np.full(len(x), label, dtype=object),
        }  # fmt: skip
        area = hv.Area(
            (x, mean - spread, mean + spread), "position", ["reflectance", "upper"], label=label
        )
        layers.append(area.opts(color=colour, alpha=0.13, line_alpha=0))
        line = hv.Curve((x, mean), "position", "reflectance", label=label)
        layers.append(line.opts(color=colour, line_width=4 if wet else 2))
        points = hv.Scatter(
            table, "position", ["reflectance", "spread", "share", "band", "cluster"], label=label
        )
        layers.append(
            points.opts(
                color=colour,
                size=7,
                tools=["hover"],
                hover_tooltips=[
                    ("cluster", "@cluster"),
                    ("band", "@band"),
                    ("mean", "@reflectance{0.0000}"),
                    ("standard deviation", "@spread{0.0000}"),
                    ("share of the pixels", "@share{0.0} %"),
                ],
            )
        )
    units = str(means.attrs.get("units", "1"))
    return hv.Overlay(layers).opts(
        frame_width=width,
        frame_height=round(0.6 * width),
        title="\n".join(
            filter(
                None,
                (
                    "Mean spectrum of each cluster, and one standard deviation",
                    seen_text(clustered_dates(segmentation)),
                ),
            )
        ),
        xlabel=axis_name,
        ylabel="reflectance" if units == "1" else f"value ({units})",
        xticks=[(float(p), n) for p, n in zip(positions, names, strict=True)]
        if axis_name == "band"
        else 8,
        legend_position="right",
        click_policy="hide",
        show_grid=True,
        hooks=[_fixed],
    )


def _fixed(plot: Any, _element: Any) -> None:
    """Let what surrounds the frame be as large as it needs."""
    plot.state.sizing_mode = None
