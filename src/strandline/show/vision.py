"""Colour difference as people see it: CIELAB, CIEDE2000, and three kinds of colour blindness.

References
----------
Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
deficiency", IEEE TVCG 15(6), 2009 (severity 1, applied to linear RGB). Sharma, Wu and Dalal, "The
CIEDE2000 color-difference formula", Color Research and Application 30(1), 2005. IEC 61966-2-1
(sRGB) with the white point D65.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIGHT = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
SIGHTS = tuple(_SIGHT)
"""Normal sight and the three kinds of colour blindness that are simulated."""

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_CUBE_ROOT_FROM, _SLOPE = 216 / 24389, 24389 / 27


def lab_of(rgb: NDArray[np.float64], sight: str = "normal") -> NDArray[np.float64]:
    """Convert sRGB to CIELAB, as seen with normal sight or a simulated colour blindness.

    Parameters
    ----------
    rgb : ndarray of float64, shape (..., 3)
        sRGB, 0 to 1.
    sight : str
        One of `SIGHTS`.

    Returns
    -------
    ndarray of float64, shape (..., 3)
        L* (0 to 100), a*, b*.

    Examples
    --------
    >>> lab_of(np.array([1.0, 1.0, 1.0])).round(1).tolist()[0]
    100.0
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(_SIGHT[sight]).T, 0, 1)
    xyz = seen @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _CUBE_ROOT_FROM, np.cbrt(xyz), (_SLOPE * xyz + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    lab: NDArray[np.float64] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return lab


def rgb_of(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert CIELAB to sRGB; values outside of 0 to 1 cannot be shown on a screen.

    Parameters
    ----------
    lab : ndarray of float64, shape (..., 3)

    Returns
    -------
    ndarray of float64, shape (..., 3)

    Examples
    --------
    >>> white = np.array([1.0, 1.0, 1.0])
    >>> bool(np.allclose(rgb_of(lab_of(white)), white, atol=1e-4))
    True
    """
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = np.where(f**3 > _CUBE_ROOT_FROM, f**3, (116 * f - 16) / _SLOPE) * _WHITE
    linear = xyz @ np.linalg.inv(_TO_XYZ).T
    root = np.sign(linear) * np.abs(linear) ** (1 / 2.4)
    rgb: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * root - 0.055)
    return rgb


def ciede2000(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the CIEDE2000 difference of colours in CIELAB.

    One unit is about the least difference that is seen side by side; colours in different
    places of a map need several.

    Parameters
    ----------
    first, second : ndarray of float64, shape (..., 3)
        Shapes that broadcast.

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> pair = np.array([[50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485]])
    >>> round(float(ciede2000(pair[0], pair[1])), 4)
    2.0425
    """
    l1, a1, b1 = np.moveaxis(np.asarray(first, float), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, float), -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    by_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    by_lightness = (l2 - l1) / (
        1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    )
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = by_hue / (1 + 0.015 * chroma * t)
    rotation = (
        -2
        * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
        * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    squares = by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def least_difference(
    rgb: NDArray[np.float64], others: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Compute the least CIEDE2000 of each pair of colours over normal sight and colour blindness.

    Parameters
    ----------
    rgb : ndarray of float64, shape (n, 3)
        sRGB, 0 to 1.
    others : ndarray of float64, shape (m, 3), optional
        With which each is compared; by default they are compared with one another.

    Returns
    -------
    ndarray of float64, shape (n, m)

    Examples
    --------
    >>> red_green = np.array([[0.69, 0.44, 0.31], [0.52, 0.56, 0.31]])
    >>> normal = ciede2000(*lab_of(red_green))
    >>> bool(least_difference(red_green)[0, 1] < 0.5 * normal)
    True
    """
    others = rgb if others is None else others
    least: NDArray[np.float64] = np.min(
        [ciede2000(lab_of(rgb, s)[:, None], lab_of(others, s)[None, :]) for s in SIGHTS], axis=0
    )
    return least
