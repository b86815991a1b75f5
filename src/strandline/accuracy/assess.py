"""Hold a map against a reference."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.accuracy.boundary import boundary_errors
from strandline.accuracy.pairs import ClassMap, on_grid, same_class, sampled
from strandline.accuracy.proportions import class_measures, sample_estimates, wilson
from strandline.change.pixel_area import pixel_areas
from strandline.errors import ConfigurationError, SuspiciousSceneWarning
from strandline.prepare.classes import NOT_OBSERVED

COUNTS = ("mapped", "reference")  # of the columns of `Assessment.by_class`
STRIPE = 512  # rows whose areas are held at a time


@dataclass(frozen=True)
class Assessment:
    """How a map agrees with a reference.

    Attributes
    ----------
    confusion : DataFrame
        Counts. Rows: classes on the map; columns: the same classes in the reference.
    by_class : DataFrame
        Accuracy of each class, from the counts; see `assess`.
    overall : dict of str to float
        ``accuracy``, ``low_95``, ``high_95``: the share of places that agree.
    left_out : dict of str to int
        Places that do not count: ``not observed`` on the map, ``unsure`` in the reference,
        ``outside`` the map.
    boundary : DataFrame or None
        Distances between the shorelines in metres, for water against a raster.
    estimates : DataFrame or None
        Areas and accuracies that a random sample stands for.
    """

    confusion: pd.DataFrame
    by_class: pd.DataFrame
    overall: dict[str, float]
    left_out: dict[str, int]
    boundary: pd.DataFrame | None = None
    estimates: pd.DataFrame | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain numbers and text, for JSON; None where there is no number."""
        tables = {"confusion": self.confusion, "by_class": self.by_class}
        tables |= {"boundary_m": self.boundary} if self.boundary is not None else {}
        plain: dict[str, Any] = {name: _plain(table) for name, table in tables.items()}
        plain |= {"overall": _without_nan(self.overall), "left_out": dict(self.left_out)}
        if self.estimates is not None:
            plain["estimates_km2"] = _plain(self.estimates)
            plain["estimated_overall"] = dict(self.estimates.attrs)
        return plain

    def __str__(self) -> str:
        counted = int(self.confusion.to_numpy().sum())
        left = ", ".join(f"{count:,} {why}" for why, count in self.left_out.items() if count)
        accuracy, low, high = (self.overall[name] for name in ("accuracy", "low_95", "high_95"))
        parts = [
            f"{counted:,} places compared" + (f"; left out: {left}" if left else ""),
            "Rows: map; columns: reference\n" + self.confusion.to_string(),
            f"overall accuracy {accuracy:.4f} ({low:.4f} to {high:.4f})",
            _with_whole_counts(self.by_class).to_string(),
        ]
        if self.boundary is not None:
            parts.append(
                "Distance between the shorelines, metres\n" + self.boundary.round(2).to_string()
            )
        if self.estimates is not None:
            about = self.estimates.attrs
            parts.append(
                "Areas estimated from the random sample, km²\n"
                + self.estimates.round(4).T.to_string()
                + f"\noverall accuracy {about['overall']:.4f}, standard error "
                f"{about['overall_se']:.4f}"
            )
        return "\n\n".join(parts)


