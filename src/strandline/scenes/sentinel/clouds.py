"""Cloud masks of Level 1C.

Since processing baseline 04.00 they are an image with three layers (opaque clouds, cirrus,
snow); before, polygons, of which other archives made the band QA60. The polygons are drawn as
QA60 here, piece by piece when they are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from dask.base import tokenize
from numpy.typing import NDArray

from strandline.errors import MetadataError
from strandline.scenes.sentinel.document import Document, read_document

_BITS = {"OPAQUE": 1 << 10, "CIRRUS": 1 << 11}
_CRS = re.compile(r"EPSG:(?:[\d.]*:)?(\d+)$")

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class CloudPolygon:
    """One cloud.

    Parameters
    ----------
    bits : int
        Of QA60: 1024 opaque, 2048 cirrus.
    rings : tuple of tuple of (float, float)
        Outline and holes, in map coordinates.
    """

    bits: int
    rings: tuple[Ring, ...]


def parse_clouds(content: str, source: str, crs: str | None = None) -> tuple[CloudPolygon, ...]:
    """Parse the content of ``MSK_CLOUDS_B00.gml``.

    Parameters
    ----------
    content : str
    source : str
        Its name, for messages.
    crs : str, optional
        CRS of the tile, such as "EPSG:32610", which that of the polygons has to be.

    Returns
    -------
    tuple of CloudPolygon

    Raises
    ------
    MetadataError
        If it is damaged, or lies in another CRS.
    UnknownProductError
        If it is not a mask.

    Examples
    --------
    >>> gml = (
    ...     "<Mask><MaskFeature><maskType>CIRRUS</maskType><Polygon><exterior><posList>"
    ...     "0 0 0 60 60 60 60 0 0 0</posList></exterior></Polygon></MaskFeature></Mask>"
    ... )
    >>> [(cloud.bits, len(cloud.rings[0])) for cloud in parse_clouds(gml, "a.gml")]
    [(2048, 5)]
    """
    document = read_document(content, source, re.compile("Mask"), "Mask")
    if crs is not None:
        _check_crs(document, crs)
    clouds: list[CloudPolygon] = []
    kind, rings = "", list[Ring]()
    shapes: list[tuple[Ring, ...]] = []
    for leaf in document.leaves:
        if leaf.tag == "maskType":
            kind = leaf.text.upper()
        elif leaf.tag == "posList":
            rings.append(_ring(leaf.text, leaf.attributes.get("srsDimension", "2"), source))
        elif leaf.tag == "Polygon":
            shapes.append(tuple(rings))
            rings = []
        elif leaf.tag == "MaskFeature":
            clouds += [CloudPolygon(_BITS[kind], shape) for shape in shapes if kind in _BITS]
            kind, shapes = "", []
    return tuple(clouds)


def _check_crs(document: Document, crs: str) -> None:
    for leaf in document.leaves:
        match = _CRS.search(leaf.attributes.get("srsName", ""))
        if match and f"EPSG:{match[1]}" != crs:
            raise MetadataError(
                f"The cloud mask {document.source!r} lies in another CRS than its tile.",
                expected=crs,
                got=f"EPSG:{match[1]}",
                remedy="Pass mask=() to open the bands without it.",
            )


def _ring(text: str, dimension: str, source: str) -> Ring:
    step = 3 if dimension == "3" else 2
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) < 4 * step or len(numbers) % step or not np.isfinite(numbers).all():
        raise MetadataError(
            f"The cloud mask {source!r} has an outline that cannot be drawn.",
            expected="pairs of coordinates of at least four points",
            got=repr(text[:60]),
            remedy="Fetch it again, or pass mask=() to open the bands without it.",
        )
    return tuple(zip(numbers[::step], numbers[1::step], strict=True))


def draw_clouds(
    clouds: tuple[CloudPolygon, ...], transform: Affine, like: xr.DataArray
) -> xr.DataArray:
    """Draw clouds as a band QA60, lazily.

    Parameters
    ----------
    clouds : tuple of CloudPolygon
    transform : Affine
        Of the grid.
    like : xarray.DataArray
        Dims (…, y, x), Dask-backed; gives size, chunks and coordinates.

    Returns
    -------
    xarray.DataArray
        Dims (y, x), uint16: bit 10 opaque clouds, bit 11 cirrus; where a pixel's centre is inside.
    """
    heights, widths = like.chunks[-2], like.chunks[-1]  # type: ignore[index]  # it is Dask-backed
    name = "draw-clouds-" + tokenize(clouds, tuple(transform), heights, widths)
    tops = np.concatenate(([0], np.cumsum(heights)))[:-1].tolist()
    lefts = np.concatenate(([0], np.cumsum(widths)))[:-1].tolist()
    source = (clouds, tuple(transform)[:6])
    graph = {
        (name, i, j): (_draw, source, (top, left, rows, columns))
        for i, (top, rows) in enumerate(zip(tops, heights, strict=True))
        for j, (left, columns) in enumerate(zip(lefts, widths, strict=True))
    }
    data = da.Array(graph, name, (heights, widths), dtype=np.dtype(np.uint16))  # type: ignore[no-untyped-call]  # untyped library
    return xr.DataArray(data, dims=("y", "x"), coords={"y": like["y"], "x": like["x"]})


def _draw(
    source: tuple[tuple[CloudPolygon, ...], tuple[float, ...]], place: tuple[int, int, int, int]
) -> NDArray[np.uint16]:
    from rasterio.features import rasterize

    clouds, numbers = source
    top, left, rows, columns = place
    here: Any = Affine(*numbers) * Affine.translation(left, top)
    bounds = (here * (0, rows), here * (columns, 0))  # lower left, upper right
    result = np.zeros((rows, columns), np.uint16)
    for bits in _BITS.values():
        shapes = [
            {"type": "Polygon", "coordinates": cloud.rings}
            for cloud in clouds
            if cloud.bits == bits and _touches(cloud.rings[0], bounds)
        ]
        if shapes:
            drawn = rasterize(shapes, out_shape=result.shape, transform=here, dtype="uint8")
            result[drawn == 1] |= np.uint16(bits)
    return result


def _touches(ring: Ring, bounds: tuple[tuple[float, float], tuple[float, float]]) -> bool:
    (west, south), (east, north) = bounds
    xs, ys = zip(*ring, strict=True)
    return bool(min(xs) < east and max(xs) > west and min(ys) < north and max(ys) > south)
