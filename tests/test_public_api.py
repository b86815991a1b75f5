"""The public names: they are there, stay what they are, and are documented completely."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import strandline
from strandline import errors

PACKAGE = Path(strandline.__file__).parent
PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
NAMES = [name for name in strandline.__all__ if name != "__version__"]

_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : .+)?$", re.MULTILINE)
_REFERENCE = re.compile(r"`(strandline(?:\.\w+)+)`")


def sections(thing: Any) -> dict[str, str]:
    """The sections of a numpydoc docstring by title; the text before them under ''."""
    text = inspect.getdoc(thing) or ""
    parts = _SECTION.split(text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def documented(section: str) -> list[str]:
    """Names that a section such as Parameters describes."""
    return [
        name.lstrip("*")
        for entry in _ENTRY.finditer(section)
        for name in entry["names"].split(", ")
    ]


def accepted(thing: Any) -> list[str]:
    """Names of the parameters that a function or a constructor takes."""
    return [name for name in inspect.signature(thing).parameters if name != "self"]


def is_function(name: str) -> bool:
    return inspect.isfunction(getattr(strandline, name))


def resolve(dotted: str) -> Any:
    """Import what a dotted name says: a module, or something in one."""
    thing: Any = strandline
    for part in dotted.split(".")[1:]:
        if isinstance(thing, ModuleType) and not hasattr(thing, part):
            import_module(f"{thing.__name__}.{part}")
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("name", NAMES)
def test_name_is_a_function_or_class_of_this_package(name):
    thing = getattr(strandline, name)
    assert inspect.isfunction(thing) or inspect.isclass(thing)
    assert thing.__module__.startswith("strandline.")
    assert thing.__name__ == name


def test_names_stay_what_they_are_after_everything_was_imported():
    for module in pkgutil.walk_packages([str(PACKAGE)], "strandline."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    hidden = [name for name in NAMES if inspect.ismodule(getattr(strandline, name))]
    assert not hidden, f"hidden by submodules of the same name: {hidden}"


def test_no_submodule_bears_a_public_name():
    submodules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert not submodules & set(NAMES)


def test_type_checkers_and_dir_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    typed = {
        (alias.name, node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name, _ in typed} == set(NAMES)
    for name, module in typed:
        assert getattr(import_module(module), name) is getattr(strandline, name)
    assert set(strandline.__all__) <= set(dir(strandline))
    assert len(set(strandline.__all__)) == len(strandline.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segmentise'"):
        strandline.segmentise  # noqa: B018  the access itself is tested


@pytest.mark.parametrize("name", ["plot", "show"])
def test_plot_and_show_lead_to_the_pictures(name):
    module = getattr(strandline, name)
    assert module is import_module(f"strandline.{name}")
    assert name in dir(strandline)
    for picture in module.__all__:
        thing = getattr(module, picture)
        assert inspect.getdoc(thing), f"{name}.{picture} is not documented"
        found = sections(thing)
        described = documented(found.get("Parameters") or found.get("Attributes", ""))
        assert described == accepted(thing), f"{name}.{picture}"


def test_star_import_brings_every_name():
    names: dict[str, Any] = {}
    exec("from strandline import *", names)
    assert set(strandline.__all__) <= set(names)


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_one_line_then_sections_and_an_example(name):
    thing = getattr(strandline, name)
    found = sections(thing)
    first = found[""].splitlines()[0]
    assert first.endswith("."), f"the first line is no sentence: {first!r}"
    assert ">>> " in found.get("Examples", ""), "no runnable example"
    if is_function(name):
        assert "Returns" in found


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_documented_in_its_order_and_none_besides(name):
    thing = getattr(strandline, name)
    found = sections(thing)
    # A class of plain fields documents them as the attributes that they become.
    described = documented(found.get("Parameters") or found.get("Attributes", ""))
    assert described == accepted(thing)


@pytest.mark.parametrize("name", [name for name in NAMES if not is_function(name)])
def test_public_methods_are_documented(name):
    own = vars(getattr(strandline, name)).items()
    bare = [key for key, value in own if inspect.isfunction(value) and not inspect.getdoc(value)]
    assert not [key for key in bare if not key.startswith("_")]


def test_the_parser_of_docstrings_sees_what_is_missing():
    def regret(year: int, *, sigh: bool = False) -> None:
        """Regret.

        Parameters
        ----------
        year : int
            Which.
        joy : bool
            That there is none.
        """

    assert documented(sections(regret)["Parameters"]) == ["year", "joy"]
    assert accepted(regret) == ["year", "sigh"]


def test_names_that_docstrings_refer_to_exist():
    missing = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for dotted in _REFERENCE.findall(path.read_text(encoding="utf-8")):
            try:
                resolve(dotted)
            except (AttributeError, ImportError):
                missing.append(f"{path.relative_to(PACKAGE)}: {dotted}")
    assert not missing


def test_no_message_asks_pip_for_an_extra_of_a_name_that_no_index_has():
    files = Path(strandline.__file__).parent.rglob("*.py")
    assert not [str(f) for f in files if "strandline[" in f.read_text(encoding="utf-8")]


@pytest.mark.parametrize("extra", ["io", "stac", "vector", "viz"])
def test_what_is_missing_is_named_by_packages(extra, monkeypatch):
    monkeypatch.setattr(errors, "_is_installed", lambda requirement: False)
    said = errors.how_to_install(extra)
    listed = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"][extra]
    for package in listed:  # the metadata of an installation writes them a little otherwise
        name = re.match(r"[\w-]+", package)[0]
        assert f"'{name}".lower() in said.lower()
    monkeypatch.setattr(errors, "_is_installed", lambda requirement: "hvplot" not in requirement)
    if extra == "viz":
        assert re.fullmatch(r".*pip install 'hvplot>=[\d.]+'", errors.how_to_install(extra))
