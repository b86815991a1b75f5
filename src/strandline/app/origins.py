"""Where scenes came from before a server kept them: a search that anybody can repeat, or an upload.

The copies that a server keeps mean nothing elsewhere, so that commands and code name the origin.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from strandline.configuration import SceneSource, StudyConfig

FOUND = "found.json"
"""Name of the file that takes what a search finds."""


class Upload(BaseModel):
    """A file that somebody sent.

    Attributes
    ----------
    filename : str
        As its owner calls it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["upload"] = "upload"
    filename: str


class Search(BaseModel):
    """A search in a STAC archive.

    Attributes
    ----------
    api : str
        As for `strandline.search_scenes`.
    center, buffer, datetime, max_cloud
        Its conditions.

    Examples
    --------
    >>> asked = Search(api="earth-search", center=(-118.7, 38.7), buffer=9000, max_cloud=20)
    >>> asked.command("found.json")
    'strandline search earth-search --center -118.7 38.7 --buffer 9000 --max-cloud 20 \
--out found.json'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["search"] = "search"
    api: str
    center: tuple[float, float]
    buffer: float
    datetime: str | None = None
    max_cloud: float | None = None

    def conditions(self) -> dict[str, Any]:
        """Give what `strandline.search_scenes` takes besides the archive."""
        return self.model_dump(exclude={"kind", "api"}, exclude_none=True)

    def words(self, file: str) -> list[str]:
        """Give the words of the command that searches again, and saves what it finds."""
        words = ["strandline", "search", self.api]
        for name, value in self.conditions().items():
            parts = value if isinstance(value, tuple) else [value]
            words += ["--" + name.replace("_", "-"), *map(_word, parts)]
        return [*words, "--out", file]

    def command(self, file: str) -> str:
        """Write that command for a shell."""
        return shlex.join(self.words(file))


@dataclass(frozen=True)
class Repeated:
    """A study as it can be repeated elsewhere.

    Attributes
    ----------
    config : StudyConfig
        Its scenes by the names that they have there.
    searches : dict of str to Search
        What is to be searched before, by the file that takes what is found.
    files : dict of str to str
        What files are called there that are called otherwise here, by their whole path.
    """

    config: StudyConfig
    searches: dict[str, Search]
    files: dict[str, str]


def repeated(config: StudyConfig, origin_of: Callable[[str], Upload | Search | None]) -> Repeated:
    """Name the scenes of a study as they are called elsewhere.

    Parameters
    ----------
    config : StudyConfig
    origin_of : callable
        Tells where a source came from; None if it lies where it always did.

    Returns
    -------
    Repeated
    """
    searches: dict[str, Search] = {}
    files: dict[str, str] = {}
    names: dict[Search | str, str] = {}

    def called(name: str, whose: Search | str) -> str:
        """Give a file a name that no other has; what was searched for twice has one."""
        plain, number = PurePath(name), 1
        while whose not in names and name in names.values():
            number += 1
            name = f"{plain.stem}-{number}{plain.suffix}"
        return names.setdefault(whose, name)

    def named(source: str) -> str:
        origin = origin_of(source)
        if isinstance(origin, Upload):
            files[source] = called(origin.filename, source)
            return files[source]
        if isinstance(origin, Search):
            part = PurePath(source).name.removeprefix(FOUND)
            file = files[source.removesuffix(part)] = called(FOUND, origin)
            searches[file] = origin
            return file + part
        return source

    def renamed(scene: SceneSource) -> SceneSource:
        source = scene.source
        there = named(source) if isinstance(source, str) else list(map(named, source))
        return scene.model_copy(update={"source": there})

    scenes = [renamed(scene) for scene in config.scenes]
    there = config.model_copy(update={"scenes": scenes})
    return Repeated(there, searches, files)


def _word(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
