"""Scenes: from files, products, catalogues and services to labelled arrays of reflectance.

`kinds.py` tells what a source is, and `open.py` opens it, as `read_options.py` says.
`raster.py` reads files as they are stored; `landsat/` and `sentinel/` know products, `stac/` finds
and opens STAC items, `files.py` plain rasters, and `datasets.py` NetCDF, Zarr and arrays in
memory. `sensors.py` names the bands, `identifiers.py` reads the names of products,
`reflectance.py` scales them once, `quality.py` says which pixels were
observed and why others were not, `conflicts.py` where the spectrum contradicts that,
`counts.py` how many they are, and `scene.py` puts the result together. `contract.py`
checks whether it can be.
"""

from strandline.scenes.catalog import open_catalog
from strandline.scenes.contract import check_scene
from strandline.scenes.counts import count_quality, quality_table
from strandline.scenes.open import open_scene
from strandline.scenes.simulate import simulate_scene
from strandline.scenes.stac import search_scenes

__all__ = [
    "check_scene",
    "count_quality",
    "open_catalog",
    "open_scene",
    "quality_table",
    "search_scenes",
    "simulate_scene",
]
