"""What went wrong when a file was asked for, in errors of ours; and asking again.

Every store has its own family of errors, and GDAL has words of its own for them. What
matters to a user is one of four things: nothing is there, access was refused, nobody
answered (which may pass), or what came is not a raster.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from strandline.errors import (
    AccessDeniedError,
    SceneError,
    SourceNotFoundError,
    UnreachableSourceError,
    UnreadableSourceError,
)
from strandline.scenes.access import Access
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import needs_package

Result = TypeVar("Result")

ATTEMPTS = 3
FIRST_WAIT = 0.5  # seconds, doubled with every further attempt
PROBE_SECONDS = 10

_STATUS = re.compile(
    r"(?:HTTP response code(?: on URL)?:? ?|response_code=|HTTP error code ?: ?)(\d{3})"
)
_REFUSED = ("AccessDenied", "Access Denied", "InvalidAccessKeyId", "SignatureDoesNotMatch",
            "InvalidCredentials", "Forbidden")  # fmt: skip
_NOT_THERE = ("no such file", "does not exist", "not found", "no such key", "nosuchkey",
              "nosuchbucket", "blobnotfound", "containernotfound")  # fmt: skip
_UNANSWERED = ("CURL error", "Could not resolve", "Connection refused", "Connection reset",
               "timed out", "Timeout", "ailed to connect", "not connect", "SlowDown")  # fmt: skip
# With these, GDAL shows a web server who asks; without, the answer is another one.
_CREDENTIALS = {"GDAL_HTTP_HEADERS", "GDAL_HTTP_HEADER_FILE", "GDAL_HTTP_USERPWD",
                "GDAL_HTTP_BEARER", "GDAL_HTTP_AUTH"}  # fmt: skip


def patiently(
    action: Callable[[int], Result], *, attempts: int = ATTEMPTS, wait: float = FIRST_WAIT
) -> Result:
    """Do something that reaches for a store, again if it fails in a way that may pass.

    Parameters
    ----------
    action : callable
        Is called with the number of the attempt, from 0.
    attempts : int
        How often at most.
    wait : float
        Seconds before the second attempt; each further one waits twice as long.

    Returns
    -------
    object
        What `action` returns.

    Raises
    ------
    UnreachableSourceError
        If it was raised every time. Any other error is raised at once.

    Examples
    --------
    >>> def read(attempt):
    ...     if attempt == 0:
    ...         raise UnreachableSourceError("The server is busy.")
    ...     return "pixels"
    >>> patiently(read, wait=0)
    'pixels'
    """
    for attempt in range(attempts - 1):
        try:
            return action(attempt)
        except UnreachableSourceError:
            time.sleep(wait * 2**attempt)
    return action(attempts - 1)


def asking(url: str, action: Callable[[], Result], *, task: str = "Reading") -> Result:
    """Ask a store through fsspec, patiently; whatever it raises leaves as an error of ours.

    Parameters
    ----------
    url : str
        What is asked for.
    action : callable
        Without arguments.
    task : str
        Says what was tried: "Reading", "Listing".

    Returns
    -------
    object
        What `action` returns.

    Raises
    ------
    SourceNotFoundError, AccessDeniedError, UnreachableSourceError, UnreadableSourceError
        As the store's answer was.
    MissingDependencyError
        If the package for this kind of store is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> asking("nowhere.nc", Path("nowhere.nc").read_bytes)
    Traceback (most recent call last):
    ...
    strandline.errors.SourceNotFoundError: There is no file 'nowhere.nc'. ...
    """

    def attempt(_: int) -> Result:
        try:
            return action()
        except SceneError:
            raise
        except ImportError as error:
            raise needs_package(f"{task} {redact_url(url)!r}", error) from error
        except Exception as error:  # every store brings its own family of errors
            raise _of_store(url, error, task) from error

    return patiently(attempt)


def _of_store(url: str, error: Exception, task: str) -> SceneError:
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and _of_web_client(cause):
        # fsspec says of a web server that did not answer that the file is not there.
        error = cast("Exception", cause)
    status = getattr(error, "status", None) or getattr(error, "status_code", None)
    words = f"{type(error).__name__} {error}"
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return not_found(url)
    if isinstance(error, PermissionError) or status in (401, 403) or _any(_REFUSED, words):
        return refused(url, str(status or error))
    lost = isinstance(error, TimeoutError | ConnectionError) or _any(_UNANSWERED, words)
    if (
        lost
        or _of_web_client(error)
        or (isinstance(status, int) and (status == 429 or status >= 500))
    ):
        return unreachable(url, f"HTTP {status}" if status else str(error) or type(error).__name__)
    return UnreadableSourceError(
        f"{task} {redact_url(url)!r} failed: {str(error) or type(error).__name__}.",
        remedy="Check the URL, the network and storage_options=…",
    )


def _of_web_client(error: BaseException | None) -> bool:
    return type(error).__module__.partition(".")[0] == "aiohttp"


def of_raster(access: Access, error: Exception) -> SceneError:
    """Say why GDAL could not open or read a raster.

    Parameters
    ----------
    access : Access
        Of the file.
    error : Exception
        As it was raised.

    Returns
    -------
    SceneError
    """
    reason = str(error).strip().rstrip(".")
    cause = error.__cause__
    if "previous exception" in reason and cause is not None:
        reason = str(cause).strip().rstrip(".")
    # GDAL names the file as it reached it, with a signature where there is one.
    reason = reason.replace(access.path, access.url)
    reason = reason.replace(access.path.removeprefix("/vsicurl/"), access.url)
    if access.through_fsspec is not None and not type(error).__module__.startswith("rasterio"):
        return _of_store(access.url, error, "Reading")
    if access.local:
        absent = _any(_NOT_THERE, reason.lower()) and not Path(access.path).exists()
        return not_found(access.url) if absent else _damaged(access.url, reason)
    found = _STATUS.search(reason)
    told = _of_status(access.url, int(found[1])) if found else None
    if told is not None:
        return told
    if _any(_REFUSED, reason):
        return refused(access.url, reason)
    if _any(_NOT_THERE, reason.lower()):
        return not_found(access.url)
    if _any(_UNANSWERED, reason):
        return unreachable(access.url, reason)
    return _probed(access) or _damaged(access.url, reason)


def _of_status(url: str, status: int) -> SceneError | None:
    if status in (404, 410):
        return not_found(url)
    if status in (401, 403):
        return refused(url, f"HTTP {status}")
    if status == 429 or status >= 500:
        return unreachable(url, f"HTTP {status}")
    return None


def _probed(access: Access) -> SceneError | None:
    """Ask a web server once more, in our own words: GDAL keeps some answers to itself.

    To it, a file whose bytes were refused is a file of another format.
    """
    url = access.path.removeprefix("/vsicurl/")
    if _CREDENTIALS & set(access.options) or not url.startswith(("http://", "https://")):
        return None
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"Range": "bytes=0-1023"})
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            announced, came = int(answer.headers.get("Content-Length", 0)), answer.read(1024)
    except urllib.error.HTTPError as error:
        return _of_status(access.url, error.code)
    except OSError as error:
        return unreachable(access.url, str(getattr(error, "reason", error)))
    if len(came) < min(announced, 1024):
        return unreachable(access.url, f"{len(came)} bytes instead of {announced}")
    if kind == "text/html":
        return UnreadableSourceError(
            f"There is a web page at {redact_url(access.url)!r}, not a raster.",
            expected="a raster file",
            got=kind,
            remedy="It may be a page to log in at, or one about the file: use the file's own link.",
        )
    return None


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)


def not_found(url: str) -> SourceNotFoundError:
    """Make the error for a file that is not there."""
    return SourceNotFoundError(
        f"There is no file {redact_url(url)!r}.",
        remedy="Check the path, or the access to the store.",
    )


def refused(url: str, got: str) -> AccessDeniedError:
    """Make the error for a file that its owner does not let us read."""
    return AccessDeniedError(
        f"Access to {redact_url(url)!r} was refused.",
        got=got,
        remedy="Pass credentials in storage_options=…, or {'anon': True} for a public bucket; a "
        "signed link may have run out.",
    )


def unreachable(url: str, got: str) -> UnreachableSourceError:
    """Make the error for a server that did not answer, or not to the end."""
    return UnreachableSourceError(
        f"{redact_url(url)!r} could not be reached, also when tried again.",
        got=got,
        remedy="Check the network and the address, or try later; what was finished is kept.",
    )


def _damaged(url: str, reason: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        f"{redact_url(url)!r} cannot be read as a raster: {redact_url(reason)}.",
        remedy="It may be truncated, damaged, or not a raster: try gdalinfo, or download it again.",
    )
