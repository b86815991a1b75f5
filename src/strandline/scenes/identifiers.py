"""What the identifier of a Landsat or Sentinel-2 product says: platform, date, level.

Identifiers stand in the names of files and folders, with whatever else someone has added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from strandline.scenes.sensors import SENSORS, Sensor


@dataclass(frozen=True)
class ProductName:
    """What the name of a Landsat or Sentinel-2 product says.

    Parameters
    ----------
    text : str
        The part of the name that was understood.
    sensor : Sensor
        Platform and instrument.
    acquired : date or datetime
        Day of acquisition; of Sentinel-2 with the time (UTC) at which the pass was begun.
    level : str or None
        "L1" or "L2"; scene identifiers from before the collections do not tell.
    collection : str or None
        "01" or "02" of the U.S. Geological Survey, "hls" (Harmonized Landsat and Sentinel-2), "ga"
        (Geoscience Australia), or None for names from before the collections and of Sentinel-2.
    baseline : str or None
        Processing baseline of a Sentinel-2 product, such as "04.00", where the name has it.
    """

    text: str
    sensor: Sensor
    acquired: date
    level: str | None
    collection: str | None
    baseline: str | None = None


_PRODUCT = re.compile(
    r"(?<![A-Za-z0-9])L[COTE]0(?P<platform>[45789])_(?P<level>L[12])[A-Z]{2}_\d{6}_"
    r"(?P<day>\d{8})(?:_\d{8})?(?:_(?P<collection>0[12])(?:_(?:RT|T[12]))?)?(?![0-9])"
)
_SCENE = re.compile(
    r"(?<![A-Za-z0-9])L[COTE](?P<platform>[45789])\d{6}(?P<year>\d{4})(?P<day>\d{3})"
    r"[A-Z]{3}\d{2}(?![0-9])"
)


# S2A_MSIL1C_20200802T184931_N0209_R113_T10SGJ_20200802T222113
_MSI_PRODUCT = re.compile(
    r"(?<![A-Za-z0-9])S2(?P<unit>[ABC])_(?:MSIL(?P<level>[12])[AC]p?|OPER_PRD_MSIL(?P<old>[12])[AC])"
    r"_(?:PDMC_\d{8}T\d{6}_R\d{3}_V)?(?P<moment>\d{8}T\d{6})"
    r"(?:_N(?P<baseline>\d{4})_R\d{3}(?:_T\d{2}[A-Z]{3})?_\d{8}T\d{6})?(?![0-9])"
)
# S2A_10SGJ_20200802_0_L2A, as a well-known collection of COGs calls its copies.
_MSI_COPY = re.compile(
    r"(?<![A-Za-z0-9])S2(?P<unit>[ABC])_T?\d{1,2}[A-Z]{3}_(?P<moment>\d{8}(?:T\d{6})?)"
    r"(?:_\d+)?_L(?P<level>[12])[AC](?![A-Za-z0-9])"
)
# LC08_CU_005009_20200826_20210503_02_SR_B2: U.S. Analysis Ready Data, in tiles of their own.
_US_TILE = re.compile(
    r"(?<![A-Za-z0-9])L[CTE]0(?P<platform>[45789])_(?:CU|AK|HI)_\d{6}_(?P<day>\d{8})_\d{8}_"
    r"C?(?P<collection>0[12])(?:_V\d\d)?(?![0-9])"
)
# HLS.L30.T11SLC.2017295T183214.v2.0.B04: the units are in the files, not in their names.
_HLS = re.compile(
    r"(?<![A-Za-z0-9])HLS\.(?P<kind>[LS]30)\.T\d{2}[A-Z]{3}\.(?P<moment>\d{7}T\d{6})\.v\d\.\d"
)
# ga_ls8c_nbart_3-2-1_090084_2020-06-01_final_band02: Geoscience Australia, Collection 3.
_GA = re.compile(
    r"(?<![A-Za-z0-9])ga_(?P<unit>ls[5789][tec]|s2[abc]m)_[a-z]+_3(?:-\d+){2}_[0-9A-Z]+_"
    r"(?P<day>\d{4}-\d\d-\d\d)(?![0-9])"
)
# S2A_OPER_MSI_L1C_TL_SGS__20161018T120000_A006912_T32TQR: dated by its processing, so no date.


def parse_product_name(text: str) -> ProductName | None:
    """Read platform, date and level from a Landsat or Sentinel-2 identifier.

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
    >>> name = parse_product_name("HLS.S30.T11SLC.2020214T184931.v2.0.B04.tif")
    >>> name.sensor.instrument, str(name.acquired), name.collection
    ('msi', '2020-08-01 18:49:31', 'hls')
    >>> name = parse_product_name("S2A_MSIL1C_20200802T184931_N0209_R113_T10SGJ_20200802T222113")
    >>> name.sensor.platform, str(name.acquired), name.level, name.baseline
    ('sentinel-2a', '2020-08-02 18:49:31', 'L1', '02.09')
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
    return _msi_name(text) or _ready_name(text)


def _ready_name(text: str) -> ProductName | None:
    """Read the names of surface reflectance that others have put on tiles of their own."""
    for match in reversed(list(_US_TILE.finditer(text))):
        acquired = _date(match["day"], None)
        if acquired is not None:
            level = "L1" if re.match(r"_(TOA|TA|BT)", text[match.end() :], re.IGNORECASE) else "L2"
            sensor = SENSORS[f"landsat-{match['platform']}"]
            return ProductName(match.group(), sensor, acquired, level, match["collection"])
    for pattern, form in ((_HLS, "%Y%jT%H%M%S"), (_GA, "%Y-%m-%d")):
        for match in reversed(list(pattern.finditer(text))):
            found = match.groupdict()
            try:
                moment = datetime.strptime(found.get("moment") or found["day"], form)
            except ValueError:
                continue
            if pattern is _HLS:
                unit = "landsat-8" if found["kind"] == "L30" else "sentinel-2a"
                return ProductName(match.group(), SENSORS[unit], moment, "L2", "hls")
            unit = found["unit"]
            name = f"sentinel-{unit[1:3]}" if unit.startswith("s2") else f"landsat-{unit[2]}"
            acquired = moment.date()
            # What of the name differs between the parts of one scene is left out.
            text = re.sub(r"_[a-z]+_3-", "_ard_3-", match.group())
            return ProductName(text, SENSORS[name], acquired, "L2", "ga")
    return None


def _msi_name(text: str) -> ProductName | None:
    for pattern in (_MSI_PRODUCT, _MSI_COPY):
        for match in reversed(list(pattern.finditer(text))):
            found = match.groupdict()
            try:
                form = "%Y%m%dT%H%M%S" if "T" in found["moment"] else "%Y%m%d"
                moment = datetime.strptime(found["moment"], form)
            except ValueError:
                continue
            baseline = found.get("baseline")
            return ProductName(
                match.group(),
                SENSORS[f"sentinel-2{found['unit'].lower()}"],
                moment if "T" in found["moment"] else moment.date(),
                f"L{found['level'] or found.get('old')}",
                None,
                f"{baseline[:2]}.{baseline[2:]}" if baseline else None,
            )
    return None


def _date(day: str, year: str | None) -> date | None:
    try:
        if year is None:
            return date(int(day[:4]), int(day[4:6]), int(day[6:]))
        return date(int(year), 1, 1) + timedelta(days=int(day) - 1)
    except (ValueError, OverflowError):
        return None
