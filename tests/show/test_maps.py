"""Every map has what a map needs, whatever its shape."""

from __future__ import annotations

import io
import subprocess
import sys

import dask.array as da
import matplotlib
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr
from PIL import Image

from strandline.change import compare
from strandline.errors import ConfigurationError, MissingBandError
from strandline.show import palettes
from strandline.show.canvas import picture_bytes
from strandline.show.captions import km2_texts, percent_text, sensor_text
from strandline.show.furniture import metres_per_unit
from strandline.show.maps import (
    before_after,
    change_map,
    false_colour,
    label_map,
    true_colour,
    water_map,
)
from strandline.show.sheets import water_sheet
from strandline.testing.lakes import lake_grid, mask_of

BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]


def grid(shape=(60, 80), crs="EPSG:32611", resolution=30.0, corner=(350_040, 4_290_000)) -> GeoBox:
    return GeoBox(shape, Affine(resolution, 0, corner[0], 0, -resolution, corner[1]), crs)


def scene(geobox=None, bands=BANDS, time="1988-10-22", platform="landsat-5") -> xr.DataArray:
    geobox = geobox or grid()
    rng = np.random.default_rng(0)
    layers = [wrap_xr(rng.random(geobox.shape, dtype=np.float32), geobox) for _ in bands]
    layers = [d.rename(dict(zip(d.dims, ("y", "x"), strict=True))) for d in layers]
    data = xr.concat(layers, dim="band").assign_coords(band=bands, time=np.datetime64(time, "ns"))
    data.attrs = {"platform": platform, "units": "1"}
    return data


def mask(geobox=None, time="1988-10-22", values=None) -> xr.DataArray:
    geobox = geobox or grid()
    _, columns = np.mgrid[: geobox.shape[0], : geobox.shape[1]]
    data = np.where(columns < 20, 1, 0).astype(np.uint8) if values is None else values
    result = wrap_xr(data, geobox, nodata=255)
    result = result.rename(dict(zip(result.dims, ("y", "x"), strict=True)))
    result.attrs |= {"flag_values": [0, 1], "flag_meanings": "not_water water"}
    return result.assign_coords(time=np.datetime64(time, "ns"))


def change(geobox=None) -> xr.DataArray:
    geobox = geobox or grid()
    data = (np.indices(geobox.shape)[1] // 20).astype(np.uint8)
    data[:6] = 255
    result = mask(geobox, values=data).drop_vars("time")
    meanings = "stable_land stable_water lost gained"
    result.attrs = {"flag_values": [0, 1, 2, 3], "flag_meanings": meanings}
    return result


def words(figure: Figure) -> list[str]:
    """Everything that is written on a sheet."""
    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def picture(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture_bytes(figure)[0])).convert("RGB"))


def test_a_picture_says_what_when_by_whom_and_where():
    said = words(true_colour(scene()))
    assert "True colour, 1988-10-22" in said
    assert "Landsat 5 TM · 38.74° N, 118.71° W · 30 m pixels · EPSG:32611" in said
    assert {"N", "500 m", "easting (km)", "northing (km)"} <= set(said)


def test_the_scale_bar_is_as_long_on_the_ground_as_it_says():
    # Walker Lake's latitude: a degree of longitude is 111.32 km * cos(38.7°), to 0.4 %.
    place = _place(scene(grid((50, 50), "EPSG:4326", 0.01, (-119, 38.95))))
    across, up = metres_per_unit(place)
    assert across == pytest.approx(111_320 * np.cos(np.radians(38.7)), rel=4e-3)
    assert up == pytest.approx(111_030, rel=2e-3)
    # Web Mercator stretches by 1 / cos(latitude).
    mercator = _place(scene(grid((9, 9), "EPSG:3857", 30, (-13_200_000, 4_680_000))))
    assert metres_per_unit(mercator)[0] == pytest.approx(np.cos(np.radians(38.7)), rel=5e-3)


def _place(data):
    from strandline.show.captions import place_of

    return place_of(data)


def test_degrees_are_written_as_degrees():
    said = words(water_map(mask(grid((40, 40), "EPSG:4326", 0.01, (-119, 38.9)))))
    assert any(text.endswith("°W") for text in said)
    assert any(text.endswith("°N") for text in said)


