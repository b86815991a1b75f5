"""Maps that a person would put into a talk.

Every function returns a `matplotlib.figure.Figure` with a headline, date and
sensor, a legend, a scale bar, a north arrow and coordinates. Not observed is
hatched grey everywhere. Large scenes are reduced for the picture: measured
values by averaging, classes by the commonest one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from strandline.errors import ConfigurationError, MissingBandError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.show.canvas import Legend, LegendRow, Panel, draw_sheet
from strandline.show.captions import (
    change_sensors,
    channel_ranges,
    class_amounts,
    class_shares,
    date_text,
    day_text,
    grid_text,
    percent_text,
    place_of,
    sensor_text,
    signature_hints,
    stored_values,
)
from strandline.show.display import (
    Stretch,
    fit_stretch,
    image_extent,
    reduce_classes,
    reduce_values,
)
from strandline.show.palettes import (
    CHANNELS,
    Palette,
    change_palette,
    label_palette,
    water_palette,
)

_TRUE = ("red", "green", "blue")
FALSE_COLOURS = (
    ("swir16", "nir08", "red"),
    ("nir08", "red", "green"),
    ("swir16", "nir08", "green"),
)
BASE_LAND = "#cfcfcf"  # what the grey background looks like in a legend


def true_colour(
    scenes: xr.DataArray | Sequence[xr.DataArray],
    *,
    stretch: Stretch | None = None,
    title: str | None = None,
) -> Figure:
    """Draw scenes in the colours that an eye would see, all with one stretch.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        Dims (band, y, x) or (time, band, y, x), reflectance. Without red, green
        or blue the nearest that the bands allow is drawn, and the title says so.
    stretch : Stretch, optional
        Reflectance to brightness; by default `fit_stretch` over all the scenes.
    title : str, optional
        Another headline.

    Returns
    -------
    Figure
        One map per scene.

    Raises
    ------
    MissingBandError
        If a scene has no band at all.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> values = np.linspace(0, 0.3, 48).reshape(3, 4, 4)
    >>> bands = {"band": ["red", "green", "blue"]}
    >>> scene = xr.DataArray(values, dims=("band", "y", "x"), coords=bands)
    >>> true_colour(scene).axes[0].get_xlabel()
    'column'
    """
    dated = list(each_scene(scenes))
    bands, name = display_bands(dated)
    return _composite(dated, bands, stretch, title or _with_date(name, dated))


def false_colour(
    scenes: xr.DataArray | Sequence[xr.DataArray],
    *,
    bands: Sequence[str] | None = None,
    stretch: Stretch | None = None,
    title: str | None = None,
) -> Figure:
    """Draw scenes in infrared light: water nearly black, vegetation bright.

    Parameters
    ----------
    scenes : DataArray or sequence of DataArray
        Dims (band, y, x) or (time, band, y, x), reflectance.
    bands : sequence of str, optional
        Three bands shown as red, green, blue; by default swir16, nir08, red,
        or what there is of the kind.
    stretch : Stretch, optional
        Reflectance to brightness; by default `fit_stretch` over all the scenes.
    title : str, optional
        Another headline.

    Returns
    -------
    Figure
        One map per scene.

    Raises
    ------
    MissingBandError
        If a band that was asked for is not there.
    """
    dated = list(each_scene(scenes))
    chosen, name = composite_bands(dated, bands, natural=False)
    return _composite(dated, chosen, stretch, title or _with_date(name, dated))


def before_after(before: xr.DataArray, after: xr.DataArray, *, title: str | None = None) -> Figure:
    """Draw two scenes side by side in true colour with one stretch.

    Parameters
    ----------
    before, after : DataArray
        Dims (band, y, x), reflectance.
    title : str, optional
        Another headline.

    Returns
    -------
    Figure
        Two maps.
    """
    return true_colour([before, after], title=title)


def label_map(
    labels: xr.DataArray,
    *,
    segmentation: xr.Dataset | None = None,
    water: Sequence[int] | None = None,
    title: str | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw the clusters, with what each looks like and how much ground it covers.

    Parameters
    ----------
    labels : DataArray
        uint8, dims (y, x) or (time, y, x).
    segmentation : Dataset, optional
        With ``signature_mean`` (cluster, band), for the hints in the legend.
    water : sequence of int, optional
        The clusters that are water.
    title : str, optional
        Another headline.
    narrow : bool
        For a phone: the legend below the maps, which are one below the other.

    Returns
    -------
    Figure
        One map per date.
    """
    dated = list(each_map(labels))
    shares = class_shares(dated)
    n_labels = max((v for v in shares if v != NOT_OBSERVED), default=-1) + 1
    hints: Mapping[int, str] = {}
    if segmentation is not None:
        n_labels = max(n_labels, segmentation.sizes.get("cluster", 0))
        hints = signature_hints(segmentation["signature_mean"])
    palette = label_palette(n_labels)
    rows = [
        LegendRow(
            c.colour,
            f"{c.value}  {'water' if c.value in (water or ()) else hints.get(c.value, 'cluster')}",
            percent_text(shares.get(c.value, 0.0)),
        )
        for c in palette.categories
    ]
    legend = Legend(_with_unseen(rows, shares), "Clusters, share of all pixels")
    panels = [_class_panel(m, palette, None) for m in dated]
    return draw_sheet(
        _titled(panels, dated),
        title=title or _with_date(f"{n_labels} clusters found in the spectra", dated),
        subtitle=_subtitle(dated),
        legend=legend,
        narrow=narrow,
    )


