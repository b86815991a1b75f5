"""Maps to move in: hover over a pixel, zoom all dates at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.plot.dress import (
    Pointer,
    class_colours,
    class_legend,
    frame,
    frame_hook,
    hover_hook,
    key_hook,
)
from strandline.plot.engine import holoviews
from strandline.plot.ground import Ground, north_up, on_mercator
from strandline.plot.tiles import basemap
from strandline.plot.zoom import DIRECT_PIXELS, Layers, Make, Raster, drawn, plane
from strandline.prepare.classes import NOT_OBSERVED
from strandline.show.captions import (
    change_text,
    class_amounts,
    class_shares,
    date_text,
    percent_text,
    sensor_text,
    signature_hints,
)
from strandline.show.composites import (
    composite_bands,
    each_map,
    each_scene,
    is_true_colour,
    shared_bands,
)
from strandline.show.display import Extent, Stretch, fit_stretch
from strandline.show.palettes import (
    Palette,
    change_palette,
    flag_names,
    label_palette,
    water_palette,
)

Scenes = xr.DataArray | Sequence[xr.DataArray]


@dataclass(frozen=True)
class View:
    """How maps are drawn, the same in each of these functions."""

    geo: bool
    tiles: Any
    width: int | None
    max_pixels: int

    def placed(self, data: xr.DataArray) -> xr.DataArray:
        """Bring data to where they are drawn."""
        return on_mercator(data) if self.geo or self.tiles else north_up(data)

    def wide(self, count: int) -> int:
        """Width of one of several pictures, in pixels of the screen."""
        return self.width or (620 if count == 1 else 420)

    @property
    def alpha(self) -> float:
        """Opacity: tiles show through."""
        return 0.75 if self.tiles else 1.0

    def over_tiles(self, picture: Any) -> Any:
        """Lay a picture over the tiles, where they are wanted."""
        return basemap(self.tiles) * picture if self.tiles else picture


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
                    **frame(ground, _title(f"Band {band}", original), view.wide(len(dated))),
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
    return _side_by_side(pictures, view)


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


def label_map(
    labels: xr.DataArray,
    segmentation: xr.Dataset | None = None,
    *,
    scenes: Scenes | None = None,
    water: Sequence[int] | None = None,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw the clusters, each in its colour, with what it looks like in the legend.

    Parameters
    ----------
    labels : DataArray
        uint8, dims (y, x) or (time, y, x).
    segmentation : Dataset, optional
        With ``signature_mean`` (cluster, band), for the hints in the legend.
    scenes : DataArray or sequence of DataArray, optional
        The scene of each date: the pointer then tells the reflectance of the pixel as well.
    water : sequence of int, optional
        The clusters that are water.
    geo, tiles, width, max_pixels
        As for `bands`.

    Returns
    -------
    holoviews.Image, DynamicMap or Layout of them
        One per date. The first value dimension, ``cluster``, holds the labels.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is no map of classes, or the scenes are not one per date.
    """
    holoviews("label_map")
    dated = list(each_map(labels))
    shares = class_shares(dated) if _in_reach(dated, max_pixels) else {}
    count = max((v for v in shares if v != NOT_OBSERVED), default=-1) + 1
    hints: Mapping[int, str] = {}
    if segmentation is not None:
        count = max(count, segmentation.sizes["cluster"])
        hints = signature_hints(segmentation["signature_mean"])
    names = {
        i: f"{i} {'water' if i in (water or ()) else hints.get(i, '')}".strip()
        for i in range(count or _count_of(dated))
    }
    palette = label_palette(len(names), names)
    notes = {value: percent_text(share) for value, share in shares.items()}
    return _classes(
        dated, "cluster", palette, [*[None] * (len(dated) - 1), notes], "Clusters", scenes,
        View(geo, tiles, width, max_pixels),
    )  # fmt: skip


