"""A sheet with one or more maps on it: frames, ticks, scale bar, north arrow and legend.

All sizes are in inches and every part has its own place, so nothing overlaps
whatever the shape of the map. Nothing here uses pyplot or its global state.
"""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.textpath import TextToPath

from strandline.show.display import Extent
from strandline.show.furniture import (
    INK,
    SOFT,
    Place,
    draw_north,
    draw_scale_bar,
    draw_ticks,
    metres_per_unit,
)

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 8.5,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "text.usetex": False,
    "savefig.bbox": None,
    "savefig.facecolor": "white",
}


SAME = ""
"""Colour of a row of the legend that belongs to the swatch above."""

UNSEEN_FACE = "#dcdcdc"
UNSEEN_HATCH = "#a8a8a8"

_MAP_SIDE = 6.6  # longest side of a lone map
_THIN = 1.1  # a map gets no thinner than this; beyond, it is no longer to scale
_LEAST = 5.0  # width of a sheet; its headline needs as much
_LEFT, _RIGHT, _BOTTOM = 0.72, 0.22, 0.46
_PANEL_TITLE, _GAP = 0.30, 0.30
_LEGEND_WIDTH, _ROW, _NOTE_ROW = 2.65, 0.27, 0.155
_SWATCH, _APART, _COLUMN_GAP = 0.33, 0.16, 0.4  # so that a number stands with its own swatch
NARROW = 4.2
"""Width of a sheet for a phone in inches, on which text keeps its size beside a page's own."""
_NARROW_COLUMN = 6  # maps; of more, two are side by side


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Draw in our style, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


