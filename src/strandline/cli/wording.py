"""Errors in the words of the command line: options instead of the parameters of functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from strandline.errors import SceneError

# What the library's parameters are called here, where it is not their own name.
_OPTIONS_OF = {
    "reflectance": ("--digital-numbers",),
    "storage_options": ("--anonymous",),
    "time": ("--date", "--date-before", "--date-after", "--dates"),
    "n_clusters": ("--clusters",),
    "n_subclusters": ("--subclusters",),
    "at": ("--water-at",),
    "labels": ("--water-labels",),
    "leave_out": ("--keep-all",),
    "collections": ("--collection",),
    "platforms": ("--platform",),
}
_VALUE = r"…|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|'[^']*'|\"[^\"]*\"|[-+]?\d[\w.+-]*|[A-Za-z]\w*|"
_PARAMETER = re.compile(
    rf"\b(?P<of>scenes\[\d+\]\.)?(?P<name>[a-z_]+)(?:\[\d+\])*=(?P<value>{_VALUE})"
)
_BARE = re.compile(
    r"\b(storage_options|band_names|n_clusters|n_subclusters|water_at|water_labels|water_also|water_without|min_pixels)\b"
)
_HELP = re.compile(r"help\(strandline\.\w+\)")
_BAND = re.compile(r"(?<![a-z0-9])(?:B|band_?)(?:\d{1,2}A?)(?![0-9])", re.IGNORECASE)


def in_words_of_options(error: Exception, command: str, options: Collection[str]) -> str:
    """Write an error with the options of a command where it names parameters.

    Parameters
    ----------
    error : Exception
    command : str
        Name of the command.
    options : collection of str
        The options that it has.

    Examples
    --------
    >>> from strandline.errors import ConfigurationError
    >>> error = ConfigurationError("center=… and buffer=… go together", got="n_clusters=1")
    >>> in_words_of_options(error, "segment", {"--center", "--buffer", "--clusters"})
    '--center and --buffer go together Got --clusters 1.'
    """

    def option(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        names = _options(name, options, of_scene=bool(found["of"]) or isinstance(error, SceneError))
        if not names:
            return found[0]
        shown = _shown(value)
        return " or ".join(names) + (f" {shown}" if shown and len(names) == 1 else "")

    def bare(found: re.Match[str]) -> str:
        return " or ".join(_options(found[0], options, of_scene=True)) or found[0]

    text = _BARE.sub(bare, _PARAMETER.sub(option, str(error)))
    return _HELP.sub(f"'strandline {command} --help'", text)


def _options(name: str, options: Collection[str], *, of_scene: bool) -> list[str]:
    """Give the options of a command that stand for a parameter."""
    known = _OPTIONS_OF.get(name, ("--" + name.replace("_", "-"),))
    if name == "crs" and of_scene:
        known = ("--source-crs",)
    return [option for option in known if option in options]


def _shown(value: str) -> str:
    """Write the value of a parameter as the command line takes it."""
    if value in ("…", "True", "False", "None", "") or value.startswith("{"):
        return ""
    if value.startswith("("):
        return " ".join(part.strip() for part in value[1:-1].split(",") if part.strip())
    if value.startswith("["):
        return ",".join(part.strip().strip("'\"") for part in value[1:-1].split(","))
    bare = value.strip("'\"")
    return bare if bare and " " not in bare else value


def quoted_patterns(arguments: Sequence[str]) -> str | None:
    """Find the patterns that a shell has expanded to the files of single bands, if it was so.

    Parameters
    ----------
    arguments : sequence of str
        What was given.

    Returns
    -------
    str or None
        A pattern in quotes for each scene; None if the files are not several bands of scenes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     names = [f"{folder}/LC08_044034_B{band}.TIF" for band in (2, 3, 10)]
    ...     for name in names:
    ...         Path(name).touch()
    ...     quoted_patterns(names) == f"'{folder}/LC08_044034_B*.TIF'"
    True
    >>> quoted_patterns(["1988.tif", "2017.tif"])
    """
    files = [word for word in arguments if not word.startswith("-") and _is_file(word)]
    scenes: dict[str, list[str]] = {}
    for file in files:
        if not _BAND.search(Path(file).name):
            return None
        scenes.setdefault(str(Path(file).parent / _BAND.sub("", Path(file).name)), []).append(file)
    if not scenes or any(len(bands) < 2 for bands in scenes.values()):
        return None
    return " ".join(f"'{_pattern(bands)}'" for bands in scenes.values())


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _pattern(files: Sequence[str]) -> str:
    """Write a pattern that fits all of some names."""
    start = _common_start(files)
    end = _common_start([file[: len(start) - 1 : -1] for file in files])[::-1]
    return f"{start}*{end}"


def _common_start(names: Sequence[str]) -> str:
    """Give the letters that all names begin with."""
    first, last = min(names), max(names)
    different = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(different, min(len(first), len(last)))]