def assess(
    mapped: xr.DataArray,
    reference: xr.DataArray | pd.DataFrame,
    *,
    random_sample: bool = False,
) -> Assessment:
    """Hold a map against a reference: another map, or points whose class is known.

    Parameters
    ----------
    mapped : DataArray of shape (y, x)
        A water mask, a change map, or any map of classes (0 to 254; 255 not observed); or a
        fraction of water (real numbers 0 … 1, NaN not observed), which counts as water from
        one half on.
    reference : DataArray or DataFrame
        A map of the same classes, 255 where unsure; on another grid, it is read at the centre
        of each pixel of `mapped`. Or points: a table with columns ``lon``, ``lat`` (degrees)
        and ``class`` (number or name), or a GeoDataFrame of points with a column ``class``.
        Each is compared with the pixel that it lies in.
    random_sample : bool
        Whether the points were drawn at random, in each class of the map or all over it.
        Then they stand for the whole map, and areas and accuracies are estimated for it.

    Returns
    -------
    Assessment
        Its ``by_class`` has, for each class, ``mapped`` and ``reference`` counts, ``user`` and
        ``producer`` accuracy (also known as precision and recall) with ``_low_95`` and
        ``_high_95``, ``f1`` and ``iou``. ``boundary`` is there for maps of water against
        rasters, ``estimates`` for random samples. `print` shows all of it.

    Raises
    ------
    ConfigurationError
        If one is not a map of one date, classes cannot be told, nothing can be compared, one is a
        label map and the other of water, or the points of a random sample leave a class out.
    GridError, MissingCRSError
        If a map has no place on Earth, or the two do not overlap.

    Warns
    -----
    SuspiciousSceneWarning
        If two maps give one number different names.

    Notes
    -----
    Intervals of counts are Wilson's (1927) for independent places. Pixels of a raster are not
    independent of their neighbours, so there the intervals are too narrow; and a reference
    that is itself uncertain is not known to them. Estimates from a random sample follow
    Olofsson et al. (2014); they are the ones to publish, for the producer's accuracy and the
    area depend on how many points were drawn in which class, and the counts do not know.

    Boundary errors follow the contour at one half of the water fraction; from a mask, the
    middles of pixel edges (`strandline.accuracy.boundary.boundary_errors`).

    References
    ----------
    Wilson, Journal of the American Statistical Association 22 (1927). Olofsson et al., Remote
    Sensing of Environment 148 (2014), 42-57.

    Examples
    --------
    >>> from strandline.testing.lakes import lake_fraction, lake_grid, mask_of
    >>> grid = lake_grid()
    >>> small, large = (mask_of(lake_fraction(grid, radius=r) > 0.5, grid) for r in (540, 600))
    >>> assessment = assess(small, large)
    >>> assessment.by_class.loc["water", ["user", "producer"]].round(2).to_dict()
    {'user': 1.0, 'producer': 0.81}
    >>> round(float(assessment.boundary.loc["both", "mean"]))
    58
    """
    ours = ClassMap.read(mapped, "the map")
    theirs: ClassMap | None = None
    if isinstance(reference, xr.DataArray):
        if random_sample:
            raise ConfigurationError(
                "A raster is not a random sample.",
                expected="random_sample=True with points",
                got="a raster",
            )
        theirs = ClassMap.read(on_grid(reference, ours.grid), "the reference")
        _refuse_clusters_as_water(ours, theirs)
        _warn_of_other_names(ours, theirs)
        one, other, outside = ours.values.ravel(), theirs.values.ravel(), 0
    elif isinstance(reference, pd.DataFrame):
        one, other, outside = sampled(ours, reference)
    else:
        raise ConfigurationError(
            "The reference is neither a map nor points.",
            expected="a DataArray or a DataFrame",
            got=type(reference).__name__,
            remedy="Open a file first; strandline assess MAP REFERENCE does.",
        )
    observed, sure = one != NOT_OBSERVED, other != NOT_OBSERVED
    left_out = {
        "not observed": int((~observed).sum()),
        "unsure": int((observed & ~sure).sum()),
        "outside": outside,
    }
    confusion = _confusion(one[observed & sure], other[observed & sure], ours, left_out)
    hits, total = int(np.diag(confusion).sum()), int(confusion.to_numpy().sum())
    low, high = wilson(hits, total)
    boundary = None
    if theirs is not None and ours.fraction is not None and theirs.fraction is not None:
        boundary = boundary_errors(ours.fraction, theirs.fraction, ours.grid)
    return Assessment(
        confusion=confusion,
        by_class=class_measures(confusion),
        overall={"accuracy": hits / total, "low_95": low, "high_95": high},
        left_out=left_out,
        boundary=boundary,
        estimates=_estimates(confusion, ours) if random_sample else None,
    )


