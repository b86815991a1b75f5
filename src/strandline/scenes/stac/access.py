"""How a file of an item is reached: which of its addresses, and with which signature.

Signatures are made where a file is read and live no longer than the reading: they are in no
graph, attribute, record or message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from strandline.errors import UnreachableSourceError
from strandline.scenes.redaction import unsigned_text
from strandline.scenes.stac.service import needing_packages

_BLOBS = ".blob.core.windows.net"
_S3_OPTIONS = {"key", "secret", "token", "profile", "requester_pays", "endpoint_url", "anon"}


def best_address(
    href: str, alternates: tuple[str, ...], storage_options: Mapping[str, Any] | None
) -> str:
    """Choose among the addresses of a file by what the caller has access to.

    Parameters
    ----------
    href : str
        The first address.
    alternates : tuple of str
        The others.
    storage_options : mapping or None
        As for `strandline.open_scene`.

    Returns
    -------
    str
        The one on S3 where the caller gives options of S3; else the first.

    Examples
    --------
    >>> best_address("https://a.example/B4.TIF", ("s3://a/B4.TIF",), {"requester_pays": True})
    's3://a/B4.TIF'
    """
    given = {name for name in storage_options or {} if name in _S3_OPTIONS or name[:4] == "AWS_"}
    if given and not href.startswith("s3://"):
        return next((other for other in alternates if other.startswith("s3://")), href)
    return href


def signed(href: str) -> str:
    """Sign the address of a file of the Planetary Computer; any other comes back as it is.

    Parameters
    ----------
    href : str
        Unsigned.

    Returns
    -------
    str
        Good for less than an hour.

    Raises
    ------
    UnreachableSourceError
        If the service gives no signature.
    MissingDependencyError
        If the package ``planetary-computer`` is not installed.
    """
    if not urlsplit(href).netloc.endswith(_BLOBS):
        return href
    with needing_packages():
        import planetary_computer  # type: ignore[import-untyped]  # no type information
    try:
        address: str = planetary_computer.sign_url(href)
    except Exception as error:  # of its web client
        raise UnreachableSourceError(
            f"The Planetary Computer gave no signature for {href!r}.",
            got=unsigned_text(str(error).splitlines()[0] if str(error) else type(error).__name__),
            remedy="Check the network, or try later.",
        ) from error
    return address
