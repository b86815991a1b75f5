"""How sure the decision between water and not water is, pixel by pixel.

Two things make a mask wrong. The spectrum of a class may look like water and be none, or the
reverse: so each class's spectrum is changed as measurements of reflectance err, by little and by
much, and decided about again. And a pixel on the shore is a mixture of which somewhat more, or
less, than half is water: how far it is from half says how often it falls on the right side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.prepare.classes import NOT_OBSERVED, WATER, stored_classes
from strandline.prepare.oversampling import steps_of
from strandline.water.decision import classes_of, spectra_of
from strandline.water.fraction import MOSTLY_WATER, Unmixing, by_windows, unmixing_of
from strandline.water.identify import FRACTION, find_water
from strandline.water.signs import signs_of

RELATIVE_ERROR, ABSOLUTE_ERROR = 0.05, 0.005
"""What surface reflectance errs by: a part of itself, and so much more (Vermote et al. 2016)."""

TIMES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Errors as many times as large are tried, so that spectra far from any border differ too."""

DRAWS = 64
"""How often, for each size of errors."""

EVEN_STEADINESS, STEEPNESS = 0.42, 16.0
"""Decisions that so many of the changed spectra confirm are wrong half of the time; with each
tenth more, five times less often. Fitted to the scenes of `benchmarks/stability_errors.py`."""

STEPS = 1024
"""The confidence comes in steps of one part of this: finer than it is known, and files of rounded
numbers take a tenth of the room."""

FRACTION_ERROR = 0.12
"""How far the water fraction of mixed pixels errs (standard deviation; likewise fitted)."""

_STREAM = 11  # keeps these random numbers apart from others


def water_confidence(
    segmentation: xr.Dataset, evidence: pd.DataFrame | None = None
) -> xr.DataArray:
    """Estimate how sure it is that each pixel of the water mask is right.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`, or what its model predicts for another scene.
    evidence : DataFrame, optional
        The decision of `find_water`, the same that the mask was made with. Default: let it
        decide by itself. What a model predicts has no signatures to decide by: pass the
        decision about the segmentation that the model comes from.

    Returns
    -------
    DataArray of float32, shape (y, x) or (time, y, x)
        0.5, no better than a coin, to 1, in steps of 1/1024; NaN where not observed. Lazy if the
        segmentation is; the same whatever its chunks.

    Raises
    ------
    WaterError
        As `find_water`; or a decision that belongs to another segmentation.

    Notes
    -----
    For each class, the steadiness q is the share of 320 changed spectra about which
    `find_water` would decide as it did: every band is changed by errors of 0.005 + 5 % of its
    reflectance, times ½ … 8. The decision is wrong with the probability
    1 / (1 + exp(16 (q - 0.42))), at most one half. A pixel that `water_fraction` unmixes is
    wrong with the probability ``Φ(-|f - ½| / 0.12)``, f being its fraction. The confidence is the
    probability that neither is wrong, or both.

    It is a probability for scenes like those it was fitted to: of mixed pixels with a
    confidence of 0.9, about a tenth is wrong. It knows the spectra alone. What has the very
    spectrum of water, as the darkest shadows have, and what lies under an unmasked cloud, is
    not found by it; and a reference that is shifted by a pixel is wrong where it is sure.
    `stability_map` is another question: what would another clustering have said?

    References
    ----------
    Vermote, Justice, Claverie and Franch, "Preliminary analysis of the performance of the
    Landsat 8/OLI land surface reflectance product", Remote Sensing of Environment 185 (2016).

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> confidence = water_confidence(sl.segment(round_lake(radius=300), n_clusters=3))
    >>> float(confidence.median()) > 0.99, float(confidence.min()) < 0.8
    (True, True)
    """
    decision = find_water(segmentation) if evidence is None else evidence
    subclusters = stored_classes(segmentation["subclusters"])
    count = segmentation.sizes["subcluster"]
    error = np.zeros(256)
    classes = classes_of(decision, count)
    error[decision.index.to_numpy()] = _class_error(steadiness(decision))
    unmixes = decision.attrs.get("shores") == FRACTION
    judge = _Confidence(classes, error, unmixing_of(decision, count) if unmixes else None)
    data = by_windows(subclusters.data, judge.of, np.float32, steps_of(subclusters))
    confidence = subclusters.copy(data=data)
    confidence.name = "water_confidence"
    confidence.attrs = {
        "long_name": "probability that the water mask is right",
        "units": "1",
        "valid_min": np.float32(0.5),
        "valid_max": np.float32(1.0),
        "verdict": decision.attrs.get("verdict", ""),
        "decided_by": decision.attrs.get("decided_by", ""),
    }
    return confidence


