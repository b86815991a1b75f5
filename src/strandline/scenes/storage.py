"""Where a scene's bytes are, and what GDAL must be told to reach them.

Storage options are written as fsspec and intake write them (``{"anon": True}``,
``{"client_kwargs": {"endpoint_url": …}}``). GDAL wants configuration options
instead, and keeps them per thread: they have to be entered inside each read.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rasterio
from rasterio.session import DummySession, Session

from strandline.errors import (
    ConfigurationError,
    MissingDependencyError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)

_VSI_OF_SCHEME = {"s3": "/vsis3/", "s3a": "/vsis3/", "gs": "/vsigs/", "gcs": "/vsigs/"}
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")

# Listing the folder of a remote file costs a request per open and finds nothing we need.
_REMOTE_DEFAULTS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
}
_CREDENTIALS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}
_KNOWN = (
    "anon, key, secret, token, profile, endpoint_url, use_ssl, requester_pays, "
    "client_kwargs (endpoint_url, region_name, verify), or any GDAL option in capitals"
)


class _Keys(Session):
    """Access keys for GDAL without boto3."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = dict(credentials)

    @classmethod
    def hascreds(cls, config: Mapping[str, str]) -> bool:
        return "AWS_ACCESS_KEY_ID" in config and "AWS_SECRET_ACCESS_KEY" in config

    def get_credential_options(self) -> dict[str, str]:
        return dict(self.credentials)


def is_url(source: str) -> bool:
    """Whether `source` is a URL with a scheme, other than ``file://``.

    Examples
    --------
    >>> is_url("s3://bucket/scene.tif"), is_url("scene.tif"), is_url("file:///scene.tif")
    (True, False, False)
    """
    return bool(_SCHEME.match(source)) and not source.startswith("file://")


def is_local(path: str) -> bool:
    """Whether a path as :func:`gdal_path` returns it names a plain file on this machine."""
    return not path.startswith("/vsi")


