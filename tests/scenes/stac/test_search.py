"""Searching an API, a catalogue of files, or items at hand."""

from __future__ import annotations

import builtins
import datetime as dt
import json
import sys
from urllib.parse import urlsplit

import numpy as np
import pystac
import pytest
import shapely

import strandline as sl
from strandline.errors import (
    AccessDeniedError,
    ConfigurationError,
    MissingDependencyError,
    OutputError,
    SceneError,
    SearchError,
    SourceNotFoundError,
    UnreachableSourceError,
    UnreadableSourceError,
)
from strandline.scenes.stac import search, service
from strandline.scenes.stac.service import _first_line

LAKE = {"center": (-118.72, 38.69), "buffer": 5000}
DAYS = {"1988-10-22", "2017-10-06", "2017-10-22"}


def days(found) -> list[str]:
    return [str(item.datetime)[:10] for item in found]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    for module in (service, search):
        monkeypatch.setattr(module, "TIMEOUT", (1.0, 0.5))
    monkeypatch.setattr(service, "BACKOFF", 0.01)


@pytest.fixture
def api(site) -> str:
    return f"{site.url}/stac"


def test_the_place_finds_what_is_there_in_the_order_of_time(api):
    assert days(sl.search_scenes(api, **LAKE)) == sorted(DAYS)
    assert days(sl.search_scenes(api, bbox=(-119, 38.5, -118.5, 39))) == sorted(DAYS)
    point = {"type": "Point", "coordinates": [-118.72, 38.69]}
    assert days(sl.search_scenes(api, geometry=point)) == sorted(DAYS)
    assert days(sl.search_scenes(api, geometry=shapely.box(-119, 38, -118, 39))) == sorted(DAYS)
    assert not sl.search_scenes(api, bbox=(10, 10, 11, 11))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("1988", {"1988-10-22"}),
        ("2017-10", {"2017-10-06", "2017-10-22"}),
        ("2017-10-22", {"2017-10-22"}),
        ("1988-01-01/2017-10-06", {"1988-10-22", "2017-10-06"}),
        ("2017-10-07/..", {"2017-10-22"}),
        (("..", "2000"), {"1988-10-22"}),
        (dt.date(2017, 10, 6), {"2017-10-06"}),
        ((dt.datetime(2017, 1, 1), np.datetime64("2017-10-10")), {"2017-10-06"}),
    ],
)
def test_the_time_may_be_written_in_many_ways(api, asked, expected):
    assert set(days(sl.search_scenes(api, **LAKE, datetime=asked))) == expected


@pytest.mark.parametrize(
    "conditions",
    [
        {"platforms": "landsat-8", "max_cloud": 10},
        {"platforms": ["LANDSAT_8"], "max_cloud": 54.9, "collections": "landsat-c2-l2"},
        {"platforms": ["sentinel-2", "Landsat 8"], "max_cloud": 54.9},
        {"datetime": "2010/..", "max_cloud": 3.0},
    ],
)
@pytest.mark.parametrize("understands", [{"bbox", "datetime", "collections", "query"}, set()])
def test_what_a_server_ignores_is_checked_again(site, api, conditions, understands):
    site.understands = understands
    assert days(sl.search_scenes(api, **LAKE, **conditions)) == ["2017-10-22"]
    outside = sl.search_scenes(api, bbox=(10, 10, 11, 11), **conditions)
    assert not outside


def test_a_server_is_asked_only_what_it_says_that_it_understands(site, api):
    sl.search_scenes(api, **LAKE, max_cloud=10)
    assert site.searches[-1]["query"] == {"eo:cloud_cover": {"lte": 10.0}}
    site.conforms = [one for one in site.conforms if "query" not in one]
    assert days(sl.search_scenes(api, **LAKE, max_cloud=10)) == ["1988-10-22", "2017-10-22"]
    assert "query" not in site.searches[-1]
    site.conforms.append("https://api.stacspec.org/v1.0.0/item-search#filter")
    sl.search_scenes(api, **LAKE, max_cloud=10)
    assert site.searches[-1]["filter"]["args"] == [{"property": "eo:cloud_cover"}, 10.0]


