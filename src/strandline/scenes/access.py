"""How GDAL reaches a file: configuration options, entered where a file is read.

Storage options are written as fsspec and intake write them (``{"anon": True}``,
``{"client_kwargs": {"endpoint_url": …}}``). GDAL wants configuration options
instead, and keeps them per thread: they have to be entered inside each read.
Stores that GDAL does not know are read through fsspec.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.session import DummySession, Session

from strandline.errors import (
    ConfigurationError,
)
from strandline.scenes.storage import (
    SCHEME,
    file_behind,
    gdal_path,
    is_local,
    listing_options,
)

_REMOTE_DEFAULTS = {
    # Listing the folder of a remote file costs a request per open and finds nothing we need.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # GDAL repeats single requests; `failures.patiently` repeats what failed in other ways.
    "GDAL_HTTP_MAX_RETRY": "1",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    # A server that goes silent is left after so many seconds.
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_LOW_SPEED_TIME": "20",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
}


_CREDENTIALS = {
    "key": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}


_AZURE = {
    "account_name": "AZURE_STORAGE_ACCOUNT",
    "account_key": "AZURE_STORAGE_ACCESS_KEY",
    "sas_token": "AZURE_STORAGE_SAS_TOKEN",
    "connection_string": "AZURE_STORAGE_CONNECTION_STRING",
}


_NAMES = {**_AZURE, **_CREDENTIALS, "region_name": "AWS_REGION", "profile": "AWS_PROFILE"}
_SWITCHES: dict[str, tuple[dict[str, str], dict[str, str]]] = {  # what they are on, and off
    "use_ssl": ({"AWS_HTTPS": "YES"}, {"AWS_HTTPS": "NO"}),
    "verify": ({}, {"GDAL_HTTP_UNSAFESSL": "YES"}),
    "requester_pays": ({"AWS_REQUEST_PAYER": "requester"}, {}),
}
_KNOWN = (
    "anon, key, secret, token, profile, endpoint_url, use_ssl, requester_pays, "
    "client_kwargs (endpoint_url, region_name, verify), "
    f"{', '.join(_AZURE)}, or any GDAL option in capitals"
)


_warning_filters = threading.Lock()  # Python keeps them per process, not per thread


class _Keys(Session):
    """Access keys for GDAL without boto3."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self.credentials = dict(credentials)

    @classmethod
    def hascreds(cls, config: Mapping[str, str]) -> bool:
        return "AWS_ACCESS_KEY_ID" in config and "AWS_SECRET_ACCESS_KEY" in config

    def get_credential_options(self) -> dict[str, str]:
        return dict(self.credentials)


