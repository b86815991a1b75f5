"""The map of the page: any layer of any date in one frame, changed in place.

Colours are given to classes here, not in the browser, so that another clustering, a marked
cluster or another layer is a new image in the same figure: the view stays where it is. A large
scene is drawn from what is in view (`strandline.plot.zoom`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import holoviews as hv
import numpy as np
from bokeh.models import BoxSelectTool, CustomJS
from holoviews.streams import BoundsXY, Counter, PointerXY, RangeXY, Tap
from numpy.typing import NDArray

from strandline.app.outcome import Outcome
from strandline.app.preview import LARGE_AGAIN
from strandline.plot.composite import composite
from strandline.plot.dress import Pointer, frame_hook, pointed
from strandline.plot.ground import Ground
from strandline.plot.swipe import cut_hook
from strandline.plot.zoom import DIRECT_PIXELS, Layers, Raster, Window, plane
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import grid_of
from strandline.results import dates_of
from strandline.show.captions import change_text, channel_ranges, seen_text
from strandline.show.clusters import cluster_palette, too_many_text
from strandline.show.composites import composite_bands, is_true_colour
from strandline.show.display import Extent, Stretch, fit_stretch
from strandline.show.palettes import CHANNELS, Palette, change_palette, water_palette

CLUSTERS, WATER, TRUE, FALSE = "Clusters", "Water", "True colour", "False colour"
CHANGE = "Change"
LAYERS = (TRUE, FALSE, CLUSTERS, WATER)

INDICES = {
    "NDWI": ("green", "nir08"),
    "MNDWI": ("green", "swir16"),
    "NDVI": ("nir08", "red"),
}
"""Normalised differences of two bands that are layers, too, of scenes that have these."""

_INDEX_END = 0.6  # beyond it, and below its negative, an index has the colour of its end
_BARE, _NEITHER, _WET, _GREEN = (
    (166, 97, 26), (245, 245, 245), (31, 95, 168), (27, 120, 55),
)  # fmt: skip

TALLEST = 640
"""Height of the map on the screen, in pixels."""

SCREEN = 960, 800
"""Pixels of the screen that a large map is drawn for. Asking the page for its size would change
the size: each new picture is laid out again."""

_TALL = """
if (figure.inner_width > 0) {
  const around = figure.outer_height - figure.inner_height
  figure.height = Math.round(figure.inner_width / aspect) + around
}
"""

_OUTLINE = np.array([255, 255, 255, 255], np.uint8)
_LIT = np.array([255, 214, 10, 255], np.uint8)


class _View(NamedTuple):
    """What part of the map is in view."""

    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


class MapPicture:
    """One frame that shows a layer of a date.

    Parameters
    ----------
    outcome : Outcome
        What is shown first; later ones on the same grid take its place by `show`.
    on_tap, on_point : callable
        Called with x and y where the map was clicked, or pointed at.
    on_box : callable
        Called with left, bottom, right, top of a box that was drawn.
    layer : str
        One of `LAYERS`, or the change between two dates.
    swipe : bool
        Lay the first and the last date over each other, with a line to drag between them.
    """

    def __init__(
        self,
        outcome: Outcome,
        on_tap: Callable[[float, float], None],
        on_point: Callable[[float, float], None],
        on_box: Callable[[tuple[float, float, float, float]], None],
        *,
        layer: str = CLUSTERS,
        swipe: bool = False,
    ) -> None:
        self.grid = grid_of(outcome.water)
        self.layer, self.date = layer, 0
        self.outline = True
        self._swipe = swipe
        self.lit: NDArray[np.bool_] | None = None
        self._outcome = outcome
        self._rasters: dict[Any, Raster] = {}
        self._stretches: dict[str, tuple[tuple[str, ...], Stretch]] = {}
        self._last: tuple[Any, Any] = None, None
        self._ground = Ground.of(outcome.water)
        self._changed = Counter()
        # A preview is followed by a large map in the same frame.
        self._follows_view = (
            outcome.classes[0].is_large or outcome.is_preview or outcome.water.size > LARGE_AGAIN
        )
        self._figure: Any = None
        streams = [self._changed, *([RangeXY()] if self._follows_view else [])]
        below = hv.DynamicMap(self._draw, streams=streams)
        if swipe:
            self.picture = below * hv.DynamicMap(self._draw_last, streams=streams)
            return
        # The pointer reads the classes, whatever is shown. What listens belongs to one layer.
        read = hv.DynamicMap(self._draw_read, streams=streams)
        self.picture = below * read
        Tap(source=read).add_subscriber(_placed(on_tap))
        PointerXY(source=read).add_subscriber(_placed(on_point))
        BoundsXY(source=read).add_subscriber(
            lambda bounds: on_box(box_of(bounds)) if bounds else None
        )

    @property
    def aspect(self) -> float:
        """Width by height."""
        return float(self._ground.aspect)

    def fits(self, outcome: Outcome) -> bool:
        """Whether an outcome fills the frame of this map: on its grid, or as its preview did."""
        grid = grid_of(outcome.water)
        if not self._follows_view:
            return bool(grid == self.grid)
        edges = zip(grid.boundingbox, self.grid.boundingbox, strict=True)
        pixel = max(abs(one.resolution.x) for one in (grid, self.grid))
        return grid.crs == self.grid.crs and all(abs(a - b) <= pixel for a, b in edges)

    def begin_box(self) -> bool:
        """Have the next drag on the map draw a box; False if there is no figure yet."""
        if self._figure is None:
            return False
        tools = self._figure.toolbar.tools
        boxes = [tool for tool in tools if isinstance(tool, BoxSelectTool)]
        if boxes:
            self._figure.toolbar.active_drag = boxes[0]
        return bool(boxes)

    def show(
        self,
        outcome: Outcome | None = None,
        *,
        layer: str | None = None,
        date: int | None = None,
        lit: NDArray[np.bool_] | None = None,
    ) -> None:
        """Show something else in the same frame; what is not named stays."""
        if outcome is not None and outcome is not self._outcome:
            same = outcome.prepared is self._outcome.prepared
            kept = (TRUE, FALSE, *INDICES) if same else ()
            self._rasters = {k: v for k, v in self._rasters.items() if k[0] in kept}
            self._stretches = self._stretches if same else {}
            self._outcome = outcome
            self.grid, self._ground = grid_of(outcome.water), Ground.of(outcome.water)
        self._last = None, None
        self.layer = layer or self.layer
        self.date = min(self.date if date is None else date, self._dates - 1)
        if lit is not None or self.lit is not None:
            self.lit = lit
            self._rasters = {k: v for k, v in self._rasters.items() if k[0] != CLUSTERS}
        self._changed.event(counter=self._changed.counter + 1)

    @property
    def headline(self) -> str:
        """What is shown, of which date, and what saw it."""
        if self.layer == CHANGE and self._outcome.change is not None:
            return f"Water lost and gained · {change_text(self._outcome.change)}"
        shown = [0, self._dates - 1] if self._swipe else [self.date]
        scenes = self._outcome.prepared.views
        told = " | ".join(filter(None, (seen_text([scenes[number]]) for number in shown)))
        what = self.layer
        if self.layer in (TRUE, FALSE):
            what = f"{self.layer}, reflectance from dark to bright"
        elif self.layer in INDICES:
            one, other = INDICES[self.layer]
            what = f"{self.layer} = ({one} − {other}) / ({one} + {other})"
        elif self.layer == CLUSTERS:
            note = too_many_text(self._outcome.segmentation.sizes["cluster"]).removesuffix(".")
            what = " · ".join(filter(None, (what, note)))
        return " · ".join(filter(None, (what, told)))

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Name and colour of all that the layer shows."""
        if self.layer in (TRUE, FALSE):
            return [
                (f"{band} {span}", CHANNELS[channel])
                for channel, band, span in channel_ranges(*self._stretch(self.layer))
            ]
        if self.layer in INDICES:
            texts = (f"−{_INDEX_END} and less", "0", f"{_INDEX_END} and more")
            colours = _index_colours(np.array([-_INDEX_END, 0.0, _INDEX_END]), self.layer)
            return [
                (text, "#{:02x}{:02x}{:02x}".format(*colour[:3]))
                for text, colour in zip(texts, colours.tolist(), strict=True)
            ]
        if self.layer == CLUSTERS:
            palette = clusters_of(self._outcome)
        else:
            palette = water_palette() if self.layer == WATER else change_palette()
        return [(category.name, category.colour) for category in palette.categories]

    @property
    def _dates(self) -> int:
        return int(self._outcome.water.sizes["time"])

    # --- drawing ----------------------------------------------------------------

    def _draw(self, counter: int = 0, **view: Any) -> Any:
        del counter  # says only that something has changed
        return self._image(self.date, _View(**view)).opts(**self._frame())

    def _draw_last(self, counter: int = 0, **view: Any) -> Any:
        del counter
        image = self._image(self._dates - 1, _View(**view))
        left, bottom, right, top = image.bounds.lbrt()
        hook = cut_hook(Extent(left, right, bottom, top), 0)
        return image.opts(**self._frame(hook))

    def _draw_read(self, counter: int = 0, **view: Any) -> Any:
        del counter
        classes, extent = self._seen(CLUSTERS, self.date, _View(**view))
        return plane(classes, extent).opts(**self._pointed())

    def _image(self, date: int, view: _View) -> Any:
        if self.layer in (TRUE, FALSE):
            values, extent = self._seen(self.layer, date, view)
            return composite(list(values.values()), self._stretch(self.layer)[1], extent)
        if self.layer in INDICES:
            values, extent = self._seen(self.layer, date, view)
            one, other = (values[band].astype(float) for band in INDICES[self.layer])
            with np.errstate(divide="ignore", invalid="ignore"):
                index = (one - other) / (one + other)
            return _coloured(_index_colours(index, self.layer), extent)
        classes, extent = self._seen(CLUSTERS, date, view)
        return _coloured(self._colours(classes), extent)

    def _colours(self, classes: Layers) -> NDArray[np.uint8]:
        if self.layer == WATER:
            return _bytes(water_palette().rgba_table())[classes["water"]]
        if self.layer == CHANGE:
            return _bytes(change_palette().rgba_table())[classes["change"]]
        colours = _bytes(clusters_of(self._outcome).rgba_table())[classes["cluster"]]
        if self.outline:
            colours[_edges(classes["water"])] = _OUTLINE
        if "lit" in classes:
            lit = classes["lit"] == 1
            colours[~lit] = colours[~lit] // 3 + 150
            colours[lit] = _LIT
            colours[classes["cluster"] == NOT_OBSERVED] = 0
        return colours

    def _seen(self, layer: str, date: int, view: _View) -> tuple[Layers, Extent]:
        raster = self._raster(layer, date)
        if not self._follows_view:
            return raster.read()
        e = raster.extent
        part = raster.window(view.x_range or (e.left, e.right), view.y_range or (e.bottom, e.top))
        # Beside the map there is nothing to see; one pixel of it stands for that.
        part = part or Window(0, 1, 0, 1)
        # Two layers of one frame show the same part.
        key = (layer, date, id(raster), part)
        if self._last[0] != key:
            self._last = key, raster.seen(part, SCREEN, DIRECT_PIXELS)
        seen: tuple[Layers, Extent] = self._last[1]
        return seen

    def _raster(self, layer: str, date: int) -> Raster:
        key = (layer, date)
        if key not in self._rasters:
            made = self._of_classes(date) if layer == CLUSTERS else self._of_bands(layer, date)
            self._rasters[key] = made
        return self._rasters[key]

    def _of_classes(self, date: int) -> Raster:
        classes = self._outcome.classes[date]
        if self.lit is None:
            return classes
        labels = classes.layers["cluster"]
        lit = labels.copy(data=_stretched(self.lit, labels.shape).astype(np.uint8))
        return Raster({**classes.layers, "lit": lit})

    def _of_bands(self, layer: str, date: int) -> Raster:
        bands = INDICES[layer] if layer in INDICES else self._stretch(layer)[0]
        scene = self._outcome.prepared.scenes.isel(time=date)
        raster = Raster({band: scene.sel(band=band, drop=True) for band in bands})
        view = self._outcome.prepared.views.isel(time=date)
        if view.shape[-2:] != scene.shape[-2:]:
            # It was thinned out already, when the scene was read.
            arrays = {band: np.asarray(view.sel(band=band)) for band in bands}
            step = -(-max(scene.shape[-2:]) // max(view.shape[-2:]))
            vars(raster)["overview"] = arrays, step
        return raster

    def _stretch(self, layer: str) -> tuple[tuple[str, ...], Stretch]:
        if layer not in self._stretches:
            views = list(self._outcome.prepared.views)
            bands, _ = composite_bands(views, None, natural=layer == TRUE)
            natural = is_true_colour(bands)
            self._stretches[layer] = bands, fit_stretch(views, bands, natural=natural)
        return self._stretches[layer]

    # --- dressing ---------------------------------------------------------------

    def _frame(self, *more: Any) -> dict[str, Any]:
        return {
            # As wide as there is room; the page sets the height, by the width that it got. With an
            # aspect HoloViews would lay the frame out anew, smaller, with every picture.
            "responsive": True,
            "height": 400,
            "xaxis": None,
            "yaxis": None,
            "toolbar": "above",
            "default_tools": ["pan", "wheel_zoom", "reset"],
            "active_tools": ["pan", "wheel_zoom"],
            "hooks": [frame_hook(self._ground), self._plain, *more],
            "backend_opts": {"plot.toolbar.logo": None},
        }

    def _pointed(self) -> dict[str, Any]:
        names = {
            "cluster": {number: str(number) for number in range(NOT_OBSERVED)},
            "water": {0: "no", 1: "yes"},
        }
        if self._outcome.change is not None:
            names["change"] = {c.value: c.name for c in change_palette().categories}
        pointer = Pointer(self._ground, names, {})
        return {
            **pointed(pointer, "cluster"),
            "alpha": 0.0,
            "tools": ["hover", BoxSelectTool(persistent=True)],
        }

    def _plain(self, plot: Any, _element: Any) -> None:
        figure = self._figure = plot.state
        if not figure.js_property_callbacks:
            args = {"aspect": self.aspect, "figure": figure}
            figure.js_on_change("inner_width", CustomJS(args=args, code=_TALL))
            widest = round(TALLEST * self.aspect)
            wide = f":host {{ width: 100% !important; max-width: {widest}px !important; }}"
            figure.stylesheets = [*figure.stylesheets, wide]
        figure.min_border = 0
        figure.outline_line_color = "#c7d0d8"
        figure.border_fill_color = None
        figure.background_fill_color = "#eef1f4"


def clusters_of(outcome: Outcome) -> Palette:
    """Return the colours of the clusters, and what they look like, by the evidence of water."""
    return cluster_palette(outcome.segmentation["signature_mean"], outcome.evidence)


def cluster_names(outcome: Outcome) -> dict[int, str]:
    """Return the name of each cluster: its number and what its mean spectrum looks like."""
    return {c.value: f"Cluster {c.value}, {c.name}" for c in clusters_of(outcome).categories}


def layers_of(outcome: Outcome) -> list[str]:
    """List the layers that a map can show: of indices those that the bands allow."""
    bands = {str(band) for band in outcome.prepared.scenes["band"].values}
    return [*LAYERS, *(name for name, pair in INDICES.items() if bands.issuperset(pair))]


def date_names(outcome: Outcome) -> list[str]:
    """Name the dates for a selector."""
    return [name or f"scene {i + 1}" for i, name in enumerate(dates_of(outcome.water))]


def box_of(bounds: Any) -> tuple[float, float, float, float]:
    """Give left, bottom, right, top as plain numbers."""
    left, bottom, right, top = map(float, bounds)
    return left, bottom, right, top


def _placed(call: Callable[[float, float], None]) -> Callable[..., None]:
    def told(x: float | None = None, y: float | None = None) -> None:
        if x is not None and y is not None:
            call(float(x), float(y))

    return told


def _bytes(table: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(255 * table).astype(np.uint8)


def _coloured(colours: NDArray[np.uint8], extent: Extent) -> Any:
    return hv.RGB(
        colours,
        bounds=(extent.left, extent.bottom, extent.right, extent.top),
        vdims=[*hv.RGB.vdims, hv.RGB.alpha_dimension],
    )


def _index_colours(index: NDArray[np.float64], layer: str) -> NDArray[np.uint8]:
    """Colour an index from bare ground over neither to water, or vegetation; clear if unknown."""
    stops = np.array([_BARE, _NEITHER, _GREEN if layer == "NDVI" else _WET], float)
    places = (-_INDEX_END, 0.0, _INDEX_END)
    known = np.isfinite(index)
    shown = np.where(known, index, 0.0)
    channels = [np.interp(shown, places, stops[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.where(known, 255, 0)], axis=-1).round().astype(np.uint8)


def _edges(water: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pixels of water that have land beside them."""
    wet = water == 1
    land = water == 0
    beside = np.zeros(wet.shape, bool)
    beside[1:] |= land[:-1]
    beside[:-1] |= land[1:]
    beside[:, 1:] |= land[:, :-1]
    beside[:, :-1] |= land[:, 1:]
    beside &= wet
    return beside


def _stretched(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Bring a mask of the thinned out view to the pixels of the map."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, mask.shape, strict=True))
    wide: NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return wide
