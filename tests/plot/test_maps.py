"""What the interactive pictures hold: values, colours, names, limits, what the pointer tells."""

from __future__ import annotations

import subprocess
import sys

import holoviews as hv
import numpy as np
import pyproj
import pytest
import xarray as xr
from bokeh.models import BoxZoomTool, FixedTicker, HoverTool, LinearColorMapper, ScaleBar

import strandline as sl
from strandline.errors import ConfigurationError, GridMismatchError, MissingBandError
from strandline.plot.ground import Degrees, Ground
from strandline.prepare.georeference import grid_of
from strandline.show.clusters import cluster_palette
from strandline.show.palettes import change_palette, water_palette
from strandline.testing.lakes import round_lake


def dated(scene: xr.DataArray, when: str, platform: str) -> xr.DataArray:
    return scene.assign_coords(time=np.datetime64(when, "ns")).assign_attrs(platform=platform)


@pytest.fixture(scope="module")
def scenes() -> list[xr.DataArray]:
    before = dated(round_lake(radius=600), "1988-10-22", "landsat-5").compute()
    after = dated(round_lake(radius=450), "2017-10-22", "landsat-8").compute()
    before[:, 3:9, 5:15] = np.nan
    return [before, after]


@pytest.fixture(scope="module")
def segmentation(scenes: list[xr.DataArray]) -> xr.Dataset:
    return sl.segment(sl.stack_scenes(scenes), n_clusters=3)


@pytest.fixture(scope="module")
def water(segmentation: xr.Dataset) -> xr.DataArray:
    return sl.water_mask(segmentation)


def plots(picture: object) -> list[hv.Image | hv.RGB]:
    """The images of a picture, below one another and beside one another."""
    return list(picture.traverse(lambda x: x, [hv.Image, hv.RGB]))


def figure_of(picture: object):
    return hv.render(picture, backend="bokeh")


def hover_of(picture: object) -> HoverTool:
    (hover,) = figure_of(picture).select(HoverTool)
    return hover


def values(image: hv.Image, name: str) -> np.ndarray:
    """The array of a layer, first row on top as in the data."""
    return np.flipud(image.dimension_values(name, flat=False))


def test_labels_keep_their_values_and_their_colours(segmentation):
    labels = segmentation["labels"][0]
    (image,) = plots(sl.plot.label_map(labels, segmentation))
    assert (values(image, "cluster") == labels.values).all()
    assert values(image, "cluster").dtype == np.uint8
    mapper = figure_of(image).select({"type": LinearColorMapper})[0]
    palette = cluster_palette(segmentation["signature_mean"])
    assert mapper.palette[:3] == [palette[i].colour for i in range(3)]
    assert (mapper.low, mapper.high, len(mapper.palette)) == (-0.5, 3.5, 4)
    assert mapper.high_color == "rgba(0, 0, 0, 0)"


def test_dates_lie_side_by_side_with_the_same_frame_and_linked_axes(segmentation, water):
    layout = sl.plot.label_map(segmentation["labels"], segmentation)
    assert len(layout) == 2
    assert len(sl.plot.water_map(water)) == 2
    figures = [f for f in figure_of(layout).select({}) if hasattr(f, "x_range")]
    figures = [f for f in figures if type(f).__name__ == "figure"]
    assert figures[0].x_range is figures[1].x_range
    assert figures[0].y_range is figures[1].y_range
    assert figures[0].frame_width == figures[1].frame_width


def test_titles_say_date_and_sensor(segmentation, scenes):
    titles = [
        image.opts.get("plot").kwargs["title"]
        for image in plots(sl.plot.label_map(segmentation["labels"], segmentation))
    ]
    assert titles == [
        "Clusters · 1988-10-22 · Landsat 5 TM",
        "Clusters · 2017-10-22 · Landsat 8 OLI",
    ]
    assert "True colour · 1988-10-22 · Landsat 5 TM" in [
        image.opts.get("plot").kwargs.get("title") for image in plots(sl.plot.true_colour(scenes))
    ]


