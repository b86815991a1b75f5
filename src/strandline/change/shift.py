"""Which change a shift between the two images alone could have produced.

Two images never lie on each other exactly. A relative shift by part of a pixel moves mixed
pixels over the line between water and land, along every shore, and so makes change of which
nothing is real: a strip one pixel thin, of opposite sign on opposite shores. Water that
really falls or rises makes wider strips, or strips of one sign all around.

Both marks are looked for. Along the shores, sorted by the direction in which the water lies,
gained less lost pixels per length of shore tell how far the shore moved. A direction in which
one side lost what the opposite side gained is that of a shift, and the smaller of the two
movements is its length; where there is no such direction, no shift has made anything. Then
each changed pixel is asked whether that shift brings the other class onto it from a
neighbour, and takes its own class away to another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline.change.states import UNSEEN, water_states
from strandline.errors import ShiftError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.shift import Shift

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

LEAST = 0.15
"""Shifts below this many pixels are no more than the noise of their estimate from two masks."""

MOST = 1.5
"""Beyond this many pixels a shift makes strips wider than one pixel: put it right first."""

LEAST_SHORE = 10.0
"""Projected length of shore, pixels, below which one side of the water says nothing; and without
two sides that say the same nothing is known of a shift."""

SECTORS = 16
"""So many directions are told apart in which the water of a shore lies."""

MARGIN = 2
"""So many pixels around it decide about a pixel."""

STRIP = 1024
"""Rows that are looked at together."""

_TRIED = 64  # directions of a shift that are tried
_FACING = 0.3  # cosine from which a shore faces a shift rather than lying along it
_CONE = math.cos(math.radians(80))  # neighbours so far off the direction may still be mixed in
_SOBEL = 16  # of before + after, on one pixel of straight shore
_NEIGHBOURS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))


class Drift(NamedTuple):
    """How far the later map lies from the earlier, down and right in pixels; (0, 0) for no shift.

    Examples
    --------
    >>> Drift(0.3, -0.4).pixels
    0.5
    """

    down: float
    right: float

    @property
    def pixels(self) -> float:
        """Its length."""
        return math.hypot(self.down, self.right)


class Shores(NamedTuple):
    """What the shores say, by the direction in which their water lies.

    Whole numbers, so that the parts of a map add up to the same, whatever the parts.

    Attributes
    ----------
    gradient : ndarray of int64, shape (SECTORS, 2)
        Sums of Sobel gradients (down, right) of before + after.
    gain : ndarray of int64, shape (SECTORS,)
        Pixels gained less pixels lost, in strips one pixel thin.
    """

    gradient: NDArray[np.int64]
    gain: NDArray[np.int64]


class _Changed(NamedTuple):
    """Changed pixels of a map, and from and to which neighbours their classes may have moved."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    came: Bytes  # a bit for each step by which the new class may have come
    went: Bytes  # a bit for each step by which the old class may have gone

    def by(self, steps: np.uint8) -> Flags:
        """Say which of them steps of this set explain."""
        explained: Flags = ((self.came & steps) != 0) & ((self.went & steps) != 0)
        return explained


def shift_explainable(
    before: Any, after: Any, shift: Shift | None = None, *, oversampling: float = 1.0
) -> Any:
    """Flag change that a shift between the two images alone could have produced.

    Parameters
    ----------
    before, after : array of uint8, shape (y, x)
        Water masks: 0, 1, and 255 where not observed. NumPy or Dask.
    shift : Shift, optional
        From ``estimate_shift(scene_after, scene_before)``. Default: what the shores of the
        two masks say.
    oversampling : float
        Pixels of the grid along the side of a pixel of the data. It is the data that was shifted:
        the masks are compared at every so many pixels.

    Returns
    -------
    array of bool, shape (y, x)
        Lazy if a mask is; the same whatever the chunks.

    Raises
    ------
    ShiftError
        If the shift passed is longer than `MOST` pixels.

    Examples
    --------
    >>> from strandline.testing.lakes import lake_fraction, lake_grid
    >>> grid, place = lake_grid(), (351_240.0, 4_289_100.0)
    >>> lake, moved, smaller = (
    ...     (lake_fraction(grid, radius, (place[0] + east, place[1])) > 0.5).astype(np.uint8)
    ...     for radius, east in ((600, 0), (600, 15), (585, 0))
    ... )
    >>> bool(shift_explainable(lake, moved)[lake != moved].all())  # half a pixel east
    True
    >>> bool(shift_explainable(lake, smaller).any())  # half a pixel of retreat on all sides
    False
    """
    step = max(1, round(oversampling))
    given = None if shift is None else _checked(shift, step)
    if step > 1:
        return _by_data_pixels(before, after, given, step)
    return _flagged(before, after, given)


