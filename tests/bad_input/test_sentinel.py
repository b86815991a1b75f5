"""Broken Sentinel-2 products, as folders and as archives."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import strandline as sl
from broken_input import Row, fails, read, rows
from strandline.errors import (
    MetadataError,
    MissingBandError,
    UnknownProductError,
    UnreadableSourceError,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    scene, _ = sl.simulate_scene(
        "2020-08-02",
        platform="sentinel-2a",
        size=(240, 180),
        path=tmp_path_factory.mktemp("safe"),
        processing_level="L2A",
    )
    return Path(scene.attrs["source"])


def written(change: Callable[[str], str], name: str = "MTD_MSIL2A.xml") -> Callable[[Path], Path]:
    """Change the text of one of the product's XML files."""

    def make(folder: Path) -> Path:
        (path,) = folder.rglob(name)
        path.write_text(change(path.read_text()))
        return folder

    return make


def without(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for path in folder.rglob(name):
            path.unlink()
        return folder

    return make


def cut(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for path in folder.rglob(name):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return folder

    return make


def packed(folder: Path, extra: dict[str, bytes] | None = None) -> Path:
    target = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent).as_posix())
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return target


def cut_archive(folder: Path) -> Path:
    path = packed(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def lying_archive(folder: Path) -> Path:
    """An archive whose directory claims that a member has four gigabytes."""
    path = packed(folder)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    struct.pack_into("<I", content, start + 24, 0xFFFFFFF0)
    path.write_bytes(content)
    return path


SAFES = [
    Row("a SAFE folder without its XML", without("MTD_MSIL2A.xml"), UnknownProductError),
    Row(
        "a SAFE folder without a tile",
        lambda f: shutil.rmtree(f / "GRANULE") or f,
        MissingBandError,
    ),
    Row("a SAFE folder without images", without("*.jp2"), MissingBandError),
    Row("a SAFE XML cut short", written(lambda text: text[: len(text) // 2]), MetadataError),
    Row("a SAFE XML that is empty", written(lambda text: ""), MetadataError),
    Row("a SAFE XML of another kind", written(lambda text: "<a><b/></a>"), UnknownProductError),
    Row(
        "a SAFE XML without a date",
        written(
            lambda text: re.sub(
                r"<(PRODUCT_START_TIME|DATATAKE_SENSING_START)>.*?<", r"<\1><", text
            )
        ),
        MetadataError,
    ),
    Row(
        "a SAFE XML of another satellite",
        written(lambda text: text.replace("Sentinel-2A", "Sputnik-1")),
        MetadataError,
    ),
    Row(
        "a SAFE XML that multiplies its entities",
        written(
            lambda text: (
                '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb">]>'
                + text.split("?>", 1)[1].replace(">", ">&b;", 3)
            )
        ),
        MetadataError,
    ),
    Row("a SAFE image cut short", cut("*_B03_10m.jp2"), UnreadableSourceError),
    Row("a SAFE zip cut short", cut_archive, UnreadableSourceError),
    Row(
        "a SAFE zip that climbs out of itself",
        lambda f: packed(f, {"../../evil.xml": b""}),
        UnreadableSourceError,
    ),
    Row(
        "a SAFE zip with a bomb in it",
        lambda f: packed(f, {"bomb.jp2": b"\0" * (64 << 20)}),
        UnreadableSourceError,
    ),
    Row("a SAFE zip that lies about a size", lying_archive, UnreadableSourceError),
    Row("a zip of something else", lambda f: packed_other(f), UnknownProductError),
]


def packed_other(folder: Path) -> Path:
    path = folder.parent / "S2A_MSIL2A_other.SAFE.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return path


@rows(SAFES)
def test_a_sentinel_product_says_what_is_wrong_and_leaves_nothing(row, sound, tmp_path):
    home, out = tmp_path / "input", tmp_path / "results"
    home.mkdir()
    out.mkdir()
    source = row.make(Path(shutil.copytree(sound, home / sound.name)))
    fails(lambda: read(source), row.error)
    config = {"scenes": [{"source": str(source)}], "n_clusters": 2}
    fails(lambda: sl.run_study(config, out / "study"), row.error)
    assert not list(out.iterdir())