def test_areas_stand_in_the_legend():
    # 60 * 20 pixels of 900 m² = 1.08 km² in UTM; the true area differs by less than 0.1 %
    assert "1.08 km²" in words(water_map(mask()))
    said = words(change_map(change(), dates=("1988-10-22", "2017-10-22")))
    assert "Water lost and gained, 1988-10-22 to 2017-10-22" in said
    assert said.count("0.97 km²") == 4  # 54 * 20 pixels of each class
    assert "0.43 km²" in said  # 6 * 80 pixels not observed


def test_the_colours_on_the_picture_are_those_of_the_palette():
    pixels = picture(change_map(change())).reshape(-1, 3)
    for colour in ((0xE9, 0xE3, 0xD3), (0x1F, 0x5F, 0xA8), (0xD9, 0x54, 0x1E), (0x56, 0xB4, 0xE9)):
        assert (pixels == colour).all(axis=1).mean() > 0.05


def test_a_scene_below_is_grey_and_leaves_the_changes_in_colour():
    pixels = picture(change_map(change(), over=scene())).reshape(-1, 3).astype(int)
    assert (pixels == (0xD9, 0x54, 0x1E)).all(axis=1).mean() > 0.05
    assert (pixels == (0xE9, 0xE3, 0xD3)).all(axis=1).mean() < 0.01


def test_a_scene_on_another_grid_is_refused_as_a_background():
    with pytest.raises(ConfigurationError, match="does not lie on the map's grid"):
        change_map(change(), over=scene(grid((30, 30))))


def test_two_dates_share_one_stretch_and_carry_date_and_sensor():
    figure = before_after(scene(), scene(time="2017-10-22", platform="landsat-8"))
    said = words(figure)
    assert "1988-10-22 · Landsat 5 TM" in said
    assert "2017-10-22 · Landsat 8 OLI" in said
    first, second = (axes.images[0].get_array() for axes in figure.axes)
    np.testing.assert_array_equal(first, second)  # the same values look the same


def test_stacked_dates_keep_their_platforms():
    stacked = xr.concat([scene(), scene(time="2017-10-22")], dim="time")
    stacked = stacked.assign_coords(platform=("time", ["landsat-5", "landsat-8"]))
    assert "2017-10-22 · Landsat 8 OLI" in words(true_colour(stacked))


@pytest.mark.parametrize(
    ("bands", "title"),
    [
        (["swir16", "nir08", "red", "green"], "False colour (swir16, nir08, red)"),
        (["nir08", "red", "green"], "False colour (nir08, red, green)"),
        (["b1", "b2", "b3", "b4"], "Bands b1, b2, b3 as red, green, blue"),
        (["swir22"], "Band swir22"),
    ],
)
def test_missing_colours_fall_back_to_what_is_there_and_say_so(bands, title):
    assert f"{title}, 1988-10-22" in words(true_colour(scene(bands=bands)))


def test_false_colour_takes_the_bands_that_are_asked_for():
    assert "False colour (swir22, swir16, blue), 1988-10-22" in words(
        false_colour(scene(), bands=["swir22", "swir16", "blue"])
    )
    with pytest.raises(MissingBandError, match="coastal"):
        false_colour(scene(), bands=["coastal", "red", "green"])


def test_scenes_without_a_band_in_common_cannot_be_drawn_together():
    with pytest.raises(MissingBandError, match="no band in common"):
        true_colour([scene(bands=["red"]), scene(bands=["blue"])])


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 900), (900, 3), (5, 5)])
def test_any_shape_of_grid_makes_a_picture_of_reasonable_size(shape):
    for figure in (true_colour(scene(grid(shape))), water_map(mask(grid(shape)))):
        width, height = figure.get_size_inches()
        assert 2 < width < 14
        assert 2 < height < 14
        assert picture(figure).std() > 0
    if max(shape) > 100:
        assert "not to the same scale" in " ".join(words(figure)).replace("\n", " ")


def test_a_scene_without_any_observation_is_hatched_throughout():
    pixels = picture(true_colour(scene() * np.nan)).reshape(-1, 3)
    assert (pixels == 0xDC).all(axis=1).mean() > 0.3


