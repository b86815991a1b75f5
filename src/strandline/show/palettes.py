"""One colour per class, the same in every picture, raster and report.

The change colours keep at least 30 CIELAB units between any two of them in
normal vision and under simulated protanopia, deuteranopia and tritanopia
(Machado et al. 2009); a test computes it. The colours of clusters whose spectra
are not known are Paul Tol's "muted" set, ordered dark to light as the labels
are, and three that differ most from it. They, and the transitions, keep at
least 11 units of CIEDE2000 between any two.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED

WATER = "#1f5fa8"
LAND = "#e9e3d3"
LOST = "#d9541e"
GAINED = "#56b4e9"
UNSEEN = "#8c8c8c"

CHANNELS = {"red": "#d93025", "green": "#2b9348", "blue": "#2563eb", "grey": "#9a9a9a"}
"""What a channel of a composite looks like in a legend."""

_LABELS = (
    "#332288",  # indigo
    "#117733",  # green
    "#882255",  # wine
    "#aa4499",  # purple
    "#999933",  # olive
    "#44aa99",  # teal
    "#cc6677",  # rose
    "#ddcc77",  # sand
    "#88ccee",  # cyan
    "#3e3a14",
    "#9184e5",
    "#461828",
)
_TRANSITIONS = (
    ("never water", LAND),
    ("permanent", WATER),
    ("new permanent", "#568c45"),
    ("lost permanent", "#a61c0b"),
    ("seasonal", "#8ed2f8"),
    ("new seasonal", "#c5ef9d"),
    ("lost seasonal", "#df8987"),
    ("seasonal to permanent", "#28a1b7"),
    ("permanent to seasonal", "#f5c22d"),
    ("ephemeral permanent", "#555555"),
    ("ephemeral seasonal", "#b6b6b6"),
)
_GOLDEN_ANGLE = 0.6180339887498949


@dataclass(frozen=True)
class Category:
    """One class of a map: its stored value, its name and its colour (``#rrggbb``).

    ``flag`` is what the map's CF ``flag_meanings`` call it, if that is not the name in one word.
    ``clear``: transparent in files, so that a basemap shows through.

    Examples
    --------
    >>> Category(0, "not water", LAND).machine_name, change_palette()[0].machine_name
    ('not_water', 'stable_land')
    """

    value: int
    name: str
    colour: str
    flag: str | None = None
    clear: bool = False

    @property
    def machine_name(self) -> str:
        """What programs call it: the name in the file's ``flag_meanings``."""
        return self.flag or self.name.replace(" ", "_")

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue, 0..255."""
        red, green, blue = bytes.fromhex(self.colour.removeprefix("#"))
        return red, green, blue


@dataclass(frozen=True)
class Palette:
    """The classes of one kind of map (``"water"``, ``"change"`` or ``"labels"``)."""

    kind: str
    categories: tuple[Category, ...]

    def __getitem__(self, value: int) -> Category:
        """Find the class with a stored value."""
        for category in self.categories:
            if category.value == value:
                return category
        raise KeyError(value)

    def numbered(self) -> Palette:
        """Return the palette with the stored values before the names.

        Examples
        --------
        >>> water_palette().numbered()[1].name
        '1 water'
        """
        return replace(self, categories=tuple(map(_numbered, self.categories)))

    def colour_table(self) -> dict[int, tuple[int, int, int, int]]:
        """Return (red, green, blue, alpha) of each value, 0..255, as files have it.

        Land of masks is transparent, and what was not observed.
        """
        table = {c.value: (*c.rgb, 0 if c.clear else 255) for c in self.categories}
        return {**table, NOT_OBSERVED: (0, 0, 0, 0)}

    def rgba_table(self) -> np.ndarray:
        """Return a look-up table (256, 4), float32 in 0..1, as pictures have it.

        Values without a class are transparent.
        """
        table = np.zeros((256, 4), dtype=np.float32)
        for category in self.categories:
            table[category.value] = np.asarray((*category.rgb, 255)) / 255
        return table


def _numbered(category: Category) -> Category:
    unnamed = category.name == f"cluster {category.value}"
    return replace(
        category, name=str(category.value) if unnamed else f"{category.value} {category.name}"
    )


def water_palette() -> Palette:
    """Classes of a water mask.

    Examples
    --------
    >>> [(c.value, c.name) for c in water_palette().categories]
    [(0, 'not water'), (1, 'water')]
    """
    return Palette(
        "water", (Category(0, "not water", LAND, clear=True), Category(1, "water", WATER))
    )


def change_palette() -> Palette:
    """Classes of a change map.

    Examples
    --------
    >>> [(c.value, c.name) for c in change_palette().categories]
    [(0, 'land on both'), (1, 'water on both'), (2, 'water lost'), (3, 'water gained')]
    """
    return Palette(
        "change",
        (
            Category(0, "land on both", LAND, "stable_land", clear=True),
            Category(1, "water on both", WATER, "stable_water"),
            Category(2, "water lost", LOST, "lost"),
            Category(3, "water gained", GAINED, "gained"),
        ),
    )


def transition_palette() -> Palette:
    """Classes of a timeline's transitions.

    Hues are those of the Global Surface Water where colour blindness allows it: green is new, red
    lost, pale is seasonal, grey ephemeral. Permanent water has the blue of the masks.

    Examples
    --------
    >>> transition_palette()[3].name
    'lost permanent'
    """
    return Palette(
        "transitions",
        tuple(
            Category(value, name, colour, clear=value == 0)
            for value, (name, colour) in enumerate(_TRANSITIONS)
        ),
    )


def label_palette(n_labels: int, names: Mapping[int, str] | None = None) -> Palette:
    """Colours of the labels 0..n-1; a label has the same colour whatever n is.

    Parameters
    ----------
    n_labels : int
        Number of labels, at most 255.
    names : mapping of int to str, optional
        Other names than ``"cluster 0"`` and so on.

    Returns
    -------
    Palette
        One class per label.

    Examples
    --------
    >>> label_palette(3)[1] == label_palette(20)[1]
    True
    """
    if not 0 <= n_labels <= NOT_OBSERVED:
        raise ConfigurationError(
            "A label map cannot have that many labels.",
            expected=f"0 to {NOT_OBSERVED}",
            got=str(n_labels),
        )
    names = names or {}
    return Palette(
        "labels",
        tuple(Category(i, names.get(i, f"cluster {i}"), label_colour(i)) for i in range(n_labels)),
    )


def label_colour(label: int) -> str:
    """Colour of one label, ``#rrggbb``.

    Examples
    --------
    >>> label_colour(0), label_colour(11)
    ('#332288', '#461828')
    """
    if label < len(_LABELS):
        return _LABELS[label]
    # Hues a golden angle apart never come close to each other; lightness alternates as well.
    beyond = label - len(_LABELS)
    hue = (0.05 + _GOLDEN_ANGLE * beyond) % 1.0
    lightness = (0.30, 0.62, 0.46)[beyond % 3]
    channels = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return "#" + bytes(round(255 * channel) for channel in channels).hex()


def palette_for(classes: xr.DataArray) -> Palette:
    """Choose the palette of a map of classes from its CF flags.

    Parameters
    ----------
    classes : DataArray
        uint8 label map, water mask or change map. ``flag_values`` and
        ``flag_meanings`` tell which; without them it is a label map, whose
        labels are counted.

    Returns
    -------
    Palette
        Its classes, without "not observed".

    Examples
    --------
    >>> mask = xr.DataArray(np.zeros((2, 2), np.uint8))
    >>> mask.attrs = {"flag_values": [0, 1], "flag_meanings": "not_water water"}
    >>> palette_for(mask).kind
    'water'
    """
    flags = flag_names(classes)
    if any("gain" in name for name in flags.values()):
        return change_palette()
    if set(flags) == {0, 1} and "water" in flags[1] and "cluster" not in flags[0]:
        return water_palette()
    if flags:
        return label_palette(max(flags) + 1, {v: n.replace("_", " ") for v, n in flags.items()})
    values = np.unique(np.asarray(classes))
    labels = values[values != NOT_OBSERVED]
    return label_palette(int(labels.max()) + 1 if labels.size else 0)


def flag_names(classes: xr.DataArray) -> dict[int, str]:
    """Read CF flags, without "not observed": stored value to meaning.

    Examples
    --------
    >>> mask = xr.DataArray(np.zeros((2, 2), np.uint8))
    >>> mask.attrs = {"flag_values": [0, 1, 255], "flag_meanings": "land water not_observed"}
    >>> flag_names(mask)
    {0: 'land', 1: 'water'}
    """
    values = classes.attrs.get("flag_values", ())
    meanings: Iterable[str] = classes.attrs.get("flag_meanings", ())
    if isinstance(values, str):
        values = values.replace(",", " ").split()
    if isinstance(meanings, str):
        meanings = meanings.split()
    pairs = zip(np.atleast_1d(np.asarray(values, dtype=int)).tolist(), meanings, strict=False)
    return {value: name for value, name in pairs if value != NOT_OBSERVED}
