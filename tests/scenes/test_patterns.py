"""Paths, globs and patterns name the files that they should, in the order that they should."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from strandline.errors import (
    AccessDeniedError,
    ConfigurationError,
    MissingDependencyError,
    SourceNotFoundError,
    UnreadableSourceError,
)
from strandline.scenes.patterns import listing_options, match_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "LT05_20100101_band1.tif",
        "LT05_20100101_band2.tif",
        "LT05_20100101_band10.tif",
        "LT05_20100101_band_qa.tif",
        "LT05_20111231_band1.tif",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    return tmp_path


def names(files: list) -> list[str]:
    return [Path(file.url).name for file in files]


def test_a_pattern_finds_its_files_in_numeric_order_and_leaves_others_out(folder):
    files = match_files(f"{folder}/LT05_20100101_band{{band:d}}.tif")
    assert [file.fields for file in files] == [{"band": 1}, {"band": 2}, {"band": 10}]
    assert names(files)[-1] == "LT05_20100101_band10.tif"


def test_a_field_without_a_type_is_text(folder):
    files = match_files(f"{folder}/LT05_20100101_band{{what}}.tif")
    assert sorted(file.fields["what"] for file in files) == ["1", "10", "2", "_qa"]


def test_dates_are_read_from_names(folder):
    files = match_files(f"{folder}/LT05_{{when:%Y%m%d}}_band1.tif")
    assert [file.fields["when"] for file in files] == [datetime(2010, 1, 1), datetime(2011, 12, 31)]


def test_a_width_is_a_least_number_of_digits(folder):
    assert names(match_files(f"{folder}/LT05_20100101_band{{band:02d}}.tif")) == [
        "LT05_20100101_band10.tif"
    ]


def test_a_field_that_occurs_twice_means_the_same_text(tmp_path):
    for date, other in (("a", "a"), ("a", "b")):
        (tmp_path / date).mkdir(exist_ok=True)
        (tmp_path / date / f"{other}.tif").touch()
    assert names(match_files(f"{tmp_path}/{{id}}/{{id}}.tif")) == ["a.tif"]


def test_numbers_and_stars_mix_with_fields(tmp_path):
    for name in ("x_0.5_v1.tif", "x_1.25_v2.tif"):
        (tmp_path / name).touch()
    files = match_files(f"{tmp_path}/x_{{level:f}}_v?.tif")
    assert [file.fields["level"] for file in files] == [0.5, 1.25]


def test_a_glob_puts_band_10_after_band_2(folder):
    assert names(match_files(f"{folder}/LT05_20100101_band[0-9]*.tif")) == [
        "LT05_20100101_band1.tif",
        "LT05_20100101_band2.tif",
        "LT05_20100101_band10.tif",
    ]


def test_a_list_keeps_its_order_and_its_globs(folder):
    files = match_files([f"{folder}/LT05_2011*.tif", f"{folder}/LT05_20100101_band2.tif"])
    assert names(files) == ["LT05_20111231_band1.tif", "LT05_20100101_band2.tif"]


def test_a_folder_with_brackets_is_a_folder(tmp_path):
    place = tmp_path / "run[1]"
    place.mkdir()
    (place / "band3.tif").touch()
    assert match_files(str(place / "band3.tif"))[0].url == str(place / "band3.tif")
    assert match_files(f"{place}/band{{band:d}}.tif")[0].fields == {"band": 3}


def test_braces_can_be_literal(tmp_path):
    (tmp_path / "{odd}.tif").touch()
    assert names(match_files(f"{tmp_path}/{{odd}}.tif", pattern=False)) == ["{odd}.tif"]


def test_a_pattern_of_its_own_reads_names_that_a_glob_found(folder):
    files = match_files(f"{folder}/*band[12].tif", pattern="{sat}_{when:%Y%m%d}_band{band:d}.tif")
    assert files[0].fields == {"sat": "LT05", "when": datetime(2010, 1, 1), "band": 1}
    assert len(files) == 3


def test_names_that_do_not_fit_their_own_pattern_are_an_error(folder):
    with pytest.raises(ConfigurationError, match=r"does not fit the pattern.*band_qa"):
        match_files(f"{folder}/*_qa.tif", pattern="band{band:d}.tif")


def test_a_path_relative_to_the_working_folder_matches(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert names(match_files("./LT05_20111231_band{band:d}.tif")) == ["LT05_20111231_band1.tif"]
    (folder / "inner").mkdir()
    monkeypatch.chdir(folder / "inner")
    assert names(match_files("../LT05_2011{rest}_band{band:d}.tif")) == ["LT05_20111231_band1.tif"]


def test_a_file_url_with_a_pattern_matches(folder):
    found = match_files(f"file://{folder}/LT05_20111231_band{{band:d}}.tif")
    assert found[0].url == f"{folder}/LT05_20111231_band1.tif"


def test_no_match_is_an_error_that_names_the_pattern(folder):
    with pytest.raises(SourceNotFoundError, match=r"No file matches .*LE07_band\{band:d\}"):
        match_files(f"{folder}/LE07_band{{band:d}}.tif")
    with pytest.raises(SourceNotFoundError, match="1 of a similar name"):
        match_files(f"{folder}/notes{{number:d}}.txt".replace("notes", "n"))


@pytest.mark.parametrize("bad", ["x_{}.tif", "x_{a.b}.tif", "x_{a!r}.tif", "x_{0}.tif"])
def test_a_field_needs_a_plain_name(bad):
    with pytest.raises(ConfigurationError, match="field without a plain name"):
        match_files(bad)


def test_an_open_brace_is_an_error():
    with pytest.raises(ConfigurationError, match="cannot be understood"):
        match_files("x_{band.tif")


@pytest.mark.parametrize(
    ("problem", "kind", "message"),
    [
        (PermissionError("403"), AccessDeniedError, r"Access to .*s3://b/\*\.tif.* was refused"),
        (FileNotFoundError("b"), SourceNotFoundError, r"No file matches 's3://b/\*\.tif'"),
        (
            RuntimeError("no route"),
            UnreadableSourceError,
            r"Listing .*s3://b/\*\.tif.* failed",
        ),
        (ImportError("s3fs"), MissingDependencyError, r"python -m pip install"),
    ],
)
def test_a_store_that_cannot_be_listed_is_an_error_that_names_it(
    problem, kind, message, monkeypatch
):
    class Store:
        def glob(self, path: str) -> list[str]:
            raise problem

    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url, **options: (Store(), url))
    with pytest.raises(kind, match=message):
        match_files("s3://b/*.tif", storage_options={"anon": True})


def test_a_scheme_that_nobody_knows_is_an_error():
    with pytest.raises(UnreadableSourceError, match="Protocol not known"):
        match_files("nosuch://b/*.tif")


def test_storage_options_reach_the_file_system_under_its_own_names():
    given = {"AWS_NO_SIGN_REQUEST": "YES", "region_name": "us-west-2", "verify": False}
    assert listing_options(given) == {
        "anon": True,
        "client_kwargs": {"region_name": "us-west-2", "verify": False},
        "use_listings_cache": False,
    }
    assert given["region_name"] == "us-west-2"
    asked = {"region_name": "a", "client_kwargs": {"region_name": "b"}}
    assert listing_options(asked)["client_kwargs"] == {"region_name": "b"}
