"""Plain raster files as a scene: what their names, descriptions and tags say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from strandline.errors import MissingBandError, UnknownProductError
from strandline.paths import split_subdataset
from strandline.scenes.cache import local_copy
from strandline.scenes.header import RasterHeader, read_header
from strandline.scenes.identifiers import ProductName, parse_product_name
from strandline.scenes.patterns import MatchedFile
from strandline.scenes.quality import quality_flags
from strandline.scenes.raster import lazy_bands
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import COLLECTION_1_SATURATED, Factors, published_factors
from strandline.scenes.scene import Stored
from strandline.scenes.selection import UNNAMED, pick, wanted_bands
from strandline.scenes.sensors import Sensor, band_name, find_sensor, names_apart
from strandline.scenes.sentinel.factors import SATURATED as MSI_SATURATED
from strandline.scenes.sentinel.factors import msi_factors
from strandline.scenes.tiles import lazy_tiles, tiling_of

# Surface reflectance of each collection.
_STORED_AS = {"01": "int16", "02": "uint16", "hls": "int16", "ga": "int16"}


@dataclass(frozen=True)
class _Band:
    """One band of one of the files."""

    header: RasterHeader
    index: int
    name: str


def read_files(
    files: Sequence[MatchedFile],
    asked: ReadOptions,
    *,
    source: str,
    band_names: Sequence[str] | None = None,
) -> Stored:
    """Read plain raster files of one scene.

    Parameters
    ----------
    files : sequence of MatchedFile
        With one or more bands each.
    asked : ReadOptions
        Files are left alone whose bands it does not ask for; where reflectance is asked for,
        thermal bands are of no use; where saturated pixels are masked, the numbers that mark
        them stand for no value.
    source : str
        What they were asked for as.
    band_names : sequence of str, optional
        If nothing says: one per band of all files.

    Returns
    -------
    Stored

    Raises
    ------
    MissingBandError
        If bands cannot be named, or one is asked for that is not there.
    UnknownProductError
        If the files are of several products.
    """
    options = asked.storage_options
    headers = [
        read_header(
            local_copy(file.url, storage_options=options, cache=asked.cache),
            storage_options=options,
        )
        for file in files
    ]
    product = _product(files, source)
    sensor = _sensor(asked.platform, product, headers[0])
    tiling = tiling_of(headers)
    named = slice(1) if tiling else slice(None)  # all tiles have the same bands
    found = _named(files[named], headers[named], band_names, sensor, source)
    chosen = wanted_bands([band.name for band in found], asked, sensor, source)
    used = [band for band in found if band.name in chosen]
    kept = list({id(band.header): band.header for band in used}.values())
    # A file with several bands comes whole; what is not asked for is never read.
    loaded = [band for header in kept for band in found if band.header is header]
    names = [band.name for band in loaded]
    if tiling:
        values = lazy_tiles(tiling, band_names=names, chunks=asked.chunks, storage_options=options)
    else:
        values = lazy_bands(
            kept, band_names=names, chunks=asked.chunks, storage_options=options, nested=True
        )
    order = [names.index(name) for name in chosen]
    return Stored(
        values=pick(values, order),
        factors=tuple(
            _factors(loaded[index], values.attrs["nodata"][index], product, asked.mask)
            for index in order
        ),
        source=source,
        sensor=sensor,
        level=product.level if product else None,
        time=product.acquired if product else _tagged(headers[0], "time", "datetime", "date"),
        extra=_made_alike(product),
    )


def _made_alike(product: ProductName | None) -> dict[str, str]:
    """Say of Sentinel-2's part of HLS that its bands have been brought to Landsat 8's already."""
    if product is None or product.collection != "hls" or product.sensor.instrument != "msi":
        return {}
    return {"harmonized_to": "oli", "harmonized_by": "HLS, as delivered"}


def with_quality(stored: Stored, quality: Mapping[str, MatchedFile], asked: ReadOptions) -> Stored:
    """Add the flags of a quality layer that lies beside band files.

    Parameters
    ----------
    stored : Stored
        The bands.
    quality : mapping of str to MatchedFile
        Kind of quality band to its file; empty where there is none.
    asked : ReadOptions

    Returns
    -------
    Stored

    Raises
    ------
    GridMismatchError
        If the layer does not lie on the bands.
    """
    for kind, file in quality.items():
        options = asked.storage_options
        header = read_header(
            local_copy(file.url, storage_options=options, cache=asked.cache),
            storage_options=options,
        )
        grid = stored.values.odc.geobox
        onto = replace(
            header, transform=grid.affine, height=grid.shape[0], width=grid.shape[1], url="bands"
        )
        layer = lazy_bands(
            [header],
            chunks=asked.chunks,
            storage_options=options,
            nested=True,
            onto=onto,
        )[0].drop_vars("band")
        instrument = stored.sensor.instrument if stored.sensor else None
        flags = quality_flags(layer, kind, instrument=instrument)
        if stored.values.chunks is not None:
            flags = flags.chunk(dict(zip(("y", "x"), stored.values.chunks[1:], strict=True)))
        stored = replace(stored, quality=flags.assign_coords(y=stored.values.y, x=stored.values.x))
    return stored


def _product(files: Sequence[MatchedFile], source: str) -> ProductName | None:
    found = {name.text: name for file in files if (name := parse_product_name(file.url))}
    if len(found) > 1:
        raise UnknownProductError(
            f"{source!r} names files of several scenes.",
            expected="files of one scene",
            got=f"{len(found)}: {', '.join(sorted(found)[:3])}",
            remedy="Open them one by one, and bring them together with stack_scenes(…).",
        )
    return next(iter(found.values()), None)


def _sensor(
    platform: str | None, product: ProductName | None, header: RasterHeader
) -> Sensor | None:
    if platform is not None:
        return find_sensor(platform)
    if product is not None and product.collection == "hls":
        # The name says which instrument; the files, on which of its platforms it was.
        made_of = _tagged(header, "landsat_product_id", "product_uri") or ""
        inner = parse_product_name(made_of)
        return inner.sensor if inner else product.sensor
    if product is not None:
        return product.sensor
    tagged = _tagged(header, "platform", "spacecraft_id", "sensor")
    try:
        return find_sensor(tagged) if tagged else None
    except UnknownProductError:
        return None


def _tagged(header: RasterHeader, *names: str) -> str | None:
    tags = {name.lower(): value for name, value in header.tags.items()}
    return next((tags[name] for name in names if tags.get(name)), None)


def _named(
    files: Sequence[MatchedFile],
    headers: Sequence[RasterHeader],
    given: Sequence[str] | None,
    sensor: Sensor | None,
    source: str,
) -> list[_Band]:
    places = [(header, index) for header in headers for index in range(header.count)]
    if given is not None:
        names = [band_name(str(name), sensor) or str(name) for name in given]
    else:
        names = [
            name
            for file, header in zip(files, headers, strict=True)
            for name in _names_of(file, header, sensor)
        ]
    if len(headers) > 1 and given is None and len(set(names)) == headers[0].count > 1:
        raise UnknownProductError(
            f"{source!r} names several rasters with the same bands.",
            expected="the files of one scene",
            got=f"{len(headers)} rasters with {', '.join(names[: headers[0].count])}",
            remedy=f"Open one of them by its own path: {files[0].url!r}.",
        )
    unknown = names.count("")
    if len(names) != len(places) or unknown or len(set(names)) < len(names):
        raise MissingBandError(
            f"The bands of {source!r} cannot be named.",
            expected=f"{len(places)} different names",
            got=", ".join(name or "?" for name in names) if any(names) else "none in the file",
            remedy="Pass band_names=[…] with a name for each, in this order"
            + (", or platform=… if the numbers are a sensor's." if sensor is None else "."),
        )
    return [_Band(header, index, name) for (header, index), name in zip(places, names, strict=True)]


def _names_of(file: MatchedFile, header: RasterHeader, sensor: Sensor | None) -> list[str]:
    """Names of a file's bands, empty where nothing says."""
    if header.count > 1:
        if not any(header.descriptions):
            return [""] * header.count
        names = [
            _described(text, position, sensor)
            for position, text in enumerate(header.descriptions, start=1)
        ]
        return names_apart(names, header.descriptions)
    field = file.fields.get("band")
    if field is not None:
        numbered = f"B{field}" if str(field).isdigit() else str(field)
        return [band_name(numbered, sensor) or ("" if str(field).isdigit() else str(field))]
    described = header.descriptions[0] or ""
    inner = split_subdataset(header.url)
    if inner and inner[2].strip('"'):
        described = described or re.split(r"[:/]", inner[2].strip('":/'))[-1]
        return [band_name(described, sensor) or described]
    stem = PurePosixPath(header.url.replace("\\", "/")).stem
    last = re.split(r"[_.\-\s]", stem)[-1]
    return [
        band_name(described, sensor) or band_name(stem, sensor) or band_name(last, sensor) or ""
    ]


