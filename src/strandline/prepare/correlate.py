"""How far one image is displaced against another: phase correlation to a part of a pixel.

Two images of one place differ in brightness (sun, season, sensor, haze) and in what really
changed. So their edges are compared, after the brightness of each neighbourhood was evened
out, and of the cross-power spectrum only the phase is kept, where a displacement is a slope.
High frequencies are weighted down: what a sensor samples too coarsely comes back as a false
pattern that stays with the pixels and would pull every estimate towards whole pixels. The
peak is then searched for on a grid 1,000 times finer than the pixels, by a discrete Fourier
transform of that neighbourhood alone.

References
----------
Kuglin, C. D. and Hines, D. C. (1975). The phase correlation image alignment method. Proc.
IEEE International Conference on Cybernetics and Society, 163-165.

Guizar-Sicairos, M., Thurman, S. T. and Fienup, J. R. (2008). Efficient subpixel image
registration algorithms. Optics Letters 33, 156-158. (Upsampling by a partial DFT.)

Stone, H. S., Orchard, M. T., Chang, E.-C. and Martucci, S. A. (2001). A fast direct
Fourier-based algorithm for subpixel registration of images. IEEE Transactions on Geoscience
and Remote Sensing 39, 2235-2243. (Why aliased frequencies have to be left out.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]

EVENED = 8.0
"""Standard deviation, in pixels, of the neighbourhood in which brightness is evened out."""

PASSED = 0.15
"""Standard deviation, in cycles per pixel, of the Gaussian that weights frequencies."""

FADE = 3.0
"""Pixels over which an image fades out towards what was not observed."""

LEAST = 0.1
"""Share of an image, weighted by how near the middle it is, that has to be observed."""

_FLAT = 0.3  # share of the usual contrast below which a neighbourhood is not amplified further
_STEPS = (10, 100, 1000)  # finer and finer grids, per pixel
_REACH = 12  # nodes of each grid to either side of the best of the one before


class Displacement(NamedTuple):
    """Where the content of one image lies in another, in pixels, and how clearly.

    ``peak`` is the height of the correlation's peak in root mean squares of all of it: 3 to 5
    by chance, above 30 for two clear views of one landscape.
    """

    dy: float
    dx: float
    peak: float


def displacement(reference: Plane, image: Plane, most: int) -> Displacement | None:
    """Find by how much an image is displaced against another.

    Parameters
    ----------
    reference, image : ndarray of shape (y, x)
        Of the same shape; NaN where not observed.
    most : int
        Greatest displacement to look for, pixels.

    Returns
    -------
    Displacement or None
        Positive where things lie further down and right in `image`; a multiple of 0.001.
        None if there is nothing to compare: no contrast, or hardly anything observed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fine = rng.normal(size=(402, 402)).cumsum(axis=0).cumsum(axis=1)
    >>> before = fine[:400, :400].reshape(100, 4, 100, 4).mean(axis=(1, 3))
    >>> after = fine[2:, 1:401].reshape(100, 4, 100, 4).mean(axis=(1, 3))
    >>> found = displacement(before, after, most=8)
    >>> round(found.dy, 1), round(found.dx, 1)
    (-0.5, -0.2)
    """
    from scipy import fft

    spectra = []
    for plane in (reference, image):
        # Each fades out around its own gaps. Were it around those of both, the fading would
        # be in both images alike, and pull the displacement towards zero.
        seen = np.isfinite(plane)
        weight = _weight(seen)
        if weight.sum() < LEAST * weight.size * _MEAN_OF_WINDOW:
            return None
        spectra.append(fft.fft2(_edges(_evened(plane, seen)) * weight))
    cross = spectra[1] * np.conj(spectra[0])
    size = np.abs(cross)
    if not size.max() > 0:
        return None
    cross = cross / np.maximum(size, 1e-12 * size.max()) * _passed(cross.shape)
    surface = fft.ifft2(cross).real
    dy, dx = _highest(surface, most)
    height = 0.0
    for step in _STEPS:
        dy, dx, height = _refined(cross, dy, dx, step)
    return Displacement(round(dy, 3), round(dx, 3), height / float(np.sqrt(np.mean(surface**2))))


_MEAN_OF_WINDOW = 0.25  # of a Hann window in two dimensions


def _weight(seen: NDArray[np.bool_]) -> Plane:
    """Fade out towards the edges, and softly around what was not observed.

    A hard edge would be an edge in both images, at the same place: a displacement of zero.
    """
    from scipy import ndimage

    rows, columns = (np.hanning(size + 2)[1:-1] for size in seen.shape)
    window = np.outer(rows, columns)
    if seen.all():
        return window
    # Beyond the image nothing is known; that is no reason to fade twice.
    away = ndimage.distance_transform_edt(np.pad(seen, 1, constant_values=True))[1:-1, 1:-1]
    soft = np.sin(np.pi / 2 * np.clip((away - 1.5) / FADE, 0.0, 1.0)) ** 2
    return np.asarray(window * soft)


def _evened(plane: Plane, seen: NDArray[np.bool_]) -> Plane:
    """Give every neighbourhood the same mean and about the same contrast."""
    from scipy import ndimage

    share = np.maximum(ndimage.gaussian_filter(seen.astype(float), EVENED), 1e-3)
    known = np.where(seen, plane, 0.0)
    rest = np.where(seen, known - ndimage.gaussian_filter(known, EVENED) / share, 0.0)
    spread = np.sqrt(ndimage.gaussian_filter(rest**2, EVENED) / share)
    usual = float(np.median(spread[seen])) if seen.any() else 0.0
    if usual == 0.0:
        usual = float(spread.max()) or 1.0
    return np.asarray(rest / np.maximum(spread, _FLAT * usual))


def _edges(plane: Plane) -> NDArray[np.complex128]:
    """Give the gradient, along x in the real part and along y in the imaginary one."""
    edges = np.zeros(plane.shape, complex)
    edges[:, 1:-1] += (plane[:, 2:] - plane[:, :-2]) / 2
    edges[1:-1] += 1j * (plane[2:] - plane[:-2]) / 2
    return edges


def _passed(shape: tuple[int, ...]) -> Plane:
    along_y, along_x = (np.fft.fftfreq(size) for size in shape)
    squared = along_y[:, None] ** 2 + along_x[None, :] ** 2
    return np.asarray(np.exp(-squared / (2 * PASSED**2)))


def _highest(surface: Plane, most: int) -> tuple[float, float]:
    """Find the highest pixel, no further from zero than what is looked for."""
    sides = [(np.fft.fftfreq(size) * size).round().astype(int) for size in surface.shape]
    near = np.ix_(*(np.abs(side) <= most for side in sides))
    part = surface[near]
    row, column = np.unravel_index(int(part.argmax()), part.shape)
    y, x = (side[np.abs(side) <= most] for side in sides)
    return float(y[row]), float(x[column])


def _refined(cross: Any, dy: float, dx: float, step: int) -> tuple[float, float, float]:
    """Evaluate the correlation on a finer grid around a place, and find its highest node."""
    nodes = np.arange(-_REACH, _REACH + 1) / step
    ys, xs = dy + nodes, dx + nodes
    along_y, along_x = (np.fft.fftfreq(size) for size in cross.shape)
    rows = np.exp(2j * np.pi * np.outer(ys, along_y))
    columns = np.exp(2j * np.pi * np.outer(along_x, xs))
    heights = (rows @ cross @ columns).real / cross.size
    row, column = np.unravel_index(int(heights.argmax()), heights.shape)
    return float(ys[row]), float(xs[column]), float(heights[row, column])
