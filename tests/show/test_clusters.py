"""Names and colours of clusters follow what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import strandline as sl
from real_scenes import source_of
from strandline.show import clusters
from strandline.show.clusters import (
    DISTINCT_CLUSTERS,
    cluster_names,
    cluster_palette,
    too_many_text,
)
from strandline.show.palettes import WATER
from strandline.show.vision import lab_of, least_difference
from strandline.water.decision import water_shares

BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]
SPECTRA = {
    "water": [0.04, 0.05, 0.03, 0.01, 0.005, 0.004],
    "shadow": [0.030, 0.028, 0.022, 0.05, 0.04, 0.03],
    "ground": [0.15, 0.20, 0.25, 0.30, 0.36, 0.33],
    "lava": [0.024, 0.030, 0.032, 0.065, 0.054, 0.039],
    "burnt ground": [0.05, 0.06, 0.07, 0.09, 0.15, 0.17],
    "fresh char": [0.03, 0.04, 0.05, 0.06, 0.08, 0.09],
    "sparse vegetation": [0.06, 0.08, 0.09, 0.20, 0.20, 0.14],
    "green vegetation": [0.03, 0.06, 0.05, 0.25, 0.15, 0.09],
    "dense vegetation": [0.02, 0.04, 0.02, 0.40, 0.15, 0.06],
    "reddish ground": [0.08, 0.14, 0.26, 0.32, 0.40, 0.34],
    "cloud or white ground": [0.45, 0.46, 0.47, 0.50, 0.40, 0.32],
    "snow or ice": [0.70, 0.72, 0.70, 0.65, 0.10, 0.07],
    "silt": [0.09, 0.15, 0.20, 0.19, 0.03, 0.015],
}


def means_of(*names: str) -> xr.DataArray:
    values = [SPECTRA[name] for name in names]
    return xr.DataArray(values, dims=("cluster", "band"), coords={"band": BANDS})


def differences(colours: list[str]) -> np.ndarray:
    rgb = np.array([list(bytes.fromhex(colour[1:])) for colour in colours]) / 255
    return least_difference(rgb)[np.triu_indices(len(rgb), 1)]


@pytest.mark.parametrize(
    "name", [n for n in SPECTRA if n not in ("water", "lava", "fresh char", "silt")]
)
def test_each_kind_of_ground_is_named(name):
    assert cluster_names(means_of(name), water=[]) == {0: name}


def test_water_is_what_the_evidence_says():
    means = means_of("water", "silt")
    assert cluster_names(means, water=[0]) == {0: "water", 1: "ground"}
    assert cluster_names(means, water=[0, 1]) == {0: "water, dark", 1: "water, bright"}
    assert cluster_names(means)[0].startswith("like water")
    assert cluster_names(means_of("lava", "ground"), water=[]) == {
        0: "ground, dark",
        1: "ground, bright",
    }


def test_names_differ_however_many_clusters_are_of_a_kind():
    scale = np.linspace(0.8, 1.3, 9)[:, None]
    means = xr.DataArray(
        scale * SPECTRA["green vegetation"], dims=("cluster", "band"), coords={"band": BANDS}
    )
    names = list(cluster_names(means).values())
    assert names[:2] == ["green vegetation, 1 of 9", "green vegetation, 2 of 9"]
    assert len(set(names)) == 9


def test_bands_without_names_are_ground():
    means = means_of("water", "snow or ice").assign_coords(band=list("abcdef"))
    assert cluster_names(means) == {0: "ground, dark", 1: "ground, bright"}


def hue(colour: str) -> tuple[float, float]:
    lightness, a, b = lab_of(np.array(list(bytes.fromhex(colour[1:]))) / 255)
    del lightness
    return float(np.degrees(np.arctan2(b, a)) % 360), float(np.hypot(a, b))


def test_colours_say_what_the_clusters_are():
    names = list(SPECTRA)[:-1]
    palette = cluster_palette(means_of(*names), water=[0])
    by_name = {name: palette[i].colour for i, name in enumerate(names)}
    assert by_name["water"] == WATER
    for name, (low, high) in {
        "ground": (45, 90), "lava": (45, 90), "sparse vegetation": (90, 116),
        "green vegetation": (112, 160), "dense vegetation": (112, 160), "reddish ground": (45, 90),
    }.items():  # fmt: skip
        assert low <= hue(by_name[name])[0] <= high, name
    for name in ("shadow", "cloud or white ground", "snow or ice"):
        assert hue(by_name[name])[1] <= 21, f"{name} is nearly grey"


def test_brighter_clusters_of_a_kind_have_lighter_colours():
    scale = np.linspace(0.6, 1.8, 7)[:, None]
    means = xr.DataArray(
        scale * SPECTRA["ground"], dims=("cluster", "band"), coords={"band": BANDS}
    )
    colours = [category.colour for category in cluster_palette(means, water=[]).categories]
    light = [lab_of(np.array(list(bytes.fromhex(c[1:]))) / 255)[0] for c in colours]
    assert (np.diff(light) > 0).all()


FAMILIES = sorted(set(clusters._FAMILIES) - {"like water"})  # has the colours of water


def least_of(counts: dict[str, int]) -> float:
    """Least difference within the colours of so many clusters of each family."""
    ramps = clusters._ramps(tuple(sorted(counts.items())))
    return float(differences([colour for ramp in ramps.values() for colour in ramp]).min())


@pytest.mark.parametrize("family", FAMILIES)
def test_twelve_clusters_of_any_one_or_two_kinds_are_told_apart_by_everybody(family):
    assert least_of({family: DISTINCT_CLUSTERS}) >= 8
    for other in set(FAMILIES) - {family}:
        for count in (6, 8, 11):
            mixture = {family: count, other: DISTINCT_CLUSTERS - count}
            assert least_of(mixture) >= 8, mixture


def test_up_to_twelve_clusters_of_any_mixture_are_told_apart_by_everybody():
    rng = np.random.default_rng(0)
    for _ in range(150):
        count = rng.integers(2, DISTINCT_CLUSTERS + 1)
        of_each = rng.multinomial(count, rng.dirichlet(np.full(len(FAMILIES), 0.4)))
        mixture = {kind: int(n) for kind, n in zip(FAMILIES, of_each, strict=True) if n}
        assert least_of(mixture) >= 8, mixture


def decision_of(*shares: float) -> pd.DataFrame:
    """Table of clusters of two subclusters each, of which the first is water."""
    rows = [
        (c, part, wet) for c, s in enumerate(shares) for part, wet in ((s, True), (1 - s, False))
    ]
    return pd.DataFrame(rows, columns=["cluster", "share", "water"])


def test_clusters_that_are_partly_water_have_blues_of_their_own():
    means = means_of("water", "shadow", "ground", "ground")
    palette = cluster_palette(means, decision_of(0.9, 0.4, 0.3, 0.2))
    names = [category.name for category in palette.categories]
    assert names == ["water", "partly water, dark", "partly water, bright", "ground"]
    assert palette[0].colour == WATER
    for number in (1, 2):
        assert 178 <= hue(palette[number].colour)[0] <= 226
    assert 45 <= hue(palette[3].colour)[0] <= 90


def test_a_table_of_evidence_and_the_numbers_of_its_water_give_the_same():
    means = means_of("water", "ground", "green vegetation")
    assert cluster_palette(means, decision_of(1, 0.1, 0)) == cluster_palette(means, [0])
    assert cluster_palette(None, decision_of(1, 0.4), n_labels=2)[1].name == "cluster 1"


def test_fresh_char_is_burnt_and_neither_shade_nor_lava():
    names = cluster_names(means_of("fresh char", "shadow", "lava"), water=[])
    assert names == {0: "burnt ground", 1: "shadow", 2: "ground"}


def test_numbers_that_are_not_reflectance_are_named_by_ratios_alone():
    means = means_of("snow or ice", "cloud or white ground", "green vegetation") * 200
    names = cluster_names(means.assign_attrs(units="unknown"), water=[])
    assert names == {0: "ground, dark", 1: "ground, bright", 2: "green vegetation"}


def test_more_clusters_than_colours_are_said_so():
    assert too_many_text(12) == ""
    assert "More than 12" in too_many_text(13)
    palette = cluster_palette(means_of(*["ground"] * 200), water=[])
    assert len(palette.categories) == 200


def test_the_same_kinds_give_the_same_colours():
    means = means_of("water", "ground", "ground", "green vegetation")
    first, again = (cluster_palette(means, water=[0]) for _ in range(2))
    assert first == again
    dimmer = cluster_palette(means * 0.97, water=[0])
    assert [c.colour for c in dimmer.categories] == [c.colour for c in first.categories]


REAL = ["Liverpool", "Brumadinho before", "Momotombo", "peru_oli", "momotombo_toa"]


@pytest.mark.parametrize("place", REAL)
@pytest.mark.parametrize("count", [8, 12])
def test_on_real_scenes_water_alone_is_blue(real_data, place, count):
    source, options = source_of(real_data, place)
    segmentation = sl.segment(sl.open_scene(source, **options), n_clusters=count, random_state=0)
    decision = sl.find_water(segmentation)
    shares = water_shares(decision)
    palette = cluster_palette(segmentation["signature_mean"], decision)
    for category in palette.categories:
        angle, chroma = hue(category.colour)
        blue = 222 < angle < 300 and chroma > 21
        assert blue == (shares.get(category.value, 0) >= 0.5), category
        partly = 0.25 <= shares.get(category.value, 0) < 0.5
        assert category.name.startswith("partly water") == partly
    assert len({c.name for c in palette.categories}) == count
    assert differences([c.colour for c in palette.categories]).min() >= 8
