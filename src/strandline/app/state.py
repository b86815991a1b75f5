"""All that one page knows: what was chosen, what was found, what went wrong. No Panel in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from strandline.app.address import read_address, write_address
from strandline.app.analysis import analyse
from strandline.app.commands import command_line, python_code
from strandline.app.exporting import report_page, zip_archive
from strandline.app.job import Job
from strandline.app.library import DEMO, Library, is_list_of_files
from strandline.app.origins import Repeated, Search, repeated
from strandline.app.outcome import Outcome
from strandline.app.problem import Problem, in_words_of_the_page
from strandline.app.searching import lon_lat
from strandline.app.shared import Shared
from strandline.configuration import SceneSource, StudyConfig
from strandline.demo import BUFFER, CENTER
from strandline.errors import AccessDeniedError, ConfigurationError, StrandlineError
from strandline.prepare.extent import read_crs
from strandline.prepare.georeference import grid_of
from strandline.scenes.storage import is_url
from strandline.show.captions import water_clusters

_DEGREES = 6  # decimals of a box drawn on the map: a tenth of a metre
_MARKS = ("water_labels", "water_also", "water_without")
_OF_PLACE = {"center", "buffer", "bbox", "crs", "resolution", "water_at"}
_OTHER_SCENES = {*_OF_PLACE, *_MARKS, "bands"}
_OF_TWO = {"harmonize", "normalize", "correct_shift"}
_OF_WATER = {"water_at", *_MARKS, "vectors", "min_pixels"}


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
    unopened : tuple of str
        Addresses in the network that the page's own address names. Whoever made somebody's
        browser ask for the page may have written them, so they wait for `open_scenes`.
    """

    def __init__(self, library: Library, shared: Shared) -> None:
        self.library = library
        self.shared = shared
        self.config = demo_config(library)
        self.outcome: Outcome | None = None
        self.notes: list[str] = []
        self.problem: Problem | None = None
        self.unopened: tuple[str, ...] = ()
        self._before_marks: list[dict[str, Any]] = []

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
        ConfigurationError, GridError
            If they cannot work.
        """
        now = self.config.model_dump(exclude_defaults=True) | values
        now = {name: value for name, value in now.items() if value is not None}
        # Marks are on clusters: where there will be others, they are dropped.
        unmarked = {name: value for name, value in now.items() if name not in _MARKS}
        drops = not {*_MARKS} & {*values} and _clusters_otherwise(
            StudyConfig.parse(unmarked), self.config
        )
        chosen = _checked(StudyConfig.parse(unmarked if drops else now))
        if drops:
            self._before_marks.clear()
        changed = chosen != self.config
        self.config = chosen
        return changed

    def open_scenes(self, names: Iterable[str], how: Iterable[dict[str, Any]] = ()) -> bool:
        """Choose one scene or two by their names, with how to read them.

        The area, grid, marks and bands of earlier scenes are dropped; what a search found is opened
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
            before, self.config = self.config, demo_config(self.library)
            self.unopened = ()
            return before != self.config
        scenes = [
            {"source": self._source(name, number), **_without_none(given)}
            for number, (name, given) in enumerate(zip(chosen, options, strict=True))
        ]
        parsed = StudyConfig.parse({"scenes": scenes})
        waited, self.unopened = bool(self.unopened), ()
        if parsed.scenes == self.config.scenes:
            return waited
        dropped = _OTHER_SCENES if len(scenes) == 2 else _OTHER_SCENES | _OF_TWO
        kept = self.config.model_dump(exclude_defaults=True, exclude={"scenes", *dropped})
        origin = self.library.origin(scenes[0]["source"])
        if isinstance(origin, Search):
            # A whole scene of an archive is long in coming, and not what was searched for.
            kept |= {"center": origin.center, "buffer": origin.buffer}
        self.config = StudyConfig.parse({**kept, "scenes": scenes})
        return True

    def _source(self, name: str, number: int) -> str | list[str]:
        """Locate a scene; one of several files that is chosen already is called by the first."""
        for scene in self.config.scenes[number : number + 1]:
            if isinstance(scene.source, list) and self.library.name_of(scene.source[0]) == name:
                return scene.source
        return self.library.locate(name)

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

    def go_back(self) -> bool:
        """Choose again what the map shows; False if that is chosen, or there is no map."""
        if self.outcome is None or self.outcome.config == self.config:
            return False
        self.config = self.outcome.config
        self._before_marks.clear()
        return True

    # --- water ------------------------------------------------------------------

    def water_clusters(self) -> list[int]:
        """List the clusters that count as water now: those marked, and those found."""
        if self.config.water_labels is not None:
            return list(self.config.water_labels)
        found = self._found_clusters() | set(self.config.water_also or ())
        return sorted(found - set(self.config.water_without or ()))

    def _found_clusters(self) -> set[int]:
        """List the clusters that were water before marks added to them, or took away."""
        if self.outcome is None:
            return set()
        evidence, shown = self.outcome.evidence, self.outcome.config
        marked = evidence["cluster"].isin([*(shown.water_also or ()), *(shown.water_without or ())])
        found = evidence["water"].where(~marked, evidence["looks_like_water"])
        return set(water_clusters(evidence.assign(water=found))[0])

    def mark_water(self, cluster: int, *, water: bool = True) -> bool:
        """Count a cluster as water, or no longer; all else that counts as water stays.

        Of clusters that are water in part, those parts stay, too.

        Parameters
        ----------
        cluster : int
        water : bool

        Returns
        -------
        bool
            False if that is so already.

        Raises
        ------
        ConfigurationError
            If there is no such cluster, or the map is a preview.
        """
        outcome = self._complete("Clusters of a preview may still get other numbers.")
        count = outcome.segmentation.sizes["cluster"]
        if not 0 <= cluster < count:
            raise ConfigurationError(
                "There is no such cluster.", expected=f"0 to {count - 1}", got=str(cluster)
            )
        if (cluster in self.water_clusters()) == water:
            return False
        before = {name: getattr(self.config, name) for name in _MARKS}
        if self.config.water_labels is not None:
            marks = {"water_labels": sorted(set(self.config.water_labels) ^ {cluster}) or None}
        else:
            also, without = (set(before[f"water_{name}"] or ()) for name in ("also", "without"))
            took_back = cluster in (without if water else also)
            (without if water else also).discard(cluster)
            if not took_back:
                (also if water else without).add(cluster)
            marks = {"water_also": sorted(also) or None, "water_without": sorted(without) or None}
        changed = self.choose(**marks)
        self._before_marks.append(before)
        return changed

    @property
    def marks(self) -> list[str]:
        """Say which clusters were marked."""
        named = [(self.config.water_labels, "only {} is water", "only {} are water")]
        named += [(self.config.water_also, "{} is water", "{} are water")]
        named += [(self.config.water_without, "{} is not water", "{} are not water")]
        told = []
        for clusters, one, more in named:
            if clusters:
                word = "cluster" if len(clusters) == 1 else "clusters"
                text = f"{word} {', '.join(map(str, clusters))}"
                told.append((one if len(clusters) == 1 else more).format(text))
        return told

    def undo_mark(self) -> bool:
        """Take the last mark back; marks that came with the address are all taken back."""
        marks = self._before_marks.pop() if self._before_marks else dict.fromkeys(_MARKS)
        return self.choose(**marks)

    def find_water_itself(self) -> bool:
        """Drop all marks."""
        self._before_marks.clear()
        return self.choose(**dict.fromkeys(_MARKS), water_at=None)

    def place_lake(self, text: str) -> bool:
        """Choose a point in the water, whose lake is measured by itself, too.

        Parameters
        ----------
        text : str
            Longitude and latitude, degrees, with a comma; nothing drops the point.

        Raises
        ------
        ConfigurationError
            If it is not a place.
        """
        if not text.strip():
            return self.choose(water_at=None)
        return self.choose(water_at=lon_lat(text), **dict.fromkeys(_MARKS))

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
        if self.unopened:
            return self._wait_for_open
        config = self.config
        return lambda: analyse(config, self.library, self.shared, job, on_preview)

    def _wait_for_open(self) -> Outcome:
        raise AccessDeniedError(
            "The address of this page names scenes on the network; nothing was fetched yet.",
            got=", ".join(self.unopened)[:200],
            remedy="Press “Open” to open them.",
        )

    def finish(self, result: Outcome | Exception, job: Job | None = None) -> None:
        """Take what came out of the work: an outcome, or what went wrong."""
        if isinstance(result, Outcome):
            self.outcome, self.problem = result, None
            notes = [] if job is None else job.notes
            self.notes = [in_words_of_the_page(self.library.plainly(note)) for note in notes]
        else:
            self.problem = Problem.of(result, self.library)

    def run(self, job: Job | None = None) -> Outcome:
        """Do the work at once; what goes wrong is raised."""
        job = job or Job()
        outcome = self.work(job)()
        self.finish(outcome, job)
        return outcome

    # --- taking away ------------------------------------------------------------

    def address(self) -> str:
        """Write the choices as the query of an address."""
        return write_address(self.config, self.library.name_of)

    def follow(self, query: str) -> bool:
        """Take the choices from the query of an address, if it has any.

        Raises
        ------
        ConfigurationError, GridError, AccessDeniedError
            If it cannot work; the choices stay what they were.
        """
        config = read_address(query, self.library.locate)
        if config is None:
            return False
        changed = _checked(config) != self.config
        self.config = config
        self.unopened = tuple(self._in_network(config))
        return changed

    def _in_network(self, config: StudyConfig) -> Iterator[str]:
        """List the addresses that scenes lead to, themselves or by a catalogue or a STAC item."""
        for scene in config.scenes:
            sources = [scene.source] if isinstance(scene.source, str) else scene.source
            yield from filter(is_url, sources)
            for source in filter(is_list_of_files, sources):
                if not is_url(source) and self.library.origin(source) is None:
                    with suppress(StrandlineError):
                        yield from filter(is_url, self.library.check(SceneSource(source=source)))

    def command(self) -> str:
        """Write the command line that does the same as the page has done."""
        there = self._there(self._done())
        return command_line(there.config, searches=there.searches)

    def code(self) -> str:
        """Write the Python code that does the same as the page has done."""
        there = self._there(self._done())
        return python_code(there.config, there.searches)

    def _there(self, config: StudyConfig) -> Repeated:
        """Say what a study is called elsewhere than on this server."""
        return repeated(config, self.library.origin)

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
        return zip_archive(outcome, self._there(outcome.config), job or Job())

    def page(self, job: Job | None = None) -> str:
        """Write the report, as the folder of results has it, as HTML."""
        outcome = self._complete("There are no results yet.")
        return report_page(outcome, self._there(outcome.config), job or Job())

    def _complete(self, lack: str) -> Outcome:
        """Give the outcome; say what lacks if there is none, or a preview."""
        if self.outcome is None or self.outcome.is_preview:
            raise ConfigurationError(lack, remedy="Wait for the map of all pixels.")
        return self.outcome


def demo_config(library: Library) -> StudyConfig:
    """Choose the demo: Walker Lake, simulated, in 1988 and 2017."""
    scenes = [{"source": str(path)} for path in library.demo.values()]
    return StudyConfig.parse({"scenes": scenes, "center": CENTER, "buffer": BUFFER})


def _checked(config: StudyConfig) -> StudyConfig:
    """Refuse what a configuration takes as text before it takes the place of one that works."""
    read_crs(config.crs)
    return config


def _clusters_otherwise(one: StudyConfig, other: StudyConfig) -> bool:
    return one.model_dump(exclude=_OF_WATER) != other.model_dump(exclude=_OF_WATER)


def _first(source: str | list[str]) -> str:
    return source if isinstance(source, str) else source[0]


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, "")}
