"""The time of a search: from a moment to a moment, either of which may be open."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pandas as pd

from strandline.errors import ConfigurationError


@dataclass(frozen=True)
class Period:
    """From the first to the last moment, both included; UTC. None is open."""

    first: dt.datetime | None
    last: dt.datetime | None

    def holds(self, moment: dt.datetime) -> bool:
        """Whether a moment lies in it."""
        return (self.first is None or moment >= self.first) and (
            self.last is None or moment <= self.last
        )

    def text(self) -> str:
        """Write it as RFC 3339 does, for a request."""
        return "/".join(
            ".." if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
            for moment in (self.first, self.last)
        )


def read_period(given: Any) -> Period | None:
    """Read a period.

    Parameters
    ----------
    given : str, date, datetime, pair of them, or None
        A string may name a year, month, day or moment, or two of them with a slash.

    Returns
    -------
    Period or None

    Raises
    ------
    ConfigurationError
        If it cannot be read, or ends before it begins.

    Examples
    --------
    >>> read_period("1988-10").text()
    '1988-10-01T00:00:00Z/1988-10-31T23:59:59Z'
    >>> read_period("2017-10-22/..").text()
    '2017-10-22T00:00:00Z/..'
    """
    if given is None:
        return None
    if isinstance(given, str):
        sides: list[Any] = given.split("/")
    elif isinstance(given, tuple | list):
        sides = list(given)
    else:
        sides = [given]
    if len(sides) not in (1, 2):
        raise _unreadable(given)
    first, last = sides[0], sides[-1]
    found = Period(_moment(first, given, end=False), _moment(last, given, end=True))
    if found.first is None and found.last is None:
        raise _unreadable(given)
    if found.first is not None and found.last is not None and found.first > found.last:
        raise ConfigurationError(
            "The period ends before it begins.", expected="the earlier date first", got=repr(given)
        )
    return found


def _moment(value: Any, given: Any, *, end: bool) -> dt.datetime | None:
    if value is None or (isinstance(value, str) and value.strip() in ("..", "")):
        return None
    try:
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = value.isoformat()
        if isinstance(value, str) and "T" not in value.upper():
            span = pd.Period(value.strip())
            found = span.end_time if end else span.start_time
        else:
            found = pd.Timestamp(value)
        if pd.isna(found):
            raise ValueError("no moment")
        if found.tzinfo is None:
            found = found.tz_localize("UTC")
        moment: dt.datetime = found.tz_convert("UTC").floor("us").to_pydatetime()
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _unreadable(given) from error
    return moment


def _unreadable(given: Any) -> ConfigurationError:
    return ConfigurationError(
        "The time of the search cannot be understood.",
        expected="a date such as '1988-10-22', a month or year, or two with a slash between",
        got=repr(given),
    )
