"""A chart of how much water there was on each date."""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from strandline.show.canvas import own_style
from strandline.show.captions import day_text
from strandline.show.furniture import INK, SOFT
from strandline.show.palettes import LOST, UNSEEN, WATER

_SIZE = (8.6, 5.0)
_NAMED = 8  # misfits with their date written beside them, at most


def timeline_chart(series: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw the area of water over time, with what it can be and how much was observed.

    Dates that do not fit are crosses, and no line goes through them; dates of which more than
    a tenth was not observed are hollow.

    Parameters
    ----------
    series : DataFrame
        A row per ``time``: ``least``, ``best``, ``most`` (km²), ``observed_share``, ``fits``; if
        it has ``low_95`` and ``high_95``, they are a band around the line.
    title : str, optional
        Another headline.

    Returns
    -------
    Figure
        The chart.

    Examples
    --------
    >>> row = {"least": 1.0, "best": 1.0, "most": 2.0, "observed_share": 0.8, "fits": True}
    >>> series = pd.DataFrame([row], index=pd.DatetimeIndex(["1990-07-01"], name="time"))
    >>> timeline_chart(series).axes[0].get_ylabel()
    'water, km²'
    """
    fits = series["fits"].to_numpy(bool)
    with own_style():
        figure = Figure(figsize=_SIZE, facecolor="white")
        FigureCanvasAgg(figure)
        days = [day_text(day) for day in (series.index.min(), series.index.max())]
        when = f", {' to '.join(dict.fromkeys(days))}" if all(days) else ""
        figure.text(
            0.02, 0.965, title or f"Water over time{when}", size=12.5, weight="bold", color=INK,
            va="top",
        )  # fmt: skip
        figure.text(
            0.02, 0.915, ("band: 95 % interval; " if "low_95" in series else "")
            + "bars: the least and the most, whatever was hidden; "
            "hollow: a tenth or more was not observed", color=SOFT, va="top",
        )  # fmt: skip
        area = figure.add_axes((0.085, 0.30, 0.895, 0.54))
        share = figure.add_axes((0.085, 0.10, 0.895, 0.13), sharex=area)
        _draw_area(area, series, fits)
        _draw_share(share, series, fits)
        for axes in (area, share):
            axes.tick_params(colors=SOFT, length=2.5)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        area.tick_params(labelbottom=False)
    return figure


def _draw_area(axes: Axes, series: pd.DataFrame, fits: np.ndarray) -> None:
    times = series.index.to_numpy()
    best, most, least = (series[name].to_numpy(float) for name in ("best", "most", "least"))
    whole = fits & (series["observed_share"].to_numpy(float) > 0.9)
    axes.vlines(times, least, most, color=UNSEEN, lw=1.2, zorder=1)
    axes.plot(times[whole], best[whole], color=WATER, lw=1.4, zorder=2)
    if "low_95" in series:
        low, high = (series[name].to_numpy(float)[whole] for name in ("low_95", "high_95"))
        axes.fill_between(times[whole], low, high, color=WATER, alpha=0.18, lw=0, zorder=1)
    style: dict[str, Any] = {"ls": "none", "color": WATER, "ms": 5, "zorder": 3}
    axes.plot(times[whole], best[whole], marker="o", **style)
    hollow = fits & ~whole
    axes.plot(times[hollow], best[hollow], marker="o", mfc="white", **style)
    axes.plot(
        times[~fits], best[~fits], ls="none", marker="x", color=LOST, ms=7, mew=1.8, zorder=4,
        label="does not fit",
    )  # fmt: skip
    if 0 < (~fits).sum() <= _NAMED:
        for time, value in zip(times[~fits], best[~fits], strict=True):
            axes.annotate(
                str(time)[:10], (time, value), textcoords="offset points", xytext=(7, 4),
                color=LOST, fontsize=8,
            )  # fmt: skip
    # What may be hidden on a cloudy date shall not flatten everything else.
    shown = best[np.isfinite(best)]
    top = max(shown.max(initial=0.0), most[whole].max(initial=0.0))
    low = shown.min(initial=top)
    room = 0.12 * max(top - low, 0.1 * top, 1e-6)
    axes.set_ylim(max(low - room, 0.0) if low > 0 else 0.0, top + room)
    axes.set_ylabel("water, km²", color=SOFT)
    axes.grid(axis="y", color="#e4e4e4", lw=0.6)
    axes.set_axisbelow(True)
    if (~fits).any():
        axes.legend(loc="upper right", frameon=False, fontsize=8.5)


def _draw_share(axes: Axes, series: pd.DataFrame, fits: np.ndarray) -> None:
    times = series.index.to_numpy()
    share = 100 * series["observed_share"].to_numpy(float)
    colours = [WATER if fit else LOST for fit in fits]
    axes.vlines(times, 0, np.nan_to_num(share), colors=colours, lw=3.0)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("observed, %", color=SOFT)
    locator = mdates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib is untyped
    axes.xaxis.set_major_locator(locator)
    form = mdates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(form)
