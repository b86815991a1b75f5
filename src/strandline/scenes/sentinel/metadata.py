"""The XML files of a Sentinel-2 product: one about the product, one about its tile.

Nothing in them is taken on trust: what is needed has to be there, once, and to make sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from strandline.errors import MetadataError, UnknownProductError
from strandline.scenes.numerals import to_number
from strandline.scenes.sensors import SENSORS, Sensor, find_sensor
from strandline.scenes.sentinel.document import Document, read_document

_PRODUCT = re.compile(r"Level-(?P<level>[12][A-C])p?_User_Product")
_TILE = re.compile(r"Level-(?P<level>[12][A-C])p?_Tile_ID")
_BAND_IDS = ("1", "2", "3", "4", "5", "6", "7", "8", "8A", "9", "10", "11", "12")
_QUANTIFICATION = {
    "L1": ("QUANTIFICATION_VALUE",),
    "L2": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
}
_OFFSET = {"L1": "RADIO_ADD_OFFSET", "L2": "BOA_ADD_OFFSET"}
_SIMULATED = re.compile(r"<!--\s*Simulated\b")
_TIMES = ("DATATAKE_SENSING_START", "PRODUCT_START_TIME")


@dataclass(frozen=True)
class ProductMetadata:
    """What ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml`` says.

    Parameters
    ----------
    source : str
        Where it was read from, for messages.
    sensor : Sensor
    level : str
        "L1" or "L2".
    time : datetime
        When the pass was begun, UTC.
    baseline : str
        Processing baseline, "05.09".
    quantification : float
        Stored number of a reflectance of 1.
    offsets : dict
        Number of a band ("8A") to what has to be added to its stored numbers; empty where the
        file has no such list.
    nodata, saturated : float
        Stored numbers that stand for no value.
    images : tuple of str
        Paths of the images inside the product, without extension.
    simulated : bool
        Whether a comment says that it was simulated. The European Space Agency's files have no
        such comment, and their other readers pass over it.
    """

    source: str
    sensor: Sensor
    level: str
    time: datetime
    baseline: str
    quantification: float
    offsets: dict[str, float]
    nodata: float
    saturated: float
    images: tuple[str, ...]
    simulated: bool = False


@dataclass(frozen=True)
class TileMetadata:
    """What ``MTD_TL.xml`` says.

    Parameters
    ----------
    source : str
        Where it was read from, for messages.
    level : str
        "L1" or "L2".
    crs : str
        Such as "EPSG:32610".
    sizes : dict
        Pixel size in metres to rows and columns.
    corners : dict
        Pixel size in metres to easting and northing of the upper-left corner.
    time : datetime or None
        When the tile was seen, UTC.
    masks : dict
        Kind of mask ("MSK_CLASSI", "MSK_CLOUDS") to its path inside the product, as written.
    """

    source: str
    level: str
    crs: str
    sizes: dict[int, tuple[int, int]]
    corners: dict[int, tuple[float, float]]
    time: datetime | None
    masks: dict[str, str]


def parse_product(content: str, source: str) -> ProductMetadata:
    """Parse the content of ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.

    Parameters
    ----------
    content : str
    source : str
        Its name, for messages.

    Returns
    -------
    ProductMetadata

    Raises
    ------
    MetadataError
        If it is damaged, incomplete, contradicts itself, or asks for a document type.
    UnknownProductError
        If it is about another kind of product.

    Examples
    --------
    >>> parse_product("<Level-1C_User_Product/>", "MTD_MSIL1C.xml")
    Traceback (most recent call last):
    ...
    strandline.errors.MetadataError: 'MTD_MSIL1C.xml' has no PROCESSING_LEVEL. ...
    """
    document = read_document(
        content, source, _PRODUCT, "Level-1C_User_Product or Level-2A_User_Product"
    )
    level = _level(document)
    offsets = _offsets(document, _OFFSET[level])
    special = _special_values(document)
    return ProductMetadata(
        source=source,
        sensor=_sensor(document),
        level=level,
        time=_moment(document, *_TIMES),
        baseline=document.text("PROCESSING_BASELINE"),
        quantification=document.number(*_QUANTIFICATION[level]),
        offsets=offsets,
        nodata=special.get("NODATA", 0.0),
        saturated=special.get("SATURATED", 65535.0),
        images=tuple(
            leaf.text
            for leaf in document.leaves
            if leaf.tag in ("IMAGE_FILE", "IMAGE_FILE_2A", "IMAGE_ID", "IMAGE_ID_2A") and leaf.text
        ),
        simulated=_SIMULATED.search(content) is not None,
    )


def parse_tile(content: str, source: str) -> TileMetadata:
    """Parse the content of ``MTD_TL.xml``.

    Parameters
    ----------
    content : str
    source : str
        Its name, for messages.

    Returns
    -------
    TileMetadata

    Raises
    ------
    MetadataError
        If it is damaged, incomplete, contradicts itself, or asks for a document type.
    UnknownProductError
        If it is something else.
    """
    document = read_document(content, source, _TILE, "Level-1C_Tile_ID or Level-2A_Tile_ID")
    grids = {size: _grid(document, size) for size in document.resolutions()}
    if not grids:
        raise MetadataError(f"{source!r} describes no grid.", expected="Size and Geoposition")
    crs = document.text("HORIZONTAL_CS_CODE").upper()
    if not re.fullmatch(r"EPSG:\d{4,6}", crs):
        raise MetadataError(
            f"{source!r} has no usable CRS.", expected="a code such as EPSG:32610", got=repr(crs)
        )
    masks = {
        leaf.attributes["type"]: leaf.text
        for leaf in document.leaves
        if leaf.tag == "MASK_FILENAME"
        and leaf.attributes.get("type") in ("MSK_CLASSI", "MSK_CLOUDS")
        and leaf.text
    }
    sensed = document.find("SENSING_TIME") is not None
    return TileMetadata(
        source=source,
        level=f"L{_of_root(document, _TILE)[:1]}",
        crs=crs,
        sizes={size: shape for size, (shape, _) in grids.items()},
        corners={size: corner for size, (_, corner) in grids.items()},
        time=_moment(document, "SENSING_TIME") if sensed else None,
        masks=masks,
    )


# --- meanings -----------------------------------------------------------------


def _grid(document: Document, size: int) -> tuple[tuple[int, int], tuple[float, float]]:
    """Rows and columns of a tile's images of this pixel size, and their upper left corner."""
    rows, columns, left, top, across, down = (
        document.number(tag, resolution=size)
        for tag in ("NROWS", "NCOLS", "ULX", "ULY", "XDIM", "YDIM")
    )
    if rows != int(rows) or columns != int(columns) or min(rows, columns) < 1:
        raise MetadataError(
            f"{document.source!r} has no usable size of the {size} m grid.",
            expected="whole numbers of rows and columns",
            got=f"{rows:g} × {columns:g}",
        )
    if (across, down) != (size, -size):
        raise MetadataError(
            f"{document.source!r} contradicts itself about the {size} m grid.",
            expected=f"pixels of {size} × -{size} m",
            got=f"{across:g} × {down:g}",
        )
    return (int(rows), int(columns)), (left, top)


