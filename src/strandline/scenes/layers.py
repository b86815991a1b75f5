"""What the layers of a source are: spectra, masks, quality bands, or something else.

A scene consists of spectra. Files and data cubes hold other layers beside them, which are known
by the names that their makers give them, by units, and by the attributes of the CF conventions.
Masks and quality bands say where the others count; what remains (angles, coordinates,
probabilities, indices) is left out unless it is named in ``bands=…``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from strandline.scenes.quality import (
    FILL,
    KINDS,
    MASKED,
    SATURATION,
    flag_attributes,
    flags_of_meanings,
    quality_flags,
)
from strandline.scenes.sensors import Sensor, band_name, plain_name

DATASET_MASK = "mask of the file"
"""Name of the layer that stands for the mask that GDAL keeps beside a file's bands."""

Role = Literal["band", "mask", "quality", "other"]


class Layer(NamedTuple):
    """What a layer is.

    Attributes
    ----------
    role : {"band", "mask", "quality", "other"}
    kind : str
        Of a quality band: as for `strandline.scenes.quality.quality_flags`, or "meanings" where
        it says itself what its numbers mean. Of a mask: "contiguity" where 1 alone is valid.
    """

    role: Role
    kind: str = ""


_BAND, _OTHER = Layer("band"), Layer("other")

_QUALITY = re.compile(
    rf"(?:^|_)(?P<kind>{'|'.join((*KINDS, 'scene_classification(?:_layer)?'))})(?:_[126]0m)?$"
)
_MASK = re.compile(
    r"^(?:alpha|(?:.*_)?alpha(?:_band)?|data_?mask|mask|valid(?:ity)?(?:_?(?:data|mask|pixels?))*"
    r"|(?:.*_)?(?P<contiguity>contiguity))$"
)

_WORDS = (
    # quality
    "qa qc quality flag flags bitmask udm udm1 udm2 classification class classes label labels",
    # places and angles
    "lat lon latitude longitude elevation dem dsm slope aspect hillshade height",
    "azimuth zenith vza vaa sza saa raa incidence incident exiting",
    # the atmosphere
    "aerosol aot aod aod550 aot550 wvp wv ozone opacity transmittance",
    # heat
    "emis emissivity emsd temperature bt lst trad urad drad atran cdist",
    # clouds
    "cloud clouds cld cldprb clp clm cs cdf snw snow snwprb snowprb prob probability shadow "
    "shadows clear landmask",
    # times and counts
    "time date doy year month count counts nobs observations",
    # what is computed from spectra
    "ndvi ndwi mndwi evi evi2 savi msavi nbr nbr2 ndbi ndsi ndmi gndvi ndre awei wi2015 lai fapar "
    "albedo ndti ndci",
)
_NO_SPECTRUM = re.compile(rf"(?:^|_)(?:{'|'.join(' '.join(_WORDS).split())})(?:_|\d*$)")
_NO_SPECTRUM_EITHER = re.compile(r"^(?:oa_|st_|msk_)|_mask$|^qa\d|^awei|^n_obs")
_UNITS = re.compile(
    r"^(?:deg(?:ree)?s?(?:_(?:north|south|east|west|true))?|rad(?:ian)?s?|k(?:elvin)?|celsius"
    r"|met(?:er|re)s?|m|s(?:econds?)?|days?.*|hours?.*|kg.*|g_cm.*)$"
)


