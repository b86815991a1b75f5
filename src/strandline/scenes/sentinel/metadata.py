"""The XML files of a Sentinel-2 product: one about the product, one about its tile.

They come from strangers, so they are read without document types and entities, and neither
their size, their depth nor the number of their elements is left to them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from strandline.errors import MetadataError, UnknownProductError
from strandline.scenes.sensors import Sensor, find_sensor

LARGEST = 32 * 2**20
"""Characters: the largest real ones, of old products with dozens of tiles, have a third."""

_DEEPEST, _MOST = 64, 1_000_000
_ROOT = re.compile(r"Level-(?P<level>[12][A-C])p?_(?P<kind>User_Product|Tile_ID)")
_BAND_IDS = ("1", "2", "3", "4", "5", "6", "7", "8", "8A", "9", "10", "11", "12")
_QUANTIFICATION = {
    "L1": ("QUANTIFICATION_VALUE",),
    "L2": ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
}
_OFFSET = {"L1": "RADIO_ADD_OFFSET", "L2": "BOA_ADD_OFFSET"}
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
    document = _parse(content, source, "User_Product")
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
    document = _parse(content, source, "Tile_ID")
    sizes: dict[int, tuple[int, int]] = {}
    corners: dict[int, tuple[float, float]] = {}
    for size in document.resolutions():
        rows, columns, left, top, across, down = (
            document.number(tag, resolution=size)
            for tag in ("NROWS", "NCOLS", "ULX", "ULY", "XDIM", "YDIM")
        )
        if rows != int(rows) or columns != int(columns) or min(rows, columns) < 1:
            raise MetadataError(
                f"{source!r} has no usable size of the {size} m grid.",
                expected="whole numbers of rows and columns",
                got=f"{rows:g} × {columns:g}",
            )
        if (across, down) != (size, -size):
            raise MetadataError(
                f"{source!r} contradicts itself about the {size} m grid.",
                expected=f"pixels of {size} × -{size} m",
                got=f"{across:g} × {down:g}",
            )
        sizes[size], corners[size] = (int(rows), int(columns)), (left, top)
    if not sizes:
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
        level=f"L{document.level[0]}",
        crs=crs,
        sizes=sizes,
        corners=corners,
        time=_moment(document, "SENSING_TIME") if sensed else None,
        masks=masks,
    )


# --- meanings -----------------------------------------------------------------


def _level(document: _Document) -> str:
    """Level by the root element and by PROCESSING_LEVEL, which have to agree."""
    written = document.text("PROCESSING_LEVEL")
    if not written.startswith(f"Level-{document.level}"):
        raise MetadataError(
            f"{document.source!r} contradicts itself about the level of the product.",
            expected=f"Level-{document.level}, as its root element says",
            got=repr(written),
        )
    if document.level not in ("1C", "2A"):
        raise UnknownProductError(
            f"{document.source!r} describes a product that is no image on a map.",
            expected="Level-1C or Level-2A",
            got=written,
        )
    return f"L{document.level[0]}"


def _sensor(document: _Document) -> Sensor:
    name = document.text("SPACECRAFT_NAME")
    try:
        sensor = find_sensor(name)
    except UnknownProductError:
        sensor = None
    if sensor is None or sensor.instrument != "msi":
        raise MetadataError(
            f"{document.source!r} names a spacecraft that is not known.",
            expected="Sentinel-2A, Sentinel-2B or Sentinel-2C",
            got=repr(name),
        )
    return sensor


def _offsets(document: _Document, tag: str) -> dict[str, float]:
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
        value = _number(leaf.text, tag, document.source)
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


def _special_values(document: _Document) -> dict[str, float]:
    found: dict[str, float] = {}
    name = ""
    for leaf in document.leaves:
        if leaf.tag == "SPECIAL_VALUE_TEXT":
            name = leaf.text
        elif leaf.tag == "SPECIAL_VALUE_INDEX" and name:
            found[name] = _number(leaf.text, f"the special value {name}", document.source)
            name = ""
    return found


def _moment(document: _Document, *tags: str) -> datetime:
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


def _number(text: str, name: str, source: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MetadataError(
            f"{name} in {source!r} is no number.", expected="a number", got=repr(text[:60])
        )
    return value


# --- XML ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Leaf:
    """An element with its text, its attributes, and its parent's attributes."""

    tag: str
    text: str
    attributes: Mapping[str, str]
    around: Mapping[str, str]


