"""From scenes to one label map: the same spectrum gets the same label on every date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, InvalidDataError, MissingBandError, SceneError
from strandline.prepare.classes import NOT_OBSERVED, simulated_mark
from strandline.prepare.georeference import placed
from strandline.prepare.stack import sensor_of, stack_scenes, with_common_names
from strandline.prepare.standardize import Standardizer
from strandline.scenes.contract import check_spectra, describe
from strandline.scenes.selection import NOT_OF_THE_GROUND, find_band
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.sampling import draw_with_rare
from strandline.segmentation.sides import STRATA, Sides, fit_sides, sides_of
from strandline.segmentation.signatures import Signatures, signatures
from strandline.segmentation.subclusters import divide
from strandline.spectral import SpectralClustering
from strandline.spectral.sampling import is_dask

SAMPLE_PIXELS = 1 << 20
"""The model and the signatures come from at most this many pixels; fewer are all used."""

SUBCLUSTERS = 240
"""How many there are, unless the caller says. With fewer, whole stretches of shore change sides
together: with 96, the area of a lake in pixels of 300 m moved by 3 % with a CPU's rounding."""

NOT_SURFACE_BANDS = frozenset({"lwir", "lwir11", "lwir12", *NOT_OF_THE_GROUND})
"""Bands left aside unless asked for: heat, the atmosphere, and what the colours say already."""


def segment(
    scenes: xr.DataArray | xr.Dataset | Iterable[xr.DataArray | xr.Dataset],
    n_clusters: int | str = 8,
    *,
    bands: Sequence[str] | None = None,
    standardize: str = "band",
    random_state: int = 0,
    n_subclusters: int | None = None,
    clusterer: SpectralClustering | None = None,
) -> xr.Dataset:
    """Cluster the pixels of one scene, or of several dates together, by their spectra.

    Several dates are fitted as one model, so a label means the same on each of them.

    Parameters
    ----------
    scenes : DataArray of shape (band, y, x) or (time, band, y, x), Dataset, or iterable of them
        Reflectance (units "1"), NaN where not observed. Scenes of a list are put on the
        grid of the first one, with the bands that all share. Bands may have the names that
        `strandline.open_scene` understands (``nir``, ``swir1``). A Dataset has one variable per
        band, and one date or several; it is opened as by `strandline.open_scene`.
    n_clusters : int or "auto"
        Number of clusters, 2 … 254. "auto" chooses 2 … 12 (see `SpectralClustering`); in
        natural landscapes, whose classes merge into one another, that is seldom more than
        a few.
    bands : sequence of str, optional
        Bands to cluster by, by common name or alias, or by number where the platform is known.
        Default: all but thermal, cirrus, water-vapour and panchromatic ones.
    standardize : {"global", "band", "robust"}
        How reflectance becomes features; see `strandline.standardize`.
    random_state : int
        Seed, from 0. The labels of water and land should not depend on it, and it is in the record.
    n_subclusters : int, optional
        How finely decisions about water are made, in all; at least `n_clusters`, at most 254.
        Default: 240, or one per cluster where those are more.
    clusterer : SpectralClustering, optional
        An engine with other parameters than the defaults; `n_clusters` and `random_state`
        are then its own. It is cloned, not changed.

    Returns
    -------
    Dataset
        ``labels`` (uint8, (y, x) or (time, y, x), 255 where not observed): clusters,
        0 is the darkest. ``subclusters`` (uint8, same shape): finer classes within them.
        ``signature_mean``, ``signature_std`` (cluster, band): reflectance of each cluster;
        ``pixels`` (cluster): how many there are. ``subcluster_mean`` (subcluster, band),
        ``subcluster_share`` (subcluster): share of the observed pixels, and
        ``subcluster_cluster`` (subcluster): the cluster each belongs to.
        The fitted model is ``SegmentationModel.of(result)``. Maps are lazy if the scenes
        are; the model and the signatures come from a sample of up to 2**20 pixels drawn by
        position, so they are the same whatever the chunks.

    Raises
    ------
    ConfigurationError
        A parameter that cannot work.
    MissingBandError
        A band that was asked for is not in every scene.
    InvalidDataError
        Too few observed pixels, or infinite values.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> result = segment(round_lake(radius=300), n_clusters=2)
    >>> result["labels"].dims, result["signature_mean"].dims
    (('y', 'x'), ('cluster', 'band'))
    """
    scene = one_array(scenes)
    fitted = fit_segmentation(
        scene,
        n_clusters,
        bands=bands,
        standardize=standardize,
        random_state=random_state,
        n_subclusters=n_subclusters,
        clusterer=clusterer,
    )
    maps = SegmentationModel.of(fitted).predict(scene)
    return complete_segmentation(fitted, maps)


