"""The choices of a page in its address, so that reloading, going back and bookmarks keep them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from strandline.configuration import StudyConfig
from strandline.errors import ConfigurationError

_SCENES = ("before", "after")
_TUPLES = ("center", "bbox", "water_at")
_WORDS = ("bands", "mask", "vectors")
_LABELS = ("water_labels", "water_also", "water_without")
_TEXTS = ("crs", "time", "platform", "resampling")
"""What stays text even if it looks like a number."""
_NONE = "none"
_SHORT = {"n_clusters": "k"}
_LONG = {short: name for name, short in _SHORT.items()}
MOST = 4000
"""Characters that an address may have."""


def write_address(config: StudyConfig, name_of: Callable[[str], str]) -> str:
    """Write a study as the query of an address.

    Parameters
    ----------
    config : StudyConfig
    name_of : callable
        Turns a source into the name that pages know.

    Returns
    -------
    str
        With its question mark; nothing secret is in it.

    Examples
    --------
    >>> config = StudyConfig.parse({"scenes": [{"source": "a.tif"}], "bbox": [1, 2, 3, 4]})
    >>> write_address(config, lambda source: source)
    '?before=a.tif&bbox=1,2,3,4'
    """
    pairs = []
    for key, scene in zip(_SCENES, config.scenes, strict=False):
        sources = [scene.source] if isinstance(scene.source, str) else scene.source
        pairs.append((key, "|".join(map(name_of, sources))))
        how = scene.model_dump(
            mode="json", exclude={"source", "storage_options"}, exclude_defaults=True
        )
        pairs += [(f"{key}.{name}", _write(value)) for name, value in how.items()]
    chosen = config.model_dump(mode="json", exclude={"scenes"}, exclude_defaults=True)
    pairs += [(_SHORT.get(name, name), _write(value)) for name, value in chosen.items()]
    return "?" + urlencode(pairs, safe=",:/|")


def read_address(query: str, locate: Callable[[str], str]) -> StudyConfig | None:
    """Read what `write_address` wrote.

    Parameters
    ----------
    query : str
        With or without its question mark; anybody may have written it.
    locate : callable
        Turns a name into a source, or raises.

    Returns
    -------
    StudyConfig or None
        None if the address names no scene.

    Raises
    ------
    ConfigurationError
        If something in it cannot work.
    AccessDeniedError
        If it names a file that may not be opened.

    Examples
    --------
    >>> read_address("?before=a.tif&k=5", lambda name: name).n_clusters
    5
    """
    if len(query) > MOST:
        raise ConfigurationError(
            "The address is too long.", expected=f"at most {MOST} characters", got=str(len(query))
        )
    given = dict(parse_qsl(query.removeprefix("?")))
    scenes: list[dict[str, Any]] = []
    for key in _SCENES:
        if key in given:
            names = given.pop(key).split("|")
            sources = [locate(name) for name in names]
            scene: dict[str, Any] = {"source": sources[0] if len(sources) == 1 else sources}
            for name in [name for name in given if name.startswith(f"{key}.")]:
                field = name.removeprefix(f"{key}.")
                scene[field] = _read("bands" if field == "band_names" else field, given.pop(name))
            scenes.append(scene)
    if not scenes:
        return None
    known = StudyConfig.model_fields
    values = {_LONG.get(name, name): text for name, text in given.items()}
    # An address may carry more than ours, such as the name of a tab.
    chosen = {name: _read(name, text) for name, text in values.items() if name in known}
    return StudyConfig.parse({"scenes": scenes, **chosen})


def _write(value: Any) -> str:
    if isinstance(value, list):
        if not value:
            return _NONE
        return ",".join(map(_write, value))
    if isinstance(value, float):
        return f"{value:.12g}"
    return value if isinstance(value, str) else json.dumps(value)


def _read(name: str, text: str) -> Any:
    if name in _WORDS:
        if text == _NONE:
            return []
        return [word for word in text.split(",") if word]
    if name in _TUPLES or name in _LABELS:
        return [_value(word) for word in text.split(",") if word]
    return text if name in _TEXTS else _value(text)


def _value(text: str) -> Any:
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, int | float | bool):
            return found
    return text