def water_map(
    masks: xr.DataArray,
    *,
    scenes: Scenes | None = None,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw water masks, with the area of the water in the legend.

    Parameters
    ----------
    masks : DataArray
        uint8 water mask, dims (y, x) or (time, y, x).
    scenes : DataArray or sequence of DataArray, optional
        The scene of each date: the pointer then tells the reflectance of the pixel as well.
    geo, tiles, width, max_pixels
        As for `bands`.

    Returns
    -------
    holoviews.Image, DynamicMap or Layout of them
        One per date. The first value dimension, ``class``, holds the mask.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is no map of classes, or the scenes are not one per date.
    """
    holoviews("water_map")
    dated = list(each_map(masks))
    notes = [class_amounts(m) if _in_reach([m], max_pixels) else {} for m in dated]
    return _classes(
        dated, "class", water_palette(), notes, "Water", scenes, View(geo, tiles, width, max_pixels)
    )


def change_map(
    change: xr.DataArray,
    *,
    scenes: Scenes | None = None,
    geo: bool = False,
    tiles: Any = None,
    width: int | None = None,
    max_pixels: int = DIRECT_PIXELS,
) -> Any:
    """Draw where water was lost and gained between two dates, with the areas in the legend.

    Parameters
    ----------
    change : DataArray
        uint8 change map, dims (y, x).
    scenes : DataArray or sequence of DataArray, optional
        The scenes before and after: the pointer then tells the reflectance on both dates.
    geo, tiles, width, max_pixels
        As for `bands`.

    Returns
    -------
    holoviews.Image or DynamicMap
        Its first value dimension, ``class``, holds the change.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is no change map.
    """
    holoviews("change_map")
    (one,) = each_map(change)
    view = View(geo, tiles, width, max_pixels)
    notes = class_amounts(one) if _in_reach([one], max_pixels) else {}
    title = ", ".join(filter(None, ("Water lost and gained", change_text(one))))
    return view.over_tiles(
        _class_picture(one, "class", change_palette(), notes, title, _values(scenes), view, 1)
    )


# --- parts ------------------------------------------------------------------


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
                **frame(ground, _title(name, original), view.wide(len(dated))),
                hooks=[frame_hook(ground), key_hook(chosen, found)],
                alpha=view.alpha,
            )
            return shown * below

        return drawn({"": Raster(values)}, lambda _: picture, view.max_pixels)

    return _side_by_side([one(view.placed(scene), scene) for scene in dated], view)


def composite(channels: Sequence[np.ndarray], stretch: Stretch, extent: Extent) -> Any:
    """Make the colours of one band (grey) or three; transparent where not observed."""
    import holoviews as hv

    values = np.stack(channels)
    seen = np.isfinite(values).all(axis=0)
    bright = np.where(seen, stretch.apply(values), 0)
    bytes_ = np.round(255 * np.broadcast_to(bright, (3, *seen.shape))).astype(np.uint8)
    return hv.RGB(
        np.dstack([*bytes_, 255 * seen.astype(np.uint8)]),
        bounds=(extent.left, extent.bottom, extent.right, extent.top),
        vdims=[*hv.RGB.vdims, hv.RGB.alpha_dimension],
    )


def _classes(
    dated: list[xr.DataArray],
    layer: str,
    palette: Palette,
    notes: Sequence[Mapping[int, str] | None],
    name: str,
    scenes: Scenes | None,
    view: View,
) -> Any:
    """Draw a map of classes of each date."""
    values = [None] * len(dated) if scenes is None else list(each_scene(scenes))
    if len(values) != len(dated):
        raise ConfigurationError(
            "Each map needs its own scene for the pointer.",
            expected=str(len(dated)),
            got=str(len(values)),
        )
    pictures = [
        _class_picture(
            one, layer, palette, note, _title(name, one), {} if scene is None else {"": scene},
            view, len(dated),
        )
        for one, scene, note in zip(dated, values, notes, strict=True)
    ]  # fmt: skip
    return _side_by_side(pictures, view)


def _class_picture(
    classes: xr.DataArray,
    layer: str,
    palette: Palette,
    notes: Mapping[int, str] | None,
    title: str,
    scenes: Mapping[str, xr.DataArray],
    view: View,
    count: int,
) -> Any:
    placed = view.placed(classes)
    ground = Ground.of(placed)
    values: dict[str, xr.DataArray] = {}
    rows: dict[str, list[str]] = {}
    for when, scene in scenes.items():
        on_grid = view.placed(scene)
        if on_grid.shape[-2:] != placed.shape:
            raise ConfigurationError(
                "The scene for the pointer does not lie on the map's grid.",
                expected=f"{placed.shape[0]} x {placed.shape[1]} pixels",
                got=f"{on_grid.shape[-2]} x {on_grid.shape[-1]}",
                remedy="Regrid the scene first.",
            )
        for band, value in band_layers(on_grid).items():
            values[f"{band} {when}".strip()] = value
            rows.setdefault(band, []).append(f"{band} {when}".strip())
    pointer = Pointer(ground, {layer: {c.value: c.name for c in palette.categories}}, rows)

    def picture(layers: Layers, extent: Extent) -> Any:
        return plane(layers, extent).opts(
            **frame(ground, title, view.wide(count)),
            **class_colours(palette),
            **({} if notes is None else class_legend(palette, notes)),
            **pointed(pointer, layer),
            alpha=view.alpha,
        )

    raster = Raster({layer: placed, **values})
    return drawn({"": raster}, lambda _: picture, view.max_pixels)


def pointed(pointer: Pointer, first: str) -> dict[str, Any]:
    """Options of an image that the pointer reads."""
    return {
        "tools": ["hover"],
        "hover_tooltips": pointer.rows(first),
        "hooks": [frame_hook(pointer.ground), hover_hook(pointer, first)],
    }


def _values(scenes: Scenes | None) -> dict[str, xr.DataArray]:
    """Scenes that belong to one map, by what distinguishes them."""
    dated = [] if scenes is None else list(each_scene(scenes))
    if len(dated) == 1:
        return {"": dated[0]}
    return {f"{i + 1}": scene for i, scene in enumerate(dated)}


def band_layers(scene: xr.DataArray) -> dict[str, xr.DataArray]:
    """Take a scene apart into its bands, (y, x) each."""
    return {
        str(band): scene.sel(band=band, drop=True).astype(np.float32)
        for band in scene["band"].values
    }


def _side_by_side(pictures: list[Any], view: View) -> Any:
    """Lay the dates beside each other; their axes are linked."""
    import holoviews as hv

    whole = [view.over_tiles(picture) for picture in pictures]
    return whole[0] if len(whole) == 1 else hv.Layout(whole).cols(len(whole))


def _title(name: str, data: xr.DataArray) -> str:
    return " · ".join(filter(None, (name, date_text(data), sensor_text(data))))


def _in_reach(dated: Sequence[xr.DataArray], max_pixels: int) -> bool:
    """Whether counting all pixels costs no more than drawing them."""
    return all(m.size <= max_pixels or m.chunks is None for m in dated)


def _count_of(dated: Sequence[xr.DataArray]) -> int:
    """Count labels without looking at every pixel, if flags say how many there are."""
    known = {value for one in dated for value in flag_names(one)}
    values = known or set(class_shares(dated)) - {NOT_OBSERVED}
    return max(values, default=-1) + 1
