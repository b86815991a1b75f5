"""What turns an image into a map: coordinates along the frame, a scale bar, a north arrow.

Lengths and directions are measured on the ellipsoid in the middle of the image, so they
hold in degrees, feet and Mercator alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from strandline.show.display import Extent

INK = "#222222"
SOFT = "#666666"


@dataclass(frozen=True)
class Place:
    """Where on Earth an image lies: its data's edges, its CRS, its pixel size in CRS units."""

    extent: Extent
    crs: pyproj.CRS | None
    pixel: tuple[float, float]


def metres_per_unit(place: Place) -> tuple[float, float]:
    """Ground metres per CRS unit, across and up, in the middle of the image.

    Measured along the ellipsoid, so it holds for degrees, feet and Mercator alike.
    """
    if place.crs is None:
        return 1.0, 1.0
    extent = place.extent
    x, y = (extent.left + extent.right) / 2, (extent.bottom + extent.top) / 2
    dx, dy = abs(place.pixel[0]), abs(place.pixel[1])
    lon, lat = to_lonlat(place.crs, [x - dx / 2, x + dx / 2, x, x], [y, y, y - dy / 2, y + dy / 2])
    ellipsoid = place.crs.get_geod() or pyproj.Geod(ellps="WGS84")
    _, _, across = ellipsoid.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, up = ellipsoid.inv(lon[2], lat[2], lon[3], lat[3])
    if not (np.isfinite(across) and np.isfinite(up) and across > 0 and up > 0):
        return 1.0, 1.0
    return across / dx, up / dy


def north_angle(place: Place) -> float:
    """Direction of true north on the picture, degrees clockwise from up."""
    if place.crs is None:
        return 0.0
    extent = place.extent
    x, y = (extent.left + extent.right) / 2, (extent.bottom + extent.top) / 2
    lon, lat = to_lonlat(place.crs, [x], [y])
    back = pyproj.Transformer.from_crs(place.crs.geodetic_crs, place.crs, always_xy=True)
    north_x, north_y = back.transform(lon[0], lat[0] + 1e-4)
    across, up = metres_per_unit(place)
    angle = math.degrees(math.atan2((north_x - x) * across, (north_y - y) * up))
    return angle if math.isfinite(angle) else 0.0


def to_lonlat(crs: pyproj.CRS, x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Turn coordinates into longitude and latitude in the CRS's own geodetic one."""
    if crs.is_geographic or crs.geodetic_crs is None:
        return x, y
    there = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = there.transform(x, y)
    return list(lon), list(lat)


def draw_ticks(axes: Axes, place: Place, width: float, height: float) -> None:
    """Mark the frame in kilometres, degrees or pixels."""
    axes.tick_params(length=2.5, width=0.5, colors=SOFT, labelsize=7.5, pad=2)
    for axis, length in ((axes.xaxis, width), (axes.yaxis, height)):
        axis.set_major_locator(MaxNLocator(max(1, min(5, int(length / 0.8))), steps=[1, 2, 5, 10]))
    names: tuple[str, str]
    if place.crs is None:
        names = ("column", "row")
    elif place.crs.is_geographic:
        names = ("", "")
        axes.xaxis.set_major_formatter(_degrees(axes.xaxis, "E", "W"))
        axes.yaxis.set_major_formatter(_degrees(axes.yaxis, "N", "S"))
    else:
        names = ("easting (km)", "northing (km)")
        info = place.crs.axis_info
        unit = info[0].unit_conversion_factor if info else 1.0
        for axis in (axes.xaxis, axes.yaxis):
            _kilometre_ticks(axis, unit / 1000)
    axes.set_xlabel(names[0], fontsize=7.5, color=SOFT, labelpad=2)
    axes.set_ylabel(names[1], fontsize=7.5, color=SOFT, labelpad=2)
    axes.tick_params(axis="y", labelrotation=90)
    _drop_end_ticks(axes.xaxis, width)
    _drop_end_ticks(axes.yaxis, height)
    for label in axes.get_yticklabels():
        label.set_verticalalignment("center")


def _drop_end_ticks(axis: Any, length: float) -> None:
    """Take away ticks whose labels would reach over a corner, unless none would be left."""
    low, high = sorted(axis.get_view_interval())
    margin = min(0.24, length / 4) / length * (high - low)
    ticks = [float(t) for t in axis.get_majorticklocs() if low <= t <= high]
    inner = [t for t in ticks if low + margin <= t <= high - margin] or ticks
    if len(inner) > 1 and (inner[1] - inner[0]) / (high - low) * length < 0.55:
        inner = inner[:1]
    axis.set_ticks(inner, axis.get_major_formatter().format_ticks(inner))


def _kilometre_ticks(axis: Any, kilometres: float) -> None:
    low, high = sorted(v * kilometres for v in axis.get_view_interval())
    ticks = [t for t in axis.get_major_locator().tick_values(low, high) if low <= t <= high]
    step = min(np.diff(ticks), default=1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    axis.set_ticks([t / kilometres for t in ticks])
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value * kilometres:.{decimals}f}".replace("-", "−"))
    )


