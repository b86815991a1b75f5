"""All that one page knows: what was chosen, what was found, what went wrong. No Panel in it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.app.address import read_address, write_address
from strandline.app.analysis import analyse, export, report_page
from strandline.app.commands import command_line, python_code
from strandline.app.job import Job
from strandline.app.library import DEMO, Library
from strandline.app.origins import Search, repeated
from strandline.app.outcome import Outcome
from strandline.app.shared import Shared
from strandline.configuration import StudyConfig
from strandline.demo import BUFFER, CENTER
from strandline.errors import ConfigurationError, SearchError, StrandlineError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import grid_of
from strandline.scenes.storage import is_url

_DEGREES = 6  # decimals of a box drawn on the map: a tenth of a metre
_OTHER_SCENES = {"center", "buffer", "bbox", "water_at", "water_labels", "bands"}
_OF_TWO = {"harmonize", "normalize", "correct_shift"}
_OF_WATER = {"water_at", "water_labels", "vectors", "min_pixels"}


@dataclass(frozen=True)
class Problem:
    """What went wrong, in the parts that an error of ours has.

    Attributes
    ----------
    text : str
    expected, got, remedy : str or None
    kind : str
        Name of the error's class.
    """

    text: str
    expected: str | None = None
    got: str | None = None
    remedy: str | None = None
    kind: str = "StrandlineError"

    @classmethod
    def of(cls, error: BaseException, library: Library) -> Problem:
        """Take an error apart; one that is none of ours is called a fault of this program."""
        if isinstance(error, StrandlineError):
            details = {
                name: library.plainly(text)
                for name in ("expected", "got", "remedy")
                if (text := getattr(error, name)) is not None
            }
            return cls(library.plainly(error.problem), kind=type(error).__name__, **details)
        return cls(
            library.plainly(f"Unexpected {type(error).__name__}: {error}"),
            remedy="This is a fault of Strandline; the server's log has the details.",
            kind=type(error).__name__,
        )


class Session:
    """One page: its choices as a `StudyConfig`, and what they led to.

    Choices and outcome are two things: the outcome is that of `outcome.config`, and stays
    until the work for newer choices is done.

    Parameters
    ----------
    library : Library
        What may be opened.
    shared : Shared
        What pages of this server found before.

    Attributes
    ----------
    config : StudyConfig
        What is chosen now.
    outcome : Outcome or None
        What was found last.
    notes : list of str
        What that run warned of.
    problem : Problem or None
        What went wrong last.
    """

    def __init__(self, library: Library, shared: Shared) -> None:
        self.library = library
        self.shared = shared
        self.config = demo_config(library)
        self.outcome: Outcome | None = None
        self.notes: list[str] = []
        self.problem: Problem | None = None

    # --- choosing ---------------------------------------------------------------

    def choose(self, **values: Any) -> bool:
        """Change choices, all at once or, if they cannot work, none.

        Parameters
        ----------
        **values
            Fields of `StudyConfig`; None takes one back to its default.

        Returns
        -------
        bool
            Whether anything is different now.

        Raises
        ------
        ConfigurationError
            If they cannot work.
        """
        now = self.config.model_dump(exclude_defaults=True) | values
        chosen = StudyConfig.parse({name: v for name, v in now.items() if v is not None})
        if "water_labels" not in values and _clusters_otherwise(chosen, self.config):
            # Marks are on clusters, and there will be others.
            chosen = chosen.model_copy(update={"water_labels": None})
        changed = chosen != self.config
        self.config = chosen
        return changed

    def open_scenes(self, names: Iterable[str], how: Iterable[dict[str, Any]] = ()) -> bool:
        """Choose one scene or two by their names, with how to read them.

        The area, marks and bands of earlier scenes are dropped; what a search found is opened
        in the area that was searched.

        Parameters
        ----------
        names : iterable of str
            As `Library.locate` knows them.
        how : iterable of dict
            For each, what the source does not say itself: fields of `SceneSource`.

        Raises
        ------
        AccessDeniedError, ConfigurationError
            If one may not be opened, or an option cannot work.
        """
        chosen = list(names)
        options = list(how) or [{}] * len(chosen)
        demo = [f"{DEMO}{date}" for date in self.library.demo]
        if chosen == demo:
            before = self.config
            self.config = demo_config(self.library)
            return before != self.config
        scenes = [
            {"source": self.library.locate(name), **_without_none(given)}
            for name, given in zip(chosen, options, strict=True)
        ]
        if scenes == [scene.model_dump(exclude_defaults=True) for scene in self.config.scenes]:
            return False
        dropped = _OTHER_SCENES if len(scenes) == 2 else _OTHER_SCENES | _OF_TWO
        kept = self.config.model_dump(exclude_defaults=True, exclude={"scenes", *dropped})
        origin = self.library.origin(scenes[0]["source"])
        if isinstance(origin, Search):
            # A whole scene of an archive is long in coming, and not what was searched for.
            kept |= {"center": origin.center, "buffer": origin.buffer}
        self.config = StudyConfig.parse({**kept, "scenes": scenes})
        return True

    def draw_box(self, left: float, bottom: float, right: float, top: float) -> bool:
        """Choose an area by a box in the coordinates of the map that is shown.

        Raises
        ------
        ConfigurationError
            If the box is empty.
        """
        from pyproj import Transformer

        if self.outcome is None or not (left < right and bottom < top):
            raise ConfigurationError(
                "The box is empty.", remedy="Draw it on the map, from corner to corner."
            )
        crs = grid_of(self.outcome.water).crs
        # Edges bend on the way to degrees; points along them are looked at, too.
        bounds = Transformer.from_crs(crs, 4326, always_xy=True).transform_bounds(
            left, bottom, right, top
        )
        box = tuple(round(float(value), _DEGREES) for value in bounds)
        return self.choose(bbox=box, center=None, buffer=None)

    def whole_scene(self) -> bool:
        """Drop the area."""
        return self.choose(bbox=None, center=None, buffer=None)

    # --- water ------------------------------------------------------------------

    def water_clusters(self) -> list[int]:
        """List the clusters that count as water now: those marked, or those found."""
        if self.config.water_labels is not None:
            return list(self.config.water_labels)
        if self.outcome is None:
            return []
        from strandline.show.captions import water_clusters

        whole, _ = water_clusters(self.outcome.evidence)
        return whole

    def toggle_water(self, cluster: int) -> bool:
        """Mark a cluster as water, or no longer.

        The clusters that were found to be water count as marked from then on. Without any
        mark left, water is found by itself again.

        Raises
        ------
        ConfigurationError
            If there is no such cluster, or the map is a preview.
        """
        self._complete("Clusters of a preview may still get other numbers.")
        count = 0 if self.outcome is None else self.outcome.segmentation.sizes["cluster"]
        if not 0 <= cluster < count:
            raise ConfigurationError(
                "There is no such cluster.", expected=f"0 to {count - 1}", got=str(cluster)
            )
        marked = set(self.water_clusters()) ^ {cluster}
        return self.choose(water_labels=sorted(marked) or None, water_at=None)

    def find_water_itself(self) -> bool:
        """Drop all marks."""
        return self.choose(water_labels=None, water_at=None)

    def place_lake(self, text: str) -> bool:
        """Choose a point in the water, whose lake is measured by itself, too.

        Parameters
        ----------
        text : str
            Longitude and latitude, degrees, with a comma; nothing drops the point.

        Raises
        ------
        ConfigurationError
            If it is no place.
        """
        if not text.strip():
            return self.choose(water_at=None)
        return self.choose(water_at=_lon_lat(text), water_labels=None)

    # --- searching --------------------------------------------------------------

    def search(
        self,
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
        address = archive.strip()
        if not is_url(service_url(address)):
            address = self.library.locate(address)
        else:
            self.library.locate(service_url(address))
        asked = Search(
            api=address, center=_lon_lat(place), buffer=buffer,
            datetime=period.strip() or None, max_cloud=max_cloud,
        )  # fmt: skip
        found = search_scenes(asked.api, **asked.conditions())
        if not found:
            raise SearchError(
                "Nothing was found there.", remedy="Try other dates, or allow more cloud."
            )
        name, path = self.library.new_place("found.json", asked)
        found.save(path)
        rows = found.table().to_dict("records")
        return {
            f"{row['date']}  {row['platform']}  cloud {row['cloud']:.0f} %": f"{name}:{row['id']}"
            for row in rows
        }

    # --- working ----------------------------------------------------------------

    def work(
        self, job: Job, on_preview: Callable[[Outcome], None] | None = None
    ) -> Callable[[], Outcome]:
        """Give the work that the choices of now ask for, to be done anywhere.

        Parameters
        ----------
        job : Job
        on_preview : callable, optional
            Called, in the thread of the work, with a first look at large scenes.
        """
        config = self.config
        return lambda: analyse(config, self.library, self.shared, job, on_preview)

    def finish(self, result: Outcome | Exception, job: Job | None = None) -> None:
        """Take what came out of the work: an outcome, or what went wrong."""
        if isinstance(result, Outcome):
            self.outcome, self.problem = result, None
            self.notes = [] if job is None else [self.library.plainly(note) for note in job.notes]
        else:
            self.problem = Problem.of(result, self.library)

    def run(self, job: Job | None = None) -> Outcome:
        """Do the work at once; what goes wrong is raised."""
        job = job or Job()
        outcome = self.work(job)()
        self.finish(outcome, job)
        return outcome

    # --- looking ----------------------------------------------------------------

    def pixel(self, x: float, y: float, date: int = 0) -> dict[str, Any] | None:
        """Say what is at a place of the map.

        Parameters
        ----------
        x, y : float
            In the coordinates of the map.
        date : int
            Number of the scene.

        Returns
        -------
        dict or None
            ``row``, ``column``, ``lon``, ``lat``, ``cluster`` and ``water`` (None where not
            observed), ``change`` (of two scenes), ``spectrum`` (band to reflectance). None
            beside the map.
        """
        if self.outcome is None:
            return None
        grid = grid_of(self.outcome.water)
        column, row = (int(np.floor(value)) for value in ~grid.affine @ (x, y))
        rows, columns = grid.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        place = {"y": row, "x": column}
        scenes, change = self.outcome.prepared.scenes, self.outcome.change
        values = scenes.isel({"time": date, **place}).compute()
        lon, lat = _degrees(grid, x, y)
        return {
            "row": row,
            "column": column,
            "lon": lon,
            "lat": lat,
            "cluster": _class_at(self.outcome.segmentation["labels"].isel(time=date), place),
            "water": _class_at(self.outcome.water.isel(time=date), place),
            "change": None if change is None else _class_at(change, place),
            "spectrum": {
                str(band): float(value)
                for band, value in zip(values["band"].values, values.values, strict=True)
            },
        }

    def lit_up(
        self, date: int, bands: tuple[str, str], box: tuple[float, float, float, float]
    ) -> NDArray[np.bool_]:
        """Find the pixels whose spectrum lies in a box of the spectral space.

        Parameters
        ----------
        date : int
            Number of the scene.
        bands : (str, str)
            Across and up.
        box : (float, float, float, float)
            Left, bottom, right, top, in reflectance.

        Returns
        -------
        ndarray of bool, shape (y, x)
            On the grid of the pictures: `Prepared.views`.
        """
        if self.outcome is None:
            raise ConfigurationError("There is no map yet.")
        view = self.outcome.prepared.views.isel(time=date)
        across, up = (np.asarray(view.sel(band=band)) for band in bands)
        left, bottom, right, top = box
        lit: NDArray[np.bool_] = (across >= left) & (across <= right) & (up >= bottom) & (up <= top)
        return lit

    # --- taking away ------------------------------------------------------------

    def address(self) -> str:
        """Write the choices as the query of an address."""
        return write_address(self.config, self.library.name_of)

    def follow(self, query: str) -> bool:
        """Take the choices from the query of an address, if it has any.

        Raises
        ------
        ConfigurationError, AccessDeniedError
            If it cannot work; the choices stay what they were.
        """
        config = read_address(query, self.library.locate)
        if config is None:
            return False
        changed = config != self.config
        self.config = config
        return changed

    def command(self) -> str:
        """Write the command line that does the same as the page has done."""
        there = repeated(self._done(), self.library.origin)
        return command_line(there.config, searches=there.searches)

    def code(self) -> str:
        """Write the Python code that does the same as the page has done."""
        there = repeated(self._done(), self.library.origin)
        return python_code(there.config, there.searches)

    def _done(self) -> StudyConfig:
        return self.config if self.outcome is None else self.outcome.config

    def archive(self, job: Job | None = None) -> bytes:
        """Write the folder of results, as `strandline.run_study` would, into a zip archive.

        Raises
        ------
        ConfigurationError
            If there are no results yet, or only a preview.
        OutputError
            If there is no room for them.
        """
        outcome = self._complete("There are no results yet.")
        with TemporaryDirectory(prefix="strandline-app-") as scratch:
            folder = export(outcome, Path(scratch) / "strandline-results", job or Job())
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(folder.parent).as_posix())
        return packed.getvalue()

    def page(self, job: Job | None = None) -> str:
        """Write the report, as the folder of results has it, as HTML."""
        return report_page(self._complete("There are no results yet."), job or Job())

    def _complete(self, lack: str) -> Outcome:
        """Give the outcome; say what lacks if there is none, or a preview."""
        if self.outcome is None or self.outcome.is_preview:
            raise ConfigurationError(lack, remedy="Wait for the map of all pixels.")
        return self.outcome


def demo_config(library: Library) -> StudyConfig:
    """Choose the demo: Walker Lake, simulated, in 1988 and 2017."""
    scenes = [{"source": str(path)} for path in library.demo.values()]
    return StudyConfig.parse({"scenes": scenes, "center": CENTER, "buffer": BUFFER})


def _clusters_otherwise(one: StudyConfig, other: StudyConfig) -> bool:
    return one.model_dump(exclude=_OF_WATER) != other.model_dump(exclude=_OF_WATER)


def _lon_lat(text: str) -> tuple[float, float]:
    try:
        lon, lat = (float(word) for word in text.split(","))
    except ValueError:
        raise ConfigurationError(
            "The place cannot be understood.",
            expected="longitude and latitude in degrees, with a comma",
            got=repr(text[:60]),
        ) from None
    return lon, lat


def _class_at(classes: xr.DataArray, place: dict[str, int]) -> int | None:
    value = int(classes.isel(place))
    return None if value == NOT_OBSERVED else value


def _degrees(grid: Any, x: float, y: float) -> tuple[float, float]:
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(x, y)
    return float(lon), float(lat)


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, "")}
