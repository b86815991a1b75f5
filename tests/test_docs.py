"""The documentation is true: programs run, print what it says, and what it names exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main
import yaml

import strandline
from strandline.cli import app

ROOT = Path(__file__).resolve().parents[1]


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


refresh = script(ROOT / "docs" / "refresh.py")
PAGES = [*refresh.PAGES, ROOT / "CHANGELOG.md"]
KINDS = {"python", "console", "text", "text about", "yaml"}

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return refresh.FENCE.sub("", page.read_text(encoding="utf-8"))


def compare_print(said: str, printed: str, *, tolerance: float | None) -> None:
    """Same words, and numbers that agree; None compares how many numbers there are."""
    assert _NUMBER.sub("#", said).split() == _NUMBER.sub("#", printed).split()
    if tolerance is None:
        return
    for one, other in zip(_NUMBER.findall(said), _NUMBER.findall(printed), strict=True):
        assert float(one) == pytest.approx(float(other), rel=tolerance, abs=0.3), (said, printed)


OTHER_CPU = 0.02
"""A CPU without AVX-512 rounds otherwise: the water lost at 90 m moved by 1.6 % with it."""


# --- programs -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_run_and_print_what_the_page_says(page, tmp_path):
    for step in refresh.run_page(page, tmp_path):
        if step.said is not None:
            exact = step.said.kind == "text"
            compare_print(step.said.body, step.printed, tolerance=OTHER_CPU if exact else None)
        else:
            assert not step.printed, f"{step.code.body} prints, and the page does not say what"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page):
    text = page.read_text(encoding="utf-8")
    found = refresh.blocks(text)
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(found)
    assert {block.kind for block in found} <= KINDS


def test_the_comparison_sees_other_words_and_other_numbers():
    compare_print("area 150.1 km²", "area 150.2 km²", tolerance=0.01)
    compare_print("area 150.1 km²", "area 99.0 km²", tolerance=None)
    for printed in ("areas 150.1 km²", "area 160.0 km²", "area 150.1 km² 2"):
        with pytest.raises(AssertionError):
            compare_print("area 150.1 km²", printed, tolerance=0.01)


# --- figures ------------------------------------------------------------------


def cells(table: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in table.strip().splitlines()]
    return [[cell.strip() for cell in row] for row in rows]


def told(page: str, name: str) -> list[list[str]]:
    """The table of that name on a page."""
    place = refresh.find_table((ROOT / page).read_text(encoding="utf-8"), name)
    assert place is not None
    return cells(place.group())


def agree(told: list[list[str]], measured: list[list[str]], within: float) -> None:
    assert len(told) == len(measured)
    for said, found in zip(told, measured, strict=True):
        for one, other in zip(said, found, strict=True):
            numeric = re.fullmatch(r"([-+]?[\d,.]+)( km²|%| m)?", one)
            if numeric is None or numeric[2] == " km²":
                continue
            there = float(other.strip(" %m").replace(",", ""))
            here = float(numeric[1].replace(",", ""))
            assert here == pytest.approx(there, abs=within), f"{said[0]}: {one}, measured {other}"


@pytest.mark.slow
def test_accuracy_in_the_readme_is_what_the_benchmark_measures(real_data):
    benchmark = refresh.benchmark("water_accuracy")
    # The first four; the others take longer and have tests of their own.
    measured = cells(benchmark.table(list(islice(benchmark.measure(real_data), 4))))
    agree(told("README.md", "accuracy")[: len(measured)], measured, within=0.02)


def test_shadows_called_water_are_as_many_as_the_page_says(real_data):
    measured = cells(refresh.benchmark("water_accuracy").called_water(real_data))
    agree(told("docs/limitations.md", "called water"), measured, within=8.0)


def test_areas_by_pixel_size_are_as_wrong_as_the_page_says():
    page = {row[0]: row for row in told("docs/limitations.md", "pixel size")}
    measured = cells(refresh.benchmark("area_by_pixel_size").table([150, 300]))
    assert len(page) == 2 + 5
    agree([page[row[0]] for row in measured[2:]], measured[2:], within=0.8)


# --- links and pictures -------------------------------------------------------


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    bare = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
    return re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_exist(page):
    for found in _LINK.finditer(_INLINE.sub("", prose(page))):
        target = found["target"]
        if re.match(r"[a-z]+://", target):
            assert target.startswith("https://")
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / unquote(path) if path else page
        assert there.exists(), f"{name_of(page)} links to {target}"
        if anchor:
            titles = _HEADING.findall(prose(there))
            assert anchor in {slug(title) for title in titles}, f"no heading for {target}"


def test_pictures_are_small_and_each_is_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs" / "images").rglob("*.png"):
        assert picture.stat().st_size <= 300_000, picture
        assert picture.relative_to(ROOT / "docs").as_posix() in text, picture


# --- command line -------------------------------------------------------------


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line that a page shows, in blocks and in its sentences."""
    text = page.read_text(encoding="utf-8")
    for block in refresh.blocks(text):
        if block.kind == "console":
            for line in block.body.replace("\\\n", " ").splitlines():
                yield shlex.split(line)
    for code in _INLINE.findall(re.sub(r"\s+", " ", prose(page))):
        if code.startswith(("strandline ", "make ", "python ")):
            yield shlex.split(code)


