"""A map of the web below the picture: the only thing here that asks other servers."""

from __future__ import annotations

from typing import Any

from strandline.errors import ConfigurationError


def basemap(tiles: Any) -> Any:
    """Make the layer of tiles.

    The page asks for them by itself; without a network they stay away and the rest is drawn.

    Parameters
    ----------
    tiles : str, bool or holoviews.Tiles
        The name of one of HoloViews' tile sources, an address with ``{X}``, ``{Y}`` and
        ``{Z}``, True for OpenStreetMap, or a layer that was made before.

    Returns
    -------
    holoviews.Tiles

    Raises
    ------
    ConfigurationError
        If it is none of these.

    Examples
    --------
    >>> basemap("https://tiles.example.org/{Z}/{X}/{Y}.png").data
    'https://tiles.example.org/{Z}/{X}/{Y}.png'
    """
    import holoviews as hv
    from holoviews.element.tiles import tile_sources

    if isinstance(tiles, hv.Tiles):
        return tiles
    name = "OSM" if tiles is True else str(tiles)
    if name in tile_sources:
        return tile_sources[name]()
    if all(part in name for part in ("{X}", "{Y}", "{Z}")):
        return hv.Tiles(name)
    raise ConfigurationError(
        "There are no such tiles.",
        expected="an address with {X}, {Y} and {Z}, or one of " + ", ".join(sorted(tile_sources)),
        got=repr(tiles),
    )
