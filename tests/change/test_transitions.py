"""Occurrence, recurrence, seasons and transitions, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strandline.change.transitions import TRANSITIONS, Counts, Years


def fold(story):
    """One pixel: (year, month, value) for each date; what the maps say of it."""
    counts = Counts((1, 1))
    dates = [(np.array([[value]], np.uint8), year, month) for year, month, value in story]
    for number, (mask, _, month) in enumerate(dates):
        counts.add(mask, number, month)
    years = Years(counts)
    for date in dates:
        years.add(*date)
    maps = {name: layer[0, 0] for name, layer in years.finish().items()}
    return {**maps, "occurrence": counts.occurrence[0, 0], "first": counts.first[0, 0],
            "last": counts.last[0, 0], "observed": counts.observed[0, 0]}  # fmt: skip


DRY, WET, SOME = (0, 0), (1, 1), (1, 0)


@pytest.mark.parametrize(
    ("years", "name"),
    [
        ((DRY, DRY, DRY), "never water"),
        ((WET, WET, WET), "permanent"),
        ((WET, DRY, WET), "permanent"),
        ((DRY, DRY, WET), "new permanent"),
        ((WET, SOME, DRY), "lost permanent"),
        ((SOME, WET, SOME), "seasonal"),
        ((DRY, WET, SOME), "new seasonal"),
        ((SOME, WET, DRY), "lost seasonal"),
        ((SOME, DRY, WET), "seasonal to permanent"),
        ((WET, DRY, SOME), "permanent to seasonal"),
        ((DRY, WET, DRY), "ephemeral permanent"),
        ((DRY, SOME, DRY), "ephemeral seasonal"),
    ],
)
def test_each_transition_of_pekel_has_its_class(years, name):
    story = [
        (2000 + i, month, value)
        for i, values in enumerate(years)
        for month, value in zip((3, 9), values, strict=True)
    ]
    assert TRANSITIONS[fold(story)["transitions"]] == name


def test_years_that_were_not_observed_are_neither_first_nor_last():
    found = fold([(2000, 3, 255), (2001, 3, 1), (2002, 3, 0), (2003, 3, 255)])
    assert TRANSITIONS[found["transitions"]] == "lost permanent"
    assert (found["first"], found["last"], found["observed"]) == (1, 2, 2)
    assert found["occurrence"] == 0.5


def test_what_was_never_observed_has_no_class_and_no_share():
    found = fold([(2000, 3, 255), (2001, 3, 255)])
    assert found["transitions"] == found["seasonality"] == found["months_observed"] == 255
    assert math.isnan(found["occurrence"])
    assert math.isnan(found["recurrence"])
    assert found["first"] == found["last"] == 65535


def test_seasonality_is_that_of_the_last_year_observed():
    story = [(2000, month, 1) for month in range(1, 13)]
    story += [(2001, month, int(month < 5)) for month in (1, 2, 3, 4, 7, 8)]
    found = fold([*story, (2002, 1, 255)])
    assert (found["seasonality"], found["months_observed"]) == (4, 6)


def test_a_month_has_water_if_any_of_its_dates_has():
    found = fold([(2000, 3, 0), (2000, 3, 1), (2000, 4, 1)])
    assert TRANSITIONS[found["transitions"]] == "permanent"
    assert found["seasonality"] == 2


def test_recurrence_counts_years_that_were_seen_in_the_season_of_water():
    # Water in May. Of 2002 only the dry season was seen: nothing can be said of its water.
    story = [(2000, 5, 1), (2000, 9, 0), (2001, 5, 0), (2002, 9, 0), (2003, 5, 1)]
    assert fold(story)["recurrence"] == pytest.approx(2 / 3)
    assert fold([(2000, 5, 0), (2001, 5, 0)])["recurrence"] == 0