@dataclass
class _Document:
    """Elements in the order of the file, by local name."""

    source: str
    level: str = ""
    leaves: list[_Leaf] = field(default_factory=list)

    def find(self, *tags: str, resolution: int | None = None) -> str | None:
        """Text of the one element with one of the tags; None where there is none.

        Raises
        ------
        MetadataError
            If there are several that say different things.
        """
        found = {
            leaf.text
            for leaf in self.leaves
            if leaf.tag in tags
            and (resolution is None or leaf.around.get("resolution") == str(resolution))
        }
        if len(found) > 1:
            raise MetadataError(
                f"{self.source!r} contradicts itself: {tags[0]} has several values.",
                expected="one",
                got=", ".join(sorted(found)[:3]),
            )
        return next(iter(found), None)

    def text(self, *tags: str, resolution: int | None = None) -> str:
        """Text of the one element with one of the tags.

        Raises
        ------
        MetadataError
            If there is none, or it is empty.
        """
        value = self.find(*tags, resolution=resolution)
        if not value:
            of = "" if resolution is None else f" for the {resolution} m grid"
            raise MetadataError(
                f"{self.source!r} has no {tags[0]}{of}.",
                expected=f"an element {' or '.join(tags)}",
                got="none" if value is None else "an empty one",
                remedy="The file may be cut or belong to another product.",
            )
        return value

    def number(self, *tags: str, resolution: int | None = None) -> float:
        """Value of the one element with one of the tags, as a finite number."""
        return _number(self.text(*tags, resolution=resolution), tags[0], self.source)

    def resolutions(self) -> list[int]:
        """Pixel sizes of the grids that are described."""
        written = {leaf.around.get("resolution", "") for leaf in self.leaves if leaf.tag == "NROWS"}
        return sorted(int(text) for text in written if text in ("10", "20", "60"))


def _parse(content: str, source: str, kind: str) -> _Document:
    if len(content) > LARGEST:
        raise MetadataError(
            f"The metadata file {source!r} is too large to be one.",
            expected=f"at most {LARGEST // 2**20} MB",
            got=f"{len(content) / 2**20:.0f} MB",
        )
    reader = _Reader(source, kind)
    parser = expat.ParserCreate("utf-8")  # whatever the file claims: it has been decoded
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        # Lone surrogates, which a careless decoder leaves, are no UTF-8.
        parser.Parse(content.strip("\x00 \t\r\n\ufeff").encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise MetadataError(
            f"The metadata file {source!r} cannot be parsed.",
            expected="XML that ends well",
            got=str(error),
            remedy="It is cut or damaged: fetch it again.",
        ) from error
    return reader.document


class _Reader:
    """Collects the elements of one file while it is parsed."""

    def __init__(self, source: str, kind: str) -> None:
        self.document = _Document(source)
        self._kind = kind
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._count = 0

    def refuse(self, *_: Any) -> None:
        raise MetadataError(
            f"The metadata file {self.document.source!r} declares a document type.",
            expected="XML without one, as all products have it",
            got="a DOCTYPE, which could name other files or grow without end",
            remedy="Do not trust it.",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rsplit(":", 1)[-1]
        if not self._open:
            self._root(tag)
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST:
            raise MetadataError(
                f"The metadata file {self.document.source!r} is no product's.",
                expected=f"at most {_MOST} elements, {_DEEPEST} deep",
                got="more",
            )
        self._open.append((tag, attributes))
        self._text.clear()
        if tag == "Spectral_Information":
            self.document.leaves.append(_Leaf(tag, "", attributes, {}))

    def _root(self, tag: str) -> None:
        match = _ROOT.fullmatch(tag)
        if match is None or match["kind"] != self._kind:
            raise UnknownProductError(
                f"{self.document.source!r} is no metadata file of a Sentinel-2 product.",
                expected=f"the root element Level-1C_{self._kind} or Level-2A_{self._kind}",
                got=tag[:60],
            )
        self.document.level = match["level"]

    def characters(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        tag, attributes = self._open.pop()
        # Lists of angles are long, and nobody asks for them.
        if tag not in ("VALUES", "Values_List", "VALUE"):
            around = self._open[-1][1] if self._open else {}
            text = "".join(self._text).strip()
            self.document.leaves.append(_Leaf(tag, text, attributes, around))
        self._text.clear()
