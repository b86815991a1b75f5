"""How maps are laid out: on which ground, how large, over which tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from strandline.plot.ground import north_up, on_mercator
from strandline.plot.tiles import basemap
from strandline.show.captions import date_text, sensor_text

Scenes = xr.DataArray | Sequence[xr.DataArray]


@dataclass(frozen=True)
class View:
    """How maps are drawn, the same in each of these functions."""

    geo: bool
    tiles: Any
    width: int | None
    max_pixels: int

    def placed(self, data: xr.DataArray) -> xr.DataArray:
        """Bring data to where they are drawn."""
        return on_mercator(data) if self.geo or self.tiles else north_up(data)

    def wide(self, count: int) -> int:
        """Width of one of several pictures, in pixels of the screen."""
        return self.width or (620 if count == 1 else 420)

    @property
    def alpha(self) -> float:
        """Opacity: tiles show through."""
        return 0.75 if self.tiles else 1.0

    def over_tiles(self, picture: Any) -> Any:
        """Lay a picture over the tiles, where they are wanted."""
        return basemap(self.tiles) * picture if self.tiles else picture

    def side_by_side(self, pictures: Sequence[Any]) -> Any:
        """Lay the dates beside each other; their axes are linked."""
        import holoviews as hv

        whole = [self.over_tiles(picture) for picture in pictures]
        return whole[0] if len(whole) == 1 else hv.Layout(whole).cols(len(whole))


def map_title(name: str, data: xr.DataArray) -> str:
    """Say above a picture what it shows, of when and from which sensor."""
    return " · ".join(filter(None, (name, date_text(data), sensor_text(data))))
