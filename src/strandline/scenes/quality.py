"""What a product's quality bands say, in one form: which pixels were observed, and why not others.

Whatever a product calls them, the answers become flags: one uint8 per pixel, in which bit
``i`` is set for the reason ``REASONS[i]``; 0 says that nothing speaks against the pixel.
Known are the bands of the U.S. Geological Survey (Landsat Collection 2 QA_PIXEL and
QA_RADSAT, Collection 1 BQA, and Collection 1 surface reflectance's ``pixel_qa`` and
``radsat_qa``), of the European Space Agency (Sentinel-2's scene classification, and QA60),
the classes of Fmask as python-fmask (so Geoscience Australia) or as its authors write them, the
bits of the Harmonized Landsat and Sentinel-2 products (NASA), and whatever other layer says by
``flag_meanings`` (CF conventions, section 3.5) what its numbers mean. Nothing here asks for the
*clear* bit: over water, TM and ETM+ scenes do not set it.

References
----------
USGS (2021). Landsat 4-7 Collection 2 Level 2 Science Product Guide, LSDS-1618; Landsat 8-9
Collection 2 Level 2 Science Product Guide, LSDS-1619. USGS (2019). Landsat Collection 1
Level 1 Product Definition, LSDS-1656. ESA (2021). Sentinel-2 Level-2A Algorithm Theoretical
Basis Document, S2-PDGS-MPC-ATBD-L2A, table of the scene classification; Sentinel-2 Products
Specification Document, S2-PDGS-TAS-DI-PSD, MSK_CLOUDS (which QA60 is a raster of). Geoscience
Australia, DEA Surface Reflectance, measurement oa_fmask. NASA (2023). Harmonized Landsat
Sentinel-2 Product User Guide, version 2.0, table of the Fmask bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError

REASONS = ("fill", "dilated_cloud", "cloud", "cirrus", "cloud_shadow", "snow", "saturated")
DEFAULT_REASONS = tuple(reason for reason in REASONS if reason != "snow")  # snow is land, and seen

FILL = 1 << REASONS.index("fill")
MASKED = "masked_in_file"
"""Name of the reason fill where the mask of a file, or a mask layer in it, is what says so."""

CONFLICT = 1 << len(REASONS)
"""The bit above the reasons: quality band and spectrum contradict each other."""

# Per kind of quality band: reason -> (lowest bit, number of bits, smallest value that counts).
# Confidences are 0 none, 1 low, 2 medium, 3 high.
_BITS: dict[str, dict[str, tuple[int, int, int]]] = {
    "qa_pixel": {
        "fill": (0, 1, 1),
        "dilated_cloud": (1, 1, 1),
        "cirrus": (2, 1, 1),
        "cloud": (3, 1, 1),
        "cloud_shadow": (4, 1, 1),
        "snow": (5, 1, 1),
    },
    "bqa": {
        "fill": (0, 1, 1),
        "saturated": (2, 2, 1),  # how many bands, not which
        "cloud": (4, 1, 1),
        "cloud_shadow": (7, 2, 3),
        "snow": (9, 2, 3),
        "cirrus": (11, 2, 3),
    },
    "pixel_qa": {
        "fill": (0, 1, 1),
        "cloud_shadow": (3, 1, 1),
        "snow": (4, 1, 1),
        "cloud": (5, 1, 1),
        "cirrus": (8, 2, 3),
    },
    "qa60": {
        "cloud": (10, 1, 1),
        "cirrus": (11, 1, 1),
    },
    "hls_fmask": {
        "cirrus": (0, 1, 1),
        "cloud": (1, 1, 1),
        "dilated_cloud": (2, 1, 1),  # next to cloud or shadow
        "cloud_shadow": (3, 1, 1),
        "snow": (4, 1, 1),
    },
    # MSK_CLASSI has a layer for each; here bit i is layer i.
    "msk_classi": {
        "cloud": (0, 1, 1),
        "cirrus": (1, 1, 1),
        "snow": (2, 1, 1),
    },
}
_DROPPED = {"bqa": 1, "qa_radsat": 9}  # bit of pixels lost on the way down, TM and ETM+ only

# Class of a classification -> reason; all other classes were observed.
_FMASK = {0: "fill", 2: "cloud", 3: "cloud_shadow", 4: "snow", 255: "fill"}
_CLASSES: dict[str, dict[int, str]] = {
    "scl": {
        0: "fill",
        1: "saturated",  # or defective
        3: "cloud_shadow",
        8: "cloud",  # medium probability
        9: "cloud",  # high probability
        10: "cirrus",
        11: "snow",
    },
    "fmask": _FMASK,
    "oa_fmask": _FMASK,
    "fmask_codes": {2: "cloud_shadow", 3: "snow", 4: "cloud", 255: "fill"},
}
_OUTSIDE = {"hls_fmask": 255}
"""Number that stands outside of the image, with all bits set that mean something elsewhere."""

SATURATION = {"qa_radsat": 0, "radsat_qa": 1}
"""Kinds of quality bands that tell which bands were saturated: the bit of band 1."""

KINDS = (*_BITS, *_CLASSES, *SATURATION)
"""Kinds of quality bands that are understood."""

_VALUES = 1 << 16


def quality_flags(
    qa: Any, kind: str, *, instrument: str | None = None, numbers: Sequence[str] = ()
) -> Any:
    """Translate a quality band into flags.

    Parameters
    ----------
    qa : array of integers
        The product's quality band, NumPy or Dask or xarray, any shape. Floats are taken for
        integers that a reader has decoded, with NaN for fill.
    kind : str
        ``"qa_pixel"`` Collection 2; ``"bqa"`` Collection 1 Level 1; ``"pixel_qa"`` Collection 1
        surface reflectance; ``"qa_radsat"`` and ``"radsat_qa"`` saturation in Collection 2 and
        in Collection 1 surface reflectance; ``"scl"`` scene classification of Sentinel-2
        Level 2A; ``"qa60"`` Sentinel-2's cloud mask; ``"msk_classi"`` the three layers that
        replaced it in baseline 04.00, as bits 0 opaque cloud, 1 cirrus, 2 snow; ``"fmask"`` classes
        of python-fmask, from 0 no data and 1 land to 5 water, ``"oa_fmask"`` the same of Geoscience
        Australia; ``"fmask_codes"`` those of Fmask by its authors, from 0 land and 1 water to 4
        cloud, 255 no data; ``"hls_fmask"`` HLS's bits.
    instrument : {"tm", "etm", "oli", "msi"}, optional
        TM and ETM+ have no cirrus band, and only they mark pixels that were lost on the way
        down (they count as fill).
    numbers : sequence of str
        Numbers of the bands in use, as in file names: "1", "6_VCID_1". Saturation in other
        bands does not matter; without any, none does.

    Returns
    -------
    array of uint8
        Of the same kind and shape as `qa`: bit ``i`` is set for ``REASONS[i]``. A DataArray
        says in the attributes ``flag_masks`` and ``flag_meanings`` (CF conventions, section
        3.5) which reasons this kind of band can tell at all.

    Raises
    ------
    ConfigurationError
        If the kind is unknown, or `qa` holds no integers.

    Examples
    --------
    >>> import numpy as np
    >>> qa = np.array([5504, 5896, 7440, 1], dtype=np.uint16)  # TM water, cloud, shadow, fill
    >>> [reasons_of(flags) for flags in quality_flags(qa, "qa_pixel", instrument="tm")]
    [(), ('cloud',), ('cloud_shadow',), ('fill',)]
    >>> scl = np.array([6, 9, 11], dtype=np.uint8)  # water, cloud, snow
    >>> [reasons_of(flags) for flags in quality_flags(scl, "scl")]
    [(), ('cloud',), ('snow',)]
    """
    if kind not in KINDS:
        raise ConfigurationError(
            "This kind of quality band is not known.",
            expected=f"one of {', '.join(KINDS)}",
            got=repr(kind),
        )
    if np.dtype(qa.dtype).kind not in "iuf":
        raise ConfigurationError(
            "A quality band holds integers.", expected="an integer array", got=str(qa.dtype)
        )
    key = (kind, instrument, tuple(map(str, numbers)))
    if isinstance(qa, xr.DataArray):
        flags = qa.copy(data=_translated(qa.data, key))
        flags.attrs, flags.encoding = flag_attributes(_told(*key)), {}
        flags.name = "quality"
        return flags
    return _translated(qa, key)


def flags_of_meanings(layer: xr.DataArray) -> xr.DataArray | None:
    """Translate a layer that says itself what its numbers mean, by the CF conventions.

    Parameters
    ----------
    layer : DataArray of integers
        With the attributes ``flag_meanings`` and ``flag_values``, ``flag_masks`` or both (CF
        conventions, section 3.5).

    Returns
    -------
    DataArray of uint8 or None
        As from `quality_flags`; None if none of the meanings is a reason for which a pixel was
        not observed.

    Examples
    --------
    >>> says = {"flag_values": [0, 1, 2], "flag_meanings": "clear cloud cloud_shadow"}
    >>> layer = xr.DataArray(np.array([0, 2, 1], np.uint8), dims="x", attrs=says)
    >>> [reasons_of(flags) for flags in flags_of_meanings(layer).values]
    [(), ('cloud_shadow',), ('cloud',)]
    """
    meanings = str(layer.attrs.get("flag_meanings", "")).replace(",", " ").split()
    masks = np.atleast_1d(layer.attrs.get("flag_masks", ())).tolist()
    values = np.atleast_1d(layer.attrs.get("flag_values", masks)).tolist()
    masks = masks or [_VALUES - 1] * len(values)
    if not meanings or not len(meanings) == len(values) == len(masks):
        return None
    found = tuple(
        f"{int(mask)} {int(value)} {reason}"
        for meaning, mask, value in zip(meanings, masks, values, strict=True)
        if (reason := _reason_meant(meaning)) is not None
    )
    if not found:
        return None
    key = (_BY_MEANINGS, None, found)
    flags = layer.copy(data=_translated(layer.data, key))
    flags.attrs, flags.encoding = flag_attributes(_told(*key)), {}
    flags.name = "quality"
    return flags


_BY_MEANINGS = "meanings"
_SAYS_NO = re.compile(r"^(no|not|non|without|clear|low|unlikely)_|_(free|low|none|no)(_|$)|^clear")
_MEANT = {
    "fill": r"^(fill|no_?data|null|nan|invalid|missing|no_observation|outside)",
    "cloud_shadow": r"cloud.*shadow|^shadow|shadow.*cloud",
    "dilated_cloud": r"(dilat|adjacent|buffer|near|edge|margin).*cloud|cloud.*(dilat|adjac|buffer)",
    "cirrus": r"cirrus",
    "cloud": r"cloud",
    "snow": r"snow|^ice",
    "saturated": r"satur|defective",
}


def _reason_meant(meaning: str) -> str | None:
    """Find the reason in a word of ``flag_meanings``."""
    word = re.sub(r"[\s\-]+", "_", meaning.lower())
    if word.startswith(("no_data", "no_obs")):
        return "fill"
    if _SAYS_NO.search(word):
        return None
    return next((reason for reason, text in _MEANT.items() if re.search(text, word)), None)


_Key = tuple[str, str | None, tuple[str, ...]]


def _translated(qa: Any, key: _Key) -> Any:
    if hasattr(qa, "__dask_graph__"):
        # The key travels to workers, not the table.
        return qa.map_blocks(_look_up, key, dtype=np.uint8, meta=np.empty((0,) * qa.ndim, "u1"))
    return _look_up(np.asarray(qa), key)


def _look_up(qa: NDArray[Any], key: _Key) -> NDArray[np.uint8]:
    """Translate every pixel in one pass."""
    table = _table(*key)
    if qa.dtype.kind == "f":
        missing = np.isnan(qa)
        whole = np.where(missing, 0, qa).astype(np.int64)
        return np.where(missing, np.uint8(FILL), table[whole & (_VALUES - 1)])
    if qa.dtype == np.uint8:
        return table[:256].take(qa)
    # Some writers store the sixteen bits as signed or wider integers.
    return table.take(qa.astype(np.uint16, copy=False))


@lru_cache(maxsize=64)
def _table(kind: str, instrument: str | None, numbers: tuple[str, ...]) -> NDArray[np.uint8]:
    """List the flags of every value that a band of sixteen bits can hold."""
    values = np.arange(_VALUES, dtype=np.uint16)
    table = np.zeros(_VALUES, np.uint8)
    for reason, (lowest, count, least) in _BITS.get(kind, {}).items():
        if reason in _told(kind, instrument, numbers):
            found = ((values >> lowest) & ((1 << count) - 1)) >= least
            table[found] |= reason_bits([reason])
    for value, reason in _CLASSES.get(kind, {}).items():
        if reason in _told(kind, instrument, numbers):
            table[value] = reason_bits([reason])
    if kind in _OUTSIDE:
        table[_OUTSIDE[kind]] = FILL
    if kind == _BY_MEANINGS:
        for entry in numbers:
            mask, number, meant = entry.split()
            bits = int(mask) & (_VALUES - 1)
            table[(values & bits) == (int(number) & bits)] |= reason_bits([meant])
    used = sum({1 << bit for bit in _saturation_bits(kind, numbers)})
    table[(values & used) != 0] |= reason_bits(["saturated"])
    if kind in _DROPPED and instrument in ("tm", "etm"):
        table[(values >> _DROPPED[kind]) & 1 == 1] |= FILL
    table.flags.writeable = False
    return table


def _told(kind: str, instrument: str | None, numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Reasons that a kind of band can tell."""
    if kind == _BY_MEANINGS:
        return check_reasons({entry.split()[2] for entry in numbers})
    told = {*_BITS.get(kind, {}), *_CLASSES.get(kind, {}).values()}
    thematic = instrument in ("tm", "etm")
    if thematic:
        told.discard("cirrus")
    if (kind in _DROPPED and thematic) or kind in _OUTSIDE:
        told.add("fill")
    if _saturation_bits(kind, numbers):
        told.add("saturated")
    return tuple(reason for reason in REASONS if reason in told)