def layer_of(
    name: str,
    sensor: Sensor | None = None,
    *,
    attrs: Mapping[str, Any] | None = None,
    dtype: Any = None,
    product: str = "",
    nodata: float | None = None,
) -> Layer:
    """Find out what a layer is.

    Parameters
    ----------
    name : str
        As its maker calls it.
    sensor : Sensor, optional
        For numbered names.
    attrs : mapping, optional
        Of a variable: ``units``, ``flag_meanings``.
    dtype : numpy.dtype, optional
    product : str
        What the source is called.
    nodata : float, optional
        Number that stands for no value in it. Three programs write an Fmask, with codes of their
        own: it is one of theirs where it is called ``oa_fmask``, where the source is called "HLS",
        or where its number for no value is that of one of them. Otherwise its codes are not known.

    Returns
    -------
    Layer

    Examples
    --------
    >>> layer_of("QA_PIXEL"), layer_of("dataMask").role, layer_of("view_zenith").role
    (Layer(role='quality', kind='qa_pixel'), 'mask', 'other')
    >>> layer_of("coastal_aerosol").role, layer_of("SR_QA_AEROSOL").role
    ('band', 'other')
    """
    says = attrs or {}
    plain = plain_name(name)
    if band_name(name, sensor) is not None:
        return _BAND
    if plain == plain_name(DATASET_MASK):
        return Layer("mask")
    if match := _MASK.match(plain):
        return Layer("mask", "contiguity" if match["contiguity"] else "")
    if match := _QUALITY.search(plain):
        kind = _kind(match["kind"], plain, product, nodata)
        return Layer("quality", kind) if kind else _OTHER
    if "flag_meanings" in says and getattr(dtype, "kind", "u") in "biuf":
        return Layer("quality", "meanings")
    units = plain_name(str(says.get("units", "")))
    if _NO_SPECTRUM.search(plain) or _NO_SPECTRUM_EITHER.search(plain) or _UNITS.match(units):
        return _OTHER
    return _OTHER if getattr(dtype, "kind", "u") in "bMmOSU" else _BAND


def _kind(written: str, name: str, product: str, nodata: float | None) -> str | None:
    """Find the kind of a quality band; None if its codes are not known."""
    if written.startswith("scene_classification"):
        return "scl"
    if written != "fmask":
        return written
    if name == "oa_fmask" or nodata == 0:
        return "fmask"
    if re.search(r"(?:^|[/\\_.\-\s])hls", product.lower()):
        return "hls_fmask"
    return "fmask_codes" if nodata == 255 else None


def valid_pixels(mask: xr.DataArray, kind: str) -> xr.DataArray:
    """Find where a mask says that pixels are valid.

    Parameters
    ----------
    mask : DataArray of shape (y, x)
        As stored; 0 and NaN stand for what is not valid.
    kind : str
        Of the layer: for "contiguity", 1 alone is valid.

    Returns
    -------
    DataArray of bool, shape (y, x)
        Lazy if `mask` is.
    """
    bare = mask.reset_coords(drop=True).drop_attrs()
    valid = bare == 1 if kind == "contiguity" else bare != 0
    if bare.dtype.kind != "f":
        return valid
    found: xr.DataArray = valid & bare.notnull()
    return found


def flags_of_layer(
    kind: str, plane: xr.DataArray, sensor: Sensor | None, bands: Iterable[str]
) -> xr.DataArray | None:
    """Translate a quality band into flags.

    Parameters
    ----------
    kind : str
        Of the layer.
    plane : DataArray of shape (y, x)
        As stored.
    sensor : Sensor or None
    bands : iterable of str
        Common names of the bands in use, whose saturation matters.

    Returns
    -------
    DataArray of uint8 or None
        As from `strandline.scenes.quality.quality_flags`; None if its numbers have no meaning
        here.
    """
    if kind == "meanings":
        return flags_of_meanings(plane)
    if plane.dtype.kind not in "iuf":
        return None
    numbers = [number for name in bands if sensor and (number := sensor.number(name))]
    if kind in SATURATION and not numbers:
        return None
    instrument = sensor.instrument if sensor else None
    flags: xr.DataArray = quality_flags(plane, kind, instrument=instrument, numbers=numbers)
    return flags


def flags_of_valid(valid: xr.DataArray) -> xr.DataArray:
    """Make flags of where bands are valid: fill where one of them is not.

    Parameters
    ----------
    valid : DataArray of bool, shape (band, y, x)

    Returns
    -------
    DataArray of uint8, shape (y, x)
    """
    hidden = ~valid.all("band")
    flags = hidden.astype(np.uint8) * np.uint8(FILL)
    flags.attrs = flag_attributes([MASKED])
    return flags
