"""What the page shows: the map with its clusters, and a tab for each further way to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn

from strandline.app import parts
from strandline.app.elements import ClusterList
from strandline.app.looks import CONTROL, text_of
from strandline.app.outcome import Outcome
from strandline.app.picture import (
    CHANGE,
    CLUSTERS,
    FALSE,
    LAYERS,
    TRUE,
    WATER,
    MapPicture,
    cluster_names,
    clusters_of,
    date_names,
    layers_of,
)
from strandline.app.problem import Problem
from strandline.app.spectra import SpectralSpace
from strandline.show.captions import percent_text, water_clusters

if TYPE_CHECKING:
    from strandline.app.page import Page

MAP, SWIPE, SIGNATURES, SCATTER, EVIDENCE = "Map", "Swipe", "Signatures", "Scatter", "Evidence"


def _ignore(*_: Any) -> None:
    """Do nothing: this map is only looked at."""


_UNHEARD = (_ignore, _ignore, _ignore)


class Views:
    """The tabs. Each is drawn when it is first looked at."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.session
        self._map: MapPicture | None = None
        self._stale: set[str] = set()
        self._names: dict[int, str] = {}
        self._make_map()
        self._others = {
            name: pn.Column(sizing_mode="stretch_width", min_height=480, margin=(12, 0))
            for name in (SWIPE, CHANGE, SIGNATURES, SCATTER, EVIDENCE)
        }
        self.layout = pn.Tabs(
            (MAP, self._of_map),
            *self._others.items(),
            sizing_mode="stretch_width",
            stylesheets=[text_of("tabs.css")],
        )
        self.layout.param.watch(lambda _: self._draw_tab(), "active")

    @property
    def map(self) -> MapPicture | None:
        """What the map shows, once there is one."""
        return self._map

    def lack(self, *, waiting: bool) -> None:
        """Say why there is no map yet."""
        why = (
            "The first map is being made …"
            if waiting
            else "There is no map yet. Choose other scenes or settings."
        )
        self._lack.object = f"<div class='muted'>{why}</div>"

    def tell(self, problem: Problem | None) -> None:
        """Show what went wrong when something was done with the map."""
        self.problem.object = "" if problem is None else parts.problem_message(problem)
        self.problem.visible = problem is not None

    def show(self, outcome: Outcome) -> None:
        """Show what was found."""
        if self._map is not None and self._map.fits(outcome):
            self._map.show(outcome)
            self._caption_map()
        else:
            self._new_map(outcome)
        self.cards.object = parts.area_cards(outcome)
        self.clusters.rows = self._rows(outcome)
        marks = self._session.marks
        self.marked.object = parts.marks(marks)
        self.marked.visible = self.undo.visible = bool(marks)
        self._names = cluster_names(outcome)
        self._inspect()
        self._stale = set(self._others)
        self._draw_tab()

    # --- the map ------------------------------------------------------------------

    def _make_map(self) -> None:
        self.layer = pn.widgets.RadioButtonGroup(
            stylesheets=[CONTROL],
            options=list(LAYERS),
            value=TRUE,
            button_type="default",
            margin=(5, 12, 5, 5),
        )
        self.date = pn.widgets.RadioButtonGroup(
            stylesheets=[CONTROL], options={"…": 0}, button_type="default"
        )
        self.layer.param.watch(lambda event: self._look(layer=event.new), "value")
        self.date.param.watch(lambda event: self._look(date=event.new), "value")
        self._lack = self._html("")
        self.lack(waiting=True)
        self.frame = pn.Column(self._lack, sizing_mode="stretch_width", min_height=420)
        self.caption = self._html("")
        self.readout = pn.pane.HTML(
            parts.readout(None, {}), stylesheets=[parts.STYLE], sizing_mode="stretch_width"
        )
        self.cards: Any = pn.pane.HTML("", stylesheets=[parts.STYLE], sizing_mode="stretch_width")
        self.clusters: Any = ClusterList(
            on_click=self._toggle, sizing_mode="stretch_width", min_height=60, margin=(8, 5)
        )
        self.marked = self._html("", visible=False)
        self.undo = pn.widgets.Button(
            stylesheets=[CONTROL], name="Undo", width=70, height=30, visible=False,
            margin=(2, 5), on_click=lambda _: self._page.choose(self._session.undo_mark, "map"),
        )  # fmt: skip
        self.problem = self._html("", visible=False)
        self.inspected = self._html("", visible=False)
        self.mark = pn.widgets.Button(
            stylesheets=[CONTROL], name="Count as water", visible=False, on_click=self._on_mark
        )
        self._picked: tuple[float, float] | None = None
        hint = pn.pane.HTML(
            "<p class='small muted'>The button of a cluster counts all of it as water, or no "
            "longer. A white line on the map of clusters runs around the water.</p>",
            stylesheets=[parts.STYLE], sizing_mode="stretch_width",
        )  # fmt: skip
        side = pn.Column(
            self.cards, pn.Row(self.marked, self.undo, margin=0), self.problem, self.clusters, hint,
            min_width=300, max_width=380,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        picture = pn.Column(
            pn.FlexBox(self.layer, self.date), self.caption, self.frame, self.readout,
            self.inspected, self.mark,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._of_map: Any = pn.FlexBox(
            pn.Column(picture, styles={"flex": "3 1 420px", "min-width": "0"}, margin=0),
            pn.Column(side, styles={"flex": "1 1 300px", "min-width": "0"}, margin=0),
            sizing_mode="stretch_width", gap="18px", margin=(12, 0),
        )  # fmt: skip

    def _new_map(self, outcome: Outcome) -> None:
        self._map = MapPicture(outcome, self._tapped, self._pointed, self._boxed)
        self.layer.options = layers_of(outcome)
        if self.layer.value not in self.layer.options:
            self.layer.value = TRUE
        names = date_names(outcome)
        self.date.options = {name: number for number, name in enumerate(names)}
        self.date.value = 0
        self.date.visible = len(names) > 1
        self._map.layer = self.layer.value
        self._caption_map()
        self.frame[:] = [self._framed(self._map)]

    def _look(self, **what: Any) -> None:
        if self._map is not None:
            self._map.show(**what)
            self._caption_map()
            self._inspect()

    def _caption_map(self) -> None:
        if self._map is not None:
            # The list of clusters beside the map is their legend.
            legend = self._map.legend if self._map.layer != CLUSTERS else []
            self.caption.object = parts.caption(self._map.headline, legend)

    def _rows(self, outcome: Outcome) -> list[dict[str, Any]]:
        segmentation = outcome.segmentation
        pixels = np.asarray(segmentation["pixels"], dtype=float)
        whole, some = water_clusters(outcome.evidence)
        return [
            {
                "cluster": category.value,
                "colour": category.colour,
                "hint": category.name,
                "share": percent_text(pixels[category.value] / max(pixels.sum(), 1)),
                "water": category.value in whole,
                "some": category.value in some,
            }
            for category in clusters_of(outcome).categories
        ]

    def _tapped(self, x: float, y: float) -> None:
        """Show what is at a place; count its cluster as water only where clicks do so."""
        found = self._pixel(x, y)
        if found is None:
            return
        self._picked = x, y
        self._inspect()
        marking = self._page.controls.marking.value
        if marking and found["cluster"] is not None and found["water"] != 1:
            self._mark(found["cluster"], water=True)

    def _inspect(self) -> None:
        """Show the spectra at the place that was clicked on, and what can be done about it."""
        outcome, found = self._session.outcome, None
        if outcome is not None and self._picked is not None:
            found = self._pixel(*self._picked)
        self.inspected.visible = found is not None
        self.mark.visible = found is not None and found["cluster"] is not None
        if outcome is None or found is None or self._picked is None:
            self._picked = None
            return
        names = date_names(outcome)
        pixels = {
            name: pixel
            for number, name in enumerate(names)
            if (pixel := outcome.pixel(*self._picked, number)) is not None
        }
        self.inspected.object = parts.inspection(pixels, found, self._names)
        is_water = found["cluster"] in self._session.water_clusters()
        if is_water:
            self.mark.name = f"Do not count cluster {found['cluster']} as water"
        else:
            self.mark.name = f"Count cluster {found['cluster']} as water"

    def _on_mark(self, _: Any) -> None:
        found = None if self._picked is None else self._pixel(*self._picked)
        if found is not None and found["cluster"] is not None:
            self._toggle(found["cluster"])

    def _toggle(self, cluster: int) -> None:
        self._mark(cluster, water=cluster not in self._session.water_clusters())

    def _mark(self, cluster: int, *, water: bool) -> None:
        self._page.choose(lambda: self._session.mark_water(cluster, water=water), "map")

    def _pointed(self, x: float, y: float) -> None:
        self.readout.object = parts.readout(self._pixel(x, y), self._names)

    def _pixel(self, x: float, y: float) -> dict[str, Any] | None:
        outcome = self._session.outcome
        return None if outcome is None else outcome.pixel(x, y, self.date.value or 0)

    def begin_box(self) -> bool:
        """Have the next drag on the map draw a box; False if there is no map."""
        return self._map is not None and self._map.begin_box()

    def _boxed(self, box: tuple[float, float, float, float]) -> None:
        self._page.controls.offer_box(box)

    # --- the other tabs -------------------------------------------------------------

    def _draw_tab(self) -> None:
        """Draw the tab that is looked at, if what it shows is not of now."""
        outcome = self._session.outcome
        name = [MAP, *self._others][self.layout.active]
        if outcome is None or name not in self._stale:
            return
        self._stale.discard(name)
        make = {
            SWIPE: self._swipe, CHANGE: self._change, SIGNATURES: self._signatures,
            SCATTER: self._scatter, EVIDENCE: self._evidence,
        }[name]  # fmt: skip
        self._others[name][:] = make(outcome)

    def _swipe(self, outcome: Outcome) -> list[Any]:
        if outcome.change is None:
            return [self._note("Swiping needs two scenes.")]
        chosen = pn.widgets.RadioButtonGroup(
            stylesheets=[CONTROL], options=[TRUE, FALSE, CLUSTERS, WATER], value=TRUE
        )
        both = MapPicture(outcome, *_UNHEARD, layer=TRUE, swipe=True)
        caption = self._html(parts.caption(both.headline, both.legend))

        def look(event: Any) -> None:
            both.show(layer=event.new)
            caption.object = parts.caption(both.headline, both.legend)

        chosen.param.watch(look, "value")
        first, last = date_names(outcome)[0], date_names(outcome)[-1]
        told = f"<p class='small muted'>Left of the line {first}, right of it {last}. Drag it.</p>"
        return [chosen, self._html(told), caption, self._framed(both)]

    def _change(self, outcome: Outcome) -> list[Any]:
        tables = self._html(parts.area_tables(outcome))
        if outcome.change is None:
            return [tables]
        picture = MapPicture(outcome, *_UNHEARD, layer=CHANGE)
        caption = self._html(parts.caption(picture.headline, picture.legend))
        some, more = ({"flex": f"1 1 {width}px", "min-width": "0"} for width in (360, 620))
        return [
            pn.FlexBox(
                pn.Column(caption, self._framed(picture), styles=some, margin=0),
                pn.Column(tables, styles=more, margin=0),
                sizing_mode="stretch_width", gap="18px",
            )
        ]  # fmt: skip

    def _signatures(self, outcome: Outcome) -> list[Any]:
        from strandline.plot import signatures
        from strandline.show.charts import band_positions

        chart = signatures(outcome.segmentation, water=outcome.evidence).opts(
            responsive=True,
            frame_width=None,
            frame_height=None,
            height=460,
            legend_position="right",
        )
        names = [str(band) for band in outcome.segmentation["band"].values]
        positions, axis = band_positions(names)
        ticks = [(float(place), name) for place, name in zip(positions, names, strict=True)]
        along = "band, at its wavelength" if axis != "band" else "band"
        chart = chart.opts(xticks=ticks, xrotation=60, xlabel=along)
        return [pn.pane.HoloViews(chart, backend="bokeh", sizing_mode="stretch_width")]

    def _scatter(self, outcome: Outcome) -> list[Any]:
        return [SpectralSpace(outcome).layout]

    def _evidence(self, outcome: Outcome) -> list[Any]:
        tables = (parts.evidence_table(outcome), parts.quality_table(outcome))
        return [self._html(table, margin=(0, 5, 14, 5)) for table in tables]

    def _framed(self, picture: MapPicture) -> Any:
        return pn.pane.HoloViews(
            picture.picture, backend="bokeh", sizing_mode="stretch_width", linked_axes=False
        )

    def _html(self, html: str, **options: Any) -> Any:
        return pn.pane.HTML(html, stylesheets=[parts.STYLE], sizing_mode="stretch_width", **options)

    def _note(self, text: str) -> Any:
        return self._html(f"<p class='muted'>{text}</p>")
