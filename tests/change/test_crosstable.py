"""The table of pairs of classes is the areas' own sum, however the maps are cut."""

from __future__ import annotations

import numpy as np
import pytest

from strandline.change import areas, compare
from strandline.change.crosstable import crosstable
from strandline.errors import ConfigurationError, GridMismatchError
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
    with pytest.raises(ConfigurationError, match="no classes"):
        crosstable(before, after, 3)
