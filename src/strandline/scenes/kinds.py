"""What a source is: told by its name, and by what is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from strandline.errors import ConfigurationError
from strandline.paths import local_path
from strandline.scenes.grouping import files_together
from strandline.scenes.landsat.naming import is_archive, is_metadata
from strandline.scenes.sentinel.product import band_files
from strandline.scenes.sentinel.safe import is_safe
from strandline.scenes.stac.source import is_stac
from strandline.scenes.storage import check_local, is_local, is_url

Kind = Literal[
    "Landsat product",
    "Sentinel-2 product",
    "STAC item",
    "source of a catalogue",
    "file",
    "array or list of files",
]

_CATALOG = re.compile(r"^(?P<path>.+\.ya?ml):(?P<name>[^/\\]+)$", re.IGNORECASE)
_ARRAYS = re.compile(r"\.(nc4?|cdf|h5|zarr)/?$", re.IGNORECASE)
_DATED = re.compile(
    r"^(?P<path>.+\.(?:nc4?|cdf|h5|zarr)/?):(?P<date>\d{4}-\d{2}(?:-\d{2}(?:[T ][\d:.]+Z?)?)?)$",
    re.IGNORECASE,
)


def kind_of(source: Any, platform: str | None = None) -> Kind:
    """Tell what a source is.

    Parameters
    ----------
    source, platform
        As for `strandline.open_scene`.

    Returns
    -------
    str
        One of `Kind`, as messages name it.

    Raises
    ------
    ConfigurationError
        If it has no name.
    SourceNotFoundError, UnreadableSourceError
        If no file can have its name, or it is a pipe or a device.

    Examples
    --------
    >>> kind_of("landsat/catalog.yml:landsat_5_small"), kind_of("B4.tif")
    ('source of a catalogue', 'file')
    """
    if not isinstance(source, str | Path):
        return "STAC item" if is_stac(source) else "array or list of files"
    text = str(source)
    if not text.strip():
        raise ConfigurationError("The source has no name.", expected="a path", got=repr(text))
    check_local(text)
    if is_safe(text):
        return "Sentinel-2 product"
    # A product's own metadata may be JSON too.
    if is_stac(text) and not is_metadata(text):
        return "STAC item"
    if split_catalog_source(text):
        return "source of a catalogue"
    if _is_product(text) and band_files(text, platform) is None and files_together(text) is None:
        return "Landsat product"
    return "file"


def check_fits(
    kind: Kind,
    source: Any,
    *,
    band_names: Sequence[str] | None,
    resolution: float | None,
    grid: object,
) -> None:
    """Refuse what has no meaning for a source of this kind.

    Raises
    ------
    ConfigurationError
        If such an option was given.
    """
    named = f" {str(source)[:60]!r}" if isinstance(source, str | Path) else ""
    if band_names is not None and kind in ("Sentinel-2 product", "STAC item", "Landsat product"):
        raise ConfigurationError(
            f"A {kind} names its bands itself.",
            got="band_names",
            remedy="Leave band_names out, and pick with bands=….",
        )
    if resolution is not None and kind != "Sentinel-2 product":
        raise ConfigurationError(
            "Only a Sentinel-2 product can be opened with another pixel size.",
            expected="a .SAFE folder or its zip archive",
            got=f"resolution={resolution!r} with another source",
            remedy="Open it as it is, and use regrid(…) with a grid from make_grid(resolution=…).",
        )
    if grid is not None and kind != "STAC item":
        raise ConfigurationError(
            "Only STAC items are read on a grid of the caller's.",
            got=f"grid, with {type(source).__name__}{named}",
            remedy="Open the scene without grid=…, and use regrid(scene, grid): it stays lazy.",
        )


def split_catalog_source(text: str) -> tuple[str, str] | None:
    """Take ``catalog.yml:name`` apart; None if `text` is something else.

    Examples
    --------
    >>> split_catalog_source("landsat/catalog.yml:landsat_5_small")
    ('landsat/catalog.yml', 'landsat_5_small')
    """
    found = _CATALOG.match(text)
    if found and is_local(text) and local_path(text).is_file():
        return None
    return (found["path"], found["name"]) if found else None


def split_dated_source(text: str) -> tuple[str, str | None]:
    """Take ``stack.nc:2017-10-22`` apart: a store of arrays, and one of the dates that it holds.

    Examples
    --------
    >>> split_dated_source("stack.nc:2017-10-22"), split_dated_source("stack.nc")
    (('stack.nc', '2017-10-22'), ('stack.nc', None))
    """
    found = _DATED.match(text)
    # A file of this very name is meant first.
    if found is None or (not is_url(text) and local_path(text).exists()):
        return text, None
    return found["path"], found["date"]


def is_array_store(text: str) -> bool:
    """Whether a path or URL is a NetCDF file or a Zarr store, by its name or by what is there."""
    text, _ = split_dated_source(text)
    if _ARRAYS.search(text):
        return True
    return not is_url(text) and any(
        (local_path(text) / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")
    )


def _is_product(text: str) -> bool:
    """Whether a path or URL is a Landsat product: an archive, an MTL file or a folder."""
    if is_archive(text) or is_metadata(text):
        return True
    if is_array_store(text):
        return False
    if is_url(text):
        return "." not in text.rstrip("/").rsplit("/", 1)[-1] and "{" not in text
    return local_path(text).is_dir()
