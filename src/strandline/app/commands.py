"""What a study is called elsewhere: the command line and the Python code that do the same."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from strandline.app.origins import Search
from strandline.configuration import SceneSource, StudyConfig

_LINE = 88  # columns after which a command goes on in the next line
_OF_A_WHOLE_STUDY = ("harmonize", "normalize", "correct_shift", "vectors", "min_pixels")


def command_line(
    config: StudyConfig,
    out: str = "strandline-results",
    searches: Mapping[str, Search] | None = None,
) -> str:
    """Write the command that does this study.

    Parameters
    ----------
    config : StudyConfig
    out : str
        Folder for its results.
    searches : mapping of str to Search, optional
        What is to be searched before, by the file that takes what is found.

    Returns
    -------
    str
        For a shell; long ones have several lines.

    Examples
    --------
    >>> config = StudyConfig.parse({"scenes": [{"source": "lake view.tif"}], "n_clusters": 6})
    >>> print(command_line(config))
    strandline segment 'lake view.tif' --clusters 6 --out strandline-results
    """
    before = [search.command(file) for file, search in (searches or {}).items()]
    words = [shlex.quote(word) for word in [*config.command(), "--out", out]]
    return "\n".join([*before, _in_lines(words)])


def _in_lines(words: list[str]) -> str:
    """Write a command in as many lines as it needs."""
    if len(" ".join(words)) <= _LINE:
        return " ".join(words)
    # An option stays on the line of its values; each source gets a line of its own.
    lines: list[str] = [" ".join(words[:2])]
    in_options = False
    for word in words[2:]:
        is_option = word.startswith("--")
        in_options = in_options or is_option
        if is_option or not in_options:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return " \\\n    ".join(lines)


def python_code(config: StudyConfig, searches: Mapping[str, Search] | None = None) -> str:
    """Write the Python code that does this study.

    Parameters
    ----------
    config : StudyConfig
    searches : mapping of str to Search, optional
        What is to be searched before, by the file that takes what is found.

    Returns
    -------
    str
        A program that leaves ``segmentation``, ``evidence``, ``water`` and, of two scenes,
        ``change``. Where dates are made comparable first, or polygons are asked for, it is one
        call of `run_study`.

    Examples
    --------
    >>> config = StudyConfig.parse({"scenes": [{"source": "lake.tif"}], "n_clusters": 6})
    >>> print(python_code(config))
    import strandline as sl
    <BLANKLINE>
    scene = sl.open_scene("lake.tif")
    segmentation = sl.segment(scene, n_clusters=6)
    evidence = sl.find_water(segmentation)
    water = sl.water_mask(segmentation, evidence)
    print(sl.areas(water, intervals=True))
    """
    if _given(config, *_OF_A_WHOLE_STUDY):
        saved = [f"{_variable(file)}.save({_text(file)})" for file in searches or {}]
        lines = [*_searching(searches or {}), *saved, _as_study(config)]
    else:
        lines = [*_searching(searches or {}), *_stages(config, searches or {})]
    return "\n".join(["import strandline as sl", "", *lines])


def _searching(searches: Mapping[str, Search]) -> Iterator[str]:
    for file, search in searches.items():
        arguments = _arguments(_text(search.api), search.conditions())
        yield f"{_variable(file)} = sl.search_scenes({arguments})"


def _variable(file: str) -> str:
    return file.removesuffix(".json").replace("-", "_")


def _as_study(config: StudyConfig) -> str:
    given = config.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(given, indent=4, ensure_ascii=False)
    # Words of JSON that Python has others for end a line; what a string holds does not.
    text = re.sub(r"\b(true|false)(?=,?$)", lambda word: word[0].title(), text, flags=re.M)
    return f'sl.run_study({text}, "strandline-results")'


def _stages(config: StudyConfig, searches: Mapping[str, Search]) -> Iterator[str]:
    two = len(config.scenes) == 2
    calls = [_opening(config, scene, searches) for scene in config.scenes]
    yield from (
        [f"scenes = [\n    {calls[0]},\n    {calls[1]},\n]"] if two else [f"scene = {calls[0]}"]
    )
    samples = "scenes" if two else "scene"
    if grid := _grid(config, "scenes[0]" if two else "scene"):
        yield f"grid = {grid}"
        resampling = _text(config.resampling)
        one = f"sl.regrid(scene, grid, resampling={resampling})"
        yield f"scenes = [{one} for scene in scenes]" if two else f"scene = {one}"
    options = {
        "n_clusters": config.n_clusters,
        **_given(config, "bands", "standardize", "n_subclusters"),
        **({"random_state": config.seed} if config.seed else {}),
    }
    yield f"segmentation = sl.segment({_arguments(samples, options)})"
    decided = {name: value for name, value in config.water().items() if value is not None}
    yield f"evidence = sl.find_water({_arguments('segmentation', decided)})"
    yield "water = sl.water_mask(segmentation, evidence)"
    if two:
        yield "change = sl.compare(water[0], water[1])"
        yield "print(sl.areas(change))"
    yield "print(sl.areas(water, intervals=True))"
    if config.water_at is not None:
        measured = "change" if two else "water"
        yield f"print(sl.areas({measured}, at={config.water_at!r}, intervals=True).to_string())"


def _opening(config: StudyConfig, scene: SceneSource, searches: Mapping[str, Search]) -> str:
    options = scene.model_dump(exclude={"source"}, exclude_defaults=True)
    options |= _given(config, "mask", "conflicts")
    source = _text(scene.source)
    for file in searches:
        if str(scene.source).startswith(f"{file}:"):
            # What was found is there already, and a scene is asked for by its id or day.
            source = f"{_variable(file)}[{_text(str(scene.source).removeprefix(f'{file}:'))}]"
    return f"sl.open_scene({_arguments(source, options)})"


def _grid(config: StudyConfig, first: str) -> str | None:
    """Write how `strandline.stages.study_grid` makes the grid; None if the first scene's does."""
    place = _given(config, "center", "buffer", "bbox")
    own = config.resolution is None and config.crs is None
    if not place and own:
        return f"{first}.odc.geobox" if len(config.scenes) == 2 else None
    words = [f"{name}={_text(value)}" for name, value in place.items()]
    if not place:
        words = [f"geometry={first}.odc.geobox.extent"]
    if own:
        words.append(f"like={first}")
    else:
        # Without a size there is one crs alone: the scene's, whose pixels stay as large.
        own_size = f"abs({first}.odc.geobox.resolution.x)"
        size = own_size if config.resolution is None else _text(config.resolution)
        words.append(f"resolution={size}")
        crs = f"{first}.odc.geobox.crs" if config.crs is None else _text(config.crs)
        words.append(f"crs={crs}")
    return f"sl.make_grid({', '.join(words)})"


def _given(config: StudyConfig, *names: str) -> dict[str, Any]:
    return config.model_dump(include=set(names), exclude_defaults=True)


def _arguments(first: str, options: dict[str, Any]) -> str:
    return ", ".join([first, *(f"{name}={_text(value)}" for name, value in options.items())])


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