def test_a_scene_without_crs_gets_pixel_numbers_and_no_scale_bar():
    bare = xr.DataArray(np.ones((1, 6, 8)), dims=("band", "y", "x"), coords={"band": ["red"]})
    said = words(true_colour(bare))
    assert {"column", "row", "no coordinate system"} <= set(said)
    assert "N" not in said
    water = xr.DataArray(np.arange(8, dtype=np.uint8).reshape(2, 4) // 6, dims=("y", "x"))
    water.attrs = {"flag_values": [0, 1], "flag_meanings": "not_water water"}
    assert "25.0 %" in words(water_map(water))


def test_labels_come_with_a_hint_a_share_and_the_water():
    labels = mask(values=(np.indices((60, 80))[1] // 40).astype(np.uint8))
    labels.attrs = {"flag_values": [0, 1, 2], "flag_meanings": "label_0 label_1 label_2"}
    means = [[0.05] * 3 + [0.02, 0.01, 0.01], [0.03, 0.06, 0.04, 0.35, 0.18, 0.09], [0.3] * 6]
    segmentation = xr.Dataset(
        {"signature_mean": (("cluster", "band"), means)},
        coords={"cluster": [0, 1, 2], "band": BANDS},
    )
    said = words(label_map(labels, segmentation=segmentation, water=[0]))
    assert {"0 water", "1 dense vegetation", "2 cloud or white ground"} <= set(said)
    assert said.count("50.0 %") == 2
    assert "0.0 %" in said


@pytest.mark.parametrize(("count", "columns"), [(2, 1), (6, 1), (8, 2)])
def test_a_sheet_for_a_phone_has_its_maps_one_below_the_other_and_its_legend_last(count, columns):
    days = np.datetime64("2001-01-01", "ns") + np.arange(count) * np.timedelta64(1, "D")
    masks = xr.concat([mask().assign_coords(time=day) for day in days], "time")
    figure = water_sheet(masks).draw(narrow=True)
    assert figure.get_size_inches()[0] <= 4.3
    boxes = [axes.get_position() for axes in figure.axes]
    assert len({round(box.x0, 3) for box in boxes}) == columns
    assert len({round(box.y0, 3) for box in boxes}) == count / columns
    legend = next(text for text in figure.texts if text.get_text() == "Area in this picture")
    assert legend.get_position()[1] < min(box.y0 for box in boxes)


def test_small_shares_are_not_rounded_to_nothing():
    assert [percent_text(v) for v in (0, 0.0004, 0.25)] == ["0.0 %", "< 0.1 %", "25.0 %"]


def test_sensors_are_named_as_people_write_them():
    names = [
        sensor_text(xr.DataArray(0, attrs={"platform": p}))
        for p in ("landsat-5", "landsat-7", "unknown")
    ]
    assert names == ["Landsat 5 TM", "Landsat 7 ETM+", ""]


def test_lazy_scenes_give_the_same_picture():
    data = scene(grid((130, 90)))
    assert picture_bytes(true_colour(data.chunk(y=37, x=41))) == picture_bytes(true_colour(data))


def test_the_same_data_give_the_same_bytes_in_another_process_and_style(tmp_path):
    first, media_type = picture_bytes(change_map(change()))
    assert media_type == "image/png"
    with matplotlib.rc_context({"font.size": 30, "savefig.bbox": "tight", "axes.grid": True}):
        again, _ = picture_bytes(change_map(change()))
    assert first == again
    assert b"Strandline" in first[:200]
    assert matplotlib.__version__.encode() not in first


def test_nothing_touches_pyplot():
    code = (
        "import sys, numpy as np, xarray as xr; from strandline.show import true_colour;"
        "true_colour(xr.DataArray(np.ones((1, 4, 4)), dims=('band', 'y', 'x'),"
        " coords={'band': ['red']})); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code]).returncode == 0


def test_a_large_lazy_scene_is_reduced_for_the_picture():
    one = da.zeros((2500, 3100), chunks=700, dtype=np.float32) + np.float32(0.2)
    lazy = xr.concat([wrap_xr(one, grid(one.shape)) for _ in range(3)], dim="band")
    figure = true_colour(lazy.assign_coords(band=["red", "green", "blue"]))
    assert figure.axes[0].images[0].get_array().shape == (834, 1034, 4)


def test_what_is_no_scene_and_no_map_is_refused():
    with pytest.raises(ConfigurationError, match="not a scene"):
        true_colour(mask())
    with pytest.raises(ConfigurationError, match="not a map of classes"):
        water_map(scene())


def test_the_change_map_says_what_saw_the_dates():
    grid = lake_grid((30, 40))
    change = compare(mask_of(np.ones((30, 40)), grid), mask_of(np.zeros((30, 40)), grid))
    figure = change_map(change, sensors=("Landsat 5 TM", "Landsat 8 OLI"))
    assert any(t.get_text().startswith("Landsat 5 TM and Landsat 8 OLI · ") for t in figure.texts)
    same = change_map(change, sensors=("Landsat 5 TM", "Landsat 5 TM"))
    assert any(t.get_text().startswith("Landsat 5 TM · ") for t in same.texts)


def placed_words(figure):
    """Text, left and right edge of each text of a figure, in inches."""
    renderer = figure.canvas.get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts if t.get_text()]
    return [(text, box.x0 / figure.dpi, box.x1 / figure.dpi, box.y0, box.y1) for text, box in boxes]


def test_one_swatch_of_water_serves_all_dates_and_each_number_stands_with_its_own():
    masks = xr.concat([mask(), mask()], "time").assign_coords(
        time=np.array(["1988-10-22", "2017-10-22"], "M8[ns]")
    )
    figure = water_map(masks)
    swatches = [p for p in figure.get_children() if type(p).__name__ == "FancyBboxPatch"]
    blue = [p for p in swatches if to_hex(p.get_facecolor()) == palettes.WATER]
    assert len(blue) == 1
    places = placed_words(figure)
    names = [one for one in places if one[0].startswith("water, ")]
    numbers = [one for one in places if one[0].endswith("km²")]
    assert len(names) == len(numbers) == 2
    for name, number in zip(names, numbers, strict=True):
        assert 0 < number[1] - name[2] < 1.2, "no other swatch lies between name and number"


@pytest.mark.parametrize("shape", [(60, 80), (30, 300)])
def test_long_names_of_a_legend_do_not_reach_into_the_numbers(shape):
    count = 8
    labels = mask(grid(shape), values=(np.indices(shape)[1] % count).astype(np.uint8))
    labels.attrs = {"flag_values": list(range(count)), "flag_meanings": "a b c d e f g h"}
    means = np.linspace(0.8, 1.2, count)[:, None] * [0.03, 0.06, 0.05, 0.2, 0.2, 0.09]
    segmentation = xr.Dataset(
        {"signature_mean": (("cluster", "band"), means)},
        coords={"cluster": range(count), "band": BANDS},
    )
    places = placed_words(label_map(labels, segmentation=segmentation))
    names = [one for one in places if "vegetation" in one[0]]
    numbers = [one for one in places if one[0].endswith(" %")]
    assert len(names) == count
    for _, left, right, low, high in names:
        beside = [n for n in numbers if low < (n[3] + n[4]) / 2 < high and n[1] > left]
        nearest = min(n[1] for n in beside)
        assert nearest - right > 0.02, "the number is not written over the name"


def test_pictures_say_where_they_are_and_whose_data_they_show():
    said = " ".join(words(true_colour(scene())))
    assert "38.74° N, 118.71° W" in said
    assert "Landsat images courtesy of the U.S. Geological Survey. Made with Strandline." in said
    sentinel = scene().assign_attrs(platform="sentinel-2a")
    sentinel = sentinel.assign_coords(time=np.datetime64("2020-08-02", "ns"))
    assert "Contains modified Copernicus Sentinel data 2020." in words(true_colour(sentinel))[-1]
    assert (
        "Simulated, not observed" in words(true_colour(scene().assign_attrs(simulated="yes")))[-1]
    )


def test_areas_of_a_legend_have_the_same_decimals():
    assert km2_texts({2: 31.53, 3: 0.0639, 1: 118.94, 0: 940.8}, (1, 2, 3)) == {
        2: "31.5 km²", 3: "0.1 km²", 1: "118.9 km²", 0: "940.8 km²",
    }  # fmt: skip
    assert km2_texts({2: 0.0, 3: 0.0, 1: 0.0, 0: 12.5}, (1, 2, 3))[0] == "12.50 km²"
