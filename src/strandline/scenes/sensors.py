"""The sensors we know: their bands, and the names those go by.

One table answers every question about a band: number to common name, wavelength,
solar irradiance, ground resolution. Common names are those of the STAC `eo`
extension.

References
----------
Chander, G., Markham, B. L. and Helder, D. L. (2009). Summary of current radiometric
calibration coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing
of Environment 113, 893-903. (Band centres and solar irradiances of TM and ETM+.)

Barsi, J. A. et al. (2014). The spectral response of the Landsat-8 Operational Land
Imager. Remote Sensing 6, 10232-10251. (Band centres of OLI.)

European Space Agency (2024). Sentinel-2 Spectral Response Functions, COPE-GSEG-EOPG-TN-15-0007,
issues 3.0 and 4.0. (Band centres of MSI, to the nanometre.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from strandline.errors import MissingBandError, UnknownProductError

Found = TypeVar("Found")


@dataclass(frozen=True)
class Band:
    """One band of one sensor.

    Parameters
    ----------
    number : str
        As in the product's file names, without leading zeros: "1", "6_VCID_1", "10", "8A".
    name : str
        Common name.
    wavelength : float
        Centre, in micrometres.
    resolution : int
        Pixel size as delivered, in metres.
    irradiance : float or None
        Mean solar irradiance outside the atmosphere, W m⁻² µm⁻¹.
    """

    number: str
    name: str
    wavelength: float
    resolution: int = 30
    irradiance: float | None = None

    @property
    def thermal(self) -> bool:
        """Whether it measures heat, so that it has no reflectance."""
        return self.wavelength > 5


@dataclass(frozen=True)
class Sensor:
    """An instrument on a platform, and its bands."""

    platform: str
    instrument: str
    bands: tuple[Band, ...]

    def band(self, number: str) -> Band | None:
        """Return the band with this number in file names, if the sensor has it."""
        wanted = number.upper().lstrip("0")
        return next((band for band in self.bands if band.number == wanted), None)

    def number(self, name: str) -> str | None:
        """Return the number of the band with this common name, if the sensor has it."""
        return next((band.number for band in self.bands if band.name == name), None)

    def in_order(self, found: Mapping[str, Found]) -> dict[str, Found]:
        """Put what was found for bands, by name, in the order of the bands; leave others out."""
        return {band.name: found[band.name] for band in self.bands if band.name in found}

    @property
    def default_bands(self) -> tuple[str, ...]:
        """Names of the bands to use when nobody says which.

        Of Landsat, the reflective bands on the 30 m grid that see the ground. Of Sentinel-2, those
        that every Landsat has too: one model, one water rule and one pair of dates work with
        either. What MSI has beyond them (coastal at 60 m, red edge, the broad near infrared) is
        there for the asking; water vapour and cirrus see the atmosphere.
        """
        if self.instrument == "msi":
            return SHARED
        return tuple(
            band.name
            for band in self.bands
            if not band.thermal and band.resolution == 30 and band.name != "cirrus"
        )


def _thematic_mapper(platform: str, centres: str, irradiances: str) -> Sensor:
    numbers = ("1", "2", "3", "4", "5", "7")
    names = ("blue", "green", "red", "nir08", "swir16", "swir22")
    reflective = [
        Band(number, name, float(centre), 30, float(irradiance))
        for number, name, centre, irradiance in zip(
            numbers, names, centres.split(), irradiances.split(), strict=True
        )
    ]
    return Sensor(platform, "tm", (*reflective, Band("6", "lwir", 11.435)))


_OLI = (
    Band("1", "coastal", 0.443),
    Band("2", "blue", 0.482),
    Band("3", "green", 0.561),
    Band("4", "red", 0.655),
    Band("5", "nir08", 0.865),
    Band("6", "swir16", 1.609),
    Band("7", "swir22", 2.201),
    Band("8", "pan", 0.590, 15),
    Band("9", "cirrus", 1.373),
    Band("10", "lwir11", 10.895),
    Band("11", "lwir12", 12.005),
)

SHARED = ("blue", "green", "red", "nir08", "swir16", "swir22")
"""Bands that every Landsat and every Sentinel-2 has."""


def _multispectral_instrument(platform: str, centres: str) -> Sensor:
    numbers = ["1", "2", "3", "4", "5", "6", "7", "8", "8A", "9", "10", "11", "12"]
    names = [
        "coastal",
        "blue",
        "green",
        "red",
        "rededge071",
        "rededge075",
        "rededge078",
        "nir",
        "nir08",
        "nir09",
        "cirrus",
        "swir16",
        "swir22",
    ]
    sizes = (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20)
    bands = zip(numbers, names, centres.split(), sizes, strict=True)
    return Sensor(
        platform,
        "msi",
        tuple(Band(number, name, float(centre), size) for number, name, centre, size in bands),
    )


SENSORS: dict[str, Sensor] = {
    "landsat-4": _thematic_mapper(
        "landsat-4", "0.485 0.569 0.659 0.841 1.676 2.222", "1983 1795 1539 1028 219.8 83.49"
    ),
    "landsat-5": _thematic_mapper(
        "landsat-5", "0.485 0.569 0.660 0.840 1.676 2.223", "1983 1796 1536 1031 220.0 83.44"
    ),
    "landsat-7": Sensor(
        "landsat-7",
        "etm",
        (
            Band("1", "blue", 0.483, 30, 1997),
            Band("2", "green", 0.560, 30, 1812),
            Band("3", "red", 0.662, 30, 1533),
            Band("4", "nir08", 0.835, 30, 1039),
            Band("5", "swir16", 1.648, 30, 230.8),
            Band("7", "swir22", 2.206, 30, 84.90),
            Band("8", "pan", 0.706, 15, 1362),
            # Level 2 has one thermal file (6); Level 1 has low and high gain.
            Band("6", "lwir", 11.335),
            Band("6_VCID_1", "lwir_low", 11.335),
            Band("6_VCID_2", "lwir_high", 11.335),
        ),
    ),
    "landsat-8": Sensor("landsat-8", "oli", _OLI),
    "landsat-9": Sensor("landsat-9", "oli", _OLI),
    "sentinel-2a": _multispectral_instrument(
        "sentinel-2a",
        "0.443 0.492 0.560 0.665 0.704 0.741 0.783 0.833 0.865 0.945 1.374 1.614 2.202",
    ),
    "sentinel-2b": _multispectral_instrument(
        "sentinel-2b",
        "0.442 0.492 0.559 0.665 0.704 0.739 0.780 0.833 0.864 0.943 1.377 1.610 2.186",
    ),
    "sentinel-2c": _multispectral_instrument(
        "sentinel-2c",
        "0.444 0.489 0.561 0.667 0.707 0.741 0.785 0.835 0.866 0.947 1.372 1.612 2.191",
    ),
}

_ALIASES = {
    "coastal": "coastal aerosol coastal_aerosol ultra_blue coastalaerosol",
    "nir08": "near_infrared nearinfrared near_ir nir8a narrow_nir nir_narrow",
    "nir09": "water_vapour water_vapor nir9",
    "rededge071": "rededge1 rededge_1 red_edge_1 rededge70",
    "rededge075": "rededge2 rededge_2 red_edge_2 rededge74",
    "rededge078": "rededge3 rededge_3 red_edge_3",
    "swir16": "swir1 swir_1 shortwave_infrared_1 mir1 swir_16",
    "swir22": "swir2 swir_2 shortwave_infrared_2 mir2 swir_22",
    "pan": "panchromatic",
    "lwir": "thermal tir",
    "lwir11": "tir1 tirs1",
    "lwir12": "tir2 tirs2",
}
_PREFIX = re.compile(r"^(?:nbart?|sr|boa|toa|refl(?:ectance)?|surface_reflectance)_(?=[a-z])")
"""What data cubes and exports put before the name of a band to say what its numbers are."""
_COMMON_NAMES = frozenset(band.name for sensor in SENSORS.values() for band in sensor.bands)
_NAME_OF_ALIAS = {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()
} | {name: name for name in _COMMON_NAMES}

STAND_IN = {"nir": "nir08", "nir08": "nir"}
"""Sentinel-2 alone has both a broad and a narrow near infrared; where only one of the two is there,
it answers to either name."""

_NUMBERED = re.compile(
    r"^(?:.*_)?(?:b|band)_?0*(?P<number>8a|\d{1,2}(?:_vcid_[12])?)"
    r"(?:_(?:reflectance|temperature|radiance|sr|toa|dn|[126]0m))?$"
)

# Edges of the bands that go by a common name, in micrometres: from the shortest to the longest
# wavelength at which a known sensor has a band of that name, and in the windows of the atmosphere
# between absorption by water where sensors differ.
_RANGES = {
    "coastal": (0.430, 0.453), "blue": (0.453, 0.520), "green": (0.520, 0.600),
    "red": (0.620, 0.690), "rededge071": (0.695, 0.715), "rededge075": (0.730, 0.750),
    "rededge078": (0.770, 0.795), "nir08": (0.795, 0.900), "nir09": (0.930, 0.960),
    "cirrus": (1.360, 1.390), "swir16": (1.550, 1.750), "swir22": (2.080, 2.350),
    "lwir11": (10.3, 11.4), "lwir12": (11.5, 12.6),
}  # fmt: skip
_AS_MEASURED = 0.04  # of a wavelength: what lists of one sensor's band centres differ by

_NUMBER_WITH_UNIT = re.compile(
    r"(?:(?P<low>(?<![a-z0-9.])\d+(?:\.\d+)?)\s*(?:-|\u2013|to)\s*)?(?P<value>\d+(?:\.\d+)?)\s*"
    r"(?P<unit>nm|nanomet(?:er|re)s?|um|\u00b5m|\u03bcm|micromet(?:er|re)s?|microns?)(?![a-z])",
    re.IGNORECASE,
)
# As level-2 processors of ocean colour name reflectance: rhos_483, Rrs_561; whole nanometres.
_BARE_NANOMETRES = re.compile(
    r"^(?:rho[a-z]*|rrs|refl(?:ectance)?|sr|boa|toa)_?(?P<value>\d{3,4})$", re.I
)
_AROUND_WAVELENGTHS = re.compile(
    r"cent(?:er|re|ral)|wavelengths?|wvl|cwl|lambda|\bat\b|[()\[\],;:@=|/]", re.IGNORECASE
)


def wavelength_in(text: str) -> tuple[float, str] | None:
    """Find a wavelength in what someone calls a band.

    Parameters
    ----------
    text : str
        Such as ``"Blue (490 nm)"``, ``"band_490.5nm"``, ``"0.45-0.51 um"``.

    Returns
    -------
    (float, str) or None
        The wavelength in micrometres, of a range its middle, and what else the text says.

    Examples
    --------
    >>> wavelength_in("B02, central wavelength 492.4 nm"), wavelength_in("red")
    ((0.4924, 'B02'), None)
    """
    if bare := _BARE_NANOMETRES.match(text.strip()):
        return float(bare["value"]) / 1000, ""
    found = _NUMBER_WITH_UNIT.search(text)
    if found is None:
        return None
    value, low = float(found["value"]), float(found["low"] or found["value"])
    if not 0.5 * value < low <= value:
        low = value
    factor = 1000 if found["unit"].lower().startswith("n") else 1
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    return (low + value) / 2 / factor, " ".join(_AROUND_WAVELENGTHS.sub(" ", rest).split()).strip(
        " _-"
    )


def _named_by_wavelength(text: str, sensor: Sensor | None) -> str | None:
    """Name a band by its wavelength; a name beside it has to agree."""
    found = wavelength_in(text)
    if found is None:
        return None
    wavelength, rest = found
    bands = sensor.bands if sensor else ()
    near = [b for b in bands if abs(b.wavelength / wavelength - 1) < _AS_MEASURED]
    named = band_name(rest, sensor) if rest else None
    if named in {band.name for band in near}:
        return named
    told = band_name(rest)  # in words, whichever sensor it is
    if told is not None:
        low, high = _RANGES.get(told, (wavelength, wavelength))
        if low * (1 - _AS_MEASURED) <= wavelength <= high * (1 + _AS_MEASURED):
            return told
        low, high = 1000 * low, 1000 * high
        raise MissingBandError(
            f"The band {text!r} contradicts itself.",
            expected=f"a wavelength of {low:g} to {high:g} nm for {told}",
            got=f"{1000 * wavelength:g} nm",
            remedy="Pass band_names=[\u2026] with a name for each band, in this order.",
        )
    if near:
        return min(near, key=lambda band: abs(band.wavelength - wavelength)).name
    ranges = (name for name, (low, high) in _RANGES.items() if low <= wavelength < high)
    return next(ranges, None)


def names_apart(names: Sequence[str], texts: Sequence[str | None]) -> list[str]:
    """Let one band have a common name that several wavelengths would go by.

    Parameters
    ----------
    names : sequence of str
        As `band_name` gives them.
    texts : sequence of str or None
        What the bands are called.

    Returns
    -------
    list of str
        Of bands that share a name for their wavelengths, the one nearest to that of Landsat 8 and
        9 keeps it, or else to the middle of the range; the others are called what the file calls
        them.

    Examples
    --------
    >>> names_apart(["blue", "blue"], ["450 nm", "490 nm"])
    ['450 nm', 'blue']
    """
    apart = list(names)
    for name, (low, high) in _RANGES.items():
        same = [i for i, one in enumerate(names) if one == name]
        told = {i: wavelength_in(texts[i] or "") for i in same}
        if len(same) > 1 and all(told.values()):
            known = (band.wavelength for band in _OLI if band.name == name)
            middle = next(known, (low + high) / 2)
            kept = min(same, key=lambda i: abs((told[i] or (0.0, ""))[0] - middle))
            for i in same:
                apart[i] = name if i == kept else str(texts[i])
    return apart


def band_name(text: str, sensor: Sensor | None = None) -> str | None:
    """Find the common name for what someone calls a band.

    Parameters
    ----------
    text : str
        A common name, an alias (``nir``, ``swir1``), or a numbered name (``B4``, ``sr_band4``,
        ``SR_B4``, ``band 4 reflectance``, ``B8A``, ``B03_10m``); each of them also with what
        says of which numbers it is before it (``nbart_red``), or with a wavelength; or a
        wavelength alone (``Blue (490 nm)``, ``band_490.5nm``, ``rhos_655``).
    sensor : Sensor, optional
        Needed for numbered names: band 4 is near infrared on TM and red on OLI. Plain ``nir`` is
        a name of its own on Sentinel-2 (band 8), and an alias of ``nir08`` elsewhere.

    Returns
    -------
    str or None
        None if the name cannot be known.

    Raises
    ------
    MissingBandError
        If name and wavelength contradict each other.

    Examples
    --------
    >>> band_name("Blue (490 nm)"), band_name("band_1609.5nm"), band_name("B02, 492.4 nm")
    ('blue', 'swir16', 'blue')
    >>> band_name("swir1"), band_name("SR_B4"), band_name("SR_B4", SENSORS["landsat-8"])
    ('swir16', None, 'red')
    >>> band_name("band 4 reflectance", SENSORS["landsat-5"])
    'nir08'
    >>> band_name("nir"), band_name("nir", SENSORS["sentinel-2a"])
    ('nir08', 'nir')
    """
    plain = plain_name(text)
    bare = _PREFIX.sub("", plain)
    # Alone, "aerosol" is the coastal band; ``sr_aerosol`` says how much of it there was.
    for form in (plain,) if bare == "aerosol" else dict.fromkeys((plain, bare)):
        if form == "nir" and (sensor is None or sensor.number("nir") is None):
            return "nir08"
        if form in _NAME_OF_ALIAS:
            return _NAME_OF_ALIAS[form]
    if (named := _named_by_wavelength(text, sensor)) is not None:
        return named
    if sensor is None:
        return None
    match = _NUMBERED.match(plain)
    band = sensor.band(match["number"]) if match else None
    return band.name if band else None


def plain_name(text: str) -> str:
    """Write a name in lower case, with underscores for blanks and hyphens."""
    return re.sub(r"[\s\-]+", "_", text.strip().lower())


def band_number(text: str) -> str | None:
    """Return the number in a numbered name, in whatever spelling: "4" of ``SR_B4`` and ``B04``."""
    match = _NUMBERED.match(plain_name(text))
    return match["number"] if match else None


def names_by_count(count: int, sensor: Sensor) -> list[str] | None:
    """Name bands that nobody named, if there are as many as a sensor has reflective ones.

    Parameters
    ----------
    count : int
        Bands of the file.
    sensor : Sensor

    Returns
    -------
    list of str or None
        Of Landsat, the bands of a product by default, with or without the coastal one; of
        Sentinel-2, all bands of Level 1C (13) or Level 2A (12, without cirrus); in the order of
        their numbers, in which they are delivered. None for any other count.

    Examples
    --------
    >>> names_by_count(6, SENSORS["landsat-5"])
    ['blue', 'green', 'red', 'nir08', 'swir16', 'swir22']
    >>> names_by_count(5, SENSORS["landsat-5"]) is None
    True
    """
    if sensor.instrument == "msi":
        every = [band.name for band in sensor.bands]
        sets = [every, [name for name in every if name != "cirrus"]]
    else:
        usual = list(sensor.default_bands)
        sets = [usual, [name for name in usual if name != "coastal"]]
    return next((names for names in sets if len(names) == count), None)


def is_thermal(name: str) -> bool:
    """Whether a common name is that of a thermal band."""
    return name.startswith("lwir")


def find_sensor(platform: str) -> Sensor:
    """Look up the sensor of a platform, however it is written.

    Parameters
    ----------
    platform : str
        ``"landsat-5"``, ``"LANDSAT_5"``, ``"Landsat 5 TM"``, ``"L5"``, ``"LT05"``, …;
        ``"sentinel-2a"``, ``"Sentinel-2A"``, ``"S2A"``, …; ``"sentinel-2"`` for any of them.

    Returns
    -------
    Sensor
        Without the letter: the bands of Sentinel-2A, whose numbers and names all three share, as
        those of the platform ``"sentinel-2"``. Where their wavelengths matter, it will not do.

    Raises
    ------
    UnknownProductError
        If it is none of Landsat 4, 5, 7, 8, 9 and Sentinel-2A, B, C.

    Examples
    --------
    >>> find_sensor("LANDSAT_5").instrument
    'tm'
    >>> find_sensor("S2B").platform
    'sentinel-2b'
    """
    plain = platform.lower().replace("_", " ")
    sensor = None
    if match := re.match(r"^\s*(?:landsat[\s-]*|l[cotem]?0?)(?P<number>\d)\b(?!\d)", plain):
        sensor = SENSORS.get(f"landsat-{match['number']}")
    elif match := re.match(r"^\s*(?:sentinel[\s-]*|s)2[\s-]*(?P<unit>[a-z])\b", plain):
        sensor = SENSORS.get(f"sentinel-2{match['unit']}")
    elif re.match(r"^\s*(?:sentinel[\s-]*|s)2(?:[\s-]*msi)?\s*$", plain):
        sensor = replace(SENSORS["sentinel-2a"], platform="sentinel-2")
    if sensor is None:
        raise UnknownProductError(
            "The platform is not one whose bands are known.",
            expected=f"one of {', '.join(SENSORS)}",
            got=repr(platform),
            remedy="Leave platform out and pass band_names=… instead.",
        )
    return sensor
