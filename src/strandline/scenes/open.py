"""Open a scene, whatever it comes as."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.errors import (
    CatalogError,
    ConfigurationError,
    MissingBandError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.paths import local_path
from strandline.scenes.archive import is_archive, is_metadata
from strandline.scenes.cache import Cache
from strandline.scenes.chunking import Chunks
from strandline.scenes.conflicts import check_winner
from strandline.scenes.files import read_files
from strandline.scenes.landsat import open_bundle
from strandline.scenes.patterns import MatchedFile, match_files
from strandline.scenes.quality import DEFAULT_REASONS, check_reasons
from strandline.scenes.scene import Stored, finish
from strandline.scenes.selection import choose_bands, default_bands, override, pick
from strandline.scenes.sentinel import open_safe
from strandline.scenes.sentinel.product import band_files
from strandline.scenes.sentinel.safe import is_safe
from strandline.scenes.stac.source import is_stac
from strandline.scenes.storage import check_local, is_url

_CATALOG = re.compile(r"^(?P<path>.+\.ya?ml):(?P<name>[^/\\]+)$", re.IGNORECASE)
_ARRAYS = re.compile(r"\.(nc4?|cdf|h5|zarr)/?$", re.IGNORECASE)


def open_scene(
    source: Any,
    *,
    bands: Iterable[str] | None = None,
    reflectance: bool = True,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    platform: str | None = None,
    time: Any = None,
    crs: Any = None,
    band_names: Sequence[str] | None = None,
    resolution: float | None = None,
    mask: Iterable[str] = DEFAULT_REASONS,
    conflicts: str | None = None,
    chunks: Chunks = None,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = None,
    grid: GeoBox | None = None,
) -> xr.DataArray:
    """Open one acquisition as an array of reflectance.

    Parameters
    ----------
    source : str, Path, sequence of them, xarray.DataArray or xarray.Dataset
        - a Landsat product as the U.S. Geological Survey delivers it: its folder, ``.tar``,
          ``.tar.gz``, or the path of its MTL file;
        - a Sentinel-2 product of Level 1C or 2A: its ``.SAFE`` folder or the zip archive that it
          comes in;
        - a raster file with several bands, or one file per band: a list, a glob, or a pattern
          such as ``"LT05_…_sr_band{band}.tif"``; with `platform` given as a Sentinel-2, a folder
          of its band files;
        - a NetCDF file or a Zarr store;
        - a source of a catalogue: ``"catalog.yml:landsat_5_small"``;
        - STAC: what :func:`strandline.search_scenes` found of one pass, an item or several of
          one pass (put together), the path or URL of an item, or of a saved search with the id
          of an item or the date of a pass: ``"found.json:LC08_L2SP_042033_20171022_02_T1"``;
        - an array, or a dataset with one variable per band, that you have already.

        Files may lie on this machine, on S3 (``s3://``), Google (``gs://``) or Azure (``az://``),
        on a web server, or wherever else fsspec reaches.
    bands : iterable of str, optional
        Which bands, and in which order; common names (``"nir08"``), aliases (``"nir"``), or
        numbers of a known sensor (``"B4"``). By default all reflective bands; of a Landsat
        product those with 30 m pixels, without the cirrus band; of a Sentinel-2 product those
        that every Landsat has too (blue, green, red, nir08, swir16, swir22). Where Sentinel-2's
        narrow near infrared (B8A) is not among the bands, its broad one (B08) goes by the name
        ``"nir08"``.
    reflectance : bool
        Whether to turn stored numbers into reflectance. False gives them as they are.
    scale, offset : float, optional
        Reflectance = scale · number + offset. Take the place of what the source says.
    nodata : float, optional
        A stored number that stands for no value, besides those that the source declares.
    platform : str, optional
        Such as ``"landsat-5"``, where the source does not say.
    time : str, date or datetime64, optional
        Of the acquisition, UTC, where the source does not say.
    crs : optional
        Where the source has none, such as ``"EPSG:32611"``.
    band_names : sequence of str, optional
        Names of all bands in the order of the source, where it does not say.
    resolution : float, optional
        Pixel size of a Sentinel-2 product in metres: 10, 20 or 60. By default the finest of its
        bands; coarser ones have each of their pixels repeated.
    mask : iterable of str
        For which reasons a pixel of a product with quality bands counts as not observed. By
        default fill, dilated_cloud, cloud, cirrus, cloud_shadow, saturated; snow may be added.
    conflicts : {"quality", "spectrum"}, optional
        Look where the quality band says cloud or snow but the spectrum is that of water, or the
        reverse, mark it in the coordinate ``quality``, and let one of them win. By default the
        quality band wins, and no band is read for marks that nobody asked for.
    chunks : int, (int, int), mapping, "auto", optional
        Rows and columns per Dask chunk; about 1024 × 1024 by default.
    storage_options : mapping, optional
        For stores: ``{"anon": True}``, ``{"endpoint_url": …}``, ``{"key": …, "secret": …}``.
    cache : bool or path-like, optional
        Keep whole copies of the remote files that are needed, in the user's cache folder (True;
        ``$STRANDLINE_CACHE`` names another) or in a folder. They are made when the scene is
        opened, continued if they were interrupted, and made anew when the source has changed.
        By default only the parts of files that are needed are read, each time.
    grid : GeoBox, optional
        Of STAC items: where to read them, as :func:`strandline.make_grid` gives it; only its
        bytes are transferred. Each of its pixels gets the number stored below its centre. By
        default the grid of the files, pixel for pixel; `strandline.regrid` can average.

    Returns
    -------
    xarray.DataArray
        Dims (band, y, x), float32, NaN where not observed, lazy unless `source` was an array in
        memory. Coordinates ``band`` (common names), ``y`` and ``x`` (pixel centres),
        ``spatial_ref``, ``time`` if known, ``quality`` (y, x) if there is a quality band: uint8
        flags that say why a pixel was not observed (`flag_masks`, `flag_meanings`). A pixel that
        is NaN without any flag has no value in the bands. Attributes ``platform``, ``instrument``,
        ``processing_level`` (where known), ``source`` and ``units``.

    Raises
    ------
    SourceNotFoundError
        If nothing is there.
    UnreadableSourceError
        If it is truncated or damaged; damaged pixels raise it when they are computed.
    AccessDeniedError, UnreachableSourceError
        If its owner refuses, or no server answers, also when asked again.
    UnknownProductError, MetadataError
        If it is nothing we know, or its metadata is incomplete.
    MissingBandError
        If a band is not there, or bands cannot be named.
    GridMismatchError
        If its files do not share one grid.
    MissingCRSError
        If it says nowhere where on the Earth it lies.
    ScaleError, ReflectanceRangeError
        If its numbers cannot become reflectance, or are no reflectance; for lazy integers the
        range is checked when they are computed.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> stored = xr.DataArray(
    ...     np.full((2, 3, 3), 1500, np.int16),
    ...     dims=("band", "y", "x"),
    ...     coords={"band": ["green", "swir1"], "y": [90, 60, 30], "x": [0, 30, 60]},
    ... )
    >>> scene = open_scene(stored, scale=1e-4, crs="EPSG:32611")
    >>> scene.band.values.tolist(), round(float(scene.mean()), 3)
    (['green', 'swir16'], 0.15)
    """
    shared: dict[str, Any] = {
        "bands": bands,
        "reflectance": reflectance,
        "scale": scale,
        "offset": offset,
        "nodata": nodata,
        "platform": platform,
        "time": time,
        "crs": crs,
        "mask": check_reasons(mask),
        "conflicts": check_winner(conflicts),
    }
    lazily: dict[str, Any] = {
        "chunks": chunks,
        "storage_options": storage_options,
        "cache": cache,
    }
    kind = _kind_of(source, platform)
    _check_fits(kind, source, band_names=band_names, resolution=resolution, grid=grid)
    if kind == "Sentinel-2 product":
        return open_safe(source, resolution=resolution, **shared, **lazily)
    if kind == "STAC item":
        from strandline.scenes.stac.load import open_items

        return open_items(source, **shared, **lazily, grid=grid)
    if kind == "source of a catalogue":
        return _from_catalog(str(source), shared | lazily, band_names)
    if kind == "Landsat product":
        return open_bundle(source, **shared, **lazily)
    return _scene(_read(source, shared, band_names, lazily), **shared)


def _kind_of(source: Any, platform: str | None) -> str:
    """Tell what a source is: by its name, and by what is there."""
    if not isinstance(source, str | Path):
        return "STAC item" if is_stac(source) else "array or list of files"
    text = str(source)
    if not text.strip():
        raise ConfigurationError("The source has no name.", expected="a path", got=repr(text))
    check_local(text)
    if is_safe(text):
        return "Sentinel-2 product"
    if is_stac(text) and not is_metadata(text):
        return "STAC item"
    if split_catalog_source(text):
        return "source of a catalogue"
    if is_product(text) and band_files(text, platform) is None:
        return "Landsat product"
    return "file"


def _check_fits(
    kind: str,
    source: Any,
    *,
    band_names: Sequence[str] | None,
    resolution: float | None,
    grid: object,
) -> None:
    """Refuse what has no meaning for a source of this kind."""
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


def _from_catalog(
    text: str, options: Mapping[str, Any], band_names: Sequence[str] | None
) -> xr.DataArray:
    from strandline.scenes.catalog import open_catalog

    catalog, name = split_catalog_source(text) or (text, "")
    entry = open_catalog(catalog)[name]
    if not hasattr(type(entry), "to_scene"):
        raise CatalogError(
            f"{name!r} of the catalogue {catalog!r} is a catalogue itself.",
            expected="a source of data",
            remedy=f"Open one of its sources: open_catalog({catalog!r})[{name!r}][…].",
        )
    given = {key: value for key, value in options.items() if value is not None}
    scene: xr.DataArray = entry.to_scene(**given | _named(band_names))
    return scene


def is_product_metadata(source: Any) -> bool:
    """Whether a source is the path of a product's own metadata, which may be JSON too."""
    return isinstance(source, str | Path) and is_metadata(str(source))


