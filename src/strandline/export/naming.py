"""What files are called in a record that is read elsewhere than where it was written.

A record names most files by their whole path. Of a file that its reader has to bring, an upload
or the list that a search fills, it says the name alone: it is looked for beside the record, and
in the working folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from strandline.configuration import StudyConfig
from strandline.errors import RecordError

Config = TypeVar("Config", bound=StudyConfig)


@dataclass(frozen=True)
class Naming:
    """A study in the words of a record, and where its files lie here.

    Attributes
    ----------
    config : StudyConfig
        As the record has it.
    files : mapping of str to str
        Names that the record has, by the whole paths of the files here.
    searches : mapping of str to str or sequence of str
        The command line that fills a list of scenes, by the name of the list. Such a list is no
        input of its own: what it names is.
    """

    config: StudyConfig
    files: Mapping[str, str]
    searches: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    def placed(self, config: Config) -> Config:
        """Turn the sources of the record into what they are here.

        Examples
        --------
        >>> config = StudyConfig.parse({"scenes": [{"source": "found.json:LC08"}]})
        >>> naming = Naming(config, {"/data/found.json": "found.json"})
        >>> naming.placed(config).scenes[0].source
        '/data/found.json:LC08'
        """
        scenes = [
            scene.model_copy(update={"source": self._here(scene.source)}) for scene in config.scenes
        ]
        return config.model_copy(update={"scenes": scenes})

    def _here(self, source: str | list[str]) -> str | list[str]:
        if isinstance(source, list):
            return [str(self._here(one)) for one in source]
        for path, name in self.files.items():
            if source == name or source.startswith(f"{name}:"):
                return path + source.removeprefix(name)
        return source

    def named(self, inputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Call the inputs of `fingerprint` what the record calls them, in the order of names."""
        names = {str(Path(path).resolve()): name for path, name in self.files.items()}
        entries = [
            {**entry, "path": names.get(entry["path"], entry["path"])}
            if "path" in entry
            else {**entry}
            for entry in inputs
        ]
        kept = [entry for entry in entries if entry.get("path") not in self.searches]
        return sorted(kept, key=lambda entry: str(entry.get("path", entry.get("url"))))


def naming_of(
    record: Mapping[str, Any], config: StudyConfig, folders: Sequence[str | os.PathLike[str]]
) -> Naming | None:
    """Find the files that a record calls by their names alone.

    Parameters
    ----------
    record : mapping
        From `read_record`.
    config : StudyConfig
        The record's, checked.
    folders : sequence of path-like
        Where to look, in this order.

    Returns
    -------
    Naming or None
        None if it names all files by their whole paths.

    Raises
    ------
    RecordError
        If one is in none of the folders.

    Examples
    --------
    >>> record = {"inputs": [{"path": "my lake.tif", "sha256": "f7"}]}
    >>> config = StudyConfig.parse({"scenes": [{"source": "my lake.tif"}]})
    >>> naming_of(record, config, ["/no/such/folder"])
    Traceback (most recent call last):
    strandline.errors.RecordError: 'my lake.tif', an input of the record, is not here. ...
    """
    searches = record.get("searches", {})
    given = [entry["path"] for entry in record["inputs"] if "path" in entry]
    names = [*searches, *(name for name in given if not Path(name).is_absolute())]
    found = {}
    for name in names:
        places = [Path(folder).absolute() / name for folder in folders]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            raise _missing(name, searches.get(name), folders)
        found[str(path)] = name
    return Naming(config, found, searches) if found else None


def _missing(
    name: str, search: str | None, folders: Sequence[str | os.PathLike[str]]
) -> RecordError:
    looked = " and ".join(dict.fromkeys(f"'{Path(folder).absolute()}'" for folder in folders))
    if search is None:
        return RecordError(
            f"'{name}', an input of the record, is not here.",
            got=f"no such file in {looked}",
            remedy="Put the file beside the record, by that name.",
        )
    return RecordError(
        f"'{name}', which a search fills, is not here.",
        got=f"no such file in {looked}",
        remedy=f"Search again, in the folder of the record: {search}",
    )
