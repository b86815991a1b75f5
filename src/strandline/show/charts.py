"""Charts of what is not a map."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from strandline.show.canvas import NARROW, Picture, own_style
from strandline.show.captions import seen_text, water_clusters
from strandline.show.clusters import cluster_palette
from strandline.show.furniture import INK, SOFT
from strandline.show.palettes import WATER
from strandline.water.decision import Water

_WIDTH, _LEGEND = 8.6, 2.5


def signature_chart(
    segmentation: xr.Dataset,
    *,
    water: Water | None = None,
    title: str | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw each cluster's mean spectrum with one standard deviation around it.

    The bands lie at their wavelengths where those are known, otherwise side by
    side. Water clusters are drawn broad and named in blue.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`: ``signature_mean``, ``signature_std``
        (cluster, band), ``pixels`` (cluster).
    water : sequence of int or DataFrame, optional
        The clusters that are water, or the table of `strandline.find_water`.
    title : str, optional
        Another headline.
    narrow : bool
        For a phone: the legend below the chart.

    Returns
    -------
    Figure
        The chart.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> spectra = (("cluster", "band"), np.array([[0.05, 0.02], [0.1, 0.3]]))
    >>> segmentation = xr.Dataset(
    ...     {"signature_mean": spectra, "signature_std": spectra, "pixels": ("cluster", [7, 9])},
    ...     coords={"band": ["red", "nir08"], "cluster": [0, 1]},
    ... )
    >>> signature_chart(segmentation, water=[0]).axes[0].get_xlabel()
    'wavelength (µm)'
    """
    means = segmentation["signature_mean"].transpose("cluster", "band")
    spreads = segmentation["signature_std"].transpose("cluster", "band")
    pixels = np.asarray(segmentation["pixels"], dtype=float)
    bands = [str(b) for b in means["band"].values]
    positions, axis_name = band_positions(bands)
    order = np.argsort(positions)
    palette = cluster_palette(means, water)
    clusters = [int(c) for c in means["cluster"].values]
    wet, _ = water_clusters(water)
    told = (seen_text(clustered_dates(segmentation)), "shaded: one standard deviation")
    subline = " · ".join(filter(None, told))
    # Inches: the sheet, and what is kept free to the right of the axes, below and above them.
    if narrow:
        lines = textwrap.wrap(subline, int(NARROW * 14.5), break_on_hyphens=False)
        width, right, below = NARROW, 0.2, 0.85 + 0.205 * len(clusters)
        above = 0.96 + 0.17 * len(lines)
        height = below + above + 2.9
    else:
        lines, width, right, below, above = [subline], _WIDTH, 0.28 + _LEGEND, 0.72, 1.13
        height = max(4.6, 1.6 + 0.26 * len(clusters))
    with own_style():
        figure = Picture(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(
            0.2 / width, 1 - 0.18 / height, title or "Mean spectrum of each cluster",
            size=12.5, weight="bold", color=INK, va="top",
        )  # fmt: skip
        figure.text(0.2 / width, 1 - 0.43 / height, "\n".join(lines), color=SOFT, va="top")
        axes = figure.add_axes(
            (
                0.72 / width,
                below / height,
                (width - 0.72 - right) / width,
                1 - (below + above) / height,
            )
        )
        for i, cluster in enumerate(clusters):
            mean = np.asarray(means)[i, order]
            spread = np.asarray(spreads)[i, order]
            x, colour = positions[order], palette[cluster].colour
            axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.13, lw=0)
            share = pixels[i] / max(pixels.sum(), 1)
            axes.plot(
                x, mean, color=colour, marker="o", ms=3.5, lw=3.2 if cluster in wet else 1.5,
                label=f"{cluster}  {palette[cluster].name}  ({100 * share:.1f} %)",
            )  # fmt: skip
        _dress(axes, bands, positions, axis_name, str(means.attrs.get("units", "1")))
        beside = {"bbox_to_anchor": (1.03, 1.0), "bbox_transform": axes.transAxes}
        under = {
            "bbox_to_anchor": (0.72 / width, (below - 0.7) / height),
            "bbox_transform": figure.transFigure,
        }
        legend = axes.legend(
            loc="upper left", frameon=False, fontsize=8.5, handlelength=1.6, borderaxespad=0,
            labelspacing=0.7, **(under if narrow else beside),
        )  # fmt: skip
        for text, cluster in zip(legend.get_texts(), clusters, strict=True):
            text.set_color(WATER if cluster in wet else INK)
            text.set_fontweight("bold" if cluster in wet else "normal")
    return figure


def clustered_dates(segmentation: xr.Dataset) -> list[xr.DataArray]:
    """Give the dates that clusters were found in, as far as the labels know them."""
    if "labels" not in segmentation:
        return []
    labels = segmentation["labels"]
    return list(labels) if "time" in labels.dims else [labels]


def band_positions(bands: Sequence[str]) -> tuple[np.ndarray, str]:
    """Find where bands lie along the axis of a chart of spectra, and name that axis.

    Wavelengths in micrometres, or places in a row if one of them is unknown or thermal.
    """
    from strandline.scenes.sensors import SENSORS

    # Landsat's where both have a band: their centres differ by less than a line's width.
    bands_known = (*SENSORS["sentinel-2a"].bands, *SENSORS["landsat-8"].bands)
    centres = {b.name: b.wavelength for b in bands_known if not b.thermal}
    if bands and all(band in centres for band in bands):
        return np.array([centres[band] for band in bands]), "wavelength (µm)"
    return np.arange(len(bands), dtype=float), "band"


def _dress(
    axes: Axes, bands: Sequence[str], positions: np.ndarray, axis_name: str, units: str
) -> None:
    axes.set_xlabel(axis_name, color=SOFT)
    axes.set_ylabel("reflectance" if units == "1" else f"value ({units})", color=SOFT)
    axes.grid(axis="y", color="#e4e4e4", lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, length=2.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axis_name == "band":
        axes.set_xticks(positions, list(bands))
        return
    above = axes.secondary_xaxis("top")
    above.set_xticks(positions, list(bands), rotation=90, fontsize=7.5)
    above.tick_params(length=0, colors=SOFT, pad=1)
    above.spines["top"].set_visible(False)
    for position in positions:
        axes.axvline(position, color="#eeeeee", lw=0.6, zorder=0)