def test_the_pointer_reads_the_class_by_name_and_every_band(segmentation, scenes):
    labels = segmentation["labels"][0]
    picture = sl.plot.label_map(labels, segmentation, scenes=scenes[0])
    (image,) = plots(picture)
    for band in scenes[0]["band"].values:
        np.testing.assert_array_equal(values(image, band), scenes[0].sel(band=band).values)
    hover = hover_of(picture)
    assert [name for name, _ in hover.tooltips] == [
        "cluster", "x, y", "lon, lat", *scenes[0]["band"].values
    ]  # fmt: skip
    assert '"0": "0 like water"' in hover.formatters["@image"].code
    source = figure_of(picture).renderers[0].data_source
    assert source.data["nir08"][0].shape == labels.shape


def test_the_legend_names_each_class_with_its_share_or_area(segmentation, water):
    def legend(picture):
        (bar,) = figure_of(picture).right
        ticker, names = bar.ticker, bar.major_label_overrides
        assert isinstance(ticker, FixedTicker)
        return [names[t] for t in ticker.ticks]

    shares = legend(sl.plot.label_map(segmentation["labels"][0], segmentation))
    assert [name.split()[0] for name in shares] == ["0", "1", "2", "not"]
    assert shares[0].startswith("0 like water")
    areas = legend(sl.plot.water_map(water[0]))
    km2 = sl.areas(water[0])["best"].iloc[0]
    assert areas[1] == f"water  {km2:.2f} km²"
    change = sl.compare(water[0], water[1])
    assert legend(sl.plot.change_map(change))[2].startswith("water lost  0.")


def test_water_and_change_have_the_colours_of_all_other_pictures(water):
    change = sl.compare(water[0], water[1])
    for picture, palette in (
        (sl.plot.water_map(water[1]), water_palette()),
        (sl.plot.change_map(change), change_palette()),
    ):
        (image,) = plots(picture)
        assert image.opts.get("style").kwargs["cmap"][:-1] == [c.colour for c in palette.categories]


def test_change_tells_the_reflectance_on_both_dates(water, scenes):
    change = sl.compare(water[0], water[1])
    picture = sl.plot.change_map(change, scenes=scenes)
    rows = dict(hover_of(picture).tooltips)
    assert rows["red"] == "$x{value:red_1} → $x{value:red_2}"
    (image,) = plots(picture)
    np.testing.assert_array_equal(values(image, "red 2"), scenes[1].sel(band="red").values)
    title = image.opts.get("plot").kwargs["title"]
    assert title.startswith("Water lost and gained, 1988-10-22 to 2017-10-22 · Landsat 5 TM and")


def test_colours_have_one_stretch_and_what_was_not_observed_is_transparent(scenes):
    shown = [image for image in plots(sl.plot.true_colour(scenes)) if isinstance(image, hv.RGB)]
    stretch = sl.show.fit_stretch(scenes, ["red", "green", "blue"])
    for image, scene in zip(shown, scenes, strict=True):
        expected = stretch.apply(scene.sel(band=["red", "green", "blue"]).values)
        seen = np.isfinite(expected).all(axis=0)
        assert (values(image, "A") == 255 * seen).all()
        red = values(image, "R")[seen]
        np.testing.assert_allclose(red, 255 * expected[0][seen], atol=0.51)
    assert not np.isfinite(scenes[0]).all()


def test_false_colour_shows_the_bands_asked_for(scenes):
    picture = sl.plot.false_colour(scenes[0], bands=["nir08", "red", "green"])
    shown = next(image for image in plots(picture) if isinstance(image, hv.RGB))
    assert shown.opts.get("plot").kwargs["title"].startswith("False colour (nir08, red, green)")
    with pytest.raises(MissingBandError, match="three bands of"):
        sl.plot.false_colour(scenes[0], bands=["nir08", "thermal", "green"])


def test_one_selector_shows_a_band_of_all_dates_in_the_same_grey(scenes):
    layout = sl.plot.bands(scenes)
    maps = [layout[key] for key in layout.keys()]  # noqa: SIM118  a Layout iterates over values
    for one, scene in zip(maps, scenes, strict=True):
        assert one.kdims[0].name == "band"
        assert one.kdims[0].values == list(scene["band"].values)
        image = one["nir08"]
        np.testing.assert_array_equal(values(image, "value"), scene.sel(band="nir08").values)
    assert maps[0]["nir08"].vdims[0].range == maps[1]["nir08"].vdims[0].range
    low, high = maps[0]["nir08"].vdims[0].range
    assert 0 < high - low < 0.5
    assert maps[0]["blue"].vdims[0].range != maps[0]["nir08"].vdims[0].range


