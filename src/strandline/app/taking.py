"""Files that pages let their users take away."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from tornado.web import HTTPError, StaticFileHandler

_NAMED = re.compile(r"[\w-]{20,}/[\w.+-]+")


class TakeAway(StaticFileHandler):
    """Gives a file whose name cannot be guessed, to be saved and not to be shown."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Refuse whatever is no token and file name."""
        if not _NAMED.fullmatch(self.path):
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)

    def set_extra_headers(self, path: str) -> None:
        """Have the browser save the file, and never run what is in it."""
        name = PurePosixPath(path).name
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.set_header("Content-Security-Policy", "sandbox")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
