"""Fitted models on disk: open, versioned, and nothing in them is executed."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from strandline.atomic import replacing
from strandline.errors import ModelFileError, SourceNotFoundError
from strandline.paths import local_path
from strandline.segmentation.model import FORMAT as SEGMENTATION_FORMAT
from strandline.segmentation.model import SegmentationModel
from strandline.spectral import SpectralClustering, dump_model
from strandline.spectral import load_model as load_clusterer
from strandline.spectral.archive import archive_format


def save_model(
    model: xr.Dataset | SegmentationModel | SpectralClustering, path: str | os.PathLike[str]
) -> Path:
    """Write a fitted model to a file.

    Parameters
    ----------
    model : Dataset, SegmentationModel or SpectralClustering
        What `strandline.segment` returned, the model in it, or a fitted engine.
    path : path-like
        Where to; usually ``….npz``. Replaced in one step if it exists.

    Returns
    -------
    Path

    Raises
    ------
    ModelFileError
        If there is no model in it, or it holds a function, which no file can.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> segmentation = sl.segment(round_lake(radius=300), n_clusters=2)
    >>> with TemporaryDirectory() as folder:
    ...     path = save_model(segmentation, folder + "/lake.npz")
    ...     again = load_model(path).predict(round_lake(radius=300))
    >>> again["labels"].equals(segmentation["labels"])
    True
    """
    if isinstance(model, SpectralClustering):
        data = dump_model(model)
    else:
        data = (SegmentationModel.of(model) if isinstance(model, xr.Dataset) else model).to_bytes()
    with replacing(path) as draft:
        draft.write_bytes(data)
    return local_path(path)


def load_model(path: str | os.PathLike[str]) -> SegmentationModel | SpectralClustering:
    """Read a model that `save_model` wrote; it gives the same labels to the byte.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    SegmentationModel or SpectralClustering
        Whichever was saved. Both have ``predict``.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    ModelFileError
        If it is damaged, something else, or of another version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> X = np.array([[0.0, 0.1], [0.1, 0.0], [0.9, 1.0], [1.0, 0.9]])
    >>> with TemporaryDirectory() as folder:
    ...     path = save_model(SpectralClustering(n_clusters=2).fit(X), folder + "/engine.npz")
    ...     load_model(path).predict(np.array([[0.05, 0.05], [0.95, 0.95]]))
    array([0, 1], dtype=int32)
    """
    try:
        data = local_path(path).read_bytes()
    except FileNotFoundError:
        raise SourceNotFoundError(
            f"There is no model file '{path}'.", remedy="Check the path."
        ) from None
    except OSError as error:
        raise ModelFileError(f"The model file '{path}' cannot be read.", got=str(error)) from error
    if archive_format(data) == SEGMENTATION_FORMAT:
        return SegmentationModel.from_bytes(data)
    return load_clusterer(data)
