"""Archives searched for scenes of a place, as a page asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from strandline.app.job import Job
from strandline.app.library import Library
from strandline.app.origins import FOUND, Search
from strandline.demo import BUFFER
from strandline.errors import ConfigurationError, SearchError
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    from strandline.scenes.stac.found import FoundScenes


def search_archive(
    library: Library,
    archive: str,
    place: str,
    period: str,
    max_cloud: float,
    job: Job | None = None,
    buffer: float = BUFFER,
) -> dict[str, str]:
    """Search a STAC archive for scenes of a place.

    Parameters
    ----------
    library : Library
        Says what may be asked, and keeps what is found.
    archive : str
        ``planetary-computer``, ``earth-search``, the URL of a STAC API, or the name of a
        file of items that the library knows.
    place : str
        Longitude and latitude, degrees, with a comma.
    period : str
        As for `strandline.search_scenes`.
    max_cloud : float
        Percent.
    job : Job, optional
        Is told what is being done.
    buffer : float
        Half the side of the area around the place, metres.

    Returns
    -------
    dict of str to str
        Descriptions of passes, and the names by which they open.

    Raises
    ------
    SearchError
        If nothing is found, or the archive does not answer.
    AccessDeniedError, ConfigurationError
        If it may not be asked, or the place is none.
    """
    from strandline.scenes import search_scenes
    from strandline.scenes.stac.service import service_url

    (job or Job()).begin("searching")
    if not 100 <= buffer <= 500_000:
        raise ConfigurationError(
            "The distance around the place cannot be searched.",
            expected="0.1 to 500 km",
            got=f"{buffer / 1000:g} km",
        )
    address = archive.strip()
    if not is_url(service_url(address)):
        address = library.locate(address)
    else:
        library.locate(service_url(address))
    asked = Search(
        api=address, center=lon_lat(place), buffer=buffer,
        datetime=period.strip() or None, max_cloud=max_cloud,
    )  # fmt: skip
    found = search_scenes(asked.api, **asked.conditions())
    if not found:
        raise SearchError(
            "Nothing was found there.", remedy="Try other dates, or allow more cloud."
        )
    name, path = library.new_place(FOUND, asked)
    found.save(path)
    return {label: f"{name}:{key}" for label, key in _listed(found)}


def _listed(found: FoundScenes) -> Iterator[tuple[str, str]]:
    """Describe each pass, and name it by its only item, or its day.

    Where a day would name two passes, or a part of one, its items are described one by one.
    """
    passes = [one.table().to_dict("records") for one in found.passes]
    days = Counter(day for rows in passes for day in {row["date"] for row in rows})
    for rows in passes:
        first = rows[0]
        of_day = [row for row in rows if row["date"] == first["date"]]
        text = f"{first['date']}  {first['platform']}"
        if len(rows) == 1:
            yield f"{text}  cloud {first['cloud']:.0f} %", first["id"]
        elif days[first["date"]] == 1 and len(of_day) == len(rows):
            clouds = sum(row["cloud"] for row in rows) / len(rows)
            yield f"{text}  cloud {clouds:.0f} %, {len(rows)} scenes", first["date"]
        else:
            for row in rows:
                yield f"{text}  cloud {row['cloud']:.0f} %, {row['id']}", row["id"]


def lon_lat(text: str) -> tuple[float, float]:
    """Read longitude and latitude, degrees, with a comma between them."""
    try:
        lon, lat = (float(word) for word in text.split(","))
    except ValueError:
        raise ConfigurationError(
            "The place cannot be understood.",
            expected="longitude and latitude in degrees, with a comma",
            got=repr(text[:60]),
        ) from None
    return lon, lat
