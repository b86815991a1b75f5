"""A real browser for tests: Chromium, headless, that reaches nothing but this machine.

It is the one that `STRANDLINE_BROWSER` names, one that is installed, or the one that Playwright
keeps, which is downloaded if there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMANDS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


class NoBrowserError(Exception):
    """There is no browser, and none could be downloaded."""


@dataclass
class Watch:
    """What a page did that nobody sees: requests to elsewhere, and errors."""

    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def follow(self, page: Any) -> Watch:
        """Listen to a page from now on."""
        page.on("console", self._message)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        return self

    def _message(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a browser and stop it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_executable(playwright), args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Any, *, width: int = 1280, height: int = 900, offline: bool = False
) -> Iterator[tuple[Any, Watch]]:
    """Open a page of a session of its own, which may only reach this machine.

    Yields the page and what it did; requests to elsewhere are refused and noted.
    """
    watch = Watch()
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_offline(offline)

    def decide(route: Any) -> None:
        if _is_local(route.request.url):
            route.continue_()
        else:
            watch.elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", decide)
    try:
        page = context.new_page()
        watch.follow(page)
        yield page, watch
    finally:
        context.close()


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("file", "data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


def _executable(playwright: Any) -> str | None:
    """Find a browser; None for Playwright's own."""
    named = os.environ.get("STRANDLINE_BROWSER")
    if named:
        return named
    for command in COMMANDS:
        if found := shutil.which(command):
            return found
    if not Path(playwright.chromium.executable_path).exists():
        done = subprocess.run(
            [sys.executable, "-m", "playwright", "install", "chromium"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise NoBrowserError(
                f"no Chromium is installed ({', '.join(COMMANDS)}; or name one in "
                f"STRANDLINE_BROWSER), and Playwright could not get one: {done.stderr[-500:]}"
            )
    return None