def test_proportions_are_those_on_the_ground_and_a_bar_says_how_long(scenes):
    for geo in (False, True):
        figure = figure_of(sl.plot.true_colour(scenes[0], geo=geo))
        ground = Ground.of(scenes[0])
        if not geo:
            assert figure.frame_width / figure.frame_height == pytest.approx(
                ground.aspect, rel=0.01
            )
        (bar,) = figure.select(ScaleBar)
        metres = bar.dimensional.basis[bar.unit][0]
        assert metres == pytest.approx(np.cos(np.radians(38.75)) if geo else 1, rel=2e-3)
        for tool in figure.select(BoxZoomTool):
            assert tool.match_aspect


def test_axes_in_degrees_lie_in_mercator(segmentation):
    labels = segmentation["labels"][0]
    (image,) = plots(sl.plot.label_map(labels, segmentation, geo=True))
    to = pyproj.Transformer.from_crs("EPSG:3857", labels.odc.crs.to_wkt(), always_xy=True)
    x, y = image.dimension_values("x", False), image.dimension_values("y", False)
    drawn = image.dimension_values("cluster", flat=False)
    row, column = len(y) // 3, len(x) // 2
    there = to.transform(x[column], y[row])
    expected = labels.sel(x=there[0], y=there[1], method="nearest")
    assert drawn[row, column] == int(expected)
    figure = figure_of(image)
    assert type(figure.xaxis[0].formatter).__name__ == "MercatorTickFormatter"
    assert figure.xaxis[0].axis_label == "longitude (°)"


def test_longitude_and_latitude_in_the_page_are_those_of_proj(scenes):
    e = Ground.of(scenes[0]).extent
    fit = Ground.of(scenes[0]).degrees
    to = pyproj.Transformer.from_crs("EPSG:32611", "EPSG:4326", always_xy=True)
    for x, y in ((e.left, e.top), (e.right, e.bottom), (e.left + 333, e.top - 777)):
        assert fit.at(x, y) == pytest.approx(to.transform(x, y), abs=1e-8)
    # A whole Landsat scene, near the pole, where the meridians run together.
    from strandline.show.display import Extent

    wide = Extent(300_000, 500_000, 8_600_000, 8_800_000)
    fit = Degrees.fitted(wide, pyproj.CRS("EPSG:32633"))
    to = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    for x, y in ((300_000, 8_800_000), (420_000, 8_650_000)):
        assert fit.at(x, y) == pytest.approx(to.transform(x, y), abs=1e-5)


def test_a_picture_without_a_place_has_rows_and_columns(segmentation):
    labels = segmentation["labels"][0].drop_vars(["x", "y", "spatial_ref"])
    labels.attrs.pop("grid_mapping", None)
    labels.encoding.pop("grid_mapping", None)
    picture = sl.plot.label_map(labels, segmentation)
    figure = figure_of(picture)
    assert figure.xaxis[0].axis_label == "column"
    assert not list(figure.select(ScaleBar))
    assert "lon, lat" not in dict(hover_of(picture).tooltips)


def test_south_up_rasters_are_drawn_north_up(segmentation):
    labels = segmentation["labels"][0]
    turned = labels.isel(y=slice(None, None, -1))
    (image,) = plots(sl.plot.label_map(turned, segmentation))
    assert (values(image, "cluster") == labels.values).all()


def test_tiles_lie_below_and_only_they_name_an_address(segmentation):
    labels = segmentation["labels"][0]
    address = "https://tiles.example.org/{Z}/{X}/{Y}.png"
    picture = sl.plot.label_map(labels, segmentation, tiles=address)
    (below,) = picture.traverse(lambda x: x, [hv.Tiles])
    assert below.data == address
    assert "tiles.example.org" in sl.plot.page_of(picture)
    assert not sl.plot.label_map(labels, segmentation, geo=True).traverse(lambda x: x, [hv.Tiles])
    with pytest.raises(ConfigurationError, match="no such tiles"):
        sl.plot.label_map(labels, tiles="Atlantis")


def test_over_tiles_land_of_a_mask_is_transparent(segmentation):
    mask = sl.water_mask(segmentation)[0]
    land = water_palette()[0].colour
    for tiles, colour in ((None, land), ("https://tiles.example.org/{Z}/{X}/{Y}.png", f"{land}00")):
        figure = figure_of(sl.plot.water_map(mask, tiles=tiles))
        (mapper,) = figure.select(LinearColorMapper)
        assert list(mapper.palette)[:2] == [colour, water_palette()[1].colour]


