"""The app as people use it: a real server, a real browser, and no network beyond this machine."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from app_served import library_of, served, visit
from servers import item_of_product, website
from strandline.app.library import Library
from strandline.app.outcome import Outcome
from strandline.app.shared import Shared
from strandline.app.state import Session
from strandline.export.raster import write_cog
from strandline.testing.lakes import round_lake


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Any:
    place = tmp_path_factory.mktemp("app") / "scenes"
    place.mkdir()
    write_cog(round_lake(shape=(120, 120), radius=900), place / "lake.tif")
    (place / "broken.tif").write_bytes(b"II*\0 and then nothing that a TIFF has")
    return place


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Any:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def library(folder, cache, tmp_path_factory) -> Library:
    """What the server may open, here."""
    return library_of(cache, [folder], tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def expected(library) -> Session:
    """What the library itself finds for the page's first choices."""
    session = Session(library, Shared())
    session.run()
    return session


@pytest.fixture(scope="module")
def server(folder, cache, expected) -> Any:
    with served([folder], cache) as running:
        yield running
        assert running.alive, "the server has outlived all of this"


def many_lakes(size: int, count: int) -> xr.DataArray:
    """A scene of a round lake, repeated in both directions."""
    lake = round_lake(shape=(size, size), radius=2_000)
    step = {dim: float(lake[dim][1] - lake[dim][0]) for dim in ("y", "x")}
    places = {dim: float(lake[dim][0]) + step[dim] * np.arange(count * size) for dim in step}
    repeated = xr.DataArray(
        np.tile(lake.values, (1, count, count)),
        dims=lake.dims,
        coords={"band": lake["band"], **places},
        attrs=lake.attrs,
    )
    return repeated.odc.assign_crs(lake.odc.crs)


def place_of(outcome: Outcome, row: int, column: int) -> tuple[float, float]:
    return float(outcome.water["x"][column]), float(outcome.water["y"][row])


def pixel_of_cluster(outcome: Outcome, cluster: int, date: int = 0) -> tuple[int, int]:
    """A pixel in the midst of its like."""
    same = outcome.segmentation["labels"][date].values == cluster
    rows, columns = np.nonzero(
        same[1:-1, 1:-1] & same[:-2, 1:-1] & same[2:, 1:-1] & same[1:-1, :-2] & same[1:-1, 2:]
    )
    middle = len(rows) // 2
    return int(rows[middle]) + 1, int(columns[middle]) + 1


def rounded(values: list[float]) -> list[float]:
    return [pytest.approx(value, abs=0.06) for value in values]


def areas_of(outcome: Outcome) -> list[float]:
    first, last = outcome.by_date["best"]
    return rounded([first, last, last - first])


def test_the_first_map_answers_to_pointing_and_clicking(browser, server, expected):
    outcome = expected.outcome
    with visit(browser, server.url) as there:
        there.ready()
        assert there.areas() == areas_of(outcome)
        for cluster in (0, 5):
            row, column = pixel_of_cluster(outcome, cluster)
            there.point(*place_of(outcome, row, column))
            green = float(outcome.prepared.scenes[0].sel(band="green")[row, column])
            there.says("readout", f"green {green:.3f}")
            there.says("readout", f"Cluster {cluster},")
            assert f"cluster:{cluster}" in there.text("bk-Tooltip").replace(" ", "")
        # A click shows what is there, and changes nothing.
        desert = place_of(outcome, *pixel_of_cluster(outcome, 5))
        there.click(*desert)
        there.says("inspection", "Cluster 5,")
        there.says("inspection", "not water")
        assert there.page.locator(".inspection polyline").count() == 2, "a line for each date"
        assert there.areas() == areas_of(outcome)
        assert "water_" not in there.page.url
        # The button below marks the cluster, and what was marked is undone beside the areas.
        there.button("Count cluster 5 as water").click()
        best = best_with(outcome, also=[5])
        there.has_area(best[0])
        assert there.areas() == rounded([*best, best[1] - best[0]])
        there.says("marks", "cluster 5 is water")
        there.button("Undo").click()
        there.has_area(outcome.by_date["best"].iloc[0])
        assert there.areas() == areas_of(outcome)
        there.page.locator("[data-cluster='5'] .mark").click()
        there.has_area(best[0])
        size = there.frame()["width"], there.frame()["height"]
        there.page.locator("button:visible").get_by_text("False colour", exact=True).click()
        there.page.wait_for_timeout(500)
        assert (there.frame()["width"], there.frame()["height"]) == size
        assert min(size) > 300, "a new picture takes the place of the old one"
        assert size[0] / size[1] == pytest.approx(1.0, abs=0.02), "pixels are square"
        there.button("Find water automatically").click()
        there.has_area(outcome.by_date["best"].iloc[0])
        assert there.areas() == areas_of(outcome)


