"""Which files a source consists of: for fingerprints in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strandline.paths import local_path, split_subdataset
from strandline.scenes.grouping import files_together
from strandline.scenes.kinds import (
    is_array_store,
    kind_of,
    split_catalog_source,
    split_dated_source,
)
from strandline.scenes.landsat.files import list_product
from strandline.scenes.landsat.naming import is_archive
from strandline.scenes.patterns import MatchedFile, match_files, without_companions
from strandline.scenes.sentinel.product import band_files, describe_safe
from strandline.scenes.storage import file_behind, is_local, is_url


def source_files(
    source: str | Path | Sequence[str | Path],
    storage_options: Mapping[str, Any] | None = None,
    *,
    platform: str | None = None,
) -> list[str]:
    """List the files that `open_scene` would read for a source.

    Parameters
    ----------
    source : str, Path or sequence of them
        As for `strandline.open_scene`.
    storage_options : mapping, optional
    platform : str, optional
        As for `strandline.open_scene`: a folder of band files needs it.

    Returns
    -------
    list of str
        Paths and URLs. An archive is one file; a product's folder counts with all of the
        product's files; a catalogue's source with the catalogue; a STAC source with the files of
        its bands, unsigned.

    Raises
    ------
    SourceNotFoundError
        If nothing is there.

    Examples
    --------
    >>> source_files(["B3.tif", "B4.tif"])
    ['B3.tif', 'B4.tif']
    """
    if not isinstance(source, str | Path):
        listed = without_companions([MatchedFile(str(one)) for one in source])
        return [file.url for file in listed]
    text = str(source)
    if is_url(text) and (is_archive(text) or text.lower().endswith(".zip")):
        return [text]
    kind = kind_of(text, platform)
    if kind == "source of a catalogue":
        from strandline.scenes.catalog import open_catalog

        catalog, name = split_catalog_source(text) or (text, "")
        return [catalog, *open_catalog(catalog)[name].urls]
    if kind == "STAC item":
        from strandline.scenes.stac.load import item_files

        return item_files(text)
    if kind == "Sentinel-2 product":
        product = describe_safe(text, storage_options)
        return [product.files.archive] if product.files.archive else product.places()
    if kind == "Landsat product":
        files = list_product(text, storage_options)
        return [files.archive] if files.archive else sorted(files.places.values())
    inner = split_subdataset(text)
    if is_array_store(text) or inner:
        return [inner[1] if inner else split_dated_source(text)[0]]
    rasters = (
        band_files(text, platform)
        or files_together(text)
        or match_files(text, storage_options=storage_options)
    )
    # What GDAL finds inside of a file counts as that file.
    behind = [file.url if is_local(file.url) else file_behind(file.url) for file in rasters]
    named = (
        file.url if place is None else str(place)
        for file, place in zip(rasters, behind, strict=True)
    )
    return [path for url in dict.fromkeys(named) for path in (url, *_mask_beside(url))]


def _mask_beside(url: str) -> list[str]:
    """Name the file with the mask of a local raster, which GDAL reads with it."""
    beside = f"{url}.msk"
    return [] if is_url(url) or not local_path(beside).is_file() else [beside]