def fit_segmentation(
    scenes: xr.DataArray | xr.Dataset | Iterable[xr.DataArray | xr.Dataset],
    n_clusters: int | str = 8,
    *,
    bands: Sequence[str] | None = None,
    standardize: str = "band",
    random_state: int = 0,
    n_subclusters: int | None = None,
    clusterer: SpectralClustering | None = None,
) -> xr.Dataset:
    """Fit the model of a segmentation, and leave the maps for later.

    Parameters
    ----------
    scenes, n_clusters, bands, standardize, random_state, n_subclusters, clusterer
        As for `segment`.

    Returns
    -------
    Dataset
        What `segment` returns but for the maps and ``pixels``: a few kilobytes.
        `complete_segmentation` puts in the maps that its model predicts.

    Raises
    ------
    ConfigurationError, MissingBandError, InvalidDataError
        As `segment`.
    """
    scene = one_array(scenes)
    scene = scene.sel(band=chosen_bands(scene, bands))
    engine = _engine(clusterer, n_clusters, random_state)
    most = _most_clusters(engine)
    n_subclusters = _checked_count(most, n_subclusters)
    _check_seed(engine.random_state)
    sample = _sample(scene, 2 if engine.n_clusters == "auto" else most)
    model, classes = _fit(sample, scene, engine, standardize, n_subclusters)
    rows, weights = sample.rows, sample.weights
    by_cluster = signatures(rows, classes[:, 0], model.n_clusters, weights)
    by_subcluster = signatures(rows, classes[:, 1], len(model.subclusters.cluster), weights)
    units: dict[str, Any] = {"units": str(scene.attrs.get("units", "unknown"))}
    sides = model.subclusters.sides
    # Where the wet side of the index begins is for those to know who decide about water.
    by_index = units if sides is None else units | {"wet_above": sides.threshold}
    return xr.Dataset(
        {
            "signature_mean": (("cluster", "band"), by_cluster.mean, units),
            "signature_std": (("cluster", "band"), by_cluster.std, units),
            "subcluster_mean": (("subcluster", "band"), by_subcluster.mean, by_index),
            "subcluster_share": ("subcluster", _share(by_subcluster)),
            "subcluster_cluster": ("subcluster", model.subclusters.cluster),
        },
        coords={"band": list(model.bands)},
        attrs={
            "model": model.to_text(),
            "n_clusters": model.n_clusters,
            "standardize": standardize,
            "random_state": 0 if engine.random_state is None else int(engine.random_state),
        },
    )


def complete_segmentation(fitted: xr.Dataset, maps: xr.Dataset) -> xr.Dataset:
    """Put fit and maps together to what `segment` returns.

    Parameters
    ----------
    fitted : Dataset
        From `fit_segmentation`.
    maps : Dataset
        ``labels`` and ``subclusters``, from the model's `SegmentationModel.predict`.

    Returns
    -------
    Dataset
    """
    n_clusters = fitted.sizes["cluster"]
    described = maps.copy()
    _describe_maps(described, n_clusters, fitted.sizes["subcluster"])
    pixels = ("cluster", _count(maps["labels"].data, n_clusters))
    return (
        described.assign(fitted.data_vars)
        .assign(pixels=pixels)
        .assign_coords(fitted.coords)
        .assign_attrs(fitted.attrs)
    )


def one_array(
    scenes: xr.DataArray | xr.Dataset | Iterable[xr.DataArray | xr.Dataset],
) -> xr.DataArray:
    """Put scenes together as one array of dimensions (band, y, x) or (time, band, y, x)."""
    if isinstance(scenes, xr.DataArray):
        scene = with_common_names(scenes)
    else:
        items = [scenes] if isinstance(scenes, xr.Dataset) else list(scenes)
        given = [part for item in items for part in scenes_of(item)]
        if not all(isinstance(item, xr.DataArray) for item in given):
            raise ConfigurationError(
                "Only scenes can be segmented.",
                expected="a DataArray, a Dataset, or a list of them",
                got=", ".join(sorted({type(item).__name__ for item in given})) or "nothing",
                remedy="Open files with open_scene(…) first.",
            )
        scene = given[0] if len(given) == 1 else stack_scenes(given)
    if not {"band", "y", "x"} <= set(scene.dims) <= {"time", "band", "y", "x"}:
        raise ConfigurationError(
            "The array is not a scene.",
            expected="dimensions (band, y, x) or (time, band, y, x)",
            got=f"dimensions {tuple(map(str, scene.dims))}",
        )
    return placed(scene)


def scenes_of(item: Any) -> list[Any]:
    """Open a dataset, date by date; give the bands of a scene their common names."""
    if not isinstance(item, xr.Dataset):
        return [with_common_names(item) if isinstance(item, xr.DataArray) else item]
    from strandline.scenes.open import open_dates

    try:
        return open_dates(item)
    except SceneError as error:
        raise type(error)(
            error.problem,
            expected=error.expected,
            got=error.got,
            remedy="Open the dataset with open_scene(dataset, …) first, and pass what comes out. "
            + (error.remedy or ""),
        ) from error