def _with_whole_counts(by_class: pd.DataFrame) -> pd.DataFrame:
    """Write the measures of each class, a column each: counts as counts, shares to four digits."""
    written = {
        name: [f"{value:,.0f}" if name in COUNTS else f"{value:.4f}" for value in column]
        for name, column in by_class.items()
    }
    return pd.DataFrame(written, index=by_class.index).T


def _refuse_clusters_as_water(ours: ClassMap, theirs: ClassMap) -> None:
    """Refuse a label map against water: cluster 1 is not the class 1 of a mask."""
    for one, other, which in ((ours, theirs, "map"), (theirs, ours, "reference")):
        if one.says_clusters and other.says_water:
            raise ConfigurationError(
                "Clusters cannot be compared with water: cluster numbers are not water classes.",
                expected="two maps of water, or two of the same clusters",
                got=f"clusters as the {which} ({_first(list(one.names.values()))})",
                remedy="Pass the water mask: water_mask(segmentation), or water_DATE.tif of the "
                "folder that the label map is in.",
            )


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _warn_of_other_names(ours: ClassMap, theirs: ClassMap) -> None:
    """Say where one number means two things; numbers are what is compared."""
    differ = [
        f"{value} is {name!r} on the map and {theirs.names[value]!r} in the reference"
        for value, name in sorted(ours.names.items())
        if value in theirs.names and not same_class(name, theirs.names[value])
    ]
    if differ:
        warnings.warn(
            SuspiciousSceneWarning(
                "The map and the reference do not mean the same classes: "
                + "; ".join(differ[:3])
                + ("; …" if len(differ) > 3 else "")
                + ". They are compared by their numbers."
            ),
            stacklevel=3,
        )


def _confusion(
    one: NDArray[np.uint8], other: NDArray[np.uint8], ours: ClassMap, left_out: dict[str, int]
) -> pd.DataFrame:
    """Count each pair of classes; every class that the map has or the reference has."""
    if not len(one):
        raise ConfigurationError(
            "Nothing can be compared.",
            expected="places that the map observed and where the reference is certain",
            got=", ".join(f"{count:,} {why}" for why, count in left_out.items() if count) or "none",
        )
    counts = np.bincount(one.astype(int) * 256 + other, minlength=256 * 256).reshape(256, 256)
    there = set(np.unique(ours.values).tolist()) | set(np.flatnonzero(counts.sum(axis=0)).tolist())
    if ours.fraction is not None:
        there |= {0, 1}
    classes = sorted(there - {NOT_OBSERVED})
    names = [ours.names.get(number, f"class {number}") for number in classes]
    return pd.DataFrame(
        counts[np.ix_(classes, classes)],
        index=pd.Index(names, name="class"),
        columns=pd.Index(names),
    ).rename_axis(index="class")


def _estimates(confusion: pd.DataFrame, ours: ClassMap) -> pd.DataFrame:
    """Estimate areas in km² and accuracies; the strata are the classes of the map."""
    areas_of = pixel_areas(ours.grid)
    rows, columns = ours.values.shape
    km2 = np.zeros(256)
    for top in range(0, rows, STRIPE):
        stripe = ours.values[top : top + STRIPE]
        area = areas_of.block(slice(top, top + len(stripe)), slice(0, columns))
        # Off the Earth there is no area.
        km2 += np.bincount(stripe.ravel(), np.nan_to_num(area, nan=0.0).ravel(), minlength=256)
    by_name = {ours.names.get(number, f"class {number}"): km2[number] for number in range(255)}
    return sample_estimates(confusion, np.array([by_name[name] for name in confusion.index]))


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    return {str(name): _without_nan(row) for name, row in table.to_dict(orient="index").items()}


def _without_nan(values: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): None if pd.isna(value) else value for name, value in values.items()}
