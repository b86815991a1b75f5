"""Plain raster files as a scene: what their names, descriptions and tags say."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import PurePosixPath

import numpy as np
import xarray as xr

from strandline.errors import MissingBandError, SceneError, UnknownProductError
from strandline.paths import split_subdataset
from strandline.scenes.cache import local_copy
from strandline.scenes.header import RasterHeader, read_header
from strandline.scenes.identifiers import ProductName, parse_product_name
from strandline.scenes.layers import DATASET_MASK, Layer, flags_of_layer, layer_of, valid_pixels
from strandline.scenes.patterns import MatchedFile
from strandline.scenes.quality import merge_flags, quality_flags
from strandline.scenes.raster import finest_header, lazy_bands
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import COLLECTION_1_SATURATED, Factors, published_factors
from strandline.scenes.scene import Stored, left_out
from strandline.scenes.selection import UNNAMED, pick, wanted_bands
from strandline.scenes.sensors import (
    Sensor,
    band_name,
    find_sensor,
    names_apart,
    names_by_count,
)
from strandline.scenes.sentinel.factors import SATURATED as MSI_SATURATED
from strandline.scenes.sentinel.factors import msi_factors
from strandline.scenes.storage import is_url
from strandline.scenes.tiles import Tiling, lazy_tiles, tiling_of

ALPHA = "alpha"

# Surface reflectance of each collection.
_STORED_AS = {"01": "int16", "02": "uint16", "hls": "int16", "ga": "int16"}


@dataclass(frozen=True)
class _Band:
    """One layer of one of the files.

    Attributes
    ----------
    header, index
        Where it is.
    name : str
        Common name, if there is one.
    written : str
        As the file calls it.
    layer : Layer
    of : RasterHeader or None
        Of a mask: the file whose bands it masks; None for those of all files.
    """

    header: RasterHeader
    index: int
    name: str
    written: str
    layer: Layer
    of: RasterHeader | None = None


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
        If nothing says: one per band of all files. An alpha band at the end of a file may go
        without.

    Returns
    -------
    Stored
        Of the bands that were asked for, or those that are spectra. Masks and quality bands in
        the same files, or beside them, say where they are valid.

    Raises
    ------
    MissingBandError
        If bands cannot be named, or one is asked for that is not there.
    UnknownProductError
        If the files are of several products.
    """
    headers = [_header(file.url, asked).with_mask() for file in files]
    product = _product(files, source)
    sensor = _sensor(asked.platform, product, headers[0])
    tiling = tiling_of(headers)
    named = slice(1) if tiling else slice(None)  # all tiles have the same bands
    found = _named(files[named], headers[named], band_names, sensor, source)
    used = _chosen(found, asked, sensor, source)
    kept = list({id(band.header): band.header for band in used}.values())
    if product is None and not tiling:
        found += _masks_beside(files, headers, kept, asked)
    read = _Reader(kept, asked, tiling)
    values = read.bands(used)
    names = [band.name for band in used]
    quality, told = _quality(found, read, sensor, names)
    spared = {*names, *told, *(band.written for band in found if band.layer.role == "mask")}
    left = [band.written for band in found if not {band.name, band.written} & spared]
    return Stored(
        values=values.assign_coords(band=names),
        factors=tuple(
            _factors(band, nodata, product, asked.mask)
            for band, nodata in zip(used, values.attrs["nodata"], strict=True)
        ),
        source=source,
        sensor=sensor,
        level=product.level if product else None,
        time=product.acquired if product else _tagged(headers[0], "time", "datetime", "date"),
        quality=quality,
        valid=_valid(used, found, read),
        extra=_made_alike(product) | (left_out(left) if asked.bands is None else {}),
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


def _header(url: str, asked: ReadOptions) -> RasterHeader:
    options = asked.storage_options
    place = local_copy(url, storage_options=options, cache=asked.cache)
    return read_header(place, storage_options=options)


def _chosen(
    found: Sequence[_Band], asked: ReadOptions, sensor: Sensor | None, source: str
) -> list[_Band]:
    """Pick the bands of the scene: those asked for, or those that are spectra."""
    own = [band for band in found if band.written != DATASET_MASK]
    spectra = [band for band in own if band.layer.role == "band"]
    if asked.bands is None and spectra:
        own = spectra
    names = [band.name for band in own]
    chosen = wanted_bands(names, asked, sensor, source, [band.written for band in own])
    return [own[names.index(name)] for name in chosen]


class _Reader:
    """Layers of the files of a scene, lazily and on the grid of its bands."""

    def __init__(
        self, kept: Sequence[RasterHeader], asked: ReadOptions, tiling: Tiling | None
    ) -> None:
        self._kept, self._asked, self._tiling = kept, asked, tiling
        self._grid = kept[finest_header(kept)]

    def bands(self, used: Sequence[_Band]) -> xr.DataArray:
        """Read the bands of the scene; ``nodata`` of the attributes is theirs."""
        # A file with several bands comes whole; what is not asked for is never computed.
        values = self._lazy(self._kept)
        starts = np.cumsum([0, *(header.count for header in self._kept)]).tolist()
        first = {id(header): start for header, start in zip(self._kept, starts, strict=False)}
        order = [first[id(band.header)] + band.index for band in used]
        nodata = [values.attrs["nodata"][index] for index in order]
        return pick(values, order).assign_attrs(nodata=nodata)

    def plane(self, band: _Band) -> xr.DataArray:
        """Read one layer, of these or of another file."""
        return self._lazy([band.header]).isel(band=band.index, drop=True)

    def _lazy(self, headers: Sequence[RasterHeader]) -> xr.DataArray:
        names = [str(number) for number in range(sum(header.count for header in headers))]
        if self._tiling is not None:
            return lazy_tiles(
                self._tiling,
                band_names=names,
                chunks=self._asked.chunks,
                storage_options=self._asked.storage_options,
            )
        return lazy_bands(
            headers,
            band_names=names,
            chunks=self._asked.chunks,
            storage_options=self._asked.storage_options,
            nested=True,
            onto=self._grid,
        )


def _quality(
    found: Sequence[_Band], read: _Reader, sensor: Sensor | None, names: Sequence[str]
) -> tuple[xr.DataArray | None, list[str]]:
    """Read the quality bands whose numbers have a meaning; give their names too."""
    flags, told = [], []
    for band in found:
        if band.layer.role == "quality" and band.name not in names:
            these = flags_of_layer(band.layer.kind, read.plane(band), sensor, names)
            if these is not None:
                flags.append(these)
                told.append(band.name)
    return (merge_flags(*flags) if flags else None), told


def _valid(used: Sequence[_Band], found: Sequence[_Band], read: _Reader) -> xr.DataArray | None:
    """Read where the masks say that each of the bands is valid; None without any."""
    masks = [band for band in found if band.layer.role == "mask" and band not in used]
    of_bands = [
        tuple(mask for mask in masks if mask.of is None or mask.of is band.header) for band in used
    ]
    if not any(of_bands):
        return None
    planes = {
        id(mask): valid_pixels(read.plane(mask), mask.layer.kind)
        for mask in masks
        if any(mask in those for those in of_bands)
    }
    whole = xr.ones_like(next(iter(planes.values())))
    each = [
        reduce(operator.and_, (planes[id(mask)] for mask in those), whole) for those in of_bands
    ]
    if all(those == of_bands[0] for those in of_bands):
        each = each[:1]
    return xr.concat(each, dim="band", join="override", combine_attrs="drop")


def _masks_beside(
    files: Sequence[MatchedFile],
    headers: Sequence[RasterHeader],
    kept: Sequence[RasterHeader],
    asked: ReadOptions,
) -> list[_Band]:
    """Look for ``.msk`` files beside remote ones; GDAL finds those beside local files itself."""
    masks = []
    for file, header in zip(files, headers, strict=True):
        if not is_url(file.url) or header.masked or not any(header is one for one in kept):
            continue
        if not file.url.lower().endswith((".tif", ".tiff")):
            continue
        try:
            mask = _header(file.url + ".msk", asked)
        except SceneError:
            continue
        # It says nothing of where it lies but by its name.
        placed = replace(mask, transform=header.transform, crs=header.crs)
        masks += [
            _Band(placed, index, DATASET_MASK, DATASET_MASK, Layer("mask"), of=header)
            for index in range(placed.count)
        ]
    return masks


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
    """Name all layers, and find out what each of them is."""
    written = _given(headers, given) if given is not None else None
    if written is None:
        written = [
            _names_of(file, header, sensor, alone=len(files) == 1)
            for file, header in zip(files, headers, strict=True)
        ]
    texts = [text for of_file in written for text in of_file]
    places = [(header, index) for header in headers for index in range(header.count)]
    names = [
        text if given is None and _is_position(text, index + 1) else band_name(text, sensor) or text
        for text, (_, index) in zip(texts, places, strict=False)
    ]
    if given is None:
        names = names_apart(names, texts)
    own = [name for name in names if name != DATASET_MASK]
    if len(headers) > 1 and given is None and len(set(own)) == _own_count(headers[0]) > 1:
        raise UnknownProductError(
            f"{source!r} names several rasters with the same bands.",
            expected="the files of one scene",
            got=f"{len(headers)} rasters with {', '.join(own[: _own_count(headers[0])])}",
            remedy=f"Open one of them by its own path: {files[0].url!r}.",
        )
    if len(own) != sum(map(_own_count, headers)) or not all(own) or len(set(own)) < len(own):
        raise _unnamed(headers, own, given, sensor, source)
    layers = [layer_of(text, sensor, product=source) for text in texts]
    with_bands = {
        id(place[0]) for place, layer in zip(places, layers, strict=True) if layer.role == "band"
    }
    return [
        _Band(header, index, name, text, layer, header if id(header) in with_bands else None)
        for (header, index), name, text, layer in zip(places, names, texts, layers, strict=True)
    ]


def _own_count(header: RasterHeader) -> int:
    """Count the bands of a file itself, without the mask that GDAL keeps for it."""
    return header.count - header.masked


def _unnamed(
    headers: Sequence[RasterHeader],
    names: Sequence[str],
    given: Sequence[str] | None,
    sensor: Sensor | None,
    source: str,
) -> MissingBandError:
    known = names if given is None else [str(name) for name in given]
    alpha = " Call the one that masks alpha." if any(map(_alphas, headers)) else ""
    return MissingBandError(
        f"The bands of {source!r} cannot be named.",
        expected=f"{sum(map(_own_count, headers))} different names",
        got=", ".join(name or "?" for name in known) if any(known) else "none in the file",
        remedy="Pass band_names=[…] with a name for each, in this order"
        + (", or platform=… if the numbers are a sensor's." if sensor is None else ".")
        + alpha,
    )


def _given(headers: Sequence[RasterHeader], given: Sequence[str]) -> list[list[str]]:
    """Share the caller's names among the files; none for an alpha band that ends its file."""
    names = [str(name) for name in given]
    counts = [_own_count(header) for header in headers]
    last = [_alphas(header) == [count - 1] for header, count in zip(headers, counts, strict=True)]
    without = len(names) == sum(counts) - sum(last)
    shared = []
    for header, count, alpha in zip(headers, counts, last, strict=True):
        size = count - (alpha and without)
        own, names = names[:size], names[size:]
        own += [ALPHA] if alpha and without else []
        shared.append([*own, *([DATASET_MASK] if header.masked else [])])
    if names:
        shared[-1] = [*shared[-1], *names]  # too many: said with all others that do not fit
    return shared


def _alphas(header: RasterHeader) -> list[int]:
    """List the bands whose colour interpretation is alpha."""
    return [index for index, colour in enumerate(header.colours) if colour == ALPHA]


def _names_of(
    file: MatchedFile, header: RasterHeader, sensor: Sensor | None, *, alone: bool
) -> list[str]:
    """Names of a file's layers, empty where nothing says."""
    mask = [DATASET_MASK] if header.masked else []
    count = _own_count(header)
    if count > 1:
        return _names_of_several(header, count, sensor) + mask
    field = file.fields.get("band")
    if field is not None:
        numbered = f"B{field}" if str(field).isdigit() else str(field)
        known = band_name(numbered, sensor) or ("" if str(field).isdigit() else str(field))
        return [known, *mask]
    described = header.descriptions[0] or ""
    inner = split_subdataset(header.url)
    if inner and inner[2].strip('"'):
        return [described or re.split(r"[:/]", inner[2].strip('":/'))[-1], *mask]
    stem = PurePosixPath(header.url.replace("\\", "/")).stem
    last = re.split(r"[_.\-\s]", stem)[-1]
    for text in (described, stem, last):
        if band_name(text, sensor):
            return [text, *mask]
    for text in (described, stem, last):
        # Beside bands, a file of something else is named by what it is.
        if text and not alone and layer_of(text, sensor).role != "band":
            return [text, *mask]
    return ["", *mask]


def _names_of_several(header: RasterHeader, count: int, sensor: Sensor | None) -> list[str]:
    described = header.descriptions[:count]
    alphas = _alphas(header)
    if not any(described):
        # In a file of more than four bands, GDAL calls the fourth alpha where nobody said so.
        ends = alphas == [count - 1]
        own = count - ends
        names = names_by_count(own, sensor) if sensor is not None else None
        return [*(names or [""] * own), *([ALPHA] if ends else [])]
    return [
        ALPHA
        if index in alphas and (not text or _is_position(text, index + 1))
        else text or f"Band {index + 1}"
        for index, text in enumerate(described)
    ]


def _is_position(text: str, position: int) -> bool:
    """Whether a name is GDAL's default for a band that nobody named, and no sensor's number."""
    generic = UNNAMED.match(text)
    return generic is not None and int(generic[1]) == position


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
