"""Which files a path, a glob or a pattern such as ``…_band{band:d}.tif`` names.

Files are listed by fsspec, so a pattern on S3 works like one on disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Any

from strandline.errors import (
    ConfigurationError,
    SourceNotFoundError,
)
from strandline.paths import local_path
from strandline.scenes.failures import asking
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import is_companion, is_local, is_url, listing_options

_GUID = re.compile(r"(?<!\{)\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}")

# What the date directives that file names use may look like; any other is left to strptime.
_DIRECTIVES = {"Y": r"\d{4}", "y": r"\d{2}", "j": r"\d{3}", "b": r"[^\W\d]+", "B": r"[^\W\d]+"}
_DIRECTIVES |= dict.fromkeys("mdHMS", r"\d{2}")


@dataclass(frozen=True)
class MatchedFile:
    """A file, and what its name says.

    Parameters
    ----------
    url : str
        Local path or URL.
    fields : dict
        Values of the pattern's fields: int, float, datetime or str.
    """

    url: str
    fields: dict[str, Any] = field(default_factory=dict)


def match_files(
    urlpath: str | Sequence[str],
    *,
    pattern: bool | str = True,
    storage_options: Mapping[str, Any] | None = None,
) -> list[MatchedFile]:
    """Find the files that a path, a glob, a pattern, or a list of these names.

    Parameters
    ----------
    urlpath : str or sequence of str
        Local paths or URLs. ``*``, ``?`` and ``[…]`` are globs; ``{name}``, ``{name:d}`` (an
        integer), ``{name:f}`` (a number) and ``{name:%Y%m%d}`` (a date) are fields.
    pattern : bool or str
        False takes braces in `urlpath` literally. A string is a pattern for files that `urlpath`
        names otherwise; it may leave out the folder. A file that exists is that file, whatever
        characters its name has; a GUID in braces is text.
    storage_options : mapping, optional
        As fsspec and intake write them, e.g. ``{"anon": True}``.

    Returns
    -------
    list of MatchedFile
        A pattern's files ordered by its fields, a glob's by name (band 10 after band 2), a list's
        as listed; companion files such as ``._B4.TIF`` are left out. A path without fields and
        stars need not exist.

    Raises
    ------
    SourceNotFoundError
        If no file matches.
    UnreadableSourceError
        If the folder or bucket cannot be listed.
    ConfigurationError
        If the pattern cannot be understood.

    Examples
    --------
    >>> match_files("scene.tif")
    [MatchedFile(url='scene.tif', fields={})]
    >>> match_files("LT05_B3.TIF", pattern="{sensor}_B{band:d}.TIF")
    [MatchedFile(url='LT05_B3.TIF', fields={'sensor': 'LT05', 'band': 3})]
    """
    if not isinstance(urlpath, str):
        each = [
            match_files(one, pattern=pattern, storage_options=storage_options) for one in urlpath
        ]
        return without_companions([file for files in each for file in files])
    if _is_plain(urlpath):
        fields = _fields(pattern) if isinstance(pattern, str) else []
        return [MatchedFile(urlpath, _parsed(urlpath, str(pattern)) if fields else {})]
    folder, rest = _literal_folder(urlpath)
    fields = _fields(rest) if pattern is True else []
    if fields:
        files = _listed(urlpath, (folder, rest), fields, storage_options)
        return sorted(files, key=lambda file: (*_order(file, fields), file.url))
    if _is_glob(rest if folder else urlpath):
        files = _listed(urlpath, (folder, rest), [], storage_options)
        files.sort(key=lambda file: natural_order(file.url))
    else:
        files = [MatchedFile(urlpath)]
    if isinstance(pattern, str):
        files = [MatchedFile(file.url, _parsed(file.url, pattern)) for file in files]
    return files


def without_companions(files: Sequence[MatchedFile]) -> list[MatchedFile]:
    """Leave out what only accompanies the other files; where there is nothing else, keep it."""
    data = [file for file in files if not is_companion(file.url)]
    return data or list(files)


def _is_plain(urlpath: str) -> bool:
    """Whether a path names one thing, whatever characters it has: it exists, or GDAL alone can say.

    A file that is there comes before the pattern that its name could be.
    """
    if not is_local(urlpath):
        return not is_url(urlpath)
    try:
        return local_path(urlpath).exists()
    except (OSError, ValueError):  # said by whoever opens it
        return False


def _is_glob(urlpath: str) -> bool:
    # In a web address, a question mark begins the query.
    plain = urlpath.partition("?")[0] if urlpath.startswith(("http://", "https://")) else urlpath
    return any(character in plain for character in "*?[")


def _pieces(urlpath: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """Take a pattern apart into text and fields; a GUID in braces is text."""
    return list(Formatter().parse(_GUID.sub(r"{{\1}}", urlpath)))


def _fields(urlpath: str) -> list[str]:
    """Names of the pattern's fields in order of appearance."""
    try:
        parts = _pieces(urlpath)
    except ValueError as error:
        raise ConfigurationError(
            f"The pattern {urlpath!r} cannot be understood: {error}.",
            expected="fields like {band:d}, and braces that are meant doubled",
            got=repr(urlpath),
        ) from error
    names: list[str] = []
    for _, name, _, conversion in parts:
        if name is None:
            continue
        if not name.isidentifier() or conversion:
            raise ConfigurationError(
                f"The pattern {urlpath!r} has a field without a plain name.",
                expected="fields like {band:d}",
                got="{" + name + ("!" + conversion if conversion else "") + "}",
            )
        names.append(name)
    return list(dict.fromkeys(names))


