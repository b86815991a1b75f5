"""Write a simulated acquisition the way the European Space Agency delivers Sentinel-2.

A SAFE folder with one lossless JPEG 2000 image per band, the scene classification (Level 2A) or
the cloud mask (Level 1C), and the XML files. The folder gets its name when all is written.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes

from strandline.atomic import output_error, replacing_folder
from strandline.errors import OutputError
from strandline.scenes.sensors import SENSORS, Sensor
from strandline.scenes.sentinel.factors import BASELINE_OFFSET, has_offset
from strandline.scenes.simulation.geography import CRS
from strandline.scenes.simulation.metadata import ORIGIN

TILE, ORBIT = "T11SLC", 113
SIZES = (10, 20, 60)
_IDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_CLOUDY, _SNOWY = (8, 9), 11  # classes of the scene classification
_PROFILE = {
    "driver": "JP2OpenJPEG",
    "count": 1,
    "QUALITY": "100",
    "REVERSIBLE": "YES",
    "YCBCR420": "NO",
}


@dataclass(frozen=True)
class MsiPass:
    """One pass of Sentinel-2 over the lake, and how its product was made."""

    platform: str
    moment: dt.datetime
    level: str
    baseline: str

    @property
    def product(self) -> str:
        """Identifier of the product, in the form of the European Space Agency."""
        made = self.moment + dt.timedelta(hours=4)
        code = self.platform[-2:].upper()
        number = self.baseline.replace(".", "")
        return (
            f"S{code}_MSI{self.level}_{self._stamp}_N{number}_R{ORBIT}_{TILE}_{made:%Y%m%dT%H%M%S}"
        )

    @property
    def granule(self) -> str:
        """Name of the tile's folder."""
        return f"{self.level}_{TILE}_A000001_{self._stamp}"

    @property
    def _stamp(self) -> str:
        return f"{self.moment:%Y%m%dT%H%M%S}"

    def image(self, what: str, size: int) -> str:
        """Path of an image inside the product, without extension."""
        folder = f"GRANULE/{self.granule}/IMG_DATA"
        if self.level == "L1C":
            return f"{folder}/{TILE}_{self._stamp}_{what}"
        return f"{folder}/R{size}m/{TILE}_{self._stamp}_{what}_{size}m"