class Picture(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        return picture_bytes(self, dpi=100)[0]


@dataclass(frozen=True)
class Panel:
    """One map of a sheet: an RGBA image (float, 0..1), the image's edges, its place and title."""

    image: np.ndarray
    edges: Extent
    place: Place
    title: str = ""
    smooth: bool = False


@dataclass(frozen=True)
class LegendRow:
    """One class in the legend.

    ``colour`` None is drawn as "not observed"; `SAME` leaves the swatch out, for another number of
    the class above.
    """

    colour: str | None
    name: str
    value: str = ""
    note: str = ""


@dataclass(frozen=True)
class Legend:
    """The legend of a sheet."""

    rows: Sequence[LegendRow]
    heading: str = ""
    foot: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Sheet:
    """What a picture shows, to be drawn for a page or for a phone.

    Attributes
    ----------
    panels : sequence of Panel
        The maps, in reading order.
    title, subtitle : str
        Headline, and the grey line below it.
    legend : Legend, optional
        Drawn on the right, or below where the maps are wide.
    credit : str
        Whose data it shows, in small print at the bottom.
    """

    panels: Sequence[Panel]
    title: str
    subtitle: str = ""
    legend: Legend | None = None
    credit: str = ""

    def draw(self, *, narrow: bool = False) -> Figure:
        """Lay out maps, title and legend.

        Parameters
        ----------
        narrow : bool
            For a phone: the maps one below the other, then the legend.

        Returns
        -------
        Figure
            With an Agg canvas.
        """
        with own_style():
            width, height, to_scale = _panel_size(self.panels, narrow=narrow)
            columns = _columns(len(self.panels), width, height, narrow=narrow)
            rows = math.ceil(len(self.panels) / columns)
            panel_title = _PANEL_TITLE if any(p.title for p in self.panels) else 0.06
            block_width = columns * (_LEFT + width) + (columns - 1) * _GAP * 0.5 + _RIGHT
            block_height = rows * (panel_title + height + _BOTTOM)
            aside = self.legend is not None and block_height >= 0.55 * block_width and not narrow
            least = NARROW if narrow else _LEAST
            legend_width = _legend_width(self.legend) if aside and self.legend else 0.0
            sheet_width = max(block_width + legend_width, least)
            beside = 1
            if self.legend is not None and not aside:
                beside = _legend_columns(self.legend, sheet_width - _LEFT - _RIGHT)
            legend_height = _legend_height(self.legend, beside)
            subtitle = self.subtitle
            if not to_scale:
                parts = (subtitle, "height and width not to the same scale")
                subtitle = " · ".join(filter(None, parts))
            headline = _lines(self.title, max(20, int(sheet_width * 9.5))) or [""]
            subline = _lines(subtitle, max(30, int(sheet_width * 14.5)))
            top = 0.18 + 0.25 * len(headline) + 0.17 * len(subline) + 0.08
            credit = _lines(self.credit, max(30, int(sheet_width * 17)))
            foot = 0.14 * len(credit) + (0.08 if credit else 0.0)
            if aside:
                sheet_height = top + max(block_height, legend_height) + foot
            else:
                sheet_height = top + block_height + legend_height + foot
            figure = Picture(figsize=(sheet_width, sheet_height), facecolor="white")
            FigureCanvasAgg(figure)
            _draw_titles(figure, headline, subline)
            for i, panel in enumerate(self.panels):
                row, column = divmod(i, columns)
                left = _LEFT + column * (width + _LEFT + _GAP * 0.5)
                bottom = sheet_height - top - (row + 1) * (panel_title + height) - row * _BOTTOM
                axes = figure.add_axes(
                    (
                        left / sheet_width,
                        bottom / sheet_height,
                        width / sheet_width,
                        height / sheet_height,
                    )
                )
                _draw_panel(axes, panel, width, height, to_scale)
            if self.legend is not None:
                if aside:
                    start = (block_width + 0.05, sheet_height - top - panel_title)
                    _draw_legend(figure, self.legend, start, legend_width - 0.3, 1)
                else:
                    start = (_LEFT, legend_height + foot)
                    wide = sheet_width - _LEFT - _RIGHT
                    _draw_legend(figure, self.legend, start, wide, beside)
            figure.text(
                0.2 / sheet_width, 0.08 / sheet_height, "\n".join(credit), size=7, color=SOFT,
                va="bottom",
            )  # fmt: skip
        return figure


def picture_bytes(figure: Figure, *, dpi: int = 150, lossy: bool = False) -> tuple[bytes, str]:
    """Encode a figure; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        From `Sheet.draw` or a chart.
    dpi : int
        Pixels per inch.
    lossy : bool
        WebP at high quality instead of PNG, a fifth of the size for
        photographs; PNG where Pillow was built without WebP.

    Returns
    -------
    bytes, str
        The file's content and its media type.
    """
    from PIL import features

    stream = io.BytesIO()
    with own_style():
        if lossy and features.check("webp"):
            figure.savefig(stream, format="webp", dpi=dpi, pil_kwargs={"quality": 88, "method": 4})
            return stream.getvalue(), "image/webp"
        # The default metadata name matplotlib's version.
        figure.savefig(
            stream,
            format="png",
            dpi=dpi,
            metadata={"Software": "Strandline"},
            pil_kwargs={"compress_level": 6},
        )
    return stream.getvalue(), "image/png"


def _lines(text: str, most: int) -> list[str]:
    return textwrap.wrap(text, most, break_on_hyphens=False)  # a date stays whole


def _panel_size(panels: Sequence[Panel], *, narrow: bool) -> tuple[float, float, bool]:
    """Width and height of each map in inches, and whether they are to scale."""
    ratios = [_ground_ratio(p.place) for p in panels]
    ratio = sorted(ratios)[len(ratios) // 2]
    side = _MAP_SIDE if len(panels) == 1 else _MAP_SIDE * 0.75
    width, height = (side, side * ratio) if ratio <= 1 else (side / ratio, side)
    if narrow:
        columns = _columns(len(panels), width, height, narrow=True)
        room = NARROW - columns * _LEFT - (columns - 1) * _GAP * 0.5 - _RIGHT
        width = min(room / columns, _MAP_SIDE / ratio)
        height = width * ratio
    to_scale = width >= _THIN and height >= _THIN
    return max(width, _THIN), max(height, _THIN), to_scale


def _columns(n: int, width: float, height: float, *, narrow: bool) -> int:
    if n == 1 or narrow:
        return 1 if n <= _NARROW_COLUMN else 2
    if n == 2:
        return 2 if height > 0.45 * width else 1
    return min(n, 3 if height >= 0.6 * width else 2)


def _ground_ratio(place: Place) -> float:
    """Height over width on the ground."""
    across, up = metres_per_unit(place)
    wide = abs(place.extent.right - place.extent.left) * across
    high = abs(place.extent.top - place.extent.bottom) * up
    return high / wide if wide > 0 and high > 0 else 1.0


def _draw_titles(figure: Figure, headline: list[str], subline: list[str]) -> None:
    width, height = figure.get_size_inches()
    y = height - 0.18
    for line in headline:
        figure.text(0.2 / width, y / height, line, size=12.5, weight="bold", color=INK, va="top")
        y -= 0.25
    for line in subline:
        figure.text(0.2 / width, y / height, line, size=8.5, color=SOFT, va="top")
        y -= 0.17


def _draw_panel(axes: Axes, panel: Panel, width: float, height: float, to_scale: bool) -> None:
    # What the image leaves transparent was not observed.
    axes.patch.set_facecolor(UNSEEN_FACE)
    axes.add_patch(
        Rectangle(
            (0, 0), 1, 1, transform=axes.transAxes, facecolor=UNSEEN_FACE,
            edgecolor=UNSEEN_HATCH, hatch="////", linewidth=0, zorder=0,
        )
    )  # fmt: skip
    axes.imshow(
        panel.image,
        extent=panel.edges.as_tuple(),
        interpolation="antialiased" if panel.smooth else "nearest",
        interpolation_stage="rgba",
        aspect="auto",
        zorder=1,
    )
    extent = panel.place.extent
    axes.set_xlim(extent.left, extent.right)
    axes.set_ylim(extent.bottom, extent.top)
    if panel.title:
        axes.set_title(panel.title, loc="left", fontsize=9.5, color=INK, pad=5)
    for spine in axes.spines.values():
        spine.set_color("#444444")
    draw_ticks(axes, panel.place, width, height)
    if panel.place.crs is not None:
        draw_scale_bar(axes, panel.place, width, height)
        if to_scale:
            draw_north(axes, panel.place, width, height)


@cache
def _text_width(text: str, size: float) -> float:
    """Return the width of a line of text in inches."""
    with own_style():
        font = FontProperties(size=size)
        width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def _row_width(legend: Legend) -> float:
    """Return what the longest row of a legend needs: swatch, name, and number."""
    values = max((_text_width(row.value, 8.5) for row in legend.rows if row.value), default=0.0)
    names = max((_text_width(row.name, 8.5) for row in legend.rows), default=0.0)
    return _SWATCH + names + (_APART + values if values else 0.0)


def _legend_width(legend: Legend) -> float:
    """Return the width of a legend beside the maps."""
    heading = _text_width(legend.heading, 9) if legend.heading else 0.0
    return max(_LEGEND_WIDTH, _row_width(legend) + 0.42, heading * 1.08 + 0.3)


def _legend_columns(legend: Legend, width: float) -> int:
    return max(1, int((width + _COLUMN_GAP) / (_row_width(legend) + _COLUMN_GAP)))


def _legend_height(legend: Legend | None, columns: int) -> float:
    if legend is None:
        return 0.12
    lines = math.ceil(len(legend.rows) / columns)
    notes = _NOTE_ROW if any(row.note for row in legend.rows) else 0.0
    head = 0.30 if legend.heading else 0.0
    return head + lines * (_ROW + notes) + _NOTE_ROW * len(legend.foot) + 0.25


def _draw_legend(
    figure: Figure, legend: Legend, start: tuple[float, float], wide: float, columns: int
) -> None:
    sheet_width, sheet_height = figure.get_size_inches()
    left, y = start
    if legend.heading:
        figure.text(
            left / sheet_width, y / sheet_height, legend.heading, weight="bold", size=9,
            color=INK, va="top",
        )  # fmt: skip
        y -= 0.30
    spacing = _ROW + (_NOTE_ROW if any(row.note for row in legend.rows) else 0.0)
    column_width = wide / columns
    row_width = wide if columns == 1 else min(_row_width(legend), column_width)
    for i, row in enumerate(legend.rows):
        line, column = divmod(i, columns)
        _draw_row(figure, row, left + column * column_width, y - line * spacing, row_width)
    y -= math.ceil(len(legend.rows) / columns) * spacing
    for text in legend.foot:
        figure.text(left / sheet_width, y / sheet_height, text, size=7.5, color=SOFT, va="top")
        y -= _NOTE_ROW


def _draw_row(figure: Figure, row: LegendRow, left: float, top: float, wide: float) -> None:
    sheet_width, sheet_height = figure.get_size_inches()
    if row.colour != SAME:
        patch = FancyBboxPatch(
            (left / sheet_width, (top - 0.165) / sheet_height), 0.24 / sheet_width,
            0.155 / sheet_height, boxstyle="square,pad=0", transform=figure.transFigure,
            facecolor=row.colour or UNSEEN_FACE,
            edgecolor="#555555" if row.colour else UNSEEN_HATCH,
            linewidth=0.5, hatch=None if row.colour else "/////",
        )  # fmt: skip
        figure.add_artist(patch)
    y = (top - 0.085) / sheet_height
    figure.text((left + _SWATCH) / sheet_width, y, row.name, size=8.5, color=INK, va="center")
    figure.text(
        (left + wide) / sheet_width,
        y,
        row.value,
        size=8.5,
        color=INK,
        va="center",
        ha="right",
    )
    if row.note:
        figure.text(
            (left + _SWATCH) / sheet_width, (top - 0.21) / sheet_height, row.note, size=7.2,
            color=SOFT, va="top",
        )  # fmt: skip
