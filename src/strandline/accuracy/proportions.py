"""What counts of agreement and disagreement say, and how sure that is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strandline.errors import ConfigurationError

Z_95 = 1.959963984540054
"""Standard deviations within which 95 % of a normal distribution lie."""


def wilson(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Compute the score interval of a proportion.

    Parameters
    ----------
    hits, total : int
        So many of so many.
    z : float
        Standard deviations to each side; default: 95 %.

    Returns
    -------
    (float, float)
        Between 0 and 1; NaN where there is nothing to count.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927).

    Examples
    --------
    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if total == 0:
        return math.nan, math.nan
    share = hits / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total)
    half *= math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # Rounding must not keep the ends from being reached.
    low = 0.0 if hits == 0 else middle - half
    return low, 1.0 if hits == total else middle + half


def class_measures(counts: pd.DataFrame) -> pd.DataFrame:
    """Compute the accuracy of each class from a confusion matrix.

    Parameters
    ----------
    counts : DataFrame
        Rows: classes on the map; columns: the same classes in the reference.

    Returns
    -------
    DataFrame
        One row per class: ``mapped`` and ``reference`` (how many), ``user`` (user's accuracy,
        precision: how much of what is mapped is right) and ``producer`` (producer's accuracy,
        recall: how much of what is there is mapped), each with ``_low_95`` and ``_high_95``
        (`wilson`), ``f1`` and ``iou``. NaN where there is nothing to count.
    """
    matrix = counts.to_numpy()
    rows = []
    for number, hits in enumerate(np.diag(matrix).tolist()):
        mapped, reference = int(matrix[number].sum()), int(matrix[:, number].sum())
        user_low, user_high = wilson(hits, mapped)
        producer_low, producer_high = wilson(hits, reference)
        rows.append(
            {
                "mapped": mapped,
                "reference": reference,
                "user": _share(hits, mapped),
                "user_low_95": user_low,
                "user_high_95": user_high,
                "producer": _share(hits, reference),
                "producer_low_95": producer_low,
                "producer_high_95": producer_high,
                "f1": _share(2 * hits, mapped + reference),
                "iou": _share(hits, mapped + reference - hits),
            }
        )
    return pd.DataFrame(rows, index=counts.index)


def sample_estimates(counts: pd.DataFrame, mapped_area: NDArray[Any]) -> pd.DataFrame:
    """Estimate areas and accuracies from a random sample, stratified by the classes of the map.

    Parameters
    ----------
    counts : DataFrame
        Sampled places. Rows: classes on the map, the strata; columns: the same classes in the
        reference.
    mapped_area : ndarray of shape (n_classes,)
        Area of each class on the map, in any unit.

    Returns
    -------
    DataFrame
        One row per class: ``mapped_area``; ``area``, ``area_se``, ``area_low_95``,
        ``area_high_95`` in its unit: the area adjusted for the errors of the map, its standard
        error, and 1.96 of them to each side; ``user``, ``user_se``, ``producer``,
        ``producer_se``. Its ``attrs`` hold ``overall`` and ``overall_se``.

    Raises
    ------
    ConfigurationError
        If a class of the map has fewer than two sampled places: nothing says how they vary.

    References
    ----------
    Olofsson, Foody, Herold, Stehman, Woodcock and Wulder, "Good practices for estimating area
    and assessing accuracy of land change", Remote Sensing of Environment 148 (2014), equations
    1-11.

    Examples
    --------
    >>> counts = pd.DataFrame([[97, 3], [2, 98]], index=["dry", "wet"], columns=["dry", "wet"])
    >>> sample_estimates(counts, np.array([800.0, 200.0]))["area"].tolist()
    [780.0, 220.0]
    """
    n = counts.to_numpy().astype(np.float64)
    area = np.asarray(mapped_area, np.float64)
    drawn = n.sum(axis=1)
    few = (area > 0) & (drawn < 2)
    if few.any():
        raise ConfigurationError(
            "The sample says nothing about a class of the map.",
            expected="at least 2 places in each class",
            got=", ".join(
                f"{int(drawn[i])} in {counts.index[i]!r}" for i in np.flatnonzero(few).tolist()
            ),
            remedy="Draw more places there, or leave random_sample out.",
        )
    share = n / np.maximum(drawn, 1)[:, None]
    # Variance of each share of a stratum; a class that is not on the map is not a stratum.
    variance = share * (1 - share) / np.maximum(drawn - 1, 1)[:, None]
    weights = area / area.sum()
    proportions = (weights[:, None] * share).sum(axis=0)
    proportion_se = np.sqrt((weights[:, None] ** 2 * variance).sum(axis=0))
    user = np.where(drawn > 0, np.diag(share), np.nan)
    producer, producer_se = _producers(area, share, variance)
    total = area.sum()
    estimates = pd.DataFrame(
        {
            "mapped_area": area,
            "area": total * proportions,
            "area_se": total * proportion_se,
            "area_low_95": total * np.maximum(proportions - Z_95 * proportion_se, 0),
            "area_high_95": total * (proportions + Z_95 * proportion_se),
            "user": user,
            "user_se": np.where(drawn > 0, np.sqrt(np.diag(variance)), np.nan),
            "producer": producer,
            "producer_se": producer_se,
        },
        index=counts.index,
    )
    estimates.attrs["overall"] = float((weights * np.diag(share)).sum())
    estimates.attrs["overall_se"] = float(np.sqrt((weights**2 * np.diag(variance)).sum()))
    return estimates


def _producers(
    area: NDArray[np.float64], share: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute producer's accuracies and their standard errors (equations 3 and 7)."""
    there = (area[:, None] * share).sum(axis=0)
    hits = area * np.diag(share)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = hits / there
        spread = area[:, None] ** 2 * variance
        within = np.diag(spread)
        others = spread.sum(axis=0) - within
        error = np.sqrt((1 - accuracy) ** 2 * within + accuracy**2 * others) / there
    return accuracy, error


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
