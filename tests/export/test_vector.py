"""Geometries on disk: what others read is what was written, and twice gives the same bytes."""

from __future__ import annotations

import builtins
import json
import sys

import geopandas
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely

import strandline as sl
from strandline.errors import MissingCRSError, MissingDependencyError, OutputError
from strandline.export import write_vectors
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of

FORMATS = (".gpkg", ".parquet", ".geojson")


def lake():
    grid = lake_grid()
    water = lake_fraction(grid, radius=600) - lake_fraction(grid, radius=200) > 0.5
    return mask_of(water, grid)


@pytest.fixture(scope="module")
def bodies():
    return sl.water_polygons(lake())


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_read_is_what_was_written(tmp_path, bodies, suffix):
    path = write_vectors(bodies, tmp_path / f"lake{suffix}")
    read = geopandas.read_parquet if suffix == ".parquet" else geopandas.read_file
    back = read(path)
    assert list(back.columns) == list(bodies.columns)
    for name in ("area_km2", "perimeter_km", "pixels", "islands", "touches_border"):
        assert back[name].tolist() == bodies[name].tolist()
    assert str(back["date"].iloc[0])[:10] == "1988-10-22"
    there = back.to_crs(bodies.crs)
    within = 0.02 if suffix == ".geojson" else 0  # metres; seven decimals of a degree
    assert shapely.hausdorff_distance(there.geometry.iloc[0], bodies.geometry.iloc[0]) <= within
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", FORMATS)
def test_writing_twice_gives_the_same_bytes(tmp_path, monkeypatch, bodies, suffix):
    first = write_vectors(bodies, tmp_path / f"one{suffix}").read_bytes()
    monkeypatch.setenv("OGR_CURRENT_DATE", "2001-01-01T00:00:00Z")  # as if it were another day
    (tmp_path / "other").mkdir()
    again = write_vectors(bodies, tmp_path / "other" / f"one{suffix}").read_bytes()
    assert first == again
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == "2001-01-01T00:00:00Z"


def test_a_large_geopackage_is_the_same_twice(tmp_path):
    rng = np.random.default_rng(0)
    points = shapely.points(rng.random((120_000, 2)) * 1e5 + [3e5, 4e6])
    many = geopandas.GeoDataFrame(geometry=points, crs="EPSG:32611")
    one, other = (write_vectors(many, tmp_path / f"{n}.gpkg").read_bytes() for n in (1, 2))
    assert one == other


def test_a_geopackage_holds_several_layers_in_the_crs_of_the_map(tmp_path, bodies):
    layers = {"water": bodies, "shoreline": sl.shorelines(lake())}
    path = write_vectors(layers, tmp_path / "lake.gpkg")
    assert pyogrio.list_layers(path).tolist() == [
        ["water", "MultiPolygon"], ["shoreline", "LineString"],
    ]  # fmt: skip
    assert geopandas.read_file(path, layer="shoreline").crs.to_epsg() == 32611


def test_geojson_keeps_to_its_standard(tmp_path, bodies):
    text = json.loads(write_vectors(bodies, tmp_path / "lake.geojson").read_text())
    assert "crs" not in text
    (feature,) = text["features"]
    shape = shapely.geometry.shape(feature["geometry"])
    west, south, east, north = shape.bounds
    assert -118.8 < west < east < -118.6
    assert 38.7 < south < north < 38.8
    for polygon in shape.geoms:
        assert polygon.exterior.is_ccw
        assert not any(ring.is_ccw for ring in polygon.interiors)
    geod = pyproj.Geod(ellps="WGS84")
    area, _ = geod.geometry_area_perimeter(shape)
    assert area / 1e6 == pytest.approx(feature["properties"]["area_km2"], rel=1e-4)


def test_geoparquet_says_its_version_and_bounding_boxes(tmp_path, bodies):
    import pyarrow.parquet

    path = write_vectors(bodies, tmp_path / "lake.parquet")
    said = json.loads(pyarrow.parquet.read_metadata(path).metadata[b"geo"])
    assert said["version"] == "1.1.0"
    column = said["columns"][said["primary_column"]]
    assert "bbox" in column["covering"]
    assert pyproj.CRS.from_json_dict(column["crs"]).to_epsg() == 32611
    none = geopandas.read_parquet(path, bbox=(0, 0, 10, 10))
    assert len(none) == 0


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_water_is_a_file_without_features(tmp_path, suffix):
    dry = mask_of(np.zeros((4, 4)), lake_grid((4, 4)))
    for name, layer in (("polygons", sl.water_polygons(dry)), ("lines", sl.shorelines(dry))):
        path = write_vectors(layer, tmp_path / f"{name}{suffix}")
        read = geopandas.read_parquet if suffix == ".parquet" else geopandas.read_file
        assert len(read(path)) == 0


def test_an_older_file_is_replaced(tmp_path, bodies):
    path = tmp_path / "lake.gpkg"
    path.write_text("something else")
    write_vectors(bodies, path)
    assert len(geopandas.read_file(path)) == 1


def test_formats_and_layers_that_do_not_fit_are_refused(tmp_path, bodies):
    with pytest.raises(OutputError, match=r"\.gpkg, \.parquet, \.geojson"):
        write_vectors(bodies, tmp_path / "lake.shp")
    with pytest.raises(OutputError, match=r"holds one layer\. Got a, b"):
        write_vectors({"a": bodies, "b": bodies}, tmp_path / "lake.geojson")
    with pytest.raises(MissingCRSError):
        write_vectors(bodies.set_crs(None, allow_override=True), tmp_path / "lake.gpkg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suffix", "package"), [(".gpkg", "pyogrio"), (".geojson", "pyogrio"), (".parquet", "pyarrow")]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, bodies, suffix, package):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == package:
            raise ImportError("no", name=package)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match=r"python -m pip install"):
        write_vectors(bodies, tmp_path / f"lake{suffix}")
    assert list(tmp_path.iterdir()) == []
