"""Ways to find water, side by side on every scene whose water is known, as a Markdown table.

    python benchmarks/water_methods.py [FOLDER]

FOLDER holds the scenes (default: ../shared/data beside the checkout). Every method gets the
same pixels with the same bands, and is scored by F1 on the pixels that were observed and
whose class the reference is sure of:

Strandline   `water_mask(segment(scene))` with all defaults
k-means      scikit-learn's, with as many clusters (8), over bands of mean 0 and spread 1;
             an oracle that knows the truth picks the clusters that score best together
dask-ml      its SpectralClustering likewise, where it is installed
MNDWI > 0    the index alone (Xu 2006)
Otsu         MNDWI above Otsu's threshold
WaterDetect  of PyPI (Cordeiro, Martinez and Peña-Luque 2021), as it comes, where installed

References marked * were drawn from agreeing water indices and a look at the picture, so they
favour the index. Those of the simulated scenes are true; the ukis labels are experts' coarse
outlines on a scene full of shadows of clouds.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import xarray as xr

import strandline as sl
import water_accuracy
from strandline.prepare import to_samples
from strandline.testing.lakes import BANDS, lake_grid, scene_of
from strandline.water.indices import mndwi

CLUSTERS = 8
SEED = 0
BY_INDEX = "*"


class Case(NamedTuple):
    """A scene in memory and what is known of it: 0 land, 1 water, 255 left out."""

    name: str
    scene: xr.DataArray
    truth: np.ndarray


class Method(NamedTuple):
    """Gives a water mask of a scene; an oracle is also told the truth."""

    title: str
    find: Callable[[xr.DataArray, np.ndarray], np.ndarray]
    package: str = "strandline"


# --- scenes ---------------------------------------------------------------------


def cases(data: Path) -> Iterator[Case]:
    """Every scene with a reference."""
    for name, _, scene, reference in water_accuracy.single_scenes(data):
        mark = "" if reference.parent.name == "tucurui_tm1988" else BY_INDEX
        yield Case(name + mark, scene.compute(), water_accuracy._read(reference))
    for day in ("20190114", "20190130"):
        folder = data / "brumadinho_oli_pair"
        scene = sl.open_scene(
            folder / f"LC08_L2SP_218074_{day}_20200829_02_T1_stack.tif",
            **water_accuracy.C2_SURFACE,
        )
        truth = water_accuracy._read(folder / f"water_reference_{day}.tif")
        yield Case(f"Brumadinho, ponds, {day[:4]}-{day[4:6]}-{day[6:]}*", scene.compute(), truth)
    for year in range(1990, 2020, 5):
        folder = data / "ucayali_series"
        scene = sl.open_scene(
            folder / f"{year}.tif",
            band_names=["swir16", "nir08", "red", "green"],
            reflectance=False,  # stretched for display: numbers, no reflectance
        )
        truth = water_accuracy._read(folder / f"water_reference_{year}.tif")
        yield Case(f"Ucayali river, {year}*", scene.compute(), truth)
    stored = np.load(data / "ukis_cloud_water" / "landsat5.npz")
    grid = lake_grid(stored["msk"].shape)
    scene = scene_of(stored["img"].transpose(2, 0, 1) * 1e-4, grid, bands=BANDS)
    yield Case("ukis, shadows of clouds, not masked", scene, (stored["msk"] == 1).astype(np.uint8))
    yield from simulations()


def simulations(resolution: float = 240) -> Iterator[Case]:
    """Walker Lake and all around it, clear, under masked clouds and under overlooked ones."""
    for date, what in (("1988-10-22", "no snow"), ("2017-10-22", "snow")):
        scene, fraction = sl.simulate_scene(date, size="full", resolution=resolution)
        yield Case(f"simulated {date}, {what}", scene, _truth(fraction))
    for date in ("1988-10-22", "2017-10-22"):
        with TemporaryDirectory() as folder:
            masked, fraction = sl.simulate_scene(
                date, size="full", resolution=resolution, cloud_cover=0.3, path=folder
            )
            yield Case(f"simulated {date}, 30 % clouds masked", masked.compute(), _truth(fraction))
            seen = sl.open_scene(masked.attrs["source"], mask=()).compute()
            yield Case(f"simulated {date}, 30 % clouds not masked", seen, _truth(fraction))


def _truth(fraction: xr.DataArray) -> np.ndarray:
    return np.where(np.isnan(fraction), 255, fraction >= 0.5).astype(np.uint8)


# --- methods --------------------------------------------------------------------


def _ours(scene: xr.DataArray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(sl.water_mask(sl.segment(scene, CLUSTERS, random_state=SEED)) == 1)


def _clustered(cluster: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Cluster the observed pixels, and let an oracle say which clusters are water."""

    def find(scene: xr.DataArray, truth: np.ndarray) -> np.ndarray:
        rows = np.asarray(to_samples(scene), dtype=np.float32)
        seen = np.isfinite(rows).all(axis=1)
        features = sl.standardize(rows[seen], how="band")
        labels = np.full(len(rows), -1)
        labels[seen] = cluster(features)
        best = best_clusters(labels[truth.ravel() != 255], truth.ravel()[truth.ravel() != 255])
        return np.isin(labels, best).reshape(truth.shape)

    return find


def best_clusters(labels: np.ndarray, truth: np.ndarray) -> list[int]:
    """Choose the clusters whose union has the highest F1.

    That union always takes the clusters from the purest on, so it is found without trying
    every combination.
    """
    wet = truth == 1
    names = np.unique(labels[labels >= 0])
    purity = [wet[labels == name].mean() for name in names]
    order = names[np.argsort(purity)[::-1]]
    scores = [f1(np.isin(labels, order[:count]), wet) for count in range(1, len(order) + 1)]
    return [int(name) for name in order[: int(np.argmax(scores)) + 1]]


