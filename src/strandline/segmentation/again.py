"""The same scenes segmented otherwise: what in a map depends on chance and on the number k."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.segment import complete_segmentation, fit_segmentation, one_array
from strandline.spectral import SpectralClustering

MEMBERS = 8
"""Differences between eight say what a ninth would be like; each costs a fit."""

_FEWER_OR_MORE = (0, 1, -1)
_STREAM = 5  # keeps the seeds apart from others that are made of the same number


def segment_again(
    segmentation: xr.Dataset,
    scenes: xr.DataArray | Iterable[xr.DataArray],
    n_members: int = MEMBERS,
) -> list[xr.Dataset]:
    """Segment the same scenes with other seeds, from other pixels, and with k - 1 and k + 1.

    Each member is fitted to another half of the pixels, drawn at random, and labels all of
    them. A third of the members have as many clusters as the segmentation, a third one more,
    a third one less. What all of them agree on does not depend on such choices.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`; its bands, scaling and engine are used again.
    scenes : DataArray of shape (band, y, x) or (time, band, y, x), or iterable of DataArray
        Those that it was made of.
    n_members : int
        How many, from 1.

    Returns
    -------
    list of Dataset
        As `strandline.segment` returns them. The same for the same arguments.

    Raises
    ------
    ConfigurationError
        If there is no member.
    ModelFileError
        If the segmentation carries no model.
    MissingBandError, InvalidDataError
        As `strandline.segment`.

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(radius=300)
    >>> members = segment_again(sl.segment(scene, n_clusters=3), scene, n_members=3)
    >>> [member.attrs["n_clusters"] for member in members]
    [3, 4, 2]
    """
    if n_members < 1:
        raise ConfigurationError(
            "The number of members is not valid.", expected="1 or more", got=str(n_members)
        )
    scene = one_array(scenes)
    model = SegmentationModel.of(segmentation)
    return [_member(segmentation, model, scene, number) for number in range(n_members)]


def _member(
    segmentation: xr.Dataset, model: SegmentationModel, scene: xr.DataArray, number: int
) -> xr.Dataset:
    """Fit one member to its half of the pixels and label the whole scene."""
    seeds = np.random.SeedSequence([int(segmentation.attrs["random_state"]), _STREAM, number])
    seed, draw = (int(state >> 1) for state in seeds.generate_state(2))
    n_clusters = max(2, model.n_clusters + _FEWER_OR_MORE[number % len(_FEWER_OR_MORE)])
    parameters: dict[str, Any] = model.clusterer.get_params(deep=False)  # type: ignore[no-untyped-call]  # scikit-learn is untyped
    parameters |= {"n_clusters": n_clusters, "random_state": seed, "n_stability": 0}
    fitted = fit_segmentation(
        _half(scene, draw),
        bands=model.bands,
        standardize=model.standardizer.how,
        n_subclusters=max(len(model.subclusters.cluster), n_clusters),
        clusterer=SpectralClustering(**parameters),
    )
    return complete_segmentation(fitted, SegmentationModel.of(fitted).predict(scene))


def _half(scene: xr.DataArray, seed: int) -> xr.DataArray:
    """Hide half of the pixels, the same on every date and in every band."""
    random = np.random.default_rng(seed)
    kept = random.random((scene.sizes["y"], scene.sizes["x"]), np.float32) < 0.5
    return scene.where(xr.DataArray(kept, dims=("y", "x")))
