"""What clusters look like by their spectra and by the evidence of water: their names and colours.

Blue is water, greenish blue what is partly water, green vegetation, sand and brown ground, white
and grey cloud, snow and shadow; in each of these families colours get lighter as the clusters get
brighter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.show.palettes import Category, Palette, label_palette, water_palette
from strandline.show.vision import least_difference, rgb_of
from strandline.water.decision import MOSTLY, Water, water_shares

DISTINCT_CLUSTERS = 12
"""Up to so many clusters have colours that everybody tells apart: of any two, also as seen by the
colour-blind, at least 8 units of CIEDE2000, whatever the clusters are (tested)."""

PARTLY = 0.25
"""Share of a cluster's pixels that are water from which the cluster is called partly water. Less
of it does not show in a picture; such a cluster is called what most of it is."""

_DARK = 0.1
"""Reflectance below which a band is dark: leaves in the sun are brighter in the near infrared, dry
ground in the shortwave infrared."""

_CERTAIN = 0.02
"""Difference of reflectance that is real: twice the uncertainty that is accepted of Landsat's
surface reflectance at 0.1 (0.005 + 5 %; Vermote et al. 2016)."""


class _Tints(NamedTuple):
    """Hues and chromas of CIELAB."""

    hues: tuple[int, ...]
    chromas: tuple[int, ...]


class _Family(NamedTuple):
    """Name and colours that clusters of a kind have.

    The pure tints are those that everybody calls blue, green, brown, or grey; they are widened
    where so many clusters could not be told apart by them. Lightness spans nearly all that a screen
    shows, as it is what everybody sees; of white and grey, shadow has the dark and cloud the light.
    """

    words: str
    lightness: tuple[int, int]
    pure: _Tints
    wide: _Tints


_AROUND = (20, 80, 140, 200, 260, 320)
_NEUTRAL = _Tints((80, 260), (0, 4, 8)), _Tints(_AROUND, (0, 5, 10, 15))
_BLUES = (
    _Tints((228, 242, 256, 272), (22, 34, 44, 54, 64)),
    _Tints((226, 240, 254, 268, 282, 296), (22, 34, 46, 58, 70)),
)
_FAMILIES = {
    "water": _Family("water", (13, 90), *_BLUES),
    "like water": _Family("like water", (13, 90), *_BLUES),
    "partly water": _Family(
        "partly water", (15, 96),
        _Tints((196, 206, 216), (24, 32, 40)),
        _Tints((182, 192, 202, 212, 222), (14, 22, 30, 38, 46)),
    ),
    "shadow": _Family("shadow", (5, 57), *_NEUTRAL),
    "burnt": _Family(
        "burnt ground", (8, 68),
        _Tints((15, 25, 35), (20, 30, 40)),
        _Tints((5, 25, 42), (12, 26, 40, 54)),
    ),
    "ground": _Family(
        "ground", (18, 93),
        _Tints((58, 68, 78), (24, 34, 44)),
        _Tints((50, 62, 74, 86), (18, 30, 42, 54)),
    ),
    "sparse": _Family(
        "sparse vegetation", (26, 94),
        _Tints((97, 106), (24, 34, 44, 54)),
        _Tints((94, 102, 110), (16, 28, 40, 56)),
    ),
    "vegetation": _Family(
        "vegetation", (16, 92),
        _Tints((120, 130, 140, 150), (26, 36, 46, 56)),
        _Tints((118, 130, 142, 154), (20, 32, 44, 56)),
    ),
    "cloud": _Family("cloud or white ground", (54, 100), *_NEUTRAL),
    "snow": _Family(
        "snow or ice", (36, 100),
        _Tints((215, 240, 265), (6, 11, 16)),
        _Tints((195, 215, 235, 255, 275, 295), (4, 8, 12, 16, 20)),
    ),
}  # fmt: skip
_DENSE = 0.75
"""NDVI above which leaves cover nearly all of the ground."""

_REDDISH = 0.45
"""Red over blue, as a normalised difference, from which ground looks red: of iron oxides."""

_TONES = {1: ("",), 2: ("dark", "bright"), 3: ("dark", "medium", "bright")}
_LIGHTNESS_STEP = 4
_STARTS = 16
"""Choices of colours that are compared, each begun with another colour; more clusters than can be
told apart get the first."""
_SWEEPS = 30
"""Rounds in which colours are exchanged for better ones; it ends by itself after two to eight."""
_DISTINCT = 8.0
"""CIEDE2000 that pure colours have to keep; else the wide ones are taken."""
_DECIMALS = 6
"""Of differences, so that they are equal on every processor, and the colours with them."""


def cluster_names(means: xr.DataArray, water: Water | None = None) -> dict[int, str]:
    """Return what each cluster looks like, in words that differ from cluster to cluster.

    Hints for the reader of a legend, by physical properties of the mean spectra; water is decided
    by `strandline.find_water`, not here. Snow reflects green light and absorbs the shortwave
    infrared (Hall et al. 2002); clouds are bright and white (whiteness and HOT of Zhu and Woodcock
    2012); shade is dark in all bands and lit by the blue sky; charred ground is dark and brightens
    towards 2.2 µm (normalised burn ratio, Key and Benson 2006); leaves reflect the near infrared.

    Parameters
    ----------
    means : DataArray of shape (cluster, band)
        Mean reflectance, clusters ordered from dark to bright.
    water : DataFrame or collection of int, optional
        The table of `strandline.find_water`, or the clusters that are water. Without, those that
        look like it are called "like water".

    Returns
    -------
    dict of int to str
        Cluster to name.

    Examples
    --------
    >>> means = xr.DataArray(
    ...     [[0.05, 0.06, 0.25, 0.15], [0.08, 0.08, 0.40, 0.20], [0.20, 0.24, 0.3, 0.35]],
    ...     dims=("cluster", "band"),
    ...     coords={"band": ["green", "red", "nir08", "swir16"]},
    ... )
    >>> cluster_names(means)
    {0: 'green vegetation, dark', 1: 'green vegetation, bright', 2: 'ground'}
    """
    return _names_of(_kinds(means, water), means)


def _names_of(kinds: Mapping[int, str], means: xr.DataArray) -> dict[int, str]:
    spectra = zip(kinds.items(), _spectra(means), strict=True)
    words = {cluster: _words(kind, spectrum) for (cluster, kind), spectrum in spectra}
    counts, seen = Counter(words.values()), Counter[str]()
    names = {}
    for cluster, word in words.items():
        seen[word] += 1
        total = counts[word]
        if total in _TONES:
            names[cluster] = f"{word}, {_TONES[total][seen[word] - 1]}".removesuffix(", ")
        else:
            names[cluster] = f"{word}, {seen[word]} of {total}"
    return names


def cluster_palette(
    means: xr.DataArray | None,
    water: Water | None = None,
    *,
    n_labels: int = 0,
) -> Palette:
    """Return the colours and names of clusters by what they are.

    Parameters
    ----------
    means : DataArray of shape (cluster, band), optional
        Mean reflectance, ``signature_mean`` of a segmentation. Without, the colours follow the
        label numbers, as those of `strandline.show.palettes.label_palette`.
    water : DataFrame or collection of int, optional
        The table of `strandline.find_water`, or the clusters that are water; None if that is not
        known.
    n_labels : int
        The least number of labels.

    Returns
    -------
    Palette
        One class per label. Up to `DISTINCT_CLUSTERS` of them are distinguishable with normal
        sight and with colour blindness.

    Examples
    --------
    >>> means = xr.DataArray(
    ...     [[0.05, 0.04, 0.02, 0.01], [0.05, 0.06, 0.25, 0.15]],
    ...     dims=("cluster", "band"),
    ...     coords={"band": ["green", "red", "nir08", "swir16"]},
    ... )
    >>> palette = cluster_palette(means, water=[0])
    >>> [category.name for category in palette.categories], palette[0].colour
    (['water', 'green vegetation'], '#1f5fa8')
    """
    if means is None:
        names = {c: "water" for c, share in water_shares(water).items() if share >= MOSTLY}
        return label_palette(n_labels, names)
    kinds = _kinds(means, water)
    names = _names_of(kinds, means)
    colours = _colours_of(kinds)
    known = {i: Category(i, names[i], colours[i], f"label_{i}") for i in kinds}
    others = label_palette(max(n_labels, max(kinds, default=-1) + 1)).categories
    return Palette("labels", tuple(known.get(other.value, other) for other in others))


def too_many_text(n_clusters: int) -> str:
    """Return a warning for maps of more clusters than colours can tell apart, or nothing.

    Examples
    --------
    >>> too_many_text(12), too_many_text(30)
    ('', 'More than 12 clusters: their colours alone do not tell them apart.')
    """
    if n_clusters <= DISTINCT_CLUSTERS:
        return ""
    return f"More than {DISTINCT_CLUSTERS} clusters: their colours alone do not tell them apart."


def _spectra(means: xr.DataArray) -> list[dict[str, float]]:
    """List the mean spectra, band by band."""
    means = means.transpose("cluster", "band")
    bands = [str(b) for b in means["band"].values]
    return [dict(zip(bands, row, strict=True)) for row in np.asarray(means, float).tolist()]


def _kinds(means: xr.DataArray, water: Water | None) -> dict[int, str]:
    """Return the family of each cluster."""
    kinds, shares = {}, water_shares(water)
    for number, spectrum in zip(means["cluster"].values.tolist(), _spectra(means), strict=True):
        if shares.get(number, 0) >= PARTLY:
            kinds[number] = "water" if shares[number] >= MOSTLY else "partly water"
        elif means.attrs.get("units", "1") == "1":
            kinds[number] = _kind(spectrum, decided=water is not None)
        else:
            kinds[number] = _kind_of_numbers(spectrum, decided=water is not None)
    return kinds


def _ratio(spectrum: Mapping[str, float], a: str, b: str) -> float:
    """Compute the normalised difference of two bands; NaN where one is missing."""
    one, other = spectrum.get(a, np.nan), spectrum.get(b, np.nan)
    return (one - other) / (one + other) if one + other > 0 else np.nan


def _words(kind: str, spectrum: Mapping[str, float]) -> str:
    """Return what a cluster of a family is called."""
    if kind == "vegetation":
        dense = _ratio(spectrum, "nir08", "red") > _DENSE
        return "dense vegetation" if dense else "green vegetation"
    if kind == "ground" and _ratio(spectrum, "red", "blue") > _REDDISH:
        return "reddish ground"
    return _FAMILIES[kind].words


def _kind(spectrum: Mapping[str, float], *, decided: bool) -> str:
    """Return the family of a spectrum of reflectance that is not known to be water."""
    blue, green, red, nir = (spectrum.get(b, np.nan) for b in ("blue", "green", "red", "nir08"))
    greenness, burn = _ratio(spectrum, "nir08", "red"), _ratio(spectrum, "nir08", "swir22")
    wetness = _ratio(spectrum, "green", "swir16" if "swir16" in spectrum else "swir22")
    white = not blue < 0.8 * red  # silt is redder than snow and clouds are
    if wetness > 0.4 and green > 0.2 and not nir < 0.11 and white:
        return "snow"
    if not decided and wetness > 0 and not greenness > 0.2:
        return "like water"
    if _is_cloud(spectrum) and not greenness > 0.3:
        return "cloud"
    brightens = spectrum.get("swir22", np.nan) - nir > _CERTAIN
    if burn < -0.1 and brightens and red < 0.12 and nir < 0.2 and not greenness > 0.3:
        return "burnt"
    # In shade the sky lights the ground, and ratios of what little comes back mean nothing.
    if spectrum and all(value < _DARK for value in spectrum.values()):
        return "shadow" if blue >= red else "ground"
    return _kind_of_numbers(spectrum, decided=True)


def _kind_of_numbers(spectrum: Mapping[str, float], *, decided: bool) -> str:
    """Return the family by ratios alone, as far as numbers that are not reflectance tell it."""
    greenness = _ratio(spectrum, "nir08", "red")
    if not decided and _ratio(spectrum, "green", "swir16") > 0 and not greenness > 0.2:
        return "like water"
    if greenness > 0.55:
        return "vegetation"
    return "sparse" if greenness > 0.3 else "ground"


def _is_cloud(spectrum: Mapping[str, float]) -> bool:
    """Return whether a spectrum is bright and white: cloud, or ground as white as one."""
    visible = [spectrum[b] for b in ("blue", "green", "red") if b in spectrum]
    if len(visible) < 2 or not min(visible) > 0.2:
        return False
    mean = sum(visible) / len(visible)
    whiteness = sum(abs(value - mean) for value in visible) / mean
    hazy = "blue" not in spectrum or spectrum["blue"] - 0.5 * spectrum["red"] > 0.08
    return whiteness < 0.3 and hazy


def _colours_of(kinds: Mapping[int, str]) -> dict[int, str]:
    counts = Counter(kinds.values())
    ramps = {kind: iter(ramp) for kind, ramp in _ramps(tuple(sorted(counts.items()))).items()}
    return {cluster: next(ramps[kind]) for cluster, kind in kinds.items()}


@cache
def _ramps(counts: tuple[tuple[str, int], ...]) -> dict[str, tuple[str, ...]]:
    """Choose colours for so many clusters of each family, from dark to bright, far from another.

    They depend on nothing but how many clusters there are of each family.
    """
    wanted = [kind for kind, count in counts for _ in range(count)]
    # Families of few colours choose first; among the blues of water is always that of the masks.
    wanted.sort(key=lambda kind: (kind != "water", len(_pool(kind, wide=True))))
    colours, least = _chosen(tuple(wanted), wide=False)
    if least < _DISTINCT:
        colours, _ = _chosen(tuple(wanted), wide=True)
    ramps: dict[str, list[int]] = {kind: [] for kind, _ in counts}
    for place, kind in enumerate(wanted):
        ramps[kind].append(place)
    return {kind: tuple(_dark_first(colours[places])) for kind, places in ramps.items()}


def _chosen(wanted: tuple[str, ...], *, wide: bool) -> tuple[NDArray[np.float64], float]:
    """Choose a colour of each of these families, and return their least difference as well.

    The best of several choices, each from another first colour.
    """
    kinds = list(dict.fromkeys(wanted))
    pools = [_pool(kind, wide=wide) for kind in kinds]
    ends = np.cumsum([len(pool) for pool in pools])
    of = dict(zip(kinds, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
    far = np.block([[_differences(one, other, wide=wide) for other in kinds] for one in kinds])
    fixed = int(wanted[0] == "water")
    choices = [of[kind] for kind in wanted[fixed:]]
    taken = of["water"][:1] if fixed else np.array([], int)
    if choices:
        few = len(wanted) <= DISTINCT_CLUSTERS
        starts = choices[0][:: -(-len(choices[0]) // (_STARTS if few else 1))]
        tries = [_spread(np.append(taken, start), choices, far) for start in starts]
        taken = max(tries, key=lambda chosen: _least(chosen, far))
    return np.concatenate(pools)[taken], _least(taken, far)


def _spread(
    taken: NDArray[np.intp], choices: list[NDArray[np.intp]], far: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Add the farthest colour of each choice, then exchange each for a better one if there is any.

    The last of those that are taken is of the first choice; those before it stay.
    """
    fixed = len(taken) - 1
    for pool in choices[1:]:
        taken = np.append(taken, _farthest(pool, taken, far))
    for _ in range(_SWEEPS if len(taken) > 1 else 0):
        before = taken.copy()
        for place, pool in enumerate(choices, start=fixed):
            others = np.delete(taken, place)
            better = _farthest(pool, others, far)
            if far[better, others].min() > far[taken[place], others].min():
                taken[place] = better
        if (taken == before).all():
            break
    return taken


