"""The outline of water along the edges of its pixels, as chains with the water on their left.

Positions are in pixels: x counts columns, y counts rows, and the corner of the first pixel is
(0, 0). "Left" is meant as if y ran upwards. The mask is read in stripes of a fixed height, and
what is kept grows with the length of the outline, not with the size of the map.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.change.states import water_states

STRIPE = 1024
"""Rows that are in memory at a time."""

WATER, UNSEEN, OUTSIDE = 1, 2, 3
"""What may lie beyond an edge, besides land (0); `OUTSIDE` is beyond the border of the map."""

_STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
_LEFT, _STRAIGHT, _RIGHT = 1, 0, 3

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Outline:
    """Edges of pixels between water and something else, linked to chains.

    Attributes
    ----------
    start : ndarray of int64, shape (edges, 2)
        Where each edge begins: x, y. Edges follow each other along their chain.
    heading : ndarray of int64, shape (edges,)
        Where it leads, by one pixel: +x, +y, -x, -y (0 to 3). Water lies to its left.
    beyond : ndarray of uint8, shape (edges,)
        What lies to its right: land (0), `UNSEEN` or `OUTSIDE`.
    first : ndarray of int64, shape (chains + 1,)
        Where each chain begins among the edges, and where the last one ends.
    closed : ndarray of bool, shape (chains,)
        Whether it ends where it began.
    """

    start: Integers
    heading: Integers
    beyond: NDArray[np.uint8]
    first: Integers
    closed: NDArray[np.bool_]

    def chains(self) -> Iterator[Integers]:
        """Yield the corners of the pixels along each chain, (x, y); the first again if closed."""
        end = self.start + _STEPS[self.heading]
        for begin, stop in zip(self.first[:-1], self.first[1:], strict=True):
            yield np.concatenate([self.start[begin:stop], end[stop - 1 : stop]])


def outline_of(mask: Any, *, land_only: bool) -> Outline:
    """Find and link the edges of water.

    Parameters
    ----------
    mask : array of uint8, shape (y, x)
        Water mask, in memory or a Dask array.
    land_only : bool
        Keep only edges between water and land, which were both observed; else all.

    Returns
    -------
    Outline
        Where water meets at a corner only, the chains keep to their own pixels: they turn left.
        The chains are in the order of their first edge from the top; a closed one begins there.
    """
    found = list(_edges(mask, land_only))
    start, heading, beyond = (np.concatenate(parts) for parts in zip(*found, strict=True))
    width = int(mask.shape[1]) + 1
    key = 4 * (start[:, 1] * width + start[:, 0]) + heading
    order = np.argsort(key)
    start, heading, beyond, key = start[order], heading[order], beyond[order], key[order]
    chained, first, closed = _link(_successors(start, heading, key, width))
    return Outline(start[chained], heading[chained], beyond[chained], first, closed)


def _edges(mask: Any, land_only: bool) -> Iterator[tuple[Integers, Integers, NDArray[np.uint8]]]:
    """Yield start, heading and what is beyond for the edges of each stripe."""
    for top, states in stripes(mask):
        upper, lower = states[:-1], states[1:]  # row y - 1 and row y, for the edges at y
        inner = slice(1, -1)
        # Heading +x, the left is towards larger y.
        yield _found(upper[:, inner], lower[:, inner], top, 0, land_only)
        yield _found(lower[:, inner], upper[:, inner], top, 2, land_only)
        # Heading +y, the left is towards smaller x.
        west, east = lower[:, :-1], lower[:, 1:]
        yield _found(east, west, top, 1, land_only)
        yield _found(west, east, top, 3, land_only)


def stripes(mask: Any) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (y, states) for the edges of rows y and on, with the row above and all around it.

    The last stripe ends with a row beyond the map, for the edges below the last pixels.
    """
    rows, columns = mask.shape
    above = np.full((1, columns + 2), OUTSIDE, np.uint8)
    for top in range(0, rows, STRIPE):
        values = np.asarray(mask[top : top + STRIPE])
        part = np.full((len(values), columns + 2), OUTSIDE, np.uint8)
        part[:, 1:-1] = water_states(values)
        states = np.concatenate([above, part])
        above = part[-1:]
        yield top, states
    yield rows, np.concatenate([above, np.full((1, columns + 2), OUTSIDE, np.uint8)])


def _found(
    right: NDArray[np.uint8], left: NDArray[np.uint8], top: int, heading: int, land_only: bool
) -> tuple[Integers, Integers, NDArray[np.uint8]]:
    dry = right == 0 if land_only else right != WATER
    y, x = np.nonzero((left == WATER) & dry)
    start = np.stack([x, y + top], axis=1).astype(np.int64)
    # An edge that leads to smaller numbers begins at its other end.
    start -= np.minimum(_STEPS[heading], 0)
    return start, np.full(len(x), heading, np.int64), right[y, x]


def _successors(start: Integers, heading: Integers, key: Integers, width: int) -> Integers:
    """Find the edge that follows each one, -1 where there is none."""
    end = start + _STEPS[heading]
    corner = 4 * (end[:, 1] * width + end[:, 0])
    following = np.full(len(key), -1, np.int64)
    if not len(key):
        return following
    for turn in (_LEFT, _STRAIGHT, _RIGHT):
        wanted = corner + (heading + turn) % 4
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        there = (key[place] == wanted) & (following < 0)
        following[there] = place[there]
    return following


def _link(following: Integers) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Put the edges in the order of their chains."""
    led_to = np.zeros(len(following), bool)
    led_to[following[following >= 0]] = True
    heads = np.nonzero(~led_to)[0].tolist()
    # Numbers as such, not a Python object each: there may be millions of edges.
    after = following.data
    chains: list[tuple[int, array[int], bool]] = []
    taken = bytearray(len(after))
    # Open chains first: what then is left are rings, each met at its first edge.
    for closed, seeds in ((False, heads), (True, range(len(after)))):
        for seed in seeds:
            if taken[seed]:
                continue
            chain, edge = array("q"), seed
            while edge >= 0 and not taken[edge]:
                taken[edge] = 1
                chain.append(edge)
                edge = after[edge]
            chains.append((min(chain), chain, closed))
    chains.sort(key=lambda chain: chain[0])
    first = np.cumsum([0, *(len(chain) for _, chain, _ in chains)], dtype=np.int64)
    parts = [np.frombuffer(chain, np.int64) for _, chain, _ in chains]
    chained = np.concatenate([np.zeros(0, np.int64), *parts])
    return chained, first, np.array([closed for *_, closed in chains], bool)
