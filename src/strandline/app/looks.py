"""Styles, scripts and the page itself, which lie beside the code as files of their own kind."""

from __future__ import annotations

from importlib.resources import files


def text_of(name: str) -> str:
    """Read one of them.

    Examples
    --------
    >>> text_of("page.css").splitlines()[0]
    ':root {'
    """
    return (files("strandline.app") / "templates" / name).read_text(encoding="utf-8")


CONTROL = text_of("control.css")
"""Of buttons and inputs."""

FOLDED = text_of("folded.css")
"""Of what is folded away."""
