"""Figures and pages as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from strandline.errors import ConfigurationError
from strandline.export.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_picture(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 150) -> Path:
    """Write a figure as PNG; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        From `strandline.show`.
    path : path-like
        The file, ``.png``.
    dpi : int
        Pixels per inch; 150 suits a screen, 300 a printed page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigurationError
        If the name does not end in ``.png``.
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
    from strandline.show.canvas import picture_bytes

    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ConfigurationError(
            f"Cannot write the picture '{target}'.", expected="a name that ends in .png"
        )
    content, _ = picture_bytes(figure, dpi=dpi)
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
    target = Path(path)
    with replacing(target) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    return target
