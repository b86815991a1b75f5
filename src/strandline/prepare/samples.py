"""Between images and the table of samples that the clustering engine takes.

A sample is one pixel. Samples are in row-major order: date by date, row by row from the
first, and along each row. Nothing per pixel is stored about where a sample came from; the
scene itself says so on the way back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from strandline.errors import ConfigurationError

SAMPLES_PER_CHUNK = 2**20
"""Rows of a lazy table that are held together at most (unless one image row has more)."""

OF_VALUES = frozenset({"units", "nodata", "_FillValue", "scales", "offsets", "long_name"})
"""Attributes that describe the values of a scene, and not where it came from."""


def to_samples(scene: xr.DataArray) -> xr.DataArray:
    """Turn an image into a table with one row per pixel.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x) or (time, band, y, x)
        Any dtype, in any order of dimensions.

    Returns
    -------
    DataArray of shape (sample, band)
        Pixels that were not observed are kept (NaN), so that `to_image` needs no index.
        Lazy if the scene is, in chunks of whole image rows. Keeps the attributes, the
        coordinates of ``band`` and the scalar coordinates, such as the CRS.

    Raises
    ------
    ConfigurationError
        If the scene has other dimensions.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> to_samples(round_lake(shape=(40, 50))).sizes
    Frozen({'sample': 2000, 'band': 6})
    """
    _check_scene(scene)
    if "time" in scene.dims:
        dates = [_table(scene.isel(time=number)) for number in range(scene.sizes["time"])]
        data = _concatenated(dates)
    else:
        data = _table(scene)
    coords = {
        name: coord
        for name, coord in scene.coords.items()
        if not {"time", "y", "x"} & set(coord.dims)
    }
    samples = xr.DataArray(data, dims=("sample", "band"), coords=coords, attrs=scene.attrs)
    samples.name = scene.name  # set here, or a nameless array takes the name of its Dask graph
    return samples


def to_image(labels: Any, like: xr.DataArray) -> xr.DataArray:
    """Turn a column or a table of samples back into an image.

    Parameters
    ----------
    labels : array of shape (sample,) or (sample, k)
        NumPy, Dask or DataArray, in the order of ``to_samples(like)``.
    like : DataArray of shape (band, y, x), (time, band, y, x), (time, y, x) or (y, x)
        The scene that the samples came from.

    Returns
    -------
    DataArray of shape (y, x) or (time, y, x); with k columns (…, k, y, x)
        Lazy if `labels` is. The k columns are named as in a DataArray, or are the bands of
        the scene if there are as many, or else ``component``. Coordinates and CRS are those
        of the scene, and so are the attributes; those that describe its values (``units``
        and the like) only where the columns are its bands. Attributes of `labels` go before.

    Raises
    ------
    ConfigurationError
        If the number of samples is not the number of pixels.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(shape=(40, 50))
    >>> to_image(to_samples(scene), like=scene).identical(scene)
    True
    """
    dates = like.sizes["time"] if "time" in like.dims else None
    if not {"y", "x"} <= set(like.dims) <= {"time", "band", "y", "x"}:
        raise ConfigurationError(
            "Samples cannot be placed.",
            expected="like=… with dimensions y and x, and perhaps time and band",
            got=f"dimensions {tuple(map(str, like.dims))}",
        )
    plane = (like.sizes["y"], like.sizes["x"])
    data, column = _columns(labels, like)
    pixels = (dates or 1) * plane[0] * plane[1]
    if data.shape[0] != pixels:
        raise ConfigurationError(
            "Samples do not fill the image.",
            expected=f"{pixels} samples ({' x '.join(map(str, (dates or 1, *plane)))})",
            got=f"{data.shape[0]}",
            remedy="Pass labels for all samples of to_samples(like), in its order.",
        )
    image = _image(data, plane) if dates is None else _images(data, plane, dates)
    dims = [*(["time"] if dates is not None else []), *([column] if column else []), "y", "x"]
    return _dressed(image, dims, labels, like, column)


# --- one date -----------------------------------------------------------------


def _check_scene(scene: xr.DataArray) -> None:
    dims = set(scene.dims)
    if dims not in ({"band", "y", "x"}, {"time", "band", "y", "x"}):
        raise ConfigurationError(
            "A scene is needed to take samples from.",
            expected="dimensions (band, y, x) or (time, band, y, x)",
            got=f"dimensions {tuple(map(str, scene.dims))}",
            remedy="For a map without bands, use map.expand_dims('band').",
        )


def _table(scene: xr.DataArray) -> Any:
    data = scene.transpose("y", "x", "band").data
    rows, columns, bands = data.shape
    if _is_dask(data):
        at_once = max(1, SAMPLES_PER_CHUNK // max(columns, 1))
        data = data.rechunk({0: _rows_per_chunk(data.chunks[0], at_once), 1: -1, 2: -1})
    return data.reshape(rows * columns, bands)


def _rows_per_chunk(chunks: tuple[int, ...], at_once: int) -> tuple[int, ...]:
    """Cut chunks of rows that are too tall, and leave the others as they are."""
    cut: list[int] = []
    for size in chunks:
        whole, rest = divmod(size, at_once)
        cut += [at_once] * whole + ([rest] if rest else [])
    return tuple(cut) or (0,)


def _concatenated(parts: list[Any]) -> Any:
    if any(_is_dask(part) for part in parts):
        import dask.array as da

        return da.concatenate(parts)  # type: ignore[no-untyped-call]  # Dask is untyped
    return np.concatenate(parts)


def _images(data: Any, plane: tuple[int, int], dates: int) -> Any:
    size = plane[0] * plane[1]
    images = [_image(data[size * date : size * (date + 1)], plane) for date in range(dates)]
    if _is_dask(data):
        import dask.array as da

        return da.stack(images)  # type: ignore[no-untyped-call]  # Dask is untyped
    return np.stack(images)


def _image(data: Any, plane: tuple[int, int]) -> Any:
    """Fold samples to rows, in front of which the columns of a table come."""
    rows, columns = plane
    if _is_dask(data):
        ends = np.unique(np.ceil(np.cumsum(data.chunks[0]) / max(columns, 1)).astype(int))
        sizes = tuple(np.diff(ends, prepend=0))
        data = data.rechunk({0: tuple(int(size) * columns for size in sizes if size)})
    image = data.reshape(rows, columns, *data.shape[1:])
    return image.transpose(2, 0, 1) if image.ndim == 3 else image


# --- what goes with the values --------------------------------------------------


def _columns(labels: Any, like: xr.DataArray) -> tuple[Any, str | None]:
    """Get at the plain array, and find the name of its columns."""
    data = labels.data if isinstance(labels, xr.DataArray) else labels
    if not _is_dask(data):
        data = np.asarray(data)
    if data.ndim == 1:
        if np.isnan(data.shape[0]):
            raise _unknown_length()
        return data, None
    if data.ndim != 2:
        raise ConfigurationError(
            "Samples have to be a column or a table.",
            expected="shape (sample,) or (sample, k)",
            got=f"shape {data.shape}",
        )
    if np.isnan(data.shape[0]):
        raise _unknown_length()
    if isinstance(labels, xr.DataArray):
        return data, str(labels.dims[1])
    return data, "band" if data.shape[1] == like.sizes.get("band") else "component"


def _unknown_length() -> ConfigurationError:
    return ConfigurationError(
        "The Dask array does not know how many samples it has.",
        expected="chunks of known length",
        got="unknown chunks",
        remedy="Call labels.compute_chunk_sizes() first.",
    )


def _dressed(
    image: Any, dims: list[str], labels: Any, like: xr.DataArray, column: str | None
) -> xr.DataArray:
    own = labels if isinstance(labels, xr.DataArray) else None
    as_bands = column == "band" and image.shape[dims.index("band")] == like.sizes.get("band")
    coords = {
        name: coord
        for name, coord in like.coords.items()
        if set(coord.dims) <= set(dims) and ("band" not in coord.dims or as_bands)
    }
    if own is not None and column is not None:
        coords |= {name: coord for name, coord in own.coords.items() if set(coord.dims) == {column}}
    attrs = {key: value for key, value in like.attrs.items() if as_bands or key not in OF_VALUES}
    result = xr.DataArray(
        image,
        dims=dims,
        coords=coords,
        attrs=attrs | (own.attrs if own is not None else {}),
    )
    result.name = own.name if own is not None else (like.name if as_bands else None)
    order = [dim for dim in like.dims if dim in dims]
    return result.transpose(*order) if as_bands else result


def _is_dask(data: Any) -> bool:
    return hasattr(data, "__dask_graph__")