def test_pages_are_turned_until_enough_was_found(site, api):
    site.page_size = 1
    assert days(sl.search_scenes(api, **LAKE)) == sorted(DAYS)
    site.searches.clear()
    assert len(sl.search_scenes(api, **LAKE, limit=2)) == 2
    assert len(site.searches) == 2


def test_usual_collections_are_those_with_surface_reflectance(site, api):
    sl.search_scenes(api, **LAKE)
    assert site.searches[-1]["collections"] == ["landsat-c2-l2"]
    other = json.loads(json.dumps(site.items[0])) | {"id": "radar", "collection": "sentinel-1"}
    site.items.append(other)
    assert "radar" not in [item.id for item in sl.search_scenes(api, **LAKE)]
    found = sl.search_scenes(api, **LAKE, collections=["sentinel-1"])
    assert [item.id for item in found] == ["radar"]
    site.items = [other]
    assert [item.id for item in sl.search_scenes(api, **LAKE)] == ["radar"]


def test_an_area_across_the_antimeridian_is_asked_for_in_two_boxes(site, api):
    fiji = json.loads(json.dumps(site.items[0])) | {"id": "fiji"}
    ring = [[179, -18], [180, -18], [180, -17], [179, -17], [179, -18]]
    fiji |= {"geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [179, -18, 180, -17]}
    site.items.append(fiji)
    found = sl.search_scenes(api, bbox=(178, -19, -178, -16))
    assert [item.id for item in found] == ["fiji"]
    assert [one["bbox"][0] for one in site.searches] == [-180, 178]
    assert found.overlap == pytest.approx(1 / 12)


# --- other places to search ---------------------------------------------------


def test_a_static_catalogue_is_walked(site, tmp_path):
    catalog = pystac.Catalog("archive", "Files")
    collection = pystac.Catalog("landsat-c2-l2", "Landsat")
    catalog.add_child(collection)
    for item in site.items:
        collection.add_item(pystac.Item.from_dict(item))
    catalog.normalize_and_save(str(tmp_path / "cat"), pystac.CatalogType.SELF_CONTAINED)
    for place in (tmp_path / "cat", str(tmp_path / "cat" / "catalog.json")):
        found = sl.search_scenes(place, **LAKE, datetime="2017", max_cloud=10)
        assert days(found) == ["2017-10-22"]
    victim = next((tmp_path / "cat").rglob("LT05*.json"))
    victim.unlink()
    with pytest.raises(SourceNotFoundError, match="LT05"):
        sl.search_scenes(tmp_path / "cat", **LAKE)


def test_a_static_catalogue_on_a_web_server(site, products):
    root = next(iter(products.values())).parent
    catalog = pystac.Catalog("archive", "Files")
    for item in site.items:
        catalog.add_item(pystac.Item.from_dict(item))
    catalog.normalize_and_save(str(root / "cat"), pystac.CatalogType.SELF_CONTAINED)
    found = sl.search_scenes(f"{site.url}/cat/catalog.json", **LAKE, datetime="1988")
    assert days(found) == ["1988-10-22"]
    np.testing.assert_array_equal(
        sl.open_scene(found).values, sl.open_scene(products["1988-10-22"]).values
    )
    site.faults["/cat/catalog.json"] = [404]
    with pytest.raises(SourceNotFoundError, match=r"catalog\.json"):
        sl.search_scenes(f"{site.url}/cat/catalog.json")


def test_saved_searches_and_items_at_hand_are_searched_alike(site, api, tmp_path):
    found = sl.search_scenes(api, **LAKE)
    path = found.save(tmp_path / "found.json")
    items = list(found)
    for place in (path, str(path), found, items, pystac.ItemCollection(items), site.items):
        again = sl.search_scenes(place, **LAKE, platforms="landsat-5")
        assert days(again) == ["1988-10-22"]
    assert not sl.search_scenes([], **LAKE)


# --- what can go wrong --------------------------------------------------------


def test_failures_that_pass_are_forgiven(site, api):
    site.faults["/stac"] = [503, 500]
    site.faults["/stac/search"] = [429, 502]
    assert days(sl.search_scenes(api, **LAKE)) == sorted(DAYS)


@pytest.mark.parametrize("where", ["/stac", "/stac/search"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, SourceNotFoundError),
        (400, SearchError),
        (500, UnreachableSourceError),
        (503, UnreachableSourceError),
        ("slow", UnreachableSourceError),
        ("html", SceneError),
    ],
)
def test_failures_that_stay_are_errors_that_name_the_service(site, api, where, fault, error):
    site.faults[where] = [fault] * 20
    with pytest.raises(error, match=f"127.0.0.1:{urlsplit(site.url).port}"):
        sl.search_scenes(api, **LAKE)