def chosen_bands(scene: xr.DataArray, bands: Sequence[str] | None) -> list[str]:
    """Choose the bands to cluster by.

    Raises
    ------
    MissingBandError
        If the scene lacks one of them.
    """
    present = [str(name) for name in scene["band"].values]
    if bands is None:
        return [name for name in present if name not in NOT_SURFACE_BANDS] or present
    wanted = [bands] if isinstance(bands, str) else list(bands)
    sensor = sensor_of(scene)
    known = [find_band(name, present, sensor) for name in wanted]
    missing = [name for name, found in zip(wanted, known, strict=True) if found is None]
    if missing or not wanted:
        raise MissingBandError(
            f"Not in every scene: {', '.join(missing) or 'no band was named'}.",
            expected=f"some of {', '.join(present)}",
            got=", ".join(wanted) or "none",
        )
    return [str(name) for name in known]


def _engine(
    clusterer: SpectralClustering | None, n_clusters: int | str, random_state: int
) -> SpectralClustering:
    if clusterer is None:
        return SpectralClustering(n_clusters=n_clusters, random_state=random_state)
    parameters: dict[str, Any] = clusterer.get_params(deep=False)  # type: ignore[no-untyped-call]  # scikit-learn is untyped
    return SpectralClustering(**parameters)


def _most_clusters(engine: SpectralClustering) -> int:
    """Give the number of clusters, or the largest that may be chosen."""
    if engine.n_clusters == "auto":
        return engine.max_clusters
    if isinstance(engine.n_clusters, int | np.integer):
        return int(engine.n_clusters)
    raise ConfigurationError(
        "n_clusters is not a number.", expected="2 … 254 or 'auto'", got=repr(engine.n_clusters)
    )


def _check_seed(seed: Any) -> None:
    if seed is None or (isinstance(seed, int | np.integer) and seed >= 0):
        return
    raise ConfigurationError(
        "random_state is not a seed.", expected="a whole number from 0", got=repr(seed)
    )


def _checked_count(n_clusters: int, n_subclusters: int | None) -> int:
    """Refuse counts that labels cannot hold; say how many subclusters there shall be."""
    if not 2 <= n_clusters <= NOT_OBSERVED - 1:
        raise ConfigurationError(
            "n_clusters is out of range.",
            expected=f"2 … {NOT_OBSERVED - 1} (255 means not observed)",
            got=str(n_clusters),
        )
    if n_subclusters is None:
        return max(SUBCLUSTERS, n_clusters)
    if not n_clusters <= n_subclusters <= NOT_OBSERVED - 1:
        raise ConfigurationError(
            "n_subclusters is out of range.",
            expected=f"{n_clusters} (one per cluster) … {NOT_OBSERVED - 1}",
            got=str(n_subclusters),
        )
    return n_subclusters


class _Sample(NamedTuple):
    """Spectra that a model is fitted to.

    Attributes
    ----------
    rows : ndarray of float32, shape (n, n_bands)
        Those drawn by chance, then those that are rare.
    by_chance : int
        How many of the first.
    weights : ndarray of float64, shape (n,), optional
        For how many of those drawn by chance each stands, where there are any others.
    """

    rows: NDArray[np.float32]
    by_chance: int
    weights: NDArray[np.float64] | None


def _sample(scene: xr.DataArray, n_clusters: int) -> _Sample:
    """Draw spectra: all observed pixels, or 2**20 of them and some of every kind of wet ones."""
    sides = sides_of(tuple(str(name) for name in scene["band"].values))
    drawn, rare = draw_with_rare(scene, SAMPLE_PIXELS, sides)
    rows = drawn.rows.astype(np.float32, copy=False)
    if len(rows) < n_clusters:
        raise InvalidDataError(
            "Too few pixels were observed in all bands.",
            expected=f"at least {n_clusters}, one per cluster",
            got=f"{len(rows)} of {scene.size // scene.sizes['band']}",
            remedy="Choose another area or date, fewer bands, or a less strict cloud mask.",
        )
    _check_dates(scene, drawn.numbers, rows)
    if rare is None or sides is None:
        return _Sample(rows, len(rows), None)
    others = rare.rows[~np.isin(rare.numbers, drawn.numbers)].astype(np.float32, copy=False)
    if not len(others):
        return _Sample(rows, len(rows), None)
    weights = _weights(rows, others, sides)
    return _Sample(np.concatenate([rows, others]), len(rows), weights)


