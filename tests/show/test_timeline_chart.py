"""The chart of a timeline: what fits is a line, what does not a cross."""

from __future__ import annotations

import pandas as pd

from strandline.show.timeline_chart import timeline_chart


def test_dates_that_do_not_fit_are_crosses_beside_the_line():
    series = pd.DataFrame(
        {
            "least": [10.0, 9.0, 3.0, 2.0],
            "best": [10.0, 9.0, 3.0, 2.0],
            "most": [10.0, 9.0, 3.0, 40.0],
            "observed_share": [1.0, 1.0, 1.0, 0.3],
            "fits": [True, True, False, True],
        },
        index=pd.DatetimeIndex(["1990-07-01", "1995-07-01", "2000-07-01", "2005-07-01"]),
    )
    figure = timeline_chart(series, title="A lake")
    area, share = figure.axes
    line, full, hollow, cross = area.get_lines()
    assert [len(one.get_xdata()) for one in (line, full, hollow, cross)] == [2, 2, 1, 1]
    assert hollow.get_markerfacecolor() == "white"
    assert cross.get_ydata().tolist() == [3.0]
    assert [text.get_text() for text in area.texts] == ["2000-07-01"]
    # What a cloud may hide does not flatten everything else.
    assert area.get_ylim()[1] < 15
    assert share.get_ylabel() == "observed, %"


def test_a_series_without_any_water_can_be_drawn():
    row = {"least": 0.0, "best": 0.0, "most": 0.0, "observed_share": 0.0, "fits": False}
    figure = timeline_chart(pd.DataFrame([row], index=pd.DatetimeIndex(["1990-07-01"])))
    assert figure.axes[0].get_ylim()[0] == 0
    assert figure.texts[0].get_text() == "Water over time, 1990-07-01"
