"""What a Sentinel-2 product is: its images by band and pixel size, its factors, its tile."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from affine import Affine

from strandline.errors import (
    GridMismatchError,
    MetadataError,
    MissingBandError,
    UnknownProductError,
)
from strandline.paths import local_path
from strandline.scenes.cache import Cache
from strandline.scenes.patterns import MatchedFile
from strandline.scenes.reflectance import Factors
from strandline.scenes.sensors import Sensor, band_name, find_sensor
from strandline.scenes.sentinel.factors import has_offset, msi_factors
from strandline.scenes.sentinel.metadata import (
    ProductMetadata,
    TileMetadata,
    parse_product,
    parse_tile,
)
from strandline.scenes.sentinel.safe import SafeFiles, list_safe
from strandline.scenes.storage import is_companion, is_url

_IMAGE = re.compile(
    r"_(?P<what>B\d[\dA]|SCL)(_L2A_T\d\d[A-Z]{3})?(_(?P<size>[126]0)m)?(\.jp2)?$", re.IGNORECASE
)
_GRANULE = re.compile(r"(?:^|/)GRANULE/(?P<granule>[^/]+)/", re.IGNORECASE)
_BAND_FILE = re.compile(r"\.(jp2|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class SafeProduct:
    """One tile of a product.

    Parameters
    ----------
    files : SafeFiles
    metadata : ProductMetadata
    tile : TileMetadata or None
        None where its XML file is missing.
    images : dict
        Common name of a band to pixel size in metres to path inside the product.
    classes : dict
        Pixel size to path of the scene classification (Level 2A).
    clouds : str or None
        Path of the cloud mask (Level 1C): an image or, before baseline 04.00, polygons.
    """

    files: SafeFiles
    metadata: ProductMetadata
    tile: TileMetadata | None
    images: dict[str, dict[int, str]]
    classes: dict[int, str]
    clouds: str | None

    @property
    def sensor(self) -> Sensor:
        """Platform, instrument and bands."""
        return self.metadata.sensor

    def places(self) -> list[str]:
        """Paths or URLs of all files that may be read for a scene."""
        names = {self.files.metadata, *self.classes.values()}
        names |= {name for sizes in self.images.values() for name in sizes.values()}
        names |= {name for name in (self.clouds, self.tile and self.tile.source) if name}
        return sorted(self.files.place(name) for name in names)


def describe_safe(
    source: str | Path,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = None,
) -> SafeProduct:
    """Find out what a product is.

    Parameters
    ----------
    source : str or Path
    storage_options : mapping, optional
    cache : bool or path-like, optional
        As for :func:`strandline.scenes.sentinel.safe.list_safe`.

    Returns
    -------
    SafeProduct

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, UnknownProductError
        If it is missing, damaged, no product, or several tiles.
    MetadataError
        If its XML files cannot be used.
    """
    files = list_safe(str(source), storage_options, cache)
    metadata = parse_product(files.text(files.metadata), files.metadata)
    names = _images_on_server(files, metadata) if files.remote else list(files.names)
    names = _of_one_tile(files, names)
    tile_name = _tile_metadata(files, names)
    tile = parse_tile(files.text(tile_name), tile_name) if tile_name else None
    if tile is not None and tile.level != metadata.level:
        raise MetadataError(
            f"The metadata files of {files.source!r} contradict each other about its level.",
            expected=f"{metadata.level}, as {metadata.source!r} says",
            got=f"{tile.level} in {tile.source!r}",
        )
    images: dict[str, dict[int, str]] = {}
    classes: dict[int, str] = {}
    for name in names:
        match = _IMAGE.search(name)
        if match is None:
            continue
        size = int(match["size"] or 0)
        if match["what"].upper() == "SCL":
            classes[size or 20] = name
            continue
        band = metadata.sensor.band(match["what"][1:])
        if band is not None and "/IMG_DATA/" in f"/{name}":
            images.setdefault(band.name, {})[size or band.resolution] = name
    return SafeProduct(
        files=files,
        metadata=metadata,
        tile=tile,
        images=metadata.sensor.in_order(images),
        classes=classes,
        clouds=_clouds(files, names, tile),
    )


def _images_on_server(files: SafeFiles, metadata: ProductMetadata) -> list[str]:
    """Paths that the product's XML file tells, with the extension that it leaves out."""
    for name in metadata.images:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts or "://" in name:
            raise MetadataError(
                f"{metadata.source!r} names a file outside of the product.",
                expected="paths inside the product",
                got=repr(name),
                remedy="Do not trust it.",
            )
    if not all(_GRANULE.search(name) for name in metadata.images):
        raise UnknownProductError(
            f"The files of {files.source!r} cannot be found on the server.",
            expected="their paths in the product's XML file, as products since 2016 have them",
            got="names alone",
            remedy="Download the product.",
        )
    return [f"{name}.jp2" for name in metadata.images]