def _level(document: Document) -> str:
    """Level by the root element and by PROCESSING_LEVEL, which have to agree."""
    written, by_root = document.text("PROCESSING_LEVEL"), _of_root(document, _PRODUCT)
    if not written.startswith(f"Level-{by_root}"):
        raise MetadataError(
            f"{document.source!r} contradicts itself about the level of the product.",
            expected=f"Level-{by_root}, as its root element says",
            got=repr(written),
        )
    if by_root not in ("1C", "2A"):
        raise UnknownProductError(
            f"{document.source!r} describes a product that is not an image on a map.",
            expected="Level-1C or Level-2A",
            got=written,
        )
    return f"L{by_root[0]}"


def _of_root(document: Document, pattern: re.Pattern[str]) -> str:
    match = pattern.fullmatch(document.root)
    return match["level"] if match else ""


def _sensor(document: Document) -> Sensor:
    name = document.text("SPACECRAFT_NAME")
    try:
        sensor = find_sensor(name)
    except UnknownProductError:
        sensor = None
    if sensor is None or sensor.instrument != "msi" or sensor.platform not in SENSORS:
        raise MetadataError(
            f"{document.source!r} names a spacecraft that is not known.",
            expected="Sentinel-2A, Sentinel-2B or Sentinel-2C",
            got=repr(name),
        )
    return sensor


def _offsets(document: Document, tag: str) -> dict[str, float]:
    """Additive offsets by number of band; their ``band_id`` counts B8A before B9."""
    names = {
        leaf.attributes["bandId"]: leaf.attributes["physicalBand"].upper().removeprefix("B")
        for leaf in document.leaves
        if leaf.tag == "Spectral_Information" and {"bandId", "physicalBand"} <= set(leaf.attributes)
    } or {str(index): number for index, number in enumerate(_BAND_IDS)}
    found: dict[str, float] = {}
    for leaf in document.leaves:
        if leaf.tag != tag:
            continue
        written = leaf.attributes.get("band_id", leaf.attributes.get("bandId", ""))
        value = to_number(leaf.text, tag, document.source)
        if written not in names:
            raise MetadataError(
                f"{document.source!r} has a {tag} for no band that there is.",
                expected=f"a band_id from {', '.join(names)}",
                got=repr(written),
            )
        number = names[written].lstrip("0")
        if found.setdefault(number, value) != value:
            raise MetadataError(
                f"{document.source!r} contradicts itself about the {tag} of band {number}.",
                got=f"{found[number]:g} and {value:g}",
            )
    return found


def _special_values(document: Document) -> dict[str, float]:
    found: dict[str, float] = {}
    name = ""
    for leaf in document.leaves:
        if leaf.tag == "SPECIAL_VALUE_TEXT":
            name = leaf.text
        elif leaf.tag == "SPECIAL_VALUE_INDEX" and name:
            found[name] = to_number(leaf.text, f"the special value {name}", document.source)
            name = ""
    return found


def _moment(document: Document, *tags: str) -> datetime:
    """First of some times that there is, UTC and without zone."""
    there = [tag for tag in tags if document.find(tag) is not None]
    text = document.text(*(there[:1] or tags))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MetadataError(
            f"{document.source!r} has no usable time.",
            expected=f"{(there or tags)[0]} such as 2020-08-02T18:49:31.024Z",
            got=repr(text[:60]),
        ) from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
