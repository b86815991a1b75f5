"""An assessment of files, as files."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import xarray as xr

from strandline.accuracy import Assessment, assess
from strandline.atomic import write_json
from strandline.errors import ConfigurationError
from strandline.export.staging import check_folder
from strandline.export.table import write_table
from strandline.paths import local_path
from strandline.scenes.classes import read_classes, read_reference


def assess_files(
    mapped: str | Path,
    reference: str | Path,
    out: str | Path | None = None,
    *,
    random_sample: bool = False,
) -> str:
    """Hold the map of one file against the reference of another.

    Parameters
    ----------
    mapped : path-like
        A raster of classes, such as ``water_DATE.tif`` or ``change.tif``.
    reference : path-like
        A raster of the same classes, or points; see `read_reference`.
    out : path-like, optional
        Folder for ``assessment.csv`` and ``assessment.json``.
    random_sample : bool
        As for `strandline.assess`.

    Returns
    -------
    str
        The assessment to read, and where it was written.
    """
    if out is not None:
        check_folder(out)
    known = read_reference(reference)
    if random_sample and isinstance(known, xr.DataArray):
        raise ConfigurationError(
            f"{str(reference)!r} is a raster, and no random sample.",
            remedy="Pass points, or leave --random-sample out.",
        )
    assessment = assess(read_classes(mapped), known, random_sample=random_sample)
    text = str(assessment)
    if out is None:
        return text
    write_assessment(assessment, out)
    return f"{text}\n\nWritten to {out}: assessment.csv, assessment.json"


def write_assessment(assessment: Assessment, out: str | os.PathLike[str]) -> Path:
    """Write an assessment as ``assessment.csv``, a row per class, and ``assessment.json``, all.

    Parameters
    ----------
    assessment : Assessment
        From `strandline.assess`.
    out : path-like
        The folder, which may be that of a study: its results stay. Each file is written whole
        or not at all.

    Returns
    -------
    Path
        The folder.
    """
    table = assessment.by_class
    if assessment.estimates is not None:
        table = pd.concat([table, assessment.estimates.add_prefix("estimated_")], axis=1)
    folder = local_path(out)
    write_table(table, folder / "assessment.csv")
    write_json(folder / "assessment.json", assessment.to_dict())
    return folder
