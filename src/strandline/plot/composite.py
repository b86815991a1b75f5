"""Bands as the colours of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from strandline.show.display import Extent, Stretch


def band_layers(scene: xr.DataArray) -> dict[str, xr.DataArray]:
    """Take a scene apart into its bands, (y, x) each."""
    return {
        str(band): scene.sel(band=band, drop=True).astype(np.float32)
        for band in scene["band"].values
    }


def composite(channels: Sequence[np.ndarray], stretch: Stretch, extent: Extent) -> Any:
    """Make the colours of one band (grey) or three; transparent where not observed."""
    import holoviews as hv

    values = np.stack(channels)
    seen = np.isfinite(values).all(axis=0)
    bright = np.where(seen, stretch.apply(values), 0)
    bytes_ = np.round(255 * np.broadcast_to(bright, (3, *seen.shape))).astype(np.uint8)
    return hv.RGB(
        np.dstack([*bytes_, 255 * seen.astype(np.uint8)]),
        bounds=(extent.left, extent.bottom, extent.right, extent.top),
        vdims=[*hv.RGB.vdims, hv.RGB.alpha_dimension],
    )
