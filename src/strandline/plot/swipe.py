"""Two dates in one frame, with a line to drag between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import xarray as xr

from strandline.errors import ConfigurationError, GridMismatchError
from strandline.plot.composite import band_layers, composite
from strandline.plot.dress import (
    Pointer,
    class_colours,
    class_legend,
    frame,
    key_hook,
    pointed,
)
from strandline.plot.engine import holoviews
from strandline.plot.ground import Ground
from strandline.plot.view import View
from strandline.plot.zoom import DIRECT_PIXELS, Layers, Raster, drawn, plane
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid
from strandline.show.captions import seen_text
from strandline.show.composites import composite_bands, is_true_colour
from strandline.show.display import Extent, fit_stretch
from strandline.show.palettes import palette_for

_BEFORE, _AFTER = "before ", "after "

# Empties the later image to the left of the line. The page keeps a copy of each whole image.
_CUT = """
const copies = new WeakMap()
export default ({source, line, empty}) => {
  const image = source.data.image[0]
  if (image == null || image.shape == null) return
  if (!copies.has(image)) copies.set(image, image.BYTES_PER_ELEMENT == 4
    ? new Uint32Array(image) : new Uint8Array(image))
  const [rows, columns] = image.shape
  const part = (line.location - source.data.x[0]) / source.data.dw[0]
  const count = Math.max(0, Math.min(columns, Math.round(part * columns)))
  image.set(copies.get(image))
  for (let row = 0; row < rows; row++) image.fill(empty, row * columns, row * columns + count)
  source.change.emit()
}
"""


def swipe(
    before: xr.DataArray,
    after: xr.DataArray,
    *,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw two dates one over the other, with a line to drag between them.

    Left of the line is the earlier one. The pointer tells the reflectance, or the class, on both.

    Parameters
    ----------
    before, after : DataArray
        Two scenes, dims (band, y, x), drawn in true colour with one stretch; or two maps of
        classes, dims (y, x), such as water masks. On one grid.
    geo, tiles, width, max_pixels
        As for `strandline.plot.bands`.

    Returns
    -------
    holoviews.Overlay or DynamicMap
        It moves in a page without a server, too.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    GridMismatchError
        If the two are on different grids.
    ConfigurationError
        If they are not two scenes, nor two maps of classes.
    """
    holoviews("swipe")
    pair = stored_classes(before), stored_classes(after)
    shapes = {tuple(sorted(map(str, one.dims))) for one in pair}
    if shapes not in ({("band", "x", "y")}, {("x", "y")}):
        raise ConfigurationError(
            "These cannot be laid over each other.",
            expected="two scenes of dims (band, y, x), or two maps of dims (y, x)",
            got=" and ".join(str(tuple(map(str, one.dims))) for one in (before, after)),
        )
    grids = grid_of(pair[0]), grid_of(pair[1])
    if not same_grid(*grids):
        raise GridMismatchError(
            "The two dates are not on one grid.",
            expected=describe_grid(grids[0]),
            got=describe_grid(grids[1]),
            remedy="Stack the scenes with stack_scenes.",
        )
    view = View(geo, tiles, width, max_pixels)
    dates = [
        seen_text([one]) or name.strip() for one, name in zip(pair, (_BEFORE, _AFTER), strict=True)
    ]
    title = f"{dates[0]} | {dates[1]} · drag the line"
    draw = _scenes if "band" in before.dims else _masks
    return view.over_tiles(draw(*pair, title, view))


def _scenes(before: xr.DataArray, after: xr.DataArray, title: str, view: View) -> Any:
    chosen, _ = composite_bands([before, after], None, natural=True)
    stretch = fit_stretch([before, after], chosen, natural=is_true_colour(chosen))
    first, second = (band_layers(view.placed(scene)) for scene in (before, after))
    values = {_BEFORE + b: v for b, v in first.items()}
    values |= {_AFTER + b: v for b, v in second.items()}
    rows = {b: [_BEFORE + b, _AFTER + b] for b in first if b in second}
    ground = Ground.of(next(iter(values.values())))
    read = next(iter(values))

    def picture(layers: Layers, extent: Extent) -> Any:
        below, above = (
            composite([layers[when + b] for b in chosen], stretch, extent).opts(
                alpha=view.alpha, **frame(ground, title, view.wide(1))
            )
            for when in (_BEFORE, _AFTER)
        )
        pointer = Pointer(ground, {}, rows)
        return (
            below
            * above.opts(hooks=[cut_hook(extent, 0), key_hook(chosen, stretch)])
            * plane(layers, extent).opts(alpha=0, **pointed(pointer, read))
        )

    return drawn({"": Raster(values)}, lambda _: picture, view.max_pixels)


def _masks(before: xr.DataArray, after: xr.DataArray, title: str, view: View) -> Any:
    palette = max((palette_for(one) for one in (before, after)), key=lambda p: len(p.categories))
    layers = {"before": view.placed(before), "after": view.placed(after)}
    names = {c.value: c.name for c in palette.categories}
    ground = Ground.of(layers["before"])

    def picture(arrays: Layers, extent: Extent) -> Any:
        options = {
            **frame(ground, title, view.wide(1)), **class_colours(palette), "alpha": view.alpha
        }  # fmt: skip
        pointer = Pointer(ground, dict.fromkeys(layers, names), {})
        below = plane(arrays, extent).opts(
            **options, **class_legend(palette, {}), **pointed(pointer, "before")
        )
        above = plane({"after": arrays["after"]}, extent)
        return below * above.opts(**options, hooks=[cut_hook(extent, NOT_OBSERVED)])

    return drawn({"": Raster(layers)}, lambda _: picture, view.max_pixels)


def cut_hook(extent: Extent, empty: int) -> Callable[[Any, Any], None]:
    """Make the hook that lays the line over a plot, and cuts the plot's image off at it."""

    def hook(plot: Any, _element: Any) -> None:
        from bokeh.models import CustomJS
        from bokeh.models.annotations import Span

        figure = plot.state
        if figure.select({"name": "swipe"}):
            return
        line = Span(
            name="swipe",
            dimension="height",
            location=(extent.left + extent.right) / 2,
            editable=True,
            line_color="#111111",
            line_width=4,
            hover_line_color="#d9541e",
        )
        source = plot.handles["source"]
        cut = CustomJS(args={"source": source, "line": line, "empty": empty}, code=_CUT)
        line.js_on_change("location", cut)
        source.js_on_change("data", cut)
        figure.js_on_change("inner_width", cut)  # the page has just been laid out
        figure.add_layout(line)

    return hook
