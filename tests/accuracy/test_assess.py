"""Maps against rasters and points, in memory, from files and on the command line."""

from __future__ import annotations

import json
import re

import geopandas
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import strandline as sl
from strandline.cli import app
from strandline.errors import (
    ConfigurationError,
    GridError,
    SourceNotFoundError,
    SuspiciousSceneWarning,
    UnreadableSourceError,
)
from strandline.export import write_cog
from strandline.scenes.classes import read_classes, read_reference
from strandline.show.palettes import water_palette
from strandline.testing.lakes import lake_fraction, lake_grid, lonlat_of, mask_of, round_lake

GRID = lake_grid((40, 50))


def lake(radius: float = 400.0) -> np.ndarray:
    return (lake_fraction(GRID, radius) > 0.5).astype(np.uint8)


def points_of(values: np.ndarray, rows: list[int], columns: list[int]) -> pd.DataFrame:
    places = [lonlat_of(GRID, row, column) for row, column in zip(rows, columns, strict=True)]
    table = pd.DataFrame(places, columns=["lon", "lat"])
    return table.assign(**{"class": values[rows, columns]})


def test_counts_leave_out_what_is_unsure_or_was_not_observed():
    mapped, known = np.array([[1, 1, 0, 0, 255]]), np.array([[1, 0, 0, 255, 1]])
    grid = lake_grid((1, 5))
    found = sl.assess(mask_of(mapped, grid), mask_of(known, grid))
    assert found.confusion.to_numpy().tolist() == [[1, 0], [1, 1]]
    assert list(found.confusion.index) == ["not_water", "water"]
    assert found.left_out == {"not observed": 1, "unsure": 1, "outside": 0}
    assert found.overall["accuracy"] == pytest.approx(2 / 3)
    assert found.estimates is None


def test_a_reference_on_another_grid_is_read_at_the_pixel_centres():
    fine = lake_grid((120, 150), resolution=10.0)
    reference = mask_of(np.kron(lake(), np.ones((3, 3))), fine)
    found = sl.assess(mask_of(lake(), GRID), reference)
    assert found.overall["accuracy"] == 1
    assert found.boundary.loc["both", "mean"] == pytest.approx(0, abs=1e-9)


def test_a_fraction_of_water_counts_as_water_from_one_half_on():
    share = lake_fraction(GRID, 400.0).astype(np.float32)
    truth = mask_of(lake(), GRID).copy(data=share).drop_attrs(deep=False)
    found = sl.assess(mask_of(lake(), GRID), truth)
    assert found.by_class.loc["water", "f1"] > 0.995
    assert 0 < found.boundary.loc["both", "mean"] < 12


def test_change_maps_are_held_against_change_maps():
    before, after = mask_of(lake(), GRID), mask_of(lake(300.0), GRID, time="2017-10-22")
    change = sl.compare(before, after)
    found = sl.assess(change, change)
    assert list(found.by_class.index) == ["stable_land", "stable_water", "lost"]
    assert found.by_class.loc["lost", "f1"] == 1
    assert found.boundary is None


def test_maps_that_mean_other_classes_by_their_numbers_are_warned_of():
    mask = mask_of(lake(), GRID)
    change = sl.compare(mask, mask_of(lake(300.0), GRID, time="2017-10-22"))
    with pytest.warns(SuspiciousSceneWarning, match="not_water. on the map and .stable_land"):
        sl.assess(mask, change)


def test_clusters_are_not_held_against_water():
    segmentation = sl.segment(round_lake(), n_clusters=3)
    labels, mask = segmentation["labels"], sl.water_mask(segmentation)
    share = mask.copy(data=mask.values.astype(np.float32)).drop_attrs(deep=False)
    for mapped, reference, got in (
        (labels, mask, r"clusters as the map \(label_0, label_1, label_2\)"),
        (mask, labels, "clusters as the reference"),
        (labels, share, "clusters as the map"),
        (segmentation["subclusters"], mask, r"clusters as the map \(subcluster_0, "),
    ):
        with pytest.raises(ConfigurationError, match=rf"not water classes.*{got}.*water_mask"):
            sl.assess(mapped, reference)


