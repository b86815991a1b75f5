"""Open a scene, whatever it comes as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.errors import (
    CatalogError,
    ConfigurationError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.paths import split_subdataset
from strandline.scenes.cache import Cache
from strandline.scenes.chunking import Chunks
from strandline.scenes.conflicts import check_winner
from strandline.scenes.files import read_files, with_quality
from strandline.scenes.grouping import files_together, sort_layers, usual_bands
from strandline.scenes.kinds import (
    check_fits,
    is_array_store,
    kind_of,
    split_catalog_source,
    split_dated_source,
)
from strandline.scenes.landsat import open_bundle
from strandline.scenes.patterns import MatchedFile, match_files
from strandline.scenes.quality import DEFAULT_REASONS, check_reasons, told_reasons
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.scene import Stored, as_time, finish
from strandline.scenes.sensors import SHARED
from strandline.scenes.sentinel import open_safe
from strandline.scenes.sentinel.product import band_files


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
          ``.tar.gz``, ``.zip``, or the path of its MTL file; also as U.S. Analysis Ready Data;
        - a Sentinel-2 product of Level 1C or 2A: its ``.SAFE`` folder or the zip archive that it
          comes in;
        - a raster file with several bands, or one file per band: a list, a glob, or a pattern
          such as ``"LT05_…_sr_band{band}.tif"``; with `platform` given as a Sentinel-2, a folder
          of its band files; a zip archive of GeoTIFFs; the tiles of one export; a folder of
          Harmonized Landsat and Sentinel-2 (HLS) or of Geoscience Australia's band files;
        - a NetCDF file or a Zarr store; one of several dates in it by ``"stack.nc:2017-10-22"``,
          or by `time`;
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
        Of the acquisition, UTC, where the source does not say; of NetCDF, Zarr and arrays with
        several dates, the one to open.
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
        If its owner refuses, or no server answers, also when tried again.
    UnknownProductError, MetadataError
        If it is nothing we know, or its metadata is incomplete.
    MissingBandError
        If a band is not there, or bands cannot be named.
    GridMismatchError
        If its files do not share one grid.
    MissingCRSError
        If it says nowhere where on the Earth it lies.
    ScaleError, ReflectanceRangeError
        If its numbers cannot become reflectance, or are not reflectance; for lazy integers the
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
    asked = ReadOptions(
        # Looked at more than once, which an iterator would not survive.
        bands=bands if bands is None or isinstance(bands, str) else tuple(bands),
        reflectance=reflectance,
        scale=scale,
        offset=offset,
        nodata=nodata,
        platform=platform,
        time=time,
        crs=crs,
        mask=check_reasons(mask),
        conflicts=check_winner(conflicts),
        chunks=chunks,
        storage_options=storage_options,
        cache=cache,
    )
    return open_as_asked(source, asked, band_names=band_names, resolution=resolution, grid=grid)


def open_as_asked(
    source: Any,
    asked: ReadOptions,
    *,
    band_names: Sequence[str] | None = None,
    resolution: float | None = None,
    grid: GeoBox | None = None,
) -> xr.DataArray:
    """Open one acquisition like `open_scene`, with options that were checked already."""
    platform = asked.platform
    kind = kind_of(source, platform)
    check_fits(kind, source, band_names=band_names, resolution=resolution, grid=grid)
    if kind == "Sentinel-2 product":
        return open_safe(source, asked, resolution=resolution)
    if kind == "STAC item":
        from strandline.scenes.stac.load import open_items

        return open_items(source, asked, grid=grid)
    if kind == "source of a catalogue":
        return _from_catalog(str(source), asked, band_names)
    if kind == "Landsat product":
        return open_bundle(source, asked)
    return _finished(_read(source, asked, band_names), asked)


def open_to_cluster(source: Any, bands: Sequence[str] | None, **options: Any) -> xr.DataArray:
    """Open a scene to be clustered by some of its bands.

    Parameters
    ----------
    source : object
        As for `open_scene`.
    bands : sequence of str, optional
        To cluster by, as for `open_scene`. Other bands are not opened, so that nothing depends on
        what is in them, but for those that pictures and the judgement about clouds need.
    **options
        Further arguments of `open_scene`.

    Returns
    -------
    DataArray
        As from `open_scene`.
    """
    if bands is None:
        return open_scene(source, **options)
    names = options.pop("band_names", None)
    options["mask"] = check_reasons(options.get("mask", DEFAULT_REASONS))
    options["conflicts"] = check_winner(options.get("conflicts"))
    asked = ReadOptions(bands=tuple(bands), also=SHARED, **options)
    return open_as_asked(source, asked, band_names=names)


def open_dates(source: xr.Dataset) -> list[xr.DataArray]:
    """Open all dates of a dataset, each as a scene."""
    from strandline.scenes.datasets import dates_of_source

    times = dates_of_source(source, "<xarray.Dataset>")
    if len(times) < 2:
        return [open_scene(source)]
    return [open_scene(source, time=time) for time in times]


def dated_sources(
    source: str, storage_options: Mapping[str, Any] | None = None, cache: Cache = None
) -> list[tuple[str, str | None]]:
    """Name each date that a source holds, if it holds several.

    Parameters
    ----------
    source : str
        As for `open_scene`.
    storage_options, cache : optional
        As for `open_scene`.

    Returns
    -------
    list of (str, str or None)
        Of a source with several dates, what to open for each, in the order of time, and with which
        `time`: ``stack.nc:2017-10-22`` of a NetCDF file or a Zarr store; a source of a catalogue
        as it is, with the date. Otherwise the source alone.
    """
    from strandline.scenes.datasets import dates_of_source, names_of_dates

    path, date = split_dated_source(source)
    kind = kind_of(source)
    if date is None and kind == "file" and is_array_store(source):
        from strandline.scenes.stores import read_dataset

        dataset: Any = read_dataset(path, storage_options=storage_options, cache=cache)
    elif kind == "source of a catalogue":
        dataset = _entry(source).arrays()
    else:
        return [(source, None)]
    times = [] if dataset is None else sorted(dates_of_source(dataset, path))
    if len(times) < 2:
        return [(source, None)]
    names = names_of_dates(times)
    if kind == "file":
        return [(f"{path}:{name}", None) for name in names]
    return [(source, name) for name in names]


def _entry(text: str) -> Any:
    """Find the source of a catalogue."""
    from strandline.scenes.catalog import open_catalog

    catalog, name = split_catalog_source(text) or (text, "")
    entry = open_catalog(catalog)[name]
    if not hasattr(type(entry), "to_scene"):
        raise CatalogError(
            f"{name!r} of the catalogue {catalog!r} is a catalogue itself.",
            expected="a source of data",
            remedy=f"Open one of its sources: open_catalog({catalog!r})[{name!r}][…].",
        )
    return entry


def _from_catalog(text: str, asked: ReadOptions, band_names: Sequence[str] | None) -> xr.DataArray:
    place, says = _entry(text).scene_and_options()
    # What was not given must not take the place of what the catalogue says.
    options = vars(asked) | {"band_names": band_names}
    given = says | {key: value for key, value in options.items() if value is not None}
    names = given.pop("band_names", None)
    return open_as_asked(place, ReadOptions(**given), band_names=names)


def _read(source: Any, asked: ReadOptions, band_names: Sequence[str] | None) -> Stored:
    """Read arrays, stores and plain files: what does not name its bands and factors itself."""
    if isinstance(source, xr.DataArray | xr.Dataset):
        return _of_arrays(source, f"<xarray.{type(source).__name__}>", asked, band_names)
    options = asked.storage_options
    if isinstance(source, str | Path):
        text = str(source)
        if is_array_store(text):
            from strandline.scenes.stores import read_dataset

            path, date = split_dated_source(text)
            dataset = read_dataset(path, storage_options=options, cache=asked.cache)
            asked = asked if date is None else replace(asked, time=_one_time(date, asked.time))
            return _of_arrays(dataset, path, asked, band_names)
        if split_subdataset(text):
            from strandline.scenes.stores import read_subdataset

            one = read_subdataset(text, storage_options=options, cache=asked.cache)
            if one is not None:
                return _of_arrays(one, text, asked, band_names)
        files = (
            band_files(text, asked.platform)
            or files_together(text)
            or match_files(text, storage_options=options)
        )
        return _of_files(files, text, asked, band_names)
    if isinstance(source, Sequence) and all(isinstance(one, str | Path) for one in source):
        files = [MatchedFile(str(one)) for one in source]
        if not files:
            raise SourceNotFoundError(
                "There is no file to open in an empty list.", remedy="Name one file at least."
            )
        return _of_files(files, _listed(files), asked, band_names)
    raise ConfigurationError(
        "A scene cannot be opened from this.",
        expected="a path, a list of paths, an xarray.DataArray or an xarray.Dataset",
        got=type(source).__name__,
    )


def _one_time(named: str, given: Any) -> str:
    """Take the date that the name of a source picks, if no other is given beside it."""
    if given is not None and as_time(given) != as_time(named):
        raise ConfigurationError(
            "The source names one date, and the time another.",
            expected="one of them",
            got=f"{named} and {given}",
        )
    return named


def _of_arrays(
    source: xr.DataArray | xr.Dataset,
    label: str,
    asked: ReadOptions,
    band_names: Sequence[str] | None,
) -> Stored:
    from strandline.scenes.datasets import from_xarray

    return from_xarray(source, asked, label=label, band_names=band_names)


def _of_files(
    files: Sequence[MatchedFile],
    named: str,
    asked: ReadOptions,
    band_names: Sequence[str] | None,
) -> Stored:
    bands, quality = sort_layers(files)
    if asked.bands is None and (usual := usual_bands(bands)):
        asked = replace(asked, bands=tuple(usual))
    try:
        stored = read_files(bands or files, asked, source=named, band_names=band_names)
        return with_quality(stored, quality, asked)
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


def _finished(stored: Stored, asked: ReadOptions) -> xr.DataArray:
    """Make the scene, if its quality can be told as it was asked for."""
    told = () if stored.quality is None else told_reasons(stored.quality)
    if not set(told) - {"fill", "saturated"}:
        asked.do_without_quality(
            stored.source,
            remedy="Leave mask out, or open the product's folder with its quality bands.",
        )
    return finish(stored, asked)
