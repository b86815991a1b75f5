"""The offset of Sentinel-2 reflectance in STAC items, applied exactly once.

Since processing baseline 04.00 the products store reflectance plus 0.1. Some archives have
taken that out again, and not all of them say so in the same place; the date of the
acquisition decides nothing, because old ones are processed again.

References
----------
ESA (2022). Sentinel-2 Products Specification Document, issue 14.9: RADIO_ADD_OFFSET and
BOA_ADD_OFFSET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strandline.errors import ScaleError
from strandline.scenes.sentinel.factors import BASELINE_OFFSET, QUANTIFICATION, has_offset

if TYPE_CHECKING:
    import pystac

ADDED = BASELINE_OFFSET / QUANTIFICATION
"""What baseline 04.00 and later add to reflectance, to be taken off."""

_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINE = (
    "s2:processing_baseline",
    "sentinel:processing_baseline",
    "processing:version",
    "sentinel2:processing_baseline",
)


def stac_offset(item: pystac.Item, band: Mapping[str, Any] | None = None) -> float:
    """Decide what to add to scaled numbers of a Sentinel-2 item, from its metadata.

    In this order: what says that the archive has taken the offset out; what the band itself
    says; the processing baseline.

    Parameters
    ----------
    item : pystac.Item
        Of Sentinel-2.
    band : mapping, optional
        What its asset says about the band: a key ``offset`` counts.

    Returns
    -------
    float
        0 or -0.1, or what the band says.

    Raises
    ------
    ScaleError
        If nothing in the item tells.

    Examples
    --------
    >>> import datetime, pystac
    >>> when = datetime.datetime(2018, 7, 1, tzinfo=datetime.timezone.utc)
    >>> item = pystac.Item("a", None, None, when, {"s2:processing_baseline": "05.00"})
    >>> stac_offset(item)
    -0.1
    >>> item.properties["earthsearch:boa_offset_applied"] = True
    >>> stac_offset(item, {"offset": -0.1})
    0.0
    """
    properties = item.properties
    applied = next((properties[name] for name in _APPLIED if name in properties), None)
    if applied is True:
        # Earth Search still writes the offset into raster:bands of these items.
        return 0.0
    baseline = _baseline(item)
    said = None if band is None else band.get("offset")
    trusted = applied is not False or baseline is None  # else the baseline tells more surely
    if trusted and isinstance(said, int | float):
        return float(said)
    if baseline is not None:
        return ADDED if has_offset(baseline) else 0.0
    raise ScaleError(
        f"Whether the numbers of the Sentinel-2 item {item.id!r} carry an offset is unknown.",
        expected="s2:processing_baseline, an offset of its bands, or the product's name",
        got="none of them",
        remedy="Pass offset=-0.1 for products of baseline 04.00 and later, offset=0 for others.",
    )


def _baseline(item: pystac.Item) -> str | None:
    properties = item.properties
    for name in _BASELINE:
        text = str(properties.get(name, "")).strip()
        if re.fullmatch(r"N?\d\d\.?\d\d", text):
            return text
    for named in (properties.get("s2:product_uri"), properties.get("title"), item.id):
        found = re.search(r"_MSIL[12][AC]_\d{8}T\d{6}_(N\d{4})_", str(named or ""))
        if found:
            return found[1]
    return None