def _named(band_names: Sequence[str] | None) -> dict[str, Any]:
    return {} if band_names is None else {"band_names": band_names}


def split_catalog_source(text: str) -> tuple[str, str] | None:
    """Take ``catalog.yml:name`` apart; None if `text` is something else.

    Examples
    --------
    >>> split_catalog_source("landsat/catalog.yml:landsat_5_small")
    ('landsat/catalog.yml', 'landsat_5_small')
    """
    found = _CATALOG.match(text)
    return (found["path"], found["name"]) if found else None


def is_product(text: str) -> bool:
    """Whether a path or URL is a Landsat product: an archive, an MTL file or a folder."""
    if is_archive(text) or is_metadata(text):
        return True
    if is_array_store(text):
        return False
    if is_url(text):
        return "." not in text.rstrip("/").rsplit("/", 1)[-1] and "{" not in text
    return local_path(text).is_dir()


def is_array_store(text: str) -> bool:
    """Whether a path or URL is a NetCDF file or a Zarr store, by its name or by what is there."""
    if _ARRAYS.search(text):
        return True
    return not is_url(text) and any(
        (local_path(text) / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata")
    )


def _read(
    source: Any,
    shared: Mapping[str, Any],
    band_names: Sequence[str] | None,
    lazily: Mapping[str, Any],
) -> Stored:
    platform, reasons = shared["platform"], shared["mask"]
    if isinstance(source, xr.DataArray | xr.Dataset):
        from strandline.scenes.datasets import from_xarray

        kind = type(source).__name__
        return from_xarray(
            source,
            label=f"<xarray.{kind}>",
            platform=platform,
            band_names=band_names,
            chunks=lazily["chunks"],
        )
    if isinstance(source, str | Path):
        text = str(source)
        if is_array_store(text):
            from strandline.scenes.datasets import from_xarray
            from strandline.scenes.stores import read_dataset

            return from_xarray(
                read_dataset(
                    text, storage_options=lazily["storage_options"], cache=lazily["cache"]
                ),
                label=text,
                platform=platform,
                band_names=band_names,
                chunks=lazily["chunks"],
            )
        files = band_files(text, platform) or match_files(
            text, storage_options=lazily["storage_options"]
        )
    elif isinstance(source, Sequence) and all(isinstance(one, str | Path) for one in source):
        files = [MatchedFile(str(one)) for one in source]
        if not files:
            raise SourceNotFoundError(
                "There is no file to open in an empty list.", remedy="Name one file at least."
            )
    else:
        raise ConfigurationError(
            "A scene cannot be opened from this.",
            expected="a path, a list of paths, an xarray.DataArray or an xarray.Dataset",
            got=type(source).__name__,
        )
    try:
        return read_files(
            files,
            source=str(source) if isinstance(source, str | Path) else _listed(files),
            bands=shared["bands"],
            reflectance=shared["reflectance"],
            platform=platform,
            band_names=band_names,
            reasons=reasons,
            **lazily,
        )
    except UnreadableSourceError as error:
        if "not recognized" not in error.problem or _looks_like_raster(files[0].url):
            raise
        raise UnknownProductError(
            f"{files[0].url!r} is nothing that Strandline can open.",
            expected="a Landsat or Sentinel-2 product, a raster file, NetCDF, Zarr, or a "
            "catalogue's source",
            got=f"a file named {Path(files[0].url).name}",
        ) from error


def _looks_like_raster(url: str) -> bool:
    return Path(url).suffix.lower() in (".tif", ".tiff", ".gtif", ".gtiff", ".vrt", ".img", ".jp2")


def _listed(files: Sequence[MatchedFile]) -> str:
    return files[0].url + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _scene(
    stored: Stored,
    *,
    bands: Iterable[str] | None,
    reflectance: bool,
    scale: float | None,
    offset: float | None,
    nodata: float | None,
    platform: str | None,
    time: Any,
    crs: Any,
    mask: tuple[str, ...],
    conflicts: str | None,
) -> xr.DataArray:
    """Pick bands, let the caller's word count, and make the scene."""
    del platform  # the reader has used it
    there = [str(name) for name in stored.values["band"].values]
    if bands is None:
        chosen = default_bands(there, reflectance=reflectance)
    else:
        chosen = choose_bands(there, bands, stored.sensor, stored.source)
    beyond = [reason for reason in mask if reason not in ("fill", "saturated")]
    if beyond and mask != DEFAULT_REASONS and stored.quality is None:
        raise MissingBandError(
            f"{stored.source!r} has no quality band to find {', '.join(beyond)} in.",
            remedy="Leave mask out, or open the product's folder with its quality bands.",
        )
    picked = [there.index(name) for name in chosen]
    factors = override([stored.factors[index] for index in picked], scale, offset, nodata)
    chosen_only = replace(
        stored,
        values=pick(stored.values, picked),
        factors=factors,
        time=stored.time if time is None else time,
    )
    return finish(chosen_only, reflectance=reflectance, crs=crs, mask=mask, conflicts=conflicts)
