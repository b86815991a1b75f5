"""Accessors of xarray: ``scene.strandline.segment()`` and so on, and ``.rio`` and ``.odc``.

Registered with the first array that Strandline hands out, on ``import strandline`` where xarray was
imported before, and in any case by ``import strandline.accessors``.
"""

from __future__ import annotations

import contextlib
from functools import cache
from importlib import import_module
from typing import Any

import xarray as xr


class _Accessor:
    """Calls functions of the package with the array first; arguments and errors are theirs."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        return getattr(import_module("strandline"), name)(self._data, *args, **options)

    def segment(self, *args: Any, **options: Any) -> xr.Dataset:
        """Return clusters of the spectra: `strandline.segment`."""
        result: xr.Dataset = self._call("segment", *args, **options)
        return result


@xr.register_dataarray_accessor("strandline")  # type: ignore[no-untyped-call]
class StrandlineArray(_Accessor):
    """Functions of Strandline on a scene, a map of classes, or a map of change.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> segmentation = round_lake(radius=300).strandline.segment(n_clusters=3)
    >>> mask = segmentation.strandline.water_mask()
    >>> int(mask.strandline.areas()["pixels"].iloc[0]) > 0
    True
    """

    def areas(self, *args: Any, **options: Any) -> Any:
        """Return the areas of a water mask or a change map: `strandline.areas`."""
        return self._call("areas", *args, **options)

    def check_scene(self, *args: Any, **options: Any) -> Any:
        """Check whether it is reflectance of its bands: `strandline.check_scene`."""
        return self._call("check_scene", *args, **options)

    def compare(self, after: xr.DataArray, **options: Any) -> Any:
        """Return the change from this water mask to a later one: `strandline.compare`."""
        return self._call("compare", after, **options)

    def harmonize(self, *args: Any, **options: Any) -> Any:
        """Return the reflectance as another sensor measures it: `strandline.harmonize`."""
        return self._call("harmonize", *args, **options)

    def quality_table(self, *args: Any, **options: Any) -> Any:
        """Return what was not observed, and why: `strandline.quality_table`."""
        return self._call("quality_table", *args, **options)

    def regrid(self, *args: Any, **options: Any) -> Any:
        """Return the array on another grid: `strandline.regrid`."""
        return self._call("regrid", *args, **options)

    def shorelines(self, *args: Any, **options: Any) -> Any:
        """Return the shorelines of a water mask or fraction: `strandline.shorelines`."""
        return self._call("shorelines", *args, **options)

    def to_samples(self, *args: Any, **options: Any) -> Any:
        """Return the pixels as a table, samples by bands: `strandline.to_samples`."""
        return self._call("to_samples", *args, **options)

    def water_polygons(self, *args: Any, **options: Any) -> Any:
        """Return the bodies of water of a mask as polygons: `strandline.water_polygons`."""
        return self._call("water_polygons", *args, **options)


@xr.register_dataset_accessor("strandline")  # type: ignore[no-untyped-call]
class StrandlineDataset(_Accessor):
    """Functions of Strandline on a segmentation, or on a scene with a variable per band.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> segmentation = round_lake(radius=300).strandline.segment(n_clusters=3)
    >>> bool(segmentation.strandline.find_water()["water"].any())
    True
    """

    def find_water(self, *args: Any, **options: Any) -> Any:
        """Return which clusters are water, and why: `strandline.find_water`."""
        return self._call("find_water", *args, **options)

    def water_confidence(self, *args: Any, **options: Any) -> Any:
        """Return how sure the water mask is, pixel by pixel: `strandline.water_confidence`."""
        return self._call("water_confidence", *args, **options)

    def water_fraction(self, *args: Any, **options: Any) -> Any:
        """Return the share of each pixel that is water: `strandline.water_fraction`."""
        return self._call("water_fraction", *args, **options)

    def water_mask(self, *args: Any, **options: Any) -> Any:
        """Return the water mask: `strandline.water_mask`."""
        return self._call("water_mask", *args, **options)


@cache
def register() -> None:
    """Register ``.odc``, and ``.rio`` where rioxarray is installed, besides ``.strandline``.

    ``.hvplot(geo=True)`` asks ``.rio`` for the CRS, and finds none unless rioxarray was imported.
    """
    import odc.geo.xr  # noqa: F401  registers the accessor

    with contextlib.suppress(ImportError):
        import rioxarray  # noqa: F401  registers the accessor
