"""Zip archives: what is in one, and where the raster reader finds it; nothing is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strandline.errors import UnknownProductError, UnreadableSourceError
from strandline.scenes.storage import is_companion, place_inside

_MEMBERS = 100_000
_SWELL = 100  # times its packed size: no image in JPEG 2000 gets that much smaller by packing
_SLACK = 2**24  # bytes: files up to this size do no harm
_MAX_INFLATED = 1 << 33  # bytes: more than any product has
_MAX_RATIO = 200  # of what an archive holds to its size, beyond that many bytes


@contextmanager
def opened_zip(path: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive for reading; every failure leaves as an error of ours.

    Raises
    ------
    UnreadableSourceError
        If it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError,
        KeyError, ValueError,
    ) as error:  # fmt: skip
        if isinstance(error, UnreadableSourceError | UnknownProductError):
            raise
        raise UnreadableSourceError(
            f"The archive {path!r} cannot be read: {error or 'it ends too early'}.",
            remedy="It may be truncated or damaged: fetch it again.",
        ) from error


def zip_names(path: str, source: str, *, images: bool = False) -> list[str]:
    """List the files in an archive, without companions such as ``._B4.TIF``.

    Parameters
    ----------
    path, source : str
        Of the archive; as it was asked for.
    images : bool
        Whether it holds images in JPEG 2000, which packing makes no smaller. GeoTIFFs may be
        stored plainly, and get smaller by much.

    Returns
    -------
    list of str
        Paths inside the archive.

    Raises
    ------
    UnreadableSourceError
        If it is damaged or locked, points outside of itself, or would become too large
        when unpacked.
    """
    with opened_zip(path) as archive:
        members = archive.infolist()
    if len(members) > _MEMBERS:
        raise UnreadableSourceError(
            f"The archive {source!r} holds more files than a product has.",
            expected=f"at most {_MEMBERS}",
            got=str(len(members)),
            remedy="Do not trust it.",
        )
    inflated, size = 0, Path(path).stat().st_size
    for member in members:
        place_inside(member.filename.replace("\\", "/"), source)
        inflated += member.file_size
        swells = images and member.file_size > _SLACK + _SWELL * member.compress_size
        if swells or (inflated > _MAX_INFLATED and inflated > _MAX_RATIO * size):
            raise UnreadableSourceError(
                f"A file in the archive {source!r} is suspiciously large when unpacked.",
                expected=f"at most {_SWELL if images else _MAX_RATIO} times the packed size",
                got=f"{member.filename!r}, {member.compress_size} bytes that would become "
                f"{member.file_size}",
                remedy="Fetch it again from a source that you trust.",
            )
        if member.flag_bits & 1:
            raise UnreadableSourceError(
                f"The archive {source!r} is locked with a password.",
                remedy="Unpack it, and open the folder.",
            )
    names = [member.filename for member in members if not member.is_dir()]
    return [name for name in names if not is_companion(name)]


def zip_content(path: str, name: str, limit: int) -> bytes:
    """Read the beginning of one file in an archive, at most so many bytes.

    Raises
    ------
    UnreadableSourceError
        If the archive is damaged.
    """
    with opened_zip(path) as archive, archive.open(name) as member:
        return member.read(limit)  # whatever size the archive claims


def zip_place(path: str, name: str) -> str:
    """Path under which the raster reader finds a file in an archive.

    Examples
    --------
    >>> zip_place("/data/scenes.zip", "2017/lake.tif")
    '/vsizip/{/data/scenes.zip}/2017/lake.tif'
    """
    # Braces: the archive's own name may contain anything.
    return f"/vsizip/{{{path}}}/{name}"
