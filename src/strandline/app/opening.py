"""The first step: which scenes, from where, and how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import panel as pn

from strandline.app import parts
from strandline.app.further import folded
from strandline.app.job import Job
from strandline.app.library import DEMO, KEPT, UPLOAD_TYPES
from strandline.app.looks import CONTROL
from strandline.app.problem import LABELS, UNSAID
from strandline.app.searching import search_archive
from strandline.demo import BUFFER

if TYPE_CHECKING:
    from strandline.app.page import Page

_WORDS = {
    "platform": (LABELS["platform"], "such as landsat-5"),
    "scale": (LABELS["scale"], "such as 0.0001"),
    "offset": (LABELS["offset"], "such as 0"),
    "nodata": (LABELS["nodata"], "such as -9999"),
    "band_names": (LABELS["band_names"], "green, red, nir08, …"),
    "crs": ("CRS", "such as EPSG:32611"),
}


_MANY = 8
"""Scenes in a list above which it can be filtered."""


class Opening:
    """Choose one scene or two, upload files, search archives."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.session
        self._offered: list[str] = []
        self.filter = pn.widgets.TextInput(
            stylesheets=[CONTROL], name="Filter the lists", width=258, visible=False,
            placeholder="part of a name, such as 2017",
        )  # fmt: skip
        self.filter.param.watch(lambda _: self._fill_lists(), "value_input")
        self.before = self._chooser("Scene, or the earlier of two")
        self.after = self._chooser("Later scene")
        self.typed = [
            pn.widgets.TextInput(
                stylesheets=[CONTROL], name=f"{which} scene", width=240,
                placeholder="folder/scene.tif, https://…, s3://…",
            )
            for which in ("First", "Later")
        ]  # fmt: skip
        for widget, chooser in zip(self.typed, (self.before, self.after), strict=True):
            widget.param.watch(
                lambda event, chooser=chooser: self._add(chooser, event.new), "value"
            )
            widget.param.watch(
                lambda _, widget=widget, chooser=chooser: self._on_enter(widget, chooser),
                "enter_pressed",
            )
        self.dates = [
            pn.widgets.TextInput(
            stylesheets=[CONTROL], name=f"Date of the {which} scene", placeholder="2017-10-22",
                                 width=240)
            for which in ("first", "later")
        ]  # fmt: skip
        self.how = {
            name: pn.widgets.TextInput(
                stylesheets=[CONTROL], name=label, placeholder=hint, width=240
            )
            for name, (label, hint) in _WORDS.items()
        }
        self.open = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="Open",
            button_type="primary",
            width=258,
            on_click=self._on_open,
        )
        self.upload = self._uploader()
        self._make_search()
        self.layout = [
            self.filter,
            self.before,
            self.after,
            self.open,
            folded("Upload a file", self.upload),
            folded("Open by path or address", *self.typed, pn.pane.HTML(
                "<p class='small muted'>Enter opens it.</p>", stylesheets=[parts.STYLE],
            )),
            folded("Search an archive", *self._search_widgets),
            folded(UNSAID, *self.dates, *self.how.values()),
        ]  # fmt: skip

    def refresh(self) -> None:
        """Show what is chosen."""
        library, scenes = self._session.library, self._session.config.scenes
        names = [
            library.name_of(s.source if isinstance(s.source, str) else s.source[0]) for s in scenes
        ]
        self._offered = list(dict.fromkeys([*library.names(), *self._found_names, *names]))
        self.filter.visible = len(self._offered) > _MANY
        self._fill_lists([*names, ""])
        for widget, scene in zip(self.dates, scenes, strict=False):
            widget.value = scene.time or ""
        first = scenes[0]
        for name, widget in self.how.items():
            value = getattr(first, name)
            text = ", ".join(value) if isinstance(value, list) else value
            widget.value = "" if text is None else f"{text}"

    def _fill_lists(self, chosen: Sequence[str] | None = None) -> None:
        """Offer the names that hold all words of the filter, and those that are chosen."""
        words = (self.filter.value_input or "").lower().split()
        fitting = [n for n in self._offered if all(w in _label(n).lower() for w in words)]
        choosers = self.before, self.after
        for widget, name in zip(choosers, chosen or [w.value for w in choosers], strict=False):
            none = {"none": ""} if widget is self.after else {}
            kept = [name] if name and name not in fitting else []
            widget.options = {**none, **{_label(one): one for one in [*kept, *fitting]}}
            widget.value = name

    # --- making -------------------------------------------------------------------

    def _chooser(self, name: str) -> Any:
        return pn.widgets.Select(stylesheets=[CONTROL], name=name, options={"…": ""}, width=258)

    def _uploader(self) -> Any:
        library = self._session.library

        class Uploader(pn.widgets.FileDropper):
            """Refuses what is too large while it comes, whatever the page promised."""

            def _process_event(self, event: Any) -> None:
                data = event.data
                held = sum(map(len, self._file_buffer.get(data.get("name"), [])))
                if held + len(data.get("data") or b"") > library.max_upload:
                    self._file_buffer.pop(data["name"], None)
                    return
                super()._process_event(event)

        dropper = Uploader(
            max_file_size=f"{library.max_upload // 1_000_000 or 1}MB", width=240, height=90,
            previews=[], layout="compact", chunk_size=5_000_000,
        )  # fmt: skip
        dropper.param.watch(self._on_upload, "value")
        self.uploaded = pn.pane.HTML(
            f"<p class='small muted'>{', '.join(UPLOAD_TYPES)}; at most "
            f"{library.max_upload / 1e6:,.0f} MB</p>",
            stylesheets=[parts.STYLE], width=240,
        )  # fmt: skip
        return pn.Column(dropper, self.uploaded, margin=0)

    def _make_search(self) -> None:
        self._found_names: list[str] = []
        self.archive = pn.widgets.TextInput(
            stylesheets=[CONTROL], name="Archive", value="planetary-computer", width=240,
            description="planetary-computer, earth-search, or the address of a STAC API",
        )  # fmt: skip
        self.place = pn.widgets.TextInput(
            stylesheets=[CONTROL],
            name="Place: longitude, latitude",
            value="-118.7081, 38.6942",
            width=240,
        )
        self.around = pn.widgets.FloatInput(
            stylesheets=[CONTROL], name="Distance around it, km", value=BUFFER / 1000, width=240,
        )  # fmt: skip
        self.period = pn.widgets.TextInput(
            stylesheets=[CONTROL],
            name="When",
            value="2017-10",
            placeholder="2017, 2017-10, FROM/TO",
            width=240,
        )
        self.cloud = pn.widgets.IntSlider(
            stylesheets=[CONTROL],
            name="Largest cloud cover, %",
            value=20,
            start=0,
            end=100,
            width=230,
        )
        self.search = pn.widgets.Button(
            stylesheets=[CONTROL], name="Search", width=240, on_click=self._on_search
        )
        self.found = pn.widgets.Select(
            stylesheets=[CONTROL], name="Found", options={}, width=240, size=6, visible=False
        )
        self.as_before = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="As first",
            width=115,
            visible=False,
            on_click=lambda _: self._use(self.before),
        )
        self.as_after = pn.widgets.Button(
            stylesheets=[CONTROL],
            name="As later",
            width=115,
            visible=False,
            on_click=lambda _: self._use(self.after),
        )
        self._search_widgets = [
            self.archive, self.place, self.around, self.period, self.cloud, self.search, self.found,
            pn.Row(self.as_before, self.as_after, margin=0),
        ]  # fmt: skip

    # --- using --------------------------------------------------------------------

    def _add(self, chooser: Any, name: str) -> None:
        """Put a name among the choices, and choose it."""
        if name.strip():
            chooser.options = {**chooser.options, _label(name.strip()): name.strip()}
            chooser.value = name.strip()

    def _on_enter(self, widget: Any, chooser: Any) -> None:
        """Open what was typed."""
        text = widget.value_input or widget.value or ""
        if text.strip():
            self._add(chooser, text)
            self._on_open(None)

    def _on_open(self, _: Any) -> None:
        chosen = [
            (chooser.value, (date.value or "").strip())
            for chooser, date in zip((self.before, self.after), self.dates, strict=True)
            if chooser.value
        ]
        how = self._how()
        self._page.choose(
            lambda: self._session.open_scenes(
                [name for name, _ in chosen], [{"time": date or None, **how} for _, date in chosen]
            ),
            1,
        )

    def _how(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, widget in self.how.items():
            text = (widget.value or "").strip()
            if text and name == "band_names":
                given[name] = [word.strip() for word in text.split(",") if word.strip()]
            elif text:
                given[name] = text
        return given

    def _on_upload(self, event: Any) -> None:
        for filename, content in dict(event.new).items():
            data = content.encode() if isinstance(content, str) else content
            self._page.choose(partial(self._keep, filename, data), 1)

    def _keep(self, filename: str, data: bytes) -> bool:
        name = self._session.library.keep(filename, data)
        self._found_names.append(name)
        return self._session.open_scenes([name])

    def _on_search(self, _: Any) -> None:
        archive, place, period = (
            widget.value or "" for widget in (self.archive, self.place, self.period)
        )
        cloud = float(self.cloud.value or 0)
        buffer = 1000 * float(self.around.value or BUFFER / 1000)

        def work(job: Job) -> Any:
            return lambda: search_archive(
                self._session.library, archive, place, period, cloud, job, buffer
            )

        self._page.start_aside(work, self._on_found, 1)

    def _on_found(self, result: Any, job: Any) -> None:
        if not self._page.done(result, job):
            return
        self.found.options = result
        self._found_names += list(result.values())
        for widget in (self.found, self.as_before, self.as_after):
            widget.visible = bool(result)

    def _use(self, chooser: Any) -> None:
        if self.found.value:
            self._add(chooser, self.found.value)


def _label(name: str) -> str:
    """Write a name for a list of choices."""
    if name.startswith(DEMO):
        return f"Walker Lake {name.removeprefix(DEMO)} (demo)"
    if name.startswith(KEPT):
        return name.partition("/")[2]
    return name