def test_more_clusters_than_colours_tell_apart_are_said_so(segmentation):
    labels = segmentation["labels"][0]
    many = labels.assign_attrs(flag_values=list(range(14)), flag_meanings="c " * 14)
    many = many.where(many != 2, 13).astype("uint8")
    assert "More than 12" in figure_of(sl.plot.label_map(many)).title.text.replace("\n", " ")
    assert "More than 12" not in figure_of(sl.plot.label_map(labels)).title.text


def test_signatures_have_the_colours_of_the_labels_and_tell_their_numbers(segmentation):
    chart = sl.plot.signatures(segmentation, water=[0])
    points = list(chart.traverse(lambda x: x, [hv.Scatter]))
    palette = cluster_palette(segmentation["signature_mean"], water=[0])
    assert [p.opts.get("style").kwargs["color"] for p in points] == [
        palette[i].colour for i in range(3)
    ]
    means = segmentation["signature_mean"].values
    np.testing.assert_allclose(points[1].dimension_values("reflectance"), means[1])
    lines = chart.traverse(lambda x: x, [lambda x: type(x) is hv.Curve])
    assert [line.opts.get("style").kwargs["line_width"] for line in lines] == [4, 2, 2]
    assert len(list(figure_of(chart).select(HoverTool))) >= 1


def test_a_scene_on_another_grid_is_refused(segmentation, scenes):
    with pytest.raises(ConfigurationError, match="does not lie on the map's grid"):
        sl.plot.label_map(segmentation["labels"][0], segmentation, scenes=scenes[0][:, 1:])
    with pytest.raises(ConfigurationError, match="its own scene"):
        sl.plot.label_map(segmentation["labels"], segmentation, scenes=scenes[0])
    with pytest.raises(GridMismatchError, match="not on one grid"):
        sl.plot.swipe(scenes[0], scenes[1][:, 1:])
    with pytest.raises(ConfigurationError, match="cannot be laid over"):
        sl.plot.swipe(scenes[0], segmentation["labels"][0])


def test_swipe_holds_both_dates_under_one_pointer(scenes, water):
    picture = sl.plot.swipe(*scenes)
    assert dict(hover_of(picture).tooltips)["red"] == ("$x{value:before_red} → $x{value:after_red}")
    masks = sl.plot.swipe(water[0], water[1])
    below, above = plots(masks)
    assert (values(below, "before") == water[0].values).all()
    assert (values(above, "after") == water[1].values).all()
    assert figure_of(masks).select({"name": "swipe"})[0].editable


def test_a_one_row_raster_can_be_drawn(segmentation):
    labels = segmentation["labels"][0][30:31]
    (image,) = plots(sl.plot.label_map(labels, segmentation))
    assert (values(image, "cluster") == labels.values).all()
    assert image.bounds.lbrt()[3] - image.bounds.lbrt()[1] == pytest.approx(30)
    figure_of(image)


def test_a_picture_can_be_drawn_twice(segmentation):
    """Bokeh's models belong to one page; the objects must not hold any."""
    picture = sl.plot.label_map(segmentation["labels"], segmentation)
    assert len(sl.plot.page_of(picture)) == pytest.approx(len(sl.plot.page_of(picture)), rel=1e-3)


def test_without_what_draws_the_error_says_how_to_get_it():
    code = """
import sys
sys.modules["holoviews"] = None
import strandline as sl
from strandline.errors import MissingDependencyError
from strandline.testing.lakes import round_lake
try:
    sl.plot.true_colour(round_lake())
except MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "python -m pip install '" in done.stdout
    assert "strandline.show" in done.stdout


def test_importing_the_module_loads_nothing_that_draws():
    code = "import sys, strandline; strandline.plot; print('holoviews' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_grids_of_the_fixture_are_one(scenes):
    assert grid_of(scenes[0]) == grid_of(scenes[1])


def test_the_scale_bar_is_in_metres_and_not_in_units_of_the_crs(segmentation):
    from bokeh.models.annotations import ScaleBar

    (image,) = plots(sl.plot.label_map(segmentation["labels"][0], segmentation))
    (bar,) = figure_of(image).select({"type": ScaleBar})
    assert set(bar.dimensional.basis) == {"m", "km"}
    assert bar.unit == "m"
    assert bar.dimensional.basis["m"][0] == pytest.approx(1, abs=2e-3)
