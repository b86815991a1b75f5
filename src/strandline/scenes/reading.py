"""Raster files opened for reading: again where a server failed, and with errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from strandline.errors import (
    SceneError,
    UnreadableSourceError,
)
from strandline.scenes.access import Access
from strandline.scenes.failures import ATTEMPTS, Result, not_found, of_raster, patiently
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import check_local, file_behind, needs_package


def tried(access: Access, action: Callable[[int], Result]) -> Result:
    """Do something with a raster, again where a server failed; as often as GDAL was told to."""
    told = access.options.get("GDAL_HTTP_MAX_RETRY")
    return patiently(action, attempts=ATTEMPTS if told is None else int(told) + 1)


def read_raster(access: Access, read: Callable[[DatasetReader], Result]) -> Result:
    """Open one file and read from it, again where a server failed; inside a task or outside.

    Parameters
    ----------
    access : Access
        Of the file.
    read : callable
        Is given the open dataset.

    Returns
    -------
    object
        What `read` returns.

    Raises
    ------
    SourceNotFoundError, AccessDeniedError, UnreachableSourceError, UnreadableSourceError
        Also for what fails inside `read`.
    """

    def attempt(number: int) -> Result:
        with opened_raster(access.anew() if number else access, quiet=True) as dataset:
            return read(dataset)

    return tried(access, attempt)


@contextmanager
def opened_raster(access: Access, *, quiet: bool) -> Iterator[DatasetReader]:
    """Open for reading; every failure of GDAL leaves as an error of ours."""
    file = file_behind(access.path)
    if file is not None:
        check_local(str(file))
        if not file.exists():
            raise not_found(access.url)
    try:
        with access.opened(quiet=quiet) as dataset:
            if not dataset.count:
                raise UnreadableSourceError(
                    f"{redact_url(access.url)!r} holds no raster bands of its own.",
                    remedy="Pass the path of one of its subdatasets: "
                    + (", ".join(dataset.subdatasets[:4]) or "there are none."),
                )
            yield dataset
    except SceneError:
        raise
    except ImportError as error:
        raise needs_package(f"Reading {redact_url(access.url)!r}", error) from error
    except Exception as error:  # of GDAL, or of the store where fsspec reads
        if not (isinstance(error, RasterioError | OSError) or access.through_fsspec is not None):
            raise
        explained = of_raster(access, error)
        # GDAL's own error beneath it cannot be pickled, and a worker process would send back a
        # bare Exception in place of ours.
        error.__cause__ = error.__context__ = None
        raise explained from error
