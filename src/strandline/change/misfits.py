"""Which dates of a series do not fit the others: snow, ice, haze, or next to nothing observed.

A date is held against the others of its own series, by medians, so that no threshold knows
the place: a glacier is white on every date, and fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEAST_OBSERVED = 0.1
"""Share of the map that must have been observed."""

MORE_WHITE = 0.05
MORE_ODD = 0.03
"""Share of snow, or of odd spectra, beyond that of the median date, from which a date may not
fit."""

OTHER_SPECTRA = 0.5
"""Share of pixels in other clusters than on the median date, from which a date may not fit."""

AREA_FACTOR = 1.25
"""Water that differs less from its neighbours in time always fits."""

SPREADS = 5.0
"""Robust standard deviations beyond which a date is an outlier."""

LEAST_DATES = 5
"""With fewer there is no telling what is usual."""

NEIGHBOURS = 2
"""Dates before and after that say how much water is to be expected."""

LEAST_EXPECTED = 0.05
"""A date says nothing of the area if less of the usual water could have been seen."""

_TINY = 1e-3
_TO_SIGMA = 1.4826


def spectral_misfits(looks: pd.DataFrame, shares: NDArray[np.float64]) -> list[list[str]]:
    """Find the dates that look unlike the others.

    Parameters
    ----------
    looks : DataFrame
        A row per date: ``observed_share``, ``white_share`` (of the observed pixels, what
        looks like snow, ice or cloud; NaN if the bands do not tell) and ``odd_share`` (of
        the observed pixels, those far from all that the model was fitted to; NaN without a
        model); ``white_usual``, the white share of what it was fitted to.
    shares : ndarray of shape (dates, clusters)
        Share of the observed pixels in each cluster; no columns without a model.

    Returns
    -------
    list of list of str
        The reasons against each date; empty if it fits.
    """
    reasons: list[list[str]] = [[] for _ in range(len(looks))]
    for number, share in enumerate(looks["observed_share"]):
        if not share >= LEAST_OBSERVED:
            reasons[number].append(f"only {share:.0%} of the map was observed")
    judged = np.array([not found for found in reasons])
    for column, least, words in (
        ("white_share", MORE_WHITE, "of the observed pixels look like snow, ice or cloud"),
        (
            "odd_share",
            MORE_ODD,
            "of the observed pixels are unlike all spectra that the model was fitted to",
        ),
    ):
        values = looks[column].to_numpy(float)
        usual, spread = _usual(values[judged])
        if judged.sum() < LEAST_DATES:  # the model has to say what is usual
            usual, spread = 0.0, 0.0
            if column == "white_share":
                usual = float(np.nan_to_num(looks["white_usual"].iloc[0]))
        beyond = judged & (values > usual + max(least, SPREADS * spread))
        for number in np.flatnonzero(beyond).tolist():
            reasons[number].append(f"{values[number]:.0%} {words} (usually {usual:.0%})")
    if shares.shape[1] and judged.sum() >= LEAST_DATES:
        away = 0.5 * np.abs(shares - np.median(shares[judged], axis=0)).sum(axis=1)
        usual, spread = _usual(away[judged])
        beyond = judged & (away > max(OTHER_SPECTRA, usual + SPREADS * spread))
        for number in np.flatnonzero(beyond).tolist():
            reasons[number].append(
                f"{away[number]:.0%} of the observed pixels are in other clusters than usual "
                f"(usually {usual:.0%}): haze, snow, or another season"
            )
    return reasons


def area_misfits(ratio: NDArray[np.float64], judged: NDArray[np.bool_]) -> dict[int, str]:
    """Find the dates whose water jumps away from that of their neighbours in time, and back.

    Parameters
    ----------
    ratio : ndarray of float, shape (dates,)
        Water seen, by what the mean of all dates would have shown in the same pixels.
        NaN where too little of it could be seen.
    judged : ndarray of bool, shape (dates,)
        Dates that are held against each other.

    Returns
    -------
    dict of int to str
        Reasons against dates, by their number.
    """
    known = np.flatnonzero(judged & np.isfinite(ratio))
    if len(known) < LEAST_DATES:
        return {}
    level = np.log(np.maximum(ratio[known], _TINY))
    beyond = np.array([level[number] - _expected(level, number) for number in range(len(known))])
    limit = max(np.log(AREA_FACTOR), SPREADS * _TO_SIGMA * float(np.median(np.abs(beyond))))
    return {
        int(known[number]): f"its water is {np.exp(beyond[number]):.2f} times that of the dates "
        "around it: ice, snow, shadow, haze, or a flood"
        for number in np.flatnonzero(np.abs(beyond) > limit)
    }


def _expected(level: NDArray[np.float64], number: int) -> float:
    """Take the median of the neighbours; at the ends they are all on one side."""
    first, last = max(number - NEIGHBOURS, 0), number + 1 + NEIGHBOURS
    around = np.concatenate([level[first:number], level[number + 1 : last]])
    return float(np.median(around))


def _usual(values: NDArray[Any]) -> tuple[float, float]:
    """Median and robust standard deviation of what is known; nothing known is zero."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 0.0
    middle = float(np.median(known))
    return middle, _TO_SIGMA * float(np.median(np.abs(known - middle)))
