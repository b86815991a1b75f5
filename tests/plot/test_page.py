"""A saved picture in a real browser: what it shows under the pointer, and whom it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

import strandline as sl
from bokeh_page import frame_of, pointed, position
from browser import open_page
from strandline.errors import ConfigurationError
from strandline.export import write_picture
from strandline.show.clusters import cluster_palette
from strandline.testing.lakes import round_lake


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    scene = round_lake(radius=600).compute()
    scene = scene.assign_coords(time=np.datetime64("1988-10-22", "ns"))
    scene[:, 3:9, 5:15] = np.nan
    return scene.assign_attrs(platform="landsat-5")


@pytest.fixture(scope="module")
def segmentation(scene: xr.DataArray) -> xr.Dataset:
    return sl.segment(scene, n_clusters=3)


def test_the_pointer_shows_the_values_of_the_pixel_below_it(browser, tmp_path, scene, segmentation):
    labels = segmentation["labels"]
    path = write_picture(
        sl.plot.label_map(labels, segmentation, scenes=scene), tmp_path / "labels.html"
    )
    to = pyproj.Transformer.from_crs("EPSG:32611", "EPSG:4326", always_xy=True)
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        for row, column in ((30, 40), (12, 60), (50, 3)):
            x, y = float(labels["x"][column]), float(labels["y"][row])
            told = pointed(page, frame, x, y)
            label = int(labels[row, column])
            assert told["cluster"].split()[0] == str(label)
            for band in scene["band"].values:
                value = float(scene.sel(band=band)[row, column])
                assert told[str(band)] == f"{value:.4f}"
            east, north = (float(number) for number in told["x, y"].split(","))
            assert (east, north) == pytest.approx((x, y), abs=15)
            lon, lat = (float(number.strip("° ")) for number in told["lon, lat"].split(","))
            assert (lon, lat) == pytest.approx(to.transform(east, north), abs=1e-5)
        told = pointed(page, frame, float(labels["x"][10]), float(labels["y"][6]))
        assert told["cluster"] == "not observed"
        assert told["red"] == "not observed"
        assert not watch.elsewhere
        assert not watch.errors


@pytest.mark.parametrize("draw", ["bands", "true_colour", "swipe"])
def test_where_nothing_was_observed_the_pointer_says_so(browser, tmp_path, scene, draw):
    if draw == "swipe":
        picture = sl.plot.swipe(scene, scene.fillna(0.25))
    else:
        picture = getattr(sl.plot, draw)(scene)
    path = write_picture(picture, tmp_path / "picture.html")
    row = "reflectance" if draw == "bands" else "red"
    band = "blue" if draw == "bands" else "red"
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        places = {"seen": (30, 20), "unseen": (6, 10)}
        told = {
            name: pointed(page, frame, float(scene["x"][column]), float(scene["y"][line]))[row]
            for name, (line, column) in places.items()
        }
        value = f"{float(scene.sel(band=band)[30, 20]):.4f}"
        if draw == "swipe":
            assert told == {"seen": f"{value} → {value}", "unseen": "not observed → 0.2500"}
        else:
            assert told == {"seen": value, "unseen": "not observed"}
        assert not watch.errors


def test_every_band_of_every_date_can_be_chosen_in_a_saved_page(browser, tmp_path, scene):
    later = scene.assign_coords(time=np.datetime64("2017-10-22", "ns")) * 0.5
    path = write_picture(sl.plot.bands([scene, later]), tmp_path / "bands.html")
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frames = frame_of(page), frame_of(page, 1)
        x, y = float(scene["x"][40]), float(scene["y"][30])
        unseen = float(scene["x"][10]), float(scene["y"][6])
        options = page.locator("select option").all_text_contents()
        assert options == list(scene["band"].values)
        before = picture_of(page, tmp_path)
        # There and back again: what the page began with is not lost.
        for band in ("swir16", "nir08", options[0]):
            page.locator("select").select_option(band)
            page.wait_for_timeout(300)
            for frame, date in zip(frames, (scene, later), strict=True):
                value = float(date.sel(band=band)[30, 40])
                assert pointed(page, frame, x, y)["reflectance"] == f"{value:.4f}"
                assert pointed(page, frame, *unseen)["reflectance"] == "not observed"
            shown = titles_of(page)
            assert [title.split(" · ")[:2] for title in shown] == [
                [f"Band {band}", "1988-10-22"], [f"Band {band}", "2017-10-22"]
            ]  # fmt: skip
            page.mouse.move(1, 1)
            page.wait_for_timeout(300)
            same = (picture_of(page, tmp_path) == before).all()
            assert same == (band == options[0])
        assert not watch.elsewhere
        assert not watch.errors


def titles_of(page: Any) -> list[str]:
    return page.evaluate("""() => Object.values(Bokeh.index).flatMap(root =>
      [...root.model.references()].filter(m => m.type == 'Figure').map(m => m.title.text)).sort()
    """)


def test_a_page_too_large_to_hold_all_bands_says_so(monkeypatch, scene):
    from strandline.plot import page

    assert "Only band" not in sl.plot.page_of(sl.plot.bands(scene))
    monkeypatch.setattr(page, "MOST_VALUES", scene.size - 1)
    html = sl.plot.page_of(sl.plot.bands(scene))
    assert "Only band blue is in this page, as all 6 would make it too large." in html


def test_pictures_of_hvplot_lie_beside_those_of_plot_in_one_page(browser, tmp_path, scene):
    import hvplot.xarray  # noqa: F401  it gives DataArrays their .hvplot

    red = scene.sel(band="red", drop=True).rename("red")
    picture = sl.plot.true_colour(scene, width=420) + red.hvplot.image(
        x="x", y="y", frame_width=420, frame_height=315
    )
    path = write_picture(picture, tmp_path / "both.html")
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frames = frame_of(page), frame_of(page, 1)
        page.mouse.move(frames[0]["left"] + 100, frames[0]["top"] + 100)
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(500)
        near = frame_of(page), frame_of(page, 1)
        assert near[0]["x"] == near[1]["x"] != frames[0]["x"], "they zoom together"
        assert not watch.elsewhere
        assert not watch.errors
    widgets = scene.expand_dims("time").hvplot.image(x="x", y="y", groupby=["time", "band"])
    assert "Only time 1988-10-22T00:00:00.000000000, band blue is in this page." in (
        sl.plot.page_of(widgets)
    )


def test_a_page_with_an_overview_says_so(segmentation):
    labels = segmentation["labels"]
    assert "overview of a large raster" not in sl.plot.page_of(sl.plot.label_map(labels))
    html = sl.plot.page_of(sl.plot.label_map(labels, max_pixels=1000))
    assert "overview of a large raster" in html


@pytest.mark.parametrize(
    "name", ["true_colour", "false_colour", "bands", "label_map", "signatures", "swipe"]
)
def test_no_page_asks_anybody_for_anything(browser, tmp_path, scene, segmentation, name):
    given = {"label_map": [segmentation["labels"]], "signatures": [segmentation],
             "swipe": [scene, scene]}.get(name, [scene])  # fmt: skip
    path = write_picture(getattr(sl.plot, name)(*given), tmp_path / "picture.html")
    # With a network the requests would be seen, and refused.
    with open_page(browser) as (page, watch):
        page.goto(path.as_uri())
        frame_of(page)
        assert not watch.elsewhere
        assert not watch.errors


def test_labels_are_drawn_in_their_colours_and_nothing_where_nothing_was_seen(
    browser, tmp_path, segmentation
):
    labels = segmentation["labels"]
    palette = cluster_palette(segmentation["signature_mean"])
    path = write_picture(sl.plot.label_map(labels, segmentation), tmp_path / "labels.html")
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        shot = picture_of(page, tmp_path)
        for row, column in ((30, 40), (12, 60), (6, 10)):
            x, y = float(labels["x"][column]), float(labels["y"][row])
            across, down = position(frame, x, y)
            found = "#" + bytes(shot[round(down), round(across)]).hex()
            label = int(labels[row, column])
            assert found == ("#ffffff" if label == 255 else palette[label].colour)
        assert not watch.errors


def picture_of(page: Any, folder: Path) -> np.ndarray:
    from matplotlib.image import imread

    page.screenshot(path=folder / "page.png")
    return np.round(255 * imread(folder / "page.png")[..., :3]).astype(np.uint8)


def test_without_a_network_tiles_stay_away_and_the_labels_are_there(
    browser, tmp_path, segmentation
):
    labels = segmentation["labels"]
    picture = sl.plot.label_map(
        labels, segmentation, tiles="https://tiles.example.org/{Z}/{X}/{Y}.png"
    )
    path = write_picture(picture, tmp_path / "tiles.html")
    with open_page(browser) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        middle = [sum(frame[axis]) / 2 for axis in "xy"]
        assert pointed(page, frame, *middle)["cluster"].startswith("0 ")
        assert {url.split("/")[2] for url in watch.elsewhere} == {"tiles.example.org"}


def test_dragging_the_line_uncovers_the_other_date(browser, tmp_path, scene):
    after = scene.assign_coords(time=np.datetime64("2017-10-22", "ns")) * 0 + 0.2
    path = write_picture(sl.plot.swipe(scene, after), tmp_path / "swipe.html")
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        e = sl.show.display.data_extent(scene)
        right = e.left + 0.8 * (e.right - e.left), e.top - 0.2 * (e.top - e.bottom)
        middle = (e.left + e.right) / 2, (e.bottom + e.top) / 2

        def colour(place):
            across, down = position(frame, *place)
            return picture_of(page, tmp_path)[round(down), round(across)].tolist()

        flat = colour(right)
        assert colour((middle[0] + 60, middle[1])) == flat  # the later date is one grey
        across, down = position(frame, *middle)
        page.mouse.move(across, down)
        page.mouse.down()
        page.mouse.move(across + 120, down, steps=6)
        page.mouse.up()
        page.wait_for_timeout(300)
        assert colour((middle[0] + 60, middle[1])) != flat
        assert colour(right) == flat
        assert not watch.errors
        assert not watch.elsewhere


def test_axes_of_two_dates_move_together(browser, tmp_path, scene):
    path = write_picture(sl.plot.true_colour([scene, scene]), tmp_path / "two.html")
    with open_page(browser, offline=True) as (page, watch):
        page.goto(path.as_uri())
        frame = frame_of(page)
        before = frame_of(page, 1)["x"]
        page.mouse.move(frame["left"] + 100, frame["top"] + 100)
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(500)
        after = [frame_of(page, n)["x"] for n in (0, 1)]
        assert after[0] == after[1]
        assert after[0][1] - after[0][0] < 0.9 * (before[1] - before[0])
        assert not watch.errors


def test_a_page_has_a_name_that_says_so(tmp_path, segmentation):
    picture = sl.plot.signatures(segmentation)
    with pytest.raises(ConfigurationError, match=r"ends in \.html"):
        write_picture(picture, tmp_path / "signatures.png")
    with pytest.raises(ConfigurationError, match=r"ends in \.png"):
        write_picture(sl.show.signature_chart(segmentation), tmp_path / "signatures.html")