def best_with(outcome: Outcome, **marks: list[int]) -> list[float]:
    """Areas of both dates with clusters marked."""
    evidence = sl.find_water(outcome.segmentation, **marks)
    return sl.areas(sl.water_mask(outcome.segmentation, evidence))["best"].tolist()


def test_where_clicks_mark_what_is_water_already_is_said_to_be(browser, server, expected):
    outcome = expected.outcome
    with visit(browser, server.url) as there:
        there.ready()
        there.page.get_by_text("A click on the map marks water").click()
        there.click(*place_of(outcome, *pixel_of_cluster(outcome, 0)))
        there.says("inspection", "this is already water")
        assert there.areas() == areas_of(outcome)
        assert "water_" not in there.page.url
        there.click(*place_of(outcome, *pixel_of_cluster(outcome, 5)))
        there.has_address("water_also=5")
        there.has_area(best_with(outcome, also=[5])[0])


def test_a_number_of_clusters_out_of_range_is_said_and_taken_back(browser, server, expected):
    with visit(browser, server.url) as there:
        there.ready()
        field = there.page.get_by_label("How many", exact=True)
        message = there.page.locator(".message[role=alert]")
        for number in ("999", "1"):
            there.set("How many", number)
            message.get_by_text(f"“How many” {number}").wait_for(timeout=10_000)
            there.page.wait_for_function("(f) => f.value == '8'", arg=field.element_handle())
            assert there.areas() == areas_of(expected.outcome)
        there.set("How many", "7")
        there.has_clusters(7)
        assert message.count() == 0


def test_a_box_is_drawn_by_its_button_stays_visible_and_is_used(browser, server):
    with visit(browser, server.url) as there:
        there.ready()
        there.button("Draw a box on the map").click()
        there.button("Now drag on the map").wait_for(timeout=10_000)
        f = there.frame()
        before = there.colour(f["x"] + f["width"] * 0.5, f["y"] + f["height"] * 0.5)
        there.drag(
            (f["x"] + f["width"] * 0.3, f["y"] + f["height"] * 0.3),
            (f["x"] + f["width"] * 0.7, f["y"] + f["height"] * 0.7),
        )
        use = there.page.get_by_role("button", name="Use the box (13.3 × 13.3 km)")
        use.wait_for(timeout=10_000)
        there.page.wait_for_timeout(500)
        after = there.colour(f["x"] + f["width"] * 0.5, f["y"] + f["height"] * 0.5)
        assert after != before, "the box is shaded"
        use.click()
        there.has_address("bbox=")
        there.ready()
        there.button("Draw a box on the map").wait_for(timeout=10_000)