def _degrees(axis: Any, positive: str, negative: str) -> FuncFormatter:
    low, high = sorted(axis.get_view_interval())
    step = max((high - low) / 5, 1e-6)
    decimals = max(0, 1 - math.floor(math.log10(step)) - 1)

    def text(value: float, _: int | None = None) -> str:
        side = positive if value > 0 else negative if value < 0 else ""
        return f"{abs(value):.{decimals}f}°{side}"

    return FuncFormatter(text)


def draw_scale_bar(axes: Axes, place: Place, width: float, height: float) -> None:
    """Draw a bar of a round length in the lower left corner."""
    ground = abs(place.extent.right - place.extent.left) * metres_per_unit(place)[0]
    if not ground > 0:
        return
    length = nice_length(ground * min(0.30, 1.6 / width))
    name = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    bar = length / ground * width
    box_width, box_height = max(bar, 0.45) + 0.2, 0.34
    left, bottom = 0.08, 0.08
    _box(axes, left, bottom, box_width, box_height, width, height)
    start = left + (box_width - bar) / 2
    for i, colour in enumerate((INK, "white")):
        axes.add_patch(
            Rectangle(
                ((start + i * bar / 2) / width, (bottom + 0.07) / height), bar / 2 / width,
                0.055 / height, transform=axes.transAxes, facecolor=colour, edgecolor=INK,
                linewidth=0.6, zorder=6,
            )
        )  # fmt: skip
    axes.text(
        (left + box_width / 2) / width, (bottom + 0.16) / height, name,
        transform=axes.transAxes, ha="center", va="bottom", size=7.5, color=INK, zorder=6,
    )  # fmt: skip


def nice_length(limit: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above the limit."""
    power: float = 10.0 ** math.floor(math.log10(limit))
    return max(m * power for m in (1, 2, 5) if m * power <= limit * (1 + 1e-9))


def draw_north(axes: Axes, place: Place, width: float, height: float) -> None:
    """Point to true north in the upper right corner, where there is room."""
    side = 0.36
    left, bottom = width - side - 0.08, height - side - 0.14
    if bottom < 0.5:  # it would meet the scale bar
        return
    _box(axes, left, bottom, side, side + 0.06, width, height)
    angle = math.radians(north_angle(place))
    centre = np.array([left + side / 2, bottom + side / 2 - 0.03])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    arrow = np.array([[0, 0.13], [0.075, -0.11], [0, -0.055], [-0.075, -0.11]])
    axes.add_patch(
        Polygon(
            (arrow @ turn.T + centre) / (width, height), transform=axes.transAxes,
            facecolor=INK, edgecolor="none", zorder=6,
        )
    )  # fmt: skip
    tip = np.array([0, 0.185]) @ turn.T + centre
    axes.text(
        tip[0] / width, tip[1] / height, "N", transform=axes.transAxes, ha="center", va="center",
        size=7, weight="bold", color=INK, zorder=6,
    )  # fmt: skip


def _box(
    axes: Axes, left: float, bottom: float, wide: float, high: float, width: float, height: float
) -> None:
    axes.add_patch(
        Rectangle(
            (left / width, bottom / height), wide / width, high / height,
            transform=axes.transAxes, facecolor="white", alpha=0.82, linewidth=0, zorder=5,
        )
    )  # fmt: skip
