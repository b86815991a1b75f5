"""Decide which classes of a segmentation are water, and say why.

All decisions look at the mean spectra of subclusters (`strandline.water.signs`), so that a lake
is found with its margin, whatever else its cluster holds. Subclusters keep to one side of the
water index, so what is true of their means is true of their pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import SuspiciousSceneWarning, WaterError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import grid_of, pixel_at
from strandline.prepare.oversampling import steps_of
from strandline.water.decision import classes_of
from strandline.water.indices import awei_nsh, awei_sh, mndwi, ndwi
from strandline.water.shore import share_at_shore
from strandline.water.signs import Resemblance, signs_of

FRACTION, CLASSES = "fraction", "classes"
"""What decides about pixels on the shore: the share of water in them, or their class."""

WATER_FOUND = "water"
NO_WATER = "no water"


def find_water(
    segmentation: xr.Dataset,
    at: tuple[float, float] | None = None,
    labels: int | Iterable[int] | None = None,
    also: int | Iterable[int] | None = None,
    without: int | Iterable[int] | None = None,
) -> pd.DataFrame:
    """Find the water classes of a segmentation, with the evidence.

    Three ways: by itself, from the signatures (no argument); by a point in a lake; or by
    cluster labels read off the map.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`.
    at : (float, float), optional
        Longitude and latitude of a place that is water on the first date on which it was
        observed. If the signature found there looks like water, the signatures are to be
        trusted, and decide about all other classes too. If it does not, the signatures are
        overruled: the whole cluster at the point is water, and nothing else is.
    labels : int or iterable of int, optional
        Clusters that are water; no others are.
    also, without : int or iterable of int, optional
        Clusters that are water, or are not, whatever was decided in one of the three ways. The
        rest of that decision stays, parts of other clusters included.

    Returns
    -------
    pandas.DataFrame
        One row per subcluster: ``cluster``, ``share`` of the observed pixels, mean
        reflectance of each band, the indices ``ndwi``, ``mndwi``, ``awei_nsh``,
        ``awei_sh`` (those that the bands allow), ``looks_like_water`` (what the signature
        says), ``water`` (the decision), ``reason``, and ``at_shore``: which part of the
        land of this subcluster lies within two pixels of water. Its ``attrs`` hold ``verdict``
        (``"water"`` or ``"no water"``), ``decided_by``, the water ``clusters``, the names of
        the ``bands``, whether they are ``reflectance``, the index that is ``wet_above``, and
        ``shores``: whether pixels there are judged by their ``"fraction"``
        of water (see `water_fraction`) or by their ``"classes"`` alone, as are those of
        clusters that the user named, and numbers that are not reflectance.

    Raises
    ------
    WaterError
        Both `at` and `labels`; unknown labels; nothing observed at the point; a Dataset
        without signatures; or bands that say nothing about water when it has to be found by
        itself.
    GridError
        If the point lies outside the map.

    Warns
    -----
    SuspiciousSceneWarning
        If the point overrules the signatures.

    References
    ----------
    Xu, International Journal of Remote Sensing 27 (2006): MNDWI. Hall, Riggs and
    Salomonson, Remote Sensing of Environment 54 (1995): snow is brighter than 0.11 in the
    near infrared.

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> evidence = find_water(sl.segment(round_lake(radius=300), n_clusters=3))
    >>> evidence.attrs["verdict"]
    'water'
    """
    if at is not None and labels is not None:
        raise WaterError("Water was named in two ways.", expected="at=… or labels=…, not both")
    evidence = _signature_evidence(segmentation)
    # Numbers stretched for display are no mixtures, nor is a class that the user names.
    spectra = segmentation["subcluster_mean"]
    can_unmix = _is_reflectance(spectra)
    looks = evidence["looks_like_water"].to_numpy()
    if at is not None:
        place = f"({at[0]:g}, {at[1]:g})"
        subcluster = _subcluster_at(segmentation, at)
        if looks[subcluster]:
            evidence["water"] = looks
            decided_by = f"the signatures, confirmed at the point {place}"
        else:
            cluster = int(evidence["cluster"].iloc[subcluster])
            _warn_of_dry_point(evidence, subcluster, place)
            _declare(evidence, [cluster], f"cluster at {place}")
            can_unmix = False
            decided_by = f"the point {place}, against the signatures"
    elif labels is not None:
        chosen = _checked_labels(labels, segmentation.sizes["cluster"])
        _declare(evidence, chosen, "cluster named by the user")
        can_unmix = False
        decided_by = f"the labels {', '.join(map(str, chosen))}"
    else:
        if "mndwi" not in evidence and "ndwi" not in evidence:
            raise WaterError(
                "The bands do not suffice to find water.",
                expected="green with swir16, swir22 or nir08",
                got=", ".join(str(name) for name in segmentation["band"].values),
                remedy="Point at a lake with at=(lon, lat), or name clusters with labels=….",
            )
        evidence["water"] = looks
        decided_by = "the signatures"
    count = segmentation.sizes["cluster"]
    for given, is_water, word in ((also, True, "with"), (without, False, "without")):
        if given is not None:
            chosen = _checked_labels(given, count)
            _correct(evidence, chosen, is_water=is_water)
            can_unmix = False
            decided_by += f", {word} the labels {', '.join(map(str, chosen))}"
    evidence["at_shore"] = _at_shore(segmentation, evidence)
    water = evidence.loc[evidence["water"], "cluster"]
    evidence.attrs = {
        "verdict": WATER_FOUND if len(water) else NO_WATER,
        "decided_by": decided_by,
        "clusters": sorted(set(water.to_list())),
        "bands": [str(band) for band in segmentation["band"].values],
        "reflectance": _is_reflectance(spectra),
        "wet_above": _wet_above(spectra),
        "shores": FRACTION if can_unmix else CLASSES,
    }
    return evidence


def _signature_evidence(segmentation: xr.Dataset) -> pd.DataFrame:
    """Tabulate what each subcluster's mean spectrum says, before any decision."""
    if "subcluster_mean" not in segmentation:
        raise WaterError(
            "The Dataset holds no signatures.",
            expected="a segmentation as segment(…) returns it",
            got=f"variables {', '.join(map(str, segmentation.data_vars)) or 'none'}",
            remedy="For what a model predicted, pass water_mask the evidence of the segmentation "
            "that the model comes from.",
        )
    spectra = segmentation["subcluster_mean"]
    table = pd.DataFrame(
        {
            "cluster": segmentation["subcluster_cluster"].values.astype(int),
            "share": segmentation["subcluster_share"].values,
            **{str(band): spectra.sel(band=band).values for band in spectra["band"].values},
        },
        index=pd.Index(segmentation["subcluster"].values, name="subcluster"),
    )
    for index in (ndwi, mndwi, awei_nsh, awei_sh):
        values = index(spectra)
        if values is not None:
            table[index.__name__] = values.values
    looks, reasons = _judge(spectra)
    return table.assign(looks_like_water=looks, water=False, reason=reasons)


def _at_shore(segmentation: xr.Dataset, evidence: pd.DataFrame) -> NDArray[np.float64]:
    """How much of each subcluster of land lies at the shore, if there are maps to see it on."""
    if "subclusters" not in segmentation:
        if "subcluster_at_shore" in segmentation:  # as a timeline counted it on its dates
            return np.asarray(segmentation["subcluster_at_shore"].values, np.float64)
        return np.full(len(evidence), np.nan)
    classes = classes_of(evidence, segmentation.sizes["subcluster"])
    subclusters = stored_classes(segmentation["subclusters"])
    share = share_at_shore(subclusters.data, classes, steps_of(subclusters))
    return share.take(evidence.index.to_numpy())


def _judge(spectra: xr.DataArray) -> tuple[NDArray[np.bool_], list[str]]:
    """Whether each signature looks like water, and why in a few words."""
    above = _wet_above(spectra)
    signs = signs_of(spectra, reflectance=_is_reflectance(spectra), wet_above=above)
    if signs is None:
        count = spectra.sizes["subcluster"]
        return np.zeros(count, bool), ["no band that separates water from land"] * count
    nir = spectra.sel(band="nir08").values if "nir08" in spectra["band"].values else signs.wetness
    reasons = []
    for number, value in enumerate(signs.wetness):
        other = Resemblance(signs.resembles[number]).told(nir[number])
        said = "wet" + (other and f", but {other}") if signs.wet[number] else "dry"
        if not signs.wet[number] and value > 0.0:
            said = f"dry, as not above {above:.2f}"
        if signs.black[number] and value <= above:
            said = "wet, as black in all bands"
        reasons.append(f"{signs.name.upper()} {value:+.2f}: {said}")
    return signs.water, reasons


def _is_reflectance(spectra: xr.DataArray) -> bool:
    return bool(spectra.attrs.get("units") == "1")


def _wet_above(spectra: xr.DataArray) -> float:
    return float(spectra.attrs.get("wet_above", 0.0))


def _subcluster_at(segmentation: xr.Dataset, point: tuple[float, float]) -> int:
    """Read the map at a point, on the first date on which it was observed."""
    subclusters = stored_classes(segmentation["subclusters"])
    row, column = pixel_at(grid_of(subclusters), point)
    seen = np.atleast_1d(np.asarray(subclusters.isel(y=row, x=column).values))
    observed = seen[seen != NOT_OBSERVED]
    if not len(observed):
        raise WaterError(
            f"Nothing was observed at ({point[0]:g}, {point[1]:g}) on any date.",
            expected="a point in open water, free of cloud and nodata",
            remedy="Take another point, or leave it out and let the water be found.",
        )
    return int(observed[0])


def _warn_of_dry_point(evidence: pd.DataFrame, subcluster: int, place: str) -> None:
    """Say that a whole cluster becomes water that does not look like it: a slip, most often."""
    seen = evidence.iloc[subcluster]
    share = evidence.loc[evidence["cluster"] == seen["cluster"], "share"].sum()
    warnings.warn(
        SuspiciousSceneWarning(
            f"The point {place} does not look like water ({seen['reason']}). Its cluster, "
            f"{100 * share:.2g} % of the observed pixels, is mapped as water because of the "
            "point, and nothing else is. If that is not intended, check the point: longitude first."
        ),
        stacklevel=3,
    )


def _declare(evidence: pd.DataFrame, clusters: list[int], why: str) -> None:
    """Make whole clusters water because the user says so."""
    chosen = evidence["cluster"].isin(clusters)
    evidence["water"] = chosen
    evidence.loc[chosen, "reason"] = why + "; " + evidence.loc[chosen, "reason"]


def _correct(evidence: pd.DataFrame, clusters: list[int], *, is_water: bool) -> None:
    """Make whole clusters water, or land, and leave all others as they are."""
    chosen = evidence["cluster"].isin(clusters)
    evidence["water"] = evidence["water"].where(~chosen, is_water).astype(bool)
    why = f"cluster named by the user{'' if is_water else ' as not water'}"
    evidence.loc[chosen, "reason"] = why + "; " + evidence.loc[chosen, "reason"]


def _checked_labels(labels: Any, n_clusters: int) -> list[int]:
    given: list[Any] = [labels] if np.isscalar(labels) else list(labels)
    whole = [isinstance(label, int | np.integer) and 0 <= label < n_clusters for label in given]
    if not given or not all(whole):
        raise WaterError(
            "No such cluster.",
            expected=f"labels from 0 to {n_clusters - 1}",
            got=", ".join(map(repr, given)) or "none",
        )
    return sorted({int(label) for label in given})
