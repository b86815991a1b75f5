"""Mountains cut by streams: uplift against stream-power incision on a coarse lattice.

References
----------
Whipple, Tucker 1999, Dynamics of the stream-power river incision model,
J. Geophys. Res. 104. Braun, Willett 2013, A very efficient O(n), implicit and
parallel method to solve the stream power equation, Geomorphology 180-181.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.int64]

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def receivers(height: Float, fixed: NDArray[np.bool_]) -> tuple[Index, Float]:
    """Flat index of the neighbour that each node drains to, and its distance in nodes.

    Pits and ``fixed`` nodes drain to themselves.
    """
    rows, cols = height.shape
    padded = np.full((rows + 2, cols + 2), np.inf)
    padded[1:-1, 1:-1] = height
    index = np.arange(rows * cols, dtype=np.int64).reshape(rows, cols)
    steepest = np.zeros_like(height)
    to = index.copy()
    distance = np.ones_like(height)
    for down, across in NEIGHBOURS:
        length = np.hypot(down, across)
        neighbour = padded[1 + down : 1 + down + rows, 1 + across : 1 + across + cols]
        slope = (height - neighbour) / length
        better = (slope > steepest) & ~fixed
        steepest[better] = slope[better]
        to[better] = index[better] + down * cols + across
        distance[better] = length
    return to.ravel(), distance.ravel()


def gather(to: Index, amount: Float) -> Float:
    """Sum of ``amount`` over each node and everything that drains through it.

    Pointer doubling: after k rounds each node holds what lies less than 2^k steps above.
    """
    nowhere = to.size
    jump = np.append(np.where(to == np.arange(to.size), nowhere, to), nowhere)
    total = np.append(amount, 0.0)
    while True:
        moving = np.flatnonzero(jump != nowhere)
        if moving.size == 0:
            return total[:-1]
        total += np.bincount(jump[moving], weights=total[moving], minlength=total.size)
        jump = jump[jump]


def steps_to_outlet(to: Index) -> Index:
    """Count the steps from each node down to its outlet (0 for an outlet)."""
    here = np.arange(to.size)
    steps: Index = (to != here).astype(np.int64)
    jump = to.copy()
    while True:
        further = steps[jump]
        if not further.any():
            return steps
        steps += further
        jump = jump[jump]


def carve(
    height: Float,
    uplift: Float,
    fixed: NDArray[np.bool_],
    *,
    spacing: float,
    rounds: int = 20,
    incision: float = 1.0,
    step: float = 1.0,
    smoothing: float = 0.08,
    steepest: float = 0.55,
) -> Float:
    """Raise and erode a surface until crests, spurs and canyons have formed.

    Parameters
    ----------
    height : float64 array (rows, cols)
        The start, in metres; its roughness decides where the first valleys run.
    uplift : float64 array (rows, cols)
        Metres per unit of time.
    fixed : bool array (rows, cols)
        Nodes that keep their height: the floor that the streams reach.
    spacing : float
        Lattice spacing in metres.
    rounds, incision, step, smoothing, steepest
        Number of implicit steps, erodibility (with drainage area in km²), length
        of a step, the share of hillslope smoothing per step, and the slope above
        which hillsides slide.

    Returns
    -------
    float64 array (rows, cols)
    """
    height = height.copy()
    area = np.full(height.size, (spacing / 1000.0) ** 2)
    free = ~fixed
    for _ in range(rounds):
        to, distance = receivers(height, fixed)
        drained = gather(to, area)
        factor = incision * step * np.sqrt(drained) / (distance * spacing / 1000.0)
        flat = (height + step * np.where(fixed, 0.0, uplift)).ravel()
        steps = steps_to_outlet(to)
        order = np.argsort(steps, kind="stable")
        ends = np.cumsum(np.bincount(steps))
        # From the outlets upwards: every level of the tree knows the level below.
        below = to[order]
        share = 1.0 / (1.0 + factor[order])
        limit = steepest * spacing * distance[order]
        raised = flat[order] * share
        for start, stop in pairwise(ends):
            base = flat[below[start:stop]]
            cut = raised[start:stop] + (1.0 - share[start:stop]) * base
            flat[order[start:stop]] = np.minimum(cut, base + limit[start:stop])
        height = flat.reshape(height.shape)
        padded = np.pad(height, 1, mode="edge")
        around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4
        height = np.where(free, height + smoothing * (around - height), height)
    return height
