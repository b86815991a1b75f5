"""The spectral space beside the image: what is selected in one is seen in the other."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import panel as pn
from holoviews.streams import BoundsXY, Counter
from numpy.typing import NDArray

from strandline.app import parts
from strandline.app.looks import CONTROL
from strandline.app.outcome import Outcome
from strandline.app.picture import MapPicture, box_of, clusters_of, date_names
from strandline.prepare.classes import NOT_OBSERVED
from strandline.show.captions import seen_text

MOST_POINTS = 6000
"""Pixels in the scatter, drawn by position so that the same scene gives the same points."""

_USUAL = ("green", "swir16"), ("red", "nir08")


class SpectralSpace:
    """A scatter of pixels by two of their bands, and the map in which a selection lights up.

    Parameters
    ----------
    outcome : Outcome
        That is shown.
    """

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        scenes = outcome.prepared.scenes
        bands = [str(band) for band in scenes["band"].values]
        across, up = next(
            (pair for pair in _USUAL if set(pair) <= set(bands)), (bands[0], bands[-1])
        )
        dates = {name: number for number, name in enumerate(date_names(outcome))}
        self.across = pn.widgets.Select(
            stylesheets=[CONTROL], name="Across", options=bands, value=across, width=110
        )
        self.up = pn.widgets.Select(
            stylesheets=[CONTROL], name="Up", options=bands, value=up, width=110
        )
        self.date = pn.widgets.Select(stylesheets=[CONTROL], name="Date", options=dates, width=130)
        self.told = pn.pane.HTML(
            "<p class='small muted'>Draw a box around points: their pixels are highlighted on "
            "the map. Draw a box on the map: its pixels are highlighted among the points.</p>",
            stylesheets=[parts.STYLE], sizing_mode="stretch_width",
        )  # fmt: skip
        self.caption = pn.pane.HTML("", stylesheets=[parts.STYLE], sizing_mode="stretch_width")
        self._in_map: NDArray[np.bool_] | None = None
        self._changed = Counter()
        points = hv.DynamicMap(self._points, streams=[self._changed]).opts(
            responsive=True, height=460, legend_position="top_left", framewise=True
        )
        BoundsXY(source=points).add_subscriber(self._on_points)
        ignore = lambda *_: None  # noqa: E731  the map is only looked at
        self.map = MapPicture(outcome, ignore, ignore, self._on_map)
        for widget in (self.across, self.up, self.date):
            widget.param.watch(self._on_choice, "value")
        self._caption_map()
        half = {"flex": "1 1 400px", "min-width": "0"}
        self.layout = pn.Column(
            pn.FlexBox(self.across, self.up, self.date),
            self.told,
            self.caption,
            pn.FlexBox(
                pn.Column(pn.pane.HoloViews(points, backend="bokeh", linked_axes=False,
                                            sizing_mode="stretch_width"), styles=half),
                pn.Column(pn.pane.HoloViews(self.map.picture, backend="bokeh", linked_axes=False,
                                            sizing_mode="stretch_width"), styles=half),
                sizing_mode="stretch_width", gap="12px",
            ),
            sizing_mode="stretch_width",
        )  # fmt: skip

    def _points(self, counter: int = 0) -> Any:
        del counter  # says only that something has changed
        view = self._outcome.prepared.views.isel(time=self.date.value)
        rows, columns = view.shape[-2:]
        labels = self._outcome.segmentation["labels"].isel(time=self.date.value)
        # Where pictures are thinned out, a pixel of theirs has the class in its middle.
        step = labels.shape[0] / rows, labels.shape[1] / columns
        row, column = np.divmod(
            np.linspace(0, rows * columns - 1, MOST_POINTS).astype(int), columns
        )
        there = np.asarray(labels)[
            np.minimum(((row + 0.5) * step[0]).astype(int), labels.shape[0] - 1),
            np.minimum(((column + 0.5) * step[1]).astype(int), labels.shape[1] - 1),
        ]
        across, up = (
            np.asarray(view.sel(band=widget.value))[row, column]
            for widget in (self.across, self.up)
        )
        seen = there != NOT_OBSERVED
        colours = np.array([c.colour for c in clusters_of(self._outcome).categories])[there[seen]]
        chosen = np.ones(seen.sum(), bool)
        if self._in_map is not None:
            chosen = self._in_map[row, column][seen]
        table = {
            "across": across[seen], "up": up[seen], "cluster": there[seen], "colour": colours,
            "opacity": np.where(chosen, 0.75, 0.05),
        }  # fmt: skip
        return hv.Points(table, ["across", "up"], ["cluster", "colour", "opacity"]).opts(
            color="colour", alpha="opacity", size=4, line_width=0,
            title=f"Pixels by reflectance · {seen_text([view])}".removesuffix(" · "),
            xlabel=f"reflectance in {self.across.value}",
            ylabel=f"reflectance in {self.up.value}",
            tools=["box_select", "hover"], active_tools=["box_select"], show_grid=True,
            hover_tooltips=[("cluster", "@cluster"), ("across", "@across{0.000}"),
                            ("up", "@up{0.000}")],
        )  # fmt: skip

    def _on_choice(self, _: Any) -> None:
        self._in_map = None
        self._changed.event(counter=self._changed.counter + 1)
        self.map.show(date=self.date.value)
        self._caption_map()

    def _caption_map(self) -> None:
        self.caption.object = parts.caption(self.map.headline, self.map.legend)

    def _on_points(self, bounds: Any) -> None:
        if not bounds:
            return
        bands = (self.across.value, self.up.value)
        lit = self._outcome.lit_up(self.date.value, bands, box_of(bounds))
        self.map.show(lit=lit)
        self.told.object = (
            f"<p class='small'><b>{lit.mean():.1%}</b> of the pixels are highlighted.</p>"
        )

    def _on_map(self, box: tuple[float, float, float, float]) -> None:
        view = self._outcome.prepared.views
        left, bottom, right, top = box
        x, y = view["x"].values, view["y"].values
        self._in_map = ((y >= bottom) & (y <= top))[:, None] & ((x >= left) & (x <= right))[None]
        self._changed.event(counter=self._changed.counter + 1)
        self.told.object = (
            f"<p class='small'><b>{self._in_map.mean():.1%}</b> of the pixels are in the box.</p>"
        )
