"""Files and folders appear whole or not at all.

A file is written under another name next to its place and renamed into it when it is complete
(`replacing`), and so is a folder that is of one piece (`replacing_folder`). The results of a run,
which share a folder with files of others, come by `strandline.export.staging.staged_folder`.

What a rename can promise: a run that fails or is interrupted, also in the middle of the move,
leaves what was there before as it was.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from strandline.errors import OutputError, StrandlineError
from strandline.paths import local_path

_PARTIAL = ".strandline-partial-"

_NEARLY_FULL = 1 << 20

_REMEDIES = {
    errno.ENOSPC: ("The disk is full.", "Free some space, or write to another disk."),
    errno.EDQUOT: ("The disk quota is used up.", "Free some space, or write to another disk."),
    errno.EFBIG: ("The file is larger than this disk or system allows.", "Write to another disk."),
    errno.EROFS: ("The disk is read-only.", "Write to another folder."),
    errno.EACCES: ("Permission denied.", "Choose a folder that you may write to."),
    errno.EPERM: ("Permission denied.", "Choose a folder that you may write to."),
    errno.ENOTDIR: ("Part of the path is a file, not a folder.", "Choose another folder."),
    errno.EEXIST: ("A file is already there.", "Choose another name."),
    errno.EISDIR: ("A folder is already there.", "Choose another name."),
    errno.ENAMETOOLONG: ("The name is too long.", "Choose a shorter name."),
}


def output_error(path: Path, reason: BaseException) -> OutputError:
    """Turn what the system (or GDAL) says about a failed write into an `OutputError`.

    Parameters
    ----------
    path : Path
        What was to be written.
    reason : BaseException
        What came instead.

    Returns
    -------
    OutputError
        To be raised from ``reason``.

    Examples
    --------
    >>> print(output_error(Path("lake.tif"), OSError(errno.ENOSPC, "No space left on device")))
    Cannot write 'lake.tif'. The disk is full. Free some space, or write to another disk.
    """
    # GDAL's own exceptions have an `errno` too, but it numbers GDAL's errors.
    number = reason.errno if isinstance(reason, OSError) else None
    if number is None:
        # GDAL reports the system's words, not its number.
        number = next((n for n in _REMEDIES if os.strerror(n) in _chain_text(reason)), None)
    if number is None and _free_bytes(path) < _NEARLY_FULL:
        number = errno.ENOSPC
    said, remedy = _REMEDIES.get(
        number or 0,
        (f"{str(reason).strip().rstrip('.') or type(reason).__name__}.", "Check the disk."),
    )
    return OutputError(f"Cannot write '{path}'. {said}", remedy=remedy)


def _free_bytes(path: Path) -> float:
    folder = next((p for p in path.absolute().parents if p.is_dir()), None)
    return shutil.disk_usage(folder).free if folder else float("inf")


def _chain_text(reason: BaseException) -> str:
    parts: list[str] = []
    link: BaseException | None = reason
    while link is not None:
        parts.append(str(link))
        link = link.__cause__ or link.__context__
    return " ".join(parts)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file elsewhere first, and put it in its place only when it is complete.

    Files that the writer leaves beside the temporary one (a sidecar such as
    ``.aux.xml``) come along, before the file itself.

    Parameters
    ----------
    path : path-like
        Where the file shall be. Missing folders are made.

    Yields
    ------
    Path
        Where to write: the same file name in a hidden folder beside ``path``.

    Raises
    ------
    OutputError
        If the file cannot be written, or the block wrote none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "areas.csv") as partial:
    ...         _ = partial.write_text("water,160.2")
    ...     [file.name for file in Path(folder).iterdir()]
    ['areas.csv']
    """
    target = local_path(path)
    with reporting(target):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        make_folder(target.parent)
        with partial_folder(target.parent) as partial:
            yield partial / target.name
            if not (partial / target.name).is_file():
                raise OutputError(f"Nothing was written for '{target}'.")
            flush(partial)
            names = [file.name for file in partial.iterdir()]
            move_files(names, partial, target.parent, last=target.name)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file, whole or not at all: UTF-8, with the same line ends on every system.

    Parameters
    ----------
    path : path-like
    text : str

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return local_path(path)