def water_map(
    mask: xr.DataArray,
    *,
    over: xr.DataArray | Sequence[xr.DataArray] | None = None,
    title: str | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw water in blue over a grey picture of the ground.

    Parameters
    ----------
    mask : DataArray
        uint8 water mask, dims (y, x) or (time, y, x).
    over : DataArray or sequence of DataArray, optional
        The scene of each date; without it land is plain.
    title : str, optional
        Another headline.
    narrow : bool
        For a phone: the legend below the maps, which are one below the other.

    Returns
    -------
    Figure
        One map per date, areas in km² in the legend.
    """
    dated = list(each_map(mask))
    backgrounds = _backgrounds(over, len(dated))
    palette = water_palette()
    rows: list[LegendRow] = []
    for one in dated:
        amounts = class_amounts(one)
        when = f", {date_text(one)}" if len(dated) > 1 and date_text(one) else ""
        rows.append(LegendRow(palette[1].colour, f"water{when}", amounts.get(1, "none")))
        if NOT_OBSERVED in stored_values(one):
            rows.append(LegendRow(None, f"not observed{when}", amounts[NOT_OBSERVED]))
    rows.append(LegendRow(palette[0].colour if backgrounds[0] is None else BASE_LAND, "not water"))
    panels = [_class_panel(m, palette, b) for m, b in zip(dated, backgrounds, strict=True)]
    return draw_sheet(
        _titled(panels, dated),
        title=title or _with_date("Water", dated),
        subtitle=_subtitle(dated),
        legend=Legend(rows, "Area in this picture"),
        narrow=narrow,
    )


def change_map(
    change: xr.DataArray,
    *,
    over: xr.DataArray | None = None,
    dates: tuple[object, object] | None = None,
    sensors: tuple[str, str] | None = None,
    title: str | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw where water was lost and gained between two dates.

    Parameters
    ----------
    change : DataArray
        uint8 change map, dims (y, x).
    over : DataArray, optional
        A scene, drawn in grey below; without it land is plain.
    dates : pair of date-like, optional
        Before and after, for the headline; by default those the map names.
    sensors : pair of str, optional
        What saw them, as people write it, for the line below the headline; by default
        what the map names.
    title : str, optional
        Another headline.
    narrow : bool
        For a phone: the legend below the map.

    Returns
    -------
    Figure
        One map, areas in km² in the legend.
    """
    change = stored_classes(change)
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
    return draw_sheet(
        [_class_panel(change, palette, background)],
        title=title or f"Water lost and gained{when}",
        subtitle=" · ".join(filter(None, (_seen_by(sensors), grid_text(change)))),
        legend=Legend(rows, "Area in this picture"),
        narrow=narrow,
    )


# --- parts ------------------------------------------------------------------


def _composite(
    scenes: Sequence[xr.DataArray], bands: tuple[str, ...], stretch: Stretch | None, title: str
) -> Figure:
    stretch = stretch or fit_stretch(scenes, bands, natural=is_true_colour(bands))
    panels = []
    for scene in scenes:
        image = _rgba(stretch.apply(_read(scene, bands)))
        panels.append(Panel(image, image_extent(scene), place_of(scene), smooth=True))
    rows = [
        LegendRow(CHANNELS[channel], band, span)
        for channel, band, span in channel_ranges(bands, stretch)
    ]
    return draw_sheet(
        _titled(panels, scenes),
        title=title,
        subtitle=_subtitle(scenes),
        legend=Legend(rows, "Reflectance, dark to bright"),
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


def is_true_colour(bands: Sequence[str]) -> bool:
    """Whether these displayed bands are what an eye would see."""
    return tuple(bands) == _TRUE


def composite_bands(
    scenes: Sequence[xr.DataArray], bands: Sequence[str] | None, *, natural: bool
) -> tuple[tuple[str, ...], str]:
    """Give the bands that are shown as red, green, blue, and their name: those asked for, or best.

    Raises
    ------
    MissingBandError
        If a band that was asked for is not there, or there are not three of them.
    """
    if bands is None:
        return display_bands(
            scenes, (_TRUE, *FALSE_COLOURS) if natural else (*FALSE_COLOURS, _TRUE)
        )
    for scene in scenes:
        missing = [b for b in bands if b not in scene["band"].values]
        if missing or len(bands) != 3:
            raise MissingBandError(
                "Cannot draw this false-colour picture.",
                expected="three bands of " + ", ".join(map(str, scene["band"].values)),
                got=", ".join(bands),
            )
    return tuple(bands), f"False colour ({', '.join(bands)})"


def shared_bands(scenes: Sequence[xr.DataArray]) -> list[str]:
    """List the bands that all scenes have, in the order of the first.

    Raises
    ------
    MissingBandError
        If there are none.
    """
    shared = [
        str(band)
        for band in scenes[0]["band"].values
        if all(band in scene["band"].values for scene in scenes)
    ]
    if not shared:
        raise MissingBandError("The scenes have no band in common, so nothing can be drawn.")
    return shared


def display_bands(
    scenes: Sequence[xr.DataArray], wishes: Sequence[tuple[str, str, str]] = (_TRUE, *FALSE_COLOURS)
) -> tuple[tuple[str, ...], str]:
    """Choose the first wish that all scenes can fulfil, and name it honestly."""
    shared = shared_bands(scenes)
    for wish in wishes:
        if set(wish) <= set(shared):
            kind = "True colour" if wish == _TRUE else f"False colour ({', '.join(wish)})"
            return wish, kind
    if len(shared) >= 3:
        first = tuple(shared[:3])
        return first, f"Bands {', '.join(first)} as red, green, blue"
    return (shared[0],), f"Band {shared[0]}"


def each_scene(scenes: xr.DataArray | Sequence[xr.DataArray]) -> Iterator[xr.DataArray]:
    """Take scenes apart into (band, y, x) each, however they come."""
    for scene in [scenes] if isinstance(scenes, xr.DataArray) else scenes:
        if "time" in scene.dims:
            yield from (scene.isel(time=i) for i in range(scene.sizes["time"]))
        elif scene.ndim == 3 and "band" in scene.dims:
            yield scene.transpose("band", ...)
        else:
            raise ConfigurationError(
                "This is not a scene.",
                expected="dims (band, y, x) or (time, band, y, x)",
                got=str(tuple(scene.dims)),
            )


def each_map(classes: xr.DataArray) -> Iterator[xr.DataArray]:
    """Take a map of classes apart into (y, x) each."""
    classes = stored_classes(classes)
    if classes.ndim == 2:
        yield classes
    elif classes.ndim == 3 and "time" in classes.dims:
        yield from (classes.isel(time=i) for i in range(classes.sizes["time"]))
    else:
        raise ConfigurationError(
            "This is not a map of classes.",
            expected="dims (y, x) or (time, y, x)",
            got=str(tuple(classes.dims)),
        )


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
    parts = [grid_text(dated[0])]
    if len(dated) == 1:
        parts = [sensor_text(dated[0]), *parts]
    return " · ".join(filter(None, parts))


def _seen_by(sensors: tuple[str, str] | None) -> str:
    return " and ".join(dict.fromkeys(filter(None, sensors or ())))


def _with_unseen(rows: list[LegendRow], shares: Mapping[int, float]) -> list[LegendRow]:
    unseen = shares.get(NOT_OBSERVED, 0.0)
    return [*rows, LegendRow(None, "not observed", percent_text(unseen))] if unseen else rows
