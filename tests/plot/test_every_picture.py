"""Every picture says what its colours mean, how large it is, of when it is and what saw it."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import pytest
import xarray as xr
from bokeh.models import ColorBar, ScaleBar, Title
from bokeh.plotting import figure as frame_type

import strandline as sl
from strandline.change.timeline import series_of
from strandline.testing.lakes import round_lake

BEFORE, AFTER = "1988-10-22", "2017-10-22"
SENSORS = {BEFORE: "Landsat 5 TM", AFTER: "Landsat 8 OLI"}

COMPOSITES = {"true_colour", "false_colour", "swipe of scenes"}
BOTH_IN_ONE = {"change_map", "swipe of scenes", "swipe of masks", "signatures"}


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    dates = []
    for radius, day, platform in ((600, BEFORE, "landsat-5"), (450, AFTER, "landsat-8")):
        scene = round_lake(radius=radius).assign_coords(time=np.datetime64(day, "ns")).compute()
        scene[:, 3:9, 5:15] = np.nan
        dates.append(scene.assign_attrs(platform=platform))
    scenes = sl.stack_scenes(dates)
    segmentation = sl.segment(scenes, n_clusters=3)
    water = sl.water_mask(segmentation)
    return {"scenes": scenes, "segmentation": segmentation, "water": water,
            "change": sl.compare(water[0], water[1])}  # fmt: skip


MOVING = {
    "bands": lambda s: sl.plot.bands(s["scenes"]),
    "true_colour": lambda s: sl.plot.true_colour(s["scenes"]),
    "false_colour": lambda s: sl.plot.false_colour(s["scenes"]),
    "label_map": lambda s: sl.plot.label_map(s["segmentation"]["labels"], s["segmentation"]),
    "water_map": lambda s: sl.plot.water_map(s["water"]),
    "change_map": lambda s: sl.plot.change_map(s["change"]),
    "swipe of scenes": lambda s: sl.plot.swipe(s["scenes"][0], s["scenes"][1]),
    "swipe of masks": lambda s: sl.plot.swipe(s["water"][0], s["water"][1]),
    "signatures": lambda s: sl.plot.signatures(s["segmentation"]),
}
STILL = {
    "true_colour": lambda s: sl.show.true_colour(s["scenes"]),
    "false_colour": lambda s: sl.show.false_colour(s["scenes"]),
    "before_after": lambda s: sl.show.before_after(s["scenes"][0], s["scenes"][1]),
    "label_map": lambda s: sl.show.label_map(
        s["segmentation"]["labels"], segmentation=s["segmentation"]
    ),
    "water_map": lambda s: sl.show.water_map(s["water"]),
    "change_map": lambda s: sl.show.change_map(s["change"]),
    "signature_chart": lambda s: sl.show.signature_chart(s["segmentation"]),
    "timeline_chart": lambda s: sl.show.timeline_chart(series_of(sl.timeline(s["water"]))),
}


def figures_of(picture: object) -> list[frame_type]:
    """The frames of a picture, in reading order."""
    whole = hv.render(picture, backend="bokeh")
    if isinstance(whole, frame_type):
        return [whole]
    return [one for one in whole.select({}) if isinstance(one, frame_type)]


def test_all_that_draws_is_looked_at_here():
    drawn = set(sl.plot.__all__) - {"page_of", "warm_up"}
    assert drawn == {name.split()[0] for name in MOVING}
    drawn = set(sl.show.__all__) - {"Stretch", "fit_stretch"}
    assert drawn == set(STILL)


@pytest.mark.parametrize("name", MOVING)
def test_the_title_says_date_and_sensor(study, name):
    figures = figures_of(MOVING[name](study))
    dates = [[BEFORE, AFTER]] if name in BOTH_IN_ONE else [[BEFORE], [AFTER]]
    said = {figure.title.text.replace("\n", " ") for figure in figures}
    assert len(figures) == len(dates)
    for wanted in dates:
        (title,) = (one for one in said if wanted[0] in one)
        for date in wanted:
            assert date in title
            assert SENSORS[date] in title


@pytest.mark.parametrize("name", MOVING)
def test_there_is_a_scale(study, name):
    for figure in figures_of(MOVING[name](study)):
        assert figure.xaxis[0].axis_label
        assert figure.yaxis[0].axis_label
        if name == "signatures":
            assert (figure.xaxis[0].axis_label, figure.yaxis[0].axis_label) == (
                "wavelength (µm)", "reflectance"
            )  # fmt: skip
        else:
            (bar,) = figure.select(ScaleBar)
            assert bar.visible


@pytest.mark.parametrize("name", MOVING)
def test_there_is_a_legend(study, name):
    figures = figures_of(MOVING[name](study))
    if name in COMPOSITES:
        for figure in figures:
            (key,) = figure.select({"type": Title, "name": "key"})
            assert "Reflectance from dark to bright" in key.text
            assert len(key.text.splitlines()) == 4
            assert "red" in key.text
    elif name == "signatures":
        assert len(figures[0].legend[0].items) == 3
    else:
        bars = [bar for figure in figures for bar in figure.right if isinstance(bar, ColorBar)]
        assert bars
        assert all(bar.major_label_overrides or bar.title == "reflectance" for bar in bars)


@pytest.mark.parametrize("name", STILL)
def test_still_pictures_say_the_same(study, name):
    figure = STILL[name](study)
    texts = [text.get_text() for text in figure.texts]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    for date, sensor in SENSORS.items():
        together = [text for text in (*texts, *titles) if date in text]
        assert together, f"nothing says {date}"
        assert any(sensor in text for text in (*texts, *titles))
    if name == "signature_chart":
        assert figure.axes[0].get_legend().get_texts()
        assert figure.axes[0].get_ylabel() == "reflectance"
        return
    if name == "timeline_chart":
        legend = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
        assert set(SENSORS.values()) <= legend
        assert figure.axes[0].get_ylabel() == "water, km²"
        return
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any(text.endswith((" m", " km")) for text in inside), "a scale bar"
    assert any("lost" in t or "water" in t or t in ("red", "nir08") for t in texts), "a legend"


def test_a_title_that_is_too_long_for_its_picture_gets_two_lines(study):
    (figure,) = figures_of(sl.plot.change_map(study["change"], width=300))
    assert len(figure.title.text.splitlines()) > 1
    (figure,) = figures_of(sl.plot.label_map(study["segmentation"]["labels"][0]))
    assert len(figure.title.text.splitlines()) == 1


def test_a_change_between_masks_of_unknown_origin_claims_none(study):
    masks = [m.drop_vars(["time", "platform"]) for m in study["water"]]
    change = sl.compare(*masks)
    assert not {"before", "platform_before"} & set(change.attrs)
    (figure,) = figures_of(sl.plot.change_map(change))
    assert figure.title.text == "Water lost and gained"


def test_many_dates_are_summed_up(study):
    scenes: list[xr.DataArray] = [study["scenes"][i] for i in (0, 1, 1)]
    assert sl.show.captions.seen_text(scenes) == (
        f"3 dates, {BEFORE} to {AFTER} · Landsat 5 TM and Landsat 8 OLI"
    )
