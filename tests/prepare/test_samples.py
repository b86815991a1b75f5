"""Images become samples and samples become images, and nothing is lost on the way."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import ConfigurationError
from strandline.prepare.georeference import grid_of
from strandline.prepare.samples import to_image, to_samples
from strandline.testing.lakes import round_lake
from strandline.testing.strategies import chunkings, date_stacks, scenes


def is_lazy(array) -> bool:
    return isinstance(array.data, da.Array)


@given(scenes())
@settings(deadline=None, max_examples=60)
def test_a_scene_survives_the_way_there_and_back(scene):
    samples = to_samples(scene)
    assert samples.dims == ("sample", "band")
    assert "sample" not in samples.coords
    assert is_lazy(samples) == is_lazy(scene)
    back = to_image(samples, like=scene)
    xr.testing.assert_identical(back, scene)
    assert is_lazy(back) == is_lazy(scene)
    assert back.values.tobytes() == scene.values.tobytes()


@given(date_stacks())
@settings(deadline=None, max_examples=40)
def test_dates_survive_the_way_there_and_back(dates):
    back = to_image(to_samples(dates), like=dates)
    xr.testing.assert_identical(back, dates)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_labels_land_on_the_pixel_they_came_from(data):
    scene = data.draw(st.one_of(scenes(), date_stacks()))
    samples = to_samples(scene)
    count = samples.sizes["sample"]
    labels = np.arange(count)
    if data.draw(st.booleans()):
        labels = da.from_array(labels, chunks=(data.draw(chunkings(count)),))
    image = to_image(labels, like=scene)
    assert image.dims == tuple(dim for dim in scene.dims if dim != "band")
    assert grid_of(image) == grid_of(scene)
    assert isinstance(image.data, da.Array) == isinstance(labels, da.Array)
    # Row-major by construction, said a second way.
    shape = image.shape
    for number, where in enumerate(np.ndindex(*shape)):
        assert int(image.values[where]) == number
    first_band = samples.values[np.ravel(image.values), 0]
    np.testing.assert_array_equal(
        first_band.reshape(shape), scene.isel(band=0).transpose(*image.dims).values
    )


def test_a_label_map_keeps_where_and_when_but_not_the_units_of_reflectance():
    scene = round_lake(shape=(4, 5))
    image = to_image(np.zeros(20, np.uint8), like=scene)
    assert image.attrs == {
        "platform": "landsat-5",
        "instrument": "tm",
        "processing_level": "L2",
        "source": "synthetic",
    }
    assert image.time == scene.time
    assert image.dtype == np.uint8
    assert "band" not in image.coords


def test_a_table_of_other_columns_gets_a_dimension_of_its_own():
    scene = round_lake(shape=(4, 5))
    embedding = to_image(np.zeros((20, 3)), like=scene)
    assert embedding.dims == ("component", "y", "x")
    named = xr.DataArray(
        np.zeros((20, 2)), dims=("sample", "axis"), coords={"axis": ["a", "b"]}, name="e"
    )
    image = to_image(named, like=scene)
    assert image.dims == ("axis", "y", "x")
    assert image.axis.values.tolist() == ["a", "b"]
    assert image.name == "e"


def test_a_lazy_table_is_cut_at_image_rows_and_stays_small(monkeypatch):
    from strandline.prepare import samples as module

    monkeypatch.setattr(module, "SAMPLES_PER_CHUNK", 100)
    scene = round_lake(shape=(40, 30), chunks={"band": 2, "y": 17, "x": 11})
    table = to_samples(scene)
    assert table.chunks[0] == (90,) * 5 + (60,) + (90,) * 5 + (60,) + (90,) * 2
    assert table.chunks[1] == (6,)
    np.testing.assert_array_equal(table.values, to_samples(scene.compute()).values)


def test_the_wrong_number_of_samples_is_refused():
    scene = round_lake(shape=(4, 5))
    with pytest.raises(ConfigurationError, match=r"expected 20 samples \(1 x 4 x 5\), got 19|20"):
        to_image(np.zeros(19), like=scene)
    with pytest.raises(ConfigurationError, match="column or a table"):
        to_image(np.zeros((4, 5, 1)), like=scene)
    numbers = da.from_array(np.arange(20), chunks=7)
    unknown = numbers[numbers > -1]
    with pytest.raises(ConfigurationError, match="compute_chunk_sizes"):
        to_image(unknown, like=scene)
    with pytest.raises(ConfigurationError, match="dimensions y and x"):
        to_image(np.zeros(20), like=to_samples(scene))
    with pytest.raises(ConfigurationError, match=r"dimensions \(band, y, x\)"):
        to_samples(scene.isel(band=0, drop=True))
