"""What is read of one item, and onto which grid: settled before any pixel is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from strandline.errors import ConfigurationError, GridMismatchError, MissingCRSError
from strandline.scenes.cache import local_copy
from strandline.scenes.header import read_header
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.stac.access import best_address, signed
from strandline.scenes.stac.asset import Layer
from strandline.scenes.stac.item import Described
from strandline.scenes.stac.sampling import lattice_offset

_KINDS = ("qa_pixel", "scl", "qa60")  # quality bands that say what hid the ground


@dataclass(frozen=True)
class Plan:
    """One item, and which of its layers are read with what."""

    item: Described
    bands: dict[str, Layer]
    quality: dict[str, Layer]


def plan_item(item: Described, names: Sequence[str], asked: ReadOptions) -> Plan:
    """Settle what is read of an item.

    Parameters
    ----------
    item : Described
    names : sequence of str
        Of bands that it has.
    asked : ReadOptions

    Returns
    -------
    Plan
        Of layers with an address that answers, a grid, a type and a number for no value.

    Raises
    ------
    MissingBandError
        If there is no quality band for reasons that were asked for.
    MissingCRSError
        If neither the item nor a file says where it lies.
    SceneError
        If a file that has to be asked cannot be read.
    """
    kinds = [kind for kind in _KINDS if kind in item.quality][:1]
    if not kinds:
        asked.do_without_quality(
            item.source,
            expected=f"an asset {' or '.join(_KINDS)}",
            got=", ".join(item.quality) or "none",
            remedy="Leave mask out.",
        )
    kinds += ["qa_radsat"] if "qa_radsat" in item.quality else []
    sign = signed if item.planetary_computer else str
    return Plan(
        item,
        bands={name: _complete(item.bands[name], asked, sign) for name in names},
        quality={kind: _complete(item.quality[kind], asked, sign) for kind in kinds},
    )


def _complete(layer: Layer, asked: ReadOptions, sign: Callable[[str], str]) -> Layer:
    """Ask the file itself for what the item does not say, and settle what stands for no value."""
    href = best_address(layer.href, layer.alternates, asked.storage_options)
    if asked.cache:
        href = local_copy(sign(href), storage_options=asked.storage_options, cache=asked.cache)
    invalid = layer.factors.invalid
    dtype, grid, fill = layer.dtype, layer.grid, layer.nodata
    if fill is None and invalid:
        fill = invalid[0]
    if grid is None or dtype is None:
        header = read_header(href, storage_options=asked.storage_options, address=sign(href))
        grid, dtype = header.geobox, header.dtype
        if fill is None:
            fill = header.nodata[layer.index - 1]
        if grid.crs is None:
            raise MissingCRSError(
                f"{href!r} has no CRS, and its STAC item gives none.",
                remedy="Georeference the file.",
            )
    kind, number = _storable(np.dtype(dtype), fill)
    if not math.isnan(number):
        invalid = tuple(sorted({*invalid, number}))
    return replace(
        layer,
        href=href,
        grid=grid,
        dtype=kind.name,
        nodata=number,
        factors=replace(layer.factors, invalid=invalid),
    )


def _storable(kind: np.dtype[Any], fill: float | None) -> tuple[np.dtype[Any], float]:
    """Find a type that holds a file's numbers and one that stands for no value."""
    whole = kind.kind in "iu"
    if fill is None or (whole and math.isnan(fill)):
        # What the file cannot hold stands for what lies outside of it.
        return _beyond(kind)
    if whole:
        kind = np.result_type(kind, np.min_scalar_type(int(fill)))
    return kind, float(fill)


def _beyond(kind: np.dtype[Any]) -> tuple[np.dtype[Any], float]:
    """Find a type with a number that the given type has not."""
    if kind.kind == "f":
        return kind, math.nan
    wider = np.result_type(kind, np.int8 if kind.kind == "u" else f"i{min(kind.itemsize * 2, 8)}")
    if wider.kind == "f":  # 64 bits, unsigned: no image needs them
        return wider, math.nan
    return wider, float(np.iinfo(wider).min)


def common_grid(plans: Sequence[Plan], names: Sequence[str], grid: Any) -> GeoBox:
    """Give the grid to read on: the caller's, or the finest of the files, over all tiles.

    Parameters
    ----------
    plans : sequence of Plan
        Of all items of the pass.
    names : sequence of str
        Of the bands whose grids count.
    grid : GeoBox, or an array that has one, or None
        The caller's.

    Returns
    -------
    GeoBox

    Raises
    ------
    ConfigurationError
        If the caller's is none.
    GridMismatchError
        If the tiles do not share one grid, and none was given.
    """
    if grid is not None:
        if not isinstance(grid, GeoBox):
            grid = getattr(getattr(grid, "odc", None), "geobox", None)
        if not isinstance(grid, GeoBox) or grid.crs is None:
            raise ConfigurationError(
                "The grid cannot be used.",
                expected="a GeoBox with a CRS, as make_grid(…) gives, or a scene that has one",
                got="something else",
            )
        return grid
    finest = []
    for plan in plans:
        grids = [plan.bands[name].grid for name in names]
        finest.append(min((g for g in grids if g is not None), key=lambda g: abs(g.resolution.x)))
    first = finest[0]
    if all(other == first for other in finest):
        return first
    return _union(finest)


def _union(grids: Sequence[GeoBox]) -> GeoBox:
    first = grids[0]
    spans = []
    for grid in grids:
        offset = lattice_offset(first, grid)
        if offset is None:
            raise GridMismatchError(
                "The tiles of the pass do not share one grid.",
                expected=f"the pixels of {first.crs}, {first.resolution}",
                got=f"{grid.crs}, {grid.resolution}",
                remedy="Pass grid=make_grid(…), on which they are put together.",
            )
        row, column = offset
        spans.append((row, column, row + grid.shape[0], column + grid.shape[1]))
    top, left = min(span[0] for span in spans), min(span[1] for span in spans)
    bottom, right = max(span[2] for span in spans), max(span[3] for span in spans)
    return GeoBox(
        (bottom - top, right - left), first.transform * Affine.translation(left, top), first.crs
    )
