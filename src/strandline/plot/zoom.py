"""What of a raster is drawn: all of it, or for a large one what is in view, by Datashader.

A large raster is never sent to the page as a whole. Seen from afar, it is drawn from an overview
that is made once, each block by its commonest class and the mean of its values. Closer, the part
in view is read and thinned out to the pixels of the screen; closer still, every pixel is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import xarray as xr

from strandline.show.display import Extent, data_extent, reduce_classes, reduce_scenes

DIRECT_PIXELS = 2_000_000
"""Rasters of more pixels than this are drawn by Datashader."""

OVERVIEW = 1200
"""Longest side of the overview of a large raster, in pixels: about what a screen shows."""

_SHARP = 0.75  # an overview serves as long as it has so many pixels per pixel of the screen

Layers = dict[str, np.ndarray]
"""Arrays (y, x) by name; uint8 ones hold classes."""

Make = Callable[[Layers, Extent], Any]
"""Makes the picture of layers that reach over an extent."""


@dataclass(frozen=True)
class Window:
    """A part of a raster: from which row and column up to which."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """How many there are in it."""
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True)
class Raster:
    """Layers on one grid, read when they are drawn.

    Attributes
    ----------
    layers : dict of str to DataArray
        Dims (y, x), the first pixel in the upper left; in memory or lazy.
    """

    layers: Mapping[str, xr.DataArray]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self._first.shape
        return rows, columns

    @property
    def is_large(self) -> bool:
        """Whether it has more than `DIRECT_PIXELS`."""
        return self._first.size > DIRECT_PIXELS

    @property
    def _first(self) -> xr.DataArray:
        return next(iter(self.layers.values()))

    @cached_property
    def extent(self) -> Extent:
        """Edges of the whole."""
        return data_extent(self._first)

    def read(self, part: Window | None = None) -> tuple[Layers, Extent]:
        """Read a part, all layers in one go."""
        from dask.base import compute

        part = part or Window(0, self.shape[0], 0, self.shape[1])
        cut = [
            layer[part.top : part.bottom, part.left : part.right].data
            for layer in self.layers.values()
        ]
        read = compute(*cut)  # type: ignore[no-untyped-call]  # Dask is untyped
        arrays = {name: np.asarray(values) for name, values in zip(self.layers, read, strict=True)}
        return arrays, self.edges(part)

    def edges(self, part: Window) -> Extent:
        """Edges of a part."""
        e, (rows, columns) = self.extent, self.shape
        dx, dy = (e.right - e.left) / columns, (e.top - e.bottom) / rows
        return Extent(
            e.left + part.left * dx,
            e.left + part.right * dx,
            e.top - part.bottom * dy,
            e.top - part.top * dy,
        )

    def window(self, x: tuple[float, float], y: tuple[float, float]) -> Window | None:
        """Find the pixels that a view of these ranges shows; None if there are none."""
        e, (rows, columns) = self.extent, self.shape
        dx, dy = (e.right - e.left) / columns, (e.top - e.bottom) / rows
        left, right = sorted(x)
        bottom, top = sorted(y)
        part = Window(
            max(int(np.floor((e.top - top) / dy)), 0),
            min(int(np.ceil((e.top - bottom) / dy)), rows),
            max(int(np.floor((left - e.left) / dx)), 0),
            min(int(np.ceil((right - e.left) / dx)), columns),
        )
        return part if part.bottom > part.top and part.right > part.left else None

    @cached_property
    def overview(self) -> tuple[Layers, int]:
        """The whole, thinned out to at most `OVERVIEW` pixels a side, and by how much."""
        arrays: Layers = {}
        measured = [name for name, layer in self.layers.items() if layer.dtype != np.uint8]
        for name, layer in self.layers.items():
            if layer.dtype == np.uint8:
                arrays[name] = reduce_classes(layer, OVERVIEW)
        if measured:
            stack = [self.layers[name].reset_coords(drop=True) for name in measured]
            means = reduce_scenes(xr.concat(stack, "band", coords="minimal"), OVERVIEW)
            arrays |= dict(zip(measured, np.asarray(means, np.float32), strict=True))
        return {name: arrays[name] for name in self.layers}, -(-max(self.shape) // OVERVIEW)

    def seen(self, part: Window, screen: tuple[int, int], max_pixels: int) -> tuple[Layers, Extent]:
        """Give what a screen of so many pixels (width, height) shows of a part."""
        arrays, step = self.overview
        width = (part.right - part.left) / max(screen[0], 1)
        height = (part.bottom - part.top) / max(screen[1], 1)
        if step * _SHARP <= max(width, height):
            return self._from_overview(part)
        if part.pixels <= max_pixels:
            return self.read(part)
        classes = Raster({n: v for n, v in self.layers.items() if v.dtype == np.uint8})
        if not classes.layers:
            close, extent = self.read(part)
            return thinned(close, screen), extent
        close, extent = classes.read(part)
        close = thinned(close, screen)
        shape = next(iter(close.values())).shape
        # What the pointer reads is the mean around it: reading the bands as well takes too long.
        rows, columns = (
            np.minimum(first + (np.arange(n) + 0.5) * (last - first) / n, last - 0.5).astype(int)
            // step
            for n, first, last in zip(
                shape, (part.top, part.left), (part.bottom, part.right), strict=True
            )
        )
        rest = {n: v[np.ix_(rows, columns)] for n, v in arrays.items() if n not in close}
        return {n: close[n] if n in close else rest[n] for n in self.layers}, extent

    def _from_overview(self, part: Window) -> tuple[Layers, Extent]:
        arrays, step = self.overview
        rows = slice(part.top // step, -(-part.bottom // step))
        columns = slice(part.left // step, -(-part.right // step))
        # The last block may reach beyond the raster, as do its edges here.
        whole = Window(
            rows.start * step, rows.stop * step, columns.start * step, columns.stop * step
        )
        return {n: v[rows, columns] for n, v in arrays.items()}, self.edges(whole)


def thinned(layers: Layers, screen: tuple[int, int]) -> Layers:
    """Thin arrays out by Datashader to at most so many pixels (width, height).

    Classes become the commonest one of each new pixel, values their mean. NaN takes no part.

    Parameters
    ----------
    layers : dict of str to ndarray of shape (y, x)
        uint8 classes, and float values.
    screen : (int, int)
        Width and height that are not exceeded.

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> classes = np.repeat(np.array([[0, 3], [3, 3]], np.uint8), 2, axis=1)
    >>> thinned({"classes": classes}, (2, 2))["classes"].tolist()
    [[0, 3], [3, 3]]
    """
    from holoviews.operation.datashader import rasterize

    results: Layers = {}
    for name, values in layers.items():
        rows, columns = values.shape
        if min(rows, columns) == 1:  # no spacing that Datashader could read off
            results[name] = values
            continue
        with np.errstate(invalid="ignore"):  # the mean of nothing but NaN
            result = rasterize(
                plane({name: values}, Extent(0, columns, 0, rows)),
                aggregator=reduction(values),
                width=min(screen[0], columns),
                height=min(screen[1], rows),
                dynamic=False,
            )
        thin = np.flipud(result.dimension_values(2, flat=False))
        results[name] = np.ascontiguousarray(thin).astype(values.dtype)
    return results


def reduction(values: np.ndarray) -> str:
    """Say how values become fewer: a mean of classes would be another class."""
    return "mode" if values.dtype == np.uint8 else "mean"


def plane(layers: Layers, extent: Extent) -> Any:
    """Make the HoloViews image that holds layers, the first as colour, all for the pointer."""
    import holoviews as hv

    rows, columns = next(iter(layers.values())).shape
    dx, dy = (extent.right - extent.left) / columns, (extent.top - extent.bottom) / rows
    x = extent.left + dx * (np.arange(columns) + 0.5)
    y = extent.top - dy * (np.arange(rows) + 0.5)
    return hv.Image(
        (x, y, *layers.values()),
        kdims=["x", "y"],
        vdims=list(layers),
        bounds=(extent.left, extent.bottom, extent.right, extent.top),
    )


def drawn(
    rasters: Mapping[str, Raster], make: Callable[[str], Make], max_pixels: int, choice: str = ""
) -> Any:
    """Draw a raster at once, or what is in view of a large one; or one of several to choose from.

    Parameters
    ----------
    rasters : dict of str to Raster
        What can be chosen, all on one grid. A single one is not a choice.
    make : callable
        Called with the name of the chosen one; returns what makes its picture.
    max_pixels : int
        More are drawn by Datashader.
    choice : str
        Name of the dimension to choose by.

    Returns
    -------
    holoviews element or DynamicMap
    """
    import holoviews as hv
    from holoviews.streams import PlotSize, RangeXY

    first = next(iter(rasters.values()))
    rows, columns = first.shape
    large = rows * columns > max_pixels

    def view(
        name: str,
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
        width: int | None = None,
        height: int | None = None,
        scale: float = 1.0,
    ) -> Any:
        raster, e = rasters[name], first.extent
        if not large:
            return make(name)(*raster.read())
        part = raster.window(x_range or (e.left, e.right), y_range or (e.bottom, e.top))
        # Beside the raster there is nothing to see; one pixel of it stands for that.
        part = part or Window(0, 1, 0, 1)
        screen = round((width or OVERVIEW) * scale), round((height or OVERVIEW) * scale)
        return make(name)(*raster.seen(part, screen, max_pixels))

    if len(rasters) == 1 and not choice:
        # HoloViews looks at the names of parameters: this one is not a dimension.
        alone = partial(view, next(iter(rasters)))
        return hv.DynamicMap(alone, streams=[RangeXY(), PlotSize()]) if large else alone()
    streams = [RangeXY(), PlotSize()] if large else []
    return hv.DynamicMap(view, kdims=[choice], streams=streams).redim.values(
        **{choice: list(rasters)}
    )
