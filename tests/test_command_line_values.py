"""Every option of every command with every kind of bad value: one readable error, and no work.

The options are read from the commands themselves, so that a new one is tried without being named
here. What a value is refused with may differ; that nothing is read before, and that it is said in
words, may not.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer.main

import strandline as sl
from strandline.cli import app, main
from strandline.export.raster import write_cog
from strandline.testing.lakes import round_lake

NUMBERS = ["nan", "inf", "-inf", "-1", "-1e300", "1e300", "99999999999999999999", "many", ""]
TEXTS = ["", " ", "no such thing", "\u0416\u3042", "x" * 5000, "../..", "1e300", "{", "[", "*"]
ACCEPTED = {
    # Options with values out of the ordinary that nevertheless mean something.
    "--nodata": {"nan", "inf", "-inf", "-1", "-1e300", "1e300", "99999999999999999999"},
    "--offset": {"-1", "-1e300", "1e300", "99999999999999999999"},  # seen when pixels are read
    "--scale": {"-1", "-1e300", "1e300", "99999999999999999999"},  # the same
    "--buffer": {"99999999999999999999"},
    "--seed": set(),
    "--allow": {"1e300"},  # a host may be called that
    "--out": {"../..", "no such thing", "\u0416\u3042", "1e300", "{", "[", "*"},
    "--band-names": {"no such thing", "\u0416\u3042", "../..", "1e300", "{", "[", "*", "x" * 5000},
    "folders": {"../.."},
    "--datetime": set(),
}


class WorkBeganError(Exception):
    """Pixels would have been read, or a server started: the value was accepted."""


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def valued(command: Any) -> Iterator[Any]:
    """The parameters that take a value."""
    for parameter in command.params:
        if parameter.name != "help" and not getattr(parameter, "is_flag", False):
            yield parameter


def cases() -> list[tuple[str, str]]:
    return [
        (name, parameter.name)
        for name, command in sorted(commands().items())
        for parameter in valued(command)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    """What the arguments of the commands may name."""
    folder = tmp_path_factory.mktemp("files")
    scene = write_cog(round_lake(radius=300), folder / "lake.tif")
    later = write_cog(round_lake(radius=200, time="2017-10-22"), folder / "later.tif")
    out = sl.run_study({"scenes": [{"source": str(scene)}], "n_clusters": 2}, folder / "run")
    items = folder / "found.json"
    items.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    return {
        "source": str(scene), "before": str(scene), "after": str(later), "scenes": str(scene),
        "mapped": str(out / "water.tif"), "reference": str(scene),
        "record": str(out / "record.json"), "model": str(out / "model.npz"),
        "api": str(items), "folders": str(folder),
    }  # fmt: skip


@pytest.fixture
def no_work(monkeypatch) -> None:
    """Stop where pixels would be read, scenes simulated, or a server started."""

    def begin(*_: object, **__: object) -> None:
        raise WorkBeganError

    for place in (
        "strandline.study.in_memory",
        "strandline.study.segment_study",
        "strandline.change.timeline.timeline",
        "strandline.segmentation.model.SegmentationModel.predict",
        "strandline.scenes.simulate._on_disk",
        "strandline.app.serve.demo_products",
        "strandline.replay.repeat",
        "strandline.accuracy.assess",
        "strandline.export.assessment.assess",
        "panel.io.server.get_server",
    ):
        monkeypatch.setattr(place, begin)


def run(words: list[str], monkeypatch, capsys) -> tuple[int, str]:
    """Run the command line in this process; -1 is a value that was accepted."""
    monkeypatch.setattr("sys.argv", ["strandline", *words])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    code = end.value.code
    assert isinstance(code, int)
    return (-1 if "WorkBeganError" in said else code), said


def arguments(command: Any, files: dict[str, str], besides: str = "") -> list[str]:
    return [
        files[parameter.name]
        for parameter in command.params
        if parameter.param_type_name == "argument" and parameter.name != besides
    ]


def dates_for(name: str, option: str = "") -> list[str]:
    """What the files do not say themselves."""
    dates = {
        "change": ["--date-before", "1988-10-22", "--date-after", "2017-10-22"],
        "timeline": ["--dates", "1988-10-22"],
    }
    return [] if option.startswith("date") else dates.get(name, [])


def takes_numbers(name: str, option: str) -> bool:
    """Whether the function behind a command takes numbers here."""
    functions = {one.name or one.callback.__name__: one.callback for one in app.registered_commands}
    return bool(re.search(r"\b(int|float)\b", str(get_type_hints(functions[name])[option])))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(("name", "option"), cases(), ids=str)
def test_values_that_cannot_work_are_refused_in_words_before_any_work(
    name, option, files, no_work, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    command = commands()[name]
    (parameter,) = (one for one in command.params if one.name == option)
    flag = parameter.opts[0]
    for value in NUMBERS if takes_numbers(name, option) else TEXTS:
        if parameter.param_type_name == "argument":
            words = [name, *arguments(command, files, besides=option), "--", value]
        else:
            count = 1 if parameter.nargs < 1 else parameter.nargs
            extra = dates_for(name, option)
            extra += ["--buffer", "1000"] if option == "center" else []
            extra += ["--center", "0", "0"] if option == "buffer" else []
            words = [name, *arguments(command, files), *extra, flag, *[value] * count]
        code, said = run(words, monkeypatch, capsys)
        case = f"{name} {flag} {value[:30]!r}: {said[:500]}"
        if code in (-1, 0):
            assert value in ACCEPTED.get(flag, set()), f"accepted: {case}"
            continue
        assert code == 2, case
        assert "Unexpected" not in said, case
        assert "Traceback" not in said, case
        assert len(re.findall(r"^Error|Error ─|Error -", said, re.MULTILINE)) == 1, case
        assert len(said) < 3000, case
    assert sorted(path.name for path in tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_arguments_of_the_table_are_accepted_without_any_option(
    name, files, no_work, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    if name == "cache":
        pytest.skip("it has neither arguments nor options with values")
    words = [name, *arguments(commands()[name], files), *dates_for(name)]
    code, said = run(words, monkeypatch, capsys)
    assert code in (-1, 0) or "Nothing was found" in said, said


@pytest.mark.parametrize(
    "words",
    [
        ("app", "--port", "80000"),
        ("app", "--port", "-1"),
        ("segment", "lake.tif", "--seed", "99999999999999999999"),
        ("segment", "lake.tif", "--out", ""),
        ("demo", "--resolution", "nan"),
    ],
    ids=" ".join,
)
def test_real_processes_end_in_one_error_too(words, tmp_path):
    write_cog(round_lake(radius=300), tmp_path / "lake.tif")
    command = [sys.executable, "-m", "strandline", *words]
    end = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert end.returncode == 2, end.stderr
    assert "Unexpected" not in end.stderr
    assert "Traceback" not in end.stderr
    assert [path.name for path in Path(tmp_path).iterdir()] == ["lake.tif"]


def test_the_numbers_tried_are_those_that_float_takes():
    assert math.isnan(float(NUMBERS[0]))
