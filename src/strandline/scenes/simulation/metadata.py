"""The MTL file of a simulated product, with the groups of a real Collection-2 Level-2 one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from odc.geo.geobox import GeoBox
from pyproj import Transformer

from strandline.scenes.simulation.geography import CRS
from strandline.scenes.simulation.optics import PLATFORMS, Sun

ORIGIN = "Simulated by Strandline, not observed by a satellite"
PATH, ROW = 42, 33
# The archive was processed for Collection 2 in autumn 2020; later scenes within two weeks.
PROCESSED = dt.date(2020, 9, 17)

Value = str | int | float
Group = list[tuple[str, object]]

# Calibration of the stored numbers of Level 1, as real MTL files of these sensors print it:
# largest and smallest reflectance, and its factors, per band.
LEVEL1_TM = {
    "1": ("0.307410", "-0.002421", "1.2198E-03", "-0.003641"),
    "2": ("0.642515", "-0.004999", "2.5493E-03", "-0.007549"),
    "3": ("0.548623", "-0.002431", "2.1695E-03", "-0.004601"),
    "4": ("0.662443", "-0.004526", "2.6259E-03", "-0.007152"),
    "5": ("0.446141", "-0.005466", "1.7780E-03", "-0.007244"),
    "7": ("0.621237", "-0.005648", "2.4680E-03", "-0.008116"),
}
LEVEL1_OLI = {
    str(band): ("1.210700", "-0.099980", "2.0000E-05", "-0.100000") for band in range(1, 8)
}


@dataclass(frozen=True)
class Pass:
    """One pass of a satellite over the lake, as the MTL file tells it."""

    platform: str
    moment: dt.datetime
    sun: Sun

    @property
    def product(self) -> str:
        """Identifier of the product, in the form of the U.S. Geological Survey."""
        return self._identifier("L2SP")

    @property
    def level1(self) -> str:
        """Identifier of the Level-1 product that it would have been made from."""
        return self._identifier("L1TP")

    @property
    def processed(self) -> dt.date:
        """Day of processing; fixed by the day of acquisition, so that bytes repeat."""
        return max(PROCESSED, dt.date.fromordinal(self.moment.toordinal() + 14))

    def _identifier(self, level: str) -> str:
        code = PLATFORMS[self.platform].code
        return (
            f"{code}_{level}_{PATH:03d}{ROW:03d}_{self.moment:%Y%m%d}_{self.processed:%Y%m%d}_02_T1"
        )


def metadata_text(taken: Pass, grid: GeoBox, cloud_percent: float) -> str:
    """Write the MTL file.

    Parameters
    ----------
    taken : Pass
    grid : GeoBox
    cloud_percent : float
        Share of the observed pixels under clouds.

    Returns
    -------
    str
    """
    tm = PLATFORMS[taken.platform].sensor == "tm"
    numbers = list(LEVEL1_TM if tm else LEVEL1_OLI)
    groups: Group = [
        ("PRODUCT_CONTENTS", _contents(taken, numbers)),
        ("IMAGE_ATTRIBUTES", _image(taken, cloud_percent, numbers, tm=tm)),
        ("PROJECTION_ATTRIBUTES", _projection(grid)),
        ("LEVEL2_PROCESSING_RECORD", _level2_record(taken, tm=tm)),
        ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", _surface_reflectance(numbers)),
        ("LEVEL1_PROCESSING_RECORD", _level1_record(taken)),
        *_level1_calibration(LEVEL1_TM if tm else LEVEL1_OLI, largest=255 if tm else 65535),
        ("LEVEL1_PROJECTION_PARAMETERS", _map(grid)),
    ]
    lines = list(_lines([("LANDSAT_METADATA_FILE", groups)], 0))
    return "\n".join([*lines, "END", ""])


def _lines(groups: Iterable[tuple[str, object]], depth: int) -> Iterable[str]:
    indent = "  " * depth
    for name, value in groups:
        if isinstance(value, list):
            yield f"{indent}GROUP = {name}"
            yield from _lines(value, depth + 1)
            yield f"{indent}END_GROUP = {name}"
        else:
            yield f"{indent}{name} = {value}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _contents(taken: Pass, numbers: list[str]) -> Group:
    product = taken.product
    kinds = {
        **{f"BAND_{n}": f"SR_B{n}.TIF" for n in numbers},
        "QUALITY_L1_PIXEL": "QA_PIXEL.TIF",
        "QUALITY_L1_RADIOMETRIC_SATURATION": "QA_RADSAT.TIF",
    }
    return [
        ("ORIGIN", _quoted(ORIGIN)),
        ("LANDSAT_PRODUCT_ID", _quoted(product)),
        ("PROCESSING_LEVEL", _quoted("L2SP")),
        ("COLLECTION_NUMBER", "02"),
        ("COLLECTION_CATEGORY", _quoted("T1")),
        ("OUTPUT_FORMAT", _quoted("GEOTIFF")),
        *((f"FILE_NAME_{kind}", _quoted(f"{product}_{end}")) for kind, end in kinds.items()),
        ("FILE_NAME_METADATA_ODL", _quoted(f"{product}_MTL.txt")),
        *((f"DATA_TYPE_{kind}", _quoted("UINT16")) for kind in kinds),
    ]


def _image(taken: Pass, cloud_percent: float, numbers: list[str], *, tm: bool) -> Group:
    quality: Group = [("IMAGE_QUALITY", 9)] if tm else [("IMAGE_QUALITY_OLI", 9)]
    return [
        ("SPACECRAFT_ID", _quoted(taken.platform.replace("-", "_").upper())),
        ("SENSOR_ID", _quoted("TM" if tm else "OLI_TIRS")),
        ("WRS_TYPE", 2),
        ("WRS_PATH", f"{PATH:03d}"),
        ("WRS_ROW", f"{ROW:03d}"),
        ("DATE_ACQUIRED", f"{taken.moment:%Y-%m-%d}"),
        ("SCENE_CENTER_TIME", _quoted(f"{taken.moment:%H:%M:%S}.0000000Z")),
        ("CLOUD_COVER", f"{cloud_percent:.2f}"),
        ("CLOUD_COVER_LAND", f"{cloud_percent:.2f}"),
        *quality,
        *((f"SATURATION_BAND_{n}", _quoted("N")) for n in numbers),
        ("SUN_AZIMUTH", f"{taken.sun.azimuth:.8f}"),
        ("SUN_ELEVATION", f"{taken.sun.elevation:.8f}"),
        ("EARTH_SUN_DISTANCE", f"{taken.sun.distance:.7f}"),
    ]


def _map(grid: GeoBox) -> Group:
    cell = f"{grid.resolution.x:.2f}"
    return [
        ("MAP_PROJECTION", _quoted("UTM")),
        ("DATUM", _quoted("WGS84")),
        ("ELLIPSOID", _quoted("WGS84")),
        ("UTM_ZONE", 11),
        ("GRID_CELL_SIZE_REFLECTIVE", cell),
        ("ORIENTATION", _quoted("NORTH_UP")),
        ("RESAMPLING_OPTION", _quoted("NONE")),
    ]


def _projection(grid: GeoBox) -> Group:
    lines: Group = [("REFLECTIVE_LINES", grid.height), ("REFLECTIVE_SAMPLES", grid.width)]
    last_row, last_col = grid.height - 1, grid.width - 1
    corners = {"UL": (0, 0), "UR": (0, last_col), "LL": (last_row, 0), "LR": (last_row, last_col)}
    # Corners are given at the centres of the corner pixels.
    places = {name: grid.transform * (col + 0.5, row + 0.5) for name, (row, col) in corners.items()}
    degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform
    named: Group = []
    for name, (x, y) in places.items():
        lon, lat = degrees(x, y)
        named += [
            (f"CORNER_{name}_LAT_PRODUCT", f"{lat:.5f}"),
            (f"CORNER_{name}_LON_PRODUCT", f"{lon:.5f}"),
        ]
    for name, (x, y) in places.items():
        named += [
            (f"CORNER_{name}_PROJECTION_X_PRODUCT", f"{x:.3f}"),
            (f"CORNER_{name}_PROJECTION_Y_PRODUCT", f"{y:.3f}"),
        ]
    head = [pair for pair in _map(grid) if pair[0] not in ("ORIENTATION", "RESAMPLING_OPTION")]
    return [*head, *lines, ("ORIENTATION", _quoted("NORTH_UP")), *named]


def _level2_record(taken: Pass, *, tm: bool) -> Group:
    return [
        ("ORIGIN", _quoted(ORIGIN)),
        ("REQUEST_ID", _quoted("L2")),
        ("LANDSAT_PRODUCT_ID", _quoted(taken.product)),
        ("PROCESSING_LEVEL", _quoted("L2SP")),
        ("OUTPUT_FORMAT", _quoted("GEOTIFF")),
        ("DATE_PRODUCT_GENERATED", f"{taken.processed:%Y-%m-%d}T00:00:00Z"),
        ("PROCESSING_SOFTWARE_VERSION", _quoted("simulated")),
        ("ALGORITHM_SOURCE_SURFACE_REFLECTANCE", _quoted("LEDAPS_3.4.0" if tm else "LaSRC_1.5.0")),
    ]


def _surface_reflectance(numbers: list[str]) -> Group:
    return [
        *(
            (f"REFLECTANCE_{end}_BAND_{n}", value)
            for n in numbers
            for end, value in (("MAXIMUM", "1.602213"), ("MINIMUM", "-0.199972"))
        ),
        *(
            (f"QUANTIZE_CAL_{end}_BAND_{n}", value)
            for n in numbers
            for end, value in (("MAX", 65535), ("MIN", 1))
        ),
        *((f"REFLECTANCE_MULT_BAND_{n}", "2.75e-05") for n in numbers),
        *((f"REFLECTANCE_ADD_BAND_{n}", "-0.2") for n in numbers),
    ]


def _level1_record(taken: Pass) -> Group:
    return [
        ("ORIGIN", _quoted(ORIGIN)),
        ("REQUEST_ID", _quoted("L2")),
        ("LANDSAT_PRODUCT_ID", _quoted(taken.level1)),
        ("PROCESSING_LEVEL", _quoted("L1TP")),
        ("COLLECTION_CATEGORY", _quoted("T1")),
        ("OUTPUT_FORMAT", _quoted("GEOTIFF")),
        ("DATE_PRODUCT_GENERATED", f"{taken.processed:%Y-%m-%d}T00:00:00Z"),
        ("PROCESSING_SOFTWARE_VERSION", _quoted("simulated")),
    ]


def _level1_calibration(bands: dict[str, tuple[str, str, str, str]], *, largest: int) -> Group:
    """Scaling of Level 1: not that of these files, as in a real Level-2 MTL file."""
    limits: Group = []
    numbers: Group = []
    rescaling: Group = []
    for n, (high, low, _, _) in bands.items():
        limits += [
            (f"REFLECTANCE_MAXIMUM_BAND_{n}", high),
            (f"REFLECTANCE_MINIMUM_BAND_{n}", low),
        ]
        numbers += [(f"QUANTIZE_CAL_MAX_BAND_{n}", largest), (f"QUANTIZE_CAL_MIN_BAND_{n}", 1)]
    rescaling += [(f"REFLECTANCE_MULT_BAND_{n}", mult) for n, (_, _, mult, _) in bands.items()]
    rescaling += [(f"REFLECTANCE_ADD_BAND_{n}", add) for n, (_, _, _, add) in bands.items()]
    return [
        ("LEVEL1_MIN_MAX_REFLECTANCE", limits),
        ("LEVEL1_MIN_MAX_PIXEL_VALUE", numbers),
        ("LEVEL1_RADIOMETRIC_RESCALING", rescaling),
    ]