def test_an_address_where_nobody_listens(free_port):
    with pytest.raises(
        UnreachableSourceError, match=r"does not answer: .*Connection refused\. Check the address"
    ) as failed:
        sl.search_scenes(f"http://127.0.0.1:{free_port}/stac", **LAKE)
    assert "Max retries" not in str(failed.value)


def test_a_long_reason_is_cut_between_words():
    long = "word " * 200
    assert _first_line(ValueError(long)).endswith("word …")
    assert _first_line(ValueError("short.")) == "short"


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", UnreadableSourceError),
        ("{", UnreadableSourceError),
        ("[1, 2]", UnreadableSourceError),
        ("{}", SearchError),
        ('{"type": "Topology"}', SearchError),
        ('{"type": "Feature", "stac_version": "1.0.0"}', UnreadableSourceError),
        ('{"type": "FeatureCollection"}', UnreadableSourceError),
        ('{"type": "FeatureCollection", "features": [3]}', UnreadableSourceError),
        (
            '{"type": "Catalog", "links": [{"rel": "item", "href": "gone.json"}]}',
            SourceNotFoundError,
        ),
        ("[" * 100_000, UnreadableSourceError),
    ],
)
def test_documents_that_are_no_stac(tmp_path, text, error):
    path = tmp_path / "what.json"
    path.write_text(text)
    with pytest.raises(error, match=str(tmp_path)):
        sl.search_scenes(path)
    with pytest.raises(SceneError, match=r"what\.json"):
        sl.open_scene(path)


def test_an_api_that_cannot_be_searched(site, api):
    site.conforms = site.conforms[:2]
    with pytest.raises(SearchError, match="item-search"):
        sl.search_scenes(api, **LAKE)


@pytest.mark.parametrize(
    ("conditions", "match"),
    [
        ({"bbox": (1, 2, 3)}, "4 finite numbers"),
        ({"bbox": (0, 5, 1, 4)}, "south < north"),
        ({"bbox": (0, 95, 1, 99)}, "not on Earth"),
        ({"center": (0, 0)}, "go together"),
        ({"center": (0, 0), "buffer": -5}, "metres above 0"),
        ({"bbox": (0, 0, 1, 1), "geometry": {}}, "bbox and geometry"),
        ({"geometry": "Walker Lake"}, "GeoJSON"),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "empty"),
        ({"datetime": "yesterday"}, "1988-10-22"),
        ({"datetime": "2017/1988"}, "before it begins"),
        ({"datetime": "1/2/3"}, "cannot be understood"),
        ({"datetime": "../.."}, "cannot be understood"),
        ({"max_cloud": 101}, "percent"),
        ({"limit": 0}, "above 0"),
        ({"platforms": []}, "empty"),
        ({"collections": [""]}, "empty"),
    ],
)
def test_conditions_that_make_no_sense_are_refused_before_anything_is_asked(
    site, api, conditions, match
):
    with pytest.raises(ConfigurationError, match=match):
        sl.search_scenes(api, **conditions)
    assert not site.asked


def test_what_is_no_archive_is_refused():
    with pytest.raises(ConfigurationError, match="archive to search is not valid"):
        sl.search_scenes(42)
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.json"):
        sl.search_scenes("nowhere.json")


