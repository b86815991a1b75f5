"""Which files a source consists of: for fingerprints in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strandline.scenes.archive import is_archive, list_product
from strandline.scenes.open import (
    is_array_store,
    is_product,
    is_product_metadata,
    split_catalog_source,
)
from strandline.scenes.patterns import match_files
from strandline.scenes.sentinel.product import band_files, describe_safe
from strandline.scenes.sentinel.safe import is_safe
from strandline.scenes.stac.source import is_stac
from strandline.scenes.storage import is_url


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
        return [str(one) for one in source]
    text = str(source)
    if named := split_catalog_source(text):
        from strandline.scenes.catalog import open_catalog

        catalog, name = named
        return [catalog, *open_catalog(catalog)[name].urls]
    if is_stac(text) and not is_product_metadata(text):
        from strandline.scenes.stac.load import item_files

        return item_files(text)
    if is_url(text) and (is_archive(text) or text.lower().endswith(".zip")):
        return [text]
    if is_safe(text):
        product = describe_safe(text, storage_options)
        return [product.files.archive] if product.files.archive else product.places()
    if files_of_bands := band_files(text, platform):
        return [file.url for file in files_of_bands]
    if is_product(text):
        files = list_product(text, storage_options)
        return [files.archive] if files.archive else sorted(files.places.values())
    if is_array_store(text):
        return [text]
    return [file.url for file in match_files(text, storage_options=storage_options)]
