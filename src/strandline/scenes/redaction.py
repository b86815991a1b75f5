"""Passwords and signatures kept out of messages, attributes and records."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

SECRET = re.compile(
    r"(^|[_\-.])(key|secret|token|password|passwd|signature|sig|credentials?|account_key)$", re.I
)
"""Names of parameters whose values nobody should find in a file."""

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
