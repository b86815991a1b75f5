from __future__ import annotations

import io
import json
import zipfile

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from strandline.errors import ModelFileError
from strandline.spectral import SpectralClustering, dump_model, load_model

X = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
X[:1000] += 4.0


@pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf", "laplacian", "polynomial"])
def test_a_reloaded_model_gives_the_same_bytes(affinity):
    model = SpectralClustering(3, affinity=affinity, n_components=100).fit(X)
    again = load_model(dump_model(model))
    new = np.random.default_rng(1).normal(size=(5000, 4)).astype(np.float32)
    assert again.predict(new).tobytes() == model.predict(new).tobytes()
    assert again.transform(new).tobytes() == model.transform(new).tobytes()
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.eigenvalues_, model.eigenvalues_)
    lazy = again.predict(da.from_array(new, chunks=(700, 3)))
    assert lazy.compute().tobytes() == model.predict(new).tobytes()


def test_the_same_model_gives_the_same_file():
    one, two = (dump_model(SpectralClustering(3, n_components=50).fit(X)) for _ in range(2))
    assert one == two


def test_names_of_features_survive():
    frame = pd.DataFrame(X, columns=["blue", "green", "red", "nir08"])
    again = load_model(dump_model(SpectralClustering(3, n_components=50).fit(frame)))
    assert again.feature_names_in_.tolist() == ["blue", "green", "red", "nir08"]
    assert again.n_features_in_ == 4


def test_a_file_holds_nothing_that_executes():
    data = dump_model(SpectralClustering(3, n_components=50).fit(X))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)


def rewritten(data: bytes, **changes: object) -> bytes:
    with np.load(io.BytesIO(data)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes()) | {
        name: value for name, value in changes.items() if name not in arrays
    }
    arrays |= {name: value for name, value in changes.items() if name in arrays}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def test_damaged_and_foreign_files_are_refused_by_name():
    data = dump_model(SpectralClustering(3, n_components=50).fit(X))
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    for bad in (b"", b"no model", data[: len(data) // 2], bytes(flipped)):
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(bad)
    with pytest.raises(ModelFileError, match="version 1, got 99"):
        load_model(rewritten(data, version=99))
    with pytest.raises(ModelFileError, match="format"):
        load_model(rewritten(data, format="something else"))


def test_arrays_that_do_not_fit_together_are_refused_when_read():
    data = dump_model(SpectralClustering(3, affinity="rbf", n_components=50).fit(X))
    for changes in ({"origin": np.zeros(7)}, {"rule_weights": np.zeros((2, 3))}, {"gaussian": {}}):
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(rewritten(data, **changes))


def test_functions_cannot_be_written_and_unfitted_models_have_nothing_to_write():
    model = SpectralClustering(2, affinity=lambda a, b: np.exp(-abs(a[:, :1] - b[:, 0])))
    with pytest.raises(NotFittedError):
        dump_model(model)
    with pytest.raises(ModelFileError, match="affinity that has a name"):
        dump_model(model.fit(X[:200]))
