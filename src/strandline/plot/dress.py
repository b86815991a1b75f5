"""What surrounds a picture and follows the pointer: title, axes, scale, legend, hover."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from strandline.plot.ground import Ground
from strandline.prepare.classes import NOT_OBSERVED
from strandline.show.captions import channel_ranges
from strandline.show.display import Stretch
from strandline.show.palettes import Palette

_STILL = 150
"""Milliseconds without another turn of the wheel after which what is in view is drawn anew."""

UNSEEN_NAME = "not observed"

_LETTER = 7  # pixels of the screen that one of a title takes, about

# The measured values are read here, too: Bokeh itself writes NaN where one is missing.
_PLACE = """
const x = special_vars.x, y = special_vars.y
if (format.startsWith("value:")) {
  const plane = source.data[format.slice(6)][0]
  const value = plane[special_vars.image_index.flat_index]
  return Number.isFinite(value) ? value.toFixed(4) : unseen
}
if (format == "map") return x.toFixed(digits) + ", " + y.toFixed(digits)
const u = (x - fit.middle[0]) / fit.half[0], v = (y - fit.middle[1]) / fit.half[1]
let lon = 0, lat = 0
fit.powers.forEach(([i, j], n) => {
  const term = Math.pow(u, i) * Math.pow(v, j)
  lon += fit.lon[n] * term
  lat += fit.lat[n] * term
})
return lon.toFixed(5) + "°, " + lat.toFixed(5) + "°"
"""
_NAME = "return value in names ? names[value] : unseen"
_KILOMETRES = """
const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1000
const digits = Math.max(0, Math.min(3, Math.ceil(3 - Math.log10(step))))
return (tick / 1000).toFixed(digits)
"""


@dataclass(frozen=True)
class Pointer:
    """What the pointer tells about the pixel below it.

    Attributes
    ----------
    ground : Ground
        For its coordinates.
    names : dict of str to dict of int to str
        Layers of classes: stored value to name.
    values : dict of str to sequence of str
        Rows of measured values: the layers whose values stand in it.
    """

    ground: Ground
    names: Mapping[str, Mapping[int, str]]
    values: Mapping[str, Sequence[str]]

    def rows(self, first: str) -> list[tuple[str, str]]:
        """Name and field of each row; `first` is the layer that is drawn."""
        rows = [(layer, f"{_field(layer, first)}{{name}}") for layer in self.names]
        if not self.ground.is_mercator:
            rows.append(("x, y", "$x{map}"))
        if self.ground.crs is not None:
            rows.append(("lon, lat", "$x{degrees}"))
        for row, layers in self.values.items():
            columns = (_column(layer, first) for layer in layers)
            rows.append((row, " → ".join(f"$x{{value:{column}}}" for column in columns)))
        return rows

    def formatters(self, first: str, source: Any) -> dict[str, Any]:
        """Bokeh's formatters of those rows, for the source of the image that is pointed at.

        They are new ones, as each belongs to one page.
        """
        from bokeh.models import CustomJSHover

        fit = self.ground.degrees
        args = {
            "digits": 5 if self.ground.in_degrees else 1,
            "fit": vars(fit) if fit else {},
            "source": source,
            "unseen": UNSEEN_NAME,
        }
        found: dict[str, Any] = {"$x": CustomJSHover(args=args, code=_PLACE)}
        for layer, names in self.names.items():
            text = json.dumps({str(value): name for value, name in names.items()})
            code = f"const names = {text}, unseen = {json.dumps(UNSEEN_NAME)}\n{_NAME}"
            found[_field(layer, first)] = CustomJSHover(code=code)
        return found


def _field(layer: str, first: str) -> str:
    """Refer to a layer as tooltips do."""
    column = _column(layer, first)
    return "@image" if column == "image" else f"@{{{column}}}"


def _column(layer: str, first: str) -> str:
    """Name a layer as Bokeh does: HoloViews renames the one that is drawn, and odd names."""
    from holoviews.core.util import dimension_sanitizer

    return "image" if layer == first else str(dimension_sanitizer(layer))


def pointed(pointer: Pointer, first: str) -> dict[str, Any]:
    """Options of an image that the pointer reads."""
    return {
        "tools": ["hover"],
        "hover_tooltips": pointer.rows(first),
        "hooks": [frame_hook(pointer.ground), hover_hook(pointer, first)],
    }


def hover_hook(pointer: Pointer, first: str) -> Callable[[Any, Any], None]:
    """Make the hook that gives a plot's hover its formatters.

    They are Bokeh models, which belong to one page only, so each plot gets its own.
    """

    def hook(plot: Any, _element: Any) -> None:
        hover = plot.handles.get("hover")
        if hover is not None and not hover.formatters:
            hover.formatters = pointer.formatters(first, plot.handles["source"])
            hover.muted_policy = "ignore"

    return hook


def frame_hook(ground: Ground) -> Callable[[Any, Any], None]:
    """Make the hook that marks the axes and keeps the proportions."""

    def hook(plot: Any, _element: Any) -> None:
        from bokeh.models import (
            BoxZoomTool,
            CustomJSTickFormatter,
            MercatorTicker,
            MercatorTickFormatter,
        )

        figure = plot.state
        figure.sizing_mode = None  # the frame is fixed, what is around it is as large as it needs
        figure.lod_timeout = _STILL
        figure.x_range.min_interval, figure.y_range.min_interval = ground.closest
        for tool in figure.toolbar.tools:
            if isinstance(tool, BoxZoomTool):
                tool.match_aspect = True
        sides: tuple[tuple[Any, Literal["lon", "lat"]], ...]
        sides = (figure.xaxis[0], "lon"), (figure.yaxis[0], "lat")
        for axis, dimension in sides:
            if ground.is_mercator and not isinstance(axis.formatter, MercatorTickFormatter):
                axis.ticker = MercatorTicker(dimension=dimension, desired_num_ticks=4)
                axis.formatter = MercatorTickFormatter(dimension=dimension)
            if ground.in_kilometres and not isinstance(axis.formatter, CustomJSTickFormatter):
                axis.formatter = CustomJSTickFormatter(code=_KILOMETRES)
                axis.ticker.desired_num_ticks = 5
        if ground.crs is not None and not figure.select({"name": "scale"}):
            figure.add_layout(_scale_bar(ground, figure.x_range))

    return hook


def key_hook(bands: Sequence[str], stretch: Stretch) -> Callable[[Any, Any], None]:
    """Make the hook that says below a composite which band each of its colours shows."""
    parts = [
        f"{channel}: {band} {span}" if channel != band else f"{band} {span}"
        for channel, band, span in channel_ranges(bands, stretch)
    ]

    def hook(plot: Any, _element: Any) -> None:
        from bokeh.models.annotations import Title

        figure = plot.state
        if figure.select({"name": "key"}):
            return
        # Lines of their own fit below the narrowest picture.
        text = "Reflectance from dark to bright\n" + "\n".join(parts)
        key = Title(name="key", text=text, text_font_size="9pt", text_font_style="normal")
        figure.add_layout(key, "below")

    return hook


_TRUE_TO_SCALE = 2e-3
"""Projected metres within this of metres on the ground are taken for them by the scale bar: those
of UTM are. Where they are longer, as around a pole, the bar is as much too long."""


def _scale_bar(ground: Ground, across: Any) -> Any:
    """Make a bar of true length in the middle of the picture, whatever the CRS stretches."""
    from bokeh.models.annotations import ScaleBar
    from bokeh.models.annotations.dimensional import ImperialLength

    metres = ground.metres[0]
    if ground.in_degrees:
        own = "°"
    elif metres < 1 - _TRUE_TO_SCALE:
        own = "units"
    else:  # Bokeh would write bars below 1 km in the units of the CRS, as they are the larger
        own = "m" if metres < 900 else "km"
    lengths: Any = {"m": (1.0, "m"), "km": (1000.0, "km"), own: (metres, own)}
    return ScaleBar(
        name="scale",
        range=across,
        unit=own,
        # Of Bokeh's lengths, this one takes any units.
        dimensional=ImperialLength(
            basis=lengths,
            ticks=[1, 2, 5, 10, 20, 50, 100, 200, 500],
        ),
        location="bottom_left",
        background_fill_alpha=0.75,
        border_line_color=None,
        padding=6,
        margin=6,
        bar_length=0.25,
        bar_line_width=2,
        label_text_font_size="11px",
    )


def class_colours(palette: Palette, *, over_tiles: bool = False) -> dict[str, Any]:
    """Options that colour a map of classes.

    One colour per class, and a last, empty one for what was not observed, which is not drawn. Land
    of masks is transparent over tiles.
    """
    colours = [c.colour + ("00" if c.clear and over_tiles else "") for c in palette.categories]
    return {
        "cmap": [*colours, "#ffffff"],
        "clim": (-0.5, len(palette.categories) + 0.5),
        "clipping_colors": {"max": "transparent", "NaN": "transparent"},
    }


def class_legend(palette: Palette, notes: Mapping[int, str]) -> dict[str, Any]:
    """Options that name the classes beside the map, with a note each."""
    names = [*((c.value, c.name) for c in palette.categories), (NOT_OBSERVED, UNSEEN_NAME)]
    ticks = [
        (place, "  ".join(filter(None, (name, notes.get(value)))))
        for place, (value, name) in enumerate(names)
    ]
    return {
        "colorbar": True,
        "cticks": ticks,
        "clabel": "",
        "colorbar_opts": {
            "major_tick_line_color": None,
            "bar_line_color": "#c0c0c0",
            "width": 14,
        },
    }


def frame(ground: Ground, title: str, width: int) -> dict[str, Any]:
    """Options that every picture has; a title that is too long for it gets several lines."""
    x, y = ground.axis_names
    return {
        "frame_width": width,
        "frame_height": max(round(width / ground.aspect), 40),
        "title": "\n".join(textwrap.wrap(title, max(width // _LETTER, 20))),
        "xlabel": x,
        "ylabel": y,
        "active_tools": ["wheel_zoom"],
        "fontsize": {"title": "11pt", "labels": "9pt", "ticks": "8pt", "cticks": "9pt"},
    }
