"""The pictures of a report to swipe between: the same place on each date, in several colours."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image, features

from strandline.prepare.classes import NOT_OBSERVED
from strandline.show.canvas import UNSEEN_FACE, UNSEEN_HATCH
from strandline.show.captions import channel_ranges
from strandline.show.composites import FALSE_COLOURS, display_bands, is_true_colour
from strandline.show.display import block_means, fit_stretch, image_step
from strandline.show.palettes import CHANNELS, Palette
from strandline.show.report.pixels import Lattice

_PIXELS = 2_200_000  # of all composites together
_LONGEST_SIDE = 720
_HATCH_WIDTH, _HATCH_LINE = 6, 2
_HATCH = 254  # no label has this number
_QUALITY = 85


def composites(
    dated: Sequence[xr.DataArray], lattice: Lattice
) -> dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Draw each date in true and in false colour, as far as there are bands for it.

    Parameters
    ----------
    dated : sequence of DataArray of shape (band, y, x)
        The dates.
    lattice : Lattice
        How scenes lie on the maps.

    Returns
    -------
    dict of str to (str, list of dict, list of dict)
        By "true" and "false": what the colours are, a picture per date, and a legend.
    """
    found: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = {}
    chosen = {
        "true": display_bands(dated),
        "false": display_bands(dated, FALSE_COLOURS),
    }
    side = min(_LONGEST_SIDE, math.isqrt(_PIXELS // (2 * len(dated))))
    step = image_step(dated[0].shape, side)
    for name, (bands, words) in chosen.items():
        if any(words == other for other, *_ in found.values()):
            continue
        stretch = fit_stretch(dated, bands, natural=is_true_colour(bands))
        images = [
            _composite(stretch.apply(block_means(date.sel(band=list(bands)), step)))
            for date in dated
        ]
        legend = [
            {"colour": CHANNELS[channel], "name": f"{band}, from dark to bright {span}"}
            for channel, band, span in channel_ranges(bands, stretch)
        ]
        placed = [_placed(image, lattice, step * lattice.thinned) for image in images]
        found[name] = words, placed, legend
    return found


def class_picture(
    values: NDArray[np.uint8], palette: Palette, lattice: Lattice, *, clear: Sequence[int] = ()
) -> dict[str, Any]:
    """Draw a map of classes, not observed hatched.

    Parameters
    ----------
    values : ndarray of uint8, shape (rows, columns)
        Of the points of a page.
    palette : Palette
        Their colours.
    lattice : Lattice
        Of the points.
    clear : sequence of int
        Values through which what lies below is seen.

    Returns
    -------
    dict
        ``source`` (a data URI), and ``width`` and ``height``: of the whole map's, 1 or a
        little more, as the last points may reach beyond the map.
    """
    rows, columns = np.indices(values.shape)
    hatched = (values == NOT_OBSERVED) & ((rows + columns) % _HATCH_WIDTH < _HATCH_LINE)
    image = Image.fromarray(np.where(hatched, np.uint8(_HATCH), values))
    colours = {c.value: c.colour for c in palette.categories}
    colours |= {_HATCH: UNSEEN_HATCH, NOT_OBSERVED: UNSEEN_FACE}
    flat = b"".join(_rgb(colours.get(value, UNSEEN_FACE)) for value in range(256))
    image.putpalette(flat)
    stream = io.BytesIO()
    if clear:
        alpha = bytes(0 if value in clear else 255 for value in range(256))
        image.save(stream, format="png", optimize=True, transparency=alpha)
    else:
        image.save(stream, format="png", optimize=True)
    return _placed((stream.getvalue(), "image/png", values.shape), lattice, lattice.step)


def _rgb(colour: str) -> bytes:
    return bytes.fromhex(colour.removeprefix("#"))


def _composite(channels: NDArray[np.floating[Any]]) -> tuple[bytes, str, tuple[int, int]]:
    """Encode brightness 0..1, (channel, y, x), as a photograph; not observed is hatched."""
    seen = np.isfinite(channels).all(axis=0)
    shades = np.rint(255 * np.where(seen, channels, 0)).astype(np.uint8)
    image = np.moveaxis(np.broadcast_to(shades, (3, *seen.shape)), 0, -1).copy()
    rows, columns = np.indices(seen.shape)
    lines = (rows + columns) % _HATCH_WIDTH < _HATCH_LINE
    image[~seen] = np.frombuffer(_rgb(UNSEEN_FACE), np.uint8)
    image[~seen & lines] = np.frombuffer(_rgb(UNSEEN_HATCH), np.uint8)
    stream = io.BytesIO()
    kind = "webp" if features.check("webp") else "jpeg"
    options: Mapping[str, Any] = {"method": 4} if kind == "webp" else {}
    Image.fromarray(image).save(stream, format=kind, quality=_QUALITY, **options)
    return stream.getvalue(), f"image/{kind}", seen.shape


def _placed(
    encoded: tuple[bytes, str, tuple[int, ...]], lattice: Lattice, step: int
) -> dict[str, Any]:
    content, media_type, (rows, columns) = encoded
    data = base64.b64encode(content).decode("ascii")
    return {
        "source": f"data:{media_type};base64,{data}",
        "width": round(columns * step / lattice.shape[1], 6),
        "height": round(rows * step / lattice.shape[0], 6),
    }
