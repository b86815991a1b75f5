"""What a page may open: files below the folders given at start, its own uploads, the demo.

Pages know sources by *names*: ``demo:1988-10-22``, ``landsat/scene.tif`` for a file below the
folder ``landsat``, ``kept:TOKEN/scene.tif`` for what was uploaded or found, or a URL. A name says
nothing about where the folders lie, and whatever it leads to is looked at again after links were
followed. The token of what was uploaded cannot be guessed, so only its owner's pages open it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from strandline.app.origins import Search, Upload
from strandline.configuration import SceneSource
from strandline.demo import DATES
from strandline.errors import AccessDeniedError, ConfigurationError, StrandlineError
from strandline.paths import local_path
from strandline.scenes.kinds import split_catalog_source
from strandline.scenes.listing import scenes_below
from strandline.scenes.storage import is_url

DEMO = "demo:"
KEPT = "kept:"

MOST_LISTED = 300
"""Sources that are offered by name; others below the folders may be typed in."""

DEPTH = 3
"""Folders below those given at start that are looked through for the list."""

UPLOAD_TYPES = (".tif", ".tiff", ".nc", ".h5", ".tar", ".gz", ".tgz", ".zip")
"""Files that hold their pixels themselves; no lists of other files."""

_CATALOGS = (".yml", ".yaml")
_ORIGIN = "origin.json"  # beside what is kept
_ORIGINS: TypeAdapter[Any] = TypeAdapter(Upload | Search)
_HEAD = 512  # bytes in which a file says that it is a list of others


class Library:
    """The sources that pages of one server may open.

    Parameters
    ----------
    folders : iterable of path-like
        Below which files may be opened. None: no files but the demo and uploads.
    kept : Path
        Folder for uploads and saved searches, of this server alone.
    demo : mapping of str to Path, optional
        Where the demo's two products are, by date.
    remote : bool
        Whether URLs may be opened.
    max_upload : int
        Bytes that an upload may have.

    Raises
    ------
    ConfigurationError
        If one of the folders is none.
    """

    def __init__(
        self,
        folders: Iterable[str | os.PathLike[str]],
        kept: Path,
        demo: Mapping[str, Path] | None = None,
        *,
        remote: bool = True,
        max_upload: int = 512_000_000,
    ) -> None:
        self.folders = _named_folders(folders)
        self.kept = kept.resolve()
        self.demo = {date: path.resolve() for date, path in (demo or {}).items()}
        self.remote = remote
        self.max_upload = max_upload

    def locate(self, name: str) -> str:
        """Turn a name into a source for `open_scene`, if the page may open it.

        Parameters
        ----------
        name : str
            As pages know it; ``catalog.yml:name`` and ``found.json:id`` name a part.

        Returns
        -------
        str
            A whole path, or the URL.

        Raises
        ------
        AccessDeniedError
            If it leads, or may lead, outside.
        ConfigurationError
            If it is not a name.
        """
        text = name.strip()
        if not text or "\0" in text:
            raise ConfigurationError("The scene has no name.", remedy="Choose one from the list.")
        if text.startswith(DEMO):
            return self._demo(text)
        if is_url(text):
            return self._url(text)
        if text.startswith(KEPT):
            token, _, rest = text.removeprefix(KEPT).partition("/")
            if not re.fullmatch(r"[\w-]{20,}", token):
                raise _outside(name)
            return self._below(self.kept / token, rest, name)
        folder, _, rest = text.partition("/")
        if folder not in self.folders:
            raise _outside(name, ", ".join(f"'{known}/…'" for known in self.folders) or None)
        return self._below(self.folders[folder], rest, name)

    def name_of(self, source: str) -> str:
        """Turn a source back into the name that `locate` knows."""
        if is_url(source):
            return source
        path = Path(source)
        for date, product in self.demo.items():
            if path == product:
                return f"{DEMO}{date}"
        for folder, root in self.folders.items():
            if path.is_relative_to(root):
                return f"{folder}/{path.relative_to(root).as_posix()}".rstrip("/")
        if path.is_relative_to(self.kept):
            return KEPT + path.relative_to(self.kept).as_posix()
        raise _outside(path.name)

    def plainly(self, text: str) -> str:
        """Write the names that pages know in place of this machine's paths."""
        text = re.sub(re.escape(str(self.kept)) + r"/[\w-]{20,}/", "", text)
        for folder, root in self.folders.items():
            text = text.replace(f"{root}/", f"{folder}/")
        for date, product in self.demo.items():
            text = text.replace(str(product), f"{DEMO}{date}")
        return text

    def check(self, scene: SceneSource) -> list[str]:
        """Make sure that all files of a source lie where they may be opened.

        Catalogues, searches and patterns name other files; links lead elsewhere.

        Parameters
        ----------
        scene : SceneSource
            Its source as `locate` returned it.

        Returns
        -------
        list of str
            The files and URLs.

        Raises
        ------
        AccessDeniedError
            If one of them does not, or is a list of further files (a GDAL virtual raster).
        SceneError
            If there is nothing at the source, or it cannot be understood.
        """
        from strandline.scenes.inputs import source_files

        files = source_files(scene.source, scene.storage_options, platform=scene.platform)
        for file in files:
            if is_url(file):
                self._url(file)
            else:
                self._check_file(file)
        return files

    def keep(self, filename: str, content: bytes) -> str:
        """Keep an upload.

        Parameters
        ----------
        filename : str
            As its owner calls it; only its last part counts.
        content : bytes

        Returns
        -------
        str
            Its name, which cannot be guessed.

        Raises
        ------
        ConfigurationError
            If it is too large, empty, or of a kind that is not taken.
        OutputError
            If the disk does not take it.
        """
        from strandline.atomic import replacing

        plain = re.sub(r"[^\w.+-]+", "_", Path(filename.replace("\\", "/")).name).lstrip(".")
        if Path(plain).suffix.lower() not in UPLOAD_TYPES:
            raise ConfigurationError(
                f"'{filename[:80]}' cannot be uploaded.",
                expected=f"a file of {', '.join(UPLOAD_TYPES)}",
                got=Path(plain).suffix or "no ending",
                remedy="Put it into a folder given to `strandline app`, and open it there.",
            )
        self.check_size(filename, len(content))
        name = f"{KEPT}{secrets.token_urlsafe(24)}/{plain}"
        path = self.kept / name.removeprefix(KEPT)
        with replacing(path) as partial:
            partial.write_bytes(content)
        _remember(path, Upload(filename=Path(filename.replace("\\", "/")).name))
        return name

    def new_place(self, filename: str, search: Search | None = None) -> tuple[str, Path]:
        """Give a name, and the path of a file that is to be written there.

        Parameters
        ----------
        filename : str
        search : Search, optional
            What the file will hold the result of.
        """
        token = secrets.token_urlsafe(24)
        (self.kept / token).mkdir(parents=True)
        if search is not None:
            _remember(self.kept / token / filename, search)
        return f"{KEPT}{token}/{filename}", self.kept / token / filename

    def origin(self, source: str) -> Upload | Search | None:
        """Say where a source that is kept here came from; None of all others."""
        if is_url(source) or not Path(source).is_relative_to(self.kept):
            return None
        path = Path(source).parent / _ORIGIN
        if not path.exists():
            return None
        known: Upload | Search = _ORIGINS.validate_json(path.read_bytes())
        return known

    def check_size(self, filename: str, size: int) -> None:
        """Refuse an upload by its size in bytes."""
        if not 0 < size <= self.max_upload:
            raise ConfigurationError(
                f"'{filename[:80]}' is {'too large' if size else 'empty'}.",
                expected=f"at most {self.max_upload / 1e6:,.0f} MB",
                got=f"{size / 1e6:,.0f} MB",
                remedy="Put it into a folder given to `strandline app`, and open it there.",
            )

    def names(self) -> list[str]:
        """List what there is to choose from: the demo, then what in the folders can be opened."""
        found = [f"{DEMO}{date}" for date in self.demo]
        for folder, root in self.folders.items():
            for path in scenes_below(root, DEPTH):
                found += self._offered(f"{folder}/{path.relative_to(root).as_posix()}")
                if len(found) >= MOST_LISTED:
                    return found[:MOST_LISTED]
        return found

    def _offered(self, name: str) -> list[str]:
        """Give the name, or those of a catalogue's sources."""
        if not name.lower().endswith(_CATALOGS):
            return [name]
        from strandline.scenes.catalog import open_catalog

        try:
            return [f"{name}:{source}" for source in open_catalog(self.locate(name))]
        except StrandlineError:
            return []  # YAML is used for many things

    def _demo(self, name: str) -> str:
        date = name.removeprefix(DEMO)
        if date not in self.demo:
            raise ConfigurationError(
                "The demo has no such date.", expected=" or ".join(DATES), got=date[:40]
            )
        return str(self.demo[date])

    def _url(self, url: str) -> str:
        if not self.remote:
            raise AccessDeniedError(
                "This server opens nothing from the network.",
                got=url[:80],
                remedy="Choose one of its files, or upload one.",
            )
        return url

    def _below(self, root: Path, rest: str, name: str) -> str:
        """Join, and refuse whatever is not below the root once links are followed."""
        parts = rest.split("/")
        if not rest or any(part in ("", ".", "..") or "\\" in part for part in parts):
            raise _outside(name)
        path = root / rest
        # Of `catalog.yml:lake` and `*_B{band}.tif`, the part before is what is on the disk.
        catalog = split_catalog_source(str(path))
        concrete = Path(catalog[0]) if catalog else _without_part(path)
        while not concrete.exists() and concrete != root:
            concrete = concrete.parent
        if not concrete.resolve().is_relative_to(root.resolve()):
            raise _outside(name)
        return str(path)

    def _check_file(self, file: str) -> None:
        path = local_path(file).absolute()
        resolved = path.resolve()
        roots = [*self.folders.values(), self.kept, *self.demo.values()]
        if str(file).startswith("/vsi") or not any(map(resolved.is_relative_to, roots)):
            raise _outside(path.name)
        if resolved.is_file() and path.suffix.lower() != ".xml":
            with resolved.open("rb") as stream:
                head = stream.read(_HEAD)
            if b"<VRTDataset" in head or b"<GDAL_" in head:
                raise AccessDeniedError(
                    f"'{path.name}' is a list of other files.",
                    expected="a file that holds its pixels itself",
                    got="a GDAL virtual raster",
                    remedy="Open the files that it names.",
                )


