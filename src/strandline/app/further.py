"""Choices that most people leave as they are, folded away in cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from strandline.app import parts
from strandline.app.looks import CONTROL, FOLDED
from strandline.app.problem import LABELS
from strandline.configuration import StudyConfig
from strandline.export.vector import missing_packages
from strandline.prepare.classes import NOT_OBSERVED
from strandline.scenes.quality import DEFAULT_REASONS
from strandline.segmentation.segment import SUBCLUSTERS

MOST_CLUSTERS = NOT_OBSERVED - 1
"""Labels are bytes, and the highest means not observed."""

_COMPARABLE = {
    "harmonize": (
        LABELS["harmonize"],
        "Adjusts the reflectance of TM, ETM+ and Sentinel-2 to that of Landsat 8 and 9.",
    ),
    "normalize": (
        LABELS["normalize"],
        "Relative radiometric normalisation of the second date to the first, by stable pixels.",
    ),
    "correct_shift": (
        LABELS["correct_shift"],
        "Co-registration: moves the second date onto the first if the two are shifted.",
    ),
}
_RESAMPLINGS = {
    "as measured": "measured", "nearest": "nearest", "bilinear": "bilinear", "cubic": "cubic",
    "average": "average",
}  # fmt: skip
_CONFLICTS = {"the quality band": "quality", "the spectrum": "spectrum"}
_REASONS = {
    "cloud": "cloud", "near cloud": "dilated_cloud", "cirrus": "cirrus",
    "cloud shadow": "cloud_shadow", "snow": "snow", "saturated": "saturated",
}  # fmt: skip
_FORMATS = {"GeoPackage": "gpkg", "GeoJSON": "geojson", "GeoParquet": "parquet"}


def folded(title: str, *content: Any) -> Any:
    """Fold widgets away under a title."""
    header = pn.pane.HTML(parts.folded_title(title), stylesheets=[parts.STYLE], margin=(2, 0))
    return pn.Card(
        *content, header=header, collapsed=True, width=258, margin=(3, 10),
        stylesheets=[FOLDED],
    )  # fmt: skip


def box_to_tick(label: str, **options: Any) -> Any:
    """Make a box to tick; its value is an empty list while it is not ticked.

    It is a group of one, whose words can be clicked; those of a `Checkbox` cannot.
    """
    return pn.widgets.CheckBoxGroup(stylesheets=[CONTROL], options=[label], **options)


class Further:
    """The cards, and what happens when their widgets are used.

    Parameters
    ----------
    choose : callable
        Takes fields of `StudyConfig` that were chosen.
    place_lake : callable
        Takes what was typed as a point in a lake.
    """

    def __init__(self, choose: Callable[..., None], place_lake: Callable[[str], None]) -> None:
        self._choose = choose
        self._place_lake = place_lake
        self.checks = {
            name: box_to_tick(label, margin=(6, 5, 0, 5))
            for name, (label, _) in _COMPARABLE.items()
        }
        self.comparable = folded("Make the dates comparable", *self._explained())
        self.more = folded("More", *self._make_more())
        self.lake = folded("Measure one lake separately", *self._make_lake())
        self.polygons = folded("Polygons", *self._make_polygons())
        self.polygons.visible = not missing_packages()
        for name, check in self.checks.items():
            self._tell(check, name, bool)

    def refresh(self, config: StudyConfig) -> None:
        """Set the widgets to what is chosen."""
        self.comparable.visible = len(config.scenes) == 2
        for name, check in self.checks.items():
            check.value = list(check.options) if getattr(config, name) else []
        self.subclusters.value = _text(config.n_subclusters)
        self.subclusters.placeholder = str(max(SUBCLUSTERS, config.n_clusters))
        self.crs.value = config.crs or ""
        self.resolution.value = _text(config.resolution)
        if config.resampling not in self.resampling.options.values():
            self.resampling.options = {**_RESAMPLINGS, config.resampling: config.resampling}
        self.resampling.value = config.resampling
        given = DEFAULT_REASONS if config.mask is None else config.mask
        self.mask.value = [reason for reason in _REASONS.values() if reason in given]
        self.conflicts.value = config.conflicts
        self.seed.value = config.seed
        self.point.value = "" if config.water_at is None else ", ".join(map(_text, config.water_at))
        self.formats.value = ["gpkg"] if config.vectors is None else list(config.vectors)
        self.smallest.value = _text(config.min_pixels)

    # --- making -------------------------------------------------------------------

    def _explained(self) -> list[Any]:
        texts = [text for _, text in _COMPARABLE.values()]
        return [
            widget
            for check, text in zip(self.checks.values(), texts, strict=True)
            for widget in (check, _help(text))
        ]

    def _make_more(self) -> list[Any]:
        self.subclusters = pn.widgets.TextInput(
            stylesheets=[CONTROL], name=LABELS["n_subclusters"], width=230,
            description="How many subclusters are judged as water or not; "
            f"at least one per cluster, at most {MOST_CLUSTERS}.",
        )  # fmt: skip
        self.crs = pn.widgets.TextInput(
            stylesheets=[CONTROL], name=LABELS["crs"], width=230,
            placeholder="that of the first scene",
            description="A code such as EPSG:32611, a name or WKT. Another CRS than the scene's "
            "needs a pixel size, too.",
        )  # fmt: skip
        self.resolution = pn.widgets.TextInput(
            stylesheets=[CONTROL], name=LABELS["resolution"], width=230,
            placeholder="that of the first scene",
        )  # fmt: skip
        self.resampling = pn.widgets.Select(
            stylesheets=[CONTROL], name=LABELS["resampling"], width=230,
            options=_RESAMPLINGS,
        )  # fmt: skip
        self.mask = pn.widgets.MultiChoice(
            stylesheets=[CONTROL], name=LABELS["mask"], width=230,
            options=_REASONS, placeholder="nothing",
        )  # fmt: skip
        self.conflicts = pn.widgets.Select(
            stylesheets=[CONTROL], name=LABELS["conflicts"],
            width=230, options=_CONFLICTS,
        )  # fmt: skip
        self.seed = pn.widgets.IntInput(
            stylesheets=[CONTROL], name=LABELS["seed"], width=110,
        )  # fmt: skip
        self._tell(self.subclusters, "n_subclusters", _typed)
        self._tell(self.crs, "crs", _typed)
        self._tell(self.resolution, "resolution", _typed)
        self._tell(self.resampling, "resampling")
        self._tell(self.mask, "mask", _reasons)
        self._tell(self.conflicts, "conflicts")
        self._tell(self.seed, "seed")
        return [
            self.subclusters, self.crs, self.resolution, self.resampling, self.mask,
            self.conflicts, self.seed,
        ]  # fmt: skip

    def _make_lake(self) -> list[Any]:
        self.point = pn.widgets.TextInput(
            stylesheets=[CONTROL], name=LABELS["water_at"], width=230,
            placeholder="such as -118.71, 38.69",
        )  # fmt: skip
        self.point.param.watch(lambda event: self._place_lake(event.new), "value")
        return [self.point, _help("What lies there is water, and the lake around it is measured "
                                  "separately, too.")]  # fmt: skip

    def _make_polygons(self) -> list[Any]:
        self.formats = pn.widgets.CheckBoxGroup(
            stylesheets=[CONTROL], name="Formats", options=_FORMATS, margin=(4, 5)
        )
        self.smallest = pn.widgets.TextInput(
            stylesheets=[CONTROL], name=LABELS["min_pixels"], width=230, placeholder="any"
        )
        self._tell(self.formats, "vectors", lambda names: None if names == ["gpkg"] else names)
        self._tell(self.smallest, "min_pixels", _typed)
        text = _help("Water and shorelines, in the folder of results.")
        return [text, self.formats, self.smallest]

    def _tell(self, widget: Any, name: str, value_of: Callable[[Any], Any] | None = None) -> None:
        """Have what is chosen told under its name."""

        def tell(event: Any) -> None:
            self._choose(**{name: event.new if value_of is None else value_of(event.new)})

        widget.param.watch(tell, "value")


def _help(text: str) -> Any:
    return pn.pane.HTML(
        f"<p class='small muted'>{text}</p>", stylesheets=[parts.STYLE], width=230,
        margin=(4, 5, 2, 5),
    )  # fmt: skip


def _reasons(chosen: list[str]) -> list[str] | None:
    """Give what counts as not observed; None if it is the usual. Pixels without data always do."""
    named = [reason for reason in DEFAULT_REASONS if reason == "fill" or reason in chosen]
    named += [reason for reason in chosen if reason not in named]
    return None if tuple(named) == DEFAULT_REASONS else named


def _typed(text: str | None) -> str | None:
    return (text or "").strip() or None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
