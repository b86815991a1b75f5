"""Passwords and signatures kept out of messages, attributes and records.

`redact_url` is for what people read: it shows that there was a secret, and takes any parameter for
one that is named like it. `unsigned` is for addresses that are used again, signed anew: it leaves
no trace of a signature, and takes off nothing else, since a file may be named by a parameter.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

SECRET = re.compile(
    r"(^|[_\-.])(key|key_id|secret|token|password|passwd|signature|sig|credentials?"
    r"|connection_string)$",
    re.IGNORECASE,
)
"""Names of parameters whose values nobody should find in a file, a notebook or a log."""

_SIGNATURE = {"sig", "signature", "x-amz-signature", "x-goog-signature", "se", "token"}
"""Names of parameters, in small letters, that only a signed address has."""

REDACTED = "***"

_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]+://|/vsi", re.IGNORECASE)


def redact_url(text: str) -> str:
    """Remove passwords and signatures from a URL; other text comes back as it is.

    Examples
    --------
    >>> redact_url("https://blob.example/B3.tif?se=2026&sig=abc")
    'https://blob.example/B3.tif?***'
    """
    if not _SCHEME.match(text) or text.startswith("file://"):
        return text
    try:
        parts = urlsplit(text)
        hostname, port = parts.hostname, parts.port
    except ValueError:
        return text
    netloc = parts.netloc
    # Azure writes the container there, which is no secret.
    if "@" in netloc and parts.scheme not in ("abfs", "abfss"):
        netloc = f"{REDACTED}@{hostname or ''}" + (f":{port}" if port else "")
    signed = any(SECRET.search(name) for name, _ in parse_qsl(parts.query, True))
    query = REDACTED if signed else parts.query
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))


def unsigned(address: str) -> str:
    """Take the signature off a URL, and a password out of it.

    Examples
    --------
    >>> unsigned("https://store.example/B4.tif?se=2026&sig=abc")
    'https://store.example/B4.tif'
    >>> unsigned("https://store.example/B4.tif?version=2")
    'https://store.example/B4.tif?version=2'
    """
    if "://" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    place = parts.netloc.rpartition("@")[2]
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    query = "" if names & _SIGNATURE else parts.query
    return parts._replace(netloc=place, query=query).geturl()


def unsigned_text(text: str) -> str:
    """Take the signatures off all URLs in a text.

    Examples
    --------
    >>> unsigned_text("GET https://a.example/x.tif?sig=abc failed")
    'GET https://a.example/x.tif failed'
    """
    return re.sub(r"https?://[^\s'\"<>]+", lambda found: unsigned(found[0]), text)