def test_clusters_are_held_against_clusters_and_against_classes_without_a_meaning():
    labels = sl.segment(round_lake(), n_clusters=2)["labels"]
    assert sl.assess(labels, labels).overall["accuracy"] == 1
    unnamed = labels.drop_attrs(deep=False)
    with pytest.warns(SuspiciousSceneWarning, match="compared by their numbers"):
        assert sl.assess(labels, unnamed).overall["accuracy"] == 1


def test_an_assessment_writes_counts_as_counts():
    grid = lake_grid((2000, 1000))
    mapped = np.zeros((2000, 1000), np.uint8)
    mapped[:10] = 1
    text = str(sl.assess(mask_of(mapped, grid), mask_of(mapped, grid)))
    assert re.search(r"mapped +1,990,000 +10,000\n", text)
    assert "e+" not in text


def test_points_are_compared_with_the_pixel_they_lie_in():
    points = points_of(lake(), [0, 20, 20], [0, 25, 26])
    points.loc[2, "class"] = 0
    points.loc[3] = [0.0, 0.0, 1]
    found = sl.assess(mask_of(lake(), GRID), points)
    assert found.confusion.to_numpy().tolist() == [[1, 0], [1, 1]]
    assert found.left_out["outside"] == 1
    assert found.boundary is None


def test_points_may_carry_names_or_be_a_geodataframe():
    points = points_of(lake(), [0, 20], [0, 25])
    named = points.assign(**{"class": ["land", "Water"]})
    geometry = geopandas.points_from_xy(points["lon"], points["lat"], crs="EPSG:4326")
    frame = geopandas.GeoDataFrame(points[["class"]], geometry=geometry).to_crs("EPSG:32611")
    mask = mask_of(lake(), GRID)
    for table in (points, named, frame):
        assert sl.assess(mask, table).confusion.to_numpy().tolist() == [[1, 0], [0, 1]]


def test_a_random_sample_corrects_the_mapped_area():
    # The map calls the western half water; a quarter of that is land, and land is right.
    values = np.zeros(GRID.shape, np.uint8)
    values[:, :25] = 1
    rows, columns = list(range(40)), [5] * 20 + [40] * 20
    points = points_of(values, rows, columns)
    points.loc[:4, "class"] = 0
    found = sl.assess(mask_of(values, GRID), points, random_sample=True)
    water = found.estimates.loc["water"]
    mapped = float(sl.areas(mask_of(values, GRID))["best"].iloc[0])
    assert water["mapped_area"] == pytest.approx(mapped)
    assert water["area"] == pytest.approx(0.75 * mapped)
    assert water["area_se"] == pytest.approx(mapped * (0.75 * 0.25 / 19) ** 0.5)
    assert "random sample" in str(found)


def test_what_cannot_be_compared_is_said():
    mask = mask_of(lake(), GRID)
    with pytest.raises(ConfigurationError, match="neither a map nor points"):
        sl.assess(mask, [1, 2])
    with pytest.raises(ConfigurationError, match="not a map of one date"):
        sl.assess(mask.expand_dims("time"), mask)
    with pytest.raises(ConfigurationError, match="not a random sample"):
        sl.assess(mask, mask, random_sample=True)
    with pytest.raises(ConfigurationError, match="Nothing can be compared"):
        sl.assess(mask, xr_unsure(mask))
    with pytest.raises(ConfigurationError, match="not a water fraction"):
        sl.assess(mask.astype(float).drop_attrs(deep=False) * 3, mask)
    with pytest.raises(GridError, match="overlap"):
        sl.assess(mask, mask_of(lake(), lake_grid((40, 50), corner=(0.0, 0.0))))
    points = points_of(lake(), [0, 20], [0, 25])
    with pytest.raises(ConfigurationError, match="no column 'class'"):
        sl.assess(mask, points[["lon", "lat"]])
    with pytest.raises(ConfigurationError, match="class that the map does not"):
        sl.assess(mask, points.assign(**{"class": ["lava", "water"]}))
    with pytest.raises(ConfigurationError, match="lie outside of the Earth"):
        sl.assess(mask, points.assign(lat=[95.0, 0.0]))
    with pytest.raises(ConfigurationError, match="not numbers"):
        sl.assess(mask, points.assign(lon=["west", "1"]))


