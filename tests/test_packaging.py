"""The conda recipe and the container say what pyproject.toml and README say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from typer.testing import CliRunner

from strandline.cli import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RECIPE = yaml.safe_load((ROOT / "recipe" / "meta.yaml").read_text("utf-8"))
README = (ROOT / "README.md").read_text("utf-8")
CONDA_NAMES = {"dask": "dask-core", "matplotlib": "matplotlib-base"}


def steps() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with what they say."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", "")
    return [(word, rest) for word, rest in (line.split(" ", 1) for line in joined.splitlines())]


def said(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def test_the_recipe_requires_what_the_package_requires():
    def wanted(name: str, text: str) -> tuple[str, frozenset[str]]:
        return name.lower(), frozenset(filter(None, text.replace(" ", "").split(",")))

    needed = {wanted("python", PROJECT["requires-python"])}
    for text in PROJECT["dependencies"]:
        one = Requirement(text)
        needed.add(wanted(CONDA_NAMES.get(one.name, one.name), str(one.specifier)))
    given = [wanted(*line.split(" ", 1)) for line in RECIPE["requirements"]["run"]]
    assert set(given) == needed
    assert len(given) == len(needed)


def test_the_recipe_names_the_same_package():
    assert RECIPE["package"] == {"name": PROJECT["name"], "version": PROJECT["version"]}
    scripts = [f"{name} = {target}" for name, target in PROJECT["scripts"].items()]
    assert RECIPE["build"]["entry_points"] == scripts
    about = RECIPE["about"]
    assert (about["summary"], about["license"]) == (PROJECT["description"], PROJECT["license"])
    assert (ROOT / about["license_file"]).is_file()
    assert (ROOT / "recipe" / RECIPE["source"]["path"]).resolve() == ROOT


@pytest.mark.parametrize("command", RECIPE["test"]["commands"])
def test_the_commands_that_the_recipe_tries_work(command):
    program, *words = shlex.split(command)
    assert program == "strandline"
    assert CliRunner().invoke(app, words).exit_code == 0


def test_the_container_installs_what_readme_says():
    (pip,) = [run for run in said("RUN") if "pip install" in run]
    (written,) = re.findall(r"^python -m pip install ('\.\[io,.*\]')$", README, flags=re.M)
    assert written in pip
    (image,) = said("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", image)[1]
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_what_the_container_copies_exists_and_is_not_ignored():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {name for copy in said("COPY") for name in copy.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    # What the build of the package reads.
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src"} <= copied


def test_the_container_serves_the_app_at_the_port_that_readme_publishes(monkeypatch):
    served = {}
    monkeypatch.setattr(
        "strandline.app.serve.serve",
        lambda folders, port, **options: served.update(options, folders=folders, port=port),
    )
    (entry,), (command,) = map(json.loads, said("ENTRYPOINT")), map(json.loads, said("CMD"))
    assert entry == ["strandline"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert served["address"] == "0.0.0.0"
    assert served["open_browser"] is False
    assert said("EXPOSE") == [str(served["port"])]
    assert f"--publish 127.0.0.1:{served['port']}:{served['port']}" in README
    (folder,) = served["folders"]
    assert f":{folder}:ro" in README
    assert said("USER") == ["strandline"]


def docker_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.timeout(1500)
def test_the_container_is_built_where_docker_runs():
    if not docker_runs():
        pytest.skip("no Docker daemon")
    build = ["docker", "build", "--quiet", str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True, timeout=1400)
    assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    run = ["docker", "run", "--rm", image, "--version"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    subprocess.run(["docker", "image", "rm", image], capture_output=True, timeout=60)
    assert PROJECT["version"] in done.stdout