def _by_data_pixels(before: Any, after: Any, given: Drift | None, step: int) -> Any:
    """Flag change on masks of the size of the data, and bring the flags back to the grid."""
    lazy = next((mask for mask in (before, after) if hasattr(mask, "__dask_graph__")), None)
    thin = (slice(step // 2, None, step),) * 2
    flags = _flagged(before[thin], after[thin], given)
    if lazy is None:
        return _repeated(flags, step, before.shape) & _differ(before, after)
    import dask.array as da

    whole = flags.rechunk(flags.shape).map_blocks(
        _repeated, step, before.shape, chunks=before.shape, dtype=bool, meta=np.empty((0, 0), bool)
    )
    first, last = (da.asarray(mask).rechunk(lazy.chunks) for mask in (before, after))  # type: ignore[no-untyped-call]
    differ = da.map_blocks(_differ, first, last, dtype=bool, meta=np.empty((0, 0), bool))  # type: ignore[no-untyped-call]
    return whole.rechunk(lazy.chunks) & differ


def _repeated(flags: Flags, step: int, shape: tuple[int, int]) -> Flags:
    """Repeat flags, each for the pixels of the grid around it."""
    wide = np.zeros(shape, bool)
    repeated = flags.repeat(step, axis=0).repeat(step, axis=1)[: shape[0], : shape[1]]
    wide[: repeated.shape[0], : repeated.shape[1]] = repeated
    return wide


def _differ(before: Bytes, after: Bytes) -> Flags:
    """Return where water was gained or lost."""
    changed: Flags = water_states(before) + water_states(after) == 1
    return changed


def _flagged(before: Any, after: Any, given: Drift | None) -> Any:
    if not any(hasattr(mask, "__dask_graph__") for mask in (before, after)):
        drift = given
        if drift is None:
            drift = drift_of([shores(*strip) for _, strip in _strips(before, after)])
        flags = np.zeros(before.shape, dtype=bool)
        for rows, strip in _strips(before, after):
            flags[rows] = _flags(*strip, drift=drift)
        return flags
    return _lazily(before, after, given)


def shores(before: Bytes, after: Bytes) -> Shores:
    """Sum up where the water of the shores lies, and how much was gained there.

    Shores with wider change are left out, and what is next to pixels that were not observed.

    Parameters
    ----------
    before, after : ndarray of uint8, shape (y, x)
        Water masks with a margin of `MARGIN` pixels all around, which is not counted.

    Returns
    -------
    Shores
    """
    first, last = water_states(before), water_states(after)
    changed = _changed(first, last)
    thin = np.zeros(len(changed.rows), dtype=bool)
    for steps in _CONES:
        thin |= changed.by(steps)
    bad = (first == UNSEEN) | (last == UNSEEN)
    bad[changed.rows[~thin], changed.columns[~thin]] = True
    water = np.where(bad, 0, first + last).astype(np.int16)
    down, right = _sobel(water), _sobel(water.T).T
    gain = np.zeros(bad.shape, np.int16)
    rows, columns = changed.rows[thin], changed.columns[thin]
    gain[rows, columns] = last[rows, columns].astype(np.int16) - first[rows, columns]
    inner = (slice(MARGIN, -MARGIN),) * 2
    used = ~_near(bad)[inner] & ((down[inner] != 0) | (right[inner] != 0))
    gradient = np.stack([down[inner][used], right[inner][used]], axis=1)
    angle = np.arctan2(gradient[:, 0], gradient[:, 1]) / (2 * math.pi)
    sector = np.round(angle * SECTORS).astype(np.int64) % SECTORS
    sums = [
        np.bincount(sector, weights, SECTORS).round().astype(np.int64)
        for weights in (*gradient.T, gain[inner][used])
    ]
    return Shores(np.stack(sums[:2], axis=1), sums[2])


def drift_of(parts: list[Shores]) -> Drift:
    """Find the shift that the shores of two masks speak of.

    Parameters
    ----------
    parts : list of Shores
        Of the parts of a map.

    Returns
    -------
    Drift
        (0, 0) if there is no direction in which one side of the water lost and the other
        gained, by `LEAST` to `MOST` pixels.
    """
    gradient = np.sum([part.gradient for part in parts], axis=0) / _SOBEL
    gain = np.sum([part.gain for part in parts], axis=0)
    length = np.hypot(gradient[:, 0], gradient[:, 1])
    best = Drift(0.0, 0.0)
    for down, right in _directions(_TRIED):
        facing = gradient @ np.array([down, right])
        moved = []
        for side in (facing > _FACING * length, facing < -_FACING * length):
            along = float(facing[side].sum())
            shore = abs(along) >= LEAST_SHORE
            moved.append(-float(gain[side].sum()) / along if shore else 0.0)
        pixels = min(moved)
        if LEAST <= pixels <= MOST and pixels > best.pixels:
            best = Drift(pixels * down, pixels * right)
    return best


def _flags(before: Bytes, after: Bytes, drift: Drift) -> Flags:
    """Flag what a shift explains, of masks with a margin that is cut off."""
    flags = np.zeros(before.shape, dtype=bool)
    if drift.pixels > 0:
        changed = _changed(water_states(before), water_states(after))
        steps = _steps_along(drift.down / drift.pixels, drift.right / drift.pixels)
        flags[changed.rows, changed.columns] = changed.by(steps)
    return flags[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _changed(first: Bytes, last: Bytes) -> _Changed:
    changed = first + last == 1  # what was not observed counts two
    changed[[0, -1]] = changed[:, [0, -1]] = False
    rows, columns = np.nonzero(changed)
    own, new = first[rows, columns], last[rows, columns]
    came, went = np.zeros((2, len(rows)), np.uint8)
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        came |= (first[rows - down, columns - right] == new).astype(np.uint8) << np.uint8(bit)
        went |= (last[rows + down, columns + right] == own).astype(np.uint8) << np.uint8(bit)
    return _Changed(rows, columns, came, went)


def _sobel(water: NDArray[np.int16]) -> NDArray[np.int16]:
    """Differentiate along the first axis, in whole numbers; 0 at the edge."""
    smooth = water[:, :-2] + 2 * water[:, 1:-1] + water[:, 2:]
    slope = np.zeros_like(water)
    slope[1:-1, 1:-1] = smooth[2:] - smooth[:-2]
    return slope


def _near(mask: Flags) -> Flags:
    """Find pixels with one of the mask among themselves and their eight neighbours."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    near = wide.copy()
    near[:, 1:] |= wide[:, :-1]
    near[:, :-1] |= wide[:, 1:]
    return near


def _directions(count: int) -> Iterator[tuple[float, float]]:
    for number in range(count):
        angle = 2 * math.pi * number / count
        yield math.sin(angle), math.cos(angle)


def _steps_along(down: float, right: float) -> np.uint8:
    """Give the set of steps to neighbours that lie in a direction, as bits."""
    bits = 0
    for bit, (y, x) in enumerate(_NEIGHBOURS):
        if (y * down + x * right) / math.hypot(y, x) > _CONE:
            bits |= 1 << bit
    return np.uint8(bits)


_CONES = [_steps_along(*direction) for direction in _directions(SECTORS)]


def _checked(shift: Shift, step: int = 1) -> Drift:
    if shift.pixels > MOST * step:
        raise ShiftError(
            "The shift between the two dates is too large to say which changes it caused.",
            expected=f"at most {MOST * step:g} pixels",
            got=f"{shift.pixels:.2f} pixels",
            remedy="Co-register the later scene with correct_shift first.",
        )
    if shift.pixels < LEAST * step:
        return Drift(0.0, 0.0)
    return Drift(shift.dy / step, shift.dx / step)


def _strips(before: Bytes, after: Bytes) -> Iterator[tuple[slice, tuple[Bytes, Bytes]]]:
    """Cut masks into strips of rows, with a margin that was not observed beyond the map."""
    height, width = before.shape
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        low, high = max(top - MARGIN, 0), min(bottom + MARGIN, height)
        strips = []
        for mask in (before, after):
            strip = np.full((bottom - top + 2 * MARGIN, width + 2 * MARGIN), NOT_OBSERVED, np.uint8)
            first = low - top + MARGIN
            strip[first : first + high - low, MARGIN:-MARGIN] = mask[low:high]
            strips.append(strip)
        yield slice(top, bottom), (strips[0], strips[1])


def _lazily(before: Any, after: Any, given: Drift | None) -> Any:
    """Do the same on Dask arrays: the shores of all blocks, then the flags of each."""
    import dask.array as da
    from dask.delayed import delayed

    first = da.asarray(before)  # type: ignore[no-untyped-call]  # Dask is untyped
    look, flag = delayed(shores, pure=True), delayed(_flags, pure=True)
    wide = [
        da.pad(da.asarray(mask), MARGIN, constant_values=NOT_OBSERVED)  # type: ignore[no-untyped-call]
        for mask in (before, after)
    ]
    windows = [
        [
            tuple(_whole(mask[rows, columns]) for mask in wide)
            for columns in _windows(first.chunks[1])
        ]
        for rows in _windows(first.chunks[0])
    ]
    drift: Any = given
    if given is None:
        parts = [look(*window) for line in windows for window in line]
        drift = delayed(drift_of, pure=True)(parts)
    blocks = [
        [
            da.from_delayed(flag(*window, drift=drift), (height, width), bool)  # type: ignore[no-untyped-call]
            for width, window in zip(first.chunks[1], line, strict=True)
        ]
        for height, line in zip(first.chunks[0], windows, strict=True)
    ]
    return da.block(blocks)  # type: ignore[no-untyped-call]


def _windows(sizes: tuple[int, ...]) -> list[slice]:
    """Say where chunks lie, each with its margin, in an array with a margin."""
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end + 2 * MARGIN) for size, end in zip(sizes, ends, strict=True)]


def _whole(part: Any) -> Any:
    return part.rechunk(part.shape).to_delayed()[0, 0]
