"""Raster files that make one scene together: those of a folder or of a zip archive.

A folder is most often a product, which other modules read. Here are the other kinds that come as
many files: band files with a layer of quality classes in Harmonized Landsat and Sentinel-2 (HLS)
and in Geoscience Australia's analysis-ready data, exports that were cut into tiles, and plain
GeoTIFFs in a zip archive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from strandline.errors import UnknownProductError
from strandline.paths import local_path
from strandline.scenes.identifiers import parse_product_name
from strandline.scenes.landsat.naming import is_metadata
from strandline.scenes.patterns import MatchedFile, natural_order, without_companions
from strandline.scenes.sensors import band_name
from strandline.scenes.storage import is_companion, is_local
from strandline.scenes.zipped import zip_names, zip_place

_GEOTIFF = re.compile(r"\.(tiff?|gtiff?)$", re.IGNORECASE)
_LANDSAT_BAND = re.compile(
    r"_(?:(?:SR_|ST_|SR|BT_?|TA_?)?B\d{1,2}(?:_VCID_[12])?|sr_band\d|BQA|QA_PIXEL)\.TIFF?$",
    re.IGNORECASE,
)
# What Earth Engine appends to the names of an export's tiles: their first row and column.
_TILE = re.compile(r"^(?P<name>.*?)-?\d{10}-\d{10}\.tiff?$", re.IGNORECASE)

# HLS.L30.T11SLC.2017295T183214.v2.0.B04.tif, …Fmask.tif, …SZA.tif
_HLS = re.compile(r"HLS\.[LS]30\..*?\.v\d\.\d\.(?P<layer>\w+)(\.\w+)?\.tiff?$", re.IGNORECASE)
# ga_ls8c_nbart_3-2-1_090084_2020-06-01_final_band04.tif, ga_ls8c_oa_…_final_fmask.tif
_GA = re.compile(
    r"ga_(ls\d[tec]|s2[abc]m)_(?P<part>[a-z]+)_3-[^/]*?_\d{4}-\d\d-\d\d"
    r"(_(?:final|interim|provisional|nrt))?_(?P<layer>\w+?)\.tiff?$",
    re.IGNORECASE,
)
_GA_LAYER = re.compile(
    r"^((?P<part>nbart|nbar|lambertian|oa)_)?(?P<layer>band_?0?\d+a?|coastal\w*|blue|green|red|"
    r"red_?edge_?\d|nir(_\d)?|swir_?\d|fmask)$",
    re.IGNORECASE,
)
_CORRECTIONS = ("nbart", "nbar", "lambertian", "ard")
"""Of these versions of one band, the first is taken: corrected for the terrain too."""


def files_together(source: str) -> list[MatchedFile] | None:
    """List the rasters of a folder or zip archive that is one scene, but no product.

    Parameters
    ----------
    source : str
        Path on this machine: a folder, a zip archive, or the metadata of Geoscience Australia.

    Returns
    -------
    list of MatchedFile or None
        By name; None if it is none of the kinds that are known here.

    Raises
    ------
    UnknownProductError
        If it holds several scenes, naming a pattern or a path for each.
    UnreadableSourceError
        If an archive is damaged.
    """
    if not is_local(source):
        return None
    path = local_path(source)
    if path.is_dir():
        return _of_folder(path)
    if path.name.endswith(".odc-metadata.yaml") and path.is_file():
        return _of_folder(path.parent)
    if path.suffix.lower() == ".zip" and path.is_file():
        return _of_archive(path.absolute(), source)
    return None


def _of_folder(folder: Path) -> list[MatchedFile] | None:
    names = [p.name for p in folder.iterdir() if _GEOTIFF.search(p.name) and p.is_file()]
    rasters = sorted((name for name in names if not is_companion(name)), key=natural_order)
    ready = [name for name in rasters if _HLS.search(name) or _GA.search(name)]
    tiles = [match for name in rasters if (match := _TILE.match(name))]
    if ready:
        _check_single(ready, str(folder))
        return [MatchedFile(str(folder / name)) for name in ready]
    if len(tiles) > 1 and len(tiles) == len(rasters):
        stems = sorted({match["name"] for match in tiles})
        if len(stems) > 1:
            raise _several(str(folder), stems, [str(folder / f"{stem}-*.tif") for stem in stems])
        return [MatchedFile(str(folder / name)) for name in rasters]
    return None


def _of_archive(path: Path, source: str) -> list[MatchedFile] | None:
    names = zip_names(str(path), source)
    rasters = sorted((name for name in names if _GEOTIFF.search(name)), key=natural_order)
    landsat = [name for name in rasters if _LANDSAT_BAND.search(name) and parse_product_name(name)]
    if not rasters or landsat or any(is_metadata(name) for name in names):
        return None
    ready = [name for name in rasters if _HLS.search(name) or _GA.search(name)]
    _check_single(ready, source)
    return [MatchedFile(zip_place(str(path), name)) for name in ready or rasters]


def _check_single(ready: Sequence[str], source: str) -> None:
    """Refuse band files of several scenes."""
    found = {name.text: file for file in ready if (name := parse_product_name(file))}
    if len(found) > 1:
        patterns = []
        for file in found.values():
            match = _HLS.search(file)
            stem = file[: match.start("layer")] if match else re.sub(
                r"(ga_\w+?)_[a-z]+(_3-.*?\d{4}-\d\d-\d\d).*", r"\1_*\2_", file
            )  # fmt: skip
            patterns.append(f"{source}/{stem}*.tif")
        raise _several(source, sorted(found), patterns)


def _several(source: str, found: Sequence[str], patterns: Sequence[str]) -> UnknownProductError:
    return UnknownProductError(
        f"{source!r} holds several scenes.",
        expected="the files of one scene",
        got=f"{len(found)}: {', '.join(found[:3])}{', …' if len(found) > 3 else ''}",
        remedy=f"Open one of them by a pattern: {patterns[0]!r}.",
    )


def sort_layers(
    files: Sequence[MatchedFile],
) -> tuple[list[MatchedFile], dict[str, MatchedFile]]:
    """Tell band files from quality layers, by the names that known collections give them.

    Parameters
    ----------
    files : sequence of MatchedFile
        Of one scene.

    Returns
    -------
    bands : list of MatchedFile
        Those with measured bands, each with the field ``band``; all others as they are. Layers
        that say how the light fell, or in which order it was measured, are left out.
    quality : dict of str to MatchedFile
        Kind of quality band, as in `strandline.scenes.quality`, to its file.

    Examples
    --------
    >>> names = ["B03", "B04", "Fmask", "SZA"]
    >>> files = [MatchedFile(f"HLS.L30.T11SLC.2017295T183214.v2.0.{name}.tif") for name in names]
    >>> bands, quality = sort_layers(files)
    >>> [file.fields["band"] for file in bands], list(quality)
    (['B03', 'B04'], ['hls_fmask'])
    """
    bands: list[MatchedFile] = []
    quality: dict[str, MatchedFile] = {}
    versions: dict[str, dict[str, MatchedFile]] = {}  # of each band
    for file in without_companions(files):
        name = PurePosixPath(file.url.replace("\\", "/")).name
        if match := _HLS.search(name):
            layer = match["layer"]
            if layer.lower() == "fmask":
                quality["hls_fmask"] = file
            elif re.fullmatch(r"B\d\d|B8A", layer, re.IGNORECASE):
                named = MatchedFile(file.url, {**file.fields, "band": layer})
                versions[layer.upper()] = {"": named}
        elif match := _GA.search(name):
            found = _GA_LAYER.match(match["layer"])
            if found is None:
                continue
            part = (found["part"] or match["part"]).lower()
            if found["layer"].lower() == "fmask":
                quality["oa_fmask"] = file
            else:
                named = MatchedFile(file.url, {**file.fields, "band": found["layer"]})
                versions.setdefault(found["layer"].lower(), {})[part] = named
        else:
            bands.append(file)
    known = [
        next((one[part] for part in _CORRECTIONS if part in one), next(iter(one.values())))
        for one in versions.values()
    ]
    return [*bands, *sorted(known, key=_spectral_order)], quality


def usual_bands(files: Sequence[MatchedFile]) -> list[str] | None:
    """Choose the bands to use of a known collection when nobody says which, as of products.

    Parameters
    ----------
    files : sequence of MatchedFile
        The bands that `sort_layers` found.

    Returns
    -------
    list of str or None
        Common names; None where the files are of no collection that is known here.
    """
    names = []
    for file in files:
        product = parse_product_name(file.url)
        if product is None or product.collection not in ("hls", "ga"):
            return None
        name = band_name(str(file.fields.get("band", "")), product.sensor)
        if name in product.sensor.default_bands:
            names.append(str(name))
    return names or None


def _spectral_order(file: MatchedFile) -> tuple[int, str]:
    product = parse_product_name(file.url)
    if product is not None:
        order = [band.name for band in product.sensor.bands]
        name = band_name(str(file.fields["band"]), product.sensor)
        if name in order:
            return order.index(name), ""
    return 99, file.url
