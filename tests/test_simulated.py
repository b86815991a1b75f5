"""Results of simulated scenes say that no satellite observed them."""

from __future__ import annotations

import json

import pytest

import strandline as sl
from strandline.show import captions
from strandline.study import run_study


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    for date in ("1988-10-22", "2017-10-22"):
        sl.simulate_scene(date, size=(100, 100), resolution=300, path=folder)
    return [str(next(folder.glob(f"{sensor}*/"))) for sensor in ("LT05", "LC08")]


def test_products_on_disk_and_what_becomes_of_them_say_so(products, tmp_path):
    scenes = [sl.open_scene(product) for product in products]
    assert [captions.sensor_text(scene)[-11:] for scene in scenes] == ["(simulated)"] * 2
    stacked = sl.stack_scenes(scenes)
    assert captions.sensor_text(stacked[1]) == "Landsat 8 OLI (simulated)"
    scenes[0].to_netcdf(tmp_path / "scene.nc")
    assert sl.open_scene(tmp_path / "scene.nc").attrs["simulated"] == "yes"
    in_memory, _ = sl.simulate_scene("2017-10-22", size=(100, 100), resolution=300)
    assert in_memory.attrs["simulated"] == "yes"


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_folders_of_sentinel_2_say_so_when_they_are_opened_again(level, tmp_path):
    asked = {
        "platform": "sentinel-2a",
        "processing_level": level,
        "size": (120, 120),
        "path": tmp_path,
    }
    sl.simulate_scene("2017-10-22", **asked)
    (folder,) = tmp_path.glob("*.SAFE")
    scene = sl.open_scene(folder)
    assert scene.attrs["simulated"] == "yes"
    assert captions.sensor_text(scene) == "Sentinel 2A MSI (simulated)"
    metadata = folder / f"MTD_MSI{level}.xml"
    metadata.write_text(metadata.read_text().replace("Simulated", "Observed"))
    assert "simulated" not in sl.open_scene(folder).attrs


def test_a_study_says_so_in_the_report_the_item_and_the_record(products, tmp_path):
    out = run_study(
        {"scenes": [{"source": one} for one in products], "vectors": []}, tmp_path / "o"
    )
    page = (out / "report.html").read_text()
    assert "<h1>Water, 1988-10-22 to 2017-10-22 (simulated)</h1>" in page
    item = json.loads((out / "item.json").read_text())
    assert item["properties"]["title"] == "Change of water (simulated)"
    assert "not observed by a satellite" in item["properties"]["processing:lineage"]
    record = json.loads((out / "record.json").read_text())
    assert record["notes"] == ["The scenes are simulated, not observed by a satellite."]


def test_real_scenes_do_not(real_data):
    scene = sl.open_scene(real_data / "tucurui_tm1988" / "LT52240631988227CUB02_MTL.txt")
    assert "simulated" not in scene.attrs
    assert captions.sensor_text(scene) == "Landsat 5 TM"
