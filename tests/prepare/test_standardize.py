"""`standardize`: hand-worked centres and scales, the same whatever the chunks."""

from __future__ import annotations

import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.prepare.samples import to_samples
from strandline.prepare.standardize import HOWS, Standardizer, standardize
from strandline.testing.lakes import round_lake
from strandline.testing.strategies import chunkings

TABLE = np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 50.0], [np.nan, 7000.0], [6.0, 30.0]])


def test_one_mean_and_one_deviation_over_everything_as_in_the_notebook():
    seen = TABLE[[0, 1, 2, 4]]
    fitted = Standardizer("global").fit(TABLE)
    # Sum 132 over 8 values; squares 1+4+9+36+100+900+2500+900 = 4450.
    assert fitted.center_.tolist() == [16.5, 16.5]
    assert fitted.scale_ == pytest.approx([(4450 / 8 - 16.5**2) ** 0.5] * 2)
    ds = xr.DataArray(seen)
    np.testing.assert_allclose(standardize(seen), ((ds - ds.mean()) / ds.std()).values)


def test_per_band():
    fitted = Standardizer("band").fit(TABLE)
    assert fitted.center_.tolist() == [3.0, 30.0]
    assert fitted.scale_ == pytest.approx([3.5**0.5, 200**0.5])


def test_robust_is_not_moved_by_an_outlier():
    # Medians 2.5 and 30; absolute deviations 1.5 .5 .5 3.5 and 20 0 20 0.
    fitted = Standardizer("robust").fit(TABLE)
    assert fitted.center_.tolist() == [2.5, 30.0]
    assert fitted.scale_ == pytest.approx([1.482602 * 1.0, 1.482602 * 10.0], rel=1e-6)
    far = np.concatenate([np.arange(100.0), [1e9]])[:, None]
    assert Standardizer("robust").fit(far).scale_[0] < 60


def test_robust_falls_back_to_the_deviation_and_then_to_one():
    mostly = np.array([[0.0, 5.0]] * 6 + [[3.0, 5.0]])
    fitted = Standardizer("robust").fit(mostly)
    assert fitted.scale_ == pytest.approx([np.std([0] * 6 + [3]), 1.0])


@pytest.mark.parametrize("how", HOWS)
def test_a_constant_band_stays_finite(how):
    constant = np.full((1000, 2), 0.1, dtype=np.float32)
    fitted = Standardizer(how).fit(constant)
    assert fitted.scale_.tolist() == [1.0, 1.0]
    np.testing.assert_allclose(fitted.transform(constant), 0, atol=1e-7)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_kind_of_array_comes_back_as_its_kind(how, dtype):
    scene = round_lake(shape=(20, 30)).astype(dtype)
    scene.values[:, 3:5, 7] = np.nan
    samples = to_samples(scene)
    expected = standardize(samples.values, how)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == dtype
    np.testing.assert_array_equal(np.isnan(expected), np.isnan(samples.values))
    labelled = standardize(samples, how)
    assert labelled.dims == ("sample", "band")
    assert labelled.band.values.tolist() == scene.band.values.tolist()
    np.testing.assert_array_equal(labelled.values, expected)
    lazy = standardize(samples.chunk({"sample": 77}).data, how)
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == dtype
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_small_integers_become_float32():
    assert standardize(np.array([[1], [3]], np.uint16)).dtype == np.float32
    assert standardize([[1, 2], [3, 4]]).dtype == np.float64


@pytest.mark.parametrize("how", HOWS)
def test_the_way_back_gives_the_values_again(how):
    samples = to_samples(round_lake())
    fitted = Standardizer(how).fit(samples)
    back = fitted.inverse_transform(fitted.transform(samples))
    np.testing.assert_allclose(back.values, samples.values, atol=1e-6)


@pytest.mark.parametrize("how", HOWS)
@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_statistics_do_not_depend_on_chunks_to_the_bit(how, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    table = rng.lognormal(size=(500, 3)).astype(np.float32)
    table[rng.random(table.shape) < 0.1] = np.nan
    whole = Standardizer(how).fit(table)
    lazy = da.from_array(table, chunks=(data.draw(chunkings(500)), data.draw(chunkings(3))))
    chunked = Standardizer(how).fit(lazy)
    assert chunked.center_.tobytes() == whole.center_.tobytes()
    assert chunked.scale_.tobytes() == whole.scale_.tobytes()


def test_a_large_table_is_sampled_the_same_way_however_chunked(monkeypatch):
    monkeypatch.setattr(sys.modules[Standardizer.__module__], "SAMPLE_SIZE", 4000)
    table = np.random.default_rng(1).normal(3, 2, size=(50_000, 2))
    whole = Standardizer("band").fit(table)
    lazy = Standardizer("band").fit(da.from_array(table, chunks=(7_001, 1)))
    assert lazy.scale_.tobytes() == whole.scale_.tobytes()
    assert whole.center_ == pytest.approx([3, 3], abs=0.15)
    assert whole.scale_ == pytest.approx([2, 2], abs=0.1)


def test_what_cannot_be_standardised_is_refused():
    with pytest.raises(ConfigurationError, match="one of global, band, robust, got 'minmax'"):
        Standardizer("minmax")
    with pytest.raises(InvalidDataError, match="No sample was observed in all bands"):
        standardize(np.array([[np.nan, 1.0], [1.0, np.nan]]))
    with pytest.raises(InvalidDataError):
        standardize(np.array([[np.inf, 1.0], [1.0, 2.0]]))
    fitted = Standardizer().fit(TABLE)
    with pytest.raises(ConfigurationError, match=r"\(sample, 2\), got shape \(5, 3\)"):
        fitted.transform(np.zeros((5, 3)))
    with pytest.raises(ConfigurationError, match="Call fit first"):
        Standardizer().transform(TABLE)


def test_what_goes_in_is_not_changed():
    table = TABLE.copy()
    standardize(table)
    np.testing.assert_array_equal(table, TABLE)