def _of_one_tile(files: SafeFiles, names: Sequence[str]) -> list[str]:
    of = {name: match["granule"] for name in names if (match := _GRANULE.search(name))}
    granules = sorted(set(of.values()))
    wanted = files.granule
    if wanted is None and len(granules) > 1:
        raise UnknownProductError(
            f"The product {files.source!r} holds several tiles.",
            expected="one tile",
            got=f"{len(granules)}: {', '.join(granules[:3])}{', …' if len(granules) > 3 else ''}",
            remedy="Open each by its own folder below GRANULE, and bring them together with "
            "stack_scenes(…)."
            if files.archive is None
            else "Unpack it, and open each by its own folder below GRANULE.",
        )
    return [name for name in names if wanted in (None, of.get(name))]


def _tile_metadata(files: SafeFiles, names: Sequence[str]) -> str | None:
    if files.remote:
        match = _GRANULE.search(names[0]) if names else None
        return f"{names[0][: match.end()]}MTD_TL.xml" if match else None
    found = [name for name in names if name.lower().endswith(".xml")]
    return found[0] if found else None


def _clouds(files: SafeFiles, names: Sequence[str], tile: TileMetadata | None) -> str | None:
    """Cloud mask of Level 1C: the image that replaced the polygons, or else these."""
    for kind, ending in (("MSK_CLASSI", ".jp2"), ("MSK_CLOUDS", ".gml")):
        if files.remote:
            # The tile's XML file gives the path from the product's root.
            written = (tile.masks if tile else {}).get(kind, "")
            if written.lower().endswith(ending) and ".." not in PurePosixPath(written).parts:
                return written
        for name in names:
            if kind in name and name.lower().endswith(ending):
                return name
    return None


# --- what to read -------------------------------------------------------------------


def choose_images(
    product: SafeProduct, names: Sequence[str], resolution: float | None
) -> tuple[list[str], int]:
    """Choose one image per band, and the pixel size of the scene.

    Parameters
    ----------
    product : SafeProduct
    names : sequence of str
        Common names of bands.
    resolution : float or None
        Pixel size asked for, in metres; None for the finest of these bands as they were measured.

    Returns
    -------
    list of str, int
        Paths inside the product, and metres.

    Raises
    ------
    GridMismatchError
        If a band has larger pixels only in finer images than asked for.
    """
    native = {band.name: band.resolution for band in product.sensor.bands}
    chosen: list[str] = []
    sizes: list[int] = []
    for name in names:
        there = product.images[name]
        measured = native[name] if native[name] in there else min(there)
        size = measured if resolution is None or resolution not in there else int(resolution)
        if resolution is not None and size < resolution:
            raise GridMismatchError(
                f"{product.files.source!r} has no image of {name!r} with {resolution:g} m pixels.",
                expected=f"an image of {resolution:g} m or coarser",
                got=", ".join(f"{size} m" for size in sorted(there)),
                remedy="Leave resolution out, and average the finer pixels with "
                "regrid(scene, grid, resampling='average').",
            )
        chosen.append(there[size])
        sizes.append(size)
    return chosen, int(resolution) if resolution is not None else min(sizes)


