"""What a long run has finished, kept so that an interruption costs only what was in hand.

Beside the folder of the results lies a hidden one, ``.strandline-work-NAME``, with a file
for every finished piece. Each begins with a SHA-256 of what follows, under the key of the
run: a piece that is cut off, damaged, or of another run, counts as not finished. When the
run is complete, the hidden folder goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from strandline.atomic import output_error
from strandline.errors import OutputError
from strandline.paths import local_path

_PREFIX = ".strandline-work-"
_KEY = "key"
_LOCK = "lock"
_DIGEST_BYTES = 32
_QUICKLY = 1  # zlib's fastest level: maps of classes shrink to a tenth all the same


class WorkFolder:
    """Finished pieces of one run.

    Parameters
    ----------
    folder : Path
        It is made when the first piece is kept.
    key : str
        Names the run: whatever its pieces depend on. Pieces of another run are thrown away.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self._key = key
        self._lock: IO[str] | None = None
        self._closed = False
        self._beginning = threading.Lock()  # pieces may come from several threads

    def keep(self, name: str, data: bytes) -> None:
        """Keep a piece, whole or not at all.

        Parameters
        ----------
        name : str
            A file name.
        data : bytes

        Raises
        ------
        OutputError
            If the disk does not take it, or another run works in this folder.
        """
        self._begin()
        target = self.folder / name
        partial = self.folder / f"{name}.partial"
        try:
            partial.write_bytes(self._digest(name, data) + data)
            partial.replace(target)
        except OSError as reason:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise output_error(target, reason) from reason

    def kept(self, name: str) -> bytes | None:
        """Give a piece that was kept, or None.

        Raises
        ------
        OutputError
            If another run works in this folder.
        """
        if not self.folder.is_dir():
            return None
        self._begin()
        try:
            data = (self.folder / name).read_bytes()
        except OSError:
            return None
        digest, data = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        return data if digest == self._digest(name, data) else None

    def close(self, *, remove: bool = False) -> bool:
        """Give the folder free, and throw it away if asked to or if nothing is in it.

        Returns
        -------
        bool
            Whether anything of this run is still kept.
        """
        with self._beginning:
            self._closed = True  # what threads of an interrupted run still finish is dropped
            if self._lock is None and self.folder.is_dir() and remove:
                self._open()  # an older run's: ours is complete now, and supersedes it
            mine, pieces = self._lock is not None, False
            if mine and not remove:
                pieces = any(
                    path.name not in (_KEY, _LOCK) and path.suffix != ".partial"
                    for path in self.folder.iterdir()
                )
            if mine and not pieces:
                shutil.rmtree(self.folder, ignore_errors=True)
            self._release()
        return pieces

    def _digest(self, name: str, data: bytes) -> bytes:
        digest = hashlib.sha256(f"{self._key}\n{name}\n".encode())
        digest.update(data)
        return digest.digest()

    def _begin(self) -> None:
        """Lock the folder; make it, or empty it if another run left it."""
        with self._beginning:
            if self._lock is not None and not self._closed:
                return
            if self._closed:
                raise OutputError(f"The run that worked in '{self.folder}' is over.")
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                if not self._open():
                    raise OutputError(
                        f"Another run is at work on the same results: '{self.folder}'.",
                        remedy="Wait for it, or write to another folder.",
                    )
                self._own()
            except OSError as reason:
                self._release()
                if isinstance(reason, OutputError):
                    raise
                raise output_error(self.folder, reason) from reason

    def _open(self) -> bool:
        """Lock the folder if nobody else has."""
        lock = (self.folder / _LOCK).open("w")
        if _locked(lock):
            self._lock = lock
            return True
        lock.close()
        return False

    def _own(self) -> None:
        """Empty the folder if it belongs to another run."""
        key = self.folder / _KEY
        if not key.is_file() or key.read_text(encoding="utf-8") != self._key:
            for stale in self.folder.iterdir():
                if stale.name != _LOCK:
                    stale.unlink()
            key.write_text(self._key, encoding="utf-8")

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


@contextlib.contextmanager
def work_folder(out: str | os.PathLike[str], inputs: Mapping[str, Any]) -> Iterator[WorkFolder]:
    """Give a run its hidden folder beside its results, and take it away at the end.

    If the run fails or is interrupted, the folder stays where something in it was finished,
    and the exception says so in a note.

    Parameters
    ----------
    out : path-like
        Folder of the results.
    inputs : mapping
        Whatever the finished pieces depend on, as JSON knows it. Only a hash of it is kept.

    Yields
    ------
    WorkFolder

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     with work_folder(Path(place) / "walker", {"seed": 0}) as work:
    ...         work.keep("tile-0", b"labels")
    ...         found = work.kept("tile-0"), work.kept("tile-1")
    ...     found, list(Path(place).iterdir())
    ((b'labels', None), [])
    """
    target = local_path(out)
    # As for the results themselves: an existing folder may be a disk of its own.
    parent = target if target.is_dir() else target.parent
    work = WorkFolder(parent / f"{_PREFIX}{target.name or 'results'}", _key_of(inputs))
    try:
        yield work
    except BaseException as error:
        if work.close():
            error.add_note(
                f"What was finished is kept in '{work.folder}': the same command goes on from "
                "there. Delete the folder if you do not want that."
            )
        raise
    work.close(remove=True)


def encode_tile(classes: NDArray[np.uint8], counts: NDArray[np.int64]) -> bytes:
    """Pack a tile of classes, and what was counted in it.

    `decode_tile` and `decode_counts` unpack them.
    """
    counted = zlib.compress(counts.astype("<i8").tobytes(), _QUICKLY)
    return struct.pack("<I", len(counted)) + counted + zlib.compress(classes.tobytes(), _QUICKLY)


def decode_tile(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Unpack a tile of classes.

    Examples
    --------
    >>> tile = encode_tile(np.eye(2, dtype=np.uint8), np.array([7, 8, 9]))
    >>> decode_tile(tile, (2, 2)).tolist(), decode_counts(tile, (3,)).tolist()
    ([[1, 0], [0, 1]], [7, 8, 9])
    """
    (length,) = struct.unpack_from("<I", data)
    return np.frombuffer(zlib.decompress(data[4 + length :]), np.uint8).reshape(shape)


def decode_counts(data: bytes, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Unpack what was counted in a tile."""
    (length,) = struct.unpack_from("<I", data)
    return np.frombuffer(zlib.decompress(data[4 : 4 + length]), "<i8").reshape(shape)


def _key_of(inputs: Mapping[str, Any]) -> str:
    text = json.dumps(inputs, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _locked(file: IO[str]) -> bool:
    """Lock an open file for this process, if its system can; the lock dies with the process."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network disks know no locks
        return True
    return True