def _described(text: str | None, position: int, sensor: Sensor | None) -> str:
    if not text:
        return f"Band {position}"
    generic = UNNAMED.match(text)
    if generic and int(generic[1]) == position:
        return text  # GDAL's default for a band that nobody named; no sensor's number
    return band_name(text, sensor) or text


def _factors(
    band: _Band, nodata: float | None, product: ProductName | None, reasons: Sequence[str]
) -> Factors:
    header, index = band.header, band.index
    scale, offset = header.scales[index], header.offsets[index]
    factors = Factors()
    if product is not None and header.dtype == _STORED_AS.get(product.collection or ""):
        factors = published_factors(product)
        if product.collection == "01" and factors.invalid and "saturated" in reasons:
            factors = replace(factors, invalid=(*factors.invalid, COLLECTION_1_SATURATED))
    if product is not None and product.baseline and header.url.lower().endswith(".jp2"):
        # An image as it was delivered. What someone made of it may have the offset taken out.
        factors = msi_factors(baseline=product.baseline)
        if "saturated" in reasons:
            factors = replace(factors, invalid=(*factors.invalid, MSI_SATURATED))
    if scale != 1 or offset != 0:
        factors = replace(factors, scale=scale, offset=offset)
    if nodata is not None:
        factors = replace(factors, invalid=tuple(sorted({*factors.invalid, float(nodata)})))
    return factors
