"""Servers and files that hold STAC documents: asked patiently, answered in our own errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from strandline.errors import (
    AccessDeniedError,
    MissingDependencyError,
    SceneError,
    SearchError,
    SourceNotFoundError,
    StrandlineError,
    UnreachableSourceError,
    UnreadableSourceError,
    how_to_install,
)
from strandline.paths import local_path
from strandline.scenes.redaction import unsigned, unsigned_text
from strandline.scenes.storage import check_local, is_url

SERVICES = {
    "planetary-computer": "https://planetarycomputer.microsoft.com/api/stac/v1",
    "earth-search": "https://earth-search.aws.element84.com/v1",
}
"""Short names of public services."""

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for an answer."""

TRIES = 3
"""How often a request is repeated when a server fails in a way that may pass."""

BACKOFF = 0.5
"""Seconds before a request is repeated; doubled each time."""

_PASSING = (429, 500, 502, 503, 504)


@contextmanager
def needing_packages() -> Iterator[None]:
    """Name the extra to install where one of its packages is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("strandline"):
            raise
        raise MissingDependencyError(
            f"STAC needs another package: {error}.",
            remedy=how_to_install("stac"),
        ) from error


LONGEST_REASON = 300
"""Letters of what a server or client says that are quoted."""

_CAUSE = re.compile(r"Caused by \w+\([\"']?(?:<[^>]*>|\w+\([^)]*\)): (?P<why>.+?)[\"']?\)*$")


def service_url(api: str) -> str:
    """Give the address behind a short name; any other text comes back as it is.

    Examples
    --------
    >>> service_url("earth-search")
    'https://earth-search.aws.element84.com/v1'
    """
    return SERVICES.get(api.strip().lower().replace("_", "-").replace(" ", "-"), api)


def patient_io() -> Any:
    """Make the object through which pystac reads: with time limits and repeated requests."""
    with needing_packages():
        from pystac_client.stac_api_io import StacApiIO
        from urllib3 import Retry
    retry = Retry(
        total=TRIES,
        connect=2,
        read=1,
        backoff_factor=BACKOFF,
        status_forcelist=_PASSING,
        allowed_methods=None,  # a search is a POST that changes nothing
        raise_on_status=False,
    )
    return StacApiIO(timeout=TIMEOUT, max_retries=retry)


@contextmanager
def asking(address: str) -> Iterator[None]:
    """Turn what goes wrong with a request to `address` into errors that name it."""
    with needing_packages():
        from pystac_client.exceptions import APIError
    try:
        yield
    except StrandlineError:
        raise
    except APIError as error:
        raise _refused(address, error) from None
    except FileNotFoundError:
        raise _not_found(address) from None
    except Exception as error:  # a damaged document can make pystac raise anything
        cause: BaseException = error
        while (cause.__cause__ or cause.__context__) is not None:
            cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]  # not None here
            if isinstance(cause, APIError):
                raise _refused(address, cause) from None
            if isinstance(cause, FileNotFoundError):
                raise _not_found(str(cause.filename or address)) from None
        raise SearchError(
            f"{unsigned(address)!r} does not answer as STAC does: {_first_line(error)}.",
            expected="a STAC API, catalogue, item or collection of items",
            remedy="Check the address.",
        ) from error


def _refused(address: str, error: Exception) -> SceneError:
    status = getattr(error, "status_code", None)
    shown = repr(unsigned(address))
    said = _first_line(error)
    if status in (404, 410):
        return _not_found(address)
    if status in (401, 403):
        return AccessDeniedError(
            f"{shown} refuses access (HTTP {status}).",
            remedy="The service may need an account: check its documentation.",
        )
    if status is not None and status not in _PASSING:
        return SearchError(f"{shown} does not take the request (HTTP {status}): {said}.")
    if status is not None:
        return UnreachableSourceError(
            f"{shown} failed (HTTP {status}), also when tried again.",
            remedy="The service may be down or overloaded: try later.",
        )
    timed_out = "timed out" in str(error).lower()
    return UnreachableSourceError(
        f"{shown} does not answer" + (" in time." if timed_out else f": {said}."),
        remedy="Check the address and the network.",
    )


def _not_found(address: str) -> SourceNotFoundError:
    return SourceNotFoundError(
        f"There is nothing at {unsigned(address)!r}.", remedy="Check the address."
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    line = re.sub(r"<[^<>]{1,80}>", "", text).strip().splitlines() or [type(error).__name__]
    # HTTP clients give a chain of reasons, of which the last one says why.
    cause = _CAUSE.search(line[0])
    text = unsigned_text(cause["why"] if cause else line[0]).rstrip(". ")
    if len(text) <= LONGEST_REASON:
        return text
    return text[:LONGEST_REASON].rpartition(" ")[0] + " …"


def read_document(address: str) -> dict[str, Any]:
    """Read one JSON object from a file or a server.

    Parameters
    ----------
    address : str
        Path or URL.

    Returns
    -------
    dict

    Raises
    ------
    SourceNotFoundError, UnreachableSourceError, AccessDeniedError
        If it cannot be had.
    UnreadableSourceError
        If it is not a JSON object.
    """
    if is_url(address):
        with asking(address):
            text = patient_io().read_text(address)
    else:
        check_local(address)
        path = local_path(address)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            raise SourceNotFoundError(f"There is no file {address!r}.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableSourceError(f"{address!r} cannot be read: {error}.") from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableSourceError(
            f"{unsigned(address)!r} is not JSON: {_first_line(error)}.",
            got=repr(text[:40]) if text.strip() else "an empty document",
            remedy="Check the address: a web page for people is not the service itself.",
        ) from error
    if not isinstance(document, Mapping):
        raise UnreadableSourceError(
            f"{unsigned(address)!r} is not a STAC document.",
            expected="a JSON object",
            got=type(document).__name__,
        )
    return dict(document)
