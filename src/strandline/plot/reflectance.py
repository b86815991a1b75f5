"""Maps of what was measured: one band, or three as the colours of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from strandline.plot.composite import band_layers, composite
from strandline.plot.dress import (
    Pointer,
    frame,
    frame_hook,
    key_hook,
    pointed,
)
from strandline.plot.engine import holoviews
from strandline.plot.ground import Ground
from strandline.plot.view import Scenes, View, map_title
from strandline.plot.zoom import DIRECT_PIXELS, Layers, Make, Raster, drawn, plane
from strandline.show.composites import (
    composite_bands,
    each_scene,
    is_true_colour,
    shared_bands,
)
from strandline.show.display import Extent, Stretch, fit_stretch


def bands(
    scenes: Scenes,
    *,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw the bands one by one, all dates side by side, with one selector for all of them.

    Every date of a band is drawn with the same limits of grey.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        Dims (band, y, x) or (time, band, y, x). Their shared bands can be chosen.
    geo : bool
        Axes in degrees: the scenes are brought to Web Mercator, each pixel as it is.
    tiles : str or bool, optional
        A map of the web below: the name of one of HoloViews' tile sources, an address with
        ``{X}``, ``{Y}`` and ``{Z}``, or True for OpenStreetMap. Only this makes a page ask
        other servers.
    width : int, optional
        Of each picture, in pixels of the screen.
    max_pixels : int
        Larger rasters are drawn by Datashader, from what is in view.

    Returns
    -------
    holoviews.DynamicMap or Layout of them
        One per date; dimension ``band``.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    MissingBandError
        If the scenes share no band.
    """
    hv = holoviews("bands")
    view = View(geo, tiles, width, max_pixels)
    dated = list(each_scene(scenes))
    names = shared_bands(dated)
    limits: dict[str, tuple[float, float]] = {}

    def limits_of(band: str) -> tuple[float, float]:
        if band not in limits:
            stretch = fit_stretch(dated, [band], natural=False)
            limits[band] = stretch.low[0], stretch.high[0]
        return limits[band]

    def one(scene: xr.DataArray, original: xr.DataArray) -> Any:
        ground = Ground.of(scene)
        pointer = Pointer(ground, {}, {"reflectance": ["value"]})

        def make(band: str) -> Make:
            def picture(layers: Layers, extent: Extent) -> Any:
                value = hv.Dimension("value", label="reflectance", range=limits_of(band))
                return plane(layers, extent).redim(value=value).opts(
                    **frame(ground, map_title(f"Band {band}", original), view.wide(len(dated))),
                    **pointed(pointer, "value"),
                    cmap="gray",
                    colorbar=True,
                    framewise=True,
                    alpha=view.alpha,
                )  # fmt: skip

            return picture

        rasters = {name: Raster({"value": scene.sel(band=name, drop=True)}) for name in names}
        return drawn(rasters, make, view.max_pixels, choice="band")

    pictures = [one(view.placed(scene), scene) for scene in dated]
    return view.side_by_side(pictures)


def true_colour(
    scenes: Scenes,
    *,
    stretch: Stretch | None = None,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw scenes in the colours that an eye would see, all with one stretch.

    The pointer tells the reflectance in every band.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        Dims (band, y, x) or (time, band, y, x), reflectance. Without red, green or blue the
        nearest that the bands allow is drawn, and the title says so.
    stretch : Stretch, optional
        Reflectance to brightness; by default `strandline.show.fit_stretch` over all the scenes.
    geo, tiles, width, max_pixels
        As for `bands`.

    Returns
    -------
    holoviews.Overlay, DynamicMap or Layout of them
        One per date: the picture, and an invisible image of the reflectances for the pointer.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    MissingBandError
        If the scenes share no band.
    """
    holoviews("true_colour")
    dated = list(each_scene(scenes))
    chosen, name = composite_bands(dated, None, natural=True)
    return _composites(dated, chosen, name, stretch, View(geo, tiles, width, max_pixels))


def false_colour(
    scenes: Scenes,
    *,
    bands: Sequence[str] | None = None,
    stretch: Stretch | None = None,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw scenes in infrared light: water nearly black, vegetation bright.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        Dims (band, y, x) or (time, band, y, x), reflectance.
    bands : sequence of str, optional
        Three bands shown as red, green, blue; by default swir16, nir08, red, or what there is
        of the kind.
    stretch : Stretch, optional
        Reflectance to brightness; by default `strandline.show.fit_stretch` over all the scenes.
    geo, tiles, width, max_pixels
        As for `strandline.plot.bands`.

    Returns
    -------
    holoviews.Overlay, DynamicMap or Layout of them
        As for `true_colour`.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    MissingBandError
        If a band that was asked for is not there.
    """
    holoviews("false_colour")
    dated = list(each_scene(scenes))
    chosen, name = composite_bands(dated, bands, natural=False)
    return _composites(dated, chosen, name, stretch, View(geo, tiles, width, max_pixels))


def _composites(
    dated: list[xr.DataArray],
    chosen: tuple[str, ...],
    name: str,
    stretch: Stretch | None,
    view: View,
) -> Any:
    """Draw each scene in three bands, with its reflectances for the pointer."""
    found = stretch or fit_stretch(dated, chosen, natural=is_true_colour(chosen))

    def one(scene: xr.DataArray, original: xr.DataArray) -> Any:
        ground = Ground.of(scene)
        values = band_layers(scene)
        pointer = Pointer(ground, {}, {name: [name] for name in values})
        first = next(iter(values))

        def picture(layers: Layers, extent: Extent) -> Any:
            shown = composite([layers[band] for band in chosen], found, extent)
            below = plane(layers, extent).opts(alpha=0, **pointed(pointer, first))
            shown = shown.opts(
                **frame(ground, map_title(name, original), view.wide(len(dated))),
                hooks=[frame_hook(ground), key_hook(chosen, found)],
                alpha=view.alpha,
            )
            return shown * below

        return drawn({"": Raster(values)}, lambda _: picture, view.max_pixels)

    return view.side_by_side([one(view.placed(scene), scene) for scene in dated])