def xr_unsure(mask):
    return mask.copy(data=np.full(mask.shape, 255, np.uint8))


# --- files ------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    write_cog(mask_of(lake(), GRID), tmp_path / "water.tif", palette=water_palette())
    write_cog(mask_of(lake(430.0), GRID), tmp_path / "truth.tif", palette=water_palette())
    points_of(lake(), [0, 1, 20, 21], [0, 3, 25, 24]).to_csv(tmp_path / "points.csv", index=False)
    return tmp_path


def test_a_map_read_from_its_file_is_the_map(files):
    found = read_classes(files / "water.tif")
    assert np.array_equal(found, lake())
    assert str(found.attrs["flag_meanings"]).split()[:2] == ["not_water", "water"]


def test_points_read_from_any_kind_of_file_are_the_same(files):
    table = read_reference(files / "points.csv")
    geometry = geopandas.points_from_xy(table["lon"], table["lat"], crs="EPSG:4326")
    frame = geopandas.GeoDataFrame(table[["class"]], geometry=geometry)
    frame.to_file(files / "points.gpkg")
    read = read_reference(files / "points.gpkg")
    assert read["class"].tolist() == table["class"].tolist()
    mask = mask_of(lake(), GRID)
    assert sl.assess(mask, read).confusion.equals(sl.assess(mask, table).confusion)


def test_files_that_are_no_reference_are_refused(tmp_path):
    with pytest.raises(SourceNotFoundError):
        read_reference(tmp_path / "none.csv")
    with pytest.raises(SourceNotFoundError):
        read_reference(tmp_path / "none.tif")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UnreadableSourceError, match="table of points"):
        read_reference(tmp_path / "empty.csv")


def test_the_command_line_says_and_writes_the_assessment(files):
    (files / "out").mkdir()
    (files / "out" / "record.json").write_text("{}")
    arguments = ["assess", str(files / "water.tif"), str(files / "truth.tif")]
    result = CliRunner().invoke(app, [*arguments, "--out", str(files / "out")])
    assert result.exit_code == 0, result.output
    assert "overall accuracy" in result.output
    stored = json.loads((files / "out" / "assessment.json").read_text(encoding="utf-8"))
    assert stored["by_class"]["water"]["user"] == 1
    assert stored["boundary_m"]["both"]["mean"] == pytest.approx(30, abs=10)
    table = pd.read_csv(files / "out" / "assessment.csv", index_col="class")
    assert table.loc["water", "producer"] < 1
    assert (files / "out" / "record.json").exists()


def test_the_command_line_estimates_from_a_random_sample(files):
    out = str(files / "out")
    arguments = ["assess", str(files / "water.tif"), str(files / "points.csv"), "--out", out]
    result = CliRunner().invoke(app, [*arguments, "--random-sample"])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(files / "out" / "assessment.csv", index_col="class")
    assert table.loc["water", "estimated_area"] == pytest.approx(
        sl.areas(mask_of(lake(), GRID))["best"].iloc[0], abs=1e-4
    )


def test_the_command_line_says_which_file_to_take_instead_of_the_label_map(files):
    labels = sl.segment(round_lake(), n_clusters=3)["labels"]
    write_cog(labels, files / "labels.tif")
    arguments = ["assess", str(files / "labels.tif"), str(files / "water.tif")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    said = f"{result.output} {result.exception}"
    assert "Clusters cannot be compared with water" in said
    assert "water_DATE.tif" in said
