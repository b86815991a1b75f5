"""Colours that everybody can tell apart, the same everywhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.show import palettes
from strandline.show.palettes import (
    change_palette,
    flag_names,
    label_colour,
    label_palette,
    palette_for,
    transition_palette,
    water_palette,
)
from strandline.show.vision import least_difference

# Machado, Oliveira and Fernandes (2009), IEEE TVCG 15(6), severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def cielab(colour: str, sight: str) -> np.ndarray:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = np.asarray(to_xyz) @ seen / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(colours: list[str], sight: str) -> float:
    seen = [cielab(colour, sight) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def test_the_referee_knows_white_and_confuses_red_and_green():
    np.testing.assert_allclose(cielab("#ffffff", "normal"), [100, 0, 0], atol=0.01)
    red_green = ["#b07050", "#849050"]
    assert closest(red_green, "deuteranopia") < 0.5 * closest(red_green, "normal")


@pytest.mark.parametrize("sight", SIGHT)
def test_the_classes_of_change_are_far_apart_for_every_kind_of_sight(sight):
    colours = [c.colour for c in change_palette().categories] + [palettes.UNSEEN]
    assert closest(colours, sight) >= 30


@pytest.mark.parametrize("sight", ["normal", "protanopia", "deuteranopia"])
def test_the_first_nine_labels_can_be_told_apart(sight):
    assert closest([label_colour(i) for i in range(9)], sight) >= 15


@pytest.mark.parametrize("palette", [label_palette(12), transition_palette()])
def test_labels_and_transitions_are_told_apart_by_everybody(palette):
    rgb = np.array([category.rgb for category in palette.categories]) / 255
    assert least_difference(rgb)[np.triu_indices(len(rgb), 1)].min() >= 11


def test_neighbouring_labels_differ_however_many_there_are():
    for label in range(60):
        assert closest([label_colour(label), label_colour(label + 1)], "normal") > 15


def test_water_is_the_same_blue_in_mask_and_change():
    assert water_palette()[1].colour == change_palette()[1].colour == palettes.WATER
    assert transition_palette()[1].colour == palettes.WATER


def test_land_alone_is_transparent_in_files():
    for palette in (water_palette(), change_palette(), transition_palette()):
        alphas = [palette.colour_table()[c.value][3] for c in palette.categories]
        assert alphas == [0] + [255] * (len(alphas) - 1)
    assert all(colour[3] for colour in [label_palette(3).colour_table()[v] for v in range(3)])


def test_a_label_keeps_its_colour_whatever_the_number_of_clusters():
    many = label_palette(255)
    for n in (1, 4, 12):
        assert label_palette(n).categories == many.categories[:n]
    assert len({c.colour for c in many.categories}) > 200


def test_more_labels_than_fit_are_refused():
    with pytest.raises(ConfigurationError, match="0 to 255, got 256"):
        label_palette(256)


def test_not_observed_is_transparent():
    for palette in (water_palette(), change_palette(), label_palette(3)):
        assert palette.colour_table()[255] == (0, 0, 0, 0)
        assert palette.rgba_table()[255].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("meanings", "values", "kind"),
    [
        ("land water lost gained", [0, 1, 2, 3], "change"),
        ("stable_land stable_water lost gained not_observed", [0, 1, 2, 3, 255], "change"),
        ("not_water water", [0, 1], "water"),
        ("land water not_observed", [0, 1, 255], "water"),
        ("label_0 label_1", [0, 1], "labels"),
        ("cluster_0 cluster_1 cluster_2", [0, 1, 2], "labels"),
    ],
)
def test_the_flags_tell_the_kind_of_map(meanings, values, kind):
    data = xr.DataArray(np.zeros((2, 2), np.uint8))
    data.attrs = {"flag_values": np.array(values, np.uint8), "flag_meanings": meanings}
    assert palette_for(data).kind == kind
    assert 255 not in flag_names(data)


def test_a_map_without_flags_is_a_label_map():
    data = xr.DataArray(np.array([[0, 5], [255, 1]], np.uint8))
    assert len(palette_for(data).categories) == 6
