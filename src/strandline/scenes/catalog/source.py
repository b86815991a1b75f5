"""One source of a catalogue: what it says, and the data that it leads to."""

from __future__ import annotations

import difflib
import posixpath
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from strandline.accessors import register
from strandline.errors import CatalogError, ConfigurationError, IgnoredParameterWarning
from strandline.paths import local_path
from strandline.scenes.catalog.arrays import chunk_sizes, open_datasets, open_rasters
from strandline.scenes.catalog.parameters import Parameter
from strandline.scenes.catalog.text import render
from strandline.scenes.patterns import MatchedFile, match_files
from strandline.scenes.redaction import SECRET
from strandline.scenes.storage import is_local, is_url

if TYPE_CHECKING:
    import xarray as xr

_DRIVERS = {
    "rasterio": "raster",
    "geotiff": "raster",
    "intake_xarray.raster.RasterIOSource": "raster",
    "netcdf": "netcdf",
    "intake_xarray.netcdf.NetCDFSource": "netcdf",
    "zarr": "zarr",
    "intake_xarray.xzarr.ZarrSource": "zarr",
    "yaml_file": "catalog",
    "yaml_file_cat": "catalog",
    "intake.catalog.local.YAMLFileCatalog": "catalog",
}
_ARGS = {"urlpath", "chunks", "concat_dim", "storage_options", "path_as_pattern", "xarray_kwargs"}
_SCENE_FACTS = ("scale", "offset", "nodata", "platform", "time", "crs", "band_names")


