"""How numbers of Sentinel-2 become reflectance, with the offset taken off exactly once."""

from __future__ import annotations

import math

from strandline.errors import MetadataError, ScaleError
from strandline.scenes.reflectance import Factors

QUANTIFICATION = 10_000.0
"""Of every product so far: a stored 10000 is a reflectance of 1."""

BASELINE_OFFSET = -1000.0
"""RADIO_ADD_OFFSET and BOA_ADD_OFFSET of every band since processing baseline 04.00."""

NODATA, SATURATED = 0.0, 65535.0


def msi_factors(
    *,
    quantification: float = QUANTIFICATION,
    add_offset: float | None = None,
    baseline: str | None = None,
    applied: bool = False,
) -> Factors:
    """Work out scale and offset from what is known about a band.

    Before baseline 04.00, reflectance = number / quantification. Since then,
    reflectance = (number + add_offset) / quantification, so that dark pixels keep the values below
    zero that noise and atmospheric correction give them. The date of acquisition tells nothing:
    old scenes are processed again. Some archives have added the offset to their copies already.

    Parameters
    ----------
    quantification : float
        QUANTIFICATION_VALUE (Level 1C) or BOA_QUANTIFICATION_VALUE (Level 2A).
    add_offset : float, optional
        RADIO_ADD_OFFSET or BOA_ADD_OFFSET of the band, in stored numbers; 0 where the product's
        metadata has none.
    baseline : str, optional
        Processing baseline such as ``"05.09"`` or ``"N0509"``; decides where `add_offset` is not
        known.
    applied : bool
        Whether the offset is in the numbers already.

    Returns
    -------
    Factors

    Raises
    ------
    MetadataError
        If the quantification or the offset cannot be.
    ScaleError
        If nothing tells whether there is an offset.

    References
    ----------
    ESA (2021). Sentinel-2 Products Specification Document, issue 14.8, S2-PDGS-TAS-DI-PSD.

    Examples
    --------
    >>> factors = msi_factors(add_offset=-1000)
    >>> factors.scale, factors.offset, factors.invalid
    (0.0001, -0.1, (0.0,))
    >>> msi_factors(baseline="05.09").offset, msi_factors(baseline="02.09").offset
    (-0.1, 0.0)
    >>> msi_factors(baseline="05.09", applied=True).offset
    0.0
    """
    if not (math.isfinite(quantification) and quantification > 0):
        raise MetadataError(
            "The quantification value of a Sentinel-2 product cannot be used.",
            expected="a positive number, such as 10000",
            got=f"{quantification:g}",
        )
    if applied:
        add_offset = 0.0
    elif add_offset is None:
        if baseline is None:
            raise ScaleError(
                "Whether the numbers of a Sentinel-2 product carry an offset is unknown.",
                expected="its metadata, or its processing baseline",
                got="neither",
                remedy="Pass scale=1e-4 with offset=-0.1 for products of baseline 04.00 and later, "
                "offset=0 for others.",
            )
        add_offset = BASELINE_OFFSET if has_offset(baseline) else 0.0
    if not math.isfinite(add_offset):
        raise MetadataError(
            "The offset of a Sentinel-2 product cannot be used.",
            expected="a number, such as -1000",
            got=f"{add_offset}",
        )
    return Factors(1.0 / quantification, add_offset / quantification, (NODATA,))


def has_offset(baseline: str) -> bool:
    """Whether products of a processing baseline store reflectance with an offset.

    Parameters
    ----------
    baseline : str
        ``"04.00"``, ``"N0400"``. 99.99 stands for products that were made outside of ESA's ground
        segment, with any version of the processor: they have an offset only where they say so.

    Raises
    ------
    MetadataError
        If it is not a baseline.

    Examples
    --------
    >>> has_offset("04.00"), has_offset("N0301"), has_offset("99.99")
    (True, False, False)
    """
    digits = baseline.strip().upper().removeprefix("N").replace(".", "")
    if not (len(digits) == 4 and digits.isascii() and digits.isdigit()):
        raise MetadataError(
            "The processing baseline of a Sentinel-2 product cannot be understood.",
            expected="four digits such as 05.09",
            got=repr(baseline),
        )
    return 400 <= int(digits) < 9999
