"""`compare`: the classes of two dates, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from strandline.change.compare import compare
from strandline.errors import ConfigurationError, GridMismatchError
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_grid, mask_of, round_lake

BEFORE = np.repeat([[0, 1, 255]], 3, axis=0)
AFTER = BEFORE.T


def masks(**after):
    grid = lake_grid((3, 3))
    return mask_of(BEFORE, grid), mask_of(AFTER, **{"grid": grid, "time": "2017-10-22"} | after)


def test_all_nine_pairs_have_their_class():
    change = compare(*masks())
    check_map(change, "change", grid=lake_grid((3, 3)), lazy=False)
    assert change.values.tolist() == [[0, 2, 255], [3, 1, 255], [255, 255, 255]]
    assert change.attrs["before"] == "1988-10-22"
    assert change.attrs["after"] == "2017-10-22"
    assert change.name == "change"


def test_the_masks_stay_with_the_map():
    change = compare(*masks())
    np.testing.assert_array_equal(change.water_before, BEFORE)
    np.testing.assert_array_equal(change.water_after, AFTER)


def test_a_lazy_mask_gives_a_lazy_map_with_the_same_bytes():
    before, after = masks()
    lazy = compare(before.chunk({"y": 2, "x": 1}), after)
    check_map(lazy, "change", lazy=True)
    np.testing.assert_array_equal(lazy.values, compare(before, after).values)
    check_map(compare(before, after.chunk({"y": 1})), "change", lazy=True)


def test_dates_that_are_not_known_are_not_made_up():
    before, after = masks()
    change = compare(before.drop_vars("time"), after)
    assert "before" not in change.attrs
    assert change.attrs["after"] == "2017-10-22"


def test_dates_of_a_stack_of_masks_can_be_compared():
    grid = lake_grid((3, 3))
    both = mask_of(np.stack([BEFORE, AFTER]), grid)
    change = compare(both[0], both[1])
    check_map(change, "change", grid=grid)
    np.testing.assert_array_equal(change, compare(*masks()).values)


def test_another_grid_is_refused_with_both_grids():
    with pytest.raises(GridMismatchError, match=r"EPSG:32611.*got 3 x 3 .*EPSG:32612.*regrid"):
        compare(*masks(grid=lake_grid((3, 3), crs="EPSG:32612")))


def test_what_is_no_mask_is_refused():
    before, after = masks()
    with pytest.raises(ConfigurationError, match=r"after=… .*got float64"):
        compare(before, after.drop_attrs().astype(float))
    with pytest.raises(ConfigurationError, match=r"before=… .*'band'"):
        compare(round_lake(), after)
    labels = before.copy(data=np.full((3, 3), 7, np.uint8))
    with pytest.raises(ConfigurationError, match=r"expected|Expected 0, 1 and 255, got 7"):
        compare(labels, after)
    with pytest.raises(ConfigurationError, match="got 7"):
        compare(labels.chunk(), after).compute()


def test_booleans_are_masks_of_what_was_all_observed():
    before, after = masks()
    change = compare(before == 1, after)
    assert change.values[0].tolist() == [0, 2, 0]
