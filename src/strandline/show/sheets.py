"""What is on the sheets of maps: panels, headline and legend, each made once.

A sheet can then be drawn for a page and for a phone, and what takes long, to thin out large maps
and to measure their areas, is done once for both.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.show.canvas import SAME, Legend, LegendRow, Panel, Sheet
from strandline.show.captions import (
    centre_text,
    change_credit,
    change_sensors,
    channel_ranges,
    class_amounts,
    class_shares,
    credit_text,
    date_text,
    day_text,
    grid_text,
    names_text,
    percent_text,
    place_of,
    sensor_text,
    stored_values,
)
from strandline.show.clusters import cluster_palette, too_many_text
from strandline.show.composites import display_bands, each_map, each_scene, is_true_colour
from strandline.show.display import (
    Stretch,
    fit_stretch,
    image_extent,
    north_up,
    reduce_classes,
    reduce_values,
)
from strandline.show.palettes import (
    CHANNELS,
    Palette,
    change_palette,
    water_palette,
)
from strandline.water.decision import Water

_FOOT_LETTERS = 38  # of a line below a legend, which is that wide at least
BASE_LAND = "#cfcfcf"  # what the grey background looks like in a legend


def composite_sheet(
    scenes: Sequence[xr.DataArray],
    bands: tuple[str, ...],
    name: str,
    *,
    stretch: Stretch | None = None,
    title: str | None = None,
) -> Sheet:
    """Three bands of each scene as red, green and blue, all with one stretch.

    Parameters
    ----------
    scenes : sequence of DataArray
        Dims (band, y, x).
    bands : tuple of str
        Three, or one that is drawn in grey.
    name : str
        What the bands make, for the headline.
    stretch, title : optional
        As for `strandline.show.true_colour`.

    Returns
    -------
    Sheet
    """
    stretch = stretch or fit_stretch(scenes, bands, natural=is_true_colour(bands))
    panels = []
    for scene in scenes:
        image = _rgba(stretch.apply(_read(scene, bands)))
        panels.append(Panel(image, image_extent(scene), place_of(scene), smooth=True))
    rows = [
        LegendRow(CHANNELS[channel], band, span)
        for channel, band, span in channel_ranges(bands, stretch)
    ]
    legend = Legend(rows, "Reflectance, dark to bright")
    title = title or _with_date(name, scenes)
    return Sheet(_titled(panels, scenes), title, _subtitle(scenes), legend, credit_text(scenes))


def label_sheet(
    labels: xr.DataArray,
    *,
    segmentation: xr.Dataset | None = None,
    water: Water | None = None,
    title: str | None = None,
) -> Sheet:
    """Clusters, as `strandline.show.label_map` draws them."""
    dated = list(each_map(labels))
    shares = class_shares(dated)
    n_labels = max((v for v in shares if v != NOT_OBSERVED), default=-1) + 1
    means = None
    if segmentation is not None:
        means = segmentation["signature_mean"]
        n_labels = max(n_labels, means.sizes["cluster"])
    palette = cluster_palette(means, water, n_labels=n_labels).numbered()
    rows = [
        LegendRow(c.colour, c.name, percent_text(shares.get(c.value, 0.0)))
        for c in palette.categories
    ]
    foot = tuple(textwrap.wrap(too_many_text(n_labels), _FOOT_LETTERS))
    legend = Legend(_with_unseen(rows, shares), "Clusters, share of all pixels", foot=foot)
    panels = [_class_panel(m, palette, None) for m in dated]
    return Sheet(
        _titled(panels, dated),
        title or _with_date(f"{n_labels} clusters found in the spectra", dated),
        _subtitle(dated),
        legend,
        credit_text(dated),
    )


def water_sheet(
    mask: xr.DataArray,
    *,
    over: xr.DataArray | Sequence[xr.DataArray] | None = None,
    title: str | None = None,
) -> Sheet:
    """Water, as `strandline.show.water_map` draws it."""
    dated = list(each_map(mask))
    backgrounds = _backgrounds(over, len(dated))
    palette = water_palette()
    water: list[LegendRow] = []
    unseen: list[LegendRow] = []
    for one in dated:
        amounts = class_amounts(one)
        when = f", {date_text(one)}" if len(dated) > 1 and date_text(one) else ""
        colour = SAME if water else palette[1].colour
        water.append(LegendRow(colour, f"water{when}", amounts.get(1, "none")))
        if NOT_OBSERVED in stored_values(one):
            colourless = SAME if unseen else None
            unseen.append(LegendRow(colourless, f"not observed{when}", amounts[NOT_OBSERVED]))
    land = LegendRow(palette[0].colour if backgrounds[0] is None else BASE_LAND, "not water")
    rows = [*water, land, *unseen]
    panels = [_class_panel(m, palette, b) for m, b in zip(dated, backgrounds, strict=True)]
    return Sheet(
        _titled(panels, dated),
        title or _with_date("Water", dated),
        _subtitle(dated),
        Legend(rows, "Area in this picture"),
        credit_text(dated if over is None else list(each_scene(over))),
    )


def change_sheet(
    change: xr.DataArray,
    *,
    over: xr.DataArray | None = None,
    dates: tuple[object, object] | None = None,
    sensors: tuple[str, str] | None = None,
    title: str | None = None,
) -> Sheet:
    """Change, as `strandline.show.change_map` draws it."""
    change = north_up(stored_classes(change))
    palette = change_palette()
    (background,) = _backgrounds(over, 1)
    amounts = class_amounts(change)
    rows = [
        LegendRow(
            BASE_LAND if value == 0 and background is not None else palette[value].colour,
            palette[value].name,
            amounts.get(value, "none"),
        )
        for value in (2, 3, 1, 0)  # what changed comes first
    ]
    if NOT_OBSERVED in stored_values(change):
        rows.append(LegendRow(None, "not observed", amounts[NOT_OBSERVED]))
    if dates is None and {"before", "after"} <= set(change.attrs):
        dates = (change.attrs["before"], change.attrs["after"])
    when = f", {day_text(dates[0])} to {day_text(dates[1])}" if dates is not None else ""
    sensors = sensors or change_sensors(change)
    return Sheet(
        [_class_panel(change, palette, background)],
        title or f"Water lost and gained{when}",
        " · ".join(filter(None, (names_text(sensors), centre_text(change), grid_text(change)))),
        Legend(rows, "Area in this picture"),
        change_credit(change),
    )


def _read(scene: xr.DataArray, bands: Sequence[str]) -> np.ndarray:
    return np.stack([reduce_values(scene.sel(band=band, drop=True)) for band in bands])


def _rgba(channels: np.ndarray) -> np.ndarray:
    """Bring (channel, y, x) with NaN to (y, x, 4), transparent where not observed."""
    if len(channels) == 1:
        channels = np.repeat(channels, 3, axis=0)
    seen = np.isfinite(channels).all(axis=0)
    filled = np.where(seen, channels, 0)
    return np.moveaxis(np.concatenate([filled, seen[None].astype(filled.dtype)]), 0, -1)


def _class_panel(classes: xr.DataArray, palette: Palette, background: np.ndarray | None) -> Panel:
    values = reduce_classes(classes)
    image = palette.rgba_table()[values]
    if background is not None:
        if background.shape[:2] != values.shape:
            raise ConfigurationError(
                "The scene below a map does not lie on the map's grid.",
                expected=f"an image of {values.shape} pixels",
                got=str(background.shape[:2]),
                remedy="Regrid the scene first.",
            )
        image = np.where((values == 0)[..., None], background, image)
    return Panel(image, image_extent(classes), place_of(classes))


def _backgrounds(
    over: xr.DataArray | Sequence[xr.DataArray] | None, count: int
) -> list[np.ndarray | None]:
    if over is None:
        return [None] * count
    scenes = list(each_scene(over))
    if len(scenes) != count:
        raise ConfigurationError(
            "Each map needs its own scene below it.", expected=str(count), got=str(len(scenes))
        )
    bands, _ = display_bands(scenes)
    stretch = fit_stretch(scenes, bands, natural=is_true_colour(bands))
    return [_grey(stretch.apply(_read(scene, bands))) for scene in scenes]


def _grey(channels: np.ndarray) -> np.ndarray:
    """Light grey picture that leaves the dark and the colourful to what is drawn over it."""
    weights = np.array([0.30, 0.59, 0.11]) if len(channels) == 3 else np.ones(len(channels))
    brightness = np.tensordot(weights / weights.sum(), channels, axes=1)
    # A pixel that only the background lacks is land all the same: it stays visible.
    tone = np.where(np.isfinite(brightness), 0.50 + 0.46 * brightness, 0.75)
    return np.dstack([tone, tone, tone, np.ones_like(tone)]).astype(np.float32)


def _titled(panels: list[Panel], dated: Sequence[xr.DataArray]) -> list[Panel]:
    """Put date and sensor over each map, if there are several."""
    if len(panels) == 1:
        return panels
    titles = [" · ".join(filter(None, (date_text(d), sensor_text(d)))) for d in dated]
    return [
        Panel(p.image, p.edges, p.place, title or f"{i + 1}", p.smooth)
        for i, (p, title) in enumerate(zip(panels, titles, strict=True))
    ]


def _with_date(name: str, dated: Sequence[xr.DataArray]) -> str:
    date = date_text(dated[0]) if len(dated) == 1 else ""
    return f"{name}, {date}" if date else name


def _subtitle(dated: Sequence[xr.DataArray]) -> str:
    parts = [centre_text(dated[0]), grid_text(dated[0])]
    if len(dated) == 1:
        parts = [sensor_text(dated[0]), *parts]
    return " · ".join(filter(None, parts))


def _with_unseen(rows: list[LegendRow], shares: Mapping[int, float]) -> list[LegendRow]:
    unseen = shares.get(NOT_OBSERVED, 0.0)
    return [*rows, LegendRow(None, "not observed", percent_text(unseen))] if unseen else rows