def coarsened(numbers: NDArray[np.uint16], ratio: int) -> NDArray[np.uint16]:
    """Average squares of pixels, as a detector with larger pixels does; 0 where one has no value.

    Examples
    --------
    >>> coarsened(np.array([[1, 2, 3, 0], [3, 2, 5, 6]], np.uint16), 2).tolist()
    [[2, 0]]
    """
    rows, columns = numbers.shape
    squares = numbers.reshape(rows // ratio, ratio, columns // ratio, ratio)
    mean = np.round(squares.mean(axis=(1, 3), dtype=np.float64))
    return np.where((squares == 0).any(axis=(1, 3)), 0, mean).astype(np.uint16)


def measured(numbers: NDArray[np.uint16], bands: tuple[str, ...]) -> dict[str, NDArray[np.uint16]]:
    """Give each band the pixels that the instrument has, from numbers at 10 m.

    Parameters
    ----------
    numbers : uint16 array (band, row, column)
    bands : tuple of str
        Common names.

    Returns
    -------
    dict of str to uint16 array
    """
    sizes = {band.name: band.resolution for band in SENSORS["sentinel-2a"].bands}
    return {
        name: coarsened(layer, sizes[name] // SIZES[0])
        for name, layer in zip(bands, numbers, strict=True)
    }


def write_safe(
    parent: Path,
    taken: MsiPass,
    images: dict[str, NDArray[np.uint16]],
    classes: NDArray[np.uint8],
    grid: GeoBox,
) -> Path:
    """Write a product into ``parent``.

    Parameters
    ----------
    parent : Path
        Made if missing.
    taken : MsiPass
    images : dict of str to uint16 array
        Common name to numbers with the offset of baseline 04.00 in them, 0 for no value; at the
        instrument's pixel sizes.
    classes : uint8 array
        Scene classification at 20 m.
    grid : GeoBox
        Of the 10 m images; rows and columns are multiples of 6.

    Returns
    -------
    Path
        The SAFE folder.

    Raises
    ------
    OutputError
        If it cannot be written, or a product of that name that is not simulated is there.
    """
    target = parent / f"{taken.product}.SAFE"
    _check_replaceable(target, f"MTD_MSI{taken.level}.xml")
    sensor = SENSORS[taken.platform]
    try:
        with replacing_folder(target) as partial:
            layers = _layers(taken, sensor, images, classes)
            for (what, size), values in layers.items():
                _write_image(partial / f"{taken.image(what, size)}.jp2", values, grid, size)
            if taken.level == "L1C":
                _write_clouds(partial / f"GRANULE/{taken.granule}/QI_DATA", taken, classes, grid)
            texts = {
                f"MTD_MSI{taken.level}.xml": _product_text(taken, sensor, list(layers)),
                f"GRANULE/{taken.granule}/MTD_TL.xml": _tile_text(taken, grid),
            }
            for name, text in texts.items():
                (partial / name).write_text(text, encoding="utf-8", newline="\n")
    except rasterio.errors.RasterioError as error:
        raise output_error(target, error) from error
    return target


def _check_replaceable(target: Path, metadata: str) -> None:
    """Only a simulated product may be overwritten."""
    record = target / metadata
    if target.exists() and not (
        record.is_file() and ORIGIN in record.read_text(encoding="utf-8", errors="replace")
    ):
        raise OutputError(
            f"'{target}' is there already and was not simulated.",
            expected="a folder without that product",
            got="one that holds it",
            remedy="Choose another folder for path=….",
        )


def _layers(
    taken: MsiPass,
    sensor: Sensor,
    images: dict[str, NDArray[np.uint16]],
    classes: NDArray[np.uint8],
) -> dict[tuple[str, int], NDArray[Any]]:
    """Choose the images of the product, in the numbers of its baseline."""
    layers: dict[tuple[str, int], NDArray[Any]] = {}
    for band in sensor.bands:
        if band.name not in images:
            continue  # cirrus: the simulated sky has none
        what = "B8A" if band.number == "8A" else f"B{int(band.number):02d}"
        numbers = images[band.name]
        layers[what, band.resolution] = _in_baseline(numbers, taken.baseline)
        if taken.level == "L2A" and band.resolution == 10 and band.name != "nir":
            layers[what, 20] = _in_baseline(coarsened(numbers, 2), taken.baseline)
    if taken.level == "L2A":
        layers["SCL", 20] = classes
    return layers


def _in_baseline(numbers: NDArray[np.uint16], baseline: str) -> NDArray[np.uint16]:
    """Take the offset out for a baseline that has none; what is not above 0 becomes 1 then."""
    if has_offset(baseline):
        return numbers
    lowered = np.maximum(numbers.astype(np.int32) + int(BASELINE_OFFSET), 1)
    return np.where(numbers == 0, 0, lowered).astype(np.uint16)


def _write_image(path: Path, values: NDArray[Any], grid: GeoBox, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = values if values.ndim == 3 else values[None]
    profile = {
        **_PROFILE,
        "count": layers.shape[0],
        "height": layers.shape[1],
        "width": layers.shape[2],
        "dtype": values.dtype,
        "crs": CRS,
        "transform": _transform(grid, size),
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(layers)


def _transform(grid: GeoBox, size: int) -> Affine:
    return Affine(size, 0.0, grid.transform.c, 0.0, -size, grid.transform.f)


def _write_clouds(folder: Path, taken: MsiPass, classes: NDArray[np.uint8], grid: GeoBox) -> None:
    """Write the cloud mask of Level 1C: an image since baseline 04.00, polygons before."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = classes.shape
    squares = classes.reshape(rows // 3, 3, columns // 3, 3)
    cloudy = np.isin(squares, _CLOUDY).any(axis=(1, 3)).astype(np.uint8)
    if has_offset(taken.baseline):
        snowy = (squares == _SNOWY).all(axis=(1, 3)).astype(np.uint8)
        layers = np.stack([cloudy, np.zeros_like(cloudy), snowy])
        _write_image(folder / "MSK_CLASSI_B00.jp2", layers, grid, 60)
        return
    found = shapes(cloudy, mask=cloudy == 1, transform=_transform(grid, 60))
    polygons = [geometry["coordinates"] for geometry, _ in found]
    text = _clouds_text(polygons)
    (folder / "MSK_CLOUDS_B00.gml").write_text(text, encoding="utf-8", newline="\n")


# --- XML ---------------------------------------------------------------------------


def _product_text(taken: MsiPass, sensor: Sensor, layers: list[tuple[str, int]]) -> str:
    level, second = taken.level, taken.level == "L2A"
    kind, name = f"Level-{level[1:]}", "BOA_ADD_OFFSET" if second else "RADIO_ADD_OFFSET"
    offsets = "".join(
        f'<{name} band_id="{index}">{BASELINE_OFFSET:g}</{name}>' for index in range(len(_IDS))
    )
    around = "BOA_ADD_OFFSET_VALUES_LIST" if second else "Radiometric_Offset_List"
    scale = (
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000'
        "</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>"
        if second
        else '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
    )
    files = "".join(
        f"<IMAGE_FILE>{escape(taken.image(what, size))}</IMAGE_FILE>" for what, size in layers
    )
    special = "".join(
        f"<Special_Values><SPECIAL_VALUE_TEXT>{text}</SPECIAL_VALUE_TEXT>"
        f"<SPECIAL_VALUE_INDEX>{value}</SPECIAL_VALUE_INDEX></Special_Values>"
        for text, value in (("NODATA", 0), ("SATURATED", 65535))
    )
    bands = "".join(
        f'<Spectral_Information bandId="{index}" physicalBand="{band}"/>'
        for index, band in enumerate(_IDS)
    )
    moment = _time(taken.moment)
    return _pretty(
        f"<!-- {ORIGIN} -->",
        f'<n1:{kind}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/'
        f'User_Product_{kind}.xsd">',
        "<n1:General_Info><Product_Info>",
        f"<PRODUCT_START_TIME>{moment}</PRODUCT_START_TIME>",
        f"<PRODUCT_STOP_TIME>{moment}</PRODUCT_STOP_TIME>",
        f"<PRODUCT_URI>{taken.product}.SAFE</PRODUCT_URI>",
        f"<PROCESSING_LEVEL>{kind}</PROCESSING_LEVEL>",
        f"<PRODUCT_TYPE>S2MSI{level[1:]}</PRODUCT_TYPE>",
        f"<PROCESSING_BASELINE>{taken.baseline}</PROCESSING_BASELINE>",
        f"<Datatake><SPACECRAFT_NAME>{sensor.platform.title()}</SPACECRAFT_NAME>",
        f"<DATATAKE_SENSING_START>{moment}</DATATAKE_SENSING_START></Datatake>",
        f"<Product_Organisation><Granule_List><Granule>{files}</Granule></Granule_List>",
        "</Product_Organisation></Product_Info>",
        f"<Product_Image_Characteristics>{special}{scale}",
        f"<{around}>{offsets}</{around}>" if has_offset(taken.baseline) else "",
        f"<Spectral_Information_List>{bands}</Spectral_Information_List>",
        f"</Product_Image_Characteristics></n1:General_Info></n1:{kind}_User_Product>",
    )


def _tile_text(taken: MsiPass, grid: GeoBox) -> str:
    kind = f"Level-{taken.level[1:]}"
    left, top = grid.transform.c, grid.transform.f
    sizes = "".join(
        f'<Size resolution="{size}"><NROWS>{grid.height * 10 // size}</NROWS>'
        f"<NCOLS>{grid.width * 10 // size}</NCOLS></Size>"
        for size in SIZES
    )
    places = "".join(
        f'<Geoposition resolution="{size}"><ULX>{left:.0f}</ULX><ULY>{top:.0f}</ULY>'
        f"<XDIM>{size}</XDIM><YDIM>-{size}</YDIM></Geoposition>"
        for size in SIZES
    )
    mask, ending = ("CLASSI", "jp2") if has_offset(taken.baseline) else ("CLOUDS", "gml")
    quality = f"GRANULE/{taken.granule}/QI_DATA/MSK_{mask}_B00.{ending}"
    listed = (
        f'<Pixel_Level_QI><MASK_FILENAME type="MSK_{mask}">{quality}</MASK_FILENAME>'
        "</Pixel_Level_QI>"
        if taken.level == "L1C"
        else ""
    )
    return _pretty(
        f'<n1:{kind}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/'
        f'S2_PDI_{kind}_Tile_Metadata.xsd">',
        f"<n1:General_Info><SENSING_TIME>{_time(taken.moment)}</SENSING_TIME></n1:General_Info>",
        "<n1:Geometric_Info><Tile_Geocoding>",
        f"<HORIZONTAL_CS_CODE>{CRS}</HORIZONTAL_CS_CODE>{sizes}{places}",
        f"</Tile_Geocoding></n1:Geometric_Info><n1:Quality_Indicators_Info>{listed}",
        f"</n1:Quality_Indicators_Info></n1:{kind}_Tile_ID>",
    )


def _clouds_text(polygons: list[Any]) -> str:
    def ring(points: list[tuple[float, float]]) -> str:
        listed = " ".join(f"{x:.0f} {y:.0f}" for x, y in points)
        return (
            f'<gml:LinearRing><gml:posList srsDimension="2">{listed}</gml:posList></gml:LinearRing>'
        )

    features = "".join(
        f'<eop:MaskFeature gml:id="OPAQUE.{index}"><eop:maskType>OPAQUE</eop:maskType>'
        f"<eop:extentOf><gml:Polygon><gml:exterior>{ring(rings[0])}</gml:exterior>"
        + "".join(f"<gml:interior>{ring(hole)}</gml:interior>" for hole in rings[1:])
        + "</gml:Polygon></eop:extentOf></eop:MaskFeature>"
        for index, rings in enumerate(polygons)
    )
    members = f"<eop:maskMembers>{features}</eop:maskMembers>" if features else ""
    return _pretty(
        '<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" '
        'xmlns:gml="http://www.opengis.net/gml/3.2">',
        f'<gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7:{CRS[5:]}"/>'
        "</gml:boundedBy>",
        f"{members}</eop:Mask>",
    )


def _time(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.024Z"


def _pretty(*lines: str) -> str:
    head = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    return "\n".join([head, *filter(None, lines), ""]).replace("><", ">\n<")