def _saturation_bits(kind: str, numbers: Sequence[str]) -> list[int]:
    """Bits of bands in QA_RADSAT; bands without one (pan, OLI thermal) cannot be told."""
    if kind not in SATURATION:
        return []
    special = {"6_VCID_1": 5, "6_VCID_2": 8, "9": 8}
    plain = {str(number): number - 1 for number in range(1, 8)}
    places = plain | special
    return [places[number] + SATURATION[kind] for number in numbers if number in places]


# --- flags ------------------------------------------------------------------


def not_observed(flags: Any, reasons: Iterable[str] = DEFAULT_REASONS) -> Any:
    """Find the pixels that count as not observed, for any of the reasons.

    Parameters
    ----------
    flags : array of uint8
        From `quality_flags`.
    reasons : iterable of str
        Some of :data:`REASONS`.

    Returns
    -------
    array of bool
        Of the same kind and shape.

    Raises
    ------
    ConfigurationError
        If a reason is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> qa = np.array([21824, 21952, 22280], dtype=np.uint16)  # OLI land, water, cloud
    >>> not_observed(quality_flags(qa, "qa_pixel")).tolist()
    [False, False, True]
    """
    return (flags & np.uint8(reason_bits(reasons))) != 0


def merge_flags(first: xr.DataArray, *others: xr.DataArray) -> xr.DataArray:
    """Put together what several quality bands of one scene say.

    Parameters
    ----------
    first, *others : DataArray of uint8
        From `quality_flags`, all on one grid.

    Returns
    -------
    DataArray of uint8
        A reason holds where any of them says so.
    """
    merged = first.copy()
    told = set(told_reasons(first))
    for flags in others:
        merged = merged.copy(data=merged.data | flags.data)
        told |= set(told_reasons(flags))
    merged.attrs = flag_attributes(told)
    return merged


