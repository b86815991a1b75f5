"""Maps of what was found: clusters, water and its change, each class in its colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from strandline.errors import ConfigurationError
from strandline.plot.composite import band_layers
from strandline.plot.dress import (
    Pointer,
    class_colours,
    class_legend,
    frame,
    pointed,
)
from strandline.plot.engine import holoviews
from strandline.plot.ground import Ground
from strandline.plot.view import Scenes, View, map_title
from strandline.plot.zoom import DIRECT_PIXELS, Layers, Raster, drawn, plane
from strandline.prepare.classes import NOT_OBSERVED
from strandline.show.captions import (
    change_text,
    class_amounts,
    class_shares,
    percent_text,
)
from strandline.show.clusters import cluster_palette, too_many_text
from strandline.show.composites import (
    each_map,
    each_scene,
)
from strandline.show.display import Extent
from strandline.show.palettes import (
    Palette,
    change_palette,
    flag_names,
    water_palette,
)
from strandline.water.decision import Water


@dataclass(frozen=True)
class _Classes:
    """A kind of maps of classes: what they show, what the pointer calls it, and its colours."""

    title: str
    layer: str
    palette: Palette


def label_map(
    labels: xr.DataArray,
    segmentation: xr.Dataset | None = None,
    *,
    scenes: Scenes | None = None,
    water: Water | None = None,
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
    water : sequence of int or DataFrame, optional
        The clusters that are water, or the table of `strandline.find_water`.
    geo, tiles, width, max_pixels
        As for `strandline.plot.bands`.

    Returns
    -------
    holoviews.Image, DynamicMap or Layout of them
        One per date. The first value dimension, ``cluster``, holds the labels.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is not a map of classes, or the scenes are not one per date.
    """
    holoviews("label_map")
    dated = list(each_map(labels))
    shares = class_shares(dated) if _in_reach(dated, max_pixels) else {}
    count = max((v for v in shares if v != NOT_OBSERVED), default=-1) + 1
    means = None
    if segmentation is not None:
        means = segmentation["signature_mean"]
        count = max(count, means.sizes["cluster"])
    palette = cluster_palette(means, water, n_labels=count or _count_of(dated)).numbered()
    notes = {value: percent_text(share) for value, share in shares.items()}
    too_many = too_many_text(len(palette.categories)).removesuffix(".")
    return _class_maps(
        dated,
        _Classes(" – ".join(filter(None, ["Clusters", too_many])), "cluster", palette),
        [*[None] * (len(dated) - 1), notes],  # one legend serves all dates
        scenes,
        View(geo, tiles, width, max_pixels),
    )


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
        As for `strandline.plot.bands`.

    Returns
    -------
    holoviews.Image, DynamicMap or Layout of them
        One per date. The first value dimension, ``class``, holds the mask.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is not a map of classes, or the scenes are not one per date.
    """
    holoviews("water_map")
    dated = list(each_map(masks))
    notes = [class_amounts(m) if _in_reach([m], max_pixels) else {} for m in dated]
    kind = _Classes("Water", "class", water_palette())
    return _class_maps(dated, kind, notes, scenes, View(geo, tiles, width, max_pixels))


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
        As for `strandline.plot.bands`.

    Returns
    -------
    holoviews.Image or DynamicMap
        Its first value dimension, ``class``, holds the change.

    Raises
    ------
    MissingDependencyError
        If what draws is not installed.
    ConfigurationError
        If what was passed is not a change map.
    """
    holoviews("change_map")
    (one,) = each_map(change)
    view = View(geo, tiles, width, max_pixels)
    notes = class_amounts(one) if _in_reach([one], max_pixels) else {}
    title = ", ".join(filter(None, ("Water lost and gained", change_text(one))))
    kind = _Classes(title, "class", change_palette())
    return view.over_tiles(_class_picture(one, kind, notes, _values(scenes), view))


def _class_maps(
    dated: list[xr.DataArray],
    kind: _Classes,
    notes: Sequence[Mapping[int, str] | None],
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
            one,
            replace(kind, title=map_title(kind.title, one)),
            note,
            {} if scene is None else {"": scene},
            view,
            beside=len(dated),
        )
        for one, scene, note in zip(dated, values, notes, strict=True)
    ]
    return view.side_by_side(pictures)


def _class_picture(
    classes: xr.DataArray,
    kind: _Classes,
    notes: Mapping[int, str] | None,
    scenes: Mapping[str, xr.DataArray],
    view: View,
    *,
    beside: int = 1,
) -> Any:
    """Draw one map of classes; the pointer tells the reflectance in the scenes as well."""
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
    pointer = Pointer(
        ground, {kind.layer: {c.value: c.name for c in kind.palette.categories}}, rows
    )

    def picture(layers: Layers, extent: Extent) -> Any:
        return plane(layers, extent).opts(
            **frame(ground, kind.title, view.wide(beside)),
            **class_colours(kind.palette, over_tiles=bool(view.tiles)),
            **({} if notes is None else class_legend(kind.palette, notes)),
            **pointed(pointer, kind.layer),
            alpha=view.alpha,
        )

    raster = Raster({kind.layer: placed, **values})
    return drawn({"": raster}, lambda _: picture, view.max_pixels)


def _values(scenes: Scenes | None) -> dict[str, xr.DataArray]:
    """Scenes that belong to one map, by what distinguishes them."""
    dated = [] if scenes is None else list(each_scene(scenes))
    if len(dated) == 1:
        return {"": dated[0]}
    return {f"{i + 1}": scene for i, scene in enumerate(dated)}


def _in_reach(dated: Sequence[xr.DataArray], max_pixels: int) -> bool:
    """Whether counting all pixels costs no more than drawing them."""
    return all(m.size <= max_pixels or m.chunks is None for m in dated)


def _count_of(dated: Sequence[xr.DataArray]) -> int:
    """Count labels without looking at every pixel, if flags say how many there are."""
    known = {value for one in dated for value in flag_names(one)}
    values = known or set(class_shares(dated)) - {NOT_OBSERVED}
    return max(values, default=-1) + 1
