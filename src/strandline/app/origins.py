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

    def command(self, file: str) -> str:
        """Write the command that searches again, and saves what it finds."""
        words = ["strandline", "search", self.api]
        for name, value in self.conditions().items():
            parts = value if isinstance(value, tuple) else [value]
            words += ["--" + name.replace("_", "-"), *map(_word, parts)]
        return shlex.join([*words, "--out", file])


@dataclass(frozen=True)
class Repeated:
    """A study as it can be repeated elsewhere.

    Attributes
    ----------
    config : StudyConfig
        Its scenes by the names that they have there.
    searches : dict of str to Search
        What is to be searched before, by the file that takes what is found.
    """

    config: StudyConfig
    searches: dict[str, Search]


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
    files: dict[Search, str] = {}

    def named(source: str) -> str:
        origin = origin_of(source)
        if isinstance(origin, Upload):
            return origin.filename
        if isinstance(origin, Search):
            number = len(files) + 1
            file = files.setdefault(origin, "found.json" if number == 1 else f"found-{number}.json")
            return file + PurePath(source).name.removeprefix("found.json")
        return source

    def renamed(scene: SceneSource) -> SceneSource:
        source = scene.source
        there = named(source) if isinstance(source, str) else list(map(named, source))
        return scene.model_copy(update={"source": there})

    scenes = [renamed(scene) for scene in config.scenes]
    there = config.model_copy(update={"scenes": scenes})
    return Repeated(there, {file: search for search, file in files.items()})


def _word(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
