"""Decide which classes of a segmentation are water, and say why.

Water is dark in the shortwave infrared where soil, rock and leaves are not: MNDWI above
zero is the first test, or above the border that the segmentation found between its sides where
numbers are no reflectance. Three kinds of ground pass it too, and are told by their shape:
snow, ice and cloud are white, as bright in red and near infrared as in green, while water
falls off from green to red and on, however turbid; leaves in shallow water are water only as
long as the near infrared does not outshine green by far; and snow between trees or in shade
is level from green to red and rises to the near infrared. Shade on slopes is hardly wet by MNDWI
and dry by NDWI and both AWEI. Leaves in the shadow of a cloud, seen through air that was not
corrected for, get their green from the air: they are brightest in blue, and rise again to the
near infrared, where water that blue is black. And a scene without any clearly wet signature has
no water: what is faintly wet there has no water to be the shore of. All look at the signatures
of subclusters, so that a lake is found with its margin, whatever else its cluster holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import WaterError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import grid_of, pixel_at
from strandline.scenes.conflicts import BRIGHT_NIR, looks_white
from strandline.water.decision import classes_of
from strandline.water.indices import awei_nsh, awei_sh, mndwi, ndwi
from strandline.water.shore import share_at_shore

LEAFY_NIR_TO_GREEN = 1.5
"""Where the near infrared outshines green by more, there are more leaves than water."""

RISING_NIR = 0.08
RISING_NIR_TO_RED = 1.2
RISING_RED_TO_GREEN = 0.95
"""Snow among trees: dimmer than snow, level from green to red, then rising."""

MUDDY_RED_TO_GREEN = 1.2
MUDDY_NIR_TO_RED = 1.5
"""Water full of silt reflects more red than green; leaves absorb red, and snow is level."""

AIRY_BLUE_TO_GREEN = 1.2
"""Air scatters blue light above all: where blue outshines green by more, the rest is dark."""

SNOW_GREEN = 0.10
"""Snow and cloud are brighter than this in green (Hall et al. 2002); dim shores are not."""

FAINT_MNDWI = 0.10
"""Shade on slopes is hardly bluer than it is dark: its MNDWI lies between 0 and this."""

OPEN_WETNESS = 0.2
"""A scene whose wettest spectra stay below, with AWEI below 0 too, has no open water in it:
what is faintly wet is then shade or damp ground, and no shore."""

FRACTION, CLASSES = "fraction", "classes"
"""What decides about pixels on the shore: the share of water in them, or their class."""

WATER_FOUND = "water"
NO_WATER = "no water"


def find_water(
    segmentation: xr.Dataset,
    at: tuple[float, float] | None = None,
    labels: int | Iterable[int] | None = None,
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
        Clusters that are water.

    Returns
    -------
    pandas.DataFrame
        One row per subcluster: ``cluster``, ``share`` of the observed pixels, mean
        reflectance of each band, the indices ``ndwi``, ``mndwi``, ``awei_nsh``,
        ``awei_sh`` (those that the bands allow), ``looks_like_water`` (what the signature
        says), ``water`` (the decision), ``reason``, and ``at_shore``: which part of the
        land of this subcluster lies within two pixels of water. Its ``attrs`` hold ``verdict``
        (``"water"`` or ``"no water"``), ``decided_by``, the water ``clusters``, the names of
        the ``bands``, and ``shores``: whether pixels there are judged by their ``"fraction"``
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
        raise WaterError("Water was pointed at in two ways.", expected="at=… or labels=…, not both")
    evidence = _signature_evidence(segmentation)
    # Numbers stretched for display are no mixtures, nor is a class that the user names.
    can_unmix = segmentation["subcluster_mean"].attrs.get("units") == "1"
    looks = evidence["looks_like_water"].to_numpy()
    if at is not None:
        place = f"({at[0]:g}, {at[1]:g})"
        subcluster = _subcluster_at(segmentation, at)
        if looks[subcluster]:
            evidence["water"] = looks
            decided_by = f"the signatures, confirmed at the point {place}"
        else:
            cluster = int(evidence["cluster"].iloc[subcluster])
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
                "The bands do not say where water is.",
                expected="green with swir16, swir22 or nir08",
                got=", ".join(str(name) for name in segmentation["band"].values),
                remedy="Point at a lake with at=(lon, lat), or name clusters with labels=….",
            )
        evidence["water"] = looks
        decided_by = "the signatures"
    evidence["at_shore"] = _at_shore(segmentation, evidence)
    water = evidence.loc[evidence["water"], "cluster"]
    evidence.attrs = {
        "verdict": WATER_FOUND if len(water) else NO_WATER,
        "decided_by": decided_by,
        "clusters": sorted(set(water.to_list())),
        "bands": [str(band) for band in segmentation["band"].values],
        "shores": FRACTION if can_unmix else CLASSES,
    }
    return evidence


def _signature_evidence(segmentation: xr.Dataset) -> pd.DataFrame:
    """Tabulate what each subcluster's mean spectrum says, before any decision."""
    if "subcluster_mean" not in segmentation:
        raise WaterError(
            "The Dataset carries no signatures.",
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
    looks, reasons = _judge(
        table,
        is_reflectance=spectra.attrs.get("units") == "1",
        wet_above=float(spectra.attrs.get("wet_above", 0.0)),
    )
    return table.assign(looks_like_water=looks, water=False, reason=reasons)


def _at_shore(segmentation: xr.Dataset, evidence: pd.DataFrame) -> NDArray[np.float64]:
    """How much of each subcluster of land lies at the shore, if there are maps to see it on."""
    if "subclusters" not in segmentation:
        if "subcluster_at_shore" in segmentation:  # as a timeline counted it on its dates
            return np.asarray(segmentation["subcluster_at_shore"].values, np.float64)
        return np.full(len(evidence), np.nan)
    classes = classes_of(evidence, segmentation.sizes["subcluster"])
    subclusters = stored_classes(segmentation["subclusters"])
    share = share_at_shore(subclusters.data, classes)
    return share.take(evidence.index.to_numpy())


def _judge(
    table: pd.DataFrame, *, is_reflectance: bool, wet_above: float
) -> tuple[NDArray[np.bool_], list[str]]:
    """Whether each signature looks like water, and why in a few words."""
    name = next((index for index in ("mndwi", "ndwi") if index in table), None)
    if name is None:
        return np.zeros(len(table), bool), ["no band that tells water from land"] * len(table)
    wetness = table[name].to_numpy()
    wet = wetness > wet_above
    resembles = [""] * len(table)
    if is_reflectance:
        resembles = _what_it_resembles(table)
        open_water = wetness >= OPEN_WETNESS
        if "awei_nsh" in table:
            open_water |= table["awei_nsh"].to_numpy() > 0
        if not (open_water & wet & (np.array(resembles) == "")).any():
            resembles = [other or "no open water anywhere" for other in resembles]
    reasons = [
        f"{name.upper()} {value:+.2f}: "
        + ("wet" if is_wet else "dry" if value <= 0 else f"dry, as not above {wet_above:.2f}")
        + (f", but {other}" if is_wet and other else "")
        for value, is_wet, other in zip(wetness, wet, resembles, strict=True)
    ]
    return wet & np.array([other == "" for other in resembles]), reasons


def _what_it_resembles(table: pd.DataFrame) -> list[str]:
    """Name what else than water a wet-looking signature may be; empty where nothing speaks."""
    if not {"green", "red", "nir08"} <= set(table.columns):
        return [""] * len(table)
    green, red, nir = (table[band].to_numpy() for band in ("green", "red", "nir08"))
    bright = nir > BRIGHT_NIR
    white = looks_white(green, red, nir) & (green > SNOW_GREEN)
    muddy = (red > MUDDY_RED_TO_GREEN * green) & (nir < MUDDY_NIR_TO_RED * red)
    leafy = bright & (nir > LEAFY_NIR_TO_GREEN * green) & ~muddy
    steps_up = (nir > RISING_NIR) & (nir > RISING_NIR_TO_RED * red)
    rising = steps_up & (red > RISING_RED_TO_GREEN * green) & ~muddy
    airy = np.zeros(len(table), bool)
    if "blue" in table:
        blue = table["blue"].to_numpy()
        airy = steps_up & (blue > AIRY_BLUE_TO_GREEN * green) & (green > red)
    shaded = np.zeros(len(table), bool)
    if {"mndwi", "ndwi", "awei_sh", "awei_nsh"} <= set(table.columns):
        dull = (table[["ndwi", "awei_sh", "awei_nsh"]] < 0.0).all(axis=1)
        shaded = (dull & (table["mndwi"] < FAINT_MNDWI)).to_numpy() & ~muddy
    return [
        f"white, NIR {nir[number]:.2f}: like snow, ice or cloud"
        if white[number]
        else f"rising to NIR {nir[number]:.2f}: like snow among trees or in shade"
        if rising[number]
        else f"NIR {nir[number]:.2f} outshines green: like leaves"
        if leafy[number]
        else f"blue of the air, then rising to NIR {nir[number]:.2f}: like leaves in shadow"
        if airy[number]
        else "dark alike in all bands, NIR above green: like shade"
        if shaded[number]
        else ""
        for number in range(len(table))
    ]


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


def _declare(evidence: pd.DataFrame, clusters: list[int], why: str) -> None:
    """Make whole clusters water because the user says so."""
    chosen = evidence["cluster"].isin(clusters)
    evidence["water"] = chosen
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