def steadiness(decision: pd.DataFrame) -> NDArray[np.float64]:
    """Compute for each subcluster how far from a border its spectrum was decided about.

    Parameters
    ----------
    decision : DataFrame
        From `find_water`.

    Returns
    -------
    ndarray of float64, shape (n_subclusters,)
        0 … 1: share of changed spectra that would be decided about as the decision says,
        whoever made it.

    Raises
    ------
    WaterError
        If the decision holds no spectra.
    """
    means = spectra_of(decision)
    reflectance = bool(decision.attrs.get("reflectance", True))
    wet_above = float(decision.attrs.get("wet_above", 0.0))
    random = np.random.default_rng(_STREAM)
    relative = random.standard_normal((DRAWS, *means.shape))
    absolute = random.standard_normal((DRAWS, *means.shape)) * ABSOLUTE_ERROR
    same = np.zeros(len(means))
    for times in TIMES:
        changed = means * (1.0 + times * RELATIVE_ERROR * relative)
        if reflectance:
            changed += times * absolute
        spectra = xr.DataArray(
            changed,
            dims=("draw", "subcluster", "band"),
            coords={"band": list(decision.attrs["bands"])},
        )
        signs = signs_of(spectra, reflectance=reflectance, wet_above=wet_above)
        wet = np.zeros(changed.shape[:2], bool) if signs is None else signs.water
        same += (wet == decision["water"].to_numpy(dtype=bool)).sum(axis=0)
    result: NDArray[np.float64] = same / (DRAWS * len(TIMES))
    return result


def _class_error(steady: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often decisions of some steadiness are wrong."""
    error: NDArray[np.float64] = 1.0 / (1.0 + np.exp(STEEPNESS * (steady - EVEN_STEADINESS)))
    return np.minimum(error, 0.5)


class _Confidence(NamedTuple):
    """What the confidence of a pixel depends on, beside the map around it.

    Attributes
    ----------
    classes : ndarray of uint8, shape (256,)
        Water, land or not observed, by subcluster number.
    error : ndarray of float64, shape (256,)
        How often the decision about a subcluster is wrong.
    unmixing : Unmixing, optional
        None where classes decide about the shore.
    """

    classes: NDArray[np.uint8]
    error: NDArray[np.float64]
    unmixing: Unmixing | None

    def of(self, plane: NDArray[np.uint8], step: int = 1) -> NDArray[np.float32]:
        """Compute the confidence on a map of subclusters of shape (y, x)."""
        from scipy.special import ndtr

        by_class = self.error[plane]
        right = 1.0 - by_class
        if self.unmixing is not None:
            fraction = self.unmixing.fraction(plane, step)
            mixed = ((fraction > 0.0) & (fraction < 1.0)) | (
                (fraction > MOSTLY_WATER) != (self.classes[plane] == WATER)
            )
            distance = np.abs(fraction[mixed].astype(np.float64) - MOSTLY_WATER)
            by_mixing = ndtr(-distance / FRACTION_ERROR)
            both = by_class[mixed] * by_mixing
            right[mixed] = 1.0 - by_class[mixed] - by_mixing + 2.0 * both
        confidence: NDArray[np.float32] = (np.rint(right * STEPS) / STEPS).astype(np.float32)
        confidence[self.classes[plane] == NOT_OBSERVED] = np.nan
        return confidence
