"""One seed gives the same bytes under any chunking, number of threads and of workers."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from strandline.spectral import SpectralClustering, dump_model

CHUNKS = [(-1, -1), (1000, 6), (777, 2), (50_000, 1), (33_333, 4)]
AFFINITIES = ["nearest_neighbors", "rbf"]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    rng = np.random.default_rng(2)
    X = rng.gamma(2.0, size=(70_000, 6)).astype(np.float32)  # more than one sample's worth
    X[rng.random(len(X)) < 0.05, 3] = np.nan
    X[rng.random(len(X)) < 0.2] += np.float32(8.0)
    return X


@pytest.fixture(scope="module", params=AFFINITIES)
def reference(request, pixels) -> SpectralClustering:
    return SpectralClustering(4, affinity=request.param, n_components=200, n_jobs=1).fit(pixels)


def test_threads_do_not_matter(pixels, reference):
    two = SpectralClustering(4, affinity=reference.affinity, n_components=200, n_jobs=2)
    assert two.fit(pixels).labels_.tobytes() == reference.labels_.tobytes()


@pytest.mark.parametrize("chunks", CHUNKS)
def test_chunks_do_not_matter(pixels, reference, chunks):
    model = SpectralClustering(4, affinity=reference.affinity, n_components=200, n_jobs=1)
    model.fit(da.from_array(pixels, chunks=chunks))
    assert dump_model(model) == dump_model(reference)
    with dask.config.set(scheduler="threads", num_workers=2):
        assert model.labels_.compute().tobytes() == reference.labels_.tobytes()
    with dask.config.set(scheduler="synchronous"):
        assert model.labels_[:5000].compute().tobytes() == reference.labels_[:5000].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("affinity", [*AFFINITIES, "laplacian", "polynomial"])
def test_the_place_of_a_row_does_not_matter(pixels, affinity, dtype):
    X = pixels[:3000].astype(dtype)
    model = SpectralClustering(5, affinity=affinity, n_components=333).fit(X)
    for row in X[np.isfinite(X).all(axis=1)][:5]:
        embedded = model.transform(np.tile(row, (1500, 1)))
        assert (embedded == embedded[0]).all()


def test_one_row_at_a_time_is_predicted_as_all_together(pixels, reference):
    few = pixels[:200]
    alone = np.concatenate([reference.predict(row[None]) for row in few])
    assert alone.tobytes() == reference.labels_[:200].tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("default::ResourceWarning")
def test_worker_processes_do_not_matter(pixels, reference):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        model = SpectralClustering(4, affinity=reference.affinity, n_components=200, n_jobs=1)
        model.fit(da.from_array(pixels, chunks=(9000, 3)))
        assert dump_model(model) == dump_model(reference)
        assert model.labels_.compute().tobytes() == reference.labels_.tobytes()
