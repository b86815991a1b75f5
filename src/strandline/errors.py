"""Everything that Strandline raises or warns about on purpose.

Each error says what was expected, what came, and what to do about it. Every
class also subclasses the matching builtin, so ``except ValueError`` and
``except FileNotFoundError`` keep working.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version


class StrandlineError(Exception):
    """Base of all errors raised by Strandline.

    Parameters
    ----------
    problem : str
        One sentence that says what is wrong.
    expected, got : str, optional
        What would have been right, and what came instead.
    remedy : str, optional
        What the reader can do about it.

    Examples
    --------
    >>> error = MissingCRSError("Scene has no CRS.", remedy="Pass crs=… or georeference the file.")
    >>> print(error)
    Scene has no CRS. Pass crs=… or georeference the file.
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.expected = expected
        self.got = got
        self.remedy = remedy
        super().__init__(problem)

    def __str__(self) -> str:
        parts = [self.problem]
        if self.expected is not None:
            parts.append(
                f"Expected {self.expected}" + ("." if self.got is None else f", got {self.got}.")
            )
        elif self.got is not None:
            parts.append(f"Got {self.got}.")
        if self.remedy is not None:
            parts.append(self.remedy)
        return " ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only details would be lost on the way back from a worker process.
        return (_rebuild, (type(self), self.problem, self.expected, self.got, self.remedy))


def _rebuild(
    kind: type[StrandlineError],
    problem: str,
    expected: str | None,
    got: str | None,
    remedy: str | None,
) -> StrandlineError:
    return kind(problem, expected=expected, got=got, remedy=remedy)


class ConfigurationError(StrandlineError, ValueError):
    """A parameter has a value that cannot work."""


class MissingDependencyError(StrandlineError, ImportError):
    """An optional package is needed for this and is not installed."""


# --- scenes ---------------------------------------------------------------


class SceneError(StrandlineError, ValueError):
    """A scene cannot be opened or used as it is."""


class SourceNotFoundError(SceneError, FileNotFoundError):
    """Nothing is at the given path, URL or pattern."""


class UnreadableSourceError(SceneError, OSError):
    """The source is there but cannot be read: truncated, damaged, or not what it claims."""


class AccessDeniedError(UnreadableSourceError, PermissionError):
    """The source is there, and its owner does not let us read it."""


class UnreachableSourceError(UnreadableSourceError, ConnectionError):
    """A server did not answer, broke off, or failed, also when tried again."""


class UnknownProductError(SceneError):
    """The source is not a product that Strandline knows how to interpret."""


class MetadataError(SceneError):
    """A product's metadata is missing, contradicts itself, or cannot be parsed."""


class MissingBandError(SceneError, LookupError):
    """A band that was asked for, or is needed, is not there."""


class GridMismatchError(SceneError):
    """Arrays that have to share one grid do not."""


class MissingCRSError(SceneError):
    """A raster says nowhere where on Earth it lies."""


class ScaleError(SceneError):
    """The way from digital numbers to reflectance is unknown, or would be applied twice."""


class ReflectanceRangeError(SceneError):
    """Values that cannot be reflectance."""


class CatalogError(SceneError):
    """A catalogue, one of its sources, or a parameter of a source is wrong."""


class UnknownSourceError(CatalogError, KeyError, AttributeError):
    """A catalogue has no source of this name, asked for as an item or as an attribute."""


class SearchError(SceneError):
    """A search for scenes cannot be made, or its service does not answer as it should."""


# --- preparation, engine, water, change ------------------------------------


class GridError(StrandlineError, ValueError):
    """A grid cannot be made from what was given."""


class NoCoefficientsError(SceneError, LookupError):
    """Nobody has published how one sensor's reflectance follows from another's, here."""


class StablePixelsError(SceneError):
    """Two dates have too little in common that did not change, to make one like the other."""


class ShiftError(SceneError):
    """How far two dates lie apart cannot be told."""


class InvalidDataError(StrandlineError, ValueError):
    """Samples that the clustering engine cannot take."""


class WaterError(StrandlineError, ValueError):
    """The water clusters cannot be decided the way that was asked for."""


class ModelFileError(StrandlineError, ValueError):
    """A saved model is damaged, or written by a version that this one cannot read."""


# --- results --------------------------------------------------------------


class OutputError(StrandlineError, OSError):
    """A result cannot be written."""


class RecordError(StrandlineError, ValueError):
    """A record cannot be replayed, or its replay gave other bytes."""


# --- workers ---------------------------------------------------------------


class SchedulerError(StrandlineError, ConnectionError):
    """A Dask scheduler cannot be reached, or its workers cannot do the work."""


# --- warnings --------------------------------------------------------------


class StrandlineWarning(UserWarning):
    """Base of all warnings issued by Strandline."""


class IgnoredParameterWarning(StrandlineWarning):
    """A parameter is accepted for compatibility and has no effect."""


class FewerClustersWarning(StrandlineWarning):
    """The samples have fewer distinct values than clusters were asked for."""


class SuspiciousSceneWarning(StrandlineWarning):
    """A scene can be used, but something about it should be looked at."""


class IncompleteResultsWarning(StrandlineWarning):
    """An optional file of the results could not be written; all others are complete."""


class FinerGridWarning(StrandlineWarning):
    """A grid has finer pixels than the data that was put on it."""


class StaleCopyWarning(StrandlineWarning):
    """A local copy is used although its source could not be asked whether it has changed."""


def how_to_install(*extras: str) -> str:
    """Return the command that installs what is missing of optional dependencies.

    It names the packages themselves: the name of an extra works only where Strandline is installed
    from an index or from its own folder.

    Parameters
    ----------
    *extras : str
        Of ``pyproject.toml``: io, stac, vector, viz.

    Returns
    -------
    str

    Examples
    --------
    >>> how_to_install("io").startswith("Install what is missing: python -m pip install")
    True
    """
    wanted = []
    for requirement in requires("strandline") or []:
        package, _, marker = (part.strip() for part in requirement.partition(";"))
        if any(f"'{extra}'" in marker.replace('"', "'") for extra in extras):
            wanted.append(package)
    missing = [package for package in wanted if not _is_installed(package)]
    packages = " ".join(f"'{package}'" for package in sorted(missing or wanted))
    return f"Install what is missing: python -m pip install {packages}"


def _is_installed(requirement: str) -> bool:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
