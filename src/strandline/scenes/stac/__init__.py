"""Scenes from STAC: items that describe acquisitions, and the services that find them.

`search.py` asks an API or walks a catalogue, `found.py` holds what it found. `item.py` and
`asset.py` read from one item which sensor, bands and factors it has, `plan.py` settles what is
read of it, `load.py` makes a scene of the items of one pass, whose pixels `driver.py` reads, and
`mosaic.py` lays its tiles together. `service.py` talks to servers, `area.py` knows
places, `source.py` tells what is a STAC source. The packages of the extra ``stac`` are
imported when something is asked for.
"""

from strandline.scenes.stac.found import FoundScenes
from strandline.scenes.stac.search import search_scenes

__all__ = ["FoundScenes", "search_scenes"]