def gdal_options(storage_options: Mapping[str, Any] | None, url: str | Path = "") -> dict[str, str]:
    """GDAL configuration options for fsspec-style storage options.

    Parameters
    ----------
    storage_options : mapping, optional
        As s3fs, gcsfs, adlfs and intake take them: ``anon``, ``key``, ``secret``, ``token``,
        ``profile``, ``endpoint_url``, ``use_ssl``, ``requester_pays``, ``client_kwargs``,
        ``account_name``, ``account_key``, ``sas_token``, ``connection_string``; names in capitals
        (``AWS_…``, ``GDAL_…``) are handed to GDAL as they are.
    url : str or Path
        What they are for: on Google's stores ``token`` is another thing than on Amazon's.

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
    for name in ("region_name", "endpoint_url", "verify"):
        if name in client:
            given[name] = client.pop(name)
    options: dict[str, str] = {}
    store = gdal_path(url).split("/")[1] if url else ""
    for name, value in given.items():
        if value is not None:
            special = _google_option(name, value) if store == "vsigs" else None
            options.update(_gdal_option(name, value, store) if special is None else special)
    account = _azure_account(str(url))
    if account:
        options.setdefault("AZURE_STORAGE_ACCOUNT", account)
    if client:
        raise _unknown(f"client_kwargs[{sorted(client)[0]!r}]")
    return options


def _gdal_option(name: str, value: Any, store: str) -> dict[str, str]:
    if name == "anon":
        owner = {"vsiaz": "AZURE", "vsigs": "GS"}.get(store, "AWS")
        return {f"{owner}_NO_SIGN_REQUEST": "YES"} if value else {}
    if name == "endpoint_url":
        return _endpoint(str(value))
    if name in _NAMES:
        return {_NAMES[name]: str(value)}
    if name in _SWITCHES:
        on, off = _SWITCHES[name]
        return on if value else off
    if name.isupper():
        return {name: str(value)}
    raise _unknown(repr(name))


def _google_option(name: str, value: Any) -> dict[str, str] | None:
    """Translate what gcsfs means by an option; None where it means the same as others."""
    if name == "token" and value in ("anon", "anonymous"):
        return {"GS_NO_SIGN_REQUEST": "YES"}
    if name == "token" and str(value).endswith(".json"):
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(value)}
    if name == "token":
        return {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {value}"}
    if name == "endpoint_url":
        return {"CPL_GS_ENDPOINT": str(value).rstrip("/") + "/"}
    return None


def _azure_account(url: str) -> str | None:
    """Find the account in ``abfs://container@account.dfs.core.windows.net/…``."""
    found = re.match(r"abfss?://[^/@]+@(?P<account>[^./]+)\.", url)
    return found["account"] if found else None


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
    if file_behind(path) is None:
        others = _REMOTE_DEFAULTS | others
    with rasterio.Env(session=_Keys(keys) if keys else DummySession(), **others):  # type: ignore[no-untyped-call]  # untyped library
        yield


@dataclass(frozen=True)
class Access:
    """How to reach one raster file; travels to worker processes.

    Parameters
    ----------
    url : str
        As it is shown.
    path : str
        As :func:`gdal_path` returns it.
    options : dict of str to str
        As :func:`gdal_options` returns them.
    through_fsspec : dict or None
        Storage options for fsspec, where GDAL does not know the store.
    """

    url: str
    path: str
    options: dict[str, str]
    through_fsspec: dict[str, Any] | None = None

    @classmethod
    def to(
        cls,
        url: str | Path,
        storage_options: Mapping[str, Any] | None = None,
        *,
        shown: str | None = None,
    ) -> Access:
        """Work out how to reach `url`, which is `shown` without the signature that it may have."""
        path, name = gdal_path(url), shown or str(url)
        if SCHEME.match(path):
            return cls(name, path, {}, listing_options(storage_options))
        return cls(name, path, gdal_options(storage_options, url))

    @property
    def local(self) -> bool:
        """Whether it is a plain file on this machine."""
        return is_local(self.path)

    def anew(self) -> Access:
        """Reach it without what GDAL remembers: what a URL answered, refusals too.

        A second try with credentials, or an object that was replaced, would get the old answer.
        """
        if self.local or self.through_fsspec is not None:
            return self
        return replace(self, options={**self.options, "CPL_VSIL_CURL_NON_CACHED": self.path})

    @contextmanager
    def opened(self, *, quiet: bool = False) -> Iterator[DatasetReader]:
        """Open the raster; errors are those of GDAL, fsspec and the store.

        Parameters
        ----------
        quiet : bool
            Whether nothing is said of a raster without a georeference.
        """
        with ExitStack() as stack:
            place: Any = self.path
            if self.through_fsspec is not None:
                import fsspec

                handle = fsspec.open(self.path, "rb", **self.through_fsspec)  # type: ignore[no-untyped-call]  # untyped library
                place = stack.enter_context(handle)
            stack.enter_context(reading(self.path, self.options))
            with _quietly() if quiet else nullcontext():
                dataset: DatasetReader = stack.enter_context(rasterio.open(place))
            yield dataset


@contextmanager
def _quietly() -> Iterator[None]:
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
