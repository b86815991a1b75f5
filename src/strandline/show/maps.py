"""Maps that a person would put into a talk.

Every function returns a `matplotlib.figure.Figure` with a headline, date and
sensor, a legend, a scale bar, a north arrow and coordinates. Not observed is
hatched grey everywhere. Large scenes are reduced for the picture: measured
values by averaging, classes by the commonest one.
"""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from strandline.show.composites import composite_bands, display_bands, each_scene
from strandline.show.display import Stretch
from strandline.show.sheets import change_sheet, composite_sheet, label_sheet, water_sheet
from strandline.water.decision import Water


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
    return composite_sheet(dated, bands, name, stretch=stretch, title=title).draw()


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
    return composite_sheet(dated, chosen, name, stretch=stretch, title=title).draw()


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
    water: Water | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the clusters, with what each looks like and how much ground it covers.

    Parameters
    ----------
    labels : DataArray
        uint8, dims (y, x) or (time, y, x).
    segmentation : Dataset, optional
        With ``signature_mean`` (cluster, band), for the hints in the legend.
    water : sequence of int or DataFrame, optional
        The clusters that are water, or the table of `strandline.find_water`.
    title : str, optional
        Another headline.

    Returns
    -------
    Figure
        One map per date.
    """
    return label_sheet(labels, segmentation=segmentation, water=water, title=title).draw()


def water_map(
    mask: xr.DataArray,
    *,
    over: xr.DataArray | Sequence[xr.DataArray] | None = None,
    title: str | None = None,
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

    Returns
    -------
    Figure
        One map per date, areas in km² in the legend.
    """
    return water_sheet(mask, over=over, title=title).draw()


def change_map(
    change: xr.DataArray,
    *,
    over: xr.DataArray | None = None,
    dates: tuple[object, object] | None = None,
    sensors: tuple[str, str] | None = None,
    title: str | None = None,
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

    Returns
    -------
    Figure
        One map, areas in km² in the legend.
    """
    return change_sheet(change, over=over, dates=dates, sensors=sensors, title=title).draw()