def flag_attributes(told: Iterable[str], *, conflicts: bool = False) -> dict[str, Any]:
    """Describe flags by the CF conventions.

    Parameters
    ----------
    told : iterable of str
        Reasons that the product can tell; `MASKED` instead of fill where that is meant.
    conflicts : bool
        Whether the bit of conflicts is in use as well.

    Returns
    -------
    dict
        ``long_name``, ``flag_masks`` (uint8) and ``flag_meanings``.
    """
    names = list(told)
    meanings = check_reasons("fill" if name == MASKED else name for name in names)
    masks = [reason_bits([reason]) for reason in meanings]
    if MASKED in names and "fill" not in names:
        meanings = tuple(MASKED if reason == "fill" else reason for reason in meanings)
    if conflicts:
        meanings, masks = (*meanings, "conflict"), [*masks, CONFLICT]
    return {
        "long_name": "why a pixel was not observed",
        "flag_masks": np.array(masks, np.uint8),
        "flag_meanings": " ".join(meanings),
    }


def told_reasons(flags: xr.DataArray) -> tuple[str, ...]:
    """List the reasons that the product behind flags can tell; all, where it is not said.

    Examples
    --------
    >>> qa = xr.DataArray(np.array([1], np.uint16), dims="x")
    >>> told_reasons(quality_flags(qa, "qa60"))
    ('cloud', 'cirrus')
    """
    names = told_names(flags)
    return check_reasons("fill" if name == MASKED else name for name in names)


