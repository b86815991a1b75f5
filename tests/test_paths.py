"""Paths as people write them."""

import numpy as np
import pandas as pd
import pytest

import strandline as sl
from strandline.errors import ConfigurationError
from strandline.export import write_table
from strandline.paths import local_path
from strandline.scenes.cache import cache_folder


def simulated(path=None):
    scene, _ = sl.simulate_scene("2017-10-22", size=(100, 100), resolution=300, path=path)
    return scene


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    scene = simulated("~/scenes")
    (product,) = (tmp_path / "scenes").iterdir()
    for name in (f"~/scenes/{product.name}", f"file://~/scenes/{product.name}"):
        np.testing.assert_array_equal(sl.open_scene(name).values, scene.values)


def test_results_go_to_the_home_folder_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written = write_table(pd.DataFrame({"km2": [160.2]}), "~/areas/lake.csv")
    assert written == tmp_path / "areas" / "lake.csv"
    assert written.exists()


def test_a_tilde_before_a_name_that_nobody_has_is_part_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = simulated(".").values  # read before the files move
    (product,) = tmp_path.iterdir()
    product.rename("~nobody-is-called-so")
    np.testing.assert_array_equal(sl.open_scene("~nobody-is-called-so").values, values)


def test_a_user_without_a_home_is_told_how_to_name_a_cache(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("STRANDLINE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    with pytest.raises(ConfigurationError, match="Set STRANDLINE_CACHE"):
        cache_folder()
    monkeypatch.setenv("STRANDLINE_CACHE", "kept")
    assert cache_folder() == local_path("kept").absolute()