def is_list_of_files(source: str) -> bool:
    """Whether a source is a part of a catalogue, or of a list of STAC items: it names files."""
    return split_catalog_source(source) is not None or bool(
        re.search(r"\.(json|geojson)(:[^/]*)?$", source, re.IGNORECASE)
    )


def _remember(path: Path, origin: Upload | Search) -> None:
    """Write down where a file came from."""
    path.with_name(_ORIGIN).write_text(origin.model_dump_json(), encoding="utf-8")


def _named_folders(folders: Iterable[str | os.PathLike[str]]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for given in folders:
        root = local_path(given).resolve()
        if not root.is_dir():
            raise ConfigurationError(
                f"'{given}' is not a folder.",
                expected="folders that hold scenes",
                remedy="Name the folder that a file lies in, not the file.",
            )
        base = name = root.name or "files"
        number = 2
        while name in named and named[name] != root:
            name, number = f"{base}-{number}", number + 1
        named[name] = root
    return named


def _without_part(path: Path) -> Path:
    """Take ``:id`` from ``found.json:id``."""
    head, colon, tail = str(path).rpartition(":")
    return Path(head) if colon and "/" not in tail else path


def _outside(name: str, expected: str | None = None) -> AccessDeniedError:
    return AccessDeniedError(
        f"'{name[:80]}' is not among the files that this server opens.",
        expected=expected,
        remedy="Start `strandline app` with the folder that it lies in, or upload it.",
    )
