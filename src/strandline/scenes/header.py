"""What a raster file says about itself, without its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.enums import MaskFlags

from strandline.scenes.access import Access
from strandline.scenes.reading import opened_raster, tried
from strandline.scenes.storage import file_behind


@dataclass(frozen=True)
class RasterHeader:
    """What a raster file says about itself, without its pixels.

    Parameters
    ----------
    url : str
        As it was asked for.
    width, height, count : int
        Pixels per row, rows, bands.
    dtype : str
        NumPy name of the stored type.
    transform : Affine
        Pixel (column, row) of the upper-left corner of a pixel to map coordinates.
    crs : str or None
        WKT, or None where the file has none.
    nodata : tuple of float or None
        One per band.
    scales, offsets : tuple of float
        One per band; GDAL's 1 and 0 where the file has none.
    descriptions : tuple of str or None
        One per band.
    tags : dict
        The file's own metadata items.
    block_shape : tuple of int
        Rows and columns that are stored, and so read, together.
    georeferenced : bool
        False when the file has no transform of its own.
    colours : tuple of str
        Colour interpretation of each band, as GDAL names it: "gray", "alpha", "undefined", ….
    has_mask : bool
        Whether GDAL keeps a mask of valid pixels for it, inside of the file or in a ``.msk`` file.
    masked : bool
        Whether this mask counts as its last band (1 valid, 0 not): see `with_mask`.
    stamp : tuple of int
        Size and modification time of a local file; empty for a remote one.
    """

    url: str
    width: int
    height: int
    count: int
    dtype: str
    transform: Affine
    crs: str | None
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    descriptions: tuple[str | None, ...]
    tags: dict[str, str]
    block_shape: tuple[int, int]
    georeferenced: bool
    stamp: tuple[int, ...] = ()
    colours: tuple[str, ...] = ()
    has_mask: bool = False
    masked: bool = False

    def with_mask(self) -> RasterHeader:
        """Count the mask of the file as one more band, if it has one."""
        if not self.has_mask or self.masked:
            return self
        return replace(
            self,
            count=self.count + 1,
            nodata=(*self.nodata, self.nodata[0]),
            scales=(*self.scales, 1.0),
            offsets=(*self.offsets, 0.0),
            descriptions=(*self.descriptions, None),
            colours=(*self.colours, "mask"),
            masked=True,
        )

    @property
    def geobox(self) -> GeoBox:
        """The file's grid."""
        crs = None if self.crs is None else short_crs(self.crs)
        return GeoBox((self.height, self.width), self.transform, crs)


def read_header(
    url: str | Path,
    *,
    storage_options: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> RasterHeader:
    """Read what a raster file says about itself.

    Parameters
    ----------
    url : str or Path
        Local path, ``file://``, ``s3://``, ``gs://``, ``http(s)://`` or GDAL ``/vsi…`` path.
    storage_options : mapping, optional
        As fsspec and intake write them, e.g. ``{"anon": True}``.
    address : str, optional
        Where the file is, if `url` lacks what shall not be shown: a signature.

    Returns
    -------
    RasterHeader

    Raises
    ------
    SourceNotFoundError
        If nothing is there.
    UnreadableSourceError
        If it is not a raster, or damaged.

    Examples
    --------
    >>> read_header("nowhere.tif")
    Traceback (most recent call last):
    ...
    strandline.errors.SourceNotFoundError: There is no file 'nowhere.tif'. ...
    """
    access = Access.to(address or url, storage_options, shown=str(url)).anew()
    return tried(access, partial(_header, access))


def _header(access: Access, _: int) -> RasterHeader:
    with opened_raster(access, quiet=True) as dataset:
        crs = dataset.crs
        return RasterHeader(
            url=access.url,
            width=dataset.width,
            height=dataset.height,
            count=dataset.count,
            dtype=str(np.result_type(*dataset.dtypes)),
            transform=dataset.transform,
            crs=crs.to_wkt() if crs else None,
            nodata=tuple(dataset.nodatavals),
            scales=tuple(dataset.scales),
            offsets=tuple(dataset.offsets),
            descriptions=tuple(dataset.descriptions),
            tags=dict(dataset.tags()),
            block_shape=tuple(dataset.block_shapes[0]),
            georeferenced=not dataset.transform.is_identity,
            stamp=_stamp(access),
            colours=tuple(colour.name for colour in dataset.colorinterp),
            has_mask=any(map(_is_mask, dataset.mask_flag_enums)),
        )


def _is_mask(flags: Sequence[MaskFlags]) -> bool:
    """Whether a band has a mask other than its nodata value or an alpha band.

    Of the file, or (no flags at all) the band's own: both come inside of it and in ``.msk`` files.
    """
    return not flags or (MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags)


def short_crs(written: str | CRS) -> CRS:
    """Prefer the EPSG code, where there is one: maps and messages show it."""
    crs = CRS(written)
    if crs.epsg is None:
        return crs
    registered = CRS(crs.epsg)
    return registered if registered == crs else crs


def _stamp(access: Access) -> tuple[int, ...]:
    file = file_behind(access.path)
    if file is None:
        return ()
    status = file.stat()
    return (status.st_size, status.st_mtime_ns)