def _weights(
    rows: NDArray[np.float32], others: NDArray[np.float32], sides: Sides
) -> NDArray[np.float64]:
    """Share what was drawn by chance of each wet kind among all that were drawn of it.

    A kind of which chance drew nothing counts as half a pixel.
    """
    wet = sides.wet(rows)
    kinds, of_others = sides.strata(rows[wet]), sides.strata(others)
    by_chance = np.bincount(kinds, minlength=STRATA)
    together = by_chance + np.bincount(of_others, minlength=STRATA)
    each = np.maximum(by_chance, 0.5) / np.maximum(together, 1)
    weights = np.ones(len(rows) + len(others))
    weights[: len(rows)][wet] = each[kinds]
    weights[len(rows) :] = each[of_others]
    return weights


def _check_dates(scene: xr.DataArray, places: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
    """Hold each date's part of the sample against the contract of a scene."""
    bands = [str(name) for name in scene["band"].values]
    reflectance = scene.attrs.get("units") == "1"
    dates = (
        [scene]
        if "time" not in scene.dims
        else [scene.isel(time=number) for number in range(scene.sizes["time"])]
    )
    plane = scene.sizes["y"] * scene.sizes["x"]
    edges = np.searchsorted(places, np.arange(len(dates) + 1) * plane)
    for date, first, last in zip(dates, edges, edges[1:], strict=False):
        check_spectra(rows[first:last], bands, reflectance=reflectance, name=describe(date))


def _fit(
    sample: _Sample,
    scene: xr.DataArray,
    engine: SpectralClustering,
    standardize: str,
    n_subclusters: int,
) -> tuple[SegmentationModel, NDArray[np.uint8]]:
    """Fit to sampled spectra; returns the model and the spectra's classes by it.

    Clusters are of those drawn by chance; the rare ones only tell what subclusters there are.
    """
    rows, others = sample.rows[: sample.by_chance], sample.rows[sample.by_chance :]
    standardizer = Standardizer(standardize).fit(rows)
    features = standardizer.transform(rows)
    labels = engine.fit_predict(features)
    # Data with few distinct spectra have fewer clusters than were asked for.
    order = _darkest_first(rows, labels, int(labels.max()) + 1)
    if len(others):
        rare = engine.model_.labels(standardizer.transform(others))
        labels = np.concatenate([labels, rare])
    ranked = order[labels]
    seed = 0 if engine.random_state is None else int(engine.random_state)
    bands = tuple(str(name) for name in scene["band"].values)
    sides = sides_of(bands)
    if sides is not None and scene.attrs.get("units") != "1":
        sides = fit_sides(sides, rows)
    model = SegmentationModel(
        bands=bands,
        standardizer=standardizer,
        clusterer=engine,
        order=order,
        subclusters=divide(sample.rows, ranked, len(order), n_subclusters, seed, sides),
    )
    return model, model.classify(sample.rows)


def _darkest_first(
    rows: NDArray[Any], labels: NDArray[np.int32], n_clusters: int
) -> NDArray[np.uint8]:
    """Renumber the engine's labels by ascending mean reflectance."""
    brightness = signatures(rows, labels, n_clusters).mean.mean(axis=1)
    order = np.empty(n_clusters, np.uint8)
    order[np.argsort(brightness, kind="stable")] = np.arange(n_clusters)
    return order


def _describe_maps(result: xr.Dataset, n_clusters: int, n_subclusters: int) -> None:
    """Give the maps the attributes by which CF and GDAL readers know classes."""
    counts = {"labels": n_clusters, "subclusters": n_subclusters}
    for name, count in counts.items():
        kind = name.rstrip("s")
        result[name].attrs = simulated_mark(result[name]) | {
            "long_name": f"spectral {kind}, 0 is the darkest"
            if name == "labels"
            else f"spectral {kind}, within its cluster",
            "_FillValue": np.uint8(NOT_OBSERVED),
            "flag_values": np.arange(count, dtype=np.uint8),
            "flag_meanings": " ".join(f"{kind}_{number}" for number in range(count)),
        }


def _count(labels: Any, n_clusters: int) -> Any:
    """Pixels of each cluster, lazily for lazy labels."""
    if is_dask(labels):
        import dask.array
        from dask.delayed import delayed

        count = delayed(_histogram, pure=True)
        parts = [count(block) for block in labels.to_delayed().ravel()]
        total = delayed(sum, pure=True)(parts)
        counts = dask.array.from_delayed(total, (256,), np.int64)  # type: ignore[no-untyped-call]  # Dask is untyped
        return counts[:n_clusters]
    return _histogram(labels)[:n_clusters]


def _histogram(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each value; row by row, as counting widens bytes to integers of eight."""
    counts = np.zeros(256, np.int64)
    for row in labels.reshape(-1, labels.shape[-1]):
        counts += np.bincount(row, minlength=256)
    return counts


def _share(classes: Signatures) -> NDArray[np.float64]:
    share: NDArray[np.float64] = classes.pixels / classes.pixels.sum()
    return share
