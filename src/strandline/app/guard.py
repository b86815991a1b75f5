"""Who may use a server: requests by its own names alone, pages of its own, in no frame.

A page of another site can have a browser send requests to this machine, and can have a name of its
own resolve to it (DNS rebinding). Such requests carry a foreign ``Host``, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError, OutputTransform, RequestHandler

from strandline.errors import ConfigurationError

_THIS_MACHINE = {"localhost", "127.0.0.1", "[::1]"}


class _Refused(RequestHandler):
    """Answers a request for a host that this server is not."""

    def prepare(self) -> None:
        raise HTTPError(403, reason="Not a host of this server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("This server does not answer to that host name: strandline app --allow HOST.\n")


class _NoFrames(OutputTransform):
    """Keeps other sites from showing anything of this server in a frame."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        # Added, not set: a stricter policy of a handler stays in force.
        headers.add("Content-Security-Policy", "frame-ancestors 'none'")
        headers["X-Frame-Options"] = "DENY"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        return status_code, headers, chunk


def guard(server: Any, address: str, allow: Iterable[tuple[str, int | None]] = ()) -> None:
    """Restrict a Bokeh server to requests for its own names, and to pages of its own.

    Parameters
    ----------
    server : bokeh.server.server.Server
        Bound already: its port is known.
    address : str
        That it listens on.
    allow : iterable of (str, int or None)
        Further names by which it is reached, from `host_and_port`.
    """
    own = {address if ":" not in address else f"[{address}]", *_THIS_MACHINE}
    more = list(allow)
    named = [*((host, None) for host in own), *more]
    origins = {f"{host}:{port or server.port}" for host, port in named}
    # Behind a proxy the browser may leave the usual port out.
    origins |= {f"{host}:{usual}" for host, port in more if port is None for usual in (80, 443)}
    application = server._tornado
    # Bokeh takes them before the port is known, if it is to be a free one.
    application._websocket_origins = origins
    hosts = "|".join(sorted(re.escape(host) for host, _ in named))
    application.add_handlers(rf"(?!(?:{hosts})$).*", [(r".*", _Refused)])
    application.add_transform(_NoFrames)


def host_and_port(name: str) -> tuple[str, int | None]:
    """Read the name of a host, with or without a port.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    host, port, rest = None, None, ""
    with suppress(ValueError):
        parts = urlsplit(f"//{name.strip()}")
        host, port = parts.hostname, parts.port
        rest = parts.path + parts.query + parts.fragment + (parts.username or "")
    if not host or rest or not re.fullmatch(r"[a-z0-9_:-][a-z0-9_.:-]{,252}", host):
        raise ConfigurationError(
            f"'{name[:80]}' is not a name of a host.",
            expected="a host, or host:port, without http:// and path, in ASCII",
            got=repr(name[:80]),
        )
    return (f"[{host}]" if ":" in host else host), port
