"""Serve the app on this machine."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from strandline.errors import ConfigurationError, MissingDependencyError, how_to_install
from strandline.scenes.storage import check_local

LOOPBACK = "127.0.0.1"
UPLOAD_BYTES = 512_000_000
UPLOAD_CHUNK = 32 << 20  # bytes that a page may send at once


def serve(
    folders: Iterable[str | os.PathLike[str]] = (),
    port: int = 5006,
    *,
    address: str = LOOPBACK,
    open_browser: bool = True,
    remote: bool = True,
    max_upload: int = UPLOAD_BYTES,
    demo_resolution: float = 30.0,
    allow: Iterable[str] = (),
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the app until it is interrupted.

    Parameters
    ----------
    folders : iterable of path-like
        Below these, pages may open files; nowhere else.
    port : int
        0 for any that is free.
    address : str
        IP address of this machine to listen on. By default nobody else reaches it; there is no
        login. ``0.0.0.0`` stands for all, as a container needs.
    open_browser : bool
        Whether to open a browser on it.
    remote : bool
        Whether pages may open URLs.
    max_upload : int
        Bytes that an uploaded file may have.
    demo_resolution : float
        Pixel size of the demo, metres.
    allow : iterable of str
        Names besides `address` and this machine's own by which the server is reached, ``host`` or
        ``host:port``; requests for any other host are refused.
    say : callable, optional
        Called with sentences: that it starts, and the address of the page once it is served.

    Raises
    ------
    MissingDependencyError
        If the packages of the extra ``viz`` are not installed.
    ConfigurationError
        If a folder is none, the address is no IP address, or the port is taken.
    """
    if say is not None:
        say("Starting Strandline: the first time, this takes up to half a minute …")
    with serving(
        folders, port, address=address, remote=remote, max_upload=max_upload,
        demo_resolution=demo_resolution, allow=allow,
    ) as server:  # fmt: skip
        url = f"http://{_reached_by(address)}:{server.port}/"
        if say is not None:
            say(f"Strandline is at {url} (Ctrl-C ends it).")
        if open_browser:
            server.io_loop.call_later(0.5, webbrowser.open, url)
        server.io_loop.asyncio_loop.set_exception_handler(_unless_left)
        server.start()
        server.io_loop.start()


@contextmanager
def serving(
    folders: Iterable[str | os.PathLike[str]] = (),
    port: int = 0,
    *,
    address: str = LOOPBACK,
    remote: bool = True,
    max_upload: int = UPLOAD_BYTES,
    demo_resolution: float = 30.0,
    allow: Iterable[str] = (),
    warm: bool = True,
) -> Iterator[Any]:
    """Give a server that is bound but not started, and clear up after it.

    Parameters
    ----------
    folders, port, address, remote, max_upload, demo_resolution, allow
        As for `serve`.
    warm : bool
        Whether to make the demo, and compile what draws, before anybody asks.

    Yields
    ------
    bokeh.server.server.Server
        Start it, and its ``io_loop``.
    """
    check_port(port)
    check_address(address)
    folders = list(folders)
    for folder in folders:
        check_local(os.fspath(folder))
    _check_packages()
    from strandline.app.guard import guard, host_and_port

    hosts = [host_and_port(name) for name in allow]
    from panel.io.server import get_server

    from strandline.app.job import Workshop
    from strandline.app.library import Library
    from strandline.app.page import Page, make_demo
    from strandline.app.shared import Shared
    from strandline.app.taking import TakeAway
    from strandline.plot import warm_up as compile_drawing

    with TemporaryDirectory(prefix="strandline-app-") as scratch, Workshop() as workshop:
        library = Library(folders, Path(scratch), remote=remote, max_upload=max_upload)
        shared = Shared()
        try:
            server = get_server(
                {"/": lambda: Page(library, shared, workshop).template()},
                port=port,
                address=address,
                title="Strandline",
                websocket_max_message_size=UPLOAD_CHUNK,
                extra_patterns=[(r"/take/(.*)", TakeAway, {"path": scratch})],
            )
        except OSError as error:
            raise ConfigurationError(
                f"The app cannot be served at {address}:{port}.",
                got=str(error),
                remedy="Choose another --port, or 0 for any that is free, and an --address that is "
                "this machine's.",
            ) from error
        guard(server, address, hosts)
        library.demo = demo_products(demo_resolution)
        if warm:
            # HoloViews draws in one thread alone: this is done before there are pages.
            compile_drawing()
            Thread(target=make_demo, args=(library, shared), daemon=True).start()
        try:
            yield server
        finally:
            server.stop()


def demo_products(resolution: float) -> dict[str, Path]:
    """Give the demo's two products by date, simulated the first time.

    They are made anew when the simulation has changed, within a version of the package, too.
    """
    from strandline.demo import DATES, simulate_pair, simulation_key
    from strandline.scenes.cache import cache_folder

    folder = cache_folder() / f"demo-{simulation_key()}-{resolution:g}m"
    found = {date: sorted(folder.glob(f"L*_{date.replace('-', '')}_*")) for date in DATES}
    if all(found.values()):
        return {date: products[0] for date, products in found.items()}
    made = simulate_pair(folder, resolution=resolution)
    return {date: Path(source) for date, (source, _) in zip(DATES, made, strict=True)}


def _unless_left(loop: Any, context: dict[str, Any]) -> None:
    """Say what went wrong in the server, but not that somebody closed a page."""
    from tornado.websocket import WebSocketClosedError

    if not isinstance(context.get("exception"), WebSocketClosedError):
        loop.default_exception_handler(context)


def check_port(port: int) -> None:
    """Refuse a number that no port has.

    Raises
    ------
    ConfigurationError
        If it is below 0 or above 65535.
    """
    if not 0 <= port <= 65535:
        raise ConfigurationError(
            "The app cannot be served at this port.",
            expected="port=… from 1 to 65535, or 0 for any that is free",
            got=str(port),
        )


def check_address(address: str) -> None:
    """Refuse what is no IP address: an empty one would listen on all of this machine's.

    Raises
    ------
    ConfigurationError
        If it is neither an IP address nor ``localhost``.
    """
    try:
        if address != "localhost":
            ip_address(address)
    except ValueError as error:
        raise ConfigurationError(
            "The app cannot be served at this address.",
            expected=f"an IP address of this machine: {LOOPBACK}, or 0.0.0.0 for all that it has",
            got=repr(address[:80]),
        ) from error


def _reached_by(address: str) -> str:
    """Return the host of the URL at which a browser of this machine finds the server."""
    if address == "localhost" or ip_address(address).is_unspecified:
        return "localhost"
    return f"[{address}]" if ":" in address else address


def _check_packages() -> None:
    try:
        import datashader  # noqa: F401  HoloViews would say less
        import holoviews  # noqa: F401
        import panel  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"The app needs '{error.name}', which is not installed.",
            remedy=how_to_install("viz"),
        ) from error