def test_swiping_shows_the_other_date(browser, server, expected):
    outcome = expected.outcome
    lost = np.argwhere(outcome.change.values == 2)
    row, column = (int(v) for v in lost[len(lost) // 2])
    x, y = place_of(outcome, row, column)
    with visit(browser, server.url) as there:
        there.ready()
        there.tab("Swipe")
        there.page.locator("button:visible").get_by_text("Water", exact=True).click()
        there.page.wait_for_timeout(700)
        first, last = "1988-10-22 Landsat 5 TM (simulated)", "2017-10-22 Landsat 8 OLI (simulated)"
        headline = f"Water · {first} | {last}"
        assert there.page.get_by_text(headline).is_visible()
        f = there.frame()
        line = f["x"] + f["width"] / 2
        height = f["y"] + f["height"] * 0.12
        across, down = there.at(x, y)
        seen = {}
        for name, end in (("after", f["x"] + 6), ("before", f["x"] + f["width"] - 6)):
            there.drag((line, height), (end, height))
            there.page.wait_for_timeout(400)
            seen[name] = there.colour(across, down)
            line = end
        assert seen["before"] == (31, 95, 168), "water in 1988"
        assert seen["after"] == (233, 227, 211), "land in 2017"


def test_choices_stay_on_reload_and_come_back(browser, server, expected):
    with visit(browser, server.url) as there:
        there.ready()
        there.set("How many", "7")
        there.has_address("k=7")
        there.has_clusters(7)
        seven = there.areas()
        there.page.reload(wait_until="commit")
        there.ready()
        there.has_clusters(7)
        assert there.areas() == seven
        there.page.go_back(wait_until="commit")
        there.has_clusters(8)
        assert "k=7" not in there.page.url


def test_dates_are_made_comparable_and_stay_so_on_reload(browser, server, library):
    session = Session(library, Shared())
    session.choose(harmonize=True)
    first, last = session.run().by_date["best"]
    with visit(browser, server.url) as there:
        there.ready()
        there.page.get_by_text("Make the dates comparable").click()
        there.page.get_by_text("Harmonise the sensors").click()
        there.has_address("harmonize=true")
        there.has_area(first)
        assert there.areas() == rounded([first, last, last - first])
        there.page.get_by_text("Show them").click()
        there.page.get_by_text("--harmonize").wait_for(timeout=10_000)
        there.page.reload(wait_until="commit")
        there.ready()
        assert there.areas() == rounded([first, last, last - first])
        there.page.get_by_text("Make the dates comparable").click()
        assert there.page.get_by_label("Harmonise the sensors").is_checked()


def test_subclusters_and_another_crs_are_chosen_and_a_wrong_one_loses_nothing(
    browser, server, library, expected
):
    session = Session(library, Shared())
    session.choose(n_subclusters=60, crs="EPSG:32610", resolution=450.0)
    first, last = session.run().by_date["best"]
    with visit(browser, server.url) as there:
        there.ready()
        there.page.get_by_text("More", exact=True).click()
        there.set("CRS of the map", "EPSG:nowhere")
        message = there.page.locator(".message[role=alert]")
        message.get_by_text("CRS is not known.").wait_for(timeout=10_000)
        assert there.areas() == areas_of(expected.outcome)
        assert "crs=" not in there.page.url
        there.set("Number of subclusters", "60")
        there.has_address("n_subclusters=60")
        there.ready()
        there.set("CRS of the map", "EPSG:32610")
        message.get_by_text("The grid needs a pixel size.").wait_for(timeout=10_000)
        assert message.get_by_text("“Pixel size, in units of the map”").is_visible()
        there.set("Pixel size, in units of the map", "450")
        there.has_area(first)
        assert message.count() == 0
        assert there.areas() == rounded([first, last, last - first])
        there.says("study", "EPSG:32610")
        there.page.get_by_text("Show them").click()
        there.page.get_by_text("--crs EPSG:32610").wait_for(timeout=10_000)
        there.page.get_by_text("--subclusters 60").wait_for(timeout=10_000)
        there.page.reload(wait_until="commit")
        there.ready()
        assert there.areas() == rounded([first, last, last - first])
        there.page.get_by_text("More", exact=True).click()
        assert there.page.get_by_label("CRS of the map").input_value() == "EPSG:32610"


def test_a_pass_that_a_search_found_is_mapped(browser, server, library):
    products = list(library.demo.values())
    with website(products[0].parent) as site, visit(browser, server.url) as there:
        site.items = [item_of_product(folder, site.url_of) for folder in products]
        there.ready()
        there.page.get_by_text("Search an archive").click()
        there.set("Archive", f"{site.url}/stac")
        there.set("Distance around it, km", "9")
        there.set("When", "2017")
        there.button("Search").click()
        there.choose("Found", "2017-10-22  landsat-8  cloud 3 %")
        there.button("As first").click()
        there.choose("Later scene", "none")
        there.button("Open").click()
        there.says("study", "61 × 61")  # 18 km, outwards to whole pixels of 300 m
        assert len(there.areas()) == 1
        there.page.get_by_text("Show them").click()
        there.page.get_by_text(f"strandline search {site.url}/stac").wait_for(timeout=10_000)


def test_one_goes_back_and_forth_between_choices(browser, server):
    with visit(browser, server.url) as there:
        there.ready()
        for count in (7, 6):
            there.set("How many", str(count))
            there.has_clusters(count)
            there.has_address(f"k={count}")
        for step, count in (("back", 7), ("back", 8), ("forward", 7), ("forward", 6)):
            there.page.evaluate(f"history.{step}()")
            there.has_clusters(count)
            there.ready()
            assert ("k=" in there.page.url) == (count != 8)
            assert there.page.get_by_label("How many", exact=True).input_value() == str(count)


def test_two_visitors_do_not_see_each_other(browser, server, expected):
    with visit(browser, server.url) as one, visit(browser, server.url) as other:
        one.ready()
        other.ready()
        one.choose("Scene, or the earlier of two", "scenes/lake.tif")
        one.choose("Later scene", "none")
        one.button("Open").click()
        one.has_address("lake.tif")
        one.says("study", "120 × 120")
        assert len(one.areas()) == 1
        assert other.areas() == areas_of(expected.outcome)
        assert "lake.tif" not in other.page.url


def test_a_broken_upload_shows_its_message_and_the_server_lives_on(
    browser, server, folder, expected
):
    with visit(browser, server.url) as there:
        there.ready()
        there.page.get_by_text("Upload a file").click()
        there.page.locator("input[type=file]").set_input_files(str(folder / "broken.tif"))
        message = there.page.locator(".message[role=alert]")
        message.wait_for(timeout=20_000)
        assert "broken.tif" in message.inner_text()
        assert "What to do" in message.inner_text()
        # The map of before is still there; a name that leads outside is refused.
        assert there.areas() == areas_of(expected.outcome)
        there.page.get_by_text("Open by path or address").click()
        there.set("First scene", "scenes/../../secret.tif")  # Enter opens it
        message.get_by_text("not among the files").wait_for(timeout=10_000)
        # And a good file opens.
        there.page.locator("input[type=file]").first.set_input_files(str(folder / "lake.tif"))
        there.says("study", "120 × 120")
        assert message.count() == 0


def test_the_export_is_the_folder_of_results(browser, server, expected, tmp_path):
    with visit(browser, server.url) as there:
        there.ready()
        with there.page.expect_download(timeout=60_000) as waiting:
            there.button("Results (.zip)").click()
        waiting.value.save_as(tmp_path / "results.zip")
        assert waiting.value.suggested_filename == "strandline-1988-10-22-2017-10-22.zip"
        with zipfile.ZipFile(tmp_path / "results.zip") as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
            record = json.loads(archive.read("strandline-results/record.json"))
            (tmp_path / "labels.tif").write_bytes(
                archive.read("strandline-results/labels_2017-10-22.tif")
            )
        assert {"change.tif", "areas.csv", "report.html", "model.npz", "change.qml"} <= names
        assert {entry["path"] for entry in record["outputs"]} == names - {"record.json"}
        labels = sl.open_scene(tmp_path / "labels.tif", reflectance=False, band_names=["labels"])
        assert (labels.values[0] == expected.outcome.segmentation["labels"][1]).all()
        with there.page.expect_download(timeout=60_000) as waiting:
            there.button("Report").click()
        assert waiting.value.suggested_filename == "strandline-1988-10-22-2017-10-22.html"
        waiting.value.save_as(tmp_path / "report.html")
        assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")
        # What somebody else took away cannot be guessed, and nothing else is given.
        for path in ("", "x/y.zip", "../page.py", "%2e%2e/serve.py", "A" * 32 + "/labels.tif"):
            assert there.page.request.get(f"{server.url}take/{path}").status == 404


def test_points_selected_in_the_spectral_space_light_up_in_the_map(browser, server, expected):
    with visit(browser, server.url) as there:
        there.ready()
        there.tab("Scatter")
        there.page.get_by_text("Draw a box around points").wait_for(timeout=10_000)
        f = there.frame(0)
        box = (0.0, -0.02, 0.08, 0.05)
        start, end = there.at(box[0], box[3]), there.at(box[2], box[1])
        start = (max(start[0], f["x"] + 2), start[1])
        there.drag(start, end)
        there.page.get_by_text("of the pixels are highlighted").wait_for(timeout=10_000)
        told = float(there.page.locator("b", has_text="%").first.inner_text().rstrip("%"))
        lit = 100 * expected.outcome.lit_up(0, ("green", "swir16"), box).mean()
        assert told == pytest.approx(lit, abs=1.5)


def test_cancelling_brings_the_choices_of_the_map_back(browser, server, expected):
    with visit(browser, server.url) as there:
        there.ready()
        cancel = there.button("Cancel")
        # Two dates of 600 × 600 pixels take a second and more.
        there.page.get_by_text("More", exact=True).click()
        there.set("Pixel size, in units of the map", "55")
        there.has_address("resolution=55")
        cancel.click()
        there.ready()
        there.page.wait_for_function("() => !location.search.includes('resolution')")
        field = there.page.get_by_label("Pixel size, in units of the map")
        assert field.input_value() == ""
        assert there.areas() == areas_of(expected.outcome)


def test_a_page_whose_first_map_fails_does_not_wait_for_it(browser, server):
    with visit(browser, server.url + "?before=scenes/broken.tif") as there:
        there.page.locator(".message[role=alert]").wait_for(timeout=20_000)
        there.page.get_by_text("There is no map yet").wait_for(timeout=10_000)
        there.says("study", "No map yet")
        there.choose("Scene, or the earlier of two", "scenes/lake.tif")
        there.button("Open").click()
        there.ready()
        assert there.page.get_by_text("There is no map yet").count() == 0


def test_an_error_is_shown_beside_its_button_and_in_the_head_until_the_next_attempt(
    browser, server, expected
):
    with visit(browser, server.url, width=1400, height=700) as there:
        there.ready()
        message = there.page.locator(".message[role=alert]")
        there.choose("Scene, or the earlier of two", "scenes/lake.tif")
        there.page.get_by_text("What the file does not state").click()
        there.set("CRS", "EPSG:nowhere")
        there.button("Open").click()
        message.wait_for(timeout=20_000)
        beside, button = message.bounding_box(), there.button("Open").bounding_box()
        assert 0 <= beside["y"] - button["y"] - button["height"] < 40
        assert abs(beside["x"] - button["x"]) < 40
        assert there.text("failed").strip()
        assert there.page.locator(".ready").count() == 0
        there.page.goto(server.url)
        there.ready()
        assert message.count() == 0
        # At the last step the map and the head are still in view, and so is the next error.
        field = there.page.get_by_label("Number of subclusters", exact=True)
        there.page.get_by_text("More", exact=True).click()
        field.fill("2")
        field.press("Enter")
        message.get_by_text("“Number of subclusters”").first.wait_for(timeout=10_000)
        assert message.count() == 1
        there.button("Report").scroll_into_view_if_needed()
        assert there.frame()["y"] > 0
        assert there.page.locator("header").bounding_box()["y"] == 0
        field.fill("60")
        field.press("Enter")
        there.has_address("n_subclusters=60")
        there.ready()
        assert message.count() == 0


def test_an_address_that_cannot_work_is_told_and_the_demo_opens(browser, server):
    with visit(browser, server.url + "?before=/etc/passwd") as there:
        message = there.page.locator(".message[role=alert]")
        message.get_by_text("not among the files").wait_for(timeout=20_000)
        there.has_map()
        there.says("failed", "not among the files")
        there.set("How many", "7")
        there.has_clusters(7)
        there.ready()
        assert message.count() == 0


def test_it_fits_a_phone(browser, server):
    with visit(browser, server.url, width=420, height=850) as there:
        there.ready()
        assert there.page.evaluate("document.documentElement.scrollWidth") <= 420


def test_a_large_scene_shows_a_preview_and_then_every_pixel_in_the_same_view(
    browser, server, folder
):
    write_cog(many_lakes(290, 10), folder / "large.tif")
    with visit(browser, f"{server.url}?before=scenes/large.tif&k=3") as there:
        there.has_map()
        there.says("study", "Preview: one pixel in 4 × 4")
        frame = there.frame()
        there.page.mouse.move(frame["x"] + frame["width"] / 3, frame["y"] + frame["height"] / 3)
        there.page.mouse.wheel(0, -300)
        there.page.wait_for_timeout(600)
        closer = there.frame()
        assert closer["right"] - closer["left"] < frame["right"] - frame["left"]
        there.ready(120)
        there.says("study", "2,900 × 2,900 pixels")
        assert "Preview" not in there.text("study")
        there.page.wait_for_timeout(600)
        assert there.frame() == pytest.approx(closer)
