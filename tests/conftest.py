"""Fixtures that many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def shared_data() -> Path:
    """Folder of the real scenes with truth: ``../shared/data`` or ``$STRANDLINE_SHARED_DATA``."""
    named = os.environ.get("STRANDLINE_SHARED_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real scenes; tests that need them are skipped, saying so, where they are absent."""
    folder = shared_data()
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the real scenes are not at {folder}, and CI must have them")
        pytest.skip(f"the real scenes are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def odd_files() -> Path:
    """Small files as users have them; tests that need them are skipped where they are absent."""
    folder = shared_data().parent / "cases"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the small files are not at {folder}, and CI must have them")
        pytest.skip(f"the small files are not at {folder}")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; without one such tests are skipped, saying so, and fail in CI."""
    from browser import NoBrowserError, open_browser

    try:
        with open_browser() as found:
            yield found
    except NoBrowserError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
