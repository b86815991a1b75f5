"""A web server on loopback for tests: files by range, bytes counted, and failures on demand."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class FileServer:
    """Serves a folder; ``/~MODE/`` before a path makes the server misbehave for that file.

    Modes: a status such as ``403`` (always), ``get500`` (to requests for bytes only),
    ``once503`` (first request only), ``html`` (a page in place of the file), ``short`` (half of
    every body), ``shortonce``, ``hang``, ``whole`` (no ranges).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.sent = 0
        self.asked: Counter[str] = Counter()
        self.log: list[tuple[str, str, str | None]] = []
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"site": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, name: str, mode: str = "") -> str:
        """Address of a file."""
        port = self._server.server_address[1]
        return f"http://127.0.0.1:{port}/" + (f"~{mode}/" if mode else "") + name

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: FileServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.site.released.is_set():  # a connection that was kept open is closed with the site
            self.close_connection = True
            return
        path = unquote(urlsplit(self.path).path).lstrip("/")
        found = re.match(r"~(?P<mode>\w+)/(?P<name>.*)", path)
        mode, name = (found["mode"], found["name"]) if found else ("", path)
        self.site.log.append((self.command, path, self.headers.get("Range")))
        self.site.asked[path] += 1
        count = self.site.asked[path]
        status = re.fullmatch(r"(?P<when>get|once|)(?P<status>\d{3})", mode)
        if mode == "hang":
            self.site.released.wait(60)
            self.close_connection = True
        elif status and (
            not status["when"]
            or (status["when"] == "get" and body)
            or (status["when"] == "once" and count == 1)
        ):
            self._say(int(status["status"]), b"", body=body)
        elif mode == "html":
            self._say(200, b"<html>Please log in</html>", "text/html", body=body)
        else:
            self._file(name, mode, count, body=body)

    def _file(self, name: str, mode: str, count: int, *, body: bool) -> None:
        file = self.site.folder / name
        if not file.is_file():
            self._say(404, b"", body=body)
            return
        content = file.read_bytes()
        etag = hashlib.md5(content).hexdigest()
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "none" if mode == "whole" else "bytes"}
        if found and mode != "whole":
            first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
            if first > last:
                self._say(416, b"", body=body)
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content = content[first : last + 1]
        cut = body and (mode == "short" or (mode == "shortonce" and count == 2))
        status = 206 if "Content-Range" in headers else 200
        self._say(status, content, body=body, cut=cut, **headers)

    def _say(
        self,
        status: int,
        content: bytes,
        kind: str = "application/octet-stream",
        *,
        body: bool,
        cut: bool = False,
        **headers: str,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        part = content[: len(content) // 2] if cut else content
        try:
            self.wfile.write(part)
            self.wfile.flush()
        except OSError:  # the reader has gone
            self.close_connection = True
        self.site.sent += len(part)
        if cut:
            self.close_connection = True
            self.connection.close()

    def log_message(self, *args: object) -> None:
        pass
