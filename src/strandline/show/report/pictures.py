"""The static pictures of a report, which need no script and go to the printer."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from strandline.show import captions
from strandline.show.canvas import picture_bytes
from strandline.show.charts import signature_chart
from strandline.show.clusters import too_many_text
from strandline.show.composites import display_bands, is_true_colour
from strandline.show.display import fit_stretch
from strandline.show.maps import true_colour
from strandline.show.sheets import change_sheet, label_sheet, water_sheet
from strandline.water.decision import Water

_DPI = 120
_PHONE_DPI = 200  # of a narrow picture: about two pixels to each of the page
_CLUSTERS = (
    "Pixels with similar spectra, numbered from the darkest. The names are hints; what is water "
    "follows from the evidence below."
)
_LARGEST = 5_000_000  # pixels; a sheet of very many dates is drawn less finely


def sections_of(
    dated: Sequence[xr.DataArray],
    segmentation: xr.Dataset,
    masks: Sequence[xr.DataArray],
    change: xr.DataArray | None,
    water: Water,
) -> list[dict[str, Any]]:
    """Draw the sections that consist of pictures.

    Parameters
    ----------
    dated : sequence of DataArray of shape (band, y, x)
        The dates.
    segmentation : Dataset
        Of them.
    masks : sequence of DataArray of uint8, shape (y, x)
        Water, per date.
    change : DataArray of uint8, shape (y, x), optional
        Between the first and the last date.
    water : DataFrame or sequence of int
        The table of `strandline.find_water`, or the clusters that are water.

    Returns
    -------
    list of dict
        ``name``, ``heading``, ``text`` and ``pictures`` of each section.
    """
    many = len(dated) > 2  # their sheets would take megabytes without loss
    sections = [
        {
            "name": "scenes",
            "heading": "What the satellite saw",
            "text": "One stretch for all dates, so the colours can be compared."
            if len(dated) > 1
            else "",
            "pictures": _scenes(dated),
        }
    ]
    if change is not None:
        dates = [captions.date_text(d) for d in dated]
        sheet = change_sheet(
            change,
            over=dated[-1],
            dates=(dates[0], dates[-1]) if all(dates) else None,
            sensors=(captions.sensor_text(dated[0]), captions.sensor_text(dated[-1])),
        )
        sections.append(_section("change", "Where water was lost and gained", "", sheet.draw))
    if change is None or many:
        sheet = water_sheet(_seen_by(_together(masks), dated), over=list(dated))
        sections.append(_section("water", "Where the water is", "", sheet.draw, lossy=many))
    sheet = label_sheet(
        _seen_by(segmentation["labels"], dated), segmentation=segmentation, water=water
    )
    sections.append(
        _section(
            "labels",
            "The clusters",
            " ".join(filter(None, [_CLUSTERS, too_many_text(segmentation.sizes["cluster"])])),
            sheet.draw,
            lossy=many,
        )
    )
    draw = partial(signature_chart, segmentation, water=water)
    sections.append(_section("signatures", "Their spectra", "", draw))
    return sections


def _scenes(dated: Sequence[xr.DataArray]) -> list[dict[str, Any]]:
    """Draw one or two dates large, side by side where there is room; more of them on one sheet."""
    bands, _ = display_bands(dated)
    stretch = fit_stretch(dated, bands, natural=is_true_colour(bands))
    sheets: list[Any] = [list(dated)] if len(dated) > 2 else list(dated)
    return [_picture(true_colour(sheet, stretch=stretch), lossy=True) for sheet in sheets]


def _seen_by(classes: xr.DataArray, dated: Sequence[xr.DataArray]) -> xr.DataArray:
    """Tell maps of classes what saw each date, for their titles."""
    names = [_platform(date) for date in dated]
    if "time" in classes.dims:
        return classes.assign_coords(platform=("time", names))
    return classes.assign_attrs(platform=names[0])


def _platform(date: xr.DataArray) -> str:
    if "platform" in date.coords and date["platform"].ndim == 0:
        return str(date["platform"].values)
    return str(date.attrs.get("platform") or "")


def _together(masks: Sequence[xr.DataArray]) -> xr.DataArray:
    if len(masks) == 1:
        return masks[0]
    return xr.concat(
        masks, "time", coords="different", compat="equals", join="override",
        combine_attrs="override",
    )  # fmt: skip


def _section(
    name: str, heading: str, text: str, draw: Callable[..., Figure], *, lossy: bool = False
) -> dict[str, Any]:
    """Draw a picture twice: for a page, and for a phone, where the one would be too small."""
    picture = _picture(draw(), lossy=lossy)
    picture["narrow"] = _picture(draw(narrow=True), dpi=_PHONE_DPI, lossy=True)
    return {"name": name, "heading": heading, "text": text, "pictures": [picture]}


def _picture(figure: Figure, *, dpi: int = _DPI, lossy: bool = False) -> dict[str, Any]:
    inches = [float(side) for side in figure.get_size_inches()]
    dpi = min(dpi, math.floor(math.sqrt(_LARGEST / math.prod(inches))))
    content, media_type = picture_bytes(figure, dpi=dpi, lossy=lossy)
    width, height = (round(side * dpi) for side in inches)
    if media_type == "image/png":
        width, height = struct.unpack(">II", content[16:24])
    data = base64.b64encode(content).decode("ascii")
    return {
        "source": f"data:{media_type};base64,{data}",
        "alt": _told(figure),
        "width": width,
        "height": height,
    }


def _told(figure: Figure) -> str:
    """Say in words what a picture says in words: headline, dates, legend."""
    panels = [axes.get_title(loc="left") for axes in figure.axes]
    said = [text.get_text() for text in figure.texts]
    return " · ".join(dict.fromkeys(filter(None, [*said[:2], *panels, *said[2:]])))
