"""What the water of a pixel did over the years: occurrence, recurrence, seasons, transitions.

After Pekel, Cottam, Gorelick and Belward 2016, High-resolution mapping of global surface water
and its long-term changes, Nature 540, 418-422. The years are counted one after the other, so
that memory does not grow with their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.prepare.classes import NOT_OBSERVED, WATER

Bytes = NDArray[np.uint8]

TRANSITIONS = (
    "never water",
    "permanent",
    "new permanent",
    "lost permanent",
    "seasonal",
    "new seasonal",
    "lost seasonal",
    "seasonal to permanent",
    "permanent to seasonal",
    "ephemeral permanent",
    "ephemeral seasonal",
)
"""The values 0 to 10, as in the Global Surface Water dataset."""

DRY, SEASONAL, PERMANENT = 0, 1, 2
"""What a pixel was in a year: no water, water in some of the observed months, in all of them."""

_NEVER = 65535
_OF_ENDS = np.array(
    # to:  dry  seasonal  permanent
    [
        [0, 5, 2],  # from dry
        [6, 4, 7],  # from seasonal
        [3, 8, 1],  # from permanent
    ],
    np.uint8,
)
_EPHEMERAL_PERMANENT, _EPHEMERAL_SEASONAL = 9, 10


@dataclass
class Counts:
    """Dates on which each pixel was observed and water, whatever the year.

    Attributes
    ----------
    observed, water : ndarray of uint16, shape (y, x)
        Numbers of dates.
    months : ndarray of uint16, shape (y, x)
        The months, as bits, in which there was water in any year.
    first, last : ndarray of uint16, shape (y, x)
        Numbers of the first and the last date observed; 65535 for none.
    """

    shape: tuple[int, int]
    observed: NDArray[np.uint16] = field(init=False)
    water: NDArray[np.uint16] = field(init=False)
    months: NDArray[np.uint16] = field(init=False)
    first: NDArray[np.uint16] = field(init=False)
    last: NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.observed, self.water, self.months = np.zeros((3, *self.shape), np.uint16)
        self.first, self.last = np.full((2, *self.shape), _NEVER, np.uint16)

    def add(self, mask: Bytes, number: int, month: int) -> None:
        """Count a date: its water mask, its number, and its month from 1 to 12."""
        seen, wet = mask != NOT_OBSERVED, mask == WATER
        self.observed += seen
        self.water += wet
        self.months |= wet * np.uint16(1 << month)
        self.first[seen & (self.first == _NEVER)] = number
        self.last[seen] = number

    @property
    def occurrence(self) -> NDArray[np.float32]:
        """Share of the observed dates with water; NaN where never observed."""
        return _share(self.water, self.observed)

    def times(self, numbers: NDArray[np.uint16], times: NDArray[Any]) -> NDArray[Any]:
        """Turn numbers of dates into times; NaT for none."""
        known = np.append(times.astype("datetime64[ns]"), np.datetime64("NaT", "ns"))
        picked: NDArray[Any] = known[np.minimum(numbers, len(times))]
        return picked


class Years:
    """Fold the dates of one year after the other into what the years were.

    Parameters
    ----------
    counts : Counts
        Of all the dates, whose months with water are the season of water of each pixel.
    """

    def __init__(self, counts: Counts) -> None:
        self._season = counts.months
        shape = counts.shape
        self._first, self._last = np.full((2, *shape), NOT_OBSERVED, np.uint8)
        self._ever = np.zeros(shape, np.uint8)  # a bit for each of the three states
        self._water_years, self._years = np.zeros((2, *shape), np.uint16)
        self._months, self._months_seen = np.full((2, *shape), NOT_OBSERVED, np.uint8)
        self._year: int | None = None
        self._seen, self._wet = np.zeros((2, *shape), np.uint16)

    def add(self, mask: Bytes, year: int, month: int) -> None:
        """Add a date; they come in their order."""
        if year != self._year:
            self._end_of_year()
            self._year = year
        bit = np.uint16(1 << month)
        self._seen |= (mask != NOT_OBSERVED) * bit
        self._wet |= (mask == WATER) * bit

    def _end_of_year(self) -> None:
        seen, wet = self._seen, self._wet
        there = seen > 0
        state = np.full(seen.shape, SEASONAL, np.uint8)
        state[wet == 0] = DRY
        state[(wet == seen) & there] = PERMANENT
        new = there & (self._first == NOT_OBSERVED)
        self._first[new] = state[new]
        self._last[there] = state[there]
        self._ever[there] |= np.uint8(1) << state[there]
        self._years += (seen & self._season) > 0
        self._water_years += wet > 0
        self._months[there] = np.bitwise_count(wet[there])
        self._months_seen[there] = np.bitwise_count(seen[there])
        seen[...] = 0
        wet[...] = 0

    def finish(self) -> dict[str, NDArray[Any]]:
        """Tell what the years were.

        Returns
        -------
        dict of ndarray, shape (y, x)
            ``recurrence`` (float32), ``seasonality``, ``months_observed`` and
            ``transitions`` (uint8, 255 never observed).
        """
        self._end_of_year()
        observed = self._first != NOT_OBSERVED
        recurrence = _share(self._water_years, self._years)
        recurrence[observed & (self._years == 0)] = 0.0
        transitions = np.full(observed.shape, NOT_OBSERVED, np.uint8)
        transitions[observed] = _OF_ENDS[self._first[observed], self._last[observed]]
        between = transitions == 0
        transitions[between & (self._ever & (1 << SEASONAL) > 0)] = _EPHEMERAL_SEASONAL
        transitions[between & (self._ever & (1 << PERMANENT) > 0)] = _EPHEMERAL_PERMANENT
        return {
            "recurrence": recurrence,
            "seasonality": self._months,
            "months_observed": self._months_seen,
            "transitions": transitions,
        }


def _share(part: NDArray[np.uint16], whole: NDArray[np.uint16]) -> NDArray[np.float32]:
    share = np.full(whole.shape, np.nan, np.float32)
    np.divide(part, whole, out=share, where=whole > 0, dtype=np.float32, casting="unsafe")
    return share
