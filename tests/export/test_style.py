"""Styles for QGIS: one entry per class, with the name and colour of the palette."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from strandline.export import write_style
from strandline.show.palettes import change_palette, label_palette, water_palette


@pytest.mark.parametrize("palette", [water_palette(), change_palette(), label_palette(12)])
def test_a_style_has_the_classes_of_the_palette(tmp_path, palette):
    path = write_style(palette, tmp_path / "map.tif")
    assert [file.name for file in tmp_path.iterdir()] == ["map.qml"]
    root = ElementTree.parse(path).getroot()
    assert root.tag == "qgis"
    renderer = root.find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    found = [
        (int(entry.get("value")), entry.get("label"), entry.get("color"), entry.get("alpha"))
        for entry in renderer.iterfind("colorPalette/paletteEntry")
    ]
    assert found == [
        (c.value, c.name, c.colour, "0" if c.clear else "255") for c in palette.categories
    ]


def test_a_style_begins_as_qgis_writes_it(tmp_path):
    text = write_style(water_palette(), tmp_path / "w.tif").read_bytes()
    assert text.startswith(b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis ")
    assert b"\r" not in text
