"""Figures and pages as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.atomic import replacing, write_text
from strandline.errors import ConfigurationError
from strandline.paths import local_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_picture(picture: Figure | Any, path: str | os.PathLike[str], *, dpi: int = 150) -> Path:
    """Write a figure as PNG, or an interactive picture as a page of its own.

    The same figure gives the same bytes. The page holds all that it needs: it opens without a
    network and without a server.

    Parameters
    ----------
    picture : Figure or HoloViews object
        From `strandline.show`, or from `strandline.plot`.
    path : path-like
        The file: ``.png`` for a figure, ``.html`` for an interactive picture.
    dpi : int
        Pixels per inch of a PNG; 150 suits a screen, 300 a printed page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigurationError
        If the name does not end as it should.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from matplotlib.figure import Figure
    >>> with TemporaryDirectory() as folder:
    ...     write_picture(Figure(figsize=(1, 1)), Path(folder) / "empty.png").read_bytes()[1:4]
    b'PNG'
    """
    target = local_path(path)
    moves = not hasattr(picture, "savefig")
    suffix = ".html" if moves else ".png"
    if target.suffix.lower() != suffix:
        kind = "interactive picture" if moves else "picture"
        raise ConfigurationError(
            f"Cannot write the {kind} '{target}'.", expected=f"a name that ends in {suffix}"
        )
    if moves:
        from strandline.plot import page_of

        return write_page(page_of(picture), target)
    from strandline.show.canvas import picture_bytes

    content, _ = picture_bytes(picture, dpi=dpi)
    with replacing(target) as partial:
        partial.write_bytes(content)
    return target


def write_page(html: str, path: str | os.PathLike[str]) -> Path:
    """Write a page, such as `strandline.report` returns, as UTF-8.

    Parameters
    ----------
    html : str
        The page.
    path : path-like
        The file, usually ``report.html``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    return write_text(path, html)