def grid_image(product: SafeProduct, resolution: int) -> str:
    """Find an image whose pixels have the scene's size.

    Raises
    ------
    GridMismatchError
        If the product has none.
    """
    for sizes in product.images.values():
        if resolution in sizes:
            return sizes[resolution]
    there = sorted({size for sizes in product.images.values() for size in sizes})
    raise GridMismatchError(
        f"{product.files.source!r} has no grid of {resolution:g} m pixels.",
        expected=f"one of {', '.join(f'{size} m' for size in there)}",
        got=f"resolution={resolution:g}",
        remedy="Open it on one of these, and use regrid(…).",
    )


def safe_factors(
    product: SafeProduct, names: Sequence[str], *, mask: Sequence[str]
) -> list[Factors]:
    """Find how the product's numbers become reflectance, from its XML file.

    Parameters
    ----------
    product : SafeProduct
    names : sequence of str
        Common names of bands.
    mask : sequence of str
        Whether the number that marks saturation stands for no value.

    Returns
    -------
    list of Factors

    Raises
    ------
    MetadataError
        If offsets are missing that the processing baseline promises, or for one of the bands.
    """
    metadata = product.metadata
    if not metadata.offsets and has_offset(metadata.baseline):
        raise MetadataError(
            f"{metadata.source!r} contradicts itself about offsets.",
            expected=f"those of processing baseline {metadata.baseline}, band by band",
            got="none",
            remedy="The file may be cut: fetch it again. If you know the factors, pass scale=1e-4 "
            "with offset=-0.1 or offset=0.",
        )
    found = []
    for name in names:
        number = product.sensor.number(name) or ""
        if metadata.offsets and number not in metadata.offsets:
            raise MetadataError(
                f"{metadata.source!r} has no offset for band {number}.",
                expected="one for each band, or none at all",
                got=f"offsets for {', '.join(metadata.offsets)}",
            )
        factor = msi_factors(
            quantification=metadata.quantification, add_offset=metadata.offsets.get(number, 0.0)
        )
        found.append(Factors(factor.scale, factor.offset, invalid_numbers(product, mask)))
    return found


def invalid_numbers(product: SafeProduct, mask: Sequence[str]) -> tuple[float, ...]:
    """List the stored numbers that stand for no value."""
    invalid = {product.metadata.nodata}
    if "saturated" in mask:
        invalid.add(product.metadata.saturated)
    return tuple(sorted(invalid))


def tile_transform(tile: TileMetadata, resolution: int) -> Affine:
    """Work out the transform of one of the tile's grids."""
    left, top = tile.corners[resolution]
    return Affine(resolution, 0.0, left, 0.0, -resolution, top)


def band_files(folder: str, platform: str | None) -> list[MatchedFile] | None:
    """Find the files of single Sentinel-2 bands in a plain folder, such as R10m of a product.

    Parameters
    ----------
    folder : str
        A folder of this machine.
    platform : str or None
        As the caller says it; names of files are not enough to know that ``B04.tif`` is red.

    Returns
    -------
    list of MatchedFile or None
        None if the platform is not a Sentinel-2, or there is no such file.

    Raises
    ------
    MissingBandError
        If a band is there more than once.
    """
    if platform is None or is_url(folder) or not local_path(folder).is_dir():
        return None
    try:
        sensor = find_sensor(platform)
    except UnknownProductError:
        return None  # said by whoever opens it
    if sensor.instrument != "msi":
        return None
    found: dict[str, list[str]] = {}
    for path in sorted(local_path(folder).iterdir()):
        if _BAND_FILE.search(path.name) and not is_companion(path.name) and path.is_file():
            name = band_name(path.stem, sensor)
            if name is not None:
                found.setdefault(name, []).append(str(path))
    several = {name: paths for name, paths in found.items() if len(paths) > 1}
    if several:
        name, paths = next(iter(several.items()))
        raise MissingBandError(
            f"The band {name!r} is more than once in {folder!r}.",
            expected="one file per band",
            got=", ".join(Path(path).name for path in paths[:4]),
            remedy="Pass the files to open as a list.",
        )
    return [MatchedFile(paths[0]) for paths in sensor.in_order(found).values()] or None
