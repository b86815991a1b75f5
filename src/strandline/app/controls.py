"""The column of choices, in the order of the work: scenes, area, clusters, water, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from strandline.app import parts
from strandline.app.elements import Copy, Download
from strandline.app.further import MOST_CLUSTERS, Further, box_to_tick, folded
from strandline.app.job import Job
from strandline.app.looks import CONTROL
from strandline.app.opening import Opening
from strandline.app.problem import LABELS, Problem
from strandline.configuration import StudyConfig
from strandline.prepare.georeference import grid_of
from strandline.results import dates_of
from strandline.segmentation.segment import NOT_SURFACE_BANDS

if TYPE_CHECKING:
    from strandline.app.page import Page

_STEPS = {
    **dict.fromkeys(("harmonize", "normalize", "correct_shift"), 1),
    **dict.fromkeys(("vectors", "min_pixels"), 5),
}
"""Steps of the page that fields of a study belong to; all others belong to the third."""

_DRAW = "Draw a box on the map"

_SCALINGS = {"each band by itself": "band", "all bands alike": "global", "robust": "robust"}


class Controls:
    """The widgets, and what happens when they are used."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.session
        self._quiet = False
        self._box: tuple[float, float, float, float] | None = None
        self._boxed_on: dict[str, Any] | None = None
        self._problems: dict[int, Any] = {}
        self.opening = Opening(page)
        self.further = Further(self._chosen, self._on_lake)
        self._make_area()
        self._make_clusters()
        self._make_water()
        self._make_export()
        self.layout = pn.Column(
            *self._section(1, "Scenes", *self.opening.layout, self.further.comparable),
            *self._section(2, "Area", self.area_text, self.use_box, self.whole),
            *self._section(
                3, "Clusters", self.clusters, self.bands, self.standardize, self.further.more
            ),
            *self._section(
                4, "Water", self.water_text, self.marking, self.itself, self.further.lake
            ),
            *self._section(
                5, "Export", pn.Row(self.archive, self.report, margin=0), self.command, self.code,
                self.shown_code, self.further.polygons,
            ),
            self.download,
            width=268,
            margin=0,
        )  # fmt: skip

    def refresh(self) -> None:
        """Set all widgets to what is chosen."""
        self._quiet = True
        try:
            self._refresh()
        finally:
            self._quiet = False

    def tell(self, step: int | str | None, problem: Problem | None) -> None:
        """Show what went wrong below the buttons of a step, and nowhere else."""
        for number, pane in self._problems.items():
            here = problem if number == step else None
            pane.object = "" if here is None else parts.problem_message(here)
            pane.visible = here is not None

    def offer_box(self, box: tuple[float, float, float, float]) -> None:
        """Offer a box that was drawn as the area."""
        left, bottom, right, top = box
        self._box = box
        size = ""
        if self._session.outcome is not None:
            self._boxed_on = _place(self._session.outcome.config)
            crs = grid_of(self._session.outcome.water).crs
            if crs is not None and crs.projected:
                size = f" ({(right - left) / 1000:.1f} × {(top - bottom) / 1000:.1f} km)"
        self.use_box.name = f"Use the box{size}"
        self.use_box.button_type = "primary"

    # --- making -------------------------------------------------------------------

    def _section(self, number: int, name: str, *content: Any) -> list[Any]:
        title = pn.pane.HTML(
            parts.heading(number, name), stylesheets=[parts.STYLE], margin=(18, 0, 6, 0)
        )
        self._problems[number] = pn.pane.HTML(
            "", stylesheets=[parts.STYLE], margin=(4, 10, 8, 10), width=258, visible=False
        )
        # Beside the buttons, not below what is folded away.
        cards = [one for one in content if isinstance(one, pn.Card)]
        buttons = [one for one in content if not isinstance(one, pn.Card)]
        return [title, *buttons, self._problems[number], *cards]

    def _make_area(self) -> None:
        self.area_text = self._text()
        self.use_box = pn.widgets.Button(
            stylesheets=[CONTROL], name=_DRAW, width=258, on_click=self._on_box,
            description="Then drag on the map, from corner to corner.",
        )  # fmt: skip
        self.whole = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="Whole scene",
            width=258,
            on_click=lambda _: self._choose("whole_scene", 2),
        )

    def _make_clusters(self) -> None:
        self.clusters = pn.widgets.IntInput(
            stylesheets=[CONTROL],
            name=LABELS["n_clusters"],
            width=110,
            description=f"From 2 to {MOST_CLUSTERS}.",
        )
        self.clusters.param.watch(lambda event: self._chosen(n_clusters=event.new), "value")
        self.bands = pn.widgets.MultiChoice(
            stylesheets=[CONTROL], name=LABELS["bands"], width=258, placeholder="all"
        )
        self.bands.param.watch(self._on_bands, "value")
        self.standardize = pn.widgets.Select(
            stylesheets=[CONTROL], name="Bands are scaled", options=_SCALINGS, width=258
        )
        self.standardize.param.watch(lambda event: self._chosen(standardize=event.new), "value")

    def _make_water(self) -> None:
        self.water_text = self._text()
        self.marking = box_to_tick("A click on the map marks water", width=258)
        self.itself = pn.widgets.Button(
            stylesheets=[CONTROL], name="Find water automatically", width=258,
            on_click=lambda _: self._choose("find_water_itself", 4),
        )  # fmt: skip

    def _make_export(self) -> None:
        self.download = Download(width=0, height=0, margin=0)
        self.archive = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="Results (.zip)",
            button_type="primary",
            width=124,
            margin=(5, 5, 5, 10),
            on_click=self._on_archive,
        )
        self.report = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="Report",
            width=124,
            margin=(5, 10, 5, 5),
            on_click=self._on_report,
        )
        self.command = Copy(label="Copy command line", width=258, height=34, margin=(3, 10))
        self.code = Copy(label="Copy Python code", width=258, height=34, margin=(3, 10))
        self.shown_code = folded("Show them")

    def _text(self) -> Any:
        return pn.pane.HTML("", stylesheets=[parts.STYLE], margin=(0, 10, 4, 10), width=258)

    # --- showing ------------------------------------------------------------------

    def _refresh(self) -> None:
        session, outcome = self._session, self._session.outcome
        config = session.config
        self.opening.refresh()
        self.clusters.value = config.n_clusters
        self.standardize.value = config.standardize
        self.further.refresh(config)
        ready = outcome is not None
        for widget in (self.itself, self.whole, self.use_box):
            widget.disabled = not ready
        for widget in (self.archive, self.report):
            widget.disabled = outcome is None or outcome.is_preview
        if outcome is None:
            return
        there = [str(band) for band in outcome.prepared.scenes["band"].values]
        self.bands.options = there
        usual = [band for band in there if band not in NOT_SURFACE_BANDS]
        self.bands.value = list(config.bands or usual)
        self.area_text.object = parts.area_text(outcome)
        self.whole.disabled = config.bbox is None and config.center is None
        if self._box is None or _place(outcome.config) != self._boxed_on:
            # A box stays on the map while that shows the same place.
            self._box = None
            self.use_box.name, self.use_box.button_type = _DRAW, "default"
        self.itself.disabled = not session.marks and config.water_at is None
        self.water_text.object = self._water_words()
        command, code = session.command(), session.code()
        self.command.text, self.code.text = command, code
        self.shown_code[:] = [
            pn.pane.HTML(parts.code_block(text), stylesheets=[parts.STYLE], width=240)
            for text in (command, code)
        ]

    def _water_words(self) -> str:
        if self._session.marks:
            return parts.marks(self._session.marks)
        if self._session.config.water_at is not None:
            return "<p class='small'>Found from the spectra, checked at your point.</p>"
        return "<p class='small'>Found automatically, from the spectra.</p>"

    # --- using --------------------------------------------------------------------

    def _choose(self, name: str, step: int) -> None:
        self._page.choose(getattr(self._session, name), step)

    def _chosen(self, **values: Any) -> None:
        if not self._quiet:
            step = next((_STEPS[name] for name in values if name in _STEPS), 3)
            self._page.choose(lambda: self._session.choose(**values), step)

    def _on_bands(self, event: Any) -> None:
        there = [band for band in self.bands.options if band not in NOT_SURFACE_BANDS]
        chosen = [band for band in self.bands.options if band in event.new]
        self._chosen(bands=None if not chosen or chosen == there else chosen)

    def _on_lake(self, text: str) -> None:
        if not self._quiet:
            self._page.choose(lambda: self._session.place_lake(text), 4)

    def _on_box(self, _: Any) -> None:
        if self._box is not None:
            box, self._box = self._box, None
            self._page.choose(lambda: self._session.draw_box(*box), 2)
        elif self._page.views.begin_box():
            self.use_box.name = "Now drag on the map"

    def _on_archive(self, _: Any) -> None:
        self._take_away("zip", lambda job: self._session.archive(job))

    def _on_report(self, _: Any) -> None:
        self._take_away("html", lambda job: self._session.page(job).encode("utf-8"))

    def _take_away(self, suffix: str, make: Any) -> None:
        """Write a file in another thread, and have the browser save it."""
        outcome = self._session.outcome
        if outcome is None:
            return
        dates = "-".join(filter(None, dates_of(outcome.water)))
        name, path = self._session.library.new_place(f"strandline-{dates or 'results'}.{suffix}")

        def work(job: Job) -> Any:
            def write() -> str:
                from strandline.atomic import replacing

                content = make(job)
                with replacing(path) as partial:
                    partial.write_bytes(content)
                return name

            return write

        def then(result: Any, job: Job) -> None:
            if self._page.done(result, job):
                token = str(result).partition(":")[2]
                self.download.param.update(filename=path.name, url=f"/take/{token}")

        self._page.start_aside(work, then, 5)


def _place(config: StudyConfig) -> dict[str, Any]:
    """Give what says which place the map shows."""
    return config.model_dump(include={"scenes", "center", "buffer", "bbox", "crs"})
