"""An assessment of files, as files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import xarray as xr

from strandline.accuracy import Assessment, assess
from strandline.atomic import write_json
from strandline.errors import ConfigurationError, OutputError
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
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
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
    overwrite : bool
        Whether another assessment in the folder may be replaced.
    say : callable, optional
        Called with the assessment before it is written, so that it is not lost if it cannot be.

    Returns
    -------
    str
        The assessment to read, and where it was written.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds another assessment.
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
    if say is not None:
        say(text)
    if out is None:
        return text
    if not overwrite:
        _keep_another(assessment, local_path(out))
    write_assessment(assessment, out)
    written = f"Written to {out}: assessment.csv, assessment.json"
    if say is not None:
        say(f"\n{written}")
    return f"{text}\n\n{written}"


def _keep_another(assessment: Assessment, folder: Path) -> None:
    """Refuse to replace an assessment that says something else."""
    with TemporaryDirectory(prefix="strandline-assessment-") as scratch:
        write_assessment(assessment, scratch)
        for new in Path(scratch).iterdir():
            old = folder / new.name
            if old.exists() and (not old.is_file() or old.read_bytes() != new.read_bytes()):
                raise OutputError(
                    f"'{folder}' holds another assessment: {new.name}.",
                    remedy="Choose another folder, or pass overwrite=True to replace it.",
                )


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
