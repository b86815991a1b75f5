"""The map of the page, without a browser: classes keep their colours, near and far."""

from __future__ import annotations

from dataclasses import replace

import holoviews as hv
import numpy as np
import pytest

from strandline.app.job import Job
from strandline.app.picture import (
    CHANGE,
    CLUSTERS,
    INDICES,
    LAYERS,
    TRUE,
    WATER,
    MapPicture,
    clusters_of,
    layers_of,
)
from strandline.app.shared import Shared
from strandline.app.state import Session
from strandline.plot import zoom
from strandline.prepare.georeference import grid_of

pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages that draw


@pytest.fixture(scope="module", autouse=True)
def bokeh():
    hv.extension("bokeh", logo=False)


@pytest.fixture
def outcome(session):
    return session.run()


def ignore(*_):
    pass


def colours(shown) -> np.ndarray:
    """The colours of a map, first row on top."""
    image = shown[()].get(0)
    return np.dstack([image.dimension_values(i, flat=False)[::-1] for i in range(2, 6)])


def test_true_colour_is_the_first_layer_and_indices_are_there_where_the_bands_are(outcome):
    assert layers_of(outcome)[0] == TRUE
    assert layers_of(outcome) == [*LAYERS, "NDWI", "MNDWI", "NDVI"]
    scenes = outcome.prepared.scenes.sel(band=["green", "red", "nir08"])
    fewer = replace(outcome, prepared=replace(outcome.prepared, scenes=scenes))
    assert layers_of(fewer) == [*LAYERS, "NDWI", "NDVI"]


@pytest.mark.parametrize("layer", INDICES)
def test_an_index_is_coloured_by_its_value(outcome, layer):
    shown = MapPicture(outcome, ignore, ignore, ignore, layer=layer)
    seen = colours(shown.picture).astype(int)
    scene = outcome.prepared.scenes[0]
    one, other = (scene.sel(band=band).values for band in INDICES[layer])
    index = (one - other) / (one + other)
    cool = seen[..., 1 if layer == "NDVI" else 2] - seen[..., 0]  # green or blue, less red
    assert (cool[index > 0.1] > 0).all()
    assert (cool[index < -0.1] < 0).all()
    assert (seen[..., 3][np.isfinite(index)] == 255).all()
    assert shown.headline.startswith(f"{layer} = ({INDICES[layer][0]} − ")
    assert len(shown.legend) == 3


@pytest.mark.parametrize("layer", [*LAYERS, CHANGE])
def test_each_layer_of_each_date_is_drawn(outcome, layer):
    shown = MapPicture(outcome, ignore, ignore, ignore, layer=layer)
    for date in (0, 1):
        shown.show(date=date)
        hv.render(shown.picture, backend="bokeh")
        assert colours(shown.picture).shape[:2] == outcome.water.shape[1:]


@pytest.mark.parametrize("layer", [*LAYERS, CHANGE])
def test_each_layer_says_date_and_sensor_and_what_its_colours_mean(outcome, layer):
    shown = MapPicture(outcome, ignore, ignore, ignore, layer=layer)
    told = ("1988-10-22 Landsat 5 TM (simulated)", "2017-10-22 Landsat 8 OLI (simulated)")
    for date in (0, 1):
        shown.show(date=date)
        seen = "Landsat 5 TM (simulated) and Landsat 8 OLI (simulated)"
        ends = f"1988-10-22 to 2017-10-22 · {seen}"
        assert shown.headline.endswith(ends if layer == CHANGE else f" · {told[date]}")
        assert len(shown.legend) == {CLUSTERS: 8, WATER: 2, CHANGE: 4}.get(layer, 3)
    both = MapPicture(outcome, ignore, ignore, ignore, layer=WATER, swipe=True)
    assert both.headline == f"Water · {told[0]} | {told[1]}"


def test_clusters_have_their_colours(outcome):
    shown = MapPicture(outcome, ignore, ignore, ignore)
    shown.outline = False
    shown.show()
    table = np.round(255 * clusters_of(outcome).rgba_table()).astype(np.uint8)
    assert (colours(shown.picture) == table[outcome.segmentation["labels"][0].values]).all()


def test_a_large_map_is_drawn_from_what_is_in_view_by_the_commonest_class(outcome, monkeypatch):
    monkeypatch.setattr(zoom, "DIRECT_PIXELS", 1000)
    shown = MapPicture(outcome, ignore, ignore, ignore)
    shown.outline = False
    shown.show()
    hv.render(shown.picture, backend="bokeh")
    table = np.round(255 * clusters_of(outcome).rgba_table()).astype(np.uint8)
    seen = {tuple(colour) for colour in colours(shown.picture).reshape(-1, 4).tolist()}
    assert seen <= {tuple(colour) for colour in table[:8].tolist()}, "no colour between classes"
    (left, bottom, right, top) = grid_of(outcome.water).boundingbox
    part = shown._draw(x_range=(left, (left + right) / 2), y_range=(bottom, top))
    assert part.bounds.lbrt()[2] == pytest.approx((left + right) / 2, abs=400)


def test_pixels_that_were_selected_stand_out(outcome):
    shown = MapPicture(outcome, ignore, ignore, ignore)
    lit = np.zeros(outcome.water.shape[1:], bool)
    lit[10:20, 30:40] = True
    shown.show(lit=lit)
    found = (colours(shown.picture) == (255, 214, 10, 255)).all(axis=-1)
    assert (found == lit).all()


def test_another_outcome_on_the_same_grid_takes_its_place(session, outcome):
    shown = MapPicture(outcome, ignore, ignore, ignore)
    before = colours(shown.picture)
    session.choose(n_clusters=5)
    again = session.run()
    assert shown.fits(again)
    shown.show(again)
    assert (colours(shown.picture) != before).any()
    assert shown.layer == CLUSTERS


def test_the_map_of_all_pixels_takes_the_place_of_its_preview(library, monkeypatch):
    monkeypatch.setattr("strandline.app.preview.LARGE", 5_000)
    monkeypatch.setattr("strandline.app.preview.PIXELS", 1_600)
    previews = []
    whole = Session(library, Shared()).work(Job(), previews.append)()
    shown = MapPicture(previews[0], ignore, ignore, ignore)
    hv.render(shown.picture, backend="bokeh")
    few = colours(shown.picture).shape[:2]
    assert few == previews[0].water.shape[1:]
    assert shown.fits(whole), "what is in view stays"
    shown.show(whole)
    assert colours(shown.picture).shape[:2] == whole.water.shape[1:]


def test_another_place_takes_another_frame(outcome, library):
    shown = MapPicture(outcome, ignore, ignore, ignore)
    session = Session(library, Shared())
    session.open_scenes(["scenes/lake.tif"])
    assert not shown.fits(session.run())
