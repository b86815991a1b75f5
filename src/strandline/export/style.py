"""Styles that QGIS finds beside a raster and applies: the classes with their names and colours."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from strandline.atomic import write_text
from strandline.show.palettes import Palette

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"


def write_style(palette: Palette, raster: str | os.PathLike[str]) -> Path:
    """Write the style of a map of classes, ``water.qml`` for ``water.tif``.

    QGIS loads it with the raster. Land of masks and what was not observed are transparent.

    Parameters
    ----------
    palette : Palette
        Classes, names and colours.
    raster : path-like
        The raster; it is not touched.

    Returns
    -------
    Path
        The style.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from strandline.show.palettes import water_palette
    >>> with TemporaryDirectory() as folder:
    ...     style = write_style(water_palette(), folder + "/water.tif")
    ...     style.name, 'label="water"' in style.read_text()
    ('water.qml', True)
    """
    root = ElementTree.Element(
        "qgis", version="3.22.0", styleCategories="Symbology", hasScaleBasedVisibilityFlag="0"
    )
    pipe = ElementTree.SubElement(root, "pipe")
    renderer = ElementTree.SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    ElementTree.SubElement(renderer, "rasterTransparency")
    entries = ElementTree.SubElement(renderer, "colorPalette")
    for category in palette.categories:
        ElementTree.SubElement(
            entries,
            "paletteEntry",
            value=str(category.value),
            color=category.colour,
            label=category.name,
            alpha="0" if category.clear else "255",
        )
    ElementTree.SubElement(root, "blendMode").text = "0"
    ElementTree.indent(root)
    text = f"{_DOCTYPE}\n{ElementTree.tostring(root, encoding='unicode')}\n"
    return write_text(Path(raster).with_suffix(".qml"), text)
