"""Whether bands can be what their names say, from how land and water look anywhere.

No single pixel proves a name wrong. But over a whole scene a few relations hold on every kind
of surface, whatever the place and season: neighbours in the spectrum vary together, the near
infrared stands apart from red, soil and leaves make red vary more than blue, and no common
surface has a narrow peak in red, green or the shortwave infrared. Each rule was measured on
some 40 real scenes (rain forest, desert, coast, city, snow, cloud, haze; TM, ETM+, OLI; digital
numbers, top of the atmosphere and surface), and its threshold lies well beyond what any of them
reached.

References
----------
Tucker, C. J. (1979). Red and photographic infrared linear combinations for monitoring
vegetation. Remote Sensing of Environment 8, 127-150. (Leaves: dark in red, bright beyond it.)

Crist, E. P. and Cicone, R. C. (1984). A physically-based transformation of Thematic Mapper
data: the TM Tasseled Cap. IEEE Transactions on Geoscience and Remote Sensing 22, 256-263.
(Visible bands vary together, the two shortwave infrared bands vary together, and the near
infrared varies by itself.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST = 400
"""With fewer pixels than these, chance may look like a rule that is broken."""

_SPECTRUM = ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22")
_CLOSER = 0.05  # real scenes: -0.02 at most
_RED_AND_BLUE = 0.04  # real scenes: 0.00 at most
_SPREAD = (1.05, 1.25)  # real scenes: 0.99 at most
_SHARE = 0.15  # real scenes: 0.06 at most
_PEAK = 1.5  # times both neighbours
_LIT = 0.15  # reflectance above which a peak is more than noise
_CLOUDY = 0.3  # reflectance in the visible above which there is cloud or snow
_LAND = 0.1  # reflectance that water does not reach in the near infrared


def contradictions(
    samples: NDArray[np.floating], bands: Sequence[str], *, reflectance: bool
) -> list[str]:
    """Find what in a scene's spectra cannot be if its bands are named rightly.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_bands)
        Observed spectra from all over a scene, without NaN.
    bands : sequence of str
        Common names, one per column; others are left aside.
    reflectance : bool
        Whether the values are reflectance. Levels are compared only then; of digital numbers,
        which bands vary together.

    Returns
    -------
    list of str
        What speaks against the names, one sentence each; empty for nearly every scene.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake()
    >>> spectra = scene.values.reshape(6, -1).T
    >>> contradictions(spectra, ["blue", "green", "red", "nir08", "swir16", "swir22"],
    ...                reflectance=True)
    []
    >>> contradictions(spectra, ["blue", "green", "nir08", "red", "swir16", "swir22"],
    ...                reflectance=True)[0]
    'green varies with nir08 more than with red'
    """
    if len(samples) < FEWEST:
        return []
    values = {
        name: samples[:, bands.index(name)].astype(np.float64)
        for name in _SPECTRUM
        if name in bands
    }
    found = [*_neighbours(values), *_red_and_blue(values, reflectance)]
    return [*found, *_peaks(values)] if reflectance else found


def _neighbours(values: Mapping[str, NDArray[np.float64]]) -> Iterator[str]:
    """Bands vary with their neighbours in the spectrum more than with the near infrared."""
    # Not so red, swir16 and nir08: over snow, red varies with the near infrared.
    for one, near in (("swir22", "swir16"), ("green", "red")):
        if {one, near, "nir08"} <= values.keys():
            gap = _together(values[one], values["nir08"]) - _together(values[one], values[near])
            if gap > _CLOSER:
                yield f"{one} varies with nir08 more than with {near}"


def _red_and_blue(values: Mapping[str, NDArray[np.float64]], reflectance: bool) -> Iterator[str]:
    """Red is the one that varies with the shortwave infrared, and varies more over land."""
    infrared = next((name for name in ("swir22", "swir16") if name in values), None)
    if infrared is None or not {"red", "blue"} <= values.keys():
        return
    gap = _together(values["blue"], values[infrared]) - _together(values["red"], values[infrared])
    spread = np.nan
    if reflectance and "nir08" in values:
        dull = np.maximum(values["blue"], values["red"]) < _CLOUDY
        land = dull & (values["nir08"] > _LAND) & (values["nir08"] > values["red"])
        if land.sum() > FEWEST / 4:
            spread = _spread(values["blue"][land]) / max(_spread(values["red"][land]), 1e-6)
    if gap > _RED_AND_BLUE and not spread < _SPREAD[0]:
        yield f"blue varies with {infrared} more than red does"
    elif spread > _SPREAD[1] and gap > -_RED_AND_BLUE / 2:
        yield f"over land blue varies {spread:.1f} times as much as red"


def _peaks(values: Mapping[str, NDArray[np.float64]]) -> Iterator[str]:
    """Only the near infrared stands out above both of its neighbours."""
    order = [name for name in _SPECTRUM if name in values]
    for before, band, after in zip(order, order[1:], order[2:], strict=False):
        if band == "nir08":
            continue
        high = values[band] > np.maximum(_LIT, _PEAK * np.maximum(values[before], values[after]))
        share = high.mean()
        if share > _SHARE:
            yield (
                f"{share:.0%} of the pixels are much brighter in {band} than in {before} "
                f"and {after}"
            )
    if {"swir16", "swir22"} <= values.keys():
        lit = np.maximum(values["swir16"], values["swir22"]) > _LIT / 3
        inverse = lit & (values["swir22"] > _PEAK * values["swir16"])
        if lit.sum() > FEWEST / 4 and inverse.sum() > 0.3 * lit.sum():
            share = inverse.sum() / lit.sum()
            yield f"{share:.0%} of the land is much brighter in swir22 than in swir16"


def _together(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Correlation; 0 where a band is constant."""
    scale = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / scale if scale > 0 else 0.0


def _spread(values: NDArray[np.float64]) -> float:
    low, high = np.percentile(values, [5, 95])
    return float(high - low)