def _farthest(pool: NDArray[np.intp], taken: NDArray[np.intp], far: NDArray[np.float64]) -> int:
    """Return the colour of a pool that differs most from those that are taken."""
    return int(pool[far[np.ix_(pool, taken)].min(axis=1).argmax()])


def _least(taken: NDArray[np.intp], far: NDArray[np.float64]) -> float:
    """Return the least difference of any two colours."""
    return float(far[np.ix_(taken, taken)][np.triu_indices(len(taken), 1)].min(initial=np.inf))


@cache
def _differences(one: str, other: str, *, wide: bool) -> NDArray[np.float64]:
    """Compute how much the colours of two families differ, as the worst sight sees them."""
    if one > other:
        return _differences(other, one, wide=wide).T
    difference = least_difference(_pool(one, wide=wide), _pool(other, wide=wide))
    return difference.round(_DECIMALS)


def _dark_first(colours: NDArray[np.float64]) -> Iterator[str]:
    luminance = colours**2.2 @ np.array([0.2126, 0.7152, 0.0722])
    for colour in colours[np.argsort(luminance, kind="stable")]:
        yield "#" + bytes(round(255 * channel) for channel in colour).hex()


@cache
def _pool(kind: str, *, wide: bool) -> NDArray[np.float64]:
    """List the colours of a family that a screen can show; of water, that of the masks first."""
    family = _FAMILIES[kind]
    low, high = family.lightness
    tints = family.wide if wide else family.pure
    lightness, chroma, hue = np.meshgrid(
        np.arange(low, high + 1, _LIGHTNESS_STEP), tints.chromas, np.radians(tints.hues),
        indexing="ij",
    )  # fmt: skip
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    rgb = rgb_of(lab.reshape(-1, 3))
    shown = ((rgb > -1e-6) & (rgb < 1 + 1e-6)).all(axis=1)
    rgb = np.unique(np.round(255 * np.clip(rgb[shown], 0, 1)), axis=0) / 255
    if kind == "water":
        mask = np.array([water_palette()[1].rgb]) / 255
        rgb = np.concatenate([mask, rgb])
    return rgb