def told_names(flags: xr.DataArray) -> tuple[str, ...]:
    """List the same as `told_reasons`, but `MASKED` instead of fill where that is meant."""
    meanings = flags.attrs.get("flag_meanings")
    if not isinstance(meanings, str):
        return REASONS
    return tuple(name for name in (MASKED, *REASONS) if name in meanings.split())


def tells_conflicts(flags: xr.DataArray) -> bool:
    """Say whether the bit of conflicts is in use in flags."""
    return "conflict" in str(flags.attrs.get("flag_meanings", "")).split()


def are_flags(array: xr.DataArray) -> bool:
    """Say whether an array holds flags as `quality_flags` makes them, and not classes or values."""
    return array.dtype == np.uint8 and "flag_masks" in array.attrs


def reasons_of(flags: int) -> tuple[str, ...]:
    """Name the reasons in the flags of one pixel.

    Examples
    --------
    >>> reasons_of(0b0000110)
    ('dilated_cloud', 'cloud')
    """
    return tuple(reason for bit, reason in enumerate(REASONS) if (int(flags) >> bit) & 1)


def reason_bits(reasons: Iterable[str]) -> int:
    """Give the bits of some reasons together.

    Raises
    ------
    ConfigurationError
        If one is unknown.

    Examples
    --------
    >>> reason_bits(["fill", "cloud"])
    5
    """
    return sum(1 << REASONS.index(reason) for reason in check_reasons(reasons))


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
