"""What a product's quality bits say: which pixels were observed, and why others were not.

The table is the U.S. Geological Survey's: Landsat Collection 2 QA_PIXEL and
QA_RADSAT, Collection 1 BQA, and Collection 1 surface reflectance's ``pixel_qa``
and ``radsat_qa``. Nothing here asks for the *clear* bit: over water, TM and ETM+
scenes do not set it.

References
----------
USGS (2021). Landsat 4-7 Collection 2 Level 2 Science Product Guide, LSDS-1618; Landsat 8-9
Collection 2 Level 2 Science Product Guide, LSDS-1619. USGS (2019). Landsat Collection 1
Level 1 Product Definition, LSDS-1656.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from strandline.errors import ConfigurationError

REASONS = ("fill", "dilated_cloud", "cloud", "cirrus", "cloud_shadow", "snow", "saturated")
DEFAULT_REASONS = tuple(reason for reason in REASONS if reason != "snow")  # snow is land, and seen

# Per kind of quality band: reason -> (lowest bit, number of bits, smallest value that counts).
# Confidences are 0 none, 1 low, 2 medium, 3 high.
_BITS: dict[str, dict[str, tuple[tuple[int, int, int], ...]]] = {
    "qa_pixel": {
        "fill": ((0, 1, 1),),
        "dilated_cloud": ((1, 1, 1),),
        "cirrus": ((2, 1, 1),),
        "cloud": ((3, 1, 1),),
        "cloud_shadow": ((4, 1, 1),),
        "snow": ((5, 1, 1),),
    },
    "bqa": {
        "fill": ((0, 1, 1),),
        "saturated": ((2, 2, 1),),  # how many bands, not which
        "cloud": ((4, 1, 1),),
        "cloud_shadow": ((7, 2, 3),),
        "snow": ((9, 2, 3),),
        "cirrus": ((11, 2, 3),),
    },
    "pixel_qa": {
        "fill": ((0, 1, 1),),
        "cloud_shadow": ((3, 1, 1),),
        "snow": ((4, 1, 1),),
        "cloud": ((5, 1, 1),),
        "cirrus": ((8, 2, 3),),
    },
}
_DROPPED_PIXEL = (1, 1, 1)  # BQA of TM and ETM+; the same bit is terrain occlusion on OLI
_RADSAT_DROPPED = 1 << 9  # QA_RADSAT of TM and ETM+


def explain_quality(
    qa: Any,
    kind: str = "qa_pixel",
    *,
    instrument: str | None = None,
    reasons: Iterable[str] = DEFAULT_REASONS,
) -> dict[str, Any]:
    """Tell for each reason which pixels were not observed because of it.

    Parameters
    ----------
    qa : array of unsigned integers
        The product's quality band, NumPy or Dask or xarray, any shape.
    kind : {"qa_pixel", "bqa", "pixel_qa"}
        Collection 2; Collection 1 Level 1; Collection 1 surface reflectance.
    instrument : {"tm", "etm", "oli"}, optional
        Only BQA and cirrus differ by it: TM and ETM+ have no cirrus band.
    reasons : iterable of str
        Which of :data:`REASONS` to look for.

    Returns
    -------
    dict of str to array of bool
        Reasons that this kind of band cannot tell are absent.

    Raises
    ------
    ConfigurationError
        If a reason or the kind is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> qa = np.array([5504, 5896, 7440, 1], dtype=np.uint16)  # TM water, cloud, shadow, fill
    >>> {reason: flag.tolist() for reason, flag in explain_quality(qa).items() if flag.any()}
    {'fill': [False, False, False, True], 'cloud': [False, True, False, False], \
'cloud_shadow': [False, False, True, False]}
    """
    found: dict[str, Any] = {}
    for reason in check_reasons(reasons):
        for field in _fields(kind, reason, instrument):
            flag = _at_least(qa, *field)
            found[reason] = found[reason] | flag if reason in found else flag
    return found


def _fields(kind: str, reason: str, instrument: str | None) -> tuple[tuple[int, int, int], ...]:
    if kind not in _BITS:
        raise ConfigurationError(
            "This kind of quality band is not known.",
            expected=f"one of {', '.join(_BITS)}",
            got=repr(kind),
        )
    thematic = instrument in ("tm", "etm")
    if reason == "cirrus" and thematic:
        return ()
    fields = _BITS[kind].get(reason, ())
    if kind == "bqa" and reason == "fill" and thematic:
        return (*fields, _DROPPED_PIXEL)
    return fields


def _at_least(qa: Any, lowest: int, count: int, least: int) -> Any:
    return ((qa >> lowest) & ((1 << count) - 1)) >= least


def not_observed(
    qa: Any,
    kind: str = "qa_pixel",
    *,
    instrument: str | None = None,
    reasons: Iterable[str] = DEFAULT_REASONS,
) -> Any:
    """Find the pixels that were not observed, for any of the reasons.

    Parameters
    ----------
    qa, kind, instrument, reasons
        As for :func:`explain_quality`.

    Returns
    -------
    array of bool
        Of the same kind and shape as `qa`.

    Examples
    --------
    >>> import numpy as np
    >>> not_observed(np.array([21824, 21952, 22280], dtype=np.uint16)).tolist()
    [False, False, True]
    """
    # All single bits at once: one pass over the pixels instead of one per reason.
    fields = [
        field for reason in check_reasons(reasons) for field in _fields(kind, reason, instrument)
    ]
    single = sum({1 << lowest for lowest, count, _ in fields if count == 1})
    result = (qa & single) != 0
    for lowest, count, least in fields:
        if count > 1:
            result = result | _at_least(qa, lowest, count, least)
    return result


def saturated(radsat: Any, numbers: Sequence[str], kind: str = "qa_radsat") -> Any:
    """Find the pixels where any of the given bands was saturated.

    Parameters
    ----------
    radsat : array of unsigned integers
        QA_RADSAT (Collection 2) or ``radsat_qa`` (Collection 1 surface reflectance).
    numbers : sequence of str
        Numbers of the bands in use, as in file names: "1", "6_VCID_1". Saturation in other bands
        does not matter.
    kind : {"qa_radsat", "radsat_qa"}
        Collection 2 counts from bit 0 for band 1; Collection 1 from bit 1.

    Returns
    -------
    array of bool

    Examples
    --------
    >>> import numpy as np
    >>> saturated(np.array([0b1, 0b1000], dtype=np.uint16), ["4", "5"]).tolist()
    [False, True]
    """
    bits = 0
    for number in numbers:
        position = _radsat_bit(number)
        if position is not None:
            bits |= 1 << (position + (kind == "radsat_qa"))
    return (radsat & bits) != 0


def dropped(radsat: Any) -> Any:
    """Find the pixels that TM or ETM+ lost on the way down, in Collection 2's QA_RADSAT.

    Parameters
    ----------
    radsat : array of unsigned integers
        QA_RADSAT of a TM or ETM+ product; on OLI the bit is not used.

    Returns
    -------
    array of bool

    Examples
    --------
    >>> import numpy as np
    >>> dropped(np.array([0, 512], dtype=np.uint16)).tolist()
    [False, True]
    """
    return (radsat & _RADSAT_DROPPED) != 0


def check_reasons(reasons: Iterable[str]) -> tuple[str, ...]:
    """Check names of reasons, and put them in one order.

    Parameters
    ----------
    reasons : iterable of str
        Some of :data:`REASONS`.

    Returns
    -------
    tuple of str

    Raises
    ------
    ConfigurationError
        If one is unknown.
    """
    given = [reasons] if isinstance(reasons, str) else list(reasons)
    unknown = [str(reason) for reason in given if reason not in REASONS]
    if unknown:
        raise ConfigurationError(
            "A reason for not being observed is unknown.",
            expected=f"some of {', '.join(REASONS)}",
            got=", ".join(unknown),
        )
    return tuple(reason for reason in REASONS if reason in given)


def _radsat_bit(number: str) -> int | None:
    """Bit of a band in QA_RADSAT; bands without one (pan, OLI thermal) cannot be told."""
    special = {"6_VCID_1": 5, "6_VCID_2": 8, "9": 8}
    if number in special:
        return special[number]
    return int(number) - 1 if number in {"1", "2", "3", "4", "5", "6", "7"} else None