def _listed(
    urlpath: str,
    place: tuple[str, str],
    fields: Sequence[str],
    storage_options: Mapping[str, Any] | None,
) -> list[MatchedFile]:
    folder, rest = place
    found = _glob(folder, rest, bool(fields), storage_options)
    if fields:
        parsed = ((url, _match(url[len(folder) :], rest)) for url in found)
        files = [MatchedFile(url, values) for url, values in parsed if values is not None]
    else:
        files = [MatchedFile(url) for url in found]
    if not files:
        raise SourceNotFoundError(
            f"No file matches {redact_url(urlpath)!r}.",
            got=f"{len(found)} of a similar name" if found else None,
            remedy="Check the path, and the access to the store if it is remote.",
        )
    return files


def _literal_folder(urlpath: str) -> tuple[str, str]:
    """Take the folders that exist off a pattern: braces and stars in their names are text."""
    if is_url(urlpath):
        return "", urlpath
    # Listings give absolute paths without "..".
    place = os.path.normpath(local_path(urlpath).absolute())
    parts = Path(place).parts[:-1]
    there = 1
    while there < len(parts) and Path(*parts[: there + 1]).is_dir():
        there += 1
    folder = str(Path(*parts[:there], "_"))[:-1]
    return folder, place[len(folder) :]


def _glob(
    folder: str, rest: str, has_fields: bool, storage_options: Mapping[str, Any] | None
) -> list[str]:
    glob = re.sub(r"([*?[])", r"[\1]", folder) + (_as_glob(rest) if has_fields else rest)
    try:
        found = asking(
            folder + rest, partial(_names, glob, storage_options), task="Listing the files of"
        )
    except SourceNotFoundError:
        return []
    hidden = rest.rsplit("/", 1)[-1].startswith(".")  # as in a shell
    return [
        url
        for url in found
        if not is_companion(url) and (hidden or not url.rsplit("/", 1)[-1].startswith("."))
    ]


def _names(glob: str, storage_options: Mapping[str, Any] | None) -> list[str]:
    from fsspec.core import url_to_fs

    local = not is_url(glob)
    options = {} if local else listing_options(storage_options)
    files, path = url_to_fs(glob, **options)  # type: ignore[no-untyped-call]  # untyped
    found = [str(name) for name in files.glob(path)]
    scheme = glob.partition("://")[0]
    return [name if local or is_url(name) else f"{scheme}://{name}" for name in found]


def _as_glob(pattern: str) -> str:
    parts = []
    for literal, name, _, _ in _pieces(pattern):
        parts.append(literal.replace("[", "[[]"))
        if name is not None:
            parts.append("*")
    return re.sub(r"\*{2,}", "*", "".join(parts))


def _parsed(url: str, pattern: str) -> dict[str, Any]:
    _fields(pattern)
    values = _match(url, pattern)
    if values is None:
        raise ConfigurationError(
            "A file's name does not fit the pattern.", expected=repr(pattern), got=repr(url)
        )
    return values


def _match(url: str, pattern: str) -> dict[str, Any] | None:
    """Values of the pattern's fields in a file's path, or None where it does not fit."""
    expression, formats = _regex(pattern)
    # A pattern may leave out leading folders.
    match = re.search(f"(?:^|/){expression}$", url)
    if match is None:
        return None
    try:
        return {name: _value(match[name], spec) for name, spec in formats.items()}
    except ValueError:
        return None


def _regex(pattern: str) -> tuple[str, dict[str, str]]:
    parts: list[str] = []
    formats: dict[str, str] = {}
    for literal, name, spec, _ in _pieces(pattern.lstrip("/")):
        escaped = re.escape(literal)
        parts.append(escaped.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
        if name is None:
            continue
        if name in formats:
            parts.append(f"(?P={name})")
            continue
        formats[name] = spec or ""
        parts.append(f"(?P<{name}>{_field_regex(spec or '')})")
    return "".join(parts), formats


def _field_regex(spec: str) -> str:
    if "%" in spec:
        pieces = re.split(r"(%.)", spec)
        return "".join(
            _DIRECTIVES.get(piece[1], ".+?") if piece.startswith("%") else re.escape(piece)
            for piece in pieces
            if piece
        )
    if spec.endswith("d"):
        width = spec[:-1].lstrip("0")
        return rf"[-+]?\d{{{int(width)},}}" if width.isdigit() else r"[-+]?\d+"
    if spec.endswith(("f", "e", "g")):
        return r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
    return "[^/]+?"


def _value(text: str, spec: str) -> Any:
    if "%" in spec:
        return datetime.strptime(text, spec)
    if spec.endswith("d"):
        return int(text)
    if spec.endswith(("f", "e", "g")):
        return float(text)
    return text


def _order(file: MatchedFile, fields: Sequence[str]) -> tuple[Any, ...]:
    return tuple(
        natural_order(value) if isinstance(value, str) else value
        for value in (file.fields[name] for name in fields)
    )


def natural_order(text: str) -> tuple[tuple[int, int, str], ...]:
    """Make the key that puts band 10 after band 2."""
    pieces = re.split(r"(\d+)", text)
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in pieces)