def click_app() -> Any:
    return typer.main.get_command(app)


def known_options() -> set[str]:
    group = click_app()
    everything = [group, *group.commands.values()]
    return {
        option
        for command in everything
        for parameter in command.params
        for option in parameter.opts
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_lines_parse(page):
    group = click_app()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for program, *words in commands(page):
        if program == "make":
            assert set(words) <= targets
        elif program == "python":
            run = (ROOT / words[0], ROOT / words[0] / "__main__.py")
            installs = words[:3] == ["-m", "pip", "install"]
            assert installs or any(path.is_file() for path in run), words
        elif program == "docker":  # tests/test_packaging.py says more
            assert words[0] in {"build", "run"}
        elif program == "strandline" and words[0].startswith("--"):
            assert words[0] in {option for own in group.params for option in own.opts}
        elif program == "strandline":
            name, *arguments = words
            command = group.commands[name]
            if not arguments and any(p.required for p in command.params):
                continue  # the command is only named
            command.make_context(name, arguments)
        else:
            pytest.fail(f"{name_of(page)} shows a program of which nothing is known: {program}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_in_the_text_exist(page):
    # What belongs to other programs starts with their name.
    spans = [
        code for code in _INLINE.findall(prose(page)) if not code.startswith(("python ", "docker "))
    ]
    named = {option for code in spans for option in _OPTION.findall(code)}
    assert named <= known_options(), named - known_options()


@pytest.mark.parametrize("name", sorted(click_app().commands))
def test_examples_in_the_help_of_a_command_parse(name):
    group = click_app()
    examples = [shlex.split(line) for line in _INLINE.findall(group.commands[name].epilog)]
    assert examples
    assert name in {example[1] for example in examples}
    for program, command, *arguments in examples:
        assert program == "strandline"
        group.commands[command].make_context(command, arguments)


@pytest.mark.parametrize("name", sorted(click_app().commands))
def test_every_command_is_in_the_readme(name):
    assert f"strandline {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_option_is_in_the_documentation():
    said = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    options = {
        option
        for command in click_app().commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    missing = {option for option in options if not re.search(rf"{option}(?![\w-])", said)}
    assert missing == set()


# --- names and versions -------------------------------------------------------


def test_every_public_name_is_somewhere_in_the_documentation():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in strandline.__all__ if not re.search(rf"\b{name}\b", text)]
    assert set(missing) <= {"__version__", "StudyConfig"}, missing


def test_files_of_a_run_in_the_readme_are_those_that_a_run_leaves(tmp_path):
    _, _ = strandline.simulate_scene("1988-10-22", size=(100, 100), resolution=300, path=tmp_path)
    _, _ = strandline.simulate_scene("2017-10-22", size=(100, 100), resolution=300, path=tmp_path)
    sources = [{"source": str(folder)} for folder in sorted(tmp_path.iterdir(), reverse=True)]
    out = strandline.run_study({"scenes": sources, "n_clusters": 4}, tmp_path / "out")
    left = {re.sub(r"\d{4}-\d\d-\d\d", "DATE", path.name) for path in out.iterdir()}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## What comes out") : text.index("## How water is decided")]
    named = {code for code in _INLINE.findall(table) if "." in code}
    described = {name for name in left for pattern in named if Path(name).match(pattern)}
    # GDAL's sidecars carry the class names of the raster beside them.
    assert {name for name in left - described if not name.endswith(".aux.xml")} == set()
    assert {pattern for pattern in named if not any(Path(n).match(pattern) for n in left)} == set()


def test_version_is_the_same_everywhere():
    version = strandline.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d[^\s]*)", changes, re.MULTILINE)
    assert newest is not None
    assert newest[1] == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    needs = project["requires-python"].removeprefix(">=")
    assert f"Python {needs}" in (ROOT / "README.md").read_text(encoding="utf-8")
