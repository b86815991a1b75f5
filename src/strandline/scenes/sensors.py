"""The sensors we know: their bands, the names those go by, and how products are named.

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
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from strandline.errors import UnknownProductError


@dataclass(frozen=True)
class Band:
    """One band of one sensor.

    Parameters
    ----------
    number : str
        As in the product's file names: "1", "6_VCID_1", "10".
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

    @property
    def default_bands(self) -> tuple[str, ...]:
        """Names of the reflective bands on the 30 m grid that see the ground."""
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
}

_ALIASES = {
    "coastal": "coastal aerosol coastal_aerosol ultra_blue coastalaerosol",
    "nir08": "nir near_infrared nearinfrared near_ir",
    "swir16": "swir1 swir_1 shortwave_infrared_1 mir1 swir_16",
    "swir22": "swir2 swir_2 shortwave_infrared_2 mir2 swir_22",
    "pan": "panchromatic",
    "lwir": "thermal tir",
    "lwir11": "tir1 tirs1",
    "lwir12": "tir2 tirs2",
}
_COMMON_NAMES = frozenset(
    {band.name for sensor in SENSORS.values() for band in sensor.bands} | {"coastal"}
)
_NAME_OF_ALIAS = {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()
} | {name: name for name in _COMMON_NAMES}

_NUMBERED = re.compile(
    r"^(?:.*_)?(?:b|band)_?0*(?P<number>\d{1,2}(?:_vcid_[12])?)"
    r"(?:_(?:reflectance|temperature|radiance|sr|toa|dn))?$"
)


def band_name(text: str, sensor: Sensor | None = None) -> str | None:
    """Find the common name for what someone calls a band.

    Parameters
    ----------
    text : str
        A common name, an alias (``nir``, ``swir1``), or a numbered name (``B4``, ``sr_band4``,
        ``SR_B4``, ``band 4 reflectance``).
    sensor : Sensor, optional
        Needed for numbered names: band 4 is near infrared on TM and red on OLI.

    Returns
    -------
    str or None
        None if the name cannot be known.

    Examples
    --------
    >>> band_name("swir1"), band_name("SR_B4"), band_name("SR_B4", SENSORS["landsat-8"])
    ('swir16', None, 'red')
    >>> band_name("band 4 reflectance", SENSORS["landsat-5"])
    'nir08'
    """
    plain = re.sub(r"[\s\-]+", "_", text.strip().lower())
    if plain in _NAME_OF_ALIAS:
        return _NAME_OF_ALIAS[plain]
    if sensor is None:
        return None
    match = _NUMBERED.match(plain)
    band = sensor.band(match["number"]) if match else None
    return band.name if band else None


def is_thermal(name: str) -> bool:
    """Whether a common name is that of a thermal band."""
    return name.startswith("lwir")


def find_sensor(platform: str) -> Sensor:
    """Look up the sensor of a platform, however it is written.

    Parameters
    ----------
    platform : str
        ``"landsat-5"``, ``"LANDSAT_5"``, ``"Landsat 5 TM"``, ``"L5"``, ``"LT05"``, ….

    Returns
    -------
    Sensor

    Raises
    ------
    UnknownProductError
        If it is none of Landsat 4, 5, 7, 8, 9.

    Examples
    --------
    >>> find_sensor("LANDSAT_5").instrument
    'tm'
    """
    match = re.match(
        r"^\s*(?:landsat[\s_-]*|l[cotem]?0?)(?P<number>\d)\b(?!\d)",
        platform.lower().replace("_", " "),
    )
    sensor = SENSORS.get(f"landsat-{match['number']}") if match else None
    if sensor is None:
        raise UnknownProductError(
            "The platform is not one whose bands are known.",
            expected=f"one of {', '.join(SENSORS)}",
            got=repr(platform),
            remedy="Leave platform out and pass band_names=… instead.",
        )
    return sensor


@dataclass(frozen=True)
class ProductName:
    """What the name of a Landsat product says.

    Parameters
    ----------
    text : str
        The part of the name that was understood.
    sensor : Sensor
        Platform and instrument.
    acquired : date
        Day of acquisition.
    level : str or None
        "L1" or "L2"; scene identifiers from before the collections do not tell.
    collection : str or None
        "01", "02", or None for names from before the collections.
    """

    text: str
    sensor: Sensor
    acquired: date
    level: str | None
    collection: str | None


_PRODUCT = re.compile(
    r"(?<![A-Za-z0-9])L[COTE]0(?P<platform>[45789])_(?P<level>L[12])[A-Z]{2}_\d{6}_"
    r"(?P<day>\d{8})(?:_\d{8})?(?:_(?P<collection>0[12])(?:_(?:RT|T[12]))?)?(?![0-9])"
)
_SCENE = re.compile(
    r"(?<![A-Za-z0-9])L[COTE](?P<platform>[45789])\d{6}(?P<year>\d{4})(?P<day>\d{3})"
    r"[A-Z]{3}\d{2}(?![0-9])"
)


def parse_product_name(text: str) -> ProductName | None:
    """Read platform, date and level from a Landsat product or scene identifier.

    Parameters
    ----------
    text : str
        A file name or path that contains the identifier.

    Returns
    -------
    ProductName or None
        None if there is no identifier in it.

    Examples
    --------
    >>> name = parse_product_name("LT05_L1TP_042033_19881022_20161001_01_T1_sr_band4.tif")
    >>> name.sensor.platform, str(name.acquired), name.level, name.collection
    ('landsat-5', '1988-10-22', 'L2', '01')
    >>> str(parse_product_name("LT52240631988227CUB02_B4.TIF").acquired)
    '1988-08-14'
    """
    for pattern in (_PRODUCT, _SCENE):
        for match in reversed(list(pattern.finditer(text))):
            found = match.groupdict()
            acquired = _date(found["day"], found.get("year"))
            if acquired is None:
                continue
            level = found.get("level")
            if re.match(r"_sr_", text[match.end() :], re.IGNORECASE):
                level = "L2"  # Collection 1 names surface reflectance after its Level 1 source.
            return ProductName(
                match.group(),
                SENSORS[f"landsat-{found['platform']}"],
                acquired,
                level,
                found.get("collection"),
            )
    return None


def _date(day: str, year: str | None) -> date | None:
    try:
        if year is None:
            return date(int(day[:4]), int(day[4:6]), int(day[6:]))
        return date(int(year), 1, 1) + timedelta(days=int(day) - 1)
    except (ValueError, OverflowError):
        return None
