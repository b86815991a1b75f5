"""Published water indices, computed from reflectance by band name.

Each takes a scene, or any DataArray with a ``band`` dimension such as a table of
signatures, and returns the array without that dimension, or None when a band that the
index needs is missing. Reflectance below 0.0001 (noise around zero after atmospheric
correction) counts as 0.0001, so that a ratio never divides by nothing.
"""

from __future__ import annotations

import xarray as xr

FLOOR = 1e-4


def ndwi(spectra: xr.DataArray) -> xr.DataArray | None:
    """Compute the Normalised Difference Water Index, (green - NIR) / (green + NIR).

    Parameters
    ----------
    spectra : DataArray with dimension band
        Reflectance; needs ``green`` and ``nir08``.

    Returns
    -------
    DataArray or None
        -1 … 1, above 0 for open clear water; NaN where a band is NaN.

    References
    ----------
    McFeeters, "The use of the Normalized Difference Water Index (NDWI) in the delineation
    of open water features", International Journal of Remote Sensing 17 (1996).

    Examples
    --------
    >>> water = xr.DataArray([0.06, 0.02], coords={"band": ["green", "nir08"]}, dims="band")
    >>> float(ndwi(water).round(3))
    0.5
    """
    return _normalised_difference(spectra, "green", "nir08")


def mndwi(spectra: xr.DataArray) -> xr.DataArray | None:
    """Compute the Modified NDWI, (green - SWIR) / (green + SWIR), with SWIR at 1.6 µm.

    Parameters
    ----------
    spectra : DataArray with dimension band
        Reflectance; needs ``green`` and ``swir16`` (or ``swir22`` where that is all there is).

    Returns
    -------
    DataArray or None
        -1 … 1, above 0 for water, also for turbid water, and for snow and some clouds;
        NaN where a band is NaN.

    References
    ----------
    Xu, "Modification of normalised difference water index (NDWI) to enhance open water
    features in remotely sensed imagery", International Journal of Remote Sensing 27 (2006).
    """
    first = _normalised_difference(spectra, "green", "swir16")
    return _normalised_difference(spectra, "green", "swir22") if first is None else first


def awei_nsh(spectra: xr.DataArray) -> xr.DataArray | None:
    """Compute the Automated Water Extraction Index for scenes without shadow.

    4 (green - SWIR1) - (0.25 NIR + 2.75 SWIR2).

    Parameters
    ----------
    spectra : DataArray with dimension band
        Reflectance; needs ``green nir08 swir16 swir22``.

    Returns
    -------
    DataArray or None
        Above 0 for water; NaN where a band is NaN.

    References
    ----------
    Feyisa, Meilby, Fensholt and Proud, "Automated Water Extraction Index", Remote Sensing
    of Environment 140 (2014), equation 2.
    """
    bands = _bands(spectra, "green", "nir08", "swir16", "swir22")
    if bands is None:
        return None
    green, nir, swir1, swir2 = bands
    return 4 * (green - swir1) - (0.25 * nir + 2.75 * swir2)


def awei_sh(spectra: xr.DataArray) -> xr.DataArray | None:
    """Compute the Automated Water Extraction Index for scenes with shadow.

    blue + 2.5 green - 1.5 (NIR + SWIR1) - 0.25 SWIR2.

    Parameters
    ----------
    spectra : DataArray with dimension band
        Reflectance; needs ``blue green nir08 swir16 swir22``.

    Returns
    -------
    DataArray or None
        Above 0 for water; NaN where a band is NaN.

    References
    ----------
    Feyisa, Meilby, Fensholt and Proud, "Automated Water Extraction Index", Remote Sensing
    of Environment 140 (2014), equation 3.
    """
    bands = _bands(spectra, "blue", "green", "nir08", "swir16", "swir22")
    if bands is None:
        return None
    blue, green, nir, swir1, swir2 = bands
    return blue + 2.5 * green - 1.5 * (nir + swir1) - 0.25 * swir2


def _normalised_difference(spectra: xr.DataArray, high: str, low: str) -> xr.DataArray | None:
    bands = _bands(spectra, high, low)
    if bands is None:
        return None
    first, second = bands
    return (first - second) / (first + second)


def _bands(spectra: xr.DataArray, *names: str) -> list[xr.DataArray] | None:
    """Pick bands by name, or None if one is missing."""
    present = {str(name) for name in spectra["band"].values}
    if not present.issuperset(names):
        return None
    # `clip` keeps NaN.
    return [spectra.sel(band=name, drop=True).clip(min=FLOOR) for name in names]
