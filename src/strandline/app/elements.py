"""Two elements of the page that Panel does not have: the list of clusters, and a download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import param

from strandline.app.looks import text_of


class ClusterList(pn.custom.JSComponent):
    """The clusters with colour, likely ground and share; a click tells `on_click`."""

    rows = param.List(default=[], doc="Dicts: cluster, colour, hint, share, water, some.")

    _esm = text_of("clusters.js")
    _stylesheets = [text_of("clusters.css")]  # noqa: RUF012  Panel wants it so

    def __init__(self, on_click: Callable[[int], None], **params: Any) -> None:
        super().__init__(**params)
        self._tell = on_click

    def _handle_msg(self, message: Any) -> None:
        if isinstance(message, dict) and isinstance(message.get("cluster"), int):
            self._tell(message["cluster"])


class Download(pn.custom.JSComponent):
    """Has the browser save what is at `url`, when that is set."""

    url = param.String(default="")
    filename = param.String(default="")

    _esm = text_of("download.js")


class Copy(pn.custom.JSComponent):
    """A button that puts a text on the clipboard."""

    label = param.String(default="Copy")
    text = param.String(default="")

    _esm = text_of("copy.js")
    _stylesheets = [text_of("copy.css")]  # noqa: RUF012  Panel wants it so
