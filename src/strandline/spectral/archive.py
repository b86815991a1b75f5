"""Arrays and a header as bytes: an ``.npz`` archive that executes nothing when read.

The member ``header`` is JSON (UTF-8) that names the format, its version and every number
that is not an array; the other members are plain arrays. Nothing in it is pickled, and
the same contents always give the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ModelFileError


def pack(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> bytes:
    """Write arrays and a header into one archive.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Plain arrays of numbers.
    header : mapping
        Must be JSON: numbers, names, lists, None. ``format`` and ``version`` say what it is.

    Returns
    -------
    bytes

    Raises
    ------
    ModelFileError
        If something in the header is a function or an object.

    Examples
    --------
    >>> data = pack({"x": np.arange(3)}, {"format": "example", "version": 1})
    >>> unpack(data, "example", 1)[0]["x"].tolist()
    [0, 1, 2]
    """
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            "This model cannot be written to a file.",
            expected="parameters that are numbers, names or None",
            got=str(error),
            remedy="Use an affinity that has a name, and an integer random_state.",
        ) from error
    members = dict(arrays) | {"header": np.frombuffer(text.encode(), np.uint8)}
    target = io.BytesIO()
    # Written member by member: np.savez would stamp the file with the time of day.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(members[name]), (1, 0), False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return target.getvalue()


def unpack(
    data: bytes, file_format: str, version: int
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `pack` wrote.

    Parameters
    ----------
    data : bytes
    file_format : str
        What the header's ``format`` has to be.
    version : int
        What the header's ``version`` has to be.

    Returns
    -------
    arrays : dict of str to ndarray
    header : dict

    Raises
    ------
    ModelFileError
        If the bytes are damaged, something else, or of another version.
    """
    arrays, header = _read(data)
    if not isinstance(header, dict) or header.get("format") != file_format:
        raise ModelFileError(
            "The file holds no such model.",
            expected=f"format {file_format!r}",
            got=repr(header.get("format") if isinstance(header, dict) else None),
        )
    if header.get("version") != version:
        raise ModelFileError(
            "The model file was written by another version.",
            expected=f"format version {version}",
            got=str(header.get("version")),
            remedy="Fit the model again, or read the file with the release that wrote it.",
        )
    return arrays, header


def archive_format(data: bytes) -> str:
    """Read what the header calls the format of the archive.

    Raises
    ------
    ModelFileError
        If the bytes are damaged or no archive.
    """
    _, header = _read(data)
    return str(header.get("format")) if isinstance(header, dict) else "unknown"


def _read(data: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(arrays.pop("header").tobytes())
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error,
            NotImplementedError, AttributeError, RuntimeError) as error:  # fmt: skip
        raise ModelFileError(
            "The model file is damaged or is not a model file.",
            expected="an .npz archive with a JSON header",
            got=f"{len(data)} bytes ({error})",
        ) from error
