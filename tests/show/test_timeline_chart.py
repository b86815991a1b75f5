"""The chart of a timeline: each sensor has its shape, and what does not fit is crossed out."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from strandline.show.timeline_chart import MARKERS, timeline_chart


def table(days: list[str], best: list[float], **columns: list[object]) -> pd.DataFrame:
    """A series in which all was observed and fits, but for what `columns` say."""
    plain = {"least": best, "best": best, "most": best, "observed_share": 1.0, "fits": True}
    return pd.DataFrame(plain | columns, index=pd.DatetimeIndex(days))


def drawn(axes: Axes, **style: str) -> list[Line2D]:
    """The lines of a look, that have any points."""
    looks = {name: Line2D([], [], **{name: value}) for name, value in style.items()}
    return [
        line
        for line in axes.get_lines()
        if len(line.get_xdata())
        and all(
            getattr(line, f"get_{name}")() == getattr(wanted, f"get_{name}")()
            for name, wanted in looks.items()
        )
    ]


def test_dates_that_do_not_fit_are_crossed_out_beside_the_line():
    series = table(
        ["1990-07-01", "1991-07-01", "1992-07-01", "1993-07-01"],
        [10.0, 9.0, 3.0, 2.0],
        most=[10.0, 9.0, 3.0, 40.0],
        observed_share=[1.0, 1.0, 1.0, 0.3],
        fits=[True, True, False, True],
    )
    figure = timeline_chart(series, title="A lake")
    area, share = figure.axes
    (line,) = drawn(area, linestyle="-")
    assert line.get_ydata().tolist() == [10, 9]
    (cross,) = drawn(area, marker="x")
    assert cross.get_ydata().tolist() == [3]
    hollow = [one.get_ydata().tolist() for one in drawn(area, markerfacecolor="white")]
    assert hollow == [[2], [3]]
    assert [text.get_text() for text in area.texts] == ["1992-07-01"]
    assert [text.get_text() for text in area.get_legend().get_texts()] == ["does not fit"]
    # What a cloud may hide does not flatten everything else.
    assert area.get_ylim()[1] < 15
    assert share.get_ylabel() == "observed, %"


def test_the_name_of_a_misfit_stays_away_from_the_line():
    days = [f"{year}-07-01" for year in (1990, 1995, 2000, 2005, 2010)]
    fits = [True, False, True, False, True]
    for forth in (1, -1):
        series = table(days, [10.0, 4.0, 8.0, 12.0, 6.0], fits=fits)[::forth]
        texts = timeline_chart(series).axes[0].texts
        sides = {text.get_text(): text.get_verticalalignment() for text in texts}
        assert sides == {"1995-07-01": "top", "2005-07-01": "bottom"}


def test_the_same_sensor_has_the_same_shape_in_every_chart():
    days = ["1990-07-01", "2000-07-01", "2014-07-01", "2016-07-01"]
    platforms = ["landsat-5", "landsat-7", "landsat-8", "unknown"]
    shapes = []
    for some in (slice(0, 4), slice(1, 3), slice(3, None, -1)):
        series = table(days, [4.0, 3.0, 2.0, 1.0], platform=platforms)[some]
        area = timeline_chart(series).axes[0]
        key = area.get_legend()
        names = [text.get_text() for text in key.get_texts()]
        shapes.append(dict(zip(names, key.legend_handles, strict=True)))
        for name, handle in shapes[-1].items():
            day = {"Landsat 5 TM": 0, "Landsat 7 ETM+": 1, "Landsat 8 OLI": 2}.get(name, 3)
            (points,) = drawn(area, marker=handle.get_marker())
            assert points.get_ydata().tolist() == [4.0 - day]
    assert list(shapes[0]) == [
        "Landsat 5 TM",
        "Landsat 7 ETM+",
        "Landsat 8 OLI",
        "sensor not known",
    ]
    for chart in shapes[1:]:
        for name, handle in chart.items():
            assert handle.get_marker() == shapes[0][name].get_marker()


def test_every_known_platform_has_a_shape_of_its_own():
    from strandline.scenes.sensors import SENSORS

    assert set(MARKERS) == set(SENSORS)
    days = [f"{2000 + number}-07-01" for number in range(len(MARKERS) + 2)]
    platforms = [*MARKERS, "skysat", "unknown"]
    area = timeline_chart(table(days, [1.0] * len(days), platform=platforms)).axes[0]
    markers = [handle.get_marker() for handle in area.get_legend().legend_handles]
    assert len(set(markers)) == len(platforms)


def test_many_dates_are_named_by_their_span_and_sensors():
    days = ["1984-07-01", "1994-07-01", "2004-07-01", "2014-07-01"]
    platforms = ["landsat-5", "landsat-5", "landsat-7", "landsat-8"]
    figure = timeline_chart(table(days, [1.0] * 4, platform=platforms), title="A lake")
    assert [text.get_text() for text in figure.texts[:2]] == [
        "A lake",
        "4 dates, 1984-07-01 to 2014-07-01 · Landsat 5 TM, Landsat 7 ETM+ and Landsat 8 OLI",
    ]


def test_the_interval_of_a_lone_date_is_in_the_picture():
    series = table(["1990-07-01"], [5.0], low_95=[4.0], high_95=[6.0])
    area = timeline_chart(series).axes[0]
    low, high = area.get_ylim()
    assert low < 4 < 6 < high
    bands = [path.vertices[:, 1].tolist() for one in area.collections for path in one.get_paths()]
    assert [4.0, 6.0] in bands


@pytest.mark.parametrize("platform", ["unknown", None])
def test_a_series_without_any_water_can_be_drawn(platform):
    series = table(["1990-07-01"], [0.0], observed_share=[0.0], fits=[False])
    if platform:
        series["platform"] = platform
    figure = timeline_chart(series)
    assert figure.axes[0].get_ylim()[0] == 0
    assert [text.get_text() for text in figure.texts[:2]] == ["Water over time", "1990-07-01"]


def test_no_line_runs_across_years_without_data_and_the_area_begins_at_zero():
    days = ["1990-07-01", "1991-07-20", "1996-07-01", "1997-01-01", "1997-07-01"]
    figure = timeline_chart(table(days, [100.0, 101.0, 102.0, 99.0, 98.0], most=[103.0] * 5))
    area = figure.axes[0]
    lines = [[str(x)[:10] for x in line.get_xdata()] for line in drawn(area, linestyle="-")]
    assert [len(line) for line in lines] == [2, 3]
    assert area.get_ylim()[0] == 0
    aid = " ".join(text.get_text() for text in figure.texts)
    assert "no line across more than a year and a half" in aid.replace("\n", " ")
    joined = timeline_chart(table(days[2:], [102.0, 99.0, 98.0], most=[103.0] * 3))
    assert not any("a year and a half" in text.get_text() for text in joined.texts)
