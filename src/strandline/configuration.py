"""The configuration of a study, validated before anything is opened."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from strandline.errors import ConfigurationError
from strandline.paths import local_path, split_subdataset

Degrees = FiniteFloat
Positive = Annotated[FiniteFloat, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]
Resampling = Literal[
    "measured", "nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode",
    "min", "max", "med", "q1", "q3",
]  # fmt: skip


class SceneSource(BaseModel):
    """One scene of a study: what `open_scene` needs to know.

    Attributes
    ----------
    source : str or list of str
        Path, URL, pattern, ``catalog.yml:name``, or one file per band.
    time, platform, scale, offset, nodata, band_names, crs
        As for `strandline.open_scene`, where the source does not say itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str | list[str]
    time: Name | None = None
    platform: Name | None = None
    scale: FiniteFloat | None = None
    offset: FiniteFloat | None = None
    nodata: float | None = None
    band_names: Names | None = None
    crs: Name | None = None
    reflectance: bool = True
    storage_options: dict[str, Any] = Field(default_factory=dict)

    @model_serializer(mode="wrap", when_used="json")
    def _without_infinities(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write a number for no data that JSON does not have as a word."""
        written: dict[str, Any] = write(self)
        nodata = written.get("nodata")
        if nodata is not None and not math.isfinite(nodata):
            written["nodata"] = str(nodata)
        return written

    @model_validator(mode="after")
    def _source_has_a_name(self) -> SceneSource:
        sources = [self.source] if isinstance(self.source, str) else self.source
        if not all(source.strip() for source in sources):
            raise ValueError("the name of a source is empty")
        return self

    @model_validator(mode="after")
    def _scale_is_none_of_nothing(self) -> SceneSource:
        if self.scale == 0:
            raise ValueError("scale=0 would make all reflectance the same")
        return self


class StudyConfig(BaseModel):
    """All that the results of a study depend on.

    Attributes
    ----------
    scenes : list of SceneSource
        One scene, or two: before and after.
    center : (float, float), optional
        Longitude and latitude of the area's centre, degrees.
    buffer : float, optional
        Half the side of the square around `center`, metres.
    bbox : (float, float, float, float), optional
        West, south, east, north, degrees; instead of `center`.
    resolution : float, optional
        Pixel size in units of `crs`. Default: that of the first scene, pixel for pixel.
    crs : str, optional
        Of the common grid. Default: that of the first scene.
    resampling : str
        For scenes that are not on the grid already, as for `strandline.regrid`. Default:
        ``measured``, since mixtures of neighbours would be clustered as spectra of their own.
    bands : list of str, optional
        To cluster by. Default: the reflective bands that all scenes have.
    n_clusters, n_subclusters, standardize, seed
        As for `strandline.segment`.
    mask : list of str, optional
        Reasons for which a pixel counts as not observed. Default: the usual ones.
    conflicts : {"quality", "spectrum"}
        Which to trust where the quality band and the spectrum contradict each other, as for
        `strandline.open_scene`.
    harmonize : bool
        Make all scenes as OLI would have measured them (`strandline.harmonize`).
    normalize : bool
        Make the second scene like the first, by stable pixels (`strandline.normalize`).
    correct_shift : bool
        Move the second scene to where the first lies (`strandline.correct_shift`).
    water_at : (float, float), optional
        Longitude and latitude of a point in the water.
    water_labels : list of int, optional
        Clusters that are water. Default for both: water is found by itself.
    water_also, water_without : list of int, optional
        Clusters that are water, or are not, whatever else was found.
    vectors : list of {"gpkg", "geojson", "parquet"}, optional
        Formats of the polygons and shorelines. Default: GeoPackage, if geopandas is installed.
    min_pixels : int, optional
        Minimum mapping unit of the polygons, as for `strandline.water_polygons`.

    Examples
    --------
    >>> scenes = [{"source": "before.tar"}, {"source": "after.tar"}]
    >>> config = StudyConfig.parse({"scenes": scenes, "n_clusters": 6})
    >>> " ".join(config.command())
    'strandline change before.tar after.tar --clusters 6'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: list[SceneSource] = Field(min_length=1, max_length=2)
    center: tuple[Degrees, Degrees] | None = None
    buffer: Positive | None = None
    bbox: tuple[Degrees, Degrees, Degrees, Degrees] | None = None
    resolution: Positive | None = None
    crs: Name | None = None
    resampling: Resampling = "measured"
    bands: Names | None = None
    n_clusters: int = Field(default=8, ge=2, le=254)
    n_subclusters: int | None = Field(default=None, ge=2, le=254)
    standardize: Literal["global", "band", "robust"] = "band"
    seed: int = Field(default=0, ge=0, lt=2**32)
    mask: list[str] | None = None
    conflicts: Literal["quality", "spectrum"] = "quality"
    harmonize: bool = False
    normalize: bool = False
    correct_shift: bool = False
    water_at: tuple[Degrees, Degrees] | None = None
    water_labels: list[Annotated[int, Field(ge=0)]] | None = None
    water_also: list[Annotated[int, Field(ge=0)]] | None = None
    water_without: list[Annotated[int, Field(ge=0)]] | None = None
    vectors: list[Literal["gpkg", "geojson", "parquet"]] | None = None
    min_pixels: int | None = Field(default=None, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> StudyConfig:
        if (self.center is None) != (self.buffer is None):
            raise ValueError("center=… and buffer=… go together")
        if self.center is not None and self.bbox is not None:
            raise ValueError("give center=… and buffer=…, or bbox=…, not both")
        if self.n_subclusters is not None and self.n_subclusters < self.n_clusters:
            raise ValueError("n_subclusters=… has to be at least n_clusters=…")
        if len(self.scenes) == 1 and (self.normalize or self.correct_shift):
            raise ValueError("normalize=True and correct_shift=True need two scenes")
        if self.water_at is not None and self.water_labels is not None and self._verb() != "apply":
            raise ValueError("give water_at=… or water_labels=…, not both")
        if set(self.water_also or ()) & set(self.water_without or ()):
            raise ValueError("a cluster is in water_also=… or in water_without=…, not in both")
        for name in _LABELS:
            if any(label >= self._clusters() for label in getattr(self, name) or ()):
                raise ValueError(
                    f"{name}=… are numbers of clusters, here from 0 to {self._clusters() - 1}"
                )
        return self

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Check a configuration; what is wrong with it is said in one readable error.

        Raises
        ------
        ConfigurationError
            If a value is missing, unknown, or cannot work.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(
                _readable(error), remedy="help(strandline.StudyConfig) says what each may be."
            ) from error

    def anchored(self) -> Self:
        """Name local files by their whole path: the study then means the same from any folder.

        Examples
        --------
        >>> config = StudyConfig.parse({"scenes": [{"source": "s3://landsat/scene.tif"}]})
        >>> config.anchored() == config
        True
        """
        scenes = [
            scene.model_copy(update={"source": _anchored(scene.source)}) for scene in self.scenes
        ]
        return self.model_copy(update={"scenes": scenes})

    def command(self) -> list[str]:
        """Return the command line that runs this study (secrets stay out of it).

        Where the command line cannot describe the scenes (a list of files, options that differ
        between two scenes), only the record is complete.
        """
        words = ["strandline", self._verb(), *self._positionals()]
        words += [
            scene.source if isinstance(scene.source, str) else ",".join(scene.source)
            for scene in self.scenes
        ]
        words += self._scene_words()
        words += self._switches()
        given = self.model_dump(
            mode="json", exclude_defaults=True, exclude={"scenes", *_NOT_AN_OPTION}
        )
        for name, value in given.items():
            parts = value if isinstance(value, list) else [value]
            if name in ("bands", "mask", "vectors") or name in _LABELS:
                parts = [",".join(map(str, parts))]
            if name in ("mask", "vectors"):
                parts = [parts[0] or "none"]
            option = _OPTION_NAMES.get(name, "--" + name.replace("_", "-"))
            words += [option] if value is True else [option, *map(_number, parts)]
        return words

    def _clusters(self) -> int:
        return self.n_clusters

    def water(self) -> dict[str, Any]:
        """Return what `find_water` takes besides a segmentation."""
        return {
            "at": self.water_at,
            "labels": self.water_labels,
            "also": self.water_also,
            "without": self.water_without,
        }

    def _verb(self) -> str:
        return "change" if len(self.scenes) == 2 else "segment"

    def _positionals(self) -> list[str]:
        return []

    def _switches(self) -> list[str]:
        return []

    def _date_words(self) -> list[str]:
        dates = ("--date-before", "--date-after") if len(self.scenes) == 2 else ("--date",)
        words = []
        for option, scene in zip(dates, self.scenes, strict=True):
            words += [] if scene.time is None else [option, scene.time]
        return words

    def _scene_words(self) -> list[str]:
        """Write how to read the scenes: what all have in common, and the date of each."""
        words = self._date_words()
        for name, option in _SCENE_OPTIONS.items():
            value, *others = [getattr(scene, name) for scene in self.scenes]
            if value is not None and all(other == value for other in others):
                words += [option, ",".join(value) if isinstance(value, list) else _number(value)]
        if not any(scene.reflectance for scene in self.scenes):
            words.append("--digital-numbers")
        if all(scene.storage_options.get("anon") for scene in self.scenes):
            words.append("--anonymous")
        return words


class TimelineConfig(StudyConfig):
    """All that the results of a timeline depend on.

    Attributes
    ----------
    scenes : list of SceneSource
        One per date, in any order.
    center, buffer, bbox, resolution, crs, resampling, bands, n_clusters, n_subclusters, \
standardize, seed, mask, conflicts, water_labels
        As for `StudyConfig`.
    water_at : (float, float), optional
        Longitude and latitude of a point in the body of water that is followed. Default: all
        water of the map.
    leave_out : bool
        Whether dates that do not fit are left out of the maps.

    Examples
    --------
    >>> config = TimelineConfig.parse({"scenes": [{"source": "a.tar"}], "leave_out": False})
    >>> " ".join(config.command())
    'strandline timeline a.tar --keep-all'
    """

    scenes: list[SceneSource] = Field(min_length=1)
    leave_out: bool = True

    @model_validator(mode="after")
    def _knows_its_settings(self) -> TimelineConfig:
        meaningless = sorted(_NOT_OF_TIMELINES & self.model_fields_set)
        if meaningless:
            raise ValueError(f"a timeline has no {', '.join(meaningless)}")
        return self

    def _verb(self) -> str:
        return "timeline"

    def _switches(self) -> list[str]:
        return [] if self.leave_out else ["--keep-all"]

    def _date_words(self) -> list[str]:
        return _dates_option(self.scenes)


class ApplyConfig(StudyConfig):
    """All that the results of applying a model to other scenes depend on.

    Attributes
    ----------
    model : str
        Path of the model.
    scenes : list of SceneSource
        One per date, in any order.
    center, buffer, bbox, resolution, crs, resampling, mask, conflicts, water_at, water_labels
        As for `StudyConfig`; a point in the water and clusters that are water may both be given.

    Examples
    --------
    >>> config = ApplyConfig.parse({"model": "model.npz", "scenes": [{"source": "a.tar"}]})
    >>> " ".join(config.command())
    'strandline apply model.npz a.tar'
    """

    model: Name
    scenes: list[SceneSource] = Field(min_length=1)

    @model_validator(mode="after")
    def _knows_its_settings(self) -> ApplyConfig:
        meaningless = sorted(_NOT_OF_MODELS & self.model_fields_set)
        if meaningless:
            raise ValueError(f"a fitted model is not changed by {', '.join(meaningless)}")
        return self

    def anchored(self) -> Self:
        """Name local files by their whole path, the model too."""
        anchored = super().anchored()
        return anchored.model_copy(update={"model": str(_anchored(self.model))})

    def _clusters(self) -> int:
        return 254  # how many the model has, it says itself

    def _verb(self) -> str:
        return "apply"

    def _positionals(self) -> list[str]:
        return [self.model]

    def _date_words(self) -> list[str]:
        return _dates_option(self.scenes)


_NOT_OF_TIMELINES = {
    *("harmonize", "normalize", "correct_shift", "vectors", "min_pixels"),
    *("water_also", "water_without"),
}
_NOT_OF_MODELS = _NOT_OF_TIMELINES | {
    *("bands", "n_clusters", "n_subclusters", "standardize", "seed"),
}
_LABELS = ("water_labels", "water_also", "water_without")
_NOT_AN_OPTION = {"leave_out", "model"}
_OPTION_NAMES = {"n_clusters": "--clusters", "n_subclusters": "--subclusters"}
_SCENE_OPTIONS = {
    "platform": "--platform",
    "band_names": "--band-names",
    "scale": "--scale",
    "offset": "--offset",
    "nodata": "--nodata",
    "crs": "--source-crs",
}


def _dates_option(scenes: list[SceneSource]) -> list[str]:
    """Write the dates of all scenes, if all were given."""
    times = [scene.time for scene in scenes]
    known = [time for time in times if time is not None]
    return ["--dates", ",".join(known)] if len(known) == len(times) else []


def _anchored(source: str | list[str]) -> str | list[str]:
    """Make paths absolute, wherever they point to; URLs are that already."""
    if isinstance(source, list):
        return [str(_anchored(one)) for one in source]
    if inner := split_subdataset(source):
        return f"{inner[0]}{_anchored(inner[1])}{inner[2]}"
    if "://" in source or source.startswith("/vsi"):
        return source
    # Not resolved: the results shall name a link as the user did.
    return str(local_path(source).absolute())


def _number(value: Any) -> str:
    """Write a value as a word of the command line: 17000.0 as 17000."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _readable(error: ValidationError) -> str:
    """Write what pydantic found, without its links and types."""
    problems = []
    for problem in error.errors():
        where = str(problem["loc"][0]) if problem["loc"] else ""
        where += "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"][1:]
        )
        text = problem["msg"].removeprefix("Value error, ")
        # Written as an argument, so that the command line recognises what it is called there.
        given = "" if problem["type"] == "missing" else f"{problem['input']!r}"
        problems.append(f"{where}={given}: {text}" if where else text)
    return "The configuration is not valid: " + "; ".join(problems) + "."
