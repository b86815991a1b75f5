"""Numbers as metadata files write them."""

from __future__ import annotations

import math

from strandline.errors import MetadataError


def to_number(text: str, name: str, source: str) -> float:
    """Read a finite number.

    Parameters
    ----------
    text : str
    name, source : str
        What it is, and of which file, for messages.

    Returns
    -------
    float

    Raises
    ------
    MetadataError
        If it is none.

    Examples
    --------
    >>> to_number("7.5E-01", "REFLECTANCE_MULT_BAND_4", "MTL.txt")
    0.75
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MetadataError(
            f"{name} in {source!r} is not a number.", expected="a number", got=repr(text[:60])
        )
    return value
