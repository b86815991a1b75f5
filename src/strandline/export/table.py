r"""Tables as CSV files that are the same bytes for the same result.

UTF-8, one header line, comma separated, ``\n`` line ends, a fixed number of
decimals, ``true``/``false``, dates as ISO 8601, and nothing where a value is
unknown. The index comes first, under its name.
"""

from __future__ import annotations

import csv
import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from strandline.atomic import replacing
from strandline.errors import ConfigurationError, WaterError
from strandline.paths import local_path

if TYPE_CHECKING:
    from strandline.segmentation.model import SegmentationModel

AREA_DIGITS = 4
"""Decimals of areas in km²: 0.0001 km² is a ninth of a Landsat pixel."""

VALUE_DIGITS = 6
"""Decimals of reflectances and indices: a hundredth of a step of 16-bit data."""


def write_table(
    frame: pd.DataFrame, path: str | os.PathLike[str], *, digits: int = VALUE_DIGITS
) -> Path:
    """Write any table.

    Parameters
    ----------
    frame : DataFrame
        Numbers, booleans, text, dates. An unnamed default index is left out.
    path : path-like
        The file.
    digits : int
        Decimals of every floating-point number.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> table = pd.DataFrame({"km2": [160.25]}, index=pd.Index(["water"], name="class"))
    >>> with TemporaryDirectory() as folder:
    ...     print(write_table(table, Path(folder) / "a.csv", digits=2).read_text(), end="")
    class,km2
    water,160.25
    """
    if digits < 0:
        raise ConfigurationError("Decimals cannot be negative.", got=str(digits))
    named = [name for name in frame.index.names if name is not None]
    plain = frame.reset_index() if named or not _is_default(frame.index) else frame
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([str(column) for column in plain.columns])
        columns = [[_text(v, digits) for v in plain.iloc[:, i]] for i in range(plain.shape[1])]
        writer.writerows(zip(*columns, strict=True))
    return local_path(path)


def write_areas(areas: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write areas in km², `AREA_DIGITS` decimals.

    Parameters
    ----------
    areas : DataFrame
        From `strandline.areas`: a row per class, columns in km².
    path : path-like
        The file, usually ``areas.csv``.

    Returns
    -------
    Path
        The file.
    """
    return write_table(areas, path, digits=AREA_DIGITS)


def write_evidence(evidence: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write why each cluster was taken for water or not, `VALUE_DIGITS` decimals.

    Parameters
    ----------
    evidence : DataFrame
        From `strandline.find_water`: a row per cluster.
    path : path-like
        The file, usually ``evidence.csv``.

    Returns
    -------
    Path
        The file.
    """
    return write_table(evidence, path, digits=VALUE_DIGITS)


def read_evidence(
    path: str | os.PathLike[str], model: SegmentationModel, reflectance: bool = True
) -> pd.DataFrame:
    """Read a decision about the classes of a model, as `write_evidence` left it.

    Parameters
    ----------
    path : path-like
        ``evidence.csv`` of the run that the model comes from.
    model : SegmentationModel
        From `strandline.load_model`.
    reflectance : bool
        Whether the scenes are reflectance, whose shores can be divided into water and land.

    Returns
    -------
    DataFrame
        As from `strandline.find_water`, for `strandline.water_mask` and `water_confidence` of
        what the model predicts.

    Raises
    ------
    WaterError
        If the file is missing, or is not of this model.
    """
    from strandline.water.identify import CLASSES, FRACTION, NO_WATER, WATER_FOUND

    source = local_path(path)
    remedy = "Bring the evidence.csv of the model's run, or say water_labels=…."
    try:
        table = pd.read_csv(source, index_col="subcluster")
    except (OSError, ValueError) as error:
        raise WaterError(
            f"Which classes of the model are water is not known: '{source}' cannot be read.",
            remedy=remedy,
        ) from error
    needed = {"cluster", "share", "water", "reason", *model.bands}
    own = model.subclusters.cluster.astype(int).tolist()
    if not needed <= set(table.columns) or table["cluster"].tolist() != own:
        raise WaterError(f"'{source}' is not the evidence of this model.", remedy=remedy)
    named = table["reason"].astype(str).str.startswith("cluster ").any()
    sides = model.subclusters.sides
    table.attrs = {
        "decided_by": "the evidence of the model",
        "bands": list(model.bands),
        "reflectance": reflectance,
        "wet_above": 0.0 if sides is None else float(sides.threshold),
        "shores": FRACTION if reflectance and not named else CLASSES,
        "verdict": WATER_FOUND if table["water"].any() else NO_WATER,
        "clusters": sorted(set(table.loc[table["water"], "cluster"].tolist())),
    }
    return table


def write_signatures(segmentation: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write each cluster's mean and standard deviation per band, `VALUE_DIGITS` decimals.

    Columns: ``cluster``, ``pixels``, then ``<band>_mean`` and ``<band>_std``
    (reflectance) for each band.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`, with ``signature_mean``, ``signature_std``
        (cluster, band) and ``pixels`` (cluster).
    path : path-like
        The file, usually ``signatures.csv``.

    Returns
    -------
    Path
        The file.
    """
    return write_table(signature_table(segmentation), path, digits=VALUE_DIGITS)


def signature_table(segmentation: xr.Dataset) -> pd.DataFrame:
    """Put the clusters' signatures into a table with a row per cluster.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`.

    Returns
    -------
    DataFrame
        Index ``cluster``; columns ``pixels`` and ``<band>_mean``, ``<band>_std``.
    """
    mean = segmentation["signature_mean"].transpose("cluster", "band")
    spread = segmentation["signature_std"].transpose("cluster", "band")
    columns: dict[str, Any] = {"pixels": np.asarray(segmentation["pixels"])}
    for i, band in enumerate(mean["band"].values):
        columns[f"{band}_mean"] = np.asarray(mean)[:, i]
        columns[f"{band}_std"] = np.asarray(spread)[:, i]
    clusters = segmentation["cluster"].values if "cluster" in segmentation.coords else None
    index = pd.Index(np.arange(len(mean)) if clusters is None else clusters, name="cluster")
    return pd.DataFrame(columns, index=index)


def _is_default(index: pd.Index[Any]) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _text(value: Any, digits: int) -> str:
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        raise ConfigurationError("A table cell holds more than one value.", got=repr(value))
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        text = f"{float(value):.{digits}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    if isinstance(value, (datetime.datetime, np.datetime64)):
        stamp = pd.Timestamp(value)
        return (
            stamp.date().isoformat()
            if stamp == stamp.normalize()
            else stamp.isoformat(timespec="seconds")
        )
    return str(value)