def write_json(path: str | os.PathLike[str], content: Any, *, sort_keys: bool = False) -> Path:
    """Write readable JSON, whole or not at all.

    Parameters
    ----------
    path : path-like
    content : JSON types
    sort_keys : bool
        Whether keys are sorted, rather than in the order of the content.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_json(folder + "/lake.json", {"km2": 160.2}).read_text().split()
    ['{', '"km2":', '160.2', '}']
    """
    text = json.dumps(content, sort_keys=sort_keys, indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a folder elsewhere first, and put it in its place only when it is complete.

    A folder of that name is replaced with all that is in it: whether it may go is for the caller
    to know.

    Parameters
    ----------
    path : path-like
        Where the folder shall be. Missing folders above it are made.

    Yields
    ------
    Path
        Empty folder of the same name, in a hidden one beside ``path``.

    Raises
    ------
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing_folder(Path(folder) / "product") as partial:
    ...         _ = (partial / "red.tif").write_text("pixels")
    ...     [str(file.relative_to(folder)) for file in Path(folder).rglob("*.tif")]
    ['product/red.tif']
    """
    target = local_path(path)
    with reporting(target):
        make_folder(target.parent)
        with partial_folder(target.parent) as beside:
            partial = beside / target.name
            partial.mkdir()
            yield partial
            flush(partial)
            older = beside / f"{target.name}.older"
            try:
                if target.exists():
                    target.rename(older)
                partial.rename(target)
            except BaseException:
                if older.exists() and not target.exists():
                    older.rename(target)
                raise
            sync_folder(target.parent)


def move_files(
    names: Iterable[str], source: Path, target: Path, *, last: str, stale: Iterable[str] = ()
) -> None:
    """Move files into ``target``; put everything back as it was if one of them fails."""
    backup = source.parent / f"{source.name}.backup"
    undo: list[tuple[Path, Path]] = []

    def shift(here: Path, there: Path) -> None:
        there.parent.mkdir(parents=True, exist_ok=True)
        undo.append((here, there))
        here.replace(there)

    try:
        for name in sorted(set(stale), key=lambda n: n != last):
            if (target / name).is_file():
                shift(target / name, backup / name)
        for name in sorted(names, key=lambda n: (n == last, n)):
            if (target / name).exists():
                # A link keeps the old file in its place until the new one takes it over.
                _link(target / name, backup / name)
                undo.append((target / name, backup / name))
            shift(source / name, target / name)
        sync_folder(target)
    except BaseException:
        for here, there in reversed(undo):
            if there.exists():
                there.replace(here)
        raise
    shutil.rmtree(backup, ignore_errors=True)


def _link(file: Path, copy: Path) -> None:
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, copy, follow_symlinks=False)
    except OSError:  # FAT and some network disks know no hard links
        shutil.copy2(file, copy, follow_symlinks=False)


@contextlib.contextmanager
def partial_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder for what is not complete; it is gone when the block ends."""
    # Not tempfile.mkdtemp: its folders are closed to everyone else, and ours become results.
    partial = parent / f"{_PARTIAL}{secrets.token_hex(6)}"
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def reporting(target: Path) -> Iterator[None]:
    """Turn what the system says against a write into an `OutputError`; leave errors of ours."""
    try:
        yield
    except StrandlineError:
        raise
    except OSError as reason:
        raise output_error(target, reason) from reason


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; a file in the way is called what it is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def flush(folder: Path) -> None:
    """Have the bytes of all files of a folder on the disk, before their names are."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's new names on the disk."""
    # Windows and some network disks cannot synchronise a folder; the rename holds without it.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