def test_without_the_extra_the_command_to_install_it_is_named(monkeypatch, items, api):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.partition(".")[0] in ("pystac", "pystac_client", "odc.stac"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pystac",)]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match="python -m pip install '"):
        sl.search_scenes(api, **LAKE)
    with pytest.raises(MissingDependencyError, match="python -m pip install '"):
        sl.open_scene(items["1988-10-22"])


# --- what was found -----------------------------------------------------------


@pytest.fixture
def found(api):
    return sl.search_scenes(api, **LAKE)


def test_the_table_says_what_was_found(found, site):
    site.items[0]["assets"]["thumbnail"] = {"href": f"{site.url}/a.png", "roles": ["thumbnail"]}
    table = sl.search_scenes(f"{site.url}/stac", **LAKE).table()
    assert table["date"].tolist() == sorted(DAYS)
    assert table["platform"].tolist() == ["landsat-5", "landsat-8", "landsat-8"]
    assert table["cloud"].tolist() == [3.0, 55.0, 3.0]
    assert table["overlap"].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert table["preview"][0] == f"{site.url}/a.png"
    assert table["preview"].isna().tolist() == [False, True, True]
    assert set(table["collection"]) == {"landsat-c2-l2"}
    assert sl.search_scenes([]).table().empty
    assert sl.search_scenes(list(found)).table()["overlap"].isna().all()


def test_found_scenes_are_a_sequence(found):
    assert len(found) == 3
    assert found[0].id in repr(list(found))
    assert found[found[1].id] is found[1]
    assert days(found[1:]) == ["2017-10-06", "2017-10-22"]
    assert repr(found) == "<FoundScenes: 3 items of 3 passes, 1988-10-22 to 2017-10-22>"
    with pytest.raises(SourceNotFoundError, match="nothing-like-it"):
        found["nothing-like-it"]


def test_the_clearest_pass_shows_most_of_the_area(found):
    assert days(found[1:].clearest()) == ["2017-10-22"]
    assert days(found.clearest(2)) == ["1988-10-22", "2017-10-22"]
    assert days(found.clearest(9)) == sorted(DAYS)
    narrow = json.loads(json.dumps(found.to_dict()["features"][0]))
    narrow["geometry"] = None
    narrow["bbox"] = [-118.8, 38.6, -118.77, 38.8]  # clear, but at the side of the area
    narrow["properties"]["eo:cloud_cover"] = 0.0
    both = sl.search_scenes([narrow, found[1].to_dict()], **LAKE)
    assert days(both.clearest()) == ["2017-10-06"]
    with pytest.raises(ConfigurationError, match="above 0"):
        found.clearest(0)
    with pytest.raises(SourceNotFoundError, match="Nothing was found"):
        sl.search_scenes([]).clearest()


def test_the_clearest_can_be_opened(found, products):
    scene = sl.open_scene(found[1:].clearest(), bands=["green"])
    expected = sl.open_scene(products["2017-10-22"], bands=["green"])
    np.testing.assert_array_equal(scene.values, expected.values)


def test_the_table_in_a_notebook_cannot_be_scripted(found):
    item = found[0].clone()
    item.id = "<script>alert(1)</script>"
    item.add_asset("thumbnail", pystac.Asset("javascript:alert(1)", roles=["thumbnail"]))
    shown = sl.search_scenes([item])._repr_html_()
    assert "<script" not in shown
    assert "javascript:" not in shown


def test_saving_leaves_a_whole_file_without_signatures_or_nothing(found, tmp_path, items):
    item = found[0].clone()
    item.assets["red"].href += "&se=2030&sig=SECRET"
    path = sl.search_scenes([item]).save(tmp_path / "found.json")
    assert "SECRET" not in path.read_text()
    assert json.loads(path.read_text())["features"][0]["id"] == item.id
    assert [one.name for one in tmp_path.iterdir()] == ["found.json"]
    with pytest.raises(OutputError, match="is a file, not a folder"):
        found.save(path / "found.json")


def test_reopened_tiles_count_once(site, found):
    tile = {"s2:mgrs_tile": "11SKB", "platform": "sentinel-2a"}
    old, new = (found[2].clone() for _ in range(2))
    for item, baseline in ((old, "02.08"), (new, "05.00")):
        item.properties |= tile | {"s2:processing_baseline": baseline}
        item.id = f"tile-{baseline}"
    (one,) = sl.search_scenes([new, old]).passes
    assert [item.id for item in one] == ["tile-05.00"]
