"""What a decision of `find_water` holds for maps: classes and spectra by subcluster."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import WaterError
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER

Water = pd.DataFrame | Collection[int]
"""What says which clusters are water: the table of `find_water`, or their numbers."""

MOSTLY = 0.5
"""Share of a cluster's pixels that are water from which the cluster is called water."""


def classes_of(decision: pd.DataFrame, n_subclusters: int) -> NDArray[np.uint8]:
    """Tabulate the class of every subcluster number.

    Parameters
    ----------
    decision : DataFrame
        From `find_water`.
    n_subclusters : int
        Of the segmentation that it is for.

    Returns
    -------
    ndarray of uint8, shape (256,)
        0 not water, 1 water, 255 for what was not observed.

    Raises
    ------
    WaterError
        If the decision belongs to another segmentation.
    """
    if "water" not in decision or len(decision) != n_subclusters:
        raise WaterError(
            "The decision is of another segmentation.",
            expected=f"a row for each of {n_subclusters} subclusters, with a column 'water'",
            got=f"{len(decision)} rows with columns {', '.join(map(str, decision.columns))}",
            remedy="Pass what find_water returned for this segmentation.",
        )
    values = np.full(256, NOT_OBSERVED, np.uint8)
    values[decision.index.to_numpy()] = np.where(decision["water"], WATER, LAND)
    return values


def decision_of_labels(cluster: NDArray[np.uint8], labels: Sequence[int]) -> pd.DataFrame:
    """Make whole clusters of a model water, without spectra to judge by.

    Parameters
    ----------
    cluster : ndarray of uint8, shape (n_subclusters,)
        The cluster of each subcluster.
    labels : sequence of int
        Clusters that are water.

    Returns
    -------
    DataFrame
        As from `find_water`, for `water_mask`: columns ``cluster`` and ``water``.

    Raises
    ------
    WaterError
        If there is no such cluster.

    Examples
    --------
    >>> decision_of_labels(np.array([0, 1, 1], np.uint8), [1])["water"].tolist()
    [False, True, True]
    """
    known = sorted({int(number) for number in cluster})
    if not labels or not set(labels) <= set(known):
        raise WaterError(
            "No such cluster.",
            expected=f"labels from 0 to {known[-1]}",
            got=", ".join(map(str, labels)) or "none",
        )
    table = pd.DataFrame({"cluster": cluster.astype(int), "water": np.isin(cluster, labels)})
    table.index.name = "subcluster"
    table.attrs = {"decided_by": f"the labels {', '.join(map(str, labels))}"}
    return table


def spectra_of(decision: pd.DataFrame) -> NDArray[np.float64]:
    """Take the mean spectra of the subclusters out of a decision.

    Returns
    -------
    ndarray of float64, shape (n_subclusters, n_bands)

    Raises
    ------
    WaterError
        If the decision does not say which of its columns are bands.
    """
    bands = decision.attrs.get("bands")
    if not bands or not {*bands, "share"} <= set(decision.columns):
        raise WaterError(
            "The decision holds no spectra.",
            expected="a table as find_water returns it, with its attribute 'bands'",
            got=f"columns {', '.join(map(str, decision.columns))}",
        )
    return decision[list(bands)].to_numpy(dtype=np.float64)


def cluster_means(decision: pd.DataFrame) -> xr.DataArray:
    """Compute the mean spectra of the clusters from those of their subclusters.

    Parameters
    ----------
    decision : DataFrame
        From `find_water`, with its spectra.

    Returns
    -------
    DataArray of float64, shape (cluster, band)
        Weighted by the subclusters' shares of the pixels.

    Raises
    ------
    WaterError
        If the decision does not say which of its columns are bands.
    """
    spectra, bands = spectra_of(decision), list(decision.attrs["bands"])
    share = decision["share"].to_numpy(dtype=np.float64)[:, None]
    of = decision["cluster"].to_numpy()
    clusters = np.unique(of)
    weighted = np.where(share > 0, spectra * share, 0.0)
    means = [weighted[of == c].sum(axis=0) / share[of == c].sum() for c in clusters]
    return xr.DataArray(
        np.array(means),
        dims=("cluster", "band"),
        coords={"cluster": clusters, "band": bands},
        attrs={"units": "1" if decision.attrs.get("reflectance", True) else "unknown"},
    )


def water_shares(water: Water | None) -> dict[int, float]:
    """Compute which part of each cluster is water; clusters without any are left out.

    Parameters
    ----------
    water : DataFrame or collection of int, optional
        The table of `strandline.find_water`, or the clusters that are water.

    Returns
    -------
    dict of int to float
        Cluster to the share of its pixels that were taken for water, 0 to 1.

    Examples
    --------
    >>> rows = {"cluster": [0, 1, 1], "share": [0.2, 0.3, 0.1], "water": [True, False, True]}
    >>> {cluster: round(share, 2) for cluster, share in water_shares(pd.DataFrame(rows)).items()}
    {0: 1.0, 1: 0.25}
    """
    if water is None or not isinstance(water, pd.DataFrame):
        return {int(cluster): 1.0 for cluster in water or ()}
    wet = water["water"].astype(bool)
    cluster = water["cluster"] if "cluster" in water else water.index.to_series()
    share = water["share"] if "share" in water else pd.Series(1.0, index=water.index)
    part = (share * wet).groupby(cluster).sum() / share.groupby(cluster).sum()
    some = wet.groupby(cluster).any()
    return {int(c): float(part[c]) for c in some.index[some]}