def check_local(source: str) -> None:
    """Refuse a local path that the system cannot hold, and one that is neither file nor folder.

    Reading a pipe or a device may wait, or go on, for ever.

    Parameters
    ----------
    source : str
        Path or URL; only local paths are looked at, and need not exist.

    Raises
    ------
    SourceNotFoundError
        If no file can have this name.
    UnreadableSourceError
        If it is a pipe, a socket or a device.

    Examples
    --------
    >>> check_local("scene.tif")
    >>> check_local("/dev/zero")
    Traceback (most recent call last):
    ...
    strandline.errors.UnreadableSourceError: '/dev/zero' is no file. Expected a file or ...
    """
    path = source.removeprefix("file://")
    if is_url(path) or path.startswith("/vsi"):
        return
    try:
        mode = Path(path).expanduser().stat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, PermissionError | NotADirectoryError):
            return  # whoever opens it says so
        raise SourceNotFoundError(
            f"There can be no file of the name {source[:60]!r}{'…' if len(source) > 60 else ''}.",
            remedy="Check the path: it is too long, a link that leads to itself, or no path.",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnreadableSourceError(
            f"{source!r} is no file.",
            expected="a file or a folder",
            got="a pipe, a socket or a device",
            remedy="Write its content to a file first.",
        )


def gdal_path(url: str | Path) -> str:
    """Path under which GDAL finds `url`.

    Parameters
    ----------
    url : str or Path
        A local path, ``file://``, ``s3://``, ``gs://``, ``http(s)://``, or a GDAL ``/vsi…`` path.

    Returns
    -------
    str
        Local paths come back absolute, because a worker process may sit in another folder.

    Raises
    ------
    UnknownProductError
        If the scheme is none of these.

    Examples
    --------
    >>> gdal_path("s3://landsat-pds/scene.tif")
    '/vsis3/landsat-pds/scene.tif'
    >>> gdal_path("https://example.org/scene.tif")
    '/vsicurl/https://example.org/scene.tif'
    """
    text = str(url)
    if text.startswith("/vsi"):
        return text
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif _SCHEME.match(text):
        scheme = urlsplit(text).scheme.lower()
        if scheme in ("http", "https"):
            return f"/vsicurl/{text}"
        if scheme in _VSI_OF_SCHEME:
            return _VSI_OF_SCHEME[scheme] + text.split("://", 1)[1]
        raise UnknownProductError(
            f"Rasters cannot be read from {text!r}.",
            expected="a local path, file://, s3://, gs://, http:// or https://",
            got=f"{scheme}://",
        )
    return str(Path(text).expanduser().absolute())


def gdal_options(storage_options: Mapping[str, Any] | None) -> dict[str, str]:
    """GDAL configuration options for fsspec-style storage options.

    Parameters
    ----------
    storage_options : mapping, optional
        As s3fs and intake take them: ``anon``, ``key``, ``secret``, ``token``, ``profile``,
        ``endpoint_url``, ``use_ssl``, ``requester_pays``, ``client_kwargs``; names in capitals
        (``AWS_…``, ``GDAL_…``) are handed to GDAL as they are.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ConfigurationError
        If an option is not known: it would be ignored otherwise.

    Examples
    --------
    >>> gdal_options({"anon": True, "client_kwargs": {"region_name": "us-west-2"}})
    {'AWS_NO_SIGN_REQUEST': 'YES', 'AWS_REGION': 'us-west-2'}
    """
    given = dict(storage_options or {})
    client = dict(given.pop("client_kwargs", None) or {})
    if "region_name" in client:
        given["region_name"] = client.pop("region_name")
    if "endpoint_url" in client:
        given["endpoint_url"] = client.pop("endpoint_url")
    if "verify" in client:
        given["verify"] = client.pop("verify")
    options: dict[str, str] = {}
    for name, value in given.items():
        if value is not None:
            options.update(_gdal_option(name, value))
    if client:
        raise _unknown(f"client_kwargs[{sorted(client)[0]!r}]")
    return options


def _gdal_option(name: str, value: Any) -> dict[str, str]:
    if name == "anon":
        # GDAL reads one public bucket the same way on AWS and on Google.
        return {"AWS_NO_SIGN_REQUEST": "YES"} if value else {}
    if name in _CREDENTIALS:
        return {_CREDENTIALS[name]: str(value)}
    if name == "endpoint_url":
        return _endpoint(str(value))
    if name == "region_name":
        return {"AWS_REGION": str(value)}
    if name == "profile":
        return {"AWS_PROFILE": str(value)}
    if name == "use_ssl":
        return {"AWS_HTTPS": "YES" if value else "NO"}
    if name == "verify":
        return {} if value else {"GDAL_HTTP_UNSAFESSL": "YES"}
    if name == "requester_pays":
        return {"AWS_REQUEST_PAYER": "requester"} if value else {}
    if name.isupper():
        return {name: str(value)}
    raise _unknown(repr(name))


def _endpoint(url: str) -> dict[str, str]:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    return {
        "AWS_S3_ENDPOINT": parts.netloc + parts.path.rstrip("/"),
        "AWS_HTTPS": "NO" if parts.scheme == "http" else "YES",
        # bucket.host does not resolve on the usual self-hosted stores.
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


def _unknown(option: str) -> ConfigurationError:
    return ConfigurationError(
        f"The storage option {option} is not known, and would have no effect.", expected=_KNOWN
    )


@contextmanager
def reading(path: str, options: Mapping[str, str]) -> Iterator[None]:
    """Let GDAL reach `path` with `options` while the block runs, in this thread.

    Parameters
    ----------
    path : str
        As :func:`gdal_path` returns it.
    options : mapping of str to str
        As :func:`gdal_options` returns them.
    """
    keys = {name: options[name] for name in _CREDENTIALS.values() if name in options}
    others = {name: value for name, value in options.items() if name not in keys}
    if not is_local(path):
        others = _REMOTE_DEFAULTS | others
    if others.get("AWS_NO_SIGN_REQUEST") == "YES" and path.startswith("/vsigs/"):
        others["GS_NO_SIGN_REQUEST"] = "YES"
    with rasterio.Env(session=_Keys(keys) if keys else DummySession(), **others):  # type: ignore[no-untyped-call]  # untyped library
        yield


def needs_package(task: str, error: ImportError) -> MissingDependencyError:
    """Make the error for a store whose package is not installed; `task` says what was tried."""
    return MissingDependencyError(
        f"{task} needs another package: {error}.",
        remedy="Install it: pip install 'strandline[io]' (S3), pip install aiohttp (HTTP).",
    )