def _kmeans(features: np.ndarray) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(CLUSTERS, n_init=10, random_state=SEED).fit_predict(features)


def _dask_ml(features: np.ndarray) -> np.ndarray:
    import dask.array as da
    from dask_ml.cluster import SpectralClustering

    chunks = (min(250_000, max(1, len(features) // 4)), features.shape[1])
    model = SpectralClustering(
        n_clusters=CLUSTERS, random_state=SEED, gamma=None, persist_embedding=True
    )
    model.fit(da.from_array(features, chunks=chunks))
    return np.asarray(model.assign_labels_.labels_)


def _index(scene: xr.DataArray) -> np.ndarray:
    values = mndwi(scene)
    if values is None:
        raise ValueError("the scene lacks the bands of MNDWI")
    return values.values


def _above_zero(scene: xr.DataArray, truth: np.ndarray) -> np.ndarray:
    return _index(scene) > 0


def _otsu(scene: xr.DataArray, truth: np.ndarray) -> np.ndarray:
    values = _index(scene)
    return values > otsu_threshold(values[np.isfinite(values)])


def otsu_threshold(values: np.ndarray) -> float:
    """Split values in two so that the variance between the parts is largest (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1:-1][np.argmax(between)])


_WATERDETECT_BANDS = {
    "Blue": ("blue",),
    "Green": ("green",),
    "Red": ("red",),
    "Nir": ("nir08",),
    "Mir": ("swir16",),
    "Mir2": ("swir22", "swir16"),
}


def _waterdetect(scene: xr.DataArray, truth: np.ndarray) -> np.ndarray:
    """Run WaterDetect with its own configuration; numbers are brought to 0 … 1."""
    with contextlib.redirect_stdout(io.StringIO()):  # it talks
        import waterdetect

        present = [str(name) for name in scene["band"].values]
        scale = 1.0 if scene.attrs.get("units") == "1" else 1.0 / 255.0
        planes = {}
        for name, ours in _WATERDETECT_BANDS.items():
            found = next((band for band in ours if band in present), None)
            if found is not None:
                planes[name] = scene.sel(band=found).values.astype(np.float64) * scale
        hidden = ~np.isfinite(scene.values).all(axis=0)
        planes = {name: np.where(hidden, 0.0, plane) for name, plane in planes.items()}
        settings = Path(waterdetect.__file__).resolve().parents[1] / "WaterDetect.ini"
        config = waterdetect.DWConfig(config_file=str(settings))
        # What it draws to train on is not seeded by itself.
        np.random.seed(SEED)  # noqa: NPY002
        engine = waterdetect.DWImageClustering(
            bands=planes,
            bands_keys=["mndwi", "ndwi", "Mir2"],
            invalid_mask=hidden,
            config=config,
        )
        return np.asarray(engine.run_detect_water()) == 1


METHODS = {
    "strandline": Method("Strandline", _ours),
    "kmeans": Method("k-means, oracle", _clustered(_kmeans), "sklearn"),
    "dask-ml": Method("dask-ml, oracle", _clustered(_dask_ml), "dask_ml"),
    "index": Method("MNDWI > 0", _above_zero),
    "otsu": Method("MNDWI-Otsu", _otsu),
    "waterdetect": Method("WaterDetect", _waterdetect, "waterdetect"),
}


# --- scores ---------------------------------------------------------------------


def f1(mapped: np.ndarray, wet: np.ndarray) -> float:
    """Twice the hits, divided by what was mapped and what is wet together; 1 for none."""
    total = mapped.sum() + wet.sum()
    return float(2 * (mapped & wet).sum() / total) if total else 1.0


def score(method: Method, case: Case) -> float | str:
    """F1 of a method on a case, or why there is none."""
    if find_spec(method.package) is None:
        return "not installed"
    seen = np.isfinite(case.scene.values).all(axis=0)
    certain = (case.truth != 255) & seen
    truth = np.where(certain, case.truth, 255).astype(np.uint8)
    try:
        mapped = method.find(case.scene, truth)
    except Exception as error:  # a peer that fails is a result
        if method.package == "strandline":
            raise
        return f"fails: {type(error).__name__}"
    return f1(mapped[certain], truth[certain] == 1)


def measure(
    several: Iterable[Case], names: Sequence[str] = tuple(METHODS)
) -> Iterator[tuple[str, list[float | str]]]:
    """Name of each case, and the score of every method on it."""
    for case in several:
        yield case.name, [score(METHODS[name], case) for name in names]


def table(
    rows: Iterable[tuple[str, list[float | str]]], names: Sequence[str] = tuple(METHODS)
) -> str:
    """Write the scores as a Markdown table, the best of each line in bold."""
    lines = [
        "| F1 | " + " | ".join(METHODS[name].title for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for title, scores in rows:
        best = max((s for s in scores if not isinstance(s, str)), default=0.0)
        cells = [
            s if isinstance(s, str) else f"**{s:.3f}**" if s >= best - 5e-4 else f"{s:.3f}"
            for s in scores
        ]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    if not data.is_dir():
        sys.exit(f"The scenes are not at {data}. Name their folder.")
    for number, row in enumerate(measure(cases(data))):
        lines = table([row]).splitlines()
        print("\n".join(lines if number == 0 else lines[2:]), flush=True)  # it takes a while
    print("\n* reference made from water indices and a look at the picture")


if __name__ == "__main__":
    main()