class Source:
    """One data source of a catalogue, with the parameters given so far.

    Calling it gives the same source with more parameters:
    ``catalog["google_landsat_band"](path=42, row=33, product_id="…", band=4)``.

    Parameters
    ----------
    name : str
    entry : mapping
        The source's part of the YAML.
    catalog_path : str
        Where the YAML file is.
    given : mapping, optional
        Values of parameters.

    Attributes
    ----------
    name, description, driver : str
    container : str
        "xarray".
    metadata : dict
        As the catalogue has it, with plots among the rest.
    parameters : dict of str to Parameter
    given : dict
    """

    container = "xarray"

    def __init__(
        self,
        name: str,
        entry: Mapping[str, Any],
        catalog_path: str,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.description = str(entry.get("description") or "")
        self.driver = str(entry["driver"])
        self.metadata: dict[str, Any] = dict(_mapping(entry, "metadata", name, catalog_path))
        self._entry = entry
        self._catalog_path = catalog_path
        self.parameters = {
            str(key): Parameter.from_entry(str(key), value, where=self._where)
            for key, value in _mapping(entry, "parameters", name, catalog_path).items()
        }
        self.given = {
            key: self._parameter(key).check(value) for key, value in (given or {}).items()
        }

    @property
    def _where(self) -> str:
        return f"source {self.name!r} of {self._catalog_path!r}"

    @property
    def _subject(self) -> str:
        return self._where.replace("source", "Source", 1)

    @property
    def kind(self) -> str:
        """What the driver reads: "raster", "netcdf", "zarr", "catalog", or "unknown"."""
        return _DRIVERS.get(self.driver, "unknown")

    def __call__(self, **parameters: Any) -> Source:
        """Return this source with more parameters given.

        Raises
        ------
        CatalogError
            If a parameter is unknown, of the wrong type, or not allowed.
        """
        return Source(self.name, self._entry, self._catalog_path, {**self.given, **parameters})

    def _parameter(self, name: str) -> Parameter:
        if name not in self.parameters:
            close = difflib.get_close_matches(name, self.parameters, n=1)
            raise CatalogError(
                f"{self._subject} has no parameter {name!r}.",
                expected=", ".join(self.parameters) or "none: it takes no parameters",
                remedy=f"Did you mean {close[0]!r}?" if close else None,
            )
        return self.parameters[name]

    # --- what it says ---

    @property
    def args(self) -> dict[str, Any]:
        """Arguments for the driver, with templates filled in and paths made absolute.

        Raises
        ------
        CatalogError
            If a parameter is missing or a template fails.
        """
        missing = [
            f"{parameter.name} ({parameter.type})"
            for parameter in self.parameters.values()
            if parameter.default is None and parameter.name not in self.given
        ]
        if missing:
            example = ", ".join(f"{text.split()[0]}=…" for text in missing)
            raise CatalogError(
                f"{self._subject} needs parameters that were not given.",
                expected=", ".join(missing),
                got=", ".join(self.given) or "none",
                remedy=f"Call it with them: catalog[{self.name!r}]({example}).",
            )
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        folder = _folder(self._catalog_path)
        variables = {**defaults, **self.given, "CATALOG_DIR": folder}
        args = _mapping(self._entry, "args", self.name, self._catalog_path)
        filled: dict[str, Any] = render(dict(args), variables, where=self._where)
        for key in ("urlpath", "path"):
            if key in filled:
                filled[key] = self._absolute(filled[key], folder)
        return filled

    def _absolute(self, urlpath: Any, folder: str) -> Any:
        if isinstance(urlpath, list) and urlpath:
            return [self._absolute(one, folder) for one in urlpath]
        if not isinstance(urlpath, str) or not urlpath.strip() or "::" in urlpath:
            raise CatalogError(
                f"{self._subject} has a urlpath that cannot be used.",
                expected="a path or URL, or a list of them, without fsspec's caching prefixes",
                got=repr(urlpath),
            )
        # The folder ends in a slash, so that templates may put another one or none.
        text = urlpath.replace(folder + "/", folder)
        if not is_local(text):
            return text
        if is_url(folder):  # of a stranger's catalogue: ``~`` in it is not this user's home
            text = text.removeprefix("file://")
            return text if posixpath.isabs(text) else posixpath.join(folder, text)
        return str(Path(folder, local_path(text)))

    @property
    def urlpath(self) -> str | list[str]:
        """Path, URL, glob or pattern of the data, or a list of these."""
        args = self.args
        if "urlpath" not in args:
            raise CatalogError(
                f"{self._subject} does not say where its data are.",
                expected="args with a urlpath",
                got=", ".join(args) or "no args",
            )
        found: str | list[str] = args["urlpath"]
        return found

    @property
    def urls(self) -> list[str]:
        """The files, once patterns and globs are looked up.

        Raises
        ------
        SourceNotFoundError
            If no file matches.
        """
        return [file.url for file in self._files()]

    def describe(self) -> dict[str, Any]:
        """Everything that the catalogue says about this source.

        Returns
        -------
        dict
            Keys name, container, driver, description, user_parameters, metadata, args (templates
            not filled in).
        """
        return {
            "name": self.name,
            "container": self.container,
            "driver": self.driver,
            "description": self.description,
            "user_parameters": [parameter.describe() for parameter in self.parameters.values()],
            "metadata": dict(self.metadata),
            "args": dict(_mapping(self._entry, "args", self.name, self._catalog_path)),
        }

    def __repr__(self) -> str:
        return str(yaml.safe_dump({self.name: self._summary()}, sort_keys=False)).rstrip()

    def _summary(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "driver": self.driver,
            "description": " ".join(self.description.split()),
            "parameters": {
                name: str(self.given[name]) if name in self.given else parameter.summary()
                for name, parameter in self.parameters.items()
            },
            "args": _without_secrets(self._entry.get("args") or {}),
        }
        return {key: value for key, value in facts.items() if value}

    # --- what it holds ---

    def to_dask(self) -> xr.DataArray | xr.Dataset:
        """Open lazily.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            Rasters: a DataArray, dims (band, y, x), of the values that the files store, in the
            chunks that the source asks for. ``band`` holds the integers of the pattern's
            ``{band:d}``, else 1, 2, …; attributes ``crs``, ``transform`` (a, b, c, d, e, f),
            ``res`` (x, y), ``nodatavals``, ``scales``, ``offsets`` (one per band), and
            ``_FillValue`` where all bands share one. With a ``concat_dim`` other than ``band``,
            dims (concat_dim, band, y, x). NetCDF and Zarr: a Dataset.

        Raises
        ------
        CatalogError
            If parameters are missing, or the driver is unknown.
        SourceNotFoundError, UnreadableSourceError
            If files are missing, refused or damaged.
        GridMismatchError
            If bands are not on one grid.
        """
        register()
        self._check_driver()
        args = self.args
        options = {name: args.get(name) for name in ("chunks", "storage_options")}
        files = self._files()
        ignored = set(args) - _ARGS
        array: xr.DataArray | xr.Dataset
        if self.kind == "raster":
            ignored |= {"xarray_kwargs"} & set(args)
            array = open_rasters(files, concat_dim=args.get("concat_dim") or "band", **options)
            array.name = self.name
        else:
            array = open_datasets(
                [file.url for file in files],
                kind=self.kind,
                concat_dim=args.get("concat_dim"),
                xarray_kwargs=args.get("xarray_kwargs"),
                **options,
            )
        if ignored:
            warnings.warn(
                f"{', '.join(sorted(ignored))} of {self._where} have no effect here.",
                IgnoredParameterWarning,
                stacklevel=2,
            )
        return array

    def read_chunked(self) -> xr.DataArray | xr.Dataset:
        """Open lazily; the same as `to_dask`."""
        return self.to_dask()

    def read(self) -> xr.DataArray | xr.Dataset:
        """Read everything into memory; otherwise as `to_dask`."""
        return self.to_dask().compute()

    def to_scene(self, **options: Any) -> xr.DataArray:
        """Open as a scene: lazily, as reflectance, with bands under their common names.

        Parameters
        ----------
        **options
            As for `strandline.open_scene`. They take precedence over what the source's metadata
            says under the same names: scale, offset, nodata, platform, time, crs, band_names.

        Returns
        -------
        xarray.DataArray
            Dims (band, y, x); see `strandline.open_scene`.

        Raises
        ------
        CatalogError
            If parameters are missing, the driver is unknown, or the source holds several dates.
        SceneError
            If the files are missing, damaged, or no scene.
        """
        from strandline.scenes.open import open_scene

        place, says = self.scene_and_options()
        return open_scene(place, **{**says, **options})

    def scene_and_options(self) -> tuple[Any, dict[str, Any]]:
        """Give what `strandline.open_scene` opens, and with which options.

        Raises
        ------
        CatalogError, SceneError
            As `to_scene`.
        """
        self._check_driver()
        args = self.args
        says = {name: self.metadata[name] for name in _SCENE_FACTS if name in self.metadata}
        if self.kind != "raster":
            dataset = self.to_dask()
            return dataset.assign_attrs(source=str(self.urlpath)), says
        if (args.get("concat_dim") or "band") != "band":
            raise CatalogError(
                f"{self._subject} holds several acquisitions, and a scene is one.",
                expected="the concat_dim band",
                got=repr(args["concat_dim"]),
                remedy="Pick one: open_scene(source.to_dask().isel(…=0), platform=…).",
            )
        reads = {
            # What else is chunked there is no part of a scene.
            "chunks": {
                dim: size
                for dim, size in chunk_sizes(args.get("chunks")).items()
                if dim in ("band", "y", "x")
            }
            or None,
            "storage_options": args.get("storage_options"),
        }
        # The pattern itself says which file is which band.
        is_pattern = isinstance(self.urlpath, str) and args.get("path_as_pattern", True) is True
        place = self.urlpath if is_pattern else self.urls
        return place, {**reads, **says}

    def arrays(self) -> xr.DataArray | xr.Dataset | None:
        """Open lazily like `to_dask`, if it holds arrays that may have a dimension of time."""
        return None if self.kind == "raster" else self.to_dask()

    def _check_driver(self) -> None:
        if self.kind not in ("raster", "netcdf", "zarr"):
            raise CatalogError(
                f"{self._subject} has a driver that Strandline does not read.",
                expected="rasterio, geotiff, netcdf, zarr or yaml_file_cat",
                got=repr(self.driver),
                remedy="Open it with intake, and pass what comes out to open_scene.",
            )

    def _files(self) -> list[MatchedFile]:
        args = self.args
        try:
            return match_files(
                self.urlpath,
                pattern=args.get("path_as_pattern", True),
                storage_options=args.get("storage_options"),
            )
        except ConfigurationError as error:
            raise CatalogError(
                f"{self._subject} has a urlpath that cannot be used: {error}"
            ) from error

    @property
    def nested_path(self) -> str:
        """Path of the catalogue that this source leads to, for the driver yaml_file_cat."""
        args = self.args
        found = args.get("path", args.get("urlpath"))
        if not isinstance(found, str):
            raise CatalogError(
                f"{self._subject} does not say where its catalogue is.",
                expected="args with a path",
                got=repr(found),
            )
        return found


def _mapping(
    entry: Mapping[str, Any], key: str, source: str, catalog_path: str
) -> Mapping[str, Any]:
    found = entry.get(key) or {}
    if not isinstance(found, Mapping):
        raise CatalogError(
            f"The {key} of source {source!r} of {catalog_path!r} are malformed.",
            expected="a mapping",
            got=repr(found)[:80],
        )
    return found


def _without_secrets(value: Any) -> Any:
    """Hide access keys: what is shown ends up in notebooks and logs."""
    if isinstance(value, Mapping):
        return {
            key: "…" if SECRET.search(str(key)) else _without_secrets(item)
            for key, item in value.items()
        }
    return value


def _folder(catalog_path: str) -> str:
    """Folder of the catalogue, with a slash at its end."""
    if is_url(catalog_path):
        return catalog_path.rsplit("/", 1)[0] + "/"
    return local_path(catalog_path).absolute().parent.as_posix().rstrip("/") + "/"
