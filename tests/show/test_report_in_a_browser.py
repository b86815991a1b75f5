"""The report as a person uses it: from a file, without a network, by mouse, finger and keyboard."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager

import numpy as np
import pyproj
import pytest
import rasterio
from PIL import Image

import strandline as sl
from browser import open_page
from strandline.change import areas, compare
from strandline.demo import run_demo
from strandline.export.record import build_record
from strandline.prepare import stack_scenes
from strandline.prepare.georeference import grid_of
from strandline.segmentation import segment
from strandline.show.report import report
from strandline.testing.lakes import lonlat_of, round_lake
from strandline.water import find_water, water_confidence, water_mask

SHAPE = (90, 120)
LAKE, SHORE = (45, 60), (45, 77)  # in the middle, and where water was lost


@pytest.fixture(scope="module")
def study():
    before = round_lake(radius=600, shape=SHAPE, time="1988-10-22", platform="landsat-5")
    after = round_lake(radius=450, shape=SHAPE, time="2017-10-22", platform="landsat-8", seed=1)
    scenes = stack_scenes([before, after]).copy()
    scenes[0, :, 80:, :20] = np.nan
    segmentation = segment(scenes, n_clusters=3)
    evidence = find_water(segmentation)
    masks = water_mask(segmentation, evidence)
    return scenes, segmentation, evidence, masks, compare(masks[0], masks[1])


@pytest.fixture(scope="module")
def path(study, tmp_path_factory):
    page = tmp_path_factory.mktemp("report") / "report.html"
    confidence = water_confidence(study[1], study[2])
    scenes = [f"a/long/way/to/the/scene/of/{year}" for year in (1988, 2017)]
    area = ["--center", "-118.7081", "38.6942", "--buffer", "16500", "--buffer", "16500"]
    command = ["strandline", "change", *scenes, *area]
    record = build_record(config={}, command=command)
    told = areas(study[-1]), record
    page.write_text(report(*study, *told, confidence=confidence), encoding="utf-8")
    return page


@contextmanager
def opened(browser, path, **options):
    """Open the report; at the end it has asked for nothing and complained of nothing."""
    options = {"height": 1400} | options  # so that the whole map is in view
    with open_page(browser, offline=True, **options) as (page, watch):
        page.goto(path.as_uri())
        page.wait_for_selector("#explorer[data-ready=yes]")
        yield page
        assert watch.elsewhere == []
        assert watch.errors == []


def spot(page, row, column, shape=SHAPE):
    """Where on the map the middle of a pixel is."""
    box = page.locator(".map").bounding_box()
    return (
        box["x"] + box["width"] * (column + 0.5) / shape[1],
        box["y"] + box["height"] * (row + 0.5) / shape[0],
    )


def facts(page) -> dict[str, str]:
    names = page.locator("#facts dt").all_text_contents()
    told = [text.strip() for text in page.locator("#facts dd").all_text_contents()]
    return dict(zip(names, told, strict=True))


def values(page) -> np.ndarray:
    rows = page.locator("#values tbody tr").all()
    cells = [row.locator("td").all_text_contents()[1:] for row in rows]
    return np.array([[np.nan if cell == "–" else float(cell) for cell in row] for row in cells])


def colour(page, row, column) -> np.ndarray:
    page.evaluate("Promise.all([...document.images].map(image => image.decode().catch(() => 0)))")
    x, y = spot(page, row, column)
    image = page.screenshot(clip={"x": x - 1, "y": y - 1, "width": 3, "height": 3})
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).mean(axis=(0, 1))


def test_a_click_shows_the_pixel_as_it_is_in_the_arrays(browser, path, study):
    scenes, segmentation, _, masks, _ = study
    with opened(browser, path) as page:
        for row, column in (LAKE, SHORE, (3, 110), (89, 119), (0, 0)):
            page.mouse.click(*spot(page, row, column))
            told = facts(page)
            assert told["row, column"] == f"{row}, {column}"
            np.testing.assert_allclose(
                values(page), scenes.values[:, :, row, column].T, atol=0.00051, rtol=0
            )
            for number, date in enumerate(("1988-10-22", "2017-10-22")):
                cluster = int(segmentation["labels"][number, row, column])
                wet = bool(masks[number, row, column] == 1)
                assert told[date].startswith("water" if wet else "not water")
                assert f"cluster {cluster} " in told[date]


def test_the_pixel_says_how_sure_its_class_is(browser, path, study):
    sure = water_confidence(study[1], study[2]).compute()
    number, row, column = (int(i) for i in np.argwhere((sure < 0.9).values)[0])
    with opened(browser, path) as page:
        doubted = [n for n in (0, 1) if sure[n, row, column] < 0.9]
        assert number in doubted
        for place in ((row, column), LAKE):
            page.mouse.click(*spot(page, *place))
            told = list(facts(page).values())
            for date in (0, 1):
                percent = re.search(r"\((over )?(\d+) % sure\)", told[date])
                expected = 100 * float(sure[date, place[0], place[1]])
                assert bool(percent[1]) == (expected > 99.2)
                assert float(percent[2]) == pytest.approx(min(expected, 99), abs=0.7)
        page.mouse.click(*spot(page, 85, 5))
        assert "sure" not in facts(page)["1988-10-22"], "it was not observed"


def test_a_report_without_confidence_does_not_speak_of_it(browser, study, tmp_path):
    page_path = tmp_path / "report.html"
    page_path.write_text(report(*study), encoding="utf-8")
    with opened(browser, page_path) as page:
        page.mouse.click(*spot(page, *LAKE))
        assert facts(page)["1988-10-22"].startswith("water, cluster ")
        assert "sure" not in page.locator("#explorer").inner_text()


def test_the_pixel_is_told_with_its_place_and_its_change(browser, path, study):
    grid = grid_of(study[0])
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *SHORE))
        told = facts(page)
        assert told["change"] == "water lost"
        north, west = map(float, re.findall(r"([\d.]+)°", told["place"]))
        longitude, latitude = lonlat_of(grid, *SHORE)
        assert (-west, north) == pytest.approx((longitude, latitude), abs=1.1e-5)
        x, y = map(float, told["EPSG:32611"].split(", "))
        assert (x, y) == pytest.approx(grid.affine * (SHORE[1] + 0.5, SHORE[0] + 0.5), abs=0.06)


def test_what_was_not_observed_is_said_to_be(browser, path):
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, 85, 5))
        told = facts(page)
        assert told["1988-10-22"] == "not observed"
        assert "not water" in told["2017-10-22"]
        assert np.isnan(values(page)[:, 0]).all()
        assert "1988-10-22" in page.locator("#unseen").text_content()


def test_a_drag_and_the_slider_reveal_the_other_date(browser, path):
    with opened(browser, path) as page:
        page.evaluate("document.querySelector('.cross').style.display = 'none'")
        cut = page.locator("#swipe")
        y = spot(page, 20, 60)[1]
        # The middle of the line, between the dates: to the right of what was lost.
        page.mouse.move(spot(page, 20, 60)[0], y)
        page.mouse.down()
        page.mouse.move(spot(page, 20, 90)[0], y, steps=5)
        page.mouse.up()
        assert float(cut.input_value()) == pytest.approx(100 * 90.5 / 120, abs=1)
        wet = colour(page, *SHORE)
        assert facts(page)["row, column"] != "20, 90"  # a drag is not a click
        cut.focus()
        for _ in range(60):
            page.keyboard.press("ArrowLeft")
        assert float(cut.input_value()) == pytest.approx(100 * 90.5 / 120 - 30, abs=1)
        dry = colour(page, *SHORE)
        assert wet[2] > wet[0] + 20  # bluish: of the water before
        assert dry[0] > dry[2] + 20  # of the ground after
        assert cut.get_attribute("aria-valuetext") == "46 % 1988-10-22, 54 % 2017-10-22"
        assert page.get_by_label("Swipe between the dates").count() == 1


def test_a_finger_swipes_and_taps(browser, path):
    with opened(browser, path, width=420) as page:
        devices = page.context.new_cdp_session(page)
        devices.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

        def touch(kind, *points):
            there = [{"x": x, "y": y} for x, y in points]
            devices.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": there})

        touch("Start", spot(page, 10, 60))
        for column in (50, 40, 30):
            touch("Move", spot(page, 10, column))
        touch("End")
        assert float(page.locator("#swipe").input_value()) == pytest.approx(25.4, abs=1)
        touch("Start", spot(page, *LAKE))
        touch("End")
        assert facts(page)["row, column"] == f"{LAKE[0]}, {LAKE[1]}"


def test_layers_are_chosen_by_keyboard_and_show_water_in_its_colour(browser, path):
    with opened(browser, path) as page:
        page.evaluate("document.querySelector('.cross').style.display = 'none'")
        page.locator("input[name=layer]").first.focus()
        titles = [page.locator(".maptitle").text_content()]
        assert titles[0] == "True colour, 1988-10-22 and 2017-10-22"
        for _ in range(3):
            page.keyboard.press("ArrowRight")
            titles.append(page.locator(".maptitle").text_content())
        assert titles[1].startswith("False colour (swir16, nir08, red), 1988-10-22 and 2017-10-22")
        assert [title.split(",")[0] for title in titles[2:]] == ["Clusters", "Water"]
        water = np.array([0x1F, 0x5F, 0xA8])
        np.testing.assert_allclose(colour(page, 45, 50), water, atol=2)
        shown = page.locator(".legend:visible li").all_text_contents()
        assert [text.strip() for text in shown] == ["water", "not water", "not observed"]
        page.keyboard.press("ArrowRight")
        assert page.locator(".maptitle").text_content().startswith("Change, ")
        lost = np.array([0xD9, 0x54, 0x1E])
        np.testing.assert_allclose(colour(page, *SHORE), lost, atol=2)
        np.testing.assert_allclose(colour(page, SHORE[0], 120 - SHORE[1]), lost, atol=2)


def test_arrow_keys_move_the_pixel_and_say_so(browser, path):
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *LAKE))
        page.locator(".map").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+ArrowRight")
        assert facts(page)["row, column"] == f"{LAKE[0] + 1}, {LAKE[1] + 10}"
        assert "1988-10-22" in page.locator("#live").text_content()
        for _ in range(10):
            page.keyboard.press("Shift+ArrowUp")
        assert facts(page)["row, column"].startswith("0, ")


def test_the_chart_draws_the_pixel_over_every_cluster(browser, path):
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *SHORE))
        assert page.locator("#chart path.cluster").count() == 3
        assert page.locator("#chart path.own").count() == 2  # water before, land after
        assert page.locator("#chart circle.late").count() == 6
        # The higher the reflectance, the higher the mark.
        heights = [float(y) for y in page.locator("#chart circle.late").evaluate_all(
            "all => all.map(one => one.getAttribute('cy'))"
        )]  # fmt: skip
        assert np.corrcoef(heights, values(page)[:, 1])[0, 1] == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("width", [320, 420, 768, 1280])
def test_nothing_reaches_beyond_the_screen(browser, path, width):
    with opened(browser, path, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator(".map").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["width"] > 0.4 * min(width, 700)


def test_on_a_phone_pictures_fit_and_wide_tables_are_stacked(browser, path):
    with opened(browser, path, width=390) as page:
        pictures = page.locator("#change img, #labels img, #signatures img")
        assert pictures.count() == 3
        for picture in pictures.all():
            narrow = picture.locator("xpath=../source")
            picture.scroll_into_view_if_needed()
            assert picture.evaluate("one => one.currentSrc") == narrow.get_attribute("srcset")
            box = picture.bounding_box()
            assert box["x"] >= 0
            assert 320 < box["width"] <= 390 - box["x"]
        row = page.locator("#areas .stacked tbody tr").first
        names = row.locator("td").evaluate_all(
            "all => all.map(one => getComputedStyle(one, '::before').content)"
        )
        assert '"least"' in names
        for cell in row.locator("td").all():
            box = cell.bounding_box()
            assert box["x"] + box["width"] <= 390
        heads = page.locator("#areas .stacked th")
        assert heads.first.evaluate("one => getComputedStyle(one.closest('thead')).position") == (
            "absolute"
        )


def test_a_printed_command_breaks_between_its_options(browser, path):
    with opened(browser, path, width=688) as page:
        page.emulate_media(media="print")
        words = page.locator(".command span").all()
        heights = {word.text_content(): word.bounding_box()["height"] for word in words}
        tops = {word.bounding_box()["y"] for word in words}
        assert len(tops) > 1
        assert len({round(height) for height in heights.values()}) == 1
        image = page.locator("#change img")
        assert image.evaluate("one => one.currentSrc") == image.get_attribute("src")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run_demo(folder)
    return folder


def test_the_report_of_the_demo_is_at_most_5_mb_and_knows_the_lake(browser, demo):
    path = demo / "report.html"
    assert path.stat().st_size <= 5_000_000
    with rasterio.open(demo / "water_2017-10-22.tif") as file:
        shape, transform = file.shape, file.transform
        to_map = pyproj.Transformer.from_crs("EPSG:4326", file.crs, always_xy=True)
        water = file.read(1)
    column, row = ~transform * to_map.transform(-118.7081, 38.6942)
    opened_scenes = (sl.open_scene(scene) for scene in (demo / "scenes").iterdir())
    scenes = sorted(opened_scenes, key=lambda scene: scene["time"].values)
    with opened(browser, path) as page:
        note = page.locator("#explorer .note").text_content()
        per_point = int(re.search(r"(\d+) × \1 pixels", note)[1])
        page.mouse.click(*spot(page, row - 0.5, column - 0.5, shape))
        told = facts(page)
        assert told["1988-10-22"].startswith("water")
        assert told["2017-10-22"].startswith("water")
        assert told["change"] == "water on both"
        rows, columns = (
            slice(int(first), int(last) + 1)
            for first, last in re.findall(r"(\d+)–(\d+)", told["row, column"])
        )
        assert rows.stop - rows.start == columns.stop - columns.start == per_point
        assert (water[rows, columns] == 1).all()
        x, y = transform * (columns.start + 0.1, rows.stop - 0.1)
        near = transform * (columns.stop - 0.1, rows.start + 0.1)
        for number, scene in enumerate(scenes):
            block = scene.sel(x=slice(x, near[0]), y=slice(near[1], y))
            names = page.locator("#values tbody td:first-child").all_text_contents()
            means = block.sel(band=names).mean(("y", "x")).values
            assert block.shape[-2:] == (per_point, per_point)
            np.testing.assert_allclose(values(page)[:, number], means, atol=0.00051, rtol=0)


def test_names_from_files_stay_words(browser, study, tmp_path):
    scenes, segmentation, evidence, masks, change = study
    hostile = "</script><img src=x onerror=window.harm=1><svg onload=window.harm=1>"
    bands = [f"{hostile}{number}" for number in range(scenes.sizes["band"])]
    scenes = scenes.assign_coords(platform=("time", [hostile] * 2), band=bands)
    path = tmp_path / "hostile.html"
    page_text = report(scenes, segmentation.assign_coords(band=bands), evidence, masks, change)
    path.write_text(page_text, encoding="utf-8")
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *LAKE))
        assert page.evaluate("window.harm") is None
        assert page.locator("#values tbody td").first.text_content() == bands[0]
        assert "img src" in page.locator(".tag.right").text_content().lower()


def test_print_has_the_static_pictures_side_by_side_and_no_controls(browser, path):
    with opened(browser, path, width=794) as page:
        assert page.locator("#scenes > .pictures").is_hidden()
        page.emulate_media(media="print")
        assert page.locator("#explorer").is_hidden()
        first, second = (
            page.locator("#scenes > .pictures img").nth(i).bounding_box() for i in (0, 1)
        )
        assert first["y"] == second["y"]
        assert first["x"] + first["width"] <= second["x"]


def test_without_scripts_the_pictures_stay(browser, path):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.locator("#explorer").is_hidden()
        assert page.locator("#scenes > .pictures img").nth(1).is_visible()
    finally:
        context.close()


def zoom(page) -> float:
    return float(page.locator(".map").evaluate("map => map.style.getPropertyValue('--zoom')"))


def test_buttons_and_keys_zoom_and_a_click_finds_the_pixel_that_is_shown(browser, path, study):
    _, _segmentation, *_ = study
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *SHORE))
        bar = page.locator(".bar span")
        before = bar.text_content()
        assert page.locator("#zoom-out").is_disabled()
        page.click("#zoom-in")
        page.click("#zoom-in")
        assert zoom(page) == 4
        assert bar.text_content() != before, "the scale bar follows"
        # The chosen pixel stays under the mark; a pixel of the data is four times as wide.
        mark = page.locator(".cross").bounding_box()
        box = page.locator(".map").bounding_box()
        x, y = (mark[a] + mark[b] / 2 for a, b in (("x", "width"), ("y", "height")))
        side = box["width"] / SHAPE[1] * 4
        page.mouse.click(x + 3 * side, y + 2 * side)
        assert facts(page)["row, column"] == f"{SHORE[0] + 2}, {SHORE[1] + 3}"
        page.locator(".map").focus()
        page.keyboard.press("-")
        assert zoom(page) == 2
        page.keyboard.press("+")
        page.keyboard.press("0")
        assert zoom(page) == 1
        assert page.locator("#zoom-all").is_disabled()
        assert bar.text_content() == before


def test_a_wheel_with_ctrl_zooms_about_the_pointer_and_a_drag_moves_the_map(browser, path):
    with opened(browser, path) as page:
        x, y = spot(page, *SHORE)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -200)
        assert zoom(page) == 1, "a wheel alone scrolls the page"
        page.evaluate("scrollTo(0, 0)")
        page.mouse.move(*spot(page, *SHORE))
        page.keyboard.down("Control")
        page.mouse.wheel(0, -400)
        page.keyboard.up("Control")
        assert zoom(page) == pytest.approx(4, rel=0.05)
        page.mouse.click(*spot(page, *SHORE))
        assert facts(page)["row, column"] == f"{SHORE[0]}, {SHORE[1]}"
        cut = float(page.locator("#swipe").input_value())
        a, b = spot(page, 30, 40), spot(page, 30, 52)
        page.mouse.move(*a)
        page.mouse.down()
        page.mouse.move(*b, steps=4)
        page.mouse.up()
        assert float(page.locator("#swipe").input_value()) == cut, "the line stays"
        page.mouse.click(*spot(page, *SHORE))
        column = int(facts(page)["row, column"].split(", ")[1])
        assert column == pytest.approx(SHORE[1] - 12 / zoom(page), abs=1)
        # The line itself can still be dragged.
        box = page.locator(".map").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 200, steps=4)
        page.mouse.up()
        assert float(page.locator("#swipe").input_value()) == pytest.approx(70, abs=2)


def test_two_fingers_zoom(browser, path):
    with opened(browser, path, width=420) as page:
        devices = page.context.new_cdp_session(page)
        devices.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

        def touch(kind, *points):
            there = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
            devices.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": there})

        touch("Start", spot(page, 45, 50), spot(page, 45, 70))
        for apart in (24, 32, 40):
            touch("Move", spot(page, 45, 60 - apart / 2), spot(page, 45, 60 + apart / 2))
        touch("End")
        assert zoom(page) == pytest.approx(2, rel=0.1)


def test_the_keys_keep_the_chosen_pixel_in_view(browser, path):
    with opened(browser, path) as page:
        page.mouse.click(*spot(page, *LAKE))
        for _ in range(3):
            page.click("#zoom-in")
        page.locator(".map").focus()
        for _ in range(4):
            page.keyboard.press("Shift+ArrowRight")
        box, mark = (page.locator(s).bounding_box() for s in (".map", ".cross"))
        assert box["x"] <= mark["x"] + mark["width"] / 2 <= box["x"] + box["width"]


def test_change_is_one_layer_and_has_nothing_to_swipe(browser, path):
    with opened(browser, path) as page:
        page.locator("input[value=change]").check()
        assert page.locator(".maptitle").text_content() == "Change, 1988-10-22 to 2017-10-22"
        assert not page.locator(".divider").is_visible()
        assert not page.locator(".swipe").is_visible()
        page.locator("input[value=water]").check()
        assert page.locator(".divider").is_visible()
        assert float(page.locator("#swipe").input_value()) == 50


def test_contents_lead_to_every_section(browser, path):
    with opened(browser, path) as page:
        links = page.locator("nav a")
        names = [link.get_attribute("href")[1:] for link in links.all()]
        sections = [s.get_attribute("id") for s in page.locator("section[id]").all()]
        assert names == sections
        links.last.click()
        assert page.locator("#record h2").evaluate("e => e.getBoundingClientRect().top") < 1400


def test_terms_are_explained_where_they_stand(browser, path):
    with opened(browser, path) as page:
        for section, term in (("areas", "95 % from, to"), ("evidence", "MNDWI")):
            page.locator(f"#{section} details.terms summary").click()
            assert page.locator(f"#{section} .terms dt", has_text=term).last.is_visible()
