"""The table of pairs of classes is the areas' own sum, however the maps are cut."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from strandline.change import areas, compare
from strandline.change.crosstable import crosstable, crosstables
from strandline.errors import ConfigurationError, GridMismatchError
from strandline.prepare.georeference import attach_grid
from strandline.testing.lakes import lake_grid, mask_of


def maps(shape=(1200, 1100), n_classes=2, seed=0, **options):
    random = np.random.default_rng(seed)
    choice = np.array([*range(n_classes), 255], np.uint8)
    grid = lake_grid(shape, **options)
    return [mask_of(random.choice(choice, shape), grid) for _ in range(2)]


def test_water_before_and_after_is_what_the_areas_say():
    before, after = maps()
    table = crosstable(before, after, 2)
    known = areas(compare(before, after))["best"]
    for name, pair in (("stable land", (0, 0)), ("stable water", (1, 1)), ("lost", (1, 0))):
        assert table.loc[pair] == pytest.approx(known[name], rel=1e-12)
    assert table.loc[1].sum() == pytest.approx(known["water before"], rel=1e-12)
    assert table.attrs["units"] == "km2"


def test_areas_are_true_areas_in_degrees_too():
    before, after = maps((30, 40), resolution=0.01, crs="EPSG:4326", corner=(-119.0, 60.0))
    known = areas(before)
    table = crosstable(before, after, 2)
    assert table.loc[1].sum() == pytest.approx(known["best"].iloc[0], rel=1e-12)


def test_chunks_do_not_matter():
    before, after = maps(n_classes=5)
    lazy = crosstable(before.chunk(y=333, x=217), after.chunk(x=1000), 5)
    np.testing.assert_array_equal(crosstable(before, after, 5).values, lazy.values)


def test_without_a_crs_pixels_are_counted():
    plain = [one.drop_vars(["spatial_ref", "x", "y"]) for one in maps((20, 30), 3)]
    table = crosstable(*plain, 3)
    assert table.attrs["units"] == "pixels"
    assert table.values.sum() == 600
    assert table.loc[2, 255] == ((plain[0] == 2) & (plain[1] == 255)).sum()


def test_other_grids_and_other_values_are_refused():
    before, after = maps((20, 30), 4)
    with pytest.raises(GridMismatchError):
        crosstable(before, after[:, 1:], 4)
    with pytest.raises(ConfigurationError, match="not classes"):
        crosstable(before, after, 3)


def test_several_tables_in_one_pass_are_those_of_each_alone_and_read_once():
    random = np.random.default_rng(9)
    grid = lake_grid((1100, 300))
    reads = []

    def source(block: np.ndarray) -> np.ndarray:
        reads.append(block.shape)
        return block

    labels = random.integers(0, 5, (2, 1100, 300)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.1] = 255
    stored = [
        da.from_array(one, chunks=(1024, 1024)).map_blocks(source, dtype=np.uint8, meta=one[:0])
        for one in labels
    ]
    lazy = [attach_grid(xr.DataArray(one, dims=("y", "x")), grid) for one in stored]
    wet = [xr.where(one == 255, 255, one < 2).astype(np.uint8) for one in lazy]
    wet = [attach_grid(one.drop_vars("spatial_ref", errors="ignore"), grid) for one in wet]
    alone = [crosstable(*wet, 2), crosstable(*lazy, 5)]
    reads.clear()
    together = crosstables([(*wet, 2), (*lazy, 5)])
    assert len(reads) == 4, "two dates in two tiles each"
    for one, other in zip(together, alone, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        assert one.attrs == other.attrs == {"units": "km2"}
    with pytest.raises(GridMismatchError):
        crosstables([(*wet, 2), (lazy[0], lazy[1][1:], 5)])


@pytest.mark.parametrize("which", [0, 1])
def test_a_value_beyond_two_hundred_classes_is_found_on_either_date(which):
    pair = [mask_of(np.full((2, 2), 199, np.uint8), lake_grid((2, 2))) for _ in range(2)]
    table = crosstable(*pair, 200)
    assert table.loc[199, 199] == table.to_numpy().sum() > 0
    pair[which].values[1, 0] = 200
    with pytest.raises(ConfigurationError, match="not classes") as told:
        crosstable(*pair, 200)
    assert told.value.got == "200"
