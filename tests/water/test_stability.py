"""Other segmentations of the same scenes, and what stays the same in them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import strandline as sl
from strandline.errors import ConfigurationError, ModelFileError
from strandline.testing.lakes import random_lake, round_lake


@pytest.fixture(scope="module")
def scene():
    return round_lake(radius=500, shape=(50, 60), noise=0.01).where(
        lambda values: (values["y"] < values["y"].max()) | (values["x"] > values["x"].min())
    )


@pytest.fixture(scope="module")
def segmentation(scene):
    return sl.segment(scene, n_clusters=4)


@pytest.fixture(scope="module")
def members(segmentation, scene):
    return sl.segment_again(segmentation, scene, n_members=4)


def test_members_have_other_seeds_and_numbers_of_clusters(segmentation, members):
    assert [member.attrs["n_clusters"] for member in members] == [4, 5, 3, 4]
    seeds = {member.attrs["random_state"] for member in (segmentation, *members)}
    assert len(seeds) == 5


def test_the_same_call_gives_the_same_members(segmentation, scene, members):
    again = sl.segment_again(segmentation, scene, n_members=4)
    for one, other in zip(members, again, strict=True):
        assert one["subclusters"].equals(other["subclusters"])


def test_the_bands_and_the_scaling_of_the_segmentation_are_kept(scene):
    segmentation = sl.segment(scene, 3, bands=["green", "swir16"], standardize="robust")
    (member,) = sl.segment_again(segmentation, scene, n_members=1)
    assert member["band"].values.tolist() == ["green", "swir16"]
    assert member.attrs["standardize"] == "robust"


@pytest.mark.parametrize("of", ["water", "class"])
def test_stability_is_the_share_of_members_that_agree(segmentation, members, of):
    stable = sl.stability_map(segmentation, members, of)
    assert stable.dtype == np.float32
    assert stable.odc.geobox == segmentation["labels"].odc.geobox
    seen = segmentation["labels"].values != 255
    assert np.isnan(stable.values[~seen]).all()
    assert set(np.unique(stable.values[seen])) <= {0, 0.25, 0.5, 0.75, 1}
    assert np.median(stable.values[seen]) == 1


def test_a_member_that_is_the_segmentation_agrees_everywhere(segmentation):
    for of in ("water", "class"):
        assert (sl.stability_map(segmentation, [segmentation], of).values[1:] == 1).all()


def test_clusters_under_other_numbers_are_the_same_clusters(segmentation):
    other = segmentation.copy()
    swapped = np.array([2, 0, 1, 3], np.uint8)
    labels = segmentation["labels"]
    values = np.where(labels == 255, 255, swapped[np.minimum(labels, 3)]).astype(np.uint8)
    other["labels"] = labels.copy(data=values)
    assert (sl.stability_map(segmentation, [other], "class").values[1:] == 1).all()


def test_lazy_scenes_give_the_same_map_lazily(segmentation, members, scene):
    lazy = sl.segment(scene.chunk({"y": 20, "x": 25}), n_clusters=4)
    for of in ("water", "class"):
        stable = sl.stability_map(lazy, members, of)
        assert stable.chunks is not None
        assert stable.compute().equals(sl.stability_map(segmentation, members, of))


def test_several_dates_have_a_stability_each(scene):
    segmentation = sl.segment([scene, scene.assign_coords(time=np.datetime64("1990-01-01"))], 3)
    again = sl.segment_again(
        segmentation, [scene, scene.assign_coords(time=np.datetime64("1990-01-01"))], 2
    )
    assert sl.stability_map(segmentation, again).dims == ("time", "y", "x")


def test_unstable_pixels_are_those_where_errors_are():
    scene, truth = random_lake(4)
    segmentation = sl.segment(scene)
    stable = sl.stability_map(segmentation, sl.segment_again(segmentation, scene, 6))
    wrong = sl.water_mask(segmentation).values != (truth.values >= 0.5)
    assert roc_auc_score(wrong.ravel(), 1 - stable.values.ravel()) > 0.55


def test_what_has_no_stability_is_said(segmentation, members, scene):
    with pytest.raises(ConfigurationError, match="cannot be computed"):
        sl.stability_map(segmentation, members, of="land")
    with pytest.raises(ConfigurationError, match="cannot be computed"):
        sl.stability_map(segmentation, [])
    with pytest.raises(ConfigurationError, match="number of members is not valid"):
        sl.segment_again(segmentation, scene, 0)
    with pytest.raises(ConfigurationError, match="other scenes"):
        sl.stability_map(segmentation, [sl.segment(round_lake(shape=(50, 61)), 3)])
    with pytest.raises(ModelFileError):
        sl.segment_again(segmentation.drop_attrs(), scene)
