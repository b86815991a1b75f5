"""A product's archive: what is in it, and the members of a compressed tar, unpacked once.

Members of an uncompressed tar, and of a zip archive, are read in place. A compressed tar has to be
inflated from its start for every read (5.6 s per pass over 190 MB of bands where unpacking takes
4.1 s once, and 0.3 s per pass after it), so the members that are needed are unpacked once into
a cache.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from strandline.atomic import replacing
from strandline.errors import OutputError, UnknownProductError, UnreadableSourceError
from strandline.scenes.cache import cache_folder
from strandline.scenes.landsat.naming import is_metadata, is_of_product
from strandline.scenes.storage import place_inside
from strandline.scenes.zipped import zip_content, zip_names

MAX_TEXT = 1 << 22
"""Bytes of the largest MTL file that is read; real ones have some 15,000."""

_MAX_INFLATED = 1 << 33  # bytes: more than any product has
_MAX_RATIO = 200  # of what an archive holds to its size; images get to 10 at most


def members_of(path: str) -> dict[str, str]:
    """List the files of the product in an archive.

    Returns
    -------
    dict of str to str
        File name (without folders) to its path inside the archive.

    Raises
    ------
    UnreadableSourceError
        If it is damaged, points outside of itself, or would become too large when unpacked.
    UnknownProductError
        If it holds no product, or two files of one name.
    """
    members = zip_names(path, path) if is_zip(path) else _names(path)
    places: dict[str, str] = {}
    for member in members:
        name = PurePosixPath(member).name
        if not is_of_product(member):
            continue
        if name in places:
            raise UnknownProductError(
                f"The archive {path!r} holds {name!r} more than once.",
                remedy="Unpack it, and open one of its folders.",
            )
        places[name] = member
    if not places:
        raise UnknownProductError(
            f"The archive {path!r} holds no Landsat product.",
            expected="a product's MTL and GeoTIFF files",
            got="neither",
        )
    return places


def is_zip(path: str) -> bool:
    """Whether a path is named like a zip archive."""
    return path.lower().endswith(".zip")


def _names(path: str) -> list[str]:
    """List the files in a tar archive, and refuse one that is not to be trusted."""
    names = []
    with _tar(path) as tar:
        size, inflated = Path(path).stat().st_size, 0
        for member in tar:
            inflated += member.size
            # Before it is skipped over, for that inflates it.
            if (inflated > _MAX_INFLATED and inflated > _MAX_RATIO * size) or (
                is_metadata(member.name) and member.size > MAX_TEXT
            ):
                raise UnreadableSourceError(
                    f"The archive {path!r} would become too large when unpacked.",
                    expected=f"at most {_MAX_INFLATED:,} bytes in all, {MAX_TEXT:,} of metadata",
                    got=f"{member.size:,} for {member.name!r}",
                    remedy="Do not trust it.",
                )
            place_inside(member.name, path)
            if member.isfile():
                names.append(member.name)
    return names


@contextmanager
def _tar(path: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableSourceError(
            f"The archive {path!r} cannot be read: {error or 'it ends too early'}.",
            remedy="It may be truncated or damaged: fetch it again.",
        ) from error


def member_content(path: str, member: str, limit: int) -> bytes:
    """Read the beginning of one member, at most so many bytes.

    Raises
    ------
    UnreadableSourceError
        If the archive is damaged.
    """
    if is_zip(path):
        return zip_content(path, member, limit)
    with _tar(path) as tar:
        content = tar.extractfile(member)
        return b"" if content is None else content.read(limit)


def unpacked(archive: str, members: Mapping[str, str]) -> list[str]:
    """Unpack members into the cache, where they are not there yet.

    Parameters
    ----------
    archive : str
    members : mapping of str to str
        File name to path inside the archive.

    Returns
    -------
    list of str
        Paths of the copies, in the order of `members`. They belong to this state of the archive:
        one that was replaced is unpacked anew.

    Raises
    ------
    UnreadableSourceError
        If the archive is damaged.
    OutputError
        If there is no room.
    """
    status = Path(archive).stat()
    key = f"{archive}:{status.st_size}:{status.st_mtime_ns}"
    folder = cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:20]
    missing = {inside: name for name, inside in members.items() if not (folder / name).exists()}
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _tar(archive) as tar:
                for member in tar:
                    if member.name in missing:
                        _write(tar, member, folder / missing[member.name])
        except UnreadableSourceError:
            raise
        except OSError as error:
            raise OutputError(
                f"{archive!r} cannot be unpacked into {folder}: {_reason(error)}",
                remedy="Make room, or name another folder in STRANDLINE_CACHE.",
            ) from error
    return [str(folder / name) for name in members]


def _reason(error: OSError) -> str:
    return error.problem if isinstance(error, OutputError) else f"{error}."


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one member under a name of ours; complete or not at all."""
    content = tar.extractfile(member)
    if content is None:
        return
    with replacing(target) as partial_file, partial_file.open("wb") as out:
        for block in _blocks(content):
            out.write(block)


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := content.read(1 << 20):
            yield block
    except gzip.BadGzipFile as error:  # an OSError, but not one of the disk that is written to
        raise tarfile.ReadError(str(error)) from error
